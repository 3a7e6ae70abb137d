/* settle.c - a message is sent when the node shows it; that it is sent is written down while the next one travels.
 *
 *     send 1:  transaction { message, intent, payload } --> node --> shown: page 1 kept, OK
 *     send 2:  transaction { message, intent, payload } --> node ...............> shown: page 2 kept, OK
 *                                            meanwhile: page 1 applied   '-- behind message 1
 *     any other call, close: page 2 applied first
 *
 * Until then the database is as a process leaves it that dies between the node's answer and the second
 * transaction: the next sync finds the message on the network by the hash of its bytes. So nothing
 * depends on settling but what callers see, and they see nothing before it is done (enter.c). A page is left
 * only when it shows the one message and nothing else: with that, sending has succeeded for certain.
 */
#include "client/round.h"

#include "base/bytes.h"
#include "crypto/crypto.h"

enum { PAGE_KEPT_MAX = 64 * 1024 }; /* bytes, of a client that may do nothing for long */

/* Applies the page by this work, whose conversation it is of. Page and place are used once. */
static xmtp_status apply(group_work *work)
{
    xmtp_client *client = work->client;
    xmtp_error why = {0};
    xmtp_writer_free(&work->ahead);
    work->ahead = client->unsettled.page;
    work->ahead_type = &pb__send_group_messages_response__descriptor;
    work->shown_ns = client->unsettled.shown_ns;
    client->unsettled = (unsettled_send){0};
    xmtp_status status = xmtp_receive(work, &why);
    work->shown_ns = 0;
    if (status != XMTP_OK) {
        xmtp_log_line(
            client, XMTP_LOG_WARN,
            "that a message is sent could not be written down, the next sync will: %s: %s",
            xmtp_status_name(status), why.text);
    }
    return status;
}

void xmtp_settle(xmtp_client *client)
{
    group_work work;
    xmtp_error why = {0};
    xmtp_row_ahead_end(client);
    if (client->has_rowless && !xmtp_database_in_transaction(client->db)) {
        (void)xmtp_rows_restore(client, &why); /* or the next call will */
    }
    if (client->unsettled.ref == 0 || xmtp_database_in_transaction(client->db)) {
        return;
    }
    (void)xmtp_work_start_unsettled(&work, client, client->unsettled.ref, &why);
    (void)apply(&work); /* of nothing, when it could not be loaded */
    xmtp_work_end(&work);
}

/* ---- the next message */

static bool is_unsettled(const group_work *work)
{
    return work->client->unsettled.ref == work->row.ref;
}

xmtp_status xmtp_work_follow(group_work *work, xmtp_error *error)
{
    work->settled = is_unsettled(work) ? work->client->unsettled.intent : 0;
    work->sent_max = work->settled;
    work->may_leave = xmtp_is_send_plain(work) && !work->client->has_rowless;
    if (work->may_leave) {
        return XMTP_OK;
    }
    work->settled = 0;
    work->sent_max = 0;
    xmtp_settle(work->client);
    return xmtp_work_reload(work, error);
}

uint64_t xmtp_work_cursor(const group_work *work)
{
    bool is_behind = is_unsettled(work) && work->client->unsettled.sequence > work->row.cursor;
    return is_behind ? work->client->unsettled.sequence : work->row.cursor;
}

static void settle_for(group_work *work)
{
    xmtp_error why = {0};
    if (!is_unsettled(work)) {
        xmtp_settle(work->client);
        (void)xmtp_late_row_write(work, &why); /* or when sending ends */
        return;
    }
    const bool is_written = xmtp_late_row_begin(work, &why) == XMTP_OK;
    work->has_gap = apply(work) != XMTP_OK;
    const bool is_kept =
        work->is_in_transaction ? xmtp_work_flush(work, &why) == XMTP_OK : !work->has_gap;
    work->has_late_row = work->has_late_row && !(is_written && is_kept);
}

static void settle_and_read_ahead(void *context)
{
    const group_work *work = context;
    settle_for(context);
    if (work->may_leave) {
        xmtp_row_ahead_read(work);
    }
}

xmtp_meanwhile xmtp_settle_meanwhile(group_work *work)
{
    return (xmtp_meanwhile){.run = settle_and_read_ahead, .context = work};
}

/* ---- leaving */

/* The one message of the page, or NULL. */
static const Pb__GroupMessage__V1 *only_message(const group_work *work, xmtp_arena *arena)
{
    void *answer;
    xmtp_bytes bytes = xmtp_writer_bytes(&work->ahead);
    if (xmtp_proto_decode(work->ahead_type, arena, bytes, &answer) != XMTP_OK) {
        return NULL;
    }
    const Pb__QueryGroupMessagesResponse *page =
        ((const Pb__SendGroupMessagesResponse *)answer)->read_back;
    bool is_one = page != NULL && page->n_messages == 1 &&
                  page->messages[0]->version_case == PB__GROUP_MESSAGE__VERSION_V1;
    return is_one ? page->messages[0]->v1 : NULL;
}

/* The intent that is waited for, when nothing else is queued but what was settled meanwhile. */
static const xmtp_intent_row *only_intent(const group_work *work)
{
    const xmtp_intent_row *awaited = NULL;
    for (size_t i = 0; i < work->intents.count; i++) {
        const xmtp_intent_row *intent = &work->intents.items[i];
        if (intent->id == work->awaited) {
            awaited = intent;
        } else if (intent->id != work->settled) {
            return NULL;
        }
    }
    return awaited;
}

static bool shows(const group_work *work, const Pb__GroupMessage__V1 *message,
                  const xmtp_intent_row *intent)
{
    uint8_t hash[32];
    xmtp_hash_of(&xmtp_hash_sha256, xmtp_proto_bytes(message->data), hash);
    return xmtp_bytes_equal(xmtp_proto_bytes(message->group_id), work->row.group_id) &&
           xmtp_bytes_equal(intent->payload_hash, xmtp_bytes_of(hash, sizeof(hash))) &&
           message->id > work->row.cursor && message->id <= INT64_MAX;
}

void xmtp_work_leave(group_work *work)
{
    xmtp_client *client = work->client;
    const xmtp_intent_row *intent = only_intent(work);
    bool is_small = xmtp_writer_bytes(&work->ahead).n <= PAGE_KEPT_MAX;
    if (!work->may_leave || !is_small || work->has_gap || client->unsettled.ref != 0 ||
        intent == NULL) {
        return;
    }
    xmtp_arena arena;
    xmtp_scratch(client, &arena);
    const Pb__GroupMessage__V1 *message = only_message(work, &arena);
    if (message != NULL && shows(work, message, intent)) {
        client->unsettled = (unsettled_send){.ref = work->row.ref,
                                             .intent = intent->id,
                                             .sequence = message->id,
                                             .shown_ns = xmtp_now_ns(client),
                                             .page = work->ahead};
        xmtp_writer_init(&work->ahead, &client->env.alloc, XMTP_WRITER_MAX);
        work->is_left = true;
    }
    xmtp_arena_reset(&arena);
}
