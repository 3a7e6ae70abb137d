/* endpoint_test.c - one port for everything: what the first bytes decide, TLS and its certificates,
 * the PROXY header, exchanges over HTTP/2, and how long nothing may be said. */
#include "rpc/endpoint.h"

#include "base/bytes.h"
#include "base/writer.h"
#include "rpc/client_conn.h"
#include "rpc/test_certificate.h"
#include "rpc/test_echo.h"
#include "rpc/test_http.h"

#include <nghttp2/nghttp2.h>

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>
// cmocka wants the headers above first
#include <cmocka.h>

static const uint64_t second = 1000000000;
static const char hello_request[] = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";

typedef struct fixture {
    echo_handler echo;
    test_http http;
    xmtp_endpoint *endpoint;
    xmtp_status status; /* of the last recv that failed */
    xmtp_writer out;
} fixture;

static const xmtp_alloc *system_alloc(void)
{
    return &xmtp_env_system()->alloc;
}

static void open_endpoint(fixture *f, xmtp_endpoint_options options)
{
    *f = (fixture){.status = XMTP_OK};
    options.grpc = echo_functions(&f->echo);
    options.http = test_http_server(&f->http);
    assert_int_equal(xmtp_endpoint_new(&f->endpoint, system_alloc(), &options), XMTP_OK);
    xmtp_writer_init(&f->out, system_alloc(), XMTP_WRITER_MAX);
}

static void close_endpoint(fixture *f)
{
    xmtp_endpoint_free(f->endpoint);
    xmtp_writer_free(&f->out);
}

static void drain(fixture *f)
{
    uint8_t buffer[10000];
    while (xmtp_endpoint_has_output(f->endpoint)) {
        size_t n = xmtp_endpoint_send(f->endpoint, buffer, sizeof buffer);
        if (n == 0) {
            break;
        }
        xmtp_writer_put(&f->out, xmtp_bytes_of(buffer, n));
    }
}

static void say(fixture *f, const void *p, size_t n)
{
    xmtp_status status = xmtp_endpoint_recv(f->endpoint, xmtp_bytes_of(p, n));
    f->status = status == XMTP_OK ? f->status : status;
    drain(f);
}

static bool has_heard(fixture *f, const char *text)
{
    xmtp_writer_u8(&f->out, 0);
    f->out.n--;
    return strstr((const char *)f->out.p, text) != NULL;
}

/* ---- what the first bytes decide */

static void http_1_1_is_recognised_byte_by_byte(void **state)
{
    (void)state;
    fixture f;
    open_endpoint(&f, (xmtp_endpoint_options){.peer = NULL});
    for (size_t i = 0; i < sizeof hello_request - 1; i++) {
        assert_false(xmtp_endpoint_has_spoken(f.endpoint));
        say(&f, hello_request + i, 1);
    }
    assert_true(xmtp_endpoint_has_spoken(f.endpoint));
    assert_true(has_heard(&f, "200 OK"));
    close_endpoint(&f);
}

static void methods_that_begin_like_the_preface_are_http_1_1(void **state)
{
    (void)state;
    static const char *const requests[] = {"POST /hello HTTP/1.1\r\nHost: x\r\n\r\n",
                                           "PROPFIND /hello HTTP/1.1\r\nHost: x\r\n\r\n"};
    for (size_t i = 0; i < 2; i++) {
        fixture f;
        open_endpoint(&f, (xmtp_endpoint_options){.peer = NULL});
        say(&f, requests[i], strlen(requests[i]));
        assert_true(has_heard(&f, "200 OK"));
        close_endpoint(&f);
    }
}

static void pump_grpc(fixture *f, xmtp_rpc_client_conn *client, size_t step)
{
    uint8_t buffer[4096];
    for (size_t n; (n = xmtp_rpc_client_conn_send(client, buffer, step)) > 0;) {
        say(f, buffer, n);
    }
    assert_int_equal(xmtp_rpc_client_conn_recv(client, xmtp_writer_bytes(&f->out)), XMTP_OK);
    xmtp_writer_clear(&f->out);
}

