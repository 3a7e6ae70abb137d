/* mlkem_registers.h - the ring of ML-KEM with many coefficients of 16 bits in a register, the same text for
 * every width; private to mlkem_avx2.c and mlkem_avx512.c.
 *
 * The rule of mlkem_poly.c holds here too: every coefficient is the least residue. Where a sum may be
 * q too large, or a difference q too small, the smaller of both candidates as unsigned numbers is the
 * right one.
 *
 * A polynomial is EIGHTS times eight registers. The layers of the NTT down to the length of a register
 * combine whole registers. Below that, two registers are parted into the first and the second halves of
 * all their butterflies (here for length 2), and joined again; in which order is for the machine to say:
 *
 *     a  0  1  2  3  4  5  6  7 ...      first    0  1  4  5 ... and the same of b
 *     b                                  second   2  3  6  7 ...
 *
 * Who includes this has said before what is different from machine to machine:
 *
 *     TARGET            attribute of the functions
 *     COUNT             coefficients in a register
 *     coefficients      the type, of which operators take each coefficient for itself
 *     all, load, store
 *     smaller           of each two, as unsigned numbers
 *     high              upper half of products
 *     high_rounded      (a b + 2^14) / 2^15, signed
 *     is_zero_in_all
 *     alternate         even places of one, odd places of another
 *     swap_neighbours   even and odd places
 *     gammas            1 in even places; gamma and minus gamma by turns in odd ones, for register i
 *     sorting           how two registers are parted; .block says which butterfly is at a place
 *     sort_of, part, join
 *     pick_zetas        of those from a place of the table on, which ones
 *     unpack_1, _4, _10, _12 and pack_1, _4, _10: one register, d COUNT / 8 bytes
 *     binomial_of       four bits in each place to what they count
 *
 * No branch and no address depends on a coefficient.
 */
#ifndef XMTP_CRYPTO_MLKEM_REGISTERS_H
#define XMTP_CRYPTO_MLKEM_REGISTERS_H

#include "crypto/mlkem_ring.h"

#define UNROLL _Pragma("GCC unroll 8")
#define INLINE __attribute__((always_inline)) /* where arguments are to be constants */

enum {
    REGISTERS = MLKEM_N / COUNT, /* of one polynomial */
    EIGHTS = REGISTERS / 8,
    BARRETT = 5039,                       /* floor(2^24 / q) */
    INVERSE_128 = 3303,                   /* 128^-1 mod q */
    LOG_LENGTH_MAX = EIGHTS == 1 ? 4 : 3, /* of butterflies that are shorter than a register */
};

TARGET static inline coefficients below_q(coefficients a)
{
    return smaller(a, a - all(MLKEM_Q));
}

TARGET static inline coefficients add(coefficients a, coefficients b)
{
    return below_q(a + b);
}

TARGET static inline coefficients subtract(coefficients a, coefficients b)
{
    const coefficients difference = a - b;
    return smaller(difference, difference + all(MLKEM_Q));
}

/* Barrett as in mlkem_poly.c. The quotient is estimated from the product without its low 8 bits,
 * which makes it smaller by less than 0.08: it still is right or one too small. */
TARGET static inline coefficients multiply(coefficients a, coefficients b)
{
    const coefficients low = a * b;
    const coefficients top = high(a, b) << 8 | low >> 8;
    return below_q(low - high(top, all(BARRETT)) * all(MLKEM_Q));
}

/* ---- the NTT ---- */

typedef struct eight {
    coefficients v[8];
} eight;

TARGET static inline eight load_eight(const uint16_t *p)
{
    eight e;
    UNROLL
    for (size_t i = 0; i < 8; i++) {
        e.v[i] = load(p + COUNT * i);
    }
    return e;
}

TARGET static inline void store_eight(uint16_t *p, const eight *e)
{
    UNROLL
    for (size_t i = 0; i < 8; i++) {
        store(p + COUNT * i, e->v[i]);
    }
}

TARGET static inline void butterfly(coefficients *a, coefficients *b, coefficients zeta)
{
    const coefficients t = multiply(zeta, *b);
    *b = subtract(*a, t);
    *a = add(*a, t);
}

TARGET static inline void butterfly_back(coefficients *a, coefficients *b, coefficients zeta)
{
    const coefficients t = *a;
    *a = add(t, *b);
    *b = multiply(zeta, subtract(*b, t));
}

