/* web_test.c - a node's ports as browsers and proxies use them: gRPC-web over TCP, what each port
 * serves, TLS with a new certificate, and the end. */
#include "node/test_node.h"
#include "node/test_peer.h"
#include "rpc/grpc_transport.h"
#include "rpc/test_certificate.h"

#include <stdatomic.h>
#include <time.h>

/* ---- a node whose memory is counted */

static atomic_size_t live_count;

static void *counted_reallocate(void *context, void *p, size_t n)
{
    (void)context;
    if (p == NULL && n > 0) {
        atomic_fetch_add(&live_count, 1);
    } else if (p != NULL && n == 0) {
        atomic_fetch_sub(&live_count, 1);
    }
    const xmtp_alloc *alloc = &xmtp_env_system()->alloc;
    return alloc->reallocate(alloc->context, p, n);
}

static xmtp_env counted_env;

static xmtp_node *open_node(xmtp_node_options options)
{
    xmtp_node *node;
    xmtp_error error = {0};
    counted_env = *test_env();
    counted_env.alloc.reallocate = counted_reallocate;
    options.env = &counted_env;
    options.loops = 1;
    if (xmtp_node_open(&node, &options, &error) != XMTP_OK) {
        fail_msg("%s", error.text);
    }
    return node;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- gRPC-web */

static void put_request(peer *p, const char *path, const char *body, size_t n)
{
    char head[512];
    (void)snprintf(head, sizeof head,
                   "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/grpc-web+proto\r\n"
                   "X-Grpc-Web: 1\r\nContent-Length: %zu\r\n\r\n",
                   path, n);
    assert_true(peer_say(p, head));
    assert_true(peer_say_bytes(p, body, n));
}

static void a_browser_queries_over_one_connection(void **state)
{
    (void)state;
    static const char query[] = "\0\0\0\0\3\x0a\1a"; /* group_id "a" */
    xmtp_node *node = open_node((xmtp_node_options){.listen = {"web=127.0.0.1:0"}});
    peer p = peer_open(xmtp_node_port(node, 0));
    for (int i = 0; i < 3; i++) {
        peer_forget(&p);
        put_request(&p, MLS "QueryGroupMessages", query, sizeof query - 1);
        assert_true(peer_wait(&p, "grpc-status: 0\r\n"));
        assert_non_null(peer_find(&p, "HTTP/1.1 200 OK"));
    }
    peer_forget(&p);
    put_request(&p, MLS "QueryGroupMessages", "\0\0\0\0\0", 5);
    assert_true(peer_wait(&p, "grpc-status: 3\r\ngrpc-message: missing group id"));
    peer_close(&p);
    xmtp_node_close(node);
}

/* When the loop has answered twice, it has dealt with all that happened before. */
static void settle(peer *control)
{
    for (int i = 0; i < 2; i++) {
        peer_forget(control);
        assert_true(peer_say(control, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_true(peer_wait(control, "\r\n\r\nxmtp node\n"));
    }
}

static void subscribe_and_leave(const xmtp_node *node, size_t expected_min)
{
    static const char filter[] = "\0\0\0\0\5\x0a\3\x0a\1a";
    peer p = peer_open(xmtp_node_port(node, 0));
    put_request(&p, MLS "SubscribeGroupMessages", filter, sizeof filter - 1);
    assert_true(peer_wait(&p, "subscribed: true\r\n"));
    assert_true(atomic_load(&live_count) > expected_min);
    peer_close(&p);
}

static void a_page_that_leaves_frees_its_subscription_within_a_second(void **state)
{
    (void)state;
    xmtp_node *node = open_node((xmtp_node_options){.listen = {"web=127.0.0.1:0"}});
    peer control = peer_open(xmtp_node_port(node, 0));
    subscribe_and_leave(node, 0); /* once, for what is made once and stays */
    settle(&control);
    size_t before = atomic_load(&live_count);
    subscribe_and_leave(node, before);
    uint64_t start = now_ms();
    while (atomic_load(&live_count) > before) {
        assert_true(now_ms() - start < 1000);
    }
    peer_close(&control);
    xmtp_node_close(node);
}

static void stopping_the_node_ends_a_pages_stream_with_unavailable(void **state)
{
    (void)state;
    xmtp_node *node = open_node((xmtp_node_options){.listen = {"web=127.0.0.1:0"}});
    peer p = peer_open(xmtp_node_port(node, 0));
    put_request(&p, MLS "SubscribeGroupMessages", "\0\0\0\0\0", 5);
    assert_true(peer_wait(&p, "subscribed: true\r\n"));
    xmtp_node_close(node);
    assert_true(peer_wait(&p, "grpc-status: 14\r\n"));
    assert_true(peer_wait(&p, "\r\n0\r\n\r\n"));
    assert_true(peer_wait_end(&p));
    peer_close(&p);
}

/* ---- which port serves what */

static xmtp_status try_grpc(uint16_t port)
{
    char url[64];
    xmtp_transport t;
    xmtp_writer answer;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", (unsigned)port);
    assert_int_equal(xmtp_grpc_transport_open(&t, url, xmtp_env_system(), NULL, NULL), XMTP_OK);
    xmtp_writer_init(&answer, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    xmtp_status status =
        t.unary(t.context, "/grpc.health.v1.Health/Check", (xmtp_bytes){0}, &answer, NULL);
    xmtp_writer_free(&answer);
    t.close(t.context);
    return status;
}

static void assert_web(uint16_t port, const char *status)
{
    peer p = peer_open(port);
    put_request(&p, "/grpc.health.v1.Health/Check", "\0\0\0\0\0", 5);
    assert_true(peer_wait(&p, "\r\n\r\n"));
    assert_memory_equal(p.heard, status, strlen(status));
    peer_close(&p);
}

static void each_port_serves_what_it_is_for(void **state)
{
    (void)state;
    xmtp_node *node = open_node((xmtp_node_options){
        .listen = {"grpc=127.0.0.1:0", "web=127.0.0.1:0", "127.0.0.1:0", "grpc+web=127.0.0.1:0"}});
    assert_int_equal(try_grpc(xmtp_node_port(node, 0)), XMTP_OK);
    assert_int_not_equal(try_grpc(xmtp_node_port(node, 1)), XMTP_OK);
    assert_int_equal(try_grpc(xmtp_node_port(node, 2)), XMTP_OK);
    assert_int_equal(try_grpc(xmtp_node_port(node, 3)), XMTP_OK);
    assert_web(xmtp_node_port(node, 0), "HTTP/1.1 415 ");
    assert_web(xmtp_node_port(node, 1), "HTTP/1.1 200 ");
    assert_web(xmtp_node_port(node, 2), "HTTP/1.1 200 ");
    assert_web(xmtp_node_port(node, 3), "HTTP/1.1 200 ");
    xmtp_node_close(node);
}

static void addresses_say_what_they_serve_in_known_words(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "wep=127.0.0.1:0",      "=127.0.0.1:0", "web+=127.0.0.1:0", "+web=127.0.0.1:0",
        "web=grpc=127.0.0.1:0", "web=",         "web=localhost:1"};
    xmtp_node *node;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        xmtp_error error = {0};
        xmtp_node_options options = {.listen = {wrong[i]}};
        assert_int_equal(xmtp_node_open(&node, &options, &error), XMTP_E_ARGUMENT);
        assert_true(strlen(error.text) > 0);
    }
}

static void a_port_behind_a_proxy_wants_its_header(void **state)
{
    (void)state;
    xmtp_node *node = open_node((xmtp_node_options){.listen = {"proxy+web=127.0.0.1:0"}});
    peer p = peer_open(xmtp_node_port(node, 0));
    assert_true(peer_say(&p, "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"));
    put_request(&p, "/grpc.health.v1.Health/Check", "\0\0\0\0\0", 5);
    assert_true(peer_wait(&p, "grpc-status: 0"));
    peer_close(&p);
    p = peer_open(xmtp_node_port(node, 0));
    put_request(&p, "/grpc.health.v1.Health/Check", "\0\0\0\0\0", 5);
    assert_true(peer_wait_end(&p));
    peer_close(&p);
    xmtp_node_close(node);
}

/* ---- TLS */

typedef struct tls_files {
    char dir[64];
    char certificate[96];
    char key[96];
} tls_files;

static tls_files make_files(void)
{
    tls_files f = {.dir = "/tmp/xmtp-web-XXXXXX"};
    assert_non_null(mkdtemp(f.dir));
    (void)snprintf(f.certificate, sizeof f.certificate, "%s/c.pem", f.dir);
    (void)snprintf(f.key, sizeof f.key, "%s/k.pem", f.dir);
    test_certificate_write(f.certificate, f.key, "first");
    return f;
}

static void remove_files(const tls_files *f)
{
    (void)unlink(f->certificate);
    (void)unlink(f->key);
    (void)rmdir(f->dir);
}

static SSL *connect_tls(SSL_CTX *context, peer *p)
{
    SSL *ssl = SSL_new(context);
    (void)SSL_set_fd(ssl, p->fd);
    assert_int_equal(SSL_connect(ssl), 1);
    return ssl;
}

static void assert_tls_answers(SSL *ssl)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    char answer[2000] = "";
    assert_int_equal(SSL_write(ssl, request, sizeof request - 1), sizeof request - 1);
    int n = SSL_read(ssl, answer, sizeof answer - 1);
    assert_true(n > 0);
    assert_non_null(strstr(answer, "200 OK"));
}

static void a_certificate_is_replaced_while_connections_go_on(void **state)
{
    (void)state;
    tls_files files = make_files();
    char name[64];
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    xmtp_node *node = open_node((xmtp_node_options){
        .listen = {"127.0.0.1:0"}, .tls_certificate = files.certificate, .tls_key = files.key});
    peer old = peer_open(xmtp_node_port(node, 0));
    SSL *old_ssl = connect_tls(context, &old);
    assert_tls_answers(old_ssl);
    test_certificate_write(files.certificate, files.key, "second");
    assert_int_equal(xmtp_node_reload(node, NULL), XMTP_OK);
    peer new = peer_open(xmtp_node_port(node, 0));
    SSL *new_ssl = connect_tls(context, &new);
    test_tls_peer_name(new_ssl, name);
    assert_string_equal(name, "second");
    assert_tls_answers(new_ssl);
    assert_tls_answers(old_ssl);
    SSL_free(new_ssl);
    SSL_free(old_ssl);
    SSL_CTX_free(context);
    peer_close(&old);
    peer_close(&new);
    peer clear = peer_open(xmtp_node_port(node, 0));
    assert_true(peer_say(&clear, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_true(peer_wait_end(&clear));
    peer_close(&clear);
    xmtp_node_close(node);
    remove_files(&files);
}

static void a_node_with_half_a_certificate_does_not_start(void **state)
{
    (void)state;
    tls_files files = make_files();
    xmtp_node *node;
    xmtp_error error = {0};
    xmtp_node_options options = {.listen = {"127.0.0.1:0"}, .tls_certificate = files.certificate};
    assert_int_equal(xmtp_node_open(&node, &options, &error), XMTP_E_ARGUMENT);
    options.tls_key = files.certificate;
    assert_int_equal(xmtp_node_open(&node, &options, &error), XMTP_E_ARGUMENT);
    options.tls_key = "/nowhere/key.pem";
    assert_int_equal(xmtp_node_open(&node, &options, &error), XMTP_E_IO);
    assert_non_null(strstr(error.text, "/nowhere/key.pem"));
    remove_files(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_browser_queries_over_one_connection),
        cmocka_unit_test(a_page_that_leaves_frees_its_subscription_within_a_second),
        cmocka_unit_test(stopping_the_node_ends_a_pages_stream_with_unavailable),
        cmocka_unit_test(each_port_serves_what_it_is_for),
        cmocka_unit_test(addresses_say_what_they_serve_in_known_words),
        cmocka_unit_test(a_port_behind_a_proxy_wants_its_header),
        cmocka_unit_test(a_certificate_is_replaced_while_connections_go_on),
        cmocka_unit_test(a_node_with_half_a_certificate_does_not_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
