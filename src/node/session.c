/* session.c - what a session's client asks for, and what it is told.
 *
 * Requests change topics and start waves; next hands out, in this order: frames that are no
 * messages (Started, Pong, TopicsLive, CatchupComplete), then in turns a frame of a wave and a frame
 * of live messages. One frame never holds both.
 *
 * A tap that was full makes all live topics catch up again; the client sees live frames that come
 * late, in order and without a gap. A client that takes nothing for 30 s is given up.
 */
#include "node/session.h"

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"
#include "node/session_internal.h"
#include "proto/field.h"
#include "proto/message.h"
#include "proto/subscribe.pb-c.h"

#include <inttypes.h>
#include <string.h>

enum {
    CONTROL_LEN_MAX = 8 * 1024 * 1024, /* of frames that wait; a million topics' worth is refused */
    PREFIX_LEN = 4,
    ARENA_LEN_MIN = 65536,
    ARENA_FACTOR = 32,
};

static const uint64_t keep_alive_ns = (uint64_t)XMTP_NODE_KEEP_ALIVE_MS * 1000000;

static void *allocate(const session *s, void *p, size_t n)
{
    return s->env->alloc.reallocate(s->env->alloc.context, p, n);
}

/* ---- topics in their wire form: 0x00 group id, 0x01 installation key */

xmtp_node_kind xmtp_session_kind(size_t kind_at)
{
    return kind_at == 0 ? XMTP_NODE_GROUP_MESSAGE : XMTP_NODE_WELCOME;
}

size_t xmtp_session_kind_at(xmtp_node_kind kind)
{
    return kind == XMTP_NODE_GROUP_MESSAGE ? 0 : 1;
}

static uint8_t wire_kind(const session_topic *t)
{
    return xmtp_node_watch_kind(&t->watch) == XMTP_NODE_GROUP_MESSAGE ? 0 : 1;
}

static xmtp_status check_topic(xmtp_bytes wire, const char *what, xmtp_error *error)
{
    if (wire.n < 2 || wire.n > 1 + XMTP_NODE_TOPIC_LEN_MAX) {
        return xmtp_fail(error, XMTP_E_ARGUMENT,
                         "%s: a topic is a kind byte and 1 to %d bytes, this one has %zu", what,
                         XMTP_NODE_TOPIC_LEN_MAX, wire.n);
    }
    if (wire.p[0] > 1) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "%s: unsupported topic kind %u", what,
                         (unsigned)wire.p[0]);
    }
    return XMTP_OK;
}

static session_topic *find_topic(const session *s, xmtp_bytes wire)
{
    session_topic **found = xmtp_node_table_find(&s->topics, wire);
    return found == NULL ? NULL : *found;
}

void xmtp_session_drop_topic(session *s, session_topic *t)
{
    uint8_t wire[1 + XMTP_NODE_TOPIC_LEN_MAX];
    xmtp_bytes topic = xmtp_node_watch_topic(&t->watch);
    wire[0] = wire_kind(t);
    xmtp_copy(wire + 1, topic.p, topic.n);
    xmtp_node_table_remove(&s->topics, xmtp_bytes_of(wire, 1 + topic.n));
    xmtp_node_watches_unlink(&t->watch, sizeof *t, 1);
    xmtp_list_remove(&t->link);
    s->held = s->held == t ? NULL : s->held;
    if (t->wave != NULL && t->wave->merge != NULL) {
        t->is_dropped = true;
        xmtp_list_append(&t->wave->dropped, &t->link);
    } else {
        (void)allocate(s, t, 0);
    }
}

/* What a client asks to be dropped: the last topic of a wave completes it. */
static xmtp_status remove_topic(session *s, session_topic *t)
{
    session_wave *wave = t->wave;
    xmtp_session_drop_topic(s, t);
    return wave != NULL && xmtp_list_is_empty(&wave->topics) ? xmtp_session_wave_complete(s, wave)
                                                             : XMTP_OK;
}

/* ---- frames */

