/* proposing.c - proposals as a runner describes them, sent by members and from outside. */
#include "participant.h"

#include "base/reader.h"

#include <string.h>

/* ---- who is meant ---- */

group_view view_of(const participant *p)
{
    return (group_view){.group = p->group, .group_id = xmtp_mls_group_id(p->group)};
}

typedef struct wanted_member {
    xmtp_bytes identity;
    bool is_found;
    uint32_t leaf;
} wanted_member;

static xmtp_status is_wanted(void *context, const xmtp_mls_member *member)
{
    wanted_member *wanted = context;
    if (!wanted->is_found && xmtp_bytes_equal(member->identity, wanted->identity)) {
        wanted->is_found = true;
        wanted->leaf = member->leaf;
    }
    return XMTP_OK;
}

xmtp_status find_leaf(interop_call *call, xmtp_bytes ratchet_tree, ProtobufCBinaryData identity,
                      uint32_t *leaf)
{
    wanted_member wanted = {.identity = xmtp_proto_bytes(identity)};
    XMTP_TRY(xmtp_mls_ratchet_tree_each(ratchet_tree, &wanted, is_wanted, call->error));
    *leaf = wanted.leaf;
    return wanted.is_found ? XMTP_OK
                           : xmtp_fail(call->error, XMTP_E_NOT_FOUND, "no member is called %.*s",
                                       (int)(identity.len < 100 ? identity.len : 100),
                                       (const char *)identity.data);
}

static xmtp_status find_leaf_in(interop_call *call, const group_view *view,
                                ProtobufCBinaryData identity, uint32_t *leaf)
{
    ProtobufCBinaryData tree = xmtp_proto_data(view->ratchet_tree);
    if (view->group != NULL) {
        uint8_t *bytes;
        size_t n;
        XMTP_TRY(xmtp_mls_group_ratchet_tree(view->group, &bytes, &n, call->error));
        XMTP_TRY(take_bytes(call, bytes, n, &tree));
    }
    return find_leaf(call, xmtp_proto_bytes(tree), identity, leaf);
}

/* ---- what is meant ---- */

static xmtp_status fill_reinit(interop_call *call, uint32_t suite, ProtobufCBinaryData group_id,
                               MlsClient__Extension *const *extensions, size_t count,
                               xmtp_mls_proposal *out)
{
    if (suite > UINT16_MAX) {
        return xmtp_fail(call->error, XMTP_E_SUITE, "there is no cipher suite %u", (unsigned)suite);
    }
    *out = (xmtp_mls_proposal){.type = XMTP_MLS_PROPOSAL_REINIT,
                               .group_id = xmtp_proto_bytes(group_id),
                               .suite = (uint16_t)suite,
                               .extension_count = count};
    return extensions_in(call, extensions, count, &out->extensions);
}

static xmtp_mls_proposal external_psk(ProtobufCBinaryData id)
{
    return (xmtp_mls_proposal){.type = XMTP_MLS_PROPOSAL_PSK,
                               .psk = {.type = XMTP_MLS_PSK_EXTERNAL, .id = xmtp_proto_bytes(id)}};
}

static xmtp_mls_proposal resumption_psk(xmtp_bytes group_id, uint64_t epoch)
{
    return (xmtp_mls_proposal){.type = XMTP_MLS_PROPOSAL_PSK,
                               .psk = {.type = XMTP_MLS_PSK_RESUMPTION,
                                       .usage = XMTP_MLS_PSK_APPLICATION,
                                       .group_id = group_id,
                                       .epoch = epoch}};
}

static bool is_type(const MlsClient__ProposalDescription *in, const char *type)
{
    return xmtp_bytes_equal(xmtp_proto_bytes(in->proposal_type), xmtp_bytes_of_string(type));
}

