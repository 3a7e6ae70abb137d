/* json.c - see json.h. */
#include "content/json.h"

#include "base/bytes.h"
#include "base/status.h"
#include "proto/field.h"

/* ---- reading */

xmtp_status xmtp_json_open(xmtp_json *json, xmtp_codec_call *call, xmtp_bytes in)
{
    const char *end = NULL;
    *json = (xmtp_json){.call = call, .status = XMTP_OK};
    if (xmtp_utf8_is_valid(in)) {
        json->root = cJSON_ParseWithLengthOpts((const char *)in.p, in.n, &end, false);
    }
    if (!cJSON_IsObject(json->root)) {
        cJSON_Delete(json->root);
        return xmtp_fail(call->error, XMTP_E_CONTENT, "the body is not a JSON object");
    }
    return XMTP_OK;
}

xmtp_status xmtp_json_close(xmtp_json *json)
{
    cJSON_Delete(json->root);
    json->root = NULL;
    return json->status;
}

void xmtp_json_fail(xmtp_json *json, const char *name, const char *what)
{
    if (json->status == XMTP_OK) {
        json->status = xmtp_fail(json->call->error, XMTP_E_CONTENT, "%s %s", name, what);
    }
}

const cJSON *xmtp_json_member(xmtp_json *json, const cJSON *object, const char *name,
                              const char *other_name, bool is_required)
{
    if (json->status != XMTP_OK) {
        return NULL;
    }
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);
    if (member == NULL && other_name != NULL) {
        member = cJSON_GetObjectItemCaseSensitive(object, other_name);
    }
    if (cJSON_IsNull(member)) {
        member = NULL;
    }
    if (member == NULL && is_required) {
        xmtp_json_fail(json, name, "is missing");
    }
    return member;
}

static void keep_string(xmtp_json *json, const char *text, const char **out)
{
    char *copy = NULL;
    json->status = xmtp_arena_string(json->call->arena, xmtp_bytes_of_string(text), &copy);
    *out = copy;
}

void xmtp_json_string(xmtp_json *json, const cJSON *object, const char *name,
                      const char *other_name, bool is_required, const char **out)
{
    const cJSON *member = xmtp_json_member(json, object, name, other_name, is_required);
    *out = NULL;
    if (member == NULL) {
        return;
    }
    if (!cJSON_IsString(member)) {
        xmtp_json_fail(json, name, "is not a string");
        return;
    }
    keep_string(json, member->valuestring, out);
}

void xmtp_json_choice(xmtp_json *json, const cJSON *object, const char *name,
                      const char *const *choices, bool is_required, int *out)
{
    const cJSON *member = xmtp_json_member(json, object, name, NULL, is_required);
    if (member == NULL) {
        return;
    }
    for (int i = 0; cJSON_IsString(member) && choices[i] != NULL; i++) {
        if (strcmp(choices[i], member->valuestring) == 0) {
            *out = i;
            return;
        }
    }
    xmtp_json_fail(json, name, "is none of the words that it may be");
}

void xmtp_json_time(xmtp_json *json, const cJSON *object, const char *name, const char *other_name,
                    uint64_t *out)
{
    const cJSON *member = xmtp_json_member(json, object, name, other_name, false);
    *out = 0;
    if (member == NULL) {
        return;
    }
    if (!cJSON_IsString(member) || !xmtp_json_time_parse(member->valuestring, out)) {
        xmtp_json_fail(json, name, "is not a time of RFC 3339");
    }
}

static bool is_in(const char *name, const char *const *list)
{
    for (size_t i = 0; list[i] != NULL; i++) {
        if (strcmp(list[i], name) == 0) {
            return true;
        }
    }
    return false;
}

void xmtp_json_pairs(xmtp_json *json, const cJSON *object, const char *const *but,
                     const xmtp_pair **out, size_t *count)
{
    *out = NULL;
    *count = 0;
    if (json->status != XMTP_OK || object == NULL) {
        return;
    }
    if (!cJSON_IsObject(object)) {
        xmtp_json_fail(json, object->string == NULL ? "a map" : object->string, "is not an object");
        return;
    }
    void *memory;
    json->status = xmtp_arena_take_array(json->call->arena, (size_t)cJSON_GetArraySize(object),
                                         sizeof(xmtp_pair), &memory);
    xmtp_pair *pairs = memory;
    const cJSON *member;
    cJSON_ArrayForEach(member, object)
    {
        if (json->status != XMTP_OK) {
            return;
        }
        if (is_in(member->string, but)) {
            continue;
        }
        if (!cJSON_IsString(member)) {
            xmtp_json_fail(json, "a value of a map", "is not a string");
            return;
        }
        keep_string(json, member->string, &pairs[*count].key);
        if (json->status == XMTP_OK) {
            keep_string(json, member->valuestring, &pairs[*count].value);
        }
        (*count)++;
    }
    *out = pairs;
}

/* ---- writing */

bool xmtp_json_put(cJSON *object, const char *name, const char *value)
{
    return value == NULL || cJSON_AddStringToObject(object, name, value) != NULL;
}

xmtp_status xmtp_json_print(xmtp_codec_call *call, cJSON *root, bool built, xmtp_bytes *out)
{
    char *text = built ? cJSON_PrintUnformatted(root) : NULL;
    cJSON_Delete(root);
    XMTP_ENSURE(text != NULL, XMTP_E_NOMEM);
    xmtp_status status = xmtp_arena_copy(call->arena, xmtp_bytes_of_string(text), out);
    xmtp_wipe(text, strlen(text));
    cJSON_free(text);
    return status;
}
