/* send_queue.h - bytes waiting to be sent: appended whole at the back, taken in pieces at the
 * front.
 *
 *     p [ taken | waiting ......... | free ]
 *       0       head                n      capacity
 *
 * An empty queue holds no memory, so that thousands of idle streams cost nothing.
 */
#ifndef XMTP_RPC_SEND_QUEUE_H
#define XMTP_RPC_SEND_QUEUE_H

#include <xmtp/base.h>

typedef struct xmtp_send_queue {
    uint8_t *p;
    size_t head;
    size_t n;
    size_t capacity;
} xmtp_send_queue;

static inline size_t xmtp_send_queue_len(const xmtp_send_queue *q)
{
    return q->n - q->head;
}

/* n more bytes at the back, for the caller to fill before anything else is done with the queue.
 * NULL without memory; the queue is unchanged then. */
uint8_t *xmtp_send_queue_extend(xmtp_send_queue *q, const xmtp_alloc *alloc, size_t n);

/* Moves up to capacity bytes from the front to out; returns how many. */
size_t xmtp_send_queue_take(xmtp_send_queue *q, const xmtp_alloc *alloc, uint8_t *out,
                            size_t capacity);

void xmtp_send_queue_free(xmtp_send_queue *q, const xmtp_alloc *alloc);

#endif
