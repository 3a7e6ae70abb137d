/* whole_test.c - the parts of RFC 9420 beyond what XMTP uses, made by us and followed by us:
 * proposals by reference, PSKs, external commits and senders, re-initialisation, branches, every
 * suite. After each step memory and store of every member say the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mls/group_dump.h"

typedef struct trio {
    world_env world;
    member alice, bob, carol;
} trio;

static const uint16_t custom_types[] = {0xf001};

static xmtp_status find_psk(void *context, const xmtp_mls_psk *psk, uint8_t *out, size_t *out_len)
{
    (void)context;
    if (psk->type != XMTP_MLS_PSK_EXTERNAL || psk->id.n != 4) {
        return XMTP_E_NOT_FOUND;
    }
    memset(out, 0x55, 32);
    *out_len = 32;
    return XMTP_OK;
}

static void configure(member *m)
{
    m->config.keep_proposals = true;
    m->config.resumption_psks_max = 4;
    m->config.find_psk = find_psk;
    m->config.custom_proposals = (xmtp_mls_u16_list){custom_types, 1};
}

static void member_new(member *m, world_env *world, const char *name, bool is_public)
{
    member_init(m, world, name);
    configure(m);
    m->config.public_handshakes = is_public;
    m->config.padding = is_public ? 0 : 64;
}

static void trio_open(trio *t, bool is_public)
{
    world_env_init(&t->world, 11);
    member_new(&t->alice, &t->world, "alice", is_public);
    member_new(&t->bob, &t->world, "bob", is_public);
    member_new(&t->carol, &t->world, "carol", is_public);
    member_create(&t->alice);
    free(member_invite(&t->alice, &t->bob).p);
    blob commit = member_invite(&t->alice, &t->carol);
    assert_ok(&t->bob, member_take(&t->bob, blob_bytes(commit)));
    free(commit.p);
}

static void trio_agree(trio *t)
{
    members_agree(&t->alice, &t->bob);
    members_agree(&t->alice, &t->carol);
    member_check_store(&t->alice);
    member_check_store(&t->bob);
    member_check_store(&t->carol);
}

static void trio_close(trio *t)
{
    member_free(&t->alice);
    member_free(&t->bob);
    member_free(&t->carol);
}

static blob propose(member *m, const xmtp_mls_proposal *proposal, xmtp_mls_ref *ref)
{
    blob b;
    xmtp_mls_writes_clear(m->writes);
    assert_ok(m, xmtp_mls_group_propose(m->group, proposal, (xmtp_bytes){0}, &b.p, &b.n, ref,
                                        m->writes, &m->error));
    member_store(m);
    return b;
}

static void propose_to(member *m, const xmtp_mls_proposal *proposal, xmtp_mls_ref *ref, member *x,
                       member *y)
{
    blob b = propose(m, proposal, ref);
    assert_ok(x, member_take(x, blob_bytes(b)));
    assert_ok(y, member_take(y, blob_bytes(b)));
    free(b.p);
}

/* m commits, x and y follow. */
static void commit_to(member *m, const xmtp_mls_commit_options *options, member *x, member *y)
{
    xmtp_mls_pending *pending = member_commit(m, options);
    assert_ok(x, member_take(x, xmtp_mls_pending_message(pending)));
    assert_ok(y, member_take(y, xmtp_mls_pending_message(pending)));
    member_confirm(m, pending);
}

/* ---- by reference ---- */

