/* half_scalars.h - a scalar of edwards25519 as a quotient of two half as long; private to this room. */
#ifndef XMTP_CRYPTO_HALF_SCALARS_H
#define XMTP_CRYPTO_HALF_SCALARS_H

#include <xmtp/base.h>

/* e k = f modulo 8 times the group's order; e is odd and not 0, so for every point P of the curve eP is
 * neutral only when P is. Both little-endian, below 7 times 2^128. */
typedef struct xmtp_half_scalars {
    uint8_t e[32];
    uint8_t f[32]; /* its size */
    bool f_is_negative;
} xmtp_half_scalars;

/* k: 32 bytes, little-endian, below the order; public. False for four in a thousand, which have no such pair. */
bool xmtp_half_scalars_of(const uint8_t k[32], xmtp_half_scalars *out);

#endif
