/* reader.h - the one cursor with which all foreign bytes are parsed.
 *
 * A parser is a list of reads in the order of the RFC's struct, followed by xmtp_reader_end. Reads
 * give views into the input; nothing is copied. A failed read leaves the cursor where it was.
 * Integers are big-endian (RFC 8446 section 3.3). Threads: a reader belongs to one thread.
 */
#ifndef XMTP_BASE_READER_H
#define XMTP_BASE_READER_H

#include <xmtp/base.h>

typedef struct xmtp_reader {
    const uint8_t *p;
    size_t n; /* bytes left */
} xmtp_reader;

static inline xmtp_reader xmtp_reader_of(xmtp_bytes in)
{
    return (xmtp_reader){.p = in.p, .n = in.n};
}

/* XMTP_E_TRUNCATED when fewer bytes are left than asked for. */
xmtp_status xmtp_reader_u8(xmtp_reader *r, uint8_t *out);
xmtp_status xmtp_reader_u16(xmtp_reader *r, uint16_t *out);
xmtp_status xmtp_reader_u32(xmtp_reader *r, uint32_t *out);
xmtp_status xmtp_reader_u64(xmtp_reader *r, uint64_t *out);
xmtp_status xmtp_reader_take(xmtp_reader *r, size_t n, xmtp_bytes *out);

/* The length prefix of a vector: 1, 2 or 4 bytes (RFC 9420 section 2.1.2).
 * XMTP_E_MALFORMED for prefix 11 and for a length not in its shortest form. */
xmtp_status xmtp_reader_varint(xmtp_reader *r, uint32_t *out);

/* opaque x<V>: length prefix, then that many bytes. */
xmtp_status xmtp_reader_vec(xmtp_reader *r, xmtp_bytes *out);

/* The same as a reader of its own, for vectors of structs: loop while inner->n > 0. */
xmtp_status xmtp_reader_vec_open(xmtp_reader *r, xmtp_reader *inner);

/* A vector that must be exactly n bytes long, copied to out. XMTP_E_LENGTH otherwise. */
xmtp_status xmtp_reader_vec_exact(xmtp_reader *r, uint8_t *out, size_t n);

/* XMTP_E_TRAILING when bytes are left. */
xmtp_status xmtp_reader_end(const xmtp_reader *r);

/* What was read since a saved copy of the reader: the exact bytes, for signatures and hashes. */
static inline xmtp_bytes xmtp_reader_since(const xmtp_reader *r, const xmtp_reader *start)
{
    return (xmtp_bytes){.p = start->p, .n = start->n - r->n};
}

#endif
