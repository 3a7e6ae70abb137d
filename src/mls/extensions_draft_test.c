/* extensions_draft_test.c - draft-ietf-mls-extensions-10 between members: SelfRemove, AppDataUpdate
 * with its dictionary, and the exporter that forgets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mls/group_dump.h"
#include "mls/label.h"
#include "mls/protect.h"

enum { COMPONENT = 0x8001, OTHER = 0x8002, UNKNOWN = 0x9999 };

typedef struct trio {
    world_env world;
    member alice, bob, carol;
} trio;

/* Adds the updates to what is there; knows two components, and no update with "bad". */
static xmtp_status join_updates(void *context, uint16_t component_id, const xmtp_bytes *before,
                                const xmtp_bytes *updates, size_t count, xmtp_bytes *after)
{
    static uint8_t text[64];
    (void)context;
    size_t n = 0;
    if (component_id != COMPONENT && component_id != OTHER) {
        return XMTP_E_NOT_FOUND;
    }
    if (before != NULL) {
        memcpy(text, before->p, before->n);
        n = before->n;
    }
    for (size_t i = 0; i < count; i++) {
        if (xmtp_bytes_equal(updates[i], xmtp_bytes_of_string("bad"))) {
            return XMTP_E_ARGUMENT;
        }
        memcpy(text + n, updates[i].p, updates[i].n);
        n += updates[i].n;
    }
    *after = xmtp_bytes_of(text, n);
    return XMTP_OK;
}

static void member_new(member *m, world_env *world, const char *name)
{
    member_init(m, world, name);
    m->config.keep_proposals = true;
    m->config.update_app_data = join_updates;
}

static void trio_open(trio *t)
{
    world_env_init(&t->world, 31);
    member_new(&t->alice, &t->world, "alice");
    member_new(&t->bob, &t->world, "bob");
    member_new(&t->carol, &t->world, "carol");
    member_create(&t->alice);
    free(member_invite(&t->alice, &t->bob).p);
    blob commit = member_invite(&t->alice, &t->carol);
    assert_ok(&t->bob, member_take(&t->bob, blob_bytes(commit)));
    free(commit.p);
}

static void trio_close(trio *t)
{
    member_free(&t->alice);
    member_free(&t->bob);
    member_free(&t->carol);
}

static xmtp_status try_propose(member *m, const xmtp_mls_proposal *proposal, xmtp_mls_ref *ref,
                               blob *out)
{
    xmtp_mls_writes_clear(m->writes);
    xmtp_status status = xmtp_mls_group_propose(m->group, proposal, (xmtp_bytes){0}, &out->p,
                                                &out->n, ref, m->writes, &m->error);
    if (status == XMTP_OK) {
        member_store(m);
    }
    return status;
}

static const xmtp_mls_proposal self_remove = {.type = XMTP_MLS_PROPOSAL_SELF_REMOVE};

static blob propose_self_remove(member *m, xmtp_mls_ref *ref)
{
    blob b;
    assert_ok(m, try_propose(m, &self_remove, ref, &b));
    return b;
}

static void commit_to(member *m, const xmtp_mls_commit_options *options, member *x, member *y)
{
    xmtp_mls_pending *pending = member_commit(m, options);
    assert_ok(x, member_take(x, xmtp_mls_pending_message(pending)));
    assert_ok(y, member_take(y, xmtp_mls_pending_message(pending)));
    member_confirm(m, pending);
}

static void refuse_commit(member *m, const xmtp_mls_commit_options *options, xmtp_status status)
{
    uint8_t before[32], after[32];
    xmtp_mls_pending *pending;
    group_digest(m->group, before);
    assert_int_equal(xmtp_mls_group_commit(m->group, options, &pending, &m->error), status);
    group_digest(m->group, after);
    assert_memory_equal(before, after, 32);
    assert_null(pending);
}

/* ---- SelfRemove ---- */

