/* dispatcher.c - topics with their subscriptions, and the two ways of a subscription: replay, live.
 *
 *     topics: kind, topic -> watch -> watch -> NULL         a watch is one topic of one
 * subscription
 *                             |
 *     subscription { watches, replay list of watches, page being handed out, live queue of places }
 *
 * A watch's cursor is the last id handed out. During replay, ids up to replay_to come from the
 * archive; what is published meanwhile gathers in the live queue and begins above replay_to. Live
 * places at or below a watch's cursor are skipped, which makes any overlap harmless.
 */
#include "node/dispatcher.h"

#include "base/bytes.h"
#include "base/status.h"
#include "node/table.h"

#include <pthread.h>
#include <string.h>

enum {
    REPLAY_PAGE_COUNT = 32, /* rows of one topic before the next one has its turn */
    LINK_CHUNK = 1024,      /* topics registered without letting a publisher in between */
    LIVE_CAPACITY_MIN = 16,
    LIVE_CAPACITY_KEPT = 256, /* an empty queue larger than this is freed */
};

typedef struct watch {
    xmtp_node_subscription *subscription;
    struct watch *next_of_topic;
    struct watch **previous_of_topic; /* what points to this one */
    struct watch *next_in_replay;
    uint64_t cursor;
    uint8_t key_len;
    uint8_t key[1 + XMTP_NODE_TOPIC_LEN_MAX]; /* kind, topic */
} watch;

typedef struct live_place {
    watch *watch;
    xmtp_node_place place;
} live_place;

struct xmtp_node_dispatcher {
    const xmtp_env *env;
    xmtp_node_archive *archive;
    pthread_mutex_t lock;   /* for all below, and what of subscriptions is marked so */
    xmtp_node_table topics; /* key -> first watch */
    uint64_t published[XMTP_NODE_KIND_COUNT];
};

struct xmtp_node_subscription {
    xmtp_node_dispatcher *dispatcher;
    xmtp_node_kind kind;
    watch *watches;
    size_t watch_count;

    watch *replay_first;
    watch **replay_last;
    uint64_t replay_to;
    watch *page_watch; /* whose rows are in page */
    xmtp_node_place page[REPLAY_PAGE_COUNT];
    size_t page_count;
    size_t page_used;

    /* Under the dispatcher's lock. */
    void *context;
    void (*ready)(void *context);
    bool is_collecting; /* false until P was read */
    bool is_told;       /* ready was called, or next has not said RETRY yet */
    bool is_behind;     /* the live queue was full: replay again */
    live_place *live;   /* a ring */
    size_t live_first;
    size_t live_count;
    size_t live_capacity; /* a power of two, or 0 */
};

xmtp_status xmtp_node_dispatcher_new(xmtp_node_dispatcher **out, const xmtp_env *env,
                                     xmtp_node_archive *archive)
{
    *out = NULL;
    xmtp_node_dispatcher *d = env->alloc.reallocate(env->alloc.context, NULL, sizeof *d);
    XMTP_ENSURE(d != NULL, XMTP_E_NOMEM);
    *d = (xmtp_node_dispatcher){.env = env, .archive = archive};
    xmtp_status status = xmtp_node_table_init(&d->topics, env, sizeof(watch *));
    if (status != XMTP_OK) {
        (void)env->alloc.reallocate(env->alloc.context, d, 0);
        return status;
    }
    for (int kind = 1; kind < XMTP_NODE_KIND_COUNT; kind++) {
        d->published[kind] = xmtp_node_archive_last_id(archive, (xmtp_node_kind)kind);
    }
    (void)pthread_mutex_init(&d->lock, NULL);
    *out = d;
    return XMTP_OK;
}

void xmtp_node_dispatcher_free(xmtp_node_dispatcher *d)
{
    if (d != NULL) {
        xmtp_node_table_free(&d->topics);
        (void)pthread_mutex_destroy(&d->lock);
        (void)d->env->alloc.reallocate(d->env->alloc.context, d, 0);
    }
}

/* ---- the live queue, under the lock */

