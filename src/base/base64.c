/* base64.c - see base64.h. For public data only: look-ups are not constant time. */
#include "base/base64.h"

#include "base/status.h"

void xmtp_base64_encode(char *out, xmtp_bytes in)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < in.n; i += 3) {
        size_t left = in.n - i;
        uint32_t bits = (uint32_t)in.p[i] << 16;
        bits |= left > 1 ? (uint32_t)in.p[i + 1] << 8 : 0;
        bits |= left > 2 ? in.p[i + 2] : 0;
        *out++ = digits[bits >> 18];
        *out++ = digits[bits >> 12 & 63];
        *out++ = left > 1 ? digits[bits >> 6 & 63] : '=';
        *out++ = left > 2 ? digits[bits & 63] : '=';
    }
}

static int digit_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == '+' || c == '-') {
        return 62;
    }
    return c == '/' || c == '_' ? 63 : -1;
}

/* The one or two bytes of an incomplete group of two or three characters. */
static void put_rest(xmtp_base64_reader *r, xmtp_writer *out)
{
    uint32_t bits = r->bits << 6 * (4 - r->count);
    xmtp_writer_u8(out, (uint8_t)(bits >> 16));
    if (r->count == 3) {
        xmtp_writer_u8(out, (uint8_t)(bits >> 8));
    }
    r->bits = 0;
    r->count = 0;
}

static xmtp_status take_padding(xmtp_base64_reader *r, xmtp_writer *out)
{
    if (r->padding > 0) {
        r->padding--;
        return XMTP_OK;
    }
    XMTP_ENSURE(r->count >= 2, XMTP_E_MALFORMED);
    r->padding = 3 - r->count;
    put_rest(r, out);
    return XMTP_OK;
}

xmtp_status xmtp_base64_read(xmtp_base64_reader *r, xmtp_bytes text, xmtp_writer *out)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '=') {
            XMTP_TRY(take_padding(r, out));
            continue;
        }
        int digit = digit_of(text.p[i]);
        XMTP_ENSURE(digit >= 0 && r->padding == 0, XMTP_E_MALFORMED);
        r->bits = r->bits << 6 | (uint32_t)digit;
        if (++r->count == 4) {
            const uint8_t bytes[] = {(uint8_t)(r->bits >> 16), (uint8_t)(r->bits >> 8),
                                     (uint8_t)r->bits};
            xmtp_writer_put(out, (xmtp_bytes){.p = bytes, .n = sizeof bytes});
            r->bits = 0;
            r->count = 0;
        }
    }
    return xmtp_writer_status(out);
}

xmtp_status xmtp_base64_finish(xmtp_base64_reader *r, xmtp_writer *out)
{
    XMTP_ENSURE(r->count != 1 && r->padding == 0, XMTP_E_MALFORMED);
    if (r->count > 0) {
        put_rest(r, out);
    }
    return xmtp_writer_status(out);
}
