/* server_conn.c - one gRPC connection as its server sees it: HTTP/2 by nghttp2, requests assembled
 * here, answers in server_call.c.
 *
 *     recv --> nghttp2 --> on_begin_headers   a call is made
 *                          on_header          path, method, content type, version, timeout
 *                          on_data_chunk      the message grows in the call's decoder
 *                          on_frame_recv      end of the request: handler.request
 *                          on_stream_close    the call is freed; handler.cancelled if it still ran
 *     send <-- nghttp2 <-- read_answer (server_call.c)
 *
 * What this file promises: whatever bytes come, at most requests_len_max of unfinished requests are
 * held; a bad request is answered on its stream and leaves the others alone; every call that the
 * handler saw is either ended by it or cancelled, exactly once.
 * A request refused before its end is answered at once, the rest of it is dropped as it comes, and
 * the stream is then reset with NO_ERROR (RFC 9113 section 8.1), so that no memory is held for it.
 */
#include "rpc/server_conn.h"

#include "base/bytes.h"
#include "base/status.h"
#include "rpc/h2_memory.h"
#include "rpc/http2_exchange.h"
#include "rpc/server_call.h"

#include <assert.h>

/* The official node's figures. */
static const uint64_t SERVER_IDLE_NS = UINT64_C(300) * 1000000000;
static const uint64_t SERVER_ANSWER_NS = UINT64_C(20) * 1000000000;

/* RST_STREAM frames that a peer may send: so many at once, so many a second. A reset costs us
 * little more than a request; clients that host many inboxes reopen streams in bursts. */
enum { RESETS_BURST = 10000, RESETS_PER_SECOND = 1000 };

/* --- the request's head --- */

static bool field_is(xmtp_bytes field, const char *text)
{
    return xmtp_bytes_equal(field, xmtp_bytes_of_string(text));
}

/* Copies value to out of capacity bytes with a zero; false and "" when it does not fit. */
static bool copy_field(char *out, size_t capacity, xmtp_bytes value)
{
    size_t n = value.n < capacity ? value.n : 0;
    xmtp_copy(out, value.p, n);
    out[n] = '\0';
    return n == value.n;
}

/* "application/grpc" or "application/grpc+proto", parameters allowed. gRPC-web and other codecs
 * are not for us. */
static bool is_grpc_content_type(xmtp_bytes value)
{
    static const char *const accepted[] = {"application/grpc", "application/grpc+proto"};
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == ';') {
            value.n = i;
        }
    }
    return field_is(value, accepted[0]) || field_is(value, accepted[1]);
}

static void take_field(xmtp_h2_call *call, xmtp_bytes name, xmtp_bytes value)
{
    if (field_is(name, ":method")) {
        call->is_post = field_is(value, "POST");
    } else if (field_is(name, ":path")) {
        call->is_path_known = copy_field(call->path, sizeof call->path, value);
    } else if (field_is(name, "content-type")) {
        call->is_grpc = is_grpc_content_type(value);
    } else if (field_is(name, "grpc-encoding")) {
        call->is_gzip = field_is(value, "gzip");
    } else {
        xmtp_rpc_call_field(&call->base, name, value);
    }
}

/* Answers without the handler. */
static void refuse(xmtp_h2_call *call, int grpc_status, const char *text)
{
    xmtp_h2_call_finish(call, grpc_status, text, NULL);
    xmtp_grpc_decoder_free(&call->decoder);
}

/* A method that takes several messages is handed over before the first. */
static void open_messages(xmtp_h2_call *call)
{
    const xmtp_rpc_handler *handler = &call->conn->handler;
    call->decoder.accepts_compressed = call->is_gzip && handler->inflate != NULL;
    if (handler->takes_messages != NULL && handler->takes_messages(handler->context, call->path)) {
        call->takes_messages = true;
        call->phase = CALL_HANDED;
        handler->opened(handler->context, &call->base, call->path);
    }
}

