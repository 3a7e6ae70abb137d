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
    const xmtp_proposal *context_extensions; /* the one proposal that sets them, or NULL */
    size_t add_count;
    size_t remove_count;
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
xmtp_status xmtp_context_extensions_check(const xmtp_extensions *extensions, xmtp_error *error)
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
                             extension.type);
        }
    }
    return XMTP_OK;
}

static xmtp_status check_context_extensions(list_check *c, const xmtp_proposal *proposal)
{
    if (c->context_extensions != NULL) {
        return xmtp_fail(c->error, XMTP_E_PROPOSAL_LIST,
                         "commit has more than one GroupContextExtensions proposal");
    }
    c->context_extensions = proposal;
    return xmtp_context_extensions_check(&proposal->u.group_context_extensions, c->error);
}

static xmtp_status check_remove(list_check *c, const xmtp_proposal *proposal)
{
    uint32_t leaf = proposal->u.remove;
    if (leaf == c->committer) {
        return xmtp_fail(c->error, XMTP_E_PROPOSAL_LIST,
                         "commit removes its committer, leaf %" PRIu32, leaf);
    }
    c->remove_count++;
    c->out->removes_us |= leaf == c->group->private_keys.leaf_index;
    return XMTP_OK;
}

/* By value every proposal is the committer's own, so an Update would be one by the committer, which
 * section 12.2 forbids. External commits are not accepted here, nor is what replaces the group. */
static xmtp_status check_type(list_check *c, const xmtp_proposal *proposal)
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
        return xmtp_fail(c->error, XMTP_E_PROPOSAL_LIST, "commit holds an Update by its committer");
    case XMTP_PROPOSAL_PSK:
        return xmtp_fail(c->error, XMTP_E_PSK,
                         c->group->config.refuse_psks ? "pre-shared keys are not accepted"
                                                      : "pre-shared key is not known");
    case XMTP_PROPOSAL_REINIT:
        if (c->group->config.openmls_verdicts) {
            return XMTP_OK;
        }
        return xmtp_fail(c->error, XMTP_E_UNSUPPORTED, "re-initialising a group is not supported");
    default:
        return xmtp_fail(c->error, XMTP_E_PROPOSAL,
                         "a member may not commit a proposal of type %" PRIu16, proposal->type);
    }
}

/* Section 12.1.1: the key package must be valid for this group, with its extensions as they will
 * be. */
static xmtp_status check_key_package(list_check *c, const xmtp_key_package *key_package)
{
    const xmtp_mls_group *group = c->group;
    xmtp_leaf_node_rules rules = {.suite = group->suite,
                                  .group_extensions = xmtp_extensions_for_leaves(group, c->out),
                                  .check_lifetime = group->config.check_lifetimes};
    if (rules.check_lifetime) {
        rules.now_s = group->env->now_ns(group->env->context) / 1000000000u;
    }
    XMTP_TRY(xmtp_key_package_validate(key_package, &rules, c->error));
    XMTP_TRY(xmtp_key_package_check_extensions(key_package, c->error));
    xmtp_status status = xmtp_key_package_verify(group->suite, key_package, &c->scratch);
    if (status != XMTP_OK) {
        return xmtp_fail(c->error, status, "a signature of an added key package is wrong");
    }
    return XMTP_OK;
}

/* ---- applying ---- */

static void note_changed(list_check *c, uint32_t leaf)
{
    c->out->changed[c->out->changed_count++] = leaf;
}

static xmtp_status apply_remove(list_check *c, const xmtp_proposal *proposal,
                                xmtp_mls_proposal_info *info)
{
    uint32_t leaf = proposal->u.remove;
    info->member.leaf = leaf;
    (void)xmtp_member_at(&c->group->tree, leaf, &info->member); /* as it was; absent fails below */
    xmtp_status status = xmtp_tree_remove_leaf(c->next, leaf);
    if (status == XMTP_E_NOT_FOUND) {
        return xmtp_fail(c->error, XMTP_E_PROPOSAL_LIST,
                         "commit removes leaf %" PRIu32 " which holds no member", leaf);
    }
    note_changed(c, leaf);
    return status;
}

static xmtp_status apply_add(list_check *c, const xmtp_proposal *proposal,
                             xmtp_mls_proposal_info *info)
{
    const xmtp_key_package *key_package = &proposal->u.add;
    uint32_t leaf;
    XMTP_TRY(check_key_package(c, key_package));
    XMTP_TRY(xmtp_tree_add_leaf(c->next, key_package->leaf_node.raw, &leaf));
    info->member = xmtp_member_of(leaf, &key_package->leaf_node);
    c->out->added[c->out->added_count++] = leaf;
    note_changed(c, leaf);
    return XMTP_OK;
}

