/* database_test.c - keys, locks, crashes, full disks, migration. */
#include "base/bytes.h"
#include "store/database_internal.h"
#include "store/group_store.h"
#include "store/identity_store.h"
#include "store/intent_store.h"
#include "store/message_store.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];
static char path[96];
static const uint8_t key[32] = {1, 2, 3};
static const uint8_t other_key[32] = {4, 5, 6};

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/xmtp-store-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/client.db", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"client.db", "client.db-wal", "client.db-shm",
                                        "client.db-journal"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char name[128];
        (void)snprintf(name, sizeof(name), "%s/%s", folder, names[i]);
        (void)unlink(name);
    }
    return rmdir(folder);
}

static xmtp_database *open_file(void)
{
    xmtp_database *db;
    xmtp_error error = {0};
    xmtp_status status = xmtp_database_open(&db, xmtp_env_system(), path, key, &error);
    if (status != XMTP_OK) {
        print_error("%s\n", error.text);
    }
    assert_int_equal(status, XMTP_OK);
    return db;
}

static xmtp_status open_with(const uint8_t *with_key)
{
    xmtp_database *db;
    xmtp_error error = {0};
    xmtp_status status = xmtp_database_open(&db, xmtp_env_system(), path, with_key, &error);
    if (status == XMTP_OK) {
        xmtp_database_close(db);
    } else {
        assert_null(db);
        assert_true(strlen(error.text) > 0);
    }
    return status;
}

static uint64_t number(xmtp_database *db)
{
    uint64_t value;
    assert_int_equal(xmtp_setting_number(db, "number", &value), XMTP_OK);
    return value;
}

/* xmtp_setting_raise binds an integer; this writes one. */
static void put_number(xmtp_database *db, uint64_t value)
{
    assert_int_equal(xmtp_setting_raise(db, "number", value), XMTP_OK);
}

static void what_was_written_is_read_after_reopening(void **state)
{
    (void)state;
    xmtp_database *db = open_file();
    put_number(db, 7);
    xmtp_database_close(db);
    db = open_file();
    assert_int_equal(number(db), 7);
    put_number(db, 5); /* raise never lowers */
    assert_int_equal(number(db), 7);
    xmtp_database_close(db);
}

static void the_file_is_encrypted_and_private(void **state)
{
    (void)state;
    xmtp_database *db = open_file();
    assert_int_equal(xmtp_setting_write(db, "text", xmtp_bytes_of_string("hello plain text")),
                     XMTP_OK);
    xmtp_database_close(db);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    FILE *file = fopen(path, "rb");
    char *content = malloc((size_t)info.st_size);
    assert_int_equal(fread(content, 1, (size_t)info.st_size, file), info.st_size);
    fclose(file);
    assert_null(memmem(content, (size_t)info.st_size, "plain text", 10));
    assert_null(memmem(content, (size_t)info.st_size, "SQLite format", 13));
    free(content);
}

static void a_wrong_key_is_told_and_the_file_left_alone(void **state)
{
    (void)state;
    xmtp_database *db = open_file();
    put_number(db, 7);
    xmtp_database_close(db);
    assert_int_equal(open_with(other_key), XMTP_E_DATABASE_KEY);
    db = open_file();
    assert_int_equal(number(db), 7);
    xmtp_database_close(db);
}

static void a_file_that_is_no_database_is_told_and_left_alone(void **state)
{
    (void)state;
    static const char text[] = "this is somebody's diary, not a database. "
                               "It has more than one hundred bytes so that a header would fit.....";
    FILE *file = fopen(path, "wb");
    assert_int_equal(fwrite(text, 1, sizeof(text), file), sizeof(text));
    fclose(file);
    assert_int_equal(open_with(key), XMTP_E_DATABASE_KEY);
    char back[sizeof(text)];
    file = fopen(path, "rb");
    assert_int_equal(fread(back, 1, sizeof(back), file), sizeof(back));
    fclose(file);
    assert_memory_equal(back, text, sizeof(text));
}

static void a_truncated_file_is_refused(void **state)
{
    (void)state;
    xmtp_database *db = open_file();
    put_number(db, 7);
    xmtp_database_close(db);
    assert_int_equal(truncate(path, 5000), 0);
    assert_int_not_equal(open_with(key), XMTP_OK);
}

