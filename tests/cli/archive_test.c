/* archive_test.c - `xmtp archive` as a program, against a node of this process on a free loopback port. */
#include "program.h"

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
    take_key(key);
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
