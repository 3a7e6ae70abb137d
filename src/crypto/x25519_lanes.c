/* x25519_lanes.c - the Montgomery ladder of RFC 7748 section 5 for eight independent pairs at once.
 *
 * No branch and no address depends on a scalar or a point; each lane gives what a ladder alone gives.
 */
#include "crypto/x25519_lanes.h"

#include "base/bytes.h"

#if defined(__x86_64__)

#include "crypto/field_lanes.h"

/* r = a * 121665 */
LANES static inline void multiply_a24(field *r, const field *a)
{
    const __m512i a24 = _mm512_set1_epi64(121665);
    const __m512i zero = _mm512_setzero_si512();
    __m512i high[LIMBS];
    field t;
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        t.v[i] = _mm512_madd52lo_epu64(zero, a->v[i], a24);
        high[i] = _mm512_slli_epi64(_mm512_madd52hi_epu64(zero, a->v[i], a24), 1);
    }
    t.v[0] = _mm512_add_epi64(t.v[0], times_19(high[4]));
    UNROLL
    for (int i = 1; i < LIMBS; i++) {
        t.v[i] = _mm512_add_epi64(t.v[i], high[i - 1]);
    }
    field_carry(&t);
    *r = t;
}

typedef struct ladder {
    __m512i scalar[4]; /* 64 bits each, least significant first */
    field x1, x2, z2, x3, z3;
} ladder;

LANES static void load_scalars(ladder *l, const uint8_t *const sk[XMTP_LANES])
{
    uint64_t words[4][XMTP_LANES];
    for (size_t i = 0; i < XMTP_LANES; i++) {
        for (size_t w = 0; w < 4; w++) {
            words[w][i] = load_64(sk[i] + 8 * w);
        }
        words[0][i] &= ~UINT64_C(7); /* clamped */
        words[3][i] = (words[3][i] & (UINT64_MAX >> 1)) | UINT64_C(1) << 62;
    }
    for (size_t w = 0; w < 4; w++) {
        l->scalar[w] = _mm512_loadu_si512(words[w]);
    }
    xmtp_wipe(words, sizeof words);
}

/* Exchanges a and b in the lanes where mask is all ones. */
LANES static inline void swap(field *a, field *b, __m512i mask)
{
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        __m512i t = _mm512_and_si512(_mm512_xor_si512(a->v[i], b->v[i]), mask);
        a->v[i] = _mm512_xor_si512(a->v[i], t);
        b->v[i] = _mm512_xor_si512(b->v[i], t);
    }
}

/* The body of the loop in RFC 7748 section 5, in its names. */
LANES static void step(ladder *l)
{
    field a, b, c, d, aa, bb, e, da, cb;
    field_add(&a, &l->x2, &l->z2);
    field_subtract(&b, &l->x2, &l->z2);
    field_add(&c, &l->x3, &l->z3);
    field_subtract(&d, &l->x3, &l->z3);
    field_square(&aa, &a);
    field_square(&bb, &b);
    field_multiply(&da, &d, &a);
    field_multiply(&cb, &c, &b);
    field_subtract(&e, &aa, &bb);
    field_add(&l->x3, &da, &cb);
    field_square(&l->x3, &l->x3);
    field_subtract(&l->z3, &da, &cb);
    field_square(&l->z3, &l->z3);
    field_multiply(&l->z3, &l->z3, &l->x1);
    field_multiply(&l->x2, &aa, &bb);
    multiply_a24(&l->z2, &e);
    field_add(&l->z2, &l->z2, &aa);
    field_multiply(&l->z2, &l->z2, &e);
}

LANES static void climb(ladder *l)
{
    __m512i swapped = _mm512_setzero_si512();
    for (unsigned t = 255; t > 0; t--) {
        __m512i word = _mm512_srl_epi64(l->scalar[(t - 1) / 64], _mm_cvtsi32_si128((t - 1) % 64));
        __m512i bit = _mm512_and_si512(word, _mm512_set1_epi64(1));
        __m512i mask = _mm512_sub_epi64(_mm512_setzero_si512(), _mm512_xor_si512(bit, swapped));
        swap(&l->x2, &l->x3, mask);
        swap(&l->z2, &l->z3, mask);
        swapped = bit;
        step(l);
    }
    /* The last bits are zero after clamping: nothing is left swapped. */
}

LANES void xmtp_x25519_lanes(const uint8_t *const sk[XMTP_LANES],
                             const uint8_t *const point[XMTP_LANES], uint8_t out[XMTP_LANES][32])
{
    ladder l;
    field inverse;
    memset(&l, 0, sizeof l);
    load_scalars(&l, sk);
    field_decode(&l.x1, point);
    l.x2.v[0] = _mm512_set1_epi64(1);
    l.z3.v[0] = _mm512_set1_epi64(1);
    l.x3 = l.x1;
    climb(&l);
    field_invert(&inverse, &l.z2);
    field_multiply(&l.x2, &l.x2, &inverse);
    field_encode(&l.x2, out);
    xmtp_wipe(&l, sizeof l);
    xmtp_wipe(&inverse, sizeof inverse);
}

#else /* another kind of machine */

#include <assert.h>

void xmtp_x25519_lanes(const uint8_t *const sk[XMTP_LANES], const uint8_t *const point[XMTP_LANES],
                       uint8_t out[XMTP_LANES][32])
{
    (void)sk;
    (void)point;
    (void)out;
    assert(false);
}

#endif
