/* ed25519_lanes.c - whether R = [S]B - [k]A on edwards25519 for as many signatures as there are lanes (RFC 8032
 * section 5.1); ed25519_lanes_avx2.c is the same for the other kind (vectors.h).
 *
 *     A, R --decompress--> -A, -R --> multiples 0 to 8 of each -----------+
 *                                                                         v
 *     k --halve--> f, e --> 33 digits each from -8 to 7 of base 16 --> P = 16 P + [digit of f](-A) + [digit of e](-R)
 *     e S modulo the order --> 32 digits of base 256 ----------------> P = P + [digit]B + [digit]([2^136]B)
 *                                                                         ^     33 times, from the top; B every
 *                   multiples 0 to 128 of B and of [2^136]B --------------+     second time
 *
 * At the end P = [e]([S]B - [k]A - R), with e k = f (half_scalars.h): it is neutral exactly when the equation
 * holds. f is e k modulo 8 times the order, not the order: for keys with a part of small order that makes a
 * difference, and the verdict must be that of the single verification.
 *
 * Everything here is public.
 */
#include "crypto/ed25519_lanes.h"

#include "base/bytes.h"

#if defined(__x86_64__)

#include "crypto/decode_lanes.h"
#include "crypto/entry_lanes.h"
#include "crypto/half_scalars.h"

#include <pthread.h>
#include <sodium.h>

enum {
    BITS = 4,
    DIGITS = 33, /* of a half scalar, and one for what is carried */
    MULTIPLES = (1 << (BITS - 1)) + 1,
    B_BITS = 8,
    B_DIGITS = 32,
    B_LOW_DIGITS = (DIGITS + 1) / 2, /* the others are of [2^136]B */
    B_MULTIPLES = (1 << (B_BITS - 1)) + 1
};

/* ---- digits ---- */

/* The scalar as count digits of bits, the lowest first: from -2^(bits - 1) below 2^(bits - 1), or all of them
 * negated. Nothing may be left over. */
static void to_digits(int8_t (*digits)[WIDTH], size_t count, unsigned bits, size_t lane,
                      const uint8_t scalar[32], bool negated)
{
    int over = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t at = bits * i;
        int digit = ((scalar[at / 8] >> (at % 8)) & ((1 << bits) - 1)) + over;
        over = digit >= 1 << (bits - 1);
        digit -= over << bits;
        digits[i][lane] = (int8_t)(negated ? -digit : digit);
    }
}

/* What P is a sum of, the lowest digits first. */
typedef struct terms {
    int8_t f[DIGITS][WIDTH];
    int8_t e[DIGITS][WIDTH];
    int8_t s[B_DIGITS][WIDTH]; /* of e S, which is below 2^253 */
} terms;

/* Returns the lanes whose scalars could be halved; in the others the terms are of something else. */
static unsigned terms_of(terms *out, const xmtp_ed25519_equation *equations)
{
    unsigned good = 0;
    for (size_t i = 0; i < WIDTH; i++) {
        xmtp_half_scalars half = {.f_is_negative = false};
        uint8_t s[32];
        const bool is_good = xmtp_half_scalars_of(equations[i].k, &half);
        if (!is_good) {
            half = (xmtp_half_scalars){.e = {1}};
        }
        crypto_core_ed25519_scalar_mul(s, half.e, equations[i].s);
        to_digits(out->f, DIGITS, BITS, i, half.f, half.f_is_negative);
        to_digits(out->e, DIGITS, BITS, i, half.e, false);
        to_digits(out->s, B_DIGITS, B_BITS, i, s, false);
        good |= (unsigned)is_good << i;
    }
    return good;
}

/* ---- multiples of -A and -R ---- */

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

#if defined(XMTP_AVX2)

/* In each lane the multiple of that size. Each goes where its own is: a third of the time of comparing
 * with all sizes, where two registers are read for each lane's word. */
LANES static inline void pick(addend *r, const addend multiples[MULTIPLES], words size)
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
LANES static inline void pick(addend *r, const addend multiples[MULTIPLES], words size)
{
    *r = multiples[0];
    UNROLL
    for (uint64_t i = 1; i < MULTIPLES; i++) {
        const mask here = is_same(size, all(i));
        field_choose(&r->y_minus_x, here, &multiples[i].y_minus_x);
        field_choose(&r->y_plus_x, here, &multiples[i].y_plus_x);
        field_choose(&r->t_2d, here, &multiples[i].t_2d);
        field_choose(&r->z_2, here, &multiples[i].z_2);
    }
}

