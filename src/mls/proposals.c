/* proposals.c - which lists of proposals a member may commit, and what they do to the tree.
 * RFC 9420 sections 12.1 (each proposal), 12.2 (the list) and 12.3 (the order of applying).
 *
 * XMTP: members that judge a commit differently are in different groups from then on. With
 * config.openmls_verdicts these follow OpenMLS where it differs from the RFC:
 *  - a proposal that repeats another byte for byte counts once;
 *  - added and path leaves are held against the group's extensions before the commit, not after it;
 *  - new required_capabilities are held against the current members (also those removed by the same
 *    commit) for their extension types only;
 *  - ReInit is carried and has no effect.
 *
 * First everything is checked that the proposals say by themselves, then they are applied to an
 * overlay, then the result is checked: keys that appear twice show there and nowhere else, so that
 * a member may be removed and added again with the same keys in one commit.
 */
#include "mls/proposals.h"

#include "base/bytes.h"
#include "base/status.h"
#include "mls/app_data.h"
#include "mls/kept.h"
#include "mls/key_package_rules.h"

#include <inttypes.h>

typedef struct list_check {
    const xmtp_mls_group *group;
    uint32_t committer;
    xmtp_arena *arena;
    xmtp_tree *next;
    xmtp_applied *out;
    xmtp_error *error;
    xmtp_writer scratch;
    bool is_verified;      /* signatures of all key packages were verified before */
    xmtp_status *verdicts; /* on the signatures of each added key package, in order */
    const xmtp_proposal *context_extensions; /* the one proposal that sets them, or NULL */
    size_t add_count;
    size_t remove_count;
    size_t update_count;
    size_t external_init_count;
    size_t reinit_count;
    size_t beyond_count;   /* types that not every member need support */
    size_t app_data_count; /* AppDataUpdate */
    size_t self_remove_count;
    uint8_t *touched; /* one per leaf: an Update, Remove or SelfRemove was for it */
} list_check;

const xmtp_extensions *xmtp_extensions_for_leaves(const xmtp_mls_group *group,
                                                  const xmtp_applied *applied)
{
    return group->config.openmls_verdicts ? &group->context.extensions : &applied->extensions;
}

/* ---- each proposal ---- */

/* XMTP: OpenMLS refuses extensions of the GroupContext that the proposal's own
 * required_capabilities does not list, although RFC 9420 section 12.1.7 asks only that members
 * support them. Members that judge differently would fork, so we refuse them too. */
static xmtp_status check_listed(const xmtp_extensions *extensions, xmtp_error *error)
{
    xmtp_required_capabilities required;
    xmtp_extension extension;
    xmtp_reader r = xmtp_reader_of(extensions->raw);
    XMTP_TRY(xmtp_required_capabilities_of(extensions, &required));
    while (xmtp_extensions_next(&r, &extension)) {
        if (!xmtp_extension_is_default(extension.type) &&
            !xmtp_u16_list_has(required.extensions, extension.type)) {
            return xmtp_fail(error, XMTP_E_EXTENSION,
                             "extension 0x%04x of the group is not a required capability",
                             (unsigned)extension.type);
        }
    }
    return XMTP_OK;
}

xmtp_status xmtp_context_extensions_check(const xmtp_mls_config *config,
                                          const xmtp_extensions *extensions, xmtp_error *error)
{
    xmtp_required_capabilities required;
    xmtp_external_sender sender;
    xmtp_bytes data;
    if (config->openmls_verdicts) {
        return check_listed(extensions, error);
    }
    if (xmtp_required_capabilities_of(extensions, &required) != XMTP_OK) {
        return xmtp_fail(error, XMTP_E_EXTENSION, "required_capabilities cannot be read");
    }
    /* the walk ends where the list does: the entry behind the last is not found */
    if (xmtp_extensions_find(extensions, XMTP_EXTENSION_EXTERNAL_SENDERS, &data) &&
        xmtp_external_sender_at(data, UINT32_MAX, &sender) != XMTP_E_NOT_FOUND) {
        return xmtp_fail(error, XMTP_E_EXTENSION, "external_senders cannot be read");
    }
    if (xmtp_extensions_find(extensions, XMTP_EXTENSION_APP_DATA_DICTIONARY, &data) &&
        xmtp_app_data_check(data) != XMTP_OK) {
        return xmtp_fail(error, XMTP_E_APP_DATA, "app_data_dictionary cannot be read");
    }
    return XMTP_OK;
}

