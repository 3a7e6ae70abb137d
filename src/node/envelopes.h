/* envelopes.h - the streams of MessageApi, for push servers (node.md 2.11): group messages and
 * welcomes as Envelope { content_topic, timestamp_ns, message }.
 *
 *     Subscribe      a list of topics          Subscribe2   a list that each request replaces
 *     SubscribeAll   every topic
 *
 * They begin with what is published from now on, or, with the request header
 *     x-start-after-id: <group message id>,<welcome id>
 * behind these ids, in their order, so that a push server that was away misses nothing. Either
 * number may be left out; that kind then begins now.
 */
#ifndef XMTP_NODE_ENVELOPES_H
#define XMTP_NODE_ENVELOPES_H

#include "node/dispatcher.h"
#include "node/feed.h"

typedef struct xmtp_node_envelopes_options {
    bool wants_all; /* SubscribeAll; request is not looked at */
    size_t topics_max;
    bool takes_requests;     /* Subscribe2; begins without topics */
    xmtp_bytes request;      /* encoded, of Subscribe */
    const char *start_after; /* "" when there is none */
    void *context;
    void (*ready)(void *context); /* as in xmtp_node_tap_take */
} xmtp_node_envelopes_options;

/* XMTP_E_ARGUMENT, XMTP_E_LIMIT, XMTP_E_NOMEM. */
xmtp_status xmtp_node_envelopes_open(xmtp_node_feed **out, xmtp_node_dispatcher *dispatcher,
                                     const xmtp_node_envelopes_options *options, xmtp_error *error);

#endif
