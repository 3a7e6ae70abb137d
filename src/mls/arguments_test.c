/* arguments_test.c - what a caller may not ask for, and what the answers to odd questions are: each
 * call says why not and changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mls/group_dump.h"
#include "mls/message.h"

typedef struct pair {
    world_env world;
    member alice, bob;
} pair;

static void pair_open(pair *p)
{
    world_env_init(&p->world, 13);
    member_init(&p->alice, &p->world, "alice");
    member_init(&p->bob, &p->world, "bob");
    p->alice.config.keep_proposals = p->bob.config.keep_proposals = true;
    member_create(&p->alice);
    free(member_invite(&p->alice, &p->bob).p);
}

static void pair_close(pair *p)
{
    member_free(&p->alice);
    member_free(&p->bob);
}

/* ---- keys and suites ---- */

static void key_packages_need_a_known_suite_and_whole_keys(void **state)
{
    (void)state;
    world_env world;
    member m;
    blob b;
    xmtp_mls_key_package_private keys;
    world_env_init(&world, 1);
    member_init(&m, &world, "m");
    xmtp_mls_key_package_options o = {.suite = 3,
                                      .signer = member_signer(&m),
                                      .capabilities = world_capabilities(),
                                      .not_before = 1,
                                      .not_after = 2};
    o.suite = 0x9999;
    assert_int_equal(xmtp_mls_key_package_create(&world.env, &o, &b.p, &b.n, &keys, &m.error),
                     XMTP_E_SUITE);
    o.suite = 3;
    o.signer.signature_sk.n = 31;
    assert_int_equal(xmtp_mls_key_package_create(&world.env, &o, &b.p, &b.n, &keys, &m.error),
                     XMTP_E_KEY);
    o.signer = member_signer(&m);
    o.signer.signature_pk.n = 31;
    assert_int_equal(xmtp_mls_key_package_create(&world.env, &o, &b.p, &b.n, &keys, &m.error),
                     XMTP_E_KEY);
    o.signer = member_signer(&m);
    static const uint16_t many[XMTP_MLS_CAPABILITIES_MAX + 1];
    o.capabilities.extensions = (xmtp_mls_u16_list){many, XMTP_MLS_CAPABILITIES_MAX + 1};
    assert_int_equal(xmtp_mls_key_package_create(&world.env, &o, &b.p, &b.n, &keys, &m.error),
                     XMTP_E_LIMIT);
    assert_null(b.p);
    member_free(&m);
}

static void key_packages_of_unknown_suites_are_not_verified(void **state)
{
    (void)state;
    world_env world;
    member m;
    xmtp_mls_key_package_private keys;
    xmtp_mls_key_package_info info;
    world_env_init(&world, 1);
    member_init(&m, &world, "m");
    blob b = member_key_package(&m, &keys);
    b.p[2] = 0x99;
    assert_int_equal(xmtp_mls_key_package_verify(&world.env, blob_bytes(b), 0, &info, &m.error),
                     XMTP_E_SUITE);
    free(b.p);
    member_free(&m);
}

static void groups_need_a_known_suite_and_whole_keys(void **state)
{
    (void)state;
    world_env world;
    member m;
    world_env_init(&world, 1);
    member_init(&m, &world, "m");
    xmtp_mls_create_options o = {.suite = 0x9999,
                                 .group_id = xmtp_bytes_of("g", 1),
                                 .signer = member_signer(&m),
                                 .capabilities = world_capabilities()};
    assert_int_equal(xmtp_mls_group_create(&m.group, &m.config, &o, m.writes, &m.error),
                     XMTP_E_SUITE);
    o.suite = 3;
    o.signer.signature_sk.n = 31;
    assert_int_equal(xmtp_mls_group_create(&m.group, &m.config, &o, m.writes, &m.error),
                     XMTP_E_KEY);
    o.signer = member_signer(&m);
    o.signer.signature_pk.n = 33;
    assert_int_equal(xmtp_mls_group_create(&m.group, &m.config, &o, m.writes, &m.error),
                     XMTP_E_KEY);
    assert_int_equal(xmtp_mls_writes_count(m.writes), 0);
    member_free(&m);
}

