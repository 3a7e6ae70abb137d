/* update_test.c - the worked examples A, B and C of identity.md 4, byte for byte, and what builders
 * refuse.
 */
#include "identity/update.h"

#include "base/status.h"
#include "identity/test_support.h"

static const char inbox[] = "f2dc4b90b67487658e6fc1d4759c148fac797ea24fadee18c9d511787e04ea1a";

static const char example_a[] =
    "0a790a770a2a3078663339666436653531616164383866366634636536616238383237323739636666666239"
    "3232363610011a450a430a4129f91f56db309b4240f02ca418568ebfe7edebd19bf93e43e3fd079ffa483c18"
    "426b289cbc459108994522bf23cdf8b9d6cceadaa872195f63826fed93f3a3a91c20010ad60112d3010a2212"
    "208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c12450a430a4129f91f56db"
    "309b4240f02ca418568ebfe7edebd19bf93e43e3fd079ffa483c18426b289cbc459108994522bf23cdf8b9d6"
    "cceadaa872195f63826fed93f3a3a91c1a661a640a405bd08f4570b080272343ccac40611d89ce32a08b6c5f"
    "41d569fc53c99d839d16ba44fd74fd30be9294aa4b44a7370bf837d9e32d09b488c2be10a92cfc4105061220"
    "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c10959a97ece39fe7cb171a40"
    "6632646334623930623637343837363538653666633164343735396331343866616337393765613234666164"
    "6565313863396435313137383765303465613161";

enum { TIME_COUNT = 3 };
static const uint64_t times[TIME_COUNT] = {1700000000123456789u, 1700000100000000000u,
                                           1700000200000000000u};

typedef struct cast {
    const xmtp_wallet *wallet_0;
    const xmtp_wallet *wallet_1;
    const xmtp_installation *installation_0;
    const xmtp_installation *installation_1;
} cast;

static cast everybody(void)
{
    return (cast){.wallet_0 = wallet_of(wallet_0_key),
                  .wallet_1 = wallet_of(wallet_1_key),
                  .installation_0 = installation_of(1),
                  .installation_1 = installation_of(2)};
}

static xmtp_bytes build(uint64_t time, const xmtp_update_action *actions, size_t count)
{
    uint8_t *p;
    size_t n;
    xmtp_error error = {0};
    if (xmtp_identity_update_build(heap(), inbox, time, actions, count, &p, &n, &error) !=
        XMTP_OK) {
        fail_msg("%s", error.text);
    }
    return adopt(p, n);
}

static xmtp_bytes build_a(const cast *c)
{
    char id[XMTP_INBOX_ID_LEN + 1];
    uint8_t *p;
    size_t n;
    ok(xmtp_identity_update_register(heap(), by_wallet(c->wallet_0), XMTP_NONCE_DEFAULT,
                                     c->installation_0, times[0], id, &p, &n, NULL));
    assert_string_equal(id, inbox);
    return adopt(p, n);
}

static xmtp_bytes build_b(const cast *c)
{
    const xmtp_update_action actions[] = {
        {.kind = XMTP_ACTION_ADD,
         .subject = id_of(c->wallet_1),
         .signer = by_installation(c->installation_0),
         .new_member = by_wallet(c->wallet_1)},
        {.kind = XMTP_ACTION_ADD,
         .subject = id_of_installation(c->installation_1),
         .signer = by_wallet(c->wallet_0),
         .new_member = by_installation(c->installation_1)},
        {.kind = XMTP_ACTION_CHANGE_RECOVERY,
         .subject = id_of(c->wallet_1),
         .signer = by_wallet(c->wallet_0)},
    };
    return build(times[1], actions, 3);
}

static xmtp_bytes build_c(const cast *c)
{
    const xmtp_update_action actions[] = {
        {.kind = XMTP_ACTION_REVOKE,
         .subject = id_of_installation(c->installation_1),
         .signer = by_wallet(c->wallet_1)},
        {.kind = XMTP_ACTION_REVOKE,
         .subject = id_of(c->wallet_0),
         .signer = by_wallet(c->wallet_1)},
    };
    return build(times[2], actions, 2);
}

