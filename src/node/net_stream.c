/* net_stream.c - streams that came over the network: a feed whose messages are sent as fast as the
 * peer takes them.
 *
 *     worker: open the feed, read what lies behind its cursors --> batch
 *     loop:   batch --> rpc call; feed that is live --> batch --> rpc call
 *
 * A feed is used by the loop, or by one worker while the stream is away. What would wait for the
 * disk or take long is done by the worker; what was published just now, by the loop. A stream is
 * filled until QUEUE_LEN_HIGH bytes wait for the peer, and again when they went down: a slow reader
 * costs that, one batch and its tap, and no more.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "node/listener_internal.h"
#include "node/stream.h"

#include <string.h>

enum {
    QUEUE_LEN_HIGH = 4 * XMTP_RPC_QUEUE_LOW_WATER,
    PREFIX_LEN = 4,
    INBOX_LEN_MAX = 64 * 1024 * 1024
};

struct xmtp_node_net_stream {
    xmtp_node_net_kind kind; /* first */
    xmtp_node_listener *listener;
    xmtp_rpc_call *rpc; /* NULL: given up by the peer */
    xmtp_node_feed *feed;
    xmtp_list link;
    uint64_t deadline_ms;
    bool is_open;  /* response headers are sent */
    bool has_more; /* the feed may have something */

    /* Of whoever has the feed. */
    xmtp_writer batch; /* length and message, again and again */
    size_t batch_at;
    xmtp_status status; /* of the last next */
    xmtp_error error;

    /* Requests of a stream that takes several: length and message, again and again. */
    xmtp_writer inbox;
    xmtp_writer working; /* of the worker */
    bool is_half_closed;
    bool worker_sees_half_close;
    bool was_half_closed; /* the feed knows */

    bool is_away; /* a worker has the feed */
    xmtp_node_errand errand;
    unsigned protocols;
    xmtp_node_seat seat; /* of its address */
    char path[XMTP_RPC_PATH_LEN_MAX + 1];
    uint8_t *request; /* until it is open */
    size_t request_len;
    char start_after[XMTP_RPC_START_AFTER_LEN_MAX + 1];

    bool is_listed; /* in the listener's ready list; under its lock */
    xmtp_node_net_stream *next;
};

static void *allocate(const xmtp_node_listener *listener, void *p, size_t n)
{
    const xmtp_alloc *alloc = &listener->node->env->alloc;
    return alloc->reallocate(alloc->context, p, n);
}

/* ---- the end */

static void leave_ready_list(xmtp_node_net_stream *stream)
{
    xmtp_node_listener *listener = stream->listener;
    (void)pthread_mutex_lock(&listener->lock);
    for (xmtp_node_net_stream **p = &listener->ready; stream->is_listed; p = &(*p)->next) {
        if (*p == stream) {
            *p = stream->next;
            stream->is_listed = false;
            break;
        }
    }
    (void)pthread_mutex_unlock(&listener->lock);
}

static void destroy(xmtp_node_net_stream *stream)
{
    xmtp_node_listener *listener = stream->listener;
    xmtp_node_feed_free(stream->feed); /* ready is not called after this */
    leave_ready_list(stream);
    xmtp_node_seat_leave(&stream->seat);
    xmtp_list_remove(&stream->link);
    xmtp_node_count(&listener->node->metrics.streams_ended, 1);
    xmtp_writer_free(&stream->batch);
    xmtp_writer_free(&stream->inbox);
    xmtp_writer_free(&stream->working);
    (void)allocate(listener, stream->request, 0);
    (void)allocate(listener, stream, 0);
}

static void end_stream(xmtp_node_net_stream *stream, xmtp_status status, const xmtp_error *error)
{
    xmtp_rpc_call *rpc = stream->rpc;
    xmtp_error why = *error;
    destroy(stream);
    xmtp_rpc_call_end_status(rpc, status == XMTP_E_CLOSED ? XMTP_OK : status,
                             why.text[0] == '\0' ? NULL : why.text);
}

/* ---- away */

