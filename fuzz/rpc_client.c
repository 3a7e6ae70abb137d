/* rpc_client.c - fuzzes the client's side of a connection: any bytes from a node, two calls open.
 */
#include "base/bytes.h"
#include "rpc/client_conn.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static uint8_t out[1 << 16];
    const xmtp_rpc_client_options options = {.authority = "a:1"};
    xmtp_rpc_client_conn *conn;
    xmtp_rpc_client_call *calls[2];
    xmtp_bytes message;
    if (xmtp_rpc_client_conn_new(&conn, &xmtp_env_system()->alloc, &options) != XMTP_OK ||
        xmtp_rpc_client_call_start(&calls[0], conn, "/a/B", xmtp_bytes_of("x", 1)) != XMTP_OK ||
        xmtp_rpc_client_call_start(&calls[1], conn, "/a/B", xmtp_bytes_of("y", 1)) != XMTP_OK) {
        abort();
    }
    (void)xmtp_rpc_client_conn_send(conn, out, sizeof out);
    (void)!xmtp_rpc_client_conn_recv(conn, xmtp_bytes_of(data, n));
    while (xmtp_rpc_client_call_next(calls[0], &message, NULL) == XMTP_OK) {
    }
    while (xmtp_rpc_client_conn_send(conn, out, sizeof out) > 0) {
    }
    xmtp_rpc_client_call_free(calls[0]);
    xmtp_rpc_client_conn_free(conn);
    xmtp_rpc_client_call_free(calls[1]);
    return 0;
}
