/* http2_exchange.h - an HTTP exchange carried by an HTTP/2 stream. Private to server_conn.c,
 * server_call.c and http2_exchange.c; used on connections that serve more than gRPC.
 *
 * Every stream begins with one, since only its head tells what it is; gRPC calls give it back.
 */
#ifndef XMTP_RPC_HTTP2_EXCHANGE_H
#define XMTP_RPC_HTTP2_EXCHANGE_H

#include "rpc/server_call.h"

struct xmtp_h2_exchange {
    xmtp_http_exchange x; /* first */
    xmtp_h2_call *call;
    int refusal; /* HTTP status for a head that is too long; 0: none */
    bool is_request_complete;
    char method[XMTP_HTTP_METHOD_LEN_MAX + 1];
    char *target; /* NULL: none came yet */
};

/* NULL without memory. */
xmtp_h2_exchange *xmtp_h2_exchange_new(xmtp_h2_call *call);
/* Takes NULL. */
void xmtp_h2_exchange_free(xmtp_h2_exchange *exchange);

void xmtp_h2_exchange_field(xmtp_h2_exchange *exchange, xmtp_bytes name, xmtp_bytes value);

/* The head is complete: the call becomes an exchange (CALL_HTTP) and the server is asked. */
void xmtp_h2_exchange_begin(xmtp_h2_call *call);
void xmtp_h2_exchange_data(xmtp_h2_call *call, xmtp_bytes in);
void xmtp_h2_exchange_complete(xmtp_h2_call *call);
void xmtp_h2_exchange_writable(xmtp_h2_call *call);
void xmtp_h2_exchange_cancel(xmtp_h2_call *call);
void xmtp_h2_exchange_stop(xmtp_h2_call *call);

#endif
