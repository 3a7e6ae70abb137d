/* treekem.h - the private part of the ratchet tree, RFC 9420 sections 7.4 to 7.6.
 *
 *   committer                                         receiver
 *   xmtp_treekem_begin    fresh keys on the path      xmtp_tree_apply_path  public part
 *      (provisional GroupContext is now known)           (provisional GroupContext is now known)
 *   xmtp_treekem_encrypt  UpdatePath for the wire     xmtp_treekem_decrypt  commit_secret
 *   xmtp_treekem_adopt    own private keys
 */
#ifndef XMTP_MLS_TREEKEM_H
#define XMTP_MLS_TREEKEM_H

#include "mls/label.h"
#include "mls/tree.h"

typedef struct xmtp_tree_key {
    uint32_t node;
    uint8_t sk[XMTP_KEM_SK_MAX];
} xmtp_tree_key;

/* The private keys of one member: keys[0] is its leaf's, then those of nodes on its direct path
 * that it knows, rising. A plain value: copy by assignment, wipe each copy. */
typedef struct xmtp_tree_private {
    uint32_t leaf_index;
    uint32_t count;
    xmtp_tree_key keys[XMTP_MLS_PATH_MAX + 1];
} xmtp_tree_private;

/* sk: kem->sk_len bytes, private key of the leaf. */
void xmtp_tree_private_init(xmtp_tree_private *private_keys, const xmtp_suite *suite,
                            uint32_t leaf_index, const uint8_t *sk);
void xmtp_tree_private_wipe(xmtp_tree_private *private_keys);

/* After own Update proposal was committed: the new leaf key. */
void xmtp_tree_private_set_leaf(xmtp_tree_private *private_keys, const xmtp_suite *suite,
                                const uint8_t *sk);

/* Drops keys of nodes that are blank in tree or no longer part of it (after proposals were
 * applied). */
void xmtp_tree_private_prune(xmtp_tree_private *private_keys, const xmtp_tree *tree);

/* The private key of a node, or NULL. */
const uint8_t *xmtp_tree_private_key(const xmtp_tree_private *private_keys, uint32_t node);

/* Every private key belongs to the public key in the tree. XMTP_E_KEY. For joins and tests. */
xmtp_status xmtp_tree_private_check(const xmtp_tree_private *private_keys,
                                    const xmtp_tree *tree) XMTP_MUST_CHECK;

void xmtp_tree_private_encode(const xmtp_tree_private *private_keys, const xmtp_suite *suite,
                              xmtp_writer *w);
/* XMTP_E_CORRUPT */
xmtp_status xmtp_tree_private_decode(xmtp_bytes in, const xmtp_suite *suite,
                                     xmtp_tree_private *out) XMTP_MUST_CHECK;

/* A path that its committer made: secrets and private keys of the filtered direct path. */
typedef struct xmtp_treekem_path {
    uint32_t sender; /* leaf index */
    xmtp_tree_path path;
    xmtp_secret path_secrets[XMTP_MLS_PATH_MAX]; /* of path.steps[i].node */
    uint8_t keys[XMTP_MLS_PATH_MAX][XMTP_KEM_SK_MAX];
    uint8_t leaf_key[XMTP_KEM_SK_MAX];
    xmtp_secret commit_secret;
} xmtp_treekem_path;

void xmtp_treekem_path_wipe(xmtp_treekem_path *path);

/* Makes fresh keys for the direct path of sender and puts the public part into tree (an overlay to
 * which the proposals were applied), with a new signed leaf of source COMMIT (section 7.5).
 *
 * leaf  the fields of the new leaf: credential, signature_key, capabilities, extensions; the others
 *       are set here. May be what xmtp_tree_leaf gave.
 */
xmtp_status xmtp_treekem_begin(xmtp_tree *tree, uint32_t sender, const xmtp_leaf_node *leaf,
                               const uint8_t *signature_sk, xmtp_bytes group_id,
                               const xmtp_env *env, xmtp_treekem_path *out) XMTP_MUST_CHECK;

/* Encrypts the path secrets to the copath resolutions and appends the UpdatePath to w.
 *
 * group_context  the encoded provisional GroupContext (new epoch, new tree hash, old confirmed
 *                transcript hash: section 12.4.1)
 * excluded       leaf indices added by this commit, which get their secret by Welcome
 */
xmtp_status xmtp_treekem_encrypt(const xmtp_tree *tree, const xmtp_treekem_path *path,
                                 xmtp_bytes group_context, const uint32_t *excluded,
                                 size_t excluded_count, const xmtp_env *env, xmtp_arena *arena,
                                 xmtp_writer *w) XMTP_MUST_CHECK;

/* The path secret that a member added by this commit gets in its Welcome: that of the lowest node
 * above both. NULL when the path has none (then commit_secret is not for it either). */
const xmtp_secret *xmtp_treekem_path_secret_for(const xmtp_treekem_path *path, uint32_t leaf_index);

/* Own private keys after the own commit was merged. */
void xmtp_treekem_adopt(const xmtp_treekem_path *path, const xmtp_suite *suite,
                        xmtp_tree_private *out);

/* For a pending commit in a store: everything adopt needs is in xmtp_tree_private, so persist the
 * result of xmtp_treekem_adopt and the epoch secrets instead of the path. */

/* Opens our path secret of a received path that xmtp_tree_apply_path has put into tree, derives the
 * keys above and updates private_keys.
 *
 * excluded       as above
 * commit_secret  the path secret one step past the root
 *
 * XMTP_E_PATH_SECRET  no ciphertext for us, or derived keys are not those of the path
 * XMTP_E_AUTH         our ciphertext does not open
 * On failure private_keys and commit_secret are as before.
 */
xmtp_status xmtp_treekem_decrypt(const xmtp_tree *tree, xmtp_tree_private *private_keys,
                                 uint32_t sender, const xmtp_update_path *path,
                                 xmtp_bytes group_context, const uint32_t *excluded,
                                 size_t excluded_count, xmtp_arena *arena,
                                 xmtp_secret *commit_secret, xmtp_error *error) XMTP_MUST_CHECK;

/* Private keys of a joiner from the path secret of its Welcome (section 12.4.3.1): for the lowest
 * node above it and the committer, and all above. XMTP_E_WELCOME when they do not fit the tree.
 * commit_secret may be NULL. */
xmtp_status xmtp_treekem_join(const xmtp_tree *tree, xmtp_tree_private *private_keys,
                              uint32_t sender, xmtp_bytes path_secret,
                              xmtp_secret *commit_secret) XMTP_MUST_CHECK;

#endif
