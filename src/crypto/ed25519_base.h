/* ed25519_base.h - the base point of edwards25519 times one secret number; private to this room. */
#ifndef XMTP_CRYPTO_ED25519_BASE_H
#define XMTP_CRYPTO_ED25519_BASE_H

#include "crypto/ed25519_base_lanes.h"

#include <xmtp/base.h>

/* point = the encoding of [k]B (RFC 8032 sections 5.1 and 5.1.2). k is any number below 2^255 in 32
 * bytes, least significant first, and is taken as it is: neither clamped nor reduced. False when the
 * group order divides k; point is the neutral element then. Constant time but for that verdict. point
 * may be k. Threads: any. */
bool xmtp_ed25519_base(const uint8_t k[32], uint8_t point[32]);

/* The encoding of a point; false: it is the neutral element. Constant time but for that verdict. */
bool xmtp_ed25519_encode(const xmtp_ed25519_product *p, uint8_t point[32]);

#endif
