/* publish.c - from intents to messages on the network (groups.md 3.3).
 *
 * The exact bytes are stored before they leave, together with what MLS needs to apply them when
 * they come back: the ratchet has moved (messages), or the pending commit is kept beside the
 * unchanged group (commits). The first commit of a new group is stored while it travels: until it
 * is applied the group is an attempt that ends with its process (group_create.c).
 *
 * Our own commits are judged by the rules of 3.6 before they are sent: a change that the group's
 * policies forbid never reaches the network.
 */
#include "client/round.h"
#include "client/sealed_pointers.h"
#include "crypto/crypto.h"

enum { SEND_COUNT_MAX = 100, SEND_BYTES_MAX = 8 * 1024 * 1024 };

/* ---- building */

static bool is_commit(const xmtp_intent_row *intent)
{
    return intent->kind != XMTP_INTENT_SEND_MESSAGE;
}

static xmtp_status protect(group_work *work, xmtp_bytes envelope, xmtp_bytes *message,
                           xmtp_error *error)
{
    xmtp_client *client = work->client;
    xmtp_mls_writes *writes;
    XMTP_TRY(xmtp_mls_writes_new(&writes, &client->env));
    xmtp_status status =
        xmtp_mls_group_protect(work->group, (xmtp_bytes){0}, envelope, message, writes, error);
    if (status == XMTP_OK) {
        status = xmtp_writes_store(client, work->row.ref, writes, error);
    }
    xmtp_mls_writes_free(writes);
    return status;
}

xmtp_status xmtp_publish_build_message(group_work *work, const xmtp_intent_row *intent,
                                       built_message *out, xmtp_error *error)
{
    xmtp_client *client = work->client;
    xmtp_bytes message;
    XMTP_TRY(xmtp_work_group(work, error));
    XMTP_TRY(protect(work, intent->data, &message, error));
    xmtp_hash_of(&xmtp_hash_sha256, message, out->hash);
    out->row = *intent;
    out->row.state = XMTP_INTENT_PUBLISHED;
    out->row.payload = message;
    out->row.payload_hash = xmtp_bytes_of(out->hash, sizeof(out->hash));
    out->row.epoch = xmtp_mls_group_epoch(work->group);
    return xmtp_stored(client, xmtp_intent_set_published(client->db, &out->row), error);
}

xmtp_status xmtp_intent_fail(group_work *work, const xmtp_intent_row *intent, xmtp_status why,
                             const xmtp_error *why_error, xmtp_error *error)
{
    xmtp_client *client = work->client;
    if (intent->id == work->awaited) {
        work->awaited_status = why;
        (void)xmtp_fail(&work->awaited_error, why, "%s",
                        why_error->text[0] == '\0' ? xmtp_status_text(why) : why_error->text);
    }
    if (intent->message_id.n > 0) {
        XMTP_TRY(xmtp_row_of_intent(work, intent, error));
        XMTP_TRY(
            xmtp_stored(client, xmtp_message_set_failed(client->db, intent->message_id), error));
        return xmtp_stored(client, xmtp_intent_set_held(client->db, intent->id), error);
    }
    return xmtp_stored(client, xmtp_intent_delete(client->db, intent->id), error);
}

static xmtp_status build_plan(group_work *work, const xmtp_intent_row *intent, commit_plan *plan,
                              xmtp_error *error)
{
    switch (intent->kind) {
    case XMTP_INTENT_KEY_UPDATE: {
        xmtp_mls_commit_options options = {0};
        return xmtp_mls_group_commit(work->group, &options, &plan->pending, error);
    }
    case XMTP_INTENT_METADATA:
    case XMTP_INTENT_ADMINS:
    case XMTP_INTENT_PERMISSION:
        return xmtp_context_build(work, intent, plan, error);
    case XMTP_INTENT_MEMBERSHIP:
        return xmtp_membership_build(work, intent, plan, error);
    case XMTP_INTENT_SEND_MESSAGE:
        break;
    }
    return xmtp_fail(error, XMTP_E_CORRUPT, "stored intent of unknown kind");
}

