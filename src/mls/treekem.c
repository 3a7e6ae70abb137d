/* treekem.c - path secrets: made, encrypted, opened. RFC 9420 sections 7.4, 7.5, 7.6.
 *
 *     path_secret[0] --"path"--> path_secret[1] --"path"--> ... --"path"--> commit_secret
 *          |                          |
 *        "node"                     "node"          node_secret -> KEM.DeriveKeyPair
 *
 * path_secret[i] belongs to the i-th node of the committer's filtered direct path, counted from the
 * leaf; commit_secret is one step past the last. The leaf's own key pair is fresh and comes from
 * none of these. A member below node i who is not below node i - 1 is sent path_secret[i],
 * encrypted to the resolution of the copath child of node i.
 */
#include "mls/treekem.h"
#include "base/bytes.h"
#include "base/status.h"

#include <assert.h>
#include <inttypes.h>

/* ---- derivation ---- */

/* The key pair that a path secret gives its node. */
static xmtp_status node_key_pair(const xmtp_suite *suite, const xmtp_secret *path_secret,
                                 uint8_t *sk, uint8_t *pk)
{
    xmtp_secret node_secret;
    XMTP_TRY(xmtp_derive_secret(suite, path_secret, "node", &node_secret));
    xmtp_status status = suite->kem->derive_key_pair(xmtp_secret_bytes(&node_secret), sk, pk);
    xmtp_secret_wipe(&node_secret);
    return status;
}

static xmtp_status next_path_secret(const xmtp_suite *suite, const xmtp_secret *path_secret,
                                    xmtp_secret *out)
{
    return xmtp_derive_secret(suite, path_secret, "path", out);
}

/* ---- the committer ---- */

void xmtp_treekem_path_wipe(xmtp_treekem_path *path)
{
    xmtp_wipe(path, sizeof *path);
}

static xmtp_status random_secret(const xmtp_suite *suite, const xmtp_env *env, xmtp_secret *out)
{
    out->n = suite->hash->len;
    return env->random(env->context, out->p, out->n);
}

typedef struct public_keys {
    uint8_t leaf[XMTP_KEM_PK_MAX];
    uint8_t nodes[XMTP_MLS_PATH_MAX][XMTP_KEM_PK_MAX];
    xmtp_bytes views[XMTP_MLS_PATH_MAX];
} public_keys;

static xmtp_status make_leaf_key(const xmtp_suite *suite, const xmtp_env *env,
                                 xmtp_treekem_path *path, public_keys *keys)
{
    xmtp_secret leaf_secret;
    XMTP_TRY(random_secret(suite, env, &leaf_secret));
    xmtp_status status =
        suite->kem->derive_key_pair(xmtp_secret_bytes(&leaf_secret), path->leaf_key, keys->leaf);
    xmtp_secret_wipe(&leaf_secret);
    return status;
}

/* commit_secret runs ahead: it is the next path secret until the path ends. */
static xmtp_status make_path_keys(const xmtp_suite *suite, const xmtp_env *env,
                                  xmtp_treekem_path *path, public_keys *keys)
{
    XMTP_TRY(random_secret(suite, env, &path->commit_secret));
    for (uint32_t i = 0; i < path->path.count; i++) {
        path->path_secrets[i] = path->commit_secret;
        XMTP_TRY(node_key_pair(suite, &path->path_secrets[i], path->keys[i], keys->nodes[i]));
        keys->views[i] = xmtp_bytes_of(keys->nodes[i], suite->kem->pk_len);
        XMTP_TRY(next_path_secret(suite, &path->path_secrets[i], &path->commit_secret));
    }
    return XMTP_OK;
}

/* The signed leaf of source COMMIT goes into the tree. */
static xmtp_status put_leaf(xmtp_tree *tree, uint32_t sender, const xmtp_leaf_node *fields,
                            const uint8_t *signature_sk, xmtp_bytes group_id, xmtp_bytes key,
                            xmtp_bytes parent_hash)
{
    xmtp_leaf_node leaf = *fields;
    leaf.encryption_key = key;
    leaf.source = XMTP_LEAF_NODE_COMMIT;
    leaf.parent_hash = parent_hash;
    xmtp_writer w;
    xmtp_writer_init(&w, tree->alloc, XMTP_MLS_LEAF_NODE_LEN_MAX);
    xmtp_status status =
        xmtp_leaf_node_sign(tree->suite, signature_sk, &leaf, group_id, sender, &tree->scratch, &w);
    if (status == XMTP_OK) {
        status = xmtp_tree_set_node(tree, xmtp_leaf_to_node(sender), XMTP_NODE_LEAF,
                                    xmtp_writer_bytes(&w));
    }
    xmtp_writer_free(&w);
    return status;
}

