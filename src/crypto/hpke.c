/* hpke.c - HPKE of RFC 9180 in base mode (mode_base = 0x00, no PSK), over any suite.
 *
 *     SetupBaseS(pkR, info)   shared_secret, enc = Encap(pkR)          section 5.1.1
 *     SetupBaseR(enc, skR)    shared_secret      = Decap(enc, skR)
 *     KeySchedule             key, base_nonce, exporter_secret         section 5.1
 *     Seal, Open              nonce = base_nonce ^ sequence            section 5.2
 *
 * The sequence number rises only on success, so that a forged ciphertext does not make the receiver
 * lose its place.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "crypto/crypto.h"
#include "crypto/hkdf.h"

static void put_u16(xmtp_hpke_suite_id *id, uint16_t value)
{
    id->p[id->n++] = (uint8_t)(value >> 8);
    id->p[id->n++] = (uint8_t)value;
}

static xmtp_hpke_suite_id suite_id_of(const xmtp_suite *suite)
{
    xmtp_hpke_suite_id id = {.n = 4, .p = {'H', 'P', 'K', 'E'}};
    put_u16(&id, suite->kem->id);
    put_u16(&id, suite->kdf_id);
    put_u16(&id, suite->aead->id);
    return id;
}

/* key_schedule_context = mode || psk_id_hash || info_hash; psk and psk_id are empty. */
static size_t key_schedule_context(const xmtp_suite *suite, const xmtp_hpke_suite_id *id,
                                   xmtp_bytes info, uint8_t *out)
{
    const xmtp_bytes empty = {.p = NULL, .n = 0};
    xmtp_secret psk_id_hash;
    xmtp_secret info_hash;
    xmtp_labeled_extract(suite->hash, id, empty, "psk_id_hash", empty, &psk_id_hash);
    xmtp_labeled_extract(suite->hash, id, empty, "info_hash", info, &info_hash);
    out[0] = 0x00; /* mode_base */
    memcpy(out + 1, psk_id_hash.p, psk_id_hash.n);
    memcpy(out + 1 + psk_id_hash.n, info_hash.p, info_hash.n);
    return 1 + psk_id_hash.n + info_hash.n;
}

static xmtp_status expand_keys(xmtp_hpke *c, const xmtp_suite *suite, const xmtp_hpke_suite_id *id,
                               const xmtp_secret *secret, xmtp_bytes context)
{
    xmtp_bytes prk = xmtp_secret_bytes(secret);
    const xmtp_hash *hash = suite->hash;
    XMTP_TRY(xmtp_labeled_expand(hash, id, prk, "key", context, c->key, c->aead->key_len));
    XMTP_TRY(xmtp_labeled_expand(hash, id, prk, "base_nonce", context, c->base_nonce,
                                 c->aead->nonce_len));
    c->exporter_secret.n = hash->len;
    return xmtp_labeled_expand(hash, id, prk, "exp", context, c->exporter_secret.p, hash->len);
}

/* KeySchedule for a key_schedule_context that is made already. */
static xmtp_status keys_of(xmtp_hpke *c, const xmtp_suite *suite, const xmtp_hpke_suite_id *id,
                           const uint8_t *shared_secret, xmtp_bytes context)
{
    *c = (xmtp_hpke){.aead = suite->aead};
    xmtp_secret secret;
    xmtp_labeled_extract(suite->hash, id, xmtp_bytes_of(shared_secret, suite->kem->ss_len),
                         "secret", xmtp_bytes_of(NULL, 0), &secret);
    xmtp_status status = expand_keys(c, suite, id, &secret, context);
    xmtp_secret_wipe(&secret);
    return status;
}

static xmtp_status key_schedule(xmtp_hpke *c, const xmtp_suite *suite, const uint8_t *shared_secret,
                                xmtp_bytes info)
{
    xmtp_hpke_suite_id id = suite_id_of(suite);
    uint8_t context[1 + 2 * XMTP_HASH_MAX];
    size_t context_len = key_schedule_context(suite, &id, info, context);
    return keys_of(c, suite, &id, shared_secret, xmtp_bytes_of(context, context_len));
}

xmtp_status xmtp_hpke_setup_sender(xmtp_hpke *c, const xmtp_suite *suite, const uint8_t *pk,
                                   xmtp_bytes info, const uint8_t *seed, uint8_t *enc)
{
    *c = (xmtp_hpke){0};
    uint8_t shared_secret[XMTP_KEM_SS_MAX];
    xmtp_status status = suite->kem->encap(pk, seed, enc, shared_secret);
    if (status == XMTP_OK) {
        status = key_schedule(c, suite, shared_secret, info);
    }
    xmtp_wipe(shared_secret, sizeof shared_secret);
    return status;
}

xmtp_status xmtp_hpke_setup_receiver(xmtp_hpke *c, const xmtp_suite *suite, const uint8_t *sk,
                                     const uint8_t *pk, xmtp_bytes enc, xmtp_bytes info)
{
    *c = (xmtp_hpke){0};
    XMTP_ENSURE(enc.n == suite->kem->enc_len, XMTP_E_LENGTH);
    uint8_t shared_secret[XMTP_KEM_SS_MAX];
    xmtp_status status = suite->kem->decap(sk, pk, enc.p, shared_secret);
    if (status == XMTP_OK) {
        status = key_schedule(c, suite, shared_secret, info);
    }
    xmtp_wipe(shared_secret, sizeof shared_secret);
    return status;
}

