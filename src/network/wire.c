/* wire.c - what lies between a device and the node, and goes wrong.
 *
 *     call --> dead, cut off, chosen by number, or by chance? --no--> node
 *                '-- lost | answer_lost | doubled | late { due_ns }      ^
 *                                                     '-- the clock -----'
 *
 * Chance is drawn once a call for the first four faults, so that a run depends on the order of calls
 * and on nothing else.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "network/network_internal.h"

#include <string.h>

static const uint64_t LATE_MAX_NS = 60 * XMTP_NETWORK_SECOND_NS;
static const uint64_t DELAY_MAX_NS = 5 * XMTP_NETWORK_SECOND_NS;

struct xmtp_stream {
    struct xmtp_stream *next;
    xmtp_stream *inner; /* NULL: it has ended */
};

/* ---- one call */

typedef enum fate {
    FATE_FINE,
    FATE_LOST,
    FATE_ANSWER_LOST,
    FATE_DOUBLED,
    FATE_LATE,
} fate;

static bool is_unreachable(const xmtp_network_device *d)
{
    return d->is_cut_off || d->disk.is_dead;
}

static fate fate_by_chance(xmtp_network_device *d)
{
    const xmtp_network_faults *f = &d->faults;
    const uint32_t chances[] = {f->lost, f->answer_lost, f->doubled, f->late};
    if (f->lost + f->answer_lost + f->doubled + f->late == 0) {
        return FATE_FINE;
    }
    uint64_t drawn = xmtp_network_choose(d->net, 1000);
    for (unsigned i = 0; i < 4; i++) {
        if (drawn < chances[i]) {
            return (fate)(FATE_LOST + i);
        }
        drawn -= chances[i];
    }
    return FATE_FINE;
}

static fate fate_of_call(xmtp_network_device *d)
{
    uint64_t number = ++d->counts.calls;
    if (is_unreachable(d)) {
        return FATE_LOST;
    }
    if (number >= d->lose_from && number < d->lose_until) {
        return d->lose_how == XMTP_NETWORK_CALL_LOST ? FATE_LOST : FATE_ANSWER_LOST;
    }
    return fate_by_chance(d);
}

static void call_for_nobody(xmtp_network_device *d, const char *path, xmtp_bytes request)
{
    xmtp_writer ignored;
    xmtp_writer_init(&ignored, &d->net->env.alloc, XMTP_WRITER_MAX);
    (void)d->node.unary(d->node.context, path, request, &ignored, NULL);
    xmtp_writer_free(&ignored);
}

static xmtp_status call_node(xmtp_network_device *d, fate f, const char *path, xmtp_bytes request,
                             xmtp_writer *response, xmtp_error *error)
{
    xmtp_network *net = d->net;
    if (d->faults.delayed != 0 && xmtp_network_happens(net, d->faults.delayed)) {
        uint64_t most = d->faults.delay_max_ns == 0 ? DELAY_MAX_NS : d->faults.delay_max_ns;
        d->counts.delayed++;
        xmtp_network_advance(net, xmtp_network_choose(net, most) + 1);
    }
    if (f == FATE_DOUBLED) {
        d->counts.doubled++;
        call_for_nobody(d, path, request);
    }
    return d->node.unary(d->node.context, path, request, response, error);
}

/* ---- late calls */

static void late_free(xmtp_network *net, late_call *call)
{
    const xmtp_alloc *alloc = &net->env.alloc;
    (void)alloc->reallocate(alloc->context, call->path, 0);
    (void)alloc->reallocate(alloc->context, call->request, 0);
    (void)alloc->reallocate(alloc->context, call, 0);
}

void xmtp_network_late_free(xmtp_network *net)
{
    while (net->late != NULL) {
        late_call *next = net->late->next;
        late_free(net, net->late);
        net->late = next;
    }
}

