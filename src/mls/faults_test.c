/* faults_test.c - each call of the interface, with each call below it failing once: memory,
 * randomness, primitives. The failure is reported, nothing has changed, nothing leaks, and the same
 * call then succeeds. A merge that fails leaves the store as the truth.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mls/faults.h"

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

static size_t failures;

/* Under sanitizers and valgrind only some of the failing calls are tried, unless XMTP_EVERY_FAULT is
 * set; all in other builds. */
static size_t stride(void)
{
#if defined(__SANITIZE_ADDRESS__)
    const size_t some = 6;
#else
    const size_t some = RUNNING_ON_VALGRIND ? 7 : 1;
#endif
    return getenv("XMTP_EVERY_FAULT") != NULL ? 1 : some;
}

static void state_of(const member *m, uint8_t out[32])
{
    memset(out, 0, 32);
    if (m->group != NULL && xmtp_mls_group_is_active(m->group)) {
        group_digest(m->group, out);
    }
}

static void check_failure(const member *m, xmtp_status status, const uint8_t before[32])
{
    uint8_t after[32];
    state_of(m, after);
    if (status == XMTP_OK) {
        fail_msg("%s failed and nobody noticed", faults_name == NULL ? "a call" : faults_name);
    }
    assert_memory_equal(before, after, 32);
    assert_int_equal(xmtp_mls_writes_count(m->writes), 0);
    failures++;
}

/* Tries the call with its first call below failing, then its second, until none is left. */
#define WITHSTAND(m, call)                                                                         \
    do {                                                                                           \
        uint8_t before_[32];                                                                       \
        state_of((m), before_);                                                                    \
        xmtp_mls_writes_clear((m)->writes);                                                        \
        for (size_t n_ = 0;; n_ += stride()) {                                                     \
            faults_begin(n_);                                                                      \
            const xmtp_status status_ = (call);                                                    \
            if (!faults_end()) {                                                                   \
                assert_ok((m), status_);                                                           \
                break;                                                                             \
            }                                                                                      \
            check_failure((m), status_, before_);                                                  \
        }                                                                                          \
    } while (0)

/* ---- members ---- */

typedef struct party {
    world_env world;
    member alice, bob, carol;
} party;

static xmtp_status find_psk(void *context, const xmtp_mls_psk *psk, uint8_t *out, size_t *out_len)
{
    (void)context;
    if (psk->type != XMTP_MLS_PSK_EXTERNAL) {
        return XMTP_E_NOT_FOUND;
    }
    memset(out, 0x55, 32);
    *out_len = 32;
    return XMTP_OK;
}

static xmtp_status anybody(void *context, const xmtp_mls_member *m, const xmtp_mls_member *before)
{
    (void)context;
    (void)m;
    (void)before;
    return XMTP_OK;
}

static void party_member(member *m, world_env *world, const char *name)
{
    static const uint16_t custom_types[] = {0xf001};
    member_init(m, world, name);
    m->config.keep_proposals = true;
    m->config.check_lifetimes = true;
    m->config.resumption_psks_max = 2;
    m->config.past_epochs_max = 2;
    m->config.find_psk = find_psk;
    m->config.authenticate = anybody;
    m->config.custom_proposals = (xmtp_mls_u16_list){custom_types, 1};
}

static void party_open(party *p)
{
    faulty_env_init(&p->world, 5);
    party_member(&p->alice, &p->world, "alice");
    party_member(&p->bob, &p->world, "bob");
    party_member(&p->carol, &p->world, "carol");
    member_create(&p->alice);
    free(member_invite(&p->alice, &p->bob).p);
}

static void party_close(party *p)
{
    member_free(&p->alice);
    member_free(&p->bob);
    member_free(&p->carol);
}

/* ---- steps that withstand ---- */

