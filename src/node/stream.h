/* stream.h - opening a server stream: from path and request bytes to a subscription. */
#ifndef XMTP_NODE_STREAM_H
#define XMTP_NODE_STREAM_H

#include "node/node_internal.h"

/* True when path is one of a streaming method. */
bool xmtp_node_is_stream(const char *path);

/* ready as in xmtp_node_subscription_options.
 * Health/Watch is a stream too: its one message is in *first (static memory), empty otherwise. */
xmtp_status xmtp_node_stream_open(xmtp_node *node, const char *path, xmtp_bytes request,
                                  void *context, void (*ready)(void *context),
                                  xmtp_node_subscription **out, xmtp_bytes *first,
                                  xmtp_error *error);

#endif
