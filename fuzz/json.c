/* json.c - fuzz target: a byte that selects the type, then JSON; what is read must print and read
 * again to the same bytes. */
#include "node/json.h"
#include "base/bytes.h"
#include "proto/identity.pb-c.h"
#include "proto/mls_api.pb-c.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_round_trip(const ProtobufCMessageDescriptor *type, xmtp_bytes encoded)
{
    const xmtp_alloc *alloc = &xmtp_env_system()->alloc;
    xmtp_arena arena;
    xmtp_writer json;
    xmtp_writer again;
    xmtp_arena_init(&arena, alloc, 1 << 24);
    xmtp_writer_init(&json, alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&again, alloc, XMTP_WRITER_MAX);
    if (xmtp_json_write(type, encoded, &arena, &json) == XMTP_OK &&
        xmtp_json_read(type, xmtp_writer_bytes(&json), &again, NULL) != XMTP_OK) {
        abort();
    }
    xmtp_arena_reset(&arena);
    xmtp_writer_free(&json);
    xmtp_writer_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const ProtobufCMessageDescriptor *const types[] = {
        &pb__query_group_messages_request__descriptor,
        &pb__send_welcome_messages_request__descriptor,
        &pb__publish_identity_update_request__descriptor,
        &pb__get_newest_group_message_request__descriptor,
        &pb__get_inbox_ids_request__descriptor,
        &pb__batch_publish_commit_log_request__descriptor,
    };
    if (n == 0) {
        return 0;
    }
    const ProtobufCMessageDescriptor *type = types[data[0] % (sizeof types / sizeof types[0])];
    xmtp_writer encoded;
    xmtp_writer_init(&encoded, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    if (xmtp_json_read(type, xmtp_bytes_of(data + 1, n - 1), &encoded, NULL) == XMTP_OK) {
        check_round_trip(type, xmtp_writer_bytes(&encoded));
    }
    xmtp_writer_free(&encoded);
    return 0;
}
