/* host_topics.c - who follows what, and the streams that bring it (host.h draws it).
 *
 * A new stream is open before the ones that it replaces are closed; it replays from the cursors, so
 * what the old ones had not handed out comes again. Cost of a new conversation: a subscription of as
 * many topics as the newest lanes hold, on average a logarithm of all topics.
 */
#include "client/host.h"
#include "proto/mls_api.pb-c.h"

#include <search.h>

enum {
    LANES_MAX = 45, /* of each kind: servers take 100 streams on a connection */
    TOPICS_FEW = 4, /* a refusal of so few is not about their number */
    LEFT_FEW = 64,  /* not worth another stream */
};

static const uint64_t BACK_OFF_MAX_NS = 30 * XMTP_SECOND_NS;
static const uint64_t FEWER_FOR_NS = 60 * XMTP_SECOND_NS;

static int compare_topics(const void *a, const void *b)
{
    xmtp_bytes x = ((const host_topic *)a)->id;
    xmtp_bytes y = ((const host_topic *)b)->id;
    if (x.n != y.n) {
        return x.n < y.n ? -1 : 1;
    }
    return x.n == 0 ? 0 : memcmp(x.p, y.p, x.n);
}

void host_feeds_init(xmtp_host *host)
{
    for (size_t i = 0; i < HOST_KINDS; i++) {
        xmtp_list_init(&host->feeds[i].lanes);
        xmtp_list_init(&host->feeds[i].fresh);
    }
}

/* ---- topics and followers */

host_topic *host_topic_find(const xmtp_host *host, host_kind kind, xmtp_bytes id)
{
    const host_topic wanted = {.id = id};
    void *found = tfind(&wanted, &host->feeds[kind].by_id, compare_topics);
    return found == NULL ? NULL : *(host_topic **)found;
}

static void put_fresh(host_feed *feed, host_topic *topic)
{
    topic->lane = NULL;
    xmtp_list_append(&feed->fresh, &topic->list);
    feed->fresh_count++;
}

static host_topic *new_topic(xmtp_host *host, host_kind kind, xmtp_bytes id)
{
    host_feed *feed = &host->feeds[kind];
    host_topic *topic = host_allocate(host, sizeof(*topic) + id.n);
    if (topic == NULL) {
        return NULL;
    }
    xmtp_copy(topic->bytes, id.p, id.n);
    topic->id = xmtp_bytes_of(topic->bytes, id.n);
    if (tsearch(topic, &feed->by_id, compare_topics) == NULL) {
        host_release(host, topic);
        return NULL;
    }
    put_fresh(feed, topic);
    feed->topic_count++;
    return topic;
}

static void drop_topic(xmtp_host *host, host_kind kind, host_topic *topic)
{
    host_feed *feed = &host->feeds[kind];
    xmtp_list_remove(&topic->list);
    if (topic->lane == NULL) {
        feed->fresh_count--;
    } else {
        topic->lane->count--;
        topic->lane->left++;
    }
    (void)tdelete(topic, &feed->by_id, compare_topics);
    feed->topic_count--;
    host_release(host, topic);
}

xmtp_status host_follow(host_seat *seat, host_kind kind, int64_t ref, xmtp_bytes id,
                        uint64_t cursor, xmtp_error *error)
{
    xmtp_host *host = seat->host;
    host_topic *topic = host_topic_find(host, kind, id);
    host_follower *f = host_allocate(host, sizeof(*f));
    if (topic == NULL && f != NULL) {
        topic = new_topic(host, kind, id);
    }
    if (topic == NULL || f == NULL) {
        host_release(host, f);
        return xmtp_fail(error, XMTP_E_NOMEM, "no memory to follow another conversation");
    }
    *f = (host_follower){.next_of_topic = topic->followers,
                         .next_of_seat = seat->followers,
                         .topic = topic,
                         .seat = seat,
                         .ref = ref,
                         .cursor = cursor,
                         .is_listed = true};
    xmtp_list_init(&f->behind);
    topic->followers = f;
    seat->followers = f;
    if (topic->lane != NULL) { /* the stream is past what is new for this one */
        xmtp_list_append(&host->behind, &f->behind);
    }
    return XMTP_OK;
}

