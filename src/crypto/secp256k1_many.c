/* secp256k1_many.c - many wallets recovered from their signatures, each with what the single recovery gives.
 *
 * The lanes answer for the plain case alone: r and s in range, a v that is read, R and Q points of the curve.
 * All else goes to the single recovery, which alone refuses. Nothing that the lanes give can be compared
 * with the signature again for less than recovering costs; who knows the address that is to come out, and
 * gets another, asks the single recovery before it refuses (identity/update_batch.c).
 *
 * Eights are shared among processors.
 */
#include "base/bytes.h"
#include "base/together.h"
#include "crypto/keccak_many.h"
#include "crypto/secp256k1_lanes.h"
#include "crypto/wallet_secp256k1.h"

enum {
    LANES_MIN = 2, /* a round of lanes costs no more than this many one by one */
    AVX512_US = 60,
    AVX2_US = 190, /* two rounds of four */
    SINGLE_US = 45,
};

static void recover_one(xmtp_wallet_recovery *job)
{
    job->is_from_lanes = false;
    job->status =
        xmtp_secp256k1_recover(job->digest, job->signature, job->address, job->normalized);
}

/* False: not for lanes. s is lowered and v is not flipped, as in the single recovery. */
static bool read_signature(xmtp_secp256k1_signature *out, const xmtp_wallet_recovery *job)
{
    int parity;
    if (!xmtp_scalar_read(&out->r, job->signature) || xmtp_scalar_is_zero(&out->r) ||
        !xmtp_scalar_read(&out->s, job->signature + 32) || xmtp_scalar_is_zero(&out->s) ||
        xmtp_secp256k1_parity(job->signature[64], &parity) != XMTP_OK) {
        return false;
    }
    if (xmtp_scalar_is_high(&out->s)) {
        xmtp_scalar_negate(&out->s, &out->s);
    }
    (void)xmtp_scalar_read(&out->z, job->digest); /* modulo n, whatever it is */
    out->is_odd = parity == 1;
    return true;
}

/* Keccak-256 of all, of which only those of good lanes are of use. */
static void hash_points(uint8_t hashes[XMTP_LANES][32], uint8_t points[XMTP_LANES][64])
{
    xmtp_keccak_many k;
    const uint8_t *in[XMTP_LANES];
    uint8_t *out[XMTP_LANES];
    for (size_t i = 0; i < XMTP_LANES; i++) {
        in[i] = points[i];
        out[i] = hashes[i];
    }
    xmtp_keccak256_many_init(&k, XMTP_LANES);
    xmtp_keccak_many_absorb(&k, in, 64);
    xmtp_keccak_many_squeeze(&k, out, 32);
}

static void take(xmtp_wallet_recovery *job, const xmtp_secp256k1_signature *signature,
                 const uint8_t hash[32])
{
    xmtp_secp256k1_hash_address(hash, job->address);
    memcpy(job->normalized, job->signature, 65);
    xmtp_scalar_write(&signature->s, job->normalized + 32);
    job->status = XMTP_OK;
    job->is_from_lanes = true;
}

/* At most eight. */
static void recover_in_lanes(xmtp_wallet_recovery *jobs, size_t count)
{
    static const xmtp_scalar one = {{1}};
    xmtp_secp256k1_signature signatures[XMTP_LANES];
    uint8_t points[XMTP_LANES][64];
    uint8_t hashes[XMTP_LANES][32];
    unsigned wanted = 0;
    for (size_t i = 0; i < XMTP_LANES; i++) {
        if (i < count && read_signature(&signatures[i], &jobs[i])) {
            wanted |= 1U << i;
        } else {
            signatures[i] = (xmtp_secp256k1_signature){.r = one, .s = one}; /* for the inverse */
        }
    }
    const unsigned good =
        wanted == 0 ? 0 : wanted & xmtp_secp256k1_lanes(signatures, points, count);
    if (good != 0) {
        hash_points(hashes, points);
    }
    for (size_t i = 0; i < count; i++) {
        if ((good >> i) & 1) {
            take(&jobs[i], &signatures[i], hashes[i]);
        } else {
            recover_one(&jobs[i]);
        }
    }
}

static void recover_some(void *context, size_t first, size_t count)
{
    xmtp_wallet_recovery *jobs = (xmtp_wallet_recovery *)context + first;
    if (count >= LANES_MIN && xmtp_has_lanes()) {
        recover_in_lanes(jobs, count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        recover_one(&jobs[i]);
    }
}

void xmtp_secp256k1_recover_many(xmtp_wallet_recovery *jobs, size_t count)
{
    static const size_t piece_us[] = {[XMTP_LANES_NONE] = SINGLE_US,
                                      [XMTP_LANES_AVX2] = AVX2_US,
                                      [XMTP_LANES_AVX512] = AVX512_US};
    xmtp_together(&(xmtp_together_work){.count = count,
                                        .piece = xmtp_has_lanes() ? XMTP_LANES : 1,
                                        .piece_us = piece_us[xmtp_lanes_here()],
                                        .step = recover_some,
                                        .context = jobs});
}
