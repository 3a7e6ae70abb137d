/* json_field.h - how a field looks in JSON where our schema says less than the network's: numbers
 * that are enums there, and bytes that are messages (kept as bytes because they were signed).
 * Private to json_read.c and json_write.c. */
#ifndef XMTP_NODE_JSON_FIELD_H
#define XMTP_NODE_JSON_FIELD_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

/* NULL: a plain number. */
const ProtobufCEnumDescriptor *xmtp_json_enum_of(const ProtobufCFieldDescriptor *field);

/* NULL: plain bytes. */
const ProtobufCMessageDescriptor *xmtp_json_message_of(const ProtobufCMessageDescriptor *type,
                                                       const ProtobufCFieldDescriptor *field);

enum { XMTP_JSON_NAME_MAX = 64 };

/* "group_id" to "groupId". */
void xmtp_json_camel_name(char out[XMTP_JSON_NAME_MAX], const char *name);

/* The field of this name, as it is or in lowerCamelCase; NULL. */
const ProtobufCFieldDescriptor *xmtp_json_find(const ProtobufCMessageDescriptor *type,
                                               const char *name);

#endif
