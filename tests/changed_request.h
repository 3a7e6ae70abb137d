/* changed_request.h - for wires that let a request through changed. */
#ifndef XMTP_TESTS_CHANGED_REQUEST_H
#define XMTP_TESTS_CHANGED_REQUEST_H

#include "base/arena.h"
#include "proto/message.h"
#include "test_network.h"

/* The request as change leaves it; the caller frees it. */
static inline xmtp_writer changed_request(const ProtobufCMessageDescriptor *type,
                                          xmtp_bytes request, void (*change)(void *decoded))
{
    xmtp_arena arena;
    xmtp_writer changed;
    void *decoded;
    xmtp_arena_init(&arena, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&changed, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    assert_int_equal(xmtp_proto_decode(type, &arena, request, &decoded), XMTP_OK);
    change(decoded);
    assert_int_equal(xmtp_proto_encode(decoded, &changed), XMTP_OK);
    xmtp_arena_reset(&arena);
    return changed;
}

#endif
