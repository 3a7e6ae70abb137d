/* node.c - `./dev bench node`: a node in a process of its own on a real disk, and a load generator.
 *
 * Shapes are those in which figures of other nodes are published (node.md 7): 256 B, 512 B and
 * 5 KB, 100 workers on 10 connections, the calls of one wallet application's day. Every row is
 * printed with its latencies, the CPU time the node spent on one call, and, where there is one, its
 * goal; the machine's floor is measured in the same run. Ends with 0 when all goals hold.
 *
 *     XMTP_BENCH_SECONDS   of each row (1.5)
 *     XMTP_BENCH_STREAMS   open streams (20000)
 *     XMTP_BENCH_DIR       where the node's folder is made (build)
 *     XMTP_BENCH_ONLY      only rows whose name contains this
 */
#include "identity/update.h"
#include "node_floor.h"
#include "node_load.h"
#include "proto/field.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <xmtp/node.h>

#define MLS      "/xmtp.mls.api.v1.MlsApi/"
#define IDENTITY "/xmtp.identity.api.v1.IdentityApi/"

enum {
    GROUPS = 200,
    HISTORY = 200, /* messages of each group, 500 B */
    INBOXES = 100,
    HEADS = 10000, /* groups with one message, for the stream that reconnects */
    GROUP_ID_LEN = 16,
    STREAM_TOPICS = 100,
    LIVE_PER_S = 2000,
    LIVE_SECONDS = 3,
};

typedef struct bench {
    pid_t node;
    uint16_t port;
    char dir[512];
    double seconds;
    const char *only;
    load load;
    uint64_t number; /* of the next message: none is sent twice */
    char addresses[INBOXES][XMTP_ADDRESS_LEN + 1];
    char inbox_ids[INBOXES][XMTP_INBOX_ID_LEN + 1];
    size_t size; /* of messages that are published */
    double echo_per_s;
    double syncs_per_s;
    int missed;
} bench;

/* ---- processes */

/* Reports its port and runs until it is told to stop. */
static void run_node(const char *dir, int report)
{
    xmtp_node *node;
    xmtp_error error = {0};
    sigset_t set;
    int signal_number;
    xmtp_node_options options = {.data_dir = dir, .listen = {"127.0.0.1:0"}};
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    if (xmtp_node_open(&node, &options, &error) != XMTP_OK) {
        bench_die("node", error.text);
    }
    uint16_t port = xmtp_node_port(node, 0);
    if (write(report, &port, sizeof port) != sizeof port) {
        bench_die("node", "cannot report its port");
    }
    (void)sigwait(&set, &signal_number);
    xmtp_node_close(node);
    exit(0);
}

static void start_node(bench *b)
{
    int report[2];
    if (pipe(report) != 0 || (b->node = fork()) < 0) {
        bench_die("node", "cannot make a process");
    }
    if (b->node == 0) {
        (void)close(report[0]);
        run_node(b->dir, report[1]);
    }
    (void)close(report[1]);
    if (read(report[0], &b->port, sizeof b->port) != sizeof b->port) {
        bench_die("node", "did not start");
    }
    (void)close(report[0]);
}

static double node_cpu_s(const bench *b)
{
    clockid_t clock;
    struct timespec t = {0};
    if (clock_getcpuclockid(b->node, &clock) == 0) {
        (void)clock_gettime(clock, &t);
    }
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double node_memory_mib(const bench *b)
{
    char path[64];
    char line[256];
    double kib = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)b->node);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, "RssAnon:", 8) == 0) {
            kib = strtod(line + 8, NULL);
        }
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    return kib / 1024;
}

/* ---- rows */

typedef struct goal {
    double per_s;  /* at least; 0: none */
    double p50_ms; /* less than; 0: none */
    double p99_ms;
} goal;

static const char *verdict(bench *b, bool has_goal, bool holds)
{
    b->missed += has_goal && !holds ? 1 : 0;
    return !has_goal ? "" : holds ? "holds" : "MISSED";
}

static void goal_text(char *out, size_t n, const goal *g)
{
    int at = 0;
    out[0] = '\0';
    if (g->per_s > 0) {
        at += snprintf(out + at, n - (size_t)at, ">= %.0f/s ", g->per_s);
    }
    if (g->p50_ms > 0) {
        at += snprintf(out + at, n - (size_t)at, "p50 < %g ms ", g->p50_ms);
    }
    if (g->p99_ms > 0) {
        (void)snprintf(out + at, n - (size_t)at, "p99 < %g ms ", g->p99_ms);
    }
}

