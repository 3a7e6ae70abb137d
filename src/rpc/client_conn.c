/* client_conn.c - one gRPC connection as its client sees it: HTTP/2 by nghttp2, what it means in
 * client_call.c.
 *
 * What this file promises: every call started is told an end exactly once (by its stream closing,
 * by the request being refused before it went out, or by the connection failing), and no byte that
 * the node sends makes us hold more than client_conn.h's limits.
 */
#include "rpc/client_conn.h"

#include "base/bytes.h"
#include "base/status.h"
#include "rpc/client_call.h"
#include "rpc/h2_memory.h"

/* As the official client. */
static const uint64_t CLIENT_IDLE_NS = UINT64_C(16) * 1000000000;
static const uint64_t CLIENT_ANSWER_NS = UINT64_C(10) * 1000000000;
static const int32_t CONN_WINDOW = INT32_MAX;

/* --- nghttp2's callbacks --- */

static xmtp_rpc_client_call *call_of(nghttp2_session *session, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(session, stream_id);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user_data)
{
    (void)flags;
    (void)user_data;
    xmtp_rpc_client_call *call = call_of(session, frame->hd.stream_id);
    if (call == NULL) {
        return 0;
    }
    call->headers_len += name_len + value_len + 32; /* as RFC 9113 section 6.5.2 counts */
    if (call->headers_len > XMTP_RPC_CLIENT_HEADERS_LEN_MAX) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    xmtp_rpc_client_call_field(call, xmtp_bytes_of(name, name_len),
                               xmtp_bytes_of(value, value_len));
    return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t stream_id,
                         const uint8_t *data, size_t len, void *user_data)
{
    (void)flags;
    (void)user_data;
    xmtp_rpc_client_call *call = call_of(session, stream_id);
    if (call != NULL) {
        xmtp_rpc_client_call_data(call, xmtp_bytes_of(data, len));
    }
    return nghttp2_session_consume_connection(session, len);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    (void)user_data;
    xmtp_rpc_client_call *call =
        frame->hd.type == NGHTTP2_HEADERS ? call_of(session, frame->hd.stream_id) : NULL;
    if (call != NULL) {
        xmtp_rpc_client_call_fields_end(call);
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error_code,
                           void *user_data)
{
    (void)user_data;
    xmtp_rpc_client_call *call = call_of(session, stream_id);
    if (call != NULL) {
        (void)nghttp2_session_set_stream_user_data(session, stream_id, NULL);
        xmtp_rpc_client_call_closed(call, error_code);
    }
    return 0;
}

/* nghttp2 gives up on a peer that breaks HTTP/2 by sending it GOAWAY with an error. */
static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    (void)session;
    xmtp_rpc_client_conn *conn = user_data;
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR &&
        conn->failure == XMTP_OK) {
        conn->failure = XMTP_E_PROTOCOL;
    }
    return 0;
}

static void end_unsent(const xmtp_rpc_client_conn *conn, xmtp_rpc_client_call *call)
{
    if (conn->failure == XMTP_OK) {
        xmtp_rpc_client_call_unsent(call);
    } else {
        xmtp_rpc_client_call_lost(call, conn->failure, "peer does not speak HTTP/2");
    }
}

/* A request that never went out, because of GOAWAY or because it was freed in time; its stream may
 * not exist yet. */
static int on_frame_not_send(nghttp2_session *session, const nghttp2_frame *frame, int code,
                             void *user_data)
{
    (void)code;
    xmtp_rpc_client_conn *conn = user_data;
    if (frame->hd.type != NGHTTP2_HEADERS) {
        return 0;
    }
    for (xmtp_list *l = conn->calls.next; l != &conn->calls; l = l->next) {
        xmtp_rpc_client_call *call = XMTP_LIST_OF(l, xmtp_rpc_client_call, link);
        if (call->stream_id == frame->hd.stream_id) {
            (void)nghttp2_session_set_stream_user_data(session, call->stream_id, NULL);
            end_unsent(conn, call);
            break;
        }
    }
    return 0;
}

/* --- making and freeing --- */

static int open_session(xmtp_rpc_client_conn *conn, nghttp2_session_callbacks *callbacks,
                        nghttp2_option *option)
{
    nghttp2_mem memory = xmtp_h2_memory(conn->alloc);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_send);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    return nghttp2_session_client_new3(&conn->session, callbacks, conn, option, &memory);
}

static int make_session(xmtp_rpc_client_conn *conn)
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

