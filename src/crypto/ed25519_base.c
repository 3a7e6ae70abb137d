/* ed25519_base.c - [k]B as bytes: in lanes where there are some, else by libsodium. */
#include "crypto/ed25519_base.h"

#include "base/bytes.h"
#include "crypto/ed25519_base_lanes.h"
#include "crypto/sodium_ready.h"

#include <sodium.h>

static const uint8_t neutral[32] = {1};

/* RFC 8032 section 5.1.2: y, and above it the lowest bit of x. */
static void encode(const xmtp_ed25519_product *p, uint8_t point[32])
{
    uint8_t x[32];
    element inverse = element_invert(&p->z);
    element affine = element_multiply(&p->x, &inverse);
    element_encode(&affine, x);
    affine = element_multiply(&p->y, &inverse);
    element_encode(&affine, point);
    point[31] = (uint8_t)(point[31] | x[0] << 7);
    xmtp_wipe(&inverse, sizeof inverse);
}

bool xmtp_ed25519_base(const uint8_t k[32], uint8_t point[32])
{
    if (xmtp_has_lanes()) {
        xmtp_ed25519_product product;
        xmtp_ed25519_base_lanes(&product, k);
        encode(&product, point);
        xmtp_wipe(&product, sizeof product);
        return !xmtp_ct_equal(point, neutral, sizeof neutral);
    }
    xmtp_sodium_ready();
    if (crypto_scalarmult_ed25519_base_noclamp(point, k) != 0) {
        memcpy(point, neutral, sizeof neutral);
        return false;
    }
    return true;
}
