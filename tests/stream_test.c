/* stream_test.c - poll and the exactly-once queue. */
#include "no_replay.h"
#include "one_network.h"

/* Polls until nothing comes any more. */
static void poll_all(person *p)
{
    xmtp_status status = XMTP_OK;
    for (int i = 0; status == XMTP_OK && i < 1000; i++) {
        status = xmtp_client_poll(p->client, UINT64_C(50000000), &p->error);
    }
    assert_int_equal(status, XMTP_E_TIMEOUT);
}

static void make_dm(person *a, person *b, xmtp_conversation_id *dm)
{
    person_open(a, &net);
    person_open(b, &net);
    assert_ok(a, xmtp_client_dm(a->client, xmtp_client_address(b->client), dm, &a->error));
}

static void a_stream_brings_new_conversations_and_their_messages(void **state)
{
    (void)state;
    person a;
    person b;
    xmtp_conversation_id dm;
    person_open(&a, &net);
    person_open(&b, &net);
    poll_all(&b);
    assert_ok(&a, xmtp_client_dm(a.client, xmtp_client_address(b.client), &dm, &a.error));
    send_text(&a, &dm, "1");
    send_text(&a, &dm, "2");
    poll_all(&b);
    assert_texts(&b, &dm, "1|2|");
    poll_all(&a);
    send_text(&b, &dm, "3");
    poll_all(&a);
    poll_all(&b);
    assert_texts(&a, &dm, "1|2|3|");
    assert_texts(&b, &dm, "1|2|3|");
    send_text(&a, &dm, "4");
    sync_all(&b); /* sync and stream together */
    poll_all(&b);
    assert_texts(&b, &dm, "1|2|3|4|");
    person_close(&a);
    person_close(&b);
}

static void many_messages_and_commits_stream_in_order(void **state)
{
    (void)state;
    person a;
    person b;
    xmtp_conversation_id group;
    person_open(&a, &net);
    person_open(&b, &net);
    poll_all(&b);
    const char *members[] = {xmtp_client_address(b.client)};
    assert_ok(&a, xmtp_client_group_create(a.client, "g", members, 1, &group, &a.error));
    char expected[4096] = "";
    for (int i = 0; i < 150; i++) {
        char text[8];
        (void)snprintf(text, sizeof(text), "%d", i);
        send_text(&a, &group, text);
        strcat(expected, text);
        strcat(expected, "|");
        if (i % 10 == 0) {
            assert_ok(&a, xmtp_client_group_rename(a.client, &group, text, &a.error));
        }
    }
    poll_all(&b);
    assert_texts(&b, &group, expected);
    assert_string_equal(conversation_of(&b, &group).name, "140");
    person_close(&a);
    person_close(&b);
}

static void a_cut_wire_is_mended_and_nothing_is_lost(void **state)
{
    (void)state;
    person a;
    person b;
    xmtp_conversation_id dm;
    make_dm(&a, &b, &dm);
    poll_all(&b);
    send_text(&a, &dm, "1");
    poll_all(&b);
    b.wire.is_streaming_cut = true;
    b.wire.cut_from = b.wire.calls + 1;
    b.wire.cut_count = UINT64_MAX / 2;
    b.wire.how = CUT_BEFORE;
    send_text(&a, &dm, "2");
    for (int i = 0; i < 5; i++) {
        assert_int_equal(xmtp_client_poll(b.client, UINT64_C(1000000), &b.error), XMTP_E_NETWORK);
        network_advance(&net, 60);
    }
    b.wire.is_streaming_cut = false;
    b.wire.cut_from = 0;
    send_text(&a, &dm, "3");
    network_advance(&net, 60);
    poll_all(&b);
    assert_texts(&b, &dm, "1|2|3|");
    person_close(&a);
    person_close(&b);
}

static void wake_ends_a_poll(void **state)
{
    (void)state;
    person a;
    person_open(&a, &net);
    poll_all(&a);
    xmtp_client_wake(a.client);
    assert_int_equal(xmtp_client_poll(a.client, UINT64_MAX, &a.error), XMTP_OK);
    person_close(&a);
}

/* ---- the queue */

static void take(person *p, const char *text, xmtp_queue_entry *entry)
{
    assert_ok(p, xmtp_client_queue_next(p->client, entry, NULL, &p->error));
    assert_string_equal(entry->message.text, text);
    assert_false(entry->message.is_own);
}

static void assert_nothing(person *p, uint64_t expected_ns)
{
    uint64_t next_ns;
    xmtp_queue_entry entry;
    assert_int_equal(xmtp_client_queue_next(p->client, &entry, &next_ns, &p->error),
                     XMTP_E_NOT_FOUND);
    assert_int_equal(next_ns, expected_ns);
}

