/* tls_test.c - clients, a host and an agent with a node over TLS, on loopback: the node is closed and
 * opened again with other certificates while they are there. */
#include "rpc/test_certificate.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
// cmocka wants the headers above first
#include <cmocka.h>

#include <xmtp/agent.h>
#include <xmtp/client.h>
#include <xmtp/connection.h>
#include <xmtp/host.h>
#include <xmtp/node.h>

enum { PATH_LEN = 96, TEXTS_LEN = 64, POLLS_MAX = 100 };

static const uint64_t second_ns = UINT64_C(1000000000);

static struct {
    char dir[PATH_LEN / 2];
    char data[PATH_LEN];
    char trusted[PATH_LEN];
    char certificate[PATH_LEN];
    char key[PATH_LEN];
    test_authority authority;
    test_authority stranger;
    xmtp_node *node;
    unsigned port;
    char url[64];
    uint64_t ahead_ns; /* of the clients' clock: waiting for another try costs no time */
    xmtp_env env;
} world;

static uint64_t world_now_ns(void *context)
{
    (void)context;
    return xmtp_env_system()->now_ns(NULL) + world.ahead_ns;
}

static void world_sleep_ns(void *context, uint64_t ns)
{
    (void)context;
    world.ahead_ns += ns;
}

/* ---- the node */

static void certify(const test_authority *issuer)
{
    const test_subject subject = {
        .common_name = "node", .names = "DNS:localhost,IP:127.0.0.1", .from_s = -60, .to_s = 3600};
    test_authority_issue(issuer, world.certificate, world.key, &subject);
}

static void start_node(bool is_tls)
{
    char address[32];
    xmtp_error error = {0};
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", world.port);
    const xmtp_node_options options = {.data_dir = world.data,
                                       .listen = {address},
                                       .loops = 1,
                                       .tls_certificate = is_tls ? world.certificate : NULL,
                                       .tls_key = is_tls ? world.key : NULL};
    if (xmtp_node_open(&world.node, &options, &error) != XMTP_OK) {
        fail_msg("node: %s", error.text);
    }
    world.port = xmtp_node_port(world.node, 0);
    (void)snprintf(world.url, sizeof world.url, "https://127.0.0.1:%u", world.port);
}

static void restart_node(const test_authority *issuer)
{
    xmtp_node_close(world.node);
    certify(issuer);
    start_node(true);
}

