/* in_process.c - the xmtp_transport that calls a node of the same process.
 *
 *     unary      service call, then wait until the sequencer has answered
 *     next       straight from the feed
 *     wait       poll on an eventfd that subscriptions and wake ring
 *
 * Answers, statuses and sentences are those of the network; only the bytes do not travel.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "node/node_internal.h"
#include "node/stream.h"
#include "rpc/grpc_frame.h"
#include "rpc/transport.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

typedef struct in_process {
    xmtp_node *node;
    int bell;             /* eventfd: look again */
    atomic_bool is_woken; /* wake was called */
    xmtp_stream *streams;
} in_process;

struct xmtp_stream {
    in_process *transport;
    xmtp_node_feed *feed;
    atomic_bool has_more; /* next may give something */
    xmtp_status ended;    /* XMTP_OK while it runs */
    xmtp_error why;
    xmtp_writer message;
    xmtp_stream *next;
};

static void ring(int bell)
{
    uint64_t one = 1;
    ssize_t n = write(bell, &one, sizeof one); /* full means that it rings already */
    (void)n;
}

/* ---- unary */

typedef struct waiting_call {
    xmtp_node_call call;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_done;
} waiting_call;

static void call_done(xmtp_node_call *call)
{
    waiting_call *w = call->context;
    (void)pthread_mutex_lock(&w->lock);
    w->is_done = true;
    (void)pthread_cond_signal(&w->changed);
    (void)pthread_mutex_unlock(&w->lock);
}

/* The status and sentence that a client of the network would see. */
static xmtp_status as_client(xmtp_error *error, int grpc_status, const char *text)
{
    return xmtp_fail(error, xmtp_grpc_status_in(grpc_status), "%s: %s",
                     xmtp_grpc_status_name(grpc_status), text);
}

static xmtp_status take_answer(const xmtp_node_call *call, xmtp_writer *response, xmtp_error *error)
{
    if (call->grpc_status != XMTP_GRPC_OK) {
        return as_client(error, call->grpc_status, call->error.text);
    }
    xmtp_writer_put(response, xmtp_writer_bytes(&call->reply));
    xmtp_status status = xmtp_writer_status(response);
    if (status != XMTP_OK) {
        xmtp_writer_clear(response);
        return xmtp_fail(error, status, "answer of %zu bytes", call->reply.n);
    }
    return XMTP_OK;
}

static xmtp_status unary(void *context, const char *path, xmtp_bytes request, xmtp_writer *response,
                         xmtp_error *error)
{
    in_process *t = context;
    waiting_call w = {.is_done = false};
    xmtp_writer_clear(response);
    (void)pthread_mutex_init(&w.lock, NULL);
    (void)pthread_cond_init(&w.changed, NULL);
    xmtp_node_call_init(&w.call, &t->node->services);
    w.call.context = &w;
    w.call.done = call_done;
    w.call.may_block = true;
    (void)xmtp_node_call_run(&w.call, path, request); /* true: nothing is put off */
    (void)pthread_mutex_lock(&w.lock);
    while (!w.is_done) {
        (void)pthread_cond_wait(&w.changed, &w.lock);
    }
    (void)pthread_mutex_unlock(&w.lock);
    xmtp_node_call_complete(&w.call);
    xmtp_status status = take_answer(&w.call, response, error);
    xmtp_node_call_free(&w.call);
    (void)pthread_cond_destroy(&w.changed);
    (void)pthread_mutex_destroy(&w.lock);
    return status;
}

/* ---- streams */

static void stream_ready(void *context)
{
    xmtp_stream *stream = context;
    atomic_store(&stream->has_more, true);
    ring(stream->transport->bell);
}

static xmtp_status subscribe(void *context, const char *path, xmtp_bytes request, xmtp_stream **out,
                             xmtp_error *error)
{
    in_process *t = context;
    const xmtp_alloc *alloc = &t->node->env->alloc;
    xmtp_error why = {0};
    *out = NULL;
    if (xmtp_node_is_bidi(path)) {
        return as_client(error, XMTP_GRPC_UNIMPLEMENTED, "this method takes several requests");
    }
    xmtp_stream *stream = alloc->reallocate(alloc->context, NULL, sizeof *stream);
    XMTP_ENSURE(stream != NULL, XMTP_E_NOMEM);
    *stream = (xmtp_stream){.transport = t};
    atomic_init(&stream->has_more, true);
    xmtp_writer_init(&stream->message, alloc, XMTP_WRITER_MAX);
    xmtp_node_stream_request asked = {.path = path,
                                      .request = request,
                                      .start_after = "",
                                      .context = stream,
                                      .ready = stream_ready};
    xmtp_status status = xmtp_node_stream_open(t->node, &asked, &stream->feed, &why);
    if (status != XMTP_OK) {
        (void)alloc->reallocate(alloc->context, stream, 0);
        const char *text = why.text[0] != '\0' ? why.text : xmtp_status_text(status);
        return as_client(error, xmtp_grpc_status_out(status), text);
    }
    stream->next = t->streams;
    t->streams = stream;
    *out = stream;
    return XMTP_OK;
}

