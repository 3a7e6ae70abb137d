/* session_test.c - the rules of the bidirectional Subscribe (node.md 2.8), one by one; each test
 * begins with the number of its rule.
 */
#include "node/session.h"
#include "node/stream.h"
#include "node/test_node.h"
#include "proto/field.h"

enum { FRAME_MAX = 16384 };

/* A frame as a client reads it. */
typedef struct frame {
    char
        kind; /* 'S'tarted, 'M'essages, 'P'ing, p'o'ng, topics 'L'ive, 'C'atchupComplete; 0: none */
    uint64_t value; /* interval, nonce or mutate_id */
    size_t count;   /* of messages or topics */
    size_t len;
    uint64_t group_ids[FRAME_MAX]; /* of group messages */
    size_t group_count;
    uint64_t welcome_ids[FRAME_MAX];
    size_t welcome_count;
    char topics[64][32]; /* of TopicsLive: kind digit and name */
} frame;

typedef struct scene {
    test_node node;
    xmtp_node_feed *feed;
    frame f;
    xmtp_error error;
    bool was_ready;
} scene;

static void note_ready(void *context)
{
    ((scene *)context)->was_ready = true;
}

static void open_scene(scene *s)
{
    test_node_open(&s->node, NULL);
    s->error = (xmtp_error){0};
    xmtp_node_stream_request asked = {
        .path = MLS "Subscribe", .start_after = "", .context = s, .ready = note_ready};
    assert_int_equal(xmtp_node_stream_open(s->node.node, &asked, &s->feed, &s->error), XMTP_OK);
}

static void close_scene(scene *s)
{
    xmtp_node_feed_free(s->feed);
    test_node_close(&s->node);
}

/* ---- reading frames */

static uint64_t id_of_message(xmtp_bytes message)
{
    xmtp_field f;
    xmtp_reader outer = xmtp_reader_of(message);
    xmtp_reader r;
    assert_int_equal(xmtp_field_next(&outer, &f), XMTP_OK);
    assert_int_equal(xmtp_field_message(&f, &r), XMTP_OK);
    assert_int_equal(xmtp_field_next(&r, &f), XMTP_OK);
    assert_int_equal(f.number, 1);
    return f.value;
}

static void read_messages(frame *out, xmtp_reader r)
{
    xmtp_field f;
    while (r.n > 0) {
        assert_int_equal(xmtp_field_next(&r, &f), XMTP_OK);
        if (f.number == 1) {
            out->group_ids[out->group_count++ % FRAME_MAX] = id_of_message(f.bytes);
        } else if (f.number == 2) {
            out->welcome_ids[out->welcome_count++ % FRAME_MAX] = id_of_message(f.bytes);
        } else {
            assert_int_equal(f.number, 3);
            out->value = f.value;
        }
    }
    out->count = out->group_count + out->welcome_count;
}

static void read_marker(frame *out, xmtp_reader r)
{
    xmtp_field f;
    while (r.n > 0) {
        assert_int_equal(xmtp_field_next(&r, &f), XMTP_OK);
        if (f.type == 0) {
            out->value = f.value;
        } else {
            size_t i = out->count++ % 64;
            size_t n = f.bytes.n < 31 ? f.bytes.n : 31;
            out->topics[i][0] = (char)('0' + f.bytes.p[0]);
            memcpy(out->topics[i] + 1, f.bytes.p + 1, n - 1);
            out->topics[i][n] = '\0';
        }
    }
}

static void read_frame(frame *out, xmtp_bytes bytes)
{
    static const char kinds[] = "?MSPoLC";
    xmtp_field f;
    xmtp_reader outer = xmtp_reader_of(bytes);
    xmtp_reader v1;
    xmtp_reader inner;
    memset(out, 0, sizeof *out);
    out->len = bytes.n;
    assert_int_equal(xmtp_field_next(&outer, &f), XMTP_OK);
    assert_int_equal(f.number, 1);
    assert_int_equal(outer.n, 0);
    assert_int_equal(xmtp_field_message(&f, &v1), XMTP_OK);
    assert_int_equal(xmtp_field_next(&v1, &f), XMTP_OK);
    assert_int_equal(v1.n, 0);
    assert_true(f.number >= 1 && f.number <= 6);
    out->kind = kinds[f.number];
    assert_int_equal(xmtp_field_message(&f, &inner), XMTP_OK);
    if (out->kind == 'M') {
        read_messages(out, inner);
    } else {
        read_marker(out, inner);
    }
}

