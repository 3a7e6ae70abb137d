/* whole_hostile_test.c - proposals by reference, group infos and external commits under attack: every
 * byte flipped, every length cut, every allocation failing in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mls/group_dump.h"

typedef struct scarce {
    size_t left;
    const xmtp_alloc *system;
} scarce;

static void *scarce_reallocate(void *context, void *p, size_t n)
{
    scarce *s = context;
    if (n > 0) {
        if (s->left == 0) {
            return NULL;
        }
        s->left--;
    }
    return s->system->reallocate(s->system->context, p, n);
}

typedef struct world {
    world_env env;
    world_env poor_env;
    scarce memory;
    member alice, bob, dave; /* bob and dave have little memory where a test says so */
} world;

static void open_member(world *w, member *m, world_env *env, const char *name)
{
    (void)w;
    member_init(m, env, name);
    m->config.keep_proposals = true;
    m->config.resumption_psks_max = 2;
}

static void world_open(world *w)
{
    *w = (world){0};
    world_env_init(&w->env, 31);
    world_env_init(&w->poor_env, 32);
    w->memory = (scarce){.left = SIZE_MAX, .system = &xmtp_env_system()->alloc};
    w->poor_env.env.alloc = (xmtp_alloc){.context = &w->memory, .reallocate = scarce_reallocate};
    open_member(w, &w->alice, &w->env, "alice");
    open_member(w, &w->bob, &w->poor_env, "bob");
    open_member(w, &w->dave, &w->poor_env, "dave");
    member_create(&w->alice);
    free(member_invite(&w->alice, &w->bob).p);
    w->bob.reloads = w->dave.reloads = false;
}

static void world_close(world *w)
{
    member_free(&w->alice);
    member_free(&w->bob);
    member_free(&w->dave);
}

static blob group_info(member *m)
{
    blob b;
    assert_ok(m, xmtp_mls_group_info(m->group, true, &b.p, &b.n, &m->error));
    return b;
}

static xmtp_status enter(member *m, xmtp_bytes info, blob *commit)
{
    const xmtp_mls_external_options options = {.group_info = info,
                                               .signer = member_signer(m),
                                               .capabilities = world_capabilities(),
                                               .remove = XMTP_MLS_NO_LEAF};
    xmtp_mls_group *group;
    xmtp_mls_writes_clear(m->writes);
    xmtp_status status = xmtp_mls_group_join_external(&group, &m->config, &options, &commit->p,
                                                      &commit->n, m->writes, &m->error);
    if (status == XMTP_OK) {
        m->group = group;
        member_store(m);
    } else {
        assert_int_equal(xmtp_mls_writes_count(m->writes), 0);
        assert_null(commit->p);
    }
    return status;
}

/* ---- bytes ---- */

static void flipped_group_infos_are_refused(void **state)
{
    (void)state;
    world w;
    blob commit;
    world_open(&w);
    blob info = group_info(&w.alice);
    for (size_t i = 0; i < info.n; i++) {
        info.p[i] ^= (uint8_t)(1u << i % 8);
        assert_int_not_equal(enter(&w.dave, blob_bytes(info), &commit), XMTP_OK);
        info.p[i] ^= (uint8_t)(1u << i % 8);
        assert_int_not_equal(enter(&w.dave, xmtp_bytes_of(info.p, i), &commit), XMTP_OK);
    }
    assert_ok(&w.dave, enter(&w.dave, blob_bytes(info), &commit));
    free(commit.p);
    free(info.p);
    world_close(&w);
}

static void refuse_flipped(member *m, blob message)
{
    uint8_t before[32], after[32];
    group_digest(m->group, before);
    for (size_t i = 0; i < message.n; i++) {
        xmtp_mls_staged *staged;
        message.p[i] ^= (uint8_t)(1u << i % 8);
        assert_int_not_equal(
            xmtp_mls_group_process(m->group, blob_bytes(message), &staged, &m->error), XMTP_OK);
        message.p[i] ^= (uint8_t)(1u << i % 8);
        assert_int_not_equal(
            xmtp_mls_group_process(m->group, xmtp_bytes_of(message.p, i), &staged, &m->error),
            XMTP_OK);
    }
    group_digest(m->group, after);
    assert_memory_equal(before, after, 32);
}

