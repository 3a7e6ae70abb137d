/* database.c - opens the encrypted file, keeps others out, and turns SQLite's codes into ours.
 *
 * Order of opening: make the file (0600, never over another), hand over the key, lock for good,
 * read something (only now a wrong key shows, or a file of an earlier version), migrate.
 * locking_mode EXCLUSIVE keeps the lock of the operating system until close, and with WAL needs no
 * shared memory file.
 */
#include "store/database_internal.h"

#include "base/bytes.h"
#include "base/status.h"
#include "store/log_writes.h"
#include "store/page_crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PARKED_LOG_MAX = 1024 * 1024 };

static xmtp_status status_of(int code, int system_errno)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return XMTP_OK;
    case SQLITE_NOMEM:
        return XMTP_E_NOMEM;
    case SQLITE_FULL:
        return XMTP_E_DISK_FULL;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return XMTP_E_LOCKED;
    case SQLITE_NOTADB:
        return XMTP_E_DATABASE_KEY;
    case SQLITE_CORRUPT:
        return XMTP_E_CORRUPT;
    case SQLITE_TOOBIG:
        return XMTP_E_LIMIT;
    case SQLITE_CANTOPEN:
        return XMTP_E_IO;
    case SQLITE_IOERR: {
        bool is_full = system_errno == ENOSPC || system_errno == EFBIG || system_errno == EDQUOT;
        return is_full ? XMTP_E_DISK_FULL : XMTP_E_IO;
    }
    default:
        return XMTP_E_DATABASE;
    }
}

xmtp_status xmtp_database_fail(xmtp_database *db, int code, const char *what)
{
    int extended = db->handle != NULL ? sqlite3_extended_errcode(db->handle) : code;
    int system_errno = db->handle != NULL ? sqlite3_system_errno(db->handle) : 0;
    xmtp_status status = status_of(code, system_errno);
    if (status == XMTP_E_DATABASE_KEY) {
        return xmtp_fail(&db->error, status, "wrong key or not a database");
    }
    return xmtp_fail(&db->error, status, "%s: %s (code %d)", what, sqlite3_errstr(code), extended);
}

const xmtp_error *xmtp_database_error(const xmtp_database *db)
{
    return &db->error;
}

sqlite3 *xmtp_database_handle(xmtp_database *db)
{
    return db->handle;
}

xmtp_status xmtp_database_exec(xmtp_database *db, const char *sql)
{
    int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? XMTP_OK : xmtp_database_fail(db, code, "database");
}

xmtp_status xmtp_database_overwrites(xmtp_database *db, bool does)
{
    return xmtp_database_exec(db,
                              does ? "PRAGMA secure_delete = ON" : "PRAGMA secure_delete = FAST");
}

int xmtp_database_changes(xmtp_database *db)
{
    return sqlite3_changes(db->handle);
}

uint64_t xmtp_database_change_count(const xmtp_database *db)
{
    return db->changes + (db->handle == NULL ? 0 : (uint64_t)sqlite3_total_changes64(db->handle));
}

int64_t xmtp_database_last_row(xmtp_database *db)
{
    return sqlite3_last_insert_rowid(db->handle);
}

/* Makes an empty file that only its owner can read. One that is there is left as it is. *is_empty:
 * nothing was ever written to it. */
static xmtp_status make_file(const char *path, bool *is_empty, xmtp_error *error)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0) {
        bool is_full = errno == ENOSPC || errno == EDQUOT;
        return xmtp_fail(error, is_full ? XMTP_E_DISK_FULL : XMTP_E_IO,
                         "database file cannot be opened or made (errno %d)", errno);
    }
    struct stat info;
    bool is_file = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    *is_empty = is_file && info.st_size == 0;
    (void)close(fd);
    return is_file ? XMTP_OK : xmtp_fail(error, XMTP_E_IO, "database path is not a file");
}

static xmtp_status open_handle(xmtp_database *db, const char *path)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    int code = sqlite3_open_v2(path, &db->handle, flags, xmtp_log_writes_vfs());
    if (code != SQLITE_OK) {
        return xmtp_database_fail(db, code, "database cannot be opened");
    }
    /* The small-block pool of a connection costs 48 KB and saves nothing that we could measure. */
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_LOOKASIDE, NULL, 0, 0);
    return XMTP_OK;
}

