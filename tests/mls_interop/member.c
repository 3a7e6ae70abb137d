/* member.c - what a member of a group does: reading it, talking, committing, following commits.
 *
 * A participant keeps its number through all epochs; a runner that asks for the state after a
 * commit gets the same one.
 */
#include "participant.h"

#include <string.h>

enum { EXPORT_LEN_MAX = 255 * 64 };

/* ---- reading ---- */

xmtp_status group_info(interop_call *call, const void *request, void *response)
{
    const MlsClient__GroupInfoRequest *q = request;
    MlsClient__GroupInfoResponse *a = response;
    participant *p;
    uint8_t *bytes;
    size_t n;
    XMTP_TRY(find_state(call, q->state_id, &p));
    XMTP_TRY(xmtp_mls_group_info(p->group, !q->external_tree, &bytes, &n, call->error));
    XMTP_TRY(take_bytes(call, bytes, n, &a->group_info));
    a->has_group_info = true;
    if (q->external_tree) {
        XMTP_TRY(xmtp_mls_group_ratchet_tree(p->group, &bytes, &n, call->error));
        XMTP_TRY(take_bytes(call, bytes, n, &a->ratchet_tree));
        a->has_ratchet_tree = true;
    }
    return XMTP_OK;
}

xmtp_status state_auth(interop_call *call, const void *request, void *response)
{
    const MlsClient__StateAuthRequest *q = request;
    MlsClient__StateAuthResponse *a = response;
    participant *p;
    XMTP_TRY(find_state(call, q->state_id, &p));
    a->has_state_auth_secret = true;
    return put_authenticator(call, p, &a->state_auth_secret);
}

xmtp_status export_secret(interop_call *call, const void *request, void *response)
{
    const MlsClient__ExportRequest *q = request;
    MlsClient__ExportResponse *a = response;
    participant *p;
    uint8_t *out;
    XMTP_TRY(find_state(call, q->state_id, &p));
    if (q->key_length > EXPORT_LEN_MAX) {
        return xmtp_fail(call->error, XMTP_E_LENGTH, "%u bytes cannot be exported",
                         (unsigned)q->key_length);
    }
    XMTP_TRY(xmtp_arena_take(&call->arena, q->key_length, (void **)&out));
    XMTP_TRY(xmtp_mls_group_export(p->group, q->label == NULL ? "" : q->label,
                                   xmtp_proto_bytes(q->context), out, q->key_length));
    a->has_exported_secret = true;
    a->exported_secret = (ProtobufCBinaryData){.data = out, .len = q->key_length};
    return XMTP_OK;
}

xmtp_status store_psk(interop_call *call, const void *request, void *response)
{
    const MlsClient__StorePSKRequest *q = request;
    participant *p;
    (void)response;
    XMTP_TRY(find_participant(call, q->state_or_transaction_id, &p));
    return add_psk(call, p, q->psk_id, q->psk_secret);
}

/* ---- messages ---- */

xmtp_status protect(interop_call *call, const void *request, void *response)
{
    const MlsClient__ProtectRequest *q = request;
    MlsClient__ProtectResponse *a = response;
    participant *p;
    xmtp_bytes message;
    XMTP_TRY(find_state(call, q->state_id, &p));
    XMTP_TRY(xmtp_mls_group_protect(p->group, xmtp_proto_bytes(q->authenticated_data),
                                    xmtp_proto_bytes(q->plaintext), &message, fresh_writes(call),
                                    call->error));
    a->has_ciphertext = true;
    return put_bytes(call, message, &a->ciphertext);
}

/* Processes a message that must hold this, and merges it; staged is consumed. look may be NULL. */
static xmtp_status take_message(interop_call *call, participant *p, ProtobufCBinaryData message,
                                xmtp_mls_content_type wanted,
                                xmtp_status (*look)(interop_call *call,
                                                    const xmtp_mls_staged *staged, void *answer),
                                void *answer)
{
    xmtp_mls_staged *staged;
    xmtp_status status = XMTP_OK;
    XMTP_TRY(xmtp_mls_group_process(p->group, xmtp_proto_bytes(message), &staged, call->error));
    xmtp_mls_content_type type = xmtp_mls_staged_content_type(staged);
    if (type != wanted) {
        status = xmtp_fail(call->error, XMTP_E_WIRE_FORMAT, "content of type %d where %d belongs",
                           (int)type, (int)wanted);
    } else if (look != NULL) {
        status = look(call, staged, answer);
    }
    if (status != XMTP_OK) {
        xmtp_mls_staged_free(staged);
        return status;
    }
    return xmtp_mls_group_merge(p->group, staged, fresh_writes(call), call->error);
}

