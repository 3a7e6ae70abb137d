/* device_history_test.c - what was said before an installation came: asked for, made, told of, taken. */
#include "client/history.h"
#include "fetch/fetch.h"
#include "house.h"
#include "store/device_sync_store.h"

#define SERVER "http://history.test:5558"

enum { FILES_MAX = 16 };

/* A history server that lives in the test. */
typedef struct server {
    xmtp_env env;
    xmtp_writer files[FILES_MAX];
    size_t count;
    size_t uploads;
    size_t downloads;
    size_t failures_left; /* requests that will not be answered */
    uint64_t claims_len;  /* instead of a file's length; 0: its own */
    bool was_public_only; /* of the last request */
    const char *id;       /* instead of the file's id */
} server;

static server web;

static xmtp_status take_file(const xmtp_http_request *request)
{
    char id[32];
    assert_true(web.count < FILES_MAX);
    xmtp_writer *file = &web.files[web.count];
    xmtp_writer_init(file, &web.env.alloc, XMTP_WRITER_MAX);
    xmtp_writer_put(file, request->body);
    assert_int_equal(xmtp_writer_status(file), XMTP_OK);
    (void)snprintf(id, sizeof(id), "%zu", web.count++);
    web.uploads++;
    return request->sink(request->sink_context, xmtp_bytes_of_string(web.id != NULL ? web.id : id));
}

static xmtp_status give_file(const xmtp_http_request *request, uint32_t *http_status)
{
    size_t n = (size_t)strtoul(strrchr(request->url, '/') + 1, NULL, 10);
    web.downloads++;
    if (n >= web.count) {
        *http_status = 404;
        return XMTP_OK;
    }
    xmtp_bytes file = xmtp_writer_bytes(&web.files[n]);
    uint64_t len = web.claims_len != 0 ? web.claims_len : file.n;
    return len > request->answer_len_max ? XMTP_E_LIMIT
                                         : request->sink(request->sink_context, file);
}

static xmtp_status serve(void *context, const xmtp_http_request *request, uint32_t *http_status,
                         xmtp_error *error)
{
    (void)context;
    web.was_public_only = request->public_only;
    *http_status = 200;
    if (web.failures_left > 0) {
        web.failures_left--;
        *http_status = 0;
        return xmtp_fail(error, XMTP_E_NETWORK, "the test says no");
    }
    return strcmp(request->method, "POST") == 0 ? take_file(request)
                                                : give_file(request, http_status);
}

static const xmtp_http http = {.request = serve};
static const xmtp_device_sync_options device_sync = {
    .is_on = true, .history_url = SERVER "/", .http = &http};

static int set_up_on(void **state)
{
    set_up(state);
    memset(&web, 0, sizeof(web));
    web.env = net.env;
    net.device_sync = &device_sync;
    return 0;
}

static int tear_down_all(void **state)
{
    for (size_t i = 0; i < web.count; i++) {
        xmtp_writer_free(&web.files[i]);
    }
    return tear_down(state);
}

/* ---- people */

typedef struct heard {
    size_t taken;
    size_t made;
    xmtp_status last;
    char pin[XMTP_SYNC_PIN_MAX + 1];
} heard;

static void hear(void *context, const char *pin, bool is_taken, xmtp_status status)
{
    heard *h = context;
    *(is_taken ? &h->taken : &h->made) += 1;
    h->last = status;
    (void)snprintf(h->pin, sizeof(h->pin), "%s", pin);
}

static void listen_to(person *p, heard *h)
{
    const xmtp_client_events events = {.context = h, .history = hear};
    *h = (heard){0};
    xmtp_client_listen(p->client, &events);
}

/* One that knows a DM with a friend, and one that came later. */
typedef struct family {
    person first;
    person second;
    person friend;
    xmtp_conversation_id dm;
    heard of_first;
    heard of_second;
} family;

static void family_open(family *f)
{
    person_open(&f->first, &net);
    person_open(&f->friend, &net);
    assert_ok(&f->first, xmtp_client_dm(f->first.client, xmtp_client_inbox_id(f->friend.client),
                                        &f->dm, &f->first.error));
    send_text(&f->first, &f->dm, "before");
    sync_all(&f->first);
    person_open_device(&f->second, &f->first);
    sync_all(&f->second);
    sync_all(&f->first);
    sync_all(&f->second);
    listen_to(&f->first, &f->of_first);
    listen_to(&f->second, &f->of_second);
    assert_texts(&f->second, &f->dm, "");
}

