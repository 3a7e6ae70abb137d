/* stage.c - a commit, followed through without changing the group. RFC 9420 section 12.4.2.
 *
 *     proposals --> overlay tree --> path --> provisional GroupContext --> commit_secret
 *                                                                             |
 *     commit bytes --> confirmed_transcript_hash --> GroupContext --> key schedule --> tag ok?
 *
 * The same way is gone for commits of others and for our own that came back; they differ in where
 * commit_secret comes from. A commit that removes us ends after the proposals and the public part
 * of the path: we cannot know the secrets, nor check the tag.
 */
#include "mls/stage.h"

#include "base/bytes.h"
#include "base/status.h"
#include "mls/key_package_rules.h"
#include "mls/psk.h"
#include "mls/transcript.h"

#include <inttypes.h>

/* ---- the object ---- */

static xmtp_status staged_commit_new(xmtp_mls_staged *staged)
{
    xmtp_staged_commit *commit =
        staged->alloc->reallocate(staged->alloc->context, NULL, sizeof *commit);
    XMTP_ENSURE(commit != NULL, XMTP_E_NOMEM);
    memset(commit, 0, sizeof *commit);
    xmtp_tree_overlay(&commit->next, &staged->group->tree);
    staged->commit = commit;
    return XMTP_OK;
}

/* ---- contexts and secrets ---- */

xmtp_status xmtp_next_context(const xmtp_mls_group *group, const xmtp_extensions *extensions,
                              xmtp_bytes tree_hash, xmtp_bytes confirmed_transcript_hash,
                              xmtp_arena *arena, xmtp_group_context *out)
{
    xmtp_group_context fields = group->context;
    xmtp_writer w;
    xmtp_bytes encoded;
    fields.epoch = group->context.epoch + 1;
    fields.tree_hash = tree_hash;
    fields.confirmed_transcript_hash = confirmed_transcript_hash;
    fields.extensions = *extensions;
    xmtp_writer_init(&w, group->alloc, XMTP_WRITER_MAX);
    xmtp_group_context_encode(&w, &fields);
    XMTP_TRY(xmtp_writer_to_arena(&w, XMTP_OK, arena, &encoded));
    return xmtp_group_context_of(encoded, out);
}

xmtp_status xmtp_next_secrets(const xmtp_mls_group *group, const xmtp_authenticated_content *commit,
                              const xmtp_group_context *provisional,
                              const xmtp_schedule_inputs *inputs, xmtp_arena *arena,
                              xmtp_group_context *context, xmtp_epoch_secrets *secrets,
                              xmtp_secret *joiner_secret)
{
    const xmtp_suite *suite = group->suite;
    uint8_t confirmed[XMTP_HASH_MAX];
    xmtp_secret joiner;
    XMTP_TRY(xmtp_confirmed_transcript_hash(
        suite, xmtp_digest_bytes(&group->interim_transcript_hash), commit, confirmed));
    XMTP_TRY(xmtp_next_context(group, &provisional->extensions, provisional->tree_hash,
                               xmtp_bytes_of(confirmed, suite->hash->len), arena, context));
    XMTP_TRY(xmtp_joiner_secret(suite, inputs->init_secret, inputs->commit_secret, context->raw,
                                &joiner));
    xmtp_status status =
        xmtp_epoch_secrets_derive(suite, &joiner, inputs->psk_secret, context->raw, secrets);
    if (joiner_secret != NULL) {
        *joiner_secret = joiner;
    }
    xmtp_secret_wipe(&joiner);
    return status;
}

xmtp_status xmtp_external_init_open(const xmtp_mls_group *group, xmtp_bytes kem_output,
                                    xmtp_secret *init_secret)
{
    const xmtp_suite *suite = group->suite;
    uint8_t sk[XMTP_KEM_SK_MAX], pk[XMTP_KEM_PK_MAX];
    xmtp_hpke hpke;
    XMTP_TRY(xmtp_external_key(suite, &group->secrets.external_secret, sk, pk));
    xmtp_status status =
        xmtp_hpke_setup_receiver(&hpke, suite, sk, pk, kem_output, (xmtp_bytes){0});
    xmtp_wipe(sk, sizeof sk);
    XMTP_TRY(status);
    init_secret->n = suite->hash->len;
    status = xmtp_hpke_export(&hpke, suite, xmtp_bytes_of_string("MLS 1.0 external init secret"),
                              init_secret->p, init_secret->n);
    xmtp_hpke_wipe(&hpke);
    return status;
}

