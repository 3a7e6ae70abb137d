/* test_certificate.h - certificates made on the spot, and a TLS client without a socket. */
#ifndef XMTP_RPC_TEST_CERTIFICATE_H
#define XMTP_RPC_TEST_CERTIFICATE_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Writes a self-signed certificate for name and its key (P-256); aborts when that fails. */
static inline void test_certificate_write(const char *certificate_file, const char *key_file,
                                          const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_NAME *subject = X509_get_subject_name(certificate);
    FILE *out = fopen(certificate_file, "w");
    FILE *key_out = fopen(key_file, "w");
    if (key == NULL || out == NULL || key_out == NULL) {
        abort();
    }
    (void)X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    (void)X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    (void)X509_set_pubkey(certificate, key);
    (void)X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1,
                                     -1, 0);
    (void)X509_set_issuer_name(certificate, subject);
    if (X509_sign(certificate, key, EVP_sha256()) == 0 || PEM_write_X509(out, certificate) != 1 ||
        PEM_write_PrivateKey(key_out, key, NULL, NULL, 0, NULL, NULL) != 1) {
        abort();
    }
    (void)fclose(out);
    (void)fclose(key_out);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

/* ---- an authority, and certificates by it */

typedef struct test_authority {
    EVP_PKEY *key;
    X509 *certificate;
} test_authority;

/* What a certificate is made of. NULL names: none; seconds from now. */
typedef struct test_subject {
    const char *common_name;
    const char *names; /* as openssl.cnf has them: "DNS:a.example,IP:127.0.0.1" */
    long from_s;
    long to_s;
} test_subject;

static inline void test_certificate_extend(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    if (extension == NULL || X509_add_ext(certificate, extension, -1) != 1) {
        abort();
    }
    X509_EXTENSION_free(extension);
}

/* By issuer, or by itself when that is NULL; an authority when it is called so. */
static inline X509 *test_certificate_make(EVP_PKEY *key, const test_authority *issuer,
                                          const test_subject *subject, bool is_authority)
{
    static long serial;
    X509 *c = X509_new();
    X509_NAME *name = X509_get_subject_name(c);
    const char *constraint = is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE";
    (void)X509_set_version(c, X509_VERSION_3);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(c), ++serial);
    (void)X509_gmtime_adj(X509_getm_notBefore(c), subject->from_s);
    (void)X509_gmtime_adj(X509_getm_notAfter(c), subject->to_s);
    (void)X509_set_pubkey(c, key);
    (void)X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                     (const unsigned char *)subject->common_name, -1, -1, 0);
    (void)X509_set_issuer_name(c,
                               issuer == NULL ? name : X509_get_subject_name(issuer->certificate));
    test_certificate_extend(c, NID_basic_constraints, constraint);
    if (subject->names != NULL) {
        test_certificate_extend(c, NID_subject_alt_name, subject->names);
    }
    if (X509_sign(c, issuer == NULL ? key : issuer->key, EVP_sha256()) == 0) {
        abort();
    }
    return c;
}

static inline void test_pem_write(const char *file, X509 *certificate, EVP_PKEY *key)
{
    FILE *out = fopen(file, "w");
    bool is_written =
        out != NULL &&
        (certificate != NULL ? PEM_write_X509(out, certificate)
                             : PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL)) == 1;
    if (!is_written || fclose(out) != 0) {
        abort();
    }
}

static inline test_authority test_authority_make(const char *common_name)
{
    const test_subject subject = {.common_name = common_name, .from_s = -60, .to_s = 3600};
    test_authority a = {.key = EVP_EC_gen("P-256")};
    a.certificate = test_certificate_make(a.key, NULL, &subject, true);
    return a;
}

static inline void test_authority_free(test_authority *a)
{
    X509_free(a->certificate);
    EVP_PKEY_free(a->key);
}

/* A certificate by issuer (NULL: by itself) and its key into two files. */
static inline void test_authority_issue(const test_authority *issuer, const char *certificate_file,
                                        const char *key_file, const test_subject *subject)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = test_certificate_make(key, issuer, subject, false);
    test_pem_write(certificate_file, certificate, NULL);
    test_pem_write(key_file, NULL, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

/* A client that trusts everybody and offers these protocols (ALPN's form); NULL: none. */
static inline SSL *test_tls_client(SSL_CTX *context, const char *alpn)
{
    SSL *ssl = SSL_new(context);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl);
    if (alpn != NULL &&
        SSL_set_alpn_protos(ssl, (const unsigned char *)alpn, (unsigned)strlen(alpn)) != 0) {
        abort();
    }
    return ssl;
}

/* The common name of the certificate that the server showed; "" when there is none. */
static inline void test_tls_peer_name(SSL *ssl, char out[64])
{
    X509 *certificate = SSL_get1_peer_certificate(ssl);
    out[0] = '\0';
    if (certificate != NULL) {
        (void)X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, out,
                                        64);
        X509_free(certificate);
    }
}

#endif
