/* web_call_test.c - gRPC-web as browsers send it: binary and text, errors before and after data,
 * streams, and pages of other origins. */
#include "rpc/web_call.h"

#include "base/bytes.h"
#include "rpc/cors.h"
#include "rpc/http1_conn.h"
#include "rpc/test_echo.h"

#include <setjmp.h>
#include <stdarg.h>
// cmocka wants the headers above first
#include <cmocka.h>

typedef struct fixture {
    echo_handler echo;
    xmtp_http1_conn *conn;
    xmtp_writer out;
    xmtp_bytes body; /* of the last answer, chunks joined; in joined */
    uint8_t joined[8192];
} fixture;

static void begin(void *context, xmtp_http_exchange *x)
{
    fixture *f = context;
    const xmtp_rpc_handler handler = echo_functions(&f->echo);
    if (strcmp(xmtp_http_head_method(&x->head), "OPTIONS") == 0) {
        xmtp_cors_preflight(x);
    } else if (xmtp_web_call_is_for(x)) {
        xmtp_web_call_begin(&handler, x);
    } else {
        xmtp_cors_answer(x, 415, "no");
    }
}

static void open_conn(fixture *f)
{
    *f = (fixture){.conn = NULL};
    const xmtp_alloc *alloc = &xmtp_env_system()->alloc;
    const xmtp_http_server server = {.context = f, .begin = begin};
    assert_int_equal(xmtp_http1_conn_new(&f->conn, alloc, &server, NULL), XMTP_OK);
    xmtp_writer_init(&f->out, alloc, XMTP_WRITER_MAX);
}

static void close_conn(fixture *f)
{
    xmtp_http1_conn_free(f->conn);
    xmtp_writer_free(&f->out);
}

static void drain(fixture *f)
{
    uint8_t buffer[5000];
    for (size_t n; (n = xmtp_http1_conn_send(f->conn, buffer, sizeof buffer)) > 0;) {
        xmtp_writer_put(&f->out, xmtp_bytes_of(buffer, n));
    }
}

/* Head and body of what came since the last request. */
static const char *head(fixture *f)
{
    xmtp_writer_u8(&f->out, 0);
    f->out.n--;
    return (const char *)f->out.p;
}

static void join_chunks(fixture *f)
{
    const uint8_t *p = (const uint8_t *)strstr(head(f), "\r\n\r\n") + 4;
    const uint8_t *end = f->out.p + f->out.n;
    f->body = xmtp_bytes_of(p, (size_t)(end - p));
    if (strstr(head(f), "transfer-encoding: chunked") == NULL) {
        return;
    }
    size_t n = 0;
    while (p < end) {
        char *rest;
        size_t len = strtoul((const char *)p, &rest, 16);
        p = (const uint8_t *)rest + 2;
        memcpy(f->joined + n, p, len);
        n += len;
        p += len + 2;
    }
    f->body = xmtp_bytes_of(f->joined, n);
}

