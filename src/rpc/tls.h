/* tls.h - TLS 1.2 and 1.3 at the server's side, over OpenSSL with memory in place of a socket: the
 * peer's bytes in, clear text out, and back.
 *
 *     xmtp_tls_server   certificate and key, read again when they change; shared by all loops
 *     xmtp_tls_conn     one connection; keeps the certificate it began with
 */
#ifndef XMTP_RPC_TLS_H
#define XMTP_RPC_TLS_H

#include <xmtp/base.h>

typedef struct xmtp_tls_server xmtp_tls_server;
typedef struct xmtp_tls_conn xmtp_tls_conn;

/* Reads the certificate chain and its key (PEM; the leaf first). alloc must outlive the server.
 * XMTP_E_IO a file cannot be read, XMTP_E_ARGUMENT it holds no certificate or key, or they do not
 * belong together; with the sentence. XMTP_E_NOMEM. */
xmtp_status xmtp_tls_server_open(xmtp_tls_server **out, const xmtp_alloc *alloc,
                                 const char *certificate_file, const char *key_file,
                                 xmtp_error *error);
/* Connections go on. NULL is allowed. */
void xmtp_tls_server_close(xmtp_tls_server *server);

/* Reads both files again; new connections get what they hold. After a failure the old ones stay in
 * use. Any thread. Errors as those of open. */
xmtp_status xmtp_tls_server_reload(xmtp_tls_server *server, xmtp_error *error);

/* A file is not the one that was read last (its time, size or inode changed). Any thread. */
bool xmtp_tls_server_has_changed(xmtp_tls_server *server);

/* XMTP_E_NOMEM. */
xmtp_status xmtp_tls_conn_new(xmtp_tls_conn **out, xmtp_tls_server *server);
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

#endif
