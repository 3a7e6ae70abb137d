/* writer.c - a growable buffer with a sticky error and RFC 9420 vectors. */
#include "base/writer.h"

#include "base/bytes.h"
#include "base/status.h"

void xmtp_writer_init(xmtp_writer *w, const xmtp_alloc *alloc, size_t n_max)
{
    *w = (xmtp_writer){.alloc = alloc, .n_max = n_max};
}

void xmtp_writer_clear(xmtp_writer *w)
{
    if (w->p != NULL) {
        xmtp_wipe(w->p, w->n);
    }
    w->n = 0;
    w->status = XMTP_OK;
}

void xmtp_writer_free(xmtp_writer *w)
{
    xmtp_writer_clear(w);
    if (w->p != NULL) {
        (void)w->alloc->reallocate(w->alloc->context, w->p, 0);
    }
    w->p = NULL;
    w->capacity = 0;
}

void xmtp_writer_trim(xmtp_writer *w, size_t keep_max)
{
    if (w->capacity > keep_max) {
        xmtp_writer_free(w);
    }
    xmtp_writer_clear(w);
}

/* Grows by moving to fresh memory: a plain realloc could leave a copy of secrets behind. */
static xmtp_status grow(xmtp_writer *w, size_t needed)
{
    size_t capacity = w->capacity == 0 ? 256 : w->capacity;
    while (capacity < needed) {
        capacity *= 2; /* needed <= n_max <= 2^30, so this cannot overflow */
    }
    uint8_t *p = w->alloc->reallocate(w->alloc->context, NULL, capacity);
    XMTP_ENSURE(p != NULL, XMTP_E_NOMEM);
    xmtp_copy(p, w->p, w->n);
    if (w->p != NULL) {
        xmtp_wipe(w->p, w->n);
        (void)w->alloc->reallocate(w->alloc->context, w->p, 0);
    }
    w->p = p;
    w->capacity = capacity;
    return XMTP_OK;
}

void xmtp_writer_reserve(xmtp_writer *w, size_t n)
{
    size_t needed;
    if (w->status != XMTP_OK) {
        return;
    }
    if (!xmtp_size_add(&needed, w->n, n) || needed > w->n_max || needed > XMTP_WRITER_MAX) {
        w->status = XMTP_E_LIMIT;
    } else if (needed > w->capacity || w->p == NULL) {
        w->status = grow(w, needed);
    }
}

uint8_t *xmtp_writer_extend(xmtp_writer *w, size_t n)
{
    xmtp_writer_reserve(w, n);
    if (w->status != XMTP_OK) {
        return NULL;
    }
    uint8_t *p = w->p + w->n;
    w->n += n;
    return p;
}

static void put_big_endian(xmtp_writer *w, uint64_t value, size_t n)
{
    uint8_t *p = xmtp_writer_extend(w, n);
    for (size_t i = 0; p != NULL && i < n; i++) {
        p[i] = (uint8_t)(value >> (8 * (n - 1 - i)));
    }
}

void xmtp_writer_u8(xmtp_writer *w, uint8_t value)
{
    put_big_endian(w, value, 1);
}

void xmtp_writer_u16(xmtp_writer *w, uint16_t value)
{
    put_big_endian(w, value, 2);
}

void xmtp_writer_u32(xmtp_writer *w, uint32_t value)
{
    put_big_endian(w, value, 4);
}

void xmtp_writer_u64(xmtp_writer *w, uint64_t value)
{
    put_big_endian(w, value, 8);
}

void xmtp_writer_put(xmtp_writer *w, xmtp_bytes bytes)
{
    uint8_t *p = xmtp_writer_extend(w, bytes.n);
    if (p != NULL) {
        xmtp_copy(p, bytes.p, bytes.n);
    }
}

static size_t varint_len(size_t value)
{
    return value < 0x40 ? 1 : value < 0x4000 ? 2 : 4;
}

static uint32_t varint_bits(size_t value, size_t n)
{
    return (uint32_t)value | (n == 1 ? 0 : n == 2 ? 0x4000U : 0x80000000U);
}

void xmtp_writer_varint(xmtp_writer *w, size_t value)
{
    if (value >= UINT32_C(1) << 30) {
        w->status = w->status == XMTP_OK ? XMTP_E_LIMIT : w->status;
        return;
    }
    size_t n = varint_len(value);
    put_big_endian(w, varint_bits(value, n), n);
}

void xmtp_writer_vec(xmtp_writer *w, xmtp_bytes bytes)
{
    xmtp_writer_varint(w, bytes.n);
    xmtp_writer_put(w, bytes);
}

/* The content is written first and moved up when the length, and so the size of the prefix, is
 * known. */
size_t xmtp_writer_vec_open(xmtp_writer *w)
{
    return w->n;
}

void xmtp_writer_vec_close(xmtp_writer *w, size_t mark)
{
    if (w->status != XMTP_OK) {
        return;
    }
    size_t content_len = w->n - mark;
    size_t n = varint_len(content_len);
    if (xmtp_writer_extend(w, n) == NULL) {
        return;
    }
    memmove(w->p + mark + n, w->p + mark, content_len);
    uint32_t bits = varint_bits(content_len, n);
    for (size_t i = 0; i < n; i++) {
        w->p[mark + i] = (uint8_t)(bits >> (8 * (n - 1 - i)));
    }
}

xmtp_status xmtp_writer_detach(xmtp_writer *w, uint8_t **p, size_t *n)
{
    *p = NULL;
    *n = 0;
    XMTP_TRY(w->status);
    *p = w->p;
    *n = w->n;
    w->p = NULL;
    w->n = 0;
    w->capacity = 0;
    return XMTP_OK;
}

xmtp_status xmtp_writer_to_arena(xmtp_writer *w, xmtp_status status, xmtp_arena *arena,
                                 xmtp_bytes *out)
{
    if (status == XMTP_OK) {
        status = xmtp_writer_status(w);
    }
    if (status == XMTP_OK) {
        status = xmtp_arena_copy(arena, xmtp_writer_bytes(w), out);
    }
    xmtp_writer_free(w);
    return status;
}
