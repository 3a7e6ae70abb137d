/* stream_test.c - what streams cost and when they are given up: a reconnect without a read, readers
 * that stay behind.
 */
#include "node/archive.h"
#include "node/dispatcher.h"
#include "node/stream.h"
#include "node/test_node.h"
#include "proto/field.h"

static void nothing(void *context)
{
    (void)context;
}

static void put_filter(xmtp_writer *w, const char *group, uint64_t cursor)
{
    size_t filter = xmtp_field_open(w, 1);
    xmtp_field_put_bytes(w, 1, xmtp_bytes_of_string(group));
    xmtp_field_put_u64(w, 2, cursor);
    xmtp_field_close(w, filter);
}

static xmtp_node_feed *open_feed(test_node *t, const xmtp_writer *filters)
{
    xmtp_node_feed *feed;
    xmtp_node_stream_request asked = {.path = MLS "SubscribeGroupMessages",
                                      .request = xmtp_writer_bytes(filters),
                                      .start_after = "",
                                      .ready = nothing};
    assert_int_equal(xmtp_node_stream_open(t->node, &asked, &feed, &t->error), XMTP_OK);
    return feed;
}

static uint64_t monotonic_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* The case of a reconnect storm: every cursor is at its topic's newest message. */
static void a_current_stream_of_ten_thousand_topics_opens_without_reading_the_index(void **state)
{
    (void)state;
    enum { TOPICS = 10000 };
    test_node t;
    xmtp_writer filters;
    xmtp_writer message;
    char group[16];
    test_node_open(&t, NULL);
    xmtp_writer_init(&filters, &test_env()->alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&message, &test_env()->alloc, XMTP_WRITER_MAX);
    for (uint64_t i = 0; i < TOPICS; i++) {
        (void)snprintf(group, sizeof group, "g%05u", (unsigned)i);
        put_filter(&filters, group, i + 1);
    }
    for (uint64_t i = 0; i < TOPICS; i += 1000) {
        xmtp_writer_clear(&message);
        for (uint64_t k = i; k < i + 1000; k++) {
            xmtp_writer data;
            (void)snprintf(group, sizeof group, "g%05u", (unsigned)k);
            xmtp_writer_init(&data, &test_env()->alloc, XMTP_WRITER_MAX);
            test_message(&data, group, TEST_APPLICATION, 1, 20);
            size_t input = xmtp_field_open(&message, 1);
            size_t v1 = xmtp_field_open(&message, 1);
            xmtp_field_put_bytes(&message, 1, xmtp_writer_bytes(&data));
            xmtp_field_close(&message, v1);
            xmtp_field_close(&message, input);
            xmtp_writer_free(&data);
        }
        assert_int_equal(test_call_bytes(&t, MLS "SendGroupMessages", xmtp_writer_bytes(&message)),
                         XMTP_OK);
    }
    uint64_t reads = xmtp_node_archive_index_reads(t.node->services.archive);
    uint64_t start_ns = monotonic_ns();
    xmtp_node_feed *feed = open_feed(&t, &filters);
    xmtp_writer_clear(&message);
    assert_int_equal(xmtp_node_feed_next(feed, &message, &t.error), XMTP_E_RETRY);
    uint64_t passed_us = (monotonic_ns() - start_ns) / 1000;
    assert_int_equal(xmtp_node_archive_index_reads(t.node->services.archive), reads);
    print_message("opened %d current topics in %u us\n", TOPICS, (unsigned)passed_us);
    xmtp_node_feed_free(feed);

    assert_int_equal(test_send(&t, "g00000", TEST_APPLICATION, 2, 1), XMTP_OK);
    xmtp_writer_clear(&filters);
    put_filter(&filters, "g00000", 0); /* the counter counts */
    feed = open_feed(&t, &filters);
    assert_int_equal(xmtp_node_feed_next(feed, &message, &t.error), XMTP_OK);
    assert_int_equal(xmtp_node_archive_index_reads(t.node->services.archive), reads + 1);
    xmtp_node_feed_free(feed);
    xmtp_writer_free(&filters);
    xmtp_writer_free(&message);
    test_node_close(&t);
}