static void print_row(bench *b, const char *name, double per_s, samples *s, double cpu_us,
                      const goal *g, double floor_per_s)
{
    char text[96];
    char floor[48] = "";
    samples_sort(s);
    double p50 = samples_ms(s, 0.5);
    double p99 = samples_ms(s, 0.99);
    bool holds = per_s >= g->per_s && (g->p50_ms <= 0 || p50 < g->p50_ms) &&
                 (g->p99_ms <= 0 || p99 < g->p99_ms);
    goal_text(text, sizeof text, g);
    if (floor_per_s > 0) {
        (void)snprintf(floor, sizeof floor, "%.0f/s, %.2f", floor_per_s, floor_per_s / per_s);
    }
    (void)printf("| %-34s | %9.0f | %7.2f | %7.2f | %7.1f | %-16s | %s%s |\n", name, per_s, p50,
                 p99, cpu_us, floor, text, verdict(b, text[0] != '\0', holds));
    (void)fflush(stdout);
}

static bool is_wanted(const bench *b, const char *name)
{
    return b->only == NULL || strstr(name, b->only) != NULL;
}

static void row(bench *b, const char *name,
                const char *(*ask)(void *, size_t, xmtp_writer *, bool *), const goal *g,
                double floor_per_s)
{
    samples s = {0};
    load_job job = {.context = b, .ask = ask};
    if (!is_wanted(b, name)) {
        return;
    }
    double cpu_s = node_cpu_s(b);
    double seconds = load_run(&b->load, &job, b->seconds, &s);
    cpu_s = (node_cpu_s(b) - cpu_s) * seconds / (seconds + 0.2); /* the warm-up is not counted */
    print_row(b, name, (double)s.count / seconds, &s, cpu_s * 1e6 / (double)s.count, g,
              floor_per_s);
    free(s.ns100);
}

/* ---- requests */

static void group_id(uint8_t out[GROUP_ID_LEN], char space, uint64_t i)
{
    memset(out, space, GROUP_ID_LEN);
    for (int k = 0; k < 8; k++) {
        out[GROUP_ID_LEN - 1 - k] = (uint8_t)(i >> (8 * k));
    }
}

/* A PrivateMessage (RFC 9420 section 6.3) of about size bytes, its number and time inside. */
static void put_message(bench *b, xmtp_writer *w, const uint8_t *group, size_t size)
{
    uint64_t number = b->number++;
    xmtp_writer_u16(w, 1);
    xmtp_writer_u16(w, 2);
    xmtp_writer_vec(w, xmtp_bytes_of(group, GROUP_ID_LEN));
    xmtp_writer_u64(w, 1);
    xmtp_writer_u8(w, 1);
    xmtp_writer_vec(w, (xmtp_bytes){0});
    xmtp_writer_vec(w, xmtp_bytes_of(group, GROUP_ID_LEN));
    size_t mark = xmtp_writer_vec_open(w);
    xmtp_writer_u64(w, number);
    xmtp_writer_put(w, xmtp_bytes_of_string("SENT-AT:"));
    xmtp_writer_u64(w, xmtp_tcp_now_ns());
    size_t rest = size > 80 ? size - 80 : 1;
    uint8_t *p = xmtp_writer_extend(w, rest);
    memset(p, (int)number, rest);
    xmtp_writer_vec_close(w, mark);
}

static void put_send(bench *b, xmtp_writer *w, const uint8_t *group, size_t size)
{
    static const uint8_t hmac[32] = {1};
    size_t input = xmtp_field_open(w, 1);
    size_t v1 = xmtp_field_open(w, 1);
    size_t data = xmtp_field_open(w, 1);
    put_message(b, w, group, size);
    xmtp_field_close(w, data);
    xmtp_field_put_bytes(w, 2, xmtp_bytes_of(hmac, sizeof hmac));
    xmtp_field_put_u64(w, 3, 1);
    xmtp_field_close(w, v1);
    xmtp_field_close(w, input);
}