static void unlink_of_topic(host_follower *f)
{
    host_follower **p = &f->topic->followers;
    while (*p != f) {
        p = &(*p)->next_of_topic;
    }
    *p = f->next_of_topic;
}

static void unfollow(host_seat *seat, host_follower **p)
{
    host_follower *f = *p;
    *p = f->next_of_seat;
    unlink_of_topic(f);
    if (f->topic->followers == NULL) {
        drop_topic(seat->host, f->ref == 0 ? HOST_WELCOMES : HOST_GROUPS, f->topic);
    }
    xmtp_list_remove(&f->behind);
    host_release(seat->host, f);
}

void host_unfollow_all(host_seat *seat)
{
    while (seat->followers != NULL) {
        unfollow(seat, &seat->followers);
    }
}

static host_follower *find_follower(const host_seat *seat, xmtp_bytes group_id)
{
    const host_topic *topic = host_topic_find(seat->host, HOST_GROUPS, group_id);
    host_follower *f = topic == NULL ? NULL : topic->followers;
    while (f != NULL && f->seat != seat) {
        f = f->next_of_topic;
    }
    return f;
}

static xmtp_status follow_all(host_seat *seat, const xmtp_group_positions *all, xmtp_error *error)
{
    for (host_follower *f = seat->followers; f != NULL; f = f->next_of_seat) {
        f->is_listed = f->ref == 0;
    }
    for (size_t i = 0; i < all->count; i++) {
        const xmtp_group_position *at = &all->items[i];
        if (!xmtp_group_is_read(at)) {
            continue;
        }
        host_follower *f = find_follower(seat, at->group_id);
        if (f != NULL) {
            f->ref = at->ref;
            f->is_listed = true;
        } else {
            XMTP_TRY(host_follow(seat, HOST_GROUPS, at->ref, at->group_id, at->cursor, error));
        }
    }
    for (host_follower **p = &seat->followers; *p != NULL;) {
        if ((*p)->is_listed) {
            p = &(*p)->next_of_seat;
        } else {
            unfollow(seat, p);
        }
    }
    return XMTP_OK;
}

xmtp_status host_follow_listed(host_seat *seat, xmtp_error *error)
{
    xmtp_client *client = seat->client;
    xmtp_arena arena;
    xmtp_group_positions all;
    xmtp_scratch(client, &arena);
    xmtp_status status =
        xmtp_stored(client, xmtp_group_position_list(client->db, &arena, &all), error);
    if (status == XMTP_OK) {
        status = follow_all(seat, &all, error);
    }
    xmtp_arena_reset(&arena);
    client->stream.is_stale = client->stream.is_stale && status != XMTP_OK;
    return status;
}

/* ---- requests */

static uint64_t lowest_cursor(const host_topic *topic)
{
    uint64_t lowest = UINT64_MAX;
    for (const host_follower *f = topic->followers; f != NULL; f = f->next_of_topic) {
        lowest = f->cursor < lowest ? f->cursor : lowest;
    }
    return lowest;
}

typedef Pb__SubscribeGroupMessagesRequest__Filter group_filter;
typedef Pb__SubscribeWelcomeMessagesRequest__Filter welcome_filter;

/* Filters of one kind, being filled. */
typedef struct filter_list {
    host_kind kind;
    void *items;
    void *pointers;
    size_t count;
    size_t capacity;
} filter_list;

static xmtp_status filters_take(filter_list *list, host_kind kind, size_t capacity,
                                xmtp_arena *arena)
{
    size_t size = kind == HOST_GROUPS ? sizeof(group_filter) : sizeof(welcome_filter);
    *list = (filter_list){.kind = kind, .capacity = capacity};
    XMTP_TRY(xmtp_arena_take_array(arena, capacity, size, &list->items));
    return xmtp_arena_take_array(arena, capacity, sizeof(void *), &list->pointers);
}

