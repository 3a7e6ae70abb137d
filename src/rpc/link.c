/* link.c - see link.h. */
#include "rpc/link.h"

#include "base/bytes.h"
#include "base/status.h"
#include "rpc/tcp.h"

#include <poll.h>
#include <unistd.h>

/* Reads in a row before others get their turn; the most clear text of a TLS record. */
enum { READS_MAX = 64, RECORD_LEN = 16384 };

xmtp_status xmtp_link_new(xmtp_link **out, const xmtp_alloc *alloc, int fd, xmtp_tls_client *tls,
                          uint64_t handshake_by_ns, const xmtp_rpc_client_options *options)
{
    *out = NULL;
    xmtp_rpc_client_conn *conn = NULL;
    xmtp_tls_conn *tls_conn = NULL;
    xmtp_status status = xmtp_rpc_client_conn_new(&conn, alloc, options);
    if (status == XMTP_OK && tls != NULL) {
        status = xmtp_tls_client_connect(&tls_conn, tls);
    }
    xmtp_link *link =
        status == XMTP_OK ? alloc->reallocate(alloc->context, NULL, sizeof *link) : NULL;
    if (link == NULL) {
        xmtp_tls_conn_free(tls_conn);
        xmtp_rpc_client_conn_free(conn);
        (void)close(fd);
        return XMTP_E_NOMEM;
    }
    link->alloc = alloc;
    link->fd = fd;
    link->conn = conn;
    link->tls_client = tls;
    link->tls = tls_conn;
    link->handshake_by_ns = handshake_by_ns;
    link->why = (xmtp_error){0};
    link->out_at = 0;
    link->out_n = 0;
    link->tick_at_ns = 0;
    xmtp_list_init(&link->list);
    *out = link;
    return XMTP_OK;
}

/* Clear text may pass. */
static bool is_ready(const xmtp_link *link)
{
    return link->tls == NULL || xmtp_tls_client_is_ready(link->tls);
}

/* Encrypts what there is, at most a buffer's worth. */
static xmtp_status encrypt(xmtp_link *link)
{
    uint8_t clear[RECORD_LEN];
    for (size_t sum = 0; sum < XMTP_LINK_BUFFER_LEN && is_ready(link); sum += RECORD_LEN) {
        size_t n = xmtp_rpc_client_conn_send(link->conn, clear, sizeof clear);
        if (n == 0) {
            break;
        }
        XMTP_TRY(xmtp_tls_conn_write(link->tls, xmtp_bytes_of(clear, n)));
    }
    return XMTP_OK;
}

/* The next bytes for the socket, out_n 0: none. */
static xmtp_status fill(xmtp_link *link)
{
    link->out_at = 0;
    link->out_n = 0;
    if (link->tls == NULL) {
        link->out_n = xmtp_rpc_client_conn_send(link->conn, link->out, sizeof link->out);
        return XMTP_OK;
    }
    XMTP_TRY(encrypt(link));
    link->out_n = xmtp_tls_conn_send(link->tls, link->out, sizeof link->out);
    return XMTP_OK;
}

static xmtp_status write_all(xmtp_link *link)
{
    for (;;) {
        if (link->out_at == link->out_n) {
            XMTP_TRY(fill(link));
        }
        if (link->out_n == 0) {
            return XMTP_OK;
        }
        size_t n;
        xmtp_bytes rest = xmtp_bytes_of(link->out + link->out_at, link->out_n - link->out_at);
        xmtp_status status = xmtp_tcp_write(link->fd, rest, &n);
        if (status != XMTP_OK) {
            return status == XMTP_E_RETRY ? XMTP_OK : status;
        }
        link->out_at += n;
    }
}

static xmtp_status decrypt(xmtp_link *link, xmtp_bytes in)
{
    uint8_t clear[RECORD_LEN];
    size_t n;
    xmtp_status status = xmtp_tls_conn_recv(link->tls, in);
    while (status == XMTP_OK) {
        status =
            xmtp_tls_client_read(link->tls_client, link->tls, clear, sizeof clear, &n, &link->why);
        if (status == XMTP_OK) {
            status = xmtp_rpc_client_conn_recv(link->conn, xmtp_bytes_of(clear, n));
        }
    }
    return status == XMTP_E_RETRY ? XMTP_OK : status;
}

