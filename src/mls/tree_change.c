/* tree_change.c - what proposals do to the tree: add, update, remove a leaf.
 * RFC 9420 sections 7.7, 12.1.1, 12.1.2, 12.1.3.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "mls/tree_store.h"

#include <assert.h>

/* The leaf node must be one that decodes, so that later reads of the node cannot fail. */
static xmtp_status check_leaf(xmtp_bytes raw)
{
    xmtp_leaf_node leaf;
    return xmtp_leaf_node_of(raw, &leaf);
}

static xmtp_status blank_direct_path(xmtp_tree *tree, uint32_t leaf_index)
{
    const uint32_t root = xmtp_tree_root(tree->leaf_count);
    uint32_t node = xmtp_leaf_to_node(leaf_index);
    while (node != root) {
        node = xmtp_node_parent(node);
        XMTP_TRY(xmtp_tree_set_node(tree, node, XMTP_NODE_BLANK, (xmtp_bytes){0}));
    }
    return XMTP_OK;
}

/* ---- add ---- */

/* Rewrites one parent with leaf_index among its unmerged leaves, in order. */
static xmtp_status add_unmerged(xmtp_tree *tree, uint32_t index, const xmtp_parent_node *parent,
                                uint32_t leaf_index)
{
    const size_t before = 4 * xmtp_unmerged_from(parent, leaf_index);
    const xmtp_bytes list = parent->unmerged_leaves;
    xmtp_writer *w = &tree->scratch;
    xmtp_writer_clear(w);
    xmtp_writer_vec(w, parent->encryption_key);
    xmtp_writer_vec(w, parent->parent_hash);
    xmtp_writer_varint(w, list.n + 4);
    xmtp_writer_put(w, xmtp_bytes_of(list.p, before));
    xmtp_writer_u32(w, leaf_index);
    xmtp_writer_put(w, xmtp_bytes_of(list.p + before, list.n - before));
    XMTP_TRY(xmtp_writer_status(w));
    return xmtp_tree_set_node(tree, index, XMTP_NODE_PARENT, xmtp_writer_bytes(w));
}

static xmtp_status note_unmerged(xmtp_tree *tree, uint32_t leaf_index)
{
    const uint32_t root = xmtp_tree_root(tree->leaf_count);
    uint32_t index = xmtp_leaf_to_node(leaf_index);
    while (index != root) {
        index = xmtp_node_parent(index);
        xmtp_parent_node parent;
        if (xmtp_tree_is_blank(tree, index)) {
            continue;
        }
        XMTP_TRY(xmtp_tree_parent(tree, index, &parent));
        if (!xmtp_unmerged_has(&parent, leaf_index)) {
            XMTP_TRY(add_unmerged(tree, index, &parent, leaf_index));
        }
    }
    return XMTP_OK;
}

uint32_t xmtp_tree_leftmost_blank(xmtp_tree *tree)
{
    while (tree->first_blank < tree->leaf_count &&
           !xmtp_tree_is_blank(tree, xmtp_leaf_to_node(tree->first_blank))) {
        tree->first_blank++;
    }
    return tree->first_blank;
}

xmtp_status xmtp_tree_add_leaf(xmtp_tree *tree, xmtp_bytes raw, uint32_t *leaf_index)
{
    XMTP_TRY(check_leaf(raw));
    XMTP_ENSURE(tree->member_count < XMTP_MLS_MEMBERS_MAX, XMTP_E_LIMIT);
    const uint32_t place = xmtp_tree_leftmost_blank(tree);
    if (place == tree->leaf_count) {
        XMTP_TRY(xmtp_tree_grow(tree, place == 0 ? 1 : 2 * place));
    }
    XMTP_TRY(xmtp_tree_set_node(tree, xmtp_leaf_to_node(place), XMTP_NODE_LEAF, raw));
    XMTP_TRY(note_unmerged(tree, place));
    *leaf_index = place;
    return XMTP_OK;
}

/* ---- update ---- */

xmtp_status xmtp_tree_update_leaf(xmtp_tree *tree, uint32_t leaf_index, xmtp_bytes raw)
{
    XMTP_TRY(check_leaf(raw));
    XMTP_ENSURE(xmtp_tree_leaf_raw(tree, leaf_index).n > 0, XMTP_E_NOT_FOUND);
    XMTP_TRY(xmtp_tree_set_node(tree, xmtp_leaf_to_node(leaf_index), XMTP_NODE_LEAF, raw));
    return blank_direct_path(tree, leaf_index);
}

/* ---- remove ---- */

static bool right_half_is_blank(const xmtp_tree *tree)
{
    uint32_t leaf_index = tree->leaf_count / 2;
    return !xmtp_tree_next_member(tree, &leaf_index);
}

static void truncate(xmtp_tree *tree)
{
    while (tree->leaf_count > 1 && right_half_is_blank(tree)) {
        xmtp_tree_shrink(tree, tree->leaf_count / 2);
    }
}

xmtp_status xmtp_tree_remove_leaf(xmtp_tree *tree, uint32_t leaf_index)
{
    XMTP_ENSURE(xmtp_tree_leaf_raw(tree, leaf_index).n > 0, XMTP_E_NOT_FOUND);
    XMTP_TRY(
        xmtp_tree_set_node(tree, xmtp_leaf_to_node(leaf_index), XMTP_NODE_BLANK, (xmtp_bytes){0}));
    XMTP_TRY(blank_direct_path(tree, leaf_index));
    if (leaf_index >= tree->leaf_count / 2) {
        truncate(tree);
    }
    return XMTP_OK;
}