static void everything_by_reference(bool is_public)
{
    static const uint8_t data[] = {7};
    const xmtp_mls_extension extension = {.type = 0xff00, .data = {data, 1}};
    trio t;
    member dave;
    xmtp_mls_ref refs[6];
    xmtp_mls_key_package_private keys;
    trio_open(&t, is_public);
    member_new(&dave, &t.world, "dave", is_public);
    blob package = member_key_package(&dave, &keys);
    const xmtp_mls_proposal proposals[] = {
        {.type = XMTP_MLS_PROPOSAL_UPDATE},
        {.type = XMTP_MLS_PROPOSAL_ADD, .key_package = blob_bytes(package)},
        {.type = XMTP_MLS_PROPOSAL_PSK,
         .psk = {.type = XMTP_MLS_PSK_EXTERNAL, .id = xmtp_bytes_of("psk1", 4)}},
        {.type = XMTP_MLS_PROPOSAL_PSK,
         .psk = {.type = XMTP_MLS_PSK_RESUMPTION,
                 .usage = XMTP_MLS_PSK_APPLICATION,
                 .group_id = xmtp_bytes_of("group id of 16b.", 16),
                 .epoch = 2}},
        {.type = XMTP_MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS,
         .extensions = &extension,
         .extension_count = 1},
        {.type = 0xf001, .data = xmtp_bytes_of("own", 3)},
    };
    for (size_t i = 0; i < 6; i++) {
        propose_to(&t.bob, &proposals[i], &refs[i], &t.alice, &t.carol);
        assert_true(refs[i].n == 32);
    }
    assert_int_equal(xmtp_mls_group_kept_count(t.alice.group), 6);
    trio_agree(&t);
    xmtp_mls_pending *pending = member_commit(
        &t.alice, &(xmtp_mls_commit_options){.references = refs, .reference_count = 6});
    blob welcome = blob_copy(xmtp_mls_pending_welcome(pending));
    assert_ok(&t.bob, member_take(&t.bob, xmtp_mls_pending_message(pending)));
    assert_ok(&t.carol, member_take(&t.carol, xmtp_mls_pending_message(pending)));
    member_confirm(&t.alice, pending);
    trio_agree(&t);
    assert_int_equal(xmtp_mls_group_kept_count(t.alice.group), 0);
    /* dave knows the external PSK, and that of the group by nobody's help: refused */
    assert_int_equal(member_join(&dave, blob_bytes(welcome), package, &keys), XMTP_E_PSK);
    /* bob's new leaf key works */
    commit_to(&t.carol, NULL, &t.alice, &t.bob);
    trio_agree(&t);
    free(welcome.p);
    free(package.p);
    member_free(&dave);
    trio_close(&t);
}

static void all_proposals_can_be_committed_by_reference(void **state)
{
    (void)state;
    everything_by_reference(false);
}

static void all_proposals_can_be_committed_in_public_messages(void **state)
{
    (void)state;
    everything_by_reference(true);
}

static void a_removal_by_reference_holds(void **state)
{
    (void)state;
    trio t;
    xmtp_mls_ref ref;
    trio_open(&t, false);
    propose_to(&t.carol, &(xmtp_mls_proposal){.type = XMTP_MLS_PROPOSAL_REMOVE, .leaf = 1}, &ref,
               &t.alice, &t.bob);
    commit_to(&t.alice, &(xmtp_mls_commit_options){.references = &ref, .reference_count = 1},
              &t.bob, &t.carol);
    assert_false(xmtp_mls_group_is_active(t.bob.group));
    members_agree(&t.alice, &t.carol);
    trio_close(&t);
}

/* ---- paths and padding ---- */

static void a_commit_of_adds_and_psks_needs_no_path(void **state)
{
    (void)state;
    trio t;
    trio_open(&t, false);
    const xmtp_mls_proposal psk = {
        .type = XMTP_MLS_PROPOSAL_PSK,
        .psk = {.type = XMTP_MLS_PSK_EXTERNAL, .id = xmtp_bytes_of("psk1", 4)}};
    commit_to(
        &t.alice,
        &(xmtp_mls_commit_options){.proposals = &psk, .proposal_count = 1, .without_path = true},
        &t.bob, &t.carol);
    trio_agree(&t);
    xmtp_mls_pending *pending;
    assert_int_equal(xmtp_mls_group_commit(t.alice.group,
                                           &(xmtp_mls_commit_options){.without_path = true},
                                           &pending, &t.alice.error),
                     XMTP_E_PATH_REQUIRED);
    trio_close(&t);
}

static void padded_messages_have_few_lengths(void **state)
{
    (void)state;
    trio t;
    trio_open(&t, false);
    blob one = member_send(&t.alice, "a");
    blob two = member_send(&t.alice, "a longer message");
    assert_int_equal(one.n, two.n);
    member_expect(&t.bob, one, "a");
    member_expect(&t.bob, two, "a longer message");
    free(one.p);
    free(two.p);
    trio_close(&t);
}

/* ---- from outside ---- */

