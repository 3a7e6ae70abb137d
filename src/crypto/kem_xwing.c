/* kem_xwing.c - X-Wing, draft-connolly-cfrg-xwing-kem-06: ML-KEM-768 and X25519 in one KEM.
 *
 *     private key   32-byte seed;  SHAKE-256(seed, 96) = d || z || x
 *     public key    ML-KEM ek (1184) || X25519(x, 9) (32)
 *     enc           ML-KEM ct (1088) || X25519(e, 9) (32)
 *     secret        SHA3-256( ss_M || ss_X || ct_X || pk_X || "\.//^\" )
 *
 * A wrong ML-KEM ciphertext gives another secret, not an error, so it shows up in the AEAD. A point
 * of small order, which draft-06 lets pass, is refused like in kem_x25519.c: no honest sender makes
 * one. Decapsulation expands the seed each time, unless its caller did and keeps the result.
 *
 * XMTP: the HPKE identifier of welcomes is the obsolete 0x004D, not the registered 0x647A
 * (identity.md 7.3). Groups use the registered one; nothing else differs.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "crypto/crypto.h"
#include "crypto/keccak.h"
#include "crypto/mlkem.h"
#include "crypto/sodium_ready.h"
#include "crypto/x25519_base.h"
#include "crypto/x25519_pairs.h"

#include <assert.h>
#include <sodium.h>

enum {
    SEED_LEN = 32,
    X_LEN = 32,
    PK_LEN = MLKEM768_EK_LEN + X_LEN,
    ENC_LEN = MLKEM768_CT_LEN + X_LEN
};

static_assert((int)PK_LEN == (int)XMTP_KEM_PK_MAX, "the largest public key we have");
static_assert((int)ENC_LEN == (int)XMTP_KEM_ENC_MAX, "the largest encapsulated key we have");

typedef struct xwing_key {
    xmtp_mlkem768_key m;
    uint8_t x[X_LEN];
    uint8_t x_public[X_LEN];
} xwing_key;

/* expandDecapsulationKey. */
static void expand(xwing_key *key, const uint8_t seed[SEED_LEN])
{
    uint8_t expanded[96];
    xmtp_shake256(xmtp_bytes_of(seed, SEED_LEN), expanded, sizeof expanded);
    xmtp_mlkem768_keygen(&key->m, expanded, expanded + 32);
    memcpy(key->x, expanded + 64, X_LEN);
    xmtp_x25519_base(key->x, key->x_public);
    xmtp_wipe(expanded, sizeof expanded);
}

static void combine(const uint8_t ss_m[32], const uint8_t ss_x[X_LEN], const uint8_t ct_x[X_LEN],
                    const uint8_t pk_x[X_LEN], uint8_t ss[32])
{
    static const uint8_t label[6] = {0x5c, 0x2e, 0x2f, 0x2f, 0x5e, 0x5c};
    xmtp_keccak k;
    xmtp_sha3_256_init(&k);
    xmtp_keccak_absorb(&k, xmtp_bytes_of(ss_m, 32));
    xmtp_keccak_absorb(&k, xmtp_bytes_of(ss_x, X_LEN));
    xmtp_keccak_absorb(&k, xmtp_bytes_of(ct_x, X_LEN));
    xmtp_keccak_absorb(&k, xmtp_bytes_of(pk_x, X_LEN));
    xmtp_keccak_absorb(&k, xmtp_bytes_of(label, sizeof label));
    xmtp_keccak_squeeze(&k, ss, 32);
    xmtp_keccak_wipe(&k);
}

static xmtp_status xwing_public_key(const uint8_t *sk, uint8_t *pk)
{
    xwing_key key;
    expand(&key, sk);
    memcpy(pk, key.m.ek, MLKEM768_EK_LEN);
    memcpy(pk + MLKEM768_EK_LEN, key.x_public, X_LEN);
    xmtp_wipe(&key, sizeof key);
    return XMTP_OK;
}

