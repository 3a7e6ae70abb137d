/* conversation_test.c - people talk: DMs, groups, devices, races, crashes, cut wires. */
#include "identity/update.h"
#include "one_network.h"
#include "proto/identity.pb-c.h"
#include "proto/message.h"

static xmtp_status count_conversation(void *context, const xmtp_conversation *conversation)
{
    (void)conversation;
    (*(size_t *)context)++;
    return XMTP_OK;
}

/* The wallet of p takes the other device out of the inbox. */
static void revoke_device(person *p, const person *device)
{
    xmtp_wallet wallet;
    uint8_t key[1][XMTP_INSTALLATION_LEN];
    uint8_t *update;
    size_t update_len;
    assert_int_equal(xmtp_wallet_parse(p->key, &wallet, NULL), XMTP_OK);
    xmtp_signer signer = xmtp_signer_of_wallet(&wallet);
    assert_int_equal(xmtp_hex_decode(key[0], 32, xmtp_client_installation_id(device->client), 64),
                     XMTP_OK);
    assert_int_equal(xmtp_identity_update_revoke_installations(
                         &net.env.alloc, xmtp_client_inbox_id(p->client), &signer, key, 1,
                         net.clock_ns, &update, &update_len, &p->error),
                     XMTP_OK);
    Pb__PublishIdentityUpdateRequest request = PB__PUBLISH_IDENTITY_UPDATE_REQUEST__INIT;
    request.has_identity_update = 1;
    request.identity_update = xmtp_proto_data(xmtp_bytes_of(update, update_len));
    xmtp_writer in;
    xmtp_writer out;
    xmtp_writer_init(&in, &net.env.alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&out, &net.env.alloc, XMTP_WRITER_MAX);
    assert_int_equal(xmtp_proto_encode(&request.base, &in), XMTP_OK);
    assert_ok(p, p->wire.inner.unary(p->wire.inner.context,
                                     "/xmtp.identity.api.v1.IdentityApi/PublishIdentityUpdate",
                                     xmtp_writer_bytes(&in), &out, &p->error));
    xmtp_writer_free(&in);
    xmtp_writer_free(&out);
    free(update);
}

static void two_people_talk(void **state)
{
    (void)state;
    person a;
    person b;
    xmtp_conversation_id dm;
    xmtp_conversation_id same;
    person_open(&a, &net);
    person_open(&b, &net);
    assert_ok(&a, xmtp_client_dm(a.client, xmtp_client_address(b.client), &dm, &a.error));
    send_text(&a, &dm, "hello");
    sync_all(&b);
    assert_texts(&b, &dm, "hello|");
    send_text(&b, &dm, "hi");
    sync_all(&a);
    assert_texts(&a, &dm, "hello|hi|");
    assert_texts(&b, &dm, "hello|hi|");
    assert_ok(&b, xmtp_client_dm(b.client, xmtp_client_inbox_id(a.client), &same, &b.error));
    assert_memory_equal(&same, &dm, sizeof(dm));
    assert_int_equal(conversation_of(&a, &dm).epoch, conversation_of(&b, &dm).epoch);
    person_close(&a);
    person_close(&b);
}

typedef struct member_facts {
    size_t count;
    uint32_t installations;
    size_t super_admins;
} member_facts;

static xmtp_status note_member(void *context, const xmtp_member *member)
{
    member_facts *facts = context;
    facts->count++;
    facts->installations += member->installation_count;
    facts->super_admins += member->is_super_admin;
    assert_int_equal(strlen(member->address), XMTP_ADDRESS_LEN);
    return XMTP_OK;
}

static member_facts members_of(person *p, const xmtp_conversation_id *id)
{
    member_facts facts = {0};
    assert_ok(p, xmtp_client_members(p->client, id, note_member, &facts, &p->error));
    return facts;
}

static void assert_same_epoch(person *people, size_t count, const xmtp_conversation_id *id)
{
    for (size_t i = 1; i < count; i++) {
        assert_int_equal(conversation_of(&people[i], id).epoch,
                         conversation_of(&people[0], id).epoch);
    }
}