static int greet(xmtp_rpc_client_conn *conn)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, XMTP_RPC_CLIENT_STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 16384},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, XMTP_RPC_CLIENT_HEADERS_LEN_MAX},
    };
    int result = nghttp2_submit_settings(conn->session, NGHTTP2_FLAG_NONE, settings,
                                         sizeof settings / sizeof settings[0]);
    if (result != 0) {
        return result;
    }
    return nghttp2_session_set_local_window_size(conn->session, NGHTTP2_FLAG_NONE, 0, CONN_WINDOW);
}

static char *copy_string(const xmtp_alloc *alloc, const char *text)
{
    size_t n = text == NULL ? 0 : strlen(text);
    char *copy = alloc->reallocate(alloc->context, NULL, n + 1);
    if (copy != NULL) {
        xmtp_copy(copy, text, n);
        copy[n] = '\0';
    }
    return copy;
}

xmtp_status xmtp_rpc_client_conn_new(xmtp_rpc_client_conn **out, const xmtp_alloc *alloc,
                                     const xmtp_rpc_client_options *options)
{
    *out = NULL;
    xmtp_rpc_client_conn *conn = alloc->reallocate(alloc->context, NULL, sizeof *conn);
    XMTP_ENSURE(conn != NULL, XMTP_E_NOMEM);
    *conn = (xmtp_rpc_client_conn){
        .alloc = alloc,
        .authority = copy_string(alloc, options->authority),
        .app_version = copy_string(alloc, options->app_version),
        .is_tls = options->is_tls,
        .answer_len_max =
            options->answer_len_max == 0 ? XMTP_RPC_ANSWER_LEN_MAX : options->answer_len_max,
        .keep_alive = {.idle_ns = CLIENT_IDLE_NS, .answer_ns = CLIENT_ANSWER_NS},
    };
    xmtp_list_init(&conn->calls);
    if (conn->authority == NULL || conn->app_version == NULL || make_session(conn) != 0 ||
        greet(conn) != 0) {
        xmtp_rpc_client_conn_free(conn);
        return XMTP_E_NOMEM;
    }
    *out = conn;
    return XMTP_OK;
}

void xmtp_rpc_client_conn_fail(xmtp_rpc_client_conn *conn, xmtp_status status, const char *text)
{
    conn->failure = status;
    while (!xmtp_list_is_empty(&conn->calls)) {
        xmtp_rpc_client_call *call = XMTP_LIST_OF(conn->calls.next, xmtp_rpc_client_call, link);
        (void)nghttp2_session_set_stream_user_data(conn->session, call->stream_id, NULL);
        xmtp_rpc_client_call_lost(call, status, text);
    }
}

static void give_back(const xmtp_alloc *alloc, void *p)
{
    if (p != NULL) {
        (void)alloc->reallocate(alloc->context, p, 0);
    }
}

void xmtp_rpc_client_conn_free(xmtp_rpc_client_conn *conn)
{
    if (conn == NULL) {
        return;
    }
    xmtp_rpc_client_conn_fail(conn, XMTP_E_NETWORK, "connection closed");
    nghttp2_session_del(conn->session);
    give_back(conn->alloc, conn->authority);
    give_back(conn->alloc, conn->app_version);
    give_back(conn->alloc, conn);
}

/* --- starting a call --- */

static ssize_t read_request(nghttp2_session *session, int32_t stream_id, uint8_t *out,
                            size_t capacity, uint32_t *flags, nghttp2_data_source *source,
                            void *user_data)
{
    (void)source;
    (void)user_data;
    xmtp_rpc_client_call *call = call_of(session, stream_id);
    if (call == NULL) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* lost meanwhile */
    }
    size_t n = xmtp_send_queue_take(&call->request, call->alloc, out, capacity);
    if (xmtp_send_queue_len(&call->request) == 0) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)n;
}

static int32_t submit_call(xmtp_rpc_client_conn *conn, xmtp_rpc_client_call *call, const char *path,
                           const char *name, const char *value)
{
    nghttp2_nv fields[] = {
        xmtp_h2_field(":method", "POST"),
        xmtp_h2_field(":scheme", conn->is_tls ? "https" : "http"),
        xmtp_h2_field(":authority", conn->authority),
        xmtp_h2_field(":path", path),
        xmtp_h2_field("x-app-version", conn->app_version),
        xmtp_h2_field("x-libxmtp-version", XMTP_RPC_LIBXMTP_VERSION),
        xmtp_h2_field("te", "trailers"),
        xmtp_h2_field("content-type", "application/grpc"),
        xmtp_h2_field("user-agent", XMTP_RPC_USER_AGENT),
        {.name = NULL}, /* the one that may come in addition */
    };
    size_t count = sizeof fields / sizeof fields[0] - 1;
    if (name != NULL) {
        fields[count] = xmtp_h2_field(name, value);
        fields[count++].flags = NGHTTP2_NV_FLAG_NO_INDEX;
    }
    const nghttp2_data_provider provider = {.read_callback = read_request};
    return nghttp2_submit_request(conn->session, NULL, fields, count, &provider, call);
}

