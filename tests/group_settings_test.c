/* group_settings_test.c - what groups are called, who administers them, who may do what. */
#include "one_network.h"

static xmtp_conversation_details details_of(person *p, const xmtp_conversation_id *id)
{
    xmtp_conversation_details details;
    assert_ok(p, xmtp_client_conversation_details(p->client, id, &details, &p->error));
    return details;
}

static void every_text_of_a_group_reaches_the_others(void **state)
{
    (void)state;
    static const struct {
        xmtp_group_field field;
        const char *text;
    } texts[] = {
        {XMTP_FIELD_NAME, "name \xc3\xa9"},
        {XMTP_FIELD_DESCRIPTION, "what it is about"},
        {XMTP_FIELD_IMAGE_URL, "https://example.com/a.png"},
        {XMTP_FIELD_APP_DATA, "{\"theme\":1}"},
    };
    person p[2];
    xmtp_conversation_id group;
    people_open(p, 2, &net);
    group_of(p, 2, &group);
    for (size_t i = 0; i < 4; i++) {
        assert_ok(&p[1], xmtp_client_group_set(p[1].client, &group, texts[i].field, texts[i].text,
                                               &p[1].error));
    }
    sync_all(&p[0]);
    for (size_t i = 0; i < 2; i++) {
        xmtp_conversation_details d = details_of(&p[i], &group);
        assert_string_equal(d.name, texts[0].text);
        assert_string_equal(d.description, texts[1].text);
        assert_string_equal(d.image_url, texts[2].text);
        assert_string_equal(d.app_data, texts[3].text);
        assert_string_equal(d.creator_inbox, xmtp_client_inbox_id(p[0].client));
        assert_int_equal(d.is_super_admin, i == 0);
    }
    people_close(p, 2);
}

static void texts_are_refused_past_their_limit_and_accepted_at_it(void **state)
{
    (void)state;
    static const size_t limits[] = {100, 1000, 2048, 8192};
    static const char *const errors[] = {
        "name of 101 bytes, at most 100",
        "description of 1001 bytes, at most 1000",
        "image URL of 2049 bytes, at most 2048",
        "app data of 8193 bytes, at most 8192",
    };
    static char text[8194];
    person p[1];
    xmtp_conversation_id group;
    people_open(p, 1, &net);
    group_of(p, 1, &group);
    for (size_t i = 0; i < 4; i++) {
        memset(text, 'x', limits[i] + 1);
        text[limits[i] + 1] = '\0';
        uint64_t epoch = conversation_of(p, &group).epoch;
        assert_refused(
            p, xmtp_client_group_set(p->client, &group, (xmtp_group_field)i, text, &p->error),
            XMTP_E_LIMIT, errors[i]);
        assert_int_equal(conversation_of(p, &group).epoch, epoch);
        text[limits[i]] = '\0';
        assert_ok(p,
                  xmtp_client_group_set(p->client, &group, (xmtp_group_field)i, text, &p->error));
    }
    assert_refused(p, xmtp_client_group_set(p->client, &group, XMTP_FIELD_NAME, "\xff", &p->error),
                   XMTP_E_ARGUMENT, "name is not UTF-8");
    people_close(p, 1);
}