void xmtp_database_key_text(char out[XMTP_DATABASE_KEY_TEXT], const uint8_t *key)
{
    memcpy(out, "x'", 2);
    xmtp_hex_encode(out + 2, xmtp_bytes_of(key, XMTP_DATABASE_KEY_LEN));
    memcpy(out + 2 + 2 * XMTP_DATABASE_KEY_LEN, "'", 2);
}

static xmtp_status set_key(xmtp_database *db, const uint8_t key[XMTP_DATABASE_KEY_LEN])
{
    char text[XMTP_DATABASE_KEY_TEXT];
    xmtp_database_key_text(text, key);
    int code = xmtp_page_crypto_key(db->handle, text, XMTP_DATABASE_KEY_TEXT - 1);
    xmtp_wipe(text, sizeof(text));
    return code == SQLITE_OK ? XMTP_OK : xmtp_database_fail(db, code, "database key");
}

/* What must be said before a file is read. New files have small pages: each transaction writes some
 * eight pages anew, encrypted as a whole, for a few hundred bytes that changed. HMAC-SHA-256 is what
 * processors compute by themselves; SQLCipher's default is HMAC-SHA-512. */
static const struct {
    const char *pages;
    const char *log_max; /* 16 MB of pages */
} formats[FORMAT_COUNT] = {
    [FORMAT_NEWEST] = {"PRAGMA cipher_page_size = 1024;"
                       "PRAGMA cipher_hmac_algorithm = HMAC_SHA256",
                       "PRAGMA wal_autocheckpoint = 16000"},
    [FORMAT_4096_SHA256] = {"PRAGMA cipher_hmac_algorithm = HMAC_SHA256",
                            "PRAGMA wal_autocheckpoint = 4000"},
    [FORMAT_4096_SHA512] = {"PRAGMA cipher_hmac_algorithm = HMAC_SHA512",
                            "PRAGMA wal_autocheckpoint = 4000"},
};

/* There is nothing in an empty file that a lost power supply could damage: what is written until it
 * has its tables waits for the disk once instead of six times. A log that did not get there is no
 * log, and the file is empty again. The first page has a journal all the same: half of it in the file
 * would be taken for another's file for ever (tests.writes). */
static xmtp_status hurry_through_creation(xmtp_database *db)
{
    return xmtp_database_exec(db, "PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL");
}

static xmtp_status open_file(xmtp_database *db, file_format format, bool is_empty)
{
    db->format = format;
    XMTP_TRY(open_handle(db, db->path));
    XMTP_TRY(set_key(db, db->key));
    /* A library does not write to stderr; what fails is in our error. After the key: the first key
     * of a process starts SQLCipher, which sets its level of logging then. */
    XMTP_TRY(xmtp_database_exec(db, "PRAGMA cipher_log_level = NONE"));
    XMTP_TRY(xmtp_database_exec(db, formats[format].pages));
    /* Before the first read, so that the first lock is already the one for good. */
    XMTP_TRY(xmtp_database_exec(db, "PRAGMA locking_mode = EXCLUSIVE"));
    XMTP_TRY(xmtp_database_exec(db, "SELECT count(*) FROM sqlite_master"));
    if (is_empty) {
        return hurry_through_creation(db);
    }
    XMTP_TRY(xmtp_database_exec(db, "PRAGMA journal_mode = WAL"));
    return xmtp_database_exec(db, "PRAGMA synchronous = NORMAL");
}

static xmtp_status open_path(xmtp_database *db)
{
    bool is_empty;
    XMTP_TRY(make_file(db->path, &is_empty, &db->error));
    xmtp_status status = open_file(db, FORMAT_NEWEST, is_empty);
    for (file_format f = FORMAT_NEWEST + 1;
         f < FORMAT_COUNT && status == XMTP_E_DATABASE_KEY && !is_empty; f++) {
        (void)sqlite3_close_v2(db->handle);
        db->handle = NULL;
        status = open_file(db, f, false);
    }
    return status;
}

/* An immediate transaction takes the write lock, which nobody else gets until close. */
static xmtp_status migrate(xmtp_database *db)
{
    XMTP_TRY(xmtp_database_exec(db, "BEGIN IMMEDIATE"));
    xmtp_status status = xmtp_schema_migrate(db);
    if (status != XMTP_OK) {
        xmtp_database_rollback(db);
        return status;
    }
    return xmtp_database_commit(db);
}

static xmtp_status keep_path_and_key(xmtp_database *db, const char *path, const uint8_t *key)
{
    size_t n = strlen(path) + 1;
    db->path = db->alloc.reallocate(db->alloc.context, NULL, n);
    XMTP_ENSURE(db->path != NULL,
                xmtp_fail(&db->error, XMTP_E_NOMEM, "no memory for a database path"));
    memcpy(db->path, path, n);
    memcpy(db->key, key, sizeof(db->key));
    return XMTP_OK;
}

