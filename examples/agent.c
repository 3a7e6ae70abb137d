/* agent.c - a program that answers messages, and what becomes of those that it cannot answer at once.
 *
 *     "hello"   answered
 *     "flaky"   the handler fails, and is called again a second later
 *     "slow"    put off: the handler returns, the answer comes when the work is done
 *     "poison"  fails each time: set aside after 8 attempts, so that those behind it go on
 *
 * Messages of one conversation come in order, one at a time; conversations do not wait for each other.
 */
#include "people.h"

typedef struct desk {
    int flaky_attempts;
    const xmtp_message *slow; /* valid until it is done */
    int given_up;
} desk;

static void on_message(xmtp_agent *agent, const xmtp_message *message, const xmtp_user *user,
                       void *context)
{
    desk *d = context;
    const char *text = message->text == NULL ? "" : message->text; /* not every message is a text */
    printf("%.8s... writes \"%s\"\n", user->address, text);
    if (strcmp(text, "flaky") == 0 && d->flaky_attempts++ == 0) {
        xmtp_agent_fail(agent, message, "the database is busy");
    } else if (strcmp(text, "poison") == 0) {
        xmtp_agent_fail(agent, message, "nobody understands this");
    } else if (strcmp(text, "slow") == 0) {
        d->slow = message;
        xmtp_agent_defer(agent, message);
    } else {
        char answer[64];
        (void)snprintf(answer, sizeof answer, "%s: done", text);
        check(xmtp_agent_reply(agent, message, answer), "reply"); /* goes out when this returns */
    }
}

static void on_set_aside(xmtp_agent *agent, const xmtp_message *message, const char *reason,
                         void *context)
{
    (void)agent;
    printf("\"%s\" is given up: %s\n", message->text, reason);
    ((desk *)context)->given_up++;
}

/* Runs on the agent's thread, whoever posted it: what a worker calls when its result is there. */
static void finish_slow(xmtp_agent *agent, void *argument)
{
    desk *d = argument;
    check(xmtp_agent_reply(agent, d->slow, "slow: done"), "reply");
    check(xmtp_agent_done(agent, d->slow), "done");
}

/* An application calls xmtp_agent_run instead; here a minute passes at once. */
static void let_run(const people *p, uint64_t seconds)
{
    check(xmtp_network_run(p->net, seconds * XMTP_NETWORK_SECOND_NS, &error), "run");
    check(xmtp_client_sync(p->ann, &error), "sync");
    check(xmtp_client_sync(p->bob, &error), "sync");
}

int main(void)
{
    people p = ann_and_bob();
    desk d = {.slow = NULL};
    const xmtp_agent_options options = {
        .on_message = on_message, .on_set_aside = on_set_aside, .context = &d};
    xmtp_network_device *device;
    xmtp_conversation_id of_ann;
    xmtp_conversation_id of_bob;
    check(xmtp_network_agent(p.net, NULL, &options, &device, &error), "agent");
    xmtp_agent *agent = xmtp_network_agent_of(device);
    const char *address = xmtp_client_address(xmtp_agent_client(agent));
    check(xmtp_client_dm(p.ann, address, &of_ann, &error), "dm");
    check(xmtp_client_dm(p.bob, address, &of_bob, &error), "dm");

    const char *const orders[] = {"hello", "flaky", "slow", "poison", "the last one"};
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        check(xmtp_client_send_text(p.ann, &of_ann, orders[i], NULL, &error), "send");
    }
    let_run(&p, 60);
    expect(times_read(p.ann, &of_ann, "hello: done") == 1, "hello was answered");
    expect(times_read(p.ann, &of_ann, "flaky: done") == 1 && d.flaky_attempts == 2,
           "flaky was answered once, at the second attempt");
    expect(d.slow != NULL && times_read(p.ann, &of_ann, "slow: done") == 0, "slow takes its time");

    check(xmtp_client_send_text(p.bob, &of_bob, "hello", NULL, &error), "send");
    let_run(&p, 1);
    expect(times_read(p.bob, &of_bob, "hello: done") == 1, "Bob does not wait for Ann's slow one");

    check(xmtp_agent_post(agent, finish_slow, &d), "post");
    let_run(&p, 600);
    expect(times_read(p.ann, &of_ann, "slow: done") == 1, "slow was answered when it was done");
    expect(d.given_up == 1, "poison was given up");
    expect(times_read(p.ann, &of_ann, "the last one: done") == 1, "and holds up nobody");
    xmtp_network_close(p.net);
    return 0;
}
