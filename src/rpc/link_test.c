/* link_test.c - a client's connection over TLS, driven by hand: the node's end is an endpoint on the
 * other side of a socket pair, in the same thread. */
#include "rpc/link.h"

#include "base/bytes.h"
#include "rpc/endpoint.h"
#include "rpc/tcp.h"
#include "rpc/test_certificate.h"
#include "rpc/test_echo.h"
#include "rpc/test_http.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>
// cmocka wants the headers above first
#include <cmocka.h>

enum { PATH_LEN = 96, BUFFER_LEN = 64 * 1024, BIG_LEN = 300000 };

static struct {
    char dir[PATH_LEN / 2];
    char certificate[PATH_LEN];
    char key[PATH_LEN];
    xmtp_tls_server *server;
    xmtp_tls_client *client;
} world;

static const xmtp_alloc *alloc(void)
{
    return &xmtp_env_system()->alloc;
}

static int set_up(void **state)
{
    (void)state;
    const test_subject subject = {
        .common_name = "x", .names = "DNS:node.example", .from_s = -60, .to_s = 3600};
    (void)snprintf(world.dir, sizeof world.dir, "/tmp/xmtp-link-XXXXXX");
    assert_non_null(mkdtemp(world.dir));
    (void)snprintf(world.certificate, sizeof world.certificate, "%s/c.pem", world.dir);
    (void)snprintf(world.key, sizeof world.key, "%s/k.pem", world.dir);
    test_authority_issue(NULL, world.certificate, world.key, &subject);
    assert_int_equal(
        xmtp_tls_server_open(&world.server, alloc(), world.certificate, world.key, NULL), XMTP_OK);
    assert_int_equal(
        xmtp_tls_client_open(&world.client, alloc(), world.certificate, "node.example", NULL),
        XMTP_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    xmtp_tls_client_close(world.client);
    xmtp_tls_server_close(world.server);
    (void)unlink(world.certificate);
    (void)unlink(world.key);
    return rmdir(world.dir);
}

typedef struct fixture {
    echo_handler echo;
    test_http http;
    xmtp_endpoint *node;
    int node_fd;
    xmtp_link *link;
    size_t piece_len; /* bytes that the node writes at a time */
    size_t sent_n;    /* bytes that the node has written */
    size_t cut_at;    /* it writes no more than so many */
    xmtp_status status;
    xmtp_status node_status;
    const char *why;
} fixture;

static void open_with(fixture *f, xmtp_tls_server *tls, uint64_t handshake_by_ns)
{
    int fds[2];
    const xmtp_rpc_client_options options = {.authority = "node.example:443", .is_tls = true};
    *f = (fixture){.piece_len = BUFFER_LEN, .cut_at = SIZE_MAX, .why = ""};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    const xmtp_endpoint_options node = {
        .grpc = echo_functions(&f->echo), .http = test_http_server(&f->http), .tls = tls};
    assert_int_equal(xmtp_endpoint_new(&f->node, alloc(), &node), XMTP_OK);
    assert_int_equal(
        xmtp_link_new(&f->link, alloc(), fds[0], world.client, handshake_by_ns, &options), XMTP_OK);
    f->node_fd = fds[1];
}

static void open_pair(fixture *f)
{
    open_with(f, world.server, UINT64_MAX);
}

static void close_node(fixture *f)
{
    if (f->node_fd >= 0) {
        (void)close(f->node_fd);
    }
    f->node_fd = -1;
    xmtp_endpoint_free(f->node);
    f->node = NULL;
}

static void close_link(fixture *f)
{
    xmtp_link_free(f->link);
    f->link = NULL;
}

static void close_all(fixture *f)
{
    close_link(f);
    close_node(f);
}

static bool node_reads(fixture *f)
{
    static uint8_t in[BUFFER_LEN];
    ssize_t n = recv(f->node_fd, in, sizeof in, 0);
    if (n > 0) {
        f->node_status = xmtp_endpoint_recv(f->node, xmtp_bytes_of(in, (size_t)n));
    }
    return n > 0;
}

static bool node_writes(fixture *f)
{
    static uint8_t out[BUFFER_LEN];
    size_t room = f->cut_at - f->sent_n < f->piece_len ? f->cut_at - f->sent_n : f->piece_len;
    size_t n = xmtp_endpoint_send(f->node, out, room);
    f->sent_n += n;
    if (n > 0) {
        assert_int_equal(send(f->node_fd, out, n, MSG_NOSIGNAL), n);
    }
    return n > 0;
}

/* Until both are silent, or the link is over. */
static void pump(fixture *f)
{
    bool has_moved = true;
    while (has_moved && f->status == XMTP_OK) {
        f->status = xmtp_link_work(f->link, &f->why);
        has_moved = node_reads(f);
        has_moved |= node_writes(f);
    }
    if (f->status == XMTP_OK) {
        f->status = xmtp_link_work(f->link, &f->why);
    }
}

static xmtp_rpc_client_call *start(fixture *f, const char *path, xmtp_bytes request)
{
    xmtp_rpc_client_call *call;
    assert_int_equal(xmtp_rpc_client_call_start(&call, f->link->conn, path, request), XMTP_OK);
    return call;
}

static void assert_echo(fixture *f, xmtp_bytes request)
{
    xmtp_bytes message;
    xmtp_rpc_client_call *call = start(f, "/test/Echo", request);
    pump(f);
    assert_int_equal(f->status, XMTP_OK);
    assert_int_equal(xmtp_rpc_client_call_next(call, &message, NULL), XMTP_OK);
    assert_true(xmtp_bytes_equal(message, request));
    xmtp_rpc_client_call_free(call);
}

static void assert_over(const fixture *f, xmtp_status status, const char *why)
{
    assert_int_equal(f->status, status);
    assert_string_equal(f->why, why);
}

/* ---- facts */

static void a_call_waits_for_the_handshake_and_is_answered(void **state)
{
    (void)state;
    fixture f;
    open_pair(&f);
    assert_echo(&f, xmtp_bytes_of_string("hello"));
    assert_echo(&f, xmtp_bytes_of_string("again"));
    assert_int_equal(f.echo.request_count, 2);
    close_all(&f);
}

static void records_may_come_byte_by_byte(void **state)
{
    (void)state;
    fixture f;
    open_pair(&f);
    f.piece_len = 1;
    assert_echo(&f, xmtp_bytes_of_string("hello"));
    close_all(&f);
}

static void many_records_go_both_ways(void **state)
{
    (void)state;
    static uint8_t big[BIG_LEN];
    fixture f;
    open_pair(&f);
    memset(big, 'b', sizeof big);
    f.piece_len = 10000;
    assert_echo(&f, xmtp_bytes_of(big, sizeof big));
    close_all(&f);
}

static void a_stream_runs_over_tls(void **state)
{
    (void)state;
    fixture f;
    xmtp_bytes message;
    size_t count = 0;
    open_pair(&f);
    xmtp_rpc_client_call *call = start(&f, "/test/Count", xmtp_bytes_of_string("500"));
    pump(&f);
    while (xmtp_rpc_client_call_next(call, &message, NULL) == XMTP_OK) {
        count++;
    }
    assert_int_equal(count, 500);
    xmtp_rpc_client_call_free(call);
    close_all(&f);
}

/* The link as its user sees it when the node's side is gone. */
static void look_after_the_end(fixture *f)
{
    (void)close(f->node_fd);
    f->node_fd = -1;
    while (f->status == XMTP_OK) {
        f->status = xmtp_link_work(f->link, &f->why);
    }
}

static void a_cut_at_any_byte_of_the_handshake_is_told_as_that(void **state)
{
    (void)state;
    size_t handshake_len = SIZE_MAX;
    for (size_t at = 0; at < handshake_len; at += 37) {
        fixture f;
        open_pair(&f);
        f.cut_at = at;
        pump(&f);
        if (xmtp_tls_client_is_ready(f.link->tls)) {
            handshake_len = at;
            assert_true(at > 300);
        } else {
            look_after_the_end(&f);
            bool is_closed = f.status == XMTP_E_CLOSED;
            assert_over(&f, is_closed ? XMTP_E_CLOSED : XMTP_E_NETWORK,
                        is_closed ? "node closed the connection during the TLS handshake"
                                  : "connection to the node was lost during the TLS handshake");
        }
        close_all(&f);
    }
    assert_true(handshake_len < 20000);
}

static void a_record_that_is_cut_brings_nothing(void **state)
{
    (void)state;
    fixture f;
    xmtp_bytes message;
    open_pair(&f);
    assert_echo(&f, xmtp_bytes_of_string("hello"));
    xmtp_rpc_client_call *call = start(&f, "/test/Echo", xmtp_bytes_of_string("again"));
    f.cut_at = f.sent_n + 20;
    pump(&f);
    assert_int_equal(f.status, XMTP_OK);
    assert_int_equal(xmtp_rpc_client_call_next(call, &message, NULL), XMTP_E_RETRY);
    look_after_the_end(&f);
    assert_over(&f, XMTP_E_CLOSED, "node closed the connection");
    xmtp_rpc_client_call_free(call);
    close_all(&f);
}

static void a_node_that_shuts_down_ends_the_link_in_order(void **state)
{
    (void)state;
    fixture f;
    open_pair(&f);
    assert_echo(&f, xmtp_bytes_of_string("hello"));
    xmtp_endpoint_drain(f.node);
    pump(&f); /* GOAWAY */
    assert_false(xmtp_rpc_client_conn_is_accepting(f.link->conn));
    xmtp_endpoint_shutdown(f.node);
    f.status = XMTP_OK;
    pump(&f);
    assert_int_equal(f.status, XMTP_E_CLOSED);
    close_all(&f);
}

static void the_node_is_told_of_the_end(void **state)
{
    (void)state;
    fixture f;
    open_pair(&f);
    assert_echo(&f, xmtp_bytes_of_string("hello"));
    close_link(&f);
    while (node_reads(&f)) {
    }
    assert_int_equal(f.node_status,
                     XMTP_E_CLOSED); /* close_notify, not an end of the bytes alone */
    close_node(&f);
}

static void a_handshake_has_its_time(void **state)
{
    (void)state;
    fixture f;
    open_with(&f, world.server, xmtp_tcp_now_ns());
    f.status = xmtp_link_work(f.link, &f.why);
    assert_over(&f, XMTP_E_TIMEOUT, "node did not finish the TLS handshake in time");
    close_all(&f);
}

static void calls_end_with_the_verdict_and_nothing_was_sent(void **state)
{
    (void)state;
    fixture f;
    open_with(&f, NULL, UINT64_MAX); /* a node without TLS */
    xmtp_rpc_client_call *call = start(&f, "/test/Echo", xmtp_bytes_of_string("a secret"));
    static uint8_t in[BUFFER_LEN];
    f.status = xmtp_link_work(f.link, &f.why);
    ssize_t n = recv(f.node_fd, in, sizeof in, 0);
    assert_true(n > 0);
    assert_null(memmem(in, (size_t)n, "a secret", 8));
    assert_null(memmem(in, (size_t)n, "PRI *", 5));
    assert_int_equal(send(f.node_fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28, MSG_NOSIGNAL), 28);
    f.status = xmtp_link_work(f.link, &f.why);
    assert_over(&f, XMTP_E_TLS, "node.example does not speak TLS on this port");
    xmtp_rpc_client_call_free(call);
    close_all(&f);
}

static void no_event_is_waited_for_that_cannot_come(void **state)
{
    (void)state;
    fixture f;
    open_pair(&f);
    xmtp_rpc_client_call *call = start(&f, "/test/Open", xmtp_bytes_of_string("x"));
    assert_int_equal(xmtp_link_events(f.link), POLLIN | POLLOUT); /* the hello */
    f.status = xmtp_link_work(f.link, &f.why);
    assert_int_equal(xmtp_link_events(f.link), POLLIN); /* what is queued waits for the node */
    pump(&f);
    assert_int_equal(xmtp_link_events(f.link), POLLIN);
    xmtp_rpc_client_call_free(call);
    assert_int_equal(xmtp_link_events(f.link), POLLIN | POLLOUT); /* RST_STREAM */
    close_all(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_waits_for_the_handshake_and_is_answered),
        cmocka_unit_test(records_may_come_byte_by_byte),
        cmocka_unit_test(many_records_go_both_ways),
        cmocka_unit_test(a_stream_runs_over_tls),
        cmocka_unit_test(a_cut_at_any_byte_of_the_handshake_is_told_as_that),
        cmocka_unit_test(a_record_that_is_cut_brings_nothing),
        cmocka_unit_test(a_node_that_shuts_down_ends_the_link_in_order),
        cmocka_unit_test(the_node_is_told_of_the_end),
        cmocka_unit_test(a_handshake_has_its_time),
        cmocka_unit_test(calls_end_with_the_verdict_and_nothing_was_sent),
        cmocka_unit_test(no_event_is_waited_for_that_cannot_come),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
