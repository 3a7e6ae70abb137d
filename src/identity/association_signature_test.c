/* association_signature_test.c - which signatures an update may carry (identity.md 2.5, 2.7, 3.3 to
 * 3.7): legacy keys, contract wallets, forms of v and s, and what our node refuses beyond that.
 */
#include "identity/test_scene.h"

/* ---- legacy keys (identity.md 3.7) */

static hand legacy_hand(const xmtp_wallet *wallet)
{
    return (hand){.kind = XMTP_SIGNATURE_DELEGATED,
                  .wallet = wallet,
                  .legacy_key = wallet_of(
                      "4242424242424242424242424242424242424242424242424242424242424242")};
}

static scene inbox_of_a_legacy_key(void)
{
    scene c = cast_without_inbox(0);
    deed d = create_by(c.alice, 0);
    d.by = legacy_hand(c.alice);
    fold(c.s, one(&c, T0, d));
    return c;
}

static void a_legacy_key_creates_the_inbox_of_nonce_0_only(void **state)
{
    (void)state;
    scene c = inbox_of_a_legacy_key();
    assert_true(has(&c, id_of(c.alice)));
    end(&c);
    c = cast_without_inbox(1);
    deed d = create_by(c.alice, 1);
    d.by = legacy_hand(c.alice);
    refuses(c.s, one(&c, T0, d), XMTP_E_ASSOCIATION, legacy_reuse);
    end(&c);
}

static void a_legacy_key_works_once_per_inbox(void **state)
{
    (void)state;
    scene c = inbox_of_a_legacy_key();
    refuses(c.s, one(&c, T1, add_app(legacy_hand(c.alice), c.phone)), XMTP_E_REPLAY,
            "Replay detected");
    end(&c);
}

static void a_legacy_key_may_add_to_the_inbox_of_nonce_0(void **state)
{
    (void)state;
    scene c = cast_without_inbox(0);
    const deed deeds[] = {create_by(c.alice, 0), add_app(legacy_hand(c.alice), c.phone)};
    fold(c.s, update_of(c.inbox, at(T0), deeds, 2));
    assert_true(has(&c, id_of_installation(c.phone)));
    end(&c);
}

static void a_legacy_key_adds_to_no_other_inbox(void **state)
{
    (void)state;
    scene c = inbox_with_phone(); /* nonce 1 */
    refuses(c.s, one(&c, T1, add_app(legacy_hand(c.alice), c.laptop)), XMTP_E_ASSOCIATION,
            legacy_reuse);
    deed d = add_wallet(wallet_hand(c.alice), c.bob);
    d.self = legacy_hand(c.bob);
    refuses(c.s, one(&c, T1, d), XMTP_E_ASSOCIATION, legacy_reuse);
    /* XMTP: not looked at where the existing member is an installation (2.4, AddAssociation 5) */
    d.by = installation_hand(c.phone);
    fold(c.s, one(&c, T2, d));
    end(&c);
}

static void a_recovery_identifier_that_is_no_member_does_not_add_by_a_legacy_key(void **state)
{
    (void)state;
    scene c = cast_without_inbox(0);
    fold(c.s, one(&c, T0, create_by(c.alice, 0)));
    fold(c.s, one(&c, T1, revoke(wallet_hand(c.alice), id_of(c.alice))));
    refuses(c.s, one(&c, T2, add_app(legacy_hand(c.alice), c.phone)), XMTP_E_ASSOCIATION,
            legacy_reuse);
    end(&c);
}

static void a_legacy_key_neither_revokes_nor_changes_the_recovery(void **state)
{
    (void)state;
    static const char sentence[] =
        "Signature not allowed for role \"ethereum\" \"legacy-delegated\"";
    scene c = cast_without_inbox(0);
    fold(c.s, one(&c, T0, create_by(c.alice, 0)));
    refuses(c.s, one(&c, T1, revoke(legacy_hand(c.alice), id_of(c.alice))), XMTP_E_ASSOCIATION,
            sentence);
    refuses(c.s, one(&c, T1, change_recovery(legacy_hand(c.alice), id_of(c.bob))),
            XMTP_E_ASSOCIATION, sentence);
    end(&c);
}