static blob withstand_key_package(member *m, xmtp_mls_key_package_private *keys)
{
    static const uint8_t id[] = {1, 'x'};
    const xmtp_mls_extension leaf = {.type = XMTP_MLS_EXTENSION_APPLICATION_ID, .data = {id, 2}};
    const xmtp_mls_extension package = {.type = XMTP_MLS_EXTENSION_LAST_RESORT};
    const xmtp_mls_key_package_options options = {.suite = 3,
                                                  .signer = member_signer(m),
                                                  .capabilities = world_capabilities(),
                                                  .leaf_extensions = &leaf,
                                                  .leaf_extension_count = 1,
                                                  .extensions = &package,
                                                  .extension_count = 1,
                                                  .not_before = 1,
                                                  .not_after = UINT64_MAX / 2};
    blob b;
    xmtp_mls_key_package_info info;
    WITHSTAND(m,
              xmtp_mls_key_package_create(&m->world->env, &options, &b.p, &b.n, keys, &m->error));
    WITHSTAND(m, xmtp_mls_key_package_verify(&m->world->env, blob_bytes(b), 5, &info, &m->error));
    xmtp_mls_verified_key_package *verified;
    WITHSTAND(m, xmtp_mls_verified_key_package_new(&verified, &m->world->env, blob_bytes(b), 5,
                                                   &info, &m->error));
    xmtp_mls_verified_key_package_free(verified);
    xmtp_mls_key_package_candidate one = {.key_package = blob_bytes(b)};
    WITHSTAND(m, (xmtp_mls_key_packages_admit(&m->world->env, &one, 1, 5), one.status));
    xmtp_mls_verified_key_package_free(one.verified);
    return b;
}

static xmtp_mls_pending *withstand_commit(member *m, const xmtp_mls_commit_options *options)
{
    xmtp_mls_pending *pending;
    WITHSTAND(m, xmtp_mls_group_commit(m->group, options, &pending, &m->error));
    return pending;
}

/* Merges what make gives, again and again. */
#define WITHSTAND_MERGE(m, make)                                                                   \
    do {                                                                                           \
        for (size_t n_ = 0;; n_ += stride()) {                                                     \
            xmtp_mls_staged *staged_;                                                              \
            assert_ok((m), (make));                                                                \
            xmtp_mls_writes_clear((m)->writes);                                                    \
            faults_begin(n_);                                                                      \
            const xmtp_status status_ =                                                            \
                xmtp_mls_group_merge((m)->group, staged_, (m)->writes, &(m)->error);               \
            if (!faults_end()) {                                                                   \
                assert_ok((m), status_);                                                           \
                break;                                                                             \
            }                                                                                      \
            assert_int_not_equal(status_, XMTP_OK);                                                \
            assert_int_equal(xmtp_mls_writes_count((m)->writes), 0);                               \
            failures++;                                                                            \
            assert_ok((m), member_load(m));                                                        \
        }                                                                                          \
        member_store(m);                                                                           \
        if (xmtp_mls_group_is_active((m)->group)) {                                                \
            member_check_store(m);                                                                 \
        }                                                                                          \
    } while (0)

static void withstand_take(member *m, xmtp_bytes message)
{
    xmtp_mls_staged *staged;
    blob b;
    WITHSTAND(m, xmtp_mls_group_process(m->group, message, &staged, &m->error));
    WITHSTAND(m, xmtp_mls_staged_encode(staged, message, &b.p, &b.n));
    xmtp_mls_staged_free(staged);
    WITHSTAND(m, xmtp_mls_staged_decode(&staged, m->group, blob_bytes(b), &m->error));
    xmtp_mls_staged_free(staged);
    b.p[0] ^= 0x55; /* of another version */
    assert_int_equal(xmtp_mls_staged_decode(&staged, m->group, blob_bytes(b), &m->error),
                     XMTP_E_CORRUPT);
    free(b.p);
    WITHSTAND_MERGE(m, xmtp_mls_group_process(m->group, message, &staged_, &m->error));
}

/* The own commit comes back: straight, and by way of the store. */
static void withstand_confirm(member *m, xmtp_mls_pending *pending, bool by_store)
{
    xmtp_mls_staged *staged;
    if (by_store) {
        blob b;
        WITHSTAND(m, xmtp_mls_pending_encode(pending, &b.p, &b.n));
        xmtp_mls_pending_free(pending);
        WITHSTAND(m, xmtp_mls_pending_decode(&pending, m->group, blob_bytes(b), &m->error));
        free(b.p);
    }
    WITHSTAND(m, xmtp_mls_group_stage_pending(m->group, pending, &staged, &m->error));
    xmtp_mls_staged_free(staged);
    WITHSTAND_MERGE(m, xmtp_mls_group_stage_pending(m->group, pending, &staged_, &m->error));
    xmtp_mls_pending_free(pending);
}

