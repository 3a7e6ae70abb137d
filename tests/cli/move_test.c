/* move_test.c - `xmtp move` as a program, against a node of this process on a free loopback port. */
#include "program.h"

static void an_installation_goes_from_one_folder_to_another(void **state)
{
    (void)state;
    char key[65];
    assert_int_equal(run(other, "other", "whoami"), 0);
    char command[128];
    (void)snprintf(command, sizeof command, "send %s hello", other_address);
    assert_int_equal(run(wallet, "one", command), 0);
    assert_int_equal(run(wallet, "one", "move export file"), 0);
    says("does not open here any more");
    take_key(key);
    assert_int_equal(run(wallet, "one", "inbox"), 1);
    says("was exported at");
    assert_int_equal(run(wallet, "two", "move import file"), 2);
    says("--passphrase-file or XMTP_MOVE_KEY");
    assert_int_equal(setenv("XMTP_MOVE_KEY", key, 1), 0);
    assert_int_equal(run(wallet, "two", "move import file"), 0);
    assert_int_equal(run(wallet, "two", "inbox"), 0);
    says("hello");
    assert_int_equal(run(wallet, "three", "move import file"), 1);
    says("lives elsewhere");
    assert_int_equal(run(wallet, "one", "move cancel"), 1);
    says("lives elsewhere");
    assert_int_equal(unsetenv("XMTP_MOVE_KEY"), 0);
}

static void write_words(void)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/words", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("correct horse\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void a_passphrase_of_a_file_and_taking_it_back(void **state)
{
    (void)state;
    write_words();
    assert_int_equal(run(wallet, "one", "whoami"), 0);
    assert_int_equal(run(wallet, "one", "move export file --passphrase-file words --json"), 0);
    says("{\"file\":\"file\"}");
    assert_int_equal(run(wallet, "one", "move cancel"), 0);
    assert_int_equal(run(wallet, "one", "whoami"), 0);
    assert_int_equal(run(wallet, "two", "move import file --passphrase-file words"), 1);
    says("lives elsewhere");
}

/* Starts an import on a device of its own, and does not wait. */
static FILE *start_import(int device)
{
    char command[512];
    (void)snprintf(command, sizeof command,
                   "cd %s && mkdir -p at%d && WALLET_PRIVATE_KEY=%s %s move import file "
                   "--passphrase-file words --node http://127.0.0.1:%u --data %s/at%d 2>&1",
                   folder, device, wallet, XMTP_PROGRAM, xmtp_node_port(node, 0), folder, device);
    FILE *out = popen(command, "re"); // NOLINT: all of the command is ours
    assert_non_null(out);
    return out;
}

static void of_four_imports_at_once_one_lives(void **state)
{
    (void)state;
    FILE *out[4];
    int lives = 0;
    write_words();
    assert_int_equal(run(wallet, "one", "whoami"), 0);
    assert_int_equal(run(wallet, "one", "move export file --passphrase-file words"), 0);
    for (int i = 0; i < 4; i++) {
        out[i] = start_import(i);
    }
    for (int i = 0; i < 4; i++) {
        said[fread(said, 1, sizeof said - 1, out[i])] = '\0';
        int status = pclose(out[i]);
        assert_true(WIFEXITED(status));
        lives += WEXITSTATUS(status) == 0;
        says(WEXITSTATUS(status) == 0 ? "" : "lives elsewhere");
    }
    assert_int_equal(lives, 1);
}

static void mistakes_are_told(void **state)
{
    (void)state;
    assert_int_equal(run(wallet, "one", "move"), 2);
    assert_int_equal(run(wallet, "one", "move export"), 2);
    assert_int_equal(run(wallet, "one", "move cancel file"), 2);
    assert_int_equal(run(wallet, "one", "move export file"), 1);
    says("no database");
    assert_int_equal(run(wallet, "one", "move cancel"), 1);
    says("no database");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_installation_goes_from_one_folder_to_another, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_passphrase_of_a_file_and_taking_it_back, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(of_four_imports_at_once_one_lives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mistakes_are_told, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("move", tests, NULL, NULL);
}
