/* errand.c - what a loop lets a worker do for it: run in the worker, done in the loop again.
 *
 *     loop: send --> worker: run --> errands list of the loop --> loop: done
 *
 * A loop does not end while an errand of it is under way.
 */
#include "node/listener_internal.h"
#include "node/service.h"

static void run_in_worker(xmtp_node_work *work)
{
    xmtp_node_errand *errand =
        (xmtp_node_errand *)((uint8_t *)work - offsetof(xmtp_node_errand, work));
    xmtp_node_listener *listener = errand->listener;
    errand->run(errand);
    (void)pthread_mutex_lock(&listener->lock);
    errand->next = listener->errands;
    listener->errands = errand;
    (void)uv_async_send(&listener->async); /* under the lock: the listener cannot end before */
    (void)pthread_mutex_unlock(&listener->lock);
}

void xmtp_node_errand_send(xmtp_node_listener *listener, xmtp_node_errand *errand)
{
    listener->call_count++;
    errand->listener = listener;
    errand->work.run = run_in_worker;
    xmtp_node_workers_submit(listener->node->services.workers, &errand->work);
}

static xmtp_node_errand *take(xmtp_node_listener *listener)
{
    (void)pthread_mutex_lock(&listener->lock);
    xmtp_node_errand *errand = listener->errands;
    listener->errands = errand == NULL ? NULL : errand->next;
    (void)pthread_mutex_unlock(&listener->lock);
    return errand;
}

void xmtp_node_errands_collect(xmtp_node_listener *listener)
{
    for (xmtp_node_errand *errand; (errand = take(listener)) != NULL;) {
        listener->call_count--;
        errand->done(errand);
    }
}
