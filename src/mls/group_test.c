/* group_test.c - conversations: two members, races, removals, late messages, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mls/group_dump.h"

typedef struct pair {
    world_env world;
    member alice;
    member bob;
} pair;

static void pair_open(pair *p)
{
    world_env_init(&p->world, 7);
    member_init(&p->alice, &p->world, "alice");
    member_init(&p->bob, &p->world, "bob");
    member_create(&p->alice);
    blob commit = member_invite(&p->alice, &p->bob);
    free(commit.p);
    members_agree(&p->alice, &p->bob);
}

static void pair_close(pair *p)
{
    member_free(&p->alice);
    member_free(&p->bob);
}

static void two_members_talk(void **state)
{
    (void)state;
    pair p;
    pair_open(&p);
    assert_int_equal(xmtp_mls_group_epoch(p.alice.group), 1);
    assert_int_equal(xmtp_mls_group_member_count(p.bob.group), 2);
    for (int i = 0; i < 20; i++) {
        blob a = member_send(&p.alice, "hello from alice");
        blob b = member_send(&p.bob, "hello from bob");
        member_expect(&p.bob, a, "hello from alice");
        member_expect(&p.alice, b, "hello from bob");
        free(a.p);
        free(b.p);
    }
    pair_close(&p);
}

static void commits_move_both_to_the_next_epoch(void **state)
{
    (void)state;
    pair p;
    pair_open(&p);
    for (int i = 0; i < 6; i++) {
        member *from = i % 2 == 0 ? &p.alice : &p.bob;
        member *to = i % 2 == 0 ? &p.bob : &p.alice;
        xmtp_mls_pending *pending = member_commit(from, NULL);
        assert_int_equal(xmtp_mls_pending_welcome(pending).n, 0);
        assert_ok(to, member_take(to, xmtp_mls_pending_message(pending)));
        member_confirm(from, pending);
        members_agree(&p.alice, &p.bob);
        blob text = member_send(from, "after");
        member_expect(to, text, "after");
        free(text.p);
    }
    assert_int_equal(xmtp_mls_group_epoch(p.alice.group), 7);
    pair_close(&p);
}

/* ---- races and pending commits ---- */

static void the_second_commit_of_an_epoch_loses(void **state)
{
    (void)state;
    pair p;
    pair_open(&p);
    uint8_t *encoded;
    size_t encoded_len;
    xmtp_mls_pending *decoded;
    xmtp_mls_staged *staged;
    xmtp_mls_pending *winner = member_commit(&p.alice, NULL);
    xmtp_mls_pending *loser = member_commit(&p.bob, NULL);
    assert_int_equal(xmtp_mls_pending_encode(loser, &encoded, &encoded_len), XMTP_OK);
    assert_ok(&p.bob, member_take(&p.bob, xmtp_mls_pending_message(winner)));
    member_confirm(&p.alice, winner);
    members_agree(&p.alice, &p.bob);

    assert_int_equal(member_take(&p.alice, xmtp_mls_pending_message(loser)), XMTP_E_EPOCH_OLD);
    assert_int_equal(xmtp_mls_group_stage_pending(p.bob.group, loser, &staged, &p.bob.error),
                     XMTP_E_EPOCH_OLD);
    assert_int_equal(xmtp_mls_pending_decode(&decoded, p.bob.group,
                                             xmtp_bytes_of(encoded, encoded_len), &p.bob.error),
                     XMTP_E_EPOCH_OLD);
    assert_null(decoded);
    free(encoded);
    xmtp_mls_pending_free(loser);

    xmtp_mls_pending *again = member_commit(&p.bob, NULL);
    assert_ok(&p.alice, member_take(&p.alice, xmtp_mls_pending_message(again)));
    member_confirm(&p.bob, again);
    members_agree(&p.alice, &p.bob);
    pair_close(&p);
}

/* A byte of the commit's signature, which stands before the confirmation tag. */
static void spoil_signature(xmtp_mls_pending *pending)
{
    xmtp_buffer *content = &pending->authenticated_content;
    content->p[content->n - (1 + 32) - 1] ^= 1;
}

/* What was signed in this process is not verified again, but the confirmation tag still binds it;
 * what comes from a store is verified. */
