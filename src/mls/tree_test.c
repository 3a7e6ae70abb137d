/* tree_test.c - the tree as data: tree-operations.json on base and overlay, merge and drop, store
 * records, limits. */
#include "base/bytes.h"
#include "mls/message.h"
#include "mls/tree.h"

#include <setjmp.h>
#include <stdarg.h>
// cmocka wants the headers above first
#include <cmocka.h>

#include "mls/test_vectors.h"

static const xmtp_suite *const SUITE = &xmtp_suite_x25519_chacha;

static xmtp_bytes encoding(const xmtp_tree *tree, xmtp_writer *w)
{
    xmtp_writer_clear(w);
    xmtp_tree_encode(tree, w);
    assert_int_equal(xmtp_writer_status(w), XMTP_OK);
    return xmtp_writer_bytes(w);
}

static void assert_hash(xmtp_tree *tree, xmtp_bytes want, const char *what)
{
    uint8_t hash[XMTP_HASH_MAX];
    assert_int_equal(xmtp_tree_hash(tree, hash), XMTP_OK);
    vectors_assert_equal(xmtp_bytes_of(hash, tree->suite->hash->len), want, what);
}

/* ---- vectors ---- */

static void apply(xmtp_tree *tree, const xmtp_proposal *proposal, uint32_t sender)
{
    uint32_t leaf_index;
    if (proposal->type == XMTP_PROPOSAL_ADD) {
        assert_int_equal(xmtp_tree_add_leaf(tree, proposal->u.add.leaf_node.raw, &leaf_index),
                         XMTP_OK);
    } else if (proposal->type == XMTP_PROPOSAL_UPDATE) {
        assert_int_equal(xmtp_tree_update_leaf(tree, sender, proposal->u.update.raw), XMTP_OK);
    } else {
        assert_int_equal(proposal->type, XMTP_PROPOSAL_REMOVE);
        assert_int_equal(xmtp_tree_remove_leaf(tree, proposal->u.remove), XMTP_OK);
    }
}

static void check_operation(const cJSON *v)
{
    const xmtp_suite *suite = vectors_suite(v);
    assert_non_null(suite);
    xmtp_tree tree;
    xmtp_tree overlay;
    xmtp_writer w;
    xmtp_writer_init(&w, vectors_alloc(), XMTP_WRITER_MAX);
    xmtp_tree_init(&tree, suite, vectors_alloc());
    assert_int_equal(xmtp_tree_decode(&tree, vectors_bytes(v, "tree_before")), XMTP_OK);
    assert_hash(&tree, vectors_bytes(v, "tree_hash_before"), "tree hash before, section 7.8");

    xmtp_proposal proposal;
    xmtp_reader r = xmtp_reader_of(vectors_bytes(v, "proposal"));
    assert_int_equal(xmtp_proposal_decode(&r, &proposal), XMTP_OK);
    xmtp_tree_overlay(&overlay, &tree);
    apply(&overlay, &proposal, vectors_u32(v, "proposal_sender"));
    vectors_assert_equal(encoding(&overlay, &w), vectors_bytes(v, "tree_after"), "overlay");
    assert_hash(&overlay, vectors_bytes(v, "tree_hash_after"), "tree hash after, section 7.8");
    vectors_assert_equal(encoding(&tree, &w), vectors_bytes(v, "tree_before"), "base");

    assert_int_equal(xmtp_tree_merge(&tree, &overlay), XMTP_OK);
    vectors_assert_equal(encoding(&tree, &w), vectors_bytes(v, "tree_after"), "merged");
    assert_hash(&tree, vectors_bytes(v, "tree_hash_after"), "tree hash merged");
    xmtp_tree_free(&tree);

    xmtp_tree_init(&tree, suite, vectors_alloc()); /* the same on a base */
    assert_int_equal(xmtp_tree_decode(&tree, vectors_bytes(v, "tree_before")), XMTP_OK);
    apply(&tree, &proposal, vectors_u32(v, "proposal_sender"));
    vectors_assert_equal(encoding(&tree, &w), vectors_bytes(v, "tree_after"), "changed base");
    assert_hash(&tree, vectors_bytes(v, "tree_hash_after"), "tree hash of changed base");
    xmtp_tree_free(&tree);
    xmtp_writer_free(&w);
}

