/* connection_limits_test.c - limits of connections and of what they carry, at them and one past
 * them: bytes of a request, streams, silent connections, connections and streams of one address,
 * how long a call may take.
 */
#include "node/node_internal.h"
#include "node/test_h2.h"
#include "proto/field.h"

#include <time.h>

static xmtp_node *open_node(const xmtp_node_options *options)
{
    xmtp_node *node;
    xmtp_error error = {0};
    if (xmtp_node_open(&node, options, &error) != XMTP_OK) {
        fail_msg("node: %s", error.text);
    }
    return node;
}

static xmtp_node *open_limited(const xmtp_node_limits *limits)
{
    xmtp_node_options options = {
        .env = test_env(), .listen = {"127.0.0.1:0"}, .loops = 1, .limits = *limits};
    return open_node(&options);
}

static xmtp_node *open_rated(const xmtp_node_rates *rates)
{
    xmtp_node_options options = {
        .env = test_env(), .listen = {"127.0.0.1:0"}, .loops = 2, .rates = *rates};
    return open_node(&options);
}

/* ---- bytes of a request */

enum { LIMIT = 1 << 20 };

/* A request of exactly n bytes that every carrier takes: a group id and a field that nobody knows. */
static void put_request(xmtp_writer *w, size_t n)
{
    uint8_t *filler = calloc(1, n);
    xmtp_writer_init(w, &test_env()->alloc, XMTP_WRITER_MAX);
    xmtp_field_put_bytes(w, 1, xmtp_bytes_of_string("g"));
    size_t frame = 4; /* key, and a length of three bytes */
    assert_true(n > 20000 && n < 1 << 21);
    xmtp_field_put_bytes(w, 9, xmtp_bytes_of(filler, n - w->n - frame));
    assert_int_equal(w->n, n);
    free(filler);
}

static bool takes_by_grpc(const xmtp_node *node, size_t n)
{
    h2 h;
    xmtp_writer w;
    put_request(&w, n);
    h2_open(&h, xmtp_node_port(node, 0));
    int status = h2_unary(&h, MLS "QueryGroupMessages", xmtp_writer_bytes(&w))->grpc_status;
    assert_true(status == XMTP_GRPC_OK || status == XMTP_GRPC_RESOURCE_EXHAUSTED);
    h2_close(&h);
    xmtp_writer_free(&w);
    return status == XMTP_GRPC_OK;
}

