/* log.c - segment files: appending, syncing, reading. Opening and recovery are in log_open.c.
 *
 * The crash argument. A batch is written with pwrite behind the end and then fdatasync'ed; only
 * then does append return. A new segment's header and its name in the folder are synced before the
 * first batch goes into it. So at any moment everything up to "end" is durable, and behind it there
 * is at most one append that nobody was told of.
 *
 * When a write fails, the file is cut back to end. When fdatasync fails, the kernel may have
 * dropped the pages and a later fdatasync would lie: the log then refuses all further appends, and
 * the next opening writes the unsynced tail again before it trusts it.
 *
 * Space is reserved RESERVE_LEN ahead of the end without changing the file's size, so recovery never
 * sees it, and an append into reserved space cannot meet a full disk half-way.
 *
 *     | batch | batch | zeros ........ | reserved .......... |
 *                     ^ end            ^ ahead, size
 *
 * A sync must also write the file's size and the map of its blocks when they have changed, which on
 * a quick disk takes a third of the time. So with a small append, once in AHEAD_LEN bytes, zeros are
 * written behind it into reserved space; the next ones find size and blocks as they are. Recovery
 * cuts zeros off as it cuts off an unfinished write. They are gone before another segment follows,
 * and after an orderly close.
 */
#include "node/log.h"

#include "base/bytes.h"
#include "base/status.h"
#include "node/log_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

enum {
    RESERVE_LEN = 8 * 1024 * 1024,
    AHEAD_LEN = 128 * 1024,
    AHEAD_BATCH_LEN_MAX = 16 * 1024, /* larger appends would be written twice for little */
};

xmtp_status xmtp_node_log_errno(xmtp_error *error, int code, const char *doing, uint32_t segment)
{
    /* EFBIG: a limit on file size (ulimit -f) is a disk that is full for us. */
    bool is_full = code == ENOSPC || code == EDQUOT || code == EFBIG;
    xmtp_status status = is_full ? XMTP_E_DISK_FULL : code == ENOMEM ? XMTP_E_NOMEM : XMTP_E_IO;
    char reason[96];
    return xmtp_fail(error, status, "%s log segment %08" PRIx32 ".seg: %s", doing, segment,
                     strerror_r(code, reason, sizeof reason));
}

void xmtp_node_log_segment_path(const xmtp_node_log *log, uint32_t segment, char *out, size_t n)
{
    (void)snprintf(out, n, "%s/%08" PRIx32 ".seg", log->dir == NULL ? "" : log->dir, segment);
}

xmtp_status xmtp_node_log_write_at(const xmtp_node_log *log, int fd, xmtp_bytes bytes,
                                   uint64_t offset, int *code)
{
    while (bytes.n > 0) {
        ssize_t n = log->disk->pwrite(log->disk->context, fd, bytes.p, bytes.n, offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            *code = n < 0 ? errno : EIO;
            return XMTP_E_IO;
        }
        bytes.p += n;
        bytes.n -= (size_t)n;
        offset += (uint64_t)n;
    }
    return XMTP_OK;
}

xmtp_status xmtp_node_log_read_at(const xmtp_node_log *log, int fd, uint8_t *out, size_t n,
                                  uint64_t offset, int *code)
{
    while (n > 0) {
        ssize_t got = log->disk->pread(log->disk->context, fd, out, n, offset);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            *code = got < 0 ? errno : EIO;
            return XMTP_E_IO;
        }
        out += got;
        n -= (size_t)got;
        offset += (uint64_t)got;
    }
    return XMTP_OK;
}

xmtp_status xmtp_node_log_add_fd(xmtp_node_log *log, int fd)
{
    const xmtp_alloc *alloc = &log->env->alloc;
    (void)pthread_rwlock_wrlock(&log->fds_lock);
    xmtp_status status = XMTP_OK;
    if (log->fd_count == log->fd_capacity) {
        size_t capacity = log->fd_capacity == 0 ? 16 : 2 * log->fd_capacity;
        int *fds = alloc->reallocate(alloc->context, log->fds, capacity * sizeof *fds);
        status = fds == NULL ? XMTP_E_NOMEM : XMTP_OK;
        log->fds = fds == NULL ? log->fds : fds;
        log->fd_capacity = fds == NULL ? log->fd_capacity : capacity;
    }
    if (status == XMTP_OK) {
        log->fds[log->fd_count++] = fd;
    }
    (void)pthread_rwlock_unlock(&log->fds_lock);
    return status;
}