static void a_spoiled_pending_commit_is_refused(void **state)
{
    (void)state;
    pair p;
    pair_open(&p);
    uint8_t *encoded;
    size_t encoded_len;
    xmtp_mls_pending *decoded;
    xmtp_mls_staged *staged;
    xmtp_mls_pending *fresh = member_commit(&p.alice, NULL);
    assert_int_equal(xmtp_mls_pending_encode(fresh, &encoded, &encoded_len), XMTP_OK);
    assert_ok(&p.alice,
              xmtp_mls_pending_decode(&decoded, p.alice.group, xmtp_bytes_of(encoded, encoded_len),
                                      &p.alice.error));
    free(encoded);
    assert_true(fresh->is_fresh);
    assert_false(decoded->is_fresh);
    spoil_signature(fresh);
    spoil_signature(decoded);
    assert_int_equal(xmtp_mls_group_stage_pending(p.alice.group, fresh, &staged, &p.alice.error),
                     XMTP_E_CONFIRMATION_TAG);
    assert_int_equal(xmtp_mls_group_stage_pending(p.alice.group, decoded, &staged, &p.alice.error),
                     XMTP_E_SIGNATURE);
    assert_null(staged);
    xmtp_mls_pending_free(decoded);
    xmtp_mls_pending_free(fresh);
    pair_close(&p);
}

static void a_pending_commit_survives_in_the_store(void **state)
{
    (void)state;
    pair p;
    pair_open(&p);
    uint8_t *encoded;
    size_t encoded_len;
    xmtp_mls_pending *pending = member_commit(&p.alice, NULL);
    blob message = blob_copy(xmtp_mls_pending_message(pending));
    assert_int_equal(xmtp_mls_pending_encode(pending, &encoded, &encoded_len), XMTP_OK);
    xmtp_mls_pending_free(pending);
    for (size_t n = 0; n < encoded_len; n++) {
        assert_int_equal(xmtp_mls_pending_decode(&pending, p.alice.group, xmtp_bytes_of(encoded, n),
                                                 &p.alice.error),
                         XMTP_E_CORRUPT);
    }
    assert_ok(&p.alice, member_load(&p.alice));
    assert_ok(&p.alice,
              xmtp_mls_pending_decode(&pending, p.alice.group, xmtp_bytes_of(encoded, encoded_len),
                                      &p.alice.error));
    free(encoded);
    assert_true(xmtp_bytes_equal(blob_bytes(message), xmtp_mls_pending_message(pending)));
    assert_int_equal(xmtp_mls_pending_epoch(pending), 1);
    assert_ok(&p.bob, member_take(&p.bob, blob_bytes(message)));
    member_confirm(&p.alice, pending);
    members_agree(&p.alice, &p.bob);
    free(message.p);
    pair_close(&p);
}

/* Its message, welcome and content are kept elsewhere; of another content it is not made up. */
static void a_pending_commit_is_followed_without_its_messages(void **state)
{
    (void)state;
    pair p;
    member carol;
    pair_open(&p);
    member_init(&carol, &p.world, "carol");
    xmtp_mls_key_package_private private_keys;
    blob key_package = member_key_package(&carol, &private_keys);
    const xmtp_bytes add = blob_bytes(key_package);
    xmtp_mls_pending *pending =
        member_commit(&p.alice, &(xmtp_mls_commit_options){.add = &add, .add_count = 1});
    blob message = blob_copy(xmtp_mls_pending_message(pending));
    blob welcome = blob_copy(xmtp_mls_pending_welcome(pending));
    blob content = blob_copy(xmtp_mls_pending_content(pending));
    uint8_t *whole;
    uint8_t *encoded;
    size_t whole_len;
    size_t encoded_len;
    assert_int_equal(xmtp_mls_pending_encode(pending, &whole, &whole_len), XMTP_OK);
    assert_int_equal(xmtp_mls_pending_encode_short(pending, &encoded, &encoded_len), XMTP_OK);
    assert_true(encoded_len + message.n + welcome.n + content.n <= whole_len);
    xmtp_mls_pending_free(pending);
    assert_ok(&p.alice, member_load(&p.alice));
    const xmtp_bytes parts[] = {{0}, blob_bytes(message), xmtp_bytes_of(content.p, content.n - 1)};
    for (size_t i = 0; i < 3; i++) {
        xmtp_mls_staged *staged;
        assert_ok(&p.alice, xmtp_mls_pending_decode_short(&pending, p.alice.group,
                                                          xmtp_bytes_of(encoded, encoded_len),
                                                          parts[i], &p.alice.error));
        assert_int_not_equal(
            xmtp_mls_group_stage_pending(p.alice.group, pending, &staged, &p.alice.error), XMTP_OK);
        xmtp_mls_pending_free(pending);
    }
    assert_ok(&p.alice, xmtp_mls_pending_decode_short(&pending, p.alice.group,
                                                      xmtp_bytes_of(encoded, encoded_len),
                                                      blob_bytes(content), &p.alice.error));
    assert_int_equal(xmtp_mls_pending_message(pending).n, 0);
    assert_int_equal(xmtp_mls_pending_welcome(pending).n, 0);
    member_confirm(&p.alice, pending);
    assert_ok(&p.bob, member_take(&p.bob, blob_bytes(message)));
    assert_ok(&carol, member_join(&carol, blob_bytes(welcome), key_package, &private_keys));
    members_agree(&p.alice, &p.bob);
    members_agree(&p.alice, &carol);
    free(whole);
    free(encoded);
    free(message.p);
    free(welcome.p);
    free(content.p);
    free(key_package.p);
    member_free(&carol);
    pair_close(&p);
}

