/* ed25519_base.c - [k]B as bytes: in lanes where there are some, else by libsodium. */
#include "crypto/ed25519_base.h"

#include "base/bytes.h"
#include "crypto/sodium_ready.h"

#include <sodium.h>

static const uint8_t neutral[32] = {1};

/* RFC 8032 section 5.1.2: y, and above it the lowest bit of x. */
bool xmtp_ed25519_encode(const xmtp_ed25519_product *p, uint8_t point[32])
{
    uint8_t x[32];
    element inverse = element_invert(&p->z);
    element affine = element_multiply(&p->x, &inverse);
    element_encode(&affine, x);
    affine = element_multiply(&p->y, &inverse);
    element_encode(&affine, point);
    point[31] = (uint8_t)(point[31] | x[0] << 7);
    xmtp_wipe(&inverse, sizeof inverse);
    return !xmtp_ct_equal(point, neutral, sizeof neutral);
}

bool xmtp_ed25519_base(const uint8_t k[32], uint8_t point[32])
{
    if (xmtp_has_lanes()) {
        xmtp_ed25519_product product;
        xmtp_ed25519_base_lanes(&product, k);
        const bool is_good = xmtp_ed25519_encode(&product, point);
        xmtp_wipe(&product, sizeof product);
        return is_good;
    }
    xmtp_sodium_ready();
    if (crypto_scalarmult_ed25519_base_noclamp(point, k) != 0) {
        memcpy(point, neutral, sizeof neutral);
        return false;
    }
    return true;
}