static void tree_operations_vectors_agree(void **state)
{
    (void)state;
    cJSON *file = vectors_open("mls/tree-operations.json");
    const cJSON *v;
    cJSON_ArrayForEach(v, file)
    {
        check_operation(v);
    }
    print_message("tree-operations: %d passed\n", cJSON_GetArraySize(file));
    cJSON_Delete(file);
}

static void ratchet_trees_of_messages_survive_decoding_and_encoding(void **state)
{
    (void)state;
    cJSON *file = vectors_open("mls/messages.json");
    const cJSON *v;
    xmtp_writer w;
    xmtp_writer_init(&w, vectors_alloc(), XMTP_WRITER_MAX);
    cJSON_ArrayForEach(v, file)
    {
        xmtp_tree tree;
        xmtp_tree_init(&tree, SUITE, vectors_alloc());
        assert_int_equal(xmtp_tree_decode(&tree, vectors_bytes(v, "ratchet_tree")), XMTP_OK);
        vectors_assert_equal(encoding(&tree, &w), vectors_bytes(v, "ratchet_tree"), "tree");
        xmtp_tree_free(&tree);
    }
    print_message("messages: %d ratchet trees passed\n", cJSON_GetArraySize(file));
    xmtp_writer_free(&w);
    cJSON_Delete(file);
}

/* ---- trees made here: leaf number n has keys full of n ---- */

static xmtp_bytes make_leaf(xmtp_writer *w, uint32_t n)
{
    static const uint8_t one[] = {0, 1};
    static const uint8_t suite[] = {0, 3};
    uint8_t encryption_key[32] = {1};
    uint8_t signature_key[32] = {2};
    memcpy(encryption_key + 8, &n, sizeof n);
    memcpy(signature_key + 8, &n, sizeof n);
    const xmtp_leaf_node leaf = {
        .encryption_key = xmtp_bytes_of(encryption_key, 32),
        .signature_key = xmtp_bytes_of(signature_key, 32),
        .credential = {.type = 1, .content = xmtp_bytes_of("abc", 3)},
        .capabilities = {.versions.raw = xmtp_bytes_of(one, 2),
                         .cipher_suites.raw = xmtp_bytes_of(suite, 2),
                         .credentials.raw = xmtp_bytes_of(one, 2)},
        .source = XMTP_LEAF_NODE_UPDATE,
        .signature = xmtp_bytes_of("sig", 3),
    };
    xmtp_writer_clear(w);
    xmtp_leaf_node_encode(w, &leaf);
    return xmtp_writer_bytes(w);
}

typedef struct fixture {
    xmtp_tree tree;
    xmtp_tree overlay;
    xmtp_writer w;
    xmtp_writer w2;
} fixture;

static void fixture_open(fixture *f, uint32_t members)
{
    *f = (fixture){0};
    xmtp_writer_init(&f->w, vectors_alloc(), XMTP_WRITER_MAX);
    xmtp_writer_init(&f->w2, vectors_alloc(), XMTP_WRITER_MAX);
    xmtp_tree_init(&f->tree, SUITE, vectors_alloc());
    for (uint32_t i = 0; i < members; i++) {
        uint32_t leaf_index;
        assert_int_equal(xmtp_tree_add_leaf(&f->tree, make_leaf(&f->w, i), &leaf_index), XMTP_OK);
        assert_int_equal(leaf_index, i);
    }
}

static void fixture_close(fixture *f)
{
    xmtp_tree_free(&f->overlay);
    xmtp_tree_free(&f->tree);
    xmtp_writer_free(&f->w);
    xmtp_writer_free(&f->w2);
}

/* The hash of a tree made anew from the encoding of this one. */
static void assert_hash_is_that_of_a_fresh_tree(fixture *f, xmtp_tree *tree)
{
    xmtp_tree fresh;
    uint8_t want[XMTP_HASH_MAX];
    xmtp_tree_init(&fresh, SUITE, vectors_alloc());
    assert_int_equal(xmtp_tree_decode(&fresh, encoding(tree, &f->w2)), XMTP_OK);
    assert_int_equal(fresh.leaf_count, tree->leaf_count);
    assert_int_equal(fresh.member_count, tree->member_count);
    assert_int_equal(xmtp_tree_hash(&fresh, want), XMTP_OK);
    assert_hash(tree, xmtp_bytes_of(want, SUITE->hash->len), "hash kept up to date");
    xmtp_tree_free(&fresh);
}

