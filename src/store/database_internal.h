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

/* How the pages of a file are written, newest first; see database.c. */
typedef enum file_format {
    FORMAT_NEWEST,
    FORMAT_4096_SHA256,
    FORMAT_4096_SHA512,
    FORMAT_COUNT,
} file_format;

struct xmtp_database {
    xmtp_alloc alloc;
    sqlite3 *handle; /* NULL while it is parked */
    xmtp_error error;
    int64_t last_intent;  /* newest id given out */
    kept_statement *kept; /* STATEMENT_SLOTS of them; NULL while it is parked */
    size_t busy_count;    /* statements under way */
    uint64_t uses;        /* statements so far */
    uint64_t changes;     /* counted through connections that were closed */
    char *path;           /* NULL: in memory, and never parked */
    uint8_t key[XMTP_DATABASE_KEY_LEN];
    file_format format;
    void (*woken)(void *context);
    void *context;
};

/* A raw key as SQLCipher takes it: x'...', and a zero byte. */
enum { XMTP_DATABASE_KEY_TEXT = 3 + 2 * XMTP_DATABASE_KEY_LEN + 1 };
void xmtp_database_key_text(char out[XMTP_DATABASE_KEY_TEXT], const uint8_t *key);

/* Opens a parked database again. */
XMTP_MUST_CHECK xmtp_status xmtp_database_wake(xmtp_database *db);

#endif
