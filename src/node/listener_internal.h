/* listener_internal.h - the structs that the listener's files share: listener.c has the sockets and
 * the threads, arrival.c brings connections to their loops, connection.c has the bytes of one
 * connection, net_call.c and net_stream.c what its calls do.
 *
 *     first loop: sockets --> connection --> the loop whose turn it is, for good
 *
 * A struct xmtp_node_listener is one loop with its thread. Everything in it belongs to that thread,
 * except what is marked as under the lock.
 */
#ifndef XMTP_NODE_LISTENER_INTERNAL_H
#define XMTP_NODE_LISTENER_INTERNAL_H

#include "node/address.h"
#include "node/listener.h"
#include "rpc/endpoint.h"
#include "rpc/list.h"
#include "rpc/stall.h"

#include <pthread.h>
#include <uv.h>

typedef struct xmtp_node_connection xmtp_node_connection;
typedef struct xmtp_node_net_call xmtp_node_net_call;
typedef struct xmtp_node_net_stream xmtp_node_net_stream;
typedef struct xmtp_node_arrival xmtp_node_arrival;

/* Part of what has to be done; belongs to errand.c from send until done is called. */
typedef struct xmtp_node_errand {
    void (*run)(struct xmtp_node_errand *errand);  /* in a worker */
    void (*done)(struct xmtp_node_errand *errand); /* in the loop; may free it, or send it again */
    xmtp_node_work work;
    xmtp_node_listener *listener;
    struct xmtp_node_errand *next;
} xmtp_node_errand;

typedef struct xmtp_node_socket {
    uv_tcp_t tcp;
    xmtp_node_listener *listener;
    uint16_t port;
    unsigned protocols; /* xmtp_node_protocol, or-ed */
    bool is_open;
} xmtp_node_socket;

struct xmtp_node_listener {
    xmtp_node *node;
    xmtp_node_listener *next_loop; /* NULL after the last */
    xmtp_node_listener *turn;      /* of the first loop: which gets the next connection */
    uv_loop_t loop;
    pthread_t thread;
    pthread_t loop_thread; /* the same, as the thread itself knows it */
    uv_async_t async;
    uv_timer_t timer;    /* keep-alive; when stopping, the end of the goodbye */
    uv_timer_t deadline; /* of the unary call that is due first, or later */
    xmtp_node_socket sockets[XMTP_NODE_LISTEN_MAX];
    size_t socket_count;
    xmtp_node_connection *connections;
    xmtp_node_connection *dirty; /* have something to send, perhaps */
    xmtp_list silent;            /* no request yet, by silent_link, oldest first */
    size_t silent_count;
    uint64_t ticks;
    xmtp_list calls;                     /* unary ones that have not ended */
    xmtp_list streams;                   /* open ones */
    size_t call_count;                   /* calls and streams that other threads may have */
    size_t put_off_len;                  /* bytes of requests that are with the workers */
    bool is_reading;                     /* one connection's input is being worked on */
    xmtp_node_net_call *kept;            /* the first of it that has something to store */
    const xmtp_node_connection *speaker; /* whose input came last; only compared */
    uint64_t crowded_ms;  /* when there was more to do than one call, the last time */
    size_t arrival_count; /* of the first loop: on their way to others */
    uv_sem_t no_arrivals; /* of the first loop: it is stopping and none is on its way */
    bool has_told_no_arrivals;
    bool is_stopping;
    uint64_t stopping_ticks; /* since then */
    bool is_stopped;         /* all handles are closing */
    uint8_t input[65536];    /* what was read; consumed before the next read */

    pthread_mutex_t lock; /* for what follows */
    bool must_stop;
    xmtp_node_net_call *ended;   /* calls that the sequencer has answered elsewhere */
    xmtp_node_net_stream *ready; /* streams that have something again */
    xmtp_node_errand *errands;   /* that workers are done with */
    xmtp_node_arrival *arrived;  /* connections that the first loop has accepted for this one */
};

struct xmtp_node_connection {
    uv_tcp_t tcp;
    uv_write_t write;
    xmtp_node_listener *listener;
    xmtp_endpoint *endpoint;
    unsigned protocols;
    xmtp_node_ip ip; /* of the client, see admission.c */
    bool has_ip;
    xmtp_node_seat seat;  /* of its address */
    bool is_one_too_many; /* its address has as many connections as it may */
    xmtp_list silent_link;
    uint8_t *output; /* being written; NULL: no write is under way */
    xmtp_stall stall;
    unsigned pauses;
    bool is_dead; /* nothing more is read; closed when what is queued has been sent */
    bool is_closing;
    bool is_dirty;
    xmtp_node_connection *next_dirty;
    xmtp_node_connection *next;
    xmtp_node_connection **previous; /* what points to this one */
};

/* ---- connection.c */

/* Takes a connection that came to a socket into this loop. fd: it was accepted already, and is taken
 * over; negative: it still waits at the socket, which is of this loop. */
