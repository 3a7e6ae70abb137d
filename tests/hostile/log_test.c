/* log_test.c - answers with identity logs that a node has made up: one log forged among many, logs in pieces,
 * in another order, unasked. Each log is judged for itself; good ones are verified together. */
#include "base/together.h"
#include "client/state.h"
#include "crypto/lanes.h"
#include "crypto/test_counted.h"
#include "identity/update.h"
#include "liar.h"

enum { LOGS = 150, UPDATES_MAX = 100 };

static network net;
static person bob; /* who is lied to */
static xmtp_arena arena;

static int set_up(void **state)
{
    (void)state;
    network_open(&net);
    person_open(&bob, &net);
    lie_to(&bob);
    xmtp_arena_init(&arena, &xmtp_env_system()->alloc, 64 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    xmtp_arena_reset(&arena);
    person_close(&bob);
    network_close(&net);
    return 0;
}

#define ON_NETWORK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

/* ---- logs, made without asking the node; sequence ids are 1, 2, ... */

typedef struct made_log {
    xmtp_wallet wallet;
    char inbox_id[XMTP_INBOX_ID_LEN + 1];
    xmtp_installation installations[UPDATES_MAX];
    xmtp_bytes updates[UPDATES_MAX];
} made_log;

static void must(xmtp_status status)
{
    assert_string_equal(xmtp_status_name(status), "OK");
}

static made_log *new_logs(size_t count)
{
    void *logs;
    must(xmtp_arena_take_array(&arena, count, sizeof(made_log), &logs));
    return logs;
}

/* Update i of the log adds a fresh installation; the first one also makes the inbox. */
static void write_update(made_log *log, size_t i)
{
    const xmtp_env *env = xmtp_env_system();
    const xmtp_signer by = xmtp_signer_of_wallet(&log->wallet);
    const uint64_t time_ns = (i + 1) * XMTP_SECOND_NS;
    xmtp_installation *added = &log->installations[i];
    uint8_t *p;
    size_t n;
    must(xmtp_installation_generate(env, added));
    must(i == 0 ? xmtp_identity_update_register(&env->alloc, &by, 1, added, time_ns, log->inbox_id,
                                                &p, &n, NULL)
                : xmtp_identity_update_add_installation(&env->alloc, log->inbox_id, &by, added,
                                                        time_ns, &p, &n, NULL));
    must(xmtp_arena_copy(&arena, xmtp_bytes_of(p, n), &log->updates[i]));
    (void)env->alloc.reallocate(env->alloc.context, p, 0);
}

static void make_log(made_log *log, size_t count)
{
    must(xmtp_wallet_generate(xmtp_env_system(), &log->wallet));
    for (size_t i = 0; i < count; i++) {
        write_update(log, i);
    }
}

/* One bit of the signature of the installation that update i adds. */
static void forge(made_log *log, size_t i)
{
    xmtp_wire_update update;
    must(xmtp_wire_update_decode(log->updates[i], 2, &arena, &update, NULL));
    const xmtp_wire_action *add = &update.actions[update.action_count - 1];
    uint8_t *signature = (uint8_t *)(uintptr_t)add->new_member_signature.bytes.p;
    signature[40] ^= 4;
}

/* ---- what the node says: these parts of logs, one after the other */

typedef struct part {
    const made_log *log;
    size_t from;
    size_t to;
} part;

static const part *said;
static size_t said_count;

static xmtp_status say(liar *l, xmtp_writer *response)
{
    typedef Pb__GetIdentityUpdatesResponse__Response log_message;
    typedef Pb__GetIdentityUpdatesResponse__IdentityUpdateLog update_message;
    Pb__GetIdentityUpdatesResponse page = PB__GET_IDENTITY_UPDATES_RESPONSE__INIT;
    page.n_responses = said_count;
    page.responses = taken(l, said_count * sizeof(log_message *));
    for (size_t i = 0; i < said_count; i++) {
        const part *p = &said[i];
        log_message *log = taken(l, sizeof(*log));
        *log = (log_message)PB__GET_IDENTITY_UPDATES_RESPONSE__RESPONSE__INIT;
        log->inbox_id = (char *)(uintptr_t)p->log->inbox_id;
        log->updates = taken(l, (p->to - p->from) * sizeof(update_message *));
        for (size_t u = p->from; u < p->to; u++) {
            update_message *update = taken(l, sizeof(*update));
            *update = (update_message)PB__GET_IDENTITY_UPDATES_RESPONSE__IDENTITY_UPDATE_LOG__INIT;
            update->sequence_id = u + 1;
            update->has_sequence_id = 1;
            update->update = xmtp_proto_data(p->log->updates[u]);
            update->has_update = 1;
            log->updates[log->n_updates++] = update;
        }
        page.responses[i] = log;
    }
    return answer_with(response, &page.base);
}

static void ask(const char *const *inbox_ids, size_t count, const part *answer, size_t answer_count)
{
    said = answer;
    said_count = answer_count;
    start_lying("GetIdentityUpdates", say);
    assert_ok(&bob, xmtp_identity_sync(bob.client, inbox_ids, count, &bob.error));
    assert_int_equal(the_liar.lies, 1);
    be_honest();
}

/* ---- what bob knows then */

static void assert_unknown(const made_log *log)
{
    const xmtp_association *state;
    uint64_t newest;
    char sentence[128];
    assert_int_equal(xmtp_newest_state(bob.client, log->inbox_id, &state, &newest, &bob.error),
                     XMTP_E_NO_INBOX);
    (void)snprintf(sentence, sizeof(sentence), "inbox %s is not known here", log->inbox_id);
    assert_string_equal(bob.error.text, sentence);
}

static void assert_known_up_to(const made_log *log, size_t count)
{
    const xmtp_association *state;
    uint64_t newest;
    assert_ok(&bob, xmtp_newest_state(bob.client, log->inbox_id, &state, &newest, &bob.error));
    assert_int_equal(newest, count);
    assert_int_equal(xmtp_association_installation_count(state), count);
    for (size_t i = 0; i < count; i++) {
        assert_true(xmtp_association_has_installation(state, log->installations[i].pk));
    }
}

/* ---- tests */

static void of_many_logs_only_the_forged_one_is_refused(void **state)
{
    (void)state;
    made_log *logs = new_logs(LOGS);
    part answer[LOGS];
    for (size_t i = 0; i < LOGS; i++) {
        make_log(&logs[i], 1);
        answer[i] = (part){&logs[i], 0, 1};
    }
    forge(&logs[LOGS / 2], 0);
    const bool is_batched = xmtp_has_lanes() || xmtp_together_processors() > 1;
    counted.lanes = counted.singly = counted.recovered = counted.wallet_lanes = 0;
    ask((const char *const[]){logs[0].inbox_id}, 1, answer, LOGS);
    assert_int_equal(counted.lanes, xmtp_has_lanes() ? (LOGS + 7) / 8 : 0);
    assert_int_equal(counted.wallet_lanes, xmtp_has_lanes() ? (LOGS + 7) / 8 : 0);
    assert_int_equal(counted.recovered, xmtp_has_lanes() ? 0 : LOGS);
    assert_int_equal(counted.singly, is_batched ? 0 : LOGS);
    for (size_t i = 0; i < LOGS; i++) {
        if (i == LOGS / 2) {
            assert_unknown(&logs[i]);
        } else {
            assert_known_up_to(&logs[i], 1);
        }
    }
    assert_int_equal(counted.singly, is_batched ? 0 : LOGS);
}

static void a_long_log_is_taken_up_to_what_is_forged(void **state)
{
    (void)state;
    made_log *logs = new_logs(2);
    make_log(&logs[0], UPDATES_MAX);
    make_log(&logs[1], 3);
    const part answer[] = {{&logs[0], 0, UPDATES_MAX}, {&logs[1], 0, 3}};
    const part rest[] = {{&logs[0], 80, UPDATES_MAX}};
    const char *asked[] = {logs[0].inbox_id, logs[1].inbox_id};
    forge(&logs[0], 80);
    ask(asked, 2, answer, 2);
    assert_known_up_to(&logs[0], 80);
    assert_known_up_to(&logs[1], 3);
    forge(&logs[0], 80); /* right again */
    ask(asked, 1, rest, 1);
    assert_known_up_to(&logs[0], UPDATES_MAX);
}

static void a_log_that_comes_in_pieces_is_continued(void **state)
{
    (void)state;
    made_log *logs = new_logs(1);
    make_log(logs, 6);
    const part answer[] = {{logs, 0, 1}, {logs, 1, 4}};
    const part rest[] = {{logs, 4, 6}};
    ask((const char *const[]){logs->inbox_id, logs->inbox_id}, 2, answer, 2);
    assert_known_up_to(logs, 4);
    ask((const char *const[]){logs->inbox_id}, 1, rest, 1);
    assert_known_up_to(logs, 6);
}

static void a_second_log_of_one_inbox_does_not_replace_the_first(void **state)
{
    (void)state;
    made_log *logs = new_logs(2);
    make_log(&logs[0], 1);
    logs[1] = logs[0];
    write_update(&logs[1], 0); /* the same wallet and nonce, another installation */
    assert_string_equal(logs[1].inbox_id, logs[0].inbox_id);
    const part answer[] = {{&logs[0], 0, 1}, {&logs[1], 0, 1}};
    ask((const char *const[]){logs->inbox_id, logs->inbox_id}, 2, answer, 2);
    assert_known_up_to(&logs[0], 1);
}

/* One part an answer. */
static xmtp_status say_next(liar *l, xmtp_writer *response)
{
    xmtp_status status = say(l, response);
    said++;
    return status;
}

/* The answers of two calls that are under way together. */
static void a_second_log_in_another_answer_does_not_replace_the_first(void **state)
{
    (void)state;
    enum { ASKED = 51 }; /* more than one call asks for */
    made_log *logs = new_logs(2);
    const char *asked[ASKED];
    make_log(&logs[0], 1);
    logs[1] = logs[0];
    write_update(&logs[1], 0);
    for (size_t i = 0; i < ASKED; i++) {
        asked[i] = logs->inbox_id;
    }
    const part answers[] = {{&logs[0], 0, 1}, {&logs[1], 0, 1}};
    said = answers;
    said_count = 1;
    start_lying("GetIdentityUpdates", say_next);
    assert_ok(&bob, xmtp_identity_sync(bob.client, asked, ASKED, &bob.error));
    assert_int_equal(the_liar.lies, 2);
    be_honest();
    assert_known_up_to(&logs[0], 1);
}

static void logs_in_another_order_and_unasked_are_taken(void **state)
{
    (void)state;
    made_log *logs = new_logs(4);
    for (size_t i = 0; i < 4; i++) {
        make_log(&logs[i], 2);
    }
    const part first[] = {{&logs[1], 0, 1}};
    const part answer[] = {{&logs[2], 0, 2}, {&logs[3], 0, 2}, {&logs[1], 1, 2}, {&logs[0], 0, 0}};
    const char *asked[] = {logs[0].inbox_id, logs[1].inbox_id, logs[2].inbox_id};
    ask(&asked[1], 1, first, 1);
    ask(asked, 3, answer, 4);
    assert_unknown(&logs[0]);
    for (size_t i = 1; i < 4; i++) {
        assert_known_up_to(&logs[i], 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_NETWORK(of_many_logs_only_the_forged_one_is_refused),
        ON_NETWORK(a_long_log_is_taken_up_to_what_is_forged),
        ON_NETWORK(a_log_that_comes_in_pieces_is_continued),
        ON_NETWORK(a_second_log_of_one_inbox_does_not_replace_the_first),
        ON_NETWORK(a_second_log_in_another_answer_does_not_replace_the_first),
        ON_NETWORK(logs_in_another_order_and_unasked_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