static void withstand_join(member *m, xmtp_bytes welcome, blob package,
                           const xmtp_mls_key_package_private *keys, xmtp_bytes tree)
{
    const xmtp_mls_join_options options = {.welcome = welcome,
                                           .key_package = blob_bytes(package),
                                           .private_keys = keys,
                                           .signer = member_signer(m),
                                           .ratchet_tree = tree};
    uint32_t signer;
    WITHSTAND(m,
              xmtp_mls_group_join(&m->group, &m->config, &options, &signer, m->writes, &m->error));
    member_store(m);
}

static void withstand_load(member *m)
{
    const xmtp_mls_records records = {.context = &m->store, .each = world_store_each};
    xmtp_mls_group *group;
    WITHSTAND(m, xmtp_mls_group_load(&group, &m->config, &records, &m->error));
    xmtp_mls_group_free(group);
}

static blob withstand_send(member *m, const char *text)
{
    xmtp_bytes message;
    WITHSTAND(m, xmtp_mls_group_protect(m->group, (xmtp_bytes){0}, xmtp_bytes_of_string(text),
                                        &message, m->writes, &m->error));
    blob b = blob_copy(message); /* storing may load the group anew */
    member_store(m);
    return b;
}

/* ---- tests ---- */

static void a_group_is_created_or_not(void **state)
{
    (void)state;
    world_env world;
    member m;
    static const uint8_t data[] = {1};
    const xmtp_mls_extension extensions[] = {{.type = 0xff00, .data = {data, 1}},
                                             {.type = XMTP_MLS_EXTENSION_REQUIRED_CAPABILITIES,
                                              .data = {world_required, sizeof world_required}}};
    faulty_env_init(&world, 3);
    party_member(&m, &world, "alice");
    const xmtp_mls_create_options options = {.suite = 3,
                                             .group_id = xmtp_bytes_of("g", 1),
                                             .signer = member_signer(&m),
                                             .capabilities = world_capabilities(),
                                             .leaf_extensions = extensions,
                                             .leaf_extension_count = 1,
                                             .context_extensions = extensions,
                                             .context_extension_count = 2};
    WITHSTAND(&m, xmtp_mls_group_create(&m.group, &m.config, &options, m.writes, &m.error));
    member_store(&m);
    withstand_load(&m);
    member_free(&m);
    xmtp_mls_writes *writes;
    xmtp_mls_signature_keys keys;
    member_init(&m, &world, "alice");
    faults_begin(0);
    assert_int_equal(xmtp_mls_signature_keys_create(&world.env, 3, &keys, &m.error), XMTP_E_RANDOM);
    assert_true(faults_end());
    faults_begin(0);
    assert_int_equal(xmtp_mls_writes_new(&writes, &world.env), XMTP_E_NOMEM);
    assert_true(faults_end());
    member_free(&m);
}

static void members_are_added_or_not(void **state)
{
    (void)state;
    party p;
    xmtp_mls_key_package_private keys;
    party_open(&p);
    blob package = withstand_key_package(&p.carol, &keys);
    const xmtp_bytes add = blob_bytes(package);
    xmtp_mls_pending *pending =
        withstand_commit(&p.alice, &(xmtp_mls_commit_options){.add = &add, .add_count = 1});
    blob welcome = blob_copy(xmtp_mls_pending_welcome(pending));
    withstand_take(&p.bob, xmtp_mls_pending_message(pending));
    withstand_confirm(&p.alice, pending, false);
    withstand_join(&p.carol, blob_bytes(welcome), package, &keys, (xmtp_bytes){0});
    members_agree(&p.alice, &p.bob);
    members_agree(&p.alice, &p.carol);
    withstand_load(&p.carol);
    free(welcome.p);
    free(package.p);
    party_close(&p);
}

static void messages_pass_or_not(void **state)
{
    (void)state;
    party p;
    party_open(&p);
    blob one = withstand_send(&p.alice, "one");
    blob two = withstand_send(&p.alice, "two");
    blob late = withstand_send(&p.alice, "late");
    withstand_take(&p.bob, blob_bytes(two)); /* heard for the first time, one key skipped */
    withstand_take(&p.bob, blob_bytes(one));
    xmtp_mls_pending *pending = withstand_commit(&p.alice, &(xmtp_mls_commit_options){0});
    withstand_take(&p.bob, xmtp_mls_pending_message(pending));
    withstand_confirm(&p.alice, pending, true);
    withstand_take(&p.bob, blob_bytes(late)); /* of the past epoch */
    withstand_load(&p.bob);
    p.bob.config.past_epochs_max = 0; /* what is too old is noted to be deleted */
    p.bob.config.resumption_psks_max = 0;
    withstand_load(&p.bob);
    uint8_t secret[32];
    WITHSTAND(&p.bob, xmtp_mls_group_export(p.bob.group, "label", (xmtp_bytes){0}, secret, 32));
    free(one.p);
    free(two.p);
    free(late.p);
    party_close(&p);
}

