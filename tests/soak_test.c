/* soak_test.c - no message is lost, doubled or out of order: many writers, many groups, subscribers
 * that stall and reconnect, a node that is killed, a disk that fills up.
 *
 *     writers ----> node (a process of its own) ----> subscribers, each of some of the groups
 *                     ^ SIGKILL every few seconds, and started again on the same folder and port
 *                     ^ room for a few more bytes only, in the middle of a batch, for a while
 *
 * The disk is full by RLIMIT_FSIZE of the node's process: no root is needed, and the write that
 * finds it full is cut short as on a real one. At every other time the node is killed while it is
 * full, and has to start on the full disk.
 *
 * Every message carries its number. A writer sends each until it is acknowledged; a subscriber
 * checks that the ids of each group ascend, also over reconnects and restarts, and at the end that
 * it has seen every number of its groups exactly once. Short by default; `./dev soak` runs it long,
 * `./dev soak 20000 full` only the disk that fills, with so many messages.
 */
#include "node/test_folder.h"
#include "node/test_node.h"
#include "proto/field.h"
#include "rpc/grpc_transport.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

enum {
    WRITERS_MAX = 50,
    SUBSCRIBERS_MAX = 20,
    BATCH_MAX = 16,
    GROUP_LEN = 16,
    PATIENCE_S = 120,
    LOOK_MS = 2
};

typedef struct plan {
    size_t messages;
    size_t groups;
    size_t writers;
    size_t subscribers;
    uint64_t kill_every_ms; /* 0: never */
    uint64_t fill_every_ms; /* 0: never; how long there is room */
    size_t after;           /* but neither before so many more were acknowledged */
} plan;

typedef struct soak {
    plan plan;
    test_folder folder;
    char url[64];
    pid_t node;
    atomic_size_t next_number; /* the next message that nobody has taken */
    atomic_size_t acknowledged;
    atomic_size_t delivered;
    atomic_size_t kills;
    size_t fills;
    uint64_t room_len; /* how long a file of the node may be; 0: any length */
    atomic_bool has_failed;
} soak;

/* ---- the node's process */

static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n), 0);
    (void)close(fd);
    return ntohs(address.sin_port);
}

/* What this program does when it is started as `soak_test --node DIR ADDRESS`. */
static int run_node(const char *dir, const char *address)
{
    xmtp_node *node;
    xmtp_error error = {0};
    sigset_t set;
    int signal_number;
    xmtp_node_options options = {.data_dir = dir, .listen = {address}};
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* as the program does: a full disk */
    if (xmtp_node_open(&node, &options, &error) != XMTP_OK) {
        (void)fprintf(stderr, "soak: node: %s\n", error.text);
        return 3;
    }
    (void)sigwait(&set, &signal_number);
    xmtp_node_close(node);
    return 0;
}

/* Of a process, 0: this one. Soft, so that it can be lifted again. */
static void limit_files(pid_t pid, uint64_t len)
{
    struct rlimit limit;
    assert_int_equal(prlimit(pid, RLIMIT_FSIZE, NULL, &limit), 0);
    limit.rlim_cur = len == 0 ? limit.rlim_max : len;
    assert_int_equal(prlimit(pid, RLIMIT_FSIZE, &limit, NULL), 0);
}

static void start_node(soak *s)
{
    s->node = fork();
    if (s->node == 0) {
        limit_files(0, s->room_len);
        (void)execl("/proc/self/exe", "soak_test", "--node", s->folder.path, s->url + 7, NULL);
        _exit(127);
    }
    assert_true(s->node > 0);
}

static void sleep_ms(uint64_t ms)
{
    struct timespec t = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    (void)nanosleep(&t, NULL);
}

static void kill_node(soak *s)
{
    int status;
    (void)kill(s->node, SIGKILL);
    (void)waitpid(s->node, &status, 0);
    if (!WIFSIGNALED(status)) {
        (void)fprintf(stderr, "soak: the node had ended by itself: %d\n", status);
        atomic_store(&s->has_failed, true);
    }
    (void)atomic_fetch_add(&s->kills, 1);
    start_node(s);
}

/* ---- the disk */

