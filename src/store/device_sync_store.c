/* device_sync_store.c - the tables sync_tasks and sync_requests, and questions about sync groups. */
#include "store/device_sync_store.h"

#include "base/bytes.h"
#include "base/status.h"
#include "store/message_row.h"
#include "store/query.h"

/* ---- sync groups */

xmtp_status xmtp_sync_group_newest(xmtp_database *db, xmtp_arena *arena, xmtp_group_row *out)
{
    xmtp_query q = xmtp_query_start(
        db, "SELECT id FROM groups WHERE kind = 3 AND stage = 2 AND is_active = 1"
            " AND member_count = 1 AND paused_for = '' ORDER BY created_ns DESC, id DESC LIMIT 1");
    xmtp_status status = xmtp_query_one(&q);
    int64_t ref = status == XMTP_OK ? (int64_t)xmtp_query_u64(&q, 0) : 0;
    xmtp_query_end(&q);
    return status == XMTP_OK ? xmtp_group_row_read(db, ref, arena, out) : status;
}

static xmtp_status is_there(xmtp_query *q, bool *out)
{
    xmtp_status status = xmtp_query_one(q);
    *out = status == XMTP_OK;
    xmtp_query_end(q);
    return status == XMTP_E_NOT_FOUND ? XMTP_OK : status;
}

xmtp_status xmtp_sync_group_is_made(xmtp_database *db, bool *out)
{
    xmtp_query q = xmtp_query_start(db, "SELECT 1 FROM groups WHERE kind = 3 AND stage = 2"
                                        " AND welcome_id = 0 LIMIT 1");
    return is_there(&q, out);
}

xmtp_status xmtp_sync_group_has_strangers(xmtp_database *db, bool *out)
{
    xmtp_query q = xmtp_query_start(db, "SELECT 1 FROM groups WHERE kind = 3 AND stage = 2"
                                        " AND is_active = 1 AND member_count > 1 LIMIT 1");
    return is_there(&q, out);
}

/* ---- tasks */

xmtp_status xmtp_sync_task_insert(xmtp_database *db, xmtp_bytes message_id)
{
    xmtp_query q = xmtp_query_start(db, "INSERT OR IGNORE INTO sync_tasks(message_ref, attempts,"
                                        " next_ns) SELECT id, 0, 0 FROM messages"
                                        " WHERE message_id = ?");
    xmtp_query_bind_bytes(&q, message_id);
    return xmtp_query_run(&q);
}

xmtp_status xmtp_sync_task_next(xmtp_database *db, uint64_t now_ns, xmtp_arena *arena,
                                xmtp_sync_task_row *out)
{
    xmtp_query q = xmtp_query_start(db, "SELECT t.id, t.attempts, m.message_id FROM sync_tasks AS t"
                                        " JOIN messages AS m ON m.id = t.message_ref"
                                        " WHERE t.next_ns <= ? ORDER BY t.id LIMIT 1");
    xmtp_bytes message_id = {0};
    xmtp_query_bind_u64(&q, now_ns);
    xmtp_status status = xmtp_query_one(&q);
    if (status == XMTP_OK) {
        *out = (xmtp_sync_task_row){.id = (int64_t)xmtp_query_u64(&q, 0),
                                    .attempts = (uint32_t)xmtp_query_u64(&q, 1)};
        status = xmtp_query_bytes(&q, 2, arena, &message_id);
    }
    xmtp_query_end(&q);
    return status == XMTP_OK ? xmtp_message_find(db, message_id, arena, &out->message) : status;
}

xmtp_status xmtp_sync_task_due(xmtp_database *db, uint64_t *next_ns)
{
    xmtp_query q = xmtp_query_start(db, "SELECT next_ns FROM sync_tasks ORDER BY next_ns LIMIT 1");
    xmtp_status status = xmtp_query_one(&q);
    *next_ns = status == XMTP_OK ? xmtp_query_u64(&q, 0) : UINT64_MAX;
    xmtp_query_end(&q);
    return status;
}

xmtp_status xmtp_sync_task_set_attempts(xmtp_database *db, int64_t id, uint32_t attempts,
                                        uint64_t next_ns)
{
    xmtp_query q =
        xmtp_query_start(db, "UPDATE sync_tasks SET attempts = ?, next_ns = ? WHERE id = ?");
    xmtp_query_bind_u64(&q, attempts);
    xmtp_query_bind_u64(&q, next_ns);
    xmtp_query_bind_u64(&q, (uint64_t)id);
    return xmtp_query_run(&q);
}

xmtp_status xmtp_sync_task_delete(xmtp_database *db, int64_t id)
{
    xmtp_query q = xmtp_query_start(db, "DELETE FROM sync_tasks WHERE id = ?");
    xmtp_query_bind_u64(&q, (uint64_t)id);
    return xmtp_query_run(&q);
}

/* ---- requests */

xmtp_status xmtp_sync_request_insert(xmtp_database *db, const char *pin, uint64_t asked_ns)
{
    xmtp_query q =
        xmtp_query_start(db, "INSERT OR REPLACE INTO sync_requests(pin, asked_ns) VALUES(?, ?)");
    xmtp_query_bind_text(&q, pin);
    xmtp_query_bind_u64(&q, asked_ns);
    return xmtp_query_run(&q);
}

xmtp_status xmtp_sync_request_is_ours(xmtp_database *db, const char *pin, bool *out)
{
    xmtp_query q = xmtp_query_start(db, "SELECT 1 FROM sync_requests WHERE pin = ?");
    xmtp_query_bind_text(&q, pin);
    return is_there(&q, out);
}

xmtp_status xmtp_sync_messages(xmtp_database *db, uint64_t after_ns, size_t limit,
                               xmtp_arena *arena, xmtp_message_row **rows, size_t *count)
{
    void *items;
    *count = 0;
    XMTP_TRY(xmtp_arena_take_array(arena, limit, sizeof(**rows), &items));
    *rows = items;
    xmtp_query q =
        xmtp_query_start(db, MESSAGE_SELECT " WHERE g.kind = 3 AND m.kind = 1 AND m.sent_ns > ?"
                                            " ORDER BY m.sent_ns DESC, m.id DESC LIMIT ?");
    xmtp_query_bind_u64(&q, after_ns);
    xmtp_query_bind_u64(&q, limit);
    return xmtp_message_read_rows(&q, arena, limit, *rows, count);
}