static void add_takes_the_leftmost_blank_and_doubles(void **state)
{
    (void)state;
    fixture f;
    uint32_t leaf_index;
    fixture_open(&f, 5);
    assert_int_equal(f.tree.leaf_count, 8);
    assert_int_equal(xmtp_tree_remove_leaf(&f.tree, 1), XMTP_OK);
    assert_int_equal(xmtp_tree_remove_leaf(&f.tree, 3), XMTP_OK);
    assert_int_equal(xmtp_tree_add_leaf(&f.tree, make_leaf(&f.w, 7), &leaf_index), XMTP_OK);
    assert_int_equal(leaf_index, 1);
    assert_int_equal(xmtp_tree_add_leaf(&f.tree, make_leaf(&f.w, 8), &leaf_index), XMTP_OK);
    assert_int_equal(leaf_index, 3);
    assert_int_equal(xmtp_tree_add_leaf(&f.tree, make_leaf(&f.w, 9), &leaf_index), XMTP_OK);
    assert_int_equal(leaf_index, 5);
    assert_hash_is_that_of_a_fresh_tree(&f, &f.tree);
    fixture_close(&f);
}

static void remove_truncates_past_all_blank_halves(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, 9);
    assert_int_equal(f.tree.leaf_count, 16);
    for (uint32_t i = 3; i < 8; i++) {
        assert_int_equal(xmtp_tree_remove_leaf(&f.tree, i), XMTP_OK);
        assert_int_equal(f.tree.leaf_count, 16);
    }
    assert_int_equal(xmtp_tree_remove_leaf(&f.tree, 8), XMTP_OK);
    assert_int_equal(f.tree.leaf_count, 4);
    assert_int_equal(f.tree.member_count, 3);
    assert_int_equal(xmtp_tree_remove_leaf(&f.tree, 8), XMTP_E_NOT_FOUND);
    assert_int_equal(xmtp_tree_remove_leaf(&f.tree, 3), XMTP_E_NOT_FOUND);
    assert_hash_is_that_of_a_fresh_tree(&f, &f.tree);
    fixture_close(&f);
}

static void an_overlay_shrinks_and_grows_again_with_blanks(void **state)
{
    (void)state;
    fixture f;
    uint32_t leaf_index;
    uint8_t hash[XMTP_HASH_MAX];
    fixture_open(&f, 8);
    assert_int_equal(xmtp_tree_hash(&f.tree, hash), XMTP_OK);
    xmtp_tree_overlay(&f.overlay, &f.tree);
    for (uint32_t i = 2; i < 8; i++) {
        assert_int_equal(xmtp_tree_remove_leaf(&f.overlay, i), XMTP_OK);
    }
    assert_int_equal(f.overlay.leaf_count, 2);
    for (uint32_t i = 2; i < 5; i++) {
        assert_int_equal(xmtp_tree_add_leaf(&f.overlay, make_leaf(&f.w, 100 + i), &leaf_index),
                         XMTP_OK);
        assert_int_equal(leaf_index, i);
    }
    assert_int_equal(f.overlay.leaf_count, 8);
    assert_hash_is_that_of_a_fresh_tree(&f, &f.overlay);
    assert_hash(&f.tree, xmtp_bytes_of(hash, SUITE->hash->len), "base unchanged");
    assert_int_equal(xmtp_tree_hash(&f.overlay, hash), XMTP_OK);
    assert_int_equal(xmtp_tree_merge(&f.tree, &f.overlay), XMTP_OK);
    assert_hash(&f.tree, xmtp_bytes_of(hash, SUITE->hash->len), "merged");
    assert_true(xmtp_tree_is_blank(&f.tree, xmtp_leaf_to_node(6)));
    assert_hash_is_that_of_a_fresh_tree(&f, &f.tree);
    fixture_close(&f);
}

