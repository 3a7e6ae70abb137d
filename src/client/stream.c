/* stream.c - poll: two subscriptions, one for welcomes and one for all conversations, whose items
 * go the same way as what a sync fetches.
 *
 *     closed --sync, subscribe from the cursors--> open --item--> receive_batch / welcome_process
 *       ^                                           |  \--new conversation--> subscribe again
 *       +------back-off 1 s to 30 s <----lost-------+
 *
 * A subscription replays everything behind the cursors before it goes live, so nothing is missed in
 * between. What it brings counts only together with the cursor: an item that was seen already is
 * ignored, one that does not fit (a commit is missing before it) makes us query that conversation.
 */
#include "client/stream.h"

#include "client/device_sync.h"

enum { ITEMS_PER_TURN = 100, TURNS_PER_LOOK = 10 };

static const uint64_t BACK_OFF_MIN_NS = XMTP_SECOND_NS;
static const uint64_t BACK_OFF_MAX_NS = 30 * XMTP_SECOND_NS;

void xmtp_stream_close(xmtp_client *client)
{
    const xmtp_transport *t = client->transport;
    if (t != NULL) {
        t->unsubscribe(t->context, client->stream.welcomes);
        t->unsubscribe(t->context, client->stream.groups);
    }
    client->stream.welcomes = NULL;
    client->stream.groups = NULL;
}

/* ---- opening */

static xmtp_status subscribe(xmtp_client *client, const char *path, const ProtobufCMessage *request,
                             xmtp_stream **out, xmtp_error *error)
{
    const xmtp_transport *t = client->transport;
    xmtp_writer_clear(&client->request);
    xmtp_writer_clear(&client->response);
    XMTP_TRY(xmtp_proto_encode(request, &client->request));
    uint64_t began_ns = xmtp_now_ns(client);
    xmtp_status status =
        t->subscribe(t->context, path, xmtp_writer_bytes(&client->request), out, error);
    xmtp_note_call(client, &(xmtp_call_note){.path = path,
                                             .status = status,
                                             .began_ns = began_ns,
                                             .request_len = client->request.n});
    bool is_away = status == XMTP_E_TIMEOUT || status == XMTP_E_RPC_UNAVAILABLE;
    return is_away ? XMTP_E_NETWORK : status;
}

/* To a subscription without a cursor nodes replay nothing: what came between the sync and the
 * stream is then asked for once it is open. */
static xmtp_status subscribe_welcomes(xmtp_client *client, xmtp_error *error)
{
    uint64_t cursor;
    XMTP_TRY(
        xmtp_stored(client, xmtp_setting_number(client->db, "welcome_cursor", &cursor), error));
    Pb__SubscribeWelcomeMessagesRequest__Filter filter =
        PB__SUBSCRIBE_WELCOME_MESSAGES_REQUEST__FILTER__INIT;
    filter.has_installation_key = 1;
    filter.installation_key =
        xmtp_proto_data(xmtp_bytes_of(client->installation.pk, sizeof(client->installation.pk)));
    filter.has_id_cursor = cursor != 0;
    filter.id_cursor = cursor;
    Pb__SubscribeWelcomeMessagesRequest__Filter *filters[] = {&filter};
    Pb__SubscribeWelcomeMessagesRequest request = PB__SUBSCRIBE_WELCOME_MESSAGES_REQUEST__INIT;
    request.n_filters = 1;
    request.filters = filters;
    XMTP_TRY(subscribe(client, XMTP_MLS_API("SubscribeWelcomeMessages"), &request.base,
                       &client->stream.welcomes, error));
    return cursor == 0 ? xmtp_sync_welcomes(client, error) : XMTP_OK;
}

