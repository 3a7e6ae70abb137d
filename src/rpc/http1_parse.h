/* http1_parse.h - the head of an HTTP/1.1 request, judged (RFC 9112 sections 2 to 7). */
#ifndef XMTP_RPC_HTTP1_PARSE_H
#define XMTP_RPC_HTTP1_PARSE_H

#include "rpc/http_exchange.h"

typedef struct xmtp_http1_request {
    uint64_t body_len; /* XMTP_HTTP_LEN_UNKNOWN when is_chunked */
    bool is_chunked;
    bool is_close;     /* the peer wants no second request */
    bool is_version_0; /* HTTP/1.0 */
    bool is_head;      /* the answer must have no body */
    bool has_expect;   /* Expect: 100-continue */
} xmtp_http1_request;

/* text: everything from the request line to the empty line, CRLF included. Fills *head, which was
 * initialised. Returns 0, or the HTTP status with which the request is to be refused. */
int xmtp_http1_parse_head(xmtp_bytes text, xmtp_http_head *head, xmtp_http1_request *out);

/* A chunk's first line without CRLF: hexadecimal size, extensions ignored. False when it is none. */
bool xmtp_http1_parse_chunk_size(xmtp_bytes line, uint64_t *size);

#endif
