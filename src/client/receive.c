/* receive.c - messages of one conversation, in the order of their sequence (groups.md 3.7).
 *
 *     for each message behind the cursor:
 *       own, recognised by the hash of its bytes   message: mark published   commit: apply
 *       foreign application message                open, store, burn the key
 *       foreign commit                             open, judge by the rules, apply
 *       anything that can never be opened          step over it
 *
 * Runs of application messages share one transaction with the cursor; a commit has one of its own,
 * because judging it may ask the network. When something of ours fails (memory, disk, network),
 * nothing of the open transaction stays, and the same messages are read again later.
 */
#include "client/commit_log.h"
#include "client/content.h"
#include "client/device_sync.h"
#include "crypto/crypto.h"
#include "proto/paging.h"

/* ---- the open transaction */

xmtp_status xmtp_work_begin(group_work *work, xmtp_error *error)
{
    if (work->is_in_transaction) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_begin(work->client, error));
    work->is_in_transaction = true;
    return XMTP_OK;
}

xmtp_status xmtp_work_flush(group_work *work, xmtp_error *error)
{
    if (!work->is_in_transaction) {
        return XMTP_OK;
    }
    xmtp_client *client = work->client;
    xmtp_status status = xmtp_group_row_set_cursor(client->db, work->row.ref, work->row.cursor);
    if (status == XMTP_OK) {
        status = xmtp_database_commit(client->db);
    }
    if (status != XMTP_OK) {
        (void)xmtp_stored(client, status, error);
        return xmtp_work_abandon(work, status);
    }
    work->is_in_transaction = false;
    work->committed = work->row;
    return XMTP_OK;
}

/* Moves the cursor over a message that changes nothing. */
static xmtp_status step_over(group_work *work, uint64_t sequence, xmtp_error *error)
{
    XMTP_TRY(xmtp_work_begin(work, error));
    work->row.cursor = sequence;
    return XMTP_OK;
}

/* ---- own messages */

static xmtp_intent_row *find_intent(group_work *work, xmtp_bytes message)
{
    bool has_published = false;
    for (size_t i = 0; i < work->intents.count; i++) {
        has_published = has_published || work->intents.items[i].state == XMTP_INTENT_PUBLISHED;
    }
    if (!has_published) {
        return NULL;
    }
    uint8_t hash[32];
    xmtp_hash_of(&xmtp_hash_sha256, message, hash);
    for (size_t i = 0; i < work->intents.count; i++) {
        xmtp_intent_row *intent = &work->intents.items[i];
        if (intent->state == XMTP_INTENT_PUBLISHED &&
            xmtp_bytes_equal(intent->payload_hash, xmtp_bytes_of(hash, sizeof(hash)))) {
            return intent;
        }
    }
    return NULL;
}

/* What nobody can open any more is made again in the present epoch, with the same id. Not sooner: of two
 * copies that can be opened, members list the first and who joined in between the second, in
 * another order (tests.late). The official client's senders are one epoch quicker. */
bool xmtp_is_readable_by_others(uint64_t message_epoch, uint64_t group_epoch)
{
    return message_epoch <= group_epoch && group_epoch - message_epoch <= XMTP_PAST_EPOCHS;
}

static xmtp_status note_own_deletion(group_work *work, const xmtp_intent_row *intent,
                                     xmtp_error *error)
{
    xmtp_client *client = work->client;
    xmtp_message_row row;
    xmtp_arena arena;
    xmtp_scratch(client, &arena);
    xmtp_status status =
        xmtp_stored(client, xmtp_message_find(client->db, intent->message_id, &arena, &row), error);
    if (status == XMTP_OK) {
        status = xmtp_deletion_note(work, client->inbox_id, row.content, error);
    }
    xmtp_arena_reset(&arena);
    return status;
}