xmtp_status proposal_in(interop_call *call, const MlsClient__ProposalDescription *in,
                        const group_view *view, xmtp_mls_proposal *out)
{
    *out = (xmtp_mls_proposal){0};
    if (is_type(in, "add")) {
        out->type = XMTP_MLS_PROPOSAL_ADD;
        return key_package_in(call, in->key_package, &out->key_package);
    }
    if (is_type(in, "remove")) {
        out->type = XMTP_MLS_PROPOSAL_REMOVE;
        return find_leaf_in(call, view, in->removed_id, &out->leaf);
    }
    if (is_type(in, "externalPSK")) {
        *out = external_psk(in->psk_id);
        return XMTP_OK;
    }
    if (is_type(in, "resumptionPSK")) {
        *out = resumption_psk(view->group_id, in->epoch_id);
        return XMTP_OK;
    }
    if (is_type(in, "groupContextExtensions")) {
        out->type = XMTP_MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS;
        out->extension_count = in->n_extensions;
        return extensions_in(call, in->extensions, in->n_extensions, &out->extensions);
    }
    if (is_type(in, "reinit")) {
        return fill_reinit(call, in->cipher_suite, in->group_id, in->extensions, in->n_extensions,
                           out);
    }
    return xmtp_fail(call->error, XMTP_E_UNSUPPORTED, "there are no proposals of type %.*s",
                     (int)(in->proposal_type.len < 100 ? in->proposal_type.len : 100),
                     (const char *)in->proposal_type.data);
}

/* ---- by members ---- */

static xmtp_status propose(interop_call *call, participant *p, const xmtp_mls_proposal *proposal,
                           void *response)
{
    MlsClient__ProposalResponse *a = response;
    xmtp_mls_ref ref;
    uint8_t *message;
    size_t n;
    XMTP_TRY(xmtp_mls_group_propose(p->group, proposal, (xmtp_bytes){0}, &message, &n, &ref,
                                    fresh_writes(call), call->error));
    a->has_proposal = true;
    return take_bytes(call, message, n, &a->proposal);
}

xmtp_status add_proposal(interop_call *call, const void *request, void *response)
{
    const MlsClient__AddProposalRequest *q = request;
    xmtp_mls_proposal proposal = {.type = XMTP_MLS_PROPOSAL_ADD};
    participant *p;
    XMTP_TRY(find_state(call, q->state_id, &p));
    XMTP_TRY(key_package_in(call, q->key_package, &proposal.key_package));
    return propose(call, p, &proposal, response);
}

xmtp_status update_proposal(interop_call *call, const void *request, void *response)
{
    const MlsClient__UpdateProposalRequest *q = request;
    const xmtp_mls_proposal proposal = {.type = XMTP_MLS_PROPOSAL_UPDATE};
    participant *p;
    XMTP_TRY(find_state(call, q->state_id, &p));
    return propose(call, p, &proposal, response);
}

xmtp_status remove_proposal(interop_call *call, const void *request, void *response)
{
    const MlsClient__RemoveProposalRequest *q = request;
    xmtp_mls_proposal proposal = {.type = XMTP_MLS_PROPOSAL_REMOVE};
    participant *p;
    XMTP_TRY(find_state(call, q->state_id, &p));
    const group_view view = view_of(p);
    XMTP_TRY(find_leaf_in(call, &view, q->removed_id, &proposal.leaf));
    return propose(call, p, &proposal, response);
}

xmtp_status external_psk_proposal(interop_call *call, const void *request, void *response)
{
    const MlsClient__ExternalPSKProposalRequest *q = request;
    const xmtp_mls_proposal proposal = external_psk(q->psk_id);
    participant *p;
    XMTP_TRY(find_state(call, q->state_id, &p));
    return propose(call, p, &proposal, response);
}

xmtp_status resumption_psk_proposal(interop_call *call, const void *request, void *response)
{
    const MlsClient__ResumptionPSKProposalRequest *q = request;
    participant *p;
    XMTP_TRY(find_state(call, q->state_id, &p));
    const xmtp_mls_proposal proposal = resumption_psk(xmtp_mls_group_id(p->group), q->epoch_id);
    return propose(call, p, &proposal, response);
}

xmtp_status context_extensions_proposal(interop_call *call, const void *request, void *response)
{
    const MlsClient__GroupContextExtensionsProposalRequest *q = request;
    xmtp_mls_proposal proposal = {.type = XMTP_MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS,
                                  .extension_count = q->n_extensions};
    participant *p;
    XMTP_TRY(find_state(call, q->state_id, &p));
    XMTP_TRY(extensions_in(call, q->extensions, q->n_extensions, &proposal.extensions));
    return propose(call, p, &proposal, response);
}

