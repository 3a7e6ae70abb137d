/* signature_text_test.c - the table of times and the lines of identity.md 3.1. */
#include "identity/test_support.h"

static void assert_time(uint64_t timestamp_ns, const char *expected)
{
    char out[XMTP_TIME_TEXT_LEN + 1];
    xmtp_signature_time(timestamp_ns, out);
    assert_string_equal(out, expected);
}

static void times_are_cut_to_seconds_and_read_as_signed(void **state)
{
    (void)state;
    assert_time(0, "1970-01-01T00:00:00Z");
    assert_time(999999999, "1970-01-01T00:00:00Z");
    assert_time(1700000000123456789, "2023-11-14T22:13:20Z");
    assert_time(4102444800000000000, "2100-01-01T00:00:00Z");
    assert_time(9223372036854775807u, "2262-04-11T23:47:16Z");
    assert_time(9223372036854775808u, "1677-09-21T00:12:43Z");
    assert_time(18446744073709551615u, "1969-12-31T23:59:59Z");
}

static void leap_days_are_there(void **state)
{
    (void)state;
    assert_time(951782400000000000, "2000-02-29T00:00:00Z");
    assert_time(951868800000000000, "2000-03-01T00:00:00Z");
    assert_time(1709164800000000000, "2024-02-29T00:00:00Z");
    assert_time(4107456000000000000, "2100-02-28T00:00:00Z");
    assert_time(4107542400000000000, "2100-03-01T00:00:00Z");
    assert_time(1735689599999999999, "2024-12-31T23:59:59Z");
}

static const char inbox[] = "f2dc4b90b67487658e6fc1d4759c148fac797ea24fadee18c9d511787e04ea1a";

static void assert_text(const xmtp_wire_action *actions, size_t count, const char *middle)
{
    xmtp_wire_update update = {.actions = actions,
                               .action_count = count,
                               .client_timestamp_ns = 1700000000123456789,
                               .inbox_id = xmtp_bytes_of_string(inbox)};
    char expected[2048];
    (void)snprintf(expected, sizeof expected,
                   "XMTP : Authenticate to inbox\n\nInbox ID: %s\nCurrent time: "
                   "2023-11-14T22:13:20Z\n\n%s\n\nFor more info: https://xmtp.org/signatures",
                   inbox, middle);
    xmtp_bytes text = update_text(&update);
    assert_bytes(text, xmtp_bytes_of_string(expected));
}

static void an_empty_list_leaves_four_line_feeds(void **state)
{
    (void)state;
    assert_text(NULL, 0, "");
}

static void every_action_has_its_two_lines(void **state)
{
    (void)state;
    const xmtp_identifier address = xmtp_identifier_ethereum("0xABC");
    const xmtp_identifier passkey = {.kind = XMTP_IDENTIFIER_PASSKEY, .value = hex("02AB")};
    const xmtp_identifier app = {.kind = XMTP_IDENTIFIER_INSTALLATION, .value = hex("0102")};
    const xmtp_wire_action actions[] = {
        {.kind = XMTP_ACTION_CREATE_INBOX, .subject = address},
        {.kind = XMTP_ACTION_CREATE_INBOX, .subject = passkey},
        {.kind = XMTP_ACTION_ADD, .subject = address},
        {.kind = XMTP_ACTION_ADD, .subject = passkey},
        {.kind = XMTP_ACTION_ADD, .subject = app},
        {.kind = XMTP_ACTION_REVOKE, .subject = address},
        {.kind = XMTP_ACTION_REVOKE, .subject = passkey},
        {.kind = XMTP_ACTION_REVOKE, .subject = app},
        {.kind = XMTP_ACTION_CHANGE_RECOVERY, .subject = address},
        {.kind = XMTP_ACTION_CHANGE_RECOVERY, .subject = passkey},
    };
    assert_text(actions, sizeof actions / sizeof actions[0],
                "- Create inbox\n  (Owner: 0xABC)\n"
                "- Create inbox\n  (Owner: 02ab)\n"
                "- Link address to inbox\n  (Address: 0xABC)\n"
                "- Link passkey to inbox\n  (Passkey: 02ab)\n"
                "- Grant messaging access to app\n  (ID: 0102)\n"
                "- Unlink address from inbox\n  (Address: 0xABC)\n"
                "- Unlink passkey from inbox\n  (Passkey: 02ab)\n"
                "- Revoke messaging access from app\n  (ID: 0102)\n"
                "- Change inbox recovery address\n  (Address: 0xABC)\n"
                "- Change inbox recovery address\n  (Address: 02ab)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(times_are_cut_to_seconds_and_read_as_signed),
        TEST(leap_days_are_there),
        TEST(an_empty_list_leaves_four_line_feeds),
        TEST(every_action_has_its_two_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
