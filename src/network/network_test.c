/* network_test.c - the test network keeps what its header promises. */
#include "network/test_devices.h"

#include <xmtp/node.h>

enum { LINE_LEN = 256 };

static const uint64_t second_ns = XMTP_NETWORK_SECOND_NS;

static xmtp_network_device *ann;
static xmtp_network_device *bob;
static xmtp_conversation_id dm;

static void open_with_seed(uint64_t seed)
{
    assert_ok(xmtp_network_open(&net, &(xmtp_network_options){.seed = seed}, &error));
    assert_ok(xmtp_network_client(net, NULL, &ann, &error));
    assert_ok(xmtp_network_client(net, NULL, &bob, &error));
    assert_ok(xmtp_client_dm(of(ann), xmtp_client_address(of(bob)), &dm, &error));
    assert_ok(xmtp_client_send_text(of(ann), &dm, "hello", NULL, &error));
    assert_ok(xmtp_client_sync(of(bob), &error));
}

/* What is tested shows elsewhere. */
static void may_fail(xmtp_status status)
{
    (void)status;
}

static int set_up(void **state)
{
    (void)state;
    open_with_seed(1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    xmtp_network_close(net);
    return 0;
}

/* ---- what a device has */

static void assert_synced_texts(xmtp_network_device *device, const char *expected)
{
    assert_ok(xmtp_client_sync(of(device), &error));
    assert_texts(device, &dm, expected);
}

/* Ids and times besides the text: everything that could differ between two runs. */
static xmtp_status note_all(void *context, const xmtp_message *message)
{
    char line[LINE_LEN];
    (void)snprintf(line, sizeof line, "%02x%02x%02x%02x %.8s %llu %llu %d %.40s\n", message->id[0],
                   message->id[1], message->id[2], message->id[31], message->sender_inbox,
                   (unsigned long long)message->sent_ns, (unsigned long long)message->sequence,
                   (int)message->delivery, message->text == NULL ? "-" : message->text);
    add_line(context, line);
    return XMTP_OK;
}

static void note_device(char *out, xmtp_network_device *device)
{
    xmtp_message_query query = {.conversation = NULL};
    assert_ok(xmtp_client_messages(of(device), &query, note_all, out, &error));
}

/* ---- seeds */

static const xmtp_network_faults everything = {.lost = 60,
                                               .answer_lost = 60,
                                               .doubled = 60,
                                               .late = 60,
                                               .delayed = 60,
                                               .stream_refused = 60,
                                               .stream_cut = 60};

static void one_step(xmtp_network_device *const *devices, int number)
{
    xmtp_network_device *d = devices[xmtp_network_choose(net, 3)];
    char text[16];
    (void)snprintf(text, sizeof text, "m%d", number);
    switch (xmtp_network_choose(net, 5)) {
    case 0:
        may_fail(xmtp_client_sync(of(d), &error));
        break;
    case 1:
        may_fail(xmtp_client_poll(of(d), 0, &error));
        break;
    case 2:
        xmtp_network_crash_at(d, XMTP_NETWORK_AT_WRITE, 1 + xmtp_network_choose(net, 6));
        break;
    default:
        may_fail(xmtp_client_send_text(of(d), &dm, text, NULL, &error));
    }
    while (of(d) == NULL || xmtp_network_has_crashed(d)) {
        may_fail(xmtp_network_reopen(d, &error));
    }
    xmtp_network_advance(net, xmtp_network_choose(net, 5 * second_ns));
}

/* Three devices under all faults; what they have in the end, and what was done to them. */
static char *transcript_of(uint64_t seed)
{
    char *out = calloc(1, TEXT_LEN);
    xmtp_network_device *other;
    open_with_seed(seed);
    xmtp_network_device_options options = {.person_of = ann};
    assert_ok(xmtp_network_client(net, &options, &other, &error));
    xmtp_network_device *const devices[] = {ann, bob, other};
    assert_ok(xmtp_network_fault(net, NULL, &everything));
    for (int i = 0; i < 60; i++) {
        one_step(devices, i);
    }
    assert_ok(xmtp_network_fault(net, NULL, NULL));
    assert_ok(xmtp_network_restart_node(net, &error));
    for (int i = 0; i < 9; i++) {
        xmtp_network_crash_at(devices[i % 3], XMTP_NETWORK_AT_WRITE, 0);
        xmtp_network_advance(net, 60 * second_ns);
        may_fail(xmtp_client_sync(of(devices[i % 3]), &error));
    }
    for (int i = 0; i < 3; i++) {
        note_device(out, devices[i]);
    }
    xmtp_network_counts c = xmtp_network_count(net, NULL);
    char line[LINE_LEN];
    (void)snprintf(line, sizeof line, "%llu %llu %llu %llu %llu %llu %llu %llu %llu %llu",
                   (unsigned long long)c.calls, (unsigned long long)c.lost,
                   (unsigned long long)c.answers_lost, (unsigned long long)c.doubled,
                   (unsigned long long)c.late, (unsigned long long)c.delayed,
                   (unsigned long long)c.streams_cut, (unsigned long long)c.crashes,
                   (unsigned long long)c.writes, (unsigned long long)xmtp_network_now_ns(net));
    add_line(out, line);
    assert_true(c.lost > 0 && c.answers_lost > 0 && c.doubled > 0 && c.late > 0 && c.crashes > 0);
    xmtp_network_close(net);
    return out;
}

static void the_same_seed_gives_the_same_run(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        char *first = transcript_of(seed);
        char *second = transcript_of(seed);
        assert_string_equal(first, second);
        free(first);
        free(second);
    }
}

