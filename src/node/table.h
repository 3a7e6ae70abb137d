/* table.h - a hash table from bytes to values of one size, for what the node keeps in memory.
 *
 * Keys come from strangers, so the hash is SipHash with a random seed: nobody can choose keys that
 * fall into one slot. Threads: the owner locks.
 */
#ifndef XMTP_NODE_TABLE_H
#define XMTP_NODE_TABLE_H

#include <xmtp/base.h>

typedef struct xmtp_node_table_item xmtp_node_table_item;

typedef struct xmtp_node_table {
    const xmtp_alloc *alloc;
    uint64_t seed[2];
    size_t value_len;
    size_t count;
    size_t slot_count; /* a power of two, or 0 before the first put */
    xmtp_node_table_item **slots;
} xmtp_node_table;

/* XMTP_E_RANDOM. Allocates nothing yet; env must outlive the table. */
xmtp_status xmtp_node_table_init(xmtp_node_table *table, const xmtp_env *env, size_t value_len);

/* Frees keys and values; what values point to is the owner's. */
void xmtp_node_table_free(xmtp_node_table *table);

/* The value of a key, or NULL. Stays where it is until the key is removed. */
void *xmtp_node_table_find(const xmtp_node_table *table, xmtp_bytes key);

/* The same, zeroed and new when the key was not there. NULL: no memory. */
void *xmtp_node_table_put(xmtp_node_table *table, xmtp_bytes key);

void xmtp_node_table_remove(xmtp_node_table *table, xmtp_bytes key);

/* Calls visit for every value, in no order. The table must not be changed meanwhile. */
void xmtp_node_table_each(const xmtp_node_table *table, void *context,
                          void (*visit)(void *context, xmtp_bytes key, void *value));

#endif
