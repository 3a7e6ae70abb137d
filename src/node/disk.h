/* disk.h - the file operations that the log needs, behind a struct, so that a test can be the disk.
 *
 * The real one is the operating system. A second one keeps files in memory, for a node without a
 * folder. The test disk (test_disk.h) knows what was synced and forgets the rest when told to.
 *
 * As in POSIX: -1 with errno on failure, a write may be short, a file is a small number. Threads:
 * pread from any thread; everything else from one.
 */
#ifndef XMTP_NODE_DISK_H
#define XMTP_NODE_DISK_H

#include <xmtp/base.h>

#include <sys/types.h>

typedef struct xmtp_node_disk {
    void *context;
    /* For reading and writing. is_new: made, or emptied when it is there. ENOENT. */
    int (*open)(void *context, const char *path, bool is_new);
    int (*close)(void *context, int file);
    ssize_t (*pread)(void *context, int file, void *out, size_t n, uint64_t offset);
    ssize_t (*pwrite)(void *context, int file, const void *p, size_t n, uint64_t offset);
    int (*truncate)(void *context, int file, uint64_t len);
    int (*size)(void *context, int file, uint64_t *len);
    /* Reserves space up to len without changing the file's size. EOPNOTSUPP: cannot. */
    int (*reserve)(void *context, int file, uint64_t len);
    /* Contents and size are durable. After a failure nobody knows what is, and asking again does
     * not help: what was written since the last success must be written again first. */
    int (*sync)(void *context, int file);
    /* Names made, renamed and removed in a folder are durable. */
    int (*sync_dir)(void *context, const char *dir);
    int (*rename)(void *context, const char *from, const char *to);
    int (*unlink)(void *context, const char *path);
    /* file means what by meant, and by is closed; reads that are under way end in the old one. */
    int (*replace)(void *context, int file, int by);
    int (*list)(void *context, const char *dir, void *visitor,
                void (*visit)(void *visitor, const char *name));
} xmtp_node_disk;

const xmtp_node_disk *xmtp_node_disk_system(void);

/* Names mean nothing there: every open gives a new empty file, and nothing is ever listed. */
const xmtp_node_disk *xmtp_node_disk_memory(void);

#endif
