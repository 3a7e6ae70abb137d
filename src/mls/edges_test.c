/* edges_test.c - inner functions at the edges of what they take: limits, lengths, kinds that are
 * none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mls/group_dump.h"
#include "mls/kept.h"
#include "mls/label.h"
#include "mls/message.h"
#include "mls/treekem.h"

static const xmtp_suite *const suite = &xmtp_suite_x25519_chacha;

static xmtp_arena arena_new(void)
{
    xmtp_arena arena;
    xmtp_arena_init(&arena, &xmtp_env_system()->alloc, 64 << 20);
    return arena;
}

static xmtp_writer writer_new(void)
{
    xmtp_writer w;
    xmtp_writer_init(&w, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    return w;
}

/* ---- limits of lists ---- */

static void group_secrets_name_a_limited_number_of_psks(void **state)
{
    (void)state;
    static const uint8_t psk[] = {XMTP_PSK_EXTERNAL, 0, 0};
    xmtp_writer w = writer_new();
    xmtp_arena arena = arena_new();
    xmtp_group_secrets secrets;
    xmtp_writer_u8(&w, 0); /* joiner_secret */
    xmtp_writer_u8(&w, 0); /* no path_secret */
    size_t mark = xmtp_writer_vec_open(&w);
    for (size_t i = 0; i < XMTP_MLS_PSKS_MAX + 1; i++) {
        xmtp_writer_put(&w, xmtp_bytes_of(psk, sizeof psk));
    }
    xmtp_writer_vec_close(&w, mark);
    xmtp_reader r = xmtp_reader_of(xmtp_writer_bytes(&w));
    assert_int_equal(xmtp_group_secrets_decode(&r, &arena, &secrets), XMTP_E_LIMIT);
    xmtp_writer_free(&w);
    xmtp_arena_reset(&arena);
}

static void secrets_without_a_path_are_encoded(void **state)
{
    (void)state;
    static const uint8_t want[] = {1, 7, 0, 0};
    xmtp_writer w = writer_new();
    xmtp_group_secrets_encode(&w, &(xmtp_group_secrets){.joiner_secret = xmtp_bytes_of("\7", 1)});
    assert_true(xmtp_bytes_equal(xmtp_writer_bytes(&w), xmtp_bytes_of(want, sizeof want)));
    xmtp_writer_free(&w);
}

static void commits_hold_a_limited_number_of_proposals(void **state)
{
    (void)state;
    xmtp_writer w = writer_new();
    xmtp_arena arena = arena_new();
    static xmtp_commit commit;
    size_t mark = xmtp_writer_vec_open(&w);
    for (size_t i = 0; i < XMTP_MLS_PROPOSALS_MAX + 1; i++) {
        xmtp_writer_u8(&w, XMTP_BY_REFERENCE);
        xmtp_writer_u8(&w, 0);
    }
    xmtp_writer_vec_close(&w, mark);
    xmtp_writer_u8(&w, 0);
    xmtp_reader r = xmtp_reader_of(xmtp_writer_bytes(&w));
    assert_int_equal(xmtp_commit_decode(&r, &arena, &commit), XMTP_E_LIMIT);
    xmtp_writer_free(&w);
    xmtp_arena_reset(&arena);
}

static void trees_have_a_limited_width(void **state)
{
    (void)state;
    enum { TOO_MANY = 2 * XMTP_MLS_LEAVES_MAX };
    xmtp_tree tree;
    xmtp_writer w = writer_new();
    size_t mark = xmtp_writer_vec_open(&w);
    uint8_t *nodes = xmtp_writer_extend(&w, TOO_MANY);
    assert_non_null(nodes);
    memset(nodes, 0, TOO_MANY); /* blanks */
    xmtp_writer_vec_close(&w, mark);
    xmtp_tree_init(&tree, suite, &xmtp_env_system()->alloc);
    assert_int_equal(xmtp_tree_decode(&tree, xmtp_writer_bytes(&w)), XMTP_E_LIMIT);
    xmtp_tree_free(&tree);
    xmtp_writer_free(&w);
}

static xmtp_status any_psk(void *context, const xmtp_mls_psk *psk, uint8_t *out, size_t *out_len)
{
    (void)context;
    (void)psk;
    memset(out, 1, 32);
    *out_len = 32;
    return XMTP_OK;
}

