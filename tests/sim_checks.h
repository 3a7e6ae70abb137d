/* sim_checks.h - what must hold at the end of a run of sim_test.c, on a network that is whole again: the
 * devices agree, messages and queues are complete and in order, and no secret is left that is used up.
 */
#ifndef XMTP_TESTS_SIM_CHECKS_H
#define XMTP_TESTS_SIM_CHECKS_H

#include "sim.h"

typedef struct reading {
    const device *device;
    list *list;
} reading;

static xmtp_status note_number(void *context, const xmtp_message *message)
{
    reading *r = context;
    if (message->text != NULL) {
        list_add(r->list, r->device, atoi(message->text + 1));
    }
    return XMTP_OK;
}

static void read_numbers(device *d, const place *g, list *out)
{
    xmtp_message_query query = {.conversation = &g->id, .kind = XMTP_MESSAGE_APPLICATION};
    reading r = {.device = d, .list = out};
    list_clear(out);
    if (knows(d, g)) {
        must(d, xmtp_client_messages(client_of(d), &query, note_number, &r, &d->error));
    }
}

/* Who has a message, and as what, for whoever looks for the reason. */
static void tell_who_has(const sent *m)
{
    (void)fprintf(stderr, "s%d, sent by device %u at step %u:\n", (int)(m - s.sends), m->by,
                  m->step);
    for (unsigned i = 0; i < s.options.clients; i++) {
        xmtp_message message;
        device *d = &s.devices[i];
        if (d->is_here &&
            xmtp_client_message(client_of(d), m->id, &message, &d->error) == XMTP_OK) {
            (void)fprintf(stderr, "device %u has %s: sequence %llu, sent at %llu, delivery %d\n", i,
                          message.text, (unsigned long long)message.sequence,
                          (unsigned long long)message.sent_ns, (int)message.delivery);
        }
    }
}

