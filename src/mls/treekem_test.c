/* treekem_test.c - treekem.json: every update path opened by every receiver, then paths of our own
 * from every leaf; new leaves left out; whatever is altered refused. */
#include "base/bytes.h"
#include "mls/group_info.h"
#include "mls/treekem.h"

#include <setjmp.h>
#include <stdarg.h>
// cmocka wants the headers above first
#include <cmocka.h>

#include "mls/test_vectors.h"

enum { LEAVES_MAX = 16 };

typedef struct world {
    const xmtp_suite *suite;
    xmtp_tree tree;
    xmtp_tree_private members[LEAVES_MAX]; /* count 0: no private state */
    xmtp_bytes signature_keys[LEAVES_MAX];
    xmtp_bytes group_id;
    uint64_t epoch;
    xmtp_bytes confirmed_transcript_hash;
    xmtp_arena arena;
    xmtp_writer context;
    xmtp_writer path;
} world;

/* ---- private state from the file ---- */

static void add_private_key(world *w, xmtp_tree_private *member, const cJSON *entry)
{
    xmtp_secret secret = vectors_secret(entry, "path_secret");
    uint8_t pk[XMTP_KEM_PK_MAX];
    xmtp_tree_key *key = &member->keys[member->count++];
    key->node = vectors_u32(entry, "node");
    assert_int_equal(xmtp_derive_secret(w->suite, &secret, "node", &secret), XMTP_OK);
    assert_int_equal(w->suite->kem->derive_key_pair(xmtp_secret_bytes(&secret), key->sk, pk),
                     XMTP_OK);
}

static void add_member(world *w, const cJSON *v)
{
    uint32_t index = vectors_u32(v, "index");
    assert_true(index < LEAVES_MAX);
    xmtp_tree_private *member = &w->members[index];
    xmtp_tree_private_init(member, w->suite, index, vectors_bytes(v, "encryption_priv").p);
    w->signature_keys[index] = vectors_bytes(v, "signature_priv");
    const cJSON *entry;
    cJSON_ArrayForEach(entry, vectors_field(v, "path_secrets"))
    {
        add_private_key(w, member, entry);
    }
    assert_int_equal(xmtp_tree_private_check(member, &w->tree), XMTP_OK);
}

static void world_open(world *w, const cJSON *v)
{
    *w = (world){.suite = vectors_suite(v)};
    assert_non_null(w->suite);
    xmtp_arena_init(&w->arena, vectors_alloc(), 1 << 20);
    xmtp_writer_init(&w->context, vectors_alloc(), XMTP_WRITER_MAX);
    xmtp_writer_init(&w->path, vectors_alloc(), XMTP_WRITER_MAX);
    xmtp_tree_init(&w->tree, w->suite, vectors_alloc());
    assert_int_equal(xmtp_tree_decode(&w->tree, vectors_bytes(v, "ratchet_tree")), XMTP_OK);
    w->group_id = vectors_bytes(v, "group_id");
    w->epoch = vectors_u64(v, "epoch");
    w->confirmed_transcript_hash = vectors_bytes(v, "confirmed_transcript_hash");
    const cJSON *leaf;
    cJSON_ArrayForEach(leaf, vectors_field(v, "leaves_private"))
    {
        add_member(w, leaf);
    }
}

static void world_close(world *w)
{
    xmtp_tree_free(&w->tree);
    xmtp_arena_reset(&w->arena);
    xmtp_writer_free(&w->context);
    xmtp_writer_free(&w->path);
}

/* The provisional GroupContext for a tree to which the path was applied. */
static xmtp_bytes context_for(world *w, xmtp_tree *next)
{
    uint8_t hash[XMTP_HASH_MAX];
    assert_int_equal(xmtp_tree_hash(next, hash), XMTP_OK);
    const xmtp_group_context context = {.version = XMTP_PROTOCOL_MLS10,
                                        .cipher_suite = w->suite->id,
                                        .group_id = w->group_id,
                                        .epoch = w->epoch,
                                        .tree_hash = xmtp_bytes_of(hash, w->suite->hash->len),
                                        .confirmed_transcript_hash = w->confirmed_transcript_hash};
    xmtp_writer_clear(&w->context);
    xmtp_group_context_encode(&w->context, &context);
    return xmtp_writer_bytes(&w->context);
}

