/* history_disk_test.c - device sync and the disk: when files are durable, a disk that is slow or
 * fails, a node that is killed. The syncs of the node are this file's (cmake/rooms.cmake, xmtp_wrap).
 */
#include "node/test_folder.h"
#include "node/test_memory.h"
#include "node/test_node.h"
#include "node/test_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

/* ---- the disk */

static atomic_bool is_watching;
static atomic_bool is_failing;
static atomic_uint file_syncs;
static atomic_uint folder_syncs; /* after a file was synced */
static pthread_mutex_t sync_lock = PTHREAD_MUTEX_INITIALIZER;

int __real_fdatasync(int file);
int __wrap_fdatasync(int file);
int __real_fsync(int file);
int __wrap_fsync(int file);

int __wrap_fdatasync(int file)
{
    if (!atomic_load(&is_watching)) {
        return __real_fdatasync(file);
    }
    (void)pthread_mutex_lock(&sync_lock); /* a test may hold it */
    (void)pthread_mutex_unlock(&sync_lock);
    if (atomic_load(&is_failing)) {
        errno = EIO;
        return -1;
    }
    atomic_fetch_add(&file_syncs, 1);
    return __real_fdatasync(file);
}

int __wrap_fsync(int file)
{
    if (atomic_load(&is_watching) && atomic_load(&file_syncs) > 0) {
        atomic_fetch_add(&folder_syncs, 1);
    }
    return __real_fsync(file);
}

/* ---- a node */

typedef struct fixture {
    test_folder folder;
    xmtp_env env;
    xmtp_node *node;
} fixture;

static xmtp_node *open_node(const fixture *f)
{
    xmtp_node *node;
    xmtp_error error = {0};
    xmtp_node_options options = {
        .env = &f->env, .data_dir = f->folder.path, .listen = {"history=127.0.0.1:0"}, .loops = 1};
    if (xmtp_node_open(&node, &options, &error) != XMTP_OK) {
        fail_msg("node: %s", error.text);
    }
    return node;
}

static void open_fixture(fixture *f)
{
    f->folder = test_folder_make();
    f->env = *xmtp_env_system();
    f->node = open_node(f);
    atomic_store(&is_failing, false);
    atomic_store(&file_syncs, 0);
    atomic_store(&folder_syncs, 0);
    atomic_store(&is_watching, true);
}

static void close_fixture(fixture *f)
{
    atomic_store(&is_watching, false);
    xmtp_node_close(f->node);
    test_folder_remove(f->folder.path);
}

static size_t files_in(const fixture *f)
{
    return test_folder_count(&f->folder, "history");
}

static peer begin_upload(uint16_t port, size_t n)
{
    char head[200];
    peer p = peer_open(port);
    (void)snprintf(head, sizeof head,
                   "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", n);
    assert_true(peer_say(&p, head));
    return p;
}

static void take_id(peer *p, char id[37])
{
    assert_true(peer_wait(p, "content-length: 36\r\n"));
    while (p->n < (size_t)(peer_find(p, "\r\n\r\n") - p->heard) + 4 + 36) {
        assert_true(peer_hear(p, PEER_WAIT_MS));
    }
    memcpy(id, peer_find(p, "\r\n\r\n") + 4, 36);
    id[36] = '\0';
}

static bool has_file(const fixture *f, const char *id, const char *content)
{
    char head[200];
    peer p = peer_open(xmtp_node_port(f->node, 0));
    (void)snprintf(head, sizeof head, "GET /files/%s HTTP/1.1\r\nHost: x\r\n\r\n", id);
    assert_true(peer_say(&p, head));
    bool is_there = peer_wait(&p, "HTTP/1.1 200 OK\r\n") && peer_wait(&p, content);
    peer_close(&p);
    return is_there;
}

/* ---- tests */

static void the_answer_comes_after_the_file_and_then_its_name_were_synced(void **state)
{
    (void)state;
    fixture f;
    char id[37];
    open_fixture(&f);
    peer p = begin_upload(xmtp_node_port(f.node, 0), 5);
    assert_true(peer_say(&p, "hello"));
    take_id(&p, id);
    assert_int_equal(atomic_load(&file_syncs), 1);
    assert_int_equal(atomic_load(&folder_syncs), 1);
    assert_true(has_file(&f, id, "hello"));
    peer_close(&p);
    close_fixture(&f);
}

