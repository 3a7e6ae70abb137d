/* proposals_test.c - lists of proposals that a commit may hold, by RFC 9420 and as OpenMLS has it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mls/group_world.h"
#include "mls/proposals.h"

typedef struct pair {
    world_env world;
    member alice;
    member bob;
    xmtp_arena arena;
    xmtp_writer bytes; /* what the proposals of the list point into */
    xmtp_proposal_or_ref items[4];
    size_t count;
} pair;

static void pair_open(pair *p, bool openmls_verdicts)
{
    *p = (pair){0};
    world_env_init(&p->world, 5);
    member_init(&p->alice, &p->world, "alice");
    member_init(&p->bob, &p->world, "bob");
    p->alice.config.openmls_verdicts = openmls_verdicts;
    p->bob.config.openmls_verdicts = openmls_verdicts;
    member_create(&p->alice);
    blob commit = member_invite(&p->alice, &p->bob);
    free(commit.p);
    xmtp_arena_init(&p->arena, p->alice.group->alloc, 1 << 20);
    xmtp_writer_init(&p->bytes, p->alice.group->alloc, XMTP_WRITER_MAX);
    assert_non_null(xmtp_writer_extend(&p->bytes, 4096)); /* so that views stay */
    xmtp_writer_clear(&p->bytes);
}

static void pair_close(pair *p)
{
    xmtp_arena_reset(&p->arena);
    xmtp_writer_free(&p->bytes);
    member_free(&p->alice);
    member_free(&p->bob);
}

/* Appends a proposal as it would come over the wire. */
static void append(pair *p, const xmtp_proposal *proposal)
{
    size_t at = xmtp_writer_bytes(&p->bytes).n;
    xmtp_proposal_encode(&p->bytes, proposal);
    xmtp_bytes all = xmtp_writer_bytes(&p->bytes);
    xmtp_reader r = xmtp_reader_of(xmtp_bytes_of(all.p + at, all.n - at));
    xmtp_proposal_or_ref *item = &p->items[p->count++];
    item->kind = XMTP_BY_VALUE;
    assert_int_equal(xmtp_proposal_decode(&r, &item->proposal), XMTP_OK);
}

static void append_remove(pair *p, uint32_t leaf)
{
    append(p, &(xmtp_proposal){.type = XMTP_PROPOSAL_REMOVE, .u.remove = leaf});
}

static void append_reinit(pair *p)
{
    append(p,
           &(xmtp_proposal){
               .type = XMTP_PROPOSAL_REINIT,
               .u.reinit = {.group_id = xmtp_bytes_of("new", 3), .version = 1, .cipher_suite = 3}});
}

static xmtp_status judge(pair *p, xmtp_applied *applied)
{
    xmtp_tree next;
    const xmtp_commit commit = {.proposals = p->items, .proposal_count = p->count};
    xmtp_tree_overlay(&next, &p->alice.group->tree);
    xmtp_status status = xmtp_proposals_apply(p->alice.group, 0, &commit, &p->arena, &next, applied,
                                              &p->alice.error);
    xmtp_tree_free(&next);
    return status;
}

static void repeated_proposals_are_refused_by_the_rfc(void **state)
{
    (void)state;
    pair p;
    xmtp_applied applied;
    pair_open(&p, false);
    append_remove(&p, 1);
    append_remove(&p, 1);
    assert_int_equal(judge(&p, &applied), XMTP_E_CHANGED_TWICE);
    pair_close(&p);
}

static void repeated_proposals_count_once_as_in_openmls(void **state)
{
    (void)state;
    pair p;
    xmtp_applied applied;
    pair_open(&p, true);
    append_remove(&p, 1);
    append_remove(&p, 1);
    assert_int_equal(judge(&p, &applied), XMTP_OK);
    assert_int_equal(applied.count, 1);
    assert_int_equal(applied.changed_count, 1);
    assert_true(applied.needs_path);
    pair_close(&p);
}

static void reinit_needs_no_path_either_way(void **state)
{
    (void)state;
    for (int openmls = 0; openmls < 2; openmls++) {
        pair p;
        xmtp_applied applied;
        pair_open(&p, openmls == 1);
        append_reinit(&p);
        assert_int_equal(judge(&p, &applied), XMTP_OK);
        assert_false(applied.needs_path);
        assert_int_equal(applied.reinit.n > 0, openmls == 0);
        pair_close(&p);
    }
}

