/* framing.h - signing, tagging, encrypting and opening message contents. RFC 9420 section 6.
 *
 *     FramedContent --sign--> AuthenticatedContent --tag------> PublicMessage
 *                                                  \-encrypt--> PrivateMessage
 *
 * The functions take keys and hand back bytes; which epoch, which ratchet and which member is for
 * the group to know. Each may use the writers of a xmtp_framing_scratch, which keeps their memory
 * between messages; what they held is overwritten by the next call.
 */
#ifndef XMTP_MLS_FRAMING_H
#define XMTP_MLS_FRAMING_H

#include "mls/label.h"
#include "mls/message.h"
#include "mls/secret_tree.h"

typedef struct xmtp_framing_scratch {
    xmtp_writer tbs;   /* FramedContentTBS, plaintext and ciphertext */
    xmtp_writer label; /* SignContent, associated data */
} xmtp_framing_scratch;

void xmtp_framing_scratch_init(xmtp_framing_scratch *scratch, const xmtp_alloc *alloc);
void xmtp_framing_scratch_free(xmtp_framing_scratch *scratch); /* wipes */
void xmtp_framing_scratch_trim(xmtp_framing_scratch *scratch, size_t keep_max);

/* FramedContentTBS (section 6.1). group_context: encoded, of the epoch of the content; used for
 * senders MEMBER and NEW_MEMBER_COMMIT. */
void xmtp_framed_content_tbs_encode(xmtp_writer *w, uint16_t wire_format,
                                    const xmtp_framed_content *content, xmtp_bytes group_context);

/* Signs content (section 6.1). signature: room for signature_max bytes. */
xmtp_status xmtp_framing_sign(const xmtp_suite *suite, const uint8_t *sk, const uint8_t *pk,
                              uint16_t wire_format, const xmtp_framed_content *content,
                              xmtp_bytes group_context, xmtp_framing_scratch *scratch,
                              uint8_t *signature, size_t *signature_len) XMTP_MUST_CHECK;

/* XMTP_E_SIGNATURE, XMTP_E_KEY. */
xmtp_status xmtp_framing_verify(const xmtp_suite *suite, xmtp_bytes pk,
                                const xmtp_authenticated_content *content, xmtp_bytes group_context,
                                xmtp_framing_scratch *scratch) XMTP_MUST_CHECK;

/* membership_tag of a PublicMessage (section 6.2): hash->len bytes. */
xmtp_status xmtp_membership_tag(const xmtp_suite *suite, const xmtp_secret *membership_key,
                                const xmtp_authenticated_content *content, xmtp_bytes group_context,
                                xmtp_framing_scratch *scratch, uint8_t *out) XMTP_MUST_CHECK;

/* Key and nonce for the sender data of one ciphertext (section 6.3.2). */
xmtp_status xmtp_sender_data_key(const xmtp_suite *suite, const xmtp_secret *sender_data_secret,
                                 xmtp_bytes ciphertext, uint8_t *key,
                                 uint8_t *nonce) XMTP_MUST_CHECK;

/* Appends the MLSMessage with a PrivateMessage for content, whose sender must be a MEMBER.
 *
 * key          of the sender's ratchet for this type of content
 * reuse_guard  4 fresh random bytes
 */
xmtp_status xmtp_private_message_seal(const xmtp_suite *suite, const xmtp_framed_content *content,
                                      const xmtp_content_auth *auth, size_t padding_len,
                                      const xmtp_message_key *key, const uint8_t reuse_guard[4],
                                      const xmtp_secret *sender_data_secret,
                                      xmtp_framing_scratch *scratch,
                                      xmtp_writer *out) XMTP_MUST_CHECK;

/* Who sent it, and with which generation. XMTP_E_AUTH, XMTP_E_LENGTH. */
xmtp_status xmtp_sender_data_open(const xmtp_suite *suite, const xmtp_secret *sender_data_secret,
                                  const xmtp_private_message *message,
                                  xmtp_framing_scratch *scratch,
                                  xmtp_sender_data *out) XMTP_MUST_CHECK;

/* Decrypts the ciphertext. plaintext receives ciphertext.n - tag_len bytes. XMTP_E_AUTH,
 * XMTP_E_LENGTH. */
xmtp_status xmtp_private_message_open(const xmtp_suite *suite, const xmtp_private_message *message,
                                      const xmtp_message_key *key, const uint8_t reuse_guard[4],
                                      xmtp_framing_scratch *scratch,
                                      uint8_t *plaintext) XMTP_MUST_CHECK;

#endif
