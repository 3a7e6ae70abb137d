/* key_schedule.h - the secrets of an epoch, RFC 9420 section 8.
 *
 *     init_secret[n-1] --Extract(commit_secret)--> joiner_secret
 *     joiner_secret --Extract(psk_secret)--> member secret --> welcome_secret
 *                                                          \-> epoch_secret --> the nine below
 *
 * Plain functions over plain values; nothing is kept. Whoever declares an xmtp_epoch_secrets wipes
 * it. Threads: any.
 */
#ifndef XMTP_MLS_KEY_SCHEDULE_H
#define XMTP_MLS_KEY_SCHEDULE_H

#include "mls/proposal.h"

/* Table 4 of section 8, and the init_secret of the next epoch. */
typedef struct xmtp_epoch_secrets {
    xmtp_secret sender_data_secret;
    xmtp_secret encryption_secret; /* moves into the secret tree, empty afterwards */
    xmtp_secret exporter_secret;
    xmtp_secret external_secret;
    xmtp_secret confirmation_key;
    xmtp_secret membership_key;
    xmtp_secret resumption_psk;
    xmtp_secret epoch_authenticator;
    xmtp_secret init_secret;
    xmtp_secret application_export; /* of draft-ietf-mls-extensions-10, section 4.4 */
} xmtp_epoch_secrets;

void xmtp_epoch_secrets_wipe(xmtp_epoch_secrets *secrets);

/* joiner_secret of the epoch whose encoded GroupContext is given. */
xmtp_status xmtp_joiner_secret(const xmtp_suite *suite, const xmtp_secret *init_secret,
                               const xmtp_secret *commit_secret, xmtp_bytes group_context,
                               xmtp_secret *out) XMTP_MUST_CHECK;

/* welcome_secret; psk_secret of zeros where there are no PSKs (xmtp_psk_secret). */
xmtp_status xmtp_welcome_secret(const xmtp_suite *suite, const xmtp_secret *joiner_secret,
                                const xmtp_secret *psk_secret, xmtp_secret *out) XMTP_MUST_CHECK;

/* Key and nonce of the encrypted GroupInfo (section 12.4.3.1). */
xmtp_status xmtp_welcome_key(const xmtp_suite *suite, const xmtp_secret *welcome_secret,
                             uint8_t *key, uint8_t *nonce) XMTP_MUST_CHECK;

/* All secrets of the epoch. out is wiped on failure. */
xmtp_status xmtp_epoch_secrets_derive(const xmtp_suite *suite, const xmtp_secret *joiner_secret,
                                      const xmtp_secret *psk_secret, xmtp_bytes group_context,
                                      xmtp_epoch_secrets *out) XMTP_MUST_CHECK;

/* The key pair of external commits (section 8.3). sk may be NULL. */
xmtp_status xmtp_external_key(const xmtp_suite *suite, const xmtp_secret *external_secret,
                              uint8_t *sk, uint8_t *pk) XMTP_MUST_CHECK;

/* MLS-Exporter (section 8.5). XMTP_E_LENGTH when out_len is above 255 hash lengths. */
xmtp_status xmtp_exporter(const xmtp_suite *suite, const xmtp_secret *exporter_secret,
                          const char *label, xmtp_bytes context, uint8_t *out,
                          size_t out_len) XMTP_MUST_CHECK;

/* One PSK: its id as in the proposal and its value. */
typedef struct xmtp_psk {
    xmtp_psk_id id;
    xmtp_bytes psk;
} xmtp_psk;

/* psk_secret of section 8.4: zeros for count 0. XMTP_E_LIMIT beyond XMTP_MLS_PSKS_MAX. */
xmtp_status xmtp_psk_secret(const xmtp_suite *suite, const xmtp_alloc *alloc, const xmtp_psk *psks,
                            size_t count, xmtp_secret *out) XMTP_MUST_CHECK;

/* MAC over the confirmed transcript hash (section 8.1): hash->len bytes. */
void xmtp_confirmation_tag(const xmtp_suite *suite, const xmtp_secret *confirmation_key,
                           xmtp_bytes confirmed_transcript_hash, uint8_t *out);

#endif