/* Answers at once what need not be read to its end. */
static void check_head(xmtp_h2_call *call)
{
    bool is_call = call->is_post && call->is_grpc && call->conn->handler.request != NULL;
    if (call->exchange != NULL && !is_call) {
        xmtp_h2_exchange_begin(call);
        return;
    }
    xmtp_h2_exchange_free(call->exchange);
    call->exchange = NULL;
    if (!call->is_post) {
        xmtp_h2_call_end_http(call, "405");
    } else if (!call->is_grpc) {
        xmtp_h2_call_end_http(call, "415");
    } else if (!call->is_path_known) {
        refuse(call, XMTP_GRPC_UNIMPLEMENTED, "unknown method");
    } else {
        open_messages(call);
    }
}

/* --- the request's message --- */

static void refuse_message(xmtp_h2_call *call, xmtp_status status)
{
    switch ((int)status) {
    case XMTP_E_UNSUPPORTED:
        refuse(call, XMTP_GRPC_UNIMPLEMENTED, "compressed messages are not supported");
        return;
    case XMTP_E_LIMIT:
        refuse(call, XMTP_GRPC_RESOURCE_EXHAUSTED, "request is too large");
        return;
    case XMTP_E_NOMEM:
        refuse(call, XMTP_GRPC_RESOURCE_EXHAUSTED, "out of memory");
        return;
    default:
        refuse(call, XMTP_GRPC_INVALID_ARGUMENT, "malformed message frame");
    }
}

/* Tells the handler that a call it holds is over. */
static void cancel(xmtp_h2_call *call)
{
    const xmtp_rpc_handler *handler = &call->conn->handler;
    assert(call->phase == CALL_HANDED);
    call->phase = CALL_ENDED; /* so that an end from within does nothing */
    handler->cancelled(handler->context, &call->base);
}

static void cancel_if_running(xmtp_h2_call *call)
{
    if (call->phase == CALL_HANDED) {
        cancel(call);
    } else if (call->phase == CALL_HTTP) {
        xmtp_h2_exchange_cancel(call);
    }
}

/* Calls of which the handler knows are ended as it would have done, after it has been told. */
static void refuse_or_cancel(xmtp_h2_call *call, xmtp_status status)
{
    if (call->phase == CALL_HANDED) {
        cancel(call);
    }
    refuse_message(call, status);
}

/* The message in the decoder, which is freed; for the handler's function of this kind of call. */
static void hand_over_message(xmtp_h2_call *call, xmtp_bytes message)
{
    const xmtp_rpc_handler *handler = &call->conn->handler;
    if (call->takes_messages) {
        handler->message(handler->context, &call->base, message);
    } else {
        call->phase = CALL_HANDED;
        handler->request(handler->context, &call->base, call->path, message);
    }
}

static void inflate_and_hand_over(xmtp_h2_call *call)
{
    xmtp_rpc_server_conn *conn = call->conn;
    xmtp_writer plain;
    xmtp_writer_init(&plain, conn->alloc, conn->options.request_len_max);
    xmtp_status status = conn->handler.inflate(xmtp_grpc_decoder_message(&call->decoder),
                                               conn->options.request_len_max, &plain);
    if (status == XMTP_OK) {
        hand_over_message(call, xmtp_writer_bytes(&plain));
    } else {
        refuse_or_cancel(call, status);
    }
    xmtp_writer_free(&plain);
}

/* The call lives on after it: streams close only in recv and send. */
static void hand_over(xmtp_h2_call *call)
{
    if (xmtp_grpc_decoder_is_compressed(&call->decoder)) {
        inflate_and_hand_over(call);
    } else {
        hand_over_message(call, xmtp_grpc_decoder_message(&call->decoder));
    }
    xmtp_grpc_decoder_free(&call->decoder);
}

static bool is_taking(const xmtp_h2_call *call)
{
    return call->phase == CALL_RECEIVING || (call->phase == CALL_HANDED && call->takes_messages);
}

