/* secp256k1_field_lanes.h - the field of p = 2^256 - 2^32 - 977 (SEC 2 section 2.4.1), eight elements at
 * once; private to this room, and only for x86-64 with AVX-512 IFMA (lanes.h).
 *
 * An element is five limbs of 52 bits, and each limb a vector of eight lanes, one for each element:
 *
 *              lane 0   lane 1   ...   lane 7
 *     limb 0   a0[0]    a1[0]          a7[0]      a0 = sum of a0[i] * 2^(52 i)
 *     ...
 *     limb 4   a0[4]    a1[4]          a7[4]
 *
 * The instructions multiply the low 52 bits of each lane and add the lower or upper 52 bits of the
 * product. So there are elements of two kinds:
 *
 *     tidy   limbs 0 to 3 below 2^52, limb 4 below 2^48 + 2^12: may be multiplied; what functions take and give
 *     loose  limbs below 2^58: sums on their way to field_tidy
 *
 * and products of ten limbs, several of which may be added before they are reduced together: an addition
 * of points needs six of its products in three sums of two.
 *
 * All of it is for public data, though no branch and no address depends on an element. Results may be the
 * same objects as arguments.
 */
#ifndef XMTP_CRYPTO_SECP256K1_FIELD_LANES_H
#define XMTP_CRYPTO_SECP256K1_FIELD_LANES_H

#include "base/bytes.h"
#include "crypto/lanes.h"
#include "crypto/limbs_512.h"
#include "crypto/modular_inverse.h"

enum { LIMB_BITS = 52, TOP_BITS = 256 - 4 * LIMB_BITS, WORDS = 4 };

#define LIMB_MASK ((UINT64_C(1) << LIMB_BITS) - 1)
#define TOP_MASK  ((UINT64_C(1) << TOP_BITS) - 1)
#define FOLD_256  UINT64_C(0x1000003d1) /* 2^256 modulo p */
#define FOLD_260  (FOLD_256 << 4)       /* 2^260, which limb 5 weighs */

typedef struct product {
    __m512i v[2 * LIMBS];
} product;

/* ---- sums */

/* Carries from limb 0 to 4, each as far as it goes. */
LANES static inline void carry_up(field *r)
{
    const __m512i mask = _mm512_set1_epi64((long long)LIMB_MASK);
    UNROLL
    for (int i = 0; i < LIMBS - 1; i++) {
        const __m512i over = _mm512_srli_epi64(r->v[i], LIMB_BITS);
        r->v[i] = _mm512_and_si512(r->v[i], mask);
        r->v[i + 1] = _mm512_add_epi64(r->v[i + 1], over);
    }
}

/* Loose becomes tidy: what is above 2^256 goes to the bottom, then the carries go up and leave limb 4
 * below 2^48 + 2^7. */
LANES static inline void field_tidy(field *r)
{
    const __m512i top = _mm512_srli_epi64(r->v[4], TOP_BITS);
    r->v[4] = _mm512_and_si512(r->v[4], _mm512_set1_epi64((long long)TOP_MASK));
    r->v[0] = _mm512_madd52lo_epu64(r->v[0], top, _mm512_set1_epi64((long long)FOLD_256));
    carry_up(r);
}

/* Loose: a + b. */
LANES static inline void loose_add(field *r, const field *a, const field *b)
{
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        r->v[i] = _mm512_add_epi64(a->v[i], b->v[i]);
    }
}

/* Loose: a + 32p - b for tidy b, with 32p = 2^261 - 32 * FOLD_256 written so that no limb gets negative. */
LANES static inline void loose_subtract(field *r, const field *a, const field *b)
{
    const __m512i low = _mm512_set1_epi64((long long)(2 * LIMB_MASK + 2 - 32 * FOLD_256));
    const __m512i other = _mm512_set1_epi64((long long)(2 * LIMB_MASK));
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        const __m512i sum = _mm512_add_epi64(a->v[i], i == 0 ? low : other);
        r->v[i] = _mm512_sub_epi64(sum, b->v[i]);
    }
}

/* Loose: 21 a for tidy a. */
LANES static inline void loose_times_21(field *r, const field *a)
{
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        const __m512i x = a->v[i];
        const __m512i times_5 = _mm512_add_epi64(_mm512_slli_epi64(x, 2), x);
        r->v[i] = _mm512_add_epi64(_mm512_slli_epi64(times_5, 2), x);
    }
}

