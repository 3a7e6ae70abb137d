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

bool xmtp_ed25519_multiples_lanes(xmtp_ed25519_multiples *of_minus_a, const uint8_t a[32])
{
    assert(xmtp_has_lanes());
    return xmtp_lanes_here() == XMTP_LANES_AVX512 ? xmtp_ed25519_multiples_avx512(of_minus_a, a)
                                                  : xmtp_ed25519_multiples_avx2(of_minus_a, a);
}

void xmtp_ed25519_difference_lanes(xmtp_ed25519_product *r, const uint8_t s[32],
                                   const uint8_t k[32], const xmtp_ed25519_multiples *of_minus_a)
{
    assert(xmtp_has_lanes());
    if (xmtp_lanes_here() == XMTP_LANES_AVX512) {
        xmtp_ed25519_difference_avx512(r, s, k, of_minus_a);
    } else {
        xmtp_ed25519_difference_avx2(r, s, k, of_minus_a);
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

bool xmtp_ed25519_multiples_lanes(xmtp_ed25519_multiples *of_minus_a, const uint8_t a[32])
{
    (void)of_minus_a;
    (void)a;
    assert(false);
    return false;
}

void xmtp_ed25519_difference_lanes(xmtp_ed25519_product *r, const uint8_t s[32],
                                   const uint8_t k[32], const xmtp_ed25519_multiples *of_minus_a)
{
    (void)r;
    (void)s;
    (void)k;
    (void)of_minus_a;
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
