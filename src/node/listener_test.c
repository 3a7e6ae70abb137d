/* listener_test.c - a node on a real port: calls and streams over TCP, many at once, and an orderly
 * end.
 */
#include "node/test_folder.h"
#include "node/test_node.h"
#include "rpc/grpc_transport.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

/* A node on a free port of both loopbacks, and a transport over the network in place of the direct
 * one. */
static void open_on_network(test_node *t, const char *dir)
{
    *t = (test_node){.node = NULL};
    xmtp_node_options options = {
        .env = test_env(), .data_dir = dir, .listen = {"127.0.0.1:0", "[::1]:0"}, .loops = 3};
    char url[64];
    assert_int_equal(xmtp_node_open(&t->node, &options, &t->error), XMTP_OK);
    assert_true(xmtp_node_port(t->node, 0) > 0);
    assert_int_equal(xmtp_node_port(t->node, 2), 0);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", (unsigned)xmtp_node_port(t->node, 0));
    assert_int_equal(
        xmtp_grpc_transport_open(&t->transport, url, xmtp_env_system(), NULL, &t->error), XMTP_OK);
    xmtp_arena_init(&t->arena, &test_env()->alloc, (size_t)1 << 30);
    xmtp_writer_init(&t->answer, &test_env()->alloc, XMTP_WRITER_MAX);
}

static xmtp_stream *subscribe_all(test_node *t, const char *group)
{
    xmtp_writer w;
    xmtp_stream *stream;
    size_t n = strlen(group);
    xmtp_writer_init(&w, &test_env()->alloc, XMTP_WRITER_MAX);
    xmtp_writer_u8(&w, 0x0a); /* filters { group_id } */
    xmtp_writer_u8(&w, (uint8_t)(n + 2));
    xmtp_writer_u8(&w, 0x0a);
    xmtp_writer_u8(&w, (uint8_t)n);
    xmtp_writer_put(&w, xmtp_bytes_of_string(group));
    xmtp_status status = t->transport.subscribe(t->transport.context, MLS "SubscribeGroupMessages",
                                                xmtp_writer_bytes(&w), &stream, &t->error);
    xmtp_writer_free(&w);
    if (status != XMTP_OK) {
        fail_msg("subscribe: %s", t->error.text);
    }
    return stream;
}

static xmtp_status wait_next(test_node *t, xmtp_stream *stream, xmtp_bytes *message)
{
    for (;;) {
        xmtp_status status = t->transport.next(t->transport.context, stream, message, &t->error);
        if (status != XMTP_E_RETRY) {
            return status;
        }
        if (t->transport.wait(t->transport.context, 10000000000U) != XMTP_OK) {
            return XMTP_E_TIMEOUT;
        }
    }
}

static uint64_t id_of(xmtp_bytes message)
{
    xmtp_arena arena;
    void *p;
    xmtp_arena_init(&arena, &test_env()->alloc, (size_t)64 << 20);
    assert_int_equal(xmtp_proto_decode(&pb__group_message__descriptor, &arena, message, &p),
                     XMTP_OK);
    uint64_t id = ((const Pb__GroupMessage *)p)->v1->id;
    xmtp_arena_reset(&arena);
    return id;
}

static void calls_and_streams_work_over_the_network(void **state)
{
    (void)state;
    test_node t;
    xmtp_bytes message;
    open_on_network(&t, NULL);
    assert_int_equal(test_send(&t, "a", TEST_APPLICATION, 1, 250), XMTP_OK);
    assert_int_equal(test_query(&t, "a", 1, 100, 0)->n_messages, 100);
    assert_int_equal(test_send(&t, "", TEST_APPLICATION, 1, 1), XMTP_E_RPC_INVALID);
    assert_non_null(strstr(t.error.text, "group id"));
    assert_int_equal(test_call_bytes(&t, MLS "Nothing", (xmtp_bytes){0}), XMTP_E_RPC_UNIMPLEMENTED);
    xmtp_stream *stream = subscribe_all(&t, "a");
    for (uint64_t id = 1; id <= 250; id++) {
        assert_int_equal(wait_next(&t, stream, &message), XMTP_OK);
        assert_int_equal(id_of(message), id);
    }
    assert_int_equal(test_send(&t, "a", TEST_APPLICATION, 900, 5), XMTP_OK);
    for (uint64_t id = 251; id <= 255; id++) {
        assert_int_equal(wait_next(&t, stream, &message), XMTP_OK);
        assert_int_equal(id_of(message), id);
    }
    t.transport.unsubscribe(t.transport.context, stream);
    test_node_close(&t);
}

