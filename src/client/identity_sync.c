/* identity_sync.c - the logs of other inboxes, the states made from them, and who is behind an
 * address.
 *
 *     node --GetIdentityUpdates--> identity_updates --fold, verifying--> state, first wallet for display
 *
 * A state is that after the update with exactly the asked sequence id (identity.md 5.4). Folded
 * states are kept in the database, so that signatures are verified once, and in memory, where they
 * stay valid during one operation.
 */
#include "client/account.h"
#include "identity/association.h"
#include "identity/inbox_id.h"
#include "identity/update_batch.h"
#include "proto/identity.pb-c.h"

/* STATES_MAX: above so many cached states no more are kept while logs are stored. */
enum { INBOXES_PER_CALL = 50, RECENT_MAX = 256, STATES_MAX = 512 };

enum { INBOXES_AT_ONCE = INBOXES_PER_CALL * XMTP_CALLS_TOGETHER_MAX };

static const uint64_t RECENT_NS = 5 * XMTP_SECOND_NS;

/* ---- fetching logs */

/* Answers that came together, and the one of them that is on its way into the database. */
typedef struct storing {
    xmtp_client *client;
    void *const *answers;
    size_t earlier_count; /* of them, stored before this one */
    const Pb__GetIdentityUpdatesRequest *asked;
    const Pb__GetIdentityUpdatesResponse *answer;
    size_t next_log; /* where the next batch begins */
    size_t next_update;
    xmtp_update_batch batch;
} storing;

static xmtp_status store_log(storing *s, size_t i, xmtp_error *error);
static void forget_newest_states(xmtp_client *client, size_t keep);
static void forget_newest_updates(xmtp_client *client);

static xmtp_status store_each(storing *s, xmtp_error *error)
{
    xmtp_status status = XMTP_OK;
    for (size_t i = 0; i < s->answer->n_responses && status == XMTP_OK; i++) {
        status = store_log(s, i, error);
    }
    return status;
}

/* Inside a transaction: the i-th one. */
static xmtp_status store_answer(xmtp_client *client, const ProtobufCMessage *asked,
                                void *const *answers, size_t i, xmtp_error *error)
{
    storing s = {.client = client,
                 .answers = answers,
                 .earlier_count = i,
                 .asked = (const Pb__GetIdentityUpdatesRequest *)asked,
                 .answer = answers[i]};
    xmtp_update_batch_init(&s.batch, &client->env.alloc);
    xmtp_status status = store_each(&s, error);
    xmtp_update_batch_clear(&s.batch);
    return status;
}

static size_t update_count(void *const *answers, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const Pb__GetIdentityUpdatesResponse *answer = answers[i];
        for (size_t k = 0; k < answer->n_responses; k++) {
            n += answer->responses[k]->n_updates;
        }
    }
    return n;
}

/* One transaction: inboxes that lie beside each other share pages. */
static xmtp_status store_answers(xmtp_client *client, const ProtobufCMessage *const *asked,
                                 void *const *answers, size_t count, xmtp_error *error)
{
    if (update_count(answers, count) == 0) {
        return XMTP_OK;
    }
    const size_t state_count = client->state_count;
    XMTP_TRY(xmtp_begin(client, error));
    xmtp_status status = XMTP_OK;
    for (size_t i = 0; i < count && status == XMTP_OK; i++) {
        status = store_answer(client, asked[i], answers, i, error);
    }
    if (status == XMTP_OK) {
        status = xmtp_commit(client, error);
    }
    if (status != XMTP_OK) {
        xmtp_database_rollback(client->db);
        forget_newest_states(client, state_count);
        forget_newest_updates(client);
    }
    return status;
}

/* One call's question. */
typedef struct question {
    Pb__GetIdentityUpdatesRequest request;
    Pb__GetIdentityUpdatesRequest__Request items[INBOXES_PER_CALL];
    Pb__GetIdentityUpdatesRequest__Request *pointers[INBOXES_PER_CALL];
} question;

