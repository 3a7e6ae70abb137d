/* message_store.c - the table messages. Listings go page by page so that no statement stays open
 * while a caller looks at the rows. */
#include "store/message_store.h"

#include "base/bytes.h"
#include "base/status.h"
#include "store/group_store.h"
#include "store/query.h"

xmtp_status xmtp_message_insert(xmtp_database *db, const xmtp_message_row *row, bool *is_new)
{
    xmtp_query q = xmtp_query_start(
        db, "INSERT OR IGNORE INTO messages(message_id, group_ref, kind, delivery, sender_inbox,"
            " sender_installation, sent_ns, sequence, content) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)");
    xmtp_query_bind_bytes(&q, row->message_id);
    xmtp_query_bind_u64(&q, (uint64_t)row->group_ref);
    xmtp_query_bind_u64(&q, row->kind);
    xmtp_query_bind_u64(&q, row->delivery);
    xmtp_query_bind_text(&q, row->sender_inbox);
    xmtp_query_bind_bytes(&q, row->sender_installation);
    xmtp_query_bind_u64(&q, row->sent_ns);
    xmtp_query_bind_u64(&q, row->sequence);
    xmtp_query_bind_bytes(&q, row->content);
    XMTP_TRY(xmtp_query_run(&q));
    *is_new = xmtp_database_changes(db) == 1;
    return *is_new ? xmtp_group_row_set_last_message(db, row->group_ref, row->sent_ns) : XMTP_OK;
}

xmtp_status xmtp_message_set_published(xmtp_database *db, xmtp_bytes message_id, uint64_t sent_ns,
                                       uint64_t sequence)
{
    xmtp_query q = xmtp_query_start(db, "UPDATE messages SET delivery = 2, sent_ns = ?,"
                                        " sequence = ? WHERE message_id = ?");
    xmtp_query_bind_u64(&q, sent_ns);
    xmtp_query_bind_u64(&q, sequence);
    xmtp_query_bind_bytes(&q, message_id);
    return xmtp_query_run(&q);
}

xmtp_status xmtp_message_set_failed(xmtp_database *db, xmtp_bytes message_id)
{
    xmtp_query q = xmtp_query_start(db, "UPDATE messages SET delivery = 3 WHERE message_id = ?");
    xmtp_query_bind_bytes(&q, message_id);
    return xmtp_query_run(&q);
}

#define MESSAGE_SELECT                                                                             \
    "SELECT m.id, m.message_id, m.group_ref, m.kind, m.delivery, m.sender_inbox,"                  \
    " m.sender_installation, m.sent_ns, m.sequence, m.content, g.group_id, g.kind, i.address"      \
    " FROM messages AS m JOIN groups AS g ON g.id = m.group_ref"                                   \
    " LEFT JOIN inboxes AS i ON i.inbox_id = m.sender_inbox"

static xmtp_status read_row(const xmtp_query *q, xmtp_arena *arena, xmtp_message_row *out)
{
    *out = (xmtp_message_row){
        .row = (int64_t)xmtp_query_u64(q, 0),
        .group_ref = (int64_t)xmtp_query_u64(q, 2),
        .kind = (uint32_t)xmtp_query_u64(q, 3),
        .delivery = (uint32_t)xmtp_query_u64(q, 4),
        .sent_ns = xmtp_query_u64(q, 7),
        .sequence = xmtp_query_u64(q, 8),
        .group_kind = (uint32_t)xmtp_query_u64(q, 11),
    };
    XMTP_TRY(xmtp_query_bytes(q, 1, arena, &out->message_id));
    XMTP_TRY(xmtp_query_string(q, 5, arena, &out->sender_inbox));
    XMTP_TRY(xmtp_query_bytes(q, 6, arena, &out->sender_installation));
    XMTP_TRY(xmtp_query_bytes(q, 9, arena, &out->content));
    XMTP_TRY(xmtp_query_bytes(q, 10, arena, &out->group_id));
    return xmtp_query_string(q, 12, arena, &out->sender_address);
}

