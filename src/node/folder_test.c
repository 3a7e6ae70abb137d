/* folder_test.c - check, stats, backup and restore, on stopped nodes and beside a running one. */
#include "node/folder.h"

#include "node/test_folder.h"
#include "node/test_node.h"

#include <signal.h>
#include <sys/wait.h>

typedef struct problems {
    size_t count;
    char first[200];
} problems;

static void take_problem(void *context, const char *line)
{
    problems *p = context;
    if (p->count++ == 0) {
        (void)snprintf(p->first, sizeof p->first, "%s", line);
    }
}

static void open_folder(xmtp_node_folder *folder, const char *dir)
{
    xmtp_error error = {0};
    if (xmtp_node_folder_open(folder, test_env(), dir, &error) != XMTP_OK) {
        fail_msg("%s", error.text);
    }
}

static xmtp_status check(const char *dir, problems *p, xmtp_node_check_report *report)
{
    xmtp_node_folder folder;
    open_folder(&folder, dir);
    *p = (problems){.count = 0};
    xmtp_status status = xmtp_node_folder_check(&folder, p, take_problem, NULL, report, NULL);
    xmtp_node_folder_close(&folder);
    return status;
}

static void path_in(char out[400], const test_folder *folder, const char *name)
{
    (void)snprintf(out, 400, "%s/%s", folder->path, name);
}

static void fill(const char *data, uint64_t first, size_t count)
{
    test_node t;
    test_node_open(&t, data);
    for (uint64_t i = first; i < first + count; i++) {
        assert_int_equal(test_send(&t, i % 2 == 0 ? "a" : "b", TEST_APPLICATION, i, 1), XMTP_OK);
    }
    assert_int_equal(test_send(&t, "a", TEST_COMMIT, first, 1), XMTP_OK);
    test_node_close(&t);
}

static void a_sound_folder_has_no_problems_and_is_counted(void **state)
{
    (void)state;
    test_folder folder = test_folder_make_fast();
    problems p;
    xmtp_node_check_report report;
    fill(folder.path, 1, 40);
    assert_int_equal(check(folder.path, &p, &report), XMTP_OK);
    assert_int_equal(report.records, 41);
    assert_true(report.has_index);
    xmtp_node_folder f;
    xmtp_node_stats stats;
    open_folder(&f, folder.path);
    assert_int_equal(xmtp_node_folder_stats(&f, NULL, &stats, NULL), XMTP_OK);
    xmtp_node_folder_close(&f);
    assert_int_equal(stats.count[XMTP_NODE_GROUP_MESSAGE], 41);
    assert_int_equal(stats.commits, 1);
    assert_int_equal(stats.last_id[XMTP_NODE_GROUP_MESSAGE], 41);
    assert_int_equal(stats.segments, 1);
    assert_int_equal(stats.len[XMTP_NODE_GROUP_MESSAGE] + XMTP_NODE_SEGMENT_HEADER_LEN,
                     stats.file_len);
    test_folder_remove(folder.path);
}

/* As a node leaves them that was killed. */
static void zeros_behind_the_end_are_neither_a_problem_nor_an_unfinished_write(void **state)
{
    (void)state;
    test_folder folder = test_folder_make_fast();
    problems p;
    xmtp_node_check_report report;
    xmtp_node_folder f;
    char path[400];
    size_t n;
    fill(folder.path, 1, 40);
    path_in(path, &folder, "log/00000000.seg");
    unsigned char *bytes = test_file_read(path, &n);
    bytes = realloc(bytes, n + 70000);
    memset(bytes + n, 0, 70000);
    for (size_t torn = 0; torn <= 30; torn += 15) {
        memset(bytes + n, 1, torn);
        test_file_write(path, bytes, n + 70000);
        assert_int_equal(check(folder.path, &p, &report), XMTP_OK);
        assert_int_equal(report.records, 41);
        open_folder(&f, folder.path);
        assert_int_equal(f.torn_len, torn);
        assert_int_equal(xmtp_node_folder_len(&f), n);
        xmtp_node_folder_close(&f);
    }
    free(bytes);
    test_folder_remove(folder.path);
}

static void every_flipped_byte_is_found(void **state)
{
    (void)state;
    test_folder folder = test_folder_make_fast();
    char path[400];
    size_t n;
    problems p;
    xmtp_node_check_report report;
    fill(folder.path, 1, 10);
    path_in(path, &folder, "log/00000000.seg");
    unsigned char *bytes = test_file_read(path, &n);
    for (size_t at = XMTP_NODE_SEGMENT_HEADER_LEN; at < n; at += 7) {
        bytes[at] ^= 0x10;
        test_file_write(path, bytes, n);
        assert_int_equal(check(folder.path, &p, &report), XMTP_E_CORRUPT);
        assert_true(p.count > 0);
        bytes[at] ^= 0x10;
    }
    free(bytes);
    test_folder_remove(folder.path);
}

