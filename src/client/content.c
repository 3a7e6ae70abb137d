/* content.c - EncodedContent of texts and replies, both ways (groups.md section 5).
 *
 *     PlaintextEnvelope { v1 { content: EncodedContent { type, parameters, fallback, content },
 *                              idempotency_key } }
 *
 * Foreign content that does not parse is shown as of unknown type, never refused: the message is
 * stored as it came.
 */
#include "client/content.h"

#include "base/bytes.h"
#include "base/status.h"
#include "content/codec.h"
#include "crypto/crypto.h"
#include "proto/field.h"
#include "proto/message.h"

enum {
    /* Memory for decoding one content: an honest one takes little more than its size at each depth
     * of replies, one made of empty fields takes many times its size. */
    DECODED_PER_BYTE = 16,
    DECODED_MIN = 64 * 1024,
};

/* ---- encoding */

static xmtp_status check_text(const char *text)
{
    xmtp_bytes bytes = xmtp_bytes_of_string(text);
    XMTP_ENSURE(bytes.n <= XMTP_TEXT_MAX, XMTP_E_LIMIT);
    return xmtp_utf8_is_valid(bytes) ? XMTP_OK : XMTP_E_CONTENT;
}

xmtp_status xmtp_content_text(xmtp_writer *w, const char *text)
{
    XMTP_TRY(check_text(text));
    xmtp_content content = {.type = XMTP_CONTENT_TEXT, .text = text};
    return xmtp_content_write(w, &content, NULL);
}

xmtp_status xmtp_content_reply(xmtp_writer *w, const uint8_t reference[XMTP_MESSAGE_ID_LEN],
                               const char *text)
{
    XMTP_TRY(check_text(text));
    char reference_hex[2 * XMTP_MESSAGE_ID_LEN + 1];
    xmtp_hex_encode(reference_hex, xmtp_bytes_of(reference, XMTP_MESSAGE_ID_LEN));
    xmtp_content inner = {.type = XMTP_CONTENT_TEXT, .text = text};
    xmtp_content content = {.type = XMTP_CONTENT_REPLY,
                            .reply = {.reference = reference_hex, .content = &inner}};
    return xmtp_content_write(w, &content, NULL);
}

/* ---- envelope and id */

xmtp_status xmtp_envelope_encode(xmtp_writer *w, xmtp_bytes content, const char *idempotency_key)
{
    Pb__PlaintextEnvelope__V1 v1 = PB__PLAINTEXT_ENVELOPE__V1__INIT;
    v1.has_content = content.n > 0;
    v1.content = xmtp_proto_data(content);
    v1.idempotency_key = (char *)(uintptr_t)idempotency_key;
    Pb__PlaintextEnvelope envelope = PB__PLAINTEXT_ENVELOPE__INIT;
    envelope.content_case = PB__PLAINTEXT_ENVELOPE__CONTENT_V1;
    envelope.v1 = &v1;
    return xmtp_proto_encode(&envelope.base, w);
}

xmtp_status xmtp_envelope_decode(xmtp_arena *arena, xmtp_bytes in, bool *has_v1,
                                 xmtp_bytes *content, const char **idempotency_key)
{
    void *message;
    xmtp_status status =
        xmtp_proto_decode(&pb__plaintext_envelope__descriptor, arena, in, &message);
    XMTP_ENSURE(status != XMTP_E_MALFORMED && status != XMTP_E_LIMIT, XMTP_E_CONTENT);
    XMTP_TRY(status);
    const Pb__PlaintextEnvelope *envelope = message;
    XMTP_ENSURE(envelope->content_case != PB__PLAINTEXT_ENVELOPE__CONTENT__NOT_SET, XMTP_E_CONTENT);
    *has_v1 = envelope->content_case == PB__PLAINTEXT_ENVELOPE__CONTENT_V1;
    if (*has_v1) {
        const char *key = envelope->v1->idempotency_key;
        *content = xmtp_proto_bytes(envelope->v1->content);
        *idempotency_key = key == NULL ? "" : key;
    }
    return XMTP_OK;
}

void xmtp_message_id(xmtp_bytes group_id, const char *idempotency_key, xmtp_bytes content,
                     uint8_t out[XMTP_MESSAGE_ID_LEN])
{
    static const uint8_t tab = 0x09;
    xmtp_hash_context c;
    const xmtp_hash *hash = &xmtp_hash_sha256;
    hash->init(&c);
    hash->update(&c, group_id.p, group_id.n);
    hash->update(&c, &tab, 1);
    hash->update(&c, idempotency_key, strlen(idempotency_key));
    hash->update(&c, &tab, 1);
    hash->update(&c, content.p, content.n);
    hash->final(&c, out);
}

