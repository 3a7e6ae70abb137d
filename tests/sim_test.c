/* sim_test.c - many clients and a node on one clock, from one seed, on a network that fails.
 *
 *     sim [--seed N] [--seeds N] [--steps N]     without arguments: two short seeds, for CTest
 *
 * Each step a random device does a random thing: sends, replies, renames, adds, removes, promotes,
 * demotes, leaves, syncs, polls, answers its queue, is killed at a write, or the clock moves, or the
 * node starts anew. Meanwhile calls get lost before or after the node acted, arrive twice, arrive long
 * after the caller has given up, and people are cut off for a while; two get another device. At the
 * end the network is whole, all sync, and what they see is compared:
 *
 *     active devices     same epoch, members with their ranks, and name, and are members
 *     other devices      know that they are not active
 *     messages           same order everywhere, none twice; one whose send returned OK is at everyone
 *                        whom the sender knew as a member and who was never told to go
 *     queue              each message of others exactly once, in order
 *
 * Decisions, clock and the clients' randomness come from the seed. Threads of the node do not: how
 * much a poll finds waiting may differ between runs, so a seed tells where to look rather than
 * repeating every byte. What must hold in the end does not depend on it.
 */
#include "sim.h"

/* ---- what people do */

/* Those that are there from the start: the others get into a conversation when somebody sends. */
static uint32_t devices_of(int who)
{
    uint32_t mask = 0;
    for (unsigned i = 0; i < AT_FIRST; i++) {
        mask |= s.devices[i].who == who ? 1u << i : 0;
    }
    return mask;
}

static const char *inbox_of(int who)
{
    for (unsigned i = 0; i < DEVICES; i++) {
        if (s.devices[i].who == who && s.devices[i].p.client != NULL) {
            return xmtp_client_inbox_id(s.devices[i].p.client);
        }
    }
    violation("nobody is at home at person %d", who);
}

/* Failures that a caller has to expect here; any other one is a finding. True: it is done. */
static bool is_done(device *d, const char *what, xmtp_status status)
{
    if (d->has_crashed) {
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
                  d->p.error.text);
    }
}

static bool knows(device *d, const place *g)
{
    xmtp_conversation c;
    return d->is_here && xmtp_client_conversation(d->p.client, &g->id, &c, &d->p.error) == XMTP_OK;
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
    if (s.place_count == GROUPS_MAX) {
        return;
    }
    place *g = &s.places[s.place_count];
    const char *members[PEOPLE];
    uint32_t mask = devices_of(d->who);
    size_t n = 0;
    memset(g, 0, sizeof(*g));
    for (int i = 0; i < PEOPLE; i++) {
        if (i != d->who && happens(600)) {
            members[n++] = inbox_of(i);
            mask |= devices_of(i);
        }
    }
    xmtp_status status =
        xmtp_client_group_create(d->p.client, "new", members, n, &g->id, &d->p.error);
    bool is_there = g->id.n > 0 && !d->has_crashed;
    g->members = is_done(d, "group_create", status) ? mask : 0;
    s.place_count += is_there;
}

