/* update_batch.h - signatures of installation keys on several identity updates, verified together, eight
 * at once where the machine can, before the updates are folded one after another.
 *
 *     put an update; again while there is room --> verify --> fold each, with the batch in its verifier
 *
 * A batch knows verdicts and nothing else: whether a signature counts is judged by the fold, which
 * believes the batch only for exactly the same key, text and signature and verifies by itself what is not
 * in it. So an update that was left out, or is not folded as it was put, costs time and changes nothing.
 */
#ifndef XMTP_IDENTITY_UPDATE_BATCH_H
#define XMTP_IDENTITY_UPDATE_BATCH_H

#include "base/arena.h"
#include "crypto/crypto.h"

enum {
    XMTP_UPDATE_BATCH_MAX = 64,         /* signatures: eight times eight */
    XMTP_UPDATE_BATCH_ACTIONS_MAX = 32, /* of one update: it fits with two signatures each */
    XMTP_UPDATE_BATCH_BYTES_MAX = 16384 /* of one update: each signature hashes its text again */
};

typedef struct xmtp_update_batch {
    xmtp_arena arena; /* texts, and updates as they are decoded */
    size_t count;
    size_t verified; /* of them, from the first on, have verdicts */
    xmtp_signature_check checks[XMTP_UPDATE_BATCH_MAX];
} xmtp_update_batch;

/* An empty batch. alloc must outlive it. */
void xmtp_update_batch_init(xmtp_update_batch *batch, const xmtp_alloc *alloc);
/* Empties it and gives the memory back; it can be used again. */
void xmtp_update_batch_clear(xmtp_update_batch *batch);

/* Collects the signatures of one encoded update, each once; its bytes must live until clear. False, and
 * nothing collected, when there is no room for all of them: an empty batch has room. Left out are updates
 * that cannot be decoded or pass the limits above, and each where there is no memory for it or where the
 * machine has no lanes. */
bool xmtp_update_batch_put(xmtp_update_batch *batch, xmtp_bytes update);

/* Verifies what was put since clear or the last call. */
void xmtp_update_batch_verify(xmtp_update_batch *batch);

/* What xmtp_installation_verify_update says of exactly these bytes, in *verdict. False: not verified here;
 * *verdict is as before. batch may be NULL. Any thread, between two changes. */
bool xmtp_update_batch_find(const xmtp_update_batch *batch, xmtp_bytes public_key, xmtp_bytes text,
                            xmtp_bytes signature, xmtp_status *verdict);

#endif
