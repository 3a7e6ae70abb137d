/* propose.c - proposals that are sent alone, by members and from outside. RFC 9420 section 12.1.
 *
 *     options --> Proposal --> FramedContent --> signature --> PrivateMessage or PublicMessage
 *                                                   \--> kept under its ProposalRef, with the
 *                                                        private key of an Update's leaf
 */
#include "mls/propose.h"

#include "base/bytes.h"
#include "base/status.h"
#include "mls/api_convert.h"
#include "mls/kept.h"
#include "mls/proposals.h"
#include "mls/protect.h"

enum { PROPOSE_MEMORY_MAX = 16 << 20 };

/* ---- from options to a proposal ---- */

xmtp_status xmtp_proposal_settle(const xmtp_proposal *fields, xmtp_arena *arena, xmtp_proposal *out)
{
    xmtp_writer w;
    xmtp_bytes bytes;
    xmtp_writer_init(&w, arena->alloc, XMTP_WRITER_MAX);
    xmtp_proposal_encode(&w, fields);
    XMTP_TRY(xmtp_writer_to_arena(&w, XMTP_OK, arena, &bytes));
    xmtp_reader r = xmtp_reader_of(bytes);
    XMTP_TRY(xmtp_proposal_decode(&r, out));
    return xmtp_reader_end(&r);
}

static xmtp_psk_id psk_id_of(const xmtp_mls_psk *psk, xmtp_bytes nonce)
{
    return (xmtp_psk_id){.type = psk->type,
                         .psk_id = psk->id,
                         .usage = psk->usage,
                         .psk_group_id = psk->group_id,
                         .psk_epoch = psk->epoch,
                         .psk_nonce = nonce};
}

static xmtp_status fill_reinit(const xmtp_mls_proposal *in, xmtp_arena *arena, xmtp_proposal *out)
{
    out->u.reinit.group_id = in->group_id;
    out->u.reinit.version = XMTP_PROTOCOL_MLS10;
    out->u.reinit.cipher_suite = in->suite;
    return xmtp_convert_extensions(arena, in->extensions, in->extension_count,
                                   &out->u.reinit.extensions);
}

static xmtp_status fill(const xmtp_mls_proposal *in, xmtp_bytes nonce, xmtp_arena *arena,
                        xmtp_proposal *out, xmtp_error *error)
{
    out->type = in->type;
    switch (in->type) {
    case XMTP_PROPOSAL_ADD:
        if (xmtp_key_package_of(in->key_package, &out->u.add) != XMTP_OK) {
            return xmtp_fail(error, XMTP_E_KEY_PACKAGE, "key package cannot be read");
        }
        return XMTP_OK;
    case XMTP_PROPOSAL_REMOVE:
        out->u.remove = in->leaf;
        return XMTP_OK;
    case XMTP_PROPOSAL_PSK:
        out->u.psk = psk_id_of(&in->psk, nonce);
        return XMTP_OK;
    case XMTP_PROPOSAL_REINIT:
        return fill_reinit(in, arena, out);
    case XMTP_PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
        return xmtp_convert_extensions(arena, in->extensions, in->extension_count,
                                       &out->u.group_context_extensions);
    case XMTP_PROPOSAL_APP_DATA_UPDATE:
        out->u.app_data_update.component_id = in->component_id;
        out->u.app_data_update.operation =
            in->removes_data ? XMTP_APP_DATA_REMOVE : XMTP_APP_DATA_UPDATE;
        out->u.app_data_update.update = in->data;
        return XMTP_OK;
    case XMTP_PROPOSAL_SELF_REMOVE:
        return XMTP_OK;
    default:
        break;
    }
    if (xmtp_proposal_type_is_known(in->type)) { /* Update and ExternalInit have their own ways */
        return xmtp_fail(error, XMTP_E_PROPOSAL, "proposal of type %u is not made like this",
                         (unsigned)in->type);
    }
    out->u.unknown = in->data;
    return XMTP_OK;
}

xmtp_status xmtp_proposal_make(const xmtp_mls_config *config, const xmtp_suite *suite,
                               const xmtp_mls_proposal *in, xmtp_arena *arena, xmtp_proposal *out,
                               xmtp_error *error)
{
    uint8_t nonce[XMTP_HASH_MAX];
    xmtp_proposal fields = {0};
    XMTP_TRY(config->env->random(config->env->context, nonce, suite->hash->len));
    XMTP_TRY(fill(in, xmtp_bytes_of(nonce, suite->hash->len), arena, &fields, error));
    return xmtp_proposal_settle(&fields, arena, out);
}

