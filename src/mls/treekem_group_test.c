/* treekem_group_test.c - a group at the level of its tree: many epochs of random adds, updates,
 * removals and paths from one seed. After each, everybody has the same commit secret, private keys
 * that fit, and a tree that a newcomer would accept.
 */
#include "base/bytes.h"
#include "mls/treekem.h"

#include <setjmp.h>
#include <stdarg.h>
// cmocka wants the headers above first
#include <cmocka.h>

#include "mls/test_vectors.h"

static const xmtp_suite *const SUITE = &xmtp_suite_x25519_chacha;
static const uint8_t VERSIONS[] = {0, 1};
static const uint8_t SUITES[] = {0, 3};
static const uint8_t CREDENTIALS[] = {0, 1};

enum { MEMBERS_MAX = 64, ADDED_MAX = 4 };

typedef struct group {
    uint64_t seed;
    uint64_t counter;
    xmtp_env env;
    xmtp_tree tree;
    xmtp_tree_private members[MEMBERS_MAX]; /* by leaf index; count 0: none */
    uint8_t signature_sk[MEMBERS_MAX][32];
    xmtp_bytes group_id;
    xmtp_bytes context;
    xmtp_arena arena;
    xmtp_writer scratch;
    xmtp_writer leaf;
    xmtp_writer path;
} group;

/* ---- randomness from the seed ---- */

static xmtp_status seeded_random(void *context, uint8_t *out, size_t n)
{
    group *g = context;
    for (size_t done = 0; done < n; done += 32) {
        uint8_t block[32];
        const uint64_t in[2] = {g->seed, g->counter++};
        xmtp_hash_of(SUITE->hash, xmtp_bytes_of(in, sizeof in), block);
        memcpy(out + done, block, n - done < 32 ? n - done : 32);
    }
    return XMTP_OK;
}

static uint32_t below(group *g, uint32_t limit)
{
    uint32_t value;
    assert_int_equal(seeded_random(g, (uint8_t *)&value, sizeof value), XMTP_OK);
    return value % limit;
}

/* ---- leaves ---- */

/* A signed leaf with fresh keys; its encoding is in g->leaf. */
static void make_leaf(group *g, xmtp_leaf_node_source source, uint32_t leaf_index,
                      uint8_t *signature_sk, bool new_signature_key, uint8_t *sk)
{
    uint8_t ikm[32];
    uint8_t pk[32];
    uint8_t signature_pk[32];
    assert_int_equal(seeded_random(g, ikm, 32), XMTP_OK);
    assert_int_equal(SUITE->kem->derive_key_pair(xmtp_bytes_of(ikm, 32), sk, pk), XMTP_OK);
    if (new_signature_key) {
        assert_int_equal(seeded_random(g, signature_sk, 32), XMTP_OK);
    }
    assert_int_equal(SUITE->signature->public_key(signature_sk, signature_pk), XMTP_OK);
    const xmtp_leaf_node leaf = {
        .encryption_key = xmtp_bytes_of(pk, 32),
        .signature_key = xmtp_bytes_of(signature_pk, 32),
        .credential = {.type = XMTP_CREDENTIAL_BASIC, .content = xmtp_bytes_of("me", 2)},
        .capabilities = {.versions.raw = xmtp_bytes_of(VERSIONS, 2),
                         .cipher_suites.raw = xmtp_bytes_of(SUITES, 2),
                         .credentials.raw = xmtp_bytes_of(CREDENTIALS, 2)},
        .source = (uint8_t)source,
    };
    xmtp_writer_clear(&g->leaf);
    assert_int_equal(xmtp_leaf_node_sign(SUITE, signature_sk, &leaf, g->group_id, leaf_index,
                                         &g->scratch, &g->leaf),
                     XMTP_OK);
}