static void call(fixture *f, const char *path, const char *type, const void *body, size_t n)
{
    char text[512];
    xmtp_writer_clear(&f->out);
    (void)snprintf(text, sizeof text,
                   "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                   path, type, n);
    xmtp_http1_conn_recv(f->conn, xmtp_bytes_of_string(text));
    xmtp_http1_conn_recv(f->conn, xmtp_bytes_of(body, n));
    drain(f);
    join_chunks(f);
}

static void assert_body(fixture *f, const void *expected, size_t n)
{
    if (!xmtp_bytes_equal(f->body, xmtp_bytes_of(expected, n))) {
        fail_msg("got %.*s", (int)f->body.n, f->body.p);
    }
}

#define BINARY         "application/grpc-web+proto"
#define HI             "\0\0\0\0\2hi"
#define TRAILER_OK     "\x80\0\0\0\x10grpc-status: 0\r\n"
#define HI_OK          HI TRAILER_OK
#define LEN(text)      (sizeof(text) - 1)
#define HAS(f, text)   assert_non_null(strstr(head(f), text))
#define HASNT(f, text) assert_null(strstr(head(f), text))

static void a_unary_call_is_a_message_and_trailers(void **state)
{
    (void)state;
    static const char *const types[] = {BINARY, "application/grpc-web",
                                        "application/grpc-web+proto;charset=utf-8"};
    fixture f;
    open_conn(&f);
    for (size_t i = 0; i < 3; i++) {
        call(&f, "/test/Echo?query=ignored", types[i], HI, LEN(HI));
        HAS(&f, "HTTP/1.1 200 OK\r\n");
        HAS(&f, "content-type: application/grpc-web+proto\r\n");
        HAS(&f, "access-control-allow-origin: *\r\n");
        assert_body(&f, HI_OK, LEN(HI_OK));
    }
    call(&f, "/test/Twice", BINARY, HI, LEN(HI));
    HAS(&f, "transfer-encoding: chunked\r\n");
    assert_body(&f, HI HI_OK, LEN(HI HI_OK));
    call(&f, "/test/None", BINARY, "\0\0\0\0\0", 5);
    assert_body(&f, TRAILER_OK, LEN(TRAILER_OK));
    close_conn(&f);
}

/* Each frame of the answer is an encoding of its own. */
static void text_is_base64_both_ways(void **state)
{
    (void)state;
    static const char *const bodies[] = {"AAAAAAJoaQ==", "AAAAAAJoaQ", "AA==AAAAAmhp"};
    fixture f;
    open_conn(&f);
    for (size_t i = 0; i < 3; i++) {
        call(&f, "/test/Echo", "application/grpc-web-text", bodies[i], strlen(bodies[i]));
        HAS(&f, "content-type: application/grpc-web-text+proto\r\n");
        assert_body(&f, "AAAAAAJoaQ==gAAAABBncnBjLXN0YXR1czogMA0K", 40);
    }
    call(&f, "/test/Echo", "application/grpc-web-text+proto", "AAAA!", 5);
    HAS(&f, "grpc-status: 3\r\n");
    close_conn(&f);
}

static void an_error_before_data_is_told_twice(void **state)
{
    (void)state;
    static const char trailer[] = "\x80\0\0\0\x51grpc-status: 3\r\ngrpc-message: 100%25 "
                                  "w%C3%B6rong%20\r\nerror-code: E_TEST\r\n";
    fixture f;
    open_conn(&f);
    call(&f, "/test/Fail", BINARY, HI, LEN(HI));
    HAS(&f, "HTTP/1.1 200 OK\r\n");
    HAS(&f, "\r\ngrpc-status: 3\r\n");
    HAS(&f, "\r\ngrpc-message: 100%25 w%C3%B6rong%20\r\n");
    HAS(&f, "\r\nerror-code: E_TEST\r\n");
    HAS(&f, "access-control-expose-headers: grpc-status, grpc-message, grpc-status-details-bin");
    assert_int_equal(f.body.n, (size_t)f.body.p[4] + 5);
    assert_int_equal(f.body.p[0], 0x80);
    assert_memory_equal(f.body.p + 5, trailer + 5, f.body.n - 5);
    call(&f, "/test/Unknown", BINARY, HI, LEN(HI));
    HAS(&f, "\r\ngrpc-status: 12\r\n");
    close_conn(&f);
}

static void a_stream_flushes_its_head_and_each_message(void **state)
{
    (void)state;
    fixture f;
    open_conn(&f);
    call(&f, "/test/Open", BINARY, HI, LEN(HI));
    HAS(&f, "HTTP/1.1 200 OK\r\n");
    HAS(&f, "subscribed: true\r\n");
    assert_int_equal(f.body.n, 0);
    assert_int_equal(xmtp_rpc_call_message(f.echo.open[0], xmtp_bytes_of_string("one")), XMTP_OK);
    drain(&f);
    join_chunks(&f);
    assert_body(&f, "\0\0\0\0\3one", 8);
    /* An error after data is in the trailer frame only. */
    xmtp_rpc_call_end(f.echo.open[0], XMTP_GRPC_ABORTED, "too slow", NULL);
    drain(&f);
    join_chunks(&f);
    static const char all[] =
        "\0\0\0\0\3one\x80\0\0\0\x29grpc-status: 10\r\ngrpc-message: too slow\r\n";
    assert_body(&f, all, LEN(all));
    HASNT(&f, "\r\ngrpc-status: 10\r\ncontent");
    close_conn(&f);
}

static void a_long_stream_waits_for_its_reader(void **state)
{
    (void)state;
    fixture f;
    open_conn(&f);
    char text[512];
    (void)snprintf(text, sizeof text,
                   "POST /test/Count HTTP/1.1\r\nHost: x\r\nContent-Type: " BINARY
                   "\r\nContent-Length: 9\r\n\r\n");
    xmtp_http1_conn_recv(f.conn, xmtp_bytes_of_string(text));
    xmtp_http1_conn_recv(f.conn, xmtp_bytes_of("\0\0\0\0\4"
                                               "5000",
                                               9));
    drain(&f);
    assert_true(f.out.n > 5000 * ECHO_MESSAGE_LEN);
    assert_true(f.echo.writable_count > 10);
    assert_true(f.echo.queued_max < 300 * 1024);
    close_conn(&f);
}

static void a_page_that_leaves_cancels_its_stream(void **state)
{
    (void)state;
    fixture f;
    open_conn(&f);
    call(&f, "/test/Open", BINARY, HI, LEN(HI));
    xmtp_http1_conn_free(f.conn);
    f.conn = NULL;
    assert_int_equal(f.echo.cancelled_count, 1);
    assert_int_equal(f.echo.open_count, 0);
    close_conn(&f);
}

static void stopping_ends_a_stream_with_unavailable(void **state)
{
    (void)state;
    static const char trailer[] =
        "\x80\0\0\0\x3agrpc-status: 14\r\ngrpc-message: node is shutting down\r\n";
    fixture f;
    open_conn(&f);
    call(&f, "/test/Open", BINARY, HI, LEN(HI));
    xmtp_http1_conn_shutdown(f.conn);
    drain(&f);
    join_chunks(&f);
    assert_int_equal(f.echo.cancelled_count, 1);
    assert_memory_equal(f.body.p + 5, trailer + 5, f.body.n - 5);
    assert_true(xmtp_http1_conn_is_done(f.conn));
    close_conn(&f);
}

static void malformed_bodies_are_refused_and_never_reach_the_handler(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        size_t n;
        const char *status;
    } wrong[] = {
        {"", 0, "grpc-status: 3\r\n"},
        {"\0\0\0", 3, "grpc-status: 3\r\n"},
        {"\0\0\0\0\3hi", 7, "grpc-status: 3\r\n"},
        {"\1\0\0\0\2hi", 7, "grpc-status: 12\r\n"},
        {"\2\0\0\0\2hi", 7, "grpc-status: 3\r\n"},
        {"\0\xff\xff\xff\xff", 5, "grpc-status: 8\r\n"},
        {HI HI, 14, "grpc-status: 12\r\n"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        fixture f;
        open_conn(&f);
        call(&f, "/test/Echo", BINARY, wrong[i].body, wrong[i].n);
        HAS(&f, "HTTP/1.1 200 OK\r\n");
        HAS(&f, wrong[i].status);
        assert_int_equal(f.echo.request_count, 0);
        close_conn(&f);
    }
}

static void a_preflight_allows_all_lists_and_any_x_field_it_names(void **state)
{
    (void)state;
    static const char request[] =
        "OPTIONS /test/Echo HTTP/1.1\r\nHost: x\r\nOrigin: http://page\r\n"
        "Access-Control-Request-Method: POST\r\n"
        "Access-Control-Request-Headers: content-type, X-My-Trace, x-other,evil\r\n"
        "Access-Control-Request-Private-Network: true\r\n\r\n";
    static const char *const names[] = {"accept",        "authorization",
                                        "baggage",       "cache-control",
                                        "content-type",  "dnt",
                                        "grpc-timeout",  "keep-alive",
                                        "sec-ch-ua",     "sec-ch-ua-mobile",
                                        "sentry-trace",  "user-agent",
                                        "x-app-version", "x-client-version",
                                        "x-grpc-web",    "x-libxmtp-version",
                                        "x-user-agent",  "X-My-Trace",
                                        "x-other"};
    fixture f;
    open_conn(&f);
    xmtp_http1_conn_recv(f.conn, xmtp_bytes_of_string(request));
    drain(&f);
    HAS(&f, "HTTP/1.1 200 OK\r\n");
    HAS(&f, "access-control-allow-origin: *\r\n");
    HAS(&f, "access-control-allow-private-network: true\r\n");
    HAS(&f, "access-control-max-age: 86400\r\n");
    const char *allowed = strstr(head(&f), "access-control-allow-headers: ");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_non_null(strstr(allowed, names[i]));
    }
    HASNT(&f, "evil");
    close_conn(&f);
}

