/* conn_test.c - both ends of a connection in one process: client_conn and server_conn, pumped by
 * hand. */
#include "base/bytes.h"
#include "rpc/client_conn.h"
#include "rpc/test_echo.h"

#include <setjmp.h>
#include <stdarg.h>
// cmocka wants the headers above first
#include <cmocka.h>

enum { PIECE_MAX = 64 * 1024 };

typedef struct fixture {
    echo_handler echo;
    xmtp_rpc_server_conn *server;
    xmtp_rpc_client_conn *client;
    size_t piece_len; /* bytes handed over at a time */
    uint8_t *piece;
    xmtp_status server_status;
    size_t to_client_len;
} fixture;

static const xmtp_alloc *system_alloc(void)
{
    return &xmtp_env_system()->alloc;
}

static void open_with(fixture *f, size_t piece_len, const xmtp_rpc_server_options *server_options,
                      size_t answer_len_max)
{
    *f = (fixture){.piece_len = piece_len, .piece = malloc(PIECE_MAX)};
    const xmtp_rpc_handler handler = echo_functions(&f->echo);
    const xmtp_rpc_client_options options = {
        .authority = "localhost:5556",
        .app_version = "test/1",
        .answer_len_max = answer_len_max,
    };
    assert_int_equal(xmtp_rpc_server_conn_new(&f->server, system_alloc(), &handler, server_options),
                     XMTP_OK);
    assert_int_equal(xmtp_rpc_client_conn_new(&f->client, system_alloc(), &options), XMTP_OK);
}

static void open_pair(fixture *f)
{
    open_with(f, PIECE_MAX, NULL, 0);
}

static void close_pair(fixture *f)
{
    xmtp_rpc_client_conn_free(f->client);
    xmtp_rpc_server_conn_free(f->server);
    free(f->piece);
}

static bool pump_up(fixture *f)
{
    size_t n = xmtp_rpc_client_conn_send(f->client, f->piece, f->piece_len);
    xmtp_status status = xmtp_rpc_server_conn_recv(f->server, xmtp_bytes_of(f->piece, n));
    f->server_status = status == XMTP_OK ? f->server_status : status;
    return n > 0;
}

static bool pump_down(fixture *f)
{
    size_t n = xmtp_rpc_server_conn_send(f->server, f->piece, f->piece_len);
    assert_int_equal(xmtp_rpc_client_conn_recv(f->client, xmtp_bytes_of(f->piece, n)), XMTP_OK);
    f->to_client_len += n;
    return n > 0;
}

/* Until both are silent. */
static void pump(fixture *f)
{
    bool has_moved;
    do {
        has_moved = pump_up(f);
        has_moved |= pump_down(f);
    } while (has_moved);
    assert_false(xmtp_rpc_client_conn_has_output(f->client));
    assert_false(xmtp_rpc_server_conn_has_output(f->server));
}

static xmtp_rpc_client_call *start(fixture *f, const char *path, xmtp_bytes request)
{
    xmtp_rpc_client_call *call;
    assert_int_equal(xmtp_rpc_client_call_start(&call, f->client, path, request), XMTP_OK);
    return call;
}

static void assert_next(xmtp_rpc_client_call *call, xmtp_bytes expected)
{
    xmtp_bytes message;
    assert_int_equal(xmtp_rpc_client_call_next(call, &message, NULL), XMTP_OK);
    assert_true(xmtp_bytes_equal(message, expected));
}

static void assert_end(xmtp_rpc_client_call *call, xmtp_status expected, const char *text)
{
    xmtp_bytes message;
    xmtp_error error = {0};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(xmtp_rpc_client_call_next(call, &message, &error), expected);
    }
    assert_false(xmtp_rpc_client_call_has_news(call));
    if (text != NULL) {
        assert_string_equal(error.text, text);
    }
}

static void assert_echo(fixture *f, xmtp_bytes request)
{
    xmtp_rpc_client_call *call = start(f, "/test/Echo", request);
    pump(f);
    assert_next(call, request);
    assert_end(call, XMTP_E_CLOSED, NULL);
    xmtp_rpc_client_call_free(call);
}

