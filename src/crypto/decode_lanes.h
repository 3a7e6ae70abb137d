/* decode_lanes.h - points of edwards25519 from their encodings (RFC 8032 section 5.1.3), one in each lane;
 * private to this room, and only for x86-64 (vectors.h). All of it is public.
 */
#ifndef XMTP_CRYPTO_DECODE_LANES_H
#define XMTP_CRYPTO_DECODE_LANES_H

#include "crypto/point_lanes.h"

static const constant D = {0x34dca135978a3, 0x1a8283b156ebd, 0x5e7a26001c029, 0x739c663a03cbb,
                           0x52036cee2b6ff};
static const constant ROOT_OF_MINUS_1 = {0x61b274a0ea0b0, 0x0d5a5fc8f189d, 0x7ef5e9cbd0c60,
                                         0x78595a6804c9e, 0x2b8324804fc1d};

LANES static unsigned is_equal(const field *a, const field *b)
{
    whole x, y;
    field_reduce(&x, a);
    field_reduce(&y, b);
    return same_limbs(&x, &y);
}

/* Section 5.1.2: the least significant bit is the sign. */
LANES static unsigned is_negative(const field *a)
{
    whole reduced;
    field_reduce(&reduced, a);
    return odd_limbs(&reduced);
}

/* Small orders divide 8. X = 0 has also the point of order 2, which is not 8 times another. */
LANES static unsigned has_small_order(const point *p)
{
    const field zero = field_of(ZERO);
    point eightfold;
    double_point(&eightfold, p, false);
    double_point(&eightfold, &eightfold, false);
    double_point(&eightfold, &eightfold, false);
    return is_equal(&eightfold.x, &zero);
}

/* x of -A by section 5.1.3, which gives both roots; returns the lanes in which there is one. */
LANES static unsigned recover_x(field *x, const field *y, unsigned sign)
{
    const field one = field_of(ONE), d = field_of(D), root = field_of(ROOT_OF_MINUS_1);
    field u, v, minus_u, v3, t, check, e250, a11, other;
    field_square(&t, y);
    field_subtract(&u, &t, &one);
    field_multiply(&v, &t, &d);
    field_add(&v, &v, &one);
    field_square(&v3, &v);
    field_multiply(&v3, &v3, &v);
    field_square(&t, &v3);
    field_multiply(&t, &t, &v);
    field_multiply(&t, &t, &u); /* u v^7 */
    field_power_250(&e250, &a11, &t);
    field_square_multiply(&t, &e250, 2, &t); /* to the power 2^252 - 3 = (p - 5) / 8 */
    field_multiply(&t, &t, &v3);
    field_multiply(x, &t, &u);

    field_square(&check, x);
    field_multiply(&check, &check, &v);
    negate(&minus_u, &u);
    const unsigned is_root = is_equal(&check, &u);
    const unsigned is_other = is_equal(&check, &minus_u);
    field_multiply(&other, x, &root);
    field_choose(x, mask_of(is_other), &other);
    negate(&other, x);
    field_choose(x, mask_of(~(is_negative(x) ^ sign)), &other); /* the sign that A does not have */
    return is_root | is_other;
}

/* r = -A; returns the lanes in which A is the shortest encoding of a point, not of small order. */
LANES static unsigned decompress_negative(point *r, const uint8_t *const in[WIDTH])
{
    whole as_given, reduced;
    unsigned sign = 0;
    for (size_t i = 0; i < WIDTH; i++) {
        sign |= (unsigned)(in[i][31] >> 7) << i;
    }
    field_decode(&r->y, in);
    field_join(&as_given, &r->y);
    field_reduce(&reduced, &r->y);
    unsigned good = same_limbs(&reduced, &as_given);
    good &= recover_x(&r->x, &r->y, sign);
    r->z = field_of(ONE);
    field_multiply(&r->t, &r->x, &r->y);
    return good & ~has_small_order(r);
}

#endif
