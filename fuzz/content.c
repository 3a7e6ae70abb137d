/* content.c - fuzz target: contents that strangers sent, decoded; what was decoded and is valid to
 * send is encoded and decoded again. */
#include "base/bytes.h"

#include <xmtp/content.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    xmtp_content *content;
    xmtp_content *again;
    uint8_t *p;
    size_t n;
    if (xmtp_content_decode(xmtp_bytes_of(data, size), NULL, &content, NULL) != XMTP_OK) {
        return 0;
    }
    if (xmtp_content_encode(content, NULL, &p, &n, NULL) == XMTP_OK) {
        xmtp_status status = xmtp_content_decode(xmtp_bytes_of(p, n), NULL, &again, NULL);
        if (status == XMTP_OK) {
            if (again->type != content->type) {
                abort();
            }
            xmtp_content_free(again);
        } else if (status != XMTP_E_LIMIT) {
            abort();
        }
        xmtp_content_bytes_free(NULL, p, n);
    }
    xmtp_content_free(content);
    return 0;
}
