/* ed25519_base_lanes.h - the base point of edwards25519 times one secret number, fast where the machine
 * has lanes; private to this room. */
#ifndef XMTP_CRYPTO_ED25519_BASE_LANES_H
#define XMTP_CRYPTO_ED25519_BASE_LANES_H

#include "crypto/field_25519.h"
#include "crypto/lanes.h"

/* The point (X / Z, Y / Z). The three say more about k than the point does: to be wiped. */
typedef struct xmtp_ed25519_product {
    element x, y, z;
} xmtp_ed25519_product;

/* r = [k]B of RFC 8032 section 5.1. k is any number below 2^255 in 32 bytes, least significant first,
 * and is taken as it is: neither clamped nor reduced. Constant time. Only where xmtp_has_lanes.
 * Threads: any; the first call makes a table, which takes some 0.2 ms. */
void xmtp_ed25519_base_lanes(xmtp_ed25519_product *r, const uint8_t k[32]);

/* By kind: vectors.h. */
void xmtp_ed25519_base_avx2(xmtp_ed25519_product *r, const uint8_t k[32]);
void xmtp_ed25519_base_avx512(xmtp_ed25519_product *r, const uint8_t k[32]);

#endif
