/* feed.h - where the messages of a stream come from, and where its requests go.
 *
 * A driver (the listener, the in-process transport) knows streams only by this: it asks for the next
 * message until there is none, and again after the feed has called ready. What is behind it is a
 * subscription (stream.c) or a session of the bidirectional Subscribe (session.c).
 *
 * Threads: one at a time uses a feed; ready may be called by any, see xmtp_node_stream_open.
 */
#ifndef XMTP_NODE_FEED_H
#define XMTP_NODE_FEED_H

#include "base/writer.h"

#include <xmtp/base.h>

typedef struct xmtp_node_feed xmtp_node_feed;

typedef struct xmtp_node_feed_ops {
    xmtp_status (*next)(xmtp_node_feed *feed, xmtp_writer *out, xmtp_error *error);
    bool (*is_quick)(xmtp_node_feed *feed);
    xmtp_status (*tick)(xmtp_node_feed *feed, uint64_t now_ns, xmtp_error *error);
    /* Of feeds that take requests besides their first; otherwise NULL. */
    xmtp_status (*request)(xmtp_node_feed *feed, xmtp_bytes request, xmtp_error *error);
    void (*half_close)(xmtp_node_feed *feed);
    void (*free)(xmtp_node_feed *feed);
} xmtp_node_feed_ops;

/* First member of what is behind it. */
struct xmtp_node_feed {
    const xmtp_node_feed_ops *ops;
};

/* Appends the next message. XMTP_E_RETRY: nothing now, wait for ready. XMTP_E_CLOSED: the stream ends
 * with OK. Others: it ends with that, and the sentence in error. After an end only free may follow. */
static inline xmtp_status xmtp_node_feed_next(xmtp_node_feed *feed, xmtp_writer *out,
                                              xmtp_error *error)
{
    return feed->ops->next(feed, out, error);
}

/* True when next will not wait for the disk: what it has is from just now. */
static inline bool xmtp_node_feed_is_quick(xmtp_node_feed *feed)
{
    return feed->ops->is_quick(feed);
}

/* Time passes; about once a second, with a clock that does not go back. XMTP_E_RETRY: nothing
 * changes. XMTP_OK: next may have something. Others: the stream ends, as in next. */
static inline xmtp_status xmtp_node_feed_tick(xmtp_node_feed *feed, uint64_t now_ns,
                                              xmtp_error *error)
{
    return feed->ops->tick(feed, now_ns, error);
}

/* Takes NULL. ready is not called after this. */
static inline void xmtp_node_feed_free(xmtp_node_feed *feed)
{
    if (feed != NULL) {
        feed->ops->free(feed);
    }
}

#endif
