/* test_threads.h - threads that are made, counted, or refused from one on; for tests to which the linker sends
 * pthread_create (xmtp_wrap). */
#ifndef XMTP_BASE_TEST_THREADS_H
#define XMTP_BASE_TEST_THREADS_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

static atomic_size_t threads_made;
static size_t threads_refused_from = SIZE_MAX; /* with so many made, no more can be */

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
    return __real_pthread_create(thread, attributes, start, argument);
}

#endif
