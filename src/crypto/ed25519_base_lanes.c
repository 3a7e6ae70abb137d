/* ed25519_base_lanes.c - [k]B on edwards25519 for one secret k: the lanes take parts of it;
 * ed25519_base_avx2.c is the same for the other kind (vectors.h).
 *
 * k is 64 digits of base 16, from -8 to 7, the last from 0 to 8. Of eight lanes, lane i does digit 8j + i in
 * round j, with a table of multiples of its place; no doubling is left to do:
 *
 *                 lane 0            lane 1          ...   lane 7
 *     round 0     [d0] B            [d1] [16]B            [d7] [16^7]B
 *     round 1   + [d8] [16^8]B    + [d9] [16^9]B        + [d15] [16^15]B
 *     ...
 *     round 7   + [d56] [16^56]B  + [d57] [16^57]B      + [d63] [16^63]B
 *
 * and four lanes take 16 rounds. Then the lanes are added: halves, quarters, neighbours. The addition is
 * complete, so it does not matter when digits are zero or two sums are equal.
 *
 * Each round reads all eight multiples of its places and keeps those asked for. No branch and no
 * address depends on k, or on the coordinates before the division by Z, which say more about k than
 * the point does. Nothing is defended against a processor that computes wrongly.
 */
#include "crypto/ed25519_base_lanes.h"

#include "base/bytes.h"

#if defined(__x86_64__)

#include "crypto/point_lanes.h"

#include <pthread.h>

enum {
    DIGIT_BITS = 4,
    DIGITS = 64,
    MULTIPLES = 8,
    ROUNDS = DIGITS / WIDTH,
    ROUND_BITS = DIGIT_BITS * WIDTH,
    WORDS = 4
};

/* A reduced element of each lane in four words: a fifth less to read than five limbs. */
typedef struct packed {
    words v[WORDS];
} packed;

/* In each lane a point with Z = 1, as an addition takes it. */
typedef struct entry {
    packed y_minus_x, y_plus_x, t_2d;
} entry;

/* table[j][m - 1], lane i: the multiple m of [16^(WIDTH j + i)]B. 48 KiB. */
static entry table[ROUNDS][MULTIPLES];

/* ---- the table: nothing here is secret ---- */

LANES static void pack(packed *r, const field *a)
{
    whole t;
    field_reduce(&t, a);
    r->v[0] = t.v[0] | t.v[1] << 51;
    r->v[1] = t.v[1] >> 13 | t.v[2] << 38;
    r->v[2] = t.v[2] >> 26 | t.v[3] << 25;
    r->v[3] = t.v[3] >> 39 | t.v[4] << 12;
}

LANES static void make_entry(entry *r, const point *p, const field *inverse_of_z)
{
    const field twice_d = field_of(TWICE_D);
    field x, y, t;
    field_multiply(&x, &p->x, inverse_of_z);
    field_multiply(&y, &p->y, inverse_of_z);
    field_subtract(&t, &y, &x);
    pack(&r->y_minus_x, &t);
    field_add(&t, &y, &x);
    pack(&r->y_plus_x, &t);
    field_multiply(&t, &x, &y);
    field_multiply(&t, &t, &twice_d);
    pack(&r->t_2d, &t);
}

/* The multiples 1 to 8 of p, with one inversion for all. */
LANES static void make_round(entry entries[MULTIPLES], const point *p)
{
    point multiples[MULTIPLES];
    field products[MULTIPLES]; /* of Z, up to this one */
    field inverse, inverse_of_z;
    addend first;
    addend_of(&first, p);
    multiples[0] = *p;
    products[0] = p->z;
    for (size_t m = 1; m < MULTIPLES; m++) {
        add_point(&multiples[m], &multiples[m - 1], &first, true);
        field_multiply(&products[m], &products[m - 1], &multiples[m].z);
    }
    field_invert(&inverse, &products[MULTIPLES - 1]);
    for (size_t m = MULTIPLES; m-- > 1;) {
        field_multiply(&inverse_of_z, &inverse, &products[m - 1]);
        field_multiply(&inverse, &inverse, &multiples[m].z);
        make_entry(&entries[m], &multiples[m], &inverse_of_z);
    }
    make_entry(&entries[0], &multiples[0], &inverse);
}

/* r = [16^places]p */
LANES static void move_up(point *r, const point *p, size_t places)
{
    *r = *p;
    for (size_t i = 0; i < places * DIGIT_BITS; i++) {
        double_point(r, r, true);
    }
}

LANES static void make_table(void)
{
    point p = {.x = field_of(BASE_X), .y = field_of(BASE_Y), .z = field_of(ONE)};
    point above;
    field_multiply(&p.t, &p.x, &p.y);
    for (unsigned i = 1; i < WIDTH; i++) { /* lane i gets there in i steps */
        const mask higher = mask_of(~0U << i);
        move_up(&above, &p, 1);
        field_choose(&p.x, higher, &above.x);
        field_choose(&p.y, higher, &above.y);
        field_choose(&p.z, higher, &above.z);
        field_choose(&p.t, higher, &above.t);
    }
    for (size_t j = 0; j < ROUNDS; j++) {
        make_round(table[j], &p);
        move_up(&p, &p, WIDTH);
    }
}

/* ---- secrets from here ---- */

