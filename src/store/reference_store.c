/* reference_store.c - messages that are about other messages: found by the index of references.
 *
 * An id can be named from any conversation. What counts is in the same group as the message that is
 * named, or in another group of the same DM.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "store/message_row.h"

#define SAME_CONVERSATION                                                                          \
    " AND (m.group_ref = t.group_ref OR g.dm_id = (SELECT dm_id FROM groups WHERE id ="            \
    " t.group_ref))"
#define TARGET                                                                                     \
    " JOIN messages AS t ON t.message_id = ?1 WHERE m.reference = ?1 AND m.content_type = ?2"      \
    " AND m.kind = 1" SAME_CONVERSATION

xmtp_status xmtp_message_reference_count(xmtp_database *db, xmtp_bytes message_id,
                                         uint32_t content_type, size_t *count)
{
    xmtp_query q = xmtp_query_start(db, "SELECT count(*) FROM messages AS m JOIN groups AS g"
                                        " ON g.id = m.group_ref" TARGET);
    xmtp_query_bind_bytes(&q, message_id);
    xmtp_query_bind_u64(&q, content_type);
    xmtp_status status = xmtp_query_one(&q);
    *count = status == XMTP_OK ? (size_t)xmtp_query_u64(&q, 0) : 0;
    xmtp_query_end(&q);
    return status;
}

xmtp_status xmtp_message_references(xmtp_database *db, xmtp_bytes message_id, uint32_t content_type,
                                    size_t limit, xmtp_arena *arena, xmtp_message_row **rows,
                                    size_t *count)
{
    size_t capacity;
    void *items;
    *count = 0;
    XMTP_TRY(xmtp_message_reference_count(db, message_id, content_type, &capacity));
    capacity = capacity < limit ? capacity : limit;
    XMTP_TRY(xmtp_arena_take_array(arena, capacity, sizeof(**rows), &items));
    *rows = items;
    if (capacity == 0) {
        return XMTP_OK; /* nearly always */
    }
    xmtp_query q = xmtp_query_start(db, MESSAGE_SELECT TARGET
                                    " ORDER BY m.sent_ns, m.sequence, m.id LIMIT ?3");
    xmtp_query_bind_bytes(&q, message_id);
    xmtp_query_bind_u64(&q, content_type);
    xmtp_query_bind_u64(&q, capacity);
    return xmtp_message_read_rows(&q, arena, capacity, *rows, count);
}

xmtp_status xmtp_message_original(xmtp_database *db, xmtp_bytes message_id, xmtp_arena *arena,
                                  xmtp_message_row *out)
{
    xmtp_query q =
        xmtp_query_start(db, MESSAGE_SELECT " JOIN messages AS t ON t.message_id = ?1"
                                            " WHERE m.message_id = t.reference" SAME_CONVERSATION);
    xmtp_query_bind_bytes(&q, message_id);
    xmtp_status status = xmtp_query_one(&q);
    if (status == XMTP_OK) {
        status = xmtp_message_read_row(&q, arena, out);
    }
    xmtp_query_end(&q);
    return status;
}

xmtp_status xmtp_message_newest_of_sender(xmtp_database *db, xmtp_bytes message_id,
                                          uint32_t content_type, xmtp_arena *arena,
                                          xmtp_message_row *out)
{
    xmtp_query q = xmtp_query_start(db, MESSAGE_SELECT TARGET
                                    " AND m.group_ref = t.group_ref"
                                    " AND m.sender_inbox = t.sender_inbox"
                                    " ORDER BY m.sent_ns DESC, m.sequence DESC, m.id DESC LIMIT 1");
    xmtp_query_bind_bytes(&q, message_id);
    xmtp_query_bind_u64(&q, content_type);
    xmtp_status status = xmtp_query_one(&q);
    if (status == XMTP_OK) {
        status = xmtp_message_read_row(&q, arena, out);
    }
    xmtp_query_end(&q);
    return status;
}

/* ---- taken back */

