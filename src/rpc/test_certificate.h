/* test_certificate.h - certificates made on the spot, and a TLS client without a socket. */
#ifndef XMTP_RPC_TEST_CERTIFICATE_H
#define XMTP_RPC_TEST_CERTIFICATE_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
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
