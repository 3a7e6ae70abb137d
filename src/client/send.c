/* send.c - an application message: stored, queued, encrypted, published, read back.
 *
 *     one transaction { message row, intent, ratchet, payload }  -->  node  -->  read back  -->
 *     one transaction { published, intent gone, cursor }
 *
 * (Of a plain message the row comes a little later, and the second transaction much: late_row.c, settle.c.)
 *
 * The id is known before anything is sent and stays the same when the message has to be encrypted
 * again in a later epoch, so receivers keep one copy.
 */
#include "client/content.h"
#include "client/round.h"

static const uint64_t KEY_UPDATE_NS = 30 * XMTP_DAY_NS;
static const uint64_t REFRESH_BEFORE_SEND_NS = 5 * XMTP_SECOND_NS;

xmtp_status xmtp_fail_inactive(const xmtp_group_row *row, xmtp_error *error)
{
    if (row->state != XMTP_MEMBERSHIP_RESTORED) {
        return xmtp_fail(error, XMTP_E_INACTIVE, "no longer a member of this conversation");
    }
    return xmtp_fail(error, XMTP_E_INACTIVE, "restored from an archive and can only be read: %s",
                     row->kind == XMTP_GROUP_KIND_DM
                         ? "make the DM anew, or wait until the other one writes"
                         : "usable again when a member writes or adds this inbox");
}

xmtp_status xmtp_check_usable(const group_work *work, xmtp_error *error)
{
    if (!work->row.is_active) {
        return xmtp_fail_inactive(&work->row, error);
    }
    if (work->row.paused_for[0] != '\0') {
        return xmtp_fail(error, XMTP_E_PAUSED, "conversation needs version %.32s of this library",
                         work->row.paused_for);
    }
    return XMTP_OK;
}

/* Decimal nanoseconds, strictly rising, so that the same text sent twice gets two ids. */
static uint64_t next_key_ns(xmtp_client *client)
{
    uint64_t now_ns = xmtp_now_ns(client);
    client->last_key_ns = now_ns > client->last_key_ns ? now_ns : client->last_key_ns + 1;
    return client->last_key_ns;
}

/* The key under which a message is sent: the caller's, or a fresh number. */
typedef struct message_key {
    const char *text;
    uint64_t now_ns;
    char digits[24];
} message_key;

/* The row at once, or later; *is_new in any case. */
static xmtp_status keep_message(group_work *work, xmtp_message_row *row, bool is_late, bool *is_new,
                                xmtp_error *error)
{
    xmtp_client *client = work->client;
    bool is_there;
    if (!is_late) {
        return xmtp_message_keep(client, row, is_new, error);
    }
    XMTP_TRY(
        xmtp_stored(client, xmtp_message_is_there(client->db, row->message_id, &is_there), error));
    *is_new = !is_there;
    work->late_row = *row;
    work->has_late_row = *is_new;
    return XMTP_OK;
}

/* Not under a key of the caller's: late_row.c reads the time of a message from its key. */
static bool may_be_late(const group_work *work, const xmtp_send_options *options)
{
    return work->may_leave && !options->is_optimistic && options->idempotency_key == NULL;
}

static xmtp_status insert_message(group_work *work, xmtp_bytes content,
                                  const xmtp_send_options *options, const message_key *key,
                                  uint8_t message_id[XMTP_MESSAGE_ID_LEN], bool *is_new,
                                  xmtp_error *error)
{
    xmtp_client *client = work->client;
    xmtp_message_id(work->row.group_id, key->text, content, message_id);
    xmtp_message_row row = {
        .message_id = xmtp_bytes_of(message_id, XMTP_MESSAGE_ID_LEN),
        .group_ref = work->row.ref,
        .kind = XMTP_MESSAGE_APPLICATION,
        .delivery = XMTP_DELIVERY_UNPUBLISHED,
        .sender_inbox = client->inbox_id,
        .sender_installation = xmtp_bytes_of(client->installation.pk, XMTP_INSTALLATION_LEN),
        .sent_ns = key->now_ns,
        .content = content,
        .should_push = options->should_push,
    };
    return keep_message(work, &row, may_be_late(work, options), is_new, error);
}

