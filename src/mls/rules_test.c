/* rules_test.c - what RFC 9420 sections 11, 12.1 and 12.2 ask of the list of proposals that a commit
 * holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mls/rules_scene.h"

/* ---- lists, section 12.2 ---- */

static void removes_committer(scene *s)
{
    add_remove(s, 1);
}

static void removes_blank(scene *s)
{
    add_remove(s, 3);
}

static void removes_beyond(scene *s)
{
    add_remove(s, 1000);
}

static void removes_far_beyond(scene *s)
{
    add_remove(s, UINT32_MAX);
}

static void removes_twice(scene *s)
{
    add_remove(s, 2);
    add_remove(s, 2);
}

static void removes_without_path(scene *s)
{
    add_remove(s, 2);
}

static void is_empty_without_path(scene *s)
{
    (void)s;
}

static void updates_by_value(scene *s)
{
    xmtp_proposal update = {.type = XMTP_PROPOSAL_UPDATE};
    update.u.update = sign_leaf(s, &s->carol, fresh_update(s), 2, false);
    by_value(s, &update);
}

static void updates_twice(scene *s)
{
    xmtp_proposal update = {.type = XMTP_PROPOSAL_UPDATE};
    update.u.update = sign_leaf(s, &s->carol, fresh_update(s), 2, false);
    by_reference_of_carol(s, &update);
    update.u.update = sign_leaf(s, &s->carol, fresh_update(s), 2, false);
    by_reference_of_carol(s, &update);
}

static void updates_and_removes(scene *s)
{
    xmtp_proposal update = {.type = XMTP_PROPOSAL_UPDATE};
    update.u.update = sign_leaf(s, &s->carol, fresh_update(s), 2, false);
    by_reference_of_carol(s, &update);
    add_remove(s, 2);
}

static void updates_without_path(scene *s)
{
    xmtp_proposal update = {.type = XMTP_PROPOSAL_UPDATE};
    update.u.update = sign_leaf(s, &s->carol, fresh_update(s), 2, false);
    by_reference_of_carol(s, &update);
}

static void updates_for_another_place(scene *s)
{
    xmtp_proposal update = {.type = XMTP_PROPOSAL_UPDATE};
    update.u.update = sign_leaf(s, &s->carol, fresh_update(s), 3, false);
    by_reference_of_carol(s, &update);
}

static void removes_committer_by_reference(scene *s)
{
    by_reference_of_carol(s, &(xmtp_proposal){.type = XMTP_PROPOSAL_REMOVE, .u.remove = 1});
}

static void refers_to_nothing(scene *s)
{
    by_reference(s, s->tag);
}

static void refers_to_an_empty_name(scene *s)
{
    by_reference(s, (xmtp_bytes){0});
}

static void extensions_twice(scene *s)
{
    extensions_raw(s, 0xff00, other_bytes, 1);
    extensions_raw(s, 0xff00, other_bytes, 1);
}

static void extensions_unsupported(scene *s)
{
    extensions_raw(s, 0xabcd, other_bytes, 1);
}

static void extensions_demanding(scene *s)
{
    static const uint8_t demanding[] = {2, 0xab, 0xcd, 0, 0};
    extensions_raw(s, 3, demanding, sizeof demanding);
}

static void extensions_demanding_proposals(scene *s)
{
    static const uint8_t demanding[] = {0, 2, 0xab, 0xcd, 0};
    extensions_raw(s, 3, demanding, sizeof demanding);
}

static void extensions_demanding_credentials(scene *s)
{
    static const uint8_t demanding[] = {0, 0, 2, 0, 2};
    extensions_raw(s, 3, demanding, sizeof demanding);
}

static void extensions_unreadable(scene *s)
{
    extensions_raw(s, 3, other_bytes, 1);
}

static void extensions_odd_senders(scene *s)
{
    extensions_raw(s, 5, other_bytes + 1, 3);
}

static void extensions_without_path(scene *s)
{
    extensions_raw(s, 0xff00, other_bytes, 1);
}

