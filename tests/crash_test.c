/* crash_test.c - a process that dies at any write: the n-th transaction is never committed, nothing
 * after it either, and the database is opened again. For every n, in the end everybody has
 * everything exactly once.
 *
 * A commit hook of the database stands for the crash: it turns the n-th and every later commit into
 * a rollback, as if the process had been killed just before it. Killed just after a commit is the
 * same as killed just before the next one.
 */
#include "client/state.h"
#include "network.h"
#include "store/query.h"

enum { TRIES_MAX = 8, REFUSALS = 100 };

static network net;

typedef struct story {
    person a; /* who crashes */
    person b;
    uint64_t commits;  /* so far */
    uint64_t crash_at; /* 0: never */
    bool has_crashed;
    uint64_t allocations; /* so far */
    uint64_t refuse_at;   /* the allocation that gets no memory; 0: none */
    xmtp_env env;         /* of a, when memory runs out */
    xmtp_conversation_id dm;
    xmtp_conversation_id group;
} story;

static int count_commit(void *context)
{
    story *s = context;
    s->commits++;
    if (s->crash_at != 0 && s->commits >= s->crash_at) {
        s->has_crashed = true;
        return 1;
    }
    return 0;
}

/* The hook is set once the client is open: registration has its own story below. */
static void watch(story *s)
{
    (void)sqlite3_commit_hook(xmtp_database_handle(s->a.client->db), count_commit, s);
}

static void *refuse_one(void *context, void *p, size_t n)
{
    story *s = context;
    if (n > 0 && s->refuse_at != 0 && ++s->allocations == s->refuse_at) {
        s->has_crashed = true;
        return NULL;
    }
    return net.env.alloc.reallocate(net.env.alloc.context, p, n);
}

static void restart(story *s)
{
    xmtp_client_close(s->a.client);
    s->a.client = NULL;
    if (s->has_crashed) {
        s->crash_at = 0; /* one crash a story */
    }
    assert_ok(&s->a, person_try_open(&s->a));
    watch(s);
    network_advance(&net, 1);
}

#define until_ok(s, call)                                                                          \
    do {                                                                                           \
        int tries_ = 0;                                                                            \
        while ((call) != XMTP_OK) {                                                                \
            assert_true((s)->has_crashed);                                                         \
            assert_true(++tries_ < TRIES_MAX);                                                     \
            restart(s);                                                                            \
        }                                                                                          \
    } while (0)

static bool is_stored(story *s, const xmtp_conversation_id *id, const char *text)
{
    transcript *t = malloc(sizeof(*t));
    char entry[16];
    read_all(&s->a, id, t);
    (void)snprintf(entry, sizeof(entry), "%s|", text);
    bool is_there = strstr(t->text, entry) != NULL;
    free(t);
    return is_there;
}

static void say(story *s, const xmtp_conversation_id *id, const char *text)
{
    if (xmtp_client_send_text(s->a.client, id, text, NULL, &s->a.error) != XMTP_OK) {
        assert_true(s->has_crashed);
        restart(s);
        if (!is_stored(s, id, text)) {
            send_text(&s->a, id, text);
        }
    }
}

static void create_group(story *s)
{
    const char *members[] = {xmtp_client_address(s->b.client)};
    if (xmtp_client_group_create(s->a.client, "old", members, 1, &s->group, &s->a.error) !=
        XMTP_OK) {
        assert_true(s->has_crashed);
        xmtp_conversation c;
        restart(s);
        bool is_there = s->group.n > 0 && xmtp_client_conversation(s->a.client, &s->group, &c,
                                                                   &s->a.error) == XMTP_OK;
        if (!is_there) {
            assert_ok(&s->a, xmtp_client_group_create(s->a.client, "old", members, 1, &s->group,
                                                      &s->a.error));
        }
    }
}

