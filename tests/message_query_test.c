/* message_query_test.c - what is asked for is what is listed: bounds, kinds, types, senders, order. */
#include "one_network.h"

/* Ann and Bob in a DM; the node's clock gives the times of sending, ours those of arrival. */
typedef struct scene {
    person p[2];
    xmtp_conversation_id dm;
    uint8_t first[XMTP_MESSAGE_ID_LEN];
    uint8_t reply[XMTP_MESSAGE_ID_LEN];
} scene;

static void scene_open(scene *s)
{
    people_open(s->p, 2, &net);
    person *a = &s->p[0];
    person *b = &s->p[1];
    assert_ok(a, xmtp_client_dm(a->client, xmtp_client_inbox_id(b->client), &s->dm, &a->error));
    assert_ok(a, xmtp_client_send_text(a->client, &s->dm, "one", s->first, &a->error));
    network_advance(&net, 10);
    sync_all(b);
    assert_ok(b, xmtp_client_send_reply(b->client, &s->dm, s->first, "two", s->reply, &b->error));
    network_advance(&net, 10);
    send_text(b, &s->dm, "three");
    sync_all(a);
}

static void assert_found(person *p, xmtp_message_query query, const char *expected)
{
    transcript *t = calloc(1, sizeof(*t));
    uint64_t count = 0;
    assert_ok(p, xmtp_client_messages(p->client, &query, note_message, t, &p->error));
    assert_string_equal(t->text, expected);
    query.kind = XMTP_MESSAGE_APPLICATION;
    assert_ok(p, xmtp_client_message_count(p->client, &query, &count, &p->error));
    assert_true(query.limit > 0 || count == t->count);
    free(t);
}

static xmtp_message message_of(person *p, const uint8_t id[XMTP_MESSAGE_ID_LEN])
{
    xmtp_message message;
    assert_ok(p, xmtp_client_message(p->client, id, &message, &p->error));
    return message;
}

static void a_message_is_found_by_its_id(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    person *a = &s.p[0];
    xmtp_message first = message_of(a, s.first);
    assert_string_equal(first.text, "one");
    assert_int_equal(first.content_type, XMTP_CONTENT_TEXT);
    assert_int_equal(first.expires_ns, 0);
    assert_true(first.inserted_ns > 0);
    xmtp_message reply = message_of(a, s.reply);
    assert_int_equal(reply.content_type, XMTP_CONTENT_REPLY);
    uint8_t nobody[XMTP_MESSAGE_ID_LEN] = {0};
    assert_int_equal(xmtp_client_message(a->client, nobody, &reply, &a->error), XMTP_E_NOT_FOUND);
    people_close(s.p, 2);
}

static void order_and_limit_hold(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    person *a = &s.p[0];
    assert_found(a, (xmtp_message_query){.conversation = &s.dm}, "one|two|three|");
    assert_found(a, (xmtp_message_query){.conversation = &s.dm, .newest_first = true},
                 "three|two|one|");
    assert_found(a, (xmtp_message_query){.conversation = &s.dm, .by_arrival = true},
                 "one|two|three|");
    assert_found(a,
                 (xmtp_message_query){
                     .conversation = &s.dm, .by_arrival = true, .newest_first = true, .limit = 2},
                 "three|two|");
    assert_found(a, (xmtp_message_query){0}, "one|two|three|");
    people_close(s.p, 2);
}

static void bounds_of_sending_and_of_arrival_are_exclusive(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    person *a = &s.p[0];
    xmtp_message first = message_of(a, s.first);
    uint64_t first_ns = first.sent_ns;
    uint64_t first_here_ns = first.inserted_ns;
    uint64_t reply_ns = message_of(a, s.reply).sent_ns;
    assert_found(a, (xmtp_message_query){.conversation = &s.dm, .after_ns = first_ns},
                 "two|three|");
    assert_found(a, (xmtp_message_query){.conversation = &s.dm, .before_ns = reply_ns}, "one|");
    assert_found(a, (xmtp_message_query){.conversation = &s.dm, .inserted_after_ns = first_here_ns},
                 "two|three|");
    assert_found(
        a, (xmtp_message_query){.conversation = &s.dm, .inserted_before_ns = first_here_ns + 1},
        "one|");
    assert_found(a, (xmtp_message_query){.conversation = &s.dm, .after_ns = UINT64_MAX}, "");
    people_close(s.p, 2);
}

static void kinds_types_and_senders_are_told_apart(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    person *a = &s.p[0];
    const char *bob[] = {xmtp_client_inbox_id(s.p[1].client)};
    const xmtp_content_type replies[] = {XMTP_CONTENT_REPLY, XMTP_CONTENT_REACTION};
    xmtp_message_query query = {.conversation = &s.dm};
    query.kind = XMTP_MESSAGE_MEMBERSHIP_CHANGE;
    uint64_t count;
    assert_ok(a, xmtp_client_message_count(a->client, &query, &count, &a->error));
    assert_int_equal(count, 1); /* Ann's first commit */
    query.kind = XMTP_MESSAGE_APPLICATION;
    query.delivery = XMTP_DELIVERY_UNPUBLISHED;
    assert_found(a, query, "");
    query.delivery = XMTP_DELIVERY_PUBLISHED;
    assert_found(a, query, "one|two|three|");
    query.senders = bob;
    query.sender_count = 1;
    assert_found(a, query, "two|three|");
    query.content_types = replies;
    query.content_type_count = 2;
    assert_found(a, query, "two|");
    query = (xmtp_message_query){.conversation = &s.dm};
    query.senders_left_out = bob;
    query.sender_left_out_count = 1;
    assert_found(a, query, "one|");
    query = (xmtp_message_query){.conversation = &s.dm};
    query.content_types_left_out = replies;
    query.content_type_left_out_count = 2;
    assert_found(a, query, "one|three|");
    people_close(s.p, 2);
}

static void a_sender_that_is_no_inbox_id_is_refused(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    const char *bad[] = {"bob"};
    xmtp_message_query query = {.senders = bad, .sender_count = 1};
    uint64_t count;
    assert_int_equal(xmtp_client_message_count(s.p[0].client, &query, &count, &s.p[0].error),
                     XMTP_E_ARGUMENT);
    assert_string_equal(s.p[0].error.text, "sender 0 of a query is no inbox id");
    people_close(s.p, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_found_by_its_id),
        cmocka_unit_test(order_and_limit_hold),
        cmocka_unit_test(bounds_of_sending_and_of_arrival_are_exclusive),
        cmocka_unit_test(kinds_types_and_senders_are_told_apart),
        cmocka_unit_test(a_sender_that_is_no_inbox_id_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
