/* commit_rules_test.c - commits that break one of the rules V0 to V8 and V17 of groups.md 3.6, each
 * beside the nearest commit that passes. */
#include "assembly.h"

static const char garbage[] = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff";

static xmtp_bytes garbled(void)
{
    return xmtp_bytes_of(garbage, sizeof(garbage) - 1);
}

/* ---- V0: what MLS itself asks */

static void a_context_without_required_capabilities_is_refused_by_mls(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    xmtp_mls_extension list[CHANGES_MAX];
    leave_out(&d, XMTP_MLS_EXTENSION_REQUIRED_CAPABILITIES);
    xmtp_mls_commit_options options = {.set_context_extensions = true,
                                       .context_extensions = list,
                                       .context_extension_count = extensions_of(&d, list)};
    xmtp_mls_pending *pending;
    assert_int_equal(xmtp_mls_group_commit(a.people[BOB].group, &options, &pending, &trouble),
                     XMTP_E_EXTENSION);
    assert_null(pending);
    disperse(&a);
}

static void an_empty_commit_of_anybody_passes(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    const draft d = empty_draft();
    for (int who = ALICE; who <= DAVE; who++) {
        passes(&a, who, &d);
        assert_false(facts.makes_transcript);
        assert_false(facts.installations_changed);
    }
    disperse(&a);
}

static void a_context_proposal_that_changes_nothing_passes(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    const draft d = draft_of(&a);
    passes(&a, DAVE, &d);
    assert_false(facts.makes_transcript);
    disperse(&a);
}

/* ---- V1: the old context */

static void have_no_immutable_metadata(const assembly *a, draft *d)
{
    (void)a;
    leave_out(d, XMTP_EXTENSION_IMMUTABLE_METADATA);
}

static void have_garbled_immutable_metadata(const assembly *a, draft *d)
{
    (void)a;
    use_instead(d, XMTP_EXTENSION_IMMUTABLE_METADATA, garbled());
}

static void have_no_mutable_metadata(const assembly *a, draft *d)
{
    (void)a;
    leave_out(d, XMTP_EXTENSION_MUTABLE_METADATA);
}

static void have_garbled_mutable_metadata(const assembly *a, draft *d)
{
    (void)a;
    use_instead(d, XMTP_EXTENSION_MUTABLE_METADATA, garbled());
}

static void have_no_permissions(const assembly *a, draft *d)
{
    (void)a;
    leave_out(d, XMTP_EXTENSION_PERMISSIONS);
}

static void have_garbled_permissions(const assembly *a, draft *d)
{
    (void)a;
    use_instead(d, XMTP_EXTENSION_PERMISSIONS, garbled());
}

static void have_no_membership(const assembly *a, draft *d)
{
    (void)a;
    leave_out(d, XMTP_EXTENSION_MEMBERSHIP);
}

static void have_garbled_membership(const assembly *a, draft *d)
{
    (void)a;
    use_instead(d, XMTP_EXTENSION_MEMBERSHIP, garbled());
}