xmtp_status reinit_proposal(interop_call *call, const void *request, void *response)
{
    const MlsClient__ReInitProposalRequest *q = request;
    xmtp_mls_proposal proposal;
    participant *p;
    XMTP_TRY(find_state(call, q->state_id, &p));
    XMTP_TRY(
        fill_reinit(call, q->cipher_suite, q->group_id, q->extensions, q->n_extensions, &proposal));
    return propose(call, p, &proposal, response);
}

/* ---- from outside ---- */

static xmtp_status propose_from_outside(interop_call *call,
                                        const xmtp_mls_outside_proposal_options *options,
                                        ProtobufCBinaryData *out)
{
    uint8_t *message;
    size_t n;
    XMTP_TRY(xmtp_mls_propose_from_outside(call->client->env, options, &message, &n, call->error));
    return take_bytes(call, message, n, out);
}

xmtp_status new_member_add_proposal(interop_call *call, const void *request, void *response)
{
    const MlsClient__NewMemberAddProposalRequest *q = request;
    MlsClient__NewMemberAddProposalResponse *a = response;
    xmtp_mls_group_info_view view;
    ProtobufCBinaryData message;
    participant *p;
    XMTP_TRY(xmtp_mls_group_info_inspect(xmtp_proto_bytes(q->group_info), &view, call->error));
    XMTP_TRY(add_participant(call, view.suite, q->identity, &p));
    XMTP_TRY(make_key_package(call, p, &message));
    const xmtp_mls_outside_proposal_options options = {
        .suite = view.suite,
        .group_id = view.group_id,
        .epoch = view.epoch,
        .is_new_member = true,
        .signer = signer_of(p),
        .proposal = {.type = XMTP_MLS_PROPOSAL_ADD,
                     .key_package = xmtp_bytes_of(p->key_package, p->key_package_len)}};
    XMTP_TRY(propose_from_outside(call, &options, &a->proposal));
    a->has_transaction_id = true;
    a->transaction_id = p->number;
    a->has_proposal = true;
    a->has_init_priv = a->has_encryption_priv = a->has_signature_priv = true;
    return put_private_keys(call, p, &a->init_priv, &a->encryption_priv, &a->signature_priv);
}

/* ---- external senders (section 12.1.8.1): a signature key, then a credential ---- */

xmtp_status create_external_signer(interop_call *call, const void *request, void *response)
{
    const MlsClient__CreateExternalSignerRequest *q = request;
    MlsClient__CreateExternalSignerResponse *a = response;
    participant *p;
    xmtp_writer w;
    XMTP_TRY(add_participant(call, q->cipher_suite, q->identity, &p));
    xmtp_writer_init(&w, p->alloc, XMTP_WRITER_MAX);
    xmtp_writer_vec(&w, xmtp_bytes_of(p->keys.pk, p->keys.pk_len));
    xmtp_writer_u16(&w, XMTP_MLS_CREDENTIAL_BASIC);
    xmtp_writer_vec(&w, xmtp_proto_bytes(q->identity));
    xmtp_status status = xmtp_writer_status(&w);
    if (status == XMTP_OK) {
        status = put_bytes(call, xmtp_writer_bytes(&w), &a->external_sender);
    }
    xmtp_writer_free(&w);
    a->has_external_sender = true;
    a->has_signer_id = true;
    a->signer_id = p->number;
    return status;
}

/* The list that there is, or the empty one, with one more. */
static xmtp_status append_sender(interop_call *call, xmtp_bytes list, xmtp_bytes sender,
                                 ProtobufCBinaryData *out)
{
    xmtp_reader r = xmtp_reader_of(list);
    xmtp_bytes content = {0};
    xmtp_writer w;
    if (list.n > 0) {
        XMTP_TRY(xmtp_reader_vec(&r, &content));
    }
    xmtp_writer_init(&w, &call->client->env->alloc, XMTP_WRITER_MAX);
    size_t mark = xmtp_writer_vec_open(&w);
    xmtp_writer_put(&w, content);
    xmtp_writer_put(&w, sender);
    xmtp_writer_vec_close(&w, mark);
    xmtp_status status = xmtp_writer_status(&w);
    if (status == XMTP_OK) {
        status = put_bytes(call, xmtp_writer_bytes(&w), out);
    }
    xmtp_writer_free(&w);
    return status;
}

