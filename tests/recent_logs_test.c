/* recent_logs_test.c - what a sync of everything remembers of the logs that it fetched (client/identity_sync.c) is
 * true: of a log that could not be stored it remembers nothing. */
#include "store/database.h"
#include "store/identity_store.h"
#include "test_network.h"

enum { PEOPLE = 4 };

static network net;
static person people[PEOPLE];
static person *const ann = &people[0];
static person *const bob = &people[1];
static person *const cid = &people[2];

/* CMake wraps these. */
static unsigned failing_commits; /* to come, of transactions that store an update of a log */
static unsigned failed_commits;
static unsigned questions; /* to the database, which update is the newest */
static bool has_stored;    /* one in the present transaction */

xmtp_status __real_xmtp_identity_update_insert(xmtp_database *db, const char *inbox_id,
                                               uint64_t sequence_id, xmtp_bytes data);
xmtp_status __wrap_xmtp_identity_update_insert(xmtp_database *db, const char *inbox_id,
                                               uint64_t sequence_id, xmtp_bytes data);
xmtp_status __wrap_xmtp_identity_update_insert(xmtp_database *db, const char *inbox_id,
                                               uint64_t sequence_id, xmtp_bytes data)
{
    has_stored = true;
    return __real_xmtp_identity_update_insert(db, inbox_id, sequence_id, data);
}

xmtp_status __real_xmtp_identity_update_newest(xmtp_database *db, const char *inbox_id,
                                               uint64_t *sequence_id);
xmtp_status __wrap_xmtp_identity_update_newest(xmtp_database *db, const char *inbox_id,
                                               uint64_t *sequence_id);
xmtp_status __wrap_xmtp_identity_update_newest(xmtp_database *db, const char *inbox_id,
                                               uint64_t *sequence_id)
{
    questions++;
    return __real_xmtp_identity_update_newest(db, inbox_id, sequence_id);
}

xmtp_status __real_xmtp_database_commit(xmtp_database *db);
xmtp_status __wrap_xmtp_database_commit(xmtp_database *db);
xmtp_status __wrap_xmtp_database_commit(xmtp_database *db)
{
    const bool is_of_log = has_stored;
    has_stored = false;
    if (is_of_log && failing_commits > 0) {
        failing_commits--;
        failed_commits++;
        return XMTP_E_DISK_FULL;
    }
    return __real_xmtp_database_commit(db);
}

static int set_up(void **state)
{
    (void)state;
    network_open(&net);
    people_open(people, PEOPLE, &net);
    failing_commits = failed_commits = questions = 0;
    has_stored = false;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    people_close(people, PEOPLE);
    network_close(&net);
    return 0;
}

static uint32_t member_count(person *p, const xmtp_conversation_id *id)
{
    return conversation_of(p, id).member_count;
}

/* Two groups get the same newcomer. The first commit cannot be judged, since the disk does not take the
 * newcomer's log; the second is, by the log asked for again. */
static void a_log_that_could_not_be_stored_is_fetched_again_in_the_same_sync(void **state)
{
    (void)state;
    xmtp_conversation_id groups[2];
    const char *others[] = {xmtp_client_inbox_id(bob->client)};
    const char *newcomer = xmtp_client_inbox_id(cid->client);
    for (size_t i = 0; i < 2; i++) {
        assert_ok(ann,
                  xmtp_client_group_create(ann->client, "g", others, 1, &groups[i], &ann->error));
    }
    sync_all(bob);
    for (size_t i = 0; i < 2; i++) {
        assert_ok(ann, xmtp_client_group_add(ann->client, &groups[i], &newcomer, 1, &ann->error));
    }
    failing_commits = 1;
    assert_int_equal(xmtp_client_sync(bob->client, &bob->error), XMTP_E_DISK_FULL);
    assert_int_equal(failed_commits, 1);
    assert_int_equal(member_count(bob, &groups[0]) + member_count(bob, &groups[1]), 2 + 3);
    sync_all(bob);
    assert_int_equal(member_count(bob, &groups[0]) + member_count(bob, &groups[1]), 3 + 3);
}

/* Asked before the node is, and of the creator's own log, which brings nothing new. */
static void of_logs_that_came_the_database_is_not_asked_again(void **state)
{
    (void)state;
    xmtp_conversation_id id;
    const char *others[PEOPLE - 1];
    for (size_t i = 1; i < PEOPLE; i++) {
        others[i - 1] = xmtp_client_inbox_id(people[i].client);
    }
    questions = 0;
    assert_ok(ann,
              xmtp_client_group_create(ann->client, "g", others, PEOPLE - 1, &id, &ann->error));
    const unsigned of_creator = questions - PEOPLE;
    assert_true(of_creator <= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_log_that_could_not_be_stored_is_fetched_again_in_the_same_sync, set_up, tear_down),
        cmocka_unit_test_setup_teardown(of_logs_that_came_the_database_is_not_asked_again, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests_name("client.recent_logs", tests, NULL, NULL);
}
