/* field_lanes.h - the field of p = 2^255 - 19, an element in each lane; private to this room, and only for
 * x86-64 (vectors.h). field_25519.h has one element at a time, in the same limbs.
 *
 * An element is five limbs of 51 bits, and each limb a vector with a lane of 64 bits for each element:
 *
 *              lane 0   lane 1   ...
 *     limb 0   a0[0]    a1[0]          a0 = sum of a0[i] * 2^(51 i)
 *     ...
 *     limb 4   a0[4]    a1[4]
 *
 * There are elements of two kinds, whose bounds are those of the machine's multiplication:
 *
 *     tidy    what all functions take and give that say nothing else
 *     loose   a sum or difference of two tidy ones; may be multiplied, squared and added, and may have a
 *             tidy one subtracted
 *
 * No branch and no address depends on an element. Results may be the same objects as arguments.
 */
#ifndef XMTP_CRYPTO_FIELD_LANES_H
#define XMTP_CRYPTO_FIELD_LANES_H

#include "base/bytes.h"
#include "crypto/field_25519.h"
#include "crypto/limbs_lanes.h"

/* ---- arithmetic ---- */

LANES static inline words times_19(words x)
{
    const words times_9 = (x << 3) + x;
    return (times_9 << 1) + x;
}

/* Brings limbs below 2^60 down to 51 bits and what the limb below carries over. */
LANES static inline void whole_carry(whole *r)
{
    const words low = all(LIMB_MASK);
    words over[LIMBS];
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        over[i] = r->v[i] >> LIMB_BITS;
        r->v[i] &= low;
    }
    r->v[0] += times_19(over[LIMBS - 1]);
    UNROLL
    for (int i = 1; i < LIMBS; i++) {
        r->v[i] += over[i - 1];
    }
}

/* field_add, field_subtract, field_multiply, field_square; loose_add, loose_subtract; field_times_small, which
 * gives a loose a * n for n below 2^17. */
#if defined(XMTP_AVX2)
#include "crypto/field_avx2.h"
#else
#include "crypto/field_avx512.h"
#endif

/* r = a squared n times, times b. */
LANES static inline void field_square_multiply(field *r, const field *a, int n, const field *b)
{
    field t = *a;
    for (int i = 0; i < n; i++) {
        field_square(&t, &t);
    }
    field_multiply(r, &t, b);
}

/* e250 = a^(2^250 - 1), a11 = a^11: what the two powers below begin with. Named by exponents: e5 is
 * a^(2^5 - 1). */
LANES static inline void field_power_250(field *e250, field *a11, const field *a)
{
    field a2, a9, e5, e10, e20, e40, e50, e100, e200;
    field_square(&a2, a);
    field_square_multiply(&a9, &a2, 2, a);
    field_multiply(a11, &a9, &a2);
    field_square_multiply(&e5, a11, 1, &a9);
    field_square_multiply(&e10, &e5, 5, &e5);
    field_square_multiply(&e20, &e10, 10, &e10);
    field_square_multiply(&e40, &e20, 20, &e20);
    field_square_multiply(&e50, &e40, 10, &e10);
    field_square_multiply(&e100, &e50, 50, &e50);
    field_square_multiply(&e200, &e100, 100, &e100);
    field_square_multiply(e250, &e200, 50, &e50);
}

/* r = a^(p - 2), which is 1 / a, or 0 for 0. */
LANES static inline void field_invert(field *r, const field *a)
{
    field e250, a11;
    field_power_250(&e250, &a11, a);
    field_square_multiply(r, &e250, 5, &a11); /* 2^255 - 21 */
}

/* ---- bytes ---- */

/* Bit 255 is left out; numbers from p to 2^255 - 1 are taken as they are. */
LANES static inline void field_decode(field *r, const uint8_t *const in[WIDTH])
{
    uint64_t limbs[LIMBS][WIDTH];
    whole t;
    for (size_t i = 0; i < WIDTH; i++) {
        const element one = element_decode(in[i]);
        for (size_t j = 0; j < LIMBS; j++) {
            limbs[j][i] = one.v[j];
        }
    }
    for (size_t i = 0; i < LIMBS; i++) {
        t.v[i] = load(limbs[i]);
    }
    field_split(r, &t);
}

/* r = the one representative of a below p, every limb below 2^51. */
LANES static inline void field_reduce(whole *r, const field *a)
{
    const words low = all(LIMB_MASK);
    whole t;
    field_join(&t, a);
    for (int i = 0; i < LIMBS; i++) { /* until all carries have come to rest */
        whole_carry(&t);
    }
    words excess = all(19); /* becomes 1 when t >= p */
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        excess = (t.v[i] + excess) >> LIMB_BITS;
    }
    words over = times_19(excess);
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        over += t.v[i];
        r->v[i] = over & low;
        over >>= LIMB_BITS;
    }
}

LANES static inline void field_encode(const field *a, uint8_t out[WIDTH][32])
{
    uint64_t r[LIMBS][WIDTH];
    whole t;
    field_reduce(&t, a);
    for (size_t i = 0; i < LIMBS; i++) {
        store(r[i], t.v[i]);
    }
    for (size_t i = 0; i < WIDTH; i++) {
        store_64(out[i], r[0][i] | r[1][i] << 51);
        store_64(out[i] + 8, r[1][i] >> 13 | r[2][i] << 38);
        store_64(out[i] + 16, r[2][i] >> 26 | r[3][i] << 25);
        store_64(out[i] + 24, r[3][i] >> 39 | r[4][i] << 12);
    }
    xmtp_wipe(r, sizeof r);
}

#endif
