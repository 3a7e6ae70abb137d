/* server_call.h - a call as server_conn.c (requests in) and server_call.c (answers out) share it.
 * Private to the two.
 *
 *     RECEIVING --complete--> HANDED --xmtp_rpc_call_end--> ENDED --> stream closes, call is freed
 *         |                     '--peer resets--> handler.cancelled --> freed
 *         |--not acceptable--> ENDED (answered without the handler)
 *         '--not gRPC--> HTTP (an exchange) --xmtp_http_end--> ENDED
 */
#ifndef XMTP_RPC_SERVER_CALL_H
#define XMTP_RPC_SERVER_CALL_H

#include "rpc/keep_alive.h"
#include "rpc/list.h"
#include "rpc/send_queue.h"
#include "rpc/server_conn.h"

#include <nghttp2/nghttp2.h>

struct xmtp_rpc_server_conn {
    const xmtp_alloc *alloc;
    nghttp2_session *session;
    xmtp_rpc_handler handler;
    xmtp_rpc_server_options options; /* no zeroes */
    void *data;
    xmtp_list calls;        /* all, by link */
    xmtp_list roomy;        /* those whose writable is due, by room_link */
    size_t requests_budget; /* bytes that incomplete requests may still take */
    size_t answers_len;     /* bytes queued in all calls */
    xmtp_bytes output;      /* rest of the last frame of nghttp2, valid until it gives the next */
    xmtp_keep_alive keep_alive;
    xmtp_status failure; /* not XMTP_OK: the connection is dead */
    bool is_mute;        /* nghttp2 cannot even say goodbye */
    bool is_draining;    /* the final GOAWAY follows the next PING answer */
    bool is_inside;      /* recv or send is running */
};

typedef enum call_phase { CALL_RECEIVING, CALL_HANDED, CALL_HTTP, CALL_ENDED } call_phase;

typedef struct xmtp_h2_exchange xmtp_h2_exchange; /* http2_exchange.h */

typedef struct xmtp_h2_call {
    xmtp_rpc_call base;
    xmtp_rpc_server_conn *conn;
    xmtp_list link;
    xmtp_list room_link;
    int32_t stream_id;
    call_phase phase;

    /* request */
    xmtp_grpc_decoder decoder;
    bool has_message;
    bool is_post;
    bool is_grpc;
    bool is_path_known; /* false: too long */
    bool is_gzip;       /* messages may be compressed so */
    bool takes_messages;
    size_t headers_len;
    char path[XMTP_RPC_PATH_LEN_MAX + 1];

    /* answer */
    bool has_headers; /* response headers are submitted */
    bool was_full;    /* the queue went above the low-water mark */
    xmtp_send_queue queue;
    int grpc_status;
    char *text; /* encoded; may be NULL */
    char *error_code;

    xmtp_h2_exchange *exchange; /* NULL: a gRPC call */

    /* slow requests, see xmtp_rpc_server_conn_tick */
    uint64_t heard_len;
    uint64_t since_ns; /* 0: not looked at yet */
} xmtp_h2_call;

extern const xmtp_rpc_call_ops xmtp_h2_call_ops;

/* Frees the call and takes it from its connection. */
void xmtp_h2_call_free(xmtp_h2_call *call);

/* Ends the call in whatever phase it is. */
void xmtp_h2_call_finish(xmtp_h2_call *call, int grpc_status, const char *message,
                         const char *error_code);

/* Room for n bytes at the end of the queue, within the connection's budget. XMTP_E_LIMIT,
 * XMTP_E_NOMEM. */
xmtp_status xmtp_h2_call_extend(xmtp_h2_call *call, size_t n, uint8_t **out);

/* Moves up to capacity bytes from the queue to out; notes that there is room again. */
size_t xmtp_h2_call_take(xmtp_h2_call *call, uint8_t *out, size_t capacity);

/* Resets the stream. */
void xmtp_h2_call_abort(xmtp_h2_call *call);

/* Answers with an HTTP status other than 200 and nothing else. */
void xmtp_h2_call_end_http(xmtp_h2_call *call, const char *http_status);

#endif
