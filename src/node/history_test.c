/* history_test.c - files of device sync over TCP: there and back, limits, what is left behind, age.
 */
#include "node/test_folder.h"
#include "node/test_node.h"
#include "node/test_peer.h"

#include <stdatomic.h>
#include <time.h>

static atomic_uint_fast64_t test_age_ns; /* how far our clock is ahead */

static uint64_t shifted_clock(void *context)
{
    struct timespec now;
    (void)context;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec + atomic_load(&test_age_ns);
}

typedef struct fixture {
    test_folder folder;
    xmtp_env env;
    xmtp_node *node;
    peer peer;
} fixture;

static void start_node(fixture *f)
{
    xmtp_node_options options = {.env = &f->env,
                                 .data_dir = f->folder.path,
                                 .listen = {"history=127.0.0.1:0"},
                                 .loops = 1,
                                 .limits = {.history_file_len = 300000,
                                            .history_len = 500000,
                                            .history_hours = 1,
                                            .history_transfers = 2}};
    assert_int_equal(xmtp_node_open(&f->node, &options, NULL), XMTP_OK);
    f->peer = peer_open(xmtp_node_port(f->node, 0));
}

static void stop_node(fixture *f)
{
    peer_close(&f->peer);
    xmtp_node_close(f->node);
}

static void open_history(fixture *f)
{
    f->folder = test_folder_make();
    f->env = *xmtp_env_system();
    f->env.now_ns = shifted_clock;
    atomic_store(&test_age_ns, 0);
    start_node(f);
}

static void close_history(fixture *f)
{
    stop_node(f);
    test_folder_remove(f->folder.path);
}

static size_t files_in(const fixture *f)
{
    return test_folder_count(&f->folder, "history");
}

static void reconnect(fixture *f)
{
    peer_close(&f->peer);
    f->peer = peer_open(xmtp_node_port(f->node, 0));
}

static uint8_t body[400000];

static void put_head(fixture *f, size_t n)
{
    char head[200];
    peer_forget(&f->peer);
    (void)snprintf(head, sizeof head,
                   "POST //upload HTTP/1.1\r\nHost: x\r\nOrigin: http://page\r\n"
                   "Content-Length: %zu\r\n\r\n",
                   n);
    assert_true(peer_say(&f->peer, head));
}

static void upload(fixture *f, size_t n, char id[37])
{
    for (size_t i = 0; i < n; i++) {
        body[i] = (uint8_t)(i * 7 + i / 251);
    }
    put_head(f, n);
    assert_true(peer_say_bytes(&f->peer, body, n));
    assert_true(peer_wait(&f->peer, "content-length: 36\r\n"));
    while (f->peer.n < (size_t)(peer_find(&f->peer, "\r\n\r\n") - f->peer.heard) + 4 + 36) {
        assert_true(peer_hear(&f->peer, PEER_WAIT_MS));
    }
    memcpy(id, peer_find(&f->peer, "\r\n\r\n") + 4, 36);
    id[36] = '\0';
    assert_non_null(peer_find(&f->peer, "HTTP/1.1 200 OK"));
    assert_non_null(peer_find(&f->peer, "access-control-allow-origin: *"));
}

static void ask(fixture *f, const char *target)
{
    char head[200];
    peer_forget(&f->peer);
    (void)snprintf(head, sizeof head, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target);
    assert_true(peer_say(&f->peer, head));
    assert_true(peer_wait(&f->peer, "\r\n\r\n"));
}

static bool is_there(fixture *f, const char *id)
{
    char target[64];
    (void)snprintf(target, sizeof target, "/files/%s", id);
    ask(f, target);
    return peer_find(&f->peer, "HTTP/1.1 200 OK") != NULL;
}