static xmtp_status put_question(xmtp_client *client, const char *const *inbox_ids, size_t count,
                                question *q, xmtp_error *error)
{
    q->request = (Pb__GetIdentityUpdatesRequest)PB__GET_IDENTITY_UPDATES_REQUEST__INIT;
    q->request.n_requests = count;
    q->request.requests = q->pointers;
    for (size_t i = 0; i < count; i++) {
        uint64_t newest;
        XMTP_TRY(xmtp_stored(client, xmtp_identity_update_newest(client->db, inbox_ids[i], &newest),
                             error));
        q->items[i] =
            (Pb__GetIdentityUpdatesRequest__Request)PB__GET_IDENTITY_UPDATES_REQUEST__REQUEST__INIT;
        q->items[i].inbox_id = (char *)(uintptr_t)inbox_ids[i];
        q->items[i].has_sequence_id = newest != 0;
        q->items[i].sequence_id = newest;
        q->pointers[i] = &q->items[i];
    }
    return XMTP_OK;
}

/* Up to INBOXES_AT_ONCE. */
static xmtp_status sync_some(xmtp_client *client, const char *const *inbox_ids, size_t count,
                             xmtp_arena *arena, xmtp_error *error)
{
    const ProtobufCMessage *requests[XMTP_CALLS_TOGETHER_MAX];
    void *answers[XMTP_CALLS_TOGETHER_MAX];
    size_t n = 0;
    for (size_t i = 0; i < count; i += INBOXES_PER_CALL) {
        void *q;
        size_t some = count - i < INBOXES_PER_CALL ? count - i : INBOXES_PER_CALL;
        XMTP_TRY(xmtp_arena_take(arena, sizeof(question), &q));
        XMTP_TRY(put_question(client, inbox_ids + i, some, q, error));
        requests[n++] = &((question *)q)->request.base;
    }
    XMTP_TRY(xmtp_call_many(client, XMTP_IDENTITY_API("GetIdentityUpdates"), requests, n,
                            &pb__get_identity_updates_response__descriptor, arena, answers, error));
    return store_answers(client, requests, answers, n, error);
}

/* ---- which were fetched a moment ago */

typedef struct recent_log {
    char inbox_id[XMTP_INBOX_ID_LEN + 1];
    uint64_t asked_ns; /* 0: not yet */
    uint64_t newest;   /* the sequence id of the last update stored; 0: the database knows */
} recent_log;

/* The first ones of a sync; more are asked for each time. */
struct recent_logs {
    size_t count;
    size_t next; /* where the one asked for next mostly is */
    recent_log items[RECENT_MAX];
};

/* Without memory for it logs are asked for more often. */
void xmtp_recent_logs_begin(xmtp_client *client)
{
    client->recent_logs =
        client->env.alloc.reallocate(client->env.alloc.context, NULL, sizeof(*client->recent_logs));
    if (client->recent_logs != NULL) {
        client->recent_logs->count = 0;
        client->recent_logs->next = 0;
    }
}

void xmtp_recent_logs_end(xmtp_client *client)
{
    xmtp_give_back(client, client->recent_logs);
    client->recent_logs = NULL;
}

/* Members are asked for again and again in one order. */
static recent_log *find_recent(const xmtp_client *client, const char *inbox_id)
{
    struct recent_logs *recent = client->recent_logs;
    for (size_t i = 0; recent != NULL && i < recent->count; i++) {
        const size_t at = (recent->next + i) % recent->count;
        if (strcmp(recent->items[at].inbox_id, inbox_id) == 0) {
            recent->next = at + 1;
            return &recent->items[at];
        }
    }
    return NULL;
}

/* NULL: there is no room, or nothing recent is kept. */
static recent_log *make_recent(const xmtp_client *client, const char *inbox_id)
{
    struct recent_logs *recent = client->recent_logs;
    recent_log *item = find_recent(client, inbox_id);
    if (item == NULL && recent != NULL && recent->count < RECENT_MAX) {
        item = &recent->items[recent->count++];
        *item = (recent_log){0};
        (void)snprintf(item->inbox_id, sizeof(item->inbox_id), "%s", inbox_id);
    }
    return item;
}

static void note_asked(xmtp_client *client, const char *const *inbox_ids, size_t count,
                       uint64_t asked_ns)
{
    for (size_t i = 0; i < count; i++) {
        recent_log *item = make_recent(client, inbox_ids[i]);
        if (item != NULL) {
            item->asked_ns = asked_ns;
        }
    }
}

