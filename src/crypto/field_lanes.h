/* field_lanes.h - the field of p = 2^255 - 19, eight elements at once; private to this room, and only for
 * x86-64 with AVX-512 IFMA (lanes.h). field_25519.h has one element at a time, in the same limbs.
 *
 * An element is five limbs of 51 bits, and each limb a vector of eight lanes of 64 bits, one for each
 * element:
 *
 *              lane 0   lane 1   ...   lane 7
 *     limb 0   a0[0]    a1[0]          a7[0]      a0 = sum of a0[i] * 2^(51 i)
 *     ...
 *     limb 4   a0[4]    a1[4]          a7[4]
 *
 * The instructions multiply the low 52 bits of each lane and add the lower or upper 52 bits of the
 * product; so every limb that goes into a product must be below 2^52. Each function below leaves its
 * limbs below 2^51 + 2^13, which keeps that with room. The upper half of a product of limbs i and j
 * weighs 2^(51 (i + j) + 52), twice what limb i + j + 1 does.
 *
 * No branch and no address depends on an element. Results may be the same objects as arguments.
 */
#ifndef XMTP_CRYPTO_FIELD_LANES_H
#define XMTP_CRYPTO_FIELD_LANES_H

#include "base/bytes.h"
#include "crypto/field_25519.h"
#include "crypto/lanes.h"
#include "crypto/limbs_lanes.h"

/* ---- arithmetic ---- */

LANES static inline __m512i times_19(__m512i x)
{
    __m512i times_9 = _mm512_add_epi64(_mm512_slli_epi64(x, 3), x);
    return _mm512_add_epi64(_mm512_slli_epi64(times_9, 1), x);
}

/* Brings limbs below 2^60 down to 51 bits and what the limb below carries over. */
LANES static inline void field_carry(field *r)
{
    const __m512i mask = _mm512_set1_epi64((long long)LIMB_MASK);
    __m512i over[LIMBS];
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        over[i] = _mm512_srli_epi64(r->v[i], LIMB_BITS);
        r->v[i] = _mm512_and_si512(r->v[i], mask);
    }
    r->v[0] = _mm512_add_epi64(r->v[0], times_19(over[4]));
    UNROLL
    for (int i = 1; i < LIMBS; i++) {
        r->v[i] = _mm512_add_epi64(r->v[i], over[i - 1]);
    }
}

LANES static inline void field_add(field *r, const field *a, const field *b)
{
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        r->v[i] = _mm512_add_epi64(a->v[i], b->v[i]);
    }
    field_carry(r);
}

/* a - b + 4p: no limb gets negative. */
LANES static inline void field_subtract(field *r, const field *a, const field *b)
{
    const __m512i low = _mm512_set1_epi64((long long)(4 * (LIMB_MASK - 18)));
    const __m512i other = _mm512_set1_epi64((long long)(4 * LIMB_MASK));
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        __m512i sum = _mm512_add_epi64(a->v[i], i == 0 ? low : other);
        r->v[i] = _mm512_sub_epi64(sum, b->v[i]);
    }
    field_carry(r);
}

/* low[k] and high[k]: the sums of lower and upper halves of products of limbs i + j = k. Folds the
 * upper five limbs with 2^255 = 19. */
LANES static inline void fold(field *r, const __m512i low[2 * LIMBS - 1],
                              const __m512i high[2 * LIMBS - 1])
{
    __m512i whole[2 * LIMBS];
    whole[0] = low[0];
    UNROLL
    for (int k = 1; k < 2 * LIMBS - 1; k++) {
        whole[k] = _mm512_add_epi64(low[k], _mm512_slli_epi64(high[k - 1], 1));
    }
    whole[2 * LIMBS - 1] = _mm512_slli_epi64(high[2 * LIMBS - 2], 1);
    UNROLL
    for (int k = 0; k < LIMBS; k++) {
        r->v[k] = _mm512_add_epi64(whole[k], times_19(whole[k + LIMBS]));
    }
    field_carry(r);
}