static xmtp_wire_update decoded(xmtp_bytes update)
{
    xmtp_wire_update out;
    ok(xmtp_wire_update_decode(update, XMTP_IDENTITY_ACTIONS_MAX, &arena, &out, NULL));
    return out;
}

static void assert_digest(xmtp_bytes update, size_t text_len, const char *digest)
{
    xmtp_wire_update wire = decoded(update);
    xmtp_signed_text text = xmtp_signed_text_of(update_text(&wire));
    assert_int_equal(text.text.n, text_len);
    assert_bytes(xmtp_bytes_of(text.digest, 32), hex(digest));
}

static void registration_is_example_a_byte_for_byte(void **state)
{
    (void)state;
    const cast c = everybody();
    xmtp_bytes update = build_a(&c);
    assert_bytes(update, hex(example_a));
    assert_digest(update, 358, "2dec8e8de9f240be509412effc1ad8ee65724c5f6747fc635d97ec91fba48a6a");
}

static void assert_signature(const xmtp_wire_signature *s, const char *expected)
{
    assert_bytes(s->bytes, hex(expected));
}

static const char b_wallet_0[] =
    "467c34a09a6fe6c72c755ccee108af5c70a28b78e2dc2ac00fce51907a0c01de"
    "0fdaaaeff712e3cb4baf8320d96bf1727d6e7dd4614e29b0be66f8c64af1e8921c";
static const char b_wallet_1[] =
    "46b48451508ed9c77f680d99cf19ab95d96434393169a877116c3155f8f22597"
    "4a43603fc87db9b2f65623eae600a7f036752a42cd975dac1e2c12da121397c01c";
static const char b_installation_0[] =
    "9715556ac3db19194ba54608c38dabf7133dc7e123176aca6c831a90be4a7862"
    "4a3cebbc199dbf760f78050ccb29806c878aa62371a53c76281588af43853f09";
static const char b_installation_1[] =
    "481f26e8ae192723847886aaec8e4ef1b4fd7ed6c0d8acaa2263b57093990072"
    "149ee1676de1a3a98818f57f8c31f63e81e65ec02294b51d68415f21e6b54801";

static void three_signers_sign_as_in_example_b(void **state)
{
    (void)state;
    const cast c = everybody();
    xmtp_bytes update = build_b(&c);
    assert_digest(update, 457, "7a28c26fc8077798e86e8464998577034c21772783b071a7af69aacc68ce286e");
    xmtp_wire_update wire = decoded(update);
    assert_signature(&wire.actions[0].signature, b_installation_0);
    assert_signature(&wire.actions[0].new_member_signature, b_wallet_1);
    assert_signature(&wire.actions[1].signature, b_wallet_0);
    assert_signature(&wire.actions[1].new_member_signature, b_installation_1);
    assert_signature(&wire.actions[2].signature, b_wallet_0);
}

static void revocations_are_signed_as_in_example_c(void **state)
{
    (void)state;
    const cast c = everybody();
    xmtp_bytes update = build_c(&c);
    assert_digest(update, 376, "e185dfa396e10662cfc878a85510c79a2998c726eca90b85f9360dffdc241366");
    xmtp_wire_update wire = decoded(update);
    static const char expected[] =
        "a35a3ccf9935b07977f4039991fd4cf16aab9ae362480461e6b9bccbdbb443b0"
        "7b107f841ae9d5b1beccb9a24aa3f1947733913b0a39f4bc92ca5b27e30bbf661c";
    assert_signature(&wire.actions[0].signature, expected);
    assert_signature(&wire.actions[1].signature, expected);
}

static void assert_member(const xmtp_association *s, xmtp_identifier id, uint64_t timestamp_ns)
{
    xmtp_association_member member;
    assert_true(xmtp_association_find(s, &id, &member));
    assert_int_equal(member.has_timestamp, timestamp_ns != 0);
    assert_int_equal(member.client_timestamp_ns, timestamp_ns);
}