/* What both have comes in the same order. */
static void check_order(const device *a, const list *of_a, const device *b, const list *of_b)
{
    int last = -1;
    for (size_t i = 0; i < of_a->n; i++) {
        int at = of_b->where[of_a->at[i]];
        if (at >= 0 && at < last) {
            const sent *m = &s.sends[of_a->at[i]];
            tell_who_has(m);
            tell_who_has(&s.sends[of_b->at[last]]);
            violation("devices %u and %u have s%d and s%d of place %d (%s) in different orders",
                      a->number, b->number, of_a->at[i], of_b->at[last], m->place,
                      s.places[m->place].is_dm ? "DM" : "group");
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
    xmtp_conversation c = conversation_of(d, &g->id);
    memset(f, 0, sizeof(*f));
    f->us = xmtp_client_inbox_id(client_of(d));
    (void)snprintf(f->text, sizeof(f->text), "epoch %llu name %s members",
                   g->is_dm ? 0 : (unsigned long long)c.epoch, c.name);
    must(d, xmtp_client_members(client_of(d), &g->id, note_member, f, &d->error));
}

static void check_faces(const place *g)
{
    static face first;
    static face other;
    device *of = NULL;
    for (unsigned i = 0; i < s.options.clients; i++) {
        device *d = &s.devices[i];
        if (!knows(d, g) || !conversation_of(d, &g->id).is_active) {
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
    for (unsigned i = 0; i < s.options.clients && !g->is_dm; i++) {
        bool is_in = knows(&s.devices[i], g) && conversation_of(&s.devices[i], &g->id).is_active;
        if ((g->members & (UINT64_C(1) << i)) != 0 && !is_in) {
            violation("device %u should be active in place %d", i, (int)(g - s.places));
        }
    }
}

static void check_messages(int number, list *lists)
{
    const place *g = &s.places[number];
    for (unsigned i = 0; i < s.options.clients; i++) {
        read_numbers(&s.devices[i], g, &lists[i]);
        for (unsigned j = 0; j < i; j++) {
            check_order(&s.devices[i], &lists[i], &s.devices[j], &lists[j]);
        }
    }
    for (int k = 0; k < s.send_count; k++) {
        const sent *m = &s.sends[k];
        for (unsigned i = 0; m->place == number && i < s.options.clients; i++) {
            bool must_have = m->is_ok && (m->members & (UINT64_C(1) << i)) != 0;
            if (must_have && lists[i].where[k] < 0) {
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
        if (s.devices[s.sends[k].by].who != d->who && d->handled.where[k] < 0) {
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

/* How many rows a question finds; ?1 is the secret, ?2 the group, ?3 the key of its record. */
static uint64_t count_rows(device *d, const char *sql, const secret *r)
{
    xmtp_query q = xmtp_query_start(client_of(d)->db, sql);
    xmtp_query_bind_bytes(&q, xmtp_bytes_of(r->secret, sizeof(r->secret)));
    xmtp_query_bind_u64(&q, r->group);
    xmtp_query_bind_bytes(&q, xmtp_bytes_of(r->key, r->key_len));
    must(d, xmtp_query_one(&q));
    uint64_t count = xmtp_query_u64(&q, 0);
    xmtp_query_end(&q);
    return count;
}

/* A ratchet that went on, or whose epoch is over, has left nothing behind. */
static void check_secret(const secret *r)
{
    static const char *const places[] = {
        "SELECT count(*) FROM mls_records WHERE instr(value, ?1) > 0 AND ?2 + length(?3) > 0",
        "SELECT count(*) FROM intents WHERE instr(data, ?1) + instr(payload, ?1) +"
        " instr(staged, ?1) > 0 AND ?2 + length(?3) > 0",
        "SELECT count(*) FROM commit_parts WHERE instr(bytes, ?1) > 0 AND ?2 + length(?3) > 0",
        "SELECT count(*) FROM settings WHERE instr(value, ?1) > 0 AND ?2 + length(?3) > 0",
        "SELECT count(*) FROM key_packages WHERE instr(private_keys, ?1) > 0"
        " AND ?2 + length(?3) > 0",
    };
    device *d = &s.devices[r->device];
    if (count_rows(d,
                   "SELECT count(*) FROM mls_records WHERE group_ref = ?2 AND key = ?3"
                   " AND instr(value, ?1) > 0",
                   r) > 0) {
        return; /* not used yet */
    }
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (count_rows(d, places[i], r) != 0) {
            violation("device %u still has a secret of step %u that is used up (question %zu)",
                      d->number, r->step, i);
        }
    }
    s.secrets_gone++;
}

static uint64_t big_endian(const uint8_t *p)
{
    uint64_t n = 0;
    for (int i = 0; i < 8; i++) {
        n = n << 8 | p[i];
    }
    return n;
}

/* Epochs, secret trees, ratchets and leaves of epochs past the limit are deleted. */
static void check_epochs(device *d)
{
    enum { EPOCH_OF_HEADER = 4, EPOCH_OF_KEY = 1 };
    xmtp_query q = xmtp_query_start(
        client_of(d)->db, "SELECT r.key, h.value FROM mls_records AS r JOIN mls_records AS h"
                          " ON h.group_ref = r.group_ref AND h.key = x'68'"
                          " WHERE substr(r.key, 1, 1) IN (x'65', x'74', x'72', x'64', x'73')");
    bool has_row = true;
    while (has_row) {
        must(d, xmtp_query_step(&q, &has_row));
        if (!has_row) {
            break;
        }
        xmtp_bytes key = xmtp_query_view(&q, 0);
        uint64_t epoch = big_endian(key.p + EPOCH_OF_KEY);
        uint64_t now = big_endian(xmtp_query_view(&q, 1).p + EPOCH_OF_HEADER);
        if (epoch > now || now - epoch > XMTP_PAST_EPOCHS) {
            violation("device %u keeps a record '%c' of epoch %llu in epoch %llu", d->number,
                      key.p[0], (unsigned long long)epoch, (unsigned long long)now);
        }
    }
    xmtp_query_end(&q);
}

static void check_twins(device *a, device *b)
{
    for (unsigned whom = 0; whom < s.people; whom++) {
        xmtp_consent_state of_a;
        xmtp_consent_state of_b;
        const char *inbox = inbox_of((int)whom);
        must(a, xmtp_client_consent(client_of(a), XMTP_CONSENT_INBOX, inbox, &of_a, &a->error));
        must(b, xmtp_client_consent(client_of(b), XMTP_CONSENT_INBOX, inbox, &of_b, &b->error));
        if (s.is_decided[a->who][whom] && of_a != of_b) {
            violation("devices %u and %u have consent %d and %d about person %u", a->number,
                      b->number, (int)of_a, (int)of_b, whom);
        }
    }
    must(a, xmtp_hmac_root(client_of(a), &a->error));
    must(b, xmtp_hmac_root(client_of(b), &b->error));
    if (memcmp(client_of(a)->hmac_root, client_of(b)->hmac_root, XMTP_HMAC_ROOT_LEN) != 0) {
        violation("devices %u and %u have different HMAC roots", a->number, b->number);
    }
}

static void check_devices(void)
{
    for (unsigned i = s.people; i < s.options.clients; i++) {
        if (s.devices[i].is_here) {
            check_twins(&s.devices[i - s.people], &s.devices[i]);
        }
    }
}

static void check_databases(void)
{
    for (unsigned i = 0; i < s.options.clients; i++) {
        device *d = &s.devices[i];
        if (d->is_here) {
            check_epochs(d);
            must(d, xmtp_client_check_database(client_of(d), &d->error));
        }
    }
    for (size_t i = 0; i < s.secret_count; i++) {
        check_secret(&s.secrets[i]);
    }
}

#endif
