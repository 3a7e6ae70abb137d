/* content.c - the public face of the room: contents that own their memory. */
#include "content/codec.h"

#include "base/bytes.h"
#include "base/status.h"

enum {
    /* Memory for decoding: an honest content takes little more than its length at each depth of
     * replies, one made of empty fields takes many times its length. */
    DECODED_PER_BYTE = 16,
    DECODED_MIN = 64 * 1024,
};

/* What xmtp_content_free finds behind a content. */
typedef struct owned_content {
    xmtp_content content; /* first, so that the pointers are the same */
    xmtp_arena arena;
} owned_content;

static const xmtp_env *or_system(const xmtp_env *env)
{
    return env == NULL ? xmtp_env_system() : env;
}

xmtp_status xmtp_content_encode(const xmtp_content *content, const xmtp_env *env, uint8_t **out,
                                size_t *out_len, xmtp_error *error)
{
    xmtp_writer w;
    *out = NULL;
    *out_len = 0;
    xmtp_writer_init(&w, &or_system(env)->alloc, (size_t)2 * XMTP_CONTENT_LEN_MAX);
    xmtp_status status = xmtp_content_write(&w, content, error);
    if (status == XMTP_OK) {
        status = xmtp_writer_detach(&w, out, out_len);
    }
    xmtp_writer_free(&w);
    return status;
}

void xmtp_content_bytes_free(const xmtp_env *env, uint8_t *p, size_t n)
{
    const xmtp_alloc *alloc = &or_system(env)->alloc;
    if (p != NULL) {
        xmtp_wipe(p, n);
        alloc->reallocate(alloc->context, p, 0);
    }
}

xmtp_status xmtp_content_decode(xmtp_bytes encoded, const xmtp_env *env, xmtp_content **out,
                                xmtp_error *error)
{
    const xmtp_alloc *alloc = &or_system(env)->alloc;
    *out = NULL;
    if (encoded.n > XMTP_CONTENT_LEN_MAX) {
        return xmtp_fail(error, XMTP_E_LIMIT, "content of %zu bytes, at most %d", encoded.n,
                         XMTP_CONTENT_LEN_MAX);
    }
    owned_content *owned = alloc->reallocate(alloc->context, NULL, sizeof(*owned));
    XMTP_ENSURE(owned != NULL, XMTP_E_NOMEM);
    xmtp_arena_init(&owned->arena, alloc, DECODED_PER_BYTE * encoded.n + DECODED_MIN);
    xmtp_status status = xmtp_content_read(&owned->arena, encoded, &owned->content, error);
    if (status != XMTP_OK) {
        xmtp_content_free(&owned->content);
        return status;
    }
    *out = &owned->content;
    return XMTP_OK;
}

void xmtp_content_free(xmtp_content *content)
{
    if (content != NULL) {
        owned_content *owned = (owned_content *)content;
        const xmtp_alloc *alloc = owned->arena.alloc;
        xmtp_arena_reset(&owned->arena);
        xmtp_wipe(owned, sizeof(*owned));
        alloc->reallocate(alloc->context, owned, 0);
    }
}