/* *is_new false: the caller's key was used for the same content before. */
static xmtp_status insert_new_message(group_work *work, xmtp_bytes content,
                                      const xmtp_send_options *options, message_key *key,
                                      uint8_t message_id[XMTP_MESSAGE_ID_LEN], bool *is_new,
                                      xmtp_error *error)
{
    *is_new = false;
    if (options->idempotency_key != NULL) {
        key->text = options->idempotency_key;
        key->now_ns = xmtp_now_ns(work->client);
        return insert_message(work, content, options, key, message_id, is_new, error);
    }
    /* The clock may have gone back since the last session: look for a number that is free. */
    key->text = key->digits;
    while (!*is_new) {
        key->now_ns = next_key_ns(work->client);
        (void)snprintf(key->digits, sizeof(key->digits), "%" PRIu64, key->now_ns);
        XMTP_TRY(insert_message(work, content, options, key, message_id, is_new, error));
    }
    return XMTP_OK;
}

static bool needs_key_update(const group_work *work)
{
    for (size_t i = 0; i < work->intents.count; i++) {
        if (work->intents.items[i].kind != XMTP_INTENT_SEND_MESSAGE) {
            return false; /* a commit is on its way, and every commit of ours renews the leaf */
        }
    }
    uint64_t now_ns = xmtp_now_ns(work->client);
    return work->row.rotated_ns + KEY_UPDATE_NS < now_ns;
}

static xmtp_status queue_envelope(group_work *work, xmtp_bytes content, const char *key,
                                  xmtp_intent_row *intent, xmtp_error *error)
{
    xmtp_client *client = work->client;
    xmtp_writer w;
    xmtp_writer_init(&w, &client->env.alloc, XMTP_WRITER_MAX);
    xmtp_status status = xmtp_envelope_encode(&w, content, key);
    xmtp_bytes envelope = {0};
    if (status == XMTP_OK) {
        status = xmtp_arena_copy(&work->arena, xmtp_writer_bytes(&w), &envelope);
    }
    xmtp_writer_free(&w);
    XMTP_TRY(status);
    intent->data = envelope;
    return xmtp_stored(client, xmtp_intent_insert(client->db, intent), error);
}

/* Nothing waits but what the node has already. */
static bool is_queue_empty(const group_work *work)
{
    for (size_t i = 0; i < work->intents.count; i++) {
        if (work->intents.items[i].id > work->sent_max) {
            return false;
        }
    }
    return true;
}

/* A key update when one is due, and consent: whoever speaks to somebody has allowed them. */
static xmtp_status before_message(group_work *work, bool *can_build, xmtp_error *error)
{
    xmtp_client *client = work->client;
    *can_build = is_queue_empty(work);
    if (needs_key_update(work)) {
        xmtp_intent_row update = {.group_ref = work->row.ref, .kind = XMTP_INTENT_KEY_UPDATE};
        XMTP_TRY(xmtp_stored(client, xmtp_intent_insert(client->db, &update), error));
        *can_build = false;
    }
    return work->row.consent == XMTP_CONSENT_ALLOWED
               ? XMTP_OK
               : xmtp_consent_decide(client, &work->row, XMTP_CONSENT_ALLOWED, error);
}

static xmtp_status check_size(xmtp_bytes content, const xmtp_send_options *options,
                              xmtp_error *error)
{
    size_t key_len = options->idempotency_key == NULL ? 0 : strlen(options->idempotency_key);
    if (content.n > XMTP_CONTENT_MAX || key_len > XMTP_IDEMPOTENCY_KEY_MAX) {
        return xmtp_fail(error, XMTP_E_LIMIT,
                         "content of %zu bytes, at most %d; key of %zu, at most %d", content.n,
                         XMTP_CONTENT_MAX, key_len, XMTP_IDEMPOTENCY_KEY_MAX);
    }
    return XMTP_OK;
}

/* The message's row, and the intent that is to send it, not queued yet. */
static xmtp_status store_message(group_work *work, xmtp_bytes content,
                                 const xmtp_send_options *options,
                                 uint8_t message_id[XMTP_MESSAGE_ID_LEN], xmtp_intent_row *intent,
                                 message_key *key, bool *is_new, xmtp_error *error)
{
    *is_new = false;
    *intent = (xmtp_intent_row){.group_ref = work->row.ref,
                                .kind = XMTP_INTENT_SEND_MESSAGE,
                                .message_id = xmtp_bytes_of(message_id, XMTP_MESSAGE_ID_LEN),
                                .should_push = options->should_push};
    XMTP_TRY(check_size(content, options, error));
    return insert_new_message(work, content, options, key, message_id, is_new, error);
}

