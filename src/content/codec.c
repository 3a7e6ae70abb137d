/* codec.c - the table of content types, and EncodedContent around their bodies. */
#include "content/codec.h"

#include "base/bytes.h"
#include "base/status.h"
#include "proto/field.h"
#include "proto/message.h"

#include <stdarg.h>
#include <stdio.h>

static const xmtp_codec *const codecs[] = {
    &xmtp_codec_text,
    &xmtp_codec_markdown,
    &xmtp_codec_reaction,
    &xmtp_codec_reaction_v1,
    &xmtp_codec_reply,
    &xmtp_codec_read_receipt,
    &xmtp_codec_group_updated,
    &xmtp_codec_membership_change,
    &xmtp_codec_leave_request,
    &xmtp_codec_delete_message,
    &xmtp_codec_edit_message,
    &xmtp_codec_attachment,
    &xmtp_codec_remote_attachment,
    &xmtp_codec_multi_remote_attachment,
    &xmtp_codec_transaction_reference,
    &xmtp_codec_wallet_send_calls,
    &xmtp_codec_actions,
    &xmtp_codec_intent,
};
enum { CODEC_COUNT = sizeof(codecs) / sizeof(codecs[0]) };

static const xmtp_codec *codec_of(xmtp_content_type type)
{
    for (size_t i = 0; i < CODEC_COUNT; i++) {
        if (codecs[i]->id == type) {
            return codecs[i];
        }
    }
    return NULL;
}

static bool is_named(const xmtp_codec *codec, const char *authority, const char *type)
{
    return strcmp(codec->authority, authority) == 0 && strcmp(codec->type, type) == 0;
}

static const xmtp_codec *codec_of_type(const Pb__ContentTypeId *type)
{
    for (size_t i = 0; type != NULL && i < CODEC_COUNT; i++) {
        if (is_named(codecs[i], xmtp_or_empty(type->authority_id), xmtp_or_empty(type->type_id)) &&
            codecs[i]->version_major == type->version_major) {
            return codecs[i];
        }
    }
    return NULL;
}

bool xmtp_content_should_push(xmtp_content_type type)
{
    const xmtp_codec *codec = codec_of(type);
    return codec != NULL && codec->should_push;
}

/* ---- for the codecs */

void xmtp_body_parameter(xmtp_content_body *body, const char *key, const char *value)
{
    body->parameters[body->parameter_count] = (xmtp_pair){.key = key, .value = value};
    body->parameter_count++;
}

const char *xmtp_parameter(const Pb__EncodedContent *in, const char *key)
{
    const char *value = NULL;
    for (size_t i = 0; i < in->n_parameters; i++) {
        if (strcmp(xmtp_or_empty(in->parameters[i]->key), key) == 0) {
            value = xmtp_or_empty(in->parameters[i]->value);
        }
    }
    return value;
}

xmtp_status xmtp_codec_optional(xmtp_codec_call *call, const char *text, const char *field)
{
    if (text != NULL && !xmtp_utf8_is_valid(xmtp_bytes_of_string(text))) {
        return xmtp_fail(call->error, XMTP_E_CONTENT, "%s is not UTF-8", field);
    }
    return XMTP_OK;
}

xmtp_status xmtp_codec_required(xmtp_codec_call *call, const char *text, const char *field)
{
    if (text == NULL) {
        return xmtp_fail(call->error, XMTP_E_CONTENT, "%s is missing", field);
    }
    return xmtp_codec_optional(call, text, field);
}

xmtp_status xmtp_codec_format(xmtp_codec_call *call, const char **out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    XMTP_ENSURE(n >= 0, XMTP_E_INTERNAL);
    void *p;
    XMTP_TRY(xmtp_arena_take(call->arena, (size_t)n + 1, &p));
    va_start(arguments, format);
    (void)vsnprintf(p, (size_t)n + 1, format, arguments);
    va_end(arguments);
    *out = p;
    return XMTP_OK;
}

xmtp_status xmtp_codec_encode_proto(xmtp_codec_call *call, const ProtobufCMessage *message,
                                    xmtp_bytes *out)
{
    xmtp_writer w;
    xmtp_writer_init(&w, call->arena->alloc, XMTP_CONTENT_LEN_MAX);
    return xmtp_writer_to_arena(&w, xmtp_proto_encode(message, &w), call->arena, out);
}

xmtp_status xmtp_codec_decode_proto(xmtp_codec_call *call, const ProtobufCMessageDescriptor *type,
                                    xmtp_bytes in, const void **out)
{
    void *message;
    *out = NULL;
    xmtp_status status = xmtp_proto_decode(type, call->arena, in, &message);
    if (status == XMTP_E_MALFORMED) {
        return xmtp_fail(call->error, XMTP_E_CONTENT, "not a %s", type->short_name);
    }
    XMTP_TRY(status);
    *out = message;
    return XMTP_OK;
}

/* ---- encoding */

