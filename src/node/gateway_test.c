/* gateway_test.c - the gateway over TCP: JSON and protobuf bodies, streams as lines, errors, GET. */
#include "base/base64.h"
#include "node/test_node.h"
#include "node/test_peer.h"

typedef struct gateway {
    xmtp_node *node;
    test_node direct; /* the same node, called directly */
    peer peer;
} gateway;

static void open_gateway(gateway *g)
{
    xmtp_node_options options = {.env = test_env(), .listen = {"gateway=127.0.0.1:0"}, .loops = 1};
    *g = (gateway){.node = NULL};
    assert_int_equal(xmtp_node_open(&g->node, &options, NULL), XMTP_OK);
    g->direct = (test_node){.node = g->node};
    assert_int_equal(xmtp_node_transport(g->node, &g->direct.transport), XMTP_OK);
    xmtp_arena_init(&g->direct.arena, &test_env()->alloc, (size_t)1 << 30);
    xmtp_writer_init(&g->direct.answer, &test_env()->alloc, XMTP_WRITER_MAX);
    g->peer = peer_open(xmtp_node_port(g->node, 0));
}

static void close_gateway(gateway *g)
{
    peer_close(&g->peer);
    test_node_close(&g->direct);
}

static void put(gateway *g, const char *request_line, const char *fields, const void *body,
                size_t n)
{
    char head[1024];
    peer_forget(&g->peer);
    (void)snprintf(head, sizeof head, "%s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n",
                   request_line, fields, n);
    assert_true(peer_say(&g->peer, head));
    assert_true(peer_say_bytes(&g->peer, body, n));
}

static void assert_heard(gateway *g, const char *words)
{
    if (!peer_wait(&g->peer, words)) {
        fail_msg("no %s in %s", words, g->peer.heard);
    }
}

static void json_in_json_out(void **state)
{
    (void)state;
    static const char query[] = "{\"groupId\":\"YQ==\",\"pagingInfo\":{\"direction\":"
                                "\"SORT_DIRECTION_ASCENDING\",\"limit\":2}}";
    gateway g;
    open_gateway(&g);
    assert_int_equal(test_send(&g.direct, "a", TEST_COMMIT, 1, 3), XMTP_OK);
    put(&g, "POST /mls/v1/query-group-messages", "Content-Type: application/json\r\n", query,
        sizeof query - 1);
    assert_heard(&g, "\"pagingInfo\":{\"direction\":\"SORT_DIRECTION_ASCENDING\",\"limit\":2,"
                     "\"idCursor\":\"2\"}}");
    assert_heard(&g, "HTTP/1.1 200 OK\r\n");
    assert_heard(&g, "content-type: application/json\r\n");
    assert_heard(&g, "access-control-allow-origin: *\r\n");
    assert_heard(&g, "{\"messages\":[{\"v1\":{\"id\":\"1\",\"createdNs\":\"");
    assert_heard(&g, "\"groupId\":\"YQ==\",\"data\":\"");
    assert_heard(&g, "\"isCommit\":true}},{\"v1\":{\"id\":\"2\"");
    close_gateway(&g);
}

static void protobuf_in_protobuf_out(void **state)
{
    (void)state;
    static const char query[] = "\x0a\1a\x12\4\x08\1\x10\1";
    gateway g;
    open_gateway(&g);
    assert_int_equal(test_send(&g.direct, "a", TEST_APPLICATION, 1, 1), XMTP_OK);
    put(&g, "POST /mls/v1/query-group-messages",
        "Content-Type: application/x-protobuf\r\nAccept: application/x-protobuf\r\n", query,
        sizeof query - 1);
    assert_heard(&g, "content-type: application/x-protobuf\r\n");
    assert_heard(&g, "\x12\x06\x08\1\x10\1\x18\1"); /* the paging at the end */
    put(&g, "POST /mls/v1/query-group-messages",
        "Content-Type: application/x-protobuf\r\nAccept: application/json\r\n", query,
        sizeof query - 1);
    assert_heard(&g, "{\"messages\":[{");
    close_gateway(&g);
}

/* Answers without content are there all the same: the SDK reads a body. */
static void sending_by_json_stores_the_message(void **state)
{
    (void)state;
    char body[512];
    char base64[256] = "";
    xmtp_writer message;
    gateway g;
    open_gateway(&g);
    xmtp_writer_init(&message, &test_env()->alloc, XMTP_WRITER_MAX);
    test_message(&message, "a", TEST_APPLICATION, 7, 20);
    xmtp_base64_encode(base64, xmtp_writer_bytes(&message));
    (void)snprintf(body, sizeof body, "{\"messages\":[{\"v1\":{\"data\":\"%s\"}}]}", base64);
    put(&g, "POST /mls/v1/send-group-messages", "", body, strlen(body));
    assert_heard(&g, "HTTP/1.1 200 OK\r\n");
    assert_heard(&g, "\r\n\r\n{}");
    assert_int_equal(test_count(&g.direct, "a"), 1);
    xmtp_writer_free(&message);
    close_gateway(&g);
}