/* More than a connection's window and a stream's queue: the reader's pace decides. */
static void a_stream_of_large_messages_is_carried_whole(void **state)
{
    (void)state;
    test_node t;
    xmtp_bytes message;
    xmtp_writer data;
    open_on_network(&t, NULL);
    xmtp_writer_init(&data, &test_env()->alloc, XMTP_WRITER_MAX);
    xmtp_stream *stream = subscribe_all(&t, "big");
    for (uint64_t i = 0; i < 6; i++) {
        Pb__SendGroupMessagesRequest request = PB__SEND_GROUP_MESSAGES_REQUEST__INIT;
        Pb__GroupMessageInput input = PB__GROUP_MESSAGE_INPUT__INIT;
        Pb__GroupMessageInput__V1 v1 = PB__GROUP_MESSAGE_INPUT__V1__INIT;
        Pb__GroupMessageInput *inputs[] = {&input};
        test_message(&data, "big", TEST_APPLICATION, i, (size_t)(1 + i) << 20);
        v1.has_data = true;
        v1.data = xmtp_proto_data(xmtp_writer_bytes(&data));
        input.version_case = PB__GROUP_MESSAGE_INPUT__VERSION_V1;
        input.v1 = &v1;
        request.n_messages = 1;
        request.messages = inputs;
        assert_int_equal(test_call(&t, MLS "SendGroupMessages", &request.base, NULL, NULL),
                         XMTP_OK);
    }
    for (uint64_t id = 1; id <= 6; id++) {
        assert_int_equal(wait_next(&t, stream, &message), XMTP_OK);
        assert_true(message.n > id << 20);
        assert_int_equal(id_of(message), id);
    }
    xmtp_writer_free(&data);
    test_node_close(&t);
}

enum { CLIENTS = 4, SENDS = 60 };

typedef struct client_thread {
    xmtp_node *node;
    size_t index;
    pthread_t thread;
    xmtp_status status;
} client_thread;

static void *send_over_network(void *context)
{
    client_thread *c = context;
    char url[64];
    test_node t = {.node = c->node};
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", (unsigned)xmtp_node_port(c->node, 0));
    c->status = xmtp_grpc_transport_open(&t.transport, url, xmtp_env_system(), NULL, &t.error);
    xmtp_writer_init(&t.answer, &test_env()->alloc, XMTP_WRITER_MAX);
    for (size_t i = 0; i < SENDS && c->status == XMTP_OK; i++) {
        c->status = test_send(&t, "a", TEST_APPLICATION, c->index * 1000 + i, 1);
    }
    t.transport.close(t.transport.context);
    xmtp_writer_free(&t.answer);
    return NULL;
}

static void many_connections_at_once_lose_nothing(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    test_node t;
    client_thread clients[CLIENTS];
    open_on_network(&t, folder.path);
    xmtp_stream *stream = subscribe_all(&t, "a");
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i] = (client_thread){.node = t.node, .index = i};
        assert_int_equal(pthread_create(&clients[i].thread, NULL, send_over_network, &clients[i]),
                         0);
    }
    for (uint64_t id = 1; id <= (uint64_t)CLIENTS * SENDS; id++) {
        xmtp_bytes message;
        assert_int_equal(wait_next(&t, stream, &message), XMTP_OK);
        assert_int_equal(id_of(message), id);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        assert_int_equal(pthread_join(clients[i].thread, NULL), 0);
        assert_int_equal(clients[i].status, XMTP_OK);
    }
    test_node_close(&t);
    test_folder_remove(folder.path);
}