static void assert_fails(fixture *f, const char *path, xmtp_bytes request, xmtp_status expected,
                         const char *text)
{
    xmtp_rpc_client_call *call = start(f, path, request);
    pump(f);
    assert_end(call, expected, text);
    xmtp_rpc_client_call_free(call);
}

/* What requests say of themselves: a field of HPACK's static table each, ":method: POST" before. */
static bool says_scheme(bool is_tls, const char *fields)
{
    uint8_t out[4096];
    xmtp_rpc_client_conn *client;
    xmtp_rpc_client_call *call;
    const xmtp_rpc_client_options options = {.authority = "a:1", .is_tls = is_tls};
    assert_int_equal(xmtp_rpc_client_conn_new(&client, system_alloc(), &options), XMTP_OK);
    assert_int_equal(xmtp_rpc_client_call_start(&call, client, "/a/B", (xmtp_bytes){0}), XMTP_OK);
    size_t n = xmtp_rpc_client_conn_send(client, out, sizeof out);
    bool is_said = memmem(out, n, fields, 2) != NULL;
    xmtp_rpc_client_call_free(call);
    xmtp_rpc_client_conn_free(client);
    return is_said;
}

static void requests_name_the_scheme_that_carries_them(void **state)
{
    (void)state;
    assert_true(says_scheme(false, "\x83\x86"));
    assert_true(says_scheme(true, "\x83\x87"));
}

static const xmtp_bytes hello = {.p = (const uint8_t *)"hello", .n = 5};

static void unary_calls_are_answered(void **state)
{
    (void)state;
    fixture f;
    open_pair(&f);
    assert_echo(&f, hello);
    assert_echo(&f, (xmtp_bytes){0});
    assert_int_equal(f.echo.request_count, 2);
    assert_int_equal(f.echo.cancelled_count, 0);
    close_pair(&f);
}

static void a_connection_fed_byte_by_byte_works_the_same(void **state)
{
    (void)state;
    fixture f;
    open_with(&f, 1, NULL, 0);
    assert_echo(&f, hello);
    assert_fails(&f, "/test/Fail", hello, XMTP_E_RPC_INVALID,
                 "INVALID_ARGUMENT: 100% w\xc3\xb6rong  (E_TEST)");
    close_pair(&f);
}

static void errors_carry_status_text_and_code(void **state)
{
    (void)state;
    fixture f;
    open_pair(&f);
    assert_fails(&f, "/test/Fail", hello, XMTP_E_RPC_INVALID,
                 "INVALID_ARGUMENT: 100% w\xc3\xb6rong  (E_TEST)");
    assert_fails(&f, "/nothing/Here", hello, XMTP_E_RPC_UNIMPLEMENTED,
                 "UNIMPLEMENTED: unknown method");
    assert_fails(&f, "/test/None", hello, XMTP_E_CLOSED, NULL);
    assert_fails(&f,
                 "/a/path/that/is/longer/than/the/server/is/willing/to/remember/a/path/that/is/"
                 "longer/than/the/server/is/willing/to/remember/and/more",
                 hello, XMTP_E_RPC_UNIMPLEMENTED, NULL);
    assert_int_equal(f.echo.request_count, 3);
    assert_echo(&f, hello);
    close_pair(&f);
}

static void a_hundred_calls_at_once_are_all_answered(void **state)
{
    (void)state;
    fixture f;
    open_pair(&f);
    xmtp_rpc_client_call *calls[100];
    for (size_t i = 0; i < 100; i++) {
        calls[i] = start(&f, "/test/Echo", xmtp_bytes_of(&i, sizeof i));
    }
    pump(&f);
    for (size_t i = 0; i < 100; i++) {
        assert_next(calls[i], xmtp_bytes_of(&i, sizeof i));
        assert_end(calls[i], XMTP_E_CLOSED, NULL);
        xmtp_rpc_client_call_free(calls[i]);
    }
    close_pair(&f);
}