static xmtp_status check_context_extensions(list_check *c, const xmtp_proposal *proposal)
{
    const xmtp_extensions *extensions = &proposal->u.group_context_extensions;
    if (c->context_extensions != NULL) {
        return xmtp_fail(c->error, XMTP_E_EXTENSIONS_TWICE,
                         "commit has more than one GroupContextExtensions proposal");
    }
    c->context_extensions = proposal;
    XMTP_TRY(xmtp_context_extensions_check(&c->group->config, extensions, c->error));
    return xmtp_app_data_check_locked(c->group, extensions, c->error);
}

static xmtp_status check_remove(list_check *c, const xmtp_proposal *proposal)
{
    uint32_t leaf = proposal->u.remove;
    if (leaf == c->committer) {
        return xmtp_fail(c->error, XMTP_E_REMOVES_COMMITTER,
                         "commit removes its committer, leaf %" PRIu32, leaf);
    }
    c->remove_count++;
    c->out->removes_us |= leaf == c->group->private_keys.leaf_index;
    return XMTP_OK;
}

/* An Update by the committer is forbidden (section 12.2); by value each would be one. */
static xmtp_status check_update(list_check *c, const xmtp_sender *sender)
{
    if (sender->type != XMTP_SENDER_MEMBER || sender->index == c->committer) {
        return xmtp_fail(c->error, XMTP_E_UPDATES_COMMITTER,
                         "commit holds an Update by its committer");
    }
    c->update_count++;
    return XMTP_OK;
}

/* draft-ietf-mls-extensions-10, section 6.3: by reference, from a member that is not the committer,
 * sent as PublicMessage. */
static xmtp_status check_self_remove(list_check *c, const xmtp_sender *sender, bool by_reference)
{
    if (!by_reference || sender->type != XMTP_SENDER_MEMBER) {
        return xmtp_fail(c->error, XMTP_E_SELF_REMOVE, "commit holds a SelfRemove by value");
    }
    if (sender->index == c->committer) {
        return xmtp_fail(c->error, XMTP_E_REMOVES_COMMITTER,
                         "commit holds a SelfRemove by its committer, leaf %" PRIu32,
                         sender->index);
    }
    c->self_remove_count++;
    c->beyond_count++;
    c->out->removes_us |= sender->index == c->group->private_keys.leaf_index;
    return XMTP_OK;
}

static xmtp_status count_app_data(list_check *c)
{
    c->app_data_count++;
    c->beyond_count++;
    return XMTP_OK;
}

/* Usages REINIT and BRANCH stand only in the commit by which a member starts the new group
 * (sections 8.6 and 12.1.4); nobody else sees that commit. */
static xmtp_status check_psk(list_check *c, const xmtp_psk_id *id)
{
    const xmtp_mls_group *group = c->group;
    bool is_start = group->context.epoch == 0 && c->committer == group->private_keys.leaf_index;
    if (group->config.refuse_psks) {
        return xmtp_fail(c->error, XMTP_E_PSK, "pre-shared keys are not accepted");
    }
    if (id->type == XMTP_PSK_RESUMPTION && id->usage != XMTP_PSK_USAGE_APPLICATION && !is_start) {
        return xmtp_fail(c->error, XMTP_E_PSK_USAGE,
                         "a commit may not use a pre-shared key for usage %u", (unsigned)id->usage);
    }
    if (id->psk_nonce.n != group->suite->hash->len) {
        return xmtp_fail(c->error, XMTP_E_PSK_NONCE, "nonce of a pre-shared key has %zu bytes",
                         id->psk_nonce.n);
    }
    XMTP_ENSURE(c->out->psk_count < XMTP_MLS_PSKS_MAX, XMTP_E_LIMIT);
    c->out->psk_count++;
    return XMTP_OK;
}