static xmtp_status mark_published(group_work *work, const Pb__GroupMessage__V1 *message,
                                  const xmtp_intent_row *intent, xmtp_error *error)
{
    xmtp_database *db = work->client->db;
    uint64_t expire_ns;
    uint32_t content_type;
    XMTP_TRY(xmtp_expiry_of_now(work, &expire_ns, error));
    XMTP_TRY(xmtp_message_set_published(db, intent->message_id, message->created_ns, message->id,
                                        expire_ns, &content_type));
    if (content_type == XMTP_CONTENT_LEAVE_REQUEST) {
        XMTP_TRY(xmtp_leave_note(work, work->client->inbox_id, intent->message_id, error));
    } else if (content_type == XMTP_CONTENT_DELETE_MESSAGE) {
        XMTP_TRY(note_own_deletion(work, intent, error));
    }
    if (work->row.kind == XMTP_GROUP_KIND_SYNC) {
        XMTP_TRY(xmtp_sync_own_message(work->client, intent->message_id, error));
    }
    return xmtp_group_row_set_last_message(db, work->row.ref, message->created_ns);
}

/* It went out under a message key that others have seen used (note_unknown_own): said again, with the
 * same id, behind a key update. Others who could open the first copy keep one of them. */
static xmtp_status say_again(group_work *work, const xmtp_intent_row *intent)
{
    xmtp_database *db = work->client->db;
    xmtp_intent_row old;
    xmtp_intent_row update = {.group_ref = work->row.ref, .kind = XMTP_INTENT_KEY_UPDATE};
    XMTP_TRY(xmtp_intent_read(db, intent->id, &work->arena, &old));
    xmtp_intent_row again = {.group_ref = work->row.ref,
                             .kind = XMTP_INTENT_SEND_MESSAGE,
                             .data = old.data,
                             .message_id = old.message_id,
                             .should_push = old.should_push};
    XMTP_TRY(xmtp_intent_insert(db, &update));
    XMTP_TRY(xmtp_intent_insert(db, &again));
    return xmtp_intent_delete(db, intent->id);
}

static xmtp_status own_message(group_work *work, const Pb__GroupMessage__V1 *message,
                               uint64_t epoch, xmtp_intent_row *intent, xmtp_error *error)
{
    xmtp_client *client = work->client;
    uint64_t group_epoch = xmtp_mls_group_epoch(work->group);
    bool again = !xmtp_is_readable_by_others(epoch, group_epoch);
    bool has_used_key = work->row.rotated_ns == XMTP_KEYS_USED && epoch == group_epoch;
    XMTP_TRY(xmtp_work_begin(work, error));
    xmtp_status status = xmtp_row_of_intent(work, intent, error);
    if (status == XMTP_OK && !again) {
        status = mark_published(work, message, intent, error);
    }
    if (status == XMTP_OK && has_used_key) {
        status = say_again(work, intent);
    } else if (status == XMTP_OK) {
        status = again ? xmtp_intent_set_to_publish(client->db, intent->id)
                       : xmtp_intent_delete(client->db, intent->id);
    }
    intent->state = again ? XMTP_INTENT_TO_PUBLISH : (xmtp_intent_state)0;
    if (status != XMTP_OK) {
        (void)xmtp_stored(client, status, error);
        return xmtp_work_abandon(work, status);
    }
    work->row.cursor = message->id;
    work->has_news = true;
    return XMTP_OK;
}

/* ---- foreign application messages */

/* One that an archive brought before the node did is news all the same: what follows from it has not
 * happened yet. Its sequence tells it from one that is said again; in an archive it may be unsent. */
static xmtp_status is_of_archive(const xmtp_client *client, const xmtp_message_row *row,
                                 xmtp_arena *arena, bool *out, xmtp_error *error)
{
    xmtp_message_row before;
    XMTP_TRY(
        xmtp_stored(client, xmtp_message_find(client->db, row->message_id, arena, &before), error));
    *out = before.sequence == row->sequence || before.sequence == 0;
    return XMTP_OK;
}

