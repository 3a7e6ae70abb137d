/* sim_plain.h - most devices of a simulation have databases whose pages are not encrypted: that took a
 * third of its time, and a page is written, torn, lost and taken back in the same way either way.
 *
 *     store --> sqlite3_key --> SQLCipher      with xmtp_wrap: for one device in eight only
 *
 * What is asked of the file as such, encrypted, at every single write of it: writes_test.c.
 */
#ifndef XMTP_TESTS_SIM_PLAIN_H
#define XMTP_TESTS_SIM_PLAIN_H

#include "store/query.h" /* declares sqlite3_key */

#include <stdlib.h>
#include <string.h>

enum { ENCRYPTED_EVERY = 8 };

int __real_sqlite3_key(sqlite3 *db, const void *key, int key_len);
int __wrap_sqlite3_key(sqlite3 *db, const void *key, int key_len);

/* By the number of the device, which is in the name of its file, so that a seed is always the same. */
int __wrap_sqlite3_key(sqlite3 *db, const void *key, int key_len)
{
    const char *name = strrchr(sqlite3_db_filename(db, "main"), '/');
    bool is_encrypted = name == NULL || atoi(name + 1) % ENCRYPTED_EVERY == 1;
    return is_encrypted ? __real_sqlite3_key(db, key, key_len) : SQLITE_OK;
}

#endif
