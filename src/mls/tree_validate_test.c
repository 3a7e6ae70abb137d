/* tree_validate_test.c - tree-validation.json: resolutions, hashes, validity; then the same trees
 * with one thing wrong. */
#include "base/bytes.h"
#include "mls/group_info.h"
#include "mls/tree.h"

#include <setjmp.h>
#include <stdarg.h>
// cmocka wants the headers above first
#include <cmocka.h>

#include "mls/test_vectors.h"

static void open_tree(xmtp_tree *tree, const xmtp_suite *suite, xmtp_bytes data)
{
    xmtp_tree_init(tree, suite, vectors_alloc());
    assert_int_equal(xmtp_tree_decode(tree, data), XMTP_OK);
}

static void check_hashes(xmtp_tree *tree, const cJSON *v)
{
    const cJSON *hashes = vectors_field(v, "tree_hashes");
    assert_int_equal(cJSON_GetArraySize(hashes), xmtp_node_count(tree->leaf_count));
    for (uint32_t i = 0; i < xmtp_node_count(tree->leaf_count); i++) {
        uint8_t hash[XMTP_HASH_MAX];
        assert_int_equal(xmtp_tree_node_hash(tree, i, hash), XMTP_OK);
        vectors_assert_equal(xmtp_bytes_of(hash, tree->suite->hash->len),
                             vectors_bytes_of(cJSON_GetArrayItem(hashes, (int)i)),
                             "tree hash, section 7.8");
    }
}

static void check_resolutions(const xmtp_tree *tree, const cJSON *v)
{
    const cJSON *resolutions = vectors_field(v, "resolutions");
    xmtp_arena arena;
    xmtp_arena_init(&arena, vectors_alloc(), 1 << 20);
    for (uint32_t i = 0; i < xmtp_node_count(tree->leaf_count); i++) {
        const cJSON *want = cJSON_GetArrayItem(resolutions, (int)i);
        uint32_t *got;
        size_t count;
        assert_int_equal(xmtp_tree_resolution(tree, i, &arena, &got, &count), XMTP_OK);
        assert_int_equal(count, cJSON_GetArraySize(want));
        for (size_t k = 0; k < count; k++) {
            assert_int_equal(got[k], cJSON_GetArrayItem(want, (int)k)->valueint);
        }
        xmtp_arena_reset(&arena);
    }
}

static void tree_validation_vectors_agree(void **state)
{
    (void)state;
    cJSON *file = vectors_open("mls/tree-validation.json");
    const cJSON *v;
    int passed = 0;
    int skipped = 0;
    cJSON_ArrayForEach(v, file)
    {
        const xmtp_suite *suite = vectors_suite(v);
        xmtp_error error = {0};
        xmtp_tree tree;
        if (suite == NULL) {
            skipped++;
            continue;
        }
        open_tree(&tree, suite, vectors_bytes(v, "tree"));
        check_hashes(&tree, v);
        check_resolutions(&tree, v);
        if (xmtp_tree_validate(&tree, vectors_bytes(v, "group_id"), NULL, &error) != XMTP_OK) {
            fail_msg("%s", error.text);
        }
        xmtp_tree_free(&tree);
        passed++;
    }
    print_message("tree-validation: %d passed, %d of other suites skipped\n", passed, skipped);
    assert_int_equal(passed, 98);
    cJSON_Delete(file);
}

/* Trees of groups that the official client made, against their GroupContext. */
static int check_official_group(const cJSON *group)
{
    const cJSON *epoch;
    const cJSON *epochs = vectors_field(group, "epochs");
    cJSON_ArrayForEach(epoch, epochs)
    {
        xmtp_tree tree;
        xmtp_group_context context;
        xmtp_error error = {0};
        uint8_t hash[XMTP_HASH_MAX];
        const xmtp_bytes raw = vectors_bytes(epoch, "group_context_tls");
        assert_int_equal(xmtp_group_context_of(raw, &context), XMTP_OK);
        open_tree(&tree, &xmtp_suite_x25519_chacha, vectors_bytes(epoch, "ratchet_tree_tls"));
        assert_int_equal(xmtp_tree_hash(&tree, hash), XMTP_OK);
        vectors_assert_equal(xmtp_bytes_of(hash, 32), context.tree_hash, "tree hash");
        if (xmtp_tree_validate(&tree, context.group_id, &context.extensions, &error) != XMTP_OK) {
            fail_msg("%s", error.text);
        }
        assert_int_equal(xmtp_tree_check_extensions(&tree, &context.extensions, NULL), XMTP_OK);
        xmtp_tree_free(&tree);
    }
    return cJSON_GetArraySize(epochs);
}

static void official_trees_are_valid(void **state)
{
    (void)state;
    cJSON *file = vectors_open("xmtp/groups.json");
    const cJSON *group;
    int count = 0;
    cJSON_ArrayForEach(group, vectors_field(file, "groups"))
    {
        count += check_official_group(group);
    }
    assert_true(count > 10);
    print_message("official trees: %d passed\n", count);
    cJSON_Delete(file);
}

