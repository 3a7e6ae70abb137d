/* record.h - one record of the node's log: what is stored for ever and never rewritten.
 *
 *      0  magic       u32   finds record starts when a damaged log is examined
 *      4  crc         u32   CRC-32C of everything from offset 8 to the end of the record, seeded
 * with the log's salt: a sender cannot make bytes that look like a record 8  len         u32   of
 * the whole record, this header included 12  kind        u8 13  flags       u8 14  topic_len   u8
 *     15  zero        u8
 *     16  extra_len   u32
 *     20  durable     u32   up to here the segment was synced when this record was written
 *     24  id          u64   ascending within its kind
 *     32  time_ns     u64
 *     40  topic, extra, payload
 *
 * Integers are big-endian. The payload is the protobuf message exactly as readers receive it; extra
 * is what only the index needs: the content hash of a message, the address changes of an identity
 * update. A record is all that the index is made from, so the index can always be made again.
 */
#ifndef XMTP_NODE_RECORD_H
#define XMTP_NODE_RECORD_H

#include "base/writer.h"

#include <xmtp/base.h>

typedef enum xmtp_node_kind {
    XMTP_NODE_GROUP_MESSAGE = 1,
    XMTP_NODE_WELCOME = 2,
    XMTP_NODE_IDENTITY_UPDATE = 3,
    XMTP_NODE_COMMIT_LOG = 4,
    XMTP_NODE_KEY_PACKAGE = 5,

    XMTP_NODE_GAP = 100, /* where records were dropped, see log_rewrite.c */
} xmtp_node_kind;

enum {
    XMTP_NODE_KIND_COUNT = 6, /* arrays by kind; entry 0 is unused */

    XMTP_NODE_RECORD_HEADER_LEN = 40,
    XMTP_NODE_RECORD_TIME_OFFSET = 32,
    XMTP_NODE_GAP_LEN = 40 + 4 + 8 * (XMTP_NODE_KIND_COUNT - 1), /* without its hole */
    XMTP_NODE_RECORD_LEN_MAX = 64 * 1024 * 1024,                 /* above the largest request */
    XMTP_NODE_TOPIC_LEN_MAX = 64, /* group ids and keys have 16 and 32 bytes */
    XMTP_NODE_HASH_LEN = 32,

    /* flags */
    XMTP_NODE_LAST_OF_BATCH = 1, /* a batch is in the log up to here or not at all */
    XMTP_NODE_IS_COMMIT = 2,     /* group message: commit or proposal */
    XMTP_NODE_IS_POINTER = 4,    /* welcome: a welcome pointer */
};

typedef struct xmtp_node_record {
    xmtp_node_kind kind;
    uint8_t flags;
    uint32_t durable;
    uint64_t id;
    uint64_t time_ns;
    xmtp_bytes topic;
    xmtp_bytes extra;
    xmtp_bytes payload;
} xmtp_node_record;

/* Whole length in the log; the topic and the sum must be within the limits above. */
size_t xmtp_node_record_len(const xmtp_node_record *record);

/* Appends the record. XMTP_E_LIMIT when it is too long. */
xmtp_status xmtp_node_record_encode(const xmtp_node_record *record, uint32_t salt, xmtp_writer *w);

/* Marks an encoded record of len bytes as the last of its batch. */
void xmtp_node_record_end_batch(uint8_t *p, size_t len, uint32_t salt);

/* Reads the record that begins at in; *len is its length. in may go on behind it.
 * XMTP_E_TRUNCATED in ends before the record does, XMTP_E_CORRUPT magic, checksum or lengths are
 * wrong. */
xmtp_status xmtp_node_record_decode(xmtp_bytes in, uint32_t salt, xmtp_node_record *record,
                                    size_t *len);

/* As decode, but *span is the way to the next record: of a gap it includes the hole, which must be in
 * in as well. */
xmtp_status xmtp_node_record_next(xmtp_bytes in, uint32_t salt, xmtp_node_record *record,
                                  size_t *span);

/* The same from the first XMTP_NODE_GAP_LEN bytes of a record, unchecked. XMTP_E_CORRUPT. */
xmtp_status xmtp_node_record_span(const uint8_t head[XMTP_NODE_GAP_LEN], uint64_t *span);

/* A gap of len bytes, at least XMTP_NODE_GAP_LEN, in which the newest of each kind was last_id (0:
 * there was none) and the last record had time_ns. */
xmtp_status xmtp_node_gap_encode(uint32_t len, const uint64_t last_id[XMTP_NODE_KIND_COUNT],
                                 uint64_t time_ns, uint32_t salt, xmtp_writer *w);
xmtp_status xmtp_node_gap_decode(const xmtp_node_record *record, uint32_t *hole_len,
                                 uint64_t last_id[XMTP_NODE_KIND_COUNT]);

#endif
