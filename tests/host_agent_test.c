/* host_agent_test.c - agents that share a host, and clients that share a connection without one. */
#include "house.h"

#include <xmtp/agent.h>
#include <xmtp/connection.h>

enum { AGENTS = 5, ROUNDS = 3 };

typedef struct crew {
    xmtp_agent *agents[AGENTS];
    size_t handled[AGENTS];
    size_t total;
    size_t wanted;
    size_t failures; /* of the first messages, to be tried again */
} crew;

static void stop_all(crew *c)
{
    for (size_t i = 0; i < AGENTS; i++) {
        xmtp_agent_stop(c->agents[i]);
    }
}

static void answer(xmtp_agent *agent, const xmtp_message *message, const xmtp_user *user,
                   void *context)
{
    crew *c = context;
    (void)user;
    network_advance(&net, 1); /* so that what failed is due again */
    if (c->failures > 0) {
        c->failures--;
        xmtp_agent_fail(agent, message, "not now");
        return;
    }
    for (size_t i = 0; i < AGENTS; i++) {
        c->handled[i] += c->agents[i] == agent;
    }
    assert_int_equal(xmtp_agent_reply(agent, message, message->text), XMTP_OK);
    if (++c->total == c->wanted) {
        stop_all(c);
    }
}

static void open_agent(house *h, crew *c, size_t i)
{
    const xmtp_agent_options options = {.host = h->host,
                                        .on_message = answer,
                                        .context = c,
                                        .retry_first_ns = 1,
                                        .error = &h->error};
    assert_ok(h, xmtp_agent_open(&c->agents[i], &options));
}

static void close_agents(crew *c)
{
    for (size_t i = 0; i < AGENTS; i++) {
        xmtp_agent_close(c->agents[i]);
    }
}

static void agents_of_a_host_answer_each_message_once(void **state)
{
    (void)state;
    house h;
    person sender;
    crew c = {.wanted = AGENTS * ROUNDS, .failures = 2};
    xmtp_agent *failed;
    xmtp_conversation_id dms[AGENTS];
    house_open(&h); /* of their databases four are open at a time */
    person_open(&sender, &net);
    for (size_t i = 0; i < AGENTS; i++) {
        open_agent(&h, &c, i);
        dm_with(&sender, xmtp_agent_client(c.agents[i]), &dms[i]);
        for (int round = 0; round < ROUNDS; round++) {
            send_text(&sender, &dms[i], "hello");
        }
    }
    assert_int_equal(xmtp_agent_run(c.agents[0]), XMTP_E_STATE);
    assert_int_equal(xmtp_agent_run_all(h.host, c.agents, AGENTS, &failed), XMTP_OK);
    assert_null(failed);
    sync_all(&sender);
    for (size_t i = 0; i < AGENTS; i++) {
        assert_int_equal(c.handled[i], ROUNDS);
        assert_texts(&sender, &dms[i], "hello|hello|hello|hello|hello|hello|");
    }
    close_agents(&c);
    person_close(&sender);
    house_end(&h);
}

static void stop_by_post(xmtp_agent *agent, void *argument)
{
    (void)agent;
    stop_all(argument);
}

static void what_is_posted_to_an_agent_of_a_host_is_called(void **state)
{
    (void)state;
    house h;
    crew c = {0};
    xmtp_agent *failed;
    house_open(&h);
    for (size_t i = 0; i < AGENTS; i++) {
        open_agent(&h, &c, i);
    }
    assert_int_equal(xmtp_agent_post(c.agents[3], stop_by_post, &c), XMTP_OK);
    assert_int_equal(xmtp_agent_run_all(h.host, c.agents, AGENTS, &failed), XMTP_OK);
    close_agents(&c);
    house_end(&h);
}

static size_t calls;

static void count_call(xmtp_agent *agent, void *argument)
{
    (void)agent;
    (void)argument;
    calls++;
}

static void post_to_all_and_stop(xmtp_agent *agent, void *argument)
{
    crew *c = argument;
    (void)agent;
    for (size_t i = 0; i < AGENTS; i++) {
        assert_int_equal(xmtp_agent_post(c->agents[i], count_call, NULL), XMTP_OK);
    }
    stop_all(c);
}

