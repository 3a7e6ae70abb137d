/* rpc_server.c - fuzzes the server's side of a connection: any bytes after the client preface. */
#include "rpc/test_echo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    static uint8_t out[1 << 16];
    echo_handler echo = {0};
    const xmtp_rpc_handler handler = echo_functions(&echo);
    xmtp_rpc_server_conn *conn;
    if (xmtp_rpc_server_conn_new(&conn, &xmtp_env_system()->alloc, &handler, NULL) != XMTP_OK ||
        xmtp_rpc_server_conn_recv(conn, xmtp_bytes_of(preface, sizeof preface - 1)) != XMTP_OK) {
        abort();
    }
    (void)!xmtp_rpc_server_conn_recv(conn, xmtp_bytes_of(data, n / 2));
    while (xmtp_rpc_server_conn_send(conn, out, sizeof out) > 0) {
    }
    (void)!xmtp_rpc_server_conn_recv(conn, xmtp_bytes_of(data + n / 2, n - n / 2));
    while (xmtp_rpc_server_conn_send(conn, out, sizeof out) > 0) {
    }
    xmtp_rpc_server_conn_free(conn);
    return 0;
}
