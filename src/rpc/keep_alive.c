/* keep_alive.c - see keep_alive.h. */
#include "rpc/keep_alive.h"

static xmtp_keep_alive_verdict verdict(xmtp_keep_alive *k, uint64_t now_ns)
{
    if (!k->has_started || k->has_heard) {
        k->has_started = true;
        k->has_heard = false;
        k->has_asked = false;
        k->since_ns = now_ns;
        return XMTP_KEEP_ALIVE_QUIET;
    }
    uint64_t silence_ns = now_ns > k->since_ns ? now_ns - k->since_ns : 0;
    if (k->has_asked) {
        return silence_ns < k->answer_ns ? XMTP_KEEP_ALIVE_QUIET : XMTP_KEEP_ALIVE_DEAD;
    }
    if (silence_ns < k->idle_ns) {
        return XMTP_KEEP_ALIVE_QUIET;
    }
    k->has_asked = true;
    k->since_ns = now_ns;
    return XMTP_KEEP_ALIVE_ASK;
}

xmtp_keep_alive_verdict xmtp_keep_alive_tick(xmtp_keep_alive *k, uint64_t now_ns, uint64_t *next_ns)
{
    xmtp_keep_alive_verdict result = verdict(k, now_ns);
    if (next_ns != NULL) {
        *next_ns = k->since_ns + (k->has_asked ? k->answer_ns : k->idle_ns);
    }
    return result;
}
