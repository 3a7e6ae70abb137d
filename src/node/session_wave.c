/* session_wave.c - the replay of a session: passes over the archive until nothing is newer.
 *
 *     pass 1: (cursors, P1]     what is published meanwhile for its topics only makes it dirty
 *     pass 2: (P1, P2]          usually short
 *     ...
 *     not dirty: TopicsLive, CatchupComplete; the topics are live
 *
 * Every pass ascends per kind and lies behind the one before, so the wave ascends as a whole. From
 * pass 3 on nothing is taken from the tap meanwhile, so the wave cannot become dirty again and ends.
 * Nothing is held in memory for it: places of a wave's topics are dropped and read again.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "node/session_internal.h"

enum { PASSES_UNHINDERED = 3 };

static void *allocate(const session *s, void *p, size_t n)
{
    return s->env->alloc.reallocate(s->env->alloc.context, p, n);
}

session_wave *xmtp_session_wave_new(session *s, uint64_t mutate_id)
{
    session_wave *wave = allocate(s, NULL, sizeof *wave);
    if (wave != NULL) {
        *wave = (session_wave){.mutate_id = mutate_id};
        xmtp_list_init(&wave->topics);
        xmtp_list_init(&wave->dropped);
        xmtp_list_append(&s->waves, &wave->link);
        s->wave_count++;
    }
    return wave;
}

static void free_dropped(session *s, session_wave *wave)
{
    while (!xmtp_list_is_empty(&wave->dropped)) {
        session_topic *t = XMTP_LIST_OF(wave->dropped.next, session_topic, link);
        xmtp_list_remove(&t->link);
        (void)allocate(s, t, 0);
    }
}

static void end_merge(session *s, session_wave *wave)
{
    xmtp_node_merge_free(wave->merge);
    wave->merge = NULL;
    free_dropped(s, wave);
}

void xmtp_session_wave_free(session *s, session_wave *wave)
{
    end_merge(s, wave);
    xmtp_list_remove(&wave->link);
    s->wave_count--;
    (void)allocate(s, wave, 0);
}

void xmtp_session_wave_add(session_wave *wave, session_topic *t)
{
    t->wave = wave;
    xmtp_list_append(&wave->topics, &t->link);
}

void xmtp_session_wave_begin(session *s, session_wave *wave)
{
    for (size_t i = 0; i < XMTP_SESSION_KINDS; i++) {
        wave->up_to[i] = xmtp_node_dispatcher_published(s->dispatcher, xmtp_session_kind(i));
    }
    wave->is_dirty = false;
    wave->kind_at = 0;
    wave->pass++;
}

bool xmtp_session_waves_hold_live(const session *s)
{
    for (xmtp_list *l = s->waves.next; l != &s->waves; l = l->next) {
        if (XMTP_LIST_OF(l, session_wave, link)->pass >= PASSES_UNHINDERED) {
            return true;
        }
    }
    return false;
}

/* ---- one pass */

static xmtp_status begin_merge(session *s, session_wave *wave)
{
    xmtp_node_kind kind = xmtp_session_kind(wave->kind_at);
    XMTP_TRY(xmtp_node_merge_new(&wave->merge, s->env, xmtp_node_dispatcher_archive(s->dispatcher),
                                 kind, wave->up_to[wave->kind_at]));
    for (xmtp_list *l = wave->topics.next; l != &wave->topics; l = l->next) {
        session_topic *t = XMTP_LIST_OF(l, session_topic, link);
        if (xmtp_node_watch_kind(&t->watch) == kind) {
            XMTP_TRY(
                xmtp_node_merge_add(wave->merge, xmtp_node_watch_topic(&t->watch), t->cursor, t));
        }
    }
    return XMTP_OK;
}

