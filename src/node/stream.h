/* stream.h - opening a stream: from path and first request to a feed. */
#ifndef XMTP_NODE_STREAM_H
#define XMTP_NODE_STREAM_H

#include "node/feed.h"
#include "node/node_internal.h"

/* How long a reader may stay behind without taking anything (node.md 2.2). */
#define XMTP_NODE_BEHIND_NS_MAX (UINT64_C(60) * 1000000000)

/* True when path is one of a streaming method. */
bool xmtp_node_is_stream(const char *path);

/* May read from memory for some milliseconds: many filters take long. ready: there may be something
 * again after next said XMTP_E_RETRY; any thread, also under locks of the node: it only takes note.
 * XMTP_E_ARGUMENT, XMTP_E_UNSUPPORTED, XMTP_E_NOMEM. */
xmtp_status xmtp_node_stream_open(xmtp_node *node, const char *path, xmtp_bytes request,
                                  void *context, void (*ready)(void *context), xmtp_node_feed **out,
                                  xmtp_error *error);

#endif