static xmtp_status store_message(group_work *work, const Pb__GroupMessage__V1 *message,
                                 const xmtp_mls_member *sender, xmtp_bytes content,
                                 const char *idempotency_key, xmtp_arena *arena, xmtp_error *error)
{
    xmtp_client *client = work->client;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    xmtp_message_id(work->row.group_id, idempotency_key, content, id);
    xmtp_message_row row = {
        .message_id = xmtp_bytes_of(id, sizeof(id)),
        .group_ref = work->row.ref,
        .kind = XMTP_MESSAGE_APPLICATION,
        .delivery = XMTP_DELIVERY_PUBLISHED,
        .sender_installation = sender->signature_key,
        .sent_ns = message->created_ns,
        .sequence = message->id,
        .content = content,
        .should_push = true, /* what others asked for is not known here (groups.md 5.10) */
    };
    XMTP_TRY(xmtp_member_inbox(arena, sender, &row.sender_inbox));
    bool is_own = strcmp(row.sender_inbox, client->inbox_id) == 0;
    bool is_sync = work->row.kind == XMTP_GROUP_KIND_SYNC;
    if (is_sync && !is_own) {
        return XMTP_OK; /* nobody else has anything to say there */
    }
    bool is_new = false;
    XMTP_TRY(xmtp_expiry_of_now(work, &row.expire_ns, error));
    XMTP_TRY(xmtp_message_keep(client, &row, &is_new, error));
    bool was_there = !is_new;
    if (was_there) {
        XMTP_TRY(is_of_archive(client, &row, arena, &is_new, error));
    }
    if (was_there && is_own) { /* an archive may have had it before it was sent */
        uint32_t type;
        XMTP_TRY(xmtp_stored(client,
                             xmtp_message_set_published(client->db, row.message_id, row.sent_ns,
                                                        row.sequence, row.expire_ns, &type),
                             error));
    }
    if (is_new && row.content_type == XMTP_CONTENT_LEAVE_REQUEST) {
        XMTP_TRY(xmtp_leave_note(work, row.sender_inbox, row.message_id, error));
    } else if (is_new && row.content_type == XMTP_CONTENT_DELETE_MESSAGE) {
        XMTP_TRY(xmtp_deletion_note(work, row.sender_inbox, row.content, error));
    }
    if (is_new && is_sync) {
        XMTP_TRY(xmtp_sync_message(client, &row, false, error));
    }
    work->has_news = work->has_news || is_new;
    bool is_denied = work->row.consent == XMTP_CONSENT_DENIED;
    if (!is_new || is_own || is_denied || !client->is_queue_enabled) {
        return XMTP_OK;
    }
    return xmtp_stored(client, xmtp_queue_push(client->db, row.message_id, work->row.ref), error);
}

static xmtp_status apply_application(group_work *work, const Pb__GroupMessage__V1 *message,
                                     xmtp_mls_staged *staged, xmtp_arena *arena, xmtp_error *error)
{
    bool has_v1 = false;
    xmtp_bytes content = {0};
    const char *idempotency_key = "";
    xmtp_status status = xmtp_envelope_decode(arena, xmtp_mls_staged_application_data(staged),
                                              &has_v1, &content, &idempotency_key);
    xmtp_mls_member sender = xmtp_mls_staged_sender(staged);
    if (status == XMTP_OK && has_v1) {
        status = store_message(work, message, &sender, content, idempotency_key, arena, error);
    }
    /* What is authentic but nothing that we can store is stepped over; its key is burned all the
     * same. Trouble of our own is not: the message is read again. */
    return xmtp_is_our_trouble(status) ? status : XMTP_OK;
}