static void a_request_of_26214400_bytes_passes(void **state)
{
    (void)state;
    const size_t n = 26214400;
    uint8_t *big = calloc(1, n);
    big[n - 1] = 7;
    fixture f;
    open_pair(&f);
    assert_echo(&f, xmtp_bytes_of(big, n));
    assert_int_equal(f.echo.request_len, n);
    close_pair(&f);
    free(big);
}

static void a_request_of_60_mib_is_refused_and_the_connection_goes_on(void **state)
{
    (void)state;
    const size_t n = 60U << 20;
    uint8_t *big = calloc(1, n);
    fixture f;
    open_pair(&f);
    assert_fails(&f, "/test/Echo", xmtp_bytes_of(big, n), XMTP_E_RPC_EXHAUSTED,
                 "RESOURCE_EXHAUSTED: request is too large");
    assert_int_equal(f.echo.request_count, 0);
    assert_echo(&f, hello);
    close_pair(&f);
    free(big);
}

static void unfinished_requests_share_a_budget(void **state)
{
    (void)state;
    static const uint8_t big[60000];
    const xmtp_rpc_server_options options = {.requests_len_max = 100000};
    fixture f;
    open_with(&f, 4096, &options, 0);
    xmtp_rpc_client_call *a = start(&f, "/test/Echo", xmtp_bytes_of(big, sizeof big));
    xmtp_rpc_client_call *b = start(&f, "/test/Echo", xmtp_bytes_of(big, sizeof big));
    pump(&f); /* both are sent in turns, so one of them hits the ceiling */
    xmtp_bytes message;
    xmtp_status first = xmtp_rpc_client_call_next(a, &message, NULL);
    xmtp_status second = xmtp_rpc_client_call_next(b, &message, NULL);
    assert_true((first == XMTP_OK && second == XMTP_E_RPC_EXHAUSTED) ||
                (first == XMTP_E_RPC_EXHAUSTED && second == XMTP_OK));
    xmtp_rpc_client_call_free(a);
    xmtp_rpc_client_call_free(b);
    assert_echo(&f, xmtp_bytes_of(big, sizeof big));
    close_pair(&f);
}

static void an_answer_beyond_the_queue_limit_is_an_error_not_memory(void **state)
{
    (void)state;
    static const uint8_t big[5000];
    const xmtp_rpc_server_options options = {.answers_len_max = 4000};
    fixture f;
    open_with(&f, PIECE_MAX, &options, 0);
    assert_fails(&f, "/test/Echo", xmtp_bytes_of(big, sizeof big), XMTP_E_RPC_EXHAUSTED,
                 "RESOURCE_EXHAUSTED: a limit was exceeded (E_LIMIT)");
    assert_echo(&f, hello);
    close_pair(&f);
}

static void an_answer_too_large_for_the_client_ends_its_call_only(void **state)
{
    (void)state;
    static const uint8_t big[5000];
    fixture f;
    open_with(&f, PIECE_MAX, NULL, 4999);
    assert_fails(&f, "/test/Echo", xmtp_bytes_of(big, sizeof big), XMTP_E_LIMIT,
                 "node's message is too large");
    assert_echo(&f, xmtp_bytes_of(big, 4999));
    close_pair(&f);
}

static size_t read_counted(xmtp_rpc_client_call *call, uint32_t *next, xmtp_status *status)
{
    xmtp_bytes message;
    size_t count = 0;
    while ((*status = xmtp_rpc_client_call_next(call, &message, NULL)) == XMTP_OK) {
        uint32_t number;
        assert_int_equal(message.n, ECHO_MESSAGE_LEN);
        memcpy(&number, message.p, sizeof number);
        assert_int_equal(number, *next);
        (*next)++;
        count++;
    }
    return count;
}

