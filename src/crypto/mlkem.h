/* mlkem.h - ML-KEM-768 of FIPS 203, in the seed form that X-Wing needs; private to this room. */
#ifndef XMTP_CRYPTO_MLKEM_H
#define XMTP_CRYPTO_MLKEM_H

#include "crypto/mlkem_poly.h"

enum {
    MLKEM768_K = 3,
    MLKEM768_EK_LEN = 384 * MLKEM768_K + 32,
    MLKEM768_CT_LEN = 32 * (10 * MLKEM768_K + 4),
};

/* The decapsulation key, unpacked: what FIPS 203 writes as dk = s || ek || H(ek) || z, with
 * the matrix that ek stands for. Its holder wipes it with xmtp_wipe. */
typedef struct xmtp_mlkem768_key {
    xmtp_poly s[MLKEM768_K];             /* in the NTT domain */
    xmtp_poly a[MLKEM768_K][MLKEM768_K]; /* the matrix of ek, by row and column */
    uint8_t ek[MLKEM768_EK_LEN];
    uint8_t ek_hash[32];
    uint8_t z[32];
} xmtp_mlkem768_key;

/* ML-KEM.KeyGen_internal(d, z), algorithm 16. key->ek is the public part. */
void xmtp_mlkem768_keygen(xmtp_mlkem768_key *key, const uint8_t d[32], const uint8_t z[32]);

/* ML-KEM.Encaps_internal(ek, m), algorithm 17, behind the modulus check of section 7.2.
 * XMTP_E_KEY when a coefficient of ek is not below q; outputs are untouched then. */
xmtp_status xmtp_mlkem768_encaps(const uint8_t ek[MLKEM768_EK_LEN], const uint8_t m[32],
                                 uint8_t ct[MLKEM768_CT_LEN], uint8_t ss[32]);

/* ML-KEM.Decaps_internal, algorithm 18: a ciphertext that was not made for this key gives an
 * unpredictable secret instead of an error (implicit rejection), in the same time. */
void xmtp_mlkem768_decaps(const xmtp_mlkem768_key *key, const uint8_t ct[MLKEM768_CT_LEN],
                          uint8_t ss[32]);

/* One of many: ek, m and ct of the lengths above; ss receives 32 bytes. */
typedef struct xmtp_mlkem768_encap {
    const uint8_t *ek;
    const uint8_t *m;
    uint8_t *ct;
    uint8_t *ss;
} xmtp_mlkem768_encap;

typedef struct xmtp_mlkem768_decap {
    const uint8_t *ct;
    uint8_t *ss;
} xmtp_mlkem768_decap;

/* The same bytes as one by one, up to eight side by side where the machine can. XMTP_E_KEY when one ek
 * is bad; all outputs are untouched then. */
xmtp_status xmtp_mlkem768_encaps_many(const xmtp_mlkem768_encap *jobs, size_t count);
void xmtp_mlkem768_decaps_many(const xmtp_mlkem768_key *key, const xmtp_mlkem768_decap *jobs,
                               size_t count);

#endif
