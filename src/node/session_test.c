/* session_test.c - the bidirectional Subscribe (node.md 2.8): what a Mutate does, rules 1 to 11; each
 * test begins with the number of its rule.
 */
#include "node/test_session.h"

/* ---- the rules */

static void rule_1_the_first_frame_is_started_with_the_keep_alive_interval(void **state)
{
    (void)state;
    scene s;
    open_scene(&s);
    expect(&s, 'S', 30000);
    assert_int_equal(s.f.count, 0); /* no capabilities */
    expect_nothing(&s);
    close_scene(&s);
}

static void rule_2_a_request_of_an_unknown_version_is_refused(void **state)
{
    (void)state;
    scene s;
    static const uint8_t v2[] = {0x12, 0x00};
    static const uint8_t broken[] = {0x0a, 0x05, 0x01};
    static const uint8_t later_arm[] = {0x0a, 0x02, 0x3a, 0x00};
    open_scene(&s);
    assert_int_equal(request(&s, xmtp_bytes_of(later_arm, sizeof later_arm)), XMTP_OK);
    assert_int_equal(request(&s, xmtp_bytes_of(v2, sizeof v2)), XMTP_E_ARGUMENT);
    assert_int_equal(request(&s, (xmtp_bytes){0}), XMTP_E_ARGUMENT);
    assert_int_equal(request(&s, xmtp_bytes_of(broken, sizeof broken)), XMTP_E_ARGUMENT);
    close_scene(&s);
}

static void rule_3_adds_need_an_id_that_is_not_in_flight(void **state)
{
    (void)state;
    scene s;
    open_scene(&s);
    assert_int_equal(add_one(&s, '0', "a", 0, 0), XMTP_E_ARGUMENT);
    assert_int_equal(add_one(&s, '0', "a", 0, 7), XMTP_OK);
    assert_int_equal(add_one(&s, '0', "b", 0, 7), XMTP_E_ARGUMENT);
    mutate m = mutate_begin(); /* also without adds */
    drop(&m, '0', "a");
    assert_int_equal(send_mutate(&s, &m, 7, false), XMTP_E_ARGUMENT);
    expect(&s, 'S', 30000);
    uint64_t ids[2] = {0};
    assert_int_equal(expect_wave(&s, 7, &ids[0], &ids[1]), 0); /* "a" was not removed */
    assert_int_equal(add_one(&s, '0', "b", 0, 7), XMTP_OK);    /* not in flight any more */
    close_scene(&s);
}

static void rule_3_too_many_adds_are_refused_before_anything_happens(void **state)
{
    (void)state;
    scene s;
    open_with(&s, "a");
    mutate m = mutate_begin();
    drop(&m, '0', "a");
    for (size_t i = 0; i <= XMTP_NODE_MUTATE_ADDS_MAX; i++) {
        add(&m, '0', "b", 0);
    }
    assert_int_equal(send_mutate(&s, &m, 2, false), XMTP_E_LIMIT);
    m = mutate_begin();
    drop(&m, '0', "a");
    add(&m, '0', "b", 0);
    add(&m, '2', "c", 0); /* no such kind */
    assert_int_equal(send_mutate(&s, &m, 2, false), XMTP_E_ARGUMENT);
    m = mutate_begin();
    drop(&m, '0', "a");
    add(&m, '0', "", 0); /* too short */
    assert_int_equal(send_mutate(&s, &m, 2, false), XMTP_E_ARGUMENT);
    publish(&s, "a", 1, 1);
    expect(&s, 'M', 0); /* "a" is still live */
    close_scene(&s);
}

static void rule_3_as_many_adds_as_may_be_are_taken(void **state)
{
    (void)state;
    scene s;
    open_with(&s, "a");
    mutate m = mutate_begin();
    for (size_t i = 0; i < XMTP_NODE_MUTATE_ADDS_MAX; i++) {
        add(&m, '0', "b", 0);
    }
    assert_int_equal(send_mutate(&s, &m, 2, false), XMTP_OK);
    close_scene(&s);
}