/* The table of a connection's statements. */
static xmtp_status make_kept(xmtp_database *db)
{
    size_t n = STATEMENT_SLOTS * sizeof(*db->kept);
    db->kept = db->alloc.reallocate(db->alloc.context, NULL, n);
    XMTP_ENSURE(db->kept != NULL,
                xmtp_fail(&db->error, XMTP_E_NOMEM, "no memory for a database connection"));
    memset(db->kept, 0, n);
    return XMTP_OK;
}

static void close_handle(xmtp_database *db)
{
    for (size_t i = 0; db->kept != NULL && i < STATEMENT_SLOTS; i++) {
        (void)sqlite3_finalize(db->kept[i].statement);
    }
    (void)db->alloc.reallocate(db->alloc.context, db->kept, 0);
    db->kept = NULL;
    db->changes = xmtp_database_change_count(db) + 1; /* until it is open again, others may write */
    (void)sqlite3_close_v2(db->handle);
    db->handle = NULL;
}

/* What holds for a connection, and not for the file. */
static xmtp_status set_up_connection(xmtp_database *db)
{
    XMTP_TRY(xmtp_database_exec(db, formats[db->format].log_max));
    return xmtp_database_exec(db, "PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;"
                                  "PRAGMA temp_store = MEMORY");
}

static xmtp_status prepare(xmtp_database *db, const char *path, const uint8_t *key)
{
    XMTP_TRY(make_kept(db));
    if (path != NULL) {
        XMTP_TRY(keep_path_and_key(db, path, key));
    }
    XMTP_TRY(path == NULL ? open_handle(db, ":memory:") : open_path(db));
    XMTP_TRY(set_up_connection(db));
    XMTP_TRY(migrate(db));
    return xmtp_database_exec(db, "PRAGMA synchronous = NORMAL");
}

xmtp_status xmtp_database_open(xmtp_database **out, const xmtp_env *env, const char *path,
                               const uint8_t key[XMTP_DATABASE_KEY_LEN], xmtp_error *error)
{
    *out = NULL;
    XMTP_ENSURE(path == NULL || key != NULL, xmtp_fail(error, XMTP_E_ARGUMENT, "no database key"));
    xmtp_database *db = env->alloc.reallocate(env->alloc.context, NULL, sizeof(*db));
    XMTP_ENSURE(db != NULL, xmtp_fail(error, XMTP_E_NOMEM, "no memory for a database"));
    *db = (xmtp_database){.alloc = env->alloc};
    xmtp_status status = prepare(db, path, key);
    if (status != XMTP_OK) {
        if (status == XMTP_E_LOCKED) {
            (void)xmtp_fail(&db->error, status, "database file is in use by another process");
        }
        if (error != NULL) {
            *error = db->error;
        }
        xmtp_database_close(db);
        return status;
    }
    *out = db;
    return XMTP_OK;
}

void xmtp_database_close(xmtp_database *db)
{
    if (db == NULL) {
        return;
    }
    close_handle(db);
    (void)db->alloc.reallocate(db->alloc.context, db->path, 0);
    xmtp_alloc alloc = db->alloc;
    xmtp_wipe(db, sizeof(*db));
    (void)alloc.reallocate(alloc.context, db, 0);
}

bool xmtp_database_in_transaction(const xmtp_database *db)
{
    return db->handle != NULL && sqlite3_get_autocommit(db->handle) == 0;
}

xmtp_status xmtp_database_begin(xmtp_database *db)
{
    xmtp_query q = xmtp_query_start(db, "BEGIN IMMEDIATE");
    return xmtp_query_run(&q);
}

xmtp_status xmtp_database_commit(xmtp_database *db)
{
    xmtp_query q = xmtp_query_start(db, "COMMIT");
    xmtp_status status = xmtp_query_run(&q);
    if (status != XMTP_OK) {
        xmtp_database_rollback(db);
    }
    return status;
}

