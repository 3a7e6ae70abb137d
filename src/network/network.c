/* network.c - the node, the devices, the clock and the chance of a network in one process. */
#include "base/bytes.h"
#include "base/status.h"
#include "network/network_internal.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint64_t START_NS = UINT64_C(1735689600) * XMTP_NETWORK_SECOND_NS;

enum { ROUNDS_MAX = 10000 /* of agents that go on answering each other at one moment */ };

/* ---- chance and time */

/* SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators). */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void fill(uint64_t *state, uint8_t *out, size_t n)
{
    for (size_t i = 0; i < n; i += sizeof(uint64_t)) {
        uint64_t word = draw(state);
        size_t left = n - i < sizeof word ? n - i : sizeof word;
        memcpy(out + i, &word, left);
    }
}

uint64_t xmtp_network_choose(xmtp_network *net, uint64_t n)
{
    return draw(&net->choices) % n;
}

bool xmtp_network_happens(xmtp_network *net, uint32_t per_mille)
{
    return per_mille != 0 && xmtp_network_choose(net, 1000) < per_mille;
}

static xmtp_status client_random(void *context, uint8_t *out, size_t n)
{
    xmtp_network *net = context;
    fill(&net->bytes, out, n);
    return XMTP_OK;
}

static xmtp_status node_random(void *context, uint8_t *out, size_t n)
{
    xmtp_network *net = context;
    (void)pthread_mutex_lock(&net->node_lock);
    fill(&net->node_bytes, out, n);
    (void)pthread_mutex_unlock(&net->node_lock);
    return XMTP_OK;
}

static uint64_t clock_now(void *context)
{
    const xmtp_network *net = context;
    return atomic_load(&net->clock_ns);
}

static void clock_sleep(void *context, uint64_t ns)
{
    xmtp_network_advance(context, ns);
}

uint64_t xmtp_network_now_ns(const xmtp_network *net)
{
    return atomic_load(&net->clock_ns);
}

void xmtp_network_set_clock(xmtp_network *net, uint64_t now_ns)
{
    atomic_store(&net->clock_ns, now_ns);
}

void xmtp_network_advance(xmtp_network *net, uint64_t ns)
{
    uint64_t now_ns = atomic_load(&net->clock_ns);
    atomic_store(&net->clock_ns, ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + ns);
    xmtp_network_deliver_due(net);
}

const xmtp_env *xmtp_network_env(const xmtp_network *net)
{
    return &net->env;
}

/* ---- open and close */

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

static xmtp_status make_folder(xmtp_network *net, const char *folder, xmtp_error *error)
{
    size_t size = sizeof net->folder;
    int n;
    if (folder != NULL) {
        n = snprintf(net->folder, size, "%s", folder);
    } else {
        const char *temporary = getenv("TMPDIR");
        bool is_memory = access("/dev/shm", W_OK) == 0;
        n = snprintf(net->folder, size, "%s/xmtp-network-XXXXXX",
                     is_memory           ? "/dev/shm"
                     : temporary != NULL ? temporary
                                         : "/tmp");
    }
    if (n < 0 || (size_t)n >= size) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "path of %d bytes, at most %zu", n, size - 1);
    }
    if (folder == NULL && mkdtemp(net->folder) == NULL) {
        return xmtp_fail(error, XMTP_E_IO, "%s cannot be made (errno %d)", net->folder, errno);
    }
    net->owns_folder = folder == NULL;
    return XMTP_OK;
}

static xmtp_status open_node(xmtp_network *net, xmtp_error *error)
{
    char path[PATH_LEN_MAX];
    (void)snprintf(path, sizeof path, "%s/node", net->folder);
    const xmtp_node_options options = {.env = &net->node_env, .data_dir = path, .one_thread = true};
    return xmtp_node_open(&net->node, &options, error);
}

static void set_up(xmtp_network *net, const xmtp_network_options *options)
{
    const xmtp_env *system = xmtp_env_system();
    memset(net, 0, sizeof *net);
    net->choices = options->seed;
    net->bytes = ~options->seed;
    net->node_bytes = options->seed ^ UINT64_C(0x5555555555555555);
    net->end = &net->devices;
    atomic_init(&net->clock_ns, options->start_ns == 0 ? START_NS : options->start_ns);
    (void)pthread_mutex_init(&net->node_lock, NULL);
    net->env = (xmtp_env){.context = net,
                          .now_ns = clock_now,
                          .random = client_random,
                          .sleep_ns = clock_sleep,
                          .alloc = system->alloc};
    net->node_env = net->env;
    net->node_env.random = node_random;
    net->node_env.sleep_ns = system->sleep_ns;
}