static void withstand_propose(party *p, member *by, member *other,
                              const xmtp_mls_proposal *proposal, xmtp_mls_ref *ref)
{
    (void)p;
    blob b;
    WITHSTAND(by, xmtp_mls_group_propose(by->group, proposal, (xmtp_bytes){0}, &b.p, &b.n, ref,
                                         by->writes, &by->error));
    member_store(by);
    withstand_take(other, blob_bytes(b));
    free(b.p);
}

static void everything_by_reference(bool is_public)
{
    static const uint8_t data[] = {7};
    const xmtp_mls_extension extension = {.type = 0xff00, .data = {data, 1}};
    party p;
    xmtp_mls_ref refs[6];
    xmtp_mls_key_package_private keys;
    party_open(&p);
    p.alice.config.public_handshakes = p.bob.config.public_handshakes = is_public;
    assert_ok(&p.alice, member_load(&p.alice));
    assert_ok(&p.bob, member_load(&p.bob));
    blob package = member_key_package(&p.carol, &keys);
    const xmtp_mls_proposal proposals[] = {
        {.type = XMTP_MLS_PROPOSAL_UPDATE},
        {.type = XMTP_MLS_PROPOSAL_ADD, .key_package = blob_bytes(package)},
        {.type = XMTP_MLS_PROPOSAL_PSK,
         .psk = {.type = XMTP_MLS_PSK_EXTERNAL, .id = xmtp_bytes_of("psk1", 4)}},
        {.type = XMTP_MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS,
         .extensions = &extension,
         .extension_count = 1},
        {.type = 0xf001, .data = xmtp_bytes_of("own", 3)},
        {.type = XMTP_MLS_PROPOSAL_PSK,
         .psk = {.type = XMTP_MLS_PSK_RESUMPTION,
                 .usage = XMTP_MLS_PSK_APPLICATION,
                 .group_id = xmtp_bytes_of("group id of 16b.", 16),
                 .epoch = 1}}};
    for (size_t i = 0; i < 6; i++) {
        withstand_propose(&p, &p.bob, &p.alice, &proposals[i], &refs[i]);
    }
    withstand_load(&p.bob);
    xmtp_mls_pending *pending = withstand_commit(
        &p.alice, &(xmtp_mls_commit_options){.references = refs, .reference_count = 5});
    blob welcome = blob_copy(xmtp_mls_pending_welcome(pending));
    withstand_take(&p.bob, xmtp_mls_pending_message(pending));
    withstand_confirm(&p.alice, pending, is_public);
    withstand_join(&p.carol, blob_bytes(welcome), package, &keys, (xmtp_bytes){0});
    members_agree(&p.alice, &p.carol);
    members_agree(&p.alice, &p.bob);
    free(welcome.p);
    free(package.p);
    party_close(&p);
}

static void proposals_are_kept_and_committed_or_not(void **state)
{
    (void)state;
    everything_by_reference(false);
}

static void public_handshakes_pass_or_not(void **state)
{
    (void)state;
    everything_by_reference(true);
}

static void proposals_by_value_are_committed_or_not(void **state)
{
    (void)state;
    party p;
    party_open(&p);
    static const uint8_t data[] = {8};
    const xmtp_mls_extension extension = {.type = 0xff00, .data = {data, 1}};
    const xmtp_mls_proposal values[] = {{.type = XMTP_MLS_PROPOSAL_PSK,
                                         .psk = {.type = XMTP_MLS_PSK_RESUMPTION,
                                                 .usage = XMTP_MLS_PSK_APPLICATION,
                                                 .group_id = xmtp_bytes_of("group id of 16b.", 16),
                                                 .epoch = 1}}};
    xmtp_mls_pending *pending =
        withstand_commit(&p.bob, &(xmtp_mls_commit_options){.context_extensions = &extension,
                                                            .context_extension_count = 1,
                                                            .set_context_extensions = true,
                                                            .proposals = values,
                                                            .proposal_count = 1});
    withstand_take(&p.alice, xmtp_mls_pending_message(pending));
    withstand_confirm(&p.bob, pending, true);
    for (size_t i = 0; i < 4; i++) { /* past epochs and resumption secrets fall off the end */
        pending = member_commit(&p.bob, NULL);
        withstand_take(&p.alice, xmtp_mls_pending_message(pending));
        member_confirm(&p.bob, pending);
    }
    members_agree(&p.alice, &p.bob);
    party_close(&p);
}

