/* threads_test.c - clients and agents on threads of their own, one node: what the headers promise about
 * threads, for the thread sanitizer (`./dev tsan`) to look at.
 *
 * The clock is the system's: the threads really run at the same time.
 */
#include "rpc/transport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// cmocka wants the headers above first
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <xmtp/agent.h>
#include <xmtp/node.h>

enum { PEOPLE = 4, TEXTS = 10, WAKES = 100 };

static const uint64_t second_ns = UINT64_C(1000000000);

static xmtp_node *node;
static char node_url[40];

static int set_up(void **state)
{
    (void)state;
    xmtp_error error = {0};
    const xmtp_node_options options = {.listen = {"127.0.0.1:0"}, .loops = 2};
    if (xmtp_node_open(&node, &options, &error) != XMTP_OK) {
        fail_msg("node: %s", error.text);
    }
    (void)snprintf(node_url, sizeof(node_url), "http://127.0.0.1:%u", xmtp_node_port(node, 0));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    xmtp_node_close(node);
    return 0;
}

/* A check that may be made on any thread: cmocka's own belong to the main one. */
static void must(const char *what, xmtp_status status, const xmtp_error *error)
{
    if (status != XMTP_OK) {
        fprintf(stderr, "%s: %s (%s)\n", what, error->text, xmtp_status_name(status));
        abort();
    }
}

/* ---- people on a ring: each writes to the next one and waits for what the one before wrote */

typedef struct person {
    pthread_t thread;
    xmtp_transport transport;
    bool is_in_process;
    xmtp_client *client;
    char address[64];
    const struct person *next;
    pthread_barrier_t *everybody;
    size_t received;
} person;

static xmtp_client *open_client(person *p)
{
    xmtp_client *client;
    xmtp_error error = {0};
    xmtp_client_options options = {.node_url = node_url};
    if (p != NULL && p->is_in_process) {
        must("transport", xmtp_node_transport(node, &p->transport), &error);
        options.transport = &p->transport;
    }
    must("open", xmtp_client_open(&client, &options, &error), &error);
    return client;
}

static void close_client(person *p)
{
    xmtp_client_close(p->client);
    if (p->is_in_process) {
        p->transport.close(p->transport.context);
    }
}

static xmtp_status count_others(void *context, const xmtp_message *message)
{
    person *p = context;
    p->received += message->text != NULL &&
                   strcmp(message->sender_inbox, xmtp_client_inbox_id(p->client)) != 0;
    return XMTP_OK;
}

static void write_to_next(person *p)
{
    xmtp_error error = {0};
    xmtp_conversation_id dm;
    must("dm", xmtp_client_dm(p->client, p->next->address, &dm, &error), &error);
    for (int i = 0; i < TEXTS; i++) {
        char text[8];
        (void)snprintf(text, sizeof(text), "%d", i);
        must("send", xmtp_client_send_text(p->client, &dm, text, NULL, &error), &error);
    }
}

static void wait_for_all(person *p)
{
    xmtp_error error = {0};
    const xmtp_message_query all = {0};
    for (p->received = 0; p->received < TEXTS;) {
        xmtp_status status = xmtp_client_poll(p->client, 60 * second_ns, &error);
        must("poll", status, &error);
        p->received = 0;
        must("read", xmtp_client_messages(p->client, &all, count_others, p, &error), &error);
    }
}

static void *live(void *context)
{
    person *p = context;
    p->client = open_client(p);
    (void)snprintf(p->address, sizeof(p->address), "%s", xmtp_client_address(p->client));
    (void)pthread_barrier_wait(p->everybody); /* addresses of all are known */
    write_to_next(p);
    wait_for_all(p);
    close_client(p);
    return NULL;
}