static void add_filter(filter_list *list, const host_topic *topic)
{
    uint64_t cursor = lowest_cursor(topic);
    if (list->kind == HOST_GROUPS) {
        group_filter *filter = (group_filter *)list->items + list->count;
        *filter = (group_filter)PB__SUBSCRIBE_GROUP_MESSAGES_REQUEST__FILTER__INIT;
        filter->has_group_id = 1;
        filter->group_id = xmtp_proto_data(topic->id);
        filter->has_id_cursor = cursor != 0;
        filter->id_cursor = cursor;
        ((group_filter **)list->pointers)[list->count++] = filter;
    } else {
        welcome_filter *filter = (welcome_filter *)list->items + list->count;
        *filter = (welcome_filter)PB__SUBSCRIBE_WELCOME_MESSAGES_REQUEST__FILTER__INIT;
        filter->has_installation_key = 1;
        filter->installation_key = xmtp_proto_data(topic->id);
        filter->has_id_cursor = cursor != 0;
        filter->id_cursor = cursor;
        ((welcome_filter **)list->pointers)[list->count++] = filter;
    }
}

static void add_filters(filter_list *list, const xmtp_list *topics)
{
    for (const xmtp_list *l = topics->next; l != topics && list->count < list->capacity;
         l = l->next) {
        add_filter(list, XMTP_LIST_OF(l, host_topic, list));
    }
}

static xmtp_status send_request(xmtp_host *host, const char *path, const ProtobufCMessage *request,
                                xmtp_stream **out, xmtp_error *error)
{
    const xmtp_transport *t = host->transport;
    xmtp_writer w;
    xmtp_writer_init(&w, &host->env.alloc, XMTP_WRITER_MAX);
    xmtp_status status = xmtp_proto_encode(request, &w);
    if (status == XMTP_OK) {
        status = t->subscribe(t->context, path, xmtp_writer_bytes(&w), out, error);
    }
    xmtp_writer_free(&w);
    return status;
}

static xmtp_status subscribe(xmtp_host *host, filter_list *filters, xmtp_stream **out,
                             xmtp_error *error)
{
    if (filters->kind == HOST_GROUPS) {
        Pb__SubscribeGroupMessagesRequest request = PB__SUBSCRIBE_GROUP_MESSAGES_REQUEST__INIT;
        request.n_filters = filters->count;
        request.filters = filters->pointers;
        return send_request(host, XMTP_MLS_API("SubscribeGroupMessages"), &request.base, out,
                            error);
    }
    Pb__SubscribeWelcomeMessagesRequest request = PB__SUBSCRIBE_WELCOME_MESSAGES_REQUEST__INIT;
    request.n_filters = filters->count;
    request.filters = filters->pointers;
    return send_request(host, XMTP_MLS_API("SubscribeWelcomeMessages"), &request.base, out, error);
}

/* ---- lanes */

/* Nodes of the network replay nothing to a filter without a cursor: whoever follows such a topic
 * queries what came before its new stream was open. */
static void fall_behind_without_cursor(xmtp_host *host, const host_topic *topic)
{
    if (lowest_cursor(topic) != 0) {
        return;
    }
    for (host_follower *f = topic->followers; f != NULL; f = f->next_of_topic) {
        if (xmtp_list_is_empty(&f->behind)) {
            xmtp_list_append(&host->behind, &f->behind);
        }
    }
}

static void move_topics(xmtp_host *host, xmtp_list *from, size_t count, host_lane *to)
{
    for (size_t i = 0; i < count; i++) {
        host_topic *topic = XMTP_LIST_OF(from->next, host_topic, list);
        xmtp_list_remove(&topic->list);
        xmtp_list_append(&to->topics, &topic->list);
        topic->lane = to;
        to->count++;
        fall_behind_without_cursor(host, topic);
    }
}

static void free_lane(xmtp_host *host, host_feed *feed, host_lane *lane)
{
    host->transport->unsubscribe(host->transport->context, lane->stream);
    xmtp_list_remove(&lane->list);
    feed->lane_count--;
    host_release(host, lane);
}