static void members_are_removed_or_not(void **state)
{
    (void)state;
    party p;
    const uint32_t leaf = 1;
    party_open(&p);
    xmtp_mls_pending *pending =
        withstand_commit(&p.alice, &(xmtp_mls_commit_options){.remove = &leaf, .remove_count = 1});
    withstand_take(&p.bob, xmtp_mls_pending_message(pending));
    withstand_confirm(&p.alice, pending, true);
    assert_false(xmtp_mls_group_is_active(p.bob.group));
    withstand_load(&p.bob);
    party_close(&p);
}

static void strangers_come_in_or_not(void **state)
{
    (void)state;
    party p;
    blob info, tree, commit;
    party_open(&p);
    WITHSTAND(&p.alice, xmtp_mls_group_info(p.alice.group, true, &info.p, &info.n, &p.alice.error));
    WITHSTAND(&p.alice,
              xmtp_mls_group_ratchet_tree(p.alice.group, &tree.p, &tree.n, &p.alice.error));
    const xmtp_mls_psk psk = {.type = XMTP_MLS_PSK_EXTERNAL, .id = xmtp_bytes_of("psk1", 4)};
    const xmtp_mls_external_options options = {.group_info = blob_bytes(info),
                                               .signer = member_signer(&p.carol),
                                               .capabilities = world_capabilities(),
                                               .remove = 1,
                                               .psks = &psk,
                                               .psk_count = 1};
    WITHSTAND(&p.carol,
              xmtp_mls_group_join_external(&p.carol.group, &p.carol.config, &options, &commit.p,
                                           &commit.n, p.carol.writes, &p.carol.error));
    member_store(&p.carol);
    withstand_take(&p.alice, blob_bytes(commit));
    members_agree(&p.alice, &p.carol);
    free(commit.p);
    free(tree.p);
    free(info.p);
    party_close(&p);
}

static blob external_senders_with(const member *m)
{
    xmtp_writer w;
    xmtp_writer_init(&w, &m->world->env.alloc, 1000);
    size_t mark = xmtp_writer_vec_open(&w);
    xmtp_writer_vec(&w, xmtp_bytes_of(m->pk, 32));
    xmtp_writer_u16(&w, XMTP_MLS_CREDENTIAL_BASIC);
    xmtp_writer_vec(&w, xmtp_bytes_of_string(m->name));
    xmtp_writer_vec_close(&w, mark);
    blob b = blob_copy(xmtp_writer_bytes(&w));
    xmtp_writer_free(&w);
    return b;
}

static void outsiders_propose_or_not(void **state)
{
    (void)state;
    party p;
    blob message;
    party_open(&p);
    blob senders = external_senders_with(&p.carol);
    const xmtp_mls_extension extension = {.type = XMTP_MLS_EXTENSION_EXTERNAL_SENDERS,
                                          .data = blob_bytes(senders)};
    xmtp_mls_pending *pending =
        withstand_commit(&p.bob, &(xmtp_mls_commit_options){.context_extensions = &extension,
                                                            .context_extension_count = 1,
                                                            .set_context_extensions = true});
    withstand_take(&p.alice, xmtp_mls_pending_message(pending));
    withstand_confirm(&p.bob, pending, false);
    const xmtp_mls_outside_proposal_options o = {
        .suite = 3,
        .group_id = xmtp_bytes_of("group id of 16b.", 16),
        .epoch = xmtp_mls_group_epoch(p.alice.group),
        .signer = member_signer(&p.carol),
        .proposal = {.type = XMTP_MLS_PROPOSAL_REMOVE, .leaf = 1}};
    WITHSTAND(&p.carol, xmtp_mls_propose_from_outside(&p.world.env, &o, &message.p, &message.n,
                                                      &p.carol.error));
    withstand_take(&p.alice, blob_bytes(message));
    const xmtp_mls_ref ref = xmtp_mls_group_kept_ref(p.alice.group, 0);
    pending = withstand_commit(
        &p.alice, &(xmtp_mls_commit_options){.references = &ref, .reference_count = 1});
    xmtp_mls_pending_free(pending);
    free(message.p);
    free(senders.p);
    party_close(&p);
}

