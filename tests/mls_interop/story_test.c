/* story_test.c - the interop client as the working group's runner would drive it: a group through
 * creation, joins, commits, external joins and proposals, a branch and a re-initialisation, in every
 * suite, with private and with public handshakes; then once over a socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mls/group_world.h"
#include "participant.h"
#include "rpc/grpc_transport.h"
#include "server.h"

#include <pthread.h>

enum { ALICE, BOB, CAROL, MEMBERS, STORY_MEMORY_MAX = 64 << 20 };

static const char *const names[] = {"alice", "bob", "carol"};

typedef struct runner {
    world_env world;
    interop_client *client;
    xmtp_arena arena;
    xmtp_error error;
    uint32_t suite;
    bool is_encrypted;
    uint32_t state[MEMBERS];
    ProtobufCBinaryData authenticator; /* of the last step; every member must have it */
} runner;

static void runner_open(runner *r, uint32_t suite, bool is_encrypted)
{
    *r = (runner){.suite = suite, .is_encrypted = is_encrypted};
    world_env_init(&r->world, suite);
    xmtp_arena_init(&r->arena, &r->world.env.alloc, STORY_MEMORY_MAX);
    assert_int_equal(interop_client_new(&r->client, &r->world.env), XMTP_OK);
}

static void runner_close(runner *r)
{
    interop_client_free(r->client);
    xmtp_arena_reset(&r->arena);
}

static const ProtobufCMethodDescriptor *method_of(const char *name)
{
    for (unsigned i = 0; i < mls_client__mlsclient__descriptor.n_methods; i++) {
        if (strcmp(mls_client__mlsclient__descriptor.methods[i].name, name) == 0) {
            return &mls_client__mlsclient__descriptor.methods[i];
        }
    }
    fail_msg("no method %s", name);
    return NULL;
}

static xmtp_status try_call(runner *r, const char *name, const void *request, const void **answer)
{
    char path[128];
    void *decoded;
    xmtp_writer in, out;
    const ProtobufCMethodDescriptor *method = method_of(name);
    snprintf(path, sizeof path, INTEROP_PATH_PREFIX "%s", name);
    xmtp_writer_init(&in, &r->world.env.alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&out, &r->world.env.alloc, XMTP_WRITER_MAX);
    assert_int_equal(xmtp_proto_encode(request, &in), XMTP_OK);
    xmtp_status status =
        interop_client_call(r->client, path, xmtp_writer_bytes(&in), &out, &r->error);
    if (status == XMTP_OK) {
        assert_int_equal(
            xmtp_proto_decode(method->output, &r->arena, xmtp_writer_bytes(&out), &decoded),
            XMTP_OK);
        *answer = decoded;
    }
    xmtp_writer_free(&in);
    xmtp_writer_free(&out);
    return status;
}

static const void *call(runner *r, const char *name, const void *request)
{
    const void *answer = NULL;
    xmtp_status status = try_call(r, name, request, &answer);
    if (status != XMTP_OK) {
        fail_msg("suite %u: %s: %s: %s", (unsigned)r->suite, name, xmtp_status_name(status),
                 r->error.text);
    }
    return answer;
}

static ProtobufCBinaryData text(const char *s)
{
    return xmtp_proto_data(xmtp_bytes_of_string(s));
}

static void assert_same(ProtobufCBinaryData a, ProtobufCBinaryData b)
{
    assert_true(a.len > 0 && xmtp_bytes_equal(xmtp_proto_bytes(a), xmtp_proto_bytes(b)));
}

/* ---- steps ---- */

static const MlsClient__CreateKeyPackageResponse *key_package(runner *r, const char *name)
{
    MlsClient__CreateKeyPackageRequest q = MLS_CLIENT__CREATE_KEY_PACKAGE_REQUEST__INIT;
    q.has_cipher_suite = q.has_identity = true;
    q.cipher_suite = r->suite;
    q.identity = text(name);
    return call(r, "CreateKeyPackage", &q);
}

static void join(runner *r, int who, uint32_t transaction, ProtobufCBinaryData welcome,
                 ProtobufCBinaryData tree)
{
    MlsClient__JoinGroupRequest q = MLS_CLIENT__JOIN_GROUP_REQUEST__INIT;
    q.has_transaction_id = q.has_welcome = q.has_encrypt_handshake = q.has_ratchet_tree = true;
    q.transaction_id = transaction;
    q.welcome = welcome;
    q.ratchet_tree = tree;
    q.encrypt_handshake = r->is_encrypted;
    const MlsClient__JoinGroupResponse *a = call(r, "JoinGroup", &q);
    assert_same(a->epoch_authenticator, r->authenticator);
    r->state[who] = a->state_id;
}