/* Of the layer of length 128 where that is longer than an eight. */
TARGET static inline void first_layer(xmtp_poly *a)
{
    for (size_t i = 0; i < MLKEM_N / 2; i += COUNT) {
        coefficients first = load(a->c + i);
        coefficients second = load(a->c + MLKEM_N / 2 + i);
        butterfly(&first, &second, all(xmtp_mlkem_zetas[1]));
        store(a->c + i, first);
        store(a->c + MLKEM_N / 2 + i, second);
    }
}

TARGET static inline void first_layer_back(xmtp_poly *a)
{
    for (size_t i = 0; i < MLKEM_N / 2; i += COUNT) {
        coefficients first = load(a->c + i);
        coefficients second = load(a->c + MLKEM_N / 2 + i);
        butterfly_back(&first, &second, all(xmtp_mlkem_zetas[1]));
        store(a->c + i, first);
        store(a->c + MLKEM_N / 2 + i, second);
    }
}

/* The three layers that combine whole registers of one eight, which is the whole or half h. */
TARGET INLINE static inline void long_layers(eight *e, size_t h)
{
    UNROLL
    for (size_t len = 4; len > 0; len /= 2) {
        const size_t blocks = 4 / len; /* in each eight */
        UNROLL
        for (size_t block = 0; block < blocks; block++) {
            const coefficients zeta = all(xmtp_mlkem_zetas[blocks * (EIGHTS + h) + block]);
            UNROLL
            for (size_t i = 2 * len * block; i < 2 * len * block + len; i++) {
                butterfly(&e->v[i], &e->v[i + len], zeta);
            }
        }
    }
}

TARGET INLINE static inline void long_layers_back(eight *e, size_t h)
{
    UNROLL
    for (size_t len = 1; len <= 4; len *= 2) {
        const size_t blocks = 4 / len;
        UNROLL
        for (size_t block = 0; block < blocks; block++) {
            const size_t from_behind = blocks * (2 * EIGHTS - h) - 1 - block;
            const coefficients zeta = all(xmtp_mlkem_zetas[from_behind]);
            UNROLL
            for (size_t i = 2 * len * block; i < 2 * len * block + len; i++) {
                butterfly_back(&e->v[i], &e->v[i + len], zeta);
            }
        }
    }
}

TARGET INLINE static inline void short_layer(eight *e, size_t h, unsigned log_length)
{
    const sorting s = sort_of(log_length);
    UNROLL
    for (size_t i = 0; i < 8; i += 2) {
        const size_t from = (MLKEM_N / 2 + COUNT / 2 * (8 * h + i)) >> log_length;
        halves p = part(&s, e->v[i], e->v[i + 1]);
        butterfly(&p.first, &p.second, pick_zetas(from, s.block));
        p = join(&s, p.first, p.second);
        e->v[i] = p.first;
        e->v[i + 1] = p.second;
    }
}

TARGET INLINE static inline void short_layer_back(eight *e, size_t h, unsigned log_length)
{
    const sorting s = sort_of(log_length);
    const coefficients from_behind = all((uint16_t)((COUNT >> log_length) - 1)) - s.block;
    UNROLL
    for (size_t i = 0; i < 8; i += 2) {
        const size_t from = (MLKEM_N - COUNT / 2 * (8 * h + i + 2)) >> log_length;
        halves p = part(&s, e->v[i], e->v[i + 1]);
        butterfly_back(&p.first, &p.second, pick_zetas(from, from_behind));
        p = join(&s, p.first, p.second);
        e->v[i] = p.first;
        e->v[i + 1] = p.second;
    }
}

TARGET static void ntt(xmtp_poly *a)
{
    if (EIGHTS == 2) {
        first_layer(a);
    }
    for (size_t h = 0; h < EIGHTS; h++) {
        eight e = load_eight(a->c + 8 * COUNT * h);
        long_layers(&e, h);
        if (LOG_LENGTH_MAX == 4) {
            short_layer(&e, h, 4);
        }
        short_layer(&e, h, 3);
        short_layer(&e, h, 2);
        short_layer(&e, h, 1);
        store_eight(a->c + 8 * COUNT * h, &e);
    }
}

TARGET static void ntt_inverse(xmtp_poly *a)
{
    for (size_t h = 0; h < EIGHTS; h++) {
        eight e = load_eight(a->c + 8 * COUNT * h);
        short_layer_back(&e, h, 1);
        short_layer_back(&e, h, 2);
        short_layer_back(&e, h, 3);
        if (LOG_LENGTH_MAX == 4) {
            short_layer_back(&e, h, 4);
        }
        long_layers_back(&e, h);
        store_eight(a->c + 8 * COUNT * h, &e);
    }
    if (EIGHTS == 2) {
        first_layer_back(a);
    }
    for (size_t i = 0; i < MLKEM_N; i += COUNT) {
        store(a->c + i, multiply(load(a->c + i), all(INVERSE_128)));
    }
}

