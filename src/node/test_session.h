/* test_session.h - a session of the bidirectional Subscribe as its client sees it: requests put
 * together, frames read and expected.
 */
#ifndef XMTP_NODE_TEST_SESSION_H
#define XMTP_NODE_TEST_SESSION_H

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

static inline void note_ready(void *context)
{
    ((scene *)context)->was_ready = true;
}

static inline void open_scene_limited(scene *s, const xmtp_node_limits *limits)
{
    test_node_open_limited(&s->node, NULL, limits);
    s->error = (xmtp_error){0};
    xmtp_node_stream_request asked = {
        .path = MLS "Subscribe", .start_after = "", .context = s, .ready = note_ready};
    assert_int_equal(xmtp_node_stream_open(s->node.node, &asked, &s->feed, &s->error), XMTP_OK);
}

static inline void open_scene(scene *s)
{
    open_scene_limited(s, &(xmtp_node_limits){0});
}

static inline void close_scene(scene *s)
{
    xmtp_node_feed_free(s->feed);
    test_node_close(&s->node);
}

/* ---- reading frames */

static inline uint64_t id_of_message(xmtp_bytes message)
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

static inline void read_messages(frame *out, xmtp_reader r)
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

static inline void read_marker(frame *out, xmtp_reader r)
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

static inline void read_frame(frame *out, xmtp_bytes bytes)
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

static inline xmtp_status try_next(scene *s)
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

static inline void expect(scene *s, char kind, uint64_t value)
{
    next(s);
    assert_int_equal(s->f.kind, kind);
    assert_int_equal(s->f.value, value);
}

static inline void expect_nothing(scene *s)
{
    assert_int_equal(try_next(s), XMTP_E_RETRY);
}

/* A wave's frames up to its end, without messages that are not its own. Returns how many. */
static inline size_t expect_wave(scene *s, uint64_t mutate_id, uint64_t *last_group,
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

static inline mutate mutate_begin(void)
{
    mutate m;
    xmtp_writer_init(&m.w, &test_env()->alloc, XMTP_WRITER_MAX);
    m.v1 = xmtp_field_open(&m.w, 1);
    m.mutate = xmtp_field_open(&m.w, 1);
    return m;
}

static inline void put_topic(xmtp_writer *w, uint32_t field, char kind, const char *name)
{
    xmtp_field_begin(w, field, 1 + strlen(name));
    xmtp_writer_u8(w, (uint8_t)(kind - '0'));
    xmtp_writer_put(w, xmtp_bytes_of_string(name));
}

static inline void add(mutate *m, char kind, const char *name, uint64_t cursor)
{
    size_t mark = xmtp_field_open(&m->w, 1);
    put_topic(&m->w, 1, kind, name);
    xmtp_field_put_u64(&m->w, 2, cursor);
    xmtp_field_close(&m->w, mark);
}

static inline void drop(mutate *m, char kind, const char *name)
{
    put_topic(&m->w, 2, kind, name);
}

static inline xmtp_status request(scene *s, xmtp_bytes bytes)
{
    return s->feed->ops->request(s->feed, bytes, &s->error);
}

static inline xmtp_status send_mutate(scene *s, mutate *m, uint64_t id, bool history_only)
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

static inline xmtp_status add_one(scene *s, char kind, const char *name, uint64_t cursor,
                                  uint64_t id)
{
    mutate m = mutate_begin();
    add(&m, kind, name, cursor);
    return send_mutate(s, &m, id, false);
}

static inline xmtp_status say_nonce(scene *s, uint8_t field, uint8_t nonce)
{
    const uint8_t bytes[] = {0x0a, 4, (uint8_t)(field << 3 | 2), 2, 0x08, nonce};
    return request(s, xmtp_bytes_of(bytes, sizeof bytes));
}

static inline void publish(scene *s, const char *group, uint64_t number, size_t count)
{
    assert_int_equal(test_send(&s->node, group, TEST_APPLICATION, number, count), XMTP_OK);
}

static inline void publish_large(scene *s, const char *group, uint64_t number, size_t len)
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

static inline void publish_welcome(scene *s, const char *key, uint8_t number)
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

static inline void open_with(scene *s, const char *group)
{
    uint64_t ids[2] = {0};
    open_scene(s);
    expect(s, 'S', XMTP_NODE_KEEP_ALIVE_MS);
    assert_int_equal(add_one(s, '0', group, 0, 1), XMTP_OK);
    (void)expect_wave(s, 1, &ids[0], &ids[1]);
}

#endif
