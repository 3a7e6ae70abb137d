/* client_test.c - `xmtp client`, `preferences`, `download` and the filters of `group`, as a program. */
#include "program.h"

static const char wallet_address[] = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8";
/* Of a third wallet, in a file. */
static const char third[] = "7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6";
static const char third_address[] = "0x90f79bf6eb2c4f870365e785982e1f101e93b906";

/* A field of the only JSON line that was said; valid until the next. */
static const char *field(const char *name)
{
    static char value[256];
    cJSON *object = cJSON_Parse(said);
    if (object == NULL) {
        fail_msg("not JSON: %s", said);
    }
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(object, name));
    (void)snprintf(value, sizeof value, "%s", text == NULL ? "" : text);
    cJSON_Delete(object);
    return value;
}

static int lines(void)
{
    int count = 0;
    for (const char *p = said; *p != '\0'; p++) {
        count += *p == '\n';
    }
    return count;
}

/* Runs and wants success. */
static void runs(const char *key, const char *device, const char *command_line)
{
    if (run(key, device, command_line) != 0) {
        fail_msg("xmtp %s: %s", command_line, said);
    }
}

static void refuses(const char *key, const char *device, const char *command_line,
                    const char *sentence)
{
    assert_int_equal(run(key, device, command_line), 1);
    says(sentence);
}

