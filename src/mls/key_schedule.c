/* key_schedule.c - from one epoch's init_secret to the next epoch's secrets. RFC 9420 section 8.
 *
 *                  init_secret[n-1]
 *                        |
 *   commit_secret --> Extract --> ExpandWithLabel("joiner", GroupContext[n]) = joiner_secret
 *                                      |
 *                psk_secret ------> Extract --> DeriveSecret("welcome") = welcome_secret
 *                                      |
 *                        ExpandWithLabel("epoch", GroupContext[n]) = epoch_secret
 *                                      |
 *                        DeriveSecret(label) for each secret of the epoch
 *
 * Extract(salt, ikm) has the salt on the left of the RFC's figure: the arrow from above is the
 * salt, the one from the side the input.
 */
#include "mls/key_schedule.h"

#include "base/bytes.h"
#include "base/status.h"
#include "mls/label.h"

void xmtp_epoch_secrets_wipe(xmtp_epoch_secrets *secrets)
{
    xmtp_wipe(secrets, sizeof *secrets);
}

xmtp_status xmtp_joiner_secret(const xmtp_suite *suite, const xmtp_secret *init_secret,
                               const xmtp_secret *commit_secret, xmtp_bytes group_context,
                               xmtp_secret *out)
{
    xmtp_secret extracted;
    xmtp_hkdf_extract(suite->hash, xmtp_secret_bytes(init_secret), xmtp_secret_bytes(commit_secret),
                      &extracted);
    out->n = suite->hash->len;
    xmtp_status status = xmtp_expand_with_label(suite, xmtp_secret_bytes(&extracted), "joiner",
                                                group_context, out->p, out->n);
    xmtp_secret_wipe(&extracted);
    return status;
}

static void member_secret(const xmtp_suite *suite, const xmtp_secret *joiner_secret,
                          const xmtp_secret *psk_secret, xmtp_secret *out)
{
    xmtp_hkdf_extract(suite->hash, xmtp_secret_bytes(joiner_secret), xmtp_secret_bytes(psk_secret),
                      out);
}

xmtp_status xmtp_welcome_secret(const xmtp_suite *suite, const xmtp_secret *joiner_secret,
                                const xmtp_secret *psk_secret, xmtp_secret *out)
{
    xmtp_secret member;
    member_secret(suite, joiner_secret, psk_secret, &member);
    xmtp_status status = xmtp_derive_secret(suite, &member, "welcome", out);
    xmtp_secret_wipe(&member);
    return status;
}

xmtp_status xmtp_welcome_key(const xmtp_suite *suite, const xmtp_secret *welcome_secret,
                             uint8_t *key, uint8_t *nonce)
{
    xmtp_bytes secret = xmtp_secret_bytes(welcome_secret);
    XMTP_TRY(
        xmtp_expand_with_label(suite, secret, "key", (xmtp_bytes){0}, key, suite->aead->key_len));
    return xmtp_expand_with_label(suite, secret, "nonce", (xmtp_bytes){0}, nonce,
                                  suite->aead->nonce_len);
}

/* Every DeriveSecret of the epoch has the same key: it is padded and absorbed once. */
static xmtp_status derive_all(const xmtp_suite *suite, const xmtp_secret *epoch_secret,
                              xmtp_epoch_secrets *out)
{
    const struct {
        const char *label;
        xmtp_secret *secret;
    } table[] = {
        {"sender data", &out->sender_data_secret},
        {"encryption", &out->encryption_secret},
        {"exporter", &out->exporter_secret},
        {"external", &out->external_secret},
        {"confirm", &out->confirmation_key},
        {"membership", &out->membership_key},
        {"resumption", &out->resumption_psk},
        {"authentication", &out->epoch_authenticator},
        {"init", &out->init_secret},
        {"application_export", &out->application_export},
    };
    xmtp_hmac keyed;
    xmtp_hmac_init(&keyed, suite->hash, xmtp_secret_bytes(epoch_secret));
    xmtp_status status = XMTP_OK;
    for (size_t i = 0; i < sizeof table / sizeof table[0] && status == XMTP_OK; i++) {
        table[i].secret->n = suite->hash->len;
        status = xmtp_expand_keyed(&keyed, table[i].label, (xmtp_bytes){0}, table[i].secret->p,
                                   suite->hash->len);
    }
    xmtp_wipe(&keyed, sizeof keyed);
    return status;
}

