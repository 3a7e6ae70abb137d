/* late_test.c - a message that reaches the node epochs after it was sealed has one place for everybody:
 * its first one while members can open it, and where it is sent again only after that. */
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
