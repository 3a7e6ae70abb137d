/* limiter.h - how much one client address may ask for: three buckets that refill all the time.
 *
 *     bucket     full: limit     each call takes its cost     refill: limit per period, evenly
 *
 * Reads, writes and openings of streams do not take from each other. An address is an IPv4 address
 * or the first 64 bits of an IPv6 address, which belong to one customer. Of each address the moment
 * at which its buckets will be full again is remembered (the generic cell rate algorithm), and of
 * at most so many addresses: the one that was quiet longest is forgotten first.
 *
 * Threads: any.
 */
#ifndef XMTP_NODE_LIMITER_H
#define XMTP_NODE_LIMITER_H

#include <xmtp/base.h>

typedef enum xmtp_node_rate {
    XMTP_NODE_RATE_READ,
    XMTP_NODE_RATE_WRITE,
    XMTP_NODE_RATE_STREAM,
    XMTP_NODE_RATE_COUNT
} xmtp_node_rate;

/* An IPv4 address as ::ffff:a.b.c.d. */
typedef struct xmtp_node_ip {
    uint8_t p[16];
} xmtp_node_ip;

/* What counts as one address: of IPv6 the first 64 bits, the rest zero. */
xmtp_node_ip xmtp_node_ip_customer(const xmtp_node_ip *ip);

typedef struct xmtp_node_limiter_options {
    const xmtp_env *env;
    uint64_t limit[XMTP_NODE_RATE_COUNT]; /* per period, and at once; 0: no limit */
    uint64_t period_ns[XMTP_NODE_RATE_COUNT];
    size_t addresses_max;
} xmtp_node_limiter_options;

typedef struct xmtp_node_limiter xmtp_node_limiter;

typedef struct xmtp_node_verdict {
    bool is_allowed;
    uint64_t limit;
    uint64_t remaining;      /* after this call */
    uint64_t retry_after_ms; /* refused: when the same call will be allowed */
} xmtp_node_verdict;

xmtp_status xmtp_node_limiter_new(xmtp_node_limiter **out,
                                  const xmtp_node_limiter_options *options);
void xmtp_node_limiter_free(xmtp_node_limiter *limiter); /* takes NULL */

/* Takes cost from a bucket, or nothing when there is not so much in it. A cost above the limit is
 * allowed when the bucket is full, and empties it for longer: else it never would be. now_ns: of a
 * clock that does not go back. */
xmtp_node_verdict xmtp_node_limiter_take(xmtp_node_limiter *limiter, const xmtp_node_ip *ip,
                                         xmtp_node_rate rate, uint64_t cost, uint64_t now_ns);

size_t xmtp_node_limiter_count(xmtp_node_limiter *limiter); /* addresses that are remembered */

#endif
