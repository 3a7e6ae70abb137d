/* protect.h - framing and sealing in the name of a group's own member. RFC 9420 section 6. */
#ifndef XMTP_MLS_PROTECT_H
#define XMTP_MLS_PROTECT_H

#include "mls/group.h"

/* The fields of a FramedContent that we send now; content is left empty. */
xmtp_framed_content xmtp_group_frame(const xmtp_mls_group *group, xmtp_bytes authenticated_data);

/* Signs it as a PrivateMessage of the current epoch. */
xmtp_status xmtp_group_sign(const xmtp_mls_group *group, const xmtp_framed_content *content,
                            uint8_t *signature, size_t *signature_len) XMTP_MUST_CHECK;

/* Appends the MLSMessage with the PrivateMessage, without padding, under a fresh reuse guard. */
xmtp_status xmtp_group_seal(const xmtp_mls_group *group, const xmtp_framed_content *content,
                            const xmtp_content_auth *auth, const xmtp_message_key *key,
                            xmtp_writer *out) XMTP_MUST_CHECK;

#endif
