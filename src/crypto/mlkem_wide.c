/* mlkem_wide.c - the ring of ML-KEM with 32 coefficients of 16 bits in a register of AVX-512.
 *
 * The rule of mlkem_poly.c holds here too: every coefficient is the least residue. Where a sum may be
 * q too large, or a difference q too small, the smaller of both candidates as unsigned numbers is the
 * right one.
 *
 * A polynomial is eight registers. The layers of the NTT down to length 32 combine whole registers.
 * Below that, two registers are sorted into the first and the second halves of all their butterflies
 * (here for length 2), and back again:
 *
 *     a  0  1  2  3  4  5  6  7 ...      first    0  1  4  5 ... 32 33 36 37 ...
 *     b 32 33 34 35 36 37 38 39 ...      second   2  3  6  7 ... 34 35 38 39 ...
 *
 * No branch and no address depends on a coefficient, but in accept, where they are public.
 */
#include "crypto/mlkem_ring.h"

#include <string.h>

#if defined(__x86_64__)

#include <immintrin.h>

#define WIDE   __attribute__((target("avx512f,avx512bw")))
#define UNROLL _Pragma("GCC unroll 8")

enum {
    COUNT = 32,                  /* coefficients in a register */
    REGISTERS = MLKEM_N / COUNT, /* of one polynomial */
    BARRETT = 5039,              /* floor(2^24 / q) */
    INVERSE_128 = 3303,          /* 128^-1 mod q */
};

typedef __m512i coefficients;

static const __mmask32 every_second = 0xaaaaaaaa;

WIDE static inline coefficients all(uint16_t value)
{
    return _mm512_set1_epi16((short)value);
}

WIDE static inline coefficients load(const uint16_t *p)
{
    return _mm512_loadu_si512(p);
}

WIDE static inline coefficients add(coefficients a, coefficients b)
{
    const coefficients sum = _mm512_add_epi16(a, b);
    return _mm512_min_epu16(sum, _mm512_sub_epi16(sum, all(MLKEM_Q)));
}

WIDE static inline coefficients subtract(coefficients a, coefficients b)
{
    const coefficients difference = _mm512_sub_epi16(a, b);
    return _mm512_min_epu16(difference, _mm512_add_epi16(difference, all(MLKEM_Q)));
}

/* Barrett as in mlkem_poly.c. The quotient is estimated from the product without its low 8 bits,
 * which makes it smaller by less than 0.08: it still is right or one too small. */
WIDE static inline coefficients multiply(coefficients a, coefficients b)
{
    const coefficients high = _mm512_mulhi_epu16(a, b);
    const coefficients low = _mm512_mullo_epi16(a, b);
    const coefficients top = _mm512_or_si512(_mm512_slli_epi16(high, 8), _mm512_srli_epi16(low, 8));
    const coefficients quotient = _mm512_mulhi_epu16(top, all(BARRETT));
    const coefficients rest = _mm512_sub_epi16(low, _mm512_mullo_epi16(quotient, all(MLKEM_Q)));
    return _mm512_min_epu16(rest, _mm512_sub_epi16(rest, all(MLKEM_Q)));
}

/* ---- the NTT ---- */

typedef struct wide {
    coefficients v[REGISTERS];
} wide;

WIDE static inline void load_all(wide *w, const xmtp_poly *a)
{
    UNROLL
    for (size_t i = 0; i < REGISTERS; i++) {
        w->v[i] = load(a->c + COUNT * i);
    }
}

WIDE static inline void store_all(xmtp_poly *a, const wide *w)
{
    UNROLL
    for (size_t i = 0; i < REGISTERS; i++) {
        _mm512_storeu_si512(a->c + COUNT * i, w->v[i]);
    }
}

WIDE static inline void butterfly(coefficients *a, coefficients *b, coefficients zeta)
{
    const coefficients t = multiply(zeta, *b);
    *b = subtract(*a, t);
    *a = add(*a, t);
}

WIDE static inline void butterfly_back(coefficients *a, coefficients *b, coefficients zeta)
{
    const coefficients t = *a;
    *a = add(t, *b);
    *b = multiply(zeta, subtract(*b, t));
}

/* For butterflies of a length below 32 in two registers: where the halves come from, and go back to. */
typedef struct sorting {
    coefficients first, second, a, b;
    coefficients block; /* which butterfly a place in first and second belongs to */
} sorting;

