/* server_conn.h - the server's side of one gRPC connection: bytes in, calls out; answers in, bytes
 * out. No sockets, no clock, no threads: an event loop, a test or a fuzzer drives it.
 *
 *     bytes --> recv --> handler.request(call) ... xmtp_rpc_call_message, _end --> send --> bytes
 *
 * Speaks HTTP/2 in cleartext with prior knowledge and gRPC with unary and server-streaming methods
 * (exactly one request message), and those that the handler says take several. The driver's duty: after recv, after any xmtp_rpc_call_* made
 * later, and when the socket became writable again, call send until it gives 0 or the socket is
 * full; close the socket when is_done says so.
 *
 * Threads: a connection and its calls belong to one thread. From within a handler function all
 * xmtp_rpc_call_* may be used on any call; recv, send, drain, shutdown, tick and free may not.
 */
#ifndef XMTP_RPC_SERVER_CONN_H
#define XMTP_RPC_SERVER_CONN_H

#include "rpc/call.h"
#include "rpc/http_exchange.h"

#include <xmtp/base.h>

enum {
    /* All requests of one connection that are not complete yet. */
    XMTP_RPC_REQUESTS_LEN_MAX = 128 * 1024 * 1024,
    /* All answers of one connection that the peer has not taken yet. */
    XMTP_RPC_ANSWERS_LEN_MAX = 256 * 1024 * 1024,
    XMTP_RPC_STREAM_WINDOW = 1024 * 1024,
    XMTP_RPC_CONN_WINDOW = 16 * 1024 * 1024,
    /* Received header fields of one request, names and values. */
    XMTP_RPC_HEADERS_LEN_MAX = 16 * 1024,
    /* An unfinished request must bring so much in each XMTP_RPC_BODY_SECONDS, or its end. */
    XMTP_RPC_BODY_LEN_MIN = 16 * 1024,
    XMTP_RPC_BODY_SECONDS = 30,
};

typedef struct xmtp_rpc_server_conn xmtp_rpc_server_conn;

/* Zero in a field means the default above, and in request_len_max the handler's. */
typedef struct xmtp_rpc_server_options {
    size_t request_len_max;
    size_t requests_len_max;
    size_t answers_len_max;
    uint32_t streams_max;
    uint64_t idle_ns; /* of silence until a PING; 0: the official node's 5 minutes */
    /* Asked for what is not gRPC. Without a function: such requests are refused. */
    xmtp_http_server http;
} xmtp_rpc_server_options;

/* handler is copied; alloc must outlive the connection; options may be NULL.
 * XMTP_E_NOMEM; *out is NULL then. */
xmtp_status xmtp_rpc_server_conn_new(xmtp_rpc_server_conn **out, const xmtp_alloc *alloc,
                                     const xmtp_rpc_handler *handler,
                                     const xmtp_rpc_server_options *options);

/* Calls handler.cancelled for every call that has not ended, then frees all. NULL is allowed. */
void xmtp_rpc_server_conn_free(xmtp_rpc_server_conn *conn);

/* The driver's pointer, to find the socket from a call. NULL at first. */
void **xmtp_rpc_server_conn_data(xmtp_rpc_server_conn *conn);

/* Takes all of in. Requests that became complete are handed to the handler before this returns.
 * XMTP_E_PROTOCOL, XMTP_E_NOMEM: the connection is dead; send what send still gives, then free. A
 * peer that breaks one stream only gets that stream reset, which is no failure here. */
xmtp_status xmtp_rpc_server_conn_recv(xmtp_rpc_server_conn *conn, xmtp_bytes in);

/* Writes up to capacity bytes for the peer to out and returns how many; 0: nothing to send now. May
 * call handler.writable. */
size_t xmtp_rpc_server_conn_send(xmtp_rpc_server_conn *conn, uint8_t *out, size_t capacity);

/* True when send would give something. */
bool xmtp_rpc_server_conn_has_output(const xmtp_rpc_server_conn *conn);

/* True when nothing more will be said in either direction: close the socket. */
bool xmtp_rpc_server_conn_is_done(const xmtp_rpc_server_conn *conn);

/* No new calls; running ones go on. is_done becomes true after the last. In two steps, so that no
 * call on its way is lost (RFC 9113 section 6.8): a GOAWAY that refuses nothing yet, and the final
 * one when the peer has answered a PING, so must have seen the first. */
void xmtp_rpc_server_conn_drain(xmtp_rpc_server_conn *conn);

/* After drain: the final GOAWAY now, for a peer that does not answer the PING. Running calls go on. */
void xmtp_rpc_server_conn_drain_end(xmtp_rpc_server_conn *conn);

/* The final GOAWAY at once; every running call is cancelled and ended with UNAVAILABLE. */
void xmtp_rpc_server_conn_shutdown(xmtp_rpc_server_conn *conn);

/* Keep-alive: call it now and then with a clock that never goes back. Asks the peer with a PING
 * after idle_ns of silence and gives it 20 s (the official node's figure). Resets requests
 * that come too slowly.
 * *next_ns (may be NULL) receives when to call again at the latest.
 * XMTP_E_TIMEOUT: the peer is gone; free the connection. */
xmtp_status xmtp_rpc_server_conn_tick(xmtp_rpc_server_conn *conn, uint64_t now_ns,
                                      uint64_t *next_ns);

#endif
