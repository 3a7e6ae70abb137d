/* service_mls_test.c - group messages, welcomes, commit log and newest messages through a node in
 * memory: the rules of node.md 2.5 to 2.10, each at its edges.
 */
#include "node/node_internal.h"
#include "node/test_node.h"

enum { DEFAULT = 0, ASCENDING = 1, DESCENDING = 2, NO_PAGING = -1 };

static uint64_t id_at(const Pb__QueryGroupMessagesResponse *page, size_t i)
{
    return page->messages[i]->v1->id;
}

/* ---- pages */

static void pages_are_full_ordered_and_exclusive_of_the_cursor(void **state)
{
    (void)state;
    for (size_t rows = 99; rows <= 101; rows++) {
        test_node t;
        test_node_open(&t, NULL);
        assert_int_equal(test_send(&t, "other", TEST_APPLICATION, 1, 3), XMTP_OK); /* ids 1 to 3 */
        assert_int_equal(test_send(&t, "group", TEST_APPLICATION, 1, rows), XMTP_OK);
        uint64_t first = 4;
        uint64_t last = 3 + rows;
        size_t full = rows < 100 ? rows : 100;

        const Pb__QueryGroupMessagesResponse *page = test_query(&t, "group", ASCENDING, 100, 0);
        assert_int_equal(page->n_messages, full);
        assert_int_equal(id_at(page, 0), first);
        assert_int_equal(id_at(page, full - 1), first + full - 1);
        assert_int_equal(page->paging_info->direction, 1);
        assert_int_equal(page->paging_info->limit, 100);
        assert_int_equal(page->paging_info->id_cursor, rows >= 100 ? first + 99 : 0);

        page = test_query(&t, "group", ASCENDING, 100, first + 99);
        assert_int_equal(page->n_messages, rows > 100 ? rows - 100 : 0);
        assert_int_equal(page->paging_info->id_cursor, 0);

        page = test_query(&t, "group", DESCENDING, 100, 0);
        assert_int_equal(page->n_messages, full);
        assert_int_equal(id_at(page, 0), last);
        assert_int_equal(id_at(page, full - 1), last - full + 1);
        assert_int_equal(page->paging_info->direction, 2);
        assert_int_equal(page->paging_info->id_cursor, rows >= 100 ? last - 99 : 0);

        page = test_query(&t, "group", DESCENDING, 100, first + 1);
        assert_int_equal(page->n_messages, 1);
        assert_int_equal(id_at(page, 0), first);
        test_node_close(&t);
    }
}

static void limits_and_directions_that_are_left_out_or_wrong_get_their_defaults(void **state)
{
    (void)state;
    test_node t;
    test_node_open(&t, NULL);
    assert_int_equal(test_send(&t, "group", TEST_APPLICATION, 1, 150), XMTP_OK);
    assert_int_equal(test_query(&t, "group", ASCENDING, 0, 0)->n_messages, 100);
    assert_int_equal(test_query(&t, "group", ASCENDING, 101, 0)->n_messages, 100);
    assert_int_equal(test_query(&t, "group", ASCENDING, 1, 0)->n_messages, 1);
    assert_int_equal(test_query(&t, "group", ASCENDING, 1, 7)->paging_info->id_cursor, 8);
    assert_int_equal(id_at(test_query(&t, "group", DEFAULT, 5, 0), 0), 150);
    assert_int_equal(id_at(test_query(&t, "group", 77, 5, 0), 0), 150);
    const Pb__QueryGroupMessagesResponse *page = test_query(&t, "group", NO_PAGING, 0, 0);
    assert_int_equal(page->n_messages, 100);
    assert_int_equal(id_at(page, 0), 150);
    assert_int_equal(test_query(&t, "group", ASCENDING, 10, 150)->n_messages, 0);
    assert_int_equal(test_query(&t, "group", ASCENDING, 10, UINT64_MAX)->n_messages, 0);
    assert_int_equal(test_query(&t, "group", ASCENDING, 10, 149)->n_messages, 1);
    assert_int_equal(id_at(test_query(&t, "group", DESCENDING, 10, UINT64_MAX), 0), 150);
    assert_int_equal(test_query(&t, "group", DESCENDING, 10, 1)->n_messages, 0);
    assert_int_equal(test_query(&t, "unknown", ASCENDING, 10, 0)->n_messages, 0);
    assert_int_equal(test_query(&t, "grou", ASCENDING, 10, 0)->n_messages, 0);
    assert_int_equal(test_query(&t, "groups", DESCENDING, 10, 0)->n_messages, 0);
    test_node_close(&t);
}

