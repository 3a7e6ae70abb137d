/* client.h - one XMTP inbox on one device: identity, conversations, messages, in one encrypted
 * database.
 *
 *     xmtp_client *client;
 *     xmtp_client_options options = {.encryption_key = getenv("WALLET_PRIVATE_KEY")};
 *     if (xmtp_client_open(&client, &options, &error) == XMTP_OK) {
 *         xmtp_conversation_id dm;
 *         xmtp_client_dm(client, "0x...", &dm, &error);
 *         xmtp_client_send_text(client, &dm, "hello", NULL, &error);
 *         xmtp_client_close(client);
 *     }
 *
 * Calls are plain and blocking: what is asked has happened when they return. A call with much to
 * compute shares it among the processors that the process may use, by threads that end before it
 * returns; they call nothing of the caller's. A client belongs to one thread at a time; only
 * xmtp_client_wake may be called from others. A failed call changes
 * nothing that the network can see, and the error says why with the numbers; what the caller left in
 * it before the call does not matter. Strings given out are valid until the next call on the same
 * client unless said otherwise.
 *
 * Here: opening, sync, streams and the queue. What can be done with conversations is in
 * conversation.h, with messages in message.h, consent in consent.h, what a push server needs
 * in push.h, other installations of the inbox in device_sync.h, keeping it all in a file in
 * archive.h; all are included.
 */
#ifndef XMTP_CLIENT_H
#define XMTP_CLIENT_H

#include <xmtp/archive.h>
#include <xmtp/base.h>
#include <xmtp/consent.h>
#include <xmtp/conversation.h>
#include <xmtp/device_sync.h>
#include <xmtp/message.h>
#include <xmtp/names.h>
#include <xmtp/push.h>

