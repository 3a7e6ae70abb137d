/* index_read.c - pages of a topic, and the walks with which the tables in memory are filled.
 *
 * A page is a cursor set beside the wanted id and moved forwards or backwards while the key still
 * begins with the topic. Keys of one topic lie together, ascending by id.
 */
#include "base/reader.h"
#include "base/status.h"
#include "node/index_internal.h"

#include <string.h>

typedef struct walk {
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
} walk;

static xmtp_status walk_open(walk *w, xmtp_node_index *index)
{
    XMTP_TRY(xmtp_node_index_status(mdb_txn_begin(index->mdb, NULL, MDB_RDONLY, &w->txn)));
    xmtp_status status = xmtp_node_index_status(mdb_cursor_open(w->txn, index->dbi, &w->cursor));
    if (status != XMTP_OK) {
        mdb_txn_abort(w->txn);
    }
    return status;
}

static void walk_close(walk *w)
{
    mdb_cursor_close(w->cursor);
    mdb_txn_abort(w->txn);
}

/* To the first key at or behind this one. */
static xmtp_status walk_seek(walk *w, const xmtp_node_index_key *key)
{
    w->key = (MDB_val){.mv_size = key->n, .mv_data = (void *)(uintptr_t)key->p};
    return xmtp_node_index_status(mdb_cursor_get(w->cursor, &w->key, &w->value, MDB_SET_RANGE));
}

static xmtp_status walk_step(walk *w, MDB_cursor_op op)
{
    return xmtp_node_index_status(mdb_cursor_get(w->cursor, &w->key, &w->value, op));
}

/* To the last key before this one. */
static xmtp_status walk_seek_before(walk *w, const xmtp_node_index_key *key)
{
    xmtp_status status = walk_seek(w, key);
    if (status == XMTP_E_NOT_FOUND) {
        return walk_step(w, MDB_LAST);
    }
    XMTP_TRY(status);
    return walk_step(w, MDB_PREV);
}

static bool begins_with(const walk *w, const uint8_t *prefix, size_t n)
{
    return w->key.mv_size >= n && memcmp(w->key.mv_data, prefix, n) == 0;
}

static uint64_t id_of_key(const walk *w)
{
    const uint8_t *p = (const uint8_t *)w->key.mv_data + w->key.mv_size - 8;
    uint64_t id = 0;
    for (int i = 0; i < 8; i++) {
        id = id << 8 | p[i];
    }
    return id;
}

static xmtp_status place_decode(const walk *w, xmtp_node_place *out)
{
    xmtp_reader r = xmtp_reader_of(xmtp_bytes_of(w->value.mv_data, w->value.mv_size));
    XMTP_TRY(xmtp_reader_u64(&r, &out->time_ns));
    XMTP_TRY(xmtp_reader_u32(&r, &out->position.segment));
    XMTP_TRY(xmtp_reader_u32(&r, &out->position.offset));
    XMTP_TRY(xmtp_reader_u32(&r, &out->len));
    XMTP_TRY(xmtp_reader_u8(&r, &out->flags));
    out->id = id_of_key(w);
    return xmtp_reader_end(&r);
}

/* ---- pages */

static xmtp_status seek_page(walk *w, xmtp_node_kind kind, xmtp_bytes topic,
                             const xmtp_node_page *page)
{
    xmtp_node_index_key key;
    if (page->is_ascending) {
        uint64_t first = page->cursor == UINT64_MAX ? UINT64_MAX : page->cursor + 1;
        xmtp_node_index_topic_key(&key, kind, topic, first);
        return walk_seek(w, &key);
    }
    xmtp_node_index_topic_key(&key, kind, topic, page->cursor == 0 ? UINT64_MAX : page->cursor);
    return walk_seek_before(w, &key);
}

static xmtp_status read_page(walk *w, xmtp_node_kind kind, xmtp_bytes topic,
                             const xmtp_node_page *page, xmtp_node_place *places, size_t *count)
{
    xmtp_node_index_key prefix;
    xmtp_node_index_topic_key(&prefix, kind, topic, 0);
    xmtp_status status = seek_page(w, kind, topic, page);
    while (status == XMTP_OK && *count < page->limit && w->key.mv_size == prefix.n &&
           begins_with(w, prefix.p, prefix.n - 8)) {
        XMTP_TRY(place_decode(w, &places[*count]));
        if (page->id_limit > 0 && places[*count].id > page->id_limit) {
            break;
        }
        (*count)++;
        status = walk_step(w, page->is_ascending ? MDB_NEXT : MDB_PREV);
    }
    return status == XMTP_E_NOT_FOUND ? XMTP_OK : status;
}

