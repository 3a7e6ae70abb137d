/* writes_test.c - a process killed at any single write of its database, opened again, goes on: in the end
 * everything is as if it had not died.
 *
 *     writes [--every N] [--from N] [--to N] [--death killed|torn|power] [--jobs N]
 *     without arguments: what CTest runs, a few writes of each kind
 *
 * A session is told once without a death, and once for each n with a death at the n-th write, sync,
 * truncation or deletion that is made in the files of the one who dies, from the first one of a new
 * database on (xmtp/network.h). It covers registering, a DM, a group, adding, removing, sending,
 * receiving, commits of both sides, a welcome, the rotation of the key package, and a queue that is
 * answered. After a death the caller does what a program has to do: open, sync, look whether what it
 * wanted is there, and do it again only if it is not.
 *
 *     killed   that write and all after it never happen
 *     torn     a part of it happens: once for each 512 bytes of it, up to the middle of them
 *     power    what was not synced is gone too. The client promises nothing of what it said last after
 *              that (its database syncs at checkpoints): only that the file opens, is whole, and works
 *
 * Compared with the session without a death, of all three people: conversations with name, kind,
 * epoch, members and their ranks, state; messages in order, each with its state, none twice; and what
 * the queue gave, each once.
 */
#include "jobs.h"
#include "verdicts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xmtp/network.h>

enum { STATE_LEN = 16384, TRIES_MAX = 12, PEOPLE = 3, HANDLED_MAX = 32 };

static const uint64_t second_ns = XMTP_NETWORK_SECOND_NS;

typedef struct person {
    xmtp_network_device *at;
    const char *name;
    char inbox[80];
} person;

typedef struct story {
    xmtp_network *net;
    person ann; /* who dies */
    person bob;
    person cid;
    xmtp_network_death how;
    uint64_t n; /* 0: nobody dies */
    uint64_t writes;
    uint64_t pieces;
    xmtp_conversation_id dm;
    xmtp_conversation_id group;
    xmtp_conversation_id second; /* group that Ann is welcomed to */
    char handled[STATE_LEN];
    jmp_buf after_power_cut;
    xmtp_error error;
} story;

static story s;

static void finding(const char *what, xmtp_status status)
{
    (void)fprintf(stderr, "death at write %llu (%d): %s: %s: %s\n", (unsigned long long)s.n,
                  (int)s.how, what, xmtp_status_name(status), s.error.text);
    if (s.ann.at != NULL) {
        jobs_remove_network(xmtp_network_database(s.ann.at));
    }
    exit(1);
}

