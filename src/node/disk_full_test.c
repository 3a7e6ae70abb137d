/* disk_full_test.c - a node on a real file system that fills up, and an index that may not grow.
 *
 * The file system is a small tmpfs, so the first test needs root and is skipped without.
 */
#include "node/test_folder.h"
#include "node/test_node.h"

#include <sys/mount.h>

/* What next gives, up to what there is now. */
static size_t count_stream(test_node *t, xmtp_stream *stream)
{
    xmtp_bytes bytes;
    size_t count = 0;
    xmtp_status status = XMTP_OK;
    while (status == XMTP_OK) {
        status = t->transport.next(t->transport.context, stream, &bytes, &t->error);
        count += status == XMTP_OK ? 1 : 0;
    }
    assert_int_equal(status, XMTP_E_RETRY);
    return count;
}

static xmtp_stream *subscribe_group(test_node *t)
{
    static const uint8_t request[] = {0x0a, 0x03, 0x0a, 0x01, 'g'};
    xmtp_stream *stream;
    assert_int_equal(t->transport.subscribe(t->transport.context, MLS "SubscribeGroupMessages",
                                            xmtp_bytes_of(request, sizeof request), &stream,
                                            &t->error),
                     XMTP_OK);
    return stream;
}

/* Sends until nothing is taken any more, first in large steps. */
static uint64_t fill(test_node *t, uint64_t stored)
{
    for (size_t step = 4096; step > 0; step /= 8) {
        xmtp_status status = XMTP_OK;
        while (status == XMTP_OK) {
            status = test_send(t, "g", TEST_APPLICATION, stored, step);
            stored += status == XMTP_OK ? step : 0;
        }
        if (status != XMTP_E_RPC_UNAVAILABLE) {
            fail_msg("%d: %s", status, t->error.text);
        }
    }
    return stored;
}

static uint64_t newest_id(test_node *t)
{
    const Pb__QueryGroupMessagesResponse *page = test_query(t, "g", 2, 1, 0);
    uint64_t id = page->n_messages == 0 ? 0 : page->messages[0]->v1->id;
    xmtp_arena_reset(&t->arena);
    return id;
}

static void make_ballast(const char *path)
{
    unsigned char *bytes = calloc(1, 4 << 20);
    test_file_write(path, bytes, 4 << 20);
    free(bytes);
}

static void a_full_disk_stops_writers_only_and_only_until_there_is_room(void **state)
{
    (void)state;
    test_folder folder = test_folder_make();
    char data[300];
    char ballast[300];
    test_node t;
    if (mount("xmtp-test", folder.path, "tmpfs", 0, "size=14m") != 0) {
        test_folder_remove(folder.path);
        skip();
    }
    (void)snprintf(data, sizeof data, "%s/node", folder.path);
    (void)snprintf(ballast, sizeof ballast, "%s/ballast", folder.path);
    make_ballast(ballast);
    test_node_open(&t, data);
    xmtp_stream *stream = subscribe_group(&t);
    uint64_t stored = fill(&t, 0);
    assert_true(stored > 1000);
    assert_int_equal(newest_id(&t), stored); /* reading goes on, streams too */
    assert_int_equal(count_stream(&t, stream), stored);
    t.transport.unsubscribe(t.transport.context, stream);
    test_node_close(&t);

    test_node_open(&t, data); /* starting needs no room */
    assert_int_equal(newest_id(&t), stored);
    assert_int_equal(test_send(&t, "g", TEST_APPLICATION, 900000, 4096), XMTP_E_RPC_UNAVAILABLE);
    assert_int_equal(unlink(ballast), 0);
    assert_int_equal(test_send(&t, "g", TEST_APPLICATION, 900000, 4096), XMTP_OK); /* no restart */
    assert_int_equal(newest_id(&t), stored + 4096); /* what was refused took no ids */
    stored = fill(&t, stored + 4096);
    test_node_close(&t);

    test_node_open(&t, data);
    assert_int_equal(newest_id(&t), stored);
    test_node_close(&t);
    assert_int_equal(umount(folder.path), 0);
    test_folder_remove(folder.path);
}

static void an_index_that_may_not_grow_refuses_and_is_reopened_larger(void **state)
{
    (void)state;
    test_folder folder = test_folder_make_fast();
    test_node t;
    test_node_open_limited(&t, folder.path, &(xmtp_node_limits){.index_len = 1 << 20});
    uint64_t stored = fill(&t, 0);
    assert_non_null(strstr(t.error.text, "index-bytes-max"));
    assert_true(stored > 1000);
    assert_int_equal(newest_id(&t), stored);
    test_node_close(&t);
    test_node_open_limited(&t, folder.path, &(xmtp_node_limits){.index_len = 4 << 20});
    assert_int_equal(newest_id(&t), stored);
    assert_int_equal(test_send(&t, "g", TEST_APPLICATION, stored, 4096), XMTP_OK);
    test_node_close(&t);
    test_folder_remove(folder.path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_stops_writers_only_and_only_until_there_is_room),
        cmocka_unit_test(an_index_that_may_not_grow_refuses_and_is_reopened_larger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
