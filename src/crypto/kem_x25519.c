/* kem_x25519.c - DHKEM(X25519, HKDF-SHA256) of RFC 9180 section 4.1, by libsodium.
 *
 *     encap   enc = X25519(e, 9)    dh = X25519(e, pk)
 *     decap                         dh = X25519(sk, enc)
 *     shared_secret = ExtractAndExpand(dh, enc || pk)
 *
 * libsodium's ladder runs in constant time and reports an all-zero dh (RFC 9180 section 7.1.4),
 * which a point of small order would give: such keys are refused with XMTP_E_KEY.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "crypto/crypto.h"
#include "crypto/hkdf.h"
#include "crypto/sodium_ready.h"

#include <sodium.h>

enum { KEY_LEN = 32 };

static const xmtp_hpke_suite_id kem_suite_id = {.n = 5, .p = {'K', 'E', 'M', 0x00, 0x20}};

static xmtp_status x25519_public_key(const uint8_t *sk, uint8_t *pk)
{
    xmtp_sodium_ready();
    return crypto_scalarmult_curve25519_base(pk, sk) == 0 ? XMTP_OK : XMTP_E_KEY;
}

/* RFC 9180 section 7.1.3. */
static xmtp_status x25519_derive_key_pair(xmtp_bytes ikm, uint8_t *sk, uint8_t *pk)
{
    const xmtp_bytes empty = {.p = NULL, .n = 0};
    xmtp_secret dkp_prk;
    xmtp_labeled_extract(&xmtp_hash_sha256, &kem_suite_id, empty, "dkp_prk", ikm, &dkp_prk);
    xmtp_status status = xmtp_labeled_expand(&xmtp_hash_sha256, &kem_suite_id,
                                             xmtp_secret_bytes(&dkp_prk), "sk", empty, sk, KEY_LEN);
    xmtp_secret_wipe(&dkp_prk);
    XMTP_TRY(status);
    return x25519_public_key(sk, pk);
}

static xmtp_status extract_and_expand(const uint8_t *dh, const uint8_t *enc, const uint8_t *pk,
                                      uint8_t *ss)
{
    uint8_t kem_context[2 * KEY_LEN];
    memcpy(kem_context, enc, KEY_LEN);
    memcpy(kem_context + KEY_LEN, pk, KEY_LEN);
    xmtp_secret eae_prk;
    xmtp_labeled_extract(&xmtp_hash_sha256, &kem_suite_id, xmtp_bytes_of(NULL, 0), "eae_prk",
                         xmtp_bytes_of(dh, KEY_LEN), &eae_prk);
    xmtp_status status = xmtp_labeled_expand(
        &xmtp_hash_sha256, &kem_suite_id, xmtp_secret_bytes(&eae_prk), "shared_secret",
        xmtp_bytes_of(kem_context, sizeof kem_context), ss, 32);
    xmtp_secret_wipe(&eae_prk);
    return status;
}

/* The seed is the ephemeral private key itself: any 32 bytes are one. */
static xmtp_status x25519_encap(const uint8_t *pk, const uint8_t *seed, uint8_t *enc, uint8_t *ss)
{
    xmtp_sodium_ready();
    uint8_t dh[KEY_LEN];
    xmtp_status status = XMTP_E_KEY;
    if (crypto_scalarmult_curve25519(dh, seed, pk) == 0) {
        status = x25519_public_key(seed, enc);
    }
    if (status == XMTP_OK) {
        status = extract_and_expand(dh, enc, pk, ss);
    }
    xmtp_wipe(dh, sizeof dh);
    return status;
}

static xmtp_status x25519_decap(const uint8_t *sk, const uint8_t *pk, const uint8_t *enc,
                                uint8_t *ss)
{
    uint8_t own_pk[KEY_LEN];
    if (pk == NULL) {
        XMTP_TRY(x25519_public_key(sk, own_pk));
        pk = own_pk;
    }
    xmtp_sodium_ready();
    uint8_t dh[KEY_LEN];
    xmtp_status status = XMTP_E_KEY;
    if (crypto_scalarmult_curve25519(dh, sk, enc) == 0) {
        status = extract_and_expand(dh, enc, pk, ss);
    }
    xmtp_wipe(dh, sizeof dh);
    return status;
}

const xmtp_kem xmtp_kem_x25519 = {
    .name = "DHKEM(X25519, HKDF-SHA256)",
    .id = 0x0020,
    .sk_len = KEY_LEN,
    .pk_len = KEY_LEN,
    .enc_len = KEY_LEN,
    .ss_len = 32,
    .seed_len = KEY_LEN,
    .derive_key_pair = x25519_derive_key_pair,
    .public_key = x25519_public_key,
    .encap = x25519_encap,
    .decap = x25519_decap,
};
