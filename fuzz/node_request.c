/* node_request.c - fuzz target: a byte that selects the method, then a request to a node in memory.
 */
#include "base/writer.h"
#include "node_world.h"

static const char *const paths[] = {
    "/xmtp.mls.api.v1.MlsApi/SendGroupMessages",
    "/xmtp.mls.api.v1.MlsApi/SendWelcomeMessages",
    "/xmtp.mls.api.v1.MlsApi/RegisterInstallation",
    "/xmtp.mls.api.v1.MlsApi/UploadKeyPackage",
    "/xmtp.mls.api.v1.MlsApi/FetchKeyPackages",
    "/xmtp.mls.api.v1.MlsApi/QueryGroupMessages",
    "/xmtp.mls.api.v1.MlsApi/QueryWelcomeMessages",
    "/xmtp.mls.api.v1.MlsApi/BatchPublishCommitLog",
    "/xmtp.mls.api.v1.MlsApi/BatchQueryCommitLog",
    "/xmtp.mls.api.v1.MlsApi/GetNewestGroupMessage",
    "/xmtp.mls.api.v1.MlsApi/SubscribeGroupMessages",
    "/xmtp.mls.api.v1.MlsApi/SubscribeWelcomeMessages",
    "/xmtp.identity.api.v1.IdentityApi/PublishIdentityUpdate",
    "/xmtp.identity.api.v1.IdentityApi/GetIdentityUpdates",
    "/xmtp.identity.api.v1.IdentityApi/GetInboxIds",
    "/xmtp.identity.api.v1.IdentityApi/VerifySmartContractWalletSignatures",
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/xmtp.mls_validation.v1.ValidationApi/ValidateGroupMessages",
    "/xmtp.mls_validation.v1.ValidationApi/ValidateInboxIdKeyPackages",
    "/xmtp.mls_validation.v1.ValidationApi/GetAssociationState",
};

enum { PATH_COUNT = sizeof paths / sizeof paths[0], MESSAGES_MAX = 64 };

static void read_stream(xmtp_stream *stream)
{
    xmtp_bytes message;
    for (int i = 0; i < MESSAGES_MAX; i++) {
        if (transport.next(transport.context, stream, &message, NULL) != XMTP_OK) {
            break;
        }
    }
    transport.unsubscribe(transport.context, stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0) {
        return 0;
    }
    need_node();
    const char *path = paths[data[0] % PATH_COUNT];
    xmtp_bytes request = {.p = data + 1, .n = n - 1};
    xmtp_writer answer;
    xmtp_stream *stream = NULL;
    xmtp_writer_init(&answer, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    (void)transport.unary(transport.context, path, request, &answer, NULL);
    if (transport.subscribe(transport.context, path, request, &stream, NULL) == XMTP_OK) {
        read_stream(stream);
    }
    xmtp_writer_free(&answer);
    return 0;
}
