/* tls.h - TLS at the server's side (the client's: tls_client.h).
 *
 *     xmtp_tls_server   certificate and key, read again when they change; shared by all loops
 *     xmtp_tls_conn     one connection (tls_conn.h); keeps the certificate it began with
 */
#ifndef XMTP_RPC_TLS_H
#define XMTP_RPC_TLS_H

#include "rpc/tls_conn.h"

typedef struct xmtp_tls_server xmtp_tls_server;

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

/* A connection that a client has opened. XMTP_E_NOMEM. */
xmtp_status xmtp_tls_conn_new(xmtp_tls_conn **out, xmtp_tls_server *server);

#endif
