/* call.h - one request and its answer as a handler sees them, whatever carried them: gRPC
 * (server_call.c), gRPC-web (web_call.c), or the HTTP gateway (node/gateway.c).
 *
 *     handler.request(call) ... xmtp_rpc_call_message, ..._end --> call->ops --> the peer's framing
 */
#ifndef XMTP_RPC_CALL_H
#define XMTP_RPC_CALL_H

#include "base/writer.h"
#include "rpc/grpc_frame.h"

#include <xmtp/base.h>

enum {
    /* One request; the official node's --max-msg-size. An attachment takes up to 25 MiB. */
    XMTP_RPC_REQUEST_LEN_MAX = 50 * 1024 * 1024,
    /* Open at once on one connection. */
    XMTP_RPC_STREAMS_MAX = 10000,
    XMTP_RPC_PATH_LEN_MAX = 127,
    XMTP_RPC_VERSION_LEN_MAX = 31,
    XMTP_RPC_START_AFTER_LEN_MAX = 47,
    XMTP_RPC_API_KEY_LEN_MAX = 63,
    XMTP_RPC_FORWARDED_LEN_MAX = 47, /* the longest address */
    XMTP_RPC_TRAILERS_MAX = 3,
    XMTP_RPC_TRAILER_LEN_MAX = 23,
    /* writable is called when a call's queue falls to this after having been above it. */
    XMTP_RPC_QUEUE_LOW_WATER = 64 * 1024,
};

/* Valid from handler.request until xmtp_rpc_call_end was called on it or handler.cancelled
 * returned, whichever comes first. */
typedef struct xmtp_rpc_call xmtp_rpc_call;

typedef struct xmtp_rpc_handler {
    void *context;

    size_t request_len_max; /* of one request; 0: XMTP_RPC_REQUEST_LEN_MAX */

    /* A complete request. path is "/package.Service/Method", both valid during this call only. The
     * handler answers now or later: messages, then xmtp_rpc_call_end exactly once. Paths it does
     * not know it ends with XMTP_GRPC_UNIMPLEMENTED. */
    void (*request)(void *context, xmtp_rpc_call *call, const char *path, xmtp_bytes request);

    /* The peer gave up this call, the connection went away, or it is being shut down. Called only
     * for calls that were passed to request and not ended yet. The call must not be used after
     * this returns; ending it in here is allowed and does nothing. */
    void (*cancelled)(void *context, xmtp_rpc_call *call);

    /* The queue of a call was above XMTP_RPC_QUEUE_LOW_WATER and is not any more. May be NULL. */
    void (*writable)(void *context, xmtp_rpc_call *call);

    /* Methods whose client sends several messages; carried by gRPC only. May be NULL. For a path of
     * which takes_messages says so, opened comes in place of request, before any message; then
     * message for each, valid during the call, and half_closed after the last. */
    bool (*takes_messages)(void *context, const char *path);
    void (*opened)(void *context, xmtp_rpc_call *call, const char *path);
    void (*message)(void *context, xmtp_rpc_call *call, xmtp_bytes message);
    void (*half_closed)(void *context, xmtp_rpc_call *call);

    /* Appends what a message of "grpc-encoding: gzip" holds; XMTP_E_LIMIT: more than len_max,
     * XMTP_E_MALFORMED: not gzip. NULL: compressed messages are refused. */
    xmtp_status (*inflate)(xmtp_bytes in, size_t len_max, xmtp_writer *out);
} xmtp_rpc_handler;

static inline size_t xmtp_rpc_request_len_max(const xmtp_rpc_handler *handler)
{
    return handler->request_len_max == 0 ? (size_t)XMTP_RPC_REQUEST_LEN_MAX
                                         : handler->request_len_max;
}

/* Sends the response headers at once, with "subscribed: true" (official clients wait for them
 * before a stream counts as open). Must be the first answer to a call. XMTP_E_NOMEM, XMTP_E_STATE.
 */
xmtp_status xmtp_rpc_call_start_stream(xmtp_rpc_call *call);

/* Queues one message (copied): a stream's next, or the answer of a unary call. Response headers go
 * first if none were sent. XMTP_E_LIMIT: the connection has XMTP_RPC_ANSWERS_LEN_MAX queued, or
 * the message is beyond 4 GiB - nothing was queued. XMTP_E_NOMEM. */