static xmtp_status check_reinit(list_check *c, const xmtp_proposal *proposal)
{
    if (c->group->config.openmls_verdicts) {
        return XMTP_OK;
    }
    if (proposal->u.reinit.version < c->group->context.version) { /* section 12.1.5 */
        return xmtp_fail(c->error, XMTP_E_VERSION, "ReInit to protocol version %u",
                         (unsigned)proposal->u.reinit.version);
    }
    c->reinit_count++;
    return XMTP_OK;
}

/* Types of later documents: the application says which it handles (section 12.1). */
static xmtp_status check_custom(list_check *c, uint16_t type)
{
    const xmtp_mls_u16_list *custom = &c->group->config.custom_proposals;
    for (size_t i = 0; i < custom->count; i++) {
        if (custom->items[i] == type) {
            c->beyond_count++;
            return XMTP_OK;
        }
    }
    return xmtp_fail(c->error, XMTP_E_PROPOSAL,
                     "a member may not commit a proposal of type %" PRIu16, type);
}

static xmtp_status check_type(list_check *c, const xmtp_proposal *proposal,
                              const xmtp_sender *sender, bool by_reference)
{
    switch (proposal->type) {
    case XMTP_PROPOSAL_ADD:
        c->add_count++;
        return XMTP_OK;
    case XMTP_PROPOSAL_REMOVE:
        return check_remove(c, proposal);
    case XMTP_PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
        return check_context_extensions(c, proposal);
    case XMTP_PROPOSAL_UPDATE:
        return check_update(c, sender);
    case XMTP_PROPOSAL_PSK:
        return check_psk(c, &proposal->u.psk);
    case XMTP_PROPOSAL_REINIT:
        return check_reinit(c, proposal);
    case XMTP_PROPOSAL_SELF_REMOVE:
        return check_self_remove(c, sender, by_reference);
    case XMTP_PROPOSAL_APP_DATA_UPDATE:
        return count_app_data(c);
    default:
        return check_custom(c, proposal->type);
    }
}

/* Section 12.2, the list of an external commit: one ExternalInit, at most one Remove, PSKs; and
 * those that the extensions draft allows there. */
static xmtp_status check_external_type(list_check *c, const xmtp_proposal *proposal,
                                       const xmtp_sender *sender, bool by_reference)
{
    if (by_reference && proposal->type != XMTP_PROPOSAL_SELF_REMOVE) { /* section 12.4.3.2 */
        return xmtp_fail(c->error, XMTP_E_EXTERNAL_REFERENCE,
                         "external commit refers to a proposal of type %" PRIu16, proposal->type);
    }
    switch (proposal->type) {
    case XMTP_PROPOSAL_EXTERNAL_INIT:
        c->external_init_count++;
        c->out->external_init = proposal->u.external_init;
        return XMTP_OK;
    case XMTP_PROPOSAL_REMOVE:
        if (c->remove_count > 0) {
            return xmtp_fail(c->error, XMTP_E_EXTERNAL_REMOVE, "external commit removes twice");
        }
        return check_remove(c, proposal);
    case XMTP_PROPOSAL_PSK:
        return check_psk(c, &proposal->u.psk);
    case XMTP_PROPOSAL_SELF_REMOVE:
        return check_self_remove(c, sender, by_reference);
    case XMTP_PROPOSAL_APP_DATA_UPDATE:
        return count_app_data(c);
    default:
        return xmtp_fail(c->error, XMTP_E_EXTERNAL_PROPOSAL,
                         "external commit holds a proposal of type %" PRIu16, proposal->type);
    }
}

/* Section 12.1.1: the key package must be valid for this group, with its extensions as they will
 * be. */
