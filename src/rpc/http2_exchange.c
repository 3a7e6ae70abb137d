/* http2_exchange.c - see http2_exchange.h. The answer's bytes go through the call's queue and
 * budget; nghttp2 asks for them when the peer's windows allow.
 */
#include "rpc/http2_exchange.h"

#include "base/bytes.h"
#include "base/status.h"
#include "rpc/h2_memory.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- answering */

static xmtp_h2_call *call_of(const xmtp_http_exchange *x)
{
    return ((const xmtp_h2_exchange *)x)->call;
}

static ssize_t read_body(nghttp2_session *session, int32_t stream_id, uint8_t *out, size_t capacity,
                         uint32_t *flags, nghttp2_data_source *source, void *user_data)
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
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        return (ssize_t)n;
    }
    return n > 0 ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;
}

static xmtp_status respond(xmtp_http_exchange *x, int status, const xmtp_http_field *fields,
                           size_t count, uint64_t body_len)
{
    xmtp_h2_call *call = call_of(x);
    char status_text[12];
    char len_text[24];
    nghttp2_nv all[XMTP_HTTP_RESPONSE_FIELDS_MAX + 2];
    const nghttp2_data_provider provider = {.source.ptr = call, .read_callback = read_body};
    size_t n = 0;
    assert(count <= XMTP_HTTP_RESPONSE_FIELDS_MAX);
    (void)snprintf(status_text, sizeof status_text, "%d", status);
    (void)snprintf(len_text, sizeof len_text, "%llu", (unsigned long long)body_len);
    all[n++] = xmtp_h2_field(":status", status_text);
    for (size_t i = 0; i < count; i++) {
        all[n++] = xmtp_h2_field(fields[i].name, fields[i].value);
    }
    if (body_len != XMTP_HTTP_LEN_UNKNOWN) {
        all[n++] = xmtp_h2_field("content-length", len_text);
    }
    XMTP_ENSURE(nghttp2_submit_response(call->conn->session, call->stream_id, all, n, &provider) ==
                    0,
                XMTP_E_NOMEM);
    call->has_headers = true;
    return XMTP_OK;
}

static void resume(xmtp_h2_call *call)
{
    (void)nghttp2_session_resume_data(call->conn->session, call->stream_id);
}

static xmtp_status write_body(xmtp_http_exchange *x, xmtp_bytes in)
{
    xmtp_h2_call *call = call_of(x);
    uint8_t *p;
    XMTP_ENSURE(x->has_responded, XMTP_E_STATE);
    XMTP_TRY(xmtp_h2_call_extend(call, in.n, &p));
    xmtp_copy(p, in.p, in.n);
    resume(call);
    return XMTP_OK;
}

static void abort_answer(xmtp_http_exchange *x)
{
    xmtp_h2_call *call = call_of(x);
    if (call->phase == CALL_HTTP) {
        call->phase = CALL_ENDED;
        xmtp_h2_call_abort(call);
    }
}

static void end_answer(xmtp_http_exchange *x)
{
    xmtp_h2_call *call = call_of(x);
    if (call->phase != CALL_HTTP) {
        return; /* from within cancelled */
    }
    if (!x->has_responded) {
        abort_answer(x);
        return;
    }
    call->phase = CALL_ENDED;
    xmtp_list_remove(&call->room_link);
    call->was_full = false;
    resume(call);
}

static size_t queued(const xmtp_http_exchange *x)
{
    return xmtp_send_queue_len(&call_of(x)->queue);
}

static const xmtp_http_exchange_ops exchange_ops = {
    .respond = respond,
    .write = write_body,
    .end = end_answer,
    .abort = abort_answer,
    .queued = queued,
};

/* ---- making and freeing */

xmtp_h2_exchange *xmtp_h2_exchange_new(xmtp_h2_call *call)
{
    const xmtp_alloc *alloc = call->conn->alloc;
    xmtp_h2_exchange *exchange = alloc->reallocate(alloc->context, NULL, sizeof *exchange);
    if (exchange == NULL) {
        return NULL;
    }
    *exchange = (xmtp_h2_exchange){.x = {.ops = &exchange_ops,
                                         .alloc = alloc,
                                         .peer = call->conn->data,
                                         .budget = &call->conn->requests_budget},
                                   .call = call};
    xmtp_http_head_init(&exchange->x.head, alloc);
    return exchange;
}

void xmtp_h2_exchange_free(xmtp_h2_exchange *exchange)
{
    if (exchange != NULL) {
        const xmtp_alloc *alloc = exchange->x.alloc;
        xmtp_http_head_free(&exchange->x.head);
        if (exchange->target != NULL) {
            (void)alloc->reallocate(alloc->context, exchange->target, 0);
        }
        (void)alloc->reallocate(alloc->context, exchange, 0);
    }
}

