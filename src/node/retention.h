/* retention.h - a thread that drops what is old, segment by segment, now and then. */
#ifndef XMTP_NODE_RETENTION_H
#define XMTP_NODE_RETENTION_H

#include "node/archive.h"

typedef struct xmtp_node_retainer xmtp_node_retainer;

enum { XMTP_NODE_RETENTION_PASS_SECONDS = 600 };

typedef struct xmtp_node_retainer_options {
    const xmtp_env *env;
    xmtp_node_archive *archive;
    xmtp_node_retention retention;
    void *notice_context;
    void (*notice)(void *context, const char *line); /* may be NULL */
} xmtp_node_retainer_options;

/* XMTP_E_NOMEM, XMTP_E_INTERNAL: no thread. */
xmtp_status xmtp_node_retainer_new(xmtp_node_retainer **out,
                                   const xmtp_node_retainer_options *options);
/* Waits for the segment that is being rewritten. Takes NULL. */
void xmtp_node_retainer_free(xmtp_node_retainer *retainer);

/* The age at which a segment is finished although it is not full, so that what it holds can be
 * dropped in time; 0: nothing is ever dropped. */
uint64_t xmtp_node_retention_segment_age_ns(const xmtp_node_retention *retention);

#endif
