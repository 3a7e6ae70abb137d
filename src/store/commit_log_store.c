/* commit_log_store.c - the tables local_commits, remote_commits and commit_logs. */
#include "store/commit_log_store.h"

#include "base/bytes.h"
#include "base/status.h"
#include "store/query.h"

/* ---- local */

xmtp_status xmtp_local_commit_insert(xmtp_database *db, const xmtp_local_commit_row *row)
{
    xmtp_query q = xmtp_query_start(
        db, "INSERT INTO local_commits(group_ref, commit_sequence, result, epoch, authenticator,"
            " last_authenticator, kind, sender_inbox, sender_installation, error)"
            " VALUES(?, ?, ?, ?, ?, ?, ?, '', x'', '')");
    xmtp_query_bind_u64(&q, (uint64_t)row->group_ref);
    xmtp_query_bind_u64(&q, row->commit_sequence);
    xmtp_query_bind_u64(&q, row->result);
    xmtp_query_bind_u64(&q, row->epoch);
    xmtp_query_bind_bytes(&q, row->authenticator);
    xmtp_query_bind_bytes(&q, row->last_authenticator);
    xmtp_query_bind_text(&q, row->kind);
    return xmtp_query_run(&q);
}

#define LOCAL_COLUMNS                                                                              \
    "SELECT id, group_ref, commit_sequence, result, epoch, authenticator, last_authenticator,"     \
    " kind FROM local_commits WHERE group_ref = ?"

static xmtp_status read_local(const xmtp_query *q, xmtp_arena *arena, xmtp_local_commit_row *out)
{
    *out = (xmtp_local_commit_row){
        .id = (int64_t)xmtp_query_u64(q, 0),
        .group_ref = (int64_t)xmtp_query_u64(q, 1),
        .commit_sequence = xmtp_query_u64(q, 2),
        .result = (uint32_t)xmtp_query_u64(q, 3),
        .epoch = xmtp_query_u64(q, 4),
    };
    XMTP_TRY(xmtp_query_bytes(q, 5, arena, &out->authenticator));
    XMTP_TRY(xmtp_query_bytes(q, 6, arena, &out->last_authenticator));
    return xmtp_query_string(q, 7, arena, &out->kind);
}

xmtp_status xmtp_local_commit_before_newest(xmtp_database *db, int64_t group_ref, size_t count,
                                            int64_t *after_id)
{
    xmtp_query q = xmtp_query_start(db, LOCAL_COLUMNS
                                    " AND commit_sequence > 0 ORDER BY id DESC LIMIT 1 OFFSET ?");
    xmtp_query_bind_u64(&q, (uint64_t)group_ref);
    xmtp_query_bind_u64(&q, count);
    xmtp_status status = xmtp_query_one(&q);
    *after_id = status == XMTP_OK ? (int64_t)xmtp_query_u64(&q, 0) : 0;
    xmtp_query_end(&q);
    return status == XMTP_E_NOT_FOUND ? XMTP_OK : status;
}

xmtp_status xmtp_local_commit_list(xmtp_database *db, int64_t group_ref, int64_t after_id,
                                   size_t limit, xmtp_arena *arena, xmtp_local_commit_row **rows,
                                   size_t *count)
{
    void *items;
    *count = 0;
    XMTP_TRY(xmtp_arena_take_array(arena, limit, sizeof(**rows), &items));
    *rows = items;
    xmtp_query q = xmtp_query_start(db, LOCAL_COLUMNS
                                    " AND id > ? AND commit_sequence > 0 ORDER BY id LIMIT ?");
    xmtp_query_bind_u64(&q, (uint64_t)group_ref);
    xmtp_query_bind_u64(&q, (uint64_t)after_id);
    xmtp_query_bind_u64(&q, limit);
    bool has_row = false;
    xmtp_status status = xmtp_query_step(&q, &has_row);
    while (status == XMTP_OK && has_row && *count < limit) {
        status = read_local(&q, arena, &(*rows)[*count]);
        if (status == XMTP_OK) {
            (*count)++;
            status = xmtp_query_step(&q, &has_row);
        }
    }
    xmtp_query_end(&q);
    return status;
}

xmtp_status xmtp_local_commit_newest(xmtp_database *db, int64_t group_ref, xmtp_arena *arena,
                                     xmtp_local_commit_row *out)
{
    xmtp_query q = xmtp_query_start(db, LOCAL_COLUMNS " ORDER BY id DESC LIMIT 1");
    xmtp_query_bind_u64(&q, (uint64_t)group_ref);
    xmtp_status status = xmtp_query_one(&q);
    if (status == XMTP_OK) {
        status = read_local(&q, arena, out);
    }
    xmtp_query_end(&q);
    return status;
}

/* ---- remote */

xmtp_status xmtp_remote_commit_insert(xmtp_database *db, const xmtp_remote_commit_row *row)
{
    xmtp_query q = xmtp_query_start(
        db, "INSERT OR IGNORE INTO remote_commits(group_ref, log_sequence, commit_sequence, result,"
            " epoch, authenticator) VALUES(?, ?, ?, ?, ?, ?)");
    xmtp_query_bind_u64(&q, (uint64_t)row->group_ref);
    xmtp_query_bind_u64(&q, row->log_sequence);
    xmtp_query_bind_u64(&q, row->commit_sequence);
    xmtp_query_bind_u64(&q, row->result);
    xmtp_query_bind_u64(&q, row->epoch);
    xmtp_query_bind_bytes(&q, row->authenticator);
    return xmtp_query_run(&q);
}