static void add_psk(scene *s, uint8_t type, const char *id, uint8_t usage, size_t nonce)
{
    by_value(s, &(xmtp_proposal){.type = XMTP_PROPOSAL_PSK,
                                 .u.psk = {.type = type,
                                           .psk_id = xmtp_bytes_of_string(id),
                                           .usage = usage,
                                           .psk_group_id = xmtp_bytes_of_string(id),
                                           .psk_nonce = xmtp_bytes_of(s->tag.p, nonce)}});
}

static void psk_unknown(scene *s)
{
    add_psk(s, XMTP_PSK_EXTERNAL, "?", 0, 32);
}

static void psk_short_nonce(scene *s)
{
    add_psk(s, XMTP_PSK_EXTERNAL, "known", 0, 31);
}

static void psk_no_nonce(scene *s)
{
    add_psk(s, XMTP_PSK_EXTERNAL, "known", 0, 0);
}

static void psk_twice(scene *s)
{
    add_psk(s, XMTP_PSK_EXTERNAL, "known", 0, 32);
    add_psk(s, XMTP_PSK_EXTERNAL, "known", 0, 32);
}

static void psk_type(scene *s)
{
    add_psk(s, 3, "known", 0, 32);
}

static void psk_usage_branch(scene *s)
{
    add_psk(s, XMTP_PSK_RESUMPTION, "known", XMTP_PSK_USAGE_BRANCH, 32);
}

static void psk_usage_reinit(scene *s)
{
    add_psk(s, XMTP_PSK_RESUMPTION, "known", XMTP_PSK_USAGE_REINIT, 32);
}

static void psk_usage_unknown(scene *s)
{
    add_psk(s, XMTP_PSK_RESUMPTION, "known", 4, 32);
}

static void psk_other_group(scene *s)
{
    add_psk(s, XMTP_PSK_RESUMPTION, "other group", XMTP_PSK_USAGE_APPLICATION, 32);
}

static void add_reinit(scene *s, uint16_t version)
{
    by_value(s, &(xmtp_proposal){.type = XMTP_PROPOSAL_REINIT,
                                 .u.reinit = {.group_id = xmtp_bytes_of("n", 1),
                                              .version = version,
                                              .cipher_suite = 3}});
}

static void reinit_with_others(scene *s)
{
    add_reinit(s, 1);
    add_remove(s, 2);
}

static void reinit_twice(scene *s)
{
    add_reinit(s, 1);
    add_reinit(s, 1);
}

static void reinit_version(scene *s)
{
    add_reinit(s, 0);
}

static void unknown_type(scene *s)
{
    by_value(s, &(xmtp_proposal){.type = 0xf00d, .u.unknown = s->tag});
}

static void reserved_type(scene *s)
{
    by_value(s, &(xmtp_proposal){.type = 0, .u.unknown = s->tag});
}

static void adds_twice(scene *s)
{
    const xmtp_proposal add = add_of(s, &s->dave, NULL, NULL);
    by_value(s, &add);
    by_value(s, &add);
}

static void adds_one_signer_twice(scene *s)
{
    const xmtp_proposal one = add_of(s, &s->dave, NULL, NULL);
    const xmtp_proposal two = add_of(s, &s->dave, NULL, NULL);
    by_value(s, &one);
    by_value(s, &two);
}

static void adds_a_member(scene *s)
{
    const xmtp_proposal add = add_of(s, &s->carol, NULL, NULL);
    by_value(s, &add);
}

static void adds_the_committer(scene *s)
{
    const xmtp_proposal add = add_of(s, &s->bob, NULL, NULL);
    by_value(s, &add);
}

static void adds_us(scene *s)
{
    const xmtp_proposal add = add_of(s, &s->alice, NULL, NULL);
    by_value(s, &add);
}

static void odd_kind(scene *s)
{
    xmtp_writer_u8(&s->list, 3);
    xmtp_proposal_encode(&s->list, &(xmtp_proposal){.type = XMTP_PROPOSAL_REMOVE});
}

