/* secret_tree_test.c - secret-tree.json of the working group, the window of kept keys, and that
 * used secrets are gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/writer.h"
#include "mls/framing.h"
#include "mls/secret_tree.h"
#include "mls/test_vectors.h"
#include "mls/tree_math.h"

static const xmtp_ratchet_limits limits = {.tolerance = 5, .forward = 1000};

static void start(xmtp_secret_tree *tree, const xmtp_suite *suite, uint32_t leaf_count,
                  xmtp_secret secret)
{
    assert_int_equal(xmtp_secret_tree_init(tree, suite, vectors_alloc(), leaf_count, &secret),
                     XMTP_OK);
    assert_int_equal(secret.n, 0);
}

static void start_simple(xmtp_secret_tree *tree, uint32_t leaf_count)
{
    start(tree, &xmtp_suite_x25519_chacha, leaf_count, (xmtp_secret){.n = 32, .p = {1, 2, 3}});
}

/* Takes a key for good. */
static xmtp_status use(xmtp_secret_tree *tree, uint32_t leaf, xmtp_ratchet_kind kind,
                       uint32_t generation, xmtp_message_key *key)
{
    xmtp_secret_tree_change change;
    xmtp_status status = xmtp_secret_tree_key(tree, leaf, kind, generation, &limits, key, &change);
    if (status == XMTP_OK) {
        assert_int_equal(xmtp_secret_tree_apply(tree, &change), XMTP_OK);
    }
    return status;
}

/* ---- vectors ---- */

static void check_key(xmtp_secret_tree *tree, uint32_t leaf, xmtp_ratchet_kind kind,
                      const cJSON *entry, const char *key_name, const char *nonce_name)
{
    xmtp_message_key key;
    assert_int_equal(use(tree, leaf, kind, vectors_u32(entry, "generation"), &key), XMTP_OK);
    vectors_assert_equal(xmtp_bytes_of(key.key, tree->suite->aead->key_len),
                         vectors_bytes(entry, key_name), key_name);
    vectors_assert_equal(xmtp_bytes_of(key.nonce, tree->suite->aead->nonce_len),
                         vectors_bytes(entry, nonce_name), nonce_name);
}

static void check_sender_data(const xmtp_suite *suite, const cJSON *vector)
{
    uint8_t key[XMTP_AEAD_KEY_MAX];
    uint8_t nonce[XMTP_AEAD_NONCE_MAX];
    xmtp_secret secret = vectors_secret(vector, "sender_data_secret");
    assert_int_equal(
        xmtp_sender_data_key(suite, &secret, vectors_bytes(vector, "ciphertext"), key, nonce),
        XMTP_OK);
    vectors_assert_equal(xmtp_bytes_of(key, suite->aead->key_len), vectors_bytes(vector, "key"),
                         "sender data key");
    vectors_assert_equal(xmtp_bytes_of(nonce, suite->aead->nonce_len),
                         vectors_bytes(vector, "nonce"), "sender data nonce");
}

static void check_case(const xmtp_suite *suite, const cJSON *one)
{
    const cJSON *leaves = vectors_field(one, "leaves");
    const cJSON *leaf, *entry;
    uint32_t index = 0;
    xmtp_secret_tree tree;
    start(&tree, suite, (uint32_t)cJSON_GetArraySize(leaves),
          vectors_secret(one, "encryption_secret"));
    cJSON_ArrayForEach(leaf, leaves)
    {
        cJSON_ArrayForEach(entry, leaf)
        {
            check_key(&tree, index, XMTP_RATCHET_APPLICATION, entry, "application_key",
                      "application_nonce");
            check_key(&tree, index, XMTP_RATCHET_HANDSHAKE, entry, "handshake_key",
                      "handshake_nonce");
        }
        index++;
    }
    assert_int_equal(tree.node_count, 0); /* every leaf was heard: nothing is left */
    check_sender_data(suite, vectors_field(one, "sender_data"));
    xmtp_secret_tree_free(&tree);
}

static void secret_tree_vectors_pass(void **state)
{
    (void)state;
    cJSON *json = vectors_open("mls/secret-tree.json");
    size_t cases = 0;
    const cJSON *one;
    cJSON_ArrayForEach(one, json)
    {
        const xmtp_suite *suite = vectors_suite(one);
        if (suite != NULL) {
            check_case(suite, one);
            cases++;
        }
    }
    cJSON_Delete(json);
    print_message("secret-tree: %zu passed\n", cases);
    assert_int_equal(cases, 21);
}