/* The topics of a lane need a new stream. */
static void dissolve(xmtp_host *host, host_kind kind, host_lane *lane)
{
    host_feed *feed = &host->feeds[kind];
    while (!xmtp_list_is_empty(&lane->topics)) {
        host_topic *topic = XMTP_LIST_OF(lane->topics.next, host_topic, list);
        xmtp_list_remove(&topic->list);
        put_fresh(feed, topic);
    }
    free_lane(host, feed, lane);
}

/* A refusal may mean that it was too much at once: some nodes tell when it is opened, others then. */
static bool ask_for_less(xmtp_host *host, xmtp_status status, size_t asked)
{
    if (status != XMTP_E_RPC_INVALID || asked <= TOPICS_FEW) {
        return false;
    }
    host->topics_now = asked / 2;
    host->more_at_ns = host_now_ns(host) + FEWER_FOR_NS;
    return true;
}

/* The refusal need not have been about the number. A node that does take fewer refuses once more. */
static void ask_for_more(xmtp_host *host)
{
    uint64_t now_ns = host_now_ns(host);
    if (host->topics_now == host->topics_max || host->more_at_ns > now_ns) {
        return;
    }
    bool is_half = host->topics_now <= host->topics_max / 2;
    host->topics_now = is_half ? 2 * host->topics_now : host->topics_max;
    host->more_at_ns = now_ns + FEWER_FOR_NS;
}

void host_lane_lost(xmtp_host *host, host_kind kind, host_lane *lane, xmtp_status status,
                    const xmtp_error *why)
{
    size_t asked = lane->count + lane->left;
    dissolve(host, kind, lane);
    if (ask_for_less(host, status, asked)) {
        return;
    }
    host->back_off_ns = host_back_off(host->back_off_ns, BACK_OFF_MAX_NS);
    host->retry_at_ns = host_now_ns(host) + host->back_off_ns;
    host_note_trouble(host, NULL, XMTP_E_NETWORK, why);
}

void host_feeds_close(xmtp_host *host)
{
    for (host_kind kind = 0; kind < HOST_KINDS; kind++) {
        host_feed *feed = &host->feeds[kind];
        while (!xmtp_list_is_empty(&feed->lanes)) {
            dissolve(host, kind, XMTP_LIST_OF(feed->lanes.next, host_lane, list));
        }
    }
}

/* The newest lanes that go into a new one of count topics: not much longer than it, so that each
 * topic moves into a lane of half as many again at least. *first: the oldest of them, or the head. */
static size_t lanes_to_merge(const xmtp_host *host, host_feed *feed, size_t count,
                             xmtp_list **first)
{
    size_t sum = count;
    *first = &feed->lanes;
    for (xmtp_list *l = feed->lanes.prev; l != &feed->lanes; l = l->prev) {
        const host_lane *lane = XMTP_LIST_OF(l, host_lane, list);
        bool is_full = feed->lane_count >= LANES_MAX;
        if (sum + lane->count > host->topics_now || (lane->count > 2 * sum && !is_full)) {
            break;
        }
        sum += lane->count;
        *first = l;
    }
    return sum;
}

static xmtp_status open_filters(xmtp_host *host, host_kind kind, size_t sum, const xmtp_list *first,
                                xmtp_stream **out, xmtp_error *error)
{
    host_feed *feed = &host->feeds[kind];
    xmtp_arena arena;
    filter_list filters;
    xmtp_arena_init(&arena, &host->env.alloc, XMTP_CLIENT_ARENA_MAX);
    xmtp_status status = filters_take(&filters, kind, sum, &arena);
    if (status == XMTP_OK) {
        for (const xmtp_list *l = first; l != &feed->lanes; l = l->next) {
            add_filters(&filters, &XMTP_LIST_OF(l, host_lane, list)->topics);
        }
        add_filters(&filters, &feed->fresh);
        status = subscribe(host, &filters, out, error);
    }
    xmtp_arena_reset(&arena);
    return status;
}