static void examples_a_b_and_c_fold_to_the_states_told(void **state)
{
    (void)state;
    const cast c = everybody();
    xmtp_association *s = new_state();
    fold(s, build_a(&c));
    assert_string_equal(xmtp_association_inbox_id(s), inbox);
    fold(s, build_b(&c));
    assert_int_equal(xmtp_association_member_count(s), 4);
    assert_member(s, id_of(c.wallet_0), 0);
    assert_member(s, id_of_installation(c.installation_0), times[0]);
    assert_member(s, id_of(c.wallet_1), times[1]);
    assert_member(s, id_of_installation(c.installation_1), times[1]);
    xmtp_identifier recovery = xmtp_association_recovery(s);
    xmtp_identifier wallet_1 = id_of(c.wallet_1);
    assert_true(xmtp_identifier_equal(&recovery, &wallet_1));
    /* The creator has no time and so comes last. */
    xmtp_identifier last = xmtp_association_member_at(s, 3).identifier;
    assert_bytes(last.value, xmtp_bytes_of_string(c.wallet_0->address));
    fold(s, build_c(&c));
    assert_int_equal(xmtp_association_member_count(s), 1);
    assert_member(s, wallet_1, times[1]);
    assert_int_equal(xmtp_association_installation_count(s), 0);
    xmtp_association_free(s);
}

static void the_short_forms_build_what_the_long_form_builds(void **state)
{
    (void)state;
    const cast c = everybody();
    uint8_t *p;
    size_t n;
    const xmtp_update_action add = {.kind = XMTP_ACTION_ADD,
                                    .subject = id_of_installation(c.installation_1),
                                    .signer = by_wallet(c.wallet_0),
                                    .new_member = by_installation(c.installation_1)};
    ok(xmtp_identity_update_add_installation(heap(), inbox, by_wallet(c.wallet_0), c.installation_1,
                                             times[1], &p, &n, NULL));
    assert_bytes(adopt(p, n), build(times[1], &add, 1));
    uint8_t keys[2][XMTP_INSTALLATION_LEN];
    memcpy(keys[0], c.installation_0->pk, sizeof keys[0]);
    memcpy(keys[1], c.installation_1->pk, sizeof keys[1]);
    const xmtp_update_action revoke[] = {
        {.kind = XMTP_ACTION_REVOKE,
         .subject = xmtp_identifier_installation(keys[0]),
         .signer = by_wallet(c.wallet_0)},
        {.kind = XMTP_ACTION_REVOKE,
         .subject = xmtp_identifier_installation(keys[1]),
         .signer = by_wallet(c.wallet_0)},
    };
    ok(xmtp_identity_update_revoke_installations(heap(), inbox, by_wallet(c.wallet_0),
                                                 (const uint8_t(*)[XMTP_INSTALLATION_LEN])keys, 2,
                                                 times[2], &p, &n, NULL));
    assert_bytes(adopt(p, n), build(times[2], revoke, 2));
}

static void cannot_build(const char *id, const xmtp_update_action *actions, size_t count,
                         xmtp_status status)
{
    uint8_t *p = (uint8_t *)actions;
    size_t n = 1;
    xmtp_error error = {0};
    assert_string_equal(
        xmtp_status_name(xmtp_identity_update_build(heap(), id, 1, actions, count, &p, &n, &error)),
        xmtp_status_name(status));
    assert_null(p);
    assert_int_equal(n, 0);
    assert_int_equal(error.status, status);
}

