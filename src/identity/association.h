/* association.h - the state of an inbox, made by folding its log of identity updates.
 *
 *     update 1 --> state 1 --> update 2 --> state 2 ...          in ascending sequence id
 *
 *     state { inbox_id
 *             members      identifier -> added_by, client timestamp, chain id
 *             recovery     one public identifier; need not be a member
 *             seen         bytes of every signature accepted so far }
 *
 * Every client must come to the same verdict and state, or groups fork: the rules are identity.md
 * 2.4 to 2.8, without a rule added or left out. A node may be stricter with what it accepts for
 * publishing; that is the flag XMTP_ASSOCIATION_PUBLISH.
 */
#ifndef XMTP_IDENTITY_ASSOCIATION_H
#define XMTP_IDENTITY_ASSOCIATION_H

#include "identity/identifier.h"
#include "identity/verify.h"

enum {
    XMTP_INBOX_LOG_MAX = 256, /* updates per inbox; the node refuses more ("inbox log is full") */
    XMTP_PUBLISH_ACTIONS_MAX = 256,       /* actions in one update that our node accepts */
    XMTP_PUBLISH_UPDATE_MAX = 256 * 1024, /* its bytes: every signature hashes the text again */
};

typedef struct xmtp_association xmtp_association;

typedef struct xmtp_association_member {
    xmtp_identifier identifier;
    bool has_added_by; /* not for the creator */
    xmtp_identifier added_by;
    bool has_timestamp; /* not for the creator */
    uint64_t client_timestamp_ns;
    bool has_chain_id; /* only for members added by a contract wallet's signature */
    uint64_t chain_id;
} xmtp_association_member;

typedef enum xmtp_association_flags {
    /* Rules for new updates only: between one action and XMTP_PUBLISH_ACTIONS_MAX, at most
     * XMTP_PUBLISH_UPDATE_MAX bytes, v of every wallet signature 27 or 28, no (r, s) seen before, a
     * new recovery identifier that can sign (identity.md 2.4, 2.5; node.md 3.4). */
    XMTP_ASSOCIATION_PUBLISH = 1,
    /* The update was verified when it was accepted: signers are found again, contracts not asked
     * (node.md 3.4, "never re-verified"). Only for updates from one's own durable log. */
    XMTP_ASSOCIATION_ACCEPTED = 2,
} xmtp_association_flags;

/* An inbox of which no update is known yet. alloc must outlive it. */
XMTP_MUST_CHECK xmtp_status xmtp_association_new(xmtp_association **out, const xmtp_alloc *alloc);
void xmtp_association_free(xmtp_association *state); /* takes NULL */

/* A second object with the same content. */
XMTP_MUST_CHECK xmtp_status xmtp_association_copy(const xmtp_association *state,
                                                  xmtp_association **out);

/* Folds one encoded IdentityUpdate: verifies all its signatures, then applies its actions in order.
 * On failure the state is as before. Views given out by the state end with the next success.
 *
 * XMTP_E_MALFORMED    cannot be decoded
 * XMTP_E_SIGNATURE    a signature does not verify
 * XMTP_E_ASSOCIATION  breaks a rule; error->text is the network's sentence for it (8.1)
 * XMTP_E_REPLAY       a signature was used by an earlier update
 * XMTP_E_INBOX_ID     the update names another inbox than the one it makes
 * XMTP_E_IDENTIFIER   an address is not one
 * XMTP_E_UNSUPPORTED  signed by a kind of wallet that cannot be verified here */
XMTP_MUST_CHECK xmtp_status xmtp_association_apply(xmtp_association *state, xmtp_bytes update,
                                                   const xmtp_verifier *verifier, unsigned flags,
                                                   xmtp_error *error);

/* Reading. All views. inbox_id is empty before the first update. */
bool xmtp_association_exists(const xmtp_association *state);
const char *xmtp_association_inbox_id(const xmtp_association *state);
xmtp_identifier xmtp_association_recovery(const xmtp_association *state);
/* Members by client timestamp, ascending, those without one last; equal ones by kind and value. */
size_t xmtp_association_member_count(const xmtp_association *state);
xmtp_association_member xmtp_association_member_at(const xmtp_association *state, size_t index);
/* False when it is no member; out may be NULL. */
bool xmtp_association_find(const xmtp_association *state, const xmtp_identifier *identifier,
                           xmtp_association_member *out);
bool xmtp_association_has_installation(const xmtp_association *state,
                                       const uint8_t public_key[XMTP_INSTALLATION_LEN]);
size_t xmtp_association_installation_count(const xmtp_association *state);

/* What replay protection remembers of the signatures accepted so far, in the order of their bytes. */
size_t xmtp_association_seen_count(const xmtp_association *state);
xmtp_bytes xmtp_association_seen_at(const xmtp_association *state, size_t index);

/* Calls visit for every member of one state that is not a member of the other, in member order,
 * until it fails. For what was added: (after, before); for what was removed: (before, after). */
XMTP_MUST_CHECK xmtp_status
xmtp_association_minus(const xmtp_association *state, const xmtp_association *other, void *context,
                       xmtp_status (*visit)(void *context, const xmtp_association_member *member));

/* To and from bytes, for a cache of states: our own record, not a message of the network.
 * XMTP_E_CORRUPT: the record is not one that encode made. */
XMTP_MUST_CHECK xmtp_status xmtp_association_encode(const xmtp_association *state, uint8_t **out,
                                                    size_t *out_len);
XMTP_MUST_CHECK xmtp_status xmtp_association_decode(xmtp_association **out, const xmtp_alloc *alloc,
                                                    xmtp_bytes record);

#endif
