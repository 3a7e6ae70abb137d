/* envelopes.c - watches with a cursor each, a merge while catching up, the tap afterwards.
 *
 *     watches (or one for every topic of a kind) --> merge of group messages, merge of welcomes
 *                                                --> live
 *
 * Catching up, at the beginning and after the tap was full, goes in the order of ids of a kind. So
 * the id of the last envelope of each kind is all that a push server has to remember.
 */
#include "node/envelopes.h"

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"
#include "node/behind.h"
#include "node/merge.h"
#include "node/table.h"
#include "proto/field.h"
#include "proto/message.h"
#include "proto/subscribe.pb-c.h"

#include <stdio.h>
#include <string.h>

enum { KINDS = 2, ARENA_LEN_MIN = 65536, ARENA_FACTOR = 16 };

static const xmtp_node_kind kinds[KINDS] = {XMTP_NODE_GROUP_MESSAGE, XMTP_NODE_WELCOME};

typedef struct cursor_watch {
    xmtp_node_watch base; /* first */
    uint64_t cursor;
} cursor_watch;

typedef struct envelopes {
    xmtp_node_feed base; /* first */
    xmtp_node_dispatcher *dispatcher;
    const xmtp_env *env;
    xmtp_node_tap *tap;
    cursor_watch *watches;
    size_t watch_count;
    size_t topics_max;
    bool wants_all;
    bool is_half_closed;

    bool is_catching_up;
    size_t kind_at;
    uint64_t up_to[KINDS];
    xmtp_node_merge *merge; /* of the present kind; NULL: not begun */

    xmtp_node_behind behind;
} envelopes;

static void *allocate(const envelopes *e, void *p, size_t n)
{
    return e->env->alloc.reallocate(e->env->alloc.context, p, n);
}

static size_t kind_index(xmtp_node_kind kind)
{
    return kind == XMTP_NODE_GROUP_MESSAGE ? 0 : 1;
}

/* ---- which topics */

/* "/xmtp/mls/1/g-<hex>/proto", "/xmtp/mls/1/w-<hex>/proto". Others hold no messages of this node
 * and are left out: push servers also list topics of the old network. */
static bool read_topic(const char *text, xmtp_node_kind *kind,
                       uint8_t topic[XMTP_NODE_TOPIC_LEN_MAX], size_t *n)
{
    static const char prefix[] = "/xmtp/mls/1/";
    static const char suffix[] = "/proto";
    size_t len = strlen(text);
    size_t frame = sizeof prefix - 1 + 2 + sizeof suffix - 1;
    if (len <= frame || memcmp(text, prefix, sizeof prefix - 1) != 0 ||
        strcmp(text + len - (sizeof suffix - 1), suffix) != 0) {
        return false;
    }
    const char *name = text + sizeof prefix - 1;
    size_t hex_len = len - frame;
    *n = hex_len / 2;
    *kind = name[0] == 'g' ? XMTP_NODE_GROUP_MESSAGE : XMTP_NODE_WELCOME;
    return (name[0] == 'g' || name[0] == 'w') && name[1] == '-' && hex_len % 2 == 0 &&
           *n <= XMTP_NODE_TOPIC_LEN_MAX &&
           xmtp_hex_decode(topic, *n, name + 2, hex_len) == XMTP_OK;
}

static void write_topic(xmtp_writer *w, xmtp_node_kind kind, xmtp_bytes topic)
{
    char text[32 + 2 * XMTP_NODE_TOPIC_LEN_MAX];
    char hex[2 * XMTP_NODE_TOPIC_LEN_MAX + 1];
    xmtp_hex_encode(hex, topic);
    (void)snprintf(text, sizeof text, "/xmtp/mls/1/%c-%s/proto",
                   kind == XMTP_NODE_GROUP_MESSAGE ? 'g' : 'w', hex);
    xmtp_field_put_bytes(w, 1, xmtp_bytes_of_string(text));
}

/* One watch a topic. kept: the watches before, by key, whose cursors go on. */
static xmtp_status add_watch(envelopes *e, xmtp_node_table *seen, const xmtp_node_table *kept,
                             xmtp_node_kind kind, xmtp_bytes topic, const uint64_t from[KINDS])
{
    cursor_watch *w = &e->watches[e->watch_count];
    *w = (cursor_watch){.cursor = from[kind_index(kind)]};
    xmtp_node_watch_init(&w->base, e->tap, kind, topic);
    xmtp_bytes key = xmtp_bytes_of(w->base.key, w->base.key_len);
    bool *slot = xmtp_node_table_put(seen, key);
    XMTP_ENSURE(slot != NULL, XMTP_E_NOMEM);
    if (!*slot) {
        const uint64_t *cursor = kept == NULL ? NULL : xmtp_node_table_find(kept, key);
        *slot = true;
        w->cursor = cursor == NULL ? w->cursor : *cursor;
        e->watch_count++;
    }
    return XMTP_OK;
}

