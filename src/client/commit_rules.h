/* commit_rules.h - XMTP's verdict on a commit: rules V1 to V17 of groups.md 3.6, with their quirks.
 *
 * Every member must come to the same verdict on the same commit, else the group forks. So this file
 * is exact where the official client is lenient, and everything that decides is a pure function of
 * the old group, the staged commit and the association states of the inboxes at the sequence ids
 * that the membership names.
 */
#ifndef XMTP_CLIENT_COMMIT_RULES_H
#define XMTP_CLIENT_COMMIT_RULES_H

#include "base/arena.h"
#include "client/group_data.h"
#include "client/key_set.h"
#include "identity/association.h"

/* The libxmtp version whose behaviour we are equivalent to (groups.md 3.9). */
#define XMTP_EQUIVALENT_VERSION "1.10.0"

/* Where association states come from. state_at: the state of the inbox after the update with
 * exactly this sequence id; fetches updates when they are not known. The state is valid until the
 * validation returns. *newest receives the highest sequence id of this inbox's log that is not
 * above sequence_id (0: none), also when XMTP_E_NOT_FOUND tells that no update has exactly this id
 * (and 0 is never one). XMTP_E_RETRY or XMTP_E_NETWORK: cannot be told now; others: final. */
typedef struct xmtp_state_lookup {
    void *context;
    xmtp_status (*state_at)(void *context, const char *inbox_id, uint64_t sequence_id,
                            const xmtp_association **out, uint64_t *newest, xmtp_error *error);
} xmtp_state_lookup;

typedef struct xmtp_attribute_change {
    const char *name;
    const char *old_value; /* NULL: was absent */
    const char *new_value; /* NULL: is absent */
} xmtp_attribute_change;

typedef struct xmtp_string_list {
    const char **items;
    size_t count;
} xmtp_string_list;

/* What a valid commit did. Strings live in the arena. */
typedef struct xmtp_commit_facts {
    const char *author_inbox;
    xmtp_bytes author_installation;
    xmtp_string_list added_inboxes;
    xmtp_string_list removed_inboxes;
    xmtp_attribute_change *attribute_changes;
    size_t attribute_change_count;
    xmtp_string_list admins_added;
    xmtp_string_list admins_removed;
    xmtp_string_list super_admins_added;
    xmtp_string_list super_admins_removed;
    bool permissions_changed;
    bool installations_changed;
    const char *minimum_version; /* of the new metadata; NULL when none */
    bool makes_transcript;       /* groups.md 3.8: a GroupUpdated message is stored */
} xmtp_commit_facts;

/* XMTP_E_COMMIT_INVALID, XMTP_E_PERMISSION   final: skip the commit
 * XMTP_E_PAUSED                              V17: pause the group before merging; facts are filled
 * XMTP_E_RETRY, XMTP_E_NETWORK               association states could not be had: try again later
 * others                                     our own trouble (memory, database) */
xmtp_status xmtp_commit_validate(const xmtp_mls_group *group, const xmtp_mls_staged *staged,
                                 const xmtp_state_lookup *lookup, xmtp_arena *arena,
                                 xmtp_commit_facts *facts, xmtp_error *error);

/* Adds copies of the keys of all installations of a state to a set that is not sealed. */
xmtp_status xmtp_installations_of(const xmtp_association *state, xmtp_key_set *out);

/* Installations that a change of membership is expected to add and remove (groups.md 3.1); 32-byte
 * keys in the arena. */
typedef struct xmtp_installation_diff {
    xmtp_bytes *added;
    size_t added_count;
    xmtp_bytes *removed;
    size_t removed_count;
} xmtp_installation_diff;

xmtp_status xmtp_membership_diff(const Pb__GroupMembership *before,
                                 const Pb__GroupMembership *after, const xmtp_state_lookup *lookup,
                                 xmtp_arena *arena, xmtp_installation_diff *out, xmtp_error *error);

/* W8 of groups.md 4.6: every leaf's inbox is in the membership and its installation in the state at
 * the recorded sequence id; every installation of those states is in the tree or in
 * failed_installations. XMTP_E_MEMBERSHIP otherwise. */
xmtp_status xmtp_membership_check_tree(const xmtp_mls_group *group, const xmtp_state_lookup *lookup,
                                       xmtp_arena *arena, xmtp_error *error);

/* Inbox id of a member's credential (MlsCredential), copied into the arena. */
xmtp_status xmtp_member_inbox(xmtp_arena *arena, const xmtp_mls_member *member,
                              const char **inbox_id);

/* < 0, 0, > 0 in the order of groups.md 3.6 (V17); a text that is no version counts as lowest. */
int xmtp_version_compare(const char *a, const char *b);
bool xmtp_version_is_valid(const char *text);

#endif
