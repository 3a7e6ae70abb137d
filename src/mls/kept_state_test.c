/* kept_state_test.c - what outlives a process and what does not: past epochs by their age, records of
 * earlier configurations, staged objects, pending commits and their echoes; and GREASE everywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mls/grease.h"
#include "mls/group_dump.h"

typedef struct pair {
    world_env world;
    member alice, bob;
} pair;

static void pair_open(pair *p, uint64_t age_max_s)
{
    world_env_init(&p->world, 41);
    member_init(&p->alice, &p->world, "alice");
    member_init(&p->bob, &p->world, "bob");
    p->bob.config.past_epoch_age_max_s = age_max_s;
    p->bob.config.keep_proposals = p->alice.config.keep_proposals = true;
    member_create(&p->alice);
    free(member_invite(&p->alice, &p->bob).p);
}

static void pair_close(pair *p)
{
    member_free(&p->alice);
    member_free(&p->bob);
}

static void next_epoch(pair *p)
{
    xmtp_mls_pending *pending = member_commit(&p->alice, NULL);
    assert_ok(&p->bob, member_take(&p->bob, xmtp_mls_pending_message(pending)));
    member_confirm(&p->alice, pending);
}

static void pass_s(pair *p, uint64_t seconds)
{
    p->world.now_ns += seconds * 1000000000u;
}

static bool store_has(const member *m, char type, uint64_t epoch)
{
    const xmtp_record_key key = xmtp_record_key_epoch(type, epoch);
    return world_store_find(&m->store, xmtp_record_key_bytes(&key)) < m->store.count;
}

static size_t records_of_epoch(const member *m, uint64_t epoch)
{
    size_t n = 0;
    for (size_t i = 0; i < m->store.count; i++) {
        const world_record *r = &m->store.records[i];
        const xmtp_record_key key = xmtp_record_key_epoch('?', epoch);
        n += r->key_len >= 9 && memcmp(r->key + 1, key.p + 1, 8) == 0;
    }
    return n;
}

static void expire(member *m)
{
    xmtp_mls_writes_clear(m->writes);
    assert_ok(m, xmtp_mls_group_expire(m->group, m->writes, &m->error));
    member_store(m);
}

/* ---- age ---- */

static void past_epochs_go_when_they_are_old(void **state)
{
    (void)state;
    pair p;
    pair_open(&p, 60);
    blob late = member_send(&p.alice, "late");
    next_epoch(&p); /* ends epoch 1 */
    pass_s(&p, 60);
    expire(&p.bob); /* exactly at its age: stays */
    assert_true(store_has(&p.bob, XMTP_RECORD_SECRET_TREE, 1));
    pass_s(&p, 1);
    xmtp_mls_staged *staged;
    assert_int_equal(xmtp_mls_group_process(p.bob.group, blob_bytes(late), &staged, &p.bob.error),
                     XMTP_E_EPOCH_OLD); /* before its keys are deleted */
    expire(&p.bob);
    assert_int_equal(records_of_epoch(&p.bob, 1), 0);
    assert_true(records_of_epoch(&p.bob, 2) > 0);
    assert_int_equal(p.bob.group->epoch_count, 1);
    member_check_store(&p.bob);
    free(late.p);
    pair_close(&p);
}

static void merging_deletes_old_epochs_too(void **state)
{
    (void)state;
    pair p;
    pair_open(&p, 60);
    next_epoch(&p);
    pass_s(&p, 30);
    next_epoch(&p); /* epoch 2 ends thirty seconds after epoch 1 */
    pass_s(&p, 40);
    blob b = member_send(&p.alice, "x");
    member_expect(&p.bob, b, "x");
    assert_int_equal(records_of_epoch(&p.bob, 1), 0);
    assert_true(store_has(&p.bob, XMTP_RECORD_SECRET_TREE, 2));
    free(b.p);
    pair_close(&p);
}

