/* conversation_test.c - people talk: DMs, groups, devices, races, crashes, cut wires. */
#include "network.h"

static network net;

static int set_up(void **state)
{
    (void)state;
    network_open(&net);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    network_close(&net);
    return 0;
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

int main(void)
{
#define ON_NETWORK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ON_NETWORK(two_people_talk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
