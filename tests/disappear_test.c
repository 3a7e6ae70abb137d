/* disappear_test.c - messages that disappear when their time has come, on each client's own clock. */
#include "one_network.h"

static const uint64_t MINUTE_NS = UINT64_C(60000000000);

/* Ann and Bob in a DM whose messages live for a minute. */
static void open_pair(person p[2], xmtp_conversation_id *dm)
{
    const xmtp_group_options options = {.disappear_from_ns = 1, .disappear_in_ns = MINUTE_NS};
    people_open(p, 2, &net);
    assert_ok(&p[0], xmtp_client_dm_with(p[0].client, xmtp_client_inbox_id(p[1].client), &options,
                                         dm, &p[0].error));
    sync_all(&p[1]);
}

typedef struct heard {
    size_t count;
    uint8_t last[XMTP_MESSAGE_ID_LEN];
    xmtp_conversation_id conversation;
} heard;

static void hear(void *context, const xmtp_conversation_id *conversation,
                 const uint8_t message_id[XMTP_MESSAGE_ID_LEN])
{
    heard *h = context;
    h->count++;
    h->conversation = *conversation;
    memcpy(h->last, message_id, sizeof(h->last));
}

static uint64_t changes_of(person *p, const xmtp_conversation_id *id)
{
    uint64_t count;
    const xmtp_message_query query = {.conversation = id, .kind = XMTP_MESSAGE_MEMBERSHIP_CHANGE};
    assert_ok(p, xmtp_client_message_count(p->client, &query, &count, &p->error));
    return count;
}

static void messages_of_both_sides_are_gone_after_their_time(void **state)
{
    (void)state;
    person p[2];
    xmtp_conversation_id dm;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    xmtp_message message;
    open_pair(p, &dm);
    assert_ok(&p[0], xmtp_client_send_text(p[0].client, &dm, "short-lived", id, &p[0].error));
    assert_ok(&p[0], xmtp_client_message(p[0].client, id, &message, &p[0].error));
    assert_int_equal(message.expires_ns, net.clock_ns + MINUTE_NS);
    sync_all(&p[1]);
    assert_ok(&p[1], xmtp_client_message(p[1].client, id, &message, &p[1].error));
    assert_int_equal(message.expires_ns, net.clock_ns + MINUTE_NS);
    network_advance(&net, 59);
    for (size_t i = 0; i < 2; i++) {
        size_t count = 9;
        assert_ok(&p[i], xmtp_client_delete_expired(p[i].client, &count, &p[i].error));
        assert_int_equal(count, 0);
        assert_texts(&p[i], &dm, "short-lived|");
    }
    network_advance(&net, 1);
    for (size_t i = 0; i < 2; i++) {
        heard h = {0};
        size_t count = 0;
        const xmtp_client_events events = {.context = &h, .deleted = hear};
        xmtp_client_listen(p[i].client, &events);
        assert_texts(&p[i], &dm, ""); /* not shown even before it is deleted */
        assert_ok(&p[i], xmtp_client_delete_expired(p[i].client, &count, &p[i].error));
        assert_int_equal(count, 1);
        assert_int_equal(h.count, 1);
        assert_memory_equal(h.last, id, sizeof(id));
        assert_memory_equal(&h.conversation, &dm, sizeof(dm));
        assert_int_equal(xmtp_client_message(p[i].client, id, &message, &p[i].error),
                         XMTP_E_NOT_FOUND);
        assert_true(changes_of(&p[i], &dm) > 0); /* the transcript stays */
    }
    people_close(p, 2);
}

static void sync_and_poll_delete_by_themselves(void **state)
{
    (void)state;
    person p[2];
    heard h[2] = {0};
    xmtp_conversation_id dm;
    open_pair(p, &dm);
    for (size_t i = 0; i < 2; i++) {
        const xmtp_client_events events = {.context = &h[i], .deleted = hear};
        xmtp_client_listen(p[i].client, &events);
    }
    send_text(&p[0], &dm, "short-lived");
    sync_all(&p[1]);
    assert_ok(&p[1], xmtp_client_poll(p[1].client, 0, &p[1].error));
    network_advance(&net, 61);
    sync_all(&p[0]);
    assert_int_equal(h[0].count, 1);
    assert_int_equal(xmtp_client_poll(p[1].client, 0, &p[1].error), XMTP_E_TIMEOUT);
    assert_int_equal(h[1].count, 1);
    people_close(p, 2);
}