static void a_commit_names_a_limited_number_of_psks(void **state)
{
    (void)state;
    static xmtp_mls_proposal all[XMTP_MLS_PSKS_MAX + 1];
    static uint8_t names[XMTP_MLS_PSKS_MAX + 1][2];
    world_env world;
    member m;
    xmtp_mls_pending *pending;
    world_env_init(&world, 1);
    member_init(&m, &world, "m");
    m.config.find_psk = any_psk;
    member_create(&m);
    for (size_t i = 0; i < XMTP_MLS_PSKS_MAX + 1; i++) {
        names[i][0] = (uint8_t)i;
        names[i][1] = (uint8_t)(i >> 8);
        all[i] = (xmtp_mls_proposal){
            .type = XMTP_MLS_PROPOSAL_PSK,
            .psk = {.type = XMTP_MLS_PSK_EXTERNAL, .id = xmtp_bytes_of(names[i], 2)}};
    }
    xmtp_mls_commit_options o = {.proposals = all, .proposal_count = XMTP_MLS_PSKS_MAX + 1};
    assert_int_equal(xmtp_mls_group_commit(m.group, &o, &pending, &m.error), XMTP_E_LIMIT);
    o.proposal_count = XMTP_MLS_PSKS_MAX;
    assert_ok(&m, xmtp_mls_group_commit(m.group, &o, &pending, &m.error));
    xmtp_mls_pending_free(pending);
    member_free(&m);
}

static void kept_proposals_have_a_limited_size_together(void **state)
{
    (void)state;
    static const uint16_t types[] = {0xf001};
    world_env world;
    member m;
    xmtp_mls_ref ref;
    blob b;
    const size_t n = XMTP_MLS_KEPT_BYTES_MAX / 2 + 1;
    uint8_t *data = calloc(1, n);
    assert_non_null(data);
    world_env_init(&world, 1);
    member_init(&m, &world, "m");
    m.config.keep_proposals = true;
    m.config.custom_proposals = (xmtp_mls_u16_list){types, 1};
    member_create(&m);
    const xmtp_mls_proposal proposal = {.type = 0xf001, .data = xmtp_bytes_of(data, n)};
    assert_ok(&m, xmtp_mls_group_propose(m.group, &proposal, (xmtp_bytes){0}, &b.p, &b.n, &ref,
                                         m.writes, &m.error));
    free(b.p);
    assert_int_equal(xmtp_mls_group_propose(m.group, &proposal, (xmtp_bytes){0}, &b.p, &b.n, &ref,
                                            m.writes, &m.error),
                     XMTP_E_LIMIT);
    free(data);
    member_free(&m);
}

/* ---- lengths of keys ---- */

static void leaves_and_packages_have_whole_keys(void **state)
{
    (void)state;
    world_env world;
    member m;
    xmtp_mls_key_package_private keys;
    xmtp_key_package package;
    xmtp_error error;
    const xmtp_leaf_node_rules rules = {.suite = suite};
    xmtp_writer w = writer_new();
    world_env_init(&world, 1);
    member_init(&m, &world, "m");
    blob b = member_key_package(&m, &keys);
    assert_int_equal(xmtp_key_package_of(blob_bytes(b), &package), XMTP_OK);
    assert_int_equal(xmtp_leaf_node_validate(&package.leaf_node, &rules, &error), XMTP_OK);
    assert_int_equal(xmtp_key_package_verify(suite, &package, &w), XMTP_OK);
    package.leaf_node.signature_key.n = 31;
    assert_int_equal(xmtp_leaf_node_validate(&package.leaf_node, &rules, &error), XMTP_E_KEY);
    assert_int_equal(xmtp_leaf_node_verify(suite, &package.leaf_node, (xmtp_bytes){0}, 0, &w),
                     XMTP_E_KEY);
    assert_int_equal(xmtp_key_package_verify(suite, &package, &w), XMTP_E_KEY);
    package.leaf_node.signature_key.n = 32;
    package.leaf_node.encryption_key.n = 31;
    assert_int_equal(xmtp_leaf_node_validate(&package.leaf_node, &rules, &error), XMTP_E_KEY);
    free(b.p);
    xmtp_writer_free(&w);
    member_free(&m);
}

static void nothing_is_signed_for_half_a_key(void **state)
{
    (void)state;
    static const uint8_t sk[32] = {1}, pk[32] = {2};
    xmtp_writer scratch = writer_new(), w = writer_new();
    const xmtp_leaf_node leaf = {.signature_key = xmtp_bytes_of(pk, 31),
                                 .source = XMTP_LEAF_NODE_KEY_PACKAGE};
    const xmtp_key_package package = {.leaf_node = leaf};
    assert_int_equal(xmtp_leaf_node_sign(suite, sk, &leaf, (xmtp_bytes){0}, 0, &scratch, &w),
                     XMTP_E_KEY);
    assert_int_equal(xmtp_key_package_sign(suite, sk, &package, &scratch, &w), XMTP_E_KEY);
    xmtp_writer_free(&scratch);
    xmtp_writer_free(&w);
}

