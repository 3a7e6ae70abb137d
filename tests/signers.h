/* signers.h - accounts that sign, for tests: with a key at hand, as a wallet elsewhere, as a passkey. */
#ifndef XMTP_TESTS_SIGNERS_H
#define XMTP_TESTS_SIGNERS_H

#include "base/status.h"
#include "crypto/crypto.h"
#include "identity/passkey.h"
#include "test_network.h"

#include <xmtp/identity.h>

static inline xmtp_account_signer wallet_of(const person *p)
{
    return (xmtp_account_signer){.kind = XMTP_ACCOUNT_WALLET, .private_key = p->key};
}

/* A wallet without an inbox. */
static inline void wallet_new(person *p, char address[XMTP_ADDRESS_LEN + 1])
{
    xmtp_wallet wallet;
    person_new_key(p);
    assert_int_equal(xmtp_wallet_parse(p->key, &wallet, NULL), XMTP_OK);
    memcpy(address, wallet.address, XMTP_ADDRESS_LEN + 1);
    xmtp_wallet_wipe(&wallet);
}

/* ---- accounts that sign elsewhere */

typedef struct elsewhere {
    const char *key; /* wallet */
    uint8_t passkey_sk[32];
    uint8_t passkey[65];
    uint8_t signature[XMTP_SIGNATURE_MAX];
    char client_data[4096];
    size_t asked;
} elsewhere;

static inline xmtp_status sign_by_wallet(void *context, const char *text, const char *challenge,
                                         xmtp_account_signature *out)
{
    elsewhere *e = context;
    xmtp_wallet wallet;
    (void)challenge;
    e->asked++;
    assert_memory_equal(text, "XMTP : Authenticate to inbox\n", 29);
    assert_int_equal(xmtp_wallet_parse(e->key, &wallet, NULL), XMTP_OK);
    out->signature = xmtp_bytes_of(e->signature, XMTP_WALLET_SIGNATURE_LEN);
    return xmtp_wallet_sign(&wallet, xmtp_bytes_of_string(text), e->signature);
}

static inline xmtp_status sign_by_passkey(void *context, const char *text, const char *challenge,
                                          xmtp_account_signature *out)
{
    elsewhere *e = context;
    uint8_t message[37 + 32] = {0};
    size_t n;
    (void)text;
    e->asked++;
    (void)snprintf(e->client_data, sizeof(e->client_data),
                   "{\"type\":\"webauthn.get\",\"challenge\":\"%s\",\"origin\":\"https://a\"}",
                   challenge);
    xmtp_hash_of(&xmtp_hash_sha256, xmtp_bytes_of_string(e->client_data), message + 37);
    XMTP_TRY(xmtp_signature_ecdsa_p256.sign(
        e->passkey_sk, e->passkey, xmtp_bytes_of(message, sizeof(message)), e->signature, &n));
    static const uint8_t authenticator[37];
    *out = (xmtp_account_signature){.signature = xmtp_bytes_of(e->signature, n),
                                    .authenticator_data = xmtp_bytes_of(authenticator, 37),
                                    .client_data_json = xmtp_bytes_of_string(e->client_data)};
    return XMTP_OK;
}

static inline void passkey_new(elsewhere *e, char hex[2 * 33 + 1])
{
    memset(e->passkey_sk, 7, sizeof(e->passkey_sk));
    assert_int_equal(xmtp_signature_ecdsa_p256.public_key(e->passkey_sk, e->passkey), XMTP_OK);
    uint8_t compressed[33];
    memcpy(compressed, e->passkey, 33);
    compressed[0] = (uint8_t)(2 + (e->passkey[64] & 1));
    xmtp_hex_encode(hex, xmtp_bytes_of(compressed, 33));
}

#endif
