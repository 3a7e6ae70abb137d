/* database_copy_test.c - the bytes of a database's file, and a new key for it. */
#include "store/database_copy.h"

#include "store/identity_store.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
// cmocka wants the headers above first
#include <cmocka.h>

static const uint8_t key[XMTP_DATABASE_KEY_LEN] = {1};
static const uint8_t other[XMTP_DATABASE_KEY_LEN] = {2};
static char folder[64];
static char path[80];
static char copy[80];

static int set_up(void **state)
{
    (void)state;
    (void)strcpy(folder, "/tmp/xmtp-copy-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/a", folder);
    (void)snprintf(copy, sizeof(copy), "%s/b", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    xmtp_database_delete(path);
    xmtp_database_delete(copy);
    return rmdir(folder);
}

static xmtp_status open_with(const char *name, const uint8_t *with, xmtp_database **db)
{
    return xmtp_database_open(db, xmtp_env_system(), name, with, NULL);
}

static void write_copy(xmtp_database *db)
{
    uint8_t page[512];
    uint64_t size;
    FILE *out = fopen(copy, "wb");
    assert_non_null(out);
    assert_int_equal(xmtp_database_raw_size(db, &size), XMTP_OK);
    assert_true(size > 0 && size % sizeof(page) == 0);
    for (uint64_t at = 0; at < size; at += sizeof(page)) {
        assert_int_equal(xmtp_database_raw(db, at, page, sizeof(page)), XMTP_OK);
        assert_int_equal(fwrite(page, 1, sizeof(page), out), sizeof(page));
    }
    assert_int_equal(fclose(out), 0);
}

/* Seen from another process: locks are between those. */
static bool is_locked_for_others(void)
{
    int ended;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        int fd = open(path, O_RDWR | O_CLOEXEC);
        bool is_asked = fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0;
        _exit(is_asked && lock.l_type != F_UNLCK ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &ended, 0), child);
    return WIFEXITED(ended) && WEXITSTATUS(ended) == 0;
}

static void the_bytes_of_a_settled_database_are_one(void **state)
{
    (void)state;
    xmtp_database *db;
    xmtp_database *again;
    uint64_t value;
    assert_int_equal(open_with(path, key, &db), XMTP_OK);
    assert_int_equal(xmtp_setting_set(db, "n", 7), XMTP_OK);
    assert_int_equal(xmtp_database_settle(db), XMTP_OK);
    write_copy(db);
    assert_true(is_locked_for_others()); /* reading has not given up the lock */
    assert_int_equal(open_with(copy, key, &again), XMTP_OK);
    assert_int_equal(xmtp_setting_number(again, "n", &value), XMTP_OK);
    assert_int_equal(value, 7);
    xmtp_database_close(again);
    xmtp_database_close(db);
}

static void a_new_key_takes_the_place_of_the_old_one(void **state)
{
    (void)state;
    xmtp_database *db;
    uint64_t value;
    assert_int_equal(open_with(path, key, &db), XMTP_OK);
    assert_int_equal(xmtp_setting_set(db, "n", 7), XMTP_OK);
    assert_int_equal(xmtp_database_rekey(db, other), XMTP_OK);
    assert_memory_equal(xmtp_database_key(db), other, sizeof(other));
    xmtp_database_close(db);
    assert_int_equal(open_with(path, key, &db), XMTP_E_DATABASE_KEY);
    assert_int_equal(open_with(path, other, &db), XMTP_OK);
    assert_int_equal(xmtp_setting_number(db, "n", &value), XMTP_OK);
    assert_int_equal(value, 7);
    assert_int_equal(xmtp_database_check(db), XMTP_OK);
    xmtp_database_close(db);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_bytes_of_a_settled_database_are_one),
        TEST(a_new_key_takes_the_place_of_the_old_one),
    };
    return cmocka_run_group_tests_name("database copy", tests, NULL, NULL);
}
