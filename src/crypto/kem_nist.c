/* kem_nist.c - DHKEM over P-256, P-384 and P-521, RFC 9180 sections 4.1 and 7.1.3.
 *
 *     encap   (e, enc) = DeriveKeyPair(seed)    dh = x(e * pk)
 *     decap                                     dh = x(sk * enc)
 *     shared_secret = ExtractAndExpand(dh, enc || pk)
 *
 * DeriveKeyPair tries candidates until one is below the group order. The first one is, but for one
 * ikm in 2^32 (P-256) and less; how often it tried says nothing about the key that it found.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "crypto/dhkem.h"
#include "crypto/nist_curve.h"

typedef struct nist_kem {
    xmtp_dhkem dhkem;
    const xmtp_nist_curve *curve;
} nist_kem;

static const nist_kem p256 = {.dhkem = {.suite_id = {.n = 5, .p = {'K', 'E', 'M', 0x00, 0x10}},
                                        .hash = &xmtp_hash_sha256,
                                        .dh_len = 32,
                                        .pk_len = 65,
                                        .sk_len = 32,
                                        .ss_len = 32},
                              .curve = &xmtp_nist_p256};

static const nist_kem p384 = {.dhkem = {.suite_id = {.n = 5, .p = {'K', 'E', 'M', 0x00, 0x11}},
                                        .hash = &xmtp_hash_sha384,
                                        .dh_len = 48,
                                        .pk_len = 97,
                                        .sk_len = 48,
                                        .ss_len = 48},
                              .curve = &xmtp_nist_p384};

static const nist_kem p521 = {.dhkem = {.suite_id = {.n = 5, .p = {'K', 'E', 'M', 0x00, 0x12}},
                                        .hash = &xmtp_hash_sha512,
                                        .dh_len = 66,
                                        .pk_len = 133,
                                        .sk_len = 66,
                                        .ss_len = 64},
                              .curve = &xmtp_nist_p521};

/* The candidate of section 7.1.3; the order has fewer bits than its bytes for P-521 only. */
static xmtp_status candidate(const nist_kem *kem, const xmtp_secret *dkp_prk, uint8_t counter,
                             uint8_t *sk)
{
    const xmtp_dhkem *d = &kem->dhkem;
    XMTP_TRY(xmtp_labeled_expand(d->hash, &d->suite_id, xmtp_secret_bytes(dkp_prk), "candidate",
                                 xmtp_bytes_of(&counter, 1), sk, d->sk_len));
    sk[0] &= (uint8_t)(0xff >> (8 * (int)d->sk_len - kem->curve->bits));
    return XMTP_OK;
}

static xmtp_status derive_key_pair(const nist_kem *kem, xmtp_bytes ikm, uint8_t *sk, uint8_t *pk)
{
    xmtp_secret dkp_prk;
    xmtp_dhkem_dkp_prk(&kem->dhkem, ikm, &dkp_prk);
    xmtp_status status = XMTP_E_KEY; /* DeriveKeyPairError: 255 bad candidates never happen */
    bool is_found = false;
    for (unsigned counter = 0; counter < 256 && !is_found; counter++) {
        status = candidate(kem, &dkp_prk, (uint8_t)counter, sk);
        if (status != XMTP_OK) {
            break;
        }
        is_found = xmtp_nist_is_scalar(kem->curve, sk);
    }
    xmtp_secret_wipe(&dkp_prk);
    if (status == XMTP_OK) {
        status = is_found ? xmtp_nist_public_key(kem->curve, sk, pk) : XMTP_E_KEY;
    }
    if (status != XMTP_OK) {
        xmtp_wipe(sk, kem->dhkem.sk_len);
    }
    return status;
}

static xmtp_status encap(const nist_kem *kem, const uint8_t *pk, const uint8_t *seed, uint8_t *enc,
                         uint8_t *ss)
{
    uint8_t e[XMTP_NIST_SCALAR_MAX];
    uint8_t e_public[XMTP_NIST_POINT_MAX];
    uint8_t dh[XMTP_NIST_SCALAR_MAX];
    xmtp_status status = derive_key_pair(kem, xmtp_bytes_of(seed, kem->dhkem.sk_len), e, e_public);
    if (status == XMTP_OK) {
        status = xmtp_nist_dh(kem->curve, e, pk, dh);
    }
    if (status == XMTP_OK) {
        status = xmtp_dhkem_shared_secret(&kem->dhkem, dh, e_public, pk, ss);
    }
    if (status == XMTP_OK) {
        memcpy(enc, e_public, kem->dhkem.pk_len);
    }
    xmtp_wipe(e, sizeof e);
    xmtp_wipe(dh, sizeof dh);
    return status;
}

