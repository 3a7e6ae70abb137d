/* setup_test.c - less common ways to set a client up: names of networks, chores, waiting to be seen. */
#include "one_network.h"
#include "signers.h"

#include <xmtp/setup.h>

/* ---- names of networks */

static void networks_have_the_official_names(void **state)
{
    (void)state;
    person p = {.net = &net};
    const char *url;
    assert_ok(&p, xmtp_network_url("local", &url, &p.error));
    assert_string_equal(url, "http://localhost:5556");
    assert_ok(&p, xmtp_network_url("dev", &url, &p.error));
    assert_string_equal(url, "https://grpc.dev.xmtp.network:443");
    assert_ok(&p, xmtp_network_url("production", &url, &p.error));
    assert_string_equal(url, "https://grpc.production.xmtp.network:443");
    assert_refused(&p, xmtp_network_url("testnet", &url, &p.error), XMTP_E_UNSUPPORTED,
                   "decentralised");
    assert_refused(&p, xmtp_network_url("loca", &url, &p.error), XMTP_E_NOT_FOUND, "\"loca\"");
    assert_null(url);
}

static void a_name_may_stand_for_an_address(void **state)
{
    (void)state;
    person p = {.net = &net};
    xmtp_client_options options = {
        .node_url = "production", .node_authorities = "/nowhere/ca.pem", .env = &net.env};
    assert_refused(&p, xmtp_client_open(&p.client, &options, &p.error), XMTP_E_IO,
                   "/nowhere/ca.pem"); /* it is an https address; nothing was sent */
    options.node_url = "local";
    assert_refused(&p, xmtp_client_open(&p.client, &options, &p.error), XMTP_E_ARGUMENT,
                   "nothing is encrypted to localhost:5556");
    options.node_authorities = NULL;
    options.node_url = "mainnet";
    assert_refused(&p, xmtp_client_open(&p.client, &options, &p.error), XMTP_E_UNSUPPORTED,
                   "decentralised");
    options.node_url = "nowhere";
    assert_refused(&p, xmtp_client_open(&p.client, &options, &p.error), XMTP_E_NOT_FOUND,
                   "nowhere");
    options.node_url = "ftp://a";
    assert_refused(&p, xmtp_client_open(&p.client, &options, &p.error), XMTP_E_ARGUMENT, "http://");
}

/* ---- credentials (how they are sent: rpc.credential, rpc.grpc_transport) */

static xmtp_status no_credential(void *context, xmtp_credential *out)
{
    (void)context;
    (void)out;
    return XMTP_E_AUTH;
}

static void a_client_sends_nothing_without_the_credential_that_it_is_to_have(void **state)
{
    (void)state;
    person p = {.net = &net};
    const xmtp_setup setup = {.credentials = {.get = no_credential}};
    xmtp_client_options options = {
        .node_url = "http://127.0.0.1:1", .env = &net.env, .setup = &setup};
    assert_refused(&p, xmtp_client_open(&p.client, &options, &p.error), XMTP_E_AUTH,
                   "no credential for the gateway");
    wire_open(&p.wire, &net);
    options.transport = &p.wire.outer;
    assert_refused(&p, xmtp_client_open(&p.client, &options, &p.error), XMTP_E_ARGUMENT,
                   "credentials go with node_url");
    p.wire.inner.close(p.wire.inner.context);
}

static void a_credential_does_not_travel_in_clear_text_unless_it_may(void **state)
{
    (void)state;
    person p = {.net = &net};
    xmtp_setup setup = {.credentials = {.get = no_credential}};
    const xmtp_client_options options = {
        .node_url = "http://192.0.2.1:5556", .env = &net.env, .setup = &setup};
    assert_refused(&p, xmtp_client_open(&p.client, &options, &p.error), XMTP_E_ARGUMENT,
                   "a credential would travel in clear text to 192.0.2.1:5556");
    setup.credentials.may_travel_in_clear = true;
    assert_refused(&p, xmtp_client_open(&p.client, &options, &p.error), XMTP_E_AUTH,
                   "no credential for the gateway"); /* asked for, before anything is connected */
}

