/* node_internal.h - the parts of a running node, in the order in which they are started.
 *
 *     archive --> dispatcher --> inboxes --> sequencer --> workers --> listener
 */
#ifndef XMTP_NODE_NODE_INTERNAL_H
#define XMTP_NODE_NODE_INTERNAL_H

#include "node/access.h"
#include "node/dispatcher.h"
#include "node/metrics.h"
#include "node/retention.h"
#include "node/service.h"

#include <xmtp/node.h>

typedef struct xmtp_node_listener xmtp_node_listener;
struct xmtp_tls_server;
struct xmtp_node_history;

struct xmtp_node {
    const xmtp_env *env;
    xmtp_node_services services; /* archive, sequencer, inboxes, workers */
    xmtp_node_dispatcher *dispatcher;
    struct xmtp_tls_server *tls; /* NULL: clear text */
    struct xmtp_node_history *history;
    xmtp_node_retainer *retainer; /* NULL: everything is kept */
    xmtp_node_access *access;
    xmtp_node_metrics metrics;
    xmtp_node_rates rates; /* as they were given, to be shown */
    char *data_dir;        /* NULL: in memory */
    uint64_t started_ns;
    bool cannot_store;            /* atomic */
    xmtp_node_listener *listener; /* NULL: no addresses */
    bool no_bidi;                 /* MlsApi/Subscribe is not served */
    xmtp_node_reflection reflection;
    void *notice_context;
    void (*notice)(void *context, const char *line); /* may be NULL */
};

#endif
