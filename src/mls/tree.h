/* tree.h - the ratchet tree of RFC 9420 section 7: its public part.
 *
 * A tree is either a base, which owns a flat array of nodes, or an overlay on a base that is left
 * untouched: reads look into the overlay first, writes go there. A commit is tried on an overlay
 * and then merged or dropped. Every function takes both kinds.
 *
 *     xmtp_tree next;
 *     xmtp_tree_overlay(&next, &group_tree);
 *     ... xmtp_tree_remove_leaf(&next, 3) ... xmtp_tree_apply_path(&next, ...) ...
 *     xmtp_tree_merge(&group_tree, &next);      or      xmtp_tree_free(&next);
 *
 * A base must not change while it has an overlay. A tree belongs to one thread.
 *
 * Views that come out of a tree (raw bytes, keys, decoded leaves) are valid until the tree changes;
 * views that come out of an overlay may point into its base, and stay valid across
 * the merge of that overlay unless their node was replaced.
 */
#ifndef XMTP_MLS_TREE_H
#define XMTP_MLS_TREE_H

#include "base/arena.h"
#include "mls/commit.h"
#include "mls/key_index.h"
#include "mls/tree_math.h"

typedef enum xmtp_node_kind {
    XMTP_NODE_BLANK = 0,
    XMTP_NODE_LEAF = 1,
    XMTP_NODE_PARENT = 2,
} xmtp_node_kind;

/* One node. raw is the encoded LeafNode or ParentNode (section 7.1). */
typedef struct xmtp_node {
    uint8_t *raw;
    uint32_t raw_len;
    uint8_t kind; /* xmtp_node_kind */
    bool owns_raw : 1;
    bool has_hash : 1;
    bool is_empty : 1;           /* when has_hash: no node of the subtree is set */
    bool has_stored_hash : 1;    /* while a tree is loaded from a store */
    uint8_t hash[XMTP_HASH_MAX]; /* tree hash of the subtree, when has_hash */
} xmtp_node;

/* ParentNode, section 7.1. unmerged_leaves: leaf indices of 4 bytes each, strictly rising. */
typedef struct xmtp_parent_node {
    xmtp_bytes encryption_key;
    xmtp_bytes parent_hash;
    xmtp_bytes unmerged_leaves;
} xmtp_parent_node;

/* XMTP_E_TREE when unmerged leaves are not strictly rising or not whole. */
xmtp_status xmtp_parent_node_decode(xmtp_reader *r, xmtp_parent_node *out) XMTP_MUST_CHECK;
void xmtp_parent_node_encode(xmtp_writer *w, const xmtp_parent_node *parent);
static inline size_t xmtp_unmerged_count(const xmtp_parent_node *parent)
{
    return parent->unmerged_leaves.n / 4;
}
uint32_t xmtp_unmerged_at(const xmtp_parent_node *parent, size_t i);
bool xmtp_unmerged_has(const xmtp_parent_node *parent, uint32_t leaf_index);

/* One changed node of an overlay. */
typedef struct xmtp_tree_change {
    uint32_t index;
    xmtp_node node;
} xmtp_tree_change;

typedef struct xmtp_tree {
    const xmtp_suite *suite;
    const xmtp_alloc *alloc;
    const struct xmtp_tree *base; /* NULL: this is a base */
    uint32_t leaf_count;          /* power of two, or 0 for a tree without nodes */
    uint32_t member_count;        /* leaves that are not blank */
    uint32_t first_blank;         /* no blank leaf lies left of this one */
    bool suite_unlisted_ok;       /* see xmtp_leaf_node_rules */
    uint16_t uniform_credential;  /* type that all members have and support; 0: not known */

    /* base */
    xmtp_node *nodes; /* xmtp_node_count(leaf_count), room for node_capacity */
    uint32_t node_capacity;
    uint8_t *slab; /* one block that holds the raw bytes of many nodes; may be NULL */

    /* overlay */
    xmtp_tree_change *changes; /* in the order in which nodes were first changed */
    uint32_t change_count;
    uint32_t change_capacity;
    uint32_t *change_slots; /* hash table: node index -> position in changes + 1 */
    uint32_t change_slot_count;
    uint32_t base_visible; /* nodes of the base from here on were cut off */

    xmtp_key_index encryption_keys; /* of leaves and parents; of an overlay: of changed nodes */
    xmtp_key_index signature_keys;  /* of leaves */
    xmtp_writer scratch;
} xmtp_tree;

