/* service_validation.c - xmtp.mls_validation.v1.ValidationApi: what an official node asks its
 * validation service (node.md 3.1). Nothing is stored and nothing that is stored is read.
 *
 * The verdicts are those of the official service: a node's own, stricter rules for what it publishes
 * are not applied. What is wrong with one message or key package is part of the answer; only
 * GetAssociationState fails as a call.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "identity/association.h"
#include "identity/key_package.h"
#include "node/validate.h"
#include "proto/field.h"
#include "proto/message.h"
#include "proto/validation.pb-c.h"

static const uint64_t ns_per_second = 1000000000U;

/* Fields that both kinds of verdict begin with. */
enum { FIELD_IS_OK = 1, FIELD_ERROR_MESSAGE = 2 };

static void put_failure(xmtp_writer *out, xmtp_status status, const xmtp_error *error)
{
    const char *text = error->text[0] == '\0' ? xmtp_status_text(status) : error->text;
    xmtp_field_put_bytes(out, FIELD_ERROR_MESSAGE, xmtp_bytes_of_string(text));
}

static void put_hex(xmtp_writer *out, uint32_t number, xmtp_bytes bytes)
{
    xmtp_field_begin(out, number, 2 * bytes.n);
    for (size_t i = 0; i < bytes.n; i++) {
        char digits[3];
        xmtp_hex_encode(digits, xmtp_bytes_of(bytes.p + i, 1));
        xmtp_writer_put(out, xmtp_bytes_of(digits, 2));
    }
}

/* ---- group messages */

static void put_message_verdict(xmtp_node_call *call, xmtp_bytes message)
{
    xmtp_mls_message_info info;
    xmtp_error error = {0};
    bool is_commit = false;
    size_t mark = xmtp_field_open(&call->reply, 1);
    xmtp_status status = xmtp_node_validate_message(message, &info, &is_commit, &error);
    if (status == XMTP_OK) {
        xmtp_field_put_u64(&call->reply, FIELD_IS_OK, 1);
        put_hex(&call->reply, 3, info.group_id);
        xmtp_field_put_u64(&call->reply, 4, is_commit ? 1 : 0);
    } else {
        put_failure(&call->reply, status, &error);
    }
    xmtp_field_close(&call->reply, mark);
}

static xmtp_status validate_group_messages(xmtp_node_call *call, xmtp_bytes bytes)
{
    void *p;
    XMTP_TRY(xmtp_node_call_block(call));
    XMTP_TRY(
        xmtp_node_call_decode(call, &pb__validate_group_messages_request__descriptor, bytes, &p));
    const Pb__ValidateGroupMessagesRequest *request = p;
    XMTP_TRY(xmtp_node_call_count(call, request->n_group_messages, 0,
                                  call->services->limits.messages, "messages"));
    for (size_t i = 0; i < request->n_group_messages; i++) {
        put_message_verdict(
            call, xmtp_proto_bytes(request->group_messages[i]->group_message_bytes_tls_serialized));
    }
    return XMTP_OK;
}

/* ---- key packages */

static void put_key_package_verdict(xmtp_node_call *call, xmtp_bytes key_package)
{
    const xmtp_env *env = call->services->env;
    xmtp_inbox_key_package read;
    xmtp_error error = {0};
    uint64_t now_seconds = env->now_ns(env->context) / ns_per_second;
    size_t mark = xmtp_field_open(&call->reply, 1);
    xmtp_status status = xmtp_inbox_key_package_verify(env, key_package, now_seconds,
                                                       XMTP_KEY_PACKAGE_PEER, NULL, &read, &error);
    if (status == XMTP_OK) {
        xmtp_field_put_u64(&call->reply, FIELD_IS_OK, 1);
        size_t credential = xmtp_field_open(&call->reply, 3);
        xmtp_field_put_bytes(&call->reply, 1, read.inbox_id);
        xmtp_field_close(&call->reply, credential);
        xmtp_field_put_bytes(&call->reply, 4, read.installation);
    } else {
        put_failure(&call->reply, status, &error);
    }
    xmtp_field_close(&call->reply, mark);
}

static xmtp_status validate_key_packages(xmtp_node_call *call, xmtp_bytes bytes)
{
    void *p;
    XMTP_TRY(xmtp_node_call_block(call)); /* signatures are verified */
    XMTP_TRY(
        xmtp_node_call_decode(call, &pb__validate_key_packages_request__descriptor, bytes, &p));
    const Pb__ValidateKeyPackagesRequest *request = p;
    XMTP_TRY(xmtp_node_call_count(call, request->n_key_packages, 0, call->services->limits.keys,
                                  "key packages"));
    for (size_t i = 0; i < request->n_key_packages; i++) {
        put_key_package_verdict(
            call, xmtp_proto_bytes(request->key_packages[i]->key_package_bytes_tls_serialized));
    }
    return XMTP_OK;
}

/* ---- identity updates */

static void put_identifier(xmtp_writer *out, uint32_t number, const xmtp_identifier *identifier)
{
    size_t mark = xmtp_field_open(out, number);
    if (identifier->kind == XMTP_IDENTIFIER_PASSKEY) {
        size_t passkey = xmtp_field_open(out, 3);
        xmtp_field_put_bytes(out, 1, identifier->value);
        if (identifier->has_relying_party) {
            xmtp_field_put_message(out, 2, identifier->relying_party);
        }
        xmtp_field_close(out, passkey);
    } else {
        uint32_t kind = identifier->kind == XMTP_IDENTIFIER_ETHEREUM ? 1 : 2;
        xmtp_field_put_message(out, kind, identifier->value);
    }
    xmtp_field_close(out, mark);
}

