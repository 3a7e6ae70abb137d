/* quiet_loop_test.c - which thread stores what comes over the network: a loop that has nothing else
 * to do stores by itself, all others leave it to the sequencer's thread.
 */
#include "node/test_h2.h"
#include "proto/field.h"

#include <time.h>

enum { SENDS = 100, BURST = 3 };

/* The clock is asked once for each append, and by nothing else here. */
typedef struct appends {
    pthread_mutex_t lock;
    bool is_counting;
    bool has_first;
    pthread_t sequencer; /* which stores the first of all */
    size_t by_sequencer;
    size_t by_others;
} appends;

static uint64_t counting_clock(void *context)
{
    appends *a = context;
    (void)pthread_mutex_lock(&a->lock);
    if (a->is_counting && !a->has_first) {
        a->has_first = true;
        a->sequencer = pthread_self();
    }
    if (a->is_counting) {
        bool is_sequencer = pthread_equal(a->sequencer, pthread_self()) != 0;
        *(is_sequencer ? &a->by_sequencer : &a->by_others) += 1;
    }
    (void)pthread_mutex_unlock(&a->lock);
    return test_now_ns;
}

typedef struct scene {
    xmtp_env env;
    appends appends;
    test_node node;
    h2 h2;
    uint64_t number; /* of the last message */
} scene;

/* Opens a connection, and lets the node store once. */
static void open_scene(scene *s)
{
    xmtp_node_options options = {.env = &s->env, .listen = {"127.0.0.1:0"}, .loops = 1};
    *s = (scene){.env = *test_env(), .appends = {.lock = PTHREAD_MUTEX_INITIALIZER}};
    s->env.context = &s->appends;
    s->env.now_ns = counting_clock;
    if (xmtp_node_open(&s->node.node, &options, &s->node.error) != XMTP_OK) {
        fail_msg("node: %s", s->node.error.text);
    }
    assert_int_equal(xmtp_node_transport(s->node.node, &s->node.transport), XMTP_OK);
    xmtp_arena_init(&s->node.arena, &test_env()->alloc, (size_t)1 << 30);
    xmtp_writer_init(&s->node.answer, &test_env()->alloc, XMTP_WRITER_MAX);
    h2_open(&s->h2, xmtp_node_port(s->node.node, 0));
    s->appends.is_counting = true;
}

/* Everything that was sent is there. */
static void close_scene(scene *s)
{
    s->appends.is_counting = false;
    uint64_t last_id = 0;
    for (uint64_t left = s->number; left > 0;) {
        const Pb__QueryGroupMessagesResponse *page = test_query(&s->node, "a", 1, 100, last_id);
        assert_true(page->n_messages > 0 && page->n_messages <= left);
        left -= page->n_messages;
        last_id = page->messages[page->n_messages - 1]->v1->id;
    }
    assert_int_equal(last_id, s->number);
    h2_close(&s->h2);
    test_node_close(&s->node);
}

static h2_call *start_send(scene *s, h2 *h)
{
    xmtp_writer message;
    xmtp_writer w;
    xmtp_writer_init(&message, &test_env()->alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&w, &test_env()->alloc, XMTP_WRITER_MAX);
    test_message(&message, "a", TEST_APPLICATION, ++s->number, 20);
    size_t input = xmtp_field_open(&w, 1);
    size_t v1 = xmtp_field_open(&w, 1);
    xmtp_field_put_bytes(&w, 1, xmtp_writer_bytes(&message));
    xmtp_field_close(&w, v1);
    xmtp_field_close(&w, input);
    h2_call *call = h2_start(h, MLS "SendGroupMessages", NULL, NULL);
    h2_say(h, call, 0, xmtp_writer_bytes(&w));
    h2_half_close(h, call);
    xmtp_writer_free(&message);
    xmtp_writer_free(&w);
    return call;
}

static void send_one(scene *s, h2 *h)
{
    h->is_holding_back = true; /* for the whole of it */
    h2_call *call = start_send(s, h);
    h->is_holding_back = false;
    h2_wait_end(h, call);
    assert_int_equal(call->grpc_status, XMTP_GRPC_OK);
    h2_forget_calls(h);
}

static void rest(void)
{
    const struct timespec ms = {.tv_nsec = 10000000};
    (void)nanosleep(&ms, NULL);
}

static void a_connection_alone_has_its_loop_store(void **state)
{
    (void)state;
    scene s;
    open_scene(&s);
    send_one(&s, &s.h2);
    assert_int_equal(s.appends.by_sequencer, 1);
    rest();
    for (size_t i = 0; i < SENDS; i++) {
        send_one(&s, &s.h2);
    }
    assert_int_equal(s.appends.by_sequencer + s.appends.by_others, SENDS + 1);
    assert_true(s.appends.by_others >= SENDS / 2); /* but for appends that were interrupted */
    close_scene(&s);
}

static void of_two_that_take_turns_the_sequencer_stores_all(void **state)
{
    (void)state;
    scene s;
    h2 other;
    open_scene(&s);
    h2_open(&other, xmtp_node_port(s.node.node, 0));
    for (size_t i = 0; i < SENDS; i++) {
        send_one(&s, &s.h2);
        send_one(&s, &other);
    }
    assert_int_equal(s.appends.by_sequencer, 2 * SENDS);
    assert_int_equal(s.appends.by_others, 0);
    h2_close(&other);
    close_scene(&s);
}

/* Also the first of them, whose end is not waited for. */
static void what_comes_in_one_piece_is_stored_by_the_sequencer(void **state)
{
    (void)state;
    scene s;
    open_scene(&s);
    send_one(&s, &s.h2);
    for (size_t i = 0; i < SENDS / BURST; i++) {
        rest();
        s.h2.is_holding_back = true;
        for (size_t k = 0; k < BURST; k++) {
            (void)start_send(&s, &s.h2);
        }
        s.h2.is_holding_back = false;
        h2_flush(&s.h2);
        for (size_t k = 0; k < BURST; k++) {
            h2_wait_end(&s.h2, &s.h2.calls[k]);
            assert_int_equal(s.h2.calls[k].grpc_status, XMTP_GRPC_OK);
        }
        h2_forget_calls(&s.h2);
    }
    assert_int_equal(s.appends.by_others, 0);
    close_scene(&s);
}

/* The loop tells itself of what it has stored. */
static void a_stream_of_the_same_connection_gets_what_its_loop_stores(void **state)
{
    (void)state;
    static const uint8_t request[] = {0x0a, 0x03, 0x0a, 0x01, 'a'};
    scene s;
    h2 reader;
    xmtp_bytes message;
    open_scene(&s);
    send_one(&s, &s.h2);
    h2_open(&reader, xmtp_node_port(s.node.node, 0));
    h2_call *stream = h2_start(&reader, MLS "SubscribeGroupMessages", NULL, NULL);
    h2_say(&reader, stream, 0, xmtp_bytes_of(request, sizeof request));
    h2_half_close(&reader, stream);
    assert_true(h2_next(&reader, stream, &message));
    for (size_t i = 0; i < SENDS; i++) {
        rest(); /* the reader says that there is room again */
        send_one(&s, &s.h2);
        assert_true(h2_next(&reader, stream, &message));
    }
    assert_true(s.appends.by_others >= SENDS / 2);
    h2_close(&reader);
    close_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_alone_has_its_loop_store),
        cmocka_unit_test(of_two_that_take_turns_the_sequencer_stores_all),
        cmocka_unit_test(what_comes_in_one_piece_is_stored_by_the_sequencer),
        cmocka_unit_test(a_stream_of_the_same_connection_gets_what_its_loop_stores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