static void expect_config(member *m, xmtp_mls_config config, xmtp_status status)
{
    const xmtp_mls_create_options o = {.suite = 3,
                                       .group_id = xmtp_bytes_of("g", 1),
                                       .signer = member_signer(m),
                                       .capabilities = world_capabilities()};
    xmtp_mls_group *group = NULL;
    config.env = &m->world->env;
    assert_int_equal(xmtp_mls_group_create(&group, &config, &o, m->writes, &m->error), status);
    xmtp_mls_group_free(group);
    xmtp_mls_writes_clear(m->writes);
}

static void configurations_stay_within_the_limits(void **state)
{
    (void)state;
    world_env world;
    member m;
    world_env_init(&world, 1);
    member_init(&m, &world, "m");
    expect_config(&m, (xmtp_mls_config){.out_of_order_tolerance = 7, .forward_distance_max = 9},
                  XMTP_OK);
    expect_config(&m, (xmtp_mls_config){.out_of_order_tolerance = XMTP_MLS_TOLERANCE_MAX + 1},
                  XMTP_E_ARGUMENT);
    expect_config(&m, (xmtp_mls_config){.forward_distance_max = XMTP_MLS_FORWARD_MAX + 1},
                  XMTP_E_ARGUMENT);
    expect_config(&m, (xmtp_mls_config){.past_epochs_max = XMTP_MLS_PAST_EPOCHS_MAX + 1},
                  XMTP_E_ARGUMENT);
    expect_config(&m, (xmtp_mls_config){.resumption_psks_max = XMTP_MLS_RESUMPTION_MAX + 1},
                  XMTP_E_ARGUMENT);
    member_free(&m);
}

/* ---- joining ---- */

typedef struct arrival {
    pair p;
    member carol;
    blob package, welcome;
    xmtp_mls_key_package_private keys;
} arrival;

static void arrival_open(arrival *a)
{
    pair_open(&a->p);
    member_init(&a->carol, &a->p.world, "carol");
    a->package = member_key_package(&a->carol, &a->keys);
    const xmtp_bytes add = blob_bytes(a->package);
    xmtp_mls_pending *pending =
        member_commit(&a->p.alice, &(xmtp_mls_commit_options){.add = &add, .add_count = 1});
    a->welcome = blob_copy(xmtp_mls_pending_welcome(pending));
    xmtp_mls_pending_free(pending);
}

static void arrival_close(arrival *a)
{
    free(a->package.p);
    free(a->welcome.p);
    member_free(&a->carol);
    pair_close(&a->p);
}

static xmtp_status arrive(arrival *a, const xmtp_mls_join_options *o)
{
    xmtp_mls_group *group;
    xmtp_status status =
        xmtp_mls_group_join(&group, &a->carol.config, o, NULL, a->carol.writes, &a->carol.error);
    assert_true((group != NULL) == (status == XMTP_OK));
    xmtp_mls_group_free(group);
    return status;
}

static void joining_needs_the_own_keys(void **state)
{
    (void)state;
    arrival a;
    arrival_open(&a);
    xmtp_mls_key_package_private keys = a.keys;
    const xmtp_mls_join_options good = {.welcome = blob_bytes(a.welcome),
                                        .key_package = blob_bytes(a.package),
                                        .private_keys = &keys,
                                        .signer = member_signer(&a.carol)};
    xmtp_mls_join_options o = good;
    keys.init_sk_len = 31;
    assert_int_equal(arrive(&a, &o), XMTP_E_KEY);
    keys = a.keys;
    keys.leaf_sk_len = 33;
    assert_int_equal(arrive(&a, &o), XMTP_E_KEY);
    keys = a.keys;
    keys.ref_len = 65;
    assert_int_equal(arrive(&a, &o), XMTP_E_KEY);
    keys = a.keys;
    o.signer.signature_sk.n = 31;
    assert_int_equal(arrive(&a, &o), XMTP_E_KEY);
    o = good;
    o.signer.signature_pk = xmtp_bytes_of(a.p.bob.pk, 32);
    assert_int_equal(arrive(&a, &o), XMTP_E_KEY);
    o = good;
    o.key_package.n--;
    assert_int_not_equal(arrive(&a, &o), XMTP_OK);
    assert_int_equal(arrive(&a, &good), XMTP_OK);
    arrival_close(&a);
}

