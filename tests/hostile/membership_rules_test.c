/* membership_rules_test.c - commits that break one of the rules V9 to V15 of groups.md 3.6: what a
 * commit adds and removes against what the membership and the logs of identities call for. */
#include "assembly.h"

/* ---- V9: sequence ids never fall */

static void know_bob_as_of_his_second_update(const assembly *a, draft *d)
{
    set_member(d, a->people[BOB].inbox, sequence_of(BOB, 1));
}

static void a_sequence_id_may_not_fall(void **state)
{
    (void)state;
    assembly a;
    char why[160];
    assemble(&a, know_bob_as_of_his_second_update);
    draft d = draft_of(&a);
    set_member(&d, a.people[BOB].inbox, sequence_of(BOB, 0));
    (void)snprintf(why, sizeof(why), "sequence id of inbox %s falls from 22 to 21",
                   a.people[BOB].inbox);
    is_invalid(&a, ALICE, &d, why);
    set_member(&d, a.people[BOB].inbox, 0);
    (void)snprintf(why, sizeof(why), "sequence id of inbox %s falls from 22 to 0",
                   a.people[BOB].inbox);
    is_invalid(&a, ALICE, &d, why);
    set_member(&d, a.people[BOB].inbox, sequence_of(BOB, 1));
    passes(&a, ALICE, &d);
    disperse(&a);
}

static void of_an_inbox_listed_twice_the_last_entry_counts(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, know_bob_as_of_his_second_update);
    draft d = draft_of(&a);
    append_member(&d, a.people[BOB].inbox, sequence_of(BOB, 0));
    is_invalid(&a, ALICE, &d, "falls from 22 to 21");
    append_member(&d, a.people[BOB].inbox, sequence_of(BOB, 1));
    passes(&a, ALICE, &d);
    assert_int_equal(facts.added_inboxes.count, 0);
    disperse(&a);
}

static void a_new_inbox_listed_twice_is_added_once(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    append_member(&d, a.people[ERIN].inbox, 999); /* no such update: does not count */
    append_member(&d, a.people[ERIN].inbox, sequence_of(ERIN, 0));
    add_phone(&a, &d, ERIN);
    passes(&a, DAVE, &d);
    assert_int_equal(facts.added_inboxes.count, 1);
    assert_string_equal(facts.added_inboxes.items[0], a.people[ERIN].inbox);
    disperse(&a);
}

/* ---- V10: the states that the membership names */

static void a_new_inbox_needs_an_update_with_exactly_its_sequence_id(void **state)
{
    (void)state;
    static const uint64_t wrong[] = {0, 1, 50, 52, UINT64_MAX};
    static const char why[] = "its membership names an identity update that does not exist";
    assembly a;
    assemble(&a, NULL);
    for (size_t i = 0; i < COUNT(wrong); i++) {
        draft d = draft_of(&a);
        set_member(&d, a.people[ERIN].inbox, wrong[i]);
        add_phone(&a, &d, ERIN);
        is_invalid(&a, DAVE, &d, why);
        set_member(&d, a.people[ERIN].inbox, sequence_of(ERIN, 0));
        passes(&a, DAVE, &d);
    }
    disperse(&a);
}

static void an_inbox_that_nobody_knows_cannot_be_added(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    set_member(&d, "", 11);
    is_invalid(&a, DAVE, &d, "its membership names an identity update that does not exist");
    disperse(&a);
}

static void a_sequence_id_above_all_known_updates_changes_nothing(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    set_member(&d, a.people[ALICE].inbox, sequence_of(ALICE, 0) + 5);
    passes(&a, DAVE, &d);
    assert_false(facts.makes_transcript);
    disperse(&a);
}

static void a_sequence_id_between_or_above_newer_updates_is_invalid(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    set_member(&d, a.people[BOB].inbox, 29); /* 22 and 23 lie between */
    is_invalid(&a, DAVE, &d, "its membership names an identity update that does not exist");
    disperse(&a);
}

static void a_lookup_in_trouble_is_no_verdict(void **state)
{
    (void)state;
    static const xmtp_status troubles[] = {XMTP_E_NETWORK, XMTP_E_RETRY, XMTP_E_NOMEM,
                                           XMTP_E_DATABASE};
    assembly a;
    assemble(&a, NULL);
    for (size_t i = 0; i < COUNT(troubles); i++) {
        draft d = draft_of(&a);
        a.trouble = troubles[i];
        fails_with(&a, DAVE, &d, troubles[i], "the lookup is in trouble");
        a.trouble = XMTP_OK;
        passes(&a, DAVE, &d);
    }
    disperse(&a);
}

