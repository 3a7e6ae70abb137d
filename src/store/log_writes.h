/* log_writes.h - the frames of a transaction go to the write-ahead log in one write.
 *
 *     SQLite --header, page, header, page, ...--> gathered --one write--> the VFS below
 *                                                 (by the commit frame's page at the latest)
 *
 * For each page that a transaction changed SQLite writes 24 bytes and then the page: 32 system calls for
 * a sent message. Once a transaction is committed all of it is with the VFS below, so that a process
 * that is killed loses nothing that it was told to be committed. */
#ifndef XMTP_STORE_LOG_WRITES_H
#define XMTP_STORE_LOG_WRITES_H

#include "store/query.h" /* SQLite */

/* What sqlite3_open_v2 is to be told, for a connection whose log is written this way; its other files go
 * straight to the VFS that is the default now. NULL: no memory. Any thread; valid for the process's life. */
const char *xmtp_log_writes_vfs(void);

/* Asks the disk to begin with what a connection's log holds, and waits for nothing: for who will sync it soon. Its
 * thread. */
void xmtp_log_writes_begin(sqlite3 *handle);

/* Gives a connection's buffer back until the next transaction. For any connection, its thread. */
void xmtp_log_writes_rest(sqlite3 *handle);

#endif