static void take_data(xmtp_h2_call *call, xmtp_bytes in)
{
    while (in.n > 0 && is_taking(call)) {
        if (call->has_message) {
            refuse(call, XMTP_GRPC_UNIMPLEMENTED, "more than one request message");
            return;
        }
        xmtp_status status = xmtp_grpc_decoder_feed(&call->decoder, &in);
        if (status == XMTP_OK && call->takes_messages) {
            hand_over(call);
        } else if (status == XMTP_OK) {
            call->has_message = true;
        } else if (status != XMTP_E_RETRY) {
            refuse_or_cancel(call, status);
        }
    }
}

static void end_of_request(xmtp_h2_call *call)
{
    const xmtp_rpc_handler *handler = &call->conn->handler;
    if (call->phase == CALL_HTTP) {
        xmtp_h2_exchange_complete(call);
        return;
    }
    if (call->phase == CALL_HANDED && call->takes_messages) {
        handler->half_closed(handler->context, &call->base);
        return;
    }
    if (call->phase != CALL_RECEIVING) {
        return;
    }
    if (call->has_message) {
        hand_over(call);
    } else if (xmtp_grpc_decoder_is_empty(&call->decoder)) {
        refuse(call, XMTP_GRPC_INVALID_ARGUMENT, "request has no message");
    } else {
        refuse(call, XMTP_GRPC_INVALID_ARGUMENT, "request message is cut short");
    }
}

/* --- nghttp2's callbacks --- */

static xmtp_h2_call *call_of(nghttp2_session *session, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(session, stream_id);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    xmtp_rpc_server_conn *conn = user_data;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        return 0;
    }
    xmtp_h2_call *call = conn->alloc->reallocate(conn->alloc->context, NULL, sizeof *call);
    if (call == NULL) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    *call = (xmtp_h2_call){.conn = conn, .stream_id = frame->hd.stream_id};
    xmtp_rpc_call_init(&call->base, &xmtp_h2_call_ops, conn->data);
    if (conn->options.http.begin != NULL) {
        call->exchange = xmtp_h2_exchange_new(call);
    }
    xmtp_list_append(&conn->calls, &call->link);
    xmtp_list_init(&call->room_link);
    xmtp_grpc_decoder_init(&call->decoder, conn->alloc, conn->options.request_len_max,
                           &conn->requests_budget);
    (void)nghttp2_session_set_stream_user_data(session, call->stream_id, call);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user_data)
{
    (void)flags;
    (void)user_data;
    xmtp_h2_call *call = call_of(session, frame->hd.stream_id);
    if (call == NULL || frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        return 0; /* trailers of a request mean nothing to gRPC */
    }
    call->headers_len += name_len + value_len + 32; /* as RFC 9113 section 6.5.2 counts */
    if (call->headers_len > XMTP_RPC_HEADERS_LEN_MAX) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    take_field(call, xmtp_bytes_of(name, name_len), xmtp_bytes_of(value, value_len));
    if (call->exchange != NULL) {
        xmtp_h2_exchange_field(call->exchange, xmtp_bytes_of(name, name_len),
                               xmtp_bytes_of(value, value_len));
    }
    return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t stream_id,
                         const uint8_t *data, size_t len, void *user_data)
{
    (void)flags;
    (void)user_data;
    xmtp_h2_call *call = call_of(session, stream_id);
    if (call == NULL) {
        return 0;
    }
    call->heard_len += len;
    if (call->phase == CALL_HTTP) {
        xmtp_h2_exchange_data(call, xmtp_bytes_of(data, len));
    } else {
        take_data(call, xmtp_bytes_of(data, len));
    }
    return 0;
}

static int submit_last_goaway(xmtp_rpc_server_conn *conn)
{
    conn->is_draining = false;
    int32_t last = nghttp2_session_get_last_proc_stream_id(conn->session);
    return nghttp2_submit_goaway(conn->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    xmtp_rpc_server_conn *conn = user_data;
    if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 &&
        conn->is_draining) {
        return submit_last_goaway(conn);
    }
    bool is_headers = frame->hd.type == NGHTTP2_HEADERS;
    if (!is_headers && frame->hd.type != NGHTTP2_DATA) {
        return 0;
    }
    xmtp_h2_call *call = call_of(session, frame->hd.stream_id);
    if (call == NULL) {
        return 0;
    }
    if (is_headers && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        check_head(call);
    }
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        end_of_request(call);
    }
    return 0;
}