/* ---- trees and paths ---- */

static void large_leaves_are_hashed(void **state)
{
    (void)state;
    static uint8_t data[20000];
    world_env world;
    member m;
    world_env_init(&world, 1);
    member_init(&m, &world, "m");
    const xmtp_mls_extension extension = {.type = 0xff00, .data = {data, sizeof data}};
    const xmtp_mls_create_options options = {.suite = 3,
                                             .group_id = xmtp_bytes_of("g", 1),
                                             .signer = member_signer(&m),
                                             .capabilities = world_capabilities(),
                                             .leaf_extensions = &extension,
                                             .leaf_extension_count = 1};
    assert_ok(&m, xmtp_mls_group_create(&m.group, &m.config, &options, m.writes, &m.error));
    member_store(&m);
    member_confirm(&m, member_commit(&m, NULL));
    member_check_store(&m);
    member_free(&m);
}

static void paths_are_of_members_and_for_members(void **state)
{
    (void)state;
    static const uint32_t far[] = {99};
    world_env world;
    member m;
    xmtp_tree next;
    xmtp_treekem_path path = {0};
    xmtp_leaf_node leaf;
    xmtp_arena arena = arena_new();
    xmtp_writer w = writer_new();
    world_env_init(&world, 1);
    member_init(&m, &world, "m");
    member_create(&m);
    const xmtp_tree *tree = &m.group->tree;
    assert_int_equal(xmtp_tree_leaf(tree, 0, &leaf), XMTP_OK);
    xmtp_tree_overlay(&next, tree);
    assert_int_equal(
        xmtp_treekem_begin(&next, 5, &leaf, m.sk, xmtp_bytes_of("g", 1), &world.env, &path),
        XMTP_E_NOT_FOUND);
    assert_int_equal(
        xmtp_treekem_begin(&next, 0, &leaf, m.sk, xmtp_bytes_of("g", 1), &world.env, &path),
        XMTP_OK);
    assert_int_equal(
        xmtp_treekem_encrypt(&next, &path, xmtp_bytes_of("c", 1), far, 1, &world.env, &arena, &w),
        XMTP_E_ARGUMENT);
    xmtp_treekem_path_wipe(&path);
    xmtp_tree_free(&next);
    xmtp_writer_free(&w);
    xmtp_arena_reset(&arena);
    member_free(&m);
}

/* ---- kinds that are none ---- */

static void a_broken_list_of_secrets_holds_nothing(void **state)
{
    (void)state;
    static const uint8_t cut[] = {4, 1, 2};
    const xmtp_welcome welcome = {.secrets = xmtp_bytes_of(cut, sizeof cut), .secret_count = 1};
    xmtp_encrypted_group_secrets out;
    assert_int_not_equal(xmtp_welcome_find(&welcome, xmtp_bytes_of("x", 1), &out), XMTP_OK);
}

static void nothing_is_written_for_an_unknown_wire_format(void **state)
{
    (void)state;
    static const xmtp_mls_message message = {.version = 1, .wire_format = 77};
    xmtp_writer w = writer_new();
    xmtp_mls_message_encode(&w, &message);
    assert_int_equal(xmtp_writer_bytes(&w).n, 4);
    xmtp_writer_free(&w);
}

static void only_members_send_private_messages(void **state)
{
    (void)state;
    world_env world;
    member m;
    static const uint8_t guard[4];
    const xmtp_framed_content content = {.sender = {.type = XMTP_SENDER_EXTERNAL}};
    const xmtp_content_auth auth = {0};
    const xmtp_message_key key = {0};
    const xmtp_secret secret = {.n = 32};
    xmtp_writer w = writer_new();
    world_env_init(&world, 1);
    member_init(&m, &world, "m");
    member_create(&m);
    assert_int_equal(xmtp_private_message_seal(suite, &content, &auth, 0, &key, guard, &secret,
                                               m.group->scratch, &w),
                     XMTP_E_SENDER);
    const xmtp_private_message message = {.ciphertext = xmtp_bytes_of(guard, 4)};
    uint8_t out[1];
    assert_int_equal(xmtp_private_message_open(suite, &message, &key, guard, m.group->scratch, out),
                     XMTP_E_LENGTH);
    xmtp_writer_free(&w);
    member_free(&m);
}

