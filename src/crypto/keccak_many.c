/* keccak_many.c - the sponge of keccak.c, eight at once where the machine has AVX-512.
 *
 * A register holds the same word of eight states, so that a round is the round of keccak.c with other
 * types. Three-input logic makes chi one instruction a word, and theta's sums two a column.
 */
#include "crypto/keccak_many.h"

#include "base/bytes.h"
#include "crypto/keccak.h"
#include "crypto/keccak_words.h"

#include <assert.h>

#if defined(__x86_64__)

#include <immintrin.h>

#define WIDE __attribute__((target("avx512f")))

/* Truth tables for the instruction of three inputs. */
enum { XOR_OF_THREE = 0x96, CHI = 0xd2 /* a ^ (~b & c) */ };

WIDE static inline void theta(__m512i a[25])
{
    __m512i column[5];
    UNROLL
    for (size_t x = 0; x < 5; x++) {
        column[x] = _mm512_ternarylogic_epi64(a[x], a[x + 5], a[x + 10], XOR_OF_THREE);
        column[x] = _mm512_ternarylogic_epi64(column[x], a[x + 15], a[x + 20], XOR_OF_THREE);
    }
    UNROLL
    for (size_t x = 0; x < 5; x++) {
        const __m512i left = column[(x + 4) % 5];
        const __m512i right = _mm512_rol_epi64(column[(x + 1) % 5], 1);
        UNROLL
        for (size_t y = 0; y < 25; y += 5) {
            a[x + y] = _mm512_ternarylogic_epi64(a[x + y], left, right, XOR_OF_THREE);
        }
    }
}

/* The intrinsic wants a literal, which a table is not before loops are unrolled. */
WIDE static inline __m512i rotate_left(__m512i words, unsigned by)
{
    typedef uint64_t words_of_eight __attribute__((vector_size(64)));
    const words_of_eight w = (words_of_eight)words;
    return (__m512i)(w << by | w >> ((64 - by) & 63));
}

WIDE static inline void rho_and_pi(const __m512i a[25], __m512i b[25])
{
    UNROLL
    for (size_t y = 0; y < 5; y++) {
        UNROLL
        for (size_t x = 0; x < 5; x++) {
            b[y + 5 * ((2 * x + 3 * y) % 5)] = rotate_left(a[x + 5 * y], rotations[x + 5 * y]);
        }
    }
}

WIDE static inline void chi(const __m512i b[25], __m512i a[25])
{
    UNROLL
    for (size_t y = 0; y < 25; y += 5) {
        UNROLL
        for (size_t x = 0; x < 5; x++) {
            a[x + y] =
                _mm512_ternarylogic_epi64(b[x + y], b[(x + 1) % 5 + y], b[(x + 2) % 5 + y], CHI);
        }
    }
}

WIDE static void permute_wide(uint64_t words[25][XMTP_LANES])
{
    __m512i a[25];
    __m512i b[25];
    UNROLL
    for (size_t i = 0; i < 25; i++) {
        a[i] = _mm512_loadu_si512(words[i]);
    }
    for (size_t round = 0; round < 24; round++) {
        theta(a);
        rho_and_pi(a, b);
        chi(b, a);
        const __m512i constant = _mm512_set1_epi64((long long)round_constants[round]);
        a[0] = _mm512_xor_si512(a[0], constant);
    }
    UNROLL
    for (size_t i = 0; i < 25; i++) {
        _mm512_storeu_si512(words[i], a[i]);
    }
}

#else /* another kind of machine */

static void permute_wide(uint64_t words[25][XMTP_LANES])
{
    (void)words;
    assert(false);
}

#endif

static void permute_one_by_one(uint64_t words[25][XMTP_LANES], size_t count)
{
    uint64_t state[25];
    for (size_t i = 0; i < count; i++) {
        for (size_t w = 0; w < 25; w++) {
            state[w] = words[w][i];
        }
        xmtp_keccak_permute(state);
        for (size_t w = 0; w < 25; w++) {
            words[w][i] = state[w];
        }
    }
    xmtp_wipe(state, sizeof state);
}

