/* group.c - memory of a group, and reading it. RFC 9420 sections 8.1 and 8.5; see group.h. */
#include "mls/group.h"

#include "base/bytes.h"
#include "base/status.h"
#include "mls/kept.h"

/* ---- buffers ---- */

xmtp_status xmtp_buffer_copy(const xmtp_alloc *alloc, xmtp_bytes in, xmtp_buffer *out)
{
    *out = (xmtp_buffer){0};
    if (in.n == 0) {
        return XMTP_OK;
    }
    out->p = alloc->reallocate(alloc->context, NULL, in.n);
    XMTP_ENSURE(out->p != NULL, XMTP_E_NOMEM);
    memcpy(out->p, in.p, in.n);
    out->n = in.n;
    return XMTP_OK;
}

void xmtp_buffer_free(const xmtp_alloc *alloc, xmtp_buffer *b)
{
    if (b->p != NULL) {
        xmtp_wipe(b->p, b->n);
        alloc->reallocate(alloc->context, b->p, 0);
    }
    *b = (xmtp_buffer){0};
}

/* ---- epochs ---- */

void xmtp_epoch_free(const xmtp_alloc *alloc, xmtp_epoch *epoch)
{
    xmtp_buffer_free(alloc, &epoch->context);
    xmtp_buffer_free(alloc, &epoch->leaves_before);
    xmtp_secret_tree_free(&epoch->secret_tree);
    xmtp_wipe(epoch, sizeof *epoch);
}

static xmtp_status own_ratchets(xmtp_secret_tree *tree, uint32_t own_leaf)
{
    xmtp_secret_tree_change change;
    XMTP_TRY(xmtp_secret_tree_touch(tree, own_leaf, &change));
    xmtp_status status = xmtp_secret_tree_apply(tree, &change);
    xmtp_secret_tree_change_free(&change);
    return status;
}

static xmtp_status epoch_fill(xmtp_epoch *out, const xmtp_suite *suite, const xmtp_alloc *alloc,
                              xmtp_bytes context, uint32_t leaf_count, uint32_t own_leaf,
                              xmtp_epoch_secrets *secrets)
{
    XMTP_TRY(xmtp_buffer_copy(alloc, context, &out->context));
    XMTP_TRY(xmtp_secret_tree_init(&out->secret_tree, suite, alloc, leaf_count,
                                   &secrets->encryption_secret));
    return own_ratchets(&out->secret_tree, own_leaf);
}

xmtp_status xmtp_epoch_start(xmtp_epoch *out, const xmtp_suite *suite, const xmtp_alloc *alloc,
                             xmtp_bytes context, uint64_t number, uint32_t leaf_count,
                             uint32_t own_leaf, xmtp_epoch_secrets *secrets)
{
    out->number = number;
    xmtp_status status = epoch_fill(out, suite, alloc, context, leaf_count, own_leaf, secrets);
    if (status != XMTP_OK) {
        xmtp_epoch_free(alloc, out);
        return status;
    }
    out->sender_data_secret = secrets->sender_data_secret;
    xmtp_secret_wipe(&secrets->sender_data_secret);
    return XMTP_OK;
}

xmtp_epoch *xmtp_group_epoch_find(const xmtp_mls_group *group, uint64_t number)
{
    for (uint32_t i = 0; i < group->epoch_count; i++) {
        if (group->epochs[i].number == number) {
            return &group->epochs[i];
        }
    }
    return NULL;
}

/* A leaf among those that ended this epoch changed. */
static bool leaf_before(const xmtp_epoch *epoch, uint32_t leaf_index, xmtp_bytes *raw)
{
    xmtp_reader r = xmtp_reader_of(xmtp_buffer_bytes(&epoch->leaves_before));
    while (r.n > 0) {
        uint32_t index;
        if (xmtp_reader_u32(&r, &index) != XMTP_OK || xmtp_reader_vec(&r, raw) != XMTP_OK) {
            return false; /* records are checked when they are loaded */
        }
        if (index == leaf_index) {
            return true;
        }
    }
    return false;
}

xmtp_status xmtp_group_leaf_at_epoch(const xmtp_mls_group *group, const xmtp_epoch *epoch,
                                     uint32_t leaf_index, xmtp_leaf_node *out)
{
    xmtp_bytes raw;
    for (size_t i = (size_t)(epoch - group->epochs); i > 0; i--) {
        if (leaf_before(&group->epochs[i], leaf_index, &raw)) {
            XMTP_ENSURE(raw.n > 0, XMTP_E_SENDER);
            return xmtp_leaf_node_of(raw, out);
        }
    }
    xmtp_status status = xmtp_tree_leaf(&group->tree, leaf_index, out);
    return status == XMTP_E_NOT_FOUND ? XMTP_E_SENDER : status;
}

/* ---- resumption secrets ---- */

void xmtp_resumption_free(xmtp_mls_group *group)
{
    if (group->resumption != NULL) {
        xmtp_wipe(group->resumption, group->config.resumption_psks_max * sizeof *group->resumption);
        group->alloc->reallocate(group->alloc->context, group->resumption, 0);
    }
    group->resumption = NULL;
    group->resumption_count = 0;
}