static xmtp_status decap(const nist_kem *kem, const uint8_t *sk, const uint8_t *pk,
                         const uint8_t *enc, uint8_t *ss)
{
    uint8_t own_pk[XMTP_NIST_POINT_MAX];
    if (pk == NULL) {
        XMTP_TRY(xmtp_nist_public_key(kem->curve, sk, own_pk));
        pk = own_pk;
    }
    uint8_t dh[XMTP_NIST_SCALAR_MAX];
    xmtp_status status = xmtp_nist_dh(kem->curve, sk, enc, dh);
    if (status == XMTP_OK) {
        status = xmtp_dhkem_shared_secret(&kem->dhkem, dh, enc, pk, ss);
    }
    xmtp_wipe(dh, sizeof dh);
    return status;
}

/* ---- one set of functions for each curve ---- */

static xmtp_status p256_derive_key_pair(xmtp_bytes ikm, uint8_t *sk, uint8_t *pk)
{
    return derive_key_pair(&p256, ikm, sk, pk);
}

static xmtp_status p256_public_key(const uint8_t *sk, uint8_t *pk)
{
    return xmtp_nist_public_key(&xmtp_nist_p256, sk, pk);
}

static xmtp_status p256_encap(const uint8_t *pk, const uint8_t *seed, uint8_t *enc, uint8_t *ss)
{
    return encap(&p256, pk, seed, enc, ss);
}

static xmtp_status p256_decap(const uint8_t *sk, const uint8_t *pk, const uint8_t *enc, uint8_t *ss)
{
    return decap(&p256, sk, pk, enc, ss);
}

static xmtp_status p384_derive_key_pair(xmtp_bytes ikm, uint8_t *sk, uint8_t *pk)
{
    return derive_key_pair(&p384, ikm, sk, pk);
}

static xmtp_status p384_public_key(const uint8_t *sk, uint8_t *pk)
{
    return xmtp_nist_public_key(&xmtp_nist_p384, sk, pk);
}

static xmtp_status p384_encap(const uint8_t *pk, const uint8_t *seed, uint8_t *enc, uint8_t *ss)
{
    return encap(&p384, pk, seed, enc, ss);
}

static xmtp_status p384_decap(const uint8_t *sk, const uint8_t *pk, const uint8_t *enc, uint8_t *ss)
{
    return decap(&p384, sk, pk, enc, ss);
}

static xmtp_status p521_derive_key_pair(xmtp_bytes ikm, uint8_t *sk, uint8_t *pk)
{
    return derive_key_pair(&p521, ikm, sk, pk);
}

static xmtp_status p521_public_key(const uint8_t *sk, uint8_t *pk)
{
    return xmtp_nist_public_key(&xmtp_nist_p521, sk, pk);
}

static xmtp_status p521_encap(const uint8_t *pk, const uint8_t *seed, uint8_t *enc, uint8_t *ss)
{
    return encap(&p521, pk, seed, enc, ss);
}

static xmtp_status p521_decap(const uint8_t *sk, const uint8_t *pk, const uint8_t *enc, uint8_t *ss)
{
    return decap(&p521, sk, pk, enc, ss);
}

const xmtp_kem xmtp_kem_p256 = {
    .name = "DHKEM(P-256, HKDF-SHA256)",
    .id = 0x0010,
    .sk_len = 32,
    .pk_len = 65,
    .enc_len = 65,
    .ss_len = 32,
    .seed_len = 32,
    .derive_key_pair = p256_derive_key_pair,
    .public_key = p256_public_key,
    .encap = p256_encap,
    .decap = p256_decap,
};

const xmtp_kem xmtp_kem_p384 = {
    .name = "DHKEM(P-384, HKDF-SHA384)",
    .id = 0x0011,
    .sk_len = 48,
    .pk_len = 97,
    .enc_len = 97,
    .ss_len = 48,
    .seed_len = 48,
    .derive_key_pair = p384_derive_key_pair,
    .public_key = p384_public_key,
    .encap = p384_encap,
    .decap = p384_decap,
};

const xmtp_kem xmtp_kem_p521 = {
    .name = "DHKEM(P-521, HKDF-SHA512)",
    .id = 0x0012,
    .sk_len = 66,
    .pk_len = 133,
    .enc_len = 133,
    .ss_len = 64,
    .seed_len = 66,
    .derive_key_pair = p521_derive_key_pair,
    .public_key = p521_public_key,
    .encap = p521_encap,
    .decap = p521_decap,
};