/* A group made by people[0] with the next count - 1 of them. */
static void make_group(person *people, size_t count, const char *name, xmtp_conversation_id *out)
{
    const char *members[8] = {0};
    for (size_t i = 1; i < count; i++) {
        members[i - 1] = xmtp_client_address(people[i].client);
    }
    assert_ok(&people[0], xmtp_client_group_create(people[0].client, name, members, count - 1, out,
                                                   &people[0].error));
    for (size_t i = 1; i < count; i++) {
        sync_all(&people[i]);
    }
}

static void five_people_share_a_group(void **state)
{
    (void)state;
    person people[5];
    xmtp_conversation_id group;
    for (size_t i = 0; i < 5; i++) {
        person_open(&people[i], &net);
    }
    make_group(people, 5, "five", &group); /* four installations: welcome pointers */
    for (size_t i = 0; i < 5; i++) {
        char text[2] = {(char)('a' + i), '\0'};
        send_text(&people[i], &group, text);
    }
    for (size_t i = 0; i < 5; i++) {
        sync_all(&people[i]);
        assert_texts(&people[i], &group, "a|b|c|d|e|");
        xmtp_conversation c = conversation_of(&people[i], &group);
        assert_string_equal(c.name, "five");
        assert_int_equal(c.member_count, 5);
        assert_true(c.is_active);
        member_facts facts = members_of(&people[i], &group);
        assert_int_equal(facts.count, 5);
        assert_int_equal(facts.installations, 5);
        assert_int_equal(facts.super_admins, 1);
    }
    assert_same_epoch(people, 5, &group);
    for (size_t i = 0; i < 5; i++) {
        person_close(&people[i]);
    }
}

static void members_are_added_and_removed_and_the_group_renamed(void **state)
{
    (void)state;
    person p[3];
    xmtp_conversation_id group;
    for (size_t i = 0; i < 3; i++) {
        person_open(&p[i], &net);
    }
    make_group(p, 2, "old", &group);
    const char *third[] = {xmtp_client_inbox_id(p[2].client)};
    assert_ok(&p[1], xmtp_client_group_add(p[1].client, &group, third, 1, &p[1].error));
    sync_all(&p[2]);
    assert_ok(&p[2], xmtp_client_group_rename(p[2].client, &group, "new", &p[2].error));
    sync_all(&p[0]);
    sync_all(&p[1]);
    assert_string_equal(conversation_of(&p[0], &group).name, "new");
    assert_string_equal(conversation_of(&p[1], &group).name, "new");
    assert_same_epoch(p, 3, &group);

    /* only admins remove: refused before anything is sent */
    uint64_t epoch = conversation_of(&p[1], &group).epoch;
    assert_int_equal(xmtp_client_group_remove(p[1].client, &group, third, 1, &p[1].error),
                     XMTP_E_PERMISSION);
    sync_all(&p[0]);
    assert_int_equal(conversation_of(&p[0], &group).epoch, epoch);

    assert_ok(&p[0], xmtp_client_group_remove(p[0].client, &group, third, 1, &p[0].error));
    send_text(&p[0], &group, "without you");
    sync_all(&p[2]);
    sync_all(&p[1]);
    assert_false(conversation_of(&p[2], &group).is_active);
    assert_texts(&p[2], &group, "");
    assert_texts(&p[1], &group, "without you|");
    assert_int_equal(xmtp_client_send_text(p[2].client, &group, "let me in", NULL, &p[2].error),
                     XMTP_E_INACTIVE);

    /* and back again */
    assert_ok(&p[0], xmtp_client_group_add(p[0].client, &group, third, 1, &p[0].error));
    sync_all(&p[2]);
    assert_true(conversation_of(&p[2], &group).is_active);
    send_text(&p[2], &group, "thanks");
    sync_all(&p[1]);
    assert_texts(&p[1], &group, "without you|thanks|");
    assert_texts(&p[2], &group, "thanks|");
    for (size_t i = 0; i < 3; i++) {
        person_close(&p[i]);
    }
}

static xmtp_status count_changes(void *context, const xmtp_message *message)
{
    *(size_t *)context += message->kind == XMTP_MESSAGE_MEMBERSHIP_CHANGE;
    return XMTP_OK;
}

