/* archive_open.c - lock, recover, bring the index up to date, fill the tables.
 *
 *     DIR/lock            locked while a node uses the folder
 *     DIR/log/            segments
 *     DIR/index/          LMDB; may be removed, it is made again from the log
 *
 * The scan of the log begins where the index ends. Records found there go into the index in
 * transactions of many records, each with the state up to it, so that a crash in the middle of that
 * only means less to do at the next start.
 *
 * A whole index lacks at most the append during which the node was killed, which nobody was told of.
 * When the disk has no room for that, the append is taken back, as it would have been then.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "node/archive_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_LEN_MAX = 3900, REINDEX_COUNT = 20000 };

/* ---- folders */

/* A name is durable only when the folder that holds it is synced. */
static int sync_parent(const char *path)
{
    char parent[PATH_LEN_MAX + 16];
    (void)snprintf(parent, sizeof parent, "%s/..", path);
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = fd < 0 ? -1 : fsync(fd);
    int code = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    errno = code;
    return result;
}

static xmtp_status make_dir(const char *path, xmtp_error *error)
{
    char reason[96];
    int result = mkdir(path, 0700);
    if (result != 0 && errno == EEXIST) {
        return XMTP_OK;
    }
    if (result == 0 && sync_parent(path) == 0) {
        return XMTP_OK;
    }
    return xmtp_fail(error, errno == ENOSPC ? XMTP_E_DISK_FULL : XMTP_E_IO,
                     "cannot make the folder %.100s: %s", path,
                     strerror_r(errno, reason, sizeof reason));
}

static void join(char out[PATH_LEN_MAX + 16], const char *dir, const char *name)
{
    (void)snprintf(out, PATH_LEN_MAX + 16, "%.*s/%s", PATH_LEN_MAX, dir, name);
}

