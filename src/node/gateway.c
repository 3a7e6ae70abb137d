/* gateway.c - see gateway.h.
 *
 *     body gathered --> as protobuf --> handler.request --> message(s) --> as asked --> the peer
 *
 * Bodies are protobuf when their content type says so, else JSON; answers are what Accept says,
 * else like the request. Streams are always lines of JSON.
 */
#include "node/gateway.h"

#include "base/bytes.h"
#include "base/status.h"
#include "node/json.h"
#include "proto/identity.pb-c.h"
#include "proto/mls_api.pb-c.h"
#include "rpc/cors.h"
#include "rpc/server_conn.h"

#include <stdio.h>
#include <strings.h>

/* ---- routes */

typedef struct route {
    const char *path;
    const char *method;
    const ProtobufCMessageDescriptor *request; /* NULL: nothing in it matters */
    const ProtobufCMessageDescriptor *answer;  /* NULL: empty */
    bool is_stream;
} route;

#define MLS      "/xmtp.mls.api.v1.MlsApi/"
#define IDENTITY "/xmtp.identity.api.v1.IdentityApi/"

static const route routes[] = {
    {"/mls/v1/send-group-messages", MLS "SendGroupMessages",
     &pb__send_group_messages_request__descriptor, &pb__send_group_messages_response__descriptor,
     false},
    {"/mls/v1/send-welcome-messages", MLS "SendWelcomeMessages",
     &pb__send_welcome_messages_request__descriptor, NULL, false},
    {"/mls/v1/register-installation", MLS "RegisterInstallation",
     &pb__upload_key_package_request__descriptor, &pb__register_installation_response__descriptor,
     false},
    {"/mls/v1/upload-key-package", MLS "UploadKeyPackage",
     &pb__upload_key_package_request__descriptor, NULL, false},
    {"/mls/v1/fetch-key-packages", MLS "FetchKeyPackages",
     &pb__fetch_key_packages_request__descriptor, &pb__fetch_key_packages_response__descriptor,
     false},
    {"/mls/v1/revoke-installation", MLS "RevokeInstallation", NULL, NULL, false},
    {"/mls/v1/get-identity-updates", MLS "GetIdentityUpdates", NULL, NULL, false},
    {"/mls/v1/query-group-messages", MLS "QueryGroupMessages",
     &pb__query_group_messages_request__descriptor, &pb__query_group_messages_response__descriptor,
     false},
    {"/mls/v1/query-welcome-messages", MLS "QueryWelcomeMessages",
     &pb__query_welcome_messages_request__descriptor,
     &pb__query_welcome_messages_response__descriptor, false},
    {"/mls/v1/subscribe-group-messages", MLS "SubscribeGroupMessages",
     &pb__subscribe_group_messages_request__descriptor, &pb__group_message__descriptor, true},
    {"/mls/v1/subscribe-welcome-messages", MLS "SubscribeWelcomeMessages",
     &pb__subscribe_welcome_messages_request__descriptor, &pb__welcome_message__descriptor, true},
    {"/mls/v1/batch-publish-commit-log", MLS "BatchPublishCommitLog",
     &pb__batch_publish_commit_log_request__descriptor, NULL, false},
    {"/mls/v1/batch-query-commit-log", MLS "BatchQueryCommitLog",
     &pb__batch_query_commit_log_request__descriptor,
     &pb__batch_query_commit_log_response__descriptor, false},
    {"/mls/v1/get-newest-group-message", MLS "GetNewestGroupMessage",
     &pb__get_newest_group_message_request__descriptor,
     &pb__get_newest_group_message_response__descriptor, false},
    {"/identity/v1/publish-identity-update", IDENTITY "PublishIdentityUpdate",
     &pb__publish_identity_update_request__descriptor, NULL, false},
    {"/identity/v1/get-identity-updates", IDENTITY "GetIdentityUpdates",
     &pb__get_identity_updates_request__descriptor, &pb__get_identity_updates_response__descriptor,
     false},
    {"/identity/v1/get-inbox-ids", IDENTITY "GetInboxIds", &pb__get_inbox_ids_request__descriptor,
     &pb__get_inbox_ids_response__descriptor, false},
    {"/identity/v1/verify-smart-contract-wallet-signatures",
     IDENTITY "VerifySmartContractWalletSignatures",
     &pb__verify_smart_contract_wallet_signatures_request__descriptor,
     &pb__verify_smart_contract_wallet_signatures_response__descriptor, false},
    {"/mls/v2/payer/fetch-d14n-cutover", "/xmtp.migration.api.v1.D14nMigrationApi/FetchD14nCutover",
     NULL, NULL, false},
};

