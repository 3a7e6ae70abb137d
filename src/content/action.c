/* action.c - buttons that are offered, and the one that was pressed: JSON bodies (groups.md 5.3). */
#include "content/codec.h"
#include "content/json.h"

#include "base/bytes.h"
#include "base/status.h"
#include "proto/message.h"

static const char *const styles[] = {"primary", "secondary", "danger", NULL};

/* ---- actions */

static xmtp_status check_actions(xmtp_codec_call *call, const xmtp_actions *in)
{
    XMTP_TRY(xmtp_codec_required(call, in->id, "id"));
    XMTP_TRY(xmtp_codec_required(call, in->description, "description"));
    if (in->count < 1 || in->count > XMTP_ACTIONS_MAX) {
        return xmtp_fail(call->error, XMTP_E_CONTENT, "%zu actions, not 1 to %d", in->count,
                         XMTP_ACTIONS_MAX);
    }
    for (size_t i = 0; i < in->count; i++) {
        const xmtp_action *action = &in->actions[i];
        XMTP_TRY(xmtp_codec_required(call, action->id, "an action's id"));
        XMTP_TRY(xmtp_codec_required(call, action->label, "an action's label"));
        XMTP_TRY(xmtp_codec_optional(call, action->image_url, "image_url"));
        if (action->style < XMTP_ACTION_PLAIN || action->style > XMTP_ACTION_DANGER) {
            return xmtp_fail(call->error, XMTP_E_CONTENT, "an action's style is %d", action->style);
        }
        for (size_t k = 0; k < i; k++) {
            if (strcmp(in->actions[k].id, action->id) == 0) {
                return xmtp_fail(call->error, XMTP_E_CONTENT,
                                 "actions %zu and %zu have the same id", k + 1, i + 1);
            }
        }
    }
    return XMTP_OK;
}

static bool put_time(cJSON *object, uint64_t ns)
{
    char text[XMTP_JSON_TIME_LEN];
    if (ns == 0) {
        return true;
    }
    xmtp_json_time_print(ns, text);
    return xmtp_json_put(object, "expiresAt", text);
}

static bool put_action(cJSON *list, const xmtp_action *action)
{
    cJSON *object = cJSON_CreateObject();
    if (!cJSON_AddItemToArray(list, object)) {
        cJSON_Delete(object);
        return false;
    }
    const char *style =
        action->style == XMTP_ACTION_PLAIN ? NULL : styles[action->style - XMTP_ACTION_PRIMARY];
    return xmtp_json_put(object, "id", action->id) &&
           xmtp_json_put(object, "label", action->label) &&
           xmtp_json_put(object, "imageUrl", action->image_url) &&
           xmtp_json_put(object, "style", style) && put_time(object, action->expires_at_ns);
}

static xmtp_status actions_fallback(xmtp_codec_call *call, const xmtp_actions *in, const char **out)
{
    const char *list = "";
    for (size_t i = 0; i < in->count; i++) {
        XMTP_TRY(xmtp_codec_format(call, &list, "%s\n[%zu] %s", list, i + 1, in->actions[i].label));
    }
    return xmtp_codec_format(call, out, "%s\n%s\n\nReply with the number to select",
                             in->description, list);
}

static xmtp_status encode_actions(xmtp_codec_call *call, const xmtp_content *content,
                                  xmtp_content_body *out)
{
    const xmtp_actions *in = &content->actions;
    XMTP_TRY(check_actions(call, in));
    cJSON *root = cJSON_CreateObject();
    bool built =
        xmtp_json_put(root, "id", in->id) && xmtp_json_put(root, "description", in->description);
    cJSON *list = cJSON_AddArrayToObject(root, "actions");
    built = built && list != NULL;
    for (size_t i = 0; built && i < in->count; i++) {
        built = put_action(list, &in->actions[i]);
    }
    built = built && put_time(root, in->expires_at_ns);
    XMTP_TRY(xmtp_json_print(call, root, built, &out->content));
    return actions_fallback(call, in, &out->fallback);
}

static void read_action(xmtp_json *json, const cJSON *object, xmtp_action *out)
{
    int style = -1;
    if (!cJSON_IsObject(object)) {
        xmtp_json_fail(json, "an action", "is not an object");
        return;
    }
    xmtp_json_string(json, object, "id", NULL, true, &out->id);
    xmtp_json_string(json, object, "label", NULL, true, &out->label);
    xmtp_json_string(json, object, "imageUrl", "image_url", false, &out->image_url);
    xmtp_json_choice(json, object, "style", styles, false, &style);
    xmtp_json_time(json, object, "expiresAt", "expires_at", &out->expires_at_ns);
    out->style = style < 0 ? XMTP_ACTION_PLAIN : (xmtp_action_style)(XMTP_ACTION_PRIMARY + style);
}

