/* tls_conn.h - one connection of TLS 1.2 or 1.3, at either side, over OpenSSL with memory in place of
 * a socket: the peer's bytes in, clear text out, and back.
 */
#ifndef XMTP_RPC_TLS_CONN_H
#define XMTP_RPC_TLS_CONN_H

#include <openssl/types.h>
#include <xmtp/base.h>

typedef struct xmtp_tls_conn xmtp_tls_conn;

void xmtp_tls_conn_free(xmtp_tls_conn *conn);

/* Takes bytes of the peer. Clear text must then be read until there is none. XMTP_E_NOMEM. */
xmtp_status xmtp_tls_conn_recv(xmtp_tls_conn *conn, xmtp_bytes in);

/* XMTP_OK: *n > 0 bytes of clear text. XMTP_E_RETRY: none now. XMTP_E_CLOSED: the peer said so.
 * XMTP_E_PROTOCOL: the handshake failed or a record is wrong; what send still gives tells why. */
xmtp_status xmtp_tls_conn_read(xmtp_tls_conn *conn, uint8_t *out, size_t capacity, size_t *n);

/* Encrypts clear text; only when has_handshaken. XMTP_E_NETWORK. */
xmtp_status xmtp_tls_conn_write(xmtp_tls_conn *conn, xmtp_bytes in);
bool xmtp_tls_conn_has_handshaken(const xmtp_tls_conn *conn);

/* Says goodbye to the peer (close_notify), once. */
void xmtp_tls_conn_shutdown(xmtp_tls_conn *conn);
bool xmtp_tls_conn_owes_goodbye(const xmtp_tls_conn *conn);

/* Bytes for the peer; how many. */
size_t xmtp_tls_conn_send(xmtp_tls_conn *conn, uint8_t *out, size_t capacity);
bool xmtp_tls_conn_has_output(const xmtp_tls_conn *conn);

/* ---- for tls.c and tls_client.c */

struct xmtp_tls_conn {
    const xmtp_alloc *alloc;
    SSL *ssl;
    BIO *in;  /* owned by ssl */
    BIO *out; /* owned by ssl */
    bool has_said_goodbye;
    bool has_heard;
    uint8_t first_byte;    /* of the peer; when has_heard */
    unsigned long failure; /* OpenSSL's code of what made read fail */
};

/* What both sides allow: no version before 1.2, forward secrecy, AEAD, no renegotiation. False: the
 * OpenSSL here cannot do it. */
bool xmtp_tls_set_rules(SSL_CTX *context);

/* Takes ssl, also on failure; it has its side set. NULL or no memory: XMTP_E_NOMEM. */
xmtp_status xmtp_tls_conn_wrap(xmtp_tls_conn **out, const xmtp_alloc *alloc, SSL *ssl);

#endif
