/* proxy_header.c - fuzzes the PROXY protocol's header, both versions. */
#include "rpc/proxy_header.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char address[XMTP_PROXY_ADDRESS_MAX];
    size_t len;
    xmtp_status status = xmtp_proxy_header_parse((xmtp_bytes){.p = data, .n = n}, &len, address);
    if (status == XMTP_OK && len > n) {
        abort();
    }
    return 0;
}
