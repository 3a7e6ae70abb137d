/* client_conn.h - the client's side of one gRPC connection: calls started here, bytes out; bytes
 * in, answers pulled from each call. No sockets, no clock, no threads.
 *
 *     start(path, request) --> call       send --> bytes --> node
 *     call_next(call) <-- messages, end   recv <-- bytes <--
 *
 * Header fields and settings are those of the official client (tonic 0.14): official-client.md
 * sections 3 and 5 of the interface notes; the user-agent is our own.
 * Threads: a connection and its calls belong to one thread.
 */
#ifndef XMTP_RPC_CLIENT_CONN_H
#define XMTP_RPC_CLIENT_CONN_H

#include "rpc/grpc_frame.h"

#include <xmtp/base.h>

#define XMTP_RPC_USER_AGENT "libxmtp-c/0.1.0"

/* Nodes answer UNIMPLEMENTED to versions they think too old, so it is the official library's
 * whose wire behaviour ours has. */
#define XMTP_RPC_LIBXMTP_VERSION "1.10.0"

enum {
    /* One answer or stream message. */
    XMTP_RPC_ANSWER_LEN_MAX = 50 * 1024 * 1024,
    XMTP_RPC_CLIENT_STREAM_WINDOW = 2 * 1024 * 1024,
    /* A stream's window is not reopened while this much waits unread, so a slow reader holds at
     * most this, one window and one message. */
    XMTP_RPC_UNREAD_LEN_MAX = 1024 * 1024,
    XMTP_RPC_CLIENT_HEADERS_LEN_MAX = 16 * 1024,
};

typedef struct xmtp_rpc_client_conn xmtp_rpc_client_conn;
typedef struct xmtp_rpc_client_call xmtp_rpc_client_call;

typedef struct xmtp_rpc_client_options {
    const char *authority;   /* "host:port" */
    const char *app_version; /* NULL: empty */
    size_t answer_len_max;   /* 0: XMTP_RPC_ANSWER_LEN_MAX */
    bool is_tls;             /* what carries the bytes encrypts them: requests say "https" */
} xmtp_rpc_client_options;

/* options are copied; alloc must outlive the connection and its calls. XMTP_E_NOMEM. */
xmtp_status xmtp_rpc_client_conn_new(xmtp_rpc_client_conn **out, const xmtp_alloc *alloc,
                                     const xmtp_rpc_client_options *options);

/* Ends what still runs with XMTP_E_NETWORK and frees the connection. Calls survive until they are
 * freed themselves: what they had received can still be read. NULL is allowed. */
void xmtp_rpc_client_conn_free(xmtp_rpc_client_conn *conn);

/* Ends all running calls with status and text, because the driver lost the peer. */
void xmtp_rpc_client_conn_fail(xmtp_rpc_client_conn *conn, xmtp_status status, const char *text);

/* Says GOAWAY, for a peer that is left on purpose. */
void xmtp_rpc_client_conn_goodbye(xmtp_rpc_client_conn *conn);

/* XMTP_E_PROTOCOL, XMTP_E_NOMEM: dead, see _fail. */
xmtp_status xmtp_rpc_client_conn_recv(xmtp_rpc_client_conn *conn, xmtp_bytes in);

/* Writes up to capacity bytes for the peer to out and returns how many; 0: nothing now. */
size_t xmtp_rpc_client_conn_send(xmtp_rpc_client_conn *conn, uint8_t *out, size_t capacity);
bool xmtp_rpc_client_conn_has_output(const xmtp_rpc_client_conn *conn);

/* New calls may be started: no GOAWAY came, and the connection is not dead. */
bool xmtp_rpc_client_conn_is_accepting(const xmtp_rpc_client_conn *conn);

/* XMTP_OK, or why the connection is dead. XMTP_E_PROTOCOL may show only after send. */
xmtp_status xmtp_rpc_client_conn_status(const xmtp_rpc_client_conn *conn);

/* Nothing more will be said in either direction: close the socket. */
bool xmtp_rpc_client_conn_is_done(const xmtp_rpc_client_conn *conn);

/* Keep-alive as the official client does it: a PING after 16 s without received bytes, also when no
 * call runs; XMTP_E_TIMEOUT 10 s later. Give it what was received before. now_ns must not go back.
 * *next_ns (may be NULL) receives when to call again at the latest. */
xmtp_status xmtp_rpc_client_conn_tick(xmtp_rpc_client_conn *conn, uint64_t now_ns,
                                      uint64_t *next_ns);

/* Starts a call, unary or server-streaming; request is copied. The call is the caller's to free.
 * XMTP_E_STATE not accepting, XMTP_E_LIMIT request beyond 4 GiB, XMTP_E_NOMEM. */
xmtp_status xmtp_rpc_client_call_start(xmtp_rpc_client_call **out, xmtp_rpc_client_conn *conn,
                                       const char *path, xmtp_bytes request);
/* The same with one more header field, lower case, which no table of the connection remembers; name
 * NULL: none. Copied. */
xmtp_status xmtp_rpc_client_call_start_with(xmtp_rpc_client_call **out, xmtp_rpc_client_conn *conn,
                                            const char *path, xmtp_bytes request, const char *name,
                                            const char *value);

/* Response headers came (a stream is open), whatever came after them. */
bool xmtp_rpc_client_call_has_headers(const xmtp_rpc_client_call *call);

/* call_next has something: a message, or an end that it has not told yet. */
bool xmtp_rpc_client_call_has_news(const xmtp_rpc_client_call *call);

/* Ended, and no message is left before the end. */
bool xmtp_rpc_client_call_is_over(const xmtp_rpc_client_call *call);

/* Ended without the node having looked at it (GOAWAY, REFUSED_STREAM): it may be started again
 * elsewhere without being done twice. */
bool xmtp_rpc_client_call_was_refused(const xmtp_rpc_client_call *call);

/* Next message (valid until the next call on this call), XMTP_E_RETRY when none is here,
 * XMTP_E_CLOSED after the last when the node ended with status 0, else why it ended, see
 * transport.h. error may be NULL. Taking messages may make output (window updates). */
xmtp_status xmtp_rpc_client_call_next(xmtp_rpc_client_call *call, xmtp_bytes *message,
                                      xmtp_error *error);

/* Resets the stream if it still runs. NULL is allowed. */
void xmtp_rpc_client_call_free(xmtp_rpc_client_call *call);

#endif
