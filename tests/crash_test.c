/* crash_test.c - a process that dies at any commit: the n-th transaction never becomes visible, nothing
 * after it happens, and the database is opened again. For every n, in the end everybody has everything
 * exactly once. The same when memory runs out once. Single writes are the matter of writes_test.c.
 */
#include "network/test_devices.h"

enum { TRIES_MAX = 8, REFUSALS = 100 };

typedef struct story {
    xmtp_network_device *a; /* who crashes */
    xmtp_network_device *b;
    bool has_failed;      /* a crash, or no memory */
    uint64_t allocations; /* so far */
    uint64_t refuse_at;   /* the allocation that gets no memory; 0: none */
    xmtp_env env;         /* of a, when memory runs out */
    xmtp_conversation_id dm;
    xmtp_conversation_id group;
} story;

static void *refuse_one(void *context, void *p, size_t n)
{
    story *s = context;
    if (n > 0 && s->refuse_at != 0 && ++s->allocations == s->refuse_at) {
        s->has_failed = true;
        return NULL;
    }
    const xmtp_alloc *alloc = &xmtp_env_system()->alloc;
    return alloc->reallocate(alloc->context, p, n);
}

static bool has_failed(story *s)
{
    s->has_failed = s->has_failed || xmtp_network_has_crashed(s->a);
    return s->has_failed;
}

static void restart(story *s)
{
    assert_true(has_failed(s));
    assert_ok(xmtp_network_reopen(s->a, &error));
    xmtp_network_advance(net, XMTP_NETWORK_SECOND_NS);
}

#define until_ok(s, call)                                                                          \
    do {                                                                                           \
        int tries_ = 0;                                                                            \
        while ((call) != XMTP_OK) {                                                                \
            assert_true(++tries_ < TRIES_MAX);                                                     \
            restart(s);                                                                            \
        }                                                                                          \
    } while (0)

static bool is_stored(story *s, const xmtp_conversation_id *id, const char *text)
{
    char *texts = texts_of(s->a, id);
    char entry[16];
    (void)snprintf(entry, sizeof(entry), "%s|", text);
    bool is_there = strstr(texts, entry) != NULL;
    free(texts);
    return is_there;
}

static void say(story *s, const xmtp_conversation_id *id, const char *text)
{
    if (xmtp_client_send_text(of(s->a), id, text, NULL, &error) != XMTP_OK) {
        restart(s);
        if (!is_stored(s, id, text)) {
            send_text(s->a, id, text);
        }
    }
}

static void create_group(story *s)
{
    const char *members[] = {xmtp_client_address(of(s->b))};
    if (xmtp_client_group_create(of(s->a), "old", members, 1, &s->group, &error) != XMTP_OK) {
        xmtp_conversation c;
        restart(s);
        bool is_there =
            s->group.n > 0 && xmtp_client_conversation(of(s->a), &s->group, &c, &error) == XMTP_OK;
        if (!is_there) {
            assert_ok(xmtp_client_group_create(of(s->a), "old", members, 1, &s->group, &error));
        }
    }
}

/* Answers everything in the queue. */
static void answer_all(story *s)
{
    for (int i = 0; i < TRIES_MAX; i++) {
        xmtp_queue_entry entry;
        xmtp_status status = xmtp_client_queue_next(of(s->a), &entry, NULL, &error);
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
        status = xmtp_client_queue_acknowledge(of(s->a), id, &answer, 1, &error);
        if (status != XMTP_OK || xmtp_network_has_crashed(s->a)) {
            restart(s); /* what was handed out is offered again */
        }
    }
    fail_msg("the queue does not end");
}

static void tell(story *s)
{
    until_ok(s, xmtp_client_queue_enable(of(s->a), &error));
    until_ok(s, xmtp_client_dm(of(s->a), xmtp_client_address(of(s->b)), &s->dm, &error));
    say(s, &s->dm, "1");
    create_group(s);
    until_ok(s, xmtp_client_sync(of(s->a), &error));
    sync_all(s->b);
    send_text(s->b, &s->dm, "2");
    send_text(s->b, &s->group, "g1");
    assert_ok(xmtp_client_group_rename(of(s->b), &s->group, "new", &error));
    until_ok(s, xmtp_client_sync(of(s->a), &error));
    until_ok(s, xmtp_client_sync(of(s->a), &error));
    answer_all(s);
    say(s, &s->group, "g2");
    until_ok(s, xmtp_client_sync(of(s->a), &error));
    sync_all(s->b);
    until_ok(s, xmtp_client_sync(of(s->a), &error));
}

static void check(story *s)
{
    for (int i = 0; i < 2; i++) {
        xmtp_network_device *p = i == 0 ? s->a : s->b;
        assert_texts(p, &s->dm, "1|2|answer|");
        assert_texts(p, &s->group, "g1|answer|g2|");
        assert_string_equal(conversation_of(p, &s->group).name, "new");
    }
    assert_int_equal(conversation_of(s->a, &s->group).epoch,
                     conversation_of(s->b, &s->group).epoch);
    assert_int_equal(conversation_of(s->a, &s->dm).epoch, conversation_of(s->b, &s->dm).epoch);
}