static void rule_4_repeated_topics_collapse_to_the_lowest_cursor(void **state)
{
    (void)state;
    scene s;
    uint64_t ids[2] = {2};
    open_scene(&s);
    publish(&s, "a", 1, 10);
    expect(&s, 'S', 30000);
    mutate m = mutate_begin();
    add(&m, '0', "a", 8);
    add(&m, '0', "a", 2);
    add(&m, '0', "a", 5);
    assert_int_equal(send_mutate(&s, &m, 1, false), XMTP_OK);
    assert_int_equal(expect_wave(&s, 1, &ids[0], &ids[1]), 8);
    expect_nothing(&s);
    close_scene(&s);
}

static void rule_4_remove_and_add_of_a_topic_resets_it(void **state)
{
    (void)state;
    scene s;
    uint64_t ids[2] = {0};
    open_scene(&s);
    publish(&s, "a", 1, 10);
    expect(&s, 'S', 30000);
    assert_int_equal(add_one(&s, '0', "a", 0, 1), XMTP_OK);
    assert_int_equal(expect_wave(&s, 1, &ids[0], &ids[1]), 10);
    mutate m = mutate_begin();
    add(&m, '0', "a", 10); /* alone it would be a no-op */
    drop(&m, '0', "a");
    assert_int_equal(send_mutate(&s, &m, 2, false), XMTP_OK);
    assert_int_equal(expect_wave(&s, 2, &ids[0], &ids[1]), 0);
    publish(&s, "a", 11, 1);
    expect(&s, 'M', 0);
    assert_int_equal(s.f.group_count, 1);
    close_scene(&s);
}

static void rule_5_frames_of_a_wave_carry_its_id_and_live_frames_zero(void **state)
{
    (void)state;
    scene s;
    open_with(&s, "live");
    publish(&s, "old", 1, 600);
    assert_int_equal(add_one(&s, '0', "old", 0, 9), XMTP_OK);
    publish(&s, "live", 1, 3);
    size_t waves = 0;
    size_t live = 0;
    for (next(&s); s.f.kind == 'M'; next(&s)) {
        if (s.f.value == 9) {
            waves += s.f.count;
            assert_true(s.f.group_ids[s.f.group_count - 1] <= 600);
        } else {
            assert_int_equal(s.f.value, 0);
            live += s.f.count;
            assert_true(s.f.group_ids[0] > 600);
        }
    }
    assert_int_equal(waves, 600);
    assert_int_equal(live, 3);
    close_scene(&s);
}

static void rule_6_what_comes_during_a_wave_is_part_of_it(void **state)
{
    (void)state;
    scene s;
    uint64_t ids[2] = {0};
    open_scene(&s);
    publish(&s, "a", 1, 10);
    expect(&s, 'S', 30000);
    assert_int_equal(add_one(&s, '0', "a", 0, 5), XMTP_OK);
    publish(&s, "a", 11, 10); /* after the wave began, before it ended */
    assert_int_equal(expect_wave(&s, 5, &ids[0], &ids[1]), 20);
    publish(&s, "a", 21, 1);
    expect(&s, 'M', 0);
    expect_nothing(&s);
    close_scene(&s);
}

static void rule_6_a_wave_of_a_busy_topic_ends(void **state)
{
    (void)state;
    scene s;
    open_scene(&s);
    publish(&s, "a", 1, 10);
    expect(&s, 'S', 30000);
    assert_int_equal(add_one(&s, '0', "a", 0, 5), XMTP_OK);
    uint64_t last = 0;
    bool is_live = false;
    for (uint64_t round = 0; round < 40; round++) {
        publish(&s, "a", 100 + 10 * round, 10);
        next(&s);
        is_live |= s.f.kind == 'C';
        for (size_t i = 0; i < s.f.group_count; i++) {
            assert_int_equal(s.f.value, is_live ? 0 : 5);
            assert_int_equal(s.f.group_ids[i], last + 1);
            last++;
        }
    }
    assert_true(is_live);
    while (next(&s)->kind == 'M') {
        last = s.f.group_ids[s.f.group_count - 1];
    }
    assert_int_equal(last, 410);
    close_scene(&s);
}

