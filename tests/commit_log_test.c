/* commit_log_test.c - the log of commits: who writes it, who reads it, and how a fork shows. */
#include "client/commit_log.h"
#include "crypto/crypto.h"
#include "one_network.h"
#include "store/commit_log_store.h"

static xmtp_debug_info info_of(person *p, const xmtp_conversation_id *id)
{
    xmtp_debug_info info;
    assert_ok(p, xmtp_client_debug_info(p->client, id, &info, &p->error));
    return info;
}

static void sync_logs(person *p)
{
    assert_ok(p, xmtp_client_sync_commit_logs(p->client, &p->error));
}

static void rename_to(person *p, const xmtp_conversation_id *id, const char *name)
{
    assert_ok(p, xmtp_client_group_rename(p->client, id, name, &p->error));
}

static void the_super_admin_writes_and_members_find_that_they_agree(void **state)
{
    (void)state;
    person p[2];
    xmtp_conversation_id group;
    people_open(p, 2, &net);
    group_of(p, 2, &group);
    rename_to(&p[1], &group, "two");
    sync_all(&p[0]);
    sync_logs(&p[1]); /* may not write */
    assert_int_equal(info_of(&p[1], &group).remote_count, 0);
    sync_logs(&p[0]); /* writes */
    sync_logs(&p[0]); /* reads */
    sync_logs(&p[1]);
    for (size_t i = 0; i < 2; i++) {
        xmtp_debug_info info = info_of(&p[i], &group);
        assert_int_equal(info.remote_count, 2);
        assert_int_equal(info.commit_log_fork, XMTP_FORK_NO);
        assert_int_equal(info.remote[0].epoch, info.epoch);
        assert_int_equal(info.remote[0].sequence, info.commit_cursor);
        assert_int_equal(info.remote[0].result, XMTP_COMMIT_APPLIED);
        assert_false(info.is_maybe_forked);
    }
    assert_int_equal(info_of(&p[0], &group).local_count, 2); /* Bob came after the first */
    assert_int_equal(info_of(&p[1], &group).local_count, 1);
    people_close(p, 2);
}

static void what_the_log_does_not_have_yet_is_unknown(void **state)
{
    (void)state;
    person p[2];
    xmtp_conversation_id group;
    people_open(p, 2, &net);
    group_of(p, 2, &group);
    sync_logs(&p[0]);
    sync_logs(&p[0]);
    assert_int_equal(info_of(&p[0], &group).commit_log_fork, XMTP_FORK_NO);
    rename_to(&p[1], &group, "two");
    sync_all(&p[0]);
    sync_logs(&p[1]);
    assert_int_equal(info_of(&p[1], &group).commit_log_fork, XMTP_FORK_UNKNOWN);
    people_close(p, 2);
}

static void both_sides_of_a_dm_write_once_they_have_allowed_it(void **state)
{
    (void)state;
    person p[2];
    xmtp_conversation_id dm;
    people_open(p, 2, &net);
    assert_ok(&p[0],
              xmtp_client_dm(p[0].client, xmtp_client_inbox_id(p[1].client), &dm, &p[0].error));
    sync_all(&p[1]);
    send_text(&p[1], &dm, "allowed, with a key update");
    sync_logs(&p[1]);
    sync_logs(&p[1]);
    assert_int_equal(info_of(&p[1], &dm).remote_count, 1);
    sync_all(&p[0]);
    sync_logs(&p[0]);
    assert_int_equal(info_of(&p[0], &dm).commit_log_fork, XMTP_FORK_NO);
    people_close(p, 2);
}