static void note_newest(xmtp_client *client, const char *inbox_id, uint64_t newest)
{
    recent_log *item = make_recent(client, inbox_id);
    if (item != NULL) {
        item->newest = newest;
    }
}

static void forget_newest_updates(xmtp_client *client)
{
    struct recent_logs *recent = client->recent_logs;
    for (size_t i = 0; recent != NULL && i < recent->count; i++) {
        recent->items[i].newest = 0;
    }
}

xmtp_status xmtp_newest_update(xmtp_client *client, const char *inbox_id, uint64_t *newest,
                               xmtp_error *error)
{
    const recent_log *item = find_recent(client, inbox_id);
    if (item != NULL && item->newest != 0) {
        *newest = item->newest;
        return XMTP_OK;
    }
    return xmtp_stored(client, xmtp_identity_update_newest(client->db, inbox_id, newest), error);
}

xmtp_status xmtp_identity_sync(xmtp_client *client, const char *const *inbox_ids, size_t count,
                               xmtp_error *error)
{
    xmtp_status status = XMTP_OK;
    for (size_t i = 0; i < count && status == XMTP_OK; i += INBOXES_AT_ONCE) {
        size_t n = count - i < INBOXES_AT_ONCE ? count - i : INBOXES_AT_ONCE;
        uint64_t asked_ns = xmtp_now_ns(client);
        xmtp_arena arena;
        xmtp_scratch(client, &arena);
        status = sync_some(client, inbox_ids + i, n, &arena, error);
        xmtp_arena_reset(&arena);
        if (status == XMTP_OK) {
            note_asked(client, inbox_ids + i, n, asked_ns);
        }
    }
    return status;
}

static xmtp_status sync_others(xmtp_client *client, const char *const *inbox_ids, size_t count,
                               uint64_t *asked_ns, xmtp_arena *arena, xmtp_error *error)
{
    const uint64_t now_ns = *asked_ns;
    void *items;
    size_t n = 0;
    XMTP_TRY(xmtp_arena_take_array(arena, count, sizeof(char *), &items));
    const char **others = items;
    for (size_t i = 0; i < count; i++) {
        const recent_log *item = find_recent(client, inbox_ids[i]);
        if (item == NULL || item->asked_ns > now_ns || now_ns - item->asked_ns > RECENT_NS) {
            others[n++] = inbox_ids[i];
        } else if (item->asked_ns < *asked_ns) {
            *asked_ns = item->asked_ns;
        }
    }
    return xmtp_identity_sync(client, others, n, error);
}

xmtp_status xmtp_identity_sync_recent(xmtp_client *client, const char *const *inbox_ids,
                                      size_t count, uint64_t *asked_ns, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_scratch(client, &arena);
    *asked_ns = xmtp_now_ns(client);
    xmtp_status status = sync_others(client, inbox_ids, count, asked_ns, &arena, error);
    xmtp_arena_reset(&arena);
    return status;
}

/* ---- states */

/* Members are asked for again and again in one order, which mostly is that of the cache. */
static const xmtp_association *find_cached(xmtp_client *client, const char *inbox_id,
                                           uint64_t sequence_id)
{
    for (size_t i = 0; i < client->state_count; i++) {
        const size_t at = (client->state_next + i) % client->state_count;
        const cached_state *item = &client->states[at];
        if (item->sequence_id == sequence_id && strcmp(item->inbox_id, inbox_id) == 0) {
            client->state_next = at + 1;
            return item->state;
        }
    }
    return NULL;
}

static xmtp_status grow_cache(xmtp_client *client)
{
    if (client->state_count < client->state_capacity) {
        return XMTP_OK;
    }
    size_t capacity = client->state_capacity == 0 ? 16 : 2 * client->state_capacity;
    void *items = client->env.alloc.reallocate(client->env.alloc.context, client->states,
                                               capacity * sizeof(*client->states));
    XMTP_ENSURE(items != NULL, XMTP_E_NOMEM);
    client->states = items;
    client->state_capacity = capacity;
    return XMTP_OK;
}

