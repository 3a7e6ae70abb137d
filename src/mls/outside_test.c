/* outside_test.c - what one can know of a group without being a member: GroupInfo, ratchet trees
 * that travel apart, what a ReInit announced; and fresh signature keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mls/group_world.h"

/* ---- signature keys ---- */

static void every_suite_has_signature_keys(void **state)
{
    (void)state;
    world_env world;
    xmtp_error error;
    world_env_init(&world, 1);
    for (uint16_t id = 1; id <= 7; id++) {
        const xmtp_signature *signature = xmtp_suite_by_id(id)->signature;
        const xmtp_bytes text = xmtp_bytes_of("text", 4);
        xmtp_mls_signature_keys a, b;
        uint8_t out[XMTP_SIGNATURE_MAX];
        size_t n;
        assert_int_equal(xmtp_mls_signature_keys_create(&world.env, id, &a, &error), XMTP_OK);
        assert_int_equal(xmtp_mls_signature_keys_create(&world.env, id, &b, &error), XMTP_OK);
        assert_memory_not_equal(a.sk, b.sk, a.sk_len);
        assert_int_equal(signature->sign(a.sk, a.pk, text, out, &n), XMTP_OK);
        const xmtp_bytes made = xmtp_bytes_of(out, n);
        assert_int_equal(signature->verify(xmtp_bytes_of(a.pk, a.pk_len), text, made), XMTP_OK);
        assert_int_not_equal(signature->verify(xmtp_bytes_of(b.pk, b.pk_len), text, made), XMTP_OK);
    }
    xmtp_mls_signature_keys none;
    assert_int_equal(xmtp_mls_signature_keys_create(&world.env, 99, &none, &error), XMTP_E_SUITE);
}

/* All ones, which is no scalar of a NIST curve, as often as *context says; then all twos. */
static xmtp_status random_ones(void *context, uint8_t *out, size_t n)
{
    int *left = context;
    memset(out, *left > 0 ? 0xff : 0x02, n);
    (*left)--;
    return XMTP_OK;
}

static void bytes_that_are_no_key_are_drawn_again(void **state)
{
    (void)state;
    static const uint16_t suites[] = {2, 5, 7};
    for (size_t i = 0; i < 3; i++) {
        int left = 2;
        xmtp_env env = *xmtp_env_system();
        env.context = &left;
        env.random = random_ones;
        xmtp_mls_signature_keys keys;
        xmtp_error error;
        assert_int_equal(xmtp_mls_signature_keys_create(&env, suites[i], &keys, &error), XMTP_OK);
        assert_int_equal(left, -1);
        assert_int_equal(keys.sk[1], 0x02);
        left = 1000; /* a generator that is broken */
        assert_int_equal(xmtp_mls_signature_keys_create(&env, suites[i], &keys, &error),
                         XMTP_E_KEY);
        assert_int_equal(keys.sk_len, 0);
    }
}

/* ---- two members ---- */

typedef struct pair {
    world_env world;
    member alice, bob;
} pair;

static void pair_open(pair *p)
{
    world_env_init(&p->world, 5);
    member_init(&p->alice, &p->world, "alice");
    member_init(&p->bob, &p->world, "bob");
    member_create(&p->alice);
    free(member_invite(&p->alice, &p->bob).p);
}

static void pair_close(pair *p)
{
    member_free(&p->alice);
    member_free(&p->bob);
}

static blob tree_of(member *m)
{
    blob b;
    assert_ok(m, xmtp_mls_group_ratchet_tree(m->group, &b.p, &b.n, &m->error));
    return b;
}

static blob info_of(member *m, bool with_tree)
{
    blob b;
    assert_ok(m, xmtp_mls_group_info(m->group, with_tree, &b.p, &b.n, &m->error));
    return b;
}

/* ---- GroupInfo ---- */

