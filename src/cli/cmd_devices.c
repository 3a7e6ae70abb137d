/* cmd_devices.c - `xmtp devices sync|request|send|archives|take`: other installations of the
 * inbox. */
#include "base/status.h"
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "usage: xmtp devices sync\n"
    "       xmtp devices request\n"
    "       xmtp devices send PIN\n"
    "       xmtp devices archives\n"
    "       xmtp devices take [PIN]\n\n"
    "What the installations of one inbox tell each other.\n"
    "  sync       hears them and tells them what is new here\n"
    "  request    asks them for what was said before; they answer at their next sync, and a later\n"
    "             sync here takes the answer in. Prints the PIN of the request\n"
    "  send       makes an archive of everything and tells the others of it\n"
    "  archives   lists those that the others have told of in 30 days\n"
    "  take       takes in the newest, or the newest with that PIN\n"
    "All need --device-sync; request and send need --history, which includes "
    "it.\n\n" CLI_CLIENT_HELP;

typedef struct devices_command {
    const cli_options *options;
    xmtp_client *client;
    const char *argument; /* NULL: none */
    xmtp_error *error;
} devices_command;

static xmtp_status devices_sync(devices_command *c)
{
    XMTP_TRY(xmtp_client_sync_devices(c->client, c->error));
    cli_print_field(c->options, "synced", xmtp_client_installation_id(c->client));
    return XMTP_OK;
}

static xmtp_status devices_request(devices_command *c)
{
    char pin[XMTP_SYNC_PIN_LEN + 1];
    XMTP_TRY(xmtp_client_sync_devices(c->client, c->error));
    XMTP_TRY(xmtp_client_sync_request(c->client, NULL, NULL, pin, c->error));
    cli_print_field(c->options, "pin", pin);
    return XMTP_OK;
}

static xmtp_status devices_send(devices_command *c)
{
    XMTP_TRY(xmtp_client_sync_devices(c->client, c->error));
    XMTP_TRY(xmtp_client_sync_archive_send(c->client, NULL, NULL, c->argument, c->error));
    cli_print_field(c->options, "pin", c->argument);
    return XMTP_OK;
}

static xmtp_status print_archive(void *context, const xmtp_sync_archive *archive)
{
    const devices_command *c = context;
    char id[2 * XMTP_INSTALLATION_LEN + 1];
    cli_hex(id, archive->installation, sizeof archive->installation);
    if (!c->options->json) {
        printf("%-8s  by %s\n", archive->pin, id);
        return XMTP_OK;
    }
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "pin", archive->pin);
    cJSON_AddStringToObject(object, "installation", id);
    cli_add_u64(object, "sent_ns", archive->sent_ns);
    cli_add_u64(object, "exported_ns", archive->metadata.exported_ns);
    cli_print_json(object);
    return XMTP_OK;
}

static xmtp_status devices_archives(devices_command *c)
{
    XMTP_TRY(xmtp_client_sync_devices(c->client, c->error));
    return xmtp_client_sync_archives(c->client, 30, print_archive, c, c->error);
}

static xmtp_status devices_take(devices_command *c)
{
    xmtp_archive_counts counts = {0};
    XMTP_TRY(xmtp_client_sync_devices(c->client, c->error));
    XMTP_TRY(xmtp_client_sync_archive_take(c->client, c->argument, &counts, c->error));
    if (!c->options->json) {
        printf("%" PRIu64 " messages, %" PRIu64 " conversations, %" PRIu64 " consents new here\n",
               counts.messages, counts.conversations, counts.consents);
        return XMTP_OK;
    }
    cJSON *object = cJSON_CreateObject();
    cli_add_u64(object, "messages", counts.messages);
    cli_add_u64(object, "conversations", counts.conversations);
    cli_add_u64(object, "consents", counts.consents);
    cli_print_json(object);
    return XMTP_OK;
}

static const struct {
    const char *name;
    xmtp_status (*run)(devices_command *c);
    int arguments_min;
    int arguments_max;
} actions[] = {
    {"sync", devices_sync, 0, 0}, {"request", devices_request, 0, 0},
    {"send", devices_send, 1, 1}, {"archives", devices_archives, 0, 0},
    {"take", devices_take, 0, 1},
};

enum { ACTION_COUNT = sizeof actions / sizeof actions[0] };

static bool is_asked(const cli_options *options, size_t i)
{
    int given = options->rest_count - 1;
    return given >= actions[i].arguments_min && given <= actions[i].arguments_max &&
           strcmp(options->rest[0], actions[i].name) == 0;
}

static int run(const cli_options *options, size_t action)
{
    xmtp_error error = {0};
    xmtp_client *client = cli_open(options);
    if (client == NULL) {
        return CLI_FAILED;
    }
    devices_command c = {.options = options,
                         .client = client,
                         .argument = options->rest_count > 1 ? options->rest[1] : NULL,
                         .error = &error};
    xmtp_status status = actions[action].run(&c);
    xmtp_client_close(client);
    return status == XMTP_OK ? CLI_OK : cli_fail(options, &error, status);
}

int cmd_devices(int argc, char **argv)
{
    cli_options options;
    int code = cli_parse(&options, argc, argv, help);
    if (code != -1) {
        return code;
    }
    size_t i = 0;
    while (i < ACTION_COUNT && !is_asked(&options, i)) {
        i++;
    }
    code = i < ACTION_COUNT ? run(&options, i)
                            : cli_usage(&options, "takes one of the actions and what it needs");
    cli_options_free(&options);
    return code;
}