static void group_open(group *g, uint64_t seed)
{
    uint8_t sk[XMTP_KEM_SK_MAX];
    uint32_t leaf_index;
    *g = (group){.seed = seed};
    g->env = *xmtp_env_system();
    g->env.context = g;
    g->env.random = seeded_random;
    g->group_id = xmtp_bytes_of("a group", 7);
    g->context = xmtp_bytes_of("stands for the provisional GroupContext", 39);
    xmtp_arena_init(&g->arena, vectors_alloc(), 1 << 20);
    xmtp_writer_init(&g->scratch, vectors_alloc(), XMTP_WRITER_MAX);
    xmtp_writer_init(&g->leaf, vectors_alloc(), XMTP_WRITER_MAX);
    xmtp_writer_init(&g->path, vectors_alloc(), XMTP_WRITER_MAX);
    xmtp_tree_init(&g->tree, SUITE, vectors_alloc());
    make_leaf(g, XMTP_LEAF_NODE_KEY_PACKAGE, 0, g->signature_sk[0], true, sk);
    assert_int_equal(xmtp_tree_add_leaf(&g->tree, xmtp_writer_bytes(&g->leaf), &leaf_index),
                     XMTP_OK);
    xmtp_tree_private_init(&g->members[0], SUITE, 0, sk);
}

static void group_close(group *g)
{
    xmtp_tree_free(&g->tree);
    xmtp_arena_reset(&g->arena);
    xmtp_writer_free(&g->scratch);
    xmtp_writer_free(&g->leaf);
    xmtp_writer_free(&g->path);
}

static uint32_t random_member(group *g)
{
    for (;;) {
        uint32_t i = below(g, MEMBERS_MAX);
        if (g->members[i].count > 0) {
            return i;
        }
    }
}

/* ---- proposals, applied to the committer's overlay and the receivers' alike ---- */

typedef struct epoch {
    uint32_t committer;
    uint32_t added[ADDED_MAX];
    uint8_t added_sk[ADDED_MAX][XMTP_KEM_SK_MAX];
    size_t added_count;
    xmtp_tree mine;
    xmtp_tree theirs;
} epoch;

static void propose_removals(group *g, epoch *e, uint32_t count)
{
    while (count-- > 0) {
        const uint32_t who = random_member(g);
        if (who != e->committer) {
            assert_int_equal(xmtp_tree_remove_leaf(&e->mine, who), XMTP_OK);
            assert_int_equal(xmtp_tree_remove_leaf(&e->theirs, who), XMTP_OK);
            g->members[who] = (xmtp_tree_private){0};
        }
    }
}

static void propose_updates(group *g, epoch *e, uint32_t count)
{
    while (count-- > 0) {
        uint8_t sk[XMTP_KEM_SK_MAX];
        const uint32_t who = random_member(g);
        if (who == e->committer) {
            continue;
        }
        make_leaf(g, XMTP_LEAF_NODE_UPDATE, who, g->signature_sk[who], false, sk);
        const xmtp_bytes raw = xmtp_writer_bytes(&g->leaf);
        assert_int_equal(xmtp_tree_update_leaf(&e->mine, who, raw), XMTP_OK);
        assert_int_equal(xmtp_tree_update_leaf(&e->theirs, who, raw), XMTP_OK);
        xmtp_tree_private_set_leaf(&g->members[who], SUITE, sk);
    }
}

static void propose_adds(group *g, epoch *e, uint32_t count)
{
    while (count-- > 0 && e->mine.member_count < MEMBERS_MAX) {
        uint8_t signature_sk[32];
        uint32_t again;
        uint32_t *at = &e->added[e->added_count];
        make_leaf(g, XMTP_LEAF_NODE_KEY_PACKAGE, 0, signature_sk, true,
                  e->added_sk[e->added_count]);
        const xmtp_bytes raw = xmtp_writer_bytes(&g->leaf);
        assert_int_equal(xmtp_tree_add_leaf(&e->mine, raw, at), XMTP_OK);
        assert_int_equal(xmtp_tree_add_leaf(&e->theirs, raw, &again), XMTP_OK);
        assert_int_equal(*at, again);
        memcpy(g->signature_sk[*at], signature_sk, 32);
        e->added_count++;
    }
}

/* ---- the path ---- */

