/* intent_store.c - the tables intents and commit_parts.
 *
 * What is deleted is overwritten in this database, since it may be a key (database.c). Parts of commits are not:
 * they are what the network has seen, or what it sees sealed, up to a megabyte of it, and a commit would be
 * written twice. Nothing else is deleted that way.
 */
#include "store/intent_store.h"

#include "base/bytes.h"
#include "base/status.h"
#include "store/database_internal.h"

/* Ids rise, and none is given twice while the database is open: who works on a queue tells by the id
 * what it has sent. */
xmtp_status xmtp_intent_insert(xmtp_database *db, xmtp_intent_row *row)
{
    xmtp_query q = xmtp_query_start(
        db, "INSERT INTO intents(id, group_ref, kind, state, data, message_id, should_push,"
            " payload, payload_hash, staged, epoch, attempts, sequence)"
            " VALUES((SELECT max(?, coalesce(max(id), 0)) + 1 FROM intents),"
            " ?, ?, 1, ?, ?, ?, x'', x'', x'', 0, 0, 0)");
    xmtp_query_bind_u64(&q, (uint64_t)db->last_intent);
    xmtp_query_bind_u64(&q, (uint64_t)row->group_ref);
    xmtp_query_bind_u64(&q, row->kind);
    xmtp_query_bind_bytes(&q, row->data);
    xmtp_query_bind_bytes(&q, row->message_id);
    xmtp_query_bind_u64(&q, row->should_push);
    XMTP_TRY(xmtp_query_run(&q));
    row->state = XMTP_INTENT_TO_PUBLISH;
    row->id = xmtp_database_last_row(db);
    db->last_intent = row->id;
    return XMTP_OK;
}

/* Columns: id, group_ref, kind, state, data, message_id, should_push, payload_hash, epoch,
 * attempts, sequence. */
static xmtp_status read_short(const xmtp_query *q, xmtp_arena *arena, xmtp_intent_row *out)
{
    *out = (xmtp_intent_row){
        .id = (int64_t)xmtp_query_u64(q, 0),
        .group_ref = (int64_t)xmtp_query_u64(q, 1),
        .kind = (xmtp_intent_kind)xmtp_query_u64(q, 2),
        .state = (xmtp_intent_state)xmtp_query_u64(q, 3),
        .should_push = xmtp_query_u64(q, 6) != 0,
        .epoch = xmtp_query_u64(q, 8),
        .attempts = (uint32_t)xmtp_query_u64(q, 9),
        .sequence = xmtp_query_u64(q, 10),
    };
    XMTP_TRY(xmtp_query_bytes(q, 4, arena, &out->data));
    XMTP_TRY(xmtp_query_bytes(q, 5, arena, &out->message_id));
    return xmtp_query_bytes(q, 7, arena, &out->payload_hash);
}

#define SHORT_COLUMNS                                                                              \
    "id, group_ref, kind, state, data, message_id, should_push, payload_hash, epoch, attempts,"    \
    " sequence"

static xmtp_status read_full(xmtp_query *q, xmtp_arena *arena, xmtp_intent_row *out)
{
    XMTP_TRY(xmtp_query_one(q));
    XMTP_TRY(read_short(q, arena, out));
    XMTP_TRY(xmtp_query_bytes(q, 11, arena, &out->payload));
    return xmtp_query_bytes(q, 12, arena, &out->staged);
}

xmtp_status xmtp_intent_read(xmtp_database *db, int64_t id, xmtp_arena *arena, xmtp_intent_row *out)
{
    xmtp_query q = xmtp_query_start(db, "SELECT " SHORT_COLUMNS ", payload, staged"
                                        " FROM intents WHERE id = ?");
    xmtp_query_bind_u64(&q, (uint64_t)id);
    xmtp_status status = read_full(&q, arena, out);
    xmtp_query_end(&q);
    return status;
}