static void a_page_that_would_be_too_long_to_decode_is_shortened(void **state)
{
    (void)state;
    test_node t;
    xmtp_writer message;
    test_node_open(&t, NULL);
    xmtp_writer_init(&message, &test_env()->alloc, XMTP_WRITER_MAX);
    for (uint64_t i = 0; i < 3; i++) { /* three of 9 MiB: two fit in 24 MiB */
        Pb__SendGroupMessagesRequest request = PB__SEND_GROUP_MESSAGES_REQUEST__INIT;
        Pb__GroupMessageInput input = PB__GROUP_MESSAGE_INPUT__INIT;
        Pb__GroupMessageInput__V1 v1 = PB__GROUP_MESSAGE_INPUT__V1__INIT;
        Pb__GroupMessageInput *inputs[] = {&input};
        test_message(&message, "big", TEST_APPLICATION, i, 9 << 20);
        v1.has_data = true;
        v1.data = xmtp_proto_data(xmtp_writer_bytes(&message));
        input.version_case = PB__GROUP_MESSAGE_INPUT__VERSION_V1;
        input.v1 = &v1;
        request.n_messages = 1;
        request.messages = inputs;
        assert_int_equal(test_call(&t, MLS "SendGroupMessages", &request.base, NULL, NULL),
                         XMTP_OK);
    }
    const Pb__QueryGroupMessagesResponse *page = test_query(&t, "big", ASCENDING, 100, 0);
    assert_int_equal(page->n_messages, 2);
    assert_int_equal(page->paging_info->id_cursor, 2);
    page = test_query(&t, "big", ASCENDING, 100, 2);
    assert_int_equal(page->n_messages, 1);
    assert_int_equal(page->paging_info->id_cursor, 0);
    xmtp_writer_free(&message);
    test_node_close(&t);
}

/* ---- sending */

static void a_stored_message_is_read_back_as_it_was_sent(void **state)
{
    (void)state;
    test_node t;
    xmtp_writer message;
    uint8_t hmac[32];
    memset(hmac, 7, sizeof hmac);
    test_node_open(&t, NULL);
    xmtp_writer_init(&message, &test_env()->alloc, XMTP_WRITER_MAX);
    test_message(&message, "group", TEST_APPLICATION, 5, 300);
    Pb__SendGroupMessagesRequest request = PB__SEND_GROUP_MESSAGES_REQUEST__INIT;
    Pb__GroupMessageInput input = PB__GROUP_MESSAGE_INPUT__INIT;
    Pb__GroupMessageInput__V1 v1 = PB__GROUP_MESSAGE_INPUT__V1__INIT;
    Pb__GroupMessageInput *inputs[] = {&input};
    v1.has_data = v1.has_sender_hmac = v1.has_should_push = true;
    v1.data = xmtp_proto_data(xmtp_writer_bytes(&message));
    v1.sender_hmac = xmtp_proto_data(xmtp_bytes_of(hmac, sizeof hmac));
    v1.should_push = true;
    input.version_case = PB__GROUP_MESSAGE_INPUT__VERSION_V1;
    input.v1 = &v1;
    request.n_messages = 1;
    request.messages = inputs;
    assert_int_equal(test_call(&t, MLS "SendGroupMessages", &request.base, NULL, NULL), XMTP_OK);
    assert_int_equal(t.answer.n, 0);
    const Pb__QueryGroupMessagesResponse *page = test_query(&t, "group", ASCENDING, 100, 0);
    assert_int_equal(page->n_messages, 1);
    const Pb__GroupMessage__V1 *stored = page->messages[0]->v1;
    assert_int_equal(stored->id, 1);
    assert_true(stored->created_ns == test_now_ns);
    assert_true(stored->should_push && !stored->is_commit);
    assert_true(xmtp_bytes_equal(xmtp_proto_bytes(stored->data), xmtp_writer_bytes(&message)));
    assert_true(
        xmtp_bytes_equal(xmtp_proto_bytes(stored->group_id), xmtp_bytes_of_string("group")));
    assert_true(xmtp_bytes_equal(xmtp_proto_bytes(stored->sender_hmac), xmtp_bytes_of(hmac, 32)));
    xmtp_writer_free(&message);
    test_node_close(&t);
}