static xmtp_status put_control(session *s, const xmtp_writer *field)
{
    XMTP_ENSURE(s->control.n - s->control_at <= CONTROL_LEN_MAX, XMTP_E_LIMIT);
    size_t mark = s->control.n;
    xmtp_writer_u32(&s->control, 0);
    xmtp_field_put_message(&s->control, 1, xmtp_writer_bytes(field));
    XMTP_TRY(xmtp_writer_status(&s->control));
    size_t n = s->control.n - mark - PREFIX_LEN;
    for (size_t i = 0; i < PREFIX_LEN; i++) {
        s->control.p[mark + i] = (uint8_t)(n >> (24 - 8 * i));
    }
    return XMTP_OK;
}

xmtp_status xmtp_session_control(session *s, uint32_t field, uint64_t value)
{
    xmtp_writer w;
    xmtp_writer_init(&w, &s->env->alloc, XMTP_WRITER_MAX);
    size_t mark = xmtp_field_open(&w, field);
    xmtp_field_put_u64(&w, 1, value);
    xmtp_field_close(&w, mark);
    xmtp_status status = xmtp_writer_status(&w);
    status = status == XMTP_OK ? put_control(s, &w) : status;
    xmtp_writer_free(&w);
    return status;
}

xmtp_status xmtp_session_topics_live(session *s, const session_wave *wave)
{
    xmtp_writer w;
    xmtp_writer_init(&w, &s->env->alloc, XMTP_WRITER_MAX);
    size_t mark = xmtp_field_open(&w, XMTP_SESSION_TOPICS_LIVE);
    for (xmtp_list *l = wave->topics.next; l != &wave->topics; l = l->next) {
        const session_topic *t = XMTP_LIST_OF(l, session_topic, link);
        xmtp_bytes topic = xmtp_node_watch_topic(&t->watch);
        xmtp_field_begin(&w, 1, 1 + topic.n);
        xmtp_writer_u8(&w, wire_kind(t));
        xmtp_writer_put(&w, topic);
    }
    xmtp_field_close(&w, mark);
    xmtp_status status = xmtp_writer_status(&w);
    status = status == XMTP_OK ? put_control(s, &w) : status;
    xmtp_writer_free(&w);
    return status;
}

session_frame xmtp_session_frame_open(xmtp_writer *out)
{
    session_frame frame = {.start = out->n};
    frame.v1 = xmtp_field_open(out, 1);
    frame.messages = xmtp_field_open(out, XMTP_SESSION_MESSAGES);
    return frame;
}

void xmtp_session_frame_close(session_frame *frame, uint64_t mutate_id, xmtp_writer *out)
{
    if (frame->count == 0) {
        out->n = out->status == XMTP_OK ? frame->start : out->n;
        return;
    }
    xmtp_field_put_u64(out, 3, mutate_id);
    xmtp_field_close(out, frame->messages);
    xmtp_field_close(out, frame->v1);
}

xmtp_status xmtp_session_put_message(session *s, session_topic *t, const xmtp_node_place *place,
                                     xmtp_writer *out, xmtp_error *error)
{
    uint32_t field = xmtp_node_watch_kind(&t->watch) == XMTP_NODE_GROUP_MESSAGE ? 1 : 2;
    xmtp_writer_clear(&s->payload);
    xmtp_status status = xmtp_node_archive_payload(xmtp_node_dispatcher_archive(s->dispatcher),
                                                   place, &s->payload, error);
    if (status == XMTP_OK) {
        xmtp_field_put_message(out, field, xmtp_writer_bytes(&s->payload));
        status = xmtp_writer_status(out);
    }
    if (status != XMTP_E_NOT_FOUND) { /* that is: dropped since its place was learnt */
        XMTP_TRY(status);
    }
    t->cursor = place->id;
    return XMTP_OK;
}

/* ---- mutations */

typedef struct mutation {
    session *session;
    const Pb__SubscribeRequest__V1__Mutate *mutate;
    xmtp_node_table adds; /* wire form -> lowest cursor of this mutation */
    session_wave *wave;   /* NULL: nothing to replay yet */
    xmtp_error *error;
} mutation;

static bool is_in_flight(const session *s, uint64_t mutate_id)
{
    for (xmtp_list *l = s->waves.next; l != &s->waves; l = l->next) {
        if (XMTP_LIST_OF(l, session_wave, link)->mutate_id == mutate_id) {
            return true;
        }
    }
    return false;
}