/* Where the newest segment ends. */
static uint64_t log_end(const soak *s)
{
    char path[400];
    char newest[64] = "";
    struct stat st = {.st_size = 0};
    (void)snprintf(path, sizeof path, "%s/log", s->folder.path);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strstr(entry->d_name, ".seg") != NULL && strcmp(entry->d_name, newest) > 0) {
            (void)snprintf(newest, sizeof newest, "%.60s", entry->d_name);
        }
    }
    (void)closedir(dir);
    (void)snprintf(path, sizeof path, "%s/log/%s", s->folder.path, newest);
    (void)stat(path, &st);
    return (uint64_t)st.st_size;
}

/* Room for part of a batch, then for nothing, then for all. */
static void fill_disk(soak *s)
{
    s->fills++;
    s->room_len = log_end(s) + 1000 + 997 * (s->fills % 8);
    limit_files(s->node, s->room_len);
    size_t before = atomic_load(&s->acknowledged);
    sleep_ms(150);
    if (s->fills % 2 == 0) {
        kill_node(s);
        sleep_ms(300);
    }
    size_t meanwhile = atomic_load(&s->acknowledged) - before;
    if (meanwhile > 1000) { /* it holds few messages, and what was under way */
        (void)fprintf(stderr, "soak: %zu messages were stored on a full disk\n", meanwhile);
        atomic_store(&s->has_failed, true);
    }
    s->room_len = 0;
    limit_files(s->node, 0);
}

/* ---- messages */

