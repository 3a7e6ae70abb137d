/* link.h - one TCP connection to a node and the client_conn on it. Private to the gRPC transport.
 *
 *     client_conn <-- [TLS] <-- read_all -- socket
 *     client_conn --> [TLS] --> out[] -- write_all --> socket
 *
 * Over TLS calls may be started at once: they wait in client_conn until the handshake is over, and end
 * with its verdict when it fails.
 */
#ifndef XMTP_RPC_LINK_H
#define XMTP_RPC_LINK_H

#include "rpc/client_conn.h"
#include "rpc/list.h"
#include "rpc/tls_client.h"

enum { XMTP_LINK_BUFFER_LEN = 64 * 1024 };

typedef struct xmtp_link {
    xmtp_list list;
    const xmtp_alloc *alloc;
    int fd;
    xmtp_rpc_client_conn *conn;
    xmtp_tls_client *tls_client; /* NULL, as tls: clear text */
    xmtp_tls_conn *tls;
    uint64_t handshake_by_ns;
    xmtp_error why; /* what TLS says about its failure */
    size_t out_at;  /* out[out_at .. out_n) waits for the socket */
    size_t out_n;
    uint64_t tick_at_ns; /* when tick is due again */
    uint8_t out[XMTP_LINK_BUFFER_LEN];
} xmtp_link;

/* Takes fd, also on failure. tls NULL: clear text; must outlive the link, and has until handshake_by_ns
 * (xmtp_tcp_now_ns) for its handshake. XMTP_E_NOMEM. */
xmtp_status xmtp_link_new(xmtp_link **out, const xmtp_alloc *alloc, int fd, xmtp_tls_client *tls,
                          uint64_t handshake_by_ns, const xmtp_rpc_client_options *options);

/* Says goodbye if the socket takes it, closes, frees. Running calls end with XMTP_E_NETWORK. */
void xmtp_link_free(xmtp_link *link);

/* Moves bytes both ways as far as the socket goes without blocking, and keeps alive. Any failure
 * means: free the link; *why is then one sentence, valid until then. */
xmtp_status xmtp_link_work(xmtp_link *link, const char **why);

/* poll(2) events of interest. */
short xmtp_link_events(const xmtp_link *link);

#endif
