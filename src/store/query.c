/* query.c - prepared statements, kept in a small open-addressed table by the address of their SQL.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "store/database_internal.h"

static kept_statement *find_slot(xmtp_database *db, const char *sql)
{
    size_t start = ((uintptr_t)sql >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> 56;
    for (size_t i = 0; i < STATEMENT_SLOTS; i++) {
        kept_statement *slot = &db->kept[(start + i) % STATEMENT_SLOTS];
        if (slot->sql == NULL || slot->sql == sql) {
            return slot;
        }
    }
    return NULL;
}

static void prepare(xmtp_query *q, const char *sql, unsigned flags)
{
    int code = sqlite3_prepare_v3(q->db->handle, sql, -1, flags, &q->statement, NULL);
    if (code != SQLITE_OK) {
        q->status = xmtp_database_fail(q->db, code, "statement");
    }
}

static void take_kept(xmtp_query *q, kept_statement *slot, const char *sql)
{
    if (slot->statement == NULL) {
        prepare(q, sql, SQLITE_PREPARE_PERSISTENT);
        slot->statement = q->statement;
        slot->sql = q->statement == NULL ? NULL : sql;
    }
    q->statement = slot->statement;
    slot->is_busy = q->statement != NULL;
    q->slot = slot;
}

xmtp_query xmtp_query_start(xmtp_database *db, const char *sql)
{
    xmtp_query q = {.db = db, .status = xmtp_database_wake(db)};
    if (q.status != XMTP_OK) {
        return q;
    }
    kept_statement *slot = find_slot(db, sql);
    if (slot == NULL || slot->is_busy) {
        prepare(&q, sql, 0);
    } else {
        take_kept(&q, slot, sql);
    }
    db->uses++;
    db->busy_count += q.statement != NULL;
    return q;
}

void xmtp_query_end(xmtp_query *q)
{
    if (q->statement == NULL) {
        return;
    }
    if (q->slot == NULL) {
        (void)sqlite3_finalize(q->statement);
    } else {
        (void)sqlite3_reset(q->statement);
        (void)sqlite3_clear_bindings(q->statement); /* they may point at secrets */
        q->slot->is_busy = false;
    }
    q->statement = NULL;
    q->db->busy_count--;
}

static void check_bound(xmtp_query *q, int code)
{
    if (code != SQLITE_OK && q->status == XMTP_OK) {
        q->status = xmtp_database_fail(q->db, code, "value of a statement");
    }
}

void xmtp_query_bind_u64(xmtp_query *q, uint64_t value)
{
    if (q->status != XMTP_OK) {
        return;
    }
    if (value > INT64_MAX) {
        q->status = xmtp_fail(&q->db->error, XMTP_E_LIMIT, "number above 2^63 - 1");
        return;
    }
    check_bound(q, sqlite3_bind_int64(q->statement, ++q->bound, (sqlite3_int64)value));
}

void xmtp_query_bind_bytes(xmtp_query *q, xmtp_bytes value)
{
    if (q->status != XMTP_OK) {
        return;
    }
    const void *p = value.n == 0 ? "" : (const void *)value.p;
    check_bound(q, sqlite3_bind_blob64(q->statement, ++q->bound, p, value.n, SQLITE_STATIC));
}

void xmtp_query_bind_text(xmtp_query *q, const char *text)
{
    if (q->status != XMTP_OK) {
        return;
    }
    check_bound(q, sqlite3_bind_text(q->statement, ++q->bound, text, -1, SQLITE_STATIC));
}

xmtp_status xmtp_query_step(xmtp_query *q, bool *has_row)
{
    *has_row = false;
    XMTP_TRY(q->status);
    int code = sqlite3_step(q->statement);
    *has_row = code == SQLITE_ROW;
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        q->status = xmtp_database_fail(q->db, code, "database");
    }
    return q->status;
}

xmtp_status xmtp_query_one(xmtp_query *q)
{
    bool has_row;
    XMTP_TRY(xmtp_query_step(q, &has_row));
    return has_row ? XMTP_OK : XMTP_E_NOT_FOUND;
}

xmtp_status xmtp_query_run(xmtp_query *q)
{
    bool has_row;
    xmtp_status status = xmtp_query_step(q, &has_row);
    xmtp_query_end(q);
    return status;
}

uint64_t xmtp_query_u64(const xmtp_query *q, int column)
{
    return (uint64_t)sqlite3_column_int64(q->statement, column);
}

xmtp_bytes xmtp_query_view(const xmtp_query *q, int column)
{
    const void *p = sqlite3_column_blob(q->statement, column);
    int n = sqlite3_column_bytes(q->statement, column);
    return xmtp_bytes_of(p, p == NULL ? 0 : (size_t)n);
}

xmtp_status xmtp_query_string(const xmtp_query *q, int column, xmtp_arena *arena, const char **out)
{
    char *copy;
    XMTP_TRY(xmtp_arena_string(arena, xmtp_query_view(q, column), &copy));
    *out = copy;
    return XMTP_OK;
}

xmtp_status xmtp_query_bytes(const xmtp_query *q, int column, xmtp_arena *arena, xmtp_bytes *out)
{
    return xmtp_arena_copy(arena, xmtp_query_view(q, column), out);
}
