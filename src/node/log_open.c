/* log_open.c - opening a log and putting the tail right after a crash.
 *
 * Only the last segment can have a torn tail: a segment is started after everything before it was
 * synced. In the last one the scan goes record by record from a known start until the first that is
 * cut short or fails its checksum:
 *
 *     | batch | batch | batch | broken ...........|      a crash in the middle of an append: the
 *                             ^ cut here                 batch was never acknowledged
 *
 *     | batch | broken | batch | batch |                 damage to what was acknowledged: refuse
 *
 * To tell the two apart, everything behind the broken place is searched for whole records. Each
 * record says up to where the segment was synced when it was written ("durable"). If any says more
 * than the broken offset, the broken bytes had been synced, and cutting would lose data silently. A
 * disk that wrote the pages of one append in another order leaves whole records too, but those say
 * less. Zeros that were written ahead (log.c) have no record behind them, and are cut too.
 *
 * What is found whole behind the last synced place may be in the memory of the kernel only (the
 * node was killed, or fdatasync failed). Before anybody sees it, it is written again and synced: an
 * id that was shown must not come back with other content after the next crash.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "node/log_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct scan {
    xmtp_node_log *log;
    uint32_t segment;
    uint32_t offset; /* of data.p[0] in the segment */
    xmtp_bytes data;
    xmtp_node_log_visit visit;
    void *context;
    const xmtp_node_log_options *options;
    xmtp_error *error;
    bool is_read_only;
    bool has_gap;
    char left_over[16]; /* name of a file that nobody needs; "": none */
} scan;

static xmtp_bytes rest_of(const scan *s, size_t at)
{
    return xmtp_bytes_of(s->data.p + at, s->data.n - at);
}

/* The end of the last complete batch; *synced: up to where the one that wrote it had synced. */
static size_t batches_end(const scan *s, size_t *synced)
{
    size_t at = 0;
    size_t end = 0;
    size_t len;
    xmtp_node_record record;
    *synced = 0;
    while (at < s->data.n &&
           xmtp_node_record_next(rest_of(s, at), s->log->salt, &record, &len) == XMTP_OK) {
        at += len;
        if ((record.flags & XMTP_NODE_LAST_OF_BATCH) != 0) {
            end = at;
            *synced = record.durable > s->offset ? record.durable - s->offset : 0;
        }
    }
    return end;
}

/* Is there a whole record behind at that proves that at had been synced? */
static bool was_synced(const scan *s, size_t at)
{
    static const uint8_t magic[4] = {0x58, 0x4d, 0x52, 0x31};
    for (size_t i = at + 1; i < s->data.n;) {
        const uint8_t *hit = memmem(s->data.p + i, s->data.n - i, magic, sizeof magic);
        if (hit == NULL) {
            return false;
        }
        i = (size_t)(hit - s->data.p);
        xmtp_node_record record;
        size_t len;
        if (xmtp_node_record_decode(rest_of(s, i), s->log->salt, &record, &len) == XMTP_OK &&
            record.durable > s->offset + at) {
            return true;
        }
        i++;
    }
    return false;
}

static xmtp_status visit_all(const scan *s, size_t end)
{
    size_t len;
    xmtp_node_record record;
    for (size_t at = 0; at < end; at += len) {
        xmtp_node_position position = {.segment = s->segment, .offset = s->offset + (uint32_t)at};
        XMTP_TRY(xmtp_node_record_next(rest_of(s, at), s->log->salt, &record, &len));
        XMTP_TRY(s->visit(s->context, &record, position, (uint32_t)len));
    }
    return XMTP_OK;
}

static xmtp_status corrupt(const scan *s, size_t at)
{
    return xmtp_fail(s->error, XMTP_E_CORRUPT,
                     "log segment %08" PRIx32 ".seg is damaged at offset %" PRIu64
                     ", in data that was stored already: restore this file from a copy",
                     s->segment, (uint64_t)s->offset + at);
}

static void tell_cut(const scan *s, size_t end)
{
    size_t torn_len = xmtp_node_log_torn_len(rest_of(s, end));
    if (s->options->notice != NULL && torn_len > 0) {
        char line[160];
        (void)snprintf(line, sizeof line,
                       "log segment %08" PRIx32 ".seg: cut %zu bytes of an unfinished write at "
                       "offset %" PRIu64,
                       s->segment, torn_len, (uint64_t)s->offset + end);
        s->options->notice(s->options->notice_context, line);
    }
}