/* Takes state over, or frees it where there is no memory for it. */
static xmtp_status cache_state(xmtp_client *client, const char *inbox_id, uint64_t sequence_id,
                               xmtp_association *state)
{
    xmtp_status status = grow_cache(client);
    if (status != XMTP_OK) {
        xmtp_association_free(state);
        return status;
    }
    cached_state *item = &client->states[client->state_count++];
    *item = (cached_state){.sequence_id = sequence_id, .state = state};
    (void)snprintf(item->inbox_id, sizeof(item->inbox_id), "%s", inbox_id);
    return XMTP_OK;
}

static void forget_newest_states(xmtp_client *client, size_t keep)
{
    while (client->state_count > keep) {
        xmtp_association_free(client->states[--client->state_count].state);
    }
}

void xmtp_states_trim(xmtp_client *client, size_t keep)
{
    if (client->state_count <= keep) {
        return;
    }
    size_t drop = client->state_count - keep; /* the oldest */
    for (size_t i = 0; i < drop; i++) {
        xmtp_association_free(client->states[i].state);
    }
    if (keep > 0) {
        memmove(client->states, client->states + drop, keep * sizeof(*client->states));
    }
    client->state_count = keep;
}

/* A contract wallet's signature can only be judged by asking a chain; the node does that for its
 * clients (identity.md 3.4). */
static xmtp_status ask_node(void *context, xmtp_bytes account_id, uint64_t block_number,
                            const uint8_t hash[32], xmtp_bytes signature, bool *is_valid,
                            xmtp_error *error)
{
    xmtp_client *client = context;
    xmtp_arena arena;
    char *account;
    xmtp_contract_verdict verdict = {.is_valid = false};
    xmtp_scratch(client, &arena);
    xmtp_status status = xmtp_arena_string(&arena, account_id, &account);
    if (status == XMTP_OK) {
        status = xmtp_ask_contract(client, account, block_number, hash, signature, &verdict, error);
    }
    *is_valid = verdict.is_valid;
    xmtp_arena_reset(&arena);
    return status;
}

xmtp_verifier xmtp_client_verifier(xmtp_client *client)
{
    return (xmtp_verifier){.context = client, .contract_wallet = ask_node};
}

typedef struct folding {
    xmtp_client *client;
    const char *inbox_id; /* whose log it is to be */
    const xmtp_update_batch *batch;
    xmtp_association *state;
    uint64_t last; /* sequence id of the last update applied */
    xmtp_error *error;
} folding;

static xmtp_status fold_one(void *context, uint64_t sequence_id, xmtp_bytes data)
{
    folding *f = context;
    xmtp_verifier verifier = xmtp_client_verifier(f->client);
    verifier.batch = f->batch;
    XMTP_TRY(xmtp_association_apply(f->state, data, &verifier, 0, f->error));
    /* A node may hand out one inbox's log under the name of another. */
    if (strcmp(xmtp_association_inbox_id(f->state), f->inbox_id) != 0) {
        return xmtp_fail(f->error, XMTP_E_INBOX_ID, "log of inbox %.64s belongs to %.64s",
                         f->inbox_id, xmtp_association_inbox_id(f->state));
    }
    f->last = sequence_id;
    return XMTP_OK;
}

/* Starts from the newest kept state at or before sequence_id, or from nothing. */
static xmtp_status start_folding(xmtp_client *client, const char *inbox_id, uint64_t sequence_id,
                                 folding *f)
{
    if (sequence_id == 0) {
        return xmtp_association_new(&f->state, &client->env.alloc);
    }
    xmtp_arena arena;
    xmtp_scratch(client, &arena);
    xmtp_bytes record;
    xmtp_status status =
        xmtp_association_state_read(client->db, inbox_id, sequence_id, &f->last, &arena, &record);
    if (status == XMTP_OK) {
        status = xmtp_association_decode(&f->state, &client->env.alloc, record);
    } else if (status == XMTP_E_NOT_FOUND) {
        status = xmtp_association_new(&f->state, &client->env.alloc);
    }
    xmtp_arena_reset(&arena);
    return status;
}

