/* mls_outside.c - fuzzes what strangers read: GroupInfo messages and ratchet trees. */
#include "base/bytes.h"

#include <xmtp/mls.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static xmtp_status count_bytes(void *context, const xmtp_mls_member *member)
{
    *(size_t *)context += member->identity.n;
    return XMTP_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const xmtp_bytes in = xmtp_bytes_of(data, n);
    xmtp_mls_group_info_view view;
    xmtp_error error;
    size_t sum = 0;
    (void)!xmtp_mls_ratchet_tree_each(in, &sum, count_bytes, &error);
    if (xmtp_mls_group_info_inspect(in, &view, &error) == XMTP_OK) {
        xmtp_mls_extension extension;
        while (xmtp_mls_extensions_next(&view.extensions, &extension)) {
            sum += extension.data.n;
        }
        (void)!xmtp_mls_ratchet_tree_each(view.ratchet_tree, &sum, count_bytes, &error);
    }
    return 0;
}
