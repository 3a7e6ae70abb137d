/* kem_xwing.c - X-Wing, draft-connolly-cfrg-xwing-kem-06: ML-KEM-768 and X25519 in one KEM.
 *
 *     private key   32-byte seed;  SHAKE-256(seed, 96) = d || z || x
 *     public key    ML-KEM ek (1184) || X25519(x, 9) (32)
 *     enc           ML-KEM ct (1088) || X25519(e, 9) (32)
 *     secret        SHA3-256( ss_M || ss_X || ct_X || pk_X || "\.//^\" )
 *
 * A wrong ML-KEM ciphertext gives another secret, not an error, so it shows up in the AEAD. A point
 * of small order, which draft-06 lets pass, is refused like in kem_x25519.c: no honest sender makes
 * one. Decapsulation expands the seed each time, unless its caller did and keeps the result. Up to
 * eight run side by side: one climb of X25519 takes as long for four senders, or eight ciphertexts,
 * as for one.
 *
 * XMTP: the HPKE identifier of welcomes is the obsolete 0x004D, not the registered 0x647A
 * (identity.md 7.3). Groups use the registered one; nothing else differs.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "base/together.h"
#include "crypto/crypto.h"
#include "crypto/encap_together.h"
#include "crypto/keccak.h"
#include "crypto/keccak_many.h"
#include "crypto/mlkem.h"
#include "crypto/x25519_base.h"
#include "crypto/x25519_pairs.h"

#include <assert.h>

enum {
    SEED_LEN = 32,
    X_LEN = 32,
    PK_LEN = MLKEM768_EK_LEN + X_LEN,
    ENC_LEN = MLKEM768_CT_LEN + X_LEN,
    STEP = XMTP_LANES, /* encapsulations or decapsulations side by side */
    ENCAPS_US = 160,
    ENCAPS_SINGLE_US = 1000, /* where there are no lanes */
    DECAPS_US = 110,
    DECAPS_SINGLE_US = 900,
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

/* What goes into the secrets of those that run side by side. */
typedef struct shares {
    uint8_t ss_m[STEP][32];
    uint8_t ss_x[STEP][X_LEN];
    const uint8_t *ct_x[STEP];
    const uint8_t *pk_x[STEP];
} shares;