/* Posts prefix and request; whether words come back rather than others. */
static bool posts(const xmtp_node *node, const char *path, const char *type, bool is_framed,
                  size_t n, const char *yes, const char *no)
{
    char head[400];
    xmtp_writer w;
    put_request(&w, n);
    const uint8_t frame[5] = {0, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
                              (uint8_t)n};
    peer p = peer_open(xmtp_node_port(node, 0));
    (void)snprintf(head, sizeof head,
                   "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                   path, type, n + (is_framed ? sizeof frame : 0));
    assert_true(peer_say(&p, head));
    if (is_framed) {
        assert_true(peer_say_bytes(&p, frame, sizeof frame));
    }
    (void)peer_say_bytes(&p, w.p, w.n); /* the node may have had enough before the end */
    while (peer_find(&p, yes) == NULL && peer_find(&p, no) == NULL) {
        assert_true(peer_hear(&p, PEER_WAIT_MS));
    }
    bool is_taken = peer_find(&p, yes) != NULL;
    peer_close(&p);
    xmtp_writer_free(&w);
    return is_taken;
}

static void a_request_may_be_so_long_and_no_longer_whatever_carries_it(void **state)
{
    (void)state;
    xmtp_node *node = open_limited(&(xmtp_node_limits){.request_len = LIMIT});
    for (size_t past = 0; past <= 1; past++) {
        assert_int_equal(takes_by_grpc(node, LIMIT + past), past == 0);
        assert_int_equal(posts(node, MLS "QueryGroupMessages", "application/grpc-web+proto", true,
                               LIMIT + past, "grpc-status: 0", "grpc-status: 8"),
                         past == 0);
        assert_int_equal(posts(node, "/mls/v1/query-group-messages", "application/x-protobuf",
                               false, LIMIT + past, "HTTP/1.1 200 ", "HTTP/1.1 429 "),
                         past == 0);
    }
    xmtp_node_close(node);
}

/* ---- streams of one connection: frames by hand, since a good client never goes too far */

enum { HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, GOAWAY = 7, REFUSED_STREAM = 7, CANCEL = 8 };

typedef struct raw {
    int fd;
    size_t opened; /* streams whose headers came */
    uint32_t refused;
    uint32_t refused_stream;
    bool is_gone;
} raw;

static void put_frame(xmtp_writer *w, uint8_t type, uint8_t flags, uint32_t stream,
                      xmtp_bytes payload)
{
    xmtp_writer_u8(w, 0);
    xmtp_writer_u8(w, (uint8_t)(payload.n >> 8));
    xmtp_writer_u8(w, (uint8_t)payload.n);
    xmtp_writer_u8(w, type);
    xmtp_writer_u8(w, flags);
    xmtp_writer_u32(w, stream);
    xmtp_writer_put(w, payload);
}

static void say(raw *r, xmtp_writer *w)
{
    assert_int_equal(xmtp_writer_status(w), XMTP_OK);
    for (size_t at = 0; at < w->n;) {
        ssize_t n = send(r->fd, w->p + at, w->n - at, MSG_NOSIGNAL);
        assert_true(n > 0);
        at += (size_t)n;
    }
    xmtp_writer_clear(w);
}

static void open_raw(raw *r, const xmtp_node *node, bool acknowledges)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    peer p = peer_open(xmtp_node_port(node, 0));
    xmtp_writer w;
    free(p.heard);
    *r = (raw){.fd = p.fd};
    xmtp_writer_init(&w, &test_env()->alloc, XMTP_WRITER_MAX);
    xmtp_writer_put(&w, xmtp_bytes_of(preface, sizeof preface - 1));
    put_frame(&w, SETTINGS, 0, 0, (xmtp_bytes){0});
    if (acknowledges) {
        put_frame(&w, SETTINGS, 1, 0, (xmtp_bytes){0});
    }
    say(r, &w);
    xmtp_writer_free(&w);
}

/* SubscribeGroupMessages with an empty request: an HPACK block without indexing, and the message. */
static void put_stream(xmtp_writer *w, uint32_t id)
{
    static const char path[] = MLS "SubscribeGroupMessages";
    static const char type[] = "\x0f\x10\x10"
                               "application/grpc";
    static const uint8_t message[5] = {0};
    xmtp_writer block;
    xmtp_writer_init(&block, &test_env()->alloc, XMTP_WRITER_MAX);
    xmtp_writer_put(&block, xmtp_bytes_of("\x83\x86\x04", 3)); /* POST, http, path */
    xmtp_writer_u8(&block, sizeof path - 1);
    xmtp_writer_put(&block, xmtp_bytes_of(path, sizeof path - 1));
    xmtp_writer_put(&block, xmtp_bytes_of("\x01\x01x", 3)); /* authority */
    xmtp_writer_put(&block, xmtp_bytes_of(type, sizeof type - 1));
    put_frame(w, HEADERS, 4, id, xmtp_writer_bytes(&block));
    put_frame(w, 0, 1, id, xmtp_bytes_of(message, sizeof message));
    xmtp_writer_free(&block);
}

static bool hear_bytes(raw *r, uint8_t *out, size_t n)
{
    struct pollfd fd = {.fd = r->fd, .events = POLLIN};
    for (size_t at = 0; at < n;) {
        ssize_t got = poll(&fd, 1, H2_WAIT_MS) > 0 ? recv(r->fd, out + at, n - at, 0) : -1;
        if (got <= 0) {
            return false;
        }
        at += (size_t)got;
    }
    return true;
}

/* Takes note of one frame. */
static void hear(raw *r)
{
    static uint8_t payload[1 << 16];
    uint8_t head[9];
    if (!hear_bytes(r, head, sizeof head)) {
        r->is_gone = true;
        return;
    }
    size_t n = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
    uint32_t stream =
        (uint32_t)head[5] << 24 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 8 | head[8];
    assert_true(n <= sizeof payload && hear_bytes(r, payload, n));
    r->opened += head[3] == HEADERS ? 1 : 0;
    r->is_gone |= head[3] == GOAWAY;
    if (head[3] == RST_STREAM) {
        r->refused_stream = stream;
        r->refused = payload[3];
    }
}

