/* keccak_rounds.h - the 24 rounds of Keccak-f[1600] (FIPS 202 section 3.2), the same text for one state
 * and for several side by side; private to keccak.c, keccak_avx2.c and keccak_avx512.c.
 *
 * The state is 5 x 5 words of 64 bits, word (x, y) at x + 5y. Who includes this has said before what
 * words are (one of a state, or the same one of several states), and how they are combined:
 *
 *     TARGET         attribute of the functions
 *     words          the type
 *     xor_of_three   a ^ b ^ c; that b ^ c recurs with other a is for it to make use of
 *     choose         a ^ (~b & c)
 *     rotate_left    by less than 64
 *     flip           words ^ one constant for all states
 *
 * No table index and no branch depends on data.
 */
#ifndef XMTP_CRYPTO_KECCAK_ROUNDS_H
#define XMTP_CRYPTO_KECCAK_ROUNDS_H

#include "crypto/keccak_words.h"

/* Every word takes up the parity of two neighbouring columns. */
TARGET static inline void theta(words a[25])
{
    words column[5];
    UNROLL
    for (size_t x = 0; x < 5; x++) {
        column[x] = xor_of_three(a[x], a[x + 5], a[x + 10]);
        column[x] = xor_of_three(column[x], a[x + 15], a[x + 20]);
    }
    UNROLL
    for (size_t x = 0; x < 5; x++) {
        const words left = column[(x + 4) % 5];
        const words right = rotate_left(column[(x + 1) % 5], 1);
        UNROLL
        for (size_t y = 0; y < 25; y += 5) {
            a[x + y] = xor_of_three(a[x + y], left, right);
        }
    }
}

/* Word (x, y), rotated, goes to (y, 2x + 3y). */
TARGET static inline void rho_and_pi(const words a[25], words b[25])
{
    UNROLL
    for (size_t y = 0; y < 5; y++) {
        UNROLL
        for (size_t x = 0; x < 5; x++) {
            b[y + 5 * ((2 * x + 3 * y) % 5)] = rotate_left(a[x + 5 * y], rotations[x + 5 * y]);
        }
    }
}

/* The only step that is not linear. */
TARGET static inline void chi(const words b[25], words a[25])
{
    UNROLL
    for (size_t y = 0; y < 25; y += 5) {
        UNROLL
        for (size_t x = 0; x < 5; x++) {
            a[x + y] = choose(b[x + y], b[(x + 1) % 5 + y], b[(x + 2) % 5 + y]);
        }
    }
}

/* b is room for what stands between two steps. */
TARGET static inline void rounds(words a[25], words b[25])
{
    for (size_t round = 0; round < 24; round++) {
        theta(a);
        rho_and_pi(a, b);
        chi(b, a);
        a[0] = flip(a[0], round_constants[round]); /* iota */
    }
}

#endif
