/* access.h - who may ask at all and for how much: lists of addresses, API keys, rates.
 *
 *     denied address            PERMISSION_DENIED "request blocked"
 *     allowed address, API key  no limit
 *     everybody else            limiter.h; RESOURCE_EXHAUSTED with retry-after-ms, x-ratelimit-limit
 *                               and x-ratelimit-remaining; tally.h for what may be open at once
 *
 * The lists are files, a network ("192.0.2.0/24", "2001:db8::/32", an address alone) or a key a
 * line, "#" begins a comment. They are read again every 60 s when they have changed, and on reload.
 * A file that cannot be read then is told, and the old list stays.
 *
 * Threads: any.
 */
#ifndef XMTP_NODE_ACCESS_H
#define XMTP_NODE_ACCESS_H

#include "node/tally.h"

#include <xmtp/node.h>

enum { XMTP_NODE_NETWORKS_MAX = 100000, XMTP_NODE_API_KEYS_MAX = 10000 };

typedef struct xmtp_node_access xmtp_node_access;

typedef struct xmtp_node_access_options {
    const xmtp_env *env;
    xmtp_node_rates rates; /* of the node's options */
    void *notice_context;
    void (*notice)(void *context, const char *line);
} xmtp_node_access_options;

/* XMTP_E_ARGUMENT a line of a file or a trusted proxy cannot be read: error names file and line.
 * XMTP_E_IO, XMTP_E_NOMEM. */
xmtp_status xmtp_node_access_new(xmtp_node_access **out, const xmtp_node_access_options *options,
                                 xmtp_error *error);
void xmtp_node_access_free(xmtp_node_access *access); /* takes NULL */

/* Reads the lists again, if they have changed. The old ones stay when that fails. */
xmtp_status xmtp_node_access_reload(xmtp_node_access *access, xmtp_error *error);

/* "192.0.2.1" or "2001:db8::1"; false: neither. */
bool xmtp_node_ip_parse(const char *text, xmtp_node_ip *out);

/* One call. */
typedef struct xmtp_node_request_origin {
    xmtp_node_ip ip;       /* of the connection, or of the client that its PROXY header names */
    const char *forwarded; /* of x-forwarded-for; counts when ip is a trusted proxy */
    const char *api_key;
} xmtp_node_request_origin;

typedef struct xmtp_node_admission {
    bool is_denied;
    bool is_full;        /* a stream: its address has as many open as it may */
    xmtp_node_seat seat; /* of a stream that is allowed; left by the caller at its end */
    xmtp_node_rate rate;
    xmtp_node_verdict verdict; /* limit 0: there is none for this call */
} xmtp_node_admission;

/* How many connections or streams one address may have open; 0: any number. */
uint64_t xmtp_node_access_connections_max(const xmtp_node_access *access);
uint64_t xmtp_node_access_streams_max(const xmtp_node_access *access);

/* A connection of this address. False: it has as many as it may. The seat is to be left at its end.
 * Allowed addresses and trusted proxies are not counted. */
bool xmtp_node_access_connect(xmtp_node_access *access, const xmtp_node_ip *ip,
                              xmtp_node_seat *seat);

/* now_ns: of a clock that does not go back. */
xmtp_node_admission xmtp_node_access_admit(xmtp_node_access *access,
                                           const xmtp_node_request_origin *origin, const char *path,
                                           xmtp_bytes request, uint64_t now_ns);

#endif
