/* client_data.c - fuzz target: the client data of passkeys. */
#include "identity/client_data.h"
#include "base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    xmtp_arena arena;
    xmtp_client_data out;
    xmtp_arena_init(&arena, &xmtp_env_system()->alloc, 1 << 26);
    (void)!xmtp_client_data_read(xmtp_bytes_of(data, size), &arena, &out);
    xmtp_arena_reset(&arena);
    return 0;
}
