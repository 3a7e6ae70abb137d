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

static xmtp_status node_secret_of(const xmtp_suite *suite, const xmtp_secret *path_secret,
                                  xmtp_secret *out)
{
    return xmtp_derive_secret(suite, path_secret, "node", out);
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

/* Key pairs of a path, derived together: the secret of each, and where its keys go. */
typedef struct key_pairs {
    xmtp_secret secrets[XMTP_MLS_PATH_MAX + 1];
    uint8_t public_keys[XMTP_MLS_PATH_MAX + 1][XMTP_KEM_PK_MAX];
    xmtp_kem_derive jobs[XMTP_MLS_PATH_MAX + 1];
    size_t count;
} key_pairs;

/* secrets[count] is set; its private key goes to sk. */
static void add_pair(key_pairs *pairs, uint8_t *sk)
{
    const size_t i = pairs->count++;
    pairs->jobs[i] = (xmtp_kem_derive){
        .ikm = xmtp_secret_bytes(&pairs->secrets[i]), .sk = sk, .pk = pairs->public_keys[i]};
}

static xmtp_bytes public_key_at(const key_pairs *pairs, const xmtp_suite *suite, size_t i)
{
    return xmtp_bytes_of(pairs->public_keys[i], suite->kem->pk_len);
}

/* Fresh secrets for the leaf, which comes first, and for the path. commit_secret runs ahead: it is
 * the next path secret until the path ends. */
static xmtp_status make_secrets(const xmtp_suite *suite, const xmtp_env *env,
                                xmtp_treekem_path *path, key_pairs *pairs)
{
    XMTP_TRY(random_secret(suite, env, &pairs->secrets[0]));
    add_pair(pairs, path->leaf_key);
    XMTP_TRY(random_secret(suite, env, &path->commit_secret));
    for (uint32_t i = 0; i < path->path.count; i++) {
        path->path_secrets[i] = path->commit_secret;
        XMTP_TRY(node_secret_of(suite, &path->path_secrets[i], &pairs->secrets[pairs->count]));
        add_pair(pairs, path->keys[i]);
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

/* The public part of the path into the tree: parents first, whose hash the leaf signs. */
static xmtp_status put_path(xmtp_tree *tree, const xmtp_leaf_node *leaf,
                            const uint8_t *signature_sk, xmtp_bytes group_id,
                            const xmtp_treekem_path *path, const key_pairs *pairs)
{
    xmtp_bytes views[XMTP_MLS_PATH_MAX];
    uint8_t parent_hash[XMTP_HASH_MAX];
    size_t parent_hash_len;
    for (uint32_t i = 0; i < path->path.count; i++) {
        views[i] = public_key_at(pairs, tree->suite, i + 1);
    }
    XMTP_TRY(
        xmtp_tree_set_path(tree, path->sender, &path->path, views, parent_hash, &parent_hash_len));
    return put_leaf(tree, path->sender, leaf, signature_sk, group_id,
                    public_key_at(pairs, tree->suite, 0),
                    xmtp_bytes_of(parent_hash, parent_hash_len));
}

static xmtp_status begin(xmtp_tree *tree, const xmtp_leaf_node *leaf, const uint8_t *signature_sk,
                         xmtp_bytes group_id, const xmtp_env *env, xmtp_treekem_path *out)
{
    key_pairs pairs;
    pairs.count = 0;
    xmtp_status status = make_secrets(tree->suite, env, out, &pairs);
    if (status == XMTP_OK) {
        status = xmtp_kem_derive_many(tree->suite->kem, pairs.jobs, pairs.count);
    }
    xmtp_wipe(pairs.secrets, sizeof pairs.secrets);
    XMTP_TRY(status);
    return put_path(tree, leaf, signature_sk, group_id, out, &pairs);
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

typedef struct sealing {
    const xmtp_tree *tree;
    const xmtp_treekem_path *path;
    const uint8_t *excluded;
    const xmtp_env *env;
    xmtp_arena *arena;
    xmtp_letters letters;             /* those of the lowest step first */
    size_t counts[XMTP_MLS_PATH_MAX]; /* how many of them belong to each step */
} sealing;

static xmtp_status put_letters(sealing *s, uint32_t i)
{
    uint32_t *nodes;
    XMTP_TRY(recipients(s->tree, s->path->path.steps[i].copath, s->excluded, s->arena, &nodes,
                        &s->counts[i]));
    for (size_t k = 0; k < s->counts[i]; k++) {
        XMTP_TRY(xmtp_letters_put(&s->letters, s->env, xmtp_tree_encryption_key(s->tree, nodes[k]),
                                  xmtp_secret_bytes(&s->path->path_secrets[i])));
    }
    return XMTP_OK;
}

/* Resolutions of a copath have no leaf twice, so there are never more letters than leaves. */
static xmtp_status seal_all(sealing *s, xmtp_bytes group_context)
{
    XMTP_TRY(xmtp_letters_init(&s->letters, s->tree->suite, s->tree->leaf_count, s->arena));
    for (uint32_t i = 0; i < s->path->path.count; i++) {
        XMTP_TRY(put_letters(s, i));
    }
    return xmtp_letters_seal(&s->letters, "UpdatePathNode", group_context);
}

/* The UpdatePath. */
static xmtp_status write_path(const sealing *s, xmtp_writer *w)
{
    size_t letter = 0;
    xmtp_writer_put(w, xmtp_tree_leaf_raw(s->tree, s->path->sender));
    size_t mark = xmtp_writer_vec_open(w);
    for (uint32_t i = 0; i < s->path->path.count; i++) {
        xmtp_writer_vec(w, xmtp_tree_encryption_key(s->tree, s->path->path.steps[i].node));
        size_t step_mark = xmtp_writer_vec_open(w);
        for (size_t k = 0; k < s->counts[i]; k++, letter++) {
            xmtp_writer_vec(w, xmtp_letters_kem_output(&s->letters, letter));
            xmtp_writer_vec(w, xmtp_letters_ciphertext(&s->letters, letter));
        }
        xmtp_writer_vec_close(w, step_mark);
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
    sealing s = {.tree = tree, .path = path, .excluded = marks, .env = env, .arena = arena};
    XMTP_TRY(seal_all(&s, group_context));
    return write_path(&s, w);
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
    return XMTP_E_PATH_SECRET;
}

static xmtp_status open_path_secret(const xmtp_tree *tree, const uint8_t *sk, xmtp_bytes pk,
                                    xmtp_bytes group_context,
                                    const xmtp_hpke_ciphertext *ciphertext, xmtp_secret *out)
{
    const xmtp_suite *suite = tree->suite;
    XMTP_ENSURE(ciphertext->ciphertext.n == suite->hash->len + suite->aead->tag_len,
                XMTP_E_PATH_SECRET);
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

/* The secrets of path.steps[from] to the root; path_secret becomes the commit secret. */
static xmtp_status follow_secrets(const xmtp_suite *suite, const xmtp_tree_path *path,
                                  uint32_t from, xmtp_secret *path_secret, xmtp_tree_private *next,
                                  key_pairs *pairs)
{
    for (uint32_t i = from; i < path->count; i++) {
        xmtp_tree_key *key = &next->keys[next->count++];
        key->node = path->steps[i].node;
        XMTP_TRY(node_secret_of(suite, path_secret, &pairs->secrets[pairs->count]));
        add_pair(pairs, key->sk);
        XMTP_TRY(next_path_secret(suite, path_secret, path_secret));
    }
    return XMTP_OK;
}

/* Key pairs from path.steps[from] to the root; each must be the one in the tree (section 7.5). The
 * new keys replace all above the receiver's own lower ones. */
static xmtp_status derive_from(const xmtp_tree *tree, const xmtp_tree_path *path, uint32_t from,
                               xmtp_secret *path_secret, xmtp_tree_private *next)
{
    key_pairs pairs;
    pairs.count = 0;
    xmtp_status status = follow_secrets(tree->suite, path, from, path_secret, next, &pairs);
    if (status == XMTP_OK) {
        status = xmtp_kem_derive_many(tree->suite->kem, pairs.jobs, pairs.count);
    }
    xmtp_wipe(pairs.secrets, sizeof pairs.secrets);
    XMTP_TRY(status);
    for (size_t i = 0; i < pairs.count; i++) {
        XMTP_ENSURE(has_key(tree, path->steps[from + i].node, pairs.public_keys[i]),
                    XMTP_E_PATH_SECRET);
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
    XMTP_ENSURE(position < node->ciphertext_count, XMTP_E_PATH_SECRET);
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
        return xmtp_fail(error, XMTP_E_PATH_SECRET,
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
    return status == XMTP_E_PATH_SECRET ? XMTP_E_WELCOME : status;
}
