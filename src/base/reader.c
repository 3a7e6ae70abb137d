/* reader.c - big-endian integers and RFC 9420 vectors from foreign bytes. */
#include "base/reader.h"

#include "base/bytes.h"
#include "base/status.h"

xmtp_status xmtp_reader_take(xmtp_reader *r, size_t n, xmtp_bytes *out)
{
    XMTP_ENSURE(r->n >= n, XMTP_E_TRUNCATED);
    *out = xmtp_bytes_of(r->p, n);
    if (n > 0) {
        r->p += n;
        r->n -= n;
    }
    return XMTP_OK;
}

static xmtp_status read_big_endian(xmtp_reader *r, size_t n, uint64_t *out)
{
    xmtp_bytes bytes;
    XMTP_TRY(xmtp_reader_take(r, n, &bytes));
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++) {
        value = value << 8 | bytes.p[i];
    }
    *out = value;
    return XMTP_OK;
}

xmtp_status xmtp_reader_u8(xmtp_reader *r, uint8_t *out)
{
    uint64_t value;
    XMTP_TRY(read_big_endian(r, 1, &value));
    *out = (uint8_t)value;
    return XMTP_OK;
}

xmtp_status xmtp_reader_u16(xmtp_reader *r, uint16_t *out)
{
    uint64_t value;
    XMTP_TRY(read_big_endian(r, 2, &value));
    *out = (uint16_t)value;
    return XMTP_OK;
}

xmtp_status xmtp_reader_u32(xmtp_reader *r, uint32_t *out)
{
    uint64_t value;
    XMTP_TRY(read_big_endian(r, 4, &value));
    *out = (uint32_t)value;
    return XMTP_OK;
}

xmtp_status xmtp_reader_u64(xmtp_reader *r, uint64_t *out)
{
    return read_big_endian(r, 8, out);
}

xmtp_status xmtp_reader_varint(xmtp_reader *r, uint32_t *out)
{
    XMTP_ENSURE(r->n >= 1, XMTP_E_TRUNCATED);
    unsigned prefix = r->p[0] >> 6;
    XMTP_ENSURE(prefix != 3, XMTP_E_MALFORMED);
    size_t n = (size_t)1 << prefix;
    uint64_t value;
    xmtp_reader copy = *r;
    XMTP_TRY(read_big_endian(&copy, n, &value));
    value &= (UINT64_C(1) << (8 * n - 2)) - 1;
    /* RFC 9420 s 2.1.2: the smallest number of bytes that can hold the length. */
    XMTP_ENSURE(prefix == 0 || value >= (prefix == 1 ? 0x40 : 0x4000), XMTP_E_MALFORMED);
    *r = copy;
    *out = (uint32_t)value;
    return XMTP_OK;
}

xmtp_status xmtp_reader_vec(xmtp_reader *r, xmtp_bytes *out)
{
    xmtp_reader copy = *r;
    uint32_t n;
    XMTP_TRY(xmtp_reader_varint(&copy, &n));
    XMTP_TRY(xmtp_reader_take(&copy, n, out));
    *r = copy;
    return XMTP_OK;
}

xmtp_status xmtp_reader_vec_open(xmtp_reader *r, xmtp_reader *inner)
{
    xmtp_bytes bytes;
    XMTP_TRY(xmtp_reader_vec(r, &bytes));
    *inner = xmtp_reader_of(bytes);
    return XMTP_OK;
}

xmtp_status xmtp_reader_vec_exact(xmtp_reader *r, uint8_t *out, size_t n)
{
    xmtp_reader copy = *r;
    xmtp_bytes bytes;
    XMTP_TRY(xmtp_reader_vec(&copy, &bytes));
    XMTP_ENSURE(bytes.n == n, XMTP_E_LENGTH);
    xmtp_copy(out, bytes.p, n);
    *r = copy;
    return XMTP_OK;
}

xmtp_status xmtp_reader_end(const xmtp_reader *r)
{
    return r->n == 0 ? XMTP_OK : XMTP_E_TRAILING;
}
