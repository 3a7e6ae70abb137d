/* dhkem.h - what every DHKEM of RFC 9180 section 4.1 does around its curve; private to this room. */
#ifndef XMTP_CRYPTO_DHKEM_H
#define XMTP_CRYPTO_DHKEM_H

#include "crypto/hkdf.h"

enum {
    XMTP_DHKEM_DH_MAX = 66,  /* P-521: one coordinate */
    XMTP_DHKEM_PK_MAX = 133, /* P-521: an uncompressed point */
};

typedef struct xmtp_dhkem {
    xmtp_hpke_suite_id suite_id; /* "KEM" || kem_id */
    const xmtp_hash *hash;
    size_t dh_len;
    size_t pk_len; /* also the length of enc */
    size_t sk_len;
    size_t ss_len;
} xmtp_dhkem;

/* dkp_prk of DeriveKeyPair, section 7.1.3. */
void xmtp_dhkem_dkp_prk(const xmtp_dhkem *kem, xmtp_bytes ikm, xmtp_secret *dkp_prk);

/* ExtractAndExpand(dh, enc || pk) of section 4.1; ss receives ss_len bytes. */
xmtp_status xmtp_dhkem_shared_secret(const xmtp_dhkem *kem, const uint8_t *dh, const uint8_t *enc,
                                     const uint8_t *pk, uint8_t *ss) XMTP_MUST_CHECK;

/* DeriveKeyPair for X25519 and X448, section 7.1.3: any sk_len bytes are a private key. */
xmtp_status xmtp_dhkem_derive_sk(const xmtp_dhkem *kem, xmtp_bytes ikm,
                                 uint8_t *sk) XMTP_MUST_CHECK;

#endif