static void another_seed_gives_another_run(void **state)
{
    (void)state;
    char *first = transcript_of(7);
    char *second = transcript_of(8);
    assert_string_not_equal(first, second);
    free(first);
    free(second);
}

/* ---- the wire */

static void a_call_that_is_lost_never_arrives(void **state)
{
    (void)state;
    xmtp_network_lose_calls(ann, 0, 100, XMTP_NETWORK_CALL_LOST);
    uint64_t calls = xmtp_network_count(net, bob).calls;
    assert_int_equal(xmtp_client_send_text(of(ann), &dm, "m", NULL, &error), XMTP_E_NETWORK);
    assert_synced_texts(bob, "hello|");
    assert_true(xmtp_network_count(net, ann).lost > 0);
    assert_int_equal(xmtp_network_count(net, bob).lost, 0);
    assert_true(xmtp_network_count(net, bob).calls > calls);
    xmtp_network_lose_calls(ann, 0, 0, XMTP_NETWORK_CALL_LOST);
    assert_synced_texts(ann, "hello|m|");
    assert_synced_texts(bob, "hello|m|");
}

static void a_call_whose_answer_is_lost_has_arrived(void **state)
{
    (void)state;
    xmtp_network_lose_calls(ann, 0, 100, XMTP_NETWORK_ANSWER_LOST);
    assert_int_equal(xmtp_client_send_text(of(ann), &dm, "m", NULL, &error), XMTP_E_NETWORK);
    assert_synced_texts(bob, "hello|m|");
    assert_true(xmtp_network_count(net, ann).answers_lost > 0);
}

static void a_call_that_is_doubled_counts_once(void **state)
{
    (void)state;
    assert_ok(xmtp_network_fault(net, ann, &(xmtp_network_faults){.doubled = 1000}));
    assert_ok(xmtp_client_send_text(of(ann), &dm, "m", NULL, &error));
    assert_synced_texts(bob, "hello|m|");
    assert_true(xmtp_network_count(net, ann).doubled > 0);
    assert_int_equal(xmtp_network_count(net, bob).doubled, 0);
}

static void a_late_call_arrives_when_it_is_due(void **state)
{
    (void)state;
    xmtp_network_faults late = {.late = 1000, .late_max_ns = 3600 * second_ns};
    assert_ok(xmtp_network_fault(net, ann, &late));
    assert_int_equal(xmtp_client_send_text(of(ann), &dm, "m", NULL, &error), XMTP_E_NETWORK);
    assert_ok(xmtp_network_fault(net, ann, NULL));
    assert_synced_texts(bob, "hello|");
    xmtp_network_advance(net, 3600 * second_ns);
    assert_synced_texts(bob, "hello|m|");
    assert_synced_texts(ann, "hello|m|");
}

