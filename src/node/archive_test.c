/* archive_test.c - a node's data over restarts, crashes, lost indexes and full disks. */
#include "node/test_vectors.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static uint64_t newest_id(test_node *t, const char *group)
{
    const Pb__QueryGroupMessagesResponse *page = test_query(t, group, 2, 1, 0);
    return page->n_messages == 0 ? 0 : page->messages[0]->v1->id;
}

static void what_was_stored_is_there_after_a_restart(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    test_node t;
    test_node_open(&t, folder.path);
    assert_int_equal(test_send(&t, "a", TEST_APPLICATION, 1, 3), XMTP_OK);
    assert_int_equal(test_send(&t, "b", TEST_COMMIT, 1, 1), XMTP_OK);
    test_node_close(&t);
    test_node_open(&t, folder.path);
    assert_int_equal(test_count(&t, "a"), 3);
    assert_int_equal(newest_id(&t, "b"), 4);
    assert_int_equal(test_send(&t, "a", TEST_APPLICATION, 3, 2), XMTP_OK); /* one known, one new */
    assert_int_equal(test_count(&t, "a"), 4);
    assert_int_equal(newest_id(&t, "a"), 5); /* ids go on */
    test_node_close(&t);
    test_folder_remove(folder.path);
}

static void a_lost_index_is_made_again_from_the_log(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    char path[512];
    test_node t;
    test_node_open(&t, folder.path);
    for (uint64_t i = 0; i < 50; i++) {
        assert_int_equal(test_send(&t, i % 2 == 0 ? "a" : "b", TEST_APPLICATION, i, 2), XMTP_OK);
    }
    test_node_close(&t);
    static const char *const lost[] = {"index/data.mdb", "index/boot", "index"};
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder.path, lost[i]);
        test_folder_remove(path);
        test_node_open(&t, folder.path);
        size_t a = test_count(&t, "a");
        size_t b = test_count(&t, "b");
        assert_int_equal(a, 50);
        assert_int_equal(b, 50);
        assert_int_equal(newest_id(&t, "b"), 100);
        assert_int_equal(test_send(&t, "a", TEST_APPLICATION, 0, 2), XMTP_OK); /* known content */
        assert_int_equal(test_count(&t, "a"), 50);
        test_node_close(&t);
    }
    test_folder_remove(folder.path);
}

static void an_index_of_another_boot_is_not_trusted(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    char boot[512];
    char data[512];
    struct stat st;
    test_node t;
    test_node_open(&t, folder.path);
    assert_int_equal(test_send(&t, "a", TEST_APPLICATION, 1, 3), XMTP_OK);
    test_node_close(&t);
    (void)snprintf(boot, sizeof boot, "%s/index/boot", folder.path);
    (void)snprintf(data, sizeof data, "%s/index/data.mdb", folder.path);
    test_file_write(boot, (const unsigned char *)"00000000-0000-0000-0000-000000000000", 36);
    assert_int_equal(stat(data, &st), 0);
    test_file_write(data, (const unsigned char *)"torn pages", 10);
    test_node_open(&t, folder.path);
    assert_int_equal(test_count(&t, "a"), 3);
    test_node_close(&t);
    test_folder_remove(folder.path);
}

static void a_log_shorter_than_what_was_acknowledged_is_refused(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    char path[512];
    size_t n;
    test_node t;
    test_node_open(&t, folder.path);
    assert_int_equal(test_send(&t, "a", TEST_APPLICATION, 1, 3), XMTP_OK);
    test_node_close(&t);
    (void)snprintf(path, sizeof path, "%s/log/00000000.seg", folder.path);
    unsigned char *bytes = test_file_read(path, &n);
    test_file_write(path, bytes, n - 1);
    xmtp_node *node;
    xmtp_error error = {0};
    xmtp_node_options options = {.data_dir = folder.path};
    assert_int_equal(xmtp_node_open(&node, &options, &error), XMTP_E_CORRUPT);
    assert_null(node);
    assert_non_null(strstr(error.text, "00000000.seg"));
    test_file_write(path, bytes, n);
    assert_int_equal(xmtp_node_open(&node, &options, &error), XMTP_OK);
    xmtp_node_close(node);
    free(bytes);
    test_folder_remove(folder.path);
}

