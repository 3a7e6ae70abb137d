/* merge.c - making a staged object true, and telling the store. RFC 9420 sections 8, 9.2 and 14.
 *
 * Of a message: the ratchet that moved, and the secret tree when its sender was new. Of a commit:
 *
 *     epochs   [new] [old current] [past] ... [falls out: keys deleted]
 *     tree     the changed nodes
 *     header   new
 *
 * The list of writes is made before the first thing changes, where it can be; what fails later
 * leaves a group that has to be loaded again, as the contract says.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "mls/kept.h"

/* ---- ratchets ---- */

/* What a used key changes in the store, before it is applied (the tree itself only after). */
static xmtp_status merge_change(xmtp_mls_group *group, xmtp_mls_staged *staged,
                                xmtp_mls_writes *writes)
{
    xmtp_epoch *epoch = xmtp_group_epoch_find(group, staged->message_epoch);
    XMTP_ENSURE(epoch != NULL, XMTP_E_STATE);
    xmtp_secret_tree_change *change = &staged->change;
    for (uint32_t i = 0; i < change->ratchet_count; i++) {
        xmtp_records_put_ratchet(group->suite, epoch->number, &change->ratchets[i], writes);
    }
    bool has_split = change->has_split;
    XMTP_TRY(xmtp_secret_tree_apply(&epoch->secret_tree, change));
    staged->has_change = false;
    if (has_split) {
        xmtp_records_put_secret_tree(epoch, writes);
    }
    return XMTP_OK;
}

/* ---- the tree ---- */

static const xmtp_node *node_before(const xmtp_tree *base, uint32_t index)
{
    return index < xmtp_node_count(base->leaf_count) ? xmtp_tree_node(base, index) : NULL;
}

static bool was_blank(const xmtp_tree *base, uint32_t index)
{
    const xmtp_node *node = node_before(base, index);
    return node == NULL || node->kind == XMTP_NODE_BLANK;
}

/* Records of the nodes that differ. The hashes of the overlay have been computed. */
static void put_tree_changes(const xmtp_tree *base, const xmtp_tree *next, xmtp_mls_writes *writes)
{
    uint32_t count = xmtp_node_count(next->leaf_count);
    for (uint32_t i = 0; i < next->change_count; i++) {
        const xmtp_tree_change *change = &next->changes[i];
        if (change->index < count &&
            (change->node.kind != XMTP_NODE_BLANK || !was_blank(base, change->index))) {
            xmtp_records_put_node(next->suite, change->index, &change->node, writes);
        }
    }
    for (uint32_t i = next->base_visible; i < xmtp_node_count(base->leaf_count); i++) {
        bool is_gone = i >= count || xmtp_tree_is_blank(next, i);
        if (is_gone && !was_blank(base, i)) {
            xmtp_writes_delete(writes, xmtp_record_key_node(i));
        }
    }
}

/* ---- epochs ---- */

/* The leaves that this commit changes, as they were: what past->leaves_before holds. */
static xmtp_status leaves_before(const xmtp_mls_group *group, const xmtp_staged_commit *commit,
                                 xmtp_buffer *out)
{
    xmtp_writer w;
    xmtp_writer_init(&w, group->alloc, XMTP_WRITER_MAX);
    for (size_t i = 0; i < commit->changed_count; i++) {
        xmtp_writer_u32(&w, commit->changed_leaves[i]);
        xmtp_writer_vec(&w, xmtp_tree_leaf_raw(&group->tree, commit->changed_leaves[i]));
    }
    xmtp_status status = xmtp_writer_status(&w);
    if (status == XMTP_OK) {
        status = xmtp_buffer_copy(group->alloc, xmtp_writer_bytes(&w), out);
    }
    xmtp_writer_free(&w);
    return status;
}

/* Our own ratchets of an epoch that has passed go at once: nothing more is sent in it. */
static void close_epoch(xmtp_mls_group *group, xmtp_epoch *epoch, xmtp_mls_writes *writes)
{
    uint32_t own = group->private_keys.leaf_index;
    for (uint8_t kind = 0; kind < 2; kind++) {
        if (xmtp_secret_tree_ratchet(&epoch->secret_tree, own, (xmtp_ratchet_kind)kind) != NULL) {
            xmtp_writes_delete(writes, xmtp_record_key_ratchet(epoch->number, own, kind));
        }
    }
    xmtp_secret_tree_drop(&epoch->secret_tree, own);
    xmtp_writer *w =
        xmtp_writes_open(writes, xmtp_record_key_epoch(XMTP_RECORD_LEAVES, epoch->number));
    xmtp_writer_put(w, xmtp_buffer_bytes(&epoch->leaves_before));
    xmtp_writes_close(writes);
}

/* Makes room at epochs[0]; the oldest one falls out when all places are taken. */
static void shift_epochs(xmtp_mls_group *group, xmtp_mls_writes *writes)
{
    uint32_t places = group->config.past_epochs_max + 1;
    if (group->epoch_count == places) {
        xmtp_epoch *oldest = &group->epochs[places - 1];
        xmtp_records_delete_epoch(oldest, writes);
        xmtp_epoch_free(group->alloc, oldest);
        group->epoch_count--;
    }
    memmove(&group->epochs[1], &group->epochs[0], group->epoch_count * sizeof *group->epochs);
    group->epochs[0] = (xmtp_epoch){0};
    group->epoch_count++;
}

static void put_new_epoch(const xmtp_mls_group *group, xmtp_mls_writes *writes)
{
    const xmtp_epoch *epoch = &group->epochs[0];
    xmtp_records_put_epoch(epoch, writes);
    xmtp_records_put_secret_tree(epoch, writes);
    for (uint32_t i = 0; i < epoch->secret_tree.ratchet_count; i++) {
        xmtp_records_put_ratchet(group->suite, epoch->number, &epoch->secret_tree.ratchets[i],
                                 writes);
    }
}

