/* allocation_test.c - every allocation of the node failing in turn: a clean refusal, nothing leaked,
 * nothing half done. The same calls are made again and again with the first, second, third ...
 * allocation failing, until none does.
 */
#include "node/test_folder.h"
#include "node/test_node.h"

#include <stdatomic.h>

static atomic_long countdown; /* allocations that still work; negative: all do */
static atomic_long live;      /* blocks not freed yet */

static void *counted_reallocate(void *context, void *p, size_t n)
{
    (void)context;
    if (n == 0) {
        atomic_fetch_sub(&live, p == NULL ? 0 : 1);
        free(p);
        return NULL;
    }
    if (atomic_load(&countdown) >= 0 && atomic_fetch_sub(&countdown, 1) == 0) {
        atomic_store(&countdown, 0); /* and from here on every one fails */
        return NULL;
    }
    void *q = realloc(p, n);
    atomic_fetch_add(&live, p == NULL ? 1 : 0);
    return q;
}

static xmtp_env counted_env(void)
{
    xmtp_env env = *test_env();
    env.alloc = (xmtp_alloc){.reallocate = counted_reallocate};
    return env;
}

static void let_all_work(void)
{
    atomic_store(&countdown, -1);
}

static void opening_fails_cleanly(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    xmtp_env env = counted_env();
    xmtp_node_options options = {.env = &env, .data_dir = folder.path, .listen = {"127.0.0.1:0"}};
    xmtp_status status = XMTP_E_NOMEM;
    for (long n = 0; status != XMTP_OK; n++) {
        xmtp_node *node;
        atomic_store(&countdown, n);
        status = xmtp_node_open(&node, &options, NULL);
        let_all_work();
        if (status != XMTP_OK) {
            assert_int_equal(status, XMTP_E_NOMEM);
            assert_null(node);
        }
        xmtp_node_close(node);
        assert_int_equal(atomic_load(&live), 0);
        assert_true(n < 1000);
    }
    test_folder_remove(folder.path);
}

/* One round: open with memory, then send, read and subscribe without. true: nothing failed. */
static bool try_calls(const xmtp_env *env, long n, uint64_t number)
{
    test_node t = {.node = NULL};
    xmtp_node_options options = {.env = env};
    assert_int_equal(xmtp_node_open(&t.node, &options, NULL), XMTP_OK);
    assert_int_equal(xmtp_node_transport(t.node, &t.transport), XMTP_OK);
    xmtp_writer_init(&t.answer, &test_env()->alloc, XMTP_WRITER_MAX);
    xmtp_arena_init(&t.arena, &test_env()->alloc, (size_t)1 << 20);
    assert_int_equal(test_send(&t, "a", TEST_APPLICATION, number, 2), XMTP_OK);

    static const uint8_t filter[] = {0x0a, 0x03, 0x0a, 0x01, 'a'};
    static const uint8_t group[] = {0x0a, 0x01, 'a'};
    xmtp_stream *stream;
    xmtp_bytes message;
    atomic_store(&countdown, n);
    xmtp_status sent = test_send(&t, "a", TEST_APPLICATION, number + 2, 2);
    xmtp_status queried = test_call_bytes(&t, MLS "QueryGroupMessages", xmtp_bytes_of(group, 3));
    xmtp_status subscribed =
        t.transport.subscribe(t.transport.context, MLS "SubscribeGroupMessages",
                              xmtp_bytes_of(filter, sizeof filter), &stream, NULL);
    xmtp_status read = subscribed == XMTP_OK
                           ? t.transport.next(t.transport.context, stream, &message, NULL)
                           : subscribed;
    let_all_work();
    bool has_failed =
        sent != XMTP_OK || queried != XMTP_OK || subscribed != XMTP_OK || read != XMTP_OK;
    if (sent != XMTP_OK) { /* nothing of it is stored; a retry stores it once */
        size_t before = test_count(&t, "a");
        xmtp_status again = test_send(&t, "a", TEST_APPLICATION, number + 2, 2);
        /* Memory that ran out after the disk had it needs a restart, which is said. */
        assert_true(again == XMTP_OK ? test_count(&t, "a") == 4 && before != 3 : before >= 2);
    }
    test_node_close(&t);
    return !has_failed;
}

static void calls_fail_cleanly(void **state)
{
    (void)state;
    xmtp_env env = counted_env();
    bool is_done = false;
    let_all_work();
    for (long n = 0; !is_done; n++) {
        is_done = try_calls(&env, n, (uint64_t)n * 10);
        assert_int_equal(atomic_load(&live), 0);
        assert_true(n < 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening_fails_cleanly),
        cmocka_unit_test(calls_fail_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
