/* x25519_lanes.h - up to eight X25519 at once, where the machine can; private to this room. */
#ifndef XMTP_CRYPTO_X25519_LANES_H
#define XMTP_CRYPTO_X25519_LANES_H

#include "crypto/lanes.h"

/* out[i] = X25519(sk[i], point[i]) of RFC 7748 section 5 for the first count of all lanes, 1 to 8; all eight must be
 * given, and outputs behind the first count may be written. Only where xmtp_has_lanes. Constant time.
 * The caller looks for all-zero results. */
void xmtp_x25519_lanes(const uint8_t *const sk[XMTP_LANES], const uint8_t *const point[XMTP_LANES],
                       uint8_t out[XMTP_LANES][32], size_t count);

/* By kind: vectors.h. */
void xmtp_x25519_avx2(const uint8_t *const sk[XMTP_LANES], const uint8_t *const point[XMTP_LANES],
                      uint8_t out[XMTP_LANES][32], size_t count);
void xmtp_x25519_avx512(const uint8_t *const sk[XMTP_LANES], const uint8_t *const point[XMTP_LANES],
                        uint8_t out[XMTP_LANES][32], size_t count);

#endif
