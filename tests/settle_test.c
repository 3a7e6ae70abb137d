/* settle_test.c - a message is sent when the node shows it, and written down as sent while the next one travels
 * (client/settle.c): whatever comes between, everybody has each message once and in one order. */
#include "client/content.h"
#include "client/round.h"
#include "test_network.h"

#include "crypto/crypto.h"

static network net;
static person people[2];
static person *const ann = &people[0];
static person *const bob = &people[1];
static xmtp_conversation_id dm;
static xmtp_conversation_id group;
static unsigned failures; /* of writing down, to come */

/* CMake wraps it. */
xmtp_status __real_xmtp_message_set_published(xmtp_database *db, xmtp_bytes message_id,
                                              uint64_t sent_ns, uint64_t sequence,
                                              uint64_t expire_ns, uint32_t *content_type);
xmtp_status __wrap_xmtp_message_set_published(xmtp_database *db, xmtp_bytes message_id,
                                              uint64_t sent_ns, uint64_t sequence,
                                              uint64_t expire_ns, uint32_t *content_type);
xmtp_status __wrap_xmtp_message_set_published(xmtp_database *db, xmtp_bytes message_id,
                                              uint64_t sent_ns, uint64_t sequence,
                                              uint64_t expire_ns, uint32_t *content_type)
{
    if (failures > 0) {
        failures--;
        return XMTP_E_DISK_FULL;
    }
    return __real_xmtp_message_set_published(db, message_id, sent_ns, sequence, expire_ns,
                                             content_type);
}

static unsigned row_failures; /* of writing a row, to come */

xmtp_status __real_xmtp_message_insert(xmtp_database *db, const xmtp_message_row *row,
                                       bool *is_new);
xmtp_status __wrap_xmtp_message_insert(xmtp_database *db, const xmtp_message_row *row,
                                       bool *is_new);
xmtp_status __wrap_xmtp_message_insert(xmtp_database *db, const xmtp_message_row *row, bool *is_new)
{
    if (row_failures > 0) {
        row_failures--;
        return XMTP_E_DISK_FULL;
    }
    return __real_xmtp_message_insert(db, row, is_new);
}

static int set_up(void **state)
{
    (void)state;
    network_open(&net);
    people_open(people, 2, &net);
    people_talk(people, &dm, &group);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    people_close(people, 2);
    network_close(&net);
    return 0;
}

/* ---- what the database says, whatever the client has still to write into it */

static bool is_in_file(const person *p, const uint8_t id[XMTP_MESSAGE_ID_LEN])
{
    bool is;
    assert_int_equal(
        xmtp_message_is_there(p->client->db, xmtp_bytes_of(id, XMTP_MESSAGE_ID_LEN), &is), XMTP_OK);
    return is;
}

static int delivery_in_file(const person *p, const uint8_t id[XMTP_MESSAGE_ID_LEN])
{
    xmtp_arena arena;
    xmtp_message_row row;
    xmtp_arena_init(&arena, &net.env.alloc, 1 << 20);
    assert_int_equal(
        xmtp_message_find(p->client->db, xmtp_bytes_of(id, XMTP_MESSAGE_ID_LEN), &arena, &row),
        XMTP_OK);
    xmtp_arena_reset(&arena);
    return (int)row.delivery;
}

static int delivery_of(person *p, const uint8_t id[XMTP_MESSAGE_ID_LEN])
{
    xmtp_message message;
    assert_ok(p, xmtp_client_message(p->client, id, &message, &p->error));
    return (int)message.delivery;
}

static void say(person *p, const xmtp_conversation_id *id, const char *text,
                uint8_t message_id[XMTP_MESSAGE_ID_LEN])
{
    assert_ok(p, xmtp_client_send_text(p->client, id, text, message_id, &p->error));
}

static void assert_both(const xmtp_conversation_id *id, const char *texts)
{
    sync_all(ann);
    sync_all(bob);
    assert_texts(ann, id, texts);
    assert_texts(bob, id, texts);
}