xmtp_status xmtp_rpc_call_message(xmtp_rpc_call *call, xmtp_bytes message);

/* Bytes queued and not yet given to send, framing included. */
size_t xmtp_rpc_call_queued(const xmtp_rpc_call *call);

/* Ends the call once its queue is empty. message (UTF-8) and error_code (trailer "error-code") may
 * be NULL. The call must not be used afterwards. */
void xmtp_rpc_call_end(xmtp_rpc_call *call, int grpc_status, const char *message,
                       const char *error_code);

/* xmtp_rpc_call_end with the gRPC status that belongs to our status, its name as error code and,
 * where text is NULL, its sentence. XMTP_OK ends with OK. */
void xmtp_rpc_call_end_status(xmtp_rpc_call *call, xmtp_status status, const char *text);

/* The handler's pointer of this call. NULL at first. */
void **xmtp_rpc_call_data(xmtp_rpc_call *call);

/* The driver's pointer of the connection that carries the call. */
void *xmtp_rpc_call_peer(const xmtp_rpc_call *call);

/* Header x-libxmtp-version, "" when absent or longer than XMTP_RPC_VERSION_LEN_MAX. */
const char *xmtp_rpc_call_libxmtp_version(const xmtp_rpc_call *call);

/* Header grpc-timeout in nanoseconds, UINT64_MAX when absent or malformed. Not acted upon here. */
uint64_t xmtp_rpc_call_timeout_ns(const xmtp_rpc_call *call);

/* Header x-start-after-id, "" when absent; only its first XMTP_RPC_START_AFTER_LEN_MAX bytes. */
const char *xmtp_rpc_call_start_after(const xmtp_rpc_call *call);

/* Header x-api-key, "" when absent or too long. */
const char *xmtp_rpc_call_api_key(const xmtp_rpc_call *call);

/* The last address of header x-forwarded-for, "" when absent or too long. Anybody can send one: it
 * means something only when the peer of the connection is a proxy that is trusted. */
const char *xmtp_rpc_call_forwarded(const xmtp_rpc_call *call);

/* A number to be sent with the end of the call, up to XMTP_RPC_TRAILERS_MAX. name: lower case, static
 * memory. Trailers over gRPC and gRPC-web, header fields over the gateway. */
void xmtp_rpc_call_trailer(xmtp_rpc_call *call, const char *name, uint64_t value);

/* ---- for what carries calls */

typedef struct xmtp_rpc_trailer {
    const char *name;
    char value[XMTP_RPC_TRAILER_LEN_MAX + 1];
} xmtp_rpc_trailer;

/* What the public functions above do, in one framing; end is not called twice. */
typedef struct xmtp_rpc_call_ops {
    xmtp_status (*start_stream)(xmtp_rpc_call *call);
    xmtp_status (*message)(xmtp_rpc_call *call, xmtp_bytes message);
    size_t (*queued)(const xmtp_rpc_call *call);
    void (*end)(xmtp_rpc_call *call, int grpc_status, const char *message, const char *error_code);
} xmtp_rpc_call_ops;

/* The first member of a carrier's own struct. */
struct xmtp_rpc_call {
    const xmtp_rpc_call_ops *ops;
    void *data;
    void *peer;
    uint64_t timeout_ns;
    char libxmtp_version[XMTP_RPC_VERSION_LEN_MAX + 1];
    char start_after[XMTP_RPC_START_AFTER_LEN_MAX + 1];
    char api_key[XMTP_RPC_API_KEY_LEN_MAX + 1];
    char forwarded[XMTP_RPC_FORWARDED_LEN_MAX + 1];
    xmtp_rpc_trailer trailers[XMTP_RPC_TRAILERS_MAX];
    size_t trailer_count;
};

void xmtp_rpc_call_init(xmtp_rpc_call *call, const xmtp_rpc_call_ops *ops, void *peer);

/* Takes a request's header field if it is one that calls keep. */
void xmtp_rpc_call_field(xmtp_rpc_call *call, xmtp_bytes name, xmtp_bytes value);

#endif