/* The database of Bob is made to hold another authenticator for the newest commit. */
static void a_fork_shows_when_authenticators_differ(void **state)
{
    (void)state;
    person p[2];
    xmtp_conversation_id group;
    people_open(p, 2, &net);
    group_of(p, 2, &group);
    rename_to(&p[0], &group, "two");
    sync_all(&p[1]);
    sync_logs(&p[0]);
    uint8_t other[32] = {1};
    xmtp_arena arena;
    xmtp_group_row row;
    xmtp_scratch(p[1].client, &arena);
    assert_int_equal(
        xmtp_group_row_find(p[1].client->db, xmtp_bytes_of(group.p, group.n), &arena, &row),
        XMTP_OK);
    const xmtp_local_commit_row forked = {
        .group_ref = row.ref,
        .commit_sequence = row.commit_cursor,
        .result = XMTP_COMMIT_APPLIED,
        .epoch = row.epoch,
        .authenticator = xmtp_bytes_of(other, sizeof(other)),
        .last_authenticator = xmtp_bytes_of(other, sizeof(other)),
        .kind = "commit",
    };
    assert_int_equal(xmtp_local_commit_insert(p[1].client->db, &forked), XMTP_OK);
    xmtp_arena_reset(&arena);
    sync_logs(&p[1]);
    assert_int_equal(info_of(&p[1], &group).commit_log_fork, XMTP_FORK_YES);
    people_close(p, 2);
}

/* Publishes an entry for a group under a key of the caller's. */
static void publish_entry(person *p, const xmtp_conversation_id *group, uint64_t commit_sequence,
                          const uint8_t seed[32], bool is_signature_broken)
{
    uint8_t pk[32];
    uint8_t signature[64];
    size_t signature_len;
    uint8_t authenticator[32] = {7};
    xmtp_writer w;
    Pb__PlaintextCommitLogEntry entry = PB__PLAINTEXT_COMMIT_LOG_ENTRY__INIT;
    entry.has_group_id = 1;
    entry.group_id = xmtp_proto_data(xmtp_bytes_of(group->p, group->n));
    entry.has_commit_sequence_id = 1;
    entry.commit_sequence_id = commit_sequence;
    entry.has_commit_result = 1;
    entry.commit_result = XMTP_COMMIT_APPLIED;
    entry.has_applied_epoch_number = 1;
    entry.applied_epoch_number = 1;
    entry.has_applied_epoch_authenticator = 1;
    entry.applied_epoch_authenticator = xmtp_proto_data(xmtp_bytes_of(authenticator, 32));
    xmtp_writer_init(&w, &net.env.alloc, XMTP_WRITER_MAX);
    assert_int_equal(xmtp_proto_encode(&entry.base, &w), XMTP_OK);
    assert_int_equal(xmtp_signature_ed25519.public_key(seed, pk), XMTP_OK);
    assert_int_equal(
        xmtp_signature_ed25519.sign(seed, pk, xmtp_writer_bytes(&w), signature, &signature_len),
        XMTP_OK);
    signature[0] ^= (uint8_t)is_signature_broken;
    Pb__RecoverableEd25519Signature proof = PB__RECOVERABLE_ED25519_SIGNATURE__INIT;
    proof.has_bytes = 1;
    proof.bytes = xmtp_proto_data(xmtp_bytes_of(signature, signature_len));
    proof.has_public_key = 1;
    proof.public_key = xmtp_proto_data(xmtp_bytes_of(pk, sizeof(pk)));
    Pb__PublishCommitLogRequest item = PB__PUBLISH_COMMIT_LOG_REQUEST__INIT;
    item.has_group_id = 1;
    item.group_id = entry.group_id;
    item.has_serialized_commit_log_entry = 1;
    item.serialized_commit_log_entry = xmtp_proto_data(xmtp_writer_bytes(&w));
    item.signature = &proof;
    Pb__PublishCommitLogRequest *items[] = {&item};
    Pb__BatchPublishCommitLogRequest request = PB__BATCH_PUBLISH_COMMIT_LOG_REQUEST__INIT;
    request.n_requests = 1;
    request.requests = items;
    assert_ok(p, xmtp_call(p->client, XMTP_MLS_API("BatchPublishCommitLog"), &request.base, NULL,
                           NULL, NULL, &p->error));
    xmtp_writer_free(&w);
}

