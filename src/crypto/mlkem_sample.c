/* mlkem_sample.c - polynomials of ML-KEM out of seeds (FIPS 203 algorithms 7 and 8), up to eight
 * sponges at once.
 */
#include "base/bytes.h"
#include "crypto/keccak_many.h"
#include "crypto/mlkem_poly.h"

enum {
    STEP = XMTP_LANES,
    BLOCK = 168,    /* of SHAKE-128: 112 candidates */
    BLOCKS_MIN = 3, /* two never hold 256 */
    CBD_LEN = MLKEM_N / 2,
};

/* Seed and the first index_len bytes of index, into one sponge each. */
static void absorb(xmtp_keccak_many *k, const xmtp_poly_sample *samples, size_t index_len)
{
    const uint8_t *seed[STEP];
    const uint8_t *index[STEP];
    for (size_t i = 0; i < k->count; i++) {
        seed[i] = samples[i].seed;
        index[i] = samples[i].index;
    }
    xmtp_keccak_many_absorb(k, seed, 32);
    xmtp_keccak_many_absorb(k, index, index_len);
}

/* Takes what is needed of n bytes for each; says whether that was enough for all. */
static bool accept_all(const xmtp_poly_sample *samples, size_t *filled, size_t count,
                       uint8_t *const *in, size_t n)
{
    bool is_enough = true;
    for (size_t i = 0; i < count; i++) {
        xmtp_poly_accept(samples[i].out, &filled[i], in[i], n);
        is_enough &= filled[i] == MLKEM_N;
    }
    return is_enough;
}

/* At most eight. Few need a fourth block; all wait for them. */
static void sample_ntt_step(const xmtp_poly_sample *samples, size_t count)
{
    xmtp_keccak_many xof;
    uint8_t blocks[STEP][BLOCKS_MIN * BLOCK];
    uint8_t *out[STEP];
    size_t filled[STEP] = {0};
    for (size_t i = 0; i < STEP; i++) {
        out[i] = blocks[i];
    }
    xmtp_shake128_many_init(&xof, count);
    absorb(&xof, samples, 2);
    for (size_t n = BLOCKS_MIN * BLOCK;; n = BLOCK) {
        xmtp_keccak_many_squeeze(&xof, out, n);
        if (accept_all(samples, filled, count, out, n)) {
            return;
        }
    }
}

void xmtp_poly_sample_ntt(const xmtp_poly_sample *samples, size_t count)
{
    for (size_t done = 0; done < count; done += STEP) {
        sample_ntt_step(samples + done, count - done < STEP ? count - done : STEP);
    }
}

/* At most eight. */
static void sample_cbd_step(const xmtp_poly_sample *samples, size_t count)
{
    xmtp_keccak_many prf;
    uint8_t b[STEP][CBD_LEN];
    uint8_t *out[STEP];
    for (size_t i = 0; i < STEP; i++) {
        out[i] = b[i];
    }
    xmtp_shake256_many_init(&prf, count);
    absorb(&prf, samples, 1);
    xmtp_keccak_many_squeeze(&prf, out, CBD_LEN);
    for (size_t i = 0; i < count; i++) {
        xmtp_poly_binomial(samples[i].out, b[i]);
    }
    xmtp_keccak_many_wipe(&prf);
    xmtp_wipe(b, sizeof b);
}

void xmtp_poly_sample_cbd(const xmtp_poly_sample *samples, size_t count)
{
    for (size_t done = 0; done < count; done += STEP) {
        sample_cbd_step(samples + done, count - done < STEP ? count - done : STEP);
    }
}
