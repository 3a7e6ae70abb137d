/* policy_rules_test.c - V16: commits that break one of the rules P1 to P7 of groups.md 2.5, each
 * beside the nearest commit that passes. Most run over every kind of author: plain member, admin,
 * super admin. */
#include "assembly.h"

static const char may_not_add[] = "may not add members";
static const char may_not_remove[] = "may not remove members";
static const char may_not_change[] = "may not change the group's metadata";
static const char may_not_promote[] = "may not change the lists of admins";
static const char may_not_resign[] = "may not remove the last super admin";
static const char may_not_permit[] = "may not change permissions";

/* Which of dave (member), carol (admin), alice (super admin) may. */
typedef struct allowed {
    bool dave;
    bool carol;
    bool alice;
} allowed;

static const allowed nobody_may = {false, false, false};
static const allowed anybody_may = {true, true, true};
static const allowed admins_may = {false, true, true};
static const allowed super_admins_may = {false, false, true};

static void judged(assembly *a, int author, const draft *d, bool may, const char *why)
{
    if (may) {
        passes(a, author, d);
    } else {
        is_denied(a, author, d, why);
    }
}

static void judged_by_author(assembly *a, const draft *d, const allowed *who, const char *why)
{
    judged(a, DAVE, d, who->dave, why);
    judged(a, CAROL, d, who->carol, why);
    judged(a, ALICE, d, who->alice, why);
}

/* ---- policies that groups are prepared with */

static Pb__MembershipPolicy *member_policy(int32_t value)
{
    Pb__MembershipPolicy *policy = room(sizeof(*policy));
    pb__membership_policy__init(policy);
    policy->kind_case = PB__MEMBERSHIP_POLICY__KIND_BASE_POLICY;
    policy->base_policy = value;
    return policy;
}

static Pb__MembershipPolicy *both_of(bool is_all, int32_t one, int32_t two)
{
    Pb__MembershipPolicy *policy = room(sizeof(*policy));
    Pb__MembershipPolicy__List *list = room(sizeof(*list));
    pb__membership_policy__init(policy);
    pb__membership_policy__list__init(list);
    list->n_policies = 2;
    list->policies = room(2 * sizeof(Pb__MembershipPolicy *));
    list->policies[0] = member_policy(one);
    list->policies[1] = member_policy(two);
    policy->kind_case = is_all ? PB__MEMBERSHIP_POLICY__KIND_AND_CONDITION
                               : PB__MEMBERSHIP_POLICY__KIND_ANY_CONDITION;
    policy->and_condition = list; /* the two lists share their place */
    return policy;
}

typedef struct member_case {
    bool is_list;
    bool is_all;
    int32_t one;
    int32_t two;
    const allowed *who;
} member_case;

static const member_case member_cases[] = {
    {.one = POLICY_ALLOW, .who = &anybody_may},
    {.one = POLICY_DENY, .who = &nobody_may},
    {.one = POLICY_ADMIN_ONLY, .who = &admins_may},
    {.one = POLICY_SUPER_ADMIN_ONLY, .who = &super_admins_may},
    {true, true, POLICY_ALLOW, POLICY_ADMIN_ONLY, &admins_may},
    {true, true, POLICY_ALLOW, POLICY_DENY, &nobody_may},
    {true, false, POLICY_DENY, POLICY_SUPER_ADMIN_ONLY, &super_admins_may},
    {true, false, POLICY_DENY, POLICY_DENY, &nobody_may},
};

static const member_case *present_case;

static Pb__MembershipPolicy *present_policy(void)
{
    const member_case *c = present_case;
    return c->is_list ? both_of(c->is_all, c->one, c->two) : member_policy(c->one);
}

static void have_present_add_policy(const assembly *a, draft *d)
{
    (void)a;
    d->policies->add_member_policy = present_policy();
}

static void have_present_remove_policy(const assembly *a, draft *d)
{
    (void)a;
    d->policies->remove_member_policy = present_policy();
}

/* ---- P1 */

static draft adding_erin(const assembly *a)
{
    draft d = draft_of(a);
    set_member(&d, a->people[ERIN].inbox, sequence_of(ERIN, 0));
    add_phone(a, &d, ERIN);
    return d;
}

static void members_are_added_as_the_policy_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(member_cases); i++) {
        assembly a;
        present_case = &member_cases[i];
        assemble(&a, have_present_add_policy);
        const draft d = adding_erin(&a);
        judged_by_author(&a, &d, present_case->who, may_not_add);
        disperse(&a);
    }
}

