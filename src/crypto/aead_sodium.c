/* aead_sodium.c - ChaCha20-Poly1305 of RFC 8439 by libsodium. */
#include "base/bytes.h"
#include "base/status.h"
#include "crypto/crypto.h"
#include "crypto/sodium_ready.h"

#include <sodium.h>

enum { TAG_LEN = crypto_aead_chacha20poly1305_ietf_ABYTES };

static xmtp_status chacha_seal(const uint8_t *key, const uint8_t *nonce, xmtp_bytes aad,
                               xmtp_bytes plaintext, uint8_t *out)
{
    XMTP_ENSURE(plaintext.n <= crypto_aead_chacha20poly1305_ietf_MESSAGEBYTES_MAX, XMTP_E_LENGTH);
    xmtp_sodium_ready();
    int failed = crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plaintext.p, plaintext.n,
                                                           aad.p, aad.n, NULL, nonce, key);
    return failed ? XMTP_E_CRYPTO : XMTP_OK;
}

static xmtp_status chacha_open(const uint8_t *key, const uint8_t *nonce, xmtp_bytes aad,
                               xmtp_bytes ciphertext, uint8_t *out)
{
    XMTP_ENSURE(ciphertext.n >= TAG_LEN, XMTP_E_LENGTH);
    xmtp_sodium_ready();
    uint8_t none = 0; /* libsodium takes a null out for a dry run */
    uint8_t *to = ciphertext.n == TAG_LEN ? &none : out;
    if (crypto_aead_chacha20poly1305_ietf_decrypt(to, NULL, NULL, ciphertext.p, ciphertext.n, aad.p,
                                                  aad.n, nonce, key) != 0) {
        xmtp_wipe(out, ciphertext.n - TAG_LEN);
        return XMTP_E_AUTH;
    }
    return XMTP_OK;
}

const xmtp_aead xmtp_aead_chacha20poly1305 = {
    .name = "ChaCha20-Poly1305",
    .id = 0x0003,
    .key_len = 32,
    .nonce_len = 12,
    .tag_len = TAG_LEN,
    .seal = chacha_seal,
    .open = chacha_open,
};
