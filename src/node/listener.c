/* listener.c - addresses, the loops' threads, and stopping them.
 *
 * Stopping: the first loop closes its sockets; when no connection is on its way to another loop any
 * more, those are told too. Each then drains its connections:
 *
 *     at once            streams end with UNAVAILABLE; nothing new, as soon as the peer knows
 *     after NOTICE_MS    nothing new, whether it knows or not
 *     drain_seconds      calls that still run end with UNAVAILABLE
 *     and a second more  connections that are still there are cut off
 *
 * When all are closed and the sequencer has given back every call, the last handles close and the
 * loop ends.
 */
#include "node/listener.h"

#include "base/prompt.h"
#include "base/status.h"
#include "node/history.h"
#include "node/listener_internal.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BACKLOG = 1024, TICK_MS = 1000, NOTICE_MS = 250, SWEEP_SECONDS = 600 };

/* ---- stopping */

static void close_socket(xmtp_node_socket *socket)
{
    if (socket->is_open) {
        socket->is_open = false;
        uv_close((uv_handle_t *)&socket->tcp, NULL);
    }
}

void xmtp_node_listener_check_stopped(xmtp_node_listener *listener)
{
    if (!listener->is_stopping || listener->is_stopped || listener->connections != NULL ||
        listener->call_count > 0) {
        return;
    }
    listener->is_stopped = true;
    uv_close((uv_handle_t *)&listener->async, NULL);
    uv_close((uv_handle_t *)&listener->timer, NULL);
    uv_close((uv_handle_t *)&listener->deadline, NULL);
}

static void say_to_all(xmtp_node_listener *listener, xmtp_node_goodbye goodbye)
{
    for (xmtp_node_connection *c = listener->connections; c != NULL; c = c->next) {
        xmtp_node_connection_say(c, goodbye);
    }
}

/* The next step of saying goodbye: after NOTICE_MS, and then every TICK_MS. */
static void go_on_stopping(xmtp_node_listener *listener)
{
    uint64_t drain_ticks = listener->node->services.limits.drain_seconds * 1000 / TICK_MS;
    uint64_t tick = ++listener->stopping_ticks;
    if (tick == 1) {
        say_to_all(listener, XMTP_NODE_DRAIN_END);
    }
    if (tick == drain_ticks + 1) {
        say_to_all(listener, XMTP_NODE_SHUTDOWN);
    }
    for (xmtp_node_connection *c = listener->connections; c != NULL && tick > drain_ticks + 1;
         c = c->next) {
        xmtp_node_connection_close(c);
    }
}

static void stop(xmtp_node_listener *listener)
{
    listener->is_stopping = true;
    for (size_t i = 0; i < listener->socket_count; i++) {
        close_socket(&listener->sockets[i]);
    }
    xmtp_node_arrival_check_none(listener);
    say_to_all(listener, XMTP_NODE_DRAIN);
    xmtp_node_net_streams_stop(listener);
    (void)uv_timer_start(&listener->timer, listener->timer.timer_cb, NOTICE_MS, TICK_MS);
}

/* ---- the loop */

static void on_async(uv_async_t *async)
{
    xmtp_node_listener *listener = async->data;
    (void)pthread_mutex_lock(&listener->lock);
    bool must_stop = listener->must_stop && !listener->is_stopping;
    (void)pthread_mutex_unlock(&listener->lock);
    xmtp_node_arrival_collect(listener);
    if (must_stop) {
        stop(listener);
    }
    xmtp_node_net_collect(listener);
    xmtp_node_connections_flush(listener);
    xmtp_node_listener_check_stopped(listener);
}

/* Looked at by the loop that has the sockets. */
static void renew_certificate(xmtp_node *node)
{
    char line[320];
    xmtp_error error = {0};
    if (node->tls == NULL || !xmtp_tls_server_has_changed(node->tls)) {
        return;
    }
    bool is_read = xmtp_tls_server_reload(node->tls, &error) == XMTP_OK;
    (void)snprintf(line, sizeof line, "%s",
                   is_read ? "new connections get the new certificate" : error.text);
    if (node->notice != NULL) {
        node->notice(node->notice_context, line);
    }
}

/* Looks for old files now and then. */
static void sweep_history(xmtp_node_listener *listener)
{
    if (++listener->ticks % (SWEEP_SECONDS * 1000 / TICK_MS) == 0) {
        xmtp_node_history_sweep(listener->node->history, listener->node->services.workers);
    }
}

static void on_tick(uv_timer_t *timer)
{
    xmtp_node_listener *listener = timer->data;
    if (listener->socket_count > 0) {
        renew_certificate(listener->node);
        sweep_history(listener);
    }
    for (xmtp_node_connection *c = listener->connections; c != NULL; c = c->next) {
        xmtp_node_connection_tick(c, uv_hrtime());
    }
    xmtp_node_net_streams_tick(listener);
    if (listener->is_stopping && !listener->is_stopped) {
        go_on_stopping(listener);
    }
    xmtp_node_connections_flush(listener);
    xmtp_node_listener_check_stopped(listener);
}

