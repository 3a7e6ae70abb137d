/* transaction.c - transactions that happened, and transactions that are asked for: JSON bodies (groups.md 5.3). */
#include "content/codec.h"
#include "content/json.h"

#include "base/bytes.h"
#include "base/status.h"
#include "proto/message.h"

#include <math.h>

/* ---- transaction reference */

static xmtp_status check_reference(xmtp_codec_call *call, const xmtp_transaction_reference *in)
{
    XMTP_TRY(xmtp_codec_optional(call, in->name_space, "name_space"));
    XMTP_TRY(xmtp_codec_required(call, in->network_id, "network_id"));
    XMTP_TRY(xmtp_codec_required(call, in->reference, "reference"));
    if (in->has_metadata) {
        const xmtp_transaction_metadata *m = &in->metadata;
        XMTP_TRY(xmtp_codec_required(call, m->transaction_type, "transaction_type"));
        XMTP_TRY(xmtp_codec_required(call, m->currency, "currency"));
        XMTP_TRY(xmtp_codec_required(call, m->from_address, "from_address"));
        XMTP_TRY(xmtp_codec_required(call, m->to_address, "to_address"));
        if (!isfinite(m->amount)) {
            return xmtp_fail(call->error, XMTP_E_CONTENT, "amount is not a number");
        }
    }
    return XMTP_OK;
}

static xmtp_status encode_reference(xmtp_codec_call *call, const xmtp_content *content,
                                    xmtp_content_body *out)
{
    const xmtp_transaction_reference *in = &content->transaction_reference;
    XMTP_TRY(check_reference(call, in));
    cJSON *root = cJSON_CreateObject();
    bool built = xmtp_json_put(root, "namespace", in->name_space) &&
                 xmtp_json_put(root, "networkId", in->network_id) &&
                 xmtp_json_put(root, "reference", in->reference);
    if (built && in->has_metadata) {
        const xmtp_transaction_metadata *m = &in->metadata;
        cJSON *metadata = cJSON_AddObjectToObject(root, "metadata");
        built = xmtp_json_put(metadata, "transactionType", m->transaction_type) &&
                xmtp_json_put(metadata, "currency", m->currency) &&
                cJSON_AddNumberToObject(metadata, "amount", m->amount) != NULL &&
                cJSON_AddNumberToObject(metadata, "decimals", m->decimals) != NULL &&
                xmtp_json_put(metadata, "fromAddress", m->from_address) &&
                xmtp_json_put(metadata, "toAddress", m->to_address);
    }
    XMTP_TRY(xmtp_json_print(call, root, built, &out->content));
    if (in->reference[0] == 0) {
        out->fallback = "Crypto transaction";
        return XMTP_OK;
    }
    return xmtp_codec_format(call, &out->fallback,
                             "[Crypto transaction] Use a blockchain explorer to learn more using "
                             "the transaction hash: %s",
                             in->reference);
}

static double number(xmtp_json *json, const cJSON *object, const char *name, double max)
{
    const cJSON *member = xmtp_json_member(json, object, name, NULL, true);
    if (member == NULL) {
        return 0;
    }
    if (!cJSON_IsNumber(member) || !isfinite(member->valuedouble) || member->valuedouble > max ||
        (max < INFINITY &&
         (member->valuedouble < 0 || member->valuedouble != floor(member->valuedouble)))) {
        xmtp_json_fail(json, name, "is not a number that fits");
        return 0;
    }
    return member->valuedouble;
}

static void read_metadata(xmtp_json *json, xmtp_transaction_reference *out)
{
    const cJSON *object = xmtp_json_member(json, json->root, "metadata", NULL, false);
    xmtp_transaction_metadata *m = &out->metadata;
    if (object == NULL) {
        return;
    }
    out->has_metadata = true;
    xmtp_json_string(json, object, "transactionType", NULL, true, &m->transaction_type);
    xmtp_json_string(json, object, "currency", NULL, true, &m->currency);
    m->amount = number(json, object, "amount", INFINITY);
    m->decimals = (uint32_t)number(json, object, "decimals", UINT32_MAX);
    xmtp_json_string(json, object, "fromAddress", NULL, true, &m->from_address);
    xmtp_json_string(json, object, "toAddress", NULL, true, &m->to_address);
}