static void a_member_leaves_by_the_commit_of_another(void **state)
{
    (void)state;
    trio t;
    xmtp_mls_ref ref;
    trio_open(&t);
    blob b = propose_self_remove(&t.bob, &ref);
    xmtp_mls_message_info info;
    assert_int_equal(xmtp_mls_message_inspect(blob_bytes(b), &info), XMTP_OK);
    assert_int_equal(info.wire_format, XMTP_MLS_PUBLIC_MESSAGE);
    xmtp_mls_staged *staged;
    assert_ok(&t.alice,
              xmtp_mls_group_process(t.alice.group, blob_bytes(b), &staged, &t.alice.error));
    const xmtp_mls_proposal_info said = xmtp_mls_staged_proposal_at(staged, 0);
    assert_int_equal(said.type, XMTP_MLS_PROPOSAL_SELF_REMOVE);
    assert_int_equal(said.member.leaf, 1);
    assert_true(xmtp_bytes_equal(said.member.identity, xmtp_bytes_of_string("bob")));
    assert_ok(&t.alice, member_merge(&t.alice, staged));
    assert_ok(&t.carol, member_take(&t.carol, blob_bytes(b)));
    commit_to(&t.alice, &(xmtp_mls_commit_options){.references = &ref, .reference_count = 1},
              &t.bob, &t.carol);
    assert_false(xmtp_mls_group_is_active(t.bob.group));
    members_agree(&t.alice, &t.carol);
    assert_int_equal(xmtp_mls_group_member_count(t.alice.group), 2);
    member_check_store(&t.alice);
    free(b.p);
    trio_close(&t);
}

static void nobody_commits_its_own_self_remove(void **state)
{
    (void)state;
    trio t;
    xmtp_mls_ref ref;
    trio_open(&t);
    free(propose_self_remove(&t.bob, &ref).p);
    refuse_commit(&t.bob, &(xmtp_mls_commit_options){.references = &ref, .reference_count = 1},
                  XMTP_E_REMOVES_COMMITTER);
    trio_close(&t);
}

static void self_remove_is_not_committed_by_value(void **state)
{
    (void)state;
    trio t;
    trio_open(&t);
    refuse_commit(&t.bob,
                  &(xmtp_mls_commit_options){.proposals = &self_remove, .proposal_count = 1},
                  XMTP_E_SELF_REMOVE);
    trio_close(&t);
}

static void a_member_asks_once_in_an_epoch(void **state)
{
    (void)state;
    trio t;
    xmtp_mls_ref ref;
    blob b;
    trio_open(&t);
    free(propose_self_remove(&t.bob, &ref).p);
    assert_int_equal(try_propose(&t.bob, &self_remove, &ref, &b), XMTP_E_STATE);
    trio_close(&t);
}

static void self_remove_and_remove_of_one_leaf_do_not_go_together(void **state)
{
    (void)state;
    trio t;
    xmtp_mls_ref ref;
    const uint32_t bob = 1;
    trio_open(&t);
    blob b = propose_self_remove(&t.bob, &ref);
    assert_ok(&t.alice, member_take(&t.alice, blob_bytes(b)));
    refuse_commit(&t.alice,
                  &(xmtp_mls_commit_options){
                      .references = &ref, .reference_count = 1, .remove = &bob, .remove_count = 1},
                  XMTP_E_CHANGED_TWICE);
    free(b.p);
    trio_close(&t);
}

static void self_remove_is_no_proposal_from_outside(void **state)
{
    (void)state;
    trio t;
    blob b;
    trio_open(&t);
    const xmtp_mls_outside_proposal_options o = {.suite = 3,
                                                 .group_id = xmtp_mls_group_id(t.alice.group),
                                                 .epoch = 2,
                                                 .signer = member_signer(&t.bob),
                                                 .proposal = self_remove};
    assert_int_equal(xmtp_mls_propose_from_outside(&t.world.env, &o, &b.p, &b.n, &t.bob.error),
                     XMTP_E_SENDER_TYPE);
    trio_close(&t);
}

/* Signed and sealed by bob's library, in the wire format that it would not choose. */
static void a_private_self_remove_is_refused(void **state)
{
    (void)state;
    trio t;
    uint8_t signature[XMTP_SIGNATURE_MAX], before[32], after[32];
    static const uint8_t type[] = {0, 10};
    xmtp_secret_tree_change change;
    xmtp_mls_staged *staged;
    xmtp_writer w;
    trio_open(&t);
    xmtp_authenticated_content c = {.wire_format = XMTP_WIRE_PRIVATE_MESSAGE,
                                    .content = xmtp_group_frame(t.bob.group, (xmtp_bytes){0}),
                                    .auth = {.signature = {.p = signature}}};
    c.content.content = (xmtp_mls_content){.type = XMTP_CONTENT_PROPOSAL,
                                           .raw = xmtp_bytes_of(type, sizeof type),
                                           .proposal = {.type = XMTP_PROPOSAL_SELF_REMOVE}};
    assert_int_equal(
        xmtp_group_sign_as(t.bob.group, c.wire_format, &c.content, signature, &c.auth.signature.n),
        XMTP_OK);
    xmtp_writer_init(&w, t.bob.group->alloc, 1 << 16);
    assert_int_equal(xmtp_group_seal_handshake(t.bob.group, &c, &change, &w), XMTP_OK);
    group_digest(t.alice.group, before);
    assert_int_equal(
        xmtp_mls_group_process(t.alice.group, xmtp_writer_bytes(&w), &staged, &t.alice.error),
        XMTP_E_SELF_REMOVE);
    group_digest(t.alice.group, after);
    assert_memory_equal(before, after, 32);
    xmtp_secret_tree_change_free(&change);
    xmtp_writer_free(&w);
    trio_close(&t);
}