typedef struct read_back {
    const char *group_id;
    uint64_t number; /* of the message */
    int direction;
    uint32_t limit;
    uint64_t cursor;
} read_back;

static xmtp_status send_and_read_back(test_node *t, const read_back *asked)
{
    xmtp_writer message;
    xmtp_writer_init(&message, &test_env()->alloc, XMTP_WRITER_MAX);
    test_message(&message, "group", TEST_APPLICATION, asked->number, 30);
    Pb__SendGroupMessagesRequest request = PB__SEND_GROUP_MESSAGES_REQUEST__INIT;
    Pb__QueryGroupMessagesRequest query = PB__QUERY_GROUP_MESSAGES_REQUEST__INIT;
    Pb__PagingInfo paging = PB__PAGING_INFO__INIT;
    Pb__GroupMessageInput input = PB__GROUP_MESSAGE_INPUT__INIT;
    Pb__GroupMessageInput__V1 v1 = PB__GROUP_MESSAGE_INPUT__V1__INIT;
    Pb__GroupMessageInput *inputs[] = {&input};
    v1.has_data = v1.has_should_push = v1.should_push = true;
    v1.data = xmtp_proto_data(xmtp_writer_bytes(&message));
    input.version_case = PB__GROUP_MESSAGE_INPUT__VERSION_V1;
    input.v1 = &v1;
    request.n_messages = 1;
    request.messages = inputs;
    paging.has_direction = paging.has_id_cursor = paging.has_limit = true;
    paging.direction = (Pb__SortDirection)asked->direction;
    paging.id_cursor = asked->cursor;
    paging.limit = asked->limit;
    query.has_group_id = true;
    query.group_id = xmtp_proto_data(xmtp_bytes_of_string(asked->group_id));
    query.paging_info = &paging;
    request.read_back = &query;
    xmtp_status status = test_call(t, MLS "SendGroupMessages", &request.base, NULL, NULL);
    xmtp_writer_free(&message);
    return status;
}

static uint64_t index_reads(const test_node *t)
{
    return xmtp_node_archive_index_reads(t->node->services.archive);
}

/* The page that came with the last answer is the one that a query gets; how many rows it has. */
static size_t check_page(test_node *t, const read_back *asked)
{
    Pb__SendGroupMessagesResponse *response;
    xmtp_writer page;
    xmtp_writer answered;
    assert_int_equal(xmtp_proto_decode(&pb__send_group_messages_response__descriptor, &t->arena,
                                       xmtp_writer_bytes(&t->answer), (void **)&response),
                     XMTP_OK);
    xmtp_writer_init(&page, &test_env()->alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&answered, &test_env()->alloc, XMTP_WRITER_MAX);
    assert_int_equal(xmtp_proto_encode(&response->read_back->base, &answered), XMTP_OK);
    size_t count = response->read_back->n_messages;
    const Pb__QueryGroupMessagesResponse *queried =
        test_query(t, asked->group_id, asked->direction, asked->limit, asked->cursor);
    assert_int_equal(xmtp_proto_encode(&queried->base, &page), XMTP_OK);
    assert_true(xmtp_bytes_equal(xmtp_writer_bytes(&page), xmtp_writer_bytes(&answered)));
    xmtp_writer_free(&page);
    xmtp_writer_free(&answered);
    return count;
}

static void who_asks_for_it_gets_the_page_behind_the_cursor_with_the_answer(void **state)
{
    (void)state;
    test_node t;
    const read_back invalid = {.group_id = ""};
    const read_back asked = {
        .group_id = "group", .number = 77, .direction = ASCENDING, .cursor = 2};
    test_node_open(&t, NULL);
    assert_int_equal(test_send(&t, "group", TEST_APPLICATION, 1, 3), XMTP_OK);
    assert_int_equal(t.answer.n, 0); /* others are told nothing */
    assert_int_equal(send_and_read_back(&t, &invalid), XMTP_E_RPC_INVALID);
    assert_int_equal(test_count(&t, "group"), 3);
    assert_int_equal(send_and_read_back(&t, &asked), XMTP_OK);
    assert_int_equal(check_page(&t, &asked), 2);
    test_node_close(&t);
}

