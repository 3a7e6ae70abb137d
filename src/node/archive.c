/* archive.c - appending: ids, log, index, tables, in this order and for whole batches.
 *
 * An append opens the index transaction first (it must look for duplicates, also among its own
 * entries), encodes all records, appends them to the log, and commits the index last. When the log
 * fails, the transaction is dropped; when the index fails, the log is cut back. Nobody has been
 * told anything yet in either case. Opening and the tables are in archive_open.c and
 * archive_read.c.
 */
#include "node/archive.h"

#include "base/bytes.h"
#include "base/status.h"
#include "node/archive_internal.h"
#include "node/wire.h"

typedef struct append {
    xmtp_node_archive *archive;
    xmtp_node_index_txn *txn;
    xmtp_node_index_state next; /* becomes the archive's state when all went well */
    xmtp_node_position at;      /* where the append begins */
    uint64_t next_time_ns;      /* of the next record */
} append;

/* Every record has a later time than the one before it: clients list messages by time, and two with the same time would
 * stand in one order here and in another there. */
static uint64_t stamp(xmtp_node_archive *archive)
{
    uint64_t now_ns = archive->env->now_ns(archive->env->context);
    return now_ns > archive->state.last_time_ns ? now_ns : archive->state.last_time_ns + 1;
}

static xmtp_status find_duplicate(append *a, xmtp_node_entry *entry)
{
    entry->is_duplicate = false;
    if (entry->kind != XMTP_NODE_GROUP_MESSAGE && entry->kind != XMTP_NODE_WELCOME) {
        return XMTP_OK;
    }
    XMTP_ENSURE(entry->extra.n == XMTP_NODE_HASH_LEN, XMTP_E_ARGUMENT);
    xmtp_status status =
        xmtp_node_index_find_hash(a->txn, entry->kind, entry->extra.p, &entry->place.id);
    entry->is_duplicate = status == XMTP_OK;
    return status == XMTP_E_NOT_FOUND ? XMTP_OK : status;
}

static xmtp_status add_record(append *a, xmtp_node_entry *entry)
{
    xmtp_node_archive *archive = a->archive;
    uint64_t id = ++a->next.last_id[entry->kind];
    uint64_t time_ns = a->next_time_ns++;
    size_t start = archive->records.n;
    xmtp_writer_clear(&archive->payload);
    xmtp_node_wire_payload(&archive->payload, entry->kind, entry->flags, id, time_ns, entry->body);
    XMTP_TRY(xmtp_writer_status(&archive->payload));
    xmtp_node_record record = {.kind = entry->kind,
                               .flags = entry->flags,
                               .durable = a->at.offset,
                               .id = id,
                               .time_ns = time_ns,
                               .topic = entry->topic,
                               .extra = entry->extra,
                               .payload = xmtp_writer_bytes(&archive->payload)};
    XMTP_TRY(xmtp_node_record_encode(&record, xmtp_node_log_salt(archive->log), &archive->records));
    entry->place = (xmtp_node_place){
        .id = id,
        .time_ns = time_ns,
        .position = {.segment = a->at.segment, .offset = a->at.offset + (uint32_t)start},
        .len = (uint32_t)(archive->records.n - start),
        .flags = entry->flags};
    return xmtp_node_index_put(a->txn, &record, entry->place.position, entry->place.len);
}

static xmtp_status add_batch(append *a, xmtp_node_batch *batch)
{
    xmtp_writer *records = &a->archive->records;
    xmtp_node_entry *last = NULL;
    for (size_t i = 0; i < batch->count; i++) {
        xmtp_node_entry *entry = &batch->entries[i];
        XMTP_TRY(find_duplicate(a, entry));
        if (!entry->is_duplicate) {
            XMTP_TRY(add_record(a, entry));
            last = entry;
        }
    }
    if (last != NULL) {
        uint8_t *p = records->p + (last->place.position.offset - a->at.offset);
        xmtp_node_record_end_batch(p, last->place.len, xmtp_node_log_salt(a->archive->log));
    }
    return XMTP_OK;
}

