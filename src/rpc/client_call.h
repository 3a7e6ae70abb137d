/* client_call.h - a call as client_conn.c (HTTP/2) and client_call.c (gRPC) share it. Private to
 * the two.
 *
 * A call has two owners: its caller until call_free, the connection until the stream closes. The
 * later of the two frees the memory:
 *
 *     conn != NULL, is_held    running
 *     conn == NULL, is_held    ended; the caller may still read it
 *     conn != NULL, !is_held   given up by the caller; RST_STREAM is on its way
 */
#ifndef XMTP_RPC_CLIENT_CALL_H
#define XMTP_RPC_CLIENT_CALL_H

#include "rpc/client_conn.h"
#include "rpc/keep_alive.h"
#include "rpc/list.h"
#include "rpc/send_queue.h"

#include <nghttp2/nghttp2.h>

struct xmtp_rpc_client_conn {
    const xmtp_alloc *alloc;
    nghttp2_session *session;
    char *authority;
    char *app_version;
    bool is_tls;
    size_t answer_len_max;
    xmtp_list calls;
    xmtp_bytes output;
    xmtp_keep_alive keep_alive;
    xmtp_status failure; /* not XMTP_OK: the connection is dead */
    bool is_mute;        /* nghttp2 cannot send any more */
};

struct xmtp_rpc_client_call {
    const xmtp_alloc *alloc;
    xmtp_rpc_client_conn *conn;
    xmtp_list link;
    int32_t stream_id;
    bool is_held;

    xmtp_send_queue request;

    /* response head and trailers */
    bool has_headers;
    bool is_grpc;
    int http_status;
    int grpc_status; /* -1: none came */
    size_t headers_len;
    char text[192];
    char error_code[32];

    /* response messages */
    xmtp_grpc_decoder decoder;
    xmtp_list messages;
    size_t unread_len; /* bytes in messages */
    size_t window_len; /* bytes of the stream's window not given back yet */
    uint8_t *current;  /* what call_next handed out last */

    xmtp_status end; /* XMTP_E_RETRY while it runs */
    bool is_end_told;
    bool was_refused;
    xmtp_error error;
};

/* --- client_call.c, called by client_conn.c --- */

xmtp_status xmtp_rpc_client_call_new(xmtp_rpc_client_call **out, xmtp_rpc_client_conn *conn,
                                     xmtp_bytes request);

/* One header or trailer field. */
void xmtp_rpc_client_call_field(xmtp_rpc_client_call *call, xmtp_bytes name, xmtp_bytes value);

/* A whole block of fields came. */
void xmtp_rpc_client_call_fields_end(xmtp_rpc_client_call *call);

void xmtp_rpc_client_call_data(xmtp_rpc_client_call *call, xmtp_bytes in);

/* The stream is closed; takes the call from its connection, and frees it if nobody holds it. */
void xmtp_rpc_client_call_closed(xmtp_rpc_client_call *call, uint32_t error_code);

/* The same for a request that was never sent. */
void xmtp_rpc_client_call_unsent(xmtp_rpc_client_call *call);

/* The same with a reason of our own. */
void xmtp_rpc_client_call_lost(xmtp_rpc_client_call *call, xmtp_status status, const char *text);

#endif