static xmtp_status check_mutation(const session *s, const Pb__SubscribeRequest__V1__Mutate *m,
                                  xmtp_error *error)
{
    if (m->n_adds > 0 && m->mutate_id == 0) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "a Mutate with adds needs a mutate_id");
    }
    if (m->n_adds > XMTP_NODE_MUTATE_ADDS_MAX) {
        return xmtp_fail(error, XMTP_E_LIMIT, "%zu adds in one Mutate, at most %d are allowed",
                         m->n_adds, XMTP_NODE_MUTATE_ADDS_MAX);
    }
    if (m->mutate_id != 0 && is_in_flight(s, m->mutate_id)) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "mutate_id %llu is in flight already",
                         (unsigned long long)m->mutate_id);
    }
    if (s->topics.count + m->n_adds > s->topics_max ||
        s->wave_count >= XMTP_NODE_SESSION_WAVES_MAX) {
        return xmtp_fail(error, XMTP_E_LIMIT,
                         "%zu topics and %zu catch-ups, at most %" PRIu64 " and %d",
                         s->topics.count + m->n_adds, s->wave_count + 1, s->topics_max,
                         XMTP_NODE_SESSION_WAVES_MAX);
    }
    return XMTP_OK;
}

/* All of it is looked at before any of it takes effect. */
static xmtp_status read_topics(mutation *m)
{
    for (size_t i = 0; i < m->mutate->n_removes; i++) {
        XMTP_TRY(check_topic(xmtp_proto_bytes(m->mutate->removes[i]), "remove", m->error));
    }
    for (size_t i = 0; i < m->mutate->n_adds; i++) {
        xmtp_bytes wire = xmtp_proto_bytes(m->mutate->adds[i]->topic);
        uint64_t cursor = m->mutate->adds[i]->id_cursor;
        XMTP_TRY(check_topic(wire, "add", m->error));
        bool is_first = xmtp_node_table_find(&m->adds, wire) == NULL;
        uint64_t *lowest = xmtp_node_table_put(&m->adds, wire);
        XMTP_ENSURE(lowest != NULL, XMTP_E_NOMEM);
        *lowest = is_first || cursor < *lowest ? cursor : *lowest;
    }
    return XMTP_OK;
}

/* XMTP_OK: it is to be added; XMTP_E_EXISTS: it needs nothing. */
static xmtp_status check_add(mutation *m, session_topic *t, uint64_t cursor)
{
    if (t == NULL) {
        return XMTP_OK;
    }
    if (t->is_history) {
        return xmtp_fail(m->error, XMTP_E_ARGUMENT,
                         "an add of a topic whose history_only catch-up is running");
    }
    if (m->mutate->history_only) {
        return xmtp_fail(m->error, XMTP_E_ARGUMENT,
                         "a history_only add of a topic that is subscribed");
    }
    return cursor >= t->cursor ? XMTP_E_EXISTS : remove_topic(m->session, t);
}

static xmtp_status new_topic(mutation *m, xmtp_bytes wire, uint64_t cursor)
{
    session *s = m->session;
    if (m->wave == NULL) {
        m->wave = xmtp_session_wave_new(s, m->mutate->mutate_id);
        XMTP_ENSURE(m->wave != NULL, XMTP_E_NOMEM);
    }
    session_topic **slot = xmtp_node_table_put(&s->topics, wire);
    session_topic *t = slot == NULL ? NULL : allocate(s, NULL, sizeof *t);
    if (t == NULL) {
        xmtp_node_table_remove(&s->topics, wire);
        return XMTP_E_NOMEM;
    }
    *t = (session_topic){.cursor = cursor, .is_history = m->mutate->history_only != 0};
    *slot = t;
    xmtp_node_kind kind = wire.p[0] == 0 ? XMTP_NODE_GROUP_MESSAGE : XMTP_NODE_WELCOME;
    xmtp_node_watch_init(&t->watch, s->tap, kind, xmtp_bytes_of(wire.p + 1, wire.n - 1));
    xmtp_session_wave_add(m->wave, t);
    return t->is_history ? XMTP_OK : xmtp_node_watches_link(&t->watch, sizeof *t, 1);
}

