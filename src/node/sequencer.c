/* sequencer.c - take the turn and what waits, append, publish, tell.
 *
 *     the thread            take_turn_and_jobs --> run_jobs --> give_turn_back --> ...
 *     a caller that may     take_turn --> run_jobs of its own job --> give_turn_back
 */
#include "node/sequencer.h"

#include "base/prompt.h"
#include "base/status.h"

#include <pthread.h>
#include <time.h>

struct xmtp_node_sequencer {
    xmtp_node_sequencer_options options;
    pthread_t thread;

    pthread_mutex_t lock; /* for all below */
    pthread_cond_t changed;
    xmtp_node_job *first;
    xmtp_node_job **last;
    size_t len;
    bool is_closing;
    bool is_taken; /* the turn */

    /* Of who has the turn. */
    xmtp_status last_status;
    uint64_t last_append_ns; /* what it took */
    xmtp_node_batch *batches[XMTP_NODE_APPEND_COUNT_MAX];
};

/* Cuts off as many jobs as one append takes. */
static xmtp_node_job *cut(xmtp_node_sequencer *s)
{
    xmtp_node_job *first = s->first;
    size_t len = 0;
    size_t count = 0;
    xmtp_node_job **end = &s->first;
    while (*end != NULL && count < XMTP_NODE_APPEND_COUNT_MAX &&
           (count == 0 || len + (*end)->len <= XMTP_NODE_APPEND_LEN_MAX)) {
        len += (*end)->len;
        count++;
        end = &(*end)->next;
    }
    s->first = *end;
    s->last = *end == NULL ? &s->first : s->last;
    s->len -= len;
    *end = NULL;
    return first;
}

/* Waits for jobs and for the turn. NULL: closing, and nothing is left. */
static xmtp_node_job *take_turn_and_jobs(xmtp_node_sequencer *s)
{
    (void)pthread_mutex_lock(&s->lock);
    while (s->is_taken || (s->first == NULL && !s->is_closing)) {
        (void)pthread_cond_wait(&s->changed, &s->lock);
    }
    xmtp_node_job *jobs = s->first == NULL ? NULL : cut(s);
    s->is_taken = jobs != NULL;
    (void)pthread_mutex_unlock(&s->lock);
    return jobs;
}

/* For a caller. False: it is to wait in the queue. */
static bool take_turn(xmtp_node_sequencer *s, const xmtp_node_job *job)
{
    (void)pthread_mutex_lock(&s->lock);
    bool is_free = !s->is_taken && s->first == NULL && !s->is_closing;
    bool is_taken = is_free && s->last_append_ns <= XMTP_NODE_HERE_NS_MAX &&
                    job->len <= XMTP_NODE_HERE_LEN_MAX &&
                    !xmtp_node_archive_is_expiring(s->options.archive);
    s->is_taken |= is_taken;
    (void)pthread_mutex_unlock(&s->lock);
    return is_taken;
}

/* The thread is woken when something is left for it: who came during the turn has not done it. */
static void give_turn_back(xmtp_node_sequencer *s)
{
    (void)pthread_mutex_lock(&s->lock);
    s->is_taken = false;
    if (s->first != NULL || s->is_closing) {
        (void)pthread_cond_signal(&s->changed); /* under the lock: it may be freed right after */
    }
    (void)pthread_mutex_unlock(&s->lock);
}

static void publish(const xmtp_node_sequencer *s, const xmtp_node_job *job)
{
    for (; job != NULL; job = job->next) {
        for (size_t i = 0; i < job->batch.count; i++) {
            if (!job->batch.entries[i].is_duplicate) {
                s->options.publish(s->options.context, &job->batch.entries[i]);
            }
        }
    }
}

static void tell(xmtp_node_job *job, xmtp_status status, const xmtp_error *error)
{
    while (job != NULL) {
        xmtp_node_job *next = job->next;
        job->done(job, status, status == XMTP_OK ? NULL : error);
        job = next;
    }
}