static void what_is_stamped_disappears_also_when_the_setting_is_off_again(void **state)
{
    (void)state;
    person p[2];
    xmtp_conversation_id dm;
    open_pair(p, &dm);
    send_text(&p[0], &dm, "stamped");
    assert_ok(&p[0], xmtp_client_set_disappearing(p[0].client, &dm, 0, 0, &p[0].error));
    send_text(&p[0], &dm, "stays");
    sync_all(&p[1]);
    network_advance(&net, 61);
    sync_all(&p[0]);
    sync_all(&p[1]);
    assert_texts(&p[0], &dm, "stays|");
    assert_texts(&p[1], &dm, "stays|");
    people_close(p, 2);
}

static void deadlines_survive_a_restart(void **state)
{
    (void)state;
    person p[2];
    heard h = {0};
    xmtp_conversation_id dm;
    open_pair(p, &dm);
    send_text(&p[0], &dm, "short-lived");
    person_reopen(&p[0]);
    const xmtp_client_events events = {.context = &h, .deleted = hear};
    xmtp_client_listen(p[0].client, &events);
    network_advance(&net, 61);
    sync_all(&p[0]);
    assert_int_equal(h.count, 1);
    people_close(p, 2);
}

static void members_of_a_group_may_not_set_it_and_admins_may(void **state)
{
    (void)state;
    person p[2];
    xmtp_conversation_id group;
    people_open(p, 2, &net);
    group_of(p, 2, &group);
    assert_int_equal(xmtp_client_set_disappearing(p[1].client, &group, 1, MINUTE_NS, &p[1].error),
                     XMTP_E_PERMISSION);
    assert_ok(&p[0], xmtp_client_set_disappearing(p[0].client, &group, 1, MINUTE_NS, &p[0].error));
    assert_int_equal(xmtp_client_set_disappearing(p[0].client, &group, 1, 0, &p[0].error),
                     XMTP_E_ARGUMENT);
    assert_non_null(strstr(p[0].error.text, "from 1 ns, in 0 ns"));
    people_close(p, 2);
}

static void the_queue_lets_go_of_what_has_expired_but_not_out_of_a_handlers_hands(void **state)
{
    (void)state;
    person p[2];
    xmtp_conversation_id dm;
    xmtp_queue_entry entry;
    uint64_t next_ns;
    open_pair(p, &dm);
    assert_ok(&p[1], xmtp_client_queue_enable(p[1].client, &p[1].error));
    send_text(&p[0], &dm, "held");
    send_text(&p[0], &dm, "waiting");
    sync_all(&p[1]);
    assert_ok(&p[1], xmtp_client_queue_next(p[1].client, &entry, &next_ns, &p[1].error));
    assert_string_equal(entry.message.text, "held");
    uint8_t held[XMTP_MESSAGE_ID_LEN];
    memcpy(held, entry.message.id, sizeof(held));
    network_advance(&net, 61);
    size_t count = 0;
    assert_ok(&p[1], xmtp_client_delete_expired(p[1].client, &count, &p[1].error));
    assert_int_equal(count, 1);
    assert_ok(&p[1], xmtp_client_queue_acknowledge(p[1].client, held, NULL, 0, &p[1].error));
    assert_ok(&p[1], xmtp_client_delete_expired(p[1].client, &count, &p[1].error));
    assert_int_equal(count, 1);
    assert_int_equal(xmtp_client_queue_next(p[1].client, &entry, &next_ns, &p[1].error),
                     XMTP_E_NOT_FOUND);
    people_close(p, 2);
}

static void one_message_can_be_forgotten_here(void **state)
{
    (void)state;
    person p[2];
    xmtp_conversation_id dm;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    people_open(p, 2, &net);
    assert_ok(&p[0],
              xmtp_client_dm(p[0].client, xmtp_client_inbox_id(p[1].client), &dm, &p[0].error));
    assert_ok(&p[0], xmtp_client_send_text(p[0].client, &dm, "oops", id, &p[0].error));
    sync_all(&p[1]);
    assert_ok(&p[0], xmtp_client_forget_message(p[0].client, id, &p[0].error));
    assert_int_equal(xmtp_client_forget_message(p[0].client, id, &p[0].error), XMTP_E_NOT_FOUND);
    assert_texts(&p[0], &dm, "");
    assert_texts(&p[1], &dm, "oops|");
    people_close(p, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_both_sides_are_gone_after_their_time),
        cmocka_unit_test(sync_and_poll_delete_by_themselves),
        cmocka_unit_test(what_is_stamped_disappears_also_when_the_setting_is_off_again),
        cmocka_unit_test(deadlines_survive_a_restart),
        cmocka_unit_test(members_of_a_group_may_not_set_it_and_admins_may),
        cmocka_unit_test(the_queue_lets_go_of_what_has_expired_but_not_out_of_a_handlers_hands),
        cmocka_unit_test(one_message_can_be_forgotten_here),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