/* Everybody, we too, will judge this commit when it comes back; a refusal is known now. What it makes of the
 * group is kept until then. */
static xmtp_status judge(group_work *work, const xmtp_mls_pending *pending, xmtp_error *error)
{
    xmtp_mls_staged *staged;
    XMTP_TRY(xmtp_mls_group_stage_pending(work->group, pending, &staged, error));
    xmtp_arena arena;
    xmtp_scratch(work->client, &arena);
    xmtp_commit_facts facts = {0};
    xmtp_state_lookup lookup = xmtp_client_states(work->client);
    xmtp_status status = xmtp_commit_validate(work->group, staged, &lookup, &arena, &facts, error);
    xmtp_arena_reset(&arena);
    if (status == XMTP_OK) {
        work->made.staged = staged;
    } else {
        xmtp_mls_staged_free(staged);
    }
    return status;
}

static xmtp_status store_parts(xmtp_database *db, const xmtp_intent_row *row,
                               const xmtp_commit_parts *parts)
{
    xmtp_status status = xmtp_database_begin(db);
    if (status == XMTP_OK) {
        status = xmtp_commit_set_published(db, row, parts);
    }
    if (status == XMTP_OK) {
        status = xmtp_database_commit(db);
    }
    xmtp_database_rollback(db); /* if it is not committed */
    return status;
}

/* Others go into the epoch of a commit as soon as they see it, and only who has it stored can follow:
 * not even a power cut may take it. */
static xmtp_status store_for_good(xmtp_database *db, const xmtp_intent_row *row,
                                  const xmtp_commit_parts *parts)
{
    xmtp_status status = xmtp_database_durable_begin(db);
    if (status == XMTP_OK) {
        status = store_parts(db, row, parts);
    }
    return xmtp_database_durable_end(db, status);
}

/* What was made, with what applying it takes. */
static xmtp_status store_made(group_work *work, xmtp_error *error)
{
    uint8_t *staged = NULL;
    size_t staged_len = 0;
    uint8_t hash[32];
    xmtp_client *client = work->client;
    made_commit *made = &work->made;
    const bool is_attempt = xmtp_work_is_attempt(work);
    XMTP_TRY(xmtp_mls_pending_encode_short(made->pending, &staged, &staged_len));
    const xmtp_bytes message = xmtp_mls_pending_message(made->pending);
    const xmtp_commit_parts parts = {.message = is_attempt ? (xmtp_bytes){0} : message,
                                     .content = xmtp_mls_pending_content(made->pending),
                                     .welcomes = xmtp_writer_bytes(&made->welcomes)};
    xmtp_hash_of(&xmtp_hash_sha256, message, hash);
    const xmtp_intent_row row = {.id = made->intent,
                                 .payload_hash = xmtp_bytes_of(hash, sizeof(hash)),
                                 .staged = xmtp_bytes_of(staged, staged_len),
                                 .epoch = xmtp_mls_pending_epoch(made->pending)};
    xmtp_status status = is_attempt ? store_parts(client->db, &row, &parts)
                                    : store_for_good(client->db, &row, &parts);
    made->is_stored = status == XMTP_OK;
    xmtp_wipe(staged, staged_len);
    xmtp_give_back(client, staged);
    return xmtp_stored(client, status, error);
}

/* One more failed attempt; the third is the last. Final failures are final at once. */
static xmtp_status note_failure(group_work *work, const xmtp_intent_row *intent, xmtp_status why,
                                const xmtp_error *why_error, xmtp_error *error)
{
    xmtp_client *client = work->client;
    if (xmtp_is_unreached(why) || why == XMTP_E_RETRY) {
        return xmtp_fail(error, why, "%s", why_error->text);
    }
    if (xmtp_is_our_trouble(why) && intent->attempts + 1 < XMTP_BUILD_ATTEMPTS_MAX) {
        xmtp_status status = xmtp_intent_set_attempts(client->db, intent->id, intent->attempts + 1);
        XMTP_TRY(xmtp_stored(client, status, error));
        return xmtp_fail(error, why, "%s", why_error->text);
    }
    return xmtp_intent_fail(work, intent, why, why_error, error);
}

