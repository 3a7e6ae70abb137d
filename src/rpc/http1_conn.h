/* http1_conn.h - the server's side of one HTTP/1.1 connection (RFC 9112): bytes in, exchanges out.
 * No sockets, no clock, no threads; driven like server_conn.h.
 *
 * Keep-alive, chunked and counted bodies, Expect: 100-continue, HTTP/1.0 without keep-alive. One
 * request is answered at a time; what a peer sends ahead waits, up to XMTP_HTTP1_AHEAD_LEN_MAX.
 * Strict where two readers of the same bytes could disagree (request smuggling): both
 * Content-Length and Transfer-Encoding, a repeated Content-Length, a line that ends in a bare LF,
 * a folded field, a space before the colon, a control character in a value: all refused.
 */
#ifndef XMTP_RPC_HTTP1_CONN_H
#define XMTP_RPC_HTTP1_CONN_H

#include "rpc/http_exchange.h"

enum {
    /* What a sink may hold of one request. */
    XMTP_HTTP1_REQUEST_LEN_MAX = 128 * 1024 * 1024,
    XMTP_HTTP1_AHEAD_LEN_MAX = 64 * 1024,
    XMTP_HTTP1_CHUNK_LINE_LEN_MAX = 256, /* a chunk's size and extensions */
    XMTP_HTTP1_TRAILERS_LEN_MAX = 4096,
    /* After an answer before the end of its request: read and dropped, so that the peer gets to
     * see the answer before the connection goes away. */
    XMTP_HTTP1_LINGER_LEN_MAX = 4 * 1024 * 1024,
    /* A body must bring so much in each XMTP_HTTP1_BODY_SECONDS, or its end. */
    XMTP_HTTP1_BODY_LEN_MIN = 16 * 1024,
    XMTP_HTTP1_BODY_SECONDS = 30,
    XMTP_HTTP1_HEAD_SECONDS = 10,  /* from the first byte of a head to its last */
    XMTP_HTTP1_IDLE_SECONDS = 120, /* between two requests */
    XMTP_HTTP1_LINGER_SECONDS = 2,
};

typedef struct xmtp_http1_conn xmtp_http1_conn;

/* server is copied, alloc must outlive the connection; peer is for x->peer. XMTP_E_NOMEM. */
xmtp_status xmtp_http1_conn_new(xmtp_http1_conn **out, const xmtp_alloc *alloc,
                                const xmtp_http_server *server, void *peer);

/* Cancels the exchange that runs. NULL is allowed. */
void xmtp_http1_conn_free(xmtp_http1_conn *conn);

/* Takes all of in. Wrong bytes are answered, and the connection then ends: see is_done. */
void xmtp_http1_conn_recv(xmtp_http1_conn *conn, xmtp_bytes in);

/* Writes up to capacity bytes for the peer to out and returns how many; 0: nothing now. */
size_t xmtp_http1_conn_send(xmtp_http1_conn *conn, uint8_t *out, size_t capacity);
bool xmtp_http1_conn_has_output(const xmtp_http1_conn *conn);

/* Close the socket. */
bool xmtp_http1_conn_is_done(const xmtp_http1_conn *conn);

/* At least one request's head has come whole. */
bool xmtp_http1_conn_has_spoken(const xmtp_http1_conn *conn);

/* The running exchange goes on, nothing new is begun. */
void xmtp_http1_conn_drain(xmtp_http1_conn *conn);

/* The running exchange is stopped. */
void xmtp_http1_conn_shutdown(xmtp_http1_conn *conn);

/* Call once a second or so, with a clock that never goes back. XMTP_E_TIMEOUT: the peer took too
 * long for what it was sending, or has been idle; free the connection. */
xmtp_status xmtp_http1_conn_tick(xmtp_http1_conn *conn, uint64_t now_ns);

#endif
