/* enrich.c - messages with what was said about them: reactions, answers, reads, what was taken back or
 * changed (groups.md 5.11).
 *
 * Reactions, read receipts, deletions and edits are messages too; here they are no entries of their
 * own. Only what was said in the same conversation counts: an id can be named from anywhere.
 */
#include "client/round.h"
#include "content/codec.h"

enum { REACTIONS_MAX = 1000 };

static const xmtp_content_type about_others[] = {XMTP_CONTENT_REACTION, XMTP_CONTENT_READ_RECEIPT,
                                                 XMTP_CONTENT_DELETE_MESSAGE,
                                                 XMTP_CONTENT_EDIT_MESSAGE};

typedef struct enriching {
    xmtp_client *client;
    xmtp_enriched_visit visit;
    void *context;
    xmtp_error *error;
} enriching;

static xmtp_status view_rows(xmtp_client *client, const xmtp_message_row *rows, size_t count,
                             xmtp_arena *arena, const xmtp_message **out)
{
    void *items;
    XMTP_TRY(xmtp_arena_take_array(arena, count, sizeof(xmtp_message), &items));
    for (size_t i = 0; i < count; i++) {
        XMTP_TRY(xmtp_message_view(client, &rows[i], arena, (xmtp_message *)items + i));
    }
    *out = items;
    return XMTP_OK;
}

static xmtp_status add_reactions(const enriching *e, xmtp_arena *arena, xmtp_enriched_message *out)
{
    xmtp_message_row *rows;
    XMTP_TRY(xmtp_stored(
        e->client,
        xmtp_message_references(e->client->db, xmtp_bytes_of(out->message.id, XMTP_MESSAGE_ID_LEN),
                                XMTP_CONTENT_REACTION, REACTIONS_MAX, arena, &rows,
                                &out->reaction_count),
        e->error));
    return view_rows(e->client, rows, out->reaction_count, arena, &out->reactions);
}

/* What is left of a message that was taken back: who, when and where. */
static void blank(xmtp_message *message)
{
    message->content_type = XMTP_CONTENT_UNKNOWN;
    message->authority = "xmtp.org";
    message->type = "deletedMessage";
    message->version_major = 1;
    message->version_minor = 0;
    message->text = NULL;
    message->text_len = 0;
    message->fallback = NULL;
    message->reference = NULL;
    message->content = (xmtp_bytes){0};
}

static xmtp_status add_original(const enriching *e, xmtp_arena *arena, xmtp_enriched_message *out)
{
    xmtp_message_row row;
    const char *deleted_by;
    void *original;
    if (out->message.content_type != XMTP_CONTENT_REPLY) {
        return XMTP_OK;
    }
    xmtp_status status = xmtp_message_original(
        e->client->db, xmtp_bytes_of(out->message.id, XMTP_MESSAGE_ID_LEN), arena, &row);
    if (status == XMTP_E_NOT_FOUND) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_stored(e->client, status, e->error));
    XMTP_TRY(xmtp_arena_take(arena, sizeof(xmtp_message), &original));
    XMTP_TRY(xmtp_message_view(e->client, &row, arena, original));
    out->in_reply_to = original;
    XMTP_TRY(xmtp_deletion_of(e->client, out->in_reply_to->id, arena, &deleted_by, e->error));
    if (deleted_by != NULL) {
        blank(original);
    }
    return XMTP_OK;
}

static xmtp_status add_edit(const enriching *e, xmtp_arena *arena, xmtp_enriched_message *out)
{
    xmtp_message_row row;
    xmtp_content content;
    xmtp_status status = xmtp_message_newest_of_sender(
        e->client->db, xmtp_bytes_of(out->message.id, XMTP_MESSAGE_ID_LEN),
        XMTP_CONTENT_EDIT_MESSAGE, arena, &row);
    if (status == XMTP_E_NOT_FOUND) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_stored(e->client, status, e->error));
    status = xmtp_content_read(arena, row.content, &content, NULL);
    bool is_of_same_type = status == XMTP_OK && content.type == XMTP_CONTENT_EDIT_MESSAGE &&
                           content.edit_message.content->type == out->message.content_type;
    if (is_of_same_type) {
        out->edited = content.edit_message.content;
        out->edited_ns = row.sent_ns;
    }
    return status == XMTP_E_NOMEM ? status : XMTP_OK;
}

