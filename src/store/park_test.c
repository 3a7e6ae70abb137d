/* park_test.c - a database without its connection, and how it comes back. */
#include "base/bytes.h"
#include "store/database_internal.h"
#include "store/identity_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];
static char path[96];
static const uint8_t key[32] = {1, 2, 3};
static xmtp_database *db;
static int wakes;

static void count_wake(void *context)
{
    (void)context;
    wakes++;
}

static int set_up(void **state)
{
    (void)state;
    wakes = 0;
    strcpy(folder, "/tmp/xmtp-park-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/client.db", folder);
    assert_int_equal(xmtp_database_open(&db, xmtp_env_system(), path, key, NULL), XMTP_OK);
    xmtp_database_on_wake(db, count_wake, NULL);
    assert_int_equal(xmtp_setting_set(db, "n", 7), XMTP_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    xmtp_database_close(db);
    xmtp_database_delete(path);
    return rmdir(folder);
}

static uint64_t number(void)
{
    uint64_t n;
    assert_int_equal(xmtp_setting_number(db, "n", &n), XMTP_OK);
    return n;
}

static void a_parked_database_comes_back_with_the_next_call(void **state)
{
    (void)state;
    assert_true(xmtp_database_park(db));
    assert_true(xmtp_database_is_parked(db));
    assert_int_equal(wakes, 0);
    assert_int_equal(number(), 7);
    assert_int_equal(wakes, 1);
    assert_false(xmtp_database_is_parked(db));
    assert_true(xmtp_database_park(db));
    assert_int_equal(xmtp_database_begin(db), XMTP_OK);
    assert_int_equal(xmtp_setting_set(db, "n", 8), XMTP_OK);
    assert_int_equal(xmtp_database_commit(db), XMTP_OK);
    assert_true(xmtp_database_park(db));
    assert_false(xmtp_database_park(db)); /* it is already */
    assert_int_equal(number(), 8);
    assert_int_equal(wakes, 3);
}

static void a_parked_database_may_be_closed_and_is_not_in_a_transaction(void **state)
{
    (void)state;
    assert_true(xmtp_database_park(db));
    assert_false(xmtp_database_in_transaction(db));
    xmtp_database_rollback(db);
    xmtp_database_rest(db);
    xmtp_database_close(db);
    assert_int_equal(xmtp_database_open(&db, xmtp_env_system(), path, key, NULL), XMTP_OK);
    assert_int_equal(number(), 7);
}

static void nothing_is_parked_in_the_middle_of_a_transaction(void **state)
{
    (void)state;
    assert_int_equal(xmtp_database_begin(db), XMTP_OK);
    assert_false(xmtp_database_park(db));
    assert_int_equal(xmtp_setting_set(db, "n", 9), XMTP_OK);
    assert_int_equal(xmtp_database_commit(db), XMTP_OK);
    assert_int_equal(number(), 9);
}

static void nothing_is_parked_while_rows_are_read(void **state)
{
    (void)state;
    xmtp_query q = xmtp_query_start(db, "SELECT value FROM settings");
    assert_int_equal(xmtp_query_one(&q), XMTP_OK);
    assert_false(xmtp_database_park(db));
    assert_int_equal(xmtp_query_u64(&q, 0), 7);
    xmtp_query_end(&q);
    assert_true(xmtp_database_park(db));
}

static void a_database_in_memory_is_never_parked(void **state)
{
    (void)state;
    xmtp_database *memory;
    assert_int_equal(xmtp_database_open(&memory, xmtp_env_system(), NULL, NULL, NULL), XMTP_OK);
    assert_false(xmtp_database_park(memory));
    xmtp_database_close(memory);
}

static void a_file_that_went_away_is_told_and_not_made_again(void **state)
{
    (void)state;
    uint64_t n;
    assert_true(xmtp_database_park(db));
    xmtp_database_delete(path);
    assert_int_equal(xmtp_setting_number(db, "n", &n), XMTP_E_IO);
    assert_int_equal(xmtp_database_error(db)->status, XMTP_E_IO);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(xmtp_database_begin(db), XMTP_E_IO);
}

static void a_file_that_somebody_else_opened_meanwhile_is_told(void **state)
{
    (void)state;
    uint64_t n;
    xmtp_database *other;
    assert_true(xmtp_database_park(db));
    assert_int_equal(xmtp_database_open(&other, xmtp_env_system(), path, key, NULL), XMTP_OK);
    assert_int_equal(xmtp_setting_number(db, "n", &n), XMTP_E_LOCKED);
    xmtp_database_close(other);
    assert_int_equal(number(), 7);
}

static void changes_are_counted_over_a_parking(void **state)
{
    (void)state;
    uint64_t first = xmtp_database_change_count(db);
    assert_int_equal(number(), 7);
    assert_int_equal(xmtp_database_change_count(db), first); /* reading is no change */
    assert_int_equal(xmtp_database_begin(db), XMTP_OK);
    assert_int_equal(xmtp_setting_set(db, "n", 8), XMTP_OK);
    uint64_t second = xmtp_database_change_count(db);
    assert_true(second > first);
    xmtp_database_rollback(db);
    assert_int_equal(xmtp_database_change_count(db), second);
    assert_true(xmtp_database_park(db));
    uint64_t third = xmtp_database_change_count(db);
    assert_true(third > second);
    assert_int_equal(number(), 7);
    assert_int_equal(xmtp_database_change_count(db), third);
}

int main(void)
{
#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_FILE(a_parked_database_comes_back_with_the_next_call),
        WITH_FILE(a_parked_database_may_be_closed_and_is_not_in_a_transaction),
        WITH_FILE(nothing_is_parked_in_the_middle_of_a_transaction),
        WITH_FILE(nothing_is_parked_while_rows_are_read),
        WITH_FILE(a_database_in_memory_is_never_parked),
        WITH_FILE(a_file_that_went_away_is_told_and_not_made_again),
        WITH_FILE(a_file_that_somebody_else_opened_meanwhile_is_told),
        WITH_FILE(changes_are_counted_over_a_parking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