static void flipped_external_commits_are_refused(void **state)
{
    (void)state;
    world w;
    blob commit;
    world_open(&w);
    blob info = group_info(&w.alice);
    assert_ok(&w.dave, enter(&w.dave, blob_bytes(info), &commit));
    refuse_flipped(&w.alice, commit);
    assert_ok(&w.alice, member_take(&w.alice, blob_bytes(commit)));
    members_agree(&w.alice, &w.dave);
    free(commit.p);
    free(info.p);
    world_close(&w);
}

static xmtp_status propose(member *m, blob *out, xmtp_mls_ref *ref)
{
    const xmtp_mls_proposal update = {.type = XMTP_MLS_PROPOSAL_UPDATE};
    xmtp_mls_writes_clear(m->writes);
    xmtp_status status = xmtp_mls_group_propose(m->group, &update, (xmtp_bytes){0}, &out->p,
                                                &out->n, ref, m->writes, &m->error);
    if (status == XMTP_OK) {
        member_store(m);
    } else {
        assert_int_equal(xmtp_mls_writes_count(m->writes), 0);
    }
    return status;
}

static void flipped_proposals_are_refused(void **state)
{
    (void)state;
    for (int is_public = 0; is_public < 2; is_public++) {
        world w;
        blob message;
        xmtp_mls_ref ref;
        world_open(&w);
        w.bob.config.public_handshakes = is_public == 1;
        assert_ok(&w.bob, member_load(&w.bob));
        assert_ok(&w.bob, propose(&w.bob, &message, &ref));
        refuse_flipped(&w.alice, message);
        assert_ok(&w.alice, member_take(&w.alice, blob_bytes(message)));
        free(message.p);
        world_close(&w);
    }
}

/* ---- the order of things ---- */

static void a_proposal_ends_with_its_epoch(void **state)
{
    (void)state;
    world w;
    blob message;
    xmtp_mls_ref ref;
    xmtp_mls_pending *pending;
    world_open(&w);
    assert_ok(&w.bob, propose(&w.bob, &message, &ref));
    pending = member_commit(&w.alice, NULL); /* alice does not know it yet */
    assert_ok(&w.bob, member_take(&w.bob, xmtp_mls_pending_message(pending)));
    member_confirm(&w.alice, pending);
    assert_int_equal(xmtp_mls_group_kept_count(w.bob.group), 0);
    member_check_store(&w.bob);
    assert_int_equal(member_take(&w.alice, blob_bytes(message)), XMTP_E_EPOCH_OLD);
    const xmtp_mls_commit_options options = {.references = &ref, .reference_count = 1};
    assert_int_equal(xmtp_mls_group_commit(w.alice.group, &options, &pending, &w.alice.error),
                     XMTP_E_PROPOSAL_REF);
    free(message.p);
    world_close(&w);
}

static void a_repeated_proposal_is_kept_once(void **state)
{
    (void)state;
    world w;
    blob message;
    xmtp_mls_ref ref;
    world_open(&w);
    w.bob.config.public_handshakes = true; /* no ratchet refuses the second */
    assert_ok(&w.bob, member_load(&w.bob));
    assert_ok(&w.bob, propose(&w.bob, &message, &ref));
    assert_ok(&w.alice, member_take(&w.alice, blob_bytes(message)));
    assert_ok(&w.alice, member_take(&w.alice, blob_bytes(message)));
    assert_int_equal(xmtp_mls_group_kept_count(w.alice.group), 1);
    free(message.p);
    world_close(&w);
}

/* The leaf with number 0 is a leaf like others. */
static void the_first_leaf_can_be_updated(void **state)
{
    (void)state;
    world w;
    blob message;
    xmtp_mls_ref ref;
    world_open(&w);
    assert_ok(&w.alice, propose(&w.alice, &message, &ref));
    assert_ok(&w.bob, member_take(&w.bob, blob_bytes(message)));
    xmtp_mls_pending *pending =
        member_commit(&w.bob, &(xmtp_mls_commit_options){.references = &ref, .reference_count = 1});
    assert_ok(&w.alice, member_take(&w.alice, xmtp_mls_pending_message(pending)));
    member_confirm(&w.bob, pending);
    members_agree(&w.alice, &w.bob);
    pending = member_commit(&w.bob, NULL); /* to alice's new key */
    assert_ok(&w.alice, member_take(&w.alice, xmtp_mls_pending_message(pending)));
    member_confirm(&w.bob, pending);
    members_agree(&w.alice, &w.bob);
    free(message.p);
    world_close(&w);
}

