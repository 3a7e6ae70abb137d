/* dispatcher_test.c - streams: everything behind the cursor, in order, each once, while others
 * write; and readers that are too slow.
 */
#include "node/node_internal.h"
#include "node/subscription.h"
#include "node/test_node.h"

#include <pthread.h>

static xmtp_stream *subscribe_groups(test_node *t, xmtp_transport *transport,
                                     const char *const *groups, const uint64_t *cursors,
                                     size_t count)
{
    Pb__SubscribeGroupMessagesRequest request = PB__SUBSCRIBE_GROUP_MESSAGES_REQUEST__INIT;
    Pb__SubscribeGroupMessagesRequest__Filter filters[16];
    Pb__SubscribeGroupMessagesRequest__Filter *pointers[16];
    for (size_t i = 0; i < count; i++) {
        pb__subscribe_group_messages_request__filter__init(&filters[i]);
        filters[i].has_group_id = filters[i].has_id_cursor = true;
        filters[i].group_id = xmtp_proto_data(xmtp_bytes_of_string(groups[i]));
        filters[i].id_cursor = cursors[i];
        pointers[i] = &filters[i];
    }
    request.n_filters = count;
    request.filters = pointers;
    xmtp_writer w;
    xmtp_stream *stream;
    xmtp_writer_init(&w, &test_env()->alloc, XMTP_WRITER_MAX);
    assert_int_equal(xmtp_proto_encode(&request.base, &w), XMTP_OK);
    assert_int_equal(transport->subscribe(transport->context, MLS "SubscribeGroupMessages",
                                          xmtp_writer_bytes(&w), &stream, &t->error),
                     XMTP_OK);
    xmtp_writer_free(&w);
    return stream;
}

/* The id of the next message of a stream, 0 when there is none now. */
static uint64_t next_id(xmtp_transport *transport, xmtp_stream *stream, char group[8])
{
    xmtp_bytes bytes;
    xmtp_arena arena;
    void *p;
    xmtp_status status = transport->next(transport->context, stream, &bytes, NULL);
    if (status == XMTP_E_RETRY) {
        return 0;
    }
    assert_int_equal(status, XMTP_OK);
    xmtp_arena_init(&arena, &test_env()->alloc, 1 << 20);
    assert_int_equal(xmtp_proto_decode(&pb__group_message__descriptor, &arena, bytes, &p), XMTP_OK);
    const Pb__GroupMessage *message = p;
    uint64_t id = message->v1->id;
    if (group != NULL) {
        assert_true(message->v1->group_id.len < 8);
        memcpy(group, message->v1->group_id.data, message->v1->group_id.len);
        group[message->v1->group_id.len] = '\0';
    }
    xmtp_arena_reset(&arena);
    return id;
}

static void a_stream_replays_behind_its_cursor_and_goes_on_live(void **state)
{
    (void)state;
    test_node t;
    test_node_open(&t, NULL);
    assert_int_equal(test_send(&t, "a", TEST_APPLICATION, 1, 5), XMTP_OK);
    assert_int_equal(test_send(&t, "b", TEST_APPLICATION, 1, 2), XMTP_OK);
    const char *groups[] = {"a"};
    uint64_t cursors[] = {2};
    xmtp_stream *stream = subscribe_groups(&t, &t.transport, groups, cursors, 1);
    for (uint64_t id = 3; id <= 5; id++) {
        assert_int_equal(next_id(&t.transport, stream, NULL), id);
    }
    assert_int_equal(next_id(&t.transport, stream, NULL), 0);
    assert_int_equal(t.transport.wait(t.transport.context, 0), XMTP_E_TIMEOUT);
    assert_int_equal(test_send(&t, "b", TEST_APPLICATION, 9, 1), XMTP_OK); /* id 8, not ours */
    assert_int_equal(next_id(&t.transport, stream, NULL), 0);
    assert_int_equal(test_send(&t, "a", TEST_APPLICATION, 9, 2), XMTP_OK);
    assert_int_equal(t.transport.wait(t.transport.context, UINT64_MAX), XMTP_OK);
    assert_int_equal(next_id(&t.transport, stream, NULL), 9);
    assert_int_equal(next_id(&t.transport, stream, NULL), 10);
    assert_int_equal(next_id(&t.transport, stream, NULL), 0);
    t.transport.unsubscribe(t.transport.context, stream);
    test_node_close(&t);
}

