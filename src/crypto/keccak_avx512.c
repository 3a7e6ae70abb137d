/* keccak_avx512.c - Keccak-f[1600] of eight states: a register holds the same word of all.
 *
 * Three-input logic makes chi one instruction a word, and theta's sums two a column.
 */
#include "crypto/keccak_words.h"

#include <assert.h>

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET __attribute__((target("avx512f")))

typedef __m512i words;

/* Truth tables for the instruction of three inputs. */
enum { XOR_OF_THREE = 0x96, CHOOSE = 0xd2 };

TARGET static inline words xor_of_three(words a, words b, words c)
{
    return _mm512_ternarylogic_epi64(a, b, c, XOR_OF_THREE);
}

TARGET static inline words choose(words a, words b, words c)
{
    return _mm512_ternarylogic_epi64(a, b, c, CHOOSE);
}

/* The intrinsic wants a literal, which a table is not before loops are unrolled. */
TARGET static inline words rotate_left(words a, unsigned by)
{
    typedef uint64_t words_of_eight __attribute__((vector_size(64)));
    const words_of_eight w = (words_of_eight)a;
    return (words)(w << by | w >> ((64 - by) & 63));
}

TARGET static inline words flip(words a, uint64_t constant)
{
    return _mm512_xor_si512(a, _mm512_set1_epi64((long long)constant));
}

#include "crypto/keccak_rounds.h"

TARGET void xmtp_keccak_permute_eight(uint64_t states[25][XMTP_LANES])
{
    words a[25];
    words b[25];
    UNROLL
    for (size_t i = 0; i < 25; i++) {
        a[i] = _mm512_loadu_si512(states[i]);
    }
    rounds(a, b);
    UNROLL
    for (size_t i = 0; i < 25; i++) {
        _mm512_storeu_si512(states[i], a[i]);
    }
}

#else /* another kind of machine */

void xmtp_keccak_permute_eight(uint64_t states[25][XMTP_LANES])
{
    (void)states;
    assert(false);
}

#endif
