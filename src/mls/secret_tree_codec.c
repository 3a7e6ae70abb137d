/* secret_tree_codec.c - records of a secret tree: one with its nodes, one for each ratchet.
 *
 *     nodes   = uint32 leaf_count, then for each node: uint32 node, secret
 *     ratchet = uint32 generation, secret, then for each skipped key: uint32 generation, key, nonce
 *
 * Secrets, keys and nonces have the lengths of the suite. A message rewrites one ratchet record of
 * about 40 bytes and at most tolerance skipped keys.
 */
#include "base/bytes.h"
#include "base/reader.h"
#include "base/status.h"
#include "mls/secret_tree.h"
#include "mls/tree_math.h"

void xmtp_secret_tree_encode(const xmtp_secret_tree *tree, xmtp_writer *w)
{
    xmtp_writer_u32(w, tree->leaf_count);
    for (uint32_t i = 0; i < tree->node_count; i++) {
        xmtp_writer_u32(w, tree->nodes[i].node);
        xmtp_writer_put(w, xmtp_secret_bytes(&tree->nodes[i].secret));
    }
}

static xmtp_status read_secret(xmtp_reader *r, size_t n, xmtp_secret *out)
{
    xmtp_bytes view;
    XMTP_TRY(xmtp_reader_take(r, n, &view));
    *out = (xmtp_secret){.n = n};
    memcpy(out->p, view.p, n);
    return XMTP_OK;
}

static bool is_leaf_count(uint32_t n)
{
    return n > 0 && n <= XMTP_MLS_LEAVES_MAX && (n & (n - 1)) == 0;
}

/* The invariants of secret_tree.c: sorted, none above another. */
static bool nodes_fit(const xmtp_secret_tree *tree)
{
    for (uint32_t i = 0; i < tree->node_count; i++) {
        uint32_t node = tree->nodes[i].node;
        if (node >= xmtp_node_count(tree->leaf_count)) {
            return false;
        }
        if (i > 0 && xmtp_node_first(node) <= xmtp_node_last(tree->nodes[i - 1].node)) {
            return false;
        }
    }
    return true;
}

xmtp_status xmtp_secret_tree_decode(xmtp_secret_tree *tree, const xmtp_suite *suite,
                                    const xmtp_alloc *alloc, xmtp_bytes record)
{
    xmtp_reader r = xmtp_reader_of(record);
    size_t each = 4 + suite->hash->len;
    *tree = (xmtp_secret_tree){.suite = suite, .alloc = alloc};
    XMTP_ENSURE(xmtp_reader_u32(&r, &tree->leaf_count) == XMTP_OK, XMTP_E_CORRUPT);
    XMTP_ENSURE(is_leaf_count(tree->leaf_count) && r.n % each == 0, XMTP_E_CORRUPT);
    XMTP_ENSURE(r.n / each <= tree->leaf_count, XMTP_E_CORRUPT);
    if (r.n == 0) {
        return XMTP_OK;
    }
    uint32_t count = (uint32_t)(r.n / each);
    tree->nodes = alloc->reallocate(alloc->context, NULL, count * sizeof *tree->nodes);
    XMTP_ENSURE(tree->nodes != NULL, XMTP_E_NOMEM);
    tree->node_capacity = count;
    while (tree->node_count < count) {
        xmtp_secret_node *node = &tree->nodes[tree->node_count++];
        XMTP_TRY(xmtp_reader_u32(&r, &node->node));
        XMTP_TRY(read_secret(&r, suite->hash->len, &node->secret));
    }
    if (!nodes_fit(tree)) {
        xmtp_secret_tree_free(tree);
        return XMTP_E_CORRUPT;
    }
    return XMTP_OK;
}

void xmtp_ratchet_encode(const xmtp_ratchet *ratchet, const xmtp_suite *suite, xmtp_writer *w)
{
    xmtp_writer_u32(w, ratchet->generation);
    xmtp_writer_put(w, xmtp_secret_bytes(&ratchet->secret));
    for (uint32_t i = 0; i < ratchet->skipped_count; i++) {
        const xmtp_message_key *key = &ratchet->skipped[i];
        xmtp_writer_u32(w, key->generation);
        xmtp_writer_put(w, xmtp_bytes_of(key->key, suite->aead->key_len));
        xmtp_writer_put(w, xmtp_bytes_of(key->nonce, suite->aead->nonce_len));
    }
}

static xmtp_status read_skipped(xmtp_reader *r, const xmtp_suite *suite, const xmtp_alloc *alloc,
                                xmtp_ratchet *ratchet)
{
    size_t each = 4 + suite->aead->key_len + suite->aead->nonce_len;
    XMTP_ENSURE(r->n % each == 0 && r->n / each <= XMTP_MLS_TOLERANCE_MAX, XMTP_E_CORRUPT);
    uint32_t count = (uint32_t)(r->n / each);
    if (count == 0) {
        return XMTP_OK;
    }
    ratchet->skipped = alloc->reallocate(alloc->context, NULL, count * sizeof *ratchet->skipped);
    XMTP_ENSURE(ratchet->skipped != NULL, XMTP_E_NOMEM);
    while (ratchet->skipped_count < count) {
        xmtp_message_key *key = &ratchet->skipped[ratchet->skipped_count++];
        xmtp_bytes view;
        XMTP_TRY(xmtp_reader_u32(r, &key->generation));
        XMTP_TRY(xmtp_reader_take(r, suite->aead->key_len, &view));
        memcpy(key->key, view.p, view.n);
        XMTP_TRY(xmtp_reader_take(r, suite->aead->nonce_len, &view));
        memcpy(key->nonce, view.p, view.n);
    }
    return XMTP_OK;
}

static xmtp_status ratchet_decode(xmtp_bytes record, const xmtp_suite *suite,
                                  const xmtp_alloc *alloc, xmtp_ratchet *out)
{
    xmtp_reader r = xmtp_reader_of(record);
    XMTP_ENSURE(xmtp_reader_u32(&r, &out->generation) == XMTP_OK, XMTP_E_CORRUPT);
    XMTP_ENSURE(read_secret(&r, suite->hash->len, &out->secret) == XMTP_OK, XMTP_E_CORRUPT);
    return read_skipped(&r, suite, alloc, out);
}

xmtp_status xmtp_secret_tree_load_ratchet(xmtp_secret_tree *tree, uint32_t leaf_index,
                                          xmtp_ratchet_kind kind, xmtp_bytes record)
{
    XMTP_ENSURE(leaf_index < tree->leaf_count, XMTP_E_CORRUPT);
    XMTP_ENSURE(kind == XMTP_RATCHET_HANDSHAKE || kind == XMTP_RATCHET_APPLICATION, XMTP_E_CORRUPT);
    xmtp_secret_tree_change change = {.alloc = tree->alloc, .ratchet_count = 1};
    change.ratchets[0].leaf_index = leaf_index;
    change.ratchets[0].kind = (uint8_t)kind;
    xmtp_status status = ratchet_decode(record, tree->suite, tree->alloc, &change.ratchets[0]);
    if (status == XMTP_OK) {
        status = xmtp_secret_tree_apply(tree, &change);
    }
    xmtp_secret_tree_change_free(&change);
    return status;
}
