/* http1_conn_test.c - requests as they should be, as nobody should send them, and slowly. */
#include "rpc/http1_conn.h"

#include "base/writer.h"
#include "rpc/test_http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
// cmocka wants the headers above first
#include <cmocka.h>

static const uint64_t second = 1000000000;

typedef struct fixture {
    test_http http;
    xmtp_http1_conn *conn;
    xmtp_writer out;
} fixture;

static void open_conn(fixture *f)
{
    *f = (fixture){.conn = NULL};
    const xmtp_http_server server = test_http_server(&f->http);
    const xmtp_alloc *alloc = &xmtp_env_system()->alloc;
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
    uint8_t buffer[50000];
    for (size_t n; (n = xmtp_http1_conn_send(f->conn, buffer, sizeof buffer)) > 0;) {
        xmtp_writer_put(&f->out, xmtp_bytes_of(buffer, n));
    }
}

static void say(fixture *f, const char *text)
{
    xmtp_http1_conn_recv(f->conn, xmtp_bytes_of_string(text));
    drain(f);
}

/* Everything that came, as text. */
static const char *heard(fixture *f)
{
    xmtp_writer_u8(&f->out, 0);
    f->out.n--;
    return (const char *)f->out.p;
}

static void assert_status(fixture *f, int status)
{
    char line[32];
    (void)snprintf(line, sizeof line, "HTTP/1.1 %d ", status);
    if (strncmp(heard(f), line, strlen(line)) != 0) {
        fail_msg("expected %s, got %.200s", line, heard(f));
    }
}

static void a_counted_answer_keeps_the_connection(void **state)
{
    (void)state;
    fixture f;
    open_conn(&f);
    say(&f, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_string_equal(
        heard(&f), "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello");
    assert_false(xmtp_http1_conn_is_done(f.conn));
    xmtp_writer_clear(&f.out);
    say(&f, "GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: foo, Close\r\n\r\n");
    assert_status(&f, 404);
    assert_non_null(strstr(heard(&f), "connection: close\r\n"));
    assert_true(xmtp_http1_conn_is_done(f.conn));
    close_conn(&f);
}

static void bodies_are_taken_counted_and_chunked_in_pieces_of_any_size(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n"
        "4;name=value\r\n0123\r\n006\r\n456789\r\n0\r\nTrailer: x\r\n\r\n"};
    for (size_t i = 0; i < 2; i++) {
        for (size_t step = 1; step < 20; step++) {
            fixture f;
            open_conn(&f);
            size_t n = strlen(requests[i]);
            for (size_t at = 0; at < n; at += step) {
                size_t part = n - at < step ? n - at : step;
                xmtp_http1_conn_recv(f.conn, xmtp_bytes_of(requests[i] + at, part));
            }
            drain(&f);
            assert_status(&f, 200);
            assert_int_equal(f.http.body_len, 10);
            assert_int_equal(f.http.completed, 1);
            assert_non_null(strstr(heard(&f), "\r\n0\r\n\r\n"));
            close_conn(&f);
        }
    }
}

