/* signature_ed25519.c - plain Ed25519 of RFC 8032 section 5.1.
 *
 * Where the machine has lanes, keys and signatures are made by ed25519_sign.h, else by libsodium, with
 * the same result. The private key of this house is the 32-byte seed; libsodium wants seed || public
 * key, which is put together on the stack for each signature.
 *
 * Verification is libsodium's, but for signatures that ed25519_known.h accepts: cofactorless, and it
 * refuses keys and R of small order and S not below the group order, the verdicts of the strict
 * verification that the official client uses for MLS.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "crypto/crypto.h"
#include "crypto/ed25519_known.h"
#include "crypto/ed25519_many.h"
#include "crypto/ed25519_sign.h"
#include "crypto/lanes.h"
#include "crypto/sodium_ready.h"

#include <sodium.h>

enum { SEED_LEN = 32, PK_LEN = 32, SIGNATURE_LEN = 64 };

static const xmtp_bytes none = {0}; /* there is no dom */

static xmtp_status public_key_by_libsodium(const uint8_t *sk, uint8_t *pk)
{
    xmtp_sodium_ready();
    uint8_t pair[SEED_LEN + PK_LEN];
    int failed = crypto_sign_ed25519_seed_keypair(pk, pair, sk);
    xmtp_wipe(pair, sizeof pair);
    return failed ? XMTP_E_KEY : XMTP_OK;
}

static xmtp_status sign_by_libsodium(const uint8_t *sk, const uint8_t *pk, xmtp_bytes message,
                                     uint8_t *signature)
{
    xmtp_sodium_ready();
    uint8_t pair[SEED_LEN + PK_LEN];
    memcpy(pair, sk, SEED_LEN);
    memcpy(pair + SEED_LEN, pk, PK_LEN);
    int failed = crypto_sign_ed25519_detached(signature, NULL, message.p, message.n, pair);
    xmtp_wipe(pair, sizeof pair);
    return failed ? XMTP_E_CRYPTO : XMTP_OK;
}

static xmtp_status ed25519_public_key(const uint8_t *sk, uint8_t *pk)
{
    if (xmtp_has_lanes()) {
        xmtp_ed25519_public_key(sk, pk);
        return XMTP_OK;
    }
    return public_key_by_libsodium(sk, pk);
}

/* pk must belong to sk: signing one message under two public keys would reveal sk. */
static xmtp_status ed25519_sign(const uint8_t *sk, const uint8_t *pk, xmtp_bytes message,
                                uint8_t *signature, size_t *signature_len)
{
    XMTP_TRY(xmtp_has_lanes() ? xmtp_ed25519_sign(none, sk, pk, message, signature)
                              : sign_by_libsodium(sk, pk, message, signature));
    *signature_len = SIGNATURE_LEN;
    return XMTP_OK;
}

static xmtp_status ed25519_verify(xmtp_bytes pk, xmtp_bytes message, xmtp_bytes signature)
{
    XMTP_ENSURE(pk.n == PK_LEN, XMTP_E_KEY);
    XMTP_ENSURE(signature.n == SIGNATURE_LEN, XMTP_E_SIGNATURE);
    xmtp_sodium_ready();
    if (xmtp_ed25519_known_verify(pk.p, message, signature.p)) {
        return XMTP_OK;
    }
    int failed = crypto_sign_ed25519_verify_detached(signature.p, message.p, message.n, pk.p);
    return failed ? XMTP_E_SIGNATURE : XMTP_OK;
}

static bool plain_scalar(xmtp_bytes context, const xmtp_signature_check *check, uint8_t k[32])
{
    (void)context;
    xmtp_ed25519_scalar(none, xmtp_bytes_of(check->signature.p, 32), check->pk, check->message, k);
    return true;
}

static xmtp_status plain_verify(xmtp_bytes context, const xmtp_signature_check *check)
{
    (void)context;
    return ed25519_verify(check->pk, check->message, check->signature);
}

static void ed25519_verify_many(xmtp_signature_check *checks, size_t count)
{
    static const xmtp_ed25519_kind kind = {.scalar = plain_scalar, .verify = plain_verify};
    xmtp_sodium_ready();
    xmtp_ed25519_many(&kind, checks, count);
}

const xmtp_signature xmtp_signature_ed25519 = {
    .name = "Ed25519",
    .scheme = 0x0807,
    .sk_len = SEED_LEN,
    .pk_len = PK_LEN,
    .signature_max = SIGNATURE_LEN,
    .public_key = ed25519_public_key,
    .sign = ed25519_sign,
    .verify = ed25519_verify,
    .verify_many = ed25519_verify_many,
};