/* Ends the last segment here, and makes durable what it holds, whether the kernel still wants to
 * write it or not: header, everything behind the last synced place, size, name. */
static xmtp_status settle(const scan *s, size_t synced, size_t end)
{
    const xmtp_node_disk *disk = s->log->disk;
    int fd = s->log->fds[s->segment];
    int code = 0;
    uint8_t header[XMTP_NODE_SEGMENT_HEADER_LEN]; /* as it is, it has been checked */
    xmtp_status status = xmtp_node_log_read_at(s->log, fd, header, sizeof header, 0, &code);
    if (status == XMTP_OK) {
        status = xmtp_node_log_write_at(s->log, fd, xmtp_bytes_of(header, sizeof header), 0, &code);
    }
    if (status == XMTP_OK && synced < end) {
        xmtp_bytes tail = xmtp_bytes_of(s->data.p + synced, end - synced);
        status = xmtp_node_log_write_at(s->log, fd, tail, (uint64_t)s->offset + synced, &code);
    }
    if (status == XMTP_OK &&
        (disk->truncate(disk->context, fd, (uint64_t)s->offset + end) != 0 ||
         disk->sync(disk->context, fd) != 0 || disk->sync_dir(disk->context, s->log->dir) != 0)) {
        status = XMTP_E_IO;
        code = errno;
    }
    return status == XMTP_OK
               ? XMTP_OK
               : xmtp_node_log_errno(s->error, code, "cannot make durable", s->segment);
}

static xmtp_status scan_data(scan *s, bool is_last)
{
    size_t synced;
    size_t end = batches_end(s, &synced);
    if (end < s->data.n) {
        if (!is_last || was_synced(s, end)) {
            return corrupt(s, end);
        }
        tell_cut(s, end);
    }
    XMTP_TRY(is_last ? settle(s, synced, end) : XMTP_OK);
    XMTP_TRY(visit_all(s, end));
    s->log->end = (xmtp_node_position){.segment = s->segment, .offset = s->offset + (uint32_t)end};
    return XMTP_OK;
}

static xmtp_status check_header(const scan *s, int fd)
{
    int code = 0;
    uint8_t expected[XMTP_NODE_SEGMENT_HEADER_LEN];
    uint8_t found[XMTP_NODE_SEGMENT_HEADER_LEN];
    xmtp_node_log_segment_header(s->log, s->segment, expected);
    if (xmtp_node_log_read_at(s->log, fd, found, sizeof found, 0, &code) != XMTP_OK) {
        return xmtp_node_log_errno(s->error, code, "cannot read", s->segment);
    }
    if (xmtp_node_log_header_mask(found) != 0) {
        expected[7] = found[7]; /* rewritten */
    }
    if (memcmp(found, expected, sizeof expected) != 0) {
        return xmtp_fail(s->error, XMTP_E_CORRUPT,
                         "log segment %08" PRIx32 ".seg does not begin as one", s->segment);
    }
    return XMTP_OK;
}

/* The salt is the same in all headers; the first one tells it. */
static xmtp_status learn_salt(const scan *s)
{
    int code = 0;
    uint8_t p[4];
    if (xmtp_node_log_read_at(s->log, s->log->fds[0], p, sizeof p, 8, &code) != XMTP_OK) {
        return xmtp_node_log_errno(s->error, code, "cannot read", 0);
    }
    s->log->salt = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    return XMTP_OK;
}