/* All proposals of one type, in the order of the list. */
static xmtp_status apply_type(list_check *c, uint16_t type,
                              xmtp_status (*apply)(list_check *, const xmtp_proposal *,
                                                   xmtp_mls_proposal_info *))
{
    for (size_t i = 0; i < c->out->count; i++) {
        if (c->out->proposals[i].proposal.type == type) {
            XMTP_TRY(apply(c, &c->out->proposals[i].proposal, &c->out->infos[i]));
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

static xmtp_status take_list(list_check *c, const xmtp_commit *commit)
{
    c->out->proposals = commit->proposals;
    c->out->count = commit->proposal_count;
    if (c->group->config.openmls_verdicts && commit->proposal_count > 1) {
        XMTP_TRY(drop_repeated(c, commit));
    }
    return xmtp_arena_take_array(c->arena, c->out->count, sizeof *c->out->infos,
                                 (void **)&c->out->infos);
}

static xmtp_status check_list(list_check *c)
{
    xmtp_applied *out = c->out;
    out->needs_path = out->count == 0;
    for (size_t i = 0; i < out->count; i++) {
        const xmtp_proposal_or_ref *item = &out->proposals[i];
        if (item->kind != XMTP_BY_VALUE) {
            return xmtp_fail(c->error, XMTP_E_PROPOSAL_REF,
                             "commit refers to a proposal, and none are kept");
        }
        uint16_t type = item->proposal.type;
        XMTP_TRY(check_type(c, &item->proposal));
        out->needs_path |= type != XMTP_PROPOSAL_ADD && type != XMTP_PROPOSAL_REINIT;
        out->infos[i] = (xmtp_mls_proposal_info){.type = type, .sender_leaf = c->committer};
    }
    return XMTP_OK;
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

static xmtp_status take_extensions(list_check *c)
{
    if (c->context_extensions == NULL) {
        return XMTP_OK;
    }
    c->out->extensions = c->context_extensions->u.group_context_extensions;
    c->out->sets_extensions = true;
    for (size_t i = 0; i < c->out->count; i++) {
        if (c->out->infos[i].type == XMTP_PROPOSAL_GROUP_CONTEXT_EXTENSIONS) {
            c->out->infos[i].extensions = c->out->extensions.raw;
        }
    }
    return c->group->config.openmls_verdicts ? check_members_loosely(c) : XMTP_OK;
}

/* Section 12.1.7: all members of the group that the commit makes. */
static xmtp_status check_members(list_check *c)
{
    if (c->context_extensions == NULL || c->group->config.openmls_verdicts) {
        return XMTP_OK;
    }
    return xmtp_tree_check_extensions(c->next, &c->out->extensions, c->error);
}

static xmtp_status take_arrays(list_check *c)
{
    size_t changes = c->add_count + c->remove_count;
    XMTP_TRY(xmtp_arena_take_array(c->arena, c->add_count, sizeof *c->out->added,
                                   (void **)&c->out->added));
    return xmtp_arena_take_array(c->arena, changes, sizeof *c->out->changed,
                                 (void **)&c->out->changed);
}

static xmtp_status apply(list_check *c, const xmtp_commit *commit)
{
    XMTP_TRY(take_list(c, commit));
    XMTP_TRY(check_list(c));
    XMTP_TRY(take_arrays(c));
    XMTP_TRY(take_extensions(c));
    XMTP_TRY(apply_type(c, XMTP_PROPOSAL_REMOVE, apply_remove));
    XMTP_TRY(apply_type(c, XMTP_PROPOSAL_ADD, apply_add));
    XMTP_TRY(check_members(c));
    if (c->add_count == 0) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_tree_check_keys(c->next, c->error));
    return xmtp_tree_check_credentials(c->next, c->error);
}

xmtp_status xmtp_proposals_apply(const xmtp_mls_group *group, uint32_t committer,
                                 const xmtp_commit *commit, xmtp_arena *arena, xmtp_tree *next,
                                 xmtp_applied *out, xmtp_error *error)
{
    *out = (xmtp_applied){.extensions = group->context.extensions};
    list_check c = {.group = group,
                    .committer = committer,
                    .arena = arena,
                    .next = next,
                    .out = out,
                    .error = error};
    xmtp_writer_init(&c.scratch, group->alloc, XMTP_WRITER_MAX);
    xmtp_status status = apply(&c, commit);
    xmtp_writer_free(&c.scratch);
    return status;
}
