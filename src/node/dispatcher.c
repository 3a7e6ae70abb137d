/* dispatcher.c - topics with their watches, and the queues of taps.
 *
 *     topics: kind, topic -> watch -> watch -> NULL        a watch is one topic of one tap
 *     wild:   kind        -> watch -> NULL                 those that want every topic
 *
 * Cost of a publication: one lookup, and one place for each watch of the topic.
 */
#include "node/dispatcher.h"

#include "base/bytes.h"
#include "base/status.h"
#include "node/table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum {
    LINK_CHUNK = 1024, /* watches linked without letting a publisher in between */
    LIVE_CAPACITY_MIN = 16,
    LIVE_CAPACITY_KEPT = 256, /* an empty queue larger than this is freed */
};

typedef struct live_place {
    xmtp_node_watch *watch; /* NULL: was unlinked */
    xmtp_node_place place;
} live_place;

struct xmtp_node_dispatcher {
    const xmtp_env *env;
    xmtp_node_archive *archive;
    pthread_mutex_t lock;   /* for all below, and all of taps */
    xmtp_node_table topics; /* key -> first watch */
    xmtp_node_watch *wild[XMTP_NODE_KIND_COUNT];
    uint64_t published[XMTP_NODE_KIND_COUNT];
    size_t watch_count;
};

