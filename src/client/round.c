/* round.c - rounds of publishing and receiving on one conversation.
 *
 * What may already be on the network (published before a crash or a lost connection) is looked for
 * before it is sent again. A commit ends the publishing of its round: what is queued behind it is
 * built in the epoch that the commit makes.
 */
#include "client/round.h"

#include "client/sealed_pointers.h"

enum { ROUNDS_MAX = 8, INTENTS_PER_ROUND = 100 };

static const uint64_t BACK_OFF_NS = UINT64_C(50000000);
static const uint64_t BACK_OFF_MAX_NS = UINT64_C(2000000000);

static xmtp_status load(group_work *work, xmtp_error *error)
{
    xmtp_client *client = work->client;
    int64_t ref = work->row.ref;
    xmtp_arena_reset(&work->arena);
    work->row = (xmtp_group_row){.ref = ref};
    work->intents = (xmtp_intent_rows){0};
    xmtp_group_row row;
    xmtp_status status = xmtp_group_row_read(client->db, ref, &work->arena, &row);
    if (status == XMTP_E_NOT_FOUND) {
        return xmtp_fail(error, status, "no such conversation");
    }
    XMTP_TRY(xmtp_stored(client, status, error));
    work->row = row;
    work->committed = row;
    return xmtp_stored(
        client, xmtp_intent_list(client->db, ref, INTENTS_PER_ROUND, &work->arena, &work->intents),
        error);
}

xmtp_status xmtp_work_reload(group_work *work, xmtp_error *error)
{
    xmtp_database *db = work->client->db;
    uint64_t now = xmtp_database_change_count(db);
    if (work->is_loaded && work->loaded_at == now) {
        return XMTP_OK;
    }
    work->is_loaded = false;
    XMTP_TRY(load(work, error));
    work->is_loaded = !xmtp_database_in_transaction(db);
    work->loaded_at = now;
    return XMTP_OK;
}

xmtp_status xmtp_work_queued(group_work *work, const xmtp_intent_row *intent)
{
    void *items;
    const size_t count = work->intents.count;
    work->is_loaded = false;
    XMTP_TRY(xmtp_arena_take_array(&work->arena, count + 1, sizeof(*work->intents.items), &items));
    if (count > 0) {
        memcpy(items, work->intents.items, count * sizeof(*work->intents.items));
    }
    work->intents = (xmtp_intent_rows){.items = items, .count = count + 1};
    xmtp_intent_row *last = &work->intents.items[count];
    *last = *intent;
    XMTP_TRY(xmtp_arena_copy(&work->arena, intent->payload, &last->payload));
    XMTP_TRY(xmtp_arena_copy(&work->arena, intent->payload_hash, &last->payload_hash));
    work->is_loaded = true;
    work->loaded_at = xmtp_database_change_count(work->client->db);
    return XMTP_OK;
}

xmtp_status xmtp_work_start(group_work *work, xmtp_client *client, int64_t ref, xmtp_error *error)
{
    xmtp_settle(client);
    return xmtp_work_start_unsettled(work, client, ref, error);
}

xmtp_status xmtp_work_start_unsettled(group_work *work, xmtp_client *client, int64_t ref,
                                      xmtp_error *error)
{
    if (!xmtp_row_ahead_take(work, client, ref)) {
        *work = (group_work){.client = client, .row = {.ref = ref}};
        xmtp_scratch(client, &work->arena);
        xmtp_writer_init(&work->ahead, &client->env.alloc, XMTP_WRITER_MAX);
        xmtp_writer_init(&work->made.welcomes, &client->env.alloc, XMTP_WRITER_MAX);
    }
    return xmtp_work_reload(work, error);
}

void xmtp_work_forget_staged(group_work *work)
{
    xmtp_mls_staged_free(work->made.staged);
    work->made.staged = NULL;
}

void xmtp_work_forget_made(group_work *work)
{
    xmtp_work_forget_staged(work);
    xmtp_mls_pending_free(work->made.pending);
    xmtp_sealed_pointers_free(work->client, work->made.pointers);
    xmtp_writer_free(&work->made.welcomes);
    work->made = (made_commit){0};
    xmtp_writer_init(&work->made.welcomes, &work->client->env.alloc, XMTP_WRITER_MAX);
}

void xmtp_work_end(group_work *work)
{
    if (work->is_in_transaction) {
        (void)xmtp_work_abandon(work, XMTP_OK);
    }
    xmtp_work_forget_made(work);
    xmtp_writer_free(&work->ahead);
    xmtp_arena_reset(&work->arena);
}

xmtp_status xmtp_work_group(group_work *work, xmtp_error *error)
{
    if (work->group != NULL) {
        return XMTP_OK;
    }
    return xmtp_cache_open(work->client, work->row.ref, &work->group, error);
}

