/* update_wire_test.c - protobuf as the official client judges it: merging, oneofs, unknown fields,
 * groups, UTF-8, and what is malformed.
 */
#include "identity/test_support.h"
#include "proto/field.h"

static xmtp_status decode(const char *text, xmtp_wire_update *out)
{
    return xmtp_wire_update_decode(hex(text), 16, &arena, out, NULL);
}

static xmtp_wire_update decoded(const char *text)
{
    xmtp_wire_update out;
    ok(decode(text, &out));
    return out;
}

static void malformed(const char *text)
{
    xmtp_wire_update out;
    xmtp_error error = {0};
    assert_int_equal(xmtp_wire_update_decode(hex(text), 16, &arena, &out, &error),
                     XMTP_E_MALFORMED);
    assert_int_equal(out.action_count, 0);
    assert_true(strlen(error.text) > 0);
}

static void defaults_are_absent_and_the_last_value_counts(void **state)
{
    (void)state;
    xmtp_wire_update u = decoded("");
    assert_int_equal(u.action_count, 0);
    assert_int_equal(u.inbox_id.n, 0);
    u = decoded("1001"
                "1a0161"
                "10ac02"
                "1a0162");
    assert_int_equal(u.client_timestamp_ns, 300);
    assert_bytes(u.inbox_id, hex("62"));
    u = decoded("10ffffffffffffffffff01");
    assert_true(u.client_timestamp_ns == UINT64_MAX);
    u = decoded("108000"); /* not the shortest form, and still zero */
    assert_int_equal(u.client_timestamp_ns, 0);
}

static void unknown_fields_and_groups_are_skipped(void **state)
{
    (void)state;
    xmtp_wire_update u = decoded("2001"
                                 "290102030405060708"
                                 "2a03616263"
                                 "3501020304"
                                 "3b"
                                 "0801"
                                 "43"
                                 "120161"
                                 "44"
                                 "3c"
                                 "1007");
    assert_int_equal(u.client_timestamp_ns, 7);
}

static void broken_wire_formats_are_malformed(void **state)
{
    (void)state;
    malformed("10");                       /* value missing */
    malformed("1080");                     /* varint cut */
    malformed("10ffffffffffffffffff02");   /* 65 bits */
    malformed("10ffffffffffffffffffff01"); /* eleven bytes */
    malformed("1a05616263");               /* longer than what is there */
    malformed("1affffffffffffffffff01");   /* much longer */
    malformed("0001");                     /* field number 0 */
    malformed("1201");                     /* known field, wrong type */
    malformed("1801");
    malformed("0801");
    malformed("16");           /* type 6 */
    malformed("808080801000"); /* key above 32 bits */
    malformed("3c");           /* end of a group that never began */
    malformed("3b0801");       /* group without end */
    malformed("3b44");         /* end of another group */
    malformed("2901020304");   /* eight bytes cut */
    malformed("35010203");
}

static void groups_nest_up_to_the_limit(void **state)
{
    (void)state;
    char text[4 * (XMTP_FIELD_GROUPS_MAX + 1) + 1];
    for (size_t depth = XMTP_FIELD_GROUPS_MAX; depth <= XMTP_FIELD_GROUPS_MAX + 1; depth++) {
        for (size_t i = 0; i < depth; i++) {
            memcpy(text + 2 * i, "3b", 2);
            memcpy(text + 2 * (depth + i), "3c", 2);
        }
        text[4 * depth] = '\0';
        xmtp_wire_update out;
        assert_int_equal(decode(text, &out),
                         depth <= XMTP_FIELD_GROUPS_MAX ? XMTP_OK : XMTP_E_MALFORMED);
    }
}

static void strings_must_be_utf8_and_may_hold_zero_bytes(void **state)
{
    (void)state;
    assert_int_equal(decoded("1a03610062").inbox_id.n, 3);
    static const char *const good[] = {"1a017f",     "1a02c280",   "1a02dfbf",     "1a03e0a080",
                                       "1a03ed9fbf", "1a03ee8080", "1a04f0908080", "1a04f48fbfbf"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        (void)decoded(good[i]);
    }
    static const char *const bad[] = {"1a0180",       "1a01ff",       "1a02c080",   "1a02c1bf",
                                      "1a01c2",       "1a02c2c2",     "1a03e09fbf", "1a03eda080",
                                      "1a03e08080",   "1a02e0a0",     "1a03e0a0c0", "1a04f08fbfbf",
                                      "1a04f4908080", "1a04f5808080", "1a03f09080"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        malformed(bad[i]);
    }
}