/* dave comes in by an external commit that takes bob out, and gets bob's place. */
static xmtp_status enter(member *dave, member *by, const blob *self_removes, size_t count,
                         int64_t remove, blob *commit)
{
    uint8_t *info;
    size_t info_len;
    xmtp_bytes views[2];
    assert_ok(by, xmtp_mls_group_info(by->group, true, &info, &info_len, &by->error));
    for (size_t i = 0; i < count; i++) {
        views[i] = blob_bytes(self_removes[i]);
    }
    const xmtp_mls_external_options options = {.group_info = xmtp_bytes_of(info, info_len),
                                               .signer = member_signer(dave),
                                               .capabilities = world_capabilities(),
                                               .remove = remove,
                                               .self_removes = views,
                                               .self_remove_count = count};
    xmtp_mls_group *group;
    xmtp_mls_writes_clear(dave->writes);
    xmtp_status status = xmtp_mls_group_join_external(&group, &dave->config, &options, &commit->p,
                                                      &commit->n, dave->writes, &dave->error);
    free(info);
    if (status == XMTP_OK) {
        dave->group = group;
        member_store(dave);
    }
    return status;
}

static void an_external_commit_carries_self_removes(void **state)
{
    (void)state;
    trio t;
    member dave;
    xmtp_mls_ref ref;
    blob commit;
    trio_open(&t);
    member_new(&dave, &t.world, "dave");
    blob b = propose_self_remove(&t.bob, &ref);
    assert_ok(&t.alice, member_take(&t.alice, blob_bytes(b)));
    assert_ok(&t.carol, member_take(&t.carol, blob_bytes(b)));
    assert_ok(&dave, enter(&dave, &t.alice, &b, 1, XMTP_MLS_NO_LEAF, &commit));
    assert_int_equal(xmtp_mls_group_own_leaf(dave.group), 1);
    assert_ok(&t.alice, member_take(&t.alice, blob_bytes(commit)));
    assert_ok(&t.carol, member_take(&t.carol, blob_bytes(commit)));
    assert_ok(&t.bob, member_take(&t.bob, blob_bytes(commit)));
    assert_false(xmtp_mls_group_is_active(t.bob.group));
    members_agree(&t.alice, &t.carol);
    members_agree(&t.alice, &dave);
    member_check_store(&dave);
    commit_to(&t.carol, NULL, &t.alice, &dave);
    members_agree(&t.carol, &dave);
    free(b.p);
    free(commit.p);
    member_free(&dave);
    trio_close(&t);
}

static void a_joiner_checks_self_removes(void **state)
{
    (void)state;
    trio t;
    member dave;
    xmtp_mls_ref ref;
    blob commit;
    trio_open(&t);
    member_new(&dave, &t.world, "dave");
    blob b = propose_self_remove(&t.bob, &ref);
    blob application = member_send(&t.carol, "x");
    blob forged = blob_copy(blob_bytes(b));
    forged.p[forged.n - 40] ^= 1; /* in the signature, before the membership tag of 33 bytes */
    assert_int_equal(enter(&dave, &t.alice, &forged, 1, XMTP_MLS_NO_LEAF, &commit),
                     XMTP_E_SIGNATURE);
    assert_int_equal(enter(&dave, &t.alice, &application, 1, XMTP_MLS_NO_LEAF, &commit),
                     XMTP_E_SELF_REMOVE);
    commit_to(&t.alice, NULL, &t.bob, &t.carol);
    assert_int_equal(enter(&dave, &t.alice, &b, 1, XMTP_MLS_NO_LEAF, &commit), XMTP_E_SELF_REMOVE);
    free(application.p);
    free(forged.p);
    free(b.p);
    member_free(&dave);
    trio_close(&t);
}