/* ---- contract wallets: the chain is played by a callback */

typedef struct chain {
    bool answer;
    xmtp_status status;
    size_t asked;
} chain;

static xmtp_status ask(void *context, xmtp_bytes account_id, uint64_t block_number,
                       const uint8_t hash[32], xmtp_bytes signature, bool *is_valid,
                       xmtp_error *error)
{
    chain *c = context;
    c->asked++;
    assert_true(account_id.n > 0 && signature.n > 0 && hash != NULL);
    assert_int_equal(block_number, 7);
    *is_valid = c->answer;
    return c->status == XMTP_OK ? XMTP_OK : xmtp_fail(error, c->status, "chain is down");
}

static const char account_1[] = "eip155:1:0xAbCdef0123456789abcdef0123456789abcdef01";
static const char account_10[] = "eip155:10:0xAbCdef0123456789abcdef0123456789abcdef01";
static const char contract_address[] = "0xabcdef0123456789abcdef0123456789abcdef01";

static hand contract_hand(const char *account_id, const char *bytes)
{
    return (hand){.kind = XMTP_SIGNATURE_CONTRACT, .account_id = account_id, .bytes = bytes};
}

static deed create_by_contract(const char *account_id)
{
    return (deed){.kind = XMTP_ACTION_CREATE_INBOX,
                  .subject = xmtp_identifier_ethereum(contract_address),
                  .nonce = 1,
                  .by = contract_hand(account_id, "aa")};
}

static scene without_contract_inbox(void)
{
    scene c = cast_without_inbox(1);
    ok(xmtp_inbox_id_of_address(contract_address, 1, c.inbox, NULL));
    return c;
}

static void a_contract_wallet_is_bound_to_its_chain(void **state)
{
    (void)state;
    scene c = without_contract_inbox();
    chain yes = {.answer = true};
    const xmtp_verifier v = {.context = &yes, .contract_wallet = ask};
    ok(xmtp_association_apply(c.s, one(&c, T0, create_by_contract(account_1)), &v, 0, NULL));
    xmtp_association_member m = xmtp_association_member_at(c.s, 0);
    assert_true(m.has_chain_id);
    assert_int_equal(m.chain_id, 1);
    refuses_with(c.s, one(&c, T1, add_app(contract_hand(account_10, "bb"), c.phone)), &v, 0,
                 XMTP_E_ASSOCIATION,
                 "Wrong chain id. Initially added with 1 but now signing from 10");
    refuses_with(
        c.s, one(&c, T1, revoke(contract_hand(account_10, "bb"), id_of_installation(c.phone))), &v,
        0, XMTP_E_ASSOCIATION, "Wrong chain id. Initially added with 1 but now signing from 10");
    ok(xmtp_association_apply(c.s, one(&c, T1, add_app(contract_hand(account_1, "bb"), c.phone)),
                              &v, 0, NULL));
    refuses_with(c.s, one(&c, T2, add_app(contract_hand(account_1, "bb"), c.laptop)), &v, 0,
                 XMTP_E_REPLAY, "Replay detected");
    assert_int_equal(yes.asked, 5);
    end(&c);
}

static void a_plain_wallet_does_not_become_a_contract(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    chain yes = {.answer = true};
    const xmtp_verifier v = {.context = &yes, .contract_wallet = ask};
    const char *account = "eip155:1:0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";
    refuses_with(c.s, one(&c, T1, add_app(contract_hand(account, "bb"), c.laptop)), &v, 0,
                 XMTP_E_ASSOCIATION,
                 "Wrong chain id. Initially added with 0 but now signing from 1");
    end(&c);
}