/* Reads and scans a segment from s->offset to its end. */
static xmtp_status scan_segment(scan *s, bool is_last)
{
    const xmtp_alloc *alloc = &s->log->env->alloc;
    int fd = s->log->fds[s->segment];
    int code = 0;
    uint64_t size;
    if (s->log->disk->size(s->log->disk->context, fd, &size) != 0) {
        return xmtp_node_log_errno(s->error, errno, "cannot examine", s->segment);
    }
    if (size < s->offset || size > UINT32_MAX) {
        return xmtp_fail(s->error, XMTP_E_CORRUPT,
                         "log segment %08" PRIx32 ".seg has %" PRIu64 " bytes, but %" PRIu32
                         " were stored: restore this file, or remove the folder index to go on "
                         "without them",
                         s->segment, size, s->offset);
    }
    size_t n = (size_t)(size - s->offset);
    uint8_t *p = alloc->reallocate(alloc->context, NULL, n + 1);
    XMTP_ENSURE(p != NULL, XMTP_E_NOMEM);
    xmtp_status status = xmtp_node_log_read_at(s->log, fd, p, n, s->offset, &code);
    if (status == XMTP_OK) {
        s->data = xmtp_bytes_of(p, n);
        status = scan_data(s, is_last);
    } else {
        status = xmtp_node_log_errno(s->error, code, "cannot read", s->segment);
    }
    (void)alloc->reallocate(alloc->context, p, 0);
    return status;
}

/* A crash before the first batch leaves a last file without records, perhaps without header; it is
 * started again. */
static bool is_unborn(const xmtp_node_log *log, uint32_t segment)
{
    uint64_t size;
    return log->disk->size(log->disk->context, log->fds[segment], &size) == 0 &&
           size <= XMTP_NODE_SEGMENT_HEADER_LEN;
}

static xmtp_status open_segments(xmtp_node_log *log, xmtp_error *error)
{
    for (uint32_t segment = 0;; segment++) {
        char path[XMTP_NODE_LOG_PATH_MAX];
        xmtp_node_log_segment_path(log, segment, path, sizeof path);
        int fd = log->disk->open(log->disk->context, path, false);
        if (fd < 0) {
            return errno == ENOENT ? XMTP_OK
                                   : xmtp_node_log_errno(error, errno, "cannot open", segment);
        }
        if (xmtp_node_log_add_fd(log, fd) != XMTP_OK) {
            (void)log->disk->close(log->disk->context, fd);
            return XMTP_E_NOMEM;
        }
    }
}

static void find_gap(void *visitor, const char *name)
{
    scan *s = visitor;
    char *end;
    unsigned long number = strtoul(name, &end, 16);
    if (end == name + 8 && strcmp(end, ".new") == 0) { /* a rewrite that was not finished */
        (void)snprintf(s->left_over, sizeof s->left_over, "%s", name);
    }
    if (end == name + 8 && strcmp(end, ".seg") == 0 && number >= s->log->fd_count) {
        s->has_gap = true;
        (void)xmtp_fail(s->error, XMTP_E_CORRUPT,
                        "log segment %08zx.seg is missing, but %.12s is there", s->log->fd_count,
                        name);
    }
}

/* Segment files beyond a missing one would be data that nobody reads: refuse. */
static xmtp_status check_no_gap(scan *s)
{
    const xmtp_node_disk *disk = s->log->disk;
    if (disk->list(disk->context, s->log->dir, s, find_gap) != 0) {
        return xmtp_fail(s->error, XMTP_E_IO, "cannot list %s", s->log->dir);
    }
    if (s->left_over[0] != '\0' && !s->is_read_only) {
        char path[XMTP_NODE_LOG_PATH_MAX + 16];
        (void)snprintf(path, sizeof path, "%s/%s", s->log->dir, s->left_over);
        (void)disk->unlink(disk->context, path);
    }
    return s->has_gap ? XMTP_E_CORRUPT : XMTP_OK;
}

static void drop_last(xmtp_node_log *log)
{
    (void)log->disk->close(log->disk->context, log->fds[--log->fd_count]);
}

static xmtp_status open_checked(xmtp_node_log *log, scan *s)
{
    XMTP_TRY(open_segments(log, s->error));
    XMTP_TRY(check_no_gap(s));
    if (log->fd_count > 0 && is_unborn(log, (uint32_t)log->fd_count - 1)) {
        drop_last(log);
    }
    XMTP_TRY(log->fd_count > 0 ? learn_salt(s) : XMTP_OK);
    for (s->segment = 0; s->segment < log->fd_count; s->segment++) {
        XMTP_TRY(check_header(s, log->fds[s->segment]));
    }
    return XMTP_OK;
}

