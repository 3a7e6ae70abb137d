/* archive_read.c - the tables in memory, and reading with their help.
 *
 * A reader that asks for what lies behind the newest id of a topic gets "nothing" from the table:
 * the most frequent question of all costs no read. One that lacks only the newest record, as whoever
 * reads back what it has sent, gets its place from there.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "node/address_change.h"
#include "node/archive_internal.h"

#include <string.h>

typedef struct table_key {
    uint8_t p[1 + XMTP_NODE_IDENTIFIER_LEN_MAX];
    size_t n;
} table_key;

/* false: longer than anything that is stored. */
static bool make_key(table_key *key, uint8_t kind, xmtp_bytes rest)
{
    if (rest.n > sizeof key->p - 1) {
        return false;
    }
    key->p[0] = kind;
    xmtp_copy(key->p + 1, rest.p, rest.n);
    key->n = 1 + rest.n;
    return true;
}

static xmtp_bytes key_bytes(const table_key *key)
{
    return xmtp_bytes_of(key->p, key->n);
}

/* ---- putting */

xmtp_status xmtp_node_archive_newest_entry(xmtp_node_archive *archive, xmtp_node_kind kind,
                                           xmtp_bytes topic, xmtp_node_newest **newest)
{
    table_key key;
    XMTP_ENSURE(make_key(&key, (uint8_t)kind, topic), XMTP_E_LIMIT);
    *newest = xmtp_node_table_put(&archive->newest, key_bytes(&key));
    return *newest == NULL ? XMTP_E_NOMEM : XMTP_OK;
}

static xmtp_node_association *association_in(const xmtp_node_associations *list,
                                             const uint8_t *inbox_id)
{
    for (size_t i = 0; i < list->count; i++) {
        if (memcmp(list->items[i].inbox_id, inbox_id, XMTP_NODE_INBOX_ID_LEN) == 0) {
            return &list->items[i];
        }
    }
    return NULL;
}

xmtp_status xmtp_node_archive_show_address(xmtp_node_archive *archive, uint8_t identifier_kind,
                                           xmtp_bytes identifier,
                                           const xmtp_node_association *association)
{
    const xmtp_alloc *alloc = &archive->env->alloc;
    table_key key;
    XMTP_ENSURE(make_key(&key, identifier_kind, identifier), XMTP_E_LIMIT);
    xmtp_node_associations *list = xmtp_node_table_put(&archive->addresses, key_bytes(&key));
    XMTP_ENSURE(list != NULL, XMTP_E_NOMEM);
    xmtp_node_association *item = association_in(list, association->inbox_id);
    if (item == NULL) {
        size_t n = (list->count + 1) * sizeof *list->items;
        xmtp_node_association *items = alloc->reallocate(alloc->context, list->items, n);
        XMTP_ENSURE(items != NULL, XMTP_E_NOMEM);
        list->items = items;
        item = &items[list->count++];
    }
    *item = *association;
    return XMTP_OK;
}

/* What one change makes of the association with this inbox. */
static xmtp_status apply_change(xmtp_node_archive *archive, const xmtp_node_entry *entry,
                                const xmtp_node_address_change *change)
{
    xmtp_node_association association = {.associated_at = entry->place.id};
    XMTP_ENSURE(entry->topic.n == XMTP_NODE_INBOX_ID_LEN, XMTP_E_INTERNAL);
    memcpy(association.inbox_id, entry->topic.p, XMTP_NODE_INBOX_ID_LEN);
    if (change->is_removed) {
        table_key key;
        XMTP_ENSURE(make_key(&key, change->identifier_kind, change->identifier), XMTP_E_LIMIT);
        const xmtp_node_associations *list =
            xmtp_node_table_find(&archive->addresses, key_bytes(&key));
        const xmtp_node_association *old =
            list == NULL ? NULL : association_in(list, association.inbox_id);
        association.associated_at = old == NULL ? 0 : old->associated_at;
        association.revoked_at = entry->place.id;
    }
    return xmtp_node_archive_show_address(archive, change->identifier_kind, change->identifier,
                                          &association);
}

