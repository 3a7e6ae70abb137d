/* doctor_test.c - `xmtp doctor` as a program, against a node of this process on a free loopback port. */
#include "base/bytes.h"
#include "node/test_folder.h"
#include "rpc/test_certificate.h"
#include "rpc/transport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// cmocka wants the headers above first
#include <cmocka.h>

#include <cjson/cJSON.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xmtp/identity.h>
#include <xmtp/node.h>

enum { PATH_LEN = 128, CHECKS_MAX = 16 };

static const char key[] = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
static const char other_key[] = "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a";

static const char other_address[] = "0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc";

static xmtp_node *node;
static char folder[PATH_LEN / 2];
static char node_url[64];

/* What one run said, by check. */
static struct {
    int code;
    cJSON *checks[CHECKS_MAX];
    size_t count;
} said;

static void forget_said(void)
{
    for (size_t i = 0; i < said.count; i++) {
        cJSON_Delete(said.checks[i]);
    }
    memset(&said, 0, sizeof said);
}

static int set_up(void **state)
{
    (void)state;
    xmtp_error error = {0};
    const xmtp_node_options options = {.listen = {"127.0.0.1:0"}};
    if (xmtp_node_open(&node, &options, &error) != XMTP_OK) {
        fail_msg("node: %s", error.text);
    }
    (void)snprintf(node_url, sizeof node_url, "http://127.0.0.1:%u", xmtp_node_port(node, 0));
    (void)strcpy(folder, "/tmp/xmtp-doctor-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(setenv("WALLET_PRIVATE_KEY", key, 1), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    forget_said();
    xmtp_node_close(node);
    test_folder_remove(folder);
    return 0;
}

/* Runs a command of the program with --json and takes what it says. */
static void run_program(const char *command_line)
{
    char command[1024];
    char line[8192];
    forget_said();
    (void)snprintf(command, sizeof command, "%s %s --json", XMTP_PROGRAM, command_line);
    FILE *out = popen(command, "re"); // NOLINT: all of the command is ours
    assert_non_null(out);
    while (fgets(line, sizeof line, out) != NULL) {
        assert_true(said.count < CHECKS_MAX);
        cJSON *check = cJSON_Parse(line);
        if (check == NULL) {
            fail_msg("not JSON: %s", line);
        }
        said.checks[said.count++] = check;
    }
    int status = pclose(out);
    assert_true(WIFEXITED(status));
    said.code = WEXITSTATUS(status);
}

/* On the database folder/inbox.db. */
static void run_doctor(const char *url)
{
    char command[512];
    (void)snprintf(command, sizeof command, "doctor --node %s --data %s", url, folder);
    run_program(command);
}

static const char *field(const cJSON *check, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItem(check, name));
}

static const cJSON *check_named(const char *name)
{
    for (size_t i = 0; i < said.count; i++) {
        if (strcmp(field(said.checks[i], "check"), name) == 0) {
            return said.checks[i];
        }
    }
    fail_msg("no check is named %s", name);
    return NULL;
}

static void check_is(const char *name, const char *result, const char *figure_part)
{
    const cJSON *check = check_named(name);
    assert_string_equal(field(check, "result"), result);
    if (strstr(field(check, "figure"), figure_part) == NULL) {
        fail_msg("'%s' does not tell '%s'", field(check, "figure"), figure_part);
    }
    bool is_fine = strcmp(result, "ok") == 0;
    assert_int_equal(field(check, "advice") == NULL, is_fine);
}

/* An installation of the wallet with its database in folder/name. */
static xmtp_client *client_of(const char *wallet, const char *name, xmtp_transport *transport)
{
    char path[PATH_LEN];
    xmtp_error error = {0};
    xmtp_client *client;
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(xmtp_node_transport(node, transport), XMTP_OK);
    const xmtp_client_options options = {
        .encryption_key = wallet, .database_path = path, .transport = transport};
    if (xmtp_client_open(&client, &options, &error) != XMTP_OK) {
        fail_msg("client: %s", error.text);
    }
    return client;
}

static void close_client(xmtp_client *client, xmtp_transport *transport)
{
    xmtp_client_close(client);
    transport->close(transport->context);
}

/* Installations that live in memory; closing them leaves their seats taken. */
static void add_installations(int count)
{
    const xmtp_account_signer wallet = {.kind = XMTP_ACCOUNT_WALLET, .private_key = key};
    xmtp_transport transport;
    const xmtp_client_options options = {.account = &wallet, .transport = &transport};
    for (int i = 0; i < count; i++) {
        xmtp_error error = {0};
        xmtp_client *client;
        assert_int_equal(xmtp_node_transport(node, &transport), XMTP_OK);
        if (xmtp_client_open(&client, &options, &error) != XMTP_OK) {
            fail_msg("client: %s", error.text);
        }
        close_client(client, &transport);
    }
}

/* ---- facts */

static void a_healthy_inbox_is_fine_in_all_checks(void **state)
{
    (void)state;
    static const char *const names[] = {"node",        "database", "seats",  "updates", "recovery",
                                        "key package", "messages", "paused", "forks"};
    run_doctor(node_url);
    assert_int_equal(said.code, 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        check_is(names[i], "ok", "");
    }
    check_is("seats", "ok", "1 of 10 installations");
    check_is("updates", "ok", "1 of 256 identity updates");
}

