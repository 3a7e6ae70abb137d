/* drain_test.c - stopping a node that is busy: what runs is answered, streams end with words, nothing
 * new begins, and all of it ends in time.
 */
#include "node/test_folder.h"
#include "node/test_h2.h"
#include "proto/field.h"

#include <time.h>

/* The clock is asked for each append: holding it there holds the sequencer. */
static pthread_mutex_t clock_lock = PTHREAD_MUTEX_INITIALIZER;

static uint64_t held_clock(void *context)
{
    (void)context;
    (void)pthread_mutex_lock(&clock_lock);
    (void)pthread_mutex_unlock(&clock_lock);
    return test_now_ns;
}

static void hold_store(void)
{
    (void)pthread_mutex_lock(&clock_lock);
}

static void release_store(void)
{
    (void)pthread_mutex_unlock(&clock_lock);
}

typedef struct scene {
    xmtp_env env;
    xmtp_node *node;
    h2 h2;
    pthread_t closer;
} scene;

static void open_scene(scene *s, const char *dir, uint64_t drain_seconds)
{
    xmtp_error error = {0};
    s->env = *test_env();
    s->env.now_ns = held_clock;
    xmtp_node_options options = {.env = &s->env,
                                 .data_dir = dir,
                                 .listen = {"127.0.0.1:0"},
                                 .loops = 2,
                                 .limits = {.drain_seconds = drain_seconds}};
    if (xmtp_node_open(&s->node, &options, &error) != XMTP_OK) {
        fail_msg("node: %s", error.text);
    }
    h2_open(&s->h2, xmtp_node_port(s->node, 0));
}

static void *close_node(void *context)
{
    xmtp_node_close(context);
    return NULL;
}

/* Begins to close the node, and goes on when the client has been told. */
static void begin_close(scene *s)
{
    assert_int_equal(pthread_create(&s->closer, NULL, close_node, s->node), 0);
    while (s->h2.goaway < 0) {
        assert_true(h2_work(&s->h2, H2_WAIT_MS));
    }
    assert_int_equal(s->h2.goaway, 0); /* NO_ERROR */
}

/* The same where nothing runs on the client's connection: it says nothing more, since the node may
 * have closed it already. */
static void begin_close_idle(scene *s)
{
    struct pollfd fd = {.fd = s->h2.peer.fd, .events = POLLIN};
    assert_int_equal(pthread_create(&s->closer, NULL, close_node, s->node), 0);
    assert_int_equal(poll(&fd, 1, H2_WAIT_MS), 1); /* the goodbye */
}

static void end_scene(scene *s)
{
    (void)pthread_join(s->closer, NULL);
    h2_close(&s->h2);
}

static h2_call *send_message(scene *s, uint64_t number)
{
    xmtp_writer message;
    xmtp_writer w;
    xmtp_writer_init(&message, &test_env()->alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&w, &test_env()->alloc, XMTP_WRITER_MAX);
    test_message(&message, "a", TEST_APPLICATION, number, 20);
    size_t input = xmtp_field_open(&w, 1);
    size_t v1 = xmtp_field_open(&w, 1);
    xmtp_field_put_bytes(&w, 1, xmtp_writer_bytes(&message));
    xmtp_field_close(&w, v1);
    xmtp_field_close(&w, input);
    h2_call *call = h2_start(&s->h2, MLS "SendGroupMessages", NULL, NULL);
    h2_say(&s->h2, call, 0, xmtp_writer_bytes(&w));
    h2_half_close(&s->h2, call);
    xmtp_writer_free(&message);
    xmtp_writer_free(&w);
    return call;
}

static h2_call *open_stream(scene *s)
{
    h2_call *call = h2_start(&s->h2, MLS "SubscribeGroupMessages", NULL, NULL);
    h2_say(&s->h2, call, 0, (xmtp_bytes){0});
    h2_half_close(&s->h2, call);
    while (!call->has_headers) {
        assert_true(h2_work(&s->h2, H2_WAIT_MS));
    }
    return call;
}

/* The node has taken all that was said so far. */
static void wait_until_heard(scene *s)
{
    h2_call *check = h2_unary(&s->h2, "/grpc.health.v1.Health/Check", (xmtp_bytes){0});
    assert_int_equal(check->grpc_status, XMTP_GRPC_OK);
}

static void a_call_that_runs_is_answered_and_stored(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    scene s;
    test_node after;
    open_scene(&s, folder.path, 10);
    hold_store();
    h2_call *call = send_message(&s, 1);
    wait_until_heard(&s);
    begin_close(&s);
    assert_false(call->is_closed);
    release_store();
    h2_wait_end(&s.h2, call);
    assert_int_equal(call->grpc_status, XMTP_GRPC_OK);
    end_scene(&s);
    test_node_open(&after, folder.path);
    assert_int_equal(test_count(&after, "a"), 1);
    test_node_close(&after);
    test_folder_remove(folder.path);
}

