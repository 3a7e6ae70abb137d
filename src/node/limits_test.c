/* limits_test.c - every configured limit of a request, at it and one past it. Those of identity
 * logs are in publish_identity_test.c.
 */
#include "node/test_vectors.h"
#include "proto/field.h"

#define VALIDATION "/xmtp.mls_validation.v1.ValidationApi/"

static void put_text(xmtp_writer *w, uint32_t number, const char *text)
{
    xmtp_field_put_bytes(w, number, xmtp_bytes_of_string(text));
}

static xmtp_writer writer(void)
{
    xmtp_writer w;
    xmtp_writer_init(&w, &test_env()->alloc, XMTP_WRITER_MAX);
    return w;
}

/* Sends what w holds, and empties it. */
static xmtp_status call(test_node *t, const char *path, xmtp_writer *w)
{
    assert_int_equal(xmtp_writer_status(w), XMTP_OK);
    xmtp_status status = test_call_bytes(t, path, xmtp_writer_bytes(w));
    xmtp_writer_clear(w);
    return status;
}

static void assert_too_much(test_node *t, xmtp_status status)
{
    assert_int_equal(status, XMTP_E_RPC_INVALID);
    assert_true(strstr(t->error.text, "allowed") != NULL ||
                strstr(t->error.text, "too long") != NULL);
}

/* ---- how many */

/* Builds request field 1 count times. */
static xmtp_status call_many(test_node *t, const char *path, size_t count,
                             void (*put_one)(xmtp_writer *w, size_t i))
{
    xmtp_writer w = writer();
    xmtp_writer one = writer();
    for (size_t i = 0; i < count; i++) {
        xmtp_writer_clear(&one);
        put_one(&one, i);
        xmtp_field_put_message(&w, 1, xmtp_writer_bytes(&one));
    }
    xmtp_status status = call(t, path, &w);
    xmtp_writer_free(&one);
    xmtp_writer_free(&w);
    return status;
}

static void put_id(xmtp_writer *w, size_t i)
{
    uint8_t id[32] = {(uint8_t)i};
    xmtp_writer_put(w, xmtp_bytes_of(id, sizeof id));
}

