/* host.c - `./dev bench host`: what an idle client of a host costs.
 *
 *     node, caller   processes of their own
 *     this process   one host over loopback; after 1, 100, 1,000 ... clients, each with one
 *                    conversation and one message in it, all are parked and memory is counted
 *
 * Every row says what was allocated for the clients (ours, and SQLite's), and by how much the process
 * grew since before the first of them, each divided by their number; then what a message to a parked
 * client costs in CPU time. Ends with 0 when rows of 1,000 clients and more hold the goal of 50 KB.
 *
 *     XMTP_BENCH_CLIENTS   the largest number (1000)
 *     XMTP_BENCH_DIR       where the folder is made (build); 160 KB a client
 */
#include "store/query.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <xmtp/host.h>
#include <xmtp/node.h>

enum { ADDRESS_LEN = 42, WOKEN = 100, GOAL_KB = 50, LOSSES_MAX = 100 };

static const uint64_t QUIET_NS = UINT64_C(300000000);

typedef struct bench {
    pid_t node;
    pid_t caller;
    int to_caller;   /* addresses to write to */
    int from_caller; /* a byte for each that was written to */
    char url[64];
    char folder[512];
    xmtp_env env;
    xmtp_host *host;
    xmtp_client **clients;
    size_t count;
    xmtp_error error;
} bench;

static size_t allocated;

static void *counting(void *context, void *p, size_t n)
{
    (void)context;
    allocated -= p == NULL ? 0 : malloc_usable_size(p);
    if (n == 0) {
        free(p);
        return NULL;
    }
    p = realloc(p, n);
    allocated += malloc_usable_size(p);
    return p;
}

static void die(const char *what, const xmtp_error *error)
{
    fprintf(stderr, "bench_host: %s: %s\n", what, error == NULL ? "" : error->text);
    exit(1);
}

static void check(bench *b, const char *what, xmtp_status status)
{
    if (status != XMTP_OK) {
        die(what, &b->error);
    }
}

