/* message_view.c - rows of the database as the xmtp_message of the public header, and listings. */
#include "client/content.h"
#include "client/content_kind.h"
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
        .inserted_ns = row->inserted_ns,
        .expires_ns = row->expire_ns,
        .content_type = (xmtp_content_type)row->content_type,
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

/* ---- what is looked for */

static uint64_t mask_of(const xmtp_content_type *types, size_t count)
{
    uint64_t mask = 0;
    for (size_t i = 0; i < count; i++) {
        mask |= UINT64_C(1) << ((unsigned)types[i] % XMTP_CONTENT_TYPE_COUNT);
    }
    return mask;
}

static xmtp_status join_inboxes(xmtp_arena *arena, const char *const *inboxes, size_t count,
                                const char **out, xmtp_error *error)
{
    void *text;
    XMTP_TRY(xmtp_arena_take_array(arena, count + 1, XMTP_INBOX_ID_LEN, &text));
    char *p = text;
    for (size_t i = 0; i < count; i++) {
        if (inboxes[i] == NULL || !xmtp_inbox_id_is_valid(xmtp_bytes_of_string(inboxes[i]))) {
            return xmtp_fail(error, XMTP_E_ARGUMENT, "sender %zu of a query is no inbox id", i);
        }
        memcpy(p, inboxes[i], XMTP_INBOX_ID_LEN);
        p += XMTP_INBOX_ID_LEN;
    }
    *p = '\0';
    *out = text;
    return XMTP_OK;
}

static uint64_t bound(uint64_t ns)
{
    return ns == 0 || ns > INT64_MAX ? INT64_MAX : ns;
}

static xmtp_status find_conversation(xmtp_client *client, const xmtp_conversation_id *id,
                                     xmtp_arena *arena, xmtp_message_filter *filter,
                                     xmtp_error *error)
{
    xmtp_group_row row;
    XMTP_TRY(xmtp_conversation_find(client, id, &filter->group_ref, error));
    XMTP_TRY(xmtp_stored(client, xmtp_group_row_read(client->db, filter->group_ref, arena, &row),
                         error));
    if (row.dm_id[0] != '\0') {
        filter->dm_id = row.dm_id; /* every group of this DM */
    }
    return XMTP_OK;
}

static xmtp_status make_filter(xmtp_client *client, const xmtp_message_query *query,
                               xmtp_arena *arena, xmtp_message_filter *out, xmtp_error *error)
{
    *out = xmtp_message_filter_all(xmtp_now_ns(client));
    out->sent_after_ns = query->after_ns > INT64_MAX ? INT64_MAX : query->after_ns;
    out->sent_before_ns = bound(query->before_ns);
    out->inserted_after_ns =
        query->inserted_after_ns > INT64_MAX ? INT64_MAX : query->inserted_after_ns;
    out->inserted_before_ns = bound(query->inserted_before_ns);
    out->kind = query->kind;
    out->delivery = query->delivery;
    if (query->content_type_count > 0) {
        out->content_types = mask_of(query->content_types, query->content_type_count);
    }
    out->content_types &=
        ~mask_of(query->content_types_left_out, query->content_type_left_out_count);
    XMTP_TRY(join_inboxes(arena, query->senders, query->sender_count, &out->senders, error));
    XMTP_TRY(join_inboxes(arena, query->senders_left_out, query->sender_left_out_count,
                          &out->senders_left_out, error));
    return query->conversation == NULL
               ? XMTP_OK
               : find_conversation(client, query->conversation, arena, out, error);
}

xmtp_status xmtp_client_messages(xmtp_client *client, const xmtp_message_query *query,
                                 xmtp_message_visit visit, void *context, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    xmtp_message_page page = {.newest_first = query->newest_first, .by_arrival = query->by_arrival};
    xmtp_arena arena;
    xmtp_scratch(client, &arena);
    xmtp_status status = make_filter(client, query, &arena, &page.filter, error);
    if (status == XMTP_OK) {
        status = list(client, &page, query->limit, visit, context, error);
    }
    xmtp_arena_reset(&arena);
    return status;
}

xmtp_status xmtp_client_message_count(xmtp_client *client, const xmtp_message_query *query,
                                      uint64_t *count, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    xmtp_message_filter filter;
    xmtp_arena arena;
    *count = 0;
    xmtp_scratch(client, &arena);
    xmtp_status status = make_filter(client, query, &arena, &filter, error);
    if (status == XMTP_OK) {
        status = xmtp_stored(client, xmtp_message_count(client->db, &filter, count), error);
    }
    xmtp_arena_reset(&arena);
    return status;
}

xmtp_status xmtp_client_message(xmtp_client *client, const uint8_t message_id[XMTP_MESSAGE_ID_LEN],
                                xmtp_message *out, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    xmtp_message_row row;
    xmtp_arena_reset(&client->out);
    xmtp_status status = xmtp_message_find(
        client->db, xmtp_bytes_of(message_id, XMTP_MESSAGE_ID_LEN), &client->out, &row);
    if (status == XMTP_OK && row.expire_ns != 0 && row.expire_ns <= xmtp_now_ns(client)) {
        status = XMTP_E_NOT_FOUND;
    }
    if (status == XMTP_OK && row.group_kind == XMTP_GROUP_KIND_SYNC) {
        status = XMTP_E_NOT_FOUND;
    }
    if (status == XMTP_E_NOT_FOUND) {
        return xmtp_fail(error, status, "no such message");
    }
    XMTP_TRY(xmtp_stored(client, status, error));
    return xmtp_message_view(client, &row, &client->out, out);
}
