/* h2_memory.c - nghttp2_mem over xmtp_alloc, so that tests can fail its allocations too. */
#include "rpc/h2_memory.h"

#include "base/bytes.h"

static void *h2_reallocate(void *p, size_t n, void *user_data)
{
    const xmtp_alloc *alloc = user_data;
    /* reallocate takes 0 for "free", which nghttp2 does not mean. */
    return alloc->reallocate(alloc->context, p, n == 0 ? 1 : n);
}

static void *h2_malloc(size_t n, void *user_data)
{
    return h2_reallocate(NULL, n, user_data);
}

static void *h2_calloc(size_t count, size_t size, void *user_data)
{
    size_t n;
    void *p = xmtp_size_mul(&n, count, size) ? h2_reallocate(NULL, n, user_data) : NULL;
    if (p != NULL) {
        memset(p, 0, n);
    }
    return p;
}

static void h2_free(void *p, void *user_data)
{
    const xmtp_alloc *alloc = user_data;
    if (p != NULL) {
        (void)alloc->reallocate(alloc->context, p, 0);
    }
}

nghttp2_mem xmtp_h2_memory(const xmtp_alloc *alloc)
{
    return (nghttp2_mem){
        .mem_user_data = (void *)(uintptr_t)alloc,
        .malloc = h2_malloc,
        .free = h2_free,
        .calloc = h2_calloc,
        .realloc = h2_reallocate,
    };
}
