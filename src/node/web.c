/* web.c - see web.h.
 *
 *     OPTIONS            what browsers may send (cors.h)
 *     GET /              200, for those who probe
 *     gRPC-web           by its content type: web_call.h
 *     the gateway's paths: gateway.h
 *     /upload, /files    history.h
 *     gRPC               on a port that does not serve it: 415
 */
#include "node/web.h"

#include "node/gateway.h"
#include "node/history.h"
#include "node/metrics.h"
#include "rpc/cors.h"
#include "rpc/web_call.h"

#include <string.h>

static bool method_is(const xmtp_http_exchange *x, const char *method)
{
    return strcmp(xmtp_http_head_method(&x->head), method) == 0;
}

/* The target without its query. */
static bool path_is(const xmtp_http_exchange *x, const char *path)
{
    const char *target = xmtp_http_head_target(&x->head);
    size_t n = strcspn(target, "?");
    return strlen(path) == n && memcmp(target, path, n) == 0;
}

static void begin_web(xmtp_node_connection *connection, xmtp_http_exchange *x)
{
    xmtp_rpc_handler handler = xmtp_node_net_handler(connection);
    if (!method_is(x, "POST")) {
        xmtp_cors_answer(x, 405, "gRPC-web calls are POST requests\n");
        return;
    }
    xmtp_web_call_begin(&handler, x);
}

static void refuse(xmtp_http_exchange *x)
{
    const char *type = xmtp_http_head_get(&x->head, "content-type");
    if (type != NULL && strncmp(type, "application/grpc", 16) == 0) {
        xmtp_cors_answer(x, 415, "this port does not serve that kind of gRPC\n");
    } else {
        xmtp_cors_answer(x, 404, "this port does not serve that\n");
    }
}

static void begin(void *context, xmtp_http_exchange *x)
{
    xmtp_node_connection *connection = context;
    xmtp_node_connection_touch(connection);
    if ((connection->protocols & XMTP_NODE_ADMIN) != 0) {
        xmtp_node_admin_begin(connection->listener->node, x);
    } else if (method_is(x, "OPTIONS")) {
        xmtp_cors_preflight(x);
    } else if ((connection->protocols & XMTP_NODE_WEB) != 0 && xmtp_web_call_is_for(x)) {
        begin_web(connection, x);
    } else if ((connection->protocols & XMTP_NODE_GATEWAY) != 0 && xmtp_node_gateway_is_for(x)) {
        xmtp_rpc_handler handler = xmtp_node_net_handler(connection);
        xmtp_node_gateway_begin(&handler, x);
    } else if ((connection->protocols & XMTP_NODE_HISTORY) != 0 && xmtp_node_history_is_for(x)) {
        xmtp_node_history_begin(connection->listener->node->history, x);
    } else if (method_is(x, "GET") && path_is(x, "/")) {
        xmtp_cors_answer(x, 200, "xmtp node\n");
    } else {
        refuse(x);
    }
}

xmtp_http_server xmtp_node_web_server(xmtp_node_connection *connection)
{
    return (xmtp_http_server){.context = connection, .begin = begin};
}
