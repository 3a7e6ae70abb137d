/* words_256.h - numbers of 256 bits as four words, the lowest first; private to this room, and for public numbers
 * only. Results may be the same objects as arguments. */
#ifndef XMTP_CRYPTO_WORDS_256_H
#define XMTP_CRYPTO_WORDS_256_H

#include <xmtp/base.h>

enum { WORDS = 4 };

typedef unsigned __int128 wide;

/* r = a - b; what is borrowed from above. */
static inline uint64_t words_subtract(uint64_t r[WORDS], const uint64_t a[WORDS],
                                      const uint64_t b[WORDS])
{
    uint64_t borrow = 0;
    for (size_t i = 0; i < WORDS; i++) {
        const wide difference = (wide)a[i] - b[i] - borrow;
        r[i] = (uint64_t)difference;
        borrow = (uint64_t)(difference >> 64) & 1;
    }
    return borrow;
}

/* r = a + b; what is carried above. */
static inline uint64_t words_add(uint64_t r[WORDS], const uint64_t a[WORDS],
                                 const uint64_t b[WORDS])
{
    wide sum = 0;
    for (size_t i = 0; i < WORDS; i++) {
        sum += (wide)a[i] + b[i];
        r[i] = (uint64_t)sum;
        sum >>= 64;
    }
    return (uint64_t)sum;
}

#endif