static void a_clock_that_goes_back_deletes_nothing(void **state)
{
    (void)state;
    pair p;
    pair_open(&p, 60);
    next_epoch(&p);
    p.world.now_ns = 0;
    expire(&p.bob);
    assert_true(store_has(&p.bob, XMTP_RECORD_SECRET_TREE, 1));
    pair_close(&p);
}

static void a_smaller_configuration_deletes_what_a_larger_one_left(void **state)
{
    (void)state;
    pair p;
    pair_open(&p, 0);
    p.bob.config.resumption_psks_max = 3;
    assert_ok(&p.bob, member_load(&p.bob));
    for (int i = 0; i < 3; i++) {
        next_epoch(&p);
    }
    assert_true(records_of_epoch(&p.bob, 1) >= 4); /* context, tree, leaves, resumption */
    p.bob.config.past_epochs_max = 1;
    p.bob.config.resumption_psks_max = 1;
    assert_ok(&p.bob, member_load(&p.bob));
    expire(&p.bob);
    assert_int_equal(records_of_epoch(&p.bob, 1), 0);
    assert_int_equal(records_of_epoch(&p.bob, 2), 0);
    assert_true(store_has(&p.bob, XMTP_RECORD_RESUMPTION, 3));
    next_epoch(&p);
    members_agree(&p.alice, &p.bob);
    member_check_store(&p.bob);
    pair_close(&p);
}

static void epochs_of_the_first_version_have_no_known_age(void **state)
{
    (void)state;
    pair p;
    pair_open(&p, 60);
    next_epoch(&p);
    for (size_t i = 0; i < p.bob.store.count; i++) {
        if (p.bob.store.records[i].key[0] == XMTP_RECORD_EPOCH) {
            p.bob.store.records[i].value_len -= 8;
        }
    }
    assert_ok(&p.bob, member_load(&p.bob));
    expire(&p.bob); /* not known: too old */
    assert_int_equal(p.bob.group->epoch_count, 1);
    next_epoch(&p);
    assert_int_equal(p.bob.group->epoch_count, 2);
    pair_close(&p);
}

/* ---- staged objects and pending commits over a restart ---- */

static blob stage_and_store(member *m, xmtp_bytes message)
{
    xmtp_mls_staged *staged;
    assert_ok(m, xmtp_mls_group_process(m->group, message, &staged, &m->error));
    blob b;
    assert_int_equal(xmtp_mls_staged_encode(staged, message, &b.p, &b.n), XMTP_OK);
    xmtp_mls_staged_free(staged);
    return b;
}

static void take_stored(member *m, blob stored)
{
    xmtp_mls_staged *staged;
    assert_ok(m, member_load(m)); /* the restart */
    assert_ok(m, xmtp_mls_staged_decode(&staged, m->group, blob_bytes(stored), &m->error));
    assert_ok(m, member_merge(m, staged));
    member_check_store(m);
}

static xmtp_status refuse(void *context, const xmtp_mls_member *leaf, const xmtp_mls_member *before)
{
    (void)context;
    (void)leaf;
    (void)before;
    return XMTP_E_CREDENTIAL;
}

static void staged_commits_survive_a_restart_and_are_not_judged_twice(void **state)
{
    (void)state;
    pair p;
    pair_open(&p, 0);
    xmtp_mls_pending *pending = member_commit(&p.alice, NULL);
    blob stored = stage_and_store(&p.bob, xmtp_mls_pending_message(pending));
    member_confirm(&p.alice, pending);
    p.bob.config.authenticate = refuse;
    take_stored(&p.bob, stored);
    members_agree(&p.alice, &p.bob);
    assert_true(p.bob.group->config.authenticate == refuse);
    xmtp_mls_staged *staged;
    assert_int_equal(xmtp_mls_staged_decode(&staged, p.bob.group, blob_bytes(stored), &p.bob.error),
                     XMTP_E_STATE); /* had a commit since: this one */
    free(stored.p);
    pair_close(&p);
}

