/* first_commit_test.c - the first commit of a group: while it travels its welcomes are prepared and the disk gets it
 * (client/post_commit.c). Nobody hears of the group before it is with the disk. */
#include "identity/welcome.h"
#include "store/database.h"
#include "store/intent_store.h"
#include "test_network.h"

enum { PEOPLE = 5 };

static network net;
static person people[PEOPLE];

/* CMake wraps these. */
static unsigned syncs;
static unsigned failing_syncs; /* to come */
static size_t sealed;          /* pointers */
static unsigned failing_seals;
static unsigned failing_finishes;
static unsigned failing_deletions;

xmtp_status __real_xmtp_database_sync(xmtp_database *db);
xmtp_status __wrap_xmtp_database_sync(xmtp_database *db);
xmtp_status __wrap_xmtp_database_sync(xmtp_database *db)
{
    syncs++;
    if (failing_syncs > 0) {
        failing_syncs--;
        return XMTP_E_IO;
    }
    return __real_xmtp_database_sync(db);
}

xmtp_status __real_xmtp_welcome_pointers_begin(const xmtp_env *env,
                                               const xmtp_welcome_pointer *pointer,
                                               const xmtp_bytes *public_keys, size_t count,
                                               xmtp_pointers_sealing **out);
xmtp_status __wrap_xmtp_welcome_pointers_begin(const xmtp_env *env,
                                               const xmtp_welcome_pointer *pointer,
                                               const xmtp_bytes *public_keys, size_t count,
                                               xmtp_pointers_sealing **out);
xmtp_status __wrap_xmtp_welcome_pointers_begin(const xmtp_env *env,
                                               const xmtp_welcome_pointer *pointer,
                                               const xmtp_bytes *public_keys, size_t count,
                                               xmtp_pointers_sealing **out)
{
    *out = NULL;
    if (failing_seals > 0) {
        failing_seals--;
        return XMTP_E_NOMEM;
    }
    sealed += count;
    return __real_xmtp_welcome_pointers_begin(env, pointer, public_keys, count, out);
}

xmtp_status __real_xmtp_welcome_pointers_finish(xmtp_pointers_sealing *sealing, xmtp_error *error);
xmtp_status __wrap_xmtp_welcome_pointers_finish(xmtp_pointers_sealing *sealing, xmtp_error *error);
xmtp_status __wrap_xmtp_welcome_pointers_finish(xmtp_pointers_sealing *sealing, xmtp_error *error)
{
    xmtp_status status = __real_xmtp_welcome_pointers_finish(sealing, error);
    if (failing_finishes > 0) {
        failing_finishes--;
        return XMTP_E_KEY;
    }
    return status;
}

xmtp_status __real_xmtp_group_row_delete(xmtp_database *db, int64_t ref);
xmtp_status __wrap_xmtp_group_row_delete(xmtp_database *db, int64_t ref);
xmtp_status __wrap_xmtp_group_row_delete(xmtp_database *db, int64_t ref)
{
    if (failing_deletions > 0) {
        failing_deletions--;
        return XMTP_E_IO;
    }
    return __real_xmtp_group_row_delete(db, ref);
}

static unsigned stores; /* of a commit that was made */
static unsigned failing_stores;

xmtp_status __real_xmtp_commit_set_published(xmtp_database *db, const xmtp_intent_row *row,
                                             const xmtp_commit_parts *parts);
xmtp_status __wrap_xmtp_commit_set_published(xmtp_database *db, const xmtp_intent_row *row,
                                             const xmtp_commit_parts *parts);
xmtp_status __wrap_xmtp_commit_set_published(xmtp_database *db, const xmtp_intent_row *row,
                                             const xmtp_commit_parts *parts)
{
    stores++;
    if (failing_stores > 0) {
        failing_stores--;
        return XMTP_E_DISK_FULL;
    }
    return __real_xmtp_commit_set_published(db, row, parts);
}

static int set_up(void **state)
{
    (void)state;
    network_open(&net);
    people_open(people, PEOPLE, &net);
    syncs = 0;
    failing_syncs = 0;
    sealed = 0;
    failing_seals = 0;
    failing_finishes = 0;
    failing_deletions = 0;
    stores = 0;
    failing_stores = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    people_close(people, PEOPLE);
    network_close(&net);
    return 0;
}

