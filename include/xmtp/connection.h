/* connection.h - one connection to a node for several clients.
 *
 *     struct xmtp_transport *connection;
 *     if (xmtp_connection_open(&connection, "http://localhost:5556", NULL, NULL, &error) == XMTP_OK) {
 *         xmtp_client_options options = {.transport = connection, ...};
 *         ... any number of clients ...
 *         xmtp_connection_close(connection);         after the last of them
 *     }
 *
 * Calls and streams of all its clients go over one HTTP/2 connection, which is opened at the first
 * call, and again after it was lost. A connection and all clients on it belong to one thread at a
 * time. Who polls one client is also woken by what is for another: xmtp_client_poll may then return
 * XMTP_OK without news. To wait for all at once use a host (host.h), which has its own connection.
 */
#ifndef XMTP_CONNECTION_H
#define XMTP_CONNECTION_H

#include <xmtp/client.h>
#include <xmtp/credential.h>

#ifdef __cplusplus
extern "C" {
#endif

/* node_url as in client.h. app_version "name/version" or NULL. env NULL:
 * xmtp_env_system(); it must outlive the connection. XMTP_E_ARGUMENT: not a url, or a version that
 * cannot be sent; XMTP_E_NOMEM, XMTP_E_IO. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_connection_open(struct xmtp_transport **out,
                                                          const char *node_url,
                                                          const char *app_version,
                                                          const xmtp_env *env, xmtp_error *error);
/* As xmtp_client_options.node_authorities; before the first call. XMTP_E_STATE: too late. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_connection_trust(struct xmtp_transport *connection,
                                                           const char *authorities_file,
                                                           xmtp_error *error);
/* Calls and streams of all its clients that start from now on carry a credential of this source, for a
 * gateway; see credential.h. Copied; its context must outlive the connection. XMTP_E_ARGUMENT: it would
 * travel in clear text to another machine. XMTP_E_NOMEM. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_connection_authorize(struct xmtp_transport *connection,
                                                               const xmtp_credential_source *source,
                                                               xmtp_error *error);
/* After all clients that use it were closed. Takes NULL. */
XMTP_API void xmtp_connection_close(struct xmtp_transport *connection);

#ifdef __cplusplus
}
#endif
#endif
