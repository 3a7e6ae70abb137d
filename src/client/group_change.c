/* group_change.c - changes of a group that people ask for: members, texts, admins, permissions.
 *
 *     asked --> checked for what can be known at once --> intents --> rounds --> what became of it
 *
 * Whether the group's policies allow it is judged when the commit is built (publish.c), by the same
 * rules by which everybody will judge it.
 */
#include "client/group_create.h"
#include "client/round.h"

enum { INTENTS_MAX = 2 };

/* What is asked of a group. */
typedef struct change {
    xmtp_string_list add;
    xmtp_string_list remove;
    xmtp_intent_row intents[INTENTS_MAX]; /* kind and data; none: membership */
    size_t intent_count;
    bool is_for_dms_too;
    xmtp_writer data;
} change;

static xmtp_status queue_intents(group_work *work, change *what, xmtp_error *error)
{
    xmtp_client *client = work->client;
    XMTP_TRY(xmtp_begin(client, error));
    xmtp_status status = XMTP_OK;
    for (size_t i = 0; i < what->intent_count && status == XMTP_OK; i++) {
        what->intents[i].group_ref = work->row.ref;
        status = xmtp_intent_insert(client->db, &what->intents[i]);
        work->awaited = what->intents[i].id;
    }
    if (status != XMTP_OK) {
        xmtp_database_rollback(client->db);
        return xmtp_stored(client, status, error);
    }
    return xmtp_commit(client, error);
}

static xmtp_status change_group(group_work *work, change *what, xmtp_error *error)
{
    xmtp_client *client = work->client;
    XMTP_TRY(xmtp_check_usable(work, error));
    if (work->row.kind != XMTP_GROUP_KIND_GROUP && !what->is_for_dms_too) {
        return xmtp_fail(error, XMTP_E_PERMISSION,
                         "a DM has no members to change, no name and no admins");
    }
    XMTP_TRY(xmtp_check_people(client, &what->add, error));
    bool is_fresh = work->intents.count == 0;
    xmtp_status queued = what->intent_count > 0
                             ? queue_intents(work, what, error)
                             : xmtp_queue_members(client, work->row.ref, &what->add, &what->remove,
                                                  &work->awaited, error);
    XMTP_TRY(queued);
    XMTP_TRY(xmtp_work_reload(work, error));
    xmtp_status status = xmtp_work_rounds(work, is_fresh, error);
    status = xmtp_work_result(work, status, error);
    xmtp_states_trim(client, XMTP_STATE_CACHE_MAX);
    return status;
}

static xmtp_status change_by_id(xmtp_client *client, const xmtp_conversation_id *id, change *what,
                                xmtp_error *error)
{
    int64_t ref = 0;
    group_work work;
    XMTP_TRY(xmtp_conversation_find(client, id, &ref, error));
    xmtp_status status = xmtp_work_start(&work, client, ref, error);
    if (status == XMTP_OK) {
        status = change_group(&work, what, error);
    }
    xmtp_work_end(&work);
    return status;
}

/* ---- members */

xmtp_status xmtp_client_group_add(xmtp_client *client, const xmtp_conversation_id *group,
                                  const char *const *members, size_t member_count,
                                  xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    xmtp_arena arena;
    change what = {0};
    xmtp_scratch(client, &arena);
    xmtp_status status = xmtp_resolve_all(client, members, member_count, &arena, &what.add, error);
    if (status == XMTP_OK && what.add.count > 0) {
        status = change_by_id(client, group, &what, error);
    }
    xmtp_arena_reset(&arena);
    return status;
}

static xmtp_status check_removal(const xmtp_client *client, const xmtp_string_list *people,
                                 xmtp_error *error)
{
    for (size_t i = 0; i < people->count; i++) {
        if (strcmp(people->items[i], client->inbox_id) == 0) {
            return xmtp_fail(error, XMTP_E_ARGUMENT, "a member cannot remove itself");
        }
    }
    return XMTP_OK;
}