static void grpc_is_recognised_byte_by_byte(void **state)
{
    (void)state;
    fixture f;
    xmtp_rpc_client_conn *client;
    xmtp_rpc_client_call *call;
    xmtp_bytes message;
    const xmtp_rpc_client_options options = {.authority = "x"};
    open_endpoint(&f, (xmtp_endpoint_options){.peer = NULL});
    assert_int_equal(xmtp_rpc_client_conn_new(&client, system_alloc(), &options), XMTP_OK);
    assert_int_equal(
        xmtp_rpc_client_call_start(&call, client, "/test/Echo", xmtp_bytes_of_string("hi")),
        XMTP_OK);
    for (int i = 0; i < 4; i++) {
        pump_grpc(&f, client, 1);
    }
    assert_int_equal(xmtp_rpc_client_call_next(call, &message, NULL), XMTP_OK);
    assert_true(xmtp_bytes_equal(message, xmtp_bytes_of_string("hi")));
    xmtp_rpc_client_call_free(call);
    xmtp_rpc_client_conn_free(client);
    close_endpoint(&f);
}

static void who_says_nothing_of_use_has_ten_seconds(void **state)
{
    (void)state;
    static const char *const words[] = {"", "PR", "GET / HTTP/1.1\r\nHost: x\r\n"};
    for (size_t i = 0; i < 3; i++) {
        fixture f;
        open_endpoint(&f, (xmtp_endpoint_options){.peer = NULL});
        assert_int_equal(xmtp_endpoint_tick(f.endpoint, second), XMTP_OK);
        say(&f, words[i], strlen(words[i]));
        assert_int_equal(xmtp_endpoint_tick(f.endpoint, 10 * second), XMTP_OK);
        assert_int_equal(xmtp_endpoint_tick(f.endpoint, 11 * second), XMTP_E_TIMEOUT);
        close_endpoint(&f);
    }
}

static void a_silent_peer_is_asked_after_the_time_that_was_set(void **state)
{
    (void)state;
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    static const char ping[] = "\0\0\10\6\0\0\0\0\0"; /* eight bytes, type 6, no stream */
    fixture f;
    open_endpoint(&f, (xmtp_endpoint_options){.idle_ns = 30 * second});
    say(&f, preface, sizeof preface - 1);
    xmtp_writer_clear(&f.out);
    assert_int_equal(xmtp_endpoint_tick(f.endpoint, second), XMTP_OK);
    assert_int_equal(xmtp_endpoint_tick(f.endpoint, 31 * second - 1), XMTP_OK);
    drain(&f);
    assert_int_equal(f.out.n, 0);
    assert_int_equal(xmtp_endpoint_tick(f.endpoint, 31 * second), XMTP_OK);
    drain(&f);
    assert_non_null(memmem(f.out.p, f.out.n, ping, sizeof ping - 1));
    assert_int_equal(xmtp_endpoint_tick(f.endpoint, 51 * second - 1), XMTP_OK);
    assert_int_equal(xmtp_endpoint_tick(f.endpoint, 51 * second), XMTP_E_TIMEOUT);
    close_endpoint(&f);
}

/* ---- PROXY */

static void a_proxy_header_comes_first_and_tells_the_client(void **state)
{
    (void)state;
    static const char header[] = "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n";
    char text[200];
    fixture f;
    size_t n = (size_t)snprintf(text, sizeof text, "%s%s", header, hello_request);
    for (size_t step = 1; step <= n; step += 7) {
        open_endpoint(&f, (xmtp_endpoint_options){.has_proxy_header = true});
        for (size_t at = 0; at < n; at += step) {
            say(&f, text + at, n - at < step ? n - at : step);
        }
        assert_true(has_heard(&f, "200 OK"));
        assert_string_equal(xmtp_endpoint_client(f.endpoint), "192.0.2.1");
        close_endpoint(&f);
    }
    open_endpoint(&f, (xmtp_endpoint_options){.has_proxy_header = true});
    say(&f, hello_request, sizeof hello_request - 1);
    assert_int_equal(f.status, XMTP_E_MALFORMED);
    assert_int_equal(f.http.begun, 0);
    assert_true(xmtp_endpoint_is_done(f.endpoint));
    close_endpoint(&f);
    open_endpoint(&f, (xmtp_endpoint_options){.peer = NULL}); /* and nobody else may name one */
    say(&f, text, n);
    assert_int_equal(f.http.begun, 0);
    assert_string_equal(xmtp_endpoint_client(f.endpoint), "");
    close_endpoint(&f);
}

/* ---- TLS */

typedef struct certificates {
    char dir[64];
    char certificate[96];
    char key[96];
    xmtp_tls_server *server;
    SSL_CTX *client;
} certificates;

