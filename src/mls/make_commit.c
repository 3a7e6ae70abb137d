/* make_commit.c - an own commit, made beside the group. RFC 9420 section 12.4.1.
 *
 *     options --> proposals --> overlay tree --> fresh path --> provisional GroupContext
 *                                                    |               |
 *                          UpdatePath <-- path secrets encrypted <---+
 *     proposals, UpdatePath --> FramedContent --> signature --> confirmed_transcript_hash
 *                                         --> key schedule --> confirmation_tag, Welcome
 *
 * What is kept is small: the signed content, the keys that only we know, and the bytes to send.
 * When the commit comes back it is followed again by stage.c like anybody's.
 *
 * The group does not change, so two commits made in one epoch are sealed with the same ratchet key;
 * their nonces differ by the random reuse guard (section 6.3.1), which exists for such cases.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "mls/api_convert.h"
#include "mls/key_package_rules.h"
#include "mls/pending.h"
#include "mls/propose.h"
#include "mls/protect.h"
#include "mls/psk.h"
#include "mls/stage.h"
#include "mls/welcome.h"

typedef struct making {
    const xmtp_mls_group *group;
    const xmtp_mls_commit_options *options;
    xmtp_error *error;
    xmtp_arena arena;
    xmtp_tree next;
    xmtp_commit *commit;
    xmtp_applied applied;
    xmtp_treekem_path path;
    xmtp_group_context provisional;
    xmtp_group_context context;
    xmtp_epoch_secrets secrets;
    xmtp_secret joiner_secret;
    xmtp_secret psk_secret;
    xmtp_authenticated_content *content;
    uint8_t signature[XMTP_SIGNATURE_MAX];
    uint8_t confirmation_tag[XMTP_HASH_MAX];
    xmtp_mls_pending *pending;
} making;

/* ---- proposals ---- */

static xmtp_proposal *next_proposal(xmtp_commit *commit, uint16_t type)
{
    xmtp_proposal_or_ref *item = &commit->proposals[commit->proposal_count++];
    item->kind = XMTP_BY_VALUE;
    item->proposal.type = type;
    return &item->proposal;
}

/* The PSK that ties the first commit of a group to the group that it continues. */
static xmtp_status list_lineage(making *m)
{
    const xmtp_mls_group *parent = m->options->parent;
    bool is_reinit = parent->reinit.n > 0;
    const xmtp_mls_proposal psk = {
        .type = XMTP_MLS_PROPOSAL_PSK,
        .psk = {.type = XMTP_MLS_PSK_RESUMPTION,
                .usage = is_reinit ? XMTP_MLS_PSK_REINIT : XMTP_MLS_PSK_BRANCH,
                .group_id = parent->context.group_id,
                .epoch = parent->context.epoch}};
    if (m->group->context.epoch != 0 || !parent->is_active) {
        return xmtp_fail(m->error, XMTP_E_STATE, "a group is continued by a new one, at epoch 0");
    }
    if (is_reinit) {
        XMTP_TRY(xmtp_reinit_check(parent, &m->group->context, m->error));
    } else if (m->group->suite != parent->suite) {
        return xmtp_fail(m->error, XMTP_E_SUITE, "a branch keeps the cipher suite");
    }
    return xmtp_proposal_make(&m->group->config, m->group->suite, &psk, &m->arena,
                              next_proposal(m->commit, XMTP_MLS_PROPOSAL_PSK), m->error);
}

static xmtp_status list_adds(making *m)
{
    const xmtp_mls_commit_options *o = m->options;
    for (size_t i = 0; i < o->add_count; i++) {
        xmtp_proposal *proposal = next_proposal(m->commit, XMTP_PROPOSAL_ADD);
        if (xmtp_key_package_of(o->add[i], &proposal->u.add) != XMTP_OK) {
            return xmtp_fail(m->error, XMTP_E_KEY_PACKAGE, "key package %zu cannot be read", i);
        }
    }
    for (size_t i = 0; i < o->add_verified_count; i++) {
        const xmtp_mls_verified_key_package *verified = o->add_verified[i];
        xmtp_proposal *proposal = next_proposal(m->commit, XMTP_PROPOSAL_ADD);
        XMTP_TRY(xmtp_key_package_of(xmtp_bytes_of(verified->p, verified->n), &proposal->u.add));
        proposal->u.add.is_verified = true;
    }
    return XMTP_OK;
}