static void staged_messages_and_proposals_survive_a_restart(void **state)
{
    (void)state;
    pair p;
    blob b;
    xmtp_mls_ref ref;
    pair_open(&p, 0);
    blob hello = member_send(&p.alice, "hello");
    blob stored = stage_and_store(&p.bob, blob_bytes(hello));
    take_stored(&p.bob, stored);
    xmtp_mls_staged *staged;
    assert_int_equal(xmtp_mls_staged_decode(&staged, p.bob.group, blob_bytes(stored), &p.bob.error),
                     XMTP_E_KEY_CONSUMED);
    free(stored.p);
    free(hello.p);
    xmtp_mls_writes_clear(p.alice.writes);
    const xmtp_mls_proposal update = {.type = XMTP_MLS_PROPOSAL_UPDATE};
    assert_ok(&p.alice, xmtp_mls_group_propose(p.alice.group, &update, (xmtp_bytes){0}, &b.p, &b.n,
                                               &ref, p.alice.writes, &p.alice.error));
    member_store(&p.alice);
    stored = stage_and_store(&p.bob, blob_bytes(b));
    take_stored(&p.bob, stored);
    xmtp_mls_pending *pending =
        member_commit(&p.bob, &(xmtp_mls_commit_options){.references = &ref, .reference_count = 1});
    assert_ok(&p.alice, member_take(&p.alice, xmtp_mls_pending_message(pending)));
    member_confirm(&p.bob, pending);
    members_agree(&p.alice, &p.bob);
    free(stored.p);
    free(b.p);
    pair_close(&p);
}

static void own_echoes_are_recognised_after_a_restart(void **state)
{
    (void)state;
    pair p;
    blob stored;
    xmtp_mls_staged *staged;
    pair_open(&p, 0);
    xmtp_mls_pending *pending = member_commit(&p.alice, NULL);
    blob echo = blob_copy(xmtp_mls_pending_message(pending));
    assert_int_equal(xmtp_mls_pending_encode(pending, &stored.p, &stored.n), XMTP_OK);
    xmtp_mls_pending_free(pending);
    assert_ok(&p.alice, member_load(&p.alice)); /* the restart */
    assert_int_equal(
        xmtp_mls_group_process(p.alice.group, blob_bytes(echo), &staged, &p.alice.error),
        XMTP_E_OWN_MESSAGE);
    assert_ok(&p.alice,
              xmtp_mls_pending_decode(&pending, p.alice.group, blob_bytes(stored), &p.alice.error));
    assert_true(xmtp_mls_pending_is(pending, blob_bytes(echo)));
    echo.p[echo.n - 1] ^= 1;
    assert_false(xmtp_mls_pending_is(pending, blob_bytes(echo)));
    echo.p[echo.n - 1] ^= 1;
    assert_ok(&p.alice,
              xmtp_mls_group_stage_pending(p.alice.group, pending, &staged, &p.alice.error));
    blob none;
    assert_int_equal(xmtp_mls_staged_encode(staged, blob_bytes(echo), &none.p, &none.n),
                     XMTP_E_STATE);
    assert_ok(&p.alice, member_merge(&p.alice, staged));
    assert_ok(&p.bob, member_take(&p.bob, blob_bytes(echo)));
    members_agree(&p.alice, &p.bob);
    xmtp_mls_pending_free(pending);
    free(stored.p);
    free(echo.p);
    pair_close(&p);
}

static void damaged_staged_objects_are_corrupt(void **state)
{
    (void)state;
    pair p;
    pair_open(&p, 0);
    blob hello = member_send(&p.alice, "hello");
    blob stored = stage_and_store(&p.bob, blob_bytes(hello));
    for (size_t n = 0; n < stored.n; n++) {
        xmtp_mls_staged *staged;
        assert_int_equal(
            xmtp_mls_staged_decode(&staged, p.bob.group, xmtp_bytes_of(stored.p, n), &p.bob.error),
            XMTP_E_CORRUPT);
        assert_null(staged);
    }
    free(stored.p);
    free(hello.p);
    pair_close(&p);
}

