/* net_call.c - unary calls that came over the network.
 *
 *     request --> run --> answer                                        in the loop
 *                  |--> kept --> stored by the loop itself --> answer, when it has nothing else to do
 *                  |--> sequencer --> [worker: read back, when more than was stored] --> ended list --> answer
 *                  '--> put off: worker runs it again --------'
 *
 * A sync takes as long as two or three wake-ups of threads on an idle machine. So a loop that would
 * only wait for the sequencer does its work, if that keeps nobody else waiting: the input that was read
 * has one call with something to store, no other call is under way, and for QUIET_MS no connection
 * but this one has sent anything. All others go to the sequencer's thread at once.
 *
 * Only the loop's thread may touch connections, so what other threads have answered goes through a
 * list. When the peer gives a call up, or it takes too long, the call loses its connection but lives
 * on until the others are done with it.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "node/inflate.h"
#include "node/listener_internal.h"
#include "node/reflection.h"
#include "node/service.h"
#include "node/stream.h"

#include <stdio.h>
#include <string.h>

/* Of the loop's clock, which stands still while it works. */
enum { QUIET_MS = 2 };

struct xmtp_node_net_call {
    xmtp_node_net_kind kind; /* first */
    xmtp_node_listener *listener;
    xmtp_rpc_call *rpc; /* NULL: given up by the peer, or ended because it took too long */
    xmtp_node_call call;
    uint64_t deadline_ms;
    xmtp_list link;
    xmtp_node_net_call *next;

    /* When it was put off: path with its zero, then the request. */
    xmtp_node_work work;
    char *copy;
    size_t copy_len;
};

static xmtp_node_connection *connection_of(xmtp_rpc_call *rpc)
{
    return xmtp_rpc_call_peer(rpc);
}

static void *allocate(const xmtp_node_listener *listener, void *p, size_t n)
{
    const xmtp_alloc *alloc = &listener->node->env->alloc;
    return alloc->reallocate(alloc->context, p, n);
}

static xmtp_node_workers *workers_of(const xmtp_node_net_call *net)
{
    return net->listener->node->services.workers;
}

/* ---- ending */

static void answer(xmtp_node_net_call *net)
{
    xmtp_node_call *call = &net->call;
    xmtp_node_connection_touch(connection_of(net->rpc));
    xmtp_node_count(&net->listener->node->metrics.ended[call->grpc_status], 1);
    if (call->grpc_status != XMTP_GRPC_OK) {
        xmtp_rpc_call_end(net->rpc, call->grpc_status, call->error.text,
                          xmtp_status_name(call->error.status));
        return;
    }
    xmtp_status status = xmtp_rpc_call_message(net->rpc, xmtp_writer_bytes(&call->reply));
    xmtp_rpc_call_end_status(net->rpc, status, NULL);
}

static void free_call(xmtp_node_net_call *net)
{
    xmtp_node_listener *listener = net->listener;
    xmtp_list_remove(&net->link);
    listener->put_off_len -= net->copy_len;
    xmtp_node_call_free(&net->call);
    (void)allocate(listener, net->copy, 0);
    (void)allocate(listener, net, 0);
    listener->call_count--;
}

static void end_call(xmtp_node_net_call *net)
{
    if (net->rpc != NULL) {
        xmtp_node_call_complete(&net->call); /* if a worker has not; reads nothing */
        answer(net);
    }
    free_call(net);
}

static void list_ended(xmtp_node_net_call *net)
{
    xmtp_node_listener *listener = net->listener;
    (void)pthread_mutex_lock(&listener->lock);
    net->next = listener->ended;
    listener->ended = net;
    (void)uv_async_send(&listener->async); /* under the lock: the listener cannot end before */
    (void)pthread_mutex_unlock(&listener->lock);
}

static void complete_work(xmtp_node_work *work)
{
    xmtp_node_net_call *net =
        (xmtp_node_net_call *)((uint8_t *)work - offsetof(xmtp_node_net_call, work));
    xmtp_node_call_complete(&net->call);
    list_ended(net);
}

