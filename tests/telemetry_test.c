/* telemetry_test.c - what a client tells about itself, and what a light one leaves to others. */
#include "one_network.h"
#include "proto/message.h"
#include "proto/mls_api.pb-c.h"

#include <xmtp/setup.h>

/* ---- statistics */

static xmtp_api_statistics counts_of(const person *p)
{
    xmtp_api_statistics s;
    xmtp_client_api_statistics(p->client, &s);
    return s;
}

static void calls_are_counted_by_method(void **state)
{
    (void)state;
    person people[2];
    xmtp_conversation_id group;
    people_open(people, 2, &net);
    xmtp_api_statistics s = counts_of(&people[0]);
    assert_int_equal(s.upload_key_package, 1);
    assert_int_equal(s.publish_identity_update, 1);
    assert_int_equal(s.send_group_messages, 0);
    xmtp_client_api_statistics_clear(people[0].client);
    uint64_t calls = people[0].wire.calls;
    group_of(people, 2, &group);
    send_text(&people[0], &group, "one");
    send_text(&people[0], &group, "two");
    s = counts_of(&people[0]);
    assert_int_equal(s.upload_key_package, 0);
    assert_int_equal(s.send_group_messages, people[0].wire.sends);
    assert_int_equal(s.send_welcome_messages, 1);
    assert_int_equal(s.fetch_key_packages, 1);
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof(s) / sizeof(uint64_t); i++) {
        sum += ((const uint64_t *)(const void *)&s)[i];
    }
    assert_int_equal(sum, people[0].wire.calls - calls); /* none failed, all are counted */
    people_close(people, 2);
}

static void streams_and_failures_are_counted(void **state)
{
    (void)state;
    person p;
    person_open(&p, &net);
    assert_ok(&p, xmtp_client_poll(p.client, 0, &p.error));
    xmtp_api_statistics s = counts_of(&p);
    assert_int_equal(s.subscribe_welcome_messages, 1);
    assert_int_equal(s.failed, 0);
    xmtp_client_api_statistics_clear(p.client);
    p.wire.cut_from = 1;
    p.wire.cut_count = UINT64_MAX / 2;
    assert_refused(&p, xmtp_client_sync(p.client, &p.error), XMTP_E_NETWORK, "");
    s = counts_of(&p);
    assert_true(s.query_welcome_messages >= 6); /* each try counts */
    assert_true(s.failed >= s.query_welcome_messages);
    person_close(&p);
}

static void statistics_are_told_as_text_that_may_be_cut(void **state)
{
    (void)state;
    person p;
    char text[512];
    char small[8];
    person_open(&p, &net);
    size_t n = xmtp_client_api_statistics_text(p.client, text, sizeof(text));
    assert_int_equal(n, strlen(text));
    assert_non_null(strstr(text, "UploadKeyPackage 1\n"));
    assert_non_null(strstr(text, "failed 0\n"));
    assert_null(strstr(text, "SendGroupMessages"));
    assert_int_equal(xmtp_client_api_statistics_text(p.client, small, sizeof(small)), n);
    assert_memory_equal(small, text, sizeof(small) - 1);
    assert_int_equal(small[sizeof(small) - 1], '\0');
    assert_int_equal(xmtp_client_api_statistics_text(p.client, NULL, 0), n);
    person_close(&p);
}

static xmtp_status count_conversation(void *context, const xmtp_conversation *conversation)
{
    (void)conversation;
    ++*(size_t *)context;
    return XMTP_OK;
}

/* And each conversation counts as looked at; what is new in a log reaches all of them. */
static void a_sync_of_everything_asks_for_a_log_once(void **state)
{
    (void)state;
    person people[2];
    person second;
    xmtp_conversation_id group;
    size_t conversations = 0;
    people_open(people, 2, &net);
    const char *member = xmtp_client_inbox_id(people[1].client);
    for (size_t i = 0; i < 4; i++) {
        assert_ok(&people[0], xmtp_client_group_create(people[0].client, "group", &member, 1,
                                                       &group, &people[0].error));
    }
    xmtp_client_api_statistics_clear(people[1].client);
    sync_all(&people[1]);
    assert_int_equal(counts_of(&people[1]).get_identity_updates, 2); /* the adder's; our own */
    sync_all(&people[1]);
    assert_int_equal(counts_of(&people[1]).get_identity_updates, 2);
    network_advance(&net, 1801);
    sync_all(&people[1]);
    assert_int_equal(counts_of(&people[1]).get_identity_updates, 3);
    person_open_device(&second, &people[0]);
    network_advance(&net, 1801);
    sync_all(&people[1]);
    sync_all(&second);
    assert_ok(&second, xmtp_client_conversations(second.client, count_conversation, &conversations,
                                                 &second.error));
    assert_int_equal(conversations, 4);
    person_close(&second);
    people_close(people, 2);
}