static xmtp_status check_key_package(list_check *c, const xmtp_key_package *key_package)
{
    const xmtp_mls_group *group = c->group;
    xmtp_leaf_node_rules rules = {.suite = group->suite,
                                  .group_extensions = xmtp_extensions_for_leaves(group, c->out),
                                  .suite_unlisted_ok = !group->config.openmls_verdicts,
                                  .check_lifetime = group->config.check_lifetimes};
    if (rules.check_lifetime) {
        rules.now_s = group->env->now_ns(group->env->context) / 1000000000u;
    }
    XMTP_TRY(xmtp_key_package_validate(key_package, &rules, c->error));
    if (group->config.openmls_verdicts) { /* the RFC asks this of leaf extensions only */
        XMTP_TRY(xmtp_key_package_check_extensions(key_package, c->error));
    }
    const xmtp_status status = c->verdicts[c->out->added_count];
    if (status != XMTP_OK) {
        return xmtp_fail(c->error, status, "a signature of an added key package is wrong");
    }
    return xmtp_group_authenticate(group, UINT32_MAX, &key_package->leaf_node, NULL, c->error);
}

/* ---- applying ---- */

static void note_changed(list_check *c, uint32_t leaf)
{
    c->out->changed[c->out->changed_count++] = leaf;
}

static xmtp_sender sender_of(const list_check *c, size_t i)
{
    if (c->out->sources != NULL && c->out->sources[i].kept != NULL) {
        return c->out->sources[i].sender;
    }
    if (c->committer == XMTP_EXTERNAL_COMMITTER) {
        return (xmtp_sender){.type = XMTP_SENDER_NEW_MEMBER_COMMIT};
    }
    return (xmtp_sender){.type = XMTP_SENDER_MEMBER, .index = c->committer};
}

/* Section 12.2: no leaf may be updated or removed twice, or both. */
static xmtp_status touch(list_check *c, uint32_t leaf)
{
    if (c->touched == NULL || leaf >= c->group->tree.leaf_count) {
        return XMTP_OK;
    }
    if (c->touched[leaf] != 0) {
        return xmtp_fail(c->error, XMTP_E_CHANGED_TWICE,
                         "commit updates or removes leaf %" PRIu32 " and changes it again", leaf);
    }
    c->touched[leaf] = 1;
    return XMTP_OK;
}

/* Section 12.1.2: valid for an Update (section 7.3), with a new encryption key. */
static xmtp_status check_updated_leaf(list_check *c, const xmtp_leaf_node *leaf, uint32_t index)
{
    const xmtp_mls_group *group = c->group;
    xmtp_leaf_node before;
    const xmtp_leaf_node_rules rules = {.suite = group->suite,
                                        .source = XMTP_LEAF_NODE_UPDATE,
                                        .suite_unlisted_ok = !group->config.openmls_verdicts,
                                        .group_extensions =
                                            xmtp_extensions_for_leaves(group, c->out)};
    if (xmtp_tree_leaf(&group->tree, index, &before) != XMTP_OK) {
        return xmtp_fail(c->error, XMTP_E_NO_MEMBER,
                         "commit updates leaf %" PRIu32 " which holds no member", index);
    }
    XMTP_TRY(xmtp_leaf_node_validate(leaf, &rules, c->error));
    if (xmtp_bytes_equal(before.encryption_key, leaf->encryption_key)) {
        return xmtp_fail(c->error, XMTP_E_KEY_KEPT,
                         "update keeps the encryption key of leaf %" PRIu32, index);
    }
    xmtp_status status =
        xmtp_leaf_node_verify(group->suite, leaf, group->context.group_id, index, &c->scratch);
    if (status != XMTP_OK) {
        return xmtp_fail(c->error, status, "the signature of an updated leaf is wrong");
    }
    return xmtp_group_authenticate(group, index, leaf, &before, c->error);
}

static xmtp_status apply_update(list_check *c, size_t i)
{
    const xmtp_leaf_node *leaf = &c->out->proposals[i].proposal.u.update;
    uint32_t index = c->out->sources[i].sender.index;
    XMTP_TRY(touch(c, index));
    XMTP_TRY(check_updated_leaf(c, leaf, index));
    XMTP_TRY(xmtp_tree_update_leaf(c->next, index, leaf->raw));
    if (index == c->group->private_keys.leaf_index) {
        c->out->own_update = c->out->sources[i].kept;
    }
    note_changed(c, index);
    return XMTP_OK;
}