static void read_actions(xmtp_json *json, xmtp_actions *out)
{
    const cJSON *list = xmtp_json_member(json, json->root, "actions", NULL, true);
    if (list == NULL) {
        return;
    }
    if (!cJSON_IsArray(list)) {
        xmtp_json_fail(json, "actions", "is not a list");
        return;
    }
    void *memory;
    json->status = xmtp_arena_take_array(json->call->arena, (size_t)cJSON_GetArraySize(list),
                                         sizeof(xmtp_action), &memory);
    xmtp_action *actions = memory;
    const cJSON *one;
    cJSON_ArrayForEach(one, list)
    {
        if (json->status != XMTP_OK) {
            return;
        }
        read_action(json, one, &actions[out->count]);
        out->count++;
    }
    out->actions = actions;
}

static xmtp_status decode_actions(xmtp_codec_call *call, const Pb__EncodedContent *in,
                                  xmtp_content *content)
{
    xmtp_actions *out = &content->actions;
    xmtp_json json;
    XMTP_TRY(xmtp_json_open(&json, call, xmtp_proto_bytes(in->content)));
    xmtp_json_string(&json, json.root, "id", NULL, true, &out->id);
    xmtp_json_string(&json, json.root, "description", NULL, true, &out->description);
    xmtp_json_time(&json, json.root, "expiresAt", "expires_at", &out->expires_at_ns);
    read_actions(&json, out);
    return xmtp_json_close(&json);
}

const xmtp_codec xmtp_codec_actions = {
    XMTP_CONTENT_ACTIONS, "coinbase.com", "actions", 1, true, encode_actions, decode_actions,
};

/* ---- intent */

static xmtp_status parse_metadata(xmtp_codec_call *call, const char *text, cJSON **out)
{
    *out = cJSON_Parse(text);
    if (!cJSON_IsObject(*out)) {
        cJSON_Delete(*out);
        return xmtp_fail(call->error, XMTP_E_CONTENT, "metadata is not a JSON object");
    }
    return XMTP_OK;
}

static xmtp_status encode_intent(xmtp_codec_call *call, const xmtp_content *content,
                                 xmtp_content_body *out)
{
    const xmtp_intent *in = &content->intent;
    cJSON *metadata = NULL;
    XMTP_TRY(xmtp_codec_required(call, in->id, "id"));
    XMTP_TRY(xmtp_codec_required(call, in->action_id, "action_id"));
    XMTP_TRY(xmtp_codec_optional(call, in->metadata, "metadata"));
    if (in->metadata != NULL) {
        if (strlen(in->metadata) > XMTP_INTENT_METADATA_MAX) {
            return xmtp_fail(call->error, XMTP_E_LIMIT, "metadata has %zu bytes, at most %d fit",
                             strlen(in->metadata), XMTP_INTENT_METADATA_MAX);
        }
        XMTP_TRY(parse_metadata(call, in->metadata, &metadata));
    }
    cJSON *root = cJSON_CreateObject();
    bool built =
        xmtp_json_put(root, "id", in->id) && xmtp_json_put(root, "actionId", in->action_id);
    if (metadata != NULL && !(built && cJSON_AddItemToObject(root, "metadata", metadata))) {
        cJSON_Delete(metadata);
        built = false;
    }
    XMTP_TRY(xmtp_json_print(call, root, built, &out->content));
    return xmtp_codec_format(call, &out->fallback, "User selected action: %s", in->action_id);
}

static void read_metadata(xmtp_json *json, const char **out)
{
    const cJSON *metadata = xmtp_json_member(json, json->root, "metadata", NULL, false);
    if (metadata == NULL) {
        return;
    }
    if (!cJSON_IsObject(metadata)) {
        xmtp_json_fail(json, "metadata", "is not an object");
        return;
    }
    char *text = cJSON_PrintUnformatted(metadata);
    char *copy = NULL;
    json->status = text == NULL
                       ? XMTP_E_NOMEM
                       : xmtp_arena_string(json->call->arena, xmtp_bytes_of_string(text), &copy);
    *out = copy;
    cJSON_free(text);
}

static xmtp_status decode_intent(xmtp_codec_call *call, const Pb__EncodedContent *in,
                                 xmtp_content *content)
{
    xmtp_intent *out = &content->intent;
    xmtp_json json;
    XMTP_TRY(xmtp_json_open(&json, call, xmtp_proto_bytes(in->content)));
    xmtp_json_string(&json, json.root, "id", NULL, true, &out->id);
    xmtp_json_string(&json, json.root, "actionId", "action_id", true, &out->action_id);
    read_metadata(&json, &out->metadata);
    return xmtp_json_close(&json);
}

const xmtp_codec xmtp_codec_intent = {
    XMTP_CONTENT_INTENT, "coinbase.com", "intent", 1, true, encode_intent, decode_intent,
};
