/* ed25519_lanes.c - [S]B - [k]A on edwards25519 for as many signatures as there are lanes (RFC 8032 section
 * 5.1); ed25519_lanes_avx2.c is the same for the other kind (vectors.h).
 *
 *     A --decompress--> -A --> multiples 0 to 8 of -A ------+
 *                                                           v
 *     k --> 64 digits from -8 to 7 of base 16 --------> R = 16 R + [digit of k](-A)       64 times, from
 *     S --> 32 digits from -128 to 127 of base 256 ---> R =    R + [digit of S]B          the top; B every
 *                                                           ^                             second time
 *                         multiples 0 to 128 of B ----------+
 *
 * k multiplies A as it is, never k modulo the order times something: for keys with a part of small
 * order that makes a difference, and the verdict must be that of the single verification.
 *
 * Everything here is public.
 */
#include "crypto/ed25519_lanes.h"

#include "base/bytes.h"

#if defined(__x86_64__)

#include "crypto/entry_lanes.h"

#include <pthread.h>

enum {
    A_BITS = 4,
    A_DIGITS = 64,
    A_MULTIPLES = (1 << (A_BITS - 1)) + 1,
    B_BITS = 8,
    B_DIGITS = 32,
    B_MULTIPLES = (1 << (B_BITS - 1)) + 1
};

static const constant D = {0x34dca135978a3, 0x1a8283b156ebd, 0x5e7a26001c029, 0x739c663a03cbb,
                           0x52036cee2b6ff};
static const constant ROOT_OF_MINUS_1 = {0x61b274a0ea0b0, 0x0d5a5fc8f189d, 0x7ef5e9cbd0c60,
                                         0x78595a6804c9e, 0x2b8324804fc1d};

/* ---- more of the field ---- */

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

/* ---- digits ---- */

/* The scalar as digits of bits, the lowest first: from -2^(bits - 1) below 2^(bits - 1). */
static void to_digits(int8_t (*digits)[WIDTH], unsigned bits, size_t lane, const uint8_t scalar[32])
{
    int over = 0;
    for (unsigned at = 0; at < 256; at += bits) {
        const int digit = ((scalar[at / 8] >> (at % 8)) & ((1 << bits) - 1)) + over;
        over = digit >= 1 << (bits - 1);
        digits[at / bits][lane] = (int8_t)(digit - (over << bits));
    }
    /* The scalar is below 2^253: nothing is left over. */
}

/* ---- multiples of -A ---- */

/* multiples[i] = [i]p */
LANES static void multiples_of(addend multiples[A_MULTIPLES], const point *p)
{
    point sum;
    set_neutral(&sum);
    addend_of(&multiples[0], &sum);
    addend_of(&multiples[1], p);
    sum = *p;
    for (size_t i = 2; i < A_MULTIPLES; i++) {
        add_point(&sum, &sum, &multiples[1], true);
        addend_of(&multiples[i], &sum);
    }
}

#if defined(XMTP_AVX2)

/* In each lane the multiple of that size. Each goes where its own is: a third of the time of comparing
 * with all sizes, where two registers are read for each lane's word. */
LANES static inline void pick(addend *r, const addend multiples[A_MULTIPLES], words size)
{
    enum { ALL = sizeof(addend) / sizeof(words) };
    const words *from[WIDTH];
    words *to = (words *)r;
    UNROLL
    for (int lane = 0; lane < WIDTH; lane++) {
        from[lane] = (const words *)&multiples[size[lane]];
    }
    for (size_t i = 0; i < ALL; i++) {
        to[i] = (words){from[0][i][0], from[1][i][1], from[2][i][2], from[3][i][3]};
    }
}

#else /* AVX-512 */

/* In each lane the multiple of that size. */
LANES static inline void pick(addend *r, const addend multiples[A_MULTIPLES], words size)
{
    *r = multiples[0];
    UNROLL
    for (uint64_t i = 1; i < A_MULTIPLES; i++) {
        const mask here = is_same(size, all(i));
        field_choose(&r->y_minus_x, here, &multiples[i].y_minus_x);
        field_choose(&r->y_plus_x, here, &multiples[i].y_plus_x);
        field_choose(&r->t_2d, here, &multiples[i].t_2d);
        field_choose(&r->z_2, here, &multiples[i].z_2);
    }
}

