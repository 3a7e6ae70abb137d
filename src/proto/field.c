/* field.c - keys, varints, lengths and groups of protobuf. */
#include "proto/field.h"

#include "base/bytes.h"
#include "base/status.h"

enum {
    TYPE_VARINT = 0,
    TYPE_64 = 1,
    TYPE_BYTES = 2,
    TYPE_GROUP = 3,
    TYPE_GROUP_END = 4,
    TYPE_32 = 5
};

static xmtp_status read_varint(xmtp_reader *r, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        uint8_t byte;
        XMTP_ENSURE(xmtp_reader_u8(r, &byte) == XMTP_OK, XMTP_E_MALFORMED);
        /* The tenth byte holds the 64th bit and nothing else. */
        XMTP_ENSURE(shift < 63 || byte < 2, XMTP_E_MALFORMED);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = value;
            return XMTP_OK;
        }
    }
    return XMTP_E_MALFORMED;
}

static xmtp_status read_key(xmtp_reader *r, xmtp_field *f)
{
    uint64_t key;
    XMTP_TRY(read_varint(r, &key));
    XMTP_ENSURE(key <= UINT32_MAX && key >> 3 != 0, XMTP_E_MALFORMED);
    *f = (xmtp_field){.number = (uint32_t)(key >> 3), .type = (uint8_t)(key & 7)};
    return XMTP_OK;
}

static xmtp_status read_bytes(xmtp_reader *r, xmtp_bytes *out)
{
    uint64_t n;
    XMTP_TRY(read_varint(r, &n));
    XMTP_ENSURE(n <= r->n, XMTP_E_MALFORMED);
    return xmtp_reader_take(r, (size_t)n, out);
}

static xmtp_status read_plain(xmtp_reader *r, xmtp_field *f)
{
    xmtp_bytes fixed;
    xmtp_status status = XMTP_E_MALFORMED;
    switch (f->type) {
    case TYPE_VARINT:
        return read_varint(r, &f->value);
    case TYPE_BYTES:
        return read_bytes(r, &f->bytes);
    case TYPE_64:
        status = xmtp_reader_take(r, 8, &fixed);
        break;
    case TYPE_32:
        status = xmtp_reader_take(r, 4, &fixed);
        break;
    }
    return status == XMTP_OK ? XMTP_OK : XMTP_E_MALFORMED;
}

/* Everything up to the end of a group that has just begun, groups inside it included. */
static xmtp_status skip_group(xmtp_reader *r, uint32_t number)
{
    uint32_t open[XMTP_FIELD_GROUPS_MAX] = {number};
    size_t depth = 1;
    while (depth > 0) {
        xmtp_field f;
        XMTP_TRY(read_key(r, &f));
        if (f.type == TYPE_GROUP) {
            XMTP_ENSURE(depth < XMTP_FIELD_GROUPS_MAX, XMTP_E_MALFORMED);
            open[depth++] = f.number;
        } else if (f.type == TYPE_GROUP_END) {
            XMTP_ENSURE(open[--depth] == f.number, XMTP_E_MALFORMED);
        } else {
            XMTP_TRY(read_plain(r, &f));
        }
    }
    return XMTP_OK;
}

xmtp_status xmtp_field_next(xmtp_reader *r, xmtp_field *f)
{
    XMTP_TRY(read_key(r, f));
    return f->type == TYPE_GROUP ? skip_group(r, f->number) : read_plain(r, f);
}

xmtp_status xmtp_field_u64(const xmtp_field *f, uint64_t *out)
{
    XMTP_ENSURE(f->type == TYPE_VARINT, XMTP_E_MALFORMED);
    *out = f->value;
    return XMTP_OK;
}

xmtp_status xmtp_field_bytes(const xmtp_field *f, xmtp_bytes *out)
{
    XMTP_ENSURE(f->type == TYPE_BYTES, XMTP_E_MALFORMED);
    *out = f->bytes;
    return XMTP_OK;
}

xmtp_status xmtp_field_message(const xmtp_field *f, xmtp_reader *out)
{
    XMTP_ENSURE(f->type == TYPE_BYTES, XMTP_E_MALFORMED);
    *out = xmtp_reader_of(f->bytes);
    return XMTP_OK;
}

