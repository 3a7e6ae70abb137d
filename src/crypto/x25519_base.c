/* x25519_base.c - the public key of X25519 by way of the Edwards curve.
 *
 * The two curves are the same up to the map of RFC 7748 section 4.1, which takes the base point of one
 * to that of the other. Edwards curves have fast multiplications of a fixed point: in lanes here, and
 * libsodium has one for its signatures; its X25519 takes the base point for any other. So
 *
 *     (x, y) = [clamped sk] B                   on edwards25519, y = Y / Z
 *     u      = (1 + y) / (1 - y)                = (Z + Y) / (Z - Y), one inversion
 *
 * A clamped sk is 8k with 0 < k < 2^252, and the order of B is a prime above 2^252: the product is
 * never neutral and 1 - y never zero.
 */
#include "crypto/x25519_base.h"

#include "base/bytes.h"
#include "crypto/ed25519_base_lanes.h"
#include "crypto/sodium_ready.h"

#include <sodium.h>

static void multiply_by_libsodium(xmtp_ed25519_product *r, const uint8_t k[32])
{
    uint8_t point[32];
    xmtp_sodium_ready();
    (void)crypto_scalarmult_ed25519_base_noclamp(point, k); /* cannot fail, see above */
    r->y = element_decode(point);                           /* without bit 255, the sign of x */
    r->z = (element){{1}};
}

void xmtp_x25519_base(const uint8_t sk[32], uint8_t pk[32])
{
    uint8_t clamped[32];
    xmtp_ed25519_product product;
    memcpy(clamped, sk, 32);
    clamped[0] &= 248;
    clamped[31] = (uint8_t)((clamped[31] & 127) | 64);
    if (xmtp_has_lanes()) {
        xmtp_ed25519_base_lanes(&product, clamped);
    } else {
        multiply_by_libsodium(&product, clamped);
    }
    xmtp_wipe(clamped, sizeof clamped);

    element above = element_add(&product.z, &product.y);
    element below = element_subtract(&product.z, &product.y);
    element inverse = element_invert(&below);
    element u = element_multiply(&above, &inverse);
    element_encode(&u, pk);
    xmtp_wipe(&product, sizeof product);
    xmtp_wipe(&above, sizeof above);
    xmtp_wipe(&below, sizeof below);
    xmtp_wipe(&inverse, sizeof inverse);
}
