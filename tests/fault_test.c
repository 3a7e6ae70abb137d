/* fault_test.c - one story, told once for every call that can fail, before or after it reached the
 * node, with and without a restart of the process afterwards. In the end everybody has everything
 * exactly once. */
#include "network.h"

enum { TRIES_MAX = 12, CUT_LONG = 9 /* longer than the retries of one call */ };

static network net;

typedef struct story {
    person a; /* whose wire is cut */
    person b;
    bool restarts;
    xmtp_conversation_id dm;
    xmtp_conversation_id group;
} story;

static bool is_doubtful(xmtp_status status)
{
    return status == XMTP_E_NETWORK || status == XMTP_E_RETRY;
}

/* After a failure: time passes, and the process may start anew. */
static void after_failure(story *s, xmtp_status status)
{
    if (!is_doubtful(status)) {
        fail_msg("%s: %s (cut at %d)", xmtp_status_name(status), s->a.error.text,
                 (int)s->a.wire.cut_from);
    }
    network_advance(&net, 40);
    if (s->restarts && s->a.client != NULL) {
        xmtp_client_close(s->a.client);
        s->a.client = NULL;
    }
    for (int i = 0; i < TRIES_MAX && s->a.client == NULL; i++) {
        (void)person_try_open(&s->a);
    }
    assert_non_null(s->a.client);
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
    xmtp_status status = xmtp_client_send_text(s->a.client, to, text, NULL, &s->a.error);
    if (status != XMTP_OK) {
        after_failure(s, status);
    }
}

static void create_group(story *s)
{
    for (int i = 0; i < TRIES_MAX; i++) {
        const char *members[] = {xmtp_client_address(s->b.client)};
        xmtp_status status =
            xmtp_client_group_create(s->a.client, "old", members, 1, &s->group, &s->a.error);
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
    until_ok(s, xmtp_client_dm(s->a.client, xmtp_client_address(s->b.client), &s->dm, &s->a.error));
    say(s, &s->dm, "1");
    create_group(s);
    say(s, &s->group, "g1");
    until_ok(s, xmtp_client_sync(s->a.client, &s->a.error));
    sync_all(&s->b);
    send_text(&s->b, &s->dm, "2"); /* with the key update of a joiner before it */
    send_text(&s->b, &s->group, "g2");
    until_ok(s, xmtp_client_sync(s->a.client, &s->a.error));
    until_ok(s, xmtp_client_group_rename(s->a.client, &s->group, "new", &s->a.error));
    say(s, &s->dm, "3");
    say(s, &s->group, "g3");
    until_ok(s, xmtp_client_sync(s->a.client, &s->a.error));
    sync_all(&s->b);
    until_ok(s, xmtp_client_sync(s->a.client, &s->a.error));
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

static void check_person(person *p, const story *s)
{
    size_t count = 0;
    assert_texts(p, &s->dm, "1|2|3|");
    assert_texts(p, &s->group, "g1|g2|g3|");
    assert_string_equal(conversation_of(p, &s->group).name, "new");
    assert_ok(p, xmtp_client_conversations(p->client, count_conversation, &count, &p->error));
    assert_int_equal(count, 2);
    xmtp_message_query all = {0};
    assert_ok(p, xmtp_client_messages(p->client, &all, check_published, NULL, &p->error));
}

/* Tells the story with calls cut from a number on; returns how many calls it took. */
static uint64_t tell_with_cut(uint64_t cut_from, uint64_t cut_count, cut how, bool restarts)
{
    story s = {.restarts = restarts};
    network_open(&net);
    person_open(&s.b, &net);
    memset(&s.a, 0, sizeof(s.a));
    s.a.net = &net;
    s.a.has_file = true;
    person_new_key(&s.a);
    (void)snprintf(s.a.path, sizeof(s.a.path), "%s/a.db", net.folder);
    wire_open(&s.a.wire, &net);
    s.a.wire.cut_from = cut_from;
    s.a.wire.cut_count = cut_count;
    s.a.wire.how = how;
    for (int i = 0; i < TRIES_MAX && s.a.client == NULL; i++) {
        (void)person_try_open(&s.a);
    }
    assert_non_null(s.a.client);
    tell(&s);
    check_person(&s.a, &s);
    check_person(&s.b, &s);
    assert_int_equal(conversation_of(&s.a, &s.group).epoch, conversation_of(&s.b, &s.group).epoch);
    assert_int_equal(conversation_of(&s.a, &s.dm).epoch, conversation_of(&s.b, &s.dm).epoch);
    uint64_t calls = s.a.wire.calls;
    person_close(&s.a);
    person_close(&s.b);
    network_close(&net);
    return calls;
}

static void cut_everywhere(uint64_t cut_count, cut how, bool restarts)
{
    uint64_t calls = tell_with_cut(0, 0, CUT_NONE, false);
    assert_true(calls > 20);
    for (uint64_t i = 1; i <= calls; i++) {
        (void)tell_with_cut(i, cut_count, how, restarts);
    }
}

static void short_cuts_are_not_noticed(void **state)
{
    (void)state;
    cut_everywhere(1, CUT_BEFORE, false);
}

static void short_cuts_after_the_call_arrived_are_not_noticed(void **state)
{
    (void)state;
    cut_everywhere(1, CUT_AFTER, false);
}

static void long_cuts_are_made_good(void **state)
{
    (void)state;
    cut_everywhere(CUT_LONG, CUT_BEFORE, false);
}

static void long_cuts_after_calls_arrived_are_made_good(void **state)
{
    (void)state;
    cut_everywhere(CUT_LONG, CUT_AFTER, false);
}

static void long_cuts_with_a_restart_are_made_good(void **state)
{
    (void)state;
    cut_everywhere(CUT_LONG, CUT_BEFORE, true);
}

static void long_cuts_after_calls_arrived_with_a_restart_are_made_good(void **state)
{
    (void)state;
    cut_everywhere(CUT_LONG, CUT_AFTER, true);
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
