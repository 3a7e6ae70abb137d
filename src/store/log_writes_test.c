/* log_writes_test.c - what reaches the file under a gathered log, write by write; and long random sessions, with
 * a disk that fails, against the same statements in memory.
 *
 *     SQLite --> log_writes.c --> a VFS that counts and fails --> the system's VFS --> file
 */
#include "store/log_writes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { PAGE = 1024, HEADER = 24, FRAME = HEADER + PAGE, PATH_LEN = 128, SQL_LEN = 512 };

/* ---- the VFS below */

typedef struct below_file {
    sqlite3_file base;
    sqlite3_file *file;
} below_file;

static struct {
    sqlite3_vfs vfs;
    sqlite3_vfs *system;
    int writes; /* of logs */
    int64_t bytes;
    int fail_in; /* the how many-th write of a log from now fails; 0: none */
    int part;    /* of that write happens, but for its last byte */
    int failures;
} below;

static sqlite3_file *behind(sqlite3_file *file)
{
    return ((below_file *)(void *)file)->file;
}

static int below_close(sqlite3_file *file)
{
    return behind(file)->pMethods->xClose(behind(file));
}

static int below_read(sqlite3_file *file, void *out, int n, sqlite3_int64 offset)
{
    return behind(file)->pMethods->xRead(behind(file), out, n, offset);
}

static int below_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 offset)
{
    below.writes++;
    below.bytes += n;
    if (below.fail_in == 0 || --below.fail_in > 0) {
        return behind(file)->pMethods->xWrite(behind(file), p, n, offset);
    }
    below.failures++;
    int part = below.part < n ? below.part : n - 1;
    if (part > 0) {
        (void)behind(file)->pMethods->xWrite(behind(file), p, part, offset);
    }
    return SQLITE_FULL;
}

static int below_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return behind(file)->pMethods->xTruncate(behind(file), size);
}

static int below_sync(sqlite3_file *file, int flags)
{
    (void)file;
    (void)flags;
    return SQLITE_OK;
}

static int below_size(sqlite3_file *file, sqlite3_int64 *out)
{
    return behind(file)->pMethods->xFileSize(behind(file), out);
}

static int below_lock(sqlite3_file *file, int level)
{
    return behind(file)->pMethods->xLock(behind(file), level);
}

static int below_unlock(sqlite3_file *file, int level)
{
    return behind(file)->pMethods->xUnlock(behind(file), level);
}

static int below_check_lock(sqlite3_file *file, int *out)
{
    return behind(file)->pMethods->xCheckReservedLock(behind(file), out);
}

static int below_control(sqlite3_file *file, int what, void *argument)
{
    return behind(file)->pMethods->xFileControl(behind(file), what, argument);
}

static int below_sector_len(sqlite3_file *file)
{
    return behind(file)->pMethods->xSectorSize(behind(file));
}

static int below_characteristics(sqlite3_file *file)
{
    return behind(file)->pMethods->xDeviceCharacteristics(behind(file));
}

static int below_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    static const sqlite3_io_methods methods = {
        .iVersion = 1,
        .xClose = below_close,
        .xRead = below_read,
        .xWrite = below_write,
        .xTruncate = below_truncate,
        .xSync = below_sync,
        .xFileSize = below_size,
        .xLock = below_lock,
        .xUnlock = below_unlock,
        .xCheckReservedLock = below_check_lock,
        .xFileControl = below_control,
        .xSectorSize = below_sector_len,
        .xDeviceCharacteristics = below_characteristics,
    };
    (void)vfs;
    if ((flags & SQLITE_OPEN_WAL) == 0) {
        return below.system->xOpen(below.system, name, file, flags, out);
    }
    below_file *f = (below_file *)(void *)file;
    f->file = (sqlite3_file *)(void *)(f + 1);
    int code = below.system->xOpen(below.system, name, f->file, flags, out);
    f->base.pMethods = code == SQLITE_OK ? &methods : NULL;
    return code;
}

static int put_below(void **state)
{
    (void)state;
    below.system = sqlite3_vfs_find(NULL);
    below.vfs = *below.system;
    below.vfs.pNext = NULL;
    below.vfs.zName = "below";
    below.vfs.szOsFile += (int)sizeof(below_file);
    below.vfs.xOpen = below_open;
    return sqlite3_vfs_register(&below.vfs, 1);
}