static xmtp_status remove_leaf(list_check *c, uint32_t leaf)
{
    XMTP_TRY(touch(c, leaf));
    xmtp_status status = xmtp_tree_remove_leaf(c->next, leaf);
    if (status == XMTP_E_NOT_FOUND) {
        return xmtp_fail(c->error, XMTP_E_NO_MEMBER,
                         "commit removes leaf %" PRIu32 " which holds no member", leaf);
    }
    note_changed(c, leaf);
    return status;
}

static xmtp_status apply_remove(list_check *c, size_t i)
{
    return remove_leaf(c, c->out->proposals[i].proposal.u.remove);
}

static xmtp_status apply_self_remove(list_check *c, size_t i)
{
    return remove_leaf(c, c->out->sources[i].sender.index);
}

/* The signatures of all that is added, together, before the first is looked at. */
static xmtp_status verify_added(list_check *c)
{
    const xmtp_key_package **packages;
    size_t count = 0;
    XMTP_TRY(
        xmtp_arena_take_array(c->arena, c->add_count, sizeof *c->verdicts, (void **)&c->verdicts));
    XMTP_TRY(xmtp_arena_take_array(c->arena, c->add_count, sizeof *packages, (void **)&packages));
    for (size_t i = 0; i < c->out->count; i++) {
        if (c->out->proposals[i].proposal.type == XMTP_PROPOSAL_ADD) {
            c->verdicts[count] = XMTP_OK;
            packages[count++] = &c->out->proposals[i].proposal.u.add;
        }
    }
    return c->is_verified ? XMTP_OK
                          : xmtp_key_packages_verify(c->group->suite, packages, count, c->verdicts,
                                                     &c->scratch);
}

static xmtp_status apply_add(list_check *c, size_t i)
{
    const xmtp_key_package *key_package = &c->out->proposals[i].proposal.u.add;
    uint32_t leaf;
    XMTP_TRY(check_key_package(c, key_package));
    XMTP_TRY(xmtp_tree_add_leaf(c->next, key_package->leaf_node.raw, &leaf));
    c->out->infos[i].member.leaf = leaf;
    c->out->added[c->out->added_count++] = leaf;
    note_changed(c, leaf);
    return XMTP_OK;
}

/* All proposals of one type, in the order of the list. */
static xmtp_status apply_type(list_check *c, uint16_t type,
                              xmtp_status (*apply)(list_check *, size_t))
{
    for (size_t i = 0; i < c->out->count; i++) {
        if (c->out->proposals[i].proposal.type == type) {
            XMTP_TRY(apply(c, i));
        }
    }
    return XMTP_OK;
}

/* ---- the list ---- */

/* Whether a proposal before this one has the same bytes; if not it is entered for those behind. */
static bool is_repeated(const xmtp_proposal_or_ref *kept, size_t at,
                        const xmtp_proposal_or_ref *item, xmtp_key_index *seen)
{
    const uint32_t tag = xmtp_key_tag(item->proposal.raw);
    uint32_t cursor = 0;
    uint32_t other;
    while (xmtp_key_index_next(seen, tag, &cursor, &other)) {
        if (xmtp_bytes_equal(kept[other].proposal.raw, item->proposal.raw)) {
            return true;
        }
    }
    xmtp_key_index_insert(seen, tag, (uint32_t)at);
    return false;
}

/* The list without repetitions, in the arena. Proposals that we just made have no raw bytes yet and
 * are kept as they are. */
static xmtp_status drop_repeated(list_check *c, const xmtp_commit *commit)
{
    const xmtp_alloc *alloc = c->group->alloc;
    xmtp_proposal_or_ref *kept;
    xmtp_key_index seen = {0};
    size_t count = 0;
    XMTP_TRY(xmtp_arena_take_array(c->arena, commit->proposal_count, sizeof *kept, (void **)&kept));
    XMTP_TRY(xmtp_key_index_reserve(&seen, alloc, (uint32_t)commit->proposal_count));
    for (size_t i = 0; i < commit->proposal_count; i++) {
        const xmtp_proposal_or_ref *item = &commit->proposals[i];
        bool has_bytes = item->kind == XMTP_BY_VALUE && item->proposal.raw.n > 0;
        if (!has_bytes || !is_repeated(kept, count, item, &seen)) {
            kept[count++] = *item;
        }
    }
    xmtp_key_index_free(&seen, alloc);
    c->out->proposals = kept;
    c->out->count = count;
    return XMTP_OK;
}

