/* call.c - the functions of a call that are the same in every framing, and the way to the others. */
#include "rpc/call.h"

#include "base/bytes.h"
#include "base/status.h"

#include <inttypes.h>
#include <stdio.h>

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

/* Behind the last comma, without blanks. */
static xmtp_bytes last_item(xmtp_bytes value)
{
    size_t start = value.n;
    while (start > 0 && value.p[start - 1] != ',') {
        start--;
    }
    while (start < value.n && value.p[start] == ' ') {
        start++;
    }
    size_t end = value.n;
    while (end > start && value.p[end - 1] == ' ') {
        end--;
    }
    return xmtp_bytes_of(value.p + start, end - start);
}

/* "" when it does not fit. */
static void keep_text(char *out, size_t len_max, xmtp_bytes value)
{
    size_t n = value.n <= len_max ? value.n : 0;
    xmtp_copy(out, value.p, n);
    out[n] = '\0';
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
    } else if (xmtp_bytes_equal(name, xmtp_bytes_of_string("x-api-key"))) {
        keep_text(call->api_key, XMTP_RPC_API_KEY_LEN_MAX, value);
    } else if (xmtp_bytes_equal(name, xmtp_bytes_of_string("x-forwarded-for"))) {
        keep_text(call->forwarded, XMTP_RPC_FORWARDED_LEN_MAX, last_item(value));
    }
}

const char *xmtp_rpc_call_api_key(const xmtp_rpc_call *call)
{
    return call->api_key;
}

const char *xmtp_rpc_call_forwarded(const xmtp_rpc_call *call)
{
    return call->forwarded;
}

void xmtp_rpc_call_trailer(xmtp_rpc_call *call, const char *name, uint64_t value)
{
    if (call->trailer_count < XMTP_RPC_TRAILERS_MAX) {
        xmtp_rpc_trailer *trailer = &call->trailers[call->trailer_count++];
        trailer->name = name;
        (void)snprintf(trailer->value, sizeof trailer->value, "%" PRIu64, value);
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