static void open_certificates(certificates *c)
{
    xmtp_error error = {0};
    (void)snprintf(c->dir, sizeof c->dir, "/tmp/xmtp-tls-XXXXXX");
    assert_non_null(mkdtemp(c->dir));
    (void)snprintf(c->certificate, sizeof c->certificate, "%s/c.pem", c->dir);
    (void)snprintf(c->key, sizeof c->key, "%s/k.pem", c->dir);
    test_certificate_write(c->certificate, c->key, "first");
    xmtp_status status =
        xmtp_tls_server_open(&c->server, system_alloc(), c->certificate, c->key, &error);
    if (status != XMTP_OK) {
        fail_msg("%s", error.text);
    }
    c->client = SSL_CTX_new(TLS_client_method());
}

static void close_certificates(certificates *c)
{
    xmtp_tls_server_close(c->server);
    SSL_CTX_free(c->client);
    (void)unlink(c->certificate);
    (void)unlink(c->key);
    (void)rmdir(c->dir);
}

/* Moves what both sides have, step bytes at a time. */
static void pump_tls(fixture *f, SSL *ssl, size_t step)
{
    uint8_t buffer[4096];
    size_t n = 1;
    while (n > 0) {
        n = 0;
        if (BIO_read_ex(SSL_get_wbio(ssl), buffer, step, &n) == 1 && n > 0) {
            say(f, buffer, n);
        }
        drain(f);
        if (f->out.n > 0) {
            (void)BIO_write(SSL_get_rbio(ssl), f->out.p, (int)f->out.n);
            xmtp_writer_clear(&f->out);
            n = 1;
        }
        if (!SSL_is_init_finished(ssl)) {
            (void)SSL_do_handshake(ssl);
        }
    }
}

static SSL *shake_hands(fixture *f, const certificates *c, const char *alpn)
{
    SSL *ssl = test_tls_client(c->client, alpn);
    (void)SSL_do_handshake(ssl);
    pump_tls(f, ssl, 100);
    return ssl;
}

static void assert_says_hello(fixture *f, SSL *ssl)
{
    char answer[1000] = "";
    assert_int_equal(SSL_write(ssl, hello_request, sizeof hello_request - 1),
                     sizeof hello_request - 1);
    pump_tls(f, ssl, 50);
    assert_true(SSL_read(ssl, answer, sizeof answer - 1) > 0);
    assert_non_null(strstr(answer, "\r\n\r\nhello"));
}

static void tls_is_recognised_and_chooses_the_protocol(void **state)
{
    (void)state;
    static const char *const alpn[] = {"\x08http/1.1\x02h2", "\x08http/1.1", NULL};
    static const char *const chosen[] = {"h2", "http/1.1", ""};
    certificates c;
    open_certificates(&c);
    for (size_t i = 0; i < 3; i++) {
        fixture f;
        const unsigned char *p;
        unsigned n;
        open_endpoint(&f, (xmtp_endpoint_options){.tls = c.server});
        SSL *ssl = shake_hands(&f, &c, alpn[i]);
        assert_true(SSL_is_init_finished(ssl));
        SSL_get0_alpn_selected(ssl, &p, &n);
        assert_true(xmtp_bytes_equal(xmtp_bytes_of(p, n), xmtp_bytes_of_string(chosen[i])));
        if (i > 0) {
            assert_says_hello(&f, ssl);
        }
        SSL_free(ssl);
        close_endpoint(&f);
    }
    close_certificates(&c);
}

static void assert_no_handshake(const certificates *c, int version_max, const char *alpn)
{
    fixture f;
    open_endpoint(&f, (xmtp_endpoint_options){.tls = c->server});
    SSL *ssl = test_tls_client(c->client, alpn);
    SSL_set_security_level(ssl, 0);
    (void)SSL_set_max_proto_version(ssl, version_max);
    (void)SSL_do_handshake(ssl);
    pump_tls(&f, ssl, 100);
    assert_false(SSL_is_init_finished(ssl));
    SSL_free(ssl);
    close_endpoint(&f);
}

