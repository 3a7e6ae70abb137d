/* membership_diff.c - which installations a change of membership adds and removes (groups.md 3.1),
 * and whether the leaves of a tree are those that a membership names (groups.md 4.6, W8).
 */
#include "base/bytes.h"
#include "base/status.h"
#include "client/commit_rules.h"
#include "proto/identity.pb-c.h"
#include "proto/message.h"

static const char *entry_inbox(const Pb__SequenceEntry *entry)
{
    return entry->key == NULL ? "" : entry->key;
}

/* An inbox that is listed twice counts once, with its last value: the list is a map elsewhere. */
static bool is_effective(const Pb__GroupMembership *membership, size_t index)
{
    for (size_t i = index + 1; i < membership->n_members; i++) {
        if (strcmp(entry_inbox(membership->members[i]), entry_inbox(membership->members[index])) ==
            0) {
            return false;
        }
    }
    return true;
}

static xmtp_status copy_key(xmtp_key_set *set, xmtp_bytes key)
{
    xmtp_bytes copy;
    XMTP_TRY(xmtp_arena_copy(set->arena, key, &copy));
    return xmtp_key_set_add(set, copy);
}

static xmtp_status visit_installation(void *context, const xmtp_association_member *member)
{
    if (member->identifier.kind != XMTP_IDENTIFIER_INSTALLATION) {
        return XMTP_OK;
    }
    return copy_key(context, member->identifier.value);
}

xmtp_status xmtp_installations_of(const xmtp_association *state, xmtp_key_set *out)
{
    for (size_t i = 0; i < xmtp_association_member_count(state); i++) {
        xmtp_association_member member = xmtp_association_member_at(state, i);
        XMTP_TRY(visit_installation(out, &member));
    }
    return XMTP_OK;
}

static xmtp_status state_at(const xmtp_state_lookup *lookup, const char *inbox,
                            uint64_t sequence_id, const xmtp_association **out, uint64_t *newest,
                            xmtp_error *error)
{
    xmtp_status status = lookup->state_at(lookup->context, inbox, sequence_id, out, newest, error);
    if (status == XMTP_E_NOT_FOUND) {
        (void)xmtp_fail(error, status, "inbox %s has no identity update %llu", inbox,
                        (unsigned long long)sequence_id);
    }
    return status;
}

/* An inbox that is in both, with another sequence id. */
static xmtp_status diff_updated(const char *inbox, uint64_t before, uint64_t after,
                                const xmtp_state_lookup *lookup, xmtp_key_set *added,
                                xmtp_key_set *removed, xmtp_error *error)
{
    const xmtp_association *new_state;
    const xmtp_association *old_state;
    uint64_t newest;
    uint64_t ignored;
    xmtp_status status = state_at(lookup, inbox, after, &new_state, &newest, error);
    if (before == 0) {
        XMTP_TRY(status);
        return xmtp_installations_of(new_state, added);
    }
    /* XMTP: a sequence id above all known updates changes nothing in the official client, as long
     * as there is no update between the two ids; it looks only at the updates it finds. */
    if (status == XMTP_E_NOT_FOUND && newest <= before) {
        return state_at(lookup, inbox, before, &old_state, &ignored, error);
    }
    XMTP_TRY(status);
    XMTP_TRY(state_at(lookup, inbox, before, &old_state, &ignored, error));
    XMTP_TRY(xmtp_association_minus(new_state, old_state, added, visit_installation));
    return xmtp_association_minus(old_state, new_state, removed, visit_installation);
}

static xmtp_status diff_after(const Pb__GroupMembership *before, const Pb__GroupMembership *after,
                              const xmtp_state_lookup *lookup, xmtp_key_set *added,
                              xmtp_key_set *removed, xmtp_error *error)
{
    for (size_t i = 0; i < after->n_members; i++) {
        const char *inbox = entry_inbox(after->members[i]);
        uint64_t new_id = after->members[i]->value;
        uint64_t old_id;
        if (!is_effective(after, i)) {
            continue;
        }
        if (!xmtp_membership_find(before, inbox, &old_id)) {
            XMTP_TRY(diff_updated(inbox, 0, new_id, lookup, added, removed, error));
        } else if (old_id != new_id) {
            XMTP_TRY(diff_updated(inbox, old_id, new_id, lookup, added, removed, error));
        }
    }
    return XMTP_OK;
}

static xmtp_status diff_removed(const Pb__GroupMembership *before, const Pb__GroupMembership *after,
                                const xmtp_state_lookup *lookup, xmtp_key_set *removed,
                                xmtp_error *error)
{
    for (size_t i = 0; i < before->n_members; i++) {
        const char *inbox = entry_inbox(before->members[i]);
        uint64_t ignored;
        if (!is_effective(before, i) || xmtp_membership_find(after, inbox, &ignored)) {
            continue;
        }
        const xmtp_association *state;
        XMTP_TRY(state_at(lookup, inbox, before->members[i]->value, &state, &ignored, error));
        XMTP_TRY(xmtp_installations_of(state, removed));
    }
    return XMTP_OK;
}

