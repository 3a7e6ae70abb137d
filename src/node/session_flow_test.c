/* session_flow_test.c - the bidirectional Subscribe (node.md 2.8): how it flows and ends, rules 12 to
 * 15 and the limits of one session.
 */
#include "node/test_session.h"

static void rule_12_half_close_finishes_the_waves_and_ends_with_ok(void **state)
{
    (void)state;
    scene s;
    uint64_t ids[2] = {0};
    open_scene(&s);
    publish(&s, "a", 1, 100);
    expect(&s, 'S', 30000);
    assert_int_equal(add_one(&s, '0', "a", 0, 1), XMTP_OK);
    s.feed->ops->half_close(s.feed);
    assert_int_equal(expect_wave(&s, 1, &ids[0], &ids[1]), 100);
    assert_int_equal(try_next(&s), XMTP_E_CLOSED);
    close_scene(&s);
}

static const uint64_t second_ns = 1000000000U;

static xmtp_status tick_until(scene *s, uint64_t from_s, uint64_t to_s)
{
    xmtp_status status = XMTP_E_RETRY;
    for (uint64_t t = from_s; t <= to_s && status == XMTP_E_RETRY; t++) {
        status = xmtp_node_feed_tick(s->feed, t * second_ns, &s->error);
    }
    return status;
}

static void rule_12_a_rest_that_is_not_taken_times_out(void **state)
{
    (void)state;
    scene s;
    open_scene(&s);
    publish(&s, "a", 1, 100);
    expect(&s, 'S', 30000);
    assert_int_equal(add_one(&s, '0', "a", 0, 1), XMTP_OK);
    s.feed->ops->half_close(s.feed);
    expect(&s, 'M', 1);
    assert_int_equal(tick_until(&s, 100, 129), XMTP_E_RETRY);
    assert_int_equal(tick_until(&s, 130, 131), XMTP_E_TIMEOUT);
    close_scene(&s);
}

static void rule_13_silence_is_answered_by_a_ping_and_no_pong_by_the_end(void **state)
{
    (void)state;
    scene s;
    open_scene(&s);
    expect(&s, 'S', 30000);
    expect_nothing(&s);
    assert_int_equal(tick_until(&s, 100, 129), XMTP_E_RETRY);
    assert_int_equal(tick_until(&s, 130, 130), XMTP_OK);
    expect(&s, 'P', 1);
    expect_nothing(&s);
    assert_int_equal(say_nonce(&s, 3, 1), XMTP_OK);
    assert_int_equal(tick_until(&s, 131, 160), XMTP_E_RETRY);
    assert_int_equal(tick_until(&s, 161, 161), XMTP_OK);
    expect(&s, 'P', 2);
    expect_nothing(&s);
    assert_int_equal(say_nonce(&s, 3, 1), XMTP_OK); /* of another Ping: does not count */
    assert_int_equal(tick_until(&s, 162, 190), XMTP_E_RETRY);
    assert_int_equal(tick_until(&s, 191, 191), XMTP_E_TIMEOUT);
    close_scene(&s);
}

static void rule_13_what_is_received_does_not_postpone_the_ping(void **state)
{
    (void)state;
    scene s;
    open_scene(&s);
    expect(&s, 'S', 30000);
    expect_nothing(&s);
    assert_int_equal(tick_until(&s, 100, 120), XMTP_E_RETRY);
    assert_int_equal(say_nonce(&s, 3, 99), XMTP_OK); /* a Pong nobody asked for */
    assert_int_equal(tick_until(&s, 121, 129), XMTP_E_RETRY);
    assert_int_equal(tick_until(&s, 130, 130), XMTP_OK);
    close_scene(&s);
}

static void rule_13_a_ping_of_the_client_is_answered(void **state)
{
    (void)state;
    scene s;
    open_scene(&s);
    expect(&s, 'S', 30000);
    assert_int_equal(say_nonce(&s, 2, 42), XMTP_OK);
    expect(&s, 'o', 42);
    expect_nothing(&s);
    close_scene(&s);
}

static void rule_14_a_client_that_does_not_read_is_given_up(void **state)
{
    (void)state;
    scene s;
    open_with(&s, "a");
    publish(&s, "a", 1, 500);
    publish(&s, "a", 501, 500);
    expect(&s, 'M', 0); /* and then nothing more is taken */
    assert_int_equal(tick_until(&s, 100, 129), XMTP_E_RETRY);
    assert_int_equal(tick_until(&s, 130, 131), XMTP_E_RPC_UNAVAILABLE);
    assert_non_null(strstr(s.error.text, "stalled"));
    close_scene(&s);
}