static xmtp_status merge(group_work *work, xmtp_mls_staged *staged, xmtp_error *error)
{
    xmtp_mls_writes *writes;
    xmtp_status status = xmtp_mls_writes_new(&writes, &work->client->env);
    if (status != XMTP_OK) {
        xmtp_mls_staged_free(staged);
        return status;
    }
    status = xmtp_mls_group_merge(work->group, staged, writes, error);
    if (status == XMTP_OK) {
        status = xmtp_writes_store(work->client, work->row.ref, writes, error);
    }
    xmtp_mls_writes_free(writes);
    return status;
}

static xmtp_status foreign_application(group_work *work, const Pb__GroupMessage__V1 *message,
                                       xmtp_mls_staged *staged, xmtp_error *error)
{
    xmtp_status status = xmtp_work_begin(work, error);
    if (status != XMTP_OK) {
        xmtp_mls_staged_free(staged);
        return status;
    }
    xmtp_arena arena;
    xmtp_scratch(work->client, &arena);
    status = apply_application(work, message, staged, &arena, error);
    xmtp_arena_reset(&arena);
    if (status == XMTP_OK) {
        status = merge(work, staged, error);
    } else {
        xmtp_mls_staged_free(staged);
    }
    if (status != XMTP_OK) {
        return xmtp_work_abandon(work, status);
    }
    work->row.cursor = message->id;
    return XMTP_OK;
}

/* ---- one message */

static xmtp_status mark_forked(group_work *work, uint64_t sequence, xmtp_error *error)
{
    char details[96];
    char *copy;
    (void)snprintf(details, sizeof(details),
                   "message %" PRIu64 " is of a later epoch than ours, which is %" PRIu64, sequence,
                   work->row.epoch);
    XMTP_TRY(xmtp_arena_string(&work->arena, xmtp_bytes_of_string(details), &copy));
    work->row.is_forked = true;
    work->row.fork_details = copy;
    return xmtp_stored(work->client, xmtp_group_row_update(work->client->db, &work->row), error);
}

/* For the log of commits (groups.md 3.11). */
static xmtp_status note_unopened(group_work *work, const Pb__GroupMessage__V1 *message,
                                 xmtp_status why, xmtp_error *error)
{
    xmtp_mls_message_info info;
    bool is_commit = xmtp_mls_message_inspect(xmtp_proto_bytes(message->data), &info) == XMTP_OK &&
                     info.content_type == XMTP_MLS_CONTENT_COMMIT;
    if (!is_commit) {
        return XMTP_OK;
    }
    bool is_wrong_epoch = why == XMTP_E_EPOCH_FUTURE || why == XMTP_E_EPOCH_OLD;
    return xmtp_commit_log_note_failure(
        work, message->id, info.epoch,
        is_wrong_epoch ? XMTP_COMMIT_WRONG_EPOCH : XMTP_COMMIT_UNDECRYPTABLE, error);
}

/* A message of ours, of this epoch, that this database does not know: it is older than what others
 * have seen, after a power cut or from a backup. Message keys that its ratchet would give now were
 * used, and others would not open what comes under them: a new epoch first, before the next message. */
static xmtp_status note_unknown_own(group_work *work, const Pb__GroupMessage__V1 *message,
                                    xmtp_error *error)
{
    xmtp_mls_message_info info;
    bool is_of_now = xmtp_mls_message_inspect(xmtp_proto_bytes(message->data), &info) == XMTP_OK &&
                     info.content_type == XMTP_MLS_CONTENT_APPLICATION &&
                     info.epoch == xmtp_mls_group_epoch(work->group);
    if (!is_of_now || work->row.rotated_ns == XMTP_KEYS_USED) {
        return XMTP_OK;
    }
    work->row.rotated_ns = XMTP_KEYS_USED; /* long ago: a key update is due, see send.c */
    return xmtp_stored(work->client, xmtp_group_row_update(work->client->db, &work->row), error);
}