static xmtp_status decrypt(world *w, const xmtp_tree *next, uint32_t receiver, uint32_t sender,
                           const xmtp_update_path *path, const uint32_t *excluded, size_t count,
                           xmtp_tree_private *member, xmtp_secret *commit_secret)
{
    xmtp_error error = {0};
    *member = w->members[receiver];
    xmtp_status status =
        xmtp_treekem_decrypt(next, member, sender, path, xmtp_writer_bytes(&w->context), excluded,
                             count, &w->arena, commit_secret, &error);
    xmtp_arena_reset(&w->arena);
    return status;
}

/* ---- paths of the file ---- */

static void check_path_secret(world *w, const xmtp_tree_private *member, uint32_t sender,
                              xmtp_bytes path_secret)
{
    uint32_t common =
        xmtp_node_common_ancestor(xmtp_leaf_to_node(member->leaf_index), xmtp_leaf_to_node(sender));
    xmtp_secret secret = {.n = path_secret.n};
    memcpy(secret.p, path_secret.p, path_secret.n);
    uint8_t sk[XMTP_KEM_SK_MAX];
    uint8_t pk[XMTP_KEM_PK_MAX];
    assert_int_equal(xmtp_derive_secret(w->suite, &secret, "node", &secret), XMTP_OK);
    assert_int_equal(w->suite->kem->derive_key_pair(xmtp_secret_bytes(&secret), sk, pk), XMTP_OK);
    const uint8_t *got = xmtp_tree_private_key(member, common);
    assert_non_null(got);
    assert_memory_equal(got, sk, w->suite->kem->sk_len);
}

static void check_update_path(world *w, const cJSON *v)
{
    const uint32_t sender = vectors_u32(v, "sender");
    xmtp_update_path path;
    xmtp_tree next;
    xmtp_error error = {0};
    xmtp_reader r = xmtp_reader_of(vectors_bytes(v, "update_path"));
    assert_int_equal(xmtp_update_path_decode(&r, &path), XMTP_OK);
    assert_int_equal(xmtp_reader_end(&r), XMTP_OK);
    xmtp_tree_overlay(&next, &w->tree);
    if (xmtp_tree_apply_path(&next, sender, &path, &error) != XMTP_OK) {
        fail_msg("%s", error.text);
    }
    assert_int_equal(
        xmtp_leaf_node_verify(w->suite, &path.leaf_node, w->group_id, sender, &next.scratch),
        XMTP_OK);
    uint8_t hash[XMTP_HASH_MAX];
    assert_int_equal(xmtp_tree_hash(&next, hash), XMTP_OK);
    vectors_assert_equal(xmtp_bytes_of(hash, w->suite->hash->len),
                         vectors_bytes(v, "tree_hash_after"), "tree hash after path");
    (void)context_for(w, &next);
    const cJSON *secrets = vectors_field(v, "path_secrets");
    for (uint32_t i = 0; i < (uint32_t)cJSON_GetArraySize(secrets); i++) {
        const cJSON *secret = cJSON_GetArrayItem(secrets, (int)i);
        if (cJSON_IsNull(secret)) {
            continue;
        }
        xmtp_tree_private member;
        xmtp_secret commit_secret;
        assert_int_equal(decrypt(w, &next, i, sender, &path, NULL, 0, &member, &commit_secret),
                         XMTP_OK);
        vectors_assert_equal(xmtp_secret_bytes(&commit_secret), vectors_bytes(v, "commit_secret"),
                             "commit secret, section 7.4");
        check_path_secret(w, &member, sender, vectors_bytes_of(secret));
        assert_int_equal(xmtp_tree_private_check(&member, &next), XMTP_OK);
    }
    xmtp_tree_free(&next);
}

/* ---- paths of our own ---- */

