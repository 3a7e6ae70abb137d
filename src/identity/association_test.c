/* association_test.c - every rule of identity.md 2.4 and 2.6 with its own test: who may do what, in
 * which order things are refused and with which sentence, and that a refusal changes nothing.
 */
#include "identity/test_scene.h"

/* ---- CreateInbox */

static void an_inbox_is_created_once(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    refuses(c.s, one(&c, T1, create_by(c.alice, 1)), XMTP_E_ASSOCIATION,
            "Multiple create operations detected");
    end(&c);
}

static void an_inbox_is_created_once_within_one_update(void **state)
{
    (void)state;
    scene c = cast_without_inbox(1);
    const deed deeds[] = {create_by(c.alice, 1), create_by(c.alice, 1)};
    refuses(c.s, update_of(c.inbox, at(T0), deeds, 2), XMTP_E_ASSOCIATION,
            "Multiple create operations detected");
    assert_false(xmtp_association_exists(c.s));
    end(&c);
}

static void only_the_initial_identifier_creates(void **state)
{
    (void)state;
    scene c = cast_without_inbox(1);
    deed d = create_by(c.alice, 1);
    d.by = wallet_hand(c.bob);
    refuses(c.s, one(&c, T0, d), XMTP_E_ASSOCIATION, missing);
    end(&c);
}

static void an_installation_does_not_create(void **state)
{
    (void)state;
    scene c = cast_without_inbox(1);
    deed d = create_by(c.alice, 1);
    d.by = installation_hand(c.phone);
    refuses(c.s, one(&c, T0, d), XMTP_E_ASSOCIATION, missing);
    end(&c);
}

