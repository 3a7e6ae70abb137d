/* wallets.c - fuzz target: wallets recovered together must be what the single recovery says, whatever their
 * signatures are; and where there are lanes, they must have found all that there are.
 *
 * The input is a list of entries of 97 bytes: a kind, and three numbers of 32 bytes,
 *     0   digest, r, s                          with v in the kind
 *     1   private key, digest                   signed, then with the first bits of the third number wrong
 *     2   k, a, b                               so that [a]R + [b]G comes out, with R = [k]G
 */
#include "base/bytes.h"
#include "crypto/crypto.h"
#include "crypto/lanes.h"

#include <secp256k1.h>
#include <stdlib.h>

enum { ENTRY_LEN = 97, ENTRIES_MAX = 17 };

typedef struct entry {
    uint8_t digest[32];
    uint8_t signature[65];
    char address[43];
    uint8_t normalized[65];
} entry;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const secp256k1_context *context(void)
{
    static secp256k1_context *made;
    if (made == NULL) {
        made = secp256k1_context_create(SECP256K1_CONTEXT_SIGN);
    }
    return made;
}

static void fill_signed(entry *e, const uint8_t *numbers)
{
    memcpy(e->digest, numbers + 32, 32);
    if (xmtp_secp256k1_sign(numbers, e->digest, e->signature) != XMTP_OK) {
        memset(e->signature, 1, sizeof e->signature);
    }
    e->signature[numbers[64] % 65] ^= numbers[65];
}

/* s = a r and z = -b r; what libsecp256k1 does not take for a scalar stays as it is. */
static void fill_composed(entry *e, const uint8_t *numbers)
{
    secp256k1_pubkey key;
    uint8_t point[65] = {0};
    size_t n = sizeof point;
    if (secp256k1_ec_pubkey_create(context(), &key, numbers) == 1) {
        (void)secp256k1_ec_pubkey_serialize(context(), point, &n, &key, SECP256K1_EC_UNCOMPRESSED);
    }
    memcpy(e->signature, point + 1, 32);
    memcpy(e->signature + 32, numbers + 32, 32);
    memcpy(e->digest, numbers + 64, 32);
    e->signature[64] = point[64] & 1;
    (void)!secp256k1_ec_seckey_tweak_mul(context(), e->signature + 32, e->signature);
    (void)!secp256k1_ec_seckey_tweak_mul(context(), e->digest, e->signature);
    (void)!secp256k1_ec_seckey_negate(context(), e->digest);
}

static void fill(entry *e, const uint8_t in[ENTRY_LEN])
{
    *e = (entry){.address = "?", .normalized = {0xee}};
    switch (in[0] % 3) {
    case 0:
        memcpy(e->digest, in + 1, 32);
        memcpy(e->signature, in + 33, 64);
        e->signature[64] = in[0] / 3;
        break;
    case 1:
        fill_signed(e, in + 1);
        break;
    default:
        fill_composed(e, in + 1);
        break;
    }
}

static void must(bool is_so)
{
    if (!is_so) {
        abort();
    }
}

static void compare(const xmtp_wallet_recovery *job, bool must_be_from_lanes)
{
    entry alone = {.address = "?", .normalized = {0xee}};
    const xmtp_status status =
        xmtp_secp256k1_recover(job->digest, job->signature, alone.address, alone.normalized);
    must(job->status == status);
    must(memcmp(job->address, alone.address, sizeof alone.address) == 0);
    must(memcmp(job->normalized, alone.normalized, sizeof alone.normalized) == 0);
    must(job->is_from_lanes == (must_be_from_lanes && status == XMTP_OK));
}

/* What is short of eight is made of the entries there are, with other digests: so that all lanes have work. */
static size_t fill_all(entry entries[ENTRIES_MAX], const uint8_t *data, size_t n)
{
    const size_t given = n / ENTRY_LEN < ENTRIES_MAX ? n / ENTRY_LEN : ENTRIES_MAX;
    const size_t count = given == 0 || given >= XMTP_LANES ? given : XMTP_LANES;
    for (size_t i = 0; i < count; i++) {
        fill(&entries[i], data + i % given * ENTRY_LEN);
        entries[i].digest[31] ^= (uint8_t)(i / given);
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    entry entries[ENTRIES_MAX];
    xmtp_wallet_recovery jobs[ENTRIES_MAX];
    const size_t count = fill_all(entries, data, n);
    for (size_t i = 0; i < count; i++) {
        entry *e = &entries[i];
        jobs[i] = (xmtp_wallet_recovery){.digest = e->digest,
                                         .signature = e->signature,
                                         .address = e->address,
                                         .normalized = e->normalized};
    }
    xmtp_secp256k1_recover_many(jobs, count);
    for (size_t i = 0; i < count; i++) {
        const bool is_last_alone = i == count - 1 && i % XMTP_LANES == 0;
        compare(&jobs[i], xmtp_has_lanes() && !is_last_alone);
    }
    return 0;
}