static void devices_of_members_are_added_whatever_the_policy_says(void **state)
{
    (void)state;
    static const member_case deny = {.one = POLICY_DENY, .who = &nobody_may};
    assembly a;
    xmtp_inbox_key_package_keys keys;
    present_case = &deny;
    assemble(&a, have_present_add_policy);
    draft d = draft_of(&a);
    set_member(&d, a.people[BOB].inbox, sequence_of(BOB, 1));
    add_package(&d, package_of(a.people[BOB].inbox, installation_of(BOBS_TABLET), &keys));
    judged_by_author(&a, &d, &anybody_may, NULL);
    disperse(&a);
}

static void an_entry_without_a_leaf_is_an_added_member_as_well(void **state)
{
    (void)state;
    static const member_case deny = {.one = POLICY_DENY, .who = &nobody_may};
    assembly a;
    present_case = &deny;
    assemble(&a, have_present_add_policy);
    draft d = draft_of(&a);
    set_member(&d, a.people[ERIN].inbox, sequence_of(ERIN, 0));
    is_denied(&a, ALICE, &d, may_not_add);
    disperse(&a);
}

static draft adding_to_dm(const assembly *a, int one, int two)
{
    draft d = draft_of(a);
    set_member(&d, a->people[one].inbox, sequence_of(one, 0));
    add_phone(a, &d, one);
    if (two != NOBODY) {
        set_member(&d, a->people[two].inbox, sequence_of(two, 0));
        add_phone(a, &d, two);
    }
    return d;
}

static void only_the_other_one_is_added_to_a_dm(void **state)
{
    (void)state;
    assembly a;
    assemble_dm(&a, NULL);
    draft d = adding_to_dm(&a, BOB, NOBODY);
    passes(&a, ALICE, &d);
    d = adding_to_dm(&a, CAROL, NOBODY);
    is_denied(&a, ALICE, &d, may_not_add);
    d = adding_to_dm(&a, BOB, CAROL);
    is_denied(&a, ALICE, &d, may_not_add);
    disperse(&a);
}

static void name_nobody(const assembly *a, draft *d)
{
    (void)a;
    d->immutable->dm_members = NULL;
}

static void a_dm_without_named_members_has_no_exception(void **state)
{
    (void)state;
    assembly a;
    assemble_dm(&a, name_nobody);
    const draft d = adding_to_dm(&a, BOB, NOBODY);
    is_denied(&a, ALICE, &d, may_not_add);
    disperse(&a);
}

static void list_bob_alone(const assembly *a, draft *d)
{
    xmtp_membership_remove(d->membership, a->people[ALICE].inbox);
    set_member(d, a->people[BOB].inbox, sequence_of(BOB, 0));
}

static void nobody_adds_itself_to_a_dm(void **state)
{
    (void)state;
    assembly a;
    assemble_dm(&a, list_bob_alone);
    draft d = draft_of(&a);
    set_member(&d, a.people[ALICE].inbox, sequence_of(ALICE, 0));
    is_denied(&a, ALICE, &d, may_not_add);
    disperse(&a);
}

static void name_two_people(const assembly *a, draft *d)
{
    Pb__DmMembers *members = room(sizeof(*members));
    Pb__InboxRef *refs = room(2 * sizeof(*refs));
    pb__dm_members__init(members);
    pb__inbox_ref__init(&refs[0]);
    pb__inbox_ref__init(&refs[1]);
    refs[0].inbox_id = (char *)(uintptr_t)a->people[ALICE].inbox;
    refs[1].inbox_id = (char *)(uintptr_t)a->people[ERIN].inbox;
    members->dm_member_one = &refs[0];
    members->dm_member_two = &refs[1];
    d->immutable->dm_members = members;
    d->policies->add_member_policy = member_policy(POLICY_DENY);
}

static void named_members_make_the_exception_in_groups_too(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, name_two_people);
    const draft d = adding_erin(&a);
    judged_by_author(&a, &d, &anybody_may, NULL);
    disperse(&a);
}

/* ---- P2 */

static draft removing(const assembly *a, int who)
{
    draft d = draft_of(a);
    xmtp_membership_remove(d.membership, a->people[who].inbox);
    remove_phone(a, &d, who);
    return d;
}