static void *allocate(const xmtp_node_dispatcher *d, void *p, size_t n)
{
    return d->env->alloc.reallocate(d->env->alloc.context, p, n);
}

static void live_clear(xmtp_node_subscription *s)
{
    s->live_count = 0;
    s->live_first = 0;
    if (s->live_capacity > LIVE_CAPACITY_KEPT) {
        (void)allocate(s->dispatcher, s->live, 0);
        s->live = NULL;
        s->live_capacity = 0;
    }
}

static bool live_grow(xmtp_node_subscription *s)
{
    size_t capacity = s->live_capacity == 0 ? LIVE_CAPACITY_MIN : 2 * s->live_capacity;
    if (capacity > XMTP_NODE_LIVE_COUNT_MAX) {
        return false;
    }
    live_place *live = allocate(s->dispatcher, NULL, capacity * sizeof *live);
    if (live == NULL) {
        return false;
    }
    for (size_t i = 0; i < s->live_count; i++) {
        live[i] = s->live[(s->live_first + i) & (s->live_capacity - 1)];
    }
    (void)allocate(s->dispatcher, s->live, 0);
    s->live = live;
    s->live_capacity = capacity;
    s->live_first = 0;
    return true;
}

static void live_add(xmtp_node_subscription *s, watch *w, const xmtp_node_place *place)
{
    if (s->is_behind) {
        return;
    }
    if (s->live_count == s->live_capacity && !live_grow(s)) {
        s->is_behind = true;
        live_clear(s);
        return;
    }
    s->live[(s->live_first + s->live_count) & (s->live_capacity - 1)] =
        (live_place){.watch = w, .place = *place};
    s->live_count++;
}

static live_place live_take(xmtp_node_subscription *s)
{
    live_place first = s->live[s->live_first];
    s->live_first = (s->live_first + 1) & (s->live_capacity - 1);
    s->live_count--;
    if (s->live_count == 0) {
        live_clear(s);
    }
    return first;
}

/* ---- publishing */

static xmtp_bytes make_key(uint8_t out[1 + XMTP_NODE_TOPIC_LEN_MAX], xmtp_node_kind kind,
                           xmtp_bytes topic)
{
    out[0] = (uint8_t)kind;
    xmtp_copy(out + 1, topic.p, topic.n);
    return xmtp_bytes_of(out, 1 + topic.n);
}

void xmtp_node_dispatcher_publish(xmtp_node_dispatcher *d, const xmtp_node_entry *entry)
{
    uint8_t key[1 + XMTP_NODE_TOPIC_LEN_MAX];
    xmtp_bytes key_bytes = make_key(key, entry->kind, entry->topic);
    (void)pthread_mutex_lock(&d->lock);
    d->published[entry->kind] = entry->place.id;
    watch **first = xmtp_node_table_find(&d->topics, key_bytes);
    for (watch *w = first == NULL ? NULL : *first; w != NULL; w = w->next_of_topic) {
        xmtp_node_subscription *s = w->subscription;
        if (s->is_collecting) {
            live_add(s, w, &entry->place);
            if (!s->is_told) {
                s->is_told = true;
                s->ready(s->context);
            }
        }
    }
    (void)pthread_mutex_unlock(&d->lock);
}

/* ---- subscribing */

static void unlink_watch(xmtp_node_dispatcher *d, watch *w)
{
    if (w->previous_of_topic == NULL) {
        return;
    }
    *w->previous_of_topic = w->next_of_topic;
    if (w->next_of_topic != NULL) {
        w->next_of_topic->previous_of_topic = w->previous_of_topic;
    }
    xmtp_bytes key = xmtp_bytes_of(w->key, w->key_len);
    watch **first = xmtp_node_table_find(&d->topics, key);
    if (first != NULL && *first == NULL) {
        xmtp_node_table_remove(&d->topics, key);
    }
}

void xmtp_node_subscription_free(xmtp_node_subscription *s)
{
    if (s == NULL) {
        return;
    }
    xmtp_node_dispatcher *d = s->dispatcher;
    (void)pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < s->watch_count; i++) {
        unlink_watch(d, &s->watches[i]);
    }
    (void)pthread_mutex_unlock(&d->lock);
    (void)allocate(d, s->live, 0);
    (void)allocate(d, s->watches, 0);
    (void)allocate(d, s, 0);
}

