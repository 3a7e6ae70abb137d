/* json_field.c - see json_field.h. */
#include "node/json_field.h"

#include "proto/identity.pb-c.h"
#include "proto/mls_api.pb-c.h"

#include <string.h>

const ProtobufCEnumDescriptor *xmtp_json_enum_of(const ProtobufCFieldDescriptor *field)
{
    static const struct {
        const char *name;
        const ProtobufCEnumDescriptor *type;
    } enums[] = {
        {"direction", &pb__sort_direction__descriptor},
        {"wrapper_algorithm", &pb__welcome_wrapper_algorithm__descriptor},
        {"identifier_kind", &pb__identifier_kind__descriptor},
        {"initial_identifier_kind", &pb__identifier_kind__descriptor},
        {"new_recovery_identifier_kind", &pb__identifier_kind__descriptor},
    };
    if (field->type == PROTOBUF_C_TYPE_ENUM) {
        return field->descriptor;
    }
    for (size_t i = 0; i < sizeof enums / sizeof enums[0]; i++) {
        if (field->type == PROTOBUF_C_TYPE_INT32 && strcmp(field->name, enums[i].name) == 0) {
            return enums[i].type;
        }
    }
    return NULL;
}

const ProtobufCMessageDescriptor *xmtp_json_message_of(const ProtobufCMessageDescriptor *type,
                                                       const ProtobufCFieldDescriptor *field)
{
    bool is_update = (type == &pb__publish_identity_update_request__descriptor &&
                      strcmp(field->name, "identity_update") == 0) ||
                     (type == &pb__get_identity_updates_response__identity_update_log__descriptor &&
                      strcmp(field->name, "update") == 0);
    return is_update ? &pb__identity_update__descriptor : NULL;
}

void xmtp_json_camel_name(char out[XMTP_JSON_NAME_MAX], const char *name)
{
    size_t n = 0;
    for (; *name != '\0' && n + 1 < XMTP_JSON_NAME_MAX; name++) {
        bool is_start = *name == '_' && name[1] >= 'a' && name[1] <= 'z';
        if (is_start) {
            name++;
        }
        if (*name != '_') { /* "erc_191" is "erc191" */
            out[n++] = is_start ? (char)(*name - ('a' - 'A')) : *name;
        }
    }
    out[n] = '\0';
}

const ProtobufCFieldDescriptor *xmtp_json_find(const ProtobufCMessageDescriptor *type,
                                               const char *name)
{
    char camel[XMTP_JSON_NAME_MAX];
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        xmtp_json_camel_name(camel, field->name);
        if (strcmp(name, field->name) == 0 || strcmp(name, camel) == 0) {
            return field;
        }
    }
    return NULL;
}