static void a_file_comes_back_as_it_went(void **state)
{
    (void)state;
    fixture f;
    char id[37];
    open_history(&f);
    upload(&f, 300000, id); /* exactly as much as may be */
    assert_true(is_there(&f, id));
    assert_non_null(peer_find(&f.peer, "content-length: 300000\r\n"));
    size_t at = (size_t)(peer_find(&f.peer, "\r\n\r\n") - f.peer.heard) + 4;
    while (f.peer.n < at + 300000) {
        assert_true(peer_hear(&f.peer, PEER_WAIT_MS));
    }
    assert_memory_equal(f.peer.heard + at, body, 300000);
    reconnect(&f);
    assert_true(is_there(&f, id)); /* more than once */
    close_history(&f);
}

/* As the official library sends it: its length is not known before. */
static void a_chunked_upload_is_taken_and_survives_a_restart(void **state)
{
    (void)state;
    fixture f;
    char id[37];
    open_history(&f);
    assert_true(peer_say(&f.peer,
                         "POST /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                         "\r\n5\r\nhello\r\n6\r\n there\r\n0\r\n\r\n"));
    assert_true(peer_wait(&f.peer, "\r\n\r\n"));
    while (f.peer.n < (size_t)(peer_find(&f.peer, "\r\n\r\n") - f.peer.heard) + 4 + 36) {
        assert_true(peer_hear(&f.peer, PEER_WAIT_MS));
    }
    memcpy(id, peer_find(&f.peer, "\r\n\r\n") + 4, 36);
    id[36] = '\0';
    stop_node(&f);
    start_node(&f);
    assert_true(is_there(&f, id));
    assert_true(peer_wait(&f.peer, "hello there"));
    close_history(&f);
}

static void what_is_no_id_is_not_found(void **state)
{
    (void)state;
    static const char *const wrong[] = {"/files/",
                                        "/files/00000000-0000-4000-8000-000000000000",
                                        "/files/../log",
                                        "/files/..%2flog",
                                        "/files/00000000-0000-4000-8000-000000000000.part",
                                        "/files/00000000-0000-4000-8000-00000000000/"};
    fixture f;
    open_history(&f);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ask(&f, wrong[i]);
        assert_non_null(peer_find(&f.peer, "HTTP/1.1 404 "));
    }
    ask(&f, "/upload");
    assert_non_null(peer_find(&f.peer, "HTTP/1.1 405 "));
    close_history(&f);
}

static void a_file_that_is_too_large_is_refused_and_leaves_nothing(void **state)
{
    (void)state;
    fixture f;
    open_history(&f);
    put_head(&f, 300001);
    assert_true(peer_wait(&f.peer, "HTTP/1.1 413 ")); /* before it is sent */
    reconnect(&f);
    assert_true(peer_say(&f.peer,
                         "POST /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                         "\r\n61a80\r\n"));
    (void)peer_say_bytes(&f.peer, body, 400000);
    assert_true(peer_wait(&f.peer, "HTTP/1.1 413 "));
    assert_non_null(peer_find(&f.peer, "access-control-allow-origin: *"));
    assert_int_equal(files_in(&f), 0);
    close_history(&f);
}

static void all_files_together_have_a_limit(void **state)
{
    (void)state;
    fixture f;
    char id[37];
    open_history(&f);
    upload(&f, 250000, id);
    put_head(&f, 280000);
    (void)peer_say_bytes(&f.peer, body, 280000);
    assert_true(peer_wait(&f.peer, "HTTP/1.1 507 "));
    reconnect(&f);
    upload(&f, 250000, id); /* what was refused takes no room */
    assert_int_equal(files_in(&f), 2);
    stop_node(&f);
    start_node(&f);
    put_head(&f, 1);
    assert_true(peer_say(&f.peer, "x"));
    assert_true(peer_wait(&f.peer, "HTTP/1.1 507 ")); /* counted again at the start */
    close_history(&f);
}

static void a_file_may_be_so_long_and_no_longer(void **state)
{
    (void)state;
    fixture f;
    char id[37];
    open_history(&f);
    upload(&f, 300000, id);
    assert_true(is_there(&f, id));
    put_head(&f, 300001);
    assert_true(peer_wait(&f.peer, "HTTP/1.1 413 "));
    close_history(&f);
}

/* An upload of four bytes that the node waits for, or has refused. */
static peer begin_upload(const fixture *f, const char *answer)
{
    peer p = peer_open(xmtp_node_port(f->node, 0));
    assert_true(peer_say(&p, "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
                             "Expect: 100-continue\r\n\r\n"));
    assert_true(peer_wait(&p, answer));
    return p;
}

static void so_many_transfers_may_run_and_no_more(void **state)
{
    (void)state;
    fixture f;
    open_history(&f);
    peer first = begin_upload(&f, "HTTP/1.1 100 ");
    peer second = begin_upload(&f, "HTTP/1.1 100 ");
    peer third = begin_upload(&f, "HTTP/1.1 503 ");
    assert_true(peer_say(&second, "four") && peer_wait(&second, "HTTP/1.1 200 "));
    peer fourth = begin_upload(&f, "HTTP/1.1 100 "); /* there is room again */
    assert_true(peer_say(&fourth, "four") && peer_wait(&fourth, "HTTP/1.1 200 "));
    assert_true(peer_say(&first, "four") && peer_wait(&first, "HTTP/1.1 200 "));
    peer_close(&first);
    peer_close(&second);
    peer_close(&third);
    peer_close(&fourth);
    close_history(&f);
}

static void an_upload_that_is_given_up_leaves_nothing(void **state)
{
    (void)state;
    fixture f;
    char id[37];
    open_history(&f);
    put_head(&f, 200000);
    assert_true(peer_say_bytes(&f.peer, body, 100000));
    reconnect(&f);
    upload(&f, 300000, id); /* by now the loop has seen the other's end */
    reconnect(&f);
    upload(&f, 200000, id); /* 500000 in all: the part is not counted any more */
    assert_int_equal(files_in(&f), 2);
    close_history(&f);
}

static void old_files_are_gone(void **state)
{
    (void)state;
    fixture f;
    char id[37];
    open_history(&f);
    upload(&f, 1000, id);
    atomic_store(&test_age_ns, UINT64_C(3500) * 1000000000);
    assert_true(is_there(&f, id));
    reconnect(&f);
    atomic_store(&test_age_ns, UINT64_C(3700) * 1000000000);
    assert_false(is_there(&f, id));
    assert_int_equal(files_in(&f), 1);
    stop_node(&f);
    start_node(&f);
    assert_int_equal(files_in(&f), 0);
    close_history(&f);
}

static void a_node_in_memory_says_that_it_keeps_no_files(void **state)
{
    (void)state;
    xmtp_node *node;
    xmtp_node_options options = {.listen = {"history=127.0.0.1:0"}, .loops = 1};
    assert_int_equal(xmtp_node_open(&node, &options, NULL), XMTP_OK);
    peer p = peer_open(xmtp_node_port(node, 0));
    assert_true(peer_say(&p, "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"));
    assert_true(peer_wait(&p, "HTTP/1.1 507 "));
    peer_close(&p);
    xmtp_node_close(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_comes_back_as_it_went),
        cmocka_unit_test(a_chunked_upload_is_taken_and_survives_a_restart),
        cmocka_unit_test(what_is_no_id_is_not_found),
        cmocka_unit_test(a_file_that_is_too_large_is_refused_and_leaves_nothing),
        cmocka_unit_test(all_files_together_have_a_limit),
        cmocka_unit_test(a_file_may_be_so_long_and_no_longer),
        cmocka_unit_test(so_many_transfers_may_run_and_no_more),
        cmocka_unit_test(an_upload_that_is_given_up_leaves_nothing),
        cmocka_unit_test(old_files_are_gone),
        cmocka_unit_test(a_node_in_memory_says_that_it_keeps_no_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
