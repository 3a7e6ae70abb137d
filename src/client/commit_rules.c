/* commit_rules.c - may this commit be merged? The rules V1 to V17 of groups.md 3.6, in their order.
 *
 *     old context --+     +-- who made it, and is that one a member                (V5, V15)
 *                   +---->+-- may that one change what it changes                  (V3, V16: P1 to P7)
 *     staged -------+     +-- are added and removed leaves what the membership says (V9 to V14)
 *
 * struct judgement holds what the rules share. Each rule is one function; xmtp_commit_validate calls them in order.
 * Where the official client is lenient we are too: a stricter verdict forks the group.
 */
#include "client/commit_rules.h"

#include "base/bytes.h"
#include "base/status.h"
#include "client/key_set.h"
#include "client/map_view.h"
#include "client/permissions.h"
#include "proto/message.h"
#include "proto/zero_byte.h"

typedef struct judgement {
    const xmtp_mls_group *group;
    const xmtp_mls_staged *staged;
    const xmtp_state_lookup *lookup;
    xmtp_arena *arena;
    xmtp_commit_facts *facts;
    xmtp_error *error;
    Pb__GroupMetadata *immutable_metadata; /* old */
    Pb__GroupMutableMetadata *old_metadata;
    Pb__GroupMutableMetadata
        *new_metadata; /* the same object as old_metadata when its bytes are equal */
    Pb__PolicySet *old_permissions;
    Pb__GroupMembership *old_membership;
    Pb__GroupMembership *new_membership;
    xmtp_actor actor;
    xmtp_key_set added;   /* V7: signature keys of Add */
    xmtp_key_set removed; /* V7: signature keys of Remove */
} judgement;

static xmtp_status invalid(const judgement *j, const char *why)
{
    return xmtp_fail(j->error, XMTP_E_COMMIT_INVALID, "commit to epoch %llu: %s",
                     (unsigned long long)xmtp_mls_staged_epoch(j->staged), why);
}

/* A decoder's verdict on foreign bytes is final; that we ran out of memory is not their fault. */
static xmtp_status decoded(const judgement *j, xmtp_status status, const char *why)
{
    return status == XMTP_OK || status == XMTP_E_NOMEM ? status : invalid(j, why);
}

/* ---- V1 to V4: what the contexts say */

static xmtp_status read_old_context(judgement *j)
{
    xmtp_bytes data;
    if (!xmtp_mls_group_extension(j->group, XMTP_EXTENSION_IMMUTABLE_METADATA, &data)) {
        return invalid(j, "group has no immutable metadata");
    }
    XMTP_TRY(decoded(j, xmtp_group_metadata_decode(j->arena, data, &j->immutable_metadata),
                     "immutable metadata of the group cannot be decoded"));
    if (!xmtp_mls_group_extension(j->group, XMTP_EXTENSION_MUTABLE_METADATA, &data)) {
        return invalid(j, "group has no mutable metadata");
    }
    XMTP_TRY(decoded(j, xmtp_mutable_metadata_decode(j->arena, data, &j->old_metadata),
                     "mutable metadata of the group cannot be decoded"));
    if (!xmtp_mls_group_extension(j->group, XMTP_EXTENSION_PERMISSIONS, &data)) {
        return invalid(j, "group has no permissions");
    }
    return decoded(j, xmtp_permissions_decode(j->arena, data, &j->old_permissions),
                   "permissions of the group cannot be decoded");
}

static xmtp_status read_new_metadata(judgement *j)
{
    xmtp_bytes old_data;
    xmtp_bytes new_data;
    if (!xmtp_mls_extensions_find(xmtp_mls_staged_extensions(j->staged),
                                  XMTP_EXTENSION_MUTABLE_METADATA, &new_data)) {
        return invalid(j, "new context has no mutable metadata");
    }
    (void)xmtp_mls_group_extension(j->group, XMTP_EXTENSION_MUTABLE_METADATA, &old_data);
    j->new_metadata = j->old_metadata;
    if (!xmtp_bytes_equal(old_data, new_data)) {
        XMTP_TRY(decoded(j, xmtp_mutable_metadata_decode(j->arena, new_data, &j->new_metadata),
                         "new mutable metadata cannot be decoded"));
    }
    j->facts->minimum_version = xmtp_attribute(j->new_metadata, XMTP_ATTRIBUTE_MINIMUM_VERSION);
    return XMTP_OK;
}

