/* web.h - what a node answers over HTTP that is not gRPC: which part of it a request is for. */
#ifndef XMTP_NODE_WEB_H
#define XMTP_NODE_WEB_H

#include "node/listener_internal.h"
#include "rpc/http_exchange.h"

/* The server for a connection's exchanges; context is the connection. */
xmtp_http_server xmtp_node_web_server(xmtp_node_connection *connection);

#endif
