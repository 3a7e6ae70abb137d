/* sim.h - the world of sim_test.c: devices of people on a network from one seed (xmtp/network.h). */
#ifndef XMTP_TESTS_SIM_H
#define XMTP_TESTS_SIM_H

#include "client/round.h"
#include "jobs.h"
#include "store/query.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xmtp/network.h>

enum {
    DEVICES_MAX = 64,
    LATE_DEVICES = 2, /* people who get another device while it runs */
    GROUPS_MAX = 64,
    PLACES_MAX = 2 * GROUPS_MAX,
    STEPS_MAX = 100000,
    ROUNDS = 6,
    SECRETS_MAX = 400,
};

typedef struct sim_options {
    unsigned clients;
    unsigned groups; /* at most, and as many DMs */
    unsigned steps;
} sim_options;

/* Numbers of sends in their order, and where each of them is. */
typedef struct list {
    int *at;
    size_t n;
    int *where; /* by number; -1: nowhere */
} list;

typedef struct device {
    xmtp_network_device *at;
    unsigned number;
    int who;
    bool is_here;
    bool has_queue;
    unsigned cut_until; /* step */
    list handled;
    xmtp_error error;
} device;

typedef struct place {
    xmtp_conversation_id id;
    bool is_dm;
    int people[2];      /* of a DM */
    uint64_t members;   /* devices that are in for sure */
    uint64_t had_to_go; /* people who were removed or left, if only perhaps */
} place;

typedef struct sent {
    int place;
    unsigned by;
    bool is_ok;
    uint64_t members; /* devices that have to have it */
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    unsigned step;
} sent;

/* A secret that a device's database held once: first bytes of a record of its MLS state. */
typedef struct secret {
    unsigned device;
    unsigned step;
    uint64_t group;
    uint8_t key[16];
    size_t key_len;
    uint8_t secret[32];
} secret;

typedef struct sim {
    sim_options options;
    unsigned people;
    unsigned at_first; /* devices */
    xmtp_network *net;
    uint64_t seed;
    unsigned step;
    bool is_faulty;
    device devices[DEVICES_MAX];
    place places[PLACES_MAX];
    int place_count;
    int group_count;
    sent *sends;
    int send_count;
    secret secrets[SECRETS_MAX];
    size_t secret_count;
    size_t secrets_gone;
    /* by whom, about whom: decided when every device of theirs was there */
    bool is_decided[DEVICES_MAX][DEVICES_MAX];
    size_t decisions;
} sim;

static sim s;

static void violation(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static void violation(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fprintf(stderr, "seed %llu, step %u: ", (unsigned long long)s.seed, s.step);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    if (s.devices[0].at != NULL) {
        jobs_remove_network(xmtp_network_database(s.devices[0].at));
    }
    exit(1);
}

#define must(d, call)                                                                              \
    do {                                                                                           \
        xmtp_status status_ = (call);                                                              \
        if (status_ != XMTP_OK) {                                                                  \
            violation("device %u: line %d: %s: %s", (d)->number, __LINE__,                         \
                      xmtp_status_name(status_), (d)->error.text);                                 \
        }                                                                                          \
    } while (0)

static xmtp_client *client_of(const device *d)
{
    return xmtp_network_client_of(d->at);
}

static unsigned choose(unsigned n)
{
    return (unsigned)xmtp_network_choose(s.net, n);
}

static bool happens(unsigned per_mille)
{
    return choose(1000) < per_mille;
}

/* ---- lists */

static list list_new(void)
{
    list l = {.at = calloc(STEPS_MAX + 1, sizeof(int)),
              .where = calloc(STEPS_MAX + 1, sizeof(int))};
    memset(l.where, -1, (STEPS_MAX + 1) * sizeof(int));
    return l;
}

static void list_free(list *l)
{
    free(l->at);
    free(l->where);
}

static void list_clear(list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        l->where[l->at[i]] = -1;
    }
    l->n = 0;
}

