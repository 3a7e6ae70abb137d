/* consent.c - whom this inbox wants to hear from (groups.md 7.1).
 *
 * Every decision, whoever takes it, goes through xmtp_consent_apply: one record, one telling. What
 * other devices of this inbox must learn is to be queued there.
 */
#include "client/round.h"
#include "store/consent_store.h"

void xmtp_client_listen(xmtp_client *client, const xmtp_client_events *events)
{
    client->events = events == NULL ? (xmtp_client_events){0} : *events;
}

/* ---- writing */

static xmtp_status state_of(xmtp_client *client, uint32_t entity_type, const char *entity,
                            xmtp_consent_state *out, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_consent_row row = {0};
    xmtp_scratch(client, &arena);
    xmtp_status status = xmtp_consent_read(client->db, entity_type, entity, &arena, &row);
    *out = (xmtp_consent_state)row.state;
    xmtp_arena_reset(&arena);
    return status == XMTP_E_NOT_FOUND ? XMTP_OK : xmtp_stored(client, status, error);
}

xmtp_status xmtp_consent_apply(xmtp_client *client, const xmtp_consent *record, xmtp_error *error)
{
    xmtp_consent_state before;
    XMTP_TRY(state_of(client, record->entity_type, record->entity, &before, error));
    const xmtp_consent_row row = {.entity_type = record->entity_type,
                                  .entity = record->entity,
                                  .state = record->state,
                                  .consented_ns = record->consented_ns};
    XMTP_TRY(xmtp_stored(client, xmtp_consent_write(client->db, &row), error));
    if (before != record->state && client->events.consent != NULL) {
        client->events.consent(client->events.context, record);
    }
    return XMTP_OK;
}

static xmtp_status apply_to_group(xmtp_client *client, xmtp_bytes group_id,
                                  xmtp_consent_state state, uint64_t consented_ns,
                                  xmtp_error *error)
{
    char hex[2 * XMTP_GROUP_ID_MAX + 1];
    XMTP_ENSURE(group_id.n <= XMTP_GROUP_ID_MAX, XMTP_E_CORRUPT);
    xmtp_hex_encode(hex, group_id);
    const xmtp_consent record = {.entity_type = XMTP_CONSENT_CONVERSATION,
                                 .entity = hex,
                                 .state = state,
                                 .consented_ns = consented_ns};
    return xmtp_consent_apply(client, &record, error);
}

static xmtp_status decide(xmtp_client *client, const xmtp_group_row *row, xmtp_consent_state state,
                          uint64_t consented_ns, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_group_rows rows;
    if (row->dm_id == NULL || row->dm_id[0] == '\0') {
        return apply_to_group(client, row->group_id, state, consented_ns, error);
    }
    xmtp_scratch(client, &arena);
    xmtp_status status =
        xmtp_stored(client, xmtp_group_row_list_dm(client->db, row->dm_id, &arena, &rows), error);
    for (size_t i = 0; status == XMTP_OK && i < rows.count; i++) {
        status = apply_to_group(client, rows.items[i].group_id, state, consented_ns, error);
    }
    xmtp_arena_reset(&arena);
    /* A group that is just being made is not among them. */
    return status == XMTP_OK ? apply_to_group(client, row->group_id, state, consented_ns, error)
                             : status;
}

xmtp_status xmtp_consent_decide(xmtp_client *client, const xmtp_group_row *row,
                                xmtp_consent_state state, xmtp_error *error)
{
    return decide(client, row, state, xmtp_now_ns(client), error);
}

/* ---- public */

static xmtp_status check_record(const xmtp_consent *record, size_t index, xmtp_error *error)
{
    xmtp_conversation_id id;
    const char *entity = record->entity == NULL ? "" : record->entity;
    bool is_known = false;
    if (record->entity_type == XMTP_CONSENT_INBOX) {
        is_known = xmtp_inbox_id_is_valid(xmtp_bytes_of_string(entity));
    } else if (record->entity_type == XMTP_CONSENT_CONVERSATION) {
        size_t digits = strlen(entity);
        is_known = digits > 0 && digits % 2 == 0 && digits / 2 <= sizeof(id.p) &&
                   xmtp_hex_decode(id.p, digits / 2, entity, digits) == XMTP_OK &&
                   strpbrk(entity, "ABCDEF") == NULL;
    }
    if (!is_known || (int)record->state < XMTP_CONSENT_UNKNOWN ||
        record->state > XMTP_CONSENT_DENIED) {
        return xmtp_fail(error, XMTP_E_ARGUMENT,
                         "record %zu: entity type %d with %zu characters, state %d", index,
                         (int)record->entity_type, strlen(entity), (int)record->state);
    }
    return XMTP_OK;
}