/* ---- log */

typedef struct diary {
    char text[65536];
    size_t lines;
    xmtp_log_level finest;
} diary;

static void write_down(void *context, xmtp_log_level level, const char *line)
{
    diary *d = context;
    d->lines++;
    d->finest = level > d->finest ? level : d->finest;
    size_t n = strlen(d->text);
    (void)snprintf(d->text + n, sizeof(d->text) - n, "%s\n", line);
}

static void open_with_log(person *p, xmtp_setup *setup, diary *d, xmtp_log_level level)
{
    *d = (diary){.lines = 0};
    *setup = (xmtp_setup){.log = {.context = d, .level = level, .write = write_down}};
    memset(p, 0, sizeof(*p));
    p->net = &net;
    p->has_file = true;
    p->setup = setup;
    person_new_key(p);
    (void)snprintf(p->path, sizeof(p->path), "%s/logged.db", net.folder);
    wire_open(&p->wire, &net);
    assert_ok(p, person_try_open(p));
}

static void the_log_tells_what_happens_as_finely_as_was_asked(void **state)
{
    (void)state;
    static diary d;
    person p;
    xmtp_setup setup;
    open_with_log(&p, &setup, &d, XMTP_LOG_INFO);
    assert_non_null(strstr(d.text, "registered"));
    assert_non_null(strstr(d.text, xmtp_client_inbox_id(p.client)));
    assert_int_equal(d.finest, XMTP_LOG_INFO);
    p.wire.cut_from = 1;
    p.wire.cut_count = UINT64_MAX / 2;
    assert_refused(&p, xmtp_client_sync(p.client, &p.error), XMTP_E_NETWORK, "");
    assert_non_null(strstr(d.text, "QueryWelcomeMessages: E_NETWORK"));
    person_close(&p);
    open_with_log(&p, &setup, &d, XMTP_LOG_OFF);
    assert_int_equal(d.lines, 0);
    person_close(&p);
}

static void the_finest_log_holds_no_secret_and_no_text(void **state)
{
    (void)state;
    static diary d;
    person p;
    person bob;
    xmtp_setup setup;
    xmtp_conversation_id dm;
    person_open(&bob, &net);
    open_with_log(&p, &setup, &d, XMTP_LOG_DEBUG);
    assert_ok(&p, xmtp_client_dm(p.client, xmtp_client_address(bob.client), &dm, &p.error));
    send_text(&p, &dm, "rosebud");
    assert_int_equal(d.finest, XMTP_LOG_DEBUG);
    assert_non_null(strstr(d.text, "/xmtp.mls.api.v1.MlsApi/SendGroupMessages: OK, "));
    assert_null(strstr(d.text, "rosebud"));
    assert_null(strstr(d.text, p.key));
    person_close(&p);
    person_close(&bob);
}

/* ---- a light client */

static void open_light(person *p, xmtp_setup *setup)
{
    *setup = (xmtp_setup){.is_light = true};
    p->setup = setup;
    uint64_t calls = p->wire.calls;
    assert_ok(p, person_try_open(p));
    assert_int_equal(p->wire.calls, calls);
}

static void push(person *p, const xmtp_conversation_id *id, uint64_t sequence)
{
    xmtp_writer w;
    Pb__GroupMessage__V1 v1 = PB__GROUP_MESSAGE__V1__INIT;
    Pb__GroupMessage message = PB__GROUP_MESSAGE__INIT;
    v1.has_id = 1;
    v1.id = sequence;
    v1.has_group_id = 1;
    v1.group_id = xmtp_proto_data(xmtp_bytes_of(id->p, id->n));
    message.version_case = PB__GROUP_MESSAGE__VERSION_V1;
    message.v1 = &v1;
    xmtp_writer_init(&w, &p->net->env.alloc, XMTP_WRITER_MAX);
    assert_int_equal(xmtp_proto_encode(&message.base, &w), XMTP_OK);
    assert_ok(p, xmtp_client_process_message(p->client, xmtp_writer_bytes(&w), &p->error));
    xmtp_writer_free(&w);
}

