/* network_test.c - how to test an agent: on a network in the test's own process, with faults, on a clock
 * that costs nothing to wait for.
 *
 *     Ann  -- "0 rolls", "1 rolls", ... -->  agent (under test), killed now and then
 *          <-- "ordered: 0 rolls", ... ------'
 *
 * Whatever gets lost, comes late or twice, and whoever dies: each order is answered exactly once. The
 * first argument is another seed; the same seed gives the same run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xmtp/network.h>

enum { ORDERS = 20 };

static xmtp_error error;

static void check(xmtp_status status, const char *what)
{
    if (status != XMTP_OK) {
        fprintf(stderr, "%s: %s (%s)\n", what, error.text, xmtp_status_name(status));
        exit(1);
    }
}

/* ---- the agent under test */

static void on_message(xmtp_agent *agent, const xmtp_message *message, const xmtp_user *user,
                       void *context)
{
    char text[64];
    (void)user;
    (void)context;
    (void)snprintf(text, sizeof text, "ordered: %s", message->text);
    (void)xmtp_agent_reply(agent, message, text);
}

/* ---- the test */

static xmtp_status count_answer(void *context, const xmtp_message *message)
{
    int *answers = context;
    int number;
    if (message->text != NULL && sscanf(message->text, "ordered: %d rolls", &number) == 1 &&
        number >= 0 && number < ORDERS) {
        answers[number]++;
    }
    return XMTP_OK;
}

/* The call may be lost: the order is stored and goes out with a later sync. */
static void order(xmtp_network_device *ann, const xmtp_conversation_id *dm, int number)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%d rolls", number);
    xmtp_status status = xmtp_client_send_text(xmtp_network_client_of(ann), dm, text, NULL, &error);
    if (status != XMTP_E_NETWORK) {
        check(status, "order");
    }
}

/* A minute of the network, in which the agent may die; whoever runs agents starts them again. */
static void let_work(xmtp_network *net, xmtp_network_device *agent)
{
    check(xmtp_network_run(net, 60 * XMTP_NETWORK_SECOND_NS, &error), "run");
    while (xmtp_network_has_crashed(agent) || xmtp_network_agent_of(agent) == NULL) {
        xmtp_status status = xmtp_network_reopen(agent, &error);
        if (status != XMTP_E_NETWORK && !xmtp_network_has_crashed(agent)) {
            check(status, "reopen");
        }
    }
}

int main(int argc, char **argv)
{
    const xmtp_network_faults faults = {
        .lost = 50, .answer_lost = 50, .doubled = 50, .late = 50, .delayed = 100, .stream_cut = 20};
    const xmtp_network_options options = {.seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1};
    const xmtp_agent_options handlers = {.on_message = on_message};
    xmtp_network *net;
    xmtp_network_device *ann;
    xmtp_network_device *agent;
    xmtp_conversation_id dm;
    int answers[ORDERS] = {0};

    check(xmtp_network_open(&net, &options, &error), "network");
    check(xmtp_network_client(net, NULL, &ann, &error), "Ann");
    check(xmtp_network_agent(net, NULL, &handlers, &agent, &error), "agent");
    const char *address = xmtp_client_address(xmtp_network_client_of(agent));
    check(xmtp_client_dm(xmtp_network_client_of(ann), address, &dm, &error), "dm");

    check(xmtp_network_fault(net, NULL, &faults), "faults");
    for (int i = 0; i < ORDERS; i++) {
        order(ann, &dm, i);
        if (i % 4 == 3) {
            uint64_t n = 1 + xmtp_network_choose(net, 10);
            xmtp_network_crash_at(agent, XMTP_NETWORK_AT_WRITE, n);
        }
        let_work(net, agent);
    }

    check(xmtp_network_fault(net, NULL, NULL), "no faults");
    xmtp_network_crash_at(agent, XMTP_NETWORK_AT_WRITE, 0);
    check(xmtp_client_sync(xmtp_network_client_of(ann), &error), "Ann's last orders");
    let_work(net, agent);
    check(xmtp_client_sync(xmtp_network_client_of(ann), &error), "Ann's last answers");
    xmtp_message_query query = {.conversation = &dm};
    check(xmtp_client_messages(xmtp_network_client_of(ann), &query, count_answer, answers, &error),
          "messages");
    for (int i = 0; i < ORDERS; i++) {
        if (answers[i] != 1) {
            fprintf(stderr, "order %d was answered %d times\n", i, answers[i]);
            return 1;
        }
    }
    xmtp_network_counts c = xmtp_network_count(net, NULL);
    printf("%d orders, each answered once; %llu calls, of which %llu lost, %llu answers lost, "
           "%llu doubled, %llu late; the agent died %llu times\n",
           ORDERS, (unsigned long long)c.calls, (unsigned long long)c.lost,
           (unsigned long long)c.answers_lost, (unsigned long long)c.doubled,
           (unsigned long long)c.late, (unsigned long long)c.crashes);
    xmtp_network_close(net);
    return 0;
}