/* ---- making and freeing ---- */

/* An empty base tree. suite and alloc must outlive it. */
void xmtp_tree_init(xmtp_tree *tree, const xmtp_suite *suite, const xmtp_alloc *alloc);

/* Frees a base or drops an overlay. A zeroed tree is fine. */
void xmtp_tree_free(xmtp_tree *tree);

/* An overlay without changes. Allocates nothing. No overlay on an overlay (asserted). */
void xmtp_tree_overlay(xmtp_tree *overlay, const xmtp_tree *base);

/* Moves all changes of overlay into its base and frees overlay. On XMTP_E_NOMEM both are as before.
 */
xmtp_status xmtp_tree_merge(xmtp_tree *base, xmtp_tree *overlay) XMTP_MUST_CHECK;

/* ---- reading ---- */

/* The node at index below xmtp_node_count(leaf_count). Never NULL. */
const xmtp_node *xmtp_tree_node(const xmtp_tree *tree, uint32_t index);

static inline bool xmtp_tree_is_blank(const xmtp_tree *tree, uint32_t index)
{
    return xmtp_tree_node(tree, index)->kind == XMTP_NODE_BLANK;
}

/* The decoded leaf. XMTP_E_NOT_FOUND when it is blank or beyond the tree. */
xmtp_status xmtp_tree_leaf(const xmtp_tree *tree, uint32_t leaf_index,
                           xmtp_leaf_node *out) XMTP_MUST_CHECK;

/* Its encoding; empty for a blank leaf or one beyond the tree. */
xmtp_bytes xmtp_tree_leaf_raw(const xmtp_tree *tree, uint32_t leaf_index);

/* The decoded parent node. XMTP_E_NOT_FOUND when it is blank, a leaf, or beyond the tree. */
xmtp_status xmtp_tree_parent(const xmtp_tree *tree, uint32_t index,
                             xmtp_parent_node *out) XMTP_MUST_CHECK;

/* encryption_key of a leaf or parent; empty for a blank node. */
xmtp_bytes xmtp_tree_encryption_key(const xmtp_tree *tree, uint32_t index);

/* signature_key of a leaf; empty for a blank leaf or one beyond the tree. */
xmtp_bytes xmtp_tree_signature_key(const xmtp_tree *tree, uint32_t leaf_index);

/* The leaf with this signature key, or the first member at or after *leaf_index. false: none. */
bool xmtp_tree_find_signature_key(const xmtp_tree *tree, xmtp_bytes key, uint32_t *leaf_index);
bool xmtp_tree_next_member(const xmtp_tree *tree, uint32_t *leaf_index);

/* A node (leaf or parent) with this encryption key. */
bool xmtp_tree_find_encryption_key(const xmtp_tree *tree, xmtp_bytes key, uint32_t *node);

/* ---- changing ----
 *
 * On failure the tree may be changed in part: work on an overlay and drop it. */

/* Puts an encoded LeafNode on the leftmost blank leaf, doubling the tree where none is left, and
 * notes it as unmerged above (section 7.7, 12.1.1). XMTP_E_LIMIT beyond XMTP_MLS_MEMBERS_MAX. raw
 * is copied. */
xmtp_status xmtp_tree_add_leaf(xmtp_tree *tree, xmtp_bytes raw,
                               uint32_t *leaf_index) XMTP_MUST_CHECK;

/* Replaces a leaf and blanks its direct path (section 12.1.2). XMTP_E_NOT_FOUND: it is blank. */
xmtp_status xmtp_tree_update_leaf(xmtp_tree *tree, uint32_t leaf_index,
                                  xmtp_bytes raw) XMTP_MUST_CHECK;

/* Blanks a leaf and its direct path, then halves the tree while its right half is blank (section
 * 12.1.3, 7.7). XMTP_E_NOT_FOUND: it is blank. */