static const char *ask_publish(void *context, size_t worker, xmtp_writer *w, bool *is_stream)
{
    bench *b = context;
    uint8_t group[GROUP_ID_LEN];
    (void)is_stream;
    group_id(group, 'p', worker + b->number % 10 * LOAD_WORKERS);
    put_send(b, w, group, b->size);
    return MLS "SendGroupMessages";
}

static void put_query(xmtp_writer *w, const uint8_t *topic, size_t n, uint64_t cursor)
{
    xmtp_field_put_bytes(w, 1, xmtp_bytes_of(topic, n));
    size_t paging = xmtp_field_open(w, 2);
    xmtp_field_put_u64(w, 1, 1);
    xmtp_field_put_u64(w, 2, 100);
    xmtp_field_put_u64(w, 3, cursor);
    xmtp_field_close(w, paging);
}

static const char *ask_page(void *context, size_t worker, xmtp_writer *w, bool *is_stream)
{
    bench *b = context;
    uint8_t group[GROUP_ID_LEN];
    (void)is_stream;
    group_id(group, 'h', (worker * 7 + b->number++) % GROUPS);
    put_query(w, group, sizeof group, 0);
    return MLS "QueryGroupMessages";
}

static const char *ask_empty(void *context, size_t worker, xmtp_writer *w, bool *is_stream)
{
    bench *b = context;
    uint8_t group[GROUP_ID_LEN];
    (void)is_stream;
    group_id(group, 'h', (worker * 7 + b->number++) % GROUPS);
    put_query(w, group, sizeof group, UINT64_C(1) << 40);
    return MLS "QueryGroupMessages";
}

static const char *ask_inbox(void *context, size_t worker, xmtp_writer *w, bool *is_stream)
{
    bench *b = context;
    (void)is_stream;
    size_t request = xmtp_field_open(w, 1);
    xmtp_field_put_bytes(w, 1,
                         xmtp_bytes_of_string(b->addresses[(worker + b->number++) % INBOXES]));
    xmtp_field_put_u64(w, 2, 1);
    xmtp_field_close(w, request);
    return IDENTITY "GetInboxIds";
}

static void put_filters(xmtp_writer *w, char space, uint64_t first, size_t count, uint64_t cursor)
{
    uint8_t group[GROUP_ID_LEN];
    for (size_t i = 0; i < count; i++) {
        group_id(group, space, first + i);
        size_t filter = xmtp_field_open(w, 1);
        xmtp_field_put_bytes(w, 1, xmtp_bytes_of(group, sizeof group));
        xmtp_field_put_u64(w, 2, cursor);
        xmtp_field_close(w, filter);
    }
}

static const char *ask_welcomes(bench *b, size_t worker, xmtp_writer *w)
{
    uint8_t key[GROUP_ID_LEN];
    group_id(key, 'w', worker + b->number++ % 1000);
    put_query(w, key, sizeof key, 0);
    return MLS "QueryWelcomeMessages";
}

static const char *ask_commit_log(bench *b, size_t worker, xmtp_writer *w)
{
    for (size_t i = 0; i < 20; i++) {
        uint8_t group[GROUP_ID_LEN];
        group_id(group, 'h', (worker + i + b->number) % GROUPS);
        size_t request = xmtp_field_open(w, 1);
        put_query(w, group, sizeof group, 0);
        xmtp_field_close(w, request);
    }
    b->number++;
    return MLS "BatchQueryCommitLog";
}

/* Of 470 calls a day of one user: node.md 7.1; the rest is pages of messages and what is sent. */
static const char *ask_mix(void *context, size_t worker, xmtp_writer *w, bool *is_stream)
{
    bench *b = context;
    uint64_t draw = (b->number++ * 2654435761U >> 8) % 470;
    if (draw < 311) {
        return ask_inbox(context, worker, w, is_stream);
    }
    if (draw < 311 + 46) {
        *is_stream = true;
        put_filters(w, 'w', worker, 1, 0);
        return MLS "SubscribeWelcomeMessages";
    }
    if (draw < 311 + 46 + 28) {
        return ask_welcomes(b, worker, w);
    }
    if (draw < 311 + 46 + 28 + 26) {
        return ask_commit_log(b, worker, w);
    }
    if (draw < 311 + 46 + 28 + 26 + 23) {
        *is_stream = true;
        put_filters(w, 'h', worker, 20, UINT64_C(1) << 40);
        return MLS "SubscribeGroupMessages";
    }
    return draw < 466 ? ask_empty(context, worker, w, is_stream)
                      : ask_publish(context, worker, w, is_stream);
}

