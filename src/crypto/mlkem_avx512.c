/* mlkem_avx512.c - the ring of ML-KEM with 32 coefficients of 16 bits in a register.
 *
 * This is what mlkem_registers.h needs, and accept. No branch and no address depends on a coefficient,
 * but in accept, where they are public.
 */
#include "crypto/mlkem_ring.h"

#include <string.h>

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw")))

enum { COUNT = 32 };

typedef uint16_t coefficients __attribute__((vector_size(2 * COUNT)));

static const __mmask32 every_second = 0xaaaaaaaa;

TARGET static inline coefficients all(uint16_t value)
{
    return (coefficients)_mm512_set1_epi16((short)value);
}

TARGET static inline coefficients load(const uint16_t *p)
{
    return (coefficients)_mm512_loadu_si512(p);
}

TARGET static inline void store(uint16_t *p, coefficients a)
{
    _mm512_storeu_si512(p, (__m512i)a);
}

TARGET static inline coefficients smaller(coefficients a, coefficients b)
{
    return (coefficients)_mm512_min_epu16((__m512i)a, (__m512i)b);
}

TARGET static inline coefficients high(coefficients a, coefficients b)
{
    return (coefficients)_mm512_mulhi_epu16((__m512i)a, (__m512i)b);
}

TARGET static inline coefficients high_rounded(coefficients a, coefficients b)
{
    return (coefficients)_mm512_mulhrs_epi16((__m512i)a, (__m512i)b);
}

TARGET static inline bool is_zero_in_all(coefficients a)
{
    return _mm512_test_epi16_mask((__m512i)a, (__m512i)a) == 0;
}

TARGET static inline coefficients alternate(coefficients even, coefficients odd)
{
    return (coefficients)_mm512_mask_blend_epi16(every_second, (__m512i)even, (__m512i)odd);
}

TARGET static inline coefficients swap_neighbours(coefficients a)
{
    return (coefficients)_mm512_rol_epi32((__m512i)a, 16);
}

/* ---- for the NTT ---- */

/* Where the halves of butterflies come from, out of two registers, and where they go back to. */
typedef struct sorting {
    coefficients first, second, a, b;
    coefficients block;
} sorting;

typedef struct halves {
    coefficients first, second;
} halves;

TARGET static inline coefficients places(void)
{
    return (coefficients){0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                          16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
}

TARGET static inline sorting sort_of(unsigned log_length)
{
    const coefficients inside = places() & all((uint16_t)((1U << log_length) - 1));
    const coefficients block = places() >> log_length;
    const coefficients half = block & all(1); /* in a and b: second or first */
    sorting s = {.block = block};
    s.first = block << log_length << 1 | inside;
    s.second = s.first | all((uint16_t)(1U << log_length));
    s.a = block >> 1 << log_length | inside | half << 5;
    s.b = s.a | all(COUNT / 2);
    return s;
}

TARGET static inline coefficients pick(coefficients a, coefficients from, coefficients b)
{
    return (coefficients)_mm512_permutex2var_epi16((__m512i)a, (__m512i)from, (__m512i)b);
}

TARGET static inline halves part(const sorting *s, coefficients a, coefficients b)
{
    return (halves){.first = pick(a, s->first, b), .second = pick(a, s->second, b)};
}

TARGET static inline halves join(const sorting *s, coefficients first, coefficients second)
{
    return (halves){.first = pick(first, s->a, second), .second = pick(first, s->b, second)};
}

/* Up to sixteen neighbours out of the table, by place; none beyond its end is read. */
TARGET static inline coefficients pick_zetas(size_t from, coefficients which)
{
    const __m256i some = _mm256_loadu_si256((const void *)(xmtp_mlkem_zetas + from));
    return (coefficients)_mm512_permutexvar_epi16((__m512i)which, _mm512_castsi256_si512(some));
}

TARGET static inline coefficients gammas(size_t i)
{
    const __m128i eight = _mm_loadu_si128((const void *)(xmtp_mlkem_zetas + 64 + 8 * i));
    const __m512i gamma =
        _mm512_permutexvar_epi16((__m512i)(places() >> 2), _mm512_castsi128_si512(eight));
    const __mmask32 is_minus = _mm512_test_epi16_mask((__m512i)places(), (__m512i)all(2));
    const __m512i either = _mm512_mask_sub_epi16(gamma, is_minus, (__m512i)all(MLKEM_Q), gamma);
    return alternate(all(1), (coefficients)either); /* gamma is never 0 */
}

/* ---- for packing ---- */

/* Values of 12 bits, two in every three bytes; the bytes above the first 4 * words are zero. */
TARGET static inline coefficients unpack_some_12(const uint8_t *in, __mmask16 words)
{
    /* 12 bytes to each quarter of the register, then bytes 0 1, 1 2, 3 4, 4 5, ... of it */
    const __m512i spread = _mm512_setr_epi32(0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11);
    const __m512i pairs = _mm512_set4_epi32(0x0b0a0a09, 0x08070706, 0x05040403, 0x02010100);
    const __m512i bytes = _mm512_permutexvar_epi32(spread, _mm512_maskz_loadu_epi32(words, in));
    const coefficients both = (coefficients)_mm512_shuffle_epi8(bytes, pairs);
    return alternate(both & all(0xfff), both >> 4);
}

TARGET static inline coefficients unpack_12(const uint8_t *in)
{
    return unpack_some_12(in, 0x0fff);
}

TARGET static inline coefficients unpack_4(const uint8_t *in)
{
    const __m512i bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)in));
    const __m512i low = _mm512_and_si512(bytes, _mm512_set1_epi32(0xf));
    const __m512i next = _mm512_and_si512(_mm512_slli_epi32(bytes, 12), _mm512_set1_epi32(0xf0000));
    return (coefficients)_mm512_or_si512(low, next);
}

