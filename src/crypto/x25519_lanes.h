/* x25519_lanes.h - eight X25519 at once, where the machine can; private to this room. */
#ifndef XMTP_CRYPTO_X25519_LANES_H
#define XMTP_CRYPTO_X25519_LANES_H

#include "crypto/lanes.h"

/* out[i] = X25519(sk[i], point[i]) of RFC 7748 section 5 for each lane; all eight must be given. Only
 * where xmtp_has_wide_lanes. Constant time. The caller looks for all-zero results. */
void xmtp_x25519_lanes(const uint8_t *const sk[XMTP_LANES], const uint8_t *const point[XMTP_LANES],
                       uint8_t out[XMTP_LANES][32]);

#endif