/* A conversation that is here is found by its id, so that duplicates follow. */
static xmtp_status set_one(xmtp_client *client, const xmtp_consent *record, xmtp_error *error)
{
    xmtp_consent at = *record;
    at.consented_ns = at.consented_ns == 0 ? xmtp_now_ns(client) : at.consented_ns;
    if (at.entity_type == XMTP_CONSENT_INBOX) {
        return xmtp_consent_apply(client, &at, error);
    }
    xmtp_arena arena;
    xmtp_group_row row;
    uint8_t id[XMTP_GROUP_ID_MAX];
    size_t n = strlen(at.entity) / 2;
    XMTP_TRY(xmtp_hex_decode(id, n, at.entity, 2 * n));
    xmtp_scratch(client, &arena);
    xmtp_status status = xmtp_group_row_find(client->db, xmtp_bytes_of(id, n), &arena, &row);
    if (status == XMTP_OK) {
        status = decide(client, &row, at.state, at.consented_ns, error);
    } else if (status == XMTP_E_NOT_FOUND) {
        status = xmtp_consent_apply(client, &at, error);
    } else {
        status = xmtp_stored(client, status, error);
    }
    xmtp_arena_reset(&arena);
    return status;
}

xmtp_status xmtp_client_set_consent(xmtp_client *client, const xmtp_consent *records, size_t count,
                                    xmtp_error *error)
{
    for (size_t i = 0; i < count; i++) {
        XMTP_TRY(check_record(&records[i], i, error));
    }
    XMTP_TRY(xmtp_begin(client, error));
    for (size_t i = 0; i < count; i++) {
        xmtp_status status = set_one(client, &records[i], error);
        if (status != XMTP_OK) {
            xmtp_database_rollback(client->db);
            return status;
        }
    }
    return xmtp_commit(client, error);
}

xmtp_status xmtp_client_consent(xmtp_client *client, xmtp_consent_entity entity_type,
                                const char *entity, xmtp_consent_state *out, xmtp_error *error)
{
    const xmtp_consent record = {.entity_type = entity_type, .entity = entity};
    *out = XMTP_CONSENT_UNKNOWN;
    XMTP_TRY(check_record(&record, 0, error));
    return state_of(client, entity_type, entity, out, error);
}

xmtp_status xmtp_client_set_conversation_consent(xmtp_client *client,
                                                 const xmtp_conversation_id *id,
                                                 xmtp_consent_state state, xmtp_error *error)
{
    int64_t ref;
    char hex[2 * XMTP_GROUP_ID_MAX + 1];
    XMTP_TRY(xmtp_conversation_find(client, id, &ref, error));
    xmtp_hex_encode(hex, xmtp_bytes_of(id->p, id->n));
    const xmtp_consent record = {
        .entity_type = XMTP_CONSENT_CONVERSATION, .entity = hex, .state = state};
    return xmtp_client_set_consent(client, &record, 1, error);
}

xmtp_status xmtp_client_consents(xmtp_client *client, xmtp_consent_visit visit, void *context,
                                 xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_consent_row *rows = NULL;
    size_t count = 0;
    xmtp_scratch(client, &arena);
    xmtp_status status =
        xmtp_stored(client, xmtp_consent_list(client->db, &arena, &rows, &count), error);
    for (size_t i = 0; status == XMTP_OK && i < count; i++) {
        const xmtp_consent record = {
            .entity_type = (xmtp_consent_entity)rows[i].entity_type,
            .entity = rows[i].entity,
            .state = (xmtp_consent_state)rows[i].state,
            .consented_ns = rows[i].consented_ns,
        };
        status = visit(context, &record);
    }
    xmtp_arena_reset(&arena);
    return status;
}
