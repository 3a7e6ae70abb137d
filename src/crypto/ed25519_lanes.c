/* ed25519_lanes.c - [S]B - [k]A on edwards25519 for as many signatures as there are lanes (RFC 8032 section
 * 5.1); ed25519_lanes_avx2.c is the same for the other kind (vectors.h).
 *
 *     A --decompress--> -A --> multiples 0 to 8 of -A ---+
 *                                                        v      64 steps, from the top:
 *     k, S --> 64 digits from -8 to 7 of base 16 --> R = 16 R + [digit of k](-A) + [digit of S]B
 *                                                        ^
 *                         multiples 0 to 8 of B ---------+
 *
 * k multiplies A as it is, never k modulo the order times something: for keys with a part of small
 * order that makes a difference, and the verdict must be that of the single verification.
 *
 * Everything here is public.
 */
#include "crypto/ed25519_lanes.h"

#include "base/bytes.h"

#if defined(__x86_64__)

#include "crypto/point_lanes.h"

enum { DIGITS = 64, MULTIPLES = 9 };

static const constant D = {0x34dca135978a3, 0x1a8283b156ebd, 0x5e7a26001c029, 0x739c663a03cbb,
                           0x52036cee2b6ff};
static const constant ROOT_OF_MINUS_1 = {0x61b274a0ea0b0, 0x0d5a5fc8f189d, 0x7ef5e9cbd0c60,
                                         0x78595a6804c9e, 0x2b8324804fc1d};

/* ---- more of the field ---- */

/* What is known of lanes is kept as bits, lane i in bit i. */

/* The lanes in which both have the same limbs: the same numbers, for reduced ones. */
LANES static unsigned same_limbs(const whole *a, const whole *b)
{
    unsigned equal = ~0U;
    for (int i = 0; i < LIMBS; i++) {
        equal &= bits_of(is_same(a->v[i], b->v[i]));
    }
    return equal;
}

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
    return bits_of(is_same(reduced.v[0] & all(1), all(1)));
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
LANES static unsigned decompress_negative(point *r, const xmtp_ed25519_equation *equations)
{
    const uint8_t *in[WIDTH];
    whole as_given, reduced;
    unsigned sign = 0;
    for (size_t i = 0; i < WIDTH; i++) {
        in[i] = equations[i].a;
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

/* ---- multiples ---- */

/* multiples[i] = [i]p */
LANES static void multiples_of(addend multiples[MULTIPLES], const point *p)
{
    point sum;
    set_neutral(&sum);
    addend_of(&multiples[0], &sum);
    addend_of(&multiples[1], p);
    sum = *p;
    for (size_t i = 2; i < MULTIPLES; i++) {
        add_point(&sum, &sum, &multiples[1], true);
        addend_of(&multiples[i], &sum);
    }
}

static void to_digits(int8_t digits[DIGITS][WIDTH], size_t lane, const uint8_t scalar[32])
{
    int over = 0;
    for (size_t i = 0; i < DIGITS; i++) {
        int digit = ((scalar[i / 2] >> (4 * (i % 2))) & 15) + over;
        over = digit >= 8;
        digits[i][lane] = (int8_t)(digit - 16 * over);
    }
    /* The scalar is below 2^253: nothing is left over. */
}

/* In each lane the multiple that its digit, from -8 to 8, asks for. */
LANES static void select_multiple(addend *r, const addend multiples[MULTIPLES],
                                  const int8_t digits[WIDTH])
{
    const words digit = load_bytes(digits);
    const words size = size_of(digit);
    const mask negative = is_below_zero(digit);
    addend chosen = multiples[0];
    UNROLL
    for (uint64_t i = 1; i < MULTIPLES; i++) {
        const mask here = is_same(size, all(i));
        field_choose(&chosen.y_minus_x, here, &multiples[i].y_minus_x);
        field_choose(&chosen.y_plus_x, here, &multiples[i].y_plus_x);
        field_choose(&chosen.t_2d, here, &multiples[i].t_2d);
        field_choose(&chosen.z_2, here, &multiples[i].z_2);
    }
    field minus_t_2d;
    negate(&minus_t_2d, &chosen.t_2d);
    *r = chosen;
    field_choose(&r->y_minus_x, negative, &chosen.y_plus_x);
    field_choose(&r->y_plus_x, negative, &chosen.y_minus_x);
    field_choose(&r->t_2d, negative, &minus_t_2d);
}

/* r = [S]B + [k]minus_a */
LANES static void multiply_both(point *r, const point *minus_a,
                                const xmtp_ed25519_equation *equations)
{
    addend of_a[MULTIPLES], of_base[MULTIPLES], next;
    int8_t k[DIGITS][WIDTH], s[DIGITS][WIDTH];
    point base = {.x = field_of(BASE_X), .y = field_of(BASE_Y), .z = field_of(ONE)};
    field_multiply(&base.t, &base.x, &base.y);
    multiples_of(of_base, &base);
    multiples_of(of_a, minus_a);
    for (size_t i = 0; i < WIDTH; i++) {
        to_digits(k, i, equations[i].k);
        to_digits(s, i, equations[i].s);
    }
    set_neutral(r);
    for (size_t i = DIGITS; i-- > 0;) {
        for (int bit = 0; bit < 4; bit++) {
            double_point(r, r, bit == 3);
        }
        select_multiple(&next, of_a, k[i]);
        add_point(r, r, &next, true);
        select_multiple(&next, of_base, s[i]);
        add_point(r, r, &next, false);
    }
}

/* The lanes in which p is what r encodes. */
LANES static unsigned is_encoding(const point *p, const xmtp_ed25519_equation *equations)
{
    uint8_t encoded[WIDTH][32];
    field inverse, x, y;
    field_invert(&inverse, &p->z);
    field_multiply(&x, &p->x, &inverse);
    field_multiply(&y, &p->y, &inverse);
    field_encode(&y, encoded);
    const unsigned sign = is_negative(&x);
    unsigned equal = 0;
    for (size_t i = 0; i < WIDTH; i++) {
        encoded[i][31] = (uint8_t)(encoded[i][31] | ((sign >> i) & 1) << 7);
        equal |= (unsigned)(memcmp(encoded[i], equations[i].r, 32) == 0) << i;
    }
    return equal;
}

LANES static unsigned verify(const xmtp_ed25519_equation equations[WIDTH])
{
    point minus_a, r;
    unsigned good = decompress_negative(&minus_a, equations);
    multiply_both(&r, &minus_a, equations);
    good &= is_encoding(&r, equations);
    return good & ~has_small_order(&r);
}

unsigned LANES_NAME(xmtp_ed25519)(const xmtp_ed25519_equation equations[XMTP_LANES], size_t count)
{
    unsigned good = 0;
    for (size_t done = 0; done < count; done += WIDTH) {
        good |= verify(equations + done) << done;
    }
    return good;
}

#endif
