/* tree_validate.c - is this tree one that honest members can have made?
 * RFC 9420 sections 7.3, 7.9.2 and 12.4.3.1.
 *
 * Every check is linear in the nodes of the tree (times its depth for unmerged leaves), so that a
 * hostile tree costs what an honest one of its size does.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "mls/label.h"
#include "mls/signature_batch.h"
#include "mls/tree_store.h"

#include <inttypes.h>

/* ---- keys appear once ---- */

static xmtp_status check_node_keys(const xmtp_tree *tree, uint32_t node, xmtp_error *error)
{
    uint32_t other;
    if (xmtp_tree_find_other(tree, false, xmtp_tree_encryption_key(tree, node), node, &other)) {
        return xmtp_fail(error, XMTP_E_DUPLICATE_KEY,
                         "nodes %" PRIu32 " and %" PRIu32 " have the same encryption key", node,
                         other);
    }
    if (xmtp_node_is_leaf(node) &&
        xmtp_tree_find_other(tree, true, xmtp_tree_signature_key(tree, xmtp_node_to_leaf(node)),
                             node, &other)) {
        return xmtp_fail(error, XMTP_E_DUPLICATE_SIGNATURE_KEY,
                         "leaves %" PRIu32 " and %" PRIu32 " have the same signature key",
                         xmtp_node_to_leaf(node), xmtp_node_to_leaf(other));
    }
    return XMTP_OK;
}

xmtp_status xmtp_tree_check_keys(const xmtp_tree *tree, xmtp_error *error)
{
    const uint32_t node_count = xmtp_node_count(tree->leaf_count);
    if (tree->base == NULL) {
        for (uint32_t i = 0; i < node_count; i++) {
            XMTP_TRY(check_node_keys(tree, i, error));
        }
        return XMTP_OK;
    }
    for (uint32_t i = 0; i < tree->change_count; i++) {
        if (tree->changes[i].node.owns_raw && tree->changes[i].index < node_count) {
            XMTP_TRY(check_node_keys(tree, tree->changes[i].index, error));
        }
    }
    return XMTP_OK;
}

/* ---- members understand each other ---- */

enum { CREDENTIAL_TYPES_MAX = 32 };

typedef struct type_set {
    size_t count;
    uint16_t types[CREDENTIAL_TYPES_MAX];
} type_set;

static xmtp_status type_set_add(type_set *set, uint16_t type)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->types[i] == type) {
            return XMTP_OK;
        }
    }
    XMTP_ENSURE(set->count < CREDENTIAL_TYPES_MAX, XMTP_E_LIMIT);
    set->types[set->count++] = type;
    return XMTP_OK;
}

static xmtp_status credential_types(const xmtp_tree *tree, type_set *set)
{
    set->count = 0;
    for (uint32_t i = 0; xmtp_tree_next_member(tree, &i); i++) {
        xmtp_leaf_node leaf;
        XMTP_TRY(xmtp_tree_leaf(tree, i, &leaf));
        XMTP_TRY(type_set_add(set, leaf.credential.type));
    }
    return XMTP_OK;
}

xmtp_status xmtp_tree_check_credentials(const xmtp_tree *tree, xmtp_error *error)
{
    type_set used;
    if (tree->uniform_credential != 0) {
        return XMTP_OK;
    }
    XMTP_TRY(credential_types(tree, &used));
    for (uint32_t i = 0; xmtp_tree_next_member(tree, &i); i++) {
        xmtp_leaf_node leaf;
        XMTP_TRY(xmtp_tree_leaf(tree, i, &leaf));
        for (size_t t = 0; t < used.count; t++) {
            if (!xmtp_capabilities_has_credential(&leaf.capabilities, used.types[t])) {
                return xmtp_fail(error, XMTP_E_CREDENTIAL_UNSUPPORTED,
                                 "leaf %" PRIu32 " does not support credentials of type %u", i,
                                 used.types[t]);
            }
        }
    }
    return XMTP_OK;
}

static bool supports_all(const xmtp_capabilities *capabilities, const xmtp_extensions *extensions)
{
    xmtp_reader r = xmtp_reader_of(extensions->raw);
    xmtp_extension extension;
    while (xmtp_extensions_next(&r, &extension)) {
        if (!xmtp_capabilities_has_extension(capabilities, extension.type)) {
            return false;
        }
    }
    return true;
}

