/* tree_codec.c - the tree outside of memory: the ratchet_tree extension of RFC 9420 section
 * 12.4.3.3, and one record per node for a store.
 *
 *     ratchet_tree = vector of optional<Node>, Node = 1 LeafNode | 2 ParentNode
 *     record       = kind, has_hash, [hash], raw bytes
 */
#include "base/bytes.h"
#include "base/status.h"
#include "mls/tree_store.h"

#include <assert.h>

/* ---- ratchet_tree ---- */

/* One optional<Node>. raw is empty for a blank one. */
static xmtp_status entry_decode(xmtp_reader *r, uint8_t *kind, xmtp_bytes *raw)
{
    uint8_t present;
    *kind = XMTP_NODE_BLANK;
    *raw = (xmtp_bytes){0};
    XMTP_TRY(xmtp_reader_u8(r, &present));
    XMTP_ENSURE(present <= 1, XMTP_E_MALFORMED);
    if (present == 0) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_reader_u8(r, kind));
    const xmtp_reader start = *r;
    if (*kind == XMTP_NODE_LEAF) {
        xmtp_leaf_node leaf;
        XMTP_TRY(xmtp_leaf_node_decode(r, &leaf));
    } else {
        XMTP_ENSURE(*kind == XMTP_NODE_PARENT, XMTP_E_TREE);
        xmtp_parent_node parent;
        XMTP_TRY(xmtp_parent_node_decode(r, &parent));
    }
    *raw = xmtp_reader_since(r, &start);
    return XMTP_OK;
}

static void entry_encode(const xmtp_node *node, xmtp_writer *w)
{
    if (node->kind == XMTP_NODE_BLANK) {
        xmtp_writer_u8(w, 0);
        return;
    }
    xmtp_writer_u8(w, 1);
    xmtp_writer_u8(w, node->kind);
    xmtp_writer_put(w, xmtp_bytes_of(node->raw, node->raw_len));
}

xmtp_status xmtp_tree_leaves_each(xmtp_bytes data, void *context,
                                  xmtp_status (*visit)(void *context, uint32_t index,
                                                       xmtp_bytes raw))
{
    xmtp_reader outer = xmtp_reader_of(data);
    xmtp_reader r;
    XMTP_TRY(xmtp_reader_vec_open(&outer, &r));
    XMTP_TRY(xmtp_reader_end(&outer));
    for (uint32_t index = 0; r.n > 0; index++) {
        uint8_t kind;
        xmtp_bytes raw;
        XMTP_ENSURE(index < xmtp_node_count(XMTP_MLS_LEAVES_MAX), XMTP_E_LIMIT);
        XMTP_TRY(entry_decode(&r, &kind, &raw));
        XMTP_ENSURE(kind == XMTP_NODE_BLANK || (kind == XMTP_NODE_LEAF) == xmtp_node_is_leaf(index),
                    XMTP_E_TREE);
        if (kind == XMTP_NODE_LEAF) {
            XMTP_TRY(visit(context, index, raw));
        }
    }
    return XMTP_OK;
}

/* A copy of all bytes, to which the nodes will point. */
static xmtp_status take_slab(xmtp_tree *tree, xmtp_bytes in, xmtp_bytes *out)
{
    tree->slab = tree->alloc->reallocate(tree->alloc->context, NULL, in.n);
    XMTP_ENSURE(tree->slab != NULL, XMTP_E_NOMEM);
    memcpy(tree->slab, in.p, in.n);
    *out = xmtp_bytes_of(tree->slab, in.n);
    return XMTP_OK;
}

static xmtp_status place_entry(xmtp_tree *tree, uint32_t index, uint8_t kind, xmtp_bytes raw)
{
    while (index >= xmtp_node_count(tree->leaf_count)) {
        XMTP_TRY(xmtp_tree_grow(tree, tree->leaf_count == 0 ? 1 : 2 * tree->leaf_count));
    }
    if (kind == XMTP_NODE_BLANK) {
        return XMTP_OK;
    }
    XMTP_ENSURE((kind == XMTP_NODE_LEAF) == xmtp_node_is_leaf(index), XMTP_E_TREE);
    XMTP_TRY(xmtp_tree_place_slab(tree, index, (xmtp_node_kind)kind, raw));
    XMTP_ENSURE(tree->member_count <= XMTP_MLS_MEMBERS_MAX, XMTP_E_LIMIT);
    return XMTP_OK;
}

static xmtp_status entries_decode(xmtp_tree *tree, xmtp_reader *r)
{
    uint8_t kind = XMTP_NODE_BLANK;
    xmtp_bytes raw;
    for (uint32_t index = 0; r->n > 0; index++) {
        XMTP_ENSURE(index < xmtp_node_count(XMTP_MLS_LEAVES_MAX), XMTP_E_LIMIT);
        XMTP_TRY(entry_decode(r, &kind, &raw));
        XMTP_TRY(place_entry(tree, index, kind, raw));
    }
    /* An empty tree has a last node as little as one that ends in a blank. */
    XMTP_ENSURE(kind != XMTP_NODE_BLANK, XMTP_E_TREE);
    return XMTP_OK;
}