static void members_are_removed_as_the_policy_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(member_cases); i++) {
        assembly a;
        present_case = &member_cases[i];
        assemble(&a, have_present_remove_policy);
        const draft d = removing(&a, BOB);
        judged_by_author(&a, &d, present_case->who, may_not_remove);
        disperse(&a);
    }
}

static void in_an_ordinary_group_only_admins_remove(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    const draft d = removing(&a, BOB);
    judged_by_author(&a, &d, &admins_may, may_not_remove);
    disperse(&a);
}

static void have_two_super_admins(const assembly *a, draft *d)
{
    list_inbox(d->metadata->super_admin_list, a->people[BOB].inbox);
    d->policies->remove_member_policy = member_policy(POLICY_ALLOW);
}

static void a_super_admin_cannot_be_removed_by_anybody(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, have_two_super_admins);
    draft d = removing(&a, BOB);
    judged_by_author(&a, &d, &nobody_may, may_not_remove);
    /* not even when it is taken off the list in the same commit: the old list counts */
    unlist_inbox(d.metadata->super_admin_list, a.people[BOB].inbox);
    is_denied(&a, ALICE, &d, may_not_remove);
    d = removing(&a, CAROL);
    passes(&a, ALICE, &d); /* an admin can */
    disperse(&a);
}

/* ---- P3 */

static const struct {
    const char *attribute;
    const allowed *who;
} attributes[] = {
    {XMTP_ATTRIBUTE_NAME, &anybody_may},
    {XMTP_ATTRIBUTE_DESCRIPTION, &anybody_may},
    {XMTP_ATTRIBUTE_IMAGE_URL, &anybody_may},
    {XMTP_ATTRIBUTE_APP_DATA, &anybody_may},
    {XMTP_ATTRIBUTE_DISAPPEAR_FROM, &admins_may},
    {XMTP_ATTRIBUTE_DISAPPEAR_IN, &admins_may},
    {XMTP_ATTRIBUTE_MINIMUM_VERSION, &super_admins_may},
    {XMTP_ATTRIBUTE_COMMIT_LOG_SIGNER, &super_admins_may}, /* by its underscore */
    {"_other", &super_admins_may},
    {"other", &admins_may},
    {"", &admins_may},
};

static void attributes_of_an_ordinary_group_have_their_policies(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    for (size_t i = 0; i < COUNT(attributes); i++) {
        draft d = draft_of(&a);
        set_attribute(&d, attributes[i].attribute, "1.0.0");
        judged_by_author(&a, &d, attributes[i].who, may_not_change);
    }
    disperse(&a);
}

static void have_everything_set(const assembly *a, draft *d)
{
    (void)a;
    for (size_t i = 0; i < COUNT(attributes); i++) {
        set_attribute(d, attributes[i].attribute, "1.0.0");
    }
}

static void deleting_an_attribute_is_changing_it(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, have_everything_set);
    for (size_t i = 0; i < COUNT(attributes); i++) {
        draft d = draft_of(&a);
        drop_attribute(&d, attributes[i].attribute);
        judged_by_author(&a, &d, attributes[i].who, may_not_change);
    }
    disperse(&a);
}

static void one_forbidden_change_spoils_all_of_them(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    set_attribute(&d, XMTP_ATTRIBUTE_NAME, "mine");
    passes(&a, DAVE, &d);
    set_attribute(&d, "other", "x");
    is_denied(&a, DAVE, &d, may_not_change);
    disperse(&a);
}

static void have_no_metadata_policies(const assembly *a, draft *d)
{
    (void)a;
    d->policies->n_update_metadata_policy = 0;
}

static void without_a_policy_admins_change_attributes(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, have_no_metadata_policies);
    draft d = draft_of(&a);
    set_attribute(&d, XMTP_ATTRIBUTE_NAME, "new");
    judged_by_author(&a, &d, &admins_may, may_not_change);
    disperse(&a);
}

static void have_policies_that_deny_names(const assembly *a, draft *d)
{
    (void)a;
    d->policies->update_metadata_policy[0]->value->base_policy = POLICY_DENY;
}

static void a_denied_attribute_is_closed_to_super_admins_too(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, have_policies_that_deny_names);
    draft d = draft_of(&a);
    assert_string_equal(d.policies->update_metadata_policy[0]->key, XMTP_ATTRIBUTE_NAME);
    set_attribute(&d, XMTP_ATTRIBUTE_NAME, "new");
    judged_by_author(&a, &d, &nobody_may, may_not_change);
    /* the old policies count, not those that the same commit brings */
    d.policies->update_metadata_policy[0]->value->base_policy = POLICY_ALLOW;
    is_denied(&a, ALICE, &d, may_not_change);
    disperse(&a);
}