xmtp_status xmtp_membership_diff(const Pb__GroupMembership *before,
                                 const Pb__GroupMembership *after, const xmtp_state_lookup *lookup,
                                 xmtp_arena *arena, xmtp_installation_diff *out, xmtp_error *error)
{
    xmtp_key_set added;
    xmtp_key_set removed;
    *out = (xmtp_installation_diff){0};
    xmtp_key_set_init(&added, arena);
    xmtp_key_set_init(&removed, arena);
    XMTP_TRY(diff_after(before, after, lookup, &added, &removed, error));
    XMTP_TRY(diff_removed(before, after, lookup, &removed, error));
    xmtp_key_set_seal(&added);
    xmtp_key_set_seal(&removed);
    *out = (xmtp_installation_diff){.added = added.items,
                                    .added_count = added.count,
                                    .removed = removed.items,
                                    .removed_count = removed.count};
    return XMTP_OK;
}

xmtp_status xmtp_member_inbox(xmtp_arena *arena, const xmtp_mls_member *member,
                              const char **inbox_id)
{
    void *message;
    *inbox_id = NULL;
    XMTP_ENSURE(member->credential_type == XMTP_MLS_CREDENTIAL_BASIC, XMTP_E_CREDENTIAL);
    XMTP_TRY(xmtp_proto_decode(&pb__mls_credential__descriptor, arena, member->identity, &message));
    const Pb__MlsCredential *credential = message;
    *inbox_id = credential->inbox_id == NULL ? "" : credential->inbox_id;
    return XMTP_OK;
}

/* ---- W8 */

/* Every leaf belongs to its inbox at the recorded sequence id; its key goes into leaves. */
static xmtp_status check_leaf(const xmtp_mls_member *member, const Pb__GroupMembership *membership,
                              const xmtp_state_lookup *lookup, xmtp_arena *arena, xmtp_error *error)
{
    const char *inbox;
    const xmtp_association *state;
    uint64_t sequence_id;
    uint64_t newest;
    XMTP_TRY(xmtp_member_inbox(arena, member, &inbox));
    if (!xmtp_membership_find(membership, inbox, &sequence_id)) {
        return xmtp_fail(error, XMTP_E_MEMBERSHIP,
                         "leaf %u belongs to inbox %s, which is no member", member->leaf, inbox);
    }
    XMTP_TRY(state_at(lookup, inbox, sequence_id, &state, &newest, error));
    if (member->signature_key.n != XMTP_INSTALLATION_LEN ||
        !xmtp_association_has_installation(state, member->signature_key.p)) {
        return xmtp_fail(error, XMTP_E_MEMBERSHIP,
                         "leaf %u is no installation of inbox %s at sequence id %llu", member->leaf,
                         inbox, (unsigned long long)sequence_id);
    }
    return XMTP_OK;
}

static xmtp_status check_leaves(const xmtp_mls_group *group, const Pb__GroupMembership *membership,
                                const xmtp_state_lookup *lookup, xmtp_arena *arena,
                                xmtp_key_set *leaves, xmtp_error *error)
{
    for (uint32_t leaf = 0; leaf < xmtp_mls_group_leaf_count(group); leaf++) {
        xmtp_mls_member member;
        if (xmtp_mls_group_member(group, leaf, &member)) {
            XMTP_TRY(check_leaf(&member, membership, lookup, arena, error));
            XMTP_TRY(xmtp_key_set_add(leaves, member.signature_key));
        }
    }
    xmtp_key_set_seal(leaves);
    return XMTP_OK;
}

/* Every installation that ought to be in the tree is there, or is listed as failed. */
static xmtp_status check_installations(const Pb__GroupMembership *membership,
                                       const xmtp_key_set *leaves, const xmtp_state_lookup *lookup,
                                       xmtp_arena *arena, xmtp_error *error)
{
    xmtp_key_set expected;
    xmtp_key_set_init(&expected, arena);
    for (size_t i = 0; i < membership->n_members; i++) {
        const xmtp_association *state;
        uint64_t newest;
        if (is_effective(membership, i)) {
            XMTP_TRY(state_at(lookup, entry_inbox(membership->members[i]),
                              membership->members[i]->value, &state, &newest, error));
            XMTP_TRY(xmtp_installations_of(state, &expected));
        }
    }
    for (size_t i = 0; i < expected.count; i++) {
        if (!xmtp_key_set_has(leaves, expected.items[i]) &&
            !xmtp_membership_has_failed(membership, expected.items[i])) {
            return xmtp_fail(
                error, XMTP_E_MEMBERSHIP,
                "%zu installations belong to the members, one of them is not in the tree of %zu",
                expected.count, leaves->count);
        }
    }
    return XMTP_OK;
}

xmtp_status xmtp_membership_check_tree(const xmtp_mls_group *group, const xmtp_state_lookup *lookup,
                                       xmtp_arena *arena, xmtp_error *error)
{
    xmtp_bytes data;
    Pb__GroupMembership *membership;
    xmtp_key_set leaves;
    if (!xmtp_mls_group_extension(group, XMTP_EXTENSION_MEMBERSHIP, &data)) {
        return xmtp_fail(error, XMTP_E_MEMBERSHIP, "group has no membership extension");
    }
    XMTP_TRY(xmtp_membership_decode(arena, data, &membership));
    xmtp_key_set_init(&leaves, arena);
    XMTP_TRY(check_leaves(group, membership, lookup, arena, &leaves, error));
    return check_installations(membership, &leaves, lookup, arena, error);
}
