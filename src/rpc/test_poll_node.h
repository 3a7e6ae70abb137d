/* test_poll_node.h - a small node for tests of the client's side: real sockets on loopback, driven with poll(2)
 * by a thread of its own, which takes commands by a pipe. Answers as test_echo.h, and:
 *
 *     /test/Die    the connection ends     /test/Key   the key that came with the call
 *     /test/Bell   echoes; a byte can be read from done[0] as soon as the request is there
 */
#ifndef XMTP_RPC_TEST_POLL_NODE_H
#define XMTP_RPC_TEST_POLL_NODE_H

#include "base/bytes.h"
#include "rpc/grpc_transport.h"
#include "rpc/test_echo.h"
#include "rpc/url.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
// cmocka wants the headers above first
#include <cmocka.h>

enum { CONNS_MAX = 8, BUFFER_LEN = 64 * 1024 };

/* One byte each; the node answers with the same byte when it is done. */
enum { KILL = 'k', DRAIN = 'd', PUBLISH = 'p', END_STREAMS = 'e', QUIT = 'q' };

typedef struct node_conn {
    int fd;
    xmtp_rpc_server_conn *conn;
    bool must_die;
    int bell_fd; /* a byte for each call of /test/Bell */
    size_t out_at;
    size_t out_n;
    uint8_t out[BUFFER_LEN];
} node_conn;

typedef struct node {
    echo_handler echo;
    int listener;
    int command[2];
    int done[2];
    pthread_t thread;
    node_conn *conns[CONNS_MAX];
    size_t conn_count;
    size_t accept_count;
    bool says_garbage;
    int garbage_fd;
    char url[64];
} node;

static void node_request(void *context, xmtp_rpc_call *call, const char *path, xmtp_bytes request)
{
    if (strcmp(path, "/test/Die") == 0) {
        node_conn *c = xmtp_rpc_call_peer(call);
        c->must_die = true;
        return;
    }
    if (strcmp(path, "/test/Bell") == 0) {
        const node_conn *c = xmtp_rpc_call_peer(call);
        (void)!write(c->bell_fd, "b", 1);
        path = "/test/Echo";
    }
    if (strcmp(path, "/test/Key") == 0) { /* a call or a stream */
        assert(xmtp_rpc_call_start_stream(call) == XMTP_OK);
        echo_message(call, xmtp_bytes_of_string(xmtp_rpc_call_api_key(call)));
        xmtp_rpc_call_end(call, XMTP_GRPC_OK, NULL, NULL);
        return;
    }
    echo_request(context, call, path, request);
}

