/* client_call.c - one call as its client sees it: response fields, messages, and how it ended.
 *
 * Messages wait in a list until call_next takes them. The stream's window is given back only while
 * little waits unread, so a reader that is slow stops the node instead of filling our memory; the
 * connection's window is always given back, so that it does not stop the other calls.
 */
#include "rpc/client_call.h"

#include "base/bytes.h"
#include "base/status.h"

typedef struct message {
    xmtp_list link;
    uint8_t *p; /* NULL when empty */
    size_t n;
} message;

static void give_back(const xmtp_alloc *alloc, void *p)
{
    if (p != NULL) {
        (void)alloc->reallocate(alloc->context, p, 0);
    }
}

/* --- making and freeing --- */

static xmtp_status fill_request(xmtp_rpc_client_call *call, xmtp_bytes request)
{
    XMTP_ENSURE(request.n <= UINT32_MAX, XMTP_E_LIMIT);
    uint8_t *p =
        xmtp_send_queue_extend(&call->request, call->alloc, XMTP_GRPC_PREFIX_LEN + request.n);
    XMTP_ENSURE(p != NULL, XMTP_E_NOMEM);
    xmtp_grpc_prefix(p, request.n);
    xmtp_copy(p + XMTP_GRPC_PREFIX_LEN, request.p, request.n);
    return XMTP_OK;
}

xmtp_status xmtp_rpc_client_call_new(xmtp_rpc_client_call **out, xmtp_rpc_client_conn *conn,
                                     xmtp_bytes request)
{
    const xmtp_alloc *alloc = conn->alloc;
    *out = NULL;
    xmtp_rpc_client_call *call = alloc->reallocate(alloc->context, NULL, sizeof *call);
    XMTP_ENSURE(call != NULL, XMTP_E_NOMEM);
    *call = (xmtp_rpc_client_call){
        .alloc = alloc,
        .conn = conn,
        .is_held = true,
        .grpc_status = -1,
        .end = XMTP_E_RETRY,
    };
    xmtp_list_init(&call->messages);
    xmtp_list_append(&conn->calls, &call->link);
    xmtp_grpc_decoder_init(&call->decoder, alloc, conn->answer_len_max, NULL);
    xmtp_status status = fill_request(call, request);
    if (status != XMTP_OK) {
        xmtp_rpc_client_call_lost(call, status, NULL);
        xmtp_rpc_client_call_free(call);
        return status;
    }
    *out = call;
    return XMTP_OK;
}

static void drop_messages(xmtp_rpc_client_call *call)
{
    while (!xmtp_list_is_empty(&call->messages)) {
        message *m = XMTP_LIST_OF(call->messages.next, message, link);
        xmtp_list_remove(&m->link);
        give_back(call->alloc, m->p);
        give_back(call->alloc, m);
    }
    call->unread_len = 0;
    give_back(call->alloc, call->current);
    call->current = NULL;
    xmtp_grpc_decoder_free(&call->decoder);
}

static void destroy(xmtp_rpc_client_call *call)
{
    drop_messages(call);
    xmtp_send_queue_free(&call->request, call->alloc);
    give_back(call->alloc, call);
}

static void reset(xmtp_rpc_client_call *call)
{
    (void)nghttp2_submit_rst_stream(call->conn->session, NGHTTP2_FLAG_NONE, call->stream_id,
                                    NGHTTP2_CANCEL);
}

void xmtp_rpc_client_call_free(xmtp_rpc_client_call *call)
{
    if (call == NULL) {
        return;
    }
    call->is_held = false;
    if (call->conn == NULL) {
        destroy(call);
        return;
    }
    drop_messages(call);
    if (call->end == XMTP_E_RETRY) { /* otherwise it is reset already */
        call->end = XMTP_E_CANCELLED;
        reset(call);
    }
}

/* --- the end --- */

static void finish(xmtp_rpc_client_call *call, xmtp_status status, const char *text)
{
    if (call->end == XMTP_E_RETRY) {
        call->end = status;
        (void)xmtp_fail(&call->error, status, "%s", text == NULL ? xmtp_status_text(status) : text);
    }
}

