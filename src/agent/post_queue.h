/* post_queue.h - calls handed to the agent's thread by other threads, in order. */
#ifndef XMTP_AGENT_POST_QUEUE_H
#define XMTP_AGENT_POST_QUEUE_H

#include <pthread.h>
#include <stdatomic.h>
#include <xmtp/agent.h>

enum { XMTP_POSTS_MAX = 100000 };

struct xmtp_post;

typedef struct xmtp_post_queue {
    const xmtp_alloc *alloc;
    pthread_mutex_t lock;
    struct xmtp_post *first;
    struct xmtp_post **end;
    atomic_size_t count; /* written under the lock */
    bool is_closed;
    bool is_ready;
} xmtp_post_queue;

xmtp_status xmtp_post_queue_init(xmtp_post_queue *queue, const xmtp_alloc *alloc);
/* XMTP_E_CLOSED, XMTP_E_LIMIT beyond XMTP_POSTS_MAX, XMTP_E_NOMEM. Any thread. */
xmtp_status xmtp_post_queue_add(xmtp_post_queue *queue, void (*function)(xmtp_agent *, void *),
                                void *argument);
/* Calls everything that was added before; what is added meanwhile waits for the next run. */
void xmtp_post_queue_run(xmtp_post_queue *queue, xmtp_agent *agent);
/* Nothing is accepted any more. */
void xmtp_post_queue_close(xmtp_post_queue *queue);
void xmtp_post_queue_free(xmtp_post_queue *queue);

#endif
