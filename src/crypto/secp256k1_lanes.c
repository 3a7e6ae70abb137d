/* secp256k1_lanes.c - Q = [s / r]R - [z / r]G on y^2 = x^3 + 7 for as many signatures as there are lanes
 * (SEC 1 section 4.1.6); secp256k1_lanes_avx2.c is the same for the other kind (vectors.h).
 *
 *     r --decompress--> R --> multiples 0 to 16 of R ------------+
 *                                                                v      from the top, bit by bit:
 *     s / r = k0 + k1 lambda --> 26 digits, -16 to 15, of each --> Q = 2 Q + [digit]R + [digit][lambda]R
 *    -z / r = k2 + k3 lambda --> 17 digits, -128 to 127, of each         + [digit]G + [digit][lambda]G
 *                                                                ^
 *                               multiples 1 to 128 of G ---------+
 *
 * [lambda](x, y) = (beta x, y), so multiples of [lambda]R and [lambda]G need no tables.
 *
 * The additions are those of Renes, Costello and Batina (ePrint 2015/1060, algorithms 7, 8 and 9 for a = 0),
 * complete on a curve of odd order: right for every two points, the neutral one and equal ones among them.
 * There is no case that has to be looked for.
 *
 * Everything here is public.
 */
#include "crypto/secp256k1_lanes.h"

#include "base/bytes.h"

#if defined(__x86_64__)

#include "crypto/secp256k1_field_lanes.h"

#include <pthread.h>

enum {
    R_BITS = 5,
    R_DIGITS = 26,
    R_MULTIPLES = 17, /* from 0 */
    G_BITS = 8,
    G_DIGITS = 17,
    G_MULTIPLES = 129, /* from 0, which is not there */
    R_TOP = R_BITS * (R_DIGITS - 1),
    G_TOP = G_BITS * (G_DIGITS - 1),
    TOP = R_TOP > G_TOP ? R_TOP : G_TOP,
    POINT_WORDS = 16, /* 3 LIMBS, and one more for read_rows */
};

/* x = X / Z, y = Y / Z; Z = 0: the neutral point. */
typedef struct point {
    field x, y, z;
} point;

typedef struct affine {
    field x, y;
} affine;

/* A multiple of R as it lies in memory, one lane after another, so that each lane takes its own. */
typedef uint64_t packed_point[WIDTH][POINT_WORDS];

static const constant ONE = {1};
static const constant SEVEN = {7};
static const constant BETA = {0x96c28719501ee, 0x7512f58995c13, 0xc3434e99cf049, 0x07106e64479ea,
                              0x07ae96a2b657c};
static const constant BASE_X = {0x2815b16f81798, 0xdb2dce28d959f, 0xe870b07029bfc, 0xbbac55a06295c,
                                0x079be667ef9dc};
static const constant BASE_Y = {0x7d08ffb10d4b8, 0x48a68554199c4, 0xe1108a8fd17b4, 0xc4655da4fbfc0,
                                0x0483ada7726a3};

/* ---- points */

/* Algorithm 9, in its order: X = 2 X Y (Y^2 - 9 b Z^2), Y = (Y^2 - 9 b Z^2)(Y^2 + 3 b Z^2) + 24 b Y^2 Z^2,
 * Z = 8 Y^3 Z. r may be p. */
LANES __attribute__((noinline)) static void double_point(point *r, const point *p)
{
    field yy, yz, xy, zz, minus, plus, eight;
    field_square(&yy, &p->y);
    field_square(&zz, &p->z);
    field_multiply(&yz, &p->y, &p->z);
    field_multiply(&xy, &p->x, &p->y);
    field_times_21(&zz, &zz); /* 3 b Z^2 */
    loose_add(&eight, &yy, &yy);
    loose_add(&eight, &eight, &eight);
    loose_add(&eight, &eight, &eight);
    field_tidy(&eight);
    factor_add(&plus, &yy, &zz);
    loose_add(&minus, &zz, &zz);
    loose_add(&minus, &minus, &zz);
    field_subtract(&minus, &yy, &minus);
    factor_add(&xy, &xy, &xy);
    field_multiply(&r->x, &xy, &minus);
    field_multiply_two(&r->y, &minus, &plus, &eight, &zz);
    field_multiply(&r->z, &eight, &yz);
}