/* ---- V12: re-adding */

static draft readding(const assembly *a, int who)
{
    draft d = draft_of(a);
    remove_phone(a, &d, who);
    add_phone(a, &d, who);
    return d;
}

static void only_a_super_admin_adds_installations_again(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    const draft d = readding(&a, BOB);
    passes(&a, ALICE, &d);
    assert_true(facts.installations_changed);
    assert_false(facts.makes_transcript);
    assert_int_equal(facts.added_inboxes.count + facts.removed_inboxes.count, 0);
    is_invalid(&a, CAROL, &d, "it removes 1 installations, its membership calls for 0");
    is_invalid(&a, DAVE, &d, "it removes 1 installations, its membership calls for 0");
    disperse(&a);
}

static void a_super_admin_may_not_remove_installations_without_adding_them(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = readding(&a, BOB);
    remove_phone(&a, &d, DAVE);
    is_invalid(&a, ALICE, &d, "it removes 1 installations, its membership calls for 0");
    disperse(&a);
}

static void have_bobs_phone_failed(const assembly *a, draft *d)
{
    set_failed(d, a->people[BOB].phone);
}

static void only_a_super_admin_removes_failed_installations(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, have_bobs_phone_failed);
    draft d = draft_of(&a);
    remove_phone(&a, &d, BOB);
    passes(&a, ALICE, &d); /* though nothing calls for it */
    is_invalid(&a, CAROL, &d, "it removes 1 installations, its membership calls for 0");
    disperse(&a);
}

static void failed_installations_stay_when_their_inbox_goes(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, have_bobs_phone_failed);
    draft d = draft_of(&a);
    xmtp_membership_remove(d.membership, a.people[BOB].inbox);
    passes(&a, CAROL, &d);
    assert_int_equal(facts.removed_inboxes.count, 1);
    remove_phone(&a, &d, BOB);
    is_invalid(&a, CAROL, &d, "it removes 1 installations, its membership calls for 0");
    disperse(&a);
}

/* ---- V13: additions */

static void an_installation_that_nothing_calls_for_cannot_be_added(void **state)
{
    (void)state;
    static const char why[] = "it adds an installation that its membership does not call for";
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    add_phone(&a, &d, ERIN);
    for (int who = ALICE; who <= DAVE; who++) {
        is_invalid(&a, who, &d, why);
    }
    set_member(&d, a.people[ERIN].inbox, sequence_of(ERIN, 0));
    passes(&a, DAVE, &d);
    disperse(&a);
}

static draft with_bobs_tablet(const assembly *a, uint64_t sequence_id)
{
    xmtp_inbox_key_package_keys keys;
    draft d = draft_of(a);
    set_member(&d, a->people[BOB].inbox, sequence_id);
    add_package(&d, package_of(a->people[BOB].inbox, installation_of(BOBS_TABLET), &keys));
    return d;
}

static void a_new_device_needs_a_raised_sequence_id(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = with_bobs_tablet(&a, sequence_of(BOB, 0));
    is_invalid(&a, BOB, &d, "it adds an installation that its membership does not call for");
    d = with_bobs_tablet(&a, sequence_of(BOB, 1));
    for (int who = ALICE; who <= DAVE; who++) {
        passes(&a, who, &d); /* anybody may, it takes no permission */
        assert_true(facts.installations_changed);
        assert_false(facts.makes_transcript);
    }
    disperse(&a);
}

static void additions_that_are_called_for_may_be_absent(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    set_member(&d, a.people[BOB].inbox, sequence_of(BOB, 1)); /* without the tablet */
    passes(&a, DAVE, &d);
    set_member(&d, a.people[ERIN].inbox, sequence_of(ERIN, 0)); /* without any device */
    passes(&a, DAVE, &d);
    assert_int_equal(facts.added_inboxes.count, 1);
    disperse(&a);
}

static void the_inbox_in_an_added_credential_is_not_compared(void **state)
{
    (void)state;
    assembly a;
    xmtp_inbox_key_package_keys keys;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    set_member(&d, a.people[ERIN].inbox, sequence_of(ERIN, 0));
    add_package(&d, package_of(a.people[ALICE].inbox, a.people[ERIN].phone, &keys));
    passes(&a, DAVE, &d); /* whoever refused it would fork */
    disperse(&a);
}