static xmtp_status recover(xmtp_node_log *log, xmtp_node_position from, scan *s)
{
    XMTP_TRY(open_checked(log, s));
    uint32_t count = (uint32_t)log->fd_count;
    if (from.offset > 0 && from.segment >= count) {
        return xmtp_fail(s->error, XMTP_E_CORRUPT,
                         "log segment %08" PRIx32 ".seg is missing: restore it, or remove the "
                         "folder index to go on without it",
                         from.segment);
    }
    for (s->segment = from.segment; s->segment < count; s->segment++) {
        bool is_first = s->segment == from.segment && from.offset > 0;
        s->offset = is_first ? from.offset : XMTP_NODE_SEGMENT_HEADER_LEN;
        XMTP_TRY(scan_segment(s, s->segment + 1 == count));
    }
    return XMTP_OK;
}

static xmtp_status set_dir(xmtp_node_log *log, const char *dir)
{
    if (dir == NULL) {
        return XMTP_OK;
    }
    size_t n = strlen(dir) + 1;
    XMTP_ENSURE(n < XMTP_NODE_LOG_PATH_MAX - 16, XMTP_E_ARGUMENT);
    log->dir = log->env->alloc.reallocate(log->env->alloc.context, NULL, n);
    XMTP_ENSURE(log->dir != NULL, XMTP_E_NOMEM);
    memcpy(log->dir, dir, n);
    return XMTP_OK;
}

static xmtp_status open_into(xmtp_node_log *log, const xmtp_node_log_options *options,
                             xmtp_node_position from, scan *s)
{
    XMTP_TRY(set_dir(log, options->dir));
    if (options->dir != NULL) {
        XMTP_TRY(recover(log, from, s));
    }
    if (log->fd_count > 0) {
        (void)xmtp_node_log_first_time(log, (uint32_t)log->fd_count - 1, &log->started_ns);
        return XMTP_OK;
    }
    XMTP_TRY(log->env->random(log->env->context, (uint8_t *)&log->salt, sizeof log->salt));
    return xmtp_node_log_add_segment(log, s->error);
}

static xmtp_status make_log(xmtp_node_log **out, const xmtp_node_log_options *options)
{
    const xmtp_alloc *alloc = &options->env->alloc;
    xmtp_node_log *log = alloc->reallocate(alloc->context, NULL, sizeof *log);
    XMTP_ENSURE(log != NULL, XMTP_E_NOMEM);
    const xmtp_node_disk *disk = options->disk == NULL ? xmtp_node_disk_system() : options->disk;
    *log = (xmtp_node_log){.env = options->env,
                           .disk = options->dir == NULL ? xmtp_node_disk_memory() : disk,
                           .segment_len = options->segment_len,
                           .segment_age_ns = options->segment_age_ns};
    if (log->segment_len == 0) {
        log->segment_len = XMTP_NODE_SEGMENT_LEN;
    }
    (void)pthread_rwlock_init(&log->fds_lock, NULL);
    *out = log;
    return XMTP_OK;
}

xmtp_status xmtp_node_log_open_to_read(xmtp_node_log **out, const xmtp_node_log_options *options,
                                       xmtp_error *error)
{
    xmtp_node_log *log;
    *out = NULL;
    XMTP_TRY(make_log(&log, options));
    scan s = {.log = log, .options = options, .error = error, .is_read_only = true};
    xmtp_status status = set_dir(log, options->dir);
    status = status == XMTP_OK ? open_checked(log, &s) : status;
    if (status != XMTP_OK) {
        xmtp_node_log_close(log);
        return xmtp_fail_default(error, status, "opening the log");
    }
    *out = log;
    return XMTP_OK;
}

xmtp_status xmtp_node_log_open(xmtp_node_log **out, const xmtp_node_log_options *options,
                               xmtp_node_position from, xmtp_node_log_visit visit, void *context,
                               xmtp_error *error)
{
    xmtp_node_log *log;
    *out = NULL;
    XMTP_TRY(make_log(&log, options));
    scan s = {.log = log, .visit = visit, .context = context, .options = options, .error = error};
    xmtp_status status = open_into(log, options, from, &s);
    if (status != XMTP_OK) {
        xmtp_node_log_close(log);
        return xmtp_fail_default(error, status, "opening the log");
    }
    *out = log;
    return XMTP_OK;
}
