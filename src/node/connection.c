/* connection.c - the bytes of one connection between its socket and its xmtp_endpoint.
 *
 * One write is under way at a time; while it is, frames gather in the endpoint, which bounds
 * them. Connections that may have something to send are put on a list and flushed once per turn of
 * the loop, so that answers of one turn leave in one write.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "node/listener_internal.h"
#include "node/web.h"

#include <unistd.h>

enum { OUTPUT_LEN = 256 * 1024, KEEP_ALIVE_SECONDS = 16 };

static const uint64_t ns_per_second = 1000000000;

static const xmtp_alloc *alloc_of(const xmtp_node_connection *c)
{
    return &c->listener->node->env->alloc;
}

static void release(const xmtp_alloc *alloc, void *p)
{
    (void)alloc->reallocate(alloc->context, p, 0);
}

/* ---- closing */

static void remove_dirty(xmtp_node_connection *c)
{
    xmtp_node_connection **p = &c->listener->dirty;
    while (*p != NULL && *p != c) {
        p = &(*p)->next_dirty;
    }
    if (*p == c) {
        *p = c->next_dirty;
    }
    c->is_dirty = false;
}

static void on_closed(uv_handle_t *handle)
{
    xmtp_node_connection *c = handle->data;
    xmtp_node_listener *listener = c->listener;
    xmtp_node_count(&listener->node->metrics.connections_ended, 1);
    *c->previous = c->next;
    if (c->next != NULL) {
        c->next->previous = c->previous;
    }
    release(alloc_of(c), c->output);
    release(alloc_of(c), c);
    xmtp_node_listener_check_stopped(listener);
}

static void leave_silent(xmtp_node_connection *c)
{
    if (!xmtp_list_is_empty(&c->silent_link)) {
        xmtp_list_remove(&c->silent_link);
        c->listener->silent_count--;
    }
}

void xmtp_node_connection_close(xmtp_node_connection *c)
{
    if (c->is_closing) {
        return;
    }
    c->is_closing = true;
    xmtp_endpoint_free(c->endpoint); /* its calls are cancelled in here */
    c->endpoint = NULL;
    leave_silent(c);
    xmtp_node_seat_leave(&c->seat);
    remove_dirty(c);
    uv_close((uv_handle_t *)&c->tcp, on_closed);
}

/* ---- sending */

void xmtp_node_connection_touch(xmtp_node_connection *c)
{
    if (!c->is_dirty && !c->is_closing) {
        c->is_dirty = true;
        c->next_dirty = c->listener->dirty;
        c->listener->dirty = c;
    }
}

static void on_written(uv_write_t *request, int code)
{
    xmtp_node_connection *c = request->data;
    release(alloc_of(c), c->output);
    c->output = NULL;
    if (code < 0) {
        xmtp_node_connection_close(c);
    }
    xmtp_node_connection_touch(c);
    xmtp_node_connections_flush(c->listener);
}

static size_t fill(xmtp_node_connection *c, uint8_t *out)
{
    size_t n = 0;
    while (n < OUTPUT_LEN) {
        size_t got = xmtp_endpoint_send(c->endpoint, out + n, OUTPUT_LEN - n);
        if (got == 0) {
            break;
        }
        n += got;
    }
    return n;
}

/* Starts the write of n bytes; what the socket takes at once needs no callback. */
static xmtp_status write_output(xmtp_node_connection *c, uint8_t *output, size_t n)
{
    uv_buf_t buf = uv_buf_init((char *)output, (unsigned)n);
    int written = uv_try_write((uv_stream_t *)&c->tcp, &buf, 1);
    if (written == (int)n) {
        release(alloc_of(c), output);
        return XMTP_OK;
    }
    size_t done = written > 0 ? (size_t)written : 0;
    buf = uv_buf_init((char *)output + done, (unsigned)(n - done));
    c->output = output;
    c->write.data = c;
    return uv_write(&c->write, (uv_stream_t *)&c->tcp, &buf, 1, on_written) == 0 ? XMTP_OK
                                                                                 : XMTP_E_NETWORK;
}

