/* cmd_client.c - `xmtp client ACTION`: accounts, installations and signatures of the inbox.
 *
 * What only asks the network or computes opens no inbox of its own, so that asking registers nobody.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "cli/cli.h"

#include <xmtp/identity.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: xmtp client inbox-id ADDRESS\n"
    "       xmtp client inbox-state [ADDRESS|INBOX]   accounts and installations, ours without "
    "one\n"
    "       xmtp client key-package-status ADDRESS|INSTALLATION ...   who can be invited\n"
    "       xmtp client sign TEXT                     with the key of this installation\n"
    "       xmtp client verify-signature TEXT SIGNATURE INSTALLATION\n"
    "       xmtp client add-account --account-key-file FILE [--force]\n"
    "       xmtp client remove-account ADDRESS\n"
    "       xmtp client change-recovery-identifier ADDRESS\n"
    "       xmtp client revoke-installations INSTALLATION ...\n"
    "       xmtp client revoke-all-other-installations\n\n"
    "INSTALLATION and INBOX are 64 hex digits, SIGNATURE 128. The last four are signed with the "
    "key of\n"
    "the recovery identifier, which is the first wallet unless it was changed. They are done at\n"
    "once, and each is one of the 256 updates that an inbox has.\n\n"
    "  --account-key-file FILE    private key in hex of the account to be added\n"
    "  --force                    take the account from the inbox that it belongs "
    "to\n" CLI_CLIENT_HELP;

enum { HEX_32 = 64, KEY_PACKAGES_MAX = 64 };

typedef struct client_command {
    const cli_options *options;
    xmtp_client *client;
    const char *const *arguments;
    size_t count;
    xmtp_account_signer recovery;
    xmtp_error *error;
} client_command;

static xmtp_status print_state(client_command *c, const char *inbox_id)
{
    xmtp_inbox_state state;
    XMTP_TRY(xmtp_client_inbox_state(c->client, inbox_id, true, &state, c->error));
    cli_print_inbox(c->options, &state);
    return XMTP_OK;
}

/* ---- asking */

static xmtp_status find_inbox(client_command *c, const char *name, char out[HEX_32 + 1])
{
    const char *found = name;
    if (strlen(name) != HEX_32) {
        XMTP_TRY(xmtp_client_find_inbox(c->client, XMTP_ACCOUNT_WALLET, name, &found, c->error));
    }
    (void)snprintf(out, HEX_32 + 1, "%s", found);
    return XMTP_OK;
}

static xmtp_status inbox_id(client_command *c)
{
    char id[HEX_32 + 1];
    XMTP_TRY(find_inbox(c, c->arguments[0], id));
    cli_print_field(c->options, "inbox", id);
    return XMTP_OK;
}

static xmtp_status inbox_state(client_command *c)
{
    char id[HEX_32 + 1];
    XMTP_TRY(find_inbox(c, c->arguments[0], id));
    return print_state(c, id);
}

static xmtp_status own_state(client_command *c)
{
    return print_state(c, NULL);
}

static void print_key_package(const client_command *c, const xmtp_key_package_status *p)
{
    const char *word = p->status == XMTP_OK ? "valid" : xmtp_status_text(p->status);
    if (!c->options->json) {
        printf("%s  %s\n", p->installation_id, word);
        return;
    }
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "installation", p->installation_id);
    cJSON_AddBoolToObject(object, "valid", p->status == XMTP_OK);
    cJSON_AddStringToObject(object, "status", word);
    cli_add_u64(object, "not_before", p->not_before);
    cli_add_u64(object, "not_after", p->not_after);
    cli_print_json(object);
}

static xmtp_status print_key_packages(client_command *c, const char *const *ids, size_t count)
{
    xmtp_key_package_status found[KEY_PACKAGES_MAX];
    if (count > KEY_PACKAGES_MAX) {
        return xmtp_fail(c->error, XMTP_E_LIMIT, "%zu installations, at most %d at once", count,
                         KEY_PACKAGES_MAX);
    }
    XMTP_TRY(xmtp_client_key_packages(c->client, ids, count, found, c->error));
    for (size_t i = 0; i < count; i++) {
        print_key_package(c, &found[i]);
    }
    return XMTP_OK;
}

/* Of everybody who is named by an address. */
static xmtp_status key_packages_of(client_command *c, const char *address)
{
    char id[HEX_32 + 1];
    char copies[KEY_PACKAGES_MAX][HEX_32 + 1];
    const char *ids[KEY_PACKAGES_MAX];
    xmtp_inbox_state state;
    XMTP_TRY(find_inbox(c, address, id));
    XMTP_TRY(xmtp_client_inbox_state(c->client, id, true, &state, c->error));
    size_t count = state.installation_count;
    for (size_t i = 0; i < count && i < KEY_PACKAGES_MAX; i++) {
        (void)snprintf(copies[i], sizeof copies[i], "%s", state.installations[i].id);
        ids[i] = copies[i];
    }
    return print_key_packages(c, ids, count);
}

static xmtp_status key_package_status(client_command *c)
{
    for (size_t i = 0; i < c->count; i++) {
        bool is_installation = strlen(c->arguments[i]) == HEX_32;
        XMTP_TRY(is_installation ? print_key_packages(c, &c->arguments[i], 1)
                                 : key_packages_of(c, c->arguments[i]));
    }
    return XMTP_OK;
}

/* ---- signatures */

static xmtp_status sign(client_command *c)
{
    uint8_t signature[XMTP_SIGNATURE_BYTES];
    char hex[2 * XMTP_SIGNATURE_BYTES + 1];
    XMTP_TRY(xmtp_client_sign(c->client, c->arguments[0], signature, c->error));
    cli_hex(hex, signature, sizeof signature);
    cli_print_field(c->options, "signature", hex);
    return XMTP_OK;
}

