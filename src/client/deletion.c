/* deletion.c - messages taken back for everyone, and messages changed by their sender (groups.md 5.11).
 *
 *     deleteMessage { id } --> kept with inbox and "super admin now?" --> counts when read: same group,
 *                              a type that can be taken back, its sender or that super admin
 *     editMessage { id, content } --> the newest of the sender counts, when its type is the same
 *
 * Nothing is removed: a deletion may come before its message, and the verdict about super admins is
 * that of the moment when it came, so that all members agree.
 */
#include "client/content_kind.h"
#include "client/group_data.h"
#include "client/round.h"
#include "content/codec.h"

#define BIT(type) (UINT64_C(1) << (type))

static const uint64_t deletable =
    BIT(XMTP_CONTENT_TEXT) | BIT(XMTP_CONTENT_MARKDOWN) | BIT(XMTP_CONTENT_REPLY) |
    BIT(XMTP_CONTENT_ATTACHMENT) | BIT(XMTP_CONTENT_REMOTE_ATTACHMENT) |
    BIT(XMTP_CONTENT_MULTI_REMOTE_ATTACHMENT) | BIT(XMTP_CONTENT_TRANSACTION_REFERENCE) |
    BIT(XMTP_CONTENT_WALLET_SEND_CALLS);
static const uint64_t editable =
    BIT(XMTP_CONTENT_TEXT) | BIT(XMTP_CONTENT_MARKDOWN) | BIT(XMTP_CONTENT_REPLY);

static bool is_of(uint64_t types, const xmtp_message_row *row)
{
    return row->kind == XMTP_MESSAGE_APPLICATION && row->content_type < XMTP_CONTENT_TYPE_COUNT &&
           (types & BIT(row->content_type)) != 0;
}

/* ---- hearing of it */

xmtp_status xmtp_deletion_of(xmtp_client *client, const uint8_t message_id[XMTP_MESSAGE_ID_LEN],
                             xmtp_arena *arena, const char **inbox_id, xmtp_error *error)
{
    *inbox_id = NULL;
    xmtp_status status = xmtp_deletion_find(
        client->db, xmtp_bytes_of(message_id, XMTP_MESSAGE_ID_LEN), deletable, arena, inbox_id);
    return status == XMTP_E_NOT_FOUND ? XMTP_OK : xmtp_stored(client, status, error);
}

static xmtp_status note(group_work *work, xmtp_arena *arena, const char *inbox_id,
                        const uint8_t *message_id, xmtp_error *error)
{
    xmtp_client *client = work->client;
    const Pb__Inboxes *super_admins;
    const char *before;
    const char *after;
    XMTP_TRY(xmtp_super_admins(work, arena, &super_admins, error));
    XMTP_TRY(xmtp_deletion_of(client, message_id, arena, &before, error));
    XMTP_TRY(xmtp_stored(client,
                         xmtp_deletion_insert(client->db, work->row.ref,
                                              xmtp_bytes_of(message_id, XMTP_MESSAGE_ID_LEN),
                                              inbox_id, xmtp_inbox_listed(super_admins, inbox_id)),
                         error));
    XMTP_TRY(xmtp_deletion_of(client, message_id, arena, &after, error));
    if (before == NULL && after != NULL) {
        xmtp_tell_deleted(client, work->row.group_id, message_id);
    }
    return XMTP_OK;
}

xmtp_status xmtp_deletion_note(group_work *work, const char *inbox_id, xmtp_bytes content,
                               xmtp_error *error)
{
    xmtp_content_kind kind;
    xmtp_arena arena;
    XMTP_TRY(xmtp_content_classify(&work->client->env.alloc, content, &kind));
    if (!kind.has_reference) {
        return XMTP_OK; /* names no message */
    }
    xmtp_scratch(work->client, &arena);
    xmtp_status status = note(work, &arena, inbox_id, kind.reference, error);
    xmtp_arena_reset(&arena);
    return status;
}

xmtp_status xmtp_deletion_restore(xmtp_client *client, int64_t group_ref, const char *inbox_id,
                                  xmtp_bytes content, bool is_super_admin, xmtp_error *error)
{
    xmtp_content_kind kind;
    XMTP_TRY(xmtp_content_classify(&client->env.alloc, content, &kind));
    xmtp_bytes message_id = xmtp_bytes_of(kind.reference, sizeof(kind.reference));
    return !kind.has_reference ? XMTP_OK
                               : xmtp_stored(client,
                                             xmtp_deletion_insert(client->db, group_ref, message_id,
                                                                  inbox_id, is_super_admin),
                                             error);
}