static void a_group_starts_with_what_its_options_say(void **state)
{
    (void)state;
    const xmtp_policy_set custom = {
        .add_member = XMTP_POLICY_SUPER_ADMIN,
        .remove_member = XMTP_POLICY_DENY,
        .add_admin = XMTP_POLICY_ADMIN,
        .remove_admin = XMTP_POLICY_DENY,
        .name = XMTP_POLICY_ADMIN,
        .description = XMTP_POLICY_ALLOW,
        .image_url = XMTP_POLICY_SUPER_ADMIN,
        .app_data = XMTP_POLICY_ALLOW,
        .disappearing = XMTP_POLICY_ALLOW,
    };
    const xmtp_group_options options = {
        .name = "n",
        .description = "d",
        .image_url = "i",
        .app_data = "a",
        .preset = XMTP_POLICIES_CUSTOM,
        .policies = &custom,
        .disappear_from_ns = 5,
        .disappear_in_ns = 7,
    };
    person p[2];
    xmtp_conversation_id group;
    people_open(p, 2, &net);
    const char *members[] = {xmtp_client_address(p[1].client)};
    assert_ok(&p[0], xmtp_client_group_create_with(p[0].client, &options, members, 1, &group,
                                                   &p[0].error));
    sync_all(&p[1]);
    xmtp_conversation_details d = details_of(&p[1], &group);
    assert_string_equal(d.name, "n");
    assert_string_equal(d.description, "d");
    assert_string_equal(d.image_url, "i");
    assert_string_equal(d.app_data, "a");
    assert_true(d.is_disappearing);
    assert_int_equal(d.disappear_from_ns, 5);
    assert_int_equal(d.disappear_in_ns, 7);
    assert_int_equal(d.preset, XMTP_POLICIES_CUSTOM);
    xmtp_policy_set expected = custom;
    expected.minimum_version = XMTP_POLICY_SUPER_ADMIN;
    expected.update_permissions = XMTP_POLICY_SUPER_ADMIN;
    assert_memory_equal(&d.policies, &expected, sizeof(expected));
    people_close(p, 2);
}

static void presets_are_recognised_and_hold(void **state)
{
    (void)state;
    person p[2];
    xmtp_conversation_id strict;
    xmtp_conversation_id open;
    people_open(p, 2, &net);
    const char *members[] = {xmtp_client_inbox_id(p[1].client)};
    const xmtp_group_options options = {.preset = XMTP_POLICIES_ADMIN_ONLY};
    assert_ok(&p[0], xmtp_client_group_create_with(p[0].client, &options, members, 1, &strict,
                                                   &p[0].error));
    group_of(p, 2, &open);
    assert_int_equal(details_of(&p[1], &strict).preset, XMTP_POLICIES_ADMIN_ONLY);
    assert_int_equal(details_of(&p[1], &open).preset, XMTP_POLICIES_DEFAULT);
    assert_refused(&p[1], xmtp_client_group_rename(p[1].client, &strict, "mine", &p[1].error),
                   XMTP_E_PERMISSION, "may not change the group's metadata");
    assert_ok(&p[1], xmtp_client_group_rename(p[1].client, &open, "ours", &p[1].error));
    people_close(p, 2);
}

static void admins_are_made_and_unmade(void **state)
{
    (void)state;
    person p[3];
    xmtp_conversation_id group;
    people_open(p, 3, &net);
    group_of(p, 3, &group);
    const char *bob = xmtp_client_inbox_id(p[1].client);
    const char *cid[] = {xmtp_client_inbox_id(p[2].client)};
    /* a member may not, the creator may, the admin then removes somebody */
    assert_refused(
        &p[1],
        xmtp_client_group_change_admins(p[1].client, &group, XMTP_ADMIN_ADD, bob, &p[1].error),
        XMTP_E_PERMISSION, "may not change the lists of admins");
    assert_ok(&p[0], xmtp_client_group_change_admins(p[0].client, &group, XMTP_ADMIN_ADD, bob,
                                                     &p[0].error));
    uint64_t epoch = conversation_of(&p[0], &group).epoch;
    assert_ok(&p[0], xmtp_client_group_change_admins(p[0].client, &group, XMTP_ADMIN_ADD, bob,
                                                     &p[0].error)); /* is one: nothing */
    assert_int_equal(conversation_of(&p[0], &group).epoch, epoch);
    sync_all(&p[1]);
    assert_true(details_of(&p[1], &group).is_admin);
    assert_int_equal(details_of(&p[0], &group).admin_count, 1);
    assert_string_equal(details_of(&p[0], &group).admins[0], bob);
    assert_ok(&p[1], xmtp_client_group_remove(p[1].client, &group, cid, 1, &p[1].error));
    /* unmade: no longer */
    assert_ok(&p[0], xmtp_client_group_change_admins(p[0].client, &group, XMTP_ADMIN_REMOVE, bob,
                                                     &p[0].error));
    sync_all(&p[1]);
    assert_false(details_of(&p[1], &group).is_admin);
    people_close(p, 3);
}

