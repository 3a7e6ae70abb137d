/* inflate.c - zlib, a chunk of output at a time. */
#include "node/inflate.h"

#include "base/bytes.h"
#include "base/status.h"

#include <zlib.h>

enum { CHUNK = 64 * 1024, GZIP_WINDOW = 15 + 16 /* 32 KiB, gzip header only */ };

static void *zlib_alloc(void *context, unsigned count, unsigned size)
{
    const xmtp_alloc *alloc = context;
    size_t n;
    return xmtp_size_mul(&n, count, size) ? alloc->reallocate(alloc->context, NULL, n) : NULL;
}

static void zlib_free(void *context, void *p)
{
    const xmtp_alloc *alloc = context;
    (void)alloc->reallocate(alloc->context, p, 0);
}

/* One chunk more. XMTP_E_RETRY: there may be another. */
static xmtp_status inflate_chunk(z_stream *z, size_t len_max, xmtp_writer *out)
{
    uint8_t chunk[CHUNK];
    z->next_out = chunk;
    z->avail_out = sizeof chunk;
    int code = inflate(z, Z_NO_FLUSH);
    size_t n = sizeof chunk - z->avail_out;
    XMTP_ENSURE(code != Z_MEM_ERROR, XMTP_E_NOMEM);
    XMTP_ENSURE(code == Z_OK || code == Z_STREAM_END, XMTP_E_MALFORMED);
    XMTP_ENSURE(n <= len_max - out->n, XMTP_E_LIMIT);
    xmtp_writer_put(out, xmtp_bytes_of(chunk, n));
    XMTP_TRY(xmtp_writer_status(out));
    if (code == Z_OK) {
        return n > 0 || z->avail_in > 0 ? XMTP_E_RETRY : XMTP_E_MALFORMED;
    }
    return z->avail_in == 0 ? XMTP_OK : XMTP_E_MALFORMED;
}

xmtp_status xmtp_node_inflate(xmtp_bytes in, size_t len_max, xmtp_writer *out)
{
    z_stream z = {.zalloc = zlib_alloc,
                  .zfree = zlib_free,
                  .opaque = (void *)(uintptr_t)out->alloc,
                  .next_in = (uint8_t *)(uintptr_t)in.p,
                  .avail_in = (unsigned)in.n};
    XMTP_ENSURE(in.n <= UINT32_MAX, XMTP_E_LIMIT);
    XMTP_ENSURE(inflateInit2(&z, GZIP_WINDOW) == Z_OK, XMTP_E_NOMEM);
    xmtp_status status = XMTP_E_RETRY;
    while (status == XMTP_E_RETRY) {
        status = inflate_chunk(&z, len_max, out);
    }
    (void)inflateEnd(&z);
    return status;
}
