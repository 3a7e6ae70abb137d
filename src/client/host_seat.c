/* host_seat.c - a client's place in its host: when it is awake, and what is to be done for it.
 *
 *     parked --any call, an item, a chore--> awake --some seconds without--> chores done, parked
 *
 *     awake     caches and MLS groups, in a list that every poll walks
 *     opened    besides, its database has a connection: at most open_max, the least recently used one
 *               gives way (second chance: one that was used since the last look stays once more)
 *
 * A parked client costs its struct, the path and key of its database, and what it follows. Nothing
 * is asked of its database until something is due, which is known from when it was last awake.
 */
#include "client/commit_log.h"
#include "client/host.h"
#include "client/stream.h"
#include "crypto/crypto.h"
#include "store/device_sync_store.h"

#include <limits.h>
#include <search.h>

enum {
    CHORES_PER_TURN = 16, /* of clients, so that news do not wait for chores of thousands */
    LOG_ROUNDS = 1,       /* of the commit log after the last activity */
    SPREAD_S = 300,       /* the first chores of thousands that are opened at once */
};

static const uint64_t BACK_OFF_MAX_NS = 300 * XMTP_SECOND_NS;
static const uint64_t LOOK_AGAIN_NS = XMTP_SECOND_NS / 20;

static int compare_accounts(const void *a, const void *b)
{
    return strcmp(((const host_seat *)a)->client->account, ((const host_seat *)b)->client->account);
}

static bool is_in_list(const xmtp_list *link)
{
    return !xmtp_list_is_empty(link);
}