static void make_path(world *w, xmtp_tree *next, uint32_t sender, const uint32_t *excluded,
                      size_t count, xmtp_treekem_path *made)
{
    const xmtp_env *env = xmtp_env_system();
    xmtp_leaf_node leaf;
    assert_int_equal(xmtp_tree_leaf(next, sender, &leaf), XMTP_OK);
    assert_int_equal(xmtp_treekem_begin(next, sender, &leaf, w->signature_keys[sender].p,
                                        w->group_id, env, made),
                     XMTP_OK);
    xmtp_bytes context = context_for(w, next);
    xmtp_writer_clear(&w->path);
    assert_int_equal(
        xmtp_treekem_encrypt(next, made, context, excluded, count, env, &w->arena, &w->path),
        XMTP_OK);
    xmtp_arena_reset(&w->arena);
}

static void decode_made(world *w, xmtp_update_path *path)
{
    xmtp_reader r = xmtp_reader_of(xmtp_writer_bytes(&w->path));
    assert_int_equal(xmtp_update_path_decode(&r, path), XMTP_OK);
    assert_int_equal(xmtp_reader_end(&r), XMTP_OK);
}

static void check_own_path(world *w, uint32_t sender)
{
    xmtp_tree mine;
    xmtp_tree theirs;
    xmtp_treekem_path made;
    xmtp_update_path path;
    xmtp_tree_private member;
    uint8_t hash[XMTP_HASH_MAX];
    uint8_t hash_theirs[XMTP_HASH_MAX];
    xmtp_tree_overlay(&mine, &w->tree);
    make_path(w, &mine, sender, NULL, 0, &made);
    decode_made(w, &path);
    xmtp_tree_overlay(&theirs, &w->tree);
    assert_int_equal(xmtp_tree_apply_path(&theirs, sender, &path, NULL), XMTP_OK);
    assert_int_equal(xmtp_tree_hash(&mine, hash), XMTP_OK);
    assert_int_equal(xmtp_tree_hash(&theirs, hash_theirs), XMTP_OK);
    assert_memory_equal(hash, hash_theirs, w->suite->hash->len);
    assert_int_equal(
        xmtp_leaf_node_verify(w->suite, &path.leaf_node, w->group_id, sender, &theirs.scratch),
        XMTP_OK);
    assert_int_equal(xmtp_tree_check_parent_hashes(&theirs, NULL), XMTP_OK);
    assert_int_equal(xmtp_tree_check_keys(&theirs, NULL), XMTP_OK);
    for (uint32_t i = 0; i < LEAVES_MAX; i++) {
        xmtp_secret commit_secret;
        if (w->members[i].count == 0 || i == sender) {
            continue;
        }
        assert_int_equal(decrypt(w, &theirs, i, sender, &path, NULL, 0, &member, &commit_secret),
                         XMTP_OK);
        assert_memory_equal(commit_secret.p, made.commit_secret.p, commit_secret.n);
        assert_int_equal(xmtp_tree_private_check(&member, &theirs), XMTP_OK);
    }
    xmtp_treekem_adopt(&made, w->suite, &member);
    assert_int_equal(xmtp_tree_private_check(&member, &mine), XMTP_OK);
    xmtp_treekem_path_wipe(&made);
    xmtp_tree_free(&mine);
    xmtp_tree_free(&theirs);
}

static void treekem_vectors_agree(void **state)
{
    (void)state;
    cJSON *file = vectors_open("mls/treekem.json");
    const cJSON *v;
    int cases = 0;
    int passed = 0;
    int skipped = 0;
    cJSON_ArrayForEach(v, file)
    {
        world w;
        const cJSON *path;
        if (vectors_suite(v) == NULL) {
            skipped++;
            continue;
        }
        if (vectors_leave_out((size_t)cases++)) {
            continue;
        }
        world_open(&w, v);
        cJSON_ArrayForEach(path, vectors_field(v, "update_paths"))
        {
            check_update_path(&w, path);
            check_own_path(&w, vectors_u32(path, "sender"));
        }
        world_close(&w);
        passed++;
    }
    print_message("treekem: %d of %d passed, %d of other suites skipped\n", passed, cases, skipped);
    assert_int_equal(cases, 77);
    cJSON_Delete(file);
}

