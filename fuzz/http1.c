/* http1.c - fuzzes the server's side of an HTTP/1.1 connection, in two pieces. */
#include "rpc/http1_conn.h"
#include "rpc/test_http.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static uint8_t out[1 << 16];
    test_http http = {0};
    const xmtp_http_server server = test_http_server(&http);
    xmtp_http1_conn *conn;
    if (xmtp_http1_conn_new(&conn, &xmtp_env_system()->alloc, &server, NULL) != XMTP_OK) {
        abort();
    }
    xmtp_http1_conn_recv(conn, xmtp_bytes_of(data, n / 2));
    while (xmtp_http1_conn_send(conn, out, sizeof out) > 0) {
    }
    xmtp_http1_conn_recv(conn, xmtp_bytes_of(data + n / 2, n - n / 2));
    if (http.open != NULL) {
        xmtp_http_end(http.open);
    }
    while (xmtp_http1_conn_send(conn, out, sizeof out) > 0) {
    }
    xmtp_http1_conn_free(conn);
    return 0;
}
