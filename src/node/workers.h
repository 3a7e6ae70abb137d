/* workers.h - threads for what an event loop must not do: wait for the disk, verify signatures,
 * hash megabytes.
 *
 * Threads: any; run is called in one of the workers.
 */
#ifndef XMTP_NODE_WORKERS_H
#define XMTP_NODE_WORKERS_H

#include <xmtp/base.h>

typedef struct xmtp_node_workers xmtp_node_workers;

/* Part of what has to be done; belongs to the workers from submit until run is called. */
typedef struct xmtp_node_work {
    void (*run)(struct xmtp_node_work *work);
    struct xmtp_node_work *next;
} xmtp_node_work;

enum { XMTP_NODE_WORKERS_MAX = 64 };

/* count: threads, 1 to XMTP_NODE_WORKERS_MAX. XMTP_E_NOMEM, XMTP_E_INTERNAL: no thread. */
xmtp_status xmtp_node_workers_new(xmtp_node_workers **out, const xmtp_env *env, size_t count);

/* Runs everything that was submitted, then ends the threads. Takes NULL. */
void xmtp_node_workers_free(xmtp_node_workers *workers);

/* First come, first served. What is submitted is bounded by who submits. */
void xmtp_node_workers_submit(xmtp_node_workers *workers, xmtp_node_work *work);

#endif
