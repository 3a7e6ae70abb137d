/* service_welcome.c - welcomes and welcome pointers (node.md 2.9).
 *
 * Their content is encrypted, and the key that they are stored under need not be anybody's: the
 * message that several pointers point at lies under a random one.
 */
#include "base/status.h"
#include "crypto/crypto.h"
#include "node/service.h"
#include "node/wire.h"
#include "proto/field.h"
#include "proto/message.h"
#include "proto/mls_api.pb-c.h"

enum {
    ALGORITHM_CURVE25519 = PB__WELCOME_WRAPPER_ALGORITHM__WELCOME_WRAPPER_ALGORITHM_CURVE25519,
    ALGORITHM_XWING =
        PB__WELCOME_WRAPPER_ALGORITHM__WELCOME_WRAPPER_ALGORITHM_XWING_MLKEM_768_DRAFT_6,
    ALGORITHM_SYMMETRIC = PB__WELCOME_WRAPPER_ALGORITHM__WELCOME_WRAPPER_ALGORITHM_SYMMETRIC_KEY,

    /* Fields of WelcomeMessage.V1 and, up to the algorithm, of WelcomePointer. */
    FIELD_INSTALLATION_KEY = 3,
    FIELD_DATA = 4,
    FIELD_HPKE_PUBLIC_KEY = 5,
    FIELD_WRAPPER_ALGORITHM = 6,
    FIELD_WELCOME_METADATA = 7,
};

/* What both forms have. */
typedef struct welcome {
    bool is_pointer;
    xmtp_bytes installation_key;
    xmtp_bytes data;
    xmtp_bytes hpke_public_key;
    xmtp_bytes metadata;
    int32_t algorithm;
} welcome;

static xmtp_status read_input(xmtp_node_call *call, const Pb__WelcomeMessageInput *input,
                              welcome *out)
{
    switch (input->version_case) {
    case PB__WELCOME_MESSAGE_INPUT__VERSION_V1: {
        const Pb__WelcomeMessageInput__V1 *v1 = input->v1;
        *out = (welcome){.installation_key = xmtp_proto_bytes(v1->installation_key),
                         .data = xmtp_proto_bytes(v1->data),
                         .hpke_public_key = xmtp_proto_bytes(v1->hpke_public_key),
                         .metadata = xmtp_proto_bytes(v1->welcome_metadata),
                         .algorithm = v1->wrapper_algorithm};
        return XMTP_OK;
    }
    case PB__WELCOME_MESSAGE_INPUT__VERSION_WELCOME_POINTER: {
        const Pb__WelcomeMessageInput__WelcomePointer *pointer = input->welcome_pointer;
        *out = (welcome){.is_pointer = true,
                         .installation_key = xmtp_proto_bytes(pointer->installation_key),
                         .data = xmtp_proto_bytes(pointer->welcome_pointer),
                         .hpke_public_key = xmtp_proto_bytes(pointer->hpke_public_key),
                         .algorithm = pointer->wrapper_algorithm};
        return XMTP_OK;
    }
    case PB__WELCOME_MESSAGE_INPUT__VERSION__NOT_SET:
    default:
        return xmtp_fail(&call->error, XMTP_E_ARGUMENT, "missing welcome message");
    }
}

static xmtp_status check_algorithm(xmtp_node_call *call, welcome *w)
{
    bool is_known = w->algorithm >= 0 && w->algorithm <= ALGORITHM_SYMMETRIC;
    if (w->is_pointer ? w->algorithm != ALGORITHM_XWING : !is_known) {
        return xmtp_fail(&call->error, XMTP_E_ARGUMENT, "welcome with wrapper algorithm %d",
                         (int)w->algorithm);
    }
    if (w->algorithm == 0) {
        w->algorithm = ALGORITHM_CURVE25519; /* what clients meant before there was a choice */
    }
    if (w->hpke_public_key.n == 0 && w->algorithm != ALGORITHM_SYMMETRIC) {
        return xmtp_fail(&call->error, XMTP_E_ARGUMENT, "missing hpke_public_key");
    }
    return XMTP_OK;
}