static void ten_thousand_messages_flow_in_order_at_the_readers_pace(void **state)
{
    (void)state;
    fixture f;
    open_pair(&f);
    xmtp_rpc_client_call *call = start(&f, "/test/Count", xmtp_bytes_of_string("10000"));
    pump(&f);
    /* The reader sleeps: the node must stop after one window, having queued little. */
    assert_true(f.to_client_len <
                XMTP_RPC_CLIENT_STREAM_WINDOW + XMTP_RPC_UNREAD_LEN_MAX + PIECE_MAX);
    assert_true(f.echo.queued_max <= 256 * 1024 + ECHO_MESSAGE_LEN + 5);
    assert_echo(&f, hello); /* others are not held up */
    uint32_t next = 0;
    xmtp_status status = XMTP_E_RETRY;
    while (status == XMTP_E_RETRY) {
        assert_true(read_counted(call, &next, &status) > 0);
        pump(&f);
    }
    assert_int_equal(status, XMTP_E_CLOSED);
    assert_int_equal(next, 10000);
    assert_true(f.echo.writable_count > 10);
    xmtp_rpc_client_call_free(call);
    close_pair(&f);
}

static void a_stream_opens_with_headers_before_any_message(void **state)
{
    (void)state;
    fixture f;
    open_pair(&f);
    xmtp_rpc_client_call *call = start(&f, "/test/Open", hello);
    assert_false(xmtp_rpc_client_call_has_headers(call));
    pump(&f);
    assert_true(xmtp_rpc_client_call_has_headers(call));
    assert_false(xmtp_rpc_client_call_has_news(call));
    assert_int_equal(xmtp_rpc_call_message(f.echo.open[0], hello), XMTP_OK);
    assert_int_equal(xmtp_rpc_call_start_stream(f.echo.open[0]), XMTP_E_STATE);
    assert_true(xmtp_rpc_server_conn_has_output(f.server));
    assert_int_equal(xmtp_rpc_call_queued(f.echo.open[0]), 10);
    pump(&f);
    assert_int_equal(xmtp_rpc_call_queued(f.echo.open[0]), 0);
    assert_next(call, hello);
    xmtp_rpc_call_end(f.echo.open[0], XMTP_GRPC_ABORTED, "too slow", NULL);
    pump(&f);
    assert_end(call, XMTP_E_RPC, "ABORTED: too slow");
    xmtp_rpc_client_call_free(call);
    close_pair(&f);
}

static void a_call_freed_by_the_client_is_cancelled_at_the_server(void **state)
{
    (void)state;
    fixture f;
    open_pair(&f);
    xmtp_rpc_client_call *call = start(&f, "/test/Open", hello);
    pump(&f);
    assert_int_equal(f.echo.open_count, 1);
    xmtp_rpc_client_call_free(call);
    pump(&f);
    assert_int_equal(f.echo.open_count, 0);
    assert_int_equal(f.echo.cancelled_count, 1);
    xmtp_rpc_client_call_free(start(&f, "/test/Open", hello)); /* before it goes out */
    pump(&f);
    assert_int_equal(f.echo.request_count, 1);
    call = start(&f, "/test/Count", xmtp_bytes_of_string("9000"));
    pump(&f);
    xmtp_rpc_client_call_free(call); /* with messages queued on both sides */
    pump(&f);
    assert_int_equal(f.echo.cancelled_count, 2);
    assert_echo(&f, hello);
    close_pair(&f);
}

static void freeing_a_server_connection_cancels_its_calls(void **state)
{
    (void)state;
    fixture f;
    open_pair(&f);
    xmtp_rpc_client_call *a = start(&f, "/test/Open", hello);
    xmtp_rpc_client_call *b = start(&f, "/test/Hang", hello);
    pump(&f);
    xmtp_rpc_server_conn_free(f.server);
    f.server = NULL;
    assert_int_equal(f.echo.cancelled_count, 2);
    xmtp_rpc_client_conn_fail(f.client, XMTP_E_NETWORK, "lost");
    assert_end(a, XMTP_E_NETWORK, "lost");
    xmtp_rpc_client_call_free(a);
    close_pair(&f);
    assert_end(b, XMTP_E_NETWORK, "lost"); /* calls outlive their connection */
    xmtp_rpc_client_call_free(b);
}