static xmtp_status cannot_open(group_work *work, const Pb__GroupMessage__V1 *message,
                               xmtp_status why, xmtp_error *error)
{
    if (xmtp_is_our_trouble(why)) {
        return why;
    }
    if (why == XMTP_E_EPOCH_FUTURE && work->is_from_stream) {
        work->needs_query = true; /* a commit is missing in between: ask for everything in order */
        return XMTP_E_RETRY;
    }
    XMTP_TRY(xmtp_work_begin(work, error));
    xmtp_status status = note_unopened(work, message, why, error);
    if (status == XMTP_OK && why == XMTP_E_EPOCH_FUTURE && !work->row.is_forked) {
        status = mark_forked(work, message->id, error);
    }
    if (status == XMTP_OK && why == XMTP_E_OWN_MESSAGE) {
        status = note_unknown_own(work, message, error);
    }
    if (status != XMTP_OK) {
        return xmtp_work_abandon(work, status);
    }
    return step_over(work, message->id, error);
}

static xmtp_status foreign(group_work *work, const Pb__GroupMessage__V1 *message, xmtp_error *error)
{
    xmtp_mls_staged *staged = NULL;
    xmtp_error why = {0};
    xmtp_status status =
        xmtp_mls_group_process(work->group, xmtp_proto_bytes(message->data), &staged, &why);
    if (status != XMTP_OK) {
        (void)xmtp_fail_default(error, status, why.text);
        return cannot_open(work, message, status, error);
    }
    switch (xmtp_mls_staged_content_type(staged)) {
    case XMTP_MLS_CONTENT_APPLICATION:
        return foreign_application(work, message, staged, error);
    case XMTP_MLS_CONTENT_COMMIT:
        status = xmtp_work_flush(work, error);
        if (status != XMTP_OK) {
            xmtp_mls_staged_free(staged);
            return status;
        }
        return xmtp_apply_foreign_commit(work, message, staged, error);
    case XMTP_MLS_CONTENT_PROPOSAL:
        break;
    }
    xmtp_mls_staged_free(staged); /* 1.10 drops proposals sent on their own (groups.md 1.6) */
    return step_over(work, message->id, error);
}

static xmtp_status receive_one(group_work *work, const Pb__GroupMessage__V1 *message,
                               xmtp_error *error)
{
    xmtp_bytes data = xmtp_proto_bytes(message->data);
    xmtp_mls_message_info info;
    bool is_ours = xmtp_mls_message_inspect(data, &info) == XMTP_OK &&
                   info.wire_format == XMTP_MLS_PRIVATE_MESSAGE &&
                   xmtp_bytes_equal(info.group_id, work->row.group_id);
    if (!is_ours) {
        return step_over(work, message->id, error);
    }
    XMTP_TRY(xmtp_work_group(work, error));
    xmtp_intent_row *intent = find_intent(work, data);
    if (intent == NULL) {
        return foreign(work, message, error);
    }
    if (intent->kind == XMTP_INTENT_SEND_MESSAGE) {
        return own_message(work, message, info.epoch, intent, error);
    }
    XMTP_TRY(xmtp_work_flush(work, error));
    return xmtp_apply_own_commit(work, message, info.epoch, intent, error);
}

static bool is_readable(const group_work *work)
{
    return work->row.is_active && work->row.paused_for[0] == '\0';
}

xmtp_status xmtp_receive_batch(group_work *work, const Pb__GroupMessage__V1 *const *messages,
                               size_t count, xmtp_error *error)
{
    xmtp_status status = XMTP_OK;
    for (size_t i = 0; i < count && status == XMTP_OK && is_readable(work); i++) {
        const Pb__GroupMessage__V1 *message = messages[i];
        bool is_for_us = xmtp_bytes_equal(xmtp_proto_bytes(message->group_id), work->row.group_id);
        if (is_for_us && message->id > work->row.cursor && message->id <= INT64_MAX) {
            status = receive_one(work, message, error);
        }
    }
    /* What came before a failure is kept, unless the failure has abandoned it already. */
    xmtp_status flushed = xmtp_work_flush(work, status == XMTP_OK ? error : NULL);
    return status == XMTP_OK ? flushed : status;
}