static void no_commit_passes_in_a_group_with_a_broken_context(void **state)
{
    (void)state;
    static const struct {
        void (*prepare)(const assembly *a, draft *d);
        const char *why;
    } cases[] = {
        {have_no_immutable_metadata, "group has no immutable metadata"},
        {have_garbled_immutable_metadata, "immutable metadata of the group cannot be decoded"},
        {have_no_mutable_metadata, "group has no mutable metadata"},
        {have_garbled_mutable_metadata, "mutable metadata of the group cannot be decoded"},
        {have_no_permissions, "group has no permissions"},
        {have_garbled_permissions, "permissions of the group cannot be decoded"},
        {have_no_membership, "group has no membership"},
        {have_garbled_membership, "membership of the group cannot be decoded"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assembly a;
        assemble(&a, cases[i].prepare);
        const draft d = empty_draft();
        is_invalid(&a, ALICE, &d, cases[i].why);
        disperse(&a);
    }
}

static void immutable_metadata_may_be_changed_by_anybody(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    d.immutable->creator_inbox_id = a.people[DAVE].inbox;
    passes(&a, DAVE, &d); /* the official client does not look: to refuse would be to fork */
    leave_out(&d, XMTP_EXTENSION_IMMUTABLE_METADATA);
    passes(&a, DAVE, &d);
    disperse(&a);
}

/* ---- V2, V4, V8: the new context */

static void the_new_context_must_be_whole(void **state)
{
    (void)state;
    static const struct {
        uint16_t type;
        bool is_garbled;
        const char *why;
    } cases[] = {
        {XMTP_EXTENSION_MUTABLE_METADATA, false, "new context has no mutable metadata"},
        {XMTP_EXTENSION_MUTABLE_METADATA, true, "new mutable metadata cannot be decoded"},
        {XMTP_EXTENSION_PERMISSIONS, false, "new context has no permissions"},
        {XMTP_EXTENSION_PERMISSIONS, true, "new permissions cannot be decoded"},
        {XMTP_EXTENSION_MEMBERSHIP, false, "new context has no membership"},
        {XMTP_EXTENSION_MEMBERSHIP, true, "new membership cannot be decoded"},
    };
    assembly a;
    assemble(&a, NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        draft d = draft_of(&a);
        use_instead(&d, cases[i].type, cases[i].is_garbled ? garbled() : (xmtp_bytes){0});
        is_invalid(&a, ALICE, &d, cases[i].why);
    }
    disperse(&a);
}

static void metadata_needs_both_lists_even_when_they_are_empty(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    d.metadata->admin_list = NULL;
    is_invalid(&a, ALICE, &d, "new mutable metadata cannot be decoded");
    d = draft_of(&a);
    d.metadata->super_admin_list = NULL;
    is_invalid(&a, ALICE, &d, "new mutable metadata cannot be decoded");
    d = draft_of(&a);
    d.metadata->admin_list->n_inbox_ids = 0;
    passes(&a, ALICE, &d);
    assert_int_equal(facts.admins_removed.count, 1);
    disperse(&a);
}

typedef enum damage {
    NO_ADD_MEMBER,
    NO_REMOVE_MEMBER,
    NO_ADD_ADMIN,
    NO_REMOVE_ADMIN,
    NO_UPDATE_PERMISSIONS,
    MEMBER_VALUE_0,
    MEMBER_VALUE_5,
    ADMIN_VALUE_0,
    ADMIN_VALUE_4,
    NO_KIND,
    EMPTY_LIST,
    METADATA_VALUE_5,
    METADATA_WITHOUT_POLICY,
    DAMAGES,
} damage;

static void break_policies(Pb__PolicySet *policies, damage what)
{
    static Pb__MembershipPolicy__List nothing;
    pb__membership_policy__list__init(&nothing);
    switch (what) {
    case NO_ADD_MEMBER:
        policies->add_member_policy = NULL;
        break;
    case NO_REMOVE_MEMBER:
        policies->remove_member_policy = NULL;
        break;
    case NO_ADD_ADMIN:
        policies->add_admin_policy = NULL;
        break;
    case NO_REMOVE_ADMIN:
        policies->remove_admin_policy = NULL;
        break;
    case NO_UPDATE_PERMISSIONS:
        policies->update_permissions_policy = NULL;
        break;
    case MEMBER_VALUE_0:
        policies->add_member_policy->base_policy = 0;
        break;
    case MEMBER_VALUE_5:
        policies->add_member_policy->base_policy = 5;
        break;
    case ADMIN_VALUE_0:
        policies->add_admin_policy->base_policy = 0;
        break;
    case ADMIN_VALUE_4:
        policies->add_admin_policy->base_policy = 4;
        break;
    case NO_KIND:
        policies->remove_member_policy->kind_case = PB__MEMBERSHIP_POLICY__KIND__NOT_SET;
        break;
    case EMPTY_LIST:
        policies->remove_member_policy->kind_case = PB__MEMBERSHIP_POLICY__KIND_AND_CONDITION;
        policies->remove_member_policy->and_condition = &nothing;
        break;
    case METADATA_VALUE_5:
        policies->update_metadata_policy[0]->value->base_policy = 5;
        break;
    case METADATA_WITHOUT_POLICY:
        policies->update_metadata_policy[0]->value = NULL;
        break;
    case DAMAGES:
        break;
    }
}

static void permissions_of_a_wrong_shape_are_invalid(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    for (damage what = 0; what < DAMAGES; what++) {
        draft d = draft_of(&a);
        break_policies(d.policies, what);
        is_invalid(&a, ALICE, &d, "new permissions cannot be decoded");
    }
    disperse(&a);
}

static void attributes_listed_twice_count_with_their_last_value(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    Pb__StringEntry again = PB__STRING_ENTRY__INIT;
    size_t n = d.metadata->n_attributes;
    Pb__StringEntry **items = room((n + 1) * sizeof(Pb__StringEntry *));
    again.key = (char *)(uintptr_t)XMTP_ATTRIBUTE_MINIMUM_VERSION;
    again.value = (char *)(uintptr_t) "1.0.0";
    set_attribute(&d, XMTP_ATTRIBUTE_MINIMUM_VERSION, "99.0.0");
    n = d.metadata->n_attributes;
    items = room((n + 1) * sizeof(Pb__StringEntry *));
    xmtp_copy(items, d.metadata->attributes, n * sizeof(Pb__StringEntry *));
    items[n] = &again;
    d.metadata->attributes = items;
    d.metadata->n_attributes = n + 1;
    passes(&a, ALICE, &d);
    assert_string_equal(facts.minimum_version, "1.0.0");
    assert_int_equal(facts.attribute_change_count, 1);
    disperse(&a);
}

/* ---- V3: lengths */

static const struct {
    const char *attribute;
    size_t max;
    const char *why;
} lengths[] = {
    {XMTP_ATTRIBUTE_NAME, 100, "group_name has 101 bytes, at most 100 are allowed"},
    {XMTP_ATTRIBUTE_DESCRIPTION, 1000, "description has 1001 bytes, at most 1000 are allowed"},
    {XMTP_ATTRIBUTE_IMAGE_URL, 2048,
     "group_image_url_square has 2049 bytes, at most 2048 are allowed"},
    {XMTP_ATTRIBUTE_APP_DATA, 8192, "app_data has 8193 bytes, at most 8192 are allowed"},
};

static const char *text_of_length(size_t n)
{
    char *text = room(n + 1);
    memset(text, 'x', n);
    return text;
}

static void attributes_have_a_length_limit_each(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    for (size_t i = 0; i < COUNT(lengths); i++) {
        draft d = draft_of(&a);
        set_attribute(&d, lengths[i].attribute, text_of_length(lengths[i].max));
        passes(&a, DAVE, &d);
        assert_int_equal(facts.attribute_change_count, 1);
        set_attribute(&d, lengths[i].attribute, text_of_length(lengths[i].max + 1));
        is_invalid(&a, DAVE, &d, lengths[i].why);
    }
    disperse(&a);
}

static void lengths_count_bytes_not_letters(void **state)
{
    (void)state;
    assembly a;
    char *name = room(103);
    assemble(&a, NULL);
    for (size_t i = 0; i < 51; i++) {
        memcpy(name + 2 * i, "\xc3\xa4", 2);
    }
    draft d = draft_of(&a);
    set_attribute(&d, XMTP_ATTRIBUTE_NAME, name);
    is_invalid(&a, DAVE, &d, "group_name has 102 bytes, at most 100 are allowed");
    name[100] = '\0';
    set_attribute(&d, XMTP_ATTRIBUTE_NAME, name);
    passes(&a, DAVE, &d);
    disperse(&a);
}

static void have_a_long_name(const assembly *a, draft *d)
{
    (void)a;
    set_attribute(d, XMTP_ATTRIBUTE_NAME, text_of_length(5000));
}

static void a_value_that_was_too_long_before_is_nobodys_fault(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, have_a_long_name);
    draft d = draft_of(&a);
    set_attribute(&d, XMTP_ATTRIBUTE_DESCRIPTION, "new");
    passes(&a, DAVE, &d);
    drop_attribute(&d, XMTP_ATTRIBUTE_NAME);
    passes(&a, DAVE, &d);
    assert_int_equal(facts.attribute_change_count, 2);
    disperse(&a);
}