/* ---- trees with one thing wrong ---- */

/* Rewrites one parent node by edit; the vector's tree number c of suite 3. */
typedef bool edit_parent(const xmtp_tree *tree, uint32_t index, xmtp_parent_node *parent);

static xmtp_status validate_edited(const cJSON *v, edit_parent *edit, bool *edited)
{
    xmtp_tree tree;
    xmtp_writer w;
    xmtp_status status = XMTP_OK;
    *edited = false;
    xmtp_writer_init(&w, vectors_alloc(), XMTP_WRITER_MAX);
    open_tree(&tree, &xmtp_suite_x25519_chacha, vectors_bytes(v, "tree"));
    for (uint32_t i = 1; i < xmtp_node_count(tree.leaf_count) && !*edited; i += 2) {
        xmtp_parent_node parent;
        if (xmtp_tree_parent(&tree, i, &parent) != XMTP_OK || !edit(&tree, i, &parent)) {
            continue;
        }
        xmtp_writer_clear(&w);
        xmtp_parent_node_encode(&w, &parent);
        assert_int_equal(xmtp_tree_set_node(&tree, i, XMTP_NODE_PARENT, xmtp_writer_bytes(&w)),
                         XMTP_OK);
        *edited = true;
    }
    if (*edited) {
        status = xmtp_tree_validate(&tree, vectors_bytes(v, "group_id"), NULL, NULL);
    }
    xmtp_tree_free(&tree);
    xmtp_writer_free(&w);
    return status;
}

/* Every tree of suite 3 that has something to edit must then fail with want. */
static void every_edit_gives(edit_parent *edit, xmtp_status want)
{
    cJSON *file = vectors_open("mls/tree-validation.json");
    const cJSON *v;
    int count = 0;
    cJSON_ArrayForEach(v, file)
    {
        bool edited;
        if (vectors_u32(v, "cipher_suite") != 3) {
            continue;
        }
        xmtp_status status = validate_edited(v, edit, &edited);
        if (edited) {
            assert_string_equal(xmtp_status_name(status), xmtp_status_name(want));
            count++;
        }
    }
    assert_true(count > 0);
    print_message("%d trees refused with %s\n", count, xmtp_status_name(want));
    cJSON_Delete(file);
}

static uint8_t other_bytes[XMTP_HASH_MAX];

static bool change_parent_hash(const xmtp_tree *tree, uint32_t index, xmtp_parent_node *parent)
{
    (void)tree;
    (void)index;
    parent->parent_hash = xmtp_bytes_of(other_bytes, 32);
    return true;
}

static bool empty_parent_hash(const xmtp_tree *tree, uint32_t index, xmtp_parent_node *parent)
{
    (void)tree;
    (void)index;
    bool had = parent->parent_hash.n > 0;
    parent->parent_hash = (xmtp_bytes){0};
    return had;
}

static bool change_key(const xmtp_tree *tree, uint32_t index, xmtp_parent_node *parent)
{
    (void)tree;
    (void)index;
    parent->encryption_key = xmtp_bytes_of(other_bytes, 32);
    return true;
}

static bool shorten_key(const xmtp_tree *tree, uint32_t index, xmtp_parent_node *parent)
{
    (void)tree;
    (void)index;
    parent->encryption_key.n--;
    return true;
}

static bool copy_key_of_a_leaf(const xmtp_tree *tree, uint32_t index, xmtp_parent_node *parent)
{
    (void)index;
    parent->encryption_key = xmtp_tree_encryption_key(tree, 0);
    return parent->encryption_key.n > 0;
}

static bool drop_unmerged(const xmtp_tree *tree, uint32_t index, xmtp_parent_node *parent)
{
    (void)tree;
    (void)index;
    bool had = parent->unmerged_leaves.n > 0;
    parent->unmerged_leaves = (xmtp_bytes){0};
    return had;
}

static bool unmerge_beyond_the_tree(const xmtp_tree *tree, uint32_t index, xmtp_parent_node *parent)
{
    static const uint8_t far[] = {0x7f, 0xff, 0xff, 0xff};
    (void)tree;
    (void)index;
    parent->unmerged_leaves = xmtp_bytes_of(far, 4);
    return true;
}

static bool unmerge_elsewhere(const xmtp_tree *tree, uint32_t index, xmtp_parent_node *parent)
{
    static const uint8_t zero[] = {0, 0, 0, 0};
    (void)tree;
    parent->unmerged_leaves = xmtp_bytes_of(zero, 4);
    return !xmtp_node_contains(index, 0);
}

static void parent_hashes_that_do_not_match_are_refused(void **state)
{
    (void)state;
    memset(other_bytes, 9, sizeof other_bytes);
    every_edit_gives(change_parent_hash, XMTP_E_PARENT_HASH);
    every_edit_gives(empty_parent_hash, XMTP_E_PARENT_HASH);
    every_edit_gives(change_key, XMTP_E_PARENT_HASH);
}

