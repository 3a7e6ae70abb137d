/* limbs_512.h - eight elements of a field at once, as the fields of this room have them alike: a limb of all
 * eight is a vector. Private to this room, and only for x86-64 with AVX-512 IFMA (lanes.h). No branch and
 * no address depends on an element.
 */
#ifndef XMTP_CRYPTO_LIMBS_512_H
#define XMTP_CRYPTO_LIMBS_512_H

#include "crypto/limbs.h"

#include <immintrin.h>
#include <stdint.h>

#define LANES __attribute__((target("avx512f,avx512ifma")))

typedef struct field {
    __m512i v[LIMBS];
} field;

/* One element. */
typedef uint64_t constant[LIMBS];

/* The same in each lane. */
LANES static inline field field_of(const constant c)
{
    field r;
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        r.v[i] = _mm512_set1_epi64((long long)c[i]);
    }
    return r;
}

/* r = a in the chosen lanes. */
LANES static inline void field_choose(field *r, __mmask8 chosen, const field *a)
{
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        r->v[i] = _mm512_mask_mov_epi64(r->v[i], chosen, a->v[i]);
    }
}

#endif
