/* keccak_many.c - the sponge of keccak.c, eight at once where the machine has AVX-512, and twice four
 * where it has AVX2.
 */
#include "crypto/keccak_many.h"

#include "base/bytes.h"
#include "crypto/keccak.h"
#include "crypto/keccak_words.h"

#include <assert.h>

static void permute_one(uint64_t states[25][XMTP_LANES], size_t which)
{
    uint64_t state[25];
    for (size_t w = 0; w < 25; w++) {
        state[w] = states[w][which];
    }
    xmtp_keccak_permute(state);
    for (size_t w = 0; w < 25; w++) {
        states[w][which] = state[w];
    }
    xmtp_wipe(state, sizeof state);
}

/* One that is left over is faster alone. */
static void permute_by_fours(uint64_t states[25][XMTP_LANES], size_t count)
{
    for (size_t first = 0; first < count; first += 4) {
        if (count - first > 1) {
            xmtp_keccak_permute_four(states, first);
        } else {
            permute_one(states, first);
        }
    }
}

static void permute_one_by_one(uint64_t states[25][XMTP_LANES], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        permute_one(states, i);
    }
}

static void permute(xmtp_keccak_many *k)
{
    switch (xmtp_lanes_here()) {
    case XMTP_LANES_AVX512:
        xmtp_keccak_permute_eight(k->words);
        break;
    case XMTP_LANES_AVX2:
        permute_by_fours(k->words, k->count);
        break;
    case XMTP_LANES_NONE:
        permute_one_by_one(k->words, k->count);
        break;
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
