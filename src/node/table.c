/* table.c - chained hashing; the slots double when there are more keys than slots.
 *
 *     slots -> [ ] -> item { hash, key_len, value, key bytes } -> item -> NULL
 *
 * Items never move, so pointers to values stay valid. Cost: O(1), one allocation a key.
 */
#include "node/table.h"

#include "base/bytes.h"
#include "base/status.h"

enum { SLOTS_MIN = 16 };

struct xmtp_node_table_item {
    xmtp_node_table_item *next;
    uint64_t hash;
    size_t key_len;
    _Alignas(16) uint8_t data[]; /* value, then key */
};

/* ---- SipHash-1-3 (Aumasson and Bernstein, 2012) */

static uint64_t rotate(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static uint64_t load_le(const uint8_t *p, size_t n)
{
    uint64_t x = 0;
    for (size_t i = 0; i < n; i++) {
        x |= (uint64_t)p[i] << (8 * i);
    }
    return x;
}

static uint64_t hash_of(const xmtp_node_table *table, xmtp_bytes key)
{
    uint64_t v[4] = {table->seed[0] ^ 0x736f6d6570736575U, table->seed[1] ^ 0x646f72616e646f6dU,
                     table->seed[0] ^ 0x6c7967656e657261U, table->seed[1] ^ 0x7465646279746573U};
    size_t at = 0;
    for (; key.n - at >= 8; at += 8) {
        uint64_t m = load_le(key.p + at, 8);
        v[3] ^= m;
        sip_round(v);
        v[0] ^= m;
    }
    uint64_t last = (uint64_t)key.n << 56 | (key.n > at ? load_le(key.p + at, key.n - at) : 0);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- table */

xmtp_status xmtp_node_table_init(xmtp_node_table *table, const xmtp_env *env, size_t value_len)
{
    *table = (xmtp_node_table){.alloc = &env->alloc, .value_len = (value_len + 7) & ~(size_t)7};
    return env->random(env->context, (uint8_t *)table->seed, sizeof table->seed);
}

static void release(const xmtp_node_table *table, void *p)
{
    (void)table->alloc->reallocate(table->alloc->context, p, 0);
}

void xmtp_node_table_free(xmtp_node_table *table)
{
    for (size_t i = 0; i < table->slot_count; i++) {
        xmtp_node_table_item *item = table->slots[i];
        while (item != NULL) {
            xmtp_node_table_item *next = item->next;
            release(table, item);
            item = next;
        }
    }
    if (table->slots != NULL) {
        release(table, table->slots);
    }
    table->slots = NULL;
    table->slot_count = 0;
    table->count = 0;
}

static xmtp_bytes key_of(const xmtp_node_table *table, const xmtp_node_table_item *item)
{
    return xmtp_bytes_of(item->data + table->value_len, item->key_len);
}

/* The pointer that points to the item of this key, or to the NULL at the end of its chain. */
static xmtp_node_table_item **chain_of(const xmtp_node_table *table, uint64_t hash, xmtp_bytes key)
{
    xmtp_node_table_item **p = &table->slots[hash & (table->slot_count - 1)];
    while (*p != NULL && !((*p)->hash == hash && xmtp_bytes_equal(key_of(table, *p), key))) {
        p = &(*p)->next;
    }
    return p;
}

static bool grow(xmtp_node_table *table)
{
    size_t slot_count = table->slot_count == 0 ? SLOTS_MIN : 2 * table->slot_count;
    size_t n = slot_count * sizeof *table->slots;
    xmtp_node_table_item **slots = table->alloc->reallocate(table->alloc->context, NULL, n);
    if (slots == NULL) {
        return table->slot_count > 0; /* longer chains are better than failing */
    }
    memset(slots, 0, n);
    for (size_t i = 0; i < table->slot_count; i++) {
        xmtp_node_table_item *item = table->slots[i];
        while (item != NULL) {
            xmtp_node_table_item *next = item->next;
            xmtp_node_table_item **slot = &slots[item->hash & (slot_count - 1)];
            item->next = *slot;
            *slot = item;
            item = next;
        }
    }
    if (table->slots != NULL) {
        release(table, table->slots);
    }
    table->slots = slots;
    table->slot_count = slot_count;
    return true;
}

void *xmtp_node_table_find(const xmtp_node_table *table, xmtp_bytes key)
{
    if (table->slot_count == 0) {
        return NULL;
    }
    xmtp_node_table_item *item = *chain_of(table, hash_of(table, key), key);
    return item == NULL ? NULL : item->data;
}

void *xmtp_node_table_put(xmtp_node_table *table, xmtp_bytes key)
{
    if (table->count >= table->slot_count && !grow(table)) {
        return NULL;
    }
    uint64_t hash = hash_of(table, key);
    xmtp_node_table_item **p = chain_of(table, hash, key);
    if (*p != NULL) {
        return (*p)->data;
    }
    size_t n = sizeof **p + table->value_len + key.n;
    xmtp_node_table_item *item = table->alloc->reallocate(table->alloc->context, NULL, n);
    if (item == NULL) {
        return NULL;
    }
    *item = (xmtp_node_table_item){.hash = hash, .key_len = key.n};
    memset(item->data, 0, table->value_len);
    xmtp_copy(item->data + table->value_len, key.p, key.n);
    *p = item;
    table->count++;
    return item->data;
}

void xmtp_node_table_remove(xmtp_node_table *table, xmtp_bytes key)
{
    if (table->slot_count == 0) {
        return;
    }
    xmtp_node_table_item **p = chain_of(table, hash_of(table, key), key);
    xmtp_node_table_item *item = *p;
    if (item != NULL) {
        *p = item->next;
        release(table, item);
        table->count--;
    }
}

void xmtp_node_table_each(const xmtp_node_table *table, void *context,
                          void (*visit)(void *context, xmtp_bytes key, void *value))
{
    for (size_t i = 0; i < table->slot_count; i++) {
        for (xmtp_node_table_item *item = table->slots[i]; item != NULL; item = item->next) {
            visit(context, key_of(table, item), item->data);
        }
    }
}