static void a_contract_that_says_no_is_a_bad_signature(void **state)
{
    (void)state;
    scene c = without_contract_inbox();
    chain no = {.answer = false};
    const xmtp_verifier v = {.context = &no, .contract_wallet = ask};
    refuses_with(c.s, one(&c, T0, create_by_contract(account_1)), &v, 0, XMTP_E_SIGNATURE,
                 "Signature validation failed");
    no.status = XMTP_E_NETWORK;
    refuses_with(c.s, one(&c, T0, create_by_contract(account_1)), &v, 0, XMTP_E_NETWORK,
                 "chain is down");
    end(&c);
}

static void contract_wallets_without_a_verifier_are_unsupported(void **state)
{
    (void)state;
    scene c = without_contract_inbox();
    refuses(c.s, one(&c, T0, create_by_contract(account_1)), XMTP_E_UNSUPPORTED,
            "signatures of smart contract wallets cannot be verified here");
    end(&c);
}

static void accepted_updates_are_folded_without_asking_a_chain(void **state)
{
    (void)state;
    scene c = without_contract_inbox();
    ok(xmtp_association_apply(c.s, one(&c, T0, create_by_contract(account_1)), NULL,
                              XMTP_ASSOCIATION_ACCEPTED, NULL));
    assert_true(xmtp_association_exists(c.s));
    end(&c);
}

static void malformed_accounts_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *account;
        xmtp_status status;
        const char *sentence;
    } cases[] = {
        {"eip155:1", XMTP_E_MALFORMED, "type account_id has invalid length. expected 3 got 2"},
        {"eip155:1:0xabcdef0123456789abcdef0123456789abcdef01:4", XMTP_E_MALFORMED,
         "type account_id has invalid length. expected 3 got 4"},
        {"", XMTP_E_MALFORMED, "type account_id has invalid length. expected 3 got 1"},
        {"EIP155:1:0xabcdef0123456789abcdef0123456789abcdef01", XMTP_E_MALFORMED,
         "account_id is not well formed"},
        {"eip155::0xabcdef0123456789abcdef0123456789abcdef01", XMTP_E_MALFORMED,
         "account_id is not well formed"},
        {"eip155:1:0xabc", XMTP_E_IDENTIFIER,
         "an address has 40 hex digits after 0x, this has 3 characters"},
        {"cosmos:1:0xabcdef0123456789abcdef0123456789abcdef01", XMTP_E_SIGNATURE,
         "Chain ID is not prefixed with eip155:"},
        {"eip155:18446744073709551616:0xabcdef0123456789abcdef0123456789abcdef01", XMTP_E_SIGNATURE,
         "Chain ID is not a valid u64"},
        {"eip155:x:0xabcdef0123456789abcdef0123456789abcdef01", XMTP_E_SIGNATURE,
         "Chain ID is not a valid u64"},
    };
    scene c = without_contract_inbox();
    chain yes = {.answer = true};
    const xmtp_verifier v = {.context = &yes, .contract_wallet = ask};
    for (size_t i = 0; i < COUNT(cases); i++) {
        refuses_with(c.s, one(&c, T0, create_by_contract(cases[i].account)), &v, 0, cases[i].status,
                     cases[i].sentence);
    }
    end(&c);
}

/* Found by fuzzing: the field is not there at all, which is no pointer to count from. */
static void an_account_that_is_not_there_is_refused(void **state)
{
    (void)state;
    const xmtp_bytes update =
        hex("0a3d3d3d5d5d0d5d4545884545454545454512250a001a020a000a101a0e1200120460106010120060"
            "10120050505050505050505050505050505050508a7d");
    scene c = without_contract_inbox();
    refuses_with(c.s, update, NULL, 0, XMTP_E_MALFORMED,
                 "type account_id has invalid length. expected 3 got 1");
    end(&c);
}

/* ---- wallet signatures (identity.md 3.3) */