static void what_was_received_before_the_connection_failed_can_be_read(void **state)
{
    (void)state;
    fixture f;
    open_pair(&f);
    xmtp_rpc_client_call *call = start(&f, "/test/Open", hello);
    pump(&f);
    assert_int_equal(xmtp_rpc_call_message(f.echo.open[0], hello), XMTP_OK);
    pump(&f);
    close_pair(&f);
    assert_next(call, hello);
    assert_end(call, XMTP_E_NETWORK, "connection closed");
    xmtp_rpc_client_call_free(call);
}

static void drain_lets_running_calls_finish_and_refuses_new_ones(void **state)
{
    (void)state;
    fixture f;
    open_pair(&f);
    xmtp_rpc_client_call *running = start(&f, "/test/Open", hello);
    pump(&f);
    xmtp_rpc_server_conn_drain(f.server);
    assert_echo(&f, hello); /* crosses the first GOAWAY */
    xmtp_rpc_client_call *late;
    assert_false(xmtp_rpc_client_conn_is_accepting(f.client));
    assert_int_equal(xmtp_rpc_client_call_start(&late, f.client, "/test/Echo", hello),
                     XMTP_E_STATE);
    assert_int_equal(xmtp_rpc_call_message(f.echo.open[0], hello), XMTP_OK);
    pump(&f);
    assert_next(running, hello);
    assert_false(xmtp_rpc_server_conn_is_done(f.server));
    xmtp_rpc_call_end(f.echo.open[0], XMTP_GRPC_OK, NULL, NULL);
    pump(&f);
    assert_end(running, XMTP_E_CLOSED, NULL);
    assert_true(xmtp_rpc_server_conn_is_done(f.server));
    assert_true(xmtp_rpc_client_conn_is_done(f.client));
    xmtp_rpc_client_call_free(running);
    close_pair(&f);
}

static void a_call_that_crosses_the_last_goaway_may_be_repeated(void **state)
{
    (void)state;
    fixture f;
    open_pair(&f);
    xmtp_rpc_client_call *late = start(&f, "/test/Echo", hello);
    xmtp_rpc_server_conn_shutdown(f.server);
    (void)pump_down(&f);
    pump(&f);
    assert_true(xmtp_rpc_client_call_was_refused(late));
    assert_end(late, XMTP_E_RPC_UNAVAILABLE, NULL);
    assert_int_equal(f.echo.request_count, 0);
    xmtp_rpc_client_call_free(late);
    close_pair(&f);
}

static void shutdown_ends_streams_with_unavailable(void **state)
{
    (void)state;
    fixture f;
    open_pair(&f);
    xmtp_rpc_client_call *open = start(&f, "/test/Open", hello);
    xmtp_rpc_client_call *hanging = start(&f, "/test/Hang", hello);
    pump(&f);
    xmtp_rpc_server_conn_shutdown(f.server);
    assert_int_equal(f.echo.cancelled_count, 2);
    pump(&f);
    assert_end(open, XMTP_E_RPC_UNAVAILABLE, "UNAVAILABLE: node is shutting down");
    assert_end(hanging, XMTP_E_RPC_UNAVAILABLE, "UNAVAILABLE: node is shutting down");
    assert_true(xmtp_rpc_server_conn_is_done(f.server));
    xmtp_rpc_client_call_free(open);
    xmtp_rpc_client_call_free(hanging);
    close_pair(&f);
}

