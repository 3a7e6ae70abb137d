/* association_state.h - the inside of an association state; for this room.
 *
 *     arena  <-- owns every byte that the fields below point at
 *     members[0 .. member_count)   in member order (association.h)
 *     seen[0 .. seen_count)        sorted, each once: looked up by bisection
 *
 * A state is never edited in place: apply makes a draft in a new arena and swaps it in, so that a
 * failed update changes nothing and nothing has to be freed one by one.
 */
#ifndef XMTP_IDENTITY_ASSOCIATION_STATE_H
#define XMTP_IDENTITY_ASSOCIATION_STATE_H

#include "base/arena.h"
#include "identity/association.h"

/* Far above what XMTP_INBOX_LOG_MAX honest updates can fill; a hostile log stops here. */
enum { XMTP_ASSOCIATION_BYTES_MAX = 1 << 28 };

struct xmtp_association {
    const xmtp_alloc *alloc;
    xmtp_arena arena;
    bool exists;
    char inbox_id[XMTP_INBOX_ID_LEN + 1];
    xmtp_identifier recovery;
    xmtp_association_member *members;
    size_t member_count;
    size_t member_capacity;
    xmtp_bytes *seen;
    size_t seen_count;
    size_t seen_capacity;
};

/* An empty state on the caller's stack, and its end. */
void xmtp_association_init(xmtp_association *state, const xmtp_alloc *alloc);
void xmtp_association_clear(xmtp_association *state);

/* Room for this many more members and signatures. */
XMTP_MUST_CHECK xmtp_status xmtp_association_reserve(xmtp_association *state, size_t members,
                                                     size_t seen);
/* draft, just initialised, becomes a copy of state with that room. */
XMTP_MUST_CHECK xmtp_status xmtp_association_draft(xmtp_association *draft,
                                                   const xmtp_association *state, size_t members,
                                                   size_t seen);

/* A copy of the identifier's bytes in the state's arena. */
XMTP_MUST_CHECK xmtp_status xmtp_association_keep(xmtp_association *state,
                                                  const xmtp_identifier *identifier,
                                                  xmtp_identifier *out);

/* NULL when it is no member. */
xmtp_association_member *xmtp_association_member_of(const xmtp_association *state,
                                                    const xmtp_identifier *identifier);
/* Adds or replaces; the identifiers are copied, room is there. */
XMTP_MUST_CHECK xmtp_status xmtp_association_put(xmtp_association *state,
                                                 const xmtp_association_member *member);
/* Takes member i out. */
void xmtp_association_remove(xmtp_association *state, size_t i);

/* Has exactly these bytes, or a signature that begins with them, been accepted? */
bool xmtp_association_has_seen(const xmtp_association *state, xmtp_bytes signature);
bool xmtp_association_has_seen_prefix(const xmtp_association *state, xmtp_bytes prefix);
/* Appends a copy; the order is restored by xmtp_association_sort. */
XMTP_MUST_CHECK xmtp_status xmtp_association_add_seen(xmtp_association *state,
                                                      xmtp_bytes signature);
/* Restores both orders. */
void xmtp_association_sort(xmtp_association *state);

#endif
