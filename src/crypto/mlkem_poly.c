/* mlkem_poly.c - arithmetic in Z_q[X]/(X^256 + 1), q = 3329, as FIPS 203 section 4 wants it.
 *
 * Coefficients are always the least residue, so there is one rule to check: everything that is
 * stored is below q. Products are below q^2 < 2^24 and are reduced with Barrett's multiplication;
 * no division instruction is ever given a secret (the time of a division depends on its operands).
 *
 * In the NTT domain a polynomial is 128 polynomials of degree one:
 *
 *     a = (a0 + a1 X mod X^2 - g0, a2 + a3 X mod X^2 - g1, ...),   g_i = 17^(2 BitRev7(i) + 1)
 */
#include "crypto/mlkem_poly.h"

#include "base/bytes.h"
#include "crypto/lanes.h"
#include "crypto/mlkem_ring.h"

const uint16_t xmtp_mlkem_zetas[128] = {
    1,    1729, 2580, 3289, 2642, 630,  1897, 848,  1062, 1919, 193,  797,  2786, 3260, 569,  1746,
    296,  2447, 1339, 1476, 3046, 56,   2240, 1333, 1426, 2094, 535,  2882, 2393, 2879, 1974, 821,
    289,  331,  3253, 1756, 1197, 2304, 2277, 2055, 650,  1977, 2513, 632,  2865, 33,   1320, 1915,
    2319, 1435, 807,  452,  1438, 2868, 1534, 2402, 2647, 2617, 1481, 648,  2474, 3110, 1227, 910,
    17,   2761, 583,  2649, 1637, 723,  2288, 1100, 1409, 2662, 3281, 233,  756,  2156, 3015, 3050,
    1703, 1651, 2789, 1789, 1847, 952,  1461, 2687, 939,  2308, 2437, 2388, 733,  2337, 268,  641,
    1584, 2298, 2037, 3220, 375,  2549, 2090, 1645, 1063, 319,  2773, 757,  2099, 561,  2466, 2594,
    2804, 1092, 403,  1026, 1143, 2150, 2775, 886,  1722, 1212, 1874, 1029, 2110, 2935, 885,  2154,
};

enum {
    BARRETT = 5039,    /* floor(2^24 / q) */
    INVERSE_128 = 3303 /* 128^-1 mod q */
};

/* Subtracts q from a value below 2q when that is possible. */
static inline uint32_t subtract_q_once(uint32_t value)
{
    uint32_t difference = value - MLKEM_Q;
    uint32_t is_negative = 0U - (difference >> 31);
    return difference + (MLKEM_Q & is_negative);
}

/* value mod q for value below 2^24: the estimated quotient is right or one too small. */
static inline uint16_t reduce(uint32_t value)
{
    uint32_t quotient = (uint32_t)(((uint64_t)value * BARRETT) >> 24);
    return (uint16_t)subtract_q_once(value - quotient * MLKEM_Q);
}

/* floor(value / q) for value below 2^24, without dividing. */
static inline uint32_t divide(uint32_t value)
{
    uint32_t quotient = (uint32_t)(((uint64_t)value * BARRETT) >> 24);
    uint32_t remainder = value - quotient * MLKEM_Q;
    return quotient + 1 - ((remainder - MLKEM_Q) >> 31);
}

static inline uint16_t add(uint16_t a, uint16_t b)
{
    return (uint16_t)subtract_q_once((uint32_t)a + b);
}

static inline uint16_t subtract(uint16_t a, uint16_t b)
{
    return (uint16_t)subtract_q_once((uint32_t)a + MLKEM_Q - b);
}

static inline uint16_t multiply(uint16_t a, uint16_t b)
{
    return reduce((uint32_t)a * b);
}

static void add_poly(xmtp_poly *a, const xmtp_poly *b)
{
    for (size_t i = 0; i < MLKEM_N; i++) {
        a->c[i] = add(a->c[i], b->c[i]);
    }
}

static void subtract_poly(xmtp_poly *a, const xmtp_poly *b)
{
    for (size_t i = 0; i < MLKEM_N; i++) {
        a->c[i] = subtract(a->c[i], b->c[i]);
    }
}

