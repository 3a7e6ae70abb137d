/* late_test.c - a message that reaches the node epochs after it was sealed has one place for everybody:
 * its first one while members can open it, and where it is sent again only after that. And nothing is said
 * again that was said well. */
#include "network/test_devices.h"

static const uint64_t second_ns = XMTP_NETWORK_SECOND_NS;

static xmtp_network_device *ann; /* whose message is late */
static xmtp_network_device *bob;
static xmtp_network_device *cid; /* who comes in between */
static xmtp_conversation_id group;

static void make_group(void)
{
    assert_ok(xmtp_network_open(&net, NULL, &error));
    assert_ok(xmtp_network_client(net, NULL, &ann, &error));
    assert_ok(xmtp_network_client(net, NULL, &bob, &error));
    assert_ok(xmtp_network_client(net, NULL, &cid, &error));
    const char *members[] = {xmtp_client_address(of(ann))};
    assert_ok(xmtp_client_group_create(of(bob), "old", members, 1, &group, &error));
    sync_all(ann);
    send_text(ann, &group, "first"); /* with the key update of a joiner before it */
    sync_all(bob);
}

static void send_that_is_late(void)
{
    const xmtp_network_faults late = {.late = 1000, .late_max_ns = 3600 * second_ns};
    assert_ok(xmtp_network_fault(net, ann, &late));
    assert_int_equal(xmtp_client_send_text(of(ann), &group, "late", NULL, &error), XMTP_E_NETWORK);
    assert_ok(xmtp_network_fault(net, ann, NULL));
}

/* Bob makes that many, the last one with Cid in it. */
static void epochs_pass(int count)
{
    const char *newcomer[] = {xmtp_client_address(of(cid))};
    for (int i = 1; i < count; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "new %d", i);
        assert_ok(xmtp_client_group_rename(of(bob), &group, name, &error));
    }
    assert_ok(xmtp_client_group_add(of(bob), &group, newcomer, 1, &error));
}

static void send_late_by(int epochs)
{
    make_group();
    send_that_is_late();
    epochs_pass(epochs);
    xmtp_network_deliver(net);
    send_text(bob, &group, "after");
    for (int i = 0; i < 2; i++) {
        sync_all(ann);
        sync_all(bob);
        sync_all(cid);
    }
}

static void three_epochs_late_it_stays_where_members_opened_it(void **state)
{
    (void)state;
    send_late_by(3);
    assert_texts(ann, &group, "first|late|after|");
    assert_texts(bob, &group, "first|late|after|");
    assert_texts(cid, &group, "after|");
}

static void four_epochs_late_it_is_sent_again_for_all(void **state)
{
    (void)state;
    send_late_by(4);
    assert_texts(ann, &group, "first|after|late|");
    assert_texts(bob, &group, "first|after|late|");
    assert_texts(cid, &group, "after|late|");
}

/* Ann, who has joined and said nothing yet, adds Cid, and Bob is quicker: no commit of hers comes before what she
 * says, and the network goes away after that many calls. What the node has stays where it is. */
static void say_behind_a_commit_that_is_not_needed(uint64_t calls)
{
    xmtp_network_device *dan;
    xmtp_conversation_id dm;
    assert_ok(xmtp_network_open(&net, NULL, &error));
    assert_ok(xmtp_network_client(net, NULL, &ann, &error));
    assert_ok(xmtp_network_client(net, NULL, &bob, &error));
    assert_ok(xmtp_network_client(net, NULL, &cid, &error));
    assert_ok(xmtp_network_client(net, NULL, &dan, &error));
    const char *first[] = {xmtp_client_address(of(ann))};
    const char *second[] = {xmtp_client_inbox_id(of(cid))};
    const char *third[] = {xmtp_client_address(of(dan))};
    assert_ok(xmtp_client_group_create(of(bob), "old", first, 1, &group, &error));
    sync_all(ann);
    assert_ok(xmtp_client_dm(of(ann), second[0], &dm, &error));    /* so she knows whom she adds */
    xmtp_network_lose_calls(ann, 1, 1000, XMTP_NETWORK_CALL_LOST); /* but for Cid's log */
    assert_int_equal(xmtp_client_group_add(of(ann), &group, second, 1, &error), XMTP_E_NETWORK);
    xmtp_network_lose_calls(ann, 0, 0, XMTP_NETWORK_CALL_LOST);
    assert_ok(xmtp_client_group_add(of(bob), &group, second, 1, &error));

    xmtp_network_lose_calls(ann, calls, 1000, XMTP_NETWORK_CALL_LOST);
    xmtp_status sent = xmtp_client_send_text(of(ann), &group, "once", NULL, &error);
    assert_true(sent == XMTP_OK || sent == XMTP_E_NETWORK);
    xmtp_network_lose_calls(ann, 0, 0, XMTP_NETWORK_CALL_LOST);
    sync_all(bob);
    assert_ok(xmtp_client_group_add(of(bob), &group, third, 1, &error));
    send_text(bob, &group, "after");
    for (int i = 0; i < 2; i++) {
        sync_all(ann);
        sync_all(bob);
        sync_all(cid);
        sync_all(dan);
    }
    char *text = texts_of(bob, &group);
    bool is_before = strcmp(text, "once|after|") == 0;
    assert_true(is_before || strcmp(text, "after|once|") == 0);
    assert_texts(ann, &group, text);
    assert_texts(cid, &group, text);
    char *of_newcomer = texts_of(dan, &group); /* who lacks what was sealed before */
    assert_true(strcmp(of_newcomer, "after|") == 0 ||
                (!is_before && strcmp(of_newcomer, text) == 0));
    free(of_newcomer);
    free(text);
    xmtp_network_close(net);
    net = NULL;
}

static void a_joiner_whose_commit_was_not_needed_says_it_once(void **state)
{
    (void)state;
    for (uint64_t calls = 0; calls < 12; calls++) {
        say_behind_a_commit_that_is_not_needed(calls);
    }
}

static int close_network(void **state)
{
    (void)state;
    xmtp_network_close(net);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(three_epochs_late_it_stays_where_members_opened_it,
                                  close_network),
        cmocka_unit_test_teardown(four_epochs_late_it_is_sent_again_for_all, close_network),
        cmocka_unit_test_teardown(a_joiner_whose_commit_was_not_needed_says_it_once, close_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
