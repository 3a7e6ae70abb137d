/* quiet_test.c - the library writes nothing to stderr, whatever is wrong with a file: what fails is told by
 * the error alone. */
#include "base/status.h"
#include "store/database.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
// cmocka wants the headers above first
#include <cmocka.h>

static const uint8_t right_key[XMTP_DATABASE_KEY_LEN] = {1};
static const uint8_t wrong_key[XMTP_DATABASE_KEY_LEN] = {2};

typedef struct stage {
    char folder[64];
    char file[96];
    char said[96]; /* what went to stderr */
    int stderr_fd;
} stage;

/* In a process of its own: what a library does at its first use is a part of the question. */
static xmtp_status try_open(const stage *s, const uint8_t *key, bool checks)
{
    int answer[2];
    xmtp_status status = XMTP_OK;
    assert_int_equal(pipe(answer), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        xmtp_database *db;
        xmtp_error error = {0};
        status = xmtp_database_open(&db, xmtp_env_system(), s->file, key, &error);
        if (status == XMTP_OK && checks) {
            status = xmtp_database_check(db);
        }
        xmtp_database_close(db);
        (void)!write(answer[1], &status, sizeof(status));
        _exit(0);
    }
    assert_int_equal(read(answer[0], &status, sizeof(status)), sizeof(status));
    (void)close(answer[0]);
    (void)close(answer[1]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    return status;
}

static void stage_open(stage *s)
{
    (void)snprintf(s->folder, sizeof(s->folder), "/tmp/xmtp-quiet-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    (void)snprintf(s->file, sizeof(s->file), "%s/a.db", s->folder);
    (void)snprintf(s->said, sizeof(s->said), "%s/said", s->folder);
    (void)fflush(stderr);
    s->stderr_fd = dup(STDERR_FILENO);
    int fd = open(s->said, O_RDWR | O_CREAT | O_TRUNC, S_IRUSR | S_IWUSR);
    assert_true(s->stderr_fd >= 0 && fd >= 0);
    assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
    (void)close(fd);
}

/* stderr is back when this returns; shows what was said. */
static void assert_nothing_was_said(stage *s)
{
    char text[512] = {0};
    struct stat info;
    (void)fflush(stderr);
    (void)dup2(s->stderr_fd, STDERR_FILENO);
    (void)close(s->stderr_fd);
    assert_int_equal(stat(s->said, &info), 0);
    int fd = open(s->said, O_RDONLY);
    (void)!read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    (void)unlink(s->said);
    (void)unlink(s->file);
    (void)rmdir(s->folder);
    assert_string_equal(text, "");
    assert_int_equal(info.st_size, 0);
}

static void a_wrong_key_is_told_without_a_word_to_stderr(void **state)
{
    (void)state;
    stage s;
    stage_open(&s);
    xmtp_status made = try_open(&s, right_key, false);
    xmtp_status refused = try_open(&s, wrong_key, false);
    assert_nothing_was_said(&s);
    assert_int_equal(made, XMTP_OK);
    assert_int_equal(refused, XMTP_E_DATABASE_KEY);
}

static void a_file_that_is_no_database_is_told_without_a_word_to_stderr(void **state)
{
    (void)state;
    stage s;
    stage_open(&s);
    char bytes[8192];
    memset(bytes, 'x', sizeof(bytes));
    int fd = open(s.file, O_WRONLY | O_CREAT, S_IRUSR | S_IWUSR);
    (void)!write(fd, bytes, sizeof(bytes));
    (void)close(fd);
    xmtp_status refused = try_open(&s, right_key, false);
    assert_nothing_was_said(&s);
    assert_int_equal(refused, XMTP_E_DATABASE_KEY);
}

static void damage_is_told_without_a_word_to_stderr(void **state)
{
    (void)state;
    stage s;
    static const char junk[] = "not what was here";
    stage_open(&s);
    xmtp_status made = try_open(&s, right_key, false);
    int fd = open(s.file, O_WRONLY);
    (void)!pwrite(fd, junk, sizeof(junk), 4096 + 100); /* in the second page */
    (void)close(fd);
    xmtp_status status = try_open(&s, right_key, true);
    assert_nothing_was_said(&s);
    assert_int_equal(made, XMTP_OK);
    assert_int_not_equal(status, XMTP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_key_is_told_without_a_word_to_stderr),
        cmocka_unit_test(a_file_that_is_no_database_is_told_without_a_word_to_stderr),
        cmocka_unit_test(damage_is_told_without_a_word_to_stderr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