static uint64_t min_ns(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- taking and leaving */

xmtp_status xmtp_seat_take(xmtp_client *client, xmtp_host *host, xmtp_error *error)
{
    host_seat *seat = host_allocate(host, sizeof(*seat));
    XMTP_ENSURE(seat != NULL, xmtp_fail(error, XMTP_E_NOMEM, "no memory for a client"));
    *seat = (host_seat){.host = host, .client = client, .due_ns = UINT64_MAX};
    xmtp_list_init(&seat->all);
    xmtp_list_init(&seat->awake);
    xmtp_list_init(&seat->opened);
    xmtp_list_init(&seat->news);
    client->seat = seat;
    return XMTP_OK;
}

static void ephemeral_path(const host_seat *seat, char *out, size_t capacity)
{
    (void)snprintf(out, capacity, "%s/ephemeral-%" PRIu64 ".db", seat->host->folder,
                   seat->file_number);
}

xmtp_status xmtp_seat_path(const xmtp_client *client, bool is_ephemeral, char *out, size_t capacity,
                           xmtp_error *error)
{
    host_seat *seat = client->seat;
    xmtp_host *host = seat->host;
    if (is_ephemeral) {
        seat->file_number = ++host->files;
        ephemeral_path(seat, out, capacity);
        return XMTP_OK;
    }
    if (host->is_temporary) {
        return xmtp_fail(error, XMTP_E_ARGUMENT,
                         "a host without a folder keeps nothing: only identities without a key");
    }
    if (tfind(seat, &host->by_account, compare_accounts) != NULL) {
        return xmtp_fail(error, XMTP_E_LOCKED, "%.66s is open in this host already",
                         client->account);
    }
    size_t n = (size_t)snprintf(out, capacity, "%s/", host->folder);
    xmtp_database_name(client->account, host->node_url, out + n, capacity - n);
    return XMTP_OK;
}

xmtp_status xmtp_seat_key(const xmtp_client *client, bool has_wallet,
                          uint8_t key[XMTP_DATABASE_KEY_LEN], bool *is_made, xmtp_error *error)
{
    const xmtp_host *host = client->seat->host;
    bool is_ephemeral = client->seat->file_number != 0;
    *is_made = host->has_key && !is_ephemeral;
    if (!*is_made) {
        return has_wallet ? XMTP_OK
                          : xmtp_fail(error, XMTP_E_ARGUMENT,
                                      "an account that signs elsewhere needs a database_key, or a "
                                      "key of the host");
    }
    xmtp_secret prk;
    xmtp_hkdf_extract(&xmtp_hash_sha256, xmtp_bytes_of_string("xmtp host database"),
                      xmtp_bytes_of(host->key, sizeof(host->key)), &prk);
    xmtp_status status =
        xmtp_hkdf_expand(&xmtp_hash_sha256, xmtp_secret_bytes(&prk),
                         xmtp_bytes_of_string(client->account), key, XMTP_DATABASE_KEY_LEN);
    xmtp_secret_wipe(&prk);
    return status;
}

static void leave_awake(host_seat *seat)
{
    seat->host->awake_count -= is_in_list(&seat->awake);
    xmtp_list_remove(&seat->awake);
}

static void leave_opened(host_seat *seat)
{
    seat->host->opened_count -= is_in_list(&seat->opened);
    xmtp_list_remove(&seat->opened);
}

void xmtp_seat_leave(host_seat *seat)
{
    xmtp_host *host = seat->host;
    if (seat->has_joined) {
        (void)tdelete(seat, &host->by_account, compare_accounts);
        host->seat_count--;
    }
    host_unfollow_all(seat);
    leave_awake(seat);
    leave_opened(seat);
    xmtp_list_remove(&seat->news);
    xmtp_list_remove(&seat->all);
    if (host->trouble_of == seat->client) {
        host->trouble_of = NULL;
        host->trouble = (xmtp_error){0};
    }
}

void xmtp_seat_free(host_seat *seat)
{
    if (seat->file_number != 0) {
        char path[PATH_MAX];
        ephemeral_path(seat, path, sizeof(path));
        xmtp_database_delete(path);
    }
    host_release(seat->host, seat);
}

/* ---- waking */

static bool was_used(host_seat *seat)
{
    uint64_t uses = xmtp_database_uses(seat->client->db);
    bool was = uses != seat->uses_of_clock;
    seat->uses_of_clock = uses;
    return was;
}

/* Closes connections until there is room for one more. Those in use stay, whatever their number. */
static void make_room(xmtp_host *host)
{
    size_t looks = 2 * host->opened_count;
    while (host->opened_count >= host->open_max && looks-- > 0) {
        host_seat *seat = XMTP_LIST_OF(host->opened.next, host_seat, opened);
        xmtp_database *db = seat->client->db;
        if (xmtp_database_is_parked(db) || (!was_used(seat) && xmtp_database_park(db))) {
            leave_opened(seat);
            continue;
        }
        xmtp_list_remove(&seat->opened);
        xmtp_list_append(&host->opened, &seat->opened);
    }
}

/* Its database is about to open. */
static void woken(void *context)
{
    host_seat *seat = context;
    xmtp_host *host = seat->host;
    make_room(host);
    if (!is_in_list(&seat->opened)) {
        xmtp_list_append(&host->opened, &seat->opened);
        host->opened_count++;
    }
    if (!is_in_list(&seat->awake)) {
        xmtp_list_append(&host->awake, &seat->awake);
        host->awake_count++;
        host->wakes += seat->has_joined;
    }
}

void host_seat_news(host_seat *seat)
{
    if (!is_in_list(&seat->news)) {
        xmtp_list_append(&seat->host->news, &seat->news);
    }
}

/* ---- chores */

static void set_due(host_seat *seat, uint64_t due_ns)
{
    seat->due_ns = due_ns;
    seat->host->next_due_ns = min_ns(seat->host->next_due_ns, due_ns);
}

/* Something was asked of it, or came. */
static void note_activity(host_seat *seat, uint64_t now_ns)
{
    seat->used_ns = now_ns;
    seat->log_rounds = LOG_ROUNDS;
    if (seat->due_ns > now_ns + seat->client->chores.interval_ns) {
        set_due(seat, now_ns + seat->client->chores.interval_ns);
    }
}

static xmtp_status has_unsent(xmtp_client *client, bool *out, xmtp_error *error)
{
    xmtp_arena arena;
    int64_t *refs;
    size_t count = 0;
    xmtp_scratch(client, &arena);
    xmtp_status status =
        xmtp_stored(client, xmtp_intent_groups(client->db, &arena, &refs, &count), error);
    xmtp_arena_reset(&arena);
    *out = count > 0;
    return status;
}

static xmtp_status rotation_of(xmtp_client *client, uint64_t *at_ns, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_identity_row row = {0};
    xmtp_scratch(client, &arena);
    xmtp_status status = xmtp_stored(client, xmtp_identity_read(client->db, &arena, &row), error);
    *at_ns = row.next_rotation_ns;
    xmtp_arena_reset(&arena);
    return status;
}

/* The next try of an archive to make or to fetch. */
static xmtp_status task_of(xmtp_client *client, uint64_t *at_ns, xmtp_error *error)
{
    *at_ns = UINT64_MAX;
    if (!client->device_sync.is_on || client->device_sync.http == NULL) {
        return XMTP_OK;
    }
    xmtp_status status = xmtp_sync_task_due(client->db, at_ns);
    return status == XMTP_E_NOT_FOUND ? XMTP_OK : xmtp_stored(client, status, error);
}

static bool is_off(const xmtp_client *client, uint32_t chore)
{
    return (client->chores.disabled & chore) != 0;
}

/* When its chores are next to be done, if nothing happens until then. Once a day at least: old key
 * packages are deleted then. */
static xmtp_status next_due(host_seat *seat, uint64_t *out, xmtp_error *error)
{
    xmtp_client *client = seat->client;
    uint64_t now_ns = host_now_ns(seat->host);
    uint64_t rotation_ns;
    uint64_t task_ns;
    uint64_t log_ns = UINT64_MAX;
    bool is_unsent;
    XMTP_TRY(has_unsent(client, &is_unsent, error));
    XMTP_TRY(rotation_of(client, &rotation_ns, error));
    XMTP_TRY(task_of(client, &task_ns, error));
    rotation_ns = is_off(client, XMTP_CHORE_KEY_PACKAGES) ? UINT64_MAX : rotation_ns;
    if (seat->log_rounds > 0 && !is_off(client, XMTP_CHORE_COMMIT_LOG)) {
        XMTP_TRY(
            xmtp_stored(client, xmtp_setting_number(client->db, "commit_log_due", &log_ns), error));
    }
    *out = min_ns(min_ns(rotation_ns, client->next_expiry_ns), min_ns(log_ns, task_ns));
    *out = min_ns(*out, now_ns + XMTP_DAY_NS);
    uint64_t soon_ns = now_ns + client->chores.interval_ns;
    *out = *out < soon_ns || is_unsent ? soon_ns : *out;
    return XMTP_OK;
}

static xmtp_status do_chores(host_seat *seat, xmtp_error *error)
{
    uint64_t due_ns;
    uint64_t log_before = 0;
    uint64_t log_after = 0;
    xmtp_client *client = seat->client;
    (void)xmtp_setting_number(client->db, "commit_log_due", &log_before);
    XMTP_TRY(xmtp_flush_intents(client, error));
    XMTP_TRY(xmtp_chores(client, error));
    (void)xmtp_setting_number(client->db, "commit_log_due", &log_after);
    seat->log_rounds -= seat->log_rounds > 0 && log_before != 0 && log_after != log_before;
    XMTP_TRY(next_due(seat, &due_ns, error));
    set_due(seat, due_ns);
    return XMTP_OK;
}

static void work_chores(host_seat *seat)
{
    xmtp_host *host = seat->host;
    xmtp_client *client = seat->client;
    xmtp_error why = {0};
    client->is_node_away = host->is_node_away;
    xmtp_status status = do_chores(seat, &why);
    host->is_node_away = client->is_node_away;
    if (status == XMTP_OK) {
        seat->back_off_ns = 0;
    } else {
        seat->back_off_ns = host_back_off(seat->back_off_ns, BACK_OFF_MAX_NS);
        set_due(seat, host_now_ns(host) + client->chores.interval_ns + seat->back_off_ns);
        host_note_trouble(host, xmtp_is_node_trouble(status) ? NULL : client, status, &why);
    }
}

static uint64_t due_of(const host_seat *seat)
{
    /* Messages that expire are gone in time, whatever else is put off. */
    bool is_failing = seat->back_off_ns != 0;
    return is_failing ? seat->due_ns : min_ns(seat->due_ns, seat->client->next_expiry_ns);
}

/* ---- parking */

void host_seat_park(host_seat *seat)
{
    xmtp_client *client = seat->client;
    xmtp_settle(client);
    bool is_closed = xmtp_database_is_parked(client->db) || xmtp_database_park(client->db);
    if (is_closed) {
        leave_opened(seat);
    }
    if (!is_closed || client->stream.is_stale) {
        seat->used_ns = host_now_ns(seat->host); /* in the middle of something: later */
        return;
    }
    leave_awake(seat);
    xmtp_cache_forget_all(client);
    xmtp_states_trim(client, 0);
    xmtp_give_back(client, client->states);
    client->states = NULL;
    client->state_capacity = 0;
    xmtp_arena_reset(&client->out);
    xmtp_writer_free(&client->request);
    xmtp_writer_free(&client->response);
}

/* ---- each poll */

/* Clients that were used since the last poll: whom they follow now, and when they rest. */
void host_seats_look(xmtp_host *host)
{
    uint64_t now_ns = host_now_ns(host);
    for (xmtp_list *l = host->awake.next; l != &host->awake; l = l->next) {
        host_seat *seat = XMTP_LIST_OF(l, host_seat, awake);
        xmtp_error why = {0};
        xmtp_settle(seat->client);
        if (xmtp_database_uses(seat->client->db) != seat->uses_seen) {
            note_activity(seat, now_ns);
            seat->uses_seen = xmtp_database_uses(seat->client->db);
        }
        bool is_pressing = seat->client->has_leavers || seat->client->device_sync.is_due;
        if (is_pressing && seat->back_off_ns == 0) {
            set_due(seat, now_ns);
        }
        if (seat->client->stream.is_stale && seat->retry_at_ns <= now_ns) {
            xmtp_status status = host_follow_listed(seat, &why);
            if (status != XMTP_OK) {
                seat->retry_at_ns = now_ns + seat->client->chores.interval_ns;
                host_note_trouble(host, seat->client, status, &why);
            }
        }
        host->next_due_ns = min_ns(host->next_due_ns, due_of(seat));
    }
}

/* Chores of all whom something is due for, parked or not. */
static void work_due(xmtp_host *host, uint64_t now_ns)
{
    size_t done = 0;
    if (host->next_due_ns > now_ns) {
        return;
    }
    host->next_due_ns = UINT64_MAX;
    for (xmtp_list *l = host->seats.next; l != &host->seats; l = l->next) {
        host_seat *seat = XMTP_LIST_OF(l, host_seat, all);
        if (due_of(seat) <= now_ns && done < CHORES_PER_TURN) {
            work_chores(seat);
            done++;
        }
        host->next_due_ns = min_ns(host->next_due_ns, due_of(seat));
    }
    if (done < CHORES_PER_TURN && host->next_due_ns < now_ns + LOOK_AGAIN_NS) {
        host->next_due_ns = now_ns + LOOK_AGAIN_NS; /* not thousands of clients for each of them */
    }
}

static void park_idle(xmtp_host *host, uint64_t now_ns)
{
    for (xmtp_list *l = host->awake.next, *next; l != &host->awake; l = next) {
        host_seat *seat = XMTP_LIST_OF(l, host_seat, awake);
        next = l->next;
        seat->uses_seen = xmtp_database_uses(seat->client->db);
        if (now_ns - seat->used_ns < host->park_after_ns && now_ns >= seat->used_ns) {
            continue;
        }
        host_seat_park(seat);
    }
}

void host_seats_work(xmtp_host *host)
{
    uint64_t now_ns = host_now_ns(host);
    host_seats_look(host);
    work_due(host, now_ns);
    park_idle(host, now_ns);
}

uint64_t host_seats_next_ns(const xmtp_host *host)
{
    uint64_t next_ns = host->next_due_ns;
    for (const xmtp_list *l = host->awake.next; l != &host->awake; l = l->next) {
        const host_seat *seat = XMTP_LIST_OF(l, host_seat, awake);
        bool is_never = host->park_after_ns > UINT64_MAX - seat->used_ns;
        next_ns = min_ns(next_ns, is_never ? UINT64_MAX : seat->used_ns + host->park_after_ns);
    }
    return next_ns;
}

/* ---- joining */

xmtp_status host_seat_join(host_seat *seat, xmtp_error *error)
{
    xmtp_host *host = seat->host;
    xmtp_client *client = seat->client;
    uint64_t cursor;
    uint64_t due_ns;
    uint64_t spread_ns = host->seat_count % SPREAD_S * XMTP_SECOND_NS;
    if (tsearch(seat, &host->by_account, compare_accounts) == NULL) {
        return xmtp_fail(error, XMTP_E_NOMEM, "no memory for a client");
    }
    woken(seat); /* opened just now, and in nobody's list yet */
    seat->has_joined = true;
    host->seat_count++;
    xmtp_list_append(&host->seats, &seat->all);
    xmtp_database_on_wake(client->db, woken, seat);
    XMTP_TRY(
        xmtp_stored(client, xmtp_setting_number(client->db, "welcome_cursor", &cursor), error));
    xmtp_bytes key = xmtp_bytes_of(client->installation.pk, sizeof(client->installation.pk));
    XMTP_TRY(host_follow(seat, HOST_WELCOMES, 0, key, cursor, error));
    XMTP_TRY(host_follow_listed(seat, error));
    seat->used_ns = host_now_ns(host);
    XMTP_TRY(next_due(seat, &due_ns, error));
    seat->log_rounds = LOG_ROUNDS;
    set_due(seat, min_ns(due_ns, seat->used_ns + client->chores.interval_ns + spread_ns));
    seat->uses_seen = xmtp_database_uses(client->db);
    return XMTP_OK;
}
