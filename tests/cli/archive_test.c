/* archive_test.c - `xmtp archive` as a program, against a node of this process on a free loopback port. */
#include "base/bytes.h"
#include "rpc/transport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// cmocka wants the headers above first
#include <cmocka.h>

#include <cjson/cJSON.h>
#include <ftw.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xmtp/node.h>

static const char wallet[] = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
static const char other[] = "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a";
static const char other_address[] = "0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc";

static xmtp_node *node;
static char folder[64];
static char said[8192]; /* both outputs of the last run */

static int set_up(void **state)
{
    (void)state;
    xmtp_error error = {0};
    const xmtp_node_options options = {.listen = {"127.0.0.1:0"}};
    if (xmtp_node_open(&node, &options, &error) != XMTP_OK) {
        fail_msg("node: %s", error.text);
    }
    (void)strcpy(folder, "/tmp/xmtp-archive-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return 0;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    xmtp_node_close(node);
    return nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Runs the program for a wallet on a database of its own; gives the exit code. */
static int run(const char *key, const char *device, const char *command_line)
{
    char command[1024];
    (void)snprintf(command, sizeof command,
                   "mkdir -p %s/%s && cd %s && WALLET_PRIVATE_KEY=%s %s %s --node "
                   "http://127.0.0.1:%u --data %s/%s 2>&1",
                   folder, device, folder, key, XMTP_PROGRAM, command_line, xmtp_node_port(node, 0),
                   folder, device);
    FILE *out = popen(command, "re"); // NOLINT: all of the command is ours
    assert_non_null(out);
    said[fread(said, 1, sizeof said - 1, out)] = '\0';
    int status = pclose(out);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void says(const char *part)
{
    if (strstr(said, part) == NULL) {
        fail_msg("'%s' does not tell '%s'", said, part);
    }
}

static void send_hello(void)
{
    char command[128];
    assert_int_equal(run(other, "other", "whoami"), 0);
    (void)snprintf(command, sizeof command, "send %s hello", other_address);
    assert_int_equal(run(wallet, "one", command), 0);
}

static void what_was_exported_is_shown_and_imported(void **state)
{
    (void)state;
    char key[65];
    send_hello();
    assert_int_equal(run(wallet, "one", "archive export file"), 0);
    says("exported 1 conversations, 1 messages and 1 decisions");
    const char *found = strstr(said, "shown once): ");
    assert_non_null(found);
    (void)snprintf(key, sizeof key, "%.64s", found + strlen("shown once): "));
    assert_int_equal(setenv("XMTP_ARCHIVE_KEY", key, 1), 0);
    assert_int_equal(run(wallet, "one", "archive show file"), 0);
    says("messages consent");
    assert_int_equal(run(wallet, "two", "archive import file"), 0);
    says("imported 1 conversations, 1 messages and 1 decisions");
    assert_int_equal(run(wallet, "two", "archive import file --json"), 0);
    says("\"known\":\"3\"");
    assert_int_equal(run(wallet, "two", "inbox"), 0);
    says("hello");
    assert_int_equal(unsetenv("XMTP_ARCHIVE_KEY"), 0);
}

static void mistakes_are_told_and_change_nothing(void **state)
{
    (void)state;
    send_hello();
    assert_int_equal(run(wallet, "one", "archive"), 2);
    assert_int_equal(run(wallet, "one", "archive export"), 2);
    assert_int_equal(run(wallet, "one", "archive import file"), 2);
    says("--archive-key or XMTP_ARCHIVE_KEY");
    assert_int_equal(run(wallet, "one", "archive export file --since yesterday"), 2);
    assert_int_equal(run(wallet, "one", "archive export file --elements all"), 2);
    assert_int_equal(
        run(wallet, "one", "archive export file --since 2026-11-28 --until 2020-01-01"), 1);
    says("holds nothing");
    assert_int_equal(run(wallet, "one", "archive export nowhere/file"), 1);
    says("No such file or directory");
    assert_int_equal(run(wallet, "one", "archive export file"), 0);
    assert_int_equal(run(wallet, "one", "archive export file"), 2);
    says("--force");
    assert_int_equal(run(wallet, "one", "archive export file --force"), 0);
    assert_int_equal(setenv("XMTP_ARCHIVE_KEY", "12", 1), 0);
    assert_int_equal(run(wallet, "one", "archive show file"), 2);
    char wrong[65];
    memset(wrong, '1', 64);
    wrong[64] = '\0';
    assert_int_equal(setenv("XMTP_ARCHIVE_KEY", wrong, 1), 0);
    assert_int_equal(run(wallet, "one", "archive show file"), 1);
    says("wrong key");
    assert_int_equal(run(wallet, "one", "archive import file"), 1);
    says("wrong key");
    assert_int_equal(unsetenv("XMTP_ARCHIVE_KEY"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_exported_is_shown_and_imported, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mistakes_are_told_and_change_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("archive", tests, NULL, NULL);
}
