/* service_message_api.c - the unary methods of the old network's MessageApi (node.md 1.2): nothing
 * can be published to it, and nothing is stored of it. Its streams are in envelopes.c.
 */
#include "base/status.h"
#include "node/service.h"
#include "proto/field.h"

enum { BATCH_MAX = 50 };

static xmtp_status publish(xmtp_node_call *call, xmtp_bytes bytes)
{
    (void)bytes;
    return xmtp_fail(&call->error, XMTP_E_RPC_UNAVAILABLE,
                     "publishing to XMTP V2 is no longer available");
}

/* QueryResponse without envelopes. */
static xmtp_status query(xmtp_node_call *call, xmtp_bytes bytes)
{
    (void)call;
    (void)bytes;
    return XMTP_OK;
}

/* One empty QueryResponse for each query. */
static xmtp_status batch_query(xmtp_node_call *call, xmtp_bytes bytes)
{
    xmtp_reader r = xmtp_reader_of(bytes);
    size_t count = 0;
    while (r.n > 0) {
        xmtp_field f;
        if (xmtp_field_next(&r, &f) != XMTP_OK) {
            return xmtp_fail(&call->error, XMTP_E_ARGUMENT,
                             "the request is no valid BatchQueryRequest");
        }
        count += f.number == 1 ? 1 : 0;
    }
    XMTP_TRY(xmtp_node_call_count(call, count, 0, BATCH_MAX, "queries"));
    for (size_t i = 0; i < count; i++) {
        xmtp_field_put_message(&call->reply, 1, (xmtp_bytes){0});
    }
    return XMTP_OK;
}

const xmtp_node_method_entry xmtp_node_message_api_methods[] = {
    {"/xmtp.message_api.v1.MessageApi/Publish", publish},
    {"/xmtp.message_api.v1.MessageApi/Query", query},
    {"/xmtp.message_api.v1.MessageApi/BatchQuery", batch_query},
    {NULL, NULL},
};