static int set_up(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    world.env = *xmtp_env_system();
    world.env.now_ns = world_now_ns;
    world.env.sleep_ns = world_sleep_ns;
    (void)snprintf(world.dir, sizeof world.dir, "/tmp/xmtp-tls-XXXXXX");
    assert_non_null(mkdtemp(world.dir));
    (void)snprintf(world.data, sizeof world.data, "%s/node", world.dir);
    (void)snprintf(world.trusted, sizeof world.trusted, "%s/trusted.pem", world.dir);
    (void)snprintf(world.certificate, sizeof world.certificate, "%s/c.pem", world.dir);
    (void)snprintf(world.key, sizeof world.key, "%s/k.pem", world.dir);
    world.authority = test_authority_make("Known Authority");
    world.stranger = test_authority_make("Strange Authority");
    test_pem_write(world.trusted, world.authority.certificate, NULL);
    certify(&world.authority);
    start_node(true);
    return 0;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    xmtp_node_close(world.node);
    test_authority_free(&world.authority);
    test_authority_free(&world.stranger);
    return nftw(world.dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- clients */

static xmtp_client_options options_of(const char *url)
{
    return (xmtp_client_options){
        .node_url = url, .node_authorities = world.trusted, .env = &world.env};
}

static xmtp_client *client_at(const char *url)
{
    xmtp_client *client;
    xmtp_error error = {0};
    const xmtp_client_options options = options_of(url);
    if (xmtp_client_open(&client, &options, &error) != XMTP_OK) {
        fail_msg("client: %s", error.text);
    }
    return client;
}

static xmtp_status put_text(void *context, const xmtp_message *message)
{
    char *texts = context;
    if (message->text != NULL) {
        (void)strncat(texts, message->text, TEXTS_LEN - strlen(texts) - 2);
        (void)strcat(texts, "|");
    }
    return XMTP_OK;
}

static void assert_texts(xmtp_client *client, const char *expected)
{
    char texts[TEXTS_LEN] = "";
    const xmtp_message_query all = {0};
    xmtp_error error = {0};
    assert_int_equal(xmtp_client_messages(client, &all, put_text, texts, &error), XMTP_OK);
    assert_string_equal(texts, expected);
}

/* The next poll with this status, skipping those that only say that the node went. */
static void poll_until(xmtp_client *client, xmtp_status status, xmtp_error *error)
{
    for (int i = 0; i < POLLS_MAX; i++) {
        world.ahead_ns += 60 * second_ns; /* beyond any back-off */
        if (xmtp_client_poll(client, second_ns / 20, error) == status) {
            return;
        }
    }
    fail_msg("no poll gave %s, the last said: %s", xmtp_status_name(status), error->text);
}

static void say(xmtp_client *client, const xmtp_conversation_id *dm, const char *text)
{
    xmtp_error error = {0};
    if (xmtp_client_send_text(client, dm, text, NULL, &error) != XMTP_OK) {
        fail_msg("send: %s", error.text);
    }
}

static void make_dm(xmtp_client *a, xmtp_client *b, xmtp_conversation_id *dm)
{
    xmtp_error error = {0};
    assert_int_equal(xmtp_client_dm(a, xmtp_client_address(b), dm, &error), XMTP_OK);
}

static void assert_says(const xmtp_error *error, const char *part)
{
    if (strstr(error->text, part) == NULL) {
        fail_msg("'%s' does not say '%s'", error->text, part);
    }
}

/* ---- facts */

static void clients_create_send_sync_and_stream_over_tls(void **state)
{
    (void)state;
    char by_name[64];
    xmtp_error error = {0};
    xmtp_conversation_id dm;
    (void)snprintf(by_name, sizeof by_name, "https://localhost:%u/", world.port);
    xmtp_client *a = client_at(world.url);
    xmtp_client *b = client_at(by_name);
    poll_until(b, XMTP_E_TIMEOUT, &error);
    make_dm(a, b, &dm);
    say(a, &dm, "1");
    poll_until(b, XMTP_E_TIMEOUT, &error);
    assert_texts(b, "1|");
    say(b, &dm, "2");
    assert_int_equal(xmtp_client_sync(a, &error), XMTP_OK);
    assert_texts(a, "1|2|");
    xmtp_client_close(a);
    xmtp_client_close(b);
}

/* a has said "1" to b, who follows. */
static void open_talking(xmtp_client **a, xmtp_client **b, xmtp_conversation_id *dm)
{
    xmtp_error error = {0};
    *a = client_at(world.url);
    *b = client_at(world.url);
    make_dm(*a, *b, dm);
    say(*a, dm, "1");
    poll_until(*b, XMTP_E_TIMEOUT, &error);
}

static void a_new_certificate_of_the_same_authority_is_taken(void **state)
{
    (void)state;
    xmtp_error error = {0};
    xmtp_conversation_id dm;
    xmtp_client *a;
    xmtp_client *b;
    open_talking(&a, &b, &dm);
    restart_node(&world.authority);
    say(a, &dm, "2");
    poll_until(b, XMTP_E_TIMEOUT, &error);
    assert_texts(b, "1|2|");
    xmtp_client_close(a);
    xmtp_client_close(b);
}

static void a_strangers_certificate_is_told_by_every_poll_and_nothing_is_lost(void **state)
{
    (void)state;
    xmtp_error error = {0};
    xmtp_conversation_id dm;
    xmtp_client *a;
    xmtp_client *b;
    open_talking(&a, &b, &dm);
    restart_node(&world.stranger);
    assert_int_equal(xmtp_client_send_text(a, &dm, "2", NULL, &error), XMTP_E_UNTRUSTED);
    assert_says(&error, "by Strange Authority, an authority that is not trusted here");
    for (int i = 0; i < 5; i++) { /* more than a message has tries for other reasons */
        assert_int_equal(xmtp_client_sync(a, &error), XMTP_E_UNTRUSTED);
    }
    poll_until(b, XMTP_E_UNTRUSTED, &error);
    assert_int_equal(xmtp_client_poll(b, 0, &error),
                     XMTP_E_UNTRUSTED); /* within the back-off too */
    assert_says(&error, "Strange Authority");
    restart_node(&world.authority);
    assert_int_equal(xmtp_client_sync(a, &error), XMTP_OK);
    poll_until(b, XMTP_E_TIMEOUT, &error);
    assert_texts(b, "1|2|");
    xmtp_client_close(a);
    xmtp_client_close(b);
}

static uint32_t member_count(xmtp_client *client, const xmtp_conversation_id *group)
{
    xmtp_error error = {0};
    xmtp_conversation c;
    assert_int_equal(xmtp_client_conversation(client, group, &c, &error), XMTP_OK);
    return c.member_count;
}

/* A change that was asked for is kept, however often the node is not trusted meanwhile. */
static void who_is_to_be_removed_is_removed_once_the_node_is_trusted(void **state)
{
    (void)state;
    xmtp_error error = {0};
    xmtp_conversation_id group;
    xmtp_client *a = client_at(world.url);
    xmtp_client *b = client_at(world.url);
    const char *members[] = {xmtp_client_inbox_id(b)};
    assert_int_equal(xmtp_client_group_create(a, "both", members, 1, &group, &error), XMTP_OK);
    restart_node(&world.stranger);
    assert_int_equal(xmtp_client_group_remove(a, &group, members, 1, &error), XMTP_E_UNTRUSTED);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(xmtp_client_sync(a, &error), XMTP_E_UNTRUSTED);
    }
    assert_int_equal(member_count(a, &group), 2);
    restart_node(&world.authority);
    assert_int_equal(xmtp_client_sync(a, &error), XMTP_OK);
    assert_int_equal(member_count(a, &group), 1);
    xmtp_client_close(a);
    xmtp_client_close(b);
}

static void who_does_not_know_the_authority_registers_nothing(void **state)
{
    (void)state;
    xmtp_error error = {0};
    xmtp_client *client;
    xmtp_client_options options = options_of(world.url);
    test_pem_write(world.trusted, world.stranger.certificate, NULL);
    assert_int_equal(xmtp_client_open(&client, &options, &error), XMTP_E_UNTRUSTED);
    assert_says(&error, "certificate of 127.0.0.1 is by Known Authority");
    assert_null(client);
    options.node_authorities = "/nowhere/ca.pem";
    assert_int_equal(xmtp_client_open(&client, &options, &error), XMTP_E_IO);
}

static void clear_text_and_tls_do_not_take_each_other(void **state)
{
    (void)state;
    char clear[64];
    xmtp_error error = {0};
    xmtp_client *client;
    xmtp_client_options options = {.node_url = clear, .env = &world.env};
    (void)snprintf(clear, sizeof clear, "http://127.0.0.1:%u", world.port);
    assert_int_equal(xmtp_client_open(&client, &options, &error), XMTP_E_NETWORK);
    xmtp_node_close(world.node);
    start_node(false);
    options = options_of(world.url);
    assert_int_equal(xmtp_client_open(&client, &options, &error), XMTP_E_TLS);
    assert_says(&error, "127.0.0.1 ");
}

static void a_connection_and_a_host_trust_whom_they_are_told_to(void **state)
{
    (void)state;
    xmtp_error error = {0};
    struct xmtp_transport *connection;
    xmtp_client *client;
    xmtp_host *host;
    assert_int_equal(xmtp_connection_open(&connection, world.url, NULL, &world.env, &error),
                     XMTP_OK);
    assert_int_equal(xmtp_connection_trust(connection, world.trusted, &error), XMTP_OK);
    assert_int_equal(xmtp_connection_trust(connection, world.trusted, &error), XMTP_E_STATE);
    xmtp_client_options own = {.transport = connection, .env = &world.env};
    assert_int_equal(xmtp_client_open(&client, &own, &error), XMTP_OK);
    xmtp_client_close(client);
    own.node_authorities = world.trusted;
    assert_int_equal(xmtp_client_open(&client, &own, &error), XMTP_E_ARGUMENT);
    const xmtp_host_options both = {.transport = connection, .node_authorities = world.trusted};
    assert_int_equal(xmtp_host_open(&host, &both, &error), XMTP_E_ARGUMENT);
    xmtp_connection_close(connection);
    assert_int_equal(xmtp_connection_open(&connection, "http://127.0.0.1:1", NULL, NULL, &error),
                     XMTP_OK);
    assert_int_equal(xmtp_connection_trust(connection, world.trusted, &error), XMTP_E_ARGUMENT);
    xmtp_connection_close(connection);
}

static void host_poll_until(xmtp_host *host, xmtp_status status, xmtp_error *error)
{
    xmtp_client *of;
    for (int i = 0; i < POLLS_MAX; i++) {
        world.ahead_ns += 60 * second_ns;
        if (xmtp_host_poll(host, second_ns / 20, &of, error) == status) {
            return;
        }
    }
    fail_msg("no poll gave %s, the last said: %s", xmtp_status_name(status), error->text);
}

static void a_host_tells_whom_it_does_not_trust(void **state)
{
    (void)state;
    xmtp_error error = {0};
    xmtp_host *host;
    xmtp_client *client;
    xmtp_client *of;
    const xmtp_host_options options = {
        .node_url = world.url, .node_authorities = world.trusted, .env = &world.env};
    const xmtp_client_options own = {0};
    assert_int_equal(xmtp_host_open(&host, &options, &error), XMTP_OK);
    assert_int_equal(xmtp_host_client_open(host, &client, &own, &error), XMTP_OK);
    host_poll_until(host, XMTP_E_TIMEOUT, &error);
    restart_node(&world.stranger);
    host_poll_until(host, XMTP_E_UNTRUSTED, &error);
    assert_says(&error, "Strange Authority");
    assert_int_equal(xmtp_host_poll(host, 0, &of, &error), XMTP_E_UNTRUSTED);
    assert_says(&error, "still away");
    restart_node(&world.authority);
    host_poll_until(host, XMTP_E_TIMEOUT, &error);
    xmtp_host_close(host);
}

/* ---- an agent */

static xmtp_status told[POLLS_MAX];
static size_t told_count;

static void on_connection(xmtp_agent *agent, const xmtp_error *error, void *context)
{
    (void)agent;
    (void)context;
    told[told_count++ % POLLS_MAX] = error->status;
}

static void on_message(xmtp_agent *agent, const xmtp_message *message, const xmtp_user *user,
                       void *context)
{
    (void)agent;
    (void)message;
    (void)user;
    (void)context;
}

static void step_until_told(xmtp_agent *agent, xmtp_status status)
{
    uint64_t next_ns;
    for (int i = 0; i < POLLS_MAX; i++) {
        world.ahead_ns += 60 * second_ns;
        (void)!xmtp_agent_step(agent, &next_ns);
        if (told_count > 0 && told[(told_count - 1) % POLLS_MAX] == status) {
            return;
        }
    }
    fail_msg("the agent was not told %s", xmtp_status_name(status));
}

static void an_agent_is_told_and_goes_on(void **state)
{
    (void)state;
    xmtp_error error = {0};
    xmtp_agent *agent;
    uint64_t next_ns;
    const xmtp_agent_options options = {.node_url = world.url,
                                        .node_authorities = world.trusted,
                                        .env = &world.env,
                                        .on_message = on_message,
                                        .on_connection = on_connection,
                                        .error = &error};
    told_count = 0;
    assert_int_equal(xmtp_agent_open(&agent, &options), XMTP_OK);
    (void)!xmtp_agent_step(agent, &next_ns);
    xmtp_node_close(world.node);
    world.node = NULL;
    step_until_told(agent, XMTP_E_NETWORK);
    certify(&world.stranger);
    start_node(true);
    step_until_told(agent, XMTP_E_UNTRUSTED);
    restart_node(&world.authority);
    step_until_told(agent, XMTP_OK);
    xmtp_agent_close(agent);
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(clients_create_send_sync_and_stream_over_tls),
        FACT(a_new_certificate_of_the_same_authority_is_taken),
        FACT(a_strangers_certificate_is_told_by_every_poll_and_nothing_is_lost),
        FACT(who_is_to_be_removed_is_removed_once_the_node_is_trusted),
        FACT(who_does_not_know_the_authority_registers_nothing),
        FACT(clear_text_and_tls_do_not_take_each_other),
        FACT(a_connection_and_a_host_trust_whom_they_are_told_to),
        FACT(a_host_tells_whom_it_does_not_trust),
        FACT(an_agent_is_told_and_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