/* The capabilities of a leaf and their encoding, without decoding what comes behind. */
static xmtp_status capabilities_at(const xmtp_tree *tree, uint32_t leaf_index,
                                   xmtp_capabilities *out, xmtp_bytes *raw)
{
    xmtp_bytes key;
    xmtp_credential credential;
    xmtp_reader r = xmtp_reader_of(xmtp_tree_leaf_raw(tree, leaf_index));
    XMTP_TRY(xmtp_reader_vec(&r, &key));
    XMTP_TRY(xmtp_reader_vec(&r, &key));
    XMTP_TRY(xmtp_credential_decode(&r, &credential));
    const xmtp_reader start = r;
    XMTP_TRY(xmtp_capabilities_decode(&r, out));
    *raw = xmtp_reader_since(&r, &start);
    return XMTP_OK;
}

/* Neighbours mostly run the same program: the same capabilities need not be judged again. */
xmtp_status xmtp_tree_check_extensions(const xmtp_tree *tree, const xmtp_extensions *extensions,
                                       xmtp_error *error)
{
    xmtp_required_capabilities required;
    xmtp_bytes good = {0};
    XMTP_TRY(xmtp_required_capabilities_of(extensions, &required));
    for (uint32_t i = 0; xmtp_tree_next_member(tree, &i); i++) {
        xmtp_capabilities capabilities;
        xmtp_bytes raw;
        XMTP_TRY(capabilities_at(tree, i, &capabilities, &raw));
        if (xmtp_bytes_equal(raw, good)) {
            continue;
        }
        if (!supports_all(&capabilities, extensions)) {
            return xmtp_fail(error, XMTP_E_EXTENSION_UNSUPPORTED,
                             "leaf %" PRIu32 " does not support the extensions of the group", i);
        }
        if (xmtp_capabilities_meet(&capabilities, &required) != XMTP_OK) {
            return xmtp_fail(error, XMTP_E_CAPABILITIES,
                             "leaf %" PRIu32 " lacks a capability the group requires", i);
        }
        good = raw;
    }
    return XMTP_OK;
}

/* ---- unmerged leaves, section 12.4.3.1 ---- */

/* Every set node between the leaf and parent lists the leaf too. */
static bool is_listed_between(const xmtp_tree *tree, uint32_t parent, uint32_t leaf_index)
{
    uint32_t node = xmtp_node_parent(xmtp_leaf_to_node(leaf_index));
    for (; node != parent; node = xmtp_node_parent(node)) {
        xmtp_parent_node between;
        if (xmtp_tree_parent(tree, node, &between) == XMTP_OK &&
            !xmtp_unmerged_has(&between, leaf_index)) {
            return false;
        }
    }
    return true;
}

static bool unmerged_is_right(const xmtp_tree *tree, uint32_t parent, uint32_t leaf_index)
{
    return leaf_index < tree->leaf_count &&
           xmtp_node_contains(parent, xmtp_leaf_to_node(leaf_index)) &&
           !xmtp_tree_is_blank(tree, xmtp_leaf_to_node(leaf_index)) &&
           is_listed_between(tree, parent, leaf_index);
}

xmtp_status xmtp_tree_check_unmerged(const xmtp_tree *tree, xmtp_error *error)
{
    for (uint32_t i = 1; i < xmtp_node_count(tree->leaf_count); i += 2) {
        xmtp_parent_node parent;
        if (xmtp_tree_parent(tree, i, &parent) != XMTP_OK) {
            continue;
        }
        for (size_t u = 0; u < xmtp_unmerged_count(&parent); u++) {
            if (!unmerged_is_right(tree, i, xmtp_unmerged_at(&parent, u))) {
                return xmtp_fail(error, XMTP_E_TREE,
                                 "node %" PRIu32 " has leaf %" PRIu32 " wrongly as unmerged", i,
                                 xmtp_unmerged_at(&parent, u));
            }
        }
    }
    return XMTP_OK;
}

/* ---- parent hashes, section 7.9.2 ---- */

/* Unmerged leaves of parent that lie below child. */
static size_t unmerged_below(const xmtp_parent_node *parent, uint32_t child)
{
    const uint32_t first = xmtp_node_to_leaf(xmtp_node_first(child));
    const uint32_t last = xmtp_node_to_leaf(xmtp_node_last(child));
    return xmtp_unmerged_from(parent, last + 1) - xmtp_unmerged_from(parent, first);
}

/* One node of a resolution: an unmerged leaf of parent, or the one that may carry its hash. */
static bool take_candidate(const xmtp_parent_node *parent, uint32_t node, size_t *unmerged,
                           uint32_t *candidate)
{
    if (xmtp_node_is_leaf(node) && xmtp_unmerged_has(parent, xmtp_node_to_leaf(node))) {
        (*unmerged)++;
        return true;
    }
    if (*candidate != UINT32_MAX) {
        return false;
    }
    *candidate = node;
    return true;
}