static void a_stream_without_filters_stays_open(void **state)
{
    (void)state;
    test_node t;
    test_node_open(&t, NULL);
    xmtp_stream *stream = subscribe_groups(&t, &t.transport, NULL, NULL, 0);
    assert_int_equal(test_send(&t, "a", TEST_APPLICATION, 1, 3), XMTP_OK);
    assert_int_equal(next_id(&t.transport, stream, NULL), 0);
    assert_int_equal(t.transport.wait(t.transport.context, 0), XMTP_E_TIMEOUT);
    test_node_close(&t); /* closing the transport ends it */
}

static void the_lowest_cursor_of_a_repeated_filter_counts(void **state)
{
    (void)state;
    test_node t;
    test_node_open(&t, NULL);
    assert_int_equal(test_send(&t, "a", TEST_APPLICATION, 1, 5), XMTP_OK);
    const char *groups[] = {"a", "b", "a", "a"};
    uint64_t cursors[] = {4, 0, 1, 3};
    xmtp_stream *stream = subscribe_groups(&t, &t.transport, groups, cursors, 4);
    for (uint64_t id = 2; id <= 5; id++) {
        assert_int_equal(next_id(&t.transport, stream, NULL), id);
    }
    assert_int_equal(next_id(&t.transport, stream, NULL), 0);
    assert_int_equal(test_send(&t, "a", TEST_APPLICATION, 9, 1), XMTP_OK);
    assert_int_equal(next_id(&t.transport, stream, NULL), 6);
    assert_int_equal(next_id(&t.transport, stream, NULL), 0);
    test_node_close(&t);
}

static void ignore(void *context)
{
    (void)context;
}

static void a_reader_too_slow_for_its_queue_misses_nothing(void **state)
{
    (void)state;
    test_node t;
    test_node_open(&t, NULL);
    const char *groups[] = {"a", "b"};
    uint64_t cursors[] = {0, 0};
    xmtp_stream *stream = subscribe_groups(&t, &t.transport, groups, cursors, 2);
    uint64_t total = 0;
    for (uint64_t i = 0; i < 12; i++) { /* 6000 of each: the queue holds 4096 */
        const char *group = i % 2 == 0 ? "a" : "b";
        assert_int_equal(test_send(&t, group, TEST_APPLICATION, i * 1000, 1000), XMTP_OK);
        total += 1000;
    }
    uint64_t newest[2] = {0};
    char group[8];
    for (uint64_t n = 0; n < total; n++) {
        uint64_t id = next_id(&t.transport, stream, group);
        uint64_t *last = &newest[group[0] - 'a'];
        assert_true(id > *last);
        assert_int_equal(((id - 1) / 1000) % 2, group[0] - 'a');
        *last = id;
    }
    assert_int_equal(next_id(&t.transport, stream, NULL), 0);
    assert_int_equal(test_send(&t, "a", TEST_APPLICATION, 99999, 1), XMTP_OK);
    assert_int_equal(next_id(&t.transport, stream, NULL), total + 1);
    test_node_close(&t);
}

