/* subscription.h - a fixed list of topics of one kind: everything after a cursor, in order, each
 * once, for ever (node.md 2.2, 2.7).
 *
 *     subscribe:  link watches, read the published id P
 *                 --> replay (cursor, P] of each topic from the archive
 *                 --> live: what was published since, in the order of ids
 *
 * A reader too slow for its tap replays from where it is. Threads: one at a time.
 */
#ifndef XMTP_NODE_SUBSCRIPTION_H
#define XMTP_NODE_SUBSCRIPTION_H

#include "node/dispatcher.h"

typedef struct xmtp_node_subscription xmtp_node_subscription;

typedef struct xmtp_node_filter {
    xmtp_bytes topic;
    uint64_t cursor;
} xmtp_node_filter;

typedef struct xmtp_node_subscription_options {
    xmtp_node_kind kind;
    const xmtp_node_filter *filters; /* copied; the lowest cursor of a topic counts */
    size_t filter_count;             /* 0: a subscription to nothing, which is allowed */
    void *context;
    void (*ready)(void *context); /* as in xmtp_node_tap_take */
} xmtp_node_subscription_options;

/* XMTP_E_NOMEM. */
xmtp_status xmtp_node_subscribe(xmtp_node_dispatcher *dispatcher,
                                const xmtp_node_subscription_options *options,
                                xmtp_node_subscription **out);
void xmtp_node_subscription_free(xmtp_node_subscription *subscription); /* takes NULL */

/* The next message, appended to out as its payload. XMTP_E_RETRY: nothing now, wait for ready.
 * Others: it cannot be read, and the subscription must be freed. */
xmtp_status xmtp_node_subscription_next(xmtp_node_subscription *subscription, xmtp_writer *out,
                                        xmtp_error *error);

/* Nothing to replay: what next gives is live. */
bool xmtp_node_subscription_is_live(const xmtp_node_subscription *subscription);

/* Its tap was full, and it has not caught up since. */
bool xmtp_node_subscription_is_behind(const xmtp_node_subscription *subscription);

#endif
