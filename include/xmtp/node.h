/* node.h - an XMTP node inside a process: what `xmtp node` runs, and what tests and demos embed.
 *
 *     xmtp_node *node;
 *     xmtp_node_options options = {.data_dir = "./data",
 *                                  .listen = {"127.0.0.1:5556", "[::1]:5556"}};
 *     xmtp_status status = xmtp_node_open(&node, &options, &error);
 *     ...
 *     xmtp_node_close(node);
 *
 * Everything that was acknowledged to a client is on the disk before the answer leaves, survives
 * kill -9, and is found again at the next open. A folder is used by one node at a time.
 */
#ifndef XMTP_NODE_H
#define XMTP_NODE_H

#include <xmtp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { XMTP_NODE_CHAIN_RPC_MAX = 16, XMTP_NODE_LISTEN_MAX = 16, XMTP_NODE_LOOPS_MAX = 64 };

typedef struct xmtp_node xmtp_node;

/* How much one request may ask for. 0 in a field: the default, which `xmtp node --help` tells with
 * the range in which it makes sense. Lengths are bytes. */
typedef struct xmtp_node_limits {
    uint64_t group_message_len;
    uint64_t welcome_len;
    uint64_t key_package_len;
    uint64_t identity_update_len;
    uint64_t commit_log_entry_len;
    uint64_t reply_len;
    uint64_t messages; /* of one request; so are the following */
    uint64_t rows;     /* of a page; at most 100 */
    uint64_t keys;
    uint64_t groups;
    uint64_t inboxes;
    uint64_t wallet_checks;
    uint64_t commit_log_publish;
    uint64_t commit_log_query;
    uint64_t filters;
    uint64_t session_topics; /* of one bidirectional Subscribe */
    uint64_t inbox_log;      /* updates of one inbox; at most 256 */
    uint64_t inbox_log_revoke;
    uint64_t inbox_states;     /* kept in memory */
    uint64_t index_len;        /* of the file index/data.mdb */
    uint64_t history_file_len; /* files of device sync: one, all together, and how old */
    uint64_t history_len;
    uint64_t history_hours;
    uint64_t history_transfers;  /* at once */
    uint64_t request_len;        /* at most 50 MiB */
    uint64_t connection_streams; /* calls and streams open at once on one connection */
    uint64_t silent_connections; /* that have not asked anything yet, of one loop */
    uint64_t call_seconds;       /* until a unary call is given up */
    uint64_t drain_seconds;      /* for which calls that run may go on when the node is closed */
    uint64_t ping_seconds;       /* of silence until the peer of an HTTP/2 connection is asked */
} xmtp_node_limits;

/* How much one client address may ask for, and who is asked about it. Addresses of IPv6 count by
 * their first 64 bits. 0 in reads, writes or streams: no limit. */
typedef struct xmtp_node_rates {
    uint64_t reads;            /* in 5 minutes */
    uint64_t writes;           /* messages and other things to store, in 5 minutes */
    uint64_t streams;          /* opened, in 1 minute */
    uint64_t connections_open; /* at once; 0: any number */
    uint64_t streams_open;
    uint64_t addresses_max; /* that are remembered; 0: 100000 */
    /* Networks whose x-forwarded-for header is believed; ended by NULL. */
    const char *trusted_proxies[XMTP_NODE_LISTEN_MAX + 1];
    /* Files with a network or a key a line; NULL: none. */
    const char *allow_file;   /* no limits for these */
    const char *deny_file;    /* nothing for these */
    const char *api_key_file; /* no limits with one of these in the header x-api-key */
} xmtp_node_rates;

/* On which addresses tools may ask what is served (gRPC server reflection). */
typedef enum xmtp_node_reflection {
    XMTP_NODE_REFLECT_LOCALLY, /* loopback addresses without PROXY headers */
    XMTP_NODE_REFLECT_EVERYWHERE,
    XMTP_NODE_REFLECT_NOWHERE,
} xmtp_node_reflection;