/* What both additions end with, from
 *     xx = X1 X2, yy = Y1 Y2, zz = 3 b Z1 Z2, xy = X1 Y2 + X2 Y1, yz = Y1 Z2 + Y2 Z1,
 *     xz = 3 b (X1 Z2 + X2 Z1):
 * X = xy (yy - zz) - yz xz, Y = (yy + zz)(yy - zz) + 3 xx xz, Z = yz (yy + zz) + 3 xx xy. */
PART void add_end(point *r, const field *xx, const field *yy, const field *zz, const field *xy,
                  const field *yz, const field *xz)
{
    field minus, plus, thrice, minus_yz;
    field_subtract(&minus, yy, zz);
    factor_add(&plus, yy, zz);
    loose_add(&thrice, xx, xx);
    factor_add(&thrice, &thrice, xx);
    factor_negate(&minus_yz, yz);
    field_multiply_two(&r->x, xy, &minus, &minus_yz, xz);
    field_multiply_two(&r->y, &plus, &minus, &thrice, xz);
    field_multiply_two(&r->z, yz, &plus, &thrice, xy);
}

/* r = a1 b2 + a2 b1, of which a1 a2 and b1 b2 are known. */
PART void cross(field *r, const field *a1, const field *b1, const field *a2, const field *b2,
                const field *a1a2, const field *b1b2)
{
    field sum1, sum2, known;
    factor_add(&sum1, a1, b1);
    factor_add(&sum2, a2, b2);
    loose_add(&known, a1a2, b1b2);
    loose_negate(&known, &known);
    field_multiply_add(r, &sum1, &sum2, &known);
}

/* Algorithm 7. r may be p or q. */
LANES __attribute__((noinline)) static void add_points(point *r, const point *p, const point *q)
{
    field xx, yy, zz, xy, yz, xz;
    field_multiply(&xx, &p->x, &q->x);
    field_multiply(&yy, &p->y, &q->y);
    field_multiply(&zz, &p->z, &q->z);
    cross(&xy, &p->x, &p->y, &q->x, &q->y, &xx, &yy);
    cross(&yz, &p->y, &p->z, &q->y, &q->z, &yy, &zz);
    cross(&xz, &p->x, &p->z, &q->x, &q->z, &xx, &zz);
    field_times_21(&zz, &zz);
    field_times_21(&xz, &xz);
    add_end(r, &xx, &yy, &zz, &xy, &yz, &xz);
}

/* Algorithm 8: q is not neutral. r may be p. */
LANES __attribute__((noinline)) static void add_affine(point *r, const point *p, const affine *q)
{
    field xx, yy, zz, xy, yz, xz;
    field_times_21(&zz, &p->z);
    field_multiply(&xx, &p->x, &q->x);
    field_multiply(&yy, &p->y, &q->y);
    cross(&xy, &p->x, &p->y, &q->x, &q->y, &xx, &yy);
    field_multiply_add(&yz, &q->y, &p->z, &p->y);
    loose_times_21(&xz, &p->x);
    field_multiply_add(&xz, &q->x, &zz, &xz);
    add_end(r, &xx, &yy, &zz, &xy, &yz, &xz);
}

LANES static void set_neutral(point *r)
{
    r->x = r->z = field_of((constant){0});
    r->y = field_of(ONE);
}

LANES static void set_affine(point *r, const affine *p)
{
    r->x = p->x;
    r->y = p->y;
    r->z = field_of(ONE);
}

/* x^3 + 7 */
LANES static void right_side(field *r, const field *x)
{
    const field seven = field_of(SEVEN);
    field t;
    field_square(&t, x);
    field_multiply_add(r, &t, x, &seven);
}

LANES static unsigned is_on_curve(const affine *p)
{
    field left, right;
    field_square(&left, &p->y);
    right_side(&right, &p->x);
    return field_is_equal(&left, &right);
}

/* Returns the lanes in which p is a point of the curve, as it must be, and not the neutral one: that becomes
 * (0, 0), which the curve does not have. */
