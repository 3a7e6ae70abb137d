/* listener.h - the node's TCP sockets: a few loops, a thread each, any number of connections.
 *
 *     socket --> bytes --> xmtp_rpc_server_conn --> calls --> services, subscriptions
 *                                                    |
 *     socket <-- bytes <-- xmtp_rpc_server_conn <-- answers, handed over from the sequencer's
 * thread through two lists and a uv_async
 */
#ifndef XMTP_NODE_LISTENER_H
#define XMTP_NODE_LISTENER_H

#include "node/node_internal.h"

/* XMTP_E_ARGUMENT, with the sentence, when an address cannot be read; opens nothing. */
xmtp_status xmtp_node_listener_check(const char *const *addresses, xmtp_error *error);

/* addresses: ended by NULL, at least one, and loops, as in xmtp_node_options.
 * XMTP_E_ARGUMENT, XMTP_E_NETWORK, XMTP_E_NOMEM, XMTP_E_INTERNAL. */
xmtp_status xmtp_node_listener_open(xmtp_node_listener **out, xmtp_node *node,
                                    const char *const *addresses, size_t loops, xmtp_error *error);

/* Drains: accepts nothing more, ends streams with UNAVAILABLE, answers the calls that run, for up to
 * limits.drain_seconds, then cuts what is left. Waits for calls that the sequencer still has, ends
 * the threads. Takes NULL. */
void xmtp_node_listener_close(xmtp_node_listener *listener);

/* 0 for addresses that there are not, and when listener is NULL. */
uint16_t xmtp_node_listener_port(const xmtp_node_listener *listener, size_t index);

#endif