static void the_last_super_admin_stays(void **state)
{
    (void)state;
    person p[2];
    xmtp_conversation_id group;
    people_open(p, 2, &net);
    group_of(p, 2, &group);
    const char *ann = xmtp_client_inbox_id(p[0].client);
    const char *bob[] = {xmtp_client_inbox_id(p[1].client)};
    assert_refused(&p[0],
                   xmtp_client_group_change_admins(p[0].client, &group, XMTP_SUPER_ADMIN_REMOVE,
                                                   ann, &p[0].error),
                   XMTP_E_PERMISSION, "may not remove the last super admin");
    assert_ok(&p[0], xmtp_client_group_change_admins(p[0].client, &group, XMTP_SUPER_ADMIN_ADD,
                                                     bob[0], &p[0].error));
    assert_int_equal(details_of(&p[0], &group).super_admin_count, 2);
    /* super admins are not removed from the group, but from the list, and then by the other one */
    assert_refused(&p[0], xmtp_client_group_remove(p[0].client, &group, bob, 1, &p[0].error),
                   XMTP_E_PERMISSION, "may not remove members");
    sync_all(&p[1]);
    assert_ok(&p[1], xmtp_client_group_change_admins(p[1].client, &group, XMTP_SUPER_ADMIN_REMOVE,
                                                     ann, &p[1].error));
    sync_all(&p[0]);
    assert_false(details_of(&p[0], &group).is_super_admin);
    people_close(p, 2);
}

/* Changes one permission to policy and back to what it was; each time both sides see it. */
static void check_permission(person *p, const xmtp_conversation_id *group, xmtp_permission what,
                             xmtp_group_field field, size_t offset, xmtp_policy policy)
{
    assert_ok(&p[0], xmtp_client_group_set_permission(p[0].client, group, what, field, policy,
                                                      &p[0].error));
    sync_all(&p[1]);
    for (size_t i = 0; i < 2; i++) {
        xmtp_conversation_details d = details_of(&p[i], group);
        xmtp_policy seen;
        memcpy(&seen, (const uint8_t *)&d.policies + offset, sizeof(seen));
        assert_int_equal(seen, policy);
    }
}

static void every_permission_can_be_set_to_every_policy(void **state)
{
    (void)state;
    static const struct {
        xmtp_permission what;
        xmtp_group_field field;
        size_t offset;
    } all[] = {
        {XMTP_PERMISSION_ADD_MEMBER, 0, offsetof(xmtp_policy_set, add_member)},
        {XMTP_PERMISSION_REMOVE_MEMBER, 0, offsetof(xmtp_policy_set, remove_member)},
        {XMTP_PERMISSION_ADD_ADMIN, 0, offsetof(xmtp_policy_set, add_admin)},
        {XMTP_PERMISSION_REMOVE_ADMIN, 0, offsetof(xmtp_policy_set, remove_admin)},
        {XMTP_PERMISSION_UPDATE_METADATA, XMTP_FIELD_NAME, offsetof(xmtp_policy_set, name)},
        {XMTP_PERMISSION_UPDATE_METADATA, XMTP_FIELD_DESCRIPTION,
         offsetof(xmtp_policy_set, description)},
        {XMTP_PERMISSION_UPDATE_METADATA, XMTP_FIELD_IMAGE_URL,
         offsetof(xmtp_policy_set, image_url)},
        {XMTP_PERMISSION_UPDATE_METADATA, XMTP_FIELD_APP_DATA, offsetof(xmtp_policy_set, app_data)},
        {XMTP_PERMISSION_UPDATE_METADATA, XMTP_FIELD_DISAPPEAR_IN,
         offsetof(xmtp_policy_set, disappearing)},
        {XMTP_PERMISSION_UPDATE_METADATA, XMTP_FIELD_MINIMUM_VERSION,
         offsetof(xmtp_policy_set, minimum_version)},
    };
    person p[2];
    xmtp_conversation_id group;
    people_open(p, 2, &net);
    group_of(p, 2, &group);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        check_permission(p, &group, all[i].what, all[i].field, all[i].offset,
                         (xmtp_policy)(XMTP_POLICY_DENY + i % 3));
    }
    check_permission(p, &group, all[0].what, 0, all[0].offset, XMTP_POLICY_ALLOW);
    assert_int_equal(details_of(&p[1], &group).preset, XMTP_POLICIES_CUSTOM);
    assert_refused(&p[1],
                   xmtp_client_group_set_permission(p[1].client, &group, XMTP_PERMISSION_ADD_MEMBER,
                                                    0, XMTP_POLICY_DENY, &p[1].error),
                   XMTP_E_PERMISSION, "may not change permissions");
    assert_refused(&p[0],
                   xmtp_client_group_set_permission(p[0].client, &group, XMTP_PERMISSION_ADD_MEMBER,
                                                    0, XMTP_POLICY_OTHER, &p[0].error),
                   XMTP_E_ARGUMENT, "policy 5 cannot be set");
    people_close(p, 2);
}

