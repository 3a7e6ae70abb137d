/* arena.h - memory for one request or one operation, freed all at once, with a ceiling.
 *
 * Decoding gives views and small arrays in an arena, so there is no free per field and no leak to
 * hunt. A hostile message that wants more than the ceiling gets XMTP_E_LIMIT, not our heap.
 */
#ifndef XMTP_BASE_ARENA_H
#define XMTP_BASE_ARENA_H

#include <xmtp/base.h>

struct xmtp_arena_block;

typedef struct xmtp_arena {
    const xmtp_alloc *alloc;
    struct xmtp_arena_block *blocks; /* newest first */
    size_t used;                     /* bytes handed out, rounding included */
    size_t used_max;                 /* ceiling */
} xmtp_arena;

/* alloc must outlive the arena. used_max is the ceiling in bytes. Allocates nothing yet. */
void xmtp_arena_init(xmtp_arena *arena, const xmtp_alloc *alloc, size_t used_max);

/* Frees everything; the arena can be used again. Contents are wiped first: arenas hold plaintexts.
 */
void xmtp_arena_reset(xmtp_arena *arena);

/* Empties it as reset does, but keeps one block, of at most keep_max bytes, for what comes next. */
void xmtp_arena_rewind(xmtp_arena *arena, size_t keep_max);

/* Room for n bytes in one block, so that taking them allocates nothing. Errors as take. */
xmtp_status xmtp_arena_reserve(xmtp_arena *arena, size_t n);

/* n zeroed bytes, aligned for any type; n = 0 gives a valid pointer.
 * XMTP_E_LIMIT beyond the ceiling, XMTP_E_NOMEM; *out is NULL then. */
xmtp_status xmtp_arena_take(xmtp_arena *arena, size_t n, void **out);

/* count * size bytes, checked. */
xmtp_status xmtp_arena_take_array(xmtp_arena *arena, size_t count, size_t size, void **out);

/* A copy of in. */
xmtp_status xmtp_arena_copy(xmtp_arena *arena, xmtp_bytes in, xmtp_bytes *out);

/* A copy of in with a zero byte behind it. */
xmtp_status xmtp_arena_string(xmtp_arena *arena, xmtp_bytes in, char **out);

#endif