xmtp_status xmtp_epoch_secrets_derive(const xmtp_suite *suite, const xmtp_secret *joiner_secret,
                                      const xmtp_secret *psk_secret, xmtp_bytes group_context,
                                      xmtp_epoch_secrets *out)
{
    xmtp_secret member;
    xmtp_secret epoch_secret = {.n = suite->hash->len};
    member_secret(suite, joiner_secret, psk_secret, &member);
    xmtp_status status = xmtp_expand_with_label(suite, xmtp_secret_bytes(&member), "epoch",
                                                group_context, epoch_secret.p, epoch_secret.n);
    if (status == XMTP_OK) {
        status = derive_all(suite, &epoch_secret, out);
    }
    if (status != XMTP_OK) {
        xmtp_epoch_secrets_wipe(out);
    }
    xmtp_secret_wipe(&member);
    xmtp_secret_wipe(&epoch_secret);
    return status;
}

xmtp_status xmtp_external_key(const xmtp_suite *suite, const xmtp_secret *external_secret,
                              uint8_t *sk, uint8_t *pk)
{
    uint8_t own_sk[XMTP_KEM_SK_MAX];
    xmtp_status status =
        suite->kem->derive_key_pair(xmtp_secret_bytes(external_secret), own_sk, pk);
    if (status == XMTP_OK && sk != NULL) {
        memcpy(sk, own_sk, suite->kem->sk_len);
    }
    xmtp_wipe(own_sk, sizeof own_sk);
    return status;
}

xmtp_status xmtp_exporter(const xmtp_suite *suite, const xmtp_secret *exporter_secret,
                          const char *label, xmtp_bytes context, uint8_t *out, size_t out_len)
{
    xmtp_secret derived = {0};
    uint8_t context_hash[XMTP_HASH_MAX];
    xmtp_status status = xmtp_derive_secret(suite, exporter_secret, label, &derived);
    if (status == XMTP_OK) {
        xmtp_hash_of(suite->hash, context, context_hash);
        status =
            xmtp_expand_with_label(suite, xmtp_secret_bytes(&derived), "exported",
                                   xmtp_bytes_of(context_hash, suite->hash->len), out, out_len);
    }
    xmtp_secret_wipe(&derived);
    return status;
}

/* psk_secret[i+1] = Extract(psk_input[i], psk_secret[i]), where psk_input[i] is the PSK bound to
 * its id and to its place in the list. */
static xmtp_status psk_chain(const xmtp_suite *suite, xmtp_writer *label, const xmtp_psk *psk,
                             uint16_t index, uint16_t count, xmtp_secret *chain)
{
    static const uint8_t zeros[XMTP_HASH_MAX];
    xmtp_secret extracted;
    xmtp_secret input = {.n = suite->hash->len};

    xmtp_writer_clear(label);
    xmtp_psk_id_encode(label, &psk->id);
    xmtp_writer_u16(label, index);
    xmtp_writer_u16(label, count);
    XMTP_TRY(xmtp_writer_status(label));

    xmtp_hkdf_extract(suite->hash, xmtp_bytes_of(zeros, suite->hash->len), psk->psk, &extracted);
    xmtp_status status = xmtp_expand_with_label(suite, xmtp_secret_bytes(&extracted), "derived psk",
                                                xmtp_writer_bytes(label), input.p, input.n);
    if (status == XMTP_OK) {
        xmtp_secret next;
        xmtp_hkdf_extract(suite->hash, xmtp_secret_bytes(&input), xmtp_secret_bytes(chain), &next);
        *chain = next;
        xmtp_secret_wipe(&next);
    }
    xmtp_secret_wipe(&extracted);
    xmtp_secret_wipe(&input);
    return status;
}

xmtp_status xmtp_psk_secret(const xmtp_suite *suite, const xmtp_alloc *alloc, const xmtp_psk *psks,
                            size_t count, xmtp_secret *out)
{
    XMTP_ENSURE(count <= XMTP_MLS_PSKS_MAX, XMTP_E_LIMIT);
    *out = (xmtp_secret){.n = suite->hash->len};
    xmtp_writer label;
    xmtp_writer_init(&label, alloc, XMTP_WRITER_MAX);
    xmtp_status status = XMTP_OK;
    for (size_t i = 0; i < count && status == XMTP_OK; i++) {
        status = psk_chain(suite, &label, &psks[i], (uint16_t)i, (uint16_t)count, out);
    }
    xmtp_writer_free(&label);
    return status;
}

void xmtp_confirmation_tag(const xmtp_suite *suite, const xmtp_secret *confirmation_key,
                           xmtp_bytes confirmed_transcript_hash, uint8_t *out)
{
    xmtp_hmac_of(suite->hash, xmtp_secret_bytes(confirmation_key), confirmed_transcript_hash, out);
}