static xmtp_status lock_dir(xmtp_node_archive *archive, const char *dir, xmtp_error *error)
{
    char path[PATH_LEN_MAX + 16];
    join(path, dir, "lock");
    archive->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (archive->lock_fd < 0) {
        return xmtp_fail(error, XMTP_E_IO, "cannot open %.200s", path);
    }
    if (flock(archive->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        return xmtp_fail(error, XMTP_E_LOCKED, "another node uses the data in %.150s", dir);
    }
    return XMTP_OK;
}

/* ---- index from log */

typedef struct reindex {
    xmtp_node_archive *archive;
    xmtp_node_index_txn *txn;
    xmtp_node_index_state state;
    xmtp_node_position first; /* of the records that were found; their sum is total */
    size_t total;
    size_t count; /* of the transaction */
    xmtp_error *error;
} reindex;

static xmtp_status reindex_commit(reindex *r)
{
    xmtp_node_index_txn *txn = r->txn;
    r->txn = NULL;
    r->count = 0;
    return txn == NULL ? XMTP_OK : xmtp_node_index_commit(txn, &r->state, r->error);
}

/* Ids that were given to what has been dropped are not given again. */
static xmtp_status reindex_gap(reindex *r, const xmtp_node_record *gap)
{
    uint64_t last_id[XMTP_NODE_KIND_COUNT];
    uint32_t hole_len;
    XMTP_TRY(xmtp_node_gap_decode(gap, &hole_len, last_id));
    for (int i = 1; i < XMTP_NODE_KIND_COUNT; i++) {
        r->state.last_id[i] = last_id[i] > 0 ? last_id[i] : r->state.last_id[i];
    }
    return XMTP_OK;
}

static xmtp_status reindex_record(void *context, const xmtp_node_record *record,
                                  xmtp_node_position at, uint32_t len)
{
    reindex *r = context;
    if (r->txn == NULL) {
        XMTP_TRY(xmtp_node_index_begin(r->archive->index, &r->txn));
    }
    if (record->kind == XMTP_NODE_GAP) {
        XMTP_TRY(reindex_gap(r, record));
    } else {
        XMTP_TRY(xmtp_node_index_put(r->txn, record, at, len));
        r->state.last_id[record->kind] = record->id;
    }
    r->state.position = (xmtp_node_position){.segment = at.segment, .offset = at.offset + len};
    r->state.last_time_ns = record->time_ns;
    r->first = r->total++ == 0 ? at : r->first;
    bool is_batch_end = (record->flags & XMTP_NODE_LAST_OF_BATCH) != 0;
    return ++r->count >= REINDEX_COUNT && is_batch_end ? reindex_commit(r) : XMTP_OK;
}

static xmtp_status take_back(const reindex *r, const xmtp_node_archive_options *options)
{
    char line[160];
    XMTP_TRY(xmtp_node_log_undo(r->archive->log, r->first, r->error));
    if (r->error != NULL) {
        *r->error = (xmtp_error){0};
    }
    (void)snprintf(
        line, sizeof line,
        "the disk is full: %zu records, acknowledged to nobody when the node was killed, "
        "are taken back",
        r->total);
    if (options->notice != NULL) {
        options->notice(options->notice_context, line);
    }
    return XMTP_OK;
}

static xmtp_status open_log(xmtp_node_archive *archive, const xmtp_node_archive_options *options,
                            const char *dir, xmtp_error *error)
{
    reindex r = {.archive = archive, .error = error};
    XMTP_TRY(xmtp_node_index_state_get(archive->index, &r.state));
    const xmtp_node_index_state before = r.state;
    r.state.is_whole = false;
    xmtp_node_log_options log_options = {.env = options->env,
                                         .dir = dir,
                                         .segment_len = options->segment_len,
                                         .segment_age_ns = options->segment_age_ns,
                                         .notice_context = options->notice_context,
                                         .notice = options->notice};
    xmtp_status status = xmtp_node_log_open(&archive->log, &log_options, r.state.position,
                                            reindex_record, &r, error);
    if (status != XMTP_OK) {
        xmtp_node_index_abort(r.txn);
        return status;
    }
    r.state.is_whole = true;
    status = reindex_commit(&r);
    if (status == XMTP_E_DISK_FULL && before.is_whole) {
        r.state = before;
        status = take_back(&r, options);
    }
    archive->state = r.state;
    return status;
}

/* ---- tables from index */

static xmtp_status fill_newest(void *context, xmtp_node_kind kind, xmtp_bytes topic,
                               const xmtp_node_place *newest)
{
    xmtp_node_newest *entry;
    XMTP_TRY(xmtp_node_archive_newest_entry(context, kind, topic, &entry));
    *entry = (xmtp_node_newest){.place = *newest, .before_id = newest->id};
    return XMTP_OK;
}

static xmtp_status fill_address(void *context, uint8_t identifier_kind, xmtp_bytes identifier,
                                xmtp_bytes inbox_id, uint64_t associated_at, uint64_t revoked_at)
{
    xmtp_node_association association = {.associated_at = associated_at, .revoked_at = revoked_at};
    memcpy(association.inbox_id, inbox_id.p, XMTP_NODE_INBOX_ID_LEN);
    return xmtp_node_archive_show_address(context, identifier_kind, identifier, &association);
}

static xmtp_status open_parts(xmtp_node_archive *archive, const xmtp_node_archive_options *options,
                              xmtp_error *error)
{
    char log_dir[PATH_LEN_MAX + 16];
    char index_dir[PATH_LEN_MAX + 16];
    const char *dir = options->dir;
    XMTP_TRY(xmtp_node_table_init(&archive->newest, options->env, sizeof(xmtp_node_newest)));
    XMTP_TRY(
        xmtp_node_table_init(&archive->addresses, options->env, sizeof(xmtp_node_associations)));
    if (dir != NULL) {
        XMTP_ENSURE(strlen(dir) < PATH_LEN_MAX, XMTP_E_ARGUMENT);
        join(log_dir, dir, "log");
        join(index_dir, dir, "index");
        XMTP_TRY(make_dir(dir, error));
        XMTP_TRY(lock_dir(archive, dir, error));
        XMTP_TRY(make_dir(log_dir, error));
        XMTP_TRY(make_dir(index_dir, error));
    }
    XMTP_TRY(xmtp_node_index_open(&archive->index, options->env, dir == NULL ? NULL : index_dir,
                                  options->index_len_max, error));
    XMTP_TRY(open_log(archive, options, dir == NULL ? NULL : log_dir, error));
    XMTP_TRY(xmtp_node_index_each_topic(archive->index, fill_newest, archive));
    return xmtp_node_index_each_address(archive->index, fill_address, archive);
}

xmtp_status xmtp_node_archive_open(xmtp_node_archive **out,
                                   const xmtp_node_archive_options *options, xmtp_error *error)
{
    const xmtp_alloc *alloc = &options->env->alloc;
    *out = NULL;
    xmtp_node_archive *archive = alloc->reallocate(alloc->context, NULL, sizeof *archive);
    XMTP_ENSURE(archive != NULL, XMTP_E_NOMEM);
    *archive = (xmtp_node_archive){.env = options->env, .lock_fd = -1};
    (void)pthread_rwlock_init(&archive->lock, NULL);
    (void)pthread_mutex_init(&archive->turn, NULL);
    xmtp_writer_init(&archive->records, alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&archive->payload, alloc, XMTP_WRITER_MAX);
    xmtp_status status = open_parts(archive, options, error);
    if (status != XMTP_OK) {
        xmtp_node_archive_close(archive);
        return xmtp_fail_default(error, status, "opening the node's data");
    }
    *out = archive;
    return XMTP_OK;
}

void xmtp_node_archive_close(xmtp_node_archive *archive)
{
    if (archive == NULL) {
        return;
    }
    const xmtp_alloc *alloc = &archive->env->alloc;
    xmtp_node_log_close(archive->log);
    xmtp_node_index_close(archive->index);
    xmtp_node_table_free(&archive->newest);
    xmtp_node_archive_free_addresses(archive);
    xmtp_writer_free(&archive->records);
    xmtp_writer_free(&archive->payload);
    (void)pthread_rwlock_destroy(&archive->lock);
    (void)pthread_mutex_destroy(&archive->turn);
    if (archive->lock_fd >= 0) {
        (void)close(archive->lock_fd); /* releases the lock */
    }
    (void)alloc->reallocate(alloc->context, archive, 0);
}
