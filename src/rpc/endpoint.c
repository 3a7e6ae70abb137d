/* endpoint.c - see endpoint.h.
 *
 *     PROXY --> HELLO --clear--------------> CHOOSE --> HTTP1 | HTTP2
 *                 '----0x16--> TLS: the same CHOOSE, on what it decrypts
 */
#include "rpc/endpoint.h"

#include "base/bytes.h"
#include "base/status.h"
#include "rpc/http1_conn.h"

typedef enum stage { STAGE_PROXY, STAGE_HELLO, STAGE_CHOOSE, STAGE_HTTP1, STAGE_HTTP2 } stage;

enum { CLEAR_LEN = 16384 /* one TLS record */, PREFACE_LEN = 3 };

struct xmtp_endpoint {
    const xmtp_alloc *alloc;
    xmtp_endpoint_options options;
    stage stage;
    xmtp_writer start; /* a PROXY header, or the first bytes of a preface, until they are whole */
    char client[XMTP_PROXY_ADDRESS_MAX];
    xmtp_tls_conn *tls; /* NULL: clear text */
    xmtp_http1_conn *http1;
    xmtp_rpc_server_conn *http2;
    xmtp_status failure;
    bool is_draining;
    uint64_t since_ns; /* first tick; 0: none yet */
};

/* ---- making and freeing */

xmtp_status xmtp_endpoint_new(xmtp_endpoint **out, const xmtp_alloc *alloc,
                              const xmtp_endpoint_options *options)
{
    *out = NULL;
    xmtp_endpoint *e = alloc->reallocate(alloc->context, NULL, sizeof *e);
    XMTP_ENSURE(e != NULL, XMTP_E_NOMEM);
    *e = (xmtp_endpoint){.alloc = alloc,
                         .options = *options,
                         .stage = options->has_proxy_header ? STAGE_PROXY : STAGE_HELLO};
    xmtp_writer_init(&e->start, alloc, XMTP_PROXY_LEN_MAX);
    *out = e;
    return XMTP_OK;
}

void xmtp_endpoint_free(xmtp_endpoint *e)
{
    if (e == NULL) {
        return;
    }
    xmtp_http1_conn_free(e->http1);
    xmtp_rpc_server_conn_free(e->http2);
    xmtp_tls_conn_free(e->tls);
    xmtp_writer_free(&e->start);
    (void)e->alloc->reallocate(e->alloc->context, e, 0);
}

/* ---- receiving: each stage hands what it does not need to the next */

static xmtp_status begin_http2(xmtp_endpoint *e)
{
    xmtp_rpc_server_options options = {.http = e->options.http,
                                       .streams_max = e->options.streams_max,
                                       .idle_ns = e->options.idle_ns};
    XMTP_TRY(xmtp_rpc_server_conn_new(&e->http2, e->alloc, &e->options.grpc, &options));
    *xmtp_rpc_server_conn_data(e->http2) = e->options.peer;
    e->stage = STAGE_HTTP2;
    return XMTP_OK;
}

static xmtp_status begin_http1(xmtp_endpoint *e)
{
    XMTP_TRY(xmtp_http1_conn_new(&e->http1, e->alloc, &e->options.http, e->options.peer));
    e->stage = STAGE_HTTP1;
    return XMTP_OK;
}

static xmtp_status recv_http(xmtp_endpoint *e, xmtp_bytes in)
{
    if (e->stage == STAGE_HTTP2) {
        return xmtp_rpc_server_conn_recv(e->http2, in);
    }
    xmtp_http1_conn_recv(e->http1, in);
    return XMTP_OK;
}

