/* mlkem_avx2.c - the ring of ML-KEM with 16 coefficients of 16 bits in a register.
 *
 * This is what mlkem_registers.h needs, and accept. Shuffles stay within the halves of a register, 16
 * bytes each, so that what is packed is taken and put for each half. No branch and no address depends
 * on a coefficient, but in accept, where they are public.
 */
#include "crypto/mlkem_ring.h"

#include <string.h>

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET __attribute__((target("avx2")))

enum { COUNT = 16 };

typedef uint16_t coefficients __attribute__((vector_size(2 * COUNT)));

TARGET static inline coefficients all(uint16_t value)
{
    return (coefficients)_mm256_set1_epi16((short)value);
}

TARGET static inline coefficients load(const uint16_t *p)
{
    return (coefficients)_mm256_loadu_si256((const void *)p);
}

TARGET static inline void store(uint16_t *p, coefficients a)
{
    _mm256_storeu_si256((void *)p, (__m256i)a);
}

TARGET static inline coefficients smaller(coefficients a, coefficients b)
{
    return (coefficients)_mm256_min_epu16((__m256i)a, (__m256i)b);
}

TARGET static inline coefficients high(coefficients a, coefficients b)
{
    return (coefficients)_mm256_mulhi_epu16((__m256i)a, (__m256i)b);
}

TARGET static inline coefficients high_rounded(coefficients a, coefficients b)
{
    return (coefficients)_mm256_mulhrs_epi16((__m256i)a, (__m256i)b);
}

TARGET static inline bool is_zero_in_all(coefficients a)
{
    return _mm256_testz_si256((__m256i)a, (__m256i)a) != 0;
}

TARGET static inline coefficients alternate(coefficients even, coefficients odd)
{
    return (coefficients)_mm256_blend_epi16((__m256i)even, (__m256i)odd, 0xaa);
}

TARGET static inline coefficients swap_neighbours(coefficients a)
{
    const __m256i low = _mm256_shufflelo_epi16((__m256i)a, 0xb1);
    return (coefficients)_mm256_shufflehi_epi16(low, 0xb1);
}

/* The same 16 bytes in both halves. */
TARGET static inline __m256i twice(const void *p)
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128(p));
}

/* ---- for the NTT ---- */

/* Butterflies of length 8 are parted by halves of registers, those of 4 and 2 within the halves:
 *
 *     length    first                          second
 *          8    a0 | b0                        a1 | b1                       of  8 coefficients each
 *          4    a0 b0 | a2 b2                  a1 b1 | a3 b3                     4
 *          2    a0 a2 b0 b2 | a4 a6 b4 b6      a1 a3 b1 b3 | a5 a7 b5 b7         2
 */
typedef struct sorting {
    unsigned log_length;
    coefficients block;
} sorting;

typedef struct halves {
    coefficients first, second;
} halves;

TARGET static inline sorting sort_of(unsigned log_length)
{
    static const uint16_t blocks[4][COUNT] = {
        [1] = {0, 0, 1, 1, 4, 4, 5, 5, 2, 2, 3, 3, 6, 6, 7, 7},
        [2] = {0, 0, 0, 0, 2, 2, 2, 2, 1, 1, 1, 1, 3, 3, 3, 3},
        [3] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1},
    };
    return (sorting){.log_length = log_length, .block = load(blocks[log_length])};
}

TARGET static inline halves by_eights(__m256i a, __m256i b)
{
    return (halves){.first = (coefficients)_mm256_permute2x128_si256(a, b, 0x20),
                    .second = (coefficients)_mm256_permute2x128_si256(a, b, 0x31)};
}

TARGET static inline halves by_fours(__m256i a, __m256i b)
{
    return (halves){.first = (coefficients)_mm256_unpacklo_epi64(a, b),
                    .second = (coefficients)_mm256_unpackhi_epi64(a, b)};
}

TARGET static inline halves part(const sorting *s, coefficients a, coefficients b)
{
    if (s->log_length == 3) {
        return by_eights((__m256i)a, (__m256i)b);
    }
    if (s->log_length == 2) {
        return by_fours((__m256i)a, (__m256i)b);
    }
    const __m256 x = (__m256)a; /* shuffles of two registers are there for floats only */
    const __m256 y = (__m256)b;
    return (halves){.first = (coefficients)_mm256_shuffle_ps(x, y, 0x88),
                    .second = (coefficients)_mm256_shuffle_ps(x, y, 0xdd)};
}