static void an_extension_takes_in_what_the_push_brought_and_the_application_goes_on(void **state)
{
    (void)state;
    person people[2];
    xmtp_conversation_id group;
    xmtp_setup setup;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    xmtp_message sent;
    people_open(people, 2, &net);
    group_of(people, 2, &group);
    xmtp_client_close(people[1].client);
    assert_ok(&people[0],
              xmtp_client_send_text(people[0].client, &group, "pushed", id, &people[0].error));
    assert_ok(&people[0], xmtp_client_message(people[0].client, id, &sent, &people[0].error));
    open_light(&people[1], &setup);
    push(&people[1], &group, sent.sequence);
    assert_texts(&people[1], &group, "pushed|");
    people[1].setup = NULL;
    person_reopen(&people[1]);
    assert_texts(&people[1], &group, "pushed|");
    send_text(&people[1], &group, "answered");
    sync_all(&people[0]);
    assert_texts(&people[0], &group, "pushed|answered|");
    people_close(people, 2);
}

static void a_light_client_joins_by_a_pushed_welcome_and_publishes_nothing(void **state)
{
    (void)state;
    static const char part[] = "opened light: it publishes nothing";
    person people[2];
    xmtp_conversation_id group;
    xmtp_setup setup;
    people_open(people, 2, &net);
    xmtp_client_close(people[1].client);
    open_light(&people[1], &setup);
    person *light = &people[1];
    const char *bob = xmtp_client_inbox_id(light->client);
    assert_ok(&people[0], xmtp_client_group_create(people[0].client, "group", &bob, 1, &group,
                                                   &people[0].error));
    assert_ok(light, xmtp_client_sync_welcomes(light->client, &light->error));
    assert_string_equal(conversation_of(light, &group).name, "group");
    assert_refused(light, xmtp_client_send_text(light->client, &group, "no", NULL, &light->error),
                   XMTP_E_STATE, part);
    assert_refused(light, xmtp_client_sync(light->client, &light->error), XMTP_E_STATE, part);
    assert_refused(light, xmtp_client_poll(light->client, 0, &light->error), XMTP_E_STATE, part);
    assert_refused(light, xmtp_client_group_rename(light->client, &group, "no", &light->error),
                   XMTP_E_STATE, part);
    xmtp_api_statistics s = counts_of(light);
    assert_int_equal(s.upload_key_package + s.publish_identity_update + s.send_group_messages +
                         s.send_welcome_messages + s.publish_commit_log,
                     0);
    people[1].setup = NULL;
    person_reopen(&people[1]);
    send_text(&people[1], &group, "yes");
    people_close(people, 2);
}

static void a_light_client_needs_an_installation_that_is_registered(void **state)
{
    (void)state;
    person p = {.net = &net, .has_file = true};
    const xmtp_setup setup = {.is_light = true};
    person_new_key(&p);
    (void)snprintf(p.path, sizeof(p.path), "%s/nobody.db", net.folder);
    wire_open(&p.wire, &net);
    p.setup = &setup;
    assert_refused(&p, person_try_open(&p), XMTP_E_NOT_REGISTERED, "a light client");
    assert_int_equal(p.wire.calls, 0);
    person_close(&p);
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(calls_are_counted_by_method),
        FACT(streams_and_failures_are_counted),
        FACT(statistics_are_told_as_text_that_may_be_cut),
        FACT(a_sync_of_everything_asks_for_a_log_once),
        FACT(the_log_tells_what_happens_as_finely_as_was_asked),
        FACT(the_finest_log_holds_no_secret_and_no_text),
        FACT(an_extension_takes_in_what_the_push_brought_and_the_application_goes_on),
        FACT(a_light_client_joins_by_a_pushed_welcome_and_publishes_nothing),
        FACT(a_light_client_needs_an_installation_that_is_registered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
