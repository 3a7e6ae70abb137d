/* curve448.h - keys of X448 and Ed448 as OpenSSL holds them; private to this room. */
#ifndef XMTP_CRYPTO_CURVE448_H
#define XMTP_CRYPTO_CURVE448_H

#include "crypto/crypto.h"

#include <openssl/evp.h>

/* A key of algorithm "X448" or "ED448" with private part sk and public part pk, n bytes each. sk or
 * pk may be NULL; a pk given with sk is believed, which spares a multiplication. NULL when it is no
 * key or memory is short. Free with EVP_PKEY_free, which wipes it. */
EVP_PKEY *xmtp_curve448_key(const char *algorithm, const uint8_t *sk, const uint8_t *pk, size_t n);

/* pk receives the n bytes of the public part of sk. XMTP_E_KEY. */
xmtp_status xmtp_curve448_public_key(const char *algorithm, const uint8_t *sk, uint8_t *pk,
                                     size_t n) XMTP_MUST_CHECK;

#endif