static void finish_with_grpc_status(xmtp_rpc_client_call *call)
{
    xmtp_status status = xmtp_grpc_status_in(call->grpc_status);
    if (status == XMTP_OK && !xmtp_grpc_decoder_is_empty(&call->decoder)) {
        finish(call, XMTP_E_PROTOCOL, "node's message is cut short");
        return;
    }
    if (call->end != XMTP_E_RETRY) {
        return;
    }
    call->end = status == XMTP_OK ? XMTP_E_CLOSED : status;
    const char *name = xmtp_grpc_status_name(call->grpc_status);
    const char *colon = call->text[0] == '\0' ? "" : ": ";
    if (call->error_code[0] != '\0') {
        (void)xmtp_fail(&call->error, call->end, "%s%s%s (%s)", name, colon, call->text,
                        call->error_code);
    } else {
        (void)xmtp_fail(&call->error, call->end, "%s%s%s", name, colon, call->text);
    }
}

/* An answer of something that is not a gRPC server, such as a proxy (gRPC over HTTP/2, "HTTP2 to
 * gRPC status code mapping"). */
static void finish_with_http_status(xmtp_rpc_client_call *call)
{
    bool is_passing = call->http_status == 429 || call->http_status == 502 ||
                      call->http_status == 503 || call->http_status == 504;
    if (call->end == XMTP_E_RETRY) {
        call->end = is_passing ? XMTP_E_RPC_UNAVAILABLE : XMTP_E_PROTOCOL;
        (void)xmtp_fail(&call->error, call->end, "peer answered HTTP status %d without a gRPC one",
                        call->http_status);
    }
}

static void finish_with_reset(xmtp_rpc_client_call *call, uint32_t error_code)
{
    bool is_passing = error_code == NGHTTP2_REFUSED_STREAM || error_code == NGHTTP2_CANCEL;
    if (call->end == XMTP_E_RETRY) {
        call->end = is_passing ? XMTP_E_RPC_UNAVAILABLE : XMTP_E_PROTOCOL;
        (void)xmtp_fail(&call->error, call->end, "node reset the stream: %s",
                        nghttp2_http2_strerror(error_code));
    }
}

static void leave_conn(xmtp_rpc_client_call *call)
{
    xmtp_list_remove(&call->link);
    call->conn = NULL;
    if (!call->is_held) {
        destroy(call);
    }
}

void xmtp_rpc_client_call_closed(xmtp_rpc_client_call *call, uint32_t error_code)
{
    if (call->grpc_status >= 0) {
        finish_with_grpc_status(call);
    } else if (error_code != NGHTTP2_NO_ERROR) {
        call->was_refused = error_code == NGHTTP2_REFUSED_STREAM && call->end == XMTP_E_RETRY;
        finish_with_reset(call, error_code);
    } else {
        finish_with_http_status(call);
    }
    leave_conn(call);
}

void xmtp_rpc_client_call_unsent(xmtp_rpc_client_call *call)
{
    call->was_refused = call->end == XMTP_E_RETRY;
    finish(call, XMTP_E_RPC_UNAVAILABLE, "node takes no new calls on this connection");
    leave_conn(call);
}

void xmtp_rpc_client_call_lost(xmtp_rpc_client_call *call, xmtp_status status, const char *text)
{
    finish(call, status, text);
    leave_conn(call);
}

/* We do not like what we got: end the call for the caller, and the stream for the node. */
static void give_up(xmtp_rpc_client_call *call, xmtp_status status, const char *text)
{
    finish(call, status, text);
    reset(call);
}

/* --- response fields --- */

static int parse_http_status(xmtp_bytes value)
{
    int status = xmtp_grpc_status_parse(value);
    return value.n == 3 ? status : 0;
}

void xmtp_rpc_client_call_field(xmtp_rpc_client_call *call, xmtp_bytes name, xmtp_bytes value)
{
    static const char grpc[] = "application/grpc";
    if (xmtp_bytes_equal(name, xmtp_bytes_of_string(":status"))) {
        call->http_status = parse_http_status(value);
    } else if (xmtp_bytes_equal(name, xmtp_bytes_of_string("content-type"))) {
        call->is_grpc = value.n >= sizeof grpc - 1 && memcmp(value.p, grpc, sizeof grpc - 1) == 0;
    } else if (xmtp_bytes_equal(name, xmtp_bytes_of_string("grpc-status"))) {
        call->grpc_status = xmtp_grpc_status_parse(value);
    } else if (xmtp_bytes_equal(name, xmtp_bytes_of_string("grpc-message"))) {
        (void)xmtp_grpc_text_decode(call->text, sizeof call->text, value);
    } else if (xmtp_bytes_equal(name, xmtp_bytes_of_string("error-code"))) {
        (void)xmtp_grpc_text_decode(call->error_code, sizeof call->error_code, value);
    }
}