static void another_message_is_not_the_one_that_was_judged(void **state)
{
    (void)state;
    pair p;
    blob stored;
    xmtp_mls_staged *staged;
    pair_open(&p, 0);
    blob one = member_send(&p.alice, "one"), two = member_send(&p.alice, "two");
    assert_ok(&p.bob, xmtp_mls_group_process(p.bob.group, blob_bytes(one), &staged, &p.bob.error));
    assert_int_equal(xmtp_mls_staged_encode(staged, blob_bytes(two), &stored.p, &stored.n),
                     XMTP_OK);
    xmtp_mls_staged_free(staged);
    assert_int_equal(xmtp_mls_staged_decode(&staged, p.bob.group, blob_bytes(stored), &p.bob.error),
                     XMTP_E_CORRUPT);
    assert_null(staged);
    free(stored.p);
    free(one.p);
    free(two.p);
    pair_close(&p);
}

/* ---- GREASE ---- */

static size_t grease_in(xmtp_u16_list list)
{
    size_t n = 0;
    for (size_t i = 0; i < xmtp_u16_list_count(list); i++) {
        n += xmtp_is_grease(xmtp_u16_list_at(list, i));
    }
    return n;
}

static size_t grease_extensions_in(const xmtp_extensions *list)
{
    size_t n = 0;
    xmtp_extension e;
    for (xmtp_reader r = xmtp_reader_of(list->raw); xmtp_extensions_next(&r, &e);) {
        n += xmtp_is_grease(e.type);
    }
    return n;
}

static void leaf_is_greased(const xmtp_leaf_node *leaf)
{
    assert_int_equal(grease_in(leaf->capabilities.versions), 0);
    assert_int_equal(grease_in(leaf->capabilities.cipher_suites), 1);
    assert_int_equal(grease_in(leaf->capabilities.extensions), 1);
    assert_int_equal(grease_in(leaf->capabilities.proposals), 1);
    assert_int_equal(grease_in(leaf->capabilities.credentials), 1);
    assert_int_equal(grease_extensions_in(&leaf->extensions), 1);
}

static xmtp_mls_capabilities greased_capabilities(void)
{
    xmtp_mls_capabilities c = world_capabilities();
    c.grease = true;
    return c;
}

static blob greased_package(member *m, xmtp_mls_key_package_private *keys)
{
    blob b;
    xmtp_mls_key_package_info info;
    xmtp_key_package package;
    const xmtp_mls_key_package_options options = {.suite = 3,
                                                  .signer = member_signer(m),
                                                  .capabilities = greased_capabilities(),
                                                  .not_before = 1,
                                                  .not_after = UINT64_MAX / 2};
    assert_ok(m,
              xmtp_mls_key_package_create(&m->world->env, &options, &b.p, &b.n, keys, &m->error));
    assert_ok(m, xmtp_mls_key_package_verify(&m->world->env, blob_bytes(b), 2, &info, &m->error));
    assert_int_equal(xmtp_key_package_of(blob_bytes(b), &package), XMTP_OK);
    leaf_is_greased(&package.leaf_node);
    assert_int_equal(grease_extensions_in(&package.extensions), 1);
    return b;
}

static void greased_create(member *m)
{
    const xmtp_mls_create_options options = {.suite = 3,
                                             .group_id = xmtp_bytes_of("greased", 7),
                                             .signer = member_signer(m),
                                             .capabilities = greased_capabilities()};
    xmtp_mls_writes_clear(m->writes);
    assert_ok(m, xmtp_mls_group_create(&m->group, &m->config, &options, m->writes, &m->error));
    member_store(m);
}

static void greased_invite(member *m, member *other, member *third)
{
    xmtp_mls_key_package_private keys;
    blob package = greased_package(other, &keys);
    const xmtp_bytes add = blob_bytes(package);
    xmtp_mls_pending *pending =
        member_commit(m, &(xmtp_mls_commit_options){.add = &add, .add_count = 1});
    assert_ok(other, member_join(other, xmtp_mls_pending_welcome(pending), package, &keys));
    if (third != NULL) {
        assert_ok(third, member_take(third, xmtp_mls_pending_message(pending)));
    }
    member_confirm(m, pending);
    free(package.p);
}

