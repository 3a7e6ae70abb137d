/* post_queue.c - a locked list; the lock is never held while a function runs. */
#include "agent/post_queue.h"

#include "base/status.h"

#include <string.h>

struct xmtp_post {
    struct xmtp_post *next;
    void (*function)(xmtp_agent *, void *);
    void *argument;
};

xmtp_status xmtp_post_queue_init(xmtp_post_queue *queue, const xmtp_alloc *alloc)
{
    memset(queue, 0, sizeof *queue);
    queue->alloc = alloc;
    queue->end = &queue->first;
    XMTP_ENSURE(pthread_mutex_init(&queue->lock, NULL) == 0, XMTP_E_NOMEM);
    queue->is_ready = true;
    return XMTP_OK;
}

xmtp_status xmtp_post_queue_add(xmtp_post_queue *queue, void (*function)(xmtp_agent *, void *),
                                void *argument)
{
    struct xmtp_post *post = queue->alloc->reallocate(queue->alloc->context, NULL, sizeof *post);
    XMTP_ENSURE(post != NULL, XMTP_E_NOMEM);
    *post = (struct xmtp_post){.function = function, .argument = argument};
    pthread_mutex_lock(&queue->lock);
    xmtp_status status = queue->is_closed                 ? XMTP_E_CLOSED
                         : queue->count == XMTP_POSTS_MAX ? XMTP_E_LIMIT
                                                          : XMTP_OK;
    if (status == XMTP_OK) {
        *queue->end = post;
        queue->end = &post->next;
        queue->count++;
    }
    pthread_mutex_unlock(&queue->lock);
    if (status != XMTP_OK) {
        (void)queue->alloc->reallocate(queue->alloc->context, post, 0);
    }
    return status;
}

static struct xmtp_post *take_all(xmtp_post_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    struct xmtp_post *first = queue->first;
    queue->first = NULL;
    queue->end = &queue->first;
    queue->count = 0;
    pthread_mutex_unlock(&queue->lock);
    return first;
}

void xmtp_post_queue_run(xmtp_post_queue *queue, xmtp_agent *agent)
{
    struct xmtp_post *post = take_all(queue);
    while (post != NULL) {
        struct xmtp_post *next = post->next;
        post->function(agent, post->argument);
        (void)queue->alloc->reallocate(queue->alloc->context, post, 0);
        post = next;
    }
}

void xmtp_post_queue_close(xmtp_post_queue *queue)
{
    if (queue->is_ready) {
        pthread_mutex_lock(&queue->lock);
        queue->is_closed = true;
        pthread_mutex_unlock(&queue->lock);
    }
}

void xmtp_post_queue_free(xmtp_post_queue *queue)
{
    if (!queue->is_ready) {
        return;
    }
    struct xmtp_post *post = take_all(queue);
    while (post != NULL) {
        struct xmtp_post *next = post->next;
        (void)queue->alloc->reallocate(queue->alloc->context, post, 0);
        post = next;
    }
    pthread_mutex_destroy(&queue->lock);
    queue->is_ready = false;
}
