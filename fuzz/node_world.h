/* node_world.h - a node in memory, for targets that send it whatever they are given. */
#ifndef XMTP_FUZZ_NODE_WORLD_H
#define XMTP_FUZZ_NODE_WORLD_H

#include "rpc/transport.h"

#include <stdlib.h>
#include <xmtp/node.h>

enum { RUNS_PER_NODE = 20000 };

static xmtp_node *node;
static xmtp_transport transport;

/* A fresh node now and then, so that what was stored does not fill the memory. */
static void need_node(void)
{
    static unsigned runs;
    if (node != NULL && ++runs % RUNS_PER_NODE == 0) {
        transport.close(transport.context);
        xmtp_node_close(node);
        node = NULL;
    }
    if (node == NULL) {
        xmtp_node_options options = {.data_dir = NULL};
        if (xmtp_node_open(&node, &options, NULL) != XMTP_OK ||
            xmtp_node_transport(node, &transport) != XMTP_OK) {
            abort();
        }
    }
}

#endif
