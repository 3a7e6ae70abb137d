/* prompt.c - see prompt.h.
 *
 * The kernel's fair policy (EEVDF) leaves who is running alone until their slice ends, 1 to 3 ms, unless
 * who wakes has asked for a shorter one (sched_setattr(2), sched_runtime).
 */
#include "base/prompt.h"

#ifdef __linux__
#include "base/scheduling.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SLICE_NS = 200 * 1000 };

void xmtp_thread_be_prompt(void)
{
    scheduling s = {.size = sizeof s};
    if (syscall(SYS_sched_getattr, 0, &s, sizeof s, 0) == 0 && s.policy == SCHED_OTHER) {
        s.runtime = SLICE_NS;
        (void)syscall(SYS_sched_setattr, 0, &s, 0);
    }
}
#else
void xmtp_thread_be_prompt(void)
{
}
#endif
