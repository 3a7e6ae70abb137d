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
#include "mls/protect.h"
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

static xmtp_status list_proposals(making *m)
{
    const xmtp_mls_commit_options *o = m->options;
    size_t count;
    XMTP_ENSURE(xmtp_size_add(&count, o->add_count, o->remove_count), XMTP_E_LIMIT);
    XMTP_ENSURE(count < XMTP_MLS_PROPOSALS_MAX, XMTP_E_LIMIT);
    XMTP_TRY(xmtp_arena_take(&m->arena, sizeof *m->commit, (void **)&m->commit));
    XMTP_TRY(xmtp_arena_take_array(&m->arena, count + 1, sizeof *m->commit->proposals,
                                   (void **)&m->commit->proposals));
    m->commit->has_path = true;
    for (size_t i = 0; i < o->add_count; i++) {
        xmtp_proposal *proposal = next_proposal(m->commit, XMTP_PROPOSAL_ADD);
        xmtp_status status = xmtp_key_package_of(o->add[i], &proposal->u.add);
        if (status != XMTP_OK) {
            return xmtp_fail(m->error, XMTP_E_KEY_PACKAGE, "key package %zu cannot be read", i);
        }
    }
    for (size_t i = 0; i < o->remove_count; i++) {
        next_proposal(m->commit, XMTP_PROPOSAL_REMOVE)->u.remove = o->remove[i];
    }
    if (o->set_context_extensions) {
        xmtp_proposal *proposal = next_proposal(m->commit, XMTP_PROPOSAL_GROUP_CONTEXT_EXTENSIONS);
        XMTP_TRY(xmtp_convert_extensions(&m->arena, o->context_extensions,
                                         o->context_extension_count,
                                         &proposal->u.group_context_extensions));
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
    XMTP_TRY(xmtp_tree_leaf(&group->tree, own, &leaf));
    XMTP_TRY(xmtp_treekem_begin(&m->next, own, &leaf, group->signature_sk, group->context.group_id,
                                group->env, &m->path));
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
        xmtp_writer_u8(&w, XMTP_BY_VALUE);
        xmtp_proposal_encode(&w, &m->commit->proposals[i].proposal);
    }
    xmtp_writer_vec_close(&w, mark);
    xmtp_writer_u8(&w, 1); /* optional path: present */
    xmtp_status status =
        xmtp_treekem_encrypt(&m->next, &m->path, m->provisional.raw, m->applied.added,
                             m->applied.added_count, m->group->env, &m->arena, &w);
    if (status == XMTP_OK) {
        status = xmtp_writer_status(&w);
    }
    if (status == XMTP_OK) {
        status = xmtp_arena_copy(&m->arena, xmtp_writer_bytes(&w), out);
    }
    xmtp_writer_free(&w);
    return status;
}

/* ---- content ---- */

static xmtp_status frame(making *m)
{
    xmtp_framed_content *content;
    xmtp_bytes raw;
    XMTP_TRY(encode_commit(m, &raw));
    XMTP_TRY(xmtp_arena_take(&m->arena, sizeof *m->content, (void **)&m->content));
    m->content->wire_format = XMTP_WIRE_PRIVATE_MESSAGE;
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
    XMTP_TRY(xmtp_group_sign(m->group, &m->content->content, m->signature,
                             &m->content->auth.signature.n));
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
    const xmtp_mls_group *group = m->group;
    xmtp_message_key key;
    xmtp_secret_tree_change change;
    XMTP_TRY(xmtp_secret_tree_next_key(&group->epochs[0].secret_tree,
                                       group->private_keys.leaf_index, XMTP_RATCHET_HANDSHAKE, &key,
                                       &change));
    xmtp_status status = xmtp_group_seal(group, &m->content->content, &m->content->auth, &key, w);
    xmtp_wipe(&key, sizeof key);
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
    const xmtp_new_epoch epoch = {.tree = &m->next,
                                  .context = &m->context,
                                  .confirmation_tag = m->content->auth.confirmation_tag,
                                  .joiner_secret = &m->joiner_secret,
                                  .path = &m->path};
    xmtp_writer w;
    xmtp_writer_init(&w, m->group->alloc, XMTP_WRITER_MAX);
    return detach(&w, xmtp_welcome_make(m->group, &epoch, m->commit, &m->applied, &w),
                  &m->pending->welcome);
}

static xmtp_status make(making *m)
{
    const xmtp_mls_group *group = m->group;
    XMTP_TRY(list_proposals(m));
    XMTP_TRY(xmtp_proposals_apply(group, group->private_keys.leaf_index, m->commit, &m->arena,
                                  &m->next, &m->applied, m->error));
    m->psk_secret = (xmtp_secret){.n = group->suite->hash->len};
    XMTP_TRY(make_path(m));
    XMTP_TRY(frame(m));
    XMTP_TRY(authenticate(m));
    XMTP_TRY(xmtp_pending_new(&m->pending, group));
    XMTP_TRY(put_message(m));
    XMTP_TRY(put_content(m));
    XMTP_TRY(put_welcome(m));
    m->pending->commit_secret = m->path.commit_secret;
    m->pending->psk_secret = m->psk_secret;
    xmtp_treekem_adopt(&m->path, group->suite, &m->pending->private_keys);
    return XMTP_OK;
}

xmtp_status xmtp_mls_group_commit(const xmtp_mls_group *group,
                                  const xmtp_mls_commit_options *options, xmtp_mls_pending **out,
                                  xmtp_error *error)
{
    *out = NULL;
    if (!group->is_active) {
        return xmtp_fail(error, XMTP_E_REMOVED, "this member was removed from the group");
    }
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