LANES static inline void field_add(field *r, const field *a, const field *b)
{
    loose_add(r, a, b);
    field_tidy(r);
}

LANES static inline void field_subtract(field *r, const field *a, const field *b)
{
    loose_subtract(r, a, b);
    field_tidy(r);
}

LANES static inline void field_negate(field *r, const field *a)
{
    const field zero = field_of((constant){0});
    field_subtract(r, &zero, a);
}

LANES static inline void field_times_21(field *r, const field *a)
{
    loose_times_21(r, a);
    field_tidy(r);
}

/* ---- products */

LANES static inline void product_add(product *p, const field *a, const field *b)
{
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        UNROLL
        for (int j = 0; j < LIMBS; j++) {
            p->v[i + j] = _mm512_madd52lo_epu64(p->v[i + j], a->v[i], b->v[j]);
            p->v[i + j + 1] = _mm512_madd52hi_epu64(p->v[i + j + 1], a->v[i], b->v[j]);
        }
    }
}

/* Starts with a loose element, to which products are added. */
LANES static inline void product_begin(product *p, const field *a)
{
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        p->v[i] = a->v[i];
        p->v[LIMBS + i] = _mm512_setzero_si512();
    }
}

LANES static inline void product_of(product *p, const field *a, const field *b)
{
    UNROLL
    for (int k = 0; k < 2 * LIMBS; k++) {
        p->v[k] = _mm512_setzero_si512();
    }
    product_add(p, a, b);
}

/* Products of different limbs come twice. */
LANES static inline void product_square(product *p, const field *a)
{
    UNROLL
    for (int k = 0; k < 2 * LIMBS; k++) {
        p->v[k] = _mm512_setzero_si512();
    }
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        UNROLL
        for (int j = i + 1; j < LIMBS; j++) {
            p->v[i + j] = _mm512_madd52lo_epu64(p->v[i + j], a->v[i], a->v[j]);
            p->v[i + j + 1] = _mm512_madd52hi_epu64(p->v[i + j + 1], a->v[i], a->v[j]);
        }
    }
    UNROLL
    for (int k = 0; k < 2 * LIMBS; k++) {
        p->v[k] = _mm512_add_epi64(p->v[k], p->v[k]);
    }
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        p->v[2 * i] = _mm512_madd52lo_epu64(p->v[2 * i], a->v[i], a->v[i]);
        p->v[2 * i + 1] = _mm512_madd52hi_epu64(p->v[2 * i + 1], a->v[i], a->v[i]);
    }
}

/* r, tidy, from a sum of at most four products and a loose element. The upper five limbs are carried to
 * 52 bits, of which the multiplication takes no more by itself, and folded with 2^260; what then stands
 * above 2^256 in limbs 4 and 5 is folded once more. */
LANES static inline void field_reduce_product(field *r, const product *p)
{
    const __m512i fold_260 = _mm512_set1_epi64((long long)FOLD_260);
    const __m512i fold_256 = _mm512_set1_epi64((long long)FOLD_256);
    __m512i high[LIMBS], t[LIMBS + 1];
    high[0] = p->v[LIMBS];
    UNROLL
    for (int i = 1; i < LIMBS; i++) {
        high[i] = _mm512_add_epi64(p->v[LIMBS + i], _mm512_srli_epi64(high[i - 1], LIMB_BITS));
    }
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        t[i] = _mm512_madd52lo_epu64(p->v[i], high[i], fold_260);
    }
    t[LIMBS] = _mm512_setzero_si512();
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        t[i + 1] = _mm512_madd52hi_epu64(t[i + 1], high[i], fold_260);
    }
    const __m512i top = _mm512_add_epi64(_mm512_srli_epi64(t[4], TOP_BITS),
                                         _mm512_slli_epi64(t[5], LIMB_BITS - TOP_BITS));
    r->v[0] = _mm512_madd52lo_epu64(t[0], top, fold_256);
    r->v[1] = _mm512_madd52hi_epu64(t[1], top, fold_256);
    r->v[2] = t[2];
    r->v[3] = t[3];
    r->v[4] = _mm512_and_si512(t[4], _mm512_set1_epi64((long long)TOP_MASK));
    carry_up(r);
}