/* The connection ends without the client knowing: as after kill -9. */
static void kill_and_reopen(person *p)
{
    xmtp_writer_free(&p->client->unsettled.page);
    p->client->unsettled = (unsettled_send){0};
    p->client->has_rowless = false;
    person_reopen(p);
}

/* ---- the ordinary course */

static void the_next_message_settles_the_one_before(void **state)
{
    (void)state;
    uint8_t ids[3][XMTP_MESSAGE_ID_LEN];
    uint64_t before = ann->wire.calls;
    for (int i = 0; i < 3; i++) {
        say(ann, &dm, (const char *[]){"a", "b", "c"}[i], ids[i]);
    }
    assert_int_equal(ann->wire.calls - before, 3); /* nothing is asked for besides */
    assert_int_equal(delivery_in_file(ann, ids[0]), XMTP_DELIVERY_PUBLISHED);
    assert_int_equal(delivery_in_file(ann, ids[1]), XMTP_DELIVERY_PUBLISHED);
    assert_int_equal(delivery_in_file(ann, ids[2]), XMTP_DELIVERY_UNPUBLISHED);
    assert_int_equal(delivery_of(ann, ids[2]), XMTP_DELIVERY_PUBLISHED); /* a call sees it done */
    assert_int_equal(delivery_in_file(ann, ids[2]), XMTP_DELIVERY_PUBLISHED);
    assert_both(&dm, "one|two|a|b|c|");
}

static void messages_of_two_conversations_settle_each_other(void **state)
{
    (void)state;
    uint8_t ids[4][XMTP_MESSAGE_ID_LEN];
    for (int i = 0; i < 4; i++) {
        say(ann, i % 2 == 0 ? &dm : &group, (const char *[]){"a", "b", "c", "d"}[i], ids[i]);
        assert_int_equal(ann->client->unsettled.ref != 0, 1);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(delivery_in_file(ann, ids[i]), XMTP_DELIVERY_PUBLISHED);
    }
    assert_both(&dm, "one|two|a|c|");
    assert_both(&group, "three|b|d|");
}

static void row_and_queue_are_read_while_the_message_before_travels(void **state)
{
    (void)state;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    say(ann, &dm, "a", id);
    assert_non_null(ann->client->row_ahead);
    uint64_t before = ann->wire.calls;
    say(ann, &dm, "b", id);
    assert_int_equal(ann->wire.calls - before, 1);
    /* what is changed after that is seen: devices were looked up long ago, so now they are */
    assert_int_equal(xmtp_group_row_set_checked(ann->client->db, ann->client->unsettled.ref, 0),
                     XMTP_OK);
    before = ann->wire.calls;
    say(ann, &dm, "c", id);
    assert_in_range(ann->wire.calls - before, 2, 10);
    say(ann, &dm, "d", id);
    assert_non_null(ann->client->row_ahead);
    assert_int_equal(delivery_of(ann, id), XMTP_DELIVERY_PUBLISHED);
    assert_null(ann->client->row_ahead);
    assert_both(&dm, "one|two|a|b|c|d|");
}

static void what_is_said_again_under_its_key_settles_at_once(void **state)
{
    (void)state;
    const xmtp_send_options once = {.idempotency_key = "once"};
    uint8_t ids[2][XMTP_MESSAGE_ID_LEN];
    xmtp_writer w;
    xmtp_writer_init(&w, &net.env.alloc, XMTP_WRITER_MAX);
    assert_int_equal(xmtp_content_text(&w, "a"), XMTP_OK);
    uint64_t now_ns = net.clock_ns;
    for (int i = 0; i < 2; i++) {
        assert_ok(ann, xmtp_client_send_with(ann->client, &dm, xmtp_writer_bytes(&w), &once, ids[i],
                                             &ann->error));
    }
    xmtp_writer_free(&w);
    assert_memory_equal(ids[0], ids[1], XMTP_MESSAGE_ID_LEN);
    assert_int_equal(net.clock_ns, now_ns); /* it did not wait for anything */
    assert_int_equal(delivery_in_file(ann, ids[0]), XMTP_DELIVERY_PUBLISHED);
    assert_both(&dm, "one|two|a|");
}

