/* ecdsa_nonce.h - the secret number of a deterministic ECDSA signature; private to this room. */
#ifndef XMTP_CRYPTO_ECDSA_NONCE_H
#define XMTP_CRYPTO_ECDSA_NONCE_H

#include "crypto/nist_curve.h"

/* k of RFC 6979 section 3.2 for the private key sk and the digest made with hash, as curve->n bytes
 * in 1 .. order - 1. digest: hash->len bytes. XMTP_E_CRYPTO after 256 bad candidates, which never
 * happens. Wipe k after use: with a signature it gives sk away. */
xmtp_status xmtp_ecdsa_nonce(const xmtp_nist_curve *curve, const xmtp_hash *hash, const uint8_t *sk,
                             const uint8_t *digest, uint8_t *k) XMTP_MUST_CHECK;

#endif