static void entries_that_are_not_signed_by_the_groups_key_or_do_not_follow_are_skipped(void **state)
{
    (void)state;
    static const uint8_t stranger[32] = {3};
    person p[2];
    xmtp_conversation_id group;
    people_open(p, 2, &net);
    group_of(p, 2, &group);
    publish_entry(&p[1], &group, 1, stranger, true);  /* sets no key: its signature is broken */
    publish_entry(&p[1], &group, 0, stranger, false); /* no commit has sequence 0 */
    rename_to(&p[0], &group, "two");
    sync_all(&p[1]);
    sync_logs(&p[1]);
    assert_int_equal(info_of(&p[1], &group).remote_count, 0);
    sync_logs(&p[0]);
    publish_entry(&p[1], &group, UINT64_C(1) << 40, stranger, false); /* another key */
    sync_logs(&p[1]);
    assert_int_equal(info_of(&p[1], &group).remote_count, 2);
    assert_int_equal(info_of(&p[1], &group).commit_log_fork, XMTP_FORK_NO);
    people_close(p, 2);
}

static void refused_commits_are_in_the_log_as_such(void **state)
{
    (void)state;
    person p[2];
    xmtp_conversation_id group;
    people_open(p, 2, &net);
    group_of(p, 2, &group);
    /* Both rename in the same epoch: Ann's comes second and is made again. */
    rename_to(&p[1], &group, "bob's");
    rename_to(&p[0], &group, "ann's");
    xmtp_debug_info info = info_of(&p[0], &group);
    bool has_wrong_epoch = false;
    for (size_t i = 0; i < info.local_count; i++) {
        has_wrong_epoch = has_wrong_epoch || info.local[i].result == XMTP_COMMIT_WRONG_EPOCH;
    }
    assert_true(has_wrong_epoch);
    sync_logs(&p[0]);
    sync_logs(&p[0]);
    sync_all(&p[1]);
    sync_logs(&p[1]);
    assert_int_equal(info_of(&p[0], &group).commit_log_fork, XMTP_FORK_NO);
    assert_int_equal(info_of(&p[1], &group).commit_log_fork, XMTP_FORK_NO);
    people_close(p, 2);
}

static void of_a_long_history_the_newest_hundred_are_shown(void **state)
{
    (void)state;
    person p;
    xmtp_conversation_id group;
    xmtp_debug_info info;
    char name[16];
    person_open(&p, &net);
    assert_ok(&p, xmtp_client_group_create(p.client, "g", NULL, 0, &group, &p.error));
    for (int i = 0; i <= XMTP_DEBUG_COMMITS_MAX; i++) {
        (void)snprintf(name, sizeof(name), "%d", i);
        rename_to(&p, &group, name);
    }
    assert_ok(&p, xmtp_client_debug_info(p.client, &group, &info, &p.error));
    assert_int_equal(info.local_count, XMTP_DEBUG_COMMITS_MAX);
    assert_int_equal(info.local[XMTP_DEBUG_COMMITS_MAX - 1].epoch, info.epoch);
    assert_int_equal(info.local[0].epoch, info.epoch - XMTP_DEBUG_COMMITS_MAX + 1);
    person_close(&p);
}

static void sync_does_it_every_five_minutes(void **state)
{
    (void)state;
    person p[1];
    xmtp_conversation_id group;
    people_open(p, 1, &net);
    sync_all(p);
    group_of(p, 1, &group);
    for (int i = 0; i < 2; i++) {
        network_advance(&net, 301);
        sync_all(p);
    }
    assert_int_equal(info_of(p, &group).remote_count, 1);
    people_close(p, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_super_admin_writes_and_members_find_that_they_agree),
        cmocka_unit_test(what_the_log_does_not_have_yet_is_unknown),
        cmocka_unit_test(both_sides_of_a_dm_write_once_they_have_allowed_it),
        cmocka_unit_test(a_fork_shows_when_authenticators_differ),
        cmocka_unit_test(
            entries_that_are_not_signed_by_the_groups_key_or_do_not_follow_are_skipped),
        cmocka_unit_test(refused_commits_are_in_the_log_as_such),
        cmocka_unit_test(of_a_long_history_the_newest_hundred_are_shown),
        cmocka_unit_test(sync_does_it_every_five_minutes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