/* The node D below child for which resolution(child) without D is what parent has unmerged there.
 * UINT32_MAX when there is none. */
static uint32_t linked_node(const xmtp_tree *tree, const xmtp_parent_node *parent, uint32_t child)
{
    xmtp_tree_walk walk = xmtp_tree_walk_from(tree, child);
    uint32_t candidate = UINT32_MAX;
    size_t unmerged = 0;
    uint32_t node;
    while (xmtp_tree_walk_next(&walk, &node)) {
        xmtp_parent_node below;
        if (!take_candidate(parent, node, &unmerged, &candidate) ||
            xmtp_tree_unmerged_of(tree, node, &below) != XMTP_OK) {
            return UINT32_MAX;
        }
        for (size_t i = 0; i < xmtp_unmerged_count(&below); i++) {
            if (!take_candidate(parent, xmtp_leaf_to_node(xmtp_unmerged_at(&below, i)), &unmerged,
                                &candidate)) {
                return UINT32_MAX;
            }
        }
    }
    return unmerged == unmerged_below(parent, child) ? candidate : UINT32_MAX;
}

/* parent_hash of a parent or of a leaf of source COMMIT; other leaves have none. */
static bool carried_hash(const xmtp_tree *tree, uint32_t node, xmtp_bytes *out)
{
    xmtp_parent_node parent;
    xmtp_leaf_node leaf;
    if (!xmtp_node_is_leaf(node)) {
        if (xmtp_tree_parent(tree, node, &parent) != XMTP_OK) {
            return false;
        }
        *out = parent.parent_hash;
        return true;
    }
    if (xmtp_tree_leaf(tree, xmtp_node_to_leaf(node), &leaf) != XMTP_OK ||
        leaf.source != XMTP_LEAF_NODE_COMMIT) {
        return false;
    }
    *out = leaf.parent_hash;
    return true;
}

static xmtp_status is_linked(xmtp_tree *tree, const xmtp_parent_node *parent, uint32_t child,
                             uint32_t sibling, bool *result)
{
    uint8_t hash[XMTP_HASH_MAX];
    xmtp_bytes carried;
    *result = false;
    const uint32_t node = linked_node(tree, parent, child);
    if (node == UINT32_MAX || !carried_hash(tree, node, &carried)) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_tree_parent_hash_of(tree, parent, sibling, hash));
    *result = xmtp_bytes_equal(carried, xmtp_bytes_of(hash, tree->suite->hash->len));
    return XMTP_OK;
}

static xmtp_status check_parent_hash(xmtp_tree *tree, uint32_t index, xmtp_error *error)
{
    xmtp_parent_node parent;
    bool linked;
    const uint32_t left = xmtp_node_left(index);
    const uint32_t right = xmtp_node_right(index);
    XMTP_TRY(xmtp_tree_parent(tree, index, &parent));
    XMTP_TRY(is_linked(tree, &parent, left, right, &linked));
    if (!linked) {
        XMTP_TRY(is_linked(tree, &parent, right, left, &linked));
    }
    if (!linked) {
        return xmtp_fail(error, XMTP_E_PARENT_HASH, "no node below %" PRIu32 " has its parent hash",
                         index);
    }
    return XMTP_OK;
}

xmtp_status xmtp_tree_check_parent_hashes(xmtp_tree *tree, xmtp_error *error)
{
    for (uint32_t i = 1; i < xmtp_node_count(tree->leaf_count); i += 2) {
        if (!xmtp_tree_is_blank(tree, i)) {
            XMTP_TRY(check_parent_hash(tree, i, error));
        }
    }
    return XMTP_OK;
}

/* ---- a tree received with a Welcome ---- */

static xmtp_status check_key_lengths(const xmtp_tree *tree, xmtp_error *error)
{
    for (uint32_t i = 1; i < xmtp_node_count(tree->leaf_count); i += 2) {
        const xmtp_bytes key = xmtp_tree_encryption_key(tree, i);
        if (!xmtp_tree_is_blank(tree, i) && key.n != tree->suite->kem->pk_len) {
            return xmtp_fail(error, XMTP_E_KEY, "key of node %" PRIu32 " has %zu bytes", i, key.n);
        }
    }
    return XMTP_OK;
}

