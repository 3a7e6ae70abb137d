/* content.c - see content.h. */
#include "cli/content.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

bool cli_content_takes_text(const char *kind)
{
    return !is(kind, "read-receipt") && !is(kind, "delete");
}

/* ---- making */

static xmtp_status read_file(const char *path, uint8_t **out, size_t *n, xmtp_error *error)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return xmtp_fail(error, XMTP_E_IO, "%.150s: %s", path, strerror(errno));
    }
    *out = malloc(XMTP_CONTENT_LEN_MAX);
    *n = *out == NULL ? 0 : fread(*out, 1, XMTP_CONTENT_LEN_MAX, file);
    bool is_whole = *out != NULL && !ferror(file) && *n < XMTP_CONTENT_LEN_MAX;
    (void)fclose(file);
    return is_whole
               ? XMTP_OK
               : xmtp_fail(error, XMTP_E_LIMIT, "%.150s cannot be read, or has %d bytes or more",
                           path, XMTP_CONTENT_LEN_MAX);
}

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

static xmtp_status make_attachment(cli_content *out, const char *path, const char *mime,
                                   xmtp_error *error)
{
    size_t n = 0;
    XMTP_TRY(read_file(path, &out->file, &n, error));
    out->content =
        (xmtp_content){.type = XMTP_CONTENT_ATTACHMENT,
                       .attachment = {.filename = file_name(path),
                                      .mime_type = mime == NULL ? "application/octet-stream" : mime,
                                      .content = {.p = out->file, .n = n}}};
    return XMTP_OK;
}

static bool make_simple(cli_content *out, const char *kind, const char *text)
{
    if (is(kind, "text") || is(kind, "markdown")) {
        out->content = (xmtp_content){
            .type = is(kind, "text") ? XMTP_CONTENT_TEXT : XMTP_CONTENT_MARKDOWN, .text = text};
    } else if (is(kind, "read-receipt")) {
        out->content = (xmtp_content){.type = XMTP_CONTENT_READ_RECEIPT};
    } else {
        return false;
    }
    return true;
}

static bool make_about(cli_content *out, const char *kind, const char *text, const char *message)
{
    if (is(kind, "reply")) {
        out->inner = (xmtp_content){.type = XMTP_CONTENT_TEXT, .text = text};
        out->content = (xmtp_content){.type = XMTP_CONTENT_REPLY,
                                      .reply = {.reference = message, .content = &out->inner}};
    } else if (is(kind, "reaction") || is(kind, "reaction-removed")) {
        out->content =
            (xmtp_content){.type = XMTP_CONTENT_REACTION,
                           .reaction = {.reference = message,
                                        .action = is(kind, "reaction") ? XMTP_REACTION_ADDED
                                                                       : XMTP_REACTION_REMOVED,
                                        .schema = XMTP_REACTION_UNICODE,
                                        .content = text}};
    } else if (is(kind, "edit")) {
        out->content = (xmtp_content){.type = XMTP_CONTENT_TEXT, .text = text};
    } else if (is(kind, "delete")) {
        out->content = (xmtp_content){.type = XMTP_CONTENT_DELETE_MESSAGE,
                                      .delete_message = {.message_id = message}};
    } else {
        return false;
    }
    return true;
}

/* Types whose body is JSON: read by their own decoder, so that what is wrong is told before sending. */
static const struct json_kind {
    const char *kind;
    const char *authority;
    const char *type;
} json_kinds[] = {
    {"transaction-reference", "xmtp.org", "transactionReference"},
    {"wallet-send-calls", "xmtp.org", "walletSendCalls"},
    {"actions", "coinbase.com", "actions"},
    {"intent", "coinbase.com", "intent"},
};

static const struct json_kind *json_kind_of(const char *kind)
{
    for (size_t i = 0; i < sizeof json_kinds / sizeof json_kinds[0]; i++) {
        if (is(kind, json_kinds[i].kind)) {
            return &json_kinds[i];
        }
    }
    return NULL;
}

static xmtp_status make_json(cli_content *out, const struct json_kind *kind, const char *json,
                             xmtp_error *error)
{
    uint8_t *encoded;
    size_t n;
    const xmtp_content custom = {
        .type = XMTP_CONTENT_UNKNOWN,
        .custom = {.authority = kind->authority,
                   .type = kind->type,
                   .version_major = 1,
                   .content = {.p = (const uint8_t *)json, .n = strlen(json)}}};
    XMTP_TRY(xmtp_content_encode(&custom, NULL, &encoded, &n, error));
    xmtp_status status = xmtp_content_decode((xmtp_bytes){encoded, n}, NULL, &out->parsed, error);
    xmtp_content_bytes_free(NULL, encoded, n);
    if (status == XMTP_OK) {
        out->content = *out->parsed;
    }
    return status;
}