static void commit_path(group *g, epoch *e, xmtp_treekem_path *made, xmtp_update_path *path)
{
    xmtp_leaf_node leaf;
    uint8_t mine[XMTP_HASH_MAX];
    uint8_t theirs[XMTP_HASH_MAX];
    assert_int_equal(xmtp_tree_leaf(&e->mine, e->committer, &leaf), XMTP_OK);
    assert_int_equal(xmtp_treekem_begin(&e->mine, e->committer, &leaf,
                                        g->signature_sk[e->committer], g->group_id, &g->env, made),
                     XMTP_OK);
    xmtp_writer_clear(&g->path);
    assert_int_equal(xmtp_treekem_encrypt(&e->mine, made, g->context, e->added, e->added_count,
                                          &g->env, &g->arena, &g->path),
                     XMTP_OK);
    xmtp_arena_reset(&g->arena);
    xmtp_reader r = xmtp_reader_of(xmtp_writer_bytes(&g->path));
    assert_int_equal(xmtp_update_path_decode(&r, path), XMTP_OK);
    assert_int_equal(xmtp_tree_apply_path(&e->theirs, e->committer, path, NULL), XMTP_OK);
    assert_int_equal(xmtp_tree_hash(&e->mine, mine), XMTP_OK);
    assert_int_equal(xmtp_tree_hash(&e->theirs, theirs), XMTP_OK);
    assert_memory_equal(mine, theirs, SUITE->hash->len);
}

static void receive_path(group *g, epoch *e, const xmtp_treekem_path *made,
                         const xmtp_update_path *path)
{
    for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
        xmtp_secret commit_secret;
        xmtp_error error = {0};
        if (g->members[i].count == 0 || i == e->committer) {
            continue;
        }
        if (xmtp_treekem_decrypt(&e->theirs, &g->members[i], e->committer, path, g->context,
                                 e->added, e->added_count, &g->arena, &commit_secret,
                                 &error) != XMTP_OK) {
            fail_msg("%s", error.text);
        }
        xmtp_arena_reset(&g->arena);
        assert_memory_equal(commit_secret.p, made->commit_secret.p, commit_secret.n);
    }
    xmtp_treekem_adopt(made, SUITE, &g->members[e->committer]);
}

static void join(group *g, epoch *e, const xmtp_treekem_path *made)
{
    for (size_t i = 0; i < e->added_count; i++) {
        xmtp_tree_private *joiner = &g->members[e->added[i]];
        xmtp_secret commit_secret;
        xmtp_tree_private_init(joiner, SUITE, e->added[i], e->added_sk[i]);
        if (made == NULL) {
            continue;
        }
        const xmtp_secret *path_secret = xmtp_treekem_path_secret_for(made, e->added[i]);
        assert_non_null(path_secret);
        assert_int_equal(xmtp_treekem_join(&e->theirs, joiner, e->committer,
                                           xmtp_secret_bytes(path_secret), &commit_secret),
                         XMTP_OK);
        assert_memory_equal(commit_secret.p, made->commit_secret.p, commit_secret.n);
    }
}

/* ---- after each epoch ---- */

static void check_all(group *g)
{
    xmtp_tree fresh;
    xmtp_error error = {0};
    uint8_t kept[XMTP_HASH_MAX];
    uint8_t anew[XMTP_HASH_MAX];
    for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
        if (g->members[i].count > 0) {
            assert_int_equal(xmtp_tree_private_check(&g->members[i], &g->tree), XMTP_OK);
        }
    }
    xmtp_writer_clear(&g->scratch);
    xmtp_tree_encode(&g->tree, &g->scratch);
    xmtp_tree_init(&fresh, SUITE, vectors_alloc());
    assert_int_equal(xmtp_tree_decode(&fresh, xmtp_writer_bytes(&g->scratch)), XMTP_OK);
    assert_int_equal(xmtp_tree_hash(&fresh, anew), XMTP_OK);
    assert_int_equal(xmtp_tree_hash(&g->tree, kept), XMTP_OK);
    assert_memory_equal(kept, anew, SUITE->hash->len);
    if (xmtp_tree_validate(&fresh, g->group_id, NULL, &error) != XMTP_OK) {
        fail_msg("%s", error.text);
    }
    assert_int_equal(xmtp_tree_check_keys(&g->tree, NULL), XMTP_OK);
    xmtp_tree_free(&fresh);
}