static void making_a_commit_changes_nothing(void **state)
{
    (void)state;
    pair p;
    pair_open(&p);
    uint8_t before[32], after[32];
    group_digest(p.alice.group, before);
    xmtp_mls_pending *pending = member_commit(&p.alice, NULL);
    xmtp_mls_staged *staged;
    assert_ok(&p.alice,
              xmtp_mls_group_stage_pending(p.alice.group, pending, &staged, &p.alice.error));
    assert_int_equal(xmtp_mls_staged_epoch(staged), 2);
    group_digest(p.alice.group, after);
    assert_memory_equal(before, after, 32);
    xmtp_mls_staged_free(staged);
    xmtp_mls_pending_free(pending);
    pair_close(&p);
}

static void a_staged_object_fits_one_state_only(void **state)
{
    (void)state;
    pair p;
    pair_open(&p);
    xmtp_mls_staged *first, *second;
    blob a = member_send(&p.alice, "a");
    blob b = member_send(&p.alice, "b");
    assert_ok(&p.bob, xmtp_mls_group_process(p.bob.group, blob_bytes(a), &first, &p.bob.error));
    assert_ok(&p.bob, xmtp_mls_group_process(p.bob.group, blob_bytes(b), &second, &p.bob.error));
    p.bob.reloads = false;
    assert_true(xmtp_mls_staged_is_current(second, p.bob.group));
    assert_false(xmtp_mls_staged_is_current(second, p.alice.group));
    assert_ok(&p.bob, member_merge(&p.bob, first));
    assert_false(xmtp_mls_staged_is_current(second, p.bob.group));
    assert_int_equal(member_merge(&p.bob, second), XMTP_E_STATE);
    assert_int_equal(xmtp_mls_writes_count(p.bob.writes), 0);
    member_expect(&p.bob, b, "b");
    free(a.p);
    free(b.p);
    pair_close(&p);
}

/* ---- order of messages ---- */

static void messages_come_out_of_order_within_the_window(void **state)
{
    (void)state;
    pair p;
    pair_open(&p);
    blob m[8];
    for (int i = 0; i < 8; i++) {
        m[i] = member_send(&p.alice, "text");
    }
    member_expect(&p.bob, m[6], "text"); /* 2 to 5 are kept */
    assert_int_equal(member_take(&p.bob, blob_bytes(m[6])), XMTP_E_KEY_CONSUMED);
    assert_int_equal(member_take(&p.bob, blob_bytes(m[1])), XMTP_E_KEY_CONSUMED);
    for (int i = 5; i >= 2; i--) {
        member_expect(&p.bob, m[i], "text");
        assert_int_equal(member_take(&p.bob, blob_bytes(m[i])), XMTP_E_KEY_CONSUMED);
    }
    member_expect(&p.bob, m[7], "text");
    assert_int_equal(member_take(&p.alice, blob_bytes(m[0])), XMTP_E_OWN_MESSAGE);
    member_check_store(&p.bob);
    for (int i = 0; i < 8; i++) {
        free(m[i].p);
    }
    pair_close(&p);
}

static void messages_too_far_ahead_are_refused(void **state)
{
    (void)state;
    pair p;
    pair_open(&p);
    blob last = {0}, fits = {0};
    p.alice.reloads = false;
    for (int i = 0; i <= 1001; i++) {
        blob b = member_send(&p.alice, "text");
        if (i == 1000) {
            fits = b;
        } else if (i == 1001) {
            last = b;
        } else {
            free(b.p);
        }
    }
    assert_int_equal(member_take(&p.bob, blob_bytes(last)), XMTP_E_GENERATION);
    member_expect(&p.bob, fits, "text");
    member_expect(&p.bob, last, "text");
    free(last.p);
    free(fits.p);
    pair_close(&p);
}

static void empty_commit(member *from, member *to)
{
    xmtp_mls_pending *pending = member_commit(from, NULL);
    assert_ok(to, member_take(to, xmtp_mls_pending_message(pending)));
    member_confirm(from, pending);
}

