/* metrics_test.c - the admin pages over HTTP, and what they count. */
#include "node/metrics.h"

#include "node/test_folder.h"
#include "node/test_node.h"
#include "node/test_peer.h"

#include <signal.h>
#include <sys/resource.h>

typedef struct admin {
    test_node node;
    peer page;   /* to the admin address */
    peer client; /* to the other */
} admin;

static void open_admin(admin *a, const char *dir)
{
    xmtp_error error = {0};
    *a = (admin){.node = {.node = NULL}};
    xmtp_node_options options = {.env = test_env(),
                                 .data_dir = dir,
                                 .listen = {"admin=127.0.0.1:0", "127.0.0.1:0"},
                                 .loops = 1};
    if (xmtp_node_open(&a->node.node, &options, &error) != XMTP_OK) {
        fail_msg("%s", error.text);
    }
    assert_int_equal(xmtp_node_transport(a->node.node, &a->node.transport), XMTP_OK);
    xmtp_arena_init(&a->node.arena, &test_env()->alloc, (size_t)1 << 30);
    xmtp_writer_init(&a->node.answer, &test_env()->alloc, XMTP_WRITER_MAX);
    a->page = peer_open(xmtp_node_port(a->node.node, 0));
    a->client = peer_open(xmtp_node_port(a->node.node, 1));
}

static void close_admin(admin *a)
{
    peer_close(&a->page);
    peer_close(&a->client);
    test_node_close(&a->node);
}

static void get(peer *p, const char *target, const char *last_words)
{
    char head[256];
    peer_forget(p);
    (void)snprintf(head, sizeof head, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target);
    assert_true(peer_say(p, head));
    if (!peer_wait(p, last_words)) {
        fail_msg("no %s in %s", last_words, p->heard);
    }
}

static void counters_follow_what_happens(void **state)
{
    (void)state;
    static const char body[] = "\0\0\0\0\0";
    admin a;
    open_admin(&a, NULL);
    assert_int_equal(test_send(&a.node, "a", TEST_APPLICATION, 1, 3), XMTP_OK);
    assert_true(peer_say(&a.client, "POST " MLS "QueryGroupMessages HTTP/1.1\r\nHost: x\r\n"
                                    "Content-Type: application/grpc-web\r\n"
                                    "Content-Length: 5\r\n\r\n"));
    assert_true(peer_say_bytes(&a.client, body, 5));
    assert_true(peer_wait(&a.client, "grpc-status: 3"));
    get(&a.page, "/metrics", "xmtp_node_append_seconds_count 1\n");
    static const char *const lines[] = {
        "# HELP xmtp_node_storing ",
        "# TYPE xmtp_node_storing gauge\nxmtp_node_storing 1\n",
        "xmtp_node_stored_total{kind=\"group_message\"} 3\n",
        "xmtp_node_stored_total{kind=\"welcome\"} 0\n",
        "xmtp_node_topics 1\n",
        "xmtp_node_log_segments 1\n",
        "xmtp_node_connections 2\n",
        "xmtp_node_calls_total{class=\"read\"} 1\n",
        "xmtp_node_calls_ended_total{code=\"3\"} 1\n",
        "# TYPE xmtp_node_append_seconds histogram\n",
        "xmtp_node_append_seconds_bucket{le=\"+Inf\"} 1\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (peer_find(&a.page, lines[i]) == NULL) {
            fail_msg("no %s in %s", lines[i], a.page.heard);
        }
    }
    close_admin(&a);
}

static void the_same_figures_are_json_and_a_page_with_the_limits(void **state)
{
    (void)state;
    admin a;
    open_admin(&a, NULL);
    get(&a.page, "/status.json", "\n}\n");
    assert_non_null(peer_find(&a.page, "application/json\r\n"));
    assert_non_null(peer_find(&a.page, "{\n\"storing\": 1,\n"));
    assert_non_null(peer_find(&a.page, "\"stored_total{kind='welcome'}\": 0,\n"));
    get(&a.page, "/status", "<td>index-bytes-max</td>");
    assert_non_null(
        peer_find(&a.page, "<td>group-message-bytes-max</td><td class=n>26214400</td>"));
    assert_non_null(peer_find(&a.page, "<td>rate-reads</td><td class=n>0</td>"));
    close_admin(&a);
}

static void clients_do_not_see_the_pages_and_operators_nothing_else(void **state)
{
    (void)state;
    admin a;
    open_admin(&a, NULL);
    get(&a.client, "/metrics", "404");
    get(&a.client, "/status", "404");
    get(&a.page, "/mls/v1/query-group-messages", "404");
    peer_forget(&a.page);
    assert_true(
        peer_say(&a.page, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"));
    assert_true(peer_wait(&a.page, "405"));
    close_admin(&a);
}

static void health_follows_the_disk(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    struct rlimit old;
    admin a;
    open_admin(&a, folder.path);
    get(&a.page, "/healthz", "storing\n");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    struct rlimit tight = {.rlim_cur = 1024, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    xmtp_status refused = test_send(&a.node, "a", TEST_APPLICATION, 4, 30);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(refused, XMTP_E_RPC_UNAVAILABLE);
    get(&a.page, "/healthz", "nothing can be stored\n");
    assert_non_null(peer_find(&a.page, "HTTP/1.1 503 "));
    get(&a.page, "/metrics", "xmtp_node_append_failures_total 1\n");
    assert_int_equal(test_send(&a.node, "a", TEST_APPLICATION, 4, 30), XMTP_OK);
    get(&a.page, "/healthz", "HTTP/1.1 200 ");
    close_admin(&a);
    test_folder_remove(folder.path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_follow_what_happens),
        cmocka_unit_test(the_same_figures_are_json_and_a_page_with_the_limits),
        cmocka_unit_test(clients_do_not_see_the_pages_and_operators_nothing_else),
        cmocka_unit_test(health_follows_the_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