static void one_epoch(group *g)
{
    static xmtp_treekem_path made;
    static xmtp_update_path path;
    epoch e = {.committer = random_member(g)};
    const bool only_adds = below(g, 4) == 0;
    xmtp_tree_overlay(&e.mine, &g->tree);
    xmtp_tree_overlay(&e.theirs, &g->tree);
    if (!only_adds) {
        propose_updates(g, &e, below(g, 3));
        propose_removals(g, &e, below(g, g->tree.member_count > 24 ? 9 : 3));
    }
    propose_adds(g, &e, below(g, ADDED_MAX + 1));
    for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
        if (g->members[i].count > 0) {
            xmtp_tree_private_prune(&g->members[i], &e.theirs);
        }
    }
    if (only_adds) {
        join(g, &e, NULL);
    } else {
        commit_path(g, &e, &made, &path);
        receive_path(g, &e, &made, &path);
        join(g, &e, &made);
    }
    xmtp_tree_free(&e.mine);
    assert_int_equal(xmtp_tree_merge(&g->tree, &e.theirs), XMTP_OK);
    check_all(g);
}

static void everybody_agrees_over_many_epochs(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        static group g;
        uint32_t most = 0;
        group_open(&g, seed);
        for (int i = 0; i < 60; i++) {
            one_epoch(&g);
            most = g.tree.member_count > most ? g.tree.member_count : most;
        }
        print_message("seed %u: 60 epochs, at most %u members\n", (unsigned)seed, most);
        group_close(&g);
    }
}

/* ---- memory that ends ---- */

typedef struct failing {
    int left;
} failing;

static void *fail_later(void *context, void *p, size_t n)
{
    failing *f = context;
    if (n > 0 && f->left-- <= 0) {
        return NULL;
    }
    return vectors_alloc()->reallocate(vectors_alloc()->context, p, n);
}

/* Committer and receiver on trees whose memory fails at the n-th allocation, for every n. */
static xmtp_status commit_and_receive(group *g, const xmtp_tree *tree, xmtp_arena *arena)
{
    static xmtp_treekem_path made;
    static xmtp_update_path path;
    xmtp_leaf_node leaf;
    xmtp_tree mine;
    xmtp_tree theirs;
    xmtp_tree_private member = g->members[1];
    xmtp_secret commit_secret;
    xmtp_tree_overlay(&mine, tree);
    xmtp_tree_overlay(&theirs, tree);
    xmtp_writer_clear(&g->path);
    xmtp_status status = xmtp_tree_leaf(&mine, 0, &leaf);
    if (status == XMTP_OK) {
        status =
            xmtp_treekem_begin(&mine, 0, &leaf, g->signature_sk[0], g->group_id, &g->env, &made);
    }
    if (status == XMTP_OK) {
        status = xmtp_treekem_encrypt(&mine, &made, g->context, NULL, 0, &g->env, arena, &g->path);
    }
    if (status == XMTP_OK) {
        xmtp_reader r = xmtp_reader_of(xmtp_writer_bytes(&g->path));
        status = xmtp_update_path_decode(&r, &path);
    }
    if (status == XMTP_OK) {
        status = xmtp_tree_apply_path(&theirs, 0, &path, NULL);
    }
    if (status == XMTP_OK) {
        status = xmtp_treekem_decrypt(&theirs, &member, 0, &path, g->context, NULL, 0, arena,
                                      &commit_secret, NULL);
    }
    if (status != XMTP_OK) {
        assert_memory_equal(&member, &g->members[1], sizeof member);
    }
    xmtp_tree_free(&mine);
    xmtp_tree_free(&theirs);
    xmtp_arena_reset(arena);
    return status;
}

