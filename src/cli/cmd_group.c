/* cmd_group.c - `xmtp group`: the table of its actions, and those about who is in a group. */
#include "base/status.h"
#include "cli/filters.h"
#include "cli/group.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "usage: xmtp group create [MEMBER ...]   prints the id of the new group\n"
    "       xmtp group add|remove GROUP MEMBER ...\n"
    "       xmtp group rename GROUP NAME\n"
    "       xmtp group set GROUP name|description|image-url|app-data|minimum-version VALUE\n"
    "       xmtp group admin GROUP add|remove|add-super|remove-super MEMBER\n"
    "       xmtp group permission GROUP WHAT allow|deny|admin|super-admin\n"
    "           WHAT: add-member, remove-member, add-admin, remove-admin, or a field: name,\n"
    "           description, image-url, app-data, disappear-from, disappearing, minimum-version\n"
    "       xmtp group disappear GROUP off | FROM_NS IN_NS\n"
    "       xmtp group leave GROUP       asks to be removed; a super admin's client does it\n"
    "       xmtp group consent GROUP [allowed|denied|unknown]\n"
    "       xmtp group show GROUP        what its members have agreed on\n"
    "       xmtp group members|duplicates|sync|publish GROUP\n"
    "       xmtp group messages GROUP [which, --enriched: with reactions, deletions, changes]\n"
    "       xmtp group count-messages GROUP [which]\n"
    "       xmtp group debug GROUP       epoch, cursors, and whether the log of commits agrees\n"
    "       xmtp group hmac-keys GROUP, xmtp group topics     for a push server\n"
    "       xmtp group list [which]\n\n"
    "MEMBER is an address (0x...) or an inbox id; GROUP is an id that create or list printed.\n\n"
    "  --name, --description, --image-url, --app-data TEXT       of a new group\n"
    "  --permissions all-members|admin-only                      of a new "
    "group\n\n" CLI_MESSAGE_FILTER_HELP "\n" CLI_CONVERSATION_FILTER_HELP "\n" CLI_CLIENT_HELP;

void group_id_hex(const xmtp_conversation_id *id, char out[2 * XMTP_GROUP_ID_MAX + 1])
{
    cli_hex(out, id->p, id->n);
}

void group_print_id(const group_command *c, const xmtp_conversation_id *id)
{
    char hex[2 * XMTP_GROUP_ID_MAX + 1];
    group_id_hex(id, hex);
    if (!c->options->json) {
        printf("%s\n", hex);
        return;
    }
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "id", hex);
    cli_print_json(object);
}

static xmtp_status group_create(group_command *c)
{
    xmtp_group_options options = {
        .name = c->options->name,
        .description = c->options->description,
        .image_url = c->options->image_url,
        .app_data = c->options->app_data,
    };
    if (c->options->permissions != NULL &&
        !group_preset(c->options->permissions, &options.preset)) {
        return xmtp_fail(c->error, XMTP_E_ARGUMENT,
                         "--permissions takes all-members or admin-only");
    }
    XMTP_TRY(xmtp_client_group_create_with(c->client, &options, c->arguments, c->argument_count,
                                           &c->group, c->error));
    group_print_id(c, &c->group);
    return XMTP_OK;
}

static xmtp_status group_add(group_command *c)
{
    XMTP_TRY(
        xmtp_client_group_add(c->client, &c->group, c->arguments, c->argument_count, c->error));
    group_print_id(c, &c->group);
    return XMTP_OK;
}

static xmtp_status group_remove(group_command *c)
{
    XMTP_TRY(
        xmtp_client_group_remove(c->client, &c->group, c->arguments, c->argument_count, c->error));
    group_print_id(c, &c->group);
    return XMTP_OK;
}

static xmtp_status group_rename(group_command *c)
{
    XMTP_TRY(xmtp_client_group_rename(c->client, &c->group, c->arguments[0], c->error));
    group_print_id(c, &c->group);
    return XMTP_OK;
}

static const char *role(const xmtp_member *member)
{
    return member->is_super_admin ? "super_admin" : member->is_admin ? "admin" : "member";
}

static xmtp_status print_member(void *context, const xmtp_member *member)
{
    (void)context;
    printf("%s  %s  %-11s  %" PRIu32 " installation%s\n", member->inbox_id,
           member->address[0] == '\0' ? "(no address)" : member->address, role(member),
           member->installation_count, member->installation_count == 1 ? "" : "s");
    return XMTP_OK;
}

static xmtp_status add_member_json(void *context, const xmtp_member *member)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "inbox", member->inbox_id);
    cJSON_AddStringToObject(object, "address", member->address);
    cJSON_AddStringToObject(object, "role", role(member));
    cJSON_AddNumberToObject(object, "installations", member->installation_count);
    cJSON_AddItemToArray(context, object);
    return XMTP_OK;
}

static cJSON *conversation_json(const xmtp_conversation *conversation)
{
    char hex[2 * XMTP_GROUP_ID_MAX + 1];
    group_id_hex(&conversation->id, hex);
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "id", hex);
    cJSON_AddStringToObject(object, "kind",
                            conversation->kind == XMTP_CONVERSATION_DM ? "dm" : "group");
    cJSON_AddStringToObject(object, "name", conversation->name);
    cJSON_AddStringToObject(object, "peer_inbox", conversation->peer_inbox);
    cJSON_AddBoolToObject(object, "active", conversation->is_active);
    cJSON_AddBoolToObject(object, "paused", conversation->is_paused);
    cJSON_AddNumberToObject(object, "epoch", (double)conversation->epoch);
    cJSON_AddNumberToObject(object, "member_count", conversation->member_count);
    cJSON_AddStringToObject(object, "added_by", conversation->added_by_inbox);
    cJSON_AddStringToObject(object, "state", group_state_word(conversation->state));
    cJSON_AddStringToObject(object, "consent", cli_consent_word(conversation->consent));
    return object;
}