static void people_on_threads_write_to_each_other(bool are_in_process)
{
    person people[PEOPLE];
    pthread_barrier_t everybody;
    memset(people, 0, sizeof(people));
    assert_int_equal(pthread_barrier_init(&everybody, NULL, PEOPLE), 0);
    for (size_t i = 0; i < PEOPLE; i++) {
        people[i].is_in_process = are_in_process;
        people[i].everybody = &everybody;
        people[i].next = &people[(i + 1) % PEOPLE];
        assert_int_equal(pthread_create(&people[i].thread, NULL, live, &people[i]), 0);
    }
    for (size_t i = 0; i < PEOPLE; i++) {
        assert_int_equal(pthread_join(people[i].thread, NULL), 0);
        assert_int_equal(people[i].received, TEXTS);
    }
    (void)pthread_barrier_destroy(&everybody);
}

static void clients_on_threads_share_a_node_over_sockets(void **state)
{
    (void)state;
    people_on_threads_write_to_each_other(false);
}

static void clients_on_threads_share_a_node_in_the_process(void **state)
{
    (void)state;
    people_on_threads_write_to_each_other(true);
}

/* ---- waking */

typedef struct sleeper {
    pthread_t thread;
    xmtp_client *client;
    _Atomic int woken;
} sleeper;

static void *sleep_and_count(void *context)
{
    sleeper *s = context;
    xmtp_error error = {0};
    while (atomic_load(&s->woken) < WAKES) {
        must("poll", xmtp_client_poll(s->client, 60 * second_ns, &error), &error);
        atomic_fetch_add(&s->woken, 1);
    }
    return NULL;
}

/* A wake while nobody waits is kept, so that one at a time is never lost. */
static void a_poll_is_woken_from_another_thread(void **state)
{
    (void)state;
    sleeper s = {.client = open_client(NULL)};
    assert_int_equal(pthread_create(&s.thread, NULL, sleep_and_count, &s), 0);
    for (int seen = 0; seen < WAKES;) {
        xmtp_client_wake(s.client);
        while (atomic_load(&s.woken) == seen) {
            (void)sched_yield();
        }
        seen = atomic_load(&s.woken);
    }
    assert_int_equal(pthread_join(s.thread, NULL), 0);
    xmtp_client_close(s.client);
}

/* ---- an agent */

static void count_post(xmtp_agent *agent, void *argument)
{
    (void)agent;
    ++*(int *)argument;
}

static void answer(xmtp_agent *agent, const xmtp_message *message, const xmtp_user *user,
                   void *context)
{
    (void)user;
    (void)context;
    (void)xmtp_agent_reply(agent, message, "answer");
}

static void *run_agent(void *agent)
{
    (void)xmtp_agent_run(agent);
    return NULL;
}

static void an_agent_is_posted_to_and_stopped_from_another_thread(void **state)
{
    (void)state;
    xmtp_agent *agent;
    pthread_t thread;
    int posted = 0;
    xmtp_error error = {0};
    person p = {.client = open_client(NULL)};
    const xmtp_agent_options options = {
        .node_url = node_url, .on_message = answer, .error = &error};
    must("agent", xmtp_agent_open(&agent, &options), &error);
    const char *address = xmtp_client_address(xmtp_agent_client(agent));
    xmtp_conversation_id dm;
    must("dm", xmtp_client_dm(p.client, address, &dm, &error), &error);
    assert_int_equal(pthread_create(&thread, NULL, run_agent, agent), 0);
    for (int i = 0; i < WAKES; i++) {
        assert_int_equal(xmtp_agent_post(agent, count_post, &posted), XMTP_OK);
    }
    must("send", xmtp_client_send_text(p.client, &dm, "question", NULL, &error), &error);
    const xmtp_message_query all = {0};
    while (p.received == 0) {
        must("poll", xmtp_client_poll(p.client, 60 * second_ns, &error), &error);
        must("read", xmtp_client_messages(p.client, &all, count_others, &p, &error), &error);
    }
    xmtp_agent_stop(agent);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(posted, WAKES);
    xmtp_agent_close(agent);
    xmtp_client_close(p.client);
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(clients_on_threads_share_a_node_over_sockets),
        UNIT(clients_on_threads_share_a_node_in_the_process),
        UNIT(a_poll_is_woken_from_another_thread),
        UNIT(an_agent_is_posted_to_and_stopped_from_another_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