static xmtp_status enter(member *m, member *by, int64_t remove, blob *commit)
{
    uint8_t *info;
    size_t info_len;
    assert_ok(by, xmtp_mls_group_info(by->group, true, &info, &info_len, &by->error));
    const xmtp_mls_external_options options = {.group_info = xmtp_bytes_of(info, info_len),
                                               .signer = member_signer(m),
                                               .capabilities = world_capabilities(),
                                               .remove = remove};
    xmtp_mls_group *group;
    xmtp_mls_writes_clear(m->writes);
    xmtp_status status = xmtp_mls_group_join_external(&group, &m->config, &options, &commit->p,
                                                      &commit->n, m->writes, &m->error);
    free(info);
    if (status == XMTP_OK) {
        xmtp_mls_group_free(m->group);
        m->group = group;
        world_store_free(&m->store);
        member_store(m);
    }
    return status;
}

static void a_stranger_joins_by_an_external_commit(void **state)
{
    (void)state;
    trio t;
    member dave;
    blob commit;
    trio_open(&t, false);
    member_new(&dave, &t.world, "dave", false);
    assert_ok(&dave, enter(&dave, &t.alice, XMTP_MLS_NO_LEAF, &commit));
    assert_ok(&t.alice, member_take(&t.alice, blob_bytes(commit)));
    assert_ok(&t.bob, member_take(&t.bob, blob_bytes(commit)));
    assert_ok(&t.carol, member_take(&t.carol, blob_bytes(commit)));
    trio_agree(&t);
    members_agree(&t.alice, &dave);
    member_check_store(&dave);
    commit_to(&dave, NULL, &t.alice, &t.bob);
    members_agree(&t.alice, &dave);
    free(commit.p);
    member_free(&dave);
    trio_close(&t);
}

static void a_member_that_lost_its_state_comes_back(void **state)
{
    (void)state;
    trio t;
    blob commit;
    trio_open(&t, false);
    assert_int_equal(enter(&t.bob, &t.alice, XMTP_MLS_NO_LEAF, &commit),
                     XMTP_E_DUPLICATE_SIGNATURE_KEY);
    assert_ok(&t.bob, enter(&t.bob, &t.alice, 1, &commit));
    assert_int_equal(xmtp_mls_group_own_leaf(t.bob.group), 1);
    assert_ok(&t.alice, member_take(&t.alice, blob_bytes(commit)));
    assert_ok(&t.carol, member_take(&t.carol, blob_bytes(commit)));
    trio_agree(&t);
    free(commit.p);
    trio_close(&t);
}

/* external_senders with dave's key; then dave proposes, and a new member its own Add. */
static void outsiders_propose_and_members_commit(void **state)
{
    (void)state;
    trio t;
    member dave;
    uint8_t senders[64];
    xmtp_mls_ref refs[2];
    trio_open(&t, false);
    member_new(&dave, &t.world, "dave", false);
    xmtp_writer w;
    xmtp_writer_init(&w, t.alice.group->alloc, 1000);
    size_t mark = xmtp_writer_vec_open(&w);
    xmtp_writer_vec(&w, xmtp_bytes_of(dave.pk, 32));
    xmtp_writer_u16(&w, 1);
    xmtp_writer_vec(&w, xmtp_bytes_of("dave", 4));
    xmtp_writer_vec_close(&w, mark);
    memcpy(senders, w.p, w.n);
    const xmtp_mls_extension extension = {.type = XMTP_MLS_EXTENSION_EXTERNAL_SENDERS,
                                          .data = {senders, w.n}};
    xmtp_writer_free(&w);
    commit_to(&t.alice,
              &(xmtp_mls_commit_options){.context_extensions = &extension,
                                         .context_extension_count = 1,
                                         .set_context_extensions = true},
              &t.bob, &t.carol);
    xmtp_mls_key_package_private keys;
    blob package = member_key_package(&dave, &keys);
    xmtp_mls_outside_proposal_options o = {
        .suite = 3,
        .group_id = xmtp_bytes_of("group id of 16b.", 16),
        .epoch = xmtp_mls_group_epoch(t.alice.group),
        .signer = member_signer(&dave),
        .proposal = {.type = XMTP_MLS_PROPOSAL_REMOVE, .leaf = 2}};
    for (size_t i = 0; i < 2; i++) {
        blob b;
        assert_ok(&dave, xmtp_mls_propose_from_outside(&t.world.env, &o, &b.p, &b.n, &dave.error));
        assert_ok(&t.alice, member_take(&t.alice, blob_bytes(b)));
        assert_ok(&t.bob, member_take(&t.bob, blob_bytes(b)));
        assert_ok(&t.carol, member_take(&t.carol, blob_bytes(b)));
        refs[i] = xmtp_mls_group_kept_ref(t.alice.group, i);
        free(b.p);
        o.is_new_member = true;
        o.proposal =
            (xmtp_mls_proposal){.type = XMTP_MLS_PROPOSAL_ADD, .key_package = blob_bytes(package)};
    }
    xmtp_mls_pending *pending = member_commit(
        &t.alice, &(xmtp_mls_commit_options){.references = refs, .reference_count = 2});
    blob welcome = blob_copy(xmtp_mls_pending_welcome(pending));
    assert_ok(&t.bob, member_take(&t.bob, xmtp_mls_pending_message(pending)));
    assert_ok(&t.carol, member_take(&t.carol, xmtp_mls_pending_message(pending)));
    member_confirm(&t.alice, pending);
    assert_ok(&dave, member_join(&dave, blob_bytes(welcome), package, &keys));
    members_agree(&t.alice, &t.bob);
    members_agree(&t.alice, &dave);
    assert_false(xmtp_mls_group_is_active(t.carol.group));
    /* an Update from outside cannot be made */
    o.is_new_member = false;
    o.proposal = (xmtp_mls_proposal){.type = XMTP_MLS_PROPOSAL_UPDATE};
    blob none;
    assert_int_equal(xmtp_mls_propose_from_outside(&t.world.env, &o, &none.p, &none.n, &dave.error),
                     XMTP_E_PROPOSAL);
    free(welcome.p);
    free(package.p);
    member_free(&dave);
    trio_close(&t);
}

