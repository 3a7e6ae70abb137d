/* envelopes.c - what the node has of a conversation, as it sends it to whoever follows it. */
#include "base/bytes.h"
#include "base/status.h"
#include "network/network_internal.h"
#include "proto/message.h"
#include "proto/paging.h"

static const char query_path[] = "/xmtp.mls.api.v1.MlsApi/QueryGroupMessages";

enum { PAGE_MAX = 100, PAGE_LEN_MAX = 64 * 1024 * 1024 };

static xmtp_status ask_node(xmtp_network *net, xmtp_bytes request, xmtp_writer *answer,
                            xmtp_error *error)
{
    xmtp_transport node;
    XMTP_TRY(xmtp_node_transport(net->node, &node));
    xmtp_status status = node.unary(node.context, query_path, request, answer, error);
    node.close(node.context);
    return status;
}

/* Behind cursor, in order. What page holds lives in the arena. */
static xmtp_status query_page(xmtp_network *net, const xmtp_conversation_id *id, uint64_t cursor,
                              xmtp_arena *arena, Pb__QueryGroupMessagesResponse **page,
                              xmtp_error *error)
{
    Pb__PagingInfo paging;
    Pb__QueryGroupMessagesRequest query = PB__QUERY_GROUP_MESSAGES_REQUEST__INIT;
    xmtp_writer request;
    xmtp_writer answer;
    void *decoded = NULL;
    xmtp_paging_after(&paging, cursor, PAGE_MAX);
    query.has_group_id = 1;
    query.group_id = xmtp_proto_data(xmtp_bytes_of(id->p, id->n));
    query.paging_info = &paging;
    xmtp_writer_init(&request, &net->env.alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&answer, &net->env.alloc, XMTP_WRITER_MAX);
    xmtp_status status = xmtp_proto_encode(&query.base, &request);
    if (status == XMTP_OK) {
        status = ask_node(net, xmtp_writer_bytes(&request), &answer, error);
    }
    if (status == XMTP_OK) {
        status = xmtp_proto_decode(&pb__query_group_messages_response__descriptor, arena,
                                   xmtp_writer_bytes(&answer), &decoded);
    }
    xmtp_writer_free(&answer);
    xmtp_writer_free(&request);
    *page = decoded;
    return status;
}

static xmtp_status visit_one(const Pb__GroupMessage *message, xmtp_writer *encoded,
                             xmtp_network_envelope_visit visit, void *context)
{
    xmtp_writer_clear(encoded);
    XMTP_TRY(xmtp_proto_encode(&message->base, encoded));
    const xmtp_network_envelope envelope = {
        .group_message = xmtp_writer_bytes(encoded),
        .sent_ns = message->v1->created_ns,
        .data = xmtp_proto_bytes(message->v1->data),
        .sender_hmac = xmtp_proto_bytes(message->v1->sender_hmac),
        .should_push = message->v1->should_push,
    };
    return visit(context, &envelope);
}

static xmtp_status visit_page(const Pb__QueryGroupMessagesResponse *page, xmtp_writer *encoded,
                              uint64_t *cursor, xmtp_network_envelope_visit visit, void *context)
{
    for (size_t i = 0; i < page->n_messages; i++) {
        const Pb__GroupMessage *message = page->messages[i];
        XMTP_ENSURE(message->version_case == PB__GROUP_MESSAGE__VERSION_V1, XMTP_E_MALFORMED);
        *cursor = message->v1->id;
        XMTP_TRY(visit_one(message, encoded, visit, context));
    }
    return XMTP_OK;
}

xmtp_status xmtp_network_envelopes(xmtp_network *net, const xmtp_conversation_id *id,
                                   xmtp_network_envelope_visit visit, void *context,
                                   xmtp_error *error)
{
    xmtp_writer encoded;
    uint64_t cursor = 0;
    size_t count = PAGE_MAX;
    xmtp_status status = XMTP_OK;
    xmtp_writer_init(&encoded, &net->env.alloc, XMTP_WRITER_MAX);
    while (status == XMTP_OK && count == PAGE_MAX) {
        xmtp_arena arena;
        Pb__QueryGroupMessagesResponse *page;
        xmtp_arena_init(&arena, &net->env.alloc, PAGE_LEN_MAX);
        status = query_page(net, id, cursor, &arena, &page, error);
        if (status == XMTP_OK) {
            count = page->n_messages;
            status = visit_page(page, &encoded, &cursor, visit, context);
        }
        xmtp_arena_reset(&arena);
    }
    xmtp_writer_free(&encoded);
    return status;
}
