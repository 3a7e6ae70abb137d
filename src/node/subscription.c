/* subscription.c - the two ways of a subscription: replay, live.
 *
 *     subscription { watches, replay list of watches, page being handed out, tap }
 *
 * A watch's cursor is the last id handed out. During replay, ids up to replay_to come from the
 * archive, a page of one topic after a page of the next; what is published meanwhile gathers in the
 * tap. Live places at or below a watch's cursor are skipped, which makes any overlap harmless.
 */
#include "node/subscription.h"

#include "base/bytes.h"
#include "base/status.h"
#include "node/table.h"

enum { REPLAY_PAGE_COUNT = 32 /* rows of one topic before the next one has its turn */ };

typedef struct watch {
    xmtp_node_watch base;
    struct watch *next_in_replay;
    uint64_t cursor;
} watch;

struct xmtp_node_subscription {
    xmtp_node_dispatcher *dispatcher;
    xmtp_node_tap *tap;
    xmtp_node_kind kind;
    bool is_behind;
    watch *watches;
    size_t watch_count;

    watch *replay_first;
    watch **replay_last;
    uint64_t replay_to;
    watch *page_watch; /* whose rows are in page */
    xmtp_node_place page[REPLAY_PAGE_COUNT];
    size_t page_count;
    size_t page_used;
};

static void *allocate(const xmtp_node_dispatcher *d, void *p, size_t n)
{
    const xmtp_alloc *alloc = &xmtp_node_dispatcher_env(d)->alloc;
    return alloc->reallocate(alloc->context, p, n);
}

/* ---- subscribing */

void xmtp_node_subscription_free(xmtp_node_subscription *s)
{
    if (s == NULL) {
        return;
    }
    xmtp_node_watches_unlink(s->watches, sizeof *s->watches, s->watch_count);
    xmtp_node_tap_free(s->tap);
    (void)allocate(s->dispatcher, s->watches, 0);
    (void)allocate(s->dispatcher, s, 0);
}

/* One watch a topic: a filter that repeats a topic only lowers its cursor. seen: key -> watch. */
static xmtp_status add_watch(xmtp_node_subscription *s, xmtp_node_table *seen,
                             const xmtp_node_filter *filter)
{
    watch *w = &s->watches[s->watch_count];
    *w = (watch){.cursor = filter->cursor};
    xmtp_node_watch_init(&w->base, s->tap, s->kind, filter->topic);
    watch **slot = xmtp_node_table_put(seen, filter->topic);
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
    XMTP_TRY(xmtp_node_table_init(&seen, xmtp_node_dispatcher_env(s->dispatcher), sizeof(watch *)));
    xmtp_status status = XMTP_OK;
    for (size_t i = 0; i < count && status == XMTP_OK; i++) {
        status = add_watch(s, &seen, &filters[i]);
    }
    xmtp_node_table_free(&seen);
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
    return xmtp_node_watches_link(s->watches, sizeof *s->watches, s->watch_count);
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
    xmtp_node_archive *archive = xmtp_node_dispatcher_archive(s->dispatcher);
    s->replay_to = xmtp_node_dispatcher_published(s->dispatcher, s->kind);
    s->replay_first = NULL;
    s->replay_last = &s->replay_first;
    for (size_t i = 0; i < s->watch_count; i++) {
        watch *w = &s->watches[i];
        xmtp_bytes topic = xmtp_node_watch_topic(&w->base);
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
    *s = (xmtp_node_subscription){.dispatcher = d, .kind = options->kind};
    xmtp_status status = xmtp_node_tap_new(&s->tap, d, options->context, options->ready);
    if (status == XMTP_OK) {
        status = make_watches(s, options->filters, options->filter_count);
    }
    if (status != XMTP_OK) {
        xmtp_node_subscription_free(s);
        return status;
    }
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
    XMTP_TRY(xmtp_node_archive_page(xmtp_node_dispatcher_archive(s->dispatcher), s->kind,
                                    xmtp_node_watch_topic(&w->base), &page, s->page,
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
    xmtp_status status =
        xmtp_node_archive_payload(xmtp_node_dispatcher_archive(s->dispatcher), place, out, error);
    /* Not found: dropped, because it is old, since its place was learnt. */
    w->cursor = status == XMTP_OK || status == XMTP_E_NOT_FOUND ? place->id : w->cursor;
    return status;
}

xmtp_status xmtp_node_subscription_next(xmtp_node_subscription *s, xmtp_writer *out,
                                        xmtp_error *error)
{
    for (;;) {
        if (s->page_used < s->page_count) {
            xmtp_status handed = hand_out(s, s->page_watch, &s->page[s->page_used], out, error);
            s->page_used += handed == XMTP_OK || handed == XMTP_E_NOT_FOUND ? 1 : 0;
            if (handed != XMTP_E_NOT_FOUND) {
                return handed;
            }
            continue;
        }
        if (s->replay_first != NULL) {
            XMTP_TRY(fill_page(s));
            continue;
        }
        xmtp_node_watch *base;
        xmtp_node_place place;
        xmtp_status status = xmtp_node_tap_take(s->tap, &base, &place);
        watch *w = (watch *)base;
        if (status == XMTP_E_LIMIT) {
            s->is_behind = true;
            start_replay(s);
        } else if (status == XMTP_E_RETRY) {
            s->is_behind = false;
            return XMTP_E_RETRY;
        } else if (place.id > w->cursor) {
            status = hand_out(s, w, &place, out, error);
            if (status != XMTP_E_NOT_FOUND) {
                return status;
            }
        }
    }
}

bool xmtp_node_subscription_is_live(const xmtp_node_subscription *s)
{
    return s->replay_first == NULL && s->page_used == s->page_count &&
           !xmtp_node_tap_is_behind(s->tap);
}

bool xmtp_node_subscription_is_behind(const xmtp_node_subscription *s)
{
    return s->is_behind || xmtp_node_tap_is_behind(s->tap);
}
