/* consent_test.c - what is unknown, allowed and denied, by itself and by decision; and DMs that exist
 * twice. */
#include "one_network.h"

static void dm_with(person *p, const person *peer, xmtp_conversation_id *out)
{
    assert_ok(p, xmtp_client_dm(p->client, xmtp_client_inbox_id(peer->client), out, &p->error));
}

static xmtp_status count_it(void *context, const xmtp_conversation *conversation)
{
    (void)conversation;
    (*(size_t *)context)++;
    return XMTP_OK;
}

static size_t listed(person *p, uint32_t consent_states)
{
    size_t count = 0;
    const xmtp_conversation_query query = {.consent_states = consent_states};
    assert_ok(p, xmtp_client_conversations_where(p->client, &query, count_it, &count, &p->error));
    return count;
}

static xmtp_consent_state consent_of(person *p, const xmtp_conversation_id *id)
{
    return conversation_of(p, id).consent;
}

static void who_makes_a_conversation_or_answers_allows_it(void **state)
{
    (void)state;
    person p[2];
    xmtp_conversation_id dm;
    people_open(p, 2, &net);
    dm_with(&p[0], &p[1], &dm);
    send_text(&p[0], &dm, "hello");
    sync_all(&p[1]);
    assert_int_equal(consent_of(&p[0], &dm), XMTP_CONSENT_ALLOWED);
    assert_int_equal(consent_of(&p[1], &dm), XMTP_CONSENT_UNKNOWN);
    assert_int_equal(conversation_of(&p[1], &dm).state, XMTP_MEMBERSHIP_PENDING);
    send_text(&p[1], &dm, "hi");
    assert_int_equal(consent_of(&p[1], &dm), XMTP_CONSENT_ALLOWED);
    people_close(p, 2);
}

static void what_another_device_of_ours_made_is_allowed(void **state)
{
    (void)state;
    person p[2];
    person device;
    xmtp_conversation_id group;
    people_open(p, 2, &net);
    person_open_device(&device, &p[0]);
    group_of(p, 2, &group);
    sync_all(&device);
    assert_int_equal(consent_of(&device, &group), XMTP_CONSENT_ALLOWED);
    assert_int_equal(consent_of(&p[1], &group), XMTP_CONSENT_UNKNOWN);
    person_close(&device);
    people_close(p, 2);
}

static void lists_leave_out_what_is_denied_unless_asked(void **state)
{
    (void)state;
    person p[3];
    xmtp_conversation_id dm;
    xmtp_conversation_id group;
    people_open(p, 3, &net);
    dm_with(&p[0], &p[1], &dm);
    group_of(p, 2, &group);
    assert_int_equal(listed(&p[1], 0), 2);
    assert_ok(&p[1], xmtp_client_set_conversation_consent(p[1].client, &group, XMTP_CONSENT_DENIED,
                                                          &p[1].error));
    assert_int_equal(listed(&p[1], 0), 1);
    assert_int_equal(listed(&p[1], XMTP_CONSENT_BIT(XMTP_CONSENT_DENIED)), 1);
    assert_int_equal(listed(&p[1], XMTP_CONSENT_BIT(XMTP_CONSENT_ALLOWED)), 0);
    size_t all = 0;
    assert_ok(&p[1], xmtp_client_conversations(p[1].client, count_it, &all, &p[1].error));
    assert_int_equal(all, 2);
    const xmtp_conversation_query groups = {.consent_states = XMTP_CONSENT_BIT(XMTP_CONSENT_DENIED),
                                            .kind = XMTP_CONVERSATION_DM};
    all = 0;
    assert_ok(&p[1],
              xmtp_client_conversations_where(p[1].client, &groups, count_it, &all, &p[1].error));
    assert_int_equal(all, 0);
    people_close(p, 3);
}

