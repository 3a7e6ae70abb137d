/* file.c - files: inside the message, or elsewhere and encrypted (groups.md 5.3). */
#include "content/codec.h"

#include "base/bytes.h"
#include "base/status.h"
#include "proto/content_types.pb-c.h"
#include "proto/message.h"

#include <inttypes.h>
#include <stdlib.h>

static const char *shown_name(const char *filename)
{
    return filename == NULL ? "this content" : filename;
}

/* ---- attachment */

static xmtp_status encode_attachment(xmtp_codec_call *call, const xmtp_content *in,
                                     xmtp_content_body *out)
{
    const xmtp_attachment *file = &in->attachment;
    XMTP_TRY(xmtp_codec_required(call, file->mime_type, "mime_type"));
    XMTP_TRY(xmtp_codec_optional(call, file->filename, "filename"));
    xmtp_body_parameter(out, "mimeType", file->mime_type);
    if (file->filename != NULL) {
        xmtp_body_parameter(out, "filename", file->filename);
    }
    out->content = file->content;
    return xmtp_codec_format(call, &out->fallback,
                             "Can't display %s. This app doesn't support attachments.",
                             shown_name(file->filename));
}

static xmtp_status decode_attachment(xmtp_codec_call *call, const Pb__EncodedContent *in,
                                     xmtp_content *out)
{
    out->attachment = (xmtp_attachment){
        .filename = xmtp_parameter(in, "filename"),
        .mime_type = xmtp_parameter(in, "mimeType"),
        .content = xmtp_proto_bytes(in->content),
    };
    return xmtp_codec_required(call, out->attachment.mime_type, "mimeType");
}

const xmtp_codec xmtp_codec_attachment = {
    XMTP_CONTENT_ATTACHMENT, "xmtp.org",        "attachment", 1, true,
    encode_attachment,       decode_attachment,
};

/* ---- remote attachment */

static xmtp_status check_len(xmtp_codec_call *call, xmtp_bytes bytes, size_t n, const char *field)
{
    return bytes.n == n ? XMTP_OK
                        : xmtp_fail(call->error, XMTP_E_CONTENT, "%s has %zu bytes, not %zu", field,
                                    bytes.n, n);
}

static xmtp_status check_remote(xmtp_codec_call *call, const xmtp_remote_attachment *remote)
{
    XMTP_TRY(xmtp_codec_required(call, remote->url, "url"));
    XMTP_TRY(xmtp_codec_required(call, remote->scheme, "scheme"));
    XMTP_TRY(xmtp_codec_required(call, remote->content_digest, "content_digest"));
    XMTP_TRY(xmtp_codec_optional(call, remote->filename, "filename"));
    XMTP_TRY(check_len(call, remote->secret, XMTP_ATTACHMENT_SECRET_LEN, "secret"));
    XMTP_TRY(check_len(call, remote->salt, XMTP_ATTACHMENT_SALT_LEN, "salt"));
    return check_len(call, remote->nonce, XMTP_ATTACHMENT_NONCE_LEN, "nonce");
}

static xmtp_status put_hex(xmtp_codec_call *call, xmtp_content_body *out, const char *key,
                           xmtp_bytes bytes)
{
    void *text;
    XMTP_TRY(xmtp_arena_take(call->arena, 2 * bytes.n + 1, &text));
    xmtp_hex_encode(text, bytes);
    xmtp_body_parameter(out, key, text);
    return XMTP_OK;
}

static xmtp_status encode_remote(xmtp_codec_call *call, const xmtp_content *in,
                                 xmtp_content_body *out)
{
    const xmtp_remote_attachment *remote = &in->remote_attachment;
    XMTP_TRY(check_remote(call, remote));
    xmtp_body_parameter(out, "contentDigest", remote->content_digest);
    XMTP_TRY(put_hex(call, out, "secret", remote->secret));
    XMTP_TRY(put_hex(call, out, "salt", remote->salt));
    XMTP_TRY(put_hex(call, out, "nonce", remote->nonce));
    xmtp_body_parameter(out, "scheme", remote->scheme);
    if (remote->content_length > 0) {
        const char *length;
        XMTP_TRY(xmtp_codec_format(call, &length, "%" PRIu64, remote->content_length));
        xmtp_body_parameter(out, "contentLength", length);
    }
    if (remote->filename != NULL) {
        xmtp_body_parameter(out, "filename", remote->filename);
    }
    out->content = xmtp_bytes_of_string(remote->url);
    return xmtp_codec_format(call, &out->fallback,
                             "Can't display %s. This app doesn't support remote attachments.",
                             shown_name(remote->filename));
}

static xmtp_status get_hex(xmtp_codec_call *call, const Pb__EncodedContent *in, const char *key,
                           size_t n, xmtp_bytes *out)
{
    const char *text = xmtp_parameter(in, key);
    void *bytes;
    XMTP_TRY(xmtp_codec_required(call, text, key));
    XMTP_TRY(xmtp_arena_take(call->arena, n, &bytes));
    if (xmtp_hex_decode(bytes, n, text, strlen(text)) != XMTP_OK) {
        return xmtp_fail(call->error, XMTP_E_CONTENT, "%s is not %zu bytes in hex", key, n);
    }
    *out = xmtp_bytes_of(bytes, n);
    return XMTP_OK;
}

static xmtp_status get_length(xmtp_codec_call *call, const Pb__EncodedContent *in, uint64_t *out)
{
    const char *text = xmtp_parameter(in, "contentLength");
    if (text == NULL) {
        return XMTP_OK;
    }
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 18 || text[digits] != 0) {
        return xmtp_fail(call->error, XMTP_E_CONTENT, "contentLength is not a number");
    }
    *out = strtoull(text, NULL, 10);
    return XMTP_OK;
}