static void a_client_that_expects_100_continue_gets_it(void **state)
{
    (void)state;
    fixture f;
    open_conn(&f);
    say(&f, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n");
    assert_status(&f, 200); /* /echo begins its answer at once: no interim one is needed */
    close_conn(&f);
    open_conn(&f);
    say(&f,
        "POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n");
    assert_status(&f, 413);
    close_conn(&f);
    open_conn(&f);
    say(&f, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: magic\r\n\r\n");
    assert_status(&f, 417);
    close_conn(&f);
}

static void requests_sent_ahead_are_answered_in_order(void **state)
{
    (void)state;
    fixture f;
    open_conn(&f);
    say(&f, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
            "GET /open HTTP/1.1\r\nHost: x\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(f.http.begun, 3);
    assert_int_equal(f.http.completed, 1);
    xmtp_http_end(f.http.open);
    assert_true(xmtp_http1_conn_has_output(f.conn));
    drain(&f);
    assert_int_equal(f.http.begun, 4);
    const char *last = strstr(heard(&f), "0\r\n\r\nHTTP/1.1 200 OK");
    assert_non_null(last);
    assert_non_null(strstr(last, "\r\n\r\nhello"));
    close_conn(&f);
}

static void too_much_sent_ahead_costs_the_connection_not_the_memory(void **state)
{
    (void)state;
    static uint8_t flood[XMTP_HTTP1_AHEAD_LEN_MAX];
    fixture f;
    open_conn(&f);
    say(&f, "GET /open HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 100; i++) {
        xmtp_http1_conn_recv(f.conn, xmtp_bytes_of(flood, sizeof flood));
    }
    xmtp_http_end(f.http.open);
    drain(&f);
    assert_true(xmtp_http1_conn_is_done(f.conn));
    assert_int_equal(f.http.begun, 1);
    close_conn(&f);
}

/* Each could make two readers see different requests, or is no request at all. */
static void ambiguous_and_malformed_requests_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int status;
    } wrong[] = {
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: "
         "chunked\r\n\r\n",
         400},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: \r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
         "chunked\r\n\r\n",
         400},
        {"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"GET /hello HTTP/1.1\nHost: x\r\n\r\n", 400},
        {"GET /hello HTTP/1.1\r\nHost: x\n\r\n", 400},
        {"GET /hello HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400},
        {"GET /hello HTTP/1.1\r\nHost : x\r\n\r\n", 400},
        {"GET /hello HTTP/1.1\r\n: x\r\n\r\n", 400},
        {"GET /hello HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", 400},
        {"GET /hello HTTP/1.1\r\nHost: x\r\nA: \x01\r\n\r\n", 400},
        {"GET /hello HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400},
        {"GET /hello HTTP/1.1\r\n\r\n", 400},
        {"GET /hello HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
        {"GET /hello HTTP/2.0\r\nHost: x\r\n\r\n", 505},
        {"GET /hello HTTP/1.1 \r\nHost: x\r\n\r\n", 400},
        {"GET  /hello HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"GET hello HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"GET /hello\r\n\r\n", 400},
        {"G\x01T /hello HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"\r\n\r\n", 400},
        {"\x16\x03\x01\x02\n", 400},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        fixture f;
        open_conn(&f);
        say(&f, wrong[i].text);
        say(&f, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"); /* what was smuggled behind */
        assert_status(&f, wrong[i].status);
        assert_int_equal(f.http.begun, 0);
        assert_true(xmtp_http1_conn_is_done(f.conn));
        close_conn(&f);
    }
}

static void malformed_chunks_end_the_exchange_and_the_connection(void **state)
{
    (void)state;
    static const char *const wrong[] = {"x\r\n",         "\r\n",      "-1\r\n",  "1 \r\n",
                                        "123456789\r\n", "1\n",       "1\r\nab", "1\r\na\n",
                                        "0\r\nbad\n",    "1;\x01\r\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        fixture f;
        open_conn(&f);
        say(&f, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        say(&f, wrong[i]);
        say(&f, "\r\n\r\n");
        assert_true(xmtp_http1_conn_is_done(f.conn));
        assert_int_equal(f.http.cancelled, 1);
        assert_int_equal(f.http.completed, 0);
        close_conn(&f);
    }
}

static void heads_up_to_their_limits_are_taken(void **state)
{
    (void)state;
    char text[40000];
    for (int kind = 0; kind < 3; kind++) {
        fixture f;
        open_conn(&f);
        size_t n = (size_t)snprintf(text, sizeof text, "GET /hello HTTP/1.1\r\nHost: x\r\n");
        if (kind == 0) { /* one long field, as long as a head may be */
            size_t len = XMTP_HTTP_HEAD_LEN_MAX - n - strlen("a: \r\n\r\n");
            n += (size_t)snprintf(text + n, sizeof text - n, "a: ");
            memset(text + n, 'a', len);
            n += len;
            n += (size_t)snprintf(text + n, sizeof text - n, "\r\n\r\n");
        } else if (kind == 1) { /* the host is one of the fields */
            for (int i = 1; i < XMTP_HTTP_FIELDS_MAX; i++) {
                n += (size_t)snprintf(text + n, sizeof text - n, "a%d: b\r\n", i);
            }
            n += (size_t)snprintf(text + n, sizeof text - n, "\r\n");
        } else {
            memset(text + 4, '/', XMTP_HTTP_TARGET_LEN_MAX);
            n = 4 + XMTP_HTTP_TARGET_LEN_MAX;
            n += (size_t)snprintf(text + n, sizeof text - n, " HTTP/1.1\r\nHost: x\r\n\r\n");
        }
        xmtp_http1_conn_recv(f.conn, xmtp_bytes_of(text, n));
        drain(&f);
        int status = 0;
        assert_int_equal(sscanf(heard(&f), "HTTP/1.1 %d ", &status), 1);
        if (status == 414 || status == 431) {
            fail_msg("kind %d is refused with %d", kind, status);
        }
        close_conn(&f);
    }
}

static void heads_have_limits(void **state)
{
    (void)state;
    char text[40000];
    fixture f;
    for (int kind = 0; kind < 3; kind++) {
        open_conn(&f);
        size_t n = (size_t)snprintf(text, sizeof text, "GET /%s HTTP/1.1\r\nHost: x\r\n", "hello");
        if (kind == 0) { /* one long field that never ends */
            memset(text + n, 'a', 20000);
            n += 20000;
        } else if (kind == 1) { /* many fields */
            for (int i = 0; i < XMTP_HTTP_FIELDS_MAX; i++) {
                n += (size_t)snprintf(text + n, sizeof text - n, "a%d: b\r\n", i);
            }
            n += (size_t)snprintf(text + n, sizeof text - n, "\r\n");
        } else { /* a long target */
            memset(text + 4, '/', XMTP_HTTP_TARGET_LEN_MAX + 1);
            n = 4 + XMTP_HTTP_TARGET_LEN_MAX + 1;
            n += (size_t)snprintf(text + n, sizeof text - n, " HTTP/1.1\r\nHost: x\r\n\r\n");
        }
        xmtp_http1_conn_recv(f.conn, xmtp_bytes_of(text, n));
        drain(&f);
        assert_status(&f, kind == 2 ? 414 : 431);
        assert_true(xmtp_http1_conn_is_done(f.conn));
        close_conn(&f);
    }
}

static void an_answer_before_the_end_of_the_request_is_seen_and_the_rest_is_dropped(void **state)
{
    (void)state;
    static uint8_t part[65536];
    fixture f;
    open_conn(&f);
    say(&f, "POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n");
    assert_status(&f, 413);
    assert_non_null(strstr(heard(&f), "connection: close\r\n"));
    assert_false(xmtp_http1_conn_is_done(f.conn)); /* or the peer would see a reset only */
    for (size_t n = 0; n < XMTP_HTTP1_LINGER_LEN_MAX; n += sizeof part) {
        xmtp_http1_conn_recv(f.conn, xmtp_bytes_of(part, sizeof part));
    }
    assert_true(xmtp_http1_conn_is_done(f.conn));
    close_conn(&f);
}

static void a_long_answer_waits_for_a_slow_reader(void **state)
{
    (void)state;
    fixture f;
    open_conn(&f);
    say(&f, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(f.out.n > TEST_HTTP_BIG_LEN);
    assert_true(f.http.queued_max < 5 * XMTP_HTTP_QUEUE_LOW_WATER);
    close_conn(&f);
}

static void a_peer_that_goes_away_cancels_what_runs(void **state)
{
    (void)state;
    fixture f;
    open_conn(&f);
    say(&f, "GET /open HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_status(&f, 200); /* at once, before any body */
    close_conn(&f);
    assert_int_equal(f.http.cancelled, 1);
}

static void stopping_ends_what_runs_in_order(void **state)
{
    (void)state;
    fixture f;
    open_conn(&f);
    say(&f, "GET /open HTTP/1.1\r\nHost: x\r\n\r\n");
    xmtp_http1_conn_shutdown(f.conn);
    drain(&f);
    assert_non_null(strstr(heard(&f), "\r\n\r\n0\r\n\r\n"));
    assert_int_equal(f.http.stopped, 1);
    assert_int_equal(f.http.cancelled, 0);
    assert_true(xmtp_http1_conn_is_done(f.conn));
    close_conn(&f);
}

static void draining_closes_after_the_answer_that_runs(void **state)
{
    (void)state;
    fixture f;
    open_conn(&f);
    say(&f, "GET /open HTTP/1.1\r\nHost: x\r\n\r\n");
    xmtp_http1_conn_drain(f.conn);
    assert_false(xmtp_http1_conn_is_done(f.conn));
    xmtp_http_end(f.http.open);
    drain(&f);
    assert_true(xmtp_http1_conn_is_done(f.conn));
    close_conn(&f);
}

static void http_1_0_gets_a_body_until_the_end_of_the_connection(void **state)
{
    (void)state;
    fixture f;
    open_conn(&f);
    say(&f, "POST /echo HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi");
    assert_string_equal(heard(&f), "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhi");
    assert_true(xmtp_http1_conn_is_done(f.conn));
    close_conn(&f);
}

static void slow_heads_slow_bodies_and_idle_connections_time_out(void **state)
{
    (void)state;
    fixture f;
    uint64_t now = 5 * second;
    open_conn(&f);
    assert_int_equal(xmtp_http1_conn_tick(f.conn, now), XMTP_OK);
    assert_int_equal(xmtp_http1_conn_tick(f.conn, now + 119 * second), XMTP_OK);
    assert_int_equal(xmtp_http1_conn_tick(f.conn, now + 120 * second), XMTP_E_TIMEOUT);
    close_conn(&f);

    open_conn(&f);
    for (uint64_t i = 0; i < 10; i++) { /* a byte a second is not enough */
        xmtp_http1_conn_recv(f.conn, xmtp_bytes_of("G", 1));
        assert_int_equal(xmtp_http1_conn_tick(f.conn, now + i * second), XMTP_OK);
    }
    assert_int_equal(xmtp_http1_conn_tick(f.conn, now + 10 * second), XMTP_E_TIMEOUT);
    close_conn(&f);

    static uint8_t fast[XMTP_HTTP1_BODY_LEN_MIN];
    open_conn(&f);
    say(&f, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
    assert_int_equal(xmtp_http1_conn_tick(f.conn, now), XMTP_OK);
    xmtp_http1_conn_recv(f.conn, xmtp_bytes_of(fast, sizeof fast));
    assert_int_equal(xmtp_http1_conn_tick(f.conn, now + 30 * second), XMTP_OK);
    say(&f, "a few bytes");
    assert_int_equal(xmtp_http1_conn_tick(f.conn, now + 59 * second), XMTP_OK);
    assert_int_equal(xmtp_http1_conn_tick(f.conn, now + 60 * second), XMTP_E_TIMEOUT);
    close_conn(&f);
}

static void an_open_answer_never_times_out_here(void **state)
{
    (void)state;
    fixture f;
    open_conn(&f);
    say(&f, "GET /open HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(xmtp_http1_conn_tick(f.conn, second), XMTP_OK);
    assert_int_equal(xmtp_http1_conn_tick(f.conn, 100000 * second), XMTP_OK);
    close_conn(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counted_answer_keeps_the_connection),
        cmocka_unit_test(bodies_are_taken_counted_and_chunked_in_pieces_of_any_size),
        cmocka_unit_test(a_client_that_expects_100_continue_gets_it),
        cmocka_unit_test(requests_sent_ahead_are_answered_in_order),
        cmocka_unit_test(too_much_sent_ahead_costs_the_connection_not_the_memory),
        cmocka_unit_test(ambiguous_and_malformed_requests_are_refused),
        cmocka_unit_test(malformed_chunks_end_the_exchange_and_the_connection),
        cmocka_unit_test(heads_up_to_their_limits_are_taken),
        cmocka_unit_test(heads_have_limits),
        cmocka_unit_test(an_answer_before_the_end_of_the_request_is_seen_and_the_rest_is_dropped),
        cmocka_unit_test(a_long_answer_waits_for_a_slow_reader),
        cmocka_unit_test(a_peer_that_goes_away_cancels_what_runs),
        cmocka_unit_test(stopping_ends_what_runs_in_order),
        cmocka_unit_test(draining_closes_after_the_answer_that_runs),
        cmocka_unit_test(http_1_0_gets_a_body_until_the_end_of_the_connection),
        cmocka_unit_test(slow_heads_slow_bodies_and_idle_connections_time_out),
        cmocka_unit_test(an_open_answer_never_times_out_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
