/* protect.h - framing and sealing in the name of a group's own member. RFC 9420 section 6. */
#ifndef XMTP_MLS_PROTECT_H
#define XMTP_MLS_PROTECT_H

#include "mls/group.h"

/* The fields of a FramedContent that we send now; content is left empty. */
xmtp_framed_content xmtp_group_frame(const xmtp_mls_group *group, xmtp_bytes authenticated_data);

/* XMTP_E_REMOVED, XMTP_E_STATE: nothing may be sent in this group any more. */
xmtp_status xmtp_group_check_active(const xmtp_mls_group *group, xmtp_error *error) XMTP_MUST_CHECK;

/* PublicMessage or PrivateMessage, as the configuration has it for handshakes. */
uint16_t xmtp_group_handshake_format(const xmtp_mls_group *group);

/* Appends the MLSMessage of a signed proposal or commit in its wire format; change is the burnt
 * handshake key of a PrivateMessage, empty for a PublicMessage. */
xmtp_status xmtp_group_seal_handshake(const xmtp_mls_group *group,
                                      const xmtp_authenticated_content *content,
                                      xmtp_secret_tree_change *change,
                                      xmtp_writer *out) XMTP_MUST_CHECK;

/* Moves a ratchet on, in the store's list and then in memory. */
xmtp_status xmtp_group_burn(xmtp_mls_group *group, xmtp_secret_tree_change *change,
                            xmtp_mls_writes *writes) XMTP_MUST_CHECK;

/* Signs it as a PrivateMessage of the current epoch, or in another wire format. */
xmtp_status xmtp_group_sign(const xmtp_mls_group *group, const xmtp_framed_content *content,
                            uint8_t *signature, size_t *signature_len) XMTP_MUST_CHECK;
xmtp_status xmtp_group_sign_as(const xmtp_mls_group *group, uint16_t wire_format,
                               const xmtp_framed_content *content, uint8_t *signature,
                               size_t *signature_len) XMTP_MUST_CHECK;

/* Appends the MLSMessage with the PrivateMessage, padded as configured, under a fresh reuse guard. */
xmtp_status xmtp_group_seal(const xmtp_mls_group *group, const xmtp_framed_content *content,
                            const xmtp_content_auth *auth, const xmtp_message_key *key,
                            xmtp_writer *out) XMTP_MUST_CHECK;

#endif
