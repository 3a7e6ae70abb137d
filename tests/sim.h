/* sim.h - the world of sim_test.c: chance and time from a seed, a network that fails on purpose, devices
 * that die at a write, and a node that starts anew.
 *
 *     device --wire--> faults --> in-process transport --> node with a data folder
 */
#ifndef XMTP_TESTS_SIM_H
#define XMTP_TESTS_SIM_H

#include "client/state.h"
#include "network.h"
#include "store/query.h"

#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
    PEOPLE = 8,
    AT_FIRST = 11, /* devices: the first three people have a second one */
    DEVICES = 13,  /* and two people get one while it runs */
    GROUPS_MAX = 24,
    STEPS_MAX = 5000,
    LATE_MAX = 8,
    ROUNDS = 6,
};

typedef struct list {
    int *at; /* numbers of sends */
    size_t n;
} list;

typedef struct device {
    person p;
    int who;
    unsigned number;
    xmtp_transport node;
    bool is_here;
    bool has_queue;
    bool has_streams;
    unsigned cut_until; /* step */
    uint64_t crash_in;  /* commits until this process dies; 0: it lives on */
    bool has_crashed;
    list handled;
} device;

typedef struct place {
    xmtp_conversation_id id;
    bool is_dm;
    int people[2];      /* of a DM */
    uint32_t members;   /* devices that are in for sure */
    uint32_t had_to_go; /* people who were removed or left, if only perhaps */
} place;

typedef struct sent {
    int place;
    unsigned by;
    bool is_ok;
    uint32_t members; /* devices that have to have it */
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    unsigned step;
} sent;

typedef struct late_call {
    unsigned device;
    char path[128];
    uint8_t *request;
    size_t n;
} late_call;

typedef struct sim {
    network net;
    _Atomic uint64_t clock_ns;
    uint64_t seed;
    uint64_t choices; /* state of the generators */
    uint64_t bytes;
    unsigned step;
    bool is_faulty;
    device devices[DEVICES];
    place places[GROUPS_MAX];
    int place_count;
    sent *sends;
    int send_count;
    late_call late[LATE_MAX];
    size_t late_count;
    uint64_t faults;
} sim;

static sim s;

/* ---- chance and time */

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static unsigned choose(unsigned n)
{
    return (unsigned)(splitmix(&s.choices) % n);
}

static bool happens(unsigned per_mille)
{
    return choose(1000) < per_mille;
}

static xmtp_status seeded_random(void *context, uint8_t *out, size_t n)
{
    (void)context;
    for (size_t i = 0; i < n; i++) {
        out[i] = (uint8_t)splitmix(&s.bytes);
    }
    return XMTP_OK;
}

static uint64_t sim_now_ns(void *context)
{
    (void)context;
    return atomic_load(&s.clock_ns);
}

static void sim_sleep_ns(void *context, uint64_t ns)
{
    (void)context;
    (void)atomic_fetch_add(&s.clock_ns, ns);
}