static const MlsClient__CommitResponse *commit_with(runner *r, int who, MlsClient__CommitRequest *q)
{
    q->has_state_id = true;
    q->state_id = r->state[who];
    return call(r, "Commit", q);
}

static void confirm(runner *r, int who)
{
    MlsClient__HandlePendingCommitRequest q = MLS_CLIENT__HANDLE_PENDING_COMMIT_REQUEST__INIT;
    q.has_state_id = true;
    q.state_id = r->state[who];
    const MlsClient__HandleCommitResponse *a = call(r, "HandlePendingCommit", &q);
    r->authenticator = a->epoch_authenticator;
    r->state[who] = a->state_id;
}

static void follow(runner *r, int who, const MlsClient__CommitRequest *made,
                   ProtobufCBinaryData commit)
{
    MlsClient__HandleCommitRequest q = MLS_CLIENT__HANDLE_COMMIT_REQUEST__INIT;
    q.has_state_id = q.has_commit = true;
    q.state_id = r->state[who];
    q.commit = commit;
    q.n_proposal = made == NULL ? 0 : made->n_by_reference;
    q.proposal = made == NULL ? NULL : made->by_reference;
    const MlsClient__HandleCommitResponse *a = call(r, "HandleCommit", &q);
    assert_same(a->epoch_authenticator, r->authenticator);
    r->state[who] = a->state_id;
}

/* alice commits, and all three are there again. */
static void commit_by_all(runner *r, MlsClient__CommitRequest *q)
{
    const MlsClient__CommitResponse *a = commit_with(r, ALICE, q);
    confirm(r, ALICE);
    follow(r, BOB, q, a->commit);
    follow(r, CAROL, q, a->commit);
}

static MlsClient__ProposalDescription description(const char *type)
{
    MlsClient__ProposalDescription d = MLS_CLIENT__PROPOSAL_DESCRIPTION__INIT;
    d.has_proposal_type = true;
    d.proposal_type = text(type);
    return d;
}

/* alice with bob, added by value, the tree apart. */
static void found(runner *r)
{
    MlsClient__CreateGroupRequest q = MLS_CLIENT__CREATE_GROUP_REQUEST__INIT;
    q.has_group_id = q.has_cipher_suite = q.has_encrypt_handshake = q.has_identity = true;
    q.group_id = text("the group");
    q.cipher_suite = r->suite;
    q.encrypt_handshake = r->is_encrypted;
    q.identity = text(names[ALICE]);
    r->state[ALICE] =
        ((const MlsClient__CreateGroupResponse *)call(r, "CreateGroup", &q))->state_id;
    const MlsClient__CreateKeyPackageResponse *bob = key_package(r, names[BOB]);
    assert_true(bob->init_priv.len > 0 && bob->encryption_priv.len > 0 &&
                bob->signature_priv.len > 0);
    MlsClient__ProposalDescription add = description("add");
    MlsClient__ProposalDescription *list[] = {&add};
    MlsClient__CommitRequest c = MLS_CLIENT__COMMIT_REQUEST__INIT;
    add.has_key_package = c.has_external_tree = c.external_tree = true;
    add.key_package = bob->key_package;
    c.by_value = list;
    c.n_by_value = 1;
    const MlsClient__CommitResponse *a = commit_with(r, ALICE, &c);
    assert_true(a->ratchet_tree.len > 0);
    confirm(r, ALICE);
    join(r, BOB, bob->transaction_id, a->welcome, a->ratchet_tree);
}

static const MlsClient__GroupInfoResponse *info_of(runner *r, int who, bool external_tree)
{
    MlsClient__GroupInfoRequest q = MLS_CLIENT__GROUP_INFO_REQUEST__INIT;
    q.has_state_id = q.has_external_tree = true;
    q.state_id = r->state[who];
    q.external_tree = external_tree;
    return call(r, "GroupInfo", &q);
}