/* ---- the window ---- */

static void a_key_is_given_once(void **state)
{
    (void)state;
    xmtp_secret_tree tree;
    xmtp_message_key key;
    start_simple(&tree, 8);
    assert_int_equal(use(&tree, 3, XMTP_RATCHET_APPLICATION, 0, &key), XMTP_OK);
    assert_int_equal(use(&tree, 3, XMTP_RATCHET_APPLICATION, 0, &key), XMTP_E_KEY_CONSUMED);
    assert_int_equal(use(&tree, 3, XMTP_RATCHET_HANDSHAKE, 0, &key), XMTP_OK);
    assert_int_equal(use(&tree, 3, XMTP_RATCHET_HANDSHAKE, 0, &key), XMTP_E_KEY_CONSUMED);
    xmtp_secret_tree_free(&tree);
}

static void skipped_keys_are_kept_within_the_tolerance(void **state)
{
    (void)state;
    xmtp_secret_tree tree;
    xmtp_message_key in_order[11], key;
    start_simple(&tree, 4);
    for (uint32_t g = 0; g <= 10; g++) {
        assert_int_equal(use(&tree, 1, XMTP_RATCHET_APPLICATION, g, &in_order[g]), XMTP_OK);
    }
    xmtp_secret_tree_free(&tree);

    start_simple(&tree, 4);
    assert_int_equal(use(&tree, 1, XMTP_RATCHET_APPLICATION, 10, &key), XMTP_OK);
    assert_memory_equal(key.key, in_order[10].key, 32);
    assert_int_equal(use(&tree, 1, XMTP_RATCHET_APPLICATION, 5, &key), XMTP_E_KEY_CONSUMED);
    for (uint32_t g = 9; g >= 6; g--) {
        assert_int_equal(use(&tree, 1, XMTP_RATCHET_APPLICATION, g, &key), XMTP_OK);
        assert_memory_equal(key.key, in_order[g].key, 32);
        assert_memory_equal(key.nonce, in_order[g].nonce, 12);
        assert_int_equal(use(&tree, 1, XMTP_RATCHET_APPLICATION, g, &key), XMTP_E_KEY_CONSUMED);
    }
    assert_int_equal(xmtp_secret_tree_ratchet(&tree, 1, XMTP_RATCHET_APPLICATION)->skipped_count,
                     0);
    xmtp_secret_tree_free(&tree);
}

static void skipped_keys_fall_out_as_the_ratchet_advances(void **state)
{
    (void)state;
    xmtp_secret_tree tree;
    xmtp_message_key key;
    start_simple(&tree, 2);
    assert_int_equal(use(&tree, 0, XMTP_RATCHET_APPLICATION, 3, &key), XMTP_OK); /* 0 1 2 kept */
    assert_int_equal(use(&tree, 0, XMTP_RATCHET_APPLICATION, 5, &key), XMTP_OK); /* 1 2 4 kept */
    assert_int_equal(xmtp_secret_tree_ratchet(&tree, 0, XMTP_RATCHET_APPLICATION)->skipped_count,
                     3);
    assert_int_equal(use(&tree, 0, XMTP_RATCHET_APPLICATION, 0, &key), XMTP_E_KEY_CONSUMED);
    assert_int_equal(use(&tree, 0, XMTP_RATCHET_APPLICATION, 1, &key), XMTP_OK);
    xmtp_secret_tree_free(&tree);
}

static void the_forward_distance_is_bounded(void **state)
{
    (void)state;
    xmtp_secret_tree tree;
    xmtp_message_key key;
    start_simple(&tree, 2);
    assert_int_equal(use(&tree, 0, XMTP_RATCHET_APPLICATION, 1001, &key), XMTP_E_GENERATION);
    assert_int_equal(use(&tree, 0, XMTP_RATCHET_APPLICATION, 1000, &key), XMTP_OK);
    assert_int_equal(use(&tree, 0, XMTP_RATCHET_APPLICATION, UINT32_MAX, &key), XMTP_E_GENERATION);
    assert_int_equal(use(&tree, 2, XMTP_RATCHET_APPLICATION, 0, &key), XMTP_E_SENDER);
    xmtp_secret_tree_free(&tree);
}