static void node_accept(node *n)
{
    static const char garbage[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    int fd = accept4(n->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert(fd >= 0 && n->conn_count < CONNS_MAX);
    n->accept_count++;
    if (n->says_garbage) {
        (void)!write(fd, garbage, sizeof garbage - 1);
        n->garbage_fd = fd;
        return;
    }
    node_conn *c = calloc(1, sizeof *c);
    c->fd = fd;
    c->bell_fd = n->done[1];
    xmtp_rpc_handler handler = echo_functions(&n->echo);
    handler.request = node_request;
    xmtp_status status =
        xmtp_rpc_server_conn_new(&c->conn, &xmtp_env_system()->alloc, &handler, NULL);
    assert(status == XMTP_OK);
    (void)status;
    *xmtp_rpc_server_conn_data(c->conn) = c;
    n->conns[n->conn_count++] = c;
}

static void node_close(node *n, size_t i)
{
    node_conn *c = n->conns[i];
    xmtp_rpc_server_conn_free(c->conn);
    (void)close(c->fd);
    free(c);
    n->conns[i] = n->conns[--n->conn_count];
}

static void node_write(node_conn *c)
{
    for (;;) {
        if (c->out_at == c->out_n) {
            c->out_at = 0;
            c->out_n = xmtp_rpc_server_conn_send(c->conn, c->out, sizeof c->out);
        }
        if (c->out_n == 0) {
            return;
        }
        ssize_t n = send(c->fd, c->out + c->out_at, c->out_n - c->out_at, MSG_NOSIGNAL);
        if (n <= 0) {
            return;
        }
        c->out_at += (size_t)n;
    }
}

/* False when the connection is over. */
static bool node_serve(node_conn *c)
{
    static uint8_t in[BUFFER_LEN];
    ssize_t n = recv(c->fd, in, sizeof in, 0);
    if (n == 0 ||
        (n > 0 && xmtp_rpc_server_conn_recv(c->conn, xmtp_bytes_of(in, (size_t)n)) != XMTP_OK)) {
        return false;
    }
    node_write(c);
    return !c->must_die && !(xmtp_rpc_server_conn_is_done(c->conn) && c->out_at == c->out_n);
}

static void node_publish(node *n)
{
    for (size_t i = 0; i < n->echo.open_count; i++) {
        echo_message(n->echo.open[i], xmtp_bytes_of_string("news"));
    }
}

static void node_end_streams(node *n)
{
    while (n->echo.open_count > 0) {
        xmtp_rpc_call_end(n->echo.open[--n->echo.open_count], XMTP_GRPC_OK, NULL, NULL);
    }
}

static bool node_obey(node *n)
{
    char command = 0;
    (void)!read(n->command[0], &command, 1);
    while ((command == KILL || command == QUIT) && n->conn_count > 0) {
        node_close(n, 0);
    }
    for (size_t i = 0; command == DRAIN && i < n->conn_count; i++) {
        xmtp_rpc_server_conn_drain(n->conns[i]->conn);
    }
    if (command == PUBLISH) {
        node_publish(n);
    } else if (command == END_STREAMS) {
        node_end_streams(n);
    }
    for (size_t i = 0; i < n->conn_count; i++) {
        node_write(n->conns[i]);
    }
    (void)!write(n->done[1], &command, 1);
    return command != QUIT;
}

static void *node_run(void *context)
{
    node *n = context;
    for (;;) {
        struct pollfd fds[2 + CONNS_MAX] = {{.fd = n->command[0], .events = POLLIN},
                                            {.fd = n->listener, .events = POLLIN}};
        for (size_t i = 0; i < n->conn_count; i++) {
            const node_conn *c = n->conns[i];
            bool wants = c->out_at < c->out_n || xmtp_rpc_server_conn_has_output(c->conn);
            fds[2 + i] =
                (struct pollfd){.fd = c->fd, .events = (short)(POLLIN | (wants ? POLLOUT : 0))};
        }
        (void)poll(fds, 2 + n->conn_count, -1);
        for (size_t i = n->conn_count; i-- > 0;) {
            if (fds[2 + i].revents != 0 && !node_serve(n->conns[i])) {
                node_close(n, i);
            }
        }
        if (fds[1].revents != 0) {
            node_accept(n);
        }
        if (fds[0].revents != 0 && !node_obey(n)) {
            return NULL;
        }
    }
}

static void node_listen(node *n)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t a_len = sizeof a;
    n->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(n->listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(n->listener, 16), 0);
    assert_int_equal(getsockname(n->listener, (struct sockaddr *)&a, &a_len), 0);
    (void)snprintf(n->url, sizeof n->url, "http://localhost:%d", ntohs(a.sin_port));
}

static void node_start(node *n, bool says_garbage)
{
    *n = (node){.says_garbage = says_garbage};
    node_listen(n);
    assert_int_equal(pipe(n->command), 0);
    assert_int_equal(pipe(n->done), 0);
    assert_int_equal(pthread_create(&n->thread, NULL, node_run, n), 0);
}

/* Returns when the node has done it. */
static void node_command(node *n, char command)
{
    char done = 0;
    assert_int_equal(write(n->command[1], &command, 1), 1);
    assert_int_equal(read(n->done[0], &done, 1), 1);
    assert_int_equal(done, command);
}

static void node_stop(node *n)
{
    node_command(n, QUIT);
    assert_int_equal(pthread_join(n->thread, NULL), 0);
    (void)close(n->listener);
    if (n->says_garbage) {
        (void)close(n->garbage_fd);
    }
    for (int i = 0; i < 2; i++) {
        (void)close(n->command[i]);
        (void)close(n->done[i]);
    }
}

#endif