static void cut_proposal(scene *s)
{
    xmtp_writer_u8(&s->list, XMTP_BY_VALUE);
    xmtp_writer_u8(&s->list, 0);
}

/* draft-ietf-mls-extensions-10, sections 4.7 and 6.3 */

static const xmtp_proposal self_remove = {.type = XMTP_PROPOSAL_SELF_REMOVE};

static void removes_itself_by_value(scene *s)
{
    by_value(s, &self_remove);
}

static void removes_itself_without_path(scene *s)
{
    by_reference_of_carol(s, &self_remove);
}

static void removes_itself_and_is_removed(scene *s)
{
    by_reference_of_carol(s, &self_remove);
    add_remove(s, 2);
}

static void updates_data_of_an_unknown_component(scene *s)
{
    by_value(s, &(xmtp_proposal){.type = XMTP_PROPOSAL_APP_DATA_UPDATE,
                                 .u.app_data_update = {.component_id = 0x8001,
                                                       .operation = XMTP_APP_DATA_UPDATE,
                                                       .update = s->tag}});
}

static void app_data_of(scene *s, uint8_t operation)
{
    by_value(
        s, &(xmtp_proposal){.type = XMTP_PROPOSAL_APP_DATA_UPDATE,
                            .u.app_data_update = {.component_id = 0x8001, .operation = operation}});
}

static void removes_data_that_is_not_there(scene *s)
{
    app_data_of(s, XMTP_APP_DATA_REMOVE);
}

static void removes_data_twice(scene *s)
{
    app_data_of(s, XMTP_APP_DATA_REMOVE);
    app_data_of(s, XMTP_APP_DATA_REMOVE);
}

static void does_something_else_with_data(scene *s)
{
    app_data_of(s, 3);
}

static void sets_an_unordered_dictionary(scene *s)
{
    static const uint8_t falling[] = {6, 0, 2, 0, 0, 1, 0};
    extensions_raw(s, XMTP_EXTENSION_APP_DATA_DICTIONARY, falling, sizeof falling);
}