/* ---- P4 to P6 */

static int32_t admin_policy; /* 1 deny, 2 admins, 3 super admins */

static void have_admin_policies(const assembly *a, draft *d)
{
    (void)a;
    d->policies->add_admin_policy->base_policy = admin_policy;
    d->policies->remove_admin_policy->base_policy = admin_policy;
}

static void admins_come_and_go_as_the_policies_say(void **state)
{
    (void)state;
    static const allowed *const who[] = {&nobody_may, &admins_may, &super_admins_may};
    for (admin_policy = 1; admin_policy <= 3; admin_policy++) {
        assembly a;
        assemble(&a, have_admin_policies);
        draft d = draft_of(&a);
        list_inbox(d.metadata->admin_list, a.people[DAVE].inbox);
        judged_by_author(&a, &d, who[admin_policy - 1], may_not_promote);
        d = draft_of(&a);
        unlist_inbox(d.metadata->admin_list, a.people[CAROL].inbox);
        judged_by_author(&a, &d, who[admin_policy - 1], may_not_promote);
        disperse(&a);
    }
}

static void allow_adding_admins_only(const assembly *a, draft *d)
{
    (void)a;
    d->policies->add_admin_policy->base_policy = 2;
    d->policies->remove_admin_policy->base_policy = 1;
}

static void replacing_an_admin_needs_both_policies(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, allow_adding_admins_only);
    draft d = draft_of(&a);
    list_inbox(d.metadata->admin_list, a.people[DAVE].inbox);
    passes(&a, CAROL, &d);
    unlist_inbox(d.metadata->admin_list, a.people[CAROL].inbox);
    is_denied(&a, CAROL, &d, may_not_promote);
    disperse(&a);
}

static void an_entry_repeated_in_a_list_is_no_change(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    list_inbox(d.metadata->admin_list, a.people[CAROL].inbox);
    list_inbox(d.metadata->super_admin_list, a.people[ALICE].inbox);
    judged_by_author(&a, &d, &anybody_may, NULL);
    assert_false(facts.makes_transcript);
    disperse(&a);
}

static void super_admins_are_made_by_super_admins_only(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    list_inbox(d.metadata->super_admin_list, a.people[DAVE].inbox);
    judged_by_author(&a, &d, &super_admins_may, may_not_promote);
    d = draft_of(&a);
    list_inbox(d.metadata->super_admin_list, "somebody who is no member");
    judged_by_author(&a, &d, &super_admins_may, may_not_promote);
    disperse(&a);
}

static void there_is_always_a_super_admin_left(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, have_two_super_admins);
    draft d = draft_of(&a);
    unlist_inbox(d.metadata->super_admin_list, a.people[BOB].inbox);
    judged_by_author(&a, &d, &super_admins_may, may_not_promote);
    passes(&a, BOB, &d);
    unlist_inbox(d.metadata->super_admin_list, a.people[ALICE].inbox);
    is_denied(&a, ALICE, &d, may_not_resign);
    disperse(&a);
}

static void the_last_super_admin_may_hand_over_but_not_resign(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    unlist_inbox(d.metadata->super_admin_list, a.people[ALICE].inbox);
    is_denied(&a, ALICE, &d, may_not_resign);
    list_inbox(d.metadata->super_admin_list, a.people[DAVE].inbox);
    passes(&a, ALICE, &d);
    is_denied(&a, DAVE, &d, may_not_promote);
    disperse(&a);
}

static void nobody_promotes_itself_and_acts_on_it_in_one_commit(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    list_inbox(d.metadata->super_admin_list, a.people[DAVE].inbox);
    d.policies->add_member_policy->base_policy = POLICY_DENY;
    is_denied(&a, DAVE, &d, may_not_promote);
    disperse(&a);
}

/* ---- P7 */

static void permissions_are_changed_by_super_admins_only(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    d.policies->add_member_policy->base_policy = POLICY_DENY;
    judged_by_author(&a, &d, &super_admins_may, may_not_permit);
    assert_true(facts.permissions_changed);
    assert_false(facts.makes_transcript);
    d = draft_of(&a);
    d.policies->n_update_metadata_policy--;
    judged_by_author(&a, &d, &super_admins_may, may_not_permit);
    disperse(&a);
}