/* ---- what is there before */

static void fill_groups(bench *b, wire *w, char space, size_t groups, size_t messages, size_t size)
{
    xmtp_writer request;
    xmtp_writer_init(&request, bench_alloc(), XMTP_WRITER_MAX);
    for (size_t i = 0; i < groups * messages;) {
        xmtp_writer_clear(&request);
        for (size_t n = 0; n < 500 && i < groups * messages; n++, i++) {
            uint8_t group[GROUP_ID_LEN];
            group_id(group, space, i % groups);
            put_send(b, &request, group, size);
        }
        bench_call(w, MLS "SendGroupMessages", xmtp_writer_bytes(&request));
    }
    xmtp_writer_free(&request);
}

static void fill_inboxes(bench *b, wire *w)
{
    xmtp_writer request;
    xmtp_writer_init(&request, bench_alloc(), XMTP_WRITER_MAX);
    for (size_t i = 0; i < INBOXES; i++) {
        xmtp_wallet wallet;
        xmtp_installation installation;
        uint8_t *update = NULL;
        size_t n = 0;
        xmtp_error error = {0};
        const xmtp_env *env = xmtp_env_system();
        if (xmtp_wallet_generate(env, &wallet) != XMTP_OK ||
            xmtp_installation_generate(env, &installation) != XMTP_OK) {
            bench_die("inbox", "no keys");
        }
        xmtp_signer signer = xmtp_signer_of_wallet(&wallet);
        if (xmtp_identity_update_register(bench_alloc(), &signer, 1, &installation,
                                          env->now_ns(env->context), b->inbox_ids[i], &update, &n,
                                          &error) != XMTP_OK) {
            bench_die("inbox", error.text);
        }
        memcpy(b->addresses[i], wallet.address, sizeof b->addresses[i]);
        xmtp_writer_clear(&request);
        xmtp_field_put_bytes(&request, 1, xmtp_bytes_of(update, n));
        bench_call(w, IDENTITY "PublishIdentityUpdate", xmtp_writer_bytes(&request));
        free(update);
        xmtp_wallet_wipe(&wallet);
        xmtp_installation_wipe(&installation);
    }
    xmtp_writer_free(&request);
}

static void check_answer(void *context, size_t worker, xmtp_bytes answer)
{
    size_t *total = context;
    (void)worker;
    *total += answer.n;
}

/* Pages must have their rows and inboxes must be found, or the rows above would measure nothing. */
static void check_answers(bench *b)
{
    xmtp_writer request;
    bool is_stream;
    size_t total[2] = {0};
    const char *(*asks[2])(void *, size_t, xmtp_writer *, bool *) = {ask_page, ask_inbox};
    xmtp_writer_init(&request, bench_alloc(), XMTP_WRITER_MAX);
    for (size_t i = 0; i < 2; i++) {
        load_worker w = {.wire = b->load.wires[0]};
        load_job job = {.context = &total[i], .answer = check_answer};
        bool readable;
        xmtp_writer_clear(&request);
        const char *path = asks[i](b, 0, &request, &is_stream);
        w.call = bench_start(w.wire, path, xmtp_writer_bytes(&request));
        while (!load_take(&w, 0, &job)) {
            wires_wait(&w.wire, 1, 1000, &readable);
        }
        xmtp_rpc_client_call_free(w.call);
    }
    xmtp_writer_free(&request);
    if (total[0] < (size_t)100 * 500 || total[1] < 100) {
        bench_die("answers", "are shorter than they must be");
    }
}

/* ---- live delivery */

typedef struct live {
    bench *b;
    wire *sender;
    wire *reader;
    xmtp_rpc_client_call *streams[10];
    samples latencies;
    size_t sent;
    size_t received;
} live;

static void live_read(live *l)
{
    uint64_t now_ns = xmtp_tcp_now_ns();
    for (size_t i = 0; i < 10; i++) {
        xmtp_bytes message;
        xmtp_error error = {0};
        xmtp_status status = xmtp_rpc_client_call_next(l->streams[i], &message, &error);
        for (; status == XMTP_OK;
             status = xmtp_rpc_client_call_next(l->streams[i], &message, &error)) {
            const uint8_t *p = memmem(message.p, message.n, "SENT-AT:", 8);
            uint64_t sent_ns = 0;
            for (int k = 0; p != NULL && k < 8; k++) {
                sent_ns = sent_ns << 8 | p[8 + k];
            }
            samples_add(&l->latencies, now_ns - sent_ns);
            l->received++;
        }
        if (status != XMTP_E_RETRY) {
            bench_die("live", error.text);
        }
    }
}