static void changes_are_told_in_the_transcript(void **state)
{
    (void)state;
    person p[2];
    xmtp_conversation_id group;
    person_open(&p[0], &net);
    person_open(&p[1], &net);
    make_group(p, 2, "x", &group);
    assert_ok(&p[0], xmtp_client_group_rename(p[0].client, &group, "y", &p[0].error));
    sync_all(&p[1]);
    for (size_t i = 0; i < 2; i++) {
        size_t changes = 0;
        xmtp_message_query query = {.conversation = &group};
        assert_ok(&p[i],
                  xmtp_client_messages(p[i].client, &query, count_changes, &changes, &p[i].error));
        assert_int_equal(changes, 2);
    }
    person_close(&p[0]);
    person_close(&p[1]);
}

static void a_new_device_joins_and_a_revoked_one_leaves(void **state)
{
    (void)state;
    person a;
    person b;
    person b2;
    xmtp_conversation_id dm;
    person_open(&a, &net);
    person_open(&b, &net);
    assert_ok(&a, xmtp_client_dm(a.client, xmtp_client_address(b.client), &dm, &a.error));
    send_text(&a, &dm, "before");
    sync_all(&b);
    person_open_device(&b2, &b);
    assert_string_equal(xmtp_client_inbox_id(b2.client), xmtp_client_inbox_id(b.client));
    assert_string_not_equal(xmtp_client_installation_id(b2.client),
                            xmtp_client_installation_id(b.client));
    network_advance(&net, 6);
    send_text(&a, &dm, "to both");
    sync_all(&b);
    sync_all(&b2);
    assert_texts(&b, &dm, "before|to both|");
    assert_texts(&b2, &dm, "to both|");
    assert_int_equal(members_of(&a, &dm).installations, 3);
    send_text(&b2, &dm, "from the second");
    sync_all(&a);
    sync_all(&b);
    assert_texts(&a, &dm, "before|to both|from the second|");
    assert_texts(&b, &dm, "before|to both|from the second|");

    revoke_device(&b, &b2);
    network_advance(&net, 6);
    send_text(&a, &dm, "to one");
    sync_all(&b);
    assert_int_equal(members_of(&a, &dm).installations, 2);
    assert_int_equal(members_of(&b, &dm).installations, 2);
    sync_all(&b2);
    assert_false(conversation_of(&b2, &dm).is_active);
    assert_texts(&b, &dm, "before|to both|from the second|to one|");
    person_close(&a);
    person_close(&b);
    person_close(&b2);
}

static void of_two_commits_in_one_epoch_the_second_is_made_again(void **state)
{
    (void)state;
    person p[2];
    xmtp_conversation_id group;
    person_open(&p[0], &net);
    person_open(&p[1], &net);
    make_group(p, 2, "start", &group);
    assert_ok(&p[0], xmtp_client_group_rename(p[0].client, &group, "first", &p[0].error));
    /* p[1] has not seen that commit: its own is made in the old epoch and loses */
    assert_ok(&p[1], xmtp_client_group_rename(p[1].client, &group, "second", &p[1].error));
    sync_all(&p[0]);
    assert_string_equal(conversation_of(&p[0], &group).name, "second");
    assert_string_equal(conversation_of(&p[1], &group).name, "second");
    assert_same_epoch(p, 2, &group);
    send_text(&p[0], &group, "a");
    send_text(&p[1], &group, "b");
    sync_all(&p[0]);
    assert_texts(&p[0], &group, "a|b|");
    person_close(&p[0]);
    person_close(&p[1]);
}

static void a_member_who_was_away_catches_up_over_many_commits(void **state)
{
    (void)state;
    person p[3];
    xmtp_conversation_id group;
    transcript *seen = malloc(2 * sizeof(*seen));
    for (size_t i = 0; i < 3; i++) {
        person_open(&p[i], &net);
    }
    make_group(p, 3, "0", &group);
    for (int i = 1; i <= 30; i++) {
        char name[8];
        (void)snprintf(name, sizeof(name), "%d", i);
        assert_ok(&p[0], xmtp_client_group_rename(p[0].client, &group, name, &p[0].error));
        send_text(&p[i % 2], &group, name);
    }
    for (size_t i = 0; i < 3; i++) {
        sync_all(&p[i]);
        assert_string_equal(conversation_of(&p[i], &group).name, "30");
    }
    assert_same_epoch(p, 3, &group);
    read_all(&p[0], &group, &seen[0]);
    read_all(&p[2], &group, &seen[1]);
    assert_int_equal(seen[0].count, 30);
    assert_string_equal(seen[0].text, seen[1].text);
    free(seen);
    for (size_t i = 0; i < 3; i++) {
        person_close(&p[i]);
    }
}