static void groups_continue_or_not(void **state)
{
    (void)state;
    party p;
    member next;
    xmtp_mls_key_package_private keys;
    party_open(&p);
    const xmtp_mls_proposal reinit = {
        .type = XMTP_MLS_PROPOSAL_REINIT, .group_id = xmtp_bytes_of("next", 4), .suite = 3};
    xmtp_mls_pending *pending = withstand_commit(
        &p.alice, &(xmtp_mls_commit_options){.proposals = &reinit, .proposal_count = 1});
    withstand_take(&p.bob, xmtp_mls_pending_message(pending));
    withstand_confirm(&p.alice, pending, true);
    withstand_load(&p.bob);
    party_member(&next, &p.world, "alice");
    const xmtp_mls_create_options create = {.suite = 3,
                                            .group_id = xmtp_bytes_of("next", 4),
                                            .signer = member_signer(&next),
                                            .capabilities = world_capabilities()};
    WITHSTAND(&next,
              xmtp_mls_group_create(&next.group, &next.config, &create, next.writes, &next.error));
    member_store(&next);
    blob package = member_key_package(&p.carol, &keys);
    const xmtp_bytes add = blob_bytes(package);
    pending = withstand_commit(
        &next, &(xmtp_mls_commit_options){
                   .add = &add, .add_count = 1, .parent = p.alice.group, .without_tree = true});
    blob welcome = blob_copy(xmtp_mls_pending_welcome(pending)), tree;
    withstand_confirm(&next, pending, false);
    WITHSTAND(&next, xmtp_mls_group_ratchet_tree(next.group, &tree.p, &tree.n, &next.error));
    const xmtp_mls_join_options options = {.welcome = blob_bytes(welcome),
                                           .key_package = add,
                                           .private_keys = &keys,
                                           .signer = member_signer(&p.carol),
                                           .ratchet_tree = blob_bytes(tree),
                                           .parent = p.bob.group};
    WITHSTAND(&p.carol, xmtp_mls_group_join(&p.carol.group, &p.carol.config, &options, NULL,
                                            p.carol.writes, &p.carol.error));
    member_store(&p.carol);
    members_agree(&next, &p.carol);
    free(tree.p);
    free(welcome.p);
    free(package.p);
    member_free(&next);
    party_close(&p);
}

/* ---- larger trees ---- */

/* Members added without a path: blank parents, unmerged leaves. Then paths over them, a removal, and
 * a stranger. */
static void unmerged_leaves_are_handled_or_not(void **state)
{
    (void)state;
    enum { OTHERS = 5 };
    party p;
    member others[OTHERS];
    party_open(&p);
    xmtp_mls_pending *pending = member_commit(&p.alice, NULL); /* a path, to be unmerged from */
    assert_ok(&p.bob, member_take(&p.bob, xmtp_mls_pending_message(pending)));
    member_confirm(&p.alice, pending);
    for (size_t i = 0; i < OTHERS; i++) {
        xmtp_mls_key_package_private keys;
        party_member(&others[i], &p.world, "other");
        blob package = member_key_package(&others[i], &keys);
        const xmtp_bytes add = blob_bytes(package);
        const bool is_last = i + 1 == OTHERS;
        const xmtp_mls_commit_options o = {.add = &add, .add_count = 1, .without_path = i != 2};
        pending = is_last ? withstand_commit(&p.alice, &o) : member_commit(&p.alice, &o);
        blob welcome = blob_copy(xmtp_mls_pending_welcome(pending));
        if (is_last) {
            withstand_take(&p.bob, xmtp_mls_pending_message(pending));
        } else {
            assert_ok(&p.bob, member_take(&p.bob, xmtp_mls_pending_message(pending)));
        }
        member_confirm(&p.alice, pending);
        if (is_last) {
            withstand_join(&others[i], blob_bytes(welcome), package, &keys, (xmtp_bytes){0});
        }
        free(welcome.p);
        free(package.p);
    }
    member *last = &others[OTHERS - 1];
    members_agree(&p.alice, last);
    pending = withstand_commit(last, &(xmtp_mls_commit_options){0});
    withstand_take(&p.alice, xmtp_mls_pending_message(pending));
    withstand_take(&p.bob, xmtp_mls_pending_message(pending));
    withstand_confirm(last, pending, true);
    const uint32_t gone[] = {3, 4};
    pending =
        withstand_commit(&p.bob, &(xmtp_mls_commit_options){.remove = gone, .remove_count = 2});
    withstand_take(&p.alice, xmtp_mls_pending_message(pending));
    withstand_take(last, xmtp_mls_pending_message(pending));
    withstand_confirm(&p.bob, pending, false);
    members_agree(&p.alice, last);
    for (size_t i = 0; i < OTHERS; i++) {
        member_free(&others[i]);
    }
    party_close(&p);
}

