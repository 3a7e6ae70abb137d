/* identity_update.c - fuzzes IdentityUpdate: decoding, verifying and folding into an empty inbox.
 * What folds must survive its own record.
 */
#include "base/bytes.h"
#include "identity/association.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const xmtp_alloc *alloc = &xmtp_env_system()->alloc;
    xmtp_association *state = NULL;
    xmtp_association *again = NULL;
    uint8_t *record = NULL;
    size_t record_len = 0;
    if (xmtp_association_new(&state, alloc) == XMTP_OK &&
        xmtp_association_apply(state, xmtp_bytes_of(data, n), NULL, 0, NULL) == XMTP_OK &&
        (xmtp_association_encode(state, &record, &record_len) != XMTP_OK ||
         xmtp_association_decode(&again, alloc, xmtp_bytes_of(record, record_len)) != XMTP_OK)) {
        abort();
    }
    xmtp_association_free(again);
    xmtp_association_free(state);
    (void)alloc->reallocate(alloc->context, record, 0);
    return 0;
}