static void attributes_nobody_knows_have_no_limit(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    set_attribute(&d, "something_new", text_of_length(20000));
    passes(&a, CAROL, &d);
    disperse(&a);
}

/* ---- V5 to V7: one author. Bytes that bring this about do not get past MLS, whose commits carry
 * proposals by value only; so the staged commit is changed by hand. */

static void have_a_foreign_proposer(xmtp_staged_commit *commit)
{
    commit->proposals[0].sender_leaf = UINT32_MAX;
}

static void have_two_proposers(xmtp_staged_commit *commit)
{
    assert_true(commit->proposal_count >= 2);
    commit->proposals[1].sender_leaf = commit->committer == 0 ? 1 : 0;
}

static void have_another_proposer(xmtp_staged_commit *commit)
{
    for (size_t i = 0; i < commit->proposal_count; i++) {
        commit->proposals[i].sender_leaf = commit->committer == 0 ? 1 : 0;
    }
}

static void have_an_absent_proposer(xmtp_staged_commit *commit)
{
    commit->proposals[0].sender_leaf = 7;
}

static void have_no_path(xmtp_staged_commit *commit)
{
    commit->has_path = false;
}

static void have_a_psk(xmtp_staged_commit *commit)
{
    commit->proposals[0].type = XMTP_MLS_PROPOSAL_PSK;
}