/* carol comes by herself. */
static void enter(runner *r, bool external_tree, bool remove_prior, MlsClient__PreSharedKey *psk)
{
    const MlsClient__GroupInfoResponse *info = info_of(r, BOB, external_tree);
    MlsClient__ExternalJoinRequest q = MLS_CLIENT__EXTERNAL_JOIN_REQUEST__INIT;
    q.has_group_info = q.has_ratchet_tree = q.has_identity = q.has_remove_prior = true;
    q.has_encrypt_handshake = true;
    q.group_info = info->group_info;
    q.ratchet_tree = info->ratchet_tree;
    q.encrypt_handshake = r->is_encrypted;
    q.identity = text(names[CAROL]);
    q.remove_prior = remove_prior;
    q.n_psks = psk == NULL ? 0 : 1;
    q.psks = &psk;
    const MlsClient__ExternalJoinResponse *a = call(r, "ExternalJoin", &q);
    r->state[CAROL] = a->state_id;
    r->authenticator = a->epoch_authenticator;
    follow(r, ALICE, NULL, a->commit);
    follow(r, BOB, NULL, a->commit);
}

static void store_psk_for(runner *r, uint32_t number, const char *id)
{
    MlsClient__StorePSKRequest q = MLS_CLIENT__STORE_PSKREQUEST__INIT;
    q.has_state_or_transaction_id = q.has_psk_id = q.has_psk_secret = true;
    q.state_or_transaction_id = number;
    q.psk_id = text(id);
    q.psk_secret = text("0123456789abcdef0123456789abcdef");
    (void)call(r, "StorePSK", &q);
}

static void come_and_come_back(runner *r)
{
    MlsClient__PreSharedKey psk = MLS_CLIENT__PRE_SHARED_KEY__INIT;
    psk.has_psk_id = psk.has_psk_secret = true;
    psk.psk_id = text("a psk");
    psk.psk_secret = text("0123456789abcdef0123456789abcdef");
    store_psk_for(r, r->state[ALICE], "a psk");
    store_psk_for(r, r->state[BOB], "a psk");
    enter(r, true, false, &psk);
    enter(r, false, true, NULL);
}

/* ---- talking ---- */

static void say(runner *r, int from, int to, const char *words)
{
    MlsClient__ProtectRequest q = MLS_CLIENT__PROTECT_REQUEST__INIT;
    MlsClient__UnprotectRequest u = MLS_CLIENT__UNPROTECT_REQUEST__INIT;
    q.has_state_id = q.has_plaintext = q.has_authenticated_data = true;
    q.state_id = r->state[from];
    q.plaintext = text(words);
    q.authenticated_data = text("beside");
    const MlsClient__ProtectResponse *sealed = call(r, "Protect", &q);
    u.has_state_id = u.has_ciphertext = true;
    u.state_id = r->state[to];
    u.ciphertext = sealed->ciphertext;
    const MlsClient__UnprotectResponse *opened = call(r, "Unprotect", &u);
    assert_same(opened->plaintext, q.plaintext);
    assert_same(opened->authenticated_data, q.authenticated_data);
    const void *none;
    assert_int_equal(try_call(r, "Unprotect", &u, &none), XMTP_E_KEY_CONSUMED);
}

static ProtobufCBinaryData secrets_of(runner *r, int who, uint32_t length)
{
    MlsClient__ExportRequest q = MLS_CLIENT__EXPORT_REQUEST__INIT;
    MlsClient__StateAuthRequest s = MLS_CLIENT__STATE_AUTH_REQUEST__INIT;
    static char label[] = "label";
    q.has_state_id = q.has_context = q.has_key_length = s.has_state_id = true;
    q.state_id = s.state_id = r->state[who];
    q.label = label;
    q.context = text("context");
    q.key_length = length;
    const MlsClient__StateAuthResponse *auth = call(r, "StateAuth", &s);
    assert_same(auth->state_auth_secret, r->authenticator);
    const MlsClient__ExportResponse *a = call(r, "Export", &q);
    assert_int_equal(a->exported_secret.len, length);
    return a->exported_secret;
}

static void talk(runner *r)
{
    say(r, ALICE, BOB, "hello, bob");
    say(r, CAROL, ALICE, "hello, alice");
    assert_same(secrets_of(r, ALICE, 77), secrets_of(r, CAROL, 77));
}

/* ---- proposals ---- */

static ProtobufCBinaryData proposal_of(runner *r, const char *name, const void *request)
{
    return ((const MlsClient__ProposalResponse *)call(r, name, request))->proposal;
}