static void the_queue_offers_each_message_once_and_in_order(void **state)
{
    (void)state;
    person a;
    person b;
    xmtp_conversation_id dm;
    xmtp_queue_entry entry;
    make_dm(&a, &b, &dm);
    send_text(&a, &dm, "before");
    sync_all(&b);
    assert_ok(&b, xmtp_client_queue_enable(b.client, &b.error));
    assert_nothing(&b, UINT64_MAX);
    send_text(&a, &dm, "1");
    send_text(&a, &dm, "2");
    send_text(&b, &dm, "own");
    sync_all(&b);
    take(&b, "1", &entry);
    assert_string_equal(entry.message.sender_address, xmtp_client_address(a.client));
    assert_nothing(&b, UINT64_MAX); /* the second waits for the first */
    person_reopen(&b);              /* not acknowledged: offered again */
    take(&b, "1", &entry);
    assert_ok(&b, xmtp_client_queue_acknowledge(b.client, entry.message.id, NULL, 0, &b.error));
    assert_int_equal(xmtp_client_queue_acknowledge(b.client, entry.message.id, NULL, 0, &b.error),
                     XMTP_E_NOT_FOUND);
    take(&b, "2", &entry);
    assert_int_equal(entry.attempts, 0);
    uint64_t later_ns = net.clock_ns + 1000;
    assert_ok(&b, xmtp_client_queue_fail(b.client, entry.message.id, later_ns, false, &b.error));
    assert_nothing(&b, later_ns);
    net.clock_ns += 1000;
    take(&b, "2", &entry);
    assert_int_equal(entry.attempts, 1);
    send_text(&a, &dm, "3");
    sync_all(&b);
    assert_nothing(&b, UINT64_MAX);
    assert_ok(&b, xmtp_client_queue_fail(b.client, entry.message.id, 0, true, &b.error));
    take(&b, "3", &entry);
    assert_ok(&b, xmtp_client_queue_acknowledge(b.client, entry.message.id, NULL, 0, &b.error));
    assert_nothing(&b, UINT64_MAX);
    person_close(&a);
    person_close(&b);
}

static void answers_go_with_the_acknowledgement(void **state)
{
    (void)state;
    person a;
    person b;
    xmtp_conversation_id dm;
    xmtp_queue_entry entry;
    make_dm(&a, &b, &dm);
    assert_ok(&b, xmtp_client_queue_enable(b.client, &b.error));
    send_text(&a, &dm, "question");
    sync_all(&b);
    take(&b, "question", &entry);
    xmtp_answer answers[] = {
        {.conversation = &entry.message.conversation, .text = "answer"},
        {.conversation = &entry.message.conversation,
         .reference = entry.message.id,
         .text = "reply"},
    };
    /* an answer that cannot be: nothing happens at all */
    xmtp_answer wrong[] = {answers[0], {.conversation = answers[0].conversation, .text = "\xff"}};
    assert_int_equal(xmtp_client_queue_acknowledge(b.client, entry.message.id, wrong, 2, &b.error),
                     XMTP_E_CONTENT);
    assert_texts(&b, &dm, "question|");
    /* the node is away: acknowledged all the same, and sent later */
    b.wire.cut_from = b.wire.calls + 1;
    b.wire.cut_count = UINT64_MAX / 2;
    b.wire.how = CUT_BEFORE;
    assert_ok(&b, xmtp_client_queue_acknowledge(b.client, entry.message.id, answers, 2, &b.error));
    assert_nothing(&b, UINT64_MAX);
    person_reopen(&b);
    b.wire.cut_from = 0;
    sync_all(&b);
    sync_all(&a);
    assert_texts(&a, &dm, "question|answer|reply|");
    assert_texts(&b, &dm, "question|answer|reply|");
    person_close(&a);
    person_close(&b);
}

static struct {
    person *sender;
    person *receiver;
    xmtp_conversation_id dm;
} late;

/* Somebody writes for the first time after the sync of poll and before its stream is there. */
static xmtp_status subscribe_too_late(void *context, const char *path, xmtp_bytes request,
                                      xmtp_stream **out, xmtp_error *error)
{
    person *a = late.sender;
    if (a != NULL && strstr(path, "SubscribeWelcomeMessages") != NULL) {
        late.sender = NULL;
        assert_ok(a, xmtp_client_dm(a->client, xmtp_client_address(late.receiver->client), &late.dm,
                                    &a->error));
        send_text(a, &late.dm, "first");
    }
    return subscribe_without_replay(context, path, request, out, error);
}

