/* setup.h - the less common ways to open a client, and what goes with them.
 *
 *     xmtp_setup setup = {.without_registration = true};
 *     xmtp_client_options options = {.account = &account, .setup = &setup};
 *     xmtp_client_open(&client, &options, &error);         reads, asks who can be written to
 *     xmtp_client_register(client, &signer, &error);       now it can do everything
 *
 * Shown by examples/setup.c.
 */
#ifndef XMTP_SETUP_H
#define XMTP_SETUP_H

#include <xmtp/client.h>
#include <xmtp/credential.h>
#include <xmtp/identity.h>
#include <xmtp/telemetry.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Work that nobody asked for, done by poll and sync; no thread does it. */
enum {
    XMTP_CHORE_DISAPPEARING = 1, /* deleting messages that have expired */
    XMTP_CHORE_KEY_PACKAGES = 2, /* new ones when they are due, deleting old ones */
    XMTP_CHORE_COMMIT_LOG = 4,   /* comparing commits with others, to see forks */
};

typedef struct xmtp_chore_setup {
    uint32_t disabled;               /* of the above; their functions can still be called */
    uint64_t interval_ns;            /* of poll's looking what is due; 0: 5 s */
    uint64_t commit_log_interval_ns; /* 0: 5 minutes, the official one */
} xmtp_chore_setup;

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
    /* For an extension that a push notification wakes while the application sleeps: opens the
     * database of an installation that is registered, without a call to the node, and publishes
     * nothing ever. It takes in what the push brought (push.h), which may query the node, and reads;
     * what would publish is refused with XMTP_E_STATE, and left to the application. The application
     * has let go of the database meanwhile. XMTP_E_NOT_REGISTERED: the database is nobody's yet. */
    bool is_light;
    xmtp_log log; /* see telemetry.h */
    /* What a gateway wants to see, see credential.h; get NULL: nothing. Goes with node_url: a
     * transport that is given has its own (xmtp_connection_authorize of connection.h). */
    xmtp_credential_source credentials;
    xmtp_chore_setup chores;
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

/* Waits until the network shows this installation: in the log of its inbox, and with a key package by
 * which it can be invited. Opening and xmtp_client_register have read the log back already; this is for
 * nodes behind which other nodes stand. NULL: the defaults.
 *   XMTP_E_TIMEOUT         what was still missing, and after how long
 *   XMTP_E_ARGUMENT        quorum_nodes is more than the one node that a client knows
 *   XMTP_E_NOT_REGISTERED  nothing was registered that could show */
typedef struct xmtp_visibility {
    uint32_t quorum_nodes; /* that have to show it; 0: 1 */
    uint64_t timeout_ns;   /* 0: 30 s */
    uint64_t pause_ns;     /* between two looks; 0: 500 ms */
} xmtp_visibility;
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_wait_visible(xmtp_client *client,
                                                              const xmtp_visibility *wanted,
                                                              xmtp_error *error);

/* ---- letting go of the database for a while
 *
 * A file belongs to one client of one process. An application that is put to sleep lets go of it, so
 * that an extension (is_light) may open it, and takes it again when it wakes. */

/* Closes streams and database, of which path and key stay in memory; entries of the queue that are
 * handed out come again later. Until it is taken again all calls but those that need no database (ids,
 * topics, statistics, wake, close) are refused with XMTP_E_CLOSED. Nothing happens when it was let go
 * already. XMTP_E_UNSUPPORTED: the database is in memory and would be gone. XMTP_E_STATE: a client of a
 * host (host.h). */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_release_database(xmtp_client *client,
                                                                  xmtp_error *error);
/* Opens it again, without the network, with all that others put into it; the next poll opens the
 * streams. After a failure it is as let go as before and may be tried again.
 *   XMTP_E_LOCKED        somebody else has it still
 *   XMTP_E_DATABASE_KEY  the file has become that of another installation */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_take_database(xmtp_client *client,
                                                               xmtp_error *error);

/* ---- names of networks */

/* The address of a network's nodes: "local", "dev", "production". node_url may also be such a name.
 * XMTP_E_NOT_FOUND: no network of this name. XMTP_E_UNSUPPORTED: one of the decentralised network's
 * (mainnet, testnet, testnet-dev, testnet-staging), whose protocol this does not speak. Threads: any. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_network_url(const char *name, const char **url,
                                                      xmtp_error *error);

#ifdef __cplusplus
}
#endif
#endif
