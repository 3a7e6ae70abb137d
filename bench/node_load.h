/* node_load.h - the load generator of `./dev bench node`: workers that each wait for their answer
 * before they ask again, spread over connections, driven by one thread over our own client code.
 *
 *     worker --ask--> xmtp_rpc_client_call --> wire (socket) --> node
 *            <--answer, latency------------------'
 *
 * Everything that fails ends the program: a benchmark that goes on after an error measures it.
 */
#ifndef XMTP_BENCH_NODE_LOAD_H
#define XMTP_BENCH_NODE_LOAD_H

#include "base/bytes.h"
#include "rpc/client_conn.h"
#include "rpc/tcp.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LOAD_WIRES = 10, LOAD_WORKERS = 100, LOAD_BUFFER = 256 * 1024 };

static inline void bench_die(const char *what, const char *why)
{
    (void)fprintf(stderr, "bench_node: %s: %s\n", what, why);
    exit(2);
}

static inline const xmtp_alloc *bench_alloc(void)
{
    return &xmtp_env_system()->alloc;
}

/* ---- one connection */

typedef struct wire {
    int fd;
    xmtp_rpc_client_conn *conn;
    size_t out_at;
    size_t out_n;
    uint8_t out[LOAD_BUFFER];
} wire;

static inline void wire_open(wire *w, uint16_t port)
{
    char authority[32];
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int one = 1;
    (void)snprintf(authority, sizeof authority, "127.0.0.1:%u", (unsigned)port);
    xmtp_rpc_client_options options = {.authority = authority};
    w->out_at = 0;
    w->out_n = 0;
    w->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(w->fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 ||
        xmtp_rpc_client_conn_new(&w->conn, bench_alloc(), &options) != XMTP_OK) {
        bench_die("connect", "no connection to the node");
    }
}

static inline void wire_close(wire *w)
{
    xmtp_rpc_client_conn_free(w->conn);
    (void)close(w->fd);
}

static inline void wire_read(wire *w)
{
    static uint8_t in[LOAD_BUFFER];
    ssize_t n = recv(w->fd, in, sizeof in, MSG_DONTWAIT);
    if (n == 0 ||
        (n > 0 && xmtp_rpc_client_conn_recv(w->conn, xmtp_bytes_of(in, (size_t)n)) != XMTP_OK)) {
        bench_die("read", "the node ended the connection");
    }
}

static inline void wire_write(wire *w)
{
    for (;;) {
        if (w->out_at == w->out_n) {
            w->out_at = 0;
            w->out_n = xmtp_rpc_client_conn_send(w->conn, w->out, sizeof w->out);
        }
        if (w->out_n == 0) {
            return;
        }
        ssize_t n =
            send(w->fd, w->out + w->out_at, w->out_n - w->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n <= 0) {
            return;
        }
        w->out_at += (size_t)n;
    }
}

static inline bool wire_wants_write(const wire *w)
{
    return w->out_at < w->out_n || xmtp_rpc_client_conn_has_output(w->conn);
}