/* Takes over what the plan holds. */
static void keep_made(group_work *work, const xmtp_intent_row *intent, commit_plan *plan)
{
    xmtp_mls_pending_free(work->made.pending);
    xmtp_writer_free(&work->made.welcomes);
    work->made.pending = plan->pending;
    work->made.welcomes = plan->post_commit;
    work->made.intent = intent->id;
    work->made.is_unsynced = xmtp_work_is_attempt(work);
    plan->pending = NULL;
    xmtp_writer_init(&plan->post_commit, &work->client->env.alloc, XMTP_WRITER_MAX);
}

/* Builds one commit; *is_built false when there was nothing to do or it failed for good. */
static xmtp_status build_commit(group_work *work, const xmtp_intent_row *intent, bool *is_built,
                                xmtp_error *error)
{
    commit_plan plan = {0};
    xmtp_error why = {0};
    *is_built = false;
    XMTP_TRY(xmtp_work_group(work, error));
    xmtp_writer_init(&plan.post_commit, &work->client->env.alloc, XMTP_WRITER_MAX);
    xmtp_work_forget_made(work);
    xmtp_status status = build_plan(work, intent, &plan, &why);
    if (status == XMTP_OK && plan.pending != NULL) {
        status = judge(work, plan.pending, &why);
    }
    if (status != XMTP_OK) {
        status = note_failure(work, intent, status, &why, error);
    } else if (plan.pending == NULL) {
        status = xmtp_stored(work->client, xmtp_intent_delete(work->client->db, intent->id), error);
    } else {
        keep_made(work, intent, &plan);
        status = xmtp_work_is_attempt(work) ? XMTP_OK : store_made(work, error);
        *is_built = status == XMTP_OK;
    }
    xmtp_mls_pending_free(plan.pending);
    xmtp_writer_free(&plan.post_commit);
    return status;
}

/* ---- sending */

typedef struct send_batch {
    Pb__GroupMessageInput inputs[SEND_COUNT_MAX];
    Pb__GroupMessageInput__V1 bodies[SEND_COUNT_MAX];
    Pb__GroupMessageInput *pointers[SEND_COUNT_MAX];
    uint8_t hmacs[SEND_COUNT_MAX][XMTP_SENDER_HMAC_LEN];
    int64_t intents[SEND_COUNT_MAX];
    size_t count;
    size_t bytes;
    size_t sent;
    xmtp_arena arena; /* payloads */
} send_batch;

/* The first commit of a group is with the node, and nobody has heard of the group. */
static void after_attempt(void *context)
{
    group_work *work = context;
    xmtp_error why = {0};
    (void)store_made(work, &why);               /* or when the node has answered */
    xmtp_database_begin_sync(work->client->db); /* it is waited for before welcomes leave */
    if (work->made.pointers != NULL) {
        xmtp_welcome_pointers_help(work->made.pointers->sealing);
    }
}