struct xmtp_node_tap {
    xmtp_node_dispatcher *dispatcher;
    void *context;
    void (*ready)(void *context);
    bool is_told;          /* ready was called, or take has not said RETRY yet */
    atomic_bool is_behind; /* the queue was full; also read without the lock */
    live_place *live;      /* a ring */
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
    xmtp_status status = xmtp_node_table_init(&d->topics, env, sizeof(xmtp_node_watch *));
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

xmtp_node_archive *xmtp_node_dispatcher_archive(const xmtp_node_dispatcher *d)
{
    return d->archive;
}

const xmtp_env *xmtp_node_dispatcher_env(const xmtp_node_dispatcher *d)
{
    return d->env;
}

uint64_t xmtp_node_dispatcher_published(xmtp_node_dispatcher *d, xmtp_node_kind kind)
{
    (void)pthread_mutex_lock(&d->lock);
    uint64_t id = d->published[kind];
    (void)pthread_mutex_unlock(&d->lock);
    return id;
}

size_t xmtp_node_dispatcher_watch_count(xmtp_node_dispatcher *d)
{
    (void)pthread_mutex_lock(&d->lock);
    size_t count = d->watch_count;
    (void)pthread_mutex_unlock(&d->lock);
    return count;
}

static void *allocate(const xmtp_node_dispatcher *d, void *p, size_t n)
{
    return d->env->alloc.reallocate(d->env->alloc.context, p, n);
}

/* ---- the queue of a tap, under the lock */

static void live_clear(xmtp_node_tap *t)
{
    t->live_count = 0;
    t->live_first = 0;
    if (t->live_capacity > LIVE_CAPACITY_KEPT) {
        (void)allocate(t->dispatcher, t->live, 0);
        t->live = NULL;
        t->live_capacity = 0;
    }
}

static live_place *live_at(const xmtp_node_tap *t, size_t i)
{
    return &t->live[(t->live_first + i) & (t->live_capacity - 1)];
}

static bool live_grow(xmtp_node_tap *t)
{
    size_t capacity = t->live_capacity == 0 ? LIVE_CAPACITY_MIN : 2 * t->live_capacity;
    if (capacity > XMTP_NODE_LIVE_COUNT_MAX) {
        return false;
    }
    live_place *live = allocate(t->dispatcher, NULL, capacity * sizeof *live);
    if (live == NULL) {
        return false;
    }
    for (size_t i = 0; i < t->live_count; i++) {
        live[i] = *live_at(t, i);
    }
    (void)allocate(t->dispatcher, t->live, 0);
    t->live = live;
    t->live_capacity = capacity;
    t->live_first = 0;
    return true;
}

static void live_add(xmtp_node_tap *t, xmtp_node_watch *w, const xmtp_node_place *place)
{
    if (atomic_load(&t->is_behind)) {
        return;
    }
    if (t->live_count == t->live_capacity && !live_grow(t)) {
        atomic_store(&t->is_behind, true);
        live_clear(t);
        return;
    }
    *live_at(t, t->live_count) = (live_place){.watch = w, .place = *place};
    t->live_count++;
}

static live_place live_take(xmtp_node_tap *t)
{
    live_place first = *live_at(t, 0);
    t->live_first = (t->live_first + 1) & (t->live_capacity - 1);
    t->live_count--;
    if (t->live_count == 0) {
        live_clear(t);
    }
    return first;
}

static void live_drop(xmtp_node_tap *t, const xmtp_node_watch *w)
{
    for (size_t i = 0; i < t->live_count; i++) {
        live_place *p = live_at(t, i);
        p->watch = p->watch == w ? NULL : p->watch;
    }
}

/* ---- publishing */

static void tell(xmtp_node_watch *w, const xmtp_node_place *place)
{
    for (; w != NULL; w = w->next_of_topic) {
        live_add(w->tap, w, place);
        if (!w->tap->is_told) {
            w->tap->is_told = true;
            w->tap->ready(w->tap->context);
        }
    }
}

void xmtp_node_dispatcher_publish(xmtp_node_dispatcher *d, const xmtp_node_entry *entry)
{
    uint8_t key[1 + XMTP_NODE_TOPIC_LEN_MAX];
    key[0] = (uint8_t)entry->kind;
    xmtp_copy(key + 1, entry->topic.p, entry->topic.n);
    (void)pthread_mutex_lock(&d->lock);
    d->published[entry->kind] = entry->place.id;
    xmtp_node_watch **first =
        xmtp_node_table_find(&d->topics, xmtp_bytes_of(key, 1 + entry->topic.n));
    tell(first == NULL ? NULL : *first, &entry->place);
    tell(d->wild[entry->kind], &entry->place);
    (void)pthread_mutex_unlock(&d->lock);
}

/* ---- watches */

void xmtp_node_watch_init(xmtp_node_watch *w, xmtp_node_tap *tap, xmtp_node_kind kind,
                          xmtp_bytes topic)
{
    w->tap = tap;
    w->next_of_topic = NULL;
    w->previous_of_topic = NULL;
    w->key[0] = (uint8_t)kind;
    w->key_len = (uint8_t)(1 + topic.n);
    xmtp_copy(w->key + 1, topic.p, topic.n);
}

static xmtp_status link_watch(xmtp_node_dispatcher *d, xmtp_node_watch *w)
{
    xmtp_node_watch **first =
        w->key_len == 1 ? &d->wild[w->key[0]]
                        : xmtp_node_table_put(&d->topics, xmtp_bytes_of(w->key, w->key_len));
    XMTP_ENSURE(first != NULL, XMTP_E_NOMEM);
    w->next_of_topic = *first;
    w->previous_of_topic = first;
    if (w->next_of_topic != NULL) {
        w->next_of_topic->previous_of_topic = &w->next_of_topic;
    }
    *first = w;
    d->watch_count++;
    return XMTP_OK;
}

static void unlink_watch(xmtp_node_dispatcher *d, xmtp_node_watch *w)
{
    if (w->previous_of_topic == NULL) {
        return;
    }
    *w->previous_of_topic = w->next_of_topic;
    if (w->next_of_topic != NULL) {
        w->next_of_topic->previous_of_topic = w->previous_of_topic;
    }
    w->previous_of_topic = NULL;
    d->watch_count--;
    live_drop(w->tap, w);
    xmtp_bytes key = xmtp_bytes_of(w->key, w->key_len);
    xmtp_node_watch **first = key.n == 1 ? NULL : xmtp_node_table_find(&d->topics, key);
    if (first != NULL && *first == NULL) {
        xmtp_node_table_remove(&d->topics, key);
    }
}

static xmtp_node_watch *watch_at(void *first, size_t stride, size_t i)
{
    return (xmtp_node_watch *)(void *)((uint8_t *)first + i * stride);
}

xmtp_status xmtp_node_watches_link(void *first, size_t stride, size_t count)
{
    xmtp_status status = XMTP_OK;
    for (size_t i = 0; i < count && status == XMTP_OK;) {
        xmtp_node_dispatcher *d = watch_at(first, stride, 0)->tap->dispatcher;
        size_t end = LINK_CHUNK < count - i ? i + LINK_CHUNK : count;
        (void)pthread_mutex_lock(&d->lock);
        for (; i < end && status == XMTP_OK; i++) {
            status = link_watch(d, watch_at(first, stride, i));
        }
        (void)pthread_mutex_unlock(&d->lock);
    }
    return status;
}

void xmtp_node_watches_unlink(void *first, size_t stride, size_t count)
{
    for (size_t i = 0; i < count;) {
        xmtp_node_dispatcher *d = watch_at(first, stride, 0)->tap->dispatcher;
        size_t end = LINK_CHUNK < count - i ? i + LINK_CHUNK : count;
        (void)pthread_mutex_lock(&d->lock);
        for (; i < end; i++) {
            unlink_watch(d, watch_at(first, stride, i));
        }
        (void)pthread_mutex_unlock(&d->lock);
    }
}

/* ---- taps */

xmtp_status xmtp_node_tap_new(xmtp_node_tap **out, xmtp_node_dispatcher *d, void *context,
                              void (*ready)(void *context))
{
    xmtp_node_tap *t = allocate(d, NULL, sizeof *t);
    *out = t;
    XMTP_ENSURE(t != NULL, XMTP_E_NOMEM);
    *t = (xmtp_node_tap){.dispatcher = d, .context = context, .ready = ready, .is_told = true};
    return XMTP_OK;
}

void xmtp_node_tap_free(xmtp_node_tap *t)
{
    if (t != NULL) {
        (void)allocate(t->dispatcher, t->live, 0);
        (void)allocate(t->dispatcher, t, 0);
    }
}

static xmtp_status take(xmtp_node_tap *t, live_place *out)
{
    if (atomic_load(&t->is_behind)) {
        atomic_store(&t->is_behind, false);
        return XMTP_E_LIMIT;
    }
    while (t->live_count > 0) {
        *out = live_take(t);
        if (out->watch != NULL) {
            return XMTP_OK;
        }
    }
    t->is_told = false;
    return XMTP_E_RETRY;
}

xmtp_status xmtp_node_tap_take(xmtp_node_tap *t, xmtp_node_watch **watch, xmtp_node_place *place)
{
    live_place live = {.watch = NULL};
    (void)pthread_mutex_lock(&t->dispatcher->lock);
    xmtp_status status = take(t, &live);
    (void)pthread_mutex_unlock(&t->dispatcher->lock);
    *watch = live.watch;
    *place = live.place;
    return status;
}

bool xmtp_node_tap_is_behind(const xmtp_node_tap *t)
{
    return atomic_load(&((xmtp_node_tap *)(uintptr_t)t)->is_behind);
}