/* After the answer to a request that was refused half-way: tell the peer to stop sending it. */
static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    (void)user_data;
    int32_t stream_id = frame->hd.stream_id;
    bool is_end = (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
                  (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (!is_end || nghttp2_session_get_stream_remote_close(session, stream_id) != 0) {
        return 0;
    }
    return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream_id, NGHTTP2_NO_ERROR);
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error_code,
                           void *user_data)
{
    (void)error_code;
    (void)user_data;
    xmtp_h2_call *call = call_of(session, stream_id);
    if (call == NULL) {
        return 0;
    }
    cancel_if_running(call);
    (void)nghttp2_session_set_stream_user_data(session, stream_id, NULL);
    xmtp_h2_call_free(call);
    return 0;
}

/* --- making and freeing --- */

static int open_session(xmtp_rpc_server_conn *conn, nghttp2_session_callbacks *callbacks,
                        nghttp2_option *option)
{
    nghttp2_mem memory = xmtp_h2_memory(conn->alloc);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_stream_reset_rate_limit(option, RESETS_BURST, RESETS_PER_SECOND);
    return nghttp2_session_server_new3(&conn->session, callbacks, conn, option, &memory);
}

static int make_session(xmtp_rpc_server_conn *conn)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    int result = nghttp2_session_callbacks_new(&callbacks);
    if (result == 0) {
        result = nghttp2_option_new(&option);
    }
    if (result == 0) {
        result = open_session(conn, callbacks, option);
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return result;
}

static int greet(xmtp_rpc_server_conn *conn)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, conn->options.streams_max},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, XMTP_RPC_STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, XMTP_RPC_HEADERS_LEN_MAX},
    };
    int result = nghttp2_submit_settings(conn->session, NGHTTP2_FLAG_NONE, settings,
                                         sizeof settings / sizeof settings[0]);
    if (result != 0) {
        return result;
    }
    return nghttp2_session_set_local_window_size(conn->session, NGHTTP2_FLAG_NONE, 0,
                                                 XMTP_RPC_CONN_WINDOW);
}

static xmtp_rpc_server_options with_defaults(const xmtp_rpc_server_options *given,
                                             const xmtp_rpc_handler *handler)
{
    xmtp_rpc_server_options o = given == NULL ? (xmtp_rpc_server_options){0} : *given;
    o.request_len_max =
        o.request_len_max == 0 ? xmtp_rpc_request_len_max(handler) : o.request_len_max;
    o.requests_len_max = o.requests_len_max == 0 ? XMTP_RPC_REQUESTS_LEN_MAX : o.requests_len_max;
    o.answers_len_max = o.answers_len_max == 0 ? XMTP_RPC_ANSWERS_LEN_MAX : o.answers_len_max;
    o.streams_max = o.streams_max == 0 ? XMTP_RPC_STREAMS_MAX : o.streams_max;
    o.idle_ns = o.idle_ns == 0 ? SERVER_IDLE_NS : o.idle_ns;
    return o;
}

xmtp_status xmtp_rpc_server_conn_new(xmtp_rpc_server_conn **out, const xmtp_alloc *alloc,
                                     const xmtp_rpc_handler *handler,
                                     const xmtp_rpc_server_options *options)
{
    *out = NULL;
    xmtp_rpc_server_conn *conn = alloc->reallocate(alloc->context, NULL, sizeof *conn);
    XMTP_ENSURE(conn != NULL, XMTP_E_NOMEM);
    *conn = (xmtp_rpc_server_conn){
        .alloc = alloc,
        .handler = *handler,
        .options = with_defaults(options, handler),
    };
    conn->keep_alive =
        (xmtp_keep_alive){.idle_ns = conn->options.idle_ns, .answer_ns = SERVER_ANSWER_NS};
    conn->requests_budget = conn->options.requests_len_max;
    xmtp_list_init(&conn->calls);
    xmtp_list_init(&conn->roomy);
    if (make_session(conn) != 0 || greet(conn) != 0) {
        xmtp_rpc_server_conn_free(conn);
        return XMTP_E_NOMEM;
    }
    *out = conn;
    return XMTP_OK;
}