/* ---- what is altered is refused ---- */

static const cJSON *suite3_case(const cJSON *file, int number)
{
    const cJSON *v;
    cJSON_ArrayForEach(v, file)
    {
        if (vectors_u32(v, "cipher_suite") == 3 && number-- == 0) {
            return v;
        }
    }
    fail();
    return NULL;
}

typedef struct altered {
    world w;
    cJSON *file;
    uint32_t sender;
    xmtp_update_path path;
} altered;

/* Case number 6 has 8 members; its first path. */
static void altered_open(altered *a)
{
    a->file = vectors_open("mls/treekem.json");
    const cJSON *v = suite3_case(a->file, 6);
    world_open(&a->w, v);
    const cJSON *path = cJSON_GetArrayItem(vectors_field(v, "update_paths"), 0);
    a->sender = vectors_u32(path, "sender");
    xmtp_reader r = xmtp_reader_of(vectors_bytes(path, "update_path"));
    assert_int_equal(xmtp_update_path_decode(&r, &a->path), XMTP_OK);
    assert_true(a->path.count >= 2);
}

static void altered_close(altered *a)
{
    world_close(&a->w);
    cJSON_Delete(a->file);
}

static xmtp_status apply(altered *a, const xmtp_update_path *path)
{
    xmtp_tree next;
    uint8_t before[XMTP_HASH_MAX];
    uint8_t after[XMTP_HASH_MAX];
    assert_int_equal(xmtp_tree_hash(&a->w.tree, before), XMTP_OK);
    xmtp_tree_overlay(&next, &a->w.tree);
    xmtp_status status = xmtp_tree_apply_path(&next, a->sender, path, NULL);
    xmtp_tree_free(&next);
    assert_int_equal(xmtp_tree_hash(&a->w.tree, after), XMTP_OK);
    assert_memory_equal(before, after, a->w.suite->hash->len);
    return status;
}

static void paths_of_wrong_shape_are_refused(void **state)
{
    (void)state;
    altered a;
    altered_open(&a);
    assert_int_equal(apply(&a, &a.path), XMTP_OK);

    xmtp_update_path path = a.path;
    path.count--;
    assert_int_equal(apply(&a, &path), XMTP_E_PATH_LENGTH);
    path = a.path;
    path.nodes[path.count] = path.nodes[0];
    path.count++;
    assert_int_equal(apply(&a, &path), XMTP_E_PATH_LENGTH);
    path = a.path;
    path.leaf_node.source = XMTP_LEAF_NODE_UPDATE;
    assert_int_equal(apply(&a, &path), XMTP_E_LEAF_SOURCE);
    path = a.path;
    path.leaf_node.encryption_key =
        xmtp_tree_encryption_key(&a.w.tree, xmtp_leaf_to_node(a.sender));
    assert_int_equal(apply(&a, &path), XMTP_E_KEY_KEPT);
    path = a.path;
    path.nodes[1].encryption_key.n--;
    assert_int_equal(apply(&a, &path), XMTP_E_KEY);
    path = a.path;
    path.leaf_node.encryption_key.n--;
    assert_int_equal(apply(&a, &path), XMTP_E_KEY);
    path = a.path;
    path.leaf_node.parent_hash.n = 0;
    assert_int_equal(apply(&a, &path), XMTP_E_PARENT_HASH);
    path = a.path;
    path.nodes[1].encryption_key = path.nodes[0].encryption_key;
    assert_int_equal(apply(&a, &path), XMTP_E_PARENT_HASH);
    altered_close(&a);
}

