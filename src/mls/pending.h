/* pending.h - an own commit between its making and its coming back. */
#ifndef XMTP_MLS_PENDING_H
#define XMTP_MLS_PENDING_H

#include "mls/group.h"

/* An empty one for the current epoch of the group. */
xmtp_status xmtp_pending_new(xmtp_mls_pending **out, const xmtp_mls_group *group) XMTP_MUST_CHECK;

#endif
