/* link.h - one TCP connection to a node and the client_conn on it. Private to the gRPC transport.
 *
 *     client_conn <-- read_all -- socket
 *     client_conn -- out[] -- write_all --> socket
 */
#ifndef XMTP_RPC_LINK_H
#define XMTP_RPC_LINK_H

#include "rpc/client_conn.h"
#include "rpc/list.h"

enum { XMTP_LINK_BUFFER_LEN = 64 * 1024 };

typedef struct xmtp_link {
    xmtp_list list;
    const xmtp_alloc *alloc;
    int fd;
    xmtp_rpc_client_conn *conn;
    size_t out_at; /* out[out_at .. out_n) waits for the socket */
    size_t out_n;
    uint64_t tick_at_ns; /* when tick is due again */
    uint8_t out[XMTP_LINK_BUFFER_LEN];
} xmtp_link;

/* Takes fd, also on failure. XMTP_E_NOMEM. */
xmtp_status xmtp_link_new(xmtp_link **out, const xmtp_alloc *alloc, int fd,
                          const xmtp_rpc_client_options *options);

/* Says goodbye if the socket takes it, closes, frees. Running calls end with XMTP_E_NETWORK. */
void xmtp_link_free(xmtp_link *link);

/* Moves bytes both ways as far as the socket goes without blocking, and keeps alive. Any failure
 * means: free the link; *why is then one sentence. */
xmtp_status xmtp_link_work(xmtp_link *link, const char **why);

/* poll(2) events of interest. */
short xmtp_link_events(const xmtp_link *link);

#endif
