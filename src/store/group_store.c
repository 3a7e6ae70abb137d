/* group_store.c - the tables groups and mls_records. */
#include "store/group_store.h"

#include "base/bytes.h"
#include "base/status.h"
#include "store/query.h"

#define CONSENT                                                                                    \
    "(SELECT c.state FROM consent AS c WHERE entity_type = 1 AND entity = lower(hex(group_id)))"

#define GROUP_COLUMNS                                                                              \
    "id, group_id, kind, stage, created_ns, last_message_ns, name, peer_inbox, dm_id, added_by,"   \
    " welcome_id, epoch, member_count, is_active, paused_for, checked_ns, rotated_ns, cursor,"     \
    " is_forked, state, fork_details, commit_cursor, " CONSENT

static xmtp_status read_row(const xmtp_query *q, xmtp_arena *arena, xmtp_group_row *out)
{
    *out = (xmtp_group_row){
        .ref = (int64_t)xmtp_query_u64(q, 0),
        .kind = (uint32_t)xmtp_query_u64(q, 2),
        .stage = (xmtp_group_stage)xmtp_query_u64(q, 3),
        .created_ns = xmtp_query_u64(q, 4),
        .last_message_ns = xmtp_query_u64(q, 5),
        .welcome_id = xmtp_query_u64(q, 10),
        .epoch = xmtp_query_u64(q, 11),
        .member_count = (uint32_t)xmtp_query_u64(q, 12),
        .is_active = xmtp_query_u64(q, 13) != 0,
        .checked_ns = xmtp_query_u64(q, 15),
        .rotated_ns = xmtp_query_u64(q, 16),
        .cursor = xmtp_query_u64(q, 17),
        .is_forked = xmtp_query_u64(q, 18) != 0,
        .state = (uint32_t)xmtp_query_u64(q, 19),
        .commit_cursor = xmtp_query_u64(q, 21),
        .consent = (uint32_t)xmtp_query_u64(q, 22),
    };
    XMTP_TRY(xmtp_query_bytes(q, 1, arena, &out->group_id));
    XMTP_TRY(xmtp_query_string(q, 6, arena, &out->name));
    XMTP_TRY(xmtp_query_string(q, 7, arena, &out->peer_inbox));
    XMTP_TRY(xmtp_query_string(q, 8, arena, &out->dm_id));
    XMTP_TRY(xmtp_query_string(q, 9, arena, &out->added_by));
    XMTP_TRY(xmtp_query_string(q, 14, arena, &out->paused_for));
    return xmtp_query_string(q, 20, arena, &out->fork_details);
}

/* The columns that insert and update share, in the order of their SQL. */
static void bind_changeable(xmtp_query *q, const xmtp_group_row *row)
{
    bool has_dm_id = row->dm_id != NULL && row->dm_id[0] != '\0';
    xmtp_query_bind_u64(q, row->kind);
    xmtp_query_bind_u64(q, row->stage);
    xmtp_query_bind_text(q, row->name == NULL ? "" : row->name);
    xmtp_query_bind_text(q, row->peer_inbox == NULL ? "" : row->peer_inbox);
    xmtp_query_bind_text(q, has_dm_id ? row->dm_id : NULL);
    xmtp_query_bind_text(q, row->added_by == NULL ? "" : row->added_by);
    xmtp_query_bind_u64(q, row->welcome_id);
    xmtp_query_bind_u64(q, row->epoch);
    xmtp_query_bind_u64(q, row->member_count);
    xmtp_query_bind_u64(q, row->is_active);
    xmtp_query_bind_text(q, row->paused_for == NULL ? "" : row->paused_for);
    xmtp_query_bind_u64(q, row->checked_ns);
    xmtp_query_bind_u64(q, row->rotated_ns);
    xmtp_query_bind_u64(q, row->cursor);
    xmtp_query_bind_u64(q, row->is_forked);
    xmtp_query_bind_u64(q, row->state);
    xmtp_query_bind_text(q, row->fork_details == NULL ? "" : row->fork_details);
    xmtp_query_bind_u64(q, row->commit_cursor);
}

