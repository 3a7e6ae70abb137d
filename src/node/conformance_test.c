/* conformance_test.c - points of the conformance checklist (docs/CONFORMANCE.md) that no other test
 * has: what is written is read at once, repetitions at the same moment, sizes at and past their
 * edges, pages of two hundred.
 */
#include "identity/key_package.h"
#include "identity/update.h"
#include "node/limits.h"
#include "node/test_h2.h"
#include "proto/field.h"
#include "rpc/grpc_transport.h"
#include "rpc/server_conn.h"

#include <pthread.h>

typedef struct scene {
    test_node node;       /* its transport is over the network */
    xmtp_transport other; /* of a second connection, on another loop */
} scene;

static void open_transport(const test_node *t, xmtp_transport *out)
{
    char url[64];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", (unsigned)xmtp_node_port(t->node, 0));
    assert_int_equal(xmtp_grpc_transport_open(out, url, xmtp_env_system(), NULL, NULL), XMTP_OK);
}

static void open_scene(scene *s)
{
    s->node = (test_node){.node = NULL};
    xmtp_node_options options = {.env = test_env(), .listen = {"127.0.0.1:0"}, .loops = 2};
    assert_int_equal(xmtp_node_open(&s->node.node, &options, &s->node.error), XMTP_OK);
    xmtp_arena_init(&s->node.arena, &test_env()->alloc, (size_t)1 << 30);
    xmtp_writer_init(&s->node.answer, &test_env()->alloc, XMTP_WRITER_MAX);
    open_transport(&s->node, &s->node.transport);
    open_transport(&s->node, &s->other);
}

static void close_scene(scene *s)
{
    s->other.close(s->other.context);
    test_node_close(&s->node);
}

static xmtp_status call(scene *s, const char *path, const xmtp_writer *request)
{
    return test_call_bytes(&s->node, path, xmtp_writer_bytes(request));
}

/* Asks over the second connection; the answer must hold the bytes. */
static void expect_to_find(scene *s, const char *path, const xmtp_writer *request, xmtp_bytes what)
{
    xmtp_error error = {0};
    xmtp_status status =
        s->other.unary(s->other.context, path, xmtp_writer_bytes(request), &s->node.answer, &error);
    if (status != XMTP_OK) {
        fail_msg("%s: %s", path, error.text);
    }
    assert_non_null(memmem(s->node.answer.p, s->node.answer.n, what.p, what.n));
}

static void put_group_message(xmtp_writer *w, const char *group, uint64_t number, size_t len)
{
    xmtp_writer data;
    xmtp_writer_init(&data, &test_env()->alloc, XMTP_WRITER_MAX);
    test_message(&data, group, TEST_APPLICATION, number, len);
    size_t input = xmtp_field_open(w, 1);
    size_t v1 = xmtp_field_open(w, 1);
    xmtp_field_put_bytes(w, 1, xmtp_writer_bytes(&data));
    xmtp_field_close(w, v1);
    xmtp_field_close(w, input);
    xmtp_writer_free(&data);
}

static void put_welcome(xmtp_writer *w, const char *key, xmtp_bytes data)
{
    size_t input = xmtp_field_open(w, 1);
    size_t v1 = xmtp_field_open(w, 1);
    xmtp_field_put_bytes(w, 1, xmtp_bytes_of_string(key));
    xmtp_field_put_bytes(w, 2, data);
    xmtp_field_put_bytes(w, 3, xmtp_bytes_of_string("hpke"));
    xmtp_field_close(w, v1);
    xmtp_field_close(w, input);
}

/* ---- 6: write, then read at once */

static void a_group_message_is_read_right_after_it_was_sent(void **state)
{
    (void)state;
    scene s;
    xmtp_writer w;
    open_scene(&s);
    xmtp_writer_init(&w, &test_env()->alloc, XMTP_WRITER_MAX);
    for (uint64_t i = 0; i < 100; i++) {
        uint8_t mark[16];
        memset(mark, (int)i, sizeof mark);
        xmtp_writer_clear(&w);
        put_group_message(&w, "g", i, 40);
        assert_int_equal(call(&s, MLS "SendGroupMessages", &w), XMTP_OK);
        xmtp_writer_clear(&w);
        xmtp_field_put_bytes(&w, 1, xmtp_bytes_of_string("g"));
        expect_to_find(&s, MLS "QueryGroupMessages", &w, xmtp_bytes_of(mark, sizeof mark));
    }
    xmtp_writer_free(&w);
    close_scene(&s);
}

