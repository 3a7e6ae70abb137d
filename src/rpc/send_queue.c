/* send_queue.c - see send_queue.h. Each byte is moved at most once more than it is copied in and
 * out: what was taken is closed up only when it is at least half of the buffer. */
#include "rpc/send_queue.h"

#include "base/bytes.h"

#include <assert.h>

static void close_up(xmtp_send_queue *q)
{
    size_t len = xmtp_send_queue_len(q);
    if (q->head >= len) {
        xmtp_copy(q->p, q->p + q->head, len);
        q->head = 0;
        q->n = len;
    }
}

static bool grow(xmtp_send_queue *q, const xmtp_alloc *alloc, size_t needed)
{
    size_t capacity = q->capacity > needed / 2 ? 2 * q->capacity : needed;
    uint8_t *p = alloc->reallocate(alloc->context, q->p, capacity);
    if (p == NULL) {
        return false;
    }
    q->p = p;
    q->capacity = capacity;
    return true;
}

uint8_t *xmtp_send_queue_extend(xmtp_send_queue *q, const xmtp_alloc *alloc, size_t n)
{
    size_t needed;
    if (q->head > 0 && q->capacity - q->n < n) {
        close_up(q);
    }
    if (!xmtp_size_add(&needed, q->n, n) || (needed > q->capacity && !grow(q, alloc, needed))) {
        return NULL;
    }
    uint8_t *p = q->p + q->n;
    q->n = needed;
    return p;
}

size_t xmtp_send_queue_take(xmtp_send_queue *q, const xmtp_alloc *alloc, uint8_t *out,
                            size_t capacity)
{
    assert(q->head <= q->n && q->n <= q->capacity);
    size_t len = xmtp_send_queue_len(q);
    size_t n = len < capacity ? len : capacity;
    if (n > 0) {
        memcpy(out, q->p + q->head, n);
        q->head += n;
    }
    if (n == len) {
        xmtp_send_queue_free(q, alloc);
    }
    return n;
}

void xmtp_send_queue_free(xmtp_send_queue *q, const xmtp_alloc *alloc)
{
    if (q->p != NULL) {
        (void)alloc->reallocate(alloc->context, q->p, 0);
    }
    *q = (xmtp_send_queue){0};
}
