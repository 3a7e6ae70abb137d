/* zero_byte.h - strings that hold a zero byte.
 *
 * A string of protobuf may hold one, a string of C cannot, and protobuf-c cuts it there: two texts that differ behind the
 * zero byte would look alike to us and not to other clients, who would then judge a commit differently. So in decoded
 * messages a zero byte stands as C0 80, two bytes that no UTF-8 text contains; encoding turns them back.
 */
#ifndef XMTP_PROTO_ZERO_BYTE_H
#define XMTP_PROTO_ZERO_BYTE_H

#include "base/writer.h"

#include <protobuf-c/protobuf-c.h>

/* Copies an encoded message of this type, with 00 in its strings written as C0 80, or back. in has the shape of the type
 * (message.c has checked it). */
xmtp_status xmtp_zero_bytes_hide(const ProtobufCMessageDescriptor *type, xmtp_bytes in,
                                 xmtp_writer *w);
xmtp_status xmtp_zero_bytes_show(const ProtobufCMessageDescriptor *type, xmtp_bytes in,
                                 xmtp_writer *w);

bool xmtp_has_zero_byte(xmtp_bytes text);
bool xmtp_has_hidden_zero_byte(xmtp_bytes text);

/* How many bytes a decoded string has on the wire. */
size_t xmtp_text_wire_len(const char *text);

#endif
