/* record.c - encoding and decoding of log records; the layout is drawn in record.h. */
#include "node/record.h"

#include "base/bytes.h"
#include "base/reader.h"
#include "base/status.h"
#include "node/crc32c.h"

enum { CRC_OFFSET = 4, BODY_OFFSET = 8, FLAGS_OFFSET = 13 };
static const uint32_t record_magic = 0x584d5231; /* "XMR1" */

size_t xmtp_node_record_len(const xmtp_node_record *record)
{
    return XMTP_NODE_RECORD_HEADER_LEN + record->topic.n + record->extra.n + record->payload.n;
}

static void store_u32(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 24);
    p[1] = (uint8_t)(value >> 16);
    p[2] = (uint8_t)(value >> 8);
    p[3] = (uint8_t)value;
}

xmtp_status xmtp_node_record_encode(const xmtp_node_record *record, uint32_t salt, xmtp_writer *w)
{
    XMTP_ENSURE(record->topic.n <= XMTP_NODE_TOPIC_LEN_MAX, XMTP_E_LIMIT);
    XMTP_ENSURE(record->extra.n <= XMTP_NODE_RECORD_LEN_MAX, XMTP_E_LIMIT);
    XMTP_ENSURE(record->payload.n <= XMTP_NODE_RECORD_LEN_MAX, XMTP_E_LIMIT);
    size_t len = xmtp_node_record_len(record);
    XMTP_ENSURE(len <= XMTP_NODE_RECORD_LEN_MAX, XMTP_E_LIMIT);
    size_t start = w->n;
    xmtp_writer_u32(w, record_magic);
    xmtp_writer_u32(w, 0);
    xmtp_writer_u32(w, (uint32_t)len);
    xmtp_writer_u8(w, (uint8_t)record->kind);
    xmtp_writer_u8(w, record->flags);
    xmtp_writer_u8(w, (uint8_t)record->topic.n);
    xmtp_writer_u8(w, 0);
    xmtp_writer_u32(w, (uint32_t)record->extra.n);
    xmtp_writer_u32(w, record->durable);
    xmtp_writer_u64(w, record->id);
    xmtp_writer_u64(w, record->time_ns);
    xmtp_writer_put(w, record->topic);
    xmtp_writer_put(w, record->extra);
    xmtp_writer_put(w, record->payload);
    XMTP_TRY(xmtp_writer_status(w));
    uint8_t *p = w->p + start;
    store_u32(p + CRC_OFFSET,
              xmtp_node_crc32c(salt, xmtp_bytes_of(p + BODY_OFFSET, len - BODY_OFFSET)));
    return XMTP_OK;
}

void xmtp_node_record_end_batch(uint8_t *p, size_t len, uint32_t salt)
{
    p[FLAGS_OFFSET] |= XMTP_NODE_LAST_OF_BATCH;
    store_u32(p + CRC_OFFSET,
              xmtp_node_crc32c(salt, xmtp_bytes_of(p + BODY_OFFSET, len - BODY_OFFSET)));
}

/* The fixed part; the lengths of what follows are in the views. */
static xmtp_status decode_header(xmtp_reader *r, xmtp_node_record *record, uint32_t *len,
                                 uint32_t *crc)
{
    uint32_t magic;
    uint8_t kind;
    uint8_t topic_len;
    uint8_t zero;
    uint32_t extra_len;
    XMTP_TRY(xmtp_reader_u32(r, &magic));
    XMTP_ENSURE(magic == record_magic, XMTP_E_CORRUPT);
    XMTP_TRY(xmtp_reader_u32(r, crc));
    XMTP_TRY(xmtp_reader_u32(r, len));
    XMTP_TRY(xmtp_reader_u8(r, &kind));
    XMTP_TRY(xmtp_reader_u8(r, &record->flags));
    XMTP_TRY(xmtp_reader_u8(r, &topic_len));
    XMTP_TRY(xmtp_reader_u8(r, &zero));
    XMTP_TRY(xmtp_reader_u32(r, &extra_len));
    XMTP_TRY(xmtp_reader_u32(r, &record->durable));
    XMTP_TRY(xmtp_reader_u64(r, &record->id));
    XMTP_TRY(xmtp_reader_u64(r, &record->time_ns));
    XMTP_ENSURE((kind >= 1 && kind < XMTP_NODE_KIND_COUNT) || kind == XMTP_NODE_GAP,
                XMTP_E_CORRUPT);
    XMTP_ENSURE(topic_len <= XMTP_NODE_TOPIC_LEN_MAX && zero == 0, XMTP_E_CORRUPT);
    XMTP_ENSURE(*len <= XMTP_NODE_RECORD_LEN_MAX, XMTP_E_CORRUPT);
    uint64_t before_payload = (uint64_t)XMTP_NODE_RECORD_HEADER_LEN + topic_len + extra_len;
    XMTP_ENSURE(*len >= before_payload, XMTP_E_CORRUPT);
    record->kind = (xmtp_node_kind)kind;
    record->topic.n = topic_len;
    record->extra.n = extra_len;
    record->payload.n = (size_t)(*len - before_payload);
    return XMTP_OK;
}

