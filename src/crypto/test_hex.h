/* test_hex.h - hexadecimal facts and the headers that cmocka wants first; for tests only. */
#ifndef XMTP_CRYPTO_TEST_HEX_H
#define XMTP_CRYPTO_TEST_HEX_H

#include "base/bytes.h"
#include "base/status.h"
#include "crypto/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// cmocka wants the headers above first
#include <cmocka.h>

/* A decoded fact; p has room for the largest message of these tests. */
typedef struct test_hex {
    uint8_t p[2048];
    size_t n;
} test_hex;

static inline test_hex hex(const char *text)
{
    test_hex h = {.n = strlen(text) / 2};
    assert_true(h.n <= sizeof h.p);
    assert_int_equal(xmtp_hex_decode(h.p, h.n, text, strlen(text)), XMTP_OK);
    return h;
}

static inline xmtp_bytes view(const test_hex *h)
{
    return xmtp_bytes_of(h->p, h->n);
}

static inline void assert_hex(const void *actual, size_t n, const char *expected)
{
    char text[4 * 1024 + 1];
    assert_true(n <= 2 * 1024);
    xmtp_hex_encode(text, xmtp_bytes_of(actual, n));
    assert_string_equal(text, expected);
}

static inline bool is_zero(const uint8_t *p, size_t n)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum |= p[i];
    }
    return sum == 0;
}

#endif
