/* lanes.c - see lanes.h. */
#include "crypto/lanes.h"

#include <stdatomic.h>

static atomic_bool is_forbidden;

void xmtp_lanes_allow(bool is_allowed)
{
    atomic_store_explicit(&is_forbidden, !is_allowed, memory_order_relaxed);
}

#if defined(__x86_64__)

bool xmtp_has_lanes(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512ifma") &&
           !atomic_load_explicit(&is_forbidden, memory_order_relaxed);
}

#else /* another kind of machine */

bool xmtp_has_lanes(void)
{
    return false;
}

#endif