static void violation(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static void violation(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fprintf(stderr, "seed %llu, step %u: ", (unsigned long long)s.seed, s.step);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

/* ---- the network between a device and the node */

static void keep_for_later(device *d, const char *path, xmtp_bytes request)
{
    if (s.late_count == LATE_MAX || strlen(path) >= sizeof(s.late[0].path)) {
        return;
    }
    late_call *l = &s.late[s.late_count++];
    l->device = d->number;
    (void)snprintf(l->path, sizeof(l->path), "%s", path);
    l->n = request.n;
    l->request = malloc(request.n + 1);
    memcpy(l->request, request.p, request.n);
}

static void call_twice(device *d, const char *path, xmtp_bytes request)
{
    xmtp_writer ignored;
    xmtp_error error = {0};
    xmtp_writer_init(&ignored, &s.net.env.alloc, 64 << 20);
    (void)d->node.unary(d->node.context, path, request, &ignored, &error);
    xmtp_writer_free(&ignored);
}

/* What was on its way arrives, though nobody waits for the answer any more. */
static void late_calls_arrive(void)
{
    for (size_t i = 0; i < s.late_count; i++) {
        late_call *l = &s.late[i];
        call_twice(&s.devices[l->device], l->path, xmtp_bytes_of(l->request, l->n));
        free(l->request);
    }
    s.late_count = 0;
}

static xmtp_status faulty_unary(void *context, const char *path, xmtp_bytes request,
                                xmtp_writer *response, xmtp_error *error)
{
    device *d = context;
    bool is_lost = false;
    bool is_answer_lost = false;
    if (s.is_faulty) {
        unsigned chance = choose(1000);
        is_lost = s.step < d->cut_until || chance < 30;
        is_answer_lost = chance >= 30 && chance < 60;
        s.faults += is_lost || is_answer_lost;
        if (!is_lost && chance >= 60 && chance < 80) {
            call_twice(d, path, request);
            s.faults++;
        }
        if (is_lost && happens(300)) {
            keep_for_later(d, path, request);
        }
    }
    xmtp_status status = XMTP_E_NETWORK;
    if (!is_lost) {
        status = d->node.unary(d->node.context, path, request, response, error);
    }
    if (is_lost || is_answer_lost) {
        xmtp_writer_clear(response);
        return XMTP_E_NETWORK;
    }
    return status;
}

static xmtp_status faulty_subscribe(void *context, const char *path, xmtp_bytes request,
                                    xmtp_stream **out, xmtp_error *error)
{
    device *d = context;
    if (s.is_faulty && (s.step < d->cut_until || happens(50))) {
        *out = NULL;
        return XMTP_E_NETWORK;
    }
    return d->node.subscribe(d->node.context, path, request, out, error);
}

static xmtp_status faulty_next(void *context, xmtp_stream *stream, xmtp_bytes *message,
                               xmtp_error *error)
{
    device *d = context;
    if (s.is_faulty && (s.step < d->cut_until || happens(20))) {
        return XMTP_E_NETWORK;
    }
    return d->node.next(d->node.context, stream, message, error);
}

static void faulty_unsubscribe(void *context, xmtp_stream *stream)
{
    device *d = context;
    d->node.unsubscribe(d->node.context, stream);
}

static xmtp_status faulty_wait(void *context, uint64_t timeout_ns)
{
    device *d = context;
    return d->node.wait(d->node.context, timeout_ns);
}

static void faulty_wake(void *context)
{
    device *d = context;
    d->node.wake(d->node.context);
}

static void faulty_close(void *context)
{
    device *d = context;
    d->node.close(d->node.context);
}

static void put_faults_between(device *d)
{
    d->node = d->p.wire.inner;
    d->p.wire.inner = (xmtp_transport){.context = d,
                                       .unary = faulty_unary,
                                       .subscribe = faulty_subscribe,
                                       .next = faulty_next,
                                       .unsubscribe = faulty_unsubscribe,
                                       .wait = faulty_wait,
                                       .wake = faulty_wake,
                                       .close = faulty_close};
}

/* ---- processes */

/* The n-th commit from when it is set, and all after it, never happen. */
static int count_commit(void *context)
{
    device *d = context;
    if (d->crash_in != 0 && --d->crash_in == 0) {
        d->has_crashed = true;
    }
    return d->has_crashed;
}

static void device_open(device *d)
{
    d->has_streams = false;
    for (int i = 0; i < 40 && d->p.client == NULL; i++) {
        xmtp_status status = person_try_open(&d->p);
        if (status != XMTP_OK && status != XMTP_E_NETWORK) {
            violation("device %u does not open: %s: %s", d->number, xmtp_status_name(status),
                      d->p.error.text);
        }
        if (status != XMTP_OK) {
            sim_sleep_ns(NULL, UINT64_C(1000000000));
            d->cut_until = 0;
        }
    }
    if (d->p.client == NULL) {
        violation("device %u does not open", d->number);
    }
    (void)sqlite3_commit_hook(xmtp_database_handle(d->p.client->db), count_commit, d);
}

static void device_close(device *d)
{
    xmtp_client_close(d->p.client);
    d->p.client = NULL;
    d->crash_in = 0;
    d->has_crashed = false;
}

static void device_restart(device *d)
{
    device_close(d);
    device_open(d);
}

static void node_open(void)
{
    char path[PATH_LEN + 8];
    xmtp_error error = {0};
    xmtp_node_options options = {.env = &s.net.node_env, .data_dir = path, .loops = 1};
    (void)snprintf(path, sizeof(path), "%s/node", s.net.folder);
    if (xmtp_node_open(&s.net.node, &options, &error) != XMTP_OK) {
        violation("the node does not open: %s", error.text);
    }
}

/* Clients without streams do not notice but for a call that fails. */
static void node_restart(void)
{
    for (unsigned i = 0; i < DEVICES; i++) {
        if (!s.devices[i].is_here) {
            continue;
        }
        if (s.devices[i].has_streams) {
            device_close(&s.devices[i]);
        }
        s.devices[i].node.close(s.devices[i].node.context);
    }
    xmtp_node_close(s.net.node);
    node_open();
    for (unsigned i = 0; i < DEVICES; i++) {
        if (s.devices[i].is_here) {
            assert_int_equal(xmtp_node_transport(s.net.node, &s.devices[i].node), XMTP_OK);
        }
    }
    for (unsigned i = 0; i < DEVICES; i++) {
        if (s.devices[i].is_here && s.devices[i].p.client == NULL) {
            device_open(&s.devices[i]);
        }
    }
}

/* A device that was never there before registers. */
static void device_start(unsigned number)
{
    device *d = &s.devices[number];
    if (number < PEOPLE) {
        person_open(&d->p, &s.net);
    } else {
        person_open_device(&d->p, &s.devices[number - PEOPLE].p);
    }
    d->is_here = true;
    d->number = number;
    d->who = (int)(number % PEOPLE);
    d->has_queue = number % 2 == 0;
    d->handled.at = calloc(STEPS_MAX + 1, sizeof(int));
    if (d->has_queue) {
        assert_ok(&d->p, xmtp_client_queue_enable(d->p.client, &d->p.error));
    }
    put_faults_between(d);
    (void)sqlite3_commit_hook(xmtp_database_handle(d->p.client->db), count_commit, d);
}

static void sim_open(uint64_t seed)
{
    memset(&s, 0, sizeof(s));
    s.seed = seed;
    s.choices = seed;
    s.bytes = ~seed;
    s.sends = calloc(STEPS_MAX + 1, sizeof(*s.sends));
    atomic_store(&s.clock_ns, xmtp_env_system()->now_ns(xmtp_env_system()->context));
    s.net.env = (xmtp_env){.context = &s,
                           .now_ns = sim_now_ns,
                           .random = seeded_random,
                           .sleep_ns = sim_sleep_ns,
                           .alloc = xmtp_env_system()->alloc};
    s.net.node_env = s.net.env; /* on the same clock, but its threads draw from elsewhere */
    s.net.node_env.random = test_random;
    s.net.node_env.sleep_ns = xmtp_env_system()->sleep_ns;
    (void)snprintf(s.net.folder, sizeof(s.net.folder), "%s/xmtp-sim-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(s.net.folder));
    node_open();
    for (unsigned i = 0; i < AT_FIRST; i++) {
        device_start(i);
    }
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

static void sim_close(void)
{
    for (unsigned i = 0; i < DEVICES; i++) {
        if (s.devices[i].is_here) {
            person_close(&s.devices[i].p);
        }
        free(s.devices[i].handled.at);
    }
    xmtp_node_close(s.net.node);
    (void)nftw(s.net.folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(s.sends);
}

#endif
