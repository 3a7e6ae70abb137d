/* call.c - one unary call to the node, repeated while the node cannot be reached.
 *
 * Everything we send may be repeated: queries change nothing, messages are recognised by their
 * content or their id, an identity update that is in the log already is found there. When a call
 * has failed through all its retries, the calls after it try once, so that an operation over many
 * conversations does not wait for each of them while the node is away.
 */
#include "client/state.h"
#include "proto/message.h"

static const uint64_t MILLISECOND_NS = UINT64_C(1000000);

/* Waits before try 1, 2, ... (groups.md 8: 50 ms x 3^n). */
static const uint64_t waits_ms[] = {50, 50, 150, 450, 1350};

static bool is_away(xmtp_status status)
{
    return status == XMTP_E_NETWORK || status == XMTP_E_TIMEOUT || status == XMTP_E_RPC_UNAVAILABLE;
}

static xmtp_status call_with_retries(xmtp_client *client, const char *path, xmtp_error *error)
{
    size_t tries = client->is_node_away ? 0 : sizeof(waits_ms) / sizeof(waits_ms[0]);
    const xmtp_transport *t = client->transport;
    xmtp_error why = {0};
    xmtp_status status = XMTP_OK;
    for (size_t i = 0;; i++) {
        uint64_t began_ns = xmtp_now_ns(client);
        status = t->unary(t->context, path, xmtp_writer_bytes(&client->request), &client->response,
                          &why);
        xmtp_note_call(client,
                       &(xmtp_call_note){.path = path,
                                         .status = status,
                                         .began_ns = began_ns,
                                         .request_len = xmtp_writer_bytes(&client->request).n,
                                         .response_len = xmtp_writer_bytes(&client->response).n});
        if (!is_away(status) || i == tries) {
            break;
        }
        client->env.sleep_ns(client->env.context, waits_ms[i] * MILLISECOND_NS);
    }
    client->is_node_away = is_away(status) || xmtp_is_unreached(status);
    if (status == XMTP_OK) {
        return XMTP_OK;
    }
    status = is_away(status) ? XMTP_E_NETWORK : status;
    xmtp_log_line(client, XMTP_LOG_WARN, "%s: %s: %s", path, xmtp_status_name(status), why.text);
    return xmtp_fail(error, status, "%s: %s", path,
                     why.text[0] != '\0' ? why.text : xmtp_status_text(status));
}

xmtp_status xmtp_call(xmtp_client *client, const char *path, const ProtobufCMessage *request,
                      const ProtobufCMessageDescriptor *answer_type, xmtp_arena *arena,
                      void **answer, xmtp_error *error)
{
    XMTP_TRY(xmtp_may_call(client, path, error));
    xmtp_writer_clear(&client->request);
    xmtp_status status = xmtp_proto_encode(request, &client->request);
    if (status != XMTP_OK) {
        return xmtp_fail(error, status, "%s: request cannot be encoded", path);
    }
    XMTP_TRY(call_with_retries(client, path, error));
    if (answer_type == NULL) {
        return XMTP_OK;
    }
    status = xmtp_proto_decode(answer_type, arena, xmtp_writer_bytes(&client->response), answer);
    return status == XMTP_OK ? XMTP_OK
                             : xmtp_fail(error, status, "%s: answer cannot be decoded", path);
}
