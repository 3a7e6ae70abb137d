/* move.h - what the files of moving an installation share.
 *
 *     fence.c         who of several copies lives: the record in the database, claims on the node
 *     move_file.c     the sealed file's head and its first element
 *     move_export.c   database --> file             move_import.c   file --> database
 *
 * The file:
 *     "xmtpmove" | u8 version 1 | u8 sealed by: 1 key, 2 passphrase | salt, 16 bytes | archive_stream.h
 * whose elements are
 *     facts | 1, up to 64 KiB of the database's file | ... | 2
 * Element 2 is the end. It is made after the fence of the database is on disk, so that a file without it,
 * which nobody can import, is all that there may be while the database still lives. Pages of the
 * database are encrypted twice; the facts hold the inner key.
 */
#ifndef XMTP_CLIENT_MOVE_H
#define XMTP_CLIENT_MOVE_H

#include "client/archive.h"
#include "client/archive_stream.h"
#include "proto/mls_api.pb-c.h"
#include "store/database_copy.h"

#include <unistd.h>
#include <xmtp/move.h>

/* ---- fence.c */

enum { XMTP_FENCE_SECRET_LEN = 32, XMTP_FENCE_CLAIM_LEN = 32 };

typedef enum xmtp_fence_state {
    XMTP_FENCE_NONE = 0,   /* never moved */
    XMTP_FENCE_LIVING = 1, /* its claim was the first */
    XMTP_FENCE_MOVED = 2,  /* exported: not opened any more */
    XMTP_FENCE_WAITING =
        3,               /* imported, or an export taken back: lives when its claim is the first */
    XMTP_FENCE_LOST = 4, /* another claim was first */
} xmtp_fence_state;

typedef struct xmtp_fence {
    xmtp_fence_state state;
    uint64_t since_ns;
    uint8_t secret[XMTP_FENCE_SECRET_LEN]; /* of the move: whoever knows it may claim */
    uint8_t claim[XMTP_FENCE_CLAIM_LEN]; /* this copy's, drawn when it claims; before that zeros */
} xmtp_fence;

/* XMTP_FENCE_NONE, all zeros, when there is no record. */
xmtp_status xmtp_fence_read(xmtp_client *client, xmtp_fence *out, xmtp_error *error);
/* On disk when it returns. */
xmtp_status xmtp_fence_write(xmtp_client *client, const xmtp_fence *fence, xmtp_error *error);
/* XMTP_E_MOVED with its sentence when the state is MOVED or LOST. */
xmtp_status xmtp_fence_refuse(const xmtp_fence *fence, xmtp_error *error);

/* ---- move_file.c */

enum { XMTP_MOVE_BLOCK = 64 * 1024, XMTP_MOVE_DATA = 1, XMTP_MOVE_END = 2 };

/* What the file says before the database. */
typedef struct xmtp_move_facts {
    uint64_t size; /* of the database's file */
    uint8_t fence[XMTP_FENCE_SECRET_LEN];
    uint8_t database_key[XMTP_DATABASE_KEY_LEN];
    uint8_t installation[XMTP_INSTALLATION_LEN]; /* public key */
} xmtp_move_facts;

xmtp_status xmtp_move_facts_put(xmtp_archive_sealer *sealer, const xmtp_env *env,
                                const xmtp_move_facts *facts);
/* XMTP_E_MALFORMED, XMTP_E_TRUNCATED. */
xmtp_status xmtp_move_facts_next(xmtp_archive_opener *opener, xmtp_move_facts *out,
                                 xmtp_error *error);

xmtp_status xmtp_move_check_secret(const xmtp_move_secret *secret, xmtp_error *error);
/* Writes the head of a file, and the key of what follows it. */
xmtp_status xmtp_move_head_put(const xmtp_archive_sink *sink, const xmtp_env *env,
                               const xmtp_move_secret *secret, uint8_t key[XMTP_ARCHIVE_KEY_LEN],
                               xmtp_error *error);
xmtp_status xmtp_move_head_read(const xmtp_archive_source *source, const xmtp_move_secret *secret,
                                uint8_t key[XMTP_ARCHIVE_KEY_LEN], xmtp_error *error);
/* The facts, then the database into a sink, to the last byte of the source. */
xmtp_status xmtp_move_unpack(const xmtp_archive_source *source, const xmtp_alloc *alloc,
                             const xmtp_move_secret *secret, const xmtp_archive_sink *sink,
                             const xmtp_move_progress *progress, xmtp_move_facts *facts,
                             xmtp_error *error);
xmtp_status xmtp_move_tell(const xmtp_move_progress *progress, uint64_t done, uint64_t total);

#endif