static xmtp_status group_filters(xmtp_arena *arena, const xmtp_group_positions *all,
                                 Pb__SubscribeGroupMessagesRequest *request)
{
    typedef Pb__SubscribeGroupMessagesRequest__Filter filter_type;
    void *filters;
    void *pointers;
    XMTP_TRY(xmtp_arena_take_array(arena, all->count, sizeof(filter_type), &filters));
    XMTP_TRY(xmtp_arena_take_array(arena, all->count, sizeof(filter_type *), &pointers));
    request->filters = pointers;
    request->n_filters = 0;
    for (size_t i = 0; i < all->count; i++) {
        const xmtp_group_position *at = &all->items[i];
        if (!xmtp_group_is_read(at)) {
            continue;
        }
        filter_type *filter = (filter_type *)filters + i;
        *filter = (filter_type)PB__SUBSCRIBE_GROUP_MESSAGES_REQUEST__FILTER__INIT;
        filter->has_group_id = 1;
        filter->group_id = xmtp_proto_data(at->group_id);
        filter->has_id_cursor = at->cursor != 0;
        filter->id_cursor = at->cursor;
        request->filters[request->n_filters++] = filter;
    }
    return XMTP_OK;
}

/* Conversations that we were welcomed to and know nothing of yet: a welcome need not say up to where it
 * stands. The stream brings only what comes after it is open, as with welcomes. What is wrong with one
 * of them shows when it is used. */
static xmtp_status query_without_cursor(xmtp_client *client, const xmtp_group_positions *all,
                                        bool *has_news, xmtp_error *error)
{
    for (size_t i = 0; i < all->count; i++) {
        const xmtp_group_position *at = &all->items[i];
        if (xmtp_group_is_read(at) && at->cursor == 0 && at->welcome_id != 0) {
            xmtp_error why = {0};
            xmtp_status status = xmtp_sync_group(client, at->ref, has_news, &why);
            if (xmtp_is_node_trouble(status)) {
                return xmtp_fail(error, status, "%s", why.text);
            }
        }
    }
    return XMTP_OK;
}

static void take_groups_stream(xmtp_client *client, xmtp_stream *fresh)
{
    client->transport->unsubscribe(client->transport->context, client->stream.groups);
    client->stream.groups = fresh;
    client->stream.is_stale = false;
}

/* A new subscription with the present list; the old one is dropped only then. */
static xmtp_status subscribe_groups(xmtp_client *client, bool *has_news, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_group_positions all;
    xmtp_stream *fresh = NULL;
    Pb__SubscribeGroupMessagesRequest request = PB__SUBSCRIBE_GROUP_MESSAGES_REQUEST__INIT;
    xmtp_scratch(client, &arena);
    xmtp_status status =
        xmtp_stored(client, xmtp_group_position_list(client->db, &arena, &all), error);
    if (status == XMTP_OK) {
        status = group_filters(&arena, &all, &request);
    }
    if (status == XMTP_OK) {
        status =
            subscribe(client, XMTP_MLS_API("SubscribeGroupMessages"), &request.base, &fresh, error);
    }
    if (status == XMTP_OK) {
        take_groups_stream(client, fresh);
        status = query_without_cursor(client, &all, has_news, error);
    }
    xmtp_arena_reset(&arena);
    return status;
}

static xmtp_status lost(xmtp_client *client, xmtp_status status, const xmtp_error *error)
{
    stream_state *s = &client->stream;
    xmtp_stream_close(client);
    bool is_told = error != NULL && error->status == status;
    (void)xmtp_fail(&s->why, status, "%s", is_told ? error->text : xmtp_status_text(status));
    s->back_off_ns = s->back_off_ns == 0 ? BACK_OFF_MIN_NS : 2 * s->back_off_ns;
    s->back_off_ns = s->back_off_ns > BACK_OFF_MAX_NS ? BACK_OFF_MAX_NS : s->back_off_ns;
    s->retry_at_ns = xmtp_now_ns(client) + s->back_off_ns;
    xmtp_log_line(client, XMTP_LOG_WARN, "streams lost, again in %" PRIu64 " s: %s: %s",
                  s->back_off_ns / XMTP_SECOND_NS, xmtp_status_name(status), s->why.text);
    return status;
}

