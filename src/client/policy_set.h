/* policy_set.h - the policies of a group as applications see them: presets, sets of their own, and
 * changes of one (groups.md 2.7). */
#ifndef XMTP_CLIENT_POLICY_SET_H
#define XMTP_CLIENT_POLICY_SET_H

#include "client/permissions.h"

#include <xmtp/conversation.h>

/* Encodes extension 0xFF02 of a new conversation. DMs have a preset of their own; custom is read
 * with XMTP_POLICIES_CUSTOM only. XMTP_E_ARGUMENT: a policy that cannot be set. */
xmtp_status xmtp_policies_encode(xmtp_writer *w, xmtp_group_kind kind, xmtp_policy_preset preset,
                                 const xmtp_policy_set *custom, xmtp_error *error);

void xmtp_policies_view(const Pb__PolicySet *set, xmtp_policy_set *out);
xmtp_policy_preset xmtp_policies_recognise(const Pb__PolicySet *set);

/* Sets one policy; attribute is looked at for XMTP_PERMISSION_UPDATE_METADATA. In the arena. */
xmtp_status xmtp_policies_change(xmtp_arena *arena, Pb__PolicySet *set, xmtp_permission what,
                                 const char *attribute, xmtp_policy policy);

#endif
