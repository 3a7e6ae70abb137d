/* queue_store.c - the table queue: messages that a consumer has not acknowledged.
 *
 *     place 1  first of its conversation: may be offered        at most one per conversation
 *     place 0  waits behind the first
 *     place 2  set aside
 *
 * Finding what may be offered costs the number of conversations that have something, not the length
 * of the queue.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "store/message_store.h"
#include "store/query.h"

xmtp_status xmtp_queue_push(xmtp_database *db, xmtp_bytes message_id, int64_t group_ref)
{
    xmtp_query q = xmtp_query_start(
        db, "INSERT OR IGNORE INTO queue(message_id, group_ref, place, attempts, next_ns)"
            " VALUES(?1, ?2, NOT EXISTS(SELECT 1 FROM queue WHERE group_ref = ?2 AND place < 2),"
            " 0, 0)");
    xmtp_query_bind_bytes(&q, message_id);
    xmtp_query_bind_u64(&q, (uint64_t)group_ref);
    return xmtp_query_run(&q);
}

xmtp_status xmtp_queue_head(xmtp_database *db, int64_t after_id, xmtp_queue_row *out)
{
    xmtp_query q = xmtp_query_start(db, "SELECT id, message_id, attempts, next_ns FROM queue"
                                        " WHERE place = 1 AND id > ? ORDER BY id LIMIT 1");
    xmtp_query_bind_u64(&q, (uint64_t)after_id);
    xmtp_status status = xmtp_query_one(&q);
    if (status == XMTP_OK) {
        xmtp_bytes message_id = xmtp_query_view(&q, 1);
        *out = (xmtp_queue_row){.id = (int64_t)xmtp_query_u64(&q, 0),
                                .attempts = (uint32_t)xmtp_query_u64(&q, 2),
                                .next_ns = xmtp_query_u64(&q, 3)};
        status = message_id.n == sizeof(out->message_id) ? XMTP_OK : XMTP_E_CORRUPT;
        if (status == XMTP_OK) {
            memcpy(out->message_id, message_id.p, message_id.n);
        }
    }
    xmtp_query_end(&q);
    return status;
}

static xmtp_status find_group(xmtp_database *db, xmtp_bytes message_id, uint64_t *group_ref,
                              uint64_t *place)
{
    xmtp_query q = xmtp_query_start(db, "SELECT group_ref, place FROM queue WHERE message_id = ?");
    xmtp_query_bind_bytes(&q, message_id);
    xmtp_status status = xmtp_query_one(&q);
    if (status == XMTP_OK) {
        *group_ref = xmtp_query_u64(&q, 0);
        *place = xmtp_query_u64(&q, 1);
    }
    xmtp_query_end(&q);
    return status;
}

static xmtp_status promote_next(xmtp_database *db, uint64_t group_ref)
{
    xmtp_query q =
        xmtp_query_start(db, "UPDATE queue SET place = 1 WHERE id = (SELECT id FROM queue WHERE"
                             " group_ref = ? AND place = 0 ORDER BY id LIMIT 1)");
    xmtp_query_bind_u64(&q, group_ref);
    return xmtp_query_run(&q);
}

xmtp_status xmtp_queue_remove(xmtp_database *db, xmtp_bytes message_id)
{
    uint64_t group_ref = 0;
    uint64_t place = 0;
    XMTP_TRY(find_group(db, message_id, &group_ref, &place));
    xmtp_query q = xmtp_query_start(db, "DELETE FROM queue WHERE message_id = ?");
    xmtp_query_bind_bytes(&q, message_id);
    XMTP_TRY(xmtp_query_run(&q));
    return place == 1 ? promote_next(db, group_ref) : XMTP_OK;
}

xmtp_status xmtp_queue_set_failed(xmtp_database *db, xmtp_bytes message_id, uint64_t next_ns,
                                  bool set_aside)
{
    uint64_t group_ref = 0;
    uint64_t place = 0;
    XMTP_TRY(find_group(db, message_id, &group_ref, &place));
    xmtp_query q =
        xmtp_query_start(db, "UPDATE queue SET attempts = attempts + 1, next_ns = ?, place = ?"
                             " WHERE message_id = ?");
    xmtp_query_bind_u64(&q, next_ns > INT64_MAX ? INT64_MAX : next_ns);
    xmtp_query_bind_u64(&q, set_aside ? 2 : place);
    xmtp_query_bind_bytes(&q, message_id);
    XMTP_TRY(xmtp_query_run(&q));
    return set_aside && place == 1 ? promote_next(db, group_ref) : XMTP_OK;
}
