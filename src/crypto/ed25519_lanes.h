/* ed25519_lanes.h - the equation of up to eight Ed25519 signatures at once, where the machine can; private
 * to this room. */
#ifndef XMTP_CRYPTO_ED25519_LANES_H
#define XMTP_CRYPTO_ED25519_LANES_H

#include "crypto/lanes.h"

/* What verification is about: R is the encoding of [S]B - [k]A (RFC 8032 section 5.1.7, without the
 * factor 8). All 32 bytes; s and k below the group order. */
typedef struct xmtp_ed25519_equation {
    const uint8_t *a;
    const uint8_t *r;
    const uint8_t *s;
    const uint8_t *k;
} xmtp_ed25519_equation;

/* Bit i is set when equation i of the first count, 1 to 8, holds, a is the shortest encoding of a point, and
 * neither a nor r is of small order. An unset bit says nothing: ask the single verification; bits from count
 * on say nothing at all. All eight equations must be given. Only where xmtp_has_lanes. Takes as long as it
 * takes: all of this is public. */
unsigned xmtp_ed25519_lanes(const xmtp_ed25519_equation equations[XMTP_LANES], size_t count);

/* By kind: vectors.h. */
unsigned xmtp_ed25519_avx2(const xmtp_ed25519_equation equations[XMTP_LANES], size_t count);
unsigned xmtp_ed25519_avx512(const xmtp_ed25519_equation equations[XMTP_LANES], size_t count);

#endif
