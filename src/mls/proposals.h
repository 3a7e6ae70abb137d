/* proposals.h - checking the proposals of a commit and applying them to a tree.
 * RFC 9420 sections 12.2 and 12.3. */
#ifndef XMTP_MLS_PROPOSALS_H
#define XMTP_MLS_PROPOSALS_H

#include "mls/group.h"

/* What a list of proposals makes of a group. Arrays and views are in the arena, the message or the
 * tree. */
typedef struct xmtp_applied {
    xmtp_extensions extensions; /* of the GroupContext afterwards */
    bool sets_extensions;
    bool removes_us;
    bool needs_path; /* section 12.4: empty list, Update, Remove, ExternalInit, extensions */
    uint32_t *added; /* leaves of the Adds, in the order of the list */
    size_t added_count;
    uint32_t *changed; /* leaves that Adds and Removes changed, as often as they did */
    size_t changed_count;
    const xmtp_proposal_or_ref *proposals; /* as judged, see openmls_verdicts */
    xmtp_mls_proposal_info *infos;         /* one for each of them */
    size_t count;
} xmtp_applied;

/* Checks a list that the member committer sent by value, and applies it to next, an overlay on the
 * group's tree: GroupContextExtensions, then Remove, then Add (section 12.3).
 *
 * XMTP_E_PROPOSAL       a type that may not stand here, or one that is wrong in itself
 * XMTP_E_PROPOSAL_LIST  the list contradicts itself or the group
 * XMTP_E_PROPOSAL_REF   by reference: we keep no proposals
 * XMTP_E_PSK, XMTP_E_KEY_PACKAGE, XMTP_E_CAPABILITIES, XMTP_E_EXTENSION, ... as the rules say
 */
xmtp_status xmtp_proposals_apply(const xmtp_mls_group *group, uint32_t committer,
                                 const xmtp_commit *commit, xmtp_arena *arena, xmtp_tree *next,
                                 xmtp_applied *out, xmtp_error *error) XMTP_MUST_CHECK;

/* The extensions of a group that added leaves and path leaves must support. */
const xmtp_extensions *xmtp_extensions_for_leaves(const xmtp_mls_group *group,
                                                  const xmtp_applied *applied);

/* What GroupContext extensions must fulfil by themselves: required_capabilities can be read, and
 * each type is a default one or listed there. */
xmtp_status xmtp_context_extensions_check(const xmtp_extensions *extensions,
                                          xmtp_error *error) XMTP_MUST_CHECK;

#endif