static xmtp_status begin(xmtp_tree *tree, const xmtp_leaf_node *leaf, const uint8_t *signature_sk,
                         xmtp_bytes group_id, const xmtp_env *env, xmtp_treekem_path *out)
{
    const xmtp_suite *suite = tree->suite;
    public_keys keys;
    uint8_t parent_hash[XMTP_HASH_MAX];
    size_t parent_hash_len;
    XMTP_TRY(make_leaf_key(suite, env, out, &keys));
    XMTP_TRY(make_path_keys(suite, env, out, &keys));
    XMTP_TRY(xmtp_tree_set_path(tree, out->sender, &out->path, keys.views, parent_hash,
                                &parent_hash_len));
    return put_leaf(tree, out->sender, leaf, signature_sk, group_id,
                    xmtp_bytes_of(keys.leaf, suite->kem->pk_len),
                    xmtp_bytes_of(parent_hash, parent_hash_len));
}

xmtp_status xmtp_treekem_begin(xmtp_tree *tree, uint32_t sender, const xmtp_leaf_node *leaf,
                               const uint8_t *signature_sk, xmtp_bytes group_id,
                               const xmtp_env *env, xmtp_treekem_path *out)
{
    XMTP_ENSURE(xmtp_tree_leaf_raw(tree, sender).n > 0, XMTP_E_NOT_FOUND);
    *out = (xmtp_treekem_path){.sender = sender};
    xmtp_tree_filtered_path(tree, sender, &out->path);
    xmtp_status status = begin(tree, leaf, signature_sk, group_id, env, out);
    if (status != XMTP_OK) {
        xmtp_treekem_path_wipe(out);
    }
    return status;
}

const xmtp_secret *xmtp_treekem_path_secret_for(const xmtp_treekem_path *path, uint32_t leaf_index)
{
    for (uint32_t i = 0; i < path->path.count; i++) {
        if (xmtp_node_contains(path->path.steps[i].node, xmtp_leaf_to_node(leaf_index))) {
            return &path->path_secrets[i];
        }
    }
    return NULL;
}

void xmtp_treekem_adopt(const xmtp_treekem_path *path, const xmtp_suite *suite,
                        xmtp_tree_private *out)
{
    xmtp_tree_private_init(out, suite, path->sender, path->leaf_key);
    for (uint32_t i = 0; i < path->path.count; i++) {
        out->keys[out->count].node = path->path.steps[i].node;
        memcpy(out->keys[out->count].sk, path->keys[i], sizeof path->keys[i]);
        out->count++;
    }
}

/* ---- encryption ---- */

/* One byte a leaf: a commit may add thousands, and resolutions may be as long. */
static xmtp_status mark_excluded(const xmtp_tree *tree, const uint32_t *excluded,
                                 size_t excluded_count, xmtp_arena *arena, uint8_t **out)
{
    void *marks;
    XMTP_TRY(xmtp_arena_take(arena, tree->leaf_count, &marks));
    *out = marks;
    for (size_t i = 0; i < excluded_count; i++) {
        XMTP_ENSURE(excluded[i] < tree->leaf_count, XMTP_E_ARGUMENT);
        (*out)[excluded[i]] = 1;
    }
    return XMTP_OK;
}

/* The resolution of a copath child without the leaves that this commit added (section 7.5). */
static xmtp_status recipients(const xmtp_tree *tree, uint32_t copath, const uint8_t *excluded,
                              xmtp_arena *arena, uint32_t **out, size_t *count)
{
    size_t n;
    size_t kept = 0;
    XMTP_TRY(xmtp_tree_resolution(tree, copath, arena, out, &n));
    for (size_t i = 0; i < n; i++) {
        const uint32_t node = (*out)[i];
        if (!xmtp_node_is_leaf(node) || excluded[xmtp_node_to_leaf(node)] == 0) {
            (*out)[kept++] = node;
        }
    }
    *count = kept;
    return XMTP_OK;
}