TARGET static inline halves join(const sorting *s, coefficients first, coefficients second)
{
    const __m256i x = (__m256i)first;
    const __m256i y = (__m256i)second;
    if (s->log_length == 3) {
        return by_eights(x, y);
    }
    if (s->log_length == 2) {
        return by_fours(x, y);
    }
    return (halves){.first = (coefficients)_mm256_unpacklo_epi32(x, y),
                    .second = (coefficients)_mm256_unpackhi_epi32(x, y)};
}

/* Up to eight neighbours out of the table, by place; none beyond its end is read. */
TARGET static inline coefficients pick_zetas(size_t from, coefficients which)
{
    const coefficients bytes = which * all(0x0202) + all(0x0100); /* of each, its lower and upper */
    return (coefficients)_mm256_shuffle_epi8(twice(xmtp_mlkem_zetas + from), (__m256i)bytes);
}

TARGET static inline coefficients gammas(size_t i)
{
    int64_t four;
    memcpy(&four, xmtp_mlkem_zetas + 64 + 4 * i, sizeof four);
    const __m256i which = _mm256_setr_epi64x(0x0100010001000100, 0x0302030203020302,
                                             0x0504050405040504, 0x0706070607060706);
    const __m256i gamma = _mm256_shuffle_epi8(_mm256_set1_epi64x(four), which);
    const __m256i minus = _mm256_sub_epi16((__m256i)all(MLKEM_Q), gamma); /* gamma is never 0 */
    return alternate(all(1), (coefficients)_mm256_blend_epi32(gamma, minus, 0xaa));
}

/* ---- for packing ---- */

/* The 16 bytes at either, each for its half. */
TARGET static inline __m256i both_halves(const uint8_t *first, const uint8_t *second)
{
    return _mm256_loadu2_m128i((const void *)second, (const void *)first);
}

/* 24 bytes: of twelve to each half, bytes 0 1, 1 2, 3 4, 4 5, ... They are the first ones of 16 and the
 * last ones, so that no others are read. */
TARGET static inline coefficients unpack_12(const uint8_t *in)
{
    const __m256i pairs =
        _mm256_setr_epi32(0x02010100, 0x05040403, 0x08070706, 0x0b0a0a09, /* and four further on */
                          0x06050504, 0x09080807, 0x0c0b0b0a, 0x0f0e0e0d);
    const coefficients both = (coefficients)_mm256_shuffle_epi8(both_halves(in, in + 8), pairs);
    return alternate(both & all(0xfff), both >> 4);
}

/* 20 bytes: of ten to each half, the two bytes that a value begins and ends in to each place. There the
 * value is moved to the top, and then down. */
TARGET static inline coefficients unpack_10(const uint8_t *in)
{
    const __m256i pairs =
        _mm256_setr_epi32(0x02010100, 0x04030302, 0x07060605, 0x09080807, /* and six further on */
                          0x08070706, 0x0a090908, 0x0d0c0c0b, 0x0f0e0e0d);
    const coefficients up = (coefficients)_mm256_set1_epi64x(1LL << 48 | 4LL << 32 | 16 << 16 | 64);
    const __m256i both = _mm256_shuffle_epi8(both_halves(in, in + 4), pairs);
    return (coefficients)both * up >> 6;
}

TARGET static inline coefficients unpack_4(const uint8_t *in)
{
    const __m256i bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)in));
    const __m256i low = _mm256_and_si256(bytes, _mm256_set1_epi32(0xf));
    const __m256i next = _mm256_and_si256(_mm256_slli_epi32(bytes, 12), _mm256_set1_epi32(0xf0000));
    return (coefficients)_mm256_or_si256(low, next);
}

TARGET static inline coefficients unpack_1(const uint8_t *in)
{
    static const uint16_t up[COUNT] = {1U << 15, 1U << 14, 1U << 13, 1U << 12, 1U << 11, 1U << 10,
                                       1U << 9,  1U << 8,  1U << 7,  1U << 6,  1U << 5,  1U << 4,
                                       1U << 3,  1U << 2,  1U << 1,  1U << 0};
    uint16_t bits;
    memcpy(&bits, in, sizeof bits);
    return all(bits) * load(up) >> 15;
}

