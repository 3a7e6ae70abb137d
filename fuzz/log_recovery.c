/* log_recovery.c - fuzzes the recovery of a log: two segments of any content, opened as after a crash.
 *
 *     bit 0 of the first byte      checksums are put right, so that what is behind them is reached
 *     the next two bytes           how much of the rest is the first segment
 *
 * What must hold: a log that opens, opens again without another word and with the same records; each
 * record that was told can be read; and can be appended to. A log that is refused as damaged was not
 * changed.
 */
#include "base/bytes.h"
#include "node/address_change.h"
#include "node/crc32c.h"
#include "node/log.h"
#include "node/test_disk.h"

#include <stdlib.h>

enum { PLACES_MAX = 64, CRC_OFFSET = 4, LEN_OFFSET = 8 };

static const char magic[] = "XMR1";
static const char header[] = "XMTPLOG1"; /* then salt and number of the segment */

typedef struct visits {
    xmtp_node_position at[PLACES_MAX];
    uint32_t len[PLACES_MAX];
    size_t count;
    size_t notices;
} visits;

static uint32_t load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void store_u32(uint8_t *p, uint32_t value)
{
    for (size_t i = 0; i < 4; i++) {
        p[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

/* Whatever looks like a record gets its checksum. */
static void seal(uint8_t *p, size_t n, uint32_t salt)
{
    for (size_t at = XMTP_NODE_SEGMENT_HEADER_LEN; at + XMTP_NODE_RECORD_HEADER_LEN <= n; at++) {
        size_t len = load_u32(p + at + LEN_OFFSET);
        if (memcmp(p + at, magic, 4) == 0 && len >= XMTP_NODE_RECORD_HEADER_LEN && len <= n - at) {
            store_u32(p + at + CRC_OFFSET,
                      xmtp_node_crc32c(salt, xmtp_bytes_of(p + at + LEN_OFFSET, len - LEN_OFFSET)));
            at += len - 1;
        }
    }
}

static void write_file(test_disk *d, const char *path, const uint8_t *p, size_t n)
{
    int file = d->disk.open(d->disk.context, path, true);
    if (file < 0 || d->disk.pwrite(d->disk.context, file, p, n, 0) != (ssize_t)n ||
        d->disk.sync(d->disk.context, file) != 0 || d->disk.close(d->disk.context, file) != 0) {
        abort();
    }
}

static void write_segment(test_disk *d, uint32_t number, xmtp_bytes content, bool is_sealed)
{
    char path[32];
    size_t n = XMTP_NODE_SEGMENT_HEADER_LEN + content.n;
    uint8_t *p = malloc(n);
    memset(p, 0, XMTP_NODE_SEGMENT_HEADER_LEN);
    memcpy(p, header, 8);
    store_u32(p + 12, number);
    xmtp_copy(p + XMTP_NODE_SEGMENT_HEADER_LEN, content.p, content.n);
    if (is_sealed) {
        seal(p, n, 0);
    }
    (void)snprintf(path, sizeof path, "log/%08x.seg", (unsigned)number);
    write_file(d, path, p, n);
    free(p);
}

static void note(void *context, const char *line)
{
    (void)line;
    ((visits *)context)->notices++;
}

static xmtp_status visit(void *context, const xmtp_node_record *record, xmtp_node_position at,
                         uint32_t len)
{
    visits *v = context;
    if (record->kind != XMTP_NODE_GAP && v->count < PLACES_MAX) {
        v->at[v->count] = at;
        v->len[v->count] = len;
    }
    v->count++;
    return XMTP_OK;
}

static xmtp_status open_log(xmtp_node_log **log, test_disk *d, visits *v)
{
    xmtp_error error = {0};
    xmtp_node_log_options options = {.env = xmtp_env_system(),
                                     .dir = "log",
                                     .disk = &d->disk,
                                     .notice_context = v,
                                     .notice = note};
    *v = (visits){.count = 0};
    return xmtp_node_log_open(log, &options, (xmtp_node_position){0}, visit, v, &error);
}

static uint64_t digest(test_disk *d)
{
    uint64_t sum = 14695981039346656037U; /* FNV-1a over all that can be read */
    for (int i = 0; i < d->inode_count; i++) {
        for (uint64_t k = 0; k < d->inodes[i].seen.n; k++) {
            sum = (sum ^ d->inodes[i].seen.p[k]) * 1099511628211U;
        }
    }
    return sum;
}

static void read_all(xmtp_node_log *log, const visits *v)
{
    for (size_t i = 0; i < v->count && i < PLACES_MAX; i++) {
        xmtp_arena arena;
        xmtp_node_record record;
        if (v->len[i] == 0) {
            continue; /* a gap */
        }
        xmtp_arena_init(&arena, &xmtp_env_system()->alloc, (size_t)v->len[i] + 64);
        if (xmtp_node_log_read(log, v->at[i], v->len[i], &arena, &record, NULL) != XMTP_OK) {
            abort();
        }
        xmtp_arena_reset(&arena);
    }
}

static void append_one(xmtp_node_log *log)
{
    xmtp_writer w;
    xmtp_node_position at;
    xmtp_writer_init(&w, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    if (xmtp_node_log_prepare(log, &at, NULL) == XMTP_OK) {
        xmtp_node_record record = {.kind = XMTP_NODE_WELCOME,
                                   .durable = at.offset,
                                   .id = 1000,
                                   .time_ns = UINT64_MAX / 2,
                                   .topic = xmtp_bytes_of_string("topic")};
        if (xmtp_node_record_encode(&record, xmtp_node_log_salt(log), &w) != XMTP_OK) {
            abort();
        }
        xmtp_node_record_end_batch(w.p, w.n, xmtp_node_log_salt(log));
        if (xmtp_node_log_append(log, xmtp_writer_bytes(&w), NULL) != XMTP_OK) {
            abort();
        }
    }
    xmtp_writer_free(&w);
}

static void check_sound(xmtp_node_log *log, test_disk *d, const visits *first)
{
    visits again;
    read_all(log, first);
    xmtp_node_log_close(log);
    if (open_log(&log, d, &again) != XMTP_OK || again.count != first->count || again.notices > 0) {
        abort();
    }
    append_one(log);
    xmtp_node_log_close(log);
    if (open_log(&log, d, &again) != XMTP_OK || again.count < first->count) {
        abort();
    }
    xmtp_node_log_close(log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    xmtp_node_log *log;
    visits v;
    if (n < 3) {
        return 0;
    }
    test_disk *d = test_disk_new(1);
    xmtp_bytes rest = xmtp_bytes_of(data + 3, n - 3);
    size_t split = (size_t)data[1] << 8 | data[2];
    bool is_sealed = (data[0] & 1) != 0;
    split = split < rest.n ? split : rest.n;
    write_segment(d, 0, xmtp_bytes_of(rest.p, split), is_sealed);
    if (split < rest.n) {
        write_segment(d, 1, xmtp_bytes_of(rest.p + split, rest.n - split), is_sealed);
    }
    if (d->disk.sync_dir(d->disk.context, "log") != 0) {
        abort();
    }
    uint64_t before = digest(d);
    xmtp_status status = open_log(&log, d, &v);
    if (status == XMTP_OK) {
        check_sound(log, d, &v);
    } else if (status == XMTP_E_CORRUPT && digest(d) != before) {
        abort();
    }
    test_disk_free(d);
    return 0;
}