static void damage_that_is_read_is_told_and_not_served(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    char path[512];
    size_t n;
    test_node t;
    test_node_open(&t, folder.path);
    assert_int_equal(test_send(&t, "a", TEST_APPLICATION, 1, 1), XMTP_OK);
    assert_int_equal(test_send(&t, "b", TEST_APPLICATION, 1, 1), XMTP_OK);
    test_node_close(&t);
    (void)snprintf(path, sizeof path, "%s/log/00000000.seg", folder.path);
    unsigned char *bytes = test_file_read(path, &n);
    bytes[100] ^= 1; /* in the first record; the index is up to date, so the log is not scanned */
    test_file_write(path, bytes, n);
    free(bytes);
    test_node_open(&t, folder.path);
    Pb__QueryGroupMessagesRequest request = PB__QUERY_GROUP_MESSAGES_REQUEST__INIT;
    request.has_group_id = true;
    request.group_id = xmtp_proto_data(xmtp_bytes_of_string("a"));
    assert_int_equal(test_call(&t, MLS "QueryGroupMessages", &request.base, NULL, NULL),
                     XMTP_E_RPC);
    assert_non_null(strstr(t.error.text, "damaged record at offset"));
    assert_int_equal(test_count(&t, "b"), 1);
    test_node_close(&t);
    test_folder_remove(folder.path);
}

static void a_second_node_on_the_same_data_is_refused(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    test_node t;
    xmtp_node *second;
    xmtp_error error = {0};
    xmtp_node_options options = {.data_dir = folder.path};
    test_node_open(&t, folder.path);
    assert_int_equal(xmtp_node_open(&second, &options, &error), XMTP_E_LOCKED);
    assert_null(second);
    assert_int_equal(test_send(&t, "a", TEST_APPLICATION, 1, 1), XMTP_OK);
    test_node_close(&t);
    assert_int_equal(xmtp_node_open(&second, &options, &error), XMTP_OK);
    xmtp_node_close(second);
    test_folder_remove(folder.path);
}

static struct rlimit before_tight;

/* No write beyond the first page of any file: the log has a little room, the index none. */
static void disk_fills_up(void)
{
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before_tight), 0);
    struct rlimit tight = {.rlim_cur = 4096, .rlim_max = before_tight.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
}

static void disk_has_room(void)
{
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before_tight), 0);
}

static void a_full_disk_refuses_writes_and_serves_reads(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    test_node t;
    test_node_open(&t, folder.path);
    assert_int_equal(test_send(&t, "a", TEST_APPLICATION, 1, 3), XMTP_OK);
    disk_fills_up();
    xmtp_status refused = test_send(&t, "a", TEST_APPLICATION, 4, 30);
    size_t readable = test_count(&t, "a");
    disk_has_room();
    assert_int_equal(refused, XMTP_E_RPC_UNAVAILABLE);
    assert_int_equal(readable, 3);
    assert_int_equal(test_send(&t, "a", TEST_APPLICATION, 4, 30), XMTP_OK);
    assert_int_equal(newest_id(&t, "a"), 33); /* the refused ones took no ids */
    test_node_close(&t);
    test_node_open(&t, folder.path);
    assert_int_equal(test_count(&t, "a"), 33);
    test_node_close(&t);
    test_folder_remove(folder.path);
}

/* What stops between log and index: an older index, whole, beside a log with one append more. */
static void killed_before_the_index_was_written(const test_folder *folder)
{
    char path[512];
    size_t n;
    test_node t;
    (void)snprintf(path, sizeof path, "%s/index/data.mdb", folder->path);
    test_node_open(&t, folder->path);
    assert_int_equal(test_send(&t, "a", TEST_APPLICATION, 1, 3), XMTP_OK);
    test_node_close(&t);
    unsigned char *bytes = test_file_read(path, &n);
    test_node_open(&t, folder->path);
    assert_int_equal(test_send(&t, "a", TEST_APPLICATION, 4, 2), XMTP_OK);
    test_node_close(&t);
    test_file_write(path, bytes, n);
    free(bytes);
}

