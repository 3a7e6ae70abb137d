/* inboxes.h - one publisher at a time per inbox, and the association states that they start from.
 *
 *     visit A ---- enter ---> runs ... leave (new state) ---> visit B runs ... leave
 *     visit B ---- enter: waits
 *
 * The state after an inbox's whole log is kept here, so that a new update costs only its own
 * signatures. States that are not used are dropped, oldest first, and made again from the log;
 * accepted updates are never verified a second time (node.md 3.4).
 *
 * Threads: any.
 */
#ifndef XMTP_NODE_INBOXES_H
#define XMTP_NODE_INBOXES_H

#include "identity/association.h"
#include "node/service.h"

struct xmtp_node_inbox_visit {
    uint8_t inbox_id[XMTP_NODE_INBOX_ID_LEN];
    struct xmtp_node_inbox *inbox;
    xmtp_node_inbox_visit *next;
};

xmtp_status xmtp_node_inboxes_new(xmtp_node_inboxes **out, const xmtp_env *env,
                                  xmtp_node_archive *archive, size_t states_max);
void xmtp_node_inboxes_free(xmtp_node_inboxes *inboxes); /* takes NULL; nobody may be inside */

/* XMTP_OK: the visit has the inbox for itself until leave. XMTP_E_RETRY: another visit has it,
 * and when that leaves, it will be given this one. */
xmtp_status xmtp_node_inboxes_enter(xmtp_node_inboxes *inboxes, xmtp_node_inbox_visit *visit);

/* The state of the inbox inside a visit, and how many updates made it. Belongs to inboxes. */
xmtp_status xmtp_node_inboxes_state(xmtp_node_inboxes *inboxes, xmtp_node_inbox_visit *visit,
                                    const xmtp_association **state, size_t *update_count,
                                    xmtp_error *error);

/* Ends a visit. changed: the state after one more update, taken over; NULL when there was none.
 * Returns the visit that waited longest and is inside now; the caller runs it. NULL: none waits. */
xmtp_node_inbox_visit *xmtp_node_inboxes_leave(xmtp_node_inboxes *inboxes,
                                               xmtp_node_inbox_visit *visit,
                                               xmtp_association *changed);

/* The update bytes of each entry of an inbox's log, ascending, until visit fails. */
xmtp_status xmtp_node_inboxes_each_update(xmtp_node_inboxes *inboxes,
                                          const uint8_t inbox_id[XMTP_NODE_INBOX_ID_LEN],
                                          void *context,
                                          xmtp_status (*visit)(void *context, xmtp_bytes update),
                                          xmtp_error *error);

#endif
