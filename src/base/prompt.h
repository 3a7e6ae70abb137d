/* prompt.h - a thread that others wait for. */
#ifndef XMTP_BASE_PROMPT_H
#define XMTP_BASE_PROMPT_H

/* Asks the kernel to let the calling thread run soon after it wakes, before threads that compute: for one
 * that works a little at a time. It gets no more of the processor than others, in shorter pieces. Linux from
 * 6.12 on; elsewhere, and for threads with a policy of their own, nothing happens. */
void xmtp_thread_be_prompt(void);

#endif
