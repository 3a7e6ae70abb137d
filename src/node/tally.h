/* tally.h - how many things of one kind each client address has open, and no more than so many.
 *
 * Addresses count as in limiter.h: IPv4, or the first 64 bits of IPv6. Only addresses that have
 * something open take memory.
 *
 * Threads: any.
 */
#ifndef XMTP_NODE_TALLY_H
#define XMTP_NODE_TALLY_H

#include "node/limiter.h"

typedef struct xmtp_node_tally xmtp_node_tally;

/* max: at least 1. XMTP_E_NOMEM, XMTP_E_RANDOM. */
xmtp_status xmtp_node_tally_new(xmtp_node_tally **out, const xmtp_env *env, uint64_t max);
void xmtp_node_tally_free(xmtp_node_tally *tally); /* takes NULL; nothing may be seated */

/* One thing that is counted while it is open; zeroed: none. */
typedef struct xmtp_node_seat {
    xmtp_node_tally *tally; /* NULL: it is not counted */
    xmtp_node_ip ip;
} xmtp_node_seat;

/* False: the address has as many as it may, or there is no memory. */
bool xmtp_node_seat_take(xmtp_node_seat *seat, xmtp_node_tally *tally, const xmtp_node_ip *ip);
/* Takes one that is not counted too. */
void xmtp_node_seat_leave(xmtp_node_seat *seat);

/* How many one address may have. */
uint64_t xmtp_node_tally_max(const xmtp_node_tally *tally);

#endif
