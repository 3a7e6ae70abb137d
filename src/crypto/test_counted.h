/* test_counted.h - counts how Ed25519ph signatures are verified; for programs that wrap xmtp_ed25519_lanes
 * and xmtp_ed25519ph_verify (CMake's xmtp_wrap). */
#ifndef XMTP_CRYPTO_TEST_COUNTED_H
#define XMTP_CRYPTO_TEST_COUNTED_H

#include "crypto/crypto.h"

static struct {
    size_t lanes; /* rounds of eight */
    size_t singly;
} counted;

unsigned __real_xmtp_ed25519_lanes(const void *equations);
unsigned __wrap_xmtp_ed25519_lanes(const void *equations);
unsigned __wrap_xmtp_ed25519_lanes(const void *equations)
{
    counted.lanes++;
    return __real_xmtp_ed25519_lanes(equations);
}

xmtp_status __real_xmtp_ed25519ph_verify(const uint8_t pk[32], xmtp_bytes context,
                                         xmtp_bytes message, const uint8_t signature[64]);
xmtp_status __wrap_xmtp_ed25519ph_verify(const uint8_t pk[32], xmtp_bytes context,
                                         xmtp_bytes message, const uint8_t signature[64]);
xmtp_status __wrap_xmtp_ed25519ph_verify(const uint8_t pk[32], xmtp_bytes context,
                                         xmtp_bytes message, const uint8_t signature[64])
{
    counted.singly++;
    return __real_xmtp_ed25519ph_verify(pk, context, message, signature);
}

#endif