static xmtp_status check_leaves(xmtp_tree *tree, const xmtp_extensions *group_extensions,
                                xmtp_error *error)
{
    const xmtp_leaf_node_rules rules = {.suite = tree->suite,
                                        .group_extensions = group_extensions,
                                        .suite_unlisted_ok = tree->suite_unlisted_ok};
    for (uint32_t i = 0; xmtp_tree_next_member(tree, &i); i++) {
        xmtp_leaf_node leaf;
        XMTP_TRY(xmtp_tree_leaf(tree, i, &leaf));
        XMTP_TRY(xmtp_leaf_node_validate(&leaf, &rules, error));
    }
    return XMTP_OK;
}

/* leaves: which ones are in the batch, count of them. */
static xmtp_status check_batch(xmtp_signature_batch *batch, const uint32_t *leaves, size_t count,
                               xmtp_error *error)
{
    XMTP_TRY(xmtp_signature_batch_verify(batch));
    for (size_t i = 0; i < count; i++) {
        const xmtp_status status = xmtp_leaf_node_verdict(batch->checks[i].verdict);
        if (status != XMTP_OK) {
            return xmtp_fail(error, status, "signature of leaf %" PRIu32 " does not verify",
                             leaves[i]);
        }
    }
    return XMTP_OK;
}

/* The rest of the leaves, and what is beside them. */
static xmtp_status check_last_batch(const xmtp_tree *tree, xmtp_signature_batch *batch,
                                    const uint32_t *leaves, xmtp_signed_beside *beside,
                                    xmtp_error *error)
{
    size_t count = batch->count;
    xmtp_bytes key = {0};
    if (beside != NULL) {
        key = xmtp_tree_signature_key(tree, beside->leaf);
        beside->verdict = XMTP_E_SENDER;
    }
    if (key.n == 0) {
        return check_batch(batch, leaves, count, error);
    }
    if (count == XMTP_SIGNATURE_BATCH_MAX) {
        XMTP_TRY(check_batch(batch, leaves, count, error));
        xmtp_signature_batch_init(batch, batch->suite, batch->contents);
        count = 0;
    }
    xmtp_labelled_content(batch->contents, beside->label, beside->content);
    xmtp_signature_batch_put(batch, key, beside->signature);
    XMTP_TRY(check_batch(batch, leaves, count, error));
    beside->verdict = batch->checks[count].verdict;
    return XMTP_OK;
}

static xmtp_status check_signatures(xmtp_tree *tree, xmtp_bytes group_id,
                                    xmtp_signed_beside *beside, xmtp_error *error)
{
    xmtp_signature_batch batch;
    uint32_t leaves[XMTP_SIGNATURE_BATCH_MAX];
    xmtp_signature_batch_init(&batch, tree->suite, &tree->scratch);
    for (uint32_t i = 0; xmtp_tree_next_member(tree, &i); i++) {
        xmtp_leaf_node leaf;
        XMTP_TRY(xmtp_tree_leaf(tree, i, &leaf));
        if (batch.count == XMTP_SIGNATURE_BATCH_MAX) {
            XMTP_TRY(check_batch(&batch, leaves, batch.count, error));
            xmtp_signature_batch_init(&batch, tree->suite, &tree->scratch);
        }
        leaves[batch.count] = i;
        xmtp_leaf_node_sign_content(&tree->scratch, &leaf, group_id, i);
        xmtp_signature_batch_put(&batch, leaf.signature_key, leaf.signature);
    }
    return check_last_batch(tree, &batch, leaves, beside, error);
}

/* Cheap checks first; signatures, which cost most, last and once each. */
xmtp_status xmtp_tree_validate_with(xmtp_tree *tree, xmtp_bytes group_id,
                                    const xmtp_extensions *group_extensions,
                                    xmtp_signed_beside *beside, xmtp_error *error)
{
    XMTP_TRY(check_key_lengths(tree, error));
    XMTP_TRY(check_leaves(tree, group_extensions, error));
    XMTP_TRY(xmtp_tree_check_credentials(tree, error));
    XMTP_TRY(xmtp_tree_check_unmerged(tree, error));
    XMTP_TRY(xmtp_tree_check_keys(tree, error));
    XMTP_TRY(xmtp_tree_check_parent_hashes(tree, error));
    return check_signatures(tree, group_id, beside, error);
}

xmtp_status xmtp_tree_validate(xmtp_tree *tree, xmtp_bytes group_id,
                               const xmtp_extensions *group_extensions, xmtp_error *error)
{
    return xmtp_tree_validate_with(tree, group_id, group_extensions, NULL, error);
}