/* ---- a folder for each test */

static char folder[64];
static char path[PATH_LEN];
static char log_path[PATH_LEN];

static int set_up(void **state)
{
    (void)state;
    below.fail_in = 0;
    below.part = 0;
    below.failures = 0;
    strcpy(folder, "/tmp/xmtp-log-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/a.db", folder);
    (void)snprintf(log_path, sizeof(log_path), "%s/a.db-wal", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    xmtp_database_delete(path);
    return rmdir(folder);
}

static void assert_sql(sqlite3 *handle, const char *sql)
{
    if (sqlite3_exec(handle, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(handle));
    }
}

static sqlite3 *open_with(const char *name, const char *vfs)
{
    sqlite3 *handle;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    assert_int_equal(sqlite3_open_v2(name, &handle, flags, vfs), SQLITE_OK);
    return handle;
}

static sqlite3 *open_as_ours(const char *vfs)
{
    sqlite3 *handle = open_with(path, vfs);
    assert_sql(handle, "PRAGMA page_size = 1024; PRAGMA locking_mode = EXCLUSIVE;"
                       "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    return handle;
}

static sqlite3 *open_gathered(void)
{
    return open_as_ours(xmtp_log_writes_vfs());
}

static void copy_file(const char *from, const char *to)
{
    static char bytes[8 * 1024 * 1024];
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    assert_non_null(out);
    size_t n = in == NULL ? 0 : fread(bytes, 1, sizeof(bytes), in);
    assert_true(n < sizeof(bytes));
    assert_int_equal(fwrite(bytes, 1, n, out), n);
    (void)fclose(out);
    if (in != NULL) {
        (void)fclose(in);
    }
}

/* What is in a database; the caller frees it with sqlite3_free. */
static char *content(sqlite3 *handle)
{
    sqlite3_stmt *q;
    assert_int_equal(
        sqlite3_prepare_v2(
            handle,
            "SELECT group_concat(id || ':' || length(data) || hex(substr(data, 1, 1)), ' ')"
            " FROM (SELECT * FROM t ORDER BY id)",
            -1, &q, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    const unsigned char *text = sqlite3_column_text(q, 0);
    char *copy = sqlite3_mprintf("%s", text == NULL ? "" : (const char *)text);
    (void)sqlite3_finalize(q);
    assert_non_null(copy);
    return copy;
}

static void assert_same_content(sqlite3 *a, sqlite3 *b)
{
    char *left = content(a);
    char *right = content(b);
    assert_string_equal(left, right);
    sqlite3_free(left);
    sqlite3_free(right);
}

/* As another process finds the files when this one is killed now. */
static void assert_files_hold(sqlite3 *expected)
{
    char copy[PATH_LEN];
    char copy_log[PATH_LEN];
    (void)snprintf(copy, sizeof(copy), "%s/copy.db", folder);
    (void)snprintf(copy_log, sizeof(copy_log), "%s/copy.db-wal", folder);
    copy_file(path, copy);
    copy_file(log_path, copy_log);
    sqlite3 *handle = open_with(copy, below.system->zName);
    assert_same_content(handle, expected);
    (void)sqlite3_close(handle);
    xmtp_database_delete(copy);
}

/* ---- SQLite over it */

static const char ten_rows[] =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 10)"
    " INSERT INTO t(data) SELECT zeroblob(900) FROM n";

static void a_transaction_is_one_write(void **state)
{
    (void)state;
    sqlite3 *handle = open_gathered();
    assert_sql(handle, "CREATE TABLE t(id INTEGER PRIMARY KEY, data BLOB)");
    for (int i = 0; i < 3; i++) {
        below.writes = 0;
        below.bytes = 0;
        assert_sql(handle, ten_rows);
        assert_int_equal(below.writes, 1);
        assert_true(below.bytes >= 10 * FRAME);
        assert_files_hold(handle);
    }
    (void)sqlite3_close(handle);
}

/* A log that is there is taken up with one frame that is not gathered. */
static void after_opening_a_transaction_is_three_writes(void **state)
{
    (void)state;
    sqlite3 *handle = open_gathered();
    assert_sql(handle, "CREATE TABLE t(id INTEGER PRIMARY KEY, data BLOB)");
    (void)sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    (void)sqlite3_close(handle);
    handle = open_gathered();
    below.writes = 0;
    assert_sql(handle, ten_rows);
    assert_int_equal(below.writes, 3);
    assert_files_hold(handle);
    below.writes = 0;
    assert_sql(handle, ten_rows);
    assert_int_equal(below.writes, 1);
    (void)sqlite3_close(handle);
}

static void a_long_transaction_is_a_write_for_each_64_kilobytes(void **state)
{
    (void)state;
    sqlite3 *handle = open_gathered();
    assert_sql(handle, "CREATE TABLE t(id INTEGER PRIMARY KEY, data BLOB)");
    below.writes = 0;
    below.bytes = 0;
    assert_sql(handle, "INSERT INTO t(data) VALUES(zeroblob(300000))");
    assert_true(below.writes <= 1 + below.bytes / (60 * 1024));
    assert_files_hold(handle);
    (void)sqlite3_close(handle);
}

static void a_full_disk_is_told_by_the_commit_that_it_hits(void **state)
{
    (void)state;
    sqlite3 *handle = open_gathered();
    assert_sql(handle,
               "CREATE TABLE t(id INTEGER PRIMARY KEY, data BLOB); INSERT INTO t VALUES(1, 'a')");
    sqlite3 *before = open_with(":memory:", NULL);
    assert_sql(before,
               "CREATE TABLE t(id INTEGER PRIMARY KEY, data BLOB); INSERT INTO t VALUES(1, 'a')");
    for (int part = 0; part < 12 * FRAME; part += 512) {
        assert_sql(handle, "BEGIN");
        assert_sql(handle, ten_rows);
        below.fail_in = 1;
        below.part = part;
        assert_int_equal(sqlite3_exec(handle, "COMMIT", NULL, NULL, NULL), SQLITE_FULL);
        (void)sqlite3_exec(handle, "ROLLBACK", NULL, NULL, NULL);
        assert_same_content(handle, before);
        assert_files_hold(before);
    }
    assert_sql(handle, "INSERT INTO t VALUES(2, 'b')");
    assert_sql(before, "INSERT INTO t VALUES(2, 'b')");
    assert_files_hold(before);
    (void)sqlite3_close(before);
    (void)sqlite3_close(handle);
}

static void resting_gives_back_what_is_not_needed(void **state)
{
    (void)state;
    sqlite3 *handle = open_gathered();
    assert_sql(handle, "CREATE TABLE t(id INTEGER PRIMARY KEY, data BLOB); PRAGMA cache_size = 3");
    xmtp_log_writes_rest(handle);
    xmtp_log_writes_rest(handle);
    assert_sql(handle, "BEGIN");
    for (int i = 0; i < 5; i++) {
        assert_sql(handle, ten_rows);
        xmtp_log_writes_rest(handle); /* frames may be gathered: they stay */
    }
    assert_sql(handle, "COMMIT");
    assert_files_hold(handle);
    (void)sqlite3_close(handle);
    handle = open_with(":memory:", xmtp_log_writes_vfs());
    xmtp_log_writes_rest(handle); /* no log */
    (void)sqlite3_close(handle);
}

/* ---- sessions */

enum { TRANSACTIONS = 150 };

typedef struct session {
    uint64_t seed;
    const char *vfs;
    unsigned failures; /* one write in so many fails; 0: none does */
    bool
        has_savepoints; /* rolled back to. SQLite 3.46 by itself loses a commit then that had spilled */
    int committed;
    uint64_t files[TRANSACTIONS]; /* a digest of them after each commit */
} session;

static uint64_t chance;

/* High bits of an odd multiple: for each seed one order of events. */
static unsigned choose(unsigned n)
{
    chance = chance * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (unsigned)(chance >> 33) % n;
}

static void write_sql(char sql[SQL_LEN], bool has_savepoints)
{
    unsigned id = choose(60);
    switch (choose(6)) {
    case 0:
        (void)snprintf(sql, SQL_LEN, "DELETE FROM t WHERE id BETWEEN %u AND %u", id, id + 5);
        break;
    case 1:
        (void)snprintf(sql, SQL_LEN, "UPDATE t SET data = zeroblob(%u) WHERE id %% 7 = %u",
                       choose(3000), id % 7);
        break;
    case 2:
        (void)snprintf(sql, SQL_LEN, "SAVEPOINT s");
        break;
    case 3:
        (void)snprintf(sql, SQL_LEN, has_savepoints ? "ROLLBACK TO s" : "RELEASE s");
        break;
    default:
        (void)snprintf(sql, SQL_LEN,
                       "INSERT OR REPLACE INTO t VALUES(%u, printf('%%.*c', %u, '%c'))", id,
                       choose(9) == 0 ? choose(90000) : choose(2500), 'a' + (int)id % 26);
    }
}

/* True: the transaction is committed in handle; then it is in model too, by the same statements. */
static bool one_transaction(const session *s, sqlite3 *handle, sqlite3 *model)
{
    static char sql[13][SQL_LEN];
    unsigned count = 1 + choose(12);
    assert_sql(handle, "BEGIN");
    int code = SQLITE_OK;
    for (unsigned i = 0; i < count && code != SQLITE_FULL; i++) {
        if (i == count - 1) {
            (void)snprintf(sql[i], SQL_LEN, "INSERT OR REPLACE INTO t VALUES(99, %u)",
                           choose(9999));
        } else {
            write_sql(sql[i], s->has_savepoints);
        }
        code = sqlite3_exec(handle, sql[i], NULL, NULL, NULL); /* there may be no savepoint */
    }
    bool is_wanted = code != SQLITE_FULL && choose(5) != 0;
    code = is_wanted ? sqlite3_exec(handle, "COMMIT", NULL, NULL, NULL) : SQLITE_FULL;
    if (code != SQLITE_OK) {
        assert_int_equal(code, SQLITE_FULL);
        (void)sqlite3_exec(handle, "ROLLBACK", NULL, NULL, NULL);
        return false;
    }
    assert_sql(model, "BEGIN");
    for (unsigned i = 0; i < count; i++) {
        (void)sqlite3_exec(model, sql[i], NULL, NULL, NULL);
    }
    assert_sql(model, "COMMIT");
    return true;
}

static void between_transactions(sqlite3 *handle)
{
    static const char *const odd[] = {
        "PRAGMA wal_checkpoint(TRUNCATE)",
        "PRAGMA wal_checkpoint(RESTART)",
        "PRAGMA wal_checkpoint",
        "PRAGMA synchronous = FULL",
        "PRAGMA synchronous = NORMAL",
        "PRAGMA cache_size = 2",
        "PRAGMA cache_size = 50",
        "PRAGMA shrink_memory",
        "PRAGMA journal_size_limit = 20000",
    };
    below.fail_in = 0;
    if (choose(4) == 0) {
        (void)sqlite3_exec(handle, odd[choose(sizeof(odd) / sizeof(odd[0]))], NULL, NULL, NULL);
    }
    if (choose(6) == 0) {
        xmtp_log_writes_rest(handle);
    }
}

static void set_up_session(sqlite3 *handle)
{
    assert_sql(handle, "PRAGMA cache_size = 2; PRAGMA secure_delete = ON;"
                       "PRAGMA wal_autocheckpoint = 100");
}

static sqlite3 *open_again(const session *s, sqlite3 *handle)
{
    (void)sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, (int)choose(2), NULL);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
    handle = open_as_ours(s->vfs);
    set_up_session(handle);
    return handle;
}

/* FNV-1a */
static uint64_t digest(uint64_t sum, const char *name)
{
    FILE *f = fopen(name, "rb");
    for (int c = f == NULL ? EOF : fgetc(f); c != EOF; c = fgetc(f)) {
        sum = (sum ^ (unsigned)c) * UINT64_C(1099511628211);
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    return sum;
}

static void check_commit(session *s, sqlite3 *model)
{
    s->files[s->committed++] = digest(digest(UINT64_C(14695981039346656037), path), log_path);
    if (!s->has_savepoints) {
        assert_files_hold(model);
    }
}

static void tell(session *s)
{
    static const char table[] = "CREATE TABLE t(id INTEGER PRIMARY KEY, data BLOB)";
    chance = s->seed;
    (void)sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, (int)s->seed, NULL); /* for salts */
    sqlite3 *model = open_with(":memory:", NULL);
    sqlite3 *handle = open_as_ours(s->vfs);
    assert_sql(model, table);
    assert_sql(handle, table);
    set_up_session(handle);
    for (int i = 0; i < TRANSACTIONS; i++) {
        below.fail_in = s->failures > 0 && choose(2) == 0 ? (int)(1 + choose(s->failures)) : 0;
        below.part = (int)choose(70000);
        if (one_transaction(s, handle, model)) {
            check_commit(s, model);
        }
        if (!s->has_savepoints) {
            assert_same_content(handle, model);
        }
        between_transactions(handle);
        handle = choose(20) == 0 ? open_again(s, handle) : handle;
    }
    (void)sqlite3_close(handle);
    (void)sqlite3_close(model);
    xmtp_database_delete(path);
}

static void after_a_commit_the_files_are_as_sqlite_alone_writes_them(void **state)
{
    (void)state;
    int committed = 0;
    int writes[2];
    for (uint64_t seed = 1; seed <= 4; seed++) {
        session plain = {.seed = seed, .vfs = below.vfs.zName, .has_savepoints = true};
        session ours = {.seed = seed, .vfs = xmtp_log_writes_vfs(), .has_savepoints = true};
        below.writes = 0;
        tell(&plain);
        writes[0] = below.writes;
        tell(&ours);
        writes[1] = below.writes - writes[0];
        assert_int_equal(ours.committed, plain.committed);
        assert_memory_equal(ours.files, plain.files, sizeof(ours.files));
        assert_true(writes[1] < writes[0]);
        committed += ours.committed;
    }
    assert_true(committed > 300);
}

static void a_write_that_fails_takes_its_transaction_with_it(void **state)
{
    (void)state;
    int committed = 0;
    for (uint64_t seed = 11; seed <= 16; seed++) {
        session s = {.seed = seed, .vfs = xmtp_log_writes_vfs(), .failures = 12};
        tell(&s);
        committed += s.committed;
    }
    assert_true(below.failures > 60 && committed > 300);
}

/* ---- its methods, call by call */

typedef struct open_log {
    sqlite3_vfs *vfs;
    sqlite3_file *file;
    unsigned char page[PAGE];
} open_log;

static void write_log(open_log *l, const void *p, int n, sqlite3_int64 offset)
{
    assert_int_equal(l->file->pMethods->xWrite(l->file, p, n, offset), SQLITE_OK);
}

static void write_frame(open_log *l, int number, unsigned char size, char fill)
{
    unsigned char header[HEADER] = {0, 0, 0, 1, 0, 0, 0, size};
    memset(l->page, fill, PAGE);
    write_log(l, header, HEADER, 32 + number * FRAME);
    write_log(l, l->page, PAGE, 32 + number * FRAME + HEADER);
}

/* A log with its header and one commit. */
static open_log start_log(void)
{
    unsigned char header[32] = {0};
    open_log l = {.vfs = sqlite3_vfs_find(xmtp_log_writes_vfs())};
    (void)fclose(fopen(path, "wb")); /* the log gets its permissions */
    l.file = calloc(1, (size_t)l.vfs->szOsFile);
    int flags = SQLITE_OPEN_WAL | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    assert_int_equal(l.vfs->xOpen(l.vfs, log_path, l.file, flags, NULL), SQLITE_OK);
    write_log(&l, header, sizeof(header), 0);
    write_frame(&l, 0, 1, 'a');
    below.writes = 0;
    return l;
}

static void end_log(open_log *l)
{
    assert_int_equal(l->file->pMethods->xClose(l->file), SQLITE_OK);
    free(l->file);
}

static sqlite3_int64 size_below(void)
{
    FILE *f = fopen(log_path, "rb");
    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    long n = ftell(f);
    (void)fclose(f);
    return n;
}

static char byte_below(int number)
{
    FILE *f = fopen(log_path, "rb");
    assert_non_null(f);
    assert_int_equal(fseek(f, 32 + number * FRAME + HEADER, SEEK_SET), 0);
    int c = fgetc(f);
    (void)fclose(f);
    return (char)c;
}

static void a_frame_waits_for_the_commit(void **state)
{
    (void)state;
    open_log l = start_log();
    write_frame(&l, 1, 0, 'b');
    write_frame(&l, 2, 0, 'c');
    assert_int_equal(below.writes, 0);
    assert_int_equal(size_below(), 32 + FRAME);
    write_frame(&l, 3, 9, 'd');
    assert_int_equal(below.writes, 1);
    assert_int_equal(size_below(), 32 + 4 * FRAME);
    end_log(&l);
}

static void every_byte_of_the_size_makes_a_commit(void **state)
{
    (void)state;
    for (int i = 0; i < HEADER; i++) {
        open_log l = start_log();
        unsigned char header[HEADER] = {0};
        header[i] = 1;
        write_log(&l, header, HEADER, 32 + FRAME);
        write_log(&l, l.page, PAGE, 32 + FRAME + HEADER);
        assert_int_equal(below.writes, i >= 4 && i < 8);
        end_log(&l);
        assert_int_equal(unlink(log_path), 0);
    }
}

static void what_is_gathered_is_seen(void **state)
{
    (void)state;
    unsigned char out[4] = {0};
    sqlite3_int64 size = 0;
    open_log l = start_log();
    const sqlite3_io_methods *m = l.file->pMethods;
    write_frame(&l, 1, 0, 'b');
    assert_int_equal(m->xRead(l.file, out, 4, 32 + HEADER), SQLITE_OK);
    assert_memory_equal(out, "aaaa", 4);
    assert_int_equal(below.writes, 0); /* that was not among it */
    assert_int_equal(m->xRead(l.file, out, 4, 32 + 2 * FRAME - 4), SQLITE_OK);
    assert_memory_equal(out, "bbbb", 4);
    write_frame(&l, 2, 0, 'c');
    assert_int_equal(m->xFileSize(l.file, &size), SQLITE_OK);
    assert_int_equal(size, 32 + 3 * FRAME);
    write_frame(&l, 3, 0, 'd');
    assert_int_equal(m->xSync(l.file, SQLITE_SYNC_NORMAL), SQLITE_OK);
    assert_int_equal(byte_below(3), 'd');
    write_frame(&l, 4, 0, 'e');
    assert_int_equal(m->xTruncate(l.file, 32 + FRAME), SQLITE_OK);
    assert_int_equal(size_below(), 32 + FRAME);
    write_frame(&l, 1, 0, 'f');
    write_frame(&l, 2, 0, 'g');
    end_log(&l);
    assert_int_equal(byte_below(2), 'g');
}

/* Its last header is written with no page behind it. */
static void checksums_that_are_written_again_are_not_held_back(void **state)
{
    (void)state;
    open_log l = start_log();
    write_frame(&l, 1, 0, 'b');
    write_frame(&l, 2, 0, 'c');
    write_log(&l, l.page, PAGE, 32 + FRAME + HEADER); /* page 1 anew */
    assert_int_equal(byte_below(1), 'c');
    write_frame(&l, 3, 9, 'd');
    for (int i = 1; i <= 3; i++) {
        unsigned char header[HEADER] = {[7] = i == 3, [HEADER - 1] = 7};
        below.writes = 0;
        write_log(&l, header, HEADER, 32 + i * FRAME);
        assert_int_equal(below.writes, 1);
    }
    end_log(&l);
}

/* SQLite does so where a sector of the disk ends and frames after it are only there to fill it. */
static void a_page_in_two_writes_is_not_held_back(void **state)
{
    (void)state;
    static const unsigned char header[HEADER] = {[7] = 1};
    for (int first = 1; first < PAGE; first++) {
        open_log l = start_log();
        write_log(&l, header, HEADER, 32 + FRAME);
        write_log(&l, l.page, first, 32 + FRAME + HEADER);
        write_log(&l, l.page + first, PAGE - first, 32 + FRAME + HEADER + first);
        assert_int_equal(size_below(), 32 + 2 * FRAME);
        end_log(&l);
    }
}

static void a_write_that_fails_drops_what_is_gathered(void **state)
{
    (void)state;
    static const unsigned char header[HEADER] = {[7] = 1};
    open_log l = start_log();
    write_frame(&l, 1, 0, 'b');
    write_log(&l, header, HEADER, 32 + 2 * FRAME);
    below.fail_in = 1;
    assert_int_equal(l.file->pMethods->xWrite(l.file, l.page, PAGE, 32 + 2 * FRAME + HEADER),
                     SQLITE_FULL);
    assert_int_equal(size_below(), 32 + FRAME);
    write_frame(&l, 1, 1, 'c'); /* the next transaction, in its place */
    assert_int_equal(size_below(), 32 + 2 * FRAME);
    assert_int_equal(byte_below(1), 'c');
    end_log(&l);
}

static void a_read_that_fails_drops_nothing(void **state)
{
    (void)state;
    unsigned char out[4] = {0};
    sqlite3_int64 size = 0;
    open_log l = start_log();
    const sqlite3_io_methods *m = l.file->pMethods;
    write_frame(&l, 1, 0, 'b');
    below.fail_in = 1;
    assert_int_equal(m->xRead(l.file, out, 4, 32 + FRAME + HEADER), SQLITE_FULL);
    below.fail_in = 1;
    assert_int_equal(m->xFileSize(l.file, &size), SQLITE_FULL);
    below.fail_in = 1;
    assert_int_equal(m->xSync(l.file, SQLITE_SYNC_NORMAL), SQLITE_FULL);
    below.fail_in = 1;
    assert_int_equal(m->xTruncate(l.file, 0), SQLITE_FULL);
    assert_int_equal(m->xRead(l.file, out, 4, 32 + FRAME + HEADER), SQLITE_OK);
    assert_memory_equal(out, "bbbb", 4);
    end_log(&l);
}

static void a_log_that_cannot_be_opened_says_so(void **state)
{
    (void)state;
    sqlite3_vfs *vfs = sqlite3_vfs_find(xmtp_log_writes_vfs());
    sqlite3_file *file = calloc(1, (size_t)vfs->szOsFile);
    int flags = SQLITE_OPEN_WAL | SQLITE_OPEN_READWRITE;
    (void)fclose(fopen(path, "wb"));
    assert_int_equal(vfs->xOpen(vfs, log_path, file, flags, NULL), SQLITE_CANTOPEN);
    assert_null(file->pMethods);
    free(file);
}

static void it_stands_on_the_vfs_that_is_the_default(void **state)
{
    (void)state;
    const char *name = xmtp_log_writes_vfs();
    assert_ptr_equal(xmtp_log_writes_vfs(), name);
    assert_ptr_equal(sqlite3_vfs_find(NULL), &below.vfs);
    assert_int_equal(sqlite3_vfs_register(below.system, 1), SQLITE_OK);
    assert_string_not_equal(xmtp_log_writes_vfs(), name);
    assert_int_equal(sqlite3_vfs_register(&below.vfs, 1), SQLITE_OK);
    assert_ptr_equal(xmtp_log_writes_vfs(), name);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_transaction_is_one_write),
        test(after_opening_a_transaction_is_three_writes),
        test(a_long_transaction_is_a_write_for_each_64_kilobytes),
        test(a_full_disk_is_told_by_the_commit_that_it_hits),
        test(resting_gives_back_what_is_not_needed),
        test(after_a_commit_the_files_are_as_sqlite_alone_writes_them),
        test(a_write_that_fails_takes_its_transaction_with_it),
        test(a_frame_waits_for_the_commit),
        test(every_byte_of_the_size_makes_a_commit),
        test(what_is_gathered_is_seen),
        test(checksums_that_are_written_again_are_not_held_back),
        test(a_page_in_two_writes_is_not_held_back),
        test(a_write_that_fails_drops_what_is_gathered),
        test(a_read_that_fails_drops_nothing),
        test(a_log_that_cannot_be_opened_says_so),
        test(it_stands_on_the_vfs_that_is_the_default),
    };
    return cmocka_run_group_tests(tests, put_below, NULL);
}