static void a_long_message_is_settled_before_its_call_returns(void **state)
{
    (void)state;
    static char text[80 * 1024];
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    memset(text, 'x', sizeof(text) - 1);
    say(ann, &dm, text, id);
    assert_int_equal(delivery_in_file(ann, id), XMTP_DELIVERY_PUBLISHED);
}

static void closing_settles(void **state)
{
    (void)state;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    say(ann, &dm, "a", id);
    person_reopen(ann);
    assert_int_equal(delivery_in_file(ann, id), XMTP_DELIVERY_PUBLISHED);
    say(ann, &dm, "b", id);
    assert_ok(ann, xmtp_client_release_database(ann->client, &ann->error));
    assert_ok(ann, xmtp_client_take_database(ann->client, &ann->error));
    assert_int_equal(delivery_in_file(ann, id), XMTP_DELIVERY_PUBLISHED);
    assert_both(&dm, "one|two|a|b|");
}

/* ---- something comes between */

static void what_others_said_in_between_is_in_order(void **state)
{
    (void)state;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    say(ann, &dm, "a", id);
    say(bob, &dm, "x", NULL);
    say(ann, &dm, "b", id);
    assert_int_equal(delivery_in_file(ann, id), XMTP_DELIVERY_PUBLISHED); /* not left */
    say(ann, &dm, "c", id);
    say(bob, &dm, "y", NULL);
    assert_both(&dm, "one|two|a|x|b|c|y|");
}

static void a_commit_of_others_in_between_is_followed(void **state)
{
    (void)state;
    say(ann, &group, "a", NULL);
    sync_all(bob);
    assert_ok(bob, xmtp_client_group_rename(bob->client, &group, "new", &bob->error));
    say(ann, &group, "b", NULL);
    say(ann, &group, "c", NULL);
    assert_both(&group, "three|a|b|c|");
    assert_int_equal(conversation_of(ann, &group).epoch, conversation_of(bob, &group).epoch);
}

static void a_change_of_the_group_follows_the_message(void **state)
{
    (void)state;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    say(ann, &group, "a", id);
    assert_ok(ann, xmtp_client_group_rename(ann->client, &group, "renamed", &ann->error));
    assert_int_equal(delivery_in_file(ann, id), XMTP_DELIVERY_PUBLISHED);
    say(ann, &group, "b", id);
    assert_both(&group, "three|a|b|");
    assert_string_equal(conversation_of(bob, &group).name, "renamed");
}

static void what_is_queued_first_goes_first(void **state)
{
    (void)state;
    const xmtp_send_options later = {.is_optimistic = true};
    say(ann, &dm, "a", NULL);
    xmtp_writer w;
    xmtp_writer_init(&w, &net.env.alloc, XMTP_WRITER_MAX);
    assert_int_equal(xmtp_content_text(&w, "b"), XMTP_OK);
    assert_ok(ann, xmtp_client_send_with(ann->client, &dm, xmtp_writer_bytes(&w), &later, NULL,
                                         &ann->error));
    xmtp_writer_free(&w);
    say(ann, &dm, "c", NULL);
    assert_both(&dm, "one|two|a|b|c|");
}

/* ---- something fails */

static void a_process_that_dies_before_settling_finds_its_message(void **state)
{
    (void)state;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    say(ann, &dm, "a", NULL);
    say(ann, &dm, "b", id);
    kill_and_reopen(ann);
    assert_int_equal(delivery_in_file(ann, id), XMTP_DELIVERY_UNPUBLISHED);
    uint64_t sends = ann->wire.sends;
    sync_all(ann);
    assert_int_equal(ann->wire.sends, sends); /* it is not sent again */
    assert_int_equal(delivery_in_file(ann, id), XMTP_DELIVERY_PUBLISHED);
    say(ann, &dm, "c", NULL);
    kill_and_reopen(ann);
    say(ann, &dm, "d", NULL); /* without a sync before */
    assert_both(&dm, "one|two|a|b|c|d|");
}

