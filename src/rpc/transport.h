/* transport.h - how the client library reaches a node: one struct of functions, several drivers.
 *
 *     client code  ->  xmtp_transport  ->  gRPC over HTTP/2        (grpc_transport.h)
 *                                      ->  a node in this process  (node room)
 *
 * Client operations are plain blocking functions over this struct; no driver starts a thread.
 *
 * Threads: one thread at a time uses a transport and all of its streams (callers that share one
 * lock it themselves). Only wake may be called at any moment from any thread.
 *
 * Errors common to all calls:
 *   XMTP_E_NETWORK          the node cannot be reached, or the connection went away meanwhile: the node may or may
 *                           not have acted. The next call tries a new connection
 *   XMTP_E_TIMEOUT          no answer in time; the same doubt applies
 *   XMTP_E_UNTRUSTED, XMTP_E_TLS
 *                           TLS ended before anything was said: the certificate is not trusted, or there is
 *                           no TLS as it has to be. The next call tries a new connection
 *   XMTP_E_RPC_UNAVAILABLE  the node says UNAVAILABLE, or refused the call before looking at it
 *   XMTP_E_RPC_INVALID, _UNIMPLEMENTED, _EXHAUSTED, XMTP_E_RPC
 *                           the node answered with an error; error->text holds its words
 *   XMTP_E_PROTOCOL         the peer does not speak gRPC, or breaks its framing
 *   XMTP_E_LIMIT            an answer is longer than allowed
 * Drivers never repeat a call that the node may have seen: only the caller knows what may be done twice.
 */
#ifndef XMTP_RPC_TRANSPORT_H
#define XMTP_RPC_TRANSPORT_H

#include "base/writer.h"

#include <xmtp/base.h>

/* A running subscription. Each driver defines its own. */
typedef struct xmtp_stream xmtp_stream;

/* One of several calls that go out together; the fields are what unary takes and returns. */
typedef struct xmtp_unary {
    const char *path;
    xmtp_bytes request;
    xmtp_writer *response; /* of this call alone */
    xmtp_status status;    /* set when it is over */
} xmtp_unary;

/* What a caller does with the time that a call takes; must not use the transport. */
typedef struct xmtp_meanwhile {
    void (*run)(void *context);
    void *context;
} xmtp_meanwhile;

typedef struct xmtp_transport {
    void *context;

    /* One blocking call. path is "/package.Service/Method", request the encoded protobuf (valid
     * during the call). response is cleared first and then receives the encoded answer; after a
     * failure it is empty. The answer is bounded by response->n_max (XMTP_E_LIMIT) besides the
     * driver's own limit. error may be NULL. Streams go on receiving meanwhile. */
    xmtp_status (*unary)(void *context, const char *path, xmtp_bytes request, xmtp_writer *response,
                         xmtp_error *error);

    /* The same; meanwhile runs once in any case, when the request is on its way if there is a way. NULL: this
     * driver's calls take no time that could be used. */
    xmtp_status (*unary_while)(void *context, const char *path, xmtp_bytes request,
                               xmtp_writer *response, const xmtp_meanwhile *meanwhile,
                               xmtp_error *error);

    /* As many blocking calls, all under way before the first is waited for; returns when each is over. One
     * that fails does not end the others. NULL: this driver makes one after the other. */
    void (*unary_all)(void *context, xmtp_unary *calls, size_t count);

    /* Opens a server stream and returns when the node has accepted it (its response headers came),
     * so that everything published from then on will arrive. After a failure *out is NULL. */
    xmtp_status (*subscribe)(void *context, const char *path, xmtp_bytes request, xmtp_stream **out,
                             xmtp_error *error);

    /* The next message of a stream, if one is here. Never blocks; reads the network if it must.
     *   XMTP_OK        *message is the message, valid until the next call with this stream
     *   XMTP_E_RETRY   nothing here yet; see wait
     *   XMTP_E_CLOSED  the node ended the stream without an error
     *   others         the stream ended; messages that came before the end were all handed out
     * An ended stream gives the same answer again until it is unsubscribed. */
    xmtp_status (*next)(void *context, xmtp_stream *stream, xmtp_bytes *message, xmtp_error *error);

    /* Ends a stream, tells the node, and frees it. Also for streams that ended. NULL is allowed. */
    void (*unsubscribe)(void *context, xmtp_stream *stream);

    /* Waits until some stream has something for next (a message, or an end not yet handed out),
     * wake was called, or timeout_ns have passed (UINT64_MAX: no limit; 0: only look). Returns at
     * once while any stream still has something. A wake while nobody waits is kept for the next
     * wait; several count as one. Also keeps idle connections alive: without calls and waits they
     * die.
     *   XMTP_OK        something is here, or wake was called: try next on each stream
     *   XMTP_E_TIMEOUT nothing happened */
    xmtp_status (*wait)(void *context, uint64_t timeout_ns);

    /* Ends the present or the next wait. Any thread, also from a signal handler; not after close.
     * Does not interrupt unary or subscribe. */
    void (*wake)(void *context);

    /* Ends all streams and frees everything, context included. */
    void (*close)(void *context);
} xmtp_transport;

static inline xmtp_status xmtp_transport_unary_while(const xmtp_transport *t, const char *path,
                                                     xmtp_bytes request, xmtp_writer *response,
                                                     const xmtp_meanwhile *meanwhile,
                                                     xmtp_error *error)
{
    if (t->unary_while != NULL) {
        return t->unary_while(t->context, path, request, response, meanwhile, error);
    }
    meanwhile->run(meanwhile->context);
    return t->unary(t->context, path, request, response, error);
}

static inline void xmtp_transport_unary_all(const xmtp_transport *t, xmtp_unary *calls,
                                            size_t count)
{
    if (t->unary_all != NULL) {
        t->unary_all(t->context, calls, count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        xmtp_unary *call = &calls[i];
        call->status = t->unary(t->context, call->path, call->request, call->response, NULL);
    }
}

#endif
