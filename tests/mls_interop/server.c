/* server.c - see server.h. */
#include "server.h"

#include "base/bytes.h"
#include "base/status.h"
#include "rpc/server_conn.h"

#include <signal.h>
#include <stdlib.h>
#include <uv.h>

enum { BACKLOG = 16, OUTPUT_LEN = 256 * 1024 };

typedef struct connection {
    uv_tcp_t tcp;
    uv_write_t write;
    xmtp_rpc_server_conn *rpc;
    interop_server *server;
    bool is_writing;
    bool is_dead;    /* nothing more is read */
    uint8_t *output; /* OUTPUT_LEN bytes; being written when is_writing */
} connection;

struct interop_server {
    interop_client *client;
    uv_loop_t loop;
    uv_tcp_t socket;
    uv_async_t stop;
    uv_signal_t signals[2];
    uint16_t port;
    bool is_stopping;
    uint8_t input[65536];
};

/* ---- calls ---- */

static void on_request(void *context, xmtp_rpc_call *call, const char *path, xmtp_bytes request)
{
    interop_client *client = context;
    xmtp_error error = {0};
    xmtp_writer response;
    xmtp_writer_init(&response, &xmtp_env_system()->alloc, XMTP_RPC_ANSWERS_LEN_MAX);
    xmtp_status status = interop_client_call(client, path, request, &response, &error);
    if (status == XMTP_OK) {
        status = xmtp_rpc_call_message(call, xmtp_writer_bytes(&response));
    }
    if (status == XMTP_E_UNSUPPORTED) {
        xmtp_rpc_call_end(call, XMTP_GRPC_UNIMPLEMENTED, error.text, NULL);
    } else {
        xmtp_rpc_call_end_status(call, status, error.text[0] == '\0' ? NULL : error.text);
    }
    xmtp_writer_free(&response);
}

/* Calls end before on_request returns. */
static void on_cancelled(void *context, xmtp_rpc_call *call)
{
    (void)context;
    (void)call;
}

/* ---- connections ---- */

static void on_connection_closed(uv_handle_t *handle)
{
    connection *c = handle->data;
    xmtp_rpc_server_conn_free(c->rpc);
    free(c->output);
    free(c);
}

static void close_connection(connection *c)
{
    if (!uv_is_closing((uv_handle_t *)&c->tcp)) {
        uv_close((uv_handle_t *)&c->tcp, on_connection_closed);
    }
}

static void flush(connection *c);

static void on_written(uv_write_t *write, int code)
{
    connection *c = write->data;
    c->is_writing = false;
    if (code < 0) {
        close_connection(c);
    } else {
        flush(c);
    }
}

static size_t fill(connection *c)
{
    size_t n = 0, got;
    while (n < OUTPUT_LEN &&
           (got = xmtp_rpc_server_conn_send(c->rpc, c->output + n, OUTPUT_LEN - n)) > 0) {
        n += got;
    }
    return n;
}

/* Starts the next write, when none is under way and there is something to say. */
static void flush(connection *c)
{
    if (c->is_writing || uv_is_closing((uv_handle_t *)&c->tcp)) {
        return;
    }
    size_t n = fill(c);
    if (n == 0) {
        if (c->is_dead || xmtp_rpc_server_conn_is_done(c->rpc)) {
            close_connection(c);
        }
        return;
    }
    uv_buf_t buf = uv_buf_init((char *)c->output, (unsigned)n);
    c->write.data = c;
    c->is_writing = true;
    if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &buf, 1, on_written) != 0) {
        c->is_writing = false;
        close_connection(c);
    }
}

static void give_input(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    connection *c = handle->data;
    (void)suggested;
    *buf = uv_buf_init((char *)c->server->input, sizeof c->server->input);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    connection *c = stream->data;
    if (n < 0) {
        close_connection(c);
        return;
    }
    if (xmtp_rpc_server_conn_recv(c->rpc, xmtp_bytes_of(buf->base, (size_t)n)) != XMTP_OK) {
        c->is_dead = true;
        (void)uv_read_stop(stream);
    }
    flush(c);
}

