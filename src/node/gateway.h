/* gateway.h - the calls of the node over plain HTTP: protobuf or JSON bodies, one path a method
 * (node.md 1.2 and 1.6). For browser SDKs up to 5.1, curl, and push tools.
 *
 *     POST /mls/v1/query-group-messages    {"groupId":"AAEC"}  -->  200 {"messages":[...]}
 *     streams                              one line a message: {"result":{...}}, {"error":{...}}
 *     errors                               the HTTP status that belongs to the gRPC one, and
 *                                          {"code":3,"message":"...","details":[]}
 */
#ifndef XMTP_NODE_GATEWAY_H
#define XMTP_NODE_GATEWAY_H

#include "rpc/call.h"
#include "rpc/http_exchange.h"

/* The path is one of the gateway's. */
bool xmtp_node_gateway_is_for(const xmtp_http_exchange *x);

/* Takes the exchange over, from within the server's begin. handler is copied. */
void xmtp_node_gateway_begin(const xmtp_rpc_handler *handler, xmtp_http_exchange *x);

#endif