xmtp_status xmtp_reinit_check(const xmtp_mls_group *parent, const xmtp_group_context *context,
                              xmtp_error *error)
{
    xmtp_proposal reinit;
    xmtp_reader r = xmtp_reader_of(xmtp_buffer_bytes(&parent->reinit));
    if (parent->reinit.n == 0 || xmtp_proposal_decode(&r, &reinit) != XMTP_OK) {
        return xmtp_fail(error, XMTP_E_LINEAGE, "the group was not re-initialised");
    }
    if (context->version != reinit.u.reinit.version ||
        context->cipher_suite != reinit.u.reinit.cipher_suite ||
        !xmtp_bytes_equal(context->group_id, reinit.u.reinit.group_id) ||
        !xmtp_bytes_equal(context->extensions.raw, reinit.u.reinit.extensions.raw)) {
        return xmtp_fail(error, XMTP_E_LINEAGE, "group is not the one that ReInit announced");
    }
    return XMTP_OK;
}

/* ---- a member's own ---- */

typedef struct proposing {
    xmtp_mls_group *group;
    const xmtp_mls_proposal *in;
    xmtp_error *error;
    xmtp_arena arena;
    xmtp_proposal proposal;
    uint8_t update_sk[XMTP_KEM_SK_MAX];
    xmtp_authenticated_content content;
    uint8_t signature[XMTP_SIGNATURE_MAX];
    xmtp_writer bytes; /* encoded AuthenticatedContent */
    xmtp_writer out;
} proposing;

/* Section 12.1.2: our leaf with a fresh encryption key, of source UPDATE. */
static xmtp_status make_update(proposing *p)
{
    const xmtp_mls_group *group = p->group;
    const xmtp_suite *suite = group->suite;
    uint32_t own = group->private_keys.leaf_index;
    xmtp_secret seed = {.n = suite->hash->len};
    uint8_t pk[XMTP_KEM_PK_MAX];
    xmtp_leaf_node leaf;
    XMTP_TRY(group->env->random(group->env->context, seed.p, seed.n));
    xmtp_status status = suite->kem->derive_key_pair(xmtp_secret_bytes(&seed), p->update_sk, pk);
    xmtp_secret_wipe(&seed);
    XMTP_TRY(status);
    XMTP_TRY(xmtp_tree_leaf(&group->tree, own, &leaf));
    leaf.source = XMTP_LEAF_NODE_UPDATE;
    leaf.encryption_key = xmtp_bytes_of(pk, suite->kem->pk_len);
    xmtp_writer *w = &group->scratch->tbs;
    xmtp_writer_clear(w);
    XMTP_TRY(xmtp_leaf_node_sign(suite, group->signature_sk, &leaf, group->context.group_id, own,
                                 &group->scratch->label, w));
    xmtp_proposal fields = {.type = XMTP_PROPOSAL_UPDATE};
    XMTP_TRY(xmtp_leaf_node_of(xmtp_writer_bytes(w), &fields.u.update));
    return xmtp_proposal_settle(&fields, &p->arena, &p->proposal);
}

/* Whether a kept proposal is our SelfRemove. */
static xmtp_status is_own_self_remove(proposing *p, const xmtp_kept_proposal *kept, bool *is)
{
    xmtp_authenticated_content *c;
    XMTP_TRY(xmtp_kept_open(kept, &p->arena, &c));
    *is = c->content.content.proposal.type == XMTP_PROPOSAL_SELF_REMOVE &&
          c->content.sender.type == XMTP_SENDER_MEMBER &&
          c->content.sender.index == p->group->private_keys.leaf_index;
    return XMTP_OK;
}

/* draft-ietf-mls-extensions-10, section 6.3: where all members support it, once in an epoch. */
static xmtp_status check_self_remove(proposing *p)
{
    const xmtp_mls_group *group = p->group;
    for (uint32_t i = 0; i < group->kept_count; i++) {
        bool is_own;
        XMTP_TRY(is_own_self_remove(p, &group->kept[i], &is_own));
        if (is_own) {
            return xmtp_fail(p->error, XMTP_E_STATE, "SelfRemove was sent in this epoch already");
        }
    }
    return xmtp_proposal_check_support(group, XMTP_PROPOSAL_SELF_REMOVE, p->error);
}

