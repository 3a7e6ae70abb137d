/* json_read.c - JSON to protobuf; see json.h. Fields are written as they come, since an encoding
 * may have them in any order. Functions call themselves once per level, and the levels were counted
 * before. */
#include "base/base64.h"
#include "base/bytes.h"
#include "base/status.h"
#include "node/json.h"
#include "node/json_field.h"
#include "proto/field.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>

typedef struct reader {
    xmtp_writer *out;
    xmtp_error *error;
} reader;

/* ---- what the text may cost, before it is parsed */

/* Behind the string that begins at i; text.n when it does not end. */
static size_t skip_string(xmtp_bytes text, size_t i, bool *has_zero)
{
    for (i++; i < text.n && text.p[i] != '"'; i++) {
        if (text.p[i] == '\\') {
            *has_zero |= text.n - i > 5 && memcmp(text.p + i, "\\u0000", 6) == 0;
            i++;
        }
    }
    return i;
}

static xmtp_status look_over(xmtp_bytes text, xmtp_error *error)
{
    size_t depth = 0;
    size_t values = 1;
    bool has_zero = text.n > 0 && memchr(text.p, 0, text.n) != NULL;
    for (size_t i = 0; i < text.n; i++) {
        switch (text.p[i]) {
        case '"':
            i = skip_string(text, i, &has_zero);
            break;
        case '{':
        case '[':
            depth++;
            values++;
            break;
        case '}':
        case ']':
            depth -= depth > 0 ? 1 : 0;
            break;
        case ',':
            values++;
            break;
        default:
            break;
        }
        if (depth > XMTP_JSON_DEPTH_MAX || values > XMTP_JSON_VALUES_MAX) {
            return xmtp_fail(error, XMTP_E_LIMIT,
                             "JSON of more than %d levels or %d values is not read",
                             XMTP_JSON_DEPTH_MAX, XMTP_JSON_VALUES_MAX);
        }
    }
    if (has_zero) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "JSON with a zero byte in it");
    }
    return XMTP_OK;
}

/* ---- values */

static xmtp_status misfit(const reader *r, const ProtobufCFieldDescriptor *field, const char *what)
{
    return xmtp_fail(r->error, XMTP_E_ARGUMENT, "%s is %s", field->name, what);
}

/* Decimal digits, with a sign where is_signed; the value as it is encoded. */
static bool parse_integer(const char *text, bool is_signed, uint64_t *out)
{
    bool is_negative = is_signed && text[0] == '-';
    uint64_t limit = is_negative ? (uint64_t)INT64_MAX + 1 : is_signed ? INT64_MAX : UINT64_MAX;
    uint64_t value = 0;
    const char *p = text + (is_negative ? 1 : 0);
    if (*p == '\0') {
        return false;
    }
    for (; *p != '\0'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (*p < '0' || *p > '9' || value > (limit - digit) / 10) {
            return false;
        }
        value = 10 * value + digit;
    }
    *out = is_negative ? (uint64_t)0 - value : value;
    return true;
}

/* Whole numbers that a double holds exactly; larger ones have to come as strings. */
static bool integer_of_double(double value, bool is_signed, uint64_t *out)
{
    const double exact_max = 9007199254740992.0; /* 2^53 */
    if (!(value >= (is_signed ? -exact_max : 0) && value <= exact_max) || floor(value) != value) {
        return false;
    }
    *out = value < 0 ? (uint64_t)0 - (uint64_t)-value : (uint64_t)value;
    return true;
}

static bool fits_32(uint64_t value, bool is_signed)
{
    return is_signed ? (int64_t)value >= INT32_MIN && (int64_t)value <= INT32_MAX
                     : value <= UINT32_MAX;
}