WIDE static inline coefficients places(void)
{
    uint16_t at[COUNT];
    UNROLL
    for (uint16_t i = 0; i < COUNT; i++) {
        at[i] = i;
    }
    return load(at);
}

WIDE static inline sorting sort_of(unsigned log_length)
{
    const uint16_t length = (uint16_t)(1U << log_length);
    const coefficients at = places();
    const coefficients inside = _mm512_and_si512(at, all((uint16_t)(length - 1)));
    const coefficients by = all((uint16_t)log_length);
    const coefficients block = _mm512_srlv_epi16(at, by);
    const coefficients half = _mm512_and_si512(block, all(1)); /* in a and b: second or first */
    sorting s = {.block = block};
    s.first = _mm512_or_si512(_mm512_slli_epi16(_mm512_sllv_epi16(block, by), 1), inside);
    s.second = _mm512_or_si512(s.first, all(length));
    s.a =
        _mm512_or_si512(_mm512_or_si512(_mm512_sllv_epi16(_mm512_srli_epi16(block, 1), by), inside),
                        _mm512_slli_epi16(half, 5));
    s.b = _mm512_or_si512(s.a, all(COUNT / 2));
    return s;
}

/* Up to sixteen neighbours out of the table, by place; none beyond its end is read. */
WIDE static inline coefficients pick_zetas(size_t from, coefficients which)
{
    const __m256i some = _mm256_loadu_si256((const void *)(xmtp_mlkem_zetas + from));
    return _mm512_permutexvar_epi16(which, _mm512_castsi256_si512(some));
}

WIDE static inline void short_layer(wide *w, unsigned log_length)
{
    const sorting s = sort_of(log_length);
    UNROLL
    for (size_t i = 0; i < REGISTERS; i += 2) {
        const size_t from = (128U >> log_length) + (16U * i >> log_length);
        coefficients first = _mm512_permutex2var_epi16(w->v[i], s.first, w->v[i + 1]);
        coefficients second = _mm512_permutex2var_epi16(w->v[i], s.second, w->v[i + 1]);
        butterfly(&first, &second, pick_zetas(from, s.block));
        w->v[i] = _mm512_permutex2var_epi16(first, s.a, second);
        w->v[i + 1] = _mm512_permutex2var_epi16(first, s.b, second);
    }
}

WIDE static inline void short_layer_back(wide *w, unsigned log_length)
{
    const sorting s = sort_of(log_length);
    const coefficients last = all((uint16_t)((COUNT >> log_length) - 1));
    const coefficients from_behind = _mm512_sub_epi16(last, s.block);
    UNROLL
    for (size_t i = 0; i < REGISTERS; i += 2) {
        const size_t from = (256U - 16U * (i + 2)) >> log_length;
        coefficients first = _mm512_permutex2var_epi16(w->v[i], s.first, w->v[i + 1]);
        coefficients second = _mm512_permutex2var_epi16(w->v[i], s.second, w->v[i + 1]);
        butterfly_back(&first, &second, pick_zetas(from, from_behind));
        w->v[i] = _mm512_permutex2var_epi16(first, s.a, second);
        w->v[i + 1] = _mm512_permutex2var_epi16(first, s.b, second);
    }
}

WIDE static void ntt(xmtp_poly *a)
{
    wide w;
    load_all(&w, a);
    size_t zeta = 1;
    UNROLL
    for (size_t len = REGISTERS / 2; len > 0; len /= 2) {
        UNROLL
        for (size_t start = 0; start < REGISTERS; start += 2 * len) {
            const coefficients z = all(xmtp_mlkem_zetas[zeta++]);
            UNROLL
            for (size_t i = start; i < start + len; i++) {
                butterfly(&w.v[i], &w.v[i + len], z);
            }
        }
    }
    short_layer(&w, 4);
    short_layer(&w, 3);
    short_layer(&w, 2);
    short_layer(&w, 1);
    store_all(a, &w);
}

