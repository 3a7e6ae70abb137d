/* call.c - one unary call to the node, or several at once, repeated while the node cannot be reached.
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

static xmtp_status try_once(xmtp_client *client, const char *path, const xmtp_meanwhile *meanwhile,
                            xmtp_error *why)
{
    const xmtp_transport *t = client->transport;
    uint64_t began_ns = xmtp_now_ns(client);
    xmtp_bytes request = xmtp_writer_bytes(&client->request);
    client->is_calling = true;
    xmtp_status status =
        meanwhile == NULL
            ? t->unary(t->context, path, request, &client->response, why)
            : xmtp_transport_unary_while(t, path, request, &client->response, meanwhile, why);
    client->is_calling = false;
    xmtp_note_call(client,
                   &(xmtp_call_note){.path = path,
                                     .status = status,
                                     .began_ns = began_ns,
                                     .request_len = request.n,
                                     .response_len = xmtp_writer_bytes(&client->response).n});
    return status;
}

static xmtp_status call_with_retries(xmtp_client *client, const char *path,
                                     const xmtp_meanwhile *meanwhile, xmtp_error *error)
{
    size_t tries = client->is_node_away ? 0 : sizeof(waits_ms) / sizeof(waits_ms[0]);
    xmtp_error why = {0};
    xmtp_status status = XMTP_OK;
    for (size_t i = 0;; i++) {
        status = try_once(client, path, i == 0 ? meanwhile : NULL, &why);
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

xmtp_status xmtp_call_while(xmtp_client *client, const char *path, const ProtobufCMessage *request,
                            const xmtp_meanwhile *meanwhile, xmtp_error *error)
{
    XMTP_TRY(xmtp_may_call(client, path, error));
    xmtp_writer_clear(&client->request);
    xmtp_status status = xmtp_proto_encode(request, &client->request);
    if (status != XMTP_OK) {
        return xmtp_fail(error, status, "%s: request cannot be encoded", path);
    }
    return call_with_retries(client, path, meanwhile, error);
}

xmtp_status xmtp_call(xmtp_client *client, const char *path, const ProtobufCMessage *request,
                      const ProtobufCMessageDescriptor *answer_type, xmtp_arena *arena,
                      void **answer, xmtp_error *error)
{
    XMTP_TRY(xmtp_call_while(client, path, request, NULL, error));
    if (answer_type == NULL) {
        return XMTP_OK;
    }
    xmtp_status status =
        xmtp_proto_decode(answer_type, arena, xmtp_writer_bytes(&client->response), answer);
    return status == XMTP_OK ? XMTP_OK
                             : xmtp_fail(error, status, "%s: answer cannot be decoded", path);
}

void xmtp_call_together(xmtp_client *client, xmtp_unary *calls, size_t count)
{
    uint64_t began_ns = xmtp_now_ns(client);
    xmtp_transport_unary_all(client->transport, calls, count);
    for (size_t i = 0; i < count; i++) {
        xmtp_note_call(client, &(xmtp_call_note){.path = calls[i].path,
                                                 .status = calls[i].status,
                                                 .began_ns = began_ns,
                                                 .request_len = calls[i].request.n,
                                                 .response_len = calls[i].response->n});
    }
}

/* Those that came are in responses; the others are as if they had not been made. */
static void try_together(xmtp_client *client, const char *path,
                         const ProtobufCMessage *const *requests, size_t count, xmtp_unary *calls,
                         xmtp_writer *encoded)
{
    size_t n = 0;
    while (n < count && xmtp_proto_encode(requests[n], &encoded[n]) == XMTP_OK) {
        calls[n].path = path;
        calls[n].request = xmtp_writer_bytes(&encoded[n]);
        n++;
    }
    xmtp_call_together(client, calls, n);
}

/* What has come already, or one call by itself. */
static xmtp_status call_rest(xmtp_client *client, const char *path, const ProtobufCMessage *request,
                             const xmtp_unary *call, const ProtobufCMessageDescriptor *answer_type,
                             xmtp_arena *arena, void **answer, xmtp_error *error)
{
    bool is_here = call->status == XMTP_OK;
    if (is_here && (answer_type == NULL ||
                    xmtp_proto_decode(answer_type, arena, xmtp_writer_bytes(call->response),
                                      answer) == XMTP_OK)) {
        return XMTP_OK;
    }
    return xmtp_call(client, path, request, answer_type, arena, answer, error);
}

xmtp_status xmtp_call_many(xmtp_client *client, const char *path,
                           const ProtobufCMessage *const *requests, size_t count,
                           const ProtobufCMessageDescriptor *answer_type, xmtp_arena *arena,
                           void **answers, xmtp_error *error)
{
    xmtp_unary calls[XMTP_CALLS_TOGETHER_MAX];
    xmtp_writer encoded[XMTP_CALLS_TOGETHER_MAX];
    xmtp_writer responses[XMTP_CALLS_TOGETHER_MAX];
    XMTP_TRY(xmtp_may_call(client, path, error));
    for (size_t i = 0; i < count; i++) {
        xmtp_writer_init(&encoded[i], &client->env.alloc, XMTP_WRITER_MAX);
        xmtp_writer_init(&responses[i], &client->env.alloc, XMTP_WRITER_MAX);
        calls[i] = (xmtp_unary){.response = &responses[i], .status = XMTP_E_RETRY};
    }
    if (count > 1 && !client->is_node_away) {
        try_together(client, path, requests, count, calls, encoded);
    }
    xmtp_status status = XMTP_OK;
    for (size_t i = 0; i < count && status == XMTP_OK; i++) {
        void **answer = answers == NULL ? NULL : &answers[i];
        status = call_rest(client, path, requests[i], &calls[i], answer_type, arena, answer, error);
    }
    for (size_t i = 0; i < count; i++) {
        xmtp_writer_free(&encoded[i]);
        xmtp_writer_free(&responses[i]);
    }
    return status;
}