static void what_is_posted_before_the_last_agent_stopped_is_called(void **state)
{
    (void)state;
    house h;
    crew c = {0};
    xmtp_agent *failed;
    house_open(&h);
    for (size_t i = 0; i < AGENTS; i++) {
        open_agent(&h, &c, i);
    }
    calls = 0;
    assert_int_equal(xmtp_agent_post(c.agents[3], post_to_all_and_stop, &c), XMTP_OK);
    assert_int_equal(xmtp_agent_run_all(h.host, c.agents, AGENTS, &failed), XMTP_OK);
    assert_int_equal(calls, AGENTS);
    close_agents(&c);
    house_end(&h);
}

/* ---- one that ends what another one was given */

typedef struct pair {
    xmtp_agent *slow; /* has one message in flight at most */
    xmtp_agent *helper;
    const xmtp_message *deferred;
    bool is_failing;
    size_t handled;
    person sender;
    xmtp_conversation_id dms[2];
} pair;

static void defer_first(xmtp_agent *agent, const xmtp_message *message, const xmtp_user *user,
                        void *context)
{
    pair *p = context;
    (void)user;
    if (p->handled++ == 0) {
        p->deferred = message;
        xmtp_agent_defer(agent, message);
        return;
    }
    xmtp_agent_stop(p->slow);
    xmtp_agent_stop(p->helper);
}

static void end_the_other_s(xmtp_agent *agent, const xmtp_message *message, const xmtp_user *user,
                            void *context)
{
    pair *p = context;
    (void)agent;
    (void)message;
    (void)user;
    assert_non_null(p->deferred);
    if (p->is_failing) {
        xmtp_agent_fail(p->slow, p->deferred, "later");
    } else {
        assert_int_equal(xmtp_agent_done(p->slow, p->deferred), XMTP_OK);
    }
    network_advance(&net, 1); /* so that what failed is due again */
}

static void write_to_helper(xmtp_agent *agent, void *argument)
{
    pair *p = argument;
    (void)agent;
    send_text(&p->sender, &p->dms[1], "go on");
}

static void open_pair(house *h, pair *p)
{
    xmtp_agent_options options = {.host = h->host,
                                  .on_message = defer_first,
                                  .context = p,
                                  .in_flight_max = 1,
                                  .retry_first_ns = 1,
                                  .error = &h->error};
    assert_ok(h, xmtp_agent_open(&p->slow, &options));
    options.on_message = end_the_other_s;
    assert_ok(h, xmtp_agent_open(&p->helper, &options));
    dm_with(&p->sender, xmtp_agent_client(p->slow), &p->dms[0]);
    dm_with(&p->sender, xmtp_agent_client(p->helper), &p->dms[1]);
}

/* The slow one is called again although nothing comes for it from the network. */
static void helper_ends_what_was_deferred(bool is_failing)
{
    house h;
    pair p = {.is_failing = is_failing};
    xmtp_agent *failed;
    house_open(&h);
    person_open(&p.sender, &net);
    open_pair(&h, &p);
    send_text(&p.sender, &p.dms[0], "first");
    if (!is_failing) {
        send_text(&p.sender, &p.dms[0], "second");
    }
    poll_quietly(&h);
    assert_int_equal(xmtp_agent_step(p.slow, NULL), XMTP_OK);
    assert_int_equal(xmtp_agent_post(p.helper, write_to_helper, &p), XMTP_OK);
    assert_int_equal(xmtp_agent_run_all(h.host, (xmtp_agent *[]){p.slow, p.helper}, 2, &failed),
                     XMTP_OK);
    assert_int_equal(p.handled, 2);
    xmtp_agent_close(p.slow);
    xmtp_agent_close(p.helper);
    person_close(&p.sender);
    house_end(&h);
}

static void an_agent_goes_on_when_another_one_ends_its_message(void **state)
{
    (void)state;
    helper_ends_what_was_deferred(false);
}

static void an_agent_tries_again_what_another_one_failed(void **state)
{
    (void)state;
    helper_ends_what_was_deferred(true);
}

/* ---- the connection */

static house *cut_house;
static crew *cut_crew;
static size_t lost;
static size_t found;

static void mend(xmtp_agent *agent, void *argument)
{
    (void)argument;
    cut_house->wire.is_streaming_cut = false;
    network_advance(&net, 60);
    assert_int_equal(xmtp_agent_post(agent, count_call, NULL), XMTP_OK);
}

/* Ends a poll while the wire is still cut. */
static void post_mend(xmtp_agent *agent, void *argument)
{
    assert_int_equal(xmtp_agent_post(agent, mend, argument), XMTP_OK);
}

