/* bytes.c - comparing, wiping and hexadecimal. */
#include "base/bytes.h"

int xmtp_bytes_compare(xmtp_bytes a, xmtp_bytes b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n == 0 ? 0 : memcmp(a.p, b.p, n);
    if (order != 0) {
        return order;
    }
    return (a.n > b.n) - (a.n < b.n);
}

bool xmtp_ct_equal(const void *a, const void *b, size_t n)
{
    const volatile uint8_t *x = a;
    const volatile uint8_t *y = b;
    uint8_t difference = 0;
    for (size_t i = 0; i < n; i++) {
        difference |= (uint8_t)(x[i] ^ y[i]);
    }
    return difference == 0;
}

void xmtp_wipe(void *p, size_t n)
{
    if (n > 0) {
        memset(p, 0, n);
        __asm__ __volatile__("" : : "r"(p) : "memory"); /* the bytes count as read */
    }
}

void xmtp_hex_encode(char *out, xmtp_bytes in)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < in.n; i++) {
        out[2 * i] = digits[in.p[i] >> 4];
        out[2 * i + 1] = digits[in.p[i] & 15];
    }
    out[2 * in.n] = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

xmtp_status xmtp_hex_decode(uint8_t *out, size_t out_len, const char *text, size_t n)
{
    xmtp_status status = n == 2 * out_len ? XMTP_OK : XMTP_E_LENGTH;
    for (size_t i = 0; status == XMTP_OK && i < out_len; i++) {
        int high = hex_value(text[2 * i]);
        int low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            status = XMTP_E_MALFORMED;
        } else {
            out[i] = (uint8_t)(high << 4 | low);
        }
    }
    if (status != XMTP_OK) {
        xmtp_wipe(out, out_len);
    }
    return status;
}