static xmtp_status list_proposals(making *m)
{
    const xmtp_mls_commit_options *o = m->options;
    size_t count;
    XMTP_ENSURE(xmtp_size_add(&count, o->add_count, o->remove_count), XMTP_E_LIMIT);
    XMTP_ENSURE(xmtp_size_add(&count, count, o->add_verified_count), XMTP_E_LIMIT);
    XMTP_ENSURE(xmtp_size_add(&count, count, o->proposal_count), XMTP_E_LIMIT);
    XMTP_ENSURE(xmtp_size_add(&count, count, o->reference_count), XMTP_E_LIMIT);
    XMTP_ENSURE(count < XMTP_MLS_PROPOSALS_MAX - 1, XMTP_E_LIMIT);
    XMTP_TRY(xmtp_arena_take(&m->arena, sizeof *m->commit, (void **)&m->commit));
    XMTP_TRY(xmtp_arena_take_array(&m->arena, count + 2, sizeof *m->commit->proposals,
                                   (void **)&m->commit->proposals));
    m->commit->has_path = !o->without_path;
    XMTP_TRY(list_adds(m));
    for (size_t i = 0; i < o->remove_count; i++) {
        next_proposal(m->commit, XMTP_PROPOSAL_REMOVE)->u.remove = o->remove[i];
    }
    if (o->set_context_extensions) {
        xmtp_proposal *proposal = next_proposal(m->commit, XMTP_PROPOSAL_GROUP_CONTEXT_EXTENSIONS);
        XMTP_TRY(xmtp_convert_extensions(&m->arena, o->context_extensions,
                                         o->context_extension_count,
                                         &proposal->u.group_context_extensions));
    }
    for (size_t i = 0; i < o->proposal_count; i++) {
        xmtp_proposal *proposal = next_proposal(m->commit, o->proposals[i].type);
        XMTP_TRY(xmtp_proposal_make(&m->group->config, m->group->suite, &o->proposals[i], &m->arena,
                                    proposal, m->error));
    }
    if (o->parent != NULL) {
        XMTP_TRY(list_lineage(m));
    }
    for (size_t i = 0; i < o->reference_count; i++) {
        xmtp_proposal_or_ref *item = &m->commit->proposals[m->commit->proposal_count++];
        *item = (xmtp_proposal_or_ref){.kind = XMTP_BY_REFERENCE,
                                       .reference =
                                           xmtp_bytes_of(o->references[i].p, o->references[i].n)};
    }
    return XMTP_OK;
}

/* ---- tree and path ---- */

/* Our new leaf keeps credential, capabilities and extensions of the old one. */
static xmtp_status make_path(making *m)
{
    const xmtp_mls_group *group = m->group;
    uint32_t own = group->private_keys.leaf_index;
    uint8_t tree_hash[XMTP_HASH_MAX];
    xmtp_leaf_node leaf;
    if (m->commit->has_path) {
        XMTP_TRY(xmtp_tree_leaf(&group->tree, own, &leaf));
        XMTP_TRY(xmtp_treekem_begin(&m->next, own, &leaf, group->signature_sk,
                                    group->context.group_id, group->env, &m->path));
    } else if (m->applied.needs_path) {
        return xmtp_fail(m->error, XMTP_E_PATH_REQUIRED, "these proposals require a path");
    } else {
        m->path.commit_secret = (xmtp_secret){.n = group->suite->hash->len};
    }
    XMTP_TRY(xmtp_check_init_keys(m->applied.proposals, m->applied.count, &m->next, m->error));
    XMTP_TRY(xmtp_tree_hash(&m->next, tree_hash));
    return xmtp_next_context(group, &m->applied.extensions,
                             xmtp_bytes_of(tree_hash, group->suite->hash->len),
                             group->context.confirmed_transcript_hash, &m->arena, &m->provisional);
}

