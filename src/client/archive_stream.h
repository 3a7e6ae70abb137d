/* archive_stream.h - the container of an archive: elements in, bytes out, and back (groups.md 7.3).
 *
 *     u16 version 0 | base nonce, 12 bytes | one zstd stream of
 *                                              { u32 length | AES-256-GCM(key, base nonce + k, element k) }*
 *
 * Integers and the nonce are little-endian. An element is encrypted first and compressed then, so what is
 * compressed hardly shrinks; the format says so. Knows nothing of what elements mean.
 */
#ifndef XMTP_CLIENT_ARCHIVE_STREAM_H
#define XMTP_CLIENT_ARCHIVE_STREAM_H

#include "base/arena.h"
#include "base/writer.h"
#include "crypto/crypto.h"

#include <xmtp/archive.h>
#include <zstd.h>

enum {
    XMTP_ARCHIVE_VERSION = 0,
    XMTP_ARCHIVE_NONCE_LEN = 12,
    XMTP_ARCHIVE_ELEMENT_MAX = 32 * 1024 * 1024, /* a message of 24 MiB and what is said about it */
    XMTP_ARCHIVE_WINDOW_LOG_MAX = 24, /* memory of the decoder: 16 MiB; makers use up to 2^23 */
    XMTP_ARCHIVE_CHUNK = 16 * 1024,
};

typedef struct xmtp_archive_sealer {
    const xmtp_archive_sink *sink;
    ZSTD_CCtx *zstd;
    uint8_t key[XMTP_ARCHIVE_KEY_LEN];
    uint8_t nonce[XMTP_ARCHIVE_NONCE_LEN];
    xmtp_writer element; /* length and ciphertext */
    uint8_t out[XMTP_ARCHIVE_CHUNK];
    uint64_t bytes; /* given to the sink */
} xmtp_archive_sealer;

/* Writes version and nonce. End with xmtp_archive_sealer_free in any case. */
xmtp_status xmtp_archive_sealer_open(xmtp_archive_sealer *s, const xmtp_env *env,
                                     const xmtp_archive_sink *sink,
                                     const uint8_t key[XMTP_ARCHIVE_KEY_LEN]);
xmtp_status xmtp_archive_sealer_put(xmtp_archive_sealer *s, xmtp_bytes element);
/* All elements so far are with the sink. */
xmtp_status xmtp_archive_sealer_flush(xmtp_archive_sealer *s);
/* Ends the zstd stream; everything is with the sink then. */
xmtp_status xmtp_archive_sealer_finish(xmtp_archive_sealer *s);
void xmtp_archive_sealer_free(xmtp_archive_sealer *s);

typedef struct xmtp_archive_opener {
    const xmtp_archive_source *source;
    ZSTD_DCtx *zstd;
    uint16_t version;
    uint8_t key[XMTP_ARCHIVE_KEY_LEN];
    uint8_t nonce[XMTP_ARCHIVE_NONCE_LEN];
    uint8_t in[XMTP_ARCHIVE_CHUNK]; /* as read, of which [in_at, in_n) is unused */
    size_t in_at;
    size_t in_n;
    bool is_at_end; /* of the zstd stream */
    xmtp_writer sealed;
    xmtp_writer element;
    uint64_t count; /* elements opened */
    uint64_t bytes; /* taken from the source */
} xmtp_archive_opener;

/* Reads version and nonce. End with xmtp_archive_opener_free in any case. Errors as
 * xmtp_client_archive_import. */
xmtp_status xmtp_archive_opener_open(xmtp_archive_opener *o, const xmtp_alloc *alloc,
                                     const xmtp_archive_source *source,
                                     const uint8_t key[XMTP_ARCHIVE_KEY_LEN], xmtp_error *error);
/* The next element, valid until the next call; *has_element false at the end. */
xmtp_status xmtp_archive_opener_next(xmtp_archive_opener *o, xmtp_bytes *element, bool *has_element,
                                     xmtp_error *error);
void xmtp_archive_opener_free(xmtp_archive_opener *o);

#endif