/* ---- reading */

static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

static bool is_type(const Pb__EncodedContent *content, const char *type)
{
    return content->type != NULL &&
           strcmp(or_empty(content->type->authority_id), "xmtp.org") == 0 &&
           strcmp(or_empty(content->type->type_id), type) == 0;
}

static const char *parameter(const Pb__EncodedContent *content, const char *key)
{
    const char *value = NULL;
    for (size_t i = 0; i < content->n_parameters; i++) {
        if (strcmp(or_empty(content->parameters[i]->key), key) == 0) {
            value = or_empty(content->parameters[i]->value); /* the last one counts, as in a map */
        }
    }
    return value;
}

/* The text of a text or markdown; NULL for other content and other encodings. */
static xmtp_status text_of(xmtp_arena *arena, const Pb__EncodedContent *content, xmtp_message *out)
{
    if (!is_type(content, "text") && !is_type(content, "markdown")) {
        return XMTP_OK;
    }
    const char *encoding = parameter(content, "encoding");
    xmtp_bytes bytes = xmtp_proto_bytes(content->content);
    bool is_compressed = content->has_compression != 0;
    if (is_compressed || (encoding != NULL && strcmp(encoding, "UTF-8") != 0) ||
        !xmtp_utf8_is_valid(bytes)) {
        return XMTP_OK;
    }
    char *text;
    XMTP_TRY(xmtp_arena_string(arena, bytes, &text));
    out->text = text;
    out->text_len = bytes.n;
    return XMTP_OK;
}

static xmtp_status decode(xmtp_arena *arena, xmtp_bytes in, const Pb__EncodedContent **out)
{
    void *message;
    *out = NULL;
    xmtp_status status = xmtp_proto_decode(&pb__encoded_content__descriptor, arena, in, &message);
    if (status == XMTP_OK) {
        *out = message;
    }
    return status == XMTP_E_MALFORMED || status == XMTP_E_LIMIT ? XMTP_OK : status;
}

/* A reply may hold a reply: follow to the text that somebody wrote, not for ever. */
static xmtp_status text_of_reply(xmtp_arena *arena, xmtp_arena *scratch,
                                 const Pb__EncodedContent *content, xmtp_message *out)
{
    for (size_t depth = 0; depth < XMTP_REPLY_DEPTH_MAX && is_type(content, "reply"); depth++) {
        XMTP_TRY(decode(scratch, xmtp_proto_bytes(content->content), &content));
        if (content == NULL) {
            return XMTP_OK;
        }
    }
    return text_of(arena, content, out);
}

static xmtp_status keep_text(xmtp_arena *arena, const char *text, const char **out)
{
    char *copy = NULL;
    if (text != NULL) {
        XMTP_TRY(xmtp_arena_string(arena, xmtp_bytes_of_string(text), &copy));
    }
    *out = copy;
    return XMTP_OK;
}

static xmtp_status view(xmtp_arena *arena, xmtp_arena *scratch, xmtp_bytes in, xmtp_message *out)
{
    const Pb__EncodedContent *content;
    XMTP_TRY(decode(scratch, in, &content));
    if (content == NULL) {
        return XMTP_OK;
    }
    if (content->type != NULL) {
        XMTP_TRY(keep_text(arena, or_empty(content->type->authority_id), &out->authority));
        XMTP_TRY(keep_text(arena, or_empty(content->type->type_id), &out->type));
        out->version_major = content->type->version_major;
        out->version_minor = content->type->version_minor;
    }
    XMTP_TRY(keep_text(arena, content->fallback, &out->fallback));
    if (is_type(content, "reply")) {
        XMTP_TRY(keep_text(arena, parameter(content, "reference"), &out->reference));
        return text_of_reply(arena, scratch, content, out);
    }
    return text_of(arena, content, out);
}

xmtp_status xmtp_content_view(xmtp_arena *arena, xmtp_bytes in, xmtp_message *out)
{
    xmtp_arena scratch;
    out->content = in;
    out->authority = "";
    out->type = "";
    xmtp_arena_init(&scratch, arena->alloc, DECODED_PER_BYTE * in.n + DECODED_MIN);
    xmtp_status status = view(arena, &scratch, in, out);
    xmtp_arena_reset(&scratch);
    return status;
}