static void what_was_stored_is_not_read_to_be_answered_unless_more_belongs_to_the_page(void **state)
{
    (void)state;
    static const struct {
        read_back asked;
        uint64_t reads;
        size_t count;
    } cases[] = {
        {{"group", 1, ASCENDING, 0, 0}, 0, 1},      /* 1: the first of its group */
        {{"group", 2, ASCENDING, 100, 1}, 0, 1},    /* 2 */
        {{"group", 3, ASCENDING, 100, 1}, 1, 2},    /* 3, and 2 was not known */
        {{"group", 3, ASCENDING, 100, 3}, 0, 0},    /* stored already, nothing is newer */
        {{"group", 3, ASCENDING, 100, 2}, 0, 1},    /* stored already */
        {{"group", 4, ASCENDING, 1, 3}, 0, 1},      /* 4: a full page says so */
        {{"group", 5, DESCENDING, 100, 0}, 1, 5},   /* 5 */
        {{"group", 6, ASCENDING, 100, 6}, 0, 0},    /* 6 is not behind it */
        {{"group", 7, ASCENDING, 100, 1000}, 0, 0}, /* 7 */
        {{"other", 8, ASCENDING, 100, 0}, 0, 0},    /* 8, asking for another group */
        {{"group", 9, ASCENDING, 100, 8}, 0, 1},    /* 9 */
        {{"other", 10, ASCENDING, 100, 9}, 0, 0},   /* 10 */
        {{"group", 11, ASCENDING, 2, 10}, 0, 1},    /* 11 */
    };
    test_node t;
    test_node_open(&t, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t reads = index_reads(&t);
        assert_int_equal(send_and_read_back(&t, &cases[i].asked), XMTP_OK);
        assert_int_equal(index_reads(&t) - reads, cases[i].reads);
        assert_int_equal(check_page(&t, &cases[i].asked), cases[i].count);
    }
    test_node_close(&t);
}

static void commits_and_proposals_are_marked(void **state)
{
    (void)state;
    test_node t;
    test_node_open(&t, NULL);
    assert_int_equal(test_send(&t, "g", TEST_COMMIT, 1, 1), XMTP_OK);
    assert_int_equal(test_send(&t, "g", TEST_PROPOSAL, 2, 1), XMTP_OK);
    assert_int_equal(test_send(&t, "g", TEST_APPLICATION, 3, 1), XMTP_OK);
    const Pb__QueryGroupMessagesResponse *page = test_query(&t, "g", ASCENDING, 100, 0);
    assert_true(page->messages[0]->v1->is_commit);
    assert_true(page->messages[1]->v1->is_commit);
    assert_false(page->messages[2]->v1->is_commit);
    test_node_close(&t);
}

static void the_same_message_again_is_accepted_and_stored_once(void **state)
{
    (void)state;
    test_node t;
    test_node_open(&t, NULL);
    assert_int_equal(test_send(&t, "g", TEST_APPLICATION, 1, 3), XMTP_OK);
    assert_int_equal(test_send(&t, "g", TEST_APPLICATION, 2, 3), XMTP_OK); /* 2, 3 again, and 4 */
    const Pb__QueryGroupMessagesResponse *page = test_query(&t, "g", ASCENDING, 100, 0);
    assert_int_equal(page->n_messages, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(id_at(page, i), i + 1);
    }
    assert_int_equal(test_send(&t, "h", TEST_APPLICATION, 1, 1), XMTP_OK); /* another group */
    assert_int_equal(test_count(&t, "h"), 1);
    test_node_close(&t);
}

