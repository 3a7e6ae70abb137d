/* removal_store.h - who has asked to leave a group and is still in it (groups.md 3.10). */
#ifndef XMTP_STORE_REMOVAL_STORE_H
#define XMTP_STORE_REMOVAL_STORE_H

#include "base/arena.h"
#include "store/database.h"

/* Or does nothing when it is there. */
xmtp_status xmtp_removal_insert(xmtp_database *db, int64_t group_ref, const char *inbox_id,
                                xmtp_bytes message_id);
xmtp_status xmtp_removal_delete(xmtp_database *db, int64_t group_ref, const char *inbox_id);
/* Inbox ids, in their order; in the arena. */
xmtp_status xmtp_removal_list(xmtp_database *db, int64_t group_ref, xmtp_arena *arena,
                              const char ***inboxes, size_t *count);
/* Groups that have any. */
xmtp_status xmtp_removal_groups(xmtp_database *db, xmtp_arena *arena, int64_t **refs,
                                size_t *count);

#endif