xmtp_status xmtp_node_index_page(xmtp_node_index *index, xmtp_node_kind kind, xmtp_bytes topic,
                                 const xmtp_node_page *page, xmtp_node_place *places, size_t *count)
{
    walk w;
    *count = 0;
    XMTP_ENSURE(topic.n <= XMTP_NODE_TOPIC_LEN_MAX, XMTP_OK); /* nothing can be there */
    XMTP_ENSURE(page->limit <= XMTP_NODE_PAGE_COUNT_MAX, XMTP_E_ARGUMENT);
    XMTP_TRY(walk_open(&w, index));
    xmtp_status status = read_page(&w, kind, topic, page, places, count);
    walk_close(&w);
    return status;
}

/* ---- walks over everything */

/* From any key of a topic to its newest, and then to the first key of the next topic. */
static xmtp_status visit_topic(walk *w, xmtp_node_topic_visit visit, void *context)
{
    xmtp_node_index_key last = {0};
    xmtp_node_place newest;
    XMTP_ENSURE(w->key.mv_size >= 11 && w->key.mv_size <= 11 + XMTP_NODE_TOPIC_LEN_MAX,
                XMTP_E_DATABASE);
    xmtp_node_index_key_add(&last, w->key.mv_data, w->key.mv_size - 8);
    memset(last.p + last.n, 0xff, 8); /* ids stay below 2^63, so no key is equal to this */
    last.n += 8;
    XMTP_TRY(walk_seek_before(w, &last));
    XMTP_TRY(place_decode(w, &newest));
    XMTP_TRY(
        visit(context, (xmtp_node_kind)last.p[1], xmtp_bytes_of(last.p + 3, last.n - 11), &newest));
    return walk_step(w, MDB_NEXT);
}

xmtp_status xmtp_node_index_each_topic(xmtp_node_index *index, xmtp_node_topic_visit visit,
                                       void *context)
{
    walk w;
    xmtp_node_index_key first = {.p = {'M'}, .n = 1};
    XMTP_TRY(walk_open(&w, index));
    xmtp_status status = walk_seek(&w, &first);
    while (status == XMTP_OK && begins_with(&w, first.p, 1)) {
        status = visit_topic(&w, visit, context);
    }
    walk_close(&w);
    return status == XMTP_E_NOT_FOUND ? XMTP_OK : status;
}

static xmtp_status visit_address(const walk *w, xmtp_node_address_visit visit, void *context)
{
    xmtp_reader key = xmtp_reader_of(xmtp_bytes_of(w->key.mv_data, w->key.mv_size));
    xmtp_reader value = xmtp_reader_of(xmtp_bytes_of(w->value.mv_data, w->value.mv_size));
    uint8_t kind;
    xmtp_bytes identifier;
    xmtp_bytes inbox_id;
    uint64_t associated_at;
    uint64_t revoked_at;
    XMTP_ENSURE(key.n >= 2 + XMTP_NODE_INBOX_ID_LEN, XMTP_E_DATABASE);
    XMTP_TRY(xmtp_reader_u8(&key, &kind)); /* 'A' */
    XMTP_TRY(xmtp_reader_u8(&key, &kind));
    XMTP_TRY(xmtp_reader_take(&key, key.n - XMTP_NODE_INBOX_ID_LEN, &identifier));
    XMTP_TRY(xmtp_reader_take(&key, XMTP_NODE_INBOX_ID_LEN, &inbox_id));
    XMTP_TRY(xmtp_reader_u64(&value, &associated_at));
    XMTP_TRY(xmtp_reader_u64(&value, &revoked_at));
    return visit(context, kind, identifier, inbox_id, associated_at, revoked_at);
}

xmtp_status xmtp_node_index_each_address(xmtp_node_index *index, xmtp_node_address_visit visit,
                                         void *context)
{
    walk w;
    xmtp_node_index_key first = {.p = {'A'}, .n = 1};
    XMTP_TRY(walk_open(&w, index));
    xmtp_status status = walk_seek(&w, &first);
    while (status == XMTP_OK && begins_with(&w, first.p, 1)) {
        status = visit_address(&w, visit, context);
        status = status == XMTP_OK ? walk_step(&w, MDB_NEXT) : status;
    }
    walk_close(&w);
    return status == XMTP_E_NOT_FOUND ? XMTP_OK : status;
}

