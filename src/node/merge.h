/* merge.h - the stored messages of many topics of one kind, as one list ascending by id.
 *
 *     topic A: 3 7 9        heap of the topics' next ids --> 2 3 5 7 9
 *     topic B: 2 5
 *
 * Memory: a few places for each topic that has something; topics without news are not even kept.
 * Threads: one at a time.
 */
#ifndef XMTP_NODE_MERGE_H
#define XMTP_NODE_MERGE_H

#include "node/archive.h"

typedef struct xmtp_node_merge xmtp_node_merge;

/* Ids up to id_limit. XMTP_E_NOMEM. */
xmtp_status xmtp_node_merge_new(xmtp_node_merge **out, const xmtp_env *env,
                                xmtp_node_archive *archive, xmtp_node_kind kind, uint64_t id_limit);
void xmtp_node_merge_free(xmtp_node_merge *merge); /* takes NULL */

/* What lies behind the cursor of a topic; before the first peek. Reads nothing; topics without news
 * are not kept. add_newer: it is known to have news, and the archive is not asked. XMTP_E_NOMEM. */
xmtp_status xmtp_node_merge_add(xmtp_node_merge *merge, xmtp_bytes topic, uint64_t cursor,
                                void *owner);
xmtp_status xmtp_node_merge_add_newer(xmtp_node_merge *merge, xmtp_bytes topic, uint64_t cursor,
                                      void *owner);

/* The lowest id, again and again until pop. XMTP_E_NOT_FOUND: nothing is left. */
xmtp_status xmtp_node_merge_peek(xmtp_node_merge *merge, xmtp_node_place *place, void **owner);
void xmtp_node_merge_pop(xmtp_node_merge *merge);
/* Drops the whole topic of what peek gave. */
void xmtp_node_merge_pop_topic(xmtp_node_merge *merge);

#endif