static xmtp_status create(xmtp_conversation_id *id, size_t others)
{
    const char *members[PEOPLE];
    for (size_t i = 0; i < others; i++) {
        members[i] = xmtp_client_inbox_id(people[1 + i].client);
    }
    return xmtp_client_group_create(people[0].client, "g", members, others, id, &people[0].error);
}

static void assert_all_read(const xmtp_conversation_id *id, size_t others)
{
    send_text(&people[0], id, "hello");
    for (size_t i = 1; i <= others; i++) {
        sync_all(&people[i]);
        assert_texts(&people[i], id, "hello|");
    }
}

static void pointers_are_sealed_and_the_disk_waited_for_once(void **state)
{
    (void)state;
    xmtp_conversation_id id;
    uint64_t calls = people[0].wire.calls;
    assert_ok(&people[0], create(&id, 4));
    assert_int_equal(syncs, 1);
    assert_int_equal(sealed, 4);
    /* logs, key packages, commit, what pointers point at, pointers */
    assert_int_equal(people[0].wire.calls - calls, 5);
    assert_all_read(&id, 4);
}

static void an_own_second_device_is_asked_for_with_the_others(void **state)
{
    (void)state;
    xmtp_conversation_id id;
    xmtp_conversation c;
    person twin;
    person_open_device(&twin, &people[0]);
    uint64_t calls = people[0].wire.calls;
    assert_ok(&people[0], create(&id, 3));
    assert_int_equal(sealed, 4);
    assert_int_equal(people[0].wire.calls - calls, 5);
    sync_all(&twin);
    assert_ok(&twin, xmtp_client_conversation(twin.client, &id, &c, &twin.error));
    assert_all_read(&id, 3);
    person_close(&twin);
}

static void two_others_get_whole_welcomes(void **state)
{
    (void)state;
    xmtp_conversation_id id;
    assert_ok(&people[0], create(&id, 2));
    assert_int_equal(syncs, 1);
    assert_int_equal(sealed, 0);
    assert_all_read(&id, 2);
}

static void pointers_that_were_not_sealed_are_when_they_are_sent(void **state)
{
    (void)state;
    xmtp_conversation_id id;
    failing_seals = 1;
    assert_ok(&people[0], create(&id, 4));
    assert_int_equal(failing_seals, 0);
    assert_int_equal(sealed, 4);
    assert_all_read(&id, 4);
}

static void pointers_that_could_not_be_sealed_together_are_anew_when_they_are_sent(void **state)
{
    (void)state;
    xmtp_conversation_id id;
    failing_finishes = 1;
    assert_ok(&people[0], create(&id, 4));
    assert_int_equal(failing_finishes, 0);
    assert_int_equal(sealed, 8);
    assert_all_read(&id, 4);
}

static void a_commit_that_could_not_be_stored_on_its_way_is_before_it_is_applied(void **state)
{
    (void)state;
    xmtp_conversation_id id;
    failing_stores = 1;
    assert_ok(&people[0], create(&id, 4));
    assert_int_equal(stores, 2);
    assert_all_read(&id, 4);
}

static xmtp_status count_conversation(void *context, const xmtp_conversation *conversation)
{
    (void)conversation;
    ++*(size_t *)context;
    return XMTP_OK;
}

/* The node has its commit, and nobody knows of it. */
static void a_group_whose_commit_cannot_be_stored_is_taken_away(void **state)
{
    (void)state;
    xmtp_conversation_id id;
    size_t count = 0;
    failing_stores = 2;
    assert_int_equal(create(&id, 4), XMTP_E_DISK_FULL);
    assert_int_equal(stores, 2);
    assert_int_equal(id.n, 0);
    for (size_t i = 0; i < 2; i++) {
        sync_all(&people[i]);
        assert_ok(&people[i], xmtp_client_conversations(people[i].client, count_conversation,
                                                        &count, &people[i].error));
    }
    assert_int_equal(count, 0);
    assert_ok(&people[0], create(&id, 4)); /* the disk is back */
    assert_all_read(&id, 4);
}

static void a_sync_that_failed_is_repeated_before_anybody_hears_of_the_group(void **state)
{
    (void)state;
    xmtp_conversation_id id;
    failing_syncs = 1;
    assert_ok(&people[0], create(&id, 4));
    assert_int_equal(syncs, 2);
    assert_all_read(&id, 4);
}