static xmtp_status send_some(group_work *work, send_batch *batch, size_t first, size_t count,
                             xmtp_error *error)
{
    Pb__SendGroupMessagesRequest request = PB__SEND_GROUP_MESSAGES_REQUEST__INIT;
    group_query query;
    request.n_messages = count;
    request.messages = batch->pointers + first;
    request.read_back = xmtp_group_query(work->row.group_id, xmtp_work_cursor(work), &query);
    const bool is_attempt =
        xmtp_work_is_attempt(work) && batch->intents[first] == work->made.intent;
    const xmtp_meanwhile meanwhile = is_attempt
                                         ? (xmtp_meanwhile){.run = after_attempt, .context = work}
                                         : xmtp_settle_meanwhile(work);
    xmtp_status status = xmtp_call_while(work->client, XMTP_MLS_API("SendGroupMessages"),
                                         &request.base, &meanwhile, error);
    if (status == XMTP_OK && is_attempt && !work->made.is_stored) {
        status = store_made(work, error);
    }
    xmtp_writer_clear(&work->ahead);
    if (status == XMTP_OK && !work->has_gap) {
        /* Empty from other nodes. A page that cannot be kept is asked for again. */
        xmtp_writer_put(&work->ahead, xmtp_writer_bytes(&work->client->response));
        work->ahead_type = &pb__send_group_messages_response__descriptor;
    }
    for (size_t i = first; status == XMTP_OK && i < first + count; i++) {
        int64_t id = batch->intents[i];
        work->sent_max = id > work->sent_max ? id : work->sent_max;
        batch->sent++;
    }
    return status;
}

/* The node will never take this one: it must not stand in the way of what is queued behind it. */
static xmtp_status give_up(group_work *work, int64_t intent_id, const xmtp_error *why,
                           xmtp_error *error)
{
    for (size_t i = 0; i < work->intents.count; i++) {
        if (work->intents.items[i].id == intent_id) {
            return xmtp_intent_fail(work, &work->intents.items[i], XMTP_E_RPC_INVALID, why, error);
        }
    }
    return XMTP_OK;
}

/* Refused as a whole: one by one, to find out which. */
static xmtp_status send_each(group_work *work, send_batch *batch, xmtp_error *error)
{
    for (size_t i = 0; i < batch->count; i++) {
        xmtp_error why = {0};
        xmtp_status status = send_some(work, batch, i, 1, &why);
        if (status == XMTP_E_RPC_INVALID) {
            XMTP_TRY(give_up(work, batch->intents[i], &why, error));
        } else if (status != XMTP_OK) {
            return xmtp_fail(error, status, "%s", why.text);
        }
    }
    return XMTP_OK;
}

static xmtp_status send_now(group_work *work, send_batch *batch, xmtp_error *error)
{
    if (batch->count == 0) {
        return XMTP_OK;
    }
    xmtp_error why = {0};
    xmtp_status status = send_some(work, batch, 0, batch->count, &why);
    if (status == XMTP_E_RPC_INVALID) {
        status = send_each(work, batch, error);
    } else if (status != XMTP_OK) {
        status = xmtp_fail(error, status, "%s", why.text);
    }
    batch->count = 0;
    batch->bytes = 0;
    xmtp_arena_reset(&batch->arena);
    return status;
}

/* The bytes to be sent. */
static xmtp_status read_payload(const group_work *work, const xmtp_intent_row *intent,
                                xmtp_arena *arena, xmtp_bytes *payload)
{
    xmtp_client *client = work->client;
    if (intent->payload.n > 0) { /* queued by this work, just now */
        return xmtp_arena_copy(arena, intent->payload, payload);
    }
    if (intent->id == work->made.intent) {
        *payload = xmtp_mls_pending_message(work->made.pending);
        return XMTP_OK;
    }
    if (is_commit(intent)) {
        return xmtp_commit_part_read(client->db, intent->id, XMTP_COMMIT_MESSAGE, arena, payload);
    }
    xmtp_intent_row row;
    XMTP_TRY(xmtp_intent_read(client->db, intent->id, arena, &row));
    *payload = row.payload;
    return XMTP_OK;
}

