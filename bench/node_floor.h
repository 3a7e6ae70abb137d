/* node_floor.h - what the machine itself allows: how often the disk syncs, and how fast a server
 * that does nothing but HTTP/2 answers.
 */
#ifndef XMTP_BENCH_NODE_FLOOR_H
#define XMTP_BENCH_NODE_FLOOR_H

#include "node_load.h"

#include <fcntl.h>
#include <nghttp2/nghttp2.h>

/* Appends of n bytes, each followed by fdatasync, in a second. */
static inline double floor_syncs_per_s(const char *dir, size_t n)
{
    char path[1024];
    size_t count = 0;
    uint8_t *p = calloc(1, n);
    (void)snprintf(path, sizeof path, "%s/floor", dir);
    int fd = open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    uint64_t start_ns = xmtp_tcp_now_ns();
    while (xmtp_tcp_now_ns() - start_ns < 500000000U) {
        if (p == NULL || write(fd, p, n) != (ssize_t)n || fdatasync(fd) != 0) {
            bench_die("floor", "cannot write to the disk");
        }
        count++;
    }
    double passed = (double)(xmtp_tcp_now_ns() - start_ns) / 1e9;
    (void)close(fd);
    (void)unlink(path);
    free(p);
    return (double)count / passed;
}

/* ---- an echo: every request is answered with five bytes, an empty message */

typedef struct echo {
    int fd;
    nghttp2_session *session;
} echo;

static inline ssize_t echo_read(nghttp2_session *session, int32_t stream_id, uint8_t *out,
                                size_t capacity, uint32_t *flags, nghttp2_data_source *source,
                                void *user_data)
{
    static const char status[] = "grpc-status";
    (void)capacity;
    (void)source;
    (void)user_data;
    nghttp2_nv trailer = {(uint8_t *)(uintptr_t)status, (uint8_t *)(uintptr_t) "0",
                          sizeof status - 1, 1, NGHTTP2_NV_FLAG_NONE};
    memset(out, 0, 5);
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    (void)nghttp2_submit_trailer(session, stream_id, &trailer, 1);
    return 5;
}

static inline int echo_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    static const char names[2][16] = {":status", "content-type"};
    static const char values[2][20] = {"200", "application/grpc"};
    (void)user_data;
    if ((frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) ||
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) {
        return 0;
    }
    nghttp2_nv fields[2];
    for (size_t i = 0; i < 2; i++) {
        fields[i] = (nghttp2_nv){(uint8_t *)(uintptr_t)names[i], (uint8_t *)(uintptr_t)values[i],
                                 strlen(names[i]), strlen(values[i]), NGHTTP2_NV_FLAG_NONE};
    }
    nghttp2_data_provider provider = {.read_callback = echo_read};
    return nghttp2_submit_response(session, frame->hd.stream_id, fields, 2, &provider);
}

static inline void echo_open(echo *e, int fd)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_settings_entry settings = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1000};
    e->fd = fd;
    if (nghttp2_session_callbacks_new(&callbacks) != 0) {
        _exit(1);
    }
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, echo_frame);
    if (nghttp2_session_server_new(&e->session, callbacks, e) != 0 ||
        nghttp2_submit_settings(e->session, NGHTTP2_FLAG_NONE, &settings, 1) != 0) {
        _exit(1);
    }
    nghttp2_session_callbacks_del(callbacks);
}

static inline void echo_work(echo *e)
{
    static uint8_t buffer[LOAD_BUFFER];
    size_t n = 0;
    const uint8_t *p;
    ssize_t got = recv(e->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got == 0 || (got > 0 && nghttp2_session_mem_recv(e->session, buffer, (size_t)got) < 0)) {
        _exit(0); /* the benchmark is done with us */
    }
    while ((got = nghttp2_session_mem_send(e->session, &p)) > 0) {
        memcpy(buffer + n, p, (size_t)got);
        n += (size_t)got;
        if (n > sizeof buffer / 2) {
            (void)send(e->fd, buffer, n, MSG_NOSIGNAL);
            n = 0;
        }
    }
    if (n > 0) {
        (void)send(e->fd, buffer, n, MSG_NOSIGNAL);
    }
}

/* Serves LOAD_WIRES connections of a listening socket, then waits for its end. */
static inline void echo_serve(int listener)
{
    echo echoes[LOAD_WIRES];
    struct pollfd fds[LOAD_WIRES];
    int one = 1;
    for (size_t i = 0; i < LOAD_WIRES; i++) {
        int fd = accept(listener, NULL, NULL);
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        echo_open(&echoes[i], fd);
        fds[i] = (struct pollfd){.fd = fd, .events = POLLIN};
        echo_work(&echoes[i]);
    }
    while (poll(fds, LOAD_WIRES, -1) > 0) {
        for (size_t i = 0; i < LOAD_WIRES; i++) {
            if (fds[i].revents != 0) {
                echo_work(&echoes[i]);
            }
        }
    }
}

#endif
