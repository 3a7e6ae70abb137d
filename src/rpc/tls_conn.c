/* tls_conn.c - see tls_conn.h. */
#include "rpc/tls_conn.h"

#include "base/bytes.h"
#include "base/status.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

bool xmtp_tls_set_rules(SSL_CTX *context)
{
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1;
}

xmtp_status xmtp_tls_conn_wrap(xmtp_tls_conn **out, const xmtp_alloc *alloc, SSL *ssl)
{
    BIO *in = BIO_new(BIO_s_mem());
    BIO *to_peer = BIO_new(BIO_s_mem());
    *out = NULL;
    xmtp_tls_conn *conn =
        ssl != NULL ? alloc->reallocate(alloc->context, NULL, sizeof *conn) : NULL;
    if (conn == NULL || in == NULL || to_peer == NULL) {
        if (conn != NULL) {
            (void)alloc->reallocate(alloc->context, conn, 0);
        }
        (void)BIO_free(in);
        (void)BIO_free(to_peer);
        SSL_free(ssl);
        return XMTP_E_NOMEM;
    }
    (void)BIO_set_mem_eof_return(in, -1); /* empty means: later */
    (void)BIO_set_mem_eof_return(to_peer, -1);
    SSL_set_bio(ssl, in, to_peer);
    *conn = (xmtp_tls_conn){.alloc = alloc, .ssl = ssl, .in = in, .out = to_peer};
    *out = conn;
    return XMTP_OK;
}

void xmtp_tls_conn_free(xmtp_tls_conn *conn)
{
    if (conn != NULL) {
        SSL_free(conn->ssl);
        (void)conn->alloc->reallocate(conn->alloc->context, conn, 0);
    }
}

xmtp_status xmtp_tls_conn_recv(xmtp_tls_conn *conn, xmtp_bytes in)
{
    size_t n = 0;
    if (!conn->has_heard && in.n > 0) {
        conn->has_heard = true;
        conn->first_byte = in.p[0];
    }
    bool is_taken = in.n == 0 || (BIO_write_ex(conn->in, in.p, in.n, &n) == 1 && n == in.n);
    return is_taken ? XMTP_OK : XMTP_E_NOMEM;
}

xmtp_status xmtp_tls_conn_read(xmtp_tls_conn *conn, uint8_t *out, size_t capacity, size_t *n)
{
    *n = 0;
    ERR_clear_error();
    int result = SSL_read_ex(conn->ssl, out, capacity, n);
    if (result == 1) {
        return XMTP_OK;
    }
    switch (SSL_get_error(conn->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return XMTP_E_RETRY;
    case SSL_ERROR_ZERO_RETURN:
        return XMTP_E_CLOSED;
    default:
        conn->failure = ERR_peek_error();
        ERR_clear_error();
        conn->has_said_goodbye = true; /* an alert is on its way */
        return XMTP_E_PROTOCOL;
    }
}

xmtp_status xmtp_tls_conn_write(xmtp_tls_conn *conn, xmtp_bytes in)
{
    size_t n = 0;
    ERR_clear_error();
    bool is_written = SSL_write_ex(conn->ssl, in.p, in.n, &n) == 1 && n == in.n;
    return is_written ? XMTP_OK : XMTP_E_NETWORK;
}

bool xmtp_tls_conn_has_handshaken(const xmtp_tls_conn *conn)
{
    return SSL_is_init_finished(conn->ssl) != 0;
}

bool xmtp_tls_conn_owes_goodbye(const xmtp_tls_conn *conn)
{
    return !conn->has_said_goodbye && xmtp_tls_conn_has_handshaken(conn);
}

void xmtp_tls_conn_shutdown(xmtp_tls_conn *conn)
{
    if (xmtp_tls_conn_owes_goodbye(conn)) {
        ERR_clear_error();
        (void)SSL_shutdown(conn->ssl);
    }
    conn->has_said_goodbye = true;
}

size_t xmtp_tls_conn_send(xmtp_tls_conn *conn, uint8_t *out, size_t capacity)
{
    size_t n = 0;
    return BIO_read_ex(conn->out, out, capacity, &n) == 1 ? n : 0;
}

bool xmtp_tls_conn_has_output(const xmtp_tls_conn *conn)
{
    return BIO_ctrl_pending(conn->out) > 0;
}
