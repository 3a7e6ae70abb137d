/* group_data_test.c - the extensions of a group context against those of the official client. */
#include "client/group_data.h"

#include "base/bytes.h"
#include "client/policy_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// cmocka wants the headers above first
#include <cmocka.h>

#include "mls/test_vectors.h"

static xmtp_arena arena;

static int open_arena(void **state)
{
    (void)state;
    xmtp_arena_init(&arena, &xmtp_env_system()->alloc, 1 << 24);
    return 0;
}

static int close_arena(void **state)
{
    (void)state;
    xmtp_arena_reset(&arena);
    return 0;
}

static xmtp_bytes hex_bytes(const char *hex)
{
    void *p;
    size_t n = strlen(hex);
    assert_int_equal(xmtp_arena_take(&arena, n / 2, &p), XMTP_OK);
    assert_int_equal(xmtp_hex_decode(p, n / 2, hex, n), XMTP_OK);
    return xmtp_bytes_of(p, n / 2);
}

/* Extension data of the given type in an epoch of groups.json; empty when it is not there. */
static xmtp_bytes extension_of(const cJSON *epoch, int type)
{
    const cJSON *extension;
    cJSON_ArrayForEach(extension, cJSON_GetObjectItem(epoch, "extensions"))
    {
        const cJSON *number = cJSON_GetObjectItem(extension, "type");
        if (cJSON_IsNumber(number) && number->valueint == type) {
            return hex_bytes(cJSON_GetObjectItem(extension, "data")->valuestring);
        }
    }
    return (xmtp_bytes){0};
}

static xmtp_bytes preset(xmtp_group_kind kind)
{
    xmtp_writer w;
    xmtp_bytes copy;
    xmtp_writer_init(&w, &xmtp_env_system()->alloc, 4096);
    assert_int_equal(xmtp_policies_encode(&w, kind, XMTP_POLICIES_DEFAULT, NULL, NULL), XMTP_OK);
    assert_int_equal(xmtp_arena_copy(&arena, xmtp_writer_bytes(&w), &copy), XMTP_OK);
    xmtp_writer_free(&w);
    return copy;
}

static void check_epoch(const cJSON *epoch, bool is_first)
{
    Pb__GroupMetadata *immutable;
    Pb__GroupMutableMetadata *mutable_metadata;
    Pb__PolicySet *permissions;
    Pb__PolicySet *expected;
    xmtp_bytes data = extension_of(epoch, XMTP_EXTENSION_IMMUTABLE_METADATA);
    assert_int_equal(xmtp_group_metadata_decode(&arena, data, &immutable), XMTP_OK);
    bool is_dm = immutable->conversation_type == XMTP_GROUP_KIND_DM;
    xmtp_writer w;
    xmtp_writer_init(&w, &xmtp_env_system()->alloc, 4096);
    assert_int_equal(
        xmtp_group_metadata_encode(&w, (xmtp_group_kind)immutable->conversation_type,
                                   immutable->creator_inbox_id,
                                   is_dm ? immutable->dm_members->dm_member_two->inbox_id : NULL),
        XMTP_OK);
    assert_true(xmtp_bytes_equal(xmtp_writer_bytes(&w), data));
    xmtp_writer_free(&w);
    data = extension_of(epoch, XMTP_EXTENSION_MUTABLE_METADATA);
    assert_int_equal(xmtp_mutable_metadata_decode(&arena, data, &mutable_metadata), XMTP_OK);
    assert_non_null(xmtp_attribute(mutable_metadata, XMTP_ATTRIBUTE_COMMIT_LOG_SIGNER));
    assert_int_equal(mutable_metadata->super_admin_list->n_inbox_ids > 0, !is_dm);
    data = extension_of(epoch, XMTP_EXTENSION_PERMISSIONS);
    assert_int_equal(xmtp_permissions_decode(&arena, data, &permissions), XMTP_OK);
    data = preset(is_dm ? XMTP_GROUP_KIND_DM : XMTP_GROUP_KIND_GROUP);
    assert_int_equal(xmtp_permissions_decode(&arena, data, &expected), XMTP_OK);
    bool is_equal;
    assert_int_equal(xmtp_permissions_equal(&arena, permissions, expected, &is_equal), XMTP_OK);
    assert_true(!is_first || is_equal);
}

