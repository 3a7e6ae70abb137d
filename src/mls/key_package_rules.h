/* key_package_rules.h - what is asked of the key packages that are added to a group, beyond each
 * leaf's own rules. RFC 9420 sections 10 and 12.2. */
#ifndef XMTP_MLS_KEY_PACKAGE_RULES_H
#define XMTP_MLS_KEY_PACKAGE_RULES_H

#include "mls/commit.h"
#include "mls/tree.h"

/* Extensions of the package must be among the capabilities of its leaf (section 10).
 * XMTP_E_EXTENSION. */
xmtp_status xmtp_key_package_check_extensions(const xmtp_key_package *key_package,
                                              xmtp_error *error) XMTP_MUST_CHECK;

/* No init_key of a commit's Adds appears twice, nor as an encryption key in the tree that the
 * commit makes. XMTP_E_DUPLICATE_KEY. */
xmtp_status xmtp_check_init_keys(const xmtp_proposal_or_ref *proposals, size_t count,
                                 const xmtp_tree *next, xmtp_error *error) XMTP_MUST_CHECK;

#endif
