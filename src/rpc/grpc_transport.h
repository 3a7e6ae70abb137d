/* grpc_transport.h - the xmtp_transport that speaks gRPC over cleartext HTTP/2 to a node. */
#ifndef XMTP_RPC_GRPC_TRANSPORT_H
#define XMTP_RPC_GRPC_TRANSPORT_H

#include "rpc/transport.h"

#include <xmtp/credential.h>

/* Fills out with a transport to the node at url: "http://host:port", port 5556 when left out. Does
 * not connect yet: the first call does, and again after the connection was lost.
 *
 * env          memory only; must outlive the transport. Time is the system's monotonic clock
 * app_version  header x-app-version, "name/version"; NULL or "" for none
 *
 * XMTP_E_UNSUPPORTED https; XMTP_E_ARGUMENT not a url; XMTP_E_NOMEM, XMTP_E_IO. *out is zeroed
 * then. Limits: 10 s to connect, 120 s a unary call and the opening of a stream, 50 MiB an answer.
 */
xmtp_status xmtp_grpc_transport_open(xmtp_transport *out, const char *url, const xmtp_env *env,
                                     const char *app_version, xmtp_error *error);

/* Calls and streams started from now on carry a credential of this source. env's clock tells when it
 * ends; both must outlive the transport. XMTP_E_NOMEM. */
xmtp_status xmtp_grpc_transport_authorize(xmtp_transport *transport, const xmtp_env *env,
                                          const xmtp_credential_source *source);

#endif