typedef struct xmtp_node_options {
    /* Must outlive the node. NULL: the operating system. */
    const xmtp_env *env;

    /* Where everything is stored; made when it is not there (its parent must be). NULL: in memory,
     * gone when the node is closed. */
    const char *data_dir;

    /* Where to listen, and for what: "127.0.0.1:5556" serves everything, "web=[::1]:5557" only
     * gRPC-web. Before the "=" there may be several words with "+" between them:
     *     grpc      gRPC over HTTP/2
     *     web       gRPC-web, over HTTP/1.1 and HTTP/2
     *     gateway   HTTP with protobuf or JSON bodies, one path a method
     *     history   files of device sync: POST /upload, GET /files/<id>
     *     admin     pages /status and /metrics for operators; never unless named
     *     validation  gRPC of xmtp.mls_validation.v1.ValidationApi; never unless named
     *     proxy     connections begin with a PROXY header, version 1 or 2; others are refused
     *     clear     clear text besides TLS, where there is a certificate
     * Port 0 takes any free one, see xmtp_node_port. Ended by NULL; none at all: the node is
     * reached through xmtp_node_transport only. */
    const char *listen[XMTP_NODE_LISTEN_MAX + 1];

    /* PEM files: the certificate chain, leaf first, and its key. Every address then speaks TLS (1.2
     * and 1.3). They are read again when they change and by xmtp_node_reload. NULL: clear text. */
    const char *tls_certificate;
    const char *tls_key;

    xmtp_node_limits limits;
    xmtp_node_rates rates;

    /* For how many days records are kept; 0: for ever. Commits, identity updates and commit logs are
     * kept for ever in any case, and so is the newest record of a group or an installation. */
    uint64_t keep_welcomes_days;     /* not less than 90: a welcome outlives its key package */
    uint64_t keep_messages_days;     /* not less than 30: clients may send one again so late */
    uint64_t keep_key_packages_days; /* not less than 90: they are valid for 84 */

    /* Nodes of Ethereum chains that are asked about contract wallets: "8453=https://...", a chain's
     * second node as a second entry. Ended by NULL. Wallets on other chains are refused. */
    const char *chain_rpc[XMTP_NODE_CHAIN_RPC_MAX + 1];

    /* Threads that serve connections; 0: one per core. Above XMTP_NODE_LOOPS_MAX counts as that. */
    size_t loops;

    /* For tests: what a call stores is stored by the thread that calls, so that everything happens in
     * one order. One thread at a time, and no address to listen on (XMTP_E_ARGUMENT). */
    bool one_thread;

    /* The bidirectional Subscribe (XIP-83) is answered with UNIMPLEMENTED; clients then fall back. */
    bool no_bidi;

    xmtp_node_reflection reflection;

    /* Told in one line what an operator should know: what recovery cut from the log, that the disk
     * is full. Any thread. May be NULL. */
    void *notice_context;
    void (*notice)(void *context, const char *line);
} xmtp_node_options;

/* Recovers what is stored, starts the threads, listens. options are copied, except env.
 *
 * XMTP_E_LOCKED     another node uses the folder
 * XMTP_E_CORRUPT    stored data is damaged: error tells file and offset. Nothing was changed
 * XMTP_E_NETWORK    an address cannot be listened on
 * XMTP_E_ARGUMENT   an address cannot be read, a certificate cannot be used
 * XMTP_E_IO, XMTP_E_DISK_FULL, XMTP_E_DATABASE, XMTP_E_NOMEM */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_node_open(xmtp_node **out,
                                                    const xmtp_node_options *options,
                                                    xmtp_error *error);

/* Ends streams with UNAVAILABLE, tells connections to go away (GOAWAY), answers the calls that run for
 * up to drain_seconds, stores what waits, frees everything. Transports of the node must be closed
 * before. Takes NULL. */
XMTP_API void xmtp_node_close(xmtp_node *node);

/* Reads the TLS certificate and the lists of addresses and keys again; connections go on with the
 * ones they began with. After a failure the old ones stay in use. Any thread. XMTP_E_IO, XMTP_E_ARGUMENT, XMTP_E_NOMEM. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_node_reload(xmtp_node *node, xmtp_error *error);

/* The port that listen[index] got; 0 when there is no such address. */
XMTP_API uint16_t xmtp_node_port(const xmtp_node *node, size_t index);

/* Fills out with a transport that calls the node directly, with the same answers as over the
 * network. Its close must be called before the node is closed. Defined in rpc/transport.h.
 * XMTP_E_NOMEM, XMTP_E_IO. */
struct xmtp_transport;
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_node_transport(xmtp_node *node,
                                                         struct xmtp_transport *out);

#ifdef __cplusplus
}
#endif
#endif
