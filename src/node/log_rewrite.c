/* log_rewrite.c - taking records out of a finished segment, without moving the others.
 *
 *     | A | B | C | D | E |    -->    | A | gap ......... | E |        B, C and D are dropped
 *
 * A gap is a record that says how many bytes to skip behind it and which ids went; the file has a
 * hole there, so the space is free while every other record stays at its offset. Positions in the
 * index, in answers and in subscriptions stay right. (Holes are whole pages of 4 KiB: what lies
 * alone between kept records stays allocated.)
 *
 * The new file is written beside the old one, synced, and renamed over it: after a crash there is
 * one or the other. Readers that are in the old one finish there.
 */
#include "node/log.h"

#include "base/bytes.h"
#include "base/status.h"
#include "node/log_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

enum { WRITE_LEN = 256 * 1024, SYNC_LEN = 1024 * 1024, MASK_OFFSET = 7 };

/* Adjacent dropped records, gaps among them. */
typedef struct run {
    uint32_t start;
    uint32_t len;
    uint64_t last_id[XMTP_NODE_KIND_COUNT];
    uint64_t time_ns;
} run;

typedef struct rewrite {
    xmtp_node_log *log;
    const xmtp_node_log_rewrite_options *options;
    uint32_t segment;
    uint8_t *data; /* the whole old file */
    size_t n;
    run *runs;
    size_t run_count;
    size_t run_capacity;
    int fd;          /* the new file */
    size_t unsynced; /* bytes */
    xmtp_error *error;
} rewrite;

/* ---- the mask of a segment: which classes have been taken out of it */

uint8_t xmtp_node_log_header_mask(const uint8_t header[XMTP_NODE_SEGMENT_HEADER_LEN])
{
    return header[MASK_OFFSET] == '1' ? 0 : header[MASK_OFFSET] & 0x7f;
}

xmtp_status xmtp_node_log_mask(xmtp_node_log *log, uint32_t segment, uint8_t *mask)
{
    uint8_t header[XMTP_NODE_SEGMENT_HEADER_LEN];
    int code = 0;
    int fd = xmtp_node_log_fd(log, segment);
    XMTP_ENSURE(fd >= 0, XMTP_E_NOT_FOUND);
    XMTP_TRY(xmtp_node_log_read_at(log, fd, header, sizeof header, 0, &code));
    *mask = xmtp_node_log_header_mask(header);
    return XMTP_OK;
}

/* ---- what goes */

static xmtp_status add_run(rewrite *r, uint32_t start)
{
    const xmtp_alloc *alloc = &r->log->env->alloc;
    if (r->run_count == r->run_capacity) {
        size_t capacity = r->run_capacity == 0 ? 64 : 2 * r->run_capacity;
        run *runs = alloc->reallocate(alloc->context, r->runs, capacity * sizeof *runs);
        XMTP_ENSURE(runs != NULL, XMTP_E_NOMEM);
        r->runs = runs;
        r->run_capacity = capacity;
    }
    r->runs[r->run_count++] = (run){.start = start};
    return XMTP_OK;
}

static xmtp_status drop(rewrite *r, uint32_t at, const xmtp_node_record *record, uint32_t span)
{
    run *last = r->run_count == 0 ? NULL : &r->runs[r->run_count - 1];
    if (last == NULL || last->start + last->len != at) {
        XMTP_TRY(add_run(r, at));
        last = &r->runs[r->run_count - 1];
    }
    last->len += span;
    last->time_ns = record->time_ns;
    if (record->kind != XMTP_NODE_GAP) {
        last->last_id[record->kind] = record->id;
        return XMTP_OK;
    }
    uint64_t last_id[XMTP_NODE_KIND_COUNT];
    uint32_t hole;
    XMTP_TRY(xmtp_node_gap_decode(record, &hole, last_id));
    for (int i = 1; i < XMTP_NODE_KIND_COUNT; i++) {
        last->last_id[i] = last_id[i] > 0 ? last_id[i] : last->last_id[i];
    }
    return XMTP_OK;
}

