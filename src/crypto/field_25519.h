/* field_25519.h - the field of p = 2^255 - 19, one element at a time; private to this room.
 *
 * An element is five limbs of 51 bits, least significant first; between operations each limb is below
 * 2^52. No branch and no address depends on an element.
 */
#ifndef XMTP_CRYPTO_FIELD_25519_H
#define XMTP_CRYPTO_FIELD_25519_H

#include "crypto/limbs.h"

#include <stddef.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 uint128;

enum { LIMB_BITS = 51 };

#define LIMB_MASK ((UINT64_C(1) << LIMB_BITS) - 1)

typedef struct element {
    uint64_t v[LIMBS];
} element;

static inline uint64_t load_64(const uint8_t *p)
{
    uint64_t x = 0;
    for (size_t i = 0; i < 8; i++) {
        x |= (uint64_t)p[i] << (8 * i);
    }
    return x;
}

static inline void store_64(uint8_t *p, uint64_t x)
{
    for (size_t i = 0; i < 8; i++) {
        p[i] = (uint8_t)(x >> (8 * i));
    }
}

/* Bit 255 is left out; numbers from p to 2^255 - 1 are taken as they are. */
static inline element element_decode(const uint8_t in[32])
{
    return (element){{load_64(in) & LIMB_MASK, (load_64(in + 6) >> 3) & LIMB_MASK,
                      (load_64(in + 12) >> 6) & LIMB_MASK, (load_64(in + 19) >> 1) & LIMB_MASK,
                      (load_64(in + 24) >> 12) & LIMB_MASK}};
}

/* Sums of products of limbs. All carries move at once and twice, where one after the other would have
 * each wait for the last: limbs are below 2^60 after the first pass, 2^51 + 2^13 after the second. */
static inline element element_carry(const uint128 t[LIMBS])
{
    element once;
    element r;
    UNROLL
    for (size_t i = 0; i < LIMBS; i++) {
        const uint64_t over = (uint64_t)(t[(i + LIMBS - 1) % LIMBS] >> LIMB_BITS);
        once.v[i] = ((uint64_t)t[i] & LIMB_MASK) + (i == 0 ? 19 * over : over); /* 2^255 = 19 */
    }
    UNROLL
    for (size_t i = 0; i < LIMBS; i++) {
        const uint64_t over = once.v[(i + LIMBS - 1) % LIMBS] >> LIMB_BITS;
        r.v[i] = (once.v[i] & LIMB_MASK) + (i == 0 ? 19 * over : over);
    }
    return r;
}

static inline element element_add(const element *a, const element *b)
{
    uint128 t[LIMBS];
    for (size_t i = 0; i < LIMBS; i++) {
        t[i] = (uint128)a->v[i] + b->v[i];
    }
    return element_carry(t);
}

/* a - b + 4p: no limb gets negative. */
static inline element element_subtract(const element *a, const element *b)
{
    uint128 t[LIMBS];
    for (size_t i = 0; i < LIMBS; i++) {
        const uint64_t limb_of_p = LIMB_MASK - (i == 0 ? 18 : 0);
        t[i] = (uint128)(a->v[i] + 4 * limb_of_p - b->v[i]);
    }
    return element_carry(t);
}

static inline element element_multiply(const element *a, const element *b)
{
    const uint64_t *x = a->v;
    const uint64_t *y = b->v;
    const uint64_t y1 = 19 * y[1], y2 = 19 * y[2], y3 = 19 * y[3], y4 = 19 * y[4];
    const uint128 t[LIMBS] = {
        (uint128)x[0] * y[0] + (uint128)x[1] * y4 + (uint128)x[2] * y3 + (uint128)x[3] * y2 +
            (uint128)x[4] * y1,
        (uint128)x[0] * y[1] + (uint128)x[1] * y[0] + (uint128)x[2] * y4 + (uint128)x[3] * y3 +
            (uint128)x[4] * y2,
        (uint128)x[0] * y[2] + (uint128)x[1] * y[1] + (uint128)x[2] * y[0] + (uint128)x[3] * y4 +
            (uint128)x[4] * y3,
        (uint128)x[0] * y[3] + (uint128)x[1] * y[2] + (uint128)x[2] * y[1] + (uint128)x[3] * y[0] +
            (uint128)x[4] * y4,
        (uint128)x[0] * y[4] + (uint128)x[1] * y[3] + (uint128)x[2] * y[2] + (uint128)x[3] * y[1] +
            (uint128)x[4] * y[0],
    };
    return element_carry(t);
}

/* a squared n times. */
static inline element element_square(const element *a, int n)
{
    element r = *a;
    for (int i = 0; i < n; i++) {
        const uint64_t *x = r.v;
        const uint64_t x0 = 2 * x[0], x1 = 2 * x[1];
        const uint64_t x3 = 19 * x[3], x4 = 19 * x[4];
        const uint128 t[LIMBS] = {
            (uint128)x[0] * x[0] + (uint128)x1 * x4 + (uint128)(2 * x[2]) * x3,
            (uint128)x0 * x[1] + (uint128)(2 * x[2]) * x4 + (uint128)x[3] * x3,
            (uint128)x0 * x[2] + (uint128)x[1] * x[1] + (uint128)(2 * x[3]) * x4,
            (uint128)x0 * x[3] + (uint128)x1 * x[2] + (uint128)x[4] * x4,
            (uint128)x0 * x[4] + (uint128)x1 * x[3] + (uint128)x[2] * x[2],
        };
        r = element_carry(t);
    }
    return r;
}

/* a squared n times, times b. */
static inline element element_square_multiply(const element *a, int n, const element *b)
{
    element r = element_square(a, n);
    return element_multiply(&r, b);
}

/* a^(p - 2), which is 1 / a, or 0 for 0. Named by exponents: e5 is a^(2^5 - 1). */
static inline element element_invert(const element *a)
{
    element a2 = element_square(a, 1);
    element a9 = element_square_multiply(&a2, 2, a);
    element a11 = element_multiply(&a9, &a2);
    element e5 = element_square_multiply(&a11, 1, &a9);
    element e10 = element_square_multiply(&e5, 5, &e5);
    element e20 = element_square_multiply(&e10, 10, &e10);
    element e40 = element_square_multiply(&e20, 20, &e20);
    element e50 = element_square_multiply(&e40, 10, &e10);
    element e100 = element_square_multiply(&e50, 50, &e50);
    element e200 = element_square_multiply(&e100, 100, &e100);
    element e250 = element_square_multiply(&e200, 50, &e50);
    return element_square_multiply(&e250, 5, &a11); /* 2^255 - 21 */
}

/* The one representative below p. */
static inline void element_encode(const element *a, uint8_t out[32])
{
    const uint128 as_is[LIMBS] = {a->v[0], a->v[1], a->v[2], a->v[3], a->v[4]};
    element r = element_carry(as_is);
    uint64_t excess = 19; /* becomes 1 when r >= p */
    for (size_t i = 0; i < LIMBS; i++) {
        excess = (r.v[i] + excess) >> LIMB_BITS;
    }
    uint64_t carry = 19 * excess;
    for (size_t i = 0; i < LIMBS; i++) {
        carry += r.v[i];
        r.v[i] = carry & LIMB_MASK;
        carry >>= LIMB_BITS;
    }
    store_64(out, r.v[0] | r.v[1] << 51);
    store_64(out + 8, r.v[1] >> 13 | r.v[2] << 38);
    store_64(out + 16, r.v[2] >> 26 | r.v[3] << 25);
    store_64(out + 24, r.v[3] >> 39 | r.v[4] << 12);
}

#endif