#endif

/* r += in each lane the multiple that its digit asks for. */
LANES static void add_multiple_of_a(point *r, const addend multiples[A_MULTIPLES],
                                    const int8_t digits[WIDTH], bool wants_t)
{
    const words digit = load_bytes(digits);
    const mask negative = is_below_zero(digit);
    addend chosen, next;
    field minus_t_2d;
    pick(&chosen, multiples, size_of(digit));
    negate(&minus_t_2d, &chosen.t_2d);
    next = chosen;
    field_choose(&next.y_minus_x, negative, &chosen.y_plus_x);
    field_choose(&next.y_plus_x, negative, &chosen.y_minus_x);
    field_choose(&next.t_2d, negative, &minus_t_2d);
    add_point(r, r, &next, wants_t);
}

/* ---- multiples of B ---- */

static uint64_t of_base[B_MULTIPLES][ENTRY_WORDS]; /* written once */

/* Lane i makes the multiples STEPS i + 1 to STEPS i + STEPS. */
LANES static void make_multiples_of_base(void)
{
    enum { STEPS = (B_MULTIPLES - 1) / WIDTH };
    point base, p, stride, further;
    addend one, many;
    set_base(&base);
    addend_of(&one, &base);
    double_times(&stride, &base, (size_t)__builtin_ctz(STEPS));
    addend_of(&many, &stride);
    p = base;
    for (unsigned i = 1; i < WIDTH; i++) {
        add_point(&further, &p, &many, true);
        point_choose(&p, mask_of(~0U << i), &further);
    }
    for (size_t step = 0; step < STEPS; step += ENTRIES) {
        entry entries[ENTRIES];
        make_entries(entries, &p, &one);
        for (size_t i = 0; i < ENTRIES; i++) {
            const words *from = (const words *)&entries[i];
            for (size_t w = 0; w < ENTRY_WORDS; w++) {
                for (size_t lane = 0; lane < WIDTH; lane++) {
                    of_base[STEPS * lane + step + i + 1][w] = from[w][lane];
                }
            }
        }
    }
    of_base[0][0] = of_base[0][WORDS] = 1; /* neutral: y - x = y + x = 1, x y = 0 */
}

/* r += in each lane the multiple that its digit asks for; without T. */
LANES static void add_multiple_of_base(point *r, const int8_t digits[WIDTH])
{
    const words digit = load_bytes(digits);
    const words size = size_of(digit);
    entry chosen;
    addend next;
    uint64_t of_lanes[ENTRY_WORDS][WIDTH];
    words *to = (words *)&chosen;
    UNROLL
    for (int lane = 0; lane < WIDTH; lane++) {
        const uint64_t *from = of_base[size[lane]];
        for (size_t w = 0; w < ENTRY_WORDS; w++) {
            of_lanes[w][lane] = from[w];
        }
    }
    for (size_t w = 0; w < ENTRY_WORDS; w++) {
        to[w] = load(of_lanes[w]);
    }
    addend_of_entry(&next, &chosen, is_below_zero(digit));
    add_entry(r, &next, false);
}

/* ---- all of it ---- */

/* r = [S]B + [k]minus_a */
LANES static void multiply_both(point *r, const point *minus_a,
                                const xmtp_ed25519_equation *equations)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    addend of_a[A_MULTIPLES];
    int8_t k[A_DIGITS][WIDTH], s[B_DIGITS][WIDTH];
    (void)pthread_once(&once, make_multiples_of_base);
    multiples_of(of_a, minus_a);
    for (size_t i = 0; i < WIDTH; i++) {
        to_digits(k, A_BITS, i, equations[i].k);
        to_digits(s, B_BITS, i, equations[i].s);
    }
    set_neutral(r);
    for (size_t i = A_DIGITS; i-- > 0;) {
        const bool has_both = i % (B_BITS / A_BITS) == 0;
        for (int bit = 0; bit < A_BITS; bit++) {
            double_point(r, r, bit == A_BITS - 1);
        }
        add_multiple_of_a(r, of_a, k[i], has_both);
        if (has_both) {
            add_multiple_of_base(r, s[i / (B_BITS / A_BITS)]);
        }
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
