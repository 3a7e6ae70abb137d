/* address_change.c - the encoding drawn in address_change.h. */
#include "node/address_change.h"

#include "base/status.h"

void xmtp_node_address_change_encode(xmtp_writer *w, const xmtp_node_address_change *change)
{
    xmtp_writer_u8(w, change->is_removed ? 1 : 0);
    xmtp_writer_u8(w, change->identifier_kind);
    xmtp_writer_vec(w, change->identifier);
}

xmtp_status xmtp_node_address_change_decode(xmtp_reader *r, xmtp_node_address_change *change)
{
    uint8_t is_removed;
    XMTP_TRY(xmtp_reader_u8(r, &is_removed));
    XMTP_TRY(xmtp_reader_u8(r, &change->identifier_kind));
    XMTP_TRY(xmtp_reader_vec(r, &change->identifier));
    change->is_removed = is_removed != 0;
    return XMTP_OK;
}