static xmtp_status read_remote(const xmtp_query *q, xmtp_arena *arena, xmtp_remote_commit_row *out)
{
    *out = (xmtp_remote_commit_row){
        .group_ref = (int64_t)xmtp_query_u64(q, 0),
        .log_sequence = xmtp_query_u64(q, 1),
        .commit_sequence = xmtp_query_u64(q, 2),
        .result = (uint32_t)xmtp_query_u64(q, 3),
        .epoch = xmtp_query_u64(q, 4),
    };
    return xmtp_query_bytes(q, 5, arena, &out->authenticator);
}

xmtp_status xmtp_remote_commit_list(xmtp_database *db, int64_t group_ref, size_t limit,
                                    xmtp_arena *arena, xmtp_remote_commit_row **rows, size_t *count)
{
    void *items;
    *count = 0;
    XMTP_TRY(xmtp_arena_take_array(arena, limit, sizeof(**rows), &items));
    *rows = items;
    xmtp_query q = xmtp_query_start(
        db, "SELECT group_ref, log_sequence, commit_sequence, result, epoch, authenticator"
            " FROM remote_commits WHERE group_ref = ? ORDER BY log_sequence DESC LIMIT ?");
    xmtp_query_bind_u64(&q, (uint64_t)group_ref);
    xmtp_query_bind_u64(&q, limit);
    bool has_row = false;
    xmtp_status status = xmtp_query_step(&q, &has_row);
    while (status == XMTP_OK && has_row && *count < limit) {
        status = read_remote(&q, arena, &(*rows)[*count]);
        if (status == XMTP_OK) {
            (*count)++;
            status = xmtp_query_step(&q, &has_row);
        }
    }
    xmtp_query_end(&q);
    return status;
}

xmtp_status xmtp_commit_compare(xmtp_database *db, int64_t group_ref, bool *is_equal,
                                bool *is_newest)
{
    xmtp_query q = xmtp_query_start(
        db, "SELECT l.authenticator = r.authenticator,"
            " l.id = (SELECT max(id) FROM local_commits WHERE group_ref = ?1)"
            " FROM local_commits AS l JOIN remote_commits AS r ON r.group_ref = l.group_ref"
            " AND r.commit_sequence = l.commit_sequence"
            " WHERE l.group_ref = ?1 AND l.commit_sequence > 0"
            " ORDER BY l.id DESC, r.log_sequence DESC LIMIT 1");
    xmtp_query_bind_u64(&q, (uint64_t)group_ref);
    xmtp_status status = xmtp_query_one(&q);
    if (status == XMTP_OK) {
        *is_equal = xmtp_query_u64(&q, 0) != 0;
        *is_newest = xmtp_query_u64(&q, 1) != 0;
    }
    xmtp_query_end(&q);
    return status;
}

/* ---- how far we are */

xmtp_status xmtp_commit_log_read(xmtp_database *db, int64_t group_ref, xmtp_arena *arena,
                                 xmtp_commit_log_row *out)
{
    *out = (xmtp_commit_log_row){.group_ref = group_ref};
    xmtp_query q =
        xmtp_query_start(db, "SELECT signing_seed, public_key, uploaded, downloaded, fork_state"
                             " FROM commit_logs WHERE group_ref = ?");
    xmtp_query_bind_u64(&q, (uint64_t)group_ref);
    xmtp_status status = xmtp_query_one(&q);
    if (status == XMTP_OK) {
        out->uploaded = (int64_t)xmtp_query_u64(&q, 2);
        out->downloaded = xmtp_query_u64(&q, 3);
        out->fork_state = (uint32_t)xmtp_query_u64(&q, 4);
        status = xmtp_query_bytes(&q, 0, arena, &out->signing_seed);
    }
    if (status == XMTP_OK) {
        status = xmtp_query_bytes(&q, 1, arena, &out->public_key);
    }
    xmtp_query_end(&q);
    return status == XMTP_E_NOT_FOUND ? XMTP_OK : status;
}

xmtp_status xmtp_commit_log_write(xmtp_database *db, const xmtp_commit_log_row *row)
{
    xmtp_query q = xmtp_query_start(
        db, "INSERT OR REPLACE INTO commit_logs(group_ref, signing_seed, public_key, uploaded,"
            " downloaded, fork_state) VALUES(?, ?, ?, ?, ?, ?)");
    xmtp_query_bind_u64(&q, (uint64_t)row->group_ref);
    xmtp_query_bind_bytes(&q, row->signing_seed);
    xmtp_query_bind_bytes(&q, row->public_key);
    xmtp_query_bind_u64(&q, (uint64_t)row->uploaded);
    xmtp_query_bind_u64(&q, row->downloaded);
    xmtp_query_bind_u64(&q, row->fork_state);
    return xmtp_query_run(&q);
}