/* Without the check that was made with the keys, opening tells. */
static void joining_with_other_keys_is_refused(void **state)
{
    (void)state;
    arrival a;
    arrival_open(&a);
    xmtp_mls_key_package_private keys = a.keys;
    const xmtp_mls_join_options o = {.welcome = blob_bytes(a.welcome),
                                     .key_package = blob_bytes(a.package),
                                     .private_keys = &keys,
                                     .signer = member_signer(&a.carol)};
    memset(keys.check, 0, sizeof keys.check);
    keys.init_sk[3] ^= 1;
    assert_int_equal(arrive(&a, &o), XMTP_E_KEY);
    keys.init_sk[3] ^= 1;
    keys.leaf_sk[3] ^= 1;
    assert_int_equal(arrive(&a, &o), XMTP_E_KEY);
    keys.leaf_sk[3] ^= 1;
    assert_int_equal(arrive(&a, &o), XMTP_OK);
    a.welcome.p[a.welcome.n - 1] ^= 1; /* right keys, broken welcome */
    assert_int_equal(arrive(&a, &o), XMTP_E_AUTH);
    arrival_close(&a);
}

static void a_welcome_of_another_suite_is_refused(void **state)
{
    (void)state;
    arrival a;
    arrival_open(&a);
    const xmtp_mls_join_options o = {.welcome = blob_bytes(a.welcome),
                                     .key_package = blob_bytes(a.package),
                                     .private_keys = &a.keys,
                                     .signer = member_signer(&a.carol)};
    a.welcome.p[5] = 1; /* a suite that is known, but not ours */
    assert_int_equal(arrive(&a, &o), XMTP_E_SUITE);
    a.welcome.p[4] = 0x99;
    assert_int_equal(arrive(&a, &o), XMTP_E_SUITE);
    a.welcome.p[3] = XMTP_WIRE_GROUP_INFO;
    assert_int_not_equal(arrive(&a, &o), XMTP_OK);
    arrival_close(&a);
}

static xmtp_status enter(arrival *a, const xmtp_mls_external_options *o)
{
    xmtp_mls_group *group;
    blob commit;
    xmtp_status status = xmtp_mls_group_join_external(&group, &a->carol.config, o, &commit.p,
                                                      &commit.n, a->carol.writes, &a->carol.error);
    assert_true((group != NULL) == (status == XMTP_OK));
    free(commit.p);
    xmtp_mls_group_free(group);
    xmtp_mls_writes_clear(a->carol.writes);
    return status;
}

static void external_commits_need_sane_options(void **state)
{
    (void)state;
    arrival a;
    blob info;
    static const xmtp_mls_psk psks[XMTP_MLS_PSKS_MAX + 1];
    arrival_open(&a);
    assert_ok(&a.p.alice,
              xmtp_mls_group_info(a.p.alice.group, true, &info.p, &info.n, &a.p.alice.error));
    const xmtp_mls_external_options good = {.group_info = blob_bytes(info),
                                            .signer = member_signer(&a.carol),
                                            .capabilities = world_capabilities(),
                                            .remove = XMTP_MLS_NO_LEAF};
    xmtp_mls_external_options o = good;
    o.group_info = blob_bytes(a.welcome);
    assert_int_equal(enter(&a, &o), XMTP_E_WIRE_FORMAT);
    o = good;
    o.signer.signature_sk.n = 31;
    assert_int_equal(enter(&a, &o), XMTP_E_KEY);
    o = good;
    o.signer.signature_pk.n = 31;
    assert_int_equal(enter(&a, &o), XMTP_E_KEY);
    o = good;
    o.remove = -2;
    assert_int_equal(enter(&a, &o), XMTP_E_ARGUMENT);
    o.remove = XMTP_MLS_LEAVES_MAX;
    assert_int_equal(enter(&a, &o), XMTP_E_ARGUMENT);
    o = good;
    o.psks = psks;
    o.psk_count = XMTP_MLS_PSKS_MAX + 1;
    assert_int_equal(enter(&a, &o), XMTP_E_LIMIT);
    assert_int_equal(enter(&a, &good), XMTP_OK);
    free(info.p);
    arrival_close(&a);
}