/* ---- extensions draft ---- */

static xmtp_status replace_data(void *context, uint16_t component_id, const xmtp_bytes *before,
                                const xmtp_bytes *updates, size_t count, xmtp_bytes *after)
{
    (void)context;
    (void)component_id;
    (void)before;
    *after = updates[count - 1];
    return XMTP_OK;
}

static void application_data_is_updated_or_not(void **state)
{
    (void)state;
    party p;
    uint8_t once[32];
    party_open(&p);
    p.alice.config.update_app_data = p.bob.config.update_app_data = replace_data;
    assert_ok(&p.alice, member_load(&p.alice));
    assert_ok(&p.bob, member_load(&p.bob));
    const xmtp_mls_proposal first[] = {{.type = XMTP_MLS_PROPOSAL_APP_DATA_UPDATE,
                                        .component_id = 0x8004,
                                        .data = xmtp_bytes_of("four", 4)},
                                       {.type = XMTP_MLS_PROPOSAL_APP_DATA_UPDATE,
                                        .component_id = 0x8002,
                                        .data = xmtp_bytes_of("two", 3)}};
    const xmtp_mls_proposal then[] = {
        {.type = XMTP_MLS_PROPOSAL_APP_DATA_UPDATE,
         .component_id = 0x8004,
         .data = xmtp_bytes_of("4", 1)},
        {.type = XMTP_MLS_PROPOSAL_APP_DATA_UPDATE,
         .component_id = 0x8003,
         .data = xmtp_bytes_of("three", 5)},
        {.type = XMTP_MLS_PROPOSAL_APP_DATA_UPDATE,
         .component_id = 0x8005,
         .data = xmtp_bytes_of("five", 4)},
        {.type = XMTP_MLS_PROPOSAL_APP_DATA_UPDATE, .component_id = 0x8002, .removes_data = true}};
    xmtp_mls_pending *pending = withstand_commit(
        &p.alice, &(xmtp_mls_commit_options){.proposals = first, .proposal_count = 2});
    withstand_take(&p.bob, xmtp_mls_pending_message(pending));
    withstand_confirm(&p.alice, pending, false);
    pending = withstand_commit(&p.bob,
                               &(xmtp_mls_commit_options){.proposals = then, .proposal_count = 4});
    withstand_take(&p.alice, xmtp_mls_pending_message(pending));
    withstand_confirm(&p.bob, pending, true);
    members_agree(&p.alice, &p.bob);
    xmtp_bytes dictionary, data;
    assert_true(xmtp_mls_group_extension(p.alice.group, XMTP_MLS_EXTENSION_APP_DATA_DICTIONARY,
                                         &dictionary));
    assert_true(xmtp_mls_app_data_find(dictionary, 0x8004, &data) && data.p[0] == '4');
    assert_false(xmtp_mls_app_data_find(dictionary, 0x8002, &data));
    WITHSTAND(&p.bob, xmtp_mls_group_export_once(p.bob.group, 0x8001, once, 32, p.bob.writes,
                                                 &p.bob.error));
    member_store(&p.bob);
    party_close(&p);
}