static void keys_are_found_where_they_are_now(void **state)
{
    (void)state;
    fixture f;
    uint32_t at;
    fixture_open(&f, 4);
    xmtp_leaf_node third;
    xmtp_leaf_node fresh;
    assert_int_equal(xmtp_tree_leaf(&f.tree, 3, &third), XMTP_OK);
    assert_true(xmtp_tree_find_signature_key(&f.tree, third.signature_key, &at));
    assert_int_equal(at, 3);
    assert_true(xmtp_tree_find_encryption_key(&f.tree, third.encryption_key, &at));
    assert_int_equal(at, 6);

    xmtp_tree_overlay(&f.overlay, &f.tree);
    assert_int_equal(xmtp_leaf_node_of(make_leaf(&f.w, 50), &fresh), XMTP_OK);
    assert_int_equal(xmtp_tree_update_leaf(&f.overlay, 3, fresh.raw), XMTP_OK);
    assert_false(xmtp_tree_find_signature_key(&f.overlay, third.signature_key, &at));
    assert_true(xmtp_tree_find_signature_key(&f.tree, third.signature_key, &at));
    assert_true(xmtp_tree_find_signature_key(&f.overlay, fresh.signature_key, &at));
    assert_false(xmtp_tree_find_signature_key(&f.tree, fresh.signature_key, &at));
    assert_int_equal(xmtp_tree_check_keys(&f.overlay, NULL), XMTP_OK);
    assert_int_equal(xmtp_tree_add_leaf(&f.overlay, fresh.raw, &at), XMTP_OK);
    assert_int_equal(xmtp_tree_check_keys(&f.overlay, NULL), XMTP_E_DUPLICATE_KEY);
    assert_int_equal(xmtp_tree_remove_leaf(&f.overlay, at), XMTP_OK);
    assert_int_equal(xmtp_tree_check_keys(&f.overlay, NULL), XMTP_OK);
    assert_int_equal(xmtp_tree_merge(&f.tree, &f.overlay), XMTP_OK);
    assert_true(xmtp_tree_find_signature_key(&f.tree, fresh.signature_key, &at));
    assert_int_equal(xmtp_tree_check_keys(&f.tree, NULL), XMTP_OK);
    fixture_close(&f);
}

static void a_replaced_key_may_move_to_another_leaf(void **state)
{
    (void)state;
    fixture f;
    uint32_t at;
    fixture_open(&f, 4);
    xmtp_tree_overlay(&f.overlay, &f.tree);
    assert_int_equal(xmtp_tree_remove_leaf(&f.overlay, 1), XMTP_OK);
    assert_int_equal(xmtp_tree_add_leaf(&f.overlay, make_leaf(&f.w, 1), &at), XMTP_OK);
    assert_int_equal(xmtp_tree_check_keys(&f.overlay, NULL), XMTP_OK);
    assert_int_equal(xmtp_tree_add_leaf(&f.overlay, make_leaf(&f.w, 2), &at), XMTP_OK);
    assert_int_equal(xmtp_tree_check_keys(&f.overlay, NULL), XMTP_E_DUPLICATE_KEY);
    fixture_close(&f);
}

/* Many random operations, each on an overlay that is merged or dropped. */
static void random_changes_keep_hashes_and_indices_right(void **state)
{
    (void)state;
    fixture f;
    uint32_t random = 12345;
    uint32_t next_key = 1000;
    fixture_open(&f, 3);
    uint8_t hash[XMTP_HASH_MAX];
    assert_int_equal(xmtp_tree_hash(&f.tree, hash), XMTP_OK);
    for (int round = 0; round < 400; round++) {
        xmtp_tree_overlay(&f.overlay, &f.tree);
        for (int k = 0; k < 3; k++) {
            random = random * 1664525u + 1013904223u;
            uint32_t leaf_index = (random >> 8) % f.overlay.leaf_count;
            uint32_t what = (random >> 28) % (round % 100 < 50 ? 3 : 5);
            if (what < 2) {
                assert_int_equal(
                    xmtp_tree_add_leaf(&f.overlay, make_leaf(&f.w, next_key++), &leaf_index),
                    XMTP_OK);
            } else if (f.overlay.member_count > 1 && what > 2) {
                (void)!xmtp_tree_remove_leaf(&f.overlay, leaf_index);
            } else {
                (void)!xmtp_tree_update_leaf(&f.overlay, leaf_index, make_leaf(&f.w, next_key++));
            }
        }
        if (round % 3 == 0) {
            assert_hash_is_that_of_a_fresh_tree(&f, &f.overlay);
        }
        if (round % 4 == 0) {
            xmtp_tree_free(&f.overlay);
        } else {
            assert_int_equal(xmtp_tree_hash(&f.overlay, hash), XMTP_OK);
            assert_int_equal(xmtp_tree_check_keys(&f.overlay, NULL), XMTP_OK);
            assert_int_equal(xmtp_tree_merge(&f.tree, &f.overlay), XMTP_OK);
        }
        assert_hash_is_that_of_a_fresh_tree(&f, &f.tree);
        assert_int_equal(xmtp_tree_check_keys(&f.tree, NULL), XMTP_OK);
    }
    fixture_close(&f);
}