void xmtp_database_rollback(xmtp_database *db)
{
    if (xmtp_database_in_transaction(db)) {
        (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    }
}

xmtp_status xmtp_database_durable_begin(xmtp_database *db)
{
    XMTP_TRY(xmtp_database_wake(db));
    return xmtp_database_exec(db, "PRAGMA synchronous = FULL");
}

xmtp_status xmtp_database_durable_end(xmtp_database *db, xmtp_status status)
{
    xmtp_status after = xmtp_database_wake(db);
    if (after == XMTP_OK) {
        after = xmtp_database_exec(db, "PRAGMA synchronous = NORMAL");
    }
    return status == XMTP_OK ? after : status;
}

void xmtp_database_begin_sync(xmtp_database *db)
{
    if (db->handle != NULL) {
        xmtp_log_writes_begin(db->handle);
    }
}

/* What is in the database's file is synced by the checkpoint that brought it there; the rest is in the log. */
xmtp_status xmtp_database_sync(xmtp_database *db)
{
    sqlite3_file *log = NULL;
    if (db->path == NULL) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_database_wake(db));
    int code = sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (code == SQLITE_OK && log != NULL && log->pMethods != NULL) {
        code = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
    }
    if (code != SQLITE_OK) {
        return xmtp_fail(&db->error, XMTP_E_IO, "the database cannot be synced: %s",
                         sqlite3_errstr(code));
    }
    return XMTP_OK;
}

/* Rows of a check are faults, but for one that says "ok". */
static xmtp_status check_with(xmtp_database *db, const char *sql)
{
    xmtp_query q = xmtp_query_start(db, sql);
    bool has_row;
    xmtp_status status = xmtp_query_step(&q, &has_row);
    if (status == XMTP_OK && has_row) {
        xmtp_bytes text = xmtp_query_view(&q, 0);
        if (text.n != 2 || memcmp(text.p, "ok", 2) != 0) {
            status = xmtp_fail(&db->error, XMTP_E_CORRUPT, "database is damaged: %.*s",
                               (int)(text.n < 150 ? text.n : 150), (const char *)text.p);
        }
    }
    xmtp_query_end(&q);
    return status;
}

xmtp_status xmtp_database_check(xmtp_database *db)
{
    XMTP_TRY(check_with(db, "PRAGMA cipher_integrity_check")); /* nothing to say about memory */
    return check_with(db, "PRAGMA quick_check(1)");
}

void xmtp_database_rest(xmtp_database *db)
{
    for (size_t i = 0; db->kept != NULL && i < STATEMENT_SLOTS; i++) {
        if (!db->kept[i].is_busy) {
            (void)sqlite3_finalize(db->kept[i].statement);
            db->kept[i].statement = NULL; /* the slot stays: others may lie behind it */
        }
    }
    if (db->handle != NULL) {
        (void)sqlite3_db_release_memory(db->handle);
        xmtp_log_writes_rest(db->handle);
    }
}

/* ---- parking */

/* A short write-ahead log is left for the next opening to read: taking it into the file would cost
 * two syncs and its deletion, 15 ms here, at every parking. */
static void leave_short_log(xmtp_database *db)
{
    char name[PATH_MAX + 16];
    struct stat info;
    (void)snprintf(name, sizeof(name), "%.*s-wal", PATH_MAX, db->path);
    if (stat(name, &info) == 0 && info.st_size <= PARKED_LOG_MAX) {
        (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    }
}

bool xmtp_database_park(xmtp_database *db)
{
    bool is_possible = db->path != NULL && db->handle != NULL && db->busy_count == 0;
    if (!is_possible || xmtp_database_in_transaction(db)) {
        return false;
    }
    leave_short_log(db);
    close_handle(db);
    return true;
}

bool xmtp_database_is_parked(const xmtp_database *db)
{
    return db->handle == NULL;
}

uint64_t xmtp_database_uses(const xmtp_database *db)
{
    return db->uses;
}

void xmtp_database_on_wake(xmtp_database *db, void (*woken)(void *context), void *context)
{
    db->woken = woken;
    db->context = context;
}

/* A file that is gone is not made again: that would be an empty one. */
xmtp_status xmtp_database_wake(xmtp_database *db)
{
    if (db->handle != NULL) {
        return XMTP_OK;
    }
    if (db->woken != NULL) {
        db->woken(db->context);
    }
    xmtp_status status = make_kept(db);
    if (status == XMTP_OK) {
        status = open_file(db, db->format, false);
    }
    if (status == XMTP_OK) {
        status = set_up_connection(db);
    }
    if (status != XMTP_OK) {
        close_handle(db);
    }
    return status;
}

void xmtp_database_delete(const char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    char name[PATH_MAX + 16];
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        (void)snprintf(name, sizeof(name), "%.*s%s", PATH_MAX, path, ends[i]);
        (void)unlink(name);
    }
}
