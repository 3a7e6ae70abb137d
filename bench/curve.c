/* curve.c - what Curve25519 costs: agreements, public keys, signatures and their verification, one alone and
 * eight together; one alone also by a key that was seen often. Arguments and output: each.h.
 */
#include "each.h"

#include "crypto/x25519_base.h"
#include "crypto/x25519_pairs.h"

/* MANY: as often as each comes, the library does not get to know a key */
enum { EIGHT = 8, MESSAGE_LEN = 300, MANY = 64 };

static const xmtp_signature *const signature = &xmtp_signature_ed25519;

static uint8_t sk[EIGHT][32];
static uint8_t pk[EIGHT][32];
static uint8_t signer[EIGHT][32];
static uint8_t signatures[EIGHT][64];
static uint8_t message[MESSAGE_LEN];
static uint8_t many_pk[MANY][32];
static uint8_t many_signatures[MANY][64];
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

static void sign_as_many(void)
{
    for (size_t i = 0; i < MANY; i++) {
        uint8_t key[32];
        size_t n;
        memset(key, (int)(i + 100), sizeof key);
        price_must(signature->public_key(key, many_pk[i]));
        price_must(signature->sign(key, many_pk[i], xmtp_bytes_of(message, sizeof message),
                                   many_signatures[i], &n));
    }
}

/* Each time another key. */
static void verify_others(size_t count)
{
    static size_t turn;
    for (size_t i = 0; i < count; i++) {
        turn = (turn + 1) % MANY;
        price_must(signature->verify(xmtp_bytes_of(many_pk[turn], 32),
                                     xmtp_bytes_of(message, sizeof message),
                                     xmtp_bytes_of(many_signatures[turn], 64)));
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
    sign_as_many();
    each_measure("X25519, one key and a point", agree, 1);
    each_measure("X25519, one key and eight points", agree, EIGHT);
    each_measure("public key of X25519", make_keys, 1);
    each_measure("public key of X25519", make_keys, EIGHT);
    each_measure("signature of Ed25519", sign, 1);
    each_measure("verification of Ed25519, one key again", verify, 1);
    each_measure("verification of Ed25519", verify_others, 1);
    each_measure("verification of Ed25519", verify, EIGHT);
    return 0;
}
