/* dispatcher.h - what the sequencer has stored, given to whoever waits for it.
 *
 *     publish --> topic --> watch --> tap { queue of places } --ready--> its owner takes them
 *                       '-> watch --> tap ...
 *
 * A tap queues places, not messages, and only so many. When its owner is slower than that the queue
 * is emptied and the owner told to replay from where it is: nothing is lost, nobody is cut off.
 * Subscriptions (subscription.h), sessions and the streams of push servers are owners of taps.
 *
 * Linking and publishing hold one lock. So who links a watch and then reads the published id P gets
 * everything behind P through the tap, and finds everything up to P in the archive.
 *
 * Threads: publish is called by the sequencer; a tap belongs to one thread at a time, different ones
 * may use different threads.
 */
#ifndef XMTP_NODE_DISPATCHER_H
#define XMTP_NODE_DISPATCHER_H

#include "node/archive.h"

typedef struct xmtp_node_dispatcher xmtp_node_dispatcher;
typedef struct xmtp_node_tap xmtp_node_tap;

enum { XMTP_NODE_LIVE_COUNT_MAX = 4096 /* places waiting in one tap */ };

xmtp_status xmtp_node_dispatcher_new(xmtp_node_dispatcher **out, const xmtp_env *env,
                                     xmtp_node_archive *archive);
void xmtp_node_dispatcher_free(xmtp_node_dispatcher *dispatcher); /* takes NULL */

xmtp_node_archive *xmtp_node_dispatcher_archive(const xmtp_node_dispatcher *dispatcher);
const xmtp_env *xmtp_node_dispatcher_env(const xmtp_node_dispatcher *dispatcher);

/* One stored entry, in order of ids within its kind. */
void xmtp_node_dispatcher_publish(xmtp_node_dispatcher *dispatcher, const xmtp_node_entry *entry);

/* The id of a kind that was published last. */
uint64_t xmtp_node_dispatcher_published(xmtp_node_dispatcher *dispatcher, xmtp_node_kind kind);

/* How many watches are linked. */
size_t xmtp_node_dispatcher_watch_count(xmtp_node_dispatcher *dispatcher);

/* ---- watches: one topic of one tap; in memory of the owner, who must not move a linked one */

typedef struct xmtp_node_watch {
    xmtp_node_tap *tap;
    struct xmtp_node_watch *next_of_topic;
    struct xmtp_node_watch **previous_of_topic; /* what points to this one; NULL: not linked */
    uint8_t key_len;
    uint8_t key[1 + XMTP_NODE_TOPIC_LEN_MAX]; /* kind, topic; only the kind: all topics of it */
} xmtp_node_watch;

/* An empty topic stands for all topics of the kind. */
void xmtp_node_watch_init(xmtp_node_watch *watch, xmtp_node_tap *tap, xmtp_node_kind kind,
                          xmtp_bytes topic);

static inline xmtp_node_kind xmtp_node_watch_kind(const xmtp_node_watch *watch)
{
    return (xmtp_node_kind)watch->key[0];
}

static inline xmtp_bytes xmtp_node_watch_topic(const xmtp_node_watch *watch)
{
    return (xmtp_bytes){.p = watch->key + 1, .n = watch->key_len - 1U};
}

/* Links count watches, each the first member of a struct of stride bytes; publishers may come in
 * between. XMTP_E_NOMEM: some are linked. */
xmtp_status xmtp_node_watches_link(void *first, size_t stride, size_t count);
/* Places of these watches that wait in their tap are dropped. Takes watches that are not linked. */
void xmtp_node_watches_unlink(void *first, size_t stride, size_t count);

/* ---- taps */

xmtp_status xmtp_node_tap_new(xmtp_node_tap **out, xmtp_node_dispatcher *dispatcher, void *context,
                              void (*ready)(void *context));
/* Its watches must be unlinked. ready is not called after this. Takes NULL. */
void xmtp_node_tap_free(xmtp_node_tap *tap);

/* The next place. XMTP_E_RETRY: none; ready will be called when there is one, by the sequencer's
 * thread, under the dispatcher's lock: it may not use the dispatcher. XMTP_E_LIMIT: too many came,
 * none is kept; everything up to what is published now has to be replayed. */
xmtp_status xmtp_node_tap_take(xmtp_node_tap *tap, xmtp_node_watch **watch, xmtp_node_place *place);

/* True when the next take will say XMTP_E_LIMIT. */
bool xmtp_node_tap_is_behind(const xmtp_node_tap *tap);

#endif
