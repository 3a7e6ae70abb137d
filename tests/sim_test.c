/* sim_test.c - many clients and a node on one clock, from one seed, on a network that fails.
 *
 *     sim [--seed N] [--seeds N] [--steps N] [--clients N] [--groups N] [--jobs N]
 *     without arguments: two short seeds, for CTest
 *
 * Seeds run in processes of their own, one for each processor unless --jobs says otherwise. A seed that
 * violates something ends and says what; the others go on.
 *
 * Each step a random device does a random thing: sends, replies, renames, adds, removes, promotes,
 * demotes, leaves, decides whom it wants to hear from, syncs, polls, answers its queue, is killed at a write of its database, or the clock
 * moves, or the node starts anew. Meanwhile calls get lost before or after the node acted, arrive
 * twice, late, or long after the caller has given up, and people are cut off for a while; two get
 * another device. At the end the network is whole, all sync, and what they see is compared:
 *
 *     active devices     same epoch, members with their ranks, and name, and are members
 *     other devices      know that they are not active
 *     messages           same order everywhere, none twice; one whose send returned OK is at everyone
 *                        whom the sender knew as a member and who was never told to go
 *     queue              each message of others exactly once, in order
 *     secrets            no record of an epoch past the limit; a ratchet's secret that was seen in a
 *                        database and is used up is nowhere in it
 *     database           whole, by its own checks
 *     two devices of one same consent in what was decided since both are there, and same HMAC root
 *
 * The same seed and options give the same run (xmtp/network.h).
 */
#include "jobs.h"
#include "sim.h"
#include "sim_checks.h"
#include "sim_plain.h"
#include "verdicts.h"

/* ---- what people do */

/* Those that are there from the start: the others get into a conversation when somebody sends. */
static uint64_t devices_of(int who)
{
    uint64_t mask = 0;
    for (unsigned i = 0; i < s.at_first; i++) {
        mask |= s.devices[i].who == who ? UINT64_C(1) << i : 0;
    }
    return mask;
}

/* Failures that a caller has to expect here; any other one is a finding. True: it is done. */
static bool is_done(device *d, const char *what, xmtp_status status)
{
    if (xmtp_network_has_crashed(d->at)) {
        device_restart(d);
        return false;
    }
    switch (status) {
    case XMTP_OK:
        return true;
    case XMTP_E_NETWORK:
    case XMTP_E_RETRY:
    case XMTP_E_PERMISSION:
    case XMTP_E_INACTIVE:
    case XMTP_E_NOT_FOUND:
    case XMTP_E_TIMEOUT:
        return false;
    default:
        violation("device %u: %s: %s: %s", d->number, what, xmtp_status_name(status),
                  d->error.text);
    }
}

static place *any_place(device *d)
{
    for (int i = 0; i < 6 && s.place_count > 0; i++) {
        place *g = &s.places[choose((unsigned)s.place_count)];
        if (knows(d, g)) {
            return g;
        }
    }
    return NULL;
}

static void do_create(device *d)
{
    if (s.group_count == (int)s.options.groups) {
        return;
    }
    place *g = &s.places[s.place_count];
    const char *members[DEVICES_MAX];
    uint64_t mask = devices_of(d->who);
    size_t n = 0;
    memset(g, 0, sizeof(*g));
    for (int i = 0; i < (int)s.people; i++) {
        if (i != d->who && happens(600)) {
            members[n++] = inbox_of(i);
            mask |= devices_of(i);
        }
    }
    xmtp_status status =
        xmtp_client_group_create(client_of(d), "new", members, n, &g->id, &d->error);
    bool is_there = g->id.n > 0 && !xmtp_network_has_crashed(d->at);
    g->members = is_done(d, "group_create", status) ? mask : 0;
    s.place_count += is_there;
    s.group_count += is_there;
}

static void do_dm(device *d)
{
    int peer = (int)choose(s.people);
    place *g = &s.places[s.place_count];
    if (peer == d->who || s.place_count - s.group_count == (int)s.options.groups) {
        return;
    }
    memset(g, 0, sizeof(*g));
    g->is_dm = true;
    g->people[0] = d->who;
    g->people[1] = peer;
    if (!is_done(d, "dm", xmtp_client_dm(client_of(d), inbox_of(peer), &g->id, &d->error))) {
        return;
    }
    g->members = devices_of(d->who) | devices_of(peer);
    for (int i = 0; i < s.place_count; i++) {
        const place *other = &s.places[i];
        if (other->is_dm && (other->people[0] == peer || other->people[1] == peer) &&
            (other->people[0] == d->who || other->people[1] == d->who)) {
            return; /* a second group of the same two is the same place */
        }
    }
    s.place_count++;
}

