/* cmd_inbox.c - `xmtp inbox [--follow]`. */
#include "base/bytes.h"
#include "base/status.h"
#include "cli/cli.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static const char help[] =
    "usage: xmtp inbox [--follow] [options]\n\n"
    "Fetches what is new and prints all messages, oldest first.\n\n"
    "  --follow          stay, and print messages as they come\n" CLI_CLIENT_HELP;

/* A message may come late with an older time than one that was printed already: look back this far.
 */
static const uint64_t LOOK_BACK_NS = UINT64_C(600) * 1000000000;

typedef struct printer {
    const cli_options *options;
    uint8_t (*printed)[XMTP_MESSAGE_ID_LEN]; /* ids, oldest first */
    size_t count;
    size_t capacity;
    uint64_t newest_ns;
} printer;

static xmtp_client *followed; /* for the signal handler */
static volatile sig_atomic_t is_stopped;

static void stop(int signal_number)
{
    (void)signal_number;
    is_stopped = 1;
    xmtp_client_wake(followed);
}

static bool was_printed(const printer *p, const uint8_t *id)
{
    for (size_t i = p->count; i > 0; i--) {
        if (memcmp(p->printed[i - 1], id, XMTP_MESSAGE_ID_LEN) == 0) {
            return true;
        }
    }
    return false;
}

static xmtp_status remember(printer *p, const uint8_t *id)
{
    if (p->count == p->capacity) {
        size_t capacity = p->capacity == 0 ? 256 : 2 * p->capacity;
        void *bigger = realloc(p->printed, capacity * sizeof p->printed[0]);
        XMTP_ENSURE(bigger != NULL, XMTP_E_NOMEM);
        p->printed = bigger;
        p->capacity = capacity;
    }
    memcpy(p->printed[p->count++], id, XMTP_MESSAGE_ID_LEN);
    return XMTP_OK;
}

static xmtp_status print_new(void *context, const xmtp_message *message)
{
    printer *p = context;
    if (p->options->follow) {
        if (was_printed(p, message->id)) {
            return XMTP_OK;
        }
        XMTP_TRY(remember(p, message->id));
    }
    p->newest_ns = message->sent_ns > p->newest_ns ? message->sent_ns : p->newest_ns;
    cli_print_message(p->options, message);
    return XMTP_OK;
}

static xmtp_status print_messages(xmtp_client *client, printer *p, xmtp_error *error)
{
    const xmtp_message_query query = {
        .after_ns = p->newest_ns > LOOK_BACK_NS ? p->newest_ns - LOOK_BACK_NS : 0};
    return xmtp_client_messages(client, &query, print_new, p, error);
}

static xmtp_status follow(xmtp_client *client, printer *p, xmtp_error *error)
{
    followed = client;
    (void)signal(SIGINT, stop);
    (void)signal(SIGTERM, stop);
    if (p->options->json) {
        cJSON *ready = cJSON_CreateObject();
        cJSON_AddBoolToObject(ready, "ready", true);
        cJSON_AddStringToObject(ready, "address", xmtp_client_address(client));
        cJSON_AddStringToObject(ready, "inbox", xmtp_client_inbox_id(client));
        cli_print_json(ready);
    }
    while (!is_stopped) {
        xmtp_status status = xmtp_client_poll(client, UINT64_MAX, error);
        if (status == XMTP_E_NETWORK || status == XMTP_E_RPC_UNAVAILABLE ||
            status == XMTP_E_UNTRUSTED || status == XMTP_E_TLS) {
            fprintf(stderr, "xmtp inbox: %s; trying again\n", error->text);
        } else if (status != XMTP_OK && status != XMTP_E_TIMEOUT) {
            return status;
        }
        XMTP_TRY(print_messages(client, p, error));
    }
    return XMTP_OK;
}

int cmd_inbox(int argc, char **argv)
{
    cli_options options;
    xmtp_error error = {0};
    int code = cli_parse(&options, argc, argv, help);
    if (code != -1) {
        return code;
    }
    if (options.rest_count != 0) {
        code = cli_usage(&options, "takes no arguments");
        cli_options_free(&options);
        return code;
    }
    xmtp_client *client = cli_open(&options);
    code = CLI_FAILED;
    if (client != NULL) {
        printer p = {.options = &options};
        xmtp_status status = xmtp_client_sync(client, &error);
        if (status == XMTP_OK) {
            status = print_messages(client, &p, &error);
        }
        if (status == XMTP_OK && options.follow) {
            status = follow(client, &p, &error);
        }
        code = status == XMTP_OK ? CLI_OK : cli_fail(&options, &error, status);
        free(p.printed);
    }
    xmtp_client_close(client);
    cli_options_free(&options);
    return code;
}