int xmtp_node_log_fd(xmtp_node_log *log, uint32_t segment)
{
    (void)pthread_rwlock_rdlock(&log->fds_lock);
    int fd = segment < log->fd_count ? log->fds[segment] : -1;
    (void)pthread_rwlock_unlock(&log->fds_lock);
    return fd;
}

static int last_fd(const xmtp_node_log *log)
{
    return log->fds[log->fd_count - 1]; /* only who appends adds, so no lock */
}

void xmtp_node_log_segment_header(const xmtp_node_log *log, uint32_t segment,
                                  uint8_t out[XMTP_NODE_SEGMENT_HEADER_LEN])
{
    memcpy(out, "XMTPLOG1", 8);
    for (int i = 0; i < 4; i++) {
        out[8 + i] = (uint8_t)(log->salt >> (24 - 8 * i));
        out[12 + i] = (uint8_t)(segment >> (24 - 8 * i));
    }
}

static xmtp_status start_segment(xmtp_node_log *log, uint32_t segment, int fd, int *code)
{
    uint8_t header[XMTP_NODE_SEGMENT_HEADER_LEN];
    xmtp_node_log_segment_header(log, segment, header);
    XMTP_TRY(xmtp_node_log_write_at(log, fd, xmtp_bytes_of(header, sizeof header), 0, code));
    if (log->disk->sync(log->disk->context, fd) != 0 ||
        log->disk->sync_dir(log->disk->context, log->dir) != 0) {
        *code = errno;
        log->is_broken = true;
        return XMTP_E_IO;
    }
    *code = ENOMEM;
    return xmtp_node_log_add_fd(log, fd);
}

xmtp_status xmtp_node_log_add_segment(xmtp_node_log *log, xmtp_error *error)
{
    uint32_t segment = (uint32_t)log->fd_count;
    int code = 0;
    char path[XMTP_NODE_LOG_PATH_MAX];
    xmtp_node_log_segment_path(log, segment, path, sizeof path);
    int fd = log->disk->open(log->disk->context, path, true);
    if (fd < 0) {
        return xmtp_node_log_errno(error, errno, "cannot create", segment);
    }
    if (start_segment(log, segment, fd, &code) != XMTP_OK) {
        /* an unused segment file is overwritten by the next try */
        (void)log->disk->close(log->disk->context, fd);
        return xmtp_node_log_errno(error, code, "cannot start", segment);
    }
    log->end = (xmtp_node_position){.segment = segment, .offset = XMTP_NODE_SEGMENT_HEADER_LEN};
    log->reserved = 0;
    log->ahead = 0;
    log->started_ns = 0;
    return XMTP_OK;
}

/* What is in the last segment can only be dropped when another has followed it. */
static bool is_old(const xmtp_node_log *log)
{
    return log->segment_age_ns > 0 && log->started_ns > 0 &&
           log->env->now_ns(log->env->context) > log->started_ns + log->segment_age_ns;
}

xmtp_status xmtp_node_log_first_time(xmtp_node_log *log, uint32_t segment, uint64_t *time_ns)
{
    uint8_t p[8];
    int code;
    int fd = xmtp_node_log_fd(log, segment);
    uint64_t offset = XMTP_NODE_SEGMENT_HEADER_LEN + XMTP_NODE_RECORD_TIME_OFFSET;
    XMTP_ENSURE(fd >= 0, XMTP_E_NOT_FOUND);
    XMTP_ENSURE(xmtp_node_log_read_at(log, fd, p, sizeof p, offset, &code) == XMTP_OK,
                XMTP_E_NOT_FOUND);
    *time_ns = 0;
    for (size_t i = 0; i < sizeof p; i++) {
        *time_ns = *time_ns << 8 | p[i];
    }
    return *time_ns == 0 ? XMTP_E_NOT_FOUND : XMTP_OK; /* zeros, no record */
}

