/* message.h - protobuf-c messages decoded into an arena and encoded into a writer.
 *
 * The generated types (Pb__Name, in proto/<file>.pb-c.h) are views: strings and bytes of a decoded
 * message live in the arena. An encoder sets has_x only for values that differ from zero, since the
 * network leaves proto3 defaults out.
 */
#ifndef XMTP_PROTO_MESSAGE_H
#define XMTP_PROTO_MESSAGE_H

#include "base/arena.h"
#include "base/writer.h"

#include <protobuf-c/protobuf-c.h>

/* How deep messages may nest in foreign bytes; the deepest honest one needs 8. */
enum { XMTP_PROTO_DEPTH_MAX = 32 };

/* Decodes one message of this type into *out, which lives in the arena as long as that.
 * XMTP_E_MALFORMED wire format broken or nested deeper than XMTP_PROTO_DEPTH_MAX, XMTP_E_LIMIT
 * arena full. */
xmtp_status xmtp_proto_decode(const ProtobufCMessageDescriptor *type, xmtp_arena *arena,
                              xmtp_bytes in, void **out);

/* Appends the encoded message. */
xmtp_status xmtp_proto_encode(const ProtobufCMessage *message, xmtp_writer *w);

/* Views between the two worlds. The const is cast away because protobuf-c's struct has none; it
 * never writes. */
static inline xmtp_bytes xmtp_proto_bytes(ProtobufCBinaryData data)
{
    return (xmtp_bytes){.p = data.data, .n = data.len};
}

static inline ProtobufCBinaryData xmtp_proto_data(xmtp_bytes bytes)
{
    return (ProtobufCBinaryData){.len = bytes.n, .data = (uint8_t *)(uintptr_t)bytes.p};
}

#endif
