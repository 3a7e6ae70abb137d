/* text.c - what people say to each other: texts, reactions, replies, receipts, changes of messages and members. */
#include "content/codec.h"
#include "content/json.h"

#include "base/bytes.h"
#include "base/status.h"
#include "proto/content_types.pb-c.h"
#include "proto/field.h"
#include "proto/message.h"

enum { FALLBACK_TEXT_MAX = 4096 };

/* ---- text, markdown */

static xmtp_status encode_text(xmtp_codec_call *call, const xmtp_content *in,
                               xmtp_content_body *out)
{
    XMTP_TRY(xmtp_codec_required(call, in->text, "text"));
    xmtp_body_parameter(out, "encoding", "UTF-8");
    out->content = xmtp_bytes_of_string(in->text);
    return XMTP_OK;
}

static xmtp_status decode_text(xmtp_codec_call *call, const Pb__EncodedContent *in,
                               xmtp_content *out)
{
    const char *encoding = xmtp_parameter(in, "encoding");
    xmtp_bytes bytes = xmtp_proto_bytes(in->content);
    char *text;
    if (encoding != NULL && strcmp(encoding, "UTF-8") != 0) {
        return xmtp_fail(call->error, XMTP_E_CONTENT, "text is in an encoding that is not UTF-8");
    }
    if (!xmtp_utf8_is_valid(bytes)) {
        return xmtp_fail(call->error, XMTP_E_CONTENT, "text is not UTF-8");
    }
    XMTP_TRY(xmtp_arena_string(call->arena, bytes, &text));
    out->text = text;
    return XMTP_OK;
}

const xmtp_codec xmtp_codec_text = {
    XMTP_CONTENT_TEXT, "xmtp.org", "text", 1, true, encode_text, decode_text,
};
const xmtp_codec xmtp_codec_markdown = {
    XMTP_CONTENT_MARKDOWN, "xmtp.org", "markdown", 1, true, encode_text, decode_text,
};

/* ---- reaction */

static xmtp_status encode_reaction(xmtp_codec_call *call, const xmtp_content *in,
                                   xmtp_content_body *out)
{
    const xmtp_reaction *reaction = &in->reaction;
    XMTP_TRY(xmtp_codec_required(call, reaction->reference, "reference"));
    XMTP_TRY(xmtp_codec_optional(call, reaction->reference_inbox, "reference_inbox"));
    XMTP_TRY(xmtp_codec_required(call, reaction->content, "content"));
    bool is_added = reaction->action == XMTP_REACTION_ADDED;
    if (!is_added && reaction->action != XMTP_REACTION_REMOVED) {
        return xmtp_fail(call->error, XMTP_E_CONTENT, "a reaction's action is %d",
                         reaction->action);
    }
    if (reaction->schema < XMTP_REACTION_UNICODE || reaction->schema > XMTP_REACTION_CUSTOM) {
        return xmtp_fail(call->error, XMTP_E_CONTENT, "a reaction's schema is %d",
                         reaction->schema);
    }
    Pb__ReactionV2 message = PB__REACTION_V2__INIT;
    message.reference = xmtp_no_const(reaction->reference);
    message.reference_inbox_id = xmtp_no_const(reaction->reference_inbox);
    message.has_action = 1;
    message.action = (int32_t)reaction->action;
    message.content = xmtp_no_const(reaction->content);
    message.has_schema = 1;
    message.schema = (int32_t)reaction->schema;
    XMTP_TRY(xmtp_codec_encode_proto(call, &message.base, &out->content));
    return xmtp_codec_format(call, &out->fallback,
                             is_added ? "Reacted with \"%s\" to an earlier message"
                                      : "Removed \"%s\" from an earlier message",
                             reaction->content);
}

static xmtp_status decode_reaction(xmtp_codec_call *call, const Pb__EncodedContent *in,
                                   xmtp_content *out)
{
    const void *decoded;
    XMTP_TRY(xmtp_codec_decode_proto(call, &pb__reaction_v2__descriptor,
                                     xmtp_proto_bytes(in->content), &decoded));
    const Pb__ReactionV2 *message = decoded;
    out->reaction = (xmtp_reaction){
        .reference = xmtp_or_empty(message->reference),
        .reference_inbox = message->reference_inbox_id,
        .action = (xmtp_reaction_action)message->action,
        .schema = (xmtp_reaction_schema)message->schema,
        .content = xmtp_or_empty(message->content),
    };
    if (message->action < XMTP_REACTION_ADDED || message->action > XMTP_REACTION_REMOVED ||
        message->schema < XMTP_REACTION_UNICODE || message->schema > XMTP_REACTION_CUSTOM) {
        return xmtp_fail(call->error, XMTP_E_CONTENT, "a reaction of action %d, schema %d",
                         message->action, message->schema);
    }
    return XMTP_OK;
}