static double cpu_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Private memory of this process. */
static double process_kb(void)
{
    char line[256];
    double kb = 0;
    (void)malloc_trim(0);
    FILE *f = fopen("/proc/self/status", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        kb = strncmp(line, "RssAnon:", 8) == 0 ? strtod(line + 8, NULL) : kb;
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    return kb;
}

/* ---- the other processes */

static void run_node(int report)
{
    xmtp_node *node;
    xmtp_error error = {0};
    sigset_t set;
    int number;
    const xmtp_node_options options = {.listen = {"127.0.0.1:0"}};
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    if (xmtp_node_open(&node, &options, &error) != XMTP_OK) {
        die("node", &error);
    }
    uint16_t port = xmtp_node_port(node, 0);
    if (write(report, &port, sizeof port) != sizeof port) {
        die("node cannot report its port", NULL);
    }
    (void)sigwait(&set, &number);
    xmtp_node_close(node);
    exit(0);
}

static void run_caller(const char *url, int in, int out)
{
    xmtp_client *client;
    xmtp_error error = {0};
    char address[ADDRESS_LEN + 1] = "";
    const xmtp_client_options options = {.node_url = url};
    if (xmtp_client_open(&client, &options, &error) != XMTP_OK) {
        die("caller", &error);
    }
    while (read(in, address, ADDRESS_LEN) == ADDRESS_LEN) {
        xmtp_conversation_id dm;
        if (xmtp_client_dm(client, address, &dm, &error) != XMTP_OK ||
            xmtp_client_send_text(client, &dm, "hello", NULL, &error) != XMTP_OK) {
            die(address, &error);
        }
        if (write(out, "", 1) != 1) {
            die("caller cannot report", NULL);
        }
    }
    xmtp_client_close(client);
    exit(0);
}

static void start_node(bench *b)
{
    int report[2];
    uint16_t port;
    if (pipe(report) != 0 || (b->node = fork()) < 0) {
        die("no process for the node", NULL);
    }
    if (b->node == 0) {
        run_node(report[1]);
    }
    if (read(report[0], &port, sizeof port) != sizeof port) {
        die("node did not start", NULL);
    }
    (void)close(report[0]);
    (void)close(report[1]);
    (void)snprintf(b->url, sizeof b->url, "http://127.0.0.1:%u", port);
}

static void start_caller(bench *b)
{
    int to[2];
    int from[2];
    if (pipe(to) != 0 || pipe(from) != 0 || (b->caller = fork()) < 0) {
        die("no process for the caller", NULL);
    }
    if (b->caller == 0) {
        (void)close(to[1]);
        (void)close(from[0]);
        run_caller(b->url, to[0], from[1]);
    }
    (void)close(to[0]);
    (void)close(from[1]);
    b->to_caller = to[1];
    b->from_caller = from[0];
}

/* ---- the host */

static void start_host(bench *b)
{
    const char *dir = getenv("XMTP_BENCH_DIR");
    (void)snprintf(b->folder, sizeof b->folder, "%s/bench-host-XXXXXX",
                   dir == NULL ? "build" : dir);
    if (mkdtemp(b->folder) == NULL) {
        die(b->folder, NULL);
    }
    b->env = *xmtp_env_system();
    b->env.alloc.reallocate = counting;
    const xmtp_host_options options = {
        .node_url = b->url, .folder = b->folder, .env = &b->env, .park_after_ns = UINT64_MAX / 4};
    check(b, "host", xmtp_host_open(&b->host, &options, &b->error));
}

/* Until nothing comes for a while. How many news there were. */
static size_t poll_quiet(bench *b)
{
    size_t news = 0;
    int losses = 0;
    for (;;) {
        xmtp_client *client;
        xmtp_status status = xmtp_host_poll(b->host, QUIET_NS, &client, &b->error);
        if (status == XMTP_E_TIMEOUT) {
            return news;
        }
        if (status != XMTP_E_NETWORK || ++losses > LOSSES_MAX) { /* it reconnects */
            check(b, "poll", status);
        }
        news += client != NULL;
    }
}

static void open_one(bench *b)
{
    const xmtp_client_options options = {0};
    xmtp_client **out = &b->clients[b->count++];
    check(b, "client", xmtp_host_client_open(b->host, out, &options, &b->error));
}

/* Everybody from first on is written to. In between the host polls, as a host does: a connection that
 * nobody serves is closed by the node. How many news there were. */
static size_t call(bench *b, size_t first, size_t count)
{
    char done;
    size_t news = 0;
    for (size_t i = first; i < first + count; i++) {
        const char *address = xmtp_client_address(b->clients[i]);
        if (write(b->to_caller, address, ADDRESS_LEN) != ADDRESS_LEN ||
            read(b->from_caller, &done, 1) != 1) {
            die("caller is gone", NULL);
        }
        news += (i - first) % WOKEN == WOKEN - 1 ? poll_quiet(b) : 0;
    }
    return news;
}

/* ---- rows */

typedef struct base {
    size_t allocated;
    double sqlite;
    double process_kb;
} base;

static base measure(void)
{
    return (base){.process_kb = process_kb(),
                  .allocated = allocated,
                  .sqlite = (double)sqlite3_memory_used()};
}

static double wake_ms(bench *b)
{
    size_t count = b->count < WOKEN ? b->count : WOKEN;
    double start = cpu_ms();
    size_t news = call(b, 0, count);
    news += poll_quiet(b);
    double ms = cpu_ms() - start;
    if (news != count) {
        fprintf(stderr, "bench_host: %zu of %zu messages came\n", news, count);
        exit(1);
    }
    return ms / (double)count;
}

static bool row(bench *b, size_t clients, const base *before)
{
    size_t first = b->count;
    double start = cpu_ms();
    while (b->count < clients) {
        open_one(b);
    }
    double open_ms = (cpu_ms() - start) / (double)(clients - first);
    (void)poll_quiet(b);
    (void)call(b, first, clients - first);
    (void)poll_quiet(b);
    xmtp_host_park_all(b->host);
    base now = measure();
    xmtp_host_counts counts;
    xmtp_host_count(b->host, &counts);
    double n = (double)clients;
    double kb = (now.process_kb - before->process_kb) / n;
    double ours = (double)(now.allocated - before->allocated) / 1024 / n;
    double sqlite = (now.sqlite - before->sqlite) / 1024 / n;
    double woken_ms = wake_ms(b);
    printf("| %zu | %.1f | %.1f | %.1f | %zu | %.1f | %.1f |\n", clients, kb, ours, sqlite,
           counts.streams, open_ms, woken_ms);
    (void)fflush(stdout);
    xmtp_host_park_all(b->host);
    return clients < 1000 || kb <= GOAL_KB;
}

static void end(bench *b)
{
    xmtp_host_close(b->host);
    (void)close(b->to_caller);
    (void)waitpid(b->caller, NULL, 0);
    (void)kill(b->node, SIGTERM);
    (void)waitpid(b->node, NULL, 0);
    char name[600];
    (void)snprintf(name, sizeof name, "%s/host.lock", b->folder);
    (void)unlink(name);
    (void)rmdir(b->folder);
    free(b->clients);
}

int main(void)
{
    static const size_t sizes[] = {1, 100, 1000, 10000, 100000};
    const char *most = getenv("XMTP_BENCH_CLIENTS");
    size_t max = most == NULL ? 1000 : (size_t)strtoul(most, NULL, 10);
    bench b = {.clients = calloc(sizes[4], sizeof *b.clients)};
    bool holds = true;
    start_node(&b);
    start_caller(&b);
    start_host(&b);
    base before = measure();
    printf("| clients | KB each: process | ours | SQLite | streams | open, ms CPU | message to a "
           "parked one, ms CPU |\n|---:|---:|---:|---:|---:|---:|---:|\n");
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] && sizes[i] <= max; i++) {
        holds = row(&b, sizes[i], &before) && holds;
    }
    end(&b);
    printf("goal of %d KB for an idle client among 1,000 and more: %s\n", GOAL_KB,
           max < 1000 ? "not measured"
           : holds    ? "holds"
                      : "missed");
    return holds ? 0 : 1;
}
