/* vectors.h - a vector of numbers of 64 bits, one for each lane; private to this room, and only for x86-64.
 *
 * What is written with it is compiled twice, for both kinds of lanes.h: as it stands for AVX-512 with IFMA,
 * and for AVX2 by a file of its own that defines XMTP_AVX2 and includes it. Operators of C act on each lane.
 *
 * No branch and no address depends on what is in a vector or a mask.
 */
#ifndef XMTP_CRYPTO_VECTORS_H
#define XMTP_CRYPTO_VECTORS_H

#include "crypto/limbs.h"

#include <immintrin.h>
#include <stdint.h>

#if defined(XMTP_AVX2)

/* PARTS_OF_LIMB: AVX2 multiplies numbers of 32 bits, so the limbs of a field come in halves. */
enum { WIDTH = 4, PARTS_OF_LIMB = 2 };

#define LANES            __attribute__((target("avx2")))
#define LANES_NAME(name) name##_avx2

typedef unsigned long long words __attribute__((vector_size(32)));
typedef words mask; /* a lane is all ones or zero */

#else /* AVX-512 */

enum { WIDTH = 8, PARTS_OF_LIMB = 1 };

#define LANES            __attribute__((target("avx512f,avx512ifma")))
#define LANES_NAME(name) name##_avx512

typedef unsigned long long words __attribute__((vector_size(64)));
typedef __mmask8 mask; /* a bit for each lane */

#endif

typedef unsigned long long words_in_memory
    __attribute__((vector_size(8 * WIDTH), aligned(8), may_alias));

/* The same in each lane. */
LANES static inline words all(uint64_t x)
{
    return (words){0} + x;
}

LANES static inline words load(const uint64_t p[WIDTH])
{
    return *(const words_in_memory *)p;
}

LANES static inline void store(uint64_t p[WIDTH], words x)
{
    *(words_in_memory *)p = x;
}

#if defined(XMTP_AVX2)

/* Of the lower 32 bits of each lane. */
LANES static inline words product_of(words a, words b)
{
    return (words)_mm256_mul_epu32((__m256i)a, (__m256i)b);
}

/* Has GCC add a product when it is made. By itself it first makes as many as it can, more than there are
 * registers: a multiplication took 1.8 times as long. */
#define ADD_NOW(sum) __asm__("" : "+x"(sum))

LANES static inline words load_bytes(const int8_t p[WIDTH])
{
    return (words)_mm256_cvtepi8_epi64(_mm_loadu_si32(p));
}

LANES static inline mask is_same(words a, words b)
{
    return (mask)_mm256_cmpeq_epi64((__m256i)a, (__m256i)b);
}

LANES static inline mask is_below_zero(words a)
{
    return (mask)_mm256_cmpgt_epi64(_mm256_setzero_si256(), (__m256i)a);
}

LANES static inline words size_of(words a)
{
    const words sign = is_below_zero(a);
    return (a ^ sign) - sign;
}

LANES static inline words choose(mask m, words if_set, words if_not)
{
    return (words)_mm256_blendv_epi8((__m256i)if_not, (__m256i)if_set, (__m256i)m);
}

/* r | a where m is set, else r; reads a in any case. */
LANES static inline words or_where(words r, mask m, words a)
{
    return r | (m & a);
}

/* Bit i is lane i. */
LANES static inline unsigned bits_of(mask m)
{
    return (unsigned)_mm256_movemask_pd((__m256d)m);
}

LANES static inline mask mask_of(unsigned bits)
{
    const words lane = {1, 2, 4, 8};
    return is_same(all(bits) & lane, lane);
}

/* Lane i gets lane i + distance, round and round; distance is 1 or 2. */
LANES static inline words rotate(words a, int distance)
{
    return distance == 1 ? (words)_mm256_permute4x64_epi64((__m256i)a, 0x39)
                         : (words)_mm256_permute4x64_epi64((__m256i)a, 0x4e);
}

