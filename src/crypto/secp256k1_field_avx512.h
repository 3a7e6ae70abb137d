/* secp256k1_field_avx512.h - sums and products of secp256k1_field_lanes.h with the multiplications of AVX-512
 * IFMA.
 *
 * They multiply the low 52 bits of each lane and add the lower or upper 52 bits of the product. So in a
 *
 *     tidy     element limbs 0 to 3 are below 2^52, limb 4 below 2^48 + 2^12
 *     factor   they are, too
 *     loose    they are below 2^58
 *
 * and a product is ten limbs.
 */

enum { PART_BITS = LIMB_BITS };

/* Tidy limbs are no more than these. */
#define TIDY_PART_MAX LIMB_MASK
#define TIDY_TOP_MAX  (TOP_MASK + (1 << 12))

#define FOLD_260 (FOLD_256 << 4) /* 2^260, which limb 5 weighs */

typedef struct product {
    words v[2 * LIMBS];
} product;

/* Multiplications and what else an addition of points is made of. Inline, so that products of several lines are
 * under way at the same time: a tenth faster. */
#define PART LANES __attribute__((always_inline)) static inline

/* ---- sums */

/* 64 p = 2^262 - 64 * FOLD_256, in limbs each above three tidy ones. */
LANES static inline words part_of_64p(int i)
{
    return all(4 * LIMB_MASK + (i == 0 ? 4 - 64 * FOLD_256 : 0));
}

/* What is above 2^256 goes to the bottom, then the carries go up and leave limb 4 below 2^48 + 2^7. */
LANES static inline void field_tidy(field *r)
{
    const words top = r->v[4] >> TOP_BITS;
    r->v[4] &= all(TOP_MASK);
    r->v[0] = add_low_52(r->v[0], top, all(FOLD_256));
    carry_up(r->v);
}

/* Loose to factor. */
LANES static inline void make_factor(field *r)
{
    field_tidy(r);
}

/* ---- products */

LANES static inline void product_add(product *p, const field *a, const field *b)
{
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        UNROLL
        for (int j = 0; j < LIMBS; j++) {
            p->v[i + j] = add_low_52(p->v[i + j], a->v[i], b->v[j]);
            p->v[i + j + 1] = add_high_52(p->v[i + j + 1], a->v[i], b->v[j]);
        }
    }
}

/* p = a loose element, to which products are added. */
LANES static inline void product_begin(product *p, const field *a)
{
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        p->v[i] = a->v[i];
        p->v[LIMBS + i] = all(0);
    }
}

/* Products of different limbs come twice. */
LANES static inline void product_square(product *p, const field *a)
{
    UNROLL
    for (int k = 0; k < 2 * LIMBS; k++) {
        p->v[k] = all(0);
    }
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        UNROLL
        for (int j = i + 1; j < LIMBS; j++) {
            p->v[i + j] = add_low_52(p->v[i + j], a->v[i], a->v[j]);
            p->v[i + j + 1] = add_high_52(p->v[i + j + 1], a->v[i], a->v[j]);
        }
    }
    UNROLL
    for (int k = 0; k < 2 * LIMBS; k++) {
        p->v[k] += p->v[k];
    }
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        p->v[2 * i] = add_low_52(p->v[2 * i], a->v[i], a->v[i]);
        p->v[2 * i + 1] = add_high_52(p->v[2 * i + 1], a->v[i], a->v[i]);
    }
}

/* r, tidy, from a sum of at most four products and a loose element. The upper five limbs are carried to
 * 52 bits, of which the multiplication takes no more by itself, and folded with 2^260; what then stands
 * above 2^256 in limbs 4 and 5 is folded once more. */
LANES static inline void field_reduce_product(field *r, const product *p)
{
    const words fold_260 = all(FOLD_260), fold_256 = all(FOLD_256);
    words high[LIMBS], t[LIMBS + 1];
    high[0] = p->v[LIMBS];
    UNROLL
    for (int i = 1; i < LIMBS; i++) {
        high[i] = p->v[LIMBS + i] + (high[i - 1] >> LIMB_BITS);
    }
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        t[i] = add_low_52(p->v[i], high[i], fold_260);
    }
    t[LIMBS] = all(0);
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        t[i + 1] = add_high_52(t[i + 1], high[i], fold_260);
    }
    const words top = (t[4] >> TOP_BITS) + (t[5] << (LIMB_BITS - TOP_BITS));
    r->v[0] = add_low_52(t[0], top, fold_256);
    r->v[1] = add_high_52(t[1], top, fold_256);
    r->v[2] = t[2];
    r->v[3] = t[3];
    r->v[4] = t[4] & all(TOP_MASK);
    carry_up(r->v);
}
