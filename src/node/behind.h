/* behind.h - how long a reader may stay behind: 60 s in which it takes nothing (node.md 2.2).
 *
 * Behind is who had a full tap and has not caught up since. One that takes something, however slow
 * it is, is not given up: it costs no more memory than others.
 */
#ifndef XMTP_NODE_BEHIND_H
#define XMTP_NODE_BEHIND_H

#include "base/status.h"

#define XMTP_NODE_BEHIND_NS_MAX (UINT64_C(60) * 1000000000)

typedef struct xmtp_node_behind {
    bool is_behind;
    uint64_t taken;    /* messages, ever */
    uint64_t since_ns; /* it has not been behind, or has taken something, the last time */
    uint64_t taken_then;
} xmtp_node_behind;

static inline void xmtp_node_behind_begin(xmtp_node_behind *b)
{
    b->is_behind = true;
}

static inline void xmtp_node_behind_end(xmtp_node_behind *b)
{
    b->is_behind = false;
}

static inline void xmtp_node_behind_progress(xmtp_node_behind *b)
{
    b->taken++;
}

/* is_full: the tap is full right now. As xmtp_node_feed_tick. */
static inline xmtp_status xmtp_node_behind_tick(xmtp_node_behind *b, bool is_full, uint64_t now_ns,
                                                xmtp_error *error)
{
    if (!(b->is_behind || is_full) || b->taken != b->taken_then || b->since_ns == 0) {
        b->since_ns = now_ns;
        b->taken_then = b->taken;
    }
    if (now_ns - b->since_ns >= XMTP_NODE_BEHIND_NS_MAX) {
        return xmtp_fail(error, XMTP_E_ABORTED,
                         "the stream is behind and nothing was taken from it for 60 s");
    }
    return XMTP_E_RETRY;
}

#endif
