/* network_internal.h - what a network is made of; for network.c, wire.c.
 *
 *     client or agent --wire--> faults --> in-process transport --> node with a data folder
 *           |
 *           '--> SQLite --> disk (disk.h) --> file
 */
#ifndef XMTP_NETWORK_NETWORK_INTERNAL_H
#define XMTP_NETWORK_NETWORK_INTERNAL_H

#include "network/disk.h"
#include "rpc/transport.h"

#include <pthread.h>
#include <stdatomic.h>
#include <xmtp/network.h>
#include <xmtp/node.h>

enum { PATH_LEN_MAX = 512, KEY_LEN = 64 };

/* A call whose caller has given up and that the node will see. */
typedef struct late_call {
    struct late_call *next;
    xmtp_network_device *device;
    uint64_t due_ns;
    char *path;
    uint8_t *request;
    size_t request_len;
} late_call;

struct xmtp_network_device {
    xmtp_network_device *next;
    xmtp_network *net;
    char key[KEY_LEN + 1];
    char path[PATH_LEN_MAX];
    const xmtp_env *env; /* NULL: the network's */
    const xmtp_device_sync_options *device_sync;
    bool is_agent;
    xmtp_agent_options agent_options;
    xmtp_client *client; /* of the agent, if it is one; NULL: closed */
    xmtp_agent *agent;
    xmtp_disk disk;
    xmtp_transport node; /* what lies behind the wire */
    xmtp_transport wire;
    xmtp_stream *streams;
    bool is_cut_off;
    xmtp_network_faults faults;
    uint64_t lose_from; /* numbers of calls, see counts.calls */
    uint64_t lose_until;
    xmtp_network_loss lose_how;
    xmtp_network_counts counts;
};

struct xmtp_network {
    xmtp_env env;      /* of the clients */
    xmtp_env node_env; /* the same clock, randomness of its own: the node has threads */
    _Atomic uint64_t clock_ns;
    uint64_t choices; /* states of generators */
    uint64_t bytes;
    uint64_t node_bytes;
    pthread_mutex_t node_lock; /* of node_bytes */
    xmtp_node *node;
    char folder[PATH_LEN_MAX - 32];
    bool owns_folder;
    unsigned device_count;
    xmtp_network_device *devices; /* in the order of their making */
    xmtp_network_device **end;
    xmtp_network_faults faults; /* of devices that come */
    late_call *late;
    uint64_t node_restarts;
};

bool xmtp_network_happens(xmtp_network *net, uint32_t per_mille);

/* ---- wire.c */

/* Fills device->wire. */
void xmtp_network_wire_init(xmtp_network_device *device);
/* device->node becomes a connection to the node. */
xmtp_status xmtp_network_connect(xmtp_network_device *device);
/* Its streams end for the client, and the connection is closed. */
void xmtp_network_disconnect(xmtp_network_device *device);
/* Calls that are due arrive. */
void xmtp_network_deliver_due(xmtp_network *net);
void xmtp_network_late_free(xmtp_network *net);

#endif
