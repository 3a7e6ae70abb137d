/* admission_test.c - limits and lists as they look over the network. */
#include "node/test_folder.h"
#include "node/test_node.h"
#include "node/test_peer.h"
#include "rpc/grpc_transport.h"

static xmtp_node *open_node(const xmtp_node_rates *rates)
{
    xmtp_node *node;
    xmtp_error error = {0};
    xmtp_node_options options = {
        .env = test_env(), .listen = {"127.0.0.1:0"}, .loops = 1, .rates = *rates};
    if (xmtp_node_open(&node, &options, &error) != XMTP_OK) {
        fail_msg("%s", error.text);
    }
    return node;
}

static void query(peer *p, const char *field)
{
    static const char body[] = "\0\0\0\0\3\x0a\1a"; /* group_id "a" */
    char head[512];
    peer_forget(p);
    (void)snprintf(head, sizeof head,
                   "POST " MLS "QueryGroupMessages HTTP/1.1\r\nHost: x\r\n"
                   "Content-Type: application/grpc-web+proto\r\n%sContent-Length: %zu\r\n\r\n",
                   field, sizeof body - 1);
    assert_true(peer_say(p, head));
    assert_true(peer_say_bytes(p, body, sizeof body - 1));
}

static void a_limit_is_told_with_what_is_left_and_when_to_come_back(void **state)
{
    (void)state;
    xmtp_node *node = open_node(&(xmtp_node_rates){.reads = 2});
    peer p = peer_open(xmtp_node_port(node, 0));
    query(&p, "");
    assert_true(peer_wait(&p, "x-ratelimit-remaining: 1\r\n"));
    assert_non_null(peer_find(&p, "grpc-status: 0"));
    assert_non_null(peer_find(&p, "x-ratelimit-limit: 2\r\n"));
    query(&p, "");
    assert_true(peer_wait(&p, "x-ratelimit-remaining: 0\r\n"));
    query(&p, "");
    assert_true(peer_wait(&p, "retry-after-ms: "));
    assert_non_null(peer_find(&p, "grpc-status: 8"));
    assert_non_null(peer_find(&p, "error-code: RATE_LIMIT"));
    assert_non_null(peer_find(&p, "rate limit of 2 is used up, 0 are left"));
    peer_forget(&p);
    assert_true(peer_say(&p, "POST /mls/v1/query-group-messages HTTP/1.1\r\nHost: x\r\n"
                             "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"));
    assert_true(peer_wait(&p, "HTTP/1.1 429 "));
    assert_true(peer_wait(&p, "retry-after-ms: "));
    peer_close(&p);
    xmtp_node_close(node);
}

static void native_clients_get_resource_exhausted(void **state)
{
    (void)state;
    char url[64];
    xmtp_transport transport;
    xmtp_error error = {0};
    xmtp_writer answer;
    xmtp_node *node = open_node(&(xmtp_node_rates){.reads = 1});
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", (unsigned)xmtp_node_port(node, 0));
    assert_int_equal(xmtp_grpc_transport_open(&transport, url, xmtp_env_system(), NULL, &error),
                     XMTP_OK);
    xmtp_writer_init(&answer, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    assert_int_equal(transport.unary(transport.context, MLS "QueryGroupMessages",
                                     xmtp_bytes_of("\x0a\1a", 3), &answer, &error),
                     XMTP_OK);
    assert_int_equal(transport.unary(transport.context, MLS "QueryGroupMessages",
                                     xmtp_bytes_of("\x0a\1a", 3), &answer, &error),
                     XMTP_E_RPC_EXHAUSTED);
    assert_non_null(strstr(error.text, "try again in"));
    xmtp_writer_free(&answer);
    transport.close(transport.context);
    xmtp_node_close(node);
}

static void keys_and_denied_addresses_work_over_the_network(void **state)
{
    (void)state;
    test_folder folder = test_folder_make_fast();
    char keys[300];
    char deny[300];
    static const char key[] = "0123456789abcdef\n";
    (void)snprintf(keys, sizeof keys, "%s/keys", folder.path);
    (void)snprintf(deny, sizeof deny, "%s/deny", folder.path);
    test_file_write(keys, (const unsigned char *)key, sizeof key - 1);
    test_file_write(deny, (const unsigned char *)"# nobody\n", 9);
    xmtp_node *node =
        open_node(&(xmtp_node_rates){.reads = 1, .api_key_file = keys, .deny_file = deny});
    peer p = peer_open(xmtp_node_port(node, 0));
    for (int i = 0; i < 3; i++) {
        query(&p, "X-Api-Key: 0123456789abcdef\r\n");
        assert_true(peer_wait(&p, "grpc-status: 0"));
        assert_null(peer_find(&p, "x-ratelimit-limit: "));
    }
    assert_int_equal(unlink(deny), 0);
    test_file_write(deny, (const unsigned char *)"127.0.0.0/8\n", 12);
    assert_int_equal(xmtp_node_reload(node, NULL), XMTP_OK);
    query(&p, "");
    assert_true(peer_wait(&p, "grpc-status: 7\r\ngrpc-message: request blocked"));
    peer_close(&p);
    xmtp_node_close(node);
    test_folder_remove(folder.path);
}

static void without_limits_nothing_is_told_about_them(void **state)
{
    (void)state;
    xmtp_node *node = open_node(&(xmtp_node_rates){.reads = 0});
    peer p = peer_open(xmtp_node_port(node, 0));
    query(&p, "");
    assert_true(peer_wait(&p, "grpc-status: 0"));
    assert_null(peer_find(&p, "x-ratelimit-limit: "));
    peer_close(&p);
    xmtp_node_close(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limit_is_told_with_what_is_left_and_when_to_come_back),
        cmocka_unit_test(native_clients_get_resource_exhausted),
        cmocka_unit_test(keys_and_denied_addresses_work_over_the_network),
        cmocka_unit_test(without_limits_nothing_is_told_about_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