/* The length of the target before its query. */
static size_t path_len(const char *target)
{
    return strcspn(target, "?");
}

static const route *find_route(const char *target)
{
    size_t n = path_len(target);
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (strlen(routes[i].path) == n && memcmp(routes[i].path, target, n) == 0) {
            return &routes[i];
        }
    }
    return NULL;
}

bool xmtp_node_gateway_is_for(const xmtp_http_exchange *x)
{
    return find_route(xmtp_http_head_target(&x->head)) != NULL;
}

/* ---- calls */

typedef struct gateway_call {
    xmtp_rpc_call base; /* first */
    xmtp_http_exchange *x;
    xmtp_rpc_handler handler;
    const route *route;
    xmtp_writer body;
    size_t budget_taken;
    bool is_json_in;
    bool is_json_out;
    bool is_handed;
    bool is_over; /* ended or cancelled: an end from within cancelled does nothing */
} gateway_call;

static gateway_call *gateway_call_of(xmtp_rpc_call *base)
{
    return (gateway_call *)base;
}

static void free_call(gateway_call *call)
{
    const xmtp_alloc *alloc = call->x->alloc;
    *call->x->budget += call->budget_taken;
    xmtp_writer_free(&call->body);
    (void)alloc->reallocate(alloc->context, call, 0);
}

/* ---- answering */

/* The usual mapping; what is not in it is our fault: 500. */
static int http_status_of(int grpc_status)
{
    static const int statuses[] = {
        [XMTP_GRPC_OK] = 200,
        [XMTP_GRPC_CANCELLED] = 499,
        [XMTP_GRPC_UNKNOWN] = 500,
        [XMTP_GRPC_INVALID_ARGUMENT] = 400,
        [XMTP_GRPC_DEADLINE_EXCEEDED] = 504,
        [XMTP_GRPC_NOT_FOUND] = 404,
        [XMTP_GRPC_ALREADY_EXISTS] = 409,
        [XMTP_GRPC_PERMISSION_DENIED] = 403,
        [XMTP_GRPC_RESOURCE_EXHAUSTED] = 429,
        [XMTP_GRPC_FAILED_PRECONDITION] = 400,
        [XMTP_GRPC_ABORTED] = 409,
        [XMTP_GRPC_OUT_OF_RANGE] = 400,
        [XMTP_GRPC_UNIMPLEMENTED] = 501,
        [XMTP_GRPC_INTERNAL] = 500,
        [XMTP_GRPC_UNAVAILABLE] = 503,
        [XMTP_GRPC_DATA_LOSS] = 500,
        [XMTP_GRPC_UNAUTHENTICATED] = 401,
    };
    bool is_known = grpc_status >= 0 && (size_t)grpc_status < sizeof statuses / sizeof statuses[0];
    return is_known ? statuses[grpc_status] : 500;
}

static xmtp_status respond(gateway_call *call, int status, const char *type, uint64_t body_len)
{
    xmtp_http_field fields[1 + XMTP_CORS_FIELDS + XMTP_RPC_TRAILERS_MAX] = {
        {"content-type", type}, xmtp_cors_fields[0], xmtp_cors_fields[1]};
    size_t count = 1 + XMTP_CORS_FIELDS;
    for (size_t i = 0; i < call->base.trailer_count; i++) {
        fields[count++] =
            (xmtp_http_field){call->base.trailers[i].name, call->base.trailers[i].value};
    }
    return xmtp_http_respond(call->x, status, fields, count, body_len);
}

static xmtp_status start_stream(xmtp_rpc_call *base)
{
    return respond(gateway_call_of(base), 200, "application/json", XMTP_HTTP_LEN_UNKNOWN);
}

static void put_text(xmtp_writer *w, const char *text)
{
    xmtp_writer_put(w, xmtp_bytes_of_string(text));
}

static xmtp_status put_json(const gateway_call *call, xmtp_bytes message, xmtp_writer *out)
{
    enum { ARENA_LEN_MIN = 1024 * 1024, ARENA_FACTOR = 8 };
    xmtp_arena arena;
    xmtp_arena_init(&arena, call->x->alloc, ARENA_LEN_MIN + ARENA_FACTOR * message.n);
    put_text(out, call->route->is_stream ? "{\"result\":" : "");
    xmtp_status status = xmtp_json_write(call->route->answer, message, &arena, out);
    put_text(out, call->route->is_stream ? "}\n" : "");
    xmtp_arena_reset(&arena);
    return status == XMTP_OK ? xmtp_writer_status(out) : status;
}