static void what_cannot_be_written_down_is_found_by_the_next_sync(void **state)
{
    (void)state;
    uint8_t ids[2][XMTP_MESSAGE_ID_LEN];
    say(ann, &dm, "a", ids[0]);
    failures = 1;
    say(ann, &dm, "b", ids[1]); /* read back with the one before it */
    assert_int_equal(failures, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(delivery_in_file(ann, ids[i]), XMTP_DELIVERY_PUBLISHED);
    }
    say(ann, &dm, "c", ids[0]);
    failures = 1;
    assert_int_equal(delivery_of(ann, ids[0]), XMTP_DELIVERY_UNPUBLISHED);
    sync_all(ann);
    assert_int_equal(delivery_of(ann, ids[0]), XMTP_DELIVERY_PUBLISHED);
    assert_both(&dm, "one|two|a|b|c|");
}

static void a_lost_call_settles_all_the_same(void **state)
{
    (void)state;
    uint8_t ids[2][XMTP_MESSAGE_ID_LEN];
    for (cut how = CUT_BEFORE; how <= CUT_AFTER; how++) {
        say(ann, &dm, how == CUT_BEFORE ? "a" : "c", ids[0]);
        ann->wire.cut_from = ann->wire.calls + 1;
        ann->wire.cut_count = 100;
        ann->wire.how = how;
        assert_int_equal(xmtp_client_send_text(ann->client, &dm, how == CUT_BEFORE ? "b" : "d",
                                               ids[1], &ann->error),
                         XMTP_E_NETWORK);
        ann->wire.cut_from = 0;
        assert_int_equal(delivery_in_file(ann, ids[0]), XMTP_DELIVERY_PUBLISHED);
        assert_int_equal(delivery_of(ann, ids[1]), XMTP_DELIVERY_UNPUBLISHED);
        sync_all(ann);
        assert_int_equal(delivery_of(ann, ids[1]), XMTP_DELIVERY_PUBLISHED);
    }
    assert_both(&dm, "one|two|a|b|c|d|");
}

/* ---- the row, which is written while its message travels (client/late_row.c) */

/* Sends a message whose row can be written neither meanwhile nor when sending ends. */
static void say_without_row(const char *text, uint8_t id[XMTP_MESSAGE_ID_LEN])
{
    row_failures = 2;
    say(ann, &dm, text, id);
    assert_int_equal(row_failures, 0);
    assert_false(is_in_file(ann, id));
}

static void a_row_that_fails_meanwhile_is_written_when_sending_ends(void **state)
{
    (void)state;
    uint8_t ids[2][XMTP_MESSAGE_ID_LEN];
    for (int i = 0; i < 2; i++) { /* nothing to settle, and the one before */
        row_failures = 1;
        say(ann, &dm, i == 0 ? "a" : "b", ids[i]);
        assert_int_equal(row_failures, 0);
        assert_true(is_in_file(ann, ids[i]));
    }
    assert_both(&dm, "one|two|a|b|");
}

static void a_row_that_cannot_be_written_is_by_the_next_call(void **state)
{
    (void)state;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    say_without_row("a", id);
    assert_int_equal(delivery_of(ann, id), XMTP_DELIVERY_PUBLISHED);
    say(ann, &dm, "b", id);
    say_without_row("c", id);
    say(ann, &dm, "d", id); /* also when that is a message */
    assert_both(&dm, "one|two|a|b|c|d|");
}

