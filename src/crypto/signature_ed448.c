/* signature_ed448.c - Ed448 of RFC 8032 section 5.2 (no context, no pre-hash) by OpenSSL.
 *
 * The private key is the 57-byte seed of the RFC.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "crypto/curve448.h"

#include <openssl/err.h>

enum { KEY_LEN = 57, SIGNATURE_LEN = 114 };

static const char algorithm[] = "ED448";

static xmtp_status ed448_public_key(const uint8_t *sk, uint8_t *pk)
{
    return xmtp_curve448_public_key(algorithm, sk, pk, KEY_LEN);
}

/* OpenSSL wants an address even for no bytes. */
static const uint8_t *address_of(xmtp_bytes bytes)
{
    static const uint8_t nothing;
    return bytes.n == 0 ? &nothing : bytes.p;
}

/* pk must belong to sk: signing one message under two public keys would reveal sk. */
static xmtp_status ed448_sign(const uint8_t *sk, const uint8_t *pk, xmtp_bytes message,
                              uint8_t *signature, size_t *signature_len)
{
    EVP_PKEY *key = xmtp_curve448_key(algorithm, sk, pk, KEY_LEN);
    XMTP_ENSURE(key != NULL, XMTP_E_NOMEM);
    size_t n = SIGNATURE_LEN;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
              EVP_DigestSign(context, signature, &n, address_of(message), message.n) == 1 &&
              n == SIGNATURE_LEN;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    XMTP_ENSURE(ok, XMTP_E_CRYPTO);
    *signature_len = n;
    return XMTP_OK;
}

static xmtp_status ed448_verify(xmtp_bytes pk, xmtp_bytes message, xmtp_bytes signature)
{
    XMTP_ENSURE(pk.n == KEY_LEN, XMTP_E_KEY);
    XMTP_ENSURE(signature.n == SIGNATURE_LEN, XMTP_E_SIGNATURE);
    EVP_PKEY *key = xmtp_curve448_key(algorithm, NULL, pk.p, KEY_LEN);
    XMTP_ENSURE(key != NULL, XMTP_E_KEY);
    (void)ERR_set_mark(); /* TLS must not find our refusals */
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_genuine =
        context != NULL && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
        EVP_DigestVerify(context, signature.p, signature.n, address_of(message), message.n) == 1;
    (void)ERR_pop_to_mark();
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return is_genuine ? XMTP_OK : XMTP_E_SIGNATURE;
}

const xmtp_signature xmtp_signature_ed448 = {
    .name = "Ed448",
    .scheme = 0x0808,
    .sk_len = KEY_LEN,
    .pk_len = KEY_LEN,
    .signature_max = SIGNATURE_LEN,
    .public_key = ed448_public_key,
    .sign = ed448_sign,
    .verify = ed448_verify,
};