static xmtp_status count_rows(xmtp_query q, size_t *count)
{
    xmtp_status status = xmtp_query_one(&q);
    *count = status == XMTP_OK ? (size_t)xmtp_query_u64(&q, 0) : 0;
    xmtp_query_end(&q);
    return status;
}

xmtp_status xmtp_intent_list(xmtp_database *db, int64_t group_ref, size_t limit, xmtp_arena *arena,
                             xmtp_intent_rows *out)
{
    *out = (xmtp_intent_rows){0};
    xmtp_query count = xmtp_query_start(db, "SELECT count(*) FROM (SELECT 1 FROM intents WHERE"
                                            " group_ref = ? AND state > 0 LIMIT ?)");
    xmtp_query_bind_u64(&count, (uint64_t)group_ref);
    xmtp_query_bind_u64(&count, limit);
    size_t capacity;
    void *items;
    XMTP_TRY(count_rows(count, &capacity));
    if (capacity == 0) {
        return XMTP_OK; /* nearly always */
    }
    XMTP_TRY(xmtp_arena_take_array(arena, capacity, sizeof(*out->items), &items));
    out->items = items;
    xmtp_query q = xmtp_query_start(db, "SELECT " SHORT_COLUMNS " FROM intents"
                                        " WHERE group_ref = ? AND state > 0"
                                        " ORDER BY id LIMIT ?");
    xmtp_query_bind_u64(&q, (uint64_t)group_ref);
    xmtp_query_bind_u64(&q, capacity);
    bool has_row = false;
    xmtp_status status = xmtp_query_step(&q, &has_row);
    while (status == XMTP_OK && has_row) {
        status = read_short(&q, arena, &out->items[out->count]);
        if (status == XMTP_OK) {
            out->count++;
            status = xmtp_query_step(&q, &has_row);
        }
    }
    xmtp_query_end(&q);
    return status;
}

xmtp_status xmtp_intent_set_published(xmtp_database *db, const xmtp_intent_row *row)
{
    xmtp_query q = xmtp_query_start(db, "UPDATE intents SET state = 2, payload = ?,"
                                        " payload_hash = ?, staged = ?, epoch = ? WHERE id = ?");
    xmtp_query_bind_bytes(&q, row->payload);
    xmtp_query_bind_bytes(&q, row->payload_hash);
    xmtp_query_bind_bytes(&q, row->staged);
    xmtp_query_bind_u64(&q, row->epoch);
    xmtp_query_bind_u64(&q, (uint64_t)row->id);
    return xmtp_query_run(&q);
}

/* ---- parts of commits */

static xmtp_status part_put(xmtp_database *db, int64_t id, xmtp_commit_part part, xmtp_bytes bytes)
{
    if (bytes.n == 0) {
        return XMTP_OK;
    }
    xmtp_query q =
        xmtp_query_start(db, "INSERT INTO commit_parts(intent, part, bytes) VALUES(?, ?, ?)");
    xmtp_query_bind_u64(&q, (uint64_t)id);
    xmtp_query_bind_u64(&q, part);
    xmtp_query_bind_bytes(&q, bytes);
    return xmtp_query_run(&q);
}

/* Up to this one, not overwritten. */
static xmtp_status parts_delete(xmtp_database *db, int64_t id, xmtp_commit_part last)
{
    XMTP_TRY(xmtp_database_overwrites(db, false));
    xmtp_query q = xmtp_query_start(db, "DELETE FROM commit_parts WHERE intent = ? AND part <= ?");
    xmtp_query_bind_u64(&q, (uint64_t)id);
    xmtp_query_bind_u64(&q, last);
    xmtp_status status = xmtp_query_run(&q);
    xmtp_status after = xmtp_database_overwrites(db, true);
    return status == XMTP_OK ? after : status;
}