/* Which group a message belongs to; some groups get many. */
static size_t group_of(const soak *s, size_t number)
{
    uint64_t x = (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
    size_t spread = number % 3 == 0 ? s->plan.groups / 10 + 1 : s->plan.groups;
    return (size_t)(x >> 33) % spread;
}

static void group_name(char out[GROUP_LEN + 1], size_t group)
{
    (void)snprintf(out, GROUP_LEN + 1, "group-%010u", (unsigned)group);
}

static void put_number(const soak *s, xmtp_writer *w, size_t number)
{
    char group[GROUP_LEN + 1];
    xmtp_writer data;
    xmtp_writer_init(&data, &test_env()->alloc, XMTP_WRITER_MAX);
    group_name(group, group_of(s, number));
    test_message(&data, group, TEST_APPLICATION, number, 32 + number % 256);
    size_t input = xmtp_field_open(w, 1);
    size_t v1 = xmtp_field_open(w, 1);
    xmtp_field_put_bytes(w, 1, xmtp_writer_bytes(&data));
    xmtp_field_close(w, v1);
    xmtp_field_close(w, input);
    xmtp_writer_free(&data);
}

/* Its id, group and number, from GroupMessage { V1 { 1: id, 3: group, 4: data } }. */
static bool read_message(xmtp_bytes bytes, uint64_t *id, size_t *group, size_t *number)
{
    xmtp_field f;
    xmtp_reader outer = xmtp_reader_of(bytes);
    xmtp_reader r;
    char text[GROUP_LEN + 1] = "";
    *id = 0;
    if (xmtp_field_next(&outer, &f) != XMTP_OK || xmtp_field_message(&f, &r) != XMTP_OK) {
        return false;
    }
    while (r.n > 0) {
        if (xmtp_field_next(&r, &f) != XMTP_OK) {
            return false;
        }
        if (f.number == 1) {
            *id = f.value;
        } else if (f.number == 3 && f.bytes.n == GROUP_LEN) {
            memcpy(text, f.bytes.p, GROUP_LEN);
        } else if (f.number == 4 && f.bytes.n > 4 + 1 + GROUP_LEN + 8) {
            *number = 0;
            for (size_t i = 0; i < 8; i++) { /* the epoch */
                *number = *number << 8 | f.bytes.p[4 + 1 + GROUP_LEN + i];
            }
        }
    }
    *group = strlen(text) == GROUP_LEN ? strtoul(text + 6, NULL, 10) : SIZE_MAX;
    return *id > 0;
}

/* ---- threads */

typedef struct actor {
    soak *soak;
    size_t index;
    pthread_t thread;
    uint64_t random;
    xmtp_transport transport;
    char why[400]; /* empty: all is well */

    /* Of subscribers. */
    xmtp_stream *stream;
    bool *wants;        /* by group */
    uint64_t *last_ids; /* by group */
    uint8_t *seen;      /* by number */
    size_t expected;
    size_t count;
} actor;

static uint64_t draw(actor *a, uint64_t n)
{
    a->random = a->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (a->random >> 33) % n;
}

static void fail_actor(actor *a, const char *what, uint64_t x, uint64_t y)
{
    if (a->why[0] == '\0') {
        (void)snprintf(a->why, sizeof a->why, "%s (%llu, %llu)", what, (unsigned long long)x,
                       (unsigned long long)y);
    }
    atomic_store(&a->soak->has_failed, true);
}

static bool connect_actor(actor *a)
{
    return xmtp_grpc_transport_open(&a->transport, a->soak->url, xmtp_env_system(), NULL, NULL) ==
           XMTP_OK;
}

/* Again and again until it is acknowledged: the node drops what it has. */
static void send_until_acknowledged(actor *a, xmtp_bytes request)
{
    xmtp_writer answer;
    xmtp_error error = {0};
    xmtp_status status = XMTP_E_NETWORK;
    xmtp_writer_init(&answer, &test_env()->alloc, XMTP_WRITER_MAX);
    for (int i = 0; status != XMTP_OK && !atomic_load(&a->soak->has_failed); i++) {
        status = a->transport.unary(a->transport.context, MLS "SendGroupMessages", request, &answer,
                                    &error);
        if (status != XMTP_OK && i > 10 * PATIENCE_S) {
            fail_actor(a, error.text, (uint64_t)i, 0);
        } else if (status != XMTP_OK) {
            sleep_ms(100);
        }
    }
    xmtp_writer_free(&answer);
}

static void *write_all(void *context)
{
    actor *a = context;
    soak *s = a->soak;
    xmtp_writer request;
    xmtp_writer_init(&request, &test_env()->alloc, XMTP_WRITER_MAX);
    while (!atomic_load(&s->has_failed)) {
        size_t count = 1 + draw(a, BATCH_MAX);
        size_t first = atomic_fetch_add(&s->next_number, count);
        if (first >= s->plan.messages) {
            break;
        }
        count = count < s->plan.messages - first ? count : s->plan.messages - first;
        xmtp_writer_clear(&request);
        for (size_t i = 0; i < count; i++) {
            put_number(s, &request, first + i);
        }
        send_until_acknowledged(a, xmtp_writer_bytes(&request));
        (void)atomic_fetch_add(&s->acknowledged, count);
    }
    xmtp_writer_free(&request);
    return NULL;
}

static void take(actor *a, xmtp_bytes message)
{
    soak *s = a->soak;
    uint64_t id;
    size_t group;
    size_t number = SIZE_MAX;
    if (!read_message(message, &id, &group, &number) || number >= s->plan.messages ||
        group >= s->plan.groups || group != group_of(s, number) || !a->wants[group]) {
        fail_actor(a, "a message that nobody sent here", number, 0);
        return;
    }
    if (id <= a->last_ids[group]) {
        fail_actor(a, "an id that does not ascend", id, a->last_ids[group]);
    }
    if (a->seen[number] != 0) {
        fail_actor(a, "a message that came before", number, id);
    }
    a->last_ids[group] = id;
    a->seen[number] = 1;
    a->count++;
    (void)atomic_fetch_add(&s->delivered, 1);
}

static void subscribe(actor *a)
{
    xmtp_writer request;
    char group[GROUP_LEN + 1];
    xmtp_writer_init(&request, &test_env()->alloc, XMTP_WRITER_MAX);
    for (size_t i = 0; i < a->soak->plan.groups; i++) {
        if (a->wants[i]) {
            group_name(group, i);
            size_t filter = xmtp_field_open(&request, 1);
            xmtp_field_put_bytes(&request, 1, xmtp_bytes_of_string(group));
            xmtp_field_put_u64(&request, 2, a->last_ids[i]);
            xmtp_field_close(&request, filter);
        }
    }
    if (a->transport.subscribe(a->transport.context, MLS "SubscribeGroupMessages",
                               xmtp_writer_bytes(&request), &a->stream, NULL) != XMTP_OK) {
        a->stream = NULL;
        sleep_ms(100);
    }
    xmtp_writer_free(&request);
}

static void hang_up(actor *a)
{
    a->transport.unsubscribe(a->transport.context, a->stream);
    a->stream = NULL;
}

/* Every third one stalls now and then, every third one reconnects. */
static void misbehave(actor *a)
{
    if (a->index % 3 == 1 && draw(a, 500) == 0) {
        sleep_ms(draw(a, 300));
    }
    if (a->index % 3 == 2 && draw(a, 2000) == 0) {
        hang_up(a);
    }
}

static void read_some(actor *a)
{
    xmtp_bytes message;
    xmtp_error error = {0};
    xmtp_status status = a->transport.next(a->transport.context, a->stream, &message, &error);
    if (status == XMTP_OK) {
        take(a, message);
        misbehave(a);
    } else if (status == XMTP_E_RETRY) {
        (void)a->transport.wait(a->transport.context, 100000000U);
    } else {
        hang_up(a); /* the node was killed */
    }
}

static void *read_all(void *context)
{
    actor *a = context;
    soak *s = a->soak;
    size_t last_count = 0;
    struct timespec since;
    (void)clock_gettime(CLOCK_MONOTONIC, &since);
    while (a->count < a->expected && !atomic_load(&s->has_failed)) {
        if (a->stream == NULL) {
            subscribe(a);
        } else {
            read_some(a);
        }
        struct timespec now;
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        if (a->count != last_count || atomic_load(&s->acknowledged) < s->plan.messages) {
            last_count = a->count;
            since = now;
        }
        if (now.tv_sec - since.tv_sec > PATIENCE_S) {
            fail_actor(a, "messages are missing", a->count, a->expected);
        }
    }
    /* And nothing more than that. */
    for (int i = 0; i < 20 && a->stream != NULL && !atomic_load(&s->has_failed); i++) {
        xmtp_bytes message;
        if (a->transport.next(a->transport.context, a->stream, &message, NULL) == XMTP_OK) {
            fail_actor(a, "more messages than were sent", a->count, a->expected);
        }
        (void)a->transport.wait(a->transport.context, 1000000U);
    }
    return NULL;
}

/* The first subscriber has all groups, the others one in twenty. */
static void make_subscriber(actor *a)
{
    const plan *p = &a->soak->plan;
    a->wants = calloc(p->groups, sizeof *a->wants);
    a->last_ids = calloc(p->groups, sizeof *a->last_ids);
    a->seen = calloc(p->messages, 1);
    assert_true(a->wants != NULL && a->last_ids != NULL && a->seen != NULL);
    for (size_t i = 0; i < p->groups; i++) {
        a->wants[i] = a->index == 0 || draw(a, 20) == 0;
    }
    for (size_t i = 0; i < p->messages; i++) {
        a->expected += a->wants[group_of(a->soak, i)] ? 1 : 0;
    }
}

static void free_actor(actor *a)
{
    a->transport.close(a->transport.context);
    free(a->wants);
    free(a->last_ids);
    free(a->seen);
}

static void start_actor(actor *a, soak *s, size_t index, void *(*run)(void *))
{
    *a = (actor){.soak = s, .index = index, .random = 0x5eed + index};
    assert_true(connect_actor(a));
    if (run == read_all) {
        make_subscriber(a);
    }
    assert_int_equal(pthread_create(&a->thread, NULL, run, a), 0);
}

/* ---- the whole */

static void report(const soak *s, time_t started)
{
    print_message(
        "%6ld s: %zu of %zu acknowledged, %zu delivered, %zu kills, disk full %zu times\n",
        (long)(time(NULL) - started), atomic_load(&((soak *)(uintptr_t)s)->acknowledged),
        s->plan.messages, atomic_load(&((soak *)(uintptr_t)s)->delivered),
        atomic_load(&((soak *)(uintptr_t)s)->kills), s->fills);
}

static void wait_for_writers(soak *s, time_t started)
{
    const plan *p = &s->plan;
    uint64_t every_ms = p->kill_every_ms + p->fill_every_ms; /* one of them is 0 */
    uint64_t ms = 0;
    uint64_t done_ms = 0;
    size_t done_at = 0;
    while (atomic_load(&s->acknowledged) < s->plan.messages && !atomic_load(&s->has_failed)) {
        sleep_ms(LOOK_MS);
        ms += LOOK_MS;
        size_t acknowledged = atomic_load(&s->acknowledged);
        if (every_ms > 0 && ms - done_ms >= every_ms && acknowledged - done_at >= p->after) {
            (p->fill_every_ms > 0 ? fill_disk : kill_node)(s);
            done_ms = ms;
            done_at = atomic_load(&s->acknowledged);
        }
        if (ms % 10000 == 0) {
            report(s, started);
        }
    }
}

static void join(actor *actors, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(pthread_join(actors[i].thread, NULL), 0);
    }
}