static void a_slow_disk_holds_nobody_else_up(void **state)
{
    (void)state;
    fixture f;
    char id[37];
    open_fixture(&f);
    (void)pthread_mutex_lock(&sync_lock);
    peer slow = begin_upload(xmtp_node_port(f.node, 0), 5);
    assert_true(peer_say(&slow, "hello"));
    for (int i = 0; i < 20; i++) { /* the only loop serves others meanwhile */
        peer p = peer_open(xmtp_node_port(f.node, 0));
        assert_true(peer_say(&p, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_true(peer_wait(&p, "xmtp node\n"));
        peer_close(&p);
    }
    assert_int_equal(slow.n, 0);
    (void)pthread_mutex_unlock(&sync_lock);
    take_id(&slow, id);
    peer_close(&slow);
    close_fixture(&f);
}

static void a_file_that_cannot_be_synced_is_refused_and_leaves_nothing(void **state)
{
    (void)state;
    fixture f;
    char id[37];
    open_fixture(&f);
    atomic_store(&is_failing, true);
    peer p = begin_upload(xmtp_node_port(f.node, 0), 5);
    assert_true(peer_say(&p, "hello"));
    assert_true(peer_wait(&p, "HTTP/1.1 507 "));
    assert_int_equal(files_in(&f), 0);
    peer_close(&p);
    atomic_store(&is_failing, false);
    p = begin_upload(xmtp_node_port(f.node, 0), 5);
    assert_true(peer_say(&p, "hello"));
    take_id(&p, id);
    peer_close(&p);
    close_fixture(&f);
}

static void an_upload_given_up_while_the_disk_is_busy_leaves_nothing(void **state)
{
    (void)state;
    fixture f;
    open_fixture(&f);
    (void)pthread_mutex_lock(&sync_lock);
    peer p = begin_upload(xmtp_node_port(f.node, 0), 5);
    assert_true(peer_say(&p, "hello"));
    peer_close(&p);
    peer other = peer_open(xmtp_node_port(f.node, 0)); /* by its answer the loop has seen the end */
    assert_true(peer_say(&other, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_true(peer_wait(&other, "xmtp node\n"));
    peer_close(&other);
    (void)pthread_mutex_unlock(&sync_lock);
    xmtp_node_close(f.node); /* waits for the workers */
    assert_int_equal(files_in(&f), 0);
    f.node = open_node(&f);
    close_fixture(&f);
}

/* ---- more than the disk takes */

/* Two uploads at once: the first one's sync keeps a worker, and then all of them. */
static void what_the_disk_does_not_take_waits_at_the_peer(void **state)
{
    (void)state;
    enum { LEN = 48 << 20, WORKERS_MAX = 64 };
    static uint8_t piece[1 << 16];
    peer held[WORKERS_MAX];
    fixture f = {.folder = test_folder_make(), .env = *xmtp_env_system()};
    f.env.alloc.reallocate = measured_reallocate;
    f.node = open_node(&f);
    atomic_store(&is_failing, false);
    atomic_store(&is_watching, true);
    (void)pthread_mutex_lock(&sync_lock);
    for (size_t i = 0; i < WORKERS_MAX; i++) { /* each keeps a worker in its sync */
        held[i] = begin_upload(xmtp_node_port(f.node, 0), 1);
        assert_true(peer_say(&held[i], "x"));
    }
    size_t before = atomic_load(&live_len);
    atomic_store(&live_max, before);
    peer p = begin_upload(xmtp_node_port(f.node, 0), LEN);
    struct timeval timeout = {.tv_usec = 300000};
    (void)setsockopt(p.fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    size_t sent = 0;
    for (ssize_t n = 1; n > 0 && sent<LEN; sent += n> 0 ? (size_t)n : 0) {
        n = send(p.fd, piece, sizeof piece < LEN - sent ? sizeof piece : LEN - sent, MSG_NOSIGNAL);
    }
    assert_true(sent < LEN); /* the rest does not go out: the node does not read it */
    assert_true(atomic_load(&live_max) - before < 4 << 20);
    (void)pthread_mutex_unlock(&sync_lock);
    timeout = (struct timeval){.tv_sec = 10};
    (void)setsockopt(p.fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    while (sent < LEN) {
        size_t n = sizeof piece < LEN - sent ? sizeof piece : LEN - sent;
        assert_true(peer_say_bytes(&p, piece, n));
        sent += n;
    }
    assert_true(peer_wait(&p, "HTTP/1.1 200 "));
    assert_true(atomic_load(&live_max) - before < 4 << 20);
    peer_close(&p);
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        assert_true(peer_wait(&held[i], "HTTP/1.1 200 "));
        peer_close(&held[i]);
    }
    close_fixture(&f);
}

/* ---- kill -9 */

/* A node in a process of its own; its port comes through the pipe. */
static pid_t start_process(const fixture *f, uint16_t *port)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        xmtp_node *node = open_node(f);
        uint16_t p = xmtp_node_port(node, 0);
        if (write(ends[1], &p, sizeof p) != sizeof p) {
            _exit(1);
        }
        for (;;) {
            (void)pause();
        }
    }
    assert_int_equal(read(ends[0], port, sizeof *port), sizeof *port);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return pid;
}

static void a_killed_node_keeps_what_it_answered_and_nothing_of_the_rest(void **state)
{
    (void)state;
    fixture f = {.folder = test_folder_make(), .env = *xmtp_env_system()};
    char id[37];
    uint16_t port;
    pid_t pid = start_process(&f, &port);
    peer half = begin_upload(port, 100000);
    assert_true(peer_say(&half, "only the beginning"));
    peer whole = begin_upload(port, 5);
    assert_true(peer_say(&whole, "hello"));
    take_id(&whole, id);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    peer_close(&half);
    peer_close(&whole);
    f.node = open_node(&f);
    assert_int_equal(files_in(&f), 1);
    assert_true(has_file(&f, id, "hello"));
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_node_keeps_what_it_answered_and_nothing_of_the_rest),
        cmocka_unit_test(the_answer_comes_after_the_file_and_then_its_name_were_synced),
        cmocka_unit_test(a_slow_disk_holds_nobody_else_up),
        cmocka_unit_test(a_file_that_cannot_be_synced_is_refused_and_leaves_nothing),
        cmocka_unit_test(an_upload_given_up_while_the_disk_is_busy_leaves_nothing),
        cmocka_unit_test(what_the_disk_does_not_take_waits_at_the_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
