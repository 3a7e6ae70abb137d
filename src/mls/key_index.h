/* key_index.h - which nodes of a tree hold a public key: a hash table of node indices.
 *
 * Open addressing with linear probing. An entry is a hint: 32 bits of the key's hash and a node
 * index. Whoever looks up compares the real key of the node, so a stale hint costs time and never
 * truth. Several nodes may have one key (that is what we look for).
 */
#ifndef XMTP_MLS_KEY_INDEX_H
#define XMTP_MLS_KEY_INDEX_H

#include <xmtp/base.h>

typedef struct xmtp_key_slot {
    uint32_t tag;
    uint32_t value; /* node + 1; 0 free, UINT32_MAX deleted */
} xmtp_key_slot;

typedef struct xmtp_key_index {
    xmtp_key_slot *slots;
    uint32_t capacity; /* 0 or a power of two */
    uint32_t used;     /* live and deleted */
    uint32_t live;
} xmtp_key_index;

/* Hash of a key, for the calls below. */
uint32_t xmtp_key_tag(xmtp_bytes key);

/* A zeroed xmtp_key_index is empty. */
void xmtp_key_index_free(xmtp_key_index *index, const xmtp_alloc *alloc);

/* Makes room so that the next count insertions cannot fail. XMTP_E_NOMEM. */
xmtp_status xmtp_key_index_reserve(xmtp_key_index *index, const xmtp_alloc *alloc,
                                   uint32_t count) XMTP_MUST_CHECK;

/* Adds an entry; room must have been reserved. */
void xmtp_key_index_insert(xmtp_key_index *index, uint32_t tag, uint32_t node);

/* Removes one entry with this tag and node, if there is one. */
void xmtp_key_index_remove(xmtp_key_index *index, uint32_t tag, uint32_t node);

/* Walks the nodes with this tag: *cursor starts at 0; false at the end. */
bool xmtp_key_index_next(const xmtp_key_index *index, uint32_t tag, uint32_t *cursor,
                         uint32_t *node);

#endif