static void a_delayed_call_takes_time(void **state)
{
    (void)state;
    uint64_t before_ns = xmtp_network_now_ns(net);
    assert_ok(xmtp_network_fault(net, ann, &(xmtp_network_faults){.delayed = 1000}));
    assert_ok(xmtp_client_send_text(of(ann), &dm, "m", NULL, &error));
    assert_true(xmtp_network_now_ns(net) > before_ns);
    assert_true(xmtp_network_count(net, NULL).delayed > 0);
}

static void who_is_cut_off_reaches_nobody_until_healed(void **state)
{
    (void)state;
    xmtp_network_partition(net, bob);
    assert_ok(xmtp_client_send_text(of(ann), &dm, "m", NULL, &error));
    assert_int_equal(xmtp_client_sync(of(bob), &error), XMTP_E_NETWORK);
    xmtp_network_heal(net, bob);
    assert_synced_texts(bob, "hello|m|");
}

static void chances_above_a_thousand_are_refused(void **state)
{
    (void)state;
    const xmtp_network_faults bad[] = {{.lost = 501, .late = 500}, {.delayed = 1001}};
    assert_int_equal(xmtp_network_fault(net, NULL, &bad[0]), XMTP_E_ARGUMENT);
    assert_int_equal(xmtp_network_fault(net, NULL, &bad[1]), XMTP_E_ARGUMENT);
    assert_ok(xmtp_client_send_text(of(ann), &dm, "m", NULL, &error));
}

static void a_node_of_one_thread_does_not_listen(void **state)
{
    (void)state;
    xmtp_node *node;
    xmtp_node_options options = {.one_thread = true, .listen = {"127.0.0.1:0"}};
    assert_int_equal(xmtp_node_open(&node, &options, &error), XMTP_E_ARGUMENT);
    assert_null(node);
}

static void a_stream_ends_with_the_node_and_comes_back(void **state)
{
    (void)state;
    assert_ok(xmtp_client_poll(of(bob), 0, &error));
    assert_ok(xmtp_network_restart_node(net, &error));
    assert_ok(xmtp_client_send_text(of(ann), &dm, "m", NULL, &error));
    assert_int_equal(xmtp_client_poll(of(bob), 0, &error), XMTP_E_NETWORK);
    assert_ok(xmtp_client_poll(of(bob), 60 * second_ns, &error));
    assert_texts(bob, &dm, "hello|m|");
    xmtp_network_counts c = xmtp_network_count(net, NULL);
    assert_int_equal(c.node_restarts, 1);
    assert_true(c.streams_cut > 0);
}

static void waiting_costs_only_the_network_s_time(void **state)
{
    (void)state;
    assert_ok(xmtp_client_poll(of(bob), 0, &error));
    uint64_t before_ns = xmtp_network_now_ns(net);
    assert_int_equal(xmtp_client_poll(of(bob), 3600 * second_ns, &error), XMTP_E_TIMEOUT);
    assert_true(xmtp_network_now_ns(net) >= before_ns + 3600 * second_ns);
}

/* ---- processes */

static void who_is_killed_has_what_was_committed(void **state)
{
    (void)state;
    assert_ok(xmtp_client_send_text(of(bob), &dm, "m", NULL, &error));
    xmtp_network_crash(bob);
    assert_null(of(bob));
    assert_true(xmtp_network_has_crashed(bob));
    assert_ok(xmtp_network_reopen(bob, &error));
    assert_texts(bob, &dm, "hello|m|");
    assert_int_equal(xmtp_network_count(net, bob).crashes, 1);
}

/* Each of the first writes of a sending, in three ways: dead at once, and whole afterwards. */
static void who_dies_while_writing_goes_on_after_reopening(void **state)
{
    (void)state;
    for (int how = XMTP_NETWORK_AT_WRITE; how <= XMTP_NETWORK_AT_COMMIT; how++) {
        xmtp_network_crash_at(ann, (xmtp_network_death)how, 2);
        may_fail(xmtp_client_send_text(of(ann), &dm, "m", NULL, &error));
        may_fail(xmtp_client_poll(of(ann), 0, &error)); /* writes down that it is sent */
        assert_true(xmtp_network_has_crashed(ann));
        uint64_t lost = xmtp_network_count(net, ann).lost;
        assert_int_not_equal(xmtp_client_sync(of(ann), &error), XMTP_OK);
        assert_true(xmtp_network_count(net, ann).lost >= lost);
        assert_ok(xmtp_network_reopen(ann, &error));
        assert_ok(xmtp_client_check_database(of(ann), &error));
        assert_ok(xmtp_client_sync(of(ann), &error));
    }
    assert_ok(xmtp_client_send_text(of(ann), &dm, "last", NULL, &error));
    assert_ok(xmtp_client_sync(of(bob), &error));
}

