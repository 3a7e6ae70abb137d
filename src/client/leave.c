/* leave.c - leaving a group (groups.md 3.10).
 *
 *     leaver: leave_request message --> PENDING_REMOVE       everybody: the leaver is on the list
 *     a super admin's client, by itself: one membership commit without them --> transcript "left"
 *
 * Nobody can remove itself in MLS. Every super admin's client tries; whose commit comes second finds
 * nothing left to do.
 */
#include "client/group_create.h"
#include "client/round.h"
#include "store/removal_store.h"

/* ---- asking */

static xmtp_status check_may_leave(xmtp_client *client, const xmtp_conversation_id *id,
                                   bool *is_asked, xmtp_error *error)
{
    xmtp_conversation conversation;
    xmtp_conversation_details details;
    XMTP_TRY(xmtp_client_conversation(client, id, &conversation, error));
    *is_asked = conversation.state == XMTP_MEMBERSHIP_PENDING_REMOVE && conversation.is_active;
    if (conversation.kind != XMTP_CONVERSATION_GROUP) {
        return xmtp_fail(error, XMTP_E_PERMISSION, "a DM cannot be left");
    }
    if (conversation.state == XMTP_MEMBERSHIP_RESTORED) {
        return xmtp_fail(error, XMTP_E_INACTIVE,
                         "restored from an archive: a device that is a member can leave it");
    }
    if (conversation.member_count < 2) {
        return xmtp_fail(error, XMTP_E_PERMISSION, "the only member of a group cannot leave it");
    }
    XMTP_TRY(xmtp_client_conversation_details(client, id, &details, error));
    if (details.is_super_admin) {
        return xmtp_fail(error, XMTP_E_PERMISSION,
                         "a super admin cannot leave: hand that over first");
    }
    return XMTP_OK;
}

xmtp_status xmtp_client_leave(xmtp_client *client, const xmtp_conversation_id *id,
                              xmtp_error *error)
{
    static const xmtp_content request = {.type = XMTP_CONTENT_LEAVE_REQUEST};
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    bool is_asked;
    XMTP_TRY(check_may_leave(client, id, &is_asked, error));
    return is_asked ? XMTP_OK : xmtp_client_send(client, id, &request, NULL, error);
}

/* ---- hearing of it */

xmtp_status xmtp_leave_note(group_work *work, const char *inbox_id, xmtp_bytes message_id,
                            xmtp_error *error)
{
    xmtp_client *client = work->client;
    if (work->row.kind != XMTP_GROUP_KIND_GROUP) {
        return XMTP_OK;
    }
    xmtp_status status = xmtp_removal_insert(client->db, work->row.ref, inbox_id, message_id);
    if (status == XMTP_OK && strcmp(inbox_id, client->inbox_id) == 0) {
        work->row.state = XMTP_MEMBERSHIP_PENDING_REMOVE;
        status = xmtp_group_row_update(client->db, &work->row);
    }
    client->has_leavers = true;
    return xmtp_stored(client, status, error);
}

static bool is_in(const char *const *inboxes, size_t count, const char *inbox_id)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(inboxes[i], inbox_id) == 0) {
            return true;
        }
    }
    return false;
}

xmtp_status xmtp_leave_split(group_work *work, xmtp_arena *arena, const xmtp_commit_facts *facts,
                             xmtp_string_list *left, xmtp_string_list *removed, xmtp_error *error)
{
    const char **leavers;
    size_t leaver_count;
    void *items;
    size_t count = facts->removed_inboxes.count;
    XMTP_TRY(xmtp_stored(
        work->client,
        xmtp_removal_list(work->client->db, work->row.ref, arena, &leavers, &leaver_count), error));
    XMTP_TRY(xmtp_arena_take_array(arena, 2 * count, sizeof(char *), &items));
    *left = (xmtp_string_list){.items = items};
    *removed = (xmtp_string_list){.items = (const char **)items + count};
    for (size_t i = 0; i < count; i++) {
        const char *inbox_id = facts->removed_inboxes.items[i];
        xmtp_string_list *list = is_in(leavers, leaver_count, inbox_id) ? left : removed;
        list->items[list->count++] = inbox_id;
    }
    return XMTP_OK;
}