static xmtp_status sign(proposing *p, xmtp_bytes authenticated_data)
{
    xmtp_authenticated_content *c = &p->content;
    /* SelfRemove is for joiners from outside too, who could not read it otherwise */
    c->wire_format = p->proposal.type == XMTP_PROPOSAL_SELF_REMOVE
                         ? XMTP_WIRE_PUBLIC_MESSAGE
                         : xmtp_group_handshake_format(p->group);
    c->content = xmtp_group_frame(p->group, authenticated_data);
    c->content.content.type = XMTP_CONTENT_PROPOSAL;
    c->content.content.raw = p->proposal.raw;
    c->content.content.proposal = p->proposal;
    c->auth.signature.p = p->signature;
    XMTP_TRY(xmtp_group_sign_as(p->group, c->wire_format, &c->content, p->signature,
                                &c->auth.signature.n));
    xmtp_authenticated_content_encode(&p->bytes, c);
    XMTP_TRY(xmtp_writer_status(&p->bytes));
    return xmtp_kept_check(p->group, xmtp_writer_bytes(&p->bytes).n, p->error);
}

static xmtp_status send(proposing *p, xmtp_mls_writes *writes)
{
    xmtp_secret_tree_change change;
    const bool is_update = p->proposal.type == XMTP_PROPOSAL_UPDATE;
    xmtp_bytes update_sk =
        xmtp_bytes_of(p->update_sk, is_update ? p->group->suite->kem->sk_len : 0);
    xmtp_status status = xmtp_group_seal_handshake(p->group, &p->content, &change, &p->out);
    if (status == XMTP_OK) {
        status = xmtp_kept_add(p->group, xmtp_writer_bytes(&p->bytes), update_sk, writes);
        if (status == XMTP_OK) {
            status = change.ratchet_count > 0 ? xmtp_group_burn(p->group, &change, writes)
                                              : xmtp_writes_status(writes);
            if (status != XMTP_OK) {
                xmtp_kept_undo(p->group);
            }
        }
    }
    xmtp_secret_tree_change_free(&change);
    return status;
}

static xmtp_status propose(proposing *p, xmtp_bytes authenticated_data, xmtp_mls_writes *writes)
{
    const xmtp_mls_group *group = p->group;
    const xmtp_sender sender = {.type = XMTP_SENDER_MEMBER};
    if (!group->config.keep_proposals) {
        return xmtp_fail(p->error, XMTP_E_STATE, "this group does not keep proposals");
    }
    XMTP_TRY(p->in->type == XMTP_PROPOSAL_UPDATE
                 ? make_update(p)
                 : xmtp_proposal_make(&group->config, group->suite, p->in, &p->arena, &p->proposal,
                                      p->error));
    XMTP_TRY(xmtp_proposal_check_sender(&sender, &p->proposal, p->error));
    if (p->proposal.type == XMTP_PROPOSAL_SELF_REMOVE) {
        XMTP_TRY(check_self_remove(p));
    }
    XMTP_TRY(sign(p, authenticated_data));
    return send(p, writes);
}

static void proposing_init(proposing *p, const xmtp_alloc *alloc)
{
    xmtp_arena_init(&p->arena, alloc, PROPOSE_MEMORY_MAX);
    xmtp_writer_init(&p->bytes, alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&p->out, alloc, XMTP_WRITER_MAX);
}

static void proposing_free(proposing *p)
{
    xmtp_writer_free(&p->bytes);
    xmtp_writer_free(&p->out);
    xmtp_arena_reset(&p->arena);
    xmtp_wipe(p->update_sk, sizeof p->update_sk);
}