/* Rows of words become columns. */
LANES static inline void transpose(words m[WIDTH])
{
    const __m256i low_01 = _mm256_unpacklo_epi64((__m256i)m[0], (__m256i)m[1]);
    const __m256i high_01 = _mm256_unpackhi_epi64((__m256i)m[0], (__m256i)m[1]);
    const __m256i low_23 = _mm256_unpacklo_epi64((__m256i)m[2], (__m256i)m[3]);
    const __m256i high_23 = _mm256_unpackhi_epi64((__m256i)m[2], (__m256i)m[3]);
    m[0] = (words)_mm256_permute2x128_si256(low_01, low_23, 0x20);
    m[1] = (words)_mm256_permute2x128_si256(high_01, high_23, 0x20);
    m[2] = (words)_mm256_permute2x128_si256(low_01, low_23, 0x31);
    m[3] = (words)_mm256_permute2x128_si256(high_01, high_23, 0x31);
}

#else /* AVX-512 */

LANES static inline words load_bytes(const int8_t p[WIDTH])
{
    return (words)_mm512_cvtepi8_epi64(_mm_loadl_epi64((const __m128i *)(const void *)p));
}

LANES static inline mask is_same(words a, words b)
{
    return _mm512_cmpeq_epi64_mask((__m512i)a, (__m512i)b);
}

LANES static inline mask is_below_zero(words a)
{
    return _mm512_cmplt_epi64_mask((__m512i)a, _mm512_setzero_si512());
}

LANES static inline words size_of(words a)
{
    return (words)_mm512_abs_epi64((__m512i)a);
}

LANES static inline words choose(mask m, words if_set, words if_not)
{
    return (words)_mm512_mask_mov_epi64((__m512i)if_not, m, (__m512i)if_set);
}

/* r | a where m is set, else r; reads a in any case, which a masked load need not. */
LANES static inline words or_where(words r, mask m, words a)
{
    const __m512i where = _mm512_maskz_set1_epi64(m, -1);
    return (words)_mm512_ternarylogic_epi64((__m512i)r, where, (__m512i)a, 0xf8);
}

/* sum + the lower 52 bits of a b, or the upper ones; a and b below 2^52. */
LANES static inline words add_low_52(words sum, words a, words b)
{
    return (words)_mm512_madd52lo_epu64((__m512i)sum, (__m512i)a, (__m512i)b);
}

LANES static inline words add_high_52(words sum, words a, words b)
{
    return (words)_mm512_madd52hi_epu64((__m512i)sum, (__m512i)a, (__m512i)b);
}

/* Bit i is lane i. */
LANES static inline unsigned bits_of(mask m)
{
    return m;
}

LANES static inline mask mask_of(unsigned bits)
{
    return (mask)bits;
}

/* Lane i gets lane i + distance, round and round; distance is 1, 2 or 4. */
LANES static inline words rotate(words a, int distance)
{
    const words here = {0, 1, 2, 3, 4, 5, 6, 7};
    return (words)_mm512_permutexvar_epi64((__m512i)(here + (unsigned)distance), (__m512i)a);
}

/* Rows of words become columns. */
LANES static inline void transpose(words m[WIDTH])
{
    __m512i pairs[WIDTH], fours[WIDTH];
    UNROLL
    for (int i = 0; i < WIDTH; i += 2) {
        pairs[i] = _mm512_unpacklo_epi64((__m512i)m[i], (__m512i)m[i + 1]);
        pairs[i + 1] = _mm512_unpackhi_epi64((__m512i)m[i], (__m512i)m[i + 1]);
    }
    UNROLL
    for (int i = 0; i < WIDTH; i++) { /* pairs of rows i and i + 2, of each four */
        if ((i & 2) == 0) {
            fours[i] = _mm512_shuffle_i64x2(pairs[i], pairs[i + 2], 0x88);
            fours[i + 2] = _mm512_shuffle_i64x2(pairs[i], pairs[i + 2], 0xdd);
        }
    }
    UNROLL
    for (int i = 0; i < WIDTH / 2; i++) {
        m[i] = (words)_mm512_shuffle_i64x2(fours[i], fours[i + 4], 0x88);
        m[i + 4] = (words)_mm512_shuffle_i64x2(fours[i], fours[i + 4], 0xdd);
    }
}

#endif

#endif