static xmtp_status add_watches(envelopes *e, const Pb__EnvelopeSubscribeRequest *request,
                               const xmtp_node_table *kept, const uint64_t from[KINDS])
{
    xmtp_node_table seen;
    XMTP_TRY(xmtp_node_table_init(&seen, e->env, sizeof(bool)));
    xmtp_status status = XMTP_OK;
    for (size_t i = 0; i < request->n_content_topics && status == XMTP_OK; i++) {
        xmtp_node_kind kind;
        uint8_t topic[XMTP_NODE_TOPIC_LEN_MAX];
        size_t n;
        if (read_topic(request->content_topics[i], &kind, topic, &n)) {
            status = add_watch(e, &seen, kept, kind, xmtp_bytes_of(topic, n), from);
        }
    }
    xmtp_node_table_free(&seen);
    return status;
}

static void begin_catch_up(envelopes *e)
{
    xmtp_node_merge_free(e->merge);
    e->merge = NULL;
    e->kind_at = 0;
    e->is_catching_up = true;
    for (size_t i = 0; i < KINDS; i++) {
        e->up_to[i] = xmtp_node_dispatcher_published(e->dispatcher, kinds[i]);
    }
}

static xmtp_status keep_cursors(const envelopes *e, xmtp_node_table *kept)
{
    for (size_t i = 0; i < e->watch_count; i++) {
        const cursor_watch *w = &e->watches[i];
        uint64_t *cursor = xmtp_node_table_put(kept, xmtp_bytes_of(w->base.key, w->base.key_len));
        XMTP_ENSURE(cursor != NULL, XMTP_E_NOMEM);
        *cursor = w->cursor;
    }
    return XMTP_OK;
}

/* The list becomes the one of the request; topics that stay go on where they are, in one more
 * catching up, so that nothing is lost between the two lists. */
static xmtp_status replace_watches(envelopes *e, const Pb__EnvelopeSubscribeRequest *request,
                                   const xmtp_node_table *kept, const uint64_t from[KINDS])
{
    size_t n = request->n_content_topics * sizeof *e->watches;
    xmtp_node_watches_unlink(e->watches, sizeof *e->watches, e->watch_count);
    (void)allocate(e, e->watches, 0);
    e->watch_count = 0;
    e->watches = n == 0 ? NULL : allocate(e, NULL, n);
    XMTP_ENSURE(n == 0 || e->watches != NULL, XMTP_E_NOMEM);
    XMTP_TRY(add_watches(e, request, kept, from));
    XMTP_TRY(xmtp_node_watches_link(e->watches, sizeof *e->watches, e->watch_count));
    begin_catch_up(e);
    return XMTP_OK;
}

static xmtp_status watch_list(envelopes *e, xmtp_bytes bytes, const uint64_t from[KINDS],
                              xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_node_table kept;
    void *p;
    XMTP_TRY(xmtp_node_table_init(&kept, e->env, sizeof(uint64_t)));
    xmtp_arena_init(&arena, &e->env->alloc, ARENA_LEN_MIN + ARENA_FACTOR * bytes.n);
    xmtp_status status =
        xmtp_proto_decode(&pb__envelope_subscribe_request__descriptor, &arena, bytes, &p);
    const Pb__EnvelopeSubscribeRequest *request = p;
    if (status != XMTP_OK) {
        status = xmtp_fail(error, XMTP_E_ARGUMENT, "the request is no valid SubscribeRequest");
    } else if (request->n_content_topics > e->topics_max) {
        status = xmtp_fail(error, XMTP_E_ARGUMENT, "%zu topics, at most %zu are allowed",
                           request->n_content_topics, e->topics_max);
    } else {
        status = keep_cursors(e, &kept);
        status = status == XMTP_OK ? replace_watches(e, request, &kept, from) : status;
    }
    xmtp_arena_reset(&arena);
    xmtp_node_table_free(&kept);
    return status;
}

static xmtp_status watch_everything(envelopes *e, const uint64_t from[KINDS])
{
    e->watches = allocate(e, NULL, KINDS * sizeof *e->watches);
    XMTP_ENSURE(e->watches != NULL, XMTP_E_NOMEM);
    for (size_t i = 0; i < KINDS; i++) {
        e->watches[i] = (cursor_watch){.cursor = from[i]};
        xmtp_node_watch_init(&e->watches[i].base, e->tap, kinds[i], (xmtp_bytes){0});
    }
    e->watch_count = KINDS;
    XMTP_TRY(xmtp_node_watches_link(e->watches, sizeof *e->watches, e->watch_count));
    begin_catch_up(e);
    return XMTP_OK;
}