xmtp_status xmtp_node_archive_show(xmtp_node_archive *archive, xmtp_node_entry *entry)
{
    xmtp_node_newest *newest;
    XMTP_TRY(xmtp_node_archive_newest_entry(archive, entry->kind, entry->topic, &newest));
    entry->before_id = newest->place.id;
    *newest = (xmtp_node_newest){.place = entry->place, .before_id = entry->before_id};
    if (entry->kind != XMTP_NODE_IDENTITY_UPDATE) {
        return XMTP_OK;
    }
    xmtp_reader r = xmtp_reader_of(entry->extra);
    while (r.n > 0) {
        xmtp_node_address_change change;
        XMTP_TRY(xmtp_node_address_change_decode(&r, &change));
        XMTP_TRY(apply_change(archive, entry, &change));
    }
    return XMTP_OK;
}

static void free_list(void *context, xmtp_bytes key, void *value)
{
    const xmtp_alloc *alloc = context;
    const xmtp_node_associations *list = value;
    (void)key;
    (void)alloc->reallocate(alloc->context, list->items, 0);
}

void xmtp_node_archive_free_addresses(xmtp_node_archive *archive)
{
    xmtp_node_table_each(&archive->addresses, (void *)(uintptr_t)&archive->env->alloc, free_list);
    xmtp_node_table_free(&archive->addresses);
}

/* ---- asking */

/* All zero: there is none. */
static xmtp_node_newest newest_of_topic(xmtp_node_archive *archive, xmtp_node_kind kind,
                                        xmtp_bytes topic)
{
    table_key key;
    xmtp_node_newest newest = {.before_id = 0};
    if (!make_key(&key, (uint8_t)kind, topic)) {
        return newest;
    }
    (void)pthread_rwlock_rdlock(&archive->lock);
    const xmtp_node_newest *found = xmtp_node_table_find(&archive->newest, key_bytes(&key));
    newest = found == NULL ? newest : *found;
    (void)pthread_rwlock_unlock(&archive->lock);
    return newest;
}

uint64_t xmtp_node_archive_newest(xmtp_node_archive *archive, xmtp_node_kind kind, xmtp_bytes topic,
                                  xmtp_node_place *newest)
{
    xmtp_node_newest found = newest_of_topic(archive, kind, topic);
    if (newest != NULL && found.place.id > 0) {
        *newest = found.place;
    }
    return found.place.id;
}

typedef struct newer {
    xmtp_node_kind kind;
    uint64_t cursor;
    void *context;
    void (*visit)(void *context, xmtp_bytes topic);
} newer;

static void visit_newer(void *context, xmtp_bytes key, void *value)
{
    const newer *n = context;
    const xmtp_node_newest *newest = value;
    if (key.p[0] == (uint8_t)n->kind && newest->place.id > n->cursor) {
        n->visit(n->context, xmtp_bytes_of(key.p + 1, key.n - 1));
    }
}

void xmtp_node_archive_each_newer(xmtp_node_archive *archive, xmtp_node_kind kind, uint64_t cursor,
                                  void *context, void (*visit)(void *context, xmtp_bytes topic))
{
    newer n = {.kind = kind, .cursor = cursor, .context = context, .visit = visit};
    (void)pthread_rwlock_rdlock(&archive->lock);
    xmtp_node_table_each(&archive->newest, &n, visit_newer);
    (void)pthread_rwlock_unlock(&archive->lock);
}

static bool is_empty(const xmtp_node_newest *newest, const xmtp_node_page *page)
{
    return newest->place.id == 0 || (page->is_ascending && page->cursor >= newest->place.id);
}

/* Of a page that is not empty: the newest record is all of it. */
static bool is_newest_only(const xmtp_node_newest *newest, const xmtp_node_page *page)
{
    return page->is_ascending && page->cursor >= newest->before_id && page->limit > 0 &&
           (page->id_limit == 0 || page->id_limit >= newest->place.id);
}

bool xmtp_node_archive_waits(xmtp_node_archive *archive, xmtp_node_kind kind, xmtp_bytes topic,
                             const xmtp_node_page *page)
{
    static const uint64_t just_now_ns = 1000000000;
    xmtp_node_newest newest = newest_of_topic(archive, kind, topic);
    if (is_empty(&newest, page)) {
        return false;
    }
    uint64_t now_ns = archive->env->now_ns(archive->env->context);
    return !is_newest_only(&newest, page) || newest.place.time_ns + just_now_ns < now_ns;
}