static void an_index_that_differs_from_the_log_is_found(void **state)
{
    (void)state;
    test_folder one = test_folder_make_fast();
    test_folder other = test_folder_make_fast();
    char from[400];
    char to[400];
    size_t n;
    problems p;
    xmtp_node_check_report report;
    fill(one.path, 1, 10);
    fill(other.path, 101, 12);
    path_in(from, &other, "index/data.mdb"); /* another node's */
    path_in(to, &one, "index/data.mdb");
    unsigned char *bytes = test_file_read(from, &n);
    test_file_write(to, bytes, n);
    free(bytes);
    assert_int_equal(check(one.path, &p, &report), XMTP_E_CORRUPT);
    path_in(to, &one, "index/boot");
    assert_int_equal(unlink(to), 0); /* an index that is not trusted is not compared */
    assert_int_equal(check(one.path, &p, &report), XMTP_OK);
    assert_false(report.has_index);
    test_folder_remove(one.path);
    test_folder_remove(other.path);
}

/* As after a kill between the sync of the log and the change of the index. */
static void an_index_that_is_behind_the_log_is_no_problem(void **state)
{
    (void)state;
    test_folder folder = test_folder_make_fast();
    char path[400];
    size_t n;
    problems p;
    xmtp_node_check_report report;
    fill(folder.path, 1, 10);
    path_in(path, &folder, "index/data.mdb");
    unsigned char *older = test_file_read(path, &n);
    fill(folder.path, 11, 3);
    test_file_write(path, older, n);
    free(older);
    if (check(folder.path, &p, &report) != XMTP_OK) {
        fail_msg("%s", p.first);
    }
    assert_int_equal(report.records, 15);
    assert_true(report.has_index);
    test_folder_remove(folder.path);
}

static void what_is_no_data_folder_is_refused(void **state)
{
    (void)state;
    test_folder folder = test_folder_make_fast();
    xmtp_node_folder f;
    xmtp_error error = {0};
    assert_int_equal(xmtp_node_folder_open(&f, test_env(), folder.path, &error), XMTP_E_NOT_FOUND);
    assert_non_null(strstr(error.text, "no node's data"));
    xmtp_node_folder_close(&f);
    test_folder_remove(folder.path);
}

/* ---- backup */

static uint64_t backup(const char *data, const char *to)
{
    xmtp_node_folder folder;
    xmtp_node_backup_report report;
    xmtp_error error = {0};
    open_folder(&folder, data);
    if (xmtp_node_backup(&folder, to, NULL, &report, &error) != XMTP_OK) {
        fail_msg("%s", error.text);
    }
    xmtp_node_folder_close(&folder);
    return report.copied_len;
}

static size_t count_restored(const char *from, const char *to, const char *group)
{
    test_node t;
    xmtp_node_backup_report report;
    xmtp_error error = {0};
    if (xmtp_node_restore(test_env(), from, to, NULL, &report, &error) != XMTP_OK) {
        fail_msg("%s", error.text);
    }
    test_node_open(&t, to);
    const Pb__QueryGroupMessagesResponse *page = test_query(&t, group, 2, 1, 0);
    size_t id = page->n_messages == 0 ? 0 : (size_t)page->messages[0]->v1->id;
    test_node_close(&t);
    return id;
}

static void a_backup_copies_only_what_it_does_not_have(void **state)
{
    (void)state;
    test_folder folder = test_folder_make_fast();
    char data[400];
    char copy[400];
    char restored[400];
    path_in(data, &folder, "data");
    path_in(copy, &folder, "copy");
    path_in(restored, &folder, "restored");
    fill(data, 1, 30);
    uint64_t first = backup(data, copy);
    assert_true(first > 1000);
    assert_int_equal(backup(data, copy), 0);
    fill(data, 1001, 5);
    uint64_t second = backup(data, copy);
    assert_true(second > 0 && second < first / 2);
    assert_int_equal(count_restored(copy, restored, "a"), 37);
    xmtp_node_backup_report report;
    xmtp_error error = {0};
    assert_int_equal(xmtp_node_restore(test_env(), copy, restored, NULL, &report, &error),
                     XMTP_E_ARGUMENT);
    assert_non_null(strstr(error.text, "is not empty"));
    xmtp_node_folder f;
    open_folder(&f, data);
    assert_int_equal(xmtp_node_backup(&f, restored, NULL, &report, &error), XMTP_E_ARGUMENT);
    xmtp_node_folder_close(&f);
    assert_int_equal(xmtp_node_restore(test_env(), data, copy, NULL, &report, &error),
                     XMTP_E_NOT_FOUND);
    test_folder_remove(folder.path);
}