static xmtp_status try_next(scene *s)
{
    xmtp_writer w;
    xmtp_writer_init(&w, &test_env()->alloc, XMTP_WRITER_MAX);
    xmtp_status status = xmtp_node_feed_next(s->feed, &w, &s->error);
    memset(&s->f, 0, sizeof s->f);
    if (status == XMTP_OK) {
        read_frame(&s->f, xmtp_writer_bytes(&w));
    } else {
        assert_int_equal(w.n, 0);
    }
    xmtp_writer_free(&w);
    return status;
}

static const frame *next(scene *s)
{
    xmtp_status status = try_next(s);
    if (status != XMTP_OK && status != XMTP_E_RETRY) {
        fail_msg("%s: %s", xmtp_status_name(status), s->error.text);
    }
    return &s->f;
}

static void expect(scene *s, char kind, uint64_t value)
{
    next(s);
    assert_int_equal(s->f.kind, kind);
    assert_int_equal(s->f.value, value);
}

static void expect_nothing(scene *s)
{
    assert_int_equal(try_next(s), XMTP_E_RETRY);
}

/* A wave's frames up to its end, without messages that are not its own. Returns how many. */
static size_t expect_wave(scene *s, uint64_t mutate_id, uint64_t *last_group,
                          uint64_t *last_welcome)
{
    size_t count = 0;
    for (next(s); s->f.kind == 'M'; next(s)) {
        assert_int_equal(s->f.value, mutate_id);
        for (size_t i = 0; i < s->f.group_count; i++) {
            assert_true(s->f.group_ids[i] > *last_group);
            *last_group = s->f.group_ids[i];
        }
        for (size_t i = 0; i < s->f.welcome_count; i++) {
            assert_true(s->f.welcome_ids[i] > *last_welcome);
            *last_welcome = s->f.welcome_ids[i];
        }
        count += s->f.count;
    }
    assert_int_equal(s->f.kind, 'L');
    expect(s, 'C', mutate_id);
    return count;
}

/* ---- asking */

typedef struct mutate {
    xmtp_writer w;
    size_t v1;
    size_t mutate;
} mutate;

static mutate mutate_begin(void)
{
    mutate m;
    xmtp_writer_init(&m.w, &test_env()->alloc, XMTP_WRITER_MAX);
    m.v1 = xmtp_field_open(&m.w, 1);
    m.mutate = xmtp_field_open(&m.w, 1);
    return m;
}

static void put_topic(xmtp_writer *w, uint32_t field, char kind, const char *name)
{
    xmtp_field_begin(w, field, 1 + strlen(name));
    xmtp_writer_u8(w, (uint8_t)(kind - '0'));
    xmtp_writer_put(w, xmtp_bytes_of_string(name));
}

static void add(mutate *m, char kind, const char *name, uint64_t cursor)
{
    size_t mark = xmtp_field_open(&m->w, 1);
    put_topic(&m->w, 1, kind, name);
    xmtp_field_put_u64(&m->w, 2, cursor);
    xmtp_field_close(&m->w, mark);
}

static void drop(mutate *m, char kind, const char *name)
{
    put_topic(&m->w, 2, kind, name);
}

static xmtp_status request(scene *s, xmtp_bytes bytes)
{
    return s->feed->ops->request(s->feed, bytes, &s->error);
}

static xmtp_status send_mutate(scene *s, mutate *m, uint64_t id, bool history_only)
{
    xmtp_field_put_u64(&m->w, 3, history_only ? 1 : 0);
    xmtp_field_put_u64(&m->w, 4, id);
    xmtp_field_close(&m->w, m->mutate);
    xmtp_field_close(&m->w, m->v1);
    assert_int_equal(xmtp_writer_status(&m->w), XMTP_OK);
    xmtp_status status = request(s, xmtp_writer_bytes(&m->w));
    xmtp_writer_free(&m->w);
    return status;
}

static xmtp_status add_one(scene *s, char kind, const char *name, uint64_t cursor, uint64_t id)
{
    mutate m = mutate_begin();
    add(&m, kind, name, cursor);
    return send_mutate(s, &m, id, false);
}

static xmtp_status say_nonce(scene *s, uint8_t field, uint8_t nonce)
{
    const uint8_t bytes[] = {0x0a, 4, (uint8_t)(field << 3 | 2), 2, 0x08, nonce};
    return request(s, xmtp_bytes_of(bytes, sizeof bytes));
}

