/* keep_alive.h - when to send an HTTP/2 PING, and when to give up on the peer.
 *
 *     bytes heard --- idle_ns of silence ---> PING --- answer_ns of silence ---> dead
 *          ^------------ any byte heard ---------'
 *
 * Time is passed in and must not go back.
 */
#ifndef XMTP_RPC_KEEP_ALIVE_H
#define XMTP_RPC_KEEP_ALIVE_H

#include <xmtp/base.h>

typedef struct xmtp_keep_alive {
    uint64_t idle_ns;
    uint64_t answer_ns;
    uint64_t since_ns; /* start of the present silence, or of the wait for an answer */
    bool has_started;
    bool has_heard; /* bytes came since the last tick */
    bool has_asked;
} xmtp_keep_alive;

typedef enum xmtp_keep_alive_verdict {
    XMTP_KEEP_ALIVE_QUIET, /* nothing to do */
    XMTP_KEEP_ALIVE_ASK,   /* send a PING now */
    XMTP_KEEP_ALIVE_DEAD,
} xmtp_keep_alive_verdict;

/* *next_ns (may be NULL) receives when to ask again. */
xmtp_keep_alive_verdict xmtp_keep_alive_tick(xmtp_keep_alive *k, uint64_t now_ns,
                                             uint64_t *next_ns);

#endif
