/* archive_stream.c - see archive_stream.h. */
#include "client/archive_stream.h"

#include "base/bytes.h"
#include "base/status.h"

#include <inttypes.h>

enum { HEADER_LEN = 2 + XMTP_ARCHIVE_NONCE_LEN, LENGTH_LEN = 4, TAG_LEN = 16, ZSTD_LEVEL = 3 };

static const xmtp_aead *const aead = &xmtp_aead_aes256gcm;

/* The nonce is one little-endian number of 96 bits, which wraps around. */
static void nonce_raise(uint8_t nonce[XMTP_ARCHIVE_NONCE_LEN])
{
    for (size_t i = 0; i < XMTP_ARCHIVE_NONCE_LEN && ++nonce[i] == 0; i++) {
    }
}

static void nonce_lower(uint8_t nonce[XMTP_ARCHIVE_NONCE_LEN])
{
    for (size_t i = 0; i < XMTP_ARCHIVE_NONCE_LEN && nonce[i]-- == 0; i++) {
    }
}

/* ---- sealing */

static xmtp_status give(xmtp_archive_sealer *s, xmtp_bytes bytes)
{
    s->bytes += bytes.n;
    return bytes.n == 0 ? XMTP_OK : s->sink->write(s->sink->context, bytes);
}

xmtp_status xmtp_archive_sealer_open(xmtp_archive_sealer *s, const xmtp_env *env,
                                     const xmtp_archive_sink *sink,
                                     const uint8_t key[XMTP_ARCHIVE_KEY_LEN])
{
    uint8_t header[HEADER_LEN] = {XMTP_ARCHIVE_VERSION & 0xff, XMTP_ARCHIVE_VERSION >> 8};
    *s = (xmtp_archive_sealer){.sink = sink, .zstd = ZSTD_createCCtx()};
    memcpy(s->key, key, sizeof(s->key));
    xmtp_writer_init(&s->element, &env->alloc, XMTP_ARCHIVE_ELEMENT_MAX + LENGTH_LEN);
    XMTP_ENSURE(s->zstd != NULL, XMTP_E_NOMEM);
    size_t level = ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
    size_t checksum = ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_checksumFlag, 1);
    XMTP_ENSURE(!ZSTD_isError(level) && !ZSTD_isError(checksum), XMTP_E_INTERNAL);
    XMTP_TRY(env->random(env->context, s->nonce, sizeof(s->nonce)));
    memcpy(header + 2, s->nonce, sizeof(s->nonce));
    return give(s, xmtp_bytes_of(header, sizeof(header)));
}

static xmtp_status compress(xmtp_archive_sealer *s, xmtp_bytes bytes, ZSTD_EndDirective end)
{
    ZSTD_inBuffer in = {.src = bytes.p, .size = bytes.n};
    size_t left;
    do {
        ZSTD_outBuffer out = {.dst = s->out, .size = sizeof(s->out)};
        left = ZSTD_compressStream2(s->zstd, &out, &in, end);
        XMTP_ENSURE(!ZSTD_isError(left), XMTP_E_NOMEM);
        XMTP_TRY(give(s, xmtp_bytes_of(s->out, out.pos)));
    } while (end == ZSTD_e_continue ? in.pos < in.size : left > 0);
    return XMTP_OK;
}

xmtp_status xmtp_archive_sealer_put(xmtp_archive_sealer *s, xmtp_bytes element)
{
    xmtp_writer_clear(&s->element);
    uint8_t *p = xmtp_writer_extend(&s->element, LENGTH_LEN + element.n + TAG_LEN);
    XMTP_ENSURE(p != NULL, s->element.status);
    for (size_t i = 0; i < LENGTH_LEN; i++) {
        p[i] = (uint8_t)((element.n + TAG_LEN) >> (8 * i));
    }
    XMTP_TRY(aead->seal(s->key, s->nonce, (xmtp_bytes){0}, element, p + LENGTH_LEN));
    nonce_raise(s->nonce);
    return compress(s, xmtp_writer_bytes(&s->element), ZSTD_e_continue);
}

xmtp_status xmtp_archive_sealer_flush(xmtp_archive_sealer *s)
{
    return compress(s, (xmtp_bytes){0}, ZSTD_e_flush);
}

xmtp_status xmtp_archive_sealer_finish(xmtp_archive_sealer *s)
{
    return compress(s, (xmtp_bytes){0}, ZSTD_e_end);
}

void xmtp_archive_sealer_free(xmtp_archive_sealer *s)
{
    (void)ZSTD_freeCCtx(s->zstd);
    xmtp_writer_free(&s->element);
    xmtp_wipe(s->key, sizeof(s->key));
}

