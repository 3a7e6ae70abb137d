/* rpc_frame.c - fuzzes gRPC message framing and the decoding of error texts. */
#include "base/bytes.h"
#include "rpc/grpc_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char text[100];
    xmtp_grpc_decoder decoder;
    xmtp_bytes in = xmtp_bytes_of(data, n);
    xmtp_grpc_decoder_init(&decoder, &xmtp_env_system()->alloc, 1 << 20, NULL);
    while (xmtp_grpc_decoder_feed(&decoder, &in) == XMTP_OK) {
        xmtp_grpc_decoder_free(&decoder);
    }
    xmtp_grpc_decoder_free(&decoder);
    (void)xmtp_grpc_text_decode(text, sizeof text, xmtp_bytes_of(data, n));
    (void)xmtp_grpc_text_encode(text, sizeof text, xmtp_bytes_of(data, n));
    (void)xmtp_grpc_status_parse(xmtp_bytes_of(data, n));
    return 0;
}
