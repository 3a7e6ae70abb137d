/* host.h - any number of inboxes in one process: one connection to the node, one pair of streams,
 * and next to no memory for those that have nothing to do.
 *
 *     xmtp_host *host;
 *     xmtp_host_options options = {.folder = "/var/lib/agents"};
 *     if (xmtp_host_open(&host, &options, &error) == XMTP_OK) {
 *         for each key: xmtp_host_client_open(host, &client, &client_options, &error);
 *         while (is_running) {
 *             xmtp_client *client;
 *             xmtp_status status = xmtp_host_poll(host, UINT64_MAX, &client, &error);
 *             if (status == XMTP_OK && client != NULL) {
 *                 ... read what is new for this client ...
 *             }
 *         }
 *         xmtp_host_close(host);
 *     }
 *
 *                    +-- client, awake      caches, MLS groups, an open database
 *     node === host -+-- client, parked     keys, what it follows: some 10 KB
 *                    '-- client, parked ...
 *
 * A client of a host is an ordinary xmtp_client for every call but two: it is opened here, and it is
 * polled with its host (xmtp_client_poll gives XMTP_E_STATE). It takes part in the host's streams
 * from the next poll on. After some seconds without a call and without news a poll parks it; the
 * next call or the next message wakes it, which costs about as much as opening its database. Nobody
 * sees the difference, except that strings which a client gave out are also gone after a poll.
 *
 * Each inbox has a file of its own in the host's folder, with the layout of any client's: the files
 * of a host can be opened one by one without it, while the host is closed. The folder belongs to one
 * host at a time.
 *
 * An identity without a key (neither encryption_key nor account) lives as long as its client. In a
 * host it has a file too, so that it can be parked: encrypted under a random key that exists only in
 * memory, and deleted when the client is closed. After a crash what is left cannot be read by
 * anybody; the next host of the folder deletes it.
 *
 * Threads: a host and all its clients belong to one thread at a time; only xmtp_host_wake (and
 * xmtp_client_wake of its clients, which is the same) may be called from others. Shown by
 * examples/host.c.
 */
#ifndef XMTP_HOST_H
#define XMTP_HOST_H

#include <xmtp/client.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct xmtp_host xmtp_host;

typedef struct xmtp_host_options {
    /* As in client.h */
    const char *node_url;
    const char *node_authorities;
    /* Instead of node_url; not closed by the host. See connection.h. */
    const struct xmtp_transport *transport;
    /* Where the databases are; made with mode 0700 when it is not there (its parent must be). NULL: a
     * folder of its own below $TMPDIR, deleted when the host is closed: only for identities without
     * a key. */
    const char *folder;
    /* 32 bytes from which the key of each database is derived. NULL: from the wallet's key, as
     * xmtp_client_open does; accounts that sign elsewhere then need a database_key. */
    const uint8_t *key;
    /* NULL: xmtp_env_system(). Must outlive the host. */
    const xmtp_env *env;
    /* "name/version" sent to the node; NULL: empty */
    const char *app_version;
    /* Databases open at a time, two descriptors each; 0: 64. More are open only while that many
     * operations are under way. */
    size_t open_max;
    /* Without calls and news for so long a client is parked; 0: 10 s, UINT64_MAX: never. */
    uint64_t park_after_ns;
    /* Conversations or inboxes of one stream, above which there is another; 0: 10,000, which any node
     * of the network takes. Halved by itself when the node says that it is too much, and doubled again
     * each minute. A host has at most 45 streams of each kind; what does not fit is told by polls with
     * XMTP_E_LIMIT. */
    size_t topics_max;
} xmtp_host_options;

/* Opens nothing at the node yet.
 * XMTP_E_LOCKED   another host has the folder
 * XMTP_E_ARGUMENT, XMTP_E_IO, XMTP_E_NOMEM */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_host_open(xmtp_host **out,
                                                    const xmtp_host_options *options,
                                                    xmtp_error *error);
/* Closes all clients that are still open, in the order in which they were opened, then the streams,
 * the connection and the folder. When it returns no thread, descriptor or memory is left. Takes NULL. */
XMTP_API void xmtp_host_close(xmtp_host *host);

/* As xmtp_client_open, in the host's folder and on its connection. Of options count encryption_key,
 * account, database_key, device_sync and setup (without light, credentials, or registration put off);
 * node_url, node_authorities, database_path, transport, env and app_version are the host's
 * and must be left out. Closed with xmtp_client_close or with the host.
 * XMTP_E_ARGUMENT   one of those was given, or a key in a host without a folder
 * XMTP_E_LOCKED     this account is open in this host already
 * others            as xmtp_client_open */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_host_client_open(xmtp_host *host, xmtp_client **out,
                                                           const xmtp_client_options *options,
                                                           xmtp_error *error);

/* Waits until something new has come for one of the clients, timeout_ns pass (UINT64_MAX: no limit)
 * or xmtp_host_wake is called, and brings everything that came into the databases, along the same
 * ordered path as xmtp_client_sync. Does the clients' chores too: unsent messages, key packages,
 * expiry.
 *   XMTP_OK          *out has news. Each client is named once for what came until then; poll again for
 *                    the others. NULL: woken
 *   XMTP_E_TIMEOUT   nothing came
 *   XMTP_E_NETWORK   the node is away. Streams are opened again with back-off (1 s to 30 s), and
 *                    what happened meanwhile is fetched: go on polling
 *   XMTP_E_UNTRUSTED, XMTP_E_TLS
 *                    the same, but what answers there is not to be trusted
 *   others           with *out: this client could not take what came for it (its disk, its
 *                    database). It is tried again with back-off (1 s to 300 s); the others go on */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_host_poll(xmtp_host *host, uint64_t timeout_ns,
                                                    xmtp_client **out, xmtp_error *error);
/* Ends the present or the next poll. Any thread, also from a signal handler. */
XMTP_API void xmtp_host_wake(xmtp_host *host);

/* Parks every client that is not in the middle of something, now. */
XMTP_API void xmtp_host_park_all(xmtp_host *host);

typedef struct xmtp_host_counts {
    size_t clients;
    size_t awake;     /* with caches */
    size_t databases; /* open */
    size_t topics;  /* conversations and inboxes followed; one that several clients share is one */
    size_t streams; /* open at the node */
    uint64_t wakes; /* parked clients that came back */
    uint64_t
        received; /* items that streams brought, each counted once for each client it was for */
} xmtp_host_counts;
XMTP_API void xmtp_host_count(const xmtp_host *host, xmtp_host_counts *out);

#ifdef __cplusplus
}
#endif
#endif