static void streams_beyond_the_limit_wait_for_their_turn(void **state)
{
    (void)state;
    const xmtp_rpc_server_options options = {.streams_max = 2};
    fixture f;
    open_with(&f, PIECE_MAX, &options, 0);
    pump(&f); /* the client learns the limit */
    xmtp_rpc_client_call *a = start(&f, "/test/Open", hello);
    xmtp_rpc_client_call *b = start(&f, "/test/Open", hello);
    xmtp_rpc_client_call *c = start(&f, "/test/Echo", hello);
    xmtp_rpc_client_call *d = start(&f, "/test/Echo", hello);
    pump(&f);
    assert_int_equal(f.echo.request_count, 2);
    xmtp_rpc_client_call_free(d); /* given up while it waits */
    xmtp_rpc_client_call_free(a);
    pump(&f);
    assert_next(c, hello);
    assert_int_equal(f.echo.request_count, 3);
    xmtp_rpc_client_call_free(b);
    xmtp_rpc_client_call_free(c);
    close_pair(&f);
}

static const uint64_t second_ns = 1000000000;

static void a_silent_client_connection_is_pinged_after_16_s_and_dead_after_26(void **state)
{
    (void)state;
    fixture f;
    uint64_t next_ns;
    open_pair(&f);
    pump(&f);
    assert_int_equal(xmtp_rpc_client_conn_tick(f.client, 100 * second_ns, &next_ns), XMTP_OK);
    assert_int_equal(next_ns, 116 * second_ns);
    assert_int_equal(xmtp_rpc_client_conn_tick(f.client, 116 * second_ns - 1, NULL), XMTP_OK);
    assert_false(xmtp_rpc_client_conn_has_output(f.client));
    assert_int_equal(xmtp_rpc_client_conn_tick(f.client, 116 * second_ns, &next_ns), XMTP_OK);
    assert_true(xmtp_rpc_client_conn_has_output(f.client));
    assert_int_equal(next_ns, 126 * second_ns);
    pump(&f); /* answered */
    assert_int_equal(xmtp_rpc_client_conn_tick(f.client, 125 * second_ns, &next_ns), XMTP_OK);
    assert_int_equal(next_ns, 141 * second_ns);
    assert_int_equal(xmtp_rpc_client_conn_tick(f.client, 141 * second_ns, NULL), XMTP_OK);
    assert_int_equal(xmtp_rpc_client_conn_tick(f.client, 151 * second_ns - 1, NULL), XMTP_OK);
    assert_int_equal(xmtp_rpc_client_conn_tick(f.client, 151 * second_ns, NULL), XMTP_E_TIMEOUT);
    close_pair(&f);
}

static void a_silent_server_connection_is_pinged_after_5_minutes(void **state)
{
    (void)state;
    fixture f;
    open_pair(&f);
    pump(&f);
    assert_int_equal(xmtp_rpc_server_conn_tick(f.server, 0, NULL), XMTP_OK);
    assert_int_equal(xmtp_rpc_server_conn_tick(f.server, 300 * second_ns, NULL), XMTP_OK);
    assert_true(xmtp_rpc_server_conn_has_output(f.server));
    pump(&f);
    assert_int_equal(xmtp_rpc_server_conn_tick(f.server, 319 * second_ns, NULL), XMTP_OK);
    assert_int_equal(xmtp_rpc_server_conn_tick(f.server, 619 * second_ns, NULL), XMTP_OK);
    assert_int_equal(xmtp_rpc_server_conn_tick(f.server, 639 * second_ns, NULL), XMTP_E_TIMEOUT);
    close_pair(&f);
}

/* --- every allocation failing --- */

typedef struct failing_alloc {
    size_t left; /* allocations until one fails; all later ones work again */
    size_t held;
    bool has_failed;
} failing_alloc;

static void *failing_reallocate(void *context, void *p, size_t n)
{
    failing_alloc *a = context;
    if (n == 0) {
        a->held -= p != NULL;
        free(p);
        return NULL;
    }
    if (a->left == 0 && !a->has_failed) {
        a->has_failed = true;
        return NULL;
    }
    a->left -= a->left > 0;
    void *q = realloc(p, n);
    a->held += p == NULL;
    return q;
}

