/* wire.c - what is stored, behind the fields that the sequencer gave it. */
#include "node/wire.h"

#include "proto/field.h"

void xmtp_node_wire_payload(xmtp_writer *w, xmtp_node_kind kind, uint8_t flags, uint64_t id,
                            uint64_t time_ns, xmtp_bytes body)
{
    uint64_t shown_id = kind == XMTP_NODE_KEY_PACKAGE ? 0 : id;
    uint64_t shown_time =
        kind == XMTP_NODE_KEY_PACKAGE || kind == XMTP_NODE_COMMIT_LOG ? 0 : time_ns;
    if (kind == XMTP_NODE_GROUP_MESSAGE || kind == XMTP_NODE_WELCOME) {
        uint32_t version = (flags & XMTP_NODE_IS_POINTER) != 0 ? 2 : 1;
        xmtp_field_begin(w, version,
                         xmtp_field_len_u64(1, shown_id) + xmtp_field_len_u64(2, shown_time) +
                             body.n);
    }
    xmtp_field_put_u64(w, 1, shown_id);
    xmtp_field_put_u64(w, 2, shown_time);
    xmtp_writer_put(w, body);
}

xmtp_status xmtp_node_wire_update(xmtp_bytes payload, xmtp_bytes *update)
{
    enum { FIELD_UPDATE = 3 };
    xmtp_reader r = xmtp_reader_of(payload);
    xmtp_field f;
    while (r.n > 0 && xmtp_field_next(&r, &f) == XMTP_OK) {
        if (f.number == FIELD_UPDATE && xmtp_field_bytes(&f, update) == XMTP_OK) {
            return XMTP_OK;
        }
    }
    return XMTP_E_CORRUPT;
}
