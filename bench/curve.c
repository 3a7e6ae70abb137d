/* curve.c - what Curve25519 costs: agreements, public keys, signatures and their verification, one alone and
 * eight together, and one by a key that has signed often. Arguments and output: each.h.
 */
#include "each.h"

#include "crypto/ed25519_known.h"
#include "crypto/x25519_base.h"
#include "crypto/x25519_pairs.h"

enum { EIGHT = 8, MESSAGE_LEN = 300 };

static const xmtp_signature *const signature = &xmtp_signature_ed25519;

static uint8_t sk[EIGHT][32];
static uint8_t pk[EIGHT][32];
static uint8_t signer[EIGHT][32];
static uint8_t signatures[EIGHT][64];
static uint8_t message[MESSAGE_LEN];
static const uint8_t *points[EIGHT];

static void agree(size_t count)
{
    uint8_t out[EIGHT][32];
    xmtp_x25519_points(sk[0], points, out, count);
}

static void make_keys(size_t count)
{
    const uint8_t *from[EIGHT];
    uint8_t *to[EIGHT];
    for (size_t i = 0; i < count; i++) {
        from[i] = sk[i];
        to[i] = pk[i];
    }
    xmtp_x25519_base_many(from, to, count);
}

static void sign(size_t count)
{
    size_t n;
    for (size_t i = 0; i < count; i++) {
        price_must(signature->sign(sk[i], signer[i], xmtp_bytes_of(message, sizeof message),
                                   signatures[i], &n));
    }
}

static void verify(size_t count)
{
    xmtp_signature_check checks[EIGHT];
    for (size_t i = 0; i < count; i++) {
        checks[i] = (xmtp_signature_check){.pk = xmtp_bytes_of(signer[i], 32),
                                           .message = xmtp_bytes_of(message, sizeof message),
                                           .signature = xmtp_bytes_of(signatures[i], 64)};
    }
    xmtp_signature_verify_many(signature, checks, count);
    for (size_t i = 0; i < count; i++) {
        price_must(checks[i].verdict);
    }
}

int main(int argc, char **argv)
{
    each_begin(argc, argv, "Curve25519, us of CPU for each");
    for (size_t i = 0; i < EIGHT; i++) {
        memset(sk[i], (int)i + 1, sizeof sk[i]);
        points[i] = pk[i];
        price_must(signature->public_key(sk[i], signer[i]));
    }
    make_keys(EIGHT);
    sign(EIGHT);
    each_measure("X25519, one key and a point", agree, 1);
    each_measure("X25519, one key and eight points", agree, EIGHT);
    each_measure("public key of X25519", make_keys, 1);
    each_measure("public key of X25519", make_keys, EIGHT);
    each_measure("signature of Ed25519", sign, 1);
    each_measure("verification of Ed25519, a known key", verify, 1);
    xmtp_ed25519_know_none(true);
    each_measure("verification of Ed25519", verify, 1);
    each_measure("verification of Ed25519", verify, EIGHT);
    return 0;
}