/* Opens streams until there are count of them, and waits for their headers. */
static uint32_t open_streams(raw *r, uint32_t first_id, size_t count)
{
    xmtp_writer w;
    uint32_t id = first_id;
    xmtp_writer_init(&w, &test_env()->alloc, XMTP_WRITER_MAX);
    for (size_t i = 0; i < count;) {
        size_t some = count - i < 500 ? count - i : 500;
        for (size_t k = 0; k < some; k++, id += 2) {
            put_stream(&w, id);
        }
        say(r, &w);
        i += some;
        while (r->opened < i) {
            hear(r);
            assert_false(r->is_gone);
        }
    }
    xmtp_writer_free(&w);
    return id;
}

static void expect_refused(raw *r, uint32_t id)
{
    xmtp_writer w;
    xmtp_writer_init(&w, &test_env()->alloc, XMTP_WRITER_MAX);
    put_stream(&w, id);
    say(r, &w);
    while (r->refused_stream != id) {
        hear(r);
        assert_false(r->is_gone);
    }
    assert_int_equal(r->refused, REFUSED_STREAM);
    xmtp_writer_free(&w);
}

static void cancel_stream(raw *r, uint32_t id)
{
    static const uint8_t code[4] = {0, 0, 0, CANCEL};
    xmtp_writer w;
    xmtp_writer_init(&w, &test_env()->alloc, XMTP_WRITER_MAX);
    put_frame(&w, RST_STREAM, 0, id, xmtp_bytes_of(code, sizeof code));
    say(r, &w);
    xmtp_writer_free(&w);
}

static void ten_thousand_streams_are_open_on_one_connection_and_one_more_is_refused(void **state)
{
    (void)state;
    enum { STREAMS = 10000 };
    xmtp_node *node = open_limited(&(xmtp_node_limits){0});
    raw r;
    open_raw(&r, node, false);
    uint32_t next = open_streams(&r, 1, STREAMS);
    assert_int_equal(r.opened, STREAMS);
    expect_refused(&r, next);
    cancel_stream(&r, 1); /* makes room for one */
    r.opened = 0;
    next = open_streams(&r, next + 2, 1);
    expect_refused(&r, next);
    (void)close(r.fd);
    xmtp_node_close(node);
}

static void who_knows_the_limit_of_streams_and_passes_it_loses_the_connection(void **state)
{
    (void)state;
    xmtp_node *node = open_limited(&(xmtp_node_limits){.connection_streams = 5});
    raw r;
    xmtp_writer w;
    open_raw(&r, node, true);
    uint32_t next = open_streams(&r, 1, 5);
    xmtp_writer_init(&w, &test_env()->alloc, XMTP_WRITER_MAX);
    put_stream(&w, next);
    say(&r, &w);
    while (!r.is_gone) {
        hear(&r);
    }
    xmtp_writer_free(&w);
    (void)close(r.fd);
    xmtp_node_close(node);
}

/* ---- connections and streams of one address */

static bool is_served(peer *p)
{
    peer_forget(p);
    return peer_say(p, "GET / HTTP/1.1\r\nHost: x\r\n\r\n") && peer_wait(p, "xmtp node\n");
}

static void an_address_may_have_so_many_connections_and_no_more(void **state)
{
    (void)state;
    enum { MAX = 3 };
    peer peers[MAX];
    xmtp_node *node = open_rated(&(xmtp_node_rates){.connections_open = MAX});
    for (size_t i = 0; i < MAX; i++) {
        peers[i] = peer_open(xmtp_node_port(node, 0));
        assert_true(is_served(&peers[i]));
    }
    peer extra = peer_open(xmtp_node_port(node, 0));
    assert_true(peer_wait_end(&extra));
    peer_close(&extra);
    for (size_t i = 0; i < MAX; i++) {
        assert_true(is_served(&peers[i])); /* those who are there stay */
    }
    peer_close(&peers[0]);
    bool is_in = false;
    for (int i = 0; i < 1000 && !is_in; i++) { /* until the node has seen the end */
        peers[0] = peer_open(xmtp_node_port(node, 0));
        is_in = is_served(&peers[0]);
        if (!is_in) {
            peer_close(&peers[0]);
        }
    }
    assert_true(is_in);
    for (size_t i = 0; i < MAX; i++) {
        peer_close(&peers[i]);
    }
    /* the loops count on */
    assert_true(__atomic_load_n(&node->metrics.connections_refused, __ATOMIC_RELAXED) >= 1);
    xmtp_node_close(node);
}