/* Every kind by reference that leaves the three where they are. */
static void commit_by_reference(runner *r)
{
    static uint8_t empty_required[] = {0, 0, 0};
    MlsClient__Extension extension = MLS_CLIENT__EXTENSION__INIT;
    MlsClient__Extension *extensions[] = {&extension};
    extension.has_extension_type = extension.has_extension_data = true;
    extension.extension_type = XMTP_MLS_EXTENSION_REQUIRED_CAPABILITIES;
    extension.extension_data = (ProtobufCBinaryData){.data = empty_required, .len = 3};
    MlsClient__UpdateProposalRequest update = MLS_CLIENT__UPDATE_PROPOSAL_REQUEST__INIT;
    MlsClient__ExternalPSKProposalRequest psk = MLS_CLIENT__EXTERNAL_PSKPROPOSAL_REQUEST__INIT;
    MlsClient__ResumptionPSKProposalRequest old = MLS_CLIENT__RESUMPTION_PSKPROPOSAL_REQUEST__INIT;
    MlsClient__GroupContextExtensionsProposalRequest context =
        MLS_CLIENT__GROUP_CONTEXT_EXTENSIONS_PROPOSAL_REQUEST__INIT;
    update.has_state_id = psk.has_state_id = old.has_state_id = context.has_state_id = true;
    update.state_id = r->state[BOB];
    psk.state_id = old.state_id = context.state_id = r->state[BOB];
    psk.has_psk_id = old.has_epoch_id = true;
    psk.psk_id = text("another");
    old.epoch_id = 3;
    context.extensions = extensions;
    context.n_extensions = 1;
    for (int i = 0; i < MEMBERS; i++) {
        store_psk_for(r, r->state[i], "another");
    }
    ProtobufCBinaryData list[] = {
        proposal_of(r, "UpdateProposal", &update),
        proposal_of(r, "ExternalPSKProposal", &psk),
        proposal_of(r, "ResumptionPSKProposal", &old),
        proposal_of(r, "GroupContextExtensionsProposal", &context),
    };
    MlsClient__CommitRequest c = MLS_CLIENT__COMMIT_REQUEST__INIT;
    c.by_reference = list;
    c.n_by_reference = 4;
    commit_by_all(r, &c);
}

/* carol is removed by bob's proposal and added again by alice's. */
static void leave_and_return(runner *r)
{
    MlsClient__RemoveProposalRequest removal = MLS_CLIENT__REMOVE_PROPOSAL_REQUEST__INIT;
    MlsClient__AddProposalRequest addition = MLS_CLIENT__ADD_PROPOSAL_REQUEST__INIT;
    MlsClient__FreeRequest freed = MLS_CLIENT__FREE_REQUEST__INIT;
    const MlsClient__CreateKeyPackageResponse *carol = key_package(r, names[CAROL]);
    removal.has_state_id = removal.has_removed_id = true;
    removal.state_id = r->state[BOB];
    removal.removed_id = text(names[CAROL]);
    addition.has_state_id = addition.has_key_package = true;
    addition.state_id = r->state[ALICE];
    addition.key_package = carol->key_package;
    ProtobufCBinaryData list[] = {
        proposal_of(r, "RemoveProposal", &removal),
        proposal_of(r, "AddProposal", &addition),
    };
    MlsClient__CommitRequest c = MLS_CLIENT__COMMIT_REQUEST__INIT;
    c.by_reference = list;
    c.n_by_reference = 2;
    c.has_force_path = c.force_path = true;
    const MlsClient__CommitResponse *a = commit_with(r, ALICE, &c);
    confirm(r, ALICE);
    follow(r, BOB, &c, a->commit);
    freed.has_state_id = true;
    freed.state_id = r->state[CAROL];
    (void)call(r, "Free", &freed);
    join(r, CAROL, carol->transaction_id, a->welcome, (ProtobufCBinaryData){0});
}

