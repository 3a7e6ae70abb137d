/* endpoint.h - one accepted connection, whatever it speaks: bytes in, calls and exchanges out.
 *
 *     bytes --> [PROXY header] --> [TLS] --> "PRI" ? HTTP/2 (server_conn.h) : HTTP/1.1
 *
 * No sockets, no clock, no threads; driven like server_conn.h. What is recognised by its first
 * bytes: TLS by 0x16, HTTP/2 by the client's preface. The rest is HTTP/1.1, or refused as such.
 */
#ifndef XMTP_RPC_ENDPOINT_H
#define XMTP_RPC_ENDPOINT_H

#include "rpc/proxy_header.h"
#include "rpc/server_conn.h"
#include "rpc/tls.h"

/* From the first byte expected to the first request's head (HTTP/1.1) or the preface (HTTP/2). */
enum { XMTP_ENDPOINT_HELLO_SECONDS = 10 };

typedef struct xmtp_endpoint xmtp_endpoint;

typedef struct xmtp_endpoint_options {
    /* gRPC. Without a request function such calls are exchanges too, for the server to refuse. */
    xmtp_rpc_handler grpc;
    /* Everything else. Its begin must be given. */
    xmtp_http_server http;
    /* NULL: clear text. Must outlive the endpoint. */
    xmtp_tls_server *tls;
    /* With tls: clear text is served too. */
    bool may_be_clear;
    /* The connection begins with a PROXY header, or is refused. */
    bool has_proxy_header;
    /* Of HTTP/2: calls and streams at once, silence until a PING. 0: the default of
     * xmtp_rpc_server_options. */
    uint32_t streams_max;
    uint64_t idle_ns;
    /* The driver's pointer, as xmtp_rpc_call_peer and x->peer give it. */
    void *peer;
} xmtp_endpoint_options;

/* options are copied; alloc must outlive the endpoint. XMTP_E_NOMEM. */
xmtp_status xmtp_endpoint_new(xmtp_endpoint **out, const xmtp_alloc *alloc,
                              const xmtp_endpoint_options *options);

/* Cancels what runs. NULL is allowed. */
void xmtp_endpoint_free(xmtp_endpoint *e);

/* Takes all of in. A failure: nothing more need be read; send what send still gives, then free. */
xmtp_status xmtp_endpoint_recv(xmtp_endpoint *e, xmtp_bytes in);

/* Writes up to capacity bytes for the peer to out and returns how many; 0: nothing now. */
size_t xmtp_endpoint_send(xmtp_endpoint *e, uint8_t *out, size_t capacity);
bool xmtp_endpoint_has_output(const xmtp_endpoint *e);

/* Close the socket. */
bool xmtp_endpoint_is_done(const xmtp_endpoint *e);

/* The peer has said enough to be taken seriously: a whole request's head, or the preface. */
bool xmtp_endpoint_has_spoken(const xmtp_endpoint *e);

/* What runs goes on, nothing new is begun. */
void xmtp_endpoint_drain(xmtp_endpoint *e);

/* After drain: does not wait for the peer any more to take notice of it. */
void xmtp_endpoint_drain_end(xmtp_endpoint *e);

/* What runs is ended with UNAVAILABLE. */
void xmtp_endpoint_shutdown(xmtp_endpoint *e);

/* Call it once a second or so with a clock that never goes back. XMTP_E_TIMEOUT: free it. */
xmtp_status xmtp_endpoint_tick(xmtp_endpoint *e, uint64_t now_ns);

/* The client's address as the PROXY header told it; "" when there was none. */
const char *xmtp_endpoint_client(const xmtp_endpoint *e);

#endif
