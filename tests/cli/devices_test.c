/* devices_test.c - `xmtp devices`, as a program: two installations of one inbox. */
#include "program.h"

static const char somebody[] = "00000000000000000000000000000000000000000000000000000000000000aa";

/* Runs and wants success. */
static void runs(const char *device, const char *command_line)
{
    if (run(wallet, device, command_line) != 0) {
        fail_msg("xmtp %s: %s", command_line, said);
    }
}

static void refuses(const char *command_line, const char *sentence)
{
    assert_int_equal(run(wallet, "one", command_line), 1);
    says(sentence);
}

static void what_is_decided_on_one_is_known_on_the_other(void **state)
{
    (void)state;
    char command[160];
    runs("one", "devices sync --device-sync");
    runs("two", "devices sync --device-sync");
    (void)snprintf(command, sizeof command, "preferences set-consent %s denied --device-sync",
                   somebody);
    runs("one", command);
    runs("one", "devices sync --device-sync");
    runs("two", "devices sync --device-sync");
    (void)snprintf(command, sizeof command, "preferences get-consent %s", somebody);
    runs("two", command);
    says("denied");
}

static void what_cannot_be_done_is_said(void **state)
{
    (void)state;
    refuses("devices sync", "opened without device sync");
    refuses("devices request --device-sync", "no history server");
    refuses("devices send pin --device-sync", "no history server");
    refuses("devices send 'two words' --history http://localhost:1", "printable ASCII");
    refuses("devices take --device-sync", "no installation has told of such an archive");
    assert_int_equal(run(wallet, "one", "devices"), 2);
    assert_int_equal(run(wallet, "one", "devices send --device-sync"), 2);
    assert_int_equal(run(wallet, "one", "devices take a b --device-sync"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_decided_on_one_is_known_on_the_other, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_done_is_said, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