xmtp_status xmtp_tree_decode(xmtp_tree *tree, xmtp_bytes data)
{
    assert(tree->base == NULL && tree->leaf_count == 0 && tree->slab == NULL);
    xmtp_reader outer = xmtp_reader_of(data);
    xmtp_bytes content;
    XMTP_TRY(xmtp_reader_vec(&outer, &content));
    XMTP_TRY(xmtp_reader_end(&outer));
    XMTP_ENSURE(content.n > 0, XMTP_E_TREE);
    XMTP_TRY(take_slab(tree, content, &content));
    xmtp_reader r = xmtp_reader_of(content);
    XMTP_TRY(entries_decode(tree, &r));
    (void)xmtp_tree_leftmost_blank(tree);
    uint8_t ignored[XMTP_HASH_MAX];
    return xmtp_tree_hash(tree, ignored);
}

void xmtp_tree_encode(const xmtp_tree *tree, xmtp_writer *w)
{
    uint32_t count = xmtp_node_count(tree->leaf_count);
    while (count > 0 && xmtp_tree_is_blank(tree, count - 1)) {
        count--;
    }
    size_t mark = xmtp_writer_vec_open(w);
    for (uint32_t i = 0; i < count; i++) {
        entry_encode(xmtp_tree_node(tree, i), w);
    }
    xmtp_writer_vec_close(w, mark);
}

/* ---- records ---- */

void xmtp_tree_record_encode(const xmtp_node *node, const xmtp_suite *suite, xmtp_writer *w)
{
    xmtp_writer_u8(w, node->kind);
    xmtp_writer_u8(w, node->has_hash ? 1 : 0);
    if (node->has_hash) {
        xmtp_writer_put(w, xmtp_bytes_of(node->hash, suite->hash->len));
    }
    xmtp_writer_put(w, xmtp_bytes_of(node->raw, node->raw_len));
}

xmtp_status xmtp_tree_load_begin(xmtp_tree *tree, uint32_t leaf_count)
{
    assert(tree->base == NULL && tree->leaf_count == 0);
    XMTP_ENSURE(leaf_count > 0 && leaf_count <= XMTP_MLS_LEAVES_MAX, XMTP_E_CORRUPT);
    XMTP_ENSURE((leaf_count & (leaf_count - 1)) == 0, XMTP_E_CORRUPT);
    return xmtp_tree_grow(tree, leaf_count);
}

/* The bytes were ours, but a store may be damaged: they must decode as what they say they are. */
static xmtp_status check_raw(uint32_t index, uint8_t kind, xmtp_bytes raw)
{
    if (kind == XMTP_NODE_BLANK) {
        return raw.n == 0 ? XMTP_OK : XMTP_E_CORRUPT;
    }
    XMTP_ENSURE((kind == XMTP_NODE_LEAF) == xmtp_node_is_leaf(index), XMTP_E_CORRUPT);
    if (kind == XMTP_NODE_LEAF) {
        xmtp_leaf_node leaf;
        return xmtp_leaf_node_of(raw, &leaf) == XMTP_OK ? XMTP_OK : XMTP_E_CORRUPT;
    }
    xmtp_parent_node parent;
    xmtp_reader r = xmtp_reader_of(raw);
    XMTP_ENSURE(kind == XMTP_NODE_PARENT, XMTP_E_CORRUPT);
    XMTP_ENSURE(xmtp_parent_node_decode(&r, &parent) == XMTP_OK && r.n == 0, XMTP_E_CORRUPT);
    return XMTP_OK;
}

xmtp_status xmtp_tree_load_node(xmtp_tree *tree, uint32_t index, xmtp_bytes record)
{
    XMTP_ENSURE(index < xmtp_node_count(tree->leaf_count), XMTP_E_CORRUPT);
    xmtp_reader r = xmtp_reader_of(record);
    uint8_t kind;
    uint8_t has_hash;
    xmtp_bytes hash = {0};
    XMTP_ENSURE(xmtp_reader_u8(&r, &kind) == XMTP_OK, XMTP_E_CORRUPT);
    XMTP_ENSURE(xmtp_reader_u8(&r, &has_hash) == XMTP_OK && has_hash <= 1, XMTP_E_CORRUPT);
    if (has_hash == 1) {
        XMTP_ENSURE(xmtp_reader_take(&r, tree->suite->hash->len, &hash) == XMTP_OK, XMTP_E_CORRUPT);
    }
    const xmtp_bytes raw = xmtp_bytes_of(r.p, r.n);
    XMTP_TRY(check_raw(index, kind, raw));
    XMTP_TRY(xmtp_tree_set_node(tree, index, (xmtp_node_kind)kind, raw));
    xmtp_copy(tree->nodes[index].hash, hash.p, hash.n);
    tree->nodes[index].has_stored_hash = has_hash == 1;
    return XMTP_OK;
}

/* Stored hashes become valid only now: each node that was set cleared those above it. */
xmtp_status xmtp_tree_load_end(xmtp_tree *tree)
{
    for (uint32_t i = 0; i < xmtp_node_count(tree->leaf_count); i++) {
        tree->nodes[i].has_hash = tree->nodes[i].has_stored_hash;
    }
    (void)xmtp_tree_leftmost_blank(tree);
    return xmtp_tree_hash_missing(tree);
}
