/* page_crypto_test.c - files written here and by SQLCipher alone are the same kind of file. */
#include "base/bytes.h"
#include "store/database_internal.h"
#include "store/identity_store.h"
#include "store/page_crypto.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* As database.c writes them, and did earlier. */
static const char *const formats[] = {
    "PRAGMA cipher_page_size = 1024; PRAGMA cipher_hmac_algorithm = HMAC_SHA256;",
    "PRAGMA cipher_hmac_algorithm = HMAC_SHA256;",
    "",
};
enum { FORMATS = sizeof(formats) / sizeof(formats[0]), ROWS = 200, THREADS = 8, OPENINGS = 20 };

static const uint8_t key[XMTP_DATABASE_KEY_LEN] = {1, 2, 3};
static const uint8_t other_key[XMTP_DATABASE_KEY_LEN] = {4, 5, 6};
static char folder[64];
static char path[96];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/xmtp-pages-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/client.db", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    xmtp_database_delete(path);
    return rmdir(folder);
}

/* A connection that only SQLCipher has to do with, or one with our page functions. */
static sqlite3 *open_in(const char *format, const uint8_t *with_key,
                        int (*set_key)(sqlite3 *, const void *, int))
{
    sqlite3 *handle;
    char text[XMTP_DATABASE_KEY_TEXT];
    xmtp_database_key_text(text, with_key);
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    assert_int_equal(set_key(handle, text, XMTP_DATABASE_KEY_TEXT - 1), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, "PRAGMA cipher_log_level = NONE", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, format, NULL, NULL, NULL), SQLITE_OK);
    return handle;
}

static void write_rows(sqlite3 *handle)
{
    char *error = NULL;
    int code = sqlite3_exec(handle,
                            "CREATE TABLE probe(id INTEGER PRIMARY KEY, text TEXT);"
                            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                            " WHERE i < 200) INSERT INTO probe SELECT i, hex(zeroblob(i)) FROM n;",
                            NULL, NULL, &error);
    assert_null(error);
    assert_int_equal(code, SQLITE_OK);
}