xmtp_status xmtp_node_record_decode(xmtp_bytes in, uint32_t salt, xmtp_node_record *record,
                                    size_t *len)
{
    xmtp_reader r = xmtp_reader_of(in);
    uint32_t crc;
    uint32_t record_len;
    XMTP_TRY(decode_header(&r, record, &record_len, &crc));
    XMTP_ENSURE(in.n >= record_len, XMTP_E_TRUNCATED);
    xmtp_bytes body = xmtp_bytes_of(in.p + BODY_OFFSET, record_len - BODY_OFFSET);
    XMTP_ENSURE(xmtp_node_crc32c(salt, body) == crc, XMTP_E_CORRUPT);
    XMTP_TRY(xmtp_reader_take(&r, record->topic.n, &record->topic));
    XMTP_TRY(xmtp_reader_take(&r, record->extra.n, &record->extra));
    XMTP_TRY(xmtp_reader_take(&r, record->payload.n, &record->payload));
    *len = record_len;
    return XMTP_OK;
}

/* ---- gaps */

xmtp_status xmtp_node_gap_encode(uint32_t len, const uint64_t last_id[XMTP_NODE_KIND_COUNT],
                                 uint64_t time_ns, uint32_t salt, xmtp_writer *w)
{
    xmtp_writer extra;
    XMTP_ENSURE(len >= XMTP_NODE_GAP_LEN, XMTP_E_ARGUMENT);
    xmtp_writer_init(&extra, w->alloc, XMTP_WRITER_MAX);
    xmtp_writer_u32(&extra, len - XMTP_NODE_GAP_LEN);
    for (int i = 1; i < XMTP_NODE_KIND_COUNT; i++) {
        xmtp_writer_u64(&extra, last_id[i]);
    }
    xmtp_node_record gap = {.kind = XMTP_NODE_GAP,
                            .flags = XMTP_NODE_LAST_OF_BATCH,
                            .time_ns = time_ns,
                            .extra = xmtp_writer_bytes(&extra)};
    xmtp_status status = xmtp_writer_status(&extra);
    status = status == XMTP_OK ? xmtp_node_record_encode(&gap, salt, w) : status;
    xmtp_writer_free(&extra);
    return status;
}

xmtp_status xmtp_node_gap_decode(const xmtp_node_record *record, uint32_t *hole_len,
                                 uint64_t last_id[XMTP_NODE_KIND_COUNT])
{
    xmtp_reader r = xmtp_reader_of(record->extra);
    XMTP_ENSURE(record->kind == XMTP_NODE_GAP, XMTP_E_CORRUPT);
    XMTP_TRY(xmtp_reader_u32(&r, hole_len));
    last_id[0] = 0;
    for (int i = 1; i < XMTP_NODE_KIND_COUNT; i++) {
        XMTP_TRY(xmtp_reader_u64(&r, &last_id[i]));
    }
    return xmtp_reader_end(&r);
}

xmtp_status xmtp_node_record_next(xmtp_bytes in, uint32_t salt, xmtp_node_record *record,
                                  size_t *span)
{
    uint32_t hole_len;
    uint64_t last_id[XMTP_NODE_KIND_COUNT];
    XMTP_TRY(xmtp_node_record_decode(in, salt, record, span));
    if (record->kind == XMTP_NODE_GAP) {
        XMTP_TRY(xmtp_node_gap_decode(record, &hole_len, last_id));
        XMTP_ENSURE(in.n - *span >= hole_len, XMTP_E_TRUNCATED);
        *span += hole_len;
    }
    return XMTP_OK;
}

xmtp_status xmtp_node_record_span(const uint8_t head[XMTP_NODE_GAP_LEN], uint64_t *span)
{
    xmtp_reader r = xmtp_reader_of(xmtp_bytes_of(head, XMTP_NODE_GAP_LEN));
    xmtp_node_record record;
    uint32_t len;
    uint32_t crc;
    uint32_t hole_len;
    XMTP_TRY(decode_header(&r, &record, &len, &crc));
    *span = len;
    if (record.kind == XMTP_NODE_GAP) {
        XMTP_ENSURE(len == XMTP_NODE_GAP_LEN, XMTP_E_CORRUPT);
        XMTP_TRY(xmtp_reader_u32(&r, &hole_len));
        *span += hole_len;
    }
    return XMTP_OK;
}