/* A signer from outside is named, and proposes; a new member proposes itself. */
static void outsiders_propose(runner *r)
{
    MlsClient__CreateExternalSignerRequest create =
        MLS_CLIENT__CREATE_EXTERNAL_SIGNER_REQUEST__INIT;
    MlsClient__AddExternalSignerRequest add = MLS_CLIENT__ADD_EXTERNAL_SIGNER_REQUEST__INIT;
    create.has_cipher_suite = create.has_identity = true;
    create.cipher_suite = r->suite;
    create.identity = text("a service");
    const MlsClient__CreateExternalSignerResponse *signer =
        call(r, "CreateExternalSigner", &create);
    add.has_state_id = add.has_external_sender = true;
    add.state_id = r->state[ALICE];
    add.external_sender = signer->external_sender;
    ProtobufCBinaryData first = proposal_of(r, "AddExternalSigner", &add);
    MlsClient__CommitRequest c = MLS_CLIENT__COMMIT_REQUEST__INIT;
    c.by_reference = &first;
    c.n_by_reference = 1;
    commit_by_all(r, &c);

    MlsClient__NewMemberAddProposalRequest fresh =
        MLS_CLIENT__NEW_MEMBER_ADD_PROPOSAL_REQUEST__INIT;
    MlsClient__ExternalSignerProposalRequest outside =
        MLS_CLIENT__EXTERNAL_SIGNER_PROPOSAL_REQUEST__INIT;
    MlsClient__ProposalDescription removal = description("remove");
    const MlsClient__GroupInfoResponse *info = info_of(r, BOB, true);
    removal.has_removed_id = true;
    removal.removed_id = text(names[CAROL]);
    outside.has_signer_id = outside.has_group_info = outside.has_ratchet_tree = true;
    outside.signer_id = signer->signer_id;
    outside.group_info = info->group_info;
    outside.ratchet_tree = info->ratchet_tree;
    outside.description = &removal;
    fresh.has_group_info = fresh.has_identity = true;
    fresh.group_info = info->group_info;
    fresh.identity = text(names[CAROL]);
    const MlsClient__NewMemberAddProposalResponse *joiner = call(r, "NewMemberAddProposal", &fresh);
    ProtobufCBinaryData list[] = {proposal_of(r, "ExternalSignerProposal", &outside),
                                  joiner->proposal};
    c.by_reference = list;
    c.n_by_reference = 2;
    const MlsClient__CommitResponse *a = commit_with(r, ALICE, &c);
    confirm(r, ALICE);
    follow(r, BOB, &c, a->commit);
    join(r, CAROL, joiner->transaction_id, a->welcome, (ProtobufCBinaryData){0});
}

/* ---- continuing as another group ---- */

static void branch_with_bob(runner *r)
{
    const MlsClient__CreateKeyPackageResponse *bob = key_package(r, names[BOB]);
    ProtobufCBinaryData packages[] = {bob->key_package};
    MlsClient__CreateBranchRequest q = MLS_CLIENT__CREATE_BRANCH_REQUEST__INIT;
    MlsClient__HandleBranchRequest h = MLS_CLIENT__HANDLE_BRANCH_REQUEST__INIT;
    q.has_state_id = q.has_group_id = q.has_external_tree = q.external_tree = true;
    q.state_id = r->state[ALICE];
    q.group_id = text("a branch");
    q.key_packages = packages;
    q.n_key_packages = 1;
    const MlsClient__CreateSubgroupResponse *a = call(r, "CreateBranch", &q);
    h.has_state_id = h.has_transaction_id = h.has_welcome = h.has_ratchet_tree = true;
    h.state_id = r->state[BOB];
    h.transaction_id = bob->transaction_id;
    h.welcome = a->welcome;
    h.ratchet_tree = a->ratchet_tree;
    const MlsClient__HandleBranchResponse *b = call(r, "HandleBranch", &h);
    assert_same(a->epoch_authenticator, b->epoch_authenticator);
}