static xmtp_status seal_one(const xmtp_suite *suite, xmtp_bytes pk, xmtp_bytes info,
                            const xmtp_secret *path_secret, const xmtp_env *env, xmtp_writer *w)
{
    uint8_t seed[XMTP_KEM_SEED_MAX];
    uint8_t kem_output[XMTP_KEM_ENC_MAX];
    uint8_t ciphertext[XMTP_HASH_MAX + XMTP_AEAD_TAG_MAX];
    XMTP_ENSURE(pk.n == suite->kem->pk_len, XMTP_E_KEY);
    XMTP_TRY(env->random(env->context, seed, suite->kem->seed_len));
    xmtp_status status = xmtp_encrypt_with_info(suite, pk.p, info, xmtp_secret_bytes(path_secret),
                                                seed, kem_output, ciphertext);
    xmtp_wipe(seed, sizeof seed);
    XMTP_TRY(status);
    xmtp_writer_vec(w, xmtp_bytes_of(kem_output, suite->kem->enc_len));
    xmtp_writer_vec(w, xmtp_bytes_of(ciphertext, path_secret->n + suite->aead->tag_len));
    return xmtp_writer_status(w);
}

typedef struct sealing {
    const xmtp_tree *tree;
    const xmtp_treekem_path *path;
    xmtp_bytes info;
    const uint8_t *excluded;
    const xmtp_env *env;
    xmtp_arena *arena;
} sealing;

/* One UpdatePathNode. */
static xmtp_status seal_step(const sealing *s, uint32_t i, xmtp_writer *w)
{
    const xmtp_tree_step *step = &s->path->path.steps[i];
    uint32_t *nodes;
    size_t count;
    XMTP_TRY(recipients(s->tree, step->copath, s->excluded, s->arena, &nodes, &count));
    xmtp_writer_vec(w, xmtp_tree_encryption_key(s->tree, step->node));
    size_t mark = xmtp_writer_vec_open(w);
    for (size_t k = 0; k < count; k++) {
        XMTP_TRY(seal_one(s->tree->suite, xmtp_tree_encryption_key(s->tree, nodes[k]), s->info,
                          &s->path->path_secrets[i], s->env, w));
    }
    xmtp_writer_vec_close(w, mark);
    return xmtp_writer_status(w);
}

static xmtp_status seal_all(const sealing *s, xmtp_writer *w)
{
    xmtp_writer_put(w, xmtp_tree_leaf_raw(s->tree, s->path->sender));
    size_t mark = xmtp_writer_vec_open(w);
    for (uint32_t i = 0; i < s->path->path.count; i++) {
        XMTP_TRY(seal_step(s, i, w));
    }
    xmtp_writer_vec_close(w, mark);
    return xmtp_writer_status(w);
}

xmtp_status xmtp_treekem_encrypt(const xmtp_tree *tree, const xmtp_treekem_path *path,
                                 xmtp_bytes group_context, const uint32_t *excluded,
                                 size_t excluded_count, const xmtp_env *env, xmtp_arena *arena,
                                 xmtp_writer *w)
{
    uint8_t *marks;
    XMTP_TRY(mark_excluded(tree, excluded, excluded_count, arena, &marks));
    xmtp_writer info; /* one for all recipients */
    xmtp_writer_init(&info, tree->alloc, XMTP_WRITER_MAX);
    xmtp_labelled_content(&info, "UpdatePathNode", group_context);
    xmtp_status status = xmtp_writer_status(&info);
    const sealing s = {.tree = tree,
                       .path = path,
                       .info = xmtp_writer_bytes(&info),
                       .excluded = marks,
                       .env = env,
                       .arena = arena};
    if (status == XMTP_OK) {
        status = seal_all(&s, w);
    }
    xmtp_writer_free(&info);
    return status;
}

/* ---- the receiver ---- */

/* Position in the filtered path of the lowest node above the receiver; count when there is none. */
static uint32_t common_step(const xmtp_tree_path *path, uint32_t leaf_index)
{
    uint32_t i = 0;
    while (i < path->count &&
           !xmtp_node_contains(path->steps[i].node, xmtp_leaf_to_node(leaf_index))) {
        i++;
    }
    return i;
}