static void call_done(xmtp_node_call *call)
{
    xmtp_node_net_call *net = call->context;
    if (xmtp_node_call_will_read(call)) {
        net->work.run = complete_work;
        xmtp_node_workers_submit(workers_of(net), &net->work);
    } else if (pthread_equal(pthread_self(), net->listener->loop_thread)) {
        end_call(net);
    } else {
        list_ended(net);
    }
}

static void refuse(xmtp_node_net_call *net, xmtp_status status, const char *text)
{
    xmtp_node_connection_touch(connection_of(net->rpc));
    xmtp_rpc_call_end_status(net->rpc, status, text);
    free_call(net);
}

/* ---- keeping */

static void keep(xmtp_node_call *call)
{
    xmtp_node_net_call *net = call->context;
    net->listener->kept = net;
}

static void note_crowd(xmtp_node_listener *listener)
{
    listener->crowded_ms = uv_now(&listener->loop);
}

static bool is_quiet(const xmtp_node_listener *listener)
{
    return listener->call_count == 1 && /* the one that is kept */
           uv_now(&listener->loop) - listener->crowded_ms >= QUIET_MS;
}

/* After it the loop may have an answer to send. */
static void store_kept(xmtp_node_listener *listener, bool may_wait)
{
    xmtp_node_net_call *net = listener->kept;
    listener->kept = NULL;
    if (net != NULL) {
        xmtp_node_call_store_now(&net->call, may_wait);
    }
}

void xmtp_node_net_read_begin(xmtp_node_connection *connection)
{
    xmtp_node_listener *listener = connection->listener;
    listener->is_reading = true;
    if (listener->speaker != connection) {
        listener->speaker = connection;
        note_crowd(listener);
    }
}

void xmtp_node_net_read_end(xmtp_node_listener *listener)
{
    listener->is_reading = false;
    store_kept(listener, is_quiet(listener));
}

/* ---- running */

static void put_off_work(xmtp_node_work *work)
{
    xmtp_node_net_call *net =
        (xmtp_node_net_call *)((uint8_t *)work - offsetof(xmtp_node_net_call, work));
    size_t path_len = strlen(net->copy) + 1;
    net->call.may_block = true;
    net->call.keep = NULL;
    (void)xmtp_node_call_run(&net->call, net->copy, /* true: nothing is put off twice */
                             xmtp_bytes_of(net->copy + path_len, net->copy_len - path_len));
}

static void put_off(xmtp_node_net_call *net, const char *path, xmtp_bytes request)
{
    xmtp_node_listener *listener = net->listener;
    size_t path_len = strlen(path) + 1;
    size_t n = path_len + request.n;
    if (listener->put_off_len > 0 && n > XMTP_NODE_PUT_OFF_LEN_MAX - listener->put_off_len) {
        refuse(net, XMTP_E_LIMIT, "too many requests are waiting to be worked on");
        return;
    }
    net->copy = allocate(listener, NULL, n);
    if (net->copy == NULL) {
        refuse(net, XMTP_E_NOMEM, NULL);
        return;
    }
    memcpy(net->copy, path, path_len);
    xmtp_copy(net->copy + path_len, request.p, request.n);
    net->copy_len = n;
    listener->put_off_len += n;
    net->work.run = put_off_work;
    xmtp_node_workers_submit(workers_of(net), &net->work);
}

uint64_t xmtp_node_call_ms_max(const xmtp_node_listener *listener)
{
    return listener->node->services.limits.call_seconds * 1000;
}

uint64_t xmtp_node_net_deadline_ms(const xmtp_node_listener *listener, const xmtp_rpc_call *rpc,
                                   uint64_t ms_max)
{
    uint64_t ms = xmtp_rpc_call_timeout_ns(rpc) / 1000000;
    uint64_t now_ms = uv_now(&listener->loop);
    ms = ms < ms_max ? ms : ms_max;
    return ms > UINT64_MAX - now_ms ? UINT64_MAX : now_ms + ms;
}