/* ---- staging and records ---- */

static xmtp_bytes snapshot(const xmtp_secret_tree *tree, xmtp_writer *w)
{
    xmtp_writer_clear(w);
    xmtp_secret_tree_encode(tree, w);
    for (uint32_t i = 0; i < tree->ratchet_count; i++) {
        xmtp_ratchet_encode(&tree->ratchets[i], tree->suite, w);
    }
    assert_int_equal(xmtp_writer_status(w), XMTP_OK);
    return xmtp_writer_bytes(w);
}

static void a_change_that_is_dropped_changes_nothing(void **state)
{
    (void)state;
    xmtp_secret_tree tree;
    xmtp_message_key key;
    xmtp_secret_tree_change change;
    xmtp_writer before, after;
    xmtp_writer_init(&before, vectors_alloc(), XMTP_WRITER_MAX);
    xmtp_writer_init(&after, vectors_alloc(), XMTP_WRITER_MAX);
    start_simple(&tree, 16);
    assert_int_equal(use(&tree, 5, XMTP_RATCHET_APPLICATION, 4, &key), XMTP_OK);
    snapshot(&tree, &before);
    for (uint32_t leaf = 0; leaf < 16; leaf++) {
        assert_int_equal(
            xmtp_secret_tree_key(&tree, leaf, XMTP_RATCHET_APPLICATION, 7, &limits, &key, &change),
            XMTP_OK);
        xmtp_secret_tree_change_free(&change);
    }
    vectors_assert_equal(snapshot(&tree, &after), xmtp_writer_bytes(&before), "dropped change");
    xmtp_writer_free(&before);
    xmtp_writer_free(&after);
    xmtp_secret_tree_free(&tree);
}

static void reload(const xmtp_secret_tree *tree, xmtp_secret_tree *out)
{
    xmtp_writer w;
    xmtp_writer_init(&w, vectors_alloc(), XMTP_WRITER_MAX);
    xmtp_secret_tree_encode(tree, &w);
    assert_int_equal(
        xmtp_secret_tree_decode(out, tree->suite, vectors_alloc(), xmtp_writer_bytes(&w)), XMTP_OK);
    for (uint32_t i = 0; i < tree->ratchet_count; i++) {
        const xmtp_ratchet *ratchet = &tree->ratchets[i];
        xmtp_writer_clear(&w);
        xmtp_ratchet_encode(ratchet, tree->suite, &w);
        assert_true(xmtp_writer_bytes(&w).n <= 36 + 5 * 48);
        assert_int_equal(xmtp_secret_tree_load_ratchet(out, ratchet->leaf_index,
                                                       (xmtp_ratchet_kind)ratchet->kind,
                                                       xmtp_writer_bytes(&w)),
                         XMTP_OK);
    }
    xmtp_writer_free(&w);
}

static void records_bring_the_tree_back(void **state)
{
    (void)state;
    xmtp_secret_tree tree, loaded;
    xmtp_message_key key;
    xmtp_writer a, b;
    xmtp_writer_init(&a, vectors_alloc(), XMTP_WRITER_MAX);
    xmtp_writer_init(&b, vectors_alloc(), XMTP_WRITER_MAX);
    start_simple(&tree, 32);
    assert_int_equal(use(&tree, 31, XMTP_RATCHET_HANDSHAKE, 9, &key), XMTP_OK);
    assert_int_equal(use(&tree, 0, XMTP_RATCHET_APPLICATION, 0, &key), XMTP_OK);
    assert_int_equal(use(&tree, 17, XMTP_RATCHET_APPLICATION, 2, &key), XMTP_OK);
    reload(&tree, &loaded);
    snapshot(&tree, &a);
    vectors_assert_equal(snapshot(&loaded, &b), xmtp_writer_bytes(&a), "reloaded tree");
    xmtp_secret_tree_free(&loaded);
    xmtp_secret_tree_free(&tree);
    xmtp_writer_free(&a);
    xmtp_writer_free(&b);
}