/* ---- being seen */

static void an_installation_that_is_shown_is_not_waited_for(void **state)
{
    (void)state;
    person p;
    person_open(&p, &net);
    uint64_t before_ns = net.clock_ns;
    assert_ok(&p, xmtp_client_wait_visible(p.client, NULL, &p.error));
    assert_int_equal(net.clock_ns, before_ns);
    person_close(&p);
}

static void waiting_outlasts_a_node_that_is_away_for_a_while(void **state)
{
    (void)state;
    person p;
    person_open(&p, &net);
    p.wire.cut_from = p.wire.calls + 1;
    p.wire.cut_count = 8;
    assert_ok(&p, xmtp_client_wait_visible(p.client, NULL, &p.error));
    person_close(&p);
}

static void waiting_ends_with_what_is_missing(void **state)
{
    (void)state;
    person p;
    xmtp_node *empty;
    const xmtp_node_options options = {0};
    xmtp_transport first;
    const xmtp_visibility brief = {.timeout_ns = UINT64_C(3000000000)};
    const xmtp_visibility many = {.quorum_nodes = 3};
    person_open(&p, &net);
    assert_refused(&p, xmtp_client_wait_visible(p.client, &many, &p.error), XMTP_E_ARGUMENT,
                   "3 nodes are to show it, of 1");
    assert_ok(&p, xmtp_node_open(&empty, &options, &p.error));
    first = p.wire.inner;
    assert_int_equal(xmtp_node_transport(empty, &p.wire.inner), XMTP_OK);
    uint64_t before_ns = net.clock_ns;
    assert_refused(&p, xmtp_client_wait_visible(p.client, &brief, &p.error), XMTP_E_TIMEOUT,
                   "after 3000 ms the node does not show the installation in its inbox");
    assert_int_equal(net.clock_ns - before_ns, UINT64_C(3000000000));
    p.wire.inner.close(p.wire.inner.context);
    p.wire.inner = first;
    xmtp_node_close(empty);
    p.wire.cut_from = 1;
    p.wire.cut_count = UINT64_MAX / 2;
    assert_refused(&p, xmtp_client_wait_visible(p.client, NULL, &p.error), XMTP_E_TIMEOUT,
                   "does not show itself");
    assert_true(net.clock_ns - before_ns >= UINT64_C(33000000000));
    person_close(&p);
}

/* ---- chores */

static void open_with(person *p, const xmtp_setup *setup)
{
    memset(p, 0, sizeof(*p));
    p->net = &net;
    p->has_file = true;
    p->setup = setup;
    person_new_key(p);
    (void)snprintf(p->path, sizeof(p->path), "%s/set-up.db", net.folder);
    wire_open(&p->wire, &net);
    assert_ok(p, person_try_open(p));
}

static uint64_t uploads(const person *p)
{
    xmtp_api_statistics s;
    xmtp_client_api_statistics(p->client, &s);
    return s.upload_key_package;
}

static void a_chore_that_is_switched_off_is_not_done(void **state)
{
    (void)state;
    static const uint64_t DAY_S = 86400;
    const xmtp_setup off = {.chores = {.disabled = XMTP_CHORE_KEY_PACKAGES}};
    person p;
    open_with(&p, &off);
    network_advance(&net, 31 * DAY_S);
    sync_all(&p);
    assert_int_equal(uploads(&p), 1);
    p.setup = NULL;
    net.clock_ns -= 31 * DAY_S * UINT64_C(1000000000);
    person_reopen(&p);
    assert_ok(&p, xmtp_client_rotate_key_package(p.client, &p.error)); /* by hand it still works */
    person_close(&p);
}