/* Sends what is due now; a call's answer is not waited for. */
static void live_send(live *l, uint64_t start_ns, xmtp_rpc_client_call **calls)
{
    xmtp_writer request;
    xmtp_writer_init(&request, bench_alloc(), XMTP_WRITER_MAX);
    size_t due = (size_t)((xmtp_tcp_now_ns() - start_ns) * LIVE_PER_S / 1000000000U);
    for (; l->sent < due && l->sent < (size_t)LIVE_PER_S * LIVE_SECONDS; l->sent++) {
        uint8_t group[GROUP_ID_LEN];
        group_id(group, 'l', l->sent % 100);
        xmtp_writer_clear(&request);
        put_send(l->b, &request, group, 256);
        calls[l->sent] =
            bench_start(l->sender, MLS "SendGroupMessages", xmtp_writer_bytes(&request));
    }
    xmtp_writer_free(&request);
}

static void live_run(live *l)
{
    static xmtp_rpc_client_call *calls[LIVE_PER_S * LIVE_SECONDS];
    wire *wires[2] = {l->sender, l->reader};
    bool readable[2];
    uint64_t start_ns = xmtp_tcp_now_ns();
    while (l->received < (size_t)LIVE_PER_S * LIVE_SECONDS) {
        live_send(l, start_ns, calls);
        wires_wait(wires, 2, 1, readable);
        if (readable[1]) {
            live_read(l);
        }
        if (xmtp_tcp_now_ns() - start_ns > (uint64_t)(LIVE_SECONDS + 20) * 1000000000U) {
            bench_die("live", "messages are missing");
        }
    }
    for (size_t i = 0; i < l->sent; i++) {
        xmtp_rpc_client_call_free(calls[i]);
    }
}

static void row_live(bench *b)
{
    static const goal g = {.p50_ms = 1, .p99_ms = 10};
    static const char name[] = "live delivery at 2,000/s, 256 B";
    live l = {.b = b, .sender = b->load.wires[0], .reader = b->load.wires[1]};
    xmtp_writer request;
    bool readable;
    if (!is_wanted(b, name)) {
        return;
    }
    xmtp_writer_init(&request, bench_alloc(), XMTP_WRITER_MAX);
    for (size_t i = 0; i < 10; i++) {
        xmtp_writer_clear(&request);
        put_filters(&request, 'l', 10 * i, 10, 0);
        l.streams[i] =
            bench_start(l.reader, MLS "SubscribeGroupMessages", xmtp_writer_bytes(&request));
        while (!xmtp_rpc_client_call_has_headers(l.streams[i])) {
            wires_wait(&l.reader, 1, 1000, &readable);
        }
    }
    xmtp_writer_free(&request);
    double cpu_s = node_cpu_s(b);
    live_run(&l);
    cpu_s = node_cpu_s(b) - cpu_s;
    print_row(b, name, (double)LIVE_PER_S, &l.latencies, cpu_s * 1e6 / (double)l.received, &g, 0);
    for (size_t i = 0; i < 10; i++) {
        xmtp_rpc_client_call_free(l.streams[i]);
    }
    free(l.latencies.ns100);
}

/* ---- many streams */

/* Opens count streams with STREAM_TOPICS topics of their own each; returns when all are open. */
static void open_streams(bench *b, xmtp_rpc_client_call **streams, size_t count)
{
    xmtp_writer request;
    bool readable[LOAD_WIRES];
    xmtp_writer_init(&request, bench_alloc(), XMTP_WRITER_MAX);
    for (size_t i = 0; i < count; i++) {
        xmtp_writer_clear(&request);
        put_filters(&request, 's', i * STREAM_TOPICS, STREAM_TOPICS, 0);
        streams[i] = bench_start(b->load.wires[i % LOAD_WIRES], MLS "SubscribeGroupMessages",
                                 xmtp_writer_bytes(&request));
        while (i % 100 == 99 && !xmtp_rpc_client_call_has_headers(streams[i])) {
            wires_wait(b->load.wires, LOAD_WIRES, 100, readable);
        }
    }
    for (size_t i = 0; i < count;) {
        if (xmtp_rpc_client_call_has_headers(streams[i])) {
            i++;
        } else {
            wires_wait(b->load.wires, LOAD_WIRES, 100, readable);
        }
    }
    xmtp_writer_free(&request);
}