static void damaged_records_are_refused(void **state)
{
    (void)state;
    xmtp_secret_tree tree;
    xmtp_writer w;
    xmtp_writer_init(&w, vectors_alloc(), XMTP_WRITER_MAX);
    start_simple(&tree, 8);
    xmtp_secret_tree_encode(&tree, &w);
    xmtp_bytes whole = xmtp_writer_bytes(&w);
    xmtp_secret_tree_free(&tree);
    for (size_t n = 0; n < whole.n; n++) {
        xmtp_status status = xmtp_secret_tree_decode(&tree, &xmtp_suite_x25519_chacha,
                                                     vectors_alloc(), xmtp_bytes_of(whole.p, n));
        assert_int_equal(status, n == 4 ? XMTP_OK : XMTP_E_CORRUPT); /* 4: a tree without nodes */
        xmtp_secret_tree_free(&tree);
    }
    w.p[7] = 200; /* no such node */
    assert_int_equal(
        xmtp_secret_tree_decode(&tree, &xmtp_suite_x25519_chacha, vectors_alloc(), whole),
        XMTP_E_CORRUPT);
    xmtp_writer_free(&w);
}

/* Invariant: nodes sorted, disjoint, and disjoint from every leaf with ratchets. */
static void check_invariant(const xmtp_secret_tree *tree)
{
    for (uint32_t i = 0; i < tree->node_count; i++) {
        uint32_t node = tree->nodes[i].node;
        assert_true(i == 0 || xmtp_node_last(tree->nodes[i - 1].node) < xmtp_node_first(node));
        for (uint32_t k = 0; k < tree->ratchet_count; k++) {
            assert_false(xmtp_node_contains(node, xmtp_leaf_to_node(tree->ratchets[k].leaf_index)));
        }
    }
}

static void order_of_senders_does_not_matter(void **state)
{
    (void)state;
    enum { LEAVES = 64 };
    xmtp_message_key forward[LEAVES], key;
    xmtp_secret_tree tree;
    start_simple(&tree, LEAVES);
    for (uint32_t leaf = 0; leaf < LEAVES; leaf++) {
        assert_int_equal(use(&tree, leaf, XMTP_RATCHET_APPLICATION, 0, &forward[leaf]), XMTP_OK);
        check_invariant(&tree);
    }
    xmtp_secret_tree_free(&tree);
    start_simple(&tree, LEAVES);
    for (uint32_t i = 0; i < LEAVES; i++) {
        uint32_t leaf = (i * 37 + 11) % LEAVES;
        assert_int_equal(use(&tree, leaf, XMTP_RATCHET_APPLICATION, 0, &key), XMTP_OK);
        assert_memory_equal(key.key, forward[leaf].key, 32);
        check_invariant(&tree);
    }
    xmtp_secret_tree_free(&tree);
}

static void dropped_ratchets_cannot_come_back(void **state)
{
    (void)state;
    xmtp_secret_tree tree;
    xmtp_secret_tree_change change;
    xmtp_message_key key;
    start_simple(&tree, 4);
    assert_int_equal(xmtp_secret_tree_touch(&tree, 2, &change), XMTP_OK);
    assert_int_equal(xmtp_secret_tree_apply(&tree, &change), XMTP_OK);
    xmtp_secret_tree_drop(&tree, 2);
    assert_int_equal(tree.ratchet_count, 0);
    assert_int_equal(use(&tree, 2, XMTP_RATCHET_APPLICATION, 0, &key), XMTP_E_KEY_CONSUMED);
    assert_int_equal(use(&tree, 3, XMTP_RATCHET_APPLICATION, 0, &key), XMTP_OK);
    xmtp_secret_tree_free(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secret_tree_vectors_pass),
        cmocka_unit_test(a_key_is_given_once),
        cmocka_unit_test(skipped_keys_are_kept_within_the_tolerance),
        cmocka_unit_test(skipped_keys_fall_out_as_the_ratchet_advances),
        cmocka_unit_test(the_forward_distance_is_bounded),
        cmocka_unit_test(a_change_that_is_dropped_changes_nothing),
        cmocka_unit_test(records_bring_the_tree_back),
        cmocka_unit_test(damaged_records_are_refused),
        cmocka_unit_test(order_of_senders_does_not_matter),
        cmocka_unit_test(dropped_ratchets_cannot_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