static void do_dm(device *d)
{
    int peer = (int)choose(PEOPLE);
    place *g = &s.places[s.place_count];
    if (peer == d->who || s.place_count == GROUPS_MAX) {
        return;
    }
    memset(g, 0, sizeof(*g));
    g->is_dm = true;
    g->people[0] = d->who;
    g->people[1] = peer;
    if (!is_done(d, "dm", xmtp_client_dm(d->p.client, inbox_of(peer), &g->id, &d->p.error))) {
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
    for (int i = 0; i < PEOPLE; i++) {
        if (strcmp(inbox_of(i), member->inbox_id) == 0) {
            *(uint32_t *)context |= devices_of(i);
        }
    }
    return XMTP_OK;
}

/* Devices that are in for sure and that this one knows of: who was added by a commit that the sender
 * has not seen cannot read what is sealed for the epoch before. */
static uint32_t members_known_to(device *d, const place *g)
{
    uint32_t known = 0;
    assert_ok(&d->p, xmtp_client_members(d->p.client, &g->id, note_devices, &known, &d->p.error));
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
    uint32_t members = members_known_to(d, g);
    (void)snprintf(text, sizeof(text), "s%d", number);
    const sent *earlier = number > 0 ? &s.sends[choose((unsigned)number)] : NULL;
    bool has_reference = is_reply && earlier != NULL && earlier->is_ok;
    xmtp_status status =
        has_reference
            ? xmtp_client_send_reply(d->p.client, &g->id, earlier->id, text, m->id, &d->p.error)
            : xmtp_client_send_text(d->p.client, &g->id, text, m->id, &d->p.error);
    m->is_ok = is_done(d, "send", status);
    m->members = members;
}

static void do_rename(device *d)
{
    place *g = any_place(d);
    char name[24];
    (void)snprintf(name, sizeof(name), "n%u", s.step);
    if (g != NULL && !g->is_dm) {
        (void)is_done(d, "rename",
                      xmtp_client_group_rename(d->p.client, &g->id, name, &d->p.error));
    }
}

static void do_add(device *d)
{
    place *g = any_place(d);
    int who = (int)choose(PEOPLE);
    const char *member = inbox_of(who);
    if (g == NULL || g->is_dm || who == d->who) {
        return;
    }
    xmtp_status status = xmtp_client_group_add(d->p.client, &g->id, &member, 1, &d->p.error);
    if (is_done(d, "add", status) && (g->had_to_go & (1u << who)) == 0) {
        g->members |= devices_of(who);
    }
}

static void goes(place *g, int who)
{
    g->had_to_go |= 1u << who;
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
    int who = (int)choose(PEOPLE);
    const char *member = inbox_of(who);
    if (g == NULL || g->is_dm || who == d->who) {
        return;
    }
    xmtp_status status = xmtp_client_group_remove(d->p.client, &g->id, &member, 1, &d->p.error);
    if (d->has_crashed || (status != XMTP_E_PERMISSION && status != XMTP_E_INACTIVE)) {
        goes(g, who);
    }
    (void)is_done(d, "remove", status);
}

static void do_leave(device *d)
{
    place *g = any_place(d);
    if (g != NULL && !g->is_dm) {
        goes(g, d->who);
        (void)is_done(d, "leave", xmtp_client_leave(d->p.client, &g->id, &d->p.error));
    }
}

static void do_admins(device *d)
{
    place *g = any_place(d);
    int who = (int)choose(PEOPLE);
    xmtp_admin_change change = choose(2) == 0 ? XMTP_ADMIN_ADD : XMTP_ADMIN_REMOVE;
    if (g != NULL && !g->is_dm) {
        xmtp_status status = xmtp_client_group_change_admins(d->p.client, &g->id, change,
                                                             inbox_of(who), &d->p.error);
        (void)is_done(d, "change_admins", status);
    }
}

/* Takes up to `count` messages from the queue; may die with one in hand. */
static void do_answer(device *d, int count)
{
    d->crash_in = 0;
    for (int i = 0; d->has_queue && i < count; i++) {
        xmtp_queue_entry entry;
        uint8_t id[XMTP_MESSAGE_ID_LEN];
        xmtp_status status = xmtp_client_queue_next(d->p.client, &entry, NULL, &d->p.error);
        if (status == XMTP_E_NOT_FOUND) {
            return;
        }
        assert_ok(&d->p, status);
        if (s.is_faulty && happens(200)) {
            device_restart(d);
            return;
        }
        int number = entry.message.text == NULL ? -1 : atoi(entry.message.text + 1);
        memcpy(id, entry.message.id, sizeof(id));
        assert_ok(&d->p, xmtp_client_queue_acknowledge(d->p.client, id, NULL, 0, &d->p.error));
        if (number >= 0) {
            if (d->handled.n >= STEPS_MAX) {
                violation("device %u: the queue does not end", d->number);
            }
            d->handled.at[d->handled.n++] = number;
        }
    }
}

static void do_poll(device *d)
{
    d->has_streams = true;
    (void)is_done(d, "poll", xmtp_client_poll(d->p.client, 0, &d->p.error));
}

static void one_step(void)
{
    device *d = &s.devices[choose(DEVICES)];
    if (!d->is_here && happens(900)) {
        d = &s.devices[choose(AT_FIRST)];
    } else if (!d->is_here) {
        device_start((unsigned)(d - s.devices));
    }
    unsigned what = choose(100);
    if (happens(150)) {
        late_calls_arrive();
    }
    if (happens(20)) {
        d->cut_until = s.step + 5 + choose(30);
    }
    if (happens(20)) {
        node_restart();
    }
    sim_sleep_ns(NULL, UINT64_C(1000000) * choose(5000));
    if (what >= 8 && happens(40)) {
        d->crash_in = what >= 78 && what < 84 ? 0 : 1 + choose(12);
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
        (void)is_done(d, "sync", xmtp_client_sync(d->p.client, &d->p.error));
    } else if (what < 78) {
        do_poll(d);
    } else if (what < 84) {
        do_answer(d, 6);
    } else {
        sim_sleep_ns(NULL, UINT64_C(1000000000) * choose(900));
    }
    if (d->has_crashed) {
        device_restart(d);
    }
}

/* ---- what must hold */

static xmtp_status note_number(void *context, const xmtp_message *message)
{
    list *l = context;
    if (message->text != NULL && l->n < STEPS_MAX) {
        l->at[l->n++] = atoi(message->text + 1);
    }
    return XMTP_OK;
}

static void read_numbers(device *d, const place *g, list *out)
{
    xmtp_message_query query = {.conversation = &g->id, .kind = XMTP_MESSAGE_APPLICATION};
    out->n = 0;
    if (knows(d, g)) {
        assert_ok(&d->p, xmtp_client_messages(d->p.client, &query, note_number, out, &d->p.error));
    }
}

/* Where a number is in a list; -1: nowhere. Twice is a violation. */
static int find(const device *d, const list *l, int number)
{
    int found = -1;
    for (size_t i = 0; i < l->n; i++) {
        if (l->at[i] == number && found >= 0) {
            violation("device %u has message s%d twice", d->number, number);
        }
        found = l->at[i] == number ? (int)i : found;
    }
    return found;
}

/* What both have comes in the same order. */
static void check_order(const device *a, const list *of_a, const device *b, const list *of_b)
{
    int last = -1;
    for (size_t i = 0; i < of_a->n; i++) {
        int at = find(b, of_b, of_a->at[i]);
        if (at >= 0 && at < last) {
            violation("devices %u and %u have s%d in different orders", a->number, b->number,
                      of_a->at[i]);
        }
        last = at > last ? at : last;
    }
}

typedef struct face {
    char text[4096];
    bool has_us;
    const char *us;
} face;

static xmtp_status note_member(void *context, const xmtp_member *m)
{
    face *f = context;
    size_t n = strlen(f->text);
    f->has_us |= strcmp(m->inbox_id, f->us) == 0;
    (void)snprintf(f->text + n, sizeof(f->text) - n, " %.8s%s%s", m->inbox_id,
                   m->is_admin ? "+" : "", m->is_super_admin ? "*" : "");
    return XMTP_OK;
}

/* Epoch, name and members as a line. */
static void look(device *d, const place *g, face *f)
{
    xmtp_conversation c = conversation_of(&d->p, &g->id);
    memset(f, 0, sizeof(*f));
    f->us = xmtp_client_inbox_id(d->p.client);
    (void)snprintf(f->text, sizeof(f->text), "epoch %llu name %s members",
                   g->is_dm ? 0 : (unsigned long long)c.epoch, c.name);
    assert_ok(&d->p, xmtp_client_members(d->p.client, &g->id, note_member, f, &d->p.error));
}

static void check_faces(const place *g)
{
    static face first;
    static face other;
    device *of = NULL;
    for (unsigned i = 0; i < DEVICES; i++) {
        device *d = &s.devices[i];
        if (!knows(d, g) || !conversation_of(&d->p, &g->id).is_active) {
            continue;
        }
        look(d, g, of == NULL ? &first : &other);
        if (!(of == NULL ? &first : &other)->has_us) {
            violation("device %u is active in place %d and not a member:%s", i, (int)(g - s.places),
                      (of == NULL ? &first : &other)->text);
        }
        if (of != NULL && strcmp(first.text, other.text) != 0) {
            violation("place %d\n  device %u: %s\n  device %u: %s", (int)(g - s.places), of->number,
                      first.text, i, other.text);
        }
        of = of == NULL ? d : of;
    }
    for (unsigned i = 0; i < DEVICES && !g->is_dm; i++) {
        bool is_in = knows(&s.devices[i], g) && conversation_of(&s.devices[i].p, &g->id).is_active;
        if ((g->members & (1u << i)) != 0 && !is_in) {
            violation("device %u should be active in place %d", i, (int)(g - s.places));
        }
    }
}

/* Who has a message, and as what, for whoever looks for the reason. */
static void tell_who_has(const sent *m)
{
    for (unsigned i = 0; i < DEVICES; i++) {
        xmtp_message message;
        device *d = &s.devices[i];
        if (d->is_here &&
            xmtp_client_message(d->p.client, m->id, &message, &d->p.error) == XMTP_OK) {
            (void)fprintf(stderr, "device %u has it: sequence %llu, delivery %d\n", i,
                          (unsigned long long)message.sequence, (int)message.delivery);
        }
    }
}

static void check_messages(int number, list *lists)
{
    const place *g = &s.places[number];
    for (unsigned i = 0; i < DEVICES; i++) {
        read_numbers(&s.devices[i], g, &lists[i]);
        for (unsigned j = 0; j <= i; j++) {
            check_order(&s.devices[i], &lists[i], &s.devices[j], &lists[j]);
        }
    }
    for (int k = 0; k < s.send_count; k++) {
        const sent *m = &s.sends[k];
        for (unsigned i = 0; m->place == number && i < DEVICES; i++) {
            bool must_have = m->is_ok && (m->members & (1u << i)) != 0;
            if (must_have && find(&s.devices[i], &lists[i], k) < 0) {
                tell_who_has(m);
                violation("device %u lacks s%d, sent by device %u at step %u to place %d (%s)", i,
                          k, m->by, m->step, number, g->is_dm ? "DM" : "group");
            }
        }
    }
}

/* The queue gave what the database has of others, once and in its order. */
static void check_queue(int number, device *d, const list *have)
{
    size_t next = 0;
    for (size_t i = 0; i < have->n; i++) {
        int k = have->at[i];
        if (s.devices[s.sends[k].by].who != d->who && find(d, &d->handled, k) < 0) {
            violation("device %u never handled s%d", d->number, k);
        }
    }
    for (size_t i = 0; i < d->handled.n && !s.places[number].is_dm; i++) {
        int k = d->handled.at[i];
        if (s.sends[k].place != number) {
            continue;
        }
        while (next < have->n && have->at[next] != k) {
            next++;
        }
        if (next == have->n) {
            violation("device %u handled s%d out of order or without having it", d->number, k);
        }
    }
}

static void settle(void)
{
    s.is_faulty = false;
    late_calls_arrive();
    for (int round = 0; round < ROUNDS; round++) {
        sim_sleep_ns(NULL, UINT64_C(60000000000));
        for (unsigned i = 0; i < DEVICES; i++) {
            device *d = &s.devices[i];
            if (!d->is_here) {
                continue;
            }
            d->crash_in = 0;
            xmtp_status status = xmtp_client_sync(d->p.client, &d->p.error);
            if (round == ROUNDS - 1 && status != XMTP_OK) {
                violation("device %u does not settle: %s: %s", i, xmtp_status_name(status),
                          d->p.error.text);
            }
        }
    }
}

static void check(void)
{
    list lists[DEVICES];
    for (unsigned i = 0; i < DEVICES; i++) {
        if (s.devices[i].is_here) {
            do_answer(&s.devices[i], STEPS_MAX);
        }
        lists[i] = (list){.at = calloc(STEPS_MAX + 1, sizeof(int))};
    }
    for (int i = 0; i < s.place_count; i++) {
        check_faces(&s.places[i]);
        check_messages(i, lists);
        for (unsigned j = 0; j < DEVICES; j += 2) {
            check_queue(i, &s.devices[j], &lists[j]);
        }
    }
    for (unsigned i = 0; i < DEVICES; i++) {
        free(lists[i].at);
    }
}

static void run_seed(uint64_t seed, unsigned steps)
{
    sim_open(seed);
    s.is_faulty = true;
    for (s.step = 1; s.step <= steps; s.step++) {
        one_step();
    }
    settle();
    check();
    int ok = 0;
    for (int i = 0; i < s.send_count; i++) {
        ok += s.sends[i].is_ok;
    }
    printf("seed %llu: %u steps, %d conversations, %d of %d sends returned ok, %llu faults\n",
           (unsigned long long)seed, steps, s.place_count, ok, s.send_count,
           (unsigned long long)s.faults);
    (void)fflush(stdout);
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

int main(int argc, char **argv)
{
    uint64_t seed = 1;
    uint64_t seeds = argc == 1 ? 2 : 20;
    uint64_t steps = argc == 1 ? 40 : 300;
    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--seed") == 0) {
            seed = number_of(argv[i], value);
        } else if (strcmp(argv[i], "--seeds") == 0) {
            seeds = number_of(argv[i], value);
        } else if (strcmp(argv[i], "--steps") == 0) {
            steps = number_of(argv[i], value);
        } else {
            (void)fprintf(stderr, "usage: sim [--seed N] [--seeds N] [--steps N]\n");
            return 2;
        }
    }
    if (seeds == 0 || steps == 0 || steps > STEPS_MAX) {
        (void)fprintf(stderr, "sim: at least one seed, and 1 to %d steps\n", STEPS_MAX);
        return 2;
    }
    for (uint64_t i = 0; i < seeds; i++) {
        run_seed(seed + i, (unsigned)steps);
    }
    printf("%llu seeds passed\n", (unsigned long long)seeds);
    return 0;
}