static xmtp_status note_devices(void *context, const xmtp_member *member)
{
    for (int i = 0; i < (int)s.people; i++) {
        if (strcmp(inbox_of(i), member->inbox_id) == 0) {
            *(uint64_t *)context |= devices_of(i);
        }
    }
    return XMTP_OK;
}

/* Devices that are in for sure and that this one knows of: who was added by a commit that the sender
 * has not seen cannot read what is sealed for the epoch before. It may die of being asked: that writes
 * down what it has sent before. */
static uint64_t members_known_to(device *d, const place *g)
{
    uint64_t known = 0;
    xmtp_status status = xmtp_client_members(client_of(d), &g->id, note_devices, &known, &d->error);
    if (!xmtp_network_has_crashed(d->at)) {
        must(d, status);
    }
    return known & g->members;
}

static void do_send(device *d, bool is_reply)
{
    place *g = any_place(d);
    if (g == NULL) {
        return;
    }
    char text[24];
    int number = s.send_count++;
    sent *m = &s.sends[number];
    *m = (sent){.place = (int)(g - s.places), .by = d->number, .step = s.step};
    uint64_t members = members_known_to(d, g);
    (void)snprintf(text, sizeof(text), "s%d", number);
    const sent *earlier = number > 0 ? &s.sends[choose((unsigned)number)] : NULL;
    bool has_reference = is_reply && earlier != NULL && earlier->is_ok;
    xmtp_status status =
        has_reference
            ? xmtp_client_send_reply(client_of(d), &g->id, earlier->id, text, m->id, &d->error)
            : xmtp_client_send_text(client_of(d), &g->id, text, m->id, &d->error);
    m->is_ok = is_done(d, "send", status);
    m->members = members;
}

static void do_rename(device *d)
{
    place *g = any_place(d);
    char name[24];
    (void)snprintf(name, sizeof(name), "n%u", s.step);
    if (g != NULL && !g->is_dm) {
        (void)is_done(d, "rename", xmtp_client_group_rename(client_of(d), &g->id, name, &d->error));
    }
}

static void do_add(device *d)
{
    place *g = any_place(d);
    int who = (int)choose(s.people);
    const char *member = inbox_of(who);
    if (g == NULL || g->is_dm || who == d->who) {
        return;
    }
    xmtp_status status = xmtp_client_group_add(client_of(d), &g->id, &member, 1, &d->error);
    if (is_done(d, "add", status) && (g->had_to_go & (UINT64_C(1) << who)) == 0) {
        g->members |= devices_of(who);
    }
}

static void goes(place *g, int who)
{
    g->had_to_go |= UINT64_C(1) << who;
    g->members &= ~devices_of(who);
    for (int i = 0; i < s.send_count; i++) {
        if (&s.places[s.sends[i].place] == g) {
            s.sends[i].members &= ~devices_of(who);
        }
    }
}

static void do_remove(device *d)
{
    place *g = any_place(d);
    int who = (int)choose(s.people);
    const char *member = inbox_of(who);
    if (g == NULL || g->is_dm || who == d->who) {
        return;
    }
    xmtp_status status = xmtp_client_group_remove(client_of(d), &g->id, &member, 1, &d->error);
    if (xmtp_network_has_crashed(d->at) ||
        (status != XMTP_E_PERMISSION && status != XMTP_E_INACTIVE)) {
        goes(g, who);
    }
    (void)is_done(d, "remove", status);
}

static void do_leave(device *d)
{
    place *g = any_place(d);
    if (g != NULL && !g->is_dm) {
        goes(g, d->who);
        (void)is_done(d, "leave", xmtp_client_leave(client_of(d), &g->id, &d->error));
    }
}

