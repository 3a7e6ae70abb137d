/* test_counted.h - counts how Ed25519ph signatures are verified and wallets recovered; for programs that
 * wrap xmtp_ed25519_lanes, xmtp_ed25519ph_verify, xmtp_secp256k1_lanes and xmtp_secp256k1_recover (CMake's
 * xmtp_wrap). */
#ifndef XMTP_CRYPTO_TEST_COUNTED_H
#define XMTP_CRYPTO_TEST_COUNTED_H

#include "crypto/crypto.h"

/* Helpers of base/together.h count as well. */
static struct {
    _Atomic size_t lanes; /* rounds of eight */
    _Atomic size_t singly;
    _Atomic size_t recovered;             /* singly */
    _Atomic size_t wallet_lanes;          /* rounds of eight */
    void (*fault)(uint8_t points[8][64]); /* what happens to public keys in lanes; or NULL */
} counted;

unsigned __real_xmtp_ed25519_lanes(const void *equations, size_t count);
unsigned __wrap_xmtp_ed25519_lanes(const void *equations, size_t count);
unsigned __wrap_xmtp_ed25519_lanes(const void *equations, size_t count)
{
    counted.lanes++;
    return __real_xmtp_ed25519_lanes(equations, count);
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

xmtp_status __real_xmtp_secp256k1_recover(const uint8_t digest[32], const uint8_t signature[65],
                                          char address[43], uint8_t normalized[65]);
xmtp_status __wrap_xmtp_secp256k1_recover(const uint8_t digest[32], const uint8_t signature[65],
                                          char address[43], uint8_t normalized[65]);
xmtp_status __wrap_xmtp_secp256k1_recover(const uint8_t digest[32], const uint8_t signature[65],
                                          char address[43], uint8_t normalized[65])
{
    counted.recovered++;
    return __real_xmtp_secp256k1_recover(digest, signature, address, normalized);
}

unsigned __real_xmtp_secp256k1_lanes(const void *signatures, uint8_t points[8][64], size_t count);
unsigned __wrap_xmtp_secp256k1_lanes(const void *signatures, uint8_t points[8][64], size_t count);
unsigned __wrap_xmtp_secp256k1_lanes(const void *signatures, uint8_t points[8][64], size_t count)
{
    counted.wallet_lanes++;
    const unsigned good = __real_xmtp_secp256k1_lanes(signatures, points, count);
    if (counted.fault != NULL) {
        counted.fault(points);
    }
    return good;
}

#endif