static void old_tls_and_unknown_protocols_are_refused(void **state)
{
    (void)state;
    certificates c;
    open_certificates(&c);
    assert_no_handshake(&c, TLS1_1_VERSION, NULL);
    assert_no_handshake(&c, TLS1_3_VERSION, "\x06spdy/9");
    fixture f;
    open_endpoint(&f, (xmtp_endpoint_options){.tls = c.server});
    say(&f, "\x16\x03\x01\x00\x05 junk, no handshake", 25);
    assert_int_equal(f.status, XMTP_E_PROTOCOL);
    assert_true(xmtp_endpoint_is_done(f.endpoint));
    close_endpoint(&f);
    close_certificates(&c);
}

static void clear_text_is_refused_where_there_is_a_certificate_unless_allowed(void **state)
{
    (void)state;
    certificates c;
    open_certificates(&c);
    for (int may_be_clear = 0; may_be_clear < 2; may_be_clear++) {
        fixture f;
        open_endpoint(&f,
                      (xmtp_endpoint_options){.tls = c.server, .may_be_clear = may_be_clear == 1});
        say(&f, hello_request, sizeof hello_request - 1);
        assert_int_equal(f.http.begun, may_be_clear);
        assert_int_equal(f.status == XMTP_OK, may_be_clear == 1);
        close_endpoint(&f);
    }
    close_certificates(&c);
}

static void a_new_certificate_is_for_new_connections_and_drops_no_old_one(void **state)
{
    (void)state;
    certificates c;
    char name[64];
    fixture old;
    fixture new;
    open_certificates(&c);
    open_endpoint(&old, (xmtp_endpoint_options){.tls = c.server});
    SSL *old_ssl = shake_hands(&old, &c, NULL);
    assert_false(xmtp_tls_server_has_changed(c.server));
    test_certificate_write(c.certificate, c.key, "second one");
    assert_true(xmtp_tls_server_has_changed(c.server));
    assert_int_equal(xmtp_tls_server_reload(c.server, NULL), XMTP_OK);
    assert_false(xmtp_tls_server_has_changed(c.server));
    open_endpoint(&new, (xmtp_endpoint_options){.tls = c.server});
    SSL *new_ssl = shake_hands(&new, &c, NULL);
    test_tls_peer_name(old_ssl, name);
    assert_string_equal(name, "first");
    test_tls_peer_name(new_ssl, name);
    assert_string_equal(name, "second one");
    assert_says_hello(&old, old_ssl);
    assert_says_hello(&new, new_ssl);
    SSL_free(old_ssl);
    SSL_free(new_ssl);
    close_endpoint(&old);
    close_endpoint(&new);
    close_certificates(&c);
}

static void a_bad_certificate_is_refused_by_name_and_the_old_one_stays(void **state)
{
    (void)state;
    certificates c;
    xmtp_error error = {0};
    char other_key[96];
    fixture f;
    open_certificates(&c);
    (void)snprintf(other_key, sizeof other_key, "%s/other.pem", c.dir);
    test_certificate_write(c.certificate, other_key, "other"); /* its key is elsewhere */
    assert_int_equal(xmtp_tls_server_reload(c.server, &error), XMTP_E_ARGUMENT);
    assert_non_null(strstr(error.text, c.key));
    assert_false(xmtp_tls_server_has_changed(c.server)); /* told once */
    (void)unlink(c.certificate);
    assert_int_equal(xmtp_tls_server_reload(c.server, &error), XMTP_E_IO);
    open_endpoint(&f, (xmtp_endpoint_options){.tls = c.server});
    SSL *ssl = shake_hands(&f, &c, NULL);
    assert_says_hello(&f, ssl);
    SSL_free(ssl);
    close_endpoint(&f);
    (void)unlink(other_key);
    close_certificates(&c);
}

static void a_tls_connection_ends_with_a_goodbye(void **state)
{
    (void)state;
    certificates c;
    char answer[100];
    fixture f;
    open_certificates(&c);
    open_endpoint(&f, (xmtp_endpoint_options){.tls = c.server});
    SSL *ssl = shake_hands(&f, &c, NULL);
    assert_says_hello(&f, ssl);
    xmtp_endpoint_shutdown(f.endpoint);
    assert_false(xmtp_endpoint_is_done(f.endpoint));
    pump_tls(&f, ssl, 100);
    assert_true(xmtp_endpoint_is_done(f.endpoint));
    assert_int_equal(SSL_get_error(ssl, SSL_read(ssl, answer, sizeof answer)),
                     SSL_ERROR_ZERO_RETURN);
    SSL_free(ssl);
    close_endpoint(&f);
    close_certificates(&c);
}