static xmtp_status add_to_batch(group_work *work, const xmtp_intent_row *intent, send_batch *batch,
                                xmtp_error *error)
{
    xmtp_client *client = work->client;
    xmtp_bytes payload;
    if (batch->count == SEND_COUNT_MAX || batch->bytes > SEND_BYTES_MAX) {
        XMTP_TRY(send_now(work, batch, error));
    }
    xmtp_status status = read_payload(work, intent, &batch->arena, &payload);
    if (status == XMTP_E_NOT_FOUND) {
        /* Of an attempt that could not be taken away when it failed. */
        XMTP_TRY(xmtp_stored(client, xmtp_intent_set_to_publish(client->db, intent->id), error));
        return xmtp_fail(error, XMTP_E_RETRY, "a commit that was not stored is made again");
    }
    XMTP_TRY(xmtp_stored(client, status, error));
    size_t i = batch->count;
    XMTP_TRY(xmtp_hmac_root(client, error));
    XMTP_TRY(xmtp_sender_hmac(client->hmac_root, work->row.group_id, xmtp_now_ns(client), payload,
                              batch->hmacs[i]));
    Pb__GroupMessageInput__V1 *body = &batch->bodies[i];
    *body = (Pb__GroupMessageInput__V1)PB__GROUP_MESSAGE_INPUT__V1__INIT;
    body->has_data = 1;
    body->data = xmtp_proto_data(payload);
    body->has_sender_hmac = 1;
    body->sender_hmac = (ProtobufCBinaryData){.len = XMTP_SENDER_HMAC_LEN, .data = batch->hmacs[i]};
    body->has_should_push = intent->should_push;
    body->should_push = intent->should_push;
    batch->inputs[i] = (Pb__GroupMessageInput)PB__GROUP_MESSAGE_INPUT__INIT;
    batch->inputs[i].version_case = PB__GROUP_MESSAGE_INPUT__VERSION_V1;
    batch->inputs[i].v1 = body;
    batch->pointers[i] = &batch->inputs[i];
    batch->intents[i] = intent->id;
    batch->count++;
    batch->bytes += payload.n;
    return XMTP_OK;
}

/* ---- one round of publishing */

/* Published in an epoch whose messages others cannot open any more, or a commit that lost its race
 * before it was seen: forget the payload. */
static xmtp_status check_epoch(group_work *work, xmtp_intent_row *intent, xmtp_error *error)
{
    xmtp_client *client = work->client;
    if (intent->state != XMTP_INTENT_PUBLISHED) {
        return XMTP_OK;
    }
    uint64_t epoch = xmtp_mls_group_epoch(work->group);
    bool is_stale = is_commit(intent) ? intent->epoch != epoch
                                      : !xmtp_is_readable_by_others(intent->epoch, epoch);
    if (!is_stale) {
        return XMTP_OK;
    }
    intent->state = XMTP_INTENT_TO_PUBLISH;
    return xmtp_stored(client, xmtp_intent_set_to_publish(client->db, intent->id), error);
}

static xmtp_status build_one_message(group_work *work, const xmtp_intent_row *intent,
                                     bool *is_built, xmtp_error *error)
{
    xmtp_client *client = work->client;
    xmtp_error why = {0};
    XMTP_TRY(xmtp_begin(client, error));
    built_message built;
    xmtp_status status = xmtp_publish_build_message(work, intent, &built, &why);
    if (status == XMTP_OK) {
        status = xmtp_database_commit(client->db);
        (void)xmtp_stored(client, status, &why);
    }
    *is_built = status == XMTP_OK;
    if (*is_built) {
        return XMTP_OK;
    }
    (void)xmtp_work_abandon(work, status);
    return note_failure(work, intent, status, &why, error);
}

/* How many messages stand at the front of the queue, before any commit; *unbuilt of them are not encrypted. */
static size_t messages_in_front(const group_work *work, size_t *unbuilt)
{
    size_t n = 0;
    *unbuilt = 0;
    while (n < work->intents.count && !is_commit(&work->intents.items[n])) {
        *unbuilt += work->intents.items[n].state == XMTP_INTENT_TO_PUBLISH;
        n++;
    }
    return n;
}