static xmtp_status encode_custom(xmtp_codec_call *call, const xmtp_content *in,
                                 Pb__EncodedContent *out)
{
    const xmtp_custom *custom = &in->custom;
    XMTP_TRY(xmtp_codec_required(call, custom->authority, "authority"));
    XMTP_TRY(xmtp_codec_required(call, custom->type, "type"));
    out->type->authority_id = (char *)(uintptr_t)custom->authority;
    out->type->type_id = (char *)(uintptr_t)custom->type;
    out->type->version_major = custom->version_major;
    out->type->has_version_major = custom->version_major != 0;
    out->type->version_minor = custom->version_minor;
    out->type->has_version_minor = custom->version_minor != 0;
    out->content = xmtp_proto_data(custom->content);
    return XMTP_OK;
}

static xmtp_status put_parameters(xmtp_codec_call *call, const xmtp_pair *pairs, size_t count,
                                  Pb__EncodedContent *out)
{
    void *memory;
    XMTP_TRY(xmtp_arena_take_array(call->arena, count, sizeof(Pb__StringEntry *), &memory));
    out->parameters = memory;
    XMTP_TRY(xmtp_arena_take_array(call->arena, count, sizeof(Pb__StringEntry), &memory));
    Pb__StringEntry *entries = memory;
    for (size_t i = 0; i < count; i++) {
        XMTP_TRY(xmtp_codec_required(call, pairs[i].key, "a parameter's key"));
        XMTP_TRY(xmtp_codec_required(call, pairs[i].value, pairs[i].key));
        entries[i] = (Pb__StringEntry)PB__STRING_ENTRY__INIT;
        entries[i].key = (char *)(uintptr_t)pairs[i].key;
        entries[i].value = (char *)(uintptr_t)pairs[i].value;
        out->parameters[i] = &entries[i];
    }
    out->n_parameters = count;
    return XMTP_OK;
}

static xmtp_status encode_known(xmtp_codec_call *call, const xmtp_codec *codec,
                                const xmtp_content *in, Pb__EncodedContent *out)
{
    xmtp_content_body body = {.fallback = NULL};
    XMTP_TRY(codec->encode(call, in, &body));
    XMTP_TRY(put_parameters(call, body.parameters, body.parameter_count, out));
    out->type->authority_id = (char *)(uintptr_t)codec->authority;
    out->type->type_id = (char *)(uintptr_t)codec->type;
    out->type->has_version_major = 1;
    out->type->version_major = codec->version_major;
    out->content = xmtp_proto_data(body.content);
    out->fallback = (char *)(uintptr_t)body.fallback;
    return XMTP_OK;
}

static xmtp_status encode(xmtp_codec_call *call, const xmtp_content *in, xmtp_writer *w)
{
    Pb__ContentTypeId type = PB__CONTENT_TYPE_ID__INIT;
    Pb__EncodedContent out = PB__ENCODED_CONTENT__INIT;
    out.type = &type;
    const xmtp_codec *codec = codec_of(in->type);
    if (codec != NULL) {
        XMTP_TRY(encode_known(call, codec, in, &out));
    } else if (in->type == XMTP_CONTENT_UNKNOWN) {
        XMTP_TRY(put_parameters(call, in->custom.parameters, in->custom.parameter_count, &out));
        XMTP_TRY(encode_custom(call, in, &out));
    } else {
        return xmtp_fail(call->error, XMTP_E_CONTENT, "there is no content type %d", in->type);
    }
    XMTP_TRY(xmtp_codec_optional(call, in->fallback, "fallback"));
    if (in->fallback != NULL) {
        out.fallback = (char *)(uintptr_t)in->fallback;
    }
    out.has_content = out.content.len > 0;
    return xmtp_proto_encode(&out.base, w);
}

xmtp_status xmtp_codec_encode_inner(xmtp_codec_call *call, const xmtp_content *in, xmtp_bytes *out)
{
    if (in == NULL) {
        return xmtp_fail(call->error, XMTP_E_CONTENT, "the inner content is missing");
    }
    if (call->depth >= XMTP_REPLY_DEPTH_MAX) {
        return xmtp_fail(call->error, XMTP_E_LIMIT, "contents nest deeper than %d",
                         XMTP_REPLY_DEPTH_MAX);
    }
    xmtp_writer w;
    xmtp_writer_init(&w, call->arena->alloc, XMTP_CONTENT_LEN_MAX);
    call->depth++;
    xmtp_status status = encode(call, in, &w);
    call->depth--;
    return xmtp_writer_to_arena(&w, status, call->arena, out);
}

