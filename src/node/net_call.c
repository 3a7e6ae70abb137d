/* net_call.c - calls that came over the network: unary ones become xmtp_node_call, streams become
 * subscriptions.
 *
 * A unary call may be answered in the sequencer's thread; it is then put on a list and taken from
 * there by the loop's thread, the only one that may touch connections. When the peer gives a call
 * up meanwhile, the call loses its connection but lives on until the sequencer is done with it.
 *
 * A stream is filled until QUEUE_LEN_HIGH bytes wait for the peer, and again when they went down: a
 * slow reader costs that much memory and no more.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "node/listener_internal.h"
#include "node/stream.h"

enum { QUEUE_LEN_HIGH = 4 * XMTP_RPC_QUEUE_LOW_WATER };

/* What xmtp_rpc_call_data points to. */
typedef enum net_kind { NET_CALL, NET_STREAM } net_kind;

struct xmtp_node_net_call {
    net_kind kind; /* first, as in a stream */
    xmtp_node_listener *listener;
    xmtp_rpc_call *rpc; /* NULL: given up by the peer */
    xmtp_node_call call;
    xmtp_node_net_call *next;
};

struct xmtp_node_net_stream {
    net_kind kind;
    xmtp_node_listener *listener;
    xmtp_rpc_call *rpc;
    xmtp_node_subscription *subscription;
    xmtp_writer message;
    bool has_message; /* could not be queued yet */
    bool is_listed;   /* in the listener's ready list; under its lock */
    xmtp_node_net_stream *next;
};

static xmtp_node_connection *connection_of(xmtp_rpc_call *rpc)
{
    return xmtp_rpc_call_peer(rpc);
}

static const xmtp_alloc *alloc_of(const xmtp_node_listener *listener)
{
    return &listener->node->env->alloc;
}

/* ---- unary */

static void answer(xmtp_node_net_call *net)
{
    xmtp_node_call *call = &net->call;
    xmtp_node_connection_touch(connection_of(net->rpc));
    if (call->grpc_status != XMTP_GRPC_OK) {
        xmtp_rpc_call_end(net->rpc, call->grpc_status, call->error.text,
                          xmtp_status_name(call->error.status));
        return;
    }
    xmtp_status status = xmtp_rpc_call_message(net->rpc, xmtp_writer_bytes(&call->reply));
    xmtp_rpc_call_end_status(net->rpc, status, NULL);
}

static void end_call(xmtp_node_net_call *net)
{
    xmtp_node_listener *listener = net->listener;
    if (net->rpc != NULL) {
        xmtp_node_call_complete(&net->call);
        answer(net);
    }
    xmtp_node_call_free(&net->call);
    (void)alloc_of(listener)->reallocate(alloc_of(listener)->context, net, 0);
    listener->call_count--;
}

static void call_done(xmtp_node_call *call)
{
    xmtp_node_net_call *net = call->context;
    xmtp_node_listener *listener = net->listener;
    if (pthread_equal(pthread_self(), listener->loop_thread)) {
        end_call(net);
        return;
    }
    (void)pthread_mutex_lock(&listener->lock);
    net->next = listener->ended;
    listener->ended = net;
    (void)uv_async_send(&listener->async); /* under the lock: the listener cannot end before */
    (void)pthread_mutex_unlock(&listener->lock);
}

static void start_call(xmtp_node_listener *listener, xmtp_rpc_call *rpc, const char *path,
                       xmtp_bytes request)
{
    const xmtp_alloc *alloc = alloc_of(listener);
    xmtp_node_net_call *net = alloc->reallocate(alloc->context, NULL, sizeof *net);
    if (net == NULL) {
        xmtp_rpc_call_end_status(rpc, XMTP_E_NOMEM, NULL);
        return;
    }
    *net = (xmtp_node_net_call){.kind = NET_CALL, .listener = listener, .rpc = rpc};
    *xmtp_rpc_call_data(rpc) = net;
    xmtp_node_call_init(&net->call, &listener->node->services);
    net->call.context = net;
    net->call.done = call_done;
    listener->call_count++;
    xmtp_node_call_run(&net->call, path, request);
}

/* ---- streams */

static void free_stream(xmtp_node_net_stream *stream)
{
    xmtp_node_listener *listener = stream->listener;
    xmtp_node_subscription_free(stream->subscription); /* ready is not called after this */
    (void)pthread_mutex_lock(&listener->lock);
    for (xmtp_node_net_stream **p = &listener->ready; stream->is_listed; p = &(*p)->next) {
        if (*p == stream) {
            *p = stream->next;
            stream->is_listed = false;
            break;
        }
    }
    (void)pthread_mutex_unlock(&listener->lock);
    xmtp_writer_free(&stream->message);
    (void)alloc_of(listener)->reallocate(alloc_of(listener)->context, stream, 0);
}

