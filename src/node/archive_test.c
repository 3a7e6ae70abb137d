/* archive_test.c - a node's data over restarts, crashes, lost indexes and full disks. */
#include "node/archive_internal.h"
#include "node/node_internal.h"
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

static void the_length_of_the_log_is_told_without_what_is_written_ahead(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    xmtp_node_archive_figures running;
    xmtp_node_archive_figures opened;
    char path[512];
    size_t n;
    test_node t;
    test_node_open(&t, folder.path);
    assert_int_equal(test_send(&t, "a", TEST_APPLICATION, 1, 1), XMTP_OK);
    assert_int_equal(test_send(&t, "a", TEST_APPLICATION, 2, 1), XMTP_OK);
    xmtp_node_archive_measure(t.node->services.archive, &running);
    test_node_close(&t);
    (void)snprintf(path, sizeof path, "%s/log/00000000.seg", folder.path);
    free(test_file_read(path, &n));
    assert_int_equal(running.segments, 1);
    assert_int_equal(running.log_len, n);
    test_node_open(&t, folder.path);
    xmtp_node_archive_measure(t.node->services.archive, &opened);
    assert_int_equal(opened.log_len, n);
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

/* ---- pages that are known without reading */

static uint64_t held_ns;

static uint64_t held_clock(void *context)
{
    (void)context;
    return held_ns;
}

static xmtp_node_archive *open_held(xmtp_env *env, const char *dir)
{
    xmtp_node_archive *archive;
    *env = *test_env();
    env->now_ns = held_clock;
    held_ns = test_now_ns;
    xmtp_node_archive_options options = {.env = env, .dir = dir};
    assert_int_equal(xmtp_node_archive_open(&archive, &options, NULL), XMTP_OK);
    return archive;
}

static void append(xmtp_node_archive *archive, const char *topic, uint8_t number)
{
    uint8_t hash[XMTP_NODE_HASH_LEN] = {number};
    xmtp_node_entry entry = {.kind = XMTP_NODE_GROUP_MESSAGE,
                             .topic = xmtp_bytes_of_string(topic),
                             .extra = xmtp_bytes_of(hash, sizeof hash),
                             .body = xmtp_bytes_of(&number, 1)};
    xmtp_node_batch batch = {.entries = &entry, .count = 1};
    xmtp_node_batch *batches[] = {&batch};
    assert_int_equal(xmtp_node_archive_append(archive, batches, 1, NULL), XMTP_OK);
    assert_int_equal(entry.place.id, number);
}

/* What the archive says, and whether it had to read for it. */
static bool check_page(xmtp_node_archive *archive, const char *topic, const xmtp_node_page *page)
{
    xmtp_node_place said[3];
    xmtp_node_place read[3];
    size_t said_count;
    size_t read_count;
    uint64_t reads = xmtp_node_archive_index_reads(archive);
    xmtp_bytes t = xmtp_bytes_of_string(topic);
    assert_int_equal(
        xmtp_node_archive_page(archive, XMTP_NODE_GROUP_MESSAGE, t, page, said, &said_count),
        XMTP_OK);
    assert_int_equal(
        xmtp_node_index_page(archive->index, XMTP_NODE_GROUP_MESSAGE, t, page, read, &read_count),
        XMTP_OK);
    assert_int_equal(said_count, read_count);
    for (size_t i = 0; i < read_count; i++) {
        assert_int_equal(said[i].id, read[i].id);
        assert_int_equal(said[i].time_ns, read[i].time_ns);
        assert_int_equal(said[i].position.offset, read[i].position.offset);
        assert_int_equal(said[i].len, read[i].len);
    }
    return xmtp_node_archive_index_reads(archive) > reads;
}

/* Every page of up to three rows of topics "a" and "b"; how many were read. */
static size_t check_pages(xmtp_node_archive *archive, uint64_t last_id)
{
    static const char *const topics[] = {"a", "b", "none"};
    size_t reads = 0;
    for (size_t t = 0; t < 3; t++) {
        for (uint64_t cursor = 0; cursor <= last_id + 1; cursor++) {
            for (uint64_t limit = 1; limit <= 3; limit++) {
                xmtp_node_page page = {.cursor = cursor, .limit = limit};
                (void)check_page(archive, topics[t], &page);
                page.is_ascending = true;
                reads += check_page(archive, topics[t], &page) ? 1 : 0;
                for (page.id_limit = 1; page.id_limit <= last_id + 1; page.id_limit++) {
                    (void)check_page(archive, topics[t], &page);
                }
            }
        }
    }
    return reads;
}

static void pages_that_are_not_read_are_the_same(void **state)
{
    (void)state;
    /* By cursors: a 5 is known behind 4, 5 and beyond; b 6 behind 3, 4, 5, 6 and beyond. */
    static const char *const topics[] = {"a", "a", "b", "a", "a", "b"};
    enum { CURSORS_READ_OF_A = 4, CURSORS_READ_OF_B = 3, LIMITS = 3 };
    test_folder folder = test_folder_make();
    xmtp_env env;
    xmtp_node_archive *archive = open_held(&env, folder.path);
    for (uint8_t i = 1; i <= 6; i++) {
        append(archive, topics[i - 1], i);
        (void)check_pages(archive, i);
    }
    assert_int_equal(check_pages(archive, 6), (CURSORS_READ_OF_A + CURSORS_READ_OF_B) * LIMITS);
    xmtp_node_archive_close(archive);
    archive = open_held(&env, folder.path); /* what the last ones follow is not known */
    assert_int_equal(check_pages(archive, 6), (5 + 6) * LIMITS);
    append(archive, "b", 7);
    assert_int_equal(check_pages(archive, 7), (5 + 6) * LIMITS);
    xmtp_node_archive_close(archive);
    test_folder_remove(folder.path);
}

static bool waits(xmtp_node_archive *archive, uint64_t cursor)
{
    xmtp_node_page page = {.is_ascending = true, .cursor = cursor, .limit = 100};
    return xmtp_node_archive_waits(archive, XMTP_NODE_GROUP_MESSAGE, xmtp_bytes_of_string("a"),
                                   &page);
}

static void only_what_was_stored_just_now_is_read_without_waiting(void **state)
{
    (void)state;
    xmtp_env env;
    xmtp_node_archive *archive = open_held(&env, NULL);
    assert_false(waits(archive, 0));
    append(archive, "a", 1);
    assert_false(waits(archive, 0));
    held_ns += 1000000001;
    assert_true(waits(archive, 0));
    assert_false(waits(archive, 1));
    append(archive, "a", 2);
    assert_true(waits(archive, 0));
    assert_false(waits(archive, 1));
    held_ns += 1000000000;
    assert_false(waits(archive, 1));
    held_ns += 1;
    assert_true(waits(archive, 1));
    assert_false(waits(archive, 2));
    xmtp_node_archive_close(archive);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_stored_is_there_after_a_restart),
        cmocka_unit_test(the_length_of_the_log_is_told_without_what_is_written_ahead),
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
        cmocka_unit_test(pages_that_are_not_read_are_the_same),
        cmocka_unit_test(only_what_was_stored_just_now_is_read_without_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