static xmtp_status write_answer(gateway_call *call, const char *type, xmtp_bytes bytes)
{
    if (!call->x->has_responded) {
        XMTP_TRY(respond(call, 200, type, bytes.n));
    }
    return xmtp_http_write(call->x, bytes);
}

static xmtp_status send_message(xmtp_rpc_call *base, xmtp_bytes message)
{
    gateway_call *call = gateway_call_of(base);
    xmtp_writer json;
    if (!call->is_json_out) {
        return write_answer(call, "application/x-protobuf", message);
    }
    xmtp_writer_init(&json, call->x->alloc, XMTP_WRITER_MAX);
    xmtp_status status = put_json(call, message, &json);
    if (status == XMTP_OK) {
        status = write_answer(call, "application/json", xmtp_writer_bytes(&json));
    }
    xmtp_writer_free(&json);
    return status;
}

static size_t queued(const xmtp_rpc_call *base)
{
    return xmtp_http_queued(((const gateway_call *)base)->x);
}

static void put_error(const gateway_call *call, int grpc_status, const char *message,
                      xmtp_writer *out)
{
    char number[16];
    (void)snprintf(number, sizeof number, "%d", grpc_status);
    put_text(out, call->route->is_stream ? "{\"error\":" : "");
    put_text(out, "{\"code\":");
    put_text(out, number);
    put_text(out, ",\"message\":");
    xmtp_json_write_string(out, xmtp_bytes_of_string(message == NULL ? "" : message));
    put_text(out, ",\"details\":[]}");
    put_text(out, call->route->is_stream ? "}\n" : "");
}

/* Of a stream that is open already the error is the last line. */
static xmtp_status send_error(gateway_call *call, int grpc_status, const char *message)
{
    xmtp_writer json;
    xmtp_writer_init(&json, call->x->alloc, XMTP_WRITER_MAX);
    put_error(call, grpc_status, message, &json);
    xmtp_status status = xmtp_writer_status(&json);
    if (status == XMTP_OK && !call->x->has_responded) {
        status = respond(call, http_status_of(grpc_status), "application/json", json.n);
    }
    if (status == XMTP_OK) {
        status = call->x->ops->write(call->x, xmtp_writer_bytes(&json));
    }
    xmtp_writer_free(&json);
    return status;
}

/* A unary answer without a message is an empty one. */
static xmtp_status send_end(gateway_call *call, int grpc_status, const char *message)
{
    if (grpc_status != XMTP_GRPC_OK) {
        return send_error(call, grpc_status, message);
    }
    return call->x->has_responded ? XMTP_OK : send_message(&call->base, (xmtp_bytes){0});
}

static void finish(gateway_call *call, int grpc_status, const char *message)
{
    xmtp_http_exchange *x = call->x;
    call->is_over = true;
    xmtp_status status = send_end(call, grpc_status, message);
    x->sink = NULL;
    free_call(call);
    if (status == XMTP_OK) {
        xmtp_http_end(x);
    } else {
        xmtp_http_abort(x);
    }
}

static void end_call(xmtp_rpc_call *base, int grpc_status, const char *message,
                     const char *error_code)
{
    gateway_call *call = gateway_call_of(base);
    (void)error_code;
    if (!call->is_over) {
        finish(call, grpc_status, message);
    }
}

static const xmtp_rpc_call_ops gateway_call_ops = {
    .start_stream = start_stream,
    .message = send_message,
    .queued = queued,
    .end = end_call,
};

/* ---- the request */

static void on_body(xmtp_http_exchange *x, xmtp_bytes in)
{
    gateway_call *call = x->data;
    if (in.n > *x->budget || call->body.n + in.n > xmtp_rpc_request_len_max(&call->handler)) {
        finish(call, XMTP_GRPC_RESOURCE_EXHAUSTED, "request is too large");
        return;
    }
    *x->budget -= in.n;
    call->budget_taken += in.n;
    xmtp_writer_put(&call->body, in);
    if (xmtp_writer_status(&call->body) != XMTP_OK) {
        finish(call, XMTP_GRPC_RESOURCE_EXHAUSTED, "out of memory");
    }
}