static void lists_are_bounded_by_creation_and_number(void **state)
{
    (void)state;
    person p[1];
    xmtp_conversation_id groups[3];
    people_open(p, 1, &net);
    for (size_t i = 0; i < 3; i++) {
        network_advance(&net, 1);
        group_of(p, 1, &groups[i]);
    }
    uint64_t second_ns = conversation_of(p, &groups[1]).created_ns;
    xmtp_conversation_query query = {.created_after_ns = second_ns};
    size_t count = 0;
    assert_ok(p, xmtp_client_conversations_where(p->client, &query, count_it, &count, &p->error));
    assert_int_equal(count, 1);
    query = (xmtp_conversation_query){.created_before_ns = second_ns + 1};
    count = 0;
    assert_ok(p, xmtp_client_conversations_where(p->client, &query, count_it, &count, &p->error));
    assert_int_equal(count, 2);
    query = (xmtp_conversation_query){.limit = 1, .newest_made_first = true};
    count = 0;
    assert_ok(p, xmtp_client_conversations_where(p->client, &query, count_it, &count, &p->error));
    assert_int_equal(count, 1);
    people_close(p, 1);
}

static void denied_conversations_are_received_and_never_queued(void **state)
{
    (void)state;
    person p[2];
    xmtp_conversation_id dm;
    xmtp_queue_entry entry;
    uint64_t next_ns;
    people_open(p, 2, &net);
    assert_ok(&p[1], xmtp_client_queue_enable(p[1].client, &p[1].error));
    dm_with(&p[0], &p[1], &dm);
    sync_all(&p[1]);
    assert_ok(&p[1], xmtp_client_set_conversation_consent(p[1].client, &dm, XMTP_CONSENT_DENIED,
                                                          &p[1].error));
    send_text(&p[0], &dm, "buy");
    sync_all(&p[1]);
    assert_texts(&p[1], &dm, "buy|");
    assert_int_equal(xmtp_client_queue_next(p[1].client, &entry, &next_ns, &p[1].error),
                     XMTP_E_NOT_FOUND);
    people_close(p, 2);
}

static void sync_can_be_limited_to_what_is_consented_to(void **state)
{
    (void)state;
    person p[2];
    xmtp_conversation_id dm;
    xmtp_sync_counts counts;
    people_open(p, 2, &net);
    dm_with(&p[0], &p[1], &dm);
    sync_all(&p[1]);
    assert_ok(&p[1], xmtp_client_set_conversation_consent(p[1].client, &dm, XMTP_CONSENT_DENIED,
                                                          &p[1].error));
    send_text(&p[0], &dm, "later");
    assert_ok(&p[1], xmtp_client_sync_where(p[1].client, 0, &counts, &p[1].error));
    assert_int_equal(counts.eligible, 0);
    assert_texts(&p[1], &dm, "");
    assert_ok(&p[1], xmtp_client_sync_where(p[1].client, XMTP_CONSENT_BIT(XMTP_CONSENT_DENIED),
                                            &counts, &p[1].error));
    assert_int_equal(counts.eligible, 1);
    assert_int_equal(counts.synced, 1);
    assert_texts(&p[1], &dm, "later|");
    people_close(p, 2);
}

typedef struct heard {
    size_t count;
    xmtp_consent_state last;
} heard;

static void hear(void *context, const xmtp_consent *record)
{
    heard *h = context;
    h->count++;
    h->last = record->state;
}

static xmtp_status count_record(void *context, const xmtp_consent *record)
{
    assert_true(record->consented_ns > 0);
    (*(size_t *)context)++;
    return XMTP_OK;
}

static void inboxes_are_recorded_and_listeners_told_of_changes(void **state)
{
    (void)state;
    person p[2];
    heard h = {0};
    xmtp_consent_state seen;
    people_open(p, 2, &net);
    const char *bob = xmtp_client_inbox_id(p[1].client);
    const xmtp_client_events events = {.context = &h, .consent = hear};
    const xmtp_consent denied = {
        .entity_type = XMTP_CONSENT_INBOX, .entity = bob, .state = XMTP_CONSENT_DENIED};
    xmtp_client_listen(p[0].client, &events);
    assert_ok(&p[0], xmtp_client_consent(p[0].client, XMTP_CONSENT_INBOX, bob, &seen, &p[0].error));
    assert_int_equal(seen, XMTP_CONSENT_UNKNOWN);
    assert_ok(&p[0], xmtp_client_set_consent(p[0].client, &denied, 1, &p[0].error));
    assert_ok(&p[0], xmtp_client_set_consent(p[0].client, &denied, 1, &p[0].error));
    assert_int_equal(h.count, 1); /* the second time nothing changed */
    assert_int_equal(h.last, XMTP_CONSENT_DENIED);
    person_reopen(&p[0]);
    assert_ok(&p[0], xmtp_client_consent(p[0].client, XMTP_CONSENT_INBOX, bob, &seen, &p[0].error));
    assert_int_equal(seen, XMTP_CONSENT_DENIED);
    size_t count = 0;
    assert_ok(&p[0], xmtp_client_consents(p[0].client, count_record, &count, &p[0].error));
    assert_int_equal(count, 1);
    people_close(p, 2);
}