WIDE static void ntt_inverse(xmtp_poly *a)
{
    wide w;
    load_all(&w, a);
    short_layer_back(&w, 1);
    short_layer_back(&w, 2);
    short_layer_back(&w, 3);
    short_layer_back(&w, 4);
    size_t zeta = REGISTERS - 1;
    UNROLL
    for (size_t len = 1; len < REGISTERS; len *= 2) {
        UNROLL
        for (size_t start = 0; start < REGISTERS; start += 2 * len) {
            const coefficients z = all(xmtp_mlkem_zetas[zeta--]);
            UNROLL
            for (size_t i = start; i < start + len; i++) {
                butterfly_back(&w.v[i], &w.v[i + len], z);
            }
        }
    }
    UNROLL
    for (size_t i = 0; i < REGISTERS; i++) {
        w.v[i] = multiply(w.v[i], all(INVERSE_128));
    }
    store_all(a, &w);
}

/* ---- products and sums ---- */

WIDE static inline coefficients swap_neighbours(coefficients a)
{
    return _mm512_rol_epi32(a, 16);
}

/* 1 in even places; gamma and minus gamma by turns in odd ones, for the coefficients from 32 i on. */
WIDE static inline coefficients gammas(size_t i)
{
    const coefficients at = places();
    const __m128i eight = _mm_loadu_si128((const void *)(xmtp_mlkem_zetas + 64 + 8 * i));
    const coefficients gamma =
        _mm512_permutexvar_epi16(_mm512_srli_epi16(at, 2), _mm512_castsi128_si512(eight));
    const __mmask32 is_minus = _mm512_test_epi16_mask(at, all(2));
    const coefficients either =
        _mm512_mask_sub_epi16(gamma, is_minus, all(MLKEM_Q), gamma); /* gamma is never 0 */
    return _mm512_mask_blend_epi16(every_second, all(1), either);
}

WIDE static void multiply_add(xmtp_poly *sum, const xmtp_poly *a, const xmtp_poly *b)
{
    for (size_t i = 0; i < REGISTERS; i++) {
        const coefficients x = load(a->c + COUNT * i);
        const coefficients y = load(b->c + COUNT * i);
        const coefficients alike = multiply(multiply(x, y), gammas(i)); /* a0 b0, gamma a1 b1 */
        const coefficients mixed = multiply(x, swap_neighbours(y));     /* a0 b1, a1 b0 */
        const coefficients even = add(alike, swap_neighbours(alike));
        const coefficients odd = add(mixed, swap_neighbours(mixed));
        const coefficients product = _mm512_mask_blend_epi16(every_second, even, odd);
        _mm512_storeu_si512(sum->c + COUNT * i, add(load(sum->c + COUNT * i), product));
    }
}

WIDE static void add_poly(xmtp_poly *a, const xmtp_poly *b)
{
    for (size_t i = 0; i < MLKEM_N; i += COUNT) {
        _mm512_storeu_si512(a->c + i, add(load(a->c + i), load(b->c + i)));
    }
}

WIDE static void subtract_poly(xmtp_poly *a, const xmtp_poly *b)
{
    for (size_t i = 0; i < MLKEM_N; i += COUNT) {
        _mm512_storeu_si512(a->c + i, subtract(load(a->c + i), load(b->c + i)));
    }
}

/* ---- packing ---- */

/* Values of 12 bits, two in every three bytes; the bytes above the first 4 * words are zero. */
WIDE static inline coefficients unpack_12(const uint8_t *in, __mmask16 words)
{
    /* 12 bytes to each quarter of the register, then bytes 0 1, 1 2, 3 4, 4 5, ... of it */
    const __m512i spread = _mm512_setr_epi32(0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11);
    const __m512i pairs = _mm512_set4_epi32(0x0b0a0a09, 0x08070706, 0x05040403, 0x02010100);
    const __m512i bytes = _mm512_permutexvar_epi32(spread, _mm512_maskz_loadu_epi32(words, in));
    const coefficients both = _mm512_shuffle_epi8(bytes, pairs);
    const coefficients upper = _mm512_srli_epi16(both, 4);
    const coefficients lower = _mm512_and_si512(both, all(0xfff));
    return _mm512_mask_blend_epi16(every_second, lower, upper);
}

WIDE static bool decode(xmtp_poly *a, const uint8_t in[384])
{
    __mmask32 is_large = 0;
    for (size_t i = 0; i < REGISTERS; i++) {
        const coefficients value = unpack_12(in + 48 * i, 0x0fff);
        is_large |= _mm512_cmpge_epu16_mask(value, all(MLKEM_Q));
        const coefficients reduced = _mm512_min_epu16(value, _mm512_sub_epi16(value, all(MLKEM_Q)));
        _mm512_storeu_si512(a->c + COUNT * i, reduced);
    }
    return is_large == 0;
}

