/* limbs_lanes.h - elements of a field, one in each lane, as the fields of this room have them alike: a limb
 * of all lanes is a vector, or two. Private to this room, and only for x86-64 (vectors.h). No branch and no
 * address depends on an element.
 */
#ifndef XMTP_CRYPTO_LIMBS_LANES_H
#define XMTP_CRYPTO_LIMBS_LANES_H

#include "crypto/limbs.h"
#include "crypto/vectors.h"

enum { PARTS = LIMBS * PARTS_OF_LIMB };

typedef struct field {
    words v[PARTS];
} field;

/* The same with whole limbs, to look at or to keep: nothing is multiplied so. */
typedef struct whole {
    words v[LIMBS];
} whole;

/* One element. */
typedef uint64_t constant[LIMBS];

#if defined(XMTP_AVX2)

enum { LOW_PART_BITS = 26 };

LANES static inline void field_split(field *r, const whole *a)
{
    const words low = all((UINT64_C(1) << LOW_PART_BITS) - 1);
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        const words limb = a->v[i];
        r->v[2 * i] = limb & low;
        r->v[2 * i + 1] = limb >> LOW_PART_BITS;
    }
}

LANES static inline void field_join(whole *r, const field *a)
{
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        r->v[i] = a->v[2 * i] + (a->v[2 * i + 1] << LOW_PART_BITS);
    }
}

#else /* AVX-512 */

LANES static inline void field_split(field *r, const whole *a)
{
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        r->v[i] = a->v[i];
    }
}

LANES static inline void field_join(whole *r, const field *a)
{
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        r->v[i] = a->v[i];
    }
}

#endif

/* The same in each lane. */
LANES static inline field field_of(const constant c)
{
    whole limbs;
    field r;
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        limbs.v[i] = all(c[i]);
    }
    field_split(&r, &limbs);
    return r;
}

/* a + b, without any carry. */
LANES static inline void add_parts(field *r, const field *a, const field *b)
{
    UNROLL
    for (int i = 0; i < PARTS; i++) {
        r->v[i] = a->v[i] + b->v[i];
    }
}

/* r = a in the chosen lanes. */
LANES static inline void field_choose(field *r, mask chosen, const field *a)
{
    UNROLL
    for (int i = 0; i < PARTS; i++) {
        r->v[i] = choose(chosen, a->v[i], r->v[i]);
    }
}

/* Each lane of r gets that of a lane further on, as in rotate. */
LANES static inline void field_rotate(field *r, const field *a, int distance)
{
    UNROLL
    for (int i = 0; i < PARTS; i++) {
        r->v[i] = rotate(a->v[i], distance);
    }
}

/* ---- what is known of lanes, as bits: lane i in bit i ---- */

/* The lanes in which both have the same limbs: the same numbers, for reduced ones. */
LANES static inline unsigned same_limbs(const whole *a, const whole *b)
{
    unsigned equal = ~0U;
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        equal &= bits_of(is_same(a->v[i], b->v[i]));
    }
    return equal;
}

/* The lanes in which a number is odd. */
LANES static inline unsigned odd_limbs(const whole *a)
{
    return bits_of(is_same(a->v[0] & all(1), all(1)));
}

#endif
