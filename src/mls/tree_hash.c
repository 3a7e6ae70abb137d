/* tree_hash.c - tree hash (RFC 9420 section 7.8) and parent hash (section 7.9).
 *
 *     TreeHashInput (leaf)   = 1, leaf_index, optional<LeafNode>
 *     TreeHashInput (parent) = 2, optional<ParentNode>, left_hash<V>, right_hash<V>
 *     ParentHashInput        = encryption_key<V>, parent_hash<V>, original_sibling_tree_hash<V>
 *
 * Each node keeps the hash of its subtree. Only nodes without one are hashed, children before
 * parents, so a commit costs O(log n) and a clean tree nothing.
 *
 * The original sibling tree hash is the tree hash of the sibling as it was when the parent was last
 * set: without the leaves that the parent lists as unmerged. Those are few, so that hash is made by
 * walking down only where such leaves lie and using the kept hashes elsewhere.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "mls/tree_store.h"

#include <assert.h>

enum { NODE_TYPE_LEAF = 1, NODE_TYPE_PARENT = 2, STACK_MAX = 2 * XMTP_MLS_TREE_DEPTH_MAX + 4 };

/* ---- hashing inputs ---- */

typedef struct hasher {
    const xmtp_hash *hash;
    xmtp_hash_context c;
} hasher;

static void feed(hasher *h, xmtp_bytes bytes)
{
    h->hash->update(&h->c, bytes.p, bytes.n);
}

static void feed_u8(hasher *h, uint8_t value)
{
    h->hash->update(&h->c, &value, 1);
}

static void feed_u32(hasher *h, uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                              (uint8_t)value};
    h->hash->update(&h->c, bytes, sizeof bytes);
}

/* The length prefix of section 2.1.2. */
static void feed_varint(hasher *h, size_t n)
{
    if (n < 0x40) {
        feed_u8(h, (uint8_t)n);
    } else if (n < 0x4000) {
        const uint8_t bytes[2] = {(uint8_t)(0x40 | n >> 8), (uint8_t)n};
        h->hash->update(&h->c, bytes, sizeof bytes);
    } else {
        feed_u32(h, 0x80000000u | (uint32_t)n);
    }
}

static void feed_vec(hasher *h, xmtp_bytes bytes)
{
    feed_varint(h, bytes.n);
    feed(h, bytes);
}

static void feed_optional(hasher *h, xmtp_bytes raw)
{
    feed_u8(h, raw.n > 0 ? 1 : 0);
    feed(h, raw);
}

static hasher hasher_of(const xmtp_tree *tree)
{
    hasher h = {.hash = tree->suite->hash};
    h.hash->init(&h.c);
    return h;
}

static void leaf_hash(const xmtp_tree *tree, uint32_t leaf_index, xmtp_bytes raw, uint8_t *out)
{
    hasher h = hasher_of(tree);
    feed_u8(&h, NODE_TYPE_LEAF);
    feed_u32(&h, leaf_index);
    feed_optional(&h, raw);
    h.hash->final(&h.c, out);
}

static xmtp_bytes hash_bytes(const xmtp_tree *tree, const uint8_t *hash)
{
    return xmtp_bytes_of(hash, tree->suite->hash->len);
}

static void finish_parent(hasher *h, const xmtp_tree *tree, const uint8_t *left,
                          const uint8_t *right, uint8_t *out)
{
    feed_vec(h, hash_bytes(tree, left));
    feed_vec(h, hash_bytes(tree, right));
    h->hash->final(&h->c, out);
}

static xmtp_bytes node_raw(const xmtp_tree *tree, uint32_t index)
{
    const xmtp_node *node = xmtp_tree_node(tree, index);
    return xmtp_bytes_of(node->raw, node->raw_len);
}

/* ---- tree hash ---- */

/* No node of the subtree is set: kept beside its hash, since both change together. */
static bool is_empty(const xmtp_tree *tree, uint32_t index)
{
    return xmtp_tree_is_blank(tree, index) &&
           (xmtp_node_is_leaf(index) || (xmtp_tree_node(tree, xmtp_node_left(index))->is_empty &&
                                         xmtp_tree_node(tree, xmtp_node_right(index))->is_empty));
}