/* ---- products and sums ---- */

TARGET static void multiply_add(xmtp_poly *sum, const xmtp_poly *a, const xmtp_poly *b)
{
    for (size_t i = 0; i < REGISTERS; i++) {
        const coefficients x = load(a->c + COUNT * i);
        const coefficients y = load(b->c + COUNT * i);
        const coefficients alike = multiply(multiply(x, y), gammas(i)); /* a0 b0, gamma a1 b1 */
        const coefficients mixed = multiply(x, swap_neighbours(y));     /* a0 b1, a1 b0 */
        const coefficients rest = swap_neighbours(alternate(mixed, alike));
        const coefficients product = add(alternate(alike, mixed), rest);
        store(sum->c + COUNT * i, add(load(sum->c + COUNT * i), product));
    }
}

TARGET static void add_poly(xmtp_poly *a, const xmtp_poly *b)
{
    for (size_t i = 0; i < MLKEM_N; i += COUNT) {
        store(a->c + i, add(load(a->c + i), load(b->c + i)));
    }
}

TARGET static void subtract_poly(xmtp_poly *a, const xmtp_poly *b)
{
    for (size_t i = 0; i < MLKEM_N; i += COUNT) {
        store(a->c + i, subtract(load(a->c + i), load(b->c + i)));
    }
}

/* ---- packing ---- */

TARGET static bool decode(xmtp_poly *a, const uint8_t in[384])
{
    coefficients changed = all(0);
    for (size_t i = 0; i < REGISTERS; i++) {
        const coefficients value = unpack_12(in + 12 * COUNT / 8 * i);
        const coefficients reduced = below_q(value);
        changed |= value ^ reduced;
        store(a->c + COUNT * i, reduced);
    }
    return is_zero_in_all(changed);
}

/* (q y + 2^(d-1)) / 2^d */
TARGET static void decompress(xmtp_poly *a, unsigned d, const uint8_t *in)
{
    for (size_t i = 0; i < REGISTERS; i++, in += COUNT / 8 * d) {
        coefficients x;
        if (d == 10) {
            x = high_rounded(unpack_10(in) << 4, all(2 * MLKEM_Q));
        } else if (d == 4) {
            x = (unpack_4(in) * all(MLKEM_Q) + all(8)) >> 4;
        } else {
            x = unpack_1(in) * all((MLKEM_Q + 1) / 2);
        }
        store(a->c + COUNT * i, x);
    }
}

/* scaled / q, where the estimate is right or one too small; both mod 2^16. */
TARGET static inline coefficients quotient_of(coefficients scaled, coefficients estimate)
{
    const coefficients rest = scaled - estimate * all(MLKEM_Q);
    return estimate - (coefficients)(rest >= all(MLKEM_Q)); /* true is minus one */
}

/* (2^10 x + q / 2) / q. Of the dividend, which is 64 (16 x + 26), the estimate takes the 64th part:
 * 1259 / 2^16 is 64 / q less at most 0.9 / 2^16. */
TARGET static inline coefficients scale_10(coefficients x)
{
    const coefficients part_64 = (x << 4) + all(26);
    return quotient_of(part_64 << 6, high(part_64, all(1259)));
}

/* (2^d x + q / 2) / q for d up to 4: 19 / 2^16 is 1 / q less at most 0.7 / 2^16. */
TARGET static inline coefficients scale(coefficients x, unsigned d)
{
    const coefficients scaled = (x << d) + all(MLKEM_Q / 2);
    return quotient_of(scaled, high(scaled, all(19)));
}

TARGET static void compress(const xmtp_poly *a, unsigned d, uint8_t *out)
{
    for (size_t i = 0; i < REGISTERS; i++, out += COUNT / 8 * d) {
        const coefficients x = load(a->c + COUNT * i);
        if (d == 10) {
            pack_10(scale_10(x) & all(0x3ff), out);
        } else if (d == 4) {
            pack_4(scale(x, 4) & all(0xf), out);
        } else {
            pack_1(scale(x, 1) & all(1), out);
        }
    }
}

/* Four bits are looked up in a register, which takes the same time for all. */
TARGET static void binomial(xmtp_poly *a, const uint8_t b[MLKEM_N / 2])
{
    for (size_t i = 0; i < REGISTERS; i++) {
        store(a->c + COUNT * i, binomial_of(unpack_4(b + COUNT / 2 * i)));
    }
}

#endif