/* Some senders write the network's id as a number. */
static void read_network(xmtp_json *json, const char **out)
{
    const cJSON *member = xmtp_json_member(json, json->root, "networkId", NULL, true);
    *out = NULL;
    if (cJSON_IsNumber(member)) {
        json->status = xmtp_codec_format(json->call, out, "%.0f", member->valuedouble);
    } else {
        xmtp_json_string(json, json->root, "networkId", NULL, true, out);
    }
}

static xmtp_status decode_reference(xmtp_codec_call *call, const Pb__EncodedContent *in,
                                    xmtp_content *content)
{
    xmtp_transaction_reference *out = &content->transaction_reference;
    xmtp_json json;
    XMTP_TRY(xmtp_json_open(&json, call, xmtp_proto_bytes(in->content)));
    xmtp_json_string(&json, json.root, "namespace", NULL, false, &out->name_space);
    read_network(&json, &out->network_id);
    xmtp_json_string(&json, json.root, "reference", NULL, true, &out->reference);
    read_metadata(&json, out);
    return xmtp_json_close(&json);
}

const xmtp_codec xmtp_codec_transaction_reference = {
    XMTP_CONTENT_TRANSACTION_REFERENCE,
    "xmtp.org",
    "transactionReference",
    1,
    true,
    encode_reference,
    decode_reference,
};

/* ---- wallet send calls */

static xmtp_status check_pairs(xmtp_codec_call *call, const xmtp_pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        XMTP_TRY(xmtp_codec_required(call, pairs[i].key, "a key"));
        XMTP_TRY(xmtp_codec_required(call, pairs[i].value, pairs[i].key));
    }
    return XMTP_OK;
}

static xmtp_status check_calls(xmtp_codec_call *call, const xmtp_wallet_send_calls *in)
{
    XMTP_TRY(xmtp_codec_required(call, in->version, "version"));
    XMTP_TRY(xmtp_codec_required(call, in->chain_id, "chain_id"));
    XMTP_TRY(xmtp_codec_required(call, in->from, "from"));
    XMTP_TRY(check_pairs(call, in->capabilities, in->capability_count));
    for (size_t i = 0; i < in->call_count; i++) {
        const xmtp_wallet_call *one = &in->calls[i];
        XMTP_TRY(xmtp_codec_optional(call, one->to, "to"));
        XMTP_TRY(xmtp_codec_optional(call, one->data, "data"));
        XMTP_TRY(xmtp_codec_optional(call, one->value, "value"));
        XMTP_TRY(xmtp_codec_optional(call, one->gas, "gas"));
        if (one->has_metadata) {
            XMTP_TRY(xmtp_codec_required(call, one->description, "description"));
            XMTP_TRY(xmtp_codec_required(call, one->transaction_type, "transaction_type"));
            XMTP_TRY(check_pairs(call, one->extra, one->extra_count));
        }
    }
    return XMTP_OK;
}

static bool put_pairs(cJSON *object, const xmtp_pair *pairs, size_t count)
{
    bool built = true;
    for (size_t i = 0; built && i < count; i++) {
        built = xmtp_json_put(object, pairs[i].key, pairs[i].value);
    }
    return built;
}

static bool put_call(cJSON *list, const xmtp_wallet_call *one)
{
    cJSON *object = cJSON_CreateObject();
    if (!cJSON_AddItemToArray(list, object)) {
        cJSON_Delete(object);
        return false;
    }
    bool built = xmtp_json_put(object, "to", one->to) && xmtp_json_put(object, "data", one->data) &&
                 xmtp_json_put(object, "value", one->value) &&
                 xmtp_json_put(object, "gas", one->gas);
    if (built && one->has_metadata) {
        cJSON *metadata = cJSON_AddObjectToObject(object, "metadata");
        built = xmtp_json_put(metadata, "description", one->description) &&
                xmtp_json_put(metadata, "transactionType", one->transaction_type) &&
                put_pairs(metadata, one->extra, one->extra_count);
    }
    return built;
}