static void contexts_of_the_official_client_are_read_and_written_alike(void **state)
{
    (void)state;
    cJSON *file = vectors_open("xmtp/groups.json");
    int checked = 0;
    const cJSON *group;
    cJSON_ArrayForEach(group, cJSON_GetObjectItem(file, "groups"))
    {
        const cJSON *epoch;
        bool is_first = true;
        cJSON_ArrayForEach(epoch, cJSON_GetObjectItem(group, "epochs"))
        {
            check_epoch(epoch, is_first);
            is_first = false;
            checked++;
        }
    }
    cJSON_Delete(file);
    assert_true(checked >= 15);
}

static void a_metadata_without_its_lists_is_malformed(void **state)
{
    (void)state;
    Pb__GroupMutableMetadata *metadata;
    assert_int_equal(xmtp_mutable_metadata_decode(&arena, hex_bytes("1200"), &metadata),
                     XMTP_E_MALFORMED);
    assert_int_equal(xmtp_mutable_metadata_decode(&arena, hex_bytes("12001a00"), &metadata),
                     XMTP_OK);
}

static void attributes_are_set_and_the_last_of_a_repeated_key_counts(void **state)
{
    (void)state;
    Pb__GroupMutableMetadata *metadata;
    assert_int_equal(xmtp_mutable_metadata_decode(
                         &arena, hex_bytes("0a060a016112013112001a000a060a0161120132"), &metadata),
                     XMTP_OK);
    assert_string_equal(xmtp_attribute(metadata, "a"), "2");
    assert_null(xmtp_attribute(metadata, "b"));
    assert_int_equal(xmtp_attribute_set(&arena, metadata, "b", "3"), XMTP_OK);
    assert_int_equal(xmtp_attribute_set(&arena, metadata, "a", "4"), XMTP_OK);
    assert_string_equal(xmtp_attribute(metadata, "a"), "4");
    assert_string_equal(xmtp_attribute(metadata, "b"), "3");
    assert_int_equal(metadata->n_attributes, 3);
}

static void membership_entries_are_set_removed_and_found(void **state)
{
    (void)state;
    Pb__GroupMembership membership = PB__GROUP_MEMBERSHIP__INIT;
    uint64_t sequence_id = 7;
    assert_int_equal(xmtp_membership_set(&arena, &membership, "x", 0), XMTP_OK);
    assert_int_equal(xmtp_membership_set(&arena, &membership, "y", 5), XMTP_OK);
    assert_true(xmtp_membership_find(&membership, "x", &sequence_id));
    assert_int_equal(sequence_id, 0);
    assert_int_equal(xmtp_membership_set(&arena, &membership, "x", 9), XMTP_OK);
    assert_true(xmtp_membership_find(&membership, "x", &sequence_id));
    assert_int_equal(sequence_id, 9);
    xmtp_membership_remove(&membership, "x");
    assert_false(xmtp_membership_find(&membership, "x", &sequence_id));
    assert_int_equal(membership.n_members, 1);
    xmtp_bytes key = xmtp_bytes_of("0123", 4);
    assert_int_equal(xmtp_membership_add_failed(&arena, &membership, key), XMTP_OK);
    assert_int_equal(xmtp_membership_add_failed(&arena, &membership, key), XMTP_OK);
    assert_int_equal(membership.n_failed_installations, 1);
    assert_true(xmtp_membership_has_failed(&membership, key));
}

static const xmtp_actor member = {.inbox_id = "m"};
static const xmtp_actor admin = {.inbox_id = "a", .is_admin = true};
static const xmtp_actor super_admin = {.inbox_id = "s", .is_super_admin = true};

static void the_group_preset_lets_members_add_and_admins_remove(void **state)
{
    (void)state;
    Pb__PolicySet *set;
    assert_int_equal(xmtp_permissions_decode(&arena, preset(XMTP_GROUP_KIND_GROUP), &set), XMTP_OK);
    assert_true(xmtp_policy_allows_member_change(set->add_member_policy, &member));
    assert_false(xmtp_policy_allows_member_change(set->remove_member_policy, &member));
    assert_true(xmtp_policy_allows_member_change(set->remove_member_policy, &admin));
    assert_true(xmtp_policy_allows_member_change(set->remove_member_policy, &super_admin));
    assert_false(xmtp_policy_allows_admin_change(set->add_admin_policy, &admin));
    assert_true(xmtp_policy_allows_admin_change(set->add_admin_policy, &super_admin));
    assert_true(xmtp_policy_allows_attribute(set, XMTP_ATTRIBUTE_NAME, &member));
    assert_false(xmtp_policy_allows_attribute(set, XMTP_ATTRIBUTE_DISAPPEAR_IN, &member));
    assert_false(xmtp_policy_allows_attribute(set, XMTP_ATTRIBUTE_MINIMUM_VERSION, &admin));
    /* Without an entry: admins, and super admins alone for names that begin with an underscore. */
    assert_false(xmtp_policy_allows_attribute(set, "other", &member));
    assert_true(xmtp_policy_allows_attribute(set, "other", &admin));
    assert_false(xmtp_policy_allows_attribute(set, "_other", &admin));
    assert_true(xmtp_policy_allows_attribute(set, "_other", &super_admin));
}

