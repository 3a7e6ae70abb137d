/* secp256k1_field_avx2.h - sums and products of secp256k1_field_lanes.h with the multiplication of AVX2, of 32
 * bits by 32.
 *
 * A limb of 52 bits comes in two parts of 26, so that part i weighs 2^(26 i). In units of 2^26, those of a
 *
 *     tidy     element are below 1 + 2^-6; its part 9 is below 2^22 + 2^7
 *     factor   are below 3 + 2^-4 when it is a sum, and below 4 when it is a negative
 *     loose    are below 64
 *
 * A product is 19 columns, the sums of what weighs the same. A column has at most ten products; so as long as
 * those of one factor times the other, by their bounds in units, come to 6 for all products that are added,
 * a column is below 60 * 2^52 + 2^32 < 2^58. The most are those of an addition of points: 2 * 1 + 3 * 1
 * by tidy elements, and 1 * 1 + 1 times a negative, which are below 5.2.
 */

enum { PART_BITS = LIMB_BITS / 2, TOP_PART_BITS = TOP_BITS - PART_BITS, COLUMNS = 2 * PARTS - 1 };

#define PART_MASK     ((UINT64_C(1) << PART_BITS) - 1)
#define TOP_PART_MASK ((UINT64_C(1) << TOP_PART_BITS) - 1)

/* Tidy parts are no more than these. */
#define TIDY_PART_MAX (PART_MASK + (1 << 20))
#define TIDY_TOP_MAX  (TOP_PART_MASK + (1 << 7))

/* 2^256 is 977 in a part and 2^6 in the next, and so is 2^260 with 16 times as much. */
enum {
    FOLD_256_LOW = 977,
    FOLD_256_SHIFT = 6,
    FOLD_260_LOW = FOLD_256_LOW << 4,
    FOLD_260_SHIFT = FOLD_256_SHIFT + 4,
};

typedef struct product {
    words v[COLUMNS];
} product;

/* Multiplications and what else an addition of points is made of. Not inline: all of it would not fit where the
 * processor keeps decoded instructions. */
#define PART       LANES __attribute__((noinline)) static
#define IN_PRODUCT LANES __attribute__((always_inline)) static inline

/* ---- sums */

/* 64 p = 2^262 - 64 * FOLD_256, in parts each above three tidy ones. */
LANES static inline words part_of_64p(int i)
{
    const uint64_t less = i == 0   ? 64 * FOLD_256_LOW - 4
                          : i == 1 ? UINT64_C(64) << FOLD_256_SHIFT
                                   : 0;
    return all(4 * PART_MASK - less);
}

/* All carries at once: what is above 26 bits of a part, or 22, is below 2^6, or 2^10; the latter 977 times is
 * below 2^20. */
LANES static inline void field_tidy(field *r)
{
    const words low = all(PART_MASK);
    const words top = r->v[PARTS - 1] >> TOP_PART_BITS;
    words over[PARTS - 1];
    UNROLL
    for (int i = 0; i < PARTS - 1; i++) {
        over[i] = r->v[i] >> PART_BITS;
        r->v[i] &= low;
    }
    r->v[PARTS - 1] &= all(TOP_PART_MASK);
    UNROLL
    for (int i = 1; i < PARTS; i++) {
        r->v[i] += over[i - 1];
    }
    r->v[0] += product_of(top, all(FOLD_256_LOW));
    r->v[1] += top << FOLD_256_SHIFT;
}

/* Loose to factor: there is room. */
LANES static inline void make_factor(field *r)
{
    (void)r;
}

/* ---- products */

/* p = a loose element, to which products are added. */
IN_PRODUCT void product_begin(product *p, const field *a)
{
    UNROLL
    for (int i = 0; i < PARTS; i++) {
        p->v[i] = a->v[i];
    }
    UNROLL
    for (int i = PARTS; i < COLUMNS; i++) {
        p->v[i] = all(0);
    }
}