/* The first signature of the update, to be spoiled in place. */
static uint8_t *first_signature(xmtp_bytes update)
{
    xmtp_wire_update wire;
    ok(xmtp_wire_update_decode(update, 16, &arena, &wire, NULL));
    return (uint8_t *)(uintptr_t)wire.actions[0].signature.bytes.p;
}

static const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                  0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48,
                                  0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41};

static void negate_s(uint8_t signature[65])
{
    int borrow = 0;
    for (size_t i = 32; i-- > 0;) {
        int digit = order[i] - signature[32 + i] - borrow;
        borrow = digit < 0;
        signature[32 + i] = (uint8_t)(digit + (borrow ? 256 : 0));
    }
}

static void recovery_values_of_all_conventions_fold_alike(void **state)
{
    (void)state;
    const int offsets[] = {-27, 0, 8, 10, 200}; /* 27 or 28 becomes 0/1, itself, 35/36, ... */
    for (size_t i = 0; i < COUNT(offsets); i++) {
        scene c = cast_without_inbox(1);
        deed d = create_by(c.alice, 1);
        d.by.v_offset = offsets[i];
        fold(c.s, one(&c, T0, d));
        assert_true(has(&c, id_of(c.alice)));
        end(&c);
    }
}

static void other_recovery_values_are_refused(void **state)
{
    (void)state;
    const uint8_t values[] = {2, 3, 26, 29, 34};
    scene c = cast_without_inbox(1);
    for (size_t i = 0; i < COUNT(values); i++) {
        xmtp_bytes update = one(&c, T0, create_by(c.alice, 1));
        first_signature(update)[64] = values[i];
        char sentence[64];
        (void)snprintf(sentence, sizeof sentence, "invalid parity: %u", (unsigned)values[i]);
        refuses(c.s, update, XMTP_E_SIGNATURE, sentence);
    }
    end(&c);
}

static void a_high_s_with_the_original_v_folds_and_is_remembered_low(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    xmtp_bytes update = one(&c, T1, revoke(wallet_hand(c.alice), id_of(c.bob)));
    xmtp_bytes high = copy_of(update);
    negate_s(first_signature(high));
    fold(c.s, high);
    refuses(c.s, update, XMTP_E_REPLAY, "Replay detected");
    end(&c);
}

static void a_high_s_with_a_flipped_v_recovers_another_signer(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    xmtp_bytes update = one(&c, T1, revoke(wallet_hand(c.alice), id_of(c.bob)));
    uint8_t *signature = first_signature(update);
    negate_s(signature);
    signature[64] ^= 27 ^ 28;
    refuses(c.s, update, XMTP_E_ASSOCIATION, missing);
    end(&c);
}

/* XMTP: a known weakness (identity.md 2.5) that must be kept, or states would differ. */
static void another_form_of_v_is_another_signature_when_folding(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    deed d = revoke(wallet_hand(c.alice), id_of(c.bob));
    fold(c.s, one(&c, T1, d));
    d.by.v_offset = -27;
    fold(c.s, one(&c, T1, d));
    end(&c);
}

static void r_or_s_out_of_range_is_refused(void **state)
{
    (void)state;
    scene c = cast_without_inbox(1);
    for (size_t half = 0; half < 2; half++) {
        xmtp_bytes update = one(&c, T0, create_by(c.alice, 1));
        memset(first_signature(update) + 32 * half, 0, 32);
        refuses(c.s, update, XMTP_E_SIGNATURE, "ed25519 Signature failed: no key recovered");
        memcpy(first_signature(update) + 32 * half, order, 32);
        refuses(c.s, update, XMTP_E_SIGNATURE, "ed25519 Signature failed: no key recovered");
    }
    end(&c);
}

static xmtp_bytes create_with_signature(const scene *c, xmtp_wire_signature signature)
{
    xmtp_wire_action action = {.kind = XMTP_ACTION_CREATE_INBOX,
                               .subject = id_of(c->alice),
                               .nonce = 1,
                               .signature = signature};
    xmtp_wire_update update = {.actions = &action,
                               .action_count = 1,
                               .client_timestamp_ns = at(T0),
                               .inbox_id = xmtp_bytes_of_string(c->inbox)};
    return encoded(&update);
}

