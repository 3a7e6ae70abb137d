/* folder.h - a node's data folder looked at from outside: of a node that runs in another process, or
 * of one that is stopped. Nothing in it is changed.
 *
 * Where the log ends: a running node has written it into the index before it acknowledged anything,
 * so whatever was acknowledged before open lies before the end. A stopped folder is locked as long
 * as it is looked at, and ends behind its last whole batch.
 */
#ifndef XMTP_NODE_FOLDER_H
#define XMTP_NODE_FOLDER_H

#include "node/index.h"

enum { XMTP_NODE_FOLDER_PATH_MAX = 4000 };

typedef struct xmtp_node_folder {
    const xmtp_env *env;
    char dir[XMTP_NODE_FOLDER_PATH_MAX];
    int lock_fd; /* -1: a node runs */
    xmtp_node_log *log;
    xmtp_node_index *index; /* NULL: none that can be trusted */
    xmtp_node_position end;
    xmtp_node_position indexed; /* up to here the index has been told of the log */
    uint64_t torn_len; /* bytes of an unfinished write behind the end, in a stopped folder */
} xmtp_node_folder;

/* XMTP_E_NOT_FOUND no node's data there, XMTP_E_CORRUPT a file is missing or no segment,
 * XMTP_E_IO, XMTP_E_DATABASE, XMTP_E_NOMEM. Close it in any case. */
xmtp_status xmtp_node_folder_open(xmtp_node_folder *folder, const xmtp_env *env, const char *dir,
                                  xmtp_error *error);
void xmtp_node_folder_close(xmtp_node_folder *folder);

/* Length of a segment up to the end. */
xmtp_status xmtp_node_folder_segment_len(xmtp_node_folder *folder, uint32_t segment, uint64_t *len);

/* Bytes of all segments up to the end. */
uint64_t xmtp_node_folder_len(xmtp_node_folder *folder);

/* A whole segment up to the end, to be freed with the environment's reallocate. */
xmtp_status xmtp_node_folder_load(xmtp_node_folder *folder, uint32_t segment, uint8_t **out,
                                  size_t *n, xmtp_error *error);

/* Told now and then by long work. done_len and all_len: bytes of the log. May be NULL. */
typedef struct xmtp_node_progress {
    void *context;
    void (*tell)(void *context, uint64_t done_len, uint64_t all_len);
} xmtp_node_progress;

/* ---- check.c */

typedef struct xmtp_node_check_report {
    uint64_t records;
    uint64_t inboxes; /* whose logs were replayed */
    uint64_t problems;
    bool has_index; /* false: it could not be compared */
} xmtp_node_check_report;

/* Verifies every record: checksum, order of ids and times, whole batches; what the index says of it;
 * and that every identity log still leads to a state. Each problem is told in a line.
 * XMTP_E_CORRUPT: there were problems. */
xmtp_status xmtp_node_folder_check(xmtp_node_folder *folder, void *context,
                                   void (*problem)(void *context, const char *line),
                                   const xmtp_node_progress *progress,
                                   xmtp_node_check_report *report, xmtp_error *error);

typedef struct xmtp_node_stats {
    uint32_t segments;
    uint64_t file_len; /* of all segments */
    uint64_t disk_len; /* that they take; less where records were dropped */
    uint64_t count[XMTP_NODE_KIND_COUNT];
    uint64_t len[XMTP_NODE_KIND_COUNT]; /* bytes in the log */
    uint64_t commits;                   /* of the group messages */
    uint64_t last_id[XMTP_NODE_KIND_COUNT];
    uint64_t oldest_ns; /* 0: there is no record */
    uint64_t newest_ns;
} xmtp_node_stats;

xmtp_status xmtp_node_folder_stats(xmtp_node_folder *folder, const xmtp_node_progress *progress,
                                   xmtp_node_stats *stats, xmtp_error *error);

/* ---- backup.c */

typedef struct xmtp_node_backup_report {
    uint32_t segments;
    uint64_t copied_len; /* what was not there yet */
} xmtp_node_backup_report;

/* Brings a copy in dir (made when it is not there) up to the end: segments that it has are left, the
 * last one is continued, those that were rewritten are copied again. Every record is verified on
 * the way. Interrupted, dir is still the backup that it was before.
 * XMTP_E_ARGUMENT dir holds something else, XMTP_E_CORRUPT, XMTP_E_DISK_FULL, XMTP_E_IO. */
xmtp_status xmtp_node_backup(xmtp_node_folder *folder, const char *dir,
                             const xmtp_node_progress *progress, xmtp_node_backup_report *report,
                             xmtp_error *error);

/* Makes a data folder from a backup. data_dir must be empty or not be there.
 * XMTP_E_NOT_FOUND dir is no backup, XMTP_E_ARGUMENT data_dir is not empty, others as backup. */
xmtp_status xmtp_node_restore(const xmtp_env *env, const char *dir, const char *data_dir,
                              const xmtp_node_progress *progress, xmtp_node_backup_report *report,
                              xmtp_error *error);

#endif