/* Self-removals that an external commit brings along must be those of members of this group. */
static void only_self_removals_are_brought_along(void **state)
{
    (void)state;
    arrival a;
    blob info, update;
    xmtp_mls_ref ref;
    arrival_open(&a);
    member *bob = &a.p.bob;
    bob->config.public_handshakes = a.p.alice.config.public_handshakes = true;
    assert_ok(bob, member_load(bob));
    assert_ok(&a.p.alice, member_load(&a.p.alice));
    assert_ok(&a.p.alice,
              xmtp_mls_group_info(a.p.alice.group, true, &info.p, &info.n, &a.p.alice.error));
    xmtp_mls_writes_clear(bob->writes);
    assert_ok(bob, xmtp_mls_group_propose(
                       bob->group, &(xmtp_mls_proposal){.type = XMTP_MLS_PROPOSAL_UPDATE},
                       (xmtp_bytes){0}, &update.p, &update.n, &ref, bob->writes, &bob->error));
    xmtp_mls_pending *pending = member_commit(&a.p.alice, NULL);
    const xmtp_bytes wrong[] = {blob_bytes(update), xmtp_mls_pending_message(pending),
                                blob_bytes(a.welcome), xmtp_bytes_of("x", 1)};
    xmtp_mls_external_options o = {.group_info = blob_bytes(info),
                                   .signer = member_signer(&a.carol),
                                   .capabilities = world_capabilities(),
                                   .remove = XMTP_MLS_NO_LEAF,
                                   .self_remove_count = 1};
    for (size_t i = 0; i < 4; i++) {
        o.self_removes = &wrong[i];
        assert_int_not_equal(enter(&a, &o), XMTP_OK);
    }
    xmtp_mls_pending_free(pending);
    free(update.p);
    free(info.p);
    arrival_close(&a);
}

/* ---- proposals and commits ---- */

static void proposals_from_outside_need_whole_keys(void **state)
{
    (void)state;
    world_env world;
    member m;
    blob b;
    world_env_init(&world, 1);
    member_init(&m, &world, "m");
    xmtp_mls_outside_proposal_options o = {
        .suite = 0x9999,
        .group_id = xmtp_bytes_of("g", 1),
        .signer = member_signer(&m),
        .proposal = {.type = XMTP_MLS_PROPOSAL_REMOVE, .leaf = 1}};
    assert_int_equal(xmtp_mls_propose_from_outside(&world.env, &o, &b.p, &b.n, &m.error),
                     XMTP_E_SUITE);
    o.suite = 3;
    o.signer.signature_sk.n = 1;
    assert_int_equal(xmtp_mls_propose_from_outside(&world.env, &o, &b.p, &b.n, &m.error),
                     XMTP_E_KEY);
    o.signer = member_signer(&m);
    o.signer.signature_pk.n = 1;
    assert_int_equal(xmtp_mls_propose_from_outside(&world.env, &o, &b.p, &b.n, &m.error),
                     XMTP_E_KEY);
    member_free(&m);
}

static void commits_of_too_many_proposals_are_refused(void **state)
{
    (void)state;
    pair p;
    xmtp_mls_pending *pending;
    pair_open(&p);
    const xmtp_mls_commit_options all[] = {
        {.add_count = SIZE_MAX, .remove_count = 1},
        {.remove_count = SIZE_MAX, .proposal_count = 1},
        {.remove_count = SIZE_MAX, .reference_count = 1},
        {.remove_count = XMTP_MLS_PROPOSALS_MAX},
    };
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(xmtp_mls_group_commit(p.alice.group, &all[i], &pending, &p.alice.error),
                         XMTP_E_LIMIT);
        assert_null(pending);
    }
    pair_close(&p);
}

static void only_new_groups_of_the_same_suite_continue_another(void **state)
{
    (void)state;
    pair p;
    member next;
    xmtp_mls_pending *pending;
    pair_open(&p);
    const xmtp_mls_commit_options o = {.parent = p.bob.group};
    assert_int_equal(xmtp_mls_group_commit(p.alice.group, &o, &pending, &p.alice.error),
                     XMTP_E_STATE); /* is at epoch 1 */
    static const uint16_t suites[] = {1};
    member_init(&next, &p.world, "next");
    xmtp_mls_create_options create = {.suite = 1,
                                      .group_id = xmtp_bytes_of("next", 4),
                                      .signer = member_signer(&next),
                                      .capabilities = world_capabilities()};
    create.capabilities.suites = (xmtp_mls_u16_list){suites, 1};
    assert_ok(&next,
              xmtp_mls_group_create(&next.group, &next.config, &create, next.writes, &next.error));
    assert_int_equal(xmtp_mls_group_commit(next.group, &o, &pending, &next.error), XMTP_E_SUITE);
    const uint32_t leaf = 1;
    pending =
        member_commit(&p.alice, &(xmtp_mls_commit_options){.remove = &leaf, .remove_count = 1});
    assert_ok(&p.bob, member_take(&p.bob, xmtp_mls_pending_message(pending)));
    xmtp_mls_pending_free(pending);
    const xmtp_mls_commit_options removed = {.parent = p.bob.group};
    assert_int_equal(xmtp_mls_group_commit(next.group, &removed, &pending, &next.error),
                     XMTP_E_STATE); /* bob was removed from the parent */
    member_free(&next);
    pair_close(&p);
}

