/* service_key_package.c - key packages: verified when they come, the newest of each installation
 * given to whoever asks (node.md 2.3, 2.4, 3.3).
 *
 * They are last-resort packages, so fetching does not consume them. An installation uploads its
 * first before its inbox exists, so nothing is asked about the inbox.
 */
#include "base/status.h"
#include "identity/key_package.h"
#include "node/service.h"
#include "node/wire.h"
#include "proto/field.h"
#include "proto/message.h"
#include "proto/mls_api.pb-c.h"

static const uint64_t ns_per_second = 1000000000U;

static xmtp_status verify(xmtp_node_call *call, xmtp_bytes bytes, xmtp_inbox_key_package *out)
{
    const xmtp_env *env = call->services->env;
    xmtp_error why = {0};
    uint64_t now_seconds = env->now_ns(env->context) / ns_per_second;
    xmtp_status status = xmtp_inbox_key_package_verify(env, bytes, now_seconds,
                                                       XMTP_KEY_PACKAGE_NODE, NULL, out, &why);
    if (status == XMTP_E_NOMEM) {
        return status;
    }
    if (status != XMTP_OK) {
        const char *text = why.text[0] != '\0' ? why.text : xmtp_status_text(status);
        return xmtp_fail(&call->error, XMTP_E_ARGUMENT, "invalid key package: %s", text);
    }
    return xmtp_node_call_topic(call, out->installation, "installation key");
}

static xmtp_status upload(xmtp_node_call *call, xmtp_bytes bytes)
{
    void *p;
    xmtp_inbox_key_package key_package;
    XMTP_TRY(xmtp_node_call_block(call)); /* signatures are verified */
    XMTP_TRY(xmtp_node_call_decode(call, &pb__upload_key_package_request__descriptor, bytes, &p));
    const Pb__UploadKeyPackageRequest *request = p;
    if (request->key_package == NULL) {
        return xmtp_fail(&call->error, XMTP_E_ARGUMENT, "missing key package");
    }
    xmtp_bytes tls = xmtp_proto_bytes(request->key_package->key_package_tls_serialized);
    XMTP_TRY(xmtp_node_call_count(call, tls.n, 1, call->services->limits.key_package_len,
                                  "bytes of key package"));
    XMTP_TRY(verify(call, tls, &key_package));
    XMTP_TRY(xmtp_node_call_entries(call, 1));
    xmtp_node_entry *entry = &call->job.batch.entries[0];
    entry->kind = XMTP_NODE_KEY_PACKAGE;
    entry->topic = key_package.installation;
    xmtp_field_put_message(&call->scratch, 1, tls);
    XMTP_TRY(xmtp_node_call_body(call, entry));
    return xmtp_node_call_store(call);
}

static xmtp_status register_installation(xmtp_node_call *call, xmtp_bytes bytes)
{
    call->replies_with_topic = true;
    return upload(call, bytes);
}

/* One entry of the answer; empty when the installation is not known. */
static xmtp_status fetch_one(xmtp_node_call *call, xmtp_bytes installation)
{
    xmtp_node_place place;
    xmtp_node_archive *archive = call->services->archive;
    if (xmtp_node_archive_newest(archive, XMTP_NODE_KEY_PACKAGE, installation, &place) == 0) {
        xmtp_field_put_message(&call->reply, 1, (xmtp_bytes){0});
        return XMTP_OK;
    }
    if (call->reply.n + place.len > call->services->limits.reply_len) {
        return xmtp_fail(&call->error, XMTP_E_ARGUMENT,
                         "the answer is too long: ask for fewer key packages");
    }
    xmtp_arena arena;
    xmtp_node_record record;
    xmtp_arena_init(&arena, call->reply.alloc, 2 * (size_t)place.len + 64);
    xmtp_status status = xmtp_node_archive_read(archive, &place, &arena, &record, &call->error);
    if (status == XMTP_OK) {
        xmtp_field_put_message(&call->reply, 1, record.payload);
    }
    xmtp_arena_reset(&arena);
    return status;
}

static xmtp_status fetch(xmtp_node_call *call, xmtp_bytes bytes)
{
    void *p;
    XMTP_TRY(xmtp_node_call_block(call));
    XMTP_TRY(xmtp_node_call_decode(call, &pb__fetch_key_packages_request__descriptor, bytes, &p));
    const Pb__FetchKeyPackagesRequest *request = p;
    XMTP_TRY(xmtp_node_call_count(call, request->n_installation_keys, 0,
                                  call->services->limits.keys, "installation keys"));
    for (size_t i = 0; i < request->n_installation_keys; i++) {
        XMTP_TRY(fetch_one(call, xmtp_proto_bytes(request->installation_keys[i])));
    }
    return XMTP_OK;
}

const xmtp_node_method_entry xmtp_node_key_package_methods[] = {
    {"/xmtp.mls.api.v1.MlsApi/UploadKeyPackage", upload},
    {"/xmtp.mls.api.v1.MlsApi/RegisterInstallation", register_installation},
    {"/xmtp.mls.api.v1.MlsApi/FetchKeyPackages", fetch},
    {NULL, NULL},
};