/* ---- checking */

static bool is_before(xmtp_node_position a, xmtp_node_position b)
{
    return a.segment < b.segment || (a.segment == b.segment && a.offset < b.offset);
}

/* Some thousand entries in one transaction: a long one would keep the writer of the index from using
 * its free pages. last: the key to go on behind. */
static xmtp_status count_some(xmtp_node_index *index, xmtp_node_position before,
                              xmtp_node_index_key *last, uint64_t *count)
{
    enum { TXN_COUNT = 20000 };
    walk w;
    size_t steps = 0;
    XMTP_TRY(walk_open(&w, index));
    xmtp_status status = walk_seek(&w, last);
    while (status == XMTP_OK && begins_with(&w, (const uint8_t *)"M", 1) && steps++ < TXN_COUNT) {
        xmtp_node_place place;
        status = place_decode(&w, &place);
        *count += status == XMTP_OK && is_before(place.position, before) ? 1 : 0;
        last->n = 0;
        xmtp_node_index_key_add(last, w.key.mv_data, w.key.mv_size);
        xmtp_node_index_key_add(last, "", 1); /* the least key behind it */
        status = status == XMTP_OK ? walk_step(&w, MDB_NEXT) : status;
    }
    bool has_more = status == XMTP_OK && steps >= TXN_COUNT;
    walk_close(&w);
    return has_more ? XMTP_E_RETRY : status == XMTP_E_NOT_FOUND ? XMTP_OK : status;
}

xmtp_status xmtp_node_index_count(xmtp_node_index *index, xmtp_node_position before,
                                  uint64_t *count)
{
    xmtp_node_index_key last = {.p = {'M'}, .n = 1};
    xmtp_status status = XMTP_E_RETRY;
    *count = 0;
    while (status == XMTP_E_RETRY) {
        status = count_some(index, before, &last, count);
    }
    return status;
}

static xmtp_status check_hash(const walk *w, MDB_dbi dbi, const xmtp_node_record *record)
{
    xmtp_node_index_key key = {.p = {'D', (uint8_t)record->kind}, .n = 2};
    MDB_val value;
    uint64_t id;
    XMTP_ENSURE(record->extra.n == XMTP_NODE_HASH_LEN, XMTP_E_DATABASE);
    xmtp_node_index_key_add(&key, record->extra.p, record->extra.n);
    MDB_val k = {.mv_size = key.n, .mv_data = key.p};
    XMTP_TRY(xmtp_node_index_status(mdb_get(w->txn, dbi, &k, &value)));
    xmtp_reader r = xmtp_reader_of(xmtp_bytes_of(value.mv_data, value.mv_size));
    XMTP_TRY(xmtp_reader_u64(&r, &id));
    return id == record->id ? XMTP_OK : XMTP_E_DATABASE;
}

static xmtp_status check_place(walk *w, const xmtp_node_index *index,
                               const xmtp_node_record *record, xmtp_node_position at, uint32_t len)
{
    xmtp_node_index_key key;
    xmtp_node_place place;
    xmtp_node_index_topic_key(&key, record->kind, record->topic, record->id);
    XMTP_TRY(walk_seek(w, &key));
    XMTP_ENSURE(w->key.mv_size == key.n && begins_with(w, key.p, key.n), XMTP_E_NOT_FOUND);
    XMTP_TRY(place_decode(w, &place));
    XMTP_ENSURE(place.position.segment == at.segment && place.position.offset == at.offset &&
                    place.len == len && place.time_ns == record->time_ns,
                XMTP_E_DATABASE);
    bool has_hash = record->kind == XMTP_NODE_GROUP_MESSAGE || record->kind == XMTP_NODE_WELCOME;
    return has_hash ? check_hash(w, index->dbi, record) : XMTP_OK;
}

xmtp_status xmtp_node_index_check(xmtp_node_index *index, const xmtp_node_record *record,
                                  xmtp_node_position at, uint32_t len)
{
    walk w;
    XMTP_TRY(walk_open(&w, index));
    xmtp_status status = check_place(&w, index, record, at, len);
    walk_close(&w);
    return status;
}