xmtp_status xmtp_codec_type_name(xmtp_codec_call *call, const xmtp_content *content,
                                 const char **out)
{
    const xmtp_codec *codec = codec_of(content->type);
    if (codec != NULL) {
        return xmtp_codec_format(call, out, "%s/%s:%u.0", codec->authority, codec->type,
                                 codec->version_major);
    }
    const xmtp_custom *custom = &content->custom;
    XMTP_TRY(xmtp_codec_required(call, custom->authority, "authority"));
    XMTP_TRY(xmtp_codec_required(call, custom->type, "type"));
    return xmtp_codec_format(call, out, "%s/%s:%u.%u", custom->authority, custom->type,
                             custom->version_major, custom->version_minor);
}

xmtp_status xmtp_content_write(xmtp_writer *w, const xmtp_content *content, xmtp_error *error)
{
    xmtp_arena arena;
    /* Each depth holds the encoding of what is inside it. */
    xmtp_arena_init(&arena, w->alloc, (size_t)XMTP_CONTENT_LEN_MAX * 4);
    xmtp_codec_call call = {.arena = &arena, .error = error};
    size_t start = w->n;
    xmtp_status status = encode(&call, content, w);
    xmtp_arena_reset(&arena);
    if (status == XMTP_OK && w->n - start > XMTP_CONTENT_LEN_MAX) {
        status = XMTP_E_LIMIT;
    }
    if (status == XMTP_E_LIMIT) {
        return xmtp_fail_default(error, status, "content is too long to be sent");
    }
    return status;
}

/* ---- decoding */

static xmtp_status decode_custom(xmtp_codec_call *call, const Pb__EncodedContent *in,
                                 xmtp_content *out)
{
    static const Pb__ContentTypeId none = PB__CONTENT_TYPE_ID__INIT;
    const Pb__ContentTypeId *type = in->type == NULL ? &none : in->type;
    void *memory;
    XMTP_TRY(xmtp_arena_take_array(call->arena, in->n_parameters, sizeof(xmtp_pair), &memory));
    xmtp_pair *pairs = memory;
    for (size_t i = 0; i < in->n_parameters; i++) {
        pairs[i] = (xmtp_pair){.key = xmtp_or_empty(in->parameters[i]->key),
                               .value = xmtp_or_empty(in->parameters[i]->value)};
    }
    out->type = XMTP_CONTENT_UNKNOWN;
    out->custom = (xmtp_custom){
        .authority = xmtp_or_empty(type->authority_id),
        .type = xmtp_or_empty(type->type_id),
        .version_major = type->version_major,
        .version_minor = type->version_minor,
        .parameters = pairs,
        .parameter_count = in->n_parameters,
        .content = xmtp_proto_bytes(in->content),
    };
    return XMTP_OK;
}

static xmtp_status decode(xmtp_codec_call *call, const Pb__EncodedContent *in, xmtp_content *out)
{
    Pb__EncodedContent plain = *in;
    if (in->has_compression) {
        xmtp_bytes inflated;
        xmtp_status status = xmtp_content_inflate(call->arena, in->compression,
                                                  xmtp_proto_bytes(in->content), &inflated);
        if (status == XMTP_E_CONTENT) {
            return xmtp_fail(call->error, status, "compressed content (%d) cannot be inflated",
                             in->compression);
        }
        XMTP_TRY(status);
        plain.content = xmtp_proto_data(inflated);
    }
    const xmtp_codec *codec = codec_of_type(in->type);
    *out = (xmtp_content){.type = codec == NULL ? XMTP_CONTENT_UNKNOWN : codec->id,
                          .fallback = in->fallback};
    return codec == NULL ? decode_custom(call, &plain, out) : codec->decode(call, &plain, out);
}

xmtp_status xmtp_codec_decode_inner(xmtp_codec_call *call, const Pb__EncodedContent *in,
                                    const xmtp_content **out)
{
    if (call->depth >= XMTP_REPLY_DEPTH_MAX) {
        return xmtp_fail(call->error, XMTP_E_LIMIT, "contents nest deeper than %d",
                         XMTP_REPLY_DEPTH_MAX);
    }
    void *content;
    XMTP_TRY(xmtp_arena_take(call->arena, sizeof(xmtp_content), &content));
    call->depth++;
    xmtp_status status = decode(call, in, content);
    call->depth--;
    *out = content;
    return status;
}

xmtp_status xmtp_codec_decode_inner_bytes(xmtp_codec_call *call, xmtp_bytes in,
                                          const xmtp_content **out)
{
    const void *message;
    XMTP_TRY(xmtp_codec_decode_proto(call, &pb__encoded_content__descriptor, in, &message));
    return xmtp_codec_decode_inner(call, message, out);
}

xmtp_status xmtp_content_read(xmtp_arena *arena, xmtp_bytes encoded, xmtp_content *out,
                              xmtp_error *error)
{
    xmtp_codec_call call = {.arena = arena, .error = error};
    const void *message;
    XMTP_TRY(xmtp_codec_decode_proto(&call, &pb__encoded_content__descriptor, encoded, &message));
    xmtp_status status = decode(&call, message, out);
    return status == XMTP_E_LIMIT
               ? xmtp_fail_default(error, status, "content takes more memory than it may")
               : status;
}
