/* client.c - from a path to a function, from request bytes to answer bytes. See client.h. */
#include "client.h"

#include "participant.h"

#include <string.h>

enum { CALL_MEMORY_MAX = 512 << 20 };

static const uint32_t suites[] = {1, 2, 3, 4, 5, 6, 7};

static xmtp_status name(interop_call *call, const void *request, void *response)
{
    static char text[] = "xmtp-mls " XMTP_VERSION;
    (void)call;
    (void)request;
    ((MlsClient__NameResponse *)response)->name = text;
    return XMTP_OK;
}

static xmtp_status supported_ciphersuites(interop_call *call, const void *request, void *response)
{
    MlsClient__SupportedCiphersuitesResponse *a = response;
    (void)request;
    a->n_ciphersuites = sizeof suites / sizeof suites[0];
    XMTP_TRY(xmtp_arena_take(&call->arena, sizeof suites, (void **)&a->ciphersuites));
    memcpy(a->ciphersuites, suites, sizeof suites);
    return XMTP_OK;
}

static xmtp_status free_state(interop_call *call, const void *request, void *response)
{
    const MlsClient__FreeRequest *q = request;
    participant *p;
    (void)response;
    XMTP_TRY(find_participant(call, q->state_id, &p));
    drop_participant(call->client, p);
    return XMTP_OK;
}

/* In the order of the schema. */
static interop_method *const methods[] = {
    name,
    supported_ciphersuites,
    create_group,
    create_key_package,
    join_group,
    external_join,
    group_info,
    state_auth,
    export_secret,
    protect,
    unprotect,
    store_psk,
    add_proposal,
    update_proposal,
    remove_proposal,
    external_psk_proposal,
    resumption_psk_proposal,
    context_extensions_proposal,
    commit,
    handle_commit,
    handle_pending_commit,
    reinit_proposal,
    commit, /* a ReInit is committed like anything */
    handle_pending_reinit_commit,
    handle_reinit_commit,
    reinit_welcome,
    handle_reinit_welcome,
    create_branch,
    handle_branch,
    new_member_add_proposal,
    create_external_signer,
    add_external_signer,
    external_signer_proposal,
    free_state,
};

static xmtp_status find_method(const char *path, size_t *index, xmtp_error *error)
{
    const ProtobufCServiceDescriptor *service = &mls_client__mlsclient__descriptor;
    const size_t prefix_len = strlen(INTEROP_PATH_PREFIX);
    if (strncmp(path, INTEROP_PATH_PREFIX, prefix_len) == 0) {
        for (*index = 0; *index < service->n_methods; (*index)++) {
            if (strcmp(service->methods[*index].name, path + prefix_len) == 0 &&
                *index < sizeof methods / sizeof methods[0]) {
                return XMTP_OK;
            }
        }
    }
    return xmtp_fail(error, XMTP_E_UNSUPPORTED, "there is no method %.100s", path);
}

static xmtp_status answer(interop_call *call, const char *path, xmtp_bytes request,
                          xmtp_writer *response)
{
    size_t index = 0;
    void *decoded;
    ProtobufCMessage *message;
    XMTP_TRY(find_method(path, &index, call->error));
    const ProtobufCMethodDescriptor *method = &mls_client__mlsclient__descriptor.methods[index];
    xmtp_status status = xmtp_proto_decode(method->input, &call->arena, request, &decoded);
    if (status != XMTP_OK) {
        return xmtp_fail(call->error, status, "the request is no %s", method->input->name);
    }
    XMTP_TRY(xmtp_arena_take(&call->arena, method->output->sizeof_message, (void **)&message));
    method->output->message_init(message);
    XMTP_TRY(methods[index](call, decoded, message));
    return xmtp_proto_encode(message, response);
}

xmtp_status interop_client_call(interop_client *client, const char *path, xmtp_bytes request,
                                xmtp_writer *response, xmtp_error *error)
{
    interop_call call = {.client = client, .error = error};
    xmtp_arena_init(&call.arena, &client->env->alloc, CALL_MEMORY_MAX);
    xmtp_status status = answer(&call, path, request, response);
    xmtp_mls_writes_clear(client->writes);
    xmtp_arena_reset(&call.arena);
    return status == XMTP_OK ? XMTP_OK : xmtp_fail_default(error, status, path);
}

xmtp_status interop_client_new(interop_client **out, const xmtp_env *env)
{
    interop_client *client = env->alloc.reallocate(env->alloc.context, NULL, sizeof *client);
    *out = NULL;
    XMTP_ENSURE(client != NULL, XMTP_E_NOMEM);
    *client = (interop_client){.env = env};
    xmtp_status status = xmtp_mls_writes_new(&client->writes, env);
    if (status != XMTP_OK) {
        interop_client_free(client);
        return status;
    }
    *out = client;
    return XMTP_OK;
}

void interop_client_free(interop_client *client)
{
    if (client == NULL) {
        return;
    }
    while (client->participants != NULL) {
        drop_participant(client, client->participants);
    }
    xmtp_mls_writes_free(client->writes);
    (void)client->env->alloc.reallocate(client->env->alloc.context, client, 0);
}

size_t interop_client_count(const interop_client *client)
{
    size_t n = 0;
    for (const participant *p = client->participants; p != NULL; p = p->next) {
        n++;
    }
    return n;
}
