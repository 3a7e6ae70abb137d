/* test_certificates.h - for tests: certificates made on the spot, by OpenSSL. Include after
 * <cmocka.h>. */
#ifndef XMTP_CRYPTO_TEST_CERTIFICATES_H
#define XMTP_CRYPTO_TEST_CERTIFICATES_H

#include "base/bytes.h"
#include "crypto/crypto.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <stdlib.h>
#include <string.h>

typedef struct test_certificate {
    uint8_t *der;
    size_t n;
} test_certificate;

typedef struct certificate_options {
    const char *subject;
    const char *issuer;
    const char *constraints; /* basicConstraints; NULL: none */
    const char *usage;       /* keyUsage; NULL: none */
    const char *critical;    /* an object id that nobody knows, as critical extension */
    const EVP_MD *digest;    /* NULL for Ed25519 and Ed448 */
    bool breaks_signature;
} certificate_options;

static inline EVP_PKEY *certificate_raw_key(int type, const uint8_t *sk, size_t n)
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(type, NULL, sk, n);
    assert_non_null(key);
    return key;
}

static inline EVP_PKEY *certificate_new_key(int type, const char *curve)
{
    EVP_PKEY *key = type == EVP_PKEY_EC ? EVP_EC_gen(curve) : EVP_PKEY_Q_keygen(NULL, NULL, curve);
    assert_non_null(key);
    return key;
}

static inline void certificate_name(X509_NAME *name, const char *text)
{
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                                (const unsigned char *)text, -1, -1, 0),
                     1);
}

static inline void certificate_extension(X509 *certificate, int nid, const char *value)
{
    if (value == NULL) {
        return;
    }
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(e);
    assert_int_equal(X509_add_ext(certificate, e, -1), 1);
    X509_EXTENSION_free(e);
}

static inline void certificate_unknown(X509 *certificate, const char *oid)
{
    if (oid == NULL) {
        return;
    }
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    ASN1_OCTET_STRING *data = ASN1_OCTET_STRING_new();
    X509_EXTENSION *e = X509_EXTENSION_create_by_OBJ(NULL, object, 1, data);
    assert_non_null(e);
    assert_int_equal(X509_add_ext(certificate, e, -1), 1);
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(data);
    ASN1_OBJECT_free(object);
}

static inline test_certificate certificate_make(EVP_PKEY *subject, EVP_PKEY *issuer,
                                                const certificate_options *o)
{
    test_certificate out = {0};
    X509 *c = X509_new();
    assert_non_null(c);
    X509_set_version(c, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(c), 1);
    ASN1_TIME_set(X509_getm_notBefore(c), 1700000000);
    ASN1_TIME_set(X509_getm_notAfter(c), 2000000000);
    certificate_name(X509_get_subject_name(c), o->subject);
    certificate_name(X509_get_issuer_name(c), o->issuer);
    assert_int_equal(X509_set_pubkey(c, subject), 1);
    certificate_extension(c, NID_basic_constraints, o->constraints);
    certificate_extension(c, NID_key_usage, o->usage);
    certificate_unknown(c, o->critical);
    assert_true(X509_sign(c, issuer, o->digest) > 0);
    int n = i2d_X509(c, &out.der);
    assert_true(n > 0);
    out.n = (size_t)n;
    out.der[out.n - 1] ^= o->breaks_signature;
    X509_free(c);
    return out;
}

#endif