void xmtp_rpc_client_call_fields_end(xmtp_rpc_client_call *call)
{
    if (call->http_status != 200) {
        return; /* an interim response, or an error page: its end will tell */
    }
    call->has_headers = true;
    if (!call->is_grpc) {
        give_up(call, XMTP_E_PROTOCOL, "peer does not answer with gRPC");
    }
}

/* --- response messages --- */

static xmtp_status keep_message(xmtp_rpc_client_call *call)
{
    message *m = call->alloc->reallocate(call->alloc->context, NULL, sizeof *m);
    XMTP_ENSURE(m != NULL, XMTP_E_NOMEM);
    xmtp_grpc_decoder_take(&call->decoder, &m->p, &m->n);
    xmtp_list_append(&call->messages, &m->link);
    call->unread_len += m->n + sizeof *m;
    return XMTP_OK;
}

static xmtp_status take_data(xmtp_rpc_client_call *call, xmtp_bytes in)
{
    while (in.n > 0) {
        xmtp_status status = xmtp_grpc_decoder_feed(&call->decoder, &in);
        if (status == XMTP_OK) {
            status = keep_message(call);
        }
        if (status != XMTP_OK && status != XMTP_E_RETRY) {
            return status;
        }
    }
    return XMTP_OK;
}

static void refuse_data(xmtp_rpc_client_call *call, xmtp_status status)
{
    xmtp_grpc_decoder_free(&call->decoder);
    switch ((int)status) {
    case XMTP_E_LIMIT:
        give_up(call, status, "node's message is too large");
        return;
    case XMTP_E_UNSUPPORTED:
        give_up(call, XMTP_E_PROTOCOL, "node sent a compressed message unasked");
        return;
    case XMTP_E_PROTOCOL:
        give_up(call, status, "node's message frame is malformed");
        return;
    default:
        give_up(call, status, NULL);
    }
}

static void reopen_window(xmtp_rpc_client_call *call)
{
    if (call->conn != NULL && call->unread_len < XMTP_RPC_UNREAD_LEN_MAX) {
        (void)nghttp2_session_consume_stream(call->conn->session, call->stream_id,
                                             call->window_len);
        call->window_len = 0;
    }
}

void xmtp_rpc_client_call_data(xmtp_rpc_client_call *call, xmtp_bytes in)
{
    if (call->end != XMTP_E_RETRY || call->http_status != 200) {
        return; /* given up, or an error page */
    }
    call->window_len += in.n;
    xmtp_status status = take_data(call, in);
    if (status != XMTP_OK) {
        refuse_data(call, status);
    } else {
        reopen_window(call);
    }
}

/* --- what the caller asks --- */

bool xmtp_rpc_client_call_has_headers(const xmtp_rpc_client_call *call)
{
    return call->has_headers;
}

bool xmtp_rpc_client_call_is_over(const xmtp_rpc_client_call *call)
{
    return call->end != XMTP_E_RETRY && xmtp_list_is_empty(&call->messages);
}

bool xmtp_rpc_client_call_has_news(const xmtp_rpc_client_call *call)
{
    return !xmtp_list_is_empty(&call->messages) ||
           (call->end != XMTP_E_RETRY && !call->is_end_told);
}

bool xmtp_rpc_client_call_was_refused(const xmtp_rpc_client_call *call)
{
    return call->was_refused;
}

static xmtp_status tell_end(xmtp_rpc_client_call *call, xmtp_error *error)
{
    if (call->end != XMTP_E_RETRY) {
        call->is_end_told = true;
        if (error != NULL) {
            *error = call->error;
        }
    }
    return call->end;
}

xmtp_status xmtp_rpc_client_call_next(xmtp_rpc_client_call *call, xmtp_bytes *out,
                                      xmtp_error *error)
{
    *out = (xmtp_bytes){0};
    give_back(call->alloc, call->current);
    call->current = NULL;
    if (xmtp_list_is_empty(&call->messages)) {
        return tell_end(call, error);
    }
    message *m = XMTP_LIST_OF(call->messages.next, message, link);
    xmtp_list_remove(&m->link);
    *out = (xmtp_bytes){.p = m->p, .n = m->n};
    call->current = m->p;
    call->unread_len -= m->n + sizeof *m;
    give_back(call->alloc, m);
    reopen_window(call);
    return XMTP_OK;
}
