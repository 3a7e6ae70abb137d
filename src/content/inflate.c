/* inflate.c - compressed content of old clients, opened; we never compress. */
#include "content/codec.h"

#include "base/bytes.h"
#include "base/status.h"

#include <zlib.h>

enum {
    COMPRESSION_DEFLATE = 0, /* zlib's format, RFC 1950 */
    COMPRESSION_GZIP = 1,    /* RFC 1952 */
    GZIP_WINDOW_BITS = 16 + MAX_WBITS,
    PIECE_LEN = 16384,
};

/* One pass over the input: pieces go to the writer, whose ceiling stops a bomb. */
static xmtp_status run(z_stream *stream, xmtp_writer *w)
{
    int outcome = Z_OK;
    while (outcome == Z_OK) {
        uint8_t piece[PIECE_LEN];
        stream->next_out = piece;
        stream->avail_out = sizeof(piece);
        outcome = inflate(stream, Z_NO_FLUSH);
        xmtp_writer_put(w, xmtp_bytes_of(piece, sizeof(piece) - stream->avail_out));
        xmtp_wipe(piece, sizeof(piece));
        XMTP_TRY(xmtp_writer_status(w));
        if (outcome == Z_BUF_ERROR ||
            (outcome == Z_OK && stream->avail_in == 0 && stream->avail_out > 0)) {
            return XMTP_E_CONTENT; /* ends too early */
        }
    }
    XMTP_ENSURE(outcome != Z_MEM_ERROR, XMTP_E_NOMEM);
    return outcome == Z_STREAM_END && stream->avail_in == 0 ? XMTP_OK : XMTP_E_CONTENT;
}

xmtp_status xmtp_content_inflate(xmtp_arena *arena, int32_t compression, xmtp_bytes in,
                                 xmtp_bytes *out)
{
    XMTP_ENSURE(compression == COMPRESSION_DEFLATE || compression == COMPRESSION_GZIP,
                XMTP_E_CONTENT);
    XMTP_ENSURE(in.n <= XMTP_CONTENT_LEN_MAX, XMTP_E_LIMIT);
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.n};
    XMTP_ENSURE(inflateInit2(&stream, compression == COMPRESSION_GZIP ? GZIP_WINDOW_BITS
                                                                      : MAX_WBITS) == Z_OK,
                XMTP_E_NOMEM);
    xmtp_writer w;
    xmtp_writer_init(&w, arena->alloc, XMTP_CONTENT_LEN_MAX);
    xmtp_status status = run(&stream, &w);
    /* The arena's ceiling was set for the compressed length. */
    if (status == XMTP_OK && !xmtp_size_add(&arena->used_max, arena->used_max, 2 * w.n)) {
        status = XMTP_E_LIMIT;
    }
    if (status == XMTP_OK) {
        status = xmtp_arena_copy(arena, xmtp_writer_bytes(&w), out);
    }
    xmtp_writer_free(&w);
    (void)inflateEnd(&stream);
    return status;
}