static void a_node_that_is_away_is_a_problem_and_the_rest_is_told_from_the_database(void **state)
{
    (void)state;
    run_doctor(node_url);
    assert_int_equal(said.code, 0);
    run_doctor("http://127.0.0.1:1");
    assert_int_equal(said.code, 1);
    check_is("node", "problem", "");
    check_is("database", "ok", "opens");
    check_is("seats", "ok", "1 of 10 installations");
}

static void a_certificate_that_is_not_trusted_is_a_problem_with_its_own_advice(void **state)
{
    (void)state;
    char certificate[PATH_LEN];
    char key_file[PATH_LEN];
    char url[2 * PATH_LEN];
    xmtp_error error = {0};
    const test_subject subject = {
        .common_name = "x", .names = "DNS:elsewhere.example", .from_s = -60, .to_s = 3600};
    (void)snprintf(certificate, sizeof certificate, "%s/c.pem", folder);
    (void)snprintf(key_file, sizeof key_file, "%s/k.pem", folder);
    test_authority_issue(NULL, certificate, key_file, &subject);
    xmtp_node_close(node);
    const xmtp_node_options options = {
        .listen = {"127.0.0.1:0"}, .tls_certificate = certificate, .tls_key = key_file};
    assert_int_equal(xmtp_node_open(&node, &options, &error), XMTP_OK);
    (void)snprintf(url, sizeof url, "https://127.0.0.1:%u", xmtp_node_port(node, 0));
    run_doctor(url);
    assert_int_equal(said.code, 1);
    check_is("node", "problem", "certificate of 127.0.0.1 is signed by itself");
    assert_non_null(strstr(field(check_named("node"), "advice"), "--ca FILE"));
    check_is("registration", "problem", "not registered");
    (void)snprintf(url, sizeof url, "https://127.0.0.1:%u --ca %s", xmtp_node_port(node, 0),
                   certificate);
    run_doctor(url);
    check_is("node", "problem", "certificate is for elsewhere.example, not for 127.0.0.1");
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u --ca %s", xmtp_node_port(node, 0),
                   certificate);
    run_doctor(url);
    check_is("node", "problem", "nothing is encrypted");
}

static void a_new_database_needs_the_node(void **state)
{
    (void)state;
    run_doctor("http://127.0.0.1:1");
    assert_int_equal(said.code, 1);
    check_is("node", "problem", "");
    check_is("registration", "problem", "not registered");
}

static void nine_installations_of_ten_are_a_warning_and_listed(void **state)
{
    (void)state;
    add_installations(8);
    run_doctor(node_url);
    assert_int_equal(said.code, 0);
    check_is("seats", "warning", "9 of 10 installations");
    check_is("updates", "ok", "9 of 256");
    const cJSON *item;
    int ours = 0;
    int all = 0;
    cJSON_ArrayForEach(item, cJSON_GetObjectItem(check_named("seats"), "installations"))
    {
        assert_int_equal(strlen(field(item, "id")), 64);
        assert_true(strtoull(field(item, "added_ns"), NULL, 10) > 0);
        ours += cJSON_IsTrue(cJSON_GetObjectItem(item, "this"));
        all++;
    }
    assert_int_equal(all, 9);
    assert_int_equal(ours, 1);
}

static void a_full_inbox_has_no_seat_for_a_new_database(void **state)
{
    (void)state;
    add_installations(10);
    run_doctor(node_url);
    assert_int_equal(said.code, 1);
    check_is("node", "ok", "");
    check_is("seats", "problem", "inbox has 10 installations");
}

/* Lists the installations of the wallet's inbox, then ends the first of them. */
static void a_full_inbox_gets_a_seat_by_revoking(void **state)
{
    (void)state;
    char command[512];
    xmtp_transport transport;
    add_installations(9);
    xmtp_client *tenth = client_of(key, "tenth", &transport);
    const char *address = xmtp_client_address(tenth);
    (void)snprintf(command, sizeof command, "revoke %s --node %s", address, node_url);
    run_program(command);
    assert_int_equal(said.code, 0);
    const cJSON *list = cJSON_GetObjectItem(said.checks[0], "installations");
    assert_int_equal(cJSON_GetArraySize(list), 10);
    (void)snprintf(command, sizeof command, "revoke %s %s --node %s", address,
                   cJSON_GetStringValue(cJSON_GetArrayItem(list, 0)), node_url);
    run_program(command);
    assert_int_equal(said.code, 0);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(said.checks[0], "installations")), 9);
    run_program(command);
    assert_int_equal(said.code, 1); /* it is gone already */
    xmtp_client_close(tenth);
    transport.close(transport.context);
}

