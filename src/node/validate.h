/* validate.h - what the node verifies of messages and identity updates, for those who publish
 * (service_mls.c, publish_identity.c) and those who only ask (service_validation.c).
 *
 * Threads: any.
 */
#ifndef XMTP_NODE_VALIDATE_H
#define XMTP_NODE_VALIDATE_H

#include "identity/verify.h"
#include "node/service.h"

#include <xmtp/mls.h>

/* That it is a whole MLS message of a group, as far as anybody can tell without its keys (node.md
 * 3.2). *info has views into message; *is_commit: a commit or a proposal.
 * XMTP_E_ARGUMENT with the sentence. */
xmtp_status xmtp_node_validate_message(xmtp_bytes message, xmtp_mls_message_info *info,
                                       bool *is_commit, xmtp_error *error);

/* Asks the chains about contract wallets. */
xmtp_verifier xmtp_node_chain_verifier(xmtp_node_chains *chains);

/* Of an identity update that was not accepted: the failure is ours, or that of a chain that cannot
 * be asked now, and not the update's. */
bool xmtp_node_is_our_trouble(xmtp_status status);

/* A rule broken is the caller's fault, whichever code it has: XMTP_E_ARGUMENT, with the sentence
 * that is there or the status's own. */
xmtp_status xmtp_node_refusal(xmtp_error *error, xmtp_status status);

#endif