static xmtp_status encode_calls(xmtp_codec_call *call, const xmtp_content *content,
                                xmtp_content_body *out)
{
    const xmtp_wallet_send_calls *in = &content->wallet_send_calls;
    XMTP_TRY(check_calls(call, in));
    cJSON *root = cJSON_CreateObject();
    bool built = xmtp_json_put(root, "version", in->version) &&
                 xmtp_json_put(root, "chainId", in->chain_id) &&
                 xmtp_json_put(root, "from", in->from);
    cJSON *list = cJSON_AddArrayToObject(root, "calls");
    built = built && list != NULL;
    for (size_t i = 0; built && i < in->call_count; i++) {
        built = put_call(list, &in->calls[i]);
    }
    if (built && in->capability_count > 0) {
        cJSON *capabilities = cJSON_AddObjectToObject(root, "capabilities");
        built = put_pairs(capabilities, in->capabilities, in->capability_count);
    }
    XMTP_TRY(xmtp_json_print(call, root, built, &out->content));
    return xmtp_codec_format(call, &out->fallback, "[Transaction request generated]: %.*s",
                             (int)out->content.n, (const char *)out->content.p);
}

static void read_call(xmtp_json *json, const cJSON *object, xmtp_wallet_call *out)
{
    static const char *const own[] = {"description", "transactionType", NULL};
    if (!cJSON_IsObject(object)) {
        xmtp_json_fail(json, "a call", "is not an object");
        return;
    }
    xmtp_json_string(json, object, "to", NULL, false, &out->to);
    xmtp_json_string(json, object, "data", NULL, false, &out->data);
    xmtp_json_string(json, object, "value", NULL, false, &out->value);
    xmtp_json_string(json, object, "gas", NULL, false, &out->gas);
    const cJSON *metadata = xmtp_json_member(json, object, "metadata", NULL, false);
    if (metadata != NULL) {
        out->has_metadata = true;
        xmtp_json_string(json, metadata, "description", NULL, true, &out->description);
        xmtp_json_string(json, metadata, "transactionType", NULL, true, &out->transaction_type);
        xmtp_json_pairs(json, metadata, own, &out->extra, &out->extra_count);
    }
}

static void read_calls(xmtp_json *json, xmtp_wallet_send_calls *out)
{
    const cJSON *list = xmtp_json_member(json, json->root, "calls", NULL, true);
    if (list == NULL) {
        return;
    }
    if (!cJSON_IsArray(list)) {
        xmtp_json_fail(json, "calls", "is not a list");
        return;
    }
    void *memory;
    json->status = xmtp_arena_take_array(json->call->arena, (size_t)cJSON_GetArraySize(list),
                                         sizeof(xmtp_wallet_call), &memory);
    xmtp_wallet_call *calls = memory;
    const cJSON *one;
    cJSON_ArrayForEach(one, list)
    {
        if (json->status != XMTP_OK) {
            return;
        }
        read_call(json, one, &calls[out->call_count]);
        out->call_count++;
    }
    out->calls = calls;
}

static xmtp_status decode_calls(xmtp_codec_call *call, const Pb__EncodedContent *in,
                                xmtp_content *content)
{
    static const char *const nothing[] = {NULL};
    xmtp_wallet_send_calls *out = &content->wallet_send_calls;
    xmtp_json json;
    XMTP_TRY(xmtp_json_open(&json, call, xmtp_proto_bytes(in->content)));
    xmtp_json_string(&json, json.root, "version", NULL, true, &out->version);
    xmtp_json_string(&json, json.root, "chainId", NULL, true, &out->chain_id);
    xmtp_json_string(&json, json.root, "from", NULL, true, &out->from);
    read_calls(&json, out);
    const cJSON *capabilities = xmtp_json_member(&json, json.root, "capabilities", NULL, false);
    xmtp_json_pairs(&json, capabilities, nothing, &out->capabilities, &out->capability_count);
    return xmtp_json_close(&json);
}

const xmtp_codec xmtp_codec_wallet_send_calls = {
    XMTP_CONTENT_WALLET_SEND_CALLS,
    "xmtp.org",
    "walletSendCalls",
    1,
    true,
    encode_calls,
    decode_calls,
};