static void lacks(const char *text, const char *sentence)
{
    xmtp_wire_update out;
    xmtp_error error = {0};
    assert_int_equal(xmtp_wire_update_decode(hex(text), 16, &arena, &out, &error),
                     XMTP_E_MALFORMED);
    assert_string_equal(error.text, sentence);
}

static void incomplete_actions_are_malformed(void **state)
{
    (void)state;
    lacks("0a00", "missing field action");
    lacks("0a020a00", "missing field signature (signer)"); /* create */
    lacks("0a040a021a00", "missing field signature (signer)");
    lacks("0a021200", "missing field signature (new member)"); /* add */
    lacks("0a0c120a12040a020a001a020a00", "missing field member_identifier");
    lacks("0a021a00", "missing field member_to_revoke"); /* revoke */
    lacks("0a0a1a0812060a040a02aabb", "missing field member_to_revoke");
    lacks("0a041a020a00", "missing field member_to_revoke");
    lacks("0a022200", "missing field signature (signer)"); /* change recovery */
    lacks("0a080a061a0422020a00", "missing field signature (delegated)");
    lacks("0a080a061a0422021200", "missing field delegated_key");
    /* passkey identifiers that are no hex: odd, and not digits */
    lacks("0a0d0a0b0a036162631a020a002002", "passkey identifier is not hex");
    lacks("0a0c0a0a0a027a7a1a020a002002", "passkey identifier is not hex");
}

static xmtp_wire_action only_action(const char *text)
{
    xmtp_wire_update u = decoded(text);
    assert_int_equal(u.action_count, 1);
    return u.actions[0];
}

static void kinds_of_identifiers_are_read_like_the_official_client(void **state)
{
    (void)state;
    /* create { identifier "0xAB", signature erc_191 {}, kind } with kind 0, 1, 7 and 2 */
    const char *const kinds[] = {"2000", "2001", "2007"};
    for (size_t i = 0; i < 3; i++) {
        char text[64];
        (void)snprintf(text, sizeof text,
                       "0a0e0a0c0a0430784142"
                       "1a020a00"
                       "%s",
                       kinds[i]);
        xmtp_wire_action a = only_action(text);
        assert_int_equal(a.subject.kind, XMTP_IDENTIFIER_ETHEREUM);
        assert_bytes(a.subject.value, xmtp_bytes_of_string("0xAB"));
    }
    xmtp_wire_action a = only_action("0a0e0a0c0a0430784142"
                                     "1a020a00"
                                     "2002");
    assert_int_equal(a.subject.kind, XMTP_IDENTIFIER_PASSKEY);
    assert_bytes(a.subject.value, hex("ab"));
}

static void a_oneof_keeps_its_last_member_and_merges_the_same_one(void **state)
{
    (void)state;
    /* revoke { member { address "a" then installation 0102 }, signature { erc_191 aa, then
     * installation_key {1: bb}, then installation_key {2: 32 bytes} } } */
    xmtp_writer w;
    xmtp_writer_init(&w, heap(), XMTP_WRITER_MAX);
    size_t action = xmtp_field_open(&w, 1);
    size_t revoke = xmtp_field_open(&w, 3);
    size_t member = xmtp_field_open(&w, 1);
    xmtp_field_put_bytes(&w, 1, hex("61"));
    xmtp_field_put_bytes(&w, 2, hex("0102"));
    xmtp_field_close(&w, member);
    size_t signature = xmtp_field_open(&w, 2);
    xmtp_writer_put(&w, hex("0a030a01aa"
                            "1a030a01bb"));
    size_t second = xmtp_field_open(&w, 3);
    xmtp_field_put_bytes(&w, 2, xmtp_bytes_of(room(32), 32));
    xmtp_field_close(&w, second);
    xmtp_field_close(&w, signature);
    xmtp_field_close(&w, revoke);
    xmtp_field_close(&w, action);
    xmtp_wire_action a = only_action(hex_of(finish(&w)));
    assert_int_equal(a.subject.kind, XMTP_IDENTIFIER_INSTALLATION);
    assert_bytes(a.subject.value, hex("0102"));
    assert_int_equal(a.signature.kind, XMTP_SIGNATURE_INSTALLATION);
    assert_bytes(a.signature.bytes, hex("bb"));
    assert_int_equal(a.signature.public_key.n, 32);
}