xmtp_status xmtp_resumption_add(xmtp_mls_group *group, uint64_t epoch, const xmtp_secret *secret,
                                uint64_t *dropped, bool *has_dropped)
{
    const uint32_t places = group->config.resumption_psks_max;
    *has_dropped = false;
    if (group->resumption == NULL) {
        group->resumption = group->alloc->reallocate(group->alloc->context, NULL,
                                                     places * sizeof *group->resumption);
        XMTP_ENSURE(group->resumption != NULL, XMTP_E_NOMEM);
    }
    if (group->resumption_count == places) {
        *dropped = group->resumption[0].epoch;
        *has_dropped = true;
        memmove(&group->resumption[0], &group->resumption[1],
                (places - 1) * sizeof *group->resumption);
        group->resumption_count--;
    }
    uint32_t at = group->resumption_count++;
    while (at > 0 && group->resumption[at - 1].epoch > epoch) { /* while loading */
        group->resumption[at] = group->resumption[at - 1];
        at--;
    }
    group->resumption[at] = (xmtp_resumption){.epoch = epoch, .secret = *secret};
    return XMTP_OK;
}

/* ---- making and freeing ---- */

static xmtp_status fill_config(xmtp_mls_config *config, xmtp_error *error)
{
    if (config->out_of_order_tolerance == 0) {
        config->out_of_order_tolerance = XMTP_MLS_TOLERANCE_DEFAULT;
    }
    if (config->forward_distance_max == 0) {
        config->forward_distance_max = XMTP_MLS_FORWARD_DEFAULT;
    }
    if (config->out_of_order_tolerance > XMTP_MLS_TOLERANCE_MAX ||
        config->forward_distance_max > XMTP_MLS_FORWARD_MAX ||
        config->past_epochs_max > XMTP_MLS_PAST_EPOCHS_MAX ||
        config->resumption_psks_max > XMTP_MLS_RESUMPTION_MAX) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "configuration asks for more than the limits");
    }
    return XMTP_OK;
}

xmtp_status xmtp_group_new(xmtp_mls_group **out, const xmtp_mls_config *config,
                           const xmtp_suite *suite, xmtp_error *error)
{
    const xmtp_alloc *alloc = &config->env->alloc;
    xmtp_mls_config filled = *config;
    *out = NULL;
    XMTP_TRY(fill_config(&filled, error));
    size_t epochs_len = (filled.past_epochs_max + 1) * sizeof(xmtp_epoch);
    xmtp_mls_group *group = alloc->reallocate(alloc->context, NULL, sizeof *group);
    xmtp_epoch *epochs = alloc->reallocate(alloc->context, NULL, epochs_len);
    xmtp_framing_scratch *scratch = alloc->reallocate(alloc->context, NULL, sizeof *scratch);
    xmtp_spare *spare = alloc->reallocate(alloc->context, NULL, sizeof *spare);
    if (group == NULL || epochs == NULL || scratch == NULL || spare == NULL) {
        alloc->reallocate(alloc->context, group, 0);
        alloc->reallocate(alloc->context, epochs, 0);
        alloc->reallocate(alloc->context, scratch, 0);
        alloc->reallocate(alloc->context, spare, 0);
        return XMTP_E_NOMEM;
    }
    memset(epochs, 0, epochs_len);
    xmtp_framing_scratch_init(scratch, alloc);
    xmtp_spare_init(spare, alloc);
    *group = (xmtp_mls_group){.config = filled,
                              .env = config->env,
                              .alloc = alloc,
                              .suite = suite,
                              .is_active = true,
                              .epochs = epochs,
                              .scratch = scratch,
                              .spare = spare};
    xmtp_tree_init(&group->tree, suite, alloc);
    group->tree.suite_unlisted_ok = !filled.openmls_verdicts;
    *out = group;
    return XMTP_OK;
}

void xmtp_mls_group_free(xmtp_mls_group *group)
{
    if (group == NULL) {
        return;
    }
    const xmtp_alloc *alloc = group->alloc;
    for (uint32_t i = 0; i < group->epoch_count; i++) {
        xmtp_epoch_free(alloc, &group->epochs[i]);
    }
    xmtp_kept_drop(group, NULL);
    xmtp_resumption_free(group);
    xmtp_exporter_drop(group, NULL);
    alloc->reallocate(alloc->context, group->stale, 0);
    xmtp_buffer_free(alloc, &group->reinit);
    xmtp_tree_free(&group->tree);
    xmtp_framing_scratch_free(group->scratch);
    alloc->reallocate(alloc->context, group->scratch, 0);
    xmtp_spare_free(group->spare);
    alloc->reallocate(alloc->context, group->spare, 0);
    alloc->reallocate(alloc->context, group->epochs, 0);
    xmtp_wipe(group, sizeof *group);
    alloc->reallocate(alloc->context, group, 0);
}

