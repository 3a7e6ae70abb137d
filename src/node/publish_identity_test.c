/* publish_identity_test.c - one inbox written by many at once, a log that is full, addresses that come
 * and go.
 */
#include "identity/update.h"
#include "node/limits.h"
#include "node/test_folder.h"
#include "node/test_node.h"

typedef struct inbox {
    xmtp_wallet wallet;
    xmtp_installation installation;
    char inbox_id[XMTP_INBOX_ID_LEN + 1];
} inbox;

static const xmtp_alloc *alloc(void)
{
    return &test_env()->alloc;
}

/* Publishes and frees the update. */
static xmtp_status publish(test_node *t, uint8_t *update, size_t n)
{
    Pb__PublishIdentityUpdateRequest request = PB__PUBLISH_IDENTITY_UPDATE_REQUEST__INIT;
    request.has_identity_update = true;
    request.identity_update = xmtp_proto_data(xmtp_bytes_of(update, n));
    xmtp_status status = test_call(t, IDENTITY "PublishIdentityUpdate", &request.base, NULL, NULL);
    free(update);
    return status;
}

static void make_inbox(test_node *t, inbox *i)
{
    uint8_t *update;
    size_t n;
    assert_int_equal(xmtp_wallet_generate(test_env(), &i->wallet), XMTP_OK);
    assert_int_equal(xmtp_installation_generate(test_env(), &i->installation), XMTP_OK);
    xmtp_signer signer = xmtp_signer_of_wallet(&i->wallet);
    assert_int_equal(xmtp_identity_update_register(alloc(), &signer, 1, &i->installation,
                                                   test_now_ns, i->inbox_id, &update, &n,
                                                   &t->error),
                     XMTP_OK);
    assert_int_equal(publish(t, update, n), XMTP_OK);
}

static xmtp_status add_installation(test_node *t, const inbox *i, uint64_t number)
{
    uint8_t *update;
    size_t n;
    uint8_t seed[32] = {0};
    xmtp_installation installation;
    memcpy(seed, &number, sizeof number);
    assert_int_equal(xmtp_installation_from_seed(seed, &installation), XMTP_OK);
    xmtp_signer signer = xmtp_signer_of_wallet(&i->wallet);
    assert_int_equal(xmtp_identity_update_add_installation(alloc(), i->inbox_id, &signer,
                                                           &installation, test_now_ns + number,
                                                           &update, &n, NULL),
                     XMTP_OK);
    return publish(t, update, n);
}

static xmtp_status revoke_installation(test_node *t, const inbox *i, uint64_t number)
{
    uint8_t *update;
    size_t n;
    uint8_t seed[32] = {0};
    uint8_t keys[1][XMTP_INSTALLATION_LEN];
    xmtp_installation installation;
    memcpy(seed, &number, sizeof number);
    assert_int_equal(xmtp_installation_from_seed(seed, &installation), XMTP_OK);
    memcpy(keys[0], installation.pk, sizeof keys[0]);
    xmtp_signer signer = xmtp_signer_of_wallet(&i->wallet);
    assert_int_equal(xmtp_identity_update_revoke_installations(alloc(), i->inbox_id, &signer, keys,
                                                               1, test_now_ns + 1000000 + number,
                                                               &update, &n, NULL),
                     XMTP_OK);
    return publish(t, update, n);
}

static size_t log_len(test_node *t, const inbox *i)
{
    Pb__GetIdentityUpdatesRequest request = PB__GET_IDENTITY_UPDATES_REQUEST__INIT;
    Pb__GetIdentityUpdatesRequest__Request one = PB__GET_IDENTITY_UPDATES_REQUEST__REQUEST__INIT;
    Pb__GetIdentityUpdatesRequest__Request *all[] = {&one};
    Pb__GetIdentityUpdatesResponse *response;
    one.inbox_id = (char *)(uintptr_t)i->inbox_id;
    request.n_requests = 1;
    request.requests = all;
    assert_int_equal(test_call(t, IDENTITY "GetIdentityUpdates", &request.base,
                               &pb__get_identity_updates_response__descriptor, &response),
                     XMTP_OK);
    return response->responses[0]->n_updates;
}

static bool has_inbox(test_node *t, const char *address)
{
    Pb__GetInboxIdsRequest request = PB__GET_INBOX_IDS_REQUEST__INIT;
    Pb__GetInboxIdsRequest__Request one = PB__GET_INBOX_IDS_REQUEST__REQUEST__INIT;
    Pb__GetInboxIdsRequest__Request *all[] = {&one};
    Pb__GetInboxIdsResponse *response;
    one.identifier = (char *)(uintptr_t)address;
    request.n_requests = 1;
    request.requests = all;
    assert_int_equal(test_call(t, IDENTITY "GetInboxIds", &request.base,
                               &pb__get_inbox_ids_response__descriptor, &response),
                     XMTP_OK);
    return response->responses[0]->inbox_id != NULL;
}

static void fill_log(const xmtp_node_limits *limits, uint64_t max, uint64_t revoke_max)
{
    test_node t;
    inbox i;
    test_node_open_limited(&t, NULL, limits);
    make_inbox(&t, &i);
    for (uint64_t k = 1; k < max; k++) {
        assert_int_equal(add_installation(&t, &i, k), XMTP_OK);
    }
    assert_int_equal(log_len(&t, &i), max);
    assert_int_equal(add_installation(&t, &i, 9000), XMTP_E_RPC_EXHAUSTED);
    assert_non_null(strstr(t.error.text, "inbox log is full"));
    assert_int_equal(add_installation(&t, &i, 1), XMTP_OK); /* in the log already */
    assert_int_equal(log_len(&t, &i), max);
    for (uint64_t k = 1; k <= revoke_max - max; k++) {
        assert_int_equal(revoke_installation(&t, &i, k), XMTP_OK);
    }
    assert_int_equal(log_len(&t, &i), revoke_max);
    assert_int_equal(revoke_installation(&t, &i, max - 1), XMTP_E_RPC_EXHAUSTED);
    test_node_close(&t);
}