static xmtp_status cut_back(xmtp_node_log *log, uint32_t offset)
{
    int fd = last_fd(log);
    if (log->disk->truncate(log->disk->context, fd, offset) != 0 ||
        log->disk->sync(log->disk->context, fd) != 0) {
        log->is_broken = true;
        return XMTP_E_IO;
    }
    log->end.offset = offset;
    log->reserved = 0; /* truncating has given it back */
    log->ahead = 0;
    return XMTP_OK;
}

/* A segment that is followed by another ends with its last record. */
static xmtp_status cut_zeros(xmtp_node_log *log, xmtp_error *error)
{
    if (log->ahead > log->end.offset && cut_back(log, log->end.offset) != XMTP_OK) {
        return xmtp_node_log_errno(error, errno, "cannot end", log->end.segment);
    }
    return XMTP_OK;
}

xmtp_status xmtp_node_log_prepare(xmtp_node_log *log, xmtp_node_position *at, xmtp_error *error)
{
    if (log->is_broken) {
        return xmtp_fail(error, XMTP_E_IO, "the log failed before; the node must be restarted");
    }
    if (log->end.offset >= log->segment_len || is_old(log)) {
        XMTP_TRY(cut_zeros(log, error));
        XMTP_TRY(xmtp_node_log_add_segment(log, error));
    }
    *at = log->end;
    return XMTP_OK;
}

/* When there is no room ahead, the write itself will tell whether there is enough. */
static void reserve(xmtp_node_log *log, uint64_t need)
{
    uint64_t wanted = log->end.offset + (uint64_t)RESERVE_LEN;
    wanted = wanted > log->segment_len ? log->segment_len : wanted;
    wanted = wanted < need ? need : wanted;
    if (need <= log->reserved || log->cannot_reserve) {
        return;
    }
    if (log->disk->reserve(log->disk->context, last_fd(log), wanted) == 0) {
        log->reserved = wanted;
    } else if (errno == EOPNOTSUPP) {
        log->cannot_reserve = true;
    }
}

/* Zeros from offset on, where an append ends that is not synced yet. If they cannot be written, nothing
 * is lost but time. */
static void write_ahead(xmtp_node_log *log, uint64_t offset)
{
    static const uint8_t zeros[16 * 1024];
    int code = 0;
    uint64_t to = offset + AHEAD_LEN;
    to = to < log->segment_len ? to : log->segment_len;
    to = to < log->reserved ? to : log->reserved;
    if (offset < log->ahead || offset >= to) {
        return;
    }
    log->ahead = to;
    while (offset < to) {
        size_t n = to - offset < sizeof zeros ? (size_t)(to - offset) : sizeof zeros;
        if (xmtp_node_log_write_at(log, last_fd(log), xmtp_bytes_of(zeros, n), offset, &code) !=
            XMTP_OK) {
            return;
        }
        offset += n;
    }
}

xmtp_status xmtp_node_log_append(xmtp_node_log *log, xmtp_bytes batches, xmtp_error *error)
{
    int code = 0;
    uint32_t end = log->end.offset;
    if (log->is_broken) {
        return xmtp_fail(error, XMTP_E_IO, "the log failed before; the node must be restarted");
    }
    if (batches.n > UINT32_MAX - end) {
        return xmtp_fail(error, XMTP_E_LIMIT, "%zu bytes are too many for one append", batches.n);
    }
    reserve(log, end + (uint64_t)batches.n);
    if (xmtp_node_log_write_at(log, last_fd(log), batches, end, &code) != XMTP_OK) {
        (void)cut_back(log, end);
        return xmtp_node_log_errno(error, code, "cannot write to", log->end.segment);
    }
    if (batches.n <= AHEAD_BATCH_LEN_MAX) {
        write_ahead(log, end + (uint64_t)batches.n);
    }
    if (log->disk->sync(log->disk->context, last_fd(log)) != 0) {
        code = errno;
        log->is_broken = true;
        return xmtp_node_log_errno(error, code, "cannot sync", log->end.segment);
    }
    log->end.offset = end + (uint32_t)batches.n;
    if (log->started_ns == 0) {
        (void)xmtp_node_log_first_time(log, log->end.segment, &log->started_ns);
    }
    return XMTP_OK;
}