static void permute(xmtp_keccak_many *k)
{
    if (xmtp_has_wide_lanes()) {
        permute_wide(k->words);
    } else {
        permute_one_by_one(k->words, k->count);
    }
    k->at = 0;
}

static inline void xor_byte(xmtp_keccak_many *k, size_t which, size_t at, uint8_t byte)
{
    k->words[at / 8][which] ^= (uint64_t)byte << (8 * (at % 8));
}

static void init(xmtp_keccak_many *k, size_t count, size_t rate, uint8_t suffix)
{
    assert(count >= 1 && count <= XMTP_LANES);
    *k = (xmtp_keccak_many){.count = count, .rate = rate, .suffix = suffix};
}

void xmtp_shake128_many_init(xmtp_keccak_many *k, size_t count)
{
    init(k, count, 168, 0x1f);
}

void xmtp_shake256_many_init(xmtp_keccak_many *k, size_t count)
{
    init(k, count, 136, 0x1f);
}

void xmtp_sha3_256_many_init(xmtp_keccak_many *k, size_t count)
{
    init(k, count, 136, 0x06);
}

void xmtp_keccak256_many_init(xmtp_keccak_many *k, size_t count)
{
    init(k, count, 136, 0x01);
}

void xmtp_sha3_512_many_init(xmtp_keccak_many *k, size_t count)
{
    init(k, count, 72, 0x06);
}

/* The next word or byte of each, at offset i of its input or output. */

static inline void absorb_word(xmtp_keccak_many *k, const uint8_t *const *in, size_t i)
{
    uint64_t *words = k->words[k->at / 8];
    for (size_t s = 0; s < k->count; s++) {
        words[s] ^= load_word(in[s] + i);
    }
    k->at += 8;
}

static inline void absorb_byte(xmtp_keccak_many *k, const uint8_t *const *in, size_t i)
{
    for (size_t s = 0; s < k->count; s++) {
        xor_byte(k, s, k->at, in[s][i]);
    }
    k->at++;
}

static inline void squeeze_word(xmtp_keccak_many *k, uint8_t *const *out, size_t i)
{
    const uint64_t *words = k->words[k->at / 8];
    for (size_t s = 0; s < k->count; s++) {
        store_word(out[s] + i, words[s]);
    }
    k->at += 8;
}

static inline void squeeze_byte(xmtp_keccak_many *k, uint8_t *const *out, size_t i)
{
    const uint64_t *words = k->words[k->at / 8];
    for (size_t s = 0; s < k->count; s++) {
        out[s][i] = (uint8_t)(words[s] >> (8 * (k->at % 8)));
    }
    k->at++;
}

void xmtp_keccak_many_absorb(xmtp_keccak_many *k, const uint8_t *const *in, size_t n)
{
    assert(!k->is_squeezing);
    for (size_t i = 0; i < n;) {
        if (k->at % 8 == 0 && n - i >= 8) { /* rates are whole words, so one fits */
            absorb_word(k, in, i);
            i += 8;
        } else {
            absorb_byte(k, in, i);
            i++;
        }
        if (k->at == k->rate) {
            permute(k);
        }
    }
}

/* pad10*1 behind the suffix of the function (FIPS 202 section 5.1, appendix B.2). */
static void pad(xmtp_keccak_many *k)
{
    for (size_t s = 0; s < k->count; s++) {
        xor_byte(k, s, k->at, k->suffix);
        xor_byte(k, s, k->rate - 1, 0x80);
    }
    permute(k);
    k->is_squeezing = true;
}

void xmtp_keccak_many_squeeze(xmtp_keccak_many *k, uint8_t *const *out, size_t n)
{
    if (!k->is_squeezing) {
        pad(k);
    }
    for (size_t i = 0; i < n;) {
        if (k->at == k->rate) {
            permute(k);
        }
        if (k->at % 8 == 0 && n - i >= 8) {
            squeeze_word(k, out, i);
            i += 8;
        } else {
            squeeze_byte(k, out, i);
            i++;
        }
    }
}

void xmtp_keccak_many_wipe(xmtp_keccak_many *k)
{
    xmtp_wipe(k, sizeof *k);
}