static void a_welcome_is_read_right_after_it_was_sent(void **state)
{
    (void)state;
    scene s;
    xmtp_writer w;
    open_scene(&s);
    xmtp_writer_init(&w, &test_env()->alloc, XMTP_WRITER_MAX);
    for (unsigned i = 0; i < 100; i++) {
        char mark[32];
        (void)snprintf(mark, sizeof mark, "welcome number %u!", i);
        xmtp_writer_clear(&w);
        put_welcome(&w, "key", xmtp_bytes_of_string(mark));
        assert_int_equal(call(&s, MLS "SendWelcomeMessages", &w), XMTP_OK);
        xmtp_writer_clear(&w);
        xmtp_field_put_bytes(&w, 1, xmtp_bytes_of_string("key"));
        expect_to_find(&s, MLS "QueryWelcomeMessages", &w, xmtp_bytes_of_string(mark));
    }
    xmtp_writer_free(&w);
    close_scene(&s);
}

static void a_commit_log_entry_is_read_right_after_it_was_published(void **state)
{
    (void)state;
    scene s;
    xmtp_writer w;
    open_scene(&s);
    xmtp_writer_init(&w, &test_env()->alloc, XMTP_WRITER_MAX);
    size_t one = xmtp_field_open(&w, 1);
    xmtp_field_put_bytes(&w, 1, xmtp_bytes_of_string("g"));
    xmtp_field_put_bytes(&w, 2, xmtp_bytes_of_string("an entry of the log"));
    size_t signature = xmtp_field_open(&w, 3);
    xmtp_field_put_bytes(&w, 1, xmtp_bytes_of_string("signature"));
    xmtp_field_close(&w, signature);
    xmtp_field_close(&w, one);
    assert_int_equal(call(&s, MLS "BatchPublishCommitLog", &w), XMTP_OK);
    xmtp_writer_clear(&w);
    one = xmtp_field_open(&w, 1);
    xmtp_field_put_bytes(&w, 1, xmtp_bytes_of_string("g"));
    size_t paging = xmtp_field_open(&w, 2);
    xmtp_field_put_u64(&w, 1, 1);
    xmtp_field_close(&w, paging);
    xmtp_field_close(&w, one);
    expect_to_find(&s, MLS "BatchQueryCommitLog", &w, xmtp_bytes_of_string("an entry of the log"));
    xmtp_writer_free(&w);
    close_scene(&s);
}

/* As a client registers: key package first, then the identity update, then everybody finds it. */
static void identity_and_key_package_are_read_right_after_they_were_published(void **state)
{
    (void)state;
    scene s;
    xmtp_writer w;
    open_scene(&s);
    xmtp_writer_init(&w, &test_env()->alloc, XMTP_WRITER_MAX);
    for (int i = 0; i < 5; i++) {
        xmtp_wallet wallet;
        xmtp_installation installation;
        char inbox_id[XMTP_INBOX_ID_LEN + 1];
        uint8_t *update;
        uint8_t *key_package;
        size_t update_len;
        size_t n;
        xmtp_inbox_key_package_keys keys;
        assert_int_equal(xmtp_wallet_generate(test_env(), &wallet), XMTP_OK);
        assert_int_equal(xmtp_installation_generate(test_env(), &installation), XMTP_OK);
        xmtp_signer signer = xmtp_signer_of_wallet(&wallet);
        assert_int_equal(xmtp_identity_update_register(&test_env()->alloc, &signer, 1,
                                                       &installation, test_now_ns, inbox_id,
                                                       &update, &update_len, &s.node.error),
                         XMTP_OK);
        assert_int_equal(xmtp_inbox_key_package_create(test_env(), inbox_id, &installation,
                                                       &key_package, &n, &keys, &s.node.error),
                         XMTP_OK);
        xmtp_writer_clear(&w);
        size_t upload = xmtp_field_open(&w, 1);
        xmtp_field_put_bytes(&w, 1, xmtp_bytes_of(key_package, n));
        xmtp_field_close(&w, upload);
        assert_int_equal(call(&s, MLS "UploadKeyPackage", &w), XMTP_OK);
        xmtp_writer_clear(&w);
        xmtp_field_put_bytes(&w, 1, xmtp_bytes_of(installation.pk, sizeof installation.pk));
        expect_to_find(&s, MLS "FetchKeyPackages", &w, xmtp_bytes_of(key_package, n));

        xmtp_writer_clear(&w);
        xmtp_field_put_bytes(&w, 1, xmtp_bytes_of(update, update_len));
        assert_int_equal(call(&s, IDENTITY "PublishIdentityUpdate", &w), XMTP_OK);
        xmtp_writer_clear(&w);
        size_t ask = xmtp_field_open(&w, 1);
        xmtp_field_put_bytes(&w, 1, xmtp_bytes_of_string(wallet.address));
        xmtp_field_close(&w, ask);
        expect_to_find(&s, IDENTITY "GetInboxIds", &w, xmtp_bytes_of_string(inbox_id));
        xmtp_writer_clear(&w);
        ask = xmtp_field_open(&w, 1);
        xmtp_field_put_bytes(&w, 1, xmtp_bytes_of_string(inbox_id));
        xmtp_field_close(&w, ask);
        expect_to_find(&s, IDENTITY "GetIdentityUpdates", &w, xmtp_bytes_of(update, update_len));
        xmtp_wipe(&keys, sizeof keys);
        xmtp_wallet_wipe(&wallet);
        xmtp_installation_wipe(&installation);
        free(update);
        free(key_package);
    }
    xmtp_writer_free(&w);
    close_scene(&s);
}

