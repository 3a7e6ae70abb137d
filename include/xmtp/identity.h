/* identity.h - who is behind an inbox, and changing that: accounts, installations, recovery.
 *
 *     xmtp_account_signer wallet = {.kind = XMTP_ACCOUNT_WALLET, .private_key = key_hex};
 *     xmtp_client_add_account(client, &wallet, false, &error);
 *     xmtp_client_revoke_other_installations(client, &recovery, &error);
 *
 * An inbox is a log of identity updates, each signed by those it concerns. It holds at most
 * XMTP_INBOX_UPDATES_MAX of them for all its life, so updates are worth saving: what can be one
 * update is one. Every update is judged here as the whole network will judge it before it is sent;
 * a refusal changes nothing.
 *
 * Strings given out are valid until the next call on the same client. Shown by examples/identity.c, and
 * with accounts that sign elsewhere by signers.c.
 */
#ifndef XMTP_IDENTITY_H
#define XMTP_IDENTITY_H

#include <xmtp/client.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    XMTP_INBOX_UPDATES_MAX = 256,
    XMTP_INBOX_INSTALLATIONS_MAX = 10,
    XMTP_SIGNATURE_BYTES = 64, /* of an installation */
    XMTP_PUBLIC_KEY_BYTES = 32,
};

typedef enum xmtp_account_kind {
    XMTP_ACCOUNT_WALLET = 1,   /* an Ethereum key */
    XMTP_ACCOUNT_PASSKEY = 2,  /* a WebAuthn key on P-256 */
    XMTP_ACCOUNT_CONTRACT = 3, /* a contract wallet (ERC-1271, ERC-6492): an Ethereum address too */
} xmtp_account_kind;

/* What a signer made; read before the callback's next call, so it may be the callback's memory. */
typedef struct xmtp_account_signature {
    xmtp_bytes signature; /* WALLET 65 bytes r || s || v, CONTRACT as the contract takes it, PASSKEY
                             DER */
    xmtp_bytes authenticator_data; /* PASSKEY: as the authenticator gave them */
    xmtp_bytes client_data_json;
} xmtp_account_signature;

/* Somebody who can sign for an account. sign gets the text that the account's holder should be
 * shown:
 * WALLET and CONTRACT sign it as an Ethereum personal message; a PASSKEY signs with base64url of it
 * (challenge) as WebAuthn's challenge. Both are some hundred characters, more when many installations
 * are revoked at once. A status other than XMTP_OK ends the operation with it. */
typedef struct xmtp_account_signer {
    xmtp_account_kind kind;
    const char *identifier;  /* 0x address in any case, or the passkey's public key in hex, as SEC 1
                               (33 or 65 bytes). May be NULL with private_key */
    const char *private_key; /* WALLET whose key is at hand: hex, and sign is not called */
    uint64_t chain_id;       /* CONTRACT */
    uint64_t block_number;   /* CONTRACT: at which its answer holds. 0: the newest, by our node */
    void *context;
    xmtp_status (*sign)(void *context, const char *text, const char *challenge,
                        xmtp_account_signature *out);
} xmtp_account_signer;

/* ---- reading */

typedef struct xmtp_account {
    xmtp_account_kind kind; /* WALLET also for contracts: an address does not tell */
    const char *identifier; /* lower case */
} xmtp_account;

typedef struct xmtp_inbox_installation {
    const char *id;    /* 64 hex digits */
    uint64_t added_ns; /* by the clock of who added it */
} xmtp_inbox_installation;

typedef struct xmtp_inbox_state {
    const char *inbox_id;
    xmtp_account recovery;
    const xmtp_account *accounts; /* these and the next in the order in which they were added */
    size_t account_count;
    const xmtp_inbox_installation *installations;
    size_t installation_count;
    uint32_t update_count; /* of XMTP_INBOX_UPDATES_MAX */
} xmtp_inbox_state;

/* Which account to show for an inbox, by the official recommendation: the first that is not the recovery
 * identifier, which is often one that its holder does not use otherwise; that one when there is no
 * other; NULL when the inbox has no account at all. View into state. */
XMTP_API const xmtp_account *xmtp_inbox_shown_account(const xmtp_inbox_state *state);

