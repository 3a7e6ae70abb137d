/* pending.h - an own commit between its making and its coming back. */
#ifndef XMTP_MLS_PENDING_H
#define XMTP_MLS_PENDING_H

#include "mls/group.h"

/* That a commit was made right now from the present state of the group: stage_pending need not
 * verify what was verified and signed in making it. */
void xmtp_pending_set_fresh(xmtp_mls_pending *pending, const xmtp_mls_group *group);

/* An empty one for the current epoch of the group. */
xmtp_status xmtp_pending_new(xmtp_mls_pending **out, const xmtp_mls_group *group) XMTP_MUST_CHECK;

#endif
