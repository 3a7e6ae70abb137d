/* tree_path.c - direct path, filtered direct path and resolution: RFC 9420 sections 4.1.1, 4.1.2.
 *
 * A resolution is walked in pre-order with a stack of its own, no deeper than the tree: the left
 * child is always taken first, so at most one right sibling waits on each level. Subtrees that were
 * found empty when they were hashed are not entered: a tree for 10,000 is 16,384 leaves wide.
 */
#include "base/status.h"
#include "mls/tree_store.h"

#include <assert.h>

/* ---- resolution ---- */

xmtp_tree_walk xmtp_tree_walk_from(const xmtp_tree *tree, uint32_t node)
{
    return (xmtp_tree_walk){.tree = tree, .depth = 1, .stack = {node}};
}

bool xmtp_tree_walk_next(xmtp_tree_walk *w, uint32_t *node)
{
    while (w->depth > 0) {
        const uint32_t at = w->stack[--w->depth];
        const xmtp_node *found = xmtp_tree_node(w->tree, at);
        if (found->kind != XMTP_NODE_BLANK) {
            *node = at;
            return true;
        }
        if (!xmtp_node_is_leaf(at) && !(found->has_hash && found->is_empty)) {
            assert(w->depth + 2 <= XMTP_TREE_WALK_MAX);
            w->stack[w->depth++] = xmtp_node_right(at);
            w->stack[w->depth++] = xmtp_node_left(at);
        }
    }
    return false;
}

bool xmtp_tree_resolution_is_empty(const xmtp_tree *tree, uint32_t node)
{
    xmtp_tree_walk w = xmtp_tree_walk_from(tree, node);
    uint32_t ignored;
    return !xmtp_tree_walk_next(&w, &ignored);
}

xmtp_status xmtp_tree_unmerged_of(const xmtp_tree *tree, uint32_t node, xmtp_parent_node *parent)
{
    *parent = (xmtp_parent_node){0};
    return xmtp_node_is_leaf(node) ? XMTP_OK : xmtp_tree_parent(tree, node, parent);
}

static xmtp_status count_resolution(const xmtp_tree *tree, uint32_t node, size_t *count)
{
    xmtp_tree_walk w = xmtp_tree_walk_from(tree, node);
    uint32_t at;
    *count = 0;
    while (xmtp_tree_walk_next(&w, &at)) {
        xmtp_parent_node parent;
        XMTP_TRY(xmtp_tree_unmerged_of(tree, at, &parent));
        *count += 1 + xmtp_unmerged_count(&parent);
    }
    return XMTP_OK;
}

xmtp_status xmtp_tree_resolution(const xmtp_tree *tree, uint32_t node, xmtp_arena *arena,
                                 uint32_t **out, size_t *count)
{
    XMTP_ENSURE(node < xmtp_node_count(tree->leaf_count), XMTP_E_ARGUMENT);
    size_t n;
    void *list;
    XMTP_TRY(count_resolution(tree, node, &n));
    XMTP_TRY(xmtp_arena_take_array(arena, n, sizeof(uint32_t), &list));
    *out = list;
    *count = n;
    xmtp_tree_walk w = xmtp_tree_walk_from(tree, node);
    uint32_t at;
    n = 0;
    while (xmtp_tree_walk_next(&w, &at)) {
        xmtp_parent_node parent;
        XMTP_TRY(xmtp_tree_unmerged_of(tree, at, &parent));
        (*out)[n++] = at;
        for (size_t i = 0; i < xmtp_unmerged_count(&parent); i++) {
            (*out)[n++] = xmtp_leaf_to_node(xmtp_unmerged_at(&parent, i));
        }
    }
    return XMTP_OK;
}

/* ---- paths ---- */

void xmtp_tree_direct_path(const xmtp_tree *tree, uint32_t leaf_index, xmtp_tree_path *out)
{
    assert(leaf_index < tree->leaf_count);
    const uint32_t root = xmtp_tree_root(tree->leaf_count);
    uint32_t node = xmtp_leaf_to_node(leaf_index);
    out->count = 0;
    while (node != root) {
        const uint32_t copath = xmtp_node_sibling(node);
        node = xmtp_node_parent(node);
        out->steps[out->count++] = (xmtp_tree_step){.node = node, .copath = copath};
    }
}

void xmtp_tree_filtered_path(const xmtp_tree *tree, uint32_t leaf_index, xmtp_tree_path *out)
{
    xmtp_tree_path direct;
    xmtp_tree_direct_path(tree, leaf_index, &direct);
    out->count = 0;
    for (uint32_t i = 0; i < direct.count; i++) {
        if (!xmtp_tree_resolution_is_empty(tree, direct.steps[i].copath)) {
            out->steps[out->count++] = direct.steps[i];
        }
    }
}