LANES static unsigned to_affine(affine *r, const point *p)
{
    field inverse;
    field_invert(&inverse, &p->z);
    field_multiply(&r->x, &p->x, &inverse);
    field_multiply(&r->y, &p->y, &inverse);
    return is_on_curve(r);
}

/* R; returns the lanes in which r is the x of a point. */
LANES static unsigned decompress(affine *r, const xmtp_secp256k1_signature *signatures)
{
    uint64_t in[WORDS][WIDTH];
    words w[WORDS];
    unsigned odd = 0;
    for (size_t i = 0; i < WIDTH; i++) {
        for (size_t j = 0; j < WORDS; j++) {
            in[j][i] = signatures[i].r.v[j];
        }
        odd |= (unsigned)signatures[i].is_odd << i;
    }
    for (size_t j = 0; j < WORDS; j++) {
        w[j] = load(in[j]);
    }
    field_of_words(&r->x, w);
    field right, other;
    right_side(&right, &r->x);
    field_root(&r->y, &right);
    field_negate(&other, &r->y);
    field_choose(&r->y, mask_of(field_is_odd(&r->y) ^ odd), &other);
    return is_on_curve(r);
}

/* ---- digits */

/* The half as count digits of bits, the lowest first: from -2^(bits - 1) below 2^(bits - 1). */
static void to_digits(int8_t (*digits)[WIDTH], size_t count, size_t lane, size_t bits,
                      const xmtp_scalar_half *half)
{
    unsigned __int128 rest = (unsigned __int128)half->v[1] << 64 | half->v[0];
    int over = 0;
    for (size_t i = 0; i < count; i++) {
        const int digit = (int)(rest & ((1U << bits) - 1)) + over;
        rest >>= bits;
        over = digit >= 1 << (bits - 1);
        digits[i][lane] = (int8_t)(digit - (over << bits));
    }
    /* There is a bit more than the 128 of a half: nothing is left over. */
}

typedef struct digits {
    int8_t of_r[2][R_DIGITS][WIDTH];
    int8_t of_g[2][G_DIGITS][WIDTH];
    unsigned negative_r[2]; /* lane i in bit i */
    unsigned negative_g[2];
} digits;

static void split_to_digits(digits *d, size_t lane, const xmtp_scalar *by_r,
                            const xmtp_scalar *by_g)
{
    xmtp_scalar_half of_r[2], of_g[2];
    xmtp_scalar_split(of_r, by_r);
    xmtp_scalar_split(of_g, by_g);
    for (size_t i = 0; i < 2; i++) {
        to_digits(d->of_r[i], R_DIGITS, lane, R_BITS, &of_r[i]);
        to_digits(d->of_g[i], G_DIGITS, lane, G_BITS, &of_g[i]);
        d->negative_r[i] |= (unsigned)of_r[i].is_negative << lane;
        d->negative_g[i] |= (unsigned)of_g[i].is_negative << lane;
    }
}

/* s / r and -z / r of each. */
static void make_digits(digits *d, const xmtp_secp256k1_signature *signatures)
{
    xmtp_scalar r[WIDTH];
    xmtp_scalar_factor inverses[WIDTH];
    *d = (digits){0};
    for (size_t i = 0; i < WIDTH; i++) {
        r[i] = signatures[i].r;
    }
    xmtp_scalar_invert(inverses, r, WIDTH);
    for (size_t i = 0; i < WIDTH; i++) {
        xmtp_scalar by_r, by_g;
        xmtp_scalar_multiply(&by_r, &signatures[i].s, &inverses[i]);
        xmtp_scalar_multiply(&by_g, &signatures[i].z, &inverses[i]);
        xmtp_scalar_negate(&by_g, &by_g);
        split_to_digits(d, i, &by_r, &by_g);
    }
}

/* A place's digits: sizes, and where the multiple is to be negative. */
typedef struct places {
    uint64_t sizes[WIDTH];
    mask zero;
    mask negative;
} places;

LANES static inline void read_digits(places *p, const int8_t in[WIDTH], unsigned negative)
{
    const words digit = load_bytes(in);
    store(p->sizes, size_of(digit));
    p->zero = is_same(digit, all(0));
    p->negative = is_below_zero(digit) ^ mask_of(negative);
}