static void list_add(list *l, const device *d, int number)
{
    if (number < 0 || number >= s.send_count) {
        violation("device %u has a message that nobody sent", d->number);
    }
    if (l->where[number] >= 0) {
        violation("device %u has message s%d twice", d->number, number);
    }
    l->where[number] = (int)l->n;
    l->at[l->n++] = number;
}

/* ---- devices */

static void device_open(device *d)
{
    for (int i = 0; i < 40; i++) {
        xmtp_status status = xmtp_network_reopen(d->at, &d->error);
        bool is_trouble = status == XMTP_E_NETWORK || xmtp_network_has_crashed(d->at);
        if (status == XMTP_OK && d->has_queue) {
            status = xmtp_client_queue_enable(client_of(d), &d->error);
            is_trouble = xmtp_network_has_crashed(d->at);
        }
        if (status == XMTP_OK) {
            return;
        }
        if (!is_trouble) {
            violation("device %u does not open: %s: %s", d->number, xmtp_status_name(status),
                      d->error.text);
        }
        xmtp_network_heal(s.net, d->at);
        xmtp_network_advance(s.net, XMTP_SECOND_NS);
    }
    violation("device %u does not open", d->number);
}

/* The process ends as it should, or was killed before. */
static void device_restart(device *d)
{
    xmtp_network_crash_at(d->at, XMTP_NETWORK_AT_WRITE, 0);
    device_open(d);
}

/* A device that was never there before registers. Those of people with another one keep up with it. */
static void device_start(unsigned number)
{
    static const xmtp_device_sync_options device_sync = {.is_on = true};
    device *d = &s.devices[number];
    bool has_twin = (unsigned)d->who + s.people < s.options.clients;
    xmtp_network_device_options options = {
        .is_closed = true,
        .person_of = number < s.people ? NULL : s.devices[number - s.people].at,
        .device_sync = has_twin ? &device_sync : NULL};
    must(d, xmtp_network_client(s.net, &options, &d->at, &d->error));
    d->is_here = true;
    d->has_queue = number % 2 == 0;
    d->handled = list_new();
    device_open(d);
}

/* Of 13 clients 8 are people, and 5 second devices of theirs. */
static void sim_open(uint64_t seed, const sim_options *options)
{
    xmtp_error error = {0};
    memset(&s, 0, sizeof(s));
    s.options = *options;
    s.people = options->clients * 8 / 13;
    s.people = s.people < 2 ? 2 : s.people;
    s.at_first = options->clients - LATE_DEVICES;
    s.seed = seed;
    s.sends = calloc(STEPS_MAX + 1, sizeof(*s.sends));
    if (xmtp_network_open(&s.net, &(xmtp_network_options){.seed = seed}, &error) != XMTP_OK) {
        violation("the network does not open: %s", error.text);
    }
    for (unsigned i = 0; i < options->clients; i++) {
        s.devices[i].number = i;
        s.devices[i].who = (int)(i % s.people);
    }
    for (unsigned i = 0; i < s.at_first; i++) {
        device_start(i);
    }
}

static void sim_close(void)
{
    for (unsigned i = 0; i < s.options.clients; i++) {
        list_free(&s.devices[i].handled);
    }
    xmtp_network_close(s.net);
    free(s.sends);
}

static const char *inbox_of(int who)
{
    for (unsigned i = 0; i < s.options.clients; i++) {
        if (s.devices[i].who == who && s.devices[i].is_here && client_of(&s.devices[i]) != NULL) {
            return xmtp_client_inbox_id(client_of(&s.devices[i]));
        }
    }
    violation("nobody is at home at person %d", who);
}

static bool knows(device *d, const place *g)
{
    xmtp_conversation c;
    return d->is_here && xmtp_client_conversation(client_of(d), &g->id, &c, &d->error) == XMTP_OK;
}

static xmtp_conversation conversation_of(device *d, const xmtp_conversation_id *id)
{
    xmtp_conversation c;
    must(d, xmtp_client_conversation(client_of(d), id, &c, &d->error));
    return c;
}

#endif
