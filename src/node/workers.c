/* workers.c - one queue, several threads. */
#include "node/workers.h"

#include "base/prompt.h"
#include "base/status.h"

#include <pthread.h>

struct xmtp_node_workers {
    const xmtp_env *env;
    pthread_t threads[XMTP_NODE_WORKERS_MAX];
    size_t count;

    pthread_mutex_t lock; /* for all below */
    pthread_cond_t changed;
    xmtp_node_work *first;
    xmtp_node_work **last;
    bool is_closing;
};

static xmtp_node_work *take(xmtp_node_workers *w)
{
    (void)pthread_mutex_lock(&w->lock);
    while (w->first == NULL && !w->is_closing) {
        (void)pthread_cond_wait(&w->changed, &w->lock);
    }
    xmtp_node_work *work = w->first;
    if (work != NULL) {
        w->first = work->next;
        w->last = w->first == NULL ? &w->first : w->last;
    }
    (void)pthread_mutex_unlock(&w->lock);
    return work;
}

static void *run(void *context)
{
    xmtp_node_workers *w = context;
    xmtp_thread_be_prompt();
    for (xmtp_node_work *work = take(w); work != NULL; work = take(w)) {
        work->run(work);
    }
    return NULL;
}

xmtp_status xmtp_node_workers_new(xmtp_node_workers **out, const xmtp_env *env, size_t count)
{
    *out = NULL;
    XMTP_ENSURE(count >= 1 && count <= XMTP_NODE_WORKERS_MAX, XMTP_E_ARGUMENT);
    xmtp_node_workers *w = env->alloc.reallocate(env->alloc.context, NULL, sizeof *w);
    XMTP_ENSURE(w != NULL, XMTP_E_NOMEM);
    *w = (xmtp_node_workers){.env = env, .last = &w->first};
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->changed, NULL);
    for (; w->count < count; w->count++) {
        if (pthread_create(&w->threads[w->count], NULL, run, w) != 0) {
            xmtp_node_workers_free(w);
            return XMTP_E_INTERNAL;
        }
    }
    *out = w;
    return XMTP_OK;
}

void xmtp_node_workers_free(xmtp_node_workers *w)
{
    if (w == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&w->lock);
    w->is_closing = true;
    (void)pthread_cond_broadcast(&w->changed);
    (void)pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; i < w->count; i++) {
        (void)pthread_join(w->threads[i], NULL);
    }
    (void)pthread_cond_destroy(&w->changed);
    (void)pthread_mutex_destroy(&w->lock);
    (void)w->env->alloc.reallocate(w->env->alloc.context, w, 0);
}

void xmtp_node_workers_submit(xmtp_node_workers *w, xmtp_node_work *work)
{
    work->next = NULL;
    (void)pthread_mutex_lock(&w->lock);
    *w->last = work;
    w->last = &work->next;
    /* Under the lock: after it the work may be done, the last call answered, and the workers freed while
     * the sequencer's thread is still here. */
    (void)pthread_cond_signal(&w->changed);
    (void)pthread_mutex_unlock(&w->lock);
}