static bool bytes_of(const char *hex, uint8_t *out, size_t n)
{
    return strlen(hex) == 2 * n && xmtp_hex_decode(out, n, hex, 2 * n) == XMTP_OK;
}

static xmtp_status verify_signature(client_command *c)
{
    uint8_t signature[XMTP_SIGNATURE_BYTES];
    uint8_t key[XMTP_PUBLIC_KEY_BYTES];
    if (!bytes_of(c->arguments[1], signature, sizeof signature) ||
        !bytes_of(c->arguments[2], key, sizeof key)) {
        return xmtp_fail(c->error, XMTP_E_ARGUMENT,
                         "a signature has 128 hex digits, an installation 64");
    }
    xmtp_status status = xmtp_verify_signed(key, c->arguments[0], signature);
    if (status != XMTP_OK) {
        return xmtp_fail(c->error, status, "this installation has not signed this text");
    }
    cli_print_field(c->options, "signed_by", c->arguments[2]);
    return XMTP_OK;
}

/* ---- changing */

static xmtp_status add_account(client_command *c)
{
    const xmtp_account_signer account = {.kind = XMTP_ACCOUNT_WALLET,
                                         .private_key = c->options->account_key};
    if (c->options->account_key == NULL) {
        return xmtp_fail(c->error, XMTP_E_ARGUMENT, "--account-key-file names the account's key");
    }
    XMTP_TRY(xmtp_client_add_account(c->client, &account, c->options->force, c->error));
    return print_state(c, NULL);
}

static xmtp_status remove_account(client_command *c)
{
    XMTP_TRY(xmtp_client_remove_account(c->client, &c->recovery, XMTP_ACCOUNT_WALLET,
                                        c->arguments[0], c->error));
    return print_state(c, NULL);
}

static xmtp_status change_recovery(client_command *c)
{
    XMTP_TRY(xmtp_client_change_recovery(c->client, &c->recovery, XMTP_ACCOUNT_WALLET,
                                         c->arguments[0], c->error));
    return print_state(c, NULL);
}

static xmtp_status revoke(client_command *c)
{
    XMTP_TRY(xmtp_client_revoke_installations(c->client, &c->recovery, c->arguments, c->count,
                                              c->error));
    return print_state(c, NULL);
}

static xmtp_status revoke_others(client_command *c)
{
    XMTP_TRY(xmtp_client_revoke_other_installations(c->client, &c->recovery, NULL, c->error));
    return print_state(c, NULL);
}

/* ---- the table */

typedef enum opens { OPENS_NOTHING, OPENS_OBSERVER, OPENS_INBOX } opens;

static const struct action {
    const char *name;
    xmtp_status (*run)(client_command *c);
    int arguments_min;
    int arguments_max;
    opens opens;
} actions[] = {
    {"inbox-id", inbox_id, 1, 1, OPENS_OBSERVER},
    {"inbox-state", own_state, 0, 0, OPENS_INBOX},
    {"inbox-state", inbox_state, 1, 1, OPENS_OBSERVER},
    {"key-package-status", key_package_status, 1, 100, OPENS_OBSERVER},
    {"sign", sign, 1, 1, OPENS_INBOX},
    {"verify-signature", verify_signature, 3, 3, OPENS_NOTHING},
    {"add-account", add_account, 0, 0, OPENS_INBOX},
    {"remove-account", remove_account, 1, 1, OPENS_INBOX},
    {"change-recovery-identifier", change_recovery, 1, 1, OPENS_INBOX},
    {"revoke-installations", revoke, 1, 64, OPENS_INBOX},
    {"revoke-all-other-installations", revoke_others, 0, 0, OPENS_INBOX},
};

static const struct action *find_action(const cli_options *options)
{
    int count = options->rest_count - 1;
    for (size_t i = 0; count >= 0 && i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(options->rest[0], actions[i].name) == 0 && count >= actions[i].arguments_min &&
            count <= actions[i].arguments_max) {
            return &actions[i];
        }
    }
    return NULL;
}

static int run_opened(client_command *c, const struct action *action)
{
    xmtp_status status = action->run(c);
    int code = status == XMTP_OK ? CLI_OK : cli_fail(c->options, c->error, status);
    xmtp_client_close(c->client);
    return code;
}

static int run(client_command *c, const struct action *action)
{
    const xmtp_client_options observer = {.node_url = c->options->node_url,
                                          .node_authorities = c->options->node_authorities};
    if (action == NULL) {
        return cli_usage(c->options, "takes one of the words above, with what follows it");
    }
    if (action->opens == OPENS_INBOX) {
        if (c->options->key == NULL) {
            return cli_usage(c->options, "needs a key: --key-file or WALLET_PRIVATE_KEY");
        }
        c->client = cli_open(c->options);
        return c->client == NULL ? CLI_FAILED : run_opened(c, action);
    }
    if (action->opens == OPENS_OBSERVER) {
        xmtp_status status = xmtp_client_open_observer(&c->client, &observer, c->error);
        if (status != XMTP_OK) {
            return cli_fail(c->options, c->error, status);
        }
    }
    return run_opened(c, action);
}

int cmd_client(int argc, char **argv)
{
    cli_options options;
    xmtp_error error = {0};
    int code = cli_parse(&options, argc, argv, help);
    if (code != -1) {
        return code;
    }
    client_command c = {
        .options = &options,
        .arguments = (const char *const *)options.rest + 1,
        .count = options.rest_count > 0 ? (size_t)options.rest_count - 1 : 0,
        .recovery = {.kind = XMTP_ACCOUNT_WALLET, .private_key = options.key},
        .error = &error,
    };
    code = run(&c, find_action(&options));
    cli_options_free(&options);
    return code;
}