xmtp_status xmtp_rpc_client_call_start(xmtp_rpc_client_call **out, xmtp_rpc_client_conn *conn,
                                       const char *path, xmtp_bytes request)
{
    return xmtp_rpc_client_call_start_with(out, conn, path, request, NULL, NULL);
}

xmtp_status xmtp_rpc_client_call_start_with(xmtp_rpc_client_call **out, xmtp_rpc_client_conn *conn,
                                            const char *path, xmtp_bytes request, const char *name,
                                            const char *value)
{
    *out = NULL;
    XMTP_ENSURE(xmtp_rpc_client_conn_is_accepting(conn), XMTP_E_STATE);
    xmtp_rpc_client_call *call;
    XMTP_TRY(xmtp_rpc_client_call_new(&call, conn, request));
    call->stream_id = submit_call(conn, call, path, name, value);
    if (call->stream_id < 0) {
        xmtp_rpc_client_call_lost(call, XMTP_E_NOMEM, NULL);
        xmtp_rpc_client_call_free(call);
        return XMTP_E_NOMEM;
    }
    *out = call;
    return XMTP_OK;
}

/* --- bytes --- */

static xmtp_status failure_of(ssize_t code)
{
    return code == NGHTTP2_ERR_NOMEM ? XMTP_E_NOMEM : XMTP_E_PROTOCOL;
}

xmtp_status xmtp_rpc_client_conn_recv(xmtp_rpc_client_conn *conn, xmtp_bytes in)
{
    XMTP_TRY(conn->failure);
    if (in.n == 0) {
        return XMTP_OK;
    }
    conn->keep_alive.has_heard = true;
    ssize_t n = nghttp2_session_mem_recv(conn->session, in.p, in.n);
    if (n < 0) {
        conn->failure = failure_of(n);
    }
    return conn->failure;
}

static bool next_output(xmtp_rpc_client_conn *conn)
{
    const uint8_t *p = NULL;
    ssize_t n = nghttp2_session_mem_send(conn->session, &p);
    if (n < 0) {
        conn->failure = failure_of(n);
        conn->is_mute = true;
    }
    conn->output = n > 0 ? xmtp_bytes_of(p, (size_t)n) : (xmtp_bytes){0};
    return n > 0;
}

size_t xmtp_rpc_client_conn_send(xmtp_rpc_client_conn *conn, uint8_t *out, size_t capacity)
{
    size_t n = 0;
    while (n < capacity && (conn->output.n > 0 || (!conn->is_mute && next_output(conn)))) {
        size_t part = conn->output.n < capacity - n ? conn->output.n : capacity - n;
        memcpy(out + n, conn->output.p, part);
        conn->output.p += part;
        conn->output.n -= part;
        n += part;
    }
    return n;
}

bool xmtp_rpc_client_conn_has_output(const xmtp_rpc_client_conn *conn)
{
    return conn->output.n > 0 || (!conn->is_mute && nghttp2_session_want_write(conn->session) != 0);
}

bool xmtp_rpc_client_conn_is_accepting(const xmtp_rpc_client_conn *conn)
{
    return conn->failure == XMTP_OK && nghttp2_session_check_request_allowed(conn->session) != 0;
}

xmtp_status xmtp_rpc_client_conn_status(const xmtp_rpc_client_conn *conn)
{
    return conn->failure;
}

bool xmtp_rpc_client_conn_is_done(const xmtp_rpc_client_conn *conn)
{
    bool is_over = conn->failure != XMTP_OK || nghttp2_session_want_read(conn->session) == 0;
    return is_over && !xmtp_rpc_client_conn_has_output(conn);
}

void xmtp_rpc_client_conn_goodbye(xmtp_rpc_client_conn *conn)
{
    (void)nghttp2_session_terminate_session(conn->session, NGHTTP2_NO_ERROR);
}

xmtp_status xmtp_rpc_client_conn_tick(xmtp_rpc_client_conn *conn, uint64_t now_ns,
                                      uint64_t *next_ns)
{
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