static void one_bad_message_and_nothing_of_the_batch_is_stored(void **state)
{
    (void)state;
    test_node t;
    test_node_open(&t, NULL);
    xmtp_writer good;
    xmtp_writer_init(&good, &test_env()->alloc, XMTP_WRITER_MAX);
    test_message(&good, "g", TEST_APPLICATION, 1, 20);
    for (size_t cut = 0; cut < good.n; cut++) {
        Pb__SendGroupMessagesRequest request = PB__SEND_GROUP_MESSAGES_REQUEST__INIT;
        Pb__GroupMessageInput input[2] = {PB__GROUP_MESSAGE_INPUT__INIT,
                                          PB__GROUP_MESSAGE_INPUT__INIT};
        Pb__GroupMessageInput__V1 v1[2] = {PB__GROUP_MESSAGE_INPUT__V1__INIT,
                                           PB__GROUP_MESSAGE_INPUT__V1__INIT};
        Pb__GroupMessageInput *inputs[] = {&input[0], &input[1]};
        for (size_t i = 0; i < 2; i++) {
            input[i].version_case = PB__GROUP_MESSAGE_INPUT__VERSION_V1;
            input[i].v1 = &v1[i];
            v1[i].has_data = true;
            v1[i].data = xmtp_proto_data(xmtp_bytes_of(good.p, i == 0 ? good.n : cut));
        }
        request.n_messages = 2;
        request.messages = inputs;
        assert_int_equal(test_call(&t, MLS "SendGroupMessages", &request.base, NULL, NULL),
                         XMTP_E_RPC_INVALID);
    }
    assert_int_equal(test_count(&t, "g"), 0);
    xmtp_writer_free(&good);
    assert_int_equal(test_send(&t, "g", TEST_APPLICATION, 1, 0), XMTP_E_RPC_INVALID);
    assert_int_equal(test_send(&t, "", TEST_APPLICATION, 1, 1), XMTP_E_RPC_INVALID);
    test_node_close(&t);
}

static void requests_above_the_usual_limit_of_clients_are_taken(void **state)
{
    (void)state;
    test_node t;
    xmtp_writer request;
    xmtp_writer message;
    test_node_open(&t, NULL);
    xmtp_writer_init(&request, &test_env()->alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&message, &test_env()->alloc, XMTP_WRITER_MAX);
    Pb__SendGroupMessagesRequest r = PB__SEND_GROUP_MESSAGES_REQUEST__INIT;
    Pb__GroupMessageInput input[2] = {PB__GROUP_MESSAGE_INPUT__INIT, PB__GROUP_MESSAGE_INPUT__INIT};
    Pb__GroupMessageInput__V1 v1[2] = {PB__GROUP_MESSAGE_INPUT__V1__INIT,
                                       PB__GROUP_MESSAGE_INPUT__V1__INIT};
    Pb__GroupMessageInput *inputs[] = {&input[0], &input[1]};
    test_message(&message, "big", TEST_APPLICATION, 1, 13 << 20);
    test_message(&request, "big", TEST_APPLICATION, 2, 13 << 20);
    for (size_t i = 0; i < 2; i++) { /* together 26 MiB */
        input[i].version_case = PB__GROUP_MESSAGE_INPUT__VERSION_V1;
        input[i].v1 = &v1[i];
        v1[i].has_data = true;
        v1[i].data = xmtp_proto_data(xmtp_writer_bytes(i == 0 ? &message : &request));
    }
    r.n_messages = 2;
    r.messages = inputs;
    assert_int_equal(test_call(&t, MLS "SendGroupMessages", &r.base, NULL, NULL), XMTP_OK);
    assert_int_equal(test_query(&t, "big", ASCENDING, 100, 0)->n_messages, 1);
    assert_int_equal(test_query(&t, "big", ASCENDING, 100, 1)->n_messages, 1);
    test_message(&message, "big", TEST_APPLICATION, 3, 26 << 20); /* one of more than 25 MiB */
    v1[0].data = xmtp_proto_data(xmtp_writer_bytes(&message));
    r.n_messages = 1;
    assert_int_equal(test_call(&t, MLS "SendGroupMessages", &r.base, NULL, NULL),
                     XMTP_E_RPC_INVALID);
    xmtp_writer_free(&request);
    xmtp_writer_free(&message);
    test_node_close(&t);
}

/* ---- newest messages */