/* Methods of HTTP/1.1 begin with other letters than the preface, or go on with others. */
static xmtp_status choose(xmtp_endpoint *e, xmtp_bytes in)
{
    static const char preface[] = "PRI";
    while (in.n > 0 && e->start.n < PREFACE_LEN) {
        bool is_preface = in.p[0] == (uint8_t)preface[e->start.n];
        xmtp_writer_u8(&e->start, in.p[0]);
        in.p++;
        in.n--;
        if (!is_preface) {
            XMTP_TRY(begin_http1(e));
            break;
        }
    }
    XMTP_TRY(xmtp_writer_status(&e->start));
    if (e->stage == STAGE_CHOOSE && e->start.n < PREFACE_LEN) {
        return XMTP_OK;
    }
    if (e->stage == STAGE_CHOOSE) {
        XMTP_TRY(begin_http2(e));
    }
    XMTP_TRY(recv_http(e, xmtp_writer_bytes(&e->start)));
    xmtp_writer_free(&e->start);
    return recv_http(e, in);
}

static xmtp_status recv_clear(xmtp_endpoint *e, xmtp_bytes in)
{
    return e->stage == STAGE_CHOOSE ? choose(e, in) : recv_http(e, in);
}

static xmtp_status recv_tls(xmtp_endpoint *e, xmtp_bytes in)
{
    uint8_t clear[CLEAR_LEN];
    size_t n;
    xmtp_status status = xmtp_tls_conn_recv(e->tls, in);
    while (status == XMTP_OK) {
        status = xmtp_tls_conn_read(e->tls, clear, sizeof clear, &n);
        if (status == XMTP_OK) {
            status = recv_clear(e, xmtp_bytes_of(clear, n));
        }
    }
    return status == XMTP_E_RETRY ? XMTP_OK : status;
}

static xmtp_status hello(xmtp_endpoint *e, xmtp_bytes in)
{
    enum { TLS_HANDSHAKE = 0x16 };
    bool is_tls = in.p[0] == TLS_HANDSHAKE && e->options.tls != NULL;
    XMTP_ENSURE(is_tls || e->options.tls == NULL || e->options.may_be_clear, XMTP_E_PROTOCOL);
    e->stage = STAGE_CHOOSE;
    if (is_tls) {
        XMTP_TRY(xmtp_tls_conn_new(&e->tls, e->options.tls));
    }
    return is_tls ? recv_tls(e, in) : recv_clear(e, in);
}

static xmtp_status recv_some(xmtp_endpoint *e, xmtp_bytes in)
{
    if (in.n == 0) {
        return XMTP_OK;
    }
    if (e->stage == STAGE_HELLO) {
        return hello(e, in);
    }
    return e->tls != NULL ? recv_tls(e, in) : recv_clear(e, in);
}

static xmtp_status recv_proxy(xmtp_endpoint *e, xmtp_bytes in)
{
    size_t len;
    size_t before = e->start.n;
    size_t room = XMTP_PROXY_LEN_MAX - before;
    xmtp_writer_put(&e->start, xmtp_bytes_of(in.p, in.n < room ? in.n : room));
    XMTP_TRY(xmtp_writer_status(&e->start));
    xmtp_status status = xmtp_proxy_header_parse(xmtp_writer_bytes(&e->start), &len, e->client);
    if (status == XMTP_E_RETRY) {
        return XMTP_OK; /* its length is within the room: the parser says so */
    }
    XMTP_TRY(status);
    xmtp_writer_free(&e->start);
    e->stage = STAGE_HELLO;
    return recv_some(e, xmtp_bytes_of(in.p + (len - before), in.n - (len - before)));
}

xmtp_status xmtp_endpoint_recv(xmtp_endpoint *e, xmtp_bytes in)
{
    XMTP_TRY(e->failure);
    e->failure = e->stage == STAGE_PROXY ? recv_proxy(e, in) : recv_some(e, in);
    return e->failure;
}

/* ---- sending */

static size_t send_http(xmtp_endpoint *e, uint8_t *out, size_t capacity)
{
    if (e->http2 != NULL) {
        return xmtp_rpc_server_conn_send(e->http2, out, capacity);
    }
    return e->http1 != NULL ? xmtp_http1_conn_send(e->http1, out, capacity) : 0;
}

static bool http_has_output(const xmtp_endpoint *e)
{
    if (e->http2 != NULL) {
        return xmtp_rpc_server_conn_has_output(e->http2);
    }
    return e->http1 != NULL && xmtp_http1_conn_has_output(e->http1);
}