xmtp_status add_external_signer(interop_call *call, const void *request, void *response)
{
    const MlsClient__AddExternalSignerRequest *q = request;
    xmtp_mls_proposal proposal = {.type = XMTP_MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS};
    participant *p;
    ProtobufCBinaryData list;
    xmtp_mls_extension *extensions;
    size_t i;
    XMTP_TRY(find_state(call, q->state_id, &p));
    size_t count = xmtp_mls_group_extension_count(p->group);
    XMTP_TRY(
        xmtp_arena_take_array(&call->arena, count + 1, sizeof *extensions, (void **)&extensions));
    for (i = 0; i < count; i++) {
        extensions[i] = xmtp_mls_group_extension_at(p->group, i);
    }
    for (i = 0; i < count && extensions[i].type != XMTP_MLS_EXTENSION_EXTERNAL_SENDERS;) {
        i++;
    }
    XMTP_TRY(append_sender(call, extensions[i].data, xmtp_proto_bytes(q->external_sender), &list));
    extensions[i] = (xmtp_mls_extension){.type = XMTP_MLS_EXTENSION_EXTERNAL_SENDERS,
                                         .data = xmtp_proto_bytes(list)};
    proposal.extensions = extensions;
    proposal.extension_count = i < count ? count : count + 1;
    return propose(call, p, &proposal, response);
}

/* The place of a key in external_senders. */
static xmtp_status find_sender(interop_call *call, xmtp_bytes extensions, const participant *p,
                               uint32_t *index)
{
    const xmtp_bytes own = xmtp_bytes_of(p->keys.pk, p->keys.pk_len);
    xmtp_bytes data = {0};
    xmtp_reader r, senders = {0};
    (void)xmtp_mls_extensions_find(extensions, XMTP_MLS_EXTENSION_EXTERNAL_SENDERS, &data);
    r = xmtp_reader_of(data);
    if (data.n > 0) {
        XMTP_TRY(xmtp_reader_vec_open(&r, &senders));
    }
    for (*index = 0; senders.n > 0; (*index)++) {
        xmtp_bytes key, identity;
        uint16_t credential_type;
        XMTP_TRY(xmtp_reader_vec(&senders, &key));
        XMTP_TRY(xmtp_reader_u16(&senders, &credential_type));
        XMTP_TRY(xmtp_reader_vec(&senders, &identity));
        if (xmtp_bytes_equal(key, own)) {
            return XMTP_OK;
        }
    }
    return xmtp_fail(call->error, XMTP_E_NOT_FOUND, "the group names no external sender %u",
                     (unsigned)p->number);
}

xmtp_status external_signer_proposal(interop_call *call, const void *request, void *response)
{
    const MlsClient__ExternalSignerProposalRequest *q = request;
    MlsClient__ProposalResponse *a = response;
    xmtp_mls_group_info_view info;
    participant *p;
    if (q->description == NULL) {
        return xmtp_fail(call->error, XMTP_E_ARGUMENT, "no proposal is described");
    }
    XMTP_TRY(find_participant(call, q->signer_id, &p));
    XMTP_TRY(xmtp_mls_group_info_inspect(xmtp_proto_bytes(q->group_info), &info, call->error));
    const group_view view = {.group_id = info.group_id,
                             .ratchet_tree = xmtp_proto_bytes(q->ratchet_tree)};
    xmtp_mls_outside_proposal_options options = {.suite = info.suite,
                                                 .group_id = info.group_id,
                                                 .epoch = info.epoch,
                                                 .signer = signer_of(p)};
    XMTP_TRY(find_sender(call, info.extensions, p, &options.sender_index));
    XMTP_TRY(proposal_in(call, q->description, &view, &options.proposal));
    a->has_proposal = true;
    return propose_from_outside(call, &options, &a->proposal);
}