static void the_newest_message_of_many_groups_comes_in_the_order_asked(void **state)
{
    (void)state;
    test_node t;
    Pb__GetNewestGroupMessageResponse *response;
    test_node_open(&t, NULL);
    assert_int_equal(test_send(&t, "a", TEST_APPLICATION, 1, 2), XMTP_OK);
    assert_int_equal(test_send(&t, "b", TEST_COMMIT, 1, 1), XMTP_OK);
    Pb__GetNewestGroupMessageRequest request = PB__GET_NEWEST_GROUP_MESSAGE_REQUEST__INIT;
    ProtobufCBinaryData ids[] = {
        xmtp_proto_data(xmtp_bytes_of_string("b")), xmtp_proto_data(xmtp_bytes_of_string("none")),
        xmtp_proto_data(xmtp_bytes_of_string("a")), xmtp_proto_data(xmtp_bytes_of_string("b"))};
    request.n_group_ids = 4;
    request.group_ids = ids;
    assert_int_equal(test_call(&t, MLS "GetNewestGroupMessage", &request.base,
                               &pb__get_newest_group_message_response__descriptor, &response),
                     XMTP_OK);
    assert_int_equal(response->n_responses, 4);
    const Pb__GroupMessage__V1 *b = response->responses[0]->group_message->v1;
    assert_int_equal(b->id, 3);
    /* The third record of a clock that stands still. */
    assert_true(b->is_commit && b->created_ns == test_now_ns + 2 && b->data.len == 0);
    assert_null(response->responses[1]->group_message);
    assert_int_equal(response->responses[2]->group_message->v1->id, 2);
    assert_false(response->responses[2]->group_message->v1->is_commit);
    assert_int_equal(response->responses[3]->group_message->v1->id, 3);
    request.has_include_content = request.include_content = true;
    assert_int_equal(test_call(&t, MLS "GetNewestGroupMessage", &request.base,
                               &pb__get_newest_group_message_response__descriptor, &response),
                     XMTP_OK);
    assert_true(response->responses[2]->group_message->v1->data.len > 20);
    request.n_group_ids = 0;
    assert_int_equal(test_call(&t, MLS "GetNewestGroupMessage", &request.base, NULL, NULL),
                     XMTP_E_RPC_INVALID);
    test_node_close(&t);
}

/* ---- welcomes */

typedef struct welcome_case {
    bool is_pointer;
    const char *key;
    const char *data;
    const char *hpke;
    int32_t algorithm;
    xmtp_status expected;
    int32_t stored_algorithm;
} welcome_case;

static xmtp_status send_welcome(test_node *t, const welcome_case *c)
{
    Pb__SendWelcomeMessagesRequest request = PB__SEND_WELCOME_MESSAGES_REQUEST__INIT;
    Pb__WelcomeMessageInput input = PB__WELCOME_MESSAGE_INPUT__INIT;
    Pb__WelcomeMessageInput__V1 v1 = PB__WELCOME_MESSAGE_INPUT__V1__INIT;
    Pb__WelcomeMessageInput__WelcomePointer pointer =
        PB__WELCOME_MESSAGE_INPUT__WELCOME_POINTER__INIT;
    Pb__WelcomeMessageInput *inputs[] = {&input};
    v1.has_installation_key = v1.has_data = v1.has_hpke_public_key = v1.has_wrapper_algorithm =
        true;
    v1.installation_key = xmtp_proto_data(xmtp_bytes_of_string(c->key));
    v1.data = xmtp_proto_data(xmtp_bytes_of_string(c->data));
    v1.hpke_public_key = xmtp_proto_data(xmtp_bytes_of_string(c->hpke));
    v1.wrapper_algorithm = c->algorithm;
    pointer.has_installation_key = pointer.has_welcome_pointer = pointer.has_hpke_public_key =
        pointer.has_wrapper_algorithm = true;
    pointer.installation_key = v1.installation_key;
    pointer.welcome_pointer = v1.data;
    pointer.hpke_public_key = v1.hpke_public_key;
    pointer.wrapper_algorithm = c->algorithm;
    input.version_case = c->is_pointer ? PB__WELCOME_MESSAGE_INPUT__VERSION_WELCOME_POINTER
                                       : PB__WELCOME_MESSAGE_INPUT__VERSION_V1;
    if (c->is_pointer) {
        input.welcome_pointer = &pointer;
    } else {
        input.v1 = &v1;
    }
    request.n_messages = 1;
    request.messages = inputs;
    return test_call(t, MLS "SendWelcomeMessages", &request.base, NULL, NULL);
}

static const Pb__QueryWelcomeMessagesResponse *query_welcomes(test_node *t, const char *key)
{
    Pb__QueryWelcomeMessagesRequest request = PB__QUERY_WELCOME_MESSAGES_REQUEST__INIT;
    Pb__QueryWelcomeMessagesResponse *response;
    Pb__PagingInfo paging = PB__PAGING_INFO__INIT;
    paging.has_direction = true;
    paging.direction = 1;
    request.paging_info = &paging;
    request.has_installation_key = true;
    request.installation_key = xmtp_proto_data(xmtp_bytes_of_string(key));
    assert_int_equal(test_call(t, MLS "QueryWelcomeMessages", &request.base,
                               &pb__query_welcome_messages_response__descriptor, &response),
                     XMTP_OK);
    return response;
}

