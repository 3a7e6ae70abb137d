/* connection.c - a transport of its own, for clients that share it. */
#include "client/state.h"
#include "rpc/grpc_transport.h"

#include <xmtp/connection.h>

/* The memory it came from goes with it. */
typedef struct shared_connection {
    xmtp_transport transport; /* first: what callers hold */
    const xmtp_env *env;
} shared_connection;

xmtp_status xmtp_connection_open(struct xmtp_transport **out, const char *node_url,
                                 const char *app_version, const xmtp_env *env, xmtp_error *error)
{
    const char *url;
    env = env == NULL ? xmtp_env_system() : env;
    *out = NULL;
    xmtp_error_clear(error);
    XMTP_TRY(xmtp_node_url(node_url, &url, error));
    shared_connection *c = env->alloc.reallocate(env->alloc.context, NULL, sizeof(*c));
    XMTP_ENSURE(c != NULL, xmtp_fail(error, XMTP_E_NOMEM, "no memory for a connection"));
    c->env = env;
    xmtp_status status = xmtp_grpc_transport_open(&c->transport, url, env, app_version, error);
    if (status != XMTP_OK) {
        (void)env->alloc.reallocate(env->alloc.context, c, 0);
        return status;
    }
    *out = &c->transport;
    return XMTP_OK;
}

xmtp_status xmtp_connection_authorize(struct xmtp_transport *connection,
                                      const xmtp_credential_source *source, xmtp_error *error)
{
    shared_connection *c = (shared_connection *)connection;
    xmtp_error_clear(error);
    return xmtp_grpc_transport_authorize(&c->transport, c->env, source, error);
}

xmtp_status xmtp_connection_trust(struct xmtp_transport *connection, const char *authorities_file,
                                  xmtp_error *error)
{
    xmtp_error_clear(error);
    return xmtp_grpc_transport_trust(connection, authorities_file, error);
}

void xmtp_connection_close(struct xmtp_transport *connection)
{
    if (connection == NULL) {
        return;
    }
    shared_connection *c = (shared_connection *)connection;
    const xmtp_env *env = c->env;
    c->transport.close(c->transport.context);
    (void)env->alloc.reallocate(env->alloc.context, c, 0);
}
