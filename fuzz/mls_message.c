/* mls_message.c - fuzzes MLSMessage: what decodes must encode to the same bytes. */
#include "base/bytes.h"
#include "mls/message.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static xmtp_mls_message message;
    const xmtp_bytes in = xmtp_bytes_of(data, n);
    xmtp_arena arena;
    xmtp_writer w;
    xmtp_arena_init(&arena, &xmtp_env_system()->alloc, 1 << 24);
    xmtp_writer_init(&w, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    if (xmtp_mls_message_decode(in, &arena, &message) == XMTP_OK) {
        xmtp_mls_message_encode(&w, &message);
        if (!xmtp_bytes_equal(xmtp_writer_bytes(&w), in)) {
            abort();
        }
    }
    xmtp_writer_free(&w);
    xmtp_arena_reset(&arena);
    return 0;
}
