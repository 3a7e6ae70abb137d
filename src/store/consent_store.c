/* consent_store.c - the table consent. */
#include "store/consent_store.h"

#include "base/bytes.h"
#include "base/status.h"
#include "store/query.h"

static xmtp_status read_row(const xmtp_query *q, xmtp_arena *arena, xmtp_consent_row *out)
{
    *out = (xmtp_consent_row){
        .entity_type = (uint32_t)xmtp_query_u64(q, 0),
        .state = (uint32_t)xmtp_query_u64(q, 2),
        .consented_ns = xmtp_query_u64(q, 3),
    };
    return xmtp_query_string(q, 1, arena, &out->entity);
}

xmtp_status xmtp_consent_read(xmtp_database *db, uint32_t entity_type, const char *entity,
                              xmtp_arena *arena, xmtp_consent_row *out)
{
    xmtp_query q = xmtp_query_start(db, "SELECT entity_type, entity, state, consented_ns"
                                        " FROM consent WHERE entity_type = ? AND entity = ?");
    xmtp_query_bind_u64(&q, entity_type);
    xmtp_query_bind_text(&q, entity);
    xmtp_status status = xmtp_query_one(&q);
    if (status == XMTP_OK) {
        status = read_row(&q, arena, out);
    }
    xmtp_query_end(&q);
    return status;
}

xmtp_status xmtp_consent_write(xmtp_database *db, const xmtp_consent_row *row)
{
    xmtp_query q = xmtp_query_start(db, "INSERT OR REPLACE INTO consent(entity_type, entity, state,"
                                        " consented_ns) VALUES(?, ?, ?, ?)");
    xmtp_query_bind_u64(&q, row->entity_type);
    xmtp_query_bind_text(&q, row->entity);
    xmtp_query_bind_u64(&q, row->state);
    xmtp_query_bind_u64(&q, row->consented_ns);
    return xmtp_query_run(&q);
}

/* Ends the query, whose statement returns at most capacity rows. */
static xmtp_status read_rows(xmtp_query *q, size_t capacity, xmtp_arena *arena,
                             xmtp_consent_row **rows, size_t *count)
{
    void *items = NULL;
    bool has_row = false;
    *count = 0;
    xmtp_status status = xmtp_arena_take_array(arena, capacity, sizeof(**rows), &items);
    *rows = items;
    if (status == XMTP_OK) {
        status = xmtp_query_step(q, &has_row);
    }
    while (status == XMTP_OK && has_row && *count < capacity) {
        status = read_row(q, arena, &(*rows)[*count]);
        if (status == XMTP_OK) {
            (*count)++;
            status = xmtp_query_step(q, &has_row);
        }
    }
    xmtp_query_end(q);
    return status;
}

static xmtp_status count_rows(xmtp_database *db, size_t *count)
{
    xmtp_query q = xmtp_query_start(db, "SELECT count(*) FROM consent");
    xmtp_status status = xmtp_query_one(&q);
    *count = status == XMTP_OK ? (size_t)xmtp_query_u64(&q, 0) : 0;
    xmtp_query_end(&q);
    return status;
}

xmtp_status xmtp_consent_page(xmtp_database *db, const xmtp_consent_row *after, size_t limit,
                              xmtp_arena *arena, xmtp_consent_row **rows, size_t *count)
{
    xmtp_query q = xmtp_query_start(db, "SELECT entity_type, entity, state, consented_ns"
                                        " FROM consent WHERE (entity_type, entity) > (?, ?)"
                                        " ORDER BY entity_type, entity LIMIT ?");
    xmtp_query_bind_u64(&q, after == NULL ? 0 : after->entity_type);
    xmtp_query_bind_text(&q, after == NULL ? "" : after->entity);
    xmtp_query_bind_u64(&q, limit);
    return read_rows(&q, limit, arena, rows, count);
}

xmtp_status xmtp_consent_list(xmtp_database *db, xmtp_arena *arena, xmtp_consent_row **rows,
                              size_t *count)
{
    size_t all;
    *count = 0;
    XMTP_TRY(count_rows(db, &all));
    return xmtp_consent_page(db, NULL, all, arena, rows, count);
}

xmtp_status xmtp_consent_set_unsent(xmtp_database *db, uint32_t entity_type, const char *entity,
                                    bool is_unsent)
{
    xmtp_query q = xmtp_query_start(
        db, "UPDATE consent SET is_unsent = ? WHERE entity_type = ? AND entity = ?");
    xmtp_query_bind_u64(&q, is_unsent);
    xmtp_query_bind_u64(&q, entity_type);
    xmtp_query_bind_text(&q, entity);
    return xmtp_query_run(&q);
}

xmtp_status xmtp_consent_list_unsent(xmtp_database *db, size_t limit, xmtp_arena *arena,
                                     xmtp_consent_row **rows, size_t *count)
{
    xmtp_query q = xmtp_query_start(db, "SELECT entity_type, entity, state, consented_ns"
                                        " FROM consent WHERE is_unsent = 1"
                                        " ORDER BY entity_type, entity LIMIT ?");
    xmtp_query_bind_u64(&q, limit);
    return read_rows(&q, limit, arena, rows, count);
}
