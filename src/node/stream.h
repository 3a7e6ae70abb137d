/* stream.h - opening a stream: from path and first request to a feed. */
#ifndef XMTP_NODE_STREAM_H
#define XMTP_NODE_STREAM_H

#include "node/feed.h"
#include "node/node_internal.h"

/* True when path is one of a method that streams its answer, and takes one request. */
bool xmtp_node_is_stream(const char *path);
/* True when it also takes any number of requests. */
bool xmtp_node_is_bidi(const char *path);

typedef struct xmtp_node_stream_request {
    const char *path;
    xmtp_bytes request;      /* the only one; empty for methods that take several */
    unsigned protocols;      /* xmtp_node_protocol of the port, or-ed; 0 without one */
    const char *start_after; /* header x-start-after-id, "" when there is none */
    /* There may be something again after next said XMTP_E_RETRY; any thread, also under locks of the
     * node: it only takes note. */
    void *context;
    void (*ready)(void *context);
} xmtp_node_stream_request;

/* May take some milliseconds: many filters take long. XMTP_E_ARGUMENT, XMTP_E_UNSUPPORTED,
 * XMTP_E_NOMEM. */
xmtp_status xmtp_node_stream_open(xmtp_node *node, const xmtp_node_stream_request *asked,
                                  xmtp_node_feed **out, xmtp_error *error);

#endif