/* Hashes one node whose children have theirs. */
static xmtp_status hash_node(xmtp_tree *tree, uint32_t index)
{
    uint8_t out[XMTP_HASH_MAX];
    if (xmtp_node_is_leaf(index)) {
        leaf_hash(tree, xmtp_node_to_leaf(index), node_raw(tree, index), out);
    } else {
        hasher h = hasher_of(tree);
        feed_u8(&h, NODE_TYPE_PARENT);
        feed_optional(&h, node_raw(tree, index));
        finish_parent(&h, tree, xmtp_tree_node(tree, xmtp_node_left(index))->hash,
                      xmtp_tree_node(tree, xmtp_node_right(index))->hash, out);
    }
    xmtp_node *node;
    XMTP_TRY(xmtp_tree_writable(tree, index, &node));
    memcpy(node->hash, out, tree->suite->hash->len);
    node->has_hash = true;
    node->is_empty = is_empty(tree, index);
    return XMTP_OK;
}

/* Pushes the children that still need a hash. */
static uint32_t push_children(const xmtp_tree *tree, uint32_t index, uint32_t *stack,
                              uint32_t depth)
{
    if (xmtp_node_is_leaf(index)) {
        return depth;
    }
    assert(depth + 2 <= STACK_MAX);
    if (!xmtp_tree_node(tree, xmtp_node_right(index))->has_hash) {
        stack[depth++] = xmtp_node_right(index);
    }
    if (!xmtp_tree_node(tree, xmtp_node_left(index))->has_hash) {
        stack[depth++] = xmtp_node_left(index);
    }
    return depth;
}

static xmtp_status hash_subtree(xmtp_tree *tree, uint32_t top)
{
    uint32_t stack[STACK_MAX] = {top};
    uint32_t depth = xmtp_tree_node(tree, top)->has_hash ? 0 : 1;
    while (depth > 0) {
        const uint32_t index = stack[depth - 1];
        const uint32_t deeper = push_children(tree, index, stack, depth);
        if (deeper == depth) {
            XMTP_TRY(hash_node(tree, index));
            depth--;
        } else {
            depth = deeper;
        }
    }
    return XMTP_OK;
}

xmtp_status xmtp_tree_node_hash(xmtp_tree *tree, uint32_t node, uint8_t *out)
{
    XMTP_ENSURE(node < xmtp_node_count(tree->leaf_count), XMTP_E_ARGUMENT);
    XMTP_TRY(hash_subtree(tree, node));
    memcpy(out, xmtp_tree_node(tree, node)->hash, tree->suite->hash->len);
    return XMTP_OK;
}

xmtp_status xmtp_tree_hash(xmtp_tree *tree, uint8_t *out)
{
    XMTP_ENSURE(tree->leaf_count > 0, XMTP_E_STATE);
    return xmtp_tree_node_hash(tree, xmtp_tree_root(tree->leaf_count), out);
}

xmtp_status xmtp_tree_hash_missing(xmtp_tree *tree)
{
    const uint32_t count = xmtp_node_count(tree->leaf_count);
    assert(tree->base == NULL);
    for (uint32_t i = 0; i < count; i++) {
        XMTP_TRY(hash_subtree(tree, i));
    }
    /* Nodes whose hash came from the store, children first. */
    for (uint32_t width = 1; width <= tree->leaf_count; width *= 2) {
        for (uint32_t i = width - 1; i < count; i += 2 * width) {
            tree->nodes[i].is_empty = is_empty(tree, i);
        }
    }
    return XMTP_OK;
}

/* ---- the tree hash of a subtree without some leaves ---- */

/* Whether some excluded leaf lies below node. */
static bool excludes_below(const xmtp_parent_node *excluding, uint32_t node)
{
    const uint32_t first = xmtp_node_to_leaf(xmtp_node_first(node));
    const uint32_t last = xmtp_node_to_leaf(xmtp_node_last(node));
    const size_t i = xmtp_unmerged_from(excluding, first);
    return i < xmtp_unmerged_count(excluding) && xmtp_unmerged_at(excluding, i) <= last;
}