static void a_revoked_installation_is_a_problem(void **state)
{
    (void)state;
    const xmtp_account_signer wallet = {.kind = XMTP_ACCOUNT_WALLET, .private_key = key};
    xmtp_transport transport;
    xmtp_error error = {0};
    run_doctor(node_url);
    assert_int_equal(said.code, 0);
    xmtp_client *other = client_of(key, "other.db", &transport);
    assert_int_equal(xmtp_client_revoke_other_installations(other, &wallet, NULL, &error), XMTP_OK);
    close_client(other, &transport);
    run_doctor(node_url);
    assert_int_equal(said.code, 1);
    check_is("seats", "problem", "1 of 10 installations, this one is not among them");
}

static void a_recovery_identifier_elsewhere_is_a_warning(void **state)
{
    (void)state;
    const xmtp_account_signer wallet = {.kind = XMTP_ACCOUNT_WALLET, .private_key = key};
    xmtp_transport transport;
    xmtp_error error = {0};
    xmtp_client *client = client_of(key, "inbox.db", &transport);
    assert_int_equal(
        xmtp_client_change_recovery(client, &wallet, XMTP_ACCOUNT_WALLET, other_address, &error),
        XMTP_OK);
    close_client(client, &transport);
    run_doctor(node_url);
    assert_int_equal(said.code, 0);
    check_is("recovery", "warning", other_address);
}

static void a_damaged_database_is_a_problem(void **state)
{
    (void)state;
    char path[PATH_LEN];
    run_doctor(node_url);
    (void)snprintf(path, sizeof path, "%s/inbox.db", folder);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, -2000, SEEK_END), 0);
    int byte = fgetc(file);
    assert_int_equal(fseek(file, -2000, SEEK_END), 0);
    assert_int_not_equal(fputc(byte ^ 1, file), EOF);
    assert_int_equal(fclose(file), 0);
    run_doctor(node_url);
    assert_int_equal(said.code, 1);
    check_is("database", "problem", "damaged");
}

static void without_json_it_is_a_table_that_marks_this_installation(void **state)
{
    (void)state;
    char command[512];
    char text[8192] = "";
    (void)snprintf(command, sizeof command, "%s doctor --node %s --data %s", XMTP_PROGRAM, node_url,
                   folder);
    FILE *out = popen(command, "re"); // NOLINT: all of the command is ours
    assert_non_null(out);
    assert_true(fread(text, 1, sizeof text - 1, out) > 0);
    assert_int_equal(pclose(out), 0);
    assert_non_null(strstr(text, "seats         ok       1 of 10 installations"));
    assert_non_null(strstr(text, "(this one)"));
}

static void an_unsent_message_is_a_warning(void **state)
{
    (void)state;
    xmtp_transport transport;
    xmtp_error error;
    xmtp_conversation_id dm;
    close_client(client_of(other_key, "other.db", &transport), &transport);
    xmtp_client *client = client_of(key, "inbox.db", &transport);
    assert_int_equal(xmtp_client_dm(client, other_address, &dm, &error), XMTP_OK);
    assert_int_equal(xmtp_client_send_text(client, &dm, "now", NULL, &error), XMTP_OK);
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    const xmtp_send_options later = {.is_optimistic = true};
    static const uint8_t content[] = "\x0a\x12\x0a\x08xmtp.org\x12\x04text\x18\x01\x22\x05later";
    assert_int_equal(xmtp_client_send_with(client, &dm, xmtp_bytes_of(content, sizeof content - 1),
                                           &later, id, &error),
                     XMTP_OK);
    close_client(client, &transport);
    run_doctor(node_url);
    assert_int_equal(said.code, 0);
    check_is("messages", "warning", "1 unsent, 0 failed");
    check_is("clock", "ok", "ago");
    check_is("forks", "ok", "0 of 1 conversations");
}

static void another_wallets_database_is_told(void **state)
{
    (void)state;
    run_doctor(node_url);
    assert_int_equal(said.code, 0);
    assert_int_equal(setenv("WALLET_PRIVATE_KEY", other_key, 1), 0);
    run_doctor(node_url);
    assert_int_equal(said.code, 1);
    check_is("database", "problem", "wrong key");
}

static void without_a_key_there_is_nobody_to_look_at(void **state)
{
    (void)state;
    assert_int_equal(unsetenv("WALLET_PRIVATE_KEY"), 0);
    int status = system(XMTP_PROGRAM " doctor > /dev/null 2>&1"); // NOLINT: a constant
    assert_int_equal(WEXITSTATUS(status), 2);
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(a_healthy_inbox_is_fine_in_all_checks),
        FACT(a_node_that_is_away_is_a_problem_and_the_rest_is_told_from_the_database),
        FACT(a_certificate_that_is_not_trusted_is_a_problem_with_its_own_advice),
        FACT(a_new_database_needs_the_node),
        FACT(nine_installations_of_ten_are_a_warning_and_listed),
        FACT(a_full_inbox_has_no_seat_for_a_new_database),
        FACT(a_full_inbox_gets_a_seat_by_revoking),
        FACT(a_revoked_installation_is_a_problem),
        FACT(a_recovery_identifier_elsewhere_is_a_warning),
        FACT(a_damaged_database_is_a_problem),
        FACT(without_json_it_is_a_table_that_marks_this_installation),
        FACT(an_unsent_message_is_a_warning),
        FACT(another_wallets_database_is_told),
        FACT(without_a_key_there_is_nobody_to_look_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