static void combine(const shares *s, uint8_t *const *ss, size_t count)
{
    static const uint8_t label[6] = {0x5c, 0x2e, 0x2f, 0x2f, 0x5e, 0x5c};
    const uint8_t *ss_m[STEP];
    const uint8_t *ss_x[STEP];
    const uint8_t *labels[STEP];
    for (size_t i = 0; i < count; i++) {
        ss_m[i] = s->ss_m[i];
        ss_x[i] = s->ss_x[i];
        labels[i] = label;
    }
    xmtp_keccak_many k;
    xmtp_sha3_256_many_init(&k, count);
    xmtp_keccak_many_absorb(&k, ss_m, 32);
    xmtp_keccak_many_absorb(&k, ss_x, X_LEN);
    xmtp_keccak_many_absorb(&k, s->ct_x, X_LEN);
    xmtp_keccak_many_absorb(&k, s->pk_x, X_LEN);
    xmtp_keccak_many_absorb(&k, labels, sizeof label);
    xmtp_keccak_many_squeeze(&k, ss, 32);
    xmtp_keccak_many_wipe(&k);
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

/* EncapsulateDerand: the seed is m || e. At most eight; nothing is written when a key is bad. */
static xmtp_status encap_step(const xmtp_kem_encap *jobs, size_t count)
{
    shares s = {0};
    uint8_t ct_x[STEP][X_LEN];
    xmtp_x25519_pair pairs[STEP];
    xmtp_mlkem768_encap encaps[STEP];
    uint8_t *ss[STEP];
    for (size_t i = 0; i < count; i++) {
        s.ct_x[i] = ct_x[i];
        s.pk_x[i] = jobs[i].pk + MLKEM768_EK_LEN;
        ss[i] = jobs[i].ss;
        pairs[i] = (xmtp_x25519_pair){
            .e = jobs[i].seed + 32, .pk = s.pk_x[i], .enc = ct_x[i], .dh = s.ss_x[i]};
        encaps[i] = (xmtp_mlkem768_encap){
            .ek = jobs[i].pk, .m = jobs[i].seed, .ct = jobs[i].enc, .ss = s.ss_m[i]};
    }
    xmtp_status status = xmtp_x25519_pairs(pairs, count);
    if (status == XMTP_OK) {
        status = xmtp_mlkem768_encaps_many(encaps, count);
    }
    if (status == XMTP_OK) {
        combine(&s, ss, count);
        for (size_t i = 0; i < count; i++) {
            memcpy(jobs[i].enc + MLKEM768_CT_LEN, ct_x[i], X_LEN);
        }
    }
    xmtp_wipe(&s, sizeof s);
    return status;
}

static xmtp_status xwing_encap_many(const xmtp_kem_encap *jobs, size_t count)
{
    return xmtp_encap_together(jobs, count, encap_step, STEP,
                               xmtp_has_lanes() ? ENCAPS_US : ENCAPS_SINGLE_US);
}

static xmtp_status xwing_encap(const uint8_t *pk, const uint8_t *seed, uint8_t *enc, uint8_t *ss)
{
    const xmtp_kem_encap job = {.pk = pk, .seed = seed, .enc = enc, .ss = ss};
    return encap_step(&job, 1);
}

static void xwing_expand(const uint8_t *sk, void *expanded)
{
    expand(expanded, sk);
}

/* Of a point of small order the product is zero, and there is no secret. */
static void judge(xmtp_kem_decap *job, const uint8_t ss_x[X_LEN])
{
    static const uint8_t zero[X_LEN];
    job->status = XMTP_OK;
    if (xmtp_ct_equal(ss_x, zero, X_LEN)) {
        job->status = XMTP_E_KEY;
        xmtp_wipe(job->ss, 32);
    }
}

/* At most eight. */
static void decap_step(const xwing_key *key, xmtp_kem_decap *jobs, size_t count)
{
    shares s = {0};
    xmtp_mlkem768_decap decaps[STEP];
    uint8_t *ss[STEP];
    for (size_t i = 0; i < count; i++) {
        s.ct_x[i] = jobs[i].enc + MLKEM768_CT_LEN;
        s.pk_x[i] = key->x_public;
        ss[i] = jobs[i].ss;
        decaps[i] = (xmtp_mlkem768_decap){.ct = jobs[i].enc, .ss = s.ss_m[i]};
    }
    xmtp_x25519_points(key->x, s.ct_x, s.ss_x, count);
    xmtp_mlkem768_decaps_many(&key->m, decaps, count);
    combine(&s, ss, count);
    for (size_t i = 0; i < count; i++) {
        judge(&jobs[i], s.ss_x[i]);
    }
    xmtp_wipe(&s, sizeof s);
}

typedef struct decaps {
    const xwing_key *key;
    xmtp_kem_decap *jobs;
} decaps;

static void decap_some(void *context, size_t first, size_t count)
{
    const decaps *d = context;
    decap_step(d->key, d->jobs + first, count);
}

static void xwing_decap_many(const void *expanded, xmtp_kem_decap *jobs, size_t count)
{
    decaps d = {.key = expanded, .jobs = jobs};
    xmtp_together(&(xmtp_together_work){.count = count,
                                        .piece = STEP,
                                        .piece_us = xmtp_has_lanes() ? DECAPS_US : DECAPS_SINGLE_US,
                                        .step = decap_some,
                                        .context = &d});
}

static xmtp_status xwing_decap_expanded(const void *expanded, const uint8_t *enc, uint8_t *ss)
{
    xmtp_kem_decap job = {.enc = enc, .ss = ss};
    decap_step(expanded, &job, 1);
    return job.status;
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
    .encap_many = xwing_encap_many,
    .expanded_len = sizeof(xwing_key),
    .expand = xwing_expand,
    .decap_expanded = xwing_decap_expanded,
    .decap_many = xwing_decap_many,
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
    .encap_many = xwing_encap_many,
    .expanded_len = sizeof(xwing_key),
    .expand = xwing_expand,
    .decap_expanded = xwing_decap_expanded,
    .decap_many = xwing_decap_many,
};
