/* secp256k1_field_lanes.h - the field of p = 2^256 - 2^32 - 977 (SEC 2 section 2.4.1), an element in each lane;
 * private to this room, and only for x86-64 (vectors.h).
 *
 * An element is five limbs of 52 bits, and each limb a vector with a lane of 64 bits for each element:
 *
 *              lane 0   lane 1   ...
 *     limb 0   a0[0]    a1[0]          a0 = sum of a0[i] * 2^(52 i)
 *     ...
 *     limb 4   a0[4]    a1[4]
 *
 * There are elements of three kinds, whose bounds are those of the machine's multiplication:
 *
 *     tidy     what all functions take and give that say nothing else
 *     factor   may be multiplied, and nothing else
 *     loose    sums on their way to field_tidy or make_factor: of tidy ones, 21 at most; a difference counts
 *              as four more, and what it subtracts is a sum of three at most
 *
 * and products, several of which may be added before they are reduced together: an addition of points needs
 * six of its products in three sums of two.
 *
 * All of it is for public data, though no branch and no address depends on an element. Results may be the
 * same objects as arguments.
 */
#ifndef XMTP_CRYPTO_SECP256K1_FIELD_LANES_H
#define XMTP_CRYPTO_SECP256K1_FIELD_LANES_H

#include "base/bytes.h"
#include "crypto/lanes.h"
#include "crypto/limbs_lanes.h"
#include "crypto/modular_inverse.h"

enum { LIMB_BITS = 52, TOP_BITS = 256 - 4 * LIMB_BITS, WORDS = 4 };

#define LIMB_MASK ((UINT64_C(1) << LIMB_BITS) - 1)
#define TOP_MASK  ((UINT64_C(1) << TOP_BITS) - 1)
#define FOLD_256  UINT64_C(0x1000003d1) /* 2^256 modulo p */

/* Carries from limb 0 to 4, each as far as it goes. */
LANES static inline void carry_up(words v[LIMBS])
{
    const words low = all(LIMB_MASK);
    UNROLL
    for (int i = 0; i < LIMBS - 1; i++) {
        const words over = v[i] >> LIMB_BITS;
        v[i] &= low;
        v[i + 1] += over;
    }
}

/* product: product_begin, product_add, product_square, field_reduce_product; field_tidy, make_factor, part_of_64p;
 * PART. */
#if defined(XMTP_AVX2)
#include "crypto/secp256k1_field_avx2.h"
#else
#include "crypto/secp256k1_field_avx512.h"
#endif

/* ---- sums */

/* Loose: a + b, of loose ones. */
LANES static inline void loose_add(field *r, const field *a, const field *b)
{
    add_parts(r, a, b);
}

/* Loose: a - b + 64 p, which is written so that no limb gets negative; a is tidy, b at most the sum of three. */
LANES static inline void loose_subtract(field *r, const field *a, const field *b)
{
    UNROLL
    for (int i = 0; i < PARTS; i++) {
        r->v[i] = a->v[i] + part_of_64p(i) - b->v[i];
    }
}

/* Loose: 64 p - a, for a as b above. */
LANES static inline void loose_negate(field *r, const field *a)
{
    UNROLL
    for (int i = 0; i < PARTS; i++) {
        r->v[i] = part_of_64p(i) - a->v[i];
    }
}

/* Loose: 21 a for tidy a. */
LANES static inline void loose_times_21(field *r, const field *a)
{
    UNROLL
    for (int i = 0; i < PARTS; i++) {
        const words x = a->v[i];
        const words times_5 = (x << 2) + x;
        r->v[i] = (times_5 << 2) + x;
    }
}

LANES static inline void factor_add(field *r, const field *a, const field *b)
{
    loose_add(r, a, b);
    make_factor(r);
}

LANES static inline void factor_negate(field *r, const field *a)
{
    loose_negate(r, a);
    make_factor(r);
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
    loose_negate(r, a);
    field_tidy(r);
}

LANES static inline void field_times_21(field *r, const field *a)
{
    loose_times_21(r, a);
    field_tidy(r);
}

/* ---- products of factors */

/* r = a b + c, for a loose c. */
PART void field_multiply_add(field *r, const field *a, const field *b, const field *c)
{
    product p;
    product_begin(&p, c);
    product_add(&p, a, b);
    field_reduce_product(r, &p);
}

