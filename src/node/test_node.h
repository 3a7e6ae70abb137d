/* test_node.h - what node tests share: a clock that is set, a node in memory or in a folder, MLS
 * messages made by hand, and calls that expect to succeed.
 */
#ifndef XMTP_NODE_TEST_NODE_H
#define XMTP_NODE_TEST_NODE_H

#include "base/bytes.h"
#include "base/writer.h"
#include "proto/identity.pb-c.h"
#include "proto/message.h"
#include "proto/mls_api.pb-c.h"
#include "rpc/transport.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <xmtp/node.h>

#include <cmocka.h>

#define MLS      "/xmtp.mls.api.v1.MlsApi/"
#define IDENTITY "/xmtp.identity.api.v1.IdentityApi/"

/* When the recorded key packages and updates were made. */
static const uint64_t test_now_ns = 1795373310000000000U;

static inline uint64_t test_clock(void *context)
{
    (void)context;
    return test_now_ns;
}

static xmtp_env test_env_value;
static pthread_once_t test_env_once = PTHREAD_ONCE_INIT;

static inline void test_env_make(void)
{
    test_env_value = *xmtp_env_system();
    test_env_value.now_ns = test_clock;
}

static inline const xmtp_env *test_env(void)
{
    (void)pthread_once(&test_env_once, test_env_make);
    return &test_env_value;
}

typedef struct test_node {
    xmtp_node *node;
    xmtp_transport transport;
    xmtp_arena arena; /* decoded answers, until reset */
    xmtp_writer answer;
    xmtp_error error;
} test_node;

static inline void test_node_open_limited(test_node *t, const char *dir,
                                          const xmtp_node_limits *limits)
{
    *t = (test_node){.node = NULL};
    xmtp_node_options options = {.env = test_env(), .data_dir = dir, .limits = *limits};
    if (xmtp_node_open(&t->node, &options, &t->error) != XMTP_OK) {
        fail_msg("node: %s", t->error.text);
    }
    assert_int_equal(xmtp_node_transport(t->node, &t->transport), XMTP_OK);
    xmtp_arena_init(&t->arena, &test_env()->alloc, (size_t)1 << 30);
    xmtp_writer_init(&t->answer, &test_env()->alloc, XMTP_WRITER_MAX);
}

static inline void test_node_open(test_node *t, const char *dir)
{
    test_node_open_limited(t, dir, &(xmtp_node_limits){0});
}

static inline void test_node_close(test_node *t)
{
    t->transport.close(t->transport.context);
    xmtp_node_close(t->node);
    xmtp_arena_reset(&t->arena);
    xmtp_writer_free(&t->answer);
}

static inline xmtp_status test_call_bytes(test_node *t, const char *path, xmtp_bytes request)
{
    t->error = (xmtp_error){0};
    return t->transport.unary(t->transport.context, path, request, &t->answer, &t->error);
}

/* Encodes the request, calls, and decodes the answer; NULL when it failed. */
static inline xmtp_status test_call(test_node *t, const char *path, const ProtobufCMessage *request,
                                    const ProtobufCMessageDescriptor *answer_type, void *answer)
{
    xmtp_writer w;
    xmtp_writer_init(&w, &test_env()->alloc, XMTP_WRITER_MAX);
    assert_int_equal(xmtp_proto_encode(request, &w), XMTP_OK);
    xmtp_status status = test_call_bytes(t, path, xmtp_writer_bytes(&w));
    xmtp_writer_free(&w);
    if (status == XMTP_OK && answer_type != NULL) {
        assert_int_equal(xmtp_proto_decode(answer_type, &t->arena, xmtp_writer_bytes(&t->answer),
                                           (void **)answer),
                         XMTP_OK);
    }
    return status;
}

