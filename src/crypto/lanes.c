/* lanes.c - see lanes.h. */
#include "crypto/lanes.h"

#if defined(__x86_64__)

bool xmtp_has_lanes(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512ifma");
}

#else /* another kind of machine */

bool xmtp_has_lanes(void)
{
    return false;
}

#endif