static uint64_t clock_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void run_jobs(xmtp_node_sequencer *s, xmtp_node_job *jobs)
{
    xmtp_error error = {.status = XMTP_OK};
    size_t count = 0;
    for (xmtp_node_job *job = jobs; job != NULL; job = job->next) {
        s->batches[count++] = &job->batch;
    }
    uint64_t began_ns = clock_ns();
    xmtp_status status = xmtp_node_archive_append(s->options.archive, s->batches, count, &error);
    s->last_append_ns = clock_ns() - began_ns;
    if (s->options.metrics != NULL) {
        xmtp_node_count_append(s->options.metrics, count, status != XMTP_OK, s->last_append_ns);
    }
    if (status == XMTP_OK) {
        publish(s, jobs);
    }
    if (status != s->last_status) {
        s->last_status = status;
        s->options.changed(s->options.context, status, &error);
    }
    tell(jobs, status, &error);
}

static void *run(void *context)
{
    xmtp_node_sequencer *s = context;
    xmtp_thread_be_prompt();
    for (xmtp_node_job *jobs; (jobs = take_turn_and_jobs(s)) != NULL;) {
        run_jobs(s, jobs);
        give_turn_back(s);
    }
    return NULL;
}

xmtp_status xmtp_node_sequencer_new(xmtp_node_sequencer **out,
                                    const xmtp_node_sequencer_options *options)
{
    const xmtp_alloc *alloc = &options->env->alloc;
    *out = NULL;
    xmtp_node_sequencer *s = alloc->reallocate(alloc->context, NULL, sizeof *s);
    XMTP_ENSURE(s != NULL, XMTP_E_NOMEM);
    *s = (xmtp_node_sequencer){
        .options = *options, .last = &s->first, .last_append_ns = UINT64_MAX /* not known yet */};
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->changed, NULL);
    if (!options->has_no_thread && pthread_create(&s->thread, NULL, run, s) != 0) {
        (void)alloc->reallocate(alloc->context, s, 0);
        return XMTP_E_INTERNAL;
    }
    *out = s;
    return XMTP_OK;
}

void xmtp_node_sequencer_free(xmtp_node_sequencer *s)
{
    if (s == NULL) {
        return;
    }
    const xmtp_alloc *alloc = &s->options.env->alloc;
    (void)pthread_mutex_lock(&s->lock);
    s->is_closing = true;
    (void)pthread_cond_signal(&s->changed);
    (void)pthread_mutex_unlock(&s->lock);
    if (!s->options.has_no_thread) {
        (void)pthread_join(s->thread, NULL);
    }
    (void)pthread_cond_destroy(&s->changed);
    (void)pthread_mutex_destroy(&s->lock);
    (void)alloc->reallocate(alloc->context, s, 0);
}

xmtp_status xmtp_node_sequencer_submit(xmtp_node_sequencer *s, xmtp_node_job *job)
{
    xmtp_status status = XMTP_OK;
    job->next = NULL;
    if (s->options.has_no_thread) {
        run_jobs(s, job);
        return XMTP_OK;
    }
    (void)pthread_mutex_lock(&s->lock);
    bool is_taken = s->is_taken; /* whoever has the turn looks again at its end */
    if (s->is_closing) {
        status = XMTP_E_CLOSED;
    } else if (s->len > 0 && job->len > XMTP_NODE_QUEUE_LEN_MAX - s->len) {
        status = XMTP_E_LIMIT;
    } else {
        *s->last = job;
        s->last = &job->next;
        s->len += job->len;
    }
    (void)pthread_mutex_unlock(&s->lock);
    /* Not under the lock, which the woken thread takes. Who submits is gone before the sequencer is freed:
     * loops and workers, see xmtp_node_close. */
    if (!is_taken) {
        (void)pthread_cond_signal(&s->changed);
    }
    return status;
}

xmtp_status xmtp_node_sequencer_submit_here(xmtp_node_sequencer *s, xmtp_node_job *job)
{
    if (s->options.has_no_thread || !take_turn(s, job)) {
        return xmtp_node_sequencer_submit(s, job);
    }
    job->next = NULL;
    run_jobs(s, job);
    give_turn_back(s);
    return XMTP_OK;
}
