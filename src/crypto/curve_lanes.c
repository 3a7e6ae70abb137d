/* curve_lanes.c - which kind of lanes does the work on curves. */
#include "crypto/ed25519_base_lanes.h"
#include "crypto/ed25519_lanes.h"
#include "crypto/secp256k1_lanes.h"
#include "crypto/x25519_lanes.h"

#include <assert.h>

#if defined(__x86_64__)

void xmtp_x25519_lanes(const uint8_t *const sk[XMTP_LANES], const uint8_t *const point[XMTP_LANES],
                       uint8_t out[XMTP_LANES][32], size_t count)
{
    assert(xmtp_has_lanes());
    if (xmtp_lanes_here() == XMTP_LANES_AVX512) {
        xmtp_x25519_avx512(sk, point, out, count);
    } else {
        xmtp_x25519_avx2(sk, point, out, count);
    }
}

unsigned xmtp_ed25519_lanes(const xmtp_ed25519_equation equations[XMTP_LANES], size_t count)
{
    assert(xmtp_has_lanes());
    return xmtp_lanes_here() == XMTP_LANES_AVX512 ? xmtp_ed25519_avx512(equations, count)
                                                  : xmtp_ed25519_avx2(equations, count);
}

void xmtp_ed25519_base_lanes(xmtp_ed25519_product *r, const uint8_t k[32])
{
    assert(xmtp_has_lanes());
    if (xmtp_lanes_here() == XMTP_LANES_AVX512) {
        xmtp_ed25519_base_avx512(r, k);
    } else {
        xmtp_ed25519_base_avx2(r, k);
    }
}

unsigned xmtp_secp256k1_lanes(const xmtp_secp256k1_signature signatures[XMTP_LANES],
                              uint8_t points[XMTP_LANES][64], size_t count)
{
    assert(xmtp_has_lanes());
    return xmtp_lanes_here() == XMTP_LANES_AVX512 ? xmtp_secp256k1_avx512(signatures, points, count)
                                                  : xmtp_secp256k1_avx2(signatures, points, count);
}

#else /* another kind of machine */

void xmtp_x25519_lanes(const uint8_t *const sk[XMTP_LANES], const uint8_t *const point[XMTP_LANES],
                       uint8_t out[XMTP_LANES][32], size_t count)
{
    (void)sk;
    (void)point;
    (void)out;
    (void)count;
    assert(false);
}

unsigned xmtp_ed25519_lanes(const xmtp_ed25519_equation equations[XMTP_LANES], size_t count)
{
    (void)equations;
    (void)count;
    assert(false);
    return 0;
}

void xmtp_ed25519_base_lanes(xmtp_ed25519_product *r, const uint8_t k[32])
{
    (void)r;
    (void)k;
    assert(false);
}

unsigned xmtp_secp256k1_lanes(const xmtp_secp256k1_signature signatures[XMTP_LANES],
                              uint8_t points[XMTP_LANES][64], size_t count)
{
    (void)signatures;
    (void)points;
    (void)count;
    assert(false);
    return 0;
}

#endif