/* Erin, added as above under alice's name, gains nothing by it. */
static void who_was_added_under_a_false_name_cannot_commit(void **state)
{
    (void)state;
    static const int others[] = {BOB, ERIN};
    assembly a = {0};
    create_people(&a);
    draft d = first_draft(&a, XMTP_GROUP_KIND_GROUP);
    set_member(&d, a.people[BOB].inbox, sequence_of(BOB, 0));
    set_member(&d, a.people[ERIN].inbox, sequence_of(ERIN, 0));
    memcpy(a.people[ERIN].inbox, a.people[ALICE].inbox, sizeof(a.people[ERIN].inbox));
    create_group(&a, &d);
    add_all(&a, others, COUNT(others));
    d = draft_of(&a);
    is_invalid(&a, ERIN, &d, "its author is no installation of the inbox it names");
    passes(&a, BOB, &d);
    disperse(&a);
}

/* ---- V14: removals */

static void a_leaf_that_nothing_calls_to_remove_stays(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    remove_phone(&a, &d, DAVE);
    is_invalid(&a, ALICE, &d, "it removes 1 installations, its membership calls for 0");
    is_invalid(&a, CAROL, &d, "it removes 1 installations, its membership calls for 0");
    is_invalid(&a, BOB, &d, "it removes 1 installations, its membership calls for 0");
    xmtp_membership_remove(d.membership, a.people[DAVE].inbox);
    passes(&a, CAROL, &d);
    assert_int_equal(facts.removed_inboxes.count, 1);
    assert_true(facts.makes_transcript);
    disperse(&a);
}

static void a_removed_inbox_takes_its_leaves_along(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    xmtp_membership_remove(d.membership, a.people[DAVE].inbox);
    is_invalid(&a, ALICE, &d, "it removes 0 installations, its membership calls for 1");
    remove_phone(&a, &d, BOB); /* the right number, but another one's */
    is_invalid(&a, ALICE, &d, "it removes 1 installations, its membership calls for 1");
    disperse(&a);
}

static void a_revoked_installation_goes_with_the_raised_sequence_id(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    set_member(&d, a.people[BOB].inbox, sequence_of(BOB, 2));
    is_invalid(&a, DAVE, &d, "it removes 0 installations, its membership calls for 1");
    remove_phone(&a, &d, BOB);
    passes(&a, DAVE, &d); /* anybody may */
    assert_int_equal(facts.removed_inboxes.count, 0);
    disperse(&a);
}

static void a_revoked_installation_may_be_added_again_as_it_is_removed(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = readding(&a, BOB);
    set_member(&d, a.people[BOB].inbox, sequence_of(BOB, 2));
    passes(&a, DAVE, &d); /* V13 asks only whether it is in the tree already */
    disperse(&a);
}

static void a_failed_installation_excuses_its_removal(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    set_member(&d, a.people[BOB].inbox, sequence_of(BOB, 2));
    set_failed(&d, a.people[BOB].phone);
    passes(&a, DAVE, &d);
    remove_phone(&a, &d, BOB);
    is_invalid(&a, DAVE, &d, "it removes 1 installations, its membership calls for 0");
    /* of a super admin the removal is excused, and with it the excuse is used up */
    is_invalid(&a, ALICE, &d, "it removes 0 installations, its membership calls for 1");
    disperse(&a);
}

static void failed_installations_that_nobody_has_are_ignored(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    set_failed(&d, installation_of(99));
    set_failed(&d, installation_of(99));
    passes(&a, DAVE, &d);
    disperse(&a);
}

/* ---- V15: the author belongs to its inbox, afterwards */

static void nobody_can_leave_by_a_commit(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    xmtp_membership_remove(d.membership, a.people[CAROL].inbox);
    is_invalid(&a, CAROL, &d, "it removes 0 installations, its membership calls for 1");
    set_failed(&d, a.people[CAROL].phone); /* V14 is content now */
    is_invalid(&a, CAROL, &d, "its author is no member after it");
    is_denied(&a, BOB, &d, "may not remove members");
    passes(&a, ALICE, &d);
    disperse(&a);
}

static void a_revoked_author_is_refused_once_the_membership_knows(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    set_attribute(&d, XMTP_ATTRIBUTE_NAME, "by a revoked phone");
    passes(&a, BOB, &d); /* the membership stands at 21, where it is an installation */
    set_member(&d, a.people[BOB].inbox, sequence_of(BOB, 2));
    set_failed(&d, a.people[BOB].phone);
    is_invalid(&a, BOB, &d, "its author is no installation of the inbox it names");
    passes(&a, DAVE, &d);
    disperse(&a);
}

