/* arrival.c - which loop a connection lives in: the first loop accepts, and all get one in turn.
 *
 *     first loop: accept --> handle of its own --> copy of the descriptor --> arrived list of the
 *     other loop --> its handle
 *
 * libuv accepts only into handles of the same loop, hence the copy. One socket for all loops, not
 * one each with SO_REUSEPORT: with that the kernel chooses by a hash, so that ten connections may
 * all meet one core, and a second node on the same port would not be noticed.
 */
#include "node/listener_internal.h"

#include <fcntl.h>

struct xmtp_node_arrival {
    uv_tcp_t tcp; /* of the first loop; closed before the copy is handed over */
    xmtp_node_listener *loop;
    xmtp_node_socket *socket;
    int fd;
    xmtp_node_arrival *next;
};

static void *allocate(const xmtp_node_listener *listener, void *p, size_t n)
{
    const xmtp_alloc *alloc = &listener->node->env->alloc;
    return alloc->reallocate(alloc->context, p, n);
}

static void on_closed(uv_handle_t *handle)
{
    xmtp_node_arrival *arrival = handle->data;
    xmtp_node_listener *loop = arrival->loop;
    xmtp_node_listener *first = arrival->socket->listener;
    if (arrival->fd < 0) {
        (void)allocate(loop, arrival, 0);
    } else {
        (void)pthread_mutex_lock(&loop->lock);
        arrival->next = loop->arrived;
        loop->arrived = arrival;
        (void)uv_async_send(&loop->async);
        (void)pthread_mutex_unlock(&loop->lock);
    }
    first->arrival_count--;
    xmtp_node_arrival_check_none(first);
}

void xmtp_node_arrival_check_none(xmtp_node_listener *first)
{
    if (first->is_stopping && first->arrival_count == 0 && !first->has_told_no_arrivals) {
        first->has_told_no_arrivals = true;
        uv_sem_post(&first->no_arrivals);
    }
}

static void hand_over(xmtp_node_listener *loop, xmtp_node_socket *socket)
{
    uv_os_fd_t fd;
    xmtp_node_arrival *arrival = allocate(loop, NULL, sizeof *arrival);
    if (arrival == NULL) {
        return; /* stays in the queue of the kernel */
    }
    *arrival = (xmtp_node_arrival){.loop = loop, .socket = socket, .fd = -1};
    (void)uv_tcp_init(&socket->listener->loop, &arrival->tcp);
    arrival->tcp.data = arrival;
    if (uv_accept((uv_stream_t *)&socket->tcp, (uv_stream_t *)&arrival->tcp) == 0 &&
        uv_fileno((uv_handle_t *)&arrival->tcp, &fd) == 0) {
        arrival->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0); /* negative: no descriptor left, so it ends */
    }
    socket->listener->arrival_count++;
    uv_close((uv_handle_t *)&arrival->tcp, on_closed);
}

void xmtp_node_arrival_accept(xmtp_node_socket *socket)
{
    xmtp_node_listener *first = socket->listener;
    xmtp_node_listener *loop = first->turn;
    first->turn = loop->next_loop == NULL ? first : loop->next_loop;
    if (loop == first) {
        xmtp_node_connection_accept(first, socket, -1);
    } else {
        hand_over(loop, socket);
    }
}

void xmtp_node_arrival_collect(xmtp_node_listener *listener)
{
    (void)pthread_mutex_lock(&listener->lock);
    xmtp_node_arrival *arrival = listener->arrived;
    listener->arrived = NULL;
    (void)pthread_mutex_unlock(&listener->lock);
    while (arrival != NULL) {
        xmtp_node_arrival *next = arrival->next;
        xmtp_node_connection_accept(listener, arrival->socket, arrival->fd);
        (void)allocate(listener, arrival, 0);
        arrival = next;
    }
}