xmtp_status xmtp_deletion_insert(xmtp_database *db, int64_t group_ref, xmtp_bytes message_id,
                                 const char *inbox_id, bool is_super_admin)
{
    xmtp_query q = xmtp_query_start(
        db, "INSERT INTO message_deletions(group_ref, message_id, inbox_id, is_super_admin)"
            " VALUES(?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET is_super_admin = max(is_super_admin, excluded.is_super_admin)");
    xmtp_query_bind_u64(&q, (uint64_t)group_ref);
    xmtp_query_bind_bytes(&q, message_id);
    xmtp_query_bind_text(&q, inbox_id);
    xmtp_query_bind_u64(&q, is_super_admin);
    return xmtp_query_run(&q);
}

xmtp_status xmtp_deletion_find(xmtp_database *db, xmtp_bytes message_id, uint64_t content_types,
                               xmtp_arena *arena, const char **inbox_id)
{
    xmtp_query q = xmtp_query_start(
        db, "SELECT d.inbox_id FROM messages AS m JOIN message_deletions AS d"
            " ON d.group_ref = m.group_ref AND d.message_id = m.message_id"
            " WHERE m.message_id = ? AND m.kind = 1 AND (? >> m.content_type) & 1 = 1"
            " AND (d.inbox_id = m.sender_inbox OR d.is_super_admin = 1)"
            " ORDER BY d.inbox_id <> m.sender_inbox, d.inbox_id LIMIT 1");
    xmtp_query_bind_bytes(&q, message_id);
    xmtp_query_bind_u64(&q, content_types);
    xmtp_status status = xmtp_query_one(&q);
    if (status == XMTP_OK) {
        status = xmtp_query_string(&q, 0, arena, inbox_id);
    }
    xmtp_query_end(&q);
    return status;
}

/* ---- receipts */

#define OF_TYPE                                                                                    \
    " FROM messages AS m JOIN groups AS g ON g.id = m.group_ref WHERE m.content_type = ?2"         \
    " AND m.kind = 1 AND (m.group_ref = ?1 OR g.dm_id = (SELECT dm_id FROM groups WHERE id = ?1))"

static xmtp_status count_readers(xmtp_database *db, int64_t group_ref, uint32_t content_type,
                                 size_t *count)
{
    xmtp_query q = xmtp_query_start(db, "SELECT count(DISTINCT m.sender_inbox)" OF_TYPE);
    xmtp_query_bind_u64(&q, (uint64_t)group_ref);
    xmtp_query_bind_u64(&q, content_type);
    xmtp_status status = xmtp_query_one(&q);
    *count = status == XMTP_OK ? (size_t)xmtp_query_u64(&q, 0) : 0;
    xmtp_query_end(&q);
    return status;
}

xmtp_status xmtp_message_last_reads(xmtp_database *db, int64_t group_ref, uint32_t content_type,
                                    xmtp_arena *arena, xmtp_message_read **reads, size_t *count)
{
    size_t capacity;
    void *items;
    *count = 0;
    XMTP_TRY(count_readers(db, group_ref, content_type, &capacity));
    XMTP_TRY(xmtp_arena_take_array(arena, capacity, sizeof(**reads), &items));
    *reads = items;
    xmtp_query q = xmtp_query_start(db, "SELECT m.sender_inbox, max(m.sent_ns)" OF_TYPE
                                        " GROUP BY m.sender_inbox");
    xmtp_query_bind_u64(&q, (uint64_t)group_ref);
    xmtp_query_bind_u64(&q, content_type);
    bool has_row = false;
    xmtp_status status = xmtp_query_step(&q, &has_row);
    while (status == XMTP_OK && has_row && *count < capacity) {
        xmtp_message_read *read = &(*reads)[*count];
        read->read_ns = xmtp_query_u64(&q, 1);
        status = xmtp_query_string(&q, 0, arena, &read->inbox_id);
        if (status == XMTP_OK) {
            (*count)++;
            status = xmtp_query_step(&q, &has_row);
        }
    }
    xmtp_query_end(&q);
    return status;
}