/* Bob asks to be removed; carol comes in and removes him with her commit. */
static void who_leaves_is_removed_or_not(void **state)
{
    (void)state;
    party p;
    xmtp_mls_ref ref;
    blob leaving, info, commit;
    party_open(&p);
    p.alice.config.public_handshakes = p.bob.config.public_handshakes = true;
    assert_ok(&p.alice, member_load(&p.alice));
    assert_ok(&p.bob, member_load(&p.bob));
    const xmtp_mls_proposal leave = {.type = XMTP_MLS_PROPOSAL_SELF_REMOVE};
    WITHSTAND(&p.bob, xmtp_mls_group_propose(p.bob.group, &leave, (xmtp_bytes){0}, &leaving.p,
                                             &leaving.n, &ref, p.bob.writes, &p.bob.error));
    member_store(&p.bob);
    withstand_take(&p.alice, blob_bytes(leaving));
    assert_ok(&p.alice, xmtp_mls_group_info(p.alice.group, true, &info.p, &info.n, &p.alice.error));
    const xmtp_bytes self_remove = blob_bytes(leaving);
    const xmtp_mls_external_options options = {.group_info = blob_bytes(info),
                                               .signer = member_signer(&p.carol),
                                               .capabilities = world_capabilities(),
                                               .remove = XMTP_MLS_NO_LEAF,
                                               .self_removes = &self_remove,
                                               .self_remove_count = 1};
    for (size_t n = 0;; n += stride()) { /* a list that is thrown away may fail unnoticed */
        faults_begin(n);
        xmtp_status status =
            xmtp_mls_group_join_external(&p.carol.group, &p.carol.config, &options, &commit.p,
                                         &commit.n, p.carol.writes, &p.carol.error);
        if (!faults_end()) {
            assert_ok(&p.carol, status);
            break;
        }
        assert_true((p.carol.group != NULL) == (status == XMTP_OK));
        free(commit.p);
        xmtp_mls_group_free(p.carol.group);
        p.carol.group = NULL;
        xmtp_mls_writes_clear(p.carol.writes);
    }
    member_store(&p.carol);
    withstand_take(&p.alice, blob_bytes(commit));
    withstand_take(&p.bob, blob_bytes(commit));
    assert_false(xmtp_mls_group_is_active(p.bob.group));
    members_agree(&p.alice, &p.carol);
    free(leaving.p);
    free(info.p);
    free(commit.p);
    party_close(&p);
}

static void grease_is_put_in_or_not(void **state)
{
    (void)state;
    party p;
    blob b, info;
    xmtp_mls_key_package_private keys;
    party_open(&p);
    p.alice.config.grease = true;
    assert_ok(&p.alice, member_load(&p.alice));
    xmtp_mls_key_package_options options = {.suite = 3,
                                            .signer = member_signer(&p.carol),
                                            .capabilities = world_capabilities(),
                                            .not_before = 1,
                                            .not_after = UINT64_MAX / 2};
    options.capabilities.grease = true;
    WITHSTAND(&p.carol, xmtp_mls_key_package_create(&p.world.env, &options, &b.p, &b.n, &keys,
                                                    &p.carol.error));
    const xmtp_bytes add = blob_bytes(b);
    xmtp_mls_pending *pending =
        withstand_commit(&p.alice, &(xmtp_mls_commit_options){.add = &add, .add_count = 1});
    withstand_join(&p.carol, xmtp_mls_pending_welcome(pending), b, &keys, (xmtp_bytes){0});
    xmtp_mls_pending_free(pending);
    WITHSTAND(&p.alice, xmtp_mls_group_info(p.alice.group, true, &info.p, &info.n, &p.alice.error));
    free(info.p);
    free(b.p);
    party_close(&p);
}

static int print_failures(void **state)
{
    (void)state;
    print_message("%zu calls failed below and were made again\n", failures);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_is_created_or_not),
        cmocka_unit_test(members_are_added_or_not),
        cmocka_unit_test(messages_pass_or_not),
        cmocka_unit_test(proposals_are_kept_and_committed_or_not),
        cmocka_unit_test(public_handshakes_pass_or_not),
        cmocka_unit_test(proposals_by_value_are_committed_or_not),
        cmocka_unit_test(members_are_removed_or_not),
        cmocka_unit_test(strangers_come_in_or_not),
        cmocka_unit_test(outsiders_propose_or_not),
        cmocka_unit_test(groups_continue_or_not),
        cmocka_unit_test(unmerged_leaves_are_handled_or_not),
        cmocka_unit_test(application_data_is_updated_or_not),
        cmocka_unit_test(who_leaves_is_removed_or_not),
        cmocka_unit_test(grease_is_put_in_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, print_failures);
}