static void a_device_may_die_before_it_is_registered(void **state)
{
    (void)state;
    xmtp_network_device *d;
    xmtp_network_device_options options = {.is_closed = true};
    assert_ok(xmtp_network_client(net, &options, &d, &error));
    assert_null(of(d));
    xmtp_network_crash_at(d, XMTP_NETWORK_AT_COMMIT, 1);
    assert_int_not_equal(xmtp_network_reopen(d, &error), XMTP_OK);
    assert_null(of(d));
    assert_ok(xmtp_network_reopen(d, &error));
}

static void after_a_power_cut_the_database_is_whole(void **state)
{
    (void)state;
    xmtp_network_device *d;
    xmtp_network_device_options options = {.is_closed = true};
    bool is_dead = true;
    uint64_t n = 1;
    for (; is_dead; n++) {
        assert_ok(xmtp_network_client(net, &options, &d, &error));
        xmtp_network_crash_at(d, XMTP_NETWORK_POWER_CUT, n);
        may_fail(xmtp_network_reopen(d, &error));
        is_dead = xmtp_network_has_crashed(d);
        xmtp_network_crash_at(d, XMTP_NETWORK_POWER_CUT, 0);
        assert_ok(xmtp_network_reopen(d, &error));
        assert_ok(xmtp_client_check_database(of(d), &error));
        xmtp_network_shut(d);
    }
    assert_true(n > 10); /* writes of a new client */
}

/* The database is as it was when it was closed last, and the others have seen more of Ann. */
static void ann_loses_power_after_two_messages(void)
{
    send_text(bob, &dm, "0"); /* and his key update: no epoch begins after this by itself */
    sync_all(ann);
    send_text(ann, &dm, "1");
    assert_ok(xmtp_network_reopen(ann, &error));
    xmtp_network_crash_at(ann, XMTP_NETWORK_POWER_CUT, UINT64_MAX);
    send_text(ann, &dm, "2");
    send_text(ann, &dm, "3");
    send_text(bob, &dm, "4");
    sync_all(bob);
    xmtp_network_crash_at(ann, XMTP_NETWORK_POWER_CUT, 1);
    assert_int_not_equal(xmtp_client_send_text(of(ann), &dm, "lost", NULL, &error), XMTP_OK);
    assert_ok(xmtp_network_reopen(ann, &error));
    assert_texts(ann, &dm, "hello|0|1|");
}

/* She does not use again what they have seen used. What she said meanwhile is not with her. */
static void after_a_power_cut_and_a_sync_what_is_said_arrives(void **state)
{
    (void)state;
    ann_loses_power_after_two_messages();
    assert_synced_texts(ann, "hello|0|1|4|");
    send_text(ann, &dm, "5");
    send_text(ann, &dm, "6");
    assert_synced_texts(bob, "hello|0|1|2|3|4|5|6|");
}

/* What used a key again is said again, once. */
static void after_a_power_cut_what_is_said_before_a_sync_arrives(void **state)
{
    (void)state;
    ann_loses_power_after_two_messages();
    send_text(ann, &dm, "5");
    sync_all(ann);
    send_text(ann, &dm, "6");
    assert_synced_texts(bob, "hello|0|1|2|3|4|5|6|");
    assert_synced_texts(ann, "hello|0|1|4|5|6|");
}

static xmtp_conversation_id group;

/* A group of both, read by both; from here on Ann's disk loses what is not synced. */
static void ann_makes_a_group_and_may_lose_power(void)
{
    const char *members[] = {xmtp_client_address(of(bob))};
    assert_ok(xmtp_client_group_create(of(ann), "old", members, 1, &group, &error));
    send_text(ann, &group, "1");
    sync_all(bob);
    send_text(bob, &group, "2");
    sync_all(ann);
    assert_ok(xmtp_network_reopen(ann, &error));
    xmtp_network_crash_at(ann, XMTP_NETWORK_POWER_CUT, UINT64_MAX);
}