static int connect_to(const test_node *t)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(xmtp_node_port(t->node, 0)),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void peers_that_speak_something_else_are_dropped(void **state)
{
    (void)state;
    test_node t;
    open_on_network(&t, NULL);
    static const char *const words[] = {"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                                        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 some TLS",
                                        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n not frames at all"};
    for (size_t i = 0; i < 3; i++) {
        char buffer[4096];
        int fd = connect_to(&t);
        assert_int_equal(send(fd, words[i], strlen(words[i]), MSG_NOSIGNAL), strlen(words[i]));
        while (recv(fd, buffer, sizeof buffer, 0) > 0) {
        }
        (void)close(fd); /* the node closed it: recv came to an end */
    }
    int silent = connect_to(&t);
    assert_int_equal(test_send(&t, "a", TEST_APPLICATION, 1, 1), XMTP_OK);
    assert_int_equal(test_count(&t, "a"), 1);
    test_node_close(&t); /* does not wait for the silent one */
    (void)close(silent);
}

static void closing_the_node_ends_streams_and_calls(void **state)
{
    (void)state;
    test_node t;
    xmtp_bytes message;
    open_on_network(&t, NULL);
    xmtp_stream *stream = subscribe_all(&t, "a");
    assert_int_equal(test_send(&t, "a", TEST_APPLICATION, 1, 1), XMTP_OK);
    xmtp_node_close(t.node);
    t.node = NULL;
    xmtp_status status = wait_next(&t, stream, &message);
    assert_int_equal(status, XMTP_OK); /* it was published before */
    assert_int_equal(wait_next(&t, stream, &message), XMTP_E_RPC_UNAVAILABLE);
    assert_int_equal(test_send(&t, "a", TEST_APPLICATION, 2, 1), XMTP_E_NETWORK);
    test_node_close(&t);
}

/* As many connections as loops, twice: each loop has some, and each of them is served. */
static void every_loop_serves_its_connections_and_says_goodbye(void **state)
{
    (void)state;
    enum { CONNECTIONS = 6 };
    test_node t;
    test_node others[CONNECTIONS];
    xmtp_stream *streams[CONNECTIONS];
    xmtp_bytes message;
    char url[64];
    open_on_network(&t, NULL);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", (unsigned)xmtp_node_port(t.node, 0));
    for (size_t i = 0; i < CONNECTIONS; i++) {
        others[i] = (test_node){.node = NULL};
        assert_int_equal(
            xmtp_grpc_transport_open(&others[i].transport, url, xmtp_env_system(), NULL, &t.error),
            XMTP_OK);
        streams[i] = subscribe_all(&others[i], "a");
    }
    assert_int_equal(test_send(&t, "a", TEST_APPLICATION, 1, 1), XMTP_OK);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        assert_int_equal(wait_next(&others[i], streams[i], &message), XMTP_OK);
        assert_int_equal(id_of(message), 1);
    }
    xmtp_node_close(t.node);
    t.node = NULL;
    for (size_t i = 0; i < CONNECTIONS; i++) {
        assert_int_equal(wait_next(&others[i], streams[i], &message), XMTP_E_RPC_UNAVAILABLE);
        others[i].transport.close(others[i].transport.context);
    }
    test_node_close(&t);
}

static void addresses_that_cannot_be_used_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const wrong[] = {"127.0.0.1",    "127.0.0.1:",     ":5556",
                                        "[::1:5556",    "1.2.3.4:70000",  "host:5556x",
                                        "[]:1",         "localhost:5556", "127.0.0.1:55a6",
                                        "[1.2.3.4]:80", ":::5556"};
    xmtp_node *node;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        xmtp_error error = {0};
        xmtp_node_options options = {.listen = {wrong[i]}};
        assert_int_equal(xmtp_node_open(&node, &options, &error), XMTP_E_ARGUMENT);
        assert_non_null(strstr(error.text, wrong[i]));
    }
    test_node t;
    char taken[64];
    open_on_network(&t, NULL);
    (void)snprintf(taken, sizeof taken, "127.0.0.1:%u", (unsigned)xmtp_node_port(t.node, 0));
    xmtp_error error = {0};
    xmtp_node_options options = {.listen = {"127.0.0.1:0", taken}};
    assert_int_equal(xmtp_node_open(&node, &options, &error), XMTP_E_NETWORK);
    assert_non_null(strstr(error.text, "in use"));
    test_node_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_and_streams_work_over_the_network),
        cmocka_unit_test(a_stream_of_large_messages_is_carried_whole),
        cmocka_unit_test(many_connections_at_once_lose_nothing),
        cmocka_unit_test(peers_that_speak_something_else_are_dropped),
        cmocka_unit_test(closing_the_node_ends_streams_and_calls),
        cmocka_unit_test(every_loop_serves_its_connections_and_says_goodbye),
        cmocka_unit_test(addresses_that_cannot_be_used_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
