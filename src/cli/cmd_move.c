/* cmd_move.c - `xmtp move export|import|cancel`: this installation goes to another machine. */
#include "base/bytes.h"
#include "cli/cli.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xmtp/move.h>

static_assert((int)XMTP_MOVE_KEY_LEN == (int)CLI_KEY_LEN, "a key is a key");

static const char help[] =
    "usage: xmtp move export FILE [options]   all of this installation into FILE\n"
    "       xmtp move import FILE [options]   makes it live here\n"
    "       xmtp move cancel [options]        takes an export back\n\n"
    "The installation stays the same one: no further of the inbox's ten is used, and conversations "
    "go\n"
    "on. After the export it does not open here any more. Import makes its database and opens it "
    "once:\n"
    "of all copies the first one opened lives, the others are refused for good; cancel makes the "
    "one\n"
    "that was left behind take part in that again. FILE and its key are this installation: delete "
    "FILE\n"
    "when it has been imported.\n\n"
    "Without a key or a passphrase export makes a key and prints it: it is not kept anywhere "
    "else.\n\n"
    "  --move-key FILE         64 hex digits; else XMTP_MOVE_KEY\n"
    "  --passphrase-file FILE  its first line seals or opens instead of a key\n" CLI_CLIENT_HELP;

typedef struct move_command {
    const cli_options *options;
    const char *path;
    xmtp_client_options client;
    char database[4096];
    uint8_t key[CLI_KEY_LEN];
    bool is_key_new;
    xmtp_move_secret secret;
    bool has_told;
} move_command;

/* -1 to go on. */
static int find_secret(move_command *c, bool may_make)
{
    if (c->options->passphrase != NULL && c->options->move_key != NULL) {
        return cli_usage(c->options, "takes --move-key or --passphrase-file, not both");
    }
    if (c->options->passphrase != NULL) {
        c->secret.passphrase = c->options->passphrase;
        return -1;
    }
    const cli_key_source source = {.option = "--move-key, --passphrase-file",
                                   .file = c->options->move_key,
                                   .variable = "XMTP_MOVE_KEY",
                                   .may_make = may_make};
    c->secret.key = c->key;
    return cli_find_key(c->options, &source, c->key, &c->is_key_new);
}

static xmtp_status tell(void *context, uint64_t done, uint64_t total)
{
    move_command *c = context;
    if (isatty(STDERR_FILENO) && total > 0) {
        c->has_told = true;
        fprintf(stderr, "\r%3" PRIu64 " %%", done * 100 / total);
    }
    return XMTP_OK;
}

static void end_progress(const move_command *c)
{
    if (c->has_told) {
        fprintf(stderr, "\r      \r");
    }
}

static void print_export(const move_command *c)
{
    char hex[2 * CLI_KEY_LEN + 1] = "";
    if (c->is_key_new) {
        cli_hex(hex, c->key, sizeof c->key);
    }
    if (c->options->json) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "file", c->path);
        if (c->is_key_new) {
            cJSON_AddStringToObject(object, "key", hex);
        }
        cli_print_json(object);
    } else {
        printf("exported: this installation does not open here any more\n");
        if (c->is_key_new) {
            printf("key (keep it, it is shown once): %s\n", hex);
        }
    }
    xmtp_wipe(hex, sizeof hex);
}

static int run_export(move_command *c)
{
    xmtp_error error = {0};
    const xmtp_move_progress progress = {.context = c, .tell = tell};
    int code = find_secret(c, true);
    if (code != -1) {
        return code;
    }
    xmtp_status status = xmtp_move_export(&c->client, c->path, &c->secret, &progress, &error);
    end_progress(c);
    if (status != XMTP_OK) {
        return cli_fail(c->options, &error, status);
    }
    print_export(c);
    return CLI_OK;
}

/* Opening claims its place. */
static int open_once(move_command *c)
{
    xmtp_client *client = cli_open(c->options);
    if (client == NULL) {
        return CLI_FAILED;
    }
    cli_print_field(c->options, "installation", xmtp_client_installation_id(client));
    xmtp_client_close(client);
    return CLI_OK;
}

static int run_import(move_command *c)
{
    xmtp_error error = {0};
    const xmtp_move_progress progress = {.context = c, .tell = tell};
    int code = find_secret(c, false);
    if (code != -1) {
        return code;
    }
    xmtp_status status = xmtp_move_import(&c->client, c->path, &c->secret, &progress, &error);
    end_progress(c);
    return status == XMTP_OK ? open_once(c) : cli_fail(c->options, &error, status);
}

static int run_cancel(move_command *c)
{
    xmtp_error error = {0};
    xmtp_status status = xmtp_move_cancel(&c->client, &error);
    return status == XMTP_OK ? open_once(c) : cli_fail(c->options, &error, status);
}

static int run(move_command *c)
{
    static const struct {
        const char *name;
        int (*run)(move_command *c);
        int rest_count;
    } verbs[] = {{"export", run_export, 2}, {"import", run_import, 2}, {"cancel", run_cancel, 1}};
    const cli_options *options = c->options;
    for (size_t i = 0; options->rest_count > 0 && i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(options->rest[0], verbs[i].name) != 0 ||
            options->rest_count != verbs[i].rest_count) {
            continue;
        }
        if (options->key == NULL) {
            return cli_usage(options, "needs the inbox's key: --key-file or WALLET_PRIVATE_KEY");
        }
        c->path = options->rest_count > 1 ? options->rest[1] : NULL;
        return verbs[i].run(c);
    }
    return cli_usage(options, "takes export or import with a file, or cancel");
}

int cmd_move(int argc, char **argv)
{
    cli_options options;
    int code = cli_parse(&options, argc, argv, help);
    if (code != -1) {
        return code;
    }
    move_command c = {.options = &options};
    c.client = cli_client_options(&options, c.database, sizeof c.database);
    code = run(&c);
    xmtp_wipe(c.key, sizeof c.key);
    cli_options_free(&options);
    return code;
}
