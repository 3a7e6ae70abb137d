/* x25519_lanes.c - the Montgomery ladder of RFC 7748 section 5 for eight independent pairs at once.
 *
 * A field element of p = 2^255 - 19 is five limbs of 51 bits, and each limb a vector of eight lanes of
 * 64 bits, one for each pair:
 *
 *              lane 0   lane 1   ...   lane 7
 *     limb 0   a0[0]    a1[0]          a7[0]      a0 = sum of a0[i] * 2^(51 i)
 *     ...
 *     limb 4   a0[4]    a1[4]          a7[4]
 *
 * The instructions multiply the low 52 bits of each lane and add the lower or upper 52 bits of the
 * product; so every limb that goes into a product must be below 2^52. Each function below leaves its
 * limbs below 2^51 + 2^13, which keeps that with room. The upper half of a product of limbs i and j
 * weighs 2^(51 (i + j) + 52), twice what limb i + j + 1 does.
 *
 * No branch and no address depends on a scalar or a point; each lane gives what a ladder alone gives.
 */
#include "crypto/x25519_lanes.h"

#include "base/bytes.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define LANES __attribute__((target("avx512f,avx512ifma")))

/* Limbs live in registers only where the loops over them are unrolled: three times faster. */
#define UNROLL _Pragma("GCC unroll 10")

enum { LIMBS = 5, LIMB_BITS = 51 };

#define LIMB_MASK ((UINT64_C(1) << LIMB_BITS) - 1)

typedef struct field {
    __m512i v[LIMBS];
} field;

bool xmtp_x25519_has_lanes(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512ifma");
}

/* ---- arithmetic ---- */

LANES static inline __m512i times_19(__m512i x)
{
    __m512i times_9 = _mm512_add_epi64(_mm512_slli_epi64(x, 3), x);
    return _mm512_add_epi64(_mm512_slli_epi64(times_9, 1), x);
}

/* Brings limbs below 2^60 down to 51 bits and what the limb below carries over. */
LANES static inline void carry(field *r)
{
    const __m512i mask = _mm512_set1_epi64((long long)LIMB_MASK);
    __m512i over[LIMBS];
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        over[i] = _mm512_srli_epi64(r->v[i], LIMB_BITS);
        r->v[i] = _mm512_and_si512(r->v[i], mask);
    }
    r->v[0] = _mm512_add_epi64(r->v[0], times_19(over[4]));
    UNROLL
    for (int i = 1; i < LIMBS; i++) {
        r->v[i] = _mm512_add_epi64(r->v[i], over[i - 1]);
    }
}

LANES static inline void add(field *r, const field *a, const field *b)
{
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        r->v[i] = _mm512_add_epi64(a->v[i], b->v[i]);
    }
    carry(r);
}

/* a - b + 4p: no limb gets negative. */
LANES static inline void subtract(field *r, const field *a, const field *b)
{
    const __m512i low = _mm512_set1_epi64((long long)(4 * (LIMB_MASK - 18)));
    const __m512i other = _mm512_set1_epi64((long long)(4 * LIMB_MASK));
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        __m512i sum = _mm512_add_epi64(a->v[i], i == 0 ? low : other);
        r->v[i] = _mm512_sub_epi64(sum, b->v[i]);
    }
    carry(r);
}

/* low[k] and high[k]: the sums of lower and upper halves of products of limbs i + j = k. Folds the
 * upper five limbs with 2^255 = 19. */
LANES static inline void fold(field *r, const __m512i low[2 * LIMBS - 1],
                              const __m512i high[2 * LIMBS - 1])
{
    __m512i whole[2 * LIMBS];
    whole[0] = low[0];
    UNROLL
    for (int k = 1; k < 2 * LIMBS - 1; k++) {
        whole[k] = _mm512_add_epi64(low[k], _mm512_slli_epi64(high[k - 1], 1));
    }
    whole[2 * LIMBS - 1] = _mm512_slli_epi64(high[2 * LIMBS - 2], 1);
    UNROLL
    for (int k = 0; k < LIMBS; k++) {
        r->v[k] = _mm512_add_epi64(whole[k], times_19(whole[k + LIMBS]));
    }
    carry(r);
}

