/* message_view.c - rows of the database as the xmtp_message of the public header, and listings. */
#include "client/content.h"
#include "client/round.h"

xmtp_status xmtp_message_view(xmtp_client *client, const xmtp_message_row *row, xmtp_arena *arena,
                              xmtp_message *out)
{
    *out = (xmtp_message){
        .conversation_kind = (xmtp_conversation_kind)row->group_kind,
        .kind = (xmtp_message_kind)row->kind,
        .delivery = (xmtp_delivery_status)row->delivery,
        .sender_inbox = row->sender_inbox,
        .sender_address = row->sender_address,
        .is_own = strcmp(row->sender_inbox, client->inbox_id) == 0,
        .sent_ns = row->sent_ns,
        .sequence = row->sequence,
    };
    XMTP_ENSURE(row->message_id.n == sizeof(out->id) &&
                    row->group_id.n <= sizeof(out->conversation.p),
                XMTP_E_CORRUPT);
    xmtp_copy(out->id, row->message_id.p, row->message_id.n);
    xmtp_copy(out->conversation.p, row->group_id.p, row->group_id.n);
    out->conversation.n = row->group_id.n;
    return xmtp_content_view(arena, row->content, out);
}

static xmtp_status visit_one(xmtp_client *client, const xmtp_message_row *row,
                             xmtp_message_visit visit, void *context)
{
    xmtp_arena arena;
    xmtp_message message;
    xmtp_scratch(client, &arena);
    xmtp_status status = xmtp_message_view(client, row, &arena, &message);
    if (status == XMTP_OK) {
        status = visit(context, &message);
    }
    xmtp_arena_reset(&arena);
    return status;
}

static xmtp_status visit_page(xmtp_client *client, const xmtp_message_row *rows, size_t count,
                              xmtp_message_visit visit, void *context)
{
    for (size_t i = 0; i < count; i++) {
        XMTP_TRY(visit_one(client, &rows[i], visit, context));
    }
    return XMTP_OK;
}

static xmtp_status list(xmtp_client *client, xmtp_message_page *page, size_t limit,
                        xmtp_message_visit visit, void *context, xmtp_error *error)
{
    xmtp_message_row rows[XMTP_MESSAGE_PAGE_MAX];
    size_t left = limit == 0 ? SIZE_MAX : limit;
    size_t count = 1;
    xmtp_status status = XMTP_OK;
    xmtp_message_page_start(page);
    while (status == XMTP_OK && count > 0 && left > 0) {
        xmtp_arena arena;
        xmtp_scratch(client, &arena);
        page->limit = left < XMTP_MESSAGE_PAGE_MAX ? left : XMTP_MESSAGE_PAGE_MAX;
        status = xmtp_stored(client, xmtp_message_page_next(client->db, page, &arena, rows, &count),
                             error);
        if (status == XMTP_E_LIMIT && count > 0) {
            status = XMTP_OK; /* messages near their limit: the others are the next page */
        }
        if (status == XMTP_OK) {
            left -= count;
            status = visit_page(client, rows, count, visit, context);
        }
        xmtp_arena_reset(&arena);
    }
    return status;
}

xmtp_status xmtp_client_messages(xmtp_client *client, const xmtp_message_query *query,
                                 xmtp_message_visit visit, void *context, xmtp_error *error)
{
    xmtp_message_page page = {.newest_first = query->newest_first, .after_ns = query->after_ns};
    if (query->after_ns > INT64_MAX) {
        return XMTP_OK;
    }
    xmtp_arena arena;
    xmtp_scratch(client, &arena);
    xmtp_status status = XMTP_OK;
    if (query->conversation != NULL) {
        xmtp_group_row row;
        status = xmtp_conversation_find(client, query->conversation, &page.group_ref, error);
        if (status == XMTP_OK) {
            status = xmtp_stored(
                client, xmtp_group_row_read(client->db, page.group_ref, &arena, &row), error);
        }
        if (status == XMTP_OK && row.dm_id[0] != '\0') {
            page.dm_id = row.dm_id; /* every group of this DM */
        }
    }
    if (status == XMTP_OK) {
        status = list(client, &page, query->limit, visit, context, error);
    }
    xmtp_arena_reset(&arena);
    return status;
}