/* A path whose leaf carries the right parent hash for keys that are in the tree already. */
static void duplicate_keys_in_a_path_are_refused(void **state)
{
    (void)state;
    altered a;
    altered_open(&a);
    for (int what = 0; what < 3; what++) {
        xmtp_update_path path = a.path;
        xmtp_tree next;
        xmtp_tree_path filtered;
        xmtp_bytes keys[XMTP_MLS_PATH_MAX];
        uint8_t parent_hash[XMTP_HASH_MAX];
        size_t n;
        if (what == 0) { /* twice in the path */
            path.nodes[1].encryption_key = path.nodes[0].encryption_key;
        } else if (what == 1) { /* that of another member */
            path.nodes[1].encryption_key =
                xmtp_tree_encryption_key(&a.w.tree, xmtp_leaf_to_node(a.sender ^ 4));
        } else { /* that of the new leaf */
            path.nodes[0].encryption_key = path.leaf_node.encryption_key;
        }
        for (size_t i = 0; i < path.count; i++) {
            keys[i] = path.nodes[i].encryption_key;
        }
        xmtp_tree_overlay(&next, &a.w.tree);
        xmtp_tree_filtered_path(&next, a.sender, &filtered);
        assert_int_equal(xmtp_tree_set_path(&next, a.sender, &filtered, keys, parent_hash, &n),
                         XMTP_OK);
        xmtp_tree_free(&next);
        path.leaf_node.parent_hash = xmtp_bytes_of(parent_hash, n);
        assert_int_equal(apply(&a, &path), XMTP_E_DUPLICATE_KEY);
    }
    altered_close(&a);
}

static void altered_ciphertexts_do_not_open_and_change_nothing(void **state)
{
    (void)state;
    altered a;
    altered_open(&a);
    xmtp_tree next;
    xmtp_tree_overlay(&next, &a.w.tree);
    assert_int_equal(xmtp_tree_apply_path(&next, a.sender, &a.path, NULL), XMTP_OK);
    (void)context_for(&a.w, &next);
    for (uint32_t i = 0; i < LEAVES_MAX; i++) {
        xmtp_tree_private member;
        xmtp_secret commit_secret = {.n = 77};
        if (a.w.members[i].count == 0 || i == a.sender) {
            continue;
        }
        for (size_t node = 0; node < a.path.count; node++) { /* no ciphertexts, then altered ones */
            xmtp_update_path path = a.path;
            path.nodes[node].ciphertexts.n = 0;
            path.nodes[node].ciphertext_count = 0;
            xmtp_status without =
                decrypt(&a.w, &next, i, a.sender, &path, NULL, 0, &member, &commit_secret);
            path = a.path;
            uint8_t *copy = malloc(path.nodes[node].ciphertexts.n);
            assert_non_null(copy);
            memcpy(copy, path.nodes[node].ciphertexts.p, path.nodes[node].ciphertexts.n);
            for (size_t k = 40; k < path.nodes[node].ciphertexts.n; k += 82) {
                copy[k] ^= 1; /* one bit of each ciphertext: 1 + 32 and 1 + 48 bytes each */
            }
            path.nodes[node].ciphertexts.p = copy;
            xmtp_status changed =
                decrypt(&a.w, &next, i, a.sender, &path, NULL, 0, &member, &commit_secret);
            free(copy);
            assert_true((without == XMTP_OK) == (changed == XMTP_OK));
            if (changed != XMTP_OK) {
                assert_int_equal(without, XMTP_E_PATH_SECRET);
                assert_int_equal(changed, XMTP_E_AUTH);
                assert_memory_equal(&member, &a.w.members[i], sizeof member);
            }
        }
        xmtp_writer_u8(&a.w.context, 0); /* another GroupContext */
        commit_secret.n = 77;
        assert_int_equal(
            decrypt(&a.w, &next, i, a.sender, &a.path, NULL, 0, &member, &commit_secret),
            XMTP_E_AUTH);
        assert_int_equal(commit_secret.n, 77);
        (void)context_for(&a.w, &next);
    }
    xmtp_tree_free(&next);
    altered_close(&a);
}