static void write_third_key(void)
{
    char path[96];
    (void)snprintf(path, sizeof path, "%s/third", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(third, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void asking_for_somebody_registers_nobody(void **state)
{
    (void)state;
    char inbox[65];
    char command[160];
    runs(other, "other", "whoami --json");
    (void)snprintf(inbox, sizeof inbox, "%s", field("inbox"));
    (void)snprintf(command, sizeof command, "client inbox-id %s --json", other_address);
    runs(wallet, "one", command);
    assert_string_equal(field("inbox"), inbox);
    (void)snprintf(command, sizeof command, "client inbox-state %s", inbox);
    runs(wallet, "one", command);
    says(other_address);
    (void)snprintf(command, sizeof command, "client inbox-id %s", wallet_address);
    assert_int_equal(run(wallet, "one", command), 1); /* nobody has asked to register */
    (void)snprintf(command, sizeof command, "client key-package-status %s --json", other_address);
    runs(wallet, "one", command);
    assert_string_equal(field("status"), "valid");
}

static void a_signature_is_verified_by_anybody_and_only_for_its_text(void **state)
{
    (void)state;
    char signature[129];
    char installation[65];
    char command[400];
    runs(wallet, "one", "whoami --json");
    (void)snprintf(installation, sizeof installation, "%s", field("installation"));
    runs(wallet, "one", "client sign 'it is me' --json");
    (void)snprintf(signature, sizeof signature, "%s", field("signature"));
    (void)snprintf(command, sizeof command, "client verify-signature 'it is me' %s %s", signature,
                   installation);
    runs(other, "other", command);
    says(installation);
    (void)snprintf(command, sizeof command, "client verify-signature 'it is you' %s %s", signature,
                   installation);
    refuses(other, "other", command, "this installation has not signed this text");
    refuses(other, "other", "client verify-signature text 12 34", "a signature has 128 hex digits");
}

static void accounts_are_added_and_removed_and_the_recovery_identifier_moves(void **state)
{
    (void)state;
    char command[160];
    write_third_key();
    runs(wallet, "one", "client add-account --account-key-file third");
    says(third_address);
    assert_int_equal(run(other, "other", "client add-account --account-key-file third"), 1);
    (void)snprintf(command, sizeof command, "client remove-account %s", third_address);
    runs(wallet, "one", command);
    assert_null(strstr(said, third_address));
    runs(other, "other", "client add-account --account-key-file third --json");
    (void)snprintf(command, sizeof command, "client change-recovery-identifier %s --json",
                   third_address);
    runs(other, "other", command);
    assert_string_equal(field("recovery"), third_address);
    (void)snprintf(command, sizeof command, "client remove-account %s", third_address);
    refuses(other, "other", command, "recovery"); /* its own wallet no longer may */
    refuses(wallet, "one", "client add-account", "--account-key-file names the account's key");
}

static void installations_are_revoked_by_name_and_all_but_ours(void **state)
{
    (void)state;
    char second[65];
    char command[160];
    runs(wallet, "one", "whoami");
    runs(wallet, "two", "whoami --json");
    (void)snprintf(second, sizeof second, "%s", field("installation"));
    runs(wallet, "three", "whoami");
    (void)snprintf(command, sizeof command, "client revoke-installations %s", second);
    runs(wallet, "one", command);
    assert_null(strstr(said, second));
    runs(wallet, "one", "client revoke-all-other-installations");
    assert_int_equal(lines(), 4); /* inbox, recovery, account, installation */
    refuses(wallet, "one", command, second);
}

static void consent_is_set_and_read_for_people_and_conversations(void **state)
{
    (void)state;
    char command[160];
    char id[33];
    runs(other, "other", "whoami");
    (void)snprintf(command, sizeof command, "preferences get-consent %s --json", other_address);
    runs(wallet, "one", command);
    assert_string_equal(field("consent"), "unknown");
    (void)snprintf(command, sizeof command, "preferences set-consent %s denied", other_address);
    runs(wallet, "one", command);
    runs(wallet, "one", "preferences list --json");
    assert_string_equal(field("consent"), "denied");
    assert_string_equal(field("entity_type"), "inbox");
    runs(wallet, "one", "group create --json");
    (void)snprintf(id, sizeof id, "%s", field("id"));
    (void)snprintf(command, sizeof command, "preferences get-consent %s --json", id);
    runs(wallet, "one", command);
    assert_string_equal(field("consent"), "allowed");
    (void)snprintf(command, sizeof command, "preferences set-consent %s perhaps", id);
    refuses(wallet, "one", command, "consent is allowed, denied or unknown, not 'perhaps'");
}

static void messages_and_conversations_are_filtered_and_counted(void **state)
{
    (void)state;
    char id[33];
    char command[200];
    static const struct {
        const char *filter;
        int count;
    } cases[] = {
        {"--content-type text", 3},
        {"--content-type text --content-type markdown", 4},
        {"--without-content-type text --kind application", 1},
        {"--kind application --limit 2 --newest-first", 2},
        {"--kind membership-change", 0},
        {"--delivery failed", 0},
        {"--after 9000000000000000000", 0},
        {"--sender 0000000000000000000000000000000000000000000000000000000000000000", 0},
    };
    runs(wallet, "one", "group create --json");
    (void)snprintf(id, sizeof id, "%s", field("id"));
    for (int i = 0; i < 4; i++) {
        (void)snprintf(command, sizeof command, "send %s 'number %d' --type %s", id, i,
                       i < 3 ? "text" : "markdown");
        runs(wallet, "one", command);
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        (void)snprintf(command, sizeof command, "group messages %s --json %s", id, cases[i].filter);
        runs(wallet, "one", command);
        assert_int_equal(lines(), cases[i].count);
    }
    (void)snprintf(command, sizeof command, "group count-messages %s --content-type text", id);
    runs(wallet, "one", command);
    assert_string_equal(said, "3\n");
    (void)snprintf(command, sizeof command, "group messages %s --content-type poem", id);
    refuses(wallet, "one", command, "--content-type does not take 'poem'; see --help");
    runs(wallet, "one", "group list --kind dm");
    assert_string_equal(said, "");
    runs(wallet, "one", "group list --kind group --consent allowed --limit 1");
    assert_int_equal(lines(), 1);
    assert_int_equal(run(wallet, "one", "group list --limit none"), 2);
    says("--limit takes a whole number above 0");
}

static void what_was_taken_back_or_changed_shows_when_asked_for(void **state)
{
    (void)state;
    char id[33];
    char message[65];
    char command[300];
    runs(wallet, "one", "group create --json");
    (void)snprintf(id, sizeof id, "%s", field("id"));
    (void)snprintf(command, sizeof command, "send %s oops --json", id);
    runs(wallet, "one", command);
    (void)snprintf(message, sizeof message, "%s", field("id"));
    (void)snprintf(command, sizeof command, "send %s hello --type edit --to %s", id, message);
    runs(wallet, "one", command);
    (void)snprintf(command, sizeof command, "group messages %s --enriched", id);
    runs(wallet, "one", command);
    says("oops\n    changed to: hello\n");
    (void)snprintf(command, sizeof command, "send %s --type delete --to %s", id, message);
    runs(wallet, "one", command);
    refuses(wallet, "one", command, "the message was taken back already");
    (void)snprintf(command, sizeof command, "group messages %s --enriched --json", id);
    runs(wallet, "one", command);
    assert_true(field("deleted_by")[0] != '\0');
    assert_null(strstr(said, "oops"));
}

static void a_file_is_uploaded_by_a_command_and_fetched_only_from_public_hosts(void **state)
{
    (void)state;
    char id[33];
    char message[65];
    char command[300];
    write_third_key(); /* some file */
    runs(wallet, "one", "group create --json");
    (void)snprintf(id, sizeof id, "%s", field("id"));
    (void)snprintf(command, sizeof command, "send %s third --type attachment --json", id);
    runs(wallet, "one", command);
    (void)snprintf(message, sizeof message, "%s", field("id"));
    (void)snprintf(command, sizeof command, "download %s copy", message);
    runs(wallet, "one", command);
    says("64 bytes of type application/octet-stream");
    refuses(wallet, "one", command, "copy: File exists");
    (void)snprintf(command, sizeof command,
                   "send %s third --type remote-attachment --upload 'echo https://127.0.0.1:1/f #' "
                   "--json",
                   id);
    runs(wallet, "one", command);
    (void)snprintf(message, sizeof message, "%s", field("id"));
    (void)snprintf(command, sizeof command, "download %s another", message);
    assert_int_equal(run(wallet, "one", command), 1);
    (void)snprintf(command, sizeof command, "send %s third --type remote-attachment --upload false",
                   id);
    refuses(wallet, "one", command, "the command of --upload failed");
}

static void a_json_content_is_checked_before_it_is_sent(void **state)
{
    (void)state;
    char id[33];
    char command[300];
    runs(wallet, "one", "group create --json");
    (void)snprintf(id, sizeof id, "%s", field("id"));
    (void)snprintf(command, sizeof command,
                   "send %s '{\"id\":\"m\",\"actionId\":\"b\"}' --type intent", id);
    runs(wallet, "one", command);
    (void)snprintf(command, sizeof command, "group messages %s --content-type intent --json", id);
    runs(wallet, "one", command);
    says("\"content\":{\"id\":\"m\",\"action\":\"b\"}");
    (void)snprintf(command, sizeof command, "send %s '{\"id\":1}' --type intent", id);
    assert_int_equal(run(wallet, "one", command), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(asking_for_somebody_registers_nobody),
        TEST(a_signature_is_verified_by_anybody_and_only_for_its_text),
        TEST(accounts_are_added_and_removed_and_the_recovery_identifier_moves),
        TEST(installations_are_revoked_by_name_and_all_but_ours),
        TEST(consent_is_set_and_read_for_people_and_conversations),
        TEST(messages_and_conversations_are_filtered_and_counted),
        TEST(what_was_taken_back_or_changed_shows_when_asked_for),
        TEST(a_file_is_uploaded_by_a_command_and_fetched_only_from_public_hosts),
        TEST(a_json_content_is_checked_before_it_is_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