static void put_behind(test_node *t, uint64_t first_number)
{
    for (uint64_t i = 0; i <= XMTP_NODE_LIVE_COUNT_MAX; i += 500) {
        assert_int_equal(test_send(t, "a", TEST_APPLICATION, first_number + i, 500), XMTP_OK);
    }
}

/* A node and a feed of topic "a" which has more messages before it than are kept live. */
static xmtp_node_feed *open_behind(test_node *t, xmtp_writer *w)
{
    test_node_open(t, NULL);
    xmtp_writer_init(w, &test_env()->alloc, XMTP_WRITER_MAX);
    put_filter(w, "a", 0);
    xmtp_node_feed *feed = open_feed(t, w);
    put_behind(t, 1);
    return feed;
}

static void close_behind(test_node *t, xmtp_writer *w, xmtp_node_feed *feed)
{
    xmtp_node_feed_free(feed);
    xmtp_writer_free(w);
    test_node_close(t);
}

static const uint64_t second_ns = 1000000000U;

static void a_reader_that_takes_nothing_for_a_minute_while_behind_is_given_up(void **state)
{
    (void)state;
    test_node t;
    xmtp_writer w;
    xmtp_node_feed *feed = open_behind(&t, &w);
    assert_false(xmtp_node_feed_is_quick(feed)); /* what it missed is on the disk */
    for (uint64_t s = 100; s < 160; s++) {
        assert_int_equal(xmtp_node_feed_tick(feed, s * second_ns, &t.error), XMTP_E_RETRY);
    }
    assert_int_equal(xmtp_node_feed_tick(feed, 160 * second_ns, &t.error), XMTP_E_ABORTED);
    assert_non_null(strstr(t.error.text, "60 s"));
    close_behind(&t, &w, feed);
}

static void a_reader_that_takes_something_now_and_then_is_never_given_up(void **state)
{
    (void)state;
    test_node t;
    xmtp_writer w;
    xmtp_node_feed *feed = open_behind(&t, &w);
    for (uint64_t s = 100; s < 1000; s += 50) {
        assert_int_equal(xmtp_node_feed_tick(feed, s * second_ns, &t.error), XMTP_E_RETRY);
        xmtp_writer_clear(&w);
        assert_int_equal(xmtp_node_feed_next(feed, &w, &t.error), XMTP_OK);
    }
    close_behind(&t, &w, feed);
}

/* Idle is not behind: a stream on which nothing happens stays for ever. */
static void a_reader_that_caught_up_may_be_idle(void **state)
{
    (void)state;
    test_node t;
    xmtp_writer w;
    xmtp_node_feed *feed = open_behind(&t, &w);
    assert_int_equal(xmtp_node_feed_tick(feed, second_ns, &t.error), XMTP_E_RETRY);
    xmtp_writer_clear(&w);
    while (xmtp_node_feed_next(feed, &w, &t.error) == XMTP_OK) {
        xmtp_writer_clear(&w);
    }
    assert_true(xmtp_node_feed_is_quick(feed));
    assert_int_equal(xmtp_node_feed_tick(feed, 1000 * second_ns, &t.error), XMTP_E_RETRY);
    assert_int_equal(xmtp_node_feed_tick(feed, 2000 * second_ns, &t.error), XMTP_E_RETRY);
    close_behind(&t, &w, feed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_current_stream_of_ten_thousand_topics_opens_without_reading_the_index),
        cmocka_unit_test(a_reader_that_takes_nothing_for_a_minute_while_behind_is_given_up),
        cmocka_unit_test(a_reader_that_takes_something_now_and_then_is_never_given_up),
        cmocka_unit_test(a_reader_that_caught_up_may_be_idle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