static xmtp_status put_content(interop_call *call, const xmtp_mls_staged *staged, void *answer)
{
    MlsClient__UnprotectResponse *a = answer;
    a->has_authenticated_data = true;
    a->has_plaintext = true;
    XMTP_TRY(put_bytes(call, xmtp_mls_staged_authenticated_data(staged), &a->authenticated_data));
    return put_bytes(call, xmtp_mls_staged_application_data(staged), &a->plaintext);
}

xmtp_status unprotect(interop_call *call, const void *request, void *response)
{
    const MlsClient__UnprotectRequest *q = request;
    participant *p;
    XMTP_TRY(find_state(call, q->state_id, &p));
    return take_message(call, p, q->ciphertext, XMTP_MLS_CONTENT_APPLICATION, put_content,
                        response);
}

/* ---- making commits ---- */

/* Our own are kept already, and so is what an earlier attempt has taken. */
static xmtp_status take_proposals(interop_call *call, participant *p,
                                  const ProtobufCBinaryData *messages, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        xmtp_status status =
            take_message(call, p, messages[i], XMTP_MLS_CONTENT_PROPOSAL, NULL, NULL);
        if (status != XMTP_OK && status != XMTP_E_OWN_MESSAGE && status != XMTP_E_KEY_CONSUMED) {
            return status;
        }
    }
    return XMTP_OK;
}

static xmtp_status put_tree_after(interop_call *call, const participant *p,
                                  ProtobufCBinaryData *tree)
{
    xmtp_mls_staged *staged;
    uint8_t *bytes;
    size_t n;
    XMTP_TRY(xmtp_mls_group_stage_pending(p->group, p->pending, &staged, call->error));
    xmtp_status status = xmtp_mls_staged_ratchet_tree(staged, &bytes, &n, call->error);
    xmtp_mls_staged_free(staged);
    XMTP_TRY(status);
    return take_bytes(call, bytes, n, tree);
}

xmtp_status make_commit(interop_call *call, participant *p, xmtp_mls_commit_options *options,
                        bool force_path, ProtobufCBinaryData *tree)
{
    xmtp_mls_pending *pending = NULL;
    options->without_tree = tree != NULL;
    options->without_path = !force_path;
    xmtp_status status = xmtp_mls_group_commit(p->group, options, &pending, call->error);
    if (status == XMTP_E_PATH_REQUIRED) {
        options->without_path = false;
        status = xmtp_mls_group_commit(p->group, options, &pending, call->error);
    }
    XMTP_TRY(status);
    xmtp_mls_pending_free(p->pending);
    p->pending = pending;
    return tree == NULL ? XMTP_OK : put_tree_after(call, p, tree);
}

static xmtp_status list_by_value(interop_call *call, const participant *p,
                                 const MlsClient__CommitRequest *q,
                                 xmtp_mls_commit_options *options)
{
    const group_view view = view_of(p);
    xmtp_mls_proposal *list;
    XMTP_TRY(xmtp_arena_take_array(&call->arena, q->n_by_value, sizeof *list, (void **)&list));
    for (size_t i = 0; i < q->n_by_value; i++) {
        XMTP_TRY(proposal_in(call, q->by_value[i], &view, &list[i]));
    }
    options->proposals = list;
    options->proposal_count = q->n_by_value;
    return XMTP_OK;
}

/* All that were kept: those of the request, and our own. */
static xmtp_status list_references(interop_call *call, const participant *p,
                                   xmtp_mls_commit_options *options)
{
    const size_t count = xmtp_mls_group_kept_count(p->group);
    xmtp_mls_ref *list;
    XMTP_TRY(xmtp_arena_take_array(&call->arena, count, sizeof *list, (void **)&list));
    for (size_t i = 0; i < count; i++) {
        list[i] = xmtp_mls_group_kept_ref(p->group, i);
    }
    options->references = list;
    options->reference_count = count;
    return XMTP_OK;
}

xmtp_status commit(interop_call *call, const void *request, void *response)
{
    const MlsClient__CommitRequest *q = request;
    MlsClient__CommitResponse *a = response;
    xmtp_mls_commit_options options = {0};
    participant *p;
    XMTP_TRY(find_state(call, q->state_id, &p));
    XMTP_TRY(take_proposals(call, p, q->by_reference, q->n_by_reference));
    XMTP_TRY(list_by_value(call, p, q, &options));
    XMTP_TRY(list_references(call, p, &options));
    XMTP_TRY(
        make_commit(call, p, &options, q->force_path, q->external_tree ? &a->ratchet_tree : NULL));
    a->has_ratchet_tree = q->external_tree;
    a->has_commit = true;
    XMTP_TRY(put_bytes(call, xmtp_mls_pending_message(p->pending), &a->commit));
    const xmtp_bytes welcome = xmtp_mls_pending_welcome(p->pending);
    a->has_welcome = welcome.n > 0;
    return put_bytes(call, welcome, &a->welcome);
}

