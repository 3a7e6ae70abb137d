/* test_h2.h - an HTTP/2 client for tests that say what our own client never says: several requests
 * on one call, compressed ones, deadlines, PINGs. Blocking; every wait ends after H2_WAIT_MS.
 */
#ifndef XMTP_NODE_TEST_H2_H
#define XMTP_NODE_TEST_H2_H

#include "node/test_node.h"
#include "node/test_peer.h"
#include "rpc/grpc_frame.h"

#include <nghttp2/nghttp2.h>

enum { H2_WAIT_MS = 20000, H2_CALLS_MAX = 8 };

typedef struct h2_call {
    int32_t stream_id;
    xmtp_writer out; /* to be sent */
    size_t out_at;
    bool is_half_closed;
    bool has_headers;
    bool is_closed;
    bool is_subscribed;
    int http_status;
    int grpc_status; /* -1: none came */
    char text[256];
    xmtp_writer in; /* DATA so far */
    size_t in_at;
} h2_call;

typedef struct h2 {
    peer peer;
    nghttp2_session *session;
    h2_call calls[H2_CALLS_MAX];
    size_t call_count;
    size_t pongs;
    int goaway;           /* its error code; -1: none */
    bool is_holding_back; /* nothing is sent */
} h2;

static inline h2_call *h2_of(h2 *h, int32_t stream_id)
{
    for (size_t i = 0; i < h->call_count; i++) {
        if (h->calls[i].stream_id == stream_id) {
            return &h->calls[i];
        }
    }
    return NULL;
}

static inline int h2_on_header(nghttp2_session *session, const nghttp2_frame *frame,
                               const uint8_t *name, size_t name_len, const uint8_t *value,
                               size_t value_len, uint8_t flags, void *context)
{
    h2_call *call = h2_of(context, frame->hd.stream_id);
    (void)session;
    (void)name_len;
    (void)value_len;
    (void)flags;
    const char *text = (const char *)value; /* nghttp2 ends it with a zero */
    if (strcmp((const char *)name, ":status") == 0) {
        call->http_status = atoi(text);
    } else if (strcmp((const char *)name, "grpc-status") == 0) {
        call->grpc_status = atoi(text);
    } else if (strcmp((const char *)name, "grpc-message") == 0) {
        (void)snprintf(call->text, sizeof call->text, "%s", text);
    } else if (strcmp((const char *)name, "subscribed") == 0) {
        call->is_subscribed = strcmp(text, "true") == 0;
    }
    return 0;
}

static inline int h2_on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id,
                             const uint8_t *data, size_t len, void *context)
{
    (void)session;
    (void)flags;
    xmtp_writer_put(&h2_of(context, stream_id)->in, xmtp_bytes_of(data, len));
    return 0;
}

static inline int h2_on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    h2 *h = context;
    (void)session;
    h2_call *call = h2_of(h, frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_HEADERS && call != NULL) {
        call->has_headers = true;
    } else if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) {
        h->pongs++;
    } else if (frame->hd.type == NGHTTP2_GOAWAY) {
        h->goaway = (int)frame->goaway.error_code;
    }
    return 0;
}

static inline int h2_on_close(nghttp2_session *session, int32_t stream_id, uint32_t code,
                              void *context)
{
    (void)session;
    (void)code;
    h2_of(context, stream_id)->is_closed = true;
    return 0;
}

static inline void h2_open(h2 *h, uint16_t port)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_settings_entry window = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 28};
    memset(h, 0, sizeof *h);
    h->goaway = -1;
    h->peer = peer_open(port);
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, h2_on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, h2_on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, h2_on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, h2_on_close);
    assert_int_equal(nghttp2_session_client_new(&h->session, callbacks, h), 0);
    nghttp2_session_callbacks_del(callbacks);
    assert_int_equal(nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, &window, 1), 0);
    assert_int_equal(
        nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, 1 << 30), 0);
}

/* Makes room for other calls; all have ended. */
static inline void h2_forget_calls(h2 *h)
{
    for (size_t i = 0; i < h->call_count; i++) {
        xmtp_writer_free(&h->calls[i].in);
        xmtp_writer_free(&h->calls[i].out);
    }
    h->call_count = 0;
}

static inline void h2_close(h2 *h)
{
    h2_forget_calls(h);
    nghttp2_session_del(h->session);
    peer_close(&h->peer);
}

/* ---- moving bytes */

