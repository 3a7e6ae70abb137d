/* lanes.c - see lanes.h. */
#include "crypto/lanes.h"

#include <stdatomic.h>

static atomic_int allowed = XMTP_LANES_AVX512;

void xmtp_lanes_allow(xmtp_lanes_kind fastest)
{
    atomic_store_explicit(&allowed, (int)fastest, memory_order_relaxed);
}

#if defined(__x86_64__)

static xmtp_lanes_kind of_machine(void)
{
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512ifma")) {
        return XMTP_LANES_AVX512;
    }
    return __builtin_cpu_supports("avx2") ? XMTP_LANES_AVX2 : XMTP_LANES_NONE;
}

#else /* another kind of machine */

static xmtp_lanes_kind of_machine(void)
{
    return XMTP_LANES_NONE;
}

#endif

xmtp_lanes_kind xmtp_lanes_here(void)
{
    const xmtp_lanes_kind kind = of_machine();
    const int fastest = atomic_load_explicit(&allowed, memory_order_relaxed);
    return (int)kind < fastest ? kind : (xmtp_lanes_kind)fastest;
}
