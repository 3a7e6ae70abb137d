/* signature_batch.h - signatures of one operation that are verified together, several at once where the
 * suite and the machine can.
 *
 *     put SignContent into contents, then the key and the signature;  again, at most ..._MAX times;
 *     verify;  look at the verdicts
 */
#ifndef XMTP_MLS_SIGNATURE_BATCH_H
#define XMTP_MLS_SIGNATURE_BATCH_H

#include "base/writer.h"
#include "crypto/crypto.h"

enum { XMTP_SIGNATURE_BATCH_MAX = 128 };

typedef struct xmtp_signature_batch {
    const xmtp_suite *suite;
    xmtp_writer *contents; /* one SignContent behind the other */
    size_t count;
    size_t ends[XMTP_SIGNATURE_BATCH_MAX];
    xmtp_signature_check checks[XMTP_SIGNATURE_BATCH_MAX];
} xmtp_signature_batch;

/* An empty batch. contents is cleared; it must outlive the batch and be used by nobody else. */
void xmtp_signature_batch_init(xmtp_signature_batch *batch, const xmtp_suite *suite,
                               xmtp_writer *contents);

/* Signature by pk over what was written to contents since the last call. The caller sees that there
 * is room: count below XMTP_SIGNATURE_BATCH_MAX. pk and signature are views until verify. */
void xmtp_signature_batch_put(xmtp_signature_batch *batch, xmtp_bytes pk, xmtp_bytes signature);

/* checks[i].verdict becomes what xmtp_verify_with_label would have given. Fails, as contents did,
 * only when there was no memory for them; no verdict counts then. */
xmtp_status xmtp_signature_batch_verify(xmtp_signature_batch *batch) XMTP_MUST_CHECK;

#endif