static bool has_reference(const xmtp_commit *commit)
{
    for (size_t i = 0; i < commit->proposal_count; i++) {
        if (commit->proposals[i].kind == XMTP_BY_REFERENCE) {
            return true;
        }
    }
    return false;
}

/* What a reference means takes its place; an unknown one stays. */
static xmtp_status resolve_one(list_check *c, xmtp_proposal_or_ref *item,
                               xmtp_listed_source *source)
{
    xmtp_authenticated_content *content;
    const xmtp_kept_proposal *kept = xmtp_kept_find(c->group, item->reference);
    if (kept == NULL) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_kept_open(kept, c->arena, &content));
    item->kind = XMTP_BY_VALUE;
    item->proposal = content->content.content.proposal;
    *source = (xmtp_listed_source){.sender = content->content.sender, .kept = kept};
    return XMTP_OK;
}

static xmtp_status resolve(list_check *c, const xmtp_commit *commit)
{
    const size_t count = commit->proposal_count;
    xmtp_proposal_or_ref *items;
    xmtp_listed_source *sources;
    XMTP_TRY(xmtp_arena_take_array(c->arena, count, sizeof *items, (void **)&items));
    XMTP_TRY(xmtp_arena_take_array(c->arena, count, sizeof *sources, (void **)&sources));
    for (size_t i = 0; i < count; i++) {
        items[i] = commit->proposals[i];
        sources[i] = (xmtp_listed_source){0};
        if (items[i].kind == XMTP_BY_REFERENCE) {
            XMTP_TRY(resolve_one(c, &items[i], &sources[i]));
        }
    }
    c->out->proposals = items;
    c->out->sources = sources;
    return XMTP_OK;
}

static xmtp_status take_list(list_check *c, const xmtp_commit *commit)
{
    c->out->proposals = commit->proposals;
    c->out->count = commit->proposal_count;
    if (c->group->kept_count > 0 && has_reference(commit)) {
        XMTP_TRY(resolve(c, commit));
    }
    if (c->group->config.openmls_verdicts && c->out->sources == NULL &&
        commit->proposal_count > 1) {
        XMTP_TRY(drop_repeated(c, commit));
    }
    return xmtp_arena_take_array(c->arena, c->out->count, sizeof *c->out->infos,
                                 (void **)&c->out->infos);
}

static bool requires_path(uint16_t type)
{
    return type != XMTP_PROPOSAL_ADD && type != XMTP_PROPOSAL_REINIT && type != XMTP_PROPOSAL_PSK &&
           type != XMTP_PROPOSAL_APP_DATA_UPDATE;
}

static xmtp_status check_item(list_check *c, size_t i)
{
    const xmtp_proposal_or_ref *item = &c->out->proposals[i];
    const xmtp_sender sender = sender_of(c, i);
    const bool is_external = c->committer == XMTP_EXTERNAL_COMMITTER;
    bool by_reference = c->out->sources != NULL && c->out->sources[i].kept != NULL;
    if (item->kind != XMTP_BY_VALUE) {
        return xmtp_fail(c->error, XMTP_E_PROPOSAL_REF,
                         "commit refers to a proposal that is not kept");
    }
    XMTP_TRY(is_external ? check_external_type(c, &item->proposal, &sender, by_reference)
                         : check_type(c, &item->proposal, &sender, by_reference));
    c->out->needs_path |= requires_path(item->proposal.type);
    c->out->infos[i] = xmtp_proposal_info_of(c->group, &sender, &item->proposal);
    return XMTP_OK;
}

