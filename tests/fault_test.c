/* fault_test.c - one story, told once for every call that can fail, before or after it reached the
 * node, with and without a restart of the process afterwards. In the end everybody has everything
 * exactly once. */
#include "network/test_devices.h"

enum { TRIES_MAX = 12, CUT_LONG = 9 /* longer than the retries of one call */ };

typedef struct story {
    xmtp_network_device *a; /* whose calls are lost */
    xmtp_network_device *b;
    uint64_t lost_from;
    bool restarts;
    xmtp_conversation_id dm;
    xmtp_conversation_id group;
} story;

static bool is_doubtful(xmtp_status status)
{
    return status == XMTP_E_NETWORK || status == XMTP_E_RETRY;
}

static void open_again(story *s)
{
    xmtp_status status = XMTP_E_NETWORK;
    for (int i = 0; i < TRIES_MAX && status != XMTP_OK; i++) {
        status = xmtp_network_reopen(s->a, &error);
    }
    assert_ok(status);
}

/* After a failure: time passes, and the process may start anew. */
static void after_failure(story *s, xmtp_status status)
{
    if (!is_doubtful(status)) {
        fail_msg("%s: %s (lost from %d)", xmtp_status_name(status), error.text, (int)s->lost_from);
    }
    xmtp_network_advance(net, 40 * XMTP_NETWORK_SECOND_NS);
    if (s->restarts) {
        open_again(s);
    }
}

#define until_ok(s, call)                                                                          \
    do {                                                                                           \
        xmtp_status status_ = (call);                                                              \
        int tries_ = 0;                                                                            \
        while (status_ != XMTP_OK) {                                                               \
            assert_true(++tries_ < TRIES_MAX);                                                     \
            after_failure((s), status_);                                                           \
            status_ = (call);                                                                      \
        }                                                                                          \
    } while (0)

/* A message that was taken is never given again by us, whatever the answer was. */
static void say(story *s, const xmtp_conversation_id *to, const char *text)
{
    xmtp_status status = xmtp_client_send_text(of(s->a), to, text, NULL, &error);
    if (status != XMTP_OK) {
        after_failure(s, status);
    }
}

static void create_group(story *s)
{
    for (int i = 0; i < TRIES_MAX; i++) {
        const char *members[] = {xmtp_client_address(of(s->b))};
        xmtp_status status =
            xmtp_client_group_create(of(s->a), "old", members, 1, &s->group, &error);
        if (status != XMTP_OK) {
            after_failure(s, status);
        }
        if (s->group.n > 0) {
            return;
        }
    }
    fail_msg("no group");
}

static void tell(story *s)
{
    until_ok(s, xmtp_client_dm(of(s->a), xmtp_client_address(of(s->b)), &s->dm, &error));
    say(s, &s->dm, "1");
    create_group(s);
    say(s, &s->group, "g1");
    until_ok(s, xmtp_client_sync(of(s->a), &error));
    sync_all(s->b);
    send_text(s->b, &s->dm, "2"); /* with the key update of a joiner before it */
    send_text(s->b, &s->group, "g2");
    until_ok(s, xmtp_client_sync(of(s->a), &error));
    until_ok(s, xmtp_client_group_rename(of(s->a), &s->group, "new", &error));
    say(s, &s->dm, "3");
    say(s, &s->group, "g3");
    until_ok(s, xmtp_client_sync(of(s->a), &error));
    sync_all(s->b);
    until_ok(s, xmtp_client_sync(of(s->a), &error));
}

static xmtp_status count_conversation(void *context, const xmtp_conversation *conversation)
{
    (void)conversation;
    (*(size_t *)context)++;
    return XMTP_OK;
}

static xmtp_status check_published(void *context, const xmtp_message *message)
{
    (void)context;
    assert_int_equal(message->delivery, XMTP_DELIVERY_PUBLISHED);
    return XMTP_OK;
}

static void check_device(const xmtp_network_device *d, const story *s)
{
    size_t count = 0;
    assert_texts(d, &s->dm, "1|2|3|");
    assert_texts(d, &s->group, "g1|g2|g3|");
    assert_string_equal(conversation_of(d, &s->group).name, "new");
    assert_ok(xmtp_client_conversations(of(d), count_conversation, &count, &error));
    assert_int_equal(count, 2);
    xmtp_message_query all = {0};
    assert_ok(xmtp_client_messages(of(d), &all, check_published, NULL, &error));
}

/* Tells the story with `count` calls lost from a number on; returns how many calls it took. */
static uint64_t tell_with_loss(uint64_t from, uint64_t count, xmtp_network_loss how, bool restarts)
{
    story s = {.restarts = restarts, .lost_from = from};
    xmtp_network_device_options closed = {.is_closed = true};
    assert_ok(xmtp_network_open(&net, NULL, &error));
    assert_ok(xmtp_network_client(net, NULL, &s.b, &error));
    assert_ok(xmtp_network_client(net, &closed, &s.a, &error));
    xmtp_network_lose_calls(s.a, from - 1, count, how);
    open_again(&s);
    tell(&s);
    check_device(s.a, &s);
    check_device(s.b, &s);
    assert_int_equal(conversation_of(s.a, &s.group).epoch, conversation_of(s.b, &s.group).epoch);
    assert_int_equal(conversation_of(s.a, &s.dm).epoch, conversation_of(s.b, &s.dm).epoch);
    uint64_t calls = xmtp_network_count(net, s.a).calls;
    xmtp_network_close(net);
    return calls;
}

static void lose_everywhere(uint64_t count, xmtp_network_loss how, bool restarts)
{
    uint64_t calls = tell_with_loss(1, 0, how, false);
    assert_true(calls > 20);
    for (uint64_t i = 1; i <= calls; i++) {
        (void)tell_with_loss(i, count, how, restarts);
    }
}

static void short_cuts_are_not_noticed(void **state)
{
    (void)state;
    lose_everywhere(1, XMTP_NETWORK_CALL_LOST, false);
}

static void short_cuts_after_the_call_arrived_are_not_noticed(void **state)
{
    (void)state;
    lose_everywhere(1, XMTP_NETWORK_ANSWER_LOST, false);
}

static void long_cuts_are_made_good(void **state)
{
    (void)state;
    lose_everywhere(CUT_LONG, XMTP_NETWORK_CALL_LOST, false);
}

static void long_cuts_after_calls_arrived_are_made_good(void **state)
{
    (void)state;
    lose_everywhere(CUT_LONG, XMTP_NETWORK_ANSWER_LOST, false);
}

static void long_cuts_with_a_restart_are_made_good(void **state)
{
    (void)state;
    lose_everywhere(CUT_LONG, XMTP_NETWORK_CALL_LOST, true);
}

static void long_cuts_after_calls_arrived_with_a_restart_are_made_good(void **state)
{
    (void)state;
    lose_everywhere(CUT_LONG, XMTP_NETWORK_ANSWER_LOST, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_cuts_are_not_noticed),
        cmocka_unit_test(short_cuts_after_the_call_arrived_are_not_noticed),
        cmocka_unit_test(long_cuts_are_made_good),
        cmocka_unit_test(long_cuts_after_calls_arrived_are_made_good),
        cmocka_unit_test(long_cuts_with_a_restart_are_made_good),
        cmocka_unit_test(long_cuts_after_calls_arrived_with_a_restart_are_made_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