static xmtp_status choose(rewrite *r)
{
    for (size_t at = XMTP_NODE_SEGMENT_HEADER_LEN; at < r->n;) {
        xmtp_node_record record;
        size_t span;
        xmtp_status status = xmtp_node_record_next(xmtp_bytes_of(r->data + at, r->n - at),
                                                   r->log->salt, &record, &span);
        if (status != XMTP_OK) {
            return xmtp_fail(r->error, XMTP_E_CORRUPT,
                             "log segment %08" PRIx32 ".seg: damaged record at offset %zu",
                             r->segment, at);
        }
        xmtp_node_position position = {.segment = r->segment, .offset = (uint32_t)at};
        bool is_kept = record.kind != XMTP_NODE_GAP &&
                       (span < XMTP_NODE_GAP_LEN || /* no room to say that it went */
                        r->options->keep(r->options->context, &record, position));
        XMTP_TRY(is_kept ? XMTP_OK : drop(r, (uint32_t)at, &record, (uint32_t)span));
        at += span;
    }
    return XMTP_OK;
}

/* ---- the new file */

static void path_of(const rewrite *r, const char *ending, char out[XMTP_NODE_LOG_PATH_MAX])
{
    (void)snprintf(out, XMTP_NODE_LOG_PATH_MAX, "%s/%08" PRIx32 "%s",
                   r->log->dir == NULL ? "" : r->log->dir, r->segment, ending);
}

/* In pieces that are synced as they come, so that the disk is never busy with much of it at once
 * while somebody waits for an append. */
static int write_bytes(rewrite *r, const uint8_t *p, size_t n, uint64_t offset)
{
    int code = 0;
    while (n > 0) {
        size_t piece = n < WRITE_LEN ? n : WRITE_LEN;
        if (xmtp_node_log_write_at(r->log, r->fd, xmtp_bytes_of(p, piece), offset, &code) !=
            XMTP_OK) {
            return code;
        }
        r->unsynced += piece;
        if (r->unsynced >= SYNC_LEN) {
            if (r->log->disk->sync(r->log->disk->context, r->fd) != 0) {
                return errno;
            }
            r->unsynced = 0;
            if (r->options->pause != NULL) {
                r->options->pause(r->options->context);
            }
        }
        p += piece;
        n -= piece;
        offset += piece;
    }
    return 0;
}

static int write_gap(rewrite *r, const run *gap)
{
    xmtp_writer w;
    xmtp_writer_init(&w, &r->log->env->alloc, XMTP_WRITER_MAX);
    xmtp_status status =
        xmtp_node_gap_encode(gap->len, gap->last_id, gap->time_ns, r->log->salt, &w);
    int code = status == XMTP_OK ? write_bytes(r, w.p, w.n, gap->start) : ENOMEM;
    xmtp_writer_free(&w);
    return code;
}

static int write_content(rewrite *r)
{
    uint8_t header[XMTP_NODE_SEGMENT_HEADER_LEN];
    size_t at = sizeof header;
    memcpy(header, r->data, sizeof header);
    header[MASK_OFFSET] = (uint8_t)(0x80 | xmtp_node_log_header_mask(r->data) | r->options->mask);
    int code = write_bytes(r, header, sizeof header, 0);
    for (size_t i = 0; i < r->run_count && code == 0; i++) {
        const run *gap = &r->runs[i];
        code = write_bytes(r, r->data + at, gap->start - at, at);
        code = code == 0 ? write_gap(r, gap) : code;
        at = gap->start + gap->len;
    }
    code = code == 0 ? write_bytes(r, r->data + at, r->n - at, at) : code;
    if (code == 0 && (r->log->disk->truncate(r->log->disk->context, r->fd, r->n) != 0 ||
                      r->log->disk->sync(r->log->disk->context, r->fd) != 0)) {
        code = errno;
    }
    return code;
}

static xmtp_status swap(rewrite *r)
{
    const xmtp_node_disk *disk = r->log->disk;
    char from[XMTP_NODE_LOG_PATH_MAX];
    char to[XMTP_NODE_LOG_PATH_MAX];
    path_of(r, ".new", from);
    path_of(r, ".seg", to);
    int code = 0;
    r->fd = disk->open(disk->context, from, true);
    if (r->fd < 0) {
        return xmtp_node_log_errno(r->error, errno, "cannot rewrite", r->segment);
    }
    code = write_content(r);
    if (code == 0 && disk->rename(disk->context, from, to) != 0) {
        code = errno;
    }
    if (code != 0) {
        (void)disk->close(disk->context, r->fd);
        (void)disk->unlink(disk->context, from);
        return xmtp_node_log_errno(r->error, code, "cannot rewrite", r->segment);
    }
    /* From here on either file may be found after a crash, and both are right. */
    code =
        disk->replace(disk->context, xmtp_node_log_fd(r->log, r->segment), r->fd) == 0 ? 0 : errno;
    if (disk->sync_dir(disk->context, r->log->dir) != 0) {
        code = errno;
    }
    return code == 0 ? XMTP_OK : xmtp_node_log_errno(r->error, code, "cannot rewrite", r->segment);
}