/* The timer may fire too early, never too late. */
static void watch_deadline(xmtp_node_listener *listener, uint64_t deadline_ms)
{
    uint64_t ms = deadline_ms - uv_now(&listener->loop);
    if (ms < uv_timer_get_due_in(&listener->deadline)) {
        (void)uv_timer_start(&listener->deadline, listener->deadline.timer_cb, ms, 0);
    }
}

static void start_call(xmtp_node_listener *listener, xmtp_rpc_call *rpc, const char *path,
                       xmtp_bytes request)
{
    xmtp_node_net_call *net = allocate(listener, NULL, sizeof *net);
    if (net == NULL) {
        xmtp_rpc_call_end_status(rpc, XMTP_E_NOMEM, NULL);
        return;
    }
    *net = (xmtp_node_net_call){.kind = XMTP_NODE_NET_CALL, .listener = listener, .rpc = rpc};
    *xmtp_rpc_call_data(rpc) = net;
    xmtp_node_call_init(&net->call, &listener->node->services);
    net->call.context = net;
    net->call.done = call_done;
    net->call.keep = listener->is_reading ? keep : NULL;
    net->deadline_ms = xmtp_node_net_deadline_ms(listener, rpc, xmtp_node_call_ms_max(listener));
    xmtp_list_append(&listener->calls, &net->link);
    if (listener->call_count++ > 0) { /* others: what is kept need not wait for its turn */
        note_crowd(listener);
        store_kept(listener, false);
    }
    watch_deadline(listener, net->deadline_ms);
    if (!xmtp_node_call_run(&net->call, path, request)) { /* after true it may be gone */
        put_off(net, path, request);
    }
}

static void expire(xmtp_node_net_call *net)
{
    xmtp_node_connection_touch(connection_of(net->rpc));
    xmtp_rpc_call_end_status(net->rpc, XMTP_E_TIMEOUT, "the call took too long");
    net->rpc = NULL;
}

void xmtp_node_net_calls_expire(xmtp_node_listener *listener)
{
    uint64_t now_ms = uv_now(&listener->loop);
    uint64_t next_ms = now_ms + xmtp_node_call_ms_max(listener);
    for (xmtp_list *l = listener->calls.next; l != &listener->calls; l = l->next) {
        xmtp_node_net_call *net = XMTP_LIST_OF(l, xmtp_node_net_call, link);
        if (net->rpc != NULL && net->deadline_ms <= now_ms) {
            expire(net);
        } else if (net->rpc != NULL && net->deadline_ms < next_ms) {
            next_ms = net->deadline_ms;
        }
    }
    if (!listener->is_stopped) {
        (void)uv_timer_start(&listener->deadline, listener->deadline.timer_cb, next_ms - now_ms, 0);
    }
}

/* ---- the handler */

static bool begins_with(const char *path, const char *prefix)
{
    return strncmp(path, prefix, strlen(prefix)) == 0;
}

/* Whether the socket that a connection came to is for this method. */
static bool is_served(const xmtp_node_connection *connection, const char *path)
{
    if (begins_with(path, XMTP_NODE_VALIDATION_PREFIX)) {
        return (connection->protocols & XMTP_NODE_VALIDATION) != 0;
    }
    if (begins_with(path, XMTP_NODE_REFLECTION_PREFIX)) {
        return (connection->protocols & XMTP_NODE_REFLECTION) != 0;
    }
    return (connection->protocols & XMTP_NODE_ALL) != 0 || begins_with(path, "/grpc.health.v1.");
}