/* ---- what members understand ---- */

/* A leaf with this credential type that supports types. */
static xmtp_bytes make_credential_leaf(xmtp_writer *w, uint32_t n, uint16_t type,
                                       const uint8_t *types, size_t types_len)
{
    xmtp_writer plain;
    xmtp_leaf_node leaf;
    xmtp_writer_init(&plain, vectors_alloc(), XMTP_WRITER_MAX);
    assert_int_equal(xmtp_leaf_node_of(make_leaf(&plain, n), &leaf), XMTP_OK);
    leaf.credential.type = type;
    leaf.capabilities.credentials.raw = xmtp_bytes_of(types, types_len);
    leaf.capabilities.extensions.raw = xmtp_bytes_of("\xff\x01", 2);
    xmtp_writer_clear(w);
    xmtp_leaf_node_encode(w, &leaf);
    xmtp_writer_free(&plain);
    return xmtp_writer_bytes(w);
}

static void members_must_understand_each_others_credentials(void **state)
{
    (void)state;
    static const uint8_t both[] = {0, 1, 0, 2};
    fixture f;
    uint32_t at;
    fixture_open(&f, 0);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(
            xmtp_tree_add_leaf(&f.tree, make_credential_leaf(&f.w, i, 1, both, 4), &at), XMTP_OK);
    }
    assert_int_equal(xmtp_tree_check_credentials(&f.tree, NULL), XMTP_OK);
    xmtp_tree_overlay(&f.overlay, &f.tree);
    assert_int_equal(xmtp_tree_add_leaf(&f.overlay, make_credential_leaf(&f.w, 9, 2, both, 4), &at),
                     XMTP_OK);
    assert_int_equal(xmtp_tree_check_credentials(&f.overlay, NULL), XMTP_OK); /* mixed, and fine */
    assert_int_equal(
        xmtp_tree_update_leaf(&f.overlay, 1, make_credential_leaf(&f.w, 10, 1, both, 2)), XMTP_OK);
    assert_int_equal(xmtp_tree_check_credentials(&f.overlay, NULL), XMTP_E_CREDENTIAL_UNSUPPORTED);
    assert_int_equal(xmtp_tree_check_credentials(&f.tree, NULL), XMTP_OK);
    assert_int_equal(xmtp_tree_remove_leaf(&f.overlay, at), XMTP_OK);
    assert_int_equal(xmtp_tree_check_credentials(&f.overlay, NULL), XMTP_OK);
    xmtp_tree_free(&f.overlay);

    xmtp_tree_overlay(&f.overlay, &f.tree); /* one who does not even support his own */
    assert_int_equal(
        xmtp_tree_add_leaf(&f.overlay, make_credential_leaf(&f.w, 11, 1, both + 2, 2), &at),
        XMTP_OK);
    assert_int_equal(xmtp_tree_check_credentials(&f.overlay, NULL), XMTP_E_CREDENTIAL_UNSUPPORTED);
    fixture_close(&f);
}

