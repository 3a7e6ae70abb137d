/* group_create.h - what making and changing conversations share. */
#ifndef XMTP_CLIENT_GROUP_CREATE_H
#define XMTP_CLIENT_GROUP_CREATE_H

#include "client/commit_rules.h"

#include <xmtp/client.h>
#include <xmtp/names.h>

enum { XMTP_DM_ID_LEN = 3 + XMTP_INBOX_ID_LEN + 1 + XMTP_INBOX_ID_LEN };

/* "dm:" and both inbox ids in ascending order (groups.md 2.8): the same for both sides. */
void xmtp_dm_id(const char *one, const char *two, char out[XMTP_DM_ID_LEN + 1]);

/* Addresses and inbox ids to inbox ids, each once. */
xmtp_status xmtp_resolve_all(xmtp_client *client, const char *const *members, size_t count,
                             xmtp_arena *arena, xmtp_string_list *out, xmtp_error *error);
/* Everybody must have a log that folds: known before anything is made. */
xmtp_status xmtp_check_people(xmtp_client *client, const xmtp_string_list *people,
                              xmtp_error *error);
xmtp_status xmtp_queue_members(xmtp_client *client, int64_t ref, const xmtp_string_list *add,
                               const xmtp_string_list *remove, int64_t *intent_id,
                               xmtp_error *error);

/* Length and UTF-8 of one of the four texts. */
xmtp_status xmtp_check_field(xmtp_group_field field, const char *text, xmtp_error *error);
/* Both in range, or both 0. */
xmtp_status xmtp_check_disappearing(uint64_t from_ns, uint64_t in_ns, xmtp_error *error);

#endif
