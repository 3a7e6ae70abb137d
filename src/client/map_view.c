/* map_view.c - sorting a map's keys once, and finding them by halves. */
#include "client/map_view.h"

#include "base/status.h"

#include <stdlib.h>
#include <string.h>

static int compare_items(const void *a, const void *b)
{
    const xmtp_map_item *x = a;
    const xmtp_map_item *y = b;
    int order = strcmp(x->key, y->key);
    if (order != 0) {
        return order;
    }
    return x->index < y->index ? -1 : x->index > y->index;
}

static int compare_key(const void *key, const void *item)
{
    return strcmp(key, ((const xmtp_map_item *)item)->key);
}

/* Sorted by key and index, the last of equal keys stays. */
static size_t keep_last(xmtp_map_item *items, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (i + 1 == count || strcmp(items[i].key, items[i + 1].key) != 0) {
            items[n++] = items[i];
        }
    }
    return n;
}

xmtp_status xmtp_map_view_of(xmtp_arena *arena, const void *list, size_t count,
                             const char *(*key_of)(const void *list, size_t index),
                             xmtp_map_view *out)
{
    void *items;
    *out = (xmtp_map_view){0};
    XMTP_TRY(xmtp_arena_take_array(arena, count, sizeof(xmtp_map_item), &items));
    out->items = items;
    for (size_t i = 0; i < count; i++) {
        const char *key = key_of(list, i);
        out->items[i] = (xmtp_map_item){.key = key == NULL ? "" : key, .index = i};
    }
    if (count > 1) {
        qsort(out->items, count, sizeof(xmtp_map_item), compare_items);
    }
    out->count = keep_last(out->items, count);
    return XMTP_OK;
}

ptrdiff_t xmtp_map_view_find(const xmtp_map_view *view, const char *key)
{
    if (view->count == 0) {
        return XMTP_MAP_NONE;
    }
    const xmtp_map_item *found =
        bsearch(key, view->items, view->count, sizeof(xmtp_map_item), compare_key);
    return found == NULL ? XMTP_MAP_NONE : (ptrdiff_t)found->index;
}
