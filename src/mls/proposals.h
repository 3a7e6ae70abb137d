/* proposals.h - checking the proposals of a commit and applying them to a tree.
 * RFC 9420 sections 12.2 and 12.3. */
#ifndef XMTP_MLS_PROPOSALS_H
#define XMTP_MLS_PROPOSALS_H

#include "mls/group.h"

/* The committer of an external commit: a leaf that is not there yet. */
#define XMTP_EXTERNAL_COMMITTER UINT32_MAX

/* Who proposed what a list refers to. */
typedef struct xmtp_listed_source {
    xmtp_sender sender;
    const xmtp_kept_proposal *kept; /* NULL: by value */
} xmtp_listed_source;

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
    const xmtp_proposal_or_ref *proposals; /* as judged: references resolved, and see
                                              openmls_verdicts */
    const xmtp_listed_source *sources;     /* one for each; NULL when all came by value */
    size_t psk_count;
    xmtp_bytes external_init;             /* kem_output; empty in commits of members */
    xmtp_bytes reinit;                    /* encoded ReInit proposal; empty without one */
    const xmtp_kept_proposal *own_update; /* ours, committed by another member; or NULL */
    xmtp_mls_proposal_info *infos;        /* one for each of them */
    size_t count;
} xmtp_applied;

/* Checks the list of a commit by the member committer, or by XMTP_EXTERNAL_COMMITTER, and applies it
 * to next, an overlay on the group's tree: GroupContextExtensions, then Update, SelfRemove, Remove,
 * Add (section 12.3); AppDataUpdate. The leaf of an external committer is not added here: it comes with the path.
 *
 * Each rule has its own status: docs/MLS-RULES.md.
 */
xmtp_status xmtp_proposals_apply(const xmtp_mls_group *group, uint32_t committer,
                                 const xmtp_commit *commit, xmtp_arena *arena, xmtp_tree *next,
                                 xmtp_applied *out, xmtp_error *error) XMTP_MUST_CHECK;

/* The same for an own commit whose proposals xmtp_proposals_apply has passed before, in the same
 * state of the group: signatures of key packages are not verified again, all else is checked. */
xmtp_status xmtp_proposals_apply_again(const xmtp_mls_group *group, uint32_t committer,
                                       const xmtp_commit *commit, xmtp_arena *arena,
                                       xmtp_tree *next, xmtp_applied *out,
                                       xmtp_error *error) XMTP_MUST_CHECK;

/* A type beyond the RFC's may be used where every member supports it (section 12.1).
 * XMTP_E_PROPOSAL_UNSUPPORTED. */
xmtp_status xmtp_proposal_check_support(const xmtp_mls_group *group, uint16_t type,
                                        xmtp_error *error) XMTP_MUST_CHECK;

/* The extensions of a group that added leaves and path leaves must support. */
const xmtp_extensions *xmtp_extensions_for_leaves(const xmtp_mls_group *group,
                                                  const xmtp_applied *applied);

/* What GroupContext extensions must fulfil by themselves: required_capabilities and
 * external_senders can be read; with openmls_verdicts, each type is a default one or required. */
xmtp_status xmtp_context_extensions_check(const xmtp_mls_config *config,
                                          const xmtp_extensions *extensions,
                                          xmtp_error *error) XMTP_MUST_CHECK;

#endif