static void know_that_bobs_phone_was_revoked(const assembly *a, draft *d)
{
    set_member(d, a->people[BOB].inbox, sequence_of(BOB, 2));
}

static void a_leaf_that_was_revoked_before_can_do_nothing(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, know_that_bobs_phone_was_revoked);
    const draft nothing = empty_draft();
    is_invalid(&a, BOB, &nothing, "its author is no installation of the inbox it names");
    passes(&a, DAVE, &nothing);
    disperse(&a);
}

static void an_authors_own_sequence_id_must_exist(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    set_member(&d, a.people[DAVE].inbox, sequence_of(DAVE, 0) + 5);
    is_invalid(&a, DAVE, &d, "its author's inbox has no update with the recorded sequence id");
    passes(&a, BOB, &d);
    disperse(&a);
}

static xmtp_mls_member updated;

static void have_an_update(xmtp_staged_commit *commit)
{
    commit->proposals[0].type = XMTP_MLS_PROPOSAL_UPDATE;
    commit->proposals[0].member = updated;
}

static xmtp_mls_member member_with(const char *inbox, const xmtp_installation *installation)
{
    uint8_t *credential = room(XMTP_CREDENTIAL_LEN);
    xmtp_inbox_credential_encode(inbox, credential);
    return (xmtp_mls_member){.credential_type = XMTP_MLS_CREDENTIAL_BASIC,
                             .identity = xmtp_bytes_of(credential, XMTP_CREDENTIAL_LEN),
                             .signature_key = xmtp_bytes_of(installation->pk, 32)};
}

/* No commit can carry an Update by value past MLS; the rule is there all the same. */
static void updated_leaves_belong_to_their_inboxes(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    d.twist = have_an_update;
    updated = member_with(a.people[BOB].inbox, a.people[BOB].phone);
    passes(&a, DAVE, &d);
    updated = member_with(a.people[BOB].inbox, a.people[DAVE].phone);
    is_invalid(&a, DAVE, &d, "its author is no installation of the inbox it names");
    updated = member_with(a.people[ERIN].inbox, a.people[ERIN].phone);
    is_invalid(&a, DAVE, &d, "its author is no member after it");
    updated.identity = xmtp_bytes_of("\xff\xff", 2);
    is_invalid(&a, DAVE, &d, "credential of an updated leaf cannot be decoded");
    disperse(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_sequence_id_may_not_fall),
        TEST(of_an_inbox_listed_twice_the_last_entry_counts),
        TEST(a_new_inbox_listed_twice_is_added_once),
        TEST(a_new_inbox_needs_an_update_with_exactly_its_sequence_id),
        TEST(an_inbox_that_nobody_knows_cannot_be_added),
        TEST(a_sequence_id_above_all_known_updates_changes_nothing),
        TEST(a_sequence_id_between_or_above_newer_updates_is_invalid),
        TEST(a_lookup_in_trouble_is_no_verdict),
        TEST(only_a_super_admin_adds_installations_again),
        TEST(a_super_admin_may_not_remove_installations_without_adding_them),
        TEST(only_a_super_admin_removes_failed_installations),
        TEST(failed_installations_stay_when_their_inbox_goes),
        TEST(an_installation_that_nothing_calls_for_cannot_be_added),
        TEST(a_new_device_needs_a_raised_sequence_id),
        TEST(additions_that_are_called_for_may_be_absent),
        TEST(the_inbox_in_an_added_credential_is_not_compared),
        TEST(who_was_added_under_a_false_name_cannot_commit),
        TEST(a_leaf_that_nothing_calls_to_remove_stays),
        TEST(a_removed_inbox_takes_its_leaves_along),
        TEST(a_revoked_installation_goes_with_the_raised_sequence_id),
        TEST(a_revoked_installation_may_be_added_again_as_it_is_removed),
        TEST(a_failed_installation_excuses_its_removal),
        TEST(failed_installations_that_nobody_has_are_ignored),
        TEST(nobody_can_leave_by_a_commit),
        TEST(a_revoked_author_is_refused_once_the_membership_knows),
        TEST(a_leaf_that_was_revoked_before_can_do_nothing),
        TEST(an_authors_own_sequence_id_must_exist),
        TEST(updated_leaves_belong_to_their_inboxes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
