/* test_threads.h - threads that are made, counted, held up, or refused from one on; for tests to which the linker
 * sends pthread_create (xmtp_wrap). */
#ifndef XMTP_BASE_TEST_THREADS_H
#define XMTP_BASE_TEST_THREADS_H

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

static atomic_size_t threads_made;
static size_t threads_refused_from = SIZE_MAX; /* with so many made, no more can be */
static sem_t *threads_wait; /* what new ones wait for before they begin, or NULL */

typedef struct waiting_thread {
    void *(*start)(void *);
    void *argument;
    sem_t *wait;
} waiting_thread;

static void *wait_and_start(void *argument)
{
    const waiting_thread w = *(waiting_thread *)argument;
    free(argument);
    (void)sem_wait(w.wait);
    return w.start(w.argument);
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument)
{
    if (atomic_load(&threads_made) >= threads_refused_from) {
        return EAGAIN;
    }
    atomic_fetch_add(&threads_made, 1);
    if (threads_wait == NULL) {
        return __real_pthread_create(thread, attributes, start, argument);
    }
    waiting_thread *w = malloc(sizeof *w);
    *w = (waiting_thread){.start = start, .argument = argument, .wait = threads_wait};
    return __real_pthread_create(thread, attributes, wait_and_start, w);
}

#endif