/* Two in 20 bits, four in 40, and the fives of bytes together: ten of each half. */
TARGET static inline void pack_10(coefficients values, uint8_t *out)
{
    const __m256i up = _mm256_set1_epi64x(12);
    const __m256i fives = /* of the second half, four at the start and six at the end */
        _mm256_setr_epi32(0x03020100, 0x0a090804, (int)0xffff0c0b, -1, 0x0c0b0a09, -1, 0x0100ffff,
                          0x08040302);
    const __m256i twos = _mm256_madd_epi16((__m256i)values, _mm256_set1_epi32(1 | 1024 << 16));
    const __m256i fours = _mm256_srli_epi64(_mm256_sllv_epi32(twos, up), 12);
    const __m256i bytes = _mm256_shuffle_epi8(fours, fives);
    const __m128i second = _mm256_extracti128_si256(bytes, 1);
    const __m128i first = _mm_blend_epi16(_mm256_castsi256_si128(bytes), second, 0xe0);
    _mm_storeu_si128((void *)out, first);
    _mm_storeu_si32(out + 16, second);
}

TARGET static inline void pack_4(coefficients values, uint8_t *out)
{
    const __m256i every_fourth = _mm256_set1_epi32(0x0c080400);
    const __m256i bytes = _mm256_madd_epi16((__m256i)values, _mm256_set1_epi32(1 | 16 << 16));
    const __m256i fours = _mm256_shuffle_epi8(bytes, every_fourth);
    const __m128i second = _mm256_extracti128_si256(fours, 1);
    _mm_storel_epi64((void *)out, _mm_unpacklo_epi32(_mm256_castsi256_si128(fours), second));
}

/* The lowest bit of each place. */
TARGET static inline uint16_t lowest_bits(coefficients values)
{
    const __m256i top = (__m256i)(values << 15);
    const __m128i second = _mm256_extracti128_si256(top, 1);
    return (uint16_t)_mm_movemask_epi8(_mm_packs_epi16(_mm256_castsi256_si128(top), second));
}

TARGET static inline void pack_1(coefficients values, uint8_t *out)
{
    const uint16_t bits = lowest_bits(values);
    memcpy(out, &bits, sizeof bits);
}

TARGET static inline coefficients binomial_of(coefficients bits)
{
    static const uint8_t plus_2[16] = {2, 3, 3, 4, 1, 2, 2, 3, 1, 2, 2, 3, 0, 1, 1, 2};
    const coefficients only_low = bits | all(0x8000); /* no byte is looked up for the upper ones */
    const coefficients sum = (coefficients)_mm256_shuffle_epi8(twice(plus_2), (__m256i)only_low);
    return smaller(sum - all(2), sum + all(MLKEM_Q - 2));
}

#include "crypto/mlkem_registers.h"

/* By which of four are accepted: the bytes that these are, lowest first. */
static const uint64_t accepted[16] = {
    0x00000000, 0x00000100,     0x00000302,     0x0000000003020100,
    0x00000504, 0x05040100,     0x05040302,     0x0000050403020100,
    0x00000706, 0x07060100,     0x07060302,     0x0000070603020100,
    0x07060504, 0x070605040100, 0x070605040302, 0x0706050403020100,
};

/* What depends on candidates is read and written here and not by intrinsics: under valgrind this function
 * may do so by its name. */
TARGET static size_t accept(xmtp_poly *a, size_t *filled, const uint8_t *in, size_t n)
{
    size_t at = 0;
    size_t to = *filled;
    for (; at < n && to <= MLKEM_N - COUNT; at += 24) {
        const coefficients candidates = unpack_12(in + at);
        unsigned is_below_q = lowest_bits((coefficients)(candidates < all(MLKEM_Q)));
        int64_t fours[COUNT / 4];
        memcpy(fours, &candidates, sizeof fours);
        UNROLL
        for (size_t i = 0; i < COUNT / 4; i++, is_below_q >>= 4) {
            const __m128i which = {(int64_t)accepted[is_below_q & 15]};
            const __m128i them = _mm_shuffle_epi8((__m128i){fours[i]}, which);
            const int64_t first_ones = _mm_cvtsi128_si64(them);
            memcpy(a->c + to, &first_ones, sizeof first_ones); /* more will be written over */
            to += (size_t)__builtin_popcount(is_below_q & 15);
        }
    }
    *filled = to;
    return at;
}

const xmtp_mlkem_ring xmtp_mlkem_avx2 = MLKEM_RING_OF_FILE;

#else /* another kind of machine */

const xmtp_mlkem_ring xmtp_mlkem_avx2 = {0};

#endif
