/* metrics.h - what an operator looks at: counters that the parts of a node count up, and figures
 * made from them and from the archive when somebody asks.
 *
 *     counters --> figures (one list) --> /metrics      Prometheus text format 0.0.4
 *                                     --> /status.json  name: value
 *                                     --> /status       a page for people, limits included
 *
 * They are served on addresses that say "admin" only, which show nothing else.
 */
#ifndef XMTP_NODE_METRICS_H
#define XMTP_NODE_METRICS_H

#include "base/writer.h"
#include "rpc/http_exchange.h"

#include <xmtp/base.h>

enum { XMTP_NODE_GRPC_CODES = 17, XMTP_NODE_APPEND_BUCKETS = 10 };

/* Counted with __atomic builtins, relaxed: each is right, together they may be of slightly different
 * moments. */
typedef struct xmtp_node_metrics {
    uint64_t connections;         /* accepted so far */
    uint64_t connections_ended;   /* of them */
    uint64_t connections_refused; /* their address had as many as it may */
    uint64_t streams;
    uint64_t streams_ended;
    uint64_t calls[3];     /* by xmtp_node_rate */
    uint64_t rate_refused; /* of the calls */
    uint64_t denied;
    uint64_t ended[XMTP_NODE_GRPC_CODES]; /* unary calls, by gRPC status */

    /* Of the sequencer. */
    uint64_t appends;
    uint64_t append_jobs;
    uint64_t append_failures;
    uint64_t append_ns;                                /* all together */
    uint64_t append_buckets[XMTP_NODE_APPEND_BUCKETS]; /* by xmtp_node_append_bounds_ns */
} xmtp_node_metrics;

/* Upper bounds of the buckets but the last, which has none. */
extern const uint64_t xmtp_node_append_bounds_ns[XMTP_NODE_APPEND_BUCKETS - 1];

static inline void xmtp_node_count(uint64_t *counter, uint64_t n)
{
    (void)__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

void xmtp_node_count_append(xmtp_node_metrics *metrics, size_t jobs, bool has_failed,
                            uint64_t took_ns);

struct xmtp_node;

void xmtp_node_metrics_text(struct xmtp_node *node, xmtp_writer *out);
void xmtp_node_status_json(struct xmtp_node *node, xmtp_writer *out);
void xmtp_node_status_html(struct xmtp_node *node, xmtp_writer *out);

/* Answers an exchange on an admin address: the three above, /healthz (200, or 503 while nothing can
 * be stored), 404. */
void xmtp_node_admin_begin(struct xmtp_node *node, xmtp_http_exchange *x);

#endif