xmtp_status xmtp_commit_set_published(xmtp_database *db, const xmtp_intent_row *row,
                                      const xmtp_commit_parts *parts)
{
    XMTP_TRY(xmtp_intent_set_published(db, row));
    XMTP_TRY(parts_delete(db, row->id, XMTP_COMMIT_WELCOMES)); /* left behind by reset_group */
    XMTP_TRY(part_put(db, row->id, XMTP_COMMIT_MESSAGE, parts->message));
    XMTP_TRY(part_put(db, row->id, XMTP_COMMIT_CONTENT, parts->content));
    return part_put(db, row->id, XMTP_COMMIT_WELCOMES, parts->welcomes);
}

static xmtp_status one_bytes(xmtp_query *q, xmtp_arena *arena, xmtp_bytes *out)
{
    xmtp_status status = xmtp_query_one(q);
    if (status == XMTP_OK) {
        status = xmtp_query_bytes(q, 0, arena, out);
    }
    xmtp_query_end(q);
    return status;
}

xmtp_status xmtp_commit_part_read(xmtp_database *db, int64_t id, xmtp_commit_part part,
                                  xmtp_arena *arena, xmtp_bytes *out)
{
    xmtp_query q =
        xmtp_query_start(db, "SELECT bytes FROM commit_parts WHERE intent = ? AND part = ?");
    xmtp_query_bind_u64(&q, (uint64_t)id);
    xmtp_query_bind_u64(&q, part);
    return one_bytes(&q, arena, out);
}

xmtp_status xmtp_commit_delete(xmtp_database *db, int64_t id)
{
    XMTP_TRY(parts_delete(db, id, XMTP_COMMIT_WELCOMES));
    return xmtp_intent_delete(db, id);
}

static xmtp_status has_welcomes(xmtp_database *db, int64_t id, bool *out)
{
    size_t count;
    xmtp_query q =
        xmtp_query_start(db, "SELECT count(*) FROM commit_parts WHERE intent = ? AND part = ?");
    xmtp_query_bind_u64(&q, (uint64_t)id);
    xmtp_query_bind_u64(&q, XMTP_COMMIT_WELCOMES);
    XMTP_TRY(count_rows(q, &count));
    *out = count > 0;
    return XMTP_OK;
}

xmtp_status xmtp_commit_set_applied(xmtp_database *db, int64_t id, uint64_t sequence)
{
    bool goes_on;
    XMTP_TRY(has_welcomes(db, id, &goes_on));
    if (!goes_on) {
        return xmtp_commit_delete(db, id);
    }
    XMTP_TRY(parts_delete(db, id, XMTP_COMMIT_MESSAGE));
    xmtp_query q = xmtp_query_start(db, "UPDATE intents SET state = 3, staged = x'', sequence = ?"
                                        " WHERE id = ?");
    xmtp_query_bind_u64(&q, sequence);
    xmtp_query_bind_u64(&q, (uint64_t)id);
    return xmtp_query_run(&q);
}

/* ---- back and away */

#define FORGET_PAYLOAD "payload = x'', payload_hash = x'', staged = x''"

xmtp_status xmtp_intent_set_to_publish(xmtp_database *db, int64_t id)
{
    xmtp_query q =
        xmtp_query_start(db, "UPDATE intents SET state = 1, " FORGET_PAYLOAD " WHERE id = ?");
    xmtp_query_bind_u64(&q, (uint64_t)id);
    XMTP_TRY(xmtp_query_run(&q));
    return parts_delete(db, id, XMTP_COMMIT_WELCOMES);
}

xmtp_status xmtp_intent_set_attempts(xmtp_database *db, int64_t id, uint32_t attempts)
{
    xmtp_query q = xmtp_query_start(db, "UPDATE intents SET attempts = ? WHERE id = ?");
    xmtp_query_bind_u64(&q, attempts);
    xmtp_query_bind_u64(&q, (uint64_t)id);
    return xmtp_query_run(&q);
}

