/* archive_expire.c - dropping old records: first from the index, then from the log.
 *
 * Out of the index nobody finds them any more; a crash before the log is rewritten leaves bytes that
 * the next pass drops (or, when the index is made again, shows once more until then). The other way
 * round the index would point into nothing.
 *
 * The index has one writer at a time and the sequencer is the other one, so entries are taken out in
 * short transactions.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "node/archive_internal.h"

enum { MASK_WELCOME = 1, MASK_MESSAGE = 2, MASK_KEY_PACKAGE = 4, TXN_COUNT = 256 };

static const uint64_t pause_ns = 2000000;

typedef struct expiry {
    xmtp_node_archive *archive;
    uint8_t due; /* classes that go */
    xmtp_node_index_txn *txn;
    size_t txn_count;
    xmtp_status status;
    xmtp_node_expired dropped;
    xmtp_error *error;
} expiry;

static uint8_t class_of(const xmtp_node_record *record)
{
    switch (record->kind) {
    case XMTP_NODE_GROUP_MESSAGE:
        return (record->flags & XMTP_NODE_IS_COMMIT) != 0 ? 0 : MASK_MESSAGE;
    case XMTP_NODE_WELCOME:
        return MASK_WELCOME;
    case XMTP_NODE_KEY_PACKAGE:
        return MASK_KEY_PACKAGE;
    case XMTP_NODE_IDENTITY_UPDATE:
    case XMTP_NODE_COMMIT_LOG:
    case XMTP_NODE_GAP:
        break;
    }
    return 0;
}

static bool is_older(uint64_t time_ns, uint64_t age_ns, uint64_t now_ns)
{
    return age_ns > 0 && now_ns > time_ns && now_ns - time_ns > age_ns;
}

static uint8_t due_classes(const xmtp_node_retention *retention, uint64_t time_ns, uint64_t now_ns)
{
    return (uint8_t)((is_older(time_ns, retention->welcome_ns, now_ns) ? MASK_WELCOME : 0) |
                     (is_older(time_ns, retention->message_ns, now_ns) ? MASK_MESSAGE : 0) |
                     (is_older(time_ns, retention->key_package_ns, now_ns) ? MASK_KEY_PACKAGE : 0));
}

/* The pause is the sequencer's turn. */
static xmtp_status end_txn(expiry *e)
{
    const xmtp_env *env = e->archive->env;
    xmtp_node_index_txn *txn = e->txn;
    e->txn = NULL;
    e->txn_count = 0;
    XMTP_ENSURE(txn != NULL, XMTP_OK);
    xmtp_status status = xmtp_node_index_commit_removed(txn, e->error);
    env->sleep_ns(env->context, pause_ns);
    return status;
}

static xmtp_status remove_entry(expiry *e, const xmtp_node_record *record)
{
    if (e->txn == NULL) {
        XMTP_TRY(xmtp_node_archive_begin(e->archive, &e->txn));
    }
    XMTP_TRY(xmtp_node_index_remove(e->txn, record));
    return ++e->txn_count == TXN_COUNT ? end_txn(e) : XMTP_OK;
}

static bool keep(void *context, const xmtp_node_record *record, xmtp_node_position at)
{
    expiry *e = context;
    (void)at;
    bool is_due = (class_of(record) & e->due) != 0;
    if (!is_due || e->status != XMTP_OK ||
        xmtp_node_archive_newest(e->archive, record->kind, record->topic, NULL) == record->id) {
        return true;
    }
    e->status = remove_entry(e, record);
    e->dropped.count++;
    e->dropped.len += xmtp_node_record_len(record);
    return false;
}

static xmtp_status chosen(void *context)
{
    expiry *e = context;
    XMTP_TRY(e->status);
    return end_txn(e);
}

static void pause_a_little(void *context)
{
    const expiry *e = context;
    const xmtp_env *env = e->archive->env;
    env->sleep_ns(env->context, pause_ns);
}

xmtp_status xmtp_node_archive_expire(xmtp_node_archive *archive,
                                     const xmtp_node_retention *retention, uint32_t segment,
                                     xmtp_node_expired *expired, xmtp_error *error)
{
    uint64_t end_ns;
    uint8_t mask;
    expiry e = {.archive = archive, .error = error};
    /* All in this segment is older than the first record of the next one. */
    XMTP_TRY(xmtp_node_log_first_time(archive->log, segment + 1, &end_ns));
    XMTP_TRY(xmtp_node_log_mask(archive->log, segment, &mask));
    uint64_t now_ns = archive->env->now_ns(archive->env->context);
    e.due = (uint8_t)(due_classes(retention, end_ns, now_ns) & ~mask);
    if (e.due == 0) {
        return XMTP_OK;
    }
    xmtp_node_log_rewrite_options options = {
        .mask = e.due, .context = &e, .keep = keep, .chosen = chosen, .pause = pause_a_little};
    atomic_store(&archive->is_expiring, true);
    xmtp_status status = xmtp_node_log_rewrite(archive->log, segment, &options, error);
    xmtp_node_index_abort(e.txn);
    atomic_store(&archive->is_expiring, false);
    if (status == XMTP_OK) {
        expired->count += e.dropped.count;
        expired->len += e.dropped.len;
    }
    return status;
}

bool xmtp_node_archive_is_expiring(const xmtp_node_archive *archive)
{
    return atomic_load(&((xmtp_node_archive *)(uintptr_t)archive)->is_expiring);
}