static xmtp_status group_members(group_command *c)
{
    xmtp_conversation conversation;
    XMTP_TRY(xmtp_client_conversation(c->client, &c->group, &conversation, c->error));
    if (c->options->json) {
        cJSON *object = conversation_json(&conversation);
        cJSON *members = cJSON_AddArrayToObject(object, "members");
        xmtp_status status =
            xmtp_client_members(c->client, &c->group, add_member_json, members, c->error);
        cli_print_json(object);
        return status;
    }
    const char *standing = conversation.state == XMTP_MEMBERSHIP_RESTORED
                               ? "  (restored from an archive, to be read only)"
                               : "  (no longer a member)";
    printf("%s  epoch %" PRIu64 "%s\n",
           conversation.name[0] == '\0' ? "(no name)" : conversation.name, conversation.epoch,
           conversation.is_active ? "" : standing);
    return xmtp_client_members(c->client, &c->group, print_member, NULL, c->error);
}

static xmtp_status print_conversation(void *context, const xmtp_conversation *conversation)
{
    const group_command *c = context;
    if (c->options->json) {
        cli_print_json(conversation_json(conversation));
        return XMTP_OK;
    }
    char hex[2 * XMTP_GROUP_ID_MAX + 1];
    group_id_hex(&conversation->id, hex);
    printf("%s  %-5s  %s\n", hex, conversation->kind == XMTP_CONVERSATION_DM ? "dm" : "group",
           conversation->kind == XMTP_CONVERSATION_DM ? conversation->peer_inbox
                                                      : conversation->name);
    return XMTP_OK;
}

static xmtp_status group_list(group_command *c)
{
    xmtp_conversation_query query;
    XMTP_TRY(cli_conversation_query_of(&c->options->filters, &query, c->error));
    return xmtp_client_conversations_where(c->client, &query, print_conversation, c, c->error);
}

static const struct action {
    const char *name;
    xmtp_status (*run)(group_command *c);
    bool takes_group;
    int arguments_min; /* after the group */
    int arguments_max;
} actions[] = {
    {"create", group_create, false, 0, XMTP_GROUP_MEMBERS_MAX},
    {"add", group_add, true, 1, XMTP_GROUP_MEMBERS_MAX},
    {"remove", group_remove, true, 1, XMTP_GROUP_MEMBERS_MAX},
    {"rename", group_rename, true, 1, 1},
    {"set", group_set, true, 2, 2},
    {"admin", group_admin, true, 2, 2},
    {"permission", group_permission, true, 2, 2},
    {"disappear", group_disappear, true, 1, 2},
    {"leave", group_leave, true, 0, 0},
    {"consent", group_consent, true, 0, 1},
    {"debug", group_debug, true, 0, 0},
    {"sync", group_sync, true, 0, 0},
    {"publish", group_publish, true, 0, 0},
    {"hmac-keys", group_hmac_keys, true, 0, 0},
    {"topics", group_topics, false, 0, 0},
    {"messages", group_messages, true, 0, 0},
    {"count-messages", group_count_messages, true, 0, 0},
    {"duplicates", group_duplicates, true, 0, 0},
    {"show", group_show, true, 0, 0},
    {"members", group_members, true, 0, 0},
    {"list", group_list, false, 0, 0},
};

static const struct action *find_action(const cli_options *options)
{
    for (size_t i = 0; options->rest_count > 0 && i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(options->rest[0], actions[i].name) == 0) {
            return &actions[i];
        }
    }
    return NULL;
}

/* Points c at the arguments; -1 to go on. */
static int check_arguments(group_command *c, const struct action *action)
{
    const cli_options *options = c->options;
    int used = action->takes_group ? 2 : 1;
    int left = options->rest_count - used;
    if (left < action->arguments_min || left > action->arguments_max) {
        return cli_usage(options, "wrong number of arguments");
    }
    if (action->takes_group && !cli_conversation_id(options->rest[1], &c->group)) {
        return cli_usage(options, "GROUP is an id of 32 hex digits, as create or list print it");
    }
    c->arguments = (const char *const *)options->rest + used;
    c->argument_count = (size_t)left;
    return -1;
}

static int run_action(group_command *c, const struct action *action)
{
    int code = check_arguments(c, action);
    if (code != -1) {
        return code;
    }
    c->client = cli_open(c->options);
    if (c->client == NULL) {
        return CLI_FAILED;
    }
    xmtp_status status = xmtp_client_sync(c->client, c->error);
    if (status == XMTP_OK) {
        status = action->run(c);
    }
    code = status == XMTP_OK ? CLI_OK : cli_fail(c->options, c->error, status);
    xmtp_client_close(c->client);
    return code;
}

int cmd_group(int argc, char **argv)
{
    cli_options options;
    xmtp_error error = {0};
    int code = cli_parse(&options, argc, argv, help);
    if (code != -1) {
        return code;
    }
    group_command command = {.options = &options, .error = &error};
    const struct action *action = find_action(&options);
    code = action == NULL ? cli_usage(&options, "takes one of the words above")
                          : run_action(&command, action);
    cli_options_free(&options);
    return code;
}