LANES static inline void multiply(field *r, const field *a, const field *b)
{
    __m512i low[2 * LIMBS - 1];
    __m512i high[2 * LIMBS - 1];
    UNROLL
    for (int k = 0; k < 2 * LIMBS - 1; k++) {
        low[k] = high[k] = _mm512_setzero_si512();
    }
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        UNROLL
        for (int j = 0; j < LIMBS; j++) {
            low[i + j] = _mm512_madd52lo_epu64(low[i + j], a->v[i], b->v[j]);
            high[i + j] = _mm512_madd52hi_epu64(high[i + j], a->v[i], b->v[j]);
        }
    }
    fold(r, low, high);
}

/* Products of different limbs come twice. */
LANES static inline void square(field *r, const field *a)
{
    __m512i low[2 * LIMBS - 1];
    __m512i high[2 * LIMBS - 1];
    UNROLL
    for (int k = 0; k < 2 * LIMBS - 1; k++) {
        low[k] = high[k] = _mm512_setzero_si512();
    }
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        UNROLL
        for (int j = i + 1; j < LIMBS; j++) {
            low[i + j] = _mm512_madd52lo_epu64(low[i + j], a->v[i], a->v[j]);
            high[i + j] = _mm512_madd52hi_epu64(high[i + j], a->v[i], a->v[j]);
        }
    }
    UNROLL
    for (int k = 0; k < 2 * LIMBS - 1; k++) {
        low[k] = _mm512_slli_epi64(low[k], 1);
        high[k] = _mm512_slli_epi64(high[k], 1);
    }
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        low[2 * i] = _mm512_madd52lo_epu64(low[2 * i], a->v[i], a->v[i]);
        high[2 * i] = _mm512_madd52hi_epu64(high[2 * i], a->v[i], a->v[i]);
    }
    fold(r, low, high);
}

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
    carry(&t);
    *r = t;
}

/* r = a squared n times, times b. */
LANES static void square_multiply(field *r, const field *a, int n, const field *b)
{
    field t = *a;
    for (int i = 0; i < n; i++) {
        square(&t, &t);
    }
    multiply(r, &t, b);
}

/* r = a^(p - 2). Named by exponents: e5 is a^(2^5 - 1). */
LANES static void invert(field *r, const field *a)
{
    field a2, a9, a11, e5, e10, e20, e40, e50, e100, e200;
    square(&a2, a);
    square_multiply(&a9, &a2, 2, a);
    multiply(&a11, &a9, &a2);
    square_multiply(&e5, &a11, 1, &a9);
    square_multiply(&e10, &e5, 5, &e5);
    square_multiply(&e20, &e10, 10, &e10);
    square_multiply(&e40, &e20, 20, &e20);
    square_multiply(&e50, &e40, 10, &e10);
    square_multiply(&e100, &e50, 50, &e50);
    square_multiply(&e200, &e100, 100, &e100);
    square_multiply(&e200, &e200, 50, &e50);
    square_multiply(r, &e200, 5, &a11); /* 2^255 - 21 */
}

/* ---- bytes ---- */

static uint64_t load(const uint8_t *p)
{
    uint64_t x = 0;
    for (size_t i = 0; i < 8; i++) {
        x |= (uint64_t)p[i] << (8 * i);
    }
    return x;
}

static void store(uint8_t *p, uint64_t x)
{
    for (size_t i = 0; i < 8; i++) {
        p[i] = (uint8_t)(x >> (8 * i));
    }
}

/* Bit 255 is left out, as RFC 7748 wants. */
LANES static void decode(field *r, const uint8_t *const point[XMTP_X25519_LANES])
{
    uint64_t limbs[LIMBS][XMTP_X25519_LANES];
    for (size_t i = 0; i < XMTP_X25519_LANES; i++) {
        const uint8_t *p = point[i];
        limbs[0][i] = load(p) & LIMB_MASK;
        limbs[1][i] = (load(p + 6) >> 3) & LIMB_MASK;
        limbs[2][i] = (load(p + 12) >> 6) & LIMB_MASK;
        limbs[3][i] = (load(p + 19) >> 1) & LIMB_MASK;
        limbs[4][i] = (load(p + 24) >> 12) & LIMB_MASK;
    }
    for (size_t i = 0; i < LIMBS; i++) {
        r->v[i] = _mm512_loadu_si512(limbs[i]);
    }
}

