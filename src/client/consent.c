/* consent.c - whom this inbox wants to hear from (groups.md 7.1).
 *
 * Every decision, whoever takes it, is one record and one telling. What is decided here is marked for
 * the other installations of this inbox, in the same transaction.
 */
#include "client/round.h"
#include "store/consent_store.h"

void xmtp_client_listen(xmtp_client *client, const xmtp_client_events *events)
{
    client->events = events == NULL ? (xmtp_client_events){0} : *events;
}

/* ---- writing */

/* State and time of the record; unknown at 0 when there is none. */
static xmtp_status recorded(xmtp_client *client, const xmtp_consent *of, xmtp_consent *out,
                            xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_consent_row row = {0};
    xmtp_scratch(client, &arena);
    xmtp_status status = xmtp_consent_read(client->db, of->entity_type, of->entity, &arena, &row);
    *out = *of;
    out->state = (xmtp_consent_state)row.state;
    out->consented_ns = row.consented_ns;
    xmtp_arena_reset(&arena);
    return status == XMTP_E_NOT_FOUND ? XMTP_OK : xmtp_stored(client, status, error);
}

static xmtp_status write_record(xmtp_client *client, const xmtp_consent *before,
                                const xmtp_consent *after, xmtp_error *error)
{
    const xmtp_consent_row row = {.entity_type = after->entity_type,
                                  .entity = after->entity,
                                  .state = after->state,
                                  .consented_ns = after->consented_ns};
    XMTP_TRY(xmtp_stored(client, xmtp_consent_write(client->db, &row), error));
    if (before->state != after->state && client->events.consent != NULL) {
        client->events.consent(client->events.context, after);
    }
    return XMTP_OK;
}

/* Decided here. Later than what it replaces, so that the other installations take it, too. */
static xmtp_status apply(xmtp_client *client, const xmtp_consent *decision, xmtp_error *error)
{
    xmtp_consent before;
    xmtp_consent after = *decision;
    XMTP_TRY(recorded(client, decision, &before, error));
    bool is_change = before.state != after.state;
    if (is_change && after.consented_ns <= before.consented_ns) {
        after.consented_ns = xmtp_later_than(client, before.consented_ns);
    }
    XMTP_TRY(write_record(client, &before, &after, error));
    if (!client->device_sync.is_on) {
        return XMTP_OK;
    }
    client->device_sync.is_due = true;
    return xmtp_stored(
        client, xmtp_consent_set_unsent(client->db, after.entity_type, after.entity, true), error);
}

static xmtp_status merge_one(xmtp_client *client, const xmtp_consent *decision, bool *is_taken,
                             xmtp_error *error)
{
    xmtp_consent before;
    XMTP_TRY(recorded(client, decision, &before, error));
    *is_taken = decision->consented_ns > before.consented_ns;
    return *is_taken ? write_record(client, &before, decision, error) : XMTP_OK;
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
    return apply(client, &record, error);
}

static xmtp_status decide(xmtp_client *client, const xmtp_group_row *row, xmtp_consent_state state,
                          uint64_t consented_ns, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_group_rows rows;
    if (row->kind != XMTP_GROUP_KIND_GROUP && row->kind != XMTP_GROUP_KIND_DM) {
        return XMTP_OK; /* nobody consents to a group of their own installations */
    }
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

/* ---- decided elsewhere */

static xmtp_status merge_group(xmtp_client *client, const xmtp_consent *decision,
                               xmtp_bytes group_id, xmtp_error *error)
{
    char hex[2 * XMTP_GROUP_ID_MAX + 1];
    XMTP_ENSURE(group_id.n <= XMTP_GROUP_ID_MAX, XMTP_E_CORRUPT);
    xmtp_hex_encode(hex, group_id);
    bool is_taken;
    xmtp_consent one = *decision;
    one.entity = hex;
    return merge_one(client, &one, &is_taken, error);
}

/* The other groups of the same DM, when the conversation is here and is one. */
static xmtp_status merge_duplicates(xmtp_client *client, const xmtp_consent *decision,
                                    xmtp_arena *arena, xmtp_error *error)
{
    xmtp_group_row row;
    xmtp_group_rows rows;
    uint8_t id[XMTP_GROUP_ID_MAX];
    size_t n = strlen(decision->entity) / 2;
    XMTP_TRY(xmtp_hex_decode(id, n, decision->entity, 2 * n));
    xmtp_status status = xmtp_group_row_find(client->db, xmtp_bytes_of(id, n), arena, &row);
    if (status == XMTP_E_NOT_FOUND || (status == XMTP_OK && row.dm_id[0] == '\0')) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_stored(client, status, error));
    XMTP_TRY(
        xmtp_stored(client, xmtp_group_row_list_dm(client->db, row.dm_id, arena, &rows), error));
    for (size_t i = 0; i < rows.count; i++) {
        XMTP_TRY(merge_group(client, decision, rows.items[i].group_id, error));
    }
    return XMTP_OK;
}

xmtp_status xmtp_consent_merge(xmtp_client *client, const xmtp_consent *record, bool *is_taken,
                               xmtp_error *error)
{
    xmtp_arena arena;
    XMTP_TRY(merge_one(client, record, is_taken, error));
    if (record->entity_type == XMTP_CONSENT_INBOX) {
        return XMTP_OK;
    }
    xmtp_scratch(client, &arena);
    xmtp_status status = merge_duplicates(client, record, &arena, error);
    xmtp_arena_reset(&arena);
    return status;
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

bool xmtp_consent_is_valid(const xmtp_consent *record)
{
    xmtp_error ignored;
    return check_record(record, 0, &ignored) == XMTP_OK;
}

/* A conversation that is here is found by its id, so that duplicates follow. */
static xmtp_status set_one(xmtp_client *client, const xmtp_consent *record, xmtp_error *error)
{
    xmtp_consent at = *record;
    at.consented_ns = at.consented_ns == 0 ? xmtp_now_ns(client) : at.consented_ns;
    if (at.entity_type == XMTP_CONSENT_INBOX) {
        return apply(client, &at, error);
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
        status = apply(client, &at, error);
    } else {
        status = xmtp_stored(client, status, error);
    }
    xmtp_arena_reset(&arena);
    return status;
}

xmtp_status xmtp_client_set_consent(xmtp_client *client, const xmtp_consent *records, size_t count,
                                    xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
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
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    const xmtp_consent record = {.entity_type = entity_type, .entity = entity};
    xmtp_consent found;
    *out = XMTP_CONSENT_UNKNOWN;
    XMTP_TRY(check_record(&record, 0, error));
    XMTP_TRY(recorded(client, &record, &found, error));
    *out = found.state;
    return XMTP_OK;
}

xmtp_status xmtp_client_set_conversation_consent(xmtp_client *client,
                                                 const xmtp_conversation_id *id,
                                                 xmtp_consent_state state, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
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
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
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
