/* service_mls.c - group messages: sending, pages, the newest of many groups
 * (node.md 2.5, 2.6, 2.10).
 *
 * The node looks at a message only as far as anybody can: that it is a whole MLS message of a
 * group, which group, and whether it is a commit or proposal. It cannot know members or epochs, and
 * must store messages that lose a race: their senders learn from reading them back.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "crypto/crypto.h"
#include "node/validate.h"
#include "node/wire.h"
#include "proto/field.h"
#include "proto/message.h"
#include "proto/mls_api.pb-c.h"

/* Fields of GroupMessage.V1. */
enum {
    FIELD_GROUP_ID = 3,
    FIELD_DATA = 4,
    FIELD_SENDER_HMAC = 5,
    FIELD_SHOULD_PUSH = 6,
    FIELD_IS_COMMIT = 7,
};

/* SHA-256(topic || content): what makes a retried message the same message. */
static xmtp_status content_hash(xmtp_node_call *call, xmtp_bytes topic, xmtp_bytes content,
                                xmtp_bytes *out)
{
    void *p;
    xmtp_hash_context hash;
    XMTP_TRY(xmtp_arena_take(&call->arena, XMTP_NODE_HASH_LEN, &p));
    xmtp_hash_sha256.init(&hash);
    xmtp_hash_sha256.update(&hash, topic.p, topic.n);
    xmtp_hash_sha256.update(&hash, content.p, content.n);
    xmtp_hash_sha256.final(&hash, p);
    *out = xmtp_bytes_of(p, XMTP_NODE_HASH_LEN);
    return XMTP_OK;
}

static xmtp_status inspect(xmtp_node_call *call, const Pb__GroupMessageInput *input,
                           xmtp_mls_message_info *info, bool *is_commit)
{
    if (input->version_case != PB__GROUP_MESSAGE_INPUT__VERSION_V1) {
        return xmtp_fail(&call->error, XMTP_E_ARGUMENT, "missing message v1");
    }
    xmtp_bytes data = xmtp_proto_bytes(input->v1->data);
    if (data.n > call->services->limits.group_message_len) {
        return xmtp_fail(&call->error, XMTP_E_ARGUMENT, "message of %zu bytes is too long", data.n);
    }
    XMTP_TRY(xmtp_node_validate_message(data, info, is_commit, &call->error));
    XMTP_TRY(xmtp_node_call_topic(call, info->group_id, "group id"));
    return xmtp_node_call_count(call, input->v1->sender_hmac.len, 0, XMTP_NODE_HMAC_LEN_MAX,
                                "bytes of sender_hmac");
}

static xmtp_status make_entry(xmtp_node_call *call, const Pb__GroupMessageInput *input,
                              xmtp_node_entry *entry)
{
    xmtp_mls_message_info info;
    bool is_commit;
    XMTP_TRY(inspect(call, input, &info, &is_commit));
    xmtp_bytes data = xmtp_proto_bytes(input->v1->data);
    entry->kind = XMTP_NODE_GROUP_MESSAGE;
    entry->flags = is_commit ? XMTP_NODE_IS_COMMIT : 0;
    entry->topic = info.group_id;
    XMTP_TRY(content_hash(call, entry->topic, data, &entry->extra));
    xmtp_field_put_message(&call->scratch, FIELD_GROUP_ID, entry->topic);
    xmtp_field_put_message(&call->scratch, FIELD_DATA, data);
    if (input->v1->sender_hmac.len > 0) {
        xmtp_field_put_message(&call->scratch, FIELD_SENDER_HMAC,
                               xmtp_proto_bytes(input->v1->sender_hmac));
    }
    xmtp_field_put_u64(&call->scratch, FIELD_SHOULD_PUSH, input->v1->should_push ? 1 : 0);
    xmtp_field_put_u64(&call->scratch, FIELD_IS_COMMIT, is_commit ? 1 : 0);
    return xmtp_node_call_body(call, entry);
}

static xmtp_status make_query(xmtp_node_call *call, const Pb__QueryGroupMessagesRequest *request,
                              xmtp_node_query *out)
{
    *out = (xmtp_node_query){.kind = XMTP_NODE_GROUP_MESSAGE,
                             .topic = xmtp_proto_bytes(request->group_id)};
    XMTP_TRY(xmtp_node_call_topic(call, out->topic, "group id"));
    xmtp_node_query_paging(out, request->paging_info);
    return XMTP_OK;
}

static xmtp_status send_group_messages(xmtp_node_call *call, xmtp_bytes bytes)
{
    void *p;
    if (bytes.n > XMTP_NODE_REQUEST_LEN_QUICK) {
        XMTP_TRY(xmtp_node_call_block(call));
    }
    XMTP_TRY(xmtp_node_call_decode(call, &pb__send_group_messages_request__descriptor, bytes, &p));
    const Pb__SendGroupMessagesRequest *request = p;
    XMTP_TRY(xmtp_node_call_count(call, request->n_messages, 1, call->services->limits.messages,
                                  "messages"));
    XMTP_TRY(xmtp_node_call_entries(call, request->n_messages));
    for (size_t i = 0; i < request->n_messages; i++) {
        XMTP_TRY(make_entry(call, request->messages[i], &call->job.batch.entries[i]));
    }
    if (request->read_back != NULL) {
        call->has_read_back = true;
        XMTP_TRY(make_query(call, request->read_back, &call->read_back));
    }
    return xmtp_node_call_store(call);
}

