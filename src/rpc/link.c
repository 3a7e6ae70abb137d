/* link.c - see link.h. */
#include "rpc/link.h"

#include "base/bytes.h"
#include "base/status.h"
#include "rpc/tcp.h"

#include <poll.h>
#include <unistd.h>

/* Reads in a row before others get their turn. */
enum { READS_MAX = 64 };

xmtp_status xmtp_link_new(xmtp_link **out, const xmtp_alloc *alloc, int fd,
                          const xmtp_rpc_client_options *options)
{
    *out = NULL;
    xmtp_rpc_client_conn *conn = NULL;
    xmtp_status status = xmtp_rpc_client_conn_new(&conn, alloc, options);
    xmtp_link *link =
        status == XMTP_OK ? alloc->reallocate(alloc->context, NULL, sizeof *link) : NULL;
    if (link == NULL) {
        xmtp_rpc_client_conn_free(conn);
        (void)close(fd);
        return XMTP_E_NOMEM;
    }
    link->alloc = alloc;
    link->fd = fd;
    link->conn = conn;
    link->out_at = 0;
    link->out_n = 0;
    link->tick_at_ns = 0;
    xmtp_list_init(&link->list);
    *out = link;
    return XMTP_OK;
}

static xmtp_status write_all(xmtp_link *link)
{
    for (;;) {
        if (link->out_at == link->out_n) {
            link->out_at = 0;
            link->out_n = xmtp_rpc_client_conn_send(link->conn, link->out, sizeof link->out);
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
        XMTP_TRY(xmtp_rpc_client_conn_recv(link->conn, xmtp_bytes_of(in, n)));
    }
    return XMTP_OK;
}

static const char *explain(xmtp_status status)
{
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
        *why = explain(status);
    }
    return status;
}

short xmtp_link_events(const xmtp_link *link)
{
    bool wants_write = link->out_at < link->out_n || xmtp_rpc_client_conn_has_output(link->conn);
    return (short)(POLLIN | (wants_write ? POLLOUT : 0));
}

void xmtp_link_free(xmtp_link *link)
{
    xmtp_rpc_client_conn_goodbye(link->conn);
    (void)write_all(link);
    xmtp_list_remove(&link->list);
    xmtp_rpc_client_conn_free(link->conn);
    (void)close(link->fd);
    (void)link->alloc->reallocate(link->alloc->context, link, 0);
}