static void members_must_support_the_extensions_of_the_group(void **state)
{
    (void)state;
    static const uint8_t basic[] = {0, 1};
    static const uint8_t required[] = {2, 0xff, 1, 0, 2, 0, 1};
    static const uint8_t too_much[] = {2, 0xff, 2, 0, 0};
    fixture f;
    uint32_t at;
    xmtp_extensions list;
    xmtp_writer w;
    xmtp_writer_init(&w, vectors_alloc(), 1024);
    fixture_open(&f, 0);
    assert_int_equal(xmtp_tree_add_leaf(&f.tree, make_credential_leaf(&f.w, 1, 1, basic, 2), &at),
                     XMTP_OK);
    xmtp_extension_encode(&w, 0xff01, (xmtp_bytes){0});
    xmtp_extension_encode(&w, 3, xmtp_bytes_of(required, sizeof required));
    assert_int_equal(xmtp_extensions_of(xmtp_writer_bytes(&w), &list), XMTP_OK);
    assert_int_equal(xmtp_tree_check_extensions(&f.tree, &list, NULL), XMTP_OK);
    assert_int_equal(xmtp_tree_add_leaf(&f.tree, make_leaf(&f.w, 2), &at), XMTP_OK);
    assert_int_equal(xmtp_tree_check_extensions(&f.tree, &list, NULL),
                     XMTP_E_EXTENSION_UNSUPPORTED);
    assert_int_equal(xmtp_tree_remove_leaf(&f.tree, at), XMTP_OK);
    xmtp_writer_clear(&w);
    xmtp_extension_encode(&w, 3, xmtp_bytes_of(too_much, sizeof too_much));
    assert_int_equal(xmtp_extensions_of(xmtp_writer_bytes(&w), &list), XMTP_OK);
    assert_int_equal(xmtp_tree_check_extensions(&f.tree, &list, NULL), XMTP_E_CAPABILITIES);
    xmtp_writer_free(&w);
    fixture_close(&f);
}

/* ---- records ---- */

static void copy_by_records(fixture *f, const xmtp_tree *from, xmtp_tree *to, bool backwards)
{
    const uint32_t count = xmtp_node_count(from->leaf_count);
    xmtp_tree_init(to, SUITE, vectors_alloc());
    assert_int_equal(xmtp_tree_load_begin(to, from->leaf_count), XMTP_OK);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = backwards ? count - 1 - i : i;
        xmtp_writer_clear(&f->w);
        xmtp_tree_record_encode(xmtp_tree_node(from, index), SUITE, &f->w);
        if (xmtp_tree_is_blank(from, index) && i % 2 == 0) {
            continue; /* records of blank nodes may be there or not */
        }
        assert_int_equal(xmtp_tree_load_node(to, index, xmtp_writer_bytes(&f->w)), XMTP_OK);
    }
    assert_int_equal(xmtp_tree_load_end(to), XMTP_OK);
}

static void records_bring_the_tree_back(void **state)
{
    (void)state;
    for (int backwards = 0; backwards < 2; backwards++) {
        fixture f;
        xmtp_tree loaded;
        uint8_t hash[XMTP_HASH_MAX];
        uint32_t at;
        fixture_open(&f, 11);
        assert_int_equal(xmtp_tree_remove_leaf(&f.tree, 4), XMTP_OK);
        assert_int_equal(xmtp_tree_hash(&f.tree, hash), XMTP_OK);
        copy_by_records(&f, &f.tree, &loaded, backwards == 1);
        assert_hash(&loaded, xmtp_bytes_of(hash, SUITE->hash->len), "loaded");
        assert_int_equal(xmtp_tree_add_leaf(&loaded, make_leaf(&f.w, 77), &at), XMTP_OK);
        assert_int_equal(at, 4);
        assert_hash_is_that_of_a_fresh_tree(&f, &loaded);
        xmtp_tree_free(&loaded);
        fixture_close(&f);
    }
}

static void damaged_records_are_corrupt(void **state)
{
    (void)state;
    fixture f;
    xmtp_tree loaded;
    uint8_t hash[XMTP_HASH_MAX];
    fixture_open(&f, 2);
    assert_int_equal(xmtp_tree_hash(&f.tree, hash), XMTP_OK);
    xmtp_tree_init(&loaded, SUITE, vectors_alloc());
    assert_int_equal(xmtp_tree_load_begin(&loaded, 3), XMTP_E_CORRUPT);
    assert_int_equal(xmtp_tree_load_begin(&loaded, 0), XMTP_E_CORRUPT);
    assert_int_equal(xmtp_tree_load_begin(&loaded, 2 * XMTP_MLS_LEAVES_MAX), XMTP_E_CORRUPT);
    assert_int_equal(xmtp_tree_load_begin(&loaded, 2), XMTP_OK);
    xmtp_tree_record_encode(xmtp_tree_node(&f.tree, 0), SUITE, &f.w2);
    xmtp_bytes record = xmtp_writer_bytes(&f.w2);
    for (size_t n = 0; n < record.n; n++) {
        assert_int_equal(xmtp_tree_load_node(&loaded, 0, xmtp_bytes_of(record.p, n)),
                         XMTP_E_CORRUPT);
    }
    assert_int_equal(xmtp_tree_load_node(&loaded, 1, record), XMTP_E_CORRUPT);
    assert_int_equal(xmtp_tree_load_node(&loaded, 3, record), XMTP_E_CORRUPT);
    assert_int_equal(xmtp_tree_load_node(&loaded, 0, record), XMTP_OK);
    xmtp_tree_free(&loaded);
    fixture_close(&f);
}

