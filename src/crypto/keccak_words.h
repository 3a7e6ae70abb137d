/* keccak_words.h - what all kinds of Keccak-f[1600] share: constants (FIPS 202 section 3.2), and words
 * as bytes; private to keccak.c, keccak_many.c and the permutations of several states that are here.
 *
 * Places and rotations are constants only where the loops over words are unrolled: four times faster.
 */
#ifndef XMTP_CRYPTO_KECCAK_WORDS_H
#define XMTP_CRYPTO_KECCAK_WORDS_H

#include "crypto/lanes.h"

#define UNROLL _Pragma("GCC unroll 5")

/* Of iota, by round. */
static const uint64_t round_constants[24] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
    0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
    0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

/* Offsets of rho (table 2), by lane. */
static const uint8_t rotations[25] = {
    0, 1, 62, 28, 27, 36, 44, 6, 55, 20, 3, 10, 43, 25, 39, 41, 45, 15, 21, 8, 18, 2, 61, 56, 14,
};

/* Little-endian. Written out, since as loops they stay loops. */
static inline uint64_t load_word(const uint8_t in[8])
{
    return (uint64_t)in[0] | (uint64_t)in[1] << 8 | (uint64_t)in[2] << 16 | (uint64_t)in[3] << 24 |
           (uint64_t)in[4] << 32 | (uint64_t)in[5] << 40 | (uint64_t)in[6] << 48 |
           (uint64_t)in[7] << 56;
}

static inline void store_word(uint8_t out[8], uint64_t word)
{
    out[0] = (uint8_t)word;
    out[1] = (uint8_t)(word >> 8);
    out[2] = (uint8_t)(word >> 16);
    out[3] = (uint8_t)(word >> 24);
    out[4] = (uint8_t)(word >> 32);
    out[5] = (uint8_t)(word >> 40);
    out[6] = (uint8_t)(word >> 48);
    out[7] = (uint8_t)(word >> 56);
}

/* Of eight states, in keccak_avx512.c, and of the four from first on, in keccak_avx2.c; only where
 * xmtp_lanes_here says so. Word i of state s is states[i][s]. */
void xmtp_keccak_permute_eight(uint64_t states[25][XMTP_LANES]);
void xmtp_keccak_permute_four(uint64_t states[25][XMTP_LANES], size_t first);

#endif
