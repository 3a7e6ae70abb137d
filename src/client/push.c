/* push.c - topics, HMAC keys, and messages that came by push (groups.md 5.6, 7.4; topics of v3). */
#include "client/group_data.h"
#include "client/round.h"

#include <xmtp/push.h>

static_assert((int)XMTP_PUSH_KEY_LEN == (int)XMTP_HMAC_KEY_LEN, "one length in both headers");

/* ---- topics */

void xmtp_conversation_topic(const xmtp_conversation_id *id, char out[XMTP_TOPIC_MAX])
{
    char hex[2 * XMTP_GROUP_ID_MAX + 1];
    xmtp_hex_encode(hex, xmtp_bytes_of(id->p, id->n));
    (void)snprintf(out, XMTP_TOPIC_MAX, "/xmtp/mls/1/g-%s/proto", hex);
}

void xmtp_client_welcome_topic(const xmtp_client *client, char out[XMTP_TOPIC_MAX])
{
    (void)snprintf(out, XMTP_TOPIC_MAX, "/xmtp/mls/1/w-%s/proto", client->installation_id);
}

typedef struct topic_list {
    xmtp_topic_visit visit;
    void *context;
} topic_list;

static xmtp_status visit_topic(void *context, const xmtp_conversation *conversation)
{
    const topic_list *list = context;
    char topic[XMTP_TOPIC_MAX];
    if (!conversation->is_active) {
        return XMTP_OK;
    }
    xmtp_conversation_topic(&conversation->id, topic);
    return list->visit(list->context, topic);
}

xmtp_status xmtp_client_push_topics(xmtp_client *client, xmtp_topic_visit visit, void *context,
                                    xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    char topic[XMTP_TOPIC_MAX];
    topic_list list = {.visit = visit, .context = context};
    const xmtp_conversation_query all = {.with_duplicates = true};
    xmtp_client_welcome_topic(client, topic);
    XMTP_TRY(visit(context, topic));
    return xmtp_client_conversations_where(client, &all, visit_topic, &list, error);
}

/* ---- keys */

static xmtp_status visit_keys(const xmtp_client *client, const xmtp_group_row *row,
                              xmtp_hmac_key_visit visit, void *context)
{
    uint8_t key[XMTP_HMAC_KEY_LEN];
    int64_t present = xmtp_hmac_epoch(xmtp_now_ns(client));
    xmtp_hmac_key_entry entry = {.conversation = {.n = row->group_id.n}, .key = key};
    XMTP_ENSURE(row->group_id.n <= sizeof(entry.conversation.p), XMTP_E_CORRUPT);
    xmtp_copy(entry.conversation.p, row->group_id.p, row->group_id.n);
    xmtp_status status = XMTP_OK;
    for (int64_t epoch = present - 1; status == XMTP_OK && epoch <= present + 1; epoch++) {
        entry.epoch = epoch;
        status = xmtp_hmac_key(client->hmac_root, row->group_id, epoch, key);
        if (status == XMTP_OK) {
            status = visit(context, &entry);
        }
    }
    xmtp_wipe(key, sizeof(key));
    return status;
}

/* All groups that an id stands for, or all that there are. */
static xmtp_status list_groups(xmtp_client *client, const xmtp_conversation_id *id,
                               xmtp_arena *arena, xmtp_group_rows *rows, xmtp_error *error)
{
    int64_t ref;
    void *one;
    if (id == NULL) {
        return xmtp_stored(client, xmtp_group_row_list(client->db, true, arena, rows), error);
    }
    XMTP_TRY(xmtp_conversation_find(client, id, &ref, error));
    XMTP_TRY(xmtp_arena_take(arena, sizeof(xmtp_group_row), &one));
    *rows = (xmtp_group_rows){.items = one, .count = 1};
    XMTP_TRY(xmtp_stored(client, xmtp_group_row_read(client->db, ref, arena, one), error));
    return rows->items[0].dm_id[0] == '\0'
               ? XMTP_OK
               : xmtp_stored(client,
                             xmtp_group_row_list_dm(client->db, rows->items[0].dm_id, arena, rows),
                             error);
}

xmtp_status xmtp_client_hmac_keys(xmtp_client *client, const xmtp_conversation_id *id,
                                  xmtp_hmac_key_visit visit, void *context, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    xmtp_arena arena;
    xmtp_group_rows rows = {0};
    XMTP_TRY(xmtp_hmac_root(client, error));
    xmtp_scratch(client, &arena);
    xmtp_status status = list_groups(client, id, &arena, &rows, error);
    for (size_t i = 0; status == XMTP_OK && i < rows.count; i++) {
        uint32_t kind = rows.items[i].kind;
        if (kind == XMTP_GROUP_KIND_GROUP || kind == XMTP_GROUP_KIND_DM) {
            status = visit_keys(client, &rows.items[i], visit, context);
        }
    }
    xmtp_arena_reset(&arena);
    return status;
}

/* ---- what a push delivered */

static xmtp_status apply_message(xmtp_client *client, const Pb__GroupMessage__V1 *message,
                                 xmtp_error *error)
{
    group_work work;
    int64_t ref;
    xmtp_status status =
        xmtp_group_ref_exact(client->db, xmtp_proto_bytes(message->group_id), &ref);
    if (status == XMTP_E_NOT_FOUND) {
        return xmtp_fail(error, status, "message of a conversation that is not here");
    }
    XMTP_TRY(xmtp_stored(client, status, error));
    status = xmtp_work_start(&work, client, ref, error);
    if (status == XMTP_OK) {
        /* One message says nothing about those before it: everything behind the cursor is asked for. */
        status = message->id <= work.row.cursor ? XMTP_OK : xmtp_receive(&work, error);
    }
    xmtp_work_end(&work);
    xmtp_states_trim(client, XMTP_STATE_CACHE_MAX);
    return status;
}

xmtp_status xmtp_client_process_message(xmtp_client *client, xmtp_bytes group_message,
                                        xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    xmtp_arena arena;
    void *message;
    xmtp_scratch(client, &arena);
    xmtp_status status =
        xmtp_proto_decode(&pb__group_message__descriptor, &arena, group_message, &message);
    if (status == XMTP_OK &&
        ((Pb__GroupMessage *)message)->version_case == PB__GROUP_MESSAGE__VERSION_V1) {
        status = apply_message(client, ((Pb__GroupMessage *)message)->v1, error);
    } else {
        status = xmtp_fail(error, status == XMTP_E_NOMEM ? status : XMTP_E_MALFORMED,
                           "no message of the network");
    }
    xmtp_arena_reset(&arena);
    return status;
}

xmtp_status xmtp_client_process_welcome(xmtp_client *client, xmtp_bytes welcome_message,
                                        xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    xmtp_arena arena;
    void *message;
    xmtp_scratch(client, &arena);
    xmtp_status status =
        xmtp_proto_decode(&pb__welcome_message__descriptor, &arena, welcome_message, &message);
    if (status == XMTP_OK) {
        /* Others may be before it, and the cursor only rises: all are fetched, in their order. */
        status = xmtp_sync_welcomes(client, error);
    } else {
        status = xmtp_fail(error, status == XMTP_E_NOMEM ? status : XMTP_E_MALFORMED,
                           "no welcome of the network");
    }
    xmtp_arena_reset(&arena);
    return status;
}