static void flush(xmtp_node_connection *c)
{
    while (!c->is_closing && c->output == NULL && xmtp_endpoint_has_output(c->endpoint)) {
        uint8_t *output = alloc_of(c)->reallocate(alloc_of(c)->context, NULL, OUTPUT_LEN);
        size_t n = output == NULL ? 0 : fill(c, output);
        if (n == 0) {
            release(alloc_of(c), output);
            break;
        }
        if (write_output(c, output, n) != XMTP_OK) {
            xmtp_node_connection_close(c);
        }
    }
    if (!c->is_closing && c->output == NULL && (c->is_dead || xmtp_endpoint_is_done(c->endpoint))) {
        xmtp_node_connection_close(c);
    }
}

void xmtp_node_connections_flush(xmtp_node_listener *listener)
{
    while (listener->dirty != NULL) {
        xmtp_node_connection *c = listener->dirty;
        listener->dirty = c->next_dirty;
        c->is_dirty = false;
        flush(c);
    }
}

void xmtp_node_connection_say(xmtp_node_connection *c, xmtp_node_goodbye goodbye)
{
    static void (*const say[])(xmtp_endpoint * e) = {[XMTP_NODE_DRAIN] = xmtp_endpoint_drain,
                                                     [XMTP_NODE_DRAIN_END] =
                                                         xmtp_endpoint_drain_end,
                                                     [XMTP_NODE_SHUTDOWN] = xmtp_endpoint_shutdown};
    if (!c->is_closing) {
        say[goodbye](c->endpoint);
        xmtp_node_connection_touch(c);
    }
}

/* ---- time */

/* A peer that takes nothing at all of what it asked for holds our memory for ever. */
static bool is_stuck(xmtp_node_connection *c, uint64_t now_ns)
{
    size_t len = c->output == NULL ? 0 : uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp);
    return xmtp_stall_tick(&c->stall, len, now_ns);
}

void xmtp_node_connection_tick(xmtp_node_connection *c, uint64_t now_ns)
{
    if (c->is_closing) {
        return;
    }
    if (is_stuck(c, now_ns) || xmtp_endpoint_tick(c->endpoint, now_ns) != XMTP_OK) {
        xmtp_node_connection_close(c);
        return;
    }
    xmtp_node_connection_touch(c);
}

/* ---- receiving */

static void on_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    xmtp_node_connection *c = handle->data;
    (void)suggested;
    *buf = uv_buf_init((char *)c->listener->input, sizeof c->listener->input);
}

static void receive(xmtp_node_connection *c, xmtp_bytes in)
{
    if (xmtp_endpoint_recv(c->endpoint, in) != XMTP_OK) {
        c->is_dead = true; /* the reason is in its last frames */
        (void)uv_read_stop((uv_stream_t *)&c->tcp);
    }
    if (xmtp_endpoint_has_spoken(c->endpoint)) {
        leave_silent(c);
    }
    if (xmtp_endpoint_client(c->endpoint)[0] != '\0') {
        xmtp_node_admit_connection(c);
        if (c->is_one_too_many) {
            xmtp_node_connection_close(c);
        }
    }
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    xmtp_node_connection *c = stream->data;
    if (n < 0) {
        xmtp_node_connection_close(c);
        return;
    }
    xmtp_node_net_read_begin(c);
    receive(c, xmtp_bytes_of(buf->base, (size_t)n));
    xmtp_node_net_read_end(c->listener);
    xmtp_node_connection_touch(c);
    xmtp_node_connections_flush(c->listener);
}

void xmtp_node_connection_pause(xmtp_node_connection *c)
{
    if (c->pauses++ == 0) {
        (void)uv_read_stop((uv_stream_t *)&c->tcp);
    }
}

