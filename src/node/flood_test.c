/* flood_test.c - hostile peers on a real port: whatever they send, the node's memory stays bounded
 * and others are served. Slow ones are tested with a clock in rpc.http1_conn and rpc.endpoint. */
#include "node/test_memory.h"
#include "node/test_node.h"
#include "node/test_peer.h"
#include "rpc/stall.h"

#include <stdatomic.h>
#include <sys/resource.h>

/* ---- a node whose memory is measured */

static xmtp_env measured_env;

static xmtp_node *open_node(void)
{
    xmtp_node *node;
    measured_env = *test_env();
    measured_env.alloc.reallocate = measured_reallocate;
    xmtp_node_options options = {.env = &measured_env, .listen = {"127.0.0.1:0"}, .loops = 1};
    assert_int_equal(xmtp_node_open(&node, &options, NULL), XMTP_OK);
    atomic_store(&live_max, atomic_load(&live_len));
    return node;
}

static void assert_serves(const xmtp_node *node)
{
    peer p = peer_open(xmtp_node_port(node, 0));
    assert_true(peer_say(&p, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_true(peer_wait(&p, "xmtp node\n"));
    peer_close(&p);
}

/* ---- HTTP/2 frames */

enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PING = 6, CONTINUATION = 9 };

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";

/* POST, http, a path and a content type: an HPACK block without indexing. */
static const char block[] = "\x83\x86\x04\x05/echo\x01\x01x";

static size_t put_frame(uint8_t *out, uint8_t type, uint8_t flags, uint32_t stream,
                        const void *payload, size_t n)
{
    const uint8_t head[] = {(uint8_t)(n >> 16),
                            (uint8_t)(n >> 8),
                            (uint8_t)n,
                            type,
                            flags,
                            (uint8_t)(stream >> 24),
                            (uint8_t)(stream >> 16),
                            (uint8_t)(stream >> 8),
                            (uint8_t)stream};
    memcpy(out, head, sizeof head);
    memcpy(out + sizeof head, payload, n);
    return sizeof head + n;
}

static peer open_h2(const xmtp_node *node)
{
    peer p = peer_open(xmtp_node_port(node, 0));
    assert_true(peer_say_bytes(&p, preface, sizeof preface - 1));
    return p;
}

/* Says the same bytes many times and never listens. Ends early when the node has enough. */
static void flood(peer *p, const uint8_t *bytes, size_t n, size_t count)
{
    struct timeval timeout = {.tv_usec = 300000};
    (void)setsockopt(p->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    for (size_t i = 0; i < count && peer_say_bytes(p, bytes, n); i++) {
    }
}

static void assert_bounded(size_t limit)
{
    if (atomic_load(&live_max) > limit) {
        fail_msg("%zu bytes were taken", atomic_load(&live_max));
    }
}

/* ---- the floods */

static void pings_and_settings_that_nobody_reads_cost_a_bounded_memory(void **state)
{
    (void)state;
    static const struct {
        uint8_t type;
        size_t payload_len;
    } kinds[] = {{PING, 8}, {SETTINGS, 0}, {SETTINGS, 6}};
    static const uint8_t payload[8] = {0, 2, 0, 0, 0, 0};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        static uint8_t frames[100 * 17];
        size_t n = 0;
        xmtp_node *node = open_node();
        size_t before = atomic_load(&live_len);
        peer p = open_h2(node);
        while (n + 17 <= sizeof frames) {
            n += put_frame(frames + n, kinds[i].type, 0, 0, payload, kinds[i].payload_len);
        }
        flood(&p, frames, n, 20000); /* two million frames, if the node let us */
        assert_serves(node);
        assert_bounded(before + 4 * 1024 * 1024);
        peer_close(&p);
        xmtp_node_close(node);
    }
}

static void rapid_resets_end_the_connection(void **state)
{
    (void)state;
    static uint8_t frames[100 * 64];
    static const uint8_t cancel[4] = {0, 0, 0, 8};
    xmtp_node *node = open_node();
    size_t before = atomic_load(&live_len);
    peer p = open_h2(node);
    bool is_open = true;
    for (uint32_t stream = 1; stream < 2 * 40000 && is_open;) {
        size_t n = 0;
        for (int i = 0; i < 100; i++, stream += 2) {
            n += put_frame(frames + n, HEADERS, 4, stream, block, sizeof block - 1);
            n += put_frame(frames + n, RST_STREAM, 0, stream, cancel, sizeof cancel);
        }
        is_open = peer_say_bytes(&p, frames, n);
        if (is_open && stream > 2 * 20000) {
            is_open = !peer_wait_end(&p);
        }
    }
    assert_false(is_open); /* 10000 at once and 1000 a second are allowed */
    assert_serves(node);
    assert_bounded(before + 16 * 1024 * 1024);
    peer_close(&p);
    xmtp_node_close(node);
}

static void headers_without_an_end_are_cut_off(void **state)
{
    (void)state;
    static uint8_t frames[8192];
    static const uint8_t filler[1024] = {0};
    xmtp_node *node = open_node();
    size_t before = atomic_load(&live_len);
    peer p = open_h2(node);
    size_t n = put_frame(frames, HEADERS, 0, 1, block, sizeof block - 1);
    assert_true(peer_say_bytes(&p, frames, n));
    n = put_frame(frames, CONTINUATION, 0, 1, filler, 1); /* an incomplete literal, for ever */
    n += put_frame(frames + n, CONTINUATION, 0, 1, filler, 0);
    flood(&p, frames, n, 20000);
    assert_true(peer_wait_end(&p));
    assert_serves(node);
    assert_bounded(before + 4 * 1024 * 1024);
    peer_close(&p);
    xmtp_node_close(node);
}

static void unfinished_requests_of_one_connection_share_one_budget(void **state)
{
    (void)state;
    static const char fields[] = "\x83\x86\x04\x02/x\x01\x01x\x0f\x10\x10"
                                 "application/grpc";
    static uint8_t frames[20000];
    static uint8_t body[16384] = {0, 3, 0, 0, 0}; /* a message of 48 MiB, it says */
    xmtp_node *node = open_node();
    size_t before = atomic_load(&live_len);
    peer p = open_h2(node);
    for (uint32_t i = 0; i < 60; i++) {
        size_t n = put_frame(frames, HEADERS, 4, 2 * i + 1, fields, sizeof fields - 1);
        n += put_frame(frames + n, DATA, 0, 2 * i + 1, body, sizeof body);
        assert_true(peer_say_bytes(&p, frames, n));
    }
    assert_serves(node);
    assert_bounded(before + 8 * 1024 * 1024); /* by what came, not by what was promised */
    peer_close(&p);
    xmtp_node_close(node);
}

static void silent_connections_do_not_keep_others_out(void **state)
{
    (void)state;
    enum { SILENT = 1100 };
    static peer silent[SILENT];
    struct rlimit limit;
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < 4 * SILENT) {
        skip(); /* too few file descriptors here */
    }
    xmtp_node *node = open_node();
    size_t before = atomic_load(&live_len);
    for (size_t i = 0; i < SILENT; i++) {
        silent[i] = peer_open(xmtp_node_port(node, 0));
        free(silent[i].heard);
        silent[i].heard = NULL;
    }
    assert_serves(node);
    assert_true(peer_wait_end(&silent[0])); /* the oldest had to go */
    assert_bounded(before + 8 * 1024 * 1024);
    for (size_t i = 0; i < SILENT; i++) {
        (void)close(silent[i].fd);
    }
    xmtp_node_close(node);
}

static void a_reader_that_takes_nothing_is_given_up_after_a_minute(void **state)
{
    (void)state;
    const uint64_t second = 1000000000;
    xmtp_stall s = {0};
    assert_false(xmtp_stall_tick(&s, 0, second));
    assert_false(xmtp_stall_tick(&s, 1000, 100 * second));
    assert_false(xmtp_stall_tick(&s, 1000, 159 * second));
    assert_true(xmtp_stall_tick(&s, 1000, 160 * second));
    assert_false(xmtp_stall_tick(&s, 999, 161 * second)); /* it goes on, however slowly */
    assert_false(xmtp_stall_tick(&s, 0, 300 * second));
    assert_false(xmtp_stall_tick(&s, 999, 301 * second));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pings_and_settings_that_nobody_reads_cost_a_bounded_memory),
        cmocka_unit_test(rapid_resets_end_the_connection),
        cmocka_unit_test(headers_without_an_end_are_cut_off),
        cmocka_unit_test(unfinished_requests_of_one_connection_share_one_budget),
        cmocka_unit_test(silent_connections_do_not_keep_others_out),
        cmocka_unit_test(a_reader_that_takes_nothing_is_given_up_after_a_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