static void family_close(family *f)
{
    person_close(&f->second);
    person_close(&f->friend);
    person_close(&f->first);
}

static void ask(family *f, char pin[XMTP_SYNC_PIN_LEN + 1])
{
    assert_ok(&f->second,
              xmtp_client_sync_request(f->second.client, NULL, NULL, pin, &f->second.error));
}

static void sync_both(family *f)
{
    sync_all(&f->first);
    sync_all(&f->second);
}

static void say_reply(family *f, const char *pin, const char *url, size_t key_len)
{
    uint8_t bytes[64] = {7};
    Pb__SyncKey key = PB__SYNC_KEY__INIT;
    Pb__SyncReply reply = PB__SYNC_REPLY__INIT;
    Pb__DeviceSyncContent content = PB__DEVICE_SYNC_CONTENT__INIT;
    key.key_case = PB__SYNC_KEY__KEY_AES_256_GCM;
    key.aes_256_gcm = xmtp_proto_data(xmtp_bytes_of(bytes, key_len));
    reply.request_id = (char *)(uintptr_t)pin;
    reply.url = (char *)(uintptr_t)url;
    reply.encryption_key = &key;
    content.content_case = PB__DEVICE_SYNC_CONTENT__CONTENT_REPLY;
    content.reply = &reply;
    assert_ok(&f->first, xmtp_sync_say(f->first.client, &content, NULL, &f->first.error));
}

/* ---- asked for */

