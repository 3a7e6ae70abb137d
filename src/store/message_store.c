/* message_store.c - the table messages. Listings go page by page so that no statement stays open
 * while a caller looks at the rows. */
#include "store/message_store.h"

#include "base/bytes.h"
#include "base/status.h"
#include "store/group_store.h"
#include "store/message_row.h"

/* NULL without one: the index of references holds only those that there are. */
static void bind_reference(xmtp_query *q, xmtp_bytes reference)
{
    if (reference.n == 0) {
        xmtp_query_bind_text(q, NULL);
    } else {
        xmtp_query_bind_bytes(q, reference);
    }
}

xmtp_status xmtp_message_insert(xmtp_database *db, const xmtp_message_row *row, bool *is_new)
{
    xmtp_query q = xmtp_query_start(
        db,
        "INSERT OR IGNORE INTO messages(message_id, group_ref, kind, delivery, sender_inbox,"
        " sender_installation, sent_ns, sequence, content, inserted_ns, expire_ns, content_type,"
        " reference, should_push) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    xmtp_query_bind_bytes(&q, row->message_id);
    xmtp_query_bind_u64(&q, (uint64_t)row->group_ref);
    xmtp_query_bind_u64(&q, row->kind);
    xmtp_query_bind_u64(&q, row->delivery);
    xmtp_query_bind_text(&q, row->sender_inbox);
    xmtp_query_bind_bytes(&q, row->sender_installation);
    xmtp_query_bind_u64(&q, row->sent_ns);
    xmtp_query_bind_u64(&q, row->sequence);
    xmtp_query_bind_bytes(&q, row->content);
    xmtp_query_bind_u64(&q, row->inserted_ns);
    xmtp_query_bind_u64(&q, row->expire_ns);
    xmtp_query_bind_u64(&q, row->content_type);
    bind_reference(&q, row->reference);
    xmtp_query_bind_u64(&q, row->should_push);
    XMTP_TRY(xmtp_query_run(&q));
    *is_new = xmtp_database_changes(db) == 1;
    return *is_new ? xmtp_group_row_set_last_message(db, row->group_ref, row->sent_ns) : XMTP_OK;
}

xmtp_status xmtp_message_is_there(xmtp_database *db, xmtp_bytes message_id, bool *out)
{
    xmtp_query q = xmtp_query_start(db, "SELECT 1 FROM messages WHERE message_id = ?");
    xmtp_query_bind_bytes(&q, message_id);
    const xmtp_status status = xmtp_query_one(&q);
    *out = status == XMTP_OK;
    xmtp_query_end(&q);
    return status == XMTP_E_NOT_FOUND ? XMTP_OK : status;
}

static xmtp_status find_unpublished(xmtp_database *db, xmtp_bytes message_id, int64_t *row,
                                    uint32_t *content_type)
{
    xmtp_query q = xmtp_query_start(db, "SELECT id, content_type FROM messages WHERE message_id = ?"
                                        " AND delivery <> 2");
    xmtp_query_bind_bytes(&q, message_id);
    xmtp_status status = xmtp_query_one(&q);
    if (status == XMTP_OK) {
        *row = (int64_t)xmtp_query_u64(&q, 0);
        *content_type = (uint32_t)xmtp_query_u64(&q, 1);
    }
    xmtp_query_end(&q);
    return status;
}

xmtp_status xmtp_message_set_published(xmtp_database *db, xmtp_bytes message_id, uint64_t sent_ns,
                                       uint64_t sequence, uint64_t expire_ns,
                                       uint32_t *content_type)
{
    int64_t row;
    *content_type = 0;
    xmtp_status status = find_unpublished(db, message_id, &row, content_type);
    if (status != XMTP_OK) {
        return status == XMTP_E_NOT_FOUND ? XMTP_OK : status;
    }
    xmtp_query q = xmtp_query_start(db, "UPDATE messages SET delivery = 2, sent_ns = ?,"
                                        " sequence = ?, expire_ns = ? WHERE id = ?");
    xmtp_query_bind_u64(&q, sent_ns);
    xmtp_query_bind_u64(&q, sequence);
    xmtp_query_bind_u64(&q, expire_ns);
    xmtp_query_bind_u64(&q, (uint64_t)row);
    return xmtp_query_run(&q);
}

xmtp_status xmtp_message_set_unpublished(xmtp_database *db, xmtp_bytes message_id)
{
    xmtp_query q = xmtp_query_start(db, "UPDATE messages SET delivery = 1 WHERE message_id = ?");
    xmtp_query_bind_bytes(&q, message_id);
    return xmtp_query_run(&q);
}

xmtp_status xmtp_message_set_failed(xmtp_database *db, xmtp_bytes message_id)
{
    xmtp_query q = xmtp_query_start(db, "UPDATE messages SET delivery = 3 WHERE message_id = ?");
    xmtp_query_bind_bytes(&q, message_id);
    return xmtp_query_run(&q);
}

xmtp_status xmtp_message_delete(xmtp_database *db, xmtp_bytes message_id)
{
    xmtp_query q = xmtp_query_start(db, "DELETE FROM messages WHERE message_id = ?");
    xmtp_query_bind_bytes(&q, message_id);
    return xmtp_query_run(&q);
}

static xmtp_status count_expired(xmtp_database *db, uint64_t now_ns, size_t *count)
{
    xmtp_query q = xmtp_query_start(
        db, "SELECT count(*) FROM messages WHERE expire_ns > 0 AND expire_ns <= ?");
    xmtp_query_bind_u64(&q, now_ns);
    xmtp_status status = xmtp_query_one(&q);
    *count = status == XMTP_OK ? (size_t)xmtp_query_u64(&q, 0) : 0;
    xmtp_query_end(&q);
    return status;
}

xmtp_status xmtp_message_expired(xmtp_database *db, uint64_t now_ns, xmtp_arena *arena,
                                 xmtp_message_name **names, size_t *count)
{
    size_t capacity;
    void *items;
    *count = 0;
    XMTP_TRY(count_expired(db, now_ns, &capacity));
    XMTP_TRY(xmtp_arena_take_array(arena, capacity, sizeof(**names), &items));
    *names = items;
    xmtp_query q =
        xmtp_query_start(db, "SELECT m.message_id, g.group_id FROM messages AS m JOIN groups AS g"
                             " ON g.id = m.group_ref WHERE m.expire_ns > 0 AND m.expire_ns <= ?"
                             " ORDER BY m.expire_ns");
    xmtp_query_bind_u64(&q, now_ns);
    bool has_row = false;
    xmtp_status status = xmtp_query_step(&q, &has_row);
    while (status == XMTP_OK && has_row && *count < capacity) {
        status = xmtp_query_bytes(&q, 0, arena, &(*names)[*count].message_id);
        if (status == XMTP_OK) {
            status = xmtp_query_bytes(&q, 1, arena, &(*names)[*count].group_id);
        }
        if (status == XMTP_OK) {
            (*count)++;
            status = xmtp_query_step(&q, &has_row);
        }
    }
    xmtp_query_end(&q);
    return status;
}

xmtp_status xmtp_message_next_expiry(xmtp_database *db, uint64_t *expire_ns)
{
    xmtp_query q = xmtp_query_start(db, "SELECT expire_ns FROM messages WHERE expire_ns > 0"
                                        " ORDER BY expire_ns LIMIT 1");
    xmtp_status status = xmtp_query_one(&q);
    *expire_ns = status == XMTP_OK ? xmtp_query_u64(&q, 0) : UINT64_MAX;
    xmtp_query_end(&q);
    return status == XMTP_E_NOT_FOUND ? XMTP_OK : status;
}

xmtp_status xmtp_message_read_row(const xmtp_query *q, xmtp_arena *arena, xmtp_message_row *out)
{
    *out = (xmtp_message_row){
        .row = (int64_t)xmtp_query_u64(q, 0),
        .group_ref = (int64_t)xmtp_query_u64(q, 2),
        .kind = (uint32_t)xmtp_query_u64(q, 3),
        .delivery = (uint32_t)xmtp_query_u64(q, 4),
        .sent_ns = xmtp_query_u64(q, 7),
        .sequence = xmtp_query_u64(q, 8),
        .group_kind = (uint32_t)xmtp_query_u64(q, 11),
        .inserted_ns = xmtp_query_u64(q, 13),
        .expire_ns = xmtp_query_u64(q, 14),
        .content_type = (uint32_t)xmtp_query_u64(q, 15),
        .should_push = xmtp_query_u64(q, 17) != 0,
    };
    XMTP_TRY(xmtp_query_bytes(q, 1, arena, &out->message_id));
    XMTP_TRY(xmtp_query_string(q, 5, arena, &out->sender_inbox));
    XMTP_TRY(xmtp_query_bytes(q, 6, arena, &out->sender_installation));
    XMTP_TRY(xmtp_query_bytes(q, 9, arena, &out->content));
    XMTP_TRY(xmtp_query_bytes(q, 10, arena, &out->group_id));
    XMTP_TRY(xmtp_query_string(q, 12, arena, &out->sender_address));
    return xmtp_query_bytes(q, 16, arena, &out->reference);
}

xmtp_status xmtp_message_read_rows(xmtp_query *q, xmtp_arena *arena, size_t limit,
                                   xmtp_message_row *rows, size_t *count)
{
    *count = 0;
    bool has_row = false;
    xmtp_status status = xmtp_query_step(q, &has_row);
    while (status == XMTP_OK && has_row && *count < limit) {
        status = xmtp_message_read_row(q, arena, &rows[*count]);
        if (status == XMTP_OK) {
            (*count)++;
            status = xmtp_query_step(q, &has_row);
        }
    }
    xmtp_query_end(q);
    return status;
}

xmtp_status xmtp_message_find(xmtp_database *db, xmtp_bytes message_id, xmtp_arena *arena,
                              xmtp_message_row *out)
{
    xmtp_query q = xmtp_query_start(db, MESSAGE_SELECT " WHERE m.message_id = ?");
    xmtp_query_bind_bytes(&q, message_id);
    xmtp_status status = xmtp_query_one(&q);
    if (status == XMTP_OK) {
        status = xmtp_message_read_row(&q, arena, out);
    }
    xmtp_query_end(&q);
    return status;
}

xmtp_status xmtp_message_dm_has_change(xmtp_database *db, const char *dm_id, xmtp_bytes content,
                                       bool *out)
{
    xmtp_query q =
        xmtp_query_start(db, "SELECT 1 FROM groups AS g JOIN messages AS m ON m.group_ref = g.id"
                             " WHERE g.dm_id = ? AND m.kind = 2 AND m.content = ? LIMIT 1");
    xmtp_query_bind_text(&q, dm_id);
    xmtp_query_bind_bytes(&q, content);
    xmtp_status status = xmtp_query_one(&q);
    *out = status == XMTP_OK;
    xmtp_query_end(&q);
    return status == XMTP_E_NOT_FOUND ? XMTP_OK : status;
}

xmtp_status xmtp_message_unclassified(xmtp_database *db, xmtp_arena *arena, int64_t *row,
                                      xmtp_bytes *content)
{
    xmtp_query q =
        xmtp_query_start(db, "SELECT id, content FROM messages WHERE content_type < 0 LIMIT 1");
    xmtp_status status = xmtp_query_one(&q);
    if (status == XMTP_OK) {
        *row = (int64_t)xmtp_query_u64(&q, 0);
        status = xmtp_query_bytes(&q, 1, arena, content);
    }
    xmtp_query_end(&q);
    return status;
}

xmtp_status xmtp_message_set_type(xmtp_database *db, int64_t row, uint32_t content_type,
                                  xmtp_bytes reference)
{
    xmtp_query q =
        xmtp_query_start(db, "UPDATE messages SET content_type = ?, reference = ? WHERE id = ?");
    xmtp_query_bind_u64(&q, content_type);
    bind_reference(&q, reference);
    xmtp_query_bind_u64(&q, (uint64_t)row);
    return xmtp_query_run(&q);
}

/* ---- listings */

#define ONE_GROUP " WHERE m.group_ref = ?1"
#define ONE_DM    " WHERE m.group_ref IN (SELECT id FROM groups WHERE dm_id = ?1)"
#define EVERY     " WHERE ?1 = 0 AND g.kind IN (1, 2)"

/* The plus signs keep the planner from taking a bound for the way through an index: that is the
 * position's part. */
#define FILTER                                                                                     \
    " AND g.stage = 2 AND (?2 = 0 OR +m.sent_ns > ?2) AND +m.sent_ns < ?3"                         \
    " AND (?4 = 0 OR +m.inserted_ns > ?4) AND +m.inserted_ns < ?5"                                 \
    " AND (?6 = 0 OR +m.kind = ?6) AND (?7 = 0 OR +m.delivery = ?7)"                               \
    " AND (?8 >> m.content_type) & 1 = 1"                                                          \
    " AND (?9 = '' OR instr(?9, m.sender_inbox) > 0) AND instr(?10, m.sender_inbox) = 0"           \
    " AND (m.expire_ns = 0 OR +m.expire_ns > ?11)"
#define FORWARD                                                                                    \
    FILTER " AND (m.sent_ns, m.sequence, m.id) > (?12, ?13, ?14)"                                  \
           " ORDER BY m.sent_ns, m.sequence, m.id LIMIT ?15"
#define BACKWARD                                                                                   \
    FILTER " AND (m.sent_ns, m.sequence, m.id) < (?12, ?13, ?14)"                                  \
           " ORDER BY m.sent_ns DESC, m.sequence DESC, m.id DESC LIMIT ?15"
#define ARRIVAL          FILTER " AND m.id > ?12 ORDER BY m.id LIMIT ?13"
#define ARRIVAL_BACKWARD FILTER " AND m.id < ?12 ORDER BY m.id DESC LIMIT ?13"
#define COUNT            "SELECT count(*) FROM messages AS m JOIN groups AS g ON g.id = m.group_ref"

#define LISTINGS(of)                                                                               \
    {                                                                                              \
        MESSAGE_SELECT of FORWARD, MESSAGE_SELECT of BACKWARD, MESSAGE_SELECT of ARRIVAL,          \
            MESSAGE_SELECT of ARRIVAL_BACKWARD                                                     \
    }

static const char *const listings[3][4] = {LISTINGS(ONE_GROUP), LISTINGS(ONE_DM), LISTINGS(EVERY)};
static const char *const counts[3] = {COUNT ONE_GROUP FILTER, COUNT ONE_DM FILTER,
                                      COUNT EVERY FILTER};

xmtp_message_filter xmtp_message_filter_all(uint64_t now_ns)
{
    return (xmtp_message_filter){
        .sent_before_ns = INT64_MAX,
        .inserted_before_ns = INT64_MAX,
        .content_types = INT64_MAX,
        .senders = "",
        .senders_left_out = "",
        .now_ns = now_ns,
    };
}

static size_t which(const xmtp_message_filter *filter)
{
    return filter->dm_id != NULL ? 1 : filter->group_ref != 0 ? 0 : 2;
}

static void bind_filter(xmtp_query *q, const xmtp_message_filter *filter)
{
    if (filter->dm_id != NULL) {
        xmtp_query_bind_text(q, filter->dm_id);
    } else {
        xmtp_query_bind_u64(q, (uint64_t)filter->group_ref);
    }
    xmtp_query_bind_u64(q, filter->sent_after_ns);
    xmtp_query_bind_u64(q, filter->sent_before_ns);
    xmtp_query_bind_u64(q, filter->inserted_after_ns);
    xmtp_query_bind_u64(q, filter->inserted_before_ns);
    xmtp_query_bind_u64(q, filter->kind);
    xmtp_query_bind_u64(q, filter->delivery);
    xmtp_query_bind_u64(q, filter->content_types);
    xmtp_query_bind_text(q, filter->senders);
    xmtp_query_bind_text(q, filter->senders_left_out);
    xmtp_query_bind_u64(q, filter->now_ns);
}

xmtp_status xmtp_message_count(xmtp_database *db, const xmtp_message_filter *filter,
                               uint64_t *count)
{
    xmtp_query q = xmtp_query_start(db, counts[which(filter)]);
    bind_filter(&q, filter);
    xmtp_status status = xmtp_query_one(&q);
    *count = status == XMTP_OK ? xmtp_query_u64(&q, 0) : 0;
    xmtp_query_end(&q);
    return status;
}

void xmtp_message_page_start(xmtp_message_page *page)
{
    page->sent_ns = page->newest_first ? INT64_MAX : 0;
    page->sequence = page->newest_first ? INT64_MAX : 0;
    page->row = page->newest_first ? INT64_MAX : 0;
}

static xmtp_query start_page(xmtp_database *db, const xmtp_message_page *page)
{
    size_t order = (page->by_arrival ? 2u : 0u) + (page->newest_first ? 1u : 0u);
    xmtp_query q = xmtp_query_start(db, listings[which(&page->filter)][order]);
    bind_filter(&q, &page->filter);
    if (!page->by_arrival) {
        xmtp_query_bind_u64(&q, page->sent_ns);
        xmtp_query_bind_u64(&q, page->sequence);
    }
    xmtp_query_bind_u64(&q, (uint64_t)page->row);
    xmtp_query_bind_u64(&q, page->limit);
    return q;
}

xmtp_status xmtp_message_page_next(xmtp_database *db, xmtp_message_page *page, xmtp_arena *arena,
                                   xmtp_message_row *rows, size_t *count)
{
    xmtp_query q = start_page(db, page);
    XMTP_TRY(xmtp_message_read_rows(&q, arena, page->limit, rows, count));
    if (*count > 0) {
        const xmtp_message_row *last = &rows[*count - 1];
        page->sent_ns = last->sent_ns;
        page->sequence = last->sequence;
        page->row = last->row;
    }
    return XMTP_OK;
}