/* ---- commits ---- */

/* What of the epoch that ends is kept for later, and what may not be. */
static xmtp_status end_epoch(xmtp_mls_group *group, const xmtp_staged_commit *commit,
                             xmtp_mls_writes *writes)
{
    uint64_t dropped;
    bool has_dropped;
    xmtp_kept_drop(group, writes);
    xmtp_exporter_drop(group, writes);
    if (commit->reinit.n > 0) {
        XMTP_TRY(xmtp_buffer_copy(group->alloc, commit->reinit, &group->reinit));
        xmtp_records_put_reinit(group, writes);
    }
    if (group->config.resumption_psks_max == 0) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_resumption_add(group, group->context.epoch, &group->secrets.resumption_psk,
                                 &dropped, &has_dropped));
    if (has_dropped) {
        xmtp_writes_delete(writes, xmtp_record_key_epoch(XMTP_RECORD_RESUMPTION, dropped));
    }
    xmtp_records_put_resumption(&group->resumption[group->resumption_count - 1], writes);
    return XMTP_OK;
}

static void take_commit(xmtp_mls_group *group, const xmtp_staged_commit *commit)
{
    xmtp_epoch_secrets_wipe(&group->secrets);
    group->secrets = commit->secrets;
    xmtp_tree_private_wipe(&group->private_keys);
    group->private_keys = commit->private_keys;
    group->confirmation_tag = commit->confirmation_tag;
    group->interim_transcript_hash = commit->interim_transcript_hash;
}

static xmtp_status merge_commit(xmtp_mls_group *group, xmtp_staged_commit *commit,
                                xmtp_mls_writes *writes)
{
    xmtp_epoch next = {0};
    xmtp_epoch *ending = &group->epochs[0];
    put_tree_changes(&group->tree, &commit->next, writes);
    XMTP_TRY(leaves_before(group, commit, &ending->leaves_before));
    XMTP_TRY(end_epoch(group, commit, writes));
    XMTP_TRY(xmtp_epoch_start(&next, group->suite, group->alloc, commit->context.raw,
                              commit->context.epoch, commit->next.leaf_count,
                              commit->private_keys.leaf_index, &commit->secrets));
    next.started_s = xmtp_group_now_s(group);
    close_epoch(group, ending, writes);
    shift_epochs(group, writes);
    group->epochs[0] = next;
    take_commit(group, commit);
    XMTP_TRY(xmtp_tree_merge(&group->tree, &commit->next));
    put_new_epoch(group, writes);
    return XMTP_OK;
}

/* A group that goes on without us: what is public stays readable, every secret goes. */
static xmtp_status merge_removal(xmtp_mls_group *group, xmtp_staged_commit *commit,
                                 xmtp_mls_writes *writes)
{
    uint32_t own = group->private_keys.leaf_index;
    put_tree_changes(&group->tree, &commit->next, writes);
    xmtp_kept_drop(group, writes);
    xmtp_exporter_drop(group, writes);
    for (uint32_t i = 0; i < group->resumption_count; i++) {
        xmtp_writes_delete(
            writes, xmtp_record_key_epoch(XMTP_RECORD_RESUMPTION, group->resumption[i].epoch));
    }
    xmtp_resumption_free(group);
    for (uint32_t i = 0; i < group->epoch_count; i++) {
        xmtp_records_delete_epoch(&group->epochs[i], writes);
        xmtp_epoch_free(group->alloc, &group->epochs[i]);
    }
    group->epoch_count = 1;
    group->epochs[0].number = commit->context.epoch;
    XMTP_TRY(xmtp_buffer_copy(group->alloc, commit->context.raw, &group->epochs[0].context));
    take_commit(group, commit); /* the staged secrets and keys are empty */
    group->private_keys.leaf_index = own;
    group->private_keys.count = 0;
    group->is_active = false;
    xmtp_wipe(group->signature_sk, sizeof group->signature_sk);
    XMTP_TRY(xmtp_tree_merge(&group->tree, &commit->next));
    xmtp_records_put_epoch(&group->epochs[0], writes);
    return XMTP_OK;
}

static xmtp_status merge(xmtp_mls_group *group, xmtp_mls_staged *staged, xmtp_mls_writes *writes)
{
    group->revision++;
    if (staged->has_change) {
        XMTP_TRY(merge_change(group, staged, writes));
    }
    if (staged->proposal_content.n > 0) {
        XMTP_TRY(xmtp_kept_add(group, staged->proposal_content, (xmtp_bytes){0}, writes));
    }
    if (staged->commit != NULL) {
        XMTP_TRY(staged->commit->removes_us ? merge_removal(group, staged->commit, writes)
                                            : merge_commit(group, staged->commit, writes));
        XMTP_TRY(xmtp_group_set_context(group));
        xmtp_records_put_header(group, writes);
        xmtp_framing_scratch_trim(group->scratch, XMTP_MLS_SPARE_MAX);
    }
    return xmtp_group_expire(group, writes);
}

xmtp_status xmtp_mls_group_merge(xmtp_mls_group *group, xmtp_mls_staged *staged,
                                 xmtp_mls_writes *writes, xmtp_error *error)
{
    xmtp_status status;
    size_t mark = xmtp_writes_mark(writes);
    if (!xmtp_mls_staged_is_current(staged, group)) {
        status = xmtp_fail(error, XMTP_E_STATE,
                           "the group has changed since this message was processed");
    } else {
        status = merge(group, staged, writes);
    }
    if (status != XMTP_OK) {
        xmtp_writes_rollback(writes, mark);
        status = xmtp_fail_default(error, status, "merging");
    }
    xmtp_mls_staged_free(staged);
    return status;
}
