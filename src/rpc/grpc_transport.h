/* grpc_transport.h - the xmtp_transport that speaks gRPC over HTTP/2 to a node, with TLS or in clear text. */
#ifndef XMTP_RPC_GRPC_TRANSPORT_H
#define XMTP_RPC_GRPC_TRANSPORT_H

#include "rpc/transport.h"

#include <xmtp/credential.h>

/* Fills out with a transport to the node at url: "https://host:port" (port 443 when left out), or
 * "http://host:port" (5556). Does not connect yet: the first call does, and again after the connection
 * was lost. For https the authorities of the system vouch for the node, see tls_client.h.
 *
 * env          memory only; must outlive the transport. Time is the system's monotonic clock
 * app_version  header x-app-version, "name/version"; NULL or "" for none
 *
 * XMTP_E_ARGUMENT not a url; XMTP_E_NOMEM, XMTP_E_IO. *out is zeroed then. Limits: 10 s to connect and
 * to shake hands, 120 s a unary call and the opening of a stream, 50 MiB an answer.
 */
xmtp_status xmtp_grpc_transport_open(xmtp_transport *out, const char *url, const xmtp_env *env,
                                     const char *app_version, xmtp_error *error);

/* Before the first call: the certificates of this PEM file vouch for the node, and not the system's
 * authorities. XMTP_E_ARGUMENT: nothing to vouch for at an http:// address, or no certificate in it;
 * XMTP_E_IO: it cannot be read; XMTP_E_STATE: too late; XMTP_E_NOMEM. */
xmtp_status xmtp_grpc_transport_trust(xmtp_transport *transport, const char *authorities_file,
                                      xmtp_error *error);

/* Calls and streams started from now on carry a credential of this source. env's clock tells when it
 * ends; both must outlive the transport. XMTP_E_ARGUMENT: it would travel in clear text to another
 * machine, see credential.h; XMTP_E_NOMEM. */
xmtp_status xmtp_grpc_transport_authorize(xmtp_transport *transport, const xmtp_env *env,
                                          const xmtp_credential_source *source, xmtp_error *error);

#endif
