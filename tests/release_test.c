/* release_test.c - a client lets go of its database for a while, and takes it again. */
#include "one_network.h"

#include <xmtp/setup.h>

static void release(person *p)
{
    assert_ok(p, xmtp_client_release_database(p->client, &p->error));
}

static void take(person *p)
{
    assert_ok(p, xmtp_client_take_database(p->client, &p->error));
}

static void meanwhile_calls_are_refused_and_ids_are_told(void **state)
{
    (void)state;
    static const char part[] = "let go: xmtp_client_take_database";
    person p;
    xmtp_conversation_id group;
    xmtp_inbox_state s;
    char topic[XMTP_TOPIC_MAX];
    transcript *t = malloc(sizeof(*t));
    person_open(&p, &net);
    assert_ok(&p, xmtp_client_group_create(p.client, "g", NULL, 0, &group, &p.error));
    assert_ok(&p, xmtp_client_poll(p.client, 0, &p.error));
    release(&p);
    release(&p); /* once is enough */
    assert_refused(&p, xmtp_client_sync(p.client, &p.error), XMTP_E_CLOSED, part);
    assert_refused(&p, xmtp_client_poll(p.client, 0, &p.error), XMTP_E_CLOSED, part);
    assert_refused(&p, xmtp_client_send_text(p.client, &group, "x", NULL, &p.error), XMTP_E_CLOSED,
                   part);
    assert_refused(&p, xmtp_client_inbox_state(p.client, NULL, true, &s, &p.error), XMTP_E_CLOSED,
                   part);
    const xmtp_message_query query = {.conversation = &group};
    assert_refused(&p, xmtp_client_messages(p.client, &query, note_message, t, &p.error),
                   XMTP_E_CLOSED, part);
    assert_int_equal(strlen(xmtp_client_inbox_id(p.client)), 64);
    xmtp_client_welcome_topic(p.client, topic);
    assert_non_null(strstr(topic, xmtp_client_installation_id(p.client)));
    xmtp_client_wake(p.client);
    take(&p);
    take(&p);
    send_text(&p, &group, "back");
    assert_texts(&p, &group, "back|");
    free(t);
    person_close(&p);
}

static void a_client_may_be_closed_while_its_database_is_elsewhere(void **state)
{
    (void)state;
    person p;
    person_open(&p, &net);
    release(&p);
    person_reopen(&p);
    person_close(&p);
}

/* The extension of p's application, which looks at the same file over another wire. */
static void open_extension(person *extension, const person *p, const xmtp_setup *light)
{
    *extension = *p;
    extension->client = NULL;
    extension->setup = light;
    wire_open(&extension->wire, &net);
    assert_ok(extension, person_try_open(extension));
}

static void close_extension(person *extension)
{
    xmtp_client_close(extension->client);
    extension->wire.inner.close(extension->wire.inner.context);
}

static void what_an_extension_took_in_is_there_when_the_application_takes_over_again(void **state)
{
    (void)state;
    static const xmtp_setup light = {.is_light = true};
    person people[2];
    person extension;
    xmtp_conversation_id group;
    xmtp_conversation_id second;
    people_open(people, 2, &net);
    group_of(people, 2, &group);
    send_text(&people[0], &group, "one");
    assert_ok(&people[1], xmtp_client_poll(people[1].client, 0, &people[1].error));
    release(&people[1]);
    /* The group goes on by two epochs, and another one begins. */
    send_text(&people[0], &group, "two");
    assert_ok(&people[0],
              xmtp_client_group_rename(people[0].client, &group, "renamed", &people[0].error));
    send_text(&people[0], &group, "three");
    const char *bob = xmtp_client_inbox_id(people[1].client);
    assert_ok(&people[0], xmtp_client_group_create(people[0].client, "another", &bob, 1, &second,
                                                   &people[0].error));
    open_extension(&extension, &people[1], &light);
    assert_ok(&extension, xmtp_client_sync_welcomes(extension.client, &extension.error));
    assert_string_equal(conversation_of(&extension, &second).name, "another");
    close_extension(&extension);
    take(&people[1]);
    assert_string_equal(conversation_of(&people[1], &second).name, "another");
    sync_all(&people[1]);
    assert_texts(&people[1], &group, "one|two|three|");
    assert_string_equal(conversation_of(&people[1], &group).name, "renamed");
    send_text(&people[1], &group, "four");
    sync_all(&people[0]);
    assert_texts(&people[0], &group, "one|two|three|four|");
    people_close(people, 2);
}