static xmtp_status long_psk(void *context, const xmtp_mls_psk *psk, uint8_t *out, size_t *out_len)
{
    (void)context;
    (void)psk;
    memset(out, 1, 32);
    *out_len = XMTP_MLS_PSK_MAX + 1;
    return XMTP_OK;
}

static xmtp_status commit_psk(pair *p, xmtp_mls_psk psk)
{
    xmtp_mls_pending *pending;
    const xmtp_mls_proposal proposal = {.type = XMTP_MLS_PROPOSAL_PSK, .psk = psk};
    xmtp_status status = xmtp_mls_group_commit(
        p->alice.group, &(xmtp_mls_commit_options){.proposals = &proposal, .proposal_count = 1},
        &pending, &p->alice.error);
    xmtp_mls_pending_free(pending);
    return status;
}

static void psks_that_nobody_knows_are_refused(void **state)
{
    (void)state;
    pair p;
    const xmtp_mls_psk psk = {.type = XMTP_MLS_PSK_EXTERNAL, .id = xmtp_bytes_of("x", 1)};
    pair_open(&p);
    assert_int_equal(commit_psk(&p, psk), XMTP_E_PSK); /* nobody to ask */
    p.alice.config.find_psk = long_psk;
    assert_ok(&p.alice, member_load(&p.alice));
    assert_int_not_equal(commit_psk(&p, psk), XMTP_OK); /* an answer that is too long */
    p.alice.config.refuse_psks = true;
    assert_ok(&p.alice, member_load(&p.alice));
    assert_int_equal(commit_psk(&p, psk), XMTP_E_PSK);
    pair_close(&p);
}

/* ---- a group that ended for us ---- */

static void a_removed_member_does_nothing_more(void **state)
{
    (void)state;
    pair p;
    const uint32_t leaf = 1;
    xmtp_mls_staged *staged;
    uint8_t *info;
    size_t n;
    pair_open(&p);
    xmtp_mls_pending *own = member_commit(&p.bob, NULL);
    xmtp_mls_pending *pending =
        member_commit(&p.alice, &(xmtp_mls_commit_options){.remove = &leaf, .remove_count = 1});
    assert_ok(&p.bob, member_take(&p.bob, xmtp_mls_pending_message(pending)));
    assert_int_equal(xmtp_mls_group_stage_pending(p.bob.group, own, &staged, &p.bob.error),
                     XMTP_E_REMOVED);
    assert_int_equal(xmtp_mls_group_info(p.bob.group, true, &info, &n, &p.bob.error),
                     XMTP_E_REMOVED);
    assert_int_equal(member_take(&p.bob, xmtp_mls_pending_message(pending)), XMTP_E_REMOVED);
    xmtp_mls_pending_free(own);
    xmtp_mls_pending_free(pending);
    pair_close(&p);
}

static void an_ended_group_takes_no_handshake(void **state)
{
    (void)state;
    pair p;
    const xmtp_mls_proposal reinit = {
        .type = XMTP_MLS_PROPOSAL_REINIT, .group_id = xmtp_bytes_of("next", 4), .suite = 3};
    pair_open(&p);
    xmtp_mls_pending *late = member_commit(&p.alice, NULL);
    blob text = member_send(&p.alice, "late");
    xmtp_mls_pending *pending = member_commit(
        &p.alice, &(xmtp_mls_commit_options){.proposals = &reinit, .proposal_count = 1});
    assert_ok(&p.bob, member_take(&p.bob, xmtp_mls_pending_message(pending)));
    assert_int_equal(member_take(&p.bob, xmtp_mls_pending_message(late)), XMTP_E_STATE);
    member_expect(&p.bob, text, "late"); /* of the epoch before */
    xmtp_mls_pending_free(late);
    xmtp_mls_pending_free(pending);
    free(text.p);
    pair_close(&p);
}

/* ---- what staged objects say ---- */

