/* commit.c - Commit and UpdatePath of RFC 9420 sections 12.4 and 7.6.
 *
 *     Commit     = proposals<V> of ProposalOrRef, optional<UpdatePath>
 *     UpdatePath = leaf_node, nodes<V> of (encryption_key, encrypted_path_secret<V>)
 */
#include "mls/commit.h"
#include "base/bytes.h"
#include "base/status.h"

/* ---- HPKECiphertext ---- */

xmtp_status xmtp_hpke_ciphertext_decode(xmtp_reader *r, xmtp_hpke_ciphertext *out)
{
    XMTP_TRY(xmtp_reader_vec(r, &out->kem_output));
    return xmtp_reader_vec(r, &out->ciphertext);
}

void xmtp_hpke_ciphertext_encode(xmtp_writer *w, const xmtp_hpke_ciphertext *ciphertext)
{
    xmtp_writer_vec(w, ciphertext->kem_output);
    xmtp_writer_vec(w, ciphertext->ciphertext);
}

/* ---- UpdatePath ---- */

static xmtp_status node_decode(xmtp_reader *r, xmtp_update_path_node *out)
{
    XMTP_TRY(xmtp_reader_vec(r, &out->encryption_key));
    XMTP_TRY(xmtp_reader_vec(r, &out->ciphertexts));
    out->ciphertext_count = 0;
    xmtp_reader list = xmtp_reader_of(out->ciphertexts);
    while (list.n > 0) {
        xmtp_hpke_ciphertext ciphertext;
        XMTP_TRY(xmtp_hpke_ciphertext_decode(&list, &ciphertext));
        out->ciphertext_count++;
    }
    return XMTP_OK;
}

static void node_encode(xmtp_writer *w, const xmtp_update_path_node *node)
{
    xmtp_writer_vec(w, node->encryption_key);
    xmtp_writer_vec(w, node->ciphertexts);
}

xmtp_status xmtp_update_path_decode(xmtp_reader *r, xmtp_update_path *out)
{
    XMTP_TRY(xmtp_leaf_node_decode(r, &out->leaf_node));
    xmtp_reader nodes;
    XMTP_TRY(xmtp_reader_vec_open(r, &nodes));
    out->count = 0;
    while (nodes.n > 0) {
        XMTP_ENSURE(out->count < XMTP_MLS_PATH_MAX, XMTP_E_LIMIT);
        XMTP_TRY(node_decode(&nodes, &out->nodes[out->count]));
        out->count++;
    }
    return XMTP_OK;
}

void xmtp_update_path_encode(xmtp_writer *w, const xmtp_update_path *path)
{
    xmtp_writer_put(w, path->leaf_node.raw);
    size_t mark = xmtp_writer_vec_open(w);
    for (size_t i = 0; i < path->count; i++) {
        node_encode(w, &path->nodes[i]);
    }
    xmtp_writer_vec_close(w, mark);
}

/* ---- Commit ---- */

static xmtp_status proposal_or_ref_decode(xmtp_reader *r, xmtp_proposal_or_ref *out)
{
    XMTP_TRY(xmtp_reader_u8(r, &out->kind));
    XMTP_ENSURE(out->kind == XMTP_BY_VALUE || out->kind == XMTP_BY_REFERENCE, XMTP_E_MALFORMED);
    return out->kind == XMTP_BY_VALUE ? xmtp_proposal_decode(r, &out->proposal)
                                      : xmtp_reader_vec(r, &out->reference);
}

void xmtp_proposal_or_ref_encode(xmtp_writer *w, const xmtp_proposal_or_ref *item)
{
    xmtp_writer_u8(w, item->kind);
    if (item->kind == XMTP_BY_VALUE) {
        xmtp_proposal_encode(w, &item->proposal);
    } else {
        xmtp_writer_vec(w, item->reference);
    }
}

/* How many there are, so that the array is taken from the arena once. */
static xmtp_status count_proposals(xmtp_reader r, size_t *count)
{
    xmtp_proposal_or_ref ignored;
    for (*count = 0; r.n > 0; (*count)++) {
        XMTP_ENSURE(*count < XMTP_MLS_PROPOSALS_MAX, XMTP_E_LIMIT);
        XMTP_TRY(proposal_or_ref_decode(&r, &ignored));
    }
    return XMTP_OK;
}

static xmtp_status proposals_decode(xmtp_reader *r, xmtp_arena *arena, xmtp_commit *out)
{
    xmtp_reader list;
    XMTP_TRY(xmtp_reader_vec_open(r, &list));
    XMTP_TRY(count_proposals(list, &out->proposal_count));
    void *items;
    XMTP_TRY(
        xmtp_arena_take_array(arena, out->proposal_count, sizeof(xmtp_proposal_or_ref), &items));
    out->proposals = items;
    for (size_t i = 0; i < out->proposal_count; i++) {
        XMTP_TRY(proposal_or_ref_decode(&list, &out->proposals[i]));
    }
    return XMTP_OK;
}

/* optional<T>: a byte 0 or 1, then T (RFC 9420 section 2.1.1). */
static xmtp_status optional_decode(xmtp_reader *r, bool *present)
{
    uint8_t byte;
    XMTP_TRY(xmtp_reader_u8(r, &byte));
    XMTP_ENSURE(byte <= 1, XMTP_E_MALFORMED);
    *present = byte == 1;
    return XMTP_OK;
}

xmtp_status xmtp_commit_decode(xmtp_reader *r, xmtp_arena *arena, xmtp_commit *out)
{
    const xmtp_reader start = *r;
    XMTP_TRY(proposals_decode(r, arena, out));
    XMTP_TRY(optional_decode(r, &out->has_path));
    if (out->has_path) {
        XMTP_TRY(xmtp_update_path_decode(r, &out->path));
    }
    out->raw = xmtp_reader_since(r, &start);
    return XMTP_OK;
}

void xmtp_commit_encode(xmtp_writer *w, const xmtp_commit *commit)
{
    size_t mark = xmtp_writer_vec_open(w);
    for (size_t i = 0; i < commit->proposal_count; i++) {
        xmtp_proposal_or_ref_encode(w, &commit->proposals[i]);
    }
    xmtp_writer_vec_close(w, mark);
    xmtp_writer_u8(w, commit->has_path ? 1 : 0);
    if (commit->has_path) {
        xmtp_update_path_encode(w, &commit->path);
    }
}