/* ---- the path ---- */

static xmtp_status check_leaf_fields(const xmtp_mls_group *group, const xmtp_leaf_node *leaf,
                                     const xmtp_extensions *extensions, xmtp_error *error)
{
    const xmtp_leaf_node_rules rules = {.suite = group->suite,
                                        .source = XMTP_LEAF_NODE_COMMIT,
                                        .group_extensions = extensions,
                                        .suite_unlisted_ok = !group->config.openmls_verdicts};
    return xmtp_leaf_node_validate(leaf, &rules, error);
}

static xmtp_status verify_path_leaf(const xmtp_mls_group *group, const xmtp_leaf_node *leaf,
                                    uint32_t committer, xmtp_error *error)
{
    xmtp_status status = xmtp_leaf_node_verify(group->suite, leaf, group->context.group_id,
                                               committer, &group->scratch->label);
    if (status != XMTP_OK) {
        return xmtp_fail(error, status, "the signature of the committer's new leaf is wrong");
    }
    return XMTP_OK;
}

xmtp_status xmtp_path_leaf_check(const xmtp_mls_group *group, const xmtp_leaf_node *leaf,
                                 uint32_t committer, const xmtp_extensions *extensions,
                                 xmtp_error *error)
{
    XMTP_TRY(check_leaf_fields(group, leaf, extensions, error));
    return verify_path_leaf(group, leaf, committer, error);
}

/* Whether other members have to be asked about the new leaf: its credential or what it supports is
 * not what it was. */
static bool credential_changed(const xmtp_leaf_node *before, const xmtp_leaf_node *after)
{
    return before->credential.type != after->credential.type ||
           !xmtp_bytes_equal(before->capabilities.credentials.raw,
                             after->capabilities.credentials.raw);
}

/* What an external committer removes is its own former leaf (section 12.4.3.2): the application is
 * asked about the new one as about an Update of it. */
static bool former_leaf(const xmtp_mls_staged *staged, const xmtp_applied *applied,
                        xmtp_leaf_node *out)
{
    for (size_t i = 0; i < applied->count; i++) {
        if (applied->infos[i].type == XMTP_PROPOSAL_REMOVE) {
            return xmtp_tree_leaf(&staged->group->tree, applied->infos[i].member.leaf, out) ==
                   XMTP_OK;
        }
    }
    return false;
}

/* The public part: new leaf and new keys into the overlay. */
static xmtp_status apply_path(xmtp_mls_staged *staged, const xmtp_commit *commit,
                              const xmtp_applied *applied, bool is_fresh, xmtp_error *error)
{
    xmtp_staged_commit *c = staged->commit;
    xmtp_leaf_node before;
    const xmtp_leaf_node *leaf = &commit->path.leaf_node;
    if (c->is_external) { /* takes the leftmost free leaf, after the proposals (section 12.4.3.2) */
        XMTP_TRY(xmtp_tree_add_leaf(&c->next, leaf->raw, &c->committer));
    } else {
        XMTP_TRY(xmtp_tree_leaf(&staged->group->tree, c->committer, &before));
    }
    const xmtp_extensions *extensions = xmtp_extensions_for_leaves(staged->group, applied);
    XMTP_TRY(check_leaf_fields(staged->group, leaf, extensions, error));
    if (!is_fresh) {
        XMTP_TRY(verify_path_leaf(staged->group, leaf, c->committer, error));
    }
    const bool has_before = !c->is_external || former_leaf(staged, applied, &before);
    XMTP_TRY(xmtp_group_authenticate(staged->group, c->committer, leaf, has_before ? &before : NULL,
                                     error));
    XMTP_TRY(xmtp_tree_apply_path(&c->next, c->committer, &commit->path, error));
    XMTP_TRY(xmtp_tree_check_keys(&c->next, error));
    c->changed_leaves[c->changed_count++] = c->committer;
    if (c->is_external || credential_changed(&before, leaf)) {
        return xmtp_tree_check_credentials(&c->next, error);
    }
    return XMTP_OK;
}

