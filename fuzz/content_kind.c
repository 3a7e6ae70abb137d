/* content_kind.c - fuzz target: which type a content is, and which message it is about. */
#include "client/content_kind.h"

#include "base/bytes.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    xmtp_content_kind kind;
    xmtp_status status =
        xmtp_content_classify(&xmtp_env_system()->alloc, xmtp_bytes_of(data, size), &kind);
    if (status != XMTP_OK || (int)kind.type < 0 || kind.type >= XMTP_CONTENT_TYPE_COUNT) {
        abort();
    }
    return 0;
}
