/* server.h - the interop client behind a TCP socket, as gRPC over cleartext HTTP/2.
 *
 *     socket --> bytes --> xmtp_rpc_server_conn --> interop_client_call
 *     socket <-- bytes <-- xmtp_rpc_server_conn <--- answer or grpc-status
 *
 * One thread and one loop; a call is answered before the next byte is read.
 */
#ifndef XMTP_MLS_INTEROP_SERVER_H
#define XMTP_MLS_INTEROP_SERVER_H

#include "client.h"

typedef struct interop_server interop_server;

/* Listens on the loopback address; port 0: a free one. client must outlive the server.
 * XMTP_E_NETWORK, XMTP_E_NOMEM. */
xmtp_status interop_server_open(interop_server **out, interop_client *client, uint16_t port,
                                xmtp_error *error) XMTP_MUST_CHECK;
uint16_t interop_server_port(const interop_server *server);

/* Serves until interop_server_stop, which any thread may call, or SIGTERM or SIGINT. */
void interop_server_run(interop_server *server);
void interop_server_stop(interop_server *server);

/* After run has returned, or instead of it. Takes NULL. */
void interop_server_close(interop_server *server);

#endif