/* bob proposes, alice commits, carol welcomes the others into a group of another suite. */
static void reinitialise(runner *r, uint32_t next_suite)
{
    MlsClient__ReInitProposalRequest q = MLS_CLIENT__RE_INIT_PROPOSAL_REQUEST__INIT;
    MlsClient__HandlePendingCommitRequest pending = MLS_CLIENT__HANDLE_PENDING_COMMIT_REQUEST__INIT;
    MlsClient__HandleCommitRequest h = MLS_CLIENT__HANDLE_COMMIT_REQUEST__INIT;
    const MlsClient__HandleReInitCommitResponse *ends[MEMBERS];
    q.has_state_id = q.has_cipher_suite = q.has_group_id = true;
    q.state_id = r->state[BOB];
    q.cipher_suite = next_suite;
    q.group_id = text("the next");
    ProtobufCBinaryData proposal = proposal_of(r, "ReInitProposal", &q);
    MlsClient__CommitRequest c = MLS_CLIENT__COMMIT_REQUEST__INIT;
    c.has_state_id = true;
    c.state_id = pending.state_id = r->state[ALICE];
    c.by_reference = &proposal;
    c.n_by_reference = 1;
    const MlsClient__CommitResponse *made = call(r, "ReInitCommit", &c);
    pending.has_state_id = h.has_state_id = h.has_commit = true;
    ends[ALICE] = call(r, "HandlePendingReInitCommit", &pending);
    h.proposal = &proposal;
    h.n_proposal = 1;
    h.commit = made->commit;
    for (int i = BOB; i < MEMBERS; i++) {
        h.state_id = r->state[i];
        ends[i] = call(r, "HandleReInitCommit", &h);
        assert_same(ends[i]->epoch_authenticator, ends[ALICE]->epoch_authenticator);
    }
    ProtobufCBinaryData packages[] = {ends[ALICE]->key_package, ends[BOB]->key_package};
    MlsClient__ReInitWelcomeRequest w = MLS_CLIENT__RE_INIT_WELCOME_REQUEST__INIT;
    MlsClient__HandleReInitWelcomeRequest j = MLS_CLIENT__HANDLE_RE_INIT_WELCOME_REQUEST__INIT;
    w.has_reinit_id = j.has_reinit_id = j.has_welcome = true;
    w.reinit_id = ends[CAROL]->reinit_id;
    w.key_package = packages;
    w.n_key_package = 2;
    const MlsClient__CreateSubgroupResponse *next = call(r, "ReInitWelcome", &w);
    r->state[CAROL] = next->state_id;
    j.welcome = next->welcome;
    for (int i = ALICE; i < CAROL; i++) {
        j.reinit_id = ends[i]->reinit_id;
        const MlsClient__JoinGroupResponse *a = call(r, "HandleReInitWelcome", &j);
        assert_same(a->epoch_authenticator, next->epoch_authenticator);
        r->state[i] = a->state_id;
    }
    r->suite = next_suite;
    r->authenticator = next->epoch_authenticator;
}

static void whole_story(uint32_t suite, bool is_encrypted)
{
    runner r;
    runner_open(&r, suite, is_encrypted);
    found(&r);
    come_and_come_back(&r);
    talk(&r);
    commit_by_reference(&r);
    leave_and_return(&r);
    outsiders_propose(&r);
    branch_with_bob(&r);
    reinitialise(&r, suite % 7 + 1);
    talk(&r);
    runner_close(&r);
}

static void a_group_lives_its_life_in_every_suite(void **state)
{
    (void)state;
    for (uint32_t suite = 1; suite <= 7; suite++) {
        whole_story(suite, true);
        whole_story(suite, false);
    }
}

/* ---- what goes wrong ---- */

static void what_is_not_there_is_refused(void **state)
{
    (void)state;
    runner r;
    const void *none;
    runner_open(&r, 3, true);
    MlsClient__StateAuthRequest auth = MLS_CLIENT__STATE_AUTH_REQUEST__INIT;
    auth.has_state_id = true;
    auth.state_id = 77;
    assert_int_equal(try_call(&r, "StateAuth", &auth, &none), XMTP_E_NOT_FOUND);
    const MlsClient__CreateKeyPackageResponse *bob = key_package(&r, "bob");
    auth.state_id = bob->transaction_id; /* in no group yet */
    assert_int_equal(try_call(&r, "StateAuth", &auth, &none), XMTP_E_NOT_FOUND);
    MlsClient__FreeRequest freed = MLS_CLIENT__FREE_REQUEST__INIT;
    freed.has_state_id = true;
    freed.state_id = bob->transaction_id;
    (void)call(&r, "Free", &freed);
    assert_int_equal(interop_client_count(r.client), 0);
    assert_int_equal(try_call(&r, "Free", &freed, &none), XMTP_E_NOT_FOUND);
    MlsClient__CreateKeyPackageRequest q = MLS_CLIENT__CREATE_KEY_PACKAGE_REQUEST__INIT;
    q.has_cipher_suite = true;
    q.cipher_suite = 99;
    assert_int_equal(try_call(&r, "CreateKeyPackage", &q, &none), XMTP_E_SUITE);
    assert_int_equal(interop_client_count(r.client), 0);
    runner_close(&r);
}