LANES static inline void field_multiply(field *r, const field *a, const field *b)
{
    __m512i low[2 * LIMBS - 1];
    __m512i high[2 * LIMBS - 1];
    UNROLL
    for (int k = 0; k < 2 * LIMBS - 1; k++) {
        low[k] = high[k] = _mm512_setzero_si512();
    }
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        UNROLL
        for (int j = 0; j < LIMBS; j++) {
            low[i + j] = _mm512_madd52lo_epu64(low[i + j], a->v[i], b->v[j]);
            high[i + j] = _mm512_madd52hi_epu64(high[i + j], a->v[i], b->v[j]);
        }
    }
    fold(r, low, high);
}

/* Products of different limbs come twice. */
LANES static inline void field_square(field *r, const field *a)
{
    __m512i low[2 * LIMBS - 1];
    __m512i high[2 * LIMBS - 1];
    UNROLL
    for (int k = 0; k < 2 * LIMBS - 1; k++) {
        low[k] = high[k] = _mm512_setzero_si512();
    }
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        UNROLL
        for (int j = i + 1; j < LIMBS; j++) {
            low[i + j] = _mm512_madd52lo_epu64(low[i + j], a->v[i], a->v[j]);
            high[i + j] = _mm512_madd52hi_epu64(high[i + j], a->v[i], a->v[j]);
        }
    }
    UNROLL
    for (int k = 0; k < 2 * LIMBS - 1; k++) {
        low[k] = _mm512_slli_epi64(low[k], 1);
        high[k] = _mm512_slli_epi64(high[k], 1);
    }
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        low[2 * i] = _mm512_madd52lo_epu64(low[2 * i], a->v[i], a->v[i]);
        high[2 * i] = _mm512_madd52hi_epu64(high[2 * i], a->v[i], a->v[i]);
    }
    fold(r, low, high);
}

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
LANES static inline void field_decode(field *r, const uint8_t *const in[XMTP_LANES])
{
    uint64_t limbs[LIMBS][XMTP_LANES];
    for (size_t i = 0; i < XMTP_LANES; i++) {
        const uint8_t *p = in[i];
        limbs[0][i] = load_64(p) & LIMB_MASK;
        limbs[1][i] = (load_64(p + 6) >> 3) & LIMB_MASK;
        limbs[2][i] = (load_64(p + 12) >> 6) & LIMB_MASK;
        limbs[3][i] = (load_64(p + 19) >> 1) & LIMB_MASK;
        limbs[4][i] = (load_64(p + 24) >> 12) & LIMB_MASK;
    }
    for (size_t i = 0; i < LIMBS; i++) {
        r->v[i] = _mm512_loadu_si512(limbs[i]);
    }
}

/* r = the one representative of a below p, every limb below 2^51. */
LANES static inline void field_reduce(field *r, const field *a)
{
    const __m512i mask = _mm512_set1_epi64((long long)LIMB_MASK);
    field t = *a;
    for (int i = 0; i < LIMBS; i++) { /* until all carries have come to rest */
        field_carry(&t);
    }
    __m512i excess = _mm512_set1_epi64(19); /* becomes 1 when t >= p */
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        excess = _mm512_srli_epi64(_mm512_add_epi64(t.v[i], excess), LIMB_BITS);
    }
    __m512i over = times_19(excess);
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        over = _mm512_add_epi64(over, t.v[i]);
        r->v[i] = _mm512_and_si512(over, mask);
        over = _mm512_srli_epi64(over, LIMB_BITS);
    }
}

LANES static inline void field_encode(const field *a, uint8_t out[XMTP_LANES][32])
{
    uint64_t r[LIMBS][XMTP_LANES];
    field t;
    field_reduce(&t, a);
    for (size_t i = 0; i < LIMBS; i++) {
        _mm512_storeu_si512(r[i], t.v[i]);
    }
    for (size_t i = 0; i < XMTP_LANES; i++) {
        store_64(out[i], r[0][i] | r[1][i] << 51);
        store_64(out[i] + 8, r[1][i] >> 13 | r[2][i] << 38);
        store_64(out[i] + 16, r[2][i] >> 26 | r[3][i] << 25);
        store_64(out[i] + 24, r[3][i] >> 39 | r[4][i] << 12);
    }
    xmtp_wipe(r, sizeof r);
}

#endif