static void late_messages_open_for_three_epochs(void **state)
{
    (void)state;
    pair p;
    pair_open(&p);
    blob late[4];
    for (int i = 0; i < 4; i++) {
        late[i] = member_send(&p.alice, "late");
    }
    for (int epochs = 1; epochs <= 3; epochs++) {
        empty_commit(&p.alice, &p.bob);
        member_expect(&p.bob, late[epochs], "late");
        assert_int_equal(member_take(&p.bob, blob_bytes(late[epochs])), XMTP_E_KEY_CONSUMED);
        member_check_store(&p.bob);
    }
    empty_commit(&p.bob, &p.alice);
    assert_int_equal(member_take(&p.bob, blob_bytes(late[0])), XMTP_E_EPOCH_OLD);
    member_check_store(&p.bob);
    member_check_store(&p.alice);
    for (int i = 0; i < 4; i++) {
        free(late[i].p);
    }
    pair_close(&p);
}

static void without_past_epochs_late_messages_are_refused(void **state)
{
    (void)state;
    pair p;
    pair_open(&p);
    p.bob.config.past_epochs_max = 0;
    assert_ok(&p.bob, member_load(&p.bob));
    blob late = member_send(&p.alice, "late");
    empty_commit(&p.alice, &p.bob);
    assert_int_equal(member_take(&p.bob, blob_bytes(late)), XMTP_E_EPOCH_OLD);
    member_check_store(&p.bob);
    free(late.p);
    pair_close(&p);
}

static void messages_of_the_future_are_refused(void **state)
{
    (void)state;
    pair p;
    pair_open(&p);
    xmtp_mls_pending *pending = member_commit(&p.alice, NULL);
    blob commit = blob_copy(xmtp_mls_pending_message(pending));
    member_confirm(&p.alice, pending);
    blob text = member_send(&p.alice, "early");
    assert_int_equal(member_take(&p.bob, blob_bytes(text)), XMTP_E_EPOCH_FUTURE);
    assert_ok(&p.bob, member_take(&p.bob, blob_bytes(commit)));
    member_expect(&p.bob, text, "early");
    free(text.p);
    free(commit.p);
    pair_close(&p);
}

/* ---- leaving ---- */

static uint32_t leaf_of(const member *seen_by, const member *whom)
{
    int64_t leaf = xmtp_mls_group_find(seen_by->group, xmtp_bytes_of(whom->pk, 32));
    assert_true(leaf >= 0);
    return (uint32_t)leaf;
}

static void a_removed_member_keeps_nothing_but_the_view(void **state)
{
    (void)state;
    pair p;
    pair_open(&p);
    xmtp_mls_staged *staged;
    uint32_t leaf = leaf_of(&p.alice, &p.bob);
    xmtp_mls_pending *pending =
        member_commit(&p.alice, &(xmtp_mls_commit_options){.remove = &leaf, .remove_count = 1});
    assert_ok(&p.bob, xmtp_mls_group_process(p.bob.group, xmtp_mls_pending_message(pending),
                                             &staged, &p.bob.error));
    assert_true(xmtp_mls_staged_removes_us(staged));
    assert_int_equal(xmtp_mls_staged_proposal_count(staged), 1);
    assert_int_equal(xmtp_mls_staged_proposal_at(staged, 0).type, XMTP_MLS_PROPOSAL_REMOVE);
    assert_int_equal(xmtp_mls_staged_proposal_at(staged, 0).member.leaf, leaf);
    assert_ok(&p.bob, member_merge(&p.bob, staged));
    member_confirm(&p.alice, pending);

    assert_false(xmtp_mls_group_is_active(p.bob.group));
    assert_int_equal(xmtp_mls_group_member_count(p.bob.group), 1);
    assert_int_equal(xmtp_mls_group_epoch(p.bob.group), 2);
    assert_true(xmtp_bytes_equal(xmtp_mls_group_context(p.alice.group),
                                 xmtp_mls_group_context(p.bob.group)));
    for (size_t i = 0; i < p.bob.store.count; i++) { /* no secret tree, no ratchet */
        assert_true(strchr("hne", p.bob.store.records[i].key[0]) != NULL);
    }
    blob text = member_send(&p.alice, "without bob");
    uint8_t exported[16];
    xmtp_bytes out;
    xmtp_mls_pending *none;
    assert_int_equal(member_take(&p.bob, blob_bytes(text)), XMTP_E_REMOVED);
    assert_int_equal(xmtp_mls_group_protect(p.bob.group, (xmtp_bytes){0}, (xmtp_bytes){0}, &out,
                                            p.bob.writes, &p.bob.error),
                     XMTP_E_REMOVED);
    assert_int_equal(
        xmtp_mls_group_commit(p.bob.group, &(xmtp_mls_commit_options){0}, &none, &p.bob.error),
        XMTP_E_REMOVED);
    assert_int_equal(xmtp_mls_group_export(p.bob.group, "label", (xmtp_bytes){0}, exported, 16),
                     XMTP_E_REMOVED);
    free(text.p);
    pair_close(&p);
}