/* The request as the service wants it; in plain where it had to be made. */
static xmtp_status to_protobuf(gateway_call *call, xmtp_writer *plain, xmtp_bytes *out,
                               xmtp_error *error)
{
    const char *target = xmtp_http_head_target(&call->x->head);
    const char *query = target + path_len(target);
    *out = xmtp_writer_bytes(&call->body);
    if (!call->is_json_in && call->body.n > 0) {
        return XMTP_OK;
    }
    xmtp_status status = XMTP_OK;
    if (call->body.n > 0) {
        status = xmtp_json_read(call->route->request, *out, plain, error);
    } else if (*query == '?') {
        status = xmtp_json_read_query(call->route->request, query + 1, plain, error);
    }
    *out = xmtp_writer_bytes(plain);
    return status;
}

static void on_complete(xmtp_http_exchange *x)
{
    gateway_call *call = x->data;
    xmtp_rpc_handler handler = call->handler;
    xmtp_error error = {0};
    xmtp_bytes request;
    xmtp_writer plain;
    xmtp_writer_init(&plain, x->alloc, XMTP_WRITER_MAX);
    xmtp_status status = to_protobuf(call, &plain, &request, &error);
    if (status != XMTP_OK) {
        finish(call, xmtp_grpc_status_out(status), error.text);
        xmtp_writer_free(&plain);
        return;
    }
    /* The handler may end the call, and so free it, before it returns. */
    uint8_t *body = NULL;
    size_t n = 0;
    (void)xmtp_writer_detach(&call->body, &body, &n);
    call->is_handed = true;
    handler.request(handler.context, &call->base, call->route->method, request);
    (void)x->alloc->reallocate(x->alloc->context, body, 0);
    xmtp_writer_free(&plain);
}

static void on_cancelled(xmtp_http_exchange *x)
{
    gateway_call *call = x->data;
    call->is_over = true;
    if (call->is_handed) {
        call->handler.cancelled(call->handler.context, &call->base);
    }
    free_call(call);
}

static void on_stop(xmtp_http_exchange *x)
{
    gateway_call *call = x->data;
    if (call->is_handed) {
        call->is_over = true;
        call->handler.cancelled(call->handler.context, &call->base);
    }
    finish(call, XMTP_GRPC_UNAVAILABLE, "node is shutting down");
}

static void on_writable(xmtp_http_exchange *x)
{
    gateway_call *call = x->data;
    if (call->is_handed && call->handler.writable != NULL) {
        call->handler.writable(call->handler.context, &call->base);
    }
}

static const xmtp_http_sink sink = {
    .body = on_body,
    .complete = on_complete,
    .cancelled = on_cancelled,
    .stop = on_stop,
    .writable = on_writable,
};

/* ---- the beginning */

static bool is_protobuf(const char *type)
{
    return xmtp_http_type_is(type, "application/x-protobuf") ||
           xmtp_http_type_is(type, "application/protobuf");
}

static bool answers_json(const gateway_call *call, const char *accept)
{
    if (call->route->is_stream) {
        return true;
    }
    if (accept != NULL && strcasestr(accept, "protobuf") != NULL) {
        return false;
    }
    return call->is_json_in || (accept != NULL && strcasestr(accept, "json") != NULL);
}

void xmtp_node_gateway_begin(const xmtp_rpc_handler *handler, xmtp_http_exchange *x)
{
    const char *method = xmtp_http_head_method(&x->head);
    if (strcmp(method, "POST") != 0 && strcmp(method, "GET") != 0) {
        xmtp_cors_answer(x, 405, "POST, or GET for queries\n");
        return;
    }
    gateway_call *call = x->alloc->reallocate(x->alloc->context, NULL, sizeof *call);
    if (call == NULL) {
        xmtp_http_abort(x);
        return;
    }
    *call =
        (gateway_call){.x = x,
                       .handler = *handler,
                       .route = find_route(xmtp_http_head_target(&x->head)),
                       .is_json_in = !is_protobuf(xmtp_http_head_get(&x->head, "content-type"))};
    call->is_json_out = answers_json(call, xmtp_http_head_get(&x->head, "accept"));
    xmtp_rpc_call_init(&call->base, &gateway_call_ops, x->peer);
    static const char *const kept[] = {"x-libxmtp-version", "x-api-key", "x-forwarded-for"};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        const char *value = xmtp_http_head_get(&x->head, kept[i]);
        if (value != NULL) {
            xmtp_rpc_call_field(&call->base, xmtp_bytes_of_string(kept[i]),
                                xmtp_bytes_of_string(value));
        }
    }
    xmtp_writer_init(&call->body, x->alloc, XMTP_WRITER_MAX);
    x->data = call;
    x->sink = &sink;
}