/* Sixteen bytes as 32 values of four bits. */
WIDE static inline coefficients unpack_4(const uint8_t *in)
{
    const __m512i bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)in));
    const __m512i low = _mm512_and_si512(bytes, _mm512_set1_epi32(0xf));
    const __m512i high = _mm512_and_si512(_mm512_slli_epi32(bytes, 12), _mm512_set1_epi32(0xf0000));
    return _mm512_or_si512(low, high);
}

/* 40 bytes as 32 values of ten bits: ten bytes, which are eight values, to each quarter, and there the
 * two bytes that a value begins and ends in to each place. */
WIDE static inline coefficients unpack_10(const uint8_t *in)
{
    static const uint16_t spread[COUNT] = {0, 1,  2,  3,  4,  0,  0, 0, 5, 6,  7,  8,  9,  0, 0,
                                           0, 10, 11, 12, 13, 14, 0, 0, 0, 15, 16, 17, 18, 19};
    static const uint16_t shifts[COUNT] = {0, 2, 4, 6, 0, 2, 4, 6, 0, 2, 4, 6, 0, 2, 4, 6,
                                           0, 2, 4, 6, 0, 2, 4, 6, 0, 2, 4, 6, 0, 2, 4, 6};
    const __m512i pairs = _mm512_set4_epi32(0x09080807, 0x07060605, 0x04030302, 0x02010100);
    const __m512i bytes = _mm512_maskz_loadu_epi32(0x3ff, in);
    const coefficients both =
        _mm512_shuffle_epi8(_mm512_permutexvar_epi16(load(spread), bytes), pairs);
    return _mm512_and_si512(_mm512_srlv_epi16(both, load(shifts)), all(0x3ff));
}

WIDE static inline coefficients unpack_1(const uint8_t *in)
{
    __mmask32 bits;
    memcpy(&bits, in, sizeof bits);
    return _mm512_maskz_mov_epi16(bits, all(1));
}

/* (q y + 2^(d-1)) / 2^d */
WIDE static void decompress(xmtp_poly *a, unsigned d, const uint8_t *in)
{
    for (size_t i = 0; i < REGISTERS; i++, in += 4 * d) {
        coefficients x;
        if (d == 10) { /* the instruction gives (a b + 2^14) / 2^15 */
            x = _mm512_mulhrs_epi16(_mm512_slli_epi16(unpack_10(in), 4), all(2 * MLKEM_Q));
        } else if (d == 4) {
            x = _mm512_mullo_epi16(unpack_4(in), all(MLKEM_Q));
            x = _mm512_srli_epi16(_mm512_add_epi16(x, all(8)), 4);
        } else {
            x = _mm512_mullo_epi16(unpack_1(in), all((MLKEM_Q + 1) / 2));
        }
        _mm512_storeu_si512(a->c + COUNT * i, x);
    }
}

/* scaled / q, where the estimate is right or one too small; both mod 2^16. */
WIDE static inline coefficients quotient_of(coefficients scaled, coefficients estimate)
{
    const coefficients q = all(MLKEM_Q);
    const coefficients rest = _mm512_sub_epi16(scaled, _mm512_mullo_epi16(estimate, q));
    return _mm512_mask_add_epi16(estimate, _mm512_cmpge_epu16_mask(rest, q), estimate, all(1));
}

/* (2^10 x + q / 2) / q. Of the dividend, which is 64 (16 x + 26), the estimate takes the 64th part:
 * 1259 / 2^16 is 64 / q less at most 0.9 / 2^16. */
WIDE static inline coefficients scale_10(coefficients x)
{
    const coefficients part = _mm512_add_epi16(_mm512_slli_epi16(x, 4), all(26));
    const coefficients estimate = _mm512_mulhi_epu16(part, all(1259));
    return quotient_of(_mm512_slli_epi16(part, 6), estimate);
}

/* (2^d x + q / 2) / q for d up to 4: 19 / 2^16 is 1 / q less at most 0.7 / 2^16. */
WIDE static inline coefficients scale(coefficients x, unsigned d)
{
    const coefficients scaled =
        _mm512_add_epi16(_mm512_sllv_epi16(x, all((uint16_t)d)), all(MLKEM_Q / 2));
    return quotient_of(scaled, _mm512_mulhi_epu16(scaled, all(19)));
}

