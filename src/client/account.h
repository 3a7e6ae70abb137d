/* account.h - the signers of applications as those that identity updates are built with. */
#ifndef XMTP_CLIENT_ACCOUNT_H
#define XMTP_CLIENT_ACCOUNT_H

#include "client/state.h"
#include "identity/update.h"

#include <xmtp/identity.h>

/* An account as the network names it. */
typedef struct xmtp_account_name {
    xmtp_identifier identifier; /* view into the fields below */
    char address[XMTP_ADDRESS_LEN + 1];
    uint8_t passkey[XMTP_PASSKEY_MAX];
} xmtp_account_name;

/* Fills out, which is not to be moved afterwards. XMTP_E_IDENTIFIER, XMTP_E_ARGUMENT. */
xmtp_status xmtp_account_name_parse(xmtp_account_kind kind, const char *text,
                                    xmtp_account_name *out, xmtp_error *error);

/* The other way: what the network names, as applications read it; its text is in the arena. */
xmtp_status xmtp_account_of(xmtp_arena *arena, const xmtp_identifier *id, xmtp_account *out);

/* A signer of an application, ready to sign; holds a private key: wipe it. */
typedef struct xmtp_account_hand {
    xmtp_client *client;
    const xmtp_account_signer *account;
    xmtp_account_name name;
    bool has_wallet;
    xmtp_wallet wallet;
    xmtp_signer signer;
    xmtp_error *error;
} xmtp_account_hand;

/* hand must stay where it is until it is wiped. One that only names an account (no sign) is taken,
 * and refuses when it is to sign. */
xmtp_status xmtp_account_hand_take(xmtp_account_hand *hand, xmtp_client *client,
                                   const xmtp_account_signer *account, xmtp_error *error);
void xmtp_account_hand_wipe(xmtp_account_hand *hand);

typedef struct xmtp_contract_verdict {
    bool is_valid;
    uint64_t block_used; /* the block that the answer is for; 0 when the node does not say */
    char why_not[160];   /* the contract could not be asked; "" when it was */
} xmtp_contract_verdict;

/* Asks the node whether a contract wallet signed hash; block_number 0: at its newest block. */
xmtp_status xmtp_ask_contract(xmtp_client *client, const char *account_id, uint64_t block_number,
                              const uint8_t hash[32], xmtp_bytes signature,
                              xmtp_contract_verdict *out, xmtp_error *error);

#endif