static xmtp_status decode_remote(xmtp_codec_call *call, const Pb__EncodedContent *in,
                                 xmtp_content *out)
{
    xmtp_remote_attachment *remote = &out->remote_attachment;
    char *url;
    XMTP_TRY(xmtp_arena_string(call->arena, xmtp_proto_bytes(in->content), &url));
    remote->url = url;
    remote->scheme = xmtp_or_empty(xmtp_parameter(in, "scheme"));
    remote->content_digest = xmtp_parameter(in, "contentDigest");
    remote->filename = xmtp_parameter(in, "filename");
    XMTP_TRY(get_hex(call, in, "secret", XMTP_ATTACHMENT_SECRET_LEN, &remote->secret));
    XMTP_TRY(get_hex(call, in, "salt", XMTP_ATTACHMENT_SALT_LEN, &remote->salt));
    XMTP_TRY(get_hex(call, in, "nonce", XMTP_ATTACHMENT_NONCE_LEN, &remote->nonce));
    XMTP_TRY(get_length(call, in, &remote->content_length));
    return check_remote(call, remote);
}

const xmtp_codec xmtp_codec_remote_attachment = {
    XMTP_CONTENT_REMOTE_ATTACHMENT,
    "xmtp.org",
    "remoteStaticAttachment",
    1,
    true,
    encode_remote,
    decode_remote,
};

/* ---- several remote attachments */

static xmtp_status encode_info(xmtp_codec_call *call, const xmtp_remote_attachment *in,
                               Pb__RemoteAttachmentInfo *out)
{
    XMTP_TRY(check_remote(call, in));
    if (in->content_length > UINT32_MAX) {
        return xmtp_fail(call->error, XMTP_E_LIMIT, "a file of %" PRIu64 " bytes",
                         in->content_length);
    }
    *out = (Pb__RemoteAttachmentInfo)PB__REMOTE_ATTACHMENT_INFO__INIT;
    out->content_digest = xmtp_no_const(in->content_digest);
    out->has_secret = 1;
    out->secret = xmtp_proto_data(in->secret);
    out->has_nonce = 1;
    out->nonce = xmtp_proto_data(in->nonce);
    out->has_salt = 1;
    out->salt = xmtp_proto_data(in->salt);
    out->scheme = xmtp_no_const(in->scheme);
    out->url = xmtp_no_const(in->url);
    out->has_content_length = in->content_length > 0;
    out->content_length = (uint32_t)in->content_length;
    out->filename = xmtp_no_const(in->filename);
    return XMTP_OK;
}

static xmtp_status encode_multi(xmtp_codec_call *call, const xmtp_content *in,
                                xmtp_content_body *out)
{
    const xmtp_multi_remote_attachment *multi = &in->multi_remote_attachment;
    Pb__MultiRemoteAttachment message = PB__MULTI_REMOTE_ATTACHMENT__INIT;
    void *memory;
    XMTP_TRY(xmtp_arena_take_array(call->arena, multi->count, sizeof(void *), &memory));
    message.attachments = memory;
    message.n_attachments = multi->count;
    XMTP_TRY(xmtp_arena_take_array(call->arena, multi->count, sizeof(Pb__RemoteAttachmentInfo),
                                   &memory));
    Pb__RemoteAttachmentInfo *infos = memory;
    for (size_t i = 0; i < multi->count; i++) {
        XMTP_TRY(encode_info(call, &multi->attachments[i], &infos[i]));
        message.attachments[i] = &infos[i];
    }
    out->fallback =
        "Can't display this content. This app doesn't support multiple remote attachments.";
    return xmtp_codec_encode_proto(call, &message.base, &out->content);
}

static xmtp_status decode_multi(xmtp_codec_call *call, const Pb__EncodedContent *in,
                                xmtp_content *out)
{
    const void *decoded;
    void *memory;
    XMTP_TRY(xmtp_codec_decode_proto(call, &pb__multi_remote_attachment__descriptor,
                                     xmtp_proto_bytes(in->content), &decoded));
    const Pb__MultiRemoteAttachment *message = decoded;
    size_t count = message->n_attachments;
    XMTP_TRY(xmtp_arena_take_array(call->arena, count, sizeof(xmtp_remote_attachment), &memory));
    xmtp_remote_attachment *remotes = memory;
    for (size_t i = 0; i < count; i++) {
        const Pb__RemoteAttachmentInfo *info = message->attachments[i];
        remotes[i] = (xmtp_remote_attachment){
            .url = xmtp_or_empty(info->url),
            .scheme = xmtp_or_empty(info->scheme),
            .content_digest = xmtp_or_empty(info->content_digest),
            .secret = xmtp_proto_bytes(info->secret),
            .salt = xmtp_proto_bytes(info->salt),
            .nonce = xmtp_proto_bytes(info->nonce),
            .content_length = info->content_length,
            .filename = info->filename,
        };
        XMTP_TRY(check_remote(call, &remotes[i]));
    }
    out->multi_remote_attachment =
        (xmtp_multi_remote_attachment){.attachments = remotes, .count = count};
    return XMTP_OK;
}

const xmtp_codec xmtp_codec_multi_remote_attachment = {
    XMTP_CONTENT_MULTI_REMOTE_ATTACHMENT,
    "xmtp.org",
    "multiRemoteStaticAttachment",
    1,
    true,
    encode_multi,
    decode_multi,
};