static void an_interrupted_backup_is_still_the_one_before(void **state)
{
    (void)state;
    test_folder folder = test_folder_make_fast();
    char data[400];
    char copy[400];
    char restored[400];
    char mark[400];
    size_t n;
    path_in(data, &folder, "data");
    path_in(copy, &folder, "copy");
    path_in(restored, &folder, "restored");
    path_in(mark, &folder, "copy/backup");
    fill(data, 1, 30);
    (void)backup(data, copy);
    unsigned char *old = test_file_read(mark, &n);
    fill(data, 1001, 9);
    (void)backup(data, copy);
    test_file_write(mark, old, n); /* as if only the mark had not been written */
    free(old);
    assert_int_equal(count_restored(copy, restored, "a"), 31);
    test_folder_remove(folder.path);
}

static void a_damaged_backup_is_not_restored(void **state)
{
    (void)state;
    test_folder folder = test_folder_make_fast();
    char data[400];
    char copy[400];
    char path[400];
    size_t n;
    path_in(data, &folder, "data");
    path_in(copy, &folder, "copy");
    path_in(path, &folder, "copy/log/00000000.seg");
    fill(data, 1, 30);
    (void)backup(data, copy);
    unsigned char *bytes = test_file_read(path, &n);
    xmtp_node_backup_report report;
    xmtp_error error = {0};
    bytes[200] ^= 1;
    test_file_write(path, bytes, n);
    path_in(data, &folder, "restored");
    assert_int_equal(xmtp_node_restore(test_env(), copy, data, NULL, &report, &error),
                     XMTP_E_CORRUPT);
    test_file_write(path, bytes, n - 1);
    path_in(data, &folder, "restored again");
    assert_int_equal(xmtp_node_restore(test_env(), copy, data, NULL, &report, &error),
                     XMTP_E_CORRUPT);
    assert_non_null(strstr(error.text, "too short"));
    free(bytes);
    test_folder_remove(folder.path);
}

/* ---- beside a running node, which has to be another process */

static void child_sends_for_ever(const char *dir, int fd)
{
    test_node t;
    test_node_open(&t, dir);
    for (uint64_t number = 1;; number++) {
        if (test_send(&t, "a", TEST_APPLICATION, number, 1) != XMTP_OK ||
            write(fd, &number, sizeof number) != (ssize_t)sizeof number) {
            _exit(1);
        }
    }
}

static uint64_t read_until(int fd, uint64_t number)
{
    uint64_t last = 0;
    while (last < number) {
        assert_int_equal(read(fd, &last, sizeof last), sizeof last);
    }
    return last;
}

static void a_running_node_is_checked_and_backed_up_with_all_it_acknowledged(void **state)
{
    (void)state;
    test_folder folder = test_folder_make_fast();
    char data[400];
    char copy[400];
    char restored[400];
    int pipes[2];
    problems p;
    xmtp_node_check_report report;
    path_in(data, &folder, "data");
    path_in(copy, &folder, "copy");
    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();
    if (pid == 0) {
        child_sends_for_ever(data, pipes[1]);
    }
    (void)close(pipes[1]);
    for (uint64_t round = 1; round <= 5; round++) {
        uint64_t acknowledged = read_until(pipes[0], 40 * round);
        (void)backup(data, copy);
        (void)snprintf(restored, sizeof restored, "%s/restored%d", folder.path, (int)round);
        assert_true(count_restored(copy, restored, "a") >= acknowledged);
        assert_int_equal(check(restored, &p, &report), XMTP_OK);
        if (check(data, &p, &report) != XMTP_OK) {
            fail_msg("%s", p.first);
        }
        assert_true(report.has_index && report.records >= acknowledged);
    }
    (void)kill(pid, SIGKILL);
    (void)close(pipes[0]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(check(data, &p, &report), XMTP_OK); /* killed, and sound */
    test_folder_remove(folder.path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_folder_has_no_problems_and_is_counted),
        cmocka_unit_test(zeros_behind_the_end_are_neither_a_problem_nor_an_unfinished_write),
        cmocka_unit_test(every_flipped_byte_is_found),
        cmocka_unit_test(an_index_that_differs_from_the_log_is_found),
        cmocka_unit_test(an_index_that_is_behind_the_log_is_no_problem),
        cmocka_unit_test(what_is_no_data_folder_is_refused),
        cmocka_unit_test(a_backup_copies_only_what_it_does_not_have),
        cmocka_unit_test(an_interrupted_backup_is_still_the_one_before),
        cmocka_unit_test(a_damaged_backup_is_not_restored),
        cmocka_unit_test(a_running_node_is_checked_and_backed_up_with_all_it_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