/* Waits up to timeout_ms, then reads what came; readable[i] tells where. */
static inline void wires_wait(wire *const *wires, size_t count, int timeout_ms, bool *readable)
{
    struct pollfd fds[LOAD_WIRES + 2];
    for (size_t i = 0; i < count; i++) {
        wire_write(wires[i]);
        short events = wire_wants_write(wires[i]) ? POLLIN | POLLOUT : POLLIN;
        fds[i] = (struct pollfd){.fd = wires[i]->fd, .events = events};
    }
    (void)poll(fds, (nfds_t)count, timeout_ms);
    for (size_t i = 0; i < count; i++) {
        readable[i] = (fds[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0;
        if (readable[i]) {
            wire_read(wires[i]);
        }
    }
}

/* ---- latencies */

enum { SAMPLES_MAX = 4000000 };

typedef struct samples {
    uint32_t *ns100; /* in units of 100 ns */
    size_t count;
} samples;

static inline void samples_add(samples *s, uint64_t ns)
{
    if (s->ns100 == NULL) {
        s->ns100 = malloc(SAMPLES_MAX * sizeof *s->ns100);
    }
    if (s->ns100 != NULL && s->count < SAMPLES_MAX) {
        s->ns100[s->count++] = ns / 100 > UINT32_MAX ? UINT32_MAX : (uint32_t)(ns / 100);
    }
}

static inline int samples_compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static inline void samples_sort(samples *s)
{
    qsort(s->ns100, s->count, sizeof *s->ns100, samples_compare);
}

/* Of sorted samples, in milliseconds. */
static inline double samples_ms(const samples *s, double share)
{
    if (s->count == 0) {
        return 0;
    }
    size_t i = (size_t)((double)s->count * share);
    return (double)s->ns100[i < s->count ? i : s->count - 1] / 1e4;
}

/* ---- the load */

typedef struct load_worker {
    wire *wire;
    xmtp_rpc_client_call *call;
    uint64_t started_ns;
    bool is_stream; /* done when it is open */
} load_worker;

/* What is asked. Fills request, returns the path; *is_stream: a subscription, to be opened and
 * dropped. */
typedef struct load_job {
    void *context;
    const char *(*ask)(void *context, size_t worker, xmtp_writer *request, bool *is_stream);
    void (*answer)(void *context, size_t worker, xmtp_bytes answer); /* may be NULL */
} load_job;

typedef struct load {
    wire *wires[LOAD_WIRES];
    load_worker workers[LOAD_WORKERS];
    xmtp_writer request;
} load;

static inline void load_open(load *l, uint16_t port)
{
    for (size_t i = 0; i < LOAD_WIRES; i++) {
        l->wires[i] = malloc(sizeof *l->wires[i]);
        if (l->wires[i] == NULL) {
            bench_die("memory", "none left");
        }
        wire_open(l->wires[i], port);
    }
    for (size_t i = 0; i < LOAD_WORKERS; i++) {
        l->workers[i] = (load_worker){.wire = l->wires[i % LOAD_WIRES]};
    }
    xmtp_writer_init(&l->request, bench_alloc(), XMTP_WRITER_MAX);
}

static inline void load_close(load *l)
{
    for (size_t i = 0; i < LOAD_WORKERS; i++) {
        xmtp_rpc_client_call_free(l->workers[i].call);
    }
    for (size_t i = 0; i < LOAD_WIRES; i++) {
        wire_close(l->wires[i]);
        free(l->wires[i]);
    }
    xmtp_writer_free(&l->request);
}

static inline xmtp_rpc_client_call *bench_start(wire *w, const char *path, xmtp_bytes request)
{
    xmtp_rpc_client_call *call;
    if (xmtp_rpc_client_call_start(&call, w->conn, path, request) != XMTP_OK) {
        bench_die(path, "the call cannot be started");
    }
    return call;
}

static inline void load_ask(load *l, size_t i, const load_job *job)
{
    load_worker *w = &l->workers[i];
    xmtp_writer_clear(&l->request);
    w->is_stream = false;
    const char *path = job->ask(job->context, i, &l->request, &w->is_stream);
    w->started_ns = xmtp_tcp_now_ns();
    w->call = bench_start(w->wire, path, xmtp_writer_bytes(&l->request));
}

/* True when the worker's call is over. */
static inline bool load_take(load_worker *w, size_t i, const load_job *job)
{
    xmtp_bytes message;
    xmtp_error error = {0};
    if (w->call == NULL || !xmtp_rpc_client_call_has_news(w->call)) {
        return w->call != NULL && w->is_stream && xmtp_rpc_client_call_has_headers(w->call);
    }
    xmtp_status status = xmtp_rpc_client_call_next(w->call, &message, &error);
    while (status == XMTP_OK) {
        if (job->answer != NULL) {
            job->answer(job->context, i, message);
        }
        status = xmtp_rpc_client_call_next(w->call, &message, &error);
    }
    if (status != XMTP_E_CLOSED && status != XMTP_E_RETRY) {
        bench_die("call", error.text);
    }
    return status == XMTP_E_CLOSED || w->is_stream;
}

/* One turn: what was answered since the last one. ask_more: workers go on. Returns how many wait. */
static inline size_t load_turn(load *l, const load_job *job, bool ask_more, samples *out)
{
    bool readable[LOAD_WIRES];
    size_t waiting = 0;
    wires_wait(l->wires, LOAD_WIRES, 100, readable);
    uint64_t now_ns = xmtp_tcp_now_ns();
    for (size_t i = 0; i < LOAD_WORKERS; i++) {
        load_worker *w = &l->workers[i];
        if (readable[i % LOAD_WIRES] && load_take(w, i, job)) {
            samples_add(out, now_ns - w->started_ns);
            xmtp_rpc_client_call_free(w->call);
            w->call = NULL;
            if (ask_more) {
                load_ask(l, i, job);
            }
        }
        waiting += w->call != NULL ? 1 : 0;
    }
    return waiting;
}

/* Runs the job for so long and waits for the last answers. Returns the seconds measured. */
static inline double load_run(load *l, const load_job *job, double seconds, samples *out)
{
    samples warm_up = {0};
    uint64_t start_ns = xmtp_tcp_now_ns();
    uint64_t measured_ns = start_ns + 200000000U;
    uint64_t end_ns = measured_ns + (uint64_t)(seconds * 1e9);
    out->count = 0;
    for (size_t i = 0; i < LOAD_WORKERS; i++) {
        load_ask(l, i, job);
    }
    while (xmtp_tcp_now_ns() < measured_ns) {
        (void)load_turn(l, job, true, &warm_up);
    }
    start_ns = xmtp_tcp_now_ns();
    while (xmtp_tcp_now_ns() < end_ns) {
        (void)load_turn(l, job, true, out);
    }
    double passed = (double)(xmtp_tcp_now_ns() - start_ns) / 1e9;
    while (load_turn(l, job, false, &warm_up) > 0) {
    }
    free(warm_up.ns100);
    return passed;
}

/* One call, answered. */
static inline void bench_call(wire *w, const char *path, xmtp_bytes request)
{
    bool readable;
    xmtp_bytes message;
    xmtp_error error = {0};
    xmtp_rpc_client_call *call = bench_start(w, path, request);
    while (!xmtp_rpc_client_call_has_news(call) || !xmtp_rpc_client_call_is_over(call)) {
        wires_wait(&w, 1, 1000, &readable);
        while (xmtp_rpc_client_call_has_news(call)) {
            xmtp_status status = xmtp_rpc_client_call_next(call, &message, &error);
            if (status == XMTP_E_CLOSED) {
                xmtp_rpc_client_call_free(call);
                return;
            }
            if (status != XMTP_OK) {
                bench_die(path, error.text);
            }
        }
    }
    bench_die(path, "ended without telling");
}

#endif
