/* dhkem.c - the key derivation of a DHKEM, RFC 9180 sections 4.1 and 7.1.3, over any curve.
 *
 *     dkp_prk       = LabeledExtract("", "dkp_prk", ikm)
 *     sk            = LabeledExpand(dkp_prk, "sk", "")                     X25519 and X448
 *     shared_secret = LabeledExpand(LabeledExtract("", "eae_prk", dh), "shared_secret", enc || pk)
 */
#include "crypto/dhkem.h"

#include "base/bytes.h"
#include "base/status.h"

static const xmtp_bytes empty = {.p = NULL, .n = 0};

void xmtp_dhkem_dkp_prk(const xmtp_dhkem *kem, xmtp_bytes ikm, xmtp_secret *dkp_prk)
{
    xmtp_labeled_extract(kem->hash, &kem->suite_id, empty, "dkp_prk", ikm, dkp_prk);
}

xmtp_status xmtp_dhkem_derive_sk(const xmtp_dhkem *kem, xmtp_bytes ikm, uint8_t *sk)
{
    xmtp_secret dkp_prk;
    xmtp_dhkem_dkp_prk(kem, ikm, &dkp_prk);
    xmtp_status status = xmtp_labeled_expand(kem->hash, &kem->suite_id, xmtp_secret_bytes(&dkp_prk),
                                             "sk", empty, sk, kem->sk_len);
    xmtp_secret_wipe(&dkp_prk);
    return status;
}

xmtp_status xmtp_dhkem_shared_secret(const xmtp_dhkem *kem, const uint8_t *dh, const uint8_t *enc,
                                     const uint8_t *pk, uint8_t *ss)
{
    uint8_t kem_context[2 * XMTP_DHKEM_PK_MAX];
    memcpy(kem_context, enc, kem->pk_len);
    memcpy(kem_context + kem->pk_len, pk, kem->pk_len);
    xmtp_secret eae_prk;
    xmtp_labeled_extract(kem->hash, &kem->suite_id, empty, "eae_prk",
                         xmtp_bytes_of(dh, kem->dh_len), &eae_prk);
    xmtp_status status =
        xmtp_labeled_expand(kem->hash, &kem->suite_id, xmtp_secret_bytes(&eae_prk), "shared_secret",
                            xmtp_bytes_of(kem_context, 2 * kem->pk_len), ss, kem->ss_len);
    xmtp_secret_wipe(&eae_prk);
    return status;
}