static bool admit(xmtp_node_connection *connection, xmtp_rpc_call *rpc, const char *path,
                  xmtp_bytes request, xmtp_node_seat *seat)
{
    char text[XMTP_RPC_PATH_LEN_MAX + 64];
    xmtp_node_connection_touch(connection);
    if (!is_served(connection, path)) {
        (void)snprintf(text, sizeof text, "this port does not serve %s", path);
        xmtp_rpc_call_end_status(rpc, XMTP_E_UNSUPPORTED, text);
        return false;
    }
    if (connection->listener->is_stopping &&
        (xmtp_node_is_stream(path) || xmtp_node_is_bidi(path))) {
        xmtp_rpc_call_end_status(rpc, XMTP_E_RPC_UNAVAILABLE, "node is shutting down");
        return false;
    }
    return xmtp_node_admit(connection, rpc, path, request, seat);
}

static void on_request(void *context, xmtp_rpc_call *rpc, const char *path, xmtp_bytes request)
{
    xmtp_node_connection *connection = context;
    xmtp_node_seat seat;
    if (!admit(connection, rpc, path, request, &seat)) {
        return;
    }
    if (xmtp_node_is_stream(path)) {
        xmtp_node_net_stream_start(connection->listener, rpc, path, request, &seat);
    } else {
        xmtp_node_seat_leave(&seat); /* a method of both directions, by a carrier of one */
        start_call(connection->listener, rpc, path, request);
    }
}

static void on_cancelled(void *context, xmtp_rpc_call *rpc)
{
    (void)context;
    xmtp_node_net_kind *kind = *xmtp_rpc_call_data(rpc);
    if (kind == NULL) {
        return;
    }
    if (*kind == XMTP_NODE_NET_STREAM) {
        xmtp_node_net_stream_cancelled((xmtp_node_net_stream *)kind);
    } else {
        ((xmtp_node_net_call *)kind)->rpc = NULL;
    }
}

static bool takes_messages(void *context, const char *path)
{
    (void)context;
    return xmtp_node_is_bidi(path);
}

static void on_opened(void *context, xmtp_rpc_call *rpc, const char *path)
{
    xmtp_node_connection *connection = context;
    xmtp_node_seat seat;
    if (admit(connection, rpc, path, (xmtp_bytes){0}, &seat)) {
        xmtp_node_net_stream_start(connection->listener, rpc, path, (xmtp_bytes){0}, &seat);
    }
}

static void on_message(void *context, xmtp_rpc_call *rpc, xmtp_bytes message)
{
    xmtp_node_net_stream *stream = *xmtp_rpc_call_data(rpc);
    xmtp_node_connection_touch(context);
    if (stream != NULL) {
        xmtp_node_net_stream_message(stream, message);
    }
}

static void on_half_closed(void *context, xmtp_rpc_call *rpc)
{
    xmtp_node_net_stream *stream = *xmtp_rpc_call_data(rpc);
    xmtp_node_connection_touch(context);
    if (stream != NULL) {
        xmtp_node_net_stream_half_closed(stream);
    }
}

static void on_writable(void *context, xmtp_rpc_call *rpc)
{
    (void)context;
    xmtp_node_net_kind *kind = *xmtp_rpc_call_data(rpc);
    if (kind != NULL && *kind == XMTP_NODE_NET_STREAM) {
        xmtp_node_net_stream_writable((xmtp_node_net_stream *)kind);
    }
}

static const xmtp_node_limits *limits_of(const xmtp_node_listener *listener)
{
    return &listener->node->services.limits;
}

xmtp_rpc_handler xmtp_node_net_handler(xmtp_node_connection *connection)
{
    return (xmtp_rpc_handler){.context = connection,
                              .request_len_max =
                                  (size_t)limits_of(connection->listener)->request_len,
                              .request = on_request,
                              .cancelled = on_cancelled,
                              .takes_messages = takes_messages,
                              .opened = on_opened,
                              .message = on_message,
                              .half_closed = on_half_closed,
                              .inflate = xmtp_node_inflate,
                              .writable = on_writable};
}

/* Answers first: they were stored before what the streams are told of. */
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
    xmtp_node_errands_collect(listener);
    xmtp_node_net_streams_collect(listener);
}