xmtp_status cli_content_make(cli_content *out, const char *kind, const char *text,
                             const char *message, const char *mime, xmtp_error *error)
{
    *out = (cli_content){.file = NULL};
    if (is(kind, "attachment") || is(kind, "remote-attachment")) {
        return make_attachment(out, text, mime, error);
    }
    if (json_kind_of(kind) != NULL) {
        return make_json(out, json_kind_of(kind), text, error);
    }
    if (make_simple(out, kind, text)) {
        return XMTP_OK;
    }
    if (!make_about(out, kind, text, message)) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "there is no type '%.40s'", kind);
    }
    if (message == NULL || strlen(message) != (size_t)2 * XMTP_MESSAGE_ID_LEN ||
        strspn(message, "0123456789abcdef") != strlen(message)) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "--to takes the id of a message, 64 hex digits");
    }
    return XMTP_OK;
}

void cli_content_free(cli_content *content)
{
    free(content->file);
    content->file = NULL;
    xmtp_content_free(content->parsed);
    content->parsed = NULL;
}

/* ---- showing */

static void add_remote(cJSON *object, const xmtp_remote_attachment *remote)
{
    cJSON_AddStringToObject(object, "url", remote->url);
    cJSON_AddStringToObject(object, "digest", remote->content_digest);
    cli_add_u64(object, "bytes", remote->content_length);
    if (remote->filename != NULL) {
        cJSON_AddStringToObject(object, "filename", remote->filename);
    }
}

static void add_strings(cJSON *object, const char *name, const xmtp_strings *strings)
{
    if (strings->count > 0) {
        cJSON *list = cJSON_AddArrayToObject(object, name);
        for (size_t i = 0; i < strings->count; i++) {
            cJSON_AddItemToArray(list, cJSON_CreateString(strings->p[i]));
        }
    }
}

static void add_update(cJSON *object, const xmtp_group_updated *update)
{
    cJSON_AddStringToObject(object, "by", update->initiated_by);
    add_strings(object, "added", &update->added);
    add_strings(object, "removed", &update->removed);
    add_strings(object, "left", &update->left);
    add_strings(object, "admins_added", &update->admins_added);
    add_strings(object, "admins_removed", &update->admins_removed);
    for (size_t i = 0; i < update->change_count; i++) {
        const char *value = update->changes[i].new_value;
        cJSON_AddStringToObject(object, update->changes[i].field, value == NULL ? "" : value);
    }
}

static void add_actions(cJSON *object, const xmtp_actions *actions)
{
    cJSON_AddStringToObject(object, "id", actions->id);
    cJSON_AddStringToObject(object, "description", actions->description);
    cJSON *list = cJSON_AddArrayToObject(object, "actions");
    for (size_t i = 0; i < actions->count; i++) {
        cJSON *one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "id", actions->actions[i].id);
        cJSON_AddStringToObject(one, "label", actions->actions[i].label);
        cJSON_AddItemToArray(list, one);
    }
}

static void add_content(cJSON *object, const xmtp_content *c)
{
    switch ((int)c->type) {
    case XMTP_CONTENT_REACTION:
        cJSON_AddStringToObject(object, "reference", c->reaction.reference);
        cJSON_AddStringToObject(object, "action",
                                c->reaction.action == XMTP_REACTION_ADDED ? "added" : "removed");
        cJSON_AddStringToObject(object, "emoji", c->reaction.content);
        break;
    case XMTP_CONTENT_ATTACHMENT:
        cJSON_AddStringToObject(object, "mime", c->attachment.mime_type);
        cli_add_u64(object, "bytes", c->attachment.content.n);
        if (c->attachment.filename != NULL) {
            cJSON_AddStringToObject(object, "filename", c->attachment.filename);
        }
        break;
    case XMTP_CONTENT_REMOTE_ATTACHMENT:
        add_remote(object, &c->remote_attachment);
        break;
    case XMTP_CONTENT_TRANSACTION_REFERENCE:
        cJSON_AddStringToObject(object, "network", c->transaction_reference.network_id);
        cJSON_AddStringToObject(object, "reference", c->transaction_reference.reference);
        break;
    case XMTP_CONTENT_WALLET_SEND_CALLS:
        cJSON_AddStringToObject(object, "chain", c->wallet_send_calls.chain_id);
        cli_add_u64(object, "calls", c->wallet_send_calls.call_count);
        break;
    case XMTP_CONTENT_ACTIONS:
        add_actions(object, &c->actions);
        break;
    case XMTP_CONTENT_INTENT:
        cJSON_AddStringToObject(object, "id", c->intent.id);
        cJSON_AddStringToObject(object, "action", c->intent.action_id);
        break;
    case XMTP_CONTENT_DELETE_MESSAGE:
        cJSON_AddStringToObject(object, "message", c->delete_message.message_id);
        break;
    case XMTP_CONTENT_GROUP_UPDATED:
        add_update(object, &c->group_updated);
        break;
    default:
        break;
    }
}

void cli_content_json(cJSON *object, const xmtp_message *message)
{
    xmtp_content *content;
    if (message->text != NULL ||
        xmtp_content_decode(message->content, NULL, &content, NULL) != XMTP_OK) {
        return;
    }
    cJSON *shown = cJSON_CreateObject();
    add_content(shown, content);
    if (shown != NULL && shown->child != NULL) {
        cJSON_AddItemToObject(object, "content", shown);
    } else {
        cJSON_Delete(shown);
    }
    xmtp_content_free(content);
}
