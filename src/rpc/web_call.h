/* web_call.h - gRPC-web on an HTTP exchange (the gRPC project's PROTOCOL-WEB): unary and server
 * streaming calls of browsers, binary and as text (base64), to the same handler as gRPC's.
 *
 *     request   length-prefixed message
 *     response  200, length-prefixed messages ..., one frame with flag 0x80: the trailers as lines
 *
 * An error before any message is told twice: as header fields and in the trailer frame.
 */
#ifndef XMTP_RPC_WEB_CALL_H
#define XMTP_RPC_WEB_CALL_H

#include "rpc/call.h"
#include "rpc/http_exchange.h"

/* The request's content type is one of gRPC-web's. */
bool xmtp_web_call_is_for(const xmtp_http_exchange *x);

/* Takes the exchange over, from within the server's begin. handler is copied. */
void xmtp_web_call_begin(const xmtp_rpc_handler *handler, xmtp_http_exchange *x);

#endif