/* 32 values of ten bits: two in 20 bits, four in 40, and the fives of bytes together. */
WIDE static inline void pack_10(coefficients values, uint8_t *out)
{
    static const uint16_t gather[COUNT] = {0,  1,  2,  3,  4,  8,  9,  10, 11, 12,
                                           16, 17, 18, 19, 20, 24, 25, 26, 27, 28};
    const __m512i up = _mm512_set1_epi64(12);
    const __m512i fives = _mm512_set4_epi32(-1, (int)0xffff0c0b, 0x0a090804, 0x03020100);
    const __m512i twos = _mm512_madd_epi16(values, _mm512_set1_epi32(1 | 1024 << 16));
    const __m512i fours = _mm512_srli_epi64(_mm512_sllv_epi32(twos, up), 12);
    const __m512i bytes = _mm512_shuffle_epi8(fours, fives);
    _mm512_mask_storeu_epi32(out, 0x3ff, _mm512_permutexvar_epi16(load(gather), bytes));
}

WIDE static inline void pack_4(coefficients values, uint8_t *out)
{
    const __m512i bytes = _mm512_madd_epi16(values, _mm512_set1_epi32(1 | 16 << 16));
    _mm_storeu_si128((void *)out, _mm512_cvtepi32_epi8(bytes));
}

WIDE static inline void pack_1(coefficients values, uint8_t *out)
{
    const __mmask32 bits = _mm512_test_epi16_mask(values, all(1));
    memcpy(out, &bits, sizeof bits);
}

WIDE static void compress(const xmtp_poly *a, unsigned d, uint8_t *out)
{
    for (size_t i = 0; i < REGISTERS; i++, out += 4 * d) {
        const coefficients x = load(a->c + COUNT * i);
        if (d == 10) {
            pack_10(_mm512_and_si512(scale_10(x), all(0x3ff)), out);
        } else if (d == 4) {
            pack_4(_mm512_and_si512(scale(x, 4), all(0xf)), out);
        } else {
            pack_1(scale(x, 1), out);
        }
    }
}

/* Four bits are looked up in a register, which takes the same time for all. */
WIDE static void binomial(xmtp_poly *a, const uint8_t b[MLKEM_N / 2])
{
    enum { MINUS_1 = MLKEM_Q - 1, MINUS_2 = MLKEM_Q - 2 };
    static const uint16_t values[COUNT] = {0,       1, 1, 2, MINUS_1, 0,       0,       1,
                                           MINUS_1, 0, 0, 1, MINUS_2, MINUS_1, MINUS_1, 0};
    for (size_t i = 0; i < REGISTERS; i++) {
        const coefficients x = _mm512_permutexvar_epi16(unpack_4(b + 16 * i), load(values));
        _mm512_storeu_si512(a->c + COUNT * i, x);
    }
}

WIDE static size_t accept(xmtp_poly *a, size_t *filled, const uint8_t *in, size_t n)
{
    size_t at = 0;
    for (; at < n && *filled <= MLKEM_N - 16; at += 24) {
        const __m256i candidates = _mm512_castsi512_si256(unpack_12(in + at, 0x3f));
        const __m512i wide_ones = _mm512_cvtepu16_epi32(candidates);
        const __mmask16 is_below_q = _mm512_cmplt_epu32_mask(wide_ones, _mm512_set1_epi32(MLKEM_Q));
        const __m512i accepted = _mm512_maskz_compress_epi32(is_below_q, wide_ones);
        _mm256_storeu_si256((void *)(a->c + *filled), _mm512_cvtepi32_epi16(accepted));
        *filled += (size_t)__builtin_popcount(is_below_q);
    }
    return at;
}

const xmtp_mlkem_ring xmtp_mlkem_wide = {
    .add = add_poly,
    .sub = subtract_poly,
    .ntt = ntt,
    .ntt_inverse = ntt_inverse,
    .multiply_add = multiply_add,
    .decode = decode,
    .compress = compress,
    .decompress = decompress,
    .binomial = binomial,
    .accept = accept,
};

#else /* another kind of machine */

const xmtp_mlkem_ring xmtp_mlkem_wide = {0};

#endif
