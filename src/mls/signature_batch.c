/* signature_batch.c - see signature_batch.h. */
#include "mls/signature_batch.h"

#include "base/bytes.h"
#include "base/status.h"

#include <assert.h>

void xmtp_signature_batch_init(xmtp_signature_batch *batch, const xmtp_suite *suite,
                               xmtp_writer *contents)
{
    xmtp_writer_clear(contents);
    batch->suite = suite;
    batch->contents = contents;
    batch->count = 0;
}

void xmtp_signature_batch_put(xmtp_signature_batch *batch, xmtp_bytes pk, xmtp_bytes signature)
{
    assert(batch->count < XMTP_SIGNATURE_BATCH_MAX);
    batch->ends[batch->count] = batch->contents->n;
    batch->checks[batch->count++] = (xmtp_signature_check){.pk = pk, .signature = signature};
}

/* Contents move while they grow: only now they have their places. */
xmtp_status xmtp_signature_batch_verify(xmtp_signature_batch *batch)
{
    XMTP_TRY(xmtp_writer_status(batch->contents));
    size_t start = 0;
    for (size_t i = 0; i < batch->count; i++) {
        batch->checks[i].message =
            xmtp_bytes_of(batch->contents->p + start, batch->ends[i] - start);
        start = batch->ends[i];
    }
    xmtp_signature_verify_many(batch->suite->signature, batch->checks, batch->count);
    return XMTP_OK;
}