static void every_step_survives_reopening(void **state)
{
    (void)state;
    person a;
    person b;
    xmtp_conversation_id dm;
    person_open(&a, &net);
    person_reopen(&a);
    person_open(&b, &net);
    person_reopen(&b);
    assert_ok(&a, xmtp_client_dm(a.client, xmtp_client_address(b.client), &dm, &a.error));
    person_reopen(&a);
    send_text(&a, &dm, "1");
    person_reopen(&a);
    sync_all(&b);
    person_reopen(&b);
    send_text(&b, &dm, "2");
    person_reopen(&b);
    sync_all(&a);
    person_reopen(&a);
    send_text(&a, &dm, "3");
    send_text(&b, &dm, "4");
    person_reopen(&b);
    sync_all(&b);
    sync_all(&a);
    assert_texts(&a, &dm, "1|2|3|4|");
    assert_texts(&b, &dm, "1|2|3|4|");
    person_close(&a);
    person_close(&b);
}

static void a_wrong_key_does_not_open_somebody_elses_database(void **state)
{
    (void)state;
    person a;
    person_open(&a, &net);
    char key[65];
    memcpy(key, a.key, sizeof(key));
    xmtp_client_close(a.client);
    person_new_key(&a);
    assert_int_equal(person_try_open(&a), XMTP_E_DATABASE_KEY);
    assert_null(a.client);
    memcpy(a.key, "xyz", 3);
    assert_int_equal(person_try_open(&a), XMTP_E_KEY);
    memcpy(a.key, key, sizeof(key));
    assert_ok(&a, person_try_open(&a));
    person_close(&a);
}

static void nobody_behind_an_address_is_told(void **state)
{
    (void)state;
    person a;
    xmtp_conversation_id dm;
    person_open(&a, &net);
    assert_int_equal(
        xmtp_client_dm(a.client, "0x00000000000000000000000000000000000000ff", &dm, &a.error),
        XMTP_E_NO_INBOX);
    assert_int_equal(xmtp_client_dm(a.client, "nonsense", &dm, &a.error), XMTP_E_IDENTIFIER);
    assert_int_equal(xmtp_client_dm(a.client, xmtp_client_address(a.client), &dm, &a.error),
                     XMTP_E_ARGUMENT);
    person_close(&a);
}

static void two_dms_made_at_once_are_shown_as_one(void **state)
{
    (void)state;
    person a;
    person b;
    xmtp_conversation_id one;
    xmtp_conversation_id two;
    person_open(&a, &net);
    person_open(&b, &net);
    a.wire.is_deaf = true; /* welcomes do not reach a while it makes its own */
    assert_ok(&b, xmtp_client_dm(b.client, xmtp_client_address(a.client), &two, &b.error));
    assert_ok(&a, xmtp_client_dm(a.client, xmtp_client_address(b.client), &one, &a.error));
    a.wire.is_deaf = false;
    send_text(&a, &one, "from a");
    network_advance(&net, 1);
    send_text(&b, &two, "from b");
    sync_all(&a);
    sync_all(&b);
    size_t count = 0;
    assert_ok(&a, xmtp_client_conversations(a.client, count_conversation, &count, &a.error));
    assert_int_equal(count, 1);
    assert_texts(&a, &one, "from a|from b|");
    assert_texts(&b, &two, "from a|from b|");
    person_close(&a);
    person_close(&b);
}

int main(void)
{
#define ON_NETWORK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ON_NETWORK(two_people_talk),
        ON_NETWORK(five_people_share_a_group),
        ON_NETWORK(members_are_added_and_removed_and_the_group_renamed),
        ON_NETWORK(changes_are_told_in_the_transcript),
        ON_NETWORK(a_new_device_joins_and_a_revoked_one_leaves),
        ON_NETWORK(of_two_commits_in_one_epoch_the_second_is_made_again),
        ON_NETWORK(a_member_who_was_away_catches_up_over_many_commits),
        ON_NETWORK(every_step_survives_reopening),
        ON_NETWORK(a_wrong_key_does_not_open_somebody_elses_database),
        ON_NETWORK(nobody_behind_an_address_is_told),
        ON_NETWORK(two_dms_made_at_once_are_shown_as_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
