/* update.h - building identity updates: text, signatures, bytes.
 *
 * One text is made from all actions; every signer signs it once, and its signature fills every slot
 * of that signer (identity.md 5.3). What is built is byte for byte what the official client would
 * have built from the same values and signatures. Apply the result to the inbox's state before
 * publishing it.
 */
#ifndef XMTP_IDENTITY_UPDATE_H
#define XMTP_IDENTITY_UPDATE_H

#include "identity/signer.h"
#include "identity/update_wire.h"

/* One action to be built. subject as in xmtp_wire_action; addresses must be lower-case.
 * signer: the initial identifier, an existing member, or the recovery identifier.
 * new_member: ADD only, signs for the subject. */
typedef struct xmtp_update_action {
    xmtp_action_kind kind;
    xmtp_identifier subject;
    uint64_t nonce;
    const xmtp_signer *signer;
    const xmtp_signer *new_member;
} xmtp_update_action;

enum { XMTP_UPDATE_ACTIONS_MAX = 64 };

/* *update is freed by the caller with alloc.
 * XMTP_E_IDENTIFIER  a subject or inbox id is not well formed (a mixed-case address, say)
 * XMTP_E_ARGUMENT    a signer is missing or is not who it has to be
 * others             as the signers fail */
XMTP_MUST_CHECK xmtp_status xmtp_identity_update_build(const xmtp_alloc *alloc,
                                                       const char *inbox_id,
                                                       uint64_t client_timestamp_ns,
                                                       const xmtp_update_action *actions,
                                                       size_t action_count, uint8_t **update,
                                                       size_t *update_len, xmtp_error *error);

/* Create the wallet's inbox and add its first installation. inbox_id receives the new id. */
XMTP_MUST_CHECK xmtp_status xmtp_identity_update_register(
    const xmtp_alloc *alloc, const xmtp_signer *wallet, uint64_t nonce,
    const xmtp_installation *installation, uint64_t client_timestamp_ns,
    char inbox_id[XMTP_INBOX_ID_LEN + 1], uint8_t **update, size_t *update_len, xmtp_error *error);

/* Add an installation to an inbox that exists; wallet is a member of it or its recovery. */
XMTP_MUST_CHECK xmtp_status xmtp_identity_update_add_installation(
    const xmtp_alloc *alloc, const char *inbox_id, const xmtp_signer *wallet,
    const xmtp_installation *installation, uint64_t client_timestamp_ns, uint8_t **update,
    size_t *update_len, xmtp_error *error);

/* Revoke installations: count keys of 32 bytes each; wallet is the recovery identifier. */
XMTP_MUST_CHECK xmtp_status xmtp_identity_update_revoke_installations(
    const xmtp_alloc *alloc, const char *inbox_id, const xmtp_signer *wallet,
    const uint8_t (*installations)[XMTP_INSTALLATION_LEN], size_t count,
    uint64_t client_timestamp_ns, uint8_t **update, size_t *update_len, xmtp_error *error);

#endif