static void put_inbox(xmtp_writer *w, size_t i)
{
    (void)i;
    put_text(w, 1, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
}

static void put_commit_log(xmtp_writer *w, size_t i)
{
    xmtp_writer signature = writer();
    (void)i;
    put_text(w, 1, "group");
    put_text(w, 2, "entry");
    put_text(&signature, 1, "signature");
    xmtp_field_put_message(w, 3, xmtp_writer_bytes(&signature));
    xmtp_writer_free(&signature);
}

static void put_group(xmtp_writer *w, size_t i)
{
    (void)i;
    put_text(w, 1, "group");
}

static void put_welcome_of(xmtp_writer *w, size_t i, size_t data_len)
{
    uint8_t key[32] = {(uint8_t)i};
    uint8_t *data = calloc(1, data_len + 1);
    xmtp_writer v1 = writer();
    xmtp_field_put_bytes(&v1, 1, xmtp_bytes_of(key, sizeof key));
    xmtp_field_put_bytes(&v1, 2, xmtp_bytes_of(data, data_len));
    xmtp_field_put_bytes(&v1, 3, xmtp_bytes_of(key, sizeof key));
    xmtp_field_put_message(w, 1, xmtp_writer_bytes(&v1));
    xmtp_writer_free(&v1);
    free(data);
}

static void put_welcome(xmtp_writer *w, size_t i)
{
    put_welcome_of(w, i, 10);
}

static void put_nothing(xmtp_writer *w, size_t i)
{
    (void)w;
    (void)i;
}

static void requests_may_ask_for_so_many_things_and_no_more(void **state)
{
    (void)state;
    const xmtp_node_limits limits = {.messages = 3,
                                     .keys = 4,
                                     .groups = 5,
                                     .inboxes = 6,
                                     .wallet_checks = 7,
                                     .commit_log_publish = 11,
                                     .commit_log_query = 21,
                                     .inbox_log = 8,
                                     .inbox_log_revoke = 9};
    static const struct {
        const char *path;
        size_t max;
        void (*put_one)(xmtp_writer *w, size_t i);
        bool is_refused_anyway; /* for another reason */
    } cases[] = {
        {MLS "SendWelcomeMessages", 3, put_welcome, false},
        {MLS "FetchKeyPackages", 4, put_id, false},
        {MLS "GetNewestGroupMessage", 5, put_id, false},
        {IDENTITY "GetIdentityUpdates", 6, put_inbox, false},
        {IDENTITY "GetInboxIds", 6, put_inbox, false},
        {IDENTITY "VerifySmartContractWalletSignatures", 7, put_nothing, true},
        {MLS "BatchPublishCommitLog", 11, put_commit_log, false},
        {MLS "BatchQueryCommitLog", 21, put_group, false},
        {VALIDATION "ValidateGroupMessages", 3, put_nothing, false},
        {VALIDATION "ValidateInboxIdKeyPackages", 4, put_nothing, false},
        {VALIDATION "GetAssociationState", 9, put_nothing, true}, /* old updates */
    };
    test_node t;
    test_node_open_limited(&t, NULL, &limits);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        xmtp_status status = call_many(&t, cases[i].path, cases[i].max, cases[i].put_one);
        assert_true(status == XMTP_OK || cases[i].is_refused_anyway);
        assert_null(strstr(t.error.text, "allowed"));
        assert_too_much(&t, call_many(&t, cases[i].path, cases[i].max + 1, cases[i].put_one));
    }
    assert_int_equal(test_send(&t, "group", TEST_APPLICATION, 1, 3), XMTP_OK);
    assert_too_much(&t, test_send(&t, "group", TEST_APPLICATION, 10, 4));
    test_node_close(&t);
}

/* ---- how long */

static xmtp_status send_message_with(test_node *t, uint64_t number, size_t len, size_t hmac_len)
{
    static const uint8_t hmac[128] = {0};
    xmtp_writer message = writer();
    xmtp_writer v1 = writer();
    xmtp_writer input = writer();
    xmtp_writer request = writer();
    test_message(&message, "group", TEST_APPLICATION, number, 2000);
    assert_true(len >= message.n);
    test_message(&message, "group", TEST_APPLICATION, number, 2000 + len - message.n);
    assert_int_equal(message.n, len);
    xmtp_field_put_bytes(&v1, 1, xmtp_writer_bytes(&message));
    xmtp_field_put_bytes(&v1, 2, xmtp_bytes_of(hmac, hmac_len));
    xmtp_field_put_message(&input, 1, xmtp_writer_bytes(&v1));
    xmtp_field_put_message(&request, 1, xmtp_writer_bytes(&input));
    xmtp_status status = call(t, MLS "SendGroupMessages", &request);
    xmtp_writer_free(&message);
    xmtp_writer_free(&v1);
    xmtp_writer_free(&input);
    xmtp_writer_free(&request);
    return status;
}

static xmtp_status send_message(test_node *t, uint64_t number, size_t len)
{
    return send_message_with(t, number, len, 0);
}

static xmtp_status send_welcome(test_node *t, size_t data_len)
{
    xmtp_writer input = writer();
    xmtp_writer request = writer();
    put_welcome_of(&input, 1, data_len);
    xmtp_field_put_message(&request, 1, xmtp_writer_bytes(&input));
    xmtp_status status = call(t, MLS "SendWelcomeMessages", &request);
    xmtp_writer_free(&input);
    xmtp_writer_free(&request);
    return status;
}