static void a_whole_database_passes_the_check(void **state)
{
    (void)state;
    xmtp_database *db = open_file();
    assert_int_equal(xmtp_database_check(db), XMTP_OK);
    assert_int_equal(xmtp_database_check(db), XMTP_OK); /* nor is anything left behind */
    xmtp_database_close(db);
    assert_int_equal(xmtp_database_open(&db, xmtp_env_system(), NULL, NULL, NULL), XMTP_OK);
    assert_int_equal(xmtp_database_check(db), XMTP_OK);
    xmtp_database_close(db);
}

static void a_flipped_bit_in_the_last_page_is_found(void **state)
{
    (void)state;
    static const uint8_t long_value[8000];
    xmtp_database *made = open_file();
    assert_int_equal(
        xmtp_setting_write(made, "long", xmtp_bytes_of(long_value, sizeof(long_value))), XMTP_OK);
    xmtp_database_close(made);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, -2000, SEEK_END), 0);
    int byte = fgetc(file);
    assert_int_equal(fseek(file, -2000, SEEK_END), 0);
    assert_int_not_equal(fputc(byte ^ 1, file), EOF);
    assert_int_equal(fclose(file), 0);
    xmtp_database *db = open_file();
    assert_int_equal(xmtp_database_check(db), XMTP_E_CORRUPT);
    assert_non_null(strstr(xmtp_database_error(db)->text, "damaged"));
    xmtp_database_close(db);
}

static void a_missing_folder_is_an_error(void **state)
{
    (void)state;
    xmtp_database *db;
    xmtp_error error;
    assert_int_equal(xmtp_database_open(&db, xmtp_env_system(), "/nonexistent/x.db", key, &error),
                     XMTP_E_IO);
}

static void a_second_opening_finds_the_file_locked(void **state)
{
    (void)state;
    xmtp_database *db = open_file();
    assert_int_equal(open_with(key), XMTP_E_LOCKED); /* in the same process */
    pid_t child = fork();
    if (child == 0) {
        xmtp_database *second;
        xmtp_status status = xmtp_database_open(&second, xmtp_env_system(), path, key, NULL);
        _exit(status == XMTP_E_LOCKED ? 0 : 1);
    }
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    xmtp_database_close(db);
    assert_int_equal(open_with(key), XMTP_OK);
}

static void a_transaction_cut_by_a_kill_leaves_the_state_before_it(void **state)
{
    (void)state;
    xmtp_database *db = open_file();
    put_number(db, 1);
    xmtp_database_close(db);
    for (int is_committed = 0; is_committed < 2; is_committed++) {
        pid_t child = fork();
        if (child == 0) {
            db = open_file();
            if (xmtp_database_begin(db) == XMTP_OK) {
                put_number(db, 2);
                if (is_committed && xmtp_database_commit(db) != XMTP_OK) {
                    _exit(1);
                }
            }
            (void)kill(getpid(), SIGKILL);
        }
        int result;
        assert_int_equal(waitpid(child, &result, 0), child);
        assert_true(WIFSIGNALED(result));
        db = open_file();
        assert_int_equal(number(db), 1 + is_committed);
        xmtp_database_close(db);
    }
}

static void a_full_disk_is_told_and_the_database_goes_on(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        (void)signal(SIGXFSZ, SIG_IGN);
        xmtp_database *db = open_file();
        put_number(db, 3);
        struct rlimit limit = {.rlim_cur = 400 * 1024, .rlim_max = 1024 * 1024};
        (void)setrlimit(RLIMIT_FSIZE, &limit);
        static uint8_t big[800 * 1024];
        bool is_ok = xmtp_database_begin(db) == XMTP_OK;
        xmtp_status status = xmtp_setting_write(db, "big", xmtp_bytes_of(big, sizeof(big)));
        if (status == XMTP_OK) {
            status = xmtp_database_commit(db);
        }
        xmtp_database_rollback(db);
        is_ok = is_ok && status == XMTP_E_DISK_FULL && number(db) == 3;
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_FSIZE, &limit);
        is_ok = is_ok && xmtp_setting_raise(db, "number", 4) == XMTP_OK && number(db) == 4;
        xmtp_database_close(db);
        _exit(is_ok ? 0 : 1);
    }
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    xmtp_database *db = open_file();
    assert_int_equal(number(db), 4);
    xmtp_database_close(db);
}