/* ---- exchanges over HTTP/2 */

typedef struct h2_client {
    nghttp2_session *session;
    int status;
    size_t body_len;
    uint32_t reset; /* error code + 1; 0: none */
    bool is_closed;
    size_t upload_left;
} h2_client;

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user_data)
{
    (void)session;
    (void)frame;
    (void)value_len;
    (void)flags;
    h2_client *c = user_data;
    if (xmtp_bytes_equal(xmtp_bytes_of(name, name_len), xmtp_bytes_of_string(":status"))) {
        c->status = atoi((const char *)value);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t len, void *user_data)
{
    (void)session;
    (void)flags;
    (void)stream_id;
    (void)data;
    h2_client *c = user_data;
    c->body_len += len;
    return 0;
}

static int on_close(nghttp2_session *session, int32_t stream_id, uint32_t error_code,
                    void *user_data)
{
    (void)session;
    (void)stream_id;
    h2_client *c = user_data;
    c->is_closed = true;
    c->reset = error_code + 1;
    return 0;
}

static void open_client(h2_client *c)
{
    nghttp2_session_callbacks *callbacks;
    *c = (h2_client){.status = 0};
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    assert_int_equal(nghttp2_session_client_new(&c->session, callbacks, c), 0);
    nghttp2_session_callbacks_del(callbacks);
    assert_int_equal(nghttp2_submit_settings(c->session, 0, NULL, 0), 0);
}

static ssize_t upload(nghttp2_session *session, int32_t stream_id, uint8_t *out, size_t capacity,
                      uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
    (void)session;
    (void)stream_id;
    (void)source;
    h2_client *c = user_data;
    size_t n = capacity < c->upload_left ? capacity : c->upload_left;
    memset(out, 'u', n);
    c->upload_left -= n;
    *flags = c->upload_left == 0 ? NGHTTP2_DATA_FLAG_EOF : 0;
    return (ssize_t)n;
}

static void pump_h2(fixture *f, h2_client *c)
{
    const uint8_t *p;
    bool has_moved = true;
    while (has_moved) {
        has_moved = false;
        for (ssize_t n; (n = nghttp2_session_mem_send(c->session, &p)) > 0;) {
            say(f, p, (size_t)n);
            has_moved = true;
        }
        drain(f);
        if (f->out.n > 0) {
            assert_int_equal(nghttp2_session_mem_recv(c->session, f->out.p, f->out.n), f->out.n);
            xmtp_writer_clear(&f->out);
            has_moved = true;
        }
    }
}

static nghttp2_nv field(const char *name, const char *value)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
                        .value = (uint8_t *)(uintptr_t)value,
                        .namelen = strlen(name),
                        .valuelen = strlen(value)};
}

static void request_h2(h2_client *c, const char *method, const char *path, size_t upload_len)
{
    const nghttp2_nv fields[] = {field(":method", method), field(":scheme", "http"),
                                 field(":authority", "x"), field(":path", path),
                                 field("origin", "http://y")};
    const nghttp2_data_provider provider = {.read_callback = upload};
    c->upload_left = upload_len;
    assert_true(nghttp2_submit_request(c->session, NULL, fields, 5,
                                       upload_len > 0 ? &provider : NULL, NULL) > 0);
}

static void exchanges_are_carried_by_http_2(void **state)
{
    (void)state;
    static const struct {
        const char *method;
        const char *path;
        size_t upload_len;
        int status;
        size_t body_len;
    } cases[] = {{"GET", "/hello", 0, 200, 5},
                 {"POST", "/echo", 300000, 200, 300000},
                 {"GET", "/big", 0, 200, TEST_HTTP_BIG_LEN},
                 {"GET", "/nothing", 0, 404, 13},
                 {"POST", "/refuse", 300000, 413, 8}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture f;
        h2_client c;
        open_endpoint(&f, (xmtp_endpoint_options){.peer = NULL});
        open_client(&c);
        request_h2(&c, cases[i].method, cases[i].path, cases[i].upload_len);
        pump_h2(&f, &c);
        assert_int_equal(c.status, cases[i].status);
        assert_int_equal(c.body_len, cases[i].body_len);
        assert_int_equal(c.reset, 1); /* NO_ERROR */
        nghttp2_session_del(c.session);
        close_endpoint(&f);
    }
}

