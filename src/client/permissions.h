/* permissions.h - who may do what in a group: policies of extension 0xFF02 and their evaluation
 * (groups.md 2.4, 2.5). */
#ifndef XMTP_CLIENT_PERMISSIONS_H
#define XMTP_CLIENT_PERMISSIONS_H

#include "client/group_data.h"

/* Base values (groups.md 2.4). Membership and metadata policies: */
enum { BASE_ALLOW = 1, BASE_DENY = 2, BASE_ADMIN = 3, BASE_SUPER_ADMIN = 4 };
/* PermissionsUpdatePolicy: */
enum { UPDATE_DENY = 1, UPDATE_ADMIN = 2, UPDATE_SUPER_ADMIN = 3 };

/* The author of a commit as the old group context sees it. */
typedef struct xmtp_actor {
    const char *inbox_id;
    bool is_admin;
    bool is_super_admin;
} xmtp_actor;

bool xmtp_policy_allows_member_change(const Pb__MembershipPolicy *policy, const xmtp_actor *actor);
bool xmtp_policy_allows_admin_change(const Pb__PermissionsUpdatePolicy *policy,
                                     const xmtp_actor *actor);
/* P3: the entry of update_metadata_policy for this attribute, or the default when there is none. */
bool xmtp_policy_allows_attribute(const Pb__PolicySet *policies, const char *attribute,
                                  const xmtp_actor *actor);

/* The entry of an attribute, NULL when there is none. The last one of a repeated key counts. */
const Pb__MetadataPolicy *xmtp_metadata_policy(const Pb__PolicySet *set, const char *attribute);

/* Compared as values: the order of the metadata map does not count (P7). */
xmtp_status xmtp_permissions_equal(xmtp_arena *arena, const Pb__PolicySet *a,
                                   const Pb__PolicySet *b, bool *out);

#endif
