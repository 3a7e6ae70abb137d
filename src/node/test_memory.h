/* test_memory.h - for tests of how much memory a node takes: what of its env's alloc is in use, and the most
 * since live_max was set. */
#ifndef XMTP_NODE_TEST_MEMORY_H
#define XMTP_NODE_TEST_MEMORY_H

#include <malloc.h>
#include <stdatomic.h>
#include <xmtp/base.h>

static atomic_size_t live_len;
static atomic_size_t live_max;

/* For alloc.reallocate of an env; many threads may call it. */
static void *measured_reallocate(void *context, void *p, size_t n)
{
    (void)context;
    const xmtp_alloc *alloc = &xmtp_env_system()->alloc;
    size_t before = p == NULL ? 0 : malloc_usable_size(p);
    void *q = alloc->reallocate(alloc->context, p, n);
    if (q == NULL && n > 0) {
        return NULL;
    }
    size_t after = q == NULL ? 0 : malloc_usable_size(q);
    size_t now = atomic_fetch_add(&live_len, after - before) + after - before;
    size_t max = atomic_load(&live_max);
    while (now > max && !atomic_compare_exchange_weak(&live_max, &max, now)) {
    }
    return q;
}

#endif
