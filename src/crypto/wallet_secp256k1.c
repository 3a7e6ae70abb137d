/* wallet_secp256k1.c - signatures of Ethereum wallets by libsecp256k1.
 *
 * A signature is r || s || v, 32 + 32 + 1 bytes. From it and the digest the public key follows, and
 * from that the address: the last 20 bytes of Keccak-256(X || Y).
 *
 * libsecp256k1 runs in constant time over secrets. Its context is made once, blinded with fresh
 * randomness, and only read afterwards, which is safe from every thread.
 */
#include "crypto/wallet_secp256k1.h"

#include "base/bytes.h"
#include "base/status.h"
#include "crypto/sodium_ready.h"

#include <pthread.h>
#include <secp256k1_recovery.h>
#include <sodium.h>
#include <stdlib.h>

static secp256k1_context *shared_context;

static void create_context(void)
{
    xmtp_sodium_ready();
    shared_context = secp256k1_context_create(SECP256K1_CONTEXT_SIGN | SECP256K1_CONTEXT_VERIFY);
    uint8_t blinding[32]; /* changes no output, so it need not come from the caller's randomness */
    randombytes_buf(blinding, sizeof blinding);
    if (shared_context == NULL || secp256k1_context_randomize(shared_context, blinding) != 1) {
        abort(); /* no memory for the first 1 KB of the process */
    }
    xmtp_wipe(blinding, sizeof blinding);
}

static const secp256k1_context *context(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, create_context);
    return shared_context;
}

void xmtp_secp256k1_hash_address(const uint8_t hash[32], char address[43])
{
    address[0] = '0';
    address[1] = 'x';
    xmtp_hex_encode(address + 2, xmtp_bytes_of(hash + 12, 20));
}

static void address_of(const secp256k1_pubkey *key, char address[43])
{
    uint8_t point[65]; /* 04 || X || Y */
    size_t n = sizeof point;
    (void)secp256k1_ec_pubkey_serialize(context(), point, &n, key, SECP256K1_EC_UNCOMPRESSED);
    uint8_t hash[32];
    xmtp_keccak256(xmtp_bytes_of(point + 1, 64), hash);
    xmtp_secp256k1_hash_address(hash, address);
}

xmtp_status xmtp_secp256k1_address(const uint8_t sk[32], char address[43])
{
    secp256k1_pubkey key;
    XMTP_ENSURE(secp256k1_ec_pubkey_create(context(), &key, sk) == 1, XMTP_E_KEY);
    address_of(&key, address);
    return XMTP_OK;
}

xmtp_status xmtp_secp256k1_sign(const uint8_t sk[32], const uint8_t digest[32],
                                uint8_t signature[65])
{
    XMTP_ENSURE(secp256k1_ec_seckey_verify(context(), sk) == 1, XMTP_E_KEY);
    secp256k1_ecdsa_recoverable_signature recoverable;
    XMTP_ENSURE(secp256k1_ecdsa_sign_recoverable(context(), &recoverable, digest, sk,
                                                 secp256k1_nonce_function_rfc6979, NULL) == 1,
                XMTP_E_CRYPTO);
    int parity = 0;
    (void)secp256k1_ecdsa_recoverable_signature_serialize_compact(context(), signature, &parity,
                                                                  &recoverable);
    /* Parities 2 and 3 say that r overflowed the group order: one signature in 2^128. */
    XMTP_ENSURE(parity == 0 || parity == 1, XMTP_E_CRYPTO);
    signature[64] = (uint8_t)(27 + parity);
    return XMTP_OK;
}

xmtp_status xmtp_secp256k1_parity(uint8_t v, int *parity)
{
    if (v == 0 || v == 1) {
        *parity = v;
    } else if (v == 27 || v == 28) {
        *parity = v - 27;
    } else if (v >= 35) {
        *parity = (v - 35) % 2;
    } else {
        return XMTP_E_SIGNATURE;
    }
    return XMTP_OK;
}

/* Replaces s by n - s where that is lower, with the range check of r and s (zero is left for the
 * recovery to refuse). */
static xmtp_status lower_s(const uint8_t signature[65], uint8_t normalized[65])
{
    secp256k1_ecdsa_signature parsed;
    XMTP_ENSURE(secp256k1_ecdsa_signature_parse_compact(context(), &parsed, signature) == 1,
                XMTP_E_SIGNATURE);
    (void)secp256k1_ecdsa_signature_normalize(context(), &parsed, &parsed);
    (void)secp256k1_ecdsa_signature_serialize_compact(context(), normalized, &parsed);
    normalized[64] = signature[64];
    return XMTP_OK;
}

/* XMTP: v is not flipped when s is lowered (identity.md 3.3), as the official code does. A high s
 * with its original v therefore recovers the signer, a correctly malleated signature somebody else.
 */
static xmtp_status recover(const uint8_t digest[32], const uint8_t signature[65],
                           secp256k1_pubkey *key, uint8_t normalized[65])
{
    XMTP_TRY(lower_s(signature, normalized));
    int parity = 0;
    XMTP_TRY(xmtp_secp256k1_parity(signature[64], &parity));
    secp256k1_ecdsa_recoverable_signature recoverable;
    XMTP_ENSURE(secp256k1_ecdsa_recoverable_signature_parse_compact(context(), &recoverable,
                                                                    normalized, parity) == 1,
                XMTP_E_SIGNATURE);
    XMTP_ENSURE(secp256k1_ecdsa_recover(context(), key, &recoverable, digest) == 1,
                XMTP_E_SIGNATURE);
    return XMTP_OK;
}

xmtp_status xmtp_secp256k1_recover(const uint8_t digest[32], const uint8_t signature[65],
                                   char address[43], uint8_t normalized[65])
{
    secp256k1_pubkey key;
    xmtp_status status = recover(digest, signature, &key, normalized);
    if (status != XMTP_OK) {
        memset(normalized, 0, 65);
        return status;
    }
    address_of(&key, address);
    return XMTP_OK;
}