static void open_story(story *s, bool has_own_memory)
{
    xmtp_network_device_options options = {.env = has_own_memory ? &s->env : NULL};
    assert_ok(xmtp_network_open(&net, NULL, &error));
    s->env = *xmtp_network_env(net);
    s->env.alloc = (xmtp_alloc){.context = s, .reallocate = refuse_one};
    assert_ok(xmtp_network_client(net, &options, &s->a, &error));
    assert_ok(xmtp_network_client(net, NULL, &s->b, &error));
}

/* Registration is done by then: writes_test.c dies in it too. Returns how many commits there were. */
static uint64_t tell_with_crash(uint64_t crash_at)
{
    story *s = calloc(1, sizeof(*s));
    open_story(s, false);
    uint64_t before = xmtp_network_count(net, s->a).commits;
    xmtp_network_crash_at(s->a, XMTP_NETWORK_AT_COMMIT, crash_at);
    tell(s);
    check(s);
    uint64_t commits = xmtp_network_count(net, s->a).commits - before;
    assert_int_equal(xmtp_network_count(net, s->a).crashes, crash_at != 0);
    xmtp_network_close(net);
    free(s);
    return commits;
}

static uint64_t tell_without_memory(uint64_t refuse_at)
{
    story *s = calloc(1, sizeof(*s));
    open_story(s, true);
    s->refuse_at = refuse_at;
    tell(s);
    s->refuse_at = 0;
    check(s);
    uint64_t allocations = s->allocations;
    xmtp_network_close(net);
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

/* ---- whom others were told of */

enum { OTHERS = 3 }; /* as many get pointers */

static xmtp_status note_id(void *context, const xmtp_conversation *c)
{
    *(xmtp_conversation_id *)context = c->id;
    return XMTP_OK;
}

/* If somebody was invited, who invited is a member as well. */
static void assert_inviter_is_there(story *s)
{
    xmtp_conversation_id id = {0};
    xmtp_conversation seen[2];
    assert_ok(xmtp_client_sync(of(s->b), &error));
    assert_ok(xmtp_client_conversations(of(s->b), note_id, &id, &error));
    if (id.n == 0) {
        return;
    }
    assert_ok(xmtp_client_conversation(of(s->a), &id, &seen[0], &error));
    assert_ok(xmtp_client_send_text(of(s->a), &id, "hello", NULL, &error));
    assert_ok(xmtp_client_sync(of(s->b), &error));
    assert_ok(xmtp_client_conversation(of(s->b), &id, &seen[1], &error));
    assert_true(seen[0].is_active && seen[1].is_active);
    assert_texts(s->b, &id, "hello|");
}

/* The power cut at the n-th write while a group is made. False: it was made before that. */
static bool is_cut(uint64_t n)
{
    story s = {.a = NULL};
    xmtp_network_device *others[OTHERS];
    const char *members[OTHERS];
    assert_ok(xmtp_network_open(&net, &(xmtp_network_options){.seed = n}, &error));
    assert_ok(xmtp_network_client(net, NULL, &s.a, &error));
    for (int i = 0; i < OTHERS; i++) {
        assert_ok(xmtp_network_client(net, NULL, &others[i], &error));
        members[i] = xmtp_client_inbox_id(of(others[i]));
    }
    s.b = others[0];
    xmtp_network_crash_at(s.a, XMTP_NETWORK_POWER_CUT, n);
    xmtp_status status = xmtp_client_group_create(of(s.a), "g", members, OTHERS, &s.group, &error);
    bool was_cut = xmtp_network_has_crashed(s.a);
    if (!was_cut) { /* then right after it */
        assert_int_equal(status, XMTP_OK);
        xmtp_network_crash_at(s.a, XMTP_NETWORK_POWER_CUT, 1);
        assert_int_not_equal(xmtp_client_send_text(of(s.a), &s.group, "-", NULL, &error), XMTP_OK);
    }
    assert_ok(xmtp_network_reopen(s.a, &error));
    assert_ok(xmtp_client_sync(of(s.a), &error));
    assert_inviter_is_there(&s);
    xmtp_network_close(net);
    return was_cut;
}

static void a_power_cut_leaves_nobody_in_a_group_without_who_made_it(void **state)
{
    (void)state;
    uint64_t n = 1;
    while (is_cut(n)) {
        n++;
    }
    assert_true(n > 5); /* there were writes to be cut at */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_before_any_commit_loses_and_doubles_nothing),
        cmocka_unit_test(memory_that_runs_out_once_loses_and_doubles_nothing),
        cmocka_unit_test(a_power_cut_leaves_nobody_in_a_group_without_who_made_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
