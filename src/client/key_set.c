/* key_set.c - sets of keys: append, sort once, search by halves. */
#include "client/key_set.h"

#include "base/bytes.h"
#include "base/status.h"

#include <stdlib.h>

void xmtp_key_set_init(xmtp_key_set *set, xmtp_arena *arena)
{
    *set = (xmtp_key_set){.arena = arena};
}

xmtp_status xmtp_key_set_add(xmtp_key_set *set, xmtp_bytes key)
{
    if (set->count == set->capacity) {
        size_t capacity = set->capacity == 0 ? 16 : 2 * set->capacity;
        void *bigger;
        XMTP_TRY(xmtp_arena_take_array(set->arena, capacity, sizeof(xmtp_bytes), &bigger));
        xmtp_copy(bigger, set->items, set->count * sizeof(xmtp_bytes));
        set->items = bigger;
        set->capacity = capacity;
    }
    set->items[set->count++] = key;
    return XMTP_OK;
}

static int compare_keys(const void *a, const void *b)
{
    return xmtp_bytes_compare(*(const xmtp_bytes *)a, *(const xmtp_bytes *)b);
}

void xmtp_key_set_seal(xmtp_key_set *set)
{
    if (set->count < 2) {
        return;
    }
    qsort(set->items, set->count, sizeof(xmtp_bytes), compare_keys);
    size_t kept = 1;
    for (size_t i = 1; i < set->count; i++) {
        if (!xmtp_bytes_equal(set->items[i], set->items[kept - 1])) {
            set->items[kept++] = set->items[i];
        }
    }
    set->count = kept;
}

bool xmtp_key_set_has(const xmtp_key_set *set, xmtp_bytes key)
{
    return set->count > 0 &&
           bsearch(&key, set->items, set->count, sizeof(xmtp_bytes), compare_keys) != NULL;
}

bool xmtp_key_set_equal(const xmtp_key_set *a, const xmtp_key_set *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (!xmtp_bytes_equal(a->items[i], b->items[i])) {
            return false;
        }
    }
    return true;
}

void xmtp_key_set_subtract(xmtp_key_set *set, const xmtp_key_set *other)
{
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (!xmtp_key_set_has(other, set->items[i])) {
            set->items[kept++] = set->items[i];
        }
    }
    set->count = kept;
}