/* ---- paths ---- */

static void filtered_paths_leave_out_empty_copaths(void **state)
{
    (void)state;
    fixture f;
    xmtp_tree_path path;
    fixture_open(&f, 5); /* leaves 5, 6, 7 are blank */
    xmtp_tree_direct_path(&f.tree, 4, &path);
    assert_int_equal(path.count, 3);
    xmtp_tree_filtered_path(&f.tree, 4, &path);
    assert_int_equal(path.count, 1);
    assert_int_equal(path.steps[0].node, 7);
    assert_int_equal(path.steps[0].copath, 3);
    xmtp_tree_filtered_path(&f.tree, 0, &path);
    assert_int_equal(path.count, 3);
    fixture_close(&f);
}

/* ---- hostile encodings of a tree ---- */

static xmtp_status decode(xmtp_bytes data)
{
    xmtp_tree tree;
    xmtp_tree_init(&tree, SUITE, vectors_alloc());
    xmtp_status status = xmtp_tree_decode(&tree, data);
    xmtp_tree_free(&tree);
    return status;
}

/* kinds: one letter a node, L leaf, P parent, U parent with unsorted leaves, T twice the same, '-'
 * blank */
static xmtp_status decode_shape(const char *kinds)
{
    xmtp_writer w;
    xmtp_writer leaf;
    xmtp_writer_init(&w, vectors_alloc(), XMTP_WRITER_MAX);
    xmtp_writer_init(&leaf, vectors_alloc(), XMTP_WRITER_MAX);
    static const uint8_t unsorted[] = {0, 0, 0, 2, 0, 0, 0, 1};
    static const uint8_t twice[] = {0, 0, 0, 1, 0, 0, 0, 1};
    size_t mark = xmtp_writer_vec_open(&w);
    for (uint32_t i = 0; kinds[i] != 0; i++) {
        xmtp_parent_node parent = {.encryption_key = xmtp_bytes_of(unsorted, 1 + i % 8)};
        xmtp_writer_u8(&w, kinds[i] != '-');
        if (kinds[i] == 'L') {
            xmtp_writer_u8(&w, XMTP_NODE_LEAF);
            xmtp_writer_put(&w, make_leaf(&leaf, i));
        } else if (kinds[i] != '-') {
            xmtp_writer_u8(&w, XMTP_NODE_PARENT);
            parent.unmerged_leaves = kinds[i] == 'U'   ? xmtp_bytes_of(unsorted, 8)
                                     : kinds[i] == 'T' ? xmtp_bytes_of(twice, 8)
                                                       : (xmtp_bytes){0};
            xmtp_parent_node_encode(&w, &parent);
        }
    }
    xmtp_writer_vec_close(&w, mark);
    xmtp_status status = decode(xmtp_writer_bytes(&w));
    xmtp_writer_free(&leaf);
    xmtp_writer_free(&w);
    return status;
}

static void trees_of_wrong_shape_are_refused(void **state)
{
    (void)state;
    assert_int_equal(decode_shape("L"), XMTP_OK);
    assert_int_equal(decode_shape("LPL"), XMTP_OK);
    assert_int_equal(decode_shape("L-L"), XMTP_OK);
    assert_int_equal(decode_shape("L-LP-"), XMTP_E_TREE);
    assert_int_equal(decode_shape("L-L-L"), XMTP_OK);
    assert_int_equal(decode_shape(""), XMTP_E_TREE);
    assert_int_equal(decode_shape("-"), XMTP_E_TREE);
    assert_int_equal(decode_shape("L-"), XMTP_E_TREE);
    assert_int_equal(decode_shape("L--"), XMTP_E_TREE);
    assert_int_equal(decode_shape("LL"), XMTP_E_TREE);
    assert_int_equal(decode_shape("P"), XMTP_E_TREE);
    assert_int_equal(decode_shape("LPP"), XMTP_E_TREE);
    assert_int_equal(decode_shape("LUL"), XMTP_E_TREE);
    assert_int_equal(decode_shape("LTL"), XMTP_E_TREE);
}