static void bad_records_are_refused_as_a_whole(void **state)
{
    (void)state;
    person p[1];
    xmtp_consent_state seen;
    people_open(p, 1, &net);
    const char *self = xmtp_client_inbox_id(p->client);
    const xmtp_consent good = {
        .entity_type = XMTP_CONSENT_INBOX, .entity = self, .state = XMTP_CONSENT_DENIED};
    const xmtp_consent bad[] = {
        {.entity_type = XMTP_CONSENT_INBOX, .entity = "bob", .state = XMTP_CONSENT_DENIED},
        {.entity_type = XMTP_CONSENT_CONVERSATION, .entity = "AB", .state = XMTP_CONSENT_DENIED},
        {.entity_type = XMTP_CONSENT_CONVERSATION, .entity = "abc", .state = XMTP_CONSENT_DENIED},
        {.entity_type = XMTP_CONSENT_INBOX, .entity = self, .state = (xmtp_consent_state)3},
        {.entity_type = (xmtp_consent_entity)3, .entity = self, .state = XMTP_CONSENT_DENIED},
        {.entity_type = XMTP_CONSENT_INBOX, .state = XMTP_CONSENT_DENIED},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const xmtp_consent both[] = {good, bad[i]};
        assert_int_equal(xmtp_client_set_consent(p->client, both, 2, &p->error), XMTP_E_ARGUMENT);
        assert_non_null(strstr(p->error.text, "record 1: "));
    }
    assert_ok(p, xmtp_client_consent(p->client, XMTP_CONSENT_INBOX, self, &seen, &p->error));
    assert_int_equal(seen, XMTP_CONSENT_UNKNOWN);
    people_close(p, 1);
}

/* ---- two DMs between the same two people */

typedef struct pair {
    person p[2];
    xmtp_conversation_id dm[2]; /* made by each, not knowing of the other's */
} pair;

static void open_pair(pair *s)
{
    /* The node gives the times of messages: ours must not be ahead, or an unsent one is the newest. */
    net.clock_ns = xmtp_env_system()->now_ns(xmtp_env_system()->context);
    people_open(s->p, 2, &net);
    s->p[0].wire.is_deaf = s->p[1].wire.is_deaf = true;
    dm_with(&s->p[0], &s->p[1], &s->dm[0]);
    dm_with(&s->p[1], &s->p[0], &s->dm[1]);
    s->p[0].wire.is_deaf = s->p[1].wire.is_deaf = false;
    assert_memory_not_equal(&s->dm[0], &s->dm[1], sizeof(s->dm[0]));
}

static void two_dms_are_one_conversation(void **state)
{
    (void)state;
    pair s;
    open_pair(&s);
    send_text(&s.p[0], &s.dm[0], "from ann");
    send_text(&s.p[1], &s.dm[1], "from bob");
    for (size_t i = 0; i < 2; i++) {
        sync_all(&s.p[i]);
        assert_texts(&s.p[i], &s.dm[0], "from ann|from bob|");
        assert_texts(&s.p[i], &s.dm[1], "from ann|from bob|");
        assert_int_equal(listed(&s.p[i], 0), 1);
        size_t duplicates = 0;
        assert_ok(&s.p[i], xmtp_client_dm_duplicates(s.p[i].client, &s.dm[0], count_it, &duplicates,
                                                     &s.p[i].error));
        assert_int_equal(duplicates, 1);
        const xmtp_conversation_query all = {.with_duplicates = true};
        size_t count = 0;
        assert_ok(&s.p[i], xmtp_client_conversations_where(s.p[i].client, &all, count_it, &count,
                                                           &s.p[i].error));
        assert_int_equal(count, 2);
    }
    people_close(s.p, 2);
}

