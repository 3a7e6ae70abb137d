/* map_view.h - which entries of a protobuf map count: of a repeated key the last one.
 *
 * A member may send a map of any size; looking each key up by walking the list would cost a client
 * the square of it. */
#ifndef XMTP_CLIENT_MAP_VIEW_H
#define XMTP_CLIENT_MAP_VIEW_H

#include "base/arena.h"

typedef struct xmtp_map_item {
    const char *key;
    size_t index; /* in the list */
} xmtp_map_item;

typedef struct xmtp_map_view {
    xmtp_map_item *items; /* by key, each once */
    size_t count;
} xmtp_map_view;

enum { XMTP_MAP_NONE = -1 };

/* key_of: key of the entry with that index of the list; it must live as long as the view. */
xmtp_status xmtp_map_view_of(xmtp_arena *arena, const void *list, size_t count,
                             const char *(*key_of)(const void *list, size_t index),
                             xmtp_map_view *out);
/* Index of the entry that counts for a key, or XMTP_MAP_NONE. */
ptrdiff_t xmtp_map_view_find(const xmtp_map_view *view, const char *key);

#endif
