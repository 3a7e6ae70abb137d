/* host_items.c - what the streams bring goes to the clients that it is for, along the way that
 * everything goes (stream.c).
 *
 *     lane --up to 100 items--> those of one topic --> each follower: its client takes them, in order
 *                                                        \-> cannot: behind, and queries later
 *
 * A failure belongs to one follower. Its topic's stream goes on for the others.
 */
#include "client/host.h"
#include "client/stream.h"

enum { ITEMS_PER_TURN = 100, QUERIES_PER_TURN = 64 };

static const uint64_t BACK_OFF_MAX_NS = 300 * XMTP_SECOND_NS;

/* Items of one lane. */
typedef struct turn {
    xmtp_host *host;
    host_kind kind;
    host_lane *lane;
    xmtp_arena arena;
    const host_topic *topics[ITEMS_PER_TURN]; /* NULL: done */
    const void *messages[ITEMS_PER_TURN];     /* as its kind has them */
    size_t count;
    xmtp_status ended; /* XMTP_OK: it goes on */
    xmtp_error why;
} turn;

/* ---- behind */

static void fall_behind(host_follower *f, xmtp_status status, const xmtp_error *why)
{
    xmtp_host *host = f->seat->host;
    f->back_off_ns = host_back_off(f->back_off_ns, BACK_OFF_MAX_NS);
    f->retry_at_ns = host_now_ns(host) + f->back_off_ns;
    xmtp_list_remove(&f->behind);
    xmtp_list_append(&host->behind, &f->behind);
    host_note_trouble(host, xmtp_is_node_trouble(status) ? NULL : f->seat->client, status, why);
}

static bool is_behind(const host_follower *f)
{
    return !xmtp_list_is_empty(&f->behind);
}

static xmtp_status stored_cursor(const host_follower *f, uint64_t *cursor, xmtp_error *error)
{
    xmtp_client *client = f->seat->client;
    if (f->ref == 0) {
        return xmtp_stored(client, xmtp_setting_number(client->db, "welcome_cursor", cursor),
                           error);
    }
    xmtp_arena arena;
    xmtp_group_row row = {0};
    xmtp_scratch(client, &arena);
    xmtp_status status = xmtp_group_row_read(client->db, f->ref, &arena, &row);
    *cursor = row.cursor;
    xmtp_arena_reset(&arena);
    return xmtp_stored(client, status, error);
}

/* Whatever else is not found, what came for a conversation that is here is asked for again. */
static bool is_gone(const host_follower *f)
{
    uint64_t ignored;
    return f->ref != 0 && stored_cursor(f, &ignored, NULL) == XMTP_E_NOT_FOUND;
}

static xmtp_status query(host_follower *f, xmtp_error *error)
{
    xmtp_client *client = f->seat->client;
    uint64_t before;
    uint64_t after = 0;
    bool has_news = false;
    XMTP_TRY(stored_cursor(f, &before, error));
    xmtp_status status = f->ref == 0 ? xmtp_sync_welcomes(client, error)
                                     : xmtp_sync_group(client, f->ref, &has_news, error);
    if (stored_cursor(f, &after, NULL) == XMTP_OK && after > f->cursor) {
        f->cursor = after;
    }
    if (has_news || (f->ref == 0 && after > before)) {
        host_seat_news(f->seat);
    }
    return status;
}

static void catch_up(host_follower *f)
{
    xmtp_host *host = f->seat->host;
    xmtp_client *client = f->seat->client;
    xmtp_error why = {0};
    client->is_node_away = host->is_node_away; /* one waits for a node that is away, not each */
    xmtp_status status = query(f, &why);
    host->is_node_away = client->is_node_away;
    if (status == XMTP_OK) {
        f->back_off_ns = 0;
        xmtp_list_remove(&f->behind);
    } else if (status == XMTP_E_NOT_FOUND && is_gone(f)) {
        xmtp_list_remove(&f->behind); /* the conversation is gone; the next list says so */
        client->stream.is_stale = true;
    } else {
        fall_behind(f, status, &why);
    }
}

void host_catch_up(xmtp_host *host)
{
    uint64_t now_ns = host_now_ns(host);
    size_t queries = 0;
    for (xmtp_list *l = host->behind.next, *next; l != &host->behind; l = next) {
        host_follower *f = XMTP_LIST_OF(l, host_follower, behind);
        next = l->next;
        if (f->topic->lane == NULL || f->retry_at_ns > now_ns) {
            continue; /* first the stream, so that nothing falls between it and the query */
        }
        catch_up(f);
        if (host->is_node_away || ++queries == QUERIES_PER_TURN) {
            return;
        }
    }
}

uint64_t host_behind_next_ns(const xmtp_host *host)
{
    uint64_t next_ns = UINT64_MAX;
    for (const xmtp_list *l = host->behind.next; l != &host->behind; l = l->next) {
        const host_follower *f = XMTP_LIST_OF(l, host_follower, behind);
        if (f->topic->lane != NULL && f->retry_at_ns < next_ns) {
            next_ns = f->retry_at_ns;
        }
    }
    return next_ns;
}

/* ---- collecting */

/* Whom a welcome is for. */
static xmtp_bytes receiver_of(const Pb__WelcomeMessage *message)
{
    switch (message->version_case) {
    case PB__WELCOME_MESSAGE__VERSION_V1:
        return xmtp_proto_bytes(message->v1->installation_key);
    case PB__WELCOME_MESSAGE__VERSION_WELCOME_POINTER:
        return xmtp_proto_bytes(message->welcome_pointer->installation_key);
    default:
        return (xmtp_bytes){0};
    }
}