#define must(call)                                                                                 \
    do {                                                                                           \
        xmtp_status status_ = (call);                                                              \
        if (status_ != XMTP_OK) {                                                                  \
            finding(#call, status_);                                                               \
        }                                                                                          \
    } while (0)

static xmtp_client *of(const person *p)
{
    return xmtp_network_client_of(p->at);
}

/* ---- Ann, who may die */

static bool is_dead(void)
{
    return xmtp_network_has_crashed(s.ann.at);
}

static void open_again(void)
{
    xmtp_network_crash_at(s.ann.at, s.how, 0); /* one death a story */
    if (s.how == XMTP_NETWORK_POWER_CUT) {
        longjmp(s.after_power_cut, 1);
    }
    must(xmtp_network_reopen(s.ann.at, &s.error));
    must(xmtp_client_queue_enable(of(&s.ann), &s.error));
    must(xmtp_client_sync(of(&s.ann), &s.error));
}

/* True: the call did what it says. False: Ann died in it and is back; what is there has to be seen. */
static bool is_done(const char *what, xmtp_status status)
{
    if (is_dead()) {
        open_again();
        return false;
    }
    if (status != XMTP_OK) {
        finding(what, status);
    }
    return true;
}

/* Until it is done, where doing it twice is doing it once. */
#define ann_does(call)                                                                             \
    do {                                                                                           \
    } while (!is_done(#call, (call)))

typedef struct search {
    const char *wanted;
    bool is_found;
    xmtp_conversation_id id;
} search;

static xmtp_status find_text(void *context, const xmtp_message *message)
{
    search *f = context;
    f->is_found |= message->text != NULL && strcmp(message->text, f->wanted) == 0;
    return XMTP_OK;
}

static bool has_text(const xmtp_conversation_id *id, const char *text)
{
    search f = {.wanted = text};
    xmtp_message_query query = {.conversation = id};
    must(xmtp_client_messages(of(&s.ann), &query, find_text, &f, &s.error));
    return f.is_found;
}

static void ann_says(const xmtp_conversation_id *id, const char *text)
{
    bool done = false;
    while (!done) {
        xmtp_status status = xmtp_client_send_text(of(&s.ann), id, text, NULL, &s.error);
        done = is_done("send", status) || has_text(id, text);
    }
}

static xmtp_status find_group(void *context, const xmtp_conversation *c)
{
    search *f = context;
    if (c->kind == XMTP_CONVERSATION_GROUP && strcmp(c->name, f->wanted) == 0) {
        f->is_found = true;
        f->id = c->id;
    }
    return XMTP_OK;
}

static bool has_group(const person *p, const char *name, xmtp_conversation_id *out)
{
    search f = {.wanted = name};
    must(xmtp_client_conversations(of(p), find_group, &f, &s.error));
    *out = f.id;
    return f.is_found;
}

static void ann_creates(const char *name, const char *member)
{
    bool done = false;
    while (!done) {
        xmtp_status status =
            xmtp_client_group_create(of(&s.ann), name, &member, 1, &s.group, &s.error);
        done = is_done("group_create", status) || has_group(&s.ann, name, &s.group);
    }
}

static xmtp_status find_member(void *context, const xmtp_member *member)
{
    search *f = context;
    f->is_found |= strcmp(member->inbox_id, f->wanted) == 0;
    return XMTP_OK;
}

static bool has_member(const char *inbox)
{
    search f = {.wanted = inbox};
    must(xmtp_client_members(of(&s.ann), &s.group, find_member, &f, &s.error));
    return f.is_found;
}

static void ann_adds(const char *inbox)
{
    bool done = false;
    while (!done) {
        xmtp_status status = xmtp_client_group_add(of(&s.ann), &s.group, &inbox, 1, &s.error);
        done = is_done("group_add", status) || has_member(inbox);
    }
}

static void ann_removes(const char *inbox)
{
    bool done = false;
    while (!done) {
        xmtp_status status = xmtp_client_group_remove(of(&s.ann), &s.group, &inbox, 1, &s.error);
        done = is_done("group_remove", status) || !has_member(inbox);
    }
}

static void ann_renames(const char *name)
{
    bool done = false;
    while (!done) {
        xmtp_conversation_id same;
        xmtp_status status = xmtp_client_group_rename(of(&s.ann), &s.group, name, &s.error);
        done = is_done("rename", status) || has_group(&s.ann, name, &same);
    }
}

/* Notes a text as handled when the acknowledgement is kept: also if Ann died after that. */
static void note_handled(const char *text)
{
    size_t n = strlen(s.handled);
    (void)snprintf(s.handled + n, sizeof(s.handled) - n, "%s|", text);
}

static bool is_offered(const char *text)
{
    xmtp_queue_entry entry;
    xmtp_status status = xmtp_client_queue_next(of(&s.ann), &entry, NULL, &s.error);
    return status == XMTP_OK && strcmp(entry.message.text, text) == 0;
}

/* False: the queue is empty. */
static bool ann_answers_one(void)
{
    xmtp_queue_entry entry;
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    char text[32];
    char reply[48];
    xmtp_status status = xmtp_client_queue_next(of(&s.ann), &entry, NULL, &s.error);
    if (status == XMTP_E_NOT_FOUND) {
        return false;
    }
    if (!is_done("queue_next", status)) {
        return true;
    }
    (void)snprintf(text, sizeof(text), "%s", entry.message.text);
    (void)snprintf(reply, sizeof(reply), "re %s", text);
    xmtp_conversation_id where = entry.message.conversation;
    xmtp_answer answer = {.conversation = &where, .text = reply};
    memcpy(id, entry.message.id, sizeof(id));
    status = xmtp_client_queue_acknowledge(of(&s.ann), id, &answer, 1, &s.error);
    if (is_done("acknowledge", status)) {
        note_handled(text);
        return true;
    }
    if (!is_offered(text)) {
        note_handled(text);
    }
    must(xmtp_network_reopen(s.ann.at, &s.error)); /* what was offered just now is offered again */
    return true;
}

static void ann_answers(void)
{
    for (int i = 0; ann_answers_one(); i++) {
        if (i == HANDLED_MAX) {
            finding("the queue does not end", XMTP_E_LIMIT);
        }
    }
}

static void ann_syncs(void)
{
    ann_does(xmtp_client_sync(of(&s.ann), &s.error));
}

/* ---- the session */

static void note_inbox(person *p)
{
    (void)snprintf(p->inbox, sizeof(p->inbox), "%s", xmtp_client_inbox_id(of(p)));
}

static void ann_opens(void)
{
    for (int i = 0; xmtp_network_reopen(s.ann.at, &s.error) != XMTP_OK; i++) {
        if (!is_dead() || i == TRIES_MAX) {
            finding("open", s.error.status);
        }
        xmtp_network_crash_at(s.ann.at, s.how, 0);
    }
    note_inbox(&s.ann);
    ann_does(xmtp_client_queue_enable(of(&s.ann), &s.error));
}

static void bob_says(const xmtp_conversation_id *id, const char *text)
{
    must(xmtp_client_send_text(of(&s.bob), id, text, NULL, &s.error));
}

static void tell_first_half(void)
{
    ann_opens();
    ann_does(xmtp_client_dm(of(&s.ann), s.bob.inbox, &s.dm, &s.error));
    ann_says(&s.dm, "d1");
    ann_says(&s.dm, "d1b"); /* while it travels the one before is written down as sent */
    ann_creates("old", s.bob.inbox);
    ann_says(&s.group, "g1");
    ann_adds(s.cid.inbox);
    must(xmtp_client_sync(of(&s.bob), &s.error));
    must(xmtp_client_sync(of(&s.cid), &s.error));
    bob_says(&s.dm, "d2");
    bob_says(&s.group, "g2");
    must(xmtp_client_group_rename(of(&s.bob), &s.group, "new", &s.error));
    must(xmtp_client_send_text(of(&s.cid), &s.group, "g3", NULL, &s.error));
    ann_syncs();
    ann_answers();
}

static void tell_second_half(void)
{
    const char *ann = s.ann.inbox;
    ann_renames("newer");
    ann_removes(s.cid.inbox);
    ann_says(&s.group, "g4");
    ann_says(&s.group, "g5");
    ann_says(&s.dm, "d3");
    must(xmtp_client_group_create(of(&s.bob), "second", &ann, 1, &s.second, &s.error));
    bob_says(&s.second, "w1");
    ann_syncs(); /* the welcome; it uses the key package, so a new one is due in 5 s */
    ann_answers();
    xmtp_network_advance(s.net, 10 * second_ns);
    ann_syncs();
    ann_says(&s.second, "w2");
    must(xmtp_client_sync(of(&s.bob), &s.error));
    bob_says(&s.second, "w3");
    ann_syncs();
    ann_answers();
}

static void settle(void)
{
    const person *const people[PEOPLE] = {&s.ann, &s.bob, &s.cid};
    for (int i = 0; i < 3 * PEOPLE; i++) {
        xmtp_network_advance(s.net, 60 * second_ns);
        if (people[i % PEOPLE] == &s.ann) {
            ann_syncs();
        } else {
            must(xmtp_client_sync(of(people[i % PEOPLE]), &s.error));
        }
    }
    ann_answers();
}

/* ---- the state in the end */

typedef struct description {
    char *text;
    const person *whose;
} description;

static void add(description *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(description *d, const char *format, ...)
{
    va_list arguments;
    size_t n = strlen(d->text);
    va_start(arguments, format);
    int more = vsnprintf(d->text + n, STATE_LEN - n, format, arguments);
    va_end(arguments);
    if (more < 0 || (size_t)more >= STATE_LEN - n) {
        finding("the state is too long", XMTP_E_LIMIT);
    }
}

static const char *name_of(const char *inbox)
{
    const person *const people[PEOPLE] = {&s.ann, &s.bob, &s.cid};
    for (int i = 0; i < PEOPLE; i++) {
        if (strcmp(people[i]->inbox, inbox) == 0) {
            return people[i]->name;
        }
    }
    return "?";
}

static xmtp_status describe_member(void *context, const xmtp_member *m)
{
    add(context, " %s%s%s", name_of(m->inbox_id), m->is_admin ? "+" : "",
        m->is_super_admin ? "*" : "");
    return XMTP_OK;
}

/* Changes of a group come in the order of the network; each is there once. */
static xmtp_status describe_message(void *context, const xmtp_message *m)
{
    add(context, " %s:%s(%d)", name_of(m->sender_inbox), m->text != NULL ? m->text : "-",
        (int)m->delivery);
    return XMTP_OK;
}

/* By the ids that the story knows, not by the order of a list: times may differ. */
static void describe_place(description *d, const char *name, const xmtp_conversation_id *id)
{
    xmtp_conversation c;
    xmtp_status status = xmtp_client_conversation(of(d->whose), id, &c, &s.error);
    if (status == XMTP_E_NOT_FOUND) {
        return;
    }
    must(status);
    add(d, "%s %s: '%s' kind %d epoch %llu active %d state %d consent %d members", d->whose->name,
        name, c.name, (int)c.kind, (unsigned long long)c.epoch, c.is_active, (int)c.state,
        (int)c.consent);
    must(xmtp_client_members(of(d->whose), id, describe_member, d, &s.error));
    add(d, " messages");
    xmtp_message_query query = {.conversation = id};
    must(xmtp_client_messages(of(d->whose), &query, describe_message, d, &s.error));
    add(d, "\n");
}

static xmtp_status count_one(void *context, const xmtp_conversation *c)
{
    (void)c;
    ++*(int *)context;
    return XMTP_OK;
}

static void describe(char *out)
{
    const person *const people[PEOPLE] = {&s.ann, &s.bob, &s.cid};
    out[0] = '\0';
    for (int i = 0; i < PEOPLE; i++) {
        description d = {.text = out, .whose = people[i]};
        int count = 0;
        must(xmtp_client_conversations(of(people[i]), count_one, &count, &s.error));
        add(&d, "%s has %d\n", people[i]->name, count);
        describe_place(&d, "dm", &s.dm);
        describe_place(&d, "group", &s.group);
        describe_place(&d, "second", &s.second);
        must(xmtp_client_check_database(of(people[i]), &s.error));
    }
    add(&(description){.text = out}, "handled %s\n", s.handled);
}

/* ---- one telling */

static void open_people(void)
{
    xmtp_network_device_options closed = {.is_closed = true};
    s.ann.name = "ann";
    s.bob.name = "bob";
    s.cid.name = "cid";
    must(xmtp_network_client(s.net, NULL, &s.bob.at, &s.error));
    must(xmtp_network_client(s.net, NULL, &s.cid.at, &s.error));
    must(xmtp_network_client(s.net, &closed, &s.ann.at, &s.error));
    note_inbox(&s.bob);
    note_inbox(&s.cid);
}

/* After a power cut Ann may be anybody again: her file has to open, be whole, and work. */
static void after_power_cut(void)
{
    xmtp_network_crash_at(s.ann.at, s.how, 0);
    must(xmtp_network_reopen(s.ann.at, &s.error));
    must(xmtp_client_check_database(of(&s.ann), &s.error));
    ann_syncs();
    ann_does(xmtp_client_dm(of(&s.ann), s.cid.inbox, &s.dm, &s.error));
}

/* Writes the state in the end to out; "" after a power cut. */
static void tell(xmtp_network_death how, uint64_t n, char *out)
{
    memset(&s, 0, sizeof(s));
    s.how = how;
    s.n = n;
    must(xmtp_network_open(&s.net, &(xmtp_network_options){.seed = 1}, &s.error));
    open_people();
    xmtp_network_crash_at(s.ann.at, how, n);
    out[0] = '\0';
    if (setjmp(s.after_power_cut) == 0) {
        tell_first_half();
        tell_second_half();
        settle();
        s.writes = xmtp_network_count(s.net, s.ann.at).writes;
        s.pieces = xmtp_network_count(s.net, s.ann.at).pieces;
        describe(out);
    } else {
        after_power_cut();
    }
    if (n != 0 && xmtp_network_count(s.net, s.ann.at).crashes != 1) {
        finding("nobody died", XMTP_E_INTERNAL);
    }
    xmtp_network_close(s.net);
}

typedef struct comparison {
    xmtp_network_death how;
    const char *expected;
} comparison;

static void tell_and_compare(void *context, uint64_t n)
{
    static char state[STATE_LEN];
    const comparison *c = context;
    tell(c->how, n, state);
    if (c->how != XMTP_NETWORK_POWER_CUT && strcmp(state, c->expected) != 0) {
        (void)fprintf(stderr, "death at write %llu (%d) changes the end, from\n%sto\n%s",
                      (unsigned long long)n, (int)c->how, c->expected, state);
        exit(1);
    }
}

/* ---- which writes */

static uint64_t number_of(const char *option, const char *value)
{
    char *end = NULL;
    uint64_t number = value == NULL ? 0 : strtoull(value, &end, 10);
    if (number == 0 || *value < '0' || *value > '9' || *end != '\0') {
        (void)fprintf(stderr, "writes: %s needs a number from 1, not '%s'\n", option,
                      value == NULL ? "" : value);
        exit(2);
    }
    return number;
}

typedef struct plan {
    uint64_t every;
    uint64_t from;
    uint64_t to;
    uint64_t at_once;
    bool is_wanted[XMTP_NETWORK_POWER_CUT + 1];
} plan;

static const char *const deaths[] = {[XMTP_NETWORK_AT_WRITE] = "killed",
                                     [XMTP_NETWORK_AT_TORN_WRITE] = "torn",
                                     [XMTP_NETWORK_AT_COMMIT] = "",
                                     [XMTP_NETWORK_POWER_CUT] = "power"};

static void want_only(plan *p, const char *name)
{
    bool is_known = false;
    for (int i = 0; i <= XMTP_NETWORK_POWER_CUT; i++) {
        p->is_wanted[i] = name != NULL && name[0] != '\0' && strcmp(name, deaths[i]) == 0;
        is_known |= p->is_wanted[i];
    }
    if (!is_known) {
        (void)fprintf(stderr, "writes: --death is killed, torn or power\n");
        exit(2);
    }
}

static void read_options(plan *p, int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--every") == 0) {
            p->every = number_of(argv[i], value);
        } else if (strcmp(argv[i], "--from") == 0) {
            p->from = number_of(argv[i], value);
        } else if (strcmp(argv[i], "--to") == 0) {
            p->to = number_of(argv[i], value);
        } else if (strcmp(argv[i], "--jobs") == 0) {
            p->at_once = number_of(argv[i], value);
        } else if (strcmp(argv[i], "--death") == 0) {
            want_only(p, value);
        } else {
            (void)fprintf(stderr, "usage: writes [--every N] [--from N] [--to N] "
                                  "[--death killed|torn|power] [--jobs N]\n");
            exit(2);
        }
    }
}

enum { SHORT_DEATHS = 4 };

/* Without arguments a few. True: the end was each time the same. */
static bool try_death(const plan *p, xmtp_network_death how, uint64_t count, const char *expected)
{
    comparison c = {.how = how, .expected = expected};
    uint64_t last = p->to < count ? p->to : count;
    uint64_t every = p->every > 0 ? p->every : count / SHORT_DEATHS;
    jobs deaths_told = {.name = "death",
                        .first = p->from,
                        .count = p->from > last ? 0 : (last - p->from) / every + 1,
                        .every = every,
                        .at_once = p->at_once,
                        .run = tell_and_compare,
                        .context = &c};
    jobs_run(&deaths_told);
    bool is_same = jobs_passed(&deaths_told);
    printf("%s: %" PRIu64 " deaths, %" PRIu64 " findings; %s, %.1f CPU s\n", deaths[how],
           deaths_told.done, deaths_told.failures,
           how == XMTP_NETWORK_POWER_CUT ? "in all others the database was whole and of use"
                                         : "after all others the end was the same",
           deaths_told.cpu_s);
    return is_same;
}

int main(int argc, char **argv)
{
    static char expected[STATE_LEN];
    plan p = {.every = argc > 1, .from = 1, .to = UINT64_MAX};
    p.is_wanted[XMTP_NETWORK_AT_WRITE] = p.is_wanted[XMTP_NETWORK_AT_TORN_WRITE] =
        p.is_wanted[XMTP_NETWORK_POWER_CUT] = true;
    read_options(&p, argc, argv);
    tell(XMTP_NETWORK_AT_WRITE, 0, expected);
    printf("%" PRIu64 " writes, %" PRIu64 " pieces of a session that ends with\n%s", s.writes,
           s.pieces, expected);
    bool is_same = true;
    for (int how = 0; how <= XMTP_NETWORK_POWER_CUT; how++) {
        if (p.is_wanted[how]) {
            uint64_t count = how == XMTP_NETWORK_AT_TORN_WRITE ? s.pieces : s.writes;
            is_same &= try_death(&p, (xmtp_network_death)how, count, expected);
        }
    }
    return is_same ? 0 : 1;
}
