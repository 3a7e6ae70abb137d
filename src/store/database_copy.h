/* database_copy.h - a database as the bytes of its file, and under another key; for moving it.
 *
 *     xmtp_database_settle --> the file alone is the database --> xmtp_database_raw, piece by piece
 *
 * Pages stay encrypted: whoever gets the bytes needs the key too. Threads: as database.h.
 */
#ifndef XMTP_STORE_DATABASE_COPY_H
#define XMTP_STORE_DATABASE_COPY_H

#include "store/database.h"

/* Takes the write-ahead log into the file, and both to disk. Outside of a transaction. */
XMTP_MUST_CHECK xmtp_status xmtp_database_settle(xmtp_database *db);

/* Of the file after settling; nothing may be written meanwhile. Read through SQLite's own descriptor:
 * closing another one of the same file would give up its lock. XMTP_E_UNSUPPORTED: in memory. */
XMTP_MUST_CHECK xmtp_status xmtp_database_raw_size(xmtp_database *db, uint64_t *size);
XMTP_MUST_CHECK xmtp_status xmtp_database_raw(xmtp_database *db, uint64_t at, uint8_t *out,
                                              size_t n);

const uint8_t *xmtp_database_key(const xmtp_database *db);
/* Encrypts all pages anew, in one transaction. */
XMTP_MUST_CHECK xmtp_status xmtp_database_rekey(xmtp_database *db,
                                                const uint8_t key[XMTP_DATABASE_KEY_LEN]);

#endif