xmtp_status xmtp_queue_message(group_work *work, xmtp_bytes content,
                               const xmtp_send_options *options,
                               uint8_t message_id[XMTP_MESSAGE_ID_LEN], xmtp_intent_row *intent,
                               bool *can_build, xmtp_error *error)
{
    message_key key;
    bool is_new;
    *can_build = false;
    XMTP_TRY(store_message(work, content, options, message_id, intent, &key, &is_new, error));
    if (!is_new) {
        return XMTP_OK;
    }
    XMTP_TRY(before_message(work, can_build, error));
    return queue_envelope(work, content, key.text, intent, error);
}

/* In one transaction: message, intent, and, when nothing is queued before it, its payload. */
static xmtp_status queue_and_build(group_work *work, xmtp_bytes content,
                                   const xmtp_send_options *options, const xmtp_with_message *with,
                                   uint8_t message_id[XMTP_MESSAGE_ID_LEN], bool *is_fresh,
                                   xmtp_error *error)
{
    xmtp_client *client = work->client;
    xmtp_intent_row intent;
    *is_fresh = is_queue_empty(work) || !xmtp_work_has_published(work);
    XMTP_TRY(xmtp_begin(client, error));
    bool can_build = false;
    built_message built;
    xmtp_status status =
        xmtp_queue_message(work, content, options, message_id, &intent, &can_build, error);
    if (status == XMTP_OK && can_build && !options->is_optimistic) {
        status = xmtp_publish_build_message(work, &intent, &built, error);
    }
    if (status == XMTP_OK && with != NULL) {
        status = with->run(client, with->context, error);
    }
    if (status == XMTP_OK) {
        status = xmtp_commit(client, error);
    }
    if (status != XMTP_OK) {
        work->has_late_row = false;
        return xmtp_work_abandon(work, status);
    }
    work->awaited = intent.id;
    if (work->has_late_row && can_build && xmtp_work_queued(work, &built.row) == XMTP_OK) {
        return XMTP_OK;
    }
    return options->is_optimistic ? XMTP_OK : xmtp_work_reload(work, error);
}

static bool is_refreshed(const group_work *work)
{
    uint64_t now_ns = xmtp_now_ns(work->client);
    return work->row.checked_ns <= now_ns &&
           now_ns - work->row.checked_ns <= REFRESH_BEFORE_SEND_NS;
}

bool xmtp_is_send_plain(const group_work *work)
{
    return is_queue_empty(work) && is_refreshed(work) && !needs_key_update(work) &&
           work->row.consent == XMTP_CONSENT_ALLOWED;
}

xmtp_status xmtp_refresh_before_send(group_work *work, xmtp_error *error)
{
    if (is_refreshed(work)) {
        return XMTP_OK;
    }
    xmtp_error why = {0};
    xmtp_status status = xmtp_installations_refresh(work, &why);
    if (status == XMTP_OK || xmtp_is_unreached(status)) {
        return XMTP_OK;
    }
    return xmtp_fail(error, status, "%s", why.text);
}

xmtp_status xmtp_send(group_work *work, xmtp_bytes content, const xmtp_send_options *options,
                      const xmtp_with_message *with, uint8_t message_id[XMTP_MESSAGE_ID_LEN],
                      xmtp_error *error)
{
    bool is_fresh;
    XMTP_TRY(xmtp_check_usable(work, error));
    if (options->is_optimistic) {
        return queue_and_build(work, content, options, with, message_id, &is_fresh, error);
    }
    XMTP_TRY(xmtp_refresh_before_send(work, error));
    XMTP_TRY(queue_and_build(work, content, options, with, message_id, &is_fresh, error));
    if (work->awaited == 0) { /* said before under the same key: nothing travels */
        xmtp_settle(work->client);
        XMTP_TRY(xmtp_work_reload(work, error));
    }
    xmtp_status status = xmtp_work_rounds(work, is_fresh, error);
    xmtp_late_row_end(work);
    return xmtp_work_result(work, status, error);
}