static void a_late_message_of_a_removed_member_names_it(void **state)
{
    (void)state;
    pair p;
    pair_open(&p);
    member carol, dave;
    member_init(&carol, &p.world, "carol");
    member_init(&dave, &p.world, "dave");
    blob commit = member_invite(&p.alice, &carol);
    assert_ok(&p.bob, member_take(&p.bob, blob_bytes(commit)));
    free(commit.p);
    blob late = member_send(&p.bob, "last words");

    uint32_t leaf = leaf_of(&p.alice, &p.bob);
    xmtp_mls_pending *pending =
        member_commit(&p.alice, &(xmtp_mls_commit_options){.remove = &leaf, .remove_count = 1});
    assert_ok(&carol, member_take(&carol, xmtp_mls_pending_message(pending)));
    member_confirm(&p.alice, pending);
    commit = member_invite(&p.alice, &dave); /* takes bob's leaf */
    assert_ok(&carol, member_take(&carol, blob_bytes(commit)));
    free(commit.p);
    assert_int_equal(leaf_of(&carol, &dave), leaf);

    xmtp_mls_staged *staged;
    assert_ok(&carol, xmtp_mls_group_process(carol.group, blob_bytes(late), &staged, &carol.error));
    xmtp_mls_member sender = xmtp_mls_staged_sender(staged);
    assert_int_equal(sender.leaf, leaf);
    assert_true(xmtp_bytes_equal(sender.identity, xmtp_bytes_of_string("bob")));
    assert_true(xmtp_bytes_equal(sender.signature_key, xmtp_bytes_of(p.bob.pk, 32)));
    assert_ok(&carol, member_merge(&carol, staged));
    /* dave was not there yet */
    assert_int_equal(member_take(&dave, blob_bytes(late)), XMTP_E_EPOCH_OLD);
    free(late.p);
    member_free(&carol);
    member_free(&dave);
    pair_close(&p);
}

/* Bob's leaf is removed and bob added, with the same signature key, in one commit. */
static void a_member_can_be_readded_in_one_commit(void **state)
{
    (void)state;
    pair p;
    pair_open(&p);
    xmtp_mls_key_package_private keys;
    blob package = member_key_package(&p.bob, &keys);
    const xmtp_bytes add = blob_bytes(package);
    uint32_t leaf = leaf_of(&p.alice, &p.bob);
    xmtp_mls_pending *pending;
    assert_int_equal(xmtp_mls_group_commit(p.alice.group,
                                           &(xmtp_mls_commit_options){.add = &add, .add_count = 1},
                                           &pending, &p.alice.error),
                     XMTP_E_DUPLICATE_SIGNATURE_KEY);
    pending = member_commit(&p.alice,
                            &(xmtp_mls_commit_options){
                                .add = &add, .add_count = 1, .remove = &leaf, .remove_count = 1});
    blob welcome = blob_copy(xmtp_mls_pending_welcome(pending));
    assert_ok(&p.bob, member_take(&p.bob, xmtp_mls_pending_message(pending)));
    assert_false(xmtp_mls_group_is_active(p.bob.group));
    member_confirm(&p.alice, pending);
    assert_ok(&p.bob, member_join(&p.bob, blob_bytes(welcome), package, &keys));
    members_agree(&p.alice, &p.bob);
    free(welcome.p);
    free(package.p);
    pair_close(&p);
}

/* ---- commits that may not be made ---- */

static void commit_refused(member *m, xmtp_mls_commit_options options, xmtp_status status)
{
    xmtp_mls_pending *pending;
    assert_int_equal(xmtp_mls_group_commit(m->group, &options, &pending, &m->error), status);
    assert_null(pending);
    assert_true(m->error.text[0] != 0);
}