/* Length of the UTF-8 sequence at p (RFC 3629: shortest form, no surrogates, up to U+10FFFF), or 0.
 */
static size_t utf8_sequence(const uint8_t *p, size_t n)
{
    uint8_t low = 0x80; /* bounds of the second byte */
    uint8_t high = 0xbf;
    size_t len;
    if (p[0] < 0x80) {
        return 1;
    } else if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        len = 2;
    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        len = 3;
        low = p[0] == 0xe0 ? 0xa0 : low;
        high = p[0] == 0xed ? 0x9f : high;
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        len = 4;
        low = p[0] == 0xf0 ? 0x90 : low;
        high = p[0] == 0xf4 ? 0x8f : high;
    } else {
        return 0;
    }
    if (len > n || p[1] < low || p[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return len;
}

bool xmtp_utf8_is_valid(xmtp_bytes text)
{
    for (size_t i = 0; i < text.n;) {
        size_t n = utf8_sequence(text.p + i, text.n - i);
        if (n == 0) {
            return false;
        }
        i += n;
    }
    return true;
}

xmtp_status xmtp_field_string(const xmtp_field *f, xmtp_bytes *out)
{
    XMTP_ENSURE(f->type == TYPE_BYTES && xmtp_utf8_is_valid(f->bytes), XMTP_E_MALFORMED);
    *out = f->bytes;
    return XMTP_OK;
}

/* ---- writing */

static size_t varint_of(uint64_t value, uint8_t out[10])
{
    size_t n = 0;
    while (value >= 0x80) {
        out[n++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    out[n++] = (uint8_t)value;
    return n;
}

static void put_varint(xmtp_writer *w, uint64_t value)
{
    uint8_t bytes[10];
    xmtp_writer_put(w, xmtp_bytes_of(bytes, varint_of(value, bytes)));
}

static void put_key(xmtp_writer *w, uint32_t number, unsigned type)
{
    put_varint(w, (uint64_t)number << 3 | type);
}

void xmtp_field_put_u64(xmtp_writer *w, uint32_t number, uint64_t value)
{
    if (value != 0) {
        put_key(w, number, TYPE_VARINT);
        put_varint(w, value);
    }
}

void xmtp_field_begin(xmtp_writer *w, uint32_t number, size_t content_len)
{
    put_key(w, number, TYPE_BYTES);
    put_varint(w, content_len);
}

void xmtp_field_put_message(xmtp_writer *w, uint32_t number, xmtp_bytes message)
{
    xmtp_field_begin(w, number, message.n);
    xmtp_writer_put(w, message);
}

void xmtp_field_put_bytes(xmtp_writer *w, uint32_t number, xmtp_bytes bytes)
{
    if (bytes.n > 0) {
        xmtp_field_put_message(w, number, bytes);
    }
}

static size_t varint_len(uint64_t value)
{
    uint8_t ignored[10];
    return varint_of(value, ignored);
}

size_t xmtp_field_len_u64(uint32_t number, uint64_t value)
{
    return value == 0 ? 0 : varint_len((uint64_t)number << 3) + varint_len(value);
}

size_t xmtp_field_len_message(uint32_t number, size_t content_len)
{
    return varint_len((uint64_t)number << 3) + varint_len(content_len) + content_len;
}

size_t xmtp_field_open(xmtp_writer *w, uint32_t number)
{
    put_key(w, number, TYPE_BYTES);
    return xmtp_writer_bytes(w).n;
}

/* The length is known only now: the content moves to make room for it. */
void xmtp_field_close(xmtp_writer *w, size_t mark)
{
    if (xmtp_writer_status(w) != XMTP_OK) {
        return;
    }
    uint8_t length[10];
    size_t content = xmtp_writer_bytes(w).n - mark;
    size_t n = varint_of(content, length);
    uint8_t *end = xmtp_writer_extend(w, n);
    if (end == NULL) {
        return;
    }
    uint8_t *start = end - content;
    memmove(start + n, start, content);
    memcpy(start, length, n);
}