/* The encoded Commit, in the arena. */
static xmtp_status encode_commit(making *m, xmtp_bytes *out)
{
    xmtp_writer w;
    xmtp_writer_init(&w, m->group->alloc, XMTP_WRITER_MAX);
    size_t mark = xmtp_writer_vec_open(&w);
    for (size_t i = 0; i < m->commit->proposal_count; i++) {
        xmtp_proposal_or_ref_encode(&w, &m->commit->proposals[i]);
    }
    xmtp_writer_vec_close(&w, mark);
    xmtp_writer_u8(&w, m->commit->has_path ? 1 : 0);
    xmtp_status status = XMTP_OK;
    if (m->commit->has_path) {
        status = xmtp_treekem_encrypt(&m->next, &m->path, m->provisional.raw, m->applied.added,
                                      m->applied.added_count, m->group->env, &m->arena, &w);
    }
    return xmtp_writer_to_arena(&w, status, &m->arena, out);
}

/* ---- content ---- */

static xmtp_status frame(making *m)
{
    xmtp_framed_content *content;
    xmtp_bytes raw;
    XMTP_TRY(encode_commit(m, &raw));
    XMTP_TRY(xmtp_arena_take(&m->arena, sizeof *m->content, (void **)&m->content));
    m->content->wire_format = xmtp_group_handshake_format(m->group);
    content = &m->content->content;
    *content = xmtp_group_frame(m->group, m->options->authenticated_data);
    content->content.type = XMTP_CONTENT_COMMIT;
    content->content.raw = raw;

    xmtp_writer *w = &m->group->scratch->tbs;
    xmtp_writer_clear(w);
    xmtp_framed_content_encode(w, content);
    XMTP_TRY(xmtp_writer_status(w));
    return xmtp_arena_copy(&m->arena, xmtp_writer_bytes(w), &content->raw);
}

static xmtp_status authenticate(making *m)
{
    const xmtp_suite *suite = m->group->suite;
    m->content->auth.signature.p = m->signature;
    XMTP_TRY(xmtp_group_sign_as(m->group, m->content->wire_format, &m->content->content,
                                m->signature, &m->content->auth.signature.n));
    const xmtp_schedule_inputs inputs = {.init_secret = &m->group->secrets.init_secret,
                                         .commit_secret = &m->path.commit_secret,
                                         .psk_secret = &m->psk_secret};
    XMTP_TRY(xmtp_next_secrets(m->group, m->content, &m->provisional, &inputs, &m->arena,
                               &m->context, &m->secrets, &m->joiner_secret));
    xmtp_confirmation_tag(suite, &m->secrets.confirmation_key, m->context.confirmed_transcript_hash,
                          m->confirmation_tag);
    m->content->auth.confirmation_tag = xmtp_bytes_of(m->confirmation_tag, suite->hash->len);
    return XMTP_OK;
}

/* ---- what is sent and kept ---- */

static xmtp_status detach(xmtp_writer *w, xmtp_status status, xmtp_buffer *out)
{
    if (status == XMTP_OK) {
        status = xmtp_writer_detach(w, &out->p, &out->n);
    }
    xmtp_writer_free(w);
    return status;
}

static xmtp_status seal(making *m, xmtp_writer *w)
{
    xmtp_secret_tree_change change;
    xmtp_status status = xmtp_group_seal_handshake(m->group, m->content, &change, w);
    xmtp_secret_tree_change_free(&change);
    return status;
}

static xmtp_status put_message(making *m)
{
    xmtp_writer w;
    xmtp_writer_init(&w, m->group->alloc, XMTP_WRITER_MAX);
    return detach(&w, seal(m, &w), &m->pending->message);
}