static void a_newer_version_is_refused(void **state)
{
    (void)state;
    xmtp_database *db = open_file();
    assert_int_equal(xmtp_database_exec(db, "PRAGMA user_version = 99"), XMTP_OK);
    xmtp_database_close(db);
    assert_int_equal(open_with(key), XMTP_E_DATABASE_VERSION);
}

static void an_empty_database_is_brought_to_the_present_version(void **state)
{
    (void)state;
    xmtp_database *db = open_file();
    xmtp_query q = xmtp_query_start(db, "SELECT user_version FROM pragma_user_version");
    assert_int_equal(xmtp_query_one(&q), XMTP_OK);
    assert_int_equal(xmtp_query_u64(&q, 0), XMTP_DATABASE_VERSION);
    xmtp_query_end(&q);
    xmtp_database_close(db);
}

/* Tables and indexes with their text, spaces and quotes aside; *out is the caller's to free. */
static void layout_of(xmtp_database *db, char **out)
{
    xmtp_query q = xmtp_query_start(
        db, "SELECT group_concat(line, char(10)) FROM (SELECT type || name || ' ' ||"
            " coalesce(replace(replace(sql, ' ', ''), '\"', ''), '') AS line FROM sqlite_master"
            " ORDER BY type, name)");
    assert_int_equal(xmtp_query_one(&q), XMTP_OK);
    xmtp_bytes text = xmtp_query_view(&q, 0);
    *out = strndup(text.n == 0 ? "" : (const char *)text.p, text.n);
    assert_non_null(*out);
    xmtp_query_end(&q);
}

static void empty(xmtp_database *db)
{
    sqlite3 *handle = xmtp_database_handle(db);
    assert_int_equal(sqlite3_db_config(handle, SQLITE_DBCONFIG_RESET_DATABASE, 1, NULL), SQLITE_OK);
    assert_int_equal(xmtp_database_exec(db, "VACUUM"), XMTP_OK);
    assert_int_equal(sqlite3_db_config(handle, SQLITE_DBCONFIG_RESET_DATABASE, 0, NULL), SQLITE_OK);
}

static void a_new_database_has_the_layout_of_one_that_went_through_all_migrations(void **state)
{
    (void)state;
    xmtp_database *db;
    char *made_at_once;
    char *emptied;
    char *step_by_step;
    assert_int_equal(xmtp_database_open(&db, xmtp_env_system(), NULL, NULL, NULL), XMTP_OK);
    layout_of(db, &made_at_once);
    empty(db);
    layout_of(db, &emptied);
    assert_string_equal(emptied, "");
    assert_int_equal(xmtp_schema_go_on(db, 0), XMTP_OK);
    layout_of(db, &step_by_step);
    assert_string_equal(made_at_once, step_by_step);
    assert_non_null(strstr(made_at_once, "messages_by_reference"));
    free(made_at_once);
    free(emptied);
    free(step_by_step);
    xmtp_database_close(db);
}