/* ---- opening */

static xmtp_status refill(xmtp_archive_opener *o)
{
    o->in_at = 0;
    o->in_n = 0;
    XMTP_TRY(o->source->read(o->source->context, o->in, sizeof(o->in), &o->in_n));
    XMTP_ENSURE(o->in_n <= sizeof(o->in), XMTP_E_INTERNAL);
    o->bytes += o->in_n;
    return XMTP_OK;
}

static xmtp_status read_header(xmtp_archive_opener *o, uint8_t header[HEADER_LEN],
                               xmtp_error *error)
{
    for (size_t n = 0; n < HEADER_LEN;) {
        if (o->in_at == o->in_n) {
            XMTP_TRY(refill(o));
            if (o->in_n == 0) {
                return xmtp_fail(error, XMTP_E_TRUNCATED,
                                 "%zu bytes are no archive: its head has %d", n, HEADER_LEN);
            }
        }
        header[n++] = o->in[o->in_at++];
    }
    return XMTP_OK;
}

xmtp_status xmtp_archive_opener_open(xmtp_archive_opener *o, const xmtp_alloc *alloc,
                                     const xmtp_archive_source *source,
                                     const uint8_t key[XMTP_ARCHIVE_KEY_LEN], xmtp_error *error)
{
    uint8_t header[HEADER_LEN];
    *o = (xmtp_archive_opener){.source = source, .zstd = ZSTD_createDCtx()};
    memcpy(o->key, key, sizeof(o->key));
    xmtp_writer_init(&o->sealed, alloc, XMTP_ARCHIVE_ELEMENT_MAX);
    xmtp_writer_init(&o->element, alloc, XMTP_ARCHIVE_ELEMENT_MAX);
    XMTP_ENSURE(o->zstd != NULL, XMTP_E_NOMEM);
    size_t window =
        ZSTD_DCtx_setParameter(o->zstd, ZSTD_d_windowLogMax, XMTP_ARCHIVE_WINDOW_LOG_MAX);
    XMTP_ENSURE(!ZSTD_isError(window), XMTP_E_INTERNAL);
    XMTP_TRY(read_header(o, header, error));
    o->version = (uint16_t)(header[0] | header[1] << 8);
    if (o->version > XMTP_ARCHIVE_VERSION) {
        return xmtp_fail(error, XMTP_E_VERSION, "archive of version %d, this library reads %d",
                         o->version, XMTP_ARCHIVE_VERSION);
    }
    memcpy(o->nonce, header + 2, sizeof(o->nonce));
    return XMTP_OK;
}

/* One step of the decoder into out, of which at least one byte is free. */
static xmtp_status inflate_some(xmtp_archive_opener *o, ZSTD_outBuffer *out, xmtp_error *error)
{
    ZSTD_inBuffer in = {.src = o->in + o->in_at, .size = o->in_n - o->in_at};
    size_t left = ZSTD_decompressStream(o->zstd, out, &in);
    o->in_at += in.pos;
    if (ZSTD_isError(left)) {
        return xmtp_fail(error, XMTP_E_CORRUPT, "compression broken behind element %" PRIu64 ": %s",
                         o->count, ZSTD_getErrorName(left));
    }
    o->is_at_end = left == 0;
    return XMTP_OK;
}

/* Up to n bytes of the stream; fewer only at its end. */
static xmtp_status pull(xmtp_archive_opener *o, uint8_t *p, size_t n, size_t *got,
                        xmtp_error *error)
{
    ZSTD_outBuffer out = {.dst = p, .size = n};
    while (out.pos < out.size && !o->is_at_end) {
        size_t before = out.pos;
        XMTP_TRY(inflate_some(o, &out, error));
        if (out.pos > before || o->is_at_end || o->in_at < o->in_n) {
            continue;
        }
        XMTP_TRY(refill(o));
        if (o->in_n == 0) {
            return xmtp_fail(error, XMTP_E_TRUNCATED,
                             "archive of %" PRIu64 " bytes ends too early, behind element %" PRIu64,
                             o->bytes, o->count);
        }
    }
    *got = out.pos;
    return XMTP_OK;
}

static xmtp_status check_end(xmtp_archive_opener *o, xmtp_error *error)
{
    if (o->in_at == o->in_n) {
        XMTP_TRY(refill(o));
    }
    return o->in_n == o->in_at
               ? XMTP_OK
               : xmtp_fail(error, XMTP_E_TRAILING,
                           "bytes behind the end of the archive, which has %" PRIu64 " elements",
                           o->count);
}