/* The state of an inbox; inbox_id NULL: our own. refresh: ask the node for what is new, else what is
 * known here. XMTP_E_NO_INBOX. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_inbox_state(xmtp_client *client,
                                                             const char *inbox_id, bool refresh,
                                                             xmtp_inbox_state *out,
                                                             xmtp_error *error);

/* The inbox that an account belongs to now, by the node's word. XMTP_E_NO_INBOX: none. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_find_inbox(xmtp_client *client,
                                                            xmtp_account_kind kind,
                                                            const char *identifier,
                                                            const char **inbox_id,
                                                            xmtp_error *error);

/* out[i]: whether somebody can be written to at addresses[i] (any case). One question for all. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_can_message(xmtp_client *client,
                                                             const char *const *addresses,
                                                             size_t count, bool *out,
                                                             xmtp_error *error);

/* Whether inbox_id has this account, this installation (64 hex digits) now. Fetches. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_has_account(xmtp_client *client,
                                                             const char *inbox_id,
                                                             xmtp_account_kind kind,
                                                             const char *identifier, bool *out,
                                                             xmtp_error *error);
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_has_installation(xmtp_client *client,
                                                                  const char *inbox_id,
                                                                  const char *installation_id,
                                                                  bool *out, xmtp_error *error);

/* The id of the inbox that an account makes with this nonce; 1 is what clients begin with. out
 * receives 64 hex digits and a zero byte. Pure computation: the account may live in another. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_inbox_id_of(xmtp_account_kind kind,
                                                      const char *identifier, uint64_t nonce,
                                                      char out[65], xmtp_error *error);

/* Whether installations can be added to groups: their key packages, fetched and verified. */
typedef struct xmtp_key_package_status {
    const char *installation_id;
    xmtp_status status;  /* XMTP_OK; XMTP_E_NOT_FOUND none is there; XMTP_E_LIFETIME expired; others
                           as it is invalid */
    uint64_t not_before; /* seconds since 1970; 0 when it could not be read */
    uint64_t not_after;
} xmtp_key_package_status;

/* out has room for count entries. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_key_packages(xmtp_client *client,
                                                              const char *const *installation_ids,
                                                              size_t count,
                                                              xmtp_key_package_status *out,
                                                              xmtp_error *error);
/* Uploads a fresh key package now; it happens by itself every 30 days and after invitations. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_rotate_key_package(xmtp_client *client,
                                                                    xmtp_error *error);

/* ---- changing: each is one update of our inbox. In signature_request.h the same in steps, for
 * signatures that come later
 *
 * XMTP_E_ASSOCIATION  the network's rules forbid it, with the network's sentence: the signer is not
 *                     the recovery identifier, say
 * XMTP_E_KEY, XMTP_E_IDENTIFIER, XMTP_E_ARGUMENT  the signer is not what it has to be
 * XMTP_E_SIGNATURE    what the signer made is not its signature
 * XMTP_E_LIMIT        the log is full
 * XMTP_E_UNSUPPORTED  a contract, and our node cannot ask its chain */

/* Adds the signer's account. One that belongs to another inbox is taken from it only with reassign,
 * else XMTP_E_EXISTS; so is one that is ours already. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_add_account(xmtp_client *client,
                                                             const xmtp_account_signer *account,
                                                             bool reassign, xmtp_error *error);
/* recovery signs for the recovery identifier, which itself cannot be removed: change it first. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_remove_account(xmtp_client *client,
                                                                const xmtp_account_signer *recovery,
                                                                xmtp_account_kind kind,
                                                                const char *identifier,
                                                                xmtp_error *error);
XMTP_API XMTP_MUST_CHECK xmtp_status
xmtp_client_change_recovery(xmtp_client *client, const xmtp_account_signer *recovery,
                            xmtp_account_kind kind, const char *identifier, xmtp_error *error);

/* Installations by id (64 hex digits); at most 64 in one update. Groups drop them when their members
 * next commit. Ids that are no installations of the inbox: XMTP_E_NOT_FOUND, nothing is done. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_revoke_installations(
    xmtp_client *client, const xmtp_account_signer *recovery, const char *const *installation_ids,
    size_t count, xmtp_error *error);
/* All but this client's own; nothing happens, and no update is spent, when there are none. *revoked
 * may be NULL. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_revoke_other_installations(
    xmtp_client *client, const xmtp_account_signer *recovery, size_t *revoked, xmtp_error *error);

/* ---- without an inbox */

/* A client that has none: it reads identities and can revoke, for people whose inbox is full. All
 * else is refused with XMTP_E_NOT_REGISTERED. Of the options only node_url, node_authorities, transport, env
 * and app_version are used. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_open_observer(xmtp_client **out,
                                                               const xmtp_client_options *options,
                                                               xmtp_error *error);
/* The same as xmtp_client_revoke_installations, for any inbox. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_revoke_of_inbox(
    xmtp_client *client, const char *inbox_id, const xmtp_account_signer *recovery,
    const char *const *installation_ids, size_t count, xmtp_error *error);

/* ---- proving that one is an installation */

/* Signs text with the installation's key, for use outside the network. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_sign(xmtp_client *client, const char *text,
                                                      uint8_t signature[XMTP_SIGNATURE_BYTES],
                                                      xmtp_error *error);
/* XMTP_E_SIGNATURE, XMTP_E_KEY. Threads: any. */
XMTP_API XMTP_MUST_CHECK xmtp_status
xmtp_verify_signed(const uint8_t public_key[XMTP_PUBLIC_KEY_BYTES], const char *text,
                   const uint8_t signature[XMTP_SIGNATURE_BYTES]);

#ifdef __cplusplus
}
#endif
#endif
