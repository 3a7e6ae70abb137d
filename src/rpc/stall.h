/* stall.h - when to give up a peer that takes nothing of what it asked for.
 *
 *     waiting bytes get fewer --> fine        the same number for XMTP_STALL_SECONDS --> given up
 */
#ifndef XMTP_RPC_STALL_H
#define XMTP_RPC_STALL_H

#include <xmtp/base.h>

enum { XMTP_STALL_SECONDS = 60 };

typedef struct xmtp_stall {
    size_t len;        /* waiting at since_ns */
    uint64_t since_ns; /* 0: nothing was waiting */
} xmtp_stall;

/* len: bytes that wait for the peer now. Call it with a clock that never goes back. True: give up. */
static inline bool xmtp_stall_tick(xmtp_stall *s, size_t len, uint64_t now_ns)
{
    if (len == 0 || s->since_ns == 0 || len != s->len) {
        s->len = len;
        s->since_ns = len == 0 ? 0 : now_ns;
        return false;
    }
    return now_ns - s->since_ns >= (uint64_t)XMTP_STALL_SECONDS * 1000000000;
}

#endif