static xmtp_status commit_secret_of(xmtp_mls_staged *staged, const xmtp_commit *commit,
                                    const xmtp_applied *applied, xmtp_bytes provisional,
                                    const xmtp_own_path *own, xmtp_secret *out, xmtp_error *error)
{
    xmtp_staged_commit *c = staged->commit;
    if (own != NULL) {
        c->private_keys = *own->private_keys;
        *out = *own->commit_secret;
        return own->is_fresh ? XMTP_OK : xmtp_tree_private_check(&c->private_keys, &c->next);
    }
    c->private_keys = staged->group->private_keys;
    if (applied->own_update != NULL) {
        XMTP_ENSURE(applied->own_update->update_sk.n > 0, XMTP_E_KEY);
        xmtp_tree_private_set_leaf(&c->private_keys, staged->group->suite,
                                   applied->own_update->update_sk.p);
    }
    xmtp_tree_private_prune(&c->private_keys, &c->next);
    if (!commit->has_path) {
        *out = (xmtp_secret){.n = staged->group->suite->hash->len};
        return XMTP_OK;
    }
    return xmtp_treekem_decrypt(&c->next, &c->private_keys, c->committer, &commit->path,
                                provisional, applied->added, applied->added_count, &staged->arena,
                                out, error);
}

/* ---- the whole ---- */

static xmtp_status take_tag(xmtp_staged_commit *c, const xmtp_suite *suite,
                            const xmtp_authenticated_content *content, xmtp_error *error)
{
    if (content->auth.confirmation_tag.n != suite->hash->len) {
        return xmtp_fail(error, XMTP_E_CONFIRMATION_TAG, "confirmation tag of %zu bytes",
                         content->auth.confirmation_tag.n);
    }
    c->confirmation_tag.n = suite->hash->len;
    memcpy(c->confirmation_tag.p, content->auth.confirmation_tag.p, c->confirmation_tag.n);
    return XMTP_OK;
}

static xmtp_status check_tag(const xmtp_staged_commit *c, const xmtp_suite *suite,
                             xmtp_error *error)
{
    uint8_t tag[XMTP_HASH_MAX];
    xmtp_confirmation_tag(suite, &c->secrets.confirmation_key, c->context.confirmed_transcript_hash,
                          tag);
    if (!xmtp_ct_equal(tag, c->confirmation_tag.p, suite->hash->len)) {
        return xmtp_fail(error, XMTP_E_CONFIRMATION_TAG,
                         "confirmation tag of the commit to epoch %" PRIu64 " does not match",
                         c->context.epoch);
    }
    return XMTP_OK;
}

/* The context of a group that goes on without us. */
static xmtp_status context_without_us(xmtp_mls_staged *staged,
                                      const xmtp_authenticated_content *content,
                                      const xmtp_group_context *provisional)
{
    const xmtp_mls_group *group = staged->group;
    uint8_t confirmed[XMTP_HASH_MAX];
    XMTP_TRY(xmtp_confirmed_transcript_hash(
        group->suite, xmtp_digest_bytes(&group->interim_transcript_hash), content, confirmed));
    return xmtp_next_context(group, &provisional->extensions, provisional->tree_hash,
                             xmtp_bytes_of(confirmed, group->suite->hash->len), &staged->arena,
                             &staged->commit->context);
}

static xmtp_status psk_secret_of(xmtp_mls_staged *staged, const xmtp_applied *applied,
                                 const xmtp_own_path *own, xmtp_secret *out, xmtp_error *error)
{
    const xmtp_psk_source source = {
        .config = &staged->group->config, .suite = staged->group->suite, .group = staged->group};
    if (own != NULL) {
        *out = *own->psk_secret;
        return XMTP_OK;
    }
    return xmtp_psk_secret_of_list(&source, applied, &staged->arena, out, error);
}