static xmtp_status build_messages(group_work *work, size_t count, xmtp_error *error)
{
    for (size_t i = 0; i < count; i++) {
        const xmtp_intent_row *intent = &work->intents.items[i];
        if (intent->state == XMTP_INTENT_TO_PUBLISH) {
            built_message built;
            XMTP_TRY(xmtp_publish_build_message(work, intent, &built, error));
        }
    }
    return xmtp_commit(work->client, error);
}

/* Messages that are queued together are encrypted in one transaction. When that fails, nothing has
 * happened, and the one that it failed for is found by building them one after the other. */
static xmtp_status build_together(group_work *work, xmtp_error *error)
{
    xmtp_error why = {0};
    size_t unbuilt;
    size_t count = messages_in_front(work, &unbuilt);
    if (unbuilt < 2) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_work_group(work, error));
    XMTP_TRY(xmtp_begin(work->client, error));
    if (build_messages(work, count, &why) != XMTP_OK) {
        (void)xmtp_work_abandon(work, XMTP_OK);
        return XMTP_OK;
    }
    for (size_t i = 0; i < count; i++) {
        xmtp_intent_row *intent = &work->intents.items[i];
        if (intent->state == XMTP_INTENT_TO_PUBLISH) {
            intent->state = XMTP_INTENT_PUBLISHED;
            intent->epoch = xmtp_mls_group_epoch(work->group);
        }
    }
    return XMTP_OK;
}

/* Brings one intent to where it can be sent. *stop: nothing behind it may be built yet. */
static xmtp_status advance(group_work *work, xmtp_intent_row *intent, send_batch *batch, bool *stop,
                           xmtp_error *error)
{
    XMTP_TRY(xmtp_work_group(work, error));
    XMTP_TRY(check_epoch(work, intent, error));
    bool is_ready = intent->state == XMTP_INTENT_PUBLISHED;
    if (is_ready && intent->id <= work->sent_max) {
        *stop = is_commit(intent);
        return XMTP_OK; /* the node has it and will show it: sending it again would double it */
    }
    if (intent->state == XMTP_INTENT_TO_PUBLISH && is_commit(intent)) {
        XMTP_TRY(build_commit(work, intent, &is_ready, error));
    } else if (intent->state == XMTP_INTENT_TO_PUBLISH) {
        XMTP_TRY(build_one_message(work, intent, &is_ready, error));
    }
    *stop = is_ready && is_commit(intent);
    return is_ready ? add_to_batch(work, intent, batch, error) : XMTP_OK;
}

static xmtp_status publish_all(group_work *work, send_batch *batch, xmtp_error *error)
{
    bool stop = false;
    xmtp_status status = build_together(work, error);
    for (size_t i = 0; i < work->intents.count && !stop && status == XMTP_OK; i++) {
        xmtp_intent_row *intent = &work->intents.items[i];
        if (intent->state != XMTP_INTENT_COMMITTED) {
            status = advance(work, intent, batch, &stop, error);
        }
    }
    /* What was made ready before a failure still goes out. */
    xmtp_status send_status = send_now(work, batch, status == XMTP_OK ? error : NULL);
    return status == XMTP_OK ? send_status : status;
}

xmtp_status xmtp_publish(group_work *work, size_t *sent, xmtp_error *error)
{
    *sent = 0;
    if (work->intents.count == 0) {
        return XMTP_OK;
    }
    xmtp_client *client = work->client;
    send_batch *batch =
        client->env.alloc.reallocate(client->env.alloc.context, NULL, sizeof(*batch));
    XMTP_ENSURE(batch != NULL, xmtp_fail(error, XMTP_E_NOMEM, "no memory to send"));
    batch->count = 0;
    batch->bytes = 0;
    batch->sent = 0;
    xmtp_scratch(client, &batch->arena);
    xmtp_status status = publish_all(work, batch, error);
    *sent = batch->sent;
    xmtp_arena_reset(&batch->arena);
    xmtp_give_back(client, batch);
    return status;
}
