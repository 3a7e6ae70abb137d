/* json.h - protobuf messages as JSON and back (the proto3 JSON mapping), by walking protobuf-c's
 * descriptors: one place for every type.
 *
 *     {"groupId": "AAEC", "pagingInfo": {"direction": "SORT_DIRECTION_ASCENDING", "idCursor": "7"}}
 *
 * Written: lowerCamelCase names, bytes as standard base64, 64-bit integers as strings, enums by
 * name, fields that are not set left out. Read besides: snake_case names, the other base64
 * alphabet, missing padding, numbers where strings are usual and the reverse; null is "not set",
 * unknown names are ignored.
 *
 * Text is parsed with cJSON, after a look over it that bounds what it can cost: nesting, number of
 * values, no zero bytes in strings (a C string would end there).
 */
#ifndef XMTP_NODE_JSON_H
#define XMTP_NODE_JSON_H

#include "base/arena.h"
#include "base/writer.h"

#include <protobuf-c/protobuf-c.h>

enum {
    XMTP_JSON_DEPTH_MAX = 32,
    XMTP_JSON_VALUES_MAX = 250000, /* cJSON takes about 100 bytes for each */
};

/* Appends the encoded message. type NULL: any JSON object, nothing is appended.
 * XMTP_E_ARGUMENT, with the sentence: not JSON, a value that does not fit its field, two of a oneof;
 * XMTP_E_LIMIT beyond the limits above; XMTP_E_NOMEM. */
xmtp_status xmtp_json_read(const ProtobufCMessageDescriptor *type, xmtp_bytes text,
                           xmtp_writer *out, xmtp_error *error);

/* The same from the query of a URL: "group_ids=AAEC&group_ids=AwQ&include_content=true", for
 * messages without messages in them. Percent-encoding is undone. */
xmtp_status xmtp_json_read_query(const ProtobufCMessageDescriptor *type, const char *query,
                                 xmtp_writer *out, xmtp_error *error);

/* Appends the message that bytes are the encoding of. type NULL: {}. arena holds it meanwhile.
 * XMTP_E_MALFORMED, XMTP_E_LIMIT, XMTP_E_NOMEM. */
xmtp_status xmtp_json_write(const ProtobufCMessageDescriptor *type, xmtp_bytes bytes,
                            xmtp_arena *arena, xmtp_writer *out);

/* Appends text in quotation marks; bytes that are no UTF-8 become U+FFFD. */
void xmtp_json_write_string(xmtp_writer *out, xmtp_bytes text);

#endif
