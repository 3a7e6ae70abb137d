/* ed25519_base_lanes.c - [k]B on edwards25519 for one secret k: the eight lanes take parts of it.
 *
 * k is 64 digits of base 16, from -8 to 7, the last from 0 to 8. Digit 8j + i is done by lane i in
 * round j, with a table of multiples of its place; no doubling is left to do:
 *
 *                 lane 0            lane 1          ...   lane 7
 *     round 0     [d0] B            [d1] [16]B            [d7] [16^7]B
 *     round 1   + [d8] [16^8]B    + [d9] [16^9]B        + [d15] [16^15]B
 *     ...
 *     round 7   + [d56] [16^56]B  + [d57] [16^57]B      + [d63] [16^63]B
 *
 * Then the lanes are added: halves, quarters, neighbours. The addition is complete, so it does not
 * matter when digits are zero or two sums are equal.
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

enum { ROUNDS = 8, MULTIPLES = 8, DIGIT_BITS = 4, WORDS = 4 };

/* A reduced element of each lane in four words: a fifth less to read than five limbs. */
typedef struct packed {
    __m512i v[WORDS];
} packed;

/* In each lane a point with Z = 1, as an addition takes it. */
typedef struct entry {
    packed y_minus_x, y_plus_x, t_2d;
} entry;

/* table[j][m - 1], lane i: the multiple m of [16^(8j + i)]B. 48 KiB. */
static entry table[ROUNDS][MULTIPLES];

/* ---- the table: nothing here is secret ---- */

LANES static void pack(packed *r, const field *a)
{
    field t;
    field_reduce(&t, a);
    const __m512i *v = t.v;
    r->v[0] = _mm512_or_si512(v[0], _mm512_slli_epi64(v[1], 51));
    r->v[1] = _mm512_or_si512(_mm512_srli_epi64(v[1], 13), _mm512_slli_epi64(v[2], 38));
    r->v[2] = _mm512_or_si512(_mm512_srli_epi64(v[2], 26), _mm512_slli_epi64(v[3], 25));
    r->v[3] = _mm512_or_si512(_mm512_srli_epi64(v[3], 39), _mm512_slli_epi64(v[4], 12));
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
    for (unsigned i = 1; i < XMTP_LANES; i++) { /* lane i gets there in i steps */
        const __mmask8 higher = (__mmask8)(0xff << i);
        move_up(&above, &p, 1);
        field_choose(&p.x, higher, &above.x);
        field_choose(&p.y, higher, &above.y);
        field_choose(&p.z, higher, &above.z);
        field_choose(&p.t, higher, &above.t);
    }
    for (size_t j = 0; j < ROUNDS; j++) {
        make_round(table[j], &p);
        move_up(&p, &p, XMTP_LANES);
    }
}

/* ---- secrets from here ---- */

/* Word j has the digits of round j, each in four bits and, but for the last of all, 8 too high. */
static void recode(uint32_t words[ROUNDS], const uint8_t k[32])
{
    uint64_t sum = 0;
    for (size_t j = 0; j < ROUNDS; j++) {
        const uint8_t *p = k + 4 * j;
        sum += p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24;
        sum += j + 1 < ROUNDS ? 0x88888888 : 0x08888888;
        words[j] = (uint32_t)sum;
        sum >>= 32;
    }
}

LANES static __m512i digits_of(const uint32_t words[ROUNDS], size_t j)
{
    const __m512i shifts = _mm512_set_epi64(28, 24, 20, 16, 12, 8, 4, 0);
    const __m512i all = _mm512_set1_epi64(8);
    const __m512i but_last = _mm512_set_epi64(0, 8, 8, 8, 8, 8, 8, 8);
    const __m512i word = _mm512_srlv_epi64(_mm512_set1_epi64(words[j]), shifts);
    const __m512i digit = _mm512_and_si512(word, _mm512_set1_epi64(15));
    return _mm512_sub_epi64(digit, j + 1 < ROUNDS ? all : but_last);
}

LANES static inline void unpack(field *r, const packed *a)
{
    const __m512i mask = _mm512_set1_epi64((long long)LIMB_MASK);
    const __m512i *v = a->v;
    r->v[0] = v[0];
    r->v[1] = _mm512_or_si512(_mm512_srli_epi64(v[0], 51), _mm512_slli_epi64(v[1], 13));
    r->v[2] = _mm512_or_si512(_mm512_srli_epi64(v[1], 38), _mm512_slli_epi64(v[2], 26));
    r->v[3] = _mm512_or_si512(_mm512_srli_epi64(v[2], 25), _mm512_slli_epi64(v[3], 39));
    r->v[4] = _mm512_srli_epi64(v[3], 12);
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        r->v[i] = _mm512_and_si512(r->v[i], mask);
    }
}

