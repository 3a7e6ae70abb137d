/* ed25519_base_lanes.h - points of edwards25519 that are multiplied again and again, the base point and keys of
 * those who sign often; fast where the machine has lanes; private to this room. */
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

/* Of one point, 512 of them; what is where is for the kind of lanes that made it. */
typedef struct xmtp_ed25519_multiples {
    _Alignas(64) unsigned long long words[6144];
} xmtp_ed25519_multiples;

/* Those of -A. False: a is not the shortest encoding of a point, or of one of small order. Takes some 0.2 ms.
 * Only where xmtp_has_lanes; nothing of it is secret. */
bool xmtp_ed25519_multiples_lanes(xmtp_ed25519_multiples *of_minus_a, const uint8_t a[32]);

/* r = [s]B - [k]A, s and k as k above. */
void xmtp_ed25519_difference_lanes(xmtp_ed25519_product *r, const uint8_t s[32],
                                   const uint8_t k[32], const xmtp_ed25519_multiples *of_minus_a);

/* By kind: vectors.h. */
void xmtp_ed25519_base_avx2(xmtp_ed25519_product *r, const uint8_t k[32]);
void xmtp_ed25519_base_avx512(xmtp_ed25519_product *r, const uint8_t k[32]);
bool xmtp_ed25519_multiples_avx2(xmtp_ed25519_multiples *of_minus_a, const uint8_t a[32]);
bool xmtp_ed25519_multiples_avx512(xmtp_ed25519_multiples *of_minus_a, const uint8_t a[32]);
void xmtp_ed25519_difference_avx2(xmtp_ed25519_product *r, const uint8_t s[32], const uint8_t k[32],
                                  const xmtp_ed25519_multiples *of_minus_a);
void xmtp_ed25519_difference_avx512(xmtp_ed25519_product *r, const uint8_t s[32],
                                    const uint8_t k[32], const xmtp_ed25519_multiples *of_minus_a);

#endif
