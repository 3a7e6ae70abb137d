/* restored.c - a conversation that is known from an archive only: to be read, not used.
 *
 *     GroupSave of an archive --> row with state RESTORED, and the GroupSave --> welcome: an ordinary one
 *
 * It has no MLS group, so whatever needs one fails with a sentence that says so (group_cache.c). What its
 * members had agreed on is what the archive says.
 */
#include "client/archive.h"
#include "client/group_create.h"
#include "client/round.h"
#include "store/archive_store.h"

xmtp_status xmtp_restored_facts(xmtp_client *client, int64_t ref, xmtp_arena *arena,
                                Pb__GroupSave **out, xmtp_error *error)
{
    xmtp_bytes save;
    void *decoded = NULL;
    XMTP_TRY(xmtp_stored(client, xmtp_restored_read(client->db, ref, arena, &save), error));
    xmtp_status status = xmtp_proto_decode(&pb__group_save__descriptor, arena, save, &decoded);
    *out = decoded;
    return status == XMTP_E_MALFORMED
               ? xmtp_fail(error, XMTP_E_CORRUPT, "what an archive said about a conversation")
               : status;
}

const char *xmtp_restored_attribute(const Pb__GroupSave *save, const char *key)
{
    const char *value = "";
    for (size_t i = 0; save->mutable_metadata != NULL && i < save->mutable_metadata->n_attributes;
         i++) {
        const Pb__StringEntry *entry = save->mutable_metadata->attributes[i];
        if (entry->key != NULL && strcmp(entry->key, key) == 0) {
            value = entry->value == NULL ? "" : entry->value;
        }
    }
    return value;
}

static const char *text(const char *s)
{
    return s == NULL ? "" : s;
}

static uint64_t number(int64_t value)
{
    return value < 0 ? 0 : (uint64_t)value;
}

/* ---- importing */

/* The other one of a DM of ours, in the arena; "" when it is not ours. */
static xmtp_status peer_of(const char *dm_id, const char *self, xmtp_arena *arena, const char **out)
{
    char expected[XMTP_DM_ID_LEN + 1];
    char *one;
    char *two;
    *out = "";
    if (dm_id == NULL || strlen(dm_id) != XMTP_DM_ID_LEN) {
        return XMTP_OK;
    }
    xmtp_bytes first = xmtp_bytes_of(dm_id + strlen("dm:"), XMTP_INBOX_ID_LEN);
    xmtp_bytes second = xmtp_bytes_of(first.p + first.n + 1, XMTP_INBOX_ID_LEN);
    XMTP_TRY(xmtp_arena_string(arena, first, &one));
    XMTP_TRY(xmtp_arena_string(arena, second, &two));
    const char *peer = strcmp(one, self) == 0 ? two : one;
    xmtp_dm_id(self, peer, expected);
    if (strcmp(expected, dm_id) == 0 && strcmp(peer, self) != 0 &&
        xmtp_inbox_id_is_valid(xmtp_bytes_of_string(peer))) {
        *out = peer;
    }
    return XMTP_OK;
}

static bool is_ours(const Pb__GroupSave *save)
{
    bool is_group = save->conversation_type == XMTP_GROUP_KIND_GROUP;
    return (is_group || save->conversation_type == XMTP_GROUP_KIND_DM) && save->id.len > 0 &&
           save->id.len <= XMTP_GROUP_ID_MAX;
}

xmtp_status xmtp_restored_row(const xmtp_client *client, xmtp_arena *arena,
                              const Pb__GroupSave *save, xmtp_group_row *row, bool *is_wanted)
{
    bool is_dm = save->conversation_type == XMTP_GROUP_KIND_DM;
    *row = (xmtp_group_row){
        .group_id = xmtp_proto_bytes(save->id),
        .kind = (uint32_t)save->conversation_type,
        .stage = XMTP_GROUP_READY,
        .created_ns = number(save->created_at_ns),
        .last_message_ns = number(save->last_message_ns),
        .name = is_dm ? "" : xmtp_restored_attribute(save, XMTP_ATTRIBUTE_NAME),
        .peer_inbox = "",
        .dm_id = is_dm ? save->dm_id : NULL,
        .added_by = text(save->added_by_inbox_id),
        .member_count = is_dm ? 2 : 0,
        .state = XMTP_MEMBERSHIP_RESTORED,
    };
    *is_wanted = is_ours(save);
    if (*is_wanted && is_dm) {
        XMTP_TRY(peer_of(save->dm_id, client->inbox_id, arena, &row->peer_inbox));
        *is_wanted = row->peer_inbox[0] != '\0';
    }
    return XMTP_OK;
}

/* ---- looking at it */

static bool is_listed(char *const *inboxes, size_t count, const char *inbox_id)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(inboxes[i], inbox_id) == 0) {
            return true;
        }
    }
    return false;
}

xmtp_status xmtp_restored_details(xmtp_client *client, int64_t ref, xmtp_conversation_details *out,
                                  xmtp_error *error)
{
    static const Pb__GroupSave__MutableMetadata nothing = PB__GROUP_SAVE__MUTABLE_METADATA__INIT;
    Pb__GroupSave *save;
    xmtp_error why = {0};
    xmtp_status status = xmtp_restored_facts(client, ref, &client->out, &save, &why);
    if (status != XMTP_OK) {
        return status == XMTP_E_NOT_FOUND ? status : xmtp_fail(error, status, "%s", why.text);
    }
    const Pb__GroupSave__MutableMetadata *shared =
        save->mutable_metadata == NULL ? &nothing : save->mutable_metadata;
    *out = (xmtp_conversation_details){
        .creator_inbox = text(save->metadata == NULL ? NULL : save->metadata->creator_inbox_id),
        .name = xmtp_restored_attribute(save, XMTP_ATTRIBUTE_NAME),
        .description = xmtp_restored_attribute(save, XMTP_ATTRIBUTE_DESCRIPTION),
        .image_url = xmtp_restored_attribute(save, XMTP_ATTRIBUTE_IMAGE_URL),
        .app_data = xmtp_restored_attribute(save, XMTP_ATTRIBUTE_APP_DATA),
        .minimum_version = xmtp_restored_attribute(save, XMTP_ATTRIBUTE_MINIMUM_VERSION),
        .disappear_from_ns = number(save->message_disappear_from_ns),
        .disappear_in_ns = number(save->message_disappear_in_ns),
        .admins = (const char *const *)shared->admin_list,
        .admin_count = shared->n_admin_list,
        .super_admins = (const char *const *)shared->super_admin_list,
        .super_admin_count = shared->n_super_admin_list,
        .is_admin = is_listed(shared->admin_list, shared->n_admin_list, client->inbox_id),
        .is_super_admin =
            is_listed(shared->super_admin_list, shared->n_super_admin_list, client->inbox_id),
        .preset = XMTP_POLICIES_CUSTOM, /* an archive says nothing of policies */
    };
    out->is_disappearing = out->disappear_from_ns > 0 && out->disappear_in_ns > 0;
    return XMTP_OK;
}