static void a_full_log_still_takes_revocations_up_to_a_second_limit(void **state)
{
    (void)state;
    fill_log(&(xmtp_node_limits){0}, XMTP_NODE_INBOX_LOG_MAX, XMTP_NODE_INBOX_LOG_REVOKE_MAX);
    fill_log(&(xmtp_node_limits){.inbox_log = 5, .inbox_log_revoke = 7}, 5, 7);
}

enum { WRITERS = 4, UPDATES_EACH = 20 };

typedef struct writer_thread {
    xmtp_node *node;
    const inbox *inbox;
    size_t index;
    pthread_t thread;
    size_t accepted;
} writer_thread;

static void *write_updates(void *context)
{
    writer_thread *w = context;
    test_node t = {.node = w->node};
    assert_int_equal(xmtp_node_transport(w->node, &t.transport), XMTP_OK);
    xmtp_writer_init(&t.answer, &test_env()->alloc, XMTP_WRITER_MAX);
    for (size_t k = 0; k < UPDATES_EACH; k++) {
        /* The same numbers in each thread: all but one of each are retries. */
        w->accepted += add_installation(&t, w->inbox, 1 + k) == XMTP_OK ? 1 : 0;
        w->accepted += add_installation(&t, w->inbox, 1000 * (w->index + 1) + k) == XMTP_OK ? 1 : 0;
    }
    t.transport.close(t.transport.context);
    xmtp_writer_free(&t.answer);
    return NULL;
}

static void many_publishers_of_one_inbox_are_served_one_after_the_other(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    test_node t;
    inbox i;
    writer_thread writers[WRITERS];
    test_node_open(&t, folder.path);
    make_inbox(&t, &i);
    for (size_t k = 0; k < WRITERS; k++) {
        writers[k] = (writer_thread){.node = t.node, .inbox = &i, .index = k};
        assert_int_equal(pthread_create(&writers[k].thread, NULL, write_updates, &writers[k]), 0);
    }
    for (size_t k = 0; k < WRITERS; k++) {
        assert_int_equal(pthread_join(writers[k].thread, NULL), 0);
        assert_int_equal(writers[k].accepted, 2 * UPDATES_EACH);
    }
    assert_int_equal(log_len(&t, &i), 1 + UPDATES_EACH + WRITERS * UPDATES_EACH);
    test_node_close(&t);
    test_node_open(&t, folder.path);
    assert_int_equal(add_installation(&t, &i, 77), XMTP_OK); /* the log replays */
    test_node_close(&t);
    test_folder_remove(folder.path);
}

/* Adds or removes a second wallet. time is in seconds: the signed text knows no less, and the same
 * text signed again is a replay. */
static xmtp_status change_wallet(test_node *t, const inbox *i, const xmtp_wallet *second,
                                 bool is_removed, uint64_t time)
{
    uint8_t *update;
    size_t n;
    xmtp_signer owner = xmtp_signer_of_wallet(&i->wallet);
    xmtp_signer added = xmtp_signer_of_wallet(second);
    xmtp_update_action action = {.kind = is_removed ? XMTP_ACTION_REVOKE : XMTP_ACTION_ADD,
                                 .subject = xmtp_identifier_ethereum(second->address),
                                 .signer = &owner,
                                 .new_member = is_removed ? NULL : &added};
    assert_int_equal(xmtp_identity_update_build(alloc(), i->inbox_id,
                                                test_now_ns + time * 1000000000U, &action, 1,
                                                &update, &n, NULL),
                     XMTP_OK);
    return publish(t, update, n);
}

static void an_address_is_found_while_it_belongs_to_an_inbox(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    test_node t;
    inbox i;
    xmtp_wallet second;
    char index[300];
    test_node_open(&t, folder.path);
    make_inbox(&t, &i);
    assert_int_equal(xmtp_wallet_generate(test_env(), &second), XMTP_OK);
    assert_true(has_inbox(&t, i.wallet.address));
    assert_false(has_inbox(&t, second.address));
    for (uint64_t round = 0; round < 3; round++) {
        assert_int_equal(change_wallet(&t, &i, &second, false, 10 + 2 * round), XMTP_OK);
        assert_true(has_inbox(&t, second.address));
        test_node_close(&t);
        (void)snprintf(index, sizeof index, "%s/index", folder.path);
        test_folder_remove(index); /* also when the index is made again */
        test_node_open(&t, folder.path);
        assert_true(has_inbox(&t, second.address));
        assert_int_equal(change_wallet(&t, &i, &second, true, 11 + 2 * round), XMTP_OK);
        assert_false(has_inbox(&t, second.address));
        test_node_close(&t);
        test_node_open(&t, folder.path);
        assert_false(has_inbox(&t, second.address));
        assert_true(has_inbox(&t, i.wallet.address));
    }
    test_node_close(&t);
    test_folder_remove(folder.path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_log_still_takes_revocations_up_to_a_second_limit),
        cmocka_unit_test(many_publishers_of_one_inbox_are_served_one_after_the_other),
        cmocka_unit_test(an_address_is_found_while_it_belongs_to_an_inbox),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
