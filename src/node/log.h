/* log.h - the append-only log of the node: segment files in one folder, or in memory.
 *
 *     00000000.seg  00000001.seg  00000002.seg      each: 16 bytes of header, then records
 *                                      ^ end        (record.h) without gaps
 *
 * Promise: what append returned XMTP_OK for is on the disk (fdatasync) and is found again after any
 * crash. What it failed for is not in the log. Batches (runs of records ending with
 * XMTP_NODE_LAST_OF_BATCH) are there completely or not at all.
 *
 * While a log is appended to, the file of its last segment may go on with zeros behind the end; a log
 * that was closed in order has none.
 *
 * Threads: one thread at a time appends; any thread reads what has been appended, at any time.
 */
#ifndef XMTP_NODE_LOG_H
#define XMTP_NODE_LOG_H

#include "base/arena.h"
#include "node/disk.h"
#include "node/record.h"

enum {
    XMTP_NODE_SEGMENT_HEADER_LEN = 16,
    XMTP_NODE_SEGMENT_LEN =
        64 * 1024 * 1024,                   /* a segment that reached this is followed by another */
    XMTP_NODE_SEGMENT_LEN_MAX = 0x40000000, /* offsets fit in 32 bits with room for one batch */
};

typedef struct xmtp_node_log xmtp_node_log;

typedef struct xmtp_node_position {
    uint32_t segment;
    uint32_t offset;
} xmtp_node_position;

typedef struct xmtp_node_log_options {
    const xmtp_env *env;
    const char *dir;            /* existing folder; NULL: in memory, nothing is synced */
    const xmtp_node_disk *disk; /* NULL: the operating system's; must outlive the log */
    uint32_t segment_len;       /* 0: XMTP_NODE_SEGMENT_LEN */
    uint64_t segment_age_ns;    /* one this old is followed by another too; 0: it may be any age */
    void *notice_context;
    void (*notice)(void *context, const char *line); /* told what recovery cut; may be NULL */
} xmtp_node_log_options;

/* Called for each record of complete batches, in order; also for gaps, with the length of the hole
 * in len. */
typedef xmtp_status (*xmtp_node_log_visit)(void *context, const xmtp_node_record *record,
                                           xmtp_node_position at, uint32_t len);

/* Opens the folder and scans it from a position on ({0, 0}: all), calling visit. A torn tail, what
 * was being written when the node died, is cut off and told to notice.
 *
 * XMTP_E_CORRUPT  a record that had been synced is damaged or missing; error names file and offset.
 *                 Nothing was changed
 * XMTP_E_IO, XMTP_E_NOMEM, XMTP_E_DISK_FULL, or what visit returned */
xmtp_status xmtp_node_log_open(xmtp_node_log **out, const xmtp_node_log_options *options,
                               xmtp_node_position from, xmtp_node_log_visit visit, void *context,
                               xmtp_error *error);

/* As open, but changes nothing, scans nothing and takes no place from another process that appends:
 * only for reading what lies before an end that is known otherwise. */
xmtp_status xmtp_node_log_open_to_read(xmtp_node_log **out, const xmtp_node_log_options *options,
                                       xmtp_error *error);

uint32_t xmtp_node_log_segment_count(const xmtp_node_log *log);

/* Bytes of a segment's file, zeros behind the end included. XMTP_E_NOT_FOUND, XMTP_E_IO. */
xmtp_status xmtp_node_log_segment_size(xmtp_node_log *log, uint32_t segment, uint64_t *size);

/* How much of what lies behind the end of a log was left by an unfinished write; the rest is zeros. */
size_t xmtp_node_log_torn_len(xmtp_bytes tail);

/* Exactly n bytes of it. XMTP_E_NOT_FOUND, XMTP_E_IO. */
xmtp_status xmtp_node_log_segment_read(xmtp_node_log *log, uint32_t segment, uint64_t offset,
                                       uint8_t *out, size_t n);

/* Takes NULL. Nothing is lost: append has synced already. */
void xmtp_node_log_close(xmtp_node_log *log);

/* Where the next append will begin; starts a new segment when the present one is full. */
xmtp_status xmtp_node_log_prepare(xmtp_node_log *log, xmtp_node_position *at, xmtp_error *error);

/* Writes whole batches at the end and syncs them.
 * XMTP_E_DISK_FULL nothing was written, later tries may work
 * XMTP_E_IO        the disk failed. When it is not certain what it holds, all later appends fail
 * too: the node must be restarted. Reading goes on */
xmtp_status xmtp_node_log_append(xmtp_node_log *log, xmtp_bytes batches, xmtp_error *error);

/* Takes back the last append, which nobody has seen yet. at: what prepare gave for it. */
xmtp_status xmtp_node_log_undo(xmtp_node_log *log, xmtp_node_position at, xmtp_error *error);

/* The record of len bytes at a position, checked; its views live in the arena.
 * XMTP_E_NOT_FOUND it was dropped, XMTP_E_CORRUPT, XMTP_E_IO, XMTP_E_LIMIT arena full */
xmtp_status xmtp_node_log_read(xmtp_node_log *log, xmtp_node_position at, uint32_t len,
                               xmtp_arena *arena, xmtp_node_record *record, xmtp_error *error);

xmtp_node_position xmtp_node_log_end(const xmtp_node_log *log);

/* For xmtp_node_record_encode: random, made once for each log. */
uint32_t xmtp_node_log_salt(const xmtp_node_log *log);

/* ---- dropping old records: from one other thread, while appending and reading go on */

typedef struct xmtp_node_log_rewrite_options {
    uint8_t
        mask; /* bits that the segment's header has afterwards, besides those it had; not 0x80 */
    void *context;
    /* Asked once for each record, in order. */
    bool (*keep)(void *context, const xmtp_node_record *record, xmtp_node_position at);
    /* Called between that and the first write: the last moment at which all can still be read. */
    xmtp_status (*chosen)(void *context);
    void (*pause)(void *context); /* now and then while writing; may be NULL */
} xmtp_node_log_rewrite_options;

/* Takes records out of a segment before the last; the others keep their positions. On failure either
 * nothing has changed or all. Needs as much memory as the segment is long.
 * XMTP_E_CORRUPT, XMTP_E_IO, XMTP_E_DISK_FULL, XMTP_E_NOMEM, or what chosen returned */
xmtp_status xmtp_node_log_rewrite(xmtp_node_log *log, uint32_t segment,
                                  const xmtp_node_log_rewrite_options *options, xmtp_error *error);

/* The bits of a segment's header; 0: it was never rewritten. */
xmtp_status xmtp_node_log_mask(xmtp_node_log *log, uint32_t segment, uint8_t *mask);

/* The time of the first record of a segment (of its first gap: of the last in it).
 * XMTP_E_NOT_FOUND it has none yet. */
xmtp_status xmtp_node_log_first_time(xmtp_node_log *log, uint32_t segment, uint64_t *time_ns);

bool xmtp_node_log_was_dropped(xmtp_node_log *log, xmtp_node_position at);

#endif
