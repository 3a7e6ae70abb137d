/* inflate.h - messages that a client compressed with gzip (RFC 1952). */
#ifndef XMTP_NODE_INFLATE_H
#define XMTP_NODE_INFLATE_H

#include "base/writer.h"

/* Appends what in holds. Memory grows with the output and never beyond len_max, whatever in promises.
 * XMTP_E_LIMIT more than len_max bytes, XMTP_E_MALFORMED not one whole gzip member, XMTP_E_NOMEM. */
xmtp_status xmtp_node_inflate(xmtp_bytes in, size_t len_max, xmtp_writer *out);

#endif