xmtp_status xmtp_message_find(xmtp_database *db, xmtp_bytes message_id, xmtp_arena *arena,
                              xmtp_message_row *out)
{
    xmtp_query q = xmtp_query_start(db, MESSAGE_SELECT " WHERE m.message_id = ?");
    xmtp_query_bind_bytes(&q, message_id);
    xmtp_status status = xmtp_query_one(&q);
    if (status == XMTP_OK) {
        status = read_row(&q, arena, out);
    }
    xmtp_query_end(&q);
    return status;
}

xmtp_status xmtp_message_dm_has_change(xmtp_database *db, const char *dm_id, xmtp_bytes content,
                                       bool *out)
{
    xmtp_query q =
        xmtp_query_start(db, "SELECT 1 FROM groups AS g JOIN messages AS m ON m.group_ref = g.id"
                             " WHERE g.dm_id = ? AND m.kind = 2 AND m.content = ? LIMIT 1");
    xmtp_query_bind_text(&q, dm_id);
    xmtp_query_bind_bytes(&q, content);
    xmtp_status status = xmtp_query_one(&q);
    *out = status == XMTP_OK;
    xmtp_query_end(&q);
    return status == XMTP_E_NOT_FOUND ? XMTP_OK : status;
}

/* ---- listings */

#define ONE_GROUP " WHERE m.group_ref = ?"
#define ONE_DM    " WHERE m.group_ref IN (SELECT id FROM groups WHERE dm_id = ?)"
#define EVERY     " WHERE ?1 = 0"
#define FORWARD                                                                                    \
    " AND g.stage = 2 AND m.sent_ns > ?2 AND (m.sent_ns, m.sequence, m.id) > (?3, ?4, ?5)"         \
    " ORDER BY m.sent_ns, m.sequence, m.id LIMIT ?6"
#define BACKWARD                                                                                   \
    " AND g.stage = 2 AND m.sent_ns > ?2 AND (m.sent_ns, m.sequence, m.id) < (?3, ?4, ?5)"         \
    " ORDER BY m.sent_ns DESC, m.sequence DESC, m.id DESC LIMIT ?6"

static const char *const listings[3][2] = {
    {MESSAGE_SELECT ONE_GROUP FORWARD, MESSAGE_SELECT ONE_GROUP BACKWARD},
    {MESSAGE_SELECT ONE_DM FORWARD, MESSAGE_SELECT ONE_DM BACKWARD},
    {MESSAGE_SELECT EVERY FORWARD, MESSAGE_SELECT EVERY BACKWARD},
};

void xmtp_message_page_start(xmtp_message_page *page)
{
    page->sent_ns = page->newest_first ? INT64_MAX : page->after_ns;
    page->sequence = page->newest_first ? INT64_MAX : 0;
    page->row = page->newest_first ? INT64_MAX : 0;
}

static xmtp_query start_page(xmtp_database *db, const xmtp_message_page *page)
{
    size_t which = page->dm_id != NULL ? 1 : page->group_ref != 0 ? 0 : 2;
    xmtp_query q = xmtp_query_start(db, listings[which][page->newest_first]);
    if (page->dm_id != NULL) {
        xmtp_query_bind_text(&q, page->dm_id);
    } else {
        xmtp_query_bind_u64(&q, (uint64_t)page->group_ref);
    }
    xmtp_query_bind_u64(&q, page->after_ns);
    xmtp_query_bind_u64(&q, page->sent_ns);
    xmtp_query_bind_u64(&q, page->sequence);
    xmtp_query_bind_u64(&q, (uint64_t)page->row);
    xmtp_query_bind_u64(&q, page->limit);
    return q;
}

xmtp_status xmtp_message_page_next(xmtp_database *db, xmtp_message_page *page, xmtp_arena *arena,
                                   xmtp_message_row *rows, size_t *count)
{
    *count = 0;
    xmtp_query q = start_page(db, page);
    bool has_row = false;
    xmtp_status status = xmtp_query_step(&q, &has_row);
    while (status == XMTP_OK && has_row) {
        status = read_row(&q, arena, &rows[*count]);
        if (status == XMTP_OK) {
            page->sent_ns = rows[*count].sent_ns;
            page->sequence = rows[*count].sequence;
            page->row = rows[*count].row;
            (*count)++;
            status = xmtp_query_step(&q, &has_row);
        }
    }
    xmtp_query_end(&q);
    return status;
}