static void on_deadline(uv_timer_t *timer)
{
    xmtp_node_net_calls_expire(timer->data);
    xmtp_node_connections_flush(timer->data);
}

static void on_connection(uv_stream_t *stream, int code)
{
    if (code == 0) {
        xmtp_node_arrival_accept(stream->data);
    }
}

static void *run(void *context)
{
    xmtp_node_listener *listener = context;
    sigset_t
        pipe_signal; /* of this thread's writes to peers that left; the program's are its own */
    (void)sigemptyset(&pipe_signal);
    (void)sigaddset(&pipe_signal, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL);
    xmtp_thread_be_prompt();
    listener->loop_thread = pthread_self();
    (void)uv_run(&listener->loop, UV_RUN_DEFAULT);
    return NULL;
}

/* ---- addresses */

static uint16_t port_of(const uv_tcp_t *tcp)
{
    struct sockaddr_storage address = {0};
    int n = sizeof address;
    if (uv_tcp_getsockname(tcp, (struct sockaddr *)&address, &n) != 0) {
        return 0;
    }
    /* The port is at the same place in both families. */
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

/* A machine without IPv6 still has localhost: that address is left out there. */
static bool may_be_missing(const struct sockaddr_storage *address, int code, size_t index)
{
    bool has_none = code == UV_EADDRNOTAVAIL || code == UV_EAFNOSUPPORT;
    return has_none && address->ss_family == AF_INET6 && index > 0;
}

/* Behind a proxy on the same machine everybody comes from here. */
static bool reflects(const xmtp_node *node, const xmtp_node_address *address)
{
    bool is_local =
        xmtp_node_address_is_loopback(address) && (address->protocols & XMTP_NODE_PROXY) == 0;
    return node->reflection == XMTP_NODE_REFLECT_EVERYWHERE ||
           (node->reflection == XMTP_NODE_REFLECT_LOCALLY && is_local);
}

static xmtp_status listen_at(xmtp_node_listener *listener, size_t index, const char *text,
                             xmtp_error *error)
{
    xmtp_node_address address;
    xmtp_node_socket *socket = &listener->sockets[index];
    XMTP_TRY(xmtp_node_address_parse(&address, text, error));
    (void)uv_tcp_init(&listener->loop, &socket->tcp);
    socket->listener = listener;
    socket->tcp.data = socket;
    socket->is_open = true;
    socket->protocols =
        address.protocols | (reflects(listener->node, &address) ? XMTP_NODE_REFLECTION : 0);
    listener->socket_count = index + 1;
    unsigned flags = address.socket.ss_family == AF_INET6 ? UV_TCP_IPV6ONLY : 0;
    int code = uv_tcp_bind(&socket->tcp, (const struct sockaddr *)&address.socket, flags);
    if (code == 0) {
        code = uv_listen((uv_stream_t *)&socket->tcp, BACKLOG, on_connection);
    }
    if (code != 0) {
        close_socket(socket);
        return may_be_missing(&address.socket, code, index)
                   ? XMTP_OK
                   : xmtp_fail(error, XMTP_E_NETWORK, "cannot listen on %.80s: %s", text,
                               uv_strerror(code));
    }
    socket->port = port_of(&socket->tcp);
    return XMTP_OK;
}

/* ---- opening and closing */

static xmtp_status listen_all(xmtp_node_listener *listener, const char *const *addresses,
                              xmtp_error *error)
{
    for (size_t i = 0; i < XMTP_NODE_LISTEN_MAX && addresses[i] != NULL; i++) {
        XMTP_TRY(listen_at(listener, i, addresses[i], error));
    }
    return XMTP_OK;
}

xmtp_status xmtp_node_listener_check(const char *const *addresses, xmtp_error *error)
{
    xmtp_node_address ignored;
    for (size_t i = 0; addresses[i] != NULL; i++) {
        XMTP_TRY(xmtp_node_address_parse(&ignored, addresses[i], error));
    }
    return XMTP_OK;
}

static void free_loop(xmtp_node_listener *listener)
{
    const xmtp_alloc *alloc = &listener->node->env->alloc;
    (void)uv_loop_close(&listener->loop);
    uv_sem_destroy(&listener->no_arrivals);
    (void)pthread_mutex_destroy(&listener->lock);
    (void)alloc->reallocate(alloc->context, listener, 0);
}

static xmtp_status make_loop(xmtp_node_listener **out, xmtp_node *node)
{
    const xmtp_alloc *alloc = &node->env->alloc;
    xmtp_node_listener *listener = alloc->reallocate(alloc->context, NULL, sizeof *listener);
    *out = NULL;
    XMTP_ENSURE(listener != NULL, XMTP_E_NOMEM);
    memset(listener, 0, sizeof *listener);
    listener->node = node;
    (void)pthread_mutex_init(&listener->lock, NULL);
    (void)uv_sem_init(&listener->no_arrivals, 0);
    if (uv_loop_init(&listener->loop) != 0) {
        uv_sem_destroy(&listener->no_arrivals);
        (void)pthread_mutex_destroy(&listener->lock);
        (void)alloc->reallocate(alloc->context, listener, 0);
        return XMTP_E_INTERNAL;
    }
    (void)uv_async_init(&listener->loop, &listener->async, on_async);
    (void)uv_timer_init(&listener->loop, &listener->timer);
    (void)uv_timer_init(&listener->loop, &listener->deadline);
    listener->async.data = listener;
    listener->timer.data = listener;
    listener->deadline.data = listener;
    listener->turn = listener;
    xmtp_list_init(&listener->calls);
    xmtp_list_init(&listener->streams);
    xmtp_list_init(&listener->silent);
    (void)uv_timer_start(&listener->timer, on_tick, TICK_MS, TICK_MS);
    (void)uv_timer_start(&listener->deadline, on_deadline, xmtp_node_call_ms_max(listener), 0);
    *out = listener;
    return XMTP_OK;
}

/* Without a thread: closes the handles and lets the loop take notice. */
static void abandon(xmtp_node_listener *listener)
{
    stop(listener);
    xmtp_node_listener_check_stopped(listener);
    (void)uv_run(&listener->loop, UV_RUN_DEFAULT);
    free_loop(listener);
}

static xmtp_status start_loop(xmtp_node_listener *listener)
{
    int code = pthread_create(&listener->thread, NULL, run, listener);
    return code == 0 ? XMTP_OK : XMTP_E_INTERNAL;
}

/* Those behind the first, each running; what has none yet is made by and by. */
static xmtp_status add_loops(xmtp_node_listener *first, size_t count)
{
    xmtp_node_listener *last = first;
    for (size_t i = 1; i < count; i++) {
        xmtp_node_listener *loop;
        XMTP_TRY(make_loop(&loop, first->node));
        xmtp_status status = start_loop(loop);
        if (status != XMTP_OK) {
            abandon(loop);
            return status;
        }
        last->next_loop = loop;
        last = loop;
    }
    return XMTP_OK;
}

static void tell_to_stop(xmtp_node_listener *loop)
{
    (void)pthread_mutex_lock(&loop->lock);
    loop->must_stop = true;
    (void)uv_async_send(&loop->async);
    (void)pthread_mutex_unlock(&loop->lock);
}

/* They have been told. The first is freed after the others have ended: they may hold connections
 * that came to its sockets. */
static void join_loops(xmtp_node_listener *first)
{
    for (xmtp_node_listener *loop = first; loop != NULL; loop = loop->next_loop) {
        (void)pthread_join(loop->thread, NULL);
    }
    while (first != NULL) {
        xmtp_node_listener *next = first->next_loop;
        free_loop(first);
        first = next;
    }
}

static void tell_all_to_stop(xmtp_node_listener *loop)
{
    for (; loop != NULL; loop = loop->next_loop) {
        tell_to_stop(loop);
    }
}

static size_t loop_count(size_t wanted)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t count = wanted > 0 ? wanted : cores > 0 ? (size_t)cores : 1;
    return count < XMTP_NODE_LOOPS_MAX ? count : XMTP_NODE_LOOPS_MAX;
}

/* The first loop runs last: until then no connection comes. */
xmtp_status xmtp_node_listener_open(xmtp_node_listener **out, xmtp_node *node,
                                    const char *const *addresses, size_t wanted, xmtp_error *error)
{
    xmtp_node_listener *first;
    *out = NULL;
    XMTP_TRY(make_loop(&first, node));
    xmtp_status status = listen_all(first, addresses, error);
    if (status == XMTP_OK) {
        status = add_loops(first, loop_count(wanted));
    }
    if (status == XMTP_OK) {
        status = start_loop(first);
    }
    if (status != XMTP_OK) {
        tell_all_to_stop(first->next_loop);
        join_loops(first->next_loop);
        abandon(first);
        return status;
    }
    *out = first;
    return XMTP_OK;
}

void xmtp_node_listener_close(xmtp_node_listener *listener)
{
    if (listener != NULL) {
        tell_to_stop(listener);
        uv_sem_wait(&listener->no_arrivals);
        tell_all_to_stop(listener->next_loop);
        join_loops(listener);
    }
}

uint16_t xmtp_node_listener_port(const xmtp_node_listener *listener, size_t index)
{
    return listener != NULL && index < listener->socket_count ? listener->sockets[index].port : 0;
}