static size_t read_prefix(const uint8_t p[PREFIX_LEN])
{
    return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

static void write_prefix(uint8_t p[PREFIX_LEN], size_t n)
{
    for (size_t i = 0; i < PREFIX_LEN; i++) {
        p[i] = (uint8_t)(n >> (24 - 8 * i));
    }
}

/* Appends messages to the batch until it is full or the feed has none. */
static void fill(xmtp_node_net_stream *stream)
{
    xmtp_writer *batch = &stream->batch;
    stream->status = XMTP_OK;
    while (stream->status == XMTP_OK && batch->n < QUEUE_LEN_HIGH) {
        size_t mark = batch->n;
        xmtp_writer_u32(batch, 0);
        stream->status = xmtp_node_feed_next(stream->feed, batch, &stream->error);
        if (stream->status != XMTP_OK) {
            batch->n = mark;
            break;
        }
        write_prefix(batch->p + mark, batch->n - mark - PREFIX_LEN);
    }
}

/* Gives the feed what the peer has asked in the meantime. */
static void work_on_requests(xmtp_node_net_stream *stream)
{
    const xmtp_node_feed_ops *ops = stream->feed->ops;
    const xmtp_writer *w = &stream->working;
    for (size_t at = 0; at < w->n && stream->status == XMTP_OK;) {
        size_t n = read_prefix(w->p + at);
        xmtp_bytes request = xmtp_bytes_of(w->p + at + PREFIX_LEN, n);
        stream->status = ops->request(stream->feed, request, &stream->error);
        at += PREFIX_LEN + n;
    }
    xmtp_writer_free(&stream->working);
    if (stream->status == XMTP_OK && stream->worker_sees_half_close && !stream->was_half_closed) {
        stream->was_half_closed = true;
        ops->half_close(stream->feed);
    }
}

static void stream_ready(void *context)
{
    xmtp_node_net_stream *stream = context;
    xmtp_node_listener *listener = stream->listener;
    (void)pthread_mutex_lock(&listener->lock);
    if (!stream->is_listed) {
        stream->is_listed = true;
        stream->next = listener->ready;
        listener->ready = stream;
        (void)uv_async_send(&listener->async);
    }
    (void)pthread_mutex_unlock(&listener->lock);
}

static xmtp_node_net_stream *stream_of(xmtp_node_errand *errand)
{
    return (xmtp_node_net_stream *)((uint8_t *)errand - offsetof(xmtp_node_net_stream, errand));
}

/* In a worker. */
static void work(xmtp_node_errand *errand)
{
    xmtp_node_net_stream *stream = stream_of(errand);
    stream->status = XMTP_OK;
    if (stream->feed == NULL) {
        xmtp_node_stream_request asked = {.path = stream->path,
                                          .request =
                                              xmtp_bytes_of(stream->request, stream->request_len),
                                          .protocols = stream->protocols,
                                          .start_after = stream->start_after,
                                          .context = stream,
                                          .ready = stream_ready};
        stream->status =
            xmtp_node_stream_open(stream->listener->node, &asked, &stream->feed, &stream->error);
    }
    if (stream->status == XMTP_OK && stream->feed->ops->request != NULL) {
        work_on_requests(stream);
    }
    if (stream->status == XMTP_OK) {
        fill(stream);
    }
}

static void go_away(xmtp_node_net_stream *stream)
{
    stream->is_away = true;
    stream->has_more = false;
    stream->working = stream->inbox;
    xmtp_writer_init(&stream->inbox, &stream->listener->node->env->alloc, XMTP_WRITER_MAX);
    stream->worker_sees_half_close = stream->is_half_closed;
    xmtp_node_errand_send(stream->listener, &stream->errand);
}

/* ---- in the loop */

/* False: the rest has to wait, until the call is writable or the next tick. */
static bool send_batch(xmtp_node_net_stream *stream)
{
    xmtp_writer *batch = &stream->batch;
    while (stream->batch_at < batch->n) {
        const uint8_t *p = batch->p + stream->batch_at;
        size_t n = read_prefix(p);
        if (xmtp_rpc_call_queued(stream->rpc) >= QUEUE_LEN_HIGH ||
            xmtp_rpc_call_message(stream->rpc, xmtp_bytes_of(p + PREFIX_LEN, n)) != XMTP_OK) {
            return false;
        }
        stream->batch_at += PREFIX_LEN + n;
    }
    stream->batch_at = 0;
    xmtp_writer_free(batch);
    return true;
}

static bool has_ended(const xmtp_node_net_stream *stream)
{
    return stream->status != XMTP_OK && stream->status != XMTP_E_RETRY;
}

static bool has_requests(const xmtp_node_net_stream *stream)
{
    return stream->inbox.n > 0 || (stream->is_half_closed && !stream->was_half_closed);
}

/* Sends what there is; may free the stream. */
static void pump(xmtp_node_net_stream *stream)
{
    xmtp_node_connection_touch(xmtp_rpc_call_peer(stream->rpc));
    while (send_batch(stream)) {
        if (has_ended(stream)) {
            end_stream(stream, stream->status, &stream->error);
            return;
        }
        if (has_requests(stream)) {
            go_away(stream);
            return;
        }
        if (!stream->has_more || xmtp_rpc_call_queued(stream->rpc) >= QUEUE_LEN_HIGH) {
            return;
        }
        if (!xmtp_node_feed_is_quick(stream->feed)) {
            go_away(stream);
            return;
        }
        fill(stream);
        stream->has_more = stream->status == XMTP_OK;
    }
}

static void returned(xmtp_node_errand *errand)
{
    xmtp_node_net_stream *stream = stream_of(errand);
    stream->is_away = false;
    if (stream->rpc == NULL) {
        destroy(stream);
        return;
    }
    stream->has_more |= stream->status == XMTP_OK;
    if (!stream->is_open && stream->feed != NULL) {
        stream->is_open = true;
        (void)allocate(stream->listener, stream->request, 0);
        stream->request = NULL;
        xmtp_status status = xmtp_rpc_call_start_stream(stream->rpc);
        if (status != XMTP_OK) {
            end_stream(stream, status, &stream->error);
            return;
        }
    }
    pump(stream);
}

void xmtp_node_net_stream_start(xmtp_node_listener *listener, xmtp_rpc_call *rpc, const char *path,
                                xmtp_bytes request, xmtp_node_seat *seat)
{
    const xmtp_node_connection *connection = xmtp_rpc_call_peer(rpc);
    xmtp_node_net_stream *stream = allocate(listener, NULL, sizeof *stream);
    uint8_t *copy = stream == NULL ? NULL : allocate(listener, NULL, request.n + 1);
    if (copy == NULL) {
        (void)allocate(listener, stream, 0);
        xmtp_node_seat_leave(seat);
        xmtp_rpc_call_end_status(rpc, XMTP_E_NOMEM, NULL);
        return;
    }
    *stream = (xmtp_node_net_stream){.kind = XMTP_NODE_NET_STREAM,
                                     .listener = listener,
                                     .rpc = rpc,
                                     .errand = {.run = work, .done = returned},
                                     .protocols = connection->protocols,
                                     .seat = *seat,
                                     .request = copy,
                                     .request_len = request.n};
    xmtp_copy(copy, request.p, request.n);
    memcpy(stream->path, path, strlen(path) + 1);
    memcpy(stream->start_after, xmtp_rpc_call_start_after(rpc), sizeof stream->start_after);
    xmtp_writer_init(&stream->inbox, &listener->node->env->alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&stream->working, &listener->node->env->alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&stream->batch, &listener->node->env->alloc, XMTP_WRITER_MAX);
    stream->deadline_ms = xmtp_node_net_deadline_ms(listener, rpc, UINT64_MAX);
    xmtp_list_append(&listener->streams, &stream->link);
    xmtp_node_count(&listener->node->metrics.streams, 1);
    *xmtp_rpc_call_data(rpc) = stream;
    go_away(stream);
}

void xmtp_node_net_stream_cancelled(xmtp_node_net_stream *stream)
{
    stream->rpc = NULL;
    if (!stream->is_away) {
        destroy(stream);
    }
}

void xmtp_node_net_stream_message(xmtp_node_net_stream *stream, xmtp_bytes message)
{
    if (stream->inbox.n + message.n > INBOX_LEN_MAX) {
        xmtp_error error = {0};
        xmtp_rpc_call *rpc = stream->rpc;
        (void)xmtp_fail(&error, XMTP_E_LIMIT, "more than %d bytes of requests are waiting",
                        INBOX_LEN_MAX);
        xmtp_node_net_stream_cancelled(stream);
        xmtp_rpc_call_end_status(rpc, XMTP_E_LIMIT, error.text);
        return;
    }
    xmtp_writer_u32(&stream->inbox, (uint32_t)message.n);
    xmtp_writer_put(&stream->inbox, message);
    if (xmtp_writer_status(&stream->inbox) != XMTP_OK) {
        xmtp_rpc_call *rpc = stream->rpc;
        xmtp_node_net_stream_cancelled(stream);
        xmtp_rpc_call_end_status(rpc, XMTP_E_NOMEM, NULL);
        return;
    }
    xmtp_node_net_stream_writable(stream);
}

void xmtp_node_net_stream_half_closed(xmtp_node_net_stream *stream)
{
    stream->is_half_closed = true;
    xmtp_node_net_stream_writable(stream);
}

void xmtp_node_net_stream_writable(xmtp_node_net_stream *stream)
{
    if (!stream->is_away) {
        pump(stream);
    }
}

static xmtp_node_net_stream *take_ready(xmtp_node_listener *listener)
{
    (void)pthread_mutex_lock(&listener->lock);
    xmtp_node_net_stream *stream = listener->ready;
    if (stream != NULL) {
        listener->ready = stream->next;
        stream->is_listed = false;
    }
    (void)pthread_mutex_unlock(&listener->lock);
    return stream;
}

/* One at a time is taken from the list, because pumping one may free others of a connection that
 * fails. */
void xmtp_node_net_streams_collect(xmtp_node_listener *listener)
{
    xmtp_node_net_stream *stream;
    while ((stream = take_ready(listener)) != NULL) {
        stream->has_more = true;
        if (!stream->is_away && stream->rpc != NULL) {
            pump(stream);
        }
    }
}

/* May free the stream. */
static void tick(xmtp_node_net_stream *stream)
{
    xmtp_error error = {0};
    if (stream->deadline_ms <= uv_now(&stream->listener->loop)) {
        (void)xmtp_fail(&error, XMTP_E_TIMEOUT, "the deadline of the stream has passed");
        xmtp_node_connection_touch(xmtp_rpc_call_peer(stream->rpc));
        end_stream(stream, XMTP_E_TIMEOUT, &error);
        return;
    }
    xmtp_status status = xmtp_node_feed_tick(stream->feed, uv_hrtime(), &error);
    if (status != XMTP_OK && status != XMTP_E_RETRY) {
        xmtp_node_connection_touch(xmtp_rpc_call_peer(stream->rpc));
        end_stream(stream, status, &error);
        return;
    }
    stream->has_more |= status == XMTP_OK;
    if (stream->has_more || stream->batch.n > 0) {
        pump(stream);
    }
}

void xmtp_node_net_streams_stop(xmtp_node_listener *listener)
{
    static const char text[] = "node is shutting down";
    xmtp_list *next;
    for (xmtp_list *l = listener->streams.next; l != &listener->streams; l = next) {
        xmtp_node_net_stream *stream = XMTP_LIST_OF(l, xmtp_node_net_stream, link);
        xmtp_rpc_call *rpc = stream->rpc;
        next = l->next;
        if (rpc != NULL) {
            xmtp_node_connection_touch(xmtp_rpc_call_peer(rpc));
            xmtp_node_net_stream_cancelled(stream);
            xmtp_rpc_call_end_status(rpc, XMTP_E_RPC_UNAVAILABLE, text);
        }
    }
}

void xmtp_node_net_streams_tick(xmtp_node_listener *listener)
{
    xmtp_list *next;
    for (xmtp_list *l = listener->streams.next; l != &listener->streams; l = next) {
        xmtp_node_net_stream *stream = XMTP_LIST_OF(l, xmtp_node_net_stream, link);
        next = l->next;
        if (!stream->is_away && stream->rpc != NULL && stream->is_open) {
            tick(stream);
        }
    }
}
