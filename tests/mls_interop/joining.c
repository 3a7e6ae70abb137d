/* joining.c - the ways into a group: creating, a welcome, an external commit, and the groups that
 * continue others (branch, re-initialisation). */
#include "participant.h"

#include <string.h>

static void consume_key_package(participant *p)
{
    const xmtp_alloc *alloc = p->alloc;
    p->key_package = alloc->reallocate(alloc->context, p->key_package, 0);
    xmtp_mls_key_package_private_wipe(&p->private_keys);
}

/* ---- creating ---- */

typedef struct new_group {
    xmtp_bytes group_id;
    const xmtp_mls_extension *extensions;
    size_t extension_count;
} new_group;

static xmtp_status found(interop_call *call, participant *p, const new_group *g)
{
    const xmtp_mls_config config = config_of(call, p);
    const xmtp_mls_create_options options = {.suite = p->suite,
                                             .group_id = g->group_id,
                                             .signer = signer_of(p),
                                             .capabilities = capabilities(),
                                             .context_extensions = g->extensions,
                                             .context_extension_count = g->extension_count};
    return xmtp_mls_group_create(&p->group, &config, &options, fresh_writes(call), call->error);
}

xmtp_status create_group(interop_call *call, const void *request, void *response)
{
    const MlsClient__CreateGroupRequest *q = request;
    MlsClient__CreateGroupResponse *a = response;
    participant *p;
    XMTP_TRY(add_participant(call, q->cipher_suite, q->identity, &p));
    p->is_encrypted = q->encrypt_handshake;
    const new_group g = {.group_id = xmtp_proto_bytes(q->group_id)};
    xmtp_status status = found(call, p, &g);
    if (status != XMTP_OK) {
        drop_participant(call->client, p);
        return status;
    }
    a->has_state_id = true;
    a->state_id = p->number;
    return XMTP_OK;
}

/* ---- key packages and welcomes ---- */

xmtp_status create_key_package(interop_call *call, const void *request, void *response)
{
    const MlsClient__CreateKeyPackageRequest *q = request;
    MlsClient__CreateKeyPackageResponse *a = response;
    participant *p;
    XMTP_TRY(add_participant(call, q->cipher_suite, q->identity, &p));
    XMTP_TRY(make_key_package(call, p, &a->key_package));
    a->has_transaction_id = true;
    a->transaction_id = p->number;
    a->has_key_package = true;
    a->has_init_priv = a->has_encryption_priv = a->has_signature_priv = true;
    return put_private_keys(call, p, &a->init_priv, &a->encryption_priv, &a->signature_priv);
}

/* The participant's key package becomes its group. */
static xmtp_status join(interop_call *call, participant *p, ProtobufCBinaryData welcome,
                        ProtobufCBinaryData ratchet_tree, const xmtp_mls_group *parent)
{
    const xmtp_mls_config config = config_of(call, p);
    const xmtp_mls_join_options options = {.welcome = xmtp_proto_bytes(welcome),
                                           .key_package =
                                               xmtp_bytes_of(p->key_package, p->key_package_len),
                                           .private_keys = &p->private_keys,
                                           .signer = signer_of(p),
                                           .ratchet_tree = xmtp_proto_bytes(ratchet_tree),
                                           .parent = parent};
    XMTP_TRY(
        xmtp_mls_group_join(&p->group, &config, &options, NULL, fresh_writes(call), call->error));
    consume_key_package(p);
    return XMTP_OK;
}

static xmtp_status put_joined(interop_call *call, const participant *p,
                              MlsClient__JoinGroupResponse *a)
{
    a->has_state_id = true;
    a->state_id = p->number;
    a->has_epoch_authenticator = true;
    return put_authenticator(call, p, &a->epoch_authenticator);
}

xmtp_status join_group(interop_call *call, const void *request, void *response)
{
    const MlsClient__JoinGroupRequest *q = request;
    participant *p;
    XMTP_TRY(find_joiner(call, q->transaction_id, &p));
    p->is_encrypted = q->encrypt_handshake;
    XMTP_TRY(join(call, p, q->welcome, q->ratchet_tree, NULL));
    return put_joined(call, p, response);
}