/* ---- 4: repetitions at the same moment */

enum { SENDERS = 8, ROUNDS = 30 };

typedef struct sender {
    const test_node *node;
    pthread_barrier_t *barrier;
    pthread_t thread;
    xmtp_status status;
} sender;

static void *send_the_same(void *context)
{
    sender *me = context;
    xmtp_transport transport;
    xmtp_writer request;
    xmtp_writer answer;
    open_transport(me->node, &transport);
    xmtp_writer_init(&request, &test_env()->alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&answer, &test_env()->alloc, XMTP_WRITER_MAX);
    for (uint64_t i = 0; i < ROUNDS && me->status == XMTP_OK; i++) {
        xmtp_writer_clear(&request);
        put_group_message(&request, "same", i, 20);
        put_group_message(&request, "same", i, 20); /* also twice in one request */
        (void)pthread_barrier_wait(me->barrier);
        me->status = transport.unary(transport.context, MLS "SendGroupMessages",
                                     xmtp_writer_bytes(&request), &answer, NULL);
    }
    xmtp_writer_free(&request);
    xmtp_writer_free(&answer);
    transport.close(transport.context);
    return NULL;
}

static void the_same_message_from_many_at_once_is_stored_once(void **state)
{
    (void)state;
    scene s;
    sender senders[SENDERS];
    pthread_barrier_t barrier;
    open_scene(&s);
    (void)pthread_barrier_init(&barrier, NULL, SENDERS);
    for (size_t i = 0; i < SENDERS; i++) {
        senders[i] = (sender){.node = &s.node, .barrier = &barrier, .status = XMTP_OK};
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_the_same, &senders[i]), 0);
    }
    for (size_t i = 0; i < SENDERS; i++) {
        assert_int_equal(pthread_join(senders[i].thread, NULL), 0);
        assert_int_equal(senders[i].status, XMTP_OK);
    }
    (void)pthread_barrier_destroy(&barrier);
    assert_int_equal(test_count(&s.node, "same"), ROUNDS);
    close_scene(&s);
}

/* ---- 3: two hundred rows */

static void two_hundred_rows_are_two_full_pages_and_an_empty_one(void **state)
{
    (void)state;
    scene s;
    open_scene(&s);
    assert_int_equal(test_send(&s.node, "g", TEST_APPLICATION, 1, 200), XMTP_OK);
    const Pb__QueryGroupMessagesResponse *page = test_query(&s.node, "g", 1, 100, 0);
    assert_int_equal(page->n_messages, 100);
    assert_int_equal(page->paging_info->id_cursor, 100);
    page = test_query(&s.node, "g", 1, 100, 100);
    assert_int_equal(page->n_messages, 100);
    assert_int_equal(page->paging_info->id_cursor, 200);
    page = test_query(&s.node, "g", 1, 100, 200);
    assert_int_equal(page->n_messages, 0);
    assert_int_equal(page->paging_info->id_cursor, 0);
    page = test_query(&s.node, "g", 2, 100, 101);
    assert_int_equal(page->n_messages, 100);
    assert_int_equal(page->messages[99]->v1->id, 1);
    close_scene(&s);
}

/* ---- 13: sizes */

static void a_hundred_large_rows_are_cut_at_whole_rows(void **state)
{
    (void)state;
    scene s;
    xmtp_writer w;
    open_scene(&s);
    xmtp_writer_init(&w, &test_env()->alloc, XMTP_WRITER_MAX);
    for (uint64_t i = 0; i < 100; i += 10) { /* 30 MiB in all */
        xmtp_writer_clear(&w);
        for (uint64_t k = 0; k < 10; k++) {
            put_group_message(&w, "big", i + k, 300 * 1024);
        }
        assert_int_equal(call(&s, MLS "SendGroupMessages", &w), XMTP_OK);
    }
    uint64_t cursor = 0;
    size_t pages = 0;
    while (cursor < 100) {
        const Pb__QueryGroupMessagesResponse *page = test_query(&s.node, "big", 1, 100, cursor);
        assert_true(page->n_messages > 0);
        assert_true(s.node.answer.n <= (size_t)XMTP_NODE_REPLY_LEN_MAX + 1024);
        for (size_t i = 0; i < page->n_messages; i++) {
            assert_int_equal(page->messages[i]->v1->id, ++cursor);
        }
        assert_int_equal(page->paging_info->id_cursor, cursor < 100 ? cursor : 0);
        xmtp_arena_reset(&s.node.arena);
        pages++;
    }
    assert_int_equal(pages, 2);
    xmtp_writer_free(&w);
    close_scene(&s);
}

