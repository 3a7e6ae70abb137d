/* history.h - files that installations of one inbox hand each other (device sync): uploaded
 * encrypted by one, fetched once or twice by another, deleted when they are old.
 *
 *     POST /upload        body: the file, of any length up to a limit   200, its id as text
 *     GET /files/<id>                                                   200, the file; 404
 *
 * As the official history server does it: no account, the id (a random UUID) is the secret, what is
 * in a file is encrypted with a key that only the inbox knows. Files stream to and from the disk,
 * in the folder "history" of the node's data, by the workers' threads. When the id is answered, the
 * file is durable; of an upload that did not come to its end nothing is left, at the latest after the
 * next start.
 *
 * Threads: any number of loops; a transfer belongs to the loop of its connection.
 */
#ifndef XMTP_NODE_HISTORY_H
#define XMTP_NODE_HISTORY_H

#include "node/workers.h"
#include "rpc/http_exchange.h"

typedef struct xmtp_node_history xmtp_node_history;

typedef struct xmtp_node_history_options {
    const xmtp_env *env;
    const char *dir;       /* the node's; "history" is made in it. NULL: nothing is stored */
    uint64_t file_len_max; /* of one file */
    uint64_t len_max;      /* of all together */
    uint64_t age_max_ns;
    uint64_t transfers_max; /* at one time; each holds a file descriptor */
} xmtp_node_history_options;

/* Removes what is too old and what was not finished. XMTP_E_IO with the sentence, XMTP_E_NOMEM. */
xmtp_status xmtp_node_history_open(xmtp_node_history **out,
                                   const xmtp_node_history_options *options, xmtp_error *error);
/* No transfer may be running. Takes NULL. */
void xmtp_node_history_close(xmtp_node_history *history);

/* Lets a worker delete files that are too old. */
void xmtp_node_history_sweep(xmtp_node_history *history, xmtp_node_workers *workers);

/* The path is one of the two. */
bool xmtp_node_history_is_for(const xmtp_http_exchange *x);

/* Takes the exchange over, from within the server's begin. Its peer is an xmtp_node_connection. */
void xmtp_node_history_begin(xmtp_node_history *history, xmtp_http_exchange *x);

#endif