/* One message to every hundredth stream; each must come. */
static void probe_streams(bench *b, xmtp_rpc_client_call **streams, size_t count)
{
    xmtp_writer request;
    bool readable[LOAD_WIRES];
    xmtp_writer_init(&request, bench_alloc(), XMTP_WRITER_MAX);
    for (size_t i = 0; i < count; i += 100) {
        uint8_t group[GROUP_ID_LEN];
        xmtp_bytes message;
        group_id(group, 's', i * STREAM_TOPICS + i % STREAM_TOPICS);
        xmtp_writer_clear(&request);
        put_send(b, &request, group, 256);
        bench_call(b->load.wires[0], MLS "SendGroupMessages", xmtp_writer_bytes(&request));
        while (xmtp_rpc_client_call_next(streams[i], &message, NULL) == XMTP_E_RETRY) {
            wires_wait(b->load.wires, LOAD_WIRES, 1000, readable);
        }
    }
    xmtp_writer_free(&request);
}

static void row_streams(bench *b, size_t count)
{
    if (!is_wanted(b, "streams")) {
        return;
    }
    xmtp_rpc_client_call **streams = calloc(count, sizeof *streams);
    double before_mib = node_memory_mib(b);
    uint64_t start_ns = xmtp_tcp_now_ns();
    open_streams(b, streams, count);
    double seconds = (double)(xmtp_tcp_now_ns() - start_ns) / 1e9;
    probe_streams(b, streams, count);
    double mib = node_memory_mib(b) - before_mib;
    bool holds = mib <= 1536;
    (void)printf(
        "\n%zu streams with %d topics each: opened in %.2f s, %.0f MiB of the node's memory "
        "(%.1f KiB a stream); goal <= 1536 MiB %s\n",
        count, STREAM_TOPICS, seconds, mib, mib * 1024 / (double)count, verdict(b, true, holds));
    for (size_t i = 0; i < count; i++) {
        xmtp_rpc_client_call_free(streams[i]);
    }
    free(streams);
}

static void row_reconnect(bench *b)
{
    enum { TIMES = 20 };
    samples s = {0};
    xmtp_writer request;
    bool readable;
    wire *w = b->load.wires[0];
    if (!is_wanted(b, "reconnect")) {
        return;
    }
    xmtp_writer_init(&request, bench_alloc(), XMTP_WRITER_MAX);
    put_filters(&request, 'r', 0, HEADS, UINT64_C(1) << 40);
    for (int i = 0; i < TIMES; i++) {
        uint64_t start_ns = xmtp_tcp_now_ns();
        xmtp_rpc_client_call *call =
            bench_start(w, MLS "SubscribeGroupMessages", xmtp_writer_bytes(&request));
        while (!xmtp_rpc_client_call_has_headers(call)) {
            wires_wait(&w, 1, 1000, &readable);
        }
        samples_add(&s, xmtp_tcp_now_ns() - start_ns);
        xmtp_rpc_client_call_free(call);
        wire_write(w);
    }
    samples_sort(&s);
    double worst = samples_ms(&s, 1);
    (void)printf("reconnect of a current stream with %d topics: p50 %.2f ms, worst of %d %.2f ms; "
                 "goal < 20 ms %s\n",
                 HEADS, samples_ms(&s, 0.5), TIMES, worst,
                 verdict(b, true, samples_ms(&s, 0.5) < 20));
    free(s.ns100);
    xmtp_writer_free(&request);
}

/* ---- the floor */

static void measure_echo(bench *b)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, LOAD_WIRES) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &n) != 0) {
        bench_die("floor", "cannot listen");
    }
    pid_t child = fork();
    if (child == 0) {
        echo_serve(listener);
        _exit(0);
    }
    load *l = malloc(sizeof *l);
    samples s = {0};
    load_job job = {.context = b, .ask = ask_inbox};
    load_open(l, ntohs(address.sin_port));
    double seconds = load_run(l, &job, b->seconds, &s);
    b->echo_per_s = (double)s.count / seconds;
    samples_sort(&s);
    (void)printf("floor: an nghttp2 server that echoes: %.0f/s, p50 %.2f ms, p99 %.2f ms\n",
                 b->echo_per_s, samples_ms(&s, 0.5), samples_ms(&s, 0.99));
    load_close(l);
    free(l);
    free(s.ns100);
    (void)close(listener);
    (void)waitpid(child, NULL, 0);
}