/* In the order of the request; the entry in m->adds is taken by the first of a topic. */
static xmtp_status add_topics(mutation *m)
{
    for (size_t i = 0; i < m->mutate->n_adds; i++) {
        xmtp_bytes wire = xmtp_proto_bytes(m->mutate->adds[i]->topic);
        const uint64_t *lowest = xmtp_node_table_find(&m->adds, wire);
        if (lowest == NULL) {
            continue;
        }
        uint64_t cursor = *lowest;
        xmtp_node_table_remove(&m->adds, wire);
        xmtp_status status = check_add(m, find_topic(m->session, wire), cursor);
        if (status == XMTP_OK) {
            status = new_topic(m, wire, cursor);
        }
        if (status != XMTP_OK && status != XMTP_E_EXISTS) {
            return status;
        }
    }
    return XMTP_OK;
}

static xmtp_status apply_mutation(mutation *m)
{
    session *s = m->session;
    XMTP_TRY(read_topics(m));
    for (size_t i = 0; i < m->mutate->n_removes; i++) {
        session_topic *t = find_topic(s, xmtp_proto_bytes(m->mutate->removes[i]));
        if (t != NULL) {
            XMTP_TRY(remove_topic(s, t));
        }
    }
    XMTP_TRY(add_topics(m));
    if (m->wave == NULL) {
        return xmtp_session_control(s, XMTP_SESSION_CATCHUP_COMPLETE, m->mutate->mutate_id);
    }
    xmtp_session_wave_begin(s, m->wave);
    return XMTP_OK;
}

static xmtp_status take_mutation(session *s, const Pb__SubscribeRequest__V1__Mutate *mutate,
                                 xmtp_error *error)
{
    mutation m = {.session = s, .mutate = mutate, .error = error};
    XMTP_TRY(check_mutation(s, mutate, error));
    XMTP_TRY(xmtp_node_table_init(&m.adds, s->env, sizeof(uint64_t)));
    xmtp_status status = apply_mutation(&m);
    xmtp_node_table_free(&m.adds);
    return status;
}

/* ---- requests */

static xmtp_status take_request(session *s, const Pb__SubscribeRequest *request, xmtp_error *error)
{
    if (request->version_case != PB__SUBSCRIBE_REQUEST__VERSION_V1) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "unrecognized SubscribeRequest version");
    }
    const Pb__SubscribeRequest__V1 *v1 = request->v1;
    switch (v1->request_case) {
    case PB__SUBSCRIBE_REQUEST__V1__REQUEST_MUTATE:
        return take_mutation(s, v1->mutate, error);
    case PB__SUBSCRIBE_REQUEST__V1__REQUEST_PING:
        return xmtp_session_control(s, XMTP_SESSION_PONG, v1->ping->nonce);
    case PB__SUBSCRIBE_REQUEST__V1__REQUEST_PONG:
        s->ping_ns = v1->pong->nonce == s->ping_nonce ? 0 : s->ping_ns;
        return XMTP_OK;
    default:
        return XMTP_OK; /* of a later version; it is not for us */
    }
}

static xmtp_status session_request(xmtp_node_feed *base, xmtp_bytes bytes, xmtp_error *error)
{
    session *s = (session *)base;
    xmtp_arena arena;
    void *p;
    xmtp_arena_init(&arena, &s->env->alloc, ARENA_LEN_MIN + ARENA_FACTOR * bytes.n);
    xmtp_status status = xmtp_proto_decode(&pb__subscribe_request__descriptor, &arena, bytes, &p);
    if (status != XMTP_OK) {
        status = xmtp_fail(error, XMTP_E_ARGUMENT, "the request is no valid SubscribeRequest");
    } else {
        status = take_request(s, p, error);
    }
    xmtp_arena_reset(&arena);
    return status;
}

static void session_half_close(xmtp_node_feed *base)
{
    session *s = (session *)base;
    s->is_half_closed = true;
    s->ping_ns = 0;
}

/* ---- handing out */

