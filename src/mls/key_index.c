/* key_index.c - a hash table of node indices: linear probing, deleted slots kept until it grows. */
#include "mls/key_index.h"
#include "base/status.h"

#include <assert.h>
#include <string.h>

enum { CAPACITY_MIN = 16 };
static const uint32_t FREE = 0;
static const uint32_t DELETED = UINT32_MAX;

/* FNV-1a over words of 64 bits, then over the bytes that are left, folded. Keys are public and nearly always
 * random; whoever grinds keys for one tag makes look-ups of his own group a little slower and nothing else. */
uint32_t xmtp_key_tag(xmtp_bytes key)
{
    uint64_t h = 0xcbf29ce484222325u;
    size_t i = 0;
    for (; i + sizeof h <= key.n; i += sizeof h) {
        uint64_t word;
        memcpy(&word, key.p + i, sizeof word);
        h = (h ^ word) * 0x100000001b3u;
        h ^= h >> 32; /* a product moves bits up only */
    }
    for (; i < key.n; i++) {
        h = (h ^ key.p[i]) * 0x100000001b3u;
    }
    return (uint32_t)(h ^ (h >> 32));
}

void xmtp_key_index_free(xmtp_key_index *index, const xmtp_alloc *alloc)
{
    if (index->slots != NULL) {
        (void)alloc->reallocate(alloc->context, index->slots, 0);
    }
    *index = (xmtp_key_index){0};
}

static uint32_t slot_after(const xmtp_key_index *index, uint32_t slot)
{
    return (slot + 1) & (index->capacity - 1);
}

static uint32_t slot_first(const xmtp_key_index *index, uint32_t tag)
{
    return (tag * 0x9e3779b1u) & (index->capacity - 1);
}

static xmtp_status grow(xmtp_key_index *index, const xmtp_alloc *alloc, uint32_t capacity)
{
    xmtp_key_index next = {.capacity = capacity};
    next.slots = alloc->reallocate(alloc->context, NULL, capacity * sizeof *next.slots);
    XMTP_ENSURE(next.slots != NULL, XMTP_E_NOMEM);
    for (uint32_t i = 0; i < capacity; i++) {
        next.slots[i] = (xmtp_key_slot){0};
    }
    for (uint32_t i = 0; i < index->capacity; i++) {
        const xmtp_key_slot *slot = &index->slots[i];
        if (slot->value != FREE && slot->value != DELETED) {
            xmtp_key_index_insert(&next, slot->tag, slot->value - 1);
        }
    }
    xmtp_key_index_free(index, alloc);
    *index = next;
    return XMTP_OK;
}

/* At most half of the slots are in use, so that a probe ends soon. */
xmtp_status xmtp_key_index_reserve(xmtp_key_index *index, const xmtp_alloc *alloc, uint32_t count)
{
    if ((uint64_t)(index->used + (uint64_t)count) * 2 <= index->capacity) {
        return XMTP_OK;
    }
    uint64_t capacity = CAPACITY_MIN;
    while (capacity < ((uint64_t)index->live + count) * 2) {
        capacity *= 2;
    }
    XMTP_ENSURE(capacity <= UINT32_MAX / sizeof(xmtp_key_slot), XMTP_E_LIMIT);
    return grow(index, alloc, (uint32_t)capacity);
}

void xmtp_key_index_insert(xmtp_key_index *index, uint32_t tag, uint32_t node)
{
    assert(index->used < index->capacity);
    uint32_t i = slot_first(index, tag);
    while (index->slots[i].value != FREE && index->slots[i].value != DELETED) {
        i = slot_after(index, i);
    }
    if (index->slots[i].value == FREE) {
        index->used++;
    }
    index->live++;
    index->slots[i] = (xmtp_key_slot){.tag = tag, .value = node + 1};
}

void xmtp_key_index_remove(xmtp_key_index *index, uint32_t tag, uint32_t node)
{
    if (index->capacity == 0) {
        return;
    }
    for (uint32_t i = slot_first(index, tag); index->slots[i].value != FREE;
         i = slot_after(index, i)) {
        if (index->slots[i].tag == tag && index->slots[i].value == node + 1) {
            index->slots[i].value = DELETED;
            index->live--;
            return;
        }
    }
}

/* *cursor counts the slots that were looked at already. */
bool xmtp_key_index_next(const xmtp_key_index *index, uint32_t tag, uint32_t *cursor,
                         uint32_t *node)
{
    if (index->capacity == 0) {
        return false;
    }
    const uint32_t mask = index->capacity - 1;
    for (;;) {
        const xmtp_key_slot *slot = &index->slots[(slot_first(index, tag) + *cursor) & mask];
        if (slot->value == FREE) {
            return false;
        }
        (*cursor)++;
        if (slot->tag == tag && slot->value != DELETED) {
            *node = slot->value - 1;
            return true;
        }
    }
}
