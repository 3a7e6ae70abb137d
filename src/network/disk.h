/* disk.h - the disk under one client's database, which can die at any write.
 *
 *     SQLite --> our VFS (the default one while disks exist) --> the system's VFS --> file
 *                  `-- of files without a disk: nothing in between
 *
 * Points are counted: each write, truncation, deletion and sync of the database or its log. A death that
 * tears has a point for each piece of 512 bytes that a write has: the pieces before it happen, and half of
 * that one. From the point of death on everything fails, so what is in the files is what a killed process
 * leaves.
 */
#ifndef XMTP_NETWORK_DISK_H
#define XMTP_NETWORK_DISK_H

#include <stdbool.h>
#include <stdint.h>
#include <xmtp/network.h>

typedef struct xmtp_disk {
    const char *path; /* of the database; its log and journal have it as prefix */
    uint64_t writes;  /* so far, with syncs */
    uint64_t pieces;  /* of all writes; what is no write counts as one */
    uint64_t commits;
    uint64_t deaths;
    xmtp_network_death how;
    uint64_t death_in;     /* writes, pieces or commits from now; 0: it lives on */
    uint64_t whole_pieces; /* of the write in which it died */
    bool is_dead;
    struct xmtp_disk *next;
} xmtp_disk;

/* disk must not move. XMTP_E_INTERNAL: SQLite has no VFS. */
xmtp_status xmtp_disk_add(xmtp_disk *disk, const char *path);
/* Its database must be closed. Takes one that was not added. */
void xmtp_disk_remove(xmtp_disk *disk);

#endif
