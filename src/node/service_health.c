/* service_health.c - grpc.health.v1.Health/Check: proxies and operators ask whether the node
 * serves.
 */
#include "base/status.h"
#include "node/service.h"
#include "node/wire.h"
#include "proto/field.h"
#include "proto/mls_api.pb-c.h"

#include <string.h>

enum { SERVING = 1 };

static bool is_known(const char *service)
{
    return service == NULL || service[0] == '\0' ||
           strcmp(service, "xmtp.mls.api.v1.MlsApi") == 0 ||
           strcmp(service, "xmtp.identity.api.v1.IdentityApi") == 0;
}

static xmtp_status check(xmtp_node_call *call, xmtp_bytes bytes)
{
    void *p;
    XMTP_TRY(xmtp_node_call_decode(call, &pb__health_check_request__descriptor, bytes, &p));
    const Pb__HealthCheckRequest *request = p;
    if (!is_known(request->service)) {
        return xmtp_fail(&call->error, XMTP_E_NOT_FOUND, "unknown service");
    }
    xmtp_field_put_u64(&call->reply, 1, SERVING);
    return XMTP_OK;
}

const xmtp_node_method_entry xmtp_node_health_methods[] = {
    {"/grpc.health.v1.Health/Check", check},
    {NULL, NULL},
};