static void without_a_disk_nobody_hears_of_the_group(void **state)
{
    (void)state;
    xmtp_conversation_id id;
    xmtp_conversation c;
    failing_syncs = 2;
    assert_int_equal(create(&id, 4), XMTP_E_IO);
    sync_all(&people[1]);
    assert_int_equal(xmtp_client_conversation(people[1].client, &id, &c, &people[1].error),
                     XMTP_E_NOT_FOUND);
    sync_all(&people[0]); /* the disk is back */
    assert_all_read(&id, 4);
}

static void welcomes_of_a_commit_of_an_earlier_process_wait_for_the_disk(void **state)
{
    (void)state;
    xmtp_conversation_id id;
    failing_syncs = 2;
    assert_int_equal(create(&id, 4), XMTP_E_IO);
    person_reopen(&people[0]);
    syncs = 0;
    sync_all(&people[0]);
    assert_int_equal(syncs, 1);
    assert_all_read(&id, 4);
}

/* It is no attempt: the same group is published by whatever process comes, however often it takes. */
static void a_group_that_was_there_before_is_stored_for_good_first(void **state)
{
    (void)state;
    const xmtp_group_options later = {.name = "g", .is_optimistic = true};
    const char *members[PEOPLE];
    xmtp_conversation_id id;
    for (size_t i = 0; i < 4; i++) {
        members[i] = xmtp_client_inbox_id(people[1 + i].client);
    }
    assert_ok(&people[0], xmtp_client_group_create_with(people[0].client, &later, members, 4, &id,
                                                        &people[0].error));
    failing_syncs = 1; /* it asks for none */
    assert_ok(&people[0], xmtp_client_sync_conversation(people[0].client, &id, &people[0].error));
    assert_int_equal(syncs, 0);
    assert_all_read(&id, 4);
}

/* The attempt stays, since the disk takes nothing at all for a while, and the same process goes on. */
static void an_attempt_that_could_not_be_taken_away_is_made_again(void **state)
{
    (void)state;
    xmtp_conversation_id id;
    xmtp_conversation c;
    failing_deletions = 1;
    people[0].wire.cut_from = people[0].wire.calls + 3; /* the commit */
    people[0].wire.cut_count = 100;
    people[0].wire.how = CUT_BEFORE;
    assert_int_equal(create(&id, 4), XMTP_E_NETWORK);
    assert_int_equal(failing_deletions, 0);
    people[0].wire.cut_from = 0;
    assert_refused(&people[0],
                   xmtp_client_sync_conversation(people[0].client, &id, &people[0].error),
                   XMTP_E_RETRY, "is made again");
    assert_ok(&people[0], xmtp_client_sync_conversation(people[0].client, &id, &people[0].error));
    sync_all(&people[1]);
    assert_ok(&people[1], xmtp_client_conversation(people[1].client, &id, &c, &people[1].error));
    assert_all_read(&id, 4);
}

/* Commits of others could follow at once: it is with the disk before it leaves. */
static void in_a_group_of_several_a_commit_is_stored_for_good_first(void **state)
{
    (void)state;
    xmtp_conversation_id id;
    const char *last = xmtp_client_inbox_id(people[4].client);
    assert_ok(&people[0], create(&id, 3));
    syncs = 0;
    failing_syncs = 1; /* it asks for none */
    assert_ok(&people[0], xmtp_client_group_add(people[0].client, &id, &last, 1, &people[0].error));
    assert_int_equal(syncs, 0);
    assert_all_read(&id, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pointers_are_sealed_and_the_disk_waited_for_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_own_second_device_is_asked_for_with_the_others, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(two_others_get_whole_welcomes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pointers_that_were_not_sealed_are_when_they_are_sent,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            pointers_that_could_not_be_sealed_together_are_anew_when_they_are_sent, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(
            a_commit_that_could_not_be_stored_on_its_way_is_before_it_is_applied, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(a_group_whose_commit_cannot_be_stored_is_taken_away, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_sync_that_failed_is_repeated_before_anybody_hears_of_the_group, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_disk_nobody_hears_of_the_group, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            welcomes_of_a_commit_of_an_earlier_process_wait_for_the_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_attempt_that_could_not_be_taken_away_is_made_again,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_group_that_was_there_before_is_stored_for_good_first,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(in_a_group_of_several_a_commit_is_stored_for_good_first,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests_name("client.first_commit", tests, NULL, NULL);
}