/* How a seed comes from other key material is private to its owner, so any one-way map does
 * (identity.md 7.3); this is the 32-byte SHAKE-256 that the draft gives for HPKE. */
static xmtp_status xwing_derive_key_pair(xmtp_bytes ikm, uint8_t *sk, uint8_t *pk)
{
    xmtp_shake256(ikm, sk, SEED_LEN);
    return xwing_public_key(sk, pk);
}

/* EncapsulateDerand: the seed is m || e. */
static xmtp_status xwing_encap(const uint8_t *pk, const uint8_t *seed, uint8_t *enc, uint8_t *ss)
{
    const uint8_t *pk_x = pk + MLKEM768_EK_LEN;
    const uint8_t *e = seed + 32;
    uint8_t ss_m[32];
    uint8_t ss_x[X_LEN];
    uint8_t ct_x[X_LEN];
    const xmtp_x25519_pair pair = {.e = e, .pk = pk_x, .enc = ct_x, .dh = ss_x};
    xmtp_status status = xmtp_x25519_pairs(&pair, 1);
    if (status == XMTP_OK) {
        status = xmtp_mlkem768_encaps(pk, seed, enc, ss_m);
    }
    if (status == XMTP_OK) {
        memcpy(enc + MLKEM768_CT_LEN, ct_x, X_LEN);
        combine(ss_m, ss_x, ct_x, pk_x, ss);
    }
    xmtp_wipe(ss_m, sizeof ss_m);
    xmtp_wipe(ss_x, sizeof ss_x);
    return status;
}

static void xwing_expand(const uint8_t *sk, void *expanded)
{
    expand(expanded, sk);
}

static xmtp_status xwing_decap_expanded(const void *expanded, const uint8_t *enc, uint8_t *ss)
{
    xmtp_sodium_ready();
    const xwing_key *key = expanded;
    const uint8_t *ct_x = enc + MLKEM768_CT_LEN;
    uint8_t ss_m[32];
    uint8_t ss_x[X_LEN];
    xmtp_status status = XMTP_E_KEY;
    if (crypto_scalarmult_curve25519(ss_x, key->x, ct_x) == 0) {
        xmtp_mlkem768_decaps(&key->m, enc, ss_m);
        combine(ss_m, ss_x, ct_x, key->x_public, ss);
        status = XMTP_OK;
    }
    xmtp_wipe(ss_m, sizeof ss_m);
    xmtp_wipe(ss_x, sizeof ss_x);
    return status;
}

/* pk is not needed: it comes out of the seed with the rest. */
static xmtp_status xwing_decap(const uint8_t *sk, const uint8_t *pk, const uint8_t *enc,
                               uint8_t *ss)
{
    (void)pk;
    xwing_key key;
    expand(&key, sk);
    xmtp_status status = xwing_decap_expanded(&key, enc, ss);
    xmtp_wipe(&key, sizeof key);
    return status;
}

const xmtp_kem xmtp_kem_xwing_004d = {
    .name = "X-Wing draft-06",
    .id = 0x004d,
    .sk_len = SEED_LEN,
    .pk_len = PK_LEN,
    .enc_len = ENC_LEN,
    .ss_len = 32,
    .seed_len = 64,
    .derive_key_pair = xwing_derive_key_pair,
    .public_key = xwing_public_key,
    .encap = xwing_encap,
    .decap = xwing_decap,
    .expanded_len = sizeof(xwing_key),
    .expand = xwing_expand,
    .decap_expanded = xwing_decap_expanded,
};

const xmtp_kem xmtp_kem_xwing = {
    .name = "X-Wing",
    .id = 0x647a,
    .sk_len = SEED_LEN,
    .pk_len = PK_LEN,
    .enc_len = ENC_LEN,
    .ss_len = 32,
    .seed_len = 64,
    .derive_key_pair = xwing_derive_key_pair,
    .public_key = xwing_public_key,
    .encap = xwing_encap,
    .decap = xwing_decap,
    .expanded_len = sizeof(xwing_key),
    .expand = xwing_expand,
    .decap_expanded = xwing_decap_expanded,
};