static xmtp_status take_control(session *s, xmtp_writer *out)
{
    const uint8_t *p = s->control.p + s->control_at;
    size_t n = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    xmtp_writer_put(out, xmtp_bytes_of(p + PREFIX_LEN, n));
    s->control_at += PREFIX_LEN + n;
    if (s->control_at == s->control.n) {
        xmtp_writer_free(&s->control);
        s->control_at = 0;
    }
    return xmtp_writer_status(out);
}

/* The next live place that is to be sent. XMTP_E_RETRY: none now. */
static xmtp_status next_live(session *s, session_topic **out, xmtp_node_place *place)
{
    if (s->held != NULL) {
        *out = s->held;
        *place = s->held_place;
        s->held = NULL;
        return XMTP_OK;
    }
    for (;;) {
        xmtp_node_watch *watch;
        xmtp_status status = xmtp_node_tap_take(s->tap, &watch, place);
        if (status == XMTP_E_LIMIT) {
            XMTP_TRY(xmtp_session_catch_up_again(s));
            continue;
        }
        XMTP_TRY(status);
        session_topic *t = (session_topic *)watch;
        size_t kind_at = xmtp_session_kind_at(xmtp_node_watch_kind(watch));
        if (t->wave != NULL) {
            t->wave->is_dirty |= place->id > t->wave->up_to[kind_at];
        } else if (place->id > t->cursor) {
            *out = t;
            return XMTP_OK;
        }
    }
}

static xmtp_status fill_live(session *s, session_frame *frame, xmtp_writer *out, xmtp_error *error)
{
    for (;;) {
        session_topic *t;
        xmtp_node_place place;
        XMTP_TRY(next_live(s, &t, &place));
        if (frame->count > 0 &&
            out->n - frame->start + place.len > (size_t)XMTP_NODE_FRAME_LEN_MAX) {
            s->held = t;
            s->held_place = place;
            return XMTP_OK;
        }
        XMTP_TRY(xmtp_session_put_message(s, t, &place, out, error));
        frame->count++;
    }
}

/* Nothing is appended when there is nothing live. */
static xmtp_status live_turn(session *s, xmtp_writer *out, xmtp_error *error)
{
    session_frame frame = xmtp_session_frame_open(out);
    xmtp_status status = fill_live(s, &frame, out, error);
    xmtp_session_frame_close(&frame, 0, out);
    return status == XMTP_E_RETRY ? XMTP_OK : status;
}

/* One turn of live, then one of a wave. */
static xmtp_status next_messages(session *s, xmtp_writer *out, xmtp_error *error)
{
    size_t start = out->n;
    s->is_live_turn = !s->is_live_turn;
    if ((s->is_live_turn || s->wave_count == 0) && !xmtp_session_waves_hold_live(s)) {
        XMTP_TRY(live_turn(s, out, error));
    }
    if (out->n == start && s->wave_count > 0) {
        XMTP_TRY(xmtp_session_wave_turn(s, out, error));
    }
    return XMTP_OK;
}

static xmtp_status hand_out(session *s, xmtp_writer *out, xmtp_error *error)
{
    size_t start = out->n;
    while (out->n == start) {
        if (s->control.n > 0) {
            return take_control(s, out);
        }
        if (s->is_half_closed && s->wave_count == 0) {
            return XMTP_E_CLOSED;
        }
        bool had_waves = s->wave_count > 0;
        XMTP_TRY(next_messages(s, out, error));
        if (out->n == start && !had_waves && s->wave_count == 0) {
            return XMTP_E_RETRY;
        }
    }
    return XMTP_OK;
}

static xmtp_status session_next(xmtp_node_feed *base, xmtp_writer *out, xmtp_error *error)
{
    session *s = (session *)base;
    xmtp_status status = hand_out(s, out, error);
    s->was_asked = true;
    s->gave_nothing = status == XMTP_E_RETRY;
    s->has_sent |= status == XMTP_OK;
    if (status == XMTP_E_IO || status == XMTP_E_CORRUPT || status == XMTP_E_DATABASE) {
        return xmtp_fail(error, XMTP_E_RPC_UNAVAILABLE, "catch-up failed");
    }
    return status;
}