xmtp_status xmtp_tree_remove_leaf(xmtp_tree *tree, uint32_t leaf_index) XMTP_MUST_CHECK;

/* Low-level: sets one node (raw empty: blank) and clears cached hashes up to the root. raw is
 * copied. */
xmtp_status xmtp_tree_set_node(xmtp_tree *tree, uint32_t index, xmtp_node_kind kind,
                               xmtp_bytes raw) XMTP_MUST_CHECK;

/* ---- paths and resolutions ---- */

typedef struct xmtp_tree_step {
    uint32_t node;   /* on the direct path */
    uint32_t copath; /* its child that is not on the path */
} xmtp_tree_step;

typedef struct xmtp_tree_path {
    uint32_t count;
    xmtp_tree_step steps[XMTP_MLS_PATH_MAX]; /* from the leaf's parent to the root */
} xmtp_tree_path;

/* Direct path with copath of a leaf (section 4.1.1). */
void xmtp_tree_direct_path(const xmtp_tree *tree, uint32_t leaf_index, xmtp_tree_path *out);

/* The same without nodes whose copath child has an empty resolution (section 4.1.2). */
void xmtp_tree_filtered_path(const xmtp_tree *tree, uint32_t leaf_index, xmtp_tree_path *out);

/* Resolution of a node (section 4.1.1) as node indices in the arena. */
xmtp_status xmtp_tree_resolution(const xmtp_tree *tree, uint32_t node, xmtp_arena *arena,
                                 uint32_t **out, size_t *count) XMTP_MUST_CHECK;

/* ---- hashes ---- */

/* Tree hash (section 7.8) of the root; out receives hash->len bytes. Re-hashes what changed. */
xmtp_status xmtp_tree_hash(xmtp_tree *tree, uint8_t *out) XMTP_MUST_CHECK;

/* Tree hash of the subtree under node. */
xmtp_status xmtp_tree_node_hash(xmtp_tree *tree, uint32_t node, uint8_t *out) XMTP_MUST_CHECK;

/* Parent hash (section 7.9) that a child of parent on a path must carry, where sibling is the other
 * child's subtree. */
xmtp_status xmtp_tree_parent_hash(xmtp_tree *tree, uint32_t parent, uint32_t sibling,
                                  uint8_t *out) XMTP_MUST_CHECK;

/* Applies the public part of a filtered path (sections 7.5, 7.9): leaf_raw on the leaf unless
 * empty, the public keys on path->steps (unmerged leaves empty, parent hashes computed), the rest
 * of the direct path blank. leaf_parent_hash receives what the leaf must carry (may be NULL), with
 * its length, which is 0 when the filtered path is empty. */
xmtp_status xmtp_tree_set_path(xmtp_tree *tree, uint32_t leaf_index, const xmtp_tree_path *path,
                               const xmtp_bytes *public_keys, uint8_t *leaf_parent_hash,
                               size_t *leaf_parent_hash_len) XMTP_MUST_CHECK;

/* Applies a received UpdatePath of the member at leaf_index (section 12.4.2; for an external commit
 * add its leaf first). The caller verifies the leaf's signature.
 *
 * XMTP_E_UPDATE_PATH    not as many nodes as the filtered direct path has; the leaf's source is not
 *                       COMMIT; its encryption key was not changed
 * XMTP_E_KEY            a public key has the wrong length
 * XMTP_E_DUPLICATE_KEY  a key of the path is in the tree already, or twice in the path
 * XMTP_E_PARENT_HASH    the leaf's parent hash is not that of the path
 */
xmtp_status xmtp_tree_apply_path(xmtp_tree *tree, uint32_t leaf_index, const xmtp_update_path *path,
                                 xmtp_error *error) XMTP_MUST_CHECK;

/* ---- validation (tree_validate.c) ---- */

/* Every changed node of an overlay, or every node of a base, has an encryption key (and a leaf a
 * signature key) that no other node has. XMTP_E_DUPLICATE_KEY. */
xmtp_status xmtp_tree_check_keys(const xmtp_tree *tree, xmtp_error *error) XMTP_MUST_CHECK;