static void what_was_said_before_arrives_where_it_was_asked_for(void **state)
{
    (void)state;
    family f;
    char pin[XMTP_SYNC_PIN_LEN + 1];
    family_open(&f);
    ask(&f, pin);
    assert_int_equal(strspn(pin, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"),
                     XMTP_SYNC_PIN_LEN);
    sync_both(&f);
    assert_texts(&f.second, &f.dm, "before|");
    assert_false(web.was_public_only);
    assert_int_equal(f.of_first.made, 1);
    assert_int_equal(f.of_second.taken, 1);
    assert_int_equal(f.of_second.last, XMTP_OK);
    assert_string_equal(f.of_second.pin, pin);
    sync_both(&f); /* and once only */
    assert_int_equal(web.uploads, 1);
    assert_int_equal(web.downloads, 1);
    family_close(&f);
}

static void two_requests_have_two_keys(void **state)
{
    (void)state;
    family f;
    char pin[XMTP_SYNC_PIN_LEN + 1];
    family_open(&f);
    ask(&f, pin);
    ask(&f, pin);
    sync_both(&f);
    assert_int_equal(web.count, 2);
    size_t n = web.files[0].n < web.files[1].n ? web.files[0].n : web.files[1].n;
    assert_memory_not_equal(web.files[0].p, web.files[1].p, n);
    assert_int_equal(f.of_second.taken, 2);
    family_close(&f);
}

static void asking_needs_a_server_a_way_there_and_device_sync(void **state)
{
    (void)state;
    person p[3];
    char pin[XMTP_SYNC_PIN_LEN + 1];
    static const xmtp_device_sync_options no_server = {.is_on = true, .http = &http};
    static const xmtp_device_sync_options no_way = {.is_on = true, .history_url = SERVER};
    const xmtp_device_sync_options *options[] = {&no_server, &no_way, NULL};
    for (size_t i = 0; i < 3; i++) {
        net.device_sync = options[i];
        person_open(&p[i], &net);
        assert_int_equal(xmtp_client_sync_request(p[i].client, NULL, NULL, pin, &p[i].error),
                         XMTP_E_ARGUMENT);
        assert_string_equal(pin, "");
        assert_int_equal(xmtp_client_sync_archive_send(p[i].client, NULL, NULL, "x", &p[i].error),
                         XMTP_E_ARGUMENT);
    }
    assert_int_equal(p[0].wire.sends, 0);
    people_close(p, 3);
}

/* ---- what fails */

static void a_server_that_is_away_is_tried_three_times_also_across_restarts(void **state)
{
    (void)state;
    family f;
    char pin[XMTP_SYNC_PIN_LEN + 1];
    family_open(&f);
    ask(&f, pin);
    web.failures_left = 3;
    for (int i = 0; i < 5; i++) {
        sync_all(&f.first);
        sync_all(&f.first); /* at once: not tried again yet */
        person_reopen(&f.first);
        listen_to(&f.first, &f.of_first);
        network_advance(&net, 61);
        assert_int_equal(web.failures_left, i < 3 ? 2 - (size_t)i : 0);
    }
    assert_int_equal(web.uploads, 0);
    family_close(&f);
}

static void a_server_that_comes_back_is_used(void **state)
{
    (void)state;
    family f;
    char pin[XMTP_SYNC_PIN_LEN + 1];
    family_open(&f);
    ask(&f, pin);
    web.failures_left = 1;
    sync_all(&f.first);
    network_advance(&net, 61);
    sync_all(&f.first);
    assert_int_equal(web.uploads, 1);
    web.failures_left = 2;
    for (int i = 0; i < 3; i++) {
        sync_all(&f.second);
        network_advance(&net, 61);
    }
    assert_texts(&f.second, &f.dm, "before|");
    assert_int_equal(f.of_second.last, XMTP_OK);
    family_close(&f);
}

/* Nothing else is due for a client of a host then, and nobody calls it. */
static void a_client_of_a_host_tries_again_in_time(void **state)
{
    (void)state;
    house h;
    family f;
    char pin[XMTP_SYNC_PIN_LEN + 1];
    xmtp_client *client;
    house_open(&h);
    family_open(&f);
    const xmtp_client_options options = {.encryption_key = f.first.key,
                                         .device_sync = &device_sync};
    assert_ok(&h, xmtp_host_client_open(h.host, &client, &options, &h.error));
    poll_quietly(&h);
    network_advance(&net, 400);
    poll_quietly(&h);
    web.failures_left = 1;
    ask(&f, pin);
    for (int i = 0; i < 5; i++) {
        poll_quietly(&h);
        network_advance(&net, 40);
    }
    assert_int_equal(web.failures_left, 0);
    assert_int_equal(web.uploads, 1);
    family_close(&f);
    house_end(&h);
}

static void a_node_that_goes_away_while_an_archive_is_made_loses_nothing(void **state)
{
    (void)state;
    family f;
    char pin[XMTP_SYNC_PIN_LEN + 1];
    family_open(&f);
    for (uint64_t cut_at = 2; cut_at <= 8; cut_at += 3) {
        ask(&f, pin);
        f.first.wire.how = cut_at % 2 == 0 ? CUT_BEFORE : CUT_AFTER;
        f.first.wire.cut_from = f.first.wire.calls + cut_at;
        f.first.wire.cut_count = 8;
        xmtp_status status = xmtp_client_sync(f.first.client, &f.first.error);
        assert_true(status == XMTP_OK || status == XMTP_E_NETWORK || status == XMTP_E_RETRY);
        f.first.wire.cut_from = 0;
        person_reopen(&f.first);
        network_advance(&net, 61);
        sync_both(&f);
        assert_string_equal(f.of_second.pin, pin);
        assert_int_equal(f.of_second.last, XMTP_OK);
    }
    family_close(&f);
}

static void an_answer_that_is_no_file_id_is_refused(void **state)
{
    (void)state;
    family f;
    family_open(&f);
    const char *bad[] = {"", "../../x", "a b", "id\n", "http://x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        web.id = bad[i];
        assert_int_equal(
            xmtp_client_sync_archive_send(f.first.client, NULL, NULL, "pin", &f.first.error),
            XMTP_E_PROTOCOL);
    }
    family_close(&f);
}

/* ---- hostile */

static void a_reply_to_a_pin_never_asked_is_not_fetched(void **state)
{
    (void)state;
    family f;
    family_open(&f);
    say_reply(&f, "never", SERVER "/files/0", XMTP_ARCHIVE_KEY_LEN);
    say_reply(&f, "", SERVER "/files/0", XMTP_ARCHIVE_KEY_LEN);
    sync_both(&f);
    assert_int_equal(web.downloads, 0);
    assert_int_equal(f.of_second.taken, 0);
    family_close(&f);
}

static void a_key_of_another_length_is_refused(void **state)
{
    (void)state;
    family f;
    char pin[XMTP_SYNC_PIN_LEN + 1];
    family_open(&f);
    web.failures_left = 1; /* the honest answer stays away for a while */
    ask(&f, pin);
    sync_all(&f.first);
    say_reply(&f, pin, SERVER "/files/0", XMTP_ARCHIVE_KEY_LEN - 1);
    sync_all(&f.second);
    assert_int_equal(web.downloads, 0);
    assert_int_equal(f.of_second.last, XMTP_E_CONTENT);
    family_close(&f);
}

static void an_archive_elsewhere_is_fetched_from_public_hosts_only(void **state)
{
    (void)state;
    family f;
    char pin[XMTP_SYNC_PIN_LEN + 1];
    family_open(&f);
    web.failures_left = 1;
    ask(&f, pin);
    sync_all(&f.first);
    const char *elsewhere[] = {"http://history.test:55589/files/0", "http://history.test/files/0",
                               "http://history.test:5558.evil.test/files/0",
                               "https://other.test/files/0", ""};
    for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
        web.was_public_only = false;
        web.failures_left = 1;
        say_reply(&f, pin, elsewhere[i], XMTP_ARCHIVE_KEY_LEN);
        sync_all(&f.second);
        assert_true(web.was_public_only);
    }
    family_close(&f);
}