static void rule_7_a_wave_ends_with_topics_live_and_catchup_complete(void **state)
{
    (void)state;
    scene s;
    open_scene(&s);
    publish_welcome(&s, "k", 1);
    expect(&s, 'S', 30000);
    mutate m = mutate_begin();
    add(&m, '0', "a", 0);
    add(&m, '1', "k", 0);
    add(&m, '0', "gone", 0);
    assert_int_equal(send_mutate(&s, &m, 3, false), XMTP_OK);
    m = mutate_begin();
    drop(&m, '0', "gone");
    assert_int_equal(send_mutate(&s, &m, 4, false), XMTP_OK);
    expect(&s, 'C', 4);
    expect(&s, 'M', 3);
    assert_int_equal(s.f.welcome_count, 1);
    expect(&s, 'L', 0);
    assert_int_equal(s.f.count, 2); /* those that survived */
    assert_string_equal(s.f.topics[0], "0a");
    assert_string_equal(s.f.topics[1], "1k");
    expect(&s, 'C', 3);
    expect_nothing(&s);
    close_scene(&s);
}

static void rule_8_a_mutate_that_starts_nothing_is_complete_at_once(void **state)
{
    (void)state;
    scene s;
    open_with(&s, "a");
    mutate m = mutate_begin(); /* empty */
    assert_int_equal(send_mutate(&s, &m, 8, false), XMTP_OK);
    expect(&s, 'C', 8);
    assert_int_equal(add_one(&s, '0', "a", 5, 9), XMTP_OK); /* active, nothing lower */
    expect(&s, 'C', 9);
    m = mutate_begin();
    drop(&m, '0', "a");
    drop(&m, '0', "unknown");
    assert_int_equal(send_mutate(&s, &m, 0, false), XMTP_OK);
    expect(&s, 'C', 0);
    publish(&s, "a", 1, 1);
    expect_nothing(&s);
    close_scene(&s);
}

static void rule_9_a_lower_cursor_replays_an_active_topic(void **state)
{
    (void)state;
    scene s;
    uint64_t ids[2] = {0};
    open_scene(&s);
    publish(&s, "a", 1, 10);
    expect(&s, 'S', 30000);
    assert_int_equal(add_one(&s, '0', "a", 0, 1), XMTP_OK);
    assert_int_equal(expect_wave(&s, 1, &ids[0], &ids[1]), 10);
    assert_int_equal(add_one(&s, '0', "a", 10, 2), XMTP_OK);
    expect(&s, 'C', 2);
    assert_int_equal(add_one(&s, '0', "a", 4, 3), XMTP_OK);
    ids[0] = 4;
    assert_int_equal(expect_wave(&s, 3, &ids[0], &ids[1]), 6);
    publish(&s, "a", 11, 1);
    expect(&s, 'M', 0);
    expect_nothing(&s); /* once */
    close_scene(&s);
}

static void rule_10_history_only_replays_and_does_not_go_live(void **state)
{
    (void)state;
    scene s;
    uint64_t ids[2] = {0};
    open_with(&s, "live");
    publish(&s, "a", 1, 10);
    mutate m = mutate_begin();
    add(&m, '0', "a", 0);
    assert_int_equal(send_mutate(&s, &m, 2, true), XMTP_OK);
    assert_int_equal(expect_wave(&s, 2, &ids[0], &ids[1]), 10);
    publish(&s, "a", 11, 1);
    expect_nothing(&s);
    m = mutate_begin();
    add(&m, '0', "live", 0);
    assert_int_equal(send_mutate(&s, &m, 3, true), XMTP_E_ARGUMENT);
    close_scene(&s);
}

static void rule_10_history_only_waves_do_not_overlap(void **state)
{
    (void)state;
    scene s;
    open_scene(&s);
    mutate m = mutate_begin();
    add(&m, '0', "a", 0);
    assert_int_equal(send_mutate(&s, &m, 2, true), XMTP_OK);
    m = mutate_begin();
    add(&m, '0', "a", 0);
    assert_int_equal(send_mutate(&s, &m, 3, true), XMTP_E_ARGUMENT);
    close_scene(&s);
    open_scene(&s);
    m = mutate_begin();
    add(&m, '0', "a", 0);
    assert_int_equal(send_mutate(&s, &m, 2, true), XMTP_OK);
    assert_int_equal(add_one(&s, '0', "a", 0, 3), XMTP_E_ARGUMENT);
    close_scene(&s);
}

static void rule_11_removing_the_last_topic_completes_the_wave(void **state)
{
    (void)state;
    scene s;
    open_scene(&s);
    publish(&s, "a", 1, 500);
    publish(&s, "a", 501, 500);
    expect(&s, 'S', 30000);
    assert_int_equal(add_one(&s, '0', "a", 0, 1), XMTP_OK);
    mutate m = mutate_begin();
    drop(&m, '0', "a");
    assert_int_equal(send_mutate(&s, &m, 2, false), XMTP_OK);
    expect(&s, 'C', 1); /* without TopicsLive: none is */
    expect(&s, 'C', 2);
    expect_nothing(&s);
    close_scene(&s);
}

