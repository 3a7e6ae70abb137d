/* x25519_base.h - the public key of X25519; private to this room. */
#ifndef XMTP_CRYPTO_X25519_BASE_H
#define XMTP_CRYPTO_X25519_BASE_H

#include <xmtp/base.h>

/* pk = X25519(sk, 9) of RFC 7748 section 5. Any 32 bytes are an sk. Constant time. pk may be sk. */
void xmtp_x25519_base(const uint8_t sk[32], uint8_t pk[32]);

/* The same for each: pk[i] of sk[i]. */
void xmtp_x25519_base_many(const uint8_t *const *sk, uint8_t *const *pk, size_t count);

#endif