/* In the order in which they are due. Without memory it is a lost call like others. */
static void keep_for_later(xmtp_network_device *d, const char *path, xmtp_bytes request)
{
    xmtp_network *net = d->net;
    const xmtp_alloc *alloc = &net->env.alloc;
    uint64_t most = d->faults.late_max_ns == 0 ? LATE_MAX_NS : d->faults.late_max_ns;
    size_t path_len = strlen(path) + 1;
    late_call *call = alloc->reallocate(alloc->context, NULL, sizeof *call);
    if (call == NULL) {
        return;
    }
    *call = (late_call){.device = d, .request_len = request.n};
    call->due_ns = xmtp_network_now_ns(net) + 1 + xmtp_network_choose(net, most);
    call->path = alloc->reallocate(alloc->context, NULL, path_len);
    call->request = alloc->reallocate(alloc->context, NULL, request.n + 1);
    if (call->path == NULL || call->request == NULL) {
        late_free(net, call);
        return;
    }
    memcpy(call->path, path, path_len);
    if (request.n > 0) {
        memcpy(call->request, request.p, request.n);
    }
    late_call **link = &net->late;
    while (*link != NULL && (*link)->due_ns <= call->due_ns) {
        link = &(*link)->next;
    }
    call->next = *link;
    *link = call;
}

static void deliver_until(xmtp_network *net, uint64_t ns)
{
    while (net->late != NULL && net->late->due_ns <= ns) {
        late_call *call = net->late;
        net->late = call->next;
        call_for_nobody(call->device, call->path, xmtp_bytes_of(call->request, call->request_len));
        late_free(net, call);
    }
}

void xmtp_network_deliver_due(xmtp_network *net)
{
    deliver_until(net, xmtp_network_now_ns(net));
}

void xmtp_network_deliver(xmtp_network *net)
{
    deliver_until(net, UINT64_MAX);
}

/* ---- the transport */

static xmtp_status lost(xmtp_writer *response, xmtp_error *error, const char *what)
{
    xmtp_writer_clear(response);
    return xmtp_fail(error, XMTP_E_NETWORK, "test network: %s", what);
}

static xmtp_status wire_unary(void *context, const char *path, xmtp_bytes request,
                              xmtp_writer *response, xmtp_error *error)
{
    xmtp_network_device *d = context;
    xmtp_network_deliver_due(d->net);
    fate f = fate_of_call(d);
    if (f == FATE_LATE) {
        d->counts.late++;
        keep_for_later(d, path, request);
        return lost(response, error, "the call is late");
    }
    if (f == FATE_LOST) {
        d->counts.lost++;
        return lost(response, error, "the call is lost");
    }
    xmtp_status status = call_node(d, f, path, request, response, error);
    if (f == FATE_ANSWER_LOST) {
        d->counts.answers_lost++;
        return lost(response, error, "the answer is lost");
    }
    return status;
}

/* What runs meanwhile may end before the node acts, or begin after it has answered: every other time. */
static xmtp_status wire_unary_while(void *context, const char *path, xmtp_bytes request,
                                    xmtp_writer *response, const xmtp_meanwhile *meanwhile,
                                    xmtp_error *error)
{
    const xmtp_network_device *d = context;
    bool is_before = d->counts.calls % 2 == 0;
    if (is_before) {
        meanwhile->run(meanwhile->context);
    }
    xmtp_status status = wire_unary(context, path, request, response, error);
    if (!is_before) {
        meanwhile->run(meanwhile->context);
    }
    return status;
}

static void stream_end(xmtp_network_device *d, xmtp_stream *stream)
{
    if (stream->inner != NULL) {
        d->node.unsubscribe(d->node.context, stream->inner);
        stream->inner = NULL;
        d->counts.streams_cut++;
    }
}