/* ---- the request */

/* nghttp2 has judged names and values (RFC 9113 section 8.2); zero bytes it never lets through. */
static bool copy_text(char *out, size_t len_max, xmtp_bytes value)
{
    if (value.n > len_max) {
        return false;
    }
    xmtp_copy(out, value.p, value.n);
    out[value.n] = '\0';
    return true;
}

static void take_target(xmtp_h2_exchange *exchange, xmtp_bytes value)
{
    const xmtp_alloc *alloc = exchange->x.alloc;
    bool is_first = value.n <= XMTP_HTTP_TARGET_LEN_MAX && exchange->target == NULL;
    exchange->target =
        is_first ? alloc->reallocate(alloc->context, NULL, value.n + 1) : exchange->target;
    if (!is_first || exchange->target == NULL) {
        exchange->refusal = 414;
        return;
    }
    (void)copy_text(exchange->target, value.n, value);
}

static void start_head(xmtp_h2_exchange *exchange)
{
    xmtp_http_head *head = &exchange->x.head;
    if (head->fields_at == 0 && exchange->refusal == 0 &&
        xmtp_http_head_start(head, xmtp_bytes_of_string(exchange->method),
                             xmtp_bytes_of_string(exchange->target)) != XMTP_OK) {
        exchange->refusal = 431;
    }
}

void xmtp_h2_exchange_field(xmtp_h2_exchange *exchange, xmtp_bytes name, xmtp_bytes value)
{
    if (xmtp_bytes_equal(name, xmtp_bytes_of_string(":method"))) {
        exchange->refusal =
            copy_text(exchange->method, XMTP_HTTP_METHOD_LEN_MAX, value) ? exchange->refusal : 501;
    } else if (xmtp_bytes_equal(name, xmtp_bytes_of_string(":path"))) {
        take_target(exchange, value);
    } else if (name.n > 0 && name.p[0] != ':') {
        start_head(exchange); /* pseudo-header fields come first */
        if (exchange->refusal == 0 &&
            xmtp_http_head_field(&exchange->x.head, name, value) != XMTP_OK) {
            exchange->refusal = 431;
        }
    }
}

static uint64_t announced_len(const xmtp_http_head *head)
{
    const char *text = xmtp_http_head_get(head, "content-length"); /* digits, nghttp2 says */
    return text == NULL ? XMTP_HTTP_LEN_UNKNOWN : strtoull(text, NULL, 10);
}

void xmtp_h2_exchange_begin(xmtp_h2_call *call)
{
    xmtp_h2_exchange *exchange = call->exchange;
    const xmtp_http_server *server = &call->conn->options.http;
    start_head(exchange);
    call->phase = CALL_HTTP;
    if (exchange->refusal != 0) {
        if (xmtp_http_respond(&exchange->x, exchange->refusal, NULL, 0, 0) == XMTP_OK) {
            xmtp_http_end(&exchange->x);
        } else {
            xmtp_http_abort(&exchange->x);
        }
        return;
    }
    exchange->x.body_len = announced_len(&exchange->x.head);
    server->begin(server->context, &exchange->x);
}

void xmtp_h2_exchange_data(xmtp_h2_call *call, xmtp_bytes in)
{
    xmtp_http_exchange *x = &call->exchange->x;
    if (in.n > 0 && x->sink != NULL && x->sink->body != NULL) {
        x->sink->body(x, in);
    }
}

void xmtp_h2_exchange_complete(xmtp_h2_call *call)
{
    xmtp_http_exchange *x = &call->exchange->x;
    call->exchange->is_request_complete = true;
    if (x->sink == NULL) {
        xmtp_http_abort(x); /* a server that neither answered nor chose a sink */
    } else if (x->sink->complete != NULL) {
        x->sink->complete(x);
    }
}

void xmtp_h2_exchange_writable(xmtp_h2_call *call)
{
    xmtp_http_exchange *x = &call->exchange->x;
    if (x->sink != NULL && x->sink->writable != NULL) {
        x->sink->writable(x);
    }
}

void xmtp_h2_exchange_cancel(xmtp_h2_call *call)
{
    xmtp_http_exchange *x = &call->exchange->x;
    call->phase = CALL_ENDED; /* so that an end from within does nothing */
    if (x->sink != NULL && x->sink->cancelled != NULL) {
        x->sink->cancelled(x);
    }
}

void xmtp_h2_exchange_stop(xmtp_h2_call *call)
{
    xmtp_http_exchange *x = &call->exchange->x;
    if (x->sink != NULL && x->sink->stop != NULL) {
        x->sink->stop(x);
    }
    if (call->phase == CALL_HTTP) {
        xmtp_h2_exchange_cancel(call);
        xmtp_h2_call_abort(call);
    }
}