static void ann_loses_power(void)
{
    xmtp_network_crash_at(ann, XMTP_NETWORK_POWER_CUT, 1);
    assert_int_not_equal(xmtp_client_send_text(of(ann), &dm, "lost", NULL, &error), XMTP_OK);
    assert_ok(xmtp_network_reopen(ann, &error));
}

/* Her commit began an epoch for the others: she can follow them into it. */
static void after_a_power_cut_an_own_commit_does_not_leave_its_group_behind(void **state)
{
    (void)state;
    xmtp_conversation c;
    ann_makes_a_group_and_may_lose_power();
    assert_ok(xmtp_client_group_rename(of(ann), &group, "new", &error));
    sync_all(bob);
    send_text(bob, &group, "3");
    ann_loses_power();
    sync_all(ann);
    assert_ok(xmtp_client_conversation(of(ann), &group, &c, &error));
    assert_string_equal(c.name, "new");
    assert_texts(ann, &group, "1|2|3|");
    send_text(ann, &group, "4");
    sync_all(bob);
    assert_texts(bob, &group, "1|2|3|4|");
}

/* Others have only her newest key package: what they seal to it she can open. */
static void after_a_power_cut_welcomes_to_the_newest_key_package_are_opened(void **state)
{
    (void)state;
    xmtp_conversation_id fresh;
    ann_makes_a_group_and_may_lose_power();
    const char *members[] = {xmtp_client_address(of(ann))};
    xmtp_network_advance(net, 31 * 24 * 3600 * second_ns);
    sync_all(ann); /* uploads another key package */
    assert_ok(xmtp_client_group_create(of(bob), "fresh", members, 1, &fresh, &error));
    send_text(bob, &fresh, "for you");
    ann_loses_power();
    sync_all(ann);
    assert_texts(ann, &fresh, "for you|");
}

/* ---- agents */

typedef struct helper {
    int calls;
    int failures; /* so many calls fail first */
} helper;

static void answer(xmtp_agent *agent, const xmtp_message *message, const xmtp_user *user,
                   void *context)
{
    helper *h = context;
    (void)user;
    if (h->calls++ < h->failures) {
        xmtp_agent_fail(agent, message, "not now");
        return;
    }
    assert_ok(xmtp_agent_reply(agent, message, "yes"));
}

static void an_agent_answers_and_tries_again_when_it_is_due(void **state)
{
    (void)state;
    helper h = {.failures = 3}; /* again after 1, 2 and 4 seconds */
    xmtp_network_device *agent;
    xmtp_agent_options options = {.on_message = answer, .context = &h};
    assert_ok(xmtp_network_agent(net, NULL, &options, &agent, &error));
    assert_ok(xmtp_client_dm(of(ann), xmtp_client_address(of(agent)), &dm, &error));
    assert_ok(xmtp_client_send_text(of(ann), &dm, "are you there?", NULL, &error));
    assert_ok(xmtp_network_run(net, 6 * second_ns, &error));
    assert_int_equal(h.calls, 3);
    assert_ok(xmtp_network_run(net, 4 * second_ns, &error));
    assert_int_equal(h.calls, 4);
    assert_synced_texts(ann, "are you there?|yes|");
}

static void an_agent_that_dies_answers_once(void **state)
{
    (void)state;
    helper h = {0};
    xmtp_network_device *agent;
    xmtp_agent_options options = {.on_message = answer, .context = &h};
    assert_ok(xmtp_network_agent(net, NULL, &options, &agent, &error));
    assert_ok(xmtp_client_dm(of(ann), xmtp_client_address(of(agent)), &dm, &error));
    assert_ok(xmtp_client_send_text(of(ann), &dm, "are you there?", NULL, &error));
    for (uint64_t n = 1; n < 24 && h.calls < 30; n++) {
        xmtp_network_crash_at(agent, XMTP_NETWORK_AT_WRITE, n);
        may_fail(xmtp_network_run(net, 2 * second_ns, &error));
        if (xmtp_network_has_crashed(agent)) {
            assert_ok(xmtp_network_reopen(agent, &error));
        }
    }
    xmtp_network_crash_at(agent, XMTP_NETWORK_AT_WRITE, 0);
    assert_ok(xmtp_network_run(net, 60 * second_ns, &error));
    assert_true(xmtp_network_count(net, agent).crashes > 0);
    assert_synced_texts(ann, "are you there?|yes|");
}

