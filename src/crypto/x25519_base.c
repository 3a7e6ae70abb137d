/* x25519_base.c - the public key of X25519 by way of the Edwards curve.
 *
 * The two curves are the same up to the map of RFC 7748 section 4.1, which takes the base point of one
 * to that of the other. Edwards curves have fast multiplications of a fixed point: in lanes here, and
 * libsodium has one for its signatures; its X25519 takes the base point for any other. So
 *
 *     (x, y) = [clamped sk] B                   on edwards25519, y = Y / Z
 *     u      = (1 + y) / (1 - y)                = (Z + Y) / (Z - Y), one inversion
 *                                               for several keys
 *
 * A clamped sk is 8k with 0 < k < 2^252, and the order of B is a prime above 2^252: the product is
 * never neutral and 1 - y never zero.
 */
#include "crypto/x25519_base.h"

#include "base/bytes.h"
#include "crypto/ed25519_base_lanes.h"
#include "crypto/sodium_ready.h"

#include <sodium.h>

enum { BATCH = 8 };

static void multiply_by_libsodium(xmtp_ed25519_product *r, const uint8_t k[32])
{
    uint8_t point[32];
    xmtp_sodium_ready();
    (void)crypto_scalarmult_ed25519_base_noclamp(point, k); /* cannot fail, see above */
    r->y = element_decode(point);                           /* without bit 255, the sign of x */
    r->z = (element){{1}};
}

static void multiply(xmtp_ed25519_product *r, const uint8_t sk[32])
{
    uint8_t clamped[32];
    memcpy(clamped, sk, 32);
    clamped[0] &= 248;
    clamped[31] = (uint8_t)((clamped[31] & 127) | 64);
    if (xmtp_has_lanes()) {
        xmtp_ed25519_base_lanes(r, clamped);
    } else {
        multiply_by_libsodium(r, clamped);
    }
    xmtp_wipe(clamped, sizeof clamped);
}

/* u = above / below for each, by the inverse of the product of all below. */
typedef struct fractions {
    element above[BATCH];
    element below[BATCH];
    element products[BATCH]; /* of below, up to this one */
    element inverse;         /* of the last product that is left */
} fractions;

/* From 1 to BATCH. */
static void base_batch(const uint8_t *const *sk, uint8_t *const *pk, size_t count)
{
    fractions f;
    xmtp_ed25519_product product;
    for (size_t i = 0; i < count; i++) {
        multiply(&product, sk[i]);
        f.above[i] = element_add(&product.z, &product.y);
        f.below[i] = element_subtract(&product.z, &product.y);
        f.products[i] = i == 0 ? f.below[0] : element_multiply(&f.products[i - 1], &f.below[i]);
    }
    f.inverse = element_invert(&f.products[count - 1]);
    for (size_t i = count; i-- > 0;) {
        element u = element_multiply(&f.above[i], &f.inverse);
        if (i > 0) {
            u = element_multiply(&u, &f.products[i - 1]);
            f.inverse = element_multiply(&f.inverse, &f.below[i]);
        }
        element_encode(&u, pk[i]);
    }
    xmtp_wipe(&product, sizeof product);
    xmtp_wipe(&f, sizeof f);
}

void xmtp_x25519_base(const uint8_t sk[32], uint8_t pk[32])
{
    base_batch(&sk, &pk, 1);
}

void xmtp_x25519_base_many(const uint8_t *const *sk, uint8_t *const *pk, size_t count)
{
    for (size_t done = 0; done < count; done += BATCH) {
        base_batch(sk + done, pk + done, count - done < BATCH ? count - done : BATCH);
    }
}
