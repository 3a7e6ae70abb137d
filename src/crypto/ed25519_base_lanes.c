/* ed25519_base_lanes.c - [k]B on edwards25519 for one secret k, and [s]B - [k]A for an A that is there often:
 * the lanes take parts of them; ed25519_base_avx2.c is the same for the other kind (vectors.h).
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
 * complete, so it does not matter when digits are zero or two sums are equal. -A has such a table too, and
 * its rounds go to the same sum.
 *
 * Each round reads all eight multiples of its places and keeps those asked for. No branch and no
 * address depends on k, or on the coordinates before the division by Z, which say more about k than
 * the point does. Nothing is defended against a processor that computes wrongly.
 */
#include "crypto/ed25519_base_lanes.h"

#include "base/bytes.h"

#if defined(__x86_64__)

#include "crypto/decode_lanes.h"
#include "crypto/entry_lanes.h"

#include <pthread.h>

enum {
    DIGIT_BITS = 4,
    DIGITS = 64,
    MULTIPLES = ENTRIES,
    ROUNDS = DIGITS / WIDTH,
    ROUND_BITS = DIGIT_BITS * WIDTH
};

/* table[j][m - 1], lane i: the multiple m of [16^(WIDTH j + i)]P. */
typedef entry table[ROUNDS][MULTIPLES];

_Static_assert(sizeof(table) == sizeof(xmtp_ed25519_multiples), "room for a table");

static table of_base;

/* ---- tables: nothing here is secret ---- */

/* p: the same in each lane. */
LANES static void make_table(table t, const point *p)
{
    point first = *p, above;
    for (unsigned i = 1; i < WIDTH; i++) { /* lane i gets there in i steps */
        double_times(&above, &first, DIGIT_BITS);
        point_choose(&first, mask_of(~0U << i), &above);
    }
    for (size_t j = 0; j < ROUNDS; j++) {
        point multiple = first;
        addend step;
        addend_of(&step, &first);
        make_entries(t[j], &multiple, &step);
        double_times(&first, &first, ROUND_BITS);
    }
}

LANES static void make_table_of_base(void)
{
    point base;
    set_base(&base);
    make_table(of_base, &base);
}

LANES bool LANES_NAME(xmtp_ed25519_multiples)(xmtp_ed25519_multiples *of_minus_a,
                                              const uint8_t a[32])
{
    const uint8_t *in_lanes[WIDTH];
    point minus_a;
    for (size_t i = 0; i < WIDTH; i++) {
        in_lanes[i] = a;
    }
    if (decompress_negative(&minus_a, in_lanes) == 0) {
        return false;
    }
    make_table(*(table *)of_minus_a, &minus_a);
    return true;
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
    const mask zero = is_same(size, all(0));
    entry chosen = {0};
    /* the neutral element has y - x = y + x = 1 and x y = 0 */
    chosen.y_minus_x.v[0] = chosen.y_plus_x.v[0] = or_where(all(0), zero, all(1));
    UNROLL
    for (uint64_t m = 1; m <= MULTIPLES; m++) {
        const mask here = is_same(size, all(m));
        take(&chosen.y_minus_x, here, &multiples[m - 1].y_minus_x);
        take(&chosen.y_plus_x, here, &multiples[m - 1].y_plus_x);
        take(&chosen.t_2d, here, &multiples[m - 1].t_2d);
    }
    addend_of_entry(r, &chosen, is_below_zero(digit));
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

/* sum += [k]P in the lanes together, P being what the table is of. */
LANES static void add_multiple(point *sum, const table of_p, const uint8_t k[32])
{
    uint64_t digits[WORDS];
    addend next;
    recode(digits, k);
    for (size_t j = 0; j < ROUNDS; j++) {
        select_multiple(&next, of_p[j], digits_of(digits, j));
        add_entry(sum, &next, true);
    }
    xmtp_wipe(digits, sizeof digits);
    xmtp_wipe(&next, sizeof next);
}

/* *sum = [k]B */
LANES static void multiply_base(point *sum, const uint8_t k[32])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make_table_of_base);
    set_neutral(sum);
    add_multiple(sum, of_base, k);
}

/* The lanes of sum, added; sum is wiped. */
LANES static void add_up(xmtp_ed25519_product *r, point *sum)
{
    add_lanes(sum);
    r->x = first_lane(&sum->x);
    r->y = first_lane(&sum->y);
    r->z = first_lane(&sum->z);
    xmtp_wipe(sum, sizeof *sum);
}

LANES void LANES_NAME(xmtp_ed25519_base)(xmtp_ed25519_product *r, const uint8_t k[32])
{
    point sum;
    multiply_base(&sum, k);
    add_up(r, &sum);
}

LANES void LANES_NAME(xmtp_ed25519_difference)(xmtp_ed25519_product *r, const uint8_t s[32],
                                               const uint8_t k[32],
                                               const xmtp_ed25519_multiples *of_minus_a)
{
    point sum;
    multiply_base(&sum, s);
    add_multiple(&sum, *(const table *)of_minus_a, k);
    add_up(r, &sum);
}

#endif