#endif

/* r += in each lane the multiple that its digit asks for. */
LANES static void add_multiple(point *r, const addend multiples[MULTIPLES],
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

typedef uint64_t base_table[B_MULTIPLES][ENTRY_WORDS];

static base_table of_base;      /* written once, and */
static base_table of_high_base; /* of [2^136]B */

/* Lane i makes the multiples STEPS i + 1 to STEPS i + STEPS. */
LANES static void make_multiples(base_table table, const point *base)
{
    enum { STEPS = (B_MULTIPLES - 1) / WIDTH };
    point p, stride, further;
    addend one, many;
    addend_of(&one, base);
    double_times(&stride, base, (size_t)__builtin_ctz(STEPS));
    addend_of(&many, &stride);
    p = *base;
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
                    table[STEPS * lane + step + i + 1][w] = from[w][lane];
                }
            }
        }
    }
    table[0][0] = table[0][WORDS] = 1; /* neutral: y - x = y + x = 1, x y = 0 */
}

LANES static void make_multiples_of_base(void)
{
    point base, high;
    set_base(&base);
    make_multiples(of_base, &base);
    double_times(&high, &base, B_BITS * B_LOW_DIGITS);
    make_multiples(of_high_base, &high);
}

/* r += in each lane the multiple that its digit asks for. */
LANES static void add_multiple_of_base(point *r, const base_table table, const int8_t digits[WIDTH],
                                       bool wants_t)
{
    const words digit = load_bytes(digits);
    const words size = size_of(digit);
    entry chosen;
    addend next;
    uint64_t of_lanes[ENTRY_WORDS][WIDTH];
    words *to = (words *)&chosen;
    UNROLL
    for (int lane = 0; lane < WIDTH; lane++) {
        const uint64_t *from = table[size[lane]];
        for (size_t w = 0; w < ENTRY_WORDS; w++) {
            of_lanes[w][lane] = from[w];
        }
    }
    for (size_t w = 0; w < ENTRY_WORDS; w++) {
        to[w] = load(of_lanes[w]);
    }
    addend_of_entry(&next, &chosen, is_below_zero(digit));
    add_entry(r, &next, wants_t);
}

/* ---- all of it ---- */

/* r = [f]minus_a + [e]minus_r + [e S]B */
LANES static void add_up(point *r, const point *minus_a, const point *minus_r, const terms *t)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    addend of_a[MULTIPLES], of_r[MULTIPLES];
    (void)pthread_once(&once, make_multiples_of_base);
    multiples_of(of_a, minus_a);
    multiples_of(of_r, minus_r);
    set_neutral(r);
    for (size_t i = DIGITS; i-- > 0;) {
        const size_t byte = i / (B_BITS / BITS);
        const bool has_base = i % (B_BITS / BITS) == 0;
        const bool has_high = has_base && B_LOW_DIGITS + byte < B_DIGITS;
        for (int bit = 0; i + 1 < DIGITS && bit < BITS; bit++) {
            double_point(r, r, bit == BITS - 1);
        }
        add_multiple(r, of_a, t->f[i], true);
        add_multiple(r, of_r, t->e[i], has_base);
        if (has_base) {
            add_multiple_of_base(r, of_base, t->s[byte], has_high);
        }
        if (has_high) {
            add_multiple_of_base(r, of_high_base, t->s[B_LOW_DIGITS + byte], false);
        }
    }
}

LANES static unsigned is_neutral(const point *p)
{
    const field zero = field_of(ZERO);
    return is_equal(&p->x, &zero) & is_equal(&p->y, &p->z);
}

LANES static unsigned verify(const xmtp_ed25519_equation equations[WIDTH])
{
    const uint8_t *a[WIDTH], *r[WIDTH];
    point minus_a, minus_r, sum;
    terms t;
    for (size_t i = 0; i < WIDTH; i++) {
        a[i] = equations[i].a;
        r[i] = equations[i].r;
    }
    unsigned good = terms_of(&t, equations);
    good &= decompress_negative(&minus_a, a);
    good &= decompress_negative(&minus_r, r);
    add_up(&sum, &minus_a, &minus_r, &t);
    return good & is_neutral(&sum);
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