static const char layout_2_of_3[] =
    "DROP TABLE commit_parts; DROP TABLE identity_updates;"
    "CREATE TABLE identity_updates(inbox_id TEXT NOT NULL, sequence_id INTEGER NOT NULL,"
    " data BLOB NOT NULL, PRIMARY KEY(inbox_id, sequence_id)) WITHOUT ROWID;"
    "INSERT INTO identity_updates VALUES('known', 5, x'15'), ('known', 6, x'16'),"
    " ('known', 7, x'17'), ('new', 1, x'11');"
    "CREATE TABLE association_states(inbox_id TEXT NOT NULL, sequence_id INTEGER NOT NULL,"
    " record BLOB NOT NULL, PRIMARY KEY(inbox_id, sequence_id)) WITHOUT ROWID;"
    "CREATE TABLE inboxes(inbox_id TEXT PRIMARY KEY, address TEXT NOT NULL) WITHOUT ROWID;"
    "ALTER TABLE intents ADD COLUMN post_commit BLOB NOT NULL DEFAULT x'';"
    "INSERT INTO association_states VALUES('known', 5, x'05'), ('known', 7, x'07'), ('new', 1, "
    "x'01');"
    "INSERT INTO inboxes VALUES('known', '0xabc');"
    "INSERT INTO groups(id, group_id, kind, stage, created_ns, last_message_ns, name, peer_inbox,"
    " added_by, welcome_id, epoch, member_count, is_active, paused_for, checked_ns, rotated_ns,"
    " cursor, is_forked) VALUES(1, x'11', 1, 1, 1, 1, '', '', '', 0, 1, 1, 1, '', 1, 1, 1, 0);"
    "INSERT INTO intents(id, group_ref, kind, state, data, message_id, should_push, payload,"
    " payload_hash, staged, post_commit, epoch, attempts, sequence) VALUES"
    " (1, 1, 1, 2, x'aa', x'bb', 1, x'cc', x'dd', x'', x'', 3, 0, 0),"     /* a message */
    " (2, 1, 4, 2, x'', x'', 0, x'0102', x'ee', x'03', x'0405', 3, 0, 0)," /* a commit under way */
    " (3, 1, 4, 3, x'', x'', 0, x'', x'ee', x'', x'06', 3, 0, 9)"; /* one with welcomes due */

static void assert_part(xmtp_database *db, xmtp_arena *arena, int64_t intent, xmtp_commit_part part,
                        const char *expected)
{
    xmtp_bytes bytes;
    assert_int_equal(xmtp_commit_part_read(db, intent, part, arena, &bytes), XMTP_OK);
    assert_true(xmtp_bytes_equal(bytes, xmtp_bytes_of_string(expected)));
}

static void what_layout_2_had_is_found_in_layout_3(void **state)
{
    (void)state;
    xmtp_database *db;
    xmtp_arena arena;
    xmtp_bytes bytes;
    xmtp_intent_row row;
    uint64_t found;
    char address[16];
    assert_int_equal(xmtp_database_open(&db, xmtp_env_system(), NULL, NULL, NULL), XMTP_OK);
    assert_int_equal(xmtp_database_exec(db, layout_2_of_3), XMTP_OK);
    assert_int_equal(xmtp_schema_go_on(db, 2), XMTP_OK);
    xmtp_arena_init(&arena, &xmtp_env_system()->alloc, 1 << 20);
    assert_int_equal(xmtp_inbox_address_read(db, "known", address, sizeof(address)), XMTP_OK);
    assert_string_equal(address, "0xabc");
    assert_int_equal(xmtp_inbox_address_read(db, "new", address, sizeof(address)), XMTP_OK);
    assert_string_equal(address, "");
    assert_int_equal(xmtp_association_state_read(db, "known", 6, &found, &arena, &bytes), XMTP_OK);
    assert_true(found == 5 && bytes.n == 1 && bytes.p[0] == 5);
    assert_int_equal(xmtp_identity_update_newest(db, "known", &found), XMTP_OK);
    assert_int_equal(found, 7);
    assert_int_equal(xmtp_identity_update_newest(db, "new", &found), XMTP_OK);
    assert_int_equal(found, 1);
    assert_int_equal(xmtp_intent_read(db, 1, &arena, &row), XMTP_OK);
    assert_true(xmtp_bytes_equal(row.payload, xmtp_bytes_of_string("\xcc")));
    assert_int_equal(xmtp_intent_read(db, 2, &arena, &row), XMTP_OK);
    assert_true(row.payload.n == 0 && row.state == XMTP_INTENT_PUBLISHED);
    assert_true(xmtp_bytes_equal(row.staged, xmtp_bytes_of_string("\x03")));
    assert_part(db, &arena, 2, XMTP_COMMIT_MESSAGE, "\x01\x02");
    assert_part(db, &arena, 2, XMTP_COMMIT_WELCOMES, "\x04\x05");
    assert_int_equal(xmtp_commit_part_read(db, 2, XMTP_COMMIT_CONTENT, &arena, &bytes),
                     XMTP_E_NOT_FOUND);
    assert_part(db, &arena, 3, XMTP_COMMIT_WELCOMES, "\x06");
    assert_int_equal(xmtp_commit_part_read(db, 3, XMTP_COMMIT_MESSAGE, &arena, &bytes),
                     XMTP_E_NOT_FOUND);
    xmtp_arena_reset(&arena);
    xmtp_database_close(db);
}