#ifdef __cplusplus
extern "C" {
#endif

struct xmtp_setup;     /* see setup.h */
struct xmtp_transport; /* how a node is reached; see rpc/transport.h. Tests hand in one that lives
                          in the process */

typedef struct xmtp_client_options {
    /* Wallet's private key: 64 hex digits with or without 0x. NULL: a fresh random identity that
     * lives in memory and is gone with the process, nothing is written. Malformed: XMTP_E_KEY,
     * never replaced by another identity. */
    const char *encryption_key;
    /* Instead of encryption_key: an account that signs elsewhere, see identity.h; asked only when
     * this installation is not registered yet, and needs no sign where it is. With database_path it
     * needs a database_key; without, the database is memory. */
    const struct xmtp_account_signer *account;
    /* Where the node listens: https://host[:443], or http://host[:5556] in clear text, for a node on
     * this machine or behind a tunnel. NULL: http://localhost:5556. Or a network's name, see setup.h */
    const char *node_url;
    /* PEM file of the certificate authorities that vouch for a node at an https:// address, or of the
     * node's own certificate; read while opening. NULL: the authorities of the system (or of
     * $SSL_CERT_FILE, $SSL_CERT_DIR). XMTP_E_ARGUMENT: for an http:// address */
    const char *node_authorities;
    /* Database file. NULL: with an encryption_key a file named after address and node in the user's
     * data folder ($XMTP_DATA_DIR, else $XDG_DATA_HOME/xmtp, else ~/.local/share/xmtp); without one,
     * memory. */
    const char *database_path;
    /* 32 bytes under which the file is encrypted. NULL: derived from the wallet's key. */
    const uint8_t *database_key;
    /* Instead of node_url; not closed by the client. */
    const struct xmtp_transport *transport;
    /* NULL: xmtp_env_system() */
    const xmtp_env *env;
    /* "name/version" sent to the node; NULL: empty */
    const char *app_version;
    /* NULL: off, see device_sync.h */
    const xmtp_device_sync_options *device_sync;
    /* Less common choices: registering later, another nonce, logs, ... Read while opening. */
    const struct xmtp_setup *setup;
} xmtp_client_options;

/* Opens the database, registers this installation with the network if that has not happened, and is
 * ready.
 * XMTP_E_KEY            encryption_key malformed
 * XMTP_E_DATABASE_KEY   the file is there but this key does not open it; it is left alone
 * XMTP_E_LOCKED         another process has the file open
 * XMTP_E_MOVED          it was exported to be moved, or lives elsewhere; see move.h
 * XMTP_E_NETWORK        node not reached; nothing was registered
 * XMTP_E_UNTRUSTED      the node's certificate is not trusted; nothing was said
 * XMTP_E_TLS            it speaks no TLS; nothing was said
 * XMTP_E_INSTALLATIONS  the inbox has 10 installations already */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_open(xmtp_client **out,
                                                      const xmtp_client_options *options,
                                                      xmtp_error *error);
XMTP_API void xmtp_client_close(xmtp_client *client); /* takes NULL */
/* Reads the whole database and tells whether it is what was written. XMTP_E_CORRUPT with the first
 * fault. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_check_database(xmtp_client *client,
                                                                xmtp_error *error);

XMTP_API const char *xmtp_client_inbox_id(const xmtp_client *client);
XMTP_API const char *xmtp_client_address(const xmtp_client *client);         /* 0x..., lower case */
XMTP_API const char *xmtp_client_installation_id(const xmtp_client *client); /* 64 hex digits */

/* ---- sync and streams */

/* Told at once, in the call that did it, on its thread; must not call the client. Should the call
 * fail afterwards, what was told may be told again. */
typedef struct xmtp_client_events {
    void *context;
    /* consent was decided, here (also by answering somebody) or, with device sync, elsewhere */
    void (*consent)(void *context, const xmtp_consent *record);
    /* a message has expired and is gone from the database, or was taken back for everyone */
    void (*deleted)(void *context, const xmtp_conversation_id *conversation,
                    const uint8_t message_id[XMTP_MESSAGE_ID_LEN]);
    /* the keys of xmtp_client_hmac_keys are others now, here or elsewhere decided: a push server is to
     * be told again */
    void (*hmac_keys)(void *context);
    /* an archive that this client asked for was imported (is_taken), or one that another installation
     * asked for was made and told of; status not XMTP_OK: given up, and why */
    void (*history)(void *context, const char *pin, bool is_taken, xmtp_status status);
} xmtp_client_events;
/* Copied; NULL: nobody listens. */
XMTP_API void xmtp_client_listen(xmtp_client *client, const xmtp_client_events *events);

/* Fetches welcomes and everything new in all conversations, and sends what is still unsent. One
 * conversation that fails does not stop the others: the first failure is returned at the end. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_sync(xmtp_client *client, xmtp_error *error);
/* The same for conversations whose consent is one of these (XMTP_CONSENT_BIT of each; 0: allowed and
 * unknown). counts may be NULL. */
typedef struct xmtp_sync_counts {
    size_t eligible; /* conversations that were looked at */
    size_t synced;   /* that had something new, or to send, and went well */
} xmtp_sync_counts;
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_sync_where(xmtp_client *client,
                                                            uint32_t consent_states,
                                                            xmtp_sync_counts *counts,
                                                            xmtp_error *error);
/* Fetches welcomes only: who has brought us where. Messages come with the next sync. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_sync_welcomes(xmtp_client *client,
                                                               xmtp_error *error);
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_sync_conversation(xmtp_client *client,
                                                                   const xmtp_conversation_id *id,
                                                                   xmtp_error *error);

/* A stream is "sync, told when": poll waits until something arrives, timeout_ns pass or
 * xmtp_client_wake is called, and brings everything that arrived through the same ordered path as
 * sync into the database. The first poll opens the subscriptions (and syncs); they follow new
 * conversations by themselves. A lost connection is opened again with back-off (at most 30 s), and
 * what happened meanwhile is fetched. timeout_ns UINT64_MAX: no limit.
 * XMTP_OK               something came
 * XMTP_E_TIMEOUT        nothing came
 * XMTP_E_NETWORK        the node is away: go on polling
 * XMTP_E_UNTRUSTED, XMTP_E_TLS
 *                       the same, but what answers there is not to be trusted */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_poll(xmtp_client *client, uint64_t timeout_ns,
                                                      xmtp_error *error);
XMTP_API void xmtp_client_wake(xmtp_client *client); /* any thread, also from a signal handler */

/* ---- exactly once: the queue of messages that a consumer has not handled yet
 *
 * Every application message of others that reaches the database is also put into a durable queue,
 * in the same transaction, once xmtp_client_queue_enable was called for this database, unless its
 * conversation is denied. An entry
 * leaves the queue when it is acknowledged. Order is kept within a conversation: a message is
 * offered only when all earlier ones of its conversation were acknowledged or set aside.
 */

/* From now on messages are queued; remembered in the database. Messages already there are not
 * queued. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_queue_enable(xmtp_client *client,
                                                              xmtp_error *error);

typedef struct xmtp_queue_entry {
    xmtp_message message;
    uint32_t attempts; /* failed ones so far */
} xmtp_queue_entry;

/* The oldest entry that may be handled now: not blocked by an earlier one of its conversation, not
 * waiting for its next attempt, not handed out already. Handed out means: until acknowledged,
 * failed, or the client is closed. The entry's strings live until then. XMTP_E_NOT_FOUND: nothing
 * to do; *next_ns (may be NULL) is when something will be (UINT64_MAX: nothing is waiting). */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_queue_next(xmtp_client *client,
                                                            xmtp_queue_entry *out,
                                                            uint64_t *next_ns, xmtp_error *error);

/* Text to be sent to a conversation as one with the acknowledgement: either both happen or none.
 * reference: message answered, or NULL for a plain text. */
typedef struct xmtp_answer {
    const xmtp_conversation_id *conversation;
    const uint8_t *reference;
    const char *text;
} xmtp_answer;

/* In one transaction: the entry leaves the queue and the answers are queued for sending; then tries
 * to publish them (a network failure is no error here: they go out with the next sync or poll). */
XMTP_API XMTP_MUST_CHECK xmtp_status
xmtp_client_queue_acknowledge(xmtp_client *client, const uint8_t message_id[XMTP_MESSAGE_ID_LEN],
                              const xmtp_answer *answers, size_t answer_count, xmtp_error *error);
/* The handler failed: offered again after retry_at_ns, or with set_aside never again by itself (and
 * no longer in the way of later messages). */
XMTP_API XMTP_MUST_CHECK xmtp_status
xmtp_client_queue_fail(xmtp_client *client, const uint8_t message_id[XMTP_MESSAGE_ID_LEN],
                       uint64_t retry_at_ns, bool set_aside, xmtp_error *error);

#ifdef __cplusplus
}
#endif
#endif