static void welcomes_keep_the_rules_of_their_algorithm(void **state)
{
    (void)state;
    static const welcome_case cases[] = {
        {false, "key", "w0", "hpke", 0, XMTP_OK, 1},
        {false, "key", "w1", "hpke", 1, XMTP_OK, 1},
        {false, "key", "w2", "hpke", 2, XMTP_OK, 2},
        {false, "key", "w3", "", 3, XMTP_OK, 3},
        {false, "key", "w2", "hpke", 2, XMTP_OK, -1}, /* again */
        {false, "key", "w4", "hpke", 4, XMTP_E_RPC_INVALID, 0},
        {false, "key", "w5", "hpke", -1, XMTP_E_RPC_INVALID, 0},
        {false, "key", "w6", "", 0, XMTP_E_RPC_INVALID, 0},
        {false, "key", "w7", "", 2, XMTP_E_RPC_INVALID, 0},
        {false, "key", "", "hpke", 2, XMTP_E_RPC_INVALID, 0},
        {false, "", "w8", "hpke", 2, XMTP_E_RPC_INVALID, 0},
        {true, "key", "p0", "hpke", 2, XMTP_OK, 2},
        {true, "key", "p1", "hpke", 0, XMTP_E_RPC_INVALID, 0},
        {true, "key", "p2", "hpke", 1, XMTP_E_RPC_INVALID, 0},
        {true, "key", "p3", "hpke", 3, XMTP_E_RPC_INVALID, 0},
        {true, "key", "p4", "", 2, XMTP_E_RPC_INVALID, 0},
        {true, "key", "", "hpke", 2, XMTP_E_RPC_INVALID, 0},
    };
    test_node t;
    test_node_open(&t, NULL);
    size_t stored = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const welcome_case *c = &cases[i];
        assert_int_equal(send_welcome(&t, c), c->expected);
        const Pb__QueryWelcomeMessagesResponse *page = query_welcomes(&t, "key");
        if (c->expected == XMTP_OK && c->stored_algorithm >= 0) {
            const Pb__WelcomeMessage *last = page->messages[stored++];
            bool is_v1 = last->version_case == PB__WELCOME_MESSAGE__VERSION_V1;
            assert_true(is_v1 == !c->is_pointer);
            assert_int_equal(is_v1 ? last->v1->wrapper_algorithm
                                   : last->welcome_pointer->wrapper_algorithm,
                             c->stored_algorithm);
            assert_int_equal(is_v1 ? last->v1->id : last->welcome_pointer->id, stored);
        }
        assert_int_equal(page->n_messages, stored);
    }
    Pb__SendWelcomeMessagesRequest empty = PB__SEND_WELCOME_MESSAGES_REQUEST__INIT;
    assert_int_equal(test_call(&t, MLS "SendWelcomeMessages", &empty.base, NULL, NULL),
                     XMTP_E_RPC_INVALID);
    test_node_close(&t);
}

/* ---- commit log */

static xmtp_status publish_commit_log(test_node *t, const char *group_id, size_t count,
                                      bool has_signature)
{
    Pb__BatchPublishCommitLogRequest request = PB__BATCH_PUBLISH_COMMIT_LOG_REQUEST__INIT;
    Pb__PublishCommitLogRequest one = PB__PUBLISH_COMMIT_LOG_REQUEST__INIT;
    Pb__RecoverableEd25519Signature signature = PB__RECOVERABLE_ED25519_SIGNATURE__INIT;
    Pb__PublishCommitLogRequest *all[128];
    one.has_group_id = one.has_serialized_commit_log_entry = true;
    one.group_id = xmtp_proto_data(xmtp_bytes_of_string(group_id));
    one.serialized_commit_log_entry = xmtp_proto_data(xmtp_bytes_of_string("entry"));
    signature.has_bytes = true;
    signature.bytes = xmtp_proto_data(xmtp_bytes_of_string("signature"));
    one.signature = has_signature ? &signature : NULL;
    for (size_t i = 0; i < count; i++) {
        all[i] = &one;
    }
    request.n_requests = count;
    request.requests = all;
    return test_call(t, MLS "BatchPublishCommitLog", &request.base, NULL, NULL);
}