static void commits_against_the_rules_are_refused(void **state)
{
    (void)state;
    pair p;
    pair_open(&p);
    const uint32_t self = 0, twice[] = {1, 1}, nobody = 7;
    const uint8_t junk[] = {1, 2, 3};
    const xmtp_bytes bad_package = {junk, sizeof junk};
    static const uint8_t demanding[] = {0x02, 0xab, 0xcd, 0x00, 0x00};
    const xmtp_mls_extension uncovered = {.type = 0xff00, .data = {junk, 3}};
    const xmtp_mls_extension required = {.type = XMTP_MLS_EXTENSION_REQUIRED_CAPABILITIES,
                                         .data = {demanding, sizeof demanding}};
    const xmtp_mls_extension double_type[] = {required, required};
    commit_refused(&p.alice, (xmtp_mls_commit_options){.remove = &self, .remove_count = 1},
                   XMTP_E_REMOVES_COMMITTER);
    commit_refused(&p.alice, (xmtp_mls_commit_options){.remove = twice, .remove_count = 2},
                   XMTP_E_CHANGED_TWICE);
    commit_refused(&p.alice, (xmtp_mls_commit_options){.remove = &nobody, .remove_count = 1},
                   XMTP_E_NO_MEMBER);
    commit_refused(&p.alice, (xmtp_mls_commit_options){.add = &bad_package, .add_count = 1},
                   XMTP_E_KEY_PACKAGE);
    p.alice.config.openmls_verdicts = true;
    assert_ok(&p.alice, member_load(&p.alice));
    commit_refused(&p.alice,
                   (xmtp_mls_commit_options){.context_extensions = &uncovered,
                                             .context_extension_count = 1,
                                             .set_context_extensions = true},
                   XMTP_E_EXTENSION);
    p.alice.config.openmls_verdicts = false;
    assert_ok(&p.alice, member_load(&p.alice));
    commit_refused(&p.alice,
                   (xmtp_mls_commit_options){.context_extensions = &required,
                                             .context_extension_count = 1,
                                             .set_context_extensions = true},
                   XMTP_E_CAPABILITIES);
    commit_refused(&p.alice,
                   (xmtp_mls_commit_options){.context_extensions = double_type,
                                             .context_extension_count = 2,
                                             .set_context_extensions = true},
                   XMTP_E_EXTENSION_TWICE);
    pair_close(&p);
}

/* Two key packages with one init key, signed by two members. */
static void an_init_key_may_not_appear_twice(void **state)
{
    (void)state;
    pair p;
    pair_open(&p);
    member carol, dave;
    member_init(&carol, &p.world, "carol");
    member_init(&dave, &p.world, "dave");
    xmtp_mls_key_package_private keys;
    blob packages[2];
    packages[0] = member_key_package(&carol, &keys);
    packages[1] = member_key_package(&dave, &keys);
    xmtp_key_package first, second;
    xmtp_writer w, scratch;
    xmtp_writer_init(&w, p.alice.group->alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&scratch, p.alice.group->alloc, XMTP_WRITER_MAX);
    assert_int_equal(xmtp_key_package_of(blob_bytes(packages[0]), &first), XMTP_OK);
    assert_int_equal(xmtp_key_package_of(blob_bytes(packages[1]), &second), XMTP_OK);
    second.init_key = first.init_key;
    assert_int_equal(
        xmtp_key_package_sign(&xmtp_suite_x25519_chacha, dave.sk, &second, &scratch, &w), XMTP_OK);
    const xmtp_bytes add[] = {blob_bytes(packages[0]), xmtp_writer_bytes(&w)};
    commit_refused(&p.alice, (xmtp_mls_commit_options){.add = add, .add_count = 2},
                   XMTP_E_DUPLICATE_INIT_KEY);
    /* nor be the encryption key of a member */
    xmtp_mls_member bob;
    assert_true(xmtp_mls_group_member(p.alice.group, 1, &bob));
    second.init_key = bob.encryption_key;
    xmtp_writer_clear(&w);
    assert_int_equal(
        xmtp_key_package_sign(&xmtp_suite_x25519_chacha, dave.sk, &second, &scratch, &w), XMTP_OK);
    const xmtp_bytes other = xmtp_writer_bytes(&w);
    commit_refused(&p.alice, (xmtp_mls_commit_options){.add = &other, .add_count = 1},
                   XMTP_E_DUPLICATE_INIT_KEY);
    xmtp_writer_free(&w);
    xmtp_writer_free(&scratch);
    free(packages[0].p);
    free(packages[1].p);
    member_free(&carol);
    member_free(&dave);
    pair_close(&p);
}

static void welcomes_for_others_are_refused(void **state)
{
    (void)state;
    pair p;
    pair_open(&p);
    member carol;
    member_init(&carol, &p.world, "carol");
    xmtp_mls_key_package_private keys, other_keys;
    blob package = member_key_package(&carol, &keys);
    blob other = member_key_package(&carol, &other_keys);
    const xmtp_bytes add = blob_bytes(package);
    xmtp_mls_pending *pending =
        member_commit(&p.alice, &(xmtp_mls_commit_options){.add = &add, .add_count = 1});
    xmtp_bytes welcome = xmtp_mls_pending_welcome(pending);
    assert_int_equal(member_join(&carol, welcome, other, &other_keys), XMTP_E_NOT_FOR_US);
    assert_int_equal(member_join(&carol, welcome, package, &other_keys), XMTP_E_KEY);
    xmtp_mls_key_package_private mixed = keys; /* the secrets open, but the leaf is not ours */
    memcpy(mixed.leaf_sk, other_keys.leaf_sk, sizeof mixed.leaf_sk);
    assert_int_equal(member_join(&carol, welcome, package, &mixed), XMTP_E_KEY);
    memset(mixed.check, 0, sizeof mixed.check);
    assert_int_equal(member_join(&carol, welcome, package, &mixed), XMTP_E_KEY);
    assert_int_equal(member_join(&carol, xmtp_mls_pending_message(pending), package, &keys),
                     XMTP_E_WIRE_FORMAT);
    assert_int_equal(xmtp_mls_writes_count(carol.writes), 0);
    xmtp_mls_key_package_private unchecked = keys;
    memset(unchecked.check, 0, sizeof unchecked.check);
    assert_ok(&carol, member_join(&carol, welcome, package, &unchecked));
    assert_ok(&carol, member_join(&carol, welcome, package, &keys));
    xmtp_mls_pending_free(pending);
    free(package.p);
    free(other.p);
    member_free(&carol);
    pair_close(&p);
}

