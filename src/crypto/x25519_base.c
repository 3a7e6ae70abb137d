/* x25519_base.c - the public key of X25519 by way of the Edwards curve, in about half the time.
 *
 * The two curves are the same up to the map of RFC 7748 section 4.1, which takes the base point of one
 * to that of the other. Edwards curves have fast multiplications of a fixed point, and libsodium has
 * that one for its signatures; its X25519 takes the base point for any other. So
 *
 *     (x, y) = [clamped sk] B                   on edwards25519, by libsodium
 *     u      = (1 + y) / (1 - y) mod p          p = 2^255 - 19, one inversion, here
 *
 * A clamped sk is 8k with 0 < k < 2^252, and the order of B is a prime above 2^252: the product is
 * never neutral and 1 - y never zero.
 *
 * Field elements are five limbs of 51 bits, least significant first; between operations each limb is
 * below 2^52. Nothing here branches or indexes on them, although y says no more than the public key.
 */
#include "crypto/x25519_base.h"

#include "base/bytes.h"
#include "crypto/sodium_ready.h"

#include <sodium.h>

__extension__ typedef unsigned __int128 wide;

typedef struct field {
    uint64_t v[5];
} field;

#define LIMB_MASK ((UINT64_C(1) << 51) - 1)

static uint64_t load(const uint8_t *p)
{
    uint64_t x = 0;
    for (size_t i = 0; i < 8; i++) {
        x |= (uint64_t)p[i] << (8 * i);
    }
    return x;
}

static void store(uint8_t *p, uint64_t x)
{
    for (size_t i = 0; i < 8; i++) {
        p[i] = (uint8_t)(x >> (8 * i));
    }
}

/* Bit 255, the sign of x, is left out. */
static field field_decode(const uint8_t in[32])
{
    return (field){{load(in) & LIMB_MASK, (load(in + 6) >> 3) & LIMB_MASK,
                    (load(in + 12) >> 6) & LIMB_MASK, (load(in + 19) >> 1) & LIMB_MASK,
                    (load(in + 24) >> 12) & LIMB_MASK}};
}

static field field_carry(const wide t[5])
{
    field r;
    wide carry = 0;
    for (size_t i = 0; i < 5; i++) {
        carry += t[i];
        r.v[i] = (uint64_t)carry & LIMB_MASK;
        carry >>= 51;
    }
    uint64_t low = r.v[0] + 19 * (uint64_t)carry; /* 2^255 = 19 */
    r.v[0] = low & LIMB_MASK;
    r.v[1] += low >> 51;
    return r;
}

static field field_multiply(const field *a, const field *b)
{
    const uint64_t *x = a->v;
    const uint64_t *y = b->v;
    const uint64_t y1 = 19 * y[1], y2 = 19 * y[2], y3 = 19 * y[3], y4 = 19 * y[4];
    const wide t[5] = {
        (wide)x[0] * y[0] + (wide)x[1] * y4 + (wide)x[2] * y3 + (wide)x[3] * y2 + (wide)x[4] * y1,
        (wide)x[0] * y[1] + (wide)x[1] * y[0] + (wide)x[2] * y4 + (wide)x[3] * y3 + (wide)x[4] * y2,
        (wide)x[0] * y[2] + (wide)x[1] * y[1] + (wide)x[2] * y[0] + (wide)x[3] * y4 +
            (wide)x[4] * y3,
        (wide)x[0] * y[3] + (wide)x[1] * y[2] + (wide)x[2] * y[1] + (wide)x[3] * y[0] +
            (wide)x[4] * y4,
        (wide)x[0] * y[4] + (wide)x[1] * y[3] + (wide)x[2] * y[2] + (wide)x[3] * y[1] +
            (wide)x[4] * y[0],
    };
    return field_carry(t);
}