static void measure_floor(bench *b)
{
    b->syncs_per_s = floor_syncs_per_s(b->dir, (size_t)LOAD_WORKERS * 400);
    (void)printf("floor: %.0f syncs a second of %d messages of 256 B each, so %.0f messages/s\n",
                 b->syncs_per_s, LOAD_WORKERS, b->syncs_per_s * LOAD_WORKERS);
    measure_echo(b);
    (void)printf("\n");
}

/* ---- all of it */

static void publish_rows(bench *b)
{
    static const goal publish = {.per_s = 15000, .p99_ms = 20};
    static const goal none = {0};
    double floor = b->syncs_per_s * LOAD_WORKERS;
    floor = floor < b->echo_per_s ? floor : b->echo_per_s;
    b->size = 256;
    row(b, "publish 256 B, durable", ask_publish, &publish, floor);
    b->size = 512;
    row(b, "publish 512 B, durable", ask_publish, &none, floor);
    b->size = 5 * 1024;
    row(b, "publish 5 KB, durable", ask_publish, &none, floor);
    b->size = 256;
}

static void read_rows(bench *b)
{
    static const goal pages = {.per_s = 6000};
    static const goal empty = {.per_s = 60000};
    static const goal inboxes = {.per_s = 80000};
    static const goal none = {0};
    row(b, "QueryGroupMessages, 100 x 500 B", ask_page, &pages, 0);
    row(b, "QueryGroupMessages, nothing new", ask_empty, &empty, b->echo_per_s);
    row(b, "GetInboxIds", ask_inbox, &inboxes, b->echo_per_s);
    row(b, "the mix of a wallet application", ask_mix, &none, 0);
}

static void clean_up(bench *b)
{
    char command[600];
    (void)kill(b->node, SIGTERM);
    (void)waitpid(b->node, NULL, 0);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", b->dir);
    if (system(command) != 0) {
        (void)fprintf(stderr, "bench_node: %s is left\n", b->dir);
    }
}

static double number_of(const char *name, double otherwise)
{
    const char *text = getenv(name);
    return text == NULL ? otherwise : strtod(text, NULL);
}

static void set_up(bench *b)
{
    const char *dir = getenv("XMTP_BENCH_DIR");
    b->seconds = number_of("XMTP_BENCH_SECONDS", 1.5);
    b->only = getenv("XMTP_BENCH_ONLY");
    (void)snprintf(b->dir, sizeof b->dir, "%s/bench-node-XXXXXX", dir == NULL ? "build" : dir);
    if (mkdtemp(b->dir) == NULL) {
        bench_die(b->dir, "cannot be made; run it in the repository, or set XMTP_BENCH_DIR");
    }
    start_node(b);
    load_open(&b->load, b->port);
    fill_inboxes(b, b->load.wires[0]);
    fill_groups(b, b->load.wires[0], 'h', GROUPS, HISTORY, 500);
    fill_groups(b, b->load.wires[0], 'r', HEADS, 1, 256);
    check_answers(b);
}

int main(void)
{
    static bench b;
    set_up(&b);
    (void)printf("%ld cores, %d workers on %d connections, generator on the same machine\n",
                 sysconf(_SC_NPROCESSORS_ONLN), LOAD_WORKERS, LOAD_WIRES);
    measure_floor(&b);
    (void)printf("| operation | per s | p50 ms | p99 ms | node CPU us | floor, ratio | goal |\n"
                 "|---|---:|---:|---:|---:|---|---|\n");
    publish_rows(&b);
    read_rows(&b);
    row_live(&b);
    row_reconnect(&b);
    row_streams(&b, (size_t)number_of("XMTP_BENCH_STREAMS", 20000));
    load_close(&b.load);
    clean_up(&b);
    (void)printf("\n%s\n", b.missed == 0 ? "all goals hold" : "goals are missed");
    return b.missed == 0 ? 0 : 1;
}