static xmtp_status stage_secrets(xmtp_mls_staged *staged, const xmtp_authenticated_content *content,
                                 const xmtp_applied *applied, const xmtp_group_context *provisional,
                                 const xmtp_own_path *own, xmtp_error *error)
{
    xmtp_staged_commit *c = staged->commit;
    xmtp_secret commit_secret = {0}, psk_secret = {0},
                init_secret = staged->group->secrets.init_secret;
    const xmtp_schedule_inputs inputs = {
        .init_secret = &init_secret, .commit_secret = &commit_secret, .psk_secret = &psk_secret};
    xmtp_status status = psk_secret_of(staged, applied, own, &psk_secret, error);
    if (status == XMTP_OK && c->is_external) {
        status = xmtp_external_init_open(staged->group, applied->external_init, &init_secret);
    }
    if (status == XMTP_OK) {
        status = commit_secret_of(staged, &content->content.content.commit, applied,
                                  provisional->raw, own, &commit_secret, error);
    }
    if (status == XMTP_OK) {
        status = xmtp_next_secrets(staged->group, content, provisional, &inputs, &staged->arena,
                                   &c->context, &c->secrets, NULL);
    }
    xmtp_secret_wipe(&commit_secret);
    xmtp_secret_wipe(&psk_secret);
    xmtp_secret_wipe(&init_secret);
    XMTP_TRY(status);
    return check_tag(c, staged->group->suite, error);
}

static xmtp_status apply_proposals(xmtp_mls_staged *staged, const xmtp_commit *commit,
                                   bool is_fresh, xmtp_applied *applied, xmtp_error *error)
{
    xmtp_staged_commit *c = staged->commit;
    return is_fresh ? xmtp_proposals_apply_again(staged->group, c->committer, commit,
                                                 &staged->arena, &c->next, applied, error)
                    : xmtp_proposals_apply(staged->group, c->committer, commit, &staged->arena,
                                           &c->next, applied, error);
}

static xmtp_status stage_tree(xmtp_mls_staged *staged, const xmtp_commit *commit, bool is_fresh,
                              xmtp_applied *applied, xmtp_error *error)
{
    xmtp_staged_commit *c = staged->commit;
    XMTP_TRY(apply_proposals(staged, commit, is_fresh, applied, error));
    c->proposals = applied->infos;
    c->proposal_count = applied->count;
    c->removes_us = applied->removes_us;
    c->reinit = applied->reinit;
    c->has_path = commit->has_path;
    XMTP_TRY(xmtp_arena_take_array(&staged->arena, applied->changed_count + 1,
                                   sizeof *c->changed_leaves, (void **)&c->changed_leaves));
    xmtp_copy(c->changed_leaves, applied->changed,
              applied->changed_count * sizeof *c->changed_leaves);
    c->changed_count = applied->changed_count;
    if (commit->has_path) {
        XMTP_TRY(apply_path(staged, commit, applied, is_fresh, error));
    } else if (applied->needs_path) {
        return xmtp_fail(error, XMTP_E_PATH_REQUIRED, "commit lacks a path");
    }
    return xmtp_check_init_keys(applied->proposals, applied->count, &c->next, error);
}

xmtp_status xmtp_stage_commit(xmtp_mls_staged *staged, const xmtp_authenticated_content *content,
                              const xmtp_own_path *own, xmtp_error *error)
{
    const xmtp_mls_group *group = staged->group;
    const xmtp_suite *suite = group->suite;
    uint8_t tree_hash[XMTP_HASH_MAX];
    xmtp_applied applied;
    xmtp_group_context provisional;

    XMTP_TRY(staged_commit_new(staged));
    xmtp_staged_commit *c = staged->commit;
    c->is_external = content->content.sender.type == XMTP_SENDER_NEW_MEMBER_COMMIT;
    c->committer = c->is_external ? XMTP_EXTERNAL_COMMITTER : content->content.sender.index;
    XMTP_TRY(take_tag(c, suite, content, error));
    const bool is_fresh = own != NULL && own->is_fresh;
    XMTP_TRY(stage_tree(staged, &content->content.content.commit, is_fresh, &applied, error));
    XMTP_TRY(xmtp_tree_hash(&c->next, tree_hash));
    XMTP_TRY(
        xmtp_next_context(group, &applied.extensions, xmtp_bytes_of(tree_hash, suite->hash->len),
                          group->context.confirmed_transcript_hash, &staged->arena, &provisional));
    if (c->removes_us) {
        XMTP_TRY(context_without_us(staged, content, &provisional));
    } else {
        XMTP_TRY(stage_secrets(staged, content, &applied, &provisional, own, error));
    }
    c->interim_transcript_hash.n = suite->hash->len;
    return xmtp_interim_transcript_hash(suite, c->context.confirmed_transcript_hash,
                                        xmtp_digest_bytes(&c->confirmation_tag),
                                        c->interim_transcript_hash.p);
}
