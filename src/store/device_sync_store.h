/* device_sync_store.h - what is to be told to our other installations, and what they asked of us
 * (groups.md 7.2). */
#ifndef XMTP_STORE_DEVICE_SYNC_STORE_H
#define XMTP_STORE_DEVICE_SYNC_STORE_H

#include "store/group_store.h"
#include "store/message_store.h"

/* ---- sync groups */

/* The newest that we are in and nobody else's inbox is. XMTP_E_NOT_FOUND. */
xmtp_status xmtp_sync_group_newest(xmtp_database *db, xmtp_arena *arena, xmtp_group_row *out);
/* Whether this installation has made one. */
xmtp_status xmtp_sync_group_is_made(xmtp_database *db, bool *out);
/* Whether somebody else's inbox was added to one that we are in. */
xmtp_status xmtp_sync_group_has_strangers(xmtp_database *db, bool *out);

/* ---- messages of sync groups that wait for work: an archive to make, an archive to fetch. Each is
 * there from the transaction that stored the message to the one that did the work. */
typedef struct xmtp_sync_task_row {
    int64_t id;
    uint32_t attempts; /* begun so far */
    xmtp_message_row message;
} xmtp_sync_task_row;

xmtp_status xmtp_sync_task_insert(xmtp_database *db, xmtp_bytes message_id);
/* The oldest that may be tried now. XMTP_E_NOT_FOUND. */
xmtp_status xmtp_sync_task_next(xmtp_database *db, uint64_t now_ns, xmtp_arena *arena,
                                xmtp_sync_task_row *out);
/* When the first of all may be tried. XMTP_E_NOT_FOUND: there is none. */
xmtp_status xmtp_sync_task_due(xmtp_database *db, uint64_t *next_ns);
xmtp_status xmtp_sync_task_set_attempts(xmtp_database *db, int64_t id, uint32_t attempts,
                                        uint64_t next_ns);
xmtp_status xmtp_sync_task_delete(xmtp_database *db, int64_t id);

/* ---- archives that this installation asked for */
xmtp_status xmtp_sync_request_insert(xmtp_database *db, const char *pin, uint64_t asked_ns);
xmtp_status xmtp_sync_request_is_ours(xmtp_database *db, const char *pin, bool *out);

/* Messages of all sync groups sent after that time, newest first; at most limit, rows in the arena. */
xmtp_status xmtp_sync_messages(xmtp_database *db, uint64_t after_ns, size_t limit,
                               xmtp_arena *arena, xmtp_message_row **rows, size_t *count);

#endif
