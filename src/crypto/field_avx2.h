/* field_avx2.h - the arithmetic of field_lanes.h with the multiplication of AVX2, of 32 bits by 32.
 *
 * A limb of 51 bits comes in two parts of 26 and 25 bits, so that part i weighs 2^ceil(25.5 i). The product
 * of parts i and j weighs what part i + j does, but twice that when both are odd; from part 10 on,
 * 2^255 = 19.
 *
 *     tidy    even parts below 2^26 + 2^7, odd ones below 2^25 + 2^17
 *     loose   parts below 3.01 times 2^26 and 2^25
 *
 * The largest sum of a product is that of part 0: 4 even products 19 times, 5 odd ones 38 times, and one
 * once. Of loose elements it is below 1,128 times 2^52, which is below 2^63; and 19 times a loose part
 * is below 2^32.
 */

enum { EVEN_BITS = 26, ODD_BITS = 25 };

/* Takes what part i has too much to the next. */
LANES static inline void carry_part(words t[PARTS], int i)
{
    const int bits = i % 2 == 0 ? EVEN_BITS : ODD_BITS;
    const words over = t[i] >> bits;
    t[i] &= all((UINT64_C(1) << bits) - 1);
    t[(i + 1) % PARTS] += i + 1 < PARTS ? over : times_19(over);
}

/* Sums of products to tidy parts. Two chains of carries side by side, as each waits for the last. */
LANES static inline void carry_sums(field *r, words t[PARTS])
{
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        carry_part(t, i);
        carry_part(t, LIMBS + i);
    }
    carry_part(t, LIMBS); /* what came from part 4 */
    carry_part(t, 0);     /* and from part 9 */
    UNROLL
    for (int i = 0; i < PARTS; i++) {
        r->v[i] = t[i];
    }
}

/* Parts below 2^45; tidy when they were below 2^31. All carries at once. */
LANES static inline void field_carry(field *r)
{
    const words even = all((UINT64_C(1) << EVEN_BITS) - 1);
    const words odd = all((UINT64_C(1) << ODD_BITS) - 1);
    words over[PARTS];
    UNROLL
    for (int i = 0; i < PARTS; i++) {
        over[i] = r->v[i] >> (i % 2 == 0 ? EVEN_BITS : ODD_BITS);
        r->v[i] &= i % 2 == 0 ? even : odd;
    }
    r->v[0] += times_19(over[PARTS - 1]);
    UNROLL
    for (int i = 1; i < PARTS; i++) {
        r->v[i] += over[i - 1];
    }
}

/* Of tidy ones. */
LANES static inline void loose_add(field *r, const field *a, const field *b)
{
    add_parts(r, a, b);
}

/* a - b + 2p, of tidy ones: no part gets negative. */
LANES static inline void loose_subtract(field *r, const field *a, const field *b)
{
    const words first = all((UINT64_C(2) << EVEN_BITS) - 38);
    const words even = all((UINT64_C(2) << EVEN_BITS) - 2);
    const words odd = all((UINT64_C(2) << ODD_BITS) - 2);
    UNROLL
    for (int i = 0; i < PARTS; i++) {
        r->v[i] = a->v[i] + (i == 0 ? first : i % 2 == 0 ? even : odd) - b->v[i];
    }
}

LANES static inline void field_add(field *r, const field *a, const field *b)
{
    loose_add(r, a, b);
    field_carry(r);
}

LANES static inline void field_subtract(field *r, const field *a, const field *b)
{
    loose_subtract(r, a, b);
    field_carry(r);
}

/* Sums of nothing yet, and 19 times the second factor. */
LANES static inline void begin_sums(words t[PARTS], words folded[PARTS], const field *b)
{
    UNROLL
    for (int i = 0; i < PARTS; i++) {
        folded[i] = product_of(b->v[i], all(19));
        t[i] = all(0);
    }
}

/* Not inline: all of an addition of points would not fit where the processor keeps decoded instructions. */
LANES __attribute__((noinline)) static void field_multiply(field *r, const field *a, const field *b)
{
    words folded[PARTS];
    words t[PARTS];
    begin_sums(t, folded, b);
    UNROLL
    for (int i = 0; i < PARTS; i++) {
        const words once = a->v[i];
        const words twice = once + once;
        UNROLL
        for (int j = 0; j < PARTS; j++) {
            const words x = i % 2 == 1 && j % 2 == 1 ? twice : once;
            const int k = (i + j) % PARTS;
            t[k] += product_of(x, i + j < PARTS ? b->v[j] : folded[j]);
            ADD_NOW(t[k]);
        }
    }
    carry_sums(r, t);
}

/* Products of different parts come twice. */
LANES __attribute__((noinline)) static void field_square(field *r, const field *a)
{
    words folded[PARTS];
    words t[PARTS];
    begin_sums(t, folded, a);
    UNROLL
    for (int i = 0; i < PARTS; i++) {
        const words once = a->v[i];
        const words twice = once + once;
        const words four_times = twice + twice;
        UNROLL
        for (int j = i; j < PARTS; j++) {
            const words odd = i == j ? twice : four_times;
            const words other = i == j ? once : twice;
            const int k = (i + j) % PARTS;
            t[k] += product_of(i % 2 == 1 && j % 2 == 1 ? odd : other,
                               i + j < PARTS ? a->v[j] : folded[j]);
            ADD_NOW(t[k]);
        }
    }
    carry_sums(r, t);
}

LANES static inline void field_times_small(field *r, const field *a, uint64_t n)
{
    const words by = all(n);
    UNROLL
    for (int i = 0; i < PARTS; i++) {
        r->v[i] = product_of(a->v[i], by);
    }
    field_carry(r);
}