static void too_many_actions_are_refused_before_memory_is_taken(void **state)
{
    (void)state;
    const size_t n = 2 * (size_t)(XMTP_IDENTITY_ACTIONS_MAX + 1);
    uint8_t *p = room(n);
    for (size_t i = 0; i < n; i += 2) {
        p[i] = 0x0a;
    }
    xmtp_wire_update out;
    xmtp_error error = {0};
    const size_t used = arena.used;
    assert_int_equal(xmtp_wire_update_decode(xmtp_bytes_of(p, n), XMTP_IDENTITY_ACTIONS_MAX, &arena,
                                             &out, &error),
                     XMTP_E_LIMIT);
    assert_int_equal(arena.used, used);
}

/* Every kind of signature and identifier through encode and decode. */
static void what_is_encoded_decodes_to_the_same(void **state)
{
    (void)state;
    const xmtp_identifier passkey = {.kind = XMTP_IDENTIFIER_PASSKEY,
                                     .value = hex("02ab"),
                                     .has_relying_party = true,
                                     .relying_party = xmtp_bytes_of_string("https://a.b")};
    const xmtp_wire_signature ecdsa = {.kind = XMTP_SIGNATURE_ERC191, .bytes = hex("0a")};
    const xmtp_wire_signature contract = {.kind = XMTP_SIGNATURE_CONTRACT,
                                          .bytes = hex("0b"),
                                          .account_id = xmtp_bytes_of_string("a:b:c"),
                                          .block_number = 300};
    const xmtp_wire_signature delegated = {.kind = XMTP_SIGNATURE_DELEGATED,
                                           .bytes = hex("0c"),
                                           .has_delegated_key = true,
                                           .has_delegated_signature = true,
                                           .key_bytes = hex("0d"),
                                           .wallet_form = 1,
                                           .wallet_signature = hex("0e"),
                                           .wallet_recovery = 28};
    const xmtp_wire_signature webauthn = {.kind = XMTP_SIGNATURE_PASSKEY,
                                          .bytes = hex("0f"),
                                          .public_key = hex("10"),
                                          .authenticator_data = hex("11"),
                                          .client_data_json = hex("12")};
    const xmtp_wire_action actions[] = {
        {.kind = XMTP_ACTION_CREATE_INBOX, .subject = passkey, .nonce = 9, .signature = webauthn},
        {.kind = XMTP_ACTION_ADD,
         .subject = passkey,
         .signature = contract,
         .new_member_signature = webauthn},
        {.kind = XMTP_ACTION_REVOKE, .subject = passkey, .signature = delegated},
        {.kind = XMTP_ACTION_CHANGE_RECOVERY, .subject = passkey, .signature = ecdsa},
    };
    const xmtp_wire_update update = {.actions = actions,
                                     .action_count = 4,
                                     .client_timestamp_ns = 5,
                                     .inbox_id = xmtp_bytes_of_string("inbox")};
    xmtp_bytes bytes = encoded(&update);
    xmtp_wire_update again = decoded(hex_of(bytes));
    assert_bytes(encoded(&again), bytes);
    assert_int_equal(again.actions[0].nonce, 9);
    assert_bytes(again.actions[0].subject.relying_party, passkey.relying_party);
    assert_bytes(again.actions[1].subject.relying_party, passkey.relying_party);
    assert_int_equal(again.actions[1].signature.block_number, 300);
    assert_int_equal(again.actions[2].signature.wallet_form, 1);
    assert_int_equal(again.actions[2].signature.wallet_recovery, 28);
    assert_bytes(again.actions[3].subject.value, passkey.value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(defaults_are_absent_and_the_last_value_counts),
        TEST(unknown_fields_and_groups_are_skipped),
        TEST(broken_wire_formats_are_malformed),
        TEST(groups_nest_up_to_the_limit),
        TEST(strings_must_be_utf8_and_may_hold_zero_bytes),
        TEST(incomplete_actions_are_malformed),
        TEST(kinds_of_identifiers_are_read_like_the_official_client),
        TEST(a_oneof_keeps_its_last_member_and_merges_the_same_one),
        TEST(too_many_actions_are_refused_before_memory_is_taken),
        TEST(what_is_encoded_decodes_to_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