static void keys_of_wrong_length_or_twice_are_refused(void **state)
{
    (void)state;
    every_edit_gives(shorten_key, XMTP_E_KEY);
    every_edit_gives(copy_key_of_a_leaf, XMTP_E_DUPLICATE_KEY);
}

static void wrong_unmerged_leaves_are_refused(void **state)
{
    (void)state;
    every_edit_gives(unmerge_beyond_the_tree, XMTP_E_TREE);
    every_edit_gives(unmerge_elsewhere, XMTP_E_TREE);
    every_edit_gives(drop_unmerged, XMTP_E_PARENT_HASH);
}

/* The last tree of suite 3, where every leaf gets one wrong byte in turn. */
static void a_leaf_changed_in_any_byte_is_refused(void **state)
{
    (void)state;
    cJSON *file = vectors_open("mls/tree-validation.json");
    const cJSON *v;
    const cJSON *chosen = NULL;
    cJSON_ArrayForEach(v, file)
    {
        if (vectors_u32(v, "cipher_suite") == 3 && chosen == NULL &&
            cJSON_GetArraySize(vectors_field(v, "tree_hashes")) == 7) {
            chosen = v;
        }
    }
    assert_non_null(chosen);
    xmtp_tree tree;
    open_tree(&tree, &xmtp_suite_x25519_chacha, vectors_bytes(chosen, "tree"));
    const xmtp_bytes raw = xmtp_tree_leaf_raw(&tree, 0);
    uint8_t copy[2048];
    assert_true(raw.n <= sizeof copy);
    memcpy(copy, raw.p, raw.n);
    for (size_t i = 0; i < raw.n; i += 3) {
        copy[i] ^= 0x10;
        xmtp_leaf_node ignored;
        if (xmtp_leaf_node_of(xmtp_bytes_of(copy, raw.n), &ignored) == XMTP_OK) {
            assert_int_equal(
                xmtp_tree_set_node(&tree, 0, XMTP_NODE_LEAF, xmtp_bytes_of(copy, raw.n)), XMTP_OK);
            assert_int_not_equal(
                xmtp_tree_validate(&tree, vectors_bytes(chosen, "group_id"), NULL, NULL), XMTP_OK);
        }
        copy[i] ^= 0x10;
    }
    assert_int_equal(xmtp_tree_set_node(&tree, 0, XMTP_NODE_LEAF, xmtp_bytes_of(copy, raw.n)),
                     XMTP_OK);
    assert_int_equal(xmtp_tree_validate(&tree, vectors_bytes(chosen, "group_id"), NULL, NULL),
                     XMTP_OK);
    xmtp_tree_free(&tree);
    cJSON_Delete(file);
}

static void the_wrong_group_breaks_signatures(void **state)
{
    (void)state;
    cJSON *file = vectors_open("mls/tree-validation.json");
    const cJSON *v;
    int refused = 0;
    cJSON_ArrayForEach(v, file)
    {
        xmtp_tree tree;
        if (vectors_u32(v, "cipher_suite") != 3) {
            continue;
        }
        open_tree(&tree, &xmtp_suite_x25519_chacha, vectors_bytes(v, "tree"));
        refused += xmtp_tree_validate(&tree, xmtp_bytes_of("other", 5), NULL, NULL) ==
                   XMTP_E_LEAF_SIGNATURE;
        xmtp_tree_free(&tree);
    }
    assert_true(refused > 10);
    cJSON_Delete(file);
}

static void cut_trees_never_decode(void **state)
{
    (void)state;
    cJSON *file = vectors_open("mls/tree-validation.json");
    xmtp_bytes data = vectors_bytes(cJSON_GetArrayItem(file, 30), "tree");
    for (size_t n = 0; n < data.n; n += 7) {
        uint8_t *copy = malloc(n + 1);
        assert_non_null(copy);
        memcpy(copy, data.p, n);
        xmtp_tree tree;
        xmtp_tree_init(&tree, &xmtp_suite_x25519_chacha, vectors_alloc());
        assert_int_not_equal(xmtp_tree_decode(&tree, xmtp_bytes_of(copy, n)), XMTP_OK);
        xmtp_tree_free(&tree);
        free(copy);
    }
    cJSON_Delete(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tree_validation_vectors_agree),
        cmocka_unit_test(official_trees_are_valid),
        cmocka_unit_test(parent_hashes_that_do_not_match_are_refused),
        cmocka_unit_test(keys_of_wrong_length_or_twice_are_refused),
        cmocka_unit_test(wrong_unmerged_leaves_are_refused),
        cmocka_unit_test(a_leaf_changed_in_any_byte_is_refused),
        cmocka_unit_test(the_wrong_group_breaks_signatures),
        cmocka_unit_test(cut_trees_never_decode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