static void lists_keep_the_rules(void **state)
{
    (void)state;
    static const list_rule rules[] = {
        {"12.2 a committer does not remove itself", XMTP_E_REMOVES_COMMITTER, removes_committer},
        {"12.2 nor by reference", XMTP_E_REMOVES_COMMITTER, removes_committer_by_reference},
        {"12.1.3 a removed leaf holds a member", XMTP_E_NO_MEMBER, removes_blank},
        {"12.1.3 a removed leaf is in the tree", XMTP_E_NO_MEMBER, removes_beyond},
        {"12.1.3 whatever its number", XMTP_E_NO_MEMBER, removes_far_beyond},
        {"12.2 a leaf is removed once", XMTP_E_CHANGED_TWICE, removes_twice},
        {"12.4 Remove needs a path", XMTP_E_PATH_REQUIRED, removes_without_path},
        {"12.4 an empty commit needs a path", XMTP_E_PATH_REQUIRED, is_empty_without_path},
        {"12.2 a committer does not update itself", XMTP_E_UPDATES_COMMITTER, updates_by_value},
        {"12.2 a leaf is updated once", XMTP_E_CHANGED_TWICE, updates_twice},
        {"12.2 a leaf is updated or removed", XMTP_E_CHANGED_TWICE, updates_and_removes},
        {"12.4 Update needs a path", XMTP_E_PATH_REQUIRED, updates_without_path},
        {"7.2 an Update is signed for its place", XMTP_E_LEAF_SIGNATURE, updates_for_another_place},
        {"12.4 a reference is known", XMTP_E_PROPOSAL_REF, refers_to_nothing},
        {"12.4 a reference is not empty", XMTP_E_PROPOSAL_REF, refers_to_an_empty_name},
        {"12.2 extensions are set once", XMTP_E_EXTENSIONS_TWICE, extensions_twice},
        {"12.1.7 members support new extensions", XMTP_E_EXTENSION_UNSUPPORTED,
         extensions_unsupported},
        {"12.1.7 and required ones", XMTP_E_CAPABILITIES, extensions_demanding},
        {"12.1.7 and required proposals", XMTP_E_CAPABILITIES, extensions_demanding_proposals},
        {"12.1.7 and required credentials", XMTP_E_CAPABILITIES, extensions_demanding_credentials},
        {"11.1 required_capabilities can be read", XMTP_E_EXTENSION, extensions_unreadable},
        {"12.1.8.1 external_senders can be read", XMTP_E_EXTENSION, extensions_odd_senders},
        {"12.4 extensions need a path", XMTP_E_PATH_REQUIRED, extensions_without_path},
        {"8.4 a PSK is known", XMTP_E_PSK, psk_unknown},
        {"12.1.4 a nonce has Nh bytes", XMTP_E_PSK_NONCE, psk_short_nonce},
        {"12.1.4 a nonce is there", XMTP_E_PSK_NONCE, psk_no_nonce},
        {"12.2 a PSK is named once", XMTP_E_PSK_TWICE, psk_twice},
        {"8.4 the type of a PSK is known", XMTP_E_PSK_USAGE, psk_type},
        {"12.1.4 branch is for new groups", XMTP_E_PSK_USAGE, psk_usage_branch},
        {"12.1.4 reinit is for new groups", XMTP_E_PSK_USAGE, psk_usage_reinit},
        {"8.4 the usage of a PSK is known", XMTP_E_PSK_USAGE, psk_usage_unknown},
        {"8.6 a resumption secret is known", XMTP_E_PSK, psk_other_group},
        {"12.2 ReInit stands alone", XMTP_E_REINIT_NOT_ALONE, reinit_with_others},
        {"12.2 ReInit stands once", XMTP_E_REINIT_NOT_ALONE, reinit_twice},
        {"12.1.5 ReInit does not lower the version", XMTP_E_VERSION, reinit_version},
        {"12.2 a member does not send ExternalInit", XMTP_E_PROPOSAL, external_init_by_a_member},
        {"12.1 unknown types are refused", XMTP_E_PROPOSAL, unknown_type},
        {"17.4 type 0 is reserved", XMTP_E_PROPOSAL, reserved_type},
        {"12.2 a package is added once", XMTP_E_DUPLICATE_KEY, adds_twice},
        {"12.2 a client is added once", XMTP_E_DUPLICATE_SIGNATURE_KEY, adds_one_signer_twice},
        {"12.2 a member is not added", XMTP_E_DUPLICATE_SIGNATURE_KEY, adds_a_member},
        {"12.2 nor the committer", XMTP_E_DUPLICATE_SIGNATURE_KEY, adds_the_committer},
        {"12.2 nor we", XMTP_E_DUPLICATE_SIGNATURE_KEY, adds_us},
        {"draft 6.3 SelfRemove comes by reference", XMTP_E_SELF_REMOVE, removes_itself_by_value},
        {"draft 6.3 SelfRemove needs a path", XMTP_E_PATH_REQUIRED, removes_itself_without_path},
        {"draft 6.3 and not with a Remove", XMTP_E_CHANGED_TWICE, removes_itself_and_is_removed},
        {"draft 4.7 a component is known", XMTP_E_APP_DATA, updates_data_of_an_unknown_component},
        {"draft 4.7 data to remove is there", XMTP_E_APP_DATA, removes_data_that_is_not_there},
        {"draft 4.7 data is removed once", XMTP_E_PROPOSAL_LIST, removes_data_twice},
        {"draft 4.7 data is updated or removed", XMTP_E_MALFORMED, does_something_else_with_data},
        {"draft 4.6 a dictionary is sorted", XMTP_E_APP_DATA, sets_an_unordered_dictionary},
        {"12.4 a proposal comes by value or reference", XMTP_E_MALFORMED, odd_kind},
        {"12.4 a proposal is whole", XMTP_E_TRUNCATED, cut_proposal},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        scene s;
        scene_open(&s);
        rules[i].fill(&s);
        expect_commit(&s, rules[i].rule, rules[i].status);
        scene_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_keep_the_rules),
    };
    return cmocka_run_group_tests(tests, NULL, print_count);
}
