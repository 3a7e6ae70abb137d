/* secp256k1_lanes.h - the public keys of up to eight ECDSA signatures over secp256k1 at once, where the machine
 * can; private to this room. */
#ifndef XMTP_CRYPTO_SECP256K1_LANES_H
#define XMTP_CRYPTO_SECP256K1_LANES_H

#include "crypto/lanes.h"
#include "crypto/secp256k1_scalar.h"

/* A signature that names R by r and the parity of y (SEC 1 section 4.1.6 with j = 0). r and s are from 1
 * below the group order; z is the digest modulo it. */
typedef struct xmtp_secp256k1_signature {
    xmtp_scalar r;
    xmtp_scalar s;
    xmtp_scalar z;
    bool is_odd;
} xmtp_secp256k1_signature;

/* Bit i is set when points[i] is X || Y of Q = (s R - z G) / r for signature i of the first count, 1 to 8, a
 * point of the curve. An unset bit says nothing, and that points[i] is not to be used: ask the single
 * recovery; bits from count on say nothing at all. All eight signatures must be given, and points behind the
 * first count may be written. Only where xmtp_has_lanes. Takes as long as it takes: all of this is public.
 * Threads: any. */
unsigned xmtp_secp256k1_lanes(const xmtp_secp256k1_signature signatures[XMTP_LANES],
                              uint8_t points[XMTP_LANES][64], size_t count);

/* By kind: vectors.h. */
unsigned xmtp_secp256k1_avx2(const xmtp_secp256k1_signature signatures[XMTP_LANES],
                             uint8_t points[XMTP_LANES][64], size_t count);
unsigned xmtp_secp256k1_avx512(const xmtp_secp256k1_signature signatures[XMTP_LANES],
                               uint8_t points[XMTP_LANES][64], size_t count);

#endif
