/* tree_store.h - what the files of the tree share among themselves; not for other modules. */
#ifndef XMTP_MLS_TREE_STORE_H
#define XMTP_MLS_TREE_STORE_H

#include "mls/tree.h"

/* The node for writing; in an overlay copied from the base first. Valid until the next change. The
 * caller keeps hashes and key indices right, so only the hash may be written through it. */
xmtp_status xmtp_tree_writable(xmtp_tree *tree, uint32_t index, xmtp_node **out) XMTP_MUST_CHECK;

/* Sets a node of a base to bytes that lie in tree->slab. */
xmtp_status xmtp_tree_place_slab(xmtp_tree *tree, uint32_t index, xmtp_node_kind kind,
                                 xmtp_bytes raw) XMTP_MUST_CHECK;

/* To a larger or smaller power of two. XMTP_E_LIMIT beyond XMTP_MLS_LEAVES_MAX. What shrinking cuts
 * off is gone: growing again gives blanks. */
xmtp_status xmtp_tree_grow(xmtp_tree *tree, uint32_t leaf_count) XMTP_MUST_CHECK;
void xmtp_tree_shrink(xmtp_tree *tree, uint32_t leaf_count);

/* The leftmost blank leaf; leaf_count when there is none. Looked for once, then known. */
uint32_t xmtp_tree_leftmost_blank(xmtp_tree *tree);

/* A node other than not_node that has this key now. */
bool xmtp_tree_find_other(const xmtp_tree *tree, bool is_signature_key, xmtp_bytes key,
                          uint32_t not_node, uint32_t *node);

/* Position of the first unmerged leaf at or after leaf_index. */
size_t xmtp_unmerged_from(const xmtp_parent_node *parent, uint32_t leaf_index);

/* Walks the set nodes of a subtree from left to right, without what lies below a set node: the
 * resolution without unmerged leaves. */
enum { XMTP_TREE_WALK_MAX = XMTP_MLS_TREE_DEPTH_MAX + 2 };
typedef struct xmtp_tree_walk {
    const xmtp_tree *tree;
    uint32_t depth;
    uint32_t stack[XMTP_TREE_WALK_MAX];
} xmtp_tree_walk;
xmtp_tree_walk xmtp_tree_walk_from(const xmtp_tree *tree, uint32_t node);
bool xmtp_tree_walk_next(xmtp_tree_walk *walk, uint32_t *node);

/* The parent node; all empty for a leaf. */
xmtp_status xmtp_tree_unmerged_of(const xmtp_tree *tree, uint32_t node,
                                  xmtp_parent_node *parent) XMTP_MUST_CHECK;

/* Gives every node of a tree that lacks one its hash. */
xmtp_status xmtp_tree_hash_missing(xmtp_tree *tree) XMTP_MUST_CHECK;

/* Whether the resolution of a node is empty: no node of the subtree is set. */
bool xmtp_tree_resolution_is_empty(const xmtp_tree *tree, uint32_t node);

/* Parent hash of parent towards the child whose sibling is given. Writes hash->len bytes. */
xmtp_status xmtp_tree_parent_hash_of(xmtp_tree *tree, const xmtp_parent_node *parent,
                                     uint32_t sibling, uint8_t *out) XMTP_MUST_CHECK;

#endif
