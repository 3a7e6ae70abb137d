/* database_internal.h - what an open database is; for database.c and query.c. */
#ifndef XMTP_STORE_DATABASE_INTERNAL_H
#define XMTP_STORE_DATABASE_INTERNAL_H

#include "store/query.h"

/* Slots of the table of kept statements; a power of two well above the number of SQL texts. */
enum { STATEMENT_SLOTS = 256 };

typedef struct kept_statement {
    const char *sql; /* identity, not content */
    sqlite3_stmt *statement;
    bool is_busy;
} kept_statement;

struct xmtp_database {
    xmtp_alloc alloc;
    sqlite3 *handle;
    xmtp_error error;
    int64_t last_intent; /* newest id given out */
    kept_statement kept[STATEMENT_SLOTS];
};

#endif