static xmtp_status put_content(making *m)
{
    xmtp_writer w;
    xmtp_writer_init(&w, m->group->alloc, XMTP_WRITER_MAX);
    xmtp_authenticated_content_encode(&w, m->content);
    return detach(&w, xmtp_writer_status(&w), &m->pending->authenticated_content);
}

static xmtp_status put_welcome(making *m)
{
    if (m->applied.added_count == 0) {
        return XMTP_OK;
    }
    xmtp_psk_id *psks;
    size_t psk_count;
    XMTP_TRY(xmtp_psk_ids_of_list(&m->applied, &m->arena, &psks, &psk_count));
    const xmtp_new_epoch epoch = {.tree = &m->next,
                                  .psk_secret = &m->psk_secret,
                                  .psks = psks,
                                  .psk_count = psk_count,
                                  .context = &m->context,
                                  .confirmation_tag = m->content->auth.confirmation_tag,
                                  .joiner_secret = &m->joiner_secret,
                                  .path = &m->path,
                                  .without_tree = m->options->without_tree};
    xmtp_writer w;
    xmtp_writer_init(&w, m->group->alloc, XMTP_WRITER_MAX);
    return detach(&w, xmtp_welcome_make(m->group, &epoch, &m->applied, &w), &m->pending->welcome);
}

static xmtp_status make(making *m)
{
    const xmtp_mls_group *group = m->group;
    const xmtp_psk_source source = {.config = &group->config,
                                    .suite = group->suite,
                                    .group = group,
                                    .parent = m->options->parent};
    XMTP_TRY(list_proposals(m));
    XMTP_TRY(xmtp_proposals_apply(group, group->private_keys.leaf_index, m->commit, &m->arena,
                                  &m->next, &m->applied, m->error));
    XMTP_TRY(xmtp_psk_secret_of_list(&source, &m->applied, &m->arena, &m->psk_secret, m->error));
    XMTP_TRY(make_path(m));
    XMTP_TRY(frame(m));
    XMTP_TRY(authenticate(m));
    XMTP_TRY(xmtp_pending_new(&m->pending, group));
    XMTP_TRY(put_message(m));
    XMTP_TRY(put_content(m));
    XMTP_TRY(put_welcome(m));
    xmtp_pending_set_fresh(m->pending, group);
    m->pending->commit_secret = m->path.commit_secret;
    m->pending->psk_secret = m->psk_secret;
    if (m->commit->has_path) {
        xmtp_treekem_adopt(&m->path, group->suite, &m->pending->private_keys);
    } else {
        m->pending->private_keys = group->private_keys;
        xmtp_tree_private_prune(&m->pending->private_keys, &m->next);
    }
    return XMTP_OK;
}

xmtp_status xmtp_mls_group_commit(const xmtp_mls_group *group,
                                  const xmtp_mls_commit_options *options, xmtp_mls_pending **out,
                                  xmtp_error *error)
{
    *out = NULL;
    XMTP_TRY(xmtp_group_check_active(group, error));
    making m = {.group = group, .options = options, .error = error};
    xmtp_arena_init(&m.arena, group->alloc, XMTP_MLS_STAGED_MEMORY_MAX);
    xmtp_tree_overlay(&m.next, &group->tree);
    xmtp_status status = make(&m);
    if (status == XMTP_OK) {
        *out = m.pending;
    } else {
        xmtp_mls_pending_free(m.pending);
        status = xmtp_fail_default(error, status, "making a commit");
    }
    xmtp_tree_free(&m.next);
    xmtp_arena_reset(&m.arena);
    xmtp_treekem_path_wipe(&m.path);
    xmtp_epoch_secrets_wipe(&m.secrets);
    xmtp_secret_wipe(&m.joiner_secret);
    xmtp_secret_wipe(&m.psk_secret);
    return status;
}
