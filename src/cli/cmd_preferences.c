/* cmd_preferences.c - `xmtp preferences get-consent|set-consent|list`: whom the inbox wants to hear from. */
#include "base/status.h"
#include "cli/filters.h"

#include <xmtp/identity.h>

#include <stdio.h>
#include <string.h>

static const char help[] = "usage: xmtp preferences get-consent ENTITY\n"
                           "       xmtp preferences set-consent ENTITY allowed|denied|unknown\n"
                           "       xmtp preferences list        everything that was decided\n\n"
                           "ENTITY is an address (0x...), an inbox id (64 hex digits) or the id of "
                           "a conversation (32 hex\n"
                           "digits).\n\n" CLI_CLIENT_HELP;

enum { INBOX_HEX = 64, CONVERSATION_HEX = 32 };

typedef struct preferences_command {
    const cli_options *options;
    xmtp_client *client;
    xmtp_error *error;
} preferences_command;

static xmtp_status print_consent(void *context, const xmtp_consent *record)
{
    const cli_options *options = context;
    const char *type = record->entity_type == XMTP_CONSENT_INBOX ? "inbox" : "conversation";
    if (!options->json) {
        printf("%-12s  %s  %s\n", type, record->entity, cli_consent_word(record->state));
        return XMTP_OK;
    }
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "entity_type", type);
    cJSON_AddStringToObject(object, "entity", record->entity);
    cJSON_AddStringToObject(object, "consent", cli_consent_word(record->state));
    cli_print_json(object);
    return XMTP_OK;
}

/* Of addresses the inbox is asked for; entity has room for INBOX_HEX + 1. */
static xmtp_status find_entity(const preferences_command *c, const char *name, char *entity,
                               xmtp_consent *out)
{
    const char *found = name;
    bool is_conversation = strlen(name) == CONVERSATION_HEX;
    if (!is_conversation && strlen(name) != INBOX_HEX) {
        XMTP_TRY(xmtp_client_find_inbox(c->client, XMTP_ACCOUNT_WALLET, name, &found, c->error));
    }
    (void)snprintf(entity, INBOX_HEX + 1, "%s", found);
    *out = (xmtp_consent){.entity_type =
                              is_conversation ? XMTP_CONSENT_CONVERSATION : XMTP_CONSENT_INBOX,
                          .entity = entity};
    return XMTP_OK;
}

static xmtp_status get_consent(preferences_command *c)
{
    char entity[INBOX_HEX + 1];
    xmtp_consent record;
    XMTP_TRY(find_entity(c, c->options->rest[1], entity, &record));
    XMTP_TRY(xmtp_client_consent(c->client, record.entity_type, entity, &record.state, c->error));
    return print_consent((void *)(uintptr_t)c->options, &record);
}

static xmtp_status set_consent(preferences_command *c)
{
    char entity[INBOX_HEX + 1];
    xmtp_consent record;
    xmtp_consent_state state;
    XMTP_TRY(cli_take_consent(c->options->rest[2], &state, c->error));
    XMTP_TRY(find_entity(c, c->options->rest[1], entity, &record));
    record.state = state;
    XMTP_TRY(xmtp_client_set_consent(c->client, &record, 1, c->error));
    return print_consent((void *)(uintptr_t)c->options, &record);
}

static xmtp_status list(preferences_command *c)
{
    return xmtp_client_consents(c->client, print_consent, (void *)(uintptr_t)c->options, c->error);
}

static const struct action {
    const char *name;
    int arguments;
    xmtp_status (*run)(preferences_command *c);
} actions[] = {
    {"get-consent", 1, get_consent},
    {"set-consent", 2, set_consent},
    {"list", 0, list},
};

static const struct action *find_action(const cli_options *options)
{
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (options->rest_count == actions[i].arguments + 1 &&
            strcmp(options->rest[0], actions[i].name) == 0) {
            return &actions[i];
        }
    }
    return NULL;
}

static int run(const cli_options *options, const struct action *action)
{
    xmtp_error error = {0};
    preferences_command c = {.options = options, .error = &error};
    if (action == NULL) {
        return cli_usage(options, "takes one of the words above, with what follows it");
    }
    c.client = cli_open(options);
    if (c.client == NULL) {
        return CLI_FAILED;
    }
    xmtp_status status = action->run(&c);
    int code = status == XMTP_OK ? CLI_OK : cli_fail(options, &error, status);
    xmtp_client_close(c.client);
    return code;
}

int cmd_preferences(int argc, char **argv)
{
    cli_options options;
    int code = cli_parse(&options, argc, argv, help);
    if (code != -1) {
        return code;
    }
    code = run(&options, find_action(&options));
    cli_options_free(&options);
    return code;
}