static void an_empty_list_clears_the_extensions(void **state)
{
    (void)state;
    world w;
    world_open(&w);
    xmtp_mls_pending *pending =
        member_commit(&w.alice, &(xmtp_mls_commit_options){.set_context_extensions = true});
    assert_ok(&w.bob, member_take(&w.bob, xmtp_mls_pending_message(pending)));
    member_confirm(&w.alice, pending);
    members_agree(&w.alice, &w.bob);
    assert_int_equal(xmtp_mls_group_extension_count(w.bob.group), 0);
    world_close(&w);
}

static void an_external_commit_overtakes_an_own_one(void **state)
{
    (void)state;
    world w;
    blob commit;
    xmtp_mls_staged *staged;
    world_open(&w);
    blob info = group_info(&w.alice);
    xmtp_mls_pending *pending = member_commit(&w.alice, NULL);
    assert_ok(&w.dave, enter(&w.dave, blob_bytes(info), &commit));
    assert_ok(&w.alice, member_take(&w.alice, blob_bytes(commit)));
    assert_int_equal(xmtp_mls_group_stage_pending(w.alice.group, pending, &staged, &w.alice.error),
                     XMTP_E_EPOCH_OLD);
    xmtp_mls_pending_free(pending);
    members_agree(&w.alice, &w.dave);
    free(info.p);
    free(commit.p);
    world_close(&w);
}

/* ---- memory ---- */

static void without_memory_nothing_is_half_done(void **state)
{
    (void)state;
    world w;
    blob out;
    xmtp_mls_ref ref;
    uint8_t before[32], after[32];
    xmtp_status status = XMTP_E_NOMEM;
    world_open(&w);
    group_digest(w.bob.group, before);
    for (size_t n = 0; status != XMTP_OK; n++) {
        w.memory.left = n;
        status = propose(&w.bob, &out, &ref);
        w.memory.left = SIZE_MAX;
        assert_true(status == XMTP_OK || status == XMTP_E_NOMEM);
        group_digest(w.bob.group, after);
        assert_int_equal(memcmp(before, after, 32) != 0, status == XMTP_OK);
    }
    member_check_store(&w.bob);
    assert_ok(&w.alice, member_take(&w.alice, blob_bytes(out)));
    xmtp_mls_pending *pending = member_commit(
        &w.alice, &(xmtp_mls_commit_options){.references = &ref, .reference_count = 1});
    xmtp_mls_staged *staged;
    status = XMTP_E_NOMEM;
    for (size_t n = 0; status != XMTP_OK; n++) {
        w.memory.left = n;
        status = xmtp_mls_group_process(w.bob.group, xmtp_mls_pending_message(pending), &staged,
                                        &w.bob.error);
        w.memory.left = SIZE_MAX;
        assert_true(status == XMTP_OK || status == XMTP_E_NOMEM);
    }
    assert_ok(&w.bob, member_merge(&w.bob, staged));
    member_confirm(&w.alice, pending);
    members_agree(&w.alice, &w.bob);
    free(out.p);

    blob info = group_info(&w.alice);
    status = XMTP_E_NOMEM;
    for (size_t n = 0; status != XMTP_OK; n++) {
        w.memory.left = n;
        status = enter(&w.dave, blob_bytes(info), &out);
        w.memory.left = SIZE_MAX;
        assert_true(status == XMTP_OK || status == XMTP_E_NOMEM);
    }
    free(info.p);
    free(out.p);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flipped_group_infos_are_refused),
        cmocka_unit_test(flipped_external_commits_are_refused),
        cmocka_unit_test(flipped_proposals_are_refused),
        cmocka_unit_test(a_proposal_ends_with_its_epoch),
        cmocka_unit_test(a_repeated_proposal_is_kept_once),
        cmocka_unit_test(the_first_leaf_can_be_updated),
        cmocka_unit_test(an_empty_list_clears_the_extensions),
        cmocka_unit_test(an_external_commit_overtakes_an_own_one),
        cmocka_unit_test(without_memory_nothing_is_half_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