static void do_admins(device *d)
{
    place *g = any_place(d);
    int who = (int)choose(s.people);
    xmtp_admin_change change = choose(2) == 0 ? XMTP_ADMIN_ADD : XMTP_ADMIN_REMOVE;
    if (g != NULL && !g->is_dm) {
        xmtp_status status =
            xmtp_client_group_change_admins(client_of(d), &g->id, change, inbox_of(who), &d->error);
        (void)is_done(d, "change_admins", status);
    }
}

/* Whether every device of these people is there. */
static bool are_all_here(int who)
{
    for (unsigned i = 0; i < s.options.clients; i++) {
        if (s.devices[i].who == who && !s.devices[i].is_here) {
            return false;
        }
    }
    return true;
}

static void do_decide(device *d)
{
    int whom = (int)choose(s.people);
    const xmtp_consent record = {.entity_type = XMTP_CONSENT_INBOX,
                                 .entity = inbox_of(whom),
                                 .state = (xmtp_consent_state)choose(3)};
    xmtp_network_advance(s.net, 1000000); /* two decisions of one moment are both right */
    bool all_here = are_all_here(d->who);
    bool done =
        is_done(d, "set_consent", xmtp_client_set_consent(client_of(d), &record, 1, &d->error));
    /* One that failed is recorded or not. With all devices there, what they knew to be decided they agree on
     * in either case; before, a device that comes later need not know of it. */
    s.is_decided[d->who][whom] = all_here && (done || s.is_decided[d->who][whom]);
    s.decisions++;
}

/* Takes up to `count` messages from the queue; may die with one in hand. */
static void do_answer(device *d, int count)
{
    xmtp_network_crash_at(d->at, XMTP_NETWORK_AT_WRITE, 0);
    for (int i = 0; d->has_queue && i < count; i++) {
        xmtp_queue_entry entry;
        uint8_t id[XMTP_MESSAGE_ID_LEN];
        xmtp_status status = xmtp_client_queue_next(client_of(d), &entry, NULL, &d->error);
        if (status == XMTP_E_NOT_FOUND) {
            return;
        }
        must(d, status);
        if (s.is_faulty && happens(200)) {
            device_restart(d);
            return;
        }
        int number = entry.message.text == NULL ? -1 : atoi(entry.message.text + 1);
        memcpy(id, entry.message.id, sizeof(id));
        must(d, xmtp_client_queue_acknowledge(client_of(d), id, NULL, 0, &d->error));
        if (number >= 0) {
            list_add(&d->handled, d, number);
        }
    }
}

static void do_poll(device *d)
{
    (void)is_done(d, "poll", xmtp_client_poll(client_of(d), 0, &d->error));
}

/* ---- secrets: remembered while a database has them */

enum { RATCHET = 'r', GENERATION_LEN = 4 };

/* One of the ratchets that this device keeps. */
static void remember_secret(device *d)
{
    xmtp_query q = xmtp_query_start(client_of(d)->db,
                                    "SELECT group_ref, key, value FROM mls_records WHERE"
                                    " substr(key, 1, 1) = x'72' ORDER BY group_ref, key LIMIT 1"
                                    " OFFSET ? % max(1, (SELECT count(*) FROM mls_records WHERE"
                                    " substr(key, 1, 1) = x'72'))");
    bool has_row = false;
    xmtp_query_bind_u64(&q, choose(1U << 30));
    must(d, xmtp_query_step(&q, &has_row));
    if (has_row && s.secret_count < SECRETS_MAX) {
        secret *r = &s.secrets[s.secret_count++];
        xmtp_bytes key = xmtp_query_view(&q, 1);
        xmtp_bytes value = xmtp_query_view(&q, 2);
        if (key.n > sizeof(r->key) || value.n < GENERATION_LEN + sizeof(r->secret)) {
            violation("device %u has a ratchet of another form than this test knows", d->number);
        }
        *r = (secret){.device = d->number, .step = s.step, .group = xmtp_query_u64(&q, 0)};
        r->key_len = key.n;
        memcpy(r->key, key.p, key.n);
        memcpy(r->secret, value.p + GENERATION_LEN, sizeof(r->secret));
    }
    xmtp_query_end(&q);
}

