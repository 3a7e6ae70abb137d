/* query.h - statements of this room: prepared once, bound in order, stepped, reset.
 *
 *     xmtp_query q = xmtp_query_start(db, "SELECT name FROM groups WHERE group_id = ?");
 *     xmtp_query_bind_bytes(&q, group_id);
 *     xmtp_status status = xmtp_query_one(&q);             XMTP_E_NOT_FOUND without a row
 *     if (status == XMTP_OK) status = xmtp_query_string(&q, 0, arena, &name);
 *     xmtp_query_end(&q);
 *
 * Statements are kept by the address of their SQL literal, so every SQL text must be a string
 * constant. Errors are sticky until xmtp_query_end. What is bound must live until the end. A
 * statement is not used twice at a time: a nested use gets a fresh one.
 */
#ifndef XMTP_STORE_QUERY_H
#define XMTP_STORE_QUERY_H

#include "base/arena.h"
#include "store/database.h"

#ifndef SQLITE_HAS_CODEC
#define SQLITE_HAS_CODEC 1 /* declares sqlite3_key */
#endif
#include <sqlcipher/sqlite3.h>

typedef struct xmtp_query {
    xmtp_database *db;
    sqlite3_stmt *statement;
    struct kept_statement *slot; /* NULL: finalized at the end instead of kept */
    int bound;
    xmtp_status status;
} xmtp_query;

xmtp_query xmtp_query_start(xmtp_database *db, const char *sql);
void xmtp_query_end(xmtp_query *q);

void xmtp_query_bind_u64(xmtp_query *q, uint64_t value); /* above 2^63-1: XMTP_E_LIMIT */
void xmtp_query_bind_bytes(xmtp_query *q, xmtp_bytes value);
void xmtp_query_bind_text(xmtp_query *q, const char *text); /* NULL binds NULL */

/* The next row. *has_row false at the end. */
XMTP_MUST_CHECK xmtp_status xmtp_query_step(xmtp_query *q, bool *has_row);
/* The first row, or XMTP_E_NOT_FOUND. */
XMTP_MUST_CHECK xmtp_status xmtp_query_one(xmtp_query *q);
/* For statements without rows: steps and ends. */
XMTP_MUST_CHECK xmtp_status xmtp_query_run(xmtp_query *q);

/* Columns of the present row, numbered from 0. */
uint64_t xmtp_query_u64(const xmtp_query *q, int column);
xmtp_bytes xmtp_query_view(const xmtp_query *q, int column); /* until the next step */
/* Copies in the arena. NULL gives "" and an empty view. */
XMTP_MUST_CHECK xmtp_status xmtp_query_string(const xmtp_query *q, int column, xmtp_arena *arena,
                                              const char **out);
XMTP_MUST_CHECK xmtp_status xmtp_query_bytes(const xmtp_query *q, int column, xmtp_arena *arena,
                                             xmtp_bytes *out);

/* ---- for files of this room only */
XMTP_MUST_CHECK xmtp_status xmtp_database_exec(xmtp_database *db, const char *sql);
XMTP_MUST_CHECK xmtp_status xmtp_database_fail(xmtp_database *db, int code, const char *what);
sqlite3 *xmtp_database_handle(xmtp_database *db);
/* Brings the tables to XMTP_DATABASE_VERSION. */
XMTP_MUST_CHECK xmtp_status xmtp_schema_migrate(xmtp_database *db);
/* One migration after the other from that version on; from 0 only in tests. */
XMTP_MUST_CHECK xmtp_status xmtp_schema_go_on(xmtp_database *db, uint64_t version);
/* Whether what is deleted is overwritten with zeros on pages that hold nothing else then, as it is
 * unless one says otherwise; whoever does says so again at once. The database is open. */
XMTP_MUST_CHECK xmtp_status xmtp_database_overwrites(xmtp_database *db, bool does);
/* Rows changed by the last statement. */
int xmtp_database_changes(xmtp_database *db);
int64_t xmtp_database_last_row(xmtp_database *db);

#endif