static void have_a_generous_update_policy(const assembly *a, draft *d)
{
    (void)a;
    d->policies->update_permissions_policy->base_policy = 2; /* admins */
}

static void the_policy_for_changing_permissions_is_never_asked(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, have_a_generous_update_policy);
    draft d = draft_of(&a);
    d.policies->add_member_policy->base_policy = POLICY_DENY;
    judged_by_author(&a, &d, &super_admins_may, may_not_permit);
    d = draft_of(&a);
    d.policies->update_permissions_policy->base_policy = 1; /* deny: does not bind either */
    judged_by_author(&a, &d, &super_admins_may, may_not_permit);
    disperse(&a);
}

static void permissions_in_another_order_are_the_same(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    size_t n = d.policies->n_update_metadata_policy;
    for (size_t i = 0; i < n / 2; i++) {
        Pb__MetadataPolicyEntry *first = d.policies->update_metadata_policy[i];
        d.policies->update_metadata_policy[i] = d.policies->update_metadata_policy[n - 1 - i];
        d.policies->update_metadata_policy[n - 1 - i] = first;
    }
    judged_by_author(&a, &d, &anybody_may, NULL);
    assert_false(facts.permissions_changed);
    disperse(&a);
}

static void a_list_of_one_policy_is_another_policy(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    d.policies->add_member_policy = both_of(false, POLICY_ALLOW, POLICY_ALLOW);
    judged_by_author(&a, &d, &super_admins_may, may_not_permit);
    disperse(&a);
}

/* ---- DMs */

static void admit_both(const assembly *a, draft *d)
{
    set_member(d, a->people[BOB].inbox, sequence_of(BOB, 0));
}

static void nobody_administers_a_dm(void **state)
{
    (void)state;
    static const int others[] = {BOB};
    assembly a;
    assemble_dm(&a, admit_both);
    add_all(&a, others, 1);
    draft d = removing(&a, BOB);
    is_denied(&a, ALICE, &d, may_not_remove);
    d = draft_of(&a);
    list_inbox(d.metadata->super_admin_list, a.people[ALICE].inbox);
    is_denied(&a, ALICE, &d, may_not_promote);
    d = draft_of(&a);
    list_inbox(d.metadata->admin_list, a.people[BOB].inbox);
    is_denied(&a, BOB, &d, may_not_promote);
    d = draft_of(&a);
    d.policies->remove_member_policy = member_policy(POLICY_ALLOW);
    is_denied(&a, BOB, &d, may_not_permit);
    d = draft_of(&a);
    set_attribute(&d, XMTP_ATTRIBUTE_DISAPPEAR_IN, "1000");
    passes(&a, BOB, &d);
    disperse(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(members_are_added_as_the_policy_says),
        TEST(devices_of_members_are_added_whatever_the_policy_says),
        TEST(an_entry_without_a_leaf_is_an_added_member_as_well),
        TEST(only_the_other_one_is_added_to_a_dm),
        TEST(a_dm_without_named_members_has_no_exception),
        TEST(nobody_adds_itself_to_a_dm),
        TEST(named_members_make_the_exception_in_groups_too),
        TEST(members_are_removed_as_the_policy_says),
        TEST(in_an_ordinary_group_only_admins_remove),
        TEST(a_super_admin_cannot_be_removed_by_anybody),
        TEST(attributes_of_an_ordinary_group_have_their_policies),
        TEST(deleting_an_attribute_is_changing_it),
        TEST(one_forbidden_change_spoils_all_of_them),
        TEST(without_a_policy_admins_change_attributes),
        TEST(a_denied_attribute_is_closed_to_super_admins_too),
        TEST(admins_come_and_go_as_the_policies_say),
        TEST(replacing_an_admin_needs_both_policies),
        TEST(an_entry_repeated_in_a_list_is_no_change),
        TEST(super_admins_are_made_by_super_admins_only),
        TEST(there_is_always_a_super_admin_left),
        TEST(the_last_super_admin_may_hand_over_but_not_resign),
        TEST(nobody_promotes_itself_and_acts_on_it_in_one_commit),
        TEST(permissions_are_changed_by_super_admins_only),
        TEST(the_policy_for_changing_permissions_is_never_asked),
        TEST(permissions_in_another_order_are_the_same),
        TEST(a_list_of_one_policy_is_another_policy),
        TEST(nobody_administers_a_dm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