static void a_stream_is_a_line_per_message(void **state)
{
    (void)state;
    static const char filter[] = "{\"filters\":[{\"group_id\":\"YQ==\",\"id_cursor\":\"0\"}]}";
    gateway g;
    open_gateway(&g);
    put(&g, "POST /mls/v1/subscribe-group-messages", "Content-Type: application/json\r\n", filter,
        sizeof filter - 1);
    assert_heard(&g, "transfer-encoding: chunked\r\n"); /* before any message */
    assert_heard(&g, "\r\n\r\n");
    assert_int_equal(test_send(&g.direct, "a", TEST_APPLICATION, 1, 2), XMTP_OK);
    assert_heard(&g, "{\"result\":{\"v1\":{\"id\":\"1\"");
    assert_heard(&g, "}}}\n\r\n");
    assert_heard(&g, "{\"result\":{\"v1\":{\"id\":\"2\"");
    test_node_close(&g.direct); /* the node goes away */
    assert_heard(
        &g, "{\"error\":{\"code\":14,\"message\":\"node is shutting down\",\"details\":[]}}\n");
    assert_heard(&g, "\r\n0\r\n\r\n");
    peer_close(&g.peer);
}

static void errors_have_the_status_and_the_words(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *body;
        const char *status;
        const char *words;
    } cases[] = {
        {"POST /mls/v1/query-group-messages", "{}", "HTTP/1.1 400 ",
         "{\"code\":3,\"message\":\"missing group id\",\"details\":[]}"},
        {"POST /mls/v1/query-group-messages", "{\"groupId\":7}", "HTTP/1.1 400 ",
         "{\"code\":3,\"message\":\"group_id is no string of base64\",\"details\":[]}"},
        {"POST /mls/v1/query-group-messages", "not json", "HTTP/1.1 400 ", "no JSON object"},
        {"POST /mls/v1/revoke-installation", "{}", "HTTP/1.1 501 ", "{\"code\":12,"},
        {"POST /mls/v1/subscribe-group-messages", "[]", "HTTP/1.1 400 ", "{\"error\":{\"code\":3,"},
        {"POST /mls/v1/nothing", "{}", "HTTP/1.1 404 ", "does not serve"},
        {"PUT /mls/v1/query-group-messages", "{}", "HTTP/1.1 405 ", "POST"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gateway g;
        open_gateway(&g);
        put(&g, cases[i].line, "", cases[i].body, strlen(cases[i].body));
        assert_heard(&g, cases[i].status);
        assert_heard(&g, "access-control-allow-origin: *\r\n");
        assert_heard(&g, cases[i].words);
        close_gateway(&g);
    }
}

static void the_newest_message_is_asked_for_with_get(void **state)
{
    (void)state;
    gateway g;
    open_gateway(&g);
    assert_int_equal(test_send(&g.direct, "a", TEST_APPLICATION, 1, 2), XMTP_OK);
    put(&g, "GET /mls/v1/get-newest-group-message?group_ids=YQ%3D%3D&group_ids=Yg", "", "", 0);
    assert_heard(&g, "{\"responses\":[{\"groupMessage\":{\"v1\":{\"id\":\"2\"");
    assert_heard(&g, "},{}]}");
    put(&g, "POST /mls/v1/get-newest-group-message", "", "{\"groupIds\":[\"Yg==\"]}", 21);
    assert_heard(&g, "{\"responses\":[{}]}");
    close_gateway(&g);
}

static void a_request_that_is_too_large_is_refused_while_it_comes(void **state)
{
    (void)state;
    static uint8_t part[1 << 20];
    gateway g;
    open_gateway(&g);
    assert_true(peer_say(&g.peer, "POST /mls/v1/query-group-messages HTTP/1.1\r\nHost: x\r\n"
                                  "Content-Length: 1000000000\r\n\r\n"));
    for (int i = 0; i < 100 && peer_find(&g.peer, "429") == NULL; i++) {
        (void)peer_say_bytes(&g.peer, part, sizeof part);
        (void)peer_hear(&g.peer, 0);
    }
    assert_heard(&g, "{\"code\":8,\"message\":\"request is too large\",\"details\":[]}");
    close_gateway(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_in_json_out),
        cmocka_unit_test(protobuf_in_protobuf_out),
        cmocka_unit_test(sending_by_json_stores_the_message),
        cmocka_unit_test(a_stream_is_a_line_per_message),
        cmocka_unit_test(errors_have_the_status_and_the_words),
        cmocka_unit_test(the_newest_message_is_asked_for_with_get),
        cmocka_unit_test(a_request_that_is_too_large_is_refused_while_it_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
