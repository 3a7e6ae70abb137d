/* together.h - one loop over many independent items, shared among the processors for the time of a call.
 *
 *     items    0 .. 7 | 8 .. 15 | 16 .. 23 | 24 .. 29        pieces of 8
 *     caller   ^^^^^^   ^^^^^^^              ^^^^^^^^
 *     helper                      ^^^^^^^^                   whoever is free takes the next piece
 *
 * Threads are made for the call and joined before it returns: nothing is kept, nothing outlives a call,
 * and without another thread the caller does all of it. Which thread takes which piece is chance, so a
 * step writes what depends on its items alone to places of their own.
 */
#ifndef XMTP_BASE_TOGETHER_H
#define XMTP_BASE_TOGETHER_H

#include <xmtp/base.h>

#include <pthread.h>
#include <stdatomic.h>

enum {
    XMTP_TOGETHER_MAX = 8, /* threads of one call, the caller's among them */
    XMTP_TOGETHER_WORTH_US =
        200, /* work for which one more thread is made: it costs 50 to 100 us */
    XMTP_TOGETHER_STACK = 1 << 20, /* of a helper; what is not used is not there */
};

/* Does items first to first + count - 1. Must not fork, use the caller's allocator or randomness, or end
 * its thread. What it leaves on its stack is not wiped by others. */
typedef void (*xmtp_together_step)(void *context, size_t first, size_t count);

/* What is to be done, and about how long it takes. */
typedef struct xmtp_together_work {
    size_t count;    /* items */
    size_t piece;    /* of them for one step: from 1; the last piece may be shorter */
    size_t piece_us; /* time for one step */
    xmtp_together_step step;
    void *context;
} xmtp_together_work;

/* Runs step for each piece once and returns when all are done. The caller's thread takes part; at most one
 * thread in all for each processor that the process may use, for each XMTP_TOGETHER_WORTH_US of work and
 * for each piece. All calls of a process together have no more helpers than other processors. Helpers
 * begin on other processors than the caller's and take no signals. Cannot fail. Threads: any. */
void xmtp_together(const xmtp_together_work *work);

/* Work that helpers have begun and for which the caller has time later. Belongs to together.c, and stays where
 * it is from begin until finish or drop. */
typedef struct xmtp_together_job {
    xmtp_together_work work;
    atomic_size_t next;  /* the first item that nobody has taken */
    atomic_size_t begun; /* helpers */
    size_t helpers;
    pthread_t threads[XMTP_TOGETHER_MAX - 1];
} xmtp_together_job;

/* Helpers begin, as in xmtp_together; none when the work is worth less than a thread. All jobs of a process
 * together have no more of them than other processors, and calls of xmtp_together meanwhile as many again.
 * What context points to is the job's until finish or drop, one of which must follow. */
void xmtp_together_begin(xmtp_together_job *job, const xmtp_together_work *work);
/* Does what nobody has begun, and does not wait for what others have. */
void xmtp_together_help(xmtp_together_job *job);
/* The same, and returns when all is done. */
void xmtp_together_finish(xmtp_together_job *job);
/* Instead: what nobody has begun is left. Returns when no helper works any more. */
void xmtp_together_drop(xmtp_together_job *job);

/* How many threads there may be in one call: 1 on a machine with one processor. Any thread. */
size_t xmtp_together_processors(void);

/* For tests: as if there were so many processors, whatever the machine has; 1: the caller works alone.
 * 0: as many as there are, as in the beginning. */
void xmtp_together_assume(size_t processors);

#endif