static void greased_enter(member *m, member *by, member *third)
{
    blob commit, info;
    assert_ok(by, xmtp_mls_group_info(by->group, true, &info.p, &info.n, &by->error));
    const xmtp_mls_external_options options = {.group_info = blob_bytes(info),
                                               .signer = member_signer(m),
                                               .capabilities = greased_capabilities(),
                                               .remove = XMTP_MLS_NO_LEAF};
    xmtp_mls_writes_clear(m->writes);
    assert_ok(m, xmtp_mls_group_join_external(&m->group, &m->config, &options, &commit.p, &commit.n,
                                              m->writes, &m->error));
    member_store(m);
    assert_ok(by, member_take(by, blob_bytes(commit)));
    assert_ok(third, member_take(third, blob_bytes(commit)));
    free(info.p);
    free(commit.p);
}

static void a_group_greases_and_goes_on(bool openmls)
{
    world_env world;
    member m[4];
    static const char *const names[] = {"alice", "bob", "carol", "dave"};
    world_env_init(&world, 43 + openmls);
    for (size_t i = 0; i < 4; i++) {
        member_init(&m[i], &world, names[i]);
        m[i].config.grease = true;
        m[i].config.openmls_verdicts = openmls;
    }
    greased_create(&m[0]);
    greased_invite(&m[0], &m[1], NULL);
    greased_invite(&m[0], &m[2], &m[1]);
    greased_enter(&m[3], &m[0], &m[1]);
    xmtp_leaf_node leaf;
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(xmtp_tree_leaf(&m[0].group->tree, i, &leaf), XMTP_OK);
        leaf_is_greased(&leaf);
    }
    xmtp_mls_pending *pending = member_commit(&m[1], NULL); /* a new leaf keeps it */
    assert_ok(&m[0], member_take(&m[0], xmtp_mls_pending_message(pending)));
    assert_ok(&m[3], member_take(&m[3], xmtp_mls_pending_message(pending)));
    member_confirm(&m[1], pending);
    members_agree(&m[0], &m[1]);
    members_agree(&m[0], &m[3]);
    assert_int_equal(xmtp_tree_leaf(&m[0].group->tree, 1, &leaf), XMTP_OK);
    leaf_is_greased(&leaf);
    blob b = member_send(&m[3], "hello");
    member_expect(&m[0], b, "hello");
    free(b.p);
    for (size_t i = 0; i < 4; i++) {
        member_free(&m[i]);
    }
}

static void a_group_of_members_that_grease_goes_on(void **state)
{
    (void)state;
    a_group_greases_and_goes_on(false);
    a_group_greases_and_goes_on(true);
}

static void only_the_fifteen_values_are_grease(void **state)
{
    (void)state;
    size_t n = 0;
    for (uint32_t v = 0; v <= UINT16_MAX; v++) {
        n += xmtp_is_grease((uint16_t)v);
    }
    assert_int_equal(n, 15);
    assert_true(xmtp_is_grease(0x0a0a) && xmtp_is_grease(0xeaea));
    assert_false(xmtp_is_grease(0xfafa) || xmtp_is_grease(0x0a1a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(past_epochs_go_when_they_are_old),
        cmocka_unit_test(merging_deletes_old_epochs_too),
        cmocka_unit_test(a_clock_that_goes_back_deletes_nothing),
        cmocka_unit_test(a_smaller_configuration_deletes_what_a_larger_one_left),
        cmocka_unit_test(epochs_of_the_first_version_have_no_known_age),
        cmocka_unit_test(staged_commits_survive_a_restart_and_are_not_judged_twice),
        cmocka_unit_test(staged_messages_and_proposals_survive_a_restart),
        cmocka_unit_test(own_echoes_are_recognised_after_a_restart),
        cmocka_unit_test(another_message_is_not_the_one_that_was_judged),
        cmocka_unit_test(damaged_staged_objects_are_corrupt),
        cmocka_unit_test(a_group_of_members_that_grease_goes_on),
        cmocka_unit_test(only_the_fifteen_values_are_grease),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