static void addresses_behind_a_proxy_are_counted_as_its_header_tells(void **state)
{
    (void)state;
    static const char first[] = "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n";
    static const char other[] = "PROXY TCP4 192.0.2.2 198.51.100.7 56324 443\r\n";
    xmtp_node_options options = {.env = test_env(),
                                 .listen = {"proxy=127.0.0.1:0"},
                                 .loops = 1,
                                 .rates = {.connections_open = 1}};
    xmtp_node *node = open_node(&options);
    peer a = peer_open(xmtp_node_port(node, 0));
    peer b = peer_open(xmtp_node_port(node, 0));
    peer c = peer_open(xmtp_node_port(node, 0));
    assert_true(peer_say(&a, first) && is_served(&a));
    assert_true(peer_say(&b, other) && is_served(&b));
    assert_true(peer_say(&c, first) && peer_wait_end(&c));
    assert_true(is_served(&a));
    peer_close(&a);
    peer_close(&b);
    peer_close(&c);
    xmtp_node_close(node);
}

static h2_call *subscribe(h2 *h)
{
    h2_call *call = h2_start(h, MLS "SubscribeGroupMessages", NULL, NULL);
    h2_say(h, call, 0, (xmtp_bytes){0});
    h2_half_close(h, call);
    while (!call->has_headers) {
        assert_true(h2_work(h, H2_WAIT_MS));
    }
    return call;
}

static void an_address_may_have_so_many_streams_and_no_more(void **state)
{
    (void)state;
    xmtp_node *node = open_rated(&(xmtp_node_rates){.streams_open = 2});
    h2 a;
    h2 b; /* of another connection, but the same address */
    h2_open(&a, xmtp_node_port(node, 0));
    h2_open(&b, xmtp_node_port(node, 0));
    h2_call *first = subscribe(&a);
    assert_true(first->is_subscribed && subscribe(&b)->is_subscribed);
    h2_call *extra = subscribe(&b);
    h2_wait_end(&b, extra);
    assert_int_equal(extra->grpc_status, XMTP_GRPC_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(extra->text, "2 streams of this address are open"));
    h2_call *bidi = h2_start(&b, MLS "Subscribe", NULL, NULL);
    h2_wait_end(&b, bidi);
    assert_int_equal(bidi->grpc_status, XMTP_GRPC_RESOURCE_EXHAUSTED);
    assert_int_equal(h2_unary(&b, "/grpc.health.v1.Health/Check", (xmtp_bytes){0})->grpc_status,
                     XMTP_GRPC_OK); /* which is no stream */
    assert_int_equal(
        nghttp2_submit_rst_stream(a.session, NGHTTP2_FLAG_NONE, first->stream_id, CANCEL), 0);
    h2_flush(&a);
    assert_int_equal(h2_unary(&a, "/grpc.health.v1.Health/Check", (xmtp_bytes){0})->grpc_status,
                     XMTP_GRPC_OK); /* by now the node has seen the reset */
    bool is_in = false;
    for (int i = 0; i < 1000 && !is_in; i++) { /* a worker may still have the stream */
        h2 c;
        h2_open(&c, xmtp_node_port(node, 0));
        is_in = subscribe(&c)->is_subscribed;
        h2_close(&c);
    }
    assert_true(is_in);
    h2_close(&a);
    h2_close(&b);
    xmtp_node_close(node);
}

/* ---- silent connections, and time */

/* gRPC-web has no calls of both directions: what is no stream takes no place of one. */
static void a_call_of_both_directions_over_grpc_web_takes_no_place_of_a_stream(void **state)
{
    (void)state;
    xmtp_node *node = open_rated(&(xmtp_node_rates){.streams_open = 2});
    for (int i = 0; i < 4; i++) {
        assert_true(posts(node, MLS "Subscribe", "application/grpc-web+proto", true, 32768,
                          "grpc-status: 12", "grpc-status: 8"));
    }
    xmtp_node_close(node);
}

