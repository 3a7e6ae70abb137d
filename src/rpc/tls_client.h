/* tls_client.h - TLS at the client's side: who vouches for a node, and what is wrong when nobody does.
 *
 *     xmtp_tls_client   the authorities that are trusted, the node's name, the last session with it
 *     xmtp_tls_conn     one connection (tls_conn.h)
 *
 * A connection is good for use when its handshake is over, the certificate is by a trusted authority,
 * valid now by the system's clock and for the very name or address that was asked for (subjectAltName;
 * the common name does not count), and the node has chosen HTTP/2 (ALPN "h2"). Before that nothing of
 * ours but the handshake goes out. Revocation is not asked for, as in the official client.
 */
#ifndef XMTP_RPC_TLS_CLIENT_H
#define XMTP_RPC_TLS_CLIENT_H

#include "rpc/tls_conn.h"

typedef struct xmtp_tls_client xmtp_tls_client;

/* authorities_file   PEM certificates; only these vouch for the node, each of them whether or not it is
 *                    signed by another, so that a node's own certificate may stand there too. NULL:
 *                    those of the system, or of the variables SSL_CERT_FILE and SSL_CERT_DIR
 * host               name, IPv4 or IPv6 address (without brackets) of the node. Copied
 *
 * XMTP_E_IO the file cannot be read, or the system has no authorities; XMTP_E_ARGUMENT the file holds
 * no certificate; with a sentence. XMTP_E_NOMEM. alloc must outlive the client. */
xmtp_status xmtp_tls_client_open(xmtp_tls_client **out, const xmtp_alloc *alloc,
                                 const char *authorities_file, const char *host, xmtp_error *error);
/* After its connections were freed. NULL is allowed. */
void xmtp_tls_client_close(xmtp_tls_client *client);

/* A new connection, whose first bytes wait in send. One thread at a time uses a client and all of its
 * connections. XMTP_E_NOMEM. */
xmtp_status xmtp_tls_client_connect(xmtp_tls_conn **out, xmtp_tls_client *client);

/* As xmtp_tls_conn_read, with verdicts, each with a sentence that names what was seen:
 *   XMTP_E_UNTRUSTED   expired, not valid yet, for other names, by an authority that is not trusted, ...
 *   XMTP_E_TLS         the peer does not speak TLS at all, no version or cipher that is good enough, does
 *                      not choose HTTP/2, or ends the handshake
 *   XMTP_E_NETWORK     a record was damaged after the handshake */
xmtp_status xmtp_tls_client_read(xmtp_tls_client *client, xmtp_tls_conn *conn, uint8_t *out,
                                 size_t capacity, size_t *n, xmtp_error *error);

/* Clear text may be written. */
bool xmtp_tls_client_is_ready(const xmtp_tls_conn *conn);

#endif