xmtp_status xmtp_client_send_with(xmtp_client *client, const xmtp_conversation_id *id,
                                  xmtp_bytes encoded_content, const xmtp_send_options *options,
                                  uint8_t message_id[XMTP_MESSAGE_ID_LEN], xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_TO_SEND, error));
    int64_t ref = 0;
    group_work work;
    uint8_t own_id[XMTP_MESSAGE_ID_LEN];
    XMTP_TRY(xmtp_conversation_find(client, id, &ref, error));
    xmtp_status status = xmtp_work_start_unsettled(&work, client, ref, error);
    if (status == XMTP_OK) {
        status = xmtp_work_follow(&work, error);
    }
    if (status == XMTP_OK) {
        status = xmtp_send(&work, encoded_content, options, NULL,
                           message_id == NULL ? own_id : message_id, error);
    }
    if (work.is_left) {
        xmtp_conversation_found(client, id, ref);
    }
    xmtp_work_end(&work);
    return status;
}

xmtp_status xmtp_client_send_content(xmtp_client *client, const xmtp_conversation_id *id,
                                     xmtp_bytes encoded_content, bool should_push,
                                     uint8_t message_id[XMTP_MESSAGE_ID_LEN], xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_TO_SEND, error));
    const xmtp_send_options options = {.should_push = should_push};
    return xmtp_client_send_with(client, id, encoded_content, &options, message_id, error);
}

/* ---- now stored, later published */

static xmtp_status prepare(group_work *work, xmtp_bytes content, const xmtp_send_options *options,
                           uint8_t message_id[XMTP_MESSAGE_ID_LEN], xmtp_error *error)
{
    xmtp_client *client = work->client;
    message_key key;
    bool is_new;
    xmtp_intent_row intent;
    XMTP_TRY(store_message(work, content, options, message_id, &intent, &key, &is_new, error));
    if (!is_new) {
        return XMTP_OK;
    }
    XMTP_TRY(queue_envelope(work, content, key.text, &intent, error));
    return xmtp_stored(client, xmtp_intent_set_held(client->db, intent.id), error);
}

xmtp_status xmtp_client_prepare(xmtp_client *client, const xmtp_conversation_id *id,
                                xmtp_bytes encoded_content, const xmtp_send_options *options,
                                uint8_t message_id[XMTP_MESSAGE_ID_LEN], xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    int64_t ref = 0;
    group_work work;
    XMTP_TRY(xmtp_conversation_find(client, id, &ref, error));
    xmtp_status status = xmtp_work_start(&work, client, ref, error);
    if (status == XMTP_OK) {
        status = xmtp_begin(client, error);
    }
    if (status == XMTP_OK) {
        status = prepare(&work, encoded_content, options, message_id, error);
        if (status == XMTP_OK) {
            status = xmtp_commit(client, error);
        } else {
            xmtp_database_rollback(client->db);
        }
    }
    xmtp_work_end(&work);
    return status;
}

/* A held intent takes its place at the end of the queue; inside the caller's transaction. */
static xmtp_status release(group_work *work, const xmtp_intent_row *held, xmtp_error *error)
{
    xmtp_client *client = work->client;
    bool can_build;
    xmtp_intent_row intent = *held;
    XMTP_TRY(before_message(work, &can_build, error));
    xmtp_status status = xmtp_intent_delete(client->db, held->id);
    if (status == XMTP_OK) {
        status = xmtp_intent_insert(client->db, &intent);
    }
    if (status == XMTP_OK) {
        status = xmtp_message_set_unpublished(client->db, held->message_id);
    }
    work->awaited = intent.id;
    return xmtp_stored(client, status, error);
}

static xmtp_status release_failed(group_work *work, xmtp_error *error)
{
    xmtp_client *client = work->client;
    xmtp_intent_row held;
    XMTP_TRY(xmtp_begin(client, error));
    xmtp_status status = XMTP_OK;
    while (status == XMTP_OK) {
        status = xmtp_intent_find_failed(client->db, work->row.ref, &work->arena, &held);
        if (status == XMTP_E_NOT_FOUND) {
            return xmtp_commit(client, error);
        }
        status =
            status == XMTP_OK ? release(work, &held, error) : xmtp_stored(client, status, error);
    }
    xmtp_database_rollback(client->db);
    return status;
}