static bool http_is_done(const xmtp_endpoint *e)
{
    if (e->http2 != NULL) {
        return xmtp_rpc_server_conn_is_done(e->http2);
    }
    return e->http1 != NULL ? xmtp_http1_conn_is_done(e->http1) : e->is_draining;
}

/* Encrypts the next piece; false when there is none. */
static bool encrypt_some(xmtp_endpoint *e)
{
    uint8_t clear[CLEAR_LEN];
    size_t n = xmtp_tls_conn_has_handshaken(e->tls) ? send_http(e, clear, sizeof clear) : 0;
    if (n == 0) {
        if (http_is_done(e) || e->failure != XMTP_OK) {
            xmtp_tls_conn_shutdown(e->tls);
        }
        return xmtp_tls_conn_has_output(e->tls);
    }
    if (xmtp_tls_conn_write(e->tls, xmtp_bytes_of(clear, n)) != XMTP_OK) {
        e->failure = XMTP_E_NETWORK;
        return false;
    }
    return true;
}

size_t xmtp_endpoint_send(xmtp_endpoint *e, uint8_t *out, size_t capacity)
{
    if (e->tls == NULL) {
        return send_http(e, out, capacity);
    }
    size_t n = 0;
    while (n < capacity) {
        size_t got = xmtp_tls_conn_send(e->tls, out + n, capacity - n);
        n += got;
        if (got == 0 && !encrypt_some(e)) {
            break;
        }
    }
    return n;
}

bool xmtp_endpoint_has_output(const xmtp_endpoint *e)
{
    if (e->tls == NULL) {
        return http_has_output(e);
    }
    bool is_over = http_is_done(e) || e->failure != XMTP_OK;
    return xmtp_tls_conn_has_output(e->tls) ||
           (xmtp_tls_conn_has_handshaken(e->tls) && http_has_output(e)) ||
           (is_over && xmtp_tls_conn_owes_goodbye(e->tls));
}

bool xmtp_endpoint_is_done(const xmtp_endpoint *e)
{
    return (e->failure != XMTP_OK || http_is_done(e)) && !xmtp_endpoint_has_output(e);
}

/* ---- the end, and time */

void xmtp_endpoint_drain(xmtp_endpoint *e)
{
    e->is_draining = true;
    if (e->http2 != NULL) {
        xmtp_rpc_server_conn_drain(e->http2);
    } else if (e->http1 != NULL) {
        xmtp_http1_conn_drain(e->http1);
    }
}

void xmtp_endpoint_drain_end(xmtp_endpoint *e)
{
    if (e->http2 != NULL) {
        xmtp_rpc_server_conn_drain_end(e->http2);
    }
}

void xmtp_endpoint_shutdown(xmtp_endpoint *e)
{
    e->is_draining = true;
    if (e->http2 != NULL) {
        xmtp_rpc_server_conn_shutdown(e->http2);
    } else if (e->http1 != NULL) {
        xmtp_http1_conn_shutdown(e->http1);
    }
}

bool xmtp_endpoint_has_spoken(const xmtp_endpoint *e)
{
    return e->http2 != NULL || (e->http1 != NULL && xmtp_http1_conn_has_spoken(e->http1));
}

xmtp_status xmtp_endpoint_tick(xmtp_endpoint *e, uint64_t now_ns)
{
    const uint64_t hello_ns = (uint64_t)XMTP_ENDPOINT_HELLO_SECONDS * 1000000000;
    e->since_ns = e->since_ns == 0 ? now_ns : e->since_ns;
    if (!xmtp_endpoint_has_spoken(e) && now_ns - e->since_ns >= hello_ns) {
        return XMTP_E_TIMEOUT;
    }
    if (e->http2 != NULL) {
        return xmtp_rpc_server_conn_tick(e->http2, now_ns, NULL);
    }
    return e->http1 != NULL ? xmtp_http1_conn_tick(e->http1, now_ns) : XMTP_OK;
}

const char *xmtp_endpoint_client(const xmtp_endpoint *e)
{
    return e->client;
}