LANES static inline void field_multiply(field *r, const field *a, const field *b)
{
    product p;
    product_of(&p, a, b);
    field_reduce_product(r, &p);
}

LANES static inline void field_square(field *r, const field *a)
{
    product p;
    product_square(&p, a);
    field_reduce_product(r, &p);
}

/* r = a b + c d */
LANES static inline void field_multiply_two(field *r, const field *a, const field *b,
                                            const field *c, const field *d)
{
    product p;
    product_of(&p, a, b);
    product_add(&p, c, d);
    field_reduce_product(r, &p);
}

/* ---- the one representative below p */

/* r = a modulo p, for tidy a: below 2 p, so that adding 2^256 - p carries into bit 256 when p is to go. */
LANES static inline void field_reduce(field *r, const field *a)
{
    const __m512i top_mask = _mm512_set1_epi64((long long)TOP_MASK);
    field less = *a;
    less.v[0] = _mm512_add_epi64(less.v[0], _mm512_set1_epi64((long long)FOLD_256));
    carry_up(&less);
    const __mmask8 above = _mm512_cmpgt_epu64_mask(less.v[4], top_mask);
    less.v[4] = _mm512_and_si512(less.v[4], top_mask);
    *r = *a;
    field_choose(r, above, &less);
}

/* The lanes in which both are the same. */
LANES static inline __mmask8 field_is_equal(const field *a, const field *b)
{
    field x, y;
    __mmask8 equal = 0xff;
    field_reduce(&x, a);
    field_reduce(&y, b);
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        equal = _mm512_mask_cmpeq_epi64_mask(equal, x.v[i], y.v[i]);
    }
    return equal;
}

LANES static inline __mmask8 field_is_zero(const field *a)
{
    const field zero = field_of((constant){0});
    return field_is_equal(a, &zero);
}

LANES static inline __mmask8 field_is_odd(const field *a)
{
    field reduced;
    field_reduce(&reduced, a);
    return _mm512_test_epi64_mask(reduced.v[0], _mm512_set1_epi64(1));
}

/* ---- words of 64 bits, the lowest first */

/* From any number below 2^256. */
LANES static inline void field_of_words(field *r, const __m512i w[WORDS])
{
    const __m512i mask = _mm512_set1_epi64((long long)LIMB_MASK);
    r->v[0] = _mm512_and_si512(w[0], mask);
    UNROLL
    for (int i = 1; i < WORDS; i++) {
        const __m512i low = _mm512_srli_epi64(w[i - 1], (unsigned)(64 - 12 * i));
        const __m512i high = _mm512_slli_epi64(w[i], (unsigned)(12 * i));
        r->v[i] = _mm512_and_si512(_mm512_or_si512(low, high), mask);
    }
    r->v[4] = _mm512_srli_epi64(w[3], 16);
}

/* Of the representative below p. */
LANES static inline void field_to_words(__m512i w[WORDS], const field *a)
{
    field t;
    field_reduce(&t, a);
    UNROLL
    for (int i = 0; i < WORDS; i++) {
        w[i] = _mm512_or_si512(_mm512_srli_epi64(t.v[i], (unsigned)(12 * i)),
                               _mm512_slli_epi64(t.v[i + 1], (unsigned)(52 - 12 * i)));
    }
}

/* Eight rows of eight words become columns. */
LANES static inline void transpose(__m512i m[XMTP_LANES])
{
    __m512i pairs[XMTP_LANES], fours[XMTP_LANES];
    UNROLL
    for (int i = 0; i < XMTP_LANES; i += 2) {
        pairs[i] = _mm512_unpacklo_epi64(m[i], m[i + 1]);
        pairs[i + 1] = _mm512_unpackhi_epi64(m[i], m[i + 1]);
    }
    UNROLL
    for (int i = 0; i < XMTP_LANES; i++) { /* pairs of rows i and i + 2, of each four */
        if ((i & 2) == 0) {
            fours[i] = _mm512_shuffle_i64x2(pairs[i], pairs[i + 2], 0x88);
            fours[i + 2] = _mm512_shuffle_i64x2(pairs[i], pairs[i + 2], 0xdd);
        }
    }
    UNROLL
    for (int i = 0; i < XMTP_LANES / 2; i++) {
        m[i] = _mm512_shuffle_i64x2(fours[i], fours[i + 4], 0x88);
        m[i + 4] = _mm512_shuffle_i64x2(fours[i], fours[i + 4], 0xdd);
    }
}

