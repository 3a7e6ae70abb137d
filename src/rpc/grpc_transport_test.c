/* grpc_transport_test.c - the transport over real sockets, against a small node on loopback. */
#include "rpc/test_poll_node.h"

/* --- the client --- */

static const uint64_t second_ns = 1000000000;
static const xmtp_bytes hello = {.p = (const uint8_t *)"hello", .n = 5};

typedef struct fixture {
    node node;
    xmtp_transport t;
    xmtp_writer answer;
    xmtp_error error;
    int meanwhile_count;
} fixture;

static void open_transport(fixture *f)
{
    f->error = (xmtp_error){0};
    xmtp_writer_init(&f->answer, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    assert_int_equal(
        xmtp_grpc_transport_open(&f->t, f->node.url, xmtp_env_system(), "test/1", &f->error),
        XMTP_OK);
}

static void open_all(fixture *f)
{
    node_start(&f->node, false);
    open_transport(f);
}

static void close_all(fixture *f)
{
    f->t.close(f->t.context);
    xmtp_writer_free(&f->answer);
    node_stop(&f->node);
}

static xmtp_status unary(fixture *f, const char *path, xmtp_bytes request)
{
    return f->t.unary(f->t.context, path, request, &f->answer, &f->error);
}

static void assert_echo(fixture *f)
{
    assert_int_equal(unary(f, "/test/Echo", hello), XMTP_OK);
    assert_true(xmtp_bytes_equal(xmtp_writer_bytes(&f->answer), hello));
}

static xmtp_stream *subscribe(fixture *f, const char *path, const char *request)
{
    xmtp_stream *stream;
    assert_int_equal(
        f->t.subscribe(f->t.context, path, xmtp_bytes_of_string(request), &stream, &f->error),
        XMTP_OK);
    return stream;
}

static xmtp_status next(fixture *f, xmtp_stream *stream, xmtp_bytes *message)
{
    return f->t.next(f->t.context, stream, message, &f->error);
}

/* What comes next on the stream, however long it takes. */
static xmtp_status await_next(fixture *f, xmtp_stream *stream, xmtp_bytes *message)
{
    xmtp_status status;
    while ((status = next(f, stream, message)) == XMTP_E_RETRY) {
        assert_int_equal(f->t.wait(f->t.context, 10 * second_ns), XMTP_OK);
    }
    return status;
}

static void unary_calls_work_over_sockets(void **state)
{
    (void)state;
    fixture f;
    open_all(&f);
    assert_echo(&f);
    assert_int_equal(unary(&f, "/test/Fail", hello), XMTP_E_RPC_INVALID);
    assert_string_equal(f.error.text, "INVALID_ARGUMENT: 100% w\xc3\xb6rong  (E_TEST)");
    assert_int_equal(f.answer.n, 0);
    assert_int_equal(unary(&f, "/test/Nothing", hello), XMTP_E_RPC_UNIMPLEMENTED);
    assert_int_equal(unary(&f, "/test/Twice", hello), XMTP_E_PROTOCOL);
    assert_int_equal(unary(&f, "/test/None", hello), XMTP_E_PROTOCOL);
    assert_int_equal(f.t.unary(f.t.context, "/test/Fail", hello, &f.answer, NULL),
                     XMTP_E_RPC_INVALID);
    assert_echo(&f);
    assert_int_equal(f.node.accept_count, 1);
    close_all(&f);
}

/* Returns when the node has the request: waits for ever if it is not under way. */
static void hear_bell(void *context)
{
    fixture *f = context;
    char bell = 0;
    assert_int_equal(read(f->node.done[0], &bell, 1), 1);
    f->meanwhile_count += bell == 'b';
}

static void count_meanwhile(void *context)
{
    ((fixture *)context)->meanwhile_count++;
}

static xmtp_status unary_while(fixture *f, const char *path, void (*run)(void *context))
{
    const xmtp_meanwhile meanwhile = {.run = run, .context = f};
    return f->t.unary_while(f->t.context, path, hello, &f->answer, &meanwhile, &f->error);
}

static void something_can_be_done_while_a_call_is_under_way(void **state)
{
    (void)state;
    fixture f;
    open_all(&f);
    f.meanwhile_count = 0;
    assert_int_equal(unary_while(&f, "/test/Bell", hear_bell), XMTP_OK);
    assert_true(xmtp_bytes_equal(xmtp_writer_bytes(&f.answer), hello));
    assert_int_equal(f.meanwhile_count, 1);
    assert_int_equal(unary_while(&f, "/test/Fail", count_meanwhile), XMTP_E_RPC_INVALID);
    assert_int_equal(f.meanwhile_count, 2);
    assert_int_equal(unary_while(&f, "/test/Die", count_meanwhile), XMTP_E_NETWORK);
    assert_int_equal(f.meanwhile_count, 3);
    assert_echo(&f);
    close_all(&f);
}

enum { MANY = 150 }; /* more than go out at once */

static void many_calls_go_out_together_and_fail_alone(void **state)
{
    (void)state;
    fixture f;
    xmtp_unary calls[MANY];
    xmtp_writer answers[MANY];
    open_all(&f);
    for (size_t i = 0; i < MANY; i++) {
        xmtp_writer_init(&answers[i], &xmtp_env_system()->alloc, i == 7 ? 4 : XMTP_WRITER_MAX);
        xmtp_writer_put(&answers[i], hello); /* what was there before is gone */
        calls[i] = (xmtp_unary){.path = i % 10 == 3 ? "/test/Fail" : "/test/Echo",
                                .request = xmtp_bytes_of((const uint8_t *)&i, sizeof i),
                                .response = &answers[i]};
        uint8_t *own = malloc(sizeof i);
        memcpy(own, &i, sizeof i);
        calls[i].request.p = own;
    }
    xmtp_transport_unary_all(&f.t, calls, MANY);
    for (size_t i = 0; i < MANY; i++) {
        bool is_echo = i != 7 && i % 10 != 3;
        assert_int_equal(calls[i].status, is_echo  ? XMTP_OK
                                          : i == 7 ? XMTP_E_LIMIT
                                                   : XMTP_E_RPC_INVALID);
        assert_int_equal(answers[i].n, is_echo ? sizeof i : 0);
        assert_true(!is_echo || xmtp_bytes_equal(xmtp_writer_bytes(&answers[i]), calls[i].request));
        xmtp_writer_free(&answers[i]);
        free((void *)(uintptr_t)calls[i].request.p);
    }
    assert_int_equal(f.node.accept_count, 1);
    assert_echo(&f);
    close_all(&f);
}

static void of_calls_together_each_tells_that_the_node_went_away(void **state)
{
    (void)state;
    fixture f;
    open_all(&f);
    xmtp_writer answers[3];
    xmtp_unary calls[3];
    for (size_t i = 0; i < 3; i++) {
        xmtp_writer_init(&answers[i], &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
        calls[i] = (xmtp_unary){
            .path = i == 1 ? "/test/Die" : "/test/Hang", .request = hello, .response = &answers[i]};
    }
    xmtp_transport_unary_all(&f.t, calls, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(calls[i].status, XMTP_E_NETWORK);
        xmtp_writer_free(&answers[i]);
    }
    assert_echo(&f); /* by a new connection */
    close_all(&f);
}

static void twenty_five_mebibytes_go_there_and_back(void **state)
{
    (void)state;
    const size_t n = 26214400;
    uint8_t *big = calloc(1, n);
    big[n - 1] = 7;
    fixture f;
    open_all(&f);
    assert_int_equal(unary(&f, "/test/Echo", xmtp_bytes_of(big, n)), XMTP_OK);
    assert_true(xmtp_bytes_equal(xmtp_writer_bytes(&f.answer), xmtp_bytes_of(big, n)));
    close_all(&f);
    free(big);
}

static void answers_beyond_the_writers_limit_are_refused(void **state)
{
    (void)state;
    fixture f;
    open_all(&f);
    xmtp_writer small;
    xmtp_writer_init(&small, &xmtp_env_system()->alloc, 4);
    assert_int_equal(f.t.unary(f.t.context, "/test/Echo", hello, &small, &f.error), XMTP_E_LIMIT);
    assert_int_equal(small.n, 0);
    xmtp_writer_free(&small);
    assert_echo(&f);
    close_all(&f);
}

static void a_stream_delivers_everything_in_order_and_then_its_end(void **state)
{
    (void)state;
    fixture f;
    open_all(&f);
    xmtp_stream *stream = subscribe(&f, "/test/Count", "10000");
    xmtp_bytes message;
    for (uint32_t i = 0; i < 10000; i++) {
        uint32_t number;
        assert_int_equal(await_next(&f, stream, &message), XMTP_OK);
        memcpy(&number, message.p, sizeof number);
        assert_int_equal(number, i);
        if (i % 1000 == 0) {
            assert_echo(&f); /* other calls go on meanwhile */
        }
    }
    assert_int_equal(await_next(&f, stream, &message), XMTP_E_CLOSED);
    assert_int_equal(next(&f, stream, &message), XMTP_E_CLOSED);
    assert_int_equal(f.t.wait(f.t.context, 0), XMTP_E_TIMEOUT); /* an end is told once */
    f.t.unsubscribe(f.t.context, stream);
    close_all(&f);
}

static void streams_open_before_any_message_and_end_quietly(void **state)
{
    (void)state;
    fixture f;
    open_all(&f);
    xmtp_stream *stream = subscribe(&f, "/test/Open", "");
    xmtp_bytes message;
    assert_int_equal(next(&f, stream, &message), XMTP_E_RETRY);
    node_command(&f.node, PUBLISH);
    assert_int_equal(await_next(&f, stream, &message), XMTP_OK);
    assert_true(xmtp_bytes_equal(message, xmtp_bytes_of_string("news")));
    node_command(&f.node, END_STREAMS);
    assert_int_equal(await_next(&f, stream, &message), XMTP_E_CLOSED);
    f.t.unsubscribe(f.t.context, stream);
    f.t.unsubscribe(f.t.context, NULL);
    close_all(&f);
}

static void unsubscribing_cancels_at_the_node(void **state)
{
    (void)state;
    fixture f;
    open_all(&f);
    f.t.unsubscribe(f.t.context, subscribe(&f, "/test/Open", ""));
    assert_echo(&f); /* sent after the reset, so the node has seen it */
    assert_int_equal(f.node.echo.open_count, 0);
    assert_int_equal(f.node.echo.cancelled_count, 1);
    (void)subscribe(&f, "/test/Open", ""); /* freed by close */
    close_all(&f);
}

static void subscribing_to_what_the_node_refuses_fails_at_once(void **state)
{
    (void)state;
    fixture f;
    open_all(&f);
    xmtp_stream *stream;
    assert_int_equal(f.t.subscribe(f.t.context, "/test/Nothing", hello, &stream, &f.error),
                     XMTP_E_RPC_UNIMPLEMENTED);
    assert_null(stream);
    assert_string_equal(f.error.text, "UNIMPLEMENTED: unknown method");
    close_all(&f);
}

static void *wake_later(void *context)
{
    const xmtp_transport *t = context;
    const struct timespec moment = {.tv_nsec = 20000000};
    (void)nanosleep(&moment, NULL); /* so that the other thread is most likely in wait by then */
    t->wake(t->context);
    return NULL;
}

static void wake_ends_a_wait_from_another_thread(void **state)
{
    (void)state;
    fixture f;
    open_all(&f);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wake_later, &f.t), 0);
    assert_int_equal(f.t.wait(f.t.context, UINT64_MAX), XMTP_OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
    f.t.wake(f.t.context); /* kept, and counted once */
    f.t.wake(f.t.context);
    assert_int_equal(f.t.wait(f.t.context, UINT64_MAX), XMTP_OK);
    assert_int_equal(f.t.wait(f.t.context, 0), XMTP_E_TIMEOUT);
    assert_int_equal(f.t.wait(f.t.context, 1000000), XMTP_E_TIMEOUT);
    close_all(&f);
}

static void a_node_dying_in_mid_call_is_a_network_error_and_the_next_call_reconnects(void **state)
{
    (void)state;
    fixture f;
    open_all(&f);
    assert_echo(&f);
    assert_int_equal(unary(&f, "/test/Die", hello), XMTP_E_NETWORK);
    assert_true(strlen(f.error.text) > 0);
    assert_echo(&f);
    assert_int_equal(f.node.accept_count, 2);
    close_all(&f);
}

static void a_connection_lost_while_idle_costs_no_call(void **state)
{
    (void)state;
    fixture f;
    open_all(&f);
    assert_echo(&f);
    node_command(&f.node, KILL);
    assert_echo(&f);
    assert_int_equal(f.node.accept_count, 2);
    close_all(&f);
}

static void streams_of_a_lost_connection_end_after_what_was_received(void **state)
{
    (void)state;
    fixture f;
    open_all(&f);
    xmtp_stream *stream = subscribe(&f, "/test/Open", "");
    xmtp_bytes message;
    node_command(&f.node, PUBLISH);
    node_command(&f.node, KILL);
    assert_int_equal(await_next(&f, stream, &message), XMTP_OK);
    assert_int_equal(await_next(&f, stream, &message), XMTP_E_NETWORK);
    assert_int_equal(next(&f, stream, &message), XMTP_E_NETWORK);
    xmtp_stream *again = subscribe(&f, "/test/Open", "");
    node_command(&f.node, PUBLISH);
    assert_int_equal(await_next(&f, again, &message), XMTP_OK);
    f.t.unsubscribe(f.t.context, stream);
    f.t.unsubscribe(f.t.context, again);
    close_all(&f);
}

static void after_goaway_streams_run_on_and_calls_use_a_new_connection(void **state)
{
    (void)state;
    fixture f;
    open_all(&f);
    xmtp_stream *stream = subscribe(&f, "/test/Open", "");
    xmtp_bytes message;
    node_command(&f.node, DRAIN);
    node_command(&f.node, PUBLISH);
    assert_int_equal(await_next(&f, stream, &message), XMTP_OK); /* so GOAWAY has come, too */
    assert_echo(&f);
    assert_int_equal(f.node.accept_count, 2);
    node_command(&f.node, PUBLISH);
    assert_int_equal(await_next(&f, stream, &message), XMTP_OK);
    node_command(&f.node, END_STREAMS);
    assert_int_equal(await_next(&f, stream, &message), XMTP_E_CLOSED);
    f.t.unsubscribe(f.t.context, stream);
    assert_echo(&f);
    assert_int_equal(f.node.accept_count, 2);
    close_all(&f);
}

static void a_node_that_is_not_there_is_a_network_error(void **state)
{
    (void)state;
    fixture f;
    node_start(&f.node, false);
    node_stop(&f.node); /* its port is free again */
    open_transport(&f);
    assert_int_equal(unary(&f, "/test/Echo", hello), XMTP_E_NETWORK);
    assert_non_null(strstr(f.error.text, "cannot connect to localhost port"));
    f.meanwhile_count = 0;
    assert_int_equal(unary_while(&f, "/test/Echo", count_meanwhile), XMTP_E_NETWORK);
    assert_int_equal(f.meanwhile_count, 1);
    f.t.close(f.t.context);
    xmtp_writer_free(&f.answer);
}

static void a_peer_that_speaks_http_1_is_a_protocol_error(void **state)
{
    (void)state;
    fixture f;
    node_start(&f.node, true);
    open_transport(&f);
    assert_int_equal(unary(&f, "/test/Echo", hello), XMTP_E_PROTOCOL);
    assert_string_equal(f.error.text, "peer does not speak HTTP/2");
    close_all(&f);
}

static void addresses_are_checked_before_anything_is_opened(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "localhost:5556",
                                        "ftp://localhost",
                                        "http://",
                                        "https://",
                                        "https:/a",
                                        "https://a:70000",
                                        "HTTPS://a",
                                        "http://:1",
                                        "http://a:0",
                                        "http://a:65536",
                                        "http://a:1x",
                                        "http://a:",
                                        "http://a:1/path",
                                        "http://a b",
                                        "http://a\r\nb:1",
                                        "http://user@host",
                                        "http://[::1",
                                        "http://[::1]x",
                                        "http://[a]b:1",
                                        "http://[]:1"};
    xmtp_transport t;
    xmtp_error error;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(xmtp_grpc_transport_open(&t, wrong[i], xmtp_env_system(), NULL, &error),
                         XMTP_E_ARGUMENT);
        assert_null(t.context);
    }
    assert_int_equal(
        xmtp_grpc_transport_open(&t, "http://a", xmtp_env_system(), "two\nlines", &error),
        XMTP_E_ARGUMENT);
}