static void signatures_of_wrong_lengths_are_refused(void **state)
{
    (void)state;
    scene c = cast_without_inbox(1);
    xmtp_wire_signature s = {.kind = XMTP_SIGNATURE_ERC191};
    const size_t lengths[] = {0, 1, 63, 66, 200};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        s.bytes = xmtp_bytes_of(room(lengths[i]), lengths[i]);
        refuses(c.s, create_with_signature(&c, s), XMTP_E_SIGNATURE, "Signature validation failed");
    }
    s.bytes = xmtp_bytes_of(room(64), 64);
    refuses(c.s, create_with_signature(&c, s), XMTP_E_SIGNATURE, "expected exactly 65 bytes");
    s.kind = XMTP_SIGNATURE_INSTALLATION;
    s.public_key = xmtp_bytes_of(c.phone->pk, 32);
    s.bytes = xmtp_bytes_of(room(63), 63);
    refuses(c.s, create_with_signature(&c, s), XMTP_E_SIGNATURE,
            "could not convert slice to array");
    s.public_key.n = 31;
    refuses(c.s, create_with_signature(&c, s), XMTP_E_MALFORMED,
            "signature error: VerifyingKey must be 32 bytes in length");
    end(&c);
}

static void plain_ed25519_or_another_context_does_not_sign_an_update(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    xmtp_bytes update = one(&c, T1, add_wallet(installation_hand(c.phone), c.bob));
    xmtp_wire_update wire;
    ok(xmtp_wire_update_decode(update, 16, &arena, &wire, NULL));
    uint8_t *signature = first_signature(update);
    ok(xmtp_installation_sign_public(c.phone, update_text(&wire), signature));
    refuses(c.s, update, XMTP_E_SIGNATURE,
            "ed25519 Signature failed Verification equation was not satisfied");
    end(&c);
}

/* ---- what our node refuses and the fold does not (XMTP_ASSOCIATION_PUBLISH) */

static void publish_refuses(const scene *c, xmtp_bytes update, xmtp_status status,
                            const char *sentence)
{
    refuses_with(c->s, update, NULL, XMTP_ASSOCIATION_PUBLISH, status, sentence);
}

static void publishing_asks_for_an_action(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    publish_refuses(&c, update_of(c.inbox, at(T1), NULL, 0), XMTP_E_ASSOCIATION,
                    "identity update without an action");
    end(&c);
}

static void publishing_takes_only_27_and_28(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    deed d = revoke(wallet_hand(c.alice), id_of(c.bob));
    d.by.v_offset = 8;
    xmtp_bytes update = one(&c, T1, d);
    char sentence[64];
    (void)snprintf(sentence, sizeof sentence, "invalid parity: %u, must be 27 or 28",
                   (unsigned)first_signature(update)[64]);
    publish_refuses(&c, update, XMTP_E_SIGNATURE, sentence);
    d = add_wallet(installation_hand(c.phone), c.bob);
    d.self.v_offset = -27;
    update = one(&c, T1, d);
    xmtp_error error = {0};
    assert_int_equal(xmtp_association_apply(c.s, update, NULL, XMTP_ASSOCIATION_PUBLISH, &error),
                     XMTP_E_SIGNATURE);
    end(&c);
}

static void publishing_refuses_an_old_signature_in_a_new_coat(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    deed d = revoke(wallet_hand(c.alice), id_of(c.bob));
    d.by.v_offset = -27;
    fold(c.s, one(&c, T1, d)); /* came from elsewhere with v 0 or 1 */
    d.by.v_offset = 0;
    publish_refuses(&c, one(&c, T1, d), XMTP_E_REPLAY, "Replay detected");
    end(&c);
}