/* ---- roots */

/* r = a^(2^count) b */
LANES __attribute__((noinline)) static void field_square_multiply(field *r, const field *a,
                                                                  int count, const field *b)
{
    field t = *a;
    for (int i = 0; i < count; i++) {
        field_square(&t, &t);
    }
    field_multiply(r, &t, b);
}

/* r = a^((p + 1) / 4), a root of a where there is one: the exponent is 223 ones, a zero, 22 ones, 00001100. */
LANES static inline void field_root(field *r, const field *a)
{
    field ones_2, ones_3, ones_22, t, u;
    field_square_multiply(&ones_2, a, 1, a);
    field_square_multiply(&ones_3, &ones_2, 1, a);
    field_square_multiply(&t, &ones_3, 3, &ones_3); /* 6 ones */
    field_square_multiply(&t, &t, 3, &ones_3);      /* 9 */
    field_square_multiply(&t, &t, 2, &ones_2);      /* 11 */
    field_square_multiply(&ones_22, &t, 11, &t);
    field_square_multiply(&t, &ones_22, 22, &ones_22); /* 44 */
    field_square_multiply(&u, &t, 44, &t);             /* 88 */
    field_square_multiply(&u, &u, 88, &u);             /* 176 */
    field_square_multiply(&u, &u, 44, &t);             /* 220 */
    field_square_multiply(&u, &u, 3, &ones_3);         /* 223 */
    field_square_multiply(&u, &u, 23, &ones_22);
    field_square_multiply(&u, &u, 6, &ones_2);
    field_square(&u, &u);
    field_square(r, &u);
}

/* ---- inverses */

/* Each lane receives the lane whose number differs by 1, 2 or 4. */
LANES static inline void field_swap(field *r, const field *a, int distance)
{
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        const __m512i x = a->v[i];
        r->v[i] = distance == 1   ? _mm512_permutex_epi64(x, 0xb1)
                  : distance == 2 ? _mm512_permutex_epi64(x, 0x4e)
                                  : _mm512_shuffle_i64x2(x, x, 0x4e);
    }
}

/* r = 1 / a for a that is the same in all lanes, and not 0. */
LANES static inline void field_invert_same(field *r, const field *a)
{
    static const xmtp_modulus prime = {
        .v = {0xfffffffefffffc2f, UINT64_MAX, UINT64_MAX, UINT64_MAX},
        .minus_inverse = 0xd838091dd2253531};
    __m512i words[WORDS];
    uint64_t number[WORDS];
    field_to_words(words, a);
    for (int i = 0; i < WORDS; i++) {
        number[i] = (uint64_t)_mm_cvtsi128_si64(_mm512_castsi512_si128(words[i]));
    }
    xmtp_modular_inverse(number, number, &prime);
    for (int i = 0; i < WORDS; i++) {
        words[i] = _mm512_set1_epi64((long long)number[i]);
    }
    field_of_words(r, words);
}

/* r = 1 / a, and 0 where a is 0: one inverse for all lanes, by products of 2, 4 and 8 of them and of the 7
 * others of each. */
LANES static inline void field_invert(field *r, const field *a)
{
    const field zero = field_of((constant){0}), one = field_of((constant){1});
    const __mmask8 is_zero = field_is_zero(a);
    field product_of_all = *a, others, t;
    field_choose(&product_of_all, is_zero, &one);
    field_swap(&others, &product_of_all, 1);
    field_multiply(&product_of_all, &product_of_all, &others);
    for (int distance = 2; distance < XMTP_LANES; distance *= 2) {
        field_swap(&t, &product_of_all, distance);
        field_multiply(&others, &others, &t);
        field_multiply(&product_of_all, &product_of_all, &t);
    }
    field_invert_same(&t, &product_of_all);
    field_multiply(r, &others, &t);
    field_choose(r, is_zero, &zero);
}

#endif