static void a_group_info_tells_of_its_group(void **state)
{
    (void)state;
    pair p;
    xmtp_mls_group_info_view view;
    xmtp_bytes data;
    pair_open(&p);
    blob with = info_of(&p.bob, true), without = info_of(&p.bob, false), tree = tree_of(&p.bob);
    assert_ok(&p.bob, xmtp_mls_group_info_inspect(blob_bytes(with), &view, &p.bob.error));
    assert_int_equal(view.suite, 3);
    assert_int_equal(view.epoch, 1);
    assert_int_equal(view.signer_leaf, 1);
    assert_true(xmtp_bytes_equal(view.group_id, xmtp_mls_group_id(p.bob.group)));
    assert_true(xmtp_bytes_equal(view.ratchet_tree, blob_bytes(tree)));
    assert_true(xmtp_mls_extensions_find(view.extensions, 0xff00, &data));
    assert_ok(&p.bob, xmtp_mls_group_info_inspect(blob_bytes(without), &view, &p.bob.error));
    assert_int_equal(view.ratchet_tree.n, 0);
    free(with.p);
    free(without.p);
    free(tree.p);
    pair_close(&p);
}

static void what_is_no_group_info_is_refused(void **state)
{
    (void)state;
    pair p;
    xmtp_mls_group_info_view view;
    pair_open(&p);
    blob message = member_send(&p.alice, "hello"), info = info_of(&p.alice, true);
    assert_int_equal(xmtp_mls_group_info_inspect(blob_bytes(message), &view, &p.alice.error),
                     XMTP_E_WIRE_FORMAT);
    for (size_t n = 0; n < info.n; n++) {
        assert_int_not_equal(
            xmtp_mls_group_info_inspect(xmtp_bytes_of(info.p, n), &view, &p.alice.error), XMTP_OK);
        assert_int_equal(view.group_id.n, 0);
    }
    free(message.p);
    free(info.p);
    pair_close(&p);
}

static void extensions_are_walked(void **state)
{
    (void)state;
    static const uint8_t list[] = {0, 3, 1, 7, 0xff, 0, 0, 0, 1};
    xmtp_bytes rest = xmtp_bytes_of(list, sizeof list);
    xmtp_mls_extension e;
    assert_true(xmtp_mls_extensions_next(&rest, &e));
    assert_int_equal(e.type, 3);
    assert_int_equal(e.data.n, 1);
    assert_true(xmtp_mls_extensions_next(&rest, &e));
    assert_int_equal(e.type, 0xff00);
    assert_int_equal(e.data.n, 0);
    assert_false(xmtp_mls_extensions_next(&rest, &e)); /* cut short */
    assert_int_equal(rest.n, 2);
}

/* ---- ratchet trees ---- */

static xmtp_status note_member(void *context, const xmtp_mls_member *m)
{
    char *names = context;
    snprintf(names + strlen(names), 64 - strlen(names), "%u%.*s ", (unsigned)m->leaf,
             (int)m->identity.n, (const char *)m->identity.p);
    return m->leaf == 3 ? XMTP_E_LIMIT : XMTP_OK;
}

static void the_members_of_a_tree_are_visited(void **state)
{
    (void)state;
    pair p;
    member carol, dave;
    char names[64] = "";
    pair_open(&p);
    member_init(&carol, &p.world, "carol");
    member_init(&dave, &p.world, "dave");
    free(member_invite(&p.alice, &carol).p);
    const uint32_t bob = 1;
    member_confirm(&p.alice, member_commit(&p.alice, &(xmtp_mls_commit_options){
                                                         .remove = &bob, .remove_count = 1}));
    blob tree = tree_of(&p.alice);
    assert_ok(&p.alice,
              xmtp_mls_ratchet_tree_each(blob_bytes(tree), names, note_member, &p.alice.error));
    assert_string_equal(names, "0alice 2carol ");
    for (size_t n = 0; n < tree.n; n++) {
        assert_int_not_equal(xmtp_mls_ratchet_tree_each(xmtp_bytes_of(tree.p, n), names,
                                                        note_member, &p.alice.error),
                             XMTP_OK);
        names[0] = '\0';
    }
    free(tree.p);
    member_free(&carol);
    member_free(&dave);
    pair_close(&p);
}

static void a_visit_that_fails_ends_the_walk(void **state)
{
    (void)state;
    pair p;
    member others[3];
    char names[64] = "";
    pair_open(&p);
    for (size_t i = 0; i < 3; i++) {
        member_init(&others[i], &p.world, "x");
        free(member_invite(&p.alice, &others[i]).p);
    }
    blob tree = tree_of(&p.alice);
    assert_int_equal(
        xmtp_mls_ratchet_tree_each(blob_bytes(tree), names, note_member, &p.alice.error),
        XMTP_E_LIMIT);
    assert_string_equal(names, "0alice 1bob 2x 3x ");
    free(tree.p);
    for (size_t i = 0; i < 3; i++) {
        member_free(&others[i]);
    }
    pair_close(&p);
}

