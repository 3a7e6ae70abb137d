/* stage.h - working out what a commit would make of a group. RFC 9420 section 12.4.2. */
#ifndef XMTP_MLS_STAGE_H
#define XMTP_MLS_STAGE_H

#include "mls/proposals.h"

/* The part of an own commit that nobody else can compute. */
typedef struct xmtp_own_path {
    bool is_fresh; /* made in this process from this state: what making it verified and signed is
                      not verified again */
    const xmtp_secret *commit_secret;
    const xmtp_secret *psk_secret;
    const xmtp_tree_private *private_keys;
} xmtp_own_path;

/* A staged object with an empty arena. */
xmtp_status xmtp_staged_new(xmtp_mls_staged **out, const xmtp_mls_group *group) XMTP_MUST_CHECK;

/* Checks a commit whose signature has been verified, and fills staged->commit.
 *
 * content  in staged->arena; content.raw must be set
 * own      NULL for a commit of another member
 */
xmtp_status xmtp_stage_commit(xmtp_mls_staged *staged, const xmtp_authenticated_content *content,
                              const xmtp_own_path *own, xmtp_error *error) XMTP_MUST_CHECK;

/* The encoded GroupContext of the next epoch, into the arena and decoded. */
xmtp_status xmtp_next_context(const xmtp_mls_group *group, const xmtp_extensions *extensions,
                              xmtp_bytes tree_hash, xmtp_bytes confirmed_transcript_hash,
                              xmtp_arena *arena, xmtp_group_context *out) XMTP_MUST_CHECK;

/* What goes into the key schedule of the next epoch (section 8). */
typedef struct xmtp_schedule_inputs {
    const xmtp_secret *init_secret;
    const xmtp_secret *commit_secret;
    const xmtp_secret *psk_secret;
} xmtp_schedule_inputs;

/* The init_secret that an external commit brings (section 8.3), for members. */
xmtp_status xmtp_external_init_open(const xmtp_mls_group *group, xmtp_bytes kem_output,
                                    xmtp_secret *init_secret) XMTP_MUST_CHECK;

/* From the commit to the secrets of its epoch: the new confirmed transcript hash, the new context,
 * joiner_secret (may be NULL) and all secrets. provisional is the context with the old hash. */
xmtp_status xmtp_next_secrets(const xmtp_mls_group *group, const xmtp_authenticated_content *commit,
                              const xmtp_group_context *provisional,
                              const xmtp_schedule_inputs *inputs, xmtp_arena *arena,
                              xmtp_group_context *context, xmtp_epoch_secrets *secrets,
                              xmtp_secret *joiner_secret) XMTP_MUST_CHECK;

/* The leaf that a path brings, checked against section 7.3 and the new extensions. */
xmtp_status xmtp_path_leaf_check(const xmtp_mls_group *group, const xmtp_leaf_node *leaf,
                                 uint32_t committer, const xmtp_extensions *extensions,
                                 xmtp_error *error) XMTP_MUST_CHECK;

#endif
