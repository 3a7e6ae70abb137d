/* field_avx512.h - the arithmetic of field_lanes.h with the multiplications of AVX-512 IFMA.
 *
 * They multiply the low 52 bits of each lane and add the lower or upper 52 bits of the product; so every
 * limb that goes into a product must be below 2^52. Each function here leaves its limbs below
 * 2^51 + 2^13, which keeps that with room but for no sum: nothing is loose. The upper half of a product
 * of limbs i and j weighs 2^(51 (i + j) + 52), twice what limb i + j + 1 does.
 */

/* Brings limbs below 2^60 down to 51 bits and what the limb below carries over. */
LANES static inline void field_carry(field *r)
{
    whole t;
    field_join(&t, r);
    whole_carry(&t);
    field_split(r, &t);
}

LANES static inline void field_add(field *r, const field *a, const field *b)
{
    add_parts(r, a, b);
    field_carry(r);
}

/* a - b + 4p: no limb gets negative. */
LANES static inline void field_subtract(field *r, const field *a, const field *b)
{
    const words low = all(4 * (LIMB_MASK - 18));
    const words other = all(4 * LIMB_MASK);
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        r->v[i] = a->v[i] + (i == 0 ? low : other) - b->v[i];
    }
    field_carry(r);
}

LANES static inline void loose_add(field *r, const field *a, const field *b)
{
    field_add(r, a, b);
}

LANES static inline void loose_subtract(field *r, const field *a, const field *b)
{
    field_subtract(r, a, b);
}

/* low[k] and high[k]: the sums of lower and upper halves of products of limbs i + j = k. Folds the
 * upper five limbs with 2^255 = 19. */
LANES static inline void fold(field *r, const words low[2 * LIMBS - 1],
                              const words high[2 * LIMBS - 1])
{
    words sum[2 * LIMBS];
    sum[0] = low[0];
    UNROLL
    for (int k = 1; k < 2 * LIMBS - 1; k++) {
        sum[k] = low[k] + (high[k - 1] << 1);
    }
    sum[2 * LIMBS - 1] = high[2 * LIMBS - 2] << 1;
    UNROLL
    for (int k = 0; k < LIMBS; k++) {
        r->v[k] = sum[k] + times_19(sum[k + LIMBS]);
    }
    field_carry(r);
}

LANES static inline void field_multiply(field *r, const field *a, const field *b)
{
    words low[2 * LIMBS - 1];
    words high[2 * LIMBS - 1];
    UNROLL
    for (int k = 0; k < 2 * LIMBS - 1; k++) {
        low[k] = high[k] = all(0);
    }
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        UNROLL
        for (int j = 0; j < LIMBS; j++) {
            low[i + j] = add_low_52(low[i + j], a->v[i], b->v[j]);
            high[i + j] = add_high_52(high[i + j], a->v[i], b->v[j]);
        }
    }
    fold(r, low, high);
}

/* Products of different limbs come twice. */
LANES static inline void field_square(field *r, const field *a)
{
    words low[2 * LIMBS - 1];
    words high[2 * LIMBS - 1];
    UNROLL
    for (int k = 0; k < 2 * LIMBS - 1; k++) {
        low[k] = high[k] = all(0);
    }
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        UNROLL
        for (int j = i + 1; j < LIMBS; j++) {
            low[i + j] = add_low_52(low[i + j], a->v[i], a->v[j]);
            high[i + j] = add_high_52(high[i + j], a->v[i], a->v[j]);
        }
    }
    UNROLL
    for (int k = 0; k < 2 * LIMBS - 1; k++) {
        low[k] <<= 1;
        high[k] <<= 1;
    }
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        low[2 * i] = add_low_52(low[2 * i], a->v[i], a->v[i]);
        high[2 * i] = add_high_52(high[2 * i], a->v[i], a->v[i]);
    }
    fold(r, low, high);
}

LANES static inline void field_times_small(field *r, const field *a, uint64_t n)
{
    const words by = all(n);
    words high[LIMBS];
    field t;
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        t.v[i] = add_low_52(all(0), a->v[i], by);
        high[i] = add_high_52(all(0), a->v[i], by) << 1;
    }
    t.v[0] += times_19(high[4]);
    UNROLL
    for (int i = 1; i < LIMBS; i++) {
        t.v[i] += high[i - 1];
    }
    field_carry(&t);
    *r = t;
}