/* A welcome without the tree is smaller by it, opens with it and not without. */
static void a_tree_can_travel_apart_from_the_welcome(void **state)
{
    (void)state;
    pair p;
    member carol;
    pair_open(&p);
    member_init(&carol, &p.world, "carol");
    xmtp_mls_key_package_private keys;
    blob package = member_key_package(&carol, &keys);
    const xmtp_bytes add = blob_bytes(package);
    xmtp_mls_pending *pending = member_commit(
        &p.alice, &(xmtp_mls_commit_options){.add = &add, .add_count = 1, .without_tree = true});
    xmtp_mls_staged *staged;
    blob before;
    assert_ok(&p.alice,
              xmtp_mls_group_stage_pending(p.alice.group, pending, &staged, &p.alice.error));
    assert_ok(&p.alice, xmtp_mls_staged_ratchet_tree(staged, &before.p, &before.n, &p.alice.error));
    xmtp_mls_staged_free(staged);
    blob welcome = blob_copy(xmtp_mls_pending_welcome(pending));
    member_confirm(&p.alice, pending);
    blob after = tree_of(&p.alice);
    assert_true(xmtp_bytes_equal(blob_bytes(before), blob_bytes(after)));
    assert_int_equal(member_join(&carol, blob_bytes(welcome), package, &keys), XMTP_E_NO_TREE);
    const xmtp_mls_join_options join = {.welcome = blob_bytes(welcome),
                                        .key_package = add,
                                        .private_keys = &keys,
                                        .signer = member_signer(&carol),
                                        .ratchet_tree = blob_bytes(after)};
    assert_ok(&carol, xmtp_mls_group_join(&carol.group, &carol.config, &join, NULL, carol.writes,
                                          &carol.error));
    members_agree(&p.alice, &carol);
    free(before.p);
    free(after.p);
    free(welcome.p);
    free(package.p);
    member_free(&carol);
    pair_close(&p);
}

/* ---- ReInit ---- */

static void a_reinit_tells_what_comes(void **state)
{
    (void)state;
    pair p;
    xmtp_mls_reinit reinit;
    xmtp_mls_extension e;
    pair_open(&p);
    assert_false(xmtp_mls_group_reinit(p.alice.group, &reinit));
    const xmtp_mls_extension extension = {.type = 0xff01, .data = xmtp_bytes_of("data", 4)};
    const xmtp_mls_proposal proposal = {.type = XMTP_MLS_PROPOSAL_REINIT,
                                        .group_id = xmtp_bytes_of("the next", 8),
                                        .suite = 5,
                                        .extensions = &extension,
                                        .extension_count = 1};
    xmtp_mls_pending *pending = member_commit(
        &p.alice, &(xmtp_mls_commit_options){.proposals = &proposal, .proposal_count = 1});
    assert_ok(&p.bob, member_take(&p.bob, xmtp_mls_pending_message(pending)));
    xmtp_mls_pending_free(pending);
    assert_true(xmtp_mls_group_reinit(p.bob.group, &reinit));
    assert_int_equal(reinit.suite, 5);
    assert_true(xmtp_bytes_equal(reinit.group_id, proposal.group_id));
    assert_true(xmtp_mls_extensions_next(&reinit.extensions, &e));
    assert_int_equal(e.type, 0xff01);
    assert_true(xmtp_bytes_equal(e.data, extension.data));
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_suite_has_signature_keys),
        cmocka_unit_test(bytes_that_are_no_key_are_drawn_again),
        cmocka_unit_test(a_group_info_tells_of_its_group),
        cmocka_unit_test(what_is_no_group_info_is_refused),
        cmocka_unit_test(extensions_are_walked),
        cmocka_unit_test(the_members_of_a_tree_are_visited),
        cmocka_unit_test(a_visit_that_fails_ends_the_walk),
        cmocka_unit_test(a_tree_can_travel_apart_from_the_welcome),
        cmocka_unit_test(a_reinit_tells_what_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