static void a_mixed_case_owner_fails(void **state)
{
    (void)state;
    scene c = cast_without_inbox(1);
    deed d = create_by(c.alice, 1);
    d.subject = xmtp_identifier_ethereum("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
    refuses(c.s, one(&c, T0, d), XMTP_E_ASSOCIATION, missing);
    ok(xmtp_inbox_id(&d.subject, 1, c.inbox, NULL));
    refuses(c.s, one(&c, T0, d), XMTP_E_ASSOCIATION, missing);
    end(&c);
}

static void the_creator_has_neither_parent_nor_time_and_is_the_recovery(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    xmtp_association_member m;
    xmtp_identifier alice = id_of(c.alice);
    assert_true(xmtp_association_find(c.s, &alice, &m));
    assert_false(m.has_added_by);
    assert_false(m.has_timestamp);
    assert_false(m.has_chain_id);
    xmtp_identifier recovery = xmtp_association_recovery(c.s);
    assert_true(xmtp_identifier_equal(&recovery, &alice));
    end(&c);
}

/* ---- the update as a whole */

static void another_inbox_id_is_refused_at_the_end(void **state)
{
    (void)state;
    scene c = cast_without_inbox(1);
    c.inbox[0] = c.inbox[0] == 'a' ? 'b' : 'a';
    refuses(c.s, one(&c, T0, create_by(c.alice, 1)), XMTP_E_INBOX_ID,
            "Wrong inbox_id specified on association");
    end(&c);
}

static void an_upper_case_inbox_id_is_another(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    assert_int_equal(c.inbox[0], 'f');
    c.inbox[0] = 'F';
    refuses(c.s, one(&c, T1, add_wallet(wallet_hand(c.alice), c.bob)), XMTP_E_INBOX_ID,
            "Wrong inbox_id specified on association");
    end(&c);
}

static void an_update_with_an_inbox_id_of_a_zero_byte_more_is_another(void **state)
{
    (void)state;
    scene c = cast_without_inbox(1);
    char longer[XMTP_INBOX_ID_LEN + 1];
    memcpy(longer, c.inbox, XMTP_INBOX_ID_LEN);
    longer[XMTP_INBOX_ID_LEN] = '\0';
    xmtp_wire_action action = {
        .kind = XMTP_ACTION_CREATE_INBOX, .subject = id_of(c.alice), .nonce = 1};
    xmtp_wire_update update = {.actions = &action,
                               .action_count = 1,
                               .client_timestamp_ns = at(T0),
                               .inbox_id = xmtp_bytes_of(longer, sizeof longer)};
    action.signature = sign_wallet(c.alice, 0, update_text(&update));
    refuses(c.s, encoded(&update), XMTP_E_INBOX_ID, "Wrong inbox_id specified on association");
    end(&c);
}

static void nothing_happens_before_an_inbox_is_created(void **state)
{
    (void)state;
    scene c = cast_without_inbox(1);
    refuses(c.s, update_of(c.inbox, at(T0), NULL, 0), XMTP_E_ASSOCIATION, not_created);
    refuses(c.s, one(&c, T0, add_app(wallet_hand(c.alice), c.phone)), XMTP_E_ASSOCIATION,
            not_created);
    refuses(c.s, one(&c, T0, revoke(wallet_hand(c.alice), id_of(c.alice))), XMTP_E_ASSOCIATION,
            not_created);
    refuses(c.s, one(&c, T0, change_recovery(wallet_hand(c.alice), id_of(c.bob))),
            XMTP_E_ASSOCIATION, not_created);
    end(&c);
}

static void an_empty_update_of_an_existing_inbox_changes_nothing(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    xmtp_bytes before = record_of(c.s);
    fold(c.s, update_of(c.inbox, at(T1), NULL, 0));
    assert_bytes(record_of(c.s), before);
    end(&c);
}

static void an_older_timestamp_later_in_the_log_is_legal(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    fold(c.s, one(&c, T0 - 500, add_wallet(wallet_hand(c.alice), c.bob)));
    assert_true(has(&c, id_of(c.bob)));
    /* Members are listed by time: bob's is the oldest. */
    assert_bytes(xmtp_association_member_at(c.s, 0).identifier.value,
                 xmtp_bytes_of_string(c.bob->address));
    end(&c);
}

static void one_refused_action_undoes_the_whole_update(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    const deed deeds[] = {add_wallet(wallet_hand(c.alice), c.bob),
                          revoke(wallet_hand(c.bob), id_of(c.alice))};
    refuses(c.s, update_of(c.inbox, at(T1), deeds, 2), XMTP_E_ASSOCIATION, missing);
    assert_false(has(&c, id_of(c.bob)));
    end(&c);
}

static void signatures_are_verified_before_any_rule(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    /* A second create would be refused, but the bad signature behind it is found first. */
    const deed deeds[] = {create_by(c.alice, 1), add_app(wallet_hand(c.alice), c.laptop)};
    xmtp_bytes update = update_of(c.inbox, at(T1), deeds, 2);
    xmtp_wire_update wire;
    ok(xmtp_wire_update_decode(update, 2, &arena, &wire, NULL));
    ((uint8_t *)(uintptr_t)wire.actions[1].new_member_signature.bytes.p)[10] ^= 1;
    refuses(c.s, update, XMTP_E_SIGNATURE,
            "ed25519 Signature failed Verification equation was not satisfied");
    end(&c);
}

/* ---- AddAssociation */

static void adding_the_same_signed_update_twice_is_a_replay(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    xmtp_bytes update = one(&c, T1, add_app(wallet_hand(c.alice), c.laptop));
    fold(c.s, update);
    refuses(c.s, update, XMTP_E_REPLAY, "Replay detected");
    fold(c.s, one(&c, T2, revoke(wallet_hand(c.alice), id_of_installation(c.laptop))));
    refuses(c.s, update, XMTP_E_REPLAY, "Replay detected");
    end(&c);
}

static void a_signature_may_serve_twice_within_one_update(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    const deed deeds[] = {add_app(wallet_hand(c.alice), c.laptop),
                          add_wallet(wallet_hand(c.alice), c.bob)};
    fold(c.s, update_of(c.inbox, at(T1), deeds, 2));
    assert_int_equal(xmtp_association_member_count(c.s), 4);
    end(&c);
}

static void a_new_member_signs_for_itself(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    deed d = add_app(wallet_hand(c.alice), c.laptop);
    d.self = installation_hand(c.phone);
    refuses(c.s, one(&c, T1, d), XMTP_E_ASSOCIATION,
            "The new member identifier does not match the signer");
    end(&c);
}

static void a_mixed_case_new_member_does_not_match_its_signer(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    deed d = add_wallet(wallet_hand(c.alice), c.bob);
    d.subject = xmtp_identifier_ethereum("0x70997970C51812dc3A010C7d01b50e0d17dc79C8");
    refuses(c.s, one(&c, T1, d), XMTP_E_ASSOCIATION,
            "The new member identifier does not match the signer");
    end(&c);
}

static void nobody_adds_itself(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    refuses(c.s, one(&c, T1, add_wallet(wallet_hand(c.alice), c.alice)), XMTP_E_ASSOCIATION,
            "Error creating association tried to add self");
    refuses(c.s, one(&c, T1, add_app(installation_hand(c.phone), c.phone)), XMTP_E_ASSOCIATION,
            "Error creating association tried to add self");
    end(&c);
}

static void a_stranger_adds_nobody(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    refuses(c.s, one(&c, T1, add_app(wallet_hand(c.bob), c.laptop)), XMTP_E_ASSOCIATION, missing);
    refuses(c.s, one(&c, T1, add_wallet(installation_hand(c.laptop), c.bob)), XMTP_E_ASSOCIATION,
            missing);
    end(&c);
}

static void an_installation_does_not_add_an_installation(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    refuses(c.s, one(&c, T1, add_app(installation_hand(c.phone), c.laptop)), XMTP_E_ASSOCIATION,
            "Member of kind installation not allowed to add installation");
    end(&c);
}

static void an_installation_adds_a_wallet_which_adds_an_installation(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    fold(c.s, one(&c, T1, add_wallet(installation_hand(c.phone), c.bob)));
    fold(c.s, one(&c, T2, add_app(wallet_hand(c.bob), c.laptop)));
    xmtp_association_member m;
    xmtp_identifier laptop = id_of_installation(c.laptop);
    xmtp_identifier bob = id_of(c.bob);
    assert_true(xmtp_association_find(c.s, &laptop, &m));
    assert_true(xmtp_identifier_equal(&m.added_by, &bob));
    assert_int_equal(m.client_timestamp_ns, at(T2));
    assert_true(xmtp_association_has_installation(c.s, c.laptop->pk));
    assert_int_equal(xmtp_association_installation_count(c.s), 2);
    end(&c);
}

static void adding_a_member_again_replaces_its_record(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    fold(c.s, one(&c, T1, add_wallet(wallet_hand(c.alice), c.bob)));
    fold(c.s, one(&c, T2, add_app(wallet_hand(c.bob), c.phone)));
    xmtp_association_member m;
    xmtp_identifier phone = id_of_installation(c.phone);
    xmtp_identifier bob = id_of(c.bob);
    assert_int_equal(xmtp_association_member_count(c.s), 3);
    assert_true(xmtp_association_find(c.s, &phone, &m));
    assert_true(xmtp_identifier_equal(&m.added_by, &bob));
    assert_int_equal(m.client_timestamp_ns, at(T2));
    end(&c);
}

static void twelve_installations_fold(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    for (unsigned i = 0; i < 12; i++) {
        const xmtp_installation *app = installation_of((uint8_t)(100 + i));
        fold(c.s, one(&c, T1 + i, add_app(wallet_hand(c.alice), app)));
    }
    assert_int_equal(xmtp_association_installation_count(c.s), 13);
    end(&c);
}

/* ---- RevokeAssociation and ChangeRecoveryAddress */

static void only_the_recovery_identifier_revokes(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    fold(c.s, one(&c, T1, add_wallet(wallet_hand(c.alice), c.bob)));
    refuses(c.s, one(&c, T2, revoke(wallet_hand(c.bob), id_of_installation(c.phone))),
            XMTP_E_ASSOCIATION, missing);
    refuses(c.s, one(&c, T2, revoke(installation_hand(c.phone), id_of(c.bob))), XMTP_E_ASSOCIATION,
            missing);
    end(&c);
}

static void a_revocation_is_not_replayed(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    xmtp_bytes update = one(&c, T1, revoke(wallet_hand(c.alice), id_of_installation(c.phone)));
    fold(c.s, update);
    refuses(c.s, update, XMTP_E_REPLAY, "Replay detected");
    end(&c);
}

static void revoking_takes_the_installations_that_the_member_added_one_level_only(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    const xmtp_wallet *carol =
        wallet_of("5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a");
    const xmtp_installation *tablet = installation_of(3);
    fold(c.s, one(&c, T1, add_wallet(wallet_hand(c.alice), c.bob)));
    const deed deeds[] = {add_wallet(wallet_hand(c.bob), carol),
                          add_app(wallet_hand(c.bob), c.laptop)};
    fold(c.s, update_of(c.inbox, at(T1 + 1), deeds, 2));
    fold(c.s, one(&c, T1 + 2, add_app(wallet_hand(carol), tablet)));
    fold(c.s, one(&c, T2, revoke(wallet_hand(c.alice), id_of(c.bob))));
    assert_false(has(&c, id_of(c.bob)));
    assert_false(has(&c, id_of_installation(c.laptop)));
    assert_true(has(&c, id_of(carol)));
    assert_true(has(&c, id_of_installation(tablet)));
    assert_true(has(&c, id_of_installation(c.phone)));
    end(&c);
}

static void revoking_what_is_no_member_does_nothing_but_is_remembered(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    xmtp_bytes update = one(&c, T1, revoke(wallet_hand(c.alice), id_of(c.bob)));
    fold(c.s, update);
    assert_int_equal(xmtp_association_member_count(c.s), 2);
    refuses(c.s, update, XMTP_E_REPLAY, "Replay detected");
    end(&c);
}

static void revoking_a_parent_that_is_no_member_still_takes_its_installations(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    fold(c.s, one(&c, T1, change_recovery(wallet_hand(c.alice), id_of(c.bob))));
    /* bob is recovery but no member, and adds the laptop */
    fold(c.s, one(&c, T1 + 1, add_app(wallet_hand(c.bob), c.laptop)));
    fold(c.s, one(&c, T2, revoke(wallet_hand(c.bob), id_of(c.bob))));
    assert_false(has(&c, id_of_installation(c.laptop)));
    assert_int_equal(xmtp_association_member_count(c.s), 2);
    end(&c);
}

static void revoking_a_mixed_case_address_removes_nothing(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    xmtp_identifier mixed = xmtp_identifier_ethereum("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
    fold(c.s, one(&c, T1, revoke(wallet_hand(c.alice), mixed)));
    assert_int_equal(xmtp_association_member_count(c.s), 2);
    end(&c);
}

static void a_revoked_recovery_identifier_keeps_its_power(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    fold(c.s, one(&c, T1, revoke(wallet_hand(c.alice), id_of(c.alice))));
    assert_int_equal(xmtp_association_member_count(c.s), 0);
    fold(c.s, one(&c, T1 + 1, add_app(wallet_hand(c.alice), c.laptop)));
    fold(c.s, one(&c, T2, revoke(wallet_hand(c.alice), id_of_installation(c.laptop))));
    assert_int_equal(xmtp_association_member_count(c.s), 0);
    end(&c);
}

static void a_revoked_member_may_be_added_again(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    fold(c.s, one(&c, T1, revoke(wallet_hand(c.alice), id_of_installation(c.phone))));
    fold(c.s, one(&c, T2, add_app(wallet_hand(c.alice), c.phone)));
    assert_true(has(&c, id_of_installation(c.phone)));
    end(&c);
}

static void only_the_present_recovery_identifier_names_the_next(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    refuses(c.s, one(&c, T1, change_recovery(wallet_hand(c.bob), id_of(c.bob))), XMTP_E_ASSOCIATION,
            missing);
    refuses(c.s, one(&c, T1, change_recovery(installation_hand(c.phone), id_of(c.bob))),
            XMTP_E_ASSOCIATION, missing);
    xmtp_bytes update = one(&c, T1, change_recovery(wallet_hand(c.alice), id_of(c.bob)));
    fold(c.s, update);
    refuses(c.s, update, XMTP_E_REPLAY, "Replay detected");
    refuses(c.s, one(&c, T2, change_recovery(wallet_hand(c.alice), id_of(c.alice))),
            XMTP_E_ASSOCIATION, missing);
    fold(c.s, one(&c, T2, change_recovery(wallet_hand(c.bob), id_of(c.alice))));
    end(&c);
}

static void a_nonsense_recovery_identifier_folds_and_locks_the_inbox(void **state)
{
    (void)state;
    scene c = inbox_with_phone();
    xmtp_identifier nonsense = xmtp_identifier_ethereum("nobody");
    fold(c.s, one(&c, T1, change_recovery(wallet_hand(c.alice), nonsense)));
    refuses(c.s, one(&c, T2, revoke(wallet_hand(c.alice), id_of_installation(c.phone))),
            XMTP_E_ASSOCIATION, missing);
    end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_inbox_is_created_once),
        TEST(an_inbox_is_created_once_within_one_update),
        TEST(only_the_initial_identifier_creates),
        TEST(an_installation_does_not_create),
        TEST(a_mixed_case_owner_fails),
        TEST(the_creator_has_neither_parent_nor_time_and_is_the_recovery),
        TEST(another_inbox_id_is_refused_at_the_end),
        TEST(an_upper_case_inbox_id_is_another),
        TEST(an_update_with_an_inbox_id_of_a_zero_byte_more_is_another),
        TEST(nothing_happens_before_an_inbox_is_created),
        TEST(an_empty_update_of_an_existing_inbox_changes_nothing),
        TEST(an_older_timestamp_later_in_the_log_is_legal),
        TEST(one_refused_action_undoes_the_whole_update),
        TEST(signatures_are_verified_before_any_rule),
        TEST(adding_the_same_signed_update_twice_is_a_replay),
        TEST(a_signature_may_serve_twice_within_one_update),
        TEST(a_new_member_signs_for_itself),
        TEST(a_mixed_case_new_member_does_not_match_its_signer),
        TEST(nobody_adds_itself),
        TEST(a_stranger_adds_nobody),
        TEST(an_installation_does_not_add_an_installation),
        TEST(an_installation_adds_a_wallet_which_adds_an_installation),
        TEST(adding_a_member_again_replaces_its_record),
        TEST(twelve_installations_fold),
        TEST(only_the_recovery_identifier_revokes),
        TEST(a_revocation_is_not_replayed),
        TEST(revoking_takes_the_installations_that_the_member_added_one_level_only),
        TEST(revoking_what_is_no_member_does_nothing_but_is_remembered),
        TEST(revoking_a_parent_that_is_no_member_still_takes_its_installations),
        TEST(revoking_a_mixed_case_address_removes_nothing),
        TEST(a_revoked_recovery_identifier_keeps_its_power),
        TEST(a_revoked_member_may_be_added_again),
        TEST(only_the_present_recovery_identifier_names_the_next),
        TEST(a_nonsense_recovery_identifier_folds_and_locks_the_inbox),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
