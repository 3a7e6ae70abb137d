/* codec.h - how one content type becomes an EncodedContent and back; private to this room but for the two entrances that
 * the client uses.
 *
 *     EncodedContent { type, parameters, fallback, content, compression }     groups.md 5.1, 5.2
 *
 * A codec is an entry of the table in codec.c: names, whether it notifies, encode, decode. The codecs are in text.c,
 * file.c, transaction.c and action.c.
 */
#ifndef XMTP_CONTENT_CODEC_H
#define XMTP_CONTENT_CODEC_H

#include "base/arena.h"
#include "base/writer.h"
#include "proto/message_contents.pb-c.h"

#include <xmtp/content.h>

/* Appends the EncodedContent of content. Statuses as xmtp_content_encode. */
xmtp_status xmtp_content_write(xmtp_writer *w, const xmtp_content *content, xmtp_error *error);

/* Decodes into the arena; out's pointers live as long as that. Statuses as xmtp_content_decode. */
xmtp_status xmtp_content_read(xmtp_arena *arena, xmtp_bytes encoded, xmtp_content *out,
                              xmtp_error *error);

/* ---- for the codecs */

enum { XMTP_PARAMETERS_MAX = 7 };

/* One encoding or decoding; depth counts contents inside contents. */
typedef struct xmtp_codec_call {
    xmtp_arena *arena;
    xmtp_error *error;
    size_t depth;
} xmtp_codec_call;

/* What an encoder makes; pointers live as long as the input and the arena. */
typedef struct xmtp_content_body {
    xmtp_pair parameters[XMTP_PARAMETERS_MAX];
    size_t parameter_count;
    xmtp_bytes content;
    const char *fallback; /* the type's own sentence; NULL when it has none */
} xmtp_content_body;

typedef struct xmtp_codec {
    xmtp_content_type id;
    const char *authority;
    const char *type;
    uint32_t version_major;
    bool should_push;
    xmtp_status (*encode)(xmtp_codec_call *call, const xmtp_content *in, xmtp_content_body *out);
    xmtp_status (*decode)(xmtp_codec_call *call, const Pb__EncodedContent *in, xmtp_content *out);
} xmtp_codec;

extern const xmtp_codec xmtp_codec_text, xmtp_codec_markdown, xmtp_codec_reaction,
    xmtp_codec_reaction_v1, xmtp_codec_reply, xmtp_codec_read_receipt, xmtp_codec_group_updated,
    xmtp_codec_membership_change, xmtp_codec_leave_request, xmtp_codec_delete_message,
    xmtp_codec_edit_message, xmtp_codec_attachment, xmtp_codec_remote_attachment,
    xmtp_codec_multi_remote_attachment, xmtp_codec_transaction_reference,
    xmtp_codec_wallet_send_calls, xmtp_codec_actions, xmtp_codec_intent;

/* protobuf-c's structs have pointers without const, and NULL for texts that are not there. */
static inline char *xmtp_no_const(const char *text)
{
    return (char *)(uintptr_t)text;
}

static inline const char *xmtp_or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

/* Appends a parameter. */
void xmtp_body_parameter(xmtp_content_body *body, const char *key, const char *value);

/* The value of a parameter, the last one when it is repeated, as in a map; NULL when absent. */
const char *xmtp_parameter(const Pb__EncodedContent *in, const char *key);

/* XMTP_E_CONTENT, with the field's name, when text is NULL or not UTF-8. */
xmtp_status xmtp_codec_required(xmtp_codec_call *call, const char *text, const char *field);
/* The same, but NULL is allowed. */
xmtp_status xmtp_codec_optional(xmtp_codec_call *call, const char *text, const char *field);

/* Text made of pieces, in the arena. */
xmtp_status xmtp_codec_format(xmtp_codec_call *call, const char **out, const char *format, ...)
    XMTP_PRINTF(3, 4);

/* A protobuf body, both ways, in the arena. */
xmtp_status xmtp_codec_encode_proto(xmtp_codec_call *call, const ProtobufCMessage *message,
                                    xmtp_bytes *out);
xmtp_status xmtp_codec_decode_proto(xmtp_codec_call *call, const ProtobufCMessageDescriptor *type,
                                    xmtp_bytes in, const void **out);

/* Content inside content: encoded bytes, or one decoded message. XMTP_E_LIMIT: too deep. */
xmtp_status xmtp_codec_encode_inner(xmtp_codec_call *call, const xmtp_content *in, xmtp_bytes *out);
xmtp_status xmtp_codec_decode_inner(xmtp_codec_call *call, const Pb__EncodedContent *in,
                                    const xmtp_content **out);
xmtp_status xmtp_codec_decode_inner_bytes(xmtp_codec_call *call, xmtp_bytes in,
                                          const xmtp_content **out);

/* "authority/type:major.minor" of content. */
xmtp_status xmtp_codec_type_name(xmtp_codec_call *call, const xmtp_content *content,
                                 const char **out);

/* Inflates deflate (0) or gzip (1) into the arena. XMTP_E_CONTENT, XMTP_E_LIMIT. */
xmtp_status xmtp_content_inflate(xmtp_arena *arena, int32_t compression, xmtp_bytes in,
                                 xmtp_bytes *out);

#endif
