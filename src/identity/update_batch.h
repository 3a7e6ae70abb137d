/* update_batch.h - signatures of wallets and installation keys on several identity updates, verified
 * together before the updates are folded one after another: shared among processors, and eight at once
 * where the machine can.
 *
 *     put an update; again while there is room --> verify --> fold each, with the batch in its verifier
 *
 * A batch knows verdicts, who signed, and nothing else: whether a signature counts is judged by the fold,
 * which believes the batch only for exactly the same key, text and signature and verifies by itself what is
 * not in it. So an update that was left out, or is not folded as it was put, costs time and changes nothing.
 */
#ifndef XMTP_IDENTITY_UPDATE_BATCH_H
#define XMTP_IDENTITY_UPDATE_BATCH_H

#include "base/arena.h"
#include "crypto/crypto.h"
#include "identity/identifier.h"

enum {
    XMTP_UPDATE_BATCH_MAX = 64,         /* signatures of each kind: eight times eight */
    XMTP_UPDATE_BATCH_ACTIONS_MAX = 32, /* of one update: it fits with two signatures each */
    XMTP_UPDATE_BATCH_BYTES_MAX = 16384 /* of one update: each signature hashes its text again */
};

/* What xmtp_secp256k1_recover says of a wallet's signature over a text (ERC-191). */
typedef struct xmtp_wallet_check {
    xmtp_bytes text;
    xmtp_bytes signature; /* 65 bytes */
    xmtp_status verdict;
    bool is_from_lanes; /* found eight at once, and named in a text about its inbox */
    char address[XMTP_ADDRESS_LEN + 1];
    uint8_t normalized[65];
} xmtp_wallet_check;

typedef struct xmtp_update_batch {
    xmtp_arena arena; /* texts, and updates as they are decoded */
    size_t count;     /* of installations */
    size_t verified;  /* of them, from the first on, have verdicts */
    size_t wallet_count;
    size_t wallets_verified;
    xmtp_signature_check checks[XMTP_UPDATE_BATCH_MAX];
    xmtp_wallet_check wallets[XMTP_UPDATE_BATCH_MAX];
} xmtp_update_batch;

/* An empty batch. alloc must outlive it. */
void xmtp_update_batch_init(xmtp_update_batch *batch, const xmtp_alloc *alloc);
/* Empties it and gives the memory back; it can be used again. */
void xmtp_update_batch_clear(xmtp_update_batch *batch);

/* Collects the signatures of one encoded update, each once; its bytes must live until clear. False, and
 * nothing collected, when there is no room for all of them: an empty batch has room. Left out are updates
 * that cannot be decoded or pass the limits above, and each where there is no memory for it or where the
 * machine has neither lanes nor a second processor. */
bool xmtp_update_batch_put(xmtp_update_batch *batch, xmtp_bytes update);

/* Verifies what was put since clear or the last call. */
void xmtp_update_batch_verify(xmtp_update_batch *batch);

/* What xmtp_installation_verify_update says of exactly these bytes, in *verdict. False: not verified here;
 * *verdict is as before. batch may be NULL. Any thread, between two changes. */
bool xmtp_update_batch_find(const xmtp_update_batch *batch, xmtp_bytes public_key, xmtp_bytes text,
                            xmtp_bytes signature, xmtp_status *verdict);

/* The wallet's signature over exactly this text. NULL: not verified here. It lives until clear. batch may be
 * NULL. Any thread, between two changes. */
const xmtp_wallet_check *xmtp_update_batch_wallet(const xmtp_update_batch *batch, xmtp_bytes text,
                                                  xmtp_bytes signature);

#endif