static void expired_messages_wait_for_the_application_if_it_wants(void **state)
{
    (void)state;
    const xmtp_setup off = {.chores = {.disabled = XMTP_CHORE_DISAPPEARING}};
    person p;
    xmtp_conversation_id group;
    size_t count;
    uint64_t second_ns = UINT64_C(1000000000);
    open_with(&p, &off);
    assert_ok(&p, xmtp_client_group_create(p.client, "g", NULL, 0, &group, &p.error));
    assert_ok(&p, xmtp_client_set_disappearing(p.client, &group, 1, 10 * second_ns, &p.error));
    send_text(&p, &group, "gone in ten seconds");
    network_advance(&net, 20);
    sync_all(&p);
    assert_ok(&p, xmtp_client_poll(p.client, 0, &p.error));
    assert_int_equal(xmtp_client_poll(p.client, second_ns, &p.error), XMTP_E_TIMEOUT);
    assert_ok(&p, xmtp_client_delete_expired(p.client, &count, &p.error));
    assert_int_equal(count, 1);
    person_close(&p);
}

static void the_commit_log_is_compared_as_often_as_was_asked(void **state)
{
    (void)state;
    const xmtp_setup hourly = {
        .chores = {.commit_log_interval_ns = UINT64_C(3600) * UINT64_C(1000000000)}};
    person p;
    xmtp_conversation_id group;
    xmtp_api_statistics s;
    open_with(&p, &hourly);
    assert_ok(&p, xmtp_client_group_create(p.client, "g", NULL, 0, &group, &p.error));
    sync_all(&p);
    xmtp_client_api_statistics_clear(p.client);
    network_advance(&net, 1800);
    sync_all(&p);
    xmtp_client_api_statistics(p.client, &s);
    assert_int_equal(s.publish_commit_log + s.query_commit_log, 0);
    network_advance(&net, 1801);
    sync_all(&p);
    xmtp_client_api_statistics(p.client, &s);
    assert_true(s.publish_commit_log + s.query_commit_log > 0);
    person_close(&p);
}

/* ---- whom to show */

static void the_account_to_show_is_the_first_that_is_not_for_recovery(void **state)
{
    (void)state;
    person p;
    person second = {0};
    char address[XMTP_ADDRESS_LEN + 1];
    xmtp_inbox_state s;
    person_open(&p, &net);
    wallet_new(&second, address);
    assert_ok(&p, xmtp_client_inbox_state(p.client, NULL, true, &s, &p.error));
    assert_string_equal(xmtp_inbox_shown_account(&s)->identifier, xmtp_client_address(p.client));
    xmtp_account_signer other = wallet_of(&second);
    assert_ok(&p, xmtp_client_add_account(p.client, &other, false, &p.error));
    assert_ok(&p, xmtp_client_inbox_state(p.client, NULL, true, &s, &p.error));
    assert_string_equal(xmtp_inbox_shown_account(&s)->identifier, address);
    xmtp_account_signer recovery = wallet_of(&p);
    assert_ok(&p, xmtp_client_change_recovery(p.client, &recovery, XMTP_ACCOUNT_WALLET, address,
                                              &p.error));
    assert_ok(&p, xmtp_client_inbox_state(p.client, NULL, true, &s, &p.error));
    assert_string_equal(xmtp_inbox_shown_account(&s)->identifier, xmtp_client_address(p.client));
    const xmtp_inbox_state nobody = {0};
    assert_null(xmtp_inbox_shown_account(&nobody));
    person_close(&p);
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(networks_have_the_official_names),
        FACT(a_name_may_stand_for_an_address),
        FACT(a_client_sends_nothing_without_the_credential_that_it_is_to_have),
        FACT(a_credential_does_not_travel_in_clear_text_unless_it_may),
        FACT(an_installation_that_is_shown_is_not_waited_for),
        FACT(waiting_outlasts_a_node_that_is_away_for_a_while),
        FACT(waiting_ends_with_what_is_missing),
        FACT(a_chore_that_is_switched_off_is_not_done),
        FACT(expired_messages_wait_for_the_application_if_it_wants),
        FACT(the_commit_log_is_compared_as_often_as_was_asked),
        FACT(the_account_to_show_is_the_first_that_is_not_for_recovery),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