static xmtp_status take(xmtp_link *link, xmtp_bytes in)
{
    return link->tls == NULL ? xmtp_rpc_client_conn_recv(link->conn, in) : decrypt(link, in);
}

/* Stops after a short read: what comes later, poll will tell. */
static xmtp_status read_all(xmtp_link *link)
{
    uint8_t in[XMTP_LINK_BUFFER_LEN];
    size_t n = sizeof in;
    for (int i = 0; i < READS_MAX && n == sizeof in; i++) {
        xmtp_status status = xmtp_tcp_read(link->fd, in, sizeof in, &n);
        if (status != XMTP_OK) {
            return status == XMTP_E_RETRY ? XMTP_OK : status;
        }
        XMTP_TRY(take(link, xmtp_bytes_of(in, n)));
    }
    return XMTP_OK;
}

static const char *explain(const xmtp_link *link, xmtp_status status)
{
    if (link->why.status == status) {
        return link->why.text;
    }
    switch (is_ready(link) ? 0 : (int)status) {
    case XMTP_E_CLOSED:
        return "node closed the connection during the TLS handshake";
    case XMTP_E_NETWORK:
        return "connection to the node was lost during the TLS handshake";
    case XMTP_E_TIMEOUT:
        return "node did not finish the TLS handshake in time";
    default:
        break;
    }
    switch ((int)status) {
    case XMTP_E_CLOSED:
        return "node closed the connection";
    case XMTP_E_NETWORK:
        return "connection to the node was lost";
    case XMTP_E_TIMEOUT:
        return "node does not answer any more";
    case XMTP_E_PROTOCOL:
        return "peer does not speak HTTP/2";
    default:
        return xmtp_status_text(status);
    }
}

static xmtp_status tick(xmtp_link *link)
{
    uint64_t now_ns = xmtp_tcp_now_ns();
    if (!is_ready(link)) {
        link->tick_at_ns = link->handshake_by_ns;
        return now_ns < link->handshake_by_ns ? XMTP_OK : XMTP_E_TIMEOUT;
    }
    return xmtp_rpc_client_conn_tick(link->conn, now_ns, &link->tick_at_ns);
}

/* Reading comes before the tick, so that an answer that waited in the socket still counts. */
static xmtp_status work(xmtp_link *link)
{
    XMTP_TRY(read_all(link));
    XMTP_TRY(tick(link));
    xmtp_status status = write_all(link);
    XMTP_TRY(xmtp_rpc_client_conn_status(link->conn)); /* the better reason of the two */
    XMTP_TRY(status);
    return xmtp_rpc_client_conn_is_done(link->conn) ? XMTP_E_CLOSED : XMTP_OK;
}

xmtp_status xmtp_link_work(xmtp_link *link, const char **why)
{
    xmtp_status status = work(link);
    if (status != XMTP_OK) {
        *why = explain(link, status);
    }
    return status;
}

short xmtp_link_events(const xmtp_link *link)
{
    bool wants_write = link->out_at < link->out_n ||
                       (link->tls != NULL && xmtp_tls_conn_has_output(link->tls)) ||
                       (is_ready(link) && xmtp_rpc_client_conn_has_output(link->conn));
    return (short)(POLLIN | (wants_write ? POLLOUT : 0));
}

void xmtp_link_free(xmtp_link *link)
{
    xmtp_rpc_client_conn_goodbye(link->conn);
    xmtp_status status = write_all(link);
    if (link->tls != NULL && status == XMTP_OK) {
        xmtp_tls_conn_shutdown(link->tls);
        (void)write_all(link);
    }
    xmtp_list_remove(&link->list);
    xmtp_tls_conn_free(link->tls);
    xmtp_rpc_client_conn_free(link->conn);
    (void)close(link->fd);
    (void)link->alloc->reallocate(link->alloc->context, link, 0);
}