static void a_parent_lists_whole_leaves(void **state)
{
    (void)state;
    static const uint8_t odd[] = {1, 9, 0, 3, 0, 0, 1};
    xmtp_parent_node parent;
    xmtp_reader r = xmtp_reader_of(xmtp_bytes_of(odd, sizeof odd));
    assert_int_equal(xmtp_parent_node_decode(&r, &parent), XMTP_E_TREE);
}

static void labels_have_a_context_of_limited_length(void **state)
{
    (void)state;
    uint8_t out[32] = {0};
    const xmtp_bytes long_context = {.p = out, .n = XMTP_WRITER_MAX}; /* never read */
    assert_int_equal(
        xmtp_expand_with_label(suite, xmtp_bytes_of(out, 0), "x", long_context, out, 32),
        XMTP_E_LENGTH);
    assert_int_equal(xmtp_expand_with_label(suite, xmtp_bytes_of(out, 0), "x", (xmtp_bytes){0}, out,
                                            255 * 32 + 1),
                     XMTP_E_LENGTH);
}

static void credentials_are_equal_in_type_and_content(void **state)
{
    (void)state;
    const xmtp_credential a = {.type = 1, .content = xmtp_bytes_of("a", 1)};
    xmtp_credential b = a;
    assert_true(xmtp_credential_equal(&a, &b));
    b.type = 2;
    assert_false(xmtp_credential_equal(&a, &b));
    b = (xmtp_credential){.type = 1, .content = xmtp_bytes_of("b", 1)};
    assert_false(xmtp_credential_equal(&a, &b));
    assert_false(xmtp_extension_is_default(0));
    assert_false(xmtp_proposal_is_default(0));
}

/* ---- stored secret trees ---- */

static xmtp_status decode_tree(uint32_t leaf_count, const uint32_t *nodes, size_t count)
{
    static const uint8_t secret[32];
    xmtp_secret_tree tree = {0};
    xmtp_writer w = writer_new();
    xmtp_writer_u32(&w, leaf_count);
    for (size_t i = 0; i < count; i++) {
        xmtp_writer_u32(&w, nodes[i]);
        xmtp_writer_put(&w, xmtp_bytes_of(secret, 32));
    }
    xmtp_status status =
        xmtp_secret_tree_decode(&tree, suite, &xmtp_env_system()->alloc, xmtp_writer_bytes(&w));
    xmtp_secret_tree_free(&tree);
    xmtp_writer_free(&w);
    return status;
}

static void stored_secret_trees_have_a_shape(void **state)
{
    (void)state;
    static const uint32_t good[] = {0, 2, 5}, overlapping[] = {1, 2}, backwards[] = {5, 0},
                          far[] = {7}, many[] = {0, 2, 4, 6, 6};
    assert_int_equal(decode_tree(4, good, 3), XMTP_OK);
    assert_int_equal(decode_tree(4, NULL, 0), XMTP_OK);
    assert_int_equal(decode_tree(0, NULL, 0), XMTP_E_CORRUPT);
    assert_int_equal(decode_tree(3, NULL, 0), XMTP_E_CORRUPT);
    assert_int_equal(decode_tree(2 * XMTP_MLS_LEAVES_MAX, NULL, 0), XMTP_E_CORRUPT);
    assert_int_equal(decode_tree(4, overlapping, 2), XMTP_E_CORRUPT);
    assert_int_equal(decode_tree(4, backwards, 2), XMTP_E_CORRUPT);
    assert_int_equal(decode_tree(4, far, 1), XMTP_E_CORRUPT);
    assert_int_equal(decode_tree(4, many, 5), XMTP_E_CORRUPT);
}

static void stored_ratchets_belong_to_a_leaf_and_a_kind(void **state)
{
    (void)state;
    static uint8_t record[4 + 32 + (4 + 32 + 12) * (XMTP_MLS_TOLERANCE_MAX + 1)];
    xmtp_secret_tree tree = {0};
    xmtp_secret secret = {.n = 32}, out;
    xmtp_secret_tree_change change;
    assert_int_equal(xmtp_secret_tree_init(&tree, suite, &xmtp_env_system()->alloc, 4, &secret),
                     XMTP_OK);
    const xmtp_bytes whole = xmtp_bytes_of(record, 4 + 32);
    assert_int_equal(xmtp_secret_tree_load_ratchet(&tree, 4, XMTP_RATCHET_HANDSHAKE, whole),
                     XMTP_E_CORRUPT);
    assert_int_equal(xmtp_secret_tree_load_ratchet(&tree, 1, (xmtp_ratchet_kind)2, whole),
                     XMTP_E_CORRUPT);
    assert_int_equal(xmtp_secret_tree_load_ratchet(&tree, 1, XMTP_RATCHET_HANDSHAKE,
                                                   xmtp_bytes_of(record, sizeof record)),
                     XMTP_E_CORRUPT); /* too many skipped keys */
    assert_int_equal(xmtp_secret_tree_load_ratchet(&tree, 1, XMTP_RATCHET_HANDSHAKE, whole),
                     XMTP_OK);
    assert_int_equal(xmtp_secret_tree_touch(&tree, 4, &change), XMTP_E_SENDER);
    assert_int_equal(xmtp_secret_tree_take_leaf(&tree, 4, &out), XMTP_E_ARGUMENT);
    assert_int_equal(xmtp_secret_tree_take_leaf(&tree, 2, &out), XMTP_OK);
    assert_int_equal(xmtp_secret_tree_take_leaf(&tree, 2, &out), XMTP_E_KEY_CONSUMED);
    xmtp_secret_tree_free(&tree);
}