xmtp_status xmtp_intent_set_held(xmtp_database *db, int64_t id)
{
    xmtp_query q =
        xmtp_query_start(db, "UPDATE intents SET state = 0, " FORGET_PAYLOAD " WHERE id = ?");
    xmtp_query_bind_u64(&q, (uint64_t)id);
    return xmtp_query_run(&q);
}

static xmtp_status read_found(xmtp_query *q, xmtp_arena *arena, xmtp_intent_row *out)
{
    xmtp_status status = xmtp_query_one(q);
    if (status == XMTP_OK) {
        status = read_short(q, arena, out);
    }
    xmtp_query_end(q);
    return status;
}

xmtp_status xmtp_intent_find_held(xmtp_database *db, xmtp_bytes message_id, xmtp_arena *arena,
                                  xmtp_intent_row *out)
{
    xmtp_query q = xmtp_query_start(db, "SELECT " SHORT_COLUMNS
                                        " FROM intents WHERE message_id = ? AND state = 0");
    xmtp_query_bind_bytes(&q, message_id);
    return read_found(&q, arena, out);
}

xmtp_status xmtp_intent_find_rowless(xmtp_database *db, xmtp_arena *arena, xmtp_intent_row *out)
{
    xmtp_query q = xmtp_query_start(
        db, "SELECT " SHORT_COLUMNS " FROM intents WHERE state = 2 AND kind = 1"
            " AND NOT EXISTS (SELECT 1 FROM messages WHERE message_id = intents.message_id)"
            " ORDER BY id LIMIT 1");
    return read_found(&q, arena, out);
}

xmtp_status xmtp_intent_find_failed(xmtp_database *db, int64_t group_ref, xmtp_arena *arena,
                                    xmtp_intent_row *out)
{
    xmtp_query q = xmtp_query_start(
        db, "SELECT " SHORT_COLUMNS " FROM intents WHERE group_ref = ? AND state = 0"
            " AND message_id IN (SELECT message_id FROM messages WHERE delivery = 3)"
            " ORDER BY id LIMIT 1");
    xmtp_query_bind_u64(&q, (uint64_t)group_ref);
    return read_found(&q, arena, out);
}

xmtp_status xmtp_intent_delete(xmtp_database *db, int64_t id)
{
    xmtp_query q = xmtp_query_start(db, "DELETE FROM intents WHERE id = ?");
    xmtp_query_bind_u64(&q, (uint64_t)id);
    return xmtp_query_run(&q);
}

xmtp_status xmtp_intent_reset_group(xmtp_database *db, int64_t group_ref)
{
    xmtp_query q = xmtp_query_start(db, "UPDATE intents SET state = 1, " FORGET_PAYLOAD
                                        " WHERE group_ref = ? AND state = 2");
    xmtp_query_bind_u64(&q, (uint64_t)group_ref);
    return xmtp_query_run(&q);
}

xmtp_status xmtp_intent_groups(xmtp_database *db, xmtp_arena *arena, int64_t **refs, size_t *count)
{
    size_t capacity;
    void *items;
    *count = 0;
    XMTP_TRY(count_rows(
        xmtp_query_start(db, "SELECT count(DISTINCT group_ref) FROM intents WHERE state > 0"),
        &capacity));
    XMTP_TRY(xmtp_arena_take_array(arena, capacity, sizeof(**refs), &items));
    *refs = items;
    xmtp_query q = xmtp_query_start(db, "SELECT group_ref FROM intents WHERE state > 0"
                                        " GROUP BY group_ref ORDER BY min(id)");
    bool has_row = false;
    xmtp_status status = xmtp_query_step(&q, &has_row);
    while (status == XMTP_OK && has_row && *count < capacity) {
        (*refs)[(*count)++] = (int64_t)xmtp_query_u64(&q, 0);
        status = xmtp_query_step(&q, &has_row);
    }
    xmtp_query_end(&q);
    return status;
}