xmtp_status xmtp_work_abandon(group_work *work, xmtp_status status)
{
    xmtp_database_rollback(work->client->db);
    xmtp_work_forget_staged(work);
    xmtp_cache_forget(work->client, work->row.ref);
    work->group = NULL;
    work->row = work->committed;
    work->is_loaded = false;
    work->is_in_transaction = false;
    return status;
}

bool xmtp_work_is_attempt(const group_work *work)
{
    return work->row.stage == XMTP_GROUP_CREATING;
}

bool xmtp_work_has_published(const group_work *work)
{
    for (size_t i = 0; i < work->intents.count; i++) {
        if (work->intents.items[i].state == XMTP_INTENT_PUBLISHED) {
            return true;
        }
    }
    return false;
}

static xmtp_status keep_first(xmtp_status first, xmtp_status next)
{
    return first == XMTP_OK ? next : first;
}

/* One round. Failures of one step do not stop the next ones, except that nothing is sent when what
 * is on the network could not be read. */
static xmtp_status one_round(group_work *work, bool read_first, xmtp_error *error)
{
    if (read_first) {
        XMTP_TRY(xmtp_receive(work, error));
        XMTP_TRY(xmtp_work_reload(work, error));
    }
    if (!work->row.is_active || work->row.paused_for[0] != '\0') {
        return xmtp_post_commit(work, error); /* whom we added before is still invited */
    }
    size_t sent = 0;
    xmtp_status status = xmtp_publish(work, &sent, error);
    if (status == XMTP_OK && sent == 1 && work->may_leave) {
        xmtp_work_leave(work);
    }
    if (work->is_left) {
        return XMTP_OK;
    }
    if (sent > 0 || status != XMTP_OK) {
        xmtp_error later = {0};
        status = keep_first(status, xmtp_work_reload(work, status == XMTP_OK ? error : &later));
        status = keep_first(status, xmtp_receive(work, status == XMTP_OK ? error : &later));
        status = keep_first(status, xmtp_work_reload(work, status == XMTP_OK ? error : &later));
    }
    return keep_first(status, xmtp_post_commit(work, status == XMTP_OK ? error : NULL));
}

static bool is_finished(const group_work *work)
{
    return work->intents.count == 0 || !work->row.is_active || work->row.paused_for[0] != '\0';
}

static int64_t oldest_intent(const group_work *work)
{
    return work->intents.count == 0 ? 0 : work->intents.items[0].id;
}

/* A round takes a page of intents. One that finishes the oldest does not count: however long the
 * queue is, it ends. */
xmtp_status xmtp_work_rounds(group_work *work, bool fresh, xmtp_error *error)
{
    xmtp_client *client = work->client;
    bool read_first = !fresh;
    uint64_t wait_ns = BACK_OFF_NS;
    for (int stalled = 0; stalled < ROUNDS_MAX;) {
        uint64_t cursor = work->row.cursor;
        int64_t oldest = oldest_intent(work);
        XMTP_TRY(one_round(work, read_first, error));
        if (work->is_left) {
            return XMTP_OK;
        }
        XMTP_TRY(xmtp_work_reload(work, error));
        if (is_finished(work)) {
            return XMTP_OK;
        }
        if (work->row.cursor == cursor) {
            client->env.sleep_ns(client->env.context, wait_ns);
            wait_ns = 3 * wait_ns > BACK_OFF_MAX_NS ? BACK_OFF_MAX_NS : 3 * wait_ns;
        }
        stalled = oldest_intent(work) == oldest ? stalled + 1 : 0;
        read_first = xmtp_work_has_published(work);
    }
    return xmtp_fail(error, XMTP_E_RETRY, "%zu changes of the conversation are not done yet",
                     work->intents.count);
}

static bool is_open(const group_work *work, int64_t id)
{
    for (size_t i = 0; i < work->intents.count; i++) {
        if (work->intents.items[i].id == id) {
            return true;
        }
    }
    return false;
}

xmtp_status xmtp_work_result(group_work *work, xmtp_status round_status, xmtp_error *error)
{
    if (work->awaited_status != XMTP_OK) {
        return xmtp_fail(error, work->awaited_status, "%s", work->awaited_error.text);
    }
    if (work->is_left) {
        return XMTP_OK;
    }
    xmtp_error ignored;
    XMTP_TRY(xmtp_work_reload(work, round_status == XMTP_OK ? error : &ignored));
    if (!is_open(work, work->awaited)) {
        return XMTP_OK; /* what was asked is done; what else failed will be tried again */
    }
    if (round_status == XMTP_OK && !work->row.is_active) {
        return xmtp_fail_inactive(&work->row, error);
    }
    if (round_status == XMTP_OK && work->row.paused_for[0] != '\0') {
        return xmtp_fail(error, XMTP_E_PAUSED, "conversation needs version %.32s of this library",
                         work->row.paused_for);
    }
    if (round_status == XMTP_OK) {
        return xmtp_fail(error, XMTP_E_RETRY, "not finished, will be tried again");
    }
    return round_status;
}