static void publishing_refuses_a_recovery_identifier_that_could_never_sign(void **state)
{
    (void)state;
    static const char sentence[] = "the new recovery identifier is none that could ever sign";
    static const char *const nonsense[] = {"nobody", "",
                                           "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"};
    scene c = inbox_with_phone();
    for (size_t i = 0; i < COUNT(nonsense); i++) {
        deed d = change_recovery(wallet_hand(c.alice), xmtp_identifier_ethereum(nonsense[i]));
        publish_refuses(&c, one(&c, T1, d), XMTP_E_IDENTIFIER, sentence);
    }
    xmtp_bytes good = one(&c, T1, change_recovery(wallet_hand(c.alice), id_of(c.bob)));
    ok(xmtp_association_apply(c.s, good, NULL, XMTP_ASSOCIATION_PUBLISH, NULL));
    end(&c);
}

static void publishing_bounds_actions_and_bytes(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    deed *deeds = room((XMTP_PUBLISH_ACTIONS_MAX + 1) * sizeof *deeds);
    for (size_t i = 0; i <= XMTP_PUBLISH_ACTIONS_MAX; i++) {
        deeds[i] = revoke(wallet_hand(c.alice), id_of(c.bob));
    }
    publish_refuses(&c, update_of(c.inbox, at(T1), deeds, XMTP_PUBLISH_ACTIONS_MAX + 1),
                    XMTP_E_LIMIT, "257 actions in one update, at most 256 are accepted");
    xmtp_bytes most = update_of(c.inbox, at(T1), deeds, XMTP_PUBLISH_ACTIONS_MAX);
    ok(xmtp_association_apply(c.s, most, NULL, XMTP_ASSOCIATION_PUBLISH, NULL));
    char *long_name = room(XMTP_PUBLISH_UPDATE_MAX + 1);
    memset(long_name, 'x', XMTP_PUBLISH_UPDATE_MAX);
    xmtp_bytes large =
        one(&c, T2, revoke(wallet_hand(c.alice), xmtp_identifier_ethereum(long_name)));
    xmtp_error error = {0};
    assert_int_equal(xmtp_association_apply(c.s, large, NULL, XMTP_ASSOCIATION_PUBLISH, &error),
                     XMTP_E_LIMIT);
    fold(c.s, large);
    end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_legacy_key_creates_the_inbox_of_nonce_0_only),
        TEST(a_legacy_key_works_once_per_inbox),
        TEST(a_legacy_key_may_add_to_the_inbox_of_nonce_0),
        TEST(a_legacy_key_adds_to_no_other_inbox),
        TEST(a_recovery_identifier_that_is_no_member_does_not_add_by_a_legacy_key),
        TEST(a_legacy_key_neither_revokes_nor_changes_the_recovery),
        TEST(a_contract_wallet_is_bound_to_its_chain),
        TEST(a_plain_wallet_does_not_become_a_contract),
        TEST(a_contract_that_says_no_is_a_bad_signature),
        TEST(contract_wallets_without_a_verifier_are_unsupported),
        TEST(accepted_updates_are_folded_without_asking_a_chain),
        TEST(malformed_accounts_are_refused),
        TEST(an_account_that_is_not_there_is_refused),
        TEST(recovery_values_of_all_conventions_fold_alike),
        TEST(other_recovery_values_are_refused),
        TEST(a_high_s_with_the_original_v_folds_and_is_remembered_low),
        TEST(a_high_s_with_a_flipped_v_recovers_another_signer),
        TEST(another_form_of_v_is_another_signature_when_folding),
        TEST(r_or_s_out_of_range_is_refused),
        TEST(signatures_of_wrong_lengths_are_refused),
        TEST(plain_ed25519_or_another_context_does_not_sign_an_update),
        TEST(publishing_asks_for_an_action),
        TEST(publishing_takes_only_27_and_28),
        TEST(publishing_refuses_an_old_signature_in_a_new_coat),
        TEST(publishing_refuses_a_recovery_identifier_that_could_never_sign),
        TEST(publishing_bounds_actions_and_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
