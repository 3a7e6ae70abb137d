/* tree.c - the nodes of the ratchet tree (RFC 9420 section 7): base and overlay.
 *
 * Nodes are numbered from left to right (appendix C): leaf i is node 2i, parents lie between.
 *
 *             3                  base:     nodes[0 .. 2^k - 2], blanks included
 *        1         5             overlay:  changes[], found by node index through change_slots;
 *      0   2     4   6                     what is not there is read from the base
 *
 * A node is its encoding (raw) and the cached tree hash of its subtree. Raw bytes belong to the
 * node (owns_raw), to the slab that a whole tree was read into, or, in an overlay, to the base.
 *
 * Invariants: a node without a hash has no ancestor with one. leaf_count is a power of two. The key
 * indices list every node of a base, and every node whose bytes an overlay has replaced. No blank
 * leaf lies left of first_blank; member_count is the number of leaves that are not blank.
 *
 * Changing a node costs O(log n): its ancestors lose their hashes.
 */
#include "mls/tree.h"
#include "base/bytes.h"
#include "base/status.h"
#include "mls/tree_store.h"

#include <assert.h>

static const xmtp_node BLANK = {.kind = XMTP_NODE_BLANK};

/* ---- ParentNode, section 7.1 ---- */

static xmtp_status check_rising(xmtp_bytes list)
{
    XMTP_ENSURE(list.n % 4 == 0, XMTP_E_TREE);
    for (size_t i = 4; i < list.n; i += 4) { /* big-endian, so memcmp is the order of numbers */
        XMTP_ENSURE(memcmp(list.p + i - 4, list.p + i, 4) < 0, XMTP_E_TREE);
    }
    return XMTP_OK;
}

static xmtp_status parent_read(xmtp_reader *r, xmtp_parent_node *out)
{
    XMTP_TRY(xmtp_reader_vec(r, &out->encryption_key));
    XMTP_TRY(xmtp_reader_vec(r, &out->parent_hash));
    return xmtp_reader_vec(r, &out->unmerged_leaves);
}

xmtp_status xmtp_parent_node_decode(xmtp_reader *r, xmtp_parent_node *out)
{
    XMTP_TRY(parent_read(r, out));
    return check_rising(out->unmerged_leaves);
}

void xmtp_parent_node_encode(xmtp_writer *w, const xmtp_parent_node *parent)
{
    xmtp_writer_vec(w, parent->encryption_key);
    xmtp_writer_vec(w, parent->parent_hash);
    xmtp_writer_vec(w, parent->unmerged_leaves);
}

