/* modular_inverse.h - inverses modulo numbers of 256 bits, for public numbers only; private to this room. */
#ifndef XMTP_CRYPTO_MODULAR_INVERSE_H
#define XMTP_CRYPTO_MODULAR_INVERSE_H

#include <xmtp/base.h>

/* An odd prime between 2^255 and 2^256, the lowest word first, and -1 / v modulo 2^64. */
typedef struct xmtp_modulus {
    uint64_t v[4];
    uint64_t minus_inverse;
} xmtp_modulus;

/* r a = 1 modulo m, for a from 1 on and below m; r = 0 for a = 0. r may be a. Time depends on a. Any thread. */
void xmtp_modular_inverse(uint64_t r[4], const uint64_t a[4], const xmtp_modulus *m);

#endif