xmtp_status xmtp_client_group_remove(xmtp_client *client, const xmtp_conversation_id *group,
                                     const char *const *members, size_t member_count,
                                     xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    xmtp_arena arena;
    change what = {0};
    xmtp_scratch(client, &arena);
    xmtp_status status =
        xmtp_resolve_all(client, members, member_count, &arena, &what.remove, error);
    if (status == XMTP_OK) {
        status = check_removal(client, &what.remove, error);
    }
    if (status == XMTP_OK && what.remove.count > 0) {
        status = change_by_id(client, group, &what, error);
    }
    xmtp_arena_reset(&arena);
    return status;
}

/* ---- texts: the data of an intent are two vectors, name and value, and for a swap a third, the value
 * that is expected */

/* Gives the last intent what was written since mark. The writer may move: see finish. */
static void add_intent(change *what, xmtp_intent_kind kind, size_t mark)
{
    what->intents[what->intent_count++] = (xmtp_intent_row){
        .kind = kind, .data = xmtp_bytes_of(NULL, xmtp_writer_bytes(&what->data).n - mark)};
}

static void add_attribute(change *what, const char *name, const char *value, const char *expected)
{
    size_t mark = xmtp_writer_bytes(&what->data).n;
    xmtp_writer_vec(&what->data, xmtp_bytes_of_string(name));
    xmtp_writer_vec(&what->data, xmtp_bytes_of_string(value));
    if (expected != NULL) {
        xmtp_writer_vec(&what->data, xmtp_bytes_of_string(expected));
    }
    add_intent(what, XMTP_INTENT_METADATA, mark);
}

static xmtp_status run(xmtp_client *client, const xmtp_conversation_id *group, change *what,
                       xmtp_error *error)
{
    xmtp_status status = xmtp_writer_status(&what->data);
    const uint8_t *p = xmtp_writer_bytes(&what->data).p;
    for (size_t i = 0; i < what->intent_count; i++) {
        what->intents[i].data.p = p;
        p += what->intents[i].data.n;
    }
    if (status == XMTP_OK) {
        status = change_by_id(client, group, what, error);
    }
    xmtp_writer_free(&what->data);
    return status;
}

static change new_change(xmtp_client *client)
{
    change what = {0};
    xmtp_writer_init(&what.data, &client->env.alloc, XMTP_WRITER_MAX);
    return what;
}

static xmtp_status check_version(const char *version, xmtp_error *error)
{
    if (!xmtp_version_is_valid(version)) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "a version is major.minor.patch, not %.32s",
                         version);
    }
    if (xmtp_version_compare(version, XMTP_EQUIVALENT_VERSION) > 0) {
        return xmtp_fail(error, XMTP_E_ARGUMENT,
                         "version %.32s would lock out this library, which is equivalent to %s",
                         version, XMTP_EQUIVALENT_VERSION);
    }
    return XMTP_OK;
}

static const char *const attribute_names[] = {
    [XMTP_FIELD_NAME] = XMTP_ATTRIBUTE_NAME,
    [XMTP_FIELD_DESCRIPTION] = XMTP_ATTRIBUTE_DESCRIPTION,
    [XMTP_FIELD_IMAGE_URL] = XMTP_ATTRIBUTE_IMAGE_URL,
    [XMTP_FIELD_APP_DATA] = XMTP_ATTRIBUTE_APP_DATA,
    [XMTP_FIELD_MINIMUM_VERSION] = XMTP_ATTRIBUTE_MINIMUM_VERSION,
    [XMTP_FIELD_DISAPPEAR_FROM] = XMTP_ATTRIBUTE_DISAPPEAR_FROM,
    [XMTP_FIELD_DISAPPEAR_IN] = XMTP_ATTRIBUTE_DISAPPEAR_IN,
};

static xmtp_status check_value(xmtp_group_field field, const char *value, xmtp_error *error)
{
    if ((int)field < XMTP_FIELD_NAME || field > XMTP_FIELD_MINIMUM_VERSION) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "field %d has no text", (int)field);
    }
    return field == XMTP_FIELD_MINIMUM_VERSION ? check_version(value, error)
                                               : xmtp_check_field(field, value, error);
}