static void a_member_that_is_not_there_cannot_be_removed(void **state)
{
    (void)state;
    runner r;
    const void *none;
    runner_open(&r, 3, false);
    found(&r);
    MlsClient__RemoveProposalRequest q = MLS_CLIENT__REMOVE_PROPOSAL_REQUEST__INIT;
    q.has_state_id = q.has_removed_id = true;
    q.state_id = r.state[ALICE];
    q.removed_id = text("mallory");
    assert_int_equal(try_call(&r, "RemoveProposal", &q, &none), XMTP_E_NOT_FOUND);
    assert_non_null(strstr(r.error.text, "mallory"));
    runner_close(&r);
}

static void requests_that_are_none_are_refused(void **state)
{
    (void)state;
    runner r;
    xmtp_writer out;
    runner_open(&r, 3, true);
    xmtp_writer_init(&out, &r.world.env.alloc, 1000);
    assert_int_equal(interop_client_call(r.client, INTEROP_PATH_PREFIX "Nothing", (xmtp_bytes){0},
                                         &out, &r.error),
                     XMTP_E_UNSUPPORTED);
    assert_int_equal(
        interop_client_call(r.client, "/other.Service/Name", (xmtp_bytes){0}, &out, &r.error),
        XMTP_E_UNSUPPORTED);
    assert_int_equal(interop_client_call(r.client, INTEROP_PATH_PREFIX "CreateGroup",
                                         xmtp_bytes_of("\x0a\x05x", 3), &out, &r.error),
                     XMTP_E_MALFORMED);
    assert_int_equal(out.n, 0);
    xmtp_writer_free(&out);
    runner_close(&r);
}

/* ---- over a socket ---- */

static void *serve(void *server)
{
    interop_server_run(server);
    return NULL;
}

static void calls_come_over_a_socket(void **state)
{
    (void)state;
    const xmtp_env *env = xmtp_env_system();
    interop_client *client;
    interop_server *server;
    xmtp_error error = {0};
    xmtp_transport transport;
    pthread_t thread;
    char url[64];
    xmtp_writer answer;
    assert_int_equal(interop_client_new(&client, env), XMTP_OK);
    assert_int_equal(interop_server_open(&server, client, 0, &error), XMTP_OK);
    assert_int_equal(pthread_create(&thread, NULL, serve, server), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", (unsigned)interop_server_port(server));
    assert_int_equal(xmtp_grpc_transport_open(&transport, url, env, NULL, &error), XMTP_OK);
    xmtp_writer_init(&answer, &env->alloc, XMTP_WRITER_MAX);
    assert_int_equal(transport.unary(transport.context, INTEROP_PATH_PREFIX "Name", (xmtp_bytes){0},
                                     &answer, &error),
                     XMTP_OK);
    assert_true(answer.n > 2 && memcmp(answer.p + 2, "xmtp-mls", 8) == 0);
    assert_int_equal(transport.unary(transport.context, INTEROP_PATH_PREFIX "Nothing",
                                     (xmtp_bytes){0}, &answer, &error),
                     XMTP_E_RPC_UNIMPLEMENTED);
    assert_int_not_equal(transport.unary(transport.context, INTEROP_PATH_PREFIX "StateAuth",
                                         xmtp_bytes_of("\x08\x4d", 2), &answer, &error),
                         XMTP_OK);
    assert_non_null(strstr(error.text, "77"));
    transport.close(transport.context);
    interop_server_stop(server);
    assert_int_equal(pthread_join(thread, NULL), 0);
    interop_server_close(server);
    interop_client_free(client);
    xmtp_writer_free(&answer);
}

static void an_occupied_port_is_told(void **state)
{
    (void)state;
    interop_client *client;
    interop_server *server, *second;
    xmtp_error error = {0};
    assert_int_equal(interop_client_new(&client, xmtp_env_system()), XMTP_OK);
    assert_int_equal(interop_server_open(&server, client, 0, &error), XMTP_OK);
    assert_int_equal(interop_server_open(&second, client, interop_server_port(server), &error),
                     XMTP_E_NETWORK);
    assert_null(second);
    interop_server_close(server);
    interop_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_lives_its_life_in_every_suite),
        cmocka_unit_test(what_is_not_there_is_refused),
        cmocka_unit_test(a_member_that_is_not_there_cannot_be_removed),
        cmocka_unit_test(requests_that_are_none_are_refused),
        cmocka_unit_test(calls_come_over_a_socket),
        cmocka_unit_test(an_occupied_port_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