static void publish(scene *s, const char *group, uint64_t number, size_t count)
{
    assert_int_equal(test_send(&s->node, group, TEST_APPLICATION, number, count), XMTP_OK);
}

static void publish_welcome(scene *s, const char *key, uint8_t number)
{
    Pb__SendWelcomeMessagesRequest r = PB__SEND_WELCOME_MESSAGES_REQUEST__INIT;
    Pb__WelcomeMessageInput input = PB__WELCOME_MESSAGE_INPUT__INIT;
    Pb__WelcomeMessageInput__V1 v1 = PB__WELCOME_MESSAGE_INPUT__V1__INIT;
    Pb__WelcomeMessageInput *inputs[] = {&input};
    uint8_t data[4] = {number};
    v1.has_installation_key = v1.has_data = v1.has_hpke_public_key = true;
    v1.installation_key = xmtp_proto_data(xmtp_bytes_of_string(key));
    v1.data = xmtp_proto_data(xmtp_bytes_of(data, sizeof data));
    v1.hpke_public_key = v1.data;
    input.version_case = PB__WELCOME_MESSAGE_INPUT__VERSION_V1;
    input.v1 = &v1;
    r.n_messages = 1;
    r.messages = inputs;
    assert_int_equal(test_call(&s->node, MLS "SendWelcomeMessages", &r.base, NULL, NULL), XMTP_OK);
}

static void open_with(scene *s, const char *group)
{
    uint64_t ids[2] = {0};
    open_scene(s);
    expect(s, 'S', XMTP_NODE_KEEP_ALIVE_MS);
    assert_int_equal(add_one(s, '0', group, 0, 1), XMTP_OK);
    (void)expect_wave(s, 1, &ids[0], &ids[1]);
}

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

static void publish_large(scene *s, const char *group, uint64_t number, size_t len)
{
    Pb__SendGroupMessagesRequest r = PB__SEND_GROUP_MESSAGES_REQUEST__INIT;
    Pb__GroupMessageInput input = PB__GROUP_MESSAGE_INPUT__INIT;
    Pb__GroupMessageInput__V1 v1 = PB__GROUP_MESSAGE_INPUT__V1__INIT;
    Pb__GroupMessageInput *inputs[] = {&input};
    xmtp_writer data;
    xmtp_writer_init(&data, &test_env()->alloc, XMTP_WRITER_MAX);
    test_message(&data, group, TEST_APPLICATION, number, len);
    v1.has_data = true;
    v1.data = xmtp_proto_data(xmtp_writer_bytes(&data));
    input.version_case = PB__GROUP_MESSAGE_INPUT__VERSION_V1;
    input.v1 = &v1;
    r.n_messages = 1;
    r.messages = inputs;
    assert_int_equal(test_call(&s->node, MLS "SendGroupMessages", &r.base, NULL, NULL), XMTP_OK);
    xmtp_writer_free(&data);
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
        cmocka_unit_test(rule_1_the_first_frame_is_started_with_the_keep_alive_interval),
        cmocka_unit_test(rule_2_a_request_of_an_unknown_version_is_refused),
        cmocka_unit_test(rule_3_adds_need_an_id_that_is_not_in_flight),
        cmocka_unit_test(rule_3_too_many_adds_are_refused_before_anything_happens),
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
        cmocka_unit_test(rule_12_half_close_finishes_the_waves_and_ends_with_ok),
        cmocka_unit_test(rule_12_a_rest_that_is_not_taken_times_out),
        cmocka_unit_test(rule_13_silence_is_answered_by_a_ping_and_no_pong_by_the_end),
        cmocka_unit_test(rule_13_what_is_received_does_not_postpone_the_ping),
        cmocka_unit_test(rule_13_a_ping_of_the_client_is_answered),
        cmocka_unit_test(rule_14_a_client_that_does_not_read_is_given_up),
        cmocka_unit_test(rule_14_more_than_the_tap_holds_comes_late_and_in_order),
        cmocka_unit_test(rule_15_frames_are_packed_to_2_mib_and_a_larger_message_travels_alone),
        cmocka_unit_test(a_wave_ascends_over_all_its_topics),
        cmocka_unit_test(topics_are_removed_in_the_middle_of_a_wave),
        cmocka_unit_test(a_node_that_has_it_switched_off_says_unimplemented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