/* Whatever the trouble is, the node is away; but who is not to be trusted is told as that. */
static xmtp_status as_away(xmtp_status status)
{
    return xmtp_is_node_trouble(status) && !xmtp_is_unreached(status) ? XMTP_E_NETWORK : status;
}

/* Sync and subscribe. Conversations that fail for reasons of their own do not keep the streams
 * closed: what is wrong with them shows again when they are used. */
static xmtp_status open_streams(xmtp_client *client, xmtp_error *error)
{
    bool has_news = false; /* whoever opens the streams looks at everything */
    xmtp_error why = {0};
    xmtp_status status = xmtp_client_sync(client, &why);
    if (xmtp_is_node_trouble(status)) {
        return lost(client, xmtp_fail(error, as_away(status), "%s", why.text), error);
    }
    status = subscribe_welcomes(client, error);
    if (status == XMTP_OK) {
        status = subscribe_groups(client, &has_news, error);
    }
    if (status != XMTP_OK) {
        return lost(client, as_away(status), error);
    }
    client->stream.back_off_ns = 0;
    client->stream.has_synced = true;
    xmtp_log_line(client, XMTP_LOG_INFO, "streams open");
    client->stream.next_chores_ns = xmtp_now_ns(client) + client->chores.interval_ns;
    return XMTP_OK;
}

/* ---- items of conversations */

typedef struct turn {
    xmtp_client *client;
    xmtp_arena arena;
    const Pb__GroupMessage__V1 *items[ITEMS_PER_TURN];
    size_t count;
    bool has_ended;
    bool has_news;
} turn;

static xmtp_status decode_item(turn *t, xmtp_bytes bytes)
{
    void *message;
    xmtp_status status =
        xmtp_proto_decode(&pb__group_message__descriptor, &t->arena, bytes, &message);
    if (status == XMTP_OK &&
        ((Pb__GroupMessage *)message)->version_case == PB__GROUP_MESSAGE__VERSION_V1) {
        t->items[t->count++] = ((Pb__GroupMessage *)message)->v1;
    }
    /* An undecodable item cannot be told from noise; a query would find the same bytes. */
    return status == XMTP_E_MALFORMED ? XMTP_OK : status;
}

/* True: there may be more at once. */
static bool collect(turn *t)
{
    const xmtp_transport *transport = t->client->transport;
    xmtp_bytes bytes;
    for (size_t i = 0; i < ITEMS_PER_TURN; i++) {
        xmtp_status status =
            transport->next(transport->context, t->client->stream.groups, &bytes, NULL);
        if (status != XMTP_OK) {
            t->has_ended = status != XMTP_E_RETRY;
            return false;
        }
        if (decode_item(t, bytes) != XMTP_OK) {
            t->has_ended = true; /* not applied, so a new subscription brings it again */
            return false;
        }
    }
    return true;
}

xmtp_status xmtp_stream_apply(xmtp_client *client, int64_t ref,
                              const Pb__GroupMessage__V1 *const *items, size_t count,
                              bool *has_news, xmtp_error *error)
{
    group_work work;
    xmtp_status status = xmtp_work_start(&work, client, ref, error);
    if (status == XMTP_OK) {
        work.is_from_stream = true;
        status = xmtp_receive_batch(&work, items, count, error);
        if (work.needs_query) {
            status = xmtp_work_reload(&work, error);
            status = status == XMTP_OK ? xmtp_receive(&work, error) : status;
        }
    }
    *has_news = *has_news || work.has_news;
    xmtp_work_end(&work);
    return status;
}