static xmtp_status query_commit_log(test_node *t, int32_t direction, uint64_t cursor,
                                    Pb__BatchQueryCommitLogResponse **response)
{
    Pb__BatchQueryCommitLogRequest request = PB__BATCH_QUERY_COMMIT_LOG_REQUEST__INIT;
    Pb__QueryCommitLogRequest one = PB__QUERY_COMMIT_LOG_REQUEST__INIT;
    Pb__QueryCommitLogRequest other = PB__QUERY_COMMIT_LOG_REQUEST__INIT;
    Pb__PagingInfo paging = PB__PAGING_INFO__INIT;
    Pb__QueryCommitLogRequest *all[] = {&one, &other};
    paging.has_direction = paging.has_id_cursor = true;
    paging.direction = direction;
    paging.id_cursor = cursor;
    one.paging_info = &paging;
    one.has_group_id = other.has_group_id = true;
    one.group_id = xmtp_proto_data(xmtp_bytes_of_string("g"));
    other.group_id = xmtp_proto_data(xmtp_bytes_of_string("unknown"));
    request.n_requests = 2;
    request.requests = all;
    return test_call(t, MLS "BatchQueryCommitLog", &request.base,
                     &pb__batch_query_commit_log_response__descriptor, response);
}

static void commit_logs_are_appended_and_read_in_ascending_pages(void **state)
{
    (void)state;
    test_node t;
    Pb__BatchQueryCommitLogResponse *response;
    test_node_open(&t, NULL);
    assert_int_equal(publish_commit_log(&t, "g", 10, true), XMTP_OK);
    assert_int_equal(publish_commit_log(&t, "g", 100, true), XMTP_OK);
    assert_int_equal(publish_commit_log(&t, "g", 101, true), XMTP_E_RPC_INVALID);
    assert_int_equal(publish_commit_log(&t, "g", 1, false), XMTP_E_RPC_INVALID);
    assert_int_equal(publish_commit_log(&t, "", 1, true), XMTP_E_RPC_INVALID);
    assert_int_equal(query_commit_log(&t, 1, 0, &response), XMTP_OK);
    assert_int_equal(response->n_responses, 2);
    const Pb__QueryCommitLogResponse *first = response->responses[0];
    assert_int_equal(first->n_commit_log_entries, 100);
    assert_int_equal(first->paging_info->id_cursor, 100);
    assert_int_equal(first->commit_log_entries[99]->sequence_id, 100);
    assert_true(xmtp_bytes_equal(
        xmtp_proto_bytes(first->commit_log_entries[0]->serialized_commit_log_entry),
        xmtp_bytes_of_string("entry")));
    assert_true(xmtp_bytes_equal(xmtp_proto_bytes(first->commit_log_entries[0]->signature->bytes),
                                 xmtp_bytes_of_string("signature")));
    assert_int_equal(response->responses[1]->n_commit_log_entries, 0);
    assert_int_equal(query_commit_log(&t, 0, 100, &response), XMTP_OK);
    assert_int_equal(response->responses[0]->n_commit_log_entries, 10);
    assert_int_equal(response->responses[0]->paging_info->direction, 1);
    assert_int_equal(query_commit_log(&t, 2, 0, &response), XMTP_E_RPC_INVALID);
    test_node_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_full_ordered_and_exclusive_of_the_cursor),
        cmocka_unit_test(limits_and_directions_that_are_left_out_or_wrong_get_their_defaults),
        cmocka_unit_test(a_page_that_would_be_too_long_to_decode_is_shortened),
        cmocka_unit_test(a_stored_message_is_read_back_as_it_was_sent),
        cmocka_unit_test(
            what_was_stored_is_not_read_to_be_answered_unless_more_belongs_to_the_page),
        cmocka_unit_test(who_asks_for_it_gets_the_page_behind_the_cursor_with_the_answer),
        cmocka_unit_test(commits_and_proposals_are_marked),
        cmocka_unit_test(the_same_message_again_is_accepted_and_stored_once),
        cmocka_unit_test(one_bad_message_and_nothing_of_the_batch_is_stored),
        cmocka_unit_test(requests_above_the_usual_limit_of_clients_are_taken),
        cmocka_unit_test(the_newest_message_of_many_groups_comes_in_the_order_asked),
        cmocka_unit_test(welcomes_keep_the_rules_of_their_algorithm),
        cmocka_unit_test(commit_logs_are_appended_and_read_in_ascending_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