static void streams_end_with_trailers_while_calls_still_run(void **state)
{
    (void)state;
    scene s;
    open_scene(&s, NULL, 10);
    h2_call *stream = open_stream(&s);
    h2_call *bidi = h2_start(&s.h2, MLS "Subscribe", NULL, NULL);
    hold_store();
    h2_call *call = send_message(&s, 1);
    wait_until_heard(&s);
    begin_close(&s);
    h2_wait_end(&s.h2, stream);
    h2_wait_end(&s.h2, bidi);
    assert_int_equal(stream->grpc_status, XMTP_GRPC_UNAVAILABLE);
    assert_string_equal(stream->text, "node is shutting down");
    assert_int_equal(bidi->grpc_status, XMTP_GRPC_UNAVAILABLE);
    assert_false(call->is_closed);
    release_store();
    h2_wait_end(&s.h2, call);
    assert_int_equal(call->grpc_status, XMTP_GRPC_OK);
    end_scene(&s);
}

/* The first GOAWAY refuses nothing: what was on its way when it was sent is served. Our client would
 * not send it, so the frame is held back until then. */
static void a_call_on_its_way_to_a_stopping_node_is_answered(void **state)
{
    (void)state;
    scene s;
    open_scene(&s, NULL, 10);
    hold_store();
    h2_call *held = send_message(&s, 1); /* keeps the connection */
    wait_until_heard(&s);
    assert_int_equal(pthread_create(&s.closer, NULL, close_node, s.node), 0);
    struct pollfd fd = {.fd = s.h2.peer.fd, .events = POLLIN};
    assert_int_equal(poll(&fd, 1, H2_WAIT_MS), 1); /* the notice is here, and not read yet */
    h2_call *crossing = h2_start(&s.h2, "/grpc.health.v1.Health/Check", NULL, NULL);
    h2_say(&s.h2, crossing, 0, (xmtp_bytes){0});
    h2_half_close(&s.h2, crossing);
    h2_wait_end(&s.h2, crossing);
    assert_int_equal(crossing->grpc_status, XMTP_GRPC_OK);
    release_store();
    h2_wait_end(&s.h2, held);
    assert_int_equal(held->grpc_status, XMTP_GRPC_OK);
    end_scene(&s);
}

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000U + (uint64_t)now.tv_nsec / 1000000U;
}

static void a_call_that_takes_too_long_is_ended_with_unavailable(void **state)
{
    (void)state;
    scene s;
    open_scene(&s, NULL, 1);
    hold_store();
    h2_call *call = send_message(&s, 1);
    wait_until_heard(&s);
    uint64_t start = now_ms();
    begin_close(&s);
    h2_wait_end(&s.h2, call);
    assert_int_equal(call->grpc_status, XMTP_GRPC_UNAVAILABLE);
    assert_true(now_ms() - start >= 1000);
    release_store();
    end_scene(&s);
}

/* Neither answers the PING nor takes anything. */
static void a_peer_that_never_answers_holds_nothing_up(void **state)
{
    (void)state;
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    scene s;
    open_scene(&s, NULL, 60);
    peer deaf = peer_open(xmtp_node_port(s.node, 0));
    assert_true(peer_say_bytes(&deaf, preface, sizeof preface - 1));
    assert_true(peer_hear(&deaf, PEER_WAIT_MS)); /* it was taken in */
    wait_until_heard(&s);
    uint64_t start = now_ms();
    begin_close_idle(&s);
    end_scene(&s);
    assert_true(now_ms() - start < 30000); /* a quarter of a second, on an idle machine */
    peer_close(&deaf);
}

static void an_upload_under_way_is_finished(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    scene s;
    open_scene(&s, folder.path, 10);
    peer p = peer_open(xmtp_node_port(s.node, 0));
    assert_true(peer_say(&p, "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n"
                             "Expect: 100-continue\r\n\r\n"));
    assert_true(peer_wait(&p, "HTTP/1.1 100 "));
    assert_true(peer_say(&p, "half"));
    begin_close_idle(&s);
    assert_true(peer_say(&p, "half"));
    assert_true(peer_wait(&p, "HTTP/1.1 200 "));
    assert_true(peer_wait_end(&p));
    peer_close(&p);
    end_scene(&s);
    test_folder_remove(folder.path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_that_runs_is_answered_and_stored),
        cmocka_unit_test(streams_end_with_trailers_while_calls_still_run),
        cmocka_unit_test(a_call_on_its_way_to_a_stopping_node_is_answered),
        cmocka_unit_test(a_call_that_takes_too_long_is_ended_with_unavailable),
        cmocka_unit_test(a_peer_that_never_answers_holds_nothing_up),
        cmocka_unit_test(an_upload_under_way_is_finished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