static void cut_wire(xmtp_agent *agent, void *argument)
{
    (void)agent;
    (void)argument;
    cut_house->wire.is_streaming_cut = true;
}

static void note_connection(xmtp_agent *agent, const xmtp_error *error, void *context)
{
    (void)context;
    if (error->status == XMTP_OK) {
        assert_false(cut_house->wire.is_streaming_cut);
        found++;
        stop_all(cut_crew);
    } else {
        lost++;
        assert_int_equal(xmtp_agent_post(agent, post_mend, NULL), XMTP_OK);
    }
}

static void a_post_does_not_mean_that_the_node_is_there_again(void **state)
{
    (void)state;
    house h;
    crew c = {0};
    xmtp_agent *failed;
    house_open(&h);
    cut_house = &h;
    cut_crew = &c;
    const xmtp_agent_options options = {
        .host = h.host, .on_message = answer, .on_connection = note_connection, .error = &h.error};
    assert_ok(&h, xmtp_agent_open(&c.agents[0], &options));
    for (size_t i = 1; i < AGENTS; i++) {
        open_agent(&h, &c, i);
    }
    poll_quietly(&h);
    assert_int_equal(xmtp_agent_post(c.agents[0], cut_wire, NULL), XMTP_OK);
    assert_int_equal(xmtp_agent_run_all(h.host, c.agents, AGENTS, &failed), XMTP_OK);
    assert_int_equal(lost, 1);
    assert_int_equal(found, 1);
    close_agents(&c);
    house_end(&h);
}

/* ---- a connection for clients without a host */

static xmtp_status give_credential(void *context, xmtp_credential *out)
{
    (*(unsigned *)context)++;
    *out = (xmtp_credential){.value = "Bearer of all"};
    return XMTP_OK;
}

static void clients_share_one_connection(void **state)
{
    (void)state;
    xmtp_node *node;
    xmtp_error error = {0};
    struct xmtp_transport *connection;
    xmtp_conversation_id dm;
    char url[64];
    const xmtp_node_options options = {.listen = {"127.0.0.1:0"}};
    assert_int_equal(xmtp_node_open(&node, &options, &error), XMTP_OK);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", xmtp_node_port(node, 0));
    assert_int_equal(xmtp_connection_open(&connection, "ftp://x", NULL, NULL, &error),
                     XMTP_E_ARGUMENT);
    assert_null(connection);
    assert_int_equal(xmtp_connection_open(&connection, url, "test/1", NULL, &error), XMTP_OK);
    xmtp_client *clients[2];
    unsigned asked = 0;
    const xmtp_credential_source source = {.context = &asked, .get = give_credential};
    assert_int_equal(xmtp_connection_authorize(connection, &source, &error), XMTP_OK);
    for (size_t i = 0; i < 2; i++) {
        const xmtp_client_options own = {.transport = connection};
        assert_int_equal(xmtp_client_open(&clients[i], &own, &error), XMTP_OK);
        assert_int_equal(xmtp_client_poll(clients[i], 0, &error), XMTP_OK);
    }
    assert_int_equal(xmtp_client_dm(clients[0], xmtp_client_address(clients[1]), &dm, &error),
                     XMTP_OK);
    assert_int_equal(xmtp_client_send_text(clients[0], &dm, "1", NULL, &error), XMTP_OK);
    xmtp_status status = XMTP_OK;
    for (int i = 0; i < 100 && status == XMTP_OK; i++) {
        status = xmtp_client_poll(clients[1], UINT64_C(100000000), &error);
    }
    assert_client_texts(clients[1], "1|");
    xmtp_client_close(clients[0]);
    assert_int_equal(xmtp_client_sync(clients[1], &error), XMTP_OK);
    xmtp_client_close(clients[1]);
    assert_int_equal(asked, 1); /* one credential for all of them */
    xmtp_connection_close(connection);
    xmtp_node_close(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(agents_of_a_host_answer_each_message_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_posted_to_an_agent_of_a_host_is_called, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_posted_before_the_last_agent_stopped_is_called,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_post_does_not_mean_that_the_node_is_there_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_agent_goes_on_when_another_one_ends_its_message, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_agent_tries_again_what_another_one_failed, set_up,
                                        tear_down),
        cmocka_unit_test(clients_share_one_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