static xmtp_status load(rewrite *r)
{
    const xmtp_alloc *alloc = &r->log->env->alloc;
    int fd = xmtp_node_log_fd(r->log, r->segment);
    uint64_t size = 0;
    int code = ENOENT;
    if (fd < 0 || r->log->disk->size(r->log->disk->context, fd, &size) != 0 ||
        size < XMTP_NODE_SEGMENT_HEADER_LEN || size > UINT32_MAX) {
        return xmtp_node_log_errno(r->error, code, "cannot read", r->segment);
    }
    r->n = (size_t)size;
    r->data = alloc->reallocate(alloc->context, NULL, r->n);
    XMTP_ENSURE(r->data != NULL, XMTP_E_NOMEM);
    if (xmtp_node_log_read_at(r->log, fd, r->data, r->n, 0, &code) != XMTP_OK) {
        return xmtp_node_log_errno(r->error, code, "cannot read", r->segment);
    }
    return XMTP_OK;
}

static xmtp_status run_all(rewrite *r)
{
    XMTP_TRY(load(r));
    XMTP_TRY(choose(r));
    XMTP_TRY(r->options->chosen == NULL ? XMTP_OK : r->options->chosen(r->options->context));
    return swap(r);
}

xmtp_status xmtp_node_log_rewrite(xmtp_node_log *log, uint32_t segment,
                                  const xmtp_node_log_rewrite_options *options, xmtp_error *error)
{
    const xmtp_alloc *alloc = &log->env->alloc;
    rewrite r = {.log = log, .options = options, .segment = segment, .fd = -1, .error = error};
    xmtp_status status = run_all(&r);
    (void)alloc->reallocate(alloc->context, r.data, 0);
    (void)alloc->reallocate(alloc->context, r.runs, 0);
    return status;
}

/* ---- asking */

/* Only the heads of records are read: the way to the place is not long, and nobody goes it but who
 * had a place in hand while it was dropped. */
static xmtp_status read_head(xmtp_node_log *log, int fd, uint64_t offset,
                             uint8_t head[XMTP_NODE_GAP_LEN])
{
    uint64_t size;
    int code;
    XMTP_ENSURE(log->disk->size(log->disk->context, fd, &size) == 0 && offset < size, XMTP_E_IO);
    size_t n = size - offset < XMTP_NODE_GAP_LEN ? (size_t)(size - offset) : XMTP_NODE_GAP_LEN;
    memset(head, 0, XMTP_NODE_GAP_LEN);
    return xmtp_node_log_read_at(log, fd, head, n, offset, &code);
}

static xmtp_status walk_to(xmtp_node_log *log, int fd, xmtp_node_position at, bool *is_dropped)
{
    uint8_t head[XMTP_NODE_GAP_LEN];
    for (uint64_t offset = XMTP_NODE_SEGMENT_HEADER_LEN; offset < at.offset;) {
        uint64_t span;
        XMTP_TRY(read_head(log, fd, offset, head));
        XMTP_TRY(xmtp_node_record_span(head, &span));
        *is_dropped = at.offset < offset + span;
        XMTP_ENSURE(!*is_dropped, XMTP_OK);
        offset += span;
    }
    xmtp_node_record record;
    size_t n;
    XMTP_TRY(read_head(log, fd, at.offset, head));
    *is_dropped = xmtp_node_record_decode(xmtp_bytes_of(head, sizeof head), log->salt, &record,
                                          &n) == XMTP_OK &&
                  record.kind == XMTP_NODE_GAP;
    return XMTP_OK;
}

bool xmtp_node_log_was_dropped(xmtp_node_log *log, xmtp_node_position at)
{
    uint8_t mask = 0;
    bool is_dropped = false;
    return xmtp_node_log_mask(log, at.segment, &mask) == XMTP_OK && mask != 0 &&
           walk_to(log, xmtp_node_log_fd(log, at.segment), at, &is_dropped) == XMTP_OK &&
           is_dropped;
}
