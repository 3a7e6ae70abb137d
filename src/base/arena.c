/* arena.c - a chain of blocks, newest first; each is filled from its start.
 *
 *   blocks -> [header | used ........ free ] -> [header | used .... ] -> NULL
 *
 * Invariant: arena->used is the sum of all bytes handed out and never exceeds used_max.
 */
#include "base/arena.h"

#include "base/bytes.h"
#include "base/status.h"

enum { ARENA_BLOCK_LEN = 4096, ARENA_ALIGN = 16 };

struct xmtp_arena_block {
    struct xmtp_arena_block *next;
    size_t len;
    size_t used;
    _Alignas(ARENA_ALIGN) uint8_t data[];
};

void xmtp_arena_init(xmtp_arena *arena, const xmtp_alloc *alloc, size_t used_max)
{
    *arena = (xmtp_arena){.alloc = alloc, .used_max = used_max};
}

static const struct xmtp_arena_block *largest(const xmtp_arena *arena, size_t len_max)
{
    const struct xmtp_arena_block *found = NULL;
    for (const struct xmtp_arena_block *b = arena->blocks; b != NULL; b = b->next) {
        if (b->len <= len_max && (found == NULL || b->len > found->len)) {
            found = b;
        }
    }
    return found;
}

void xmtp_arena_rewind(xmtp_arena *arena, size_t keep_max)
{
    const struct xmtp_arena_block *keep = largest(arena, keep_max);
    struct xmtp_arena_block *block = arena->blocks;
    arena->blocks = NULL;
    arena->used = 0;
    while (block != NULL) {
        struct xmtp_arena_block *next = block->next;
        xmtp_wipe(block->data, block->used);
        if (block == keep) {
            block->next = NULL;
            block->used = 0;
            arena->blocks = block;
        } else {
            (void)arena->alloc->reallocate(arena->alloc->context, block, 0);
        }
        block = next;
    }
}

void xmtp_arena_reset(xmtp_arena *arena)
{
    xmtp_arena_rewind(arena, 0);
}

static xmtp_status add_block(xmtp_arena *arena, size_t n)
{
    size_t len = n > ARENA_BLOCK_LEN ? n : ARENA_BLOCK_LEN;
    size_t total;
    XMTP_ENSURE(xmtp_size_add(&total, sizeof(struct xmtp_arena_block), len), XMTP_E_LIMIT);
    struct xmtp_arena_block *block = arena->alloc->reallocate(arena->alloc->context, NULL, total);
    XMTP_ENSURE(block != NULL, XMTP_E_NOMEM);
    block->next = arena->blocks;
    block->len = len;
    block->used = 0;
    arena->blocks = block;
    return XMTP_OK;
}

static xmtp_status round_up(size_t n, size_t *rounded)
{
    XMTP_ENSURE(xmtp_size_add(rounded, n, ARENA_ALIGN - 1), XMTP_E_LIMIT);
    *rounded &= ~(size_t)(ARENA_ALIGN - 1);
    *rounded = *rounded == 0 ? ARENA_ALIGN : *rounded;
    return XMTP_OK;
}

xmtp_status xmtp_arena_reserve(xmtp_arena *arena, size_t n)
{
    XMTP_ENSURE(n <= arena->used_max - arena->used, XMTP_E_LIMIT);
    if (arena->blocks == NULL || arena->blocks->len - arena->blocks->used < n) {
        return add_block(arena, n);
    }
    return XMTP_OK;
}

/* Not zeroed; n is what it was rounded up to. */
static xmtp_status take_raw(xmtp_arena *arena, size_t *n, void **out)
{
    *out = NULL;
    XMTP_TRY(round_up(*n, n));
    XMTP_TRY(xmtp_arena_reserve(arena, *n));
    struct xmtp_arena_block *block = arena->blocks;
    *out = block->data + block->used;
    block->used += *n;
    arena->used += *n;
    return XMTP_OK;
}

xmtp_status xmtp_arena_take(xmtp_arena *arena, size_t n, void **out)
{
    XMTP_TRY(take_raw(arena, &n, out));
    memset(*out, 0, n);
    return XMTP_OK;
}

xmtp_status xmtp_arena_take_array(xmtp_arena *arena, size_t count, size_t size, void **out)
{
    *out = NULL;
    size_t n;
    XMTP_ENSURE(xmtp_size_mul(&n, count, size), XMTP_E_LIMIT);
    return xmtp_arena_take(arena, n, out);
}

xmtp_status xmtp_arena_copy(xmtp_arena *arena, xmtp_bytes in, xmtp_bytes *out)
{
    void *p;
    size_t n = in.n;
    XMTP_TRY(take_raw(arena, &n, &p));
    xmtp_copy(p, in.p, in.n);
    *out = xmtp_bytes_of(p, in.n);
    return XMTP_OK;
}

xmtp_status xmtp_arena_string(xmtp_arena *arena, xmtp_bytes in, char **out)
{
    size_t n;
    void *p;
    *out = NULL;
    XMTP_ENSURE(xmtp_size_add(&n, in.n, 1), XMTP_E_LIMIT);
    XMTP_TRY(xmtp_arena_take(arena, n, &p));
    xmtp_copy(p, in.p, in.n);
    *out = p;
    return XMTP_OK;
}