/* ---- AppDataUpdate ---- */

static const uint8_t locked[] = {0x00, 0x02, 0x00, 0x08, 0x00}; /* required: proposal 8 */

static void set_extensions(trio *t, const xmtp_mls_extension *list, size_t count)
{
    commit_to(&t->alice,
              &(xmtp_mls_commit_options){.context_extensions = list,
                                         .context_extension_count = count,
                                         .set_context_extensions = true},
              &t->bob, &t->carol);
}

static xmtp_mls_proposal update(uint16_t component, const char *text)
{
    return (xmtp_mls_proposal){.type = XMTP_MLS_PROPOSAL_APP_DATA_UPDATE,
                               .component_id = component,
                               .data = xmtp_bytes_of_string(text)};
}

static xmtp_mls_proposal removal(uint16_t component)
{
    return (xmtp_mls_proposal){
        .type = XMTP_MLS_PROPOSAL_APP_DATA_UPDATE, .component_id = component, .removes_data = true};
}

static void group_says(const member *m, uint16_t component, const char *text)
{
    xmtp_bytes dictionary = {0}, data = {0};
    bool has =
        xmtp_mls_group_extension(m->group, XMTP_MLS_EXTENSION_APP_DATA_DICTIONARY, &dictionary) &&
        xmtp_mls_app_data_find(dictionary, component, &data);
    assert_int_equal(has, text != NULL);
    assert_true(xmtp_bytes_equal(data, xmtp_bytes_of_string(text == NULL ? "" : text)));
}

static xmtp_mls_commit_options by_value(const xmtp_mls_proposal *proposals, size_t count)
{
    return (xmtp_mls_commit_options){
        .proposals = proposals, .proposal_count = count, .without_path = true};
}

static void updates_of_one_component_are_applied_in_order(void **state)
{
    (void)state;
    trio t;
    trio_open(&t);
    const xmtp_mls_proposal list[] = {update(OTHER, "o"), update(COMPONENT, "a"),
                                      update(COMPONENT, "b")};
    const xmtp_mls_commit_options options = by_value(list, 3);
    commit_to(&t.alice, &options, &t.bob, &t.carol); /* and needs no path */
    group_says(&t.bob, COMPONENT, "ab");
    group_says(&t.carol, OTHER, "o");
    const xmtp_mls_proposal next[] = {update(COMPONENT, "c"), removal(OTHER)};
    const xmtp_mls_commit_options more = by_value(next, 2);
    commit_to(&t.bob, &more, &t.alice, &t.carol);
    group_says(&t.alice, COMPONENT, "abc");
    group_says(&t.alice, OTHER, NULL);
    members_agree(&t.alice, &t.carol);
    member_check_store(&t.bob);
    trio_close(&t);
}

static void updates_the_application_does_not_accept_are_refused(void **state)
{
    (void)state;
    trio t;
    trio_open(&t);
    const struct {
        xmtp_mls_proposal list[2];
        size_t count;
        xmtp_status status;
    } rules[] = {
        {{update(UNKNOWN, "x")}, 1, XMTP_E_APP_DATA},
        {{update(COMPONENT, "bad")}, 1, XMTP_E_APP_DATA},
        {{removal(COMPONENT)}, 1, XMTP_E_APP_DATA}, /* has no data */
        {{removal(COMPONENT), removal(COMPONENT)}, 2, XMTP_E_PROPOSAL_LIST},
        {{update(COMPONENT, "x"), removal(COMPONENT)}, 2, XMTP_E_PROPOSAL_LIST},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const xmtp_mls_commit_options options = by_value(rules[i].list, rules[i].count);
        refuse_commit(&t.alice, &options, rules[i].status);
    }
    t.alice.config.update_app_data = NULL;
    assert_ok(&t.alice, member_load(&t.alice));
    const xmtp_mls_proposal known = update(COMPONENT, "x");
    const xmtp_mls_commit_options options = by_value(&known, 1);
    refuse_commit(&t.alice, &options, XMTP_E_APP_DATA);
    trio_close(&t);
}

static void an_update_can_be_proposed_first(void **state)
{
    (void)state;
    trio t;
    xmtp_mls_ref ref;
    blob b;
    trio_open(&t);
    const xmtp_mls_proposal proposal = update(COMPONENT, "later");
    assert_ok(&t.bob, try_propose(&t.bob, &proposal, &ref, &b));
    assert_ok(&t.alice, member_take(&t.alice, blob_bytes(b)));
    assert_ok(&t.carol, member_take(&t.carol, blob_bytes(b)));
    commit_to(&t.alice, &(xmtp_mls_commit_options){.references = &ref, .reference_count = 1},
              &t.bob, &t.carol);
    group_says(&t.bob, COMPONENT, "later");
    free(b.p);
    trio_close(&t);
}