/* Repeated fields and members of a oneof are there also when they are zero. */
static bool is_kept_when_zero(const ProtobufCFieldDescriptor *field)
{
    return field->label == PROTOBUF_C_LABEL_REPEATED ||
           (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}

static void put_varint(const reader *r, const ProtobufCFieldDescriptor *field, uint64_t value)
{
    if (value != 0) {
        xmtp_field_put_u64(r->out, field->id, value);
    } else if (is_kept_when_zero(field)) {
        size_t key = xmtp_field_len_u64(field->id, 1) - 1;
        for (uint32_t left = field->id << 3; key > 0; key--, left >>= 7) {
            xmtp_writer_u8(r->out, (uint8_t)(left & 127) | (key > 1 ? 0x80 : 0));
        }
        xmtp_writer_u8(r->out, 0);
    }
}

static void put_bytes(const reader *r, const ProtobufCFieldDescriptor *field, xmtp_bytes bytes)
{
    if (bytes.n > 0 || is_kept_when_zero(field)) {
        xmtp_field_put_message(r->out, field->id, bytes);
    }
}

static xmtp_status read_integer(const reader *r, const ProtobufCFieldDescriptor *field,
                                const cJSON *item, bool is_signed, bool is_64)
{
    uint64_t value = 0;
    bool is_integer =
        cJSON_IsString(item)
            ? parse_integer(item->valuestring, is_signed, &value)
            : cJSON_IsNumber(item) && integer_of_double(item->valuedouble, is_signed, &value);
    if (!is_integer || (!is_64 && !fits_32(value, is_signed))) {
        return misfit(r, field, "no whole number, or too large (as a string it may have 64 bits)");
    }
    put_varint(r, field, value);
    return XMTP_OK;
}

static xmtp_status read_enum(const reader *r, const ProtobufCFieldDescriptor *field,
                             const ProtobufCEnumDescriptor *type, const cJSON *item)
{
    const ProtobufCEnumValue *value =
        cJSON_IsString(item) ? protobuf_c_enum_descriptor_get_value_by_name(type, item->valuestring)
                             : NULL;
    if (value == NULL) {
        return read_integer(r, field, item, true, false);
    }
    put_varint(r, field, (uint64_t)(int64_t)value->value);
    return XMTP_OK;
}

static xmtp_status read_bytes(const reader *r, const ProtobufCFieldDescriptor *field,
                              const cJSON *item)
{
    xmtp_base64_reader base64 = {0};
    xmtp_writer bytes;
    if (!cJSON_IsString(item)) {
        return misfit(r, field, "no string of base64");
    }
    xmtp_writer_init(&bytes, r->out->alloc, XMTP_WRITER_MAX);
    xmtp_status status = xmtp_base64_read(&base64, xmtp_bytes_of_string(item->valuestring), &bytes);
    status = status == XMTP_OK ? xmtp_base64_finish(&base64, &bytes) : status;
    if (status == XMTP_OK) {
        put_bytes(r, field, xmtp_writer_bytes(&bytes));
    }
    xmtp_writer_free(&bytes);
    return status == XMTP_E_MALFORMED ? misfit(r, field, "no string of base64") : status;
}

static xmtp_status read_string(const reader *r, const ProtobufCFieldDescriptor *field,
                               const cJSON *item)
{
    if (!cJSON_IsString(item) || !xmtp_utf8_is_valid(xmtp_bytes_of_string(item->valuestring))) {
        return misfit(r, field, "no string of UTF-8");
    }
    put_bytes(r, field, xmtp_bytes_of_string(item->valuestring));
    return XMTP_OK;
}

static xmtp_status read_bool(const reader *r, const ProtobufCFieldDescriptor *field,
                             const cJSON *item)
{
    if (!cJSON_IsBool(item)) {
        return misfit(r, field, "neither true nor false");
    }
    put_varint(r, field, cJSON_IsTrue(item) ? 1 : 0);
    return XMTP_OK;
}

static xmtp_status read_message(const reader *r, const ProtobufCMessageDescriptor *type,
                                const cJSON *object);

static xmtp_status read_inner(const reader *r, const ProtobufCFieldDescriptor *field,
                              const ProtobufCMessageDescriptor *type, const cJSON *item)
{
    if (!cJSON_IsObject(item)) {
        return misfit(r, field, "no object");
    }
    size_t mark = xmtp_field_open(r->out, field->id);
    XMTP_TRY(read_message(r, type, item));
    xmtp_field_close(r->out, mark);
    return XMTP_OK;
}

/* ---- fields */

static xmtp_status read_one(const reader *r, const ProtobufCMessageDescriptor *type,
                            const ProtobufCFieldDescriptor *field, const cJSON *item)
{
    const ProtobufCEnumDescriptor *enum_type = xmtp_json_enum_of(field);
    const ProtobufCMessageDescriptor *inner = xmtp_json_message_of(type, field);
    if (enum_type != NULL) {
        return read_enum(r, field, enum_type, item);
    }
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
        return read_integer(r, field, item, true, false);
    case PROTOBUF_C_TYPE_INT64:
        return read_integer(r, field, item, true, true);
    case PROTOBUF_C_TYPE_UINT32:
        return read_integer(r, field, item, false, false);
    case PROTOBUF_C_TYPE_UINT64:
        return read_integer(r, field, item, false, true);
    case PROTOBUF_C_TYPE_BOOL:
        return read_bool(r, field, item);
    case PROTOBUF_C_TYPE_STRING:
        return read_string(r, field, item);
    case PROTOBUF_C_TYPE_BYTES:
        return inner != NULL && cJSON_IsObject(item) ? read_inner(r, field, inner, item)
                                                     : read_bytes(r, field, item);
    case PROTOBUF_C_TYPE_MESSAGE:
        return read_inner(r, field, field->descriptor, item);
    default:
        return misfit(r, field, "of a type that no request has"); /* nor any schema of ours */
    }
}