/* A field with presence is written also when it is 0. */
static void put_present_u64(xmtp_writer *out, uint32_t number, uint64_t value)
{
    if (value == 0) {
        xmtp_writer_u8(out, (uint8_t)(number << 3));
        xmtp_writer_u8(out, 0);
    }
    xmtp_field_put_u64(out, number, value);
}

static void put_member(xmtp_writer *out, const xmtp_association_member *member)
{
    size_t entry = xmtp_field_open(out, 2);
    put_identifier(out, 1, &member->identifier);
    size_t value = xmtp_field_open(out, 2);
    put_identifier(out, 1, &member->identifier);
    if (member->has_added_by) {
        put_identifier(out, 2, &member->added_by);
    }
    if (member->has_timestamp) {
        put_present_u64(out, 3, member->client_timestamp_ns);
    }
    if (member->has_chain_id) {
        put_present_u64(out, 4, member->chain_id);
    }
    xmtp_field_close(out, value);
    xmtp_field_close(out, entry);
}

static void put_recovery(xmtp_writer *out, const xmtp_identifier *recovery)
{
    if (recovery->kind == XMTP_IDENTIFIER_ETHEREUM) {
        xmtp_field_put_bytes(out, 3, recovery->value);
    } else {
        put_hex(out, 3, recovery->value);
    }
}

static void put_state(xmtp_writer *out, const xmtp_association *state)
{
    xmtp_identifier recovery = xmtp_association_recovery(state);
    size_t mark = xmtp_field_open(out, 1);
    xmtp_field_put_bytes(out, 1, xmtp_bytes_of_string(xmtp_association_inbox_id(state)));
    for (size_t i = 0; i < xmtp_association_member_count(state); i++) {
        xmtp_association_member member = xmtp_association_member_at(state, i);
        put_member(out, &member);
    }
    put_recovery(out, &recovery);
    for (size_t i = 0; i < xmtp_association_seen_count(state); i++) {
        xmtp_field_put_message(out, 4, xmtp_association_seen_at(state, i));
    }
    xmtp_field_put_u64(out, 5, recovery.kind);
    if (recovery.has_relying_party) {
        xmtp_field_put_message(out, 6, recovery.relying_party);
    }
    xmtp_field_close(out, mark);
}

typedef struct difference {
    xmtp_writer *out;
    uint32_t field;
} difference;

static xmtp_status put_difference(void *context, const xmtp_association_member *member)
{
    const difference *d = context;
    put_identifier(d->out, d->field, &member->identifier);
    return XMTP_OK;
}

static xmtp_status put_states(xmtp_writer *out, const xmtp_association *before,
                              const xmtp_association *after)
{
    difference added = {.out = out, .field = 1};
    difference removed = {.out = out, .field = 2};
    put_state(out, after);
    size_t mark = xmtp_field_open(out, 2);
    XMTP_TRY(xmtp_association_minus(after, before, &added, put_difference));
    XMTP_TRY(xmtp_association_minus(before, after, &removed, put_difference));
    xmtp_field_close(out, mark);
    return xmtp_writer_status(out);
}

static xmtp_status fold(xmtp_node_call *call, const ProtobufCBinaryData *updates, size_t count,
                        xmtp_association *state)
{
    const xmtp_verifier verifier = xmtp_node_chain_verifier(call->services->chains);
    for (size_t i = 0; i < count; i++) {
        xmtp_status status =
            xmtp_association_apply(state, xmtp_proto_bytes(updates[i]), &verifier, 0, &call->error);
        if (status != XMTP_OK) {
            return xmtp_node_is_our_trouble(status) ? status
                                                    : xmtp_node_refusal(&call->error, status);
        }
    }
    return XMTP_OK;
}

static xmtp_status fold_both(xmtp_node_call *call, const Pb__GetAssociationStateRequest *request,
                             xmtp_association *before)
{
    xmtp_association *after;
    XMTP_TRY(fold(call, request->old_updates, request->n_old_updates, before));
    XMTP_TRY(xmtp_association_copy(before, &after));
    xmtp_status status = fold(call, request->new_updates, request->n_new_updates, after);
    status = status == XMTP_OK ? put_states(&call->reply, before, after) : status;
    xmtp_association_free(after);
    return status;
}

static xmtp_status get_association_state(xmtp_node_call *call, xmtp_bytes bytes)
{
    void *p;
    xmtp_association *before;
    size_t updates_max = call->services->limits.inbox_log_revoke;
    XMTP_TRY(xmtp_node_call_block(call)); /* signatures are verified */
    XMTP_TRY(
        xmtp_node_call_decode(call, &pb__get_association_state_request__descriptor, bytes, &p));
    const Pb__GetAssociationStateRequest *request = p;
    XMTP_TRY(xmtp_node_call_count(call, request->n_old_updates, 0, updates_max, "old updates"));
    XMTP_TRY(xmtp_node_call_count(call, request->n_new_updates, 0, updates_max, "new updates"));
    XMTP_TRY(xmtp_node_call_count(call, request->n_old_updates + request->n_new_updates, 1,
                                  2 * updates_max, "updates"));
    XMTP_TRY(xmtp_association_new(&before, &call->services->env->alloc));
    xmtp_status status = fold_both(call, request, before);
    xmtp_association_free(before);
    return status;
}

const xmtp_node_method_entry xmtp_node_validation_methods[] = {
    {XMTP_NODE_VALIDATION_PREFIX "ValidateGroupMessages", validate_group_messages},
    {XMTP_NODE_VALIDATION_PREFIX "ValidateInboxIdKeyPackages", validate_key_packages},
    {XMTP_NODE_VALIDATION_PREFIX "GetAssociationState", get_association_state},
    {XMTP_NODE_VALIDATION_PREFIX "VerifySmartContractWalletSignatures",
     xmtp_node_verify_contract_wallets},
    {NULL, NULL},
};