static void staged_messages_and_commits_tell_the_same_things(void **state)
{
    (void)state;
    pair p;
    xmtp_mls_staged *staged;
    xmtp_mls_member m;
    blob tree;
    pair_open(&p);
    blob text = member_send(&p.alice, "text");
    assert_ok(&p.bob, xmtp_mls_group_process(p.bob.group, blob_bytes(text), &staged, &p.bob.error));
    assert_int_equal(xmtp_mls_staged_epoch(staged), 1);
    assert_int_equal(xmtp_mls_staged_proposal_count(staged), 0);
    assert_false(xmtp_mls_staged_removes_us(staged));
    assert_false(xmtp_mls_staged_path_leaf(staged, &m));
    assert_int_equal(xmtp_mls_staged_leaf_count(staged), 2);
    assert_true(xmtp_mls_staged_member(staged, 1, &m));
    assert_true(xmtp_bytes_equal(xmtp_mls_staged_epoch_authenticator(staged),
                                 xmtp_mls_group_epoch_authenticator(p.bob.group)));
    assert_true(xmtp_mls_staged_extensions(staged).n > 0);
    assert_ok(&p.bob, xmtp_mls_staged_ratchet_tree(staged, &tree.p, &tree.n, &p.bob.error));
    free(tree.p);
    xmtp_mls_staged_free(staged);

    xmtp_mls_pending *pending = member_commit(&p.alice, NULL);
    assert_ok(&p.bob, xmtp_mls_group_process(p.bob.group, xmtp_mls_pending_message(pending),
                                             &staged, &p.bob.error));
    assert_int_equal(xmtp_mls_staged_epoch(staged), 2);
    assert_true(xmtp_mls_staged_path_leaf(staged, &m));
    assert_int_equal(m.leaf, 0);
    assert_false(xmtp_mls_staged_removes_us(staged));
    assert_int_equal(xmtp_mls_staged_leaf_count(staged), 2);
    assert_true(xmtp_mls_staged_extensions(staged).n > 0);
    assert_ok(&p.bob, xmtp_mls_staged_ratchet_tree(staged, &tree.p, &tree.n, &p.bob.error));
    free(tree.p);
    xmtp_mls_staged_free(staged);
    xmtp_mls_pending_free(pending);
    free(text.p);
    pair_close(&p);
}

static void a_commit_without_a_path_brings_no_leaf(void **state)
{
    (void)state;
    arrival a;
    xmtp_mls_staged *staged;
    xmtp_mls_member m;
    arrival_open(&a);
    const xmtp_bytes add = blob_bytes(a.package);
    xmtp_mls_pending *pending = member_commit(
        &a.p.alice, &(xmtp_mls_commit_options){.add = &add, .add_count = 1, .without_path = true});
    assert_ok(&a.p.bob, xmtp_mls_group_process(a.p.bob.group, xmtp_mls_pending_message(pending),
                                               &staged, &a.p.bob.error));
    assert_false(xmtp_mls_staged_path_leaf(staged, &m));
    assert_int_equal(xmtp_mls_staged_proposal_count(staged), 1);
    xmtp_mls_staged_free(staged);
    xmtp_mls_pending_free(pending);
    arrival_close(&a);
}

/* Without keep_proposals they are opened and dropped, and none is made. */
static void proposals_are_dropped_by_who_keeps_none(void **state)
{
    (void)state;
    pair p;
    blob b;
    xmtp_mls_ref ref;
    const xmtp_mls_proposal update = {.type = XMTP_MLS_PROPOSAL_UPDATE};
    pair_open(&p);
    p.bob.config.keep_proposals = false;
    assert_ok(&p.bob, member_load(&p.bob));
    xmtp_mls_writes_clear(p.alice.writes);
    assert_ok(&p.alice, xmtp_mls_group_propose(p.alice.group, &update, (xmtp_bytes){0}, &b.p, &b.n,
                                               &ref, p.alice.writes, &p.alice.error));
    member_store(&p.alice);
    assert_ok(&p.bob, member_take(&p.bob, blob_bytes(b)));
    assert_int_equal(xmtp_mls_group_kept_count(p.bob.group), 0);
    free(b.p);
    assert_int_equal(xmtp_mls_group_propose(p.bob.group, &update, (xmtp_bytes){0}, &b.p, &b.n, &ref,
                                            p.bob.writes, &p.bob.error),
                     XMTP_E_STATE);
    pair_close(&p);
}