xmtp_status xmtp_leave_forget(group_work *work, const xmtp_commit_facts *facts, xmtp_error *error)
{
    for (size_t i = 0; i < facts->removed_inboxes.count; i++) {
        XMTP_TRY(xmtp_stored(
            work->client,
            xmtp_removal_delete(work->client->db, work->row.ref, facts->removed_inboxes.items[i]),
            error));
    }
    return XMTP_OK;
}

/* ---- carrying it out */

xmtp_status xmtp_super_admins(group_work *work, xmtp_arena *arena, const Pb__Inboxes **out,
                              xmtp_error *error)
{
    xmtp_bytes data;
    Pb__GroupMutableMetadata *metadata;
    XMTP_TRY(xmtp_work_group(work, error));
    XMTP_ENSURE(xmtp_mls_group_extension(work->group, XMTP_EXTENSION_MUTABLE_METADATA, &data),
                XMTP_E_EXTENSION);
    XMTP_TRY(xmtp_mutable_metadata_decode(arena, data, &metadata));
    *out = metadata->super_admin_list;
    return XMTP_OK;
}

/* Those on the list who are members and no super admins (nobody may remove those); others leave the
 * list. */
static xmtp_status who_goes(group_work *work, xmtp_arena *arena, const Pb__Inboxes *super_admins,
                            xmtp_string_list *out, xmtp_error *error)
{
    const char **members;
    size_t member_count;
    const char **leavers;
    size_t leaver_count;
    void *items;
    xmtp_client *client = work->client;
    XMTP_TRY(xmtp_member_inboxes(arena, work->group, &members, &member_count));
    XMTP_TRY(xmtp_stored(
        client, xmtp_removal_list(client->db, work->row.ref, arena, &leavers, &leaver_count),
        error));
    XMTP_TRY(xmtp_arena_take_array(arena, leaver_count, sizeof(char *), &items));
    *out = (xmtp_string_list){.items = items};
    for (size_t i = 0; i < leaver_count; i++) {
        if (!is_in(members, member_count, leavers[i])) {
            XMTP_TRY(xmtp_stored(client, xmtp_removal_delete(client->db, work->row.ref, leavers[i]),
                                 error));
        } else if (!xmtp_inbox_listed(super_admins, leavers[i])) {
            out->items[out->count++] = leavers[i];
        }
    }
    return XMTP_OK;
}

static xmtp_status remove_leavers(group_work *work, xmtp_arena *arena, xmtp_error *error)
{
    static const xmtp_string_list nobody;
    const Pb__Inboxes *super_admins;
    xmtp_string_list leavers;
    bool is_usable = work->row.is_active && work->row.paused_for[0] == '\0';
    if (!is_usable || work->intents.count > 0) {
        return XMTP_OK; /* what is queued goes first; the next chore looks again */
    }
    XMTP_TRY(xmtp_super_admins(work, arena, &super_admins, error));
    if (!xmtp_inbox_listed(super_admins, work->client->inbox_id)) {
        return XMTP_OK;
    }
    XMTP_TRY(who_goes(work, arena, super_admins, &leavers, error));
    if (leavers.count == 0) {
        return XMTP_OK;
    }
    XMTP_TRY(
        xmtp_queue_members(work->client, work->row.ref, &nobody, &leavers, &work->awaited, error));
    XMTP_TRY(xmtp_work_reload(work, error));
    return xmtp_work_result(work, xmtp_work_rounds(work, true, error), error);
}

xmtp_status xmtp_leave_chore(xmtp_client *client, xmtp_error *error)
{
    xmtp_arena arena;
    int64_t *refs = NULL;
    size_t count = 0;
    client->has_leavers = false;
    xmtp_scratch(client, &arena);
    xmtp_status first =
        xmtp_stored(client, xmtp_removal_groups(client->db, &arena, &refs, &count), error);
    for (size_t i = 0; i < count; i++) {
        group_work work;
        xmtp_error *where = first == XMTP_OK ? error : NULL;
        xmtp_status status = xmtp_work_start(&work, client, refs[i], where);
        if (status == XMTP_OK) {
            status = remove_leavers(&work, &arena, where);
        }
        xmtp_work_end(&work);
        first = first == XMTP_OK ? status : first;
    }
    xmtp_arena_reset(&arena);
    return first;
}