static void ntt(xmtp_poly *a)
{
    size_t i = 1;
    for (size_t len = 128; len >= 2; len /= 2) {
        for (size_t start = 0; start < MLKEM_N; start += 2 * len) {
            uint16_t zeta = xmtp_mlkem_zetas[i++];
            for (size_t j = start; j < start + len; j++) {
                uint16_t t = multiply(zeta, a->c[j + len]);
                a->c[j + len] = subtract(a->c[j], t);
                a->c[j] = add(a->c[j], t);
            }
        }
    }
}

static void ntt_inverse(xmtp_poly *a)
{
    size_t i = 127;
    for (size_t len = 2; len <= 128; len *= 2) {
        for (size_t start = 0; start < MLKEM_N; start += 2 * len) {
            uint16_t zeta = xmtp_mlkem_zetas[i--];
            for (size_t j = start; j < start + len; j++) {
                uint16_t t = a->c[j];
                a->c[j] = add(t, a->c[j + len]);
                a->c[j + len] = multiply(zeta, subtract(a->c[j + len], t));
            }
        }
    }
    for (size_t j = 0; j < MLKEM_N; j++) {
        a->c[j] = multiply(a->c[j], INVERSE_128);
    }
}

/* (a0 + a1 X)(b0 + b1 X) mod X^2 - gamma, added to sum. */
static inline void base_multiply_add(uint16_t sum[2], const uint16_t a[2], const uint16_t b[2],
                                     uint16_t gamma)
{
    uint16_t high = multiply(multiply(a[1], b[1]), gamma);
    sum[0] = add(sum[0], add(multiply(a[0], b[0]), high));
    sum[1] = add(sum[1], add(multiply(a[0], b[1]), multiply(a[1], b[0])));
}

static void multiply_add(xmtp_poly *sum, const xmtp_poly *a, const xmtp_poly *b)
{
    for (size_t i = 0; i < MLKEM_N / 4; i++) {
        uint16_t gamma =
            xmtp_mlkem_zetas[64 + i]; /* and minus gamma for the odd one of each pair */
        size_t at = 4 * i;
        base_multiply_add(sum->c + at, a->c + at, b->c + at, gamma);
        base_multiply_add(sum->c + at + 2, a->c + at + 2, b->c + at + 2, subtract(0, gamma));
    }
}

/* ByteEncode_d: d bits of each value, lowest first. */
static void pack(const uint16_t values[MLKEM_N], unsigned d, uint8_t *out)
{
    uint32_t bits = 0;
    unsigned count = 0;
    for (size_t i = 0; i < MLKEM_N; i++) {
        bits |= (uint32_t)values[i] << count;
        for (count += d; count >= 8; count -= 8) {
            *out++ = (uint8_t)bits;
            bits >>= 8;
        }
    }
}

static void unpack(uint16_t values[MLKEM_N], unsigned d, const uint8_t *in)
{
    uint32_t bits = 0;
    unsigned count = 0;
    for (size_t i = 0; i < MLKEM_N; i++) {
        for (; count < d; count += 8) {
            bits |= (uint32_t)*in++ << count;
        }
        values[i] = (uint16_t)(bits & ((1U << d) - 1));
        bits >>= d;
        count -= d;
    }
}

void xmtp_poly_encode(const xmtp_poly *a, uint8_t out[384])
{
    pack(a->c, 12, out);
}

static bool decode(xmtp_poly *a, const uint8_t in[384])
{
    unpack(a->c, 12, in);
    bool is_reduced = true;
    for (size_t i = 0; i < MLKEM_N; i++) {
        is_reduced &= a->c[i] < MLKEM_Q;
        a->c[i] = (uint16_t)subtract_q_once(a->c[i]); /* 12 bits are below 2q */
    }
    return is_reduced;
}

/* All of the bytes are public here. */
static size_t accept(xmtp_poly *a, size_t *filled, const uint8_t *in, size_t n)
{
    size_t j = *filled;
    size_t i = 0;
    for (; i < n && j < MLKEM_N - 1; i += 3) {
        const uint16_t d1 = (uint16_t)(in[i] | (in[i + 1] & 15) << 8);
        const uint16_t d2 = (uint16_t)(in[i + 1] >> 4 | in[i + 2] << 4);
        a->c[j] = d1;
        j += d1 < MLKEM_Q;
        a->c[j] = d2;
        j += d2 < MLKEM_Q;
    }
    *filled = j;
    return i;
}