static void what_was_staged_for_another_state_is_not_merged(void **state)
{
    (void)state;
    pair p;
    xmtp_mls_staged *staged;
    pair_open(&p);
    p.bob.reloads = false;
    blob one = member_send(&p.alice, "one");
    blob two = member_send(&p.alice, "two");
    assert_ok(&p.bob, xmtp_mls_group_process(p.bob.group, blob_bytes(one), &staged, &p.bob.error));
    member_expect(&p.bob, two, "two");
    assert_int_equal(member_merge(&p.bob, staged), XMTP_E_STATE);
    assert_ok(&p.bob, xmtp_mls_group_process(p.bob.group, blob_bytes(one), &staged, &p.bob.error));
    assert_int_equal(member_merge(&p.alice, staged), XMTP_E_STATE); /* another's */
    free(one.p);
    free(two.p);
    pair_close(&p);
}

static void messages_are_inspected_whatever_they_hold(void **state)
{
    (void)state;
    arrival a;
    xmtp_mls_message_info info;
    arrival_open(&a);
    assert_int_equal(xmtp_mls_message_inspect(blob_bytes(a.welcome), &info), XMTP_OK);
    assert_int_equal(info.wire_format, XMTP_MLS_WELCOME);
    assert_int_equal(info.group_id.n, 0);
    arrival_close(&a);
}

static void a_group_is_asked_for_what_it_has_not(void **state)
{
    (void)state;
    pair p;
    xmtp_bytes data;
    pair_open(&p);
    assert_int_equal(
        xmtp_mls_group_find(p.alice.group, xmtp_bytes_of("no key of anybody's, 32 bytes...", 32)),
        XMTP_MLS_NO_LEAF);
    assert_false(xmtp_mls_group_extension(p.alice.group, 0x7777, &data));
    assert_int_equal(xmtp_mls_group_extension_at(p.alice.group, 99).type, 0);
    assert_false(xmtp_mls_extensions_find(xmtp_bytes_of("\1", 1), 1, &data));
    xmtp_mls_writes_free(NULL);
    xmtp_mls_group_free(NULL);
    xmtp_mls_staged_free(NULL);
    xmtp_mls_pending_free(NULL);
    pair_close(&p);
}

static void long_messages_pass_and_their_memory_goes(void **state)
{
    (void)state;
    enum { LONG = 70000 };
    pair p;
    char *text = malloc(LONG + 1);
    assert_non_null(text);
    memset(text, 'x', LONG);
    text[LONG] = 0;
    pair_open(&p);
    p.alice.reloads = false;
    blob b = member_send(&p.alice, text);
    blob after = member_send(&p.alice, "short");
    member_expect(&p.bob, b, text);
    member_expect(&p.bob, after, "short");
    free(text);
    free(b.p);
    free(after.p);
    pair_close(&p);
}

/* A PrivateMessage whose parts are too short to be opened. */
static void messages_with_short_parts_are_refused(void **state)
{
    (void)state;
    pair p;
    xmtp_arena arena;
    static xmtp_mls_message m;
    xmtp_writer w;
    pair_open(&p);
    xmtp_arena_init(&arena, &p.world.env.alloc, 1 << 20);
    xmtp_writer_init(&w, &p.world.env.alloc, XMTP_WRITER_MAX);
    blob text = member_send(&p.alice, "text");
    assert_int_equal(xmtp_mls_message_decode(blob_bytes(text), &arena, &m), XMTP_OK);
    m.u.private_message.encrypted_sender_data.n--;
    xmtp_mls_message_encode(&w, &m);
    assert_int_equal(member_take(&p.bob, xmtp_writer_bytes(&w)), XMTP_E_LENGTH);
    xmtp_writer_free(&w);
    xmtp_arena_reset(&arena);
    free(text.p);
    pair_close(&p);
}

/* ---- inner functions at their edges ---- */

