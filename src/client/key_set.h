/* key_set.h - a set of public keys as a sorted array in an arena. Fill it, seal it, then ask. */
#ifndef XMTP_CLIENT_KEY_SET_H
#define XMTP_CLIENT_KEY_SET_H

#include "base/arena.h"

typedef struct xmtp_key_set {
    xmtp_arena *arena;
    xmtp_bytes *items; /* sorted and without repetition once sealed */
    size_t count;
    size_t capacity;
} xmtp_key_set;

void xmtp_key_set_init(xmtp_key_set *set, xmtp_arena *arena);
/* Keeps the view, not a copy: key must live as long as the set. */
xmtp_status xmtp_key_set_add(xmtp_key_set *set, xmtp_bytes key);
void xmtp_key_set_seal(xmtp_key_set *set);
/* Only after sealing. */
bool xmtp_key_set_has(const xmtp_key_set *set, xmtp_bytes key);
bool xmtp_key_set_equal(const xmtp_key_set *a, const xmtp_key_set *b);
/* Drops every key of a sealed set that is also in another; it stays sealed. */
void xmtp_key_set_subtract(xmtp_key_set *set, const xmtp_key_set *other);

#endif
