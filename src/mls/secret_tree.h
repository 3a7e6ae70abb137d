/* secret_tree.h - the keys of messages: secret tree and ratchets of one epoch. RFC 9420 section 9.
 *
 * Using a key is split in two, so that a message can be tried without changing anything:
 *
 *     xmtp_secret_tree_key(tree, leaf, kind, generation, ..., &key, &change);    tree as before
 *     ... open the message with key, check it ...
 *     xmtp_secret_tree_apply(tree, &change);      the key is gone for ever
 *     or xmtp_secret_tree_change_free(&change);   nothing has happened
 *
 * A change is made against one state of the tree and may be applied to that state only.
 */
#ifndef XMTP_MLS_SECRET_TREE_H
#define XMTP_MLS_SECRET_TREE_H

#include "base/writer.h"
#include "crypto/crypto.h"
#include "mls/limits.h"

typedef enum xmtp_ratchet_kind {
    XMTP_RATCHET_HANDSHAKE = 0,
    XMTP_RATCHET_APPLICATION = 1,
} xmtp_ratchet_kind;

enum {
    /* Ceilings for what a configuration may ask: skipped keys are kept per sender, and a forged
     * message costs forward_distance derivations before its tag is found wrong. */
    XMTP_MLS_TOLERANCE_MAX = 1000,
    XMTP_MLS_FORWARD_MAX = 1000000,
    XMTP_MLS_TOLERANCE_DEFAULT = 5,
    XMTP_MLS_FORWARD_DEFAULT = 1000,
};

typedef struct xmtp_ratchet_limits {
    uint32_t tolerance; /* the key of generation g is kept while next - g <= tolerance */
    uint32_t forward;   /* the key of generation g is given while g - next <= forward */
} xmtp_ratchet_limits;

typedef struct xmtp_message_key {
    uint32_t generation;
    uint8_t key[XMTP_AEAD_KEY_MAX];
    uint8_t nonce[XMTP_AEAD_NONCE_MAX];
} xmtp_message_key;

/* One sender's chain of keys of one kind. */
typedef struct xmtp_ratchet {
    uint32_t leaf_index;
    uint8_t kind;        /* xmtp_ratchet_kind */
    uint32_t generation; /* of the next key, which secret gives */
    xmtp_secret secret;
    uint32_t skipped_count;
    xmtp_message_key *skipped; /* keys passed over, rising generations; may be NULL */
} xmtp_ratchet;

typedef struct xmtp_secret_node {
    uint32_t node;
    xmtp_secret secret;
} xmtp_secret_node;

typedef struct xmtp_secret_tree {
    const xmtp_suite *suite;
    const xmtp_alloc *alloc;
    uint32_t leaf_count;
    xmtp_secret_node *nodes; /* rising node indices; no node is above another */
    uint32_t node_count;
    uint32_t node_capacity;
    xmtp_ratchet *ratchets; /* rising (leaf_index, kind) */
    uint32_t ratchet_count;
    uint32_t ratchet_capacity;
} xmtp_secret_tree;

/* What using one key changes: a zeroed one is empty. */
typedef struct xmtp_secret_tree_change {
    const xmtp_alloc *alloc;
    uint32_t ratchet_count; /* 1, or 2 when the sender was heard for the first time */
    xmtp_ratchet ratchets[2];
    bool has_split; /* the nodes below replace split_node */
    uint32_t split_node;
    uint32_t node_count;
    xmtp_secret_node nodes[XMTP_MLS_TREE_DEPTH_MAX];
} xmtp_secret_tree_change;

/* A tree with only its root, which takes encryption_secret over (wiped there). leaf_count: a power
 * of two. */
xmtp_status xmtp_secret_tree_init(xmtp_secret_tree *tree, const xmtp_suite *suite,
                                  const xmtp_alloc *alloc, uint32_t leaf_count,
                                  xmtp_secret *encryption_secret) XMTP_MUST_CHECK;

/* Wipes and frees. A zeroed tree is fine. */
void xmtp_secret_tree_free(xmtp_secret_tree *tree);

/* The key of one generation.
 *
 * XMTP_E_SENDER        no such leaf
 * XMTP_E_GENERATION    further ahead than limits->forward, or the last generation there is
 * XMTP_E_KEY_CONSUMED  used before, or further behind than limits->tolerance
 */
xmtp_status xmtp_secret_tree_key(const xmtp_secret_tree *tree, uint32_t leaf_index,
                                 xmtp_ratchet_kind kind, uint32_t generation,
                                 const xmtp_ratchet_limits *limits, xmtp_message_key *out,
                                 xmtp_secret_tree_change *change) XMTP_MUST_CHECK;

/* The key that the member at leaf_index uses next. */
xmtp_status xmtp_secret_tree_next_key(const xmtp_secret_tree *tree, uint32_t leaf_index,
                                      xmtp_ratchet_kind kind, xmtp_message_key *out,
                                      xmtp_secret_tree_change *change) XMTP_MUST_CHECK;

/* Makes both ratchets of a leaf, so that its secrets leave the tree. */
xmtp_status xmtp_secret_tree_touch(const xmtp_secret_tree *tree, uint32_t leaf_index,
                                   xmtp_secret_tree_change *change) XMTP_MUST_CHECK;

/* The secret of a leaf itself, for trees that hold no ratchets; afterwards it is gone, and all it was
 * derived from. XMTP_E_KEY_CONSUMED: taken before. */
xmtp_status xmtp_secret_tree_take_leaf(xmtp_secret_tree *tree, uint32_t leaf_index,
                                       xmtp_secret *out) XMTP_MUST_CHECK;

/* Moves a change into the tree and empties it. XMTP_E_NOMEM: both are as before. */
xmtp_status xmtp_secret_tree_apply(xmtp_secret_tree *tree,
                                   xmtp_secret_tree_change *change) XMTP_MUST_CHECK;
void xmtp_secret_tree_change_free(xmtp_secret_tree_change *change);

/* Forgets the ratchets of a leaf: our own, when the epoch has passed. */
void xmtp_secret_tree_drop(xmtp_secret_tree *tree, uint32_t leaf_index);

/* NULL when this sender was not heard. */
const xmtp_ratchet *xmtp_secret_tree_ratchet(const xmtp_secret_tree *tree, uint32_t leaf_index,
                                             xmtp_ratchet_kind kind);

/* Records for a store: the nodes of the tree in one, each ratchet in its own. Loading: the node
 * record first, then ratchets in any order. XMTP_E_CORRUPT. */
void xmtp_secret_tree_encode(const xmtp_secret_tree *tree, xmtp_writer *w);
xmtp_status xmtp_secret_tree_decode(xmtp_secret_tree *tree, const xmtp_suite *suite,
                                    const xmtp_alloc *alloc, xmtp_bytes record) XMTP_MUST_CHECK;
void xmtp_ratchet_encode(const xmtp_ratchet *ratchet, const xmtp_suite *suite, xmtp_writer *w);
xmtp_status xmtp_secret_tree_load_ratchet(xmtp_secret_tree *tree, uint32_t leaf_index,
                                          xmtp_ratchet_kind kind,
                                          xmtp_bytes record) XMTP_MUST_CHECK;

#endif