/* ---- groups that continue groups ---- */

static const xmtp_mls_extension required_extension = {
    .type = XMTP_MLS_EXTENSION_REQUIRED_CAPABILITIES,
    .data = {world_required, sizeof world_required}};

/* alice starts a group that continues hers, with bob; status: how bob's join ends with his group
 * as the parent. */
static void continue_group(trio *t, const char *id, bool keep_extensions, xmtp_status made,
                           xmtp_status joined)
{
    member next, other;
    member_new(&next, &t->world, "alice", false);
    member_new(&other, &t->world, "bob", false);
    const xmtp_mls_create_options create = {.suite = 3,
                                            .group_id = xmtp_bytes_of_string(id),
                                            .signer = member_signer(&next),
                                            .capabilities = world_capabilities(),
                                            .context_extensions = &required_extension,
                                            .context_extension_count = keep_extensions ? 1 : 0};
    assert_ok(&next,
              xmtp_mls_group_create(&next.group, &next.config, &create, next.writes, &next.error));
    member_store(&next);
    xmtp_mls_key_package_private keys;
    blob package = member_key_package(&other, &keys);
    const xmtp_bytes add = blob_bytes(package);
    xmtp_mls_pending *pending = NULL;
    const xmtp_mls_commit_options options = {.add = &add, .add_count = 1, .parent = t->alice.group};
    assert_int_equal(xmtp_mls_group_commit(next.group, &options, &pending, &next.error), made);
    if (made == XMTP_OK) {
        blob welcome = blob_copy(xmtp_mls_pending_welcome(pending));
        member_confirm(&next, pending);
        const xmtp_mls_join_options join = {.welcome = blob_bytes(welcome),
                                            .key_package = blob_bytes(package),
                                            .private_keys = &keys,
                                            .signer = member_signer(&other),
                                            .parent = t->bob.group};
        uint32_t signer;
        xmtp_mls_writes_clear(other.writes);
        assert_int_equal(xmtp_mls_group_join(&other.group, &other.config, &join, &signer,
                                             other.writes, &other.error),
                         joined);
        if (joined == XMTP_OK) {
            member_store(&other);
            members_agree(&next, &other);
        }
        free(welcome.p);
    }
    free(package.p);
    member_free(&next);
    member_free(&other);
}

static void a_group_branches(void **state)
{
    (void)state;
    trio t;
    trio_open(&t, false);
    continue_group(&t, "a branch", false, XMTP_OK, XMTP_OK);
    commit_to(&t.alice, NULL, &t.bob, &t.carol); /* the old one goes on */
    trio_close(&t);
}

