/* tree_math.h - the arithmetic of node indices, RFC 9420 appendix C.
 *
 *             3            Leaf i is node 2i. A parent at level k has k low one-bits.
 *        1         5       Trees are full: leaf_count is a power of two, node_count 2 * leaf_count
 * - 1. 0   2     4   6
 */
#ifndef XMTP_MLS_TREE_MATH_H
#define XMTP_MLS_TREE_MATH_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

static inline bool xmtp_node_is_leaf(uint32_t node)
{
    return (node & 1) == 0;
}

static inline uint32_t xmtp_leaf_to_node(uint32_t leaf_index)
{
    return leaf_index * 2;
}

static inline uint32_t xmtp_node_to_leaf(uint32_t node)
{
    assert(xmtp_node_is_leaf(node));
    return node / 2;
}

static inline uint32_t xmtp_node_count(uint32_t leaf_count)
{
    return leaf_count == 0 ? 0 : 2 * leaf_count - 1;
}

/* 0 for leaves. */
static inline uint32_t xmtp_node_level(uint32_t node)
{
    return (uint32_t)__builtin_ctz(~node);
}

/* leaf_count: a power of two. */
static inline uint32_t xmtp_tree_root(uint32_t leaf_count)
{
    assert(leaf_count != 0 && (leaf_count & (leaf_count - 1)) == 0);
    return leaf_count - 1;
}

/* Children of a parent node. */
static inline uint32_t xmtp_node_left(uint32_t node)
{
    assert(!xmtp_node_is_leaf(node));
    return node ^ (1u << (xmtp_node_level(node) - 1));
}

static inline uint32_t xmtp_node_right(uint32_t node)
{
    assert(!xmtp_node_is_leaf(node));
    return node ^ (3u << (xmtp_node_level(node) - 1));
}

/* Parent and sibling of a node that is not the root. */
static inline uint32_t xmtp_node_parent(uint32_t node)
{
    uint32_t level = xmtp_node_level(node);
    return (node | (1u << level)) & ~(2u << level);
}

static inline uint32_t xmtp_node_sibling(uint32_t node)
{
    return node ^ (2u << xmtp_node_level(node));
}

/* First and last node index below (and with) a node. */
static inline uint32_t xmtp_node_first(uint32_t node)
{
    return node - ((1u << xmtp_node_level(node)) - 1);
}

static inline uint32_t xmtp_node_last(uint32_t node)
{
    return node + ((1u << xmtp_node_level(node)) - 1);
}

/* True when below is ancestor itself or in the subtree under it. */
static inline bool xmtp_node_contains(uint32_t ancestor, uint32_t below)
{
    return below >= xmtp_node_first(ancestor) && below <= xmtp_node_last(ancestor);
}

/* The lowest node above (or equal to) both. */
static inline uint32_t xmtp_node_common_ancestor(uint32_t a, uint32_t b)
{
    while (!xmtp_node_contains(a, b)) {
        a = xmtp_node_parent(a);
    }
    return a;
}

#endif
