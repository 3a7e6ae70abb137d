/* expire.c - messages that disappear (groups.md 5.9), and messages that are forgotten here.
 *
 *     stored or read back, settings on: expire_ns = now + in_ns --> that time passes --> row deleted
 *
 * Each client does it for itself with its own clock. from_ns is not compared with anything: both
 * settings above 0 is what on means. What a handler holds in its hands is deleted when it is done. The
 * official client looks every second, so nothing is looked for more often than that.
 */
#include "client/round.h"

static bool is_looked_after(const xmtp_client *client)
{
    return (client->chores.disabled & XMTP_CHORE_DISAPPEARING) == 0;
}

xmtp_status xmtp_expiry_of_now(group_work *work, uint64_t *expire_ns, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_bytes data;
    Pb__GroupMutableMetadata *metadata;
    uint64_t from_ns;
    uint64_t in_ns;
    *expire_ns = 0;
    XMTP_TRY(xmtp_work_group(work, error));
    if (!xmtp_mls_group_extension(work->group, XMTP_EXTENSION_MUTABLE_METADATA, &data)) {
        return XMTP_OK;
    }
    xmtp_scratch(work->client, &arena);
    xmtp_status status = xmtp_mutable_metadata_decode(&arena, data, &metadata);
    if (status == XMTP_OK && xmtp_disappearing_of(metadata, &from_ns, &in_ns)) {
        uint64_t now_ns = work->shown_ns != 0 ? work->shown_ns : xmtp_now_ns(work->client);
        *expire_ns = in_ns > (uint64_t)INT64_MAX - now_ns ? INT64_MAX : now_ns + in_ns;
        if (*expire_ns < work->client->next_expiry_ns && is_looked_after(work->client)) {
            work->client->next_expiry_ns = *expire_ns;
        }
    }
    xmtp_arena_reset(&arena);
    return status;
}

xmtp_status xmtp_expiry_load(xmtp_client *client, xmtp_error *error)
{
    if (!is_looked_after(client)) {
        client->next_expiry_ns = UINT64_MAX;
        return XMTP_OK;
    }
    return xmtp_stored(client, xmtp_message_next_expiry(client->db, &client->next_expiry_ns),
                       error);
}

/* ---- deleting */

static bool is_handed_out(const xmtp_client *client, xmtp_bytes message_id)
{
    for (const handed_out *item = client->handed; item != NULL; item = item->next) {
        if (xmtp_bytes_equal(xmtp_bytes_of(item->message_id, sizeof(item->message_id)),
                             message_id)) {
            return true;
        }
    }
    return false;
}

/* The row and its place in the queue. */
static xmtp_status delete_row(xmtp_client *client, xmtp_bytes message_id, xmtp_error *error)
{
    xmtp_status status = xmtp_queue_remove(client->db, message_id);
    if (status == XMTP_OK || status == XMTP_E_NOT_FOUND) {
        status = xmtp_message_delete(client->db, message_id);
    }
    return xmtp_stored(client, status, error);
}

void xmtp_tell_deleted(xmtp_client *client, xmtp_bytes group_id, const uint8_t *message_id)
{
    xmtp_conversation_id conversation = {.n = group_id.n};
    if (client->events.deleted == NULL || group_id.n > sizeof(conversation.p)) {
        return;
    }
    xmtp_copy(conversation.p, group_id.p, group_id.n);
    client->events.deleted(client->events.context, &conversation, message_id);
}

static xmtp_status delete_names(xmtp_client *client, xmtp_message_name *names, size_t *count,
                                xmtp_error *error)
{
    size_t n = 0;
    XMTP_TRY(xmtp_begin(client, error));
    for (size_t i = 0; i < *count; i++) {
        if (is_handed_out(client, names[i].message_id)) {
            continue;
        }
        xmtp_status status = delete_row(client, names[i].message_id, error);
        if (status != XMTP_OK) {
            xmtp_database_rollback(client->db);
            return status;
        }
        names[n++] = names[i];
    }
    *count = n;
    return xmtp_commit(client, error);
}

xmtp_status xmtp_client_delete_expired(xmtp_client *client, size_t *count, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    xmtp_arena arena;
    xmtp_message_name *names = NULL;
    size_t found = 0;
    xmtp_scratch(client, &arena);
    xmtp_status status = xmtp_stored(
        client, xmtp_message_expired(client->db, xmtp_now_ns(client), &arena, &names, &found),
        error);
    if (status == XMTP_OK && found > 0) {
        status = delete_names(client, names, &found, error);
    }
    for (size_t i = 0; status == XMTP_OK && i < found; i++) {
        xmtp_tell_deleted(client, names[i].group_id, names[i].message_id.p);
    }
    xmtp_arena_reset(&arena);
    if (count != NULL) {
        *count = status == XMTP_OK ? found : 0;
    }
    XMTP_TRY(status);
    XMTP_TRY(xmtp_expiry_load(client, error));
    /* What is in a handler's hands is looked at again in a second, not at once. */
    uint64_t soon_ns = xmtp_now_ns(client) + XMTP_SECOND_NS;
    client->next_expiry_ns = client->next_expiry_ns < soon_ns ? soon_ns : client->next_expiry_ns;
    return XMTP_OK;
}

xmtp_status xmtp_client_forget_message(xmtp_client *client,
                                       const uint8_t message_id[XMTP_MESSAGE_ID_LEN],
                                       xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    xmtp_bytes id = xmtp_bytes_of(message_id, XMTP_MESSAGE_ID_LEN);
    xmtp_message message;
    XMTP_TRY(xmtp_client_message(client, message_id, &message, error));
    if (message.delivery == XMTP_DELIVERY_UNPUBLISHED) {
        return xmtp_fail(error, XMTP_E_STATE, "the message is still to be sent");
    }
    if (is_handed_out(client, id)) {
        return xmtp_fail(error, XMTP_E_STATE, "a handler has the message in its hands");
    }
    XMTP_TRY(xmtp_begin(client, error));
    xmtp_status status = delete_row(client, id, error);
    if (status != XMTP_OK) {
        xmtp_database_rollback(client->db);
        return status;
    }
    return xmtp_commit(client, error);
}