static void a_branch_of_an_unknown_group_is_refused(void **state)
{
    (void)state;
    trio t;
    xmtp_mls_pending *pending;
    trio_open(&t, false);
    pending = member_commit(&t.alice, NULL);
    member_confirm(&t.alice, pending); /* bob stays behind: he lacks the secret */
    continue_group(&t, "a branch", false, XMTP_OK, XMTP_E_PSK);
    trio_close(&t);
}

static void a_group_is_reinitialised(void **state)
{
    (void)state;
    trio t;
    trio_open(&t, false);
    const xmtp_mls_proposal reinit = {.type = XMTP_MLS_PROPOSAL_REINIT,
                                      .group_id = xmtp_bytes_of("the next", 8),
                                      .suite = 3,
                                      .extensions = &required_extension,
                                      .extension_count = 1};
    commit_to(
        &t.alice,
        &(xmtp_mls_commit_options){.proposals = &reinit, .proposal_count = 1, .without_path = true},
        &t.bob, &t.carol);
    trio_agree(&t);
    assert_true(xmtp_mls_group_is_reinitialised(t.bob.group));
    xmtp_bytes out;
    xmtp_mls_pending *pending;
    assert_int_equal(xmtp_mls_group_protect(t.alice.group, (xmtp_bytes){0}, (xmtp_bytes){0}, &out,
                                            t.alice.writes, &t.alice.error),
                     XMTP_E_STATE);
    assert_int_equal(xmtp_mls_group_commit(t.alice.group, &(xmtp_mls_commit_options){0}, &pending,
                                           &t.alice.error),
                     XMTP_E_STATE);
    continue_group(&t, "the next", true, XMTP_OK, XMTP_OK);
    continue_group(&t, "another", true, XMTP_E_LINEAGE, XMTP_OK);
    continue_group(&t, "the next", false, XMTP_E_LINEAGE, XMTP_OK);
    trio_close(&t);
}

static void custom_proposals_need_the_support_of_all(void **state)
{
    (void)state;
    static const uint16_t types[] = {0xf002};
    trio t;
    xmtp_mls_pending *pending;
    trio_open(&t, false);
    t.alice.config.custom_proposals = (xmtp_mls_u16_list){types, 1};
    assert_ok(&t.alice, member_load(&t.alice));
    const xmtp_mls_proposal custom = {.type = 0xf002, .data = xmtp_bytes_of("x", 1)};
    const xmtp_mls_commit_options options = {.proposals = &custom, .proposal_count = 1};
    assert_int_equal(xmtp_mls_group_commit(t.alice.group, &options, &pending, &t.alice.error),
                     XMTP_E_PROPOSAL_UNSUPPORTED);
    trio_close(&t);
}

/* ---- everything at once ---- */

enum { CROWD = 6 };

/* Everybody but who sent it takes the message; those who were removed have left. */
static void crowd_take(member *crowd, size_t from, xmtp_bytes message)
{
    for (size_t i = 0; i < CROWD; i++) {
        if (i != from && crowd[i].group != NULL && xmtp_mls_group_is_active(crowd[i].group)) {
            assert_ok(&crowd[i], member_take(&crowd[i], message));
        }
    }
}

static void crowd_agrees(member *crowd, size_t with)
{
    for (size_t i = 0; i < CROWD; i++) {
        if (crowd[i].group != NULL && xmtp_mls_group_is_active(crowd[i].group)) {
            members_agree(&crowd[with], &crowd[i]);
            member_check_store(&crowd[i]);
        }
    }
}

static size_t crowd_pick(world_env *world, member *crowd)
{
    size_t i;
    do {
        i = world_below(world, CROWD);
    } while (crowd[i].group == NULL || !xmtp_mls_group_is_active(crowd[i].group));
    return i;
}

/* Some members propose updates, one commits them with the removal of another, who then comes back
 * by an external commit. */