static xmtp_status check(xmtp_node_call *call, welcome *w)
{
    XMTP_TRY(xmtp_node_call_topic(call, w->installation_key, "installation key"));
    size_t len = w->data.n + w->hpke_public_key.n + w->metadata.n;
    if (w->data.n == 0) {
        return xmtp_fail(&call->error, XMTP_E_ARGUMENT, "missing welcome data");
    }
    if (len > call->services->limits.welcome_len) {
        return xmtp_fail(&call->error, XMTP_E_ARGUMENT, "welcome of %zu bytes is too long", len);
    }
    return check_algorithm(call, w);
}

static xmtp_status content_hash(xmtp_node_call *call, const welcome *w, xmtp_bytes *out)
{
    void *p;
    xmtp_hash_context hash;
    XMTP_TRY(xmtp_arena_take(&call->arena, XMTP_NODE_HASH_LEN, &p));
    xmtp_hash_sha256.init(&hash);
    xmtp_hash_sha256.update(&hash, w->installation_key.p, w->installation_key.n);
    xmtp_hash_sha256.update(&hash, w->data.p, w->data.n);
    xmtp_hash_sha256.final(&hash, p);
    *out = (xmtp_bytes){.p = p, .n = XMTP_NODE_HASH_LEN};
    return XMTP_OK;
}

static xmtp_status make_entry(xmtp_node_call *call, const Pb__WelcomeMessageInput *input,
                              xmtp_node_entry *entry)
{
    welcome w = {0};
    XMTP_TRY(read_input(call, input, &w));
    XMTP_TRY(check(call, &w));
    entry->kind = XMTP_NODE_WELCOME;
    entry->flags = w.is_pointer ? XMTP_NODE_IS_POINTER : 0;
    entry->topic = w.installation_key;
    XMTP_TRY(content_hash(call, &w, &entry->extra));
    xmtp_field_put_message(&call->scratch, FIELD_INSTALLATION_KEY, w.installation_key);
    xmtp_field_put_message(&call->scratch, FIELD_DATA, w.data);
    if (w.hpke_public_key.n > 0) {
        xmtp_field_put_message(&call->scratch, FIELD_HPKE_PUBLIC_KEY, w.hpke_public_key);
    }
    xmtp_field_put_u64(&call->scratch, FIELD_WRAPPER_ALGORITHM, (uint64_t)w.algorithm);
    if (w.metadata.n > 0) {
        xmtp_field_put_message(&call->scratch, FIELD_WELCOME_METADATA, w.metadata);
    }
    return xmtp_node_call_body(call, entry);
}

static xmtp_status send_welcome_messages(xmtp_node_call *call, xmtp_bytes bytes)
{
    void *p;
    if (bytes.n > XMTP_NODE_REQUEST_LEN_QUICK) {
        XMTP_TRY(xmtp_node_call_block(call));
    }
    XMTP_TRY(
        xmtp_node_call_decode(call, &pb__send_welcome_messages_request__descriptor, bytes, &p));
    const Pb__SendWelcomeMessagesRequest *request = p;
    XMTP_TRY(xmtp_node_call_count(call, request->n_messages, 1, call->services->limits.messages,
                                  "messages"));
    XMTP_TRY(xmtp_node_call_entries(call, request->n_messages));
    for (size_t i = 0; i < request->n_messages; i++) {
        XMTP_TRY(make_entry(call, request->messages[i], &call->job.batch.entries[i]));
    }
    return xmtp_node_call_store(call);
}

static xmtp_status query_welcome_messages(xmtp_node_call *call, xmtp_bytes bytes)
{
    void *p;
    XMTP_TRY(
        xmtp_node_call_decode(call, &pb__query_welcome_messages_request__descriptor, bytes, &p));
    const Pb__QueryWelcomeMessagesRequest *request = p;
    xmtp_node_query query = {.kind = XMTP_NODE_WELCOME,
                             .topic = xmtp_proto_bytes(request->installation_key)};
    XMTP_TRY(xmtp_node_call_topic(call, query.topic, "installation key"));
    xmtp_node_query_paging(&query, request->paging_info);
    return xmtp_node_query_run(call, &query, 1, 2, &call->reply);
}

const xmtp_node_method_entry xmtp_node_welcome_methods[] = {
    {"/xmtp.mls.api.v1.MlsApi/SendWelcomeMessages", send_welcome_messages},
    {"/xmtp.mls.api.v1.MlsApi/QueryWelcomeMessages", query_welcome_messages},
    {NULL, NULL},
};
