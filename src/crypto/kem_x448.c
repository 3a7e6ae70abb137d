/* kem_x448.c - DHKEM(X448, HKDF-SHA512) of RFC 9180 section 4.1, by OpenSSL.
 *
 *     encap   enc = X448(e, 5)    dh = X448(e, pk)
 *     decap                       dh = X448(sk, enc)
 *     shared_secret = ExtractAndExpand(dh, enc || pk)
 *
 * OpenSSL refuses an all-zero dh (RFC 9180 section 7.1.4), which a point of small order would give.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "crypto/curve448.h"
#include "crypto/dhkem.h"

#include <openssl/err.h>

enum { KEY_LEN = 56 };

static const char algorithm[] = "X448";

static const xmtp_dhkem dhkem = {.suite_id = {.n = 5, .p = {'K', 'E', 'M', 0x00, 0x21}},
                                 .hash = &xmtp_hash_sha512,
                                 .dh_len = KEY_LEN,
                                 .pk_len = KEY_LEN,
                                 .sk_len = KEY_LEN,
                                 .ss_len = 64};

static xmtp_status x448_public_key(const uint8_t *sk, uint8_t *pk)
{
    return xmtp_curve448_public_key(algorithm, sk, pk, KEY_LEN);
}

static xmtp_status x448_derive_key_pair(xmtp_bytes ikm, uint8_t *sk, uint8_t *pk)
{
    XMTP_TRY(xmtp_dhkem_derive_sk(&dhkem, ikm, sk));
    return x448_public_key(sk, pk);
}

/* dh = X448(own, theirs). */
static xmtp_status multiply(EVP_PKEY *own, const uint8_t *theirs, uint8_t *dh)
{
    EVP_PKEY *peer = xmtp_curve448_key(algorithm, NULL, theirs, KEY_LEN);
    XMTP_ENSURE(peer != NULL, XMTP_E_KEY);
    size_t n = KEY_LEN;
    (void)ERR_set_mark();
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
    bool is_ready = context != NULL && EVP_PKEY_derive_init(context) == 1 &&
                    EVP_PKEY_derive_set_peer_ex(context, peer, 0) == 1;
    bool ok = is_ready && EVP_PKEY_derive(context, dh, &n) == 1 && n == KEY_LEN;
    (void)ERR_pop_to_mark();
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(peer);
    XMTP_ENSURE(is_ready, XMTP_E_CRYPTO);
    return ok ? XMTP_OK : XMTP_E_KEY;
}

static xmtp_status encap_with(EVP_PKEY *e, const uint8_t *pk, uint8_t *enc, uint8_t *ss)
{
    uint8_t e_public[KEY_LEN];
    uint8_t dh[KEY_LEN];
    size_t n = KEY_LEN;
    XMTP_ENSURE(EVP_PKEY_get_raw_public_key(e, e_public, &n) == 1, XMTP_E_CRYPTO);
    xmtp_status status = multiply(e, pk, dh);
    if (status == XMTP_OK) {
        status = xmtp_dhkem_shared_secret(&dhkem, dh, e_public, pk, ss);
    }
    if (status == XMTP_OK) {
        memcpy(enc, e_public, KEY_LEN);
    }
    xmtp_wipe(dh, sizeof dh);
    return status;
}

/* The seed is the ephemeral private key itself: any 56 bytes are one. */
static xmtp_status x448_encap(const uint8_t *pk, const uint8_t *seed, uint8_t *enc, uint8_t *ss)
{
    EVP_PKEY *e = xmtp_curve448_key(algorithm, seed, NULL, KEY_LEN);
    XMTP_ENSURE(e != NULL, XMTP_E_NOMEM);
    xmtp_status status = encap_with(e, pk, enc, ss);
    EVP_PKEY_free(e);
    return status;
}

static xmtp_status x448_decap(const uint8_t *sk, const uint8_t *pk, const uint8_t *enc, uint8_t *ss)
{
    uint8_t own_pk[KEY_LEN];
    if (pk == NULL) {
        XMTP_TRY(x448_public_key(sk, own_pk));
        pk = own_pk;
    }
    EVP_PKEY *own = xmtp_curve448_key(algorithm, sk, pk, KEY_LEN);
    XMTP_ENSURE(own != NULL, XMTP_E_NOMEM);
    uint8_t dh[KEY_LEN];
    xmtp_status status = multiply(own, enc, dh);
    EVP_PKEY_free(own);
    if (status == XMTP_OK) {
        status = xmtp_dhkem_shared_secret(&dhkem, dh, enc, pk, ss);
    }
    xmtp_wipe(dh, sizeof dh);
    return status;
}

const xmtp_kem xmtp_kem_x448 = {
    .name = "DHKEM(X448, HKDF-SHA512)",
    .id = 0x0021,
    .sk_len = KEY_LEN,
    .pk_len = KEY_LEN,
    .enc_len = KEY_LEN,
    .ss_len = 64,
    .seed_len = KEY_LEN,
    .derive_key_pair = x448_derive_key_pair,
    .public_key = x448_public_key,
    .encap = x448_encap,
    .decap = x448_decap,
};