static void a_permission_that_was_given_is_used(void **state)
{
    (void)state;
    person p[3];
    xmtp_conversation_id group;
    people_open(p, 3, &net);
    group_of(p, 3, &group);
    const char *cid[] = {xmtp_client_inbox_id(p[2].client)};
    assert_ok(&p[0],
              xmtp_client_group_set_permission(p[0].client, &group, XMTP_PERMISSION_REMOVE_MEMBER,
                                               0, XMTP_POLICY_ALLOW, &p[0].error));
    sync_all(&p[1]);
    assert_ok(&p[1], xmtp_client_group_remove(p[1].client, &group, cid, 1, &p[1].error));
    sync_all(&p[0]);
    assert_int_equal(conversation_of(&p[0], &group).member_count, 2);
    people_close(p, 3);
}

static void dms_have_no_admins_but_disappearing_messages(void **state)
{
    (void)state;
    person p[2];
    xmtp_conversation_id dm;
    people_open(p, 2, &net);
    const char *bob = xmtp_client_inbox_id(p[1].client);
    const xmtp_group_options named = {.name = "no"};
    assert_refused(&p[0], xmtp_client_dm_with(p[0].client, bob, &named, &dm, &p[0].error),
                   XMTP_E_ARGUMENT, "a DM has no name");
    const xmtp_group_options options = {.disappear_from_ns = 1, .disappear_in_ns = 1000000000};
    assert_int_equal(xmtp_client_dm_find(p[0].client, bob, &dm, &p[0].error), XMTP_E_NOT_FOUND);
    assert_ok(&p[0], xmtp_client_dm_with(p[0].client, bob, &options, &dm, &p[0].error));
    xmtp_conversation_id found;
    assert_ok(&p[0], xmtp_client_dm_find(p[0].client, bob, &found, &p[0].error));
    assert_memory_equal(&found, &dm, sizeof(dm));
    sync_all(&p[1]);
    assert_int_equal(details_of(&p[1], &dm).disappear_in_ns, 1000000000);
    assert_int_equal(details_of(&p[1], &dm).super_admin_count, 0);
    assert_refused(&p[0], xmtp_client_group_rename(p[0].client, &dm, "no", &p[0].error),
                   XMTP_E_PERMISSION, "a DM has no members to change, no name");
    assert_ok(&p[1], xmtp_client_set_disappearing(p[1].client, &dm, 0, 0, &p[1].error));
    sync_all(&p[0]);
    assert_false(details_of(&p[0], &dm).is_disappearing);
    people_close(p, 2);
}

static void app_data_are_swapped_only_when_they_are_what_was_expected(void **state)
{
    (void)state;
    person p[2];
    xmtp_conversation_id group;
    people_open(p, 2, &net);
    group_of(p, 2, &group);
    assert_ok(&p[0], xmtp_client_group_swap_app_data(p[0].client, &group, "", "1", &p[0].error));
    /* Bob has not heard of it: his commit loses its race, and is not built again. */
    assert_refused(&p[1],
                   xmtp_client_group_swap_app_data(p[1].client, &group, "", "2", &p[1].error),
                   XMTP_E_STATE, "app_data is no longer what was expected");
    assert_ok(&p[1], xmtp_client_group_swap_app_data(p[1].client, &group, "1", "2", &p[1].error));
    sync_all(&p[0]);
    assert_string_equal(details_of(&p[0], &group).app_data, "2");
    people_close(p, 2);
}

