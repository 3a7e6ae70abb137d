/* x509.c - X.509 certificate chains of credentials (RFC 9420 section 5.3, RFC 5280), by OpenSSL.
 *
 *     chain[0]  end entity: its public key is the member's signature key
 *     chain[1]  signed chain[0]; a certificate authority
 *     ...       whom of them to trust is for the application to know
 *
 * Checked is what the certificates say by themselves: no clock, no list of roots, no revocation.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "crypto/crypto.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

enum { SECURITY_BITS_MIN = 112 };

static bool parse(xmtp_bytes der, X509 **out)
{
    const unsigned char *p = der.p;
    *out = NULL;
    if (der.n == 0 || der.n > XMTP_X509_CERTIFICATE_MAX) {
        return false;
    }
    *out = d2i_X509(NULL, &p, (long)der.n);
    return *out != NULL && p == der.p + der.n;
}

/* Extensions that OpenSSL understood: nothing broken, nothing critical that it does not know. */
static bool is_understood(X509 *certificate)
{
    return (X509_get_extension_flags(certificate) & (EXFLAG_INVALID | EXFLAG_CRITICAL)) == 0;
}

static int key_type_of(const xmtp_signature *signature)
{
    if (signature == &xmtp_signature_ed25519) {
        return EVP_PKEY_ED25519;
    }
    return signature == &xmtp_signature_ed448 ? EVP_PKEY_ED448 : EVP_PKEY_EC;
}

/* The end entity's key in the form that MLS has it. */
static bool has_key(X509 *certificate, const xmtp_signature *signature, xmtp_bytes public_key)
{
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    const int type = key_type_of(signature);
    unsigned char *encoded = NULL;
    size_t n = 0;
    if (key == NULL || EVP_PKEY_get_id(key) != type) {
        return false;
    }
    if (type == EVP_PKEY_EC) {
        n = EVP_PKEY_get1_encoded_public_key(key, &encoded);
    } else if (EVP_PKEY_get_raw_public_key(key, NULL, &n) == 1 && n <= XMTP_SIGNATURE_PK_MAX) {
        encoded = OPENSSL_malloc(n);
        n = encoded != NULL && EVP_PKEY_get_raw_public_key(key, encoded, &n) == 1 ? n : 0;
    }
    bool is_equal =
        n == signature->pk_len && xmtp_bytes_equal(xmtp_bytes_of(encoded, n), public_key);
    OPENSSL_free(encoded);
    return is_equal;
}

static bool may_sign_messages(X509 *certificate)
{
    return (X509_get_key_usage(certificate) & X509v3_KU_DIGITAL_SIGNATURE) != 0;
}

/* below: how many certificates of authorities stand before this one. */
static bool is_authority(X509 *certificate, size_t below)
{
    const long path_len = X509_get_pathlen(certificate);
    return X509_check_ca(certificate) == 1 && (path_len < 0 || (size_t)path_len >= below);
}

/* Neither the digest nor the key may be too weak to mean anything. */
static bool is_strong(X509 *certificate, const EVP_PKEY *issuer_key)
{
    int bits = 0;
    return X509_get_signature_info(certificate, NULL, NULL, &bits, NULL) == 1 &&
           bits >= SECURITY_BITS_MIN && EVP_PKEY_get_security_bits(issuer_key) >= SECURITY_BITS_MIN;
}

static bool is_signed_by(X509 *certificate, X509 *issuer)
{
    EVP_PKEY *key = X509_get0_pubkey(issuer);
    return key != NULL && X509_check_issued(issuer, certificate) == X509_V_OK &&
           is_strong(certificate, key) && X509_verify(certificate, key) == 1;
}

static xmtp_status check(X509 *const *chain, size_t count, const xmtp_signature *signature,
                         xmtp_bytes public_key)
{
    XMTP_ENSURE(has_key(chain[0], signature, public_key), XMTP_E_CERTIFICATE_KEY);
    XMTP_ENSURE(is_understood(chain[0]) && may_sign_messages(chain[0]), XMTP_E_CERTIFICATE);
    for (size_t i = 1; i < count; i++) {
        XMTP_ENSURE(is_understood(chain[i]) && is_authority(chain[i], i - 1), XMTP_E_CERTIFICATE);
        XMTP_ENSURE(is_signed_by(chain[i - 1], chain[i]), XMTP_E_CERTIFICATE);
    }
    return XMTP_OK;
}

xmtp_status xmtp_x509_check_chain(const xmtp_bytes *certificates, size_t count,
                                  const xmtp_signature *signature, xmtp_bytes public_key)
{
    X509 *chain[XMTP_X509_CHAIN_MAX] = {NULL};
    xmtp_status status = XMTP_OK;
    XMTP_ENSURE(count > 0, XMTP_E_CERTIFICATE);
    XMTP_ENSURE(count <= XMTP_X509_CHAIN_MAX, XMTP_E_LIMIT);
    for (size_t i = 0; i < count && status == XMTP_OK; i++) {
        status = parse(certificates[i], &chain[i]) ? XMTP_OK : XMTP_E_CERTIFICATE;
    }
    if (status == XMTP_OK) {
        status = check(chain, count, signature, public_key);
    }
    for (size_t i = 0; i < count; i++) {
        X509_free(chain[i]);
    }
    ERR_clear_error();
    return status;
}