/* The tree holds other keys than the path secret gives. */
static void derived_keys_must_be_those_of_the_tree(void **state)
{
    (void)state;
    altered a;
    altered_open(&a);
    xmtp_tree next;
    xmtp_tree_overlay(&next, &a.w.tree);
    assert_int_equal(xmtp_tree_apply_path(&next, a.sender, &a.path, NULL), XMTP_OK);
    (void)context_for(&a.w, &next);
    static const uint8_t other[32] = {9};
    const xmtp_parent_node root = {.encryption_key = xmtp_bytes_of(other, 32)};
    xmtp_writer w;
    xmtp_writer_init(&w, vectors_alloc(), 1024);
    xmtp_parent_node_encode(&w, &root);
    assert_int_equal(xmtp_tree_set_node(&next, xmtp_tree_root(next.leaf_count), XMTP_NODE_PARENT,
                                        xmtp_writer_bytes(&w)),
                     XMTP_OK);
    for (uint32_t i = 0; i < LEAVES_MAX; i++) {
        xmtp_tree_private member;
        xmtp_secret commit_secret;
        if (a.w.members[i].count > 0 && i != a.sender) {
            assert_int_equal(
                decrypt(&a.w, &next, i, a.sender, &a.path, NULL, 0, &member, &commit_secret),
                XMTP_E_PATH_SECRET);
            assert_memory_equal(&member, &a.w.members[i], sizeof member);
        }
    }
    xmtp_writer_free(&w);
    xmtp_tree_free(&next);
    altered_close(&a);
}

/* ---- new members ---- */

static void new_leaves_get_their_secret_by_welcome_only(void **state)
{
    (void)state;
    altered a;
    altered_open(&a);
    world *w = &a.w;
    const uint32_t sender = a.sender;
    xmtp_leaf_node leaf;
    xmtp_tree mine;
    xmtp_writer out;
    uint8_t sk[XMTP_KEM_SK_MAX];
    uint8_t pk[XMTP_KEM_PK_MAX];
    uint32_t added[2];
    xmtp_writer_init(&out, vectors_alloc(), XMTP_WRITER_MAX);
    xmtp_tree_overlay(&mine, &w->tree);
    for (uint8_t i = 0; i < 2; i++) {
        const uint8_t ikm[32] = {i, 42};
        assert_int_equal(w->suite->kem->derive_key_pair(xmtp_bytes_of(ikm, 32), sk, pk), XMTP_OK);
        assert_int_equal(xmtp_tree_leaf(&w->tree, sender, &leaf), XMTP_OK);
        leaf.encryption_key = xmtp_bytes_of(pk, w->suite->kem->pk_len);
        xmtp_writer_clear(&out);
        xmtp_leaf_node_encode(&out, &leaf);
        assert_int_equal(xmtp_tree_add_leaf(&mine, xmtp_writer_bytes(&out), &added[i]), XMTP_OK);
    }
    xmtp_treekem_path made;
    xmtp_update_path path;
    make_path(w, &mine, sender, added, 2, &made);
    decode_made(w, &path);
    xmtp_tree_private joiner;
    xmtp_secret commit_secret;
    const xmtp_secret *secret = xmtp_treekem_path_secret_for(&made, added[1]);
    assert_non_null(secret);
    xmtp_tree_private_init(&joiner, w->suite, added[1], sk);
    assert_int_equal(
        xmtp_treekem_join(&mine, &joiner, sender, xmtp_secret_bytes(secret), &commit_secret),
        XMTP_OK);
    assert_memory_equal(commit_secret.p, made.commit_secret.p, commit_secret.n);
    assert_int_equal(xmtp_tree_private_check(&joiner, &mine), XMTP_OK);
    assert_int_equal(xmtp_treekem_join(&mine, &joiner, sender,
                                       xmtp_secret_bytes(&made.commit_secret), &commit_secret),
                     XMTP_E_WELCOME);
    assert_int_equal(xmtp_treekem_join(&mine, &joiner, added[1], xmtp_secret_bytes(secret), NULL),
                     XMTP_E_WELCOME);
    assert_int_equal(xmtp_treekem_join(&mine, &joiner, sender, xmtp_bytes_of(secret->p, 31), NULL),
                     XMTP_E_WELCOME);

    for (uint32_t i = 0; i < LEAVES_MAX; i++) { /* those who were there open it */
        xmtp_tree_private member;
        if (w->members[i].count > 0 && i != sender) {
            assert_int_equal(decrypt(w, &mine, i, sender, &path, added, 2, &member, &commit_secret),
                             XMTP_OK);
            assert_memory_equal(commit_secret.p, made.commit_secret.p, commit_secret.n);
        }
    }
    w->members[added[1]] = joiner; /* for the new one there is no ciphertext */
    xmtp_tree_private_init(&w->members[added[1]], w->suite, added[1], sk);
    xmtp_tree_private member;
    assert_int_equal(decrypt(w, &mine, added[1], sender, &path, added, 2, &member, &commit_secret),
                     XMTP_E_PATH_SECRET);
    xmtp_tree_free(&mine);
    xmtp_writer_free(&out);
    altered_close(&a);
}