xmtp_status xmtp_group_row_insert(xmtp_database *db, xmtp_group_row *row)
{
    xmtp_query q = xmtp_query_start(
        db, "INSERT OR IGNORE INTO groups(kind, stage, name, peer_inbox, dm_id, added_by,"
            " welcome_id, epoch, member_count, is_active, paused_for, checked_ns, rotated_ns,"
            " cursor, is_forked, state, fork_details, commit_cursor, group_id, created_ns,"
            " last_message_ns)"
            " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    bind_changeable(&q, row);
    xmtp_query_bind_bytes(&q, row->group_id);
    xmtp_query_bind_u64(&q, row->created_ns);
    xmtp_query_bind_u64(&q, row->last_message_ns);
    XMTP_TRY(xmtp_query_run(&q));
    XMTP_ENSURE(xmtp_database_changes(db) == 1, XMTP_E_EXISTS);
    row->ref = xmtp_database_last_row(db);
    return XMTP_OK;
}

static xmtp_status read_one(xmtp_query *q, xmtp_arena *arena, xmtp_group_row *out)
{
    xmtp_status status = xmtp_query_one(q);
    if (status == XMTP_OK) {
        status = read_row(q, arena, out);
    }
    xmtp_query_end(q);
    return status;
}

xmtp_status xmtp_group_row_find(xmtp_database *db, xmtp_bytes group_id, xmtp_arena *arena,
                                xmtp_group_row *out)
{
    xmtp_query q = xmtp_query_start(db, "SELECT " GROUP_COLUMNS " FROM groups WHERE group_id = ?");
    xmtp_query_bind_bytes(&q, group_id);
    return read_one(&q, arena, out);
}

xmtp_status xmtp_group_row_read(xmtp_database *db, int64_t ref, xmtp_arena *arena,
                                xmtp_group_row *out)
{
    xmtp_query q = xmtp_query_start(db, "SELECT " GROUP_COLUMNS " FROM groups WHERE id = ?");
    xmtp_query_bind_u64(&q, (uint64_t)ref);
    return read_one(&q, arena, out);
}

xmtp_status xmtp_group_row_update(xmtp_database *db, const xmtp_group_row *row)
{
    xmtp_query q = xmtp_query_start(
        db, "UPDATE groups SET kind = ?, stage = ?, name = ?, peer_inbox = ?, dm_id = ?,"
            " added_by = ?, welcome_id = ?, epoch = ?, member_count = ?, is_active = ?,"
            " paused_for = ?, checked_ns = ?, rotated_ns = ?, cursor = ?, is_forked = ?,"
            " state = ?, fork_details = ?, commit_cursor = ? WHERE id = ?");
    bind_changeable(&q, row);
    xmtp_query_bind_u64(&q, (uint64_t)row->ref);
    return xmtp_query_run(&q);
}

static xmtp_status set_number(xmtp_query q, int64_t ref, uint64_t value)
{
    xmtp_query_bind_u64(&q, value);
    xmtp_query_bind_u64(&q, (uint64_t)ref);
    return xmtp_query_run(&q);
}

xmtp_status xmtp_group_row_set_cursor(xmtp_database *db, int64_t ref, uint64_t cursor)
{
    return set_number(xmtp_query_start(db, "UPDATE groups SET cursor = ? WHERE id = ?"), ref,
                      cursor);
}

xmtp_status xmtp_group_row_set_checked(xmtp_database *db, int64_t ref, uint64_t checked_ns)
{
    return set_number(xmtp_query_start(db, "UPDATE groups SET checked_ns = ? WHERE id = ?"), ref,
                      checked_ns);
}

xmtp_status xmtp_group_row_set_last_message(xmtp_database *db, int64_t ref, uint64_t sent_ns)
{
    return set_number(xmtp_query_start(db, "UPDATE groups SET last_message_ns ="
                                           " max(last_message_ns, ?) WHERE id = ?"),
                      ref, sent_ns);
}

xmtp_status xmtp_group_row_delete(xmtp_database *db, int64_t ref)
{
    xmtp_query q = xmtp_query_start(db, "DELETE FROM groups WHERE id = ?");
    xmtp_query_bind_u64(&q, (uint64_t)ref);
    return xmtp_query_run(&q);
}

xmtp_status xmtp_group_row_delete_unfinished(xmtp_database *db)
{
    xmtp_query q = xmtp_query_start(db, "DELETE FROM groups WHERE stage = ?");
    xmtp_query_bind_u64(&q, XMTP_GROUP_CREATING);
    return xmtp_query_run(&q);
}

static xmtp_status count_groups(xmtp_database *db, size_t *count)
{
    xmtp_query q = xmtp_query_start(db, "SELECT count(*) FROM groups");
    xmtp_status status = xmtp_query_one(&q);
    *count = status == XMTP_OK ? (size_t)xmtp_query_u64(&q, 0) : 0;
    xmtp_query_end(&q);
    return status;
}

static xmtp_status read_position(const xmtp_query *q, xmtp_arena *arena, xmtp_group_position *out)
{
    *out = (xmtp_group_position){
        .ref = (int64_t)xmtp_query_u64(q, 0),
        .kind = (uint32_t)xmtp_query_u64(q, 2),
        .state = (uint32_t)xmtp_query_u64(q, 3),
        .is_active = xmtp_query_u64(q, 4) != 0,
        .is_paused = xmtp_query_u64(q, 5) != 0,
        .cursor = xmtp_query_u64(q, 6),
        .welcome_id = xmtp_query_u64(q, 7),
        .checked_ns = xmtp_query_u64(q, 8),
        .newest_ns = xmtp_query_u64(q, 9),
        .consent = (uint32_t)xmtp_query_u64(q, 10),
    };
    return xmtp_query_bytes(q, 1, arena, &out->group_id);
}

xmtp_status xmtp_group_position_list(xmtp_database *db, xmtp_arena *arena,
                                     xmtp_group_positions *out)
{
    size_t capacity;
    void *items;
    bool has_row = false;
    *out = (xmtp_group_positions){0};
    XMTP_TRY(count_groups(db, &capacity));
    XMTP_TRY(xmtp_arena_take_array(arena, capacity, sizeof(*out->items), &items));
    out->items = items;
    xmtp_query q = xmtp_query_start(
        db, "SELECT id, group_id, kind, state, is_active, paused_for <> '', cursor, welcome_id,"
            " checked_ns, iif(last_message_ns > 0, last_message_ns, created_ns), " CONSENT
            " FROM groups WHERE stage = 2");
    xmtp_status status = xmtp_query_step(&q, &has_row);
    while (status == XMTP_OK && has_row && out->count < capacity) {
        status = read_position(&q, arena, &out->items[out->count]);
        if (status == XMTP_OK) {
            out->count++;
            status = xmtp_query_step(&q, &has_row);
        }
    }
    xmtp_query_end(&q);
    return status;
}

/* Ends the query. */
static xmtp_status read_all(xmtp_query *q, xmtp_arena *arena, size_t capacity, xmtp_group_rows *out)
{
    void *items = NULL;
    bool has_row = false;
    xmtp_status status = xmtp_arena_take_array(arena, capacity, sizeof(*out->items), &items);
    out->items = items;
    out->count = 0;
    if (status == XMTP_OK) {
        status = xmtp_query_step(q, &has_row);
    }
    while (status == XMTP_OK && has_row && out->count < capacity) {
        status = read_row(q, arena, &out->items[out->count]);
        if (status == XMTP_OK) {
            out->count++;
            status = xmtp_query_step(q, &has_row);
        }
    }
    xmtp_query_end(q);
    return status;
}

#define NEWEST_FIRST                                                                               \
    " ORDER BY iif(last_message_ns > 0, last_message_ns, created_ns) DESC, created_ns DESC,"       \
    " group_id DESC"

xmtp_status xmtp_group_row_list(xmtp_database *db, bool with_duplicates, xmtp_arena *arena,
                                xmtp_group_rows *out)
{
    *out = (xmtp_group_rows){0};
    size_t capacity;
    XMTP_TRY(count_groups(db, &capacity));
    static const char all[] = "SELECT " GROUP_COLUMNS " FROM groups WHERE stage = 2" NEWEST_FIRST;
    static const char distinct[] =
        "SELECT " GROUP_COLUMNS " FROM groups AS g WHERE stage = 2 AND (dm_id IS NULL OR NOT"
        " EXISTS(SELECT 1 FROM groups AS other WHERE other.dm_id = g.dm_id AND other.stage = 2 AND"
        " (other.state <> 4, other.last_message_ns, other.group_id) >"
        " (g.state <> 4, g.last_message_ns, g.group_id)))" NEWEST_FIRST;
    xmtp_query q = xmtp_query_start(db, with_duplicates ? all : distinct);
    return read_all(&q, arena, capacity, out);
}

xmtp_status xmtp_group_row_page(xmtp_database *db, int64_t after_ref, size_t limit,
                                xmtp_arena *arena, xmtp_group_rows *out)
{
    xmtp_query q = xmtp_query_start(db, "SELECT " GROUP_COLUMNS " FROM groups WHERE id > ?"
                                        " AND stage = 2 AND kind IN (1, 2) ORDER BY id LIMIT ?");
    xmtp_query_bind_u64(&q, (uint64_t)after_ref);
    xmtp_query_bind_u64(&q, limit);
    return read_all(&q, arena, limit, out);
}

#define BEST_OF_DM " ORDER BY state = 4, last_message_ns DESC, group_id DESC"
#define OF_DM      "SELECT " GROUP_COLUMNS " FROM groups WHERE dm_id = ? AND stage = 2" BEST_OF_DM

xmtp_status xmtp_group_row_list_dm(xmtp_database *db, const char *dm_id, xmtp_arena *arena,
                                   xmtp_group_rows *out)
{
    size_t capacity;
    *out = (xmtp_group_rows){0};
    XMTP_TRY(count_groups(db, &capacity));
    xmtp_query q = xmtp_query_start(db, OF_DM);
    xmtp_query_bind_text(&q, dm_id);
    return read_all(&q, arena, capacity, out);
}

xmtp_status xmtp_group_row_find_dm(xmtp_database *db, const char *dm_id, xmtp_arena *arena,
                                   xmtp_group_row *out)
{
    xmtp_query q = xmtp_query_start(db, OF_DM " LIMIT 1");
    xmtp_query_bind_text(&q, dm_id);
    return read_one(&q, arena, out);
}

/* The number that the query gives for this id. */
static xmtp_status read_ref(xmtp_query *q, xmtp_bytes group_id, int64_t *ref)
{
    xmtp_query_bind_bytes(q, group_id);
    xmtp_status status = xmtp_query_one(q);
    *ref = status == XMTP_OK ? (int64_t)xmtp_query_u64(q, 0) : 0;
    xmtp_query_end(q);
    return status;
}

xmtp_status xmtp_group_ref_exact(xmtp_database *db, xmtp_bytes group_id, int64_t *ref)
{
    xmtp_query q = xmtp_query_start(db, "SELECT id FROM groups WHERE group_id = ?");
    return read_ref(&q, group_id, ref);
}

xmtp_status xmtp_group_ref_find(xmtp_database *db, xmtp_bytes group_id, int64_t *ref)
{
    xmtp_query q = xmtp_query_start(
        db, "SELECT coalesce((SELECT id FROM groups WHERE dm_id = g.dm_id AND stage = 2"
            " AND g.stage = 2 AND dm_id <> ''" BEST_OF_DM " LIMIT 1), g.id)"
            " FROM groups AS g WHERE group_id = ? AND kind <> 3");
    return read_ref(&q, group_id, ref);
}

/* ---- records of MLS groups */

xmtp_status xmtp_record_put(xmtp_database *db, int64_t ref, xmtp_bytes key, xmtp_bytes value)
{
    xmtp_query q = xmtp_query_start(db, "INSERT INTO mls_records(group_ref, key, value)"
                                        " VALUES(?, ?, ?) ON CONFLICT(group_ref, key)"
                                        " DO UPDATE SET value = excluded.value");
    xmtp_query_bind_u64(&q, (uint64_t)ref);
    xmtp_query_bind_bytes(&q, key);
    xmtp_query_bind_bytes(&q, value);
    return xmtp_query_run(&q);
}

xmtp_status xmtp_record_delete(xmtp_database *db, int64_t ref, xmtp_bytes key)
{
    xmtp_query q = xmtp_query_start(db, "DELETE FROM mls_records WHERE group_ref = ? AND key = ?");
    xmtp_query_bind_u64(&q, (uint64_t)ref);
    xmtp_query_bind_bytes(&q, key);
    return xmtp_query_run(&q);
}

xmtp_status xmtp_record_delete_all(xmtp_database *db, int64_t ref)
{
    xmtp_query q = xmtp_query_start(db, "DELETE FROM mls_records WHERE group_ref = ?");
    xmtp_query_bind_u64(&q, (uint64_t)ref);
    return xmtp_query_run(&q);
}

static bool has_prefix(xmtp_bytes key, xmtp_bytes prefix)
{
    return key.n >= prefix.n && xmtp_bytes_equal(xmtp_bytes_of(key.p, prefix.n), prefix);
}

xmtp_status xmtp_record_each(xmtp_database *db, int64_t ref, xmtp_bytes prefix, void *visitor,
                             xmtp_status (*visit)(void *visitor, xmtp_bytes key, xmtp_bytes value))
{
    /* Keys with a prefix are neighbours in the order of the primary key: start there, stop behind.
     */
    xmtp_query q = xmtp_query_start(db, "SELECT key, value FROM mls_records WHERE group_ref = ?"
                                        " AND key >= ? ORDER BY key");
    xmtp_query_bind_u64(&q, (uint64_t)ref);
    xmtp_query_bind_bytes(&q, prefix);
    bool has_row = false;
    xmtp_status status = xmtp_query_step(&q, &has_row);
    while (status == XMTP_OK && has_row && has_prefix(xmtp_query_view(&q, 0), prefix)) {
        status = visit(visitor, xmtp_query_view(&q, 0), xmtp_query_view(&q, 1));
        if (status == XMTP_OK) {
            status = xmtp_query_step(&q, &has_row);
        }
    }
    xmtp_query_end(&q);
    return status;
}