/* Grows as bytes come: a length is only a claim. */
static xmtp_status pull_sealed(xmtp_archive_opener *o, size_t n, xmtp_error *error)
{
    xmtp_writer_clear(&o->sealed);
    while (o->sealed.n < n) {
        size_t some = n - o->sealed.n < XMTP_ARCHIVE_CHUNK ? n - o->sealed.n : XMTP_ARCHIVE_CHUNK;
        size_t got;
        uint8_t *p = xmtp_writer_extend(&o->sealed, some);
        XMTP_ENSURE(p != NULL, o->sealed.status);
        XMTP_TRY(pull(o, p, some, &got, error));
        if (got < some) {
            return xmtp_fail(error, XMTP_E_TRUNCATED,
                             "archive ends inside element %" PRIu64 ", which should have %zu bytes",
                             o->count, n);
        }
    }
    return XMTP_OK;
}

/* An older maker used the base nonce for the first two elements (groups.md 7.3): when the second does
 * not open it is tried with the nonce before, and the count goes on from there. No other: whoever keeps
 * the file could repeat an element without end, which costs next to nothing in compressed bytes. */
static xmtp_status open_element(xmtp_archive_opener *o)
{
    xmtp_bytes sealed = xmtp_writer_bytes(&o->sealed);
    xmtp_writer_clear(&o->element);
    uint8_t *p = xmtp_writer_extend(&o->element, sealed.n - TAG_LEN);
    static uint8_t nothing[1];
    XMTP_ENSURE(p != NULL || sealed.n == TAG_LEN, o->element.status);
    p = p == NULL ? nothing : p;
    xmtp_status status = aead->open(o->key, o->nonce, (xmtp_bytes){0}, sealed, p);
    if (status == XMTP_E_AUTH && o->count == 1) {
        nonce_lower(o->nonce);
        status = aead->open(o->key, o->nonce, (xmtp_bytes){0}, sealed, p);
    }
    nonce_raise(o->nonce);
    return status;
}

static xmtp_status say_why(const xmtp_archive_opener *o, xmtp_status status, xmtp_error *error)
{
    if (status != XMTP_E_AUTH) {
        return status;
    }
    if (o->count == 0) {
        return xmtp_fail(error, XMTP_E_AUTH,
                         "the key does not open it: a wrong key, or no archive");
    }
    return xmtp_fail(error, XMTP_E_CORRUPT,
                     "element %" PRIu64 " does not open: the archive is damaged or was altered",
                     o->count);
}

static xmtp_status check_length(const xmtp_archive_opener *o, size_t n, xmtp_error *error)
{
    if (n < TAG_LEN) {
        return xmtp_fail(error, XMTP_E_LENGTH, "element %" PRIu64 " has %zu bytes, at least %d",
                         o->count, n, TAG_LEN);
    }
    if (n > XMTP_ARCHIVE_ELEMENT_MAX) {
        return xmtp_fail(error, XMTP_E_LIMIT, "element %" PRIu64 " has %zu bytes, at most %d",
                         o->count, n, XMTP_ARCHIVE_ELEMENT_MAX);
    }
    return XMTP_OK;
}

xmtp_status xmtp_archive_opener_next(xmtp_archive_opener *o, xmtp_bytes *element, bool *has_element,
                                     xmtp_error *error)
{
    uint8_t length[LENGTH_LEN];
    size_t got;
    size_t n = 0;
    *has_element = false;
    XMTP_TRY(pull(o, length, sizeof(length), &got, error));
    if (got == 0) {
        return check_end(o, error);
    }
    if (got < sizeof(length)) {
        return xmtp_fail(error, XMTP_E_TRUNCATED,
                         "archive ends inside the length of element %" PRIu64, o->count);
    }
    for (size_t i = 0; i < LENGTH_LEN; i++) {
        n |= (size_t)length[i] << (8 * i);
    }
    XMTP_TRY(check_length(o, n, error));
    XMTP_TRY(pull_sealed(o, n, error));
    XMTP_TRY(say_why(o, open_element(o), error));
    o->count++;
    *element = xmtp_writer_bytes(&o->element);
    *has_element = true;
    return XMTP_OK;
}

void xmtp_archive_opener_free(xmtp_archive_opener *o)
{
    (void)ZSTD_freeDCtx(o->zstd);
    xmtp_writer_free(&o->sealed);
    xmtp_writer_free(&o->element);
    xmtp_wipe(o->key, sizeof(o->key));
}