/* Somebody is cut off and somebody comes back; the node starts anew; a process will die. */
static void mishaps(device *d, bool may_die)
{
    for (unsigned i = 0; i < s.options.clients; i++) {
        if (s.devices[i].is_here && s.devices[i].cut_until == s.step) {
            xmtp_network_heal(s.net, s.devices[i].at);
        }
    }
    if (happens(20)) {
        d->cut_until = s.step + 5 + choose(30);
        xmtp_network_partition(s.net, d->at);
    }
    if (happens(20)) {
        must(d, xmtp_network_restart_node(s.net, &d->error));
    }
    if (may_die && happens(40)) {
        static const unsigned most[] = {[XMTP_NETWORK_AT_WRITE] = 14,
                                        [XMTP_NETWORK_AT_TORN_WRITE] = 200,
                                        [XMTP_NETWORK_AT_COMMIT] = 12};
        xmtp_network_death how = (xmtp_network_death)choose(3);
        xmtp_network_crash_at(d->at, how, 1 + choose(most[how]));
    }
}

static void one_step(void)
{
    device *d = &s.devices[choose(s.options.clients)];
    if (!d->is_here && happens(900)) {
        d = &s.devices[choose(s.at_first)];
    } else if (!d->is_here) {
        device_start(d->number);
    }
    unsigned what = choose(100);
    mishaps(d, what >= 8 && (what < 78 || what >= 84));
    xmtp_network_advance(s.net, UINT64_C(1000000) * choose(5000));
    if (happens(50)) {
        remember_secret(d);
    }
    if (what < 3) {
        do_create(d);
    } else if (what < 6) {
        do_dm(d);
    } else if (what < 8) {
        device_restart(d);
    } else if (what < 42) {
        do_send(d, what < 15);
    } else if (what < 46) {
        do_rename(d);
    } else if (what < 50) {
        do_add(d);
    } else if (what < 52) {
        do_remove(d);
    } else if (what < 54) {
        do_admins(d);
    } else if (what < 55) {
        do_leave(d);
    } else if (what < 70) {
        (void)is_done(d, "sync", xmtp_client_sync(client_of(d), &d->error));
    } else if (what < 78) {
        do_poll(d);
    } else if (what < 84) {
        do_answer(d, 6);
    } else if (what < 87) {
        do_decide(d);
    } else {
        xmtp_network_advance(s.net, UINT64_C(1000000000) * choose(900));
    }
    if (xmtp_network_has_crashed(d->at)) {
        device_restart(d);
    }
}

static void settle(void)
{
    s.is_faulty = false;
    must(&s.devices[0], xmtp_network_fault(s.net, NULL, NULL));
    xmtp_network_heal(s.net, NULL);
    xmtp_network_deliver(s.net);
    for (int round = 0; round < ROUNDS; round++) {
        xmtp_network_advance(s.net, UINT64_C(60000000000));
        for (unsigned i = 0; i < s.options.clients; i++) {
            device *d = &s.devices[i];
            if (!d->is_here) {
                continue;
            }
            xmtp_network_crash_at(d->at, XMTP_NETWORK_AT_WRITE, 0);
            xmtp_status status = xmtp_client_sync(client_of(d), &d->error);
            if (round == ROUNDS - 1 && status != XMTP_OK) {
                violation("device %u does not settle: %s: %s", i, xmtp_status_name(status),
                          d->error.text);
            }
        }
    }
}

static void check(void)
{
    static list lists[DEVICES_MAX];
    for (unsigned i = 0; i < s.options.clients; i++) {
        if (s.devices[i].is_here) {
            do_answer(&s.devices[i], STEPS_MAX);
        }
        lists[i] = list_new();
    }
    for (int i = 0; i < s.place_count; i++) {
        check_faces(&s.places[i]);
        check_messages(i, lists);
        for (unsigned j = 0; j < s.options.clients; j += 2) {
            check_queue(i, &s.devices[j], &lists[j]);
        }
    }
    for (unsigned i = 0; i < s.options.clients; i++) {
        list_free(&lists[i]);
    }
}

static const xmtp_network_faults faults = {.lost = 21,
                                           .late = 9,
                                           .answer_lost = 30,
                                           .doubled = 20,
                                           .delayed = 20,
                                           .stream_refused = 50,
                                           .stream_cut = 20,
                                           .late_max_ns = 600 * XMTP_SECOND_NS};