static xmtp_status apply_conversation(turn *t, size_t first, xmtp_error *error)
{
    xmtp_client *client = t->client;
    const Pb__GroupMessage__V1 *mine[ITEMS_PER_TURN];
    size_t count = 0;
    xmtp_bytes group_id = xmtp_proto_bytes(t->items[first]->group_id);
    for (size_t i = first; i < t->count; i++) {
        if (t->items[i] != NULL &&
            xmtp_bytes_equal(xmtp_proto_bytes(t->items[i]->group_id), group_id)) {
            mine[count++] = t->items[i];
            t->items[i] = NULL;
        }
    }
    int64_t ref;
    xmtp_status status = xmtp_group_ref_exact(client->db, group_id, &ref);
    if (status == XMTP_E_NOT_FOUND) {
        return XMTP_OK; /* never asked for */
    }
    XMTP_TRY(xmtp_stored(client, status, error));
    return xmtp_stream_apply(client, ref, mine, count, &t->has_news, error);
}

/* *has_more: another turn may find more at once. */
static xmtp_status drain_groups(xmtp_client *client, bool *has_news, bool *has_more,
                                bool *has_ended, xmtp_error *error)
{
    turn t = {.client = client};
    xmtp_status first = XMTP_OK;
    xmtp_scratch(client, &t.arena);
    *has_more = collect(&t);
    for (size_t i = 0; i < t.count; i++) {
        if (t.items[i] != NULL) {
            xmtp_status status = apply_conversation(&t, i, first == XMTP_OK ? error : NULL);
            first = first == XMTP_OK ? status : first;
        }
    }
    xmtp_arena_reset(&t.arena);
    xmtp_states_trim(client, XMTP_STATE_CACHE_MAX);
    *has_ended = t.has_ended;
    *has_news = *has_news || t.has_news;
    return first;
}

/* ---- welcomes */

static xmtp_status drain_welcomes(xmtp_client *client, bool *has_news, bool *has_ended,
                                  xmtp_error *error)
{
    const xmtp_transport *t = client->transport;
    xmtp_bytes bytes;
    for (size_t i = 0; i < ITEMS_PER_TURN; i++) {
        xmtp_status status = t->next(t->context, client->stream.welcomes, &bytes, NULL);
        if (status != XMTP_OK) {
            *has_ended = status != XMTP_E_RETRY;
            return XMTP_OK;
        }
        xmtp_arena arena;
        void *message;
        xmtp_scratch(client, &arena);
        status = xmtp_proto_decode(&pb__welcome_message__descriptor, &arena, bytes, &message);
        if (status == XMTP_OK) {
            status = xmtp_welcome_process(client, message, error);
            xmtp_welcomes_end(client);
            *has_news = true;
        } else if (status == XMTP_E_MALFORMED) {
            status = XMTP_OK;
        }
        xmtp_arena_reset(&arena);
        XMTP_TRY(status);
    }
    return XMTP_OK;
}

/* ---- chores: what nobody tells us about */

/* After a while without news, memory that only makes things faster is given back: a process may hold
 * thousands of clients that have nothing to do. */
static void rest(xmtp_client *client)
{
    if (!client->stream.had_news && !client->stream.is_resting) {
        client->stream.is_resting = true;
        xmtp_cache_forget_all(client);
        xmtp_states_trim(client, 0);
        xmtp_writer_free(&client->request);
        xmtp_writer_free(&client->response);
        xmtp_database_rest(client->db);
    }
    client->stream.had_news = false;
}

static xmtp_status chores(xmtp_client *client, xmtp_error *error)
{
    uint64_t now_ns = xmtp_now_ns(client);
    if (client->next_expiry_ns <= now_ns) {
        XMTP_TRY(xmtp_client_delete_expired(client, NULL, error));
    }
    if (client->has_leavers) {
        XMTP_TRY(xmtp_leave_chore(client, error));
    }
    if (client->device_sync.is_due) {
        XMTP_TRY(xmtp_device_sync_chore(client, error));
    }
    if (now_ns < client->stream.next_chores_ns) {
        return XMTP_OK;
    }
    client->stream.next_chores_ns = now_ns + client->chores.interval_ns;
    XMTP_TRY(xmtp_flush_intents(client, error));
    XMTP_TRY(xmtp_chores(client, error));
    rest(client);
    return XMTP_OK;
}