/* ---- queries */

Pb__QueryGroupMessagesRequest *xmtp_group_query(xmtp_bytes group_id, uint64_t cursor,
                                                group_query *out)
{
    xmtp_paging_after(&out->paging, cursor, XMTP_PAGE_MAX);
    out->request = (Pb__QueryGroupMessagesRequest)PB__QUERY_GROUP_MESSAGES_REQUEST__INIT;
    out->request.has_group_id = 1;
    out->request.group_id = xmtp_proto_data(group_id);
    out->request.paging_info = &out->paging;
    return &out->request;
}

/* The page that is here already, once; *out is NULL when there is none. */
static void take_ahead(group_work *work, xmtp_arena *arena,
                       const Pb__QueryGroupMessagesResponse **out)
{
    void *answer;
    *out = NULL;
    if (work->ahead.n > 0 && work->ahead.status == XMTP_OK &&
        xmtp_proto_decode(work->ahead_type, arena, xmtp_writer_bytes(&work->ahead), &answer) ==
            XMTP_OK) {
        bool is_of_send = work->ahead_type == &pb__send_group_messages_response__descriptor;
        *out = is_of_send ? ((const Pb__SendGroupMessagesResponse *)answer)->read_back : answer;
    }
    xmtp_writer_clear(&work->ahead);
}

static xmtp_status query_page(group_work *work, xmtp_arena *arena,
                              const Pb__QueryGroupMessagesResponse **out, xmtp_error *error)
{
    group_query query;
    void *answer;
    take_ahead(work, arena, out);
    if (*out != NULL) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_call(work->client, XMTP_MLS_API("QueryGroupMessages"),
                       &xmtp_group_query(work->row.group_id, work->row.cursor, &query)->base,
                       &pb__query_group_messages_response__descriptor, arena, &answer, error));
    *out = answer;
    return XMTP_OK;
}

/* An honest page is in order. One that is not is put in order, so that no message is stepped over. */
static void sort_by_sequence(const Pb__GroupMessage__V1 **messages, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        const Pb__GroupMessage__V1 *message = messages[i];
        size_t j = i;
        while (j > 0 && messages[j - 1]->id > message->id) {
            messages[j] = messages[j - 1];
            j--;
        }
        messages[j] = message;
    }
}

static xmtp_status receive_page(group_work *work, size_t *count, xmtp_arena *arena,
                                xmtp_error *error)
{
    const Pb__QueryGroupMessagesResponse *page;
    XMTP_TRY(query_page(work, arena, &page, error));
    *count = page->n_messages;
    void *items;
    XMTP_TRY(
        xmtp_arena_take_array(arena, page->n_messages, sizeof(Pb__GroupMessage__V1 *), &items));
    const Pb__GroupMessage__V1 **messages = items;
    size_t n = 0;
    for (size_t i = 0; i < page->n_messages; i++) {
        if (page->messages[i]->version_case == PB__GROUP_MESSAGE__VERSION_V1) {
            messages[n++] = page->messages[i]->v1;
        }
    }
    sort_by_sequence(messages, n);
    return xmtp_receive_batch(work, messages, n, error);
}

xmtp_status xmtp_receive(group_work *work, xmtp_error *error)
{
    size_t count = XMTP_PAGE_MAX;
    work->is_from_stream = false;
    while (count >= XMTP_PAGE_MAX && is_readable(work)) {
        uint64_t cursor = work->row.cursor;
        xmtp_arena arena;
        xmtp_scratch(work->client, &arena);
        xmtp_status status = receive_page(work, &count, &arena, error);
        xmtp_arena_reset(&arena);
        XMTP_TRY(status);
        if (work->row.cursor == cursor) {
            break; /* a page that brings nothing new: a node that repeats itself */
        }
    }
    return XMTP_OK;
}
