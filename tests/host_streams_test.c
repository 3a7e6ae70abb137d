/* host_streams_test.c - the streams of a host: more topics than fit, and a node that says no. */
#include "house.h"

/* What is tested shows elsewhere. */
static void may_fail(xmtp_status status)
{
    (void)status;
}

/* ---- topics that do not fit */

static size_t refusals; /* of subscriptions that are still to come */
static xmtp_status refusal;

static xmtp_status subscribe_or_refuse(void *context, const char *path, xmtp_bytes request,
                                       xmtp_stream **out, xmtp_error *error)
{
    if (refusals > 0) {
        refusals--;
        return xmtp_fail(error, refusal, "the test says no");
    }
    return wire_subscribe(context, path, request, out, error);
}

static void let_minutes_pass(house *h, int minutes)
{
    for (int i = 0; i < minutes; i++) {
        network_advance(&net, 60);
        poll_quietly(h);
    }
}

static void a_refusal_does_not_make_streams_short_for_good(void **state)
{
    (void)state;
    enum { SOME = 20 };
    house h;
    house_open(&h);
    h.wire.outer.subscribe = subscribe_or_refuse;
    refusal = XMTP_E_RPC_INVALID;
    refusals = 2;
    for (size_t i = 0; i < SOME; i++) {
        (void)resident(&h, NULL);
    }
    poll_quietly(&h);
    assert_int_equal(counts_of(&h).streams, SOME / 5);
    let_minutes_pass(&h, 4);
    for (size_t i = 0; i < SOME; i++) {
        (void)resident(&h, NULL);
    }
    poll_quietly(&h);
    assert_int_equal(counts_of(&h).topics, 2 * SOME);
    assert_int_equal(counts_of(&h).streams, 1);
    house_end(&h);
}

static void places_in_older_streams_are_used_when_there_may_be_no_more(void **state)
{
    (void)state;
    enum { LANES = 45, EACH = 2 };
    static xmtp_client *clients[LANES * EACH];
    house h = {0};
    xmtp_client *named;
    name_folder(&h);
    wire_open(&h.wire, &net);
    const xmtp_host_options options = {.folder = h.folder, .open_max = 4, .topics_max = EACH};
    assert_ok(&h, house_try(&h, &options));
    for (size_t i = 0; i < LANES * EACH; i++) {
        clients[i] = resident(&h, NULL);
    }
    poll_quietly(&h);
    assert_int_equal(counts_of(&h).streams, LANES);
    xmtp_client_close(clients[0]);
    xmtp_client_close(clients[2]);
    (void)resident(&h, NULL);
    (void)resident(&h, NULL);
    poll_quietly(&h);
    assert_int_equal(counts_of(&h).topics, LANES * EACH);
    assert_int_equal(counts_of(&h).streams, LANES);
    (void)resident(&h, NULL);
    assert_int_equal(xmtp_host_poll(h.host, 0, &named, &h.error), XMTP_E_LIMIT);
    house_end(&h);
}

/* ---- a node that says no */

static bool is_exhausted;

static xmtp_status call_exhausted_node(void *context, const char *path, xmtp_bytes request,
                                       xmtp_writer *response, xmtp_error *error)
{
    return is_exhausted ? xmtp_fail(error, XMTP_E_RPC_EXHAUSTED, "too much at once")
                        : wire_unary(context, path, request, response, error);
}

static void a_node_that_is_exhausted_is_left_alone_for_a_while(void **state)
{
    (void)state;
    house h;
    person sender;
    xmtp_client *named;
    xmtp_conversation_id dm;
    house_open(&h);
    person_open(&sender, &net);
    h.wire.outer.subscribe = subscribe_or_refuse;
    h.wire.outer.unary = call_exhausted_node;
    xmtp_client *client = resident(&h, NULL);
    poll_quietly(&h);
    dm_with(&sender, client, &dm);
    send_text(&sender, &dm, "1");
    refusal = XMTP_E_RPC_EXHAUSTED;
    refusals = SIZE_MAX;
    is_exhausted = true;
    assert_int_equal(xmtp_host_poll(h.host, 0, &named, &h.error), XMTP_E_NETWORK);
    assert_null(named);
    size_t before = refusals;
    for (int i = 0; i < 20; i++) {
        may_fail(xmtp_host_poll(h.host, 0, &named, &h.error));
    }
    assert_in_range(before - refusals, 0, 1); /* no poll asks before its time */
    refusals = 0;
    is_exhausted = false;
    let_minutes_pass(&h, 10);
    assert_client_texts(client, "1|");
    person_close(&sender);
    house_end(&h);
}

static bool is_unfound;

static xmtp_status find_no_messages_once(void *context, const char *path, xmtp_bytes request,
                                         xmtp_writer *response, xmtp_error *error)
{
    if (is_unfound && strstr(path, "QueryGroupMessages") != NULL) {
        is_unfound = false;
        return xmtp_fail(error, XMTP_E_NOT_FOUND, "the test has lost it");
    }
    return wire_unary(context, path, request, response, error);
}

/* The second one comes to a topic that a stream brings already, so it has to query first. */
static void what_is_not_found_once_is_asked_for_again(void **state)
{
    (void)state;
    house h;
    person sender;
    xmtp_conversation_id group;
    house_open(&h);
    person_open(&sender, &net);
    h.wire.outer.unary = find_no_messages_once;
    xmtp_client *first = resident(&h, NULL);
    xmtp_client *second = resident(&h, NULL);
    const char *one = xmtp_client_address(first);
    const char *two = xmtp_client_address(second);
    assert_ok(&sender,
              xmtp_client_group_create(sender.client, "g", &one, 1, &group, &sender.error));
    poll_quietly(&h);
    assert_ok(&sender, xmtp_client_group_add(sender.client, &group, &two, 1, &sender.error));
    send_text(&sender, &group, "1");
    is_unfound = true;
    for (int i = 0; i < 4; i++) {
        xmtp_client *named;
        may_fail(xmtp_host_poll(h.host, UINT64_C(30000000), &named, &h.error));
    }
    assert_false(is_unfound);
    send_text(&sender, &group, "2");
    let_minutes_pass(&h, 10);
    assert_client_texts(second, "1|2|");
    assert_client_texts(first, "1|2|");
    person_close(&sender);
    house_end(&h);
}

int main(void)
{
#define WITH_NETWORK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_NETWORK(a_refusal_does_not_make_streams_short_for_good),
        WITH_NETWORK(places_in_older_streams_are_used_when_there_may_be_no_more),
        WITH_NETWORK(a_node_that_is_exhausted_is_left_alone_for_a_while),
        WITH_NETWORK(what_is_not_found_once_is_asked_for_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
