/* setup.h - the less common ways to open a client, and what goes with them.
 *
 *     xmtp_setup setup = {.without_registration = true};
 *     xmtp_client_options options = {.account = &account, .setup = &setup};
 *     xmtp_client_open(&client, &options, &error);         reads, asks who can be written to
 *     xmtp_client_register(client, &signer, &error);       now it can do everything
 */
#ifndef XMTP_SETUP_H
#define XMTP_SETUP_H

#include <xmtp/client.h>
#include <xmtp/identity.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct xmtp_setup {
    /* Opens without registering and without asking the account to sign; options.account needs no
     * sign then. Until xmtp_client_register such a client reads inboxes and key packages, asks who
     * can be written to, signs with its installation's key, makes signature requests, and changes
     * its inbox with the recovery identifier's signature (a full inbox is freed so). All else is
     * refused with XMTP_E_NOT_REGISTERED. A new installation is kept in memory until it registers:
     * closed before, the next opening makes another. */
    bool without_registration;
    /* Of the inbox that is made when the account has none on the network; 0: 1. An account that left
     * an inbox can never make that one again: another nonce makes a new one. An inbox that exists is
     * joined, whatever the nonce. */
    uint64_t nonce;
} xmtp_setup;

/* ---- registering later */

XMTP_API bool xmtp_client_is_registered(const xmtp_client *client);
/* Registers this installation; nothing happens when it is registered already. account signs once;
 * it may be NULL when an earlier try got as far as its signature. After a failure it may be called
 * again. XMTP_E_ASSOCIATION: not the account that the client was opened for. XMTP_E_INSTALLATIONS,
 * XMTP_E_NETWORK, XMTP_E_RPC_INVALID as xmtp_client_open. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_register(xmtp_client *client,
                                                          const xmtp_account_signer *account,
                                                          xmtp_error *error);

#ifdef __cplusplus
}
#endif
#endif