static void trees_are_asked_within_their_bounds(void **state)
{
    (void)state;
    pair p;
    uint8_t hash[XMTP_HASH_MAX];
    xmtp_parent_node parent;
    xmtp_arena arena;
    uint32_t *nodes;
    size_t count;
    xmtp_tree empty;
    pair_open(&p);
    xmtp_tree *tree = &p.alice.group->tree;
    const xmtp_suite *suite = p.alice.group->suite;
    xmtp_arena_init(&arena, &p.world.env.alloc, 1 << 20);
    assert_int_equal(xmtp_tree_node_hash(tree, 99, hash), XMTP_E_ARGUMENT);
    assert_int_equal(xmtp_tree_parent(tree, 99, &parent), XMTP_E_NOT_FOUND);
    assert_int_equal(xmtp_tree_resolution(tree, 99, &arena, &nodes, &count), XMTP_E_ARGUMENT);
    assert_int_equal(xmtp_tree_set_node(tree, 99, XMTP_NODE_BLANK, (xmtp_bytes){0}),
                     XMTP_E_ARGUMENT);
    assert_int_equal(xmtp_tree_set_node(tree, 1, XMTP_NODE_LEAF, xmtp_bytes_of("x", 1)),
                     XMTP_E_TREE);
    assert_int_equal(xmtp_tree_set_node(tree, 0, XMTP_NODE_LEAF, (xmtp_bytes){0}), XMTP_E_ARGUMENT);
    assert_int_equal(xmtp_tree_parent_hash(tree, 1, 5, hash), XMTP_E_ARGUMENT);
    assert_int_equal(xmtp_tree_parent_hash(tree, 0, 1, hash), XMTP_E_NOT_FOUND);
    xmtp_tree_init(&empty, suite, &p.world.env.alloc);
    assert_int_equal(xmtp_tree_hash(&empty, hash), XMTP_E_STATE);
    assert_int_equal(xmtp_tree_add_leaf(tree, xmtp_bytes_of("no leaf", 7), &(uint32_t){0}),
                     XMTP_E_TRUNCATED);
    assert_int_not_equal(xmtp_tree_update_leaf(tree, 0, xmtp_bytes_of("no leaf", 7)), XMTP_OK);
    xmtp_tree_free(&empty);
    xmtp_arena_reset(&arena);
    pair_close(&p);
}

static void path_secrets_are_for_members_of_the_tree(void **state)
{
    (void)state;
    pair p;
    uint8_t secret[32] = {1};
    pair_open(&p);
    xmtp_tree_private keys = p.bob.group->private_keys;
    const xmtp_tree *tree = &p.bob.group->tree;
    assert_int_equal(xmtp_treekem_join(tree, &keys, 99, xmtp_bytes_of(secret, 32), NULL),
                     XMTP_E_WELCOME);
    assert_int_equal(
        xmtp_treekem_join(tree, &keys, keys.leaf_index, xmtp_bytes_of(secret, 32), NULL),
        XMTP_E_WELCOME);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_packages_need_a_known_suite_and_whole_keys),
        cmocka_unit_test(key_packages_of_unknown_suites_are_not_verified),
        cmocka_unit_test(groups_need_a_known_suite_and_whole_keys),
        cmocka_unit_test(configurations_stay_within_the_limits),
        cmocka_unit_test(joining_needs_the_own_keys),
        cmocka_unit_test(joining_with_other_keys_is_refused),
        cmocka_unit_test(a_welcome_of_another_suite_is_refused),
        cmocka_unit_test(external_commits_need_sane_options),
        cmocka_unit_test(only_self_removals_are_brought_along),
        cmocka_unit_test(proposals_from_outside_need_whole_keys),
        cmocka_unit_test(commits_of_too_many_proposals_are_refused),
        cmocka_unit_test(only_new_groups_of_the_same_suite_continue_another),
        cmocka_unit_test(psks_that_nobody_knows_are_refused),
        cmocka_unit_test(a_removed_member_does_nothing_more),
        cmocka_unit_test(an_ended_group_takes_no_handshake),
        cmocka_unit_test(staged_messages_and_commits_tell_the_same_things),
        cmocka_unit_test(a_commit_without_a_path_brings_no_leaf),
        cmocka_unit_test(proposals_are_dropped_by_who_keeps_none),
        cmocka_unit_test(what_was_staged_for_another_state_is_not_merged),
        cmocka_unit_test(messages_are_inspected_whatever_they_hold),
        cmocka_unit_test(a_group_is_asked_for_what_it_has_not),
        cmocka_unit_test(long_messages_pass_and_their_memory_goes),
        cmocka_unit_test(messages_with_short_parts_are_refused),
        cmocka_unit_test(trees_are_asked_within_their_bounds),
        cmocka_unit_test(path_secrets_are_for_members_of_the_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