static void crowd_round(world_env *world, member *crowd)
{
    xmtp_mls_ref refs[CROWD], own;
    size_t count = 0;
    const size_t committer = crowd_pick(world, crowd);
    size_t gone = crowd_pick(world, crowd);
    for (size_t i = 0; i < CROWD; i++) {
        if (i != committer && i != gone && world_below(world, 2) == 0) {
            blob b = propose(&crowd[i], &(xmtp_mls_proposal){.type = XMTP_MLS_PROPOSAL_UPDATE},
                             &refs[count++]);
            crowd_take(crowd, i, blob_bytes(b));
            free(b.p);
        }
    }
    if (gone != committer) {
        const uint32_t leaf = xmtp_mls_group_own_leaf(crowd[gone].group);
        const xmtp_mls_proposal removal = {.type = XMTP_MLS_PROPOSAL_REMOVE, .leaf = leaf};
        blob b = propose(&crowd[committer], &removal, &own);
        crowd_take(crowd, committer, blob_bytes(b));
        refs[count++] = own;
        free(b.p);
    }
    xmtp_mls_pending *pending =
        member_commit(&crowd[committer],
                      &(xmtp_mls_commit_options){.references = refs, .reference_count = count});
    crowd_take(crowd, committer, xmtp_mls_pending_message(pending));
    member_confirm(&crowd[committer], pending);
    crowd_agrees(crowd, committer);
    bool is_gone = gone != committer;
    gone = is_gone ? gone : crowd_pick(world, crowd);
    if (gone != committer) {
        int64_t leaf = xmtp_mls_group_own_leaf(crowd[gone].group);
        leaf = is_gone ? XMTP_MLS_NO_LEAF : leaf;
        blob commit;
        assert_ok(&crowd[gone], enter(&crowd[gone], &crowd[committer], leaf, &commit));
        crowd_take(crowd, gone, blob_bytes(commit));
        crowd_agrees(crowd, gone);
        free(commit.p);
    }
}

static void a_crowd_agrees_after_every_round(void **state)
{
    (void)state;
    world_env world;
    member crowd[CROWD];
    world_env_init(&world, 41);
    for (size_t i = 0; i < CROWD; i++) {
        char name[8] = {'m', (char)('0' + i), 0};
        member_new(&crowd[i], &world, name, i % 2 == 0);
    }
    member_create(&crowd[0]);
    for (size_t i = 1; i < CROWD; i++) {
        blob commit = member_invite(&crowd[0], &crowd[i]);
        for (size_t k = 1; k < i; k++) {
            assert_ok(&crowd[k], member_take(&crowd[k], blob_bytes(commit)));
        }
        free(commit.p);
    }
    for (size_t round = 0; round < 25; round++) {
        crowd_round(&world, crowd);
    }
    for (size_t i = 0; i < CROWD; i++) {
        member_free(&crowd[i]);
    }
}

/* ---- credentials ---- */

/* Nobody called mallory, and nobody changes its name. */
static xmtp_status no_mallory(void *context, const xmtp_mls_member *m,
                              const xmtp_mls_member *before)
{
    (*(size_t *)context)++;
    if (before != NULL && !xmtp_bytes_equal(before->identity, m->identity)) {
        return XMTP_E_CREDENTIAL;
    }
    return xmtp_bytes_equal(m->identity, xmtp_bytes_of("mallory", 7)) ? XMTP_E_CREDENTIAL : XMTP_OK;
}

static void the_application_judges_credentials(void **state)
{
    (void)state;
    trio t;
    member mallory, dave;
    size_t asked = 0;
    trio_open(&t, false);
    t.bob.config.authenticate = no_mallory;
    t.bob.config.authenticate_context = &asked;
    assert_ok(&t.bob, member_load(&t.bob));
    member_new(&mallory, &t.world, "mallory", false);
    xmtp_mls_key_package_private keys;
    blob package = member_key_package(&mallory, &keys);
    const xmtp_bytes add = blob_bytes(package);
    xmtp_mls_pending *pending =
        member_commit(&t.alice, &(xmtp_mls_commit_options){.add = &add, .add_count = 1});
    assert_int_equal(member_take(&t.bob, xmtp_mls_pending_message(pending)), XMTP_E_CREDENTIAL);
    xmtp_mls_pending_free(pending);
    assert_int_equal(asked, 1);
    commit_to(&t.alice, NULL, &t.bob, &t.carol); /* a path: asked again */
    assert_int_equal(asked, 2);
    member_new(&dave, &t.world, "dave", false);
    dave.config.authenticate = no_mallory;
    dave.config.authenticate_context = &asked;
    free(member_invite(&t.alice, &dave).p); /* a tree of four */
    assert_int_equal(asked, 6);
    free(package.p);
    member_free(&mallory);
    member_free(&dave);
    trio_close(&t);
}

/* ---- suites ---- */

typedef struct anyone {
    uint8_t sk[XMTP_SIGNATURE_SK_MAX], pk[XMTP_SIGNATURE_PK_MAX];
    xmtp_mls_signer signer;
} anyone;

