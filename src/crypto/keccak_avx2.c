/* keccak_avx2.c - Keccak-f[1600] of four states: a register holds the same word of all.
 *
 * There are 16 registers for 25 words, so most of a state is in memory, as in keccak.c: the four take
 * about as long as one alone.
 */
#include "crypto/keccak_words.h"

#include <assert.h>

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET __attribute__((target("avx2")))

typedef __m256i words;

TARGET static inline words xor_of_three(words a, words b, words c)
{
    return _mm256_xor_si256(a, _mm256_xor_si256(b, c));
}

TARGET static inline words choose(words a, words b, words c)
{
    return _mm256_xor_si256(a, _mm256_andnot_si256(b, c));
}

/* Rotations by whole bytes as a shuffle, two instructions less, make 2 % of the time: not worth it. */
TARGET static inline words rotate_left(words a, unsigned by)
{
    const words right = _mm256_srli_epi64(a, (int)((64 - by) & 63));
    return _mm256_or_si256(_mm256_slli_epi64(a, (int)by), right);
}

TARGET static inline words flip(words a, uint64_t constant)
{
    return _mm256_xor_si256(a, _mm256_set1_epi64x((long long)constant));
}

#include "crypto/keccak_rounds.h"

TARGET void xmtp_keccak_permute_four(uint64_t states[25][XMTP_LANES], size_t first)
{
    words a[25];
    words b[25];
    UNROLL
    for (size_t i = 0; i < 25; i++) {
        a[i] = _mm256_loadu_si256((const void *)(states[i] + first));
    }
    rounds(a, b);
    UNROLL
    for (size_t i = 0; i < 25; i++) {
        _mm256_storeu_si256((void *)(states[i] + first), a[i]);
    }
}

#else /* another kind of machine */

void xmtp_keccak_permute_four(uint64_t states[25][XMTP_LANES], size_t first)
{
    (void)states;
    (void)first;
    assert(false);
}

#endif