/* 40 bytes: ten of them, which are eight values, to each quarter, and there the two bytes that a value
 * begins and ends in to each place. */
TARGET static inline coefficients unpack_10(const uint8_t *in)
{
    static const uint16_t spread[COUNT] = {0, 1,  2,  3,  4,  0,  0, 0, 5, 6,  7,  8,  9,  0, 0,
                                           0, 10, 11, 12, 13, 14, 0, 0, 0, 15, 16, 17, 18, 19};
    static const uint16_t shifts[COUNT] = {0, 2, 4, 6, 0, 2, 4, 6, 0, 2, 4, 6, 0, 2, 4, 6,
                                           0, 2, 4, 6, 0, 2, 4, 6, 0, 2, 4, 6, 0, 2, 4, 6};
    const __m512i pairs = _mm512_set4_epi32(0x09080807, 0x07060605, 0x04030302, 0x02010100);
    const __m512i bytes = _mm512_maskz_loadu_epi32(0x3ff, in);
    const __m512i both =
        _mm512_shuffle_epi8(_mm512_permutexvar_epi16((__m512i)load(spread), bytes), pairs);
    return (coefficients)both >> load(shifts) & all(0x3ff);
}

TARGET static inline coefficients unpack_1(const uint8_t *in)
{
    __mmask32 bits;
    memcpy(&bits, in, sizeof bits);
    return (coefficients)_mm512_maskz_mov_epi16(bits, (__m512i)all(1));
}

/* Two in 20 bits, four in 40, and the fives of bytes together. */
TARGET static inline void pack_10(coefficients values, uint8_t *out)
{
    static const uint16_t gather[COUNT] = {0,  1,  2,  3,  4,  8,  9,  10, 11, 12,
                                           16, 17, 18, 19, 20, 24, 25, 26, 27, 28};
    const __m512i up = _mm512_set1_epi64(12);
    const __m512i fives = _mm512_set4_epi32(-1, (int)0xffff0c0b, 0x0a090804, 0x03020100);
    const __m512i twos = _mm512_madd_epi16((__m512i)values, _mm512_set1_epi32(1 | 1024 << 16));
    const __m512i fours = _mm512_srli_epi64(_mm512_sllv_epi32(twos, up), 12);
    const __m512i bytes = _mm512_shuffle_epi8(fours, fives);
    _mm512_mask_storeu_epi32(out, 0x3ff, _mm512_permutexvar_epi16((__m512i)load(gather), bytes));
}

TARGET static inline void pack_4(coefficients values, uint8_t *out)
{
    const __m512i bytes = _mm512_madd_epi16((__m512i)values, _mm512_set1_epi32(1 | 16 << 16));
    _mm_storeu_si128((void *)out, _mm512_cvtepi32_epi8(bytes));
}

TARGET static inline void pack_1(coefficients values, uint8_t *out)
{
    const __mmask32 bits = _mm512_test_epi16_mask((__m512i)values, (__m512i)values);
    memcpy(out, &bits, sizeof bits);
}

TARGET static inline coefficients binomial_of(coefficients bits)
{
    enum { MINUS_1 = MLKEM_Q - 1, MINUS_2 = MLKEM_Q - 2 };
    static const uint16_t values[COUNT] = {0,       1, 1, 2, MINUS_1, 0,       0,       1,
                                           MINUS_1, 0, 0, 1, MINUS_2, MINUS_1, MINUS_1, 0};
    return (coefficients)_mm512_permutexvar_epi16((__m512i)bits, (__m512i)load(values));
}

#include "crypto/mlkem_registers.h"

TARGET static size_t accept(xmtp_poly *a, size_t *filled, const uint8_t *in, size_t n)
{
    size_t at = 0;
    for (; at < n && *filled <= MLKEM_N - 16; at += 24) {
        const __m256i candidates = _mm512_castsi512_si256((__m512i)unpack_some_12(in + at, 0x3f));
        const __m512i wide_ones = _mm512_cvtepu16_epi32(candidates);
        const __mmask16 is_below_q = _mm512_cmplt_epu32_mask(wide_ones, _mm512_set1_epi32(MLKEM_Q));
        const __m512i accepted = _mm512_maskz_compress_epi32(is_below_q, wide_ones);
        _mm256_storeu_si256((void *)(a->c + *filled), _mm512_cvtepi32_epi16(accepted));
        *filled += (size_t)__builtin_popcount(is_below_q);
    }
    return at;
}

const xmtp_mlkem_ring xmtp_mlkem_avx512 = MLKEM_RING_OF_FILE;

#else /* another kind of machine */

const xmtp_mlkem_ring xmtp_mlkem_avx512 = {0};

#endif