/* ---- private keys ---- */

static void private_keys_survive_their_record(void **state)
{
    (void)state;
    altered a;
    altered_open(&a);
    xmtp_writer w;
    xmtp_writer_init(&w, vectors_alloc(), XMTP_WRITER_MAX);
    xmtp_tree_private got;
    xmtp_tree_private_encode(&a.w.members[1], a.w.suite, &w);
    xmtp_bytes record = xmtp_writer_bytes(&w);
    assert_int_equal(xmtp_tree_private_decode(record, a.w.suite, &got), XMTP_OK);
    assert_memory_equal(&got, &a.w.members[1], sizeof got);
    for (size_t n = 0; n < record.n; n++) {
        assert_int_equal(xmtp_tree_private_decode(xmtp_bytes_of(record.p, n), a.w.suite, &got),
                         XMTP_E_CORRUPT);
    }
    w.p[4] = 200;
    assert_int_equal(xmtp_tree_private_decode(record, a.w.suite, &got), XMTP_E_CORRUPT);
    xmtp_writer_free(&w);
    altered_close(&a);
}

/* Found by fuzz/mls_decode: the level of node 2^32 - 1 is not defined. */
static void a_record_with_a_node_beyond_every_tree_is_refused(void **state)
{
    (void)state;
    altered a;
    altered_open(&a);
    xmtp_writer w;
    xmtp_writer_init(&w, vectors_alloc(), XMTP_WRITER_MAX);
    xmtp_tree_private got;
    xmtp_tree_private_encode(&a.w.members[1], a.w.suite, &w);
    memset(w.p + 5 + 4 + a.w.suite->kem->sk_len, 0xff, 4); /* the node of the second key */
    assert_int_equal(xmtp_tree_private_decode(xmtp_writer_bytes(&w), a.w.suite, &got),
                     XMTP_E_CORRUPT);
    xmtp_writer_free(&w);
    altered_close(&a);
}

static void keys_of_blanked_nodes_are_dropped(void **state)
{
    (void)state;
    altered a;
    altered_open(&a);
    xmtp_tree_private member = a.w.members[1];
    const uint32_t before = member.count;
    assert_true(before > 1);
    xmtp_tree_private_prune(&member, &a.w.tree);
    assert_int_equal(member.count, before);
    xmtp_tree next;
    xmtp_tree_overlay(&next, &a.w.tree);
    assert_int_equal(xmtp_tree_remove_leaf(&next, 0), XMTP_OK);
    xmtp_tree_private_prune(&member, &next);
    assert_int_equal(member.count, 1); /* 0 and 1 have the same direct path */
    static const xmtp_tree_key zero;
    assert_memory_equal(&member.keys[1], &zero, sizeof zero);
    xmtp_tree_free(&next);
    altered_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(treekem_vectors_agree),
        cmocka_unit_test(paths_of_wrong_shape_are_refused),
        cmocka_unit_test(duplicate_keys_in_a_path_are_refused),
        cmocka_unit_test(altered_ciphertexts_do_not_open_and_change_nothing),
        cmocka_unit_test(derived_keys_must_be_those_of_the_tree),
        cmocka_unit_test(new_leaves_get_their_secret_by_welcome_only),
        cmocka_unit_test(private_keys_survive_their_record),
        cmocka_unit_test(a_record_with_a_node_beyond_every_tree_is_refused),
        cmocka_unit_test(keys_of_blanked_nodes_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