/* All lanes are there: the one with most room becomes the newest. Returns how many it takes. */
static size_t make_room(const xmtp_host *host, host_feed *feed)
{
    host_lane *shortest = XMTP_LIST_OF(feed->lanes.next, host_lane, list);
    for (xmtp_list *l = feed->lanes.next; l != &feed->lanes; l = l->next) {
        host_lane *lane = XMTP_LIST_OF(l, host_lane, list);
        shortest = lane->count < shortest->count ? lane : shortest;
    }
    xmtp_list_remove(&shortest->list);
    xmtp_list_append(&feed->lanes, &shortest->list);
    return shortest->count < host->topics_now ? host->topics_now - shortest->count : 0;
}

static xmtp_status open_lane(xmtp_host *host, host_kind kind, size_t *asked, xmtp_error *error)
{
    host_feed *feed = &host->feeds[kind];
    size_t room = feed->lane_count < LANES_MAX ? host->topics_now : make_room(host, feed);
    size_t fresh = feed->fresh_count < room ? feed->fresh_count : room;
    xmtp_list *first;
    if (room == 0) {
        return xmtp_fail(error, XMTP_E_LIMIT, "%zu topics do not fit into %d streams of %zu",
                         feed->topic_count, LANES_MAX, host->topics_now);
    }
    *asked = lanes_to_merge(host, feed, fresh, &first);
    host_lane *lane = host_allocate(host, sizeof(*lane));
    XMTP_ENSURE(lane != NULL, xmtp_fail(error, XMTP_E_NOMEM, "no memory for a stream"));
    xmtp_list_init(&lane->topics);
    xmtp_status status = open_filters(host, kind, *asked, first, &lane->stream, error);
    if (status != XMTP_OK) {
        host_release(host, lane);
        return status;
    }
    while (first != &feed->lanes) {
        host_lane *old = XMTP_LIST_OF(first, host_lane, list);
        first = first->next;
        move_topics(host, &old->topics, old->count, lane);
        free_lane(host, feed, old);
    }
    move_topics(host, &feed->fresh, fresh, lane);
    feed->fresh_count -= fresh;
    xmtp_list_append(&feed->lanes, &lane->list);
    feed->lane_count++;
    return XMTP_OK;
}

/* Streams that bring mostly what nobody follows any more. */
static void renew_lanes(xmtp_host *host, host_kind kind)
{
    host_feed *feed = &host->feeds[kind];
    for (xmtp_list *l = feed->lanes.next, *next; l != &feed->lanes; l = next) {
        host_lane *lane = XMTP_LIST_OF(l, host_lane, list);
        next = l->next;
        if (lane->left > lane->count + LEFT_FEW || lane->count == 0) {
            dissolve(host, kind, lane);
        }
    }
}

static xmtp_status open_feed(xmtp_host *host, host_kind kind, xmtp_error *error)
{
    host_feed *feed = &host->feeds[kind];
    renew_lanes(host, kind);
    while (feed->fresh_count > 0) {
        size_t asked = 0;
        xmtp_status status = open_lane(host, kind, &asked, error);
        if (status != XMTP_OK && !ask_for_less(host, status, asked)) {
            return status;
        }
    }
    return XMTP_OK;
}

void host_open_streams(xmtp_host *host)
{
    if (host->retry_at_ns > host_now_ns(host)) {
        return;
    }
    xmtp_error why = {0};
    ask_for_more(host);
    xmtp_status status = open_feed(host, HOST_WELCOMES, &why);
    if (status == XMTP_OK) {
        status = open_feed(host, HOST_GROUPS, &why);
    }
    if (status == XMTP_OK) {
        host->back_off_ns = 0;
        return;
    }
    host->back_off_ns = host_back_off(host->back_off_ns, BACK_OFF_MAX_NS);
    host->retry_at_ns = host_now_ns(host) + host->back_off_ns;
    host_note_trouble(host, NULL, status, &why);
}
