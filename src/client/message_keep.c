/* message_keep.c - a message becomes a row: what can be told from its content is kept beside it. */
#include "client/content_kind.h"
#include "client/round.h"

xmtp_status xmtp_message_keep(xmtp_client *client, xmtp_message_row *row, bool *is_new,
                              xmtp_error *error)
{
    xmtp_content_kind kind;
    XMTP_TRY(xmtp_content_classify(&client->env.alloc, row->content, &kind));
    row->content_type = kind.type;
    row->reference = xmtp_bytes_of(kind.reference, kind.has_reference ? sizeof(kind.reference) : 0);
    row->inserted_ns = xmtp_now_ns(client);
    xmtp_status status = xmtp_stored(client, xmtp_message_insert(client->db, row, is_new), error);
    row->reference = (xmtp_bytes){0}; /* it pointed into this frame */
    return status;
}

static xmtp_status classify_one(xmtp_client *client, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_bytes content;
    xmtp_content_kind kind = {0};
    int64_t row = 0;
    xmtp_scratch(client, &arena);
    xmtp_status status = xmtp_message_unclassified(client->db, &arena, &row, &content);
    if (status == XMTP_OK) {
        status = xmtp_content_classify(&client->env.alloc, content, &kind);
    }
    if (status == XMTP_OK) {
        xmtp_bytes reference =
            xmtp_bytes_of(kind.reference, kind.has_reference ? sizeof(kind.reference) : 0);
        status = xmtp_message_set_type(client->db, row, kind.type, reference);
    }
    xmtp_arena_reset(&arena);
    return status == XMTP_E_NOT_FOUND ? status : xmtp_stored(client, status, error);
}

xmtp_status xmtp_messages_classify_old(xmtp_client *client, xmtp_error *error)
{
    XMTP_TRY(xmtp_begin(client, error));
    xmtp_status status = XMTP_OK;
    while (status == XMTP_OK) {
        status = classify_one(client, error);
    }
    if (status != XMTP_E_NOT_FOUND) {
        xmtp_database_rollback(client->db);
        return status;
    }
    return xmtp_commit(client, error);
}
