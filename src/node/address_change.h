/* address_change.h - what an identity update changes in "which inbox has this address".
 *
 * Kept in the extra part of the update's log record, so that making the index again needs no
 * association rules:
 *
 *     is_removed u8, identifier_kind u8, identifier<V>      any number of times
 */
#ifndef XMTP_NODE_ADDRESS_CHANGE_H
#define XMTP_NODE_ADDRESS_CHANGE_H

#include "base/reader.h"
#include "base/writer.h"

typedef struct xmtp_node_address_change {
    bool is_removed;
    uint8_t identifier_kind; /* 1 Ethereum address as text in lower case, 2 passkey */
    xmtp_bytes identifier;
} xmtp_node_address_change;

void xmtp_node_address_change_encode(xmtp_writer *w, const xmtp_node_address_change *change);
xmtp_status xmtp_node_address_change_decode(xmtp_reader *r, xmtp_node_address_change *change);

#endif
