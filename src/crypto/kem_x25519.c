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
#include "crypto/dhkem.h"
#include "crypto/encap_together.h"
#include "crypto/sodium_ready.h"
#include "crypto/x25519_base.h"
#include "crypto/x25519_lanes.h"
#include "crypto/x25519_pairs.h"

#include <sodium.h>

enum {
    KEY_LEN = 32,
    STEP = XMTP_X25519_PAIRS_STEP,
    STEP_US = 110,        /* of encapsulations in lanes */
    STEP_SINGLE_US = 450, /* where there are none */
};

static const xmtp_dhkem dhkem = {.suite_id = {.n = 5, .p = {'K', 'E', 'M', 0x00, 0x20}},
                                 .hash = &xmtp_hash_sha256,
                                 .dh_len = KEY_LEN,
                                 .pk_len = KEY_LEN,
                                 .sk_len = KEY_LEN,
                                 .ss_len = 32};

static xmtp_status x25519_public_key(const uint8_t *sk, uint8_t *pk)
{
    xmtp_x25519_base(sk, pk);
    return XMTP_OK;
}

static xmtp_status x25519_derive_key_pair(xmtp_bytes ikm, uint8_t *sk, uint8_t *pk)
{
    XMTP_TRY(xmtp_dhkem_derive_sk(&dhkem, ikm, sk));
    return x25519_public_key(sk, pk);
}

static xmtp_status x25519_derive_many(const xmtp_kem_derive *jobs, size_t count)
{
    const uint8_t *sk[XMTP_LANES];
    uint8_t *pk[XMTP_LANES];
    for (size_t done = 0; done < count;) {
        size_t n = count - done < XMTP_LANES ? count - done : XMTP_LANES;
        for (size_t i = 0; i < n; i++, done++) {
            XMTP_TRY(xmtp_dhkem_derive_sk(&dhkem, jobs[done].ikm, jobs[done].sk));
            sk[i] = jobs[done].sk;
            pk[i] = jobs[done].pk;
        }
        xmtp_x25519_base_many(sk, pk, n);
    }
    return XMTP_OK;
}

/* At most STEP jobs. The seed is the ephemeral private key itself: any 32 bytes are one. */
static xmtp_status encap_step(const xmtp_kem_encap *jobs, size_t count)
{
    uint8_t dh[STEP][KEY_LEN];
    uint8_t enc[STEP][KEY_LEN];
    xmtp_x25519_pair pairs[STEP] = {0};
    for (size_t i = 0; i < count; i++) {
        pairs[i] =
            (xmtp_x25519_pair){.e = jobs[i].seed, .pk = jobs[i].pk, .enc = enc[i], .dh = dh[i]};
    }
    xmtp_status status = xmtp_x25519_pairs(pairs, count);
    for (size_t i = 0; i < count && status == XMTP_OK; i++) {
        status = xmtp_dhkem_shared_secret(&dhkem, dh[i], enc[i], jobs[i].pk, jobs[i].ss);
        memcpy(jobs[i].enc, enc[i], KEY_LEN);
    }
    xmtp_wipe(dh, sizeof dh);
    return status;
}

static xmtp_status x25519_encap_many(const xmtp_kem_encap *jobs, size_t count)
{
    return xmtp_encap_together(jobs, count, encap_step, STEP,
                               xmtp_has_lanes() ? STEP_US : STEP_SINGLE_US);
}

static xmtp_status x25519_encap(const uint8_t *pk, const uint8_t *seed, uint8_t *enc, uint8_t *ss)
{
    const xmtp_kem_encap job = {.pk = pk, .seed = seed, .enc = enc, .ss = ss};
    return encap_step(&job, 1);
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
        status = xmtp_dhkem_shared_secret(&dhkem, dh, enc, pk, ss);
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
    .encap_many = x25519_encap_many,
    .derive_many = x25519_derive_many,
};