static void so_many_connections_may_be_silent_and_the_oldest_makes_room(void **state)
{
    (void)state;
    enum { MAX = 3 };
    peer peers[MAX + 1];
    xmtp_node *node = open_limited(&(xmtp_node_limits){.silent_connections = MAX});
    for (size_t i = 0; i < MAX; i++) {
        peers[i] = peer_open(xmtp_node_port(node, 0));
    }
    assert_true(is_served(&peers[0])); /* is not silent any more, and all others are there */
    peers[MAX] = peer_open(xmtp_node_port(node, 0));
    assert_true(is_served(&peers[MAX]));
    peer more[2] = {peer_open(xmtp_node_port(node, 0)), peer_open(xmtp_node_port(node, 0))};
    assert_true(peer_wait_end(&peers[1])); /* of four the oldest */
    assert_true(is_served(&peers[2]) && is_served(&more[0]) && is_served(&more[1]));
    assert_true(is_served(&peers[0]));
    for (size_t i = 0; i <= MAX; i++) {
        peer_close(&peers[i]);
    }
    peer_close(&more[0]);
    peer_close(&more[1]);
    xmtp_node_close(node);
}

/* The clock is asked for each append: holding it there holds the sequencer. */
static pthread_mutex_t clock_lock = PTHREAD_MUTEX_INITIALIZER;

static uint64_t held_clock(void *context)
{
    (void)context;
    (void)pthread_mutex_lock(&clock_lock);
    (void)pthread_mutex_unlock(&clock_lock);
    return test_now_ns;
}

static void a_call_is_given_up_after_its_seconds(void **state)
{
    (void)state;
    xmtp_env env = *test_env();
    env.now_ns = held_clock;
    xmtp_node_options options = {
        .env = &env, .listen = {"127.0.0.1:0"}, .loops = 1, .limits = {.call_seconds = 1}};
    xmtp_node *node = open_node(&options);
    h2 h;
    xmtp_writer w;
    xmtp_writer message;
    struct timespec start;
    struct timespec end;
    xmtp_writer_init(&w, &test_env()->alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&message, &test_env()->alloc, XMTP_WRITER_MAX);
    test_message(&message, "a", TEST_APPLICATION, 1, 20);
    size_t input = xmtp_field_open(&w, 1);
    size_t v1 = xmtp_field_open(&w, 1);
    xmtp_field_put_bytes(&w, 1, xmtp_writer_bytes(&message));
    xmtp_field_close(&w, v1);
    xmtp_field_close(&w, input);
    h2_open(&h, xmtp_node_port(node, 0));
    (void)pthread_mutex_lock(&clock_lock);
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    h2_call *call = h2_unary(&h, MLS "SendGroupMessages", xmtp_writer_bytes(&w));
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    (void)pthread_mutex_unlock(&clock_lock);
    assert_int_equal(call->grpc_status, XMTP_GRPC_DEADLINE_EXCEEDED);
    int64_t ms = (end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000;
    assert_true(ms >= 990); /* not before its time; the loop counts whole milliseconds */
    h2_close(&h);
    xmtp_writer_free(&w);
    xmtp_writer_free(&message);
    xmtp_node_close(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_may_be_so_long_and_no_longer_whatever_carries_it),
        cmocka_unit_test(ten_thousand_streams_are_open_on_one_connection_and_one_more_is_refused),
        cmocka_unit_test(who_knows_the_limit_of_streams_and_passes_it_loses_the_connection),
        cmocka_unit_test(an_address_may_have_so_many_connections_and_no_more),
        cmocka_unit_test(addresses_behind_a_proxy_are_counted_as_its_header_tells),
        cmocka_unit_test(an_address_may_have_so_many_streams_and_no_more),
        cmocka_unit_test(a_call_of_both_directions_over_grpc_web_takes_no_place_of_a_stream),
        cmocka_unit_test(so_many_connections_may_be_silent_and_the_oldest_makes_room),
        cmocka_unit_test(a_call_is_given_up_after_its_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
