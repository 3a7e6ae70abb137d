/* curve448.c - making OpenSSL's keys for X448 and Ed448 from bytes.
 *
 * OpenSSL exports these curves through EVP only, which looks the algorithm up in its cache at each
 * use: about a microsecond of the several hundred that the curve costs.
 *
 * What OpenSSL says about refused input stays off the thread's error queue, where TLS would find it.
 */
#include "crypto/curve448.h"

#include "base/status.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

EVP_PKEY *xmtp_curve448_key(const char *algorithm, const uint8_t *sk, const uint8_t *pk, size_t n)
{
    OSSL_PARAM params[3];
    size_t count = 0;
    /* The parameters are not written to: they only lack the const. */
    if (sk != NULL) {
        params[count++] =
            OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, (void *)(uintptr_t)sk, n);
    }
    if (pk != NULL) {
        params[count++] =
            OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)pk, n);
    }
    params[count] = OSSL_PARAM_construct_end();
    EVP_PKEY *key = NULL;
    (void)ERR_set_mark();
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, algorithm, NULL);
    if (context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, sk != NULL ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
                          params) != 1) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    EVP_PKEY_CTX_free(context);
    (void)ERR_pop_to_mark();
    return key;
}

xmtp_status xmtp_curve448_public_key(const char *algorithm, const uint8_t *sk, uint8_t *pk,
                                     size_t n)
{
    EVP_PKEY *key = xmtp_curve448_key(algorithm, sk, NULL, n);
    XMTP_ENSURE(key != NULL, XMTP_E_KEY);
    size_t len = n;
    bool ok = EVP_PKEY_get_raw_public_key(key, pk, &len) == 1 && len == n;
    EVP_PKEY_free(key);
    return ok ? XMTP_OK : XMTP_E_CRYPTO;
}