static xmtp_status query_group_messages(xmtp_node_call *call, xmtp_bytes bytes)
{
    void *p;
    XMTP_TRY(xmtp_node_call_decode(call, &pb__query_group_messages_request__descriptor, bytes, &p));
    xmtp_node_query query;
    XMTP_TRY(make_query(call, p, &query));
    return xmtp_node_query_run(call, &query, 1, 2, &call->reply);
}

/* ---- newest messages */

/* Without content nothing is read: the table knows id, time and kind. */
static void newest_without_content(xmtp_node_call *call, xmtp_bytes group_id,
                                   const xmtp_node_place *place)
{
    xmtp_writer_clear(&call->scratch);
    xmtp_field_put_message(&call->scratch, FIELD_GROUP_ID, group_id);
    bool is_commit = (place->flags & XMTP_NODE_IS_COMMIT) != 0;
    xmtp_field_put_u64(&call->scratch, FIELD_IS_COMMIT, is_commit ? 1 : 0);
    xmtp_writer message;
    xmtp_writer response;
    xmtp_writer_init(&message, call->scratch.alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&response, call->scratch.alloc, XMTP_WRITER_MAX);
    xmtp_node_wire_payload(&message, XMTP_NODE_GROUP_MESSAGE, place->flags, place->id,
                           place->time_ns, xmtp_writer_bytes(&call->scratch));
    xmtp_field_put_message(&response, 1, xmtp_writer_bytes(&message));
    xmtp_field_put_message(&call->reply, 1, xmtp_writer_bytes(&response));
    if (xmtp_writer_status(&message) != XMTP_OK || xmtp_writer_status(&response) != XMTP_OK) {
        call->reply.status = XMTP_E_NOMEM;
    }
    xmtp_writer_free(&message);
    xmtp_writer_free(&response);
}

static xmtp_status newest_with_content(xmtp_node_call *call, const xmtp_node_place *place)
{
    xmtp_arena arena;
    xmtp_node_record record;
    if (call->reply.n + place->len > call->services->limits.reply_len && call->reply.n > 0) {
        return xmtp_fail(&call->error, XMTP_E_LIMIT,
                         "the answer is too long: ask for fewer groups");
    }
    xmtp_arena_init(&arena, call->scratch.alloc, XMTP_NODE_RECORD_LEN_MAX + 64);
    xmtp_status status =
        xmtp_node_archive_read(call->services->archive, place, &arena, &record, &call->error);
    if (status == XMTP_OK) {
        xmtp_writer_clear(&call->scratch);
        xmtp_field_put_message(&call->scratch, 1, record.payload);
        xmtp_field_put_message(&call->reply, 1, xmtp_writer_bytes(&call->scratch));
    }
    xmtp_arena_reset(&arena);
    return status;
}

static xmtp_status get_newest_group_message(xmtp_node_call *call, xmtp_bytes bytes)
{
    void *p;
    XMTP_TRY(
        xmtp_node_call_decode(call, &pb__get_newest_group_message_request__descriptor, bytes, &p));
    const Pb__GetNewestGroupMessageRequest *request = p;
    if (request->include_content) {
        XMTP_TRY(xmtp_node_call_block(call));
    }
    XMTP_TRY(xmtp_node_call_count(call, request->n_group_ids, 1, call->services->limits.groups,
                                  "group ids"));
    for (size_t i = 0; i < request->n_group_ids; i++) {
        xmtp_bytes group_id = xmtp_proto_bytes(request->group_ids[i]);
        xmtp_node_place place;
        XMTP_TRY(xmtp_node_call_topic(call, group_id, "group id"));
        if (xmtp_node_archive_newest(call->services->archive, XMTP_NODE_GROUP_MESSAGE, group_id,
                                     &place) == 0) {
            xmtp_field_put_message(&call->reply, 1, (xmtp_bytes){0});
        } else if (request->include_content) {
            XMTP_TRY(newest_with_content(call, &place));
        } else {
            newest_without_content(call, group_id, &place);
        }
    }
    return XMTP_OK;
}

const xmtp_node_method_entry xmtp_node_mls_methods[] = {
    {"/xmtp.mls.api.v1.MlsApi/SendGroupMessages", send_group_messages},
    {"/xmtp.mls.api.v1.MlsApi/QueryGroupMessages", query_group_messages},
    {"/xmtp.mls.api.v1.MlsApi/GetNewestGroupMessage", get_newest_group_message},
    {NULL, NULL},
};