/* Stricter than the official node: over all topics of a wave, ids of a kind ascend. */
static void a_wave_ascends_over_all_its_topics(void **state)
{
    (void)state;
    enum { TOPICS = 40 };
    scene s;
    uint64_t ids[2] = {0};
    char name[8];
    open_scene(&s);
    for (uint64_t i = 0; i < 2000; i += 5) {
        (void)snprintf(name, sizeof name, "g%u", (unsigned)(i * 7 % TOPICS));
        publish(&s, name, i, 5);
        if (i % 100 == 0) {
            publish_welcome(&s, i % 200 == 0 ? "k1" : "k2", (uint8_t)(i / 100));
        }
    }
    expect(&s, 'S', 30000);
    mutate m = mutate_begin();
    for (unsigned i = 0; i < TOPICS; i++) {
        (void)snprintf(name, sizeof name, "g%u", i);
        add(&m, '0', name, 0);
    }
    add(&m, '1', "k1", 0);
    add(&m, '1', "k2", 0);
    assert_int_equal(send_mutate(&s, &m, 1, false), XMTP_OK);
    assert_int_equal(expect_wave(&s, 1, &ids[0], &ids[1]), 2000 + 20);
    assert_int_equal(ids[0], 2000);
    assert_int_equal(ids[1], 20);
    close_scene(&s);
}

static void topics_are_removed_in_the_middle_of_a_wave(void **state)
{
    (void)state;
    scene s;
    open_scene(&s);
    for (uint64_t i = 0; i < 4; i++) {
        publish_large(&s, i % 2 == 0 ? "a" : "b", i, 1 << 20);
    }
    expect(&s, 'S', 30000);
    mutate m = mutate_begin();
    add(&m, '0', "a", 0);
    add(&m, '0', "b", 0);
    assert_int_equal(send_mutate(&s, &m, 1, false), XMTP_OK);
    expect(&s, 'M', 1);
    assert_int_equal(s.f.group_ids[0], 1);
    m = mutate_begin();
    drop(&m, '0', "b");
    assert_int_equal(send_mutate(&s, &m, 2, false), XMTP_OK);
    expect(&s, 'C', 2);
    expect(&s, 'M', 1);
    assert_int_equal(s.f.count, 1);
    assert_int_equal(s.f.group_ids[0], 3); /* not 2 or 4 */
    expect(&s, 'L', 0);
    assert_int_equal(s.f.count, 1);
    expect(&s, 'C', 1);
    close_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rule_1_the_first_frame_is_started_with_the_keep_alive_interval),
        cmocka_unit_test(rule_2_a_request_of_an_unknown_version_is_refused),
        cmocka_unit_test(rule_3_adds_need_an_id_that_is_not_in_flight),
        cmocka_unit_test(rule_3_too_many_adds_are_refused_before_anything_happens),
        cmocka_unit_test(rule_3_as_many_adds_as_may_be_are_taken),
        cmocka_unit_test(rule_4_repeated_topics_collapse_to_the_lowest_cursor),
        cmocka_unit_test(rule_4_remove_and_add_of_a_topic_resets_it),
        cmocka_unit_test(rule_5_frames_of_a_wave_carry_its_id_and_live_frames_zero),
        cmocka_unit_test(rule_6_what_comes_during_a_wave_is_part_of_it),
        cmocka_unit_test(rule_6_a_wave_of_a_busy_topic_ends),
        cmocka_unit_test(rule_7_a_wave_ends_with_topics_live_and_catchup_complete),
        cmocka_unit_test(rule_8_a_mutate_that_starts_nothing_is_complete_at_once),
        cmocka_unit_test(rule_9_a_lower_cursor_replays_an_active_topic),
        cmocka_unit_test(rule_10_history_only_replays_and_does_not_go_live),
        cmocka_unit_test(rule_10_history_only_waves_do_not_overlap),
        cmocka_unit_test(rule_11_removing_the_last_topic_completes_the_wave),
        cmocka_unit_test(a_wave_ascends_over_all_its_topics),
        cmocka_unit_test(topics_are_removed_in_the_middle_of_a_wave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