static void addresses_are_split_into_host_port_and_authority(void **state)
{
    (void)state;
    static const char *const rows[][5] = {
        {"http://localhost:5556", "localhost", "5556", "localhost:5556", "local"},
        {"http://node.example/", "node.example", "5556", "node.example:5556", ""},
        {"http://127.0.0.1:80", "127.0.0.1", "80", "127.0.0.1:80", "local"},
        {"http://[::1]:81/", "::1", "81", "[::1]:81", "local"},
        {"http://localhost.example", "localhost.example", "5556", "localhost.example:5556", ""},
        {"http://128.0.0.1", "128.0.0.1", "5556", "128.0.0.1:5556", ""},
        {"https://node.example", "node.example", "443", "node.example:443", "tls"},
        {"https://[2001:db8::1]:444/", "2001:db8::1", "444", "[2001:db8::1]:444", "tls"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        xmtp_url url;
        assert_int_equal(xmtp_url_parse(&url, rows[i][0], NULL), XMTP_OK);
        assert_string_equal(url.host, rows[i][1]);
        assert_string_equal(url.port, rows[i][2]);
        assert_string_equal(url.authority, rows[i][3]);
        assert_int_equal(url.is_tls, strcmp(rows[i][4], "tls") == 0);
        assert_int_equal(xmtp_url_is_loopback(&url), strcmp(rows[i][4], "local") == 0);
    }
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t clock_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * second_ns + (uint64_t)now.tv_nsec;
}

/* Prints a figure, asserts nothing about it. */
/* --- credentials --- */

typedef struct key_source {
    uint64_t now_ns;
    unsigned asked;
    xmtp_status status;
    const char *header;
    uint64_t lasts_s;
    char value[16];
} key_source;

static uint64_t key_now_ns(void *context)
{
    return ((key_source *)context)->now_ns;
}

static xmtp_status give_key(void *context, xmtp_credential *out)
{
    key_source *k = context;
    k->asked++;
    (void)snprintf(k->value, sizeof k->value, "key %u", k->asked);
    *out = (xmtp_credential){
        .header = k->header, .value = k->value, .expires_at_s = k->now_ns / second_ns + k->lasts_s};
    return k->status;
}

static void authorize(fixture *f, key_source *k, xmtp_env *env)
{
    *k = (key_source){.now_ns = 1000 * second_ns, .header = "X-Api-Key", .lasts_s = 60};
    *env = *xmtp_env_system();
    env->context = k;
    env->now_ns = key_now_ns;
    const xmtp_credential_source source = {.context = k, .get = give_key};
    assert_int_equal(xmtp_grpc_transport_authorize(&f->t, env, &source, &f->error), XMTP_OK);
}

static void assert_key(fixture *f, const char *expected)
{
    assert_int_equal(unary(f, "/test/Key", hello), XMTP_OK);
    assert_true(xmtp_bytes_equal(xmtp_writer_bytes(&f->answer), xmtp_bytes_of_string(expected)));
}

static void a_credential_goes_with_each_call_and_stream(void **state)
{
    (void)state;
    fixture f;
    key_source k;
    xmtp_env env;
    xmtp_bytes message;
    open_all(&f);
    assert_key(&f, "");
    authorize(&f, &k, &env);
    assert_key(&f, "key 1");
    assert_key(&f, "key 1");
    xmtp_stream *stream = subscribe(&f, "/test/Key", "");
    assert_int_equal(await_next(&f, stream, &message), XMTP_OK);
    assert_true(xmtp_bytes_equal(message, xmtp_bytes_of_string("key 1")));
    f.t.unsubscribe(f.t.context, stream);
    assert_int_equal(k.asked, 1);
    close_all(&f);
}

static void a_credential_is_replaced_before_it_expires(void **state)
{
    (void)state;
    fixture f;
    key_source k;
    xmtp_env env;
    open_all(&f);
    authorize(&f, &k, &env);
    assert_key(&f, "key 1");
    k.now_ns += 49 * second_ns;
    assert_key(&f, "key 1");
    k.now_ns += 1 * second_ns; /* ten seconds are left */
    assert_key(&f, "key 2");
    close_all(&f);
}

static void without_a_credential_the_node_sees_no_call(void **state)
{
    (void)state;
    fixture f;
    key_source k;
    xmtp_env env;
    open_all(&f);
    authorize(&f, &k, &env);
    k.status = XMTP_E_AUTH;
    assert_int_equal(unary(&f, "/test/Key", hello), XMTP_E_AUTH);
    assert_non_null(strstr(f.error.text, "no credential for the gateway"));
    k.status = XMTP_OK;
    k.header = "grpc-timeout";
    assert_int_equal(unary(&f, "/test/Key", hello), XMTP_E_ARGUMENT);
    assert_int_equal(f.node.accept_count, 0);
    k.header = "x-api-key";
    assert_key(&f, "key 3");
    close_all(&f);
}

static void a_round_trip_is_measured(void **state)
{
    (void)state;
    enum { ROUNDS = 2000 };
    static uint64_t taken_ns[ROUNDS];
    fixture f;
    open_all(&f);
    for (size_t i = 0; i < ROUNDS; i++) {
        uint64_t start_ns = clock_ns();
        assert_echo(&f);
        taken_ns[i] = clock_ns() - start_ns;
    }
    qsort(taken_ns, ROUNDS, sizeof taken_ns[0], by_size);
    print_message("unary round trip on loopback: median %.1f us, p99 %.1f us\n",
                  (double)taken_ns[ROUNDS / 2] / 1000, (double)taken_ns[ROUNDS * 99 / 100] / 1000);
    close_all(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unary_calls_work_over_sockets),
        cmocka_unit_test(something_can_be_done_while_a_call_is_under_way),
        cmocka_unit_test(many_calls_go_out_together_and_fail_alone),
        cmocka_unit_test(of_calls_together_each_tells_that_the_node_went_away),
        cmocka_unit_test(twenty_five_mebibytes_go_there_and_back),
        cmocka_unit_test(answers_beyond_the_writers_limit_are_refused),
        cmocka_unit_test(a_stream_delivers_everything_in_order_and_then_its_end),
        cmocka_unit_test(streams_open_before_any_message_and_end_quietly),
        cmocka_unit_test(unsubscribing_cancels_at_the_node),
        cmocka_unit_test(subscribing_to_what_the_node_refuses_fails_at_once),
        cmocka_unit_test(wake_ends_a_wait_from_another_thread),
        cmocka_unit_test(a_node_dying_in_mid_call_is_a_network_error_and_the_next_call_reconnects),
        cmocka_unit_test(a_connection_lost_while_idle_costs_no_call),
        cmocka_unit_test(streams_of_a_lost_connection_end_after_what_was_received),
        cmocka_unit_test(after_goaway_streams_run_on_and_calls_use_a_new_connection),
        cmocka_unit_test(a_node_that_is_not_there_is_a_network_error),
        cmocka_unit_test(a_peer_that_speaks_http_1_is_a_protocol_error),
        cmocka_unit_test(addresses_are_checked_before_anything_is_opened),
        cmocka_unit_test(addresses_are_split_into_host_port_and_authority),
        cmocka_unit_test(a_credential_goes_with_each_call_and_stream),
        cmocka_unit_test(a_credential_is_replaced_before_it_expires),
        cmocka_unit_test(without_a_credential_the_node_sees_no_call),
        cmocka_unit_test(a_round_trip_is_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
