/* welcome.h - making and opening Welcome messages. RFC 9420 section 12.4.3. */
#ifndef XMTP_MLS_WELCOME_H
#define XMTP_MLS_WELCOME_H

#include "mls/proposals.h"

/* What a committer knows of the epoch that its commit starts. */
typedef struct xmtp_new_epoch {
    const xmtp_tree *tree;
    const xmtp_group_context *context;
    xmtp_bytes confirmation_tag;
    const xmtp_secret *joiner_secret;
    const xmtp_secret *psk_secret;
    xmtp_psk_id *psks;
    size_t psk_count;
    const xmtp_treekem_path *path;
    bool without_tree; /* of a welcome */
} xmtp_new_epoch;

/* Appends the MLSMessage with a Welcome for every Add of the commit. GroupInfo carries the
 * ratchet_tree extension (unless without_tree) and no other. */
xmtp_status xmtp_welcome_make(const xmtp_mls_group *group, const xmtp_new_epoch *epoch,
                              const xmtp_applied *applied, xmtp_writer *out) XMTP_MUST_CHECK;

/* Appends the signed GroupInfo of an epoch. external_pub may be empty. */
xmtp_status xmtp_group_info_make(const xmtp_mls_group *group, const xmtp_new_epoch *epoch,
                                 bool with_tree, xmtp_bytes external_pub,
                                 xmtp_writer *out) XMTP_MUST_CHECK;

/* The tree that comes with a GroupInfo, checked against its context and completely validated
 * (section 12.4.3.1). *verdict: on the signature of the GroupInfo by a member of that tree, which is verified
 * with those of the leaves; for check_signer. */
xmtp_status xmtp_group_take_tree(xmtp_mls_group *group, const xmtp_group_info *info,
                                 xmtp_bytes ratchet_tree, xmtp_status *verdict,
                                 xmtp_error *error) XMTP_MUST_CHECK;
/* XMTP_E_SENDER, XMTP_E_GROUP_INFO_SIGNATURE, XMTP_E_KEY, with their sentences. */
xmtp_status xmtp_group_check_signer(const xmtp_group_info *info, xmtp_status verdict,
                                    xmtp_error *error) XMTP_MUST_CHECK;

/* Opens our entry. init_pk: the init_key of the key package, or NULL (derived from init_sk); no entry
 * opens when it is not that of init_sk. secrets: views into the arena. XMTP_E_NOT_FOR_US,
 * XMTP_E_WELCOME. */
xmtp_status xmtp_welcome_open_secrets(const xmtp_suite *suite, const xmtp_welcome *welcome,
                                      xmtp_bytes key_package_ref, const uint8_t *init_sk,
                                      const uint8_t *init_pk, xmtp_arena *arena,
                                      xmtp_group_secrets *secrets,
                                      xmtp_error *error) XMTP_MUST_CHECK;

/* Opens the GroupInfo with the welcome_secret. info: views into the arena. Its signature is not
 * checked: the tree is needed for that (xmtp_group_take_tree). */
xmtp_status xmtp_welcome_open_group_info(const xmtp_suite *suite, const xmtp_welcome *welcome,
                                         const xmtp_secret *welcome_secret, xmtp_arena *arena,
                                         xmtp_group_info *info, xmtp_error *error) XMTP_MUST_CHECK;

#endif