static int count_rows(sqlite3 *handle)
{
    sqlite3_stmt *statement;
    int count = -1;
    if (sqlite3_prepare_v2(handle, "SELECT count(*) FROM probe WHERE text = hex(zeroblob(id))", -1,
                           &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        count = sqlite3_column_int(statement, 0);
    }
    (void)sqlite3_finalize(statement);
    return count;
}

static void each_reads_what_the_other_wrote(void **state)
{
    (void)state;
    for (size_t i = 0; i < FORMATS; i++) {
        sqlite3 *handle = open_in(formats[i], key, sqlite3_key);
        write_rows(handle);
        assert_int_equal(sqlite3_close(handle), SQLITE_OK);
        handle = open_in(formats[i], key, xmtp_page_crypto_key);
        assert_int_equal(count_rows(handle), ROWS);
        assert_int_equal(sqlite3_exec(handle, "DROP TABLE probe", NULL, NULL, NULL), SQLITE_OK);
        write_rows(handle);
        assert_int_equal(sqlite3_close(handle), SQLITE_OK);
        handle = open_in(formats[i], key, sqlite3_key);
        assert_int_equal(count_rows(handle), ROWS);
        assert_int_equal(sqlite3_close(handle), SQLITE_OK);
        xmtp_database_delete(path);
    }
}

static void assert_provider(sqlite3 *handle, const char *name)
{
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(handle, "PRAGMA cipher_provider", -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(statement, 0), name);
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
}

static void two_connections_keep_apart_whose_functions_they_have(void **state)
{
    (void)state;
    char other_path[sizeof(path)];
    sqlite3 *ours = open_in(formats[0], key, xmtp_page_crypto_key);
    write_rows(ours);
    (void)snprintf(other_path, sizeof(other_path), "%s", path);
    (void)snprintf(path, sizeof(path), "%s/other.db", folder);
    sqlite3 *theirs = open_in(formats[0], other_key, sqlite3_key);
    write_rows(theirs);
    assert_provider(ours, XMTP_PAGE_CRYPTO_NAME);
    assert_provider(theirs, "openssl");
    assert_int_equal(sqlite3_close(ours), SQLITE_OK);
    assert_int_equal(count_rows(theirs), ROWS);
    assert_int_equal(sqlite3_close(theirs), SQLITE_OK);
    xmtp_database_delete(path);
    (void)snprintf(path, sizeof(path), "%s", other_path);
}

static void a_page_that_was_changed_is_refused(void **state)
{
    (void)state;
    sqlite3 *handle = open_in(formats[0], key, xmtp_page_crypto_key);
    write_rows(handle);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    for (long at = 1024 + 300; fseek(file, at, SEEK_SET) == 0 && at < 8 * 1024; at += 1024) {
        int c = fgetc(file);
        assert_int_not_equal(c, EOF);
        assert_int_equal(fseek(file, at, SEEK_SET), 0);
        assert_int_equal(fputc(c ^ 1, file), c ^ 1);
    }
    assert_int_equal(fclose(file), 0);
    handle = open_in(formats[0], key, xmtp_page_crypto_key);
    assert_int_equal(count_rows(handle), -1);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

static void pages_written_one_after_the_other_share_no_random_bytes(void **state)
{
    (void)state;
    enum { PAGE = 1024, TAIL = 48, PAGES = 40 };
    static uint8_t file_bytes[PAGES * PAGE];
    sqlite3 *handle = open_in(formats[0], key, xmtp_page_crypto_key);
    write_rows(handle);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t pages = fread(file_bytes, 1, sizeof(file_bytes), file) / PAGE;
    assert_int_equal(fclose(file), 0);
    assert_int_equal(pages, PAGES);
    for (size_t i = 0; i < pages; i++) {
        for (size_t k = 0; k < i; k++) { /* the IV stands first in the tail */
            assert_memory_not_equal(file_bytes + (i + 1) * PAGE - TAIL,
                                    file_bytes + (k + 1) * PAGE - TAIL, 16);
        }
    }
}

static xmtp_status open_database(const uint8_t *with_key, xmtp_database **db)
{
    return xmtp_database_open(db, xmtp_env_system(), path, with_key, NULL);
}

static void a_client_opens_files_of_each_format_and_goes_on_writing_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < FORMATS; i++) {
        uint64_t value = 0;
        xmtp_database *db;
        sqlite3 *handle = open_in(formats[i], key, sqlite3_key);
        write_rows(handle);
        assert_int_equal(sqlite3_close(handle), SQLITE_OK);
        for (uint64_t round = 1; round < 3; round++) {
            assert_int_equal(open_database(other_key, &db), XMTP_E_DATABASE_KEY);
            assert_int_equal(open_database(key, &db), XMTP_OK);
            assert_int_equal(xmtp_setting_raise(db, "number", round), XMTP_OK);
            assert_true(xmtp_database_park(db));
            assert_int_equal(xmtp_setting_number(db, "number", &value), XMTP_OK);
            assert_int_equal(value, round);
            assert_int_equal(xmtp_database_check(db), XMTP_OK);
            xmtp_database_close(db);
        }
        handle = open_in(formats[i], key, sqlite3_key);
        assert_int_equal(count_rows(handle), ROWS);
        assert_int_equal(sqlite3_close(handle), SQLITE_OK);
        xmtp_database_delete(path);
    }
}

/* Each thread has a file of its own; SQLCipher starts and ends many times meanwhile. */
static void *open_and_close(void *context)
{
    const char *name = context;
    for (int i = 0; i < OPENINGS; i++) {
        xmtp_database *db;
        if (xmtp_database_open(&db, xmtp_env_system(), name, key, NULL) != XMTP_OK ||
            xmtp_setting_raise(db, "number", 7) != XMTP_OK) {
            return NULL;
        }
        xmtp_database_close(db);
    }
    return context;
}

static void threads_may_open_and_close_at_once(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    char names[THREADS][96];
    for (size_t i = 0; i < THREADS; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "%s/%zu.db", folder, i);
        assert_int_equal(pthread_create(&threads[i], NULL, open_and_close, names[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, names[i]);
        xmtp_database_delete(names[i]);
    }
}

int main(void)
{
#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(each_reads_what_the_other_wrote),
        WITH_FOLDER(two_connections_keep_apart_whose_functions_they_have),
        WITH_FOLDER(a_page_that_was_changed_is_refused),
        WITH_FOLDER(pages_written_one_after_the_other_share_no_random_bytes),
        WITH_FOLDER(a_client_opens_files_of_each_format_and_goes_on_writing_them),
        WITH_FOLDER(threads_may_open_and_close_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
