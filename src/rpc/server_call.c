/* server_call.c - answering a call: response headers, queued messages, trailers.
 *
 * A call that has a message or is a stream is answered in three parts, one without a message in one
 * (gRPC calls that "Trailers-Only"):
 *
 *     HEADERS :status 200, content-type     [subscribed: true for streams]
 *     DATA    message message ...
 *     HEADERS grpc-status, grpc-message, error-code              END_STREAM
 *
 * nghttp2 asks for DATA when the peer's windows allow some (read_answer). When the queue is empty
 * it is told to wait, and woken by the next message or by the end.
 */
#include "rpc/server_call.h"

#include "base/bytes.h"
#include "base/status.h"
#include "rpc/h2_memory.h"
#include "rpc/http2_exchange.h"

#include <assert.h>
#include <stdio.h>

/* The peer cannot be told properly: reset the stream, or give up the connection. */
void xmtp_h2_call_abort(xmtp_h2_call *call)
{
    if (nghttp2_submit_rst_stream(call->conn->session, NGHTTP2_FLAG_NONE, call->stream_id,
                                  NGHTTP2_INTERNAL_ERROR) != 0) {
        call->conn->failure = XMTP_E_NOMEM;
    }
}

/* --- trailers --- */

enum { TRAILERS_MAX = 3 + XMTP_RPC_TRAILERS_MAX };

static size_t list_trailers(const xmtp_h2_call *call, char status_text[12],
                            nghttp2_nv out[TRAILERS_MAX])
{
    size_t n = 0;
    (void)snprintf(status_text, 12, "%d", call->grpc_status);
    out[n++] = xmtp_h2_field("grpc-status", status_text);
    if (call->text != NULL) {
        out[n++] = xmtp_h2_field("grpc-message", call->text);
    }
    if (call->error_code != NULL) {
        out[n++] = xmtp_h2_field("error-code", call->error_code);
    }
    for (size_t i = 0; i < call->base.trailer_count; i++) {
        out[n++] = xmtp_h2_field(call->base.trailers[i].name, call->base.trailers[i].value);
    }
    return n;
}

static int submit_trailers(xmtp_h2_call *call)
{
    char status_text[12];
    nghttp2_nv fields[TRAILERS_MAX];
    size_t n = list_trailers(call, status_text, fields);
    return nghttp2_submit_trailer(call->conn->session, call->stream_id, fields, n);
}

static int submit_trailers_only(xmtp_h2_call *call)
{
    char status_text[12];
    nghttp2_nv fields[2 + TRAILERS_MAX] = {
        xmtp_h2_field(":status", "200"),
        xmtp_h2_field("content-type", "application/grpc"),
    };
    size_t n = 2 + list_trailers(call, status_text, fields + 2);
    return nghttp2_submit_response(call->conn->session, call->stream_id, fields, n, NULL);
}

/* --- messages --- */

static void note_taken(xmtp_h2_call *call, size_t n)
{
    call->conn->answers_len -= n;
    if (call->was_full && xmtp_send_queue_len(&call->queue) <= XMTP_RPC_QUEUE_LOW_WATER) {
        call->was_full = false;
        xmtp_list_remove(&call->room_link); /* it may be due already */
        xmtp_list_append(&call->conn->roomy, &call->room_link);
    }
}

size_t xmtp_h2_call_take(xmtp_h2_call *call, uint8_t *out, size_t capacity)
{
    size_t n = xmtp_send_queue_take(&call->queue, call->conn->alloc, out, capacity);
    note_taken(call, n);
    return n;
}