static void a_minimum_version_is_checked_and_kept(void **state)
{
    (void)state;
    person p[2];
    xmtp_conversation_id group;
    people_open(p, 2, &net);
    group_of(p, 2, &group);
    assert_refused(
        &p[0],
        xmtp_client_group_set(p[0].client, &group, XMTP_FIELD_MINIMUM_VERSION, "soon", &p[0].error),
        XMTP_E_ARGUMENT, "not soon");
    assert_refused(&p[0],
                   xmtp_client_group_set(p[0].client, &group, XMTP_FIELD_MINIMUM_VERSION, "1.11.0",
                                         &p[0].error),
                   XMTP_E_ARGUMENT, "version 1.11.0 would lock out this library");
    assert_ok(&p[0], xmtp_client_group_set(p[0].client, &group, XMTP_FIELD_MINIMUM_VERSION,
                                           "1.10.0", &p[0].error));
    sync_all(&p[1]);
    assert_string_equal(details_of(&p[1], &group).minimum_version, "1.10.0");
    send_text(&p[1], &group, "still here");
    people_close(p, 2);
}

static void more_than_250_members_are_refused_with_the_number(void **state)
{
    (void)state;
    static const char *members[251];
    person p[1];
    xmtp_conversation_id group;
    people_open(p, 1, &net);
    for (size_t i = 0; i < 251; i++) {
        members[i] = xmtp_client_inbox_id(p[0].client);
    }
    assert_refused(p, xmtp_client_group_create(p->client, "many", members, 251, &group, &p->error),
                   XMTP_E_LIMIT, "251 members, at most 250");
    assert_int_equal(group.n, 0);
    people_close(p, 1);
}

static void an_optimistic_group_is_there_at_once_and_published_by_the_first_message(void **state)
{
    (void)state;
    person p[2];
    xmtp_conversation_id group;
    people_open(p, 2, &net);
    const xmtp_group_options options = {.name = "later", .is_optimistic = true};
    const char *members[] = {xmtp_client_inbox_id(p[1].client)};
    uint64_t sends = p[0].wire.sends;
    assert_ok(&p[0], xmtp_client_group_create_with(p[0].client, &options, members, 1, &group,
                                                   &p[0].error));
    assert_int_equal(p[0].wire.sends, sends);
    assert_string_equal(conversation_of(&p[0], &group).name, "later");
    person_reopen(&p[0]);
    assert_string_equal(conversation_of(&p[0], &group).name, "later");
    send_text(&p[0], &group, "hello");
    sync_all(&p[1]);
    assert_texts(&p[1], &group, "hello|");
    assert_int_equal(conversation_of(&p[1], &group).member_count, 2);
    people_close(p, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_text_of_a_group_reaches_the_others),
        cmocka_unit_test(texts_are_refused_past_their_limit_and_accepted_at_it),
        cmocka_unit_test(a_group_starts_with_what_its_options_say),
        cmocka_unit_test(presets_are_recognised_and_hold),
        cmocka_unit_test(admins_are_made_and_unmade),
        cmocka_unit_test(the_last_super_admin_stays),
        cmocka_unit_test(every_permission_can_be_set_to_every_policy),
        cmocka_unit_test(a_permission_that_was_given_is_used),
        cmocka_unit_test(dms_have_no_admins_but_disappearing_messages),
        cmocka_unit_test(app_data_are_swapped_only_when_they_are_what_was_expected),
        cmocka_unit_test(a_minimum_version_is_checked_and_kept),
        cmocka_unit_test(more_than_250_members_are_refused_with_the_number),
        cmocka_unit_test(an_optimistic_group_is_there_at_once_and_published_by_the_first_message),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
