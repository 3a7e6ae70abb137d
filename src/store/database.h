/* database.h - one client's encrypted database: opening, transactions, and what fails.
 *
 *     file  --key-->  SQLCipher (raw 32-byte key, WAL, synchronous NORMAL)  -->  tables of schema.c
 *
 * The file belongs to one process as long as it is open, and is encrypted as a whole. Without a
 * path it lives in memory and is gone when closed. Every operation of the client is one
 * transaction: a crash at any instruction leaves the state before or after it. All SQL of the house
 * is in this room; other rooms use the typed functions of the *_store.h headers.
 *
 * Failures put their sentence into xmtp_database_error(). Threads: one at a time.
 */
#ifndef XMTP_STORE_DATABASE_H
#define XMTP_STORE_DATABASE_H

#include <xmtp/base.h>

enum {
    XMTP_DATABASE_KEY_LEN = 32,
    XMTP_DATABASE_VERSION = 3, /* of the schema; see schema.c */
};

typedef struct xmtp_database xmtp_database;

/* path NULL: in memory, and key is not looked at. Otherwise a file, made with mode 0600 when it is
 * not there; its folder must exist. An existing file is never replaced.
 *
 * XMTP_E_DATABASE_KEY      this key does not open the file, or it is no database
 * XMTP_E_LOCKED            open in another process, or once more in this one
 * XMTP_E_DATABASE_VERSION  written by a newer version
 * XMTP_E_DISK_FULL, XMTP_E_IO, XMTP_E_CORRUPT */
XMTP_MUST_CHECK xmtp_status xmtp_database_open(xmtp_database **out, const xmtp_env *env,
                                               const char *path,
                                               const uint8_t key[XMTP_DATABASE_KEY_LEN],
                                               xmtp_error *error);
void xmtp_database_close(xmtp_database *db); /* takes NULL; an open transaction is rolled back */

/* One level only: beginning inside a transaction is a programmer's error. After a failed commit
 * the transaction is rolled back. */
XMTP_MUST_CHECK xmtp_status xmtp_database_begin(xmtp_database *db);
XMTP_MUST_CHECK xmtp_status xmtp_database_commit(xmtp_database *db);
void xmtp_database_rollback(xmtp_database *db); /* nothing outside of a transaction */
bool xmtp_database_in_transaction(const xmtp_database *db);

/* Between the two a transaction is with the disk when it is committed, and with it all before it; costs a
 * sync each. Else it is there after the next checkpoint: a power cut takes what is newer. For what others
 * act upon once they have seen it. Not inside a transaction. end follows begin in any case; status is what
 * has happened since, begin included, and end returns it, or its own failure when that was XMTP_OK. */
XMTP_MUST_CHECK xmtp_status xmtp_database_durable_begin(xmtp_database *db);
XMTP_MUST_CHECK xmtp_status xmtp_database_durable_end(xmtp_database *db, xmtp_status status);

/* Asks the disk to begin with what was committed, and does not wait: for who will sync soon. */
void xmtp_database_begin_sync(xmtp_database *db);
/* What was committed so far is with the disk when this returns. Not inside a transaction. */
XMTP_MUST_CHECK xmtp_status xmtp_database_sync(xmtp_database *db);

/* Why the last call failed. Never holds values of rows. */
const xmtp_error *xmtp_database_error(const xmtp_database *db);

/* Reads the whole file: every page as it was encrypted, and the tables as a whole. Takes long for a
 * large file. XMTP_E_CORRUPT with the first fault. */
XMTP_MUST_CHECK xmtp_status xmtp_database_check(xmtp_database *db);

/* Gives back what only makes things faster: prepared statements and cached pages. For clients that
 * have nothing to do. */
void xmtp_database_rest(xmtp_database *db);

/* ---- parking: a file that nobody looks into holds no connection (350 KB) and no descriptors
 *
 *     open --park--> parked: path and key only --any call--> open
 *
 * While parked the file is not locked: who parks keeps others out of its folder. Its write-ahead log
 * (path with "-wal") may stay beside it, also after close: the two belong together. */

/* False, and nothing happens: it is in memory, parked already, or a statement or a transaction is
 * under way. */
bool xmtp_database_park(xmtp_database *db);
bool xmtp_database_is_parked(const xmtp_database *db);
/* Rises with every statement. */
uint64_t xmtp_database_uses(const xmtp_database *db);
/* Rises with every row that is changed, rolled back or not, and with every parking. While it stays the
 * same, what was read outside of a transaction is still so. */
uint64_t xmtp_database_change_count(const xmtp_database *db);
/* woken(context) is called before a parked database opens itself. It may park others. */
void xmtp_database_on_wake(xmtp_database *db, void (*woken)(void *context), void *context);
/* Deletes a database file that is closed, with what SQLite puts beside it. */
void xmtp_database_delete(const char *path);

#endif
