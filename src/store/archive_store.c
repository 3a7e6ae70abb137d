/* archive_store.c - the table restored_groups. */
#include "store/archive_store.h"

#include "base/bytes.h"
#include "base/status.h"
#include "store/query.h"

xmtp_status xmtp_restored_put(xmtp_database *db, int64_t group_ref, xmtp_bytes save)
{
    xmtp_query q = xmtp_query_start(
        db, "INSERT OR REPLACE INTO restored_groups(group_ref, save) VALUES(?, ?)");
    xmtp_query_bind_u64(&q, (uint64_t)group_ref);
    xmtp_query_bind_bytes(&q, save);
    return xmtp_query_run(&q);
}

xmtp_status xmtp_restored_read(xmtp_database *db, int64_t group_ref, xmtp_arena *arena,
                               xmtp_bytes *save)
{
    xmtp_query q = xmtp_query_start(db, "SELECT save FROM restored_groups WHERE group_ref = ?");
    xmtp_query_bind_u64(&q, (uint64_t)group_ref);
    xmtp_status status = xmtp_query_one(&q);
    if (status == XMTP_OK) {
        status = xmtp_query_bytes(&q, 0, arena, save);
    }
    xmtp_query_end(&q);
    return status;
}

xmtp_status xmtp_restored_delete(xmtp_database *db, int64_t group_ref)
{
    xmtp_query q = xmtp_query_start(db, "DELETE FROM restored_groups WHERE group_ref = ?");
    xmtp_query_bind_u64(&q, (uint64_t)group_ref);
    return xmtp_query_run(&q);
}