/* With AppDataUpdate required, extensions alone do not rewrite, drop or bring a dictionary. */
static void bare_extensions_do_not_touch_the_dictionary(void **state)
{
    (void)state;
    trio t;
    static const uint8_t one[] = {5, 0x80, 0x01, 2, 'a', 'b'}, two[] = {5, 0x80, 0x01, 2, 'a', 'c'};
    const xmtp_mls_extension required = {XMTP_MLS_EXTENSION_REQUIRED_CAPABILITIES,
                                         {locked, sizeof locked}};
    const xmtp_mls_extension was = {XMTP_MLS_EXTENSION_APP_DATA_DICTIONARY, {one, sizeof one}};
    const xmtp_mls_extension other = {XMTP_MLS_EXTENSION_APP_DATA_DICTIONARY, {two, sizeof two}};
    trio_open(&t);
    set_extensions(&t, (xmtp_mls_extension[]){was}, 1); /* not required yet: may be set */
    set_extensions(&t, (xmtp_mls_extension[]){required, was}, 2);
    xmtp_mls_commit_options options = {.set_context_extensions = true};
    options.context_extensions = (xmtp_mls_extension[]){required, other};
    options.context_extension_count = 2;
    refuse_commit(&t.alice, &options, XMTP_E_APP_DATA_LOCKED);
    options.context_extensions = &required;
    options.context_extension_count = 1;
    refuse_commit(&t.alice, &options, XMTP_E_APP_DATA_LOCKED);
    options.context_extension_count = 0;
    refuse_commit(&t.alice, &options, XMTP_E_APP_DATA_LOCKED);
    /* beside an AppDataUpdate neither; with the dictionary unchanged both go together */
    const xmtp_mls_proposal more = update(COMPONENT, "!");
    options.proposals = &more;
    options.proposal_count = 1;
    refuse_commit(&t.alice, &options, XMTP_E_APP_DATA_LOCKED);
    options.context_extensions = (xmtp_mls_extension[]){was, required};
    options.context_extension_count = 2;
    commit_to(&t.alice, &options, &t.bob, &t.carol);
    group_says(&t.carol, COMPONENT, "ab!");
    assert_int_equal(xmtp_mls_group_extension_at(t.bob.group, 0).type,
                     XMTP_MLS_EXTENSION_APP_DATA_DICTIONARY);
    trio_close(&t);
}

static void dictionaries_are_sorted(void **state)
{
    (void)state;
    static const uint8_t falling[] = {6, 0, 2, 0, 0, 1, 0}, twice[] = {6, 0, 1, 0, 0, 1, 0},
                         cut[] = {4, 0, 1, 5, 0}, rest[] = {3, 0, 1, 0, 9}, none[] = {9};
    const xmtp_bytes wrong[] = {{falling, 7}, {twice, 7}, {cut, 5}, {rest, 5}, {none, 0}};
    trio t;
    trio_open(&t);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const xmtp_mls_extension e = {XMTP_MLS_EXTENSION_APP_DATA_DICTIONARY, wrong[i]};
        refuse_commit(&t.alice,
                      &(xmtp_mls_commit_options){.context_extensions = &e,
                                                 .context_extension_count = 1,
                                                 .set_context_extensions = true},
                      XMTP_E_APP_DATA);
    }
    const xmtp_mls_app_data items[] = {{1, xmtp_bytes_of("x", 1)}, {1, {0}}};
    blob b;
    assert_int_equal(xmtp_mls_app_data_encode(&t.world.env, items, 2, &b.p, &b.n), XMTP_E_APP_DATA);
    assert_int_equal(xmtp_mls_app_data_encode(&t.world.env, items, 1, &b.p, &b.n), XMTP_OK);
    assert_int_equal(b.n, 5);
    free(b.p);
    trio_close(&t);
}

/* ---- the exporter that forgets ---- */

static xmtp_status export_once(member *m, uint16_t component, uint8_t out[32])
{
    xmtp_mls_writes_clear(m->writes);
    xmtp_status status =
        xmtp_mls_group_export_once(m->group, component, out, 32, m->writes, &m->error);
    if (status == XMTP_OK) {
        member_store(m);
        member_check_store(m);
    }
    return status;
}

