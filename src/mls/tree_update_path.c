/* tree_update_path.c - the public part of an UpdatePath goes into the tree.
 * RFC 9420 sections 7.5, 7.9 and 12.4.2.
 *
 *            R      Each parent hash names the next node above, so they are made from the root
 * down: /   \    R has an empty one; P has that of R towards P; the leaf has that of P. The P     S
 * sibling's tree hash that enters (S for P) is not changed by the path itself.
 *       /   \
 *      leaf  T      New parents have no unmerged leaves, so that hash is the plain tree hash.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "mls/tree_store.h"

#include <assert.h>
#include <inttypes.h>

/* Blanks the nodes of the direct path that the filtered path leaves out. */
static xmtp_status blank_others(xmtp_tree *tree, uint32_t leaf_index, const xmtp_tree_path *path)
{
    xmtp_tree_path direct;
    xmtp_tree_direct_path(tree, leaf_index, &direct);
    uint32_t next = 0;
    for (uint32_t i = 0; i < direct.count; i++) {
        if (next < path->count && path->steps[next].node == direct.steps[i].node) {
            next++;
            continue;
        }
        XMTP_TRY(xmtp_tree_set_node(tree, direct.steps[i].node, XMTP_NODE_BLANK, (xmtp_bytes){0}));
    }
    return XMTP_OK;
}

static xmtp_status set_parent(xmtp_tree *tree, uint32_t index, const xmtp_parent_node *parent)
{
    xmtp_writer *w = &tree->scratch;
    xmtp_writer_clear(w);
    xmtp_parent_node_encode(w, parent);
    XMTP_TRY(xmtp_writer_status(w));
    return xmtp_tree_set_node(tree, index, XMTP_NODE_PARENT, xmtp_writer_bytes(w));
}

xmtp_status xmtp_tree_set_path(xmtp_tree *tree, uint32_t leaf_index, const xmtp_tree_path *path,
                               const xmtp_bytes *public_keys, uint8_t *leaf_parent_hash,
                               size_t *leaf_parent_hash_len)
{
    uint8_t hash[XMTP_HASH_MAX];
    xmtp_bytes parent_hash = {0}; /* the root has none */
    XMTP_TRY(blank_others(tree, leaf_index, path));
    for (uint32_t i = path->count; i-- > 0;) {
        const xmtp_tree_step *step = &path->steps[i];
        const xmtp_parent_node parent = {.encryption_key = public_keys[i],
                                         .parent_hash = parent_hash};
        XMTP_TRY(set_parent(tree, step->node, &parent));
        uint8_t below[XMTP_HASH_MAX];
        XMTP_TRY(xmtp_tree_parent_hash_of(tree, &parent, step->copath, below));
        memcpy(hash, below, sizeof hash);
        parent_hash = xmtp_bytes_of(hash, tree->suite->hash->len);
    }
    *leaf_parent_hash_len = parent_hash.n;
    if (leaf_parent_hash != NULL) {
        xmtp_copy(leaf_parent_hash, parent_hash.p, parent_hash.n);
    }
    return XMTP_OK;
}

/* ---- a received path ---- */

static xmtp_status check_shape(const xmtp_tree *tree, const xmtp_update_path *path,
                               const xmtp_tree_path *filtered, xmtp_error *error)
{
    if (path->leaf_node.source != XMTP_LEAF_NODE_COMMIT) {
        return xmtp_fail(error, XMTP_E_LEAF_SOURCE, "leaf of update path has source %u",
                         path->leaf_node.source);
    }
    if (path->count != filtered->count) {
        return xmtp_fail(error, XMTP_E_PATH_LENGTH, "update path has %zu nodes, must have %" PRIu32,
                         path->count, filtered->count);
    }
    for (size_t i = 0; i < path->count; i++) {
        if (path->nodes[i].encryption_key.n != tree->suite->kem->pk_len) {
            return xmtp_fail(error, XMTP_E_KEY, "key %zu of update path has %zu bytes", i,
                             path->nodes[i].encryption_key.n);
        }
    }
    if (path->leaf_node.encryption_key.n != tree->suite->kem->pk_len ||
        path->leaf_node.signature_key.n != tree->suite->signature->pk_len) {
        return xmtp_fail(error, XMTP_E_KEY, "leaf of update path has a key of wrong length");
    }
    return XMTP_OK;
}