static void on_connection(uv_stream_t *stream, int code)
{
    interop_server *server = stream->data;
    connection *c = code == 0 ? calloc(1, sizeof *c) : NULL;
    if (c == NULL) {
        return;
    }
    const xmtp_rpc_handler handler = {
        .context = server->client, .request = on_request, .cancelled = on_cancelled};
    (void)uv_tcp_init(&server->loop, &c->tcp);
    c->tcp.data = c;
    c->server = server;
    c->output = malloc(OUTPUT_LEN);
    xmtp_status status =
        xmtp_rpc_server_conn_new(&c->rpc, &xmtp_env_system()->alloc, &handler, NULL);
    if (c->output == NULL || status != XMTP_OK || uv_accept(stream, (uv_stream_t *)&c->tcp) != 0 ||
        uv_read_start((uv_stream_t *)&c->tcp, give_input, on_read) != 0) {
        close_connection(c);
        return;
    }
    (void)uv_tcp_nodelay(&c->tcp, 1);
}

/* ---- the server ---- */

static void close_handle(uv_handle_t *handle, void *context)
{
    interop_server *server = context;
    const bool is_own = handle == (uv_handle_t *)&server->socket ||
                        handle == (uv_handle_t *)&server->stop || handle->type == UV_SIGNAL;
    if (!uv_is_closing(handle)) {
        uv_close(handle, is_own ? NULL : on_connection_closed);
    }
}

static void stop(interop_server *server)
{
    if (!server->is_stopping) {
        server->is_stopping = true;
        uv_walk(&server->loop, close_handle, server);
    }
}

static void on_stop(uv_async_t *async)
{
    stop(async->data);
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    stop(handle->data);
}

static int listen_at(interop_server *server, uint16_t port)
{
    struct sockaddr_storage address = {0};
    int n = sizeof address;
    (void)uv_ip4_addr("127.0.0.1", port, (struct sockaddr_in *)&address);
    int code = uv_tcp_bind(&server->socket, (const struct sockaddr *)&address, 0);
    if (code == 0) {
        code = uv_listen((uv_stream_t *)&server->socket, BACKLOG, on_connection);
    }
    if (code == 0) {
        code = uv_tcp_getsockname(&server->socket, (struct sockaddr *)&address, &n);
    }
    server->port = ntohs(((struct sockaddr_in *)&address)->sin_port);
    return code;
}

static void watch(interop_server *server, size_t index, int number)
{
    (void)uv_signal_init(&server->loop, &server->signals[index]);
    server->signals[index].data = server;
    (void)uv_signal_start(&server->signals[index], on_signal, number);
}

xmtp_status interop_server_open(interop_server **out, interop_client *client, uint16_t port,
                                xmtp_error *error)
{
    *out = NULL;
    interop_server *server = calloc(1, sizeof *server);
    XMTP_ENSURE(server != NULL, XMTP_E_NOMEM);
    server->client = client;
    if (uv_loop_init(&server->loop) != 0) {
        free(server);
        return XMTP_E_NOMEM;
    }
    (void)uv_tcp_init(&server->loop, &server->socket);
    (void)uv_async_init(&server->loop, &server->stop, on_stop);
    server->socket.data = server;
    server->stop.data = server;
    watch(server, 0, SIGTERM);
    watch(server, 1, SIGINT);
    int code = listen_at(server, port);
    if (code != 0) {
        interop_server_close(server);
        return xmtp_fail(error, XMTP_E_NETWORK, "cannot listen on port %u: %s", (unsigned)port,
                         uv_strerror(code));
    }
    *out = server;
    return XMTP_OK;
}

uint16_t interop_server_port(const interop_server *server)
{
    return server->port;
}

void interop_server_run(interop_server *server)
{
    (void)uv_run(&server->loop, UV_RUN_DEFAULT);
}

void interop_server_stop(interop_server *server)
{
    (void)uv_async_send(&server->stop);
}

void interop_server_close(interop_server *server)
{
    if (server == NULL) {
        return;
    }
    stop(server);
    (void)uv_run(&server->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&server->loop);
    free(server);
}