/* Puts messages into the frame until it is full (XMTP_OK) or none is left (XMTP_E_NOT_FOUND). */
static xmtp_status fill_frame(session *s, session_wave *wave, session_frame *frame,
                              xmtp_writer *out, xmtp_error *error)
{
    for (;;) {
        xmtp_node_place place;
        void *owner;
        XMTP_TRY(xmtp_node_merge_peek(wave->merge, &place, &owner));
        session_topic *t = owner;
        if (t->is_dropped) {
            xmtp_node_merge_pop_topic(wave->merge);
            continue;
        }
        if (frame->count > 0 &&
            out->n - frame->start + place.len > (size_t)XMTP_NODE_FRAME_LEN_MAX) {
            return XMTP_OK;
        }
        XMTP_TRY(xmtp_session_put_message(s, t, &place, out, error));
        frame->count++;
        xmtp_node_merge_pop(wave->merge);
    }
}

/* The rest of the present kind, at most one frame. XMTP_E_NOT_FOUND: the kind is done; what was
 * appended, if anything, is a whole frame in either case. */
static xmtp_status kind_turn(session *s, session_wave *wave, xmtp_writer *out, xmtp_error *error)
{
    if (wave->merge == NULL) {
        XMTP_TRY(begin_merge(s, wave));
    }
    session_frame frame = xmtp_session_frame_open(out);
    xmtp_status status = fill_frame(s, wave, &frame, out, error);
    xmtp_session_frame_close(&frame, wave->mutate_id, out);
    if (status == XMTP_E_NOT_FOUND) {
        end_merge(s, wave);
        wave->kind_at++;
    }
    return status;
}

/* ---- the end */

xmtp_status xmtp_session_wave_complete(session *s, session_wave *wave)
{
    uint64_t mutate_id = wave->mutate_id;
    if (mutate_id != 0 && !xmtp_list_is_empty(&wave->topics)) {
        XMTP_TRY(xmtp_session_topics_live(s, wave));
    }
    while (!xmtp_list_is_empty(&wave->topics)) {
        session_topic *t = XMTP_LIST_OF(wave->topics.next, session_topic, link);
        xmtp_list_remove(&t->link);
        t->wave = NULL;
        if (t->is_history) {
            xmtp_session_drop_topic(s, t);
        }
    }
    xmtp_session_wave_free(s, wave);
    return mutate_id == 0 ? XMTP_OK
                          : xmtp_session_control(s, XMTP_SESSION_CATCHUP_COMPLETE, mutate_id);
}

/* Waves take turns, so that a long one does not keep a short one waiting. */
xmtp_status xmtp_session_wave_turn(session *s, xmtp_writer *out, xmtp_error *error)
{
    session_wave *wave = XMTP_LIST_OF(s->waves.next, session_wave, link);
    xmtp_list_remove(&wave->link);
    xmtp_list_append(&s->waves, &wave->link);
    for (;;) {
        size_t start = out->n;
        while (wave->kind_at < XMTP_SESSION_KINDS) {
            xmtp_status status = kind_turn(s, wave, out, error);
            if (status != XMTP_OK && status != XMTP_E_NOT_FOUND) {
                return status;
            }
            if (out->n > start) {
                return XMTP_OK;
            }
        }
        if (!wave->is_dirty) {
            return xmtp_session_wave_complete(s, wave);
        }
        xmtp_session_wave_begin(s, wave);
    }
}

typedef struct again {
    session *session;
    session_wave *wave;
} again;

static void join_wave(void *context, xmtp_bytes key, void *value)
{
    again *a = context;
    session_topic *t = *(session_topic **)value;
    (void)key;
    if (t->wave == NULL) {
        xmtp_session_wave_add(a->wave, t);
    }
}

xmtp_status xmtp_session_catch_up_again(session *s)
{
    for (xmtp_list *l = s->waves.next; l != &s->waves; l = l->next) {
        XMTP_LIST_OF(l, session_wave, link)->is_dirty = true; /* their places are gone too */
    }
    again a = {.session = s, .wave = xmtp_session_wave_new(s, 0)};
    XMTP_ENSURE(a.wave != NULL, XMTP_E_NOMEM);
    xmtp_node_table_each(&s->topics, &a, join_wave);
    xmtp_session_wave_begin(s, a.wave);
    return XMTP_OK;
}
