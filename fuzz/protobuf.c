/* protobuf.c - fuzz target: every kind of message that strangers can send, decoded and encoded
 * again. */
#include "base/bytes.h"
#include "proto/identity.pb-c.h"
#include "proto/message.h"
#include "proto/message_contents.pb-c.h"
#include "proto/mls_api.pb-c.h"

#include <stdlib.h>

static const ProtobufCMessageDescriptor *const types[] = {
    &pb__identity_update__descriptor,
    &pb__plaintext_envelope__descriptor,
    &pb__encoded_content__descriptor,
    &pb__group_mutable_permissions__descriptor,
    &pb__group_mutable_metadata__descriptor,
    &pb__group_membership__descriptor,
    &pb__group_metadata__descriptor,
    &pb__welcome_pointer__descriptor,
    &pb__query_group_messages_response__descriptor,
    &pb__query_welcome_messages_response__descriptor,
    &pb__get_identity_updates_response__descriptor,
    &pb__send_group_messages_request__descriptor,
    &pb__send_welcome_messages_request__descriptor,
    &pb__batch_publish_commit_log_request__descriptor,
    &pb__subscribe_group_messages_request__descriptor,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte chooses the type. What was decoded must be encodable, and its encoding must
 * decode. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    xmtp_arena arena;
    xmtp_writer w;
    void *message;
    if (size == 0) {
        return 0;
    }
    const ProtobufCMessageDescriptor *type = types[data[0] % (sizeof types / sizeof types[0])];
    xmtp_arena_init(&arena, &xmtp_env_system()->alloc, 1 << 22);
    xmtp_writer_init(&w, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    if (xmtp_proto_decode(type, &arena, xmtp_bytes_of(data + 1, size - 1), &message) == XMTP_OK) {
        if (xmtp_proto_encode(message, &w) != XMTP_OK) {
            abort();
        }
        xmtp_status status = xmtp_proto_decode(type, &arena, xmtp_writer_bytes(&w), &message);
        if (status != XMTP_OK && status != XMTP_E_LIMIT) {
            abort();
        }
    }
    xmtp_writer_free(&w);
    xmtp_arena_reset(&arena);
    return 0;
}