/* With the HTTP of the program, which looks at addresses. */
static void an_address_in_a_private_network_is_not_connected_to(void **state)
{
    (void)state;
    family f;
    char pin[XMTP_SYNC_PIN_LEN + 1];
    xmtp_http real;
    const xmtp_fetch_options fetch = {.env = &net.env};
    assert_int_equal(xmtp_fetch_open(&real, &fetch), XMTP_OK);
    family_open(&f);
    ask(&f, pin);
    f.second.client->device_sync.http = &real;
    const char *urls[] = {"https://127.0.0.1:1/files/0", "https://10.0.0.1/files/0",
                          "https://[::1]:1/files/0", "https://169.254.169.254/files/0"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        f.of_second.last = XMTP_OK;
        say_reply(&f, pin, urls[i], XMTP_ARCHIVE_KEY_LEN);
        sync_all(&f.second);
        assert_int_equal(f.of_second.last, XMTP_E_ADDRESS);
    }
    say_reply(&f, pin, "http://127.0.0.1:1/files/0", XMTP_ARCHIVE_KEY_LEN);
    sync_all(&f.second);
    assert_int_equal(f.of_second.last, XMTP_E_ARGUMENT);
    family_close(&f);
    real.close(real.context);
}

static void a_request_cannot_make_us_bring_an_archive_into_a_private_network(void **state)
{
    (void)state;
    family f;
    char pin[XMTP_SYNC_PIN_LEN + 1];
    family_open(&f);
    assert_ok(&f.second, xmtp_client_sync_request(f.second.client, NULL, "http://10.0.0.1", pin,
                                                  &f.second.error));
    sync_all(&f.first);
    assert_true(web.was_public_only);
    family_close(&f);
}

static void an_archive_that_is_too_long_or_damaged_is_given_up(void **state)
{
    (void)state;
    family f;
    char pin[XMTP_SYNC_PIN_LEN + 1];
    family_open(&f);
    web.claims_len = (uint64_t)XMTP_HISTORY_ARCHIVE_MAX + 1;
    ask(&f, pin);
    sync_both(&f);
    assert_int_equal(f.of_second.taken, 1);
    assert_int_equal(f.of_second.last, XMTP_E_LIMIT);
    web.claims_len = 0;
    ask(&f, pin);
    sync_all(&f.first);
    web.files[1].p[40] ^= 1;
    sync_all(&f.second);
    assert_int_equal(f.of_second.taken, 2);
    assert_int_not_equal(f.of_second.last, XMTP_OK);
    assert_texts(&f.second, &f.dm, "");
    family_close(&f);
}

/* ---- unasked */

typedef struct listed {
    size_t count;
    char pins[64];
    uint32_t elements;
} listed;

