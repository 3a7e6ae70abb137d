/* archive_store.h - what an archive said about conversations that it restored: a GroupSave of
 * proto/archive.proto, until a welcome takes its place. */
#ifndef XMTP_STORE_ARCHIVE_STORE_H
#define XMTP_STORE_ARCHIVE_STORE_H

#include "base/arena.h"
#include "store/database.h"

xmtp_status xmtp_restored_put(xmtp_database *db, int64_t group_ref, xmtp_bytes save);
/* XMTP_E_NOT_FOUND: no archive made this group. */
xmtp_status xmtp_restored_read(xmtp_database *db, int64_t group_ref, xmtp_arena *arena,
                               xmtp_bytes *save);
xmtp_status xmtp_restored_delete(xmtp_database *db, int64_t group_ref);

#endif
