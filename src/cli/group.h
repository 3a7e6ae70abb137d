/* group.h - what the files of `xmtp group` share. */
#ifndef XMTP_CLI_GROUP_H
#define XMTP_CLI_GROUP_H

#include "cli/cli.h"

typedef struct group_command {
    const cli_options *options;
    xmtp_client *client;
    xmtp_conversation_id group;
    const char *const *arguments; /* after the group id */
    size_t argument_count;
    xmtp_error *error;
} group_command;

void group_id_hex(const xmtp_conversation_id *id, char out[2 * XMTP_GROUP_ID_MAX + 1]);
void group_print_id(const group_command *c, const xmtp_conversation_id *id);

/* cmd_group_settings.c */
xmtp_status group_set(group_command *c);
xmtp_status group_show(group_command *c);
xmtp_status group_admin(group_command *c);
xmtp_status group_permission(group_command *c);
xmtp_status group_disappear(group_command *c);
xmtp_status group_leave(group_command *c);
xmtp_status group_consent(group_command *c);
const char *group_state_word(xmtp_membership_state state);
/* cmd_group_state.c */
xmtp_status group_debug(group_command *c);
xmtp_status group_sync(group_command *c);
xmtp_status group_publish(group_command *c);
xmtp_status group_hmac_keys(group_command *c);
xmtp_status group_topics(group_command *c);
xmtp_status group_messages(group_command *c);
xmtp_status group_count_messages(group_command *c);
xmtp_status group_duplicates(group_command *c);
/* "all-members" or "admin-only"; false: neither. */
bool group_preset(const char *text, xmtp_policy_preset *out);

#endif
