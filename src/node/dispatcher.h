/* dispatcher.h - subscriptions: everything after a cursor, in order, each once, for ever.
 *
 *     subscribe:  register topics, read the published id P
 *                 --> replay (cursor, P] of each topic from the archive
 *                 --> live: what the sequencer published since, in the order of ids
 *
 * Registering and publishing hold one lock, so what is published is either at most P or comes live:
 * no gap, no doubles. A subscription queues places, not messages, and only so many. A reader too
 * slow for that is not cut off: its queue is emptied and it replays from where it is.
 *
 * Threads: publish is called by the sequencer; a subscription belongs to one thread, different ones
 * may use different threads.
 */
#ifndef XMTP_NODE_DISPATCHER_H
#define XMTP_NODE_DISPATCHER_H

#include "node/archive.h"

typedef struct xmtp_node_dispatcher xmtp_node_dispatcher;
typedef struct xmtp_node_subscription xmtp_node_subscription;

enum { XMTP_NODE_LIVE_COUNT_MAX = 4096 /* places waiting for one reader */ };

xmtp_status xmtp_node_dispatcher_new(xmtp_node_dispatcher **out, const xmtp_env *env,
                                     xmtp_node_archive *archive);
void xmtp_node_dispatcher_free(xmtp_node_dispatcher *dispatcher); /* takes NULL */

/* One stored entry, in order of ids within its kind. */
void xmtp_node_dispatcher_publish(xmtp_node_dispatcher *dispatcher, const xmtp_node_entry *entry);

typedef struct xmtp_node_filter {
    xmtp_bytes topic;
    uint64_t cursor;
} xmtp_node_filter;

typedef struct xmtp_node_subscription_options {
    xmtp_node_kind kind;
    const xmtp_node_filter *filters; /* copied; the lowest cursor of a topic counts */
    size_t filter_count;             /* 0: a subscription to nothing, which is allowed */
    void *context;
    /* Called after next said XMTP_E_RETRY when there is something again; by the sequencer's thread,
     * under the dispatcher's lock: it may not use the dispatcher. */
    void (*ready)(void *context);
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

#endif