/* Who made the inbox, else the first wallet added: what people know a sender by. */
static xmtp_bytes first_wallet(const xmtp_association *state)
{
    xmtp_bytes first = {0};
    for (size_t i = 0; i < xmtp_association_member_count(state); i++) {
        xmtp_association_member member = xmtp_association_member_at(state, i);
        bool is_wallet = member.identifier.kind == XMTP_IDENTIFIER_ETHEREUM;
        if (is_wallet && !member.has_added_by) {
            return member.identifier.value;
        }
        if (is_wallet && first.n == 0) {
            first = member.identifier.value;
        }
    }
    return first;
}

static xmtp_status keep_folded(xmtp_client *client, const char *inbox_id, const folding *f)
{
    uint8_t *record;
    size_t record_len;
    char address[XMTP_ADDRESS_LEN + 1] = "";
    xmtp_bytes wallet = first_wallet(f->state);
    if (wallet.n == XMTP_ADDRESS_LEN) {
        memcpy(address, wallet.p, wallet.n);
    }
    XMTP_TRY(xmtp_association_encode(f->state, &record, &record_len));
    xmtp_status status = xmtp_association_state_write(client->db, inbox_id, f->last,
                                                      xmtp_bytes_of(record, record_len), address);
    xmtp_give_back(client, record);
    return status;
}

static xmtp_status fold(xmtp_client *client, const char *inbox_id, uint64_t sequence_id, folding *f)
{
    f->inbox_id = inbox_id;
    XMTP_TRY(start_folding(client, inbox_id, sequence_id, f));
    uint64_t kept = f->last;
    if (f->last == sequence_id) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_identity_update_each(client->db, inbox_id, f->last, sequence_id, f, fold_one));
    return f->last > kept ? keep_folded(client, inbox_id, f) : XMTP_OK;
}

static bool is_ascending(const Pb__GetIdentityUpdatesResponse__Response *log)
{
    for (size_t i = 1; i < log->n_updates; i++) {
        if (log->updates[i]->sequence_id <= log->updates[i - 1]->sequence_id) {
            return false;
        }
    }
    return true;
}

static bool is_taken(const Pb__GetIdentityUpdatesResponse__Response *log)
{
    return log->inbox_id != NULL && log->n_updates > 0 && is_ascending(log);
}

/* Signatures from this update on, of this log and of those behind it, are verified together; those that
 * are in the batch already only once. */
static void verify_ahead(storing *s, size_t log, size_t update)
{
    if (log < s->next_log || (log == s->next_log && update < s->next_update)) {
        return;
    }
    xmtp_update_batch_clear(&s->batch);
    for (; log < s->answer->n_responses; log++, update = 0) {
        const Pb__GetIdentityUpdatesResponse__Response *l = s->answer->responses[log];
        const size_t count = is_taken(l) ? l->n_updates : 0;
        while (update < count &&
               xmtp_update_batch_put(&s->batch, xmtp_proto_bytes(l->updates[update]->update))) {
            update++;
        }
        if (update < count) {
            break;
        }
    }
    s->next_log = log;
    s->next_update = update;
    xmtp_update_batch_verify(&s->batch);
}

/* Takes what continues the log and can be verified; the rest is as if it had not come, so that a
 * false answer does not stand in the way of true ones. */
static xmtp_status append_verified(storing *s, size_t log, folding *f, xmtp_error *error)
{
    const Pb__GetIdentityUpdatesResponse__Response *l = s->answer->responses[log];
    for (size_t i = 0; i < l->n_updates; i++) {
        const Pb__GetIdentityUpdatesResponse__IdentityUpdateLog *update = l->updates[i];
        xmtp_bytes data = xmtp_proto_bytes(update->update);
        if (update->sequence_id <= f->last || update->sequence_id > INT64_MAX) {
            continue;
        }
        verify_ahead(s, log, i);
        XMTP_TRY(fold_one(f, update->sequence_id, data));
        XMTP_TRY(xmtp_stored(
            s->client,
            xmtp_identity_update_insert(s->client->db, l->inbox_id, update->sequence_id, data),
            error));
    }
    return XMTP_OK;
}