static void anyone_init(anyone *a, const xmtp_suite *suite, const char *name, uint8_t seed)
{
    memset(a->sk, seed, sizeof a->sk);
    a->sk[0] = 0;
    assert_int_equal(suite->signature->public_key(a->sk, a->pk), XMTP_OK);
    a->signer = (xmtp_mls_signer){.identity = xmtp_bytes_of_string(name),
                                  .signature_sk = xmtp_bytes_of(a->sk, suite->signature->sk_len),
                                  .signature_pk = xmtp_bytes_of(a->pk, suite->signature->pk_len)};
}

static void two_talk(world_env *world, const xmtp_suite *suite)
{
    const uint16_t suites[] = {suite->id};
    xmtp_mls_capabilities capabilities = world_capabilities();
    capabilities.suites = (xmtp_mls_u16_list){suites, 1};
    anyone a, b;
    anyone_init(&a, suite, "a", 3);
    anyone_init(&b, suite, "b", 4);
    member x, y;
    member_init(&x, world, "x");
    member_init(&y, world, "y");
    const xmtp_mls_create_options create = {.suite = suite->id,
                                            .group_id = xmtp_bytes_of("g", 1),
                                            .signer = a.signer,
                                            .capabilities = capabilities};
    assert_ok(&x, xmtp_mls_group_create(&x.group, &x.config, &create, x.writes, &x.error));
    member_store(&x);
    const xmtp_mls_key_package_options o = {.suite = suite->id,
                                            .signer = b.signer,
                                            .capabilities = capabilities,
                                            .not_before = 1,
                                            .not_after = UINT64_MAX / 2};
    xmtp_mls_key_package_private keys;
    blob package;
    assert_ok(
        &y, xmtp_mls_key_package_create(&world->env, &o, &package.p, &package.n, &keys, &y.error));
    const xmtp_bytes add = blob_bytes(package);
    xmtp_mls_pending *pending =
        member_commit(&x, &(xmtp_mls_commit_options){.add = &add, .add_count = 1});
    const xmtp_mls_join_options join = {.welcome = xmtp_mls_pending_welcome(pending),
                                        .key_package = add,
                                        .private_keys = &keys,
                                        .signer = b.signer};
    uint32_t signer;
    assert_ok(&y, xmtp_mls_group_join(&y.group, &y.config, &join, &signer, y.writes, &y.error));
    member_store(&y);
    member_confirm(&x, pending);
    blob message = member_send(&x, "hello");
    member_expect(&y, message, "hello");
    pending = member_commit(&y, NULL);
    assert_ok(&x, member_take(&x, xmtp_mls_pending_message(pending)));
    member_confirm(&y, pending);
    assert_true(xmtp_bytes_equal(xmtp_mls_group_epoch_authenticator(x.group),
                                 xmtp_mls_group_epoch_authenticator(y.group)));
    free(message.p);
    free(package.p);
    member_free(&x);
    member_free(&y);
}

static void every_suite_carries_a_group(void **state)
{
    (void)state;
    world_env world;
    size_t count = 0;
    world_env_init(&world, 17);
    for (uint16_t id = 1; id <= 7; id++) {
        const xmtp_suite *suite = xmtp_suite_by_id(id);
        if (suite != NULL) {
            two_talk(&world, suite);
            count++;
        }
    }
    print_message("%zu suites\n", count);
    assert_true(count > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_proposals_can_be_committed_by_reference),
        cmocka_unit_test(all_proposals_can_be_committed_in_public_messages),
        cmocka_unit_test(a_removal_by_reference_holds),
        cmocka_unit_test(a_commit_of_adds_and_psks_needs_no_path),
        cmocka_unit_test(padded_messages_have_few_lengths),
        cmocka_unit_test(a_stranger_joins_by_an_external_commit),
        cmocka_unit_test(a_member_that_lost_its_state_comes_back),
        cmocka_unit_test(outsiders_propose_and_members_commit),
        cmocka_unit_test(a_group_branches),
        cmocka_unit_test(a_branch_of_an_unknown_group_is_refused),
        cmocka_unit_test(a_group_is_reinitialised),
        cmocka_unit_test(custom_proposals_need_the_support_of_all),
        cmocka_unit_test(a_crowd_agrees_after_every_round),
        cmocka_unit_test(the_application_judges_credentials),
        cmocka_unit_test(every_suite_carries_a_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