xmtp_status xmtp_mls_group_propose(xmtp_mls_group *group, const xmtp_mls_proposal *proposal,
                                   xmtp_bytes authenticated_data, uint8_t **message,
                                   size_t *message_len, xmtp_mls_ref *ref, xmtp_mls_writes *writes,
                                   xmtp_error *error)
{
    proposing p = {.group = group, .in = proposal, .error = error};
    *message = NULL;
    *message_len = 0;
    *ref = (xmtp_mls_ref){0};
    XMTP_TRY(xmtp_group_check_active(group, error));
    size_t mark = xmtp_writes_mark(writes);
    proposing_init(&p, group->alloc);
    xmtp_status status = propose(&p, authenticated_data, writes);
    if (status == XMTP_OK) {
        status = xmtp_writer_detach(&p.out, message, message_len);
    }
    if (status == XMTP_OK) {
        *ref = xmtp_mls_group_kept_ref(group, group->kept_count - 1);
        group->revision++;
    } else {
        xmtp_writes_rollback(writes, mark);
        status = xmtp_fail_default(error, status, "making a proposal");
    }
    proposing_free(&p);
    return status;
}

size_t xmtp_mls_group_kept_count(const xmtp_mls_group *group)
{
    return group->kept_count;
}

xmtp_mls_ref xmtp_mls_group_kept_ref(const xmtp_mls_group *group, size_t index)
{
    xmtp_mls_ref ref = {.n = group->kept[index].ref.n};
    memcpy(ref.p, group->kept[index].ref.p, ref.n);
    return ref;
}

bool xmtp_mls_group_is_reinitialised(const xmtp_mls_group *group)
{
    return group->reinit.n > 0;
}

/* ---- from outside, section 12.1.8 ---- */

static xmtp_status sign_outside(proposing *p, const xmtp_env *env, const xmtp_suite *suite,
                                const xmtp_mls_outside_proposal_options *o)
{
    xmtp_framing_scratch scratch;
    xmtp_public_message message = {
        .content = {.group_id = o->group_id,
                    .epoch = o->epoch,
                    .sender = {.type = o->is_new_member ? XMTP_SENDER_NEW_MEMBER_PROPOSAL
                                                        : XMTP_SENDER_EXTERNAL,
                               .index = o->is_new_member ? 0 : o->sender_index},
                    .authenticated_data = o->authenticated_data,
                    .content = {.type = XMTP_CONTENT_PROPOSAL, .raw = p->proposal.raw}},
        .auth = {.signature = {.p = p->signature}}};
    XMTP_TRY(xmtp_proposal_check_sender(&message.content.sender, &p->proposal, p->error));
    xmtp_framing_scratch_init(&scratch, &env->alloc);
    xmtp_status status = xmtp_framing_sign(
        suite, o->signer.signature_sk.p, o->signer.signature_pk.p, XMTP_WIRE_PUBLIC_MESSAGE,
        &message.content, (xmtp_bytes){0}, &scratch, p->signature, &message.auth.signature.n);
    xmtp_framing_scratch_free(&scratch);
    XMTP_TRY(status);
    xmtp_mls_message_header_encode(&p->out, XMTP_WIRE_PUBLIC_MESSAGE);
    xmtp_public_message_encode(&p->out, &message);
    return xmtp_writer_status(&p->out);
}

xmtp_status xmtp_mls_propose_from_outside(const xmtp_env *env,
                                          const xmtp_mls_outside_proposal_options *options,
                                          uint8_t **message, size_t *message_len, xmtp_error *error)
{
    const xmtp_suite *suite = xmtp_suite_by_id(options->suite);
    const xmtp_mls_config config = {.env = env};
    proposing p = {.error = error};
    *message = NULL;
    *message_len = 0;
    if (suite == NULL) {
        return xmtp_fail(error, XMTP_E_SUITE, "cipher suite 0x%04x is not supported",
                         options->suite);
    }
    if (options->signer.signature_sk.n != suite->signature->sk_len ||
        options->signer.signature_pk.n != suite->signature->pk_len) {
        return xmtp_fail(error, XMTP_E_KEY, "signature keys have a wrong length");
    }
    proposing_init(&p, &env->alloc);
    xmtp_status status =
        xmtp_proposal_make(&config, suite, &options->proposal, &p.arena, &p.proposal, error);
    if (status == XMTP_OK) {
        status = sign_outside(&p, env, suite, options);
    }
    if (status == XMTP_OK) {
        status = xmtp_writer_detach(&p.out, message, message_len);
    }
    proposing_free(&p);
    return status == XMTP_OK ? XMTP_OK : xmtp_fail_default(error, status, "making a proposal");
}