static void a_preflight_that_asks_for_less_gets_no_more(void **state)
{
    (void)state;
    char request[3000] = "OPTIONS / HTTP/1.1\r\nHost: x\r\nAccess-Control-Request-Headers: x-";
    size_t n = strlen(request);
    memset(request + n, 'a', 2500); /* does not fit: left out */
    memcpy(request + n + 2500, "\r\n\r\n", 5);
    fixture f;
    open_conn(&f);
    xmtp_http1_conn_recv(f.conn, xmtp_bytes_of_string(request));
    drain(&f);
    HAS(&f, "HTTP/1.1 200 OK\r\n");
    HASNT(&f, "aaaa");
    HASNT(&f, "private-network");
    close_conn(&f);
}

static void other_errors_can_be_read_by_the_page_too(void **state)
{
    (void)state;
    fixture f;
    open_conn(&f);
    call(&f, "/test/Echo", "application/grpc", HI, LEN(HI));
    HAS(&f, "HTTP/1.1 415 ");
    HAS(&f, "access-control-allow-origin: *\r\n");
    close_conn(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unary_call_is_a_message_and_trailers),
        cmocka_unit_test(text_is_base64_both_ways),
        cmocka_unit_test(an_error_before_data_is_told_twice),
        cmocka_unit_test(a_stream_flushes_its_head_and_each_message),
        cmocka_unit_test(a_long_stream_waits_for_its_reader),
        cmocka_unit_test(a_page_that_leaves_cancels_its_stream),
        cmocka_unit_test(stopping_ends_a_stream_with_unavailable),
        cmocka_unit_test(malformed_bodies_are_refused_and_never_reach_the_handler),
        cmocka_unit_test(a_preflight_allows_all_lists_and_any_x_field_it_names),
        cmocka_unit_test(a_preflight_that_asks_for_less_gets_no_more),
        cmocka_unit_test(other_errors_can_be_read_by_the_page_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