/* The official node ends the stream here; ours loses nothing. */
static void rule_14_more_than_the_tap_holds_comes_late_and_in_order(void **state)
{
    (void)state;
    scene s;
    open_with(&s, "a");
    mutate m = mutate_begin();
    add(&m, '0', "b", 0);
    assert_int_equal(send_mutate(&s, &m, 2, false), XMTP_OK);
    expect(&s, 'L', 0);
    expect(&s, 'C', 2);
    for (uint64_t i = 0; i < 10; i++) {
        publish(&s, "a", 1000 * i, 500);
        publish(&s, "b", 1000 * i, 500);
    }
    uint64_t last = 0;
    while (next(&s)->kind == 'M') {
        assert_int_equal(s.f.value, 0);
        for (size_t i = 0; i < s.f.group_count; i++) {
            assert_true(s.f.group_ids[i] > last);
            last = s.f.group_ids[i];
        }
    }
    assert_int_equal(s.f.kind, 0);
    assert_int_equal(last, 10000);
    publish(&s, "b", 1, 1);
    expect_nothing(&s); /* a duplicate is no message */
    publish(&s, "b", 999999, 1);
    expect(&s, 'M', 0);
    close_scene(&s);
}

static void rule_15_frames_are_packed_to_2_mib_and_a_larger_message_travels_alone(void **state)
{
    (void)state;
    scene s;
    open_scene(&s);
    expect(&s, 'S', 30000);
    for (uint64_t i = 0; i < 5; i++) {
        publish_large(&s, "a", i, 600 * 1024);
    }
    publish_large(&s, "a", 9, 3 << 20);
    assert_int_equal(add_one(&s, '0', "a", 0, 1), XMTP_OK);
    expect(&s, 'M', 1);
    assert_int_equal(s.f.count, 3);
    assert_true(s.f.len <= XMTP_NODE_FRAME_LEN_MAX + 64);
    expect(&s, 'M', 1);
    assert_int_equal(s.f.count, 2);
    expect(&s, 'M', 1);
    assert_int_equal(s.f.count, 1);
    assert_true(s.f.len > 3 << 20);
    expect(&s, 'L', 0);
    expect(&s, 'C', 1);
    for (uint64_t i = 20; i < 25; i++) { /* and the same live */
        publish_large(&s, "a", i, 600 * 1024);
    }
    expect(&s, 'M', 0);
    assert_int_equal(s.f.count, 3);
    expect(&s, 'M', 0);
    assert_int_equal(s.f.count, 2);
    expect_nothing(&s);
    close_scene(&s);
}

/* ---- limits */

static void a_session_may_have_so_many_topics_and_no_more(void **state)
{
    (void)state;
    scene s;
    open_scene_limited(&s, &(xmtp_node_limits){.session_topics = 3});
    expect(&s, 'S', 30000);
    mutate m = mutate_begin();
    add(&m, '0', "a", 0);
    add(&m, '1', "a", 0);
    assert_int_equal(send_mutate(&s, &m, 1, false), XMTP_OK);
    assert_int_equal(add_one(&s, '0', "b", 0, 2), XMTP_OK);
    assert_int_equal(add_one(&s, '0', "c", 0, 3), XMTP_E_LIMIT);
    assert_non_null(strstr(s.error.text, "at most 3 "));
    close_scene(&s);
}

static void a_session_may_catch_up_so_often_at_once_and_no_more(void **state)
{
    (void)state;
    scene s;
    open_scene(&s);
    publish(&s, "a", 1, 1);
    for (uint64_t id = 1; id <= XMTP_NODE_SESSION_WAVES_MAX; id++) {
        char name[8];
        (void)snprintf(name, sizeof name, "%d", (int)id);
        publish(&s, name, id, 1); /* something to catch up with */
        assert_int_equal(add_one(&s, '0', name, 0, id), XMTP_OK);
    }
    assert_int_equal(add_one(&s, '0', "a", 0, 1000), XMTP_E_LIMIT);
    close_scene(&s);
}

static void a_node_that_has_it_switched_off_says_unimplemented(void **state)
{
    (void)state;
    xmtp_node *node;
    xmtp_node_feed *feed;
    xmtp_error error = {0};
    xmtp_node_options options = {.env = test_env(), .no_bidi = true};
    assert_int_equal(xmtp_node_open(&node, &options, &error), XMTP_OK);
    xmtp_node_stream_request asked = {
        .path = MLS "Subscribe", .start_after = "", .ready = note_ready};
    assert_int_equal(xmtp_node_stream_open(node, &asked, &feed, &error), XMTP_E_UNSUPPORTED);
    xmtp_node_close(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rule_12_half_close_finishes_the_waves_and_ends_with_ok),
        cmocka_unit_test(rule_12_a_rest_that_is_not_taken_times_out),
        cmocka_unit_test(rule_13_silence_is_answered_by_a_ping_and_no_pong_by_the_end),
        cmocka_unit_test(rule_13_what_is_received_does_not_postpone_the_ping),
        cmocka_unit_test(rule_13_a_ping_of_the_client_is_answered),
        cmocka_unit_test(rule_14_a_client_that_does_not_read_is_given_up),
        cmocka_unit_test(rule_14_more_than_the_tap_holds_comes_late_and_in_order),
        cmocka_unit_test(rule_15_frames_are_packed_to_2_mib_and_a_larger_message_travels_alone),
        cmocka_unit_test(a_session_may_have_so_many_topics_and_no_more),
        cmocka_unit_test(a_session_may_catch_up_so_often_at_once_and_no_more),
        cmocka_unit_test(a_node_that_has_it_switched_off_says_unimplemented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
