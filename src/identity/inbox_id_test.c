/* inbox_id_test.c - the table of identity.md 1 and what a person may type as an address. */
#include "identity/test_support.h"

static const char vanity[] = "0x1234567890abcdef1234567890abcdef12345678";
static const char checksummed[] = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

static void assert_inbox(const char *address, uint64_t nonce, const char *expected)
{
    char out[XMTP_INBOX_ID_LEN + 1];
    ok(xmtp_inbox_id_of_address(address, nonce, out, NULL));
    assert_string_equal(out, expected);
}

static void ethereum_inbox_ids_match_the_official_ones(void **state)
{
    (void)state;
    assert_inbox(vanity, 0, "fcd18d86276d7a99fe522dba9660c420f03c8648785ada7c5daae232a3df77a9");
    assert_inbox(vanity, 1, "a38db5b39c536ce8cda4a67ce2a2d2fee6360dd0935875f26138e7899d6c15f7");
    assert_inbox("0x1234567890ABCDEF1234567890ABCDEF12345678", XMTP_NONCE_DEFAULT,
                 "a38db5b39c536ce8cda4a67ce2a2d2fee6360dd0935875f26138e7899d6c15f7");
    assert_inbox(checksummed, 0,
                 "41ff994ea1f9462295cee1ad48c270f6fe3e6307cd9a062e9320cf43a724e348");
    assert_inbox(checksummed, 1,
                 "f2dc4b90b67487658e6fc1d4759c148fac797ea24fadee18c9d511787e04ea1a");
    assert_inbox(checksummed, UINT64_MAX,
                 "6a8e20e05735b605de0b4604988c688b801a6a381a43edc056d71e6b0a87f4ae");
}

static void assert_passkey(const char *key, uint64_t nonce, const char *expected)
{
    char out[XMTP_INBOX_ID_LEN + 1];
    xmtp_identifier id = {.kind = XMTP_IDENTIFIER_PASSKEY, .value = hex(key)};
    ok(xmtp_inbox_id(&id, nonce, out, NULL));
    assert_string_equal(out, expected);
}

static void passkey_inbox_ids_match_the_official_ones(void **state)
{
    (void)state;
    static const char key[] = "02b9c6f7f6e6a6e2f7d0c7cb3fbd0b0b4f6a6d4d2f4e1e2d3c4b5a69788796a5b4";
    assert_passkey(key, 0, "2bacd28a10ad7b8fba0af0528f459cada328d6668221b1e0ebc610e091de28a8");
    assert_passkey(key, 1, "2ac3fff03d6ad5488fd0cdd73f3cd19997d9be91f1a738b0711238ea97dcd43e");
    assert_passkey("02b9c6", 1, "041838dad09a87851443c61baddec83aec895ed0bf1540020ec3f09e15a04d90");
}

static void refuses_owner(const xmtp_identifier *owner)
{
    char out[XMTP_INBOX_ID_LEN + 1] = "untouched";
    assert_int_equal(xmtp_inbox_id(owner, 1, out, NULL), XMTP_E_IDENTIFIER);
    assert_string_equal(out, "");
}

static void malformed_owners_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "0x",
        "1234567890abcdef1234567890abcdef12345678",
        "0X1234567890abcdef1234567890abcdef12345678",
        "0x1234567890abcdef1234567890abcdef1234567",
        "0x1234567890abcdef1234567890abcdef123456789",
        "0x1234567890abcdef1234567890abcdef1234567g",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        xmtp_identifier owner = xmtp_identifier_ethereum(texts[i]);
        refuses_owner(&owner);
    }
    xmtp_identifier empty_passkey = {.kind = XMTP_IDENTIFIER_PASSKEY};
    refuses_owner(&empty_passkey);
    xmtp_identifier installation = id_of_installation(installation_of(1));
    refuses_owner(&installation);
}

static void a_mixed_case_address_has_its_own_inbox_id(void **state)
{
    (void)state;
    char mixed[XMTP_INBOX_ID_LEN + 1];
    xmtp_identifier owner = xmtp_identifier_ethereum(checksummed);
    ok(xmtp_inbox_id(&owner, 1, mixed, NULL));
    assert_string_not_equal(mixed,
                            "f2dc4b90b67487658e6fc1d4759c148fac797ea24fadee18c9d511787e04ea1a");
}

static void addresses_are_lower_cased_with_or_without_prefix(void **state)
{
    (void)state;
    char out[XMTP_ADDRESS_LEN + 1];
    ok(xmtp_address_normalize(checksummed, out, NULL));
    assert_string_equal(out, "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266");
    ok(xmtp_address_normalize(checksummed + 2, out, NULL));
    assert_string_equal(out, "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266");
}

static void what_is_no_address_is_refused_with_a_reason(void **state)
{
    (void)state;
    char out[XMTP_ADDRESS_LEN + 1];
    xmtp_error error;
    assert_int_equal(xmtp_address_normalize("0X1234", out, &error), XMTP_E_IDENTIFIER);
    assert_string_equal(error.text, "an address has 40 hex digits after 0x, this has 6 characters");
    assert_string_equal(out, "");
    assert_int_equal(
        xmtp_address_normalize("0x12345678z0abcdef1234567890abcdef12345678", out, &error),
        XMTP_E_IDENTIFIER);
    assert_string_equal(error.text, "character 9 after 0x is not a hex digit");
    assert_int_equal(xmtp_address_normalize("", out, &error), XMTP_E_IDENTIFIER);
    assert_int_equal(xmtp_address_normalize(NULL, out, &error), XMTP_E_IDENTIFIER);
}

static void identifiers_are_equal_by_kind_and_value(void **state)
{
    (void)state;
    xmtp_bytes key = hex("0102");
    xmtp_identifier a = {.kind = XMTP_IDENTIFIER_PASSKEY, .value = key};
    xmtp_identifier b = {.kind = XMTP_IDENTIFIER_PASSKEY,
                         .value = copy_of(key),
                         .has_relying_party = true,
                         .relying_party = xmtp_bytes_of_string("https://example.com")};
    xmtp_identifier c = {.kind = XMTP_IDENTIFIER_INSTALLATION, .value = key};
    assert_true(xmtp_identifier_equal(&a, &b));
    assert_false(xmtp_identifier_equal(&a, &c));
}

static void inbox_ids_have_64_lower_case_digits(void **state)
{
    (void)state;
    char id[] = "f2dc4b90b67487658e6fc1d4759c148fac797ea24fadee18c9d511787e04ea1a";
    assert_true(xmtp_inbox_id_is_valid(xmtp_bytes_of_string(id)));
    assert_false(xmtp_inbox_id_is_valid(xmtp_bytes_of(id, 63)));
    id[0] = 'F';
    assert_false(xmtp_inbox_id_is_valid(xmtp_bytes_of_string(id)));
    id[0] = 'g';
    assert_false(xmtp_inbox_id_is_valid(xmtp_bytes_of_string(id)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ethereum_inbox_ids_match_the_official_ones),
        TEST(passkey_inbox_ids_match_the_official_ones),
        TEST(malformed_owners_are_refused),
        TEST(a_mixed_case_address_has_its_own_inbox_id),
        TEST(addresses_are_lower_cased_with_or_without_prefix),
        TEST(what_is_no_address_is_refused_with_a_reason),
        TEST(identifiers_are_equal_by_kind_and_value),
        TEST(inbox_ids_have_64_lower_case_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
