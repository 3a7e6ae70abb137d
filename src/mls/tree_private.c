/* tree_private.c - the private keys that one member has in the tree.
 *
 * keys[0] is the leaf's. The others are of nodes on its direct path, rising, without gaps in the
 * array but not in the path: a node that is blank, or was set by somebody who could not reach us,
 * is missing.
 *
 *     record = leaf_index, count, count times (node, private key)
 */
#include "base/bytes.h"
#include "base/status.h"
#include "mls/treekem.h"

void xmtp_tree_private_init(xmtp_tree_private *private_keys, const xmtp_suite *suite,
                            uint32_t leaf_index, const uint8_t *sk)
{
    *private_keys = (xmtp_tree_private){.leaf_index = leaf_index, .count = 1};
    private_keys->keys[0].node = xmtp_leaf_to_node(leaf_index);
    memcpy(private_keys->keys[0].sk, sk, suite->kem->sk_len);
}

void xmtp_tree_private_wipe(xmtp_tree_private *private_keys)
{
    xmtp_wipe(private_keys, sizeof *private_keys);
}

void xmtp_tree_private_set_leaf(xmtp_tree_private *private_keys, const xmtp_suite *suite,
                                const uint8_t *sk)
{
    memcpy(private_keys->keys[0].sk, sk, suite->kem->sk_len);
}

void xmtp_tree_private_prune(xmtp_tree_private *private_keys, const xmtp_tree *tree)
{
    uint32_t kept = 1;
    for (uint32_t i = 1; i < private_keys->count; i++) {
        const uint32_t node = private_keys->keys[i].node;
        if (node < xmtp_node_count(tree->leaf_count) && !xmtp_tree_is_blank(tree, node)) {
            private_keys->keys[kept++] = private_keys->keys[i];
        }
    }
    xmtp_wipe(&private_keys->keys[kept], (private_keys->count - kept) * sizeof(xmtp_tree_key));
    private_keys->count = kept;
}

const uint8_t *xmtp_tree_private_key(const xmtp_tree_private *private_keys, uint32_t node)
{
    for (uint32_t i = 0; i < private_keys->count; i++) {
        if (private_keys->keys[i].node == node) {
            return private_keys->keys[i].sk;
        }
    }
    return NULL;
}

xmtp_status xmtp_tree_private_check(const xmtp_tree_private *private_keys, const xmtp_tree *tree)
{
    const xmtp_kem *kem = tree->suite->kem;
    for (uint32_t i = 0; i < private_keys->count; i++) {
        uint8_t pk[XMTP_KEM_PK_MAX];
        const xmtp_bytes want = xmtp_tree_encryption_key(tree, private_keys->keys[i].node);
        XMTP_TRY(kem->public_key(private_keys->keys[i].sk, pk));
        XMTP_ENSURE(xmtp_bytes_equal(xmtp_bytes_of(pk, kem->pk_len), want), XMTP_E_KEY);
    }
    return XMTP_OK;
}

/* ---- record ---- */

void xmtp_tree_private_encode(const xmtp_tree_private *private_keys, const xmtp_suite *suite,
                              xmtp_writer *w)
{
    xmtp_writer_u32(w, private_keys->leaf_index);
    xmtp_writer_u8(w, (uint8_t)private_keys->count);
    for (uint32_t i = 0; i < private_keys->count; i++) {
        xmtp_writer_u32(w, private_keys->keys[i].node);
        xmtp_writer_put(w, xmtp_bytes_of(private_keys->keys[i].sk, suite->kem->sk_len));
    }
}

static xmtp_status key_decode(xmtp_reader *r, const xmtp_suite *suite, xmtp_tree_key *out)
{
    xmtp_bytes sk;
    XMTP_TRY(xmtp_reader_u32(r, &out->node));
    XMTP_ENSURE(out->node < xmtp_node_count(XMTP_MLS_LEAVES_MAX), XMTP_E_CORRUPT);
    XMTP_TRY(xmtp_reader_take(r, suite->kem->sk_len, &sk));
    memcpy(out->sk, sk.p, sk.n);
    return XMTP_OK;
}

static xmtp_status record_decode(xmtp_reader *r, const xmtp_suite *suite, xmtp_tree_private *out)
{
    uint8_t count;
    XMTP_TRY(xmtp_reader_u32(r, &out->leaf_index));
    XMTP_TRY(xmtp_reader_u8(r, &count));
    XMTP_ENSURE(count >= 1 && count <= XMTP_MLS_PATH_MAX + 1, XMTP_E_CORRUPT);
    XMTP_ENSURE(out->leaf_index < XMTP_MLS_LEAVES_MAX, XMTP_E_CORRUPT);
    out->count = count;
    for (uint32_t i = 0; i < out->count; i++) {
        XMTP_TRY(key_decode(r, suite, &out->keys[i]));
        XMTP_ENSURE(i == 0 ||
                        xmtp_node_level(out->keys[i].node) > xmtp_node_level(out->keys[i - 1].node),
                    XMTP_E_CORRUPT);
    }
    XMTP_ENSURE(out->keys[0].node == xmtp_leaf_to_node(out->leaf_index), XMTP_E_CORRUPT);
    return xmtp_reader_end(r);
}

xmtp_status xmtp_tree_private_decode(xmtp_bytes in, const xmtp_suite *suite, xmtp_tree_private *out)
{
    xmtp_reader r = xmtp_reader_of(in);
    *out = (xmtp_tree_private){0};
    if (record_decode(&r, suite, out) != XMTP_OK) {
        xmtp_tree_private_wipe(out);
        return XMTP_E_CORRUPT;
    }
    return XMTP_OK;
}