static void a_row_that_the_next_call_cannot_write_either_is_not_lost(void **state)
{
    (void)state;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    for (unsigned more = 1; more <= 4; more++) {
        say_without_row((const char *[]){"", "a", "b", "c", "d"}[more], id);
        row_failures = more;
        xmtp_status status = xmtp_client_sync(ann->client, &ann->error);
        assert_true(status == XMTP_OK || status == XMTP_E_DISK_FULL);
        row_failures = 0;
        sync_all(ann);
        assert_int_equal(delivery_of(ann, id), XMTP_DELIVERY_PUBLISHED);
    }
    assert_both(&dm, "one|two|a|b|c|d|");
}

static void a_process_that_dies_before_the_row_makes_it_of_the_intent(void **state)
{
    (void)state;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    uint64_t before_ns = net.clock_ns;
    say_without_row("a", id);
    kill_and_reopen(ann);
    assert_int_equal(delivery_in_file(ann, id), XMTP_DELIVERY_UNPUBLISHED);
    xmtp_message message;
    assert_ok(ann, xmtp_client_message(ann->client, id, &message, &ann->error));
    assert_in_range(message.sent_ns, before_ns,
                    net.clock_ns + 2); /* as it was, read from its key */
    uint64_t sends = ann->wire.sends;
    sync_all(ann);
    assert_int_equal(ann->wire.sends, sends);
    assert_int_equal(delivery_in_file(ann, id), XMTP_DELIVERY_PUBLISHED);
    assert_both(&dm, "one|two|a|");
}

static void a_row_is_made_of_the_intent_when_the_database_is_taken_again(void **state)
{
    (void)state;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    say_without_row("a", id);
    row_failures = 1;
    assert_ok(ann, xmtp_client_release_database(ann->client, &ann->error));
    assert_int_equal(row_failures, 0);
    assert_ok(ann, xmtp_client_take_database(ann->client, &ann->error));
    assert_true(is_in_file(ann, id));
    assert_both(&dm, "one|two|a|");
}

static void a_message_without_row_that_is_not_sent_has_one_all_the_same(void **state)
{
    (void)state;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    ann->wire.cut_from = ann->wire.calls + 1;
    ann->wire.cut_count = 100;
    ann->wire.how = CUT_BEFORE;
    row_failures = 2;
    assert_int_equal(xmtp_client_send_text(ann->client, &dm, "a", id, &ann->error), XMTP_E_NETWORK);
    assert_int_equal(row_failures, 0);
    ann->wire.cut_from = 0;
    assert_int_equal(delivery_of(ann, id), XMTP_DELIVERY_UNPUBLISHED);
    assert_both(&dm, "one|two|a|");
}

/* A call within a call would overwrite its request. */
static void no_call_is_made_while_one_is_under_way(void **state)
{
    (void)state;
    ann->client->is_calling = true;
    assert_refused(ann, xmtp_client_sync(ann->client, &ann->error), XMTP_E_STATE,
                   "another call is under way");
    ann->client->is_calling = false;
    sync_all(ann);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_next_message_settles_the_one_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(messages_of_two_conversations_settle_each_other, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(row_and_queue_are_read_while_the_message_before_travels,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_said_again_under_its_key_settles_at_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_long_message_is_settled_before_its_call_returns, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(closing_settles, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_others_said_in_between_is_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_commit_of_others_in_between_is_followed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_change_of_the_group_follows_the_message, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_queued_first_goes_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_process_that_dies_before_settling_finds_its_message,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_written_down_is_found_by_the_next_sync,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lost_call_settles_all_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_row_that_fails_meanwhile_is_written_when_sending_ends,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_row_that_cannot_be_written_is_by_the_next_call, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_row_that_the_next_call_cannot_write_either_is_not_lost,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_process_that_dies_before_the_row_makes_it_of_the_intent,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_row_is_made_of_the_intent_when_the_database_is_taken_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_message_without_row_that_is_not_sent_has_one_all_the_same,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_call_is_made_while_one_is_under_way, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("client.settle", tests, NULL, NULL);
}