xmtp_status xmtp_node_archive_page(xmtp_node_archive *archive, xmtp_node_kind kind,
                                   xmtp_bytes topic, const xmtp_node_page *page,
                                   xmtp_node_place *places, size_t *count)
{
    xmtp_node_newest newest = newest_of_topic(archive, kind, topic);
    *count = 0;
    if (is_empty(&newest, page)) {
        return XMTP_OK;
    }
    if (is_newest_only(&newest, page)) {
        places[0] = newest.place;
        *count = 1;
        return XMTP_OK;
    }
    (void)atomic_fetch_add(&archive->index_reads, 1);
    return xmtp_node_index_page(archive->index, kind, topic, page, places, count);
}

uint64_t xmtp_node_archive_index_reads(const xmtp_node_archive *archive)
{
    return atomic_load(&((xmtp_node_archive *)(uintptr_t)archive)->index_reads);
}

xmtp_status xmtp_node_archive_read(xmtp_node_archive *archive, const xmtp_node_place *place,
                                   xmtp_arena *arena, xmtp_node_record *record, xmtp_error *error)
{
    XMTP_TRY(xmtp_node_log_read(archive->log, place->position, place->len, arena, record, error));
    if (record->id != place->id) {
        return xmtp_fail(error, XMTP_E_CORRUPT, "the index points at another record");
    }
    return XMTP_OK;
}

xmtp_status xmtp_node_archive_payload(xmtp_node_archive *archive, const xmtp_node_place *place,
                                      xmtp_writer *out, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_node_record record;
    xmtp_arena_init(&arena, &archive->env->alloc, (size_t)place->len + 64);
    xmtp_status status = xmtp_node_archive_read(archive, place, &arena, &record, error);
    if (status == XMTP_OK) {
        xmtp_writer_put(out, record.payload);
        status = xmtp_writer_status(out);
    }
    xmtp_arena_reset(&arena);
    return status;
}

static const xmtp_node_association *newest_of(const xmtp_node_associations *list)
{
    const xmtp_node_association *newest = NULL;
    for (size_t i = 0; i < list->count; i++) {
        const xmtp_node_association *item = &list->items[i];
        if (item->revoked_at == 0 &&
            (newest == NULL || item->associated_at > newest->associated_at)) {
            newest = item;
        }
    }
    return newest;
}

bool xmtp_node_archive_inbox_of(xmtp_node_archive *archive, uint8_t identifier_kind,
                                xmtp_bytes identifier, uint8_t inbox_id[XMTP_NODE_INBOX_ID_LEN])
{
    table_key key;
    const xmtp_node_association *found = NULL;
    if (!make_key(&key, identifier_kind, identifier)) {
        return false;
    }
    (void)pthread_rwlock_rdlock(&archive->lock);
    const xmtp_node_associations *list = xmtp_node_table_find(&archive->addresses, key_bytes(&key));
    found = list == NULL ? NULL : newest_of(list);
    if (found != NULL) {
        memcpy(inbox_id, found->inbox_id, XMTP_NODE_INBOX_ID_LEN);
    }
    (void)pthread_rwlock_unlock(&archive->lock);
    return found != NULL;
}

uint64_t xmtp_node_archive_last_id(xmtp_node_archive *archive, xmtp_node_kind kind)
{
    (void)pthread_rwlock_rdlock(&archive->lock);
    uint64_t id = archive->state.last_id[kind];
    (void)pthread_rwlock_unlock(&archive->lock);
    return id;
}

void xmtp_node_archive_measure(xmtp_node_archive *archive, xmtp_node_archive_figures *figures)
{
    uint64_t len = 0;
    uint64_t last_len = 0;
    *figures = (xmtp_node_archive_figures){.segments = 0};
    while (xmtp_node_log_segment_size(archive->log, figures->segments, &len) == XMTP_OK) {
        figures->log_len += len;
        figures->segments++;
        last_len = len;
    }
    (void)pthread_rwlock_rdlock(&archive->lock);
    const xmtp_node_position *end = &archive->state.position;
    if (end->segment + 1 == figures->segments && end->offset > 0 && end->offset < last_len) {
        figures->log_len -= last_len - end->offset; /* what was written ahead */
    }
    figures->topics = archive->newest.count;
    figures->identifiers = archive->addresses.count;
    (void)pthread_rwlock_unlock(&archive->lock);
}