static xmtp_status add_batches(append *a, xmtp_node_batch *const *batches, size_t count)
{
    xmtp_writer_clear(&a->archive->records);
    for (size_t i = 0; i < count; i++) {
        XMTP_TRY(add_batch(a, batches[i]));
    }
    return XMTP_OK;
}

/* Log first, then index. Ends the transaction in any case. */
static xmtp_status store(append *a, xmtp_error *error)
{
    xmtp_node_archive *archive = a->archive;
    xmtp_bytes records = xmtp_writer_bytes(&archive->records);
    xmtp_status status = xmtp_node_log_append(archive->log, records, error);
    if (status != XMTP_OK) {
        xmtp_node_index_abort(a->txn);
        return status;
    }
    a->next.position = xmtp_node_log_end(archive->log);
    a->next.last_time_ns = a->next_time_ns - 1;
    status = xmtp_node_index_commit(a->txn, &a->next, error);
    if (status != XMTP_OK) {
        (void)xmtp_node_log_undo(archive->log, a->at,
                                 NULL); /* if that fails too, the log says so */
    }
    return status;
}

xmtp_status xmtp_node_archive_begin(xmtp_node_archive *archive, xmtp_node_index_txn **out)
{
    (void)pthread_mutex_lock(&archive->turn);
    xmtp_status status = xmtp_node_index_begin(archive->index, out);
    (void)pthread_mutex_unlock(&archive->turn);
    return status;
}

static xmtp_status append_batches(append *a, xmtp_node_batch *const *batches, size_t count,
                                  xmtp_error *error)
{
    XMTP_TRY(xmtp_node_log_prepare(a->archive->log, &a->at, error));
    xmtp_status status = xmtp_node_archive_begin(a->archive, &a->txn);
    if (status != XMTP_OK) {
        return xmtp_fail(error, status, "cannot write to the index");
    }
    status = add_batches(a, batches, count);
    if (status != XMTP_OK) {
        xmtp_node_index_abort(a->txn);
        return xmtp_fail(error, status,
                         status == XMTP_E_DISK_FULL
                             ? "the index has reached its largest size; start the node with a "
                               "larger index-bytes-max"
                             : "cannot prepare an append");
    }
    if (a->archive->records.n == 0) { /* all of it was stored already */
        xmtp_node_index_abort(a->txn);
        return XMTP_OK;
    }
    return store(a, error);
}

static xmtp_status show(xmtp_node_archive *archive, xmtp_node_batch *const *batches, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < batches[i]->count; k++) {
            xmtp_node_entry *entry = &batches[i]->entries[k];
            if (!entry->is_duplicate) {
                XMTP_TRY(xmtp_node_archive_show(archive, entry));
            }
        }
    }
    return XMTP_OK;
}

xmtp_status xmtp_node_archive_append(xmtp_node_archive *archive, xmtp_node_batch *const *batches,
                                     size_t count, xmtp_error *error)
{
    append a = {.archive = archive, .next = archive->state, .next_time_ns = stamp(archive)};
    if (archive->is_broken) {
        return xmtp_fail(error, XMTP_E_NOMEM, "memory ran out before; the node must be restarted");
    }
    XMTP_TRY(append_batches(&a, batches, count, error));
    (void)pthread_rwlock_wrlock(&archive->lock);
    archive->state = archive->records.n == 0 ? archive->state : a.next;
    xmtp_status status = show(archive, batches, count);
    archive->is_broken = status != XMTP_OK; /* stored, but the tables do not know it */
    (void)pthread_rwlock_unlock(&archive->lock);
    xmtp_writer_clear(&archive->records);
    return status == XMTP_OK ? XMTP_OK : xmtp_fail(error, status, "no memory for the tables");
}