static void members_export_the_same_secret_once(void **state)
{
    (void)state;
    trio t;
    uint8_t a[32], b[32], c[32];
    trio_open(&t);
    assert_ok(&t.alice, export_once(&t.alice, COMPONENT, a));
    assert_ok(&t.alice, export_once(&t.alice, OTHER, c));
    assert_ok(&t.bob, export_once(&t.bob, OTHER, b));
    assert_memory_equal(b, c, 32);
    assert_ok(&t.bob, export_once(&t.bob, COMPONENT, b));
    assert_memory_equal(a, b, 32);
    assert_memory_not_equal(a, c, 32);
    assert_int_equal(export_once(&t.alice, COMPONENT, a), XMTP_E_KEY_CONSUMED);
    assert_int_equal(export_once(&t.alice, OTHER, a), XMTP_E_KEY_CONSUMED);
    assert_ok(&t.alice, export_once(&t.alice, 0, a));
    assert_ok(&t.alice, export_once(&t.alice, UINT16_MAX, a));
    commit_to(&t.carol, NULL, &t.alice, &t.bob);
    assert_ok(&t.alice, export_once(&t.alice, COMPONENT, b));
    assert_memory_not_equal(b, a, 32);
    assert_ok(&t.carol, export_once(&t.carol, COMPONENT, c));
    assert_memory_equal(b, c, 32);
    trio_close(&t);
}

/* The definition, step by step: sixteen ExpandWithLabel("tree", left or right) from
 * application_export_secret down. */
static void the_exported_secret_is_the_leaf_of_the_tree(void **state)
{
    (void)state;
    trio t;
    uint8_t got[32];
    trio_open(&t);
    xmtp_secret at = t.alice.group->secrets.application_export;
    assert_int_equal(at.n, 32);
    for (int bit = 15; bit >= 0; bit--) {
        const char *side = (COMPONENT >> bit & 1) == 1 ? "right" : "left";
        xmtp_secret next = {.n = 32};
        assert_int_equal(xmtp_expand_with_label(t.alice.group->suite, xmtp_secret_bytes(&at),
                                                "tree", xmtp_bytes_of_string(side), next.p, 32),
                         XMTP_OK);
        at = next;
    }
    assert_ok(&t.alice, export_once(&t.alice, COMPONENT, got));
    assert_memory_equal(got, at.p, 32);
    assert_int_equal(t.alice.group->secrets.application_export.n, 0);
    trio_close(&t);
}

static void a_header_of_the_first_version_has_no_exporter_until_the_next_epoch(void **state)
{
    (void)state;
    trio t;
    uint8_t out[32];
    trio_open(&t);
    world_record *header =
        &t.alice.store.records[world_store_find(&t.alice.store, xmtp_bytes_of("h", 1))];
    header->value[0] = 1;
    header->value_len -= 33;
    assert_ok(&t.alice, member_load(&t.alice));
    assert_int_equal(export_once(&t.alice, COMPONENT, out), XMTP_E_STATE);
    commit_to(&t.carol, NULL, &t.alice, &t.bob);
    assert_ok(&t.alice, export_once(&t.alice, COMPONENT, out));
    trio_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_leaves_by_the_commit_of_another),
        cmocka_unit_test(nobody_commits_its_own_self_remove),
        cmocka_unit_test(self_remove_is_not_committed_by_value),
        cmocka_unit_test(a_member_asks_once_in_an_epoch),
        cmocka_unit_test(self_remove_and_remove_of_one_leaf_do_not_go_together),
        cmocka_unit_test(self_remove_is_no_proposal_from_outside),
        cmocka_unit_test(a_private_self_remove_is_refused),
        cmocka_unit_test(an_external_commit_carries_self_removes),
        cmocka_unit_test(a_joiner_checks_self_removes),
        cmocka_unit_test(updates_of_one_component_are_applied_in_order),
        cmocka_unit_test(updates_the_application_does_not_accept_are_refused),
        cmocka_unit_test(an_update_can_be_proposed_first),
        cmocka_unit_test(bare_extensions_do_not_touch_the_dictionary),
        cmocka_unit_test(dictionaries_are_sorted),
        cmocka_unit_test(members_export_the_same_secret_once),
        cmocka_unit_test(the_exported_secret_is_the_leaf_of_the_tree),
        cmocka_unit_test(a_header_of_the_first_version_has_no_exporter_until_the_next_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
