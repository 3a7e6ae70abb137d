/* keccak.c - Keccak-f[1600] and its sponge (FIPS 202), with Keccak-256 of Ethereum.
 *
 * The state is 5 x 5 lanes of 64 bits, lane (x, y) at x + 5y, bytes little-endian within a lane:
 *
 *            x=0  1  2  3  4
 *     y=0     0   1  2  3  4       absorbing xors input into the first rate bytes,
 *     y=1     5   6  7  8  9       squeezing reads them; a permutation when they are used up.
 *     ...
 *     y=4    20  21 22 23 24
 *
 * The rounds are in keccak_rounds.h. No table index and no branch depends on data.
 * Invariant: at < rate between calls while absorbing, at <= rate while squeezing.
 */
#include "crypto/keccak.h"

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "crypto/keccak_words.h"

#include <assert.h>

#define TARGET __attribute__((always_inline)) /* into both forms below */

typedef uint64_t words;

TARGET static inline words xor_of_three(words a, words b, words c)
{
    return a ^ (b ^ c);
}

TARGET static inline words choose(words a, words b, words c)
{
    return a ^ (~b & c);
}

TARGET static inline words rotate_left(words a, unsigned by)
{
    return a << by | a >> ((64 - by) & 63);
}

TARGET static inline words flip(words a, uint64_t constant)
{
    return a ^ constant;
}

#include "crypto/keccak_rounds.h"

TARGET static inline void permute(uint64_t lanes[25])
{
    uint64_t b[25];
    rounds(lanes, b);
    xmtp_wipe(b, sizeof b);
}

#if defined(__x86_64__)

/* Rotating into another register, and inverting one of two inputs of "and", are instructions of their
 * own there: a sixth less time. */
__attribute__((target("bmi,bmi2"))) static void permute_with_bmi(uint64_t lanes[25])
{
    permute(lanes);
}

static bool has_bmi(void)
{
    return xmtp_has_lanes() && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

#else /* another kind of machine */

static void permute_with_bmi(uint64_t lanes[25])
{
    permute(lanes);
}

static bool has_bmi(void)
{
    return false;
}

#endif

void xmtp_keccak_permute(uint64_t lanes[25])
{
    if (has_bmi()) {
        permute_with_bmi(lanes);
    } else {
        permute(lanes);
    }
}

static inline void xor_byte(xmtp_keccak *k, size_t at, uint8_t byte)
{
    k->lanes[at / 8] ^= (uint64_t)byte << (8 * (at % 8));
}

static void init(xmtp_keccak *k, size_t rate, uint8_t suffix)
{
    *k = (xmtp_keccak){.rate = rate, .suffix = suffix};
}

void xmtp_shake128_init(xmtp_keccak *k)
{
    init(k, 168, 0x1f);
}

void xmtp_shake256_init(xmtp_keccak *k)
{
    init(k, 136, 0x1f);
}

void xmtp_sha3_256_init(xmtp_keccak *k)
{
    init(k, 136, 0x06);
}

void xmtp_sha3_512_init(xmtp_keccak *k)
{
    init(k, 72, 0x06);
}

void xmtp_keccak_absorb(xmtp_keccak *k, xmtp_bytes in)
{
    assert(!k->is_squeezing);
    for (size_t i = 0; i < in.n;) {
        if (k->at % 8 == 0 && in.n - i >= 8) { /* rates are whole lanes, so one fits */
            k->lanes[k->at / 8] ^= load_word(in.p + i);
            k->at += 8;
            i += 8;
        } else {
            xor_byte(k, k->at++, in.p[i++]);
        }
        if (k->at == k->rate) {
            xmtp_keccak_permute(k->lanes);
            k->at = 0;
        }
    }
}

/* pad10*1 behind the suffix of the function (section 5.1, appendix B.2). */
static void pad(xmtp_keccak *k)
{
    xor_byte(k, k->at, k->suffix);
    xor_byte(k, k->rate - 1, 0x80);
    xmtp_keccak_permute(k->lanes);
    k->at = 0;
    k->is_squeezing = true;
}

void xmtp_keccak_squeeze(xmtp_keccak *k, uint8_t *out, size_t n)
{
    if (!k->is_squeezing) {
        pad(k);
    }
    for (size_t i = 0; i < n;) {
        if (k->at == k->rate) {
            xmtp_keccak_permute(k->lanes);
            k->at = 0;
        }
        if (k->at % 8 == 0 && n - i >= 8) {
            store_word(out + i, k->lanes[k->at / 8]);
            k->at += 8;
            i += 8;
        } else {
            out[i++] = (uint8_t)(k->lanes[k->at / 8] >> (8 * (k->at % 8)));
            k->at++;
        }
    }
}

void xmtp_keccak_wipe(xmtp_keccak *k)
{
    xmtp_wipe(k, sizeof *k);
}

static void digest(size_t rate, uint8_t suffix, xmtp_bytes in, uint8_t *out, size_t out_len)
{
    xmtp_keccak k;
    init(&k, rate, suffix);
    xmtp_keccak_absorb(&k, in);
    xmtp_keccak_squeeze(&k, out, out_len);
    xmtp_keccak_wipe(&k);
}

void xmtp_sha3_256(xmtp_bytes in, uint8_t out[32])
{
    digest(136, 0x06, in, out, 32);
}

void xmtp_sha3_512(xmtp_bytes in, uint8_t out[64])
{
    digest(72, 0x06, in, out, 64);
}

void xmtp_shake256(xmtp_bytes in, uint8_t *out, size_t out_len)
{
    digest(136, 0x1f, in, out, out_len);
}

void xmtp_keccak256(xmtp_bytes in, uint8_t out[32])
{
    digest(136, 0x01, in, out, 32);
}
