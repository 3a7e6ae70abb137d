/* service_commit_log.c - the log of commits that group creators publish (node.md 2.10).
 *
 * Append-only, duplicates allowed, signatures not looked at: readers verify them.
 */
#include "base/status.h"
#include "node/service.h"
#include "node/wire.h"
#include "proto/field.h"
#include "proto/message.h"
#include "proto/mls_api.pb-c.h"

static xmtp_status make_entry(xmtp_node_call *call, const Pb__PublishCommitLogRequest *request,
                              xmtp_node_entry *entry)
{
    entry->kind = XMTP_NODE_COMMIT_LOG;
    entry->topic = xmtp_proto_bytes(request->group_id);
    XMTP_TRY(xmtp_node_call_topic(call, entry->topic, "group id"));
    if (request->signature == NULL) {
        return xmtp_fail(&call->error, XMTP_E_ARGUMENT, "missing signature");
    }
    XMTP_TRY(xmtp_node_call_count(call, request->serialized_commit_log_entry.len, 1,
                                  call->services->limits.commit_log_entry_len,
                                  "bytes of commit log entry"));
    XMTP_TRY(xmtp_node_call_count(
        call, request->signature->bytes.len + request->signature->public_key.len, 0,
        call->services->limits.commit_log_entry_len, "bytes of signature"));
    Pb__QueryCommitLogResponse__Entry body = PB__QUERY_COMMIT_LOG_RESPONSE__ENTRY__INIT;
    body.has_serialized_commit_log_entry = true;
    body.serialized_commit_log_entry = request->serialized_commit_log_entry;
    body.signature = request->signature;
    XMTP_TRY(xmtp_proto_encode(&body.base, &call->scratch));
    return xmtp_node_call_body(call, entry);
}

static xmtp_status batch_publish(xmtp_node_call *call, xmtp_bytes bytes)
{
    void *p;
    XMTP_TRY(
        xmtp_node_call_decode(call, &pb__batch_publish_commit_log_request__descriptor, bytes, &p));
    const Pb__BatchPublishCommitLogRequest *request = p;
    XMTP_TRY(xmtp_node_call_count(call, request->n_requests, 0,
                                  call->services->limits.commit_log_publish, "requests"));
    if (request->n_requests == 0) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_node_call_entries(call, request->n_requests));
    for (size_t i = 0; i < request->n_requests; i++) {
        XMTP_TRY(make_entry(call, request->requests[i], &call->job.batch.entries[i]));
    }
    return xmtp_node_call_store(call);
}

static xmtp_status query_one(xmtp_node_call *call, const Pb__QueryCommitLogRequest *request)
{
    xmtp_node_query query = {.kind = XMTP_NODE_COMMIT_LOG,
                             .topic = xmtp_proto_bytes(request->group_id)};
    XMTP_TRY(xmtp_node_call_topic(call, query.topic, "group id"));
    const Pb__PagingInfo *paging = request->paging_info;
    if (paging != NULL && paging->direction == PB__SORT_DIRECTION__SORT_DIRECTION_DESCENDING) {
        return xmtp_fail(&call->error, XMTP_E_ARGUMENT, "commit logs are read in ascending order");
    }
    xmtp_node_query_paging(&query, paging);
    query.is_ascending = true;
    xmtp_writer response;
    xmtp_writer_init(&response, call->reply.alloc, XMTP_WRITER_MAX);
    xmtp_field_put_message(&response, 1, query.topic);
    xmtp_status status = xmtp_node_query_run(call, &query, 2, 3, &response);
    if (status == XMTP_OK && call->reply.n + response.n > call->services->limits.reply_len) {
        status = xmtp_fail(&call->error, XMTP_E_LIMIT,
                           "the answer is too long: ask for fewer commit logs");
    }
    if (status == XMTP_OK) {
        xmtp_field_put_message(&call->reply, 1, xmtp_writer_bytes(&response));
    }
    xmtp_writer_free(&response);
    return status;
}

static xmtp_status batch_query(xmtp_node_call *call, xmtp_bytes bytes)
{
    void *p;
    XMTP_TRY(
        xmtp_node_call_decode(call, &pb__batch_query_commit_log_request__descriptor, bytes, &p));
    const Pb__BatchQueryCommitLogRequest *request = p;
    XMTP_TRY(xmtp_node_call_count(call, request->n_requests, 0,
                                  call->services->limits.commit_log_query, "requests"));
    for (size_t i = 0; i < request->n_requests; i++) {
        XMTP_TRY(query_one(call, request->requests[i]));
    }
    return XMTP_OK;
}

const xmtp_node_method_entry xmtp_node_commit_log_methods[] = {
    {"/xmtp.mls.api.v1.MlsApi/BatchPublishCommitLog", batch_publish},
    {"/xmtp.mls.api.v1.MlsApi/BatchQueryCommitLog", batch_query},
    {NULL, NULL},
};