/* XMTP_E_RETRY: nothing to send at the moment. */
static xmtp_status send_next(xmtp_node_net_stream *stream, xmtp_error *error)
{
    if (!stream->has_message) {
        xmtp_writer_clear(&stream->message);
        XMTP_TRY(xmtp_node_subscription_next(stream->subscription, &stream->message, error));
        stream->has_message = true;
    }
    xmtp_status status = xmtp_rpc_call_message(stream->rpc, xmtp_writer_bytes(&stream->message));
    if (status == XMTP_E_LIMIT && xmtp_rpc_call_queued(stream->rpc) > XMTP_RPC_QUEUE_LOW_WATER) {
        return XMTP_E_RETRY; /* the connection is full: again when this call is writable */
    }
    stream->has_message = false;
    return status;
}

static void pump(xmtp_node_net_stream *stream)
{
    xmtp_error error = {0};
    xmtp_status status = XMTP_OK;
    while (status == XMTP_OK && xmtp_rpc_call_queued(stream->rpc) < QUEUE_LEN_HIGH) {
        status = send_next(stream, &error);
    }
    xmtp_node_connection_touch(connection_of(stream->rpc));
    if (status != XMTP_OK && status != XMTP_E_RETRY) {
        xmtp_rpc_call *rpc = stream->rpc;
        free_stream(stream);
        xmtp_rpc_call_end_status(rpc, status, error.text[0] == '\0' ? NULL : error.text);
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

static xmtp_status open_stream(xmtp_node_net_stream *stream, const char *path, xmtp_bytes request,
                               xmtp_error *error)
{
    xmtp_bytes first;
    XMTP_TRY(xmtp_node_stream_open(stream->listener->node, path, request, stream, stream_ready,
                                   &stream->subscription, &first, error));
    XMTP_TRY(xmtp_rpc_call_start_stream(stream->rpc));
    return first.n == 0 ? XMTP_OK : xmtp_rpc_call_message(stream->rpc, first);
}

static void start_stream(xmtp_node_listener *listener, xmtp_rpc_call *rpc, const char *path,
                         xmtp_bytes request)
{
    const xmtp_alloc *alloc = alloc_of(listener);
    xmtp_error error = {0};
    xmtp_node_net_stream *stream = alloc->reallocate(alloc->context, NULL, sizeof *stream);
    if (stream == NULL) {
        xmtp_rpc_call_end_status(rpc, XMTP_E_NOMEM, NULL);
        return;
    }
    *stream = (xmtp_node_net_stream){.kind = NET_STREAM, .listener = listener, .rpc = rpc};
    xmtp_writer_init(&stream->message, alloc, XMTP_WRITER_MAX);
    xmtp_status status = open_stream(stream, path, request, &error);
    if (status != XMTP_OK) {
        free_stream(stream);
        xmtp_rpc_call_end_status(rpc, status, error.text[0] == '\0' ? NULL : error.text);
        return;
    }
    *xmtp_rpc_call_data(rpc) = stream;
    pump(stream);
}

/* ---- the handler */

static void on_request(void *context, xmtp_rpc_call *rpc, const char *path, xmtp_bytes request)
{
    xmtp_node_connection *connection = context;
    xmtp_node_connection_touch(connection);
    if (xmtp_node_is_stream(path)) {
        start_stream(connection->listener, rpc, path, request);
    } else {
        start_call(connection->listener, rpc, path, request);
    }
}

static void on_cancelled(void *context, xmtp_rpc_call *rpc)
{
    (void)context;
    net_kind *kind = *xmtp_rpc_call_data(rpc);
    if (kind == NULL) {
        return;
    }
    if (*kind == NET_STREAM) {
        free_stream((xmtp_node_net_stream *)kind);
    } else {
        ((xmtp_node_net_call *)kind)->rpc = NULL;
    }
}

static void on_writable(void *context, xmtp_rpc_call *rpc)
{
    (void)context;
    net_kind *kind = *xmtp_rpc_call_data(rpc);
    if (kind != NULL && *kind == NET_STREAM) {
        pump((xmtp_node_net_stream *)kind);
    }
}

xmtp_rpc_handler xmtp_node_net_handler(xmtp_node_connection *connection)
{
    return (xmtp_rpc_handler){.context = connection,
                              .request = on_request,
                              .cancelled = on_cancelled,
                              .writable = on_writable};
}

/* Answers first: they were stored before what the streams are told of. One stream at a time is
 * taken from the list, because pumping one may free others of a connection that fails. */
void xmtp_node_net_collect(xmtp_node_listener *listener)
{
    (void)pthread_mutex_lock(&listener->lock);
    xmtp_node_net_call *ended = listener->ended;
    listener->ended = NULL;
    (void)pthread_mutex_unlock(&listener->lock);
    while (ended != NULL) {
        xmtp_node_net_call *next = ended->next;
        end_call(ended);
        ended = next;
    }
    for (;;) {
        (void)pthread_mutex_lock(&listener->lock);
        xmtp_node_net_stream *stream = listener->ready;
        if (stream != NULL) {
            listener->ready = stream->next;
            stream->is_listed = false;
        }
        (void)pthread_mutex_unlock(&listener->lock);
        if (stream == NULL) {
            return;
        }
        pump(stream);
    }
}