static void a_stream_goes_on_after_the_database_was_elsewhere(void **state)
{
    (void)state;
    person people[2];
    xmtp_conversation_id group;
    people_open(people, 2, &net);
    group_of(people, 2, &group);
    assert_ok(&people[1], xmtp_client_poll(people[1].client, 0, &people[1].error));
    release(&people[1]);
    send_text(&people[0], &group, "meanwhile");
    take(&people[1]);
    assert_ok(&people[1], xmtp_client_poll(people[1].client, 0, &people[1].error));
    assert_texts(&people[1], &group, "meanwhile|");
    send_text(&people[0], &group, "and after");
    assert_ok(&people[1], xmtp_client_poll(people[1].client, 0, &people[1].error));
    assert_texts(&people[1], &group, "meanwhile|and after|");
    people_close(people, 2);
}

static void while_somebody_else_has_it_taking_is_refused_and_may_be_repeated(void **state)
{
    (void)state;
    static const xmtp_setup light = {.is_light = true};
    person p;
    person extension;
    person_open(&p, &net);
    extension = p;
    extension.setup = &light;
    extension.client = NULL;
    assert_refused(&extension, person_try_open(&extension), XMTP_E_LOCKED, "");
    release(&p);
    open_extension(&extension, &p, &light);
    assert_refused(&p, xmtp_client_take_database(p.client, &p.error), XMTP_E_LOCKED, "");
    assert_refused(&p, xmtp_client_sync(p.client, &p.error), XMTP_E_CLOSED, "");
    close_extension(&extension);
    take(&p);
    sync_all(&p);
    person_close(&p);
}

static void a_file_that_became_somebody_elses_is_not_taken(void **state)
{
    (void)state;
    person p;
    person other;
    person_open(&p, &net);
    release(&p);
    assert_int_equal(unlink(p.path), 0);
    other = p;
    other.client = NULL;
    wire_open(&other.wire, &net);
    assert_ok(&other, person_try_open(&other)); /* the same account, a new installation */
    close_extension(&other);
    assert_refused(&p, xmtp_client_take_database(p.client, &p.error), XMTP_E_DATABASE_KEY,
                   xmtp_client_installation_id(p.client));
    assert_refused(&p, xmtp_client_sync(p.client, &p.error), XMTP_E_CLOSED, "");
    person_close(&p);
}

static void a_database_in_memory_is_not_let_go(void **state)
{
    (void)state;
    person p = {.net = &net};
    wire_open(&p.wire, &net);
    assert_ok(&p, person_try_open(&p));
    assert_refused(&p, xmtp_client_release_database(p.client, &p.error), XMTP_E_UNSUPPORTED,
                   "in memory");
    sync_all(&p);
    person_close(&p);
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(meanwhile_calls_are_refused_and_ids_are_told),
        FACT(a_client_may_be_closed_while_its_database_is_elsewhere),
        FACT(what_an_extension_took_in_is_there_when_the_application_takes_over_again),
        FACT(a_stream_goes_on_after_the_database_was_elsewhere),
        FACT(while_somebody_else_has_it_taking_is_refused_and_may_be_repeated),
        FACT(a_file_that_became_somebody_elses_is_not_taken),
        FACT(a_database_in_memory_is_not_let_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