xmtp_status xmtp_node_log_undo(xmtp_node_log *log, xmtp_node_position at, xmtp_error *error)
{
    if (at.segment != log->end.segment || cut_back(log, at.offset) != XMTP_OK) {
        log->is_broken = true;
        return xmtp_fail(error, XMTP_E_IO, "an append could not be taken back");
    }
    return XMTP_OK;
}

xmtp_status xmtp_node_log_read(xmtp_node_log *log, xmtp_node_position at, uint32_t len,
                               xmtp_arena *arena, xmtp_node_record *record, xmtp_error *error)
{
    void *p;
    int code = 0;
    size_t record_len;
    int fd = xmtp_node_log_fd(log, at.segment);
    XMTP_TRY(xmtp_arena_take(arena, len, &p));
    if (fd < 0 || xmtp_node_log_read_at(log, fd, p, len, at.offset, &code) != XMTP_OK) {
        return xmtp_node_log_errno(error, fd < 0 ? ENOENT : code, "cannot read", at.segment);
    }
    xmtp_status status =
        xmtp_node_record_decode(xmtp_bytes_of(p, len), log->salt, record, &record_len);
    if (status != XMTP_OK || record_len != len || record->kind == XMTP_NODE_GAP) {
        if (xmtp_node_log_was_dropped(log, at)) {
            return xmtp_fail(error, XMTP_E_NOT_FOUND, "the record was dropped");
        }
        return xmtp_fail(error, XMTP_E_CORRUPT,
                         "log segment %08" PRIx32 ".seg: damaged record at offset %" PRIu32,
                         at.segment, at.offset);
    }
    return XMTP_OK;
}

uint32_t xmtp_node_log_segment_count(const xmtp_node_log *log)
{
    return (uint32_t)log->fd_count;
}

xmtp_status xmtp_node_log_segment_size(xmtp_node_log *log, uint32_t segment, uint64_t *size)
{
    int fd = xmtp_node_log_fd(log, segment);
    XMTP_ENSURE(fd >= 0, XMTP_E_NOT_FOUND);
    return log->disk->size(log->disk->context, fd, size) == 0 ? XMTP_OK : XMTP_E_IO;
}

size_t xmtp_node_log_torn_len(xmtp_bytes tail)
{
    while (tail.n > 0 && tail.p[tail.n - 1] == 0) {
        tail.n--;
    }
    return tail.n;
}

xmtp_status xmtp_node_log_segment_read(xmtp_node_log *log, uint32_t segment, uint64_t offset,
                                       uint8_t *out, size_t n)
{
    int code;
    int fd = xmtp_node_log_fd(log, segment);
    XMTP_ENSURE(fd >= 0, XMTP_E_NOT_FOUND);
    return xmtp_node_log_read_at(log, fd, out, n, offset, &code);
}

xmtp_node_position xmtp_node_log_end(const xmtp_node_log *log)
{
    return log->end;
}

uint32_t xmtp_node_log_salt(const xmtp_node_log *log)
{
    return log->salt;
}

void xmtp_node_log_close(xmtp_node_log *log)
{
    if (log == NULL) {
        return;
    }
    const xmtp_alloc *alloc = &log->env->alloc;
    if (log->ahead > log->end.offset && !log->is_broken) {
        (void)log->disk->truncate(log->disk->context, last_fd(log), log->end.offset);
    }
    for (size_t i = 0; i < log->fd_count; i++) {
        (void)log->disk->close(log->disk->context, log->fds[i]);
    }
    (void)pthread_rwlock_destroy(&log->fds_lock);
    (void)alloc->reallocate(alloc->context, log->fds, 0);
    (void)alloc->reallocate(alloc->context, log->dir, 0);
    (void)alloc->reallocate(alloc->context, log, 0);
}