/* The ciphertext number n of a node. */
static xmtp_status ciphertext_at(const xmtp_update_path_node *node, size_t n,
                                 xmtp_hpke_ciphertext *out)
{
    xmtp_reader r = xmtp_reader_of(node->ciphertexts);
    for (size_t i = 0; i <= n; i++) {
        XMTP_TRY(xmtp_hpke_ciphertext_decode(&r, out));
    }
    return XMTP_OK;
}

/* Which recipient are we, and with which key? */
static xmtp_status find_own(const xmtp_tree_private *private_keys, const uint32_t *nodes,
                            size_t count, size_t *position, const uint8_t **sk)
{
    for (size_t i = 0; i < count; i++) {
        *sk = xmtp_tree_private_key(private_keys, nodes[i]);
        if (*sk != NULL) {
            *position = i;
            return XMTP_OK;
        }
    }
    return XMTP_E_UPDATE_PATH;
}

static xmtp_status open_path_secret(const xmtp_tree *tree, const uint8_t *sk, xmtp_bytes pk,
                                    xmtp_bytes group_context,
                                    const xmtp_hpke_ciphertext *ciphertext, xmtp_secret *out)
{
    const xmtp_suite *suite = tree->suite;
    XMTP_ENSURE(ciphertext->ciphertext.n == suite->hash->len + suite->aead->tag_len,
                XMTP_E_UPDATE_PATH);
    XMTP_ENSURE(pk.n == suite->kem->pk_len, XMTP_E_KEY);
    xmtp_writer scratch;
    xmtp_writer_init(&scratch, tree->alloc, XMTP_WRITER_MAX);
    out->n = suite->hash->len;
    xmtp_status status =
        xmtp_decrypt_with_label(suite, sk, pk.p, "UpdatePathNode", group_context,
                                ciphertext->kem_output, ciphertext->ciphertext, &scratch, out->p);
    xmtp_writer_free(&scratch);
    return status;
}

static bool has_key(const xmtp_tree *tree, uint32_t node, const uint8_t *pk)
{
    return xmtp_bytes_equal(xmtp_tree_encryption_key(tree, node),
                            xmtp_bytes_of(pk, tree->suite->kem->pk_len));
}

/* Key pairs from path.steps[from] to the root; each must be the one in the tree (section 7.5). The
 * new keys replace all above the receiver's own lower ones. */
static xmtp_status derive_from(const xmtp_tree *tree, const xmtp_tree_path *path, uint32_t from,
                               xmtp_secret *path_secret, xmtp_tree_private *next)
{
    for (uint32_t i = from; i < path->count; i++) {
        uint8_t pk[XMTP_KEM_PK_MAX];
        xmtp_tree_key *key = &next->keys[next->count++];
        key->node = path->steps[i].node;
        XMTP_TRY(node_key_pair(tree->suite, path_secret, key->sk, pk));
        XMTP_ENSURE(has_key(tree, key->node, pk), XMTP_E_UPDATE_PATH);
        XMTP_TRY(next_path_secret(tree->suite, path_secret, path_secret));
    }
    return XMTP_OK;
}

/* Own keys below the common node stay; those at and above it are all made anew by the path. */
static void keep_below(xmtp_tree_private *next, uint32_t common)
{
    uint32_t kept = 1;
    while (kept < next->count && xmtp_node_level(next->keys[kept].node) < xmtp_node_level(common)) {
        kept++;
    }
    xmtp_wipe(&next->keys[kept], (next->count - kept) * sizeof next->keys[0]);
    next->count = kept;
}

/* On success path_secret has become the commit secret. */
static xmtp_status adopt_path_secret(const xmtp_tree *tree, const xmtp_tree_path *path,
                                     uint32_t from, xmtp_secret *path_secret,
                                     xmtp_tree_private *private_keys)
{
    xmtp_tree_private next = *private_keys;
    keep_below(&next, path->steps[from].node);
    xmtp_status status = derive_from(tree, path, from, path_secret, &next);
    if (status == XMTP_OK) {
        xmtp_tree_private_prune(&next, tree);
        *private_keys = next;
    }
    xmtp_tree_private_wipe(&next);
    return status;
}

