/* secp256k1_scalar.h - numbers modulo n, the order of secp256k1 (SEC 2 section 2.4.1), and their halves for
 * the endomorphism; private to this room and for public numbers only: time depends on them.
 */
#ifndef XMTP_CRYPTO_SECP256K1_SCALAR_H
#define XMTP_CRYPTO_SECP256K1_SCALAR_H

#include <xmtp/base.h>

/* Below n. The lowest word first. */
typedef struct xmtp_scalar {
    uint64_t v[4];
} xmtp_scalar;

/* Multiplied by 2^256 modulo n, as the second factor of a product is wanted (Montgomery). */
typedef struct xmtp_scalar_factor {
    xmtp_scalar s;
} xmtp_scalar_factor;

/* A number of 128 bits, and its sign. */
typedef struct xmtp_scalar_half {
    uint64_t v[2];
    bool is_negative;
} xmtp_scalar_half;

/* 32 bytes, the highest first, reduced modulo n. Whether they were below it. */
bool xmtp_scalar_read(xmtp_scalar *r, const uint8_t in[32]);
void xmtp_scalar_write(const xmtp_scalar *a, uint8_t out[32]);

bool xmtp_scalar_is_zero(const xmtp_scalar *a);
/* Above (n - 1) / 2. */
bool xmtp_scalar_is_high(const xmtp_scalar *a);

/* r may be an argument. */
void xmtp_scalar_negate(xmtp_scalar *r, const xmtp_scalar *a);
void xmtp_scalar_multiply(xmtp_scalar *r, const xmtp_scalar *a, const xmtp_scalar_factor *b);

/* The inverses of count scalars from 1 on, at most 8, for little more than one costs. None may be zero. */
void xmtp_scalar_invert(xmtp_scalar_factor *inverses, const xmtp_scalar *scalars, size_t count);

/* k = halves[0] + halves[1] * lambda modulo n, where lambda^3 = 1: [lambda](x, y) = (beta x, y). */
void xmtp_scalar_split(xmtp_scalar_half halves[2], const xmtp_scalar *k);

#endif