static void report(uint64_t seed)
{
    xmtp_network_counts c = xmtp_network_count(s.net, NULL);
    int ok = 0;
    for (int i = 0; i < s.send_count; i++) {
        ok += s.sends[i].is_ok;
    }
    printf("seed %llu: %u clients, %u steps, %d groups, %d DMs, %d of %d sends returned ok; of "
           "%llu calls "
           "%llu lost, %llu answers lost, %llu doubled, %llu late; %llu crashes, %llu restarts; "
           "%zu of %zu secrets used up and gone; %zu decisions\n",
           (unsigned long long)seed, s.options.clients, s.options.steps, s.group_count,
           s.place_count - s.group_count, ok, s.send_count, (unsigned long long)c.calls,
           (unsigned long long)c.lost, (unsigned long long)c.answers_lost,
           (unsigned long long)c.doubled, (unsigned long long)c.late, (unsigned long long)c.crashes,
           (unsigned long long)c.node_restarts, s.secrets_gone, s.secret_count, s.decisions);
    (void)fflush(stdout);
}

static void run_seed(void *context, uint64_t seed)
{
    const sim_options *options = context;
    sim_open(seed, options);
    s.is_faulty = true;
    must(&s.devices[0], xmtp_network_fault(s.net, NULL, &faults));
    for (s.step = 1; s.step <= options->steps; s.step++) {
        one_step();
    }
    settle();
    check();
    check_devices();
    check_databases();
    report(seed);
    sim_close();
}

/* The number after an option. */
static uint64_t number_of(const char *option, const char *value)
{
    char *end = NULL;
    uint64_t number = value == NULL ? 0 : strtoull(value, &end, 10);
    if (value == NULL || *value < '0' || *value > '9' || *end != '\0') {
        (void)fprintf(stderr, "sim: %s needs a number, not '%s'\n", option, value ? value : "");
        exit(2);
    }
    return number;
}

typedef struct limit {
    const char *option;
    uint64_t value;
    uint64_t min;
    uint64_t max;
} limit;

enum { SEED, SEEDS, STEPS, CLIENTS, GROUPS, JOBS, LIMITS };

static void read_options(limit limits[LIMITS], int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        limit *l = limits;
        while (l < limits + LIMITS && strcmp(l->option, argv[i]) != 0) {
            l++;
        }
        if (l == limits + LIMITS) {
            (void)fprintf(stderr, "usage: sim [--seed N] [--seeds N] [--steps N] [--clients N] "
                                  "[--groups N] [--jobs N]\n");
            exit(2);
        }
        l->value = number_of(argv[i], i + 1 < argc ? argv[i + 1] : NULL);
        if (l->value < l->min || l->value > l->max) {
            (void)fprintf(stderr, "sim: %s is %llu to %llu\n", l->option,
                          (unsigned long long)l->min, (unsigned long long)l->max);
            exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    limit limits[LIMITS] = {
        [SEED] = {"--seed", 1, 0, UINT64_MAX},
        [SEEDS] = {"--seeds", argc == 1 ? 2 : 1, 1, UINT64_MAX},
        [STEPS] = {"--steps", argc == 1 ? 150 : 300, 1, STEPS_MAX},
        [CLIENTS] = {"--clients", 13, LATE_DEVICES + 2, DEVICES_MAX},
        [GROUPS] = {"--groups", 12, 1, GROUPS_MAX},
        [JOBS] = {"--jobs", 0, 1, JOBS_AT_ONCE_MAX},
    };
    read_options(limits, argc, argv);
    sim_options options = {.clients = (unsigned)limits[CLIENTS].value,
                           .groups = (unsigned)limits[GROUPS].value,
                           .steps = (unsigned)limits[STEPS].value};
    jobs seeds = {.name = "seed",
                  .first = limits[SEED].value,
                  .count = limits[SEEDS].value,
                  .every = 1,
                  .at_once = limits[JOBS].value,
                  .run = run_seed,
                  .context = &options};
    jobs_run(&seeds);
    printf("%" PRIu64 " seeds of %u steps, %u clients, %u groups: %" PRIu64
           " violations, %.2f CPU s a seed\n",
           seeds.done, options.steps, options.clients, options.groups, seeds.failures,
           seeds.cpu_s / (double)seeds.done);
    return jobs_passed(&seeds) ? 0 : 1;
}