/* optional<ParentNode> with the excluded leaves taken out of unmerged_leaves. */
static xmtp_status feed_parent_without(hasher *h, const xmtp_tree *tree, uint32_t index,
                                       const xmtp_parent_node *excluding)
{
    xmtp_parent_node parent;
    if (xmtp_tree_is_blank(tree, index)) {
        feed_u8(h, 0);
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_tree_parent(tree, index, &parent));
    size_t kept = 0;
    for (size_t i = 0; i < xmtp_unmerged_count(&parent); i++) {
        kept += !xmtp_unmerged_has(excluding, xmtp_unmerged_at(&parent, i));
    }
    feed_u8(h, 1);
    feed_vec(h, parent.encryption_key);
    feed_vec(h, parent.parent_hash);
    feed_varint(h, 4 * kept);
    for (size_t i = 0; i < xmtp_unmerged_count(&parent); i++) {
        const uint32_t leaf_index = xmtp_unmerged_at(&parent, i);
        if (!xmtp_unmerged_has(excluding, leaf_index)) {
            feed_u32(h, leaf_index);
        }
    }
    return XMTP_OK;
}

typedef struct frame {
    uint32_t node;
    uint8_t children_done;
    uint8_t left[XMTP_HASH_MAX];
} frame;

/* A hash that can be had without looking below: kept, or of an excluded leaf. */
static bool hash_at_once(const xmtp_tree *tree, uint32_t node, const xmtp_parent_node *excluding,
                         uint8_t *out)
{
    if (!excludes_below(excluding, node)) {
        memcpy(out, xmtp_tree_node(tree, node)->hash, tree->suite->hash->len);
        return true;
    }
    if (xmtp_node_is_leaf(node)) {
        leaf_hash(tree, xmtp_node_to_leaf(node), (xmtp_bytes){0}, out);
        return true;
    }
    return false;
}

/* Depth first; got is the hash of the subtree finished last. */
static xmtp_status hash_without(const xmtp_tree *tree, uint32_t top,
                                const xmtp_parent_node *excluding, uint8_t *out)
{
    frame stack[XMTP_MLS_TREE_DEPTH_MAX + 1];
    uint32_t depth = 0;
    uint8_t got[XMTP_HASH_MAX];
    uint32_t node = top;
    for (;;) {
        while (!hash_at_once(tree, node, excluding, got)) {
            assert(depth <= XMTP_MLS_TREE_DEPTH_MAX);
            stack[depth++] = (frame){.node = node};
            node = xmtp_node_left(node);
        }
        while (depth > 0 && stack[depth - 1].children_done == 1) {
            const frame *f = &stack[--depth];
            hasher h = hasher_of(tree);
            feed_u8(&h, NODE_TYPE_PARENT);
            XMTP_TRY(feed_parent_without(&h, tree, f->node, excluding));
            finish_parent(&h, tree, f->left, got, got);
        }
        if (depth == 0) {
            memcpy(out, got, tree->suite->hash->len);
            return XMTP_OK;
        }
        memcpy(stack[depth - 1].left, got, sizeof got);
        stack[depth - 1].children_done = 1;
        node = xmtp_node_right(stack[depth - 1].node);
    }
}

/* ---- parent hash ---- */

xmtp_status xmtp_tree_parent_hash_of(xmtp_tree *tree, const xmtp_parent_node *parent,
                                     uint32_t sibling, uint8_t *out)
{
    uint8_t original_sibling_tree_hash[XMTP_HASH_MAX];
    XMTP_TRY(hash_subtree(tree, sibling));
    XMTP_TRY(hash_without(tree, sibling, parent, original_sibling_tree_hash));
    hasher h = hasher_of(tree);
    feed_vec(&h, parent->encryption_key);
    feed_vec(&h, parent->parent_hash);
    feed_vec(&h, hash_bytes(tree, original_sibling_tree_hash));
    h.hash->final(&h.c, out);
    return XMTP_OK;
}

xmtp_status xmtp_tree_parent_hash(xmtp_tree *tree, uint32_t parent, uint32_t sibling, uint8_t *out)
{
    xmtp_parent_node node;
    XMTP_TRY(xmtp_tree_parent(tree, parent, &node));
    XMTP_ENSURE(sibling == xmtp_node_left(parent) || sibling == xmtp_node_right(parent),
                XMTP_E_ARGUMENT);
    return xmtp_tree_parent_hash_of(tree, &node, sibling, out);
}