/* ---- words of one lane after another, in memory */

/* Those of lane i from rows[i]. Their count divides by 8. */
LANES static inline void read_rows(words *w, int count, const uint64_t *const rows[WIDTH])
{
    UNROLL
    for (int first = 0; first < count; first += WIDTH) {
        UNROLL
        for (int i = 0; i < WIDTH; i++) {
            w[first + i] = load(rows[i] + first);
        }
        transpose(w + first);
    }
}

LANES static inline void write_rows(uint64_t *const rows[WIDTH], int count, words *w)
{
    UNROLL
    for (int first = 0; first < count; first += WIDTH) {
        transpose(w + first);
        UNROLL
        for (int i = 0; i < WIDTH; i++) {
            store(rows[i] + first, w[first + i]);
        }
    }
}

/* ---- multiples of R */

LANES static void pack(packed_point out, const point *p)
{
    whole limbs[3];
    words w[POINT_WORDS];
    uint64_t *rows[WIDTH];
    field_join(&limbs[0], &p->x);
    field_join(&limbs[1], &p->y);
    field_join(&limbs[2], &p->z);
    for (size_t i = 0; i < 3; i++) {
        memcpy(w + LIMBS * i, limbs[i].v, sizeof limbs[i].v);
    }
    w[POINT_WORDS - 1] = all(0);
    for (size_t i = 0; i < WIDTH; i++) {
        rows[i] = out[i];
    }
    write_rows(rows, POINT_WORDS, w);
}

/* multiples[i] = [i]p */
LANES static void multiples_of(packed_point multiples[R_MULTIPLES], const affine *p)
{
    point sums[R_MULTIPLES];
    set_neutral(&sums[0]);
    set_affine(&sums[1], p);
    for (size_t i = 2; i < R_MULTIPLES; i++) {
        if (i % 2 == 0) {
            double_point(&sums[i], &sums[i / 2]);
        } else {
            add_affine(&sums[i], &sums[i - 1], p);
        }
    }
    for (size_t i = 0; i < R_MULTIPLES; i++) {
        pack(multiples[i], &sums[i]);
    }
}

/* q += [digit]R, or [digit][lambda]R. */
LANES static void add_multiple_of_r(point *q, packed_point multiples[R_MULTIPLES],
                                    const int8_t in[WIDTH], unsigned negative, bool is_lambda)
{
    places at;
    point p;
    field minus;
    const uint64_t *rows[WIDTH];
    words w[POINT_WORDS];
    read_digits(&at, in, negative);
    UNROLL
    for (int i = 0; i < WIDTH; i++) {
        rows[i] = multiples[at.sizes[i]][i];
    }
    read_rows(w, POINT_WORDS, rows);
    field_split(&p.x, &(whole){{w[0], w[1], w[2], w[3], w[4]}});
    field_split(&p.y, &(whole){{w[5], w[6], w[7], w[8], w[9]}});
    field_split(&p.z, &(whole){{w[10], w[11], w[12], w[13], w[14]}});
    field_negate(&minus, &p.y);
    field_choose(&p.y, at.negative, &minus);
    if (is_lambda) {
        const field beta = field_of(BETA);
        field_multiply(&p.x, &p.x, &beta);
    }
    add_points(q, q, &p);
}

/* ---- multiples of G */

static _Alignas(64) uint64_t base_multiples[G_MULTIPLES][2 * WORDS]; /* x and y; written once */

/* Lane i makes the multiples STEPS i + 1 to STEPS i + STEPS. */
LANES static void make_base_multiples(void)
{
    enum { STEPS = (G_MULTIPLES - 1) / WIDTH };
    const affine base = {.x = field_of(BASE_X), .y = field_of(BASE_Y)};
    point sum, further, stride;
    set_affine(&sum, &base);
    stride = sum;
    for (int i = 1; i < STEPS; i++) {
        add_affine(&stride, &stride, &base);
    }
    for (int i = 1; i < WIDTH; i++) {
        const mask from_i = mask_of(~0U << i);
        add_points(&further, &sum, &stride);
        field_choose(&sum.x, from_i, &further.x);
        field_choose(&sum.y, from_i, &further.y);
        field_choose(&sum.z, from_i, &further.z);
    }
    for (size_t step = 1; step <= STEPS; step++) {
        affine p;
        words w[2 * WORDS];
        uint64_t *rows[WIDTH];
        (void)to_affine(&p, &sum);
        field_to_words(w, &p.x);
        field_to_words(w + WORDS, &p.y);
        for (size_t i = 0; i < WIDTH; i++) {
            rows[i] = base_multiples[STEPS * i + step];
        }
        write_rows(rows, 2 * WORDS, w);
        add_affine(&sum, &sum, &base);
    }
}

