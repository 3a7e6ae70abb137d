/* node_http.c - fuzzes everything that a node serves on one port, with a node in memory behind it.
 *
 *     first byte 0x80 and above    the rest is what a peer says: HTTP/1.1, HTTP/2, gRPC, gRPC-web
 *     below                        it selects a path of the gateway and protobuf or JSON; the rest
 *                                  is the body
 *
 * So JSON goes in, through a service that stores and reads, and JSON comes out.
 */
#include "base/bytes.h"
#include "node/gateway.h"
#include "node/stream.h"
#include "node_world.h"
#include "rpc/cors.h"
#include "rpc/endpoint.h"
#include "rpc/web_call.h"

#include <stdio.h>

enum { MESSAGES_MAX = 16 };

static const char *const paths[] = {
    "/mls/v1/send-group-messages",          "/mls/v1/send-welcome-messages",
    "/mls/v1/register-installation",        "/mls/v1/upload-key-package",
    "/mls/v1/fetch-key-packages",           "/mls/v1/query-group-messages",
    "/mls/v1/query-welcome-messages",       "/mls/v1/subscribe-group-messages",
    "/mls/v1/subscribe-welcome-messages",   "/mls/v1/batch-publish-commit-log",
    "/mls/v1/batch-query-commit-log",       "/mls/v1/get-newest-group-message",
    "/identity/v1/publish-identity-update", "/identity/v1/get-identity-updates",
    "/identity/v1/get-inbox-ids",           "/identity/v1/verify-smart-contract-wallet-signatures",
};

enum { PATH_COUNT = sizeof paths / sizeof paths[0] };

/* ---- the node's calls */

static void answer_stream(xmtp_rpc_call *call, const char *path, xmtp_bytes request)
{
    xmtp_stream *stream;
    xmtp_error error = {0};
    xmtp_bytes message;
    xmtp_status status = transport.subscribe(transport.context, path, request, &stream, &error);
    if (status == XMTP_OK) {
        (void)!xmtp_rpc_call_start_stream(call);
        for (int i = 0; i < MESSAGES_MAX &&
                        transport.next(transport.context, stream, &message, NULL) == XMTP_OK;
             i++) {
            (void)!xmtp_rpc_call_message(call, message);
        }
        transport.unsubscribe(transport.context, stream);
    }
    xmtp_rpc_call_end_status(call, status, status == XMTP_OK ? NULL : error.text);
}

static void on_request(void *context, xmtp_rpc_call *call, const char *path, xmtp_bytes request)
{
    xmtp_writer answer;
    xmtp_error error = {0};
    (void)context;
    if (xmtp_node_is_stream(path)) {
        answer_stream(call, path, request);
        return;
    }
    xmtp_writer_init(&answer, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    xmtp_status status = transport.unary(transport.context, path, request, &answer, &error);
    if (status == XMTP_OK) {
        status = xmtp_rpc_call_message(call, xmtp_writer_bytes(&answer));
    }
    xmtp_rpc_call_end_status(call, status, status == XMTP_OK ? NULL : error.text);
    xmtp_writer_free(&answer);
}

static void on_cancelled(void *context, xmtp_rpc_call *call)
{
    (void)context;
    (void)call;
    abort(); /* every call was ended from within its request */
}

static const xmtp_rpc_handler handler = {.request = on_request, .cancelled = on_cancelled};

/* As node/web.c chooses. */
static void begin(void *context, xmtp_http_exchange *x)
{
    (void)context;
    if (strcmp(xmtp_http_head_method(&x->head), "OPTIONS") == 0) {
        xmtp_cors_preflight(x);
    } else if (xmtp_web_call_is_for(x)) {
        xmtp_web_call_begin(&handler, x);
    } else if (xmtp_node_gateway_is_for(x)) {
        xmtp_node_gateway_begin(&handler, x);
    } else {
        xmtp_cors_answer(x, 404, "not here\n");
    }
}

/* ---- the peer */

static void drain(xmtp_endpoint *e)
{
    static uint8_t out[1 << 16];
    while (xmtp_endpoint_send(e, out, sizeof out) > 0) {
    }
}

static void say(xmtp_endpoint *e, xmtp_bytes in)
{
    (void)!xmtp_endpoint_recv(e, in);
    drain(e);
}

static void say_body(xmtp_endpoint *e, uint8_t choice, xmtp_bytes body)
{
    char head[256];
    (void)snprintf(head, sizeof head,
                   "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/%s\r\n"
                   "Content-Length: %zu\r\n\r\n",
                   paths[choice % PATH_COUNT], (choice & 0x40) != 0 ? "x-protobuf" : "json",
                   body.n);
    say(e, xmtp_bytes_of_string(head));
    say(e, body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const xmtp_endpoint_options options = {.grpc = handler, .http = {.begin = begin}};
    xmtp_endpoint *e;
    if (n == 0) {
        return 0;
    }
    need_node();
    if (xmtp_endpoint_new(&e, &xmtp_env_system()->alloc, &options) != XMTP_OK) {
        abort();
    }
    if (data[0] < 0x80) {
        say_body(e, data[0], xmtp_bytes_of(data + 1, n - 1));
    } else {
        say(e, xmtp_bytes_of(data + 1, (n - 1) / 2));
        say(e, xmtp_bytes_of(data + 1 + (n - 1) / 2, n - 1 - (n - 1) / 2));
    }
    xmtp_endpoint_free(e);
    return 0;
}
