/* kept.h - proposals that were sent alone, kept until their epoch ends. RFC 9420 section 12.1. */
#ifndef XMTP_MLS_KEPT_H
#define XMTP_MLS_KEPT_H

#include "mls/group.h"

/* The one with this ProposalRef, or NULL. */
const xmtp_kept_proposal *xmtp_kept_find(const xmtp_mls_group *group, xmtp_bytes ref);

/* Whether one more of this size may be kept. XMTP_E_LIMIT. */
xmtp_status xmtp_kept_check(const xmtp_mls_group *group, size_t content_len,
                            xmtp_error *error) XMTP_MUST_CHECK;

/* ProposalRef of an encoded AuthenticatedContent (section 5.2). */
xmtp_digest xmtp_kept_ref(const xmtp_suite *suite, xmtp_bytes content);

/* Keeps it under a new number and writes its record; one that is kept already stays as it is.
 * update_sk: of our own Update, else empty. */
xmtp_status xmtp_kept_add(xmtp_mls_group *group, xmtp_bytes content, xmtp_bytes update_sk,
                          xmtp_mls_writes *writes) XMTP_MUST_CHECK;

/* The same while loading: the record is there. */
xmtp_status xmtp_kept_load(xmtp_mls_group *group, uint32_t number, xmtp_bytes content,
                           xmtp_bytes update_sk) XMTP_MUST_CHECK;

/* Takes the last one back, which was just added. */
void xmtp_kept_undo(xmtp_mls_group *group);

/* The epoch has ended: all go, from memory (wiped) and store. writes may be NULL. */
void xmtp_kept_drop(xmtp_mls_group *group, xmtp_mls_writes *writes);

/* The decoded AuthenticatedContent: its bytes are copied into the arena. */
xmtp_status xmtp_kept_open(const xmtp_kept_proposal *kept, xmtp_arena *arena,
                           xmtp_authenticated_content **out) XMTP_MUST_CHECK;

/* What section 12.1.8 lets a sender propose: members everything, external senders no Update, no
 * ExternalInit and no SelfRemove, new members their own Add. XMTP_E_SENDER_TYPE. */
xmtp_status xmtp_proposal_check_sender(const xmtp_sender *sender, const xmtp_proposal *proposal,
                                       xmtp_error *error) XMTP_MUST_CHECK;

/* What the public interface tells of one proposal. */
xmtp_mls_proposal_info xmtp_proposal_info_of(const xmtp_mls_group *group, const xmtp_sender *sender,
                                             const xmtp_proposal *proposal);

#endif