/* ---- poll */

/* One look at everything, without waiting, however much comes. After a failure that belongs to one item
 * the streams are opened again: they replay from the cursors, so the item comes back. */
static xmtp_status look(xmtp_client *client, bool *has_news, xmtp_error *error)
{
    bool has_more = true;
    bool welcomes_ended = false;
    bool groups_ended = false;
    xmtp_status status = drain_welcomes(client, has_news, &welcomes_ended, error);
    for (int turns = 0; status == XMTP_OK && has_more && turns < TURNS_PER_LOOK; turns++) {
        if (client->stream.is_stale) {
            status = subscribe_groups(client, has_news, error);
        }
        if (status == XMTP_OK) {
            status = drain_groups(client, has_news, &has_more, &groups_ended, error);
        }
    }
    if (status == XMTP_OK && (welcomes_ended || groups_ended)) {
        status = xmtp_fail(error, XMTP_E_NETWORK, "the node ended the subscription");
    }
    if (status == XMTP_OK && client->stream.is_stale) {
        status = subscribe_groups(client, has_news, error);
    }
    if (status == XMTP_OK) {
        status = chores(client, error);
    }
    return status == XMTP_OK ? XMTP_OK : lost(client, status, error);
}

static uint64_t until(uint64_t at_ns, uint64_t now_ns)
{
    return at_ns > now_ns ? at_ns - now_ns : 0;
}

/* Waits, but not longer than to the next chore or try. *left_ns is reduced. */
static xmtp_status wait_some(xmtp_client *client, uint64_t most_ns, uint64_t *left_ns)
{
    const xmtp_transport *t = client->transport;
    uint64_t wait_ns = most_ns < *left_ns ? most_ns : *left_ns;
    xmtp_status status = t->wait(t->context, wait_ns);
    if (*left_ns != UINT64_MAX && status == XMTP_E_TIMEOUT) {
        *left_ns -= wait_ns;
    }
    return status;
}

static xmtp_status open_or_wait(xmtp_client *client, uint64_t timeout_ns, xmtp_error *error)
{
    uint64_t back_off_ns = until(client->stream.retry_at_ns, xmtp_now_ns(client));
    if (back_off_ns > 0) {
        uint64_t left_ns = timeout_ns;
        xmtp_status status = wait_some(client, back_off_ns, &left_ns);
        if (status == XMTP_OK || left_ns == 0) {
            return status == XMTP_OK
                       ? XMTP_OK
                       : xmtp_fail(error, client->stream.why.status, "%s", client->stream.why.text);
        }
    }
    return open_streams(client, error);
}

xmtp_status xmtp_client_poll(xmtp_client *client, uint64_t timeout_ns, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    if (client->seat != NULL) {
        return xmtp_fail(error, XMTP_E_STATE, "a client of a host is polled with its host");
    }
    if (client->stream.welcomes == NULL) {
        return open_or_wait(client, timeout_ns, error);
    }
    uint64_t left_ns = timeout_ns;
    bool was_woken = false;
    for (;;) {
        bool has_news = false;
        XMTP_TRY(look(client, &has_news, error));
        client->stream.had_news = client->stream.had_news || has_news;
        client->stream.is_resting = client->stream.is_resting && !has_news;
        if (has_news || was_woken) {
            return XMTP_OK;
        }
        if (left_ns == 0) {
            return XMTP_E_TIMEOUT;
        }
        uint64_t chores_ns = until(client->stream.next_chores_ns, xmtp_now_ns(client));
        uint64_t expiry_ns = until(client->next_expiry_ns, xmtp_now_ns(client));
        chores_ns = expiry_ns < chores_ns ? expiry_ns : chores_ns;
        was_woken = wait_some(client, chores_ns == 0 ? 1 : chores_ns, &left_ns) == XMTP_OK;
    }
}

void xmtp_client_wake(xmtp_client *client)
{
    client->transport->wake(client->transport->context);
}