static xmtp_status read_field(const reader *r, const ProtobufCMessageDescriptor *type,
                              const ProtobufCFieldDescriptor *field, const cJSON *item)
{
    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        return read_one(r, type, field, item);
    }
    if (!cJSON_IsArray(item)) {
        return misfit(r, field, "no array");
    }
    const cJSON *element;
    cJSON_ArrayForEach(element, item)
    {
        XMTP_TRY(read_one(r, type, field, element));
    }
    return XMTP_OK;
}

/* A oneof's members share the place of its case; fields of their own have one each. */
static xmtp_status check_once(const reader *r, const ProtobufCFieldDescriptor *field,
                              uint64_t *seen, const ProtobufCMessageDescriptor *type)
{
    for (unsigned i = 0; i < type->n_fields && i < 64; i++) {
        const ProtobufCFieldDescriptor *other = &type->fields[i];
        bool is_same_place =
            other == field || ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
                               (other->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
                               other->quantifier_offset == field->quantifier_offset);
        if (is_same_place && (*seen >> i & 1) != 0) {
            return misfit(r, field, "given twice, or besides another of its oneof");
        }
    }
    *seen |= (uint64_t)1 << (field - type->fields);
    return XMTP_OK;
}

static xmtp_status read_message(const reader *r, const ProtobufCMessageDescriptor *type,
                                const cJSON *object)
{
    uint64_t seen = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, object)
    {
        const ProtobufCFieldDescriptor *field = xmtp_json_find(type, item->string);
        if (field == NULL || cJSON_IsNull(item)) {
            continue;
        }
        XMTP_TRY(check_once(r, field, &seen, type));
        XMTP_TRY(read_field(r, type, field, item));
    }
    return xmtp_writer_status(r->out);
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

xmtp_status xmtp_json_read(const ProtobufCMessageDescriptor *type, xmtp_bytes text,
                           xmtp_writer *out, xmtp_error *error)
{
    const reader r = {.out = out, .error = error};
    const char *end = NULL;
    XMTP_TRY(look_over(text, error));
    cJSON *object = cJSON_ParseWithLengthOpts((const char *)text.p, text.n, &end, false);
    size_t at = end == NULL ? 0 : (size_t)((const uint8_t *)end - text.p);
    while (at < text.n && is_space(text.p[at])) {
        at++;
    }
    xmtp_status status = XMTP_OK;
    if (!cJSON_IsObject(object) || at != text.n) {
        status = xmtp_fail(error, XMTP_E_ARGUMENT, "the request is no JSON object");
    } else if (type != NULL) {
        status = read_message(&r, type, object);
    }
    cJSON_Delete(object);
    return status;
}

/* ---- queries */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char low = (char)(c | 0x20);
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

/* Undoes percent-encoding; NULL without memory. */
static char *decode_part(const char *text, size_t n)
{
    char *out = malloc(n + 1);
    size_t at = 0;
    for (size_t i = 0; out != NULL && i < n; i++) {
        int high = text[i] == '%' && n - i > 2 ? hex_digit(text[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        if (low >= 0) {
            out[at++] = (char)(high * 16 + low);
            i += 2;
        } else {
            out[at++] = text[i];
        }
    }
    if (out != NULL) {
        out[at] = '\0';
    }
    return out;
}

/* A "true" of a query is no string. */
static cJSON *query_value(const ProtobufCFieldDescriptor *field, const char *value)
{
    bool is_true = strcmp(value, "true") == 0;
    if (field->type == PROTOBUF_C_TYPE_BOOL && (is_true || strcmp(value, "false") == 0)) {
        return cJSON_CreateBool(is_true);
    }
    return cJSON_CreateString(value);
}

static xmtp_status read_pair(const reader *r, const ProtobufCMessageDescriptor *type,
                             const char *pair, size_t n)
{
    size_t name_n = strcspn(pair, "=&");
    char *name = decode_part(pair, name_n < n ? name_n : n);
    char *value =
        decode_part(pair + (name_n < n ? name_n + 1 : n), name_n < n ? n - name_n - 1 : 0);
    xmtp_status status = name == NULL || value == NULL ? XMTP_E_NOMEM : XMTP_OK;
    const ProtobufCFieldDescriptor *field = status == XMTP_OK ? xmtp_json_find(type, name) : NULL;
    if (field != NULL) {
        cJSON *item = query_value(field, value);
        status = item == NULL ? XMTP_E_NOMEM : read_one(r, type, field, item);
        cJSON_Delete(item);
    }
    free(name);
    free(value);
    return status;
}

xmtp_status xmtp_json_read_query(const ProtobufCMessageDescriptor *type, const char *query,
                                 xmtp_writer *out, xmtp_error *error)
{
    const reader r = {.out = out, .error = error};
    while (type != NULL && *query != '\0') {
        size_t n = strcspn(query, "&");
        XMTP_TRY(read_pair(&r, type, query, n));
        query += query[n] == '&' ? n + 1 : n;
    }
    return xmtp_writer_status(out);
}
