/* node_record.c - fuzzes records and gaps of the log, as they come from a backup of somebody else's. */
#include "base/bytes.h"
#include "node/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    xmtp_node_record record;
    size_t span;
    uint64_t head_span;
    uint32_t hole_len;
    uint64_t last_id[XMTP_NODE_KIND_COUNT];
    for (size_t at = 0; at < n && xmtp_node_record_next(xmtp_bytes_of(data + at, n - at), 0,
                                                        &record, &span) == XMTP_OK;) {
        at += span;
    }
    if (n >= XMTP_NODE_GAP_LEN) {
        (void)xmtp_node_record_span(data, &head_span);
    }
    record = (xmtp_node_record){.kind = XMTP_NODE_GAP, .extra = xmtp_bytes_of(data, n)};
    (void)xmtp_node_gap_decode(&record, &hole_len, last_id);
    return 0;
}