xmtp_status xmtp_group_set_context(xmtp_mls_group *group)
{
    return xmtp_group_context_of(xmtp_buffer_bytes(&group->epochs[0].context), &group->context);
}

xmtp_status xmtp_group_first_epoch(xmtp_mls_group *group, xmtp_bytes context, uint64_t number,
                                   xmtp_mls_writes *writes)
{
    XMTP_TRY(xmtp_epoch_start(&group->epochs[0], group->suite, group->alloc, context, number,
                              group->tree.leaf_count, group->private_keys.leaf_index,
                              &group->secrets));
    group->epoch_count = 1;
    group->epochs[0].started_s = xmtp_group_now_s(group);
    XMTP_TRY(xmtp_group_set_context(group));
    size_t mark = xmtp_writes_mark(writes);
    xmtp_records_put_all(group, writes);
    xmtp_status status = xmtp_writes_status(writes);
    if (status != XMTP_OK) {
        xmtp_writes_rollback(writes, mark);
    }
    return status;
}

/* ---- reading ---- */

xmtp_bytes xmtp_mls_group_id(const xmtp_mls_group *group)
{
    return group->context.group_id;
}

uint64_t xmtp_mls_group_epoch(const xmtp_mls_group *group)
{
    return group->epochs[0].number;
}

bool xmtp_mls_group_is_active(const xmtp_mls_group *group)
{
    return group->is_active;
}

uint32_t xmtp_mls_group_own_leaf(const xmtp_mls_group *group)
{
    return group->private_keys.leaf_index;
}

uint32_t xmtp_mls_group_member_count(const xmtp_mls_group *group)
{
    return group->tree.member_count;
}

uint32_t xmtp_mls_group_leaf_count(const xmtp_mls_group *group)
{
    return group->tree.leaf_count;
}

xmtp_mls_member xmtp_member_of(uint32_t leaf_index, const xmtp_leaf_node *leaf)
{
    return (xmtp_mls_member){.leaf = leaf_index,
                             .credential_type = leaf->credential.type,
                             .identity = leaf->credential.content,
                             .signature_key = leaf->signature_key,
                             .encryption_key = leaf->encryption_key};
}

bool xmtp_member_at(const xmtp_tree *tree, uint32_t leaf_index, xmtp_mls_member *out)
{
    xmtp_leaf_node leaf;
    if (xmtp_tree_leaf(tree, leaf_index, &leaf) != XMTP_OK) {
        return false;
    }
    *out = xmtp_member_of(leaf_index, &leaf);
    return true;
}

xmtp_status xmtp_group_authenticate(const xmtp_mls_group *group, uint32_t leaf_index,
                                    const xmtp_leaf_node *leaf, const xmtp_leaf_node *before,
                                    xmtp_error *error)
{
    const xmtp_mls_config *config = &group->config;
    if (config->authenticate == NULL) {
        return XMTP_OK;
    }
    const xmtp_mls_member now = xmtp_member_of(leaf_index, leaf);
    xmtp_mls_member then = {0};
    if (before != NULL) {
        then = xmtp_member_of(leaf_index, before);
    }
    xmtp_status status =
        config->authenticate(config->authenticate_context, &now, before == NULL ? NULL : &then);
    if (status != XMTP_OK) {
        return xmtp_fail(error, XMTP_E_CREDENTIAL, "the application does not accept a credential");
    }
    return XMTP_OK;
}

bool xmtp_mls_group_member(const xmtp_mls_group *group, uint32_t leaf, xmtp_mls_member *out)
{
    return xmtp_member_at(&group->tree, leaf, out);
}

int64_t xmtp_mls_group_find(const xmtp_mls_group *group, xmtp_bytes signature_key)
{
    uint32_t leaf_index;
    if (!xmtp_tree_find_signature_key(&group->tree, signature_key, &leaf_index)) {
        return XMTP_MLS_NO_LEAF;
    }
    return leaf_index;
}

size_t xmtp_mls_group_extension_count(const xmtp_mls_group *group)
{
    return group->context.extensions.count;
}

xmtp_mls_extension xmtp_mls_group_extension_at(const xmtp_mls_group *group, size_t index)
{
    xmtp_reader r = xmtp_reader_of(group->context.extensions.raw);
    xmtp_extension extension = {0};
    for (size_t i = 0; i <= index; i++) {
        if (!xmtp_extensions_next(&r, &extension)) {
            return (xmtp_mls_extension){0};
        }
    }
    return (xmtp_mls_extension){.type = extension.type, .data = extension.data};
}

bool xmtp_mls_group_extension(const xmtp_mls_group *group, uint16_t type, xmtp_bytes *data)
{
    return xmtp_extensions_find(&group->context.extensions, type, data);
}

xmtp_bytes xmtp_mls_group_epoch_authenticator(const xmtp_mls_group *group)
{
    return xmtp_secret_bytes(&group->secrets.epoch_authenticator);
}

xmtp_bytes xmtp_mls_group_context(const xmtp_mls_group *group)
{
    return xmtp_buffer_bytes(&group->epochs[0].context);
}