static xmtp_status list_one(void *context, const xmtp_sync_archive *archive)
{
    listed *l = context;
    l->count++;
    l->elements = archive->metadata.elements;
    (void)strncat(l->pins, archive->pin, sizeof(l->pins) - strlen(l->pins) - 1);
    (void)strncat(l->pins, "|", sizeof(l->pins) - strlen(l->pins) - 1);
    return XMTP_OK;
}

static void an_archive_sent_unasked_is_listed_and_taken_by_its_pin(void **state)
{
    (void)state;
    family f;
    listed l = {0};
    xmtp_archive_counts counts = {0};
    family_open(&f);
    assert_ok(&f.first,
              xmtp_client_sync_archive_send(f.first.client, NULL, NULL, "first", &f.first.error));
    network_advance(&net, 1);
    const xmtp_archive_options only_consent = {.elements = XMTP_ARCHIVE_CONSENT};
    assert_ok(&f.first, xmtp_client_sync_archive_send(f.first.client, &only_consent, NULL, "second",
                                                      &f.first.error));
    sync_all(&f.second);
    assert_int_equal(web.downloads, 0);
    assert_ok(&f.second,
              xmtp_client_sync_archives(f.second.client, 7, list_one, &l, &f.second.error));
    assert_int_equal(l.count, 2);
    assert_true(strcmp(l.pins, "second|first|") == 0 || strcmp(l.pins, "first|second|") == 0);
    assert_int_equal(
        xmtp_client_sync_archive_take(f.second.client, "third", &counts, &f.second.error),
        XMTP_E_NOT_FOUND);
    assert_ok(&f.second,
              xmtp_client_sync_archive_take(f.second.client, "second", &counts, &f.second.error));
    assert_texts(&f.second, &f.dm, "");
    assert_ok(&f.second,
              xmtp_client_sync_archive_take(f.second.client, "first", &counts, &f.second.error));
    assert_texts(&f.second, &f.dm, "before|");
    assert_int_equal(counts.messages, 1);
    l = (listed){0};
    assert_ok(&f.first, xmtp_client_sync_archives(f.first.client, 7, list_one, &l, &f.first.error));
    assert_int_equal(l.count, 0); /* one's own are nothing new */
    family_close(&f);
}

static void a_pin_has_to_be_one(void **state)
{
    (void)state;
    family f;
    char long_pin[XMTP_SYNC_PIN_MAX + 2];
    family_open(&f);
    memset(long_pin, 'x', sizeof(long_pin));
    long_pin[sizeof(long_pin) - 1] = '\0';
    const char *bad[] = {NULL, "", "two words", "\x7f", long_pin};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(
            xmtp_client_sync_archive_send(f.first.client, NULL, NULL, bad[i], &f.first.error),
            XMTP_E_ARGUMENT);
    }
    assert_int_equal(web.uploads, 0);
    family_close(&f);
}

#define NETWORK_TEST(f) cmocka_unit_test_setup_teardown(f, set_up_on, tear_down_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NETWORK_TEST(what_was_said_before_arrives_where_it_was_asked_for),
        NETWORK_TEST(two_requests_have_two_keys),
        NETWORK_TEST(asking_needs_a_server_a_way_there_and_device_sync),
        NETWORK_TEST(a_server_that_is_away_is_tried_three_times_also_across_restarts),
        NETWORK_TEST(a_server_that_comes_back_is_used),
        NETWORK_TEST(a_client_of_a_host_tries_again_in_time),
        NETWORK_TEST(a_node_that_goes_away_while_an_archive_is_made_loses_nothing),
        NETWORK_TEST(an_answer_that_is_no_file_id_is_refused),
        NETWORK_TEST(a_reply_to_a_pin_never_asked_is_not_fetched),
        NETWORK_TEST(a_key_of_another_length_is_refused),
        NETWORK_TEST(an_archive_elsewhere_is_fetched_from_public_hosts_only),
        NETWORK_TEST(an_address_in_a_private_network_is_not_connected_to),
        NETWORK_TEST(a_request_cannot_make_us_bring_an_archive_into_a_private_network),
        NETWORK_TEST(an_archive_that_is_too_long_or_damaged_is_given_up),
        NETWORK_TEST(an_archive_sent_unasked_is_listed_and_taken_by_its_pin),
        NETWORK_TEST(a_pin_has_to_be_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
