/* faults.c - exact faults, one at a time: for the test of one case, where network_test.c leaves them to
 * chance.
 *
 *     a call that is lost | an answer that is lost | a partition | a node that starts again |
 *     a process that dies at its next commit | power that fails | a clock that is wrong
 *
 * After each of them both sides agree, and every message is there once.
 */
#include "people.h"

/* Sent, or stored to be sent by the next sync: the only two things that happen. */
static void say(xmtp_client *client, const xmtp_conversation_id *dm, const char *text)
{
    xmtp_status status = xmtp_client_send_text(client, dm, text, NULL, &error);
    printf("\"%s\": %s\n", text, status == XMTP_OK ? "sent" : error.text);
    if (status != XMTP_E_NETWORK) {
        check(status, text);
    }
}

static void expect_once(people *p, const xmtp_conversation_id *dm, const char *text)
{
    check(xmtp_client_sync(p->ann, &error), "ann's sync");
    check(xmtp_client_sync(p->bob, &error), "bob's sync");
    expect(times_read(p->ann, dm, text) == 1 && times_read(p->bob, dm, text) == 1, text);
}

/* A program that dies: its calls fail from there on. Whoever runs it starts it again. */
static void say_and_die(people *p, const xmtp_conversation_id *dm, const char *text,
                        xmtp_network_death how)
{
    xmtp_network_crash_at(p->ann_device, how, 1);
    xmtp_status status = xmtp_client_send_text(p->ann, dm, text, NULL, &error);
    expect(status != XMTP_OK && xmtp_network_has_crashed(p->ann_device), "Ann's program died");
    check(xmtp_network_reopen(p->ann_device, &error), "start again");
    p->ann = xmtp_network_client_of(p->ann_device);
    check(xmtp_client_sync(p->ann, &error), "sync");
    printf("\"%s\": died, and %s\n", text,
           times_read(p->ann, dm, text) == 1 ? "it was stored" : "nothing was stored");
    if (times_read(p->ann, dm, text) == 0) {
        say(p->ann, dm, text); /* never acknowledged: to be said again */
    }
}

int main(void)
{
    people p = ann_and_bob();
    xmtp_conversation_id dm;
    check(xmtp_client_dm(p.ann, xmtp_client_address(p.bob), &dm, &error), "dm");
    say(p.ann, &dm, "fine");
    expect_once(&p, &dm, "fine");

    xmtp_network_lose_calls(p.ann_device, 0, 100, XMTP_NETWORK_CALL_LOST);
    say(p.ann, &dm, "the node never saw it");
    xmtp_network_lose_calls(p.ann_device, 0, 0, XMTP_NETWORK_CALL_LOST);
    expect_once(&p, &dm, "the node never saw it");

    xmtp_network_lose_calls(p.ann_device, 0, 100, XMTP_NETWORK_ANSWER_LOST);
    say(p.ann, &dm, "the node has it, the answer was lost");
    xmtp_network_lose_calls(p.ann_device, 0, 0, XMTP_NETWORK_ANSWER_LOST);
    expect_once(&p, &dm, "the node has it, the answer was lost");

    xmtp_network_partition(p.net, p.bob_device);
    say(p.ann, &dm, "while bob was away");
    expect_refusal(xmtp_client_sync(p.bob, &error), XMTP_E_NETWORK, "bob's sync");
    xmtp_network_heal(p.net, p.bob_device);
    expect_once(&p, &dm, "while bob was away");

    check(xmtp_network_restart_node(p.net, &error), "node");
    say(p.ann, &dm, "after the node started again");
    expect_once(&p, &dm, "after the node started again");

    say_and_die(&p, &dm, "died at a commit", XMTP_NETWORK_AT_COMMIT);
    expect_once(&p, &dm, "died at a commit");
    say_and_die(&p, &dm, "the power failed", XMTP_NETWORK_POWER_CUT);
    expect_once(&p, &dm, "the power failed");

    uint64_t now_ns = xmtp_network_now_ns(p.net);
    xmtp_network_set_clock(p.net, now_ns - 3600 * XMTP_NETWORK_SECOND_NS);
    say(p.ann, &dm, "an hour ago, by the clock");
    expect_once(&p, &dm, "an hour ago, by the clock");

    xmtp_network_counts c = xmtp_network_count(p.net, NULL);
    printf("%llu calls, %llu lost, %llu answers lost, %llu deaths\n", (unsigned long long)c.calls,
           (unsigned long long)c.lost, (unsigned long long)c.answers_lost,
           (unsigned long long)c.crashes);
    expect(c.lost > 0 && c.answers_lost > 0 && c.crashes == 2, "all of that happened");
    xmtp_network_close(p.net);
    return 0;
}