static void a_batch_of_24_mib_of_welcomes_is_taken(void **state)
{
    (void)state;
    enum { WELCOME = 8 << 20 };
    scene s;
    xmtp_writer w;
    uint8_t *data = malloc(WELCOME);
    open_scene(&s);
    xmtp_writer_init(&w, &test_env()->alloc, XMTP_WRITER_MAX);
    for (int i = 0; i < 3; i++) {
        memset(data, 'a' + i, WELCOME);
        put_welcome(&w, "key", xmtp_bytes_of(data, WELCOME));
    }
    assert_true(w.n > 24 << 20);
    assert_int_equal(call(&s, MLS "SendWelcomeMessages", &w), XMTP_OK);
    xmtp_writer_clear(&w);
    xmtp_field_put_bytes(&w, 1, xmtp_bytes_of_string("key"));
    expect_to_find(&s, MLS "QueryWelcomeMessages", &w, xmtp_bytes_of(data, WELCOME));
    free(data);
    xmtp_writer_free(&w);
    close_scene(&s);
}

/* Exactly n bytes of SendWelcomeMessages: four of 12.5 MiB, the last as long as it takes. */
static void put_request_of(xmtp_writer *w, size_t n)
{
    enum { PART = 12 << 20 };
    uint8_t *data = malloc(2 * PART);
    memset(data, 7, 2 * PART);
    xmtp_writer_clear(w);
    for (int i = 0; i < 3; i++) {
        data[0] = (uint8_t)i;
        put_welcome(w, "key", xmtp_bytes_of(data, PART));
    }
    size_t before = w->n;
    size_t len = n - before - 64;
    put_welcome(w, "key", xmtp_bytes_of(data, len));
    size_t frame = w->n - before - len; /* the same for a few bytes more */
    w->n = before;
    put_welcome(w, "key", xmtp_bytes_of(data, n - before - frame));
    assert_int_equal(w->n, n);
    free(data);
}

static int send_request_of(h2 *h, xmtp_writer *w, size_t n)
{
    put_request_of(w, n);
    h2_call *c = h2_start(h, MLS "SendWelcomeMessages", NULL, NULL);
    xmtp_writer_u8(&c->out, 0);
    xmtp_writer_u32(&c->out, (uint32_t)n);
    xmtp_writer_put(&c->out, xmtp_writer_bytes(w));
    c->is_half_closed = true;
    (void)nghttp2_session_resume_data(h->session, c->stream_id);
    while (!c->is_closed) {
        assert_true(h2_work(h, H2_WAIT_MS));
    }
    return c->grpc_status;
}

static void requests_are_taken_up_to_50_mib_and_not_a_byte_more(void **state)
{
    (void)state;
    test_node t;
    h2 h;
    xmtp_writer w;
    t = (test_node){.node = NULL};
    xmtp_node_options options = {.env = test_env(), .listen = {"127.0.0.1:0"}};
    assert_int_equal(xmtp_node_open(&t.node, &options, &t.error), XMTP_OK);
    xmtp_writer_init(&w, &test_env()->alloc, XMTP_WRITER_MAX);
    h2_open(&h, xmtp_node_port(t.node, 0));
    assert_int_equal(send_request_of(&h, &w, XMTP_RPC_REQUEST_LEN_MAX), XMTP_GRPC_OK);
    assert_int_equal(send_request_of(&h, &w, XMTP_RPC_REQUEST_LEN_MAX + 1),
                     XMTP_GRPC_RESOURCE_EXHAUSTED);
    h2_call *after = h2_unary(&h, "/grpc.health.v1.Health/Check", (xmtp_bytes){0});
    assert_int_equal(after->grpc_status, XMTP_GRPC_OK); /* the connection lives on */
    h2_close(&h);
    xmtp_writer_free(&w);
    xmtp_node_close(t.node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_message_is_read_right_after_it_was_sent),
        cmocka_unit_test(a_welcome_is_read_right_after_it_was_sent),
        cmocka_unit_test(a_commit_log_entry_is_read_right_after_it_was_published),
        cmocka_unit_test(identity_and_key_package_are_read_right_after_they_were_published),
        cmocka_unit_test(the_same_message_from_many_at_once_is_stored_once),
        cmocka_unit_test(two_hundred_rows_are_two_full_pages_and_an_empty_one),
        cmocka_unit_test(a_hundred_large_rows_are_cut_at_whole_rows),
        cmocka_unit_test(a_batch_of_24_mib_of_welcomes_is_taken),
        cmocka_unit_test(requests_are_taken_up_to_50_mib_and_not_a_byte_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