static ssize_t read_answer(nghttp2_session *session, int32_t stream_id, uint8_t *out,
                           size_t capacity, uint32_t *flags, nghttp2_data_source *source,
                           void *user_data)
{
    (void)session;
    (void)stream_id;
    (void)user_data;
    xmtp_h2_call *call = source->ptr;
    size_t n = xmtp_h2_call_take(call, out, capacity);
    if (xmtp_send_queue_len(&call->queue) > 0) {
        return (ssize_t)n;
    }
    if (call->phase == CALL_ENDED) {
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        return submit_trailers(call) == 0 ? (ssize_t)n : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    return n > 0 ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;
}

static xmtp_status submit_headers(xmtp_h2_call *call, bool is_stream)
{
    const nghttp2_nv fields[] = {
        xmtp_h2_field(":status", "200"),
        xmtp_h2_field("content-type", "application/grpc"),
        xmtp_h2_field("subscribed", "true"),
    };
    const nghttp2_data_provider provider = {.source.ptr = call, .read_callback = read_answer};
    XMTP_ENSURE(nghttp2_submit_response(call->conn->session, call->stream_id, fields,
                                        is_stream ? 3 : 2, &provider) == 0,
                XMTP_E_NOMEM);
    call->has_headers = true;
    return XMTP_OK;
}

/* Not waiting is no failure. */
static void resume(xmtp_h2_call *call)
{
    (void)nghttp2_session_resume_data(call->conn->session, call->stream_id);
}

/* The calls of this file begin with the part that all calls have. */
static xmtp_h2_call *h2_call(xmtp_rpc_call *base)
{
    return (xmtp_h2_call *)base;
}

static xmtp_status start_stream(xmtp_rpc_call *base)
{
    xmtp_h2_call *call = h2_call(base);
    assert(call->phase == CALL_HANDED);
    XMTP_ENSURE(!call->has_headers, XMTP_E_STATE);
    return submit_headers(call, true);
}

xmtp_status xmtp_h2_call_extend(xmtp_h2_call *call, size_t n, uint8_t **out)
{
    xmtp_rpc_server_conn *conn = call->conn;
    XMTP_ENSURE(n <= conn->options.answers_len_max - conn->answers_len, XMTP_E_LIMIT);
    *out = xmtp_send_queue_extend(&call->queue, conn->alloc, n);
    XMTP_ENSURE(*out != NULL, XMTP_E_NOMEM);
    conn->answers_len += n;
    call->was_full |= xmtp_send_queue_len(&call->queue) > XMTP_RPC_QUEUE_LOW_WATER;
    return XMTP_OK;
}

static xmtp_status enqueue(xmtp_h2_call *call, xmtp_bytes message)
{
    size_t len;
    uint8_t *p;
    XMTP_ENSURE(message.n <= UINT32_MAX, XMTP_E_LIMIT);
    XMTP_ENSURE(xmtp_size_add(&len, message.n, XMTP_GRPC_PREFIX_LEN), XMTP_E_LIMIT);
    XMTP_TRY(xmtp_h2_call_extend(call, len, &p));
    xmtp_grpc_prefix(p, message.n);
    xmtp_copy(p + XMTP_GRPC_PREFIX_LEN, message.p, message.n);
    return XMTP_OK;
}

static xmtp_status send_message(xmtp_rpc_call *base, xmtp_bytes message)
{
    xmtp_h2_call *call = h2_call(base);
    assert(call->phase == CALL_HANDED);
    XMTP_TRY(enqueue(call, message));
    if (!call->has_headers) {
        return submit_headers(call, false);
    }
    resume(call);
    return XMTP_OK;
}

static size_t queued(const xmtp_rpc_call *base)
{
    return xmtp_send_queue_len(&((const xmtp_h2_call *)base)->queue);
}

/* --- the end --- */

/* A copy fit for a header; NULL when there is no text, or no memory for it: the status matters
 * more than its words. */
static char *encode_text(const xmtp_alloc *alloc, const char *text)
{
    char encoded[XMTP_GRPC_TEXT_MAX];
    size_t n = xmtp_grpc_text_encode(encoded, sizeof encoded, xmtp_bytes_of_string(text));
    char *copy = n == 0 ? NULL : alloc->reallocate(alloc->context, NULL, n + 1);
    if (copy != NULL) {
        memcpy(copy, encoded, n + 1);
    }
    return copy;
}

void xmtp_h2_call_finish(xmtp_h2_call *call, int grpc_status, const char *message,
                         const char *error_code)
{
    call->phase = CALL_ENDED;
    call->grpc_status = grpc_status;
    call->text = encode_text(call->conn->alloc, message);
    call->error_code = encode_text(call->conn->alloc, error_code);
    xmtp_list_remove(&call->room_link);
    call->was_full = false;
    if (call->has_headers) {
        resume(call);
    } else if (submit_trailers_only(call) != 0) {
        xmtp_h2_call_abort(call);
    }
}

static void end_call(xmtp_rpc_call *base, int grpc_status, const char *message,
                     const char *error_code)
{
    xmtp_h2_call *call = h2_call(base);
    if (call->phase == CALL_HANDED) { /* not so from within cancelled */
        xmtp_h2_call_finish(call, grpc_status, message, error_code);
    }
}

const xmtp_rpc_call_ops xmtp_h2_call_ops = {
    .start_stream = start_stream,
    .message = send_message,
    .queued = queued,
    .end = end_call,
};

void xmtp_h2_call_end_http(xmtp_h2_call *call, const char *http_status)
{
    const nghttp2_nv fields[] = {xmtp_h2_field(":status", http_status)};
    call->phase = CALL_ENDED;
    if (nghttp2_submit_response(call->conn->session, call->stream_id, fields, 1, NULL) != 0) {
        xmtp_h2_call_abort(call);
    }
}

static void free_text(const xmtp_alloc *alloc, char *text)
{
    if (text != NULL) {
        (void)alloc->reallocate(alloc->context, text, 0);
    }
}

void xmtp_h2_call_free(xmtp_h2_call *call)
{
    const xmtp_alloc *alloc = call->conn->alloc;
    xmtp_list_remove(&call->link);
    xmtp_list_remove(&call->room_link);
    call->conn->answers_len -= xmtp_send_queue_len(&call->queue);
    xmtp_send_queue_free(&call->queue, alloc);
    xmtp_grpc_decoder_free(&call->decoder);
    free_text(alloc, call->text);
    free_text(alloc, call->error_code);
    xmtp_h2_exchange_free(call->exchange);
    (void)alloc->reallocate(alloc->context, call, 0);
}
