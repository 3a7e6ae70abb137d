/* web_call.c - fuzz target: a byte that selects binary or text, then the body of a gRPC-web request.
 */
#include "rpc/web_call.h"
#include "base/bytes.h"
#include "rpc/http1_conn.h"
#include "rpc/test_echo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void begin(void *context, xmtp_http_exchange *x)
{
    const xmtp_rpc_handler handler = echo_functions(context);
    xmtp_web_call_begin(&handler, x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static uint8_t out[1 << 16];
    echo_handler echo = {0};
    const xmtp_http_server server = {.context = &echo, .begin = begin};
    xmtp_http1_conn *conn;
    char head[256];
    if (n == 0 || xmtp_http1_conn_new(&conn, &xmtp_env_system()->alloc, &server, NULL) != XMTP_OK) {
        return 0;
    }
    (void)snprintf(
        head, sizeof head,
        "POST /test/Twice HTTP/1.1\r\nHost: x\r\nContent-Type: application/grpc-web%s\r\n"
        "Content-Length: %zu\r\n\r\n",
        data[0] % 2 == 0 ? "" : "-text", n - 1);
    xmtp_http1_conn_recv(conn, xmtp_bytes_of_string(head));
    xmtp_http1_conn_recv(conn, xmtp_bytes_of(data + 1, (n - 1) / 2));
    xmtp_http1_conn_recv(conn, xmtp_bytes_of(data + 1 + (n - 1) / 2, n - 1 - (n - 1) / 2));
    while (xmtp_http1_conn_send(conn, out, sizeof out) > 0) {
    }
    xmtp_http1_conn_free(conn);
    return 0;
}