void xmtp_node_connection_accept(xmtp_node_listener *listener, xmtp_node_socket *socket, int fd);
/* Remembers that there may be something to send. */
void xmtp_node_connection_touch(xmtp_node_connection *connection);
/* Sends what all touched connections have. */
void xmtp_node_connections_flush(xmtp_node_listener *listener);
/* Saying goodbye, in this order; it closes as soon as nothing runs and all is sent. */
typedef enum xmtp_node_goodbye {
    XMTP_NODE_DRAIN,     /* nothing new, as soon as the peer knows */
    XMTP_NODE_DRAIN_END, /* nothing new, whether it knows or not */
    XMTP_NODE_SHUTDOWN,  /* every call ends with UNAVAILABLE */
} xmtp_node_goodbye;
void xmtp_node_connection_say(xmtp_node_connection *connection, xmtp_node_goodbye goodbye);
/* Closes it when the peer is too slow in what it sends or takes. */
void xmtp_node_connection_tick(xmtp_node_connection *connection, uint64_t now_ns);
/* Reads nothing more until it was resumed as often as paused: what came has to be stored first. */
void xmtp_node_connection_pause(xmtp_node_connection *connection);
void xmtp_node_connection_resume(xmtp_node_connection *connection);
/* At once. */
void xmtp_node_connection_close(xmtp_node_connection *connection);

/* ---- arrival.c */

/* Gives a connection that waits at a socket to the loop whose turn it is. */
void xmtp_node_arrival_accept(xmtp_node_socket *socket);
/* Takes what was given to this loop. */
void xmtp_node_arrival_collect(xmtp_node_listener *listener);
/* Of the first loop: posts no_arrivals, once, when it is so. */
void xmtp_node_arrival_check_none(xmtp_node_listener *listener);

/* ---- errand.c */

void xmtp_node_errand_send(xmtp_node_listener *listener, xmtp_node_errand *errand);
/* Those that workers are done with. */
void xmtp_node_errands_collect(xmtp_node_listener *listener);

/* ---- net_call.c: unary calls, and the handler that tells them from streams */

/* What xmtp_rpc_call_data points to begins with this. */
typedef enum xmtp_node_net_kind { XMTP_NODE_NET_CALL, XMTP_NODE_NET_STREAM } xmtp_node_net_kind;

/* Bytes of requests of one loop that may wait for the workers. */
enum { XMTP_NODE_PUT_OFF_LEN_MAX = 256 * 1024 * 1024 };

/* A unary call takes no longer than this. */
uint64_t xmtp_node_call_ms_max(const xmtp_node_listener *listener);

/* The functions with which a connection's calls are served; context is the connection. */
xmtp_rpc_handler xmtp_node_net_handler(xmtp_node_connection *connection);
/* Around the input of one connection. A call of it that has something to store is kept until the
 * end, when it is known whether it was the only one. */
void xmtp_node_net_read_begin(xmtp_node_connection *connection);
void xmtp_node_net_read_end(xmtp_node_listener *listener);
/* Takes over what other threads have put into the lists. */
void xmtp_node_net_collect(xmtp_node_listener *listener);
/* Ends calls that have taken too long. */
void xmtp_node_net_calls_expire(xmtp_node_listener *listener);
/* When a call that comes now has to be answered, in the loop's milliseconds. */
uint64_t xmtp_node_net_deadline_ms(const xmtp_node_listener *listener, const xmtp_rpc_call *rpc,
                                   uint64_t ms_max);

/* ---- admission.c */

/* Asks who is at the other end, as soon as it can be told, and whether one more connection may come
 * from there; sets is_one_too_many. */
void xmtp_node_admit_connection(xmtp_node_connection *connection);

/* false: the call was refused and has ended. Before anything else is done for a call. seat: of a
 * stream, to be left at its end. */
bool xmtp_node_admit(xmtp_node_connection *connection, xmtp_rpc_call *rpc, const char *path,
                     xmtp_bytes request, xmtp_node_seat *seat);

/* ---- net_stream.c */

/* Takes the seat over. */
void xmtp_node_net_stream_start(xmtp_node_listener *listener, xmtp_rpc_call *rpc, const char *path,
                                xmtp_bytes request, xmtp_node_seat *seat);
void xmtp_node_net_stream_cancelled(xmtp_node_net_stream *stream);
void xmtp_node_net_stream_writable(xmtp_node_net_stream *stream);
void xmtp_node_net_stream_message(xmtp_node_net_stream *stream, xmtp_bytes message);
void xmtp_node_net_stream_half_closed(xmtp_node_net_stream *stream);
void xmtp_node_net_streams_collect(xmtp_node_listener *listener);
void xmtp_node_net_streams_tick(xmtp_node_listener *listener);
/* Ends all with UNAVAILABLE. */
void xmtp_node_net_streams_stop(xmtp_node_listener *listener);

/* ---- listener.c */

/* Looks whether a stopping listener has nothing left. */
void xmtp_node_listener_check_stopped(xmtp_node_listener *listener);

#endif