static xmtp_status publish_entry(test_node *t, size_t len)
{
    uint8_t *entry = calloc(1, len);
    xmtp_writer one = writer();
    xmtp_writer request = writer();
    put_text(&one, 1, "group");
    xmtp_field_put_bytes(&one, 2, xmtp_bytes_of(entry, len));
    xmtp_field_put_message(&one, 3, (xmtp_bytes){0});
    xmtp_field_put_message(&request, 1, xmtp_writer_bytes(&one));
    xmtp_status status = call(t, MLS "BatchPublishCommitLog", &request);
    xmtp_writer_free(&one);
    xmtp_writer_free(&request);
    free(entry);
    return status;
}

static void things_may_be_so_long_and_no_longer(void **state)
{
    (void)state;
    const xmtp_node_limits limits = {
        .group_message_len = 5000, .welcome_len = 6000, .commit_log_entry_len = 1500};
    test_node t;
    test_node_open_limited(&t, NULL, &limits);
    assert_int_equal(send_message(&t, 1, 5000), XMTP_OK);
    assert_too_much(&t, send_message(&t, 2, 5001));
    assert_int_equal(send_welcome(&t, 6000 - 32), XMTP_OK); /* the sender's key counts */
    assert_too_much(&t, send_welcome(&t, 6001 - 32));
    assert_int_equal(publish_entry(&t, 1500), XMTP_OK);
    assert_too_much(&t, publish_entry(&t, 1501));
    test_node_close(&t);
}

static void a_sender_hmac_may_have_64_bytes_and_a_topic_too(void **state)
{
    (void)state;
    static const char id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdefX";
    char topic[65];
    test_node t;
    test_node_open(&t, NULL);
    assert_int_equal(send_message_with(&t, 1, 5000, 64), XMTP_OK);
    assert_too_much(&t, send_message_with(&t, 2, 5000, 65));
    (void)snprintf(topic, sizeof topic, "%.64s", id);
    assert_int_equal(test_send(&t, topic, TEST_APPLICATION, 1, 1), XMTP_OK);
    assert_too_much(&t, test_send(&t, id, TEST_APPLICATION, 1, 1));
    test_node_close(&t);
}

static xmtp_status upload(const xmtp_node_limits *limits, xmtp_bytes key_package, xmtp_error *error)
{
    test_node t;
    xmtp_writer upload = writer();
    xmtp_writer request = writer();
    test_node_open_limited(&t, NULL, limits);
    xmtp_field_put_bytes(&upload, 1, key_package);
    xmtp_field_put_message(&request, 1, xmtp_writer_bytes(&upload));
    xmtp_status status = call(&t, MLS "UploadKeyPackage", &request);
    *error = t.error;
    xmtp_writer_free(&upload);
    xmtp_writer_free(&request);
    test_node_close(&t);
    return status;
}

static void key_packages_may_be_so_long_and_no_longer(void **state)
{
    (void)state;
    char *text = test_vector_text("xmtp/key-packages.json");
    if (text == NULL) {
        skip();
    }
    cJSON *json = cJSON_Parse(text);
    size_t n;
    xmtp_error error;
    const cJSON *first = cJSON_GetObjectItem(json, "key_packages")->child;
    uint8_t *key_package = test_json_bytes(first, "key_package_tls", &n);
    assert_int_equal(
        upload(&(xmtp_node_limits){.key_package_len = n}, xmtp_bytes_of(key_package, n), &error),
        XMTP_OK);
    assert_int_equal(upload(&(xmtp_node_limits){.key_package_len = n - 1},
                            xmtp_bytes_of(key_package, n), &error),
                     XMTP_E_RPC_INVALID);
    assert_non_null(strstr(error.text, "allowed"));
    free(key_package);
    cJSON_Delete(json);
    free(text);
}