uint32_t xmtp_unmerged_at(const xmtp_parent_node *parent, size_t i)
{
    assert(i < xmtp_unmerged_count(parent));
    const uint8_t *p = parent->unmerged_leaves.p + 4 * i;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

size_t xmtp_unmerged_from(const xmtp_parent_node *parent, uint32_t leaf_index)
{
    size_t low = 0;
    size_t high = xmtp_unmerged_count(parent);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (xmtp_unmerged_at(parent, middle) < leaf_index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool xmtp_unmerged_has(const xmtp_parent_node *parent, uint32_t leaf_index)
{
    size_t i = xmtp_unmerged_from(parent, leaf_index);
    return i < xmtp_unmerged_count(parent) && xmtp_unmerged_at(parent, i) == leaf_index;
}

/* ---- memory ---- */

static void *take(const xmtp_tree *tree, void *p, size_t n)
{
    return tree->alloc->reallocate(tree->alloc->context, p, n);
}

static void give_back(const xmtp_tree *tree, void *p)
{
    if (p != NULL) {
        (void)tree->alloc->reallocate(tree->alloc->context, p, 0);
    }
}

static void node_drop_raw(const xmtp_tree *tree, xmtp_node *node)
{
    if (node->owns_raw) {
        give_back(tree, node->raw);
    }
    node->raw = NULL;
    node->raw_len = 0;
    node->owns_raw = false;
    node->kind = XMTP_NODE_BLANK;
}

void xmtp_tree_init(xmtp_tree *tree, const xmtp_suite *suite, const xmtp_alloc *alloc)
{
    *tree = (xmtp_tree){.suite = suite, .alloc = alloc};
    xmtp_writer_init(&tree->scratch, alloc, XMTP_WRITER_MAX);
}

void xmtp_tree_free(xmtp_tree *tree)
{
    if (tree->alloc == NULL) {
        return;
    }
    for (uint32_t i = 0; tree->base == NULL && i < xmtp_node_count(tree->leaf_count); i++) {
        node_drop_raw(tree, &tree->nodes[i]);
    }
    for (uint32_t i = 0; i < tree->change_count; i++) {
        node_drop_raw(tree, &tree->changes[i].node);
    }
    give_back(tree, tree->nodes);
    give_back(tree, tree->slab);
    give_back(tree, tree->changes);
    give_back(tree, tree->change_slots);
    xmtp_key_index_free(&tree->encryption_keys, tree->alloc);
    xmtp_key_index_free(&tree->signature_keys, tree->alloc);
    xmtp_writer_free(&tree->scratch);
    *tree = (xmtp_tree){0};
}

void xmtp_tree_overlay(xmtp_tree *overlay, const xmtp_tree *base)
{
    assert(base->base == NULL);
    xmtp_tree_init(overlay, base->suite, base->alloc);
    overlay->base = base;
    overlay->leaf_count = base->leaf_count;
    overlay->member_count = base->member_count;
    overlay->first_blank = base->first_blank;
    overlay->uniform_credential = base->uniform_credential;
    overlay->base_visible = xmtp_node_count(base->leaf_count);
}

/* ---- the changes of an overlay ---- */

static uint32_t change_slot_of(const xmtp_tree *tree, uint32_t index)
{
    return (index * 0x9e3779b1u) & (tree->change_slot_count - 1);
}

static xmtp_tree_change *find_change(const xmtp_tree *tree, uint32_t index)
{
    if (tree->change_count == 0) {
        return NULL;
    }
    for (uint32_t i = change_slot_of(tree, index);; i = (i + 1) & (tree->change_slot_count - 1)) {
        uint32_t position = tree->change_slots[i];
        if (position == 0) {
            return NULL;
        }
        if (tree->changes[position - 1].index == index) {
            return &tree->changes[position - 1];
        }
    }
}

static void enter_slot(xmtp_tree *tree, uint32_t position)
{
    uint32_t i = change_slot_of(tree, tree->changes[position].index);
    while (tree->change_slots[i] != 0) {
        i = (i + 1) & (tree->change_slot_count - 1);
    }
    tree->change_slots[i] = position + 1;
}

static xmtp_status grow_changes(xmtp_tree *tree)
{
    uint32_t capacity = tree->change_capacity == 0 ? 32 : tree->change_capacity * 2;
    void *changes = take(tree, tree->changes, capacity * sizeof *tree->changes);
    XMTP_ENSURE(changes != NULL, XMTP_E_NOMEM);
    tree->changes = changes;
    const uint32_t slot_count = capacity * 2;
    uint32_t *slots = take(tree, NULL, slot_count * sizeof *slots);
    XMTP_ENSURE(slots != NULL, XMTP_E_NOMEM);
    memset(slots, 0, slot_count * sizeof *slots);
    give_back(tree, tree->change_slots);
    tree->change_slots = slots;
    tree->change_slot_count = slot_count;
    tree->change_capacity = capacity;
    for (uint32_t i = 0; i < tree->change_count; i++) {
        enter_slot(tree, i);
    }
    return XMTP_OK;
}

static const xmtp_node *base_node(const xmtp_tree *overlay, uint32_t index)
{
    return index < overlay->base_visible ? &overlay->base->nodes[index] : &BLANK;
}

/* ---- reading ---- */

const xmtp_node *xmtp_tree_node(const xmtp_tree *tree, uint32_t index)
{
    assert(index < xmtp_node_count(tree->leaf_count));
    if (tree->base == NULL) {
        return &tree->nodes[index];
    }
    const xmtp_tree_change *change = find_change(tree, index);
    return change != NULL ? &change->node : base_node(tree, index);
}

static xmtp_bytes node_bytes(const xmtp_node *node)
{
    return xmtp_bytes_of(node->raw, node->raw_len);
}

xmtp_bytes xmtp_tree_leaf_raw(const xmtp_tree *tree, uint32_t leaf_index)
{
    if (leaf_index >= tree->leaf_count) {
        return (xmtp_bytes){0};
    }
    return node_bytes(xmtp_tree_node(tree, xmtp_leaf_to_node(leaf_index)));
}

xmtp_status xmtp_tree_leaf(const xmtp_tree *tree, uint32_t leaf_index, xmtp_leaf_node *out)
{
    xmtp_bytes raw = xmtp_tree_leaf_raw(tree, leaf_index);
    XMTP_ENSURE(raw.n > 0, XMTP_E_NOT_FOUND);
    return xmtp_leaf_node_of(raw, out);
}

xmtp_status xmtp_tree_parent(const xmtp_tree *tree, uint32_t index, xmtp_parent_node *out)
{
    XMTP_ENSURE(index < xmtp_node_count(tree->leaf_count), XMTP_E_NOT_FOUND);
    const xmtp_node *node = xmtp_tree_node(tree, index);
    XMTP_ENSURE(node->kind == XMTP_NODE_PARENT, XMTP_E_NOT_FOUND);
    xmtp_reader r = xmtp_reader_of(node_bytes(node));
    return parent_read(&r, out); /* the order was checked when the node was set */
}

/* Both leaves and parents begin with encryption_key; a leaf goes on with signature_key. */
static void node_keys(const xmtp_node *node, xmtp_bytes *encryption_key, xmtp_bytes *signature_key)
{
    *encryption_key = (xmtp_bytes){0};
    *signature_key = (xmtp_bytes){0};
    if (node->kind == XMTP_NODE_BLANK) {
        return;
    }
    xmtp_reader r = xmtp_reader_of(node_bytes(node));
    if (xmtp_reader_vec(&r, encryption_key) == XMTP_OK && node->kind == XMTP_NODE_LEAF) {
        (void)xmtp_reader_vec(&r, signature_key); /* decoded whole when the node was set */
    }
}

xmtp_bytes xmtp_tree_encryption_key(const xmtp_tree *tree, uint32_t index)
{
    xmtp_bytes encryption_key = {0};
    xmtp_bytes signature_key;
    if (index < xmtp_node_count(tree->leaf_count)) {
        node_keys(xmtp_tree_node(tree, index), &encryption_key, &signature_key);
    }
    return encryption_key;
}

xmtp_bytes xmtp_tree_signature_key(const xmtp_tree *tree, uint32_t leaf_index)
{
    xmtp_bytes encryption_key;
    xmtp_bytes signature_key = {0};
    if (leaf_index < tree->leaf_count) {
        node_keys(xmtp_tree_node(tree, xmtp_leaf_to_node(leaf_index)), &encryption_key,
                  &signature_key);
    }
    return signature_key;
}

bool xmtp_tree_next_member(const xmtp_tree *tree, uint32_t *leaf_index)
{
    for (uint32_t i = *leaf_index; i < tree->leaf_count; i++) {
        if (!xmtp_tree_is_blank(tree, xmtp_leaf_to_node(i))) {
            *leaf_index = i;
            return true;
        }
    }
    return false;
}

/* ---- finding keys ---- */

typedef xmtp_bytes key_of(const xmtp_tree *tree, uint32_t node);

static xmtp_bytes signature_key_of_node(const xmtp_tree *tree, uint32_t node)
{
    return xmtp_tree_signature_key(tree, xmtp_node_to_leaf(node));
}

/* An entry is a hint: the node may have been replaced or cut off since. */
static bool find_in(const xmtp_tree *tree, const xmtp_key_index *index, key_of *get, xmtp_bytes key,
                    uint32_t not_node, uint32_t *node)
{
    const uint32_t tag = xmtp_key_tag(key);
    uint32_t cursor = 0;
    uint32_t found;
    while (xmtp_key_index_next(index, tag, &cursor, &found)) {
        if (found != not_node && xmtp_bytes_equal(get(tree, found), key)) {
            *node = found;
            return true;
        }
    }
    return false;
}

bool xmtp_tree_find_other(const xmtp_tree *tree, bool is_signature_key, xmtp_bytes key,
                          uint32_t not_node, uint32_t *node)
{
    if (key.n == 0) {
        return false;
    }
    if (is_signature_key) {
        return find_in(tree, &tree->signature_keys, signature_key_of_node, key, not_node, node) ||
               (tree->base != NULL && find_in(tree, &tree->base->signature_keys,
                                              signature_key_of_node, key, not_node, node));
    }
    return find_in(tree, &tree->encryption_keys, xmtp_tree_encryption_key, key, not_node, node) ||
           (tree->base != NULL && find_in(tree, &tree->base->encryption_keys,
                                          xmtp_tree_encryption_key, key, not_node, node));
}

bool xmtp_tree_find_signature_key(const xmtp_tree *tree, xmtp_bytes key, uint32_t *leaf_index)
{
    uint32_t node;
    if (!xmtp_tree_find_other(tree, true, key, UINT32_MAX, &node)) {
        return false;
    }
    *leaf_index = xmtp_node_to_leaf(node);
    return true;
}

bool xmtp_tree_find_encryption_key(const xmtp_tree *tree, xmtp_bytes key, uint32_t *node)
{
    return xmtp_tree_find_other(tree, false, key, UINT32_MAX, node);
}

/* ---- the key indices ---- */

static void index_remove(xmtp_tree *tree, uint32_t index, const xmtp_node *node)
{
    xmtp_bytes encryption_key;
    xmtp_bytes signature_key;
    node_keys(node, &encryption_key, &signature_key);
    if (encryption_key.n > 0) {
        xmtp_key_index_remove(&tree->encryption_keys, xmtp_key_tag(encryption_key), index);
    }
    if (signature_key.n > 0) {
        xmtp_key_index_remove(&tree->signature_keys, xmtp_key_tag(signature_key), index);
    }
}

static xmtp_status index_reserve(xmtp_tree *tree, uint32_t count)
{
    XMTP_TRY(xmtp_key_index_reserve(&tree->encryption_keys, tree->alloc, count));
    return xmtp_key_index_reserve(&tree->signature_keys, tree->alloc, count);
}

static void index_insert(xmtp_tree *tree, uint32_t index, const xmtp_node *node)
{
    xmtp_bytes encryption_key;
    xmtp_bytes signature_key;
    node_keys(node, &encryption_key, &signature_key);
    if (encryption_key.n > 0) {
        xmtp_key_index_insert(&tree->encryption_keys, xmtp_key_tag(encryption_key), index);
    }
    if (signature_key.n > 0) {
        xmtp_key_index_insert(&tree->signature_keys, xmtp_key_tag(signature_key), index);
    }
}

/* ---- changing ---- */

xmtp_status xmtp_tree_writable(xmtp_tree *tree, uint32_t index, xmtp_node **out)
{
    assert(index < xmtp_node_count(tree->leaf_count));
    if (tree->base == NULL) {
        *out = &tree->nodes[index];
        return XMTP_OK;
    }
    xmtp_tree_change *change = find_change(tree, index);
    if (change == NULL) {
        if (tree->change_count == tree->change_capacity) {
            XMTP_TRY(grow_changes(tree));
        }
        change = &tree->changes[tree->change_count];
        *change = (xmtp_tree_change){.index = index, .node = *base_node(tree, index)};
        change->node.owns_raw = false; /* the base keeps it */
        enter_slot(tree, tree->change_count);
        tree->change_count++;
    }
    *out = &change->node;
    return XMTP_OK;
}

/* Ancestors lose their hashes. Stops at the first without one: those above have none either. */
static xmtp_status touch_above(xmtp_tree *tree, uint32_t index)
{
    const uint32_t root = xmtp_tree_root(tree->leaf_count);
    while (index != root) {
        index = xmtp_node_parent(index);
        if (!xmtp_tree_node(tree, index)->has_hash) {
            return XMTP_OK;
        }
        xmtp_node *node;
        XMTP_TRY(xmtp_tree_writable(tree, index, &node));
        node->has_hash = false;
    }
    return XMTP_OK;
}

static void count_member(xmtp_tree *tree, uint32_t index, uint8_t old_kind, uint8_t new_kind)
{
    if (!xmtp_node_is_leaf(index)) {
        return;
    }
    const uint32_t leaf_index = xmtp_node_to_leaf(index);
    tree->member_count -= old_kind != XMTP_NODE_BLANK;
    tree->member_count += new_kind != XMTP_NODE_BLANK;
    if (new_kind == XMTP_NODE_BLANK && leaf_index < tree->first_blank) {
        tree->first_blank = leaf_index;
    }
}

/* Most groups use one type of credential. As long as that holds nobody has to be asked whether he
 * supports what the others use (xmtp_tree_check_credentials). */
static void note_credential(xmtp_tree *tree, xmtp_bytes raw)
{
    xmtp_leaf_node leaf;
    if (xmtp_leaf_node_of(raw, &leaf) != XMTP_OK ||
        !xmtp_capabilities_has_credential(&leaf.capabilities, leaf.credential.type)) {
        tree->uniform_credential = 0;
    } else if (tree->member_count == 0) {
        tree->uniform_credential = leaf.credential.type;
    } else if (tree->uniform_credential != leaf.credential.type) {
        tree->uniform_credential = 0;
    }
}

/* raw becomes the node's own, whatever happens. */
static xmtp_status place(xmtp_tree *tree, uint32_t index, xmtp_node_kind kind, uint8_t *raw,
                         uint32_t raw_len, bool owns_raw)
{
    xmtp_node next = {.raw = raw, .raw_len = raw_len, .kind = (uint8_t)kind, .owns_raw = owns_raw};
    xmtp_node *node = NULL;
    xmtp_status status = index_reserve(tree, 1);
    if (status == XMTP_OK) {
        status = touch_above(tree, index);
    }
    if (status == XMTP_OK) {
        status = xmtp_tree_writable(tree, index, &node);
    }
    if (status != XMTP_OK) {
        node_drop_raw(tree, &next);
        return status;
    }
    if (kind == XMTP_NODE_LEAF) {
        note_credential(tree, node_bytes(&next));
    }
    count_member(tree, index, node->kind, next.kind);
    index_remove(tree, index, node);
    node_drop_raw(tree, node);
    *node = next;
    index_insert(tree, index, node);
    return XMTP_OK;
}

xmtp_status xmtp_tree_place_slab(xmtp_tree *tree, uint32_t index, xmtp_node_kind kind,
                                 xmtp_bytes raw)
{
    assert(tree->base == NULL && raw.n <= UINT32_MAX);
    return place(tree, index, kind, (uint8_t *)(uintptr_t)raw.p, (uint32_t)raw.n, false);
}

xmtp_status xmtp_tree_set_node(xmtp_tree *tree, uint32_t index, xmtp_node_kind kind, xmtp_bytes raw)
{
    XMTP_ENSURE(index < xmtp_node_count(tree->leaf_count), XMTP_E_ARGUMENT);
    if (kind == XMTP_NODE_BLANK) {
        return xmtp_tree_is_blank(tree, index) ? XMTP_OK : place(tree, index, kind, NULL, 0, false);
    }
    XMTP_ENSURE((kind == XMTP_NODE_LEAF) == xmtp_node_is_leaf(index), XMTP_E_TREE);
    XMTP_ENSURE(raw.n > 0 && raw.n <= UINT32_MAX, XMTP_E_ARGUMENT);
    uint8_t *copy = take(tree, NULL, raw.n);
    XMTP_ENSURE(copy != NULL, XMTP_E_NOMEM);
    memcpy(copy, raw.p, raw.n);
    return place(tree, index, kind, copy, (uint32_t)raw.n, true);
}

/* ---- size ---- */

static xmtp_status reserve_nodes(xmtp_tree *tree, uint32_t count)
{
    if (count <= tree->node_capacity) {
        return XMTP_OK;
    }
    xmtp_node *nodes = take(tree, tree->nodes, count * sizeof *nodes);
    XMTP_ENSURE(nodes != NULL, XMTP_E_NOMEM);
    memset(nodes + tree->node_capacity, 0, (count - tree->node_capacity) * sizeof *nodes);
    tree->nodes = nodes;
    tree->node_capacity = count;
    return XMTP_OK;
}

xmtp_status xmtp_tree_grow(xmtp_tree *tree, uint32_t leaf_count)
{
    assert(leaf_count >= tree->leaf_count && (leaf_count & (leaf_count - 1)) == 0);
    XMTP_ENSURE(leaf_count <= XMTP_MLS_LEAVES_MAX, XMTP_E_LIMIT);
    if (tree->base == NULL) {
        XMTP_TRY(reserve_nodes(tree, xmtp_node_count(leaf_count)));
    }
    tree->leaf_count = leaf_count; /* new nodes are blank and have no hash */
    return XMTP_OK;
}

static void clear_node(xmtp_tree *tree, uint32_t index, xmtp_node *node)
{
    index_remove(tree, index, node);
    node_drop_raw(tree, node);
    node->has_hash = false;
}

void xmtp_tree_shrink(xmtp_tree *tree, uint32_t leaf_count)
{
    const uint32_t kept = xmtp_node_count(leaf_count);
    for (uint32_t i = kept; tree->base == NULL && i < xmtp_node_count(tree->leaf_count); i++) {
        clear_node(tree, i, &tree->nodes[i]);
    }
    for (uint32_t i = 0; i < tree->change_count; i++) {
        if (tree->changes[i].index >= kept) {
            clear_node(tree, tree->changes[i].index, &tree->changes[i].node);
        }
    }
    if (tree->base_visible > kept) {
        tree->base_visible = kept;
    }
    tree->leaf_count = leaf_count;
}

/* ---- merging ---- */

static void merge_change(xmtp_tree *base, xmtp_tree_change *change)
{
    xmtp_node *node = &base->nodes[change->index];
    if (change->node.raw != node->raw) {
        index_remove(base, change->index, node);
        node_drop_raw(base, node);
        *node = change->node;
        index_insert(base, change->index, node);
    } else { /* the same bytes: only the hash is new */
        node->has_hash = change->node.has_hash;
        node->is_empty = change->node.is_empty;
        memcpy(node->hash, change->node.hash, sizeof node->hash);
    }
    change->node.owns_raw = false;
}

xmtp_status xmtp_tree_merge(xmtp_tree *base, xmtp_tree *overlay)
{
    assert(overlay->base == base);
    const uint32_t new_count = xmtp_node_count(overlay->leaf_count);
    XMTP_TRY(reserve_nodes(base, new_count));
    XMTP_TRY(index_reserve(base, overlay->change_count));
    for (uint32_t i = overlay->base_visible; i < xmtp_node_count(base->leaf_count); i++) {
        clear_node(base, i, &base->nodes[i]);
    }
    for (uint32_t i = 0; i < overlay->change_count; i++) {
        if (overlay->changes[i].index < new_count) {
            merge_change(base, &overlay->changes[i]);
        }
    }
    base->leaf_count = overlay->leaf_count;
    base->member_count = overlay->member_count;
    base->first_blank = overlay->first_blank;
    base->uniform_credential = overlay->uniform_credential;
    xmtp_tree_free(overlay);
    return XMTP_OK;
}