static void run_with_failure(const xmtp_alloc *alloc)
{
    echo_handler echo = {0};
    const xmtp_rpc_handler handler = echo_functions(&echo);
    const xmtp_rpc_client_options options = {.authority = "a:1"};
    xmtp_rpc_server_conn *server;
    xmtp_rpc_client_conn *client = NULL;
    static uint8_t piece[PIECE_MAX];
    static const char *const paths[] = {"/test/Echo", "/test/Fail", "/test/Count", "/test/Open"};
    xmtp_rpc_client_call *calls[4] = {0};
    if (xmtp_rpc_server_conn_new(&server, alloc, &handler, NULL) == XMTP_OK &&
        xmtp_rpc_client_conn_new(&client, alloc, &options) == XMTP_OK) {
        for (size_t i = 0; i < 4; i++) {
            (void)!xmtp_rpc_client_call_start(&calls[i], client, paths[i],
                                              xmtp_bytes_of_string("20"));
        }
        for (int round = 0; round < 8; round++) {
            size_t n = xmtp_rpc_client_conn_send(client, piece, sizeof piece);
            (void)!xmtp_rpc_server_conn_recv(server, xmtp_bytes_of(piece, n));
            n = xmtp_rpc_server_conn_send(server, piece, sizeof piece);
            (void)!xmtp_rpc_client_conn_recv(client, xmtp_bytes_of(piece, n));
        }
    }
    for (size_t i = 0; i < 4; i++) {
        xmtp_bytes message;
        while (calls[i] != NULL && xmtp_rpc_client_call_next(calls[i], &message, NULL) == XMTP_OK) {
        }
        xmtp_rpc_client_call_free(calls[i]);
    }
    xmtp_rpc_client_conn_free(client);
    xmtp_rpc_server_conn_free(server);
    assert_int_equal(echo.open_count, 0);
}

static void every_failing_allocation_is_survived_without_a_leak(void **state)
{
    (void)state;
    failing_alloc a = {.has_failed = true};
    for (size_t i = 0; a.has_failed; i++) {
        a = (failing_alloc){.left = i};
        const xmtp_alloc alloc = {.context = &a, .reallocate = failing_reallocate};
        run_with_failure(&alloc);
        assert_int_equal(a.held, 0);
        assert_true(i < 10000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unary_calls_are_answered),
        cmocka_unit_test(requests_name_the_scheme_that_carries_them),
        cmocka_unit_test(a_connection_fed_byte_by_byte_works_the_same),
        cmocka_unit_test(errors_carry_status_text_and_code),
        cmocka_unit_test(a_hundred_calls_at_once_are_all_answered),
        cmocka_unit_test(a_request_of_26214400_bytes_passes),
        cmocka_unit_test(a_request_of_60_mib_is_refused_and_the_connection_goes_on),
        cmocka_unit_test(unfinished_requests_share_a_budget),
        cmocka_unit_test(an_answer_beyond_the_queue_limit_is_an_error_not_memory),
        cmocka_unit_test(an_answer_too_large_for_the_client_ends_its_call_only),
        cmocka_unit_test(ten_thousand_messages_flow_in_order_at_the_readers_pace),
        cmocka_unit_test(a_stream_opens_with_headers_before_any_message),
        cmocka_unit_test(a_call_freed_by_the_client_is_cancelled_at_the_server),
        cmocka_unit_test(freeing_a_server_connection_cancels_its_calls),
        cmocka_unit_test(what_was_received_before_the_connection_failed_can_be_read),
        cmocka_unit_test(drain_lets_running_calls_finish_and_refuses_new_ones),
        cmocka_unit_test(a_call_that_crosses_the_last_goaway_may_be_repeated),
        cmocka_unit_test(shutdown_ends_streams_with_unavailable),
        cmocka_unit_test(streams_beyond_the_limit_wait_for_their_turn),
        cmocka_unit_test(a_silent_client_connection_is_pinged_after_16_s_and_dead_after_26),
        cmocka_unit_test(a_silent_server_connection_is_pinged_after_5_minutes),
        cmocka_unit_test(every_failing_allocation_is_survived_without_a_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
