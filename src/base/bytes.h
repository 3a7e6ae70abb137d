/* bytes.h - small helpers over xmtp_bytes: comparing, wiping, hexadecimal, checked sizes. */
#ifndef XMTP_BASE_BYTES_H
#define XMTP_BASE_BYTES_H

#include <string.h>
#include <xmtp/base.h>

static inline xmtp_bytes xmtp_bytes_of(const void *p, size_t n)
{
    return (xmtp_bytes){.p = (const uint8_t *)p, .n = n};
}

static inline xmtp_bytes xmtp_bytes_of_string(const char *s)
{
    return (xmtp_bytes){.p = (const uint8_t *)s, .n = s == NULL ? 0 : strlen(s)};
}

/* Same length and content. Not constant time: for public data only. */
static inline bool xmtp_bytes_equal(xmtp_bytes a, xmtp_bytes b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Order of memcmp, a shorter string before a longer one that it begins. For public data only. */
int xmtp_bytes_compare(xmtp_bytes a, xmtp_bytes b);

/* memcpy that allows n = 0 with null pointers. */
static inline void xmtp_copy(void *to, const void *from, size_t n)
{
    if (n > 0) {
        memcpy(to, from, n);
    }
}

/* Compares n bytes in time that depends on n only. For secrets and tags. */
bool xmtp_ct_equal(const void *a, const void *b, size_t n);

/* Overwrites n bytes with zeros; the compiler cannot drop the call. p may be NULL when n is 0. */
void xmtp_wipe(void *p, size_t n);

/* out receives 2n lower-case digits and a zero byte, so 2n + 1 bytes. */
void xmtp_hex_encode(char *out, xmtp_bytes in);

/* Decodes exactly 2 * out_len hex digits of either case from text of n characters.
 * XMTP_E_LENGTH wrong number of digits, XMTP_E_MALFORMED not a digit; out is zeroed on failure. */
xmtp_status xmtp_hex_decode(uint8_t *out, size_t out_len, const char *text, size_t n);

/* *out = a + b or a * b; false when that does not fit. For arithmetic on foreign numbers. */
static inline bool xmtp_size_add(size_t *out, size_t a, size_t b)
{
    return !__builtin_add_overflow(a, b, out);
}

static inline bool xmtp_size_mul(size_t *out, size_t a, size_t b)
{
    return !__builtin_mul_overflow(a, b, out);
}

#endif