xmtp_status xmtp_hpke_setup_receiver_expanded(xmtp_hpke *c, const xmtp_suite *suite,
                                              const void *expanded, xmtp_bytes enc, xmtp_bytes info)
{
    *c = (xmtp_hpke){0};
    XMTP_ENSURE(suite->kem->decap_expanded != NULL, XMTP_E_UNSUPPORTED);
    XMTP_ENSURE(enc.n == suite->kem->enc_len, XMTP_E_LENGTH);
    uint8_t shared_secret[XMTP_KEM_SS_MAX];
    xmtp_status status = suite->kem->decap_expanded(expanded, enc.p, shared_secret);
    if (status == XMTP_OK) {
        status = key_schedule(c, suite, shared_secret, info);
    }
    xmtp_wipe(shared_secret, sizeof shared_secret);
    return status;
}

xmtp_status xmtp_hpke_setup_receiver_shared(xmtp_hpke *c, const xmtp_suite *suite,
                                            const uint8_t *shared_secret, xmtp_bytes info)
{
    *c = (xmtp_hpke){0};
    return key_schedule(c, suite, shared_secret, info);
}

/* ComputeNonce. XMTP_E_STATE for a context whose setup failed, XMTP_E_LIMIT after 2^64 - 1
 * messages. */
static xmtp_status next_nonce(const xmtp_hpke *c, uint8_t *nonce)
{
    XMTP_ENSURE(c->aead != NULL, XMTP_E_STATE);
    XMTP_ENSURE(c->sequence != UINT64_MAX, XMTP_E_LIMIT);
    size_t n = c->aead->nonce_len;
    memcpy(nonce, c->base_nonce, n);
    for (size_t i = 0; i < 8; i++) {
        nonce[n - 1 - i] ^= (uint8_t)(c->sequence >> (8 * i));
    }
    return XMTP_OK;
}

xmtp_status xmtp_hpke_seal(xmtp_hpke *c, xmtp_bytes aad, xmtp_bytes plaintext, uint8_t *out)
{
    uint8_t nonce[XMTP_AEAD_NONCE_MAX];
    XMTP_TRY(next_nonce(c, nonce));
    XMTP_TRY(c->aead->seal(c->key, nonce, aad, plaintext, out));
    c->sequence++;
    return XMTP_OK;
}

xmtp_status xmtp_hpke_open(xmtp_hpke *c, xmtp_bytes aad, xmtp_bytes ciphertext, uint8_t *out)
{
    uint8_t nonce[XMTP_AEAD_NONCE_MAX];
    XMTP_TRY(next_nonce(c, nonce));
    XMTP_TRY(c->aead->open(c->key, nonce, aad, ciphertext, out));
    c->sequence++;
    return XMTP_OK;
}

xmtp_status xmtp_hpke_export(const xmtp_hpke *c, const xmtp_suite *suite, xmtp_bytes context,
                             uint8_t *out, size_t out_len)
{
    XMTP_ENSURE(c->aead != NULL, XMTP_E_STATE);
    xmtp_hpke_suite_id id = suite_id_of(suite);
    return xmtp_labeled_expand(suite->hash, &id, xmtp_secret_bytes(&c->exporter_secret), "sec",
                               context, out, out_len);
}

void xmtp_hpke_wipe(xmtp_hpke *c)
{
    xmtp_wipe(c, sizeof *c);
}

/* ---- many receivers ---- */

enum { BATCH = 64 };

static xmtp_status encap_batch(const xmtp_kem *kem, const xmtp_hpke_letter *letters, size_t count,
                               uint8_t ss[BATCH][XMTP_KEM_SS_MAX])
{
    xmtp_kem_encap jobs[BATCH] = {0};
    for (size_t i = 0; i < count; i++) {
        jobs[i] = (xmtp_kem_encap){
            .pk = letters[i].pk, .seed = letters[i].seed, .enc = letters[i].enc, .ss = ss[i]};
    }
    return xmtp_kem_encap_many(kem, jobs, count);
}

static xmtp_status seal_batch(const xmtp_suite *suite, const xmtp_hpke_suite_id *id,
                              xmtp_bytes context, const xmtp_hpke_letter *letters, size_t count)
{
    uint8_t ss[BATCH][XMTP_KEM_SS_MAX];
    xmtp_status status = encap_batch(suite->kem, letters, count, ss);
    xmtp_hpke c;
    for (size_t i = 0; i < count && status == XMTP_OK; i++) {
        status = keys_of(&c, suite, id, ss[i], context);
        if (status == XMTP_OK) {
            status = xmtp_hpke_seal(&c, xmtp_bytes_of(NULL, 0), letters[i].plaintext,
                                    letters[i].ciphertext);
        }
    }
    xmtp_hpke_wipe(&c);
    xmtp_wipe(ss, sizeof ss);
    return status;
}

xmtp_status xmtp_hpke_seal_many(const xmtp_suite *suite, xmtp_bytes info,
                                const xmtp_hpke_letter *letters, size_t count)
{
    xmtp_hpke_suite_id id = suite_id_of(suite);
    uint8_t context[1 + 2 * XMTP_HASH_MAX];
    size_t context_len = key_schedule_context(suite, &id, info, context);
    for (size_t done = 0; done < count; done += BATCH) {
        XMTP_TRY(seal_batch(suite, &id, xmtp_bytes_of(context, context_len), letters + done,
                            count - done < BATCH ? count - done : BATCH));
    }
    return XMTP_OK;
}