PART void field_multiply(field *r, const field *a, const field *b)
{
    const field zero = {0};
    product p;
    product_begin(&p, &zero);
    product_add(&p, a, b);
    field_reduce_product(r, &p);
}

PART void field_square(field *r, const field *a)
{
    product p;
    product_square(&p, a);
    field_reduce_product(r, &p);
}

/* r = a b + c d */
PART void field_multiply_two(field *r, const field *a, const field *b, const field *c,
                             const field *d)
{
    const field zero = {0};
    product p;
    product_begin(&p, &zero);
    product_add(&p, a, b);
    product_add(&p, c, d);
    field_reduce_product(r, &p);
}

/* ---- the one representative below p */

/* r = a modulo p, for tidy a: below 2 p, so that adding 2^256 - p carries into bit 256 when p is to go. */
LANES static inline void field_reduce(whole *r, const field *a)
{
    whole less;
    field_join(r, a);
    carry_up(r->v);
    less = *r;
    less.v[0] += all(FOLD_256);
    carry_up(less.v);
    const mask above = is_same(less.v[4] >> TOP_BITS, all(1));
    less.v[4] &= all(TOP_MASK);
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        r->v[i] = choose(above, less.v[i], r->v[i]);
    }
}

/* The lanes in which both are the same. */
LANES static inline unsigned field_is_equal(const field *a, const field *b)
{
    whole x, y;
    field_reduce(&x, a);
    field_reduce(&y, b);
    return same_limbs(&x, &y);
}

LANES static inline unsigned field_is_zero(const field *a)
{
    const field zero = {0};
    return field_is_equal(a, &zero);
}

LANES static inline unsigned field_is_odd(const field *a)
{
    whole reduced;
    field_reduce(&reduced, a);
    return odd_limbs(&reduced);
}

/* ---- words of 64 bits, the lowest first */

/* From any number below 2^256. */
LANES static inline void field_of_words(field *r, const words w[WORDS])
{
    const words low = all(LIMB_MASK);
    whole limbs;
    limbs.v[0] = w[0] & low;
    UNROLL
    for (int i = 1; i < WORDS; i++) {
        limbs.v[i] = (w[i - 1] >> (64 - 12 * i) | w[i] << (12 * i)) & low;
    }
    limbs.v[4] = w[3] >> 16;
    field_split(r, &limbs);
}

/* Of the representative below p. */
LANES static inline void field_to_words(words w[WORDS], const field *a)
{
    whole t;
    field_reduce(&t, a);
    UNROLL
    for (int i = 0; i < WORDS; i++) {
        w[i] = t.v[i] >> (12 * i) | t.v[i + 1] << (52 - 12 * i);
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

/* r = 1 / a for a that is the same in all lanes, and not 0. */
LANES static inline void field_invert_same(field *r, const field *a)
{
    static const xmtp_modulus prime = {
        .v = {0xfffffffefffffc2f, UINT64_MAX, UINT64_MAX, UINT64_MAX},
        .minus_inverse = 0xd838091dd2253531};
    words w[WORDS];
    uint64_t number[WORDS];
    field_to_words(w, a);
    for (int i = 0; i < WORDS; i++) {
        number[i] = w[i][0];
    }
    xmtp_modular_inverse(number, number, &prime);
    for (int i = 0; i < WORDS; i++) {
        w[i] = all(number[i]);
    }
    field_of_words(r, w);
}

/* r = 1 / a, and 0 where a is 0: one inverse for all lanes, by products of each with the next lane, of 2 with the
 * next 2 and so on, and of the others of each. */
LANES static inline void field_invert(field *r, const field *a)
{
    const field zero = field_of((constant){0}), one = field_of((constant){1});
    const mask is_zero = mask_of(field_is_zero(a));
    field product_of_all = *a, others, t;
    field_choose(&product_of_all, is_zero, &one);
    field_rotate(&others, &product_of_all, 1);
    field_multiply(&product_of_all, &product_of_all, &others);
    for (int distance = 2; distance < WIDTH; distance *= 2) {
        field_rotate(&t, &product_of_all, distance);
        field_multiply(&others, &others, &t);
        field_multiply(&product_of_all, &product_of_all, &t);
    }
    field_invert_same(&t, &product_of_all);
    field_multiply(r, &others, &t);
    field_choose(r, is_zero, &zero);
}

#endif