/* Section 12.2: each PSK once. */
static xmtp_status check_psks(list_check *c)
{
    const xmtp_applied *out = c->out;
    for (size_t i = 0; out->psk_count > 1 && i < out->count; i++) {
        for (size_t k = 0; out->infos[i].type == XMTP_PROPOSAL_PSK && k < i; k++) {
            if (out->infos[k].type == XMTP_PROPOSAL_PSK &&
                xmtp_bytes_equal(out->proposals[k].proposal.u.psk.raw,
                                 out->proposals[i].proposal.u.psk.raw)) {
                return xmtp_fail(c->error, XMTP_E_PSK_TWICE, "commit names a pre-shared key twice");
            }
        }
    }
    return XMTP_OK;
}

static xmtp_status check_list(list_check *c)
{
    xmtp_applied *out = c->out;
    out->needs_path = out->count == 0;
    for (size_t i = 0; i < out->count; i++) {
        XMTP_TRY(check_item(c, i));
    }
    if (c->committer == XMTP_EXTERNAL_COMMITTER && c->external_init_count != 1) {
        return xmtp_fail(c->error, XMTP_E_EXTERNAL_INIT, "external commit has %zu ExternalInit",
                         c->external_init_count);
    }
    if (c->reinit_count > 0) {
        if (out->count > 1) {
            return xmtp_fail(c->error, XMTP_E_REINIT_NOT_ALONE, "ReInit does not stand alone");
        }
        out->reinit = out->proposals[0].proposal.raw;
    }
    return check_psks(c);
}

static xmtp_status supports_types(const xmtp_leaf_node *leaf, xmtp_u16_list types)
{
    for (size_t i = 0; i < xmtp_u16_list_count(types); i++) {
        XMTP_ENSURE(
            xmtp_capabilities_has_extension(&leaf->capabilities, xmtp_u16_list_at(types, i)),
            XMTP_E_CAPABILITIES);
    }
    return XMTP_OK;
}

/* The check of OpenMLS on new required_capabilities. */
static xmtp_status check_members_loosely(list_check *c)
{
    const xmtp_tree *tree = &c->group->tree;
    xmtp_required_capabilities required;
    XMTP_TRY(xmtp_required_capabilities_of(&c->out->extensions, &required));
    for (uint32_t i = 0; xmtp_tree_next_member(tree, &i); i++) {
        xmtp_leaf_node leaf;
        XMTP_TRY(xmtp_tree_leaf(tree, i, &leaf));
        if (supports_types(&leaf, required.extensions) != XMTP_OK) {
            return xmtp_fail(c->error, XMTP_E_CAPABILITIES,
                             "leaf %" PRIu32 " does not support a required extension", i);
        }
    }
    return XMTP_OK;
}

/* AppDataUpdate proposals come after all others (section 4.7 of the extensions draft), but what they
 * change depends on no other proposal. */
static xmtp_status take_extensions(list_check *c)
{
    if (c->context_extensions != NULL) {
        c->out->extensions = c->context_extensions->u.group_context_extensions;
        c->out->sets_extensions = true;
        if (c->group->config.openmls_verdicts) {
            XMTP_TRY(check_members_loosely(c));
        }
    }
    if (c->app_data_count == 0) {
        return XMTP_OK;
    }
    xmtp_bytes data;
    c->out->sets_extensions |= !xmtp_extensions_find(&c->group->context.extensions,
                                                     XMTP_EXTENSION_APP_DATA_DICTIONARY, &data);
    return xmtp_app_data_apply(c->group, c->out, c->arena, &c->out->extensions, c->error);
}

/* Section 12.1.7: all members of the group that the commit makes. */
static xmtp_status check_members(list_check *c)
{
    if (!c->out->sets_extensions || c->group->config.openmls_verdicts) {
        return XMTP_OK;
    }
    return xmtp_tree_check_extensions(c->next, &c->out->extensions, c->error);
}