/* a squared n times. */
static field field_square(const field *a, int n)
{
    field r = *a;
    for (int i = 0; i < n; i++) {
        const uint64_t *x = r.v;
        const uint64_t x0 = 2 * x[0], x1 = 2 * x[1];
        const uint64_t x3 = 19 * x[3], x4 = 19 * x[4];
        const wide t[5] = {
            (wide)x[0] * x[0] + (wide)x1 * x4 + (wide)(2 * x[2]) * x3,
            (wide)x0 * x[1] + (wide)(2 * x[2]) * x4 + (wide)x[3] * x3,
            (wide)x0 * x[2] + (wide)x[1] * x[1] + (wide)(2 * x[3]) * x4,
            (wide)x0 * x[3] + (wide)x1 * x[2] + (wide)x[4] * x4,
            (wide)x0 * x[4] + (wide)x1 * x[3] + (wide)x[2] * x[2],
        };
        r = field_carry(t);
    }
    return r;
}

/* a squared n times, times b. */
static field square_multiply(const field *a, int n, const field *b)
{
    field r = field_square(a, n);
    return field_multiply(&r, b);
}

/* 1 / a = a^(p - 2). Named by exponents: e5 is a^(2^5 - 1). */
static field field_invert(const field *a)
{
    field a2 = field_square(a, 1);
    field a9 = square_multiply(&a2, 2, a);
    field a11 = field_multiply(&a9, &a2);
    field e5 = square_multiply(&a11, 1, &a9);
    field e10 = square_multiply(&e5, 5, &e5);
    field e20 = square_multiply(&e10, 10, &e10);
    field e40 = square_multiply(&e20, 20, &e20);
    field e50 = square_multiply(&e40, 10, &e10);
    field e100 = square_multiply(&e50, 50, &e50);
    field e200 = square_multiply(&e100, 100, &e100);
    field e250 = square_multiply(&e200, 50, &e50);
    return square_multiply(&e250, 5, &a11); /* 2^255 - 21 */
}

/* The one representative below p. */
static void field_encode(const field *a, uint8_t out[32])
{
    const wide as_is[5] = {a->v[0], a->v[1], a->v[2], a->v[3], a->v[4]};
    field r = field_carry(as_is);
    uint64_t excess = 19; /* becomes 1 when r >= p */
    for (size_t i = 0; i < 5; i++) {
        excess = (r.v[i] + excess) >> 51;
    }
    uint64_t carry = 19 * excess;
    for (size_t i = 0; i < 5; i++) {
        carry += r.v[i];
        r.v[i] = carry & LIMB_MASK;
        carry >>= 51;
    }
    store(out, r.v[0] | r.v[1] << 51);
    store(out + 8, r.v[1] >> 13 | r.v[2] << 38);
    store(out + 16, r.v[2] >> 26 | r.v[3] << 25);
    store(out + 24, r.v[3] >> 39 | r.v[4] << 12);
}

void xmtp_x25519_base(const uint8_t sk[32], uint8_t pk[32])
{
    xmtp_sodium_ready();
    uint8_t clamped[32];
    uint8_t edwards[32];
    memcpy(clamped, sk, 32);
    clamped[0] &= 248;
    clamped[31] = (uint8_t)((clamped[31] & 127) | 64);
    (void)crypto_scalarmult_ed25519_base_noclamp(edwards, clamped); /* cannot fail, see above */
    xmtp_wipe(clamped, sizeof clamped);

    field y = field_decode(edwards);
    field above = y; /* 1 + y */
    above.v[0] += 1;
    field below; /* 1 - y, with 2p added so that no limb is negative */
    for (size_t i = 0; i < 5; i++) {
        below.v[i] = 2 * LIMB_MASK - y.v[i];
    }
    below.v[0] -= 35; /* the lowest limb of p is 18 below the mask */
    field inverse = field_invert(&below);
    field u = field_multiply(&above, &inverse);
    field_encode(&u, pk);
    xmtp_wipe(edwards, sizeof edwards);
}
