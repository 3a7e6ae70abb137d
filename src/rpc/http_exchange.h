/* http_exchange.h - one HTTP request and its response, the same over HTTP/1.1 (http1_conn.c) and HTTP/2
 * (http2_exchange.c). What a response means is up to the sink: gRPC-web, gateway, history server.
 *
 *     head complete --> server.begin(exchange)     chooses a sink, or answers at once
 *     body bytes    --> sink.body ... sink.complete
 *     answer        <-- xmtp_http_respond, xmtp_http_write ..., xmtp_http_end
 *
 * Threads: those of the connection. From within server and sink functions all xmtp_http_* may be
 * used; the connection's recv, send, shutdown, tick and free may not.
 */
#ifndef XMTP_RPC_HTTP_EXCHANGE_H
#define XMTP_RPC_HTTP_EXCHANGE_H

#include "base/writer.h"

#include <xmtp/base.h>

enum {
    /* Request line and header fields together, as they are kept. */
    XMTP_HTTP_HEAD_LEN_MAX = 16 * 1024,
    XMTP_HTTP_FIELDS_MAX = 100,
    XMTP_HTTP_TARGET_LEN_MAX = 8 * 1024, /* ids in the query of a GET */
    XMTP_HTTP_METHOD_LEN_MAX = 16,
    /* Fields of one response. */
    XMTP_HTTP_RESPONSE_FIELDS_MAX = 16,
    /* Bytes of answers that one exchange may have queued. */
    XMTP_HTTP_QUEUE_LEN_MAX = 64 * 1024 * 1024,
};

/* For the length of a body that is not known before its end. */
#define XMTP_HTTP_LEN_UNKNOWN UINT64_MAX

/* ---- the head of a request: "method\0target\0name\0value\0..." in one buffer */

typedef struct xmtp_http_head {
    xmtp_writer text;
    size_t target_at;
    size_t fields_at;
    size_t field_count;
} xmtp_http_head;

void xmtp_http_head_init(xmtp_http_head *head, const xmtp_alloc *alloc);
void xmtp_http_head_free(xmtp_http_head *head);

/* method and target must have no zero byte (XMTP_E_MALFORMED); XMTP_E_LIMIT too long, XMTP_E_NOMEM. */
xmtp_status xmtp_http_head_start(xmtp_http_head *head, xmtp_bytes method, xmtp_bytes target);

/* Adds one field; its name is kept in lower case. XMTP_E_LIMIT: too many, too long. */
xmtp_status xmtp_http_head_field(xmtp_http_head *head, xmtp_bytes name, xmtp_bytes value);

const char *xmtp_http_head_method(const xmtp_http_head *head);
const char *xmtp_http_head_target(const xmtp_http_head *head); /* path and query */

/* The first field of this lower-case name, NULL when there is none. */
const char *xmtp_http_head_get(const xmtp_http_head *head, const char *name);

/* Case-insensitive: the media type of a field's value without its parameters. value may be NULL. */
bool xmtp_http_type_is(const char *value, const char *type);

/* ---- exchanges */

typedef struct xmtp_http_exchange xmtp_http_exchange;

typedef struct xmtp_http_field {
    const char *name; /* lower case */
    const char *value;
} xmtp_http_field;

/* Who takes the body and makes the answer. Any function may be NULL where there is nothing to do.
 */
typedef struct xmtp_http_sink {
    void (*body)(xmtp_http_exchange *x, xmtp_bytes in);
    void (*complete)(xmtp_http_exchange *x);
    /* The queue fell to XMTP_HTTP_QUEUE_LOW_WATER after having been above it. */
    void (*writable)(xmtp_http_exchange *x);
    /* The peer is gone: not called after xmtp_http_end. The exchange is dead afterwards. */
    void (*cancelled)(xmtp_http_exchange *x);
    /* The node is shutting down: end the exchange now, with words. */
    void (*stop)(xmtp_http_exchange *x);
} xmtp_http_sink;

enum { XMTP_HTTP_QUEUE_LOW_WATER = 64 * 1024 };

typedef struct xmtp_http_server {
    void *context;
    /* A request's head. Sets x->sink (and x->data), or ends the exchange at once. NULL function:
     * the connection speaks gRPC only. */
    void (*begin)(void *context, xmtp_http_exchange *x);
} xmtp_http_server;

typedef struct xmtp_http_exchange_ops {
    xmtp_status (*respond)(xmtp_http_exchange *x, int status, const xmtp_http_field *fields,
                           size_t count, uint64_t body_len);
    xmtp_status (*write)(xmtp_http_exchange *x, xmtp_bytes in);
    void (*end)(xmtp_http_exchange *x);
    void (*abort)(xmtp_http_exchange *x);
    size_t (*queued)(const xmtp_http_exchange *x);
} xmtp_http_exchange_ops;

struct xmtp_http_exchange {
    const xmtp_http_exchange_ops *ops;
    const xmtp_alloc *alloc;
    const xmtp_http_sink *sink;
    void *data;          /* the sink's */
    void *peer;          /* the driver's pointer of the connection */
    uint64_t body_len;   /* as announced, or XMTP_HTTP_LEN_UNKNOWN */
    size_t *budget;      /* bytes that unfinished requests of the connection may still hold */
    xmtp_http_head head; /* as long as the exchange */
    bool has_responded;
};

/* Sends status and fields at once. body_len: what will be written, or XMTP_HTTP_LEN_UNKNOWN. Once
 * an exchange. XMTP_E_STATE, XMTP_E_NOMEM. */
xmtp_status xmtp_http_respond(xmtp_http_exchange *x, int status, const xmtp_http_field *fields,
                              size_t count, uint64_t body_len);

/* Queues bytes of the body (copied). XMTP_E_LIMIT: XMTP_HTTP_QUEUE_LEN_MAX would be passed and
 * something is queued already; XMTP_E_NOMEM. Nothing was queued then. */
xmtp_status xmtp_http_write(xmtp_http_exchange *x, xmtp_bytes in);

/* The body is complete. The exchange must not be used afterwards. Before the request's end it
 * stops the peer from sending more. */
void xmtp_http_end(xmtp_http_exchange *x);

/* Resets the exchange so that the peer notices: a response that was begun cannot be ended well. */
void xmtp_http_abort(xmtp_http_exchange *x);

/* Bytes that wait to be taken by the peer. */
size_t xmtp_http_queued(const xmtp_http_exchange *x);

/* Responds, writes text and ends. fields may be NULL with count 0; at most
 * XMTP_HTTP_RESPONSE_FIELDS_MAX - 1, since content-type text/plain is added. */
void xmtp_http_answer(xmtp_http_exchange *x, int status, const xmtp_http_field *fields,
                      size_t count, const char *text);

/* "Not Found"; "" for numbers that nobody here sends. */
const char *xmtp_http_reason(int status);

#endif