static void have_a_proposal_of_an_unknown_type(xmtp_staged_commit *commit)
{
    commit->proposals[0].type = 0x4242;
}

static void a_commit_has_one_author_who_is_a_member(void **state)
{
    (void)state;
    static const struct {
        void (*twist)(xmtp_staged_commit *commit);
        const char *why;
    } cases[] = {
        {have_a_foreign_proposer, "a proposal comes from somebody who is no member"},
        {have_two_proposers, "its proposals come from two members"},
        {have_another_proposer, "path and proposals come from two members"},
        {have_a_psk, "it holds a PSK proposal"},
    };
    assembly a;
    assemble(&a, NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        draft d = draft_of(&a);
        set_member(&d, a.people[ERIN].inbox, sequence_of(ERIN, 0));
        add_phone(&a, &d, ERIN);
        passes(&a, BOB, &d);
        d.twist = cases[i].twist;
        is_invalid(&a, BOB, &d, cases[i].why);
    }
    draft d = draft_of(&a);
    d.twist = have_an_absent_proposer;
    is_invalid(&a, BOB, &d, "its proposals come from a leaf without a member");
    disperse(&a);
}

static void without_a_path_the_author_is_who_proposed(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    d.twist = have_no_path;
    passes(&a, DAVE, &d);
    assert_bytes(facts.author_installation, xmtp_bytes_of(a.people[DAVE].phone->pk, 32));
    d = empty_draft();
    d.twist = have_no_path;
    is_invalid(&a, DAVE, &d, "it has neither proposals nor a path");
    disperse(&a);
}

static void proposals_of_other_types_are_not_looked_at(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    d.twist = have_a_proposal_of_an_unknown_type;
    passes(&a, DAVE, &d);
    disperse(&a);
}

/* ---- V17: versions */

static const struct {
    const char *version;
    xmtp_status status;
} versions[] = {
    {"1.10.0", XMTP_OK},
    {"1.9.99", XMTP_OK},
    {"0.0.0", XMTP_OK},
    {"1.2.3-alpha", XMTP_OK},
    {"+1.+10.+0", XMTP_OK}, /* the official parser takes a plus */
    {"01.010.000", XMTP_OK},
    {"1.10.0-dev", XMTP_E_PAUSED}, /* no suffix is below any suffix */
    {"1.10.0-", XMTP_E_PAUSED},
    {"1.10.1", XMTP_E_PAUSED},
    {"1.11.0", XMTP_E_PAUSED},
    {"2.0.0", XMTP_E_PAUSED},
    {"1.100.0", XMTP_E_PAUSED},
    {"4294967295.0.0", XMTP_E_PAUSED},
    {"4294967296.0.0", XMTP_E_COMMIT_INVALID},
    {"1.10", XMTP_E_COMMIT_INVALID},
    {"1.10.0.0", XMTP_E_COMMIT_INVALID},
    {"1.10.0-dev.1", XMTP_E_COMMIT_INVALID},
    {"1.-1.0", XMTP_E_COMMIT_INVALID},
    {"v1.10.0", XMTP_E_COMMIT_INVALID},
    {" 1.10.0", XMTP_E_COMMIT_INVALID},
    {"", XMTP_E_COMMIT_INVALID},
    {"newest", XMTP_E_COMMIT_INVALID},
};

