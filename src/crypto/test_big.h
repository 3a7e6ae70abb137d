/* test_big.h - numbers of OpenSSL, to compare with; for tests only. */
#ifndef XMTP_CRYPTO_TEST_BIG_H
#define XMTP_CRYPTO_TEST_BIG_H

#include "crypto/test_chain.h"
#include "crypto/test_hex.h"

#include <openssl/bn.h>

static BN_CTX *context; /* made by a set-up */

static inline BIGNUM *big(const char *digits)
{
    BIGNUM *n = NULL;
    assert_true(BN_hex2bn(&n, digits) > 0);
    return n;
}

static inline BIGNUM *new_big(void)
{
    BIGNUM *n = BN_new();
    assert_non_null(n);
    return n;
}

static inline BIGNUM *copy_of_big(const BIGNUM *from)
{
    BIGNUM *n = BN_dup(from);
    assert_non_null(n);
    return n;
}

static inline void assert_same(const BIGNUM *a, const BIGNUM *b)
{
    if (BN_cmp(a, b) != 0) {
        char *left = BN_bn2hex(a);
        char *right = BN_bn2hex(b);
        fail_msg("%s is not %s", left, right);
    }
}

#endif
