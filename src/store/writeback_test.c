/* writeback_test.c - the disk is asked to begin with a log while nobody waits for it; how often, and for which
 * file. The linker sends the library's sync_file_range here. */
#include "store/log_writes.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATH_LEN = 128, MB = 1024 * 1024 };

static char path[PATH_LEN];
static char log_path[PATH_LEN + 8];
static sqlite3 *handle;
static int asked;
static bool is_refused;

int __wrap_sync_file_range(int fd, off64_t offset, off64_t n, unsigned flags);

int __wrap_sync_file_range(int fd, off64_t offset, off64_t n, unsigned flags)
{
    struct stat log;
    struct stat file;
    assert_int_equal(stat(log_path, &log), 0);
    assert_int_equal(fstat(fd, &file), 0);
    assert_true(file.st_ino == log.st_ino && file.st_dev == log.st_dev);
    assert_true(offset == 0 && n == 0);             /* all of it */
    assert_int_equal(flags, SYNC_FILE_RANGE_WRITE); /* nobody waits */
    asked++;
    return is_refused ? -1 : 0;
}

static void run(const char *sql)
{
    assert_int_equal(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
}

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(path, sizeof(path), "/tmp/xmtp-writeback-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    (void)snprintf(log_path, sizeof(log_path), "%s-wal", path);
    assert_int_equal(sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE, xmtp_log_writes_vfs()),
                     SQLITE_OK);
    run("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
        "PRAGMA wal_autocheckpoint = 0; CREATE TABLE t(data BLOB)");
    asked = 0;
    is_refused = false;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
    (void)unlink(path);
    (void)unlink(log_path);
    return 0;
}

/* A commit of about so many bytes. */
static void write_some(int n)
{
    char sql[64];
    (void)snprintf(sql, sizeof(sql), "INSERT INTO t VALUES(randomblob(%d))", n);
    run(sql);
}

static void test_once_a_megabyte(void **state)
{
    (void)state;
    write_some(MB / 2);
    assert_int_equal(asked, 0);
    for (int i = 0; i < 50; i++) {
        write_some(MB / 10);
    }
    assert_in_range(asked, 5, 6);
    write_some(3 * MB);
    assert_in_range(asked, 8, 9);
}

static void test_when_it_is_asked_for(void **state)
{
    (void)state;
    xmtp_log_writes_begin(handle);
    int before = asked;
    write_some(MB / 4);
    assert_int_equal(asked, before);
    xmtp_log_writes_begin(handle);
    assert_int_equal(asked, before + 1);
    xmtp_log_writes_begin(handle); /* nothing was written since */
    assert_int_equal(asked, before + 1);
}

static void test_not_after_a_sync(void **state)
{
    (void)state;
    run("PRAGMA synchronous = FULL");
    for (int i = 0; i < 10; i++) {
        write_some(MB / 2);
    }
    assert_int_equal(asked, 0);
}

/* A file system that does not know the call. */
static void test_refusal_changes_nothing(void **state)
{
    (void)state;
    is_refused = true;
    write_some(3 * MB);
    assert_in_range(asked, 2, 3);
    sqlite3_stmt *q;
    assert_int_equal(sqlite3_prepare_v2(handle, "SELECT sum(length(data)) FROM t", -1, &q, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(q, 0), 3 * MB);
    assert_int_equal(sqlite3_finalize(q), SQLITE_OK);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_once_a_megabyte),
        test(test_when_it_is_asked_for),
        test(test_not_after_a_sync),
        test(test_refusal_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