/* ---- what the node sees */

typedef struct envelopes {
    size_t count;
    uint64_t last_ns;
    size_t stop_after; /* 0: never */
} envelopes;

static xmtp_status count_envelope(void *context, const xmtp_network_envelope *envelope)
{
    envelopes *seen = context;
    assert_true(envelope->sent_ns >= seen->last_ns && envelope->data.n > 0);
    assert_true(envelope->group_message.n > envelope->data.n);
    seen->last_ns = envelope->sent_ns;
    return ++seen->count == seen->stop_after ? XMTP_E_CLOSED : XMTP_OK;
}

static void what_the_node_has_of_a_conversation_is_seen_in_order_and_whole(void **state)
{
    (void)state;
    enum { TEXTS = 210 }; /* three pages */
    envelopes before = {0};
    envelopes after = {0};
    assert_ok(xmtp_network_envelopes(net, &dm, count_envelope, &before, &error));
    for (int i = 0; i < TEXTS; i++) {
        send_text(ann, &dm, "x");
    }
    assert_ok(xmtp_network_envelopes(net, &dm, count_envelope, &after, &error));
    assert_int_equal(after.count, before.count + TEXTS);
}

static void a_visit_of_envelopes_can_be_ended(void **state)
{
    (void)state;
    envelopes seen = {.stop_after = 1};
    assert_int_equal(xmtp_network_envelopes(net, &dm, count_envelope, &seen, &error),
                     XMTP_E_CLOSED);
    assert_int_equal(seen.count, 1);
}

static xmtp_status hand_over(void *context, const xmtp_network_envelope *envelope)
{
    (void)context;
    return xmtp_client_process_message(of(bob), envelope->group_message, &error);
}

static void an_envelope_is_taken_in_as_a_push_delivers_it(void **state)
{
    (void)state;
    send_text(ann, &dm, "pushed");
    assert_ok(xmtp_network_envelopes(net, &dm, hand_over, NULL, &error));
    assert_texts(bob, &dm, "hello|pushed|");
}

static void a_conversation_that_nobody_has_has_no_envelopes(void **state)
{
    (void)state;
    envelopes seen = {0};
    const xmtp_conversation_id unknown = {.p = {1}, .n = 16};
    assert_ok(xmtp_network_envelopes(net, &unknown, count_envelope, &seen, &error));
    assert_int_equal(seen.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_run),
        cmocka_unit_test(another_seed_gives_another_run),
        cmocka_unit_test(a_node_of_one_thread_does_not_listen),
#define on_a_network(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
        on_a_network(a_call_that_is_lost_never_arrives),
        on_a_network(a_call_whose_answer_is_lost_has_arrived),
        on_a_network(a_call_that_is_doubled_counts_once),
        on_a_network(a_late_call_arrives_when_it_is_due),
        on_a_network(a_delayed_call_takes_time),
        on_a_network(who_is_cut_off_reaches_nobody_until_healed),
        on_a_network(chances_above_a_thousand_are_refused),
        on_a_network(a_stream_ends_with_the_node_and_comes_back),
        on_a_network(waiting_costs_only_the_network_s_time),
        on_a_network(who_is_killed_has_what_was_committed),
        on_a_network(who_dies_while_writing_goes_on_after_reopening),
        on_a_network(a_device_may_die_before_it_is_registered),
        on_a_network(after_a_power_cut_the_database_is_whole),
        on_a_network(after_a_power_cut_and_a_sync_what_is_said_arrives),
        on_a_network(after_a_power_cut_what_is_said_before_a_sync_arrives),
        on_a_network(after_a_power_cut_an_own_commit_does_not_leave_its_group_behind),
        on_a_network(after_a_power_cut_welcomes_to_the_newest_key_package_are_opened),
        on_a_network(an_agent_answers_and_tries_again_when_it_is_due),
        on_a_network(an_agent_that_dies_answers_once),
        on_a_network(what_the_node_has_of_a_conversation_is_seen_in_order_and_whole),
        on_a_network(a_visit_of_envelopes_can_be_ended),
        on_a_network(an_envelope_is_taken_in_as_a_push_delivers_it),
        on_a_network(a_conversation_that_nobody_has_has_no_envelopes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