/* A leaf that is in the tree from before must get a new encryption key (section 12.4.2); that of an
 * external committer was just put there from this very path. */
static xmtp_status check_leaf_is_new(const xmtp_tree *tree, uint32_t leaf_index,
                                     const xmtp_leaf_node *leaf, xmtp_error *error)
{
    const xmtp_bytes now = xmtp_tree_encryption_key(tree, xmtp_leaf_to_node(leaf_index));
    const bool is_external = tree->base != NULL &&
                             xmtp_tree_node(tree, xmtp_leaf_to_node(leaf_index))->owns_raw &&
                             xmtp_bytes_equal(xmtp_tree_leaf_raw(tree, leaf_index), leaf->raw);
    if (!is_external && xmtp_bytes_equal(now, leaf->encryption_key)) {
        return xmtp_fail(error, XMTP_E_KEY_KEPT,
                         "update path keeps the encryption key of leaf %" PRIu32, leaf_index);
    }
    return XMTP_OK;
}

static xmtp_status check_key_is_unique(const xmtp_tree *tree, uint32_t node, xmtp_error *error)
{
    uint32_t other;
    if (xmtp_tree_find_other(tree, false, xmtp_tree_encryption_key(tree, node), node, &other)) {
        return xmtp_fail(error, XMTP_E_DUPLICATE_KEY,
                         "nodes %" PRIu32 " and %" PRIu32 " have the same encryption key", node,
                         other);
    }
    return XMTP_OK;
}

/* Nothing else in the new tree has a key of the path (section 12.4.2), nor another member the
 * leaf's signature key. */
static xmtp_status check_keys(const xmtp_tree *tree, uint32_t leaf_index,
                              const xmtp_tree_path *filtered, xmtp_error *error)
{
    const uint32_t leaf = xmtp_leaf_to_node(leaf_index);
    uint32_t other;
    XMTP_TRY(check_key_is_unique(tree, leaf, error));
    for (uint32_t i = 0; i < filtered->count; i++) {
        XMTP_TRY(check_key_is_unique(tree, filtered->steps[i].node, error));
    }
    if (xmtp_tree_find_other(tree, true, xmtp_tree_signature_key(tree, leaf_index), leaf, &other)) {
        return xmtp_fail(error, XMTP_E_DUPLICATE_SIGNATURE_KEY,
                         "leaves %" PRIu32 " and %" PRIu32 " have the same signature key",
                         leaf_index, xmtp_node_to_leaf(other));
    }
    return XMTP_OK;
}

xmtp_status xmtp_tree_apply_path(xmtp_tree *tree, uint32_t leaf_index, const xmtp_update_path *path,
                                 xmtp_error *error)
{
    XMTP_ENSURE(xmtp_tree_leaf_raw(tree, leaf_index).n > 0, XMTP_E_NOT_FOUND);
    xmtp_tree_path filtered;
    xmtp_bytes public_keys[XMTP_MLS_PATH_MAX];
    uint8_t parent_hash[XMTP_HASH_MAX];
    size_t parent_hash_len;
    xmtp_tree_filtered_path(tree, leaf_index, &filtered);
    XMTP_TRY(check_shape(tree, path, &filtered, error));
    XMTP_TRY(check_leaf_is_new(tree, leaf_index, &path->leaf_node, error));
    for (size_t i = 0; i < path->count; i++) {
        public_keys[i] = path->nodes[i].encryption_key;
    }
    XMTP_TRY(xmtp_tree_set_path(tree, leaf_index, &filtered, public_keys, parent_hash,
                                &parent_hash_len));
    if (!xmtp_bytes_equal(path->leaf_node.parent_hash,
                          xmtp_bytes_of(parent_hash, parent_hash_len))) {
        return xmtp_fail(error, XMTP_E_PARENT_HASH,
                         "parent hash of leaf %" PRIu32 " does not match", leaf_index);
    }
    XMTP_TRY(xmtp_tree_set_node(tree, xmtp_leaf_to_node(leaf_index), XMTP_NODE_LEAF,
                                path->leaf_node.raw));
    return check_keys(tree, leaf_index, &filtered, error);
}
