/* sequencer.h - gives ids: takes what waits, stores it with one sync, tells.
 *
 *     submit --> queue --> [ append | publish | done ] --> queue --> ...
 *                           while this runs, the next batch gathers
 *
 * It has a thread, and one turn: whoever has the turn appends, and nobody else. When nothing waits,
 * who submits may take the turn itself, so that no thread has to be woken for a single job.
 *
 * Order is everything here: when done is called the content is durable, every reader sees it, and
 * it has been given to the subscriptions; and of two batches the one with the smaller ids is
 * published first.
 */
#ifndef XMTP_NODE_SEQUENCER_H
#define XMTP_NODE_SEQUENCER_H

#include "node/archive.h"
#include "node/metrics.h"

typedef struct xmtp_node_sequencer xmtp_node_sequencer;

enum {
    XMTP_NODE_QUEUE_LEN_MAX = 256 * 1024 * 1024, /* bytes waiting */
    XMTP_NODE_APPEND_LEN_MAX = 64 * 1024 * 1024, /* bytes of one sync; a single job may be larger */
    XMTP_NODE_APPEND_COUNT_MAX = 4096,           /* jobs of one sync */
    XMTP_NODE_HERE_LEN_MAX = 64 * 1024,          /* bytes of a job that its submitter may store */
    XMTP_NODE_HERE_NS_MAX = 1000000,             /* what the last append may have taken then */
};

/* Something to be stored. Belongs to the sequencer from submit until done is called, by who has the
 * turn; done may submit again, but not wait. error is NULL when status is XMTP_OK. */
typedef struct xmtp_node_job {
    xmtp_node_batch batch;
    size_t len; /* about how many bytes the entries have */
    void (*done)(struct xmtp_node_job *job, xmtp_status status, const xmtp_error *error);
    struct xmtp_node_job *next;
} xmtp_node_job;

/* publish is called by who has the turn for each new entry, in order of ids within a kind, before
 * done of its job. changed is called when storing begins to fail, and when it works again. */
typedef struct xmtp_node_sequencer_options {
    const xmtp_env *env;
    xmtp_node_archive *archive;
    void *context;
    void (*publish)(void *context, const xmtp_node_entry *entry);
    void (*changed)(void *context, xmtp_status status, const xmtp_error *error);
    xmtp_node_metrics *metrics; /* counted up; may be NULL */
    bool has_no_thread;         /* submit does the work and calls done; from one thread at a time */
} xmtp_node_sequencer_options;

/* XMTP_E_NOMEM, XMTP_E_INTERNAL: no thread. */
xmtp_status xmtp_node_sequencer_new(xmtp_node_sequencer **out,
                                    const xmtp_node_sequencer_options *options);

/* Stores everything that was submitted, then ends the thread. Takes NULL. */
void xmtp_node_sequencer_free(xmtp_node_sequencer *sequencer);

/* XMTP_E_LIMIT the queue is full, XMTP_E_CLOSED it is being freed; done is not called then. */
xmtp_status xmtp_node_sequencer_submit(xmtp_node_sequencer *sequencer, xmtp_node_job *job);

/* As submit, for who may wait for a sync. When the turn is free, nothing waits for it, the disk was
 * quick the last time, nothing else writes to the index, and the job is small, the caller takes the
 * turn: done has been called when it returns. What others submit meanwhile is left to the thread. */
xmtp_status xmtp_node_sequencer_submit_here(xmtp_node_sequencer *sequencer, xmtp_node_job *job);

#endif
