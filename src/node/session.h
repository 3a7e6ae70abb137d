/* session.h - the bidirectional MlsApi/Subscribe (XIP-83; node.md 2.8): one stream whose topics the
 * client adds and removes while it runs.
 *
 *     Mutate(adds, id) --> wave: replay tagged with the id, in the order of ids per kind
 *                          --> TopicsLive, CatchupComplete(id) --> live, tagged with 0
 *
 * Where the official node only promises order within a topic, a wave here is one ascending pass per
 * kind over all its topics, which older clients rely on.
 */
#ifndef XMTP_NODE_SESSION_H
#define XMTP_NODE_SESSION_H

#include "node/dispatcher.h"
#include "node/feed.h"

enum {
    XMTP_NODE_KEEP_ALIVE_MS = 30000, /* nothing sent for so long: Ping; and so long for its Pong */
    XMTP_NODE_MUTATE_ADDS_MAX = 100000,
    XMTP_NODE_SESSION_WAVES_MAX = 256,
    XMTP_NODE_FRAME_LEN_MAX = 2 * 1024 * 1024, /* of messages; a larger one travels alone */
};

/* topics_max: at once. Its first message is Started. Its ops->request takes encoded SubscribeRequests, which may take
 * long. ready as in xmtp_node_tap_take. XMTP_E_NOMEM. */
xmtp_status xmtp_node_session_open(xmtp_node_feed **out, xmtp_node_dispatcher *dispatcher,
                                   uint64_t topics_max, void *context,
                                   void (*ready)(void *context));

#endif