/* ---- catching up */

typedef struct gather {
    envelopes *feed;
    xmtp_status status;
} gather;

static void gather_topic(void *context, xmtp_bytes topic)
{
    gather *g = context;
    envelopes *e = g->feed;
    cursor_watch *w = &e->watches[e->kind_at];
    if (g->status == XMTP_OK) {
        g->status = xmtp_node_merge_add_newer(e->merge, topic, w->cursor, w);
    }
}

static xmtp_status begin_merge(envelopes *e)
{
    xmtp_node_archive *archive = xmtp_node_dispatcher_archive(e->dispatcher);
    xmtp_node_kind kind = kinds[e->kind_at];
    XMTP_TRY(xmtp_node_merge_new(&e->merge, e->env, archive, kind, e->up_to[e->kind_at]));
    if (e->wants_all) {
        gather g = {.feed = e, .status = XMTP_OK};
        xmtp_node_archive_each_newer(archive, kind, e->watches[e->kind_at].cursor, &g,
                                     gather_topic);
        return g.status;
    }
    for (size_t i = 0; i < e->watch_count; i++) {
        cursor_watch *w = &e->watches[i];
        if (xmtp_node_watch_kind(&w->base) == kind) {
            XMTP_TRY(xmtp_node_merge_add(e->merge, xmtp_node_watch_topic(&w->base), w->cursor, w));
        }
    }
    return XMTP_OK;
}

/* XMTP_E_NOT_FOUND: caught up. */
static xmtp_status next_stored(envelopes *e, cursor_watch **watch, xmtp_node_place *place)
{
    for (; e->kind_at < KINDS; e->kind_at++) {
        void *owner;
        if (e->merge == NULL) {
            XMTP_TRY(begin_merge(e));
        }
        xmtp_status status = xmtp_node_merge_peek(e->merge, place, &owner);
        if (status != XMTP_E_NOT_FOUND) {
            XMTP_TRY(status);
            xmtp_node_merge_pop(e->merge);
            *watch = owner;
            return XMTP_OK;
        }
        xmtp_node_merge_free(e->merge);
        e->merge = NULL;
    }
    e->is_catching_up = false;
    return XMTP_E_NOT_FOUND;
}

static xmtp_status next_place(envelopes *e, cursor_watch **watch, xmtp_node_place *place)
{
    for (;;) {
        if (e->is_catching_up) {
            xmtp_status status = next_stored(e, watch, place);
            if (status != XMTP_E_NOT_FOUND) {
                return status;
            }
        }
        xmtp_node_watch *base;
        xmtp_status status = xmtp_node_tap_take(e->tap, &base, place);
        *watch = (cursor_watch *)base;
        if (status == XMTP_E_LIMIT) {
            xmtp_node_behind_begin(&e->behind);
            begin_catch_up(e);
        } else if (status == XMTP_E_RETRY) {
            xmtp_node_behind_end(&e->behind);
            return status;
        } else if (place->id > (*watch)->cursor) {
            return XMTP_OK;
        }
    }
}

/* ---- the feed */

static void put_envelope(const xmtp_node_record *record, xmtp_writer *out)
{
    write_topic(out, record->kind, record->topic);
    xmtp_field_put_u64(out, 2, record->time_ns);
    xmtp_field_put_message(out, 3, record->payload);
}

static xmtp_status write_place(envelopes *e, cursor_watch *watch, const xmtp_node_place *place,
                               xmtp_writer *out, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_node_record record;
    xmtp_arena_init(&arena, &e->env->alloc, (size_t)place->len + 64);
    xmtp_status status = xmtp_node_archive_read(xmtp_node_dispatcher_archive(e->dispatcher), place,
                                                &arena, &record, error);
    if (status == XMTP_OK) {
        put_envelope(&record, out);
        status = xmtp_writer_status(out);
        xmtp_node_behind_progress(&e->behind);
    }
    if (status == XMTP_OK || status == XMTP_E_NOT_FOUND) { /* dropped since its place was learnt */
        watch->cursor = place->id;
    }
    xmtp_arena_reset(&arena);
    return status;
}

static xmtp_status envelopes_next(xmtp_node_feed *base, xmtp_writer *out, xmtp_error *error)
{
    envelopes *e = (envelopes *)base;
    xmtp_status status = XMTP_E_NOT_FOUND;
    while (status == XMTP_E_NOT_FOUND) {
        cursor_watch *watch = NULL;
        xmtp_node_place place;
        status = next_place(e, &watch, &place);
        if (status == XMTP_E_RETRY && e->is_half_closed) {
            return XMTP_E_CLOSED;
        }
        XMTP_TRY(status);
        status = write_place(e, watch, &place, out, error);
    }
    return status;
}