static void other_proposals_are_refused_either_way(void **state)
{
    (void)state;
    static const uint8_t id[] = {1, 1, 'x', 1, 'n'}; /* external PSK "x", nonce "n" */
    for (int openmls = 0; openmls < 2; openmls++) {
        pair p;
        xmtp_applied applied;
        xmtp_leaf_node leaf;
        xmtp_psk_id psk;
        pair_open(&p, openmls == 1);
        xmtp_reader r = xmtp_reader_of(xmtp_bytes_of(id, sizeof id));
        assert_int_equal(xmtp_psk_id_decode(&r, &psk), XMTP_OK);
        append(&p, &(xmtp_proposal){.type = XMTP_PROPOSAL_PSK, .u.psk = psk});
        assert_int_equal(judge(&p, &applied), XMTP_E_PSK_NONCE);

        p.count = 0;
        assert_int_equal(xmtp_tree_leaf(&p.alice.group->tree, 0, &leaf), XMTP_OK);
        append(&p, &(xmtp_proposal){.type = XMTP_PROPOSAL_UPDATE, .u.update = leaf});
        assert_int_equal(judge(&p, &applied), XMTP_E_UPDATES_COMMITTER);

        p.count = 0;
        append(&p, &(xmtp_proposal){.type = XMTP_PROPOSAL_EXTERNAL_INIT,
                                    .u.external_init = xmtp_bytes_of("kem", 3)});
        assert_int_equal(judge(&p, &applied), XMTP_E_PROPOSAL);

        p.count = 0;
        append(&p, &(xmtp_proposal){.type = 0xf00d, .u.unknown = xmtp_bytes_of("?", 1)});
        assert_int_equal(judge(&p, &applied), XMTP_E_PROPOSAL);

        p.count = 1;
        p.items[0] = (xmtp_proposal_or_ref){.kind = XMTP_BY_REFERENCE,
                                            .reference = xmtp_bytes_of("reference", 9)};
        assert_int_equal(judge(&p, &applied), XMTP_E_PROPOSAL_REF);
        pair_close(&p);
    }
}

/* ---- required capabilities ---- */

static xmtp_status commit_requiring(pair *p, const uint8_t *data, size_t n)
{
    const xmtp_mls_extension required = {.type = XMTP_MLS_EXTENSION_REQUIRED_CAPABILITIES,
                                         .data = {data, n}};
    xmtp_mls_pending *pending;
    const xmtp_mls_commit_options options = {.context_extensions = &required,
                                             .context_extension_count = 1,
                                             .set_context_extensions = true};
    xmtp_status status = xmtp_mls_group_commit(p->alice.group, &options, &pending, &p->alice.error);
    if (status == XMTP_OK) {
        assert_ok(&p->bob, member_take(&p->bob, xmtp_mls_pending_message(pending)));
        member_confirm(&p->alice, pending);
        members_agree(&p->alice, &p->bob);
    }
    return status;
}

static void required_proposal_types_are_not_looked_at_in_openmls(void **state)
{
    (void)state;
    static const uint8_t required[] = {0, 2, 0xab, 0xcd, 0}; /* proposals: abcd */
    for (int openmls = 0; openmls < 2; openmls++) {
        pair p;
        pair_open(&p, openmls == 1);
        assert_int_equal(commit_requiring(&p, required, sizeof required),
                         openmls == 1 ? XMTP_OK : XMTP_E_CAPABILITIES);
        /* from then on nobody can commit: the leaves do not fulfil what the group requires */
        if (openmls == 1) {
            xmtp_mls_pending *pending = member_commit(&p.alice, NULL);
            assert_int_equal(member_take(&p.bob, xmtp_mls_pending_message(pending)),
                             XMTP_E_CAPABILITIES);
            xmtp_mls_pending_free(pending);
        }
        pair_close(&p);
    }
}

static void required_extension_types_are_looked_at_either_way(void **state)
{
    (void)state;
    static const uint8_t required[] = {2, 0xab, 0xcd, 0, 0}; /* extensions: abcd */
    for (int openmls = 0; openmls < 2; openmls++) {
        pair p;
        pair_open(&p, openmls == 1);
        assert_int_equal(commit_requiring(&p, required, sizeof required), XMTP_E_CAPABILITIES);
        pair_close(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repeated_proposals_are_refused_by_the_rfc),
        cmocka_unit_test(repeated_proposals_count_once_as_in_openmls),
        cmocka_unit_test(reinit_needs_no_path_either_way),
        cmocka_unit_test(other_proposals_are_refused_either_way),
        cmocka_unit_test(required_proposal_types_are_not_looked_at_in_openmls),
        cmocka_unit_test(required_extension_types_are_looked_at_either_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