/* The digits, each in four bits and, but for the last, 8 too high. */
static void recode(uint64_t digits[WORDS], const uint8_t k[32])
{
    uint128 sum = 0;
    for (size_t i = 0; i < WORDS; i++) {
        sum += load_64(k + 8 * i);
        sum += i + 1 < WORDS ? 0x8888888888888888 : 0x0888888888888888;
        digits[i] = (uint64_t)sum;
        sum >>= 64;
    }
}

/* Those of round j, a lane each. */
LANES static words digits_of(const uint64_t digits[WORDS], size_t j)
{
    const size_t bit = ROUND_BITS * j;
    words shifts = all(0);
    words too_high = all(8);
    UNROLL
    for (unsigned i = 0; i < WIDTH; i++) {
        shifts[i] = DIGIT_BITS * i;
    }
    too_high[WIDTH - 1] = j + 1 < ROUNDS ? 8 : 0;
    return ((all(digits[bit / 64] >> (bit % 64)) >> shifts) & all(15)) - too_high;
}

LANES static inline void unpack(field *r, const packed *a)
{
    const words *v = a->v;
    whole t = {{v[0], v[0] >> 51 | v[1] << 13, v[1] >> 38 | v[2] << 26, v[2] >> 25 | v[3] << 39,
                v[3] >> 12}};
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        t.v[i] &= all(LIMB_MASK);
    }
    field_split(r, &t);
}

LANES static inline void packed_choose(packed *r, mask chosen, const packed *a)
{
    UNROLL
    for (int i = 0; i < WORDS; i++) {
        r->v[i] = choose(chosen, a->v[i], r->v[i]);
    }
}

/* r |= a in the lanes that are here. */
LANES static inline void take(packed *r, mask here, const packed *a)
{
    UNROLL
    for (int i = 0; i < WORDS; i++) {
        r->v[i] = or_where(r->v[i], here, a->v[i]);
    }
}

/* In each lane the multiple that its digit, from -8 to 8, asks for. */
LANES static inline void select_multiple(addend *r, const entry multiples[MULTIPLES], words digit)
{
    const words size = size_of(digit);
    const mask negative = is_below_zero(digit);
    const mask zero = is_same(size, all(0));
    entry chosen = {0};
    packed y_minus_x;
    field minus_t_2d;
    /* the neutral element has y - x = y + x = 1 and x y = 0 */
    chosen.y_minus_x.v[0] = chosen.y_plus_x.v[0] = or_where(all(0), zero, all(1));
    UNROLL
    for (uint64_t m = 1; m <= MULTIPLES; m++) {
        const mask here = is_same(size, all(m));
        take(&chosen.y_minus_x, here, &multiples[m - 1].y_minus_x);
        take(&chosen.y_plus_x, here, &multiples[m - 1].y_plus_x);
        take(&chosen.t_2d, here, &multiples[m - 1].t_2d);
    }
    y_minus_x = chosen.y_minus_x;
    packed_choose(&chosen.y_minus_x, negative, &chosen.y_plus_x);
    packed_choose(&chosen.y_plus_x, negative, &y_minus_x);
    unpack(&r->y_minus_x, &chosen.y_minus_x);
    unpack(&r->y_plus_x, &chosen.y_plus_x);
    unpack(&r->t_2d, &chosen.t_2d);
    negate(&minus_t_2d, &r->t_2d);
    field_choose(&r->t_2d, negative, &minus_t_2d);
}

/* r += the point of q, whose Z is 1. */
LANES static inline void add_entry(point *r, const addend *q)
{
    field d;
    field_add(&d, &r->z, &r->z);
    add_with(r, r, q, &d, true);
}

LANES static inline void field_rotate(field *r, const field *a, int distance)
{
    UNROLL
    for (int i = 0; i < PARTS; i++) {
        r->v[i] = rotate(a->v[i], distance);
    }
}

/* All lanes of r become the sum of its lanes. */
LANES static void add_lanes(point *r)
{
    point other;
    addend q;
    for (int distance = WIDTH / 2; distance > 0; distance /= 2) {
        field_rotate(&other.x, &r->x, distance);
        field_rotate(&other.y, &r->y, distance);
        field_rotate(&other.z, &r->z, distance);
        field_rotate(&other.t, &r->t, distance);
        addend_of(&q, &other);
        add_point(r, r, &q, true);
    }
    xmtp_wipe(&other, sizeof other);
    xmtp_wipe(&q, sizeof q);
}

LANES static element first_lane(const field *a)
{
    whole limbs;
    element r;
    field_join(&limbs, a);
    for (size_t i = 0; i < LIMBS; i++) {
        r.v[i] = limbs.v[i][0];
    }
    return r;
}

LANES void LANES_NAME(xmtp_ed25519_base)(xmtp_ed25519_product *r, const uint8_t k[32])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make_table);
    uint64_t digits[WORDS];
    point sum;
    addend next;
    recode(digits, k);
    set_neutral(&sum);
    for (size_t j = 0; j < ROUNDS; j++) {
        select_multiple(&next, table[j], digits_of(digits, j));
        add_entry(&sum, &next);
    }
    add_lanes(&sum);
    r->x = first_lane(&sum.x);
    r->y = first_lane(&sum.y);
    r->z = first_lane(&sum.z);
    xmtp_wipe(digits, sizeof digits);
    xmtp_wipe(&sum, sizeof sum);
    xmtp_wipe(&next, sizeof next);
}

#endif