xmtp_status xmtp_network_open(xmtp_network **out, const xmtp_network_options *options,
                              xmtp_error *error)
{
    const xmtp_network_options none = {.seed = 0};
    const xmtp_alloc *alloc = &xmtp_env_system()->alloc;
    *out = NULL;
    options = options == NULL ? &none : options;
    xmtp_network *net = alloc->reallocate(alloc->context, NULL, sizeof *net);
    XMTP_ENSURE(net != NULL, XMTP_E_NOMEM);
    set_up(net, options);
    xmtp_status status = make_folder(net, options->folder, error);
    if (status == XMTP_OK) {
        status = open_node(net, error);
    }
    if (status != XMTP_OK) {
        xmtp_network_close(net);
        return status;
    }
    *out = net;
    return XMTP_OK;
}

static void free_device(xmtp_network_device *d)
{
    const xmtp_alloc *alloc = &d->net->env.alloc;
    xmtp_network_shut(d);
    xmtp_network_disconnect(d);
    xmtp_disk_remove(&d->disk);
    (void)alloc->reallocate(alloc->context, d, 0);
}

void xmtp_network_close(xmtp_network *net)
{
    if (net == NULL) {
        return;
    }
    xmtp_network_late_free(net);
    while (net->devices != NULL) {
        xmtp_network_device *next = net->devices->next;
        free_device(net->devices);
        net->devices = next;
    }
    xmtp_node_close(net->node);
    if (net->owns_folder) {
        (void)nftw(net->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
    (void)pthread_mutex_destroy(&net->node_lock);
    (void)net->env.alloc.reallocate(net->env.alloc.context, net, 0);
}

xmtp_status xmtp_network_restart_node(xmtp_network *net, xmtp_error *error)
{
    for (xmtp_network_device *d = net->devices; d != NULL; d = d->next) {
        xmtp_network_disconnect(d);
    }
    xmtp_node_close(net->node);
    net->node = NULL;
    net->node_restarts++;
    XMTP_TRY(open_node(net, error));
    for (xmtp_network_device *d = net->devices; d != NULL; d = d->next) {
        XMTP_TRY(xmtp_network_connect(d));
    }
    return XMTP_OK;
}

/* ---- devices */

static void new_key(xmtp_network *net, char out[KEY_LEN + 1])
{
    uint8_t sk[KEY_LEN / 2];
    fill(&net->bytes, sk, sizeof sk);
    sk[0] = 0x11; /* below the order of the group */
    xmtp_hex_encode(out, xmtp_bytes_of(sk, sizeof sk));
}

static xmtp_status take_key(xmtp_network_device *d, const xmtp_network_device_options *o,
                            xmtp_error *error)
{
    const char *key = o->person_of != NULL ? o->person_of->key : o->encryption_key;
    if (key == NULL) {
        new_key(d->net, d->key);
        return XMTP_OK;
    }
    int n = snprintf(d->key, sizeof d->key, "%s", strncmp(key, "0x", 2) == 0 ? key + 2 : key);
    return n == KEY_LEN
               ? XMTP_OK
               : xmtp_fail(error, XMTP_E_KEY, "a key of %d hex digits, not %d", n, KEY_LEN);
}

static xmtp_status start_agent(xmtp_network_device *d, xmtp_error *error)
{
    xmtp_agent_options options = d->agent_options;
    options.encryption_key = d->key;
    options.database_path = d->path;
    options.transport = &d->wire;
    options.env = d->env != NULL ? d->env : &d->net->env;
    options.device_sync = d->device_sync;
    options.error = error;
    XMTP_TRY(xmtp_agent_open(&d->agent, &options));
    d->client = xmtp_agent_client(d->agent);
    return XMTP_OK;
}

static xmtp_status start_client(xmtp_network_device *d, xmtp_error *error)
{
    const xmtp_client_options options = {
        .encryption_key = d->key,
        .database_path = d->path,
        .transport = &d->wire,
        .env = d->env != NULL ? d->env : &d->net->env,
        .device_sync = d->device_sync,
    };
    return xmtp_client_open(&d->client, &options, error);
}

void xmtp_network_shut(xmtp_network_device *device)
{
    if (device->agent != NULL) {
        xmtp_agent_close(device->agent);
    } else {
        xmtp_client_close(device->client);
    }
    device->agent = NULL;
    device->client = NULL;
}

/* A death that has happened is over; one that is to come at a later write stays. */
xmtp_status xmtp_network_reopen(xmtp_network_device *device, xmtp_error *error)
{
    xmtp_network_shut(device);
    device->disk.is_dead = false;
    return device->is_agent ? start_agent(device, error) : start_client(device, error);
}

static xmtp_status set_up_device(xmtp_network_device *d, const xmtp_network_device_options *o,
                                 xmtp_error *error)
{
    xmtp_network *net = d->net;
    d->env = o->env;
    d->device_sync = o->device_sync;
    d->faults = net->faults;
    d->lose_from = UINT64_MAX;
    (void)snprintf(d->path, sizeof d->path, "%s/%u.db", net->folder, ++net->device_count);
    xmtp_network_wire_init(d);
    XMTP_TRY(take_key(d, o, error));
    XMTP_TRY(xmtp_disk_add(&d->disk, d->path));
    XMTP_TRY(xmtp_network_connect(d));
    return o->is_closed ? XMTP_OK : xmtp_network_reopen(d, error);
}

static xmtp_status make_device(xmtp_network *net, const xmtp_network_device_options *options,
                               const xmtp_agent_options *agent_options, xmtp_network_device **out,
                               xmtp_error *error)
{
    const xmtp_network_device_options none = {.encryption_key = NULL};
    *out = NULL;
    xmtp_network_device *d = net->env.alloc.reallocate(net->env.alloc.context, NULL, sizeof *d);
    XMTP_ENSURE(d != NULL, XMTP_E_NOMEM);
    memset(d, 0, sizeof *d);
    d->net = net;
    if (agent_options != NULL) {
        d->is_agent = true;
        d->agent_options = *agent_options;
    }
    xmtp_status status = set_up_device(d, options == NULL ? &none : options, error);
    if (status != XMTP_OK) {
        xmtp_network_deliver(net); /* what it has sent names it */
        free_device(d);
        return status;
    }
    *net->end = d;
    net->end = &d->next;
    *out = d;
    return XMTP_OK;
}

xmtp_status xmtp_network_client(xmtp_network *net, const xmtp_network_device_options *options,
                                xmtp_network_device **out, xmtp_error *error)
{
    return make_device(net, options, NULL, out, error);
}

xmtp_status xmtp_network_agent(xmtp_network *net, const xmtp_network_device_options *options,
                               const xmtp_agent_options *agent_options, xmtp_network_device **out,
                               xmtp_error *error)
{
    return make_device(net, options, agent_options, out, error);
}

xmtp_client *xmtp_network_client_of(const xmtp_network_device *device)
{
    return device->client;
}

xmtp_agent *xmtp_network_agent_of(const xmtp_network_device *device)
{
    return device->agent;
}

const char *xmtp_network_key(const xmtp_network_device *device)
{
    return device->key;
}

const char *xmtp_network_database(const xmtp_network_device *device)
{
    return device->path;
}

const struct xmtp_transport *xmtp_network_transport(const xmtp_network_device *device)
{
    return &device->wire;
}

/* ---- agents at work */

/* One round of all. *did_something: another round may find more. */
static xmtp_status step_all(xmtp_network *net, bool *did_something, xmtp_error *error)
{
    *did_something = false;
    for (xmtp_network_device *d = net->devices; d != NULL; d = d->next) {
        if (d->agent == NULL || d->disk.is_dead) {
            continue;
        }
        xmtp_status status = xmtp_agent_step(d->agent, NULL);
        if (d->disk.is_dead || status == XMTP_E_TIMEOUT || status == XMTP_E_NETWORK) {
            continue;
        }
        if (status != XMTP_OK) {
            return xmtp_fail(error, status, "%s", xmtp_agent_error(d->agent)->text);
        }
        *did_something = true;
    }
    return XMTP_OK;
}

static xmtp_status run_now(xmtp_network *net, xmtp_error *error)
{
    bool did_something = true;
    for (int i = 0; did_something; i++) {
        if (i == ROUNDS_MAX) {
            return xmtp_fail(error, XMTP_E_LIMIT, "agents found something to do %d times at once",
                             i);
        }
        XMTP_TRY(step_all(net, &did_something, error));
    }
    return XMTP_OK;
}

xmtp_status xmtp_network_run(xmtp_network *net, uint64_t ns, xmtp_error *error)
{
    uint64_t end_ns = xmtp_network_now_ns(net) + ns;
    for (;;) {
        XMTP_TRY(run_now(net, error));
        uint64_t now_ns = xmtp_network_now_ns(net);
        if (now_ns >= end_ns) {
            return XMTP_OK;
        }
        uint64_t left_ns = end_ns - now_ns;
        xmtp_network_advance(net,
                             left_ns < XMTP_NETWORK_SECOND_NS ? left_ns : XMTP_NETWORK_SECOND_NS);
    }
}

/* ---- faults */

xmtp_status xmtp_network_fault(xmtp_network *net, xmtp_network_device *device,
                               const xmtp_network_faults *faults)
{
    const xmtp_network_faults none = {.lost = 0};
    const xmtp_network_faults *f = faults == NULL ? &none : faults;
    uint64_t sum = (uint64_t)f->lost + f->answer_lost + f->doubled + f->late;
    XMTP_ENSURE(sum <= 1000 && f->delayed <= 1000 && f->stream_refused <= 1000 &&
                    f->stream_cut <= 1000,
                XMTP_E_ARGUMENT);
    if (device != NULL) {
        device->faults = *f;
        return XMTP_OK;
    }
    net->faults = *f;
    for (xmtp_network_device *d = net->devices; d != NULL; d = d->next) {
        d->faults = *f;
    }
    return XMTP_OK;
}

static void set_cut_off(xmtp_network *net, xmtp_network_device *device, bool is_cut_off)
{
    for (xmtp_network_device *d = net->devices; d != NULL; d = d->next) {
        if (device == NULL || device == d) {
            d->is_cut_off = is_cut_off;
        }
    }
}

void xmtp_network_partition(xmtp_network *net, xmtp_network_device *device)
{
    set_cut_off(net, device, true);
}

void xmtp_network_heal(xmtp_network *net, xmtp_network_device *device)
{
    set_cut_off(net, device, false);
}

void xmtp_network_lose_calls(xmtp_network_device *device, uint64_t skip, uint64_t count,
                             xmtp_network_loss how)
{
    uint64_t first = device->counts.calls + 1 + skip;
    device->lose_from = count == 0 ? UINT64_MAX : first;
    device->lose_until = count > UINT64_MAX - first ? UINT64_MAX : first + count;
    device->lose_how = how;
}

void xmtp_network_crash(xmtp_network_device *device)
{
    device->disk.deaths += !device->disk.is_dead;
    device->disk.death_in = 0;
    device->disk.is_dead = true;
    xmtp_network_shut(device);
}

void xmtp_network_crash_at(xmtp_network_device *device, xmtp_network_death how, uint64_t n)
{
    device->disk.how = how;
    device->disk.death_in = n;
}

bool xmtp_network_has_crashed(const xmtp_network_device *device)
{
    return device->disk.is_dead;
}

/* ---- counts */

static void add_counts(xmtp_network_counts *sum, const xmtp_network_device *d)
{
    const xmtp_network_counts *c = &d->counts;
    sum->calls += c->calls;
    sum->lost += c->lost;
    sum->answers_lost += c->answers_lost;
    sum->doubled += c->doubled;
    sum->late += c->late;
    sum->delayed += c->delayed;
    sum->streams_refused += c->streams_refused;
    sum->streams_cut += c->streams_cut;
    sum->crashes += d->disk.deaths;
    sum->writes += d->disk.writes;
    sum->commits += d->disk.commits;
    sum->pieces += d->disk.pieces;
}

xmtp_network_counts xmtp_network_count(const xmtp_network *net, const xmtp_network_device *device)
{
    xmtp_network_counts sum = {.node_restarts = net->node_restarts};
    for (const xmtp_network_device *d = net->devices; d != NULL; d = d->next) {
        if (device == NULL || device == d) {
            add_counts(&sum, d);
        }
    }
    return sum;
}