/* Every member supports the credential types of all members (section 7.3). XMTP_E_CREDENTIAL. */
xmtp_status xmtp_tree_check_credentials(const xmtp_tree *tree, xmtp_error *error) XMTP_MUST_CHECK;

/* Every member supports what these extensions of a group require: their types and the contents of
 * required_capabilities (section 12.1.7). XMTP_E_CAPABILITIES. O(members). */
xmtp_status xmtp_tree_check_extensions(const xmtp_tree *tree, const xmtp_extensions *extensions,
                                       xmtp_error *error) XMTP_MUST_CHECK;

/* Every non-blank parent is linked by parent hash to one below (section 7.9.2).
 * XMTP_E_PARENT_HASH. */
xmtp_status xmtp_tree_check_parent_hashes(xmtp_tree *tree, xmtp_error *error) XMTP_MUST_CHECK;

/* unmerged_leaves point to members below, and nodes between have them too (section 12.4.3.1).
 * XMTP_E_TREE. */
xmtp_status xmtp_tree_check_unmerged(const xmtp_tree *tree, xmtp_error *error) XMTP_MUST_CHECK;

/* One more signature by a member, verified in one go with those of the leaves: eight cost as much as two. */
typedef struct xmtp_signed_beside {
    uint32_t leaf;
    const char *label;
    xmtp_bytes content;
    xmtp_bytes signature;
    xmtp_status verdict; /* of xmtp_verify_with_label; XMTP_E_SENDER: the leaf holds no member */
} xmtp_signed_beside;

/* Everything that section 12.4.3.1 asks about a tree received with a Welcome, tree hash excepted
 * (compare xmtp_tree_hash with the GroupContext): all of the above, leaf rules of section 7.3 and
 * all leaf signatures. group_extensions may be NULL. Lifetimes are not looked at. */
xmtp_status xmtp_tree_validate(xmtp_tree *tree, xmtp_bytes group_id,
                               const xmtp_extensions *group_extensions,
                               xmtp_error *error) XMTP_MUST_CHECK;
/* The same, and beside->verdict when the tree is right. */
xmtp_status xmtp_tree_validate_with(xmtp_tree *tree, xmtp_bytes group_id,
                                    const xmtp_extensions *group_extensions,
                                    xmtp_signed_beside *beside, xmtp_error *error) XMTP_MUST_CHECK;

/* ---- outside forms (tree_codec.c) ---- */

/* Reads the data of a ratchet_tree extension (section 12.4.3.3) into an empty base tree, filling up
 * with blanks. XMTP_E_TREE: empty, last node blank, a leaf where a parent belongs or the reverse.
 * Bytes are copied. */
xmtp_status xmtp_tree_decode(xmtp_tree *tree, xmtp_bytes data) XMTP_MUST_CHECK;

/* Visits the leaves of such data without making a tree of it: index of the node, raw LeafNode.
 * Returns what a failed visit returned, or why the data cannot be read. */
xmtp_status xmtp_tree_leaves_each(xmtp_bytes data, void *context,
                                  xmtp_status (*visit)(void *context, uint32_t index,
                                                       xmtp_bytes raw)) XMTP_MUST_CHECK;

/* Writes the data of the extension: nodes up to the last non-blank one, in one vector. */
void xmtp_tree_encode(const xmtp_tree *tree, xmtp_writer *w);

/* One node as a record for a store: kind, raw bytes, cached hash. Load in any order: first
 * xmtp_tree_load_begin with the leaf count (which must be a power of two within limits), then every
 * node that is not blank, then xmtp_tree_load_end. Blank nodes that were changed are to be stored
 * as records too, or deleted; both load. XMTP_E_CORRUPT. */
void xmtp_tree_record_encode(const xmtp_node *node, const xmtp_suite *suite, xmtp_writer *w);
xmtp_status xmtp_tree_load_begin(xmtp_tree *tree, uint32_t leaf_count) XMTP_MUST_CHECK;
xmtp_status xmtp_tree_load_node(xmtp_tree *tree, uint32_t index, xmtp_bytes record) XMTP_MUST_CHECK;
xmtp_status xmtp_tree_load_end(xmtp_tree *tree) XMTP_MUST_CHECK;

#endif