static void prepare(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make_base_multiples);
}

/* q += [digit]G, or [digit][lambda]G. */
LANES static void add_multiple_of_g(point *q, const int8_t in[WIDTH], unsigned negative,
                                    bool is_lambda)
{
    places at;
    affine p;
    field minus;
    point sum;
    const uint64_t *rows[WIDTH];
    words w[2 * WORDS];
    read_digits(&at, in, negative);
    UNROLL
    for (int i = 0; i < WIDTH; i++) {
        rows[i] = base_multiples[at.sizes[i]];
    }
    read_rows(w, 2 * WORDS, rows);
    field_of_words(&p.x, w);
    field_of_words(&p.y, w + WORDS);
    field_negate(&minus, &p.y);
    field_choose(&p.y, at.negative, &minus);
    if (is_lambda) {
        const field beta = field_of(BETA);
        field_multiply(&p.x, &p.x, &beta);
    }
    add_affine(&sum, q, &p);
    field_choose(&sum.x, at.zero, &q->x);
    field_choose(&sum.y, at.zero, &q->y);
    field_choose(&sum.z, at.zero, &q->z);
    *q = sum;
}

/* ---- all of it */

LANES static void multiply_both(point *q, const affine *r, const digits *d)
{
    _Alignas(64) packed_point multiples[R_MULTIPLES];
    multiples_of(multiples, r);
    set_neutral(q);
    for (size_t bit = TOP + 1; bit-- > 0;) {
        double_point(q, q);
        for (size_t i = 0; bit % R_BITS == 0 && bit <= R_TOP && i < 2; i++) {
            add_multiple_of_r(q, multiples, d->of_r[i][bit / R_BITS], d->negative_r[i], i == 1);
        }
        for (size_t i = 0; bit % G_BITS == 0 && bit <= G_TOP && i < 2; i++) {
            add_multiple_of_g(q, d->of_g[i][bit / G_BITS], d->negative_g[i], i == 1);
        }
    }
}

/* Coordinates from the highest byte on. */
LANES static void encode(uint8_t points[WIDTH][64], const affine *p)
{
    words w[2 * WORDS];
    uint64_t out[WIDTH][2 * WORDS];
    uint64_t *rows[WIDTH];
    field_to_words(w, &p->x);
    field_to_words(w + WORDS, &p->y);
    for (size_t i = 0; i < WIDTH; i++) {
        rows[i] = out[i];
    }
    write_rows(rows, 2 * WORDS, w);
    for (size_t i = 0; i < WIDTH; i++) {
        xmtp_scalar coordinates[2];
        memcpy(coordinates, out[i], sizeof coordinates);
        xmtp_scalar_write(&coordinates[0], points[i]);
        xmtp_scalar_write(&coordinates[1], points[i] + 32);
    }
}

LANES static unsigned recover(const xmtp_secp256k1_signature signatures[WIDTH],
                              uint8_t points[WIDTH][64])
{
    digits d;
    affine r, affine_q;
    point q;
    make_digits(&d, signatures);
    unsigned good = decompress(&r, signatures);
    multiply_both(&q, &r, &d);
    good &= to_affine(&affine_q, &q);
    encode(points, &affine_q);
    return good;
}

unsigned LANES_NAME(xmtp_secp256k1)(const xmtp_secp256k1_signature signatures[XMTP_LANES],
                                    uint8_t points[XMTP_LANES][64], size_t count)
{
    unsigned good = 0;
    prepare();
    for (size_t done = 0; done < count; done += WIDTH) {
        good |= recover(signatures + done, points + done) << done;
    }
    return good;
}

#endif