xmtp_status xmtp_proposal_check_support(const xmtp_mls_group *group, uint16_t type,
                                        xmtp_error *error)
{
    for (uint32_t i = 0; xmtp_tree_next_member(&group->tree, &i); i++) {
        xmtp_leaf_node leaf;
        XMTP_TRY(xmtp_tree_leaf(&group->tree, i, &leaf));
        if (!xmtp_capabilities_has_proposal(&leaf.capabilities, type)) {
            return xmtp_fail(error, XMTP_E_PROPOSAL_UNSUPPORTED,
                             "leaf %" PRIu32 " does not support proposals of type %" PRIu16, i,
                             type);
        }
    }
    return XMTP_OK;
}

/* Types that stand more than once are looked at once. */
static xmtp_status check_beyond_support(list_check *c)
{
    uint16_t last = 0;
    for (size_t i = 0; c->beyond_count > 0 && i < c->out->count; i++) {
        const uint16_t type = c->out->infos[i].type;
        if (!xmtp_proposal_is_default(type) && type != last) {
            XMTP_TRY(xmtp_proposal_check_support(c->group, type, c->error));
            last = type;
        }
    }
    return XMTP_OK;
}

static xmtp_status take_arrays(list_check *c)
{
    size_t removes = c->remove_count + c->self_remove_count;
    size_t changes = c->add_count + removes + c->update_count;
    if (c->update_count + removes > 1) {
        const uint32_t leaves = c->group->tree.leaf_count;
        XMTP_TRY(xmtp_arena_take(c->arena, leaves, (void **)&c->touched));
        memset(c->touched, 0, leaves);
    }
    XMTP_TRY(xmtp_arena_take_array(c->arena, c->add_count, sizeof *c->out->added,
                                   (void **)&c->out->added));
    return xmtp_arena_take_array(c->arena, changes, sizeof *c->out->changed,
                                 (void **)&c->out->changed);
}

static xmtp_status apply(list_check *c, const xmtp_commit *commit)
{
    XMTP_TRY(take_list(c, commit));
    XMTP_TRY(check_list(c));
    XMTP_TRY(check_beyond_support(c));
    XMTP_TRY(take_arrays(c));
    XMTP_TRY(take_extensions(c));
    if (c->update_count > 0) {
        XMTP_TRY(apply_type(c, XMTP_PROPOSAL_UPDATE, apply_update));
    }
    if (c->self_remove_count > 0) {
        XMTP_TRY(apply_type(c, XMTP_PROPOSAL_SELF_REMOVE, apply_self_remove));
    }
    XMTP_TRY(apply_type(c, XMTP_PROPOSAL_REMOVE, apply_remove));
    if (c->add_count > 0) {
        XMTP_TRY(verify_added(c));
        XMTP_TRY(apply_type(c, XMTP_PROPOSAL_ADD, apply_add));
    }
    XMTP_TRY(check_members(c));
    if (c->add_count + c->update_count == 0) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_tree_check_keys(c->next, c->error));
    return xmtp_tree_check_credentials(c->next, c->error);
}

static xmtp_status apply_in(const list_check *start, const xmtp_commit *commit)
{
    list_check c = *start;
    *c.out = (xmtp_applied){.extensions = c.group->context.extensions};
    xmtp_writer_init(&c.scratch, c.group->alloc, XMTP_WRITER_MAX);
    xmtp_status status = apply(&c, commit);
    xmtp_writer_free(&c.scratch);
    return status;
}

xmtp_status xmtp_proposals_apply(const xmtp_mls_group *group, uint32_t committer,
                                 const xmtp_commit *commit, xmtp_arena *arena, xmtp_tree *next,
                                 xmtp_applied *out, xmtp_error *error)
{
    const list_check c = {.group = group,
                          .committer = committer,
                          .arena = arena,
                          .next = next,
                          .out = out,
                          .error = error};
    return apply_in(&c, commit);
}

xmtp_status xmtp_proposals_apply_again(const xmtp_mls_group *group, uint32_t committer,
                                       const xmtp_commit *commit, xmtp_arena *arena,
                                       xmtp_tree *next, xmtp_applied *out, xmtp_error *error)
{
    const list_check c = {.group = group,
                          .committer = committer,
                          .arena = arena,
                          .next = next,
                          .out = out,
                          .is_verified = true,
                          .error = error};
    return apply_in(&c, commit);
}