/* One watch a topic: a filter that repeats a topic only lowers its cursor. seen: key -> watch. */
static xmtp_status add_watch(xmtp_node_subscription *s, xmtp_node_table *seen,
                             const xmtp_node_filter *filter)
{
    watch *w = &s->watches[s->watch_count];
    *w = (watch){.subscription = s, .cursor = filter->cursor};
    xmtp_bytes key = make_key(w->key, s->kind, filter->topic);
    w->key_len = (uint8_t)key.n;
    watch **slot = xmtp_node_table_put(seen, key);
    XMTP_ENSURE(slot != NULL, XMTP_E_NOMEM);
    if (*slot == NULL) {
        *slot = w;
        s->watch_count++;
    } else if (filter->cursor < (*slot)->cursor) {
        (*slot)->cursor = filter->cursor;
    }
    return XMTP_OK;
}

static xmtp_status add_watches(xmtp_node_subscription *s, const xmtp_node_filter *filters,
                               size_t count)
{
    xmtp_node_table seen;
    XMTP_TRY(xmtp_node_table_init(&seen, s->dispatcher->env, sizeof(watch *)));
    xmtp_status status = XMTP_OK;
    for (size_t i = 0; i < count && status == XMTP_OK; i++) {
        status = add_watch(s, &seen, &filters[i]);
    }
    xmtp_node_table_free(&seen);
    return status;
}

/* Under the lock. */
static xmtp_status link_watch(xmtp_node_dispatcher *d, watch *w)
{
    watch **first = xmtp_node_table_put(&d->topics, xmtp_bytes_of(w->key, w->key_len));
    XMTP_ENSURE(first != NULL, XMTP_E_NOMEM);
    w->next_of_topic = *first;
    w->previous_of_topic = first;
    if (w->next_of_topic != NULL) {
        w->next_of_topic->previous_of_topic = &w->next_of_topic;
    }
    *first = w;
    return XMTP_OK;
}

/* Publishers may come in between: what they publish is at most P, which is read afterwards. */
static xmtp_status link_watches(xmtp_node_subscription *s)
{
    xmtp_node_dispatcher *d = s->dispatcher;
    xmtp_status status = XMTP_OK;
    for (size_t i = 0; i < s->watch_count && status == XMTP_OK;) {
        (void)pthread_mutex_lock(&d->lock);
        size_t end = i + LINK_CHUNK < s->watch_count ? i + LINK_CHUNK : s->watch_count;
        for (; i < end && status == XMTP_OK; i++) {
            status = link_watch(d, &s->watches[i]);
        }
        (void)pthread_mutex_unlock(&d->lock);
    }
    return status;
}

static xmtp_status make_watches(xmtp_node_subscription *s, const xmtp_node_filter *filters,
                                size_t count)
{
    if (count == 0) {
        return XMTP_OK;
    }
    s->watches = allocate(s->dispatcher, NULL, count * sizeof *s->watches);
    XMTP_ENSURE(s->watches != NULL, XMTP_E_NOMEM);
    XMTP_TRY(add_watches(s, filters, count));
    return link_watches(s);
}

static void replay_add(xmtp_node_subscription *s, watch *w)
{
    w->next_in_replay = NULL;
    *s->replay_last = w;
    s->replay_last = &w->next_in_replay;
}

/* Every topic that has something behind its cursor gets into the replay; none is read for that. */
static void start_replay(xmtp_node_subscription *s)
{
    xmtp_node_archive *archive = s->dispatcher->archive;
    s->replay_first = NULL;
    s->replay_last = &s->replay_first;
    for (size_t i = 0; i < s->watch_count; i++) {
        watch *w = &s->watches[i];
        xmtp_bytes topic = xmtp_bytes_of(w->key + 1, w->key_len - 1U);
        if (xmtp_node_archive_newest(archive, s->kind, topic, NULL) > w->cursor) {
            replay_add(s, w);
        }
    }
}