/* ---- doing it */

typedef struct change {
    const uint8_t *message_id;
    const xmtp_content *content; /* of an edit; NULL: a deletion */
} change;

static xmtp_status check_type(const xmtp_message_row *row, const change *c, xmtp_error *error)
{
    if (!is_of(c->content == NULL ? deletable : editable, row)) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "content of type %" PRIu32 " cannot be %s",
                         row->content_type, c->content == NULL ? "taken back" : "changed");
    }
    if (c->content != NULL && (uint32_t)c->content->type != row->content_type) {
        return xmtp_fail(error, XMTP_E_ARGUMENT,
                         "the message has content of type %" PRIu32 ", the new one %d",
                         row->content_type, c->content->type);
    }
    if (row->delivery != XMTP_DELIVERY_PUBLISHED) {
        return xmtp_fail(error, XMTP_E_STATE, "the message is not sent yet");
    }
    return XMTP_OK;
}

static xmtp_status check_may(group_work *work, const xmtp_message_row *row, const change *c,
                             xmtp_arena *arena, xmtp_error *error)
{
    const Pb__Inboxes *super_admins;
    const char *deleted_by;
    xmtp_client *client = work->client;
    XMTP_TRY(check_type(row, c, error));
    XMTP_TRY(xmtp_deletion_of(client, c->message_id, arena, &deleted_by, error));
    if (deleted_by != NULL) {
        return xmtp_fail(error, XMTP_E_STATE, "the message was taken back already");
    }
    if (strcmp(row->sender_inbox, client->inbox_id) == 0) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_super_admins(work, arena, &super_admins, error));
    if (c->content != NULL || !xmtp_inbox_listed(super_admins, client->inbox_id)) {
        return xmtp_fail(error, XMTP_E_PERMISSION, "somebody else has sent this message");
    }
    return XMTP_OK;
}

static xmtp_status send_change(group_work *work, const change *c, xmtp_error *error)
{
    static const xmtp_send_options silent = {.should_push = false};
    char hex[2 * XMTP_MESSAGE_ID_LEN + 1];
    uint8_t own_id[XMTP_MESSAGE_ID_LEN];
    xmtp_writer w;
    xmtp_hex_encode(hex, xmtp_bytes_of(c->message_id, XMTP_MESSAGE_ID_LEN));
    xmtp_content content = {.type = XMTP_CONTENT_DELETE_MESSAGE, .delete_message = {hex}};
    if (c->content != NULL) {
        content = (xmtp_content){.type = XMTP_CONTENT_EDIT_MESSAGE,
                                 .edit_message = {.message_id = hex, .content = c->content}};
    }
    xmtp_writer_init(&w, &work->client->env.alloc, XMTP_WRITER_MAX);
    xmtp_status status = xmtp_content_write(&w, &content, error);
    if (status == XMTP_OK) {
        status = xmtp_send(work, xmtp_writer_bytes(&w), &silent, NULL, own_id, error);
    }
    xmtp_writer_free(&w);
    return status;
}

/* To the group that has the message, which need not be the one that now stands for its DM. */
static xmtp_status change_message(xmtp_client *client, const change *c, xmtp_error *error)
{
    xmtp_message message;
    xmtp_message_row row;
    xmtp_arena arena;
    group_work work;
    XMTP_TRY(xmtp_client_message(client, c->message_id, &message, error));
    xmtp_scratch(client, &arena);
    xmtp_status status =
        xmtp_stored(client,
                    xmtp_message_find(client->db, xmtp_bytes_of(c->message_id, XMTP_MESSAGE_ID_LEN),
                                      &arena, &row),
                    error);
    if (status == XMTP_OK) {
        status = xmtp_work_start(&work, client, row.group_ref, error);
        if (status == XMTP_OK) {
            status = check_may(&work, &row, c, &arena, error);
        }
        if (status == XMTP_OK) {
            status = send_change(&work, c, error);
        }
        xmtp_work_end(&work);
    }
    xmtp_arena_reset(&arena);
    return status;
}

xmtp_status xmtp_client_delete_message(xmtp_client *client,
                                       const uint8_t message_id[XMTP_MESSAGE_ID_LEN],
                                       xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    return change_message(client, &(change){.message_id = message_id}, error);
}

xmtp_status xmtp_client_edit_message(xmtp_client *client,
                                     const uint8_t message_id[XMTP_MESSAGE_ID_LEN],
                                     const xmtp_content *content, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    return change_message(client, &(change){.message_id = message_id, .content = content}, error);
}