static int64_t log_len(void)
{
    char name[sizeof(path) + 8];
    struct stat info;
    (void)snprintf(name, sizeof(name), "%s-wal", path);
    assert_int_equal(stat(name, &info), 0);
    return info.st_size;
}

/* Of the parts of a commit only the pages that hold others are written again; all else is overwritten. */
static void what_is_deleted_is_overwritten_but_for_parts_of_commits(void **state)
{
    (void)state;
    enum { LONG = 500000 };
    static uint8_t bytes[LONG];
    xmtp_database *db = open_file();
    xmtp_group_row group = {.group_id = xmtp_bytes_of_string("g"), .name = "", .added_by = ""};
    assert_int_equal(xmtp_group_row_insert(db, &group), XMTP_OK);
    xmtp_intent_row commit = {.group_ref = group.ref, .kind = XMTP_INTENT_MEMBERSHIP};
    xmtp_intent_row message = {.group_ref = group.ref,
                               .kind = XMTP_INTENT_SEND_MESSAGE,
                               .data = xmtp_bytes_of(bytes, LONG)};
    const xmtp_commit_parts parts = {.message = xmtp_bytes_of(bytes, LONG)};
    assert_int_equal(xmtp_intent_insert(db, &message), XMTP_OK);
    assert_int_equal(xmtp_intent_insert(db, &commit), XMTP_OK);
    assert_int_equal(xmtp_commit_set_published(db, &commit, &parts), XMTP_OK);
    int64_t before = log_len();
    assert_int_equal(xmtp_commit_delete(db, commit.id), XMTP_OK);
    assert_in_range(log_len() - before, 1000, LONG / 10);
    before = log_len();
    assert_int_equal(xmtp_intent_delete(db, message.id), XMTP_OK);
    assert_in_range(log_len() - before, LONG, 2 * LONG);
    xmtp_database_close(db);
}

static void a_failing_insert_rolls_back_as_a_whole(void **state)
{
    (void)state;
    xmtp_database *db;
    assert_int_equal(xmtp_database_open(&db, xmtp_env_system(), NULL, NULL, NULL), XMTP_OK);
    assert_int_equal(xmtp_database_begin(db), XMTP_OK);
    put_number(db, 9);
    /* no group 77: the foreign key forbids it */
    assert_int_not_equal(xmtp_record_put(db, 77, xmtp_bytes_of("k", 1), xmtp_bytes_of("v", 1)),
                         XMTP_OK);
    assert_true(xmtp_database_in_transaction(db));
    xmtp_database_rollback(db);
    assert_false(xmtp_database_in_transaction(db));
    assert_int_equal(number(db), 0);
    xmtp_database_close(db);
}

int main(void)
{
#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(what_was_written_is_read_after_reopening),
        WITH_FOLDER(the_file_is_encrypted_and_private),
        WITH_FOLDER(a_wrong_key_is_told_and_the_file_left_alone),
        WITH_FOLDER(a_file_that_is_no_database_is_told_and_left_alone),
        WITH_FOLDER(a_truncated_file_is_refused),
        WITH_FOLDER(a_whole_database_passes_the_check),
        WITH_FOLDER(a_flipped_bit_in_the_last_page_is_found),
        cmocka_unit_test(a_missing_folder_is_an_error),
        WITH_FOLDER(a_second_opening_finds_the_file_locked),
        WITH_FOLDER(a_transaction_cut_by_a_kill_leaves_the_state_before_it),
        WITH_FOLDER(a_full_disk_is_told_and_the_database_goes_on),
        WITH_FOLDER(a_newer_version_is_refused),
        WITH_FOLDER(an_empty_database_is_brought_to_the_present_version),
        WITH_FOLDER(a_new_database_has_the_layout_of_one_that_went_through_all_migrations),
        cmocka_unit_test(what_layout_2_had_is_found_in_layout_3),
        WITH_FOLDER(what_is_deleted_is_overwritten_but_for_parts_of_commits),
        cmocka_unit_test(a_failing_insert_rolls_back_as_a_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