static void minimum_versions_pass_pause_or_are_invalid(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    for (size_t i = 0; i < COUNT(versions); i++) {
        draft d = draft_of(&a);
        xmtp_error why;
        set_attribute(&d, XMTP_ATTRIBUTE_MINIMUM_VERSION, versions[i].version);
        xmtp_status status = verdict(&a, ALICE, &d, &why);
        if (status != versions[i].status) {
            fail_msg("%s: %s", versions[i].version, xmtp_status_name(status));
        }
        assert_string_equal(facts.minimum_version, versions[i].version);
    }
    disperse(&a);
}

static void only_a_super_admin_pauses_a_group(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, NULL);
    draft d = draft_of(&a);
    set_attribute(&d, XMTP_ATTRIBUTE_MINIMUM_VERSION, "99.0.0");
    is_denied(&a, CAROL, &d, "may not change the group's metadata");
    is_denied(&a, DAVE, &d, "may not change the group's metadata");
    fails_with(&a, ALICE, &d, XMTP_E_PAUSED,
               "group needs version 99.0.0, this is equivalent to 1.10.0");
    disperse(&a);
}

static void need_version_1_5(const assembly *a, draft *d)
{
    (void)a;
    set_attribute(d, XMTP_ATTRIBUTE_MINIMUM_VERSION, "1.5.0");
}

static void with_a_minimum_version_every_commit_is_told(void **state)
{
    (void)state;
    assembly a;
    assemble(&a, need_version_1_5);
    const draft d = empty_draft();
    passes(&a, DAVE, &d);
    assert_true(facts.makes_transcript);
    assert_int_equal(facts.attribute_change_count, 0);
    disperse(&a);
}

static void need_version_99(const assembly *a, draft *d)
{
    (void)a;
    set_attribute(d, XMTP_ATTRIBUTE_MINIMUM_VERSION, "99.0.0");
}

static void need_no_version(const assembly *a, draft *d)
{
    (void)a;
    set_attribute(d, XMTP_ATTRIBUTE_MINIMUM_VERSION, "soon");
}

static void a_minimum_version_that_was_there_before_counts_as_well(void **state)
{
    (void)state;
    assembly a;
    const draft nothing = empty_draft();
    assemble(&a, need_version_99);
    fails_with(&a, DAVE, &nothing, XMTP_E_PAUSED, "this is equivalent to 1.10.0");
    draft d = draft_of(&a);
    drop_attribute(&d, XMTP_ATTRIBUTE_MINIMUM_VERSION);
    passes(&a, ALICE, &d);
    is_denied(&a, DAVE, &d, "may not change the group's metadata");
    disperse(&a);
    assemble(&a, need_no_version);
    is_invalid(&a, DAVE, &nothing, "its minimum version is no version");
    disperse(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_context_without_required_capabilities_is_refused_by_mls),
        TEST(an_empty_commit_of_anybody_passes),
        TEST(a_context_proposal_that_changes_nothing_passes),
        TEST(no_commit_passes_in_a_group_with_a_broken_context),
        TEST(immutable_metadata_may_be_changed_by_anybody),
        TEST(the_new_context_must_be_whole),
        TEST(metadata_needs_both_lists_even_when_they_are_empty),
        TEST(permissions_of_a_wrong_shape_are_invalid),
        TEST(attributes_listed_twice_count_with_their_last_value),
        TEST(attributes_have_a_length_limit_each),
        TEST(lengths_count_bytes_not_letters),
        TEST(a_value_that_was_too_long_before_is_nobodys_fault),
        TEST(attributes_nobody_knows_have_no_limit),
        TEST(a_commit_has_one_author_who_is_a_member),
        TEST(without_a_path_the_author_is_who_proposed),
        TEST(proposals_of_other_types_are_not_looked_at),
        TEST(minimum_versions_pass_pause_or_are_invalid),
        TEST(only_a_super_admin_pauses_a_group),
        TEST(with_a_minimum_version_every_commit_is_told),
        TEST(a_minimum_version_that_was_there_before_counts_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