static bool envelopes_is_quick(xmtp_node_feed *base)
{
    const envelopes *e = (const envelopes *)base;
    return !e->is_catching_up && !xmtp_node_tap_is_behind(e->tap);
}

static xmtp_status envelopes_tick(xmtp_node_feed *base, uint64_t now_ns, xmtp_error *error)
{
    envelopes *e = (envelopes *)base;
    return xmtp_node_behind_tick(&e->behind, xmtp_node_tap_is_behind(e->tap), now_ns, error);
}

static void published_now(const envelopes *e, uint64_t out[KINDS])
{
    for (size_t i = 0; i < KINDS; i++) {
        out[i] = xmtp_node_dispatcher_published(e->dispatcher, kinds[i]);
    }
}

static xmtp_status envelopes_request(xmtp_node_feed *base, xmtp_bytes bytes, xmtp_error *error)
{
    envelopes *e = (envelopes *)base;
    uint64_t from[KINDS];
    published_now(e, from);
    return watch_list(e, bytes, from, error);
}

static void envelopes_half_close(xmtp_node_feed *base)
{
    ((envelopes *)base)->is_half_closed = true;
}

static void envelopes_free(xmtp_node_feed *base)
{
    envelopes *e = (envelopes *)base;
    xmtp_node_watches_unlink(e->watches, sizeof *e->watches, e->watch_count);
    xmtp_node_merge_free(e->merge);
    xmtp_node_tap_free(e->tap);
    (void)allocate(e, e->watches, 0);
    (void)allocate(e, e, 0);
}

/* ---- opening */

/* Digits up to the comma or the end; an empty number leaves *out as it is. */
static bool read_number(const char **text, uint64_t *out)
{
    uint64_t value = 0;
    const char *p = *text;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (value > (INT64_MAX - 9) / 10) {
            return false; /* ids stay below 2^63 */
        }
        value = 10 * value + (uint64_t)(*p - '0');
    }
    *out = p == *text ? *out : value;
    *text = p;
    return true;
}

static xmtp_status read_start_after(const char *text, uint64_t from[KINDS], xmtp_error *error)
{
    const char *p = text;
    bool is_valid = read_number(&p, &from[0]);
    if (is_valid && *p == ',') {
        p++;
        is_valid = read_number(&p, &from[1]);
    }
    if (!is_valid || *p != '\0') {
        return xmtp_fail(error, XMTP_E_ARGUMENT,
                         "x-start-after-id is <group message id>,<welcome id>, not %.40s", text);
    }
    return XMTP_OK;
}

static xmtp_status start(envelopes *e, const xmtp_node_envelopes_options *options,
                         xmtp_error *error)
{
    uint64_t from[KINDS];
    published_now(e, from);
    XMTP_TRY(read_start_after(options->start_after, from, error));
    XMTP_TRY(xmtp_node_tap_new(&e->tap, e->dispatcher, options->context, options->ready));
    if (options->takes_requests) {
        return XMTP_OK;
    }
    return options->wants_all ? watch_everything(e, from)
                              : watch_list(e, options->request, from, error);
}

xmtp_status xmtp_node_envelopes_open(xmtp_node_feed **out, xmtp_node_dispatcher *dispatcher,
                                     const xmtp_node_envelopes_options *options, xmtp_error *error)
{
    static const xmtp_node_feed_ops one = {.next = envelopes_next,
                                           .is_quick = envelopes_is_quick,
                                           .tick = envelopes_tick,
                                           .free = envelopes_free};
    static const xmtp_node_feed_ops many = {.next = envelopes_next,
                                            .is_quick = envelopes_is_quick,
                                            .tick = envelopes_tick,
                                            .request = envelopes_request,
                                            .half_close = envelopes_half_close,
                                            .free = envelopes_free};
    const xmtp_env *env = xmtp_node_dispatcher_env(dispatcher);
    *out = NULL;
    envelopes *e = env->alloc.reallocate(env->alloc.context, NULL, sizeof *e);
    XMTP_ENSURE(e != NULL, XMTP_E_NOMEM);
    *e = (envelopes){.base.ops = options->takes_requests ? &many : &one,
                     .dispatcher = dispatcher,
                     .env = env,
                     .topics_max = options->topics_max,
                     .wants_all = options->wants_all};
    xmtp_status status = start(e, options, error);
    if (status != XMTP_OK) {
        envelopes_free(&e->base);
        return status;
    }
    *out = &e->base;
    return XMTP_OK;
}