static xmtp_status attach(const enriching *e, xmtp_arena *arena, xmtp_enriched_message *out)
{
    XMTP_TRY(xmtp_deletion_of(e->client, out->message.id, arena, &out->deleted_by, e->error));
    if (out->deleted_by != NULL) {
        blank(&out->message);
        return XMTP_OK;
    }
    XMTP_TRY(add_reactions(e, arena, out));
    XMTP_TRY(xmtp_stored(e->client,
                         xmtp_message_reference_count(
                             e->client->db, xmtp_bytes_of(out->message.id, XMTP_MESSAGE_ID_LEN),
                             XMTP_CONTENT_REPLY, &out->reply_count),
                         e->error));
    XMTP_TRY(add_edit(e, arena, out));
    return add_original(e, arena, out);
}

static xmtp_status enrich(void *context, const xmtp_message *message)
{
    const enriching *e = context;
    xmtp_arena arena;
    xmtp_enriched_message out = {.message = *message};
    xmtp_scratch(e->client, &arena);
    xmtp_status status = attach(e, &arena, &out);
    if (status == XMTP_OK) {
        status = e->visit(e->context, &out);
    }
    xmtp_arena_reset(&arena);
    return status;
}

xmtp_status xmtp_client_messages_enriched(xmtp_client *client, const xmtp_message_query *query,
                                          xmtp_enriched_visit visit, void *context,
                                          xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    enum { LEFT_OUT_MAX = XMTP_CONTENT_TYPE_COUNT + 4 };
    xmtp_content_type left_out[LEFT_OUT_MAX];
    size_t count = sizeof about_others / sizeof about_others[0];
    xmtp_message_query q = *query;
    memcpy(left_out, about_others, sizeof(about_others));
    for (size_t i = 0; i < query->content_type_left_out_count && count < LEFT_OUT_MAX; i++) {
        left_out[count++] = query->content_types_left_out[i];
    }
    q.content_types_left_out = left_out;
    q.content_type_left_out_count = count;
    enriching e = {.client = client, .visit = visit, .context = context, .error = error};
    return xmtp_client_messages(client, &q, enrich, &e, error);
}

/* ---- the newest, and who has read */

typedef struct newest {
    xmtp_client *client;
    bool is_found;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
} newest;

static xmtp_status note_newest(void *context, const xmtp_message *message)
{
    newest *n = context;
    n->is_found = true;
    memcpy(n->id, message->id, sizeof(n->id));
    return XMTP_OK;
}

xmtp_status xmtp_client_last_message(xmtp_client *client, const xmtp_conversation_id *id,
                                     xmtp_message *out, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    static const xmtp_content_type shown[] = {
        XMTP_CONTENT_UNKNOWN,           XMTP_CONTENT_TEXT,
        XMTP_CONTENT_REACTION,          XMTP_CONTENT_REPLY,
        XMTP_CONTENT_ATTACHMENT,        XMTP_CONTENT_REMOTE_ATTACHMENT,
        XMTP_CONTENT_WALLET_SEND_CALLS, XMTP_CONTENT_TRANSACTION_REFERENCE,
    };
    newest n = {.client = client};
    const xmtp_message_query query = {.conversation = id,
                                      .kind = XMTP_MESSAGE_APPLICATION,
                                      .newest_first = true,
                                      .limit = 1,
                                      .content_types = shown,
                                      .content_type_count = sizeof shown / sizeof shown[0]};
    XMTP_TRY(xmtp_client_messages(client, &query, note_newest, &n, error));
    return n.is_found ? xmtp_client_message(client, n.id, out, error)
                      : xmtp_fail(error, XMTP_E_NOT_FOUND, "no message yet");
}

xmtp_status xmtp_client_last_reads(xmtp_client *client, const xmtp_conversation_id *id,
                                   xmtp_read_visit visit, void *context, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    int64_t ref;
    xmtp_arena arena;
    xmtp_message_read *reads = NULL;
    size_t count = 0;
    XMTP_TRY(xmtp_conversation_find(client, id, &ref, error));
    xmtp_scratch(client, &arena);
    xmtp_status status = xmtp_stored(
        client,
        xmtp_message_last_reads(client->db, ref, XMTP_CONTENT_READ_RECEIPT, &arena, &reads, &count),
        error);
    for (size_t i = 0; status == XMTP_OK && i < count; i++) {
        status = visit(context, reads[i].inbox_id, reads[i].read_ns);
    }
    xmtp_arena_reset(&arena);
    return status;
}