static void keep_item(turn *t, const void *message)
{
    xmtp_bytes id;
    if (t->kind == HOST_WELCOMES) {
        id = receiver_of(message);
    } else {
        const Pb__GroupMessage *outer = message;
        if (outer->version_case != PB__GROUP_MESSAGE__VERSION_V1) {
            return;
        }
        message = outer->v1;
        id = xmtp_proto_bytes(outer->v1->group_id);
    }
    const host_topic *topic = host_topic_find(t->host, t->kind, id);
    if (topic != NULL) { /* else nobody asked for it, or no longer */
        t->topics[t->count] = topic;
        t->messages[t->count++] = message;
    }
}

/* An undecodable item cannot be told from noise; a query would find the same bytes. */
static xmtp_status decode_item(turn *t, xmtp_bytes bytes)
{
    void *message;
    const ProtobufCMessageDescriptor *type = t->kind == HOST_WELCOMES
                                                 ? &pb__welcome_message__descriptor
                                                 : &pb__group_message__descriptor;
    xmtp_status status = xmtp_proto_decode(type, &t->arena, bytes, &message);
    if (status == XMTP_OK) {
        keep_item(t, message);
    }
    return status == XMTP_E_MALFORMED ? XMTP_OK : status;
}

static void collect(turn *t)
{
    const xmtp_transport *transport = t->host->transport;
    xmtp_bytes bytes;
    for (size_t i = 0; i < ITEMS_PER_TURN && t->ended == XMTP_OK; i++) {
        xmtp_status status = transport->next(transport->context, t->lane->stream, &bytes, &t->why);
        if (status == XMTP_E_RETRY) {
            return;
        }
        t->ended = status == XMTP_OK ? decode_item(t, bytes) : status;
    }
}

/* ---- delivering */

static xmtp_status take_welcomes(host_follower *f, const void *const *messages, size_t count,
                                 xmtp_error *error)
{
    xmtp_status status = XMTP_OK;
    for (size_t i = 0; i < count && status == XMTP_OK; i++) {
        uint64_t sequence = xmtp_welcome_sequence(messages[i]);
        if (sequence > f->cursor) {
            status = xmtp_welcome_process(f->seat->client, messages[i], error);
        }
        if (sequence > f->cursor && status == XMTP_OK) {
            f->cursor = sequence;
            host_seat_news(f->seat);
        }
    }
    xmtp_welcomes_end(f->seat->client);
    return status;
}

static xmtp_status take_messages(host_follower *f, const void *const *messages, size_t count,
                                 xmtp_error *error)
{
    const Pb__GroupMessage__V1 *mine[ITEMS_PER_TURN];
    uint64_t newest = 0;
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        mine[n] = messages[i];
        if (mine[n]->id > f->cursor) {
            newest = mine[n]->id > newest ? mine[n]->id : newest;
            n++;
        }
    }
    if (n == 0) {
        return XMTP_OK;
    }
    bool has_news = false;
    xmtp_status status = xmtp_stream_apply(f->seat->client, f->ref, mine, n, &has_news, error);
    if (has_news) {
        host_seat_news(f->seat);
    }
    if (status == XMTP_OK) {
        f->cursor = newest;
    }
    return status;
}

static void deliver(host_kind kind, host_follower *f, const void *const *messages, size_t count)
{
    xmtp_error why = {0};
    if (is_behind(f)) {
        return; /* its query will find them */
    }
    f->seat->host->received += count;
    xmtp_status status = kind == HOST_WELCOMES ? take_welcomes(f, messages, count, &why)
                                               : take_messages(f, messages, count, &why);
    if (status == XMTP_E_NOT_FOUND && is_gone(f)) {
        f->seat->client->stream.is_stale = true; /* the conversation is gone */
    } else if (status != XMTP_OK) {
        fall_behind(f, status, &why);
    }
}

static void deliver_topic(turn *t, size_t first)
{
    const host_topic *topic = t->topics[first];
    const void *messages[ITEMS_PER_TURN];
    size_t count = 0;
    for (size_t i = first; i < t->count; i++) {
        if (t->topics[i] == topic) {
            messages[count++] = t->messages[i];
            t->topics[i] = NULL;
        }
    }
    for (host_follower *f = topic->followers; f != NULL; f = f->next_of_topic) {
        deliver(t->kind, f, messages, count);
    }
}

static void take_from_lane(xmtp_host *host, host_kind kind, host_lane *lane)
{
    turn t = {.host = host, .kind = kind, .lane = lane};
    xmtp_arena_init(&t.arena, &host->env.alloc, XMTP_CLIENT_ARENA_MAX);
    collect(&t);
    for (size_t i = 0; i < t.count; i++) {
        if (t.topics[i] != NULL) {
            deliver_topic(&t, i);
        }
    }
    xmtp_arena_reset(&t.arena);
    if (t.ended != XMTP_OK) {
        host_lane_lost(host, kind, lane, t.ended, &t.why);
    }
}

void host_take_items(xmtp_host *host)
{
    for (host_kind kind = 0; kind < HOST_KINDS; kind++) {
        host_feed *feed = &host->feeds[kind];
        for (xmtp_list *l = feed->lanes.next, *next; l != &feed->lanes; l = next) {
            next = l->next;
            take_from_lane(host, kind, XMTP_LIST_OF(l, host_lane, list));
        }
    }
}
