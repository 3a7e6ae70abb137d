/* content_kind.c - the number under which a content is kept, and the message it refers to
 * (groups.md 5.4).
 *
 *     type id --> number           "text" is 1 whoever's text it is: authority and version do not count
 *     reply --> parameter "reference"     reaction, deletion --> field 1, or JSON "reference"
 */
#include "client/content_kind.h"

#include "base/bytes.h"
#include "base/status.h"
#include "proto/message.h"
#include "proto/message_contents.pb-c.h"

enum { DECODED_PER_BYTE = 16, DECODED_MIN = 64 * 1024 };

static const char *const type_ids[XMTP_CONTENT_TYPE_COUNT] = {
    [XMTP_CONTENT_UNKNOWN] = "",
    [XMTP_CONTENT_TEXT] = "text",
    [XMTP_CONTENT_MEMBERSHIP_CHANGE] = "group_membership_change",
    [XMTP_CONTENT_GROUP_UPDATED] = "group_updated",
    [XMTP_CONTENT_REACTION] = "reaction",
    [XMTP_CONTENT_READ_RECEIPT] = "readReceipt",
    [XMTP_CONTENT_REPLY] = "reply",
    [XMTP_CONTENT_ATTACHMENT] = "attachment",
    [XMTP_CONTENT_REMOTE_ATTACHMENT] = "remoteStaticAttachment",
    [XMTP_CONTENT_TRANSACTION_REFERENCE] = "transactionReference",
    [XMTP_CONTENT_WALLET_SEND_CALLS] = "walletSendCalls",
    [XMTP_CONTENT_LEAVE_REQUEST] = "leave_request",
    [XMTP_CONTENT_MARKDOWN] = "markdown",
    [XMTP_CONTENT_ACTIONS] = "actions",
    [XMTP_CONTENT_INTENT] = "intent",
    [XMTP_CONTENT_MULTI_REMOTE_ATTACHMENT] = "multiRemoteStaticAttachment",
    [XMTP_CONTENT_DELETE_MESSAGE] = "deleteMessage",
    [XMTP_CONTENT_EDIT_MESSAGE] = "editMessage",
};

static xmtp_content_type type_of(const Pb__EncodedContent *content)
{
    const char *id = content->type == NULL ? NULL : content->type->type_id;
    for (int i = 1; id != NULL && i < XMTP_CONTENT_TYPE_COUNT; i++) {
        if (strcmp(id, type_ids[i]) == 0) {
            return (xmtp_content_type)i;
        }
    }
    return XMTP_CONTENT_UNKNOWN;
}

static xmtp_bytes reply_reference(const Pb__EncodedContent *content)
{
    xmtp_bytes found = {0};
    for (size_t i = 0; i < content->n_parameters; i++) {
        const Pb__StringEntry *entry = content->parameters[i];
        if (entry->key != NULL && strcmp(entry->key, "reference") == 0) {
            found = xmtp_bytes_of_string(entry->value == NULL ? "" : entry->value);
        }
    }
    return found;
}

/* Value of the first "reference" of a JSON object that holds texts only. Hex digits need no escapes,
 * so a value with one is none. */
static xmtp_bytes json_reference(xmtp_bytes json)
{
    static const char key[] = "\"reference\"";
    const uint8_t *found = json.n == 0 ? NULL : memmem(json.p, json.n, key, sizeof(key) - 1);
    if (found == NULL) {
        return (xmtp_bytes){0};
    }
    const uint8_t *end = json.p + json.n;
    const uint8_t *p = found + sizeof(key) - 1;
    while (p < end && (*p == ' ' || *p == ':' || *p == '\n' || *p == '\t' || *p == '\r')) {
        p++;
    }
    if (p == end || *p != '"') {
        return (xmtp_bytes){0};
    }
    const uint8_t *close = memchr(p + 1, '"', (size_t)(end - p - 1));
    return close == NULL ? (xmtp_bytes){0} : xmtp_bytes_of(p + 1, (size_t)(close - p - 1));
}

/* ReactionV2, DeleteMessage and EditMessage all have the id as field 1, a text. */
static xmtp_bytes first_field(xmtp_arena *scratch, xmtp_bytes body)
{
    void *message;
    if (xmtp_proto_decode(&pb__inbox_ref__descriptor, scratch, body, &message) != XMTP_OK) {
        return (xmtp_bytes){0};
    }
    const char *text = ((const Pb__InboxRef *)message)->inbox_id;
    return text == NULL ? (xmtp_bytes){0} : xmtp_bytes_of_string(text);
}

static xmtp_bytes reference_of(xmtp_arena *scratch, const Pb__EncodedContent *content,
                               xmtp_content_type type)
{
    xmtp_bytes body = xmtp_proto_bytes(content->content);
    switch ((int)type) {
    case XMTP_CONTENT_REPLY:
        return reply_reference(content);
    case XMTP_CONTENT_REACTION:
        return content->type->version_major == 1 ? json_reference(body)
                                                 : first_field(scratch, body);
    case XMTP_CONTENT_DELETE_MESSAGE:
    case XMTP_CONTENT_EDIT_MESSAGE:
        return first_field(scratch, body);
    default:
        return (xmtp_bytes){0};
    }
}

xmtp_status xmtp_content_classify(const xmtp_alloc *alloc, xmtp_bytes content,
                                  xmtp_content_kind *out)
{
    xmtp_arena scratch;
    void *message;
    *out = (xmtp_content_kind){0};
    xmtp_arena_init(&scratch, alloc, DECODED_PER_BYTE * content.n + DECODED_MIN);
    xmtp_status status =
        xmtp_proto_decode(&pb__encoded_content__descriptor, &scratch, content, &message);
    if (status == XMTP_OK) {
        out->type = type_of(message);
        xmtp_bytes hex = reference_of(&scratch, message, out->type);
        out->has_reference = hex.n == 2 * sizeof(out->reference) &&
                             xmtp_hex_decode(out->reference, sizeof(out->reference),
                                             (const char *)hex.p, hex.n) == XMTP_OK;
    }
    xmtp_arena_reset(&scratch);
    return status == XMTP_E_NOMEM ? status : XMTP_OK;
}
