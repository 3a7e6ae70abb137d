/* together_test.c - members of one group who all talk and rename at once, each in a thread of its
 * own, by stream and by sync. In the end all agree on every message, in number and order, and on the
 * epoch. */
#include "test_network.h"

#include <pthread.h>

enum { MEMBERS = 4, MESSAGES = 25, RENAME_EVERY = 6 };

static network net;
static xmtp_conversation_id group;

typedef struct worker {
    person person;
    pthread_t thread;
    unsigned number;
    xmtp_status status;
} worker;

static xmtp_status say_something(worker *w, unsigned i)
{
    char text[24];
    xmtp_client *client = w->person.client;
    (void)snprintf(text, sizeof(text), "%u-%u", w->number, i);
    xmtp_status status = xmtp_client_send_text(client, &group, text, NULL, &w->person.error);
    if (status == XMTP_OK && i % RENAME_EVERY == w->number) {
        status = xmtp_client_group_rename(client, &group, text, &w->person.error);
    }
    if (status == XMTP_OK && i % 3 == 0) {
        status = xmtp_client_poll(client, 0, &w->person.error);
        status = status == XMTP_E_TIMEOUT ? XMTP_OK : status;
    }
    return status == XMTP_E_RETRY ? XMTP_OK : status; /* kept, and done by a later round */
}

static void *work(void *context)
{
    worker *w = context;
    for (unsigned i = 0; i < MESSAGES && w->status == XMTP_OK; i++) {
        w->status = say_something(w, i);
    }
    return NULL;
}

static void settle(worker *workers)
{
    for (int i = 0; i < 3; i++) {
        for (size_t j = 0; j < MEMBERS; j++) {
            xmtp_status status =
                xmtp_client_sync(workers[j].person.client, &workers[j].person.error);
            assert_true(status == XMTP_OK || status == XMTP_E_RETRY);
        }
    }
}

static void all_members_agree(void **state)
{
    (void)state;
    worker *workers = calloc(MEMBERS, sizeof(*workers));
    transcript *seen = malloc(2 * sizeof(*seen));
    const char *members[MEMBERS];
    network_open(&net);
    net.env = *xmtp_env_system(); /* threads: the real clock */
    for (unsigned i = 0; i < MEMBERS; i++) {
        workers[i].number = i;
        person_open(&workers[i].person, &net);
        members[i] = xmtp_client_address(workers[i].person.client);
    }
    person *first = &workers[0].person;
    assert_ok(first, xmtp_client_group_create(first->client, "g", members + 1, MEMBERS - 1, &group,
                                              &first->error));
    for (unsigned i = 1; i < MEMBERS; i++) {
        sync_all(&workers[i].person);
    }
    for (unsigned i = 0; i < MEMBERS; i++) {
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < MEMBERS; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_ok(&workers[i].person, workers[i].status);
    }
    settle(workers);
    read_all(first, &group, &seen[0]);
    assert_int_equal(seen[0].count, MEMBERS * MESSAGES);
    for (unsigned i = 1; i < MEMBERS; i++) {
        read_all(&workers[i].person, &group, &seen[1]);
        assert_string_equal(seen[0].text, seen[1].text);
        assert_int_equal(conversation_of(&workers[i].person, &group).epoch,
                         conversation_of(first, &group).epoch);
    }
    for (unsigned i = 0; i < MEMBERS; i++) {
        person_close(&workers[i].person);
    }
    network_close(&net);
    free(seen);
    free(workers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_members_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