static bool session_is_quick(xmtp_node_feed *base)
{
    const session *s = (const session *)base;
    return s->wave_count == 0 && !xmtp_node_tap_is_behind(s->tap);
}

/* ---- liveness */

static xmtp_status give_up_on_stalled(const session *s, xmtp_error *error)
{
    return s->is_half_closed
               ? xmtp_fail(error, XMTP_E_TIMEOUT, "the client did not take the rest in time")
               : xmtp_fail(error, XMTP_E_RPC_UNAVAILABLE, "send stalled: the client does not read");
}

static xmtp_status session_tick(xmtp_node_feed *base, uint64_t now_ns, xmtp_error *error)
{
    session *s = (session *)base;
    s->sent_ns = s->has_sent || s->sent_ns == 0 ? now_ns : s->sent_ns;
    s->asked_ns = s->was_asked || s->gave_nothing || s->asked_ns == 0 ? now_ns : s->asked_ns;
    s->has_sent = false;
    s->was_asked = false;
    if (now_ns - s->asked_ns >= keep_alive_ns) {
        return give_up_on_stalled(s, error);
    }
    if (s->ping_ns != 0 && now_ns - s->ping_ns >= keep_alive_ns) {
        return xmtp_fail(error, XMTP_E_TIMEOUT, "no Pong within %d s",
                         XMTP_NODE_KEEP_ALIVE_MS / 1000);
    }
    if (s->is_half_closed || s->ping_ns != 0 || now_ns - s->sent_ns < keep_alive_ns) {
        return XMTP_E_RETRY;
    }
    s->ping_ns = now_ns;
    s->ping_nonce++;
    return xmtp_session_control(s, XMTP_SESSION_PING, s->ping_nonce);
}

/* ---- opening and closing */

static void free_topic(void *context, xmtp_bytes key, void *value)
{
    session *s = context;
    session_topic *t = *(session_topic **)value;
    (void)key;
    xmtp_node_watches_unlink(&t->watch, sizeof *t, 1);
    xmtp_list_remove(&t->link);
    (void)allocate(s, t, 0);
}

static void session_free(xmtp_node_feed *base)
{
    session *s = (session *)base;
    xmtp_node_table_each(&s->topics, s, free_topic);
    xmtp_node_table_free(&s->topics);
    while (!xmtp_list_is_empty(&s->waves)) {
        xmtp_session_wave_free(s, XMTP_LIST_OF(s->waves.next, session_wave, link));
    }
    xmtp_node_tap_free(s->tap);
    xmtp_writer_free(&s->control);
    xmtp_writer_free(&s->payload);
    (void)allocate(s, s, 0);
}

static const xmtp_node_feed_ops session_ops = {.next = session_next,
                                               .is_quick = session_is_quick,
                                               .tick = session_tick,
                                               .request = session_request,
                                               .half_close = session_half_close,
                                               .free = session_free};

xmtp_status xmtp_node_session_open(xmtp_node_feed **out, xmtp_node_dispatcher *dispatcher,
                                   uint64_t topics_max, void *context, void (*ready)(void *context))
{
    const xmtp_env *env = xmtp_node_dispatcher_env(dispatcher);
    *out = NULL;
    session *s = env->alloc.reallocate(env->alloc.context, NULL, sizeof *s);
    XMTP_ENSURE(s != NULL, XMTP_E_NOMEM);
    *s = (session){
        .base.ops = &session_ops, .dispatcher = dispatcher, .env = env, .topics_max = topics_max};
    xmtp_list_init(&s->waves);
    xmtp_writer_init(&s->control, &env->alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&s->payload, &env->alloc, XMTP_WRITER_MAX);
    xmtp_status status = xmtp_node_table_init(&s->topics, env, sizeof(session_topic *));
    if (status == XMTP_OK) {
        status = xmtp_node_tap_new(&s->tap, dispatcher, context, ready);
    }
    if (status == XMTP_OK) {
        status = xmtp_session_control(s, XMTP_SESSION_STARTED, XMTP_NODE_KEEP_ALIVE_MS);
    }
    if (status != XMTP_OK) {
        session_free(&s->base);
        return status;
    }
    *out = &s->base;
    return XMTP_OK;
}