static void what_is_sent_goes_to_the_group_with_the_newest_message(void **state)
{
    (void)state;
    pair s;
    open_pair(&s);
    send_text(&s.p[0], &s.dm[0], "one");
    send_text(&s.p[1], &s.dm[1], "two");
    sync_all(&s.p[0]);
    sync_all(&s.p[1]);
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    xmtp_message message;
    assert_ok(&s.p[0], xmtp_client_send_text(s.p[0].client, &s.dm[0], "three", id, &s.p[0].error));
    assert_ok(&s.p[0], xmtp_client_message(s.p[0].client, id, &message, &s.p[0].error));
    assert_memory_equal(&message.conversation, &s.dm[1], sizeof(s.dm[1]));
    xmtp_conversation shown = conversation_of(&s.p[0], &s.dm[0]);
    assert_memory_equal(&shown.id, &s.dm[1], sizeof(s.dm[1]));
    sync_all(&s.p[1]);
    assert_texts(&s.p[1], &s.dm[0], "one|two|three|");
    people_close(s.p, 2);
}

static void consent_is_for_all_groups_of_a_dm_also_those_that_come_later(void **state)
{
    (void)state;
    pair s;
    open_pair(&s);
    /* Ann denies before she learns of Bob's. */
    assert_ok(&s.p[0], xmtp_client_set_conversation_consent(s.p[0].client, &s.dm[0],
                                                            XMTP_CONSENT_DENIED, &s.p[0].error));
    sync_all(&s.p[0]);
    assert_int_equal(listed(&s.p[0], 0), 0);
    assert_int_equal(consent_of(&s.p[0], &s.dm[1]), XMTP_CONSENT_DENIED);
    assert_ok(&s.p[0], xmtp_client_set_conversation_consent(s.p[0].client, &s.dm[1],
                                                            XMTP_CONSENT_ALLOWED, &s.p[0].error));
    size_t allowed = 0;
    const xmtp_conversation_query both = {.consent_states = XMTP_CONSENT_BIT(XMTP_CONSENT_ALLOWED),
                                          .with_duplicates = true};
    assert_ok(&s.p[0], xmtp_client_conversations_where(s.p[0].client, &both, count_it, &allowed,
                                                       &s.p[0].error));
    assert_int_equal(allowed, 2);
    people_close(s.p, 2);
}

static void a_stream_brings_messages_of_every_duplicate(void **state)
{
    (void)state;
    pair s;
    open_pair(&s);
    assert_ok(&s.p[0], xmtp_client_poll(s.p[0].client, 0, &s.p[0].error)); /* opens, and syncs */
    send_text(&s.p[1], &s.dm[1], "in the second");
    sync_all(&s.p[1]);
    assert_ok(&s.p[0], xmtp_client_poll(s.p[0].client, UINT64_C(5000000000), &s.p[0].error));
    assert_texts(&s.p[0], &s.dm[0], "in the second|");
    people_close(s.p, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_makes_a_conversation_or_answers_allows_it),
        cmocka_unit_test(what_another_device_of_ours_made_is_allowed),
        cmocka_unit_test(lists_leave_out_what_is_denied_unless_asked),
        cmocka_unit_test(lists_are_bounded_by_creation_and_number),
        cmocka_unit_test(denied_conversations_are_received_and_never_queued),
        cmocka_unit_test(sync_can_be_limited_to_what_is_consented_to),
        cmocka_unit_test(inboxes_are_recorded_and_listeners_told_of_changes),
        cmocka_unit_test(bad_records_are_refused_as_a_whole),
        cmocka_unit_test(two_dms_are_one_conversation),
        cmocka_unit_test(what_is_sent_goes_to_the_group_with_the_newest_message),
        cmocka_unit_test(consent_is_for_all_groups_of_a_dm_also_those_that_come_later),
        cmocka_unit_test(a_stream_brings_messages_of_every_duplicate),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
