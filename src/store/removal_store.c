/* removal_store.c - the table pending_removals. */
#include "store/removal_store.h"

#include "base/bytes.h"
#include "base/status.h"
#include "store/query.h"

xmtp_status xmtp_removal_insert(xmtp_database *db, int64_t group_ref, const char *inbox_id,
                                xmtp_bytes message_id)
{
    xmtp_query q = xmtp_query_start(db, "INSERT OR IGNORE INTO pending_removals(group_ref,"
                                        " inbox_id, message_id) VALUES(?, ?, ?)");
    xmtp_query_bind_u64(&q, (uint64_t)group_ref);
    xmtp_query_bind_text(&q, inbox_id);
    xmtp_query_bind_bytes(&q, message_id);
    return xmtp_query_run(&q);
}

xmtp_status xmtp_removal_delete(xmtp_database *db, int64_t group_ref, const char *inbox_id)
{
    xmtp_query q =
        xmtp_query_start(db, "DELETE FROM pending_removals WHERE group_ref = ? AND inbox_id = ?");
    xmtp_query_bind_u64(&q, (uint64_t)group_ref);
    xmtp_query_bind_text(&q, inbox_id);
    return xmtp_query_run(&q);
}

static xmtp_status count_rows(xmtp_query q, size_t *count)
{
    xmtp_status status = xmtp_query_one(&q);
    *count = status == XMTP_OK ? (size_t)xmtp_query_u64(&q, 0) : 0;
    xmtp_query_end(&q);
    return status;
}

xmtp_status xmtp_removal_list(xmtp_database *db, int64_t group_ref, xmtp_arena *arena,
                              const char ***inboxes, size_t *count)
{
    size_t capacity;
    void *items;
    *count = 0;
    xmtp_query counting =
        xmtp_query_start(db, "SELECT count(*) FROM pending_removals WHERE group_ref = ?");
    xmtp_query_bind_u64(&counting, (uint64_t)group_ref);
    XMTP_TRY(count_rows(counting, &capacity));
    XMTP_TRY(xmtp_arena_take_array(arena, capacity, sizeof(char *), &items));
    *inboxes = items;
    xmtp_query q = xmtp_query_start(
        db, "SELECT inbox_id FROM pending_removals WHERE group_ref = ? ORDER BY inbox_id");
    xmtp_query_bind_u64(&q, (uint64_t)group_ref);
    bool has_row = false;
    xmtp_status status = xmtp_query_step(&q, &has_row);
    while (status == XMTP_OK && has_row && *count < capacity) {
        status = xmtp_query_string(&q, 0, arena, &(*inboxes)[*count]);
        if (status == XMTP_OK) {
            (*count)++;
            status = xmtp_query_step(&q, &has_row);
        }
    }
    xmtp_query_end(&q);
    return status;
}

xmtp_status xmtp_removal_groups(xmtp_database *db, xmtp_arena *arena, int64_t **refs, size_t *count)
{
    size_t capacity;
    void *items;
    *count = 0;
    XMTP_TRY(count_rows(
        xmtp_query_start(db, "SELECT count(DISTINCT group_ref) FROM pending_removals"), &capacity));
    XMTP_TRY(xmtp_arena_take_array(arena, capacity, sizeof(**refs), &items));
    *refs = items;
    if (capacity == 0) {
        return XMTP_OK; /* nearly always */
    }
    xmtp_query q = xmtp_query_start(db, "SELECT DISTINCT group_ref FROM pending_removals");
    bool has_row = false;
    xmtp_status status = xmtp_query_step(&q, &has_row);
    while (status == XMTP_OK && has_row && *count < capacity) {
        (*refs)[(*count)++] = (int64_t)xmtp_query_u64(&q, 0);
        status = xmtp_query_step(&q, &has_row);
    }
    xmtp_query_end(&q);
    return status;
}
