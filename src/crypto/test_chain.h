/* test_chain.h - numbers by chance that come again; for tests only. */
#ifndef XMTP_CRYPTO_TEST_CHAIN_H
#define XMTP_CRYPTO_TEST_CHAIN_H

#include "base/bytes.h"
#include "crypto/crypto.h"

/* The next 32 bytes of a chain, so that a failure can be repeated. */
static inline void next(uint8_t chain[32])
{
    xmtp_hash_of(&xmtp_hash_sha256, xmtp_bytes_of(chain, 32), chain);
}

#endif