/* ---- following commits ---- */

xmtp_status merge_pending(interop_call *call, participant *p)
{
    xmtp_mls_staged *staged;
    if (p->pending == NULL) {
        return xmtp_fail(call->error, XMTP_E_STATE, "%u has made no commit", (unsigned)p->number);
    }
    XMTP_TRY(xmtp_mls_group_stage_pending(p->group, p->pending, &staged, call->error));
    xmtp_mls_pending_free(p->pending);
    p->pending = NULL;
    return xmtp_mls_group_merge(p->group, staged, fresh_writes(call), call->error);
}

static xmtp_status follow_commit(interop_call *call, participant *p,
                                 const MlsClient__HandleCommitRequest *q)
{
    if (p->pending != NULL &&
        xmtp_bytes_equal(xmtp_mls_pending_message(p->pending), xmtp_proto_bytes(q->commit))) {
        return merge_pending(call, p);
    }
    XMTP_TRY(take_proposals(call, p, q->proposal, q->n_proposal));
    XMTP_TRY(take_message(call, p, q->commit, XMTP_MLS_CONTENT_COMMIT, NULL, NULL));
    xmtp_mls_pending_free(p->pending); /* it lost */
    p->pending = NULL;
    return xmtp_mls_group_is_active(p->group)
               ? XMTP_OK
               : xmtp_fail(call->error, XMTP_E_REMOVED, "the commit removes %u",
                           (unsigned)p->number);
}

static xmtp_status put_new_epoch(interop_call *call, const participant *p,
                                 MlsClient__HandleCommitResponse *a)
{
    a->has_state_id = true;
    a->state_id = p->number;
    a->has_epoch_authenticator = true;
    return put_authenticator(call, p, &a->epoch_authenticator);
}

xmtp_status handle_commit(interop_call *call, const void *request, void *response)
{
    const MlsClient__HandleCommitRequest *q = request;
    participant *p;
    XMTP_TRY(find_state(call, q->state_id, &p));
    XMTP_TRY(follow_commit(call, p, q));
    return put_new_epoch(call, p, response);
}

xmtp_status handle_pending_commit(interop_call *call, const void *request, void *response)
{
    const MlsClient__HandlePendingCommitRequest *q = request;
    participant *p;
    XMTP_TRY(find_state(call, q->state_id, &p));
    XMTP_TRY(merge_pending(call, p));
    return put_new_epoch(call, p, response);
}

/* ---- the end of a group ---- */

/* A key package for the group that comes, of the same identity. */
static xmtp_status put_successor(interop_call *call, const participant *p,
                                 MlsClient__HandleReInitCommitResponse *a)
{
    xmtp_mls_reinit reinit;
    ProtobufCBinaryData identity;
    participant *next;
    if (!xmtp_mls_group_reinit(p->group, &reinit)) {
        return xmtp_fail(call->error, XMTP_E_STATE, "the commit of %u re-initialises nothing",
                         (unsigned)p->number);
    }
    XMTP_TRY(own_identity(call, p, &identity));
    XMTP_TRY(add_participant(call, reinit.suite, identity, &next));
    next->parent = p->number;
    next->is_encrypted = p->is_encrypted;
    a->has_reinit_id = true;
    a->reinit_id = next->number;
    a->has_key_package = true;
    a->has_epoch_authenticator = true;
    XMTP_TRY(make_key_package(call, next, &a->key_package));
    return put_authenticator(call, p, &a->epoch_authenticator);
}

xmtp_status handle_reinit_commit(interop_call *call, const void *request, void *response)
{
    const MlsClient__HandleCommitRequest *q = request;
    participant *p;
    XMTP_TRY(find_state(call, q->state_id, &p));
    XMTP_TRY(follow_commit(call, p, q));
    return put_successor(call, p, response);
}

xmtp_status handle_pending_reinit_commit(interop_call *call, const void *request, void *response)
{
    const MlsClient__HandlePendingCommitRequest *q = request;
    participant *p;
    XMTP_TRY(find_state(call, q->state_id, &p));
    XMTP_TRY(merge_pending(call, p));
    return put_successor(call, p, response);
}