/* ---- external commits ---- */

static xmtp_status list_psks(interop_call *call, participant *p,
                             const MlsClient__ExternalJoinRequest *q, const xmtp_mls_psk **out)
{
    xmtp_mls_psk *psks;
    XMTP_TRY(xmtp_arena_take_array(&call->arena, q->n_psks, sizeof *psks, (void **)&psks));
    for (size_t i = 0; i < q->n_psks; i++) {
        XMTP_TRY(add_psk(call, p, q->psks[i]->psk_id, q->psks[i]->psk_secret));
        psks[i] = (xmtp_mls_psk){.type = XMTP_MLS_PSK_EXTERNAL,
                                 .id = xmtp_proto_bytes(q->psks[i]->psk_id)};
    }
    *out = psks;
    return XMTP_OK;
}

static xmtp_status enter(interop_call *call, participant *p,
                         const MlsClient__ExternalJoinRequest *q, xmtp_bytes tree,
                         MlsClient__ExternalJoinResponse *a)
{
    const xmtp_mls_config config = config_of(call, p);
    xmtp_mls_external_options options = {.group_info = xmtp_proto_bytes(q->group_info),
                                         .ratchet_tree = xmtp_proto_bytes(q->ratchet_tree),
                                         .signer = signer_of(p),
                                         .capabilities = capabilities(),
                                         .remove = XMTP_MLS_NO_LEAF,
                                         .psk_count = q->n_psks};
    uint8_t *message;
    size_t n;
    if (q->remove_prior) {
        uint32_t leaf;
        XMTP_TRY(find_leaf(call, tree, q->identity, &leaf));
        options.remove = leaf;
    }
    XMTP_TRY(list_psks(call, p, q, &options.psks));
    XMTP_TRY(xmtp_mls_group_join_external(&p->group, &config, &options, &message, &n,
                                          fresh_writes(call), call->error));
    a->has_commit = true;
    XMTP_TRY(take_bytes(call, message, n, &a->commit));
    a->has_state_id = true;
    a->state_id = p->number;
    a->has_epoch_authenticator = true;
    return put_authenticator(call, p, &a->epoch_authenticator);
}

xmtp_status external_join(interop_call *call, const void *request, void *response)
{
    const MlsClient__ExternalJoinRequest *q = request;
    xmtp_mls_group_info_view view;
    participant *p;
    XMTP_TRY(xmtp_mls_group_info_inspect(xmtp_proto_bytes(q->group_info), &view, call->error));
    XMTP_TRY(add_participant(call, view.suite, q->identity, &p));
    p->is_encrypted = q->encrypt_handshake;
    const xmtp_bytes tree =
        view.ratchet_tree.n > 0 ? view.ratchet_tree : xmtp_proto_bytes(q->ratchet_tree);
    xmtp_status status = enter(call, p, q, tree, response);
    if (status != XMTP_OK) {
        drop_participant(call->client, p);
    }
    return status;
}

/* ---- groups that continue others ---- */

typedef struct succession {
    const xmtp_mls_group *parent;
    new_group group;
    const ProtobufCBinaryData *key_packages;
    size_t key_package_count;
    bool force_path;
    bool external_tree;
} succession;

static xmtp_status list_adds(interop_call *call, const succession *s,
                             xmtp_mls_commit_options *options)
{
    xmtp_bytes *add;
    XMTP_TRY(xmtp_arena_take_array(&call->arena, s->key_package_count, sizeof *add, (void **)&add));
    for (size_t i = 0; i < s->key_package_count; i++) {
        XMTP_TRY(key_package_in(call, s->key_packages[i], &add[i]));
    }
    options->add = add;
    options->add_count = s->key_package_count;
    return XMTP_OK;
}