xmtp_status xmtp_client_group_set(xmtp_client *client, const xmtp_conversation_id *group,
                                  xmtp_group_field field, const char *value, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    const char *text = value == NULL ? "" : value;
    XMTP_TRY(check_value(field, text, error));
    change what = new_change(client);
    add_attribute(&what, attribute_names[field], text, NULL);
    return run(client, group, &what, error);
}

xmtp_status xmtp_client_group_rename(xmtp_client *client, const xmtp_conversation_id *group,
                                     const char *name, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    return xmtp_client_group_set(client, group, XMTP_FIELD_NAME, name, error);
}

xmtp_status xmtp_client_group_swap_app_data(xmtp_client *client, const xmtp_conversation_id *group,
                                            const char *expected, const char *value,
                                            xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    const char *text = value == NULL ? "" : value;
    XMTP_TRY(check_value(XMTP_FIELD_APP_DATA, text, error));
    change what = new_change(client);
    add_attribute(&what, XMTP_ATTRIBUTE_APP_DATA, text, expected == NULL ? "" : expected);
    return run(client, group, &what, error);
}

xmtp_status xmtp_client_set_disappearing(xmtp_client *client, const xmtp_conversation_id *id,
                                         uint64_t from_ns, uint64_t in_ns, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    char from[24];
    char in[24];
    XMTP_TRY(xmtp_check_disappearing(from_ns, in_ns, error));
    change what = new_change(client);
    what.is_for_dms_too = true;
    (void)snprintf(from, sizeof(from), "%" PRIu64, from_ns);
    (void)snprintf(in, sizeof(in), "%" PRIu64, in_ns);
    add_attribute(&what, XMTP_ATTRIBUTE_DISAPPEAR_FROM, from, NULL);
    add_attribute(&what, XMTP_ATTRIBUTE_DISAPPEAR_IN, in, NULL);
    return run(client, id, &what, error);
}

/* ---- admins: u8 change, vector inbox id. Permissions: u8 what, u8 policy, vector attribute. */

xmtp_status xmtp_client_group_change_admins(xmtp_client *client, const xmtp_conversation_id *group,
                                            xmtp_admin_change change_kind, const char *member,
                                            xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    char inbox_id[XMTP_INBOX_ID_LEN + 1];
    if ((int)change_kind < XMTP_ADMIN_ADD || change_kind > XMTP_SUPER_ADMIN_REMOVE) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "change of admins %d", (int)change_kind);
    }
    if (member == NULL) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "a member is NULL");
    }
    XMTP_TRY(xmtp_resolve(client, member, inbox_id, error));
    change what = new_change(client);
    xmtp_writer_u8(&what.data, (uint8_t)change_kind);
    xmtp_writer_vec(&what.data, xmtp_bytes_of_string(inbox_id));
    add_intent(&what, XMTP_INTENT_ADMINS, 0);
    return run(client, group, &what, error);
}

xmtp_status xmtp_client_group_set_permission(xmtp_client *client, const xmtp_conversation_id *group,
                                             xmtp_permission permission, xmtp_group_field field,
                                             xmtp_policy policy, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    bool is_metadata = permission == XMTP_PERMISSION_UPDATE_METADATA;
    if ((int)permission < XMTP_PERMISSION_ADD_MEMBER ||
        permission > XMTP_PERMISSION_UPDATE_METADATA ||
        (is_metadata && ((int)field < XMTP_FIELD_NAME || field > XMTP_FIELD_DISAPPEAR_IN))) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "permission %d of field %d", (int)permission,
                         (int)field);
    }
    if (policy < XMTP_POLICY_ALLOW || policy > XMTP_POLICY_SUPER_ADMIN) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "policy %d cannot be set", (int)policy);
    }
    change what = new_change(client);
    xmtp_writer_u8(&what.data, (uint8_t)permission);
    xmtp_writer_u8(&what.data, (uint8_t)policy);
    xmtp_writer_vec(&what.data, xmtp_bytes_of_string(is_metadata ? attribute_names[field] : ""));
    add_intent(&what, XMTP_INTENT_PERMISSION, 0);
    return run(client, group, &what, error);
}