typedef struct opening {
    xmtp_hpke_ciphertext ciphertext;
    const uint8_t *sk;
    xmtp_bytes pk;
} opening;

/* Finds the ciphertext that is for us. A list longer than its recipients is not refused: section
 * 12.4.2 names no such check, and members must agree about every commit. */
static xmtp_status locate(const xmtp_tree *tree, const xmtp_tree_private *private_keys,
                          uint32_t copath, const xmtp_update_path_node *node,
                          const uint32_t *excluded, size_t excluded_count, xmtp_arena *arena,
                          opening *out)
{
    uint8_t *marks;
    uint32_t *nodes;
    size_t count;
    size_t position;
    XMTP_TRY(mark_excluded(tree, excluded, excluded_count, arena, &marks));
    XMTP_TRY(recipients(tree, copath, marks, arena, &nodes, &count));
    XMTP_TRY(find_own(private_keys, nodes, count, &position, &out->sk));
    XMTP_ENSURE(position < node->ciphertext_count, XMTP_E_UPDATE_PATH);
    out->pk = xmtp_tree_encryption_key(tree, nodes[position]);
    return ciphertext_at(node, position, &out->ciphertext);
}

/* The path after apply: the copath did not change, so it is the one that the committer saw. */
xmtp_status xmtp_treekem_decrypt(const xmtp_tree *tree, xmtp_tree_private *private_keys,
                                 uint32_t sender, const xmtp_update_path *path,
                                 xmtp_bytes group_context, const uint32_t *excluded,
                                 size_t excluded_count, xmtp_arena *arena,
                                 xmtp_secret *commit_secret, xmtp_error *error)
{
    xmtp_tree_path filtered;
    opening own;
    xmtp_tree_filtered_path(tree, sender, &filtered);
    const uint32_t from = common_step(&filtered, private_keys->leaf_index);
    if (from == filtered.count || filtered.count != path->count) {
        return xmtp_fail(error, XMTP_E_UPDATE_PATH,
                         "update path of leaf %" PRIu32 " has no node above leaf %" PRIu32, sender,
                         private_keys->leaf_index);
    }
    xmtp_status status = locate(tree, private_keys, filtered.steps[from].copath, &path->nodes[from],
                                excluded, excluded_count, arena, &own);
    if (status != XMTP_OK) {
        return xmtp_fail(error, status,
                         "update path of leaf %" PRIu32 " has no secret for leaf %" PRIu32, sender,
                         private_keys->leaf_index);
    }
    xmtp_secret path_secret = {0};
    status = open_path_secret(tree, own.sk, own.pk, group_context, &own.ciphertext, &path_secret);
    if (status == XMTP_OK) {
        status = adopt_path_secret(tree, &filtered, from, &path_secret, private_keys);
    }
    if (status == XMTP_OK) {
        *commit_secret = path_secret;
    }
    xmtp_secret_wipe(&path_secret);
    return status == XMTP_OK ? XMTP_OK
                             : xmtp_fail(error, status,
                                         "path secret from leaf %" PRIu32 " is not usable", sender);
}

xmtp_status xmtp_treekem_join(const xmtp_tree *tree, xmtp_tree_private *private_keys,
                              uint32_t sender, xmtp_bytes path_secret, xmtp_secret *commit_secret)
{
    XMTP_ENSURE(path_secret.n == tree->suite->hash->len, XMTP_E_WELCOME);
    XMTP_ENSURE(sender < tree->leaf_count && sender != private_keys->leaf_index, XMTP_E_WELCOME);
    xmtp_tree_path filtered;
    xmtp_tree_filtered_path(tree, sender, &filtered);
    const uint32_t from = common_step(&filtered, private_keys->leaf_index);
    XMTP_ENSURE(from < filtered.count, XMTP_E_WELCOME);
    xmtp_secret secret = {.n = path_secret.n};
    memcpy(secret.p, path_secret.p, path_secret.n);
    xmtp_status status = adopt_path_secret(tree, &filtered, from, &secret, private_keys);
    if (status == XMTP_OK && commit_secret != NULL) {
        *commit_secret = secret;
    }
    xmtp_secret_wipe(&secret);
    return status == XMTP_E_UPDATE_PATH ? XMTP_E_WELCOME : status;
}
