/* cmd_group_settings.c - `xmtp group set|show|admin|permission|disappear`: what members agree on. */
#include "base/status.h"
#include "cli/filters.h"
#include "cli/group.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- words of the command line */

typedef struct word {
    const char *text;
    int value;
} word;

static const word fields[] = {
    {"name", XMTP_FIELD_NAME},
    {"description", XMTP_FIELD_DESCRIPTION},
    {"image-url", XMTP_FIELD_IMAGE_URL},
    {"app-data", XMTP_FIELD_APP_DATA},
    {"minimum-version", XMTP_FIELD_MINIMUM_VERSION},
    {"disappear-from", XMTP_FIELD_DISAPPEAR_FROM},
    {"disappearing", XMTP_FIELD_DISAPPEAR_IN},
    {NULL, 0},
};
static const word admin_changes[] = {
    {"add", XMTP_ADMIN_ADD},
    {"remove", XMTP_ADMIN_REMOVE},
    {"add-super", XMTP_SUPER_ADMIN_ADD},
    {"remove-super", XMTP_SUPER_ADMIN_REMOVE},
    {NULL, 0},
};
static const word permissions[] = {
    {"add-member", XMTP_PERMISSION_ADD_MEMBER},
    {"remove-member", XMTP_PERMISSION_REMOVE_MEMBER},
    {"add-admin", XMTP_PERMISSION_ADD_ADMIN},
    {"remove-admin", XMTP_PERMISSION_REMOVE_ADMIN},
    {NULL, 0},
};
static const word policies[] = {
    {"none", XMTP_POLICY_NONE},
    {"allow", XMTP_POLICY_ALLOW},
    {"deny", XMTP_POLICY_DENY},
    {"admin", XMTP_POLICY_ADMIN},
    {"other", XMTP_POLICY_OTHER},
    {"super-admin", XMTP_POLICY_SUPER_ADMIN},
    {NULL, 0},
};
static const word presets[] = {
    {"all-members", XMTP_POLICIES_DEFAULT},
    {"admin-only", XMTP_POLICIES_ADMIN_ONLY},
    {"custom", XMTP_POLICIES_CUSTOM},
    {NULL, 0},
};

static const word states[] = {
    {"allowed", XMTP_MEMBERSHIP_ALLOWED},
    {"rejected", XMTP_MEMBERSHIP_REJECTED},
    {"pending", XMTP_MEMBERSHIP_PENDING},
    {"restored", XMTP_MEMBERSHIP_RESTORED},
    {"pending-remove", XMTP_MEMBERSHIP_PENDING_REMOVE},
    {NULL, 0},
};

static bool find_word(const word *words, const char *text, int *value)
{
    for (; words->text != NULL; words++) {
        if (strcmp(words->text, text) == 0) {
            *value = words->value;
            return true;
        }
    }
    return false;
}

static const char *word_of(const word *words, int value)
{
    while (words->text != NULL && words->value != value) {
        words++;
    }
    return words->text == NULL ? "?" : words->text;
}

static xmtp_status take_word(group_command *c, const word *words, const char *text, int *value)
{
    if (find_word(words, text, value)) {
        return XMTP_OK;
    }
    return xmtp_fail(c->error, XMTP_E_ARGUMENT, "%.60s is none of the words known here, see --help",
                     text);
}

bool group_preset(const char *text, xmtp_policy_preset *out)
{
    int value = 0;
    bool is_known = find_word(presets, text, &value) && value != XMTP_POLICIES_CUSTOM;
    *out = (xmtp_policy_preset)value;
    return is_known;
}

const char *group_state_word(xmtp_membership_state state)
{
    return word_of(states, (int)state);
}

/* ---- changes */

xmtp_status group_leave(group_command *c)
{
    XMTP_TRY(xmtp_client_leave(c->client, &c->group, c->error));
    group_print_id(c, &c->group);
    return XMTP_OK;
}

/* Sets it when told what to, and prints what it is. */
xmtp_status group_consent(group_command *c)
{
    xmtp_consent_state state;
    xmtp_conversation conversation;
    if (c->argument_count == 1) {
        XMTP_TRY(cli_take_consent(c->arguments[0], &state, c->error));
        XMTP_TRY(xmtp_client_set_conversation_consent(c->client, &c->group, state, c->error));
    }
    XMTP_TRY(xmtp_client_conversation(c->client, &c->group, &conversation, c->error));
    if (!c->options->json) {
        printf("%s\n", cli_consent_word(conversation.consent));
        return XMTP_OK;
    }
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "consent", cli_consent_word(conversation.consent));
    cli_print_json(object);
    return XMTP_OK;
}

xmtp_status group_set(group_command *c)
{
    int field = 0;
    XMTP_TRY(take_word(c, fields, c->arguments[0], &field));
    XMTP_TRY(xmtp_client_group_set(c->client, &c->group, (xmtp_group_field)field, c->arguments[1],
                                   c->error));
    group_print_id(c, &c->group);
    return XMTP_OK;
}

xmtp_status group_admin(group_command *c)
{
    int change = 0;
    XMTP_TRY(take_word(c, admin_changes, c->arguments[0], &change));
    XMTP_TRY(xmtp_client_group_change_admins(c->client, &c->group, (xmtp_admin_change)change,
                                             c->arguments[1], c->error));
    group_print_id(c, &c->group);
    return XMTP_OK;
}