static void a_first_welcome_between_sync_and_stream_is_not_missed(void **state)
{
    (void)state;
    person a;
    person b;
    person_open(&a, &net);
    person_open(&b, &net);
    late.sender = &a;
    late.receiver = &b;
    b.wire.outer.subscribe = subscribe_too_late;
    poll_all(&b);
    assert_texts(&b, &late.dm, "first|");
    person_close(&a);
    person_close(&b);
}

static void leave_out_metadata(void *decoded)
{
    Pb__SendWelcomeMessagesRequest *request = decoded;
    for (size_t i = 0; i < request->n_messages; i++) {
        assert_int_equal(request->messages[i]->version_case, PB__WELCOME_MESSAGE_INPUT__VERSION_V1);
        request->messages[i]->v1->has_welcome_metadata = 0;
    }
}

/* As older clients send them: a welcome that does not say what its conversation has behind it. */
static xmtp_status send_without_metadata(void *context, const char *path, xmtp_bytes request,
                                         xmtp_writer *response, xmtp_error *error)
{
    if (strstr(path, "SendWelcomeMessages") == NULL) {
        return wire_unary(context, path, request, response, error);
    }
    xmtp_writer changed = changed_request(&pb__send_welcome_messages_request__descriptor, request,
                                          leave_out_metadata);
    xmtp_status status = wire_unary(context, path, xmtp_writer_bytes(&changed), response, error);
    xmtp_writer_free(&changed);
    return status;
}

static void leave_out_those_without_cursor(void *decoded)
{
    Pb__SubscribeGroupMessagesRequest *request = decoded;
    size_t n = 0;
    for (size_t i = 0; i < request->n_filters; i++) {
        if (request->filters[i]->id_cursor != 0) {
            request->filters[n++] = request->filters[i];
        }
    }
    request->n_filters = n;
}

/* What comes before the stream is not brought to a filter without a cursor. */
static xmtp_status subscribe_groups_without_replay(void *context, const char *path,
                                                   xmtp_bytes request, xmtp_stream **out,
                                                   xmtp_error *error)
{
    if (strstr(path, "SubscribeGroupMessages") == NULL) {
        return wire_subscribe(context, path, request, out, error);
    }
    xmtp_writer changed = changed_request(&pb__subscribe_group_messages_request__descriptor,
                                          request, leave_out_those_without_cursor);
    xmtp_status status = wire_subscribe(context, path, xmtp_writer_bytes(&changed), out, error);
    xmtp_writer_free(&changed);
    return status;
}

static void what_came_before_the_stream_of_a_welcome_without_a_cursor_is_not_missed(void **state)
{
    (void)state;
    person a;
    person b;
    xmtp_conversation_id dm;
    person_open(&a, &net);
    person_open(&b, &net);
    a.wire.outer.unary = send_without_metadata;
    b.wire.outer.subscribe = subscribe_groups_without_replay;
    poll_all(&b);
    assert_ok(&a, xmtp_client_dm(a.client, xmtp_client_address(b.client), &dm, &a.error));
    send_text(&a, &dm, "first");
    poll_all(&b);
    assert_texts(&b, &dm, "first|");
    person_close(&a);
    person_close(&b);
}

static xmtp_status bring_something_always(void *context, xmtp_stream *stream, xmtp_bytes *message,
                                          xmtp_error *error)
{
    (void)context;
    (void)stream;
    (void)error;
    *message = (xmtp_bytes){0};
    return XMTP_OK;
}

/* Neither a node nor members who write faster than we read can keep a poll from coming back. */
static void a_stream_that_never_rests_does_not_hold_a_poll(void **state)
{
    (void)state;
    person a;
    person_open(&a, &net);
    poll_all(&a);
    a.wire.outer.next = bring_something_always;
    assert_ok(&a, xmtp_client_poll(a.client, 0, &a.error));
    a.wire.outer.next = wire_next;
    person_close(&a);
}

int main(void)
{
#define ON_NETWORK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ON_NETWORK(a_stream_brings_new_conversations_and_their_messages),
        ON_NETWORK(many_messages_and_commits_stream_in_order),
        ON_NETWORK(a_cut_wire_is_mended_and_nothing_is_lost),
        ON_NETWORK(a_first_welcome_between_sync_and_stream_is_not_missed),
        ON_NETWORK(what_came_before_the_stream_of_a_welcome_without_a_cursor_is_not_missed),
        ON_NETWORK(a_stream_that_never_rests_does_not_hold_a_poll),
        ON_NETWORK(wake_ends_a_poll),
        ON_NETWORK(the_queue_offers_each_message_once_and_in_order),
        ON_NETWORK(answers_go_with_the_acknowledgement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