static void check(actor *actors, size_t count, const char *what)
{
    for (size_t i = 0; i < count; i++) {
        if (actors[i].why[0] != '\0') {
            print_message("%s %zu: %s\n", what, i, actors[i].why);
        }
        free_actor(&actors[i]);
    }
}

static void stop_node(soak *s)
{
    int status;
    (void)kill(s->node, SIGTERM);
    (void)waitpid(s->node, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void run_soak(const plan *p)
{
    static soak s;
    static actor writers[WRITERS_MAX];
    static actor subscribers[SUBSCRIBERS_MAX];
    time_t started = time(NULL);
    s = (soak){.plan = *p, .folder = test_folder_make()};
    (void)snprintf(s.url, sizeof s.url, "http://127.0.0.1:%u", (unsigned)free_port());
    start_node(&s);
    for (size_t i = 0; i < p->subscribers; i++) {
        start_actor(&subscribers[i], &s, i, read_all);
    }
    for (size_t i = 0; i < p->writers; i++) {
        start_actor(&writers[i], &s, i, write_all);
    }
    wait_for_writers(&s, started);
    join(writers, p->writers);
    join(subscribers, p->subscribers);
    report(&s, started);
    check(writers, p->writers, "writer");
    check(subscribers, p->subscribers, "subscriber");
    stop_node(&s);
    test_folder_remove(s.folder.path);
    assert_false(atomic_load(&s.has_failed));
    assert_int_equal(atomic_load(&s.acknowledged), p->messages);
    assert_true(p->fill_every_ms == 0 || s.fills >= 3);
}

static plan plan_of(void)
{
    const char *text = getenv("XMTP_SOAK_MESSAGES");
    size_t messages = text == NULL ? 0 : strtoul(text, NULL, 10);
    plan p = {.messages = 4000, .groups = 300, .writers = 8, .subscribers = 6, .after = 600};
    if (messages > 0) {
        p = (plan){.messages = messages,
                   .groups = 10000,
                   .writers = WRITERS_MAX,
                   .subscribers = SUBSCRIBERS_MAX};
    }
    return p;
}

static void every_subscriber_gets_each_message_once_and_in_order(void **state)
{
    (void)state;
    plan p = plan_of();
    run_soak(&p);
}

static void nothing_acknowledged_is_lost_when_the_node_is_killed(void **state)
{
    (void)state;
    plan p = plan_of();
    p.kill_every_ms = p.after > 0 ? 20 : 3000;
    run_soak(&p);
}

static void nothing_acknowledged_is_lost_when_the_disk_is_full_now_and_then(void **state)
{
    (void)state;
    plan p = plan_of();
    p.fill_every_ms = p.messages < 100000 ? LOOK_MS : 1000;
    p.after =
        p.messages < 100000 ? p.messages / 6 : 0; /* five times, three of which must be seen */
    run_soak(&p);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--node") == 0) {
        return run_node(argv[2], argv[3]);
    }
    (void)signal(SIGPIPE, SIG_IGN);
    if (getenv("XMTP_SOAK_ONLY") != NULL) {
        cmocka_set_test_filter(getenv("XMTP_SOAK_ONLY"));
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_subscriber_gets_each_message_once_and_in_order),
        cmocka_unit_test(nothing_acknowledged_is_lost_when_the_node_is_killed),
        cmocka_unit_test(nothing_acknowledged_is_lost_when_the_disk_is_full_now_and_then),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