static void an_identity_update_one_byte_too_long_is_not_even_decoded(void **state)
{
    (void)state;
    test_node t;
    uint8_t bytes[5001] = {0};
    test_node_open_limited(&t, NULL, &(xmtp_node_limits){.identity_update_len = 5000});
    for (size_t n = 5000; n <= 5001; n++) {
        xmtp_writer request = writer();
        xmtp_field_put_bytes(&request, 1, xmtp_bytes_of(bytes, n));
        assert_int_equal(call(&t, IDENTITY "PublishIdentityUpdate", &request), XMTP_E_RPC_INVALID);
        assert_int_equal(strstr(t.error.text, "allowed") != NULL, n == 5001);
        xmtp_writer_free(&request);
    }
    test_node_close(&t);
}

/* ---- answers */

static void pages_have_so_many_rows_and_tell_that_there_is_more(void **state)
{
    (void)state;
    test_node t;
    test_node_open_limited(&t, NULL, &(xmtp_node_limits){.rows = 7});
    assert_int_equal(test_send(&t, "g", TEST_APPLICATION, 1, 8), XMTP_OK);
    const Pb__QueryGroupMessagesResponse *page = test_query(&t, "g", 1, 50, 0);
    assert_int_equal(page->n_messages, 7);
    assert_int_equal(page->paging_info->id_cursor, 7);
    assert_int_equal(page->paging_info->limit, 7);
    page = test_query(&t, "g", 1, 50, 7);
    assert_int_equal(page->n_messages, 1);
    assert_int_equal(page->paging_info->id_cursor, 0);
    test_node_close(&t);
}

static void answers_hold_whole_rows_up_to_so_many_bytes(void **state)
{
    (void)state;
    test_node t;
    test_node_open_limited(&t, NULL, &(xmtp_node_limits){.reply_len = 65536});
    for (uint64_t i = 0; i < 5; i++) {
        assert_int_equal(send_message(&t, i, 15000), XMTP_OK);
    }
    assert_int_equal(test_query(&t, "group", 1, 100, 0)->n_messages, 4);
    assert_int_equal(test_query(&t, "group", 1, 100, 4)->n_messages, 1);
    assert_true(t.answer.n < 65536);
    test_node_close(&t);
}

/* ---- streams */

static xmtp_status subscribe(test_node *t, size_t count)
{
    xmtp_writer request = writer();
    xmtp_writer filter = writer();
    xmtp_stream *stream = NULL;
    xmtp_bytes bytes;
    put_text(&filter, 1, "group");
    for (size_t i = 0; i < count; i++) {
        xmtp_field_put_message(&request, 1, xmtp_writer_bytes(&filter));
    }
    xmtp_status status = t->transport.subscribe(t->transport.context, MLS "SubscribeGroupMessages",
                                                xmtp_writer_bytes(&request), &stream, &t->error);
    if (status == XMTP_OK) {
        status = t->transport.next(t->transport.context, stream, &bytes, &t->error);
        t->transport.unsubscribe(t->transport.context, stream);
    }
    xmtp_writer_free(&request);
    xmtp_writer_free(&filter);
    return status;
}

static void a_stream_may_have_so_many_topics_and_no_more(void **state)
{
    (void)state;
    test_node t;
    test_node_open_limited(&t, NULL, &(xmtp_node_limits){.filters = 9});
    assert_int_equal(subscribe(&t, 9), XMTP_E_RETRY); /* open, and nothing there yet */
    assert_too_much(&t, subscribe(&t, 10));
    test_node_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_may_ask_for_so_many_things_and_no_more),
        cmocka_unit_test(things_may_be_so_long_and_no_longer),
        cmocka_unit_test(a_sender_hmac_may_have_64_bytes_and_a_topic_too),
        cmocka_unit_test(key_packages_may_be_so_long_and_no_longer),
        cmocka_unit_test(an_identity_update_one_byte_too_long_is_not_even_decoded),
        cmocka_unit_test(pages_have_so_many_rows_and_tell_that_there_is_more),
        cmocka_unit_test(answers_hold_whole_rows_up_to_so_many_bytes),
        cmocka_unit_test(a_stream_may_have_so_many_topics_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
