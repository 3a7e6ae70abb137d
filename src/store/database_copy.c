/* database_copy.c - see database_copy.h. */
#include "store/database_copy.h"

#include "base/bytes.h"
#include "base/status.h"
#include "store/database_internal.h"

xmtp_status xmtp_database_settle(xmtp_database *db)
{
    xmtp_query q = xmtp_query_start(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    xmtp_status status = xmtp_query_one(&q); /* busy, frames in the log, frames taken over */
    bool is_busy = status == XMTP_OK && xmtp_query_u64(&q, 0) != 0;
    xmtp_query_end(&q);
    return is_busy ? xmtp_fail(&db->error, XMTP_E_IO, "the database's log cannot be taken in")
                   : status;
}

static xmtp_status raw_file(xmtp_database *db, sqlite3_file **out)
{
    *out = NULL;
    int code = sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_FILE_POINTER, out);
    bool is_file = code == SQLITE_OK && *out != NULL && (*out)->pMethods != NULL;
    return is_file ? XMTP_OK : xmtp_fail(&db->error, XMTP_E_UNSUPPORTED, "the database is no file");
}

xmtp_status xmtp_database_raw_size(xmtp_database *db, uint64_t *size)
{
    sqlite3_file *file;
    sqlite3_int64 n = 0;
    XMTP_TRY(raw_file(db, &file));
    int code = file->pMethods->xFileSize(file, &n);
    *size = (uint64_t)n;
    return code == SQLITE_OK ? XMTP_OK : xmtp_database_fail(db, code, "size of the database");
}

xmtp_status xmtp_database_raw(xmtp_database *db, uint64_t at, uint8_t *out, size_t n)
{
    sqlite3_file *file;
    XMTP_ENSURE(n <= INT32_MAX && at <= INT64_MAX, XMTP_E_LIMIT);
    XMTP_TRY(raw_file(db, &file));
    int code = file->pMethods->xRead(file, out, (int)n, (sqlite3_int64)at);
    return code == SQLITE_OK ? XMTP_OK : xmtp_database_fail(db, code, "reading the database");
}

const uint8_t *xmtp_database_key(const xmtp_database *db)
{
    return db->key;
}

xmtp_status xmtp_database_rekey(xmtp_database *db, const uint8_t key[XMTP_DATABASE_KEY_LEN])
{
    char text[XMTP_DATABASE_KEY_TEXT];
    xmtp_database_key_text(text, key);
    int code = sqlite3_rekey(db->handle, text, XMTP_DATABASE_KEY_TEXT - 1);
    xmtp_wipe(text, sizeof(text));
    if (code != SQLITE_OK) {
        return xmtp_database_fail(db, code, "new database key");
    }
    memcpy(db->key, key, sizeof(db->key));
    return XMTP_OK;
}