/* r |= a where mask is all ones. Reads all of a, which a masked load need not. */
LANES static inline void take(packed *r, __m512i mask, const packed *a)
{
    UNROLL
    for (int i = 0; i < WORDS; i++) {
        r->v[i] = _mm512_ternarylogic_epi64(r->v[i], mask, a->v[i], 0xf8);
    }
}

/* In each lane the multiple that its digit, from -8 to 8, asks for. */
LANES static inline void select_multiple(addend *r, const entry multiples[MULTIPLES], __m512i digit)
{
    const __m512i size = _mm512_abs_epi64(digit);
    const __mmask8 negative = _mm512_cmplt_epi64_mask(digit, _mm512_setzero_si512());
    const __mmask8 zero = _mm512_cmpeq_epi64_mask(size, _mm512_setzero_si512());
    entry chosen = {0};
    field a, b, minus_t_2d; /* the neutral element has y - x = y + x = 1 and x y = 0 */
    chosen.y_minus_x.v[0] = chosen.y_plus_x.v[0] = _mm512_maskz_set1_epi64(zero, 1);
    UNROLL
    for (int m = 1; m <= MULTIPLES; m++) {
        const __mmask8 is_here = _mm512_cmpeq_epi64_mask(size, _mm512_set1_epi64(m));
        const __m512i here = _mm512_maskz_set1_epi64(is_here, -1);
        take(&chosen.y_minus_x, here, &multiples[m - 1].y_minus_x);
        take(&chosen.y_plus_x, here, &multiples[m - 1].y_plus_x);
        take(&chosen.t_2d, here, &multiples[m - 1].t_2d);
    }
    unpack(&a, &chosen.y_minus_x);
    unpack(&b, &chosen.y_plus_x);
    unpack(&r->t_2d, &chosen.t_2d);
    negate(&minus_t_2d, &r->t_2d);
    field_choose(&r->t_2d, negative, &minus_t_2d);
    r->y_minus_x = a;
    r->y_plus_x = b;
    field_choose(&r->y_minus_x, negative, &b);
    field_choose(&r->y_plus_x, negative, &a);
}

/* r += the point of q, whose Z is 1. */
LANES static inline void add_entry(point *r, const addend *q)
{
    field d;
    field_add(&d, &r->z, &r->z);
    add_with(r, r, q, &d, true);
}

/* Lane i gets lane i + distance, round and round. */
LANES static inline void rotate(field *r, const field *a, int distance)
{
    const __m512i here = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i from = _mm512_add_epi64(here, _mm512_set1_epi64(distance));
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        r->v[i] = _mm512_permutexvar_epi64(from, a->v[i]);
    }
}

/* All lanes of r become the sum of its lanes. */
LANES static void add_lanes(point *r)
{
    point other;
    addend q;
    for (int distance = XMTP_LANES / 2; distance > 0; distance /= 2) {
        rotate(&other.x, &r->x, distance);
        rotate(&other.y, &r->y, distance);
        rotate(&other.z, &r->z, distance);
        rotate(&other.t, &r->t, distance);
        addend_of(&q, &other);
        add_point(r, r, &q, true);
    }
    xmtp_wipe(&other, sizeof other);
    xmtp_wipe(&q, sizeof q);
}

LANES static element first_lane(const field *a)
{
    element r;
    for (size_t i = 0; i < LIMBS; i++) {
        r.v[i] = (uint64_t)_mm_cvtsi128_si64(_mm512_castsi512_si128(a->v[i]));
    }
    return r;
}

LANES void xmtp_ed25519_base_lanes(xmtp_ed25519_product *r, const uint8_t k[32])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make_table);
    uint32_t words[ROUNDS];
    point sum;
    addend next;
    recode(words, k);
    set_neutral(&sum);
    for (size_t j = 0; j < ROUNDS; j++) {
        select_multiple(&next, table[j], digits_of(words, j));
        add_entry(&sum, &next);
    }
    add_lanes(&sum);
    r->x = first_lane(&sum.x);
    r->y = first_lane(&sum.y);
    r->z = first_lane(&sum.z);
    xmtp_wipe(words, sizeof words);
    xmtp_wipe(&sum, sizeof sum);
    xmtp_wipe(&next, sizeof next);
}

#else /* another kind of machine */

#include <assert.h>

void xmtp_ed25519_base_lanes(xmtp_ed25519_product *r, const uint8_t k[32])
{
    (void)r;
    (void)k;
    assert(false);
}

#endif