/* The form of clients before 2025. */
static xmtp_status decode_reaction_v1(xmtp_codec_call *call, const Pb__EncodedContent *in,
                                      xmtp_content *out)
{
    static const char *const actions[] = {"added", "removed", NULL};
    static const char *const schemas[] = {"unicode", "shortcode", "custom", NULL};
    xmtp_json json;
    int action = 0;
    int schema = 0;
    xmtp_reaction *reaction = &out->reaction;
    XMTP_TRY(xmtp_json_open(&json, call, xmtp_proto_bytes(in->content)));
    xmtp_json_string(&json, json.root, "reference", NULL, true, &reaction->reference);
    xmtp_json_string(&json, json.root, "referenceInboxId", NULL, false, &reaction->reference_inbox);
    xmtp_json_string(&json, json.root, "content", NULL, true, &reaction->content);
    xmtp_json_choice(&json, json.root, "action", actions, true, &action);
    xmtp_json_choice(&json, json.root, "schema", schemas, true, &schema);
    reaction->action = (xmtp_reaction_action)(action + XMTP_REACTION_ADDED);
    reaction->schema = (xmtp_reaction_schema)(schema + XMTP_REACTION_UNICODE);
    return xmtp_json_close(&json);
}

const xmtp_codec xmtp_codec_reaction = {
    XMTP_CONTENT_REACTION, "xmtp.org", "reaction", 2, false, encode_reaction, decode_reaction,
};
const xmtp_codec xmtp_codec_reaction_v1 = {
    XMTP_CONTENT_REACTION, "xmtp.org", "reaction", 1, false, encode_reaction, decode_reaction_v1,
};

/* ---- reply */

/* A long text is not sent twice: it is cut at a character's border. */
static size_t cut_text(const char *text)
{
    size_t n = strnlen(text, FALLBACK_TEXT_MAX + 1);
    if (n > FALLBACK_TEXT_MAX) {
        n = FALLBACK_TEXT_MAX;
        while (n > 0 && ((uint8_t)text[n] & 0xc0) == 0x80) {
            n--;
        }
    }
    return n;
}

static xmtp_status encode_reply(xmtp_codec_call *call, const xmtp_content *in,
                                xmtp_content_body *out)
{
    const xmtp_reply *reply = &in->reply;
    const char *type;
    XMTP_TRY(xmtp_codec_required(call, reply->reference, "reference"));
    XMTP_TRY(xmtp_codec_encode_inner(call, reply->content, &out->content));
    XMTP_TRY(xmtp_codec_type_name(call, reply->content, &type));
    xmtp_body_parameter(out, "contentType", type);
    xmtp_body_parameter(out, "reference", reply->reference);
    if (reply->reference_inbox != NULL) {
        xmtp_body_parameter(out, "referenceInboxId", reply->reference_inbox);
    }
    if (reply->content->type != XMTP_CONTENT_TEXT) {
        out->fallback = "Replied to an earlier message";
        return XMTP_OK;
    }
    const char *text = reply->content->text;
    return xmtp_codec_format(call, &out->fallback, "Replied with \"%.*s\" to an earlier message",
                             (int)cut_text(text), text);
}

static xmtp_status decode_reply(xmtp_codec_call *call, const Pb__EncodedContent *in,
                                xmtp_content *out)
{
    out->reply.reference = xmtp_parameter(in, "reference");
    out->reply.reference_inbox = xmtp_parameter(in, "referenceInboxId");
    XMTP_TRY(xmtp_codec_required(call, out->reply.reference, "reference"));
    return xmtp_codec_decode_inner_bytes(call, xmtp_proto_bytes(in->content), &out->reply.content);
}

const xmtp_codec xmtp_codec_reply = {
    XMTP_CONTENT_REPLY, "xmtp.org", "reply", 1, true, encode_reply, decode_reply,
};

/* ---- read receipt, leave request */

static xmtp_status encode_read_receipt(xmtp_codec_call *call, const xmtp_content *in,
                                       xmtp_content_body *out)
{
    (void)call;
    (void)in;
    (void)out;
    return XMTP_OK;
}