static void a_killed_node_starts_on_a_full_disk_without_what_nobody_was_told_of(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    test_node t;
    killed_before_the_index_was_written(&folder);
    disk_fills_up();
    test_node_open(&t, folder.path);
    size_t readable = test_count(&t, "a");
    xmtp_status refused = test_send(&t, "a", TEST_APPLICATION, 4, 2);
    disk_has_room();
    assert_int_equal(readable, 3);
    assert_int_equal(refused, XMTP_E_RPC_UNAVAILABLE);
    assert_int_equal(test_send(&t, "a", TEST_APPLICATION, 4, 2), XMTP_OK);
    assert_int_equal(newest_id(&t, "a"), 5);
    test_node_close(&t);
    test_node_open(&t, folder.path);
    assert_int_equal(test_count(&t, "a"), 5);
    test_node_close(&t);
    test_folder_remove(folder.path);
}

static void a_killed_node_that_has_room_keeps_even_what_nobody_was_told_of(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    test_node t;
    killed_before_the_index_was_written(&folder);
    test_node_open(&t, folder.path);
    assert_int_equal(test_count(&t, "a"), 5);
    test_node_close(&t);
    test_folder_remove(folder.path);
}

static void an_index_that_is_not_whole_takes_nothing_back_on_a_full_disk(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    char path[512];
    test_node t;
    xmtp_node *node;
    xmtp_error error = {0};
    xmtp_node_options options = {.data_dir = folder.path};
    killed_before_the_index_was_written(&folder);
    (void)snprintf(path, sizeof path, "%s/index/data.mdb", folder.path);
    test_folder_remove(path);
    disk_fills_up();
    xmtp_status refused = xmtp_node_open(&node, &options, &error);
    disk_has_room();
    assert_int_equal(refused, XMTP_E_DISK_FULL);
    test_node_open(&t, folder.path);
    assert_int_equal(test_count(&t, "a"), 5);
    test_node_close(&t);
    test_folder_remove(folder.path);
}

/* The child tells through a pipe which batches of three were acknowledged. */
static void child_sends_for_ever(const char *dir, uint64_t first, int fd)
{
    test_node t;
    test_node_open(&t, dir);
    for (uint64_t number = first;; number += 3) {
        uint64_t acknowledged = number + 3;
        if (test_send(&t, "a", TEST_APPLICATION, number, 3) != XMTP_OK ||
            write(fd, &acknowledged, sizeof acknowledged) != (ssize_t)sizeof acknowledged) {
            _exit(1);
        }
    }
}

static void a_killed_node_loses_nothing_that_it_acknowledged(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    uint64_t stored = 0;
    for (int round = 0; round < 10; round++) {
        int pipes[2];
        assert_int_equal(pipe(pipes), 0);
        pid_t pid = fork();
        if (pid == 0) {
            child_sends_for_ever(folder.path, stored, pipes[1]);
        }
        (void)close(pipes[1]);
        uint64_t acknowledged = stored;
        uint64_t number;
        for (int i = 0; i <= 3 * round; i++) {
            assert_int_equal(read(pipes[0], &number, sizeof number), sizeof number);
            acknowledged = number;
        }
        (void)kill(pid, SIGKILL);
        while (read(pipes[0], &number, sizeof number) == sizeof number) {
            acknowledged = number;
        }
        (void)close(pipes[0]);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        test_node t;
        test_node_open(&t, folder.path);
        stored = newest_id(&t, "a"); /* numbers and ids go together */
        assert_true(stored >= acknowledged);
        assert_int_equal(stored % 3, 0);
        test_node_close(&t);
    }
    test_folder_remove(folder.path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_stored_is_there_after_a_restart),
        cmocka_unit_test(a_lost_index_is_made_again_from_the_log),
        cmocka_unit_test(an_index_of_another_boot_is_not_trusted),
        cmocka_unit_test(a_log_shorter_than_what_was_acknowledged_is_refused),
        cmocka_unit_test(damage_that_is_read_is_told_and_not_served),
        cmocka_unit_test(a_second_node_on_the_same_data_is_refused),
        cmocka_unit_test(a_full_disk_refuses_writes_and_serves_reads),
        cmocka_unit_test(a_killed_node_starts_on_a_full_disk_without_what_nobody_was_told_of),
        cmocka_unit_test(a_killed_node_that_has_room_keeps_even_what_nobody_was_told_of),
        cmocka_unit_test(an_index_that_is_not_whole_takes_nothing_back_on_a_full_disk),
        cmocka_unit_test(a_killed_node_loses_nothing_that_it_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