static void heads_over_http_2_have_the_same_limits(void **state)
{
    (void)state;
    static char target[XMTP_HTTP_TARGET_LEN_MAX + 2];
    fixture f;
    h2_client c;
    memset(target, '/', sizeof target - 1);
    open_endpoint(&f, (xmtp_endpoint_options){.peer = NULL});
    open_client(&c);
    request_h2(&c, "GET", target, 0);
    pump_h2(&f, &c);
    assert_int_equal(c.status, 414);
    request_h2(&c, "ABCDEFGHIJKLMNOPQRST", "/hello", 0);
    pump_h2(&f, &c);
    assert_int_equal(c.status, 501);
    assert_int_equal(f.http.begun, 0);
    nghttp2_session_del(c.session);
    close_endpoint(&f);
}

static void resets_and_shutdown_reach_exchanges_over_http_2(void **state)
{
    (void)state;
    fixture f;
    h2_client c;
    open_endpoint(&f, (xmtp_endpoint_options){.peer = NULL});
    open_client(&c);
    request_h2(&c, "GET", "/open", 0);
    pump_h2(&f, &c);
    assert_int_equal(c.status, 200); /* before any body */
    assert_int_equal(nghttp2_submit_rst_stream(c.session, 0, 1, NGHTTP2_CANCEL), 0);
    pump_h2(&f, &c);
    assert_int_equal(f.http.cancelled, 1);
    request_h2(&c, "GET", "/open", 0);
    pump_h2(&f, &c);
    c.is_closed = false;
    xmtp_endpoint_shutdown(f.endpoint);
    pump_h2(&f, &c);
    assert_int_equal(f.http.stopped, 1);
    assert_true(c.is_closed);
    assert_true(xmtp_endpoint_is_done(f.endpoint));
    nghttp2_session_del(c.session);
    close_endpoint(&f);
}

static void a_slow_request_over_http_2_is_reset_and_others_go_on(void **state)
{
    (void)state;
    static const char frames[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
                                 "\0\0\x11\1\4\0\0\0\1\x83\x86\x04\x05/echo\x01\x01x\x00\x01y\x01z";
    fixture f;
    open_endpoint(&f, (xmtp_endpoint_options){.peer = NULL});
    say(&f, frames, sizeof frames - 1);
    assert_int_equal(f.http.begun, 1);
    xmtp_writer_clear(&f.out);
    assert_int_equal(xmtp_endpoint_tick(f.endpoint, second), XMTP_OK);
    say(&f, "\0\0\1\0\0\0\0\0\1a", 10);
    assert_int_equal(xmtp_endpoint_tick(f.endpoint, 30 * second), XMTP_OK);
    assert_int_equal(f.http.cancelled, 0);
    assert_int_equal(xmtp_endpoint_tick(f.endpoint, 31 * second), XMTP_OK);
    assert_int_equal(f.http.cancelled, 1);
    drain(&f);
    assert_false(xmtp_endpoint_is_done(f.endpoint));
    close_endpoint(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_1_1_is_recognised_byte_by_byte),
        cmocka_unit_test(methods_that_begin_like_the_preface_are_http_1_1),
        cmocka_unit_test(grpc_is_recognised_byte_by_byte),
        cmocka_unit_test(who_says_nothing_of_use_has_ten_seconds),
        cmocka_unit_test(a_silent_peer_is_asked_after_the_time_that_was_set),
        cmocka_unit_test(a_proxy_header_comes_first_and_tells_the_client),
        cmocka_unit_test(tls_is_recognised_and_chooses_the_protocol),
        cmocka_unit_test(old_tls_and_unknown_protocols_are_refused),
        cmocka_unit_test(clear_text_is_refused_where_there_is_a_certificate_unless_allowed),
        cmocka_unit_test(a_new_certificate_is_for_new_connections_and_drops_no_old_one),
        cmocka_unit_test(a_bad_certificate_is_refused_by_name_and_the_old_one_stays),
        cmocka_unit_test(a_tls_connection_ends_with_a_goodbye),
        cmocka_unit_test(exchanges_are_carried_by_http_2),
        cmocka_unit_test(heads_over_http_2_have_the_same_limits),
        cmocka_unit_test(resets_and_shutdown_reach_exchanges_over_http_2),
        cmocka_unit_test(a_slow_request_over_http_2_is_reset_and_others_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
