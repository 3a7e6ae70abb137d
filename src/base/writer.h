/* writer.h - the one growable byte buffer with which all output is built.
 *
 * Errors are sticky: after a failed write every further write does nothing and xmtp_writer_status
 * tells why, so that an encoder is a plain list of writes checked once at its end. Vectors are
 * opened and closed in pairs, so a wrong length cannot be written. Integers are big-endian.
 */
#ifndef XMTP_BASE_WRITER_H
#define XMTP_BASE_WRITER_H

#include "base/arena.h"

#include <xmtp/base.h>

typedef struct xmtp_writer {
    const xmtp_alloc *alloc;
    uint8_t *p;
    size_t n;
    size_t capacity;
    size_t n_max; /* ceiling; XMTP_E_LIMIT beyond it */
    xmtp_status status;
} xmtp_writer;

/* alloc must outlive the writer. n_max bounds the output; XMTP_WRITER_MAX where nothing smaller is
 * known. */
enum { XMTP_WRITER_MAX = 1 << 30 };
void xmtp_writer_init(xmtp_writer *w, const xmtp_alloc *alloc, size_t n_max);

/* Wipes and frees the buffer; the writer is then empty and can be used again. */
void xmtp_writer_free(xmtp_writer *w);

/* Empties (and wipes) but keeps the memory. Clears the sticky error. */
void xmtp_writer_clear(xmtp_writer *w);

/* The same, but frees the memory where it is more than keep_max bytes. */
void xmtp_writer_trim(xmtp_writer *w, size_t keep_max);

static inline xmtp_status xmtp_writer_status(const xmtp_writer *w)
{
    return w->status;
}

static inline xmtp_bytes xmtp_writer_bytes(const xmtp_writer *w)
{
    return (xmtp_bytes){.p = w->p, .n = w->n};
}

void xmtp_writer_u8(xmtp_writer *w, uint8_t value);
void xmtp_writer_u16(xmtp_writer *w, uint16_t value);
void xmtp_writer_u32(xmtp_writer *w, uint32_t value);
void xmtp_writer_u64(xmtp_writer *w, uint64_t value);
void xmtp_writer_put(xmtp_writer *w, xmtp_bytes bytes);

/* Room for n more bytes at once: what is long need not grow in steps, each of which copies. A hint;
 * failing sets the sticky error. */
void xmtp_writer_reserve(xmtp_writer *w, size_t n);

/* n bytes of room at the end for the caller to fill; NULL on failure. Valid until the next write.
 */
uint8_t *xmtp_writer_extend(xmtp_writer *w, size_t n);

/* A length prefix in its shortest form (RFC 9420 section 2.1.2); beyond 2^30-1 XMTP_E_LIMIT. */
void xmtp_writer_varint(xmtp_writer *w, size_t value);

/* opaque x<V> */
void xmtp_writer_vec(xmtp_writer *w, xmtp_bytes bytes);

/* Everything written between open and close becomes the content of one vector. open gives the mark
 * that close needs; pairs may nest. */
size_t xmtp_writer_vec_open(xmtp_writer *w);
void xmtp_writer_vec_close(xmtp_writer *w, size_t mark);

/* Hands the buffer to the caller, who frees it with alloc; the writer is empty afterwards. */
xmtp_status xmtp_writer_detach(xmtp_writer *w, uint8_t **p, size_t *n);

/* Ends a writer that was filled for an arena: copies its bytes there when status, which is that of
 * the filling, and the sticky error are XMTP_OK, and frees the writer in any case. Gives the first
 * failure. */
xmtp_status xmtp_writer_to_arena(xmtp_writer *w, xmtp_status status, xmtp_arena *arena,
                                 xmtp_bytes *out);

#endif
