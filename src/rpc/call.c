/* call.c - the functions of a call that are the same in every framing, and the way to the others. */
#include "rpc/call.h"

#include "base/bytes.h"
#include "base/status.h"

void xmtp_rpc_call_init(xmtp_rpc_call *call, const xmtp_rpc_call_ops *ops, void *peer)
{
    *call = (xmtp_rpc_call){.ops = ops, .peer = peer, .timeout_ns = UINT64_MAX};
}

/* 1 to 8 digits and a unit: gRPC over HTTP/2, "Timeout". */
static uint64_t parse_timeout_ns(xmtp_bytes value)
{
    static const char units[] = "HMSmun";
    static const uint64_t unit_ns[] = {3600000000000, 60000000000, 1000000000, 1000000, 1000, 1};
    uint64_t amount = 0;
    if (value.n < 2 || value.n > 9) {
        return UINT64_MAX;
    }
    for (size_t i = 0; i + 1 < value.n; i++) {
        if (value.p[i] < '0' || value.p[i] > '9') {
            return UINT64_MAX;
        }
        amount = 10 * amount + (uint64_t)(value.p[i] - '0');
    }
    for (size_t i = 0; i < sizeof unit_ns / sizeof unit_ns[0]; i++) {
        if (value.p[value.n - 1] == (uint8_t)units[i]) {
            return amount > UINT64_MAX / unit_ns[i] ? UINT64_MAX : amount * unit_ns[i];
        }
    }
    return UINT64_MAX;
}

void xmtp_rpc_call_field(xmtp_rpc_call *call, xmtp_bytes name, xmtp_bytes value)
{
    if (xmtp_bytes_equal(name, xmtp_bytes_of_string("x-libxmtp-version"))) {
        size_t n = value.n <= XMTP_RPC_VERSION_LEN_MAX ? value.n : 0;
        xmtp_copy(call->libxmtp_version, value.p, n);
        call->libxmtp_version[n] = '\0';
    } else if (xmtp_bytes_equal(name, xmtp_bytes_of_string("grpc-timeout"))) {
        call->timeout_ns = parse_timeout_ns(value);
    } else if (xmtp_bytes_equal(name, xmtp_bytes_of_string("x-start-after-id"))) {
        size_t n = value.n < XMTP_RPC_START_AFTER_LEN_MAX ? value.n : XMTP_RPC_START_AFTER_LEN_MAX;
        xmtp_copy(call->start_after, value.p, n);
        call->start_after[n] = '\0';
    }
}

xmtp_status xmtp_rpc_call_start_stream(xmtp_rpc_call *call)
{
    return call->ops->start_stream(call);
}

xmtp_status xmtp_rpc_call_message(xmtp_rpc_call *call, xmtp_bytes message)
{
    return call->ops->message(call, message);
}

size_t xmtp_rpc_call_queued(const xmtp_rpc_call *call)
{
    return call->ops->queued(call);
}

void xmtp_rpc_call_end(xmtp_rpc_call *call, int grpc_status, const char *message,
                       const char *error_code)
{
    call->ops->end(call, grpc_status, message, error_code);
}

void xmtp_rpc_call_end_status(xmtp_rpc_call *call, xmtp_status status, const char *text)
{
    if (status == XMTP_OK) {
        xmtp_rpc_call_end(call, XMTP_GRPC_OK, NULL, NULL);
        return;
    }
    xmtp_rpc_call_end(call, xmtp_grpc_status_out(status),
                      text == NULL ? xmtp_status_text(status) : text, xmtp_status_name(status));
}

void **xmtp_rpc_call_data(xmtp_rpc_call *call)
{
    return &call->data;
}

void *xmtp_rpc_call_peer(const xmtp_rpc_call *call)
{
    return call->peer;
}

const char *xmtp_rpc_call_libxmtp_version(const xmtp_rpc_call *call)
{
    return call->libxmtp_version;
}

uint64_t xmtp_rpc_call_timeout_ns(const xmtp_rpc_call *call)
{
    return call->timeout_ns;
}

const char *xmtp_rpc_call_start_after(const xmtp_rpc_call *call)
{
    return call->start_after;
}
