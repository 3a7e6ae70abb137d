/* pages_ahead_test.c - a sync of everything asks for the pages of many conversations together, and comes to
 * the same end when some of those calls fail or bring too little. */
#include "test_network.h"

enum { GROUPS = 40 }; /* 32 pages are asked for at once */

typedef struct world {
    network net;
    person ann; /* who writes */
    person bob; /* who syncs */
    xmtp_conversation_id groups[GROUPS];
    size_t batches;
    size_t together;   /* queries in them */
    size_t alone;      /* others */
    size_t lost_every; /* of the batches' answers; 0: none */
    bool is_empty;     /* batches bring empty pages */
} world;

static world w;

static xmtp_status count_alone(void *context, const char *path, xmtp_bytes request,
                               xmtp_writer *response, xmtp_error *error)
{
    w.alone += strstr(path, "QueryGroupMessages") != NULL;
    return wire_unary(context, path, request, response, error);
}

static void count_together(void *context, xmtp_unary *calls, size_t count)
{
    w.batches++;
    for (size_t i = 0; i < count; i++) {
        xmtp_unary *call = &calls[i];
        w.together++;
        call->status = wire_unary(context, call->path, call->request, call->response, NULL);
        if (w.lost_every != 0 && i % w.lost_every == 0) {
            xmtp_writer_clear(call->response);
            call->status = XMTP_E_NETWORK;
        } else if (w.is_empty) {
            xmtp_writer_clear(call->response);
        }
    }
}

static int set_up(void **state)
{
    (void)state;
    memset(&w, 0, sizeof(w));
    network_open(&w.net);
    person_open(&w.ann, &w.net);
    person_open(&w.bob, &w.net);
    w.bob.wire.outer.unary = count_alone;
    w.bob.wire.outer.unary_all = count_together;
    const char *members[] = {xmtp_client_inbox_id(w.bob.client)};
    for (size_t i = 0; i < GROUPS; i++) {
        assert_ok(&w.ann, xmtp_client_group_create(w.ann.client, "group", members, 1, &w.groups[i],
                                                   &w.ann.error));
        assert_ok(&w.ann,
                  xmtp_client_send_text(w.ann.client, &w.groups[i], "hello", NULL, &w.ann.error));
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    person_close(&w.ann);
    person_close(&w.bob);
    network_close(&w.net);
    return 0;
}

static void sync_bob(void)
{
    w.batches = w.together = w.alone = 0;
    assert_ok(&w.bob, xmtp_client_sync(w.bob.client, &w.bob.error));
}

static void assert_all_have(const char *texts)
{
    for (size_t i = 0; i < GROUPS; i++) {
        assert_texts(&w.bob, &w.groups[i], texts);
    }
}

static void pages_of_all_groups_come_in_two_batches(void **state)
{
    (void)state;
    sync_bob();
    assert_int_equal(w.batches, 2);
    assert_int_equal(w.together, GROUPS);
    assert_int_equal(w.alone, 0);
    assert_all_have("hello|");
    sync_bob(); /* nothing new: nothing is asked for */
    assert_int_equal(w.together + w.alone, 0);
}

static void what_is_lost_of_a_batch_is_asked_for_again_alone(void **state)
{
    (void)state;
    w.lost_every = 4;
    sync_bob();
    assert_int_equal(w.together, GROUPS);
    assert_int_equal(w.alone, GROUPS / 4);
    assert_all_have("hello|");
}

/* An empty answer cannot be told from none. */
static void an_empty_page_of_a_batch_is_asked_for_again_alone(void **state)
{
    (void)state;
    w.is_empty = true;
    sync_bob();
    assert_int_equal(w.alone, GROUPS);
    assert_all_have("hello|");
}

static void one_group_with_news_is_asked_for_alone(void **state)
{
    (void)state;
    sync_bob();
    assert_ok(&w.ann,
              xmtp_client_send_text(w.ann.client, &w.groups[3], "more", NULL, &w.ann.error));
    sync_bob();
    assert_int_equal(w.batches, 0);
    assert_int_equal(w.alone, 1);
    assert_texts(&w.bob, &w.groups[3], "hello|more|");
}

static void a_full_page_goes_on_behind_it(void **state)
{
    (void)state;
    const xmtp_send_options options = {.is_optimistic = true};
    const xmtp_content text = {.type = XMTP_CONTENT_TEXT, .text = "m"};
    uint8_t *encoded;
    size_t n;
    sync_bob();
    assert_ok(&w.ann, xmtp_content_encode(&text, &w.net.env, &encoded, &n, &w.ann.error));
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < 150; i++) {
            assert_ok(&w.ann,
                      xmtp_client_send_with(w.ann.client, &w.groups[k], xmtp_bytes_of(encoded, n),
                                            &options, NULL, &w.ann.error));
        }
        assert_ok(&w.ann, xmtp_client_publish_messages(w.ann.client, &w.groups[k], &w.ann.error));
    }
    xmtp_content_bytes_free(&w.net.env, encoded, n);
    sync_bob();
    assert_int_equal(w.batches, 1);
    assert_int_equal(w.together, 2);
    assert_int_equal(w.alone, 2); /* the second pages */
    for (size_t k = 0; k < 2; k++) {
        transcript *t = malloc(sizeof(*t));
        read_all(&w.bob, &w.groups[k], t);
        assert_int_equal(t->count, 151);
        free(t);
    }
}

int main(void)
{
#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IN_WORLD(pages_of_all_groups_come_in_two_batches),
        IN_WORLD(what_is_lost_of_a_batch_is_asked_for_again_alone),
        IN_WORLD(an_empty_page_of_a_batch_is_asked_for_again_alone),
        IN_WORLD(one_group_with_news_is_asked_for_alone),
        IN_WORLD(a_full_page_goes_on_behind_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