static xmtp_status decode_read_receipt(xmtp_codec_call *call, const Pb__EncodedContent *in,
                                       xmtp_content *out)
{
    (void)call;
    (void)in;
    (void)out;
    return XMTP_OK;
}

const xmtp_codec xmtp_codec_read_receipt = {
    XMTP_CONTENT_READ_RECEIPT, "xmtp.org",          "readReceipt", 1, false,
    encode_read_receipt,       decode_read_receipt,
};

static xmtp_status encode_leave_request(xmtp_codec_call *call, const xmtp_content *in,
                                        xmtp_content_body *out)
{
    Pb__LeaveRequest message = PB__LEAVE_REQUEST__INIT;
    message.has_authenticated_note = in->leave_request.authenticated_note.n > 0;
    message.authenticated_note = xmtp_proto_data(in->leave_request.authenticated_note);
    return xmtp_codec_encode_proto(call, &message.base, &out->content);
}

static xmtp_status decode_leave_request(xmtp_codec_call *call, const Pb__EncodedContent *in,
                                        xmtp_content *out)
{
    const void *decoded;
    XMTP_TRY(xmtp_codec_decode_proto(call, &pb__leave_request__descriptor,
                                     xmtp_proto_bytes(in->content), &decoded));
    const Pb__LeaveRequest *message = decoded;
    out->leave_request.authenticated_note = xmtp_proto_bytes(message->authenticated_note);
    return XMTP_OK;
}

const xmtp_codec xmtp_codec_leave_request = {
    XMTP_CONTENT_LEAVE_REQUEST, "xmtp.org",           "leave_request", 1, false,
    encode_leave_request,       decode_leave_request,
};

/* ---- changes of messages */

static xmtp_status encode_delete(xmtp_codec_call *call, const xmtp_content *in,
                                 xmtp_content_body *out)
{
    XMTP_TRY(xmtp_codec_required(call, in->delete_message.message_id, "message_id"));
    Pb__DeleteMessage message = PB__DELETE_MESSAGE__INIT;
    message.message_id = xmtp_no_const(in->delete_message.message_id);
    return xmtp_codec_encode_proto(call, &message.base, &out->content);
}

static xmtp_status decode_delete(xmtp_codec_call *call, const Pb__EncodedContent *in,
                                 xmtp_content *out)
{
    const void *decoded;
    XMTP_TRY(xmtp_codec_decode_proto(call, &pb__delete_message__descriptor,
                                     xmtp_proto_bytes(in->content), &decoded));
    out->delete_message.message_id =
        xmtp_or_empty(((const Pb__DeleteMessage *)decoded)->message_id);
    return XMTP_OK;
}

const xmtp_codec xmtp_codec_delete_message = {
    XMTP_CONTENT_DELETE_MESSAGE,
    "xmtp.org",
    "deleteMessage",
    1,
    false,
    encode_delete,
    decode_delete,
};

/* Written by field, since the inner content is encoded already. */
static xmtp_status encode_edit(xmtp_codec_call *call, const xmtp_content *in,
                               xmtp_content_body *out)
{
    const xmtp_edit_message *edit = &in->edit_message;
    xmtp_bytes inner;
    xmtp_writer w;
    XMTP_TRY(xmtp_codec_required(call, edit->message_id, "message_id"));
    XMTP_TRY(xmtp_codec_encode_inner(call, edit->content, &inner));
    xmtp_writer_init(&w, call->arena->alloc, XMTP_CONTENT_LEN_MAX);
    xmtp_field_put_bytes(&w, 1, xmtp_bytes_of_string(edit->message_id));
    xmtp_field_put_message(&w, 2, inner);
    return xmtp_writer_to_arena(&w, XMTP_OK, call->arena, &out->content);
}

static xmtp_status decode_edit(xmtp_codec_call *call, const Pb__EncodedContent *in,
                               xmtp_content *out)
{
    const void *decoded;
    XMTP_TRY(xmtp_codec_decode_proto(call, &pb__edit_message__descriptor,
                                     xmtp_proto_bytes(in->content), &decoded));
    const Pb__EditMessage *message = decoded;
    out->edit_message.message_id = xmtp_or_empty(message->message_id);
    if (message->edited_content == NULL) {
        return xmtp_fail(call->error, XMTP_E_CONTENT, "an edit holds no content");
    }
    return xmtp_codec_decode_inner(call, message->edited_content, &out->edit_message.content);
}

const xmtp_codec xmtp_codec_edit_message = {
    XMTP_CONTENT_EDIT_MESSAGE, "xmtp.org", "editMessage", 1, false, encode_edit, decode_edit,
};