static bool has_log(const Pb__GetIdentityUpdatesResponse *answer, size_t count,
                    const char *inbox_id)
{
    for (size_t i = 0; i < count; i++) {
        const char *other = answer->responses[i]->inbox_id;
        if (other != NULL && strcmp(other, inbox_id) == 0) {
            return true;
        }
    }
    return false;
}

static bool came_before(const storing *s, size_t log)
{
    const char *inbox_id = s->answer->responses[log]->inbox_id;
    for (size_t i = 0; i < s->earlier_count; i++) {
        const Pb__GetIdentityUpdatesResponse *earlier = s->answers[i];
        if (has_log(earlier, earlier->n_responses, inbox_id)) {
            return true;
        }
    }
    return has_log(s->answer, log, inbox_id);
}

/* The newest update known of the log's inbox. Answers come in the order of the questions, which told it;
 * since then only these answers can have brought more. */
static xmtp_status newest_known(const storing *s, size_t log, uint64_t *known)
{
    const char *inbox_id = s->answer->responses[log]->inbox_id;
    if (log < s->asked->n_requests && strcmp(s->asked->requests[log]->inbox_id, inbox_id) == 0 &&
        !came_before(s, log)) {
        *known = s->asked->requests[log]->sequence_id;
        return XMTP_OK;
    }
    return xmtp_identity_update_newest(s->client->db, inbox_id, known);
}

static xmtp_status store_log(storing *s, size_t log, xmtp_error *error)
{
    const Pb__GetIdentityUpdatesResponse__Response *l = s->answer->responses[log];
    xmtp_error why = {0};
    folding f = {.client = s->client, .batch = &s->batch, .error = &why};
    uint64_t known;
    if (!is_taken(l)) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_stored(s->client, newest_known(s, log, &known), error));
    xmtp_status status = fold(s->client, l->inbox_id, known, &f);
    uint64_t kept = f.last;
    if (status == XMTP_OK) {
        status = append_verified(s, log, &f, error);
    }
    if (!xmtp_is_our_trouble(status)) {
        status = f.last > kept ? keep_folded(s->client, l->inbox_id, &f) : XMTP_OK;
    }
    if (status == XMTP_OK && f.last >= known) {
        note_newest(s->client, l->inbox_id, f.last);
    }
    if (status == XMTP_OK && f.last > kept && s->client->state_count < STATES_MAX) {
        (void)cache_state(s->client, l->inbox_id, f.last, f.state); /* asked for next, mostly */
    } else {
        xmtp_association_free(f.state);
    }
    return status == XMTP_OK ? XMTP_OK : xmtp_fail_default(error, status, why.text);
}

/* The state at sequence_id from what is in the database. XMTP_E_NOT_FOUND: no update has exactly
 * this id; *newest is the highest below it. */
static xmtp_status state_of_log(xmtp_client *client, const char *inbox_id, uint64_t sequence_id,
                                const xmtp_association **out, uint64_t *newest, xmtp_error *error)
{
    folding f = {.client = client, .error = error};
    xmtp_status status = fold(client, inbox_id, sequence_id, &f);
    *newest = f.last;
    if (status == XMTP_OK && f.last != sequence_id) {
        status = XMTP_E_NOT_FOUND;
    }
    if (status != XMTP_OK) {
        xmtp_association_free(f.state);
        return xmtp_fail_default(error, status, "association state");
    }
    status = cache_state(client, inbox_id, sequence_id, f.state);
    if (status != XMTP_OK) {
        return xmtp_fail_default(error, status, "association state");
    }
    *out = f.state;
    return XMTP_OK;
}

static xmtp_status state_at(void *context, const char *inbox_id, uint64_t sequence_id,
                            const xmtp_association **out, uint64_t *newest, xmtp_error *error)
{
    xmtp_client *client = context;
    *out = NULL;
    *newest = 0;
    if (sequence_id == 0 || sequence_id > INT64_MAX ||
        !xmtp_inbox_id_is_valid(xmtp_bytes_of_string(inbox_id))) {
        return XMTP_E_NOT_FOUND;
    }
    *out = find_cached(client, inbox_id, sequence_id);
    if (*out != NULL) {
        *newest = sequence_id;
        return XMTP_OK;
    }
    uint64_t known;
    XMTP_TRY(xmtp_newest_update(client, inbox_id, &known, error));
    if (known < sequence_id) {
        XMTP_TRY(xmtp_identity_sync(client, &inbox_id, 1, error));
    }
    return state_of_log(client, inbox_id, sequence_id, out, newest, error);
}

