/* propose.h - making proposals. RFC 9420 section 12.1. */
#ifndef XMTP_MLS_PROPOSE_H
#define XMTP_MLS_PROPOSE_H

#include "mls/group.h"

/* What the caller asks for, as a proposal with its encoding, in the arena. Every type but Update and
 * ExternalInit. XMTP_E_PROPOSAL: no such type; XMTP_E_KEY_PACKAGE: unreadable. */
xmtp_status xmtp_proposal_make(const xmtp_mls_config *config, const xmtp_suite *suite,
                               const xmtp_mls_proposal *in, xmtp_arena *arena, xmtp_proposal *out,
                               xmtp_error *error) XMTP_MUST_CHECK;

/* Encodes the fields into the arena and decodes them again, so that every view is there. */
xmtp_status xmtp_proposal_settle(const xmtp_proposal *fields, xmtp_arena *arena,
                                 xmtp_proposal *out) XMTP_MUST_CHECK;

/* The new group is the one that the ReInit of its parent announced (section 11.2). XMTP_E_WELCOME
 * when it is not, or there was none. */
xmtp_status xmtp_reinit_check(const xmtp_mls_group *parent, const xmtp_group_context *context,
                              xmtp_error *error) XMTP_MUST_CHECK;

#endif