/* A permission is named after an action, or after a field of the metadata. */
xmtp_status group_permission(group_command *c)
{
    int what = 0;
    int field = 0;
    int policy = 0;
    if (!find_word(permissions, c->arguments[0], &what)) {
        what = XMTP_PERMISSION_UPDATE_METADATA;
        XMTP_TRY(take_word(c, fields, c->arguments[0], &field));
    }
    XMTP_TRY(take_word(c, policies, c->arguments[1], &policy));
    XMTP_TRY(xmtp_client_group_set_permission(c->client, &c->group, (xmtp_permission)what,
                                              (xmtp_group_field)field, (xmtp_policy)policy,
                                              c->error));
    group_print_id(c, &c->group);
    return XMTP_OK;
}

static xmtp_status take_number(group_command *c, const char *text, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-') {
        return xmtp_fail(c->error, XMTP_E_ARGUMENT, "%.40s is no number of nanoseconds", text);
    }
    return XMTP_OK;
}

/* `off`, or from and in, both in nanoseconds. */
xmtp_status group_disappear(group_command *c)
{
    uint64_t from_ns = 0;
    uint64_t in_ns = 0;
    if (c->argument_count == 2) {
        XMTP_TRY(take_number(c, c->arguments[0], &from_ns));
        XMTP_TRY(take_number(c, c->arguments[1], &in_ns));
    } else if (strcmp(c->arguments[0], "off") != 0) {
        return xmtp_fail(c->error, XMTP_E_ARGUMENT, "takes off, or FROM_NS and IN_NS");
    }
    XMTP_TRY(xmtp_client_set_disappearing(c->client, &c->group, from_ns, in_ns, c->error));
    group_print_id(c, &c->group);
    return XMTP_OK;
}

/* ---- show */

static void add_policies(cJSON *object, const xmtp_policy_set *set)
{
    const struct {
        const char *name;
        xmtp_policy policy;
    } all[] = {
        {"add_member", set->add_member},
        {"remove_member", set->remove_member},
        {"add_admin", set->add_admin},
        {"remove_admin", set->remove_admin},
        {"name", set->name},
        {"description", set->description},
        {"image_url", set->image_url},
        {"app_data", set->app_data},
        {"disappearing", set->disappearing},
        {"minimum_version", set->minimum_version},
        {"update_permissions", set->update_permissions},
    };
    cJSON *policies_object = cJSON_AddObjectToObject(object, "policies");
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        cJSON_AddStringToObject(policies_object, all[i].name,
                                word_of(policies, (int)all[i].policy));
    }
}

static void add_inboxes(cJSON *object, const char *name, const char *const *inboxes, size_t count)
{
    cJSON *list = cJSON_AddArrayToObject(object, name);
    for (size_t i = 0; i < count; i++) {
        cJSON_AddItemToArray(list, cJSON_CreateString(inboxes[i]));
    }
}

static void print_json(const group_command *c, const xmtp_conversation_details *d)
{
    char hex[2 * XMTP_GROUP_ID_MAX + 1];
    group_id_hex(&c->group, hex);
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "id", hex);
    cJSON_AddStringToObject(object, "creator", d->creator_inbox);
    cJSON_AddStringToObject(object, "name", d->name);
    cJSON_AddStringToObject(object, "description", d->description);
    cJSON_AddStringToObject(object, "image_url", d->image_url);
    cJSON_AddStringToObject(object, "app_data", d->app_data);
    cJSON_AddStringToObject(object, "minimum_version", d->minimum_version);
    cJSON_AddBoolToObject(object, "disappearing", d->is_disappearing);
    cli_add_u64(object, "disappear_from_ns", d->disappear_from_ns);
    cli_add_u64(object, "disappear_in_ns", d->disappear_in_ns);
    add_inboxes(object, "admins", d->admins, d->admin_count);
    add_inboxes(object, "super_admins", d->super_admins, d->super_admin_count);
    cJSON_AddStringToObject(object, "preset", word_of(presets, (int)d->preset));
    add_policies(object, &d->policies);
    cli_print_json(object);
}

static void print_text(const xmtp_conversation_details *d)
{
    printf("name            %s\ndescription     %s\nimage           %s\napp data        %s\n",
           d->name, d->description, d->image_url, d->app_data);
    printf("minimum version %s\ncreator         %s\n",
           d->minimum_version[0] == '\0' ? "(none)" : d->minimum_version, d->creator_inbox);
    if (d->is_disappearing) {
        printf("disappearing    after %" PRIu64 " ns\n", d->disappear_in_ns);
    }
    for (size_t i = 0; i < d->super_admin_count; i++) {
        printf("super admin     %s\n", d->super_admins[i]);
    }
    for (size_t i = 0; i < d->admin_count; i++) {
        printf("admin           %s\n", d->admins[i]);
    }
    printf("policies        %s\n", word_of(presets, (int)d->preset));
}

xmtp_status group_show(group_command *c)
{
    xmtp_conversation_details details;
    XMTP_TRY(xmtp_client_conversation_details(c->client, &c->group, &details, c->error));
    if (c->options->json) {
        print_json(c, &details);
    } else {
        print_text(&details);
    }
    return XMTP_OK;
}