/* ---- application data ---- */

static void data_is_found_in_whole_dictionaries_only(void **state)
{
    (void)state;
    static const uint8_t whole[] = {8, 0x80, 1, 1, 'a', 0x80, 2, 1, 'b'};
    static const uint8_t cut[] = {2, 0x80, 1};
    xmtp_bytes data;
    assert_true(xmtp_mls_app_data_find(xmtp_bytes_of(whole, sizeof whole), 0x8002, &data));
    assert_int_equal(data.p[0], 'b');
    assert_false(xmtp_mls_app_data_find(xmtp_bytes_of(whole, sizeof whole), 0x8003, &data));
    assert_false(xmtp_mls_app_data_find(xmtp_bytes_of(whole, 4), 0x8002, &data));
    assert_false(xmtp_mls_app_data_find(xmtp_bytes_of(cut, sizeof cut), 0x8001, &data));
    assert_false(xmtp_mls_app_data_find(xmtp_bytes_of("\1\x80", 2), 0x8001, &data));
    const xmtp_mls_app_data items[] = {{.component_id = 1, .data = xmtp_bytes_of("a", 1)},
                                       {.component_id = 2, .data = xmtp_bytes_of("b", 1)}};
    uint8_t *made;
    size_t n;
    assert_int_equal(xmtp_mls_app_data_encode(xmtp_env_system(), items, 2, &made, &n), XMTP_OK);
    assert_true(xmtp_mls_app_data_find(xmtp_bytes_of(made, n), 2, &data));
    free(made);
}

static void exporting_once_needs_a_place_of_the_right_size(void **state)
{
    (void)state;
    world_env world;
    member m;
    uint8_t out[31];
    world_env_init(&world, 1);
    member_init(&m, &world, "m");
    member_create(&m);
    xmtp_mls_writes_clear(m.writes);
    assert_int_equal(
        xmtp_mls_group_export_once(m.group, 0x8001, out, sizeof out, m.writes, &m.error),
        XMTP_E_LENGTH);
    m.group->is_active = false; /* as after a removal */
    assert_int_equal(
        xmtp_mls_group_export_once(m.group, 0x8001, out, sizeof out, m.writes, &m.error),
        XMTP_E_REMOVED);
    member_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(group_secrets_name_a_limited_number_of_psks),
        cmocka_unit_test(secrets_without_a_path_are_encoded),
        cmocka_unit_test(commits_hold_a_limited_number_of_proposals),
        cmocka_unit_test(trees_have_a_limited_width),
        cmocka_unit_test(a_commit_names_a_limited_number_of_psks),
        cmocka_unit_test(kept_proposals_have_a_limited_size_together),
        cmocka_unit_test(leaves_and_packages_have_whole_keys),
        cmocka_unit_test(nothing_is_signed_for_half_a_key),
        cmocka_unit_test(large_leaves_are_hashed),
        cmocka_unit_test(paths_are_of_members_and_for_members),
        cmocka_unit_test(a_broken_list_of_secrets_holds_nothing),
        cmocka_unit_test(nothing_is_written_for_an_unknown_wire_format),
        cmocka_unit_test(only_members_send_private_messages),
        cmocka_unit_test(a_parent_lists_whole_leaves),
        cmocka_unit_test(labels_have_a_context_of_limited_length),
        cmocka_unit_test(credentials_are_equal_in_type_and_content),
        cmocka_unit_test(stored_secret_trees_have_a_shape),
        cmocka_unit_test(stored_ratchets_belong_to_a_leaf_and_a_kind),
        cmocka_unit_test(data_is_found_in_whole_dictionaries_only),
        cmocka_unit_test(exporting_once_needs_a_place_of_the_right_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