static bool same_value(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static const char *attribute_key(const void *metadata, size_t index)
{
    return ((const Pb__GroupMutableMetadata *)metadata)->attributes[index]->key;
}

static const char *value_at(const Pb__GroupMutableMetadata *metadata, ptrdiff_t index)
{
    if (index == XMTP_MAP_NONE) {
        return NULL;
    }
    const char *value = metadata->attributes[index]->value;
    return value == NULL ? "" : value;
}

/* Notes the changes of the keys that metadata has, or, with is_new, of those that only it has. */
static void note_changes(judgement *j, const xmtp_map_view *keys, const xmtp_map_view *before,
                         const xmtp_map_view *after, bool is_new)
{
    xmtp_commit_facts *facts = j->facts;
    for (size_t i = 0; i < keys->count; i++) {
        const char *name = keys->items[i].key;
        ptrdiff_t old_index = xmtp_map_view_find(before, name);
        const char *old_value = value_at(j->old_metadata, old_index);
        const char *new_value = value_at(j->new_metadata, xmtp_map_view_find(after, name));
        bool is_told = is_new && old_index != XMTP_MAP_NONE;
        if (!is_told && !same_value(old_value, new_value)) {
            facts->attribute_changes[facts->attribute_change_count++] = (xmtp_attribute_change){
                .name = name, .old_value = old_value, .new_value = new_value};
        }
    }
}

static xmtp_status compare_attributes(judgement *j)
{
    const Pb__GroupMutableMetadata *old_metadata = j->old_metadata;
    const Pb__GroupMutableMetadata *new_metadata = j->new_metadata;
    xmtp_map_view before;
    xmtp_map_view after;
    void *changes;
    XMTP_TRY(xmtp_map_view_of(j->arena, old_metadata, old_metadata->n_attributes, attribute_key,
                              &before));
    XMTP_TRY(xmtp_map_view_of(j->arena, new_metadata, new_metadata->n_attributes, attribute_key,
                              &after));
    XMTP_TRY(xmtp_arena_take_array(j->arena, before.count + after.count,
                                   sizeof(xmtp_attribute_change), &changes));
    j->facts->attribute_changes = changes;
    note_changes(j, &before, &before, &after, false);
    note_changes(j, &after, &before, &after, true);
    return XMTP_OK;
}

/* Entries of list that are not in other, in their order. */
static xmtp_status list_minus(xmtp_arena *arena, const Pb__Inboxes *list, const Pb__Inboxes *other,
                              xmtp_string_list *out)
{
    void *items;
    XMTP_TRY(xmtp_arena_take_array(arena, list->n_inbox_ids, sizeof(char *), &items));
    *out = (xmtp_string_list){.items = items};
    for (size_t i = 0; i < list->n_inbox_ids; i++) {
        if (!xmtp_inbox_listed(other, list->inbox_ids[i])) {
            out->items[out->count++] = list->inbox_ids[i];
        }
    }
    return XMTP_OK;
}

static xmtp_status compare_lists(judgement *j)
{
    const Pb__GroupMutableMetadata *before = j->old_metadata;
    const Pb__GroupMutableMetadata *after = j->new_metadata;
    xmtp_commit_facts *facts = j->facts;
    XMTP_TRY(list_minus(j->arena, after->admin_list, before->admin_list, &facts->admins_added));
    XMTP_TRY(list_minus(j->arena, before->admin_list, after->admin_list, &facts->admins_removed));
    XMTP_TRY(list_minus(j->arena, after->super_admin_list, before->super_admin_list,
                        &facts->super_admins_added));
    return list_minus(j->arena, before->super_admin_list, after->super_admin_list,
                      &facts->super_admins_removed);
}

static xmtp_status check_attribute_lengths(const judgement *j)
{
    static const struct {
        const char *name;
        size_t len_max;
    } limits[] = {
        {XMTP_ATTRIBUTE_NAME, XMTP_GROUP_NAME_MAX},
        {XMTP_ATTRIBUTE_DESCRIPTION, XMTP_GROUP_DESCRIPTION_MAX},
        {XMTP_ATTRIBUTE_IMAGE_URL, XMTP_GROUP_IMAGE_URL_MAX},
        {XMTP_ATTRIBUTE_APP_DATA, XMTP_GROUP_APP_DATA_MAX},
    };
    for (size_t i = 0; i < j->facts->attribute_change_count; i++) {
        const xmtp_attribute_change *change = &j->facts->attribute_changes[i];
        for (size_t k = 0; k < sizeof limits / sizeof limits[0]; k++) {
            if (change->new_value != NULL && strcmp(change->name, limits[k].name) == 0 &&
                xmtp_text_wire_len(change->new_value) > limits[k].len_max) {
                return xmtp_fail(j->error, XMTP_E_COMMIT_INVALID,
                                 "%s has %zu bytes, at most %zu are allowed", change->name,
                                 xmtp_text_wire_len(change->new_value), limits[k].len_max);
            }
        }
    }
    return XMTP_OK;
}

static xmtp_status compare_permissions(judgement *j)
{
    xmtp_bytes data;
    Pb__PolicySet *new_permissions;
    if (!xmtp_mls_extensions_find(xmtp_mls_staged_extensions(j->staged), XMTP_EXTENSION_PERMISSIONS,
                                  &data)) {
        return invalid(j, "new context has no permissions");
    }
    XMTP_TRY(decoded(j, xmtp_permissions_decode(j->arena, data, &new_permissions),
                     "new permissions cannot be decoded"));
    bool is_equal;
    XMTP_TRY(xmtp_permissions_equal(j->arena, j->old_permissions, new_permissions, &is_equal));
    j->facts->permissions_changed = !is_equal;
    return XMTP_OK;
}

/* ---- V5 to V7: who did it, and to whom */

/* The one member whose proposals these are; false when there are no proposals. */
static xmtp_status find_proposer(const judgement *j, bool *has_proposer, uint32_t *proposer)
{
    *has_proposer = false;
    for (size_t i = 0; i < xmtp_mls_staged_proposal_count(j->staged); i++) {
        xmtp_mls_proposal_info proposal = xmtp_mls_staged_proposal_at(j->staged, i);
        if (proposal.sender_leaf == UINT32_MAX) {
            return invalid(j, "a proposal comes from somebody who is no member");
        }
        if (*has_proposer && proposal.sender_leaf != *proposer) {
            return invalid(j, "its proposals come from two members");
        }
        *has_proposer = true;
        *proposer = proposal.sender_leaf;
    }
    return XMTP_OK;
}

static xmtp_status find_author(judgement *j)
{
    bool has_proposer;
    uint32_t proposer = 0;
    xmtp_mls_member by_proposals = {0};
    xmtp_mls_member author;
    XMTP_TRY(find_proposer(j, &has_proposer, &proposer));
    if (has_proposer && !xmtp_mls_group_member(j->group, proposer, &by_proposals)) {
        return invalid(j, "its proposals come from a leaf without a member");
    }
    if (xmtp_mls_staged_path_leaf(j->staged, &author)) {
        if (has_proposer && !xmtp_bytes_equal(author.signature_key, by_proposals.signature_key)) {
            return invalid(j, "path and proposals come from two members");
        }
    } else if (has_proposer) {
        author = by_proposals;
    } else {
        return invalid(j, "it has neither proposals nor a path");
    }
    XMTP_TRY(decoded(j, xmtp_member_inbox(j->arena, &author, &j->facts->author_inbox),
                     "credential of its author cannot be decoded"));
    XMTP_TRY(xmtp_arena_copy(j->arena, author.signature_key, &j->facts->author_installation));
    j->actor = (xmtp_actor){
        .inbox_id = j->facts->author_inbox,
        .is_admin = xmtp_inbox_listed(j->old_metadata->admin_list, j->facts->author_inbox),
        .is_super_admin =
            xmtp_inbox_listed(j->old_metadata->super_admin_list, j->facts->author_inbox),
    };
    return XMTP_OK;
}

static xmtp_status collect_proposals(judgement *j)
{
    xmtp_key_set_init(&j->added, j->arena);
    xmtp_key_set_init(&j->removed, j->arena);
    for (size_t i = 0; i < xmtp_mls_staged_proposal_count(j->staged); i++) {
        xmtp_mls_proposal_info proposal = xmtp_mls_staged_proposal_at(j->staged, i);
        switch (proposal.type) {
        case XMTP_MLS_PROPOSAL_PSK:
            return invalid(j, "it holds a PSK proposal");
        case XMTP_MLS_PROPOSAL_ADD:
            XMTP_TRY(xmtp_key_set_add(&j->added, proposal.member.signature_key));
            break;
        case XMTP_MLS_PROPOSAL_REMOVE:
            XMTP_TRY(xmtp_key_set_add(&j->removed, proposal.member.signature_key));
            break;
        default: /* XMTP: other types are none of this layer's business */
            break;
        }
    }
    xmtp_key_set_seal(&j->added);
    xmtp_key_set_seal(&j->removed);
    j->facts->installations_changed = j->added.count > 0 || j->removed.count > 0;
    return XMTP_OK;
}

/* ---- V8 and V9: membership */

/* Of the first GroupContextExtensions proposal; without one, of the context after the commit. */
static xmtp_bytes new_extensions(const judgement *j)
{
    for (size_t i = 0; i < xmtp_mls_staged_proposal_count(j->staged); i++) {
        xmtp_mls_proposal_info proposal = xmtp_mls_staged_proposal_at(j->staged, i);
        if (proposal.type == XMTP_MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS) {
            return proposal.extensions;
        }
    }
    return xmtp_mls_staged_extensions(j->staged);
}

static xmtp_status read_memberships(judgement *j)
{
    xmtp_bytes data;
    if (!xmtp_mls_group_extension(j->group, XMTP_EXTENSION_MEMBERSHIP, &data)) {
        return invalid(j, "group has no membership");
    }
    XMTP_TRY(decoded(j, xmtp_membership_decode(j->arena, data, &j->old_membership),
                     "membership of the group cannot be decoded"));
    if (!xmtp_mls_extensions_find(new_extensions(j), XMTP_EXTENSION_MEMBERSHIP, &data)) {
        return invalid(j, "new context has no membership");
    }
    return decoded(j, xmtp_membership_decode(j->arena, data, &j->new_membership),
                   "new membership cannot be decoded");
}

static const char *member_at(const Pb__GroupMembership *membership, size_t index)
{
    const char *key = membership->members[index]->key;
    return key == NULL ? "" : key;
}

static const char *member_key(const void *membership, size_t index)
{
    return member_at(membership, index);
}

/* Members of one membership that the other lacks. */
static xmtp_status members_minus(xmtp_arena *arena, const Pb__GroupMembership *a,
                                 const Pb__GroupMembership *b, xmtp_string_list *out)
{
    void *items;
    xmtp_map_view of_a;
    xmtp_map_view of_b;
    XMTP_TRY(xmtp_map_view_of(arena, a, a->n_members, member_key, &of_a));
    XMTP_TRY(xmtp_map_view_of(arena, b, b->n_members, member_key, &of_b));
    XMTP_TRY(xmtp_arena_take_array(arena, of_a.count, sizeof(char *), &items));
    *out = (xmtp_string_list){.items = items};
    for (size_t i = 0; i < of_a.count; i++) {
        if (xmtp_map_view_find(&of_b, of_a.items[i].key) == XMTP_MAP_NONE) {
            out->items[out->count++] = of_a.items[i].key;
        }
    }
    return XMTP_OK;
}

static xmtp_status compare_memberships(judgement *j)
{
    for (size_t i = 0; i < j->old_membership->n_members; i++) {
        const char *inbox = member_at(j->old_membership, i);
        uint64_t before = 0;
        uint64_t after = 0;
        (void)xmtp_membership_find(j->old_membership, inbox, &before);
        if (xmtp_membership_find(j->new_membership, inbox, &after) && after < before) {
            return xmtp_fail(j->error, XMTP_E_COMMIT_INVALID,
                             "sequence id of inbox %s falls from %llu to %llu", inbox,
                             (unsigned long long)before, (unsigned long long)after);
        }
    }
    XMTP_TRY(
        members_minus(j->arena, j->new_membership, j->old_membership, &j->facts->added_inboxes));
    return members_minus(j->arena, j->old_membership, j->new_membership,
                         &j->facts->removed_inboxes);
}

/* ---- V10 to V14: leaves against membership */

static xmtp_status failed_set(judgement *j, xmtp_key_set *failed)
{
    xmtp_key_set_init(failed, j->arena);
    for (size_t i = 0; i < j->new_membership->n_failed_installations; i++) {
        XMTP_TRY(
            xmtp_key_set_add(failed, xmtp_proto_bytes(j->new_membership->failed_installations[i])));
    }
    xmtp_key_set_seal(failed);
    return XMTP_OK;
}

static xmtp_status intersect(xmtp_arena *arena, const xmtp_key_set *a, const xmtp_key_set *b,
                             xmtp_key_set *out)
{
    xmtp_key_set_init(out, arena);
    for (size_t i = 0; i < a->count; i++) {
        if (xmtp_key_set_has(b, a->items[i])) {
            XMTP_TRY(xmtp_key_set_add(out, a->items[i]));
        }
    }
    return XMTP_OK; /* in the order of a, which is sealed */
}

/* V12: a super admin may take installations out and put them in again, to mend a fork. */
static xmtp_status excuse_readded(judgement *j, xmtp_key_set *failed)
{
    xmtp_key_set readded;
    if (!j->actor.is_super_admin) {
        return XMTP_OK;
    }
    XMTP_TRY(intersect(j->arena, &j->added, &j->removed, &readded));
    xmtp_key_set_subtract(&j->added, &readded);
    xmtp_key_set_subtract(&j->removed, &readded);
    XMTP_TRY(intersect(j->arena, failed, &j->removed, &readded));
    xmtp_key_set_subtract(failed, &readded);
    xmtp_key_set_subtract(&j->removed, &readded);
    return XMTP_OK;
}

static xmtp_status check_added(const judgement *j, const xmtp_key_set *expected)
{
    for (size_t i = 0; i < j->added.count; i++) {
        if (!xmtp_key_set_has(expected, j->added.items[i]) &&
            xmtp_mls_group_find(j->group, j->added.items[i]) == XMTP_MLS_NO_LEAF) {
            return invalid(j, "it adds an installation that its membership does not call for");
        }
    }
    return XMTP_OK;
}

static xmtp_status check_installations(judgement *j)
{
    xmtp_installation_diff diff;
    xmtp_key_set failed;
    xmtp_status status = xmtp_membership_diff(j->old_membership, j->new_membership, j->lookup,
                                              j->arena, &diff, j->error);
    if (status == XMTP_E_NOT_FOUND) {
        return invalid(j, "its membership names an identity update that does not exist");
    }
    XMTP_TRY(status);
    XMTP_TRY(failed_set(j, &failed));
    XMTP_TRY(excuse_readded(j, &failed));
    xmtp_key_set expected_added = {.items = diff.added, .count = diff.added_count};
    xmtp_key_set expected_removed = {.items = diff.removed, .count = diff.removed_count};
    XMTP_TRY(check_added(j, &expected_added));
    xmtp_key_set_subtract(&expected_removed, &failed);
    if (!xmtp_key_set_equal(&j->removed, &expected_removed)) {
        return xmtp_fail(j->error, XMTP_E_COMMIT_INVALID,
                         "it removes %zu installations, its membership calls for %zu",
                         j->removed.count, expected_removed.count);
    }
    return XMTP_OK;
}

/* ---- V15: author and updated leaves belong to their inboxes */

static xmtp_status check_participant(const judgement *j, const char *inbox, xmtp_bytes installation)
{
    uint64_t sequence_id;
    uint64_t newest;
    const xmtp_association *state;
    if (!xmtp_membership_find(j->new_membership, inbox, &sequence_id)) {
        return invalid(j, "its author is no member after it");
    }
    xmtp_status status =
        j->lookup->state_at(j->lookup->context, inbox, sequence_id, &state, &newest, j->error);
    if (status == XMTP_E_NOT_FOUND) {
        return invalid(j, "its author's inbox has no update with the recorded sequence id");
    }
    XMTP_TRY(status);
    if (installation.n != XMTP_INSTALLATION_LEN ||
        !xmtp_association_has_installation(state, installation.p)) {
        return invalid(j, "its author is no installation of the inbox it names");
    }
    return XMTP_OK;
}

static xmtp_status check_participants(const judgement *j)
{
    for (size_t i = 0; i < xmtp_mls_staged_proposal_count(j->staged); i++) {
        xmtp_mls_proposal_info proposal = xmtp_mls_staged_proposal_at(j->staged, i);
        const char *inbox;
        if (proposal.type == XMTP_MLS_PROPOSAL_UPDATE) {
            XMTP_TRY(decoded(j, xmtp_member_inbox(j->arena, &proposal.member, &inbox),
                             "credential of an updated leaf cannot be decoded"));
            XMTP_TRY(check_participant(j, inbox, proposal.member.signature_key));
        }
    }
    return check_participant(j, j->facts->author_inbox, j->facts->author_installation);
}

/* ---- V16: the group's policies (groups.md 2.5) */

static const char *dm_member(const Pb__InboxRef *ref)
{
    return ref == NULL || ref->inbox_id == NULL ? "" : ref->inbox_id;
}

static bool may_add_members(const judgement *j)
{
    const xmtp_string_list *added = &j->facts->added_inboxes;
    const Pb__DmMembers *dm = j->immutable_metadata->dm_members;
    if (added->count == 0 ||
        xmtp_policy_allows_member_change(j->old_permissions->add_member_policy, &j->actor)) {
        return true;
    }
    /* P1: the other person of a DM may always be added. */
    return dm != NULL && added->count == 1 && strcmp(added->items[0], j->actor.inbox_id) != 0 &&
           (strcmp(added->items[0], dm_member(dm->dm_member_one)) == 0 ||
            strcmp(added->items[0], dm_member(dm->dm_member_two)) == 0);
}

static bool may_remove_members(const judgement *j)
{
    const xmtp_string_list *removed = &j->facts->removed_inboxes;
    for (size_t i = 0; i < removed->count; i++) {
        if (xmtp_inbox_listed(j->old_metadata->super_admin_list, removed->items[i])) {
            return false;
        }
    }
    return removed->count == 0 ||
           xmtp_policy_allows_member_change(j->old_permissions->remove_member_policy, &j->actor);
}

static bool may_change_attributes(const judgement *j)
{
    for (size_t i = 0; i < j->facts->attribute_change_count; i++) {
        if (!xmtp_policy_allows_attribute(j->old_permissions, j->facts->attribute_changes[i].name,
                                          &j->actor)) {
            return false;
        }
    }
    return true;
}

static bool may_change_lists(const judgement *j)
{
    const xmtp_commit_facts *facts = j->facts;
    const Pb__PolicySet *policies = j->old_permissions;
    bool is_super_admin = j->actor.is_super_admin;
    return (facts->admins_added.count == 0 ||
            xmtp_policy_allows_admin_change(policies->add_admin_policy, &j->actor)) &&
           (facts->admins_removed.count == 0 ||
            xmtp_policy_allows_admin_change(policies->remove_admin_policy, &j->actor)) &&
           (facts->super_admins_added.count == 0 || is_super_admin) &&
           (facts->super_admins_removed.count == 0 || is_super_admin);
}

static bool keeps_a_super_admin(const judgement *j)
{
    return j->facts->super_admins_removed.count == 0 ||
           j->new_metadata->super_admin_list->n_inbox_ids > 0;
}

static xmtp_status check_policies(const judgement *j)
{
    const char *what = !may_add_members(j)         ? "add members"
                       : !may_remove_members(j)    ? "remove members"
                       : !may_change_attributes(j) ? "change the group's metadata"
                       : !may_change_lists(j)      ? "change the lists of admins"
                       : !keeps_a_super_admin(j)   ? "remove the last super admin"
                       : j->facts->permissions_changed && !j->actor.is_super_admin
                           ? "change permissions"
                           : NULL;
    if (what != NULL) {
        return xmtp_fail(j->error, XMTP_E_PERMISSION, "inbox %s may not %s", j->actor.inbox_id,
                         what);
    }
    return XMTP_OK;
}

/* ---- V17 */

static xmtp_status check_version(const judgement *j)
{
    const char *minimum = j->facts->minimum_version;
    if (minimum == NULL) {
        return XMTP_OK;
    }
    if (!xmtp_version_is_valid(minimum)) {
        return invalid(j, "its minimum version is no version");
    }
    if (xmtp_version_compare(minimum, XMTP_EQUIVALENT_VERSION) > 0) {
        return xmtp_fail(j->error, XMTP_E_PAUSED,
                         "group needs version %.32s, this is equivalent to %s", minimum,
                         XMTP_EQUIVALENT_VERSION);
    }
    return XMTP_OK;
}

/* groups.md 3.8. A minimum version that is set makes every commit one that is told. */
static bool makes_transcript(const xmtp_commit_facts *facts)
{
    return facts->added_inboxes.count > 0 || facts->removed_inboxes.count > 0 ||
           facts->attribute_change_count > 0 || facts->admins_added.count > 0 ||
           facts->admins_removed.count > 0 || facts->super_admins_added.count > 0 ||
           facts->super_admins_removed.count > 0 || facts->minimum_version != NULL;
}

xmtp_status xmtp_commit_validate(const xmtp_mls_group *group, const xmtp_mls_staged *staged,
                                 const xmtp_state_lookup *lookup, xmtp_arena *arena,
                                 xmtp_commit_facts *facts, xmtp_error *error)
{
    judgement j = {.group = group,
                   .staged = staged,
                   .lookup = lookup,
                   .arena = arena,
                   .facts = facts,
                   .error = error};
    *facts = (xmtp_commit_facts){0};
    XMTP_TRY(read_old_context(&j));  /* V1 */
    XMTP_TRY(read_new_metadata(&j)); /* V2 */
    XMTP_TRY(compare_attributes(&j));
    XMTP_TRY(compare_lists(&j));
    XMTP_TRY(check_attribute_lengths(&j)); /* V3 */
    XMTP_TRY(compare_permissions(&j));     /* V4 */
    XMTP_TRY(find_author(&j));             /* V5 */
    XMTP_TRY(collect_proposals(&j));       /* V6, V7, V11 */
    XMTP_TRY(read_memberships(&j));        /* V8 */
    XMTP_TRY(compare_memberships(&j));     /* V9 */
    XMTP_TRY(check_installations(&j));     /* V10, V12 to V14 */
    XMTP_TRY(check_participants(&j));      /* V15 */
    XMTP_TRY(check_policies(&j));          /* V16 */
    facts->makes_transcript = makes_transcript(facts);
    return check_version(&j); /* V17 */
}