static void what_the_network_would_refuse_is_not_built(void **state)
{
    (void)state;
    const cast c = everybody();
    const xmtp_signer *wallet = by_wallet(c.wallet_0);
    const xmtp_update_action good = {
        .kind = XMTP_ACTION_REVOKE, .subject = id_of(c.wallet_1), .signer = wallet};
    cannot_build("f2", &good, 1, XMTP_E_IDENTIFIER);
    cannot_build(inbox, &good, 0, XMTP_E_ARGUMENT);
    cannot_build(inbox, &good, XMTP_UPDATE_ACTIONS_MAX + 1, XMTP_E_ARGUMENT);

    xmtp_update_action bad = good;
    bad.subject = xmtp_identifier_ethereum("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
    cannot_build(inbox, &bad, 1, XMTP_E_IDENTIFIER);
    bad = good;
    bad.signer = NULL;
    cannot_build(inbox, &bad, 1, XMTP_E_ARGUMENT);
    bad = good;
    bad.kind = XMTP_ACTION_NONE;
    cannot_build(inbox, &bad, 1, XMTP_E_ARGUMENT);
    bad = good;
    bad.kind = XMTP_ACTION_CREATE_INBOX; /* for somebody else */
    cannot_build(inbox, &bad, 1, XMTP_E_ARGUMENT);
    bad = good;
    bad.kind = XMTP_ACTION_ADD; /* who does not sign */
    cannot_build(inbox, &bad, 1, XMTP_E_ARGUMENT);
    bad.new_member = wallet; /* another signs for it */
    cannot_build(inbox, &bad, 1, XMTP_E_ARGUMENT);
    bad.subject = id_of(c.wallet_0); /* itself */
    cannot_build(inbox, &bad, 1, XMTP_E_ARGUMENT);
    bad = good;
    bad.kind = XMTP_ACTION_CHANGE_RECOVERY;
    bad.subject = id_of_installation(c.installation_0);
    cannot_build(inbox, &bad, 1, XMTP_E_IDENTIFIER);
    bad.subject = xmtp_identifier_ethereum("nonsense");
    cannot_build(inbox, &bad, 1, XMTP_E_IDENTIFIER);
}

static xmtp_status refuse_to_sign(const void *context, xmtp_bytes text, xmtp_arena *scratch,
                                  xmtp_wire_signature *out)
{
    (void)context;
    (void)text;
    (void)scratch;
    (void)out;
    return XMTP_E_CANCELLED;
}

static void a_signer_that_fails_stops_the_building(void **state)
{
    (void)state;
    const cast c = everybody();
    const xmtp_signer unwilling = {.identifier = id_of(c.wallet_0), .sign = refuse_to_sign};
    const xmtp_update_action action = {
        .kind = XMTP_ACTION_REVOKE, .subject = id_of(c.wallet_1), .signer = &unwilling};
    cannot_build(inbox, &action, 1, XMTP_E_CANCELLED);
}

static size_t calls;

static xmtp_status count_and_sign(const void *context, xmtp_bytes text, xmtp_arena *scratch,
                                  xmtp_wire_signature *out)
{
    const xmtp_signer wallet = xmtp_signer_of_wallet(context);
    calls++;
    return wallet.sign(context, text, scratch, out);
}

static xmtp_status sign_as_another_kind(const void *context, xmtp_bytes text, xmtp_arena *scratch,
                                        xmtp_wire_signature *out)
{
    XMTP_TRY(count_and_sign(context, text, scratch, out));
    out->kind = XMTP_SIGNATURE_PASSKEY;
    return XMTP_OK;
}

static void a_signer_may_only_use_its_own_kinds_of_signature(void **state)
{
    (void)state;
    const cast c = everybody();
    const xmtp_signer odd = {
        .identifier = id_of(c.wallet_0), .context = c.wallet_0, .sign = sign_as_another_kind};
    const xmtp_update_action action = {
        .kind = XMTP_ACTION_REVOKE, .subject = id_of(c.wallet_1), .signer = &odd};
    cannot_build(inbox, &action, 1, XMTP_E_ARGUMENT);
}

static void a_signer_is_asked_once_for_all_its_slots(void **state)
{
    (void)state;
    const cast c = everybody();
    const xmtp_signer wallet = {
        .identifier = id_of(c.wallet_0), .context = c.wallet_0, .sign = count_and_sign};
    char id[XMTP_INBOX_ID_LEN + 1];
    uint8_t *p;
    size_t n;
    calls = 0;
    ok(xmtp_identity_update_register(heap(), &wallet, 1, c.installation_0, times[0], id, &p, &n,
                                     NULL));
    assert_int_equal(calls, 1);
    assert_bytes(adopt(p, n), hex(example_a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(registration_is_example_a_byte_for_byte),
        TEST(three_signers_sign_as_in_example_b),
        TEST(revocations_are_signed_as_in_example_c),
        TEST(examples_a_b_and_c_fold_to_the_states_told),
        TEST(the_short_forms_build_what_the_long_form_builds),
        TEST(what_the_network_would_refuse_is_not_built),
        TEST(a_signer_that_fails_stops_the_building),
        TEST(a_signer_is_asked_once_for_all_its_slots),
        TEST(a_signer_may_only_use_its_own_kinds_of_signature),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