/* Compress_d(x) = round(2^d x / q) mod 2^d; the half is added before the division. */
static void compress(const xmtp_poly *a, unsigned d, uint8_t *out)
{
    uint16_t values[MLKEM_N];
    for (size_t i = 0; i < MLKEM_N; i++) {
        uint32_t scaled = ((uint32_t)a->c[i] << d) + MLKEM_Q / 2;
        values[i] = (uint16_t)(divide(scaled) & ((1U << d) - 1));
    }
    pack(values, d, out);
    xmtp_wipe(values, sizeof values);
}

/* Decompress_d(y) = round(q y / 2^d). */
static void decompress(xmtp_poly *a, unsigned d, const uint8_t *in)
{
    unpack(a->c, d, in);
    for (size_t i = 0; i < MLKEM_N; i++) {
        a->c[i] = (uint16_t)(((uint32_t)a->c[i] * MLKEM_Q + (1U << (d - 1))) >> d);
    }
}

/* Four bits give (b0 + b1) - (b2 + b3) mod q. */
static inline uint16_t centered_binomial(unsigned bits)
{
    unsigned plus = (bits & 1) + ((bits >> 1) & 1);
    unsigned minus = ((bits >> 2) & 1) + ((bits >> 3) & 1);
    return subtract((uint16_t)plus, (uint16_t)minus);
}

static void binomial(xmtp_poly *a, const uint8_t b[MLKEM_N / 2])
{
    for (size_t i = 0; i < MLKEM_N / 2; i++) {
        a->c[2 * i] = centered_binomial(b[i] & 15);
        a->c[2 * i + 1] = centered_binomial(b[i] >> 4);
    }
}

/* ---- this way, or many in a register where the machine can ---- */

static const xmtp_mlkem_ring plain = MLKEM_RING_OF_FILE;

static inline const xmtp_mlkem_ring *ring(void)
{
    switch (xmtp_lanes_here()) {
    case XMTP_LANES_AVX512:
        return &xmtp_mlkem_avx512;
    case XMTP_LANES_AVX2:
        return &xmtp_mlkem_avx2;
    case XMTP_LANES_NONE:
        break;
    }
    return &plain;
}

void xmtp_poly_add(xmtp_poly *a, const xmtp_poly *b)
{
    ring()->add(a, b);
}

void xmtp_poly_sub(xmtp_poly *a, const xmtp_poly *b)
{
    ring()->sub(a, b);
}

void xmtp_poly_ntt(xmtp_poly *a)
{
    ring()->ntt(a);
}

void xmtp_poly_ntt_inverse(xmtp_poly *a)
{
    ring()->ntt_inverse(a);
}

void xmtp_poly_multiply_add(xmtp_poly *sum, const xmtp_poly *a, const xmtp_poly *b)
{
    ring()->multiply_add(sum, a, b);
}

bool xmtp_poly_decode(xmtp_poly *a, const uint8_t in[384])
{
    return ring()->decode(a, in);
}

void xmtp_poly_compress(const xmtp_poly *a, unsigned d, uint8_t *out)
{
    ring()->compress(a, d, out);
}

void xmtp_poly_decompress(xmtp_poly *a, unsigned d, const uint8_t *in)
{
    ring()->decompress(a, d, in);
}

void xmtp_poly_binomial(xmtp_poly *a, const uint8_t b[128])
{
    ring()->binomial(a, b);
}

void xmtp_poly_accept(xmtp_poly *a, size_t *filled, const uint8_t *in, size_t n)
{
    size_t i = ring()->accept(a, filled, in, n);
    for (; i < n && *filled < MLKEM_N; i += 3) {
        const uint16_t d1 = (uint16_t)(in[i] | (in[i + 1] & 15) << 8);
        const uint16_t d2 = (uint16_t)(in[i + 1] >> 4 | in[i + 2] << 4);
        if (d1 < MLKEM_Q) {
            a->c[(*filled)++] = d1;
        }
        if (d2 < MLKEM_Q && *filled < MLKEM_N) {
            a->c[(*filled)++] = d2;
        }
    }
}