void xmtp_node_connection_resume(xmtp_node_connection *c)
{
    if (--c->pauses == 0 && !c->is_closing && !c->is_dead &&
        uv_read_start((uv_stream_t *)&c->tcp, on_buffer, on_read) != 0) {
        c->is_dead = true;
        xmtp_node_connection_touch(c);
    }
}

/* ---- accepting */

static void link_connection(xmtp_node_connection *c)
{
    xmtp_node_listener *listener = c->listener;
    c->next = listener->connections;
    c->previous = &listener->connections;
    if (c->next != NULL) {
        c->next->previous = &c->next;
    }
    listener->connections = c;
}

static xmtp_status take_socket(xmtp_node_connection *c, xmtp_node_socket *socket, int fd)
{
    int code = fd < 0 ? uv_accept((uv_stream_t *)&socket->tcp, (uv_stream_t *)&c->tcp)
                      : uv_tcp_open(&c->tcp, fd);
    if (code != 0 && fd >= 0) {
        (void)close(fd);
    }
    return code == 0 ? XMTP_OK : XMTP_E_NETWORK;
}

static xmtp_status start(xmtp_node_connection *c, xmtp_node_socket *socket, int fd)
{
    const xmtp_node_limits *limits = &c->listener->node->services.limits;
    bool has_grpc = (socket->protocols & (XMTP_NODE_GRPC | XMTP_NODE_VALIDATION)) != 0;
    xmtp_endpoint_options options = {.grpc = has_grpc ? xmtp_node_net_handler(c)
                                                      : (xmtp_rpc_handler){.context = NULL},
                                     .http = xmtp_node_web_server(c),
                                     .tls = c->listener->node->tls,
                                     .may_be_clear = (socket->protocols & XMTP_NODE_CLEAR) != 0,
                                     .has_proxy_header = (socket->protocols & XMTP_NODE_PROXY) != 0,
                                     .streams_max = (uint32_t)limits->connection_streams,
                                     .idle_ns = limits->ping_seconds * ns_per_second,
                                     .peer = c};
    c->protocols = socket->protocols;
    XMTP_TRY(take_socket(c, socket, fd));
    (void)uv_tcp_nodelay(&c->tcp, 1);
    (void)uv_tcp_keepalive(&c->tcp, 1, KEEP_ALIVE_SECONDS);
    XMTP_TRY(xmtp_endpoint_new(&c->endpoint, alloc_of(c), &options));
    if ((c->protocols & XMTP_NODE_PROXY) == 0) {
        xmtp_node_admit_connection(c);
        XMTP_ENSURE(!c->is_one_too_many, XMTP_E_LIMIT);
    }
    return uv_read_start((uv_stream_t *)&c->tcp, on_buffer, on_read) == 0 ? XMTP_OK
                                                                          : XMTP_E_NETWORK;
}

static void enter_silent(xmtp_node_connection *c)
{
    xmtp_node_listener *listener = c->listener;
    xmtp_list_append(&listener->silent, &c->silent_link);
    if (++listener->silent_count > listener->node->services.limits.silent_connections) {
        xmtp_node_connection_close(
            XMTP_LIST_OF(listener->silent.next, xmtp_node_connection, silent_link));
    }
}

void xmtp_node_connection_accept(xmtp_node_listener *listener, xmtp_node_socket *socket, int fd)
{
    const xmtp_alloc *alloc = &listener->node->env->alloc;
    xmtp_node_connection *c = alloc->reallocate(alloc->context, NULL, sizeof *c);
    if (c == NULL) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return; /* without fd it stays in the queue of the kernel */
    }
    *c = (xmtp_node_connection){.listener = listener};
    (void)uv_tcp_init(&listener->loop, &c->tcp);
    c->tcp.data = c;
    xmtp_list_init(&c->silent_link);
    link_connection(c);
    xmtp_node_count(&listener->node->metrics.connections, 1);
    if (start(c, socket, fd) != XMTP_OK) {
        xmtp_node_connection_close(c);
        return;
    }
    enter_silent(c);
}