/* Founds the group and brings everybody in with its first commit. */
static xmtp_status succeed(interop_call *call, participant *p, const succession *s,
                           MlsClient__CreateSubgroupResponse *a)
{
    xmtp_mls_commit_options options = {.parent = s->parent};
    XMTP_TRY(found(call, p, &s->group));
    XMTP_TRY(list_adds(call, s, &options));
    XMTP_TRY(
        make_commit(call, p, &options, s->force_path, s->external_tree ? &a->ratchet_tree : NULL));
    a->has_ratchet_tree = s->external_tree;
    a->has_welcome = true;
    XMTP_TRY(put_bytes(call, xmtp_mls_pending_welcome(p->pending), &a->welcome));
    XMTP_TRY(merge_pending(call, p));
    a->has_state_id = true;
    a->state_id = p->number;
    a->has_epoch_authenticator = true;
    return put_authenticator(call, p, &a->epoch_authenticator);
}

xmtp_status create_branch(interop_call *call, const void *request, void *response)
{
    const MlsClient__CreateBranchRequest *q = request;
    ProtobufCBinaryData identity;
    participant *parent, *p;
    XMTP_TRY(find_state(call, q->state_id, &parent));
    succession s = {
        .parent = parent->group,
        .group = {.group_id = xmtp_proto_bytes(q->group_id), .extension_count = q->n_extensions},
        .key_packages = q->key_packages,
        .key_package_count = q->n_key_packages,
        .force_path = q->force_path,
        .external_tree = q->external_tree};
    XMTP_TRY(extensions_in(call, q->extensions, q->n_extensions, &s.group.extensions));
    XMTP_TRY(own_identity(call, parent, &identity));
    XMTP_TRY(add_participant(call, parent->suite, identity, &p));
    p->is_encrypted = parent->is_encrypted;
    xmtp_status status = succeed(call, p, &s, response);
    if (status != XMTP_OK) {
        drop_participant(call->client, p);
    }
    return status;
}

xmtp_status handle_branch(interop_call *call, const void *request, void *response)
{
    const MlsClient__HandleBranchRequest *q = request;
    MlsClient__HandleBranchResponse *a = response;
    participant *parent, *p;
    XMTP_TRY(find_state(call, q->state_id, &parent));
    XMTP_TRY(find_joiner(call, q->transaction_id, &p));
    p->is_encrypted = parent->is_encrypted;
    XMTP_TRY(join(call, p, q->welcome, q->ratchet_tree, parent->group));
    a->has_state_id = true;
    a->state_id = p->number;
    a->has_epoch_authenticator = true;
    return put_authenticator(call, p, &a->epoch_authenticator);
}

static xmtp_status find_successor(interop_call *call, uint32_t number, participant **p,
                                  participant **parent)
{
    XMTP_TRY(find_joiner(call, number, p));
    return find_state(call, (*p)->parent, parent);
}

/* The welcomer joins nothing: it founds, with the keys of its key package's signature. */
xmtp_status reinit_welcome(interop_call *call, const void *request, void *response)
{
    const MlsClient__ReInitWelcomeRequest *q = request;
    participant *parent, *p;
    xmtp_mls_reinit reinit;
    succession s = {.key_packages = q->key_package,
                    .key_package_count = q->n_key_package,
                    .force_path = q->force_path,
                    .external_tree = q->external_tree};
    XMTP_TRY(find_successor(call, q->reinit_id, &p, &parent));
    if (!xmtp_mls_group_reinit(parent->group, &reinit)) {
        return xmtp_fail(call->error, XMTP_E_STATE, "%u was not re-initialised",
                         (unsigned)p->parent);
    }
    XMTP_TRY(extensions_of(call, reinit.extensions, &s.group.extensions, &s.group.extension_count));
    s.parent = parent->group;
    s.group.group_id = reinit.group_id;
    XMTP_TRY(succeed(call, p, &s, response));
    consume_key_package(p);
    return XMTP_OK;
}

xmtp_status handle_reinit_welcome(interop_call *call, const void *request, void *response)
{
    const MlsClient__HandleReInitWelcomeRequest *q = request;
    participant *parent, *p;
    XMTP_TRY(find_successor(call, q->reinit_id, &p, &parent));
    XMTP_TRY(join(call, p, q->welcome, q->ratchet_tree, parent->group));
    return put_joined(call, p, response);
}