static xmtp_status next_of_feed(xmtp_stream *stream)
{
    xmtp_writer_clear(&stream->message);
    xmtp_status status = xmtp_node_feed_next(stream->feed, &stream->message, &stream->why);
    if (status == XMTP_E_CLOSED) {
        stream->ended = xmtp_fail(&stream->why, status, "the node ended the stream");
    } else if (status != XMTP_OK && status != XMTP_E_RETRY) {
        xmtp_error why = stream->why;
        stream->ended = as_client(&stream->why, xmtp_grpc_status_out(status), why.text);
    }
    return status;
}

static xmtp_status stream_next(void *context, xmtp_stream *stream, xmtp_bytes *message,
                               xmtp_error *error)
{
    (void)context;
    *message = (xmtp_bytes){0};
    if (stream->ended != XMTP_OK) {
        return xmtp_fail(error, stream->ended, "%s", stream->why.text);
    }
    /* Cleared before looking: what is published after the look sets it again. */
    atomic_store(&stream->has_more, false);
    xmtp_status status = next_of_feed(stream);
    if (status == XMTP_E_RETRY) {
        return XMTP_E_RETRY;
    }
    if (stream->ended != XMTP_OK) {
        return xmtp_fail(error, stream->ended, "%s", stream->why.text);
    }
    atomic_store(&stream->has_more, true);
    *message = xmtp_writer_bytes(&stream->message);
    return XMTP_OK;
}

static void unsubscribe(void *context, xmtp_stream *stream)
{
    in_process *t = context;
    if (stream == NULL) {
        return;
    }
    xmtp_stream **p = &t->streams;
    while (*p != stream) {
        p = &(*p)->next;
    }
    *p = stream->next;
    xmtp_node_feed_free(stream->feed); /* ready is not called after this */
    xmtp_writer_free(&stream->message);
    (void)t->node->env->alloc.reallocate(t->node->env->alloc.context, stream, 0);
}

/* ---- waiting */

static uint64_t monotonic_ns(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static bool has_something(in_process *t)
{
    if (atomic_exchange(&t->is_woken, false)) {
        return true;
    }
    for (const xmtp_stream *stream = t->streams; stream != NULL; stream = stream->next) {
        if (atomic_load(&stream->has_more)) {
            return true;
        }
    }
    return false;
}

static void poll_bell(int bell, uint64_t timeout_ns)
{
    struct pollfd fd = {.fd = bell, .events = POLLIN};
    struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / 1000000000U),
                               .tv_nsec = (long)(timeout_ns % 1000000000U)};
    if (ppoll(&fd, 1, timeout_ns == UINT64_MAX ? NULL : &timeout, NULL) > 0) {
        uint64_t count;
        ssize_t n = read(bell, &count, sizeof count);
        (void)n;
    }
}

static xmtp_status wait_for_any(void *context, uint64_t timeout_ns)
{
    in_process *t = context;
    uint64_t start = monotonic_ns();
    while (!has_something(t)) {
        uint64_t passed = monotonic_ns() - start;
        if (passed >= timeout_ns) {
            return XMTP_E_TIMEOUT;
        }
        poll_bell(t->bell, timeout_ns == UINT64_MAX ? UINT64_MAX : timeout_ns - passed);
    }
    return XMTP_OK;
}

static void wake(void *context)
{
    in_process *t = context;
    atomic_store(&t->is_woken, true);
    ring(t->bell);
}

static void transport_close(void *context)
{
    in_process *t = context;
    while (t->streams != NULL) {
        unsubscribe(t, t->streams);
    }
    (void)close(t->bell);
    (void)t->node->env->alloc.reallocate(t->node->env->alloc.context, t, 0);
}

xmtp_status xmtp_node_transport(xmtp_node *node, xmtp_transport *out)
{
    const xmtp_alloc *alloc = &node->env->alloc;
    *out = (xmtp_transport){.context = NULL};
    in_process *t = alloc->reallocate(alloc->context, NULL, sizeof *t);
    XMTP_ENSURE(t != NULL, XMTP_E_NOMEM);
    *t = (in_process){.node = node, .bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    if (t->bell < 0) {
        (void)alloc->reallocate(alloc->context, t, 0);
        return XMTP_E_IO;
    }
    atomic_init(&t->is_woken, false);
    *out = (xmtp_transport){.context = t,
                            .unary = unary,
                            .subscribe = subscribe,
                            .next = stream_next,
                            .unsubscribe = unsubscribe,
                            .wait = wait_for_any,
                            .wake = wake,
                            .close = transport_close};
    return XMTP_OK;
}