/* The one representative below p of each lane. */
static void encode_lane(uint64_t r[LIMBS], uint8_t out[32])
{
    uint64_t excess = 19; /* becomes 1 when r >= p */
    for (size_t i = 0; i < LIMBS; i++) {
        excess = (r[i] + excess) >> LIMB_BITS;
    }
    uint64_t over = 19 * excess;
    for (size_t i = 0; i < LIMBS; i++) {
        over += r[i];
        r[i] = over & LIMB_MASK;
        over >>= LIMB_BITS;
    }
    store(out, r[0] | r[1] << 51);
    store(out + 8, r[1] >> 13 | r[2] << 38);
    store(out + 16, r[2] >> 26 | r[3] << 25);
    store(out + 24, r[3] >> 39 | r[4] << 12);
}

LANES static void encode(const field *a, uint8_t out[XMTP_X25519_LANES][32])
{
    uint64_t limbs[LIMBS][XMTP_X25519_LANES];
    field t = *a;
    for (int i = 0; i < LIMBS; i++) { /* until all carries have come to rest */
        carry(&t);
    }
    for (size_t i = 0; i < LIMBS; i++) {
        _mm512_storeu_si512(limbs[i], t.v[i]);
    }
    for (size_t lane = 0; lane < XMTP_X25519_LANES; lane++) {
        uint64_t r[LIMBS];
        for (size_t i = 0; i < LIMBS; i++) {
            r[i] = limbs[i][lane];
        }
        encode_lane(r, out[lane]);
        xmtp_wipe(r, sizeof r);
    }
    xmtp_wipe(limbs, sizeof limbs);
}

/* ---- the ladder ---- */

typedef struct ladder {
    __m512i scalar[4]; /* 64 bits each, least significant first */
    field x1, x2, z2, x3, z3;
} ladder;

LANES static void load_scalars(ladder *l, const uint8_t *const sk[XMTP_X25519_LANES])
{
    uint64_t words[4][XMTP_X25519_LANES];
    for (size_t i = 0; i < XMTP_X25519_LANES; i++) {
        for (size_t w = 0; w < 4; w++) {
            words[w][i] = load(sk[i] + 8 * w);
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
    add(&a, &l->x2, &l->z2);
    subtract(&b, &l->x2, &l->z2);
    add(&c, &l->x3, &l->z3);
    subtract(&d, &l->x3, &l->z3);
    square(&aa, &a);
    square(&bb, &b);
    multiply(&da, &d, &a);
    multiply(&cb, &c, &b);
    subtract(&e, &aa, &bb);
    add(&l->x3, &da, &cb);
    square(&l->x3, &l->x3);
    subtract(&l->z3, &da, &cb);
    square(&l->z3, &l->z3);
    multiply(&l->z3, &l->z3, &l->x1);
    multiply(&l->x2, &aa, &bb);
    multiply_a24(&l->z2, &e);
    add(&l->z2, &l->z2, &aa);
    multiply(&l->z2, &l->z2, &e);
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

LANES void xmtp_x25519_lanes(const uint8_t *const sk[XMTP_X25519_LANES],
                             const uint8_t *const point[XMTP_X25519_LANES],
                             uint8_t out[XMTP_X25519_LANES][32])
{
    ladder l;
    field inverse;
    memset(&l, 0, sizeof l);
    load_scalars(&l, sk);
    decode(&l.x1, point);
    l.x2.v[0] = _mm512_set1_epi64(1);
    l.z3.v[0] = _mm512_set1_epi64(1);
    l.x3 = l.x1;
    climb(&l);
    invert(&inverse, &l.z2);
    multiply(&l.x2, &l.x2, &inverse);
    encode(&l.x2, out);
    xmtp_wipe(&l, sizeof l);
    xmtp_wipe(&inverse, sizeof inverse);
}

#else /* another kind of machine */

#include <assert.h>

bool xmtp_x25519_has_lanes(void)
{
    return false;
}

void xmtp_x25519_lanes(const uint8_t *const sk[XMTP_X25519_LANES],
                       const uint8_t *const point[XMTP_X25519_LANES],
                       uint8_t out[XMTP_X25519_LANES][32])
{
    (void)sk;
    (void)point;
    (void)out;
    assert(false);
}

#endif