static void a_queue_holds_4096_places_and_one_more_makes_it_catch_up(void **state)
{
    (void)state;
    test_node t;
    xmtp_writer out;
    xmtp_node_subscription *s;
    xmtp_node_filter filter = {.topic = xmtp_bytes_of_string("a")};
    xmtp_node_subscription_options options = {
        .kind = XMTP_NODE_GROUP_MESSAGE, .filters = &filter, .filter_count = 1, .ready = ignore};
    test_node_open(&t, NULL);
    xmtp_writer_init(&out, &test_env()->alloc, XMTP_WRITER_MAX);
    assert_int_equal(xmtp_node_subscribe(t.node->dispatcher, &options, &s), XMTP_OK);
    assert_int_equal(xmtp_node_subscription_next(s, &out, &t.error), XMTP_E_RETRY);
    assert_int_equal(test_send(&t, "a", TEST_APPLICATION, 1, XMTP_NODE_LIVE_COUNT_MAX), XMTP_OK);
    assert_false(xmtp_node_subscription_is_behind(s));
    assert_int_equal(test_send(&t, "a", TEST_APPLICATION, 10000, 1), XMTP_OK);
    assert_true(xmtp_node_subscription_is_behind(s));
    xmtp_node_subscription_free(s);
    xmtp_writer_free(&out);
    test_node_close(&t);
}

static void a_wake_is_kept_and_counts_once(void **state)
{
    (void)state;
    test_node t;
    test_node_open(&t, NULL);
    t.transport.wake(t.transport.context);
    t.transport.wake(t.transport.context);
    assert_int_equal(t.transport.wait(t.transport.context, UINT64_MAX), XMTP_OK);
    assert_int_equal(t.transport.wait(t.transport.context, 0), XMTP_E_TIMEOUT);
    assert_int_equal(t.transport.wait(t.transport.context, 1000000), XMTP_E_TIMEOUT);
    test_node_close(&t);
}

/* ---- while others write */

enum { WRITERS = 3, MESSAGES_EACH = 400, TOTAL = WRITERS * MESSAGES_EACH, GROUPS = 4 };

static const char *const group_names[GROUPS] = {"g0", "g1", "g2", "g3"};

typedef struct writer_thread {
    xmtp_node *node;
    size_t index;
    pthread_t thread;
    xmtp_status status;
} writer_thread;

static void *write_messages(void *context)
{
    writer_thread *w = context;
    test_node t = {.node = w->node};
    w->status = xmtp_node_transport(w->node, &t.transport);
    xmtp_writer_init(&t.answer, &test_env()->alloc, XMTP_WRITER_MAX);
    for (size_t i = 0; i < MESSAGES_EACH && w->status == XMTP_OK; i++) {
        uint64_t number = w->index * 1000000 + i;
        w->status =
            test_send(&t, group_names[(w->index + i) % GROUPS], TEST_APPLICATION, number, 1);
    }
    t.transport.close(t.transport.context);
    xmtp_writer_free(&t.answer);
    return NULL;
}

/* Reads with streams that come and go, each going on from the cursors of the one before; every id
 * must arrive once and ascend within its group. */
static void streams_that_come_and_go_while_others_write_see_each_message_once(void **state)
{
    (void)state;
    test_node t;
    test_node_open(&t, NULL);
    writer_thread writers[WRITERS];
    for (size_t i = 0; i < WRITERS; i++) {
        writers[i] = (writer_thread){.node = t.node, .index = i};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_messages, &writers[i]), 0);
    }
    uint64_t cursors[GROUPS] = {0};
    bool seen[TOTAL + 1] = {false};
    size_t count = 0;
    unsigned length = 1;
    while (count < TOTAL) {
        xmtp_stream *stream = subscribe_groups(&t, &t.transport, group_names, cursors, GROUPS);
        length = length * 1103515245 + 12345;
        size_t take = 1 + length / 65536 % 60;
        while (take > 0 && count < TOTAL) {
            char group[8];
            uint64_t id = next_id(&t.transport, stream, group);
            if (id == 0) {
                assert_int_equal(t.transport.wait(t.transport.context, 20000000000U), XMTP_OK);
                continue;
            }
            uint64_t *cursor = &cursors[group[1] - '0'];
            assert_true(id > *cursor && id <= TOTAL && !seen[id]);
            seen[id] = true;
            *cursor = id;
            count++;
            take--;
        }
        t.transport.unsubscribe(t.transport.context, stream);
    }
    for (size_t i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
        assert_int_equal(writers[i].status, XMTP_OK);
    }
    xmtp_stream *stream = subscribe_groups(&t, &t.transport, group_names, cursors, GROUPS);
    assert_int_equal(next_id(&t.transport, stream, NULL), 0); /* and nothing more than that */
    test_node_close(&t);
}