/* Calls may end each other from within cancelled, but none is unlinked meanwhile. */
static void cancel_all(xmtp_rpc_server_conn *conn)
{
    for (xmtp_list *l = conn->calls.next; l != &conn->calls; l = l->next) {
        cancel_if_running(XMTP_LIST_OF(l, xmtp_h2_call, link));
    }
}

void xmtp_rpc_server_conn_free(xmtp_rpc_server_conn *conn)
{
    if (conn == NULL) {
        return;
    }
    assert(!conn->is_inside);
    cancel_all(conn);
    while (!xmtp_list_is_empty(&conn->calls)) {
        xmtp_h2_call_free(XMTP_LIST_OF(conn->calls.next, xmtp_h2_call, link));
    }
    nghttp2_session_del(conn->session);
    (void)conn->alloc->reallocate(conn->alloc->context, conn, 0);
}

void **xmtp_rpc_server_conn_data(xmtp_rpc_server_conn *conn)
{
    return &conn->data;
}

/* --- bytes --- */

static xmtp_status failure_of(ssize_t code)
{
    return code == NGHTTP2_ERR_NOMEM ? XMTP_E_NOMEM : XMTP_E_PROTOCOL;
}

xmtp_status xmtp_rpc_server_conn_recv(xmtp_rpc_server_conn *conn, xmtp_bytes in)
{
    assert(!conn->is_inside);
    XMTP_TRY(conn->failure);
    if (in.n == 0) {
        return XMTP_OK;
    }
    conn->keep_alive.has_heard = true;
    conn->is_inside = true;
    ssize_t n = nghttp2_session_mem_recv(conn->session, in.p, in.n);
    conn->is_inside = false;
    if (n < 0) {
        conn->failure = failure_of(n);
    }
    return conn->failure;
}

/* Fetches the next frame to send; false when there is none now. */
static bool next_output(xmtp_rpc_server_conn *conn)
{
    const uint8_t *p = NULL;
    conn->is_inside = true;
    ssize_t n = nghttp2_session_mem_send(conn->session, &p);
    conn->is_inside = false;
    if (n < 0) {
        conn->failure = failure_of(n);
        conn->is_mute = true;
    }
    conn->output = n > 0 ? xmtp_bytes_of(p, (size_t)n) : (xmtp_bytes){0};
    return n > 0;
}

static size_t drain_output(xmtp_rpc_server_conn *conn, uint8_t *out, size_t capacity)
{
    size_t n = conn->output.n < capacity ? conn->output.n : capacity;
    memcpy(out, conn->output.p, n);
    conn->output.p += n;
    conn->output.n -= n;
    return n;
}

/* Outside of nghttp2, so that the handler may queue more. */
static void tell_writable(xmtp_rpc_server_conn *conn)
{
    while (!xmtp_list_is_empty(&conn->roomy)) {
        xmtp_h2_call *call = XMTP_LIST_OF(conn->roomy.next, xmtp_h2_call, room_link);
        xmtp_list_remove(&call->room_link);
        if (conn->handler.writable != NULL && call->phase == CALL_HANDED) {
            conn->is_inside = true;
            conn->handler.writable(conn->handler.context, &call->base);
            conn->is_inside = false;
        } else if (call->phase == CALL_HTTP) {
            conn->is_inside = true;
            xmtp_h2_exchange_writable(call);
            conn->is_inside = false;
        }
    }
}

size_t xmtp_rpc_server_conn_send(xmtp_rpc_server_conn *conn, uint8_t *out, size_t capacity)
{
    assert(!conn->is_inside);
    size_t n = 0;
    while (n < capacity && (conn->output.n > 0 || (!conn->is_mute && next_output(conn)))) {
        n += drain_output(conn, out + n, capacity - n);
        tell_writable(conn);
    }
    return n;
}