xmtp_status xmtp_node_subscribe(xmtp_node_dispatcher *d,
                                const xmtp_node_subscription_options *options,
                                xmtp_node_subscription **out)
{
    *out = NULL;
    xmtp_node_subscription *s = allocate(d, NULL, sizeof *s);
    XMTP_ENSURE(s != NULL, XMTP_E_NOMEM);
    *s = (xmtp_node_subscription){.dispatcher = d,
                                  .kind = options->kind,
                                  .context = options->context,
                                  .ready = options->ready,
                                  .is_told = true};
    s->replay_last = &s->replay_first;
    xmtp_status status = make_watches(s, options->filters, options->filter_count);
    if (status != XMTP_OK) {
        xmtp_node_subscription_free(s);
        return status;
    }
    (void)pthread_mutex_lock(&d->lock);
    s->replay_to = d->published[s->kind];
    s->is_collecting = true;
    (void)pthread_mutex_unlock(&d->lock);
    start_replay(s);
    *out = s;
    return XMTP_OK;
}

/* ---- handing out */

/* Fills the page from the first topic in the replay; that one goes to the end if it has more. */
static xmtp_status fill_page(xmtp_node_subscription *s)
{
    watch *w = s->replay_first;
    xmtp_node_page page = {.is_ascending = true,
                           .cursor = w->cursor,
                           .id_limit = s->replay_to,
                           .limit = REPLAY_PAGE_COUNT};
    s->page_used = 0;
    s->page_count = 0;
    XMTP_TRY(xmtp_node_archive_page(s->dispatcher->archive, s->kind,
                                    xmtp_bytes_of(w->key + 1, w->key_len - 1U), &page, s->page,
                                    &s->page_count));
    s->page_watch = w;
    s->replay_first = w->next_in_replay;
    s->replay_last = s->replay_first == NULL ? &s->replay_first : s->replay_last;
    if (s->page_count == REPLAY_PAGE_COUNT) {
        replay_add(s, w);
    }
    return XMTP_OK;
}

static xmtp_status hand_out(xmtp_node_subscription *s, watch *w, const xmtp_node_place *place,
                            xmtp_writer *out, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_node_record record;
    xmtp_arena_init(&arena, &s->dispatcher->env->alloc, (size_t)place->len + 64);
    xmtp_status status =
        xmtp_node_archive_read(s->dispatcher->archive, place, &arena, &record, error);
    if (status == XMTP_OK) {
        xmtp_writer_put(out, record.payload);
        status = xmtp_writer_status(out);
    }
    xmtp_arena_reset(&arena);
    w->cursor = status == XMTP_OK ? place->id : w->cursor;
    return status;
}

/* What to do when the replay is done. XMTP_OK: a place was taken, or (watch NULL) replay again. */
static xmtp_status take_live(xmtp_node_subscription *s, live_place *out)
{
    xmtp_status status = XMTP_OK;
    *out = (live_place){.watch = NULL};
    (void)pthread_mutex_lock(&s->dispatcher->lock);
    if (s->is_behind) {
        s->is_behind = false;
        s->replay_to = s->dispatcher->published[s->kind];
    } else if (s->live_count > 0) {
        *out = live_take(s);
    } else {
        s->is_told = false;
        status = XMTP_E_RETRY;
    }
    (void)pthread_mutex_unlock(&s->dispatcher->lock);
    if (status == XMTP_OK && out->watch == NULL) {
        start_replay(s);
    }
    return status;
}

xmtp_status xmtp_node_subscription_next(xmtp_node_subscription *s, xmtp_writer *out,
                                        xmtp_error *error)
{
    for (;;) {
        if (s->page_used < s->page_count) {
            XMTP_TRY(hand_out(s, s->page_watch, &s->page[s->page_used], out, error));
            s->page_used++;
            return XMTP_OK;
        }
        if (s->replay_first != NULL) {
            XMTP_TRY(fill_page(s));
            continue;
        }
        live_place live;
        XMTP_TRY(take_live(s, &live));
        if (live.watch != NULL && live.place.id > live.watch->cursor) {
            return hand_out(s, live.watch, &live.place, out, error);
        }
    }
}