static void lifetimes_count_where_they_are_asked_for(void **state)
{
    (void)state;
    pair p;
    pair_open(&p);
    member carol;
    member_init(&carol, &p.world, "carol");
    const uint64_t now = p.world.now_ns / 1000000000u;
    const xmtp_mls_key_package_options expired = {.suite = 3,
                                                  .signer = member_signer(&carol),
                                                  .capabilities = world_capabilities(),
                                                  .not_before = now - 10,
                                                  .not_after = now - 1};
    xmtp_mls_key_package_private keys;
    xmtp_mls_key_package_info info;
    blob package;
    assert_ok(&carol, xmtp_mls_key_package_create(&p.world.env, &expired, &package.p, &package.n,
                                                  &keys, &carol.error));
    assert_int_equal(
        xmtp_mls_key_package_verify(&p.world.env, blob_bytes(package), now, &info, &carol.error),
        XMTP_E_LIFETIME);
    assert_ok(&carol, xmtp_mls_key_package_verify(&p.world.env, blob_bytes(package), 0, &info,
                                                  &carol.error));
    const xmtp_bytes add = blob_bytes(package);
    const xmtp_mls_commit_options options = {.add = &add, .add_count = 1};
    p.alice.config.check_lifetimes = true;
    assert_ok(&p.alice, member_load(&p.alice));
    commit_refused(&p.alice, options, XMTP_E_LIFETIME);
    p.alice.config.check_lifetimes = false;
    assert_ok(&p.alice, member_load(&p.alice));
    xmtp_mls_pending *pending = member_commit(&p.alice, &options);
    p.bob.config.check_lifetimes = carol.config.check_lifetimes = true;
    assert_ok(&p.bob, member_load(&p.bob));
    assert_int_equal(member_take(&p.bob, xmtp_mls_pending_message(pending)), XMTP_E_LIFETIME);
    assert_int_equal(member_join(&carol, xmtp_mls_pending_welcome(pending), package, &keys),
                     XMTP_E_LIFETIME);
    carol.config.check_lifetimes = false;
    assert_ok(&carol, member_join(&carol, xmtp_mls_pending_welcome(pending), package, &keys));
    xmtp_mls_pending_free(pending);
    free(package.p);
    member_free(&carol);
    pair_close(&p);
}

static void messages_for_another_group_are_refused(void **state)
{
    (void)state;
    pair p;
    pair_open(&p);
    blob text = member_send(&p.alice, "text");
    xmtp_mls_message_info info;
    assert_int_equal(xmtp_mls_message_inspect(blob_bytes(text), &info), XMTP_OK);
    assert_int_equal(info.wire_format, XMTP_MLS_PRIVATE_MESSAGE);
    assert_int_equal(info.content_type, XMTP_MLS_CONTENT_APPLICATION);
    assert_int_equal(info.epoch, 1);
    assert_true(xmtp_bytes_equal(info.group_id, xmtp_mls_group_id(p.bob.group)));
    ((uint8_t *)(uintptr_t)info.group_id.p)[0] ^= 1;
    assert_int_equal(member_take(&p.bob, blob_bytes(text)), XMTP_E_GROUP_ID);
    for (size_t n = 0; n < text.n; n++) {
        assert_int_not_equal(xmtp_mls_message_inspect(xmtp_bytes_of(text.p, n), &info), XMTP_OK);
    }
    free(text.p);
    pair_close(&p);
}

/* ---- what a staged commit says ---- */

