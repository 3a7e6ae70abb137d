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

#include <assert.h>
#include <stdio.h>

/* The peer cannot be told properly: reset the stream, or give up the connection. */
static void abort_stream(xmtp_rpc_call *call)
{
    if (nghttp2_submit_rst_stream(call->conn->session, NGHTTP2_FLAG_NONE, call->stream_id,
                                  NGHTTP2_INTERNAL_ERROR) != 0) {
        call->conn->failure = XMTP_E_NOMEM;
    }
}

/* --- trailers --- */

enum { TRAILERS_MAX = 3 };

static size_t list_trailers(const xmtp_rpc_call *call, char status_text[12],
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
    return n;
}

static int submit_trailers(xmtp_rpc_call *call)
{
    char status_text[12];
    nghttp2_nv fields[TRAILERS_MAX];
    size_t n = list_trailers(call, status_text, fields);
    return nghttp2_submit_trailer(call->conn->session, call->stream_id, fields, n);
}

static int submit_trailers_only(xmtp_rpc_call *call)
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

static void note_taken(xmtp_rpc_call *call, size_t n)
{
    call->conn->answers_len -= n;
    if (call->was_full && xmtp_send_queue_len(&call->queue) <= XMTP_RPC_QUEUE_LOW_WATER) {
        call->was_full = false;
        xmtp_list_remove(&call->room_link); /* it may be due already */
        xmtp_list_append(&call->conn->roomy, &call->room_link);
    }
}

static ssize_t read_answer(nghttp2_session *session, int32_t stream_id, uint8_t *out,
                           size_t capacity, uint32_t *flags, nghttp2_data_source *source,
                           void *user_data)
{
    (void)session;
    (void)stream_id;
    (void)user_data;
    xmtp_rpc_call *call = source->ptr;
    size_t n = xmtp_send_queue_take(&call->queue, call->conn->alloc, out, capacity);
    note_taken(call, n);
    if (xmtp_send_queue_len(&call->queue) > 0) {
        return (ssize_t)n;
    }
    if (call->phase == CALL_ENDED) {
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        return submit_trailers(call) == 0 ? (ssize_t)n : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    return n > 0 ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;
}

static xmtp_status submit_headers(xmtp_rpc_call *call, bool is_stream)
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
static void resume(xmtp_rpc_call *call)
{
    (void)nghttp2_session_resume_data(call->conn->session, call->stream_id);
}

xmtp_status xmtp_rpc_call_start_stream(xmtp_rpc_call *call)
{
    assert(call->phase == CALL_HANDED);
    XMTP_ENSURE(!call->has_headers, XMTP_E_STATE);
    return submit_headers(call, true);
}

static xmtp_status enqueue(xmtp_rpc_call *call, xmtp_bytes message)
{
    xmtp_rpc_server_conn *conn = call->conn;
    size_t len;
    XMTP_ENSURE(message.n <= UINT32_MAX, XMTP_E_LIMIT);
    XMTP_ENSURE(xmtp_size_add(&len, message.n, XMTP_GRPC_PREFIX_LEN), XMTP_E_LIMIT);
    XMTP_ENSURE(len <= conn->options.answers_len_max - conn->answers_len, XMTP_E_LIMIT);
    uint8_t *p = xmtp_send_queue_extend(&call->queue, conn->alloc, len);
    XMTP_ENSURE(p != NULL, XMTP_E_NOMEM);
    xmtp_grpc_prefix(p, message.n);
    xmtp_copy(p + XMTP_GRPC_PREFIX_LEN, message.p, message.n);
    conn->answers_len += len;
    call->was_full |= xmtp_send_queue_len(&call->queue) > XMTP_RPC_QUEUE_LOW_WATER;
    return XMTP_OK;
}

xmtp_status xmtp_rpc_call_message(xmtp_rpc_call *call, xmtp_bytes message)
{
    assert(call->phase == CALL_HANDED);
    XMTP_TRY(enqueue(call, message));
    if (!call->has_headers) {
        return submit_headers(call, false);
    }
    resume(call);
    return XMTP_OK;
}

size_t xmtp_rpc_call_queued(const xmtp_rpc_call *call)
{
    return xmtp_send_queue_len(&call->queue);
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

void xmtp_rpc_call_finish(xmtp_rpc_call *call, int grpc_status, const char *message,
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
        abort_stream(call);
    }
}

void xmtp_rpc_call_end(xmtp_rpc_call *call, int grpc_status, const char *message,
                       const char *error_code)
{
    if (call->phase == CALL_HANDED) { /* not so from within cancelled */
        xmtp_rpc_call_finish(call, grpc_status, message, error_code);
    }
}

void xmtp_rpc_call_end_status(xmtp_rpc_call *call, xmtp_status status, const char *text)
{
    if (status == XMTP_OK) {
        xmtp_rpc_call_end(call, XMTP_GRPC_OK, NULL, NULL);
        return;
    }
    xmtp_rpc_call_end(call, xmtp_grpc_status_out(status),
                      text == NULL ? xmtp_status_text(status) : text, xmtp_status_name(status));
}

void xmtp_rpc_call_end_http(xmtp_rpc_call *call, const char *http_status)
{
    const nghttp2_nv fields[] = {xmtp_h2_field(":status", http_status)};
    call->phase = CALL_ENDED;
    if (nghttp2_submit_response(call->conn->session, call->stream_id, fields, 1, NULL) != 0) {
        abort_stream(call);
    }
}

static void free_text(const xmtp_alloc *alloc, char *text)
{
    if (text != NULL) {
        (void)alloc->reallocate(alloc->context, text, 0);
    }
}

void xmtp_rpc_call_free(xmtp_rpc_call *call)
{
    const xmtp_alloc *alloc = call->conn->alloc;
    xmtp_list_remove(&call->link);
    xmtp_list_remove(&call->room_link);
    call->conn->answers_len -= xmtp_send_queue_len(&call->queue);
    xmtp_send_queue_free(&call->queue, alloc);
    xmtp_grpc_decoder_free(&call->decoder);
    free_text(alloc, call->text);
    free_text(alloc, call->error_code);
    (void)alloc->reallocate(alloc->context, call, 0);
}

/* --- what the handler may ask --- */

void **xmtp_rpc_call_data(xmtp_rpc_call *call)
{
    return &call->data;
}

xmtp_rpc_server_conn *xmtp_rpc_call_conn(const xmtp_rpc_call *call)
{
    return call->conn;
}

const char *xmtp_rpc_call_libxmtp_version(const xmtp_rpc_call *call)
{
    return call->libxmtp_version;
}

uint64_t xmtp_rpc_call_timeout_ns(const xmtp_rpc_call *call)
{
    return call->timeout_ns;
}