/* Once it is live, a stream's ids ascend over all its topics: that is the order of storing. */
static void live_messages_come_in_the_order_of_ids_over_all_topics(void **state)
{
    (void)state;
    test_node t;
    test_node_open(&t, NULL);
    uint64_t cursors[GROUPS] = {0};
    xmtp_stream *stream = subscribe_groups(&t, &t.transport, group_names, cursors, GROUPS);
    assert_int_equal(next_id(&t.transport, stream, NULL), 0);
    writer_thread writers[WRITERS];
    for (size_t i = 0; i < WRITERS; i++) {
        writers[i] = (writer_thread){.node = t.node, .index = i};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_messages, &writers[i]), 0);
    }
    uint64_t last = 0;
    while (last < TOTAL) {
        uint64_t id = next_id(&t.transport, stream, NULL);
        if (id == 0) {
            assert_int_equal(t.transport.wait(t.transport.context, 20000000000U), XMTP_OK);
            continue;
        }
        assert_int_equal(id, last + 1);
        last = id;
    }
    for (size_t i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
        assert_int_equal(writers[i].status, XMTP_OK);
    }
    test_node_close(&t);
}

static void requests_that_are_no_filters_are_refused(void **state)
{
    (void)state;
    test_node t;
    xmtp_stream *stream;
    test_node_open(&t, NULL);
    static const uint8_t empty_id[] = {0x0a, 0x02, 0x0a, 0x00};
    static const uint8_t cut[] = {0x0a, 0x05, 0x0a, 0x04, 'a'};
    xmtp_bytes requests[] = {xmtp_bytes_of(empty_id, sizeof empty_id),
                             xmtp_bytes_of(cut, sizeof cut)};
    static const char *const paths[] = {MLS "SubscribeGroupMessages",
                                        MLS "SubscribeWelcomeMessages"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(t.transport.subscribe(t.transport.context, paths[i / 2], requests[i % 2],
                                               &stream, &t.error),
                         XMTP_E_RPC_INVALID);
        assert_null(stream);
    }
    assert_int_equal(t.transport.subscribe(t.transport.context, MLS "Subscribe", (xmtp_bytes){0},
                                           &stream, &t.error),
                     XMTP_E_RPC_UNIMPLEMENTED);
    assert_int_equal(t.transport.subscribe(t.transport.context, "/grpc.health.v1.Health/Watch",
                                           (xmtp_bytes){0}, &stream, &t.error),
                     XMTP_OK);
    xmtp_bytes message;
    assert_int_equal(t.transport.next(t.transport.context, stream, &message, NULL), XMTP_OK);
    assert_int_equal(message.n, 2);
    assert_int_equal(t.transport.next(t.transport.context, stream, &message, NULL), XMTP_E_RETRY);
    test_node_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_replays_behind_its_cursor_and_goes_on_live),
        cmocka_unit_test(a_stream_without_filters_stays_open),
        cmocka_unit_test(the_lowest_cursor_of_a_repeated_filter_counts),
        cmocka_unit_test(a_reader_too_slow_for_its_queue_misses_nothing),
        cmocka_unit_test(a_queue_holds_4096_places_and_one_more_makes_it_catch_up),
        cmocka_unit_test(a_wake_is_kept_and_counts_once),
        cmocka_unit_test(streams_that_come_and_go_while_others_write_see_each_message_once),
        cmocka_unit_test(live_messages_come_in_the_order_of_ids_over_all_topics),
        cmocka_unit_test(requests_that_are_no_filters_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