xmtp_state_lookup xmtp_client_states(xmtp_client *client)
{
    return (xmtp_state_lookup){.context = client, .state_at = state_at};
}

xmtp_status xmtp_newest_state(xmtp_client *client, const char *inbox_id,
                              const xmtp_association **out, uint64_t *sequence_id,
                              xmtp_error *error)
{
    XMTP_TRY(xmtp_newest_update(client, inbox_id, sequence_id, error));
    if (*sequence_id == 0) {
        return xmtp_fail(error, XMTP_E_NO_INBOX, "inbox %.64s is not known here", inbox_id);
    }
    uint64_t newest;
    *out = find_cached(client, inbox_id, *sequence_id);
    return *out != NULL ? XMTP_OK
                        : state_of_log(client, inbox_id, *sequence_id, out, &newest, error);
}

/* ---- addresses */

xmtp_status xmtp_lookup_account(xmtp_client *client, xmtp_identifier_kind kind, const char *name,
                                char inbox_id[XMTP_INBOX_ID_LEN + 1], xmtp_error *error)
{
    inbox_id[0] = '\0';
    Pb__GetInboxIdsRequest__Request item = PB__GET_INBOX_IDS_REQUEST__REQUEST__INIT;
    item.identifier = (char *)(uintptr_t)name;
    item.has_identifier_kind = 1;
    item.identifier_kind = (int32_t)kind;
    Pb__GetInboxIdsRequest__Request *items[] = {&item};
    Pb__GetInboxIdsRequest request = PB__GET_INBOX_IDS_REQUEST__INIT;
    request.n_requests = 1;
    request.requests = items;
    xmtp_arena arena;
    xmtp_scratch(client, &arena);
    void *answer;
    xmtp_status status = xmtp_call(client, XMTP_IDENTITY_API("GetInboxIds"), &request.base,
                                   &pb__get_inbox_ids_response__descriptor, &arena, &answer, error);
    if (status == XMTP_OK) {
        const Pb__GetInboxIdsResponse *found = answer;
        for (size_t i = 0; i < found->n_responses; i++) {
            const char *id = found->responses[i]->inbox_id;
            const char *of = found->responses[i]->identifier;
            if (id != NULL && of != NULL && strcmp(of, name) == 0 &&
                xmtp_inbox_id_is_valid(xmtp_bytes_of_string(id))) {
                memcpy(inbox_id, id, XMTP_INBOX_ID_LEN + 1);
            }
        }
    }
    xmtp_arena_reset(&arena);
    return status;
}

xmtp_status xmtp_resolve(xmtp_client *client, const char *peer,
                         char inbox_id[XMTP_INBOX_ID_LEN + 1], xmtp_error *error)
{
    if (xmtp_inbox_id_is_valid(xmtp_bytes_of_string(peer))) {
        memcpy(inbox_id, peer, XMTP_INBOX_ID_LEN + 1);
        return XMTP_OK;
    }
    char address[XMTP_ADDRESS_LEN + 1];
    XMTP_TRY(xmtp_address_normalize(peer, address, error));
    xmtp_status status =
        xmtp_lookup_account(client, XMTP_IDENTIFIER_ETHEREUM, address, inbox_id, error);
    if (xmtp_is_unreached(status)) {
        /* Without the node, what it last said: enough to write to somebody whom we know. */
        xmtp_status known =
            xmtp_identifier_read(client->db, address, inbox_id, XMTP_INBOX_ID_LEN + 1);
        return known == XMTP_OK ? XMTP_OK : status;
    }
    XMTP_TRY(status);
    if (inbox_id[0] == '\0') {
        return xmtp_fail(error, XMTP_E_NO_INBOX, "%s has no inbox on this network", address);
    }
    return xmtp_stored(client, xmtp_identifier_write(client->db, address, inbox_id), error);
}
