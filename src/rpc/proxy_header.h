/* proxy_header.h - the header with which a proxy tells who its client is (PROXY protocol versions 1
 * and 2, haproxy's proxy-protocol.txt). Read only where the operator has said that a proxy is
 * there: anybody else could name any address.
 *
 *     1   "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n"
 *     2   12 bytes of signature, version and command, family, length (2, BE), addresses, TLVs
 */
#ifndef XMTP_RPC_PROXY_HEADER_H
#define XMTP_RPC_PROXY_HEADER_H

#include <xmtp/base.h>

enum {
    XMTP_PROXY_V1_LEN_MAX = 107,
    XMTP_PROXY_LEN_MAX = 16 + 2048,
    XMTP_PROXY_ADDRESS_MAX = 46, /* with its zero byte */
};

/* in: what the connection has brought so far.
 *   XMTP_OK          *len bytes are the header; address has the client's, "" where the proxy speaks
 *                    for itself (LOCAL, UNKNOWN)
 *   XMTP_E_RETRY     not complete yet
 *   XMTP_E_MALFORMED no such header
 *   XMTP_E_LIMIT     longer than XMTP_PROXY_LEN_MAX */
XMTP_MUST_CHECK xmtp_status xmtp_proxy_header_parse(xmtp_bytes in, size_t *len,
                                                    char address[XMTP_PROXY_ADDRESS_MAX]);

#endif