static void a_tree_of_too_many_blanks_is_over_the_limit(void **state)
{
    (void)state;
    const size_t n = 2 * (size_t)XMTP_MLS_LEAVES_MAX;
    xmtp_writer w;
    xmtp_writer_init(&w, vectors_alloc(), XMTP_WRITER_MAX);
    size_t mark = xmtp_writer_vec_open(&w);
    uint8_t *p = xmtp_writer_extend(&w, n);
    assert_non_null(p);
    memset(p, 0, n);
    xmtp_writer_vec_close(&w, mark);
    assert_int_equal(decode(xmtp_writer_bytes(&w)), XMTP_E_LIMIT);
    xmtp_writer_free(&w);
}

/* ---- memory that ends ---- */

typedef struct failing {
    int left; /* allocations until one fails */
} failing;

static void *fail_later(void *context, void *p, size_t n)
{
    failing *f = context;
    if (n > 0 && f->left-- <= 0) {
        return NULL;
    }
    return vectors_alloc()->reallocate(vectors_alloc()->context, p, n);
}

static void every_failing_allocation_leaves_the_base_as_it_was(void **state)
{
    (void)state;
    xmtp_writer leaf;
    xmtp_writer w;
    xmtp_writer_init(&leaf, vectors_alloc(), XMTP_WRITER_MAX);
    xmtp_writer_init(&w, vectors_alloc(), XMTP_WRITER_MAX);
    failing f = {.left = 1 << 30};
    const xmtp_alloc alloc = {.context = &f, .reallocate = fail_later};
    uint8_t before[XMTP_HASH_MAX];
    uint8_t after[XMTP_HASH_MAX];
    for (int n = 0;; n++) {
        xmtp_tree tree;
        xmtp_tree overlay;
        uint32_t at;
        f.left = 1 << 30;
        xmtp_tree_init(&tree, SUITE, &alloc);
        for (uint32_t i = 0; i < 4; i++) {
            assert_int_equal(xmtp_tree_add_leaf(&tree, make_leaf(&leaf, i), &at), XMTP_OK);
        }
        assert_int_equal(xmtp_tree_hash(&tree, before), XMTP_OK);
        f.left = n;
        xmtp_tree_overlay(&overlay, &tree);
        xmtp_status status = xmtp_tree_add_leaf(&overlay, make_leaf(&leaf, 9), &at);
        if (status == XMTP_OK) {
            status = xmtp_tree_hash(&overlay, after);
        }
        if (status == XMTP_OK) {
            status = xmtp_tree_merge(&tree, &overlay);
        }
        if (status == XMTP_OK) {
            assert_hash(&tree, xmtp_bytes_of(after, SUITE->hash->len), "merged");
            xmtp_tree_free(&tree);
            assert_true(n > 3);
            break;
        }
        assert_int_equal(status, XMTP_E_NOMEM);
        xmtp_tree_free(&overlay);
        f.left = 1 << 30;
        assert_hash(&tree, xmtp_bytes_of(before, SUITE->hash->len), "as before");
        xmtp_tree_free(&tree);
    }
    xmtp_writer_free(&leaf);
    xmtp_writer_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tree_operations_vectors_agree),
        cmocka_unit_test(ratchet_trees_of_messages_survive_decoding_and_encoding),
        cmocka_unit_test(add_takes_the_leftmost_blank_and_doubles),
        cmocka_unit_test(remove_truncates_past_all_blank_halves),
        cmocka_unit_test(an_overlay_shrinks_and_grows_again_with_blanks),
        cmocka_unit_test(keys_are_found_where_they_are_now),
        cmocka_unit_test(a_replaced_key_may_move_to_another_leaf),
        cmocka_unit_test(random_changes_keep_hashes_and_indices_right),
        cmocka_unit_test(members_must_understand_each_others_credentials),
        cmocka_unit_test(members_must_support_the_extensions_of_the_group),
        cmocka_unit_test(records_bring_the_tree_back),
        cmocka_unit_test(damaged_records_are_corrupt),
        cmocka_unit_test(filtered_paths_leave_out_empty_copaths),
        cmocka_unit_test(trees_of_wrong_shape_are_refused),
        cmocka_unit_test(a_tree_of_too_many_blanks_is_over_the_limit),
        cmocka_unit_test(every_failing_allocation_leaves_the_base_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