static xmtp_status wire_subscribe(void *context, const char *path, xmtp_bytes request,
                                  xmtp_stream **out, xmtp_error *error)
{
    xmtp_network_device *d = context;
    const xmtp_alloc *alloc = &d->net->env.alloc;
    *out = NULL;
    if (is_unreachable(d) || xmtp_network_happens(d->net, d->faults.stream_refused)) {
        d->counts.streams_refused++;
        return xmtp_fail(error, XMTP_E_NETWORK, "test network: the stream is refused");
    }
    xmtp_stream *stream = alloc->reallocate(alloc->context, NULL, sizeof *stream);
    XMTP_ENSURE(stream != NULL, XMTP_E_NOMEM);
    *stream = (xmtp_stream){.next = d->streams};
    xmtp_status status = d->node.subscribe(d->node.context, path, request, &stream->inner, error);
    if (status != XMTP_OK) {
        (void)alloc->reallocate(alloc->context, stream, 0);
        return status;
    }
    d->streams = stream;
    *out = stream;
    return XMTP_OK;
}

static xmtp_status wire_next(void *context, xmtp_stream *stream, xmtp_bytes *message,
                             xmtp_error *error)
{
    xmtp_network_device *d = context;
    if (is_unreachable(d) || xmtp_network_happens(d->net, d->faults.stream_cut)) {
        stream_end(d, stream);
    }
    if (stream->inner == NULL) {
        return xmtp_fail(error, XMTP_E_NETWORK, "test network: the stream was cut");
    }
    return d->node.next(d->node.context, stream->inner, message, error);
}

static void wire_unsubscribe(void *context, xmtp_stream *stream)
{
    xmtp_network_device *d = context;
    const xmtp_alloc *alloc = &d->net->env.alloc;
    if (stream == NULL) {
        return;
    }
    xmtp_stream **link = &d->streams;
    while (*link != stream) {
        link = &(*link)->next;
    }
    *link = stream->next;
    d->node.unsubscribe(d->node.context, stream->inner);
    (void)alloc->reallocate(alloc->context, stream, 0);
}

static xmtp_status look(xmtp_network_device *d)
{
    for (const xmtp_stream *stream = d->streams; stream != NULL; stream = stream->next) {
        if (stream->inner == NULL) {
            return XMTP_OK; /* an end that next has to tell */
        }
    }
    return d->node.wait(d->node.context, 0);
}

/* Nobody else acts while this waits: either something is here, or time goes by at once. */
static xmtp_status wire_wait(void *context, uint64_t timeout_ns)
{
    xmtp_network_device *d = context;
    xmtp_network_deliver_due(d->net);
    xmtp_status status = look(d);
    if (status != XMTP_E_TIMEOUT || timeout_ns == 0) {
        return status;
    }
    xmtp_network_advance(d->net, timeout_ns);
    return look(d);
}

static void wire_wake(void *context)
{
    xmtp_network_device *d = context;
    d->node.wake(d->node.context);
}

/* The wire is the device's and is taken down with it. */
static void wire_close(void *context)
{
    xmtp_network_device *d = context;
    while (d->streams != NULL) {
        wire_unsubscribe(d, d->streams);
    }
}

void xmtp_network_wire_init(xmtp_network_device *device)
{
    device->wire = (xmtp_transport){
        .context = device,
        .unary = wire_unary,
        .unary_while = wire_unary_while,
        .subscribe = wire_subscribe,
        .next = wire_next,
        .unsubscribe = wire_unsubscribe,
        .wait = wire_wait,
        .wake = wire_wake,
        .close = wire_close,
    };
}

xmtp_status xmtp_network_connect(xmtp_network_device *device)
{
    return xmtp_node_transport(device->net->node, &device->node);
}

void xmtp_network_disconnect(xmtp_network_device *device)
{
    if (device->node.close == NULL) {
        return;
    }
    for (xmtp_stream *stream = device->streams; stream != NULL; stream = stream->next) {
        stream_end(device, stream);
    }
    device->node.close(device->node.context);
    device->node = (xmtp_transport){.context = NULL};
}
