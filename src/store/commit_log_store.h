/* commit_log_store.h - what became of every commit of a group, here and by the log that the others see
 * (groups.md 3.11). */
#ifndef XMTP_STORE_COMMIT_LOG_STORE_H
#define XMTP_STORE_COMMIT_LOG_STORE_H

#include "base/arena.h"
#include "store/database.h"

/* One commit as it was taken here (result: xmtp_commit_result). A group's own creation and a welcome
 * are rows too, with commit_sequence 0; they are never uploaded. */
typedef struct xmtp_local_commit_row {
    int64_t id;
    int64_t group_ref;
    uint64_t commit_sequence;
    uint32_t result;
    uint64_t epoch;           /* afterwards */
    xmtp_bytes authenticator; /* of that epoch */
    xmtp_bytes last_authenticator;
    const char *kind; /* "creation", "welcome", "commit" */
} xmtp_local_commit_row;

xmtp_status xmtp_local_commit_insert(xmtp_database *db, const xmtp_local_commit_row *row);
/* Behind which id the newest count rows with a sequence lie; 0: there are no more than these. */
xmtp_status xmtp_local_commit_before_newest(xmtp_database *db, int64_t group_ref, size_t count,
                                            int64_t *after_id);
/* Rows behind after_id that have a sequence, oldest first; at most limit. */
xmtp_status xmtp_local_commit_list(xmtp_database *db, int64_t group_ref, int64_t after_id,
                                   size_t limit, xmtp_arena *arena, xmtp_local_commit_row **rows,
                                   size_t *count);
/* XMTP_E_NOT_FOUND. */
xmtp_status xmtp_local_commit_newest(xmtp_database *db, int64_t group_ref, xmtp_arena *arena,
                                     xmtp_local_commit_row *out);

/* One entry of the network's log that fits what came before it. */
typedef struct xmtp_remote_commit_row {
    int64_t group_ref;
    uint64_t log_sequence;
    uint64_t commit_sequence;
    uint32_t result;
    uint64_t epoch;
    xmtp_bytes authenticator;
} xmtp_remote_commit_row;

xmtp_status xmtp_remote_commit_insert(xmtp_database *db, const xmtp_remote_commit_row *row);
/* The newest ones, newest first. */
xmtp_status xmtp_remote_commit_list(xmtp_database *db, int64_t group_ref, size_t limit,
                                    xmtp_arena *arena, xmtp_remote_commit_row **rows,
                                    size_t *count);

/* The newest local row of which the log knows too. XMTP_E_NOT_FOUND: there is none. */
xmtp_status xmtp_commit_compare(xmtp_database *db, int64_t group_ref, bool *is_equal,
                                bool *is_newest);

/* How far we are with a group's log; zero and empty when nothing is known. */
typedef struct xmtp_commit_log_row {
    int64_t group_ref;
    xmtp_bytes signing_seed; /* of our own making; empty: none */
    xmtp_bytes public_key;   /* that everybody's entries have; empty: not known yet */
    int64_t uploaded;        /* id of the last local row that is in the log */
    uint64_t downloaded;     /* log sequence */
    uint32_t fork_state;     /* xmtp_fork_state */
} xmtp_commit_log_row;

xmtp_status xmtp_commit_log_read(xmtp_database *db, int64_t group_ref, xmtp_arena *arena,
                                 xmtp_commit_log_row *out);
xmtp_status xmtp_commit_log_write(xmtp_database *db, const xmtp_commit_log_row *row);

#endif