static void a_staged_commit_tells_what_it_does(void **state)
{
    (void)state;
    pair p;
    pair_open(&p);
    member carol;
    member_init(&carol, &p.world, "carol");
    xmtp_mls_key_package_private keys;
    blob package = member_key_package(&carol, &keys);
    const xmtp_bytes add = blob_bytes(package);
    const xmtp_mls_extension extensions[] = {{.type = XMTP_MLS_EXTENSION_REQUIRED_CAPABILITIES,
                                              .data = {world_required, sizeof world_required}}};
    xmtp_mls_pending *pending =
        member_commit(&p.alice, &(xmtp_mls_commit_options){.add = &add,
                                                           .add_count = 1,
                                                           .context_extensions = extensions,
                                                           .context_extension_count = 1,
                                                           .set_context_extensions = true});
    xmtp_mls_staged *staged;
    assert_ok(&p.bob, xmtp_mls_group_process(p.bob.group, xmtp_mls_pending_message(pending),
                                             &staged, &p.bob.error));
    xmtp_mls_member leaf, sender = xmtp_mls_staged_sender(staged);
    xmtp_bytes data;
    assert_int_equal(xmtp_mls_staged_content_type(staged), XMTP_MLS_CONTENT_COMMIT);
    assert_int_equal(xmtp_mls_staged_message_epoch(staged), 1);
    assert_int_equal(xmtp_mls_staged_epoch(staged), 2);
    assert_int_equal(xmtp_mls_staged_proposal_count(staged), 2);
    xmtp_mls_proposal_info info = xmtp_mls_staged_proposal_at(staged, 0);
    assert_int_equal(info.type, XMTP_MLS_PROPOSAL_ADD);
    assert_int_equal(info.sender_leaf, 0);
    assert_int_equal(info.member.leaf, 2);
    assert_true(xmtp_bytes_equal(info.member.identity, xmtp_bytes_of_string("carol")));
    info = xmtp_mls_staged_proposal_at(staged, 1);
    assert_int_equal(info.type, XMTP_MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS);
    assert_true(xmtp_mls_extensions_find(info.extensions, 3, &data));
    assert_true(xmtp_mls_staged_path_leaf(staged, &leaf));
    assert_true(xmtp_bytes_equal(leaf.signature_key, sender.signature_key));
    assert_false(xmtp_bytes_equal(leaf.encryption_key, sender.encryption_key));
    assert_false(xmtp_mls_extensions_find(xmtp_mls_staged_extensions(staged), 0xff00, &data));
    assert_true(xmtp_mls_staged_member(staged, 2, &leaf));
    assert_false(xmtp_mls_group_member(p.bob.group, 2, &leaf));
    assert_ok(&p.bob, member_merge(&p.bob, staged));
    assert_true(xmtp_mls_group_member(p.bob.group, 2, &leaf));
    assert_int_equal(xmtp_mls_group_extension_count(p.bob.group), 1);
    xmtp_mls_pending_free(pending);
    free(package.p);
    member_free(&carol);
    pair_close(&p);
}

static void exports_agree_and_differ_by_label(void **state)
{
    (void)state;
    pair p;
    pair_open(&p);
    uint8_t a[32], b[32], c[32];
    xmtp_bytes context = xmtp_bytes_of_string("context");
    assert_int_equal(xmtp_mls_group_export(p.alice.group, "label", context, a, 32), XMTP_OK);
    assert_int_equal(xmtp_mls_group_export(p.bob.group, "label", context, b, 32), XMTP_OK);
    assert_int_equal(xmtp_mls_group_export(p.bob.group, "other", context, c, 32), XMTP_OK);
    assert_memory_equal(a, b, 32);
    assert_memory_not_equal(a, c, 32);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_members_talk),
        cmocka_unit_test(commits_move_both_to_the_next_epoch),
        cmocka_unit_test(the_second_commit_of_an_epoch_loses),
        cmocka_unit_test(a_spoiled_pending_commit_is_refused),
        cmocka_unit_test(a_pending_commit_survives_in_the_store),
        cmocka_unit_test(a_pending_commit_is_followed_without_its_messages),
        cmocka_unit_test(making_a_commit_changes_nothing),
        cmocka_unit_test(a_staged_object_fits_one_state_only),
        cmocka_unit_test(messages_come_out_of_order_within_the_window),
        cmocka_unit_test(messages_too_far_ahead_are_refused),
        cmocka_unit_test(late_messages_open_for_three_epochs),
        cmocka_unit_test(without_past_epochs_late_messages_are_refused),
        cmocka_unit_test(messages_of_the_future_are_refused),
        cmocka_unit_test(a_removed_member_keeps_nothing_but_the_view),
        cmocka_unit_test(a_late_message_of_a_removed_member_names_it),
        cmocka_unit_test(a_member_can_be_readded_in_one_commit),
        cmocka_unit_test(commits_against_the_rules_are_refused),
        cmocka_unit_test(an_init_key_may_not_appear_twice),
        cmocka_unit_test(welcomes_for_others_are_refused),
        cmocka_unit_test(lifetimes_count_where_they_are_asked_for),
        cmocka_unit_test(messages_for_another_group_are_refused),
        cmocka_unit_test(a_staged_commit_tells_what_it_does),
        cmocka_unit_test(exports_agree_and_differ_by_label),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