/* The upper half and then the lower: each takes ten registers. */
IN_PRODUCT void product_add(product *p, const field *a, const field *b)
{
    UNROLL
    for (int i = 1; i < PARTS; i++) {
        UNROLL
        for (int j = PARTS - i; j < PARTS; j++) {
            p->v[i + j] += product_of(a->v[i], b->v[j]);
            ADD_NOW(p->v[i + j]);
        }
    }
    UNROLL
    for (int i = 0; i < PARTS; i++) {
        UNROLL
        for (int j = 0; j < PARTS - i; j++) {
            p->v[i + j] += product_of(a->v[i], b->v[j]);
            ADD_NOW(p->v[i + j]);
        }
    }
}

/* Column k; products of different parts come twice. */
LANES static inline words square_column(int k, const field *a, const field *twice)
{
    words sum = all(0);
    UNROLL
    for (int i = 0; i < PARTS; i++) {
        const int j = k - i;
        if (i <= j && j < PARTS) {
            sum += product_of(a->v[i], i == j ? a->v[j] : twice->v[j]);
            ADD_NOW(sum);
        }
    }
    return sum;
}

IN_PRODUCT void product_square(product *p, const field *a)
{
    field twice;
    UNROLL
    for (int i = 0; i < PARTS; i++) {
        twice.v[i] = a->v[i] + a->v[i];
    }
    UNROLL
    for (int i = 0; i < PARTS; i++) {
        p->v[i] = square_column(i, a, &twice);
    }
    UNROLL
    for (int i = PARTS; i < COLUMNS; i++) {
        p->v[i] = square_column(i, a, &twice);
    }
}

/* Takes what part i has too much to the next. */
LANES static inline void carry_part(words t[PARTS], int i)
{
    if (i < PARTS - 1) {
        t[i + 1] += t[i] >> PART_BITS;
        t[i] &= all(PART_MASK);
    } else {
        const words top = t[i] >> TOP_PART_BITS;
        t[i] &= all(TOP_PART_MASK);
        t[0] += product_of(top, all(FOLD_256_LOW));
        t[1] += top << FOLD_256_SHIFT;
    }
}

/* r, tidy, from columns below 2^58. The upper ones, with what column 9 has too much, are carried all at once,
 * which leaves 26 bits and less than 60 * 2^26 + 2^6 from the one below: 32 bits. They are folded with 2^260,
 * and what comes to stand in column 20 once more. That leaves column 9 below 2^46, so that less than 2^24 is
 * folded with 2^256, and others below 2^58 + 2^47.
 *
 * Two chains of carries side by side, as each waits for the last. They end with part 0 below 2^34, part 1 below
 * 2^31 and part 5 below 2^33, whose carries to the next part are below 2^7, or 2^8 to part 1 before its own. */
IN_PRODUCT void field_reduce_product(field *r, const product *p)
{
    const words low = all(PART_MASK);
    words high[PARTS];
    words *t = r->v;
    UNROLL
    for (int i = 0; i < PARTS; i++) {
        high[i] = p->v[PARTS + i - 1] >> PART_BITS;
        high[i] += i < PARTS - 1 ? p->v[PARTS + i] & low : all(0);
    }
    UNROLL
    for (int i = 0; i < PARTS; i++) {
        t[i] = i < PARTS - 1 ? p->v[i] : p->v[i] & low;
        t[i] += product_of(high[i], all(FOLD_260_LOW));
        t[i] += i == 0 ? product_of(high[PARTS - 1], all(FOLD_260_LOW << FOLD_260_SHIFT))
                       : high[i - 1] << FOLD_260_SHIFT;
    }
    t[1] += high[PARTS - 1] << (2 * FOLD_260_SHIFT);
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        carry_part(t, i);
        carry_part(t, LIMBS + i);
    }
    carry_part(t, LIMBS);
    carry_part(t, 0);
    carry_part(t, 1);
}