static xmtp_status publish_queued(group_work *work, xmtp_error *error)
{
    XMTP_TRY(xmtp_refresh_before_send(work, error));
    XMTP_TRY(xmtp_work_reload(work, error));
    if (work->intents.count == 0) {
        return XMTP_OK;
    }
    work->awaited = work->intents.items[work->intents.count - 1].id;
    XMTP_TRY(
        xmtp_work_rounds(work, !xmtp_work_has_published(work), error)); /* all were asked for */
    return xmtp_work_result(work, XMTP_OK, error);
}

xmtp_status xmtp_client_publish_messages(xmtp_client *client, const xmtp_conversation_id *id,
                                         xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    int64_t ref = 0;
    group_work work;
    XMTP_TRY(xmtp_conversation_find(client, id, &ref, error));
    xmtp_status status = xmtp_work_start(&work, client, ref, error);
    if (status == XMTP_OK) {
        status = xmtp_check_usable(&work, error);
    }
    if (status == XMTP_OK) {
        status = release_failed(&work, error);
    }
    if (status == XMTP_OK) {
        status = publish_queued(&work, error);
    }
    xmtp_work_end(&work);
    return status;
}

static xmtp_status publish_held(group_work *work, const xmtp_intent_row *held, xmtp_error *error)
{
    xmtp_client *client = work->client;
    XMTP_TRY(xmtp_check_usable(work, error));
    XMTP_TRY(xmtp_begin(client, error));
    xmtp_status status = release(work, held, error);
    if (status != XMTP_OK) {
        xmtp_database_rollback(client->db);
        return status;
    }
    XMTP_TRY(xmtp_commit(client, error));
    return publish_queued(work, error);
}

xmtp_status xmtp_client_publish_message(xmtp_client *client,
                                        const uint8_t message_id[XMTP_MESSAGE_ID_LEN],
                                        xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    xmtp_message message;
    xmtp_intent_row held;
    xmtp_arena arena;
    group_work work;
    XMTP_TRY(xmtp_client_message(client, message_id, &message, error));
    xmtp_scratch(client, &arena);
    xmtp_status status = xmtp_intent_find_held(
        client->db, xmtp_bytes_of(message_id, XMTP_MESSAGE_ID_LEN), &arena, &held);
    if (status == XMTP_E_NOT_FOUND) {
        xmtp_arena_reset(&arena);
        return XMTP_OK; /* published already, or on its way */
    }
    status = xmtp_stored(client, status, error);
    if (status == XMTP_OK) {
        status = xmtp_work_start(&work, client, held.group_ref, error);
        if (status == XMTP_OK) {
            status = publish_held(&work, &held, error);
        }
        xmtp_work_end(&work);
    }
    xmtp_arena_reset(&arena);
    return status;
}

static xmtp_status send_writer(xmtp_client *client, const xmtp_conversation_id *id, xmtp_writer *w,
                               xmtp_status encoded, uint8_t message_id[XMTP_MESSAGE_ID_LEN],
                               xmtp_error *error)
{
    xmtp_status status = encoded;
    if (status == XMTP_E_CONTENT) {
        status = xmtp_fail(error, status, "text is not UTF-8");
    } else if (status == XMTP_E_LIMIT) {
        status = xmtp_fail(error, status, "text is longer than %d bytes", XMTP_TEXT_MAX);
    }
    if (status == XMTP_OK) {
        status =
            xmtp_client_send_content(client, id, xmtp_writer_bytes(w), true, message_id, error);
    }
    xmtp_writer_free(w);
    return status;
}

xmtp_status xmtp_client_send_text(xmtp_client *client, const xmtp_conversation_id *id,
                                  const char *text, uint8_t message_id[XMTP_MESSAGE_ID_LEN],
                                  xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_TO_SEND, error));
    xmtp_writer w;
    xmtp_writer_init(&w, &client->env.alloc, XMTP_WRITER_MAX);
    return send_writer(client, id, &w, xmtp_content_text(&w, text), message_id, error);
}

xmtp_status xmtp_client_send_reply(xmtp_client *client, const xmtp_conversation_id *id,
                                   const uint8_t reference[XMTP_MESSAGE_ID_LEN], const char *text,
                                   uint8_t message_id[XMTP_MESSAGE_ID_LEN], xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_TO_SEND, error));
    xmtp_writer w;
    xmtp_writer_init(&w, &client->env.alloc, XMTP_WRITER_MAX);
    return send_writer(client, id, &w, xmtp_content_reply(&w, reference, text), message_id, error);
}
