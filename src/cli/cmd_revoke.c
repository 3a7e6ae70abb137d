/* cmd_revoke.c - `xmtp revoke INBOX [INSTALLATION ...]`: installations of an inbox, listed or ended. */
#include "cli/cli.h"

#include <xmtp/identity.h>

#include <stdio.h>
#include <string.h>

static const char help[] =
    "usage: xmtp revoke INBOX [INSTALLATION ...] [options]\n\n"
    "Ends installations (64 hex digits each) of an inbox, named by its id or by an address. The "
    "key\n"
    "has to be that of the recovery identifier, which is the first wallet unless it was changed. "
    "It\n"
    "works without an installation of one's own, so also when the inbox is full. Without\n"
    "INSTALLATION it lists them.\n\n" CLI_CLIENT_HELP;

static xmtp_status find_inbox(xmtp_client *client, const char *name, const char **out,
                              xmtp_error *error)
{
    *out = name;
    return strlen(name) == 64
               ? XMTP_OK
               : xmtp_client_find_inbox(client, XMTP_ACCOUNT_WALLET, name, out, error);
}

/* What is asked for, then what is left. */
static xmtp_status revoke(xmtp_client *client, const cli_options *options, xmtp_error *error)
{
    const xmtp_account_signer recovery = {.kind = XMTP_ACCOUNT_WALLET, .private_key = options->key};
    const char *found;
    char inbox_id[65];
    xmtp_inbox_state state;
    xmtp_status status = find_inbox(client, options->rest[0], &found, error);
    if (status == XMTP_OK) {
        (void)snprintf(inbox_id, sizeof(inbox_id), "%s", found);
        status = xmtp_client_revoke_of_inbox(client, inbox_id, &recovery,
                                             (const char *const *)options->rest + 1,
                                             (size_t)options->rest_count - 1, error);
    }
    if (status == XMTP_OK) {
        status = xmtp_client_inbox_state(client, inbox_id, true, &state, error);
    }
    if (status == XMTP_OK) {
        cli_print_inbox(options, &state);
    }
    return status;
}

int cmd_revoke(int argc, char **argv)
{
    cli_options options;
    xmtp_error error = {0};
    xmtp_client *client = NULL;
    int code = cli_parse(&options, argc, argv, help);
    if (code != -1) {
        return code;
    }
    if (options.rest_count < 1 || (options.rest_count > 1 && options.key == NULL)) {
        code = cli_usage(&options, options.rest_count < 1 ? "takes an inbox"
                                                          : "needs the key that may revoke");
        cli_options_free(&options);
        return code;
    }
    const xmtp_client_options observer = {.node_url = options.node_url,
                                          .node_authorities = options.node_authorities};
    xmtp_status status = xmtp_client_open_observer(&client, &observer, &error);
    if (status == XMTP_OK) {
        status = revoke(client, &options, &error);
    }
    code = status == XMTP_OK ? CLI_OK : cli_fail(&options, &error, status);
    xmtp_client_close(client);
    cli_options_free(&options);
    return code;
}