bool xmtp_rpc_server_conn_has_output(const xmtp_rpc_server_conn *conn)
{
    return conn->output.n > 0 || (!conn->is_mute && nghttp2_session_want_write(conn->session) != 0);
}

bool xmtp_rpc_server_conn_is_done(const xmtp_rpc_server_conn *conn)
{
    bool is_over = conn->failure != XMTP_OK || nghttp2_session_want_read(conn->session) == 0;
    return is_over && !xmtp_rpc_server_conn_has_output(conn);
}

/* --- the end --- */

void xmtp_rpc_server_conn_drain(xmtp_rpc_server_conn *conn)
{
    conn->is_draining = true;
    if (nghttp2_submit_shutdown_notice(conn->session) != 0 ||
        nghttp2_submit_ping(conn->session, NGHTTP2_FLAG_NONE, NULL) != 0) {
        conn->failure = XMTP_E_NOMEM;
    }
}

void xmtp_rpc_server_conn_drain_end(xmtp_rpc_server_conn *conn)
{
    if (conn->is_draining && submit_last_goaway(conn) != 0) {
        conn->failure = XMTP_E_NOMEM;
    }
}

void xmtp_rpc_server_conn_shutdown(xmtp_rpc_server_conn *conn)
{
    assert(!conn->is_inside);
    if (submit_last_goaway(conn) != 0) {
        conn->failure = XMTP_E_NOMEM;
    }
    for (xmtp_list *l = conn->calls.next; l != &conn->calls; l = l->next) {
        xmtp_h2_call *call = XMTP_LIST_OF(l, xmtp_h2_call, link);
        bool was_running = call->phase != CALL_ENDED;
        if (call->phase == CALL_HTTP) {
            xmtp_h2_exchange_stop(call);
            continue;
        }
        if (call->phase == CALL_HANDED) {
            cancel(call);
        }
        if (was_running) {
            refuse(call, XMTP_GRPC_UNAVAILABLE, "node is shutting down");
        }
    }
}

static bool is_receiving(const xmtp_h2_call *call)
{
    return call->phase == CALL_RECEIVING ||
           (call->phase == CALL_HTTP && !call->exchange->is_request_complete);
}

/* Whoever sends a request byte by byte holds memory and a stream for it. */
static void reset_slow_requests(xmtp_rpc_server_conn *conn, uint64_t now_ns)
{
    const uint64_t limit_ns = (uint64_t)XMTP_RPC_BODY_SECONDS * 1000000000;
    for (xmtp_list *l = conn->calls.next; l != &conn->calls; l = l->next) {
        xmtp_h2_call *call = XMTP_LIST_OF(l, xmtp_h2_call, link);
        if (!is_receiving(call)) {
            continue;
        }
        if (call->since_ns == 0 || call->heard_len >= XMTP_RPC_BODY_LEN_MIN) {
            call->since_ns = now_ns;
            call->heard_len = 0;
        } else if (now_ns - call->since_ns >= limit_ns) {
            cancel_if_running(call);
            call->phase = CALL_ENDED;
            xmtp_grpc_decoder_free(&call->decoder);
            xmtp_h2_call_abort(call);
        }
    }
}

xmtp_status xmtp_rpc_server_conn_tick(xmtp_rpc_server_conn *conn, uint64_t now_ns,
                                      uint64_t *next_ns)
{
    reset_slow_requests(conn, now_ns);
    switch (xmtp_keep_alive_tick(&conn->keep_alive, now_ns, next_ns)) {
    case XMTP_KEEP_ALIVE_QUIET:
        return XMTP_OK;
    case XMTP_KEEP_ALIVE_ASK:
        return nghttp2_submit_ping(conn->session, NGHTTP2_FLAG_NONE, NULL) == 0 ? XMTP_OK
                                                                                : XMTP_E_NOMEM;
    case XMTP_KEEP_ALIVE_DEAD:
        return XMTP_E_TIMEOUT;
    }
    return XMTP_E_INTERNAL;
}