/* Answers everything in the queue. */
static void answer_all(story *s)
{
    for (int i = 0; i < TRIES_MAX; i++) {
        xmtp_queue_entry entry;
        xmtp_status status = xmtp_client_queue_next(s->a.client, &entry, NULL, &s->a.error);
        if (status == XMTP_E_NOT_FOUND) {
            return;
        }
        if (status == XMTP_E_NOMEM) {
            continue;
        }
        assert_int_equal(status, XMTP_OK);
        xmtp_answer answer = {.conversation = &entry.message.conversation, .text = "answer"};
        uint8_t id[XMTP_MESSAGE_ID_LEN];
        memcpy(id, entry.message.id, sizeof(id));
        status = xmtp_client_queue_acknowledge(s->a.client, id, &answer, 1, &s->a.error);
        assert_true(status == XMTP_OK || s->has_crashed);
        if (status != XMTP_OK || (s->has_crashed && s->crash_at != 0)) {
            restart(s); /* what was handed out is offered again */
        }
    }
    fail_msg("the queue does not end");
}

static void tell(story *s)
{
    until_ok(s, xmtp_client_queue_enable(s->a.client, &s->a.error));
    until_ok(s, xmtp_client_dm(s->a.client, xmtp_client_address(s->b.client), &s->dm, &s->a.error));
    say(s, &s->dm, "1");
    create_group(s);
    until_ok(s, xmtp_client_sync(s->a.client, &s->a.error));
    sync_all(&s->b);
    send_text(&s->b, &s->dm, "2");
    send_text(&s->b, &s->group, "g1");
    assert_ok(&s->b, xmtp_client_group_rename(s->b.client, &s->group, "new", &s->b.error));
    until_ok(s, xmtp_client_sync(s->a.client, &s->a.error));
    until_ok(s, xmtp_client_sync(s->a.client, &s->a.error));
    answer_all(s);
    say(s, &s->group, "g2");
    until_ok(s, xmtp_client_sync(s->a.client, &s->a.error));
    sync_all(&s->b);
    until_ok(s, xmtp_client_sync(s->a.client, &s->a.error));
}

static void check(story *s)
{
    for (int i = 0; i < 2; i++) {
        person *p = i == 0 ? &s->a : &s->b;
        assert_texts(p, &s->dm, "1|2|answer|");
        assert_texts(p, &s->group, "g1|answer|g2|");
        assert_string_equal(conversation_of(p, &s->group).name, "new");
    }
    assert_int_equal(conversation_of(&s->a, &s->group).epoch,
                     conversation_of(&s->b, &s->group).epoch);
    assert_int_equal(conversation_of(&s->a, &s->dm).epoch, conversation_of(&s->b, &s->dm).epoch);
}

static uint64_t tell_with_crash(uint64_t crash_at)
{
    story *s = calloc(1, sizeof(*s));
    network_open(&net);
    person_open(&s->a, &net);
    person_open(&s->b, &net);
    s->crash_at = crash_at;
    watch(s);
    tell(s);
    check(s);
    uint64_t commits = s->commits;
    assert_true(crash_at == 0 || s->has_crashed);
    person_close(&s->a);
    person_close(&s->b);
    network_close(&net);
    free(s);
    return commits;
}

static uint64_t tell_without_memory(uint64_t refuse_at)
{
    story *s = calloc(1, sizeof(*s));
    network_open(&net);
    person_open(&s->a, &net);
    person_open(&s->b, &net);
    s->env = net.env;
    s->env.alloc = (xmtp_alloc){.context = s, .reallocate = refuse_one};
    s->a.env = &s->env;
    person_reopen(&s->a);
    s->refuse_at = refuse_at;
    tell(s);
    s->refuse_at = 0;
    check(s);
    uint64_t allocations = s->allocations;
    person_close(&s->a);
    person_close(&s->b);
    network_close(&net);
    free(s);
    return allocations;
}

/* Every so many allocations: all of them would take minutes. */
static void memory_that_runs_out_once_loses_and_doubles_nothing(void **state)
{
    (void)state;
    uint64_t allocations = tell_without_memory(UINT64_MAX);
    assert_true(allocations > 300);
    uint64_t step = allocations / REFUSALS + 1;
    for (uint64_t i = 1; i <= allocations; i += step) {
        (void)tell_without_memory(i);
    }
}

static void a_crash_before_any_commit_loses_and_doubles_nothing(void **state)
{
    (void)state;
    uint64_t commits = tell_with_crash(0);
    assert_true(commits > 20);
    for (uint64_t i = 1; i <= commits; i++) {
        (void)tell_with_crash(i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_before_any_commit_loses_and_doubles_nothing),
        cmocka_unit_test(memory_that_runs_out_once_loses_and_doubles_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