/* A PrivateMessage of RFC 9420 section 6.3 whose secrets are just bytes. */
static inline void test_message(xmtp_writer *w, const char *group_id, uint8_t content_type,
                                uint64_t number, size_t ciphertext_len)
{
    uint8_t *p;
    xmtp_writer_clear(w);
    xmtp_writer_u16(w, 1);
    xmtp_writer_u16(w, 2);
    xmtp_writer_vec(w, xmtp_bytes_of_string(group_id));
    xmtp_writer_u64(w, number);
    xmtp_writer_u8(w, content_type);
    xmtp_writer_vec(w, (xmtp_bytes){0});
    xmtp_writer_vec(w, xmtp_bytes_of_string("sender data"));
    size_t mark = xmtp_writer_vec_open(w);
    p = xmtp_writer_extend(w, ciphertext_len);
    memset(p, (int)number, ciphertext_len);
    xmtp_writer_vec_close(w, mark);
    assert_int_equal(xmtp_writer_status(w), XMTP_OK);
}

enum { TEST_APPLICATION = 1, TEST_PROPOSAL = 2, TEST_COMMIT = 3 };

/* Sends count messages of a group with consecutive numbers, in one request. */
static inline xmtp_status test_send(test_node *t, const char *group_id, uint8_t content_type,
                                    uint64_t first_number, size_t count)
{
    Pb__SendGroupMessagesRequest request = PB__SEND_GROUP_MESSAGES_REQUEST__INIT;
    Pb__GroupMessageInput *inputs = calloc(count, sizeof *inputs);
    Pb__GroupMessageInput__V1 *v1 = calloc(count, sizeof *v1);
    Pb__GroupMessageInput **pointers = calloc(count, sizeof *pointers);
    xmtp_writer *writers = calloc(count, sizeof *writers);
    for (size_t i = 0; i < count; i++) {
        xmtp_writer_init(&writers[i], &test_env()->alloc, XMTP_WRITER_MAX);
        test_message(&writers[i], group_id, content_type, first_number + i, 20);
        pb__group_message_input__init(&inputs[i]);
        pb__group_message_input__v1__init(&v1[i]);
        inputs[i].version_case = PB__GROUP_MESSAGE_INPUT__VERSION_V1;
        inputs[i].v1 = &v1[i];
        v1[i].has_data = true;
        v1[i].data = xmtp_proto_data(xmtp_writer_bytes(&writers[i]));
        pointers[i] = &inputs[i];
    }
    request.n_messages = count;
    request.messages = pointers;
    xmtp_status status = test_call(t, MLS "SendGroupMessages", &request.base, NULL, NULL);
    for (size_t i = 0; i < count; i++) {
        xmtp_writer_free(&writers[i]);
    }
    free(writers);
    free(pointers);
    free(v1);
    free(inputs);
    return status;
}

static inline const Pb__QueryGroupMessagesResponse *
test_query(test_node *t, const char *group_id, int32_t direction, uint32_t limit, uint64_t cursor)
{
    Pb__QueryGroupMessagesRequest request = PB__QUERY_GROUP_MESSAGES_REQUEST__INIT;
    Pb__PagingInfo paging = PB__PAGING_INFO__INIT;
    Pb__QueryGroupMessagesResponse *response = NULL;
    paging.has_direction = direction != 0;
    paging.direction = direction;
    paging.has_limit = limit != 0;
    paging.limit = limit;
    paging.has_id_cursor = cursor != 0;
    paging.id_cursor = cursor;
    request.paging_info = direction < 0 ? NULL : &paging;
    request.has_group_id = true;
    request.group_id = xmtp_proto_data(xmtp_bytes_of_string(group_id));
    assert_int_equal(test_call(t, MLS "QueryGroupMessages", &request.base,
                               &pb__query_group_messages_response__descriptor, &response),
                     XMTP_OK);
    return response;
}

static inline size_t test_count(test_node *t, const char *group_id)
{
    return test_query(t, group_id, 1, 100, 0)->n_messages;
}

#endif