static void every_failing_allocation_is_reported(void **state)
{
    (void)state;
    static group g;
    failing f = {.left = 1 << 30};
    const xmtp_alloc alloc = {.context = &f, .reallocate = fail_later};
    xmtp_tree tree;
    xmtp_arena arena;
    group_open(&g, 9);
    epoch e = {.committer = 0};
    xmtp_tree_overlay(&e.mine, &g.tree);
    xmtp_tree_overlay(&e.theirs, &g.tree);
    propose_adds(&g, &e, ADDED_MAX);
    join(&g, &e, NULL);
    xmtp_tree_free(&e.mine);
    assert_int_equal(xmtp_tree_merge(&g.tree, &e.theirs), XMTP_OK);
    xmtp_writer_clear(&g.scratch);
    xmtp_tree_encode(&g.tree, &g.scratch);
    xmtp_tree_init(&tree, SUITE, &alloc);
    assert_int_equal(xmtp_tree_decode(&tree, xmtp_writer_bytes(&g.scratch)), XMTP_OK);
    xmtp_arena_init(&arena, &alloc, 1 << 16);
    int n = 0;
    for (xmtp_status status = XMTP_E_NOMEM; status != XMTP_OK; n++) {
        f.left = n;
        status = commit_and_receive(&g, &tree, &arena);
        assert_true(status == XMTP_OK || status == XMTP_E_NOMEM);
    }
    print_message("%d allocations failed in turn\n", n - 1);
    assert_true(n > 10);
    xmtp_tree_free(&tree);
    group_close(&g);
}

/* ---- a signature beside those of the leaves */

static xmtp_status validate_beside(group *g, const uint8_t *sk, uint32_t leaf,
                                   xmtp_signed_beside *out)
{
    static const uint8_t text[] = "what the member says";
    static uint8_t signature[XMTP_SIGNATURE_MAX];
    uint8_t pk[32];
    size_t n = 0;
    *out = (xmtp_signed_beside){
        .leaf = leaf, .label = "Beside", .content = xmtp_bytes_of(text, sizeof text)};
    assert_int_equal(SUITE->signature->public_key(sk, pk), XMTP_OK);
    assert_int_equal(
        xmtp_sign_with_label(SUITE, sk, pk, out->label, out->content, &g->scratch, signature, &n),
        XMTP_OK);
    out->signature = xmtp_bytes_of(signature, n);
    return xmtp_tree_validate_with(&g->tree, g->group_id, NULL, out, NULL);
}

/* Whether the batches of leaves leave room for it or not. */
static void what_is_signed_beside_the_leaves_gets_its_own_verdict(void **state)
{
    (void)state;
    static group g;
    xmtp_signed_beside beside;
    uint8_t sk[XMTP_KEM_SK_MAX];
    group_open(&g, 11);
    for (uint32_t n = 1; n < MEMBERS_MAX; n++) {
        uint32_t at = 0;
        assert_int_equal(validate_beside(&g, g.signature_sk[n / 2], n / 2, &beside), XMTP_OK);
        assert_int_equal(beside.verdict, XMTP_OK);
        if (n > 1) {
            assert_int_equal(validate_beside(&g, g.signature_sk[0], n / 2, &beside), XMTP_OK);
            assert_int_equal(beside.verdict, XMTP_E_SIGNATURE);
        }
        assert_int_equal(validate_beside(&g, g.signature_sk[0], n, &beside), XMTP_OK);
        assert_int_equal(beside.verdict, XMTP_E_SENDER); /* nobody there */
        make_leaf(&g, XMTP_LEAF_NODE_KEY_PACKAGE, 0, g.signature_sk[n], true, sk);
        assert_int_equal(xmtp_tree_add_leaf(&g.tree, xmtp_writer_bytes(&g.leaf), &at), XMTP_OK);
        assert_int_equal(at, n);
    }
    g.group_id.n--; /* no matter for leaves of key packages */
    assert_int_equal(validate_beside(&g, g.signature_sk[0], 0, &beside), XMTP_OK);
    make_leaf(&g, XMTP_LEAF_NODE_UPDATE, 5, g.signature_sk[5], false, sk);
    assert_int_equal(xmtp_tree_update_leaf(&g.tree, 5, xmtp_writer_bytes(&g.leaf)), XMTP_OK);
    g.group_id.n++;
    assert_int_equal(validate_beside(&g, g.signature_sk[0], 0, &beside), XMTP_E_LEAF_SIGNATURE);
    group_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_agrees_over_many_epochs),
        cmocka_unit_test(every_failing_allocation_is_reported),
        cmocka_unit_test(what_is_signed_beside_the_leaves_gets_its_own_verdict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
