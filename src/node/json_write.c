/* json_write.c - protobuf to JSON; see json.h. Messages nest as deep as their types do, and
 * decoding has bounded that (XMTP_PROTO_DEPTH_MAX). */
#include "base/base64.h"
#include "base/bytes.h"
#include "base/status.h"
#include "node/json.h"
#include "node/json_field.h"
#include "proto/field.h"
#include "proto/message.h"

#include <inttypes.h>
#include <stdio.h>

typedef struct json_writer {
    xmtp_writer *out;
    xmtp_arena *arena;
} json_writer;

static void put_text(xmtp_writer *out, const char *text)
{
    xmtp_writer_put(out, xmtp_bytes_of_string(text));
}

/* ---- strings */

static void put_escaped(xmtp_writer *out, uint8_t c)
{
    char text[8];
    if (c == '"' || c == '\\') {
        xmtp_writer_u8(out, '\\');
        xmtp_writer_u8(out, c);
    } else {
        (void)snprintf(text, sizeof text, "\\u%04x", c);
        put_text(out, text);
    }
}

void xmtp_json_write_string(xmtp_writer *out, xmtp_bytes text)
{
    bool is_valid = xmtp_utf8_is_valid(text);
    xmtp_writer_u8(out, '"');
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (c < 0x20 || c == 0x7f || c == '"' || c == '\\') {
            put_escaped(out, c);
        } else if (c >= 0x80 && !is_valid) {
            put_text(out, "\xef\xbf\xbd");
        } else {
            xmtp_writer_u8(out, c);
        }
    }
    xmtp_writer_u8(out, '"');
}

static void put_base64(xmtp_writer *out, xmtp_bytes bytes)
{
    xmtp_writer_u8(out, '"');
    uint8_t *p = bytes.n == 0 ? NULL : xmtp_writer_extend(out, xmtp_base64_len(bytes.n));
    if (p != NULL) {
        xmtp_base64_encode((char *)p, bytes);
    }
    xmtp_writer_u8(out, '"');
}

/* ---- values; member points to where the struct holds it */

static void put_number(xmtp_writer *out, const char *format, int64_t value)
{
    char text[32];
    (void)snprintf(text, sizeof text, format, value);
    put_text(out, text);
}

static void put_enum(xmtp_writer *out, const ProtobufCEnumDescriptor *type, int32_t value)
{
    const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(type, value);
    if (known == NULL) {
        put_number(out, "%" PRId64, value);
    } else {
        xmtp_json_write_string(out, xmtp_bytes_of_string(known->name));
    }
}

static xmtp_status put_message(const json_writer *w, const ProtobufCMessage *message);

static xmtp_status put_encoded(const json_writer *w, const ProtobufCMessageDescriptor *type,
                               xmtp_bytes bytes)
{
    void *message;
    XMTP_TRY(xmtp_proto_decode(type, w->arena, bytes, &message));
    return put_message(w, message);
}

static xmtp_status put_one(const json_writer *w, const ProtobufCMessageDescriptor *type,
                           const ProtobufCFieldDescriptor *field, const void *member)
{
    const ProtobufCEnumDescriptor *enum_type = xmtp_json_enum_of(field);
    const ProtobufCMessageDescriptor *inner = xmtp_json_message_of(type, field);
    char text[32];
    if (enum_type != NULL) {
        put_enum(w->out, enum_type, *(const int32_t *)member);
        return XMTP_OK;
    }
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
        put_number(w->out, "%" PRId64, *(const int32_t *)member);
        return XMTP_OK;
    case PROTOBUF_C_TYPE_UINT32:
        put_number(w->out, "%" PRId64, *(const uint32_t *)member);
        return XMTP_OK;
    case PROTOBUF_C_TYPE_INT64:
        put_number(w->out, "\"%" PRId64 "\"", *(const int64_t *)member);
        return XMTP_OK;
    case PROTOBUF_C_TYPE_UINT64:
        (void)snprintf(text, sizeof text, "\"%" PRIu64 "\"", *(const uint64_t *)member);
        put_text(w->out, text);
        return XMTP_OK;
    case PROTOBUF_C_TYPE_BOOL:
        put_text(w->out, *(const protobuf_c_boolean *)member ? "true" : "false");
        return XMTP_OK;
    case PROTOBUF_C_TYPE_STRING:
        xmtp_json_write_string(w->out, xmtp_bytes_of_string(*(char *const *)member));
        return XMTP_OK;
    case PROTOBUF_C_TYPE_BYTES: {
        xmtp_bytes bytes = xmtp_proto_bytes(*(const ProtobufCBinaryData *)member);
        if (inner != NULL) {
            return put_encoded(w, inner, bytes);
        }
        put_base64(w->out, bytes);
        return XMTP_OK;
    }
    case PROTOBUF_C_TYPE_MESSAGE:
        return put_message(w, *(ProtobufCMessage *const *)member);
    default:
        return XMTP_E_UNSUPPORTED; /* no schema of ours has another */
    }
}

static size_t size_of(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
        return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return sizeof(uint32_t);
    }
}

/* ---- fields */

static bool is_set(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    const uint8_t *base = (const uint8_t *)message;
    const void *member = base + field->offset;
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        return *(const uint32_t *)(const void *)(base + field->quantifier_offset) == field->id;
    }
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        return *(const size_t *)(const void *)(base + field->quantifier_offset) > 0;
    }
    if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE) {
        return *(const void *const *)member != NULL &&
               *(const void *const *)member != field->default_value;
    }
    return *(const protobuf_c_boolean *)(const void *)(base + field->quantifier_offset);
}

static xmtp_status put_repeated(const json_writer *w, const ProtobufCMessage *message,
                                const ProtobufCFieldDescriptor *field)
{
    const uint8_t *base = (const uint8_t *)message;
    size_t count = *(const size_t *)(const void *)(base + field->quantifier_offset);
    const uint8_t *elements = *(uint8_t *const *)(const void *)(base + field->offset);
    xmtp_writer_u8(w->out, '[');
    for (size_t i = 0; i < count; i++) {
        put_text(w->out, i == 0 ? "" : ",");
        XMTP_TRY(put_one(w, message->descriptor, field, elements + i * size_of(field)));
    }
    xmtp_writer_u8(w->out, ']');
    return XMTP_OK;
}

static xmtp_status put_message(const json_writer *w, const ProtobufCMessage *message)
{
    const char *separator = "{";
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        char name[XMTP_JSON_NAME_MAX];
        if (!is_set(message, field)) {
            continue;
        }
        xmtp_json_camel_name(name, field->name);
        put_text(w->out, separator);
        separator = ",";
        xmtp_json_write_string(w->out, xmtp_bytes_of_string(name));
        xmtp_writer_u8(w->out, ':');
        XMTP_TRY(
            field->label == PROTOBUF_C_LABEL_REPEATED
                ? put_repeated(w, message, field)
                : put_one(w, message->descriptor, field, (const uint8_t *)message + field->offset));
    }
    put_text(w->out, separator[0] == '{' ? "{}" : "}");
    return xmtp_writer_status(w->out);
}

xmtp_status xmtp_json_write(const ProtobufCMessageDescriptor *type, xmtp_bytes bytes,
                            xmtp_arena *arena, xmtp_writer *out)
{
    const json_writer w = {.out = out, .arena = arena};
    if (type == NULL) {
        put_text(out, "{}");
        return xmtp_writer_status(out);
    }
    return put_encoded(&w, type, bytes);
}