static void composite_policies_need_all_or_any_and_may_not_be_empty(void **state)
{
    (void)state;
    Pb__MembershipPolicy allow = PB__MEMBERSHIP_POLICY__INIT;
    Pb__MembershipPolicy admins = PB__MEMBERSHIP_POLICY__INIT;
    Pb__MembershipPolicy both = PB__MEMBERSHIP_POLICY__INIT;
    allow.kind_case = admins.kind_case = PB__MEMBERSHIP_POLICY__KIND_BASE_POLICY;
    allow.base_policy = 1;
    admins.base_policy = 3;
    Pb__MembershipPolicy *items[] = {&allow, &admins};
    Pb__MembershipPolicy__List list = PB__MEMBERSHIP_POLICY__LIST__INIT;
    list.n_policies = 2;
    list.policies = items;
    both.kind_case = PB__MEMBERSHIP_POLICY__KIND_AND_CONDITION;
    both.and_condition = &list;
    assert_false(xmtp_policy_allows_member_change(&both, &member));
    assert_true(xmtp_policy_allows_member_change(&both, &admin));
    both.kind_case = PB__MEMBERSHIP_POLICY__KIND_ANY_CONDITION;
    assert_true(xmtp_policy_allows_member_change(&both, &member));
    /* The group preset with an empty all-of list, a base value of 0, and without
     * remove_member_policy. */
    Pb__PolicySet *set;
    assert_int_equal(xmtp_permissions_decode(&arena,
                                             hex_bytes("0a140a021200120208012202080"
                                                       "12a02080132020801"),
                                             &set),
                     XMTP_E_MALFORMED);
    assert_int_equal(xmtp_permissions_decode(&arena,
                                             hex_bytes("0a140a0208001202080122020801"
                                                       "2a0208013202080100"),
                                             &set),
                     XMTP_E_MALFORMED);
    assert_int_equal(
        xmtp_permissions_decode(&arena, hex_bytes("0a100a020801220208012a02080132020801"), &set),
        XMTP_E_MALFORMED);
    assert_int_equal(xmtp_permissions_decode(&arena,
                                             hex_bytes("0a140a0208011202080122020801"
                                                       "2a02080132020801"),
                                             &set),
                     XMTP_OK);
    assert_int_equal(xmtp_permissions_decode(&arena,
                                             hex_bytes("0a140a0208011202080122020804"
                                                       "2a02080132020801"),
                                             &set),
                     XMTP_E_MALFORMED);
}

static void a_new_groups_extensions_come_in_the_networks_order(void **state)
{
    (void)state;
    static const uint16_t order[] = {0xf000, 0xff00, 0xff01, 0xff02, 0x0003};
    xmtp_mls_extension *list;
    size_t count;
    const xmtp_group_initial what = {
        .kind = XMTP_GROUP_KIND_GROUP, .creator_inbox = "creator", .commit_log_signer = "00"};
    assert_int_equal(xmtp_group_extensions_initial(&arena, &what, &list, &count, NULL), XMTP_OK);
    assert_int_equal(count, 5);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(list[i].type, order[i]);
    }
    assert_true(
        xmtp_bytes_equal(list[4].data, hex_bytes("0cff01ff00ff02f000000a0001020007020001")));
    assert_true(xmtp_bytes_equal(list[2].data, hex_bytes("0a090a0763726561746f72")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contexts_of_the_official_client_are_read_and_written_alike),
        cmocka_unit_test(a_metadata_without_its_lists_is_malformed),
        cmocka_unit_test(attributes_are_set_and_the_last_of_a_repeated_key_counts),
        cmocka_unit_test(membership_entries_are_set_removed_and_found),
        cmocka_unit_test(the_group_preset_lets_members_add_and_admins_remove),
        cmocka_unit_test(composite_policies_need_all_or_any_and_may_not_be_empty),
        cmocka_unit_test(a_new_groups_extensions_come_in_the_networks_order),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