/* In one write. */
static inline void h2_flush(h2 *h)
{
    const uint8_t *p;
    xmtp_writer w;
    if (h->is_holding_back) {
        return;
    }
    xmtp_writer_init(&w, &test_env()->alloc, XMTP_WRITER_MAX);
    for (ssize_t n = nghttp2_session_mem_send(h->session, &p); n > 0;
         n = nghttp2_session_mem_send(h->session, &p)) {
        xmtp_writer_put(&w, xmtp_bytes_of(p, (size_t)n));
    }
    assert_int_equal(xmtp_writer_status(&w), XMTP_OK);
    assert_true(peer_say_bytes(&h->peer, w.p, w.n));
    xmtp_writer_free(&w);
}

/* Sends, and reads what comes within ms. False: nothing came. */
static inline bool h2_work(h2 *h, int ms)
{
    static uint8_t in[65536];
    struct pollfd fd = {.fd = h->peer.fd, .events = POLLIN};
    h2_flush(h);
    if (poll(&fd, 1, ms) <= 0) {
        return false;
    }
    ssize_t n = recv(h->peer.fd, in, sizeof in, 0);
    if (n <= 0) {
        return false;
    }
    assert_int_equal(nghttp2_session_mem_recv(h->session, in, (size_t)n), n);
    h2_flush(h);
    return true;
}

/* ---- calls */

static inline ssize_t h2_read(nghttp2_session *session, int32_t stream_id, uint8_t *out,
                              size_t capacity, uint32_t *flags, nghttp2_data_source *source,
                              void *context)
{
    h2_call *call = source->ptr;
    (void)session;
    (void)stream_id;
    (void)context;
    size_t rest = call->out.n - call->out_at;
    size_t n = rest < capacity ? rest : capacity;
    if (n > 0) {
        memcpy(out, call->out.p + call->out_at, n);
    }
    call->out_at += n;
    if (call->out_at == call->out.n && call->is_half_closed) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    } else if (n == 0) {
        return NGHTTP2_ERR_DEFERRED;
    }
    return (ssize_t)n;
}

static inline nghttp2_nv h2_field(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), NGHTTP2_NV_FLAG_NONE};
}

/* header: one more field, or NULL. */
static inline h2_call *h2_start(h2 *h, const char *path, const char *header, const char *value)
{
    assert_true(h->call_count < H2_CALLS_MAX);
    h2_call *call = &h->calls[h->call_count++];
    *call = (h2_call){.grpc_status = -1};
    xmtp_writer_init(&call->in, &test_env()->alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&call->out, &test_env()->alloc, XMTP_WRITER_MAX);
    nghttp2_nv fields[] = {h2_field(":method", "POST"),
                           h2_field(":scheme", "http"),
                           h2_field(":authority", "localhost"),
                           h2_field(":path", path),
                           h2_field("content-type", "application/grpc"),
                           h2_field("te", "trailers"),
                           header == NULL ? h2_field("user-agent", "test")
                                          : h2_field(header, value)};
    nghttp2_data_provider provider = {.source.ptr = call, .read_callback = h2_read};
    call->stream_id = nghttp2_submit_request(h->session, NULL, fields, 7, &provider, NULL);
    assert_true(call->stream_id > 0);
    h2_flush(h);
    return call;
}

static inline void h2_say(h2 *h, h2_call *call, uint8_t flag, xmtp_bytes message)
{
    xmtp_writer_u8(&call->out, flag);
    xmtp_writer_u32(&call->out, (uint32_t)message.n);
    xmtp_writer_put(&call->out, message);
    (void)nghttp2_session_resume_data(h->session, call->stream_id);
    h2_flush(h);
}

static inline void h2_half_close(h2 *h, h2_call *call)
{
    call->is_half_closed = true;
    (void)nghttp2_session_resume_data(h->session, call->stream_id);
    h2_flush(h);
}

/* A unary call, ended. */
static inline h2_call *h2_unary(h2 *h, const char *path, xmtp_bytes request)
{
    h2_call *call = h2_start(h, path, NULL, NULL);
    h2_say(h, call, 0, request);
    h2_half_close(h, call);
    while (!call->is_closed) {
        assert_true(h2_work(h, H2_WAIT_MS));
    }
    return call;
}

/* The next message of a call; false when it is closed before one comes. */
static inline bool h2_next(h2 *h, h2_call *call, xmtp_bytes *message)
{
    for (;;) {
        const uint8_t *p = call->in.p + call->in_at;
        size_t n = call->in.n - call->in_at;
        size_t len = n < 5 ? 0 : (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
        if (n >= 5 && n - 5 >= len) {
            *message = xmtp_bytes_of(p + 5, len);
            call->in_at += 5 + len;
            return true;
        }
        if (call->is_closed) {
            return false;
        }
        assert_true(h2_work(h, H2_WAIT_MS));
    }
}

static inline void h2_wait_end(h2 *h, h2_call *call)
{
    while (!call->is_closed) {
        assert_true(h2_work(h, H2_WAIT_MS));
    }
}

#endif
